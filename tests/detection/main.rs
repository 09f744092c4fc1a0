//! What is found and how it is told: the 12 patterns wherever they can stand, split wherever they can be
//! split, found once; and the lines of `threats.jsonl`.

#[path = "../support/mod.rs"]
mod support;

mod asides;
mod beginnings;
mod bodies;
mod clean;
mod corpora;
mod cut_off;
mod format;
mod git;
mod grpc;
mod known_values;
mod matrix;
mod precision;
mod published;
mod splits;
mod streams;
mod views;

use support::{Finding, Sample};

/// A text that was sent, and what it must have left: one finding whose context names the row.
struct Row {
    tag: String,
    pattern: &'static str,
    threat_type: &'static str,
    direction: &'static str,
    protocol: &'static str,
    dest: String,
}

impl Row {
    fn new(
        number: usize,
        sample: &Sample,
        direction: &'static str,
        origin: (&'static str, &str),
    ) -> Row {
        Row {
            tag: format!("row{number:04}"),
            pattern: sample.pattern,
            threat_type: sample.threat_type,
            direction,
            protocol: origin.0,
            dest: origin.1.to_owned(),
        }
    }

    /// The sample with the row's name in front and a word behind.
    fn text(&self, sample: &Sample) -> String {
        format!("{} {} end", self.tag, sample.text())
    }
}

/// Exactly one finding each, as the row says, and no finding beyond them.
#[track_caller]
fn assert_one_each(rows: &[Row], findings: &[Finding]) {
    for row in rows {
        let of_row: Vec<_> =
            findings.iter().filter(|finding| finding.snippet.contains(&row.tag)).collect();
        let what = format!("{} {} {} {}", row.tag, row.pattern, row.protocol, row.direction);
        assert_eq!(of_row.len(), 1, "{what}: {of_row:?}");
        let found = of_row[0];
        assert_eq!(found.pattern, row.pattern, "{what}");
        assert_eq!(found.threat_type, row.threat_type, "{what}");
        assert_eq!(found.direction, row.direction, "{what}");
        assert_eq!(found.protocol, row.protocol, "{what}");
        assert_eq!(found.dest, row.dest, "{what}");
        assert_eq!(found.source, "127.0.0.1", "{what}");
        assert_eq!(found.suppressed, 0, "{what}");
    }
    let named = |finding: &&Finding| !rows.iter().any(|row| finding.snippet.contains(&row.tag));
    let others: Vec<_> = findings.iter().filter(named).collect();
    assert!(others.is_empty(), "findings of nothing that was sent: {others:?}");
}
