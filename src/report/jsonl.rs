//! A finding as a line of `threats.jsonl`: the original's eight fields first, in its order and with its blanks,
//! since scripts `grep '"pattern": "ai_api_key"'`. Touches no file.

use std::io::Write;

use super::timestamp::iso8601;
use crate::finding::Finding;

/// Appends a finding's line, its line end included; on an error `lines` is as it was.
/// `suppressed` is how many of its key came since the last line, and is left out when none did.
pub fn append_line(
    lines: &mut Vec<u8>,
    finding: &Finding,
    suppressed: u64,
) -> serde_json::Result<()> {
    let before = lines.len();
    let outcome = append_fields(&mut Object { lines }, finding, suppressed);
    match outcome {
        Ok(()) => lines.extend_from_slice(b"}\n"),
        Err(_) => lines.truncate(before),
    }
    outcome
}

/// The order here is the order in the file.
fn append_fields(
    object: &mut Object<'_>,
    finding: &Finding,
    suppressed: u64,
) -> serde_json::Result<()> {
    object.lines.extend_from_slice(b"{\"direction\": \"");
    object.lines.extend_from_slice(finding.direction.as_str().as_bytes());
    object.lines.push(b'"');
    object.add_name("protocol", finding.protocol.as_str());
    object.add_name("threat_type", finding.threat_type.as_str());
    object.add_text("pattern", &finding.pattern)?;
    object.add_text("snippet", &finding.snippet)?;
    object.add_plain("source", format_args!("\"{}\"", finding.source))?;
    object.add_text("dest", &finding.dest)?;
    object.add_name("timestamp", &iso8601(finding.seen_at));
    if let Some(agent) = &finding.agent {
        object.add_text("agent", agent)?;
    }
    object.add_name("severity", finding.severity.as_str());
    object.add_name("confidence", finding.confidence.as_str());
    if !finding.view.is_plain() {
        object.add_plain("view", format_args!("\"{}\"", finding.view))?;
    }
    if let Some(fingerprint) = finding.fingerprint {
        object.add_plain("fingerprint", format_args!("\"{fingerprint}\""))?;
    }
    if suppressed > 0 {
        object.add_plain("suppressed", format_args!("{suppressed}"))?;
    }
    Ok(())
}

/// A JSON object being written, its first field already. In a flood this is done for every request: by hand it
/// takes half as long as through a serializer, which looks at each of our own names for what to escape.
struct Object<'a> {
    lines: &'a mut Vec<u8>,
}

impl Object<'_> {
    fn begin(&mut self, field: &str) {
        self.lines.extend_from_slice(b", \"");
        self.lines.extend_from_slice(field.as_bytes());
        self.lines.extend_from_slice(b"\": ");
    }

    /// A value of ours, which has nothing to escape.
    fn add_name(&mut self, field: &str, value: &str) {
        self.begin(field);
        self.lines.push(b'"');
        self.lines.extend_from_slice(value.as_bytes());
        self.lines.push(b'"');
    }

    /// Any text.
    fn add_text(&mut self, field: &str, value: &str) -> serde_json::Result<()> {
        self.begin(field);
        serde_json::to_writer(&mut *self.lines, value)
    }

    /// What is JSON as it is shown.
    fn add_plain(&mut self, field: &str, value: std::fmt::Arguments<'_>) -> serde_json::Result<()> {
        self.begin(field);
        self.lines.write_fmt(value).map_err(serde_json::Error::io)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;
    use crate::finding::{Direction, Protocol, ThreatType};
    use crate::report::dedup::tests::finding;

    fn line(finding: &Finding, suppressed: u64) -> String {
        let mut lines = Vec::new();
        append_line(&mut lines, finding, suppressed).unwrap();
        String::from_utf8(lines).unwrap()
    }

    fn example() -> Finding {
        let mut example = finding("ai_api_key", "api.anthropic.com:443");
        example.seen_at = UNIX_EPOCH + Duration::from_micros(1_771_508_519_587_248);
        example
    }

    #[test]
    fn the_example_of_the_original() {
        let expected = concat!(
            r#"{"direction": "outbound", "protocol": "https", "threat_type": "EXFIL", "#,
            r#""pattern": "ai_api_key", "snippet": "Authorization: Bearer sk-ant-api01-...", "#,
            r#""source": "127.0.0.1", "dest": "api.anthropic.com:443", "#,
            r#""timestamp": "2026-02-19T13:41:59.587248+00:00", "#,
            r#""severity": "high", "confidence": "high"}"#,
            "\n"
        );
        assert_eq!(line(&example(), 0), expected);
    }

    #[test]
    fn suppressed_follows_only_when_there_was_some() {
        let told = line(&example(), 12);
        assert!(told.ends_with("\"high\", \"suppressed\": 12}\n"), "{told}");
    }

    #[test]
    fn the_agent_follows_only_where_it_is_known() {
        let mut known = example();
        known.agent = Some("coder".into());
        let told = line(&known, 3);
        assert!(told.contains("+00:00\", \"agent\": \"coder\", \"severity\": "), "{told}");
    }

    #[test]
    fn every_name_of_every_field() {
        let mut other = example();
        other.direction = Direction::Inbound;
        other.protocol = Protocol::Gateway;
        other.threat_type = ThreatType::Injection;
        other.source = "2001:db8::1".parse().unwrap();
        let value: serde_json::Value = serde_json::from_str(&line(&other, 0)).unwrap();
        assert_eq!(value["direction"], "inbound");
        assert_eq!(value["protocol"], "gateway");
        assert_eq!(value["threat_type"], "INJECTION");
        assert_eq!(value["source"], "2001:db8::1");
        other.protocol = Protocol::Http;
        assert!(line(&other, 0).contains(r#""protocol": "http", "#));
    }

    proptest! {
        #[test]
        fn any_text_stays_one_line_and_comes_back(snippet in ".{0,200}|[\\x00-\\x1f\"\\\\]{0,50}") {
            let mut odd = example();
            odd.snippet = snippet.clone();
            let line = line(&odd, 0);
            prop_assert_eq!(line.matches('\n').count(), 1);
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(&value["snippet"], &serde_json::Value::String(snippet));
        }
    }
}
