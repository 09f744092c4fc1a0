//! A finding as a row: of a table for people, or of CSV for programs. Decides only.

use serde_json::Value;

use super::output::visible;

/// The fields of a line of `threats.jsonl`, in its order.
const FIELDS: [&str; 14] = [
    "direction",
    "protocol",
    "threat_type",
    "pattern",
    "snippet",
    "source",
    "dest",
    "timestamp",
    "agent",
    "severity",
    "confidence",
    "view",
    "fingerprint",
    "suppressed",
];

const RED: &str = "\u{1b}[31m";
const YELLOW: &str = "\u{1b}[33m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// Comma-separated values (RFC 4180), one finding a line.
pub struct Csv;

impl Csv {
    /// The names.
    pub fn heading() -> String {
        format!("{}\r\n", FIELDS.join(","))
    }

    /// One finding.
    pub fn line(threat: &Value) -> String {
        let cells: Vec<String> = FIELDS.iter().map(|name| csv_cell(&field(threat, name))).collect();
        format!("{}\r\n", cells.join(","))
    }
}

/// A cell. Its text came from the network: a spreadsheet must not take it for a formula, so that
/// one that could be one begins with an apostrophe.
fn csv_cell(text: &str) -> String {
    let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if guard.is_empty() && !text.contains([',', '"', '\r', '\n']) {
        return text.to_owned();
    }
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

/// Columns, as wide as what is usual in them.
pub struct Table {
    has_colours: bool,
}

impl Table {
    /// With colours or without.
    pub fn new(has_colours: bool) -> Table {
        Table { has_colours }
    }

    /// The names of the columns.
    pub fn heading(&self) -> String {
        let line = format!(
            "{:<19}  {:<8}  {:<8}  {:<9}  {:<24}  {:<30}  SNIPPET",
            "TIME (UTC)", "SEVERITY", "WAY", "TYPE", "PATTERN", "DESTINATION"
        );
        format!("{}\n", self.coloured(DIM, &line))
    }

    /// One finding.
    pub fn line(&self, threat: &Value) -> String {
        let shown = |name: &str| visible(&field(threat, name));
        let time: String = shown("timestamp").chars().take(19).collect();
        let threat_type = format!("{:<9}", shown("threat_type"));
        let colour = if threat_type.starts_with("EXFIL") { RED } else { YELLOW };
        format!(
            "{}  {:<8}  {:<8}  {}  {:<24}  {:<30}  {}\n",
            time.replace('T', " "),
            shown("severity"),
            shown("direction"),
            self.coloured(colour, &threat_type),
            shown("pattern"),
            shown("dest"),
            shown("snippet"),
        )
    }

    fn coloured(&self, colour: &str, text: &str) -> String {
        match self.has_colours {
            true => format!("{colour}{text}{PLAIN}"),
            false => text.to_owned(),
        }
    }
}

/// What is said of credentials where they belong that are not shown; none of none.
pub fn left_out_in_words(count: u64) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 credential where it belongs is left out (--all shows it)".to_owned()),
        _ => Some(format!("{count} credentials where they belong are left out (--all shows them)")),
    }
}

/// The words for no finding, which may be no alarm only.
pub fn none_in_words(left_out: u64) -> String {
    match left_out {
        0 => "No threats recorded.".to_owned(),
        1 => "No threats; 1 credential where it belongs (--all shows it).".to_owned(),
        _ => format!("No threats; {left_out} credentials where they belong (--all shows them)."),
    }
}

/// A field as text; an absent one is empty.
fn field(threat: &Value, name: &str) -> String {
    match threat.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn threat() -> Value {
        json!({"direction": "inbound", "protocol": "http", "threat_type": "INJECTION",
               "pattern": "shell_exec", "snippet": "say \"bash -c\", then\n\u{1b}[2J",
               "source": "127.0.0.1", "dest": "a.example:80",
               "timestamp": "2026-02-19T13:41:59.587248+00:00", "agent": "coder", "severity": "high",
               "confidence": "low", "suppressed": 3})
    }

    #[test]
    fn csv_quotes_what_must_be_and_disarms_formulas() {
        for (text, cell) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=HYPERLINK(1)", "\"'=HYPERLINK(1)\""),
            ("-----BEGIN", "\"'-----BEGIN\""),
            ("", ""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
        let line = Csv::line(&threat());
        assert!(line.starts_with("inbound,http,INJECTION,shell_exec,\"say \"\"bash"), "{line}");
        assert!(
            line.ends_with(",a.example:80,2026-02-19T13:41:59.587248+00:00,coder,high,low,,,3\r\n"),
            "{line}"
        );
        assert_eq!(Csv::heading().split(',').count(), FIELDS.len());
    }

    #[test]
    fn a_table_line_is_one_line_without_control_characters() {
        let line = Table::new(false).line(&threat());
        assert!(
            line.starts_with("2026-02-19 13:41:59  high      inbound   INJECTION  shell"),
            "{line}"
        );
        assert_eq!(line.chars().filter(|character| character.is_control()).count(), 1);
        assert!(Table::new(true).line(&threat()).contains("\u{1b}[33mINJECTION\u{1b}[0m"));
        assert!(Table::new(false).line(&json!({})).starts_with(' '), "absent fields are empty");
    }
}
