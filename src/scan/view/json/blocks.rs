//! The search for a quote or a backslash, sixteen bytes at a time.
//!
//! `memchr` is the fastest over long runs, but its call costs as much as the whole search where
//! JSON is dense and the next quote is ten bytes away. So the first blocks are searched here, inline.

/// So many bytes are compared at once.
pub(super) const BLOCK_BYTES: usize = 16;

/// Blocks that are searched inline before the search is worth a call.
const INLINE_BLOCKS: usize = 6;

/// Where the first byte of `block` stands that is one of `wanted`, both of them ASCII.
#[inline(always)]
pub(super) fn first_of(block: &[u8; BLOCK_BYTES], wanted: [u8; 2]) -> Option<usize> {
    let whole = u128::from_le_bytes(*block);
    let low = hits(whole as u64, wanted);
    let high = hits((whole >> 64) as u64, wanted);
    if low | high == 0 {
        return None;
    }
    let bits = if low == 0 { 64 + high.trailing_zeros() } else { low.trailing_zeros() };
    Some(bits as usize / 8)
}

/// The high bit of the first byte of `word` that is one of `wanted`, and perhaps of later ones.
#[inline(always)]
fn hits(word: u64, wanted: [u8; 2]) -> u64 {
    let [one, other] = wanted.map(|byte| (word ^ repeat(byte)).wrapping_sub(repeat(0x01)));
    (one | other) & !word & repeat(0x80)
}

/// One byte eight times.
const fn repeat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Where the text of a string is interrupted: by the quote that ends it, or by a backslash.
#[inline]
pub(super) fn find_interruption(bytes: &[u8]) -> Option<usize> {
    find(bytes, [b'"', b'\\'])
}

/// Where the next string begins.
#[inline]
pub(super) fn find_quote(bytes: &[u8]) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    for (number, block) in blocks.iter().take(INLINE_BLOCKS).enumerate() {
        if let Some(at) = first_of(block, [b'"', b'"']) {
            return Some(number * BLOCK_BYTES + at);
        }
    }
    let searched = blocks.len().min(INLINE_BLOCKS) * BLOCK_BYTES;
    let rest = bytes.get(searched..).unwrap_or_default();
    memchr::memchr(b'"', rest).map(|at| searched + at)
}

#[inline]
fn find(bytes: &[u8], wanted: [u8; 2]) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    for (number, block) in blocks.iter().take(INLINE_BLOCKS).enumerate() {
        if let Some(at) = first_of(block, wanted) {
            return Some(number * BLOCK_BYTES + at);
        }
    }
    let searched = blocks.len().min(INLINE_BLOCKS) * BLOCK_BYTES;
    let rest = bytes.get(searched..).unwrap_or_default();
    let [one, other] = wanted;
    memchr::memchr2(one, other, rest).map(|at| searched + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_of_an_interruption_is_found() {
        for len in 0..300 {
            let plain = vec![b'x'; len];
            assert_eq!(find_interruption(&plain), None);
            assert_eq!(find_quote(&plain), None);
            for at in 0..len {
                for byte in [b'"', b'\\'] {
                    let mut text = plain.clone();
                    text[at] = byte;
                    text[len - 1] = byte;
                    assert_eq!(find_interruption(&text), Some(at));
                    assert_eq!(find_quote(&text), (byte == b'"').then_some(at));
                }
            }
        }
    }
}
