//! Text in binary data: the string fields of protobuf, by its wire format or, where that cannot be read, by
//! nothing but being text; and the messages of gRPC and its kin.

mod fields;
mod frames;

pub use fields::{visit_pieces, visit_strings};
pub use frames::{Frame, FrameReader};

use fearless_simd::{Simd, dispatch};

use super::chunk::{CHUNK_BYTES, Chunk, level};

/// The least bytes of a text in binary data.
pub const TEXT_MIN_BYTES: usize = 6;
/// What is held back of a piece: the start of a text, and of a character.
const HELD_MAX_BYTES: usize = TEXT_MIN_BYTES + 3;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text<'a> {
    /// A text, or the next part of the one that goes on.
    Part(&'a [u8]),
    /// The text ended.
    End,
}

/// Finds texts of `TEXT_MIN_BYTES` and more in binary data that comes in pieces: rows of printable
/// ASCII, tabs and line ends, and characters of UTF-8.
#[derive(Debug, Clone, Default)]
pub struct TextRuns {
    held: [u8; HELD_MAX_BYTES],
    held_len: usize,
    /// A text was begun and did not end.
    is_open: bool,
}

impl TextRuns {
    pub fn new() -> Self {
        Self::default()
    }

    /// Visits the texts of these bytes, as far as they can be told.
    pub fn visit_text(&mut self, bytes: &[u8], visit: &mut impl FnMut(Text<'_>)) {
        let mut bytes = bytes;
        // What was held back is seen through byte by byte.
        while self.held_len > 0 {
            let Some((byte, rest)) = bytes.split_first() else { return };
            self.step(*byte, visit);
            bytes = rest;
        }
        let at = self.chunks(bytes, visit);
        for byte in bytes.get(at..).unwrap_or_default() {
            self.step(*byte, visit);
        }
    }

    /// Visits what was held back: no more follows.
    pub fn finish(&mut self, visit: &mut impl FnMut(Text<'_>)) {
        let held = self.held;
        let text = held.get(..self.held_len).unwrap_or_default();
        let whole = whole_chars(text);
        self.held_len = 0;
        if let Some(text) = text
            .get(..whole)
            .filter(|text| !text.is_empty() && (self.is_open || text.len() >= TEXT_MIN_BYTES))
        {
            self.is_open = true;
            visit(Text::Part(text));
        }
        self.close(visit);
    }

    fn close(&mut self, visit: &mut impl FnMut(Text<'_>)) {
        if std::mem::take(&mut self.is_open) {
            visit(Text::End);
        }
    }

    /// Takes one byte into what is held, and gives out what can be told then.
    fn step(&mut self, byte: u8, visit: &mut impl FnMut(Text<'_>)) {
        if let Some(place) = self.held.get_mut(self.held_len) {
            *place = byte;
            self.held_len += 1;
        }
        loop {
            let held = self.held;
            let text = held.get(..self.held_len).unwrap_or_default();
            let whole = whole_chars(text);
            let rest = text.get(whole..).unwrap_or_default();
            let is_cut = !rest.is_empty() && char_len(rest).is_none();
            let is_broken = !rest.is_empty() && !is_cut;
            if whole > 0 && (self.is_open || whole >= TEXT_MIN_BYTES) {
                self.is_open = true;
                visit(Text::Part(text.get(..whole).unwrap_or_default()));
                self.hold(rest);
            } else if is_broken {
                self.hold(rest);
            }
            if !is_broken {
                return;
            }
            self.close(visit);
            let held = self.held;
            let after = held.get(1..self.held_len).unwrap_or_default();
            self.hold(after);
        }
    }

    fn hold(&mut self, rest: &[u8]) {
        self.held_len = self.held.iter_mut().zip(rest).map(|(to, from)| *to = *from).count();
    }

    /// Visits the texts of all whole chunks, and says how far it came; nothing is held before.
    fn chunks(&mut self, bytes: &[u8], visit: &mut impl FnMut(Text<'_>)) -> usize {
        let (chunks, _) = bytes.as_chunks::<CHUNK_BYTES>();
        let level = level();
        let mut at = 0;
        let mut spill = 0;
        // Where the text begins that reaches to the end of the chunk before.
        let mut begun: Option<usize> = self.is_open.then_some(0);
        for chunk in chunks {
            // The characters at its end are seen with the three bytes behind it.
            let Some(behind) = bytes.get(at + CHUNK_BYTES..).and_then(<[u8]>::first_chunk::<3>)
            else {
                break;
            };
            let texts =
                dispatch!(level, simd => text_mask(Chunk::new(simd, chunk), behind, &mut spill));
            begun = self.in_chunk(bytes, at, texts, begun, visit);
            at += CHUNK_BYTES;
        }
        // What goes on behind the last chunk is begun again there, a cut character with it.
        let from = begun.unwrap_or(at);
        if !self.is_open && at - from < TEXT_MIN_BYTES {
            return from;
        }
        let text = bytes.get(from..at).unwrap_or_default();
        let whole = text.len() - cut_bytes(text);
        if let Some(text) = text.get(..whole).filter(|text| !text.is_empty()) {
            self.is_open = true;
            visit(Text::Part(text));
        }
        from + whole
    }

    /// Visits the texts in the chunk at `at`; gives where the one begins that reaches its end.
    #[inline(always)]
    fn in_chunk(
        &mut self,
        bytes: &[u8],
        at: usize,
        texts: u64,
        begun: Option<usize>,
        visit: &mut impl FnMut(Text<'_>),
    ) -> Option<usize> {
        let mut texts = texts;
        if let Some(start) = begun {
            let ones = texts.trailing_ones() as usize;
            if ones == CHUNK_BYTES {
                return Some(start);
            }
            self.text(bytes, start, at + ones, visit);
            texts &= u64::MAX << ones;
        }
        let twice = texts & texts >> 1;
        let mut starts = twice & twice >> 2 & twice >> 4;
        while starts != 0 {
            let first = starts.trailing_zeros();
            let len = (texts >> first).trailing_ones();
            if first + len == CHUNK_BYTES as u32 {
                return Some(at + first as usize);
            }
            self.text(bytes, at + first as usize, at + (first + len) as usize, visit);
            let passed = u64::MAX << (first + len);
            (texts, starts) = (texts & passed, starts & passed);
        }
        let tail = texts.leading_ones() as usize;
        (tail > 0).then_some(at + CHUNK_BYTES - tail)
    }

    /// Visits the text from `start` to `end`, if it is one, and its end.
    fn text(&mut self, bytes: &[u8], start: usize, end: usize, visit: &mut impl FnMut(Text<'_>)) {
        let text = bytes.get(start..end).unwrap_or_default();
        if !text.is_empty() && (self.is_open || text.len() >= TEXT_MIN_BYTES) {
            self.is_open = true;
            visit(Text::Part(text));
        }
        self.close(visit);
    }
}

/// One bit for each byte of a chunk that is of a text. `spill` has the first bytes of the next chunk
/// that belong to this one's last character.
#[inline(always)]
fn text_mask(chunk: Chunk<impl Simd>, behind: &[u8; 3], spill: &mut u64) -> u64 {
    let ascii = chunk.within(b' ', 95).or(chunk.within(b'\t', 2)).or(chunk.equals(b'\r'));
    let mut texts = ascii.mask() | std::mem::take(spill);
    if chunk.high().mask() == 0 {
        return texts;
    }
    let tails = u128::from(chunk.within(0x80, 0x40).mask())
        | behind
            .iter()
            .zip(CHUNK_BYTES..)
            .fold(0, |mask, (byte, at)| mask | u128::from(byte & 0xC0 == 0x80) << at);
    let (one, two, three) = ((tails >> 1) as u64, (tails >> 2) as u64, (tails >> 3) as u64);
    let twos = chunk.within(0xC2, 30).mask() & one;
    let threes = chunk.within(0xE0, 16).mask() & one & two;
    let fours = chunk.within(0xF0, 5).mask() & one & two & three;
    let all = u128::from(twos | threes | fours);
    let third = u128::from(threes | fours) << 2;
    let chars = all | all << 1 | third | u128::from(fours) << 3;
    texts |= chars as u64;
    *spill = (chars >> CHUNK_BYTES) as u64;
    texts
}

/// The length of the character that `text` begins with: 0, if that is none of a text; none, if it is cut.
fn char_len(text: &[u8]) -> Option<usize> {
    let (first, rest) = text.split_first()?;
    let tails = match first {
        b' '..=b'~' | b'\t' | b'\n' | b'\r' => return Some(1),
        0xC2..=0xDF => 1,
        0xE0..=0xEF => 2,
        0xF0..=0xF4 => 3,
        _ => return Some(0),
    };
    let present = rest.iter().take(tails).take_while(|byte| **byte & 0xC0 == 0x80).count();
    if present == tails { Some(tails + 1) } else { (present < rest.len()).then_some(0) }
}

/// How many bytes of a text are of a character that its end cuts.
fn cut_bytes(text: &[u8]) -> usize {
    let ends = |len: &usize| {
        let last = text.len().checked_sub(*len).and_then(|at| text.get(at..));
        last.is_some_and(|last| char_len(last).is_none() && !last.is_empty())
    };
    (1..=3).find(ends).unwrap_or(0)
}

/// How many bytes of whole characters `text` begins with.
fn whole_chars(text: &[u8]) -> usize {
    let mut len = 0;
    while let Some(more @ 1..) = char_len(text.get(len..).unwrap_or_default()) {
        len += more;
    }
    len
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut runs, mut found, mut open) = (TextRuns::new(), Vec::new(), Vec::new());
        let mut visit = |text: Text<'_>| match text {
            Text::Part(part) => open.extend_from_slice(part),
            Text::End => found.push(std::mem::take(&mut open)),
        };
        pieces.iter().for_each(|piece| runs.visit_text(piece, &mut visit));
        runs.finish(&mut visit);
        assert!(open.is_empty());
        found
    }

    /// The texts, read character by character.
    fn plain_texts(bytes: &[u8]) -> Vec<Vec<u8>> {
        let (mut found, mut open, mut at) = (Vec::new(), Vec::new(), 0);
        while at < bytes.len() {
            match char_len(&bytes[at..]) {
                Some(len @ 1..) => {
                    open.extend_from_slice(&bytes[at..at + len]);
                    at += len;
                }
                _ => {
                    found.push(std::mem::take(&mut open));
                    at += 1;
                }
            }
        }
        found.push(open);
        found.retain(|text| text.len() >= TEXT_MIN_BYTES);
        found
    }

    #[test]
    fn string_fields_are_found() {
        let message = b"\x0A\x16curl http://evil.test/\x10\x96\x01\x1A\x04four\x22\x0C\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xBD\xA0\xE5\xA5\xBD\0";
        let found = texts(&[message]);
        assert_eq!(found[0], b"curl http://evil.test/");
        assert_eq!(found[1], "你好你好".as_bytes());
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_text_of_the_least_length_is_found_and_a_shorter_one_not() {
        assert_eq!(texts(&[b"\0abcdef\0abcde\0"]), [b"abcdef".to_vec()]);
    }

    fn binary() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "[a-z ]{0,90}".prop_map(String::into_bytes),
            "\\PC{0,40}".prop_map(String::into_bytes),
            Just(b"\xE4\xBD".to_vec()),
            Just(vec![0; 61]),
        ];
        proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn texts_are_those_of_a_plain_reading_however_the_bytes_are_cut(
            bytes in binary(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let expected = plain_texts(&bytes);
            prop_assert_eq!(&texts(&[&bytes]), &expected);
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            ends.sort_unstable();
            ends.push(bytes.len());
            let mut pieces = Vec::new();
            let mut from = 0;
            for end in ends {
                pieces.push(&bytes[from..end]);
                from = end;
            }
            prop_assert_eq!(&texts(&pieces), &expected);
        }
    }
}
