//! The run around a place where something else says that there is encoded text.

use super::alphabet::{BASE32, BASE64, HEX, NO_DIGIT, is_base64, value};
use super::judge::{BASE64_MIN_DIGITS, SHORT_ALPHABET_MIN_DIGITS, is_text, is_utf16};
use super::{Kind, Run};
use crate::limits::{ENCODED_LOOK_BACK_BYTES, ENCODED_SEEN_DIGITS, ENCODED_SHORT_MIN_DIGITS};

/// Digits looked at before and behind the place.
const BEFORE_DIGITS: usize = 24;
const BEHIND_DIGITS: usize = 40;
/// Decoded bytes in a row that must be text.
const TEXT_MIN_BYTES: usize = 9;

/// The run of at least 12 digits that holds the byte at `at`, if what it says there is text. Where digits
/// of something else are glued to its front, it begins where its own digits are whole.
pub fn run_around(text: &[u8], at: usize) -> Option<Run> {
    if !text.get(at).is_some_and(|byte| is_base64(*byte)) {
        return None;
    }
    let (start, before) = digits_before(text, at);
    let near = Near::around(text, at, before)?;
    let digits = near.digits.get(..near.len)?;
    let is_all =
        |alphabet: &[u8; 256]| digits.iter().all(|byte| value(alphabet, *byte) != NO_DIGIT);
    let mut found = None;
    if digits.len() >= SHORT_ALPHABET_MIN_DIGITS && is_all(&HEX) {
        found = shift(digits, &HEX, 4, 2).map(|shift| (Kind::Hex, shift, 2));
    }
    if found.is_none() && digits.len() >= SHORT_ALPHABET_MIN_DIGITS && is_all(&BASE32) {
        found = shift(digits, &BASE32, 5, 8).map(|shift| (Kind::Base32, shift, 8));
    }
    let (kind, shift, group) =
        found.or_else(|| shift(digits, &BASE64, 6, 4).map(|shift| (Kind::Base64, shift, 4)))?;
    // Digits before those that were looked at, and those by which the first group is late.
    let late = (before - near.before + shift) % group;
    Some(Run { start: start + late, kind })
}

/// A place in each row of digits that is too short for [`super::next_run`] to be sure to see it: for
/// [`run_around`]. Reads every byte by itself, so it is for short texts.
pub fn short_rows(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut start = 0;
    text.split(|byte| !is_base64(*byte)).filter_map(move |row| {
        let middle = start + row.len() / 2;
        start += row.len() + 1;
        (ENCODED_SHORT_MIN_DIGITS..ENCODED_SEEN_DIGITS).contains(&row.len()).then_some(middle)
    })
}

/// Where the run begins that holds `at`, over line breaks, and the number of its digits up to there.
fn digits_before(text: &[u8], at: usize) -> (usize, usize) {
    let least = at.saturating_sub(ENCODED_LOOK_BACK_BYTES);
    let (mut start, mut digits) = (at, 0);
    loop {
        let line = text.get(least..start).unwrap_or_default();
        let len = line.iter().rev().take_while(|byte| is_base64(**byte)).count();
        (start, digits) = (start - len, digits + len);
        let before = text.get(least..start).unwrap_or_default();
        let Some(broken) = break_before(before) else { return (start, digits) };
        start -= broken;
    }
}

/// The length of the line break that `text` ends with, if it has a whole line of digits before it.
fn break_before(text: &[u8]) -> Option<usize> {
    const LINE_MIN_DIGITS: usize = 16;
    let indent = text.iter().rev().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let text_end = text.len() - indent;
    let ends: [&[u8]; 4] = [b"\r\n", b"\n", b"\\r\\n", b"\\n"];
    let text = text.get(..text_end)?;
    let end = ends.into_iter().find(|end| text.ends_with(end))?;
    let line = text.get(..text.len() - end.len())?;
    let digits =
        line.iter().rev().take(LINE_MIN_DIGITS).take_while(|byte| is_base64(**byte)).count();
    (digits == LINE_MIN_DIGITS).then_some(indent + end.len())
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
    fn around(text: &[u8], at: usize, run_before: usize) -> Option<Self> {
        let mut near = Self { digits: [0; BEFORE_DIGITS + BEHIND_DIGITS], len: 0, before: 0 };
        let line = text.get(..at)?.iter().rev().take(BEFORE_DIGITS.min(run_before));
        near.before = line.take_while(|byte| is_base64(**byte)).count();
        let mut from = at - near.before;
        for place in near.digits.iter_mut().take(near.before + BEHIND_DIGITS) {
            let rest = text.get(from..)?;
            let broken = super::line_break(rest).filter(|_| near.len > near.before).unwrap_or(0);
            let Some(byte) = rest.get(broken).filter(|byte| is_base64(**byte)) else { break };
            *place = *byte;
            near.len += 1;
            from += broken + 1;
        }
        (near.len >= BASE64_MIN_DIGITS).then_some(near)
    }
}

/// By how many digits the first whole group is late, so that the longest text is read.
fn shift(digits: &[u8], alphabet: &[u8; 256], width: u32, group: usize) -> Option<usize> {
    let readings = (0..group).filter_map(|shift| {
        let len = readable(digits.get(shift..)?, alphabet, width);
        (len >= TEXT_MIN_BYTES).then_some((len, shift))
    });
    // Of equals the least shift.
    readings.max_by_key(|(len, shift)| (*len, usize::MAX - shift)).map(|(_, shift)| shift)
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
    let is_seen = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    decoded.split(|byte| !is_seen(byte)).map(<[u8]>::len).max().unwrap_or(0)
}
