//! Heads of messages, each a unit of its own. Many come again as they were: a client that polls sends the same bytes
//! each time, and an origin answers with the same. One in which nothing was found is not scanned a second time under
//! the same rules; whether it is the same is asked of all its bytes.

use std::cell::Cell;
use std::ops::Range;

use memchr::{memchr, memchr_iter};

use super::found::{Listening, MatchSink};
use super::padded::Padded;
use super::scanner::Scanner;
use super::text::{Text, UnitState};
use crate::limits::{CLEAN_HEAD_MAX_BYTES, CLEAN_HEADS_MAX};

impl Scanner {
    /// One whole unit, as a message head: every match goes to the sink.
    pub fn scan_block(&self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        let mut unit = UnitState::default();
        let mut scope = unit.scope(&self.core, sink);
        Text::of_head(&mut scope).feed_whole(bytes, &mut scope);
    }

    /// The head of an answer, as a unit.
    pub fn scan_answer(&self, head: Padded<'_>, sink: &mut dyn MatchSink) {
        let known = &self.core.clean_answers;
        self.unless_clean(known, head, sink, |sink| self.scan_block(head, sink));
    }

    /// The head of a request, as a unit. Its query is read as a form, too, where that makes a difference.
    pub fn scan_request(&self, head: Padded<'_>, sink: &mut dyn MatchSink) {
        self.unless_clean(&self.core.clean_requests, head, sink, |sink| {
            let mut unit = UnitState::default();
            let mut scope = unit.scope(&self.core, sink);
            let mut text = Text::of_head(&mut scope);
            text.feed_whole(head, &mut scope);
            if let Some(query) = query_of(head.bytes()) {
                let bytes = head.bytes().get(query.clone()).unwrap_or_default();
                text.read_query(bytes, query.start, &mut scope);
            }
        });
    }

    /// Scans a head, unless the same bytes were scanned before and there was nothing to tell.
    fn unless_clean(
        &self,
        known: &Cell<CleanHeads>,
        head: Padded<'_>,
        sink: &mut dyn MatchSink,
        scan: impl FnOnce(&mut dyn MatchSink),
    ) {
        if !self.core.remembers.get() {
            return scan(sink);
        }
        let mut clean = known.take();
        if !clean.has(head.bytes()) {
            let mut sink = Listening::new(sink);
            scan(&mut sink);
            if !sink.has_heard() {
                clean.keep(head.bytes());
            }
        }
        known.set(clean);
    }
}

/// Where in a request's head its query stands, if it holds a `+`, escaped or not: other percent
/// escapes are read wherever they are.
fn query_of(head: &[u8]) -> Option<Range<usize>> {
    let line = head.get(..memchr(b'\n', head)?)?;
    let start = memchr(b'?', line)? + 1;
    let query = line.get(start..)?;
    let query = query.get(..memchr(b' ', query).unwrap_or(query.len()))?;
    let is_plus = |at: usize| matches!(query.get(at + 1..), Some([b'2', b'B' | b'b', ..]));
    let has_plus = memchr(b'+', query).is_some() || memchr_iter(b'%', query).any(is_plus);
    has_plus.then_some(start..start + query.len())
}

/// The last heads in which nothing was found, each at the place that its hash names.
#[derive(Default)]
pub(super) struct CleanHeads {
    places: Vec<Vec<u8>>,
}

impl CleanHeads {
    fn has(&self, head: &[u8]) -> bool {
        !head.is_empty() && self.places.get(place_of(head)).is_some_and(|kept| kept == head)
    }

    /// Keeps a head, unless it is long.
    fn keep(&mut self, head: &[u8]) {
        if head.len() > CLEAN_HEAD_MAX_BYTES {
            return;
        }
        self.places.resize_with(CLEAN_HEADS_MAX, Vec::new);
        if let Some(place) = self.places.get_mut(place_of(head)) {
            place.clear();
            place.extend_from_slice(head);
        }
    }
}

/// Where a head is kept. Those of the same place take turns in it, which costs whoever makes some no more than heads
/// that are new: nothing secret is needed, and no strong hash.
fn place_of(head: &[u8]) -> usize {
    let mix = |hash: u64, word: u64| {
        let product = u128::from(hash ^ word) * 0x9E37_79B9_7F4A_7C15;
        (product >> 64) as u64 ^ product as u64
    };
    let (words, rest) = head.as_chunks::<8>();
    let hash =
        words.iter().fold(head.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let last = rest.iter().fold(1, |last, byte| last << 8 | u64::from(*byte));
    mix(mix(hash, last), 1) as usize % CLEAN_HEADS_MAX
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scan::Database;
    use crate::scan::found::Match;
    use crate::scan::padded::PaddedBuffer;
    use crate::scan::rules::shipped;

    #[derive(Default)]
    struct Counting(usize);

    impl MatchSink for Counting {
        fn wants(&mut self, _: &Match<'_>) -> bool {
            self.0 += 1;
            false
        }

        fn found(&mut self, _: &Match<'_>, _: String) {}
    }

    fn scanner() -> Scanner {
        let rules = shipped(&["seed"]).unwrap();
        Scanner::new(&Arc::new(Database::compile(&rules).unwrap()), 65_536).unwrap()
    }

    /// Matches told of a request, and what the engine was given for it.
    fn scanned(scanner: &Scanner, head: &str) -> (usize, u64) {
        let (mut sink, before) = (Counting::default(), scanner.engine_bytes());
        scanner.scan_request(PaddedBuffer::new().fill(head.as_bytes()), &mut sink);
        (sink.0, scanner.engine_bytes() - before)
    }

    fn head(path: &str) -> String {
        format!("GET /{path} HTTP/1.1\r\nhost: a.example\r\n\r\n")
    }

    #[test]
    fn a_clean_head_is_scanned_once_and_any_other_byte_makes_it_another() {
        let scanner = scanner();
        let clean = head("status");
        assert!(scanned(&scanner, &clean).1 > 0);
        assert_eq!(scanned(&scanner, &clean), (0, 0));
        for at in 0..clean.len() {
            let mut other = clean.clone().into_bytes();
            other[at] ^= 1;
            let other = String::from_utf8(other).unwrap();
            assert!(scanned(&scanner, &other).1 > 0, "{other}");
        }
    }

    #[test]
    fn a_head_with_a_finding_is_told_of_each_time() {
        let scanner = scanner();
        let leaking = head("?k=AKIAIOSFODNN7EXAMPLE");
        for _ in 0..3 {
            let (told, bytes) = scanned(&scanner, &leaking);
            assert!(told > 0 && bytes > 0);
        }
    }

    #[test]
    fn an_answer_is_no_request() {
        let scanner = scanner();
        let query = head("?k=rm+-rf+/etc");
        assert!(scanned(&scanner, &query).0 > 0);
        let mut sink = Counting::default();
        scanner.scan_answer(PaddedBuffer::new().fill(query.as_bytes()), &mut sink);
        assert_eq!(sink.0, 0);
        assert!(scanned(&scanner, &query).0 > 0);
    }

    #[test]
    fn long_heads_are_not_kept_and_the_memory_is_bounded() {
        let scanner = scanner();
        let long = head(&"x ".repeat(CLEAN_HEAD_MAX_BYTES));
        for _ in 0..2 {
            assert!(scanned(&scanner, &long).1 > 0);
        }
        for number in 0..4 * CLEAN_HEADS_MAX {
            scanned(&scanner, &head(&number.to_string()));
        }
        let kept = scanner.core.clean_requests.take();
        assert_eq!(kept.places.len(), CLEAN_HEADS_MAX);
        assert!(kept.places.iter().all(|place| place.len() <= CLEAN_HEAD_MAX_BYTES));
    }
}
