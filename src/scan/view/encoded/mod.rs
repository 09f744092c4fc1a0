//! Base64, base32, hex, lists of bytes' numbers and dumps inside running text: found, judged, decoded as they stream by.
//!
//! `next_run` looks at every other 16 bytes of the text: a run of 47 digits holds such a block and one
//! beside it. `run_around` is for a place of which something else says that there is encoded text.

mod alphabet;
mod around;
mod decoder;
mod dump;
mod gates;
mod judge;
mod looks;
mod numbers;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub use alphabet::is_base64;
pub use around::{
    digits_before, digits_behind, places_in_row, run_around, short_rows, short_run_around,
};
pub use decoder::RunDecoder;
pub use gates::{
    ANCHORS, base64_gates, base64_url_gates, base64_utf16_gates, gates, hex_gates, utf16_gates,
};

use fearless_simd::{Simd, dispatch};

use self::alphabet::{HEX, NO_DIGIT, base64_digits, line_break, value};
use self::dump::dump_around;
use self::judge::{is_text, is_text_byte, judge};
use self::looks::looks_encoded;
use self::numbers::numbers_around;
use super::chunk::{Chunk, last_chunk, level};
use super::lane::{LANE_BYTES, Lane};
use crate::limits::{ENCODED_LIST_LOOK_BYTES, ENCODED_LOOK_AGAIN_BYTES};

/// How a run is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Base64,
    Base32,
    Hex,
    /// Bytes as decimal numbers, with commas or blanks between them.
    Numbers,
    /// Lines of an offset and bytes in hex.
    Dump,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Base32 => "base32",
            Self::Hex => "hex",
            Self::Numbers => "numbers",
            Self::Dump => "hexdump",
        }
    }
}

/// An encoded text: where its first digit stands, and its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub start: usize,
    pub kind: Kind,
}

impl Run {
    fn hex(start: usize) -> Run {
        Run { start, kind: Kind::Hex }
    }
}

/// What a digit with its separator takes at most: `0x63, `.
const SEPARATED_BYTES: usize = 6;
/// Separated bytes that must be text before a row of them is worth decoding.
const SEPARATED_MIN: usize = 12;
/// What a run of digits may have before the block of it that is seen.
const BEFORE_BLOCK_BYTES: usize = 2 * LANE_BYTES;
/// Of so many bytes the second half is looked at.
const STRIDE_BYTES: usize = 2 * LANE_BYTES;
/// Strides that are asked together, and what is read of them: a row of bytes with something between
/// them shows where each byte is the same as the third behind it.
const WINDOW_BYTES: usize = 2 * STRIDE_BYTES;
const WINDOW_READ_BYTES: usize = WINDOW_BYTES + ROW_STEP_BYTES;
const ROW_STEP_BYTES: usize = 3;

/// The next run from `from` on that is worth decoding. Runs of 47 digits and more are always looked at,
/// shorter ones if they hold a block that is, and one beside it.
pub fn next_run(text: &[u8], from: usize) -> Option<Run> {
    dispatch!(level(), simd => next_run_by(simd, text, from))
}

#[inline(always)]
fn next_run_by(simd: impl Simd, text: &[u8], from: usize) -> Option<Run> {
    let mut at = from - from % STRIDE_BYTES;
    // A run that is rejected ends here.
    let mut passed = from;
    while let Some(window) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let (run, end) = in_window(text, at, Look::at(simd, window), passed);
        if run.is_some() {
            return run;
        }
        passed = passed.max(end);
        at = (at + WINDOW_BYTES).max(end - end % STRIDE_BYTES);
    }
    if at + STRIDE_BYTES > text.len() {
        return None;
    }
    in_window(text, at, Look::at(simd, &last_chunk(text, at)), passed).0
}

/// The run that is seen in the window at `at` and does not begin before `from`, or up to where there is none.
#[inline(always)]
fn in_window(text: &[u8], at: usize, look: Look, from: usize) -> (Option<Run>, usize) {
    let is_in_each = |bits: u64| SEEN.iter().all(|block| bits & block != 0);
    let has_numbers = SEEN.iter().any(|block| look.is_numbers(*block));
    if look.rows == 0 && is_in_each(look.others) && !has_numbers {
        return (None, 0);
    }
    let candidates = in_candidates(text, at, from, &look);
    match candidates.0 {
        None if has_numbers => (in_numbers(text, at, from, &look), candidates.1),
        _ => candidates,
    }
}

/// The row of numbers around one of the blocks of the window at `at`.
#[inline(never)]
fn in_numbers(text: &[u8], at: usize, from: usize, look: &Look) -> Option<Run> {
    let numbers = SEEN.into_iter().filter(|block| look.is_numbers(*block));
    let places = numbers.map(|block| at + block.trailing_zeros() as usize);
    places.filter(|place| *place >= from).find_map(|place| numbers_around(text, place, from))
}

/// The first byte behind the digits.
const BEHIND_DIGITS: u8 = b'9' + 1;

/// The blocks of a window that are looked at, a bit for each byte: the second half of each stride.
const SEEN: [u64; 2] = [0xFFFF_0000, 0xFFFF_0000 << STRIDE_BYTES];

/// What a window shows, a bit for each of its bytes.
struct Look {
    /// Which are none of base64. Blanks and most signs are below the plus, other scripts above ASCII; with stops and
    /// colons, blocks without them are few. (A few signs that are none either pass.)
    others: u64,
    /// Where a row of bytes in hex may be, in the blocks that are looked at; in a dump they may be in words of two.
    rows: u64,
    /// Which are neither digits, commas nor blanks (nor signs below them, but for stops).
    not_numbers: u64,
    digits: u64,
}

impl Look {
    #[inline(always)]
    fn at(simd: impl Simd, window: &[u8; WINDOW_READ_BYTES]) -> Look {
        let (Some(own), Some(behind)) = (window.first_chunk(), window.last_chunk()) else {
            return Look { others: 0, rows: 0, not_numbers: 0, digits: 0 };
        };
        let chunk = Chunk::new(simd, own);
        // Behind a nought; what is before the first byte is not known.
        let noughts = chunk.equals(b'0').mask() << 1 | 1;
        let crosses = chunk.equals(b'x').mask() & noughts;
        let stops = chunk.equals(b'.').or(chunk.equals(b':'));
        let others = chunk.below_or_high(b'+').or(stops).mask();
        let row = chunk.same_as(Chunk::new(simd, behind)).mask();
        let listed = crosses & (crosses >> 5 | crosses >> 6);
        // Between two digits each; an indentation is a row of any length.
        let rows = row & row >> 3 & row >> 6 & row >> 9 & !(others >> 1 | others >> 2) | listed;
        let digits = chunk.within(b'0', 10).mask();
        // Each byte of text has a number for its first digit.
        let words = digits & digits >> 2 & others >> 4;
        let words = (words & words >> 5) << 4;
        Look {
            others,
            rows: (rows | words) & (SEEN[0] | SEEN[1]),
            not_numbers: chunk.from(BEHIND_DIGITS).or(stops).mask(),
            digits,
        }
    }

    /// Whether a block is of digits, commas and blanks, and not of the latter alone.
    #[inline(always)]
    fn is_numbers(&self, block: u64) -> bool {
        self.not_numbers & block == 0 && self.digits & block != 0
    }
}

#[inline(never)]
fn in_candidates(text: &[u8], at: usize, from: usize, look: &Look) -> (Option<Run>, usize) {
    let mut passed = from;
    for block in SEEN.into_iter().filter(|block| look.others & block == 0) {
        let start = at + block.trailing_zeros() as usize;
        if start < passed || !is_seen_at(text, start, passed) {
            continue;
        }
        match in_run(text, start, passed) {
            Ok(run) => return (Some(run), 0),
            Err(end) => passed = end,
        }
    }
    for rows in SEEN.map(|block| look.rows & block).into_iter().filter(|rows| *rows != 0) {
        if let Some(run) = separated(text, at + rows.trailing_zeros() as usize, from) {
            return (Some(run), 0);
        }
    }
    (None, if passed == from { 0 } else { passed })
}

/// Whether the block at `at` and the one before or behind it, not before `from`, look encoded.
#[inline]
fn is_seen_at(text: &[u8], at: usize, from: usize) -> bool {
    let block = |at: usize| text.get(at..).and_then(<[u8]>::first_chunk::<LANE_BYTES>);
    let digits = |at: usize| block(at).filter(|block| is_base64_block(block));
    let Some(own) = digits(at) else { return false };
    let looks = |other| looks_encoded([own, other]);
    let before = at.checked_sub(LANE_BYTES).filter(|before| *before >= from).and_then(digits);
    // The block before may be of a path that the digits are glued to.
    before.is_some_and(looks) || digits(at + LANE_BYTES).is_some_and(looks)
}

#[inline(always)]
fn is_base64_block(block: &[u8; LANE_BYTES]) -> bool {
    base64_digits(Lane::load(block)).mask() == 0xFFFF
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

/// The first part that is worth decoding of the run of digits around `seen`, or where the run ends: from its start, or
/// from behind a sign, which may end a path. A long one is looked at again now and then: a text may be glued to
/// something else.
#[inline(never)]
fn in_run(text: &[u8], seen: usize, from: usize) -> Result<Run, usize> {
    let start = run_start(text, seen, from);
    let judged =
        |at: usize| judge(text.get(at..).unwrap_or_default()).map(|kind| Run { start: at, kind });
    if let Some(run) = judged(start).or_else(|| behind_signs(text, start).find_map(judged)) {
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

/// Behind each sign that may glue a name or a path to digits, in the run that begins at `start`, as far as it is looked
/// at before the next look.
#[inline]
fn behind_signs(text: &[u8], start: usize) -> impl Iterator<Item = usize> + '_ {
    let end = text.len().min(start + ENCODED_LOOK_AGAIN_BYTES);
    let (mut block, mut signs, mut is_open) = (start, 0_u32, true);
    std::iter::from_fn(move || {
        while signs == 0 {
            if !is_open || block >= end {
                return None;
            }
            let lane = Lane::load(&last_chunk(text, block));
            let others = !base64_digits(lane).mask();
            // With these bits set, plus, minus and slash are the same.
            let glue = lane.with_bits(6).equals(b'/').or(lane.equals(b'_')).mask();
            let len = others.trailing_zeros();
            is_open = others == 0;
            signs = u32::from(glue) & !(u32::MAX << len);
            block += LANE_BYTES;
        }
        let sign = signs.trailing_zeros() as usize;
        signs &= signs - 1;
        Some(block - LANE_BYTES + sign + 1)
    })
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

/// The row of hexadecimal bytes with something between them that is text, or the dump, if there is one around the
/// first place of `rows`.
#[inline(never)]
fn separated(text: &[u8], place: usize, from: usize) -> Option<Run> {
    // Rules are rows of any length, and other scripts have rows of their own.
    if !text.get(place..).is_some_and(|rest| matches!(rest, [a, b, ..] if a != b && a.is_ascii())) {
        return None;
    }
    if text.get(place) == Some(&b' ')
        && let Some(run) = dump_around(text, place, from)
    {
        return Some(run);
    }
    // One of the places around is the start of a byte; the row may have begun in the stride before.
    let near = from.max(place.saturating_sub(SEPARATED_BYTES));
    const { assert!(SEPARATED_BYTES + 2 == 8) };
    let mut starts = byte_starts(text, near).take_while(|start| *start <= place + 1);
    let seen = starts.find(|start| opens_row(text, *start))?;
    let first = from.max(place.saturating_sub(WINDOW_BYTES));
    let start = (first..=seen).find(|start| opens_row(text, *start) && is_row(text, *start))?;
    // Numbers of two digits may be either; with commas alone between them few write hex, of which a byte soon has a
    // letter.
    let is_list = text.get(start + 2) == Some(&b',') && !has_letters(text, start);
    let numbers = is_list.then(|| numbers_around(text, start, from)).flatten();
    Some(numbers.filter(|run| run.start <= start).unwrap_or(Run::hex(start)))
}

/// Whether a byte of the list that begins here is in hex for certain.
fn has_letters(text: &[u8], start: usize) -> bool {
    let rest = text.get(start..).unwrap_or_default();
    let near = rest.get(..ENCODED_LIST_LOOK_BYTES).unwrap_or(rest);
    let is_listed = |byte: &&u8| is_digit(byte) || matches!(byte, b',' | b' ' | b'\t'..=b'\r');
    let list = near.get(..near.iter().take_while(is_listed).count()).unwrap_or_default();
    list.array_windows()
        .any(|[a, b]| is_digit(a) && is_digit(b) && (a.is_ascii_digit() != b.is_ascii_digit()))
}

/// Where within the first eight bytes from `at` on a byte in hex may begin, with or without an `0x`: most rows of
/// equal bytes have none there.
#[inline]
fn byte_starts(text: &[u8], at: usize) -> impl Iterator<Item = usize> {
    let lane = Lane::load(&last_chunk(text, at));
    let mask = |lane: Lane| u32::from(lane.mask());
    let digits = mask(lane.within(b'0', 10).or(lane.small().within(b'a', 6)));
    let marked = mask(lane.equals(b'0')) & mask(lane.equals(b'x')) >> 1;
    let is_behind_digit = at.checked_sub(1).and_then(|at| text.get(at)).is_some_and(is_digit);
    let pairs = digits & digits >> 1 & !(digits >> 2);
    let mut starts = (pairs | marked) & !(digits << 1 | u32::from(is_behind_digit)) & 0xFF;
    std::iter::from_fn(move || {
        let start = starts.trailing_zeros();
        starts &= starts.wrapping_sub(1);
        (start < u32::BITS).then_some(at + start as usize)
    })
}

#[inline]
fn is_digit(byte: &u8) -> bool {
    value(&HEX, *byte) != NO_DIGIT
}

/// Whether a byte of a row begins here, and it and the next ones are text. Most rows of bytes are told
/// apart by the first two or three.
#[inline]
fn opens_row(text: &[u8], start: usize) -> bool {
    let mut rest = text.get(start..).unwrap_or_default();
    let is_start = matches!(rest, [b'0', b'x', ..])
        || matches!(rest, [a, b, c, ..] if is_digit(a) && is_digit(b) && !is_digit(c));
    if !is_start || start.checked_sub(1).and_then(|at| text.get(at)).is_some_and(is_digit) {
        return false;
    }
    for _ in 0..SEPARATED_MIN {
        rest = rest.strip_prefix(b"0x").unwrap_or(rest);
        let [high, low, behind @ ..] = rest else { return false };
        if !is_text_byte(value(&HEX, *high) << 4 | value(&HEX, *low) & 0xF) {
            return false;
        }
        let between = behind.iter().take(SEPARATED_BYTES).take_while(|byte| !is_digit(byte));
        rest = behind.get(between.count()..).unwrap_or_default();
    }
    true
}

/// Whether the row of bytes here is text as it is decoded.
fn is_row(text: &[u8], start: usize) -> bool {
    let rest = text.get(start..).unwrap_or_default();
    let rest = rest.get(..SEPARATED_BYTES * SEPARATED_MIN).unwrap_or(rest);
    let mut head = Vec::with_capacity(SEPARATED_BYTES * SEPARATED_MIN);
    RunDecoder::new(Kind::Hex).feed(rest, &mut head);
    head.len() >= SEPARATED_MIN && is_text(&head)
}
