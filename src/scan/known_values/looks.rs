//! What a watched value looks like: the rules that find it. Asked at the start, while the value is at hand.

use std::ops::Range;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::NamedValue;
use crate::limits::{LAST_LOOK_WINDOW_BYTES, SCAN_PADDING_BYTES};
use crate::scan::database::{Database, DatabaseError};
use crate::scan::found::{Match, MatchSink};
use crate::scan::padded::Padded;
use crate::scan::scanner::Scanner;

/// Looks at values.
pub struct Looks(Scanner);

/// The rules of which a match's secret covers a range.
struct Covering {
    range: Range<u64>,
    rules: Vec<Arc<str>>,
}

impl MatchSink for Covering {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        let start = found.at.saturating_add(found.secret_at as u64);
        let end = start.saturating_add(found.secret.len() as u64);
        if start <= self.range.start && self.range.end <= end {
            self.rules.push(Arc::clone(&found.rule.id));
        }
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
}

impl Looks {
    pub fn new(database: &Arc<Database>) -> Result<Looks, DatabaseError> {
        Scanner::new(database, LAST_LOOK_WINDOW_BYTES).map(Looks)
    }

    /// The rules that find the whole value, by itself or under its name: many a provider's keys look like anything.
    pub fn rules_of(&self, value: &NamedValue) -> Vec<Arc<str>> {
        let bytes = value.bytes.trim_ascii();
        // `KEY of /srv/app/.env`, `/run/secrets/KEY`.
        let key = value.name.split(" of ").next().unwrap_or_default();
        let key = key.rsplit('/').next().unwrap_or_default();
        let mut rules = self.rules_behind(b"", bytes);
        rules.extend(self.rules_behind(format!("{key}=").as_bytes(), bytes));
        rules
    }

    fn rules_behind(&self, front: &[u8], bytes: &[u8]) -> Vec<Arc<str>> {
        let len = front.len() + bytes.len();
        if len > LAST_LOOK_WINDOW_BYTES {
            return Vec::new();
        }
        let mut text = Zeroizing::new(Vec::with_capacity(len + SCAN_PADDING_BYTES));
        for part in [front, bytes, &[0; SCAN_PADDING_BYTES]] {
            text.extend_from_slice(part);
        }
        let range = front.len() as u64..len as u64;
        let mut covering = Covering { range, rules: Vec::new() };
        self.0.scan_as_it_stands(Padded::new(&text, 0..len).unwrap_or_default(), &mut covering);
        covering.rules
    }
}
