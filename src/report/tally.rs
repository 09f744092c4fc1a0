//! What the logger thread counts of the findings, for whoever asks while it runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::counters::{Count, Counters};
use crate::finding::Finding;

/// Said while the logger thread hangs: of its files, most likely.
const SILENT: &str = "the thread that reports shows no sign of life";

/// Lines by what they say, and repeats. No core touches it: only the logger thread writes, only operators read.
#[derive(Debug, Default)]
pub struct Tally {
    lines: Mutex<BTreeMap<Kind, u64>>,
    /// Findings that the logger's own dedup held back, and those of them that became lines later.
    pub repeats: Count,
    late: Count,
    /// Repeats that lines tell of.
    suppressed: Count,
    /// Why lines cannot be written, while they cannot.
    failure: Mutex<Option<String>>,
    /// The logger thread's rounds, and whether there were none for long.
    pub beats: Count,
    is_silent: AtomicBool,
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

/// A line, as far as it is counted.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub kind: Kind,
    /// The repeats that it tells of.
    pub suppressed: u64,
    /// Its finding was held back first.
    pub is_late: bool,
}

/// Repeats that have no line of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Those that lines tell of: the sum of their `suppressed`.
    pub told: u64,
    /// Those that none tells of yet.
    pub untold: u64,
}

impl Tally {
    /// Counts lines. There are as many patterns as there are rules, and five severities.
    pub(super) fn add_lines(&self, written: impl Iterator<Item = Line>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for Line { kind, suppressed, is_late } in written {
            *lines.entry(kind).or_insert(0) += 1;
            self.suppressed.add(suppressed);
            self.late.add(is_late.into());
        }
    }

    /// The repeats that were held back, here and on the cores.
    pub fn repeats(&self, cores: &[Arc<Counters>]) -> Repeats {
        let told = self.suppressed.get();
        let on_cores: u64 = cores.iter().map(|core| core.repeats.get()).sum();
        let held_back = on_cores.saturating_add(self.repeats.get());
        let untold = held_back.saturating_sub(told).saturating_sub(self.late.get());
        Repeats { told, untold }
    }

    /// From now on lines cannot be written, or can again.
    pub(super) fn set_failure(&self, failure: Option<String>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// Whether the logger thread has shown no sign of life for long.
    pub fn set_silent(&self, is_silent: bool) {
        match (self.is_silent.swap(is_silent, Ordering::Relaxed), is_silent) {
            (false, true) => log::error!("{SILENT}"),
            (true, false) => log::warn!("the thread that reports lives again"),
            _ => {}
        }
    }

    /// Why lines cannot be written, while they cannot.
    pub fn failure(&self) -> Option<String> {
        if self.is_silent.load(Ordering::Relaxed) {
            return Some(SILENT.to_owned());
        }
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
        let line =
            |finding: &Finding| Line { kind: Kind::of(finding), suppressed: 0, is_late: false };
        tally.add_lines(findings.into_iter().map(line));
        let lines = tally.lines();
        let told: Vec<_> =
            lines.iter().map(|(kind, count)| (&*kind.pattern, kind.severity, *count)).collect();
        assert_eq!(told, [("a", "high", 1), ("b", "high", 1), ("b", "info", 2)]);
        assert!(lines.iter().all(|(kind, _)| kind.direction == "outbound"));
    }

    #[test]
    fn a_repeat_is_told_or_not_told_yet_or_a_line_of_its_own() {
        let (tally, cores) = (Tally::default(), [Arc::new(Counters::default()), Arc::default()]);
        let repeats = |told, untold| assert_eq!(tally.repeats(&cores), Repeats { told, untold });
        cores.iter().for_each(|core| core.repeats.add(4));
        tally.repeats.add(3);
        repeats(0, 11);
        let kind = Kind::of(&finding("a", "b.example:443"));
        let line = |suppressed, is_late| Line { kind: kind.clone(), suppressed, is_late };
        tally.add_lines([line(0, false), line(5, false)].into_iter());
        repeats(5, 6);
        tally.add_lines(std::iter::once(line(5, true)));
        repeats(10, 0);
    }
}
