//! 64 bytes compared at once, and the answers as one number with a bit for each byte.
//!
//! Functions that step over whole texts are compiled once for each set of instructions: AVX-512, AVX2, SSE4.2 and
//! SSE2 on x86-64, NEON on ARM. `dispatch!` runs the widest that the processor has.

use fearless_simd::prelude::*;
use fearless_simd::{Level, Simd, mask8x64, u8x64};

/// Bytes of one chunk.
pub const CHUNK_BYTES: usize = 64;

/// The instructions that the processor has; it is asked once.
#[inline(always)]
pub fn level() -> Level {
    Level::new()
}

/// Whether a table of 128 bytes is one instruction, as moving bytes together is: with AVX-512 VBMI.
#[inline(always)]
pub fn has_wide_tables(simd: impl Simd) -> bool {
    match simd.level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(_) => true,
        _ => false,
    }
}

/// Sets of bytes of ASCII, up to eight, each a bit: for each byte the sets that it is of.
pub type Table = [[u8; CHUNK_BYTES]; 2];

/// The table of these sets, the first one's bit the lowest.
#[expect(clippy::indexing_slicing, reason = "the compiler computes it, and would refuse")]
pub const fn table(sets: &[&[u8]]) -> Table {
    let mut table = [[0; CHUNK_BYTES]; 2];
    let mut set = 0;
    while set < sets.len() {
        let mut at = 0;
        while at < sets[set].len() {
            let byte = sets[set][at] as usize;
            table[byte / CHUNK_BYTES][byte % CHUNK_BYTES] |= 1 << set;
            at += 1;
        }
        set += 1;
    }
    table
}

/// For each byte the sets that it is of, none for those beyond ASCII.
#[derive(Clone, Copy)]
pub struct Sets<S: Simd>(u8x64<S>);

impl<S: Simd> Sets<S> {
    /// Which bytes are of one of these sets.
    #[inline(always)]
    pub fn any_of(self, sets: u8) -> Answers<S> {
        let own = self.0 & sets;
        Answers(!own.simd_eq(0))
    }
}

/// 64 bytes.
#[derive(Clone, Copy)]
pub struct Chunk<S: Simd>(u8x64<S>);

/// An answer for each of them.
#[derive(Clone, Copy)]
pub struct Answers<S: Simd>(mask8x64<S>);

impl<S: Simd> Chunk<S> {
    #[inline(always)]
    pub fn new(simd: S, bytes: &[u8; CHUNK_BYTES]) -> Self {
        Self(u8x64::load_array_ref(simd, bytes))
    }

    #[inline(always)]
    fn all(self, byte: u8) -> u8x64<S> {
        u8x64::splat(self.0.simd, byte)
    }

    #[inline(always)]
    pub fn equals(self, byte: u8) -> Answers<S> {
        Answers(self.0.simd_eq(self.all(byte)))
    }

    #[inline(always)]
    pub fn same_as(self, other: Self) -> Answers<S> {
        Answers(self.0.simd_eq(other.0))
    }

    /// Which bytes are of `first..first + len`; `len` is not 0.
    #[inline(always)]
    pub fn within(self, first: u8, len: u8) -> Answers<S> {
        Answers((self.0 - self.all(first)).simd_le(self.all(len.wrapping_sub(1))))
    }

    /// Which bytes are not below `byte`.
    #[inline(always)]
    pub fn from(self, byte: u8) -> Answers<S> {
        Answers(self.0.simd_ge(self.all(byte)))
    }

    /// Which bytes are below `byte` or above 0x7F; `byte` is neither.
    #[inline(always)]
    pub fn below_or_high(self, byte: u8) -> Answers<S> {
        Answers((self.0 - self.all(byte)).simd_ge(self.all(0x80 - byte)))
    }

    /// Every byte with these bits set.
    #[inline(always)]
    pub fn with_bits(self, bits: u8) -> Self {
        Self(self.0 | self.all(bits))
    }

    /// Each byte and that of another, modulo 256.
    #[inline(always)]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// Letters made small (other bytes change as well).
    #[inline(always)]
    pub fn small(self) -> Self {
        self.with_bits(0x20)
    }

    /// Which bytes are NUL or above 0x7F.
    #[inline(always)]
    pub fn high_or_nul(self) -> Answers<S> {
        Answers((self.0 - self.all(1)).simd_ge(self.all(0x7F)))
    }

    /// For each byte of ASCII what a table says, for others zero. Where [`has_wide_tables`] says no, this takes long.
    #[inline(always)]
    pub fn looked_up(self, table: &Table) -> Self {
        let [low, high] = table.each_ref().map(|half| u8x64::load_array_ref(self.0.simd, half));
        let found = low.concat_swizzle_dyn(high, self.0);
        Self(self.high().0.select(self.all(0), found))
    }

    /// The same for a table of sets.
    #[inline(always)]
    pub fn sets(self, table: &Table) -> Sets<S> {
        Sets(self.looked_up(table).0)
    }

    /// With the bytes of another in these places.
    #[inline(always)]
    pub fn replaced(self, places: u64, by: Self) -> Self {
        Self(mask8x64::from_bitmask(self.0.simd, places).select(by.0, self.0))
    }

    /// The bytes of these places, moved together. Where [`has_wide_tables`] says no, this takes long.
    #[inline(always)]
    pub fn kept(self, places: u64) -> Self {
        Self(self.0.compress(mask8x64::from_bitmask(self.0.simd, places)))
    }

    #[inline(always)]
    pub fn store(self, room: &mut [u8; CHUNK_BYTES]) {
        self.0.store_array(room);
    }

    /// Which bytes are above 0x7F.
    #[inline(always)]
    pub fn high(self) -> Answers<S> {
        Answers(self.0.simd_ge(self.all(0x80)))
    }
}

impl<S: Simd> Answers<S> {
    #[inline(always)]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[inline(always)]
    pub fn not(self) -> Self {
        Self(!self.0)
    }

    /// The first byte's bit is the lowest.
    #[inline(always)]
    pub fn mask(self) -> u64 {
        self.0.to_bitmask()
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
    use fearless_simd::dispatch;
    use proptest::prelude::*;

    use super::*;

    /// For each question the answers, and what they are for one byte.
    #[inline(always)]
    fn asked(simd: impl Simd, block: &[u8; CHUNK_BYTES], byte: u8, len: u8) -> [u64; 9] {
        let chunk = Chunk::new(simd, block);
        let other = Chunk::new(simd, &[byte; CHUNK_BYTES]);
        [
            chunk.equals(byte),
            chunk.same_as(other),
            chunk.within(byte, len),
            chunk.below_or_high(byte & 0x7F),
            chunk.from(byte),
            chunk.high(),
            chunk.high_or_nul(),
            chunk.small().equals(byte).or(chunk.with_bits(5).equals(byte)),
            chunk.plus(chunk).equals(byte),
        ]
        .map(Answers::mask)
    }

    fn expected(own: u8, byte: u8, len: u8) -> [bool; 9] {
        [
            own == byte,
            own == byte,
            own.wrapping_sub(byte) < len,
            own < byte & 0x7F || own >= 0x80,
            own >= byte,
            own >= 0x80,
            own == 0 || own >= 0x80,
            own | 0x20 == byte || own | 5 == byte,
            own.wrapping_mul(2) == byte,
        ]
    }

    proptest! {
        #[test]
        fn a_mask_has_the_bit_of_every_byte_that_is_asked_for(
            bytes in proptest::array::uniform32(any::<u8>()), byte in 1_u8.., len in 1_u8..,
        ) {
            let mut block = [byte; CHUNK_BYTES];
            block[..32].copy_from_slice(&bytes);
            block[33..].copy_from_slice(&bytes[1..]);
            for level in [level(), Level::baseline()] {
                let masks = dispatch!(level, simd => asked(simd, &block, byte, len));
                for (at, own) in block.iter().enumerate() {
                    let answers = masks.map(|mask| mask >> at & 1 == 1);
                    prop_assert_eq!(answers, expected(*own, byte, len), "{} at {}", own, at);
                }
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
