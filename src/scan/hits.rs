//! What the engine's callbacks note of one window: possible ends of matches, and what only encoded text holds.

use hyperscan::Matching;

use super::engines::FILLER_NUMBER;
use super::words::Places;
use crate::limits::{SCAN_GATES_PER_WINDOW, SCAN_HITS_PER_RULE_SURE, SCAN_HITS_PER_WINDOW};

/// A possible end of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hit {
    /// The stream's offset behind the match.
    pub(super) end: u64,
    /// The rule's number.
    pub(super) rule: u32,
}

/// The hits of one window, bounded. A flood of one rule leaves room for the others.
#[derive(Default)]
pub(super) struct Hits {
    pub(super) hits: Vec<Hit>,
    per_rule: Vec<usize>,
    passed_over: usize,
    /// Ends of what only encoded text holds.
    gates: Vec<u64>,
}

impl Hits {
    /// Empties it for a window of a database with so many rules.
    pub(super) fn begin(&mut self, rules: usize) {
        // Only what was counted: of hundreds of rules few had a hit, and most windows are small.
        for hit in self.hits.drain(..) {
            if let Some(count) = self.per_rule.get_mut(hit.rule as usize) {
                *count = 0;
            }
        }
        self.per_rule.resize(rules, 0);
        self.passed_over = 0;
        self.gates.clear();
    }

    /// The callback for an engine whose offsets count from `base`. It must not panic.
    pub(super) fn noting(&mut self, base: u64) -> impl FnMut(u32, u64, u64, u32) -> Matching {
        move |rule, _from, end, _flags| {
            self.note(rule, base.saturating_add(end));
            Matching::Continue
        }
    }

    /// The callback for the engine that sees what is around long words. It must not panic.
    pub(super) fn noting_words(
        &mut self,
        places: Places<'_>,
    ) -> impl FnMut(u32, u64, u64, u32) -> Matching {
        move |rule, _from, end, _flags| {
            if let Some(end) = places.offset(end) {
                self.note(rule, end);
            }
            Matching::Continue
        }
    }

    fn note(&mut self, rule: u32, end: u64) {
        let count = usize::try_from(rule).ok().and_then(|rule| self.per_rule.get_mut(rule));
        let Some(count) = count else {
            if rule == FILLER_NUMBER {
                return;
            }
            if self.gates.len() < SCAN_GATES_PER_WINDOW {
                self.gates.push(end);
            } else {
                self.passed_over += 1;
            }
            return;
        };
        if self.hits.len() < SCAN_HITS_PER_WINDOW || *count < SCAN_HITS_PER_RULE_SURE {
            *count += 1;
            self.hits.push(Hit { end, rule });
        } else {
            self.passed_over += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    /// Hands over the ends of what only encoded text holds, in order.
    pub(super) fn move_gates(&mut self, gates: &mut Vec<u64>) {
        gates.clear();
        gates.append(&mut self.gates);
        gates.sort_unstable();
        gates.dedup();
    }

    /// How many hits the bound kept out.
    pub(super) fn passed_over(&self) -> usize {
        self.passed_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_rule_leaves_the_others_their_sure_share() {
        let mut hits = Hits::default();
        hits.begin(2);
        for end in 0..SCAN_HITS_PER_WINDOW as u64 {
            hits.note(0, end);
        }
        assert_eq!((hits.hits.len(), hits.passed_over()), (SCAN_HITS_PER_WINDOW, 0));
        for end in 0..SCAN_HITS_PER_RULE_SURE as u64 {
            hits.note(1, end);
        }
        assert_eq!(hits.passed_over(), 0);
        hits.note(0, 0);
        hits.note(1, 0);
        hits.note(2, 0);
        assert_eq!(hits.passed_over(), 2);
        assert_eq!(hits.hits.len(), SCAN_HITS_PER_WINDOW + SCAN_HITS_PER_RULE_SURE);
        hits.begin(2);
        assert!(hits.is_empty() && hits.passed_over() == 0);
        assert_eq!(hits.per_rule, [0, 0]);
    }

    #[test]
    fn a_flood_of_the_literal_that_paces_the_engine_takes_no_gates_place() {
        let mut hits = Hits::default();
        hits.begin(1);
        for end in 0..=SCAN_GATES_PER_WINDOW as u64 {
            hits.note(FILLER_NUMBER, end);
        }
        assert_eq!((hits.gates.len(), hits.passed_over()), (0, 0));
        for end in 0..=SCAN_GATES_PER_WINDOW as u64 {
            hits.note(1, end);
        }
        assert_eq!((hits.gates.len(), hits.passed_over()), (SCAN_GATES_PER_WINDOW, 1));
    }
}
