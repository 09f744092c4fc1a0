//! The alphabets of encoded text, and what stands between its lines.

use crate::scan::view::lane::Lane;

/// What is no digit of an alphabet.
pub const NO_DIGIT: u8 = 0xFF;

/// The values of base64's digits, of the standard and of the URL-safe alphabet.
pub static BASE64: [u8; 256] = digits(&[
    (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 0),
    (b"abcdefghijklmnopqrstuvwxyz", 26),
    (b"0123456789", 52),
    (b"+/", 62),
    (b"-_", 62),
]);

/// The values of base32's digits (RFC 4648 §6), large or small.
pub static BASE32: [u8; 256] =
    digits(&[(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 0), (b"abcdefghijklmnopqrstuvwxyz", 0)]);

/// The values of hexadecimal digits.
pub static HEX: [u8; 256] = digits(&[(b"0123456789ABCDEF", 0), (b"abcdef", 10)]);

const fn digits(rows: &[(&[u8], u8)]) -> [u8; 256] {
    let mut values = [NO_DIGIT; 256];
    let mut rows = rows;
    while let [(row, first), more @ ..] = rows {
        let (mut row, mut value) = (*row, *first);
        while let [digit, rest @ ..] = row {
            // A byte is always a place of the table; `get_mut` cannot be used in a constant.
            let (_, tail) = values.split_at_mut(*digit as usize);
            if let [place, ..] = tail {
                *place = value;
            }
            (row, value) = (rest, value + 1);
        }
        rows = more;
    }
    values
}

/// The value of a digit, or `NO_DIGIT`.
#[inline(always)]
pub fn value(alphabet: &[u8; 256], byte: u8) -> u8 {
    alphabet.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT)
}

/// Whether a byte is a digit of base64.
#[inline(always)]
pub fn is_base64(byte: u8) -> bool {
    value(&BASE64, byte) != NO_DIGIT
}

/// Which bytes are digits of base64.
#[inline(always)]
pub fn base64_digits(lane: Lane) -> Lane {
    let letters = lane.small().within(b'a', 26);
    // From the slash to the nine; the underscore is small, if not a letter.
    let digits = lane.within(b'/', 11).or(lane.equals(b'_'));
    letters.or(digits).or(lane.equals(b'+').or(lane.equals(b'-')))
}

/// The longest break between two lines of one encoded text: escapes and an indentation.
pub const BREAK_MAX_BYTES: usize = 24;

/// The length of the line break that `text` begins with: LF or CRLF, as they are or as escapes, and the
/// indentation behind it.
#[inline]
pub fn line_break(text: &[u8]) -> Option<usize> {
    if !matches!(text.first()?, b'\n' | b'\r' | b'\\') {
        return None;
    }
    let mut len = 0;
    let mut has_end = false;
    while let Some(rest) = text.get(len..BREAK_MAX_BYTES.min(text.len())) {
        let slashes = rest.iter().take(3).take_while(|byte| **byte == b'\\').count();
        let (taken, is_end) = match (slashes, rest.get(slashes)) {
            (0, Some(b'\n')) => (1, true),
            (0, Some(b'\r')) => (1, false),
            (0, Some(b' ' | b'\t')) if has_end => (1, false),
            (1.., Some(b'n')) => (slashes + 1, true),
            (1.., Some(b'r')) => (slashes + 1, false),
            _ => break,
        };
        len += taken;
        has_end |= is_end;
    }
    has_end.then_some(len)
}
