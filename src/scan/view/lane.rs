//! Sixteen bytes compared at once: for a look at one place. Who steps over whole texts takes a `Chunk`.
//!
//! On x86-64 these are SSE2 instructions, which every such CPU has, on ARM those of NEON.

use wide::u8x16;

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

    /// Which bytes are of `first..first + len`.
    #[inline(always)]
    pub fn within(self, first: u8, len: u8) -> Self {
        Self((self.0 - u8x16::splat(first)).simd_lt(u8x16::splat(len)))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_mask_has_the_bit_of_every_byte_that_is_asked_for(
            bytes in proptest::array::uniform32(any::<u8>()), byte: u8, len in 1_u8..,
        ) {
            let block: &[u8; LANE_BYTES] = bytes.first_chunk().unwrap();
            let lane = Lane::load(block);
            for (at, own) in block.iter().enumerate() {
                let bit = |answer: Lane| answer.mask() >> at & 1 == 1;
                prop_assert_eq!(bit(lane.equals(byte)), *own == byte);
                prop_assert_eq!(bit(lane.within(byte, len)), own.wrapping_sub(byte) < len);
                prop_assert_eq!(bit(lane), *own >= 0x80);
                prop_assert_eq!(bit(lane.small().equals(byte)), *own | 0x20 == byte);
            }
        }
    }
}
