//! One escape of a JSON string (RFC 8259 §7), and the text that it stands for.

use super::blocks::{BLOCK_BYTES, find_interruption, first_of};
use super::regular;
use crate::scan::view::chunk::Table;

/// The longest escape: two halves of a surrogate pair, `\uD83D\uDE00`.
pub(super) const ESCAPE_BYTES: usize = 12;

/// What the bytes from a backslash on are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// The escape ends behind these bytes, or what follows decides about it.
    Cut,
    /// No escape: the backslash stays.
    Invalid,
    /// `taken` bytes stand for `character`.
    Character { character: char, taken: usize },
}

/// What the byte behind the backslash stands for; zero for what is no escape of one byte.
#[expect(clippy::indexing_slicing, reason = "the compiler computes it, and would refuse")]
const SHORT: [u8; 256] = {
    let mut table = [0; 256];
    table[b'n' as usize] = b'\n';
    table[b't' as usize] = b'\t';
    table[b'r' as usize] = b'\r';
    table[b'b' as usize] = 0x08;
    table[b'f' as usize] = 0x0c;
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table[b'/' as usize] = b'/';
    table
};

/// What a backslash and each letter of ASCII stand for, zero for what is no escape; in two halves.
#[inline(always)]
pub(super) fn shorts() -> &'static Table {
    const { &[half(0), half(64)] }
}

#[expect(clippy::indexing_slicing, reason = "the compiler computes it, and would refuse")]
const fn half(from: usize) -> [u8; 64] {
    let (mut half, mut at) = ([0; 64], 0);
    while at < half.len() {
        half[at] = SHORT[from + at];
        at += 1;
    }
    half
}

/// What a backslash and `letter` stand for, if they are an escape.
#[inline(always)]
pub(super) fn short(letter: u8) -> Option<u8> {
    static TABLE: [u8; 256] = SHORT;
    TABLE.get(usize::from(letter)).copied().filter(|byte| *byte != 0)
}

/// What `bytes`, which begin with a backslash, begin with.
pub(super) fn decode(bytes: &[u8]) -> Escape {
    let Some(letter) = bytes.get(1) else { return Escape::Cut };
    if let Some(byte) = short(*letter) {
        return Escape::Character { character: char::from(byte), taken: 2 };
    }
    if *letter != b'u' {
        return Escape::Invalid;
    }
    let unit = match unit(bytes) {
        Ok(unit) => unit,
        Err(not) => return not,
    };
    if let Some(character) = char::from_u32(unit) {
        return Escape::Character { character, taken: 6 };
    }
    let alone = Escape::Character { character: char::REPLACEMENT_CHARACTER, taken: 6 };
    if unit >= 0xdc00 {
        return alone;
    }
    let second = match bytes.get(6..).unwrap_or_default() {
        [] | [b'\\'] => return Escape::Cut,
        second @ [b'\\', b'u', ..] => second,
        _ => return alone,
    };
    match self::unit(second) {
        Err(Escape::Cut) => Escape::Cut,
        Ok(low @ 0xdc00..=0xdfff) => {
            let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            let character = char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER);
            Escape::Character { character, taken: ESCAPE_BYTES }
        }
        Ok(_) | Err(_) => alone,
    }
}

/// The value of each hexadecimal digit; [`NO_DIGIT`] for what is none.
#[expect(clippy::indexing_slicing, reason = "the compiler computes it, and would refuse")]
const DIGITS: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

const NO_DIGIT: u8 = 0xff;

/// The four hexadecimal digits behind `\u`.
#[inline]
fn unit(bytes: &[u8]) -> Result<u32, Escape> {
    let digits = bytes.get(2..).unwrap_or_default();
    let (mut unit, mut all) = (0, 0);
    let mut add = |digit: &u8| {
        let value = DIGITS.get(usize::from(*digit)).copied().unwrap_or(NO_DIGIT);
        all |= value;
        unit = unit << 4 | u32::from(value & 0xf);
    };
    match digits.first_chunk::<4>() {
        Some(digits) => digits.iter().for_each(&mut add),
        None => digits.iter().for_each(&mut add),
    }
    match all {
        NO_DIGIT => Err(Escape::Invalid),
        _ if digits.len() < 4 => Err(Escape::Cut),
        _ => Ok(unit),
    }
}

/// Writes what an escape that nothing follows stands for: as much of it as is whole, the rest as it is.
pub(super) fn write_cut(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.split_at_checked(6) {
        Some((_, second)) => {
            write(char::REPLACEMENT_CHARACTER, out);
            out.extend_from_slice(second);
        }
        None => out.extend_from_slice(bytes),
    }
}

#[inline]
pub(super) fn write(character: char, out: &mut Vec<u8>) {
    // A copy of a known size needs no call.
    match character.encode_utf8(&mut [0; 4]).as_bytes() {
        [byte] => out.push(*byte),
        [a, b] => out.extend_from_slice(&[*a, *b]),
        [a, b, c] => out.extend_from_slice(&[*a, *b, *c]),
        all => out.extend_from_slice(all),
    }
}

/// Appends what the string contents `bytes` stand for, up to the quote that ends them or to an
/// escape that is cut or invalid; says how many bytes were taken.
#[inline]
pub(super) fn copy_text(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    // Most strings of most texts are keys and other short words.
    let mut head = 0;
    for _ in 0..2 {
        let taken = copy_near(bytes.get(head..).unwrap_or_default(), out);
        head += taken;
        if taken < BLOCK_BYTES {
            break;
        }
    }
    if bytes.get(head) == Some(&b'"') {
        return head;
    }
    head + copy_long_text(bytes.get(head..).unwrap_or_default(), out)
}

/// [`copy_text`] of what is longer than a word or has an escape.
fn copy_long_text(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let mut rest = bytes;
    // Behind a long escape the next is near: whole scripts are written in them.
    let mut is_near = false;
    loop {
        let taken = if is_near {
            copy_near(rest, out)
        } else {
            regular::copy(rest, regular::Place::Contents, out).0
        };
        rest = rest.get(taken..).unwrap_or_default();
        match rest {
            [] | [b'"', ..] => break,
            [b'\\', ..] => {
                let Escape::Character { character, taken } = decode(rest) else { break };
                write(character, out);
                rest = rest.get(taken..).unwrap_or_default();
                is_near = taken > 2;
            }
            _ if is_near => is_near = false,
            _ => {
                let len = find_interruption(rest).unwrap_or(rest.len());
                let (text, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                out.extend_from_slice(text);
                rest = behind;
            }
        }
    }
    bytes.len() - rest.len()
}

/// [`copy_text`] of one small block at most, and of no escape.
#[inline]
pub(super) fn copy_near(bytes: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(block) = bytes.first_chunk::<BLOCK_BYTES>() else { return 0 };
    if block.first() == Some(&b'\\') {
        return 0;
    }
    // The whole block is copied before it is looked at: a copy of a known size needs no call.
    out.extend_from_slice(block);
    let len = first_of(block, [b'"', b'\\']).unwrap_or(BLOCK_BYTES);
    out.truncate(out.len() - (BLOCK_BYTES - len));
    len
}

/// Appends what all of a string says.
pub(super) fn unescape(string: &[u8], out: &mut Vec<u8>) {
    let mut rest = string;
    loop {
        let taken = copy_text(rest, out);
        rest = rest.get(taken..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        let taken = match decode(rest) {
            Escape::Cut => {
                write_cut(rest, out);
                rest.len()
            }
            Escape::Invalid => {
                out.push(b'\\');
                1
            }
            Escape::Character { character, taken } => {
                write(character, out);
                taken
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn character(character: char, taken: usize) -> Escape {
        Escape::Character { character, taken }
    }

    #[test]
    fn each_escape_stands_for_its_character() {
        for (escape, expected) in [
            (&br"\n"[..], character('\n', 2)),
            (br"\tx", character('\t', 2)),
            (br"\r", character('\r', 2)),
            (br"\b", character('\u{8}', 2)),
            (br"\f", character('\u{c}', 2)),
            (br"\/", character('/', 2)),
            (br"\\", character('\\', 2)),
            (br#"\""#, character('"', 2)),
            (br"\u0041BC", character('A', 6)),
            (br"\u0000", character('\0', 6)),
            (br"\u20AC", character('€', 6)),
            (br"\uD83D\uDE00", character('😀', 12)),
            (br"\ud83d\ude00!", character('😀', 12)),
        ] {
            assert_eq!(decode(escape), expected, "{}", String::from_utf8_lossy(escape));
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_a_replacement_character() {
        let alone = character(char::REPLACEMENT_CHARACTER, 6);
        for escape in [
            &br"\uDE00"[..],
            br"\uDE00\uD83D",
            br"\uD83Dx",
            br"\uD83D\n",
            br"\uD83D\u0041",
            br"\uD83D\uD83D\uDE00",
            br"\uD83D\u00zz",
        ] {
            assert_eq!(decode(escape), alone, "{}", String::from_utf8_lossy(escape));
        }
    }

    #[test]
    fn what_ends_too_early_is_cut_and_what_is_none_is_invalid() {
        let whole = br"\uD83D\uDE00";
        for len in 1..whole.len() {
            assert_eq!(decode(&whole[..len]), Escape::Cut, "{len}");
        }
        for escape in [&br"\q"[..], br"\u00g0", br"\u0 41", br"\x41", b"\\\n"] {
            assert_eq!(decode(escape), Escape::Invalid);
        }
    }
}
