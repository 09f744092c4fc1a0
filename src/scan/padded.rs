//! Bytes that may be given to the engine: a slice with readable memory behind its end.
//!
//! Hyperscan 5.4.0 reads past the end of its input on CPUs with AVX-512 VBMI. What it reads there
//! never changes a match, but it must be readable. These types are the only way into the scanner.

use std::ops::Range;

use crate::limits::SCAN_PADDING_BYTES;

/// Bytes with at least [`SCAN_PADDING_BYTES`] readable bytes (of any content) behind their end.
#[derive(Clone, Copy, Debug)]
pub struct Padded<'a> {
    /// The bytes and whatever is readable behind them.
    readable: &'a [u8],
    /// How many of them are to be scanned.
    len: usize,
}

/// No byte at all.
const NOTHING: Padded<'static> = Padded { readable: &[0; SCAN_PADDING_BYTES], len: 0 };

impl Default for Padded<'_> {
    fn default() -> Self {
        NOTHING
    }
}

impl<'a> Padded<'a> {
    /// The `range` of `backing`, if enough of `backing` follows it.
    pub fn new(backing: &'a [u8], range: Range<usize>) -> Option<Self> {
        let len = range.end.checked_sub(range.start)?;
        let readable = backing.get(range.start..)?;
        let needed = len.checked_add(SCAN_PADDING_BYTES)?;
        (readable.len() >= needed).then_some(Self { readable, len })
    }

    /// The bytes to scan.
    pub fn bytes(&self) -> &'a [u8] {
        self.readable.get(..self.len).unwrap_or_default()
    }

    /// How many bytes there are to scan.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to scan.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A part of these bytes. What follows it is readable, so it is padded as well.
    pub fn slice(&self, range: Range<usize>) -> Option<Padded<'a>> {
        if range.end > self.len {
            return None;
        }
        Padded::new(self.readable, range)
    }

    /// These bytes in windows of at most `window_bytes` each (at least 1).
    pub(super) fn windows(self, window_bytes: usize) -> impl Iterator<Item = Padded<'a>> {
        let step = window_bytes.max(1);
        (0..self.len)
            .step_by(step)
            .filter_map(move |start| self.slice(start..self.len.min(start.saturating_add(step))))
    }
}

/// A reusable copy for bytes that have no room behind them.
#[derive(Debug, Default)]
pub struct PaddedBuffer {
    bytes: Vec<u8>,
}

impl PaddedBuffer {
    /// An empty one; it grows to the largest slice it is given and keeps that room.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies `bytes`, and gives the padded copy.
    pub fn fill(&mut self, bytes: &[u8]) -> Padded<'_> {
        self.bytes.clear();
        self.bytes.reserve_exact(bytes.len().saturating_add(SCAN_PADDING_BYTES));
        self.bytes.extend_from_slice(bytes);
        self.padded()
    }

    /// The buffer, emptied, to be written into; then [`PaddedBuffer::padded`] gives what was written.
    pub(super) fn begin(&mut self) -> &mut Vec<u8> {
        self.bytes.clear();
        &mut self.bytes
    }

    /// What was written since [`PaddedBuffer::begin`].
    pub(super) fn padded(&mut self) -> Padded<'_> {
        let len = self.bytes.len();
        self.bytes.extend_from_slice(&[0; SCAN_PADDING_BYTES]);
        Padded { readable: &self.bytes, len }
    }

    /// Adds to what was written.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What was written since [`PaddedBuffer::begin`].
    pub(super) fn written(&self) -> &[u8] {
        &self.bytes
    }

    /// How much it can hold without growing.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_at_the_bound_is_enough_and_one_less_is_refused() {
        let backing = vec![7; 10 + SCAN_PADDING_BYTES];
        assert_eq!(Padded::new(&backing, 0..10).unwrap().len(), 10);
        assert!(Padded::new(&backing, 0..11).is_none());
        assert!(Padded::new(&backing, 10..10).is_some());
        assert!(Padded::new(&backing, 11..11).is_none());
        assert!(Padded::new(&[0; SCAN_PADDING_BYTES - 1], 0..0).is_none());
    }

    #[test]
    fn senseless_ranges_are_refused() {
        let backing = vec![0; 200];
        #[allow(clippy::reversed_empty_ranges)]
        let reversed = 5..4;
        assert!(Padded::new(&backing, reversed).is_none());
        assert!(Padded::new(&backing, 0..usize::MAX).is_none());
        assert!(Padded::new(&backing, 300..300).is_none());
    }

    #[test]
    fn a_slice_never_reaches_into_the_padding() {
        let backing: Vec<u8> = (0..=255).collect();
        let padded = Padded::new(&backing, 10..100).unwrap();
        let part = padded.slice(5..90).unwrap();
        assert_eq!(part.bytes(), &backing[15..100]);
        assert!(padded.slice(5..91).is_none());
        assert!(part.slice(0..86).is_none());
    }

    #[test]
    fn windows_cover_everything_once() {
        let backing: Vec<u8> = (0..200).collect();
        let padded = Padded::new(&backing, 3..103).unwrap();
        for window_bytes in [1, 7, 50, 99, 100, 101, usize::MAX] {
            let joined: Vec<u8> =
                padded.windows(window_bytes).flat_map(|w| w.bytes().to_vec()).collect();
            assert_eq!(joined, padded.bytes());
            assert!(padded.windows(window_bytes).all(|w| w.len() <= window_bytes));
        }
        assert_eq!(padded.slice(0..0).unwrap().windows(8).count(), 0);
    }

    #[test]
    fn a_refilled_buffer_holds_only_the_new_bytes() {
        let mut buffer = PaddedBuffer::new();
        assert_eq!(buffer.fill(b"a longer first filling").bytes(), b"a longer first filling");
        let again = buffer.fill(b"short");
        assert_eq!(again.bytes(), b"short");
        assert!(again.readable.len() >= 5 + SCAN_PADDING_BYTES);
        assert!(buffer.fill(b"").is_empty());
    }
}
