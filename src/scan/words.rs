//! The long words of a text, with what stands around them, copied together: all that the rules of tokens need to
//! see. A tenth of clean text is near a long word, so most of the rules cost a tenth of what they would.

use std::ops::Range;

use super::history::History;
use super::padded::{Padded, PaddedBuffer};
use super::rules::is_of_word;
use super::view::words::{is_long, next_word, word_end};
use crate::limits::{
    LONG_WORD_BEFORE_BYTES, LONG_WORD_BEHIND_BYTES, LONG_WORD_FILTER_MAX_BYTES,
    SCAN_BUFFER_KEPT_BYTES,
};

/// What is copied before and behind a long word: one byte more than a match may hold, for its conditions.
const BEFORE_BYTES: usize = LONG_WORD_BEFORE_BYTES + 1;
const BEHIND_BYTES: usize = LONG_WORD_BEHIND_BYTES + 1;

/// Stands between two stretches.
const BETWEEN: u8 = b'\n';
/// Stands behind the last stretch while more may follow, so that nothing seems to end there.
const MORE: u8 = b'A';

/// Stretches of a text around its long words, one behind the other.
#[derive(Default)]
pub(super) struct Stretches {
    bytes: PaddedBuffer,
    places: Vec<Place>,
}

/// Where a stretch stands.
#[derive(Clone, Copy)]
struct Place {
    /// In the copy.
    at: usize,
    len: usize,
    /// In the stream.
    offset: u64,
}

impl Stretches {
    /// Copies the stretches of what is new in a stream, and of what new bytes may complete.
    pub(super) fn gather(&mut self, history: &History<'_>) {
        self.bytes.begin();
        self.places.clear();
        let mut open: Option<Range<u64>> = None;
        each_word(history, |word| {
            let start = word.start.saturating_sub(BEFORE_BYTES as u64).max(history.first());
            let end = word.end.saturating_add(BEHIND_BYTES as u64).min(history.last());
            match &mut open {
                Some(stretch) if start <= stretch.end => stretch.end = stretch.end.max(end),
                _ => {
                    if let Some(stretch) = open.replace(start..end) {
                        self.copy(history, stretch);
                    }
                }
            }
        });
        if let Some(stretch) = open {
            let goes_on = stretch.end == history.last() && history.end.is_ahead();
            self.copy(history, stretch);
            if goes_on {
                self.bytes.extend(&[MORE]);
            }
        }
    }

    fn copy(&mut self, history: &History<'_>, stretch: Range<u64>) {
        if !self.places.is_empty() {
            self.bytes.extend(&[BETWEEN]);
        }
        let at = self.bytes.written().len();
        let (old, new) = history.parts(stretch.clone());
        self.bytes.extend(old);
        self.bytes.extend(new);
        let len = self.bytes.written().len() - at;
        self.places.push(Place { at, len, offset: stretch.start });
    }

    /// Whether the text has no long word.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What was copied, for the engine, and where it stands.
    pub(super) fn parts(&mut self) -> (Padded<'_>, Places<'_>) {
        (self.bytes.padded(), Places(&self.places))
    }

    /// Gives back what a text with much to copy took.
    pub(super) fn shrink(&mut self) {
        if self.bytes.capacity() > SCAN_BUFFER_KEPT_BYTES {
            *self = Stretches::default();
        }
    }
}

/// Where the stretches stand.
#[derive(Clone, Copy)]
pub(super) struct Places<'a>(&'a [Place]);

impl Places<'_> {
    /// Where in the stream a match ends that ends at `end` in the copy; none if that is in no stretch.
    pub(super) fn offset(self, end: u64) -> Option<u64> {
        let end = usize::try_from(end).ok()?;
        let behind = self.0.partition_point(|place| place.at < end);
        let place = self.0.get(behind.checked_sub(1)?)?;
        let within = end - place.at;
        (within <= place.len).then(|| place.offset.saturating_add(within as u64))
    }
}

/// Tells each long word that is new, or that new bytes stand near to, in order.
fn each_word(history: &History<'_>, mut tell: impl FnMut(Range<u64>)) {
    let window = history.window;
    let known = history.tail.len().saturating_sub(LONG_WORD_FILTER_MAX_BYTES);
    let tail = history.tail.get(known..).unwrap_or_default();
    let row = |bytes: &[u8]| bytes.iter().rev().take_while(|byte| is_of_word(**byte)).count();
    let near = tail.len().saturating_sub(BEHIND_BYTES);
    let mut from = near - row(tail.get(..near).unwrap_or_default());
    let tail_start = history.offset.saturating_sub(tail.len() as u64);
    while let Some(word) = next_word(tail, from).filter(|word| word.end < tail.len()) {
        from = word.end;
        if word.end > near {
            tell(tail_start + word.start as u64..tail_start + word.end as u64);
        }
    }
    let mut from = 0;
    let before = row(tail);
    if before > 0 {
        from = word_end(window, 0);
        let [start, rest] = [tail.get(tail.len() - before..), window.get(..from)];
        if is_long(start.unwrap_or_default(), rest.unwrap_or_default()) {
            tell(history.offset - before as u64..history.offset + from as u64);
        }
    }
    while let Some(word) = next_word(window, from) {
        from = word.end;
        tell(history.offset + word.start as u64..history.offset + word.end as u64);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::stream::End;
    use super::*;
    use crate::limits::{LONG_WORD_MIN_BYTES, LONG_WORD_MIN_LETTERS};

    /// The long words, byte by byte.
    fn words(text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let len = text[at..].iter().take_while(|byte| is_of_word(**byte)).count();
            if len >= LONG_WORD_MIN_LETTERS {
                found.push(at..at + len);
            }
            at += len.max(1);
        }
        found
    }

    /// What the stretches of a window say, with the offset of each.
    fn gathered(tail: &[u8], window: &[u8], end: End) -> Vec<(u64, Vec<u8>)> {
        let mut stretches = Stretches::default();
        stretches.gather(&History { tail, window, offset: 10_000, end, is_of_calls: false });
        let (bytes, places) = stretches.parts();
        let part = |place: &Place| bytes.bytes()[place.at..place.at + place.len].to_vec();
        places.0.iter().map(|place| (place.offset, part(place))).collect()
    }

    #[test]
    fn every_byte_is_of_words_or_not_for_both_who_ask() {
        for byte in 0..=u8::MAX {
            let row = [byte; LONG_WORD_MIN_BYTES];
            assert_eq!(next_word(&row, 0).is_some(), is_of_word(byte), "{byte}");
        }
    }

    #[test]
    fn a_stretch_is_a_word_with_what_stands_around_it() {
        let word = b"x".repeat(LONG_WORD_MIN_LETTERS);
        let apart = b" ".repeat(BEFORE_BYTES + BEHIND_BYTES + 1);
        let text = [&apart[..], &word, &apart, &word, &apart[1..], &word].concat();
        let (before, behind) = (&apart[..BEFORE_BYTES], &apart[..BEHIND_BYTES]);
        let first = apart.len() - BEFORE_BYTES;
        let second = apart.len() + word.len() + first;
        assert_eq!(
            gathered(b"", &text, End::Here),
            [
                (10_000 + first as u64, [before, &word, behind].concat()),
                (10_000 + second as u64, [before, &word, &apart[1..], &word].concat()),
            ]
        );
    }

    #[test]
    fn what_new_bytes_may_complete_is_looked_at_again() {
        let word = b"y".repeat(LONG_WORD_MIN_LETTERS);
        // A word before, with enough behind it or not.
        let passed = [&word[..], &b" ".repeat(BEHIND_BYTES)].concat();
        assert_eq!(gathered(&passed, b"z", End::Open), []);
        let near = [&word[..], &b" ".repeat(BEHIND_BYTES - 1)].concat();
        let start = 10_000 - near.len() as u64;
        assert_eq!(gathered(&near, b"z", End::Open), [(start, [&near[..], b"z"].concat())]);
        // One that the window completes, and one that it only ends.
        let (left, right) = word.split_at(3);
        assert_eq!(gathered(left, right, End::Open), [(9_997, word.clone())]);
        assert_eq!(gathered(&word, b"", End::Here), [(10_000 - word.len() as u64, word.clone())]);
        assert_eq!(gathered(left, &right[1..], End::Here), []);
    }

    #[test]
    fn nothing_ends_where_more_may_follow() {
        let word = b"z".repeat(LONG_WORD_MIN_LETTERS);
        let mut stretches = Stretches::default();
        for (end, last) in [(End::Open, Some(&MORE)), (End::Here, Some(&b'z'))] {
            stretches.gather(&History {
                tail: b"",
                window: &word,
                offset: 0,
                end,
                is_of_calls: false,
            });
            let (bytes, places) = stretches.parts();
            assert_eq!(bytes.bytes().last(), last);
            assert_eq!(places.offset(word.len() as u64), Some(word.len() as u64));
            assert_eq!(places.offset(word.len() as u64 + 1), None);
            assert_eq!(places.offset(0), None);
        }
    }

    proptest! {
        #[test]
        fn a_piecewise_text_shows_every_long_word_whole(
            text in proptest::collection::vec(
                prop_oneof![20 => Just(b'a'), 1 => Just(b' ')], 0..300),
            split in 0_usize..300,
        ) {
            let (left, right) = text.split_at(split.min(text.len()));
            let stretches = [gathered(b"", left, End::Open), gathered(left, right, End::Here)];
            let start = 10_000 - left.len() as u64;
            for word in words(&text) {
                let is_shown = stretches.iter().zip([10_000, start]).any(|(found, base)| {
                    found.iter().any(|(offset, bytes)| {
                        let end = offset + bytes.len() as u64;
                        *offset <= base + word.start as u64 && base + word.end as u64 <= end
                    })
                });
                prop_assert!(is_shown, "{word:?}");
            }
        }
    }
}
