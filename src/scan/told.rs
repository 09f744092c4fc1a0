//! What was told of one unit (a head, a body, a direction): texts made of one another show the same match,
//! which is one match.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::found::{Gap, Match, MatchSink};
use crate::finding::View;
use crate::limits::SCAN_TOLD_MAX;

/// The matches told of a unit, the last `limits::SCAN_TOLD_MAX` of them.
#[derive(Debug, Default)]
pub(super) struct Told {
    entries: Vec<Entry>,
    /// Where the next one goes once there is no more room.
    oldest: usize,
    texts: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    rule: u64,
    /// Of the bytes that matched.
    bytes: u64,
    text: u32,
    at: u64,
}

impl Told {
    /// A number for one more text of the unit.
    pub(super) fn next_text(&mut self) -> u32 {
        self.texts = self.texts.wrapping_add(1);
        self.texts
    }

    /// The unit is over; another begins.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.oldest = 0;
    }

    /// Whether another text told of this match already. If not, it is told now.
    fn is_known(&mut self, found: &Match<'_>, telling: &Telling) -> bool {
        let rule = hash(&*found.rule.id);
        let bytes = hash(found.bytes);
        let at = telling.origin.unwrap_or(found.at);
        let is_same = |entry: &Entry| {
            entry.rule == rule
                && entry.text != telling.text
                && (entry.bytes == bytes || (!found.rule.is_secret && telling.repeats(entry)))
        };
        if self.entries.iter().any(is_same) {
            return true;
        }
        let entry = Entry { rule, bytes, text: telling.text, at };
        if self.entries.len() < SCAN_TOLD_MAX {
            self.entries.push(entry);
        } else if let Some(place) = self.entries.get_mut(self.oldest) {
            *place = entry;
            self.oldest = (self.oldest + 1) % SCAN_TOLD_MAX;
        }
        false
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Which text of a unit is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Telling {
    pub(super) text: u32,
    pub(super) view: View,
    /// Where in the unit the text was seen; none: its offsets are the unit's.
    pub(super) origin: Option<u64>,
    /// The text that it is another reading of.
    pub(super) reading_of: Option<u32>,
}

impl Telling {
    /// Whether a match is one that the other reading of the same bytes told.
    fn repeats(&self, entry: &Entry) -> bool {
        self.reading_of == Some(entry.text) && self.origin.is_some_and(|origin| entry.at >= origin)
    }
}

/// Passes on what is new, as seen in the text that is looked at.
pub(super) struct Teller<'a> {
    pub(super) told: &'a mut Told,
    pub(super) telling: Telling,
    pub(super) sink: &'a mut dyn MatchSink,
}

impl Teller<'_> {
    fn seen<'m>(&self, found: &Match<'m>) -> Match<'m> {
        let at = self.telling.origin.unwrap_or(found.at);
        Match { view: self.telling.view, at, ..*found }
    }
}

impl MatchSink for Teller<'_> {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        !self.told.is_known(found, &self.telling) && self.sink.wants(&self.seen(found))
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        self.sink.found(&self.seen(found), snippet);
    }

    fn gap(&mut self, gap: Gap) {
        self.sink.gap(gap);
    }
}
