//! Bytes written as decimal numbers, as in `[115, 107, 45]`: what programs print of a buffer.

use super::Kind;
use super::Run;
use super::judge::{is_text, is_text_byte};
use crate::limits::{ENCODED_BETWEEN_MAX_BYTES, ENCODED_NUMBERS_MIN};
use crate::scan::view::chunk::last_chunk;
use crate::scan::view::lane::{LANE_BYTES, Lane};

/// What a row may have before the block of it that is seen, and some more.
const BEFORE_BLOCK_BYTES: usize = 3 * LANE_BYTES;
/// The digits of a byte's number at most.
const DIGITS_MAX: usize = 3;

/// The row of numbers around the block at `block`, if so many of them in a row say text as the least are. It begins
/// where the text does, not before `from`.
#[inline(never)]
pub(super) fn numbers_around(text: &[u8], block: usize, from: usize) -> Option<Run> {
    if !may_be_bytes(&last_chunk(text, block)) {
        return None;
    }
    let mut at = row_start(text, block, from);
    let mut head = Head::default();
    loop {
        let rest = text.get(at..)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        head.add(at, byte_of(rest.get(..digits)?));
        if head.is_full() {
            return Some(Run { start: head.start, kind: Kind::Numbers });
        }
        let behind = rest.get(digits..)?;
        at += digits;
        match between(behind) {
            Some(len) => at += len,
            // Another row begins behind it, if one does.
            None => {
                head.len = 0;
                at += behind
                    .iter()
                    .take(ENCODED_BETWEEN_MAX_BYTES)
                    .take_while(|byte| is_between(**byte))
                    .count();
            }
        }
        if head.len == 0 && at >= block + LANE_BYTES {
            return None;
        }
    }
}

/// Whether a block of numbers and what stands between them may be one of bytes: most lists are of longer numbers,
/// and an indentation has none.
#[inline]
fn may_be_bytes(block: &[u8; LANE_BYTES]) -> bool {
    let digits = Lane::load(block).within(b'0', 10).mask();
    digits != 0 && digits & digits >> 1 & digits >> 2 & digits >> DIGITS_MAX == 0
}

/// Where the row begins that holds the block, or the first whole number of it that is looked at.
fn row_start(text: &[u8], block: usize, from: usize) -> usize {
    let least = block.saturating_sub(BEFORE_BLOCK_BYTES).max(from);
    let before = text.get(least..block).unwrap_or_default();
    let is_row = |byte: &&u8| byte.is_ascii_digit() || is_between(**byte);
    let start = block - before.iter().rev().take_while(is_row).count();
    let is_cut = start.checked_sub(1).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_digit);
    let rest = text.get(start..).unwrap_or_default();
    let cut = if is_cut { rest.iter().take_while(|byte| byte.is_ascii_digit()).count() } else { 0 };
    let rest = rest.get(cut..).unwrap_or_default();
    start + cut + rest.iter().take_while(|byte| is_between(**byte)).count()
}

/// The byte that digits stand for.
fn byte_of(digits: &[u8]) -> Option<u8> {
    let digits = digits.get(..digits.len().min(DIGITS_MAX + 1))?;
    let value = digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit & 0xF));
    u8::try_from(value).ok()
}

fn is_between(byte: u8) -> bool {
    matches!(byte, b',' | b' ' | b'\t' | b'\n' | b'\r')
}

/// How much stands between a number and the next; none if they are no row.
fn between(rest: &[u8]) -> Option<usize> {
    let near = rest.get(..rest.len().min(ENCODED_BETWEEN_MAX_BYTES))?;
    let len = near.iter().take_while(|byte| is_between(**byte)).count();
    let commas = near.get(..len)?.iter().filter(|byte| **byte == b',').count();
    (len > 0 && commas <= 1).then_some(len)
}

/// What the numbers said last, as far as it is text.
#[derive(Default)]
struct Head {
    start: usize,
    bytes: [u8; ENCODED_NUMBERS_MIN],
    len: usize,
}

impl Head {
    fn add(&mut self, at: usize, byte: Option<u8>) {
        let Some(byte) = byte.filter(|byte| is_text_byte(*byte)) else {
            self.len = 0;
            return;
        };
        if self.is_cut(byte) {
            self.len = 0;
        }
        if self.len == 0 {
            if !begins_character(byte) {
                return;
            }
            self.start = at;
        }
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
        if self.len == ENCODED_NUMBERS_MIN && !is_text(&self.bytes) {
            self.len = 0;
        }
    }

    /// Whether the first character, of more bytes than one, does not go on with this one: another list ended there.
    fn is_cut(&self, byte: u8) -> bool {
        let is_begun = self.len == 1 && self.bytes.first().is_some_and(|first| !first.is_ascii());
        is_begun && !matches!(byte, 0x80..=0xBF)
    }

    fn is_full(&self) -> bool {
        self.len == ENCODED_NUMBERS_MIN
    }
}

/// Whether UTF-8 has a character that begins so.
fn begins_character(byte: u8) -> bool {
    !matches!(byte, 0x80..=0xC1 | 0xF5..)
}

/// Decodes a row of numbers.
#[derive(Debug, Clone)]
pub(super) struct Numbers(Place);

/// What the next byte may go on with.
#[derive(Debug, Clone, Copy)]
enum Place {
    Between { len: usize, has_comma: bool },
    Number(u8),
    Ended,
}

impl Numbers {
    pub(super) fn new() -> Numbers {
        Numbers(Place::Between { len: 0, has_comma: false })
    }

    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            let next = self.step(*byte);
            if let (Place::Number(value), Place::Between { .. } | Place::Ended) = (self.0, next)
                && !byte.is_ascii_digit()
            {
                out.push(value);
            }
            self.0 = next;
            if matches!(next, Place::Ended) {
                return at;
            }
        }
        bytes.len()
    }

    /// The last number, if nothing follows that ends it.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if let Place::Number(value) = std::mem::replace(&mut self.0, Place::Ended) {
            out.push(value);
        }
    }

    fn step(&self, byte: u8) -> Place {
        let digit = byte.wrapping_sub(b'0');
        match self.0 {
            Place::Number(value) if digit < 10 => {
                let value = value.checked_mul(10).and_then(|value| value.checked_add(digit));
                value.map_or(Place::Ended, Place::Number)
            }
            Place::Between { .. } if digit < 10 => Place::Number(digit),
            Place::Number(_) if is_between(byte) => {
                Place::Between { len: 1, has_comma: byte == b',' }
            }
            Place::Between { len, has_comma }
                if is_between(byte)
                    && len < ENCODED_BETWEEN_MAX_BYTES
                    && !(has_comma && byte == b',') =>
            {
                Place::Between { len: len + 1, has_comma: has_comma || byte == b',' }
            }
            _ => Place::Ended,
        }
    }
}
