//! What the logger thread counts of the findings, for whoever asks while it runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::counters::Count;
use crate::finding::Direction;

/// Lines by pattern and direction, and repeats. No core touches it: only the logger thread writes, only
/// operators read.
#[derive(Debug, Default)]
pub struct Tally {
    lines: Mutex<BTreeMap<(String, &'static str), u64>>,
    /// Findings that the logger's own dedup held back.
    pub suppressed: Count,
}

impl Tally {
    /// Counts a line. There are as many patterns as there are rules.
    pub(super) fn add_line(&self, pattern: &str, direction: Direction) {
        let key = (pattern.to_owned(), direction.as_str());
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        *lines.entry(key).or_insert(0) += 1;
    }

    /// Pattern, direction, lines.
    pub fn lines(&self) -> Vec<(String, &'static str, u64)> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |(key, count): (&(String, &'static str), &u64)| (key.0.clone(), key.1, *count);
        lines.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_pattern_and_direction() {
        let tally = Tally::default();
        tally.add_line("b", Direction::Inbound);
        tally.add_line("a", Direction::Outbound);
        tally.add_line("b", Direction::Inbound);
        let expected = [("a".to_owned(), "outbound", 1), ("b".to_owned(), "inbound", 2)];
        assert_eq!(tally.lines(), expected);
    }
}
