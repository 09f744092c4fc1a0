//! JSON as nearly all of it is, 64 bytes at once: where its strings begin and end, and whether what stands around
//! them fits, comes out of a few numbers with a bit for each byte.
//!
//! What does not fit, and escapes of more than one letter, are left to who reads byte by byte.

use fearless_simd::{Simd, dispatch};

use super::escape::{short, shorts};
use crate::scan::view::chunk::{CHUNK_BYTES, Chunk, has_wide_tables, last_chunk, level};

/// So much is written before its room is asked for again.
const STEP_BYTES: usize = 16 * CHUNK_BYTES;

/// What the bytes so far say about the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a string.
    String,
    /// In a string of which only what it says is wanted: its end is left.
    Contents,
    /// Behind a string, or blanks behind one.
    Behind,
    /// Between strings; `fits`: a string may begin here.
    Between { fits: bool },
}

/// The same, as it goes from block to block.
#[derive(Clone, Copy)]
struct Carry {
    /// All bits, in a string.
    string: u64,
    /// All bits, where the end of a string is left.
    stays: u64,
    /// The lowest bit: something that a string may follow was the last but blanks.
    fits: u64,
    /// The lowest bit: a string was the last but blanks.
    behind: u64,
    /// The lowest bit: the first byte is the letter of an escape.
    escaped: u64,
}

impl Carry {
    fn new(place: Place) -> Carry {
        let none = Carry { string: 0, stays: 0, fits: 0, behind: 0, escaped: 0 };
        match place {
            Place::String => Carry { string: u64::MAX, ..none },
            Place::Contents => Carry { string: u64::MAX, stays: u64::MAX, ..none },
            Place::Behind => Carry { behind: 1, ..none },
            Place::Between { fits } => Carry { fits: u64::from(fits), ..none },
        }
    }

    fn place(self) -> Place {
        if self.string != 0 {
            Place::String
        } else if self.behind != 0 {
            Place::Behind
        } else {
            Place::Between { fits: self.fits != 0 }
        }
    }
}

/// Passes blocks without escapes; says how many bytes, and what comes behind them.
pub(super) fn pass(bytes: &[u8], place: Place) -> (usize, Place) {
    dispatch!(level(), simd => pass_by(simd, bytes, place))
}

#[inline(always)]
fn pass_by(simd: impl Simd, bytes: &[u8], place: Place) -> (usize, Place) {
    let mut carry = Carry::new(place);
    let mut at = 0;
    while at < bytes.len() {
        let looked = match chunk(bytes, at) {
            Some(block) => look(Chunk::new(simd, block), carry),
            // Blanks change nothing about what comes behind them.
            None => look(Chunk::new(simd, &last_chunk(bytes, at)), carry),
        };
        match looked {
            Some((0, behind)) => carry = behind,
            _ => break,
        }
        at += CHUNK_BYTES;
    }
    (at.min(bytes.len()), carry.place())
}

/// Appends what blocks stand for, up to a long escape, or to one that is cut or invalid; says how many
/// bytes were taken, and what comes behind them.
pub(super) fn copy(bytes: &[u8], place: Place, out: &mut Vec<u8>) -> (usize, Place) {
    dispatch!(level(), simd => copy_by(simd, bytes, place, out))
}

#[inline(always)]
fn copy_by(simd: impl Simd, bytes: &[u8], place: Place, out: &mut Vec<u8>) -> (usize, Place) {
    let (taken, outcome) = copy_blocks(simd, bytes, bytes.len(), Carry::new(place), out);
    let carry = match outcome {
        Ok(carry) if taken < bytes.len() => carry,
        Ok(carry) | Err(carry) => return (taken, carry.place()),
    };
    // With blanks behind the end, which say nothing new, there is enough to read.
    let last: [u8; 2 * CHUNK_BYTES + READ_BYTES] = last_chunk(bytes, taken);
    let (last_taken, outcome) = copy_blocks(simd, &last, bytes.len() - taken, carry, out);
    let (Ok(carry) | Err(carry)) = outcome;
    (taken + last_taken, carry.place())
}

/// Appends what the blocks of the first `len` bytes stand for, as far as there is enough to read. Says how many of
/// them were taken, and what comes next; an error, if something is in the way.
#[inline(always)]
fn copy_blocks(
    simd: impl Simd,
    bytes: &[u8],
    len: usize,
    carry: Carry,
    out: &mut Vec<u8>,
) -> (usize, Result<Carry, Carry>) {
    let (mut at, mut outcome) = (0, Ok(carry));
    while let Ok(mut carry) = outcome
        && at < len
        && at + READ_BYTES <= bytes.len()
    {
        let (step, before) = (at, out.len());
        // A block, and one more for what is behind an escape.
        out.resize(before + STEP_BYTES.min(len - at) + 3 * CHUNK_BYTES, 0);
        let room = out.get_mut(before..).unwrap_or_default();
        let mut dropped = 0;
        while at < len.min(step + STEP_BYTES) {
            let Some(read) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { break };
            let looked = look_at(simd, read, carry);
            let room = room.get_mut(at - step - dropped..);
            let (Some((escapes, behind)), Some(room)) = (looked, room) else {
                outcome = Err(carry);
                break;
            };
            let (taken, fewer) = put_block(simd, read, escapes, carry.escaped, room);
            dropped += fewer;
            at += taken;
            if taken < CHUNK_BYTES {
                carry = Carry::new(Place::String);
                outcome = Err(carry);
                break;
            }
            carry = behind;
        }
        // The letter of an escape at the end of the last block stands there already.
        at = len.min(at + std::mem::take(&mut carry.escaped) as usize);
        out.truncate(before + at - step - dropped);
        outcome = outcome.map(|_| carry);
    }
    (at, outcome)
}

/// What is read to unescape one block: it, the letter of an escape at its end, and a block behind that.
const READ_BYTES: usize = 2 * CHUNK_BYTES + 1;

/// Writes what a block stands for. Says how many of its bytes were taken, all of them unless there is a long escape,
/// and how many of those were dropped.
#[inline(always)]
fn put_block(
    simd: impl Simd,
    bytes: &[u8; READ_BYTES],
    escapes: u64,
    escaped: u64,
    room: &mut [u8],
) -> (usize, usize) {
    if escapes != 0
        && has_wide_tables(simd)
        && let Some(dropped) = unescape_at_once(simd, bytes, escapes, escaped, room)
    {
        return (CHUNK_BYTES, dropped);
    }
    let ([letter, ..], Some(block)) = (bytes, bytes.first_chunk()) else { return (0, 0) };
    put(room, 0, block);
    if escaped != 0
        && let (Some(place), Some(byte)) = (room.first_mut(), short(*letter))
    {
        *place = byte;
    }
    unescape(bytes, escapes, room)
}

/// The same for a block of which every escape is short and ends in it, for processors that can do it without a look at
/// each; says how many bytes were dropped.
#[inline(always)]
fn unescape_at_once<S: Simd>(
    simd: S,
    bytes: &[u8; READ_BYTES],
    escapes: u64,
    escaped: u64,
    room: &mut [u8],
) -> Option<usize> {
    let chunk = Chunk::new(simd, bytes.first_chunk()?);
    let letters = escapes << 1 | escaped;
    let meant = chunk.looked_up(shorts());
    let unknown = meant.equals(0).mask() & letters;
    if unknown | escapes >> 63 != 0 {
        return None;
    }
    chunk.replaced(letters, meant).kept(!escapes).store(room.first_chunk_mut()?);
    Some(escapes.count_ones() as usize)
}

/// Writes what the escapes of a block stand for, and behind each again what follows it: a copy of a fixed size
/// costs less than the question how many bytes are needed.
#[inline(always)]
fn unescape(bytes: &[u8; READ_BYTES], escapes: u64, room: &mut [u8]) -> (usize, usize) {
    let (mut escapes, mut dropped) = (escapes, 0);
    while escapes != 0 {
        let at = escapes.trailing_zeros() as usize;
        let byte = bytes.get(at + 1).copied().and_then(short);
        let (Some(byte), Some(behind)) = (byte, chunk(bytes, at + 2)) else {
            return (at, dropped);
        };
        if let Some([place, room @ ..]) = room.get_mut(at - dropped..) {
            *place = byte;
            put(room, 0, behind);
        }
        escapes &= escapes - 1;
        dropped += 1;
    }
    (CHUNK_BYTES, dropped)
}

#[inline(always)]
fn look_at(simd: impl Simd, read: &[u8; READ_BYTES], carry: Carry) -> Option<(u64, Carry)> {
    look(Chunk::new(simd, read.first_chunk()?), carry)
}

/// The escapes of a block, and what its end says; none if it is not as nearly all JSON is.
#[inline(always)]
fn look(chunk: Chunk<impl Simd>, carry: Carry) -> Option<(u64, Carry)> {
    let backslashes = chunk.equals(b'\\').mask();
    let quotes = chunk.equals(b'"').mask();
    let (escapes, escaped) = escapes(backslashes, carry.escaped);
    let behind_escape = escapes >> 63;
    let quotes = quotes & !escaped;
    if quotes == 0 && carry.string != 0 {
        return Some((escapes, Carry { escaped: behind_escape, ..carry }));
    }
    if carry.stays != 0 {
        return None;
    }
    let strings = prefix_xor(quotes) ^ carry.string;
    let between = !strings;
    if backslashes & between != 0 {
        return None;
    }
    let ends = chunk.within(b'\t', 2).or(chunk.equals(b'\r')).or(chunk.equals(0x1e));
    let blanks = between & ends.or(chunk.equals(b' ')).mask();
    // With this bit set, brackets are braces.
    let signs = chunk.equals(b',').or(chunk.equals(b':'));
    let follow = chunk.small().equals(b'}').or(signs).mask();
    let open = chunk.small().equals(b'{').mask();
    let (begins, fits) = behind_blanks((follow | open) & between, carry.fits, blanks);
    let (ends, behind) = behind_blanks(quotes & between, carry.behind, blanks);
    if quotes & strings & !begins != 0 || ends & !follow != 0 {
        return None;
    }
    let string = (strings.cast_signed() >> 63).cast_unsigned();
    Some((escapes, Carry { string, stays: 0, fits, behind, escaped: behind_escape }))
}

/// What stands behind each of these bytes, and behind the blanks that follow it; and whether that is the next
/// block's first byte, or one behind blanks there.
#[inline(always)]
fn behind_blanks(bytes: u64, before: u64, blanks: u64) -> (u64, u64) {
    let next = bytes << 1 | before;
    // The sum carries on over a row of blanks to what is behind it.
    let (sum, is_over) = (next & blanks).overflowing_add(blanks);
    ((next | sum) & !blanks, bytes >> 63 | u64::from(is_over))
}

/// The backslashes that begin an escape, and the bytes behind those, of which the first may be one.
#[inline(always)]
fn escapes(backslashes: u64, escaped: u64) -> (u64, u64) {
    const ODD: u64 = 0xAAAA_AAAA_AAAA_AAAA;
    // Of a row of backslashes, each second one is an escaped one: taking the row away from every second bit
    // leaves the other bits of it, from its first on.
    let rows = backslashes & !escaped;
    let every_second = (rows << 1 | ODD).wrapping_sub(rows) ^ ODD;
    (every_second & backslashes, every_second ^ (backslashes | escaped))
}

/// For each bit, whether the bits up to it are odd in number.
#[inline(always)]
fn prefix_xor(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, by| bits ^ bits << by)
}

#[inline(always)]
fn put(room: &mut [u8], at: usize, block: &[u8; CHUNK_BYTES]) {
    if let Some(place) = room.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = *block;
    }
}

#[inline(always)]
fn chunk(bytes: &[u8], at: usize) -> Option<&[u8; CHUNK_BYTES]> {
    bytes.get(at..)?.first_chunk()
}

#[cfg(test)]
mod tests {
    use fearless_simd::Level;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn text_is_unescaped_the_same_by_every_processor(
            parts in proptest::collection::vec(
                prop_oneof![
                    4 => "[a-z é]{0,40}",
                    3 => r#"(\\["\\/bfnrt]){1,9}"#,
                    1 => r#"\\[a-zéu]|\\u00e9|",? ?"?"#,
                ],
                0..12,
            ),
            is_in_string: bool,
        ) {
            let text = parts.concat();
            let place = if is_in_string { Place::String } else { Place::Between { fits: true } };
            let copied = |level| {
                let mut out = Vec::new();
                let taken =
                    dispatch!(level, simd => copy_by(simd, text.as_bytes(), place, &mut out));
                (taken, out)
            };
            prop_assert_eq!(copied(level()), copied(Level::baseline()));
        }
    }
}
