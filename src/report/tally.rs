//! What the logger thread counts of the findings, for whoever asks while it runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::counters::Count;
use crate::finding::Finding;

/// Lines by what they say, and repeats. No core touches it: only the logger thread writes, only operators read.
#[derive(Debug, Default)]
pub struct Tally {
    lines: Mutex<BTreeMap<Kind, u64>>,
    /// Findings that the logger's own dedup held back.
    pub suppressed: Count,
    /// Why lines cannot be written, while they cannot.
    failure: Mutex<Option<String>>,
}

/// What lines are counted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    pub pattern: String,
    pub direction: &'static str,
    pub severity: &'static str,
}

impl Kind {
    /// That of a finding's line.
    pub(super) fn of(finding: &Finding) -> Kind {
        Kind {
            pattern: finding.pattern.to_string(),
            direction: finding.direction.as_str(),
            severity: finding.severity.as_str(),
        }
    }
}

impl Tally {
    /// Counts lines. There are as many patterns as there are rules, and five severities.
    pub(super) fn add_lines(&self, kinds: impl Iterator<Item = Kind>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for kind in kinds {
            *lines.entry(kind).or_insert(0) += 1;
        }
    }

    /// From now on lines cannot be written, or can again.
    pub(super) fn set_failure(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// Why lines cannot be written, while they cannot.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines there were of each kind.
    pub fn lines(&self) -> Vec<(Kind, u64)> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(kind, count)| (kind.clone(), *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use crate::report::dedup::tests::finding;

    #[test]
    fn lines_are_counted_by_pattern_direction_and_severity() {
        let tally = Tally::default();
        let mut info = finding("b", "a.example:443");
        info.severity = Severity::Info;
        let findings = [&info, &finding("a", "b.example:443"), &info, &finding("b", "c.example:1")];
        tally.add_lines(findings.into_iter().map(Kind::of));
        let lines = tally.lines();
        let told: Vec<_> =
            lines.iter().map(|(kind, count)| (&*kind.pattern, kind.severity, *count)).collect();
        assert_eq!(told, [("a", "high", 1), ("b", "high", 1), ("b", "info", 2)]);
        assert!(lines.iter().all(|(kind, _)| kind.direction == "outbound"));
    }
}
