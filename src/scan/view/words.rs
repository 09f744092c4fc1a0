//! Long words in running text: rows of letters, digits and the other signs of base64.

use std::ops::Range;

use multiversion::multiversion;

use super::encoded::base64_digits;
use super::lane::{CHUNK_BYTES, Chunk, Lane, last_chunk};
use crate::limits::LONG_WORD_MIN_BYTES;

/// The next long word from `from` on.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub fn next_word(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    let mut own = signs(text, at);
    while at < text.len() {
        let next = signs(text, at + CHUNK_BYTES);
        let start = first_long(u128::from(own) | u128::from(next) << CHUNK_BYTES);
        if start < CHUNK_BYTES {
            let start = at + start;
            return Some(start..word_end(text, start + LONG_WORD_MIN_BYTES));
        }
        own = next;
        at += CHUNK_BYTES;
    }
    None
}

/// Where a row of so many bits begins as a long word has bytes; 64 or more, if not among the first 64.
#[inline(always)]
fn first_long(signs: u128) -> usize {
    const { assert!(LONG_WORD_MIN_BYTES > 16 && LONG_WORD_MIN_BYTES <= 32) };
    let two = signs & signs >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    let sixteen = eight & eight >> 8;
    let long = sixteen & sixteen >> (LONG_WORD_MIN_BYTES - 16);
    (long as u64).trailing_zeros() as usize
}

/// Where the word ends that the byte at `from` is of, or would be.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub fn word_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < text.len() {
        let others = !signs(text, at);
        if others != 0 {
            return text.len().min(at + others.trailing_zeros() as usize);
        }
        at += CHUNK_BYTES;
    }
    text.len()
}

/// Which of the 64 bytes at `at` are of words; none behind the end.
#[inline(always)]
fn signs(text: &[u8], at: usize) -> u64 {
    let of_word = |lane: Lane| base64_digits(lane).or(lane.equals(b'='));
    match text.get(at..).and_then(<[u8]>::first_chunk) {
        Some(chunk) => Chunk::new(chunk).mask(of_word),
        None if at < text.len() => Chunk::new(&last_chunk(text, at)).mask(of_word),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_sign(byte: u8) -> bool {
        byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte)
    }

    /// The long words, byte by byte.
    fn words(text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let len = text[at..].iter().take_while(|byte| is_sign(**byte)).count();
            if len >= LONG_WORD_MIN_BYTES {
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
    fn a_word_is_long_from_the_bound_on() {
        for (len, is_long) in [(LONG_WORD_MIN_BYTES - 1, false), (LONG_WORD_MIN_BYTES, true)] {
            for before in 0..130 {
                let text = [b" ".repeat(before), b"a".repeat(len), b" b".to_vec()].concat();
                let word = is_long.then_some(before..before + len);
                assert_eq!(found(&text), word.clone().into_iter().collect::<Vec<_>>(), "{before}");
                let cut = found(&text[..before + len]);
                assert_eq!(cut, word.into_iter().collect::<Vec<_>>(), "{before}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_long_words_of_any_text_are_found(
            text in proptest::collection::vec(
                prop_oneof![8 => Just(b'a'), 1 => Just(b' '), 1 => any::<u8>()], 0..400),
        ) {
            prop_assert_eq!(found(&text), words(&text));
        }
    }
}
