//! JSON as nearly all of it is, 64 bytes at once: where its strings begin and end, and whether what stands around
//! them fits, comes out of a few numbers with a bit for each byte.
//!
//! What does not fit, and escapes of more than one letter, are left to who reads byte by byte.

use multiversion::multiversion;

use super::escape::short;
use crate::scan::view::lane::{CHUNK_BYTES, Chunk, last_chunk};

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
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub(super) fn pass(bytes: &[u8], place: Place) -> (usize, Place) {
    let mut carry = Carry::new(place);
    let mut at = 0;
    while at < bytes.len() {
        let looked = match chunk(bytes, at) {
            Some(block) => look(block, carry),
            // Blanks change nothing about what comes behind them.
            None => look(&last_chunk(bytes, at), carry),
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
#[multiversion(targets("x86_64+avx2+bmi1+bmi2"))]
pub(super) fn copy(bytes: &[u8], place: Place, out: &mut Vec<u8>) -> (usize, Place) {
    let (taken, outcome) = copy_blocks(bytes, bytes.len(), Carry::new(place), out);
    let carry = match outcome {
        Ok(carry) if taken < bytes.len() => carry,
        Ok(carry) | Err(carry) => return (taken, carry.place()),
    };
    // With blanks behind the end, which say nothing new, there is enough to read.
    let last: [u8; 2 * CHUNK_BYTES + READ_BYTES] = last_chunk(bytes, taken);
    let (last_taken, outcome) = copy_blocks(&last, bytes.len() - taken, carry, out);
    let (Ok(carry) | Err(carry)) = outcome;
    (taken + last_taken, carry.place())
}

/// Appends what the blocks of the first `len` bytes stand for, as far as there is enough to read. Says how many of
/// them were taken, and what comes next; an error, if something is in the way.
#[inline(always)]
fn copy_blocks(
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
            let looked = look_at(read, carry);
            let room = room.get_mut(at - step - dropped..);
            let (Some((escapes, behind)), Some(room)) = (looked, room) else {
                outcome = Err(carry);
                break;
            };
            put_block(read, carry.escaped, room);
            if escapes != 0 {
                let (taken, fewer) = unescape(read, escapes, room);
                dropped += fewer;
                if taken < CHUNK_BYTES {
                    at += taken;
                    carry = Carry::new(Place::String);
                    outcome = Err(carry);
                    break;
                }
            }
            at += CHUNK_BYTES;
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

/// Writes a block as it is, but for the letter of an escape that it begins with.
#[inline(always)]
fn put_block(bytes: &[u8; READ_BYTES], escaped: u64, room: &mut [u8]) {
    let ([letter, ..], Some(block)) = (bytes, bytes.first_chunk()) else { return };
    put(room, 0, block);
    if escaped != 0
        && let (Some(place), Some(byte)) = (room.first_mut(), short(*letter))
    {
        *place = byte;
    }
}

/// Writes what the escapes of a block stand for, and behind each again what follows it: a copy of a fixed size
/// costs less than the question how many bytes are needed. Says how many bytes of the block were taken, all of
/// them unless there is a long escape, and how many of those were dropped.
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
fn look_at(read: &[u8; READ_BYTES], carry: Carry) -> Option<(u64, Carry)> {
    look(read.first_chunk()?, carry)
}

/// The escapes of a block, and what its end says; none if it is not as nearly all JSON is.
#[inline(always)]
fn look(block: &[u8; CHUNK_BYTES], carry: Carry) -> Option<(u64, Carry)> {
    let chunk = Chunk::new(block);
    let backslashes = chunk.mask(|lane| lane.equals(b'\\'));
    let quotes = chunk.mask(|lane| lane.equals(b'"'));
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
    let blanks = between
        & chunk.mask(|lane| {
            let ends = lane.within(b'\t', 2).or(lane.equals(b'\r')).or(lane.equals(0x1e));
            ends.or(lane.equals(b' '))
        });
    // With this bit set, brackets are braces.
    let follow =
        chunk.mask(|lane| lane.small().equals(b'}').or(lane.equals(b',')).or(lane.equals(b':')));
    let open = chunk.mask(|lane| lane.small().equals(b'{'));
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
