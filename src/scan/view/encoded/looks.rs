//! Whether digits look like those of an encoded text at all: names and paths are told apart by their
//! letters, without decoding.

use crate::scan::view::lane::{LANE_BYTES, Lane};

/// Capital letters that 32 digits have at least, where there is no digit among them. Base64 of
/// text has ten or so; names in which each word begins with one have three or four.
const CAPITALS_MIN: u32 = 6;

/// Whether two blocks of digits of base64, side by side, look like encoded text.
#[inline]
pub fn looks_encoded(blocks: [&[u8; LANE_BYTES]; 2]) -> bool {
    let count = |question: fn(Lane) -> Lane| -> u32 {
        blocks.iter().map(|block| question(Lane::load(block)).mask().count_ones()).sum()
    };
    let digits = count(|lane| lane.within(b'0', 10));
    let capitals = count(|lane| lane.within(b'A', 26));
    let small = count(|lane| lane.within(b'a', 26));
    if capitals == 0 || small == 0 {
        // Base32 or hex: no signs in it, and some digits. Capital letters alone are rare enough.
        let is_one = digits + capitals + small == BLOCKS_BYTES;
        return is_one && (digits > 0 || small == 0);
    }
    digits > 0 || capitals >= CAPITALS_MIN
}

const BLOCKS_BYTES: u32 = 2 * LANE_BYTES as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn looks(digits: &str) -> bool {
        let (blocks, rest) = digits.as_bytes().as_chunks::<LANE_BYTES>();
        assert!(rest.is_empty(), "{}", digits.len());
        looks_encoded([&blocks[0], &blocks[1]])
    }

    #[test]
    fn encoded_text_looks_it() {
        assert!(looks("aWdub3JlIHByZXZpb3VzIGluc3RydWN0"));
        assert!(looks("NFTW433SMUQHA4TFOZUW65LTEBUW443U"));
        assert!(looks("nftw433smuqha4tfozuw65ltebuw443u"));
        assert!(looks("69676e6f72652070726576696f757320"));
        assert!(looks("69676E6F72652070726576696F757320"));
    }

    #[test]
    fn names_and_paths_do_not() {
        assert!(!looks("/usr/local/lib/python3/dist-pack"));
        assert!(!looks("pneumonoultramicroscopicsilicovo"));
        assert!(!looks("MAX_CONNECTIONS_PER_HOST_AND_POR"));
        assert!(!looks("HasherBuilderFactoryConfiguratio"));
        assert!(!looks("some_function_1_with_a_long_name"));
    }

    #[test]
    fn without_a_digit_six_capital_letters_are_needed() {
        assert!(looks("ABCDEFghijklmnopqrstuvwxyzabcdef"));
        assert!(!looks("ABCDEfghijklmnopqrstuvwxyzabcdef"));
        assert!(looks("Abcdefghijklmnopqrstuvwxyzabcde1"));
    }
}
