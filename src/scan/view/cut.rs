//! Where a text may be parted so that the same text is parted alike wherever it stands: the bytes before a place
//! decide, no matter what else is there (content-defined chunking: Muthitacharoen et al., SOSP 2001).

use fearless_simd::{Simd, dispatch};

use super::chunk::{CHUNK_BYTES, Chunk, level};

/// Of so many bytes four decide: the first, the fourth, the sixth and the last.
const DECIDING_BYTES: usize = 8;
/// An escape of JSON has begun in so many bytes, or none is under way.
const ESCAPE_BEGUN_BYTES: usize = 5;
/// Bytes that 64 places are decided by.
const READ_BYTES: usize = CHUNK_BYTES + DECIDING_BYTES - 1;

/// What the deciding bytes add up to where a text may be parted, once they are multiplied; the last is odd besides. One
/// of some 500 places has both.
const SUM: u8 = 0x5C;
const ALL_BUT_LOWEST: u8 = !1;

/// The first place from `from` on at which `bytes` may be parted: none at which an escape is under way.
pub fn next_cut(bytes: &[u8], from: usize) -> Option<usize> {
    dispatch!(level(), simd => next_cut_by(simd, bytes, from))
}

#[inline(always)]
fn next_cut_by(simd: impl Simd, bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(DECIDING_BYTES);
    while let Some(read) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let mut places = decided(simd, read);
        while places != 0 {
            let cut = at + places.trailing_zeros() as usize + DECIDING_BYTES;
            if cut >= from && !is_in_escape(bytes, cut) {
                return Some(cut);
            }
            places &= places - 1;
        }
        at += CHUNK_BYTES;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let cuts = rest.array_windows().zip(at + DECIDING_BYTES..).filter(|(row, _)| is_cut(row));
    cuts.map(|(_, cut)| cut).find(|cut| *cut >= from && !is_in_escape(bytes, *cut))
}

/// Which of the 64 rows of deciding bytes say so.
#[inline(always)]
fn decided(simd: impl Simd, read: &[u8; READ_BYTES]) -> u64 {
    let [first @ .., _, _, _, _, _, _, _] = read;
    let [_, _, _, fourth @ .., _, _, _, _] = read;
    let [_, _, _, _, _, sixth @ .., _, _] = read;
    let [_, _, _, _, _, _, _, last @ ..] = read;
    let [first, fourth, sixth, last] =
        [first, fourth, sixth, last].map(|bytes| Chunk::new(simd, bytes));
    let [fourth_twice, sixth_twice, last_twice] =
        [fourth, sixth, last].map(|bytes| bytes.plus(bytes));
    let sum = first
        .plus(fourth_twice.plus(fourth))
        .plus(sixth_twice.plus(sixth_twice).plus(sixth))
        .plus(last_twice.plus(last_twice).plus(last_twice).plus(last));
    sum.equals(SUM).and(last.with_bits(ALL_BUT_LOWEST).equals(!0)).mask()
}

/// The same of one.
fn is_cut(row: &[u8; DECIDING_BYTES]) -> bool {
    let [first, _, _, fourth, _, sixth, _, last] = *row;
    let times = |byte: u8, factor: u8| byte.wrapping_mul(factor);
    let products = [first, times(fourth, 3), times(sixth, 5), times(last, 7)];
    products.into_iter().fold(0, u8::wrapping_add) == SUM && last & 1 == 1
}

/// Whether an escape of JSON may be under way behind the byte before `cut`.
fn is_in_escape(bytes: &[u8], cut: usize) -> bool {
    let before = bytes.get(cut.saturating_sub(ESCAPE_BEGUN_BYTES)..cut).unwrap_or_default();
    before.contains(&b'\\')
}

#[cfg(test)]
mod tests {
    use fearless_simd::Level;
    use proptest::prelude::*;

    use super::*;

    /// The same, byte by byte.
    fn expected(bytes: &[u8], from: usize) -> Option<usize> {
        (from.max(DECIDING_BYTES)..=bytes.len()).find(|cut| {
            let before = &bytes[cut - DECIDING_BYTES..*cut];
            is_cut(before.try_into().unwrap()) && !is_in_escape(bytes, *cut)
        })
    }

    proptest! {
        #[test]
        fn a_cut_is_where_the_bytes_before_it_say(
            bytes in proptest::collection::vec(select(), 0..4000), from in 0..400_usize,
        ) {
            for level in [level(), Level::baseline()] {
                let found = dispatch!(level, simd => next_cut_by(simd, &bytes, from));
                prop_assert_eq!(found, expected(&bytes, from));
            }
        }
    }

    fn select() -> impl Strategy<Value = u8> {
        prop_oneof![8 => any::<u8>(), 4 => Just(b'\\'), 4 => b'a'..b'f']
    }

    #[test]
    fn texts_of_all_kinds_are_cut_each_five_hundred_bytes_or_so() {
        let prose: String = (0..60_000_u32)
            .map(|word| format!("w{} ", word.wrapping_mul(2_654_435_761) >> 12))
            .collect();
        let code: String = (0..20_000)
            .map(|line| format!("    let line_{line} = call(\"{}\", {});\\n", line * 7, line % 13))
            .collect();
        let base64 = data_encoding::BASE64.encode(prose.as_bytes());
        for text in [prose, code, base64] {
            let mut cuts = 0;
            let mut from = 0;
            while let Some(cut) = next_cut(text.as_bytes(), from) {
                (cuts, from) = (cuts + 1, cut + 1);
            }
            let mean = text.len() / cuts.max(1);
            assert!((150..1500).contains(&mean), "{mean}");
        }
    }
}
