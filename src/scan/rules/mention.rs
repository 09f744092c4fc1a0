//! Lines that speak about such words rather than saying them to a model. In a flood of matches the same line is
//! asked for again and again: what was found in it is remembered.

use std::ops::Range;

use memchr::{memchr2_iter, memmem};

use super::holds;
use super::validate::Evidence;

const WORDS: [&[u8]; 18] = [
    b"prompt injection",
    b"prompt-injection",
    b"jailbreak",
    b"for example",
    b"e.g.",
    b"such as",
    b"phrases",
    b"attacker",
    b"an attack",
    b"malicious",
    b"adversarial",
    b"red team",
    b"owasp",
    b"classifier",
    b"detects",
    b"detection",
    b"guardrail",
    b"known pattern",
];

/// The length of the longest of them.
const WORD_MAX_BYTES: usize = 16;

/// Which of the words a text has: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MentionWords(u32);

impl MentionWords {
    fn of(text: &[u8]) -> MentionWords {
        let bits = WORDS.iter().zip(0..).filter(|(word, _)| holds(text, word));
        MentionWords(bits.fold(0, |bits, (_, bit)| bits | 1 << bit))
    }
}

/// Whether the line has one of the words, other than in the match itself.
pub(super) fn is_mention(evidence: &Evidence<'_>) -> bool {
    let MentionWords(bits) = evidence.mentions.unwrap_or_else(|| MentionWords::of(evidence.line));
    let has = |bit: u32| bits >> bit & 1 == 1;
    let is_said = bits != 0
        && WORDS.iter().zip(0..).any(|(word, bit)| has(bit) && !holds(evidence.matched, word));
    is_said || is_forbidden(evidence)
}

/// Whether the line forbids what the match asks for: right in front of it stands a no.
fn is_forbidden(evidence: &Evidence<'_>) -> bool {
    const NOES: [&[u8]; 3] = [b"never", b"not", b"n't"];
    let matched = evidence.matched.trim_ascii();
    let Some(at) = memmem::find(evidence.line, matched) else { return false };
    let before = evidence.line.get(..at).unwrap_or_default().trim_ascii_end();
    NOES.iter().any(|no| {
        let end = before.len().checked_sub(no.len()).and_then(|start| before.get(start..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(no))
    })
}

/// What was seen of a stream on the way from one line to the next.
#[derive(Debug, Default)]
pub(in crate::scan) struct Mentions {
    /// Where in the stream each of the words was looked for.
    seen: Range<u64>,
    /// Where each was seen last there.
    last: [Option<u64>; WORDS.len()],
}

impl Mentions {
    /// Another stream, or another window, comes next.
    pub(in crate::scan) fn forget(&mut self) {
        *self = Mentions::default();
    }

    /// The words in a line, of which what is looked at begins at `at` in the stream.
    pub(in crate::scan) fn in_line(&mut self, line: &[u8], at: u64) -> MentionWords {
        let end = at.saturating_add(line.len() as u64);
        if at < self.seen.start || at > self.seen.end {
            self.seen = at..at;
            self.last = Default::default();
        }
        self.look(line, at);
        if end < self.seen.end {
            // What is known is of more than this line.
            return self.of_shorter(line, at);
        }
        let is_within = |last: &Option<u64>| last.is_some_and(|last| last >= at);
        let bits = self.last.iter().zip(0..).filter(|(last, _)| is_within(last));
        MentionWords(bits.fold(0, |bits, (_, bit)| bits | 1 << bit))
    }

    /// Looks for the words in what is new of a line.
    fn look(&mut self, line: &[u8], at: u64) {
        let end = at.saturating_add(line.len() as u64);
        if end <= self.seen.end {
            return;
        }
        // A word that ends in what is new may begin before it.
        let from = self.seen.end.saturating_sub(WORD_MAX_BYTES as u64 - 1);
        if from < at {
            // One that begins before the line, and ends in it, was not looked for.
            self.seen.start = at;
        }
        let from = from.max(at);
        let skipped = usize::try_from(from - at).unwrap_or(usize::MAX);
        let text = line.get(skipped..).unwrap_or_default();
        for (word, last) in WORDS.iter().zip(&mut self.last) {
            let (Some(first), len) = (word.first(), word.len()) else { continue };
            let is_here = |at: &usize| {
                let part = text.get(*at..).and_then(|rest| rest.get(..len));
                part.is_some_and(|part| part.eq_ignore_ascii_case(word))
            };
            let mut found = memchr2_iter(*first, first.to_ascii_uppercase(), text).filter(is_here);
            *last = found.next_back().map(|place| from.saturating_add(place as u64)).or(*last);
        }
        self.seen.end = end;
    }

    /// The words of a line that ends before what was seen: those last seen within it, and those that have to be
    /// looked for.
    fn of_shorter(&self, line: &[u8], at: u64) -> MentionWords {
        let end = at.saturating_add(line.len() as u64);
        let has = |word: &[u8], last: Option<u64>| match last {
            None => false,
            Some(last) if last < at => false,
            Some(last) if last.saturating_add(word.len() as u64) <= end => true,
            Some(_) => holds(line, word),
        };
        let bits = WORDS.iter().zip(&self.last).zip(0..);
        let bits = bits.filter(|((word, last), _)| has(word, **last));
        MentionWords(bits.fold(0, |bits, (_, bit)| bits | 1 << bit))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_word_is_as_long_as_is_said() {
        assert_eq!(WORDS.iter().map(|word| word.len()).max(), Some(WORD_MAX_BYTES));
        assert!(WORDS.iter().all(|word| word.first().is_some_and(u8::is_ascii_lowercase)));
    }

    proptest! {
        #[test]
        fn what_is_remembered_of_lines_is_what_is_in_them(
            parts in proptest::collection::vec(
                prop_oneof![
                    proptest::sample::select(&WORDS[..]).prop_map(<[u8]>::to_vec),
                    "[a-zA-Z .]{0,30}".prop_map(String::into_bytes),
                    Just(b"JailBreak".to_vec()),
                ],
                0..12,
            ),
            lines in proptest::collection::vec(
                (any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..20,
            ),
        ) {
            let text = parts.concat();
            let mut mentions = Mentions::default();
            for (one, other) in lines {
                let (one, other) = (one.index(text.len() + 1), other.index(text.len() + 1));
                let line = &text[one.min(other)..one.max(other)];
                let found = mentions.in_line(line, 1000 + one.min(other) as u64);
                prop_assert_eq!(found, MentionWords::of(line));
            }
        }
    }
}
