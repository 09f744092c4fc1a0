//! A finding as a line of `threats.jsonl`: the original's eight fields first, in its order. Touches
//! no file.

use std::net::IpAddr;

use serde::Serialize;

use super::timestamp::iso8601;
use crate::finding::Finding;

/// The line; the order of the fields is the order in the file.
#[derive(Serialize)]
struct Line<'a> {
    direction: &'static str,
    protocol: &'static str,
    threat_type: &'static str,
    pattern: &'a str,
    snippet: &'a str,
    source: IpAddr,
    dest: &'a str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    severity: &'static str,
    confidence: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    view: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    suppressed: u64,
}

// serde hands the field over by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Appends a finding's line, its line end included; on an error `lines` is as it was.
/// `suppressed` is how many of its key came since the last line, and is left out when none did.
pub fn append_line(
    lines: &mut Vec<u8>,
    finding: &Finding,
    suppressed: u64,
) -> serde_json::Result<()> {
    let line = Line {
        direction: finding.direction.as_str(),
        protocol: finding.protocol.as_str(),
        threat_type: finding.threat_type.as_str(),
        pattern: &finding.pattern,
        snippet: &finding.snippet,
        source: finding.source,
        dest: &finding.dest,
        timestamp: iso8601(finding.seen_at),
        agent: finding.agent.as_deref(),
        severity: finding.severity.as_str(),
        confidence: finding.confidence.as_str(),
        view: finding.view.to_string(),
        fingerprint: finding.fingerprint.map(|fingerprint| fingerprint.to_string()),
        suppressed,
    };
    let before = lines.len();
    let outcome = serde_json::to_writer(&mut *lines, &line);
    match outcome {
        Ok(()) => lines.push(b'\n'),
        Err(_) => lines.truncate(before),
    }
    outcome
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
            r#"{"direction":"outbound","protocol":"https","threat_type":"EXFIL","#,
            r#""pattern":"ai_api_key","snippet":"Authorization: Bearer sk-ant-api01-...","#,
            r#""source":"127.0.0.1","dest":"api.anthropic.com:443","#,
            r#""timestamp":"2026-02-19T13:41:59.587248+00:00","#,
            r#""severity":"high","confidence":"high"}"#,
            "\n"
        );
        assert_eq!(line(&example(), 0), expected);
    }

    #[test]
    fn suppressed_follows_only_when_there_was_some() {
        let told = line(&example(), 12);
        assert!(told.ends_with("\"high\",\"suppressed\":12}\n"), "{told}");
    }

    #[test]
    fn the_agent_follows_only_where_it_is_known() {
        let mut known = example();
        known.agent = Some("coder".into());
        let told = line(&known, 3);
        assert!(told.contains("+00:00\",\"agent\":\"coder\",\"severity\":"), "{told}");
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
        assert!(line(&other, 0).contains(r#""protocol":"http","#));
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
