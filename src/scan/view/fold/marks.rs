//! What the bytes of a chunk are, as far as a trigger may be at them.

use fearless_simd::Simd;

use super::control;
use super::escape::ENTITY_NAME_MAX;
use crate::scan::view::chunk::{CHUNK_BYTES, Chunk, Table, has_wide_tables, table};

/// What the chunk before says about the next.
#[derive(Default)]
pub(super) struct Before {
    /// The first four bits, if a quote is among its last four bytes.
    quotes: u64,
    /// Bits of the first bytes, with which an entity may end that begins in it.
    entities: u64,
}

/// What the bytes of a chunk are, a bit for each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Marks {
    quotes: u64,
    /// Small letters and digits.
    letters: u64,
    ands: u64,
    semicolons: u64,
    /// What an escape begins with or may hide something, but for quotes and entities with a name.
    others: u64,
}

const QUOTE: u8 = 1;
const LETTER: u8 = 1 << 1;
const AND: u8 = 1 << 2;
const SEMICOLON: u8 = 1 << 3;
const PERCENT: u8 = 1 << 4;
const BACKSLASH: u8 = 1 << 5;
const OTHER: u8 = 1 << 6;
/// What follows the percent sign of an escape.
const HEX: u8 = 1 << 7;
static TABLE: Table = table(&[
    b"\"'",
    b"abcdefghijklmnopqrstuvwxyz0123456789",
    b"&",
    b";",
    b"%",
    b"\\",
    &[b'$', control::ESCAPE, 0],
    b"234567uU",
]);

impl Marks {
    #[inline(always)]
    pub(super) fn of<S: Simd>(simd: S, chunk: Chunk<S>, next: Chunk<S>) -> Marks {
        // Line ends and quotes as escapes are everywhere.
        let plain = next.equals(b'n').or(next.equals(b't')).or(next.equals(b'"'));
        let hash = next.equals(b'#');
        if has_wide_tables(simd) {
            let sets = chunk.sets(&TABLE);
            let percents = sets.any_of(PERCENT).and(next.sets(&TABLE).any_of(HEX));
            let escapes = sets.any_of(BACKSLASH).and(plain.not()).or(sets.any_of(AND).and(hash));
            let others = sets.any_of(OTHER).or(chunk.high());
            return Marks {
                quotes: sets.any_of(QUOTE).mask(),
                letters: sets.any_of(LETTER).mask(),
                ands: sets.any_of(AND).mask(),
                semicolons: sets.any_of(SEMICOLON).mask(),
                others: percents.or(escapes).or(others).mask(),
            };
        }
        let ands = chunk.equals(b'&');
        let hex = next.within(b'2', 6).or(next.small().equals(b'u'));
        let percents = chunk.equals(b'%').and(hex);
        let escapes = chunk.equals(b'\\').and(plain.not()).or(ands.and(hash));
        let others = chunk.equals(b'$').or(chunk.equals(control::ESCAPE)).or(chunk.high_or_nul());
        Marks {
            quotes: chunk.equals(b'"').or(chunk.equals(b'\'')).mask(),
            letters: chunk.within(b'a', 26).or(chunk.within(b'0', 10)).mask(),
            ands: ands.mask(),
            semicolons: chunk.equals(b';').mask(),
            others: percents.or(escapes).or(others).mask(),
        }
    }

    /// Where a trigger may be; `before` goes from chunk to chunk.
    #[inline(always)]
    pub(super) fn places(&self, before: &mut Before) -> u64 {
        self.quotes(before) | self.entities(before) | self.others
    }

    /// Quotes close behind another one, between two letters or between another quote and a letter.
    #[inline(always)]
    fn quotes(&self, before: &mut Before) -> u64 {
        let Marks { quotes, letters, .. } = *self;
        let one_or_two = quotes << 1 | quotes << 2;
        let near = one_or_two | one_or_two << 2 | before.quotes;
        before.quotes = if quotes >> 60 == 0 { 0 } else { 0xF };
        let inside_words = (letters << 1 | quotes << 1 | 1) & (letters >> 1 | 1 << 63);
        quotes & near & inside_words
    }

    /// Semicolons with which an entity may end: code is full of the signs that one begins with.
    #[inline(always)]
    fn entities(&self, before: &mut Before) -> u64 {
        const { assert!(ENTITY_NAME_MAX == 8) };
        let starts = u128::from(self.ands);
        // The name and at most seven more bytes are between the two.
        let two = starts << 2 | starts << 3;
        let four = two | two << 2;
        let ends = four | four << 4;
        let near = ends as u64 | before.entities;
        before.entities = (ends >> CHUNK_BYTES) as u64;
        self.semicolons & near
    }
}

#[cfg(test)]
mod tests {
    use fearless_simd::{Level, dispatch};
    use proptest::prelude::*;

    use super::*;
    use crate::scan::view::chunk::level;

    proptest! {
        #[test]
        fn marks_are_the_same_for_every_processor(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'%'), Just(b'&')], 65),
        ) {
            let asked = |level| dispatch!(level, simd => Marks::of(
                simd,
                Chunk::new(simd, bytes.first_chunk().unwrap()),
                Chunk::new(simd, bytes.last_chunk().unwrap()),
            ));
            prop_assert_eq!(asked(level()), asked(Level::baseline()));
        }
    }
}
