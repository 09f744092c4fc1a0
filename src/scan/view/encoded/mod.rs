//! Base64, base32 and hex inside running text: found, judged, decoded as they stream by.
//!
//! `next_run` steps over the text in blocks of 16 bytes: every run of 31 digits holds a whole one.
//! `run_around` is for a place of which something else says that there is encoded text.

mod alphabet;
mod around;
mod decoder;
mod gates;
mod judge;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub use around::run_around;
pub use decoder::RunDecoder;
pub use gates::{
    ANCHORS, base64_gates, base64_url_gates, base64_utf16_gates, gates, hex_gates, utf16_gates,
};

use self::alphabet::{HEX, NO_DIGIT, base64_digits, is_base64, line_break, value};
use self::judge::{is_text, judge};
use super::lane::{CHUNK_BYTES, Chunk, LANE_BYTES, Lane, last_chunk};
use crate::limits::ENCODED_LOOK_AGAIN_BYTES;

/// How a run is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Base64,
    Base32,
    Hex,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base32 => "base32",
            Self::Hex => "hex",
        }
    }
}

/// An encoded text: where its first digit stands, and its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub start: usize,
    pub kind: Kind,
}

/// What a digit with its separator takes at most: `0x63, `.
const SEPARATED_BYTES: usize = 6;
/// Separated bytes that must be text before a row of them is worth decoding.
const SEPARATED_MIN: usize = 12;
/// What a run of digits may have before the first whole block of it.
const BEFORE_BLOCK_BYTES: usize = 2 * LANE_BYTES;

/// The next run from `from` on that is worth decoding. Runs of 31 digits and more are always looked at,
/// shorter ones if they hold a whole block of 16.
pub fn next_run(text: &[u8], from: usize) -> Option<Run> {
    let mut at = from - from % LANE_BYTES;
    // A run that is rejected ends here.
    let mut passed = from;
    while let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<CHUNK_BYTES>) {
        let (run, end) = in_chunk(text, at, Chunk::new(chunk), passed);
        if run.is_some() {
            return run;
        }
        passed = passed.max(end);
        at = (at + CHUNK_BYTES).max(end - end % LANE_BYTES);
    }
    if at >= text.len() {
        return None;
    }
    in_chunk(text, at, Chunk::new(&last_chunk(text, at)), passed).0
}

/// The run that begins in the chunk at `at`, not before `from`, or up to where there is none.
#[inline(always)]
fn in_chunk(text: &[u8], at: usize, chunk: Chunk<'_>, from: usize) -> (Option<Run>, usize) {
    const EVERY_BLOCK: u64 = 0x0001_0001_0001_0001;
    // Blanks and most signs are below the plus, other scripts above: blocks without them are few.
    let missing = !chunk.mask(|lane| lane.within(b'+', 0x80 - b'+'));
    let whole = missing.wrapping_sub(EVERY_BLOCK) & !missing & EVERY_BLOCK << 15;
    let crosses = chunk.mask(|lane| lane.equals(b'x'));
    let listed = crosses & (crosses >> 5 & crosses >> 10 | crosses >> 6 & crosses >> 12);
    let rows = rows_of_three(text, at);
    if whole | listed | rows == 0 {
        return (None, 0);
    }
    in_candidates(text, at, from, whole, rows | listed)
}

/// Where each third byte is the same five times over, as between `63:75:72:6c`.
#[inline(always)]
fn rows_of_three(text: &[u8], at: usize) -> u64 {
    let Some(chunk) = text.get(at..).and_then(<[u8]>::first_chunk::<CHUNK_BYTES>) else { return 0 };
    let Some(later) = text.get(at + 3..).and_then(<[u8]>::first_chunk::<CHUNK_BYTES>) else {
        return 0;
    };
    let same = Chunk::new(chunk).same_mask(Chunk::new(later));
    let rows = same & same >> 3 & same >> 6 & same >> 9;
    if rows == 0 {
        return 0;
    }
    // An indentation is a row of any length, and other scripts have rows of their own.
    let rows = rows & !Chunk::new(chunk).mask(|lane| lane);
    let next = text.get(at + 1..).and_then(<[u8]>::first_chunk::<CHUNK_BYTES>);
    next.map_or(0, |next| rows & !Chunk::new(chunk).same_mask(Chunk::new(next)))
}

#[inline(never)]
fn in_candidates(
    text: &[u8],
    at: usize,
    from: usize,
    whole: u64,
    rows: u64,
) -> (Option<Run>, usize) {
    let (mut passed, mut whole) = (from, whole);
    while whole != 0 {
        let start = at + whole.trailing_zeros() as usize / LANE_BYTES * LANE_BYTES;
        whole &= whole - 1;
        let block = text.get(start..).and_then(<[u8]>::first_chunk::<LANE_BYTES>);
        if start < passed || !block.is_some_and(|block| is_base64_block(block) && is_no_word(block))
        {
            continue;
        }
        match in_run(text, run_start(text, start, passed)) {
            Ok(run) => return (Some(run), 0),
            Err(end) => passed = end,
        }
    }
    if rows != 0
        && let Some(run) = separated(text, at, from, rows)
    {
        return (Some(run), 0);
    }
    (None, if passed == from { 0 } else { passed })
}

#[inline(always)]
fn is_base64_block(block: &[u8; LANE_BYTES]) -> bool {
    base64_digits(Lane::load(block)).mask() == 0xFFFF
}

/// Whether there is a digit or a capital letter: encoded text has some, names and paths often none.
#[inline(always)]
fn is_no_word(block: &[u8; LANE_BYTES]) -> bool {
    Lane::load(block).within(b'0', b'Z' - b'0' + 1).mask() != 0
}

/// Where the run begins that holds the block at `at`, not before `from`.
#[inline]
fn run_start(text: &[u8], at: usize, from: usize) -> usize {
    let mut start = at;
    while let Some(before) = start.checked_sub(LANE_BYTES).filter(|before| *before >= from) {
        let Some(block) = text.get(before..).and_then(<[u8]>::first_chunk::<LANE_BYTES>) else {
            return start;
        };
        let others = !base64_digits(Lane::load(block)).mask();
        start -= others.leading_zeros() as usize;
        if others != 0 || at - start >= BEFORE_BLOCK_BYTES {
            return start;
        }
    }
    let before = text.get(from..start).unwrap_or_default();
    start - before.iter().rev().take_while(|byte| is_base64(**byte)).count()
}

/// The first part of a run of digits that is worth decoding, or where the run ends. A long one is
/// looked at again now and then: a text may be glued to something else.
fn in_run(text: &[u8], start: usize) -> Result<Run, usize> {
    let judged =
        |at: usize| judge(text.get(at..).unwrap_or_default()).map(|kind| Run { start: at, kind });
    if let Some(run) = judged(start).or_else(|| glued(text, start).and_then(judged)) {
        return Ok(run);
    }
    // What was cut off in front may have shifted the digits.
    if start == 0
        && let Some(run) = (1..4).find_map(judged)
    {
        return Ok(run);
    }
    let (mut line, mut again) = (start, start + ENCODED_LOOK_AGAIN_BYTES);
    loop {
        let end = run_end(text, line);
        while again < end {
            let at = line + (again.saturating_sub(line)).next_multiple_of(4);
            if let Some(run) = judged(at).filter(|run| run.start < end) {
                return Ok(run);
            }
            again = at + ENCODED_LOOK_AGAIN_BYTES;
        }
        let behind = text.get(end..).unwrap_or_default();
        let Some(len) = line_break(behind) else { return Err(end) };
        let next = behind.get(len..).and_then(<[u8]>::first_chunk::<LANE_BYTES>);
        if !next.is_some_and(is_base64_block) {
            return Err(end);
        }
        line = end + len;
    }
}

/// Behind the last sign that may glue a name or a path to the run that begins at `start`.
#[inline]
fn glued(text: &[u8], start: usize) -> Option<usize> {
    let block = text.get(start..).and_then(<[u8]>::first_chunk::<{ 2 * LANE_BYTES }>)?;
    let ([first, second], _) = block.as_chunks::<LANE_BYTES>() else { return None };
    // With these bits set, plus, minus and slash are the same.
    let glue = |block| {
        let lane = Lane::load(block);
        u32::from(lane.with_bits(6).equals(b'/').or(lane.equals(b'_')).mask())
    };
    let signs = glue(first) | glue(second) << LANE_BYTES;
    let behind = u32::BITS - signs.leading_zeros();
    (behind > 0).then_some(start + behind as usize)
}

/// Where the digits of base64 from `at` on end.
fn run_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let (blocks, tail) = rest.as_chunks::<LANE_BYTES>();
    let mut end = at;
    for block in blocks {
        let others = !base64_digits(Lane::load(block)).mask();
        if others != 0 {
            return end + others.trailing_zeros() as usize;
        }
        end += LANE_BYTES;
    }
    end + tail.iter().take_while(|byte| is_base64(**byte)).count()
}

/// The row of hexadecimal bytes with something between them that is text, if there is one around the
/// first place of `rows`.
fn separated(text: &[u8], at: usize, from: usize, rows: u64) -> Option<Run> {
    let place = at + rows.trailing_zeros() as usize;
    let first = from.max(place.saturating_sub(SEPARATED_BYTES));
    // One of the next places is the start of a byte.
    (first..=place + 1).find_map(|start| {
        let rest = text.get(start..)?;
        let rest = rest.get(..SEPARATED_BYTES * SEPARATED_MIN).unwrap_or(rest);
        let is_digit = |byte: &u8| value(&HEX, *byte) != NO_DIGIT;
        let is_start = matches!(rest, [b'0', b'x', ..])
            || matches!(rest, [a, b, c, ..] if is_digit(a) && is_digit(b) && !is_digit(c));
        let is_whole =
            start.checked_sub(1).and_then(|at| text.get(at)).is_none_or(|before| !is_digit(before));
        if !is_start || !is_whole {
            return None;
        }
        let mut decoder = RunDecoder::new(Kind::Hex);
        let mut head = Vec::with_capacity(SEPARATED_BYTES * SEPARATED_MIN);
        decoder.feed(rest, &mut head);
        (head.len() >= SEPARATED_MIN && is_text(&head)).then_some(Run { start, kind: Kind::Hex })
    })
}
