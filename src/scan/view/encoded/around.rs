//! The run around a place where something else says that there is encoded text.

use super::alphabet::{BASE32, BASE64, HEX, NO_DIGIT, base64_digits, is_base64, value};
use super::judge::{BASE64_MIN_DIGITS, SHORT_ALPHABET_MIN_DIGITS, is_text, is_utf16};
use super::{Kind, Run};
use crate::limits::{ENCODED_LOOK_BACK_BYTES, ENCODED_SEEN_DIGITS, ENCODED_SHORT_MIN_DIGITS};
use crate::scan::view::chunk::last_chunk;
use crate::scan::view::lane::{LANE_BYTES, Lane};

/// Digits looked at before and behind the place.
const BEFORE_DIGITS: usize = 24;
const BEHIND_DIGITS: usize = 40;
/// Decoded bytes in a row that must be text.
const TEXT_MIN_BYTES: usize = 9;
/// Digits of base64 before which a group may begin, and those of two groups.
const SHIFTS: usize = 4;
const GROUPS_DIGITS: usize = 8;

/// The run of at least 12 digits that holds the byte at `at`, if what it says there is text. Where digits
/// of something else are glued to its front, it begins where its own digits are whole.
pub fn run_around(text: &[u8], at: usize) -> Option<Run> {
    if !text.get(at).is_some_and(|byte| is_base64(*byte)) {
        return None;
    }
    let (start, before) = run_before(text, at, &BASE64);
    let near = Near::around(text, at, before, &BASE64)?;
    if let Some(run) = SHORT_ALPHABETS.iter().find_map(|short| short.run_around(text, at, &near)) {
        return Some(run);
    }
    let shift = base64_shift(near.digits())?;
    // Digits before those that were looked at, and those by which the first group is late.
    Some(Run { start: start + (before - near.before + shift) % 4, kind: Kind::Base64 })
}

/// The least digits of a command in hex: `rm -rf /`.
const COMMAND_HEX_DIGITS: usize = 16;
/// The digits that the same has in base64.
const COMMAND_BASE64_DIGITS: usize = 11;

/// The run around a place where digits say what only a command does, if it is too short for [`run_around`] and a row of
/// its own: all of it must be text.
pub fn short_run_around(text: &[u8], at: usize) -> Option<Run> {
    let row = |alphabet: &[u8; 256]| {
        let start = at - digits_at_end(text.get(..at)?, alphabet);
        let rest = text.get(start..)?;
        let len = rest
            .iter()
            .take(SHORT_ALPHABET_MIN_DIGITS)
            .take_while(|byte| value(alphabet, **byte) != NO_DIGIT);
        Some((start, rest.get(..len.count())?))
    };
    let (start, digits) = row(&HEX)?;
    let is_hex = (COMMAND_HEX_DIGITS..SHORT_ALPHABET_MIN_DIGITS).contains(&digits.len());
    if is_hex && readable(digits, &HEX, 4) * 2 == digits.len() {
        return Some(Run { start, kind: Kind::Hex });
    }
    let (start, digits) = row(&BASE64)?;
    let is_whole = digits.len() == COMMAND_BASE64_DIGITS;
    let is_text = is_whole && readable(digits, &BASE64, 6) == COMMAND_BASE64_DIGITS * 6 / 8;
    is_text.then_some(Run { start, kind: Kind::Base64 })
}

/// An alphabet of fewer digits than base64, whose texts may be glued to what has more: a path.
struct ShortAlphabet {
    digits: &'static [u8; 256],
    kind: Kind,
    /// Bits of a digit, and digits of a group that stands for whole bytes.
    width: u32,
    group: usize,
    /// Whether what is glued to other digits has all its letters large, or all small: the letters of base64 are mixed.
    is_of_one_case: bool,
}

static SHORT_ALPHABETS: [ShortAlphabet; 2] = [
    ShortAlphabet { digits: &HEX, kind: Kind::Hex, width: 4, group: 2, is_of_one_case: false },
    ShortAlphabet { digits: &BASE32, kind: Kind::Base32, width: 5, group: 8, is_of_one_case: true },
];

impl ShortAlphabet {
    /// The run of this alphabet around a place; `all` are the digits of base64 there.
    fn run_around(&self, text: &[u8], at: usize, all: &Near) -> Option<Run> {
        if !self.has(text.get(at)?) {
            return None;
        }
        let (start, before) = run_before(text, at, self.digits);
        let near = Near::around(text, at, before, self.digits)?;
        if !self.may_be_all_of_it(near.digits(), all.len) {
            return None;
        }
        let shift = shift(near.digits(), self.digits, self.width, self.group)?;
        Some(Run { start: start + (before - near.before + shift) % self.group, kind: self.kind })
    }

    fn has(&self, byte: &u8) -> bool {
        value(self.digits, *byte) != NO_DIGIT
    }

    /// Whether digits of this alphabet, among `all` ones of base64, may be a text of it.
    fn may_be_all_of_it(&self, digits: &[u8], all: usize) -> bool {
        let is_mixed = || {
            digits.iter().any(u8::is_ascii_lowercase) && digits.iter().any(u8::is_ascii_uppercase)
        };
        digits.len() >= SHORT_ALPHABET_MIN_DIGITS
            && (!self.is_of_one_case || digits.len() == all || !is_mixed())
    }

    /// The middle of the part of a row that may be a text of this alphabet. There is one at most, and it reaches over
    /// the byte that is asked for first: a row as [`places_in_row`] gives them has no room for two.
    fn place_in(&self, row: &[u8]) -> Option<usize> {
        const { assert!(ENCODED_SEEN_DIGITS <= 2 * SHORT_ALPHABET_MIN_DIGITS) };
        let (front, rest) = row.split_at_checked(SHORT_ALPHABET_MIN_DIGITS - 1)?;
        if !self.has(rest.first()?) {
            return None;
        }
        let start = front.len() - digits_at_end(front, self.digits);
        let behind = rest.iter().take_while(|byte| self.has(byte)).count();
        let part = row.get(start..front.len() + behind)?;
        self.may_be_all_of_it(part, row.len()).then_some(start + part.len() / 2)
    }
}

/// A place in each row of digits that is too short for [`super::next_run`] to be sure to see it, and may say
/// something: for [`run_around`]. The parts of a path are such rows, too. Looks at blocks of as many bytes as such a
/// row has at least: it reaches over the end of one.
pub fn short_rows(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    const { assert!(ENCODED_SHORT_MIN_DIGITS == LANE_BYTES) };
    let (blocks, tail) = text.as_chunks::<LANE_BYTES>();
    let masks = blocks.iter().map(|block| base64_digits(Lane::load(block)).mask());
    let last = base64_digits(Lane::load(&last_chunk(tail, 0))).mask();
    // The digits of the row that reaches to the end of the blocks so far.
    let mut open = 0;
    let rows = masks.chain([last]).enumerate().filter_map(move |(number, digits)| {
        let more = digits.trailing_ones() as usize;
        let len = open + more;
        if more == LANE_BYTES {
            open = len;
            return None;
        }
        open = digits.leading_ones() as usize;
        (len >= ENCODED_SHORT_MIN_DIGITS).then_some((number * LANE_BYTES + more - len, len))
    });
    rows.flat_map(|(start, len)| {
        let row = text.get(start..start + len).unwrap_or_default();
        places_in_row(row).map(move |place| start + place)
    })
}

/// How many digits of base64 `text` ends with.
pub fn digits_before(text: &[u8]) -> usize {
    digits_at_end(text, &BASE64)
}

/// How many it begins with.
pub fn digits_behind(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_base64(**byte)).count()
}

/// A place in each part of a row of digits that may say something, as [`short_rows`] finds them.
pub fn places_in_row(row: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let is_path = row.len() >= ENCODED_SEEN_DIGITS;
    let mut start = 0;
    row.split(move |byte| is_path && *byte == b'/').filter_map(move |part| {
        let at = start;
        start += part.len() + 1;
        let is_short = (ENCODED_SHORT_MIN_DIGITS..ENCODED_SEEN_DIGITS).contains(&part.len());
        place_in(Some(part).filter(|_| is_short)?).map(|place| at + place)
    })
}

/// A place in a row of digits that may be text in any alphabet.
fn place_in(row: &[u8]) -> Option<usize> {
    if base64_shifts(row).next().is_some() {
        return Some(row.len() / 2);
    }
    SHORT_ALPHABETS.iter().find_map(|short| short.place_in(row))
}

/// Where the run begins that holds `at`, over line breaks, and the number of its digits up to there.
fn run_before(text: &[u8], at: usize, alphabet: &[u8; 256]) -> (usize, usize) {
    let least = at.saturating_sub(ENCODED_LOOK_BACK_BYTES);
    let (mut start, mut digits) = (at, 0);
    loop {
        let line = text.get(least..start).unwrap_or_default();
        let len = digits_at_end(line, alphabet);
        (start, digits) = (start - len, digits + len);
        let before = text.get(least..start).unwrap_or_default();
        let Some(broken) = break_before(before, alphabet) else { return (start, digits) };
        start -= broken;
    }
}

fn digits_at_end(text: &[u8], alphabet: &[u8; 256]) -> usize {
    text.iter().rev().take_while(|byte| value(alphabet, **byte) != NO_DIGIT).count()
}

/// The length of the line break that `text` ends with, if it has a whole line of digits before it.
fn break_before(text: &[u8], alphabet: &[u8; 256]) -> Option<usize> {
    const LINE_MIN_DIGITS: usize = 16;
    let indent = text.iter().rev().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let text_end = text.len() - indent;
    let ends: [&[u8]; 4] = [b"\r\n", b"\n", b"\\r\\n", b"\\n"];
    let text = text.get(..text_end)?;
    let end = ends.into_iter().find(|end| text.ends_with(end))?;
    let line = text.get(..text.len() - end.len())?;
    let last = line.last_chunk::<LINE_MIN_DIGITS>()?;
    (digits_at_end(last, alphabet) == LINE_MIN_DIGITS).then_some(indent + end.len())
}

/// The digits around a place, line breaks left out.
struct Near {
    digits: [u8; BEFORE_DIGITS + BEHIND_DIGITS],
    len: usize,
    /// How many of them are before the place.
    before: usize,
}

impl Near {
    /// None, if they are fewer than a text needs.
    fn around(text: &[u8], at: usize, run_before: usize, alphabet: &[u8; 256]) -> Option<Self> {
        let is_digit = |byte: &u8| value(alphabet, *byte) != NO_DIGIT;
        let mut near = Self { digits: [0; BEFORE_DIGITS + BEHIND_DIGITS], len: 0, before: 0 };
        let line = text.get(..at)?.iter().rev().take(BEFORE_DIGITS.min(run_before));
        near.before = line.take_while(|byte| is_digit(byte)).count();
        let mut from = at - near.before;
        for place in near.digits.iter_mut().take(near.before + BEHIND_DIGITS) {
            let rest = text.get(from..)?;
            let broken = super::line_break(rest).filter(|_| near.len > near.before).unwrap_or(0);
            let Some(byte) = rest.get(broken).filter(|byte| is_digit(byte)) else { break };
            *place = *byte;
            near.len += 1;
            from += broken + 1;
        }
        (near.len >= BASE64_MIN_DIGITS).then_some(near)
    }

    fn digits(&self) -> &[u8] {
        self.digits.get(..self.len).unwrap_or_default()
    }
}

/// By how many digits the first whole group is late, so that the longest text is read.
fn shift(digits: &[u8], alphabet: &[u8; 256], width: u32, group: usize) -> Option<usize> {
    longest(digits, alphabet, width, 0..group)
}

/// The same for base64.
fn base64_shift(digits: &[u8]) -> Option<usize> {
    longest(digits, &BASE64, 6, base64_shifts(digits))
}

/// The shifts by which digits of base64 may be text. Most rows are words of something else: they are told apart by
/// a few bits of each digit.
fn base64_shifts(digits: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let plain = plain_pairs(digits);
    let front = front_bits(digits);
    (0..SHIFTS).filter(move |shift| {
        let mut pairs = plain & 0x1111_1111_1111_1111 << shift;
        while pairs != 0 {
            let pair = digits.get(pairs.trailing_zeros() as usize..).and_then(two_groups);
            if pair.is_some_and(|bytes| bytes.iter().all(is_seen)) {
                return true;
            }
            pairs &= pairs - 1;
        }
        front.is_some_and(|bits| opens_text(&bytes_of((bits >> (6 * (SHIFTS - 1 - shift))) as u64)))
    })
}

/// The shift by which the longest text is read.
fn longest(
    digits: &[u8],
    alphabet: &[u8; 256],
    width: u32,
    shifts: impl Iterator<Item = usize>,
) -> Option<usize> {
    let readings = shifts.filter_map(|shift| {
        let len = readable(digits.get(shift..)?, alphabet, width);
        (len >= TEXT_MIN_BYTES).then_some((len, shift))
    });
    // Of equals the least shift.
    readings.max_by_key(|(len, shift)| (*len, usize::MAX - shift)).map(|(_, shift)| shift)
}

/// Where two groups of base64 in a row, of four digits each, stand for bytes of ASCII: a bit for each of the first
/// 64 digits. `TEXT_MIN_BYTES` visible ones in a row hold two such groups, wherever they begin.
fn plain_pairs(digits: &[u8]) -> u64 {
    const { assert!(TEXT_MIN_BYTES >= 8 && BEFORE_DIGITS + BEHIND_DIGITS <= 64) };
    // A bit for each digit: whether a group that begins with it has a byte with its top bit set.
    let high =
        digits.iter().fold(0, |high, byte| high >> 1 | u64::from(value(&TOP_BITS, *byte)) << 61);
    let high = high.checked_shr(64_u32.saturating_sub(digits.len() as u32)).unwrap_or(0);
    let groups = digits.len().saturating_sub(3);
    let is_whole = u64::MAX.checked_shr(64 - groups as u32).unwrap_or(0);
    let plain = !high & is_whole;
    plain & plain >> 4
}

/// The bits of a digit of base64 that are the top bits of a byte where it is the third digit of a group, the second,
/// the first.
static TOP_BITS: [u8; 256] = top_bits(&BASE64);

const fn top_bits(values: &[u8; 256]) -> [u8; 256] {
    let mut tops = *values;
    let mut rest: &mut [u8] = &mut tops;
    while let [digit, behind @ ..] = rest {
        *digit = (*digit >> 5 & 1) << 2 | (*digit >> 3 & 1) << 1 | *digit >> 1 & 1;
        rest = behind;
    }
    tops
}

/// What the first two groups of base64 stand for.
fn two_groups(digits: &[u8]) -> Option<[u8; 6]> {
    let groups = digits.first_chunk::<GROUPS_DIGITS>()?;
    let bits = groups.iter().fold(0_u64, |bits, byte| bits << 6 | u64::from(value(&BASE64, *byte)));
    Some(bytes_of(bits))
}

/// The bits of the digits that are the first two groups by one of the shifts; none where they are too few for a text.
fn front_bits(digits: &[u8]) -> Option<u128> {
    const { assert!(GROUPS_DIGITS + SHIFTS - 1 <= BASE64_MIN_DIGITS) };
    let front = digits.first_chunk::<{ GROUPS_DIGITS + SHIFTS - 1 }>()?;
    let add = |bits, byte: &u8| bits << 6 | u128::from(value(&BASE64, *byte));
    Some(front.iter().fold(0, add))
}

/// The last six bytes of some bits.
fn bytes_of(bits: u64) -> [u8; 6] {
    let [_, _, bytes @ ..] = bits.to_be_bytes();
    bytes
}

/// Whether a text in UTF-8 or UTF-16 may begin with these bytes.
fn opens_text(bytes: &[u8; 6]) -> bool {
    bytes.contains(&0) || !matches!(bytes.first(), Some(0x80..=0xC1 | 0xF5..)) && is_text(bytes)
}

/// Whether a byte is one of a line of ASCII.
fn is_seen(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r')
}

/// The most bytes in a row that are text.
fn readable(digits: &[u8], alphabet: &[u8; 256], width: u32) -> usize {
    let mut decoded = [0; BEFORE_DIGITS + BEHIND_DIGITS];
    let mut places = decoded.iter_mut();
    let (mut bits, mut held, mut len) = (0_u32, 0, 0);
    for byte in digits {
        bits = bits << width | u32::from(value(alphabet, *byte));
        held += width;
        if held >= 8 {
            held -= 8;
            let Some(place) = places.next() else { break };
            *place = (bits >> held) as u8;
            len += 1;
        }
    }
    let decoded = decoded.get(..len).unwrap_or_default();
    if is_text(decoded) || is_utf16(decoded) {
        return len;
    }
    decoded.split(|byte| !is_seen(byte)).map(<[u8]>::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alike_digits() -> impl Strategy<Value = Vec<u8>> {
        let digit = prop_oneof![
            prop::sample::select(b"abcdefghijklmnopqrstuvwxyz_-/".to_vec()),
            prop::sample::select(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+".to_vec()),
        ];
        prop::collection::vec(digit, BASE64_MIN_DIGITS..=BEFORE_DIGITS + BEHIND_DIGITS)
    }

    fn encoded_text() -> impl Strategy<Value = Vec<u8>> {
        let texts = ["[ -~]{9,40}", "[ -~]{4}é[ -~]{4}", "\\PC{5,20}", "[а-я ]{5,20}"];
        let text = prop_oneof![texts[0], texts[1], texts[2], texts[3]];
        (text, any::<bool>(), "[a-zA-Z]{0,3}").prop_map(|(text, is_wide, glued)| {
            let wide = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let bytes = if is_wide { wide } else { text.into_bytes() };
            let mut digits = glued.into_bytes();
            digits.extend(data_encoding::BASE64_NOPAD.encode(&bytes).into_bytes());
            digits.truncate(BEFORE_DIGITS + BEHIND_DIGITS);
            digits
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_shift_that_is_told_apart_by_a_few_bits_would_not_be_read(
            digits in prop_oneof![alike_digits(), encoded_text()],
        ) {
            prop_assert_eq!(base64_shift(&digits), shift(&digits, &BASE64, 6, 4));
        }

        #[test]
        fn rows_seen_by_blocks_are_those_seen_byte_by_byte(
            text in "([a-zA-Z0-9_/+-]{0,60}[ \"\n]{0,2}|[a-z/]{0,30}[0-9a-f]{0,50}){0,6}",
        ) {
            let mut start = 0;
            let rows = text.as_bytes().split(|byte| !is_base64(*byte));
            let by_byte = rows.flat_map(|row| {
                let at = start;
                start += row.len() + 1;
                places_in_row(row).map(move |place| at + place)
            });
            let by_byte: Vec<usize> = by_byte.collect();
            prop_assert_eq!(short_rows(text.as_bytes()).collect::<Vec<_>>(), by_byte);
        }

        #[test]
        fn the_part_of_a_row_in_a_short_alphabet_is_the_one_that_its_parts_show(
            row in "[a-fA-F0-9]{0,30}[g-zG-Z_+-]{0,2}[A-Za-z2-7]{0,30}[018-]{0,2}[a-z2-7]{0,20}",
        ) {
            let row = &row.as_bytes()[..row.len().min(ENCODED_SEEN_DIGITS - 1)];
            for short in &SHORT_ALPHABETS {
                let mut start = 0;
                let by_parts = row.split(|byte| !short.has(byte)).find_map(|part| {
                    let middle = start + part.len() / 2;
                    start += part.len() + 1;
                    short.may_be_all_of_it(part, row.len()).then_some(middle)
                });
                prop_assert_eq!(short.place_in(row), by_parts);
            }
        }

        #[test]
        fn a_row_that_is_passed_over_is_no_run(
            row in prop_oneof![alike_digits(), encoded_text()],
            behind in "[ \"}.]",
        ) {
            let lens = ENCODED_SHORT_MIN_DIGITS..ENCODED_SEEN_DIGITS;
            if !lens.contains(&row.len()) || place_in(&row).is_some() {
                return Ok(());
            }
            let text = [&row, behind.as_bytes()].concat();
            prop_assert_eq!(run_around(&text, row.len() / 2), None);
        }
    }
}
