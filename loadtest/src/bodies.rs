//! Bodies that never repeat: the clean text over and over, with a new number in each of its slots, so that no
//! `STRETCH_BYTES` in a row are in two bodies, or twice in one. A proxy that remembers what it saw gains nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::meter::monotonic_ns;
use crate::text::{NUMBER_BITS, SLOT_BYTES, Text, words_of};

/// No so many bytes in a row come twice.
pub const STRETCH_BYTES: usize = 512;

/// The clock's step for first numbers: nobody fills a slot in so short a time, so that a process begins above all
/// numbers of those before it.
const NS_A_NUMBER: u64 = 32;

/// Bodies of one side; any thread's.
pub struct Bodies {
    text: Text,
    /// The number of the next slot.
    next: AtomicU64,
}

/// One body, of which the bytes up to `at` have been written.
pub struct Body<'a> {
    text: &'a Text,
    /// The number of the text's first slot; the others count from there, over all its repetitions.
    first: u64,
    at: u64,
    left: u64,
}

impl Bodies {
    /// Those that an origin sends.
    pub fn of_origin(text: Text) -> Bodies {
        Bodies::beginning_at(text, 0)
    }

    /// Those that a client sends: other numbers than any origin's.
    pub fn of_client(text: Text) -> Bodies {
        Bodies::beginning_at(text, 1 << (NUMBER_BITS - 1))
    }

    fn beginning_at(text: Text, side: u64) -> Bodies {
        let clock = (monotonic_ns() / NS_A_NUMBER) & ((1 << (NUMBER_BITS - 1)) - 1);
        Bodies { text, next: AtomicU64::new(side | clock) }
    }

    /// A new body.
    pub fn body(&self, len: u64) -> Body<'_> {
        self.body_from(0, len)
    }

    /// A new body that begins somewhere in the text.
    pub fn body_from(&self, at: u64, len: u64) -> Body<'_> {
        let Text { bytes, slots } = &self.text;
        let (whole, count) = (bytes.len().max(1) as u64, slots.len() as u64);
        let (at, end) = (at % whole, at % whole + len);
        let before = slots.partition_point(|slot| slot + SLOT_BYTES <= at as usize) as u64;
        let in_rest = slots.partition_point(|slot| (*slot as u64) < end % whole) as u64;
        let numbers = (end / whole * count + in_rest).saturating_sub(before);
        let first = self.next.fetch_add(numbers, Ordering::Relaxed).wrapping_sub(before);
        Body { text: &self.text, first, at, left: len }
    }

    /// A new body, whole.
    pub fn whole(&self, len: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(len);
        self.body(len as u64).write(len, &mut out);
        out
    }
}

impl Body<'_> {
    /// What has not been written.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Appends the next bytes, at most so many.
    pub fn write(&mut self, most: usize, out: &mut Vec<u8>) {
        let mut room = most.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        while room > 0 {
            let Text { bytes, slots } = self.text;
            let whole = bytes.len().max(1) as u64;
            let (turn, at) = (self.at / whole, (self.at % whole) as usize);
            let rest = bytes.get(at..).unwrap_or_default();
            let piece = rest.get(..rest.len().min(room)).unwrap_or_default();
            if piece.is_empty() {
                return;
            }
            let start = out.len();
            out.extend_from_slice(piece);
            let first = self.first.wrapping_add(turn * slots.len() as u64);
            fill(out.get_mut(start..).unwrap_or_default(), at, slots, first);
            room -= piece.len();
            self.at += piece.len() as u64;
            self.left -= piece.len() as u64;
        }
    }
}

/// Writes numbers into the slots, and parts of slots, of a piece that begins at `at` of the text.
fn fill(piece: &mut [u8], at: usize, slots: &[usize], first: u64) {
    let from = slots.partition_point(|slot| slot + SLOT_BYTES <= at);
    let end = at + piece.len();
    for (index, slot) in slots.iter().enumerate().skip(from) {
        if *slot >= end {
            return;
        }
        let words = words_of(first.wrapping_add(index as u64));
        let (cut, place) = (at.saturating_sub(*slot), slot.saturating_sub(at));
        let shown = words.get(cut..).unwrap_or_default().iter();
        for (byte, letter) in piece.iter_mut().skip(place).zip(shown) {
            *byte = *letter;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::text;

    /// Adds all stretches of a body, by hashes that roll; whether each was new.
    fn are_new(seen: &mut HashSet<u64>, body: &[u8]) -> bool {
        const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
        let leaving = (0..STRETCH_BYTES).fold(1_u64, |power, _| power.wrapping_mul(BASE));
        let mut hash = 0_u64;
        body.iter().enumerate().all(|(at, byte)| {
            hash = hash.wrapping_mul(BASE).wrapping_add(u64::from(*byte) + 1);
            if let Some(left) = at.checked_sub(STRETCH_BYTES) {
                let left = u64::from(body[left]) + 1;
                hash = hash.wrapping_sub(left.wrapping_mul(leaving));
            }
            at + 1 < STRETCH_BYTES || seen.insert(hash)
        })
    }

    #[test]
    fn no_stretch_of_a_body_comes_twice() {
        let mut seen = HashSet::new();
        let origin = Bodies::of_origin(text::clean());
        let client = Bodies::of_client(text::clean());
        let long = text::TEXT_BYTES + 70_000;
        for bodies in [&origin, &client] {
            for len in [long, 1024, 65_536, 1024, 512] {
                assert!(are_new(&mut seen, &bodies.whole(len)), "{len}");
            }
        }
        let mut out = Vec::new();
        client.body_from(text::TEXT_BYTES as u64 - 100, 4096).write(4096, &mut out);
        assert!(are_new(&mut seen, &out));
        assert!(!are_new(&mut seen, &out), "what is sent again is found");
    }

    #[test]
    fn a_body_is_the_same_in_any_pieces() {
        let bodies = Bodies::of_client(text::clean());
        let (mut body, mut whole) = (bodies.body(3000), Vec::new());
        let first = body.first;
        body.write(3000, &mut whole);
        for piece in [1, 7, 100, 2999] {
            let mut again = Body { first, ..bodies.body(3000) };
            let mut out = Vec::new();
            while again.left() > 0 {
                again.write(piece, &mut out);
            }
            assert_eq!(out, whole, "pieces of {piece}");
        }
    }

    #[test]
    fn whole_lines_of_a_body_are_json() {
        let bodies = Bodies::of_origin(text::clean());
        let body = String::from_utf8(bodies.whole(2 * text::TEXT_BYTES)).unwrap();
        let (lines, _cut) = body.rsplit_once('\n').unwrap();
        for line in lines.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}
