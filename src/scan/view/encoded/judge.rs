//! Whether an encoded text is worth decoding: its first bytes must be text, or say that they are packed
//! text. Pictures, keys, hashes and long names are told apart within a few bytes.

use super::Kind;
use super::alphabet::{BASE32, BASE64, HEX, NO_DIGIT, value};

/// Decoded bytes that are judged.
const HEAD_MAX_BYTES: usize = 24;
/// What a head that is text must have at least.
const HEAD_MIN_BYTES: usize = 9;
/// The least digits of a text in base32 or hex: shorter ones are words and numbers.
pub const SHORT_ALPHABET_MIN_DIGITS: usize = 24;
/// The least digits of a text in base64.
pub const BASE64_MIN_DIGITS: usize = 12;

/// The kind of the encoded text that `text` begins with, if it is worth decoding.
#[inline]
pub fn judge(text: &[u8]) -> Option<Kind> {
    let (first, _) = text.split_first_chunk::<4>()?;
    let base64 = opens_base64(first);
    let base32 = opens_base32(first);
    let hex = opens_hex(first);
    if base64 | base32 | hex { judge_head(text, [hex, base32, base64]) } else { None }
}

/// The first of hex, base32 and base64 that makes a readable head, of those that are asked for.
#[inline(never)]
fn judge_head(text: &[u8], [hex, base32, base64]: [bool; 3]) -> Option<Kind> {
    let digits = text.strip_prefix(b"0x").unwrap_or(text);
    if hex && is_readable::<4>(digits, &HEX, SHORT_ALPHABET_MIN_DIGITS) {
        return Some(Kind::Hex);
    }
    // Base32 is written in one case, and base64 in both: `<* ` in base64 is the head of packed bytes in base32.
    if base32 && is_of_one_case(text) && is_readable::<5>(text, &BASE32, SHORT_ALPHABET_MIN_DIGITS)
    {
        return Some(Kind::Base32);
    }
    (base64 && is_readable::<6>(text, &BASE64, BASE64_MIN_DIGITS)).then_some(Kind::Base64)
}

/// Whether the digits that make a text of base32 are in one case.
fn is_of_one_case(text: &[u8]) -> bool {
    let head = text.get(..SHORT_ALPHABET_MIN_DIGITS).unwrap_or(text);
    !(head.iter().any(u8::is_ascii_lowercase) && head.iter().any(u8::is_ascii_uppercase))
}

/// Bytes that text has; all of a character beyond ASCII.
static IS_TEXT: [bool; 256] = text_bytes();

const fn text_bytes() -> [bool; 256] {
    let mut table = [false; 256];
    let mut rest = table.as_mut_slice();
    let mut byte = 0_u8;
    while let [place, more @ ..] = rest {
        *place = matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r' | 0x80..=0xBF | 0xC2..=0xF4);
        rest = more;
        byte = byte.wrapping_add(1);
    }
    table
}

#[inline(always)]
pub fn is_text_byte(byte: u8) -> bool {
    IS_TEXT.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Whether the first four digits may begin a text, UTF-16, or something packed.
#[inline(always)]
fn opens_base64(first: &[u8; 4]) -> bool {
    let [a, b, c, d] = first.map(|byte| u32::from(value(&BASE64, byte)));
    let [_, first, second, third] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
    let is_plain = is_text_byte(first)
        & !matches!(first, 0x80..=0xBF)
        & is_text_byte(second)
        & is_text_byte(third);
    let is_wide = second == 0 || first == 0 && third == 0;
    // Flags of a query of DNS, behind its id.
    let is_query = third == 1;
    is_plain || is_wide || is_query || is_packed(first, second)
}

/// Whether two bytes begin a format in which text is packed, or UTF-16.
#[inline(always)]
fn is_packed(first: u8, second: u8) -> bool {
    matches!(
        (first, second),
        (0x1F, 0x8B)
            | (b'P', b'K')
            | (0x28, 0xB5)
            | (0x78, 0x9C | 0xDA)
            | (0xFD, b'7')
            | (b'B', b'Z')
            | (0xFF, 0xFE)
            | (0xFE, 0xFF)
    )
}

#[inline(always)]
fn opens_base32(first: &[u8; 4]) -> bool {
    let [a, b, c, d] = first.map(|byte| u32::from(value(&BASE32, byte)));
    let bits = a << 15 | b << 10 | c << 5 | d;
    let (first, second) = ((bits >> 12) as u8, (bits >> 4) as u8);
    bits < 1 << 20 && (is_text_byte(first) && is_text_byte(second) || is_packed(first, second))
}

#[inline(always)]
fn opens_hex(first: &[u8; 4]) -> bool {
    let [a, b, c, d] = first.map(|byte| value(&HEX, byte));
    let is_hex = a | b | c | d;
    let (first, second) = (a << 4 | b & 0xF, c << 4 | d & 0xF);
    let is_open = is_text_byte(first) && is_text_byte(second) || is_packed(first, second);
    is_hex <= 0xF && (is_open || second == 0 || first == 0)
        || a == 0 && b == NO_DIGIT && c <= 0xF && d <= 0xF
}

/// Whether the digits that `text` begins with, of `BITS` bits each, make a readable head.
fn is_readable<const BITS: u32>(text: &[u8], alphabet: &[u8; 256], digits_min: usize) -> bool {
    let mut head = [0; HEAD_MAX_BYTES];
    let mut places = head.iter_mut();
    let (mut bits, mut held, mut digits, mut bytes) = (0_u32, 0, 0, 0);
    for byte in text {
        let digit = value(alphabet, *byte);
        if digit == NO_DIGIT {
            break;
        }
        (bits, held, digits) = (bits << BITS | u32::from(digit), held + BITS, digits + 1);
        if held >= 8 {
            held -= 8;
            let Some(place) = places.next() else { break };
            *place = (bits >> held) as u8;
            bytes += 1;
        }
    }
    digits >= digits_min && is_worth_reading(head.get(..bytes).unwrap_or_default())
}

/// Whether bytes are text, UTF-16, or the head of packed text, of a document or of a query of DNS.
fn is_worth_reading(head: &[u8]) -> bool {
    const PACKED: [&[u8]; 9] = [
        b"\x1F\x8B\x08",
        b"PK\x03\x04",
        b"\x28\xB5\x2F\xFD",
        b"\x78\x9C",
        b"\x78\xDA",
        b"\xFD7zXZ\0",
        b"BZh91AY",
        b"BZh61AY",
        b"%PDF-",
    ];
    if head.len() < HEAD_MIN_BYTES {
        return false;
    }
    PACKED.iter().any(|magic| head.starts_with(magic))
        || is_text(head)
        || is_utf16(head)
        || is_dns_query(head)
}

/// Whether bytes are the head of a message of DNS that asks for one name: an id, flags, counts.
fn is_dns_query(head: &[u8]) -> bool {
    matches!(head, [_, _, 1, 0 | 0x20, 0, 1, 0, 0, 0, 0, 0, 0 | 1, 1..=63, ..])
}

/// Whether all bytes are printable UTF-8, a character cut at the end allowed.
pub fn is_text(bytes: &[u8]) -> bool {
    let is_control = |byte: &u8| matches!(byte, 0..=8 | 0xB | 0xC | 0xE..=0x1F | 0x7F);
    if bytes.iter().any(is_control) {
        return false;
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

/// Whether every second byte is NUL and the others are text of ASCII.
pub fn is_utf16(bytes: &[u8]) -> bool {
    let bytes = bytes
        .strip_prefix(b"\xFF\xFE")
        .or_else(|| bytes.strip_prefix(b"\xFE\xFF"))
        .unwrap_or(bytes);
    let (pairs, _) = bytes.as_chunks::<2>();
    let is_seen = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    let all = |test: fn([u8; 2]) -> (u8, u8)| {
        pairs.iter().all(|pair| {
            let (text, nul) = test(*pair);
            nul == 0 && is_seen(text)
        })
    };
    pairs.len() >= 4 && (all(|[text, nul]| (text, nul)) || all(|[nul, text]| (text, nul)))
}
