//! Long words in running text. A word is a row of letters, digits and the other signs of base64; it is long by its
//! length, or by so many letters and digits in a row.

use std::ops::Range;

use fearless_simd::{Simd, dispatch};

use super::chunk::{Answers, CHUNK_BYTES, Chunk, Table, has_wide_tables, last_chunk, level, table};
use super::encoded::is_base64;
use crate::limits::{LONG_WORD_MIN_BYTES, LONG_WORD_MIN_LETTERS};

/// The next long word from `from` on, at which no word goes on.
pub fn next_word(text: &[u8], from: usize) -> Option<Range<usize>> {
    dispatch!(level(), simd => next_word_by(simd, text, from))
}

#[inline(always)]
fn next_word_by(simd: impl Simd, text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    let mut own = Signs::at(simd, text, at);
    while at < text.len() {
        let next = Signs::at(simd, text, at + CHUNK_BYTES);
        let mut rows = long_rows::<LONG_WORD_MIN_LETTERS>(own.letters, next.letters);
        if has_full_group(own.all) || has_full_group(next.all) {
            rows |= long_rows::<LONG_WORD_MIN_BYTES>(own.all, next.all);
        }
        if rows != 0 {
            let row = at + rows.trailing_zeros() as usize;
            return Some(word_start(text, from, row)..word_end_by(simd, text, row + 1));
        }
        own = next;
        at += CHUNK_BYTES;
    }
    None
}

/// Which of 64 bytes are signs of words; none behind the end.
#[derive(Clone, Copy)]
struct Signs {
    letters: u64,
    all: u64,
}

impl Signs {
    #[inline(always)]
    fn at(simd: impl Simd, text: &[u8], at: usize) -> Signs {
        match text.get(at..).and_then(<[u8]>::first_chunk) {
            Some(chunk) => Signs::of(simd, Chunk::new(simd, chunk)),
            None if at < text.len() => Signs::of(simd, Chunk::new(simd, &last_chunk(text, at))),
            None => Signs { letters: 0, all: 0 },
        }
    }

    #[inline(always)]
    fn of<S: Simd>(simd: S, chunk: Chunk<S>) -> Signs {
        if has_wide_tables(simd) {
            let sets = chunk.sets(&TABLE);
            let letters = sets.any_of(LETTERS).mask();
            return Signs { letters, all: sets.any_of(LETTERS | OTHER_SIGNS).mask() };
        }
        let letters = letters(chunk);
        Signs { letters: letters.mask(), all: letters.or(other_signs(chunk)).mask() }
    }
}

const LETTERS: u8 = 1;
const OTHER_SIGNS: u8 = 2;
static TABLE: Table =
    table(&[b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", b"+/-_="]);

#[inline(always)]
fn letters<S: Simd>(chunk: Chunk<S>) -> Answers<S> {
    chunk.small().within(b'a', 26).or(chunk.within(b'0', 10))
}

/// The signs of words that are neither letters nor digits.
#[inline(always)]
fn other_signs<S: Simd>(chunk: Chunk<S>) -> Answers<S> {
    // With this bit set, the plus is a slash.
    let plus_or_slash = chunk.with_bits(0b100).equals(b'/').or(chunk.equals(b'-'));
    plus_or_slash.or(chunk.equals(b'_')).or(chunk.equals(b'='))
}

/// Where rows of `MIN` bits begin, among the first 64.
#[inline(always)]
fn long_rows<const MIN: usize>(own: u64, next: u64) -> u64 {
    const { assert!(MIN > 1 && MIN <= CHUNK_BYTES) };
    let mut rows = own;
    let mut len = 1;
    while 2 * len < MIN {
        rows &= rows >> len;
        len *= 2;
    }
    rows &= rows >> (MIN - len);
    // A row at the end may go on.
    let last = own.leading_ones();
    let is_cut = last > 0 && (last + next.trailing_ones()) as usize >= MIN;
    rows | u64::from(is_cut) << (u64::BITS - last.max(1))
}

/// Whether one of the four groups of sixteen bits is full, as one is within every row of 31.
#[inline(always)]
fn has_full_group(signs: u64) -> bool {
    const { assert!(LONG_WORD_MIN_BYTES >= 31) };
    const LOWEST: u64 = 0x0001_0001_0001_0001;
    (!signs).wrapping_sub(LOWEST) & signs & LOWEST << 15 != 0
}

fn is_sign(byte: u8) -> bool {
    is_base64(byte) || byte == b'='
}

/// Where the word begins that the byte at `at` is of, from `from` on.
fn word_start(text: &[u8], from: usize, at: usize) -> usize {
    let before = text.get(from..at).unwrap_or_default();
    at - before.iter().rev().take_while(|byte| is_sign(**byte)).count()
}

/// Where the word ends that the byte at `from` is of, or would be.
pub fn word_end(text: &[u8], from: usize) -> usize {
    dispatch!(level(), simd => word_end_by(simd, text, from))
}

#[inline(always)]
fn word_end_by(simd: impl Simd, text: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < text.len() {
        let others = !Signs::at(simd, text, at).all;
        if others != 0 {
            return text.len().min(at + others.trailing_zeros() as usize);
        }
        at += CHUNK_BYTES;
    }
    text.len()
}

/// Whether a word that stands in two parts is long.
pub fn is_long(start: &[u8], rest: &[u8]) -> bool {
    let mut letters = 0;
    start.len() + rest.len() >= LONG_WORD_MIN_BYTES
        || start.iter().chain(rest).any(|byte| {
            letters = if byte.is_ascii_alphanumeric() { letters + 1 } else { 0 };
            letters >= LONG_WORD_MIN_LETTERS
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The long words, byte by byte.
    fn words(text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let len = text[at..].iter().take_while(|byte| is_sign(**byte)).count();
            let word = &text[at..at + len];
            let mut rows = word.split(|byte| !byte.is_ascii_alphanumeric());
            if len >= LONG_WORD_MIN_BYTES || rows.any(|row| row.len() >= LONG_WORD_MIN_LETTERS) {
                found.push(at..at + len);
            }
            at += len.max(1);
        }
        found
    }

    fn found(text: &[u8]) -> Vec<Range<usize>> {
        let mut from = 0;
        std::iter::from_fn(|| {
            let word = next_word(text, from)?;
            from = word.end;
            Some(word)
        })
        .collect()
    }

    #[test]
    fn a_word_is_long_from_each_bound_on() {
        let of_signs = b"a-".repeat(LONG_WORD_MIN_BYTES);
        let of_letters = [&b"a-"[..], &b"a".repeat(LONG_WORD_MIN_LETTERS)].concat();
        let [short_of_signs, short_of_letters] =
            [&of_signs[..LONG_WORD_MIN_BYTES - 1], &of_letters[..of_letters.len() - 1]];
        for (word, is_long) in [
            (&of_signs[..LONG_WORD_MIN_BYTES], true),
            (&of_letters[..], true),
            (short_of_signs, false),
            (short_of_letters, false),
        ] {
            for before in 0..130 {
                let text = [b" ".repeat(before), word.to_vec(), b" b".to_vec()].concat();
                let range = before..before + word.len();
                let expected: Vec<_> = is_long.then_some(range.clone()).into_iter().collect();
                assert_eq!(found(&text), expected, "{before}");
                assert_eq!(found(&text[..range.end]), expected, "{before}");
                for split in 0..=word.len() {
                    assert_eq!(super::is_long(&word[..split], &word[split..]), is_long);
                }
            }
        }
    }

    #[test]
    fn every_byte_is_of_words_or_not_for_all_who_ask() {
        for byte in 0..=u8::MAX {
            let row = [byte; CHUNK_BYTES];
            assert_eq!(found(&row).len(), usize::from(is_sign(byte)), "{byte}");
            assert_eq!(word_end(&row, 0), if is_sign(byte) { row.len() } else { 0 }, "{byte}");
        }
    }

    proptest! {
        #[test]
        fn signs_are_the_same_for_every_processor(block in proptest::array::uniform32(any::<u8>())) {
            let asked = |level| dispatch!(level, simd => {
                let signs = Signs::at(simd, &block, 0);
                (signs.letters, signs.all)
            });
            prop_assert_eq!(asked(level()), asked(fearless_simd::Level::baseline()));
        }

        #[test]
        fn the_long_words_of_any_text_are_found(
            text in proptest::collection::vec(
                prop_oneof![
                    16 => Just(b'a'), 2 => Just(b'_'), 1 => Just(b' '), 1 => any::<u8>()
                ],
                0..600,
            ),
        ) {
            prop_assert_eq!(found(&text), words(&text));
        }
    }
}
