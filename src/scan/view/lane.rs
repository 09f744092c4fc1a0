//! Sixteen bytes compared at once, and what 64 of them give as one bit mask.
//!
//! On x86-64 these are SSE2 instructions, which every such CPU has, on ARM those of NEON. Functions that step
//! over whole texts are compiled for AVX2 too; which of the two runs is decided when it is called.

use wide::u8x16;

/// Bytes of one mask.
pub const CHUNK_BYTES: usize = 64;
/// Bytes of one lane.
pub const LANE_BYTES: usize = 16;

/// Sixteen bytes, or sixteen answers (0xFF: yes).
#[derive(Clone, Copy)]
pub struct Lane(u8x16);

impl Lane {
    #[inline(always)]
    pub fn load(bytes: &[u8; LANE_BYTES]) -> Self {
        Self(u8x16::new(*bytes))
    }

    #[inline(always)]
    pub fn equals(self, byte: u8) -> Self {
        Self(self.0.simd_eq(u8x16::splat(byte)))
    }

    #[inline(always)]
    pub fn same_as(self, other: Self) -> Self {
        Self(self.0.simd_eq(other.0))
    }

    /// Which bytes are of `first..first + len`.
    #[inline(always)]
    pub fn within(self, first: u8, len: u8) -> Self {
        Self((self.0 - u8x16::splat(first)).simd_lt(u8x16::splat(len)))
    }

    /// Which bytes are NUL or above 0x80; only the top bit of the answer counts.
    #[inline(always)]
    pub fn high_or_nul(self) -> Self {
        Self(self.0 - u8x16::splat(1))
    }

    /// Which bytes are below `byte` or above 0x7F; only the top bit of the answer counts.
    #[inline(always)]
    pub fn below_or_high(self, byte: u8) -> Self {
        Self((self.0 - u8x16::splat(byte)) | self.0)
    }

    /// Every byte with these bits set.
    #[inline(always)]
    pub fn with_bits(self, bits: u8) -> Self {
        Self(self.0 | u8x16::splat(bits))
    }

    /// Letters made small (other bytes change as well).
    #[inline(always)]
    pub fn small(self) -> Self {
        Self(self.0 | u8x16::splat(0x20))
    }

    #[inline(always)]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The top bits of the sixteen bytes, the first byte's lowest.
    #[inline(always)]
    pub fn mask(self) -> u16 {
        self.0.to_bitmask() as u16
    }
}

/// 64 bytes that are asked together. They are loaded anew for each question: that costs less than
/// keeping them where there are few registers.
#[derive(Clone, Copy)]
pub struct Chunk<'a>(&'a [u8; CHUNK_BYTES]);

impl<'a> Chunk<'a> {
    #[inline(always)]
    pub fn new(bytes: &'a [u8; CHUNK_BYTES]) -> Self {
        Self(bytes)
    }

    #[inline(always)]
    pub fn bytes(self) -> &'a [u8; CHUNK_BYTES] {
        self.0
    }

    /// One bit for each byte whose answer is yes, the first byte's lowest.
    #[inline(always)]
    pub fn mask(self, question: impl Fn(Lane) -> Lane) -> u64 {
        let (lanes, _) = self.0.as_chunks::<LANE_BYTES>();
        let [a, b, c, d] = lanes else { return 0 };
        let answer = |bytes| u64::from(question(Lane::load(bytes)).mask());
        answer(a) | answer(b) << 16 | answer(c) << 32 | answer(d) << 48
    }
}

/// The bytes at `at`, filled up with blanks behind the end of `text`.
#[inline]
pub fn last_chunk<const BYTES: usize>(text: &[u8], at: usize) -> [u8; BYTES] {
    let mut chunk = [b' '; BYTES];
    let rest = text.get(at..).unwrap_or_default();
    for (place, byte) in chunk.iter_mut().zip(rest) {
        *place = *byte;
    }
    chunk
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_mask_has_the_bit_of_every_byte_that_is_asked_for(
            bytes in proptest::array::uniform32(any::<u8>()), byte: u8, len in 1_u8..,
        ) {
            let mut block = [0; CHUNK_BYTES];
            block[..32].copy_from_slice(&bytes);
            block[32..].copy_from_slice(&bytes);
            let chunk = Chunk::new(&block);
            for (at, own) in block.iter().enumerate() {
                let bit = |mask: u64| mask >> at & 1 == 1;
                prop_assert_eq!(bit(chunk.mask(|lane| lane.equals(byte))), *own == byte);
                let is_within = own.wrapping_sub(byte) < len;
                prop_assert_eq!(bit(chunk.mask(|lane| lane.within(byte, len))), is_within);
                prop_assert_eq!(bit(chunk.mask(|lane| lane)), *own >= 0x80);
                let is_below_or_high = *own < byte || *own >= 0x80;
                let others = chunk.mask(|lane| lane.below_or_high(byte));
                prop_assert!(byte >= 0x80 || bit(others) == is_below_or_high);
                let small = chunk.mask(|lane| lane.small().equals(byte));
                prop_assert_eq!(bit(small), *own | 0x20 == byte);
            }
        }
    }

    #[test]
    fn the_last_chunk_is_filled_up_with_blanks() {
        let chunk: [u8; CHUNK_BYTES] = last_chunk(b"abcdef", 4);
        assert_eq!(&chunk[..3], b"ef ");
        assert!(chunk[2..].iter().all(|byte| *byte == b' '));
        assert_eq!(last_chunk(b"ab", 7), [b' '; CHUNK_BYTES]);
    }
}
