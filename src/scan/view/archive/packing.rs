//! Formats that are told by how they begin, and in which nothing is looked at.
//!
//! xz and lzma would take up to 4 GiB for the window that a stream asks for, and bzip2 some 20 times what gzip costs,
//! a block of 900 KB at once on the core that passes everything else on: they are told, not undone.

use std::fmt;

/// How something is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    Bzip2,
    Xz,
    Lzma,
    Lzip,
    Lz4,
    Lzop,
    Snappy,
    Compress,
    SevenZip,
    Rar,
    Cabinet,
    Debian,
    Rpm,
}

/// What begins with the same bytes always.
const SIGNATURES: [(&[u8], Packing); 13] = [
    (b"\xfd7zXZ\0", Packing::Xz),
    (b"LZIP\x01", Packing::Lzip),
    (b"\x04\x22\x4d\x18", Packing::Lz4),
    // The form before there were frames, in which kernels are packed.
    (b"\x02\x21\x4c\x18", Packing::Lz4),
    (b"\x89LZO\0\r\n\x1a\n", Packing::Lzop),
    (b"\xff\x06\0\0sNaPpY", Packing::Snappy),
    (b"7z\xbc\xaf\x27\x1c", Packing::SevenZip),
    (b"Rar!\x1a\x07\0", Packing::Rar),
    (b"Rar!\x1a\x07\x01\0", Packing::Rar),
    (b"MSCF\0\0\0\0", Packing::Cabinet),
    (b"!<arch>\ndebian-binary", Packing::Debian),
    (b"\xed\xab\xee\xdb\x03", Packing::Rpm),
    (b"\xed\xab\xee\xdb\x04", Packing::Rpm),
];

/// bzip2's three letters begin words, too: behind them and the size of its blocks stands a block, or the end.
const BZIP2: &[u8] = b"BZh";
const BZIP2_BEHIND: [&[u8]; 2] = [b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"];

/// lzma alone has no signature: the parameters that all software takes, how large its window is, how long the text
/// is (all bits: its end says so), and a first byte that is always the same.
const LZMA: &[u8] = b"\x5d\0\0";
const LZMA_HEAD_BYTES: usize = 14;
const LZMA_LENGTH_MAX_BYTES: u64 = 1 << 40;

impl Packing {
    /// By the first bytes.
    pub(super) fn of(head: &[u8]) -> Option<Packing> {
        let signed = begun_like(head).find(|(signature, _)| head.starts_with(signature));
        match (signed, head) {
            (Some((_, packing)), _) => Some(*packing),
            (None, [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..]) => {
                BZIP2_BEHIND.iter().any(|behind| rest.starts_with(behind)).then_some(Packing::Bzip2)
            }
            // Codes of 9 to 16 bits, and two flags that nobody sets.
            (None, [0x1f, 0x9d, flags, ..]) if flags & 0x60 == 0 => {
                matches!(flags & 0x1f, 9..=16).then_some(Packing::Compress)
            }
            (None, [0x5d, 0, 0, ..]) => is_lzma(head).then_some(Packing::Lzma),
            _ => None,
        }
    }

    /// Whether more bytes may tell one of them.
    pub(super) fn may_begin(head: &[u8]) -> bool {
        let is_begun = |signature: &[u8]| !head.is_empty() && signature.starts_with(head);
        let may_be_bzip2 = || match head {
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] => BZIP2_BEHIND
                .iter()
                .any(|behind| behind.len() > rest.len() && behind.starts_with(rest)),
            _ => is_begun(BZIP2),
        };
        let may_be_lzma = || match head.starts_with(LZMA) {
            true => head.len() < LZMA_HEAD_BYTES,
            false => is_begun(LZMA),
        };
        let is_cut = |signature: &[u8]| signature.len() > head.len() && is_begun(signature);
        begun_like(head).any(|(signature, _)| is_cut(signature)) || may_be_bzip2() || may_be_lzma()
    }

    /// A method of zip's.
    pub(super) fn of_zip(method: u16) -> Option<&'static str> {
        Some(match method {
            1 => "shrink",
            6 => "implode",
            9 => "deflate64",
            12 => "bzip2",
            14 => "lzma",
            95 => "xz",
            98 => "PPMd",
            _ => return None,
        })
    }
}

/// The signatures that begin with the same byte: for most there is none.
fn begun_like(head: &[u8]) -> impl Iterator<Item = &'static (&'static [u8], Packing)> {
    let first = head.first().copied();
    SIGNATURES.iter().filter(move |(signature, _)| signature.first().copied() == first)
}

fn is_lzma(head: &[u8]) -> bool {
    let [_, 0, 0, size_2, size_3, length @ .., 0] = head.get(..LZMA_HEAD_BYTES).unwrap_or_default()
    else {
        return false;
    };
    let window = u32::from_le_bytes([0, 0, *size_2, *size_3]);
    // A power of two, or that and its half.
    let rest = window & window.wrapping_sub(1);
    let is_window =
        window.is_power_of_two() || (rest.is_power_of_two() && window == rest | (rest >> 1));
    let length = length.iter().rev().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    is_window && (length == u64::MAX || length < LZMA_LENGTH_MAX_BYTES)
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Packing::Bzip2 => "bzip2",
            Packing::Xz => "xz",
            Packing::Lzma => "lzma",
            Packing::Lzip => "lzip",
            Packing::Lz4 => "lz4",
            Packing::Lzop => "lzop",
            Packing::Snappy => "snappy",
            Packing::Compress => "compress",
            Packing::SevenZip => "7z",
            Packing::Rar => "rar",
            Packing::Cabinet => "cab",
            Packing::Debian => "deb",
            Packing::Rpm => "rpm",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::view::archive::tests::read;
    use crate::scan::view::archive::{Container, Unreadable, may_begin, sniff};

    /// What such a file begins with.
    const HEADS: [(&[u8], Packing); 18] = [
        (b"BZh91AY&SY", Packing::Bzip2),
        (b"BZh1\x17\x72\x45\x38\x50\x90", Packing::Bzip2),
        (b"\xfd7zXZ\0", Packing::Xz),
        (b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", Packing::Lzma),
        (b"\x5d\0\0\x04\0\xf4\x01\0\0\0\0\0\0\0", Packing::Lzma),
        (b"\x5d\0\0\0\x03\x10\0\0\0\0\0\0\0\0", Packing::Lzma),
        (b"LZIP\x01", Packing::Lzip),
        (b"\x04\x22\x4d\x18", Packing::Lz4),
        (b"\x02\x21\x4c\x18", Packing::Lz4),
        (b"\x89LZO\0\r\n\x1a\n", Packing::Lzop),
        (b"\xff\x06\0\0sNaPpY", Packing::Snappy),
        (b"\x1f\x9d\x90", Packing::Compress),
        (b"7z\xbc\xaf\x27\x1c", Packing::SevenZip),
        (b"Rar!\x1a\x07\0", Packing::Rar),
        (b"Rar!\x1a\x07\x01\0", Packing::Rar),
        (b"MSCF\0\0\0\0", Packing::Cabinet),
        (b"!<arch>\ndebian-binary", Packing::Debian),
        (b"\xed\xab\xee\xdb\x03", Packing::Rpm),
    ];

    #[test]
    fn formats_that_are_not_looked_into_are_told_and_counted() {
        for (head, packing) in HEADS {
            let said = read(&[head, b" and what is packed"].concat());
            assert_eq!(said.reasons(), [Unreadable::Packed(packing)]);
            assert_eq!(said.unreadable(), head.len() + 19, "{packing}");
            assert_eq!(sniff(head), Some(Container::Packed(packing)));
            for cut in 1..head.len() {
                assert_eq!(sniff(&head[..cut]), None, "{packing} {cut}");
                // Behind four odd bytes nobody decides yet; behind four plain ones this does.
                assert!(may_begin(&head[..cut]) || cut < 4, "{packing} {cut}");
            }
            assert!(!may_begin(head), "{packing}");
        }
    }

    #[test]
    fn what_only_begins_like_a_format_is_text() {
        for text in [
            &b"BZh is short for something"[..],
            b"BZh91AY and so on",
            b"7z x archive.7z",
            b"Rar! it says",
            b"LZIP is a program",
            b"MSCF",
            b"!<arch>\nmember.o/",
            b"]",
            b"]}'",
            b"\x5d\0\0\x81\0\xff\xff\xff\xff\xff\xff\xff\xff\0",
            b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x5d\0\0\x80\0\0\0\0\0\0\x01\0\0\0",
            b"\x1f\x9d\xf0",
        ] {
            assert_eq!(Packing::of(text), None, "{text:?}");
            assert!(text.len() < 5 || !Packing::may_begin(text), "{text:?}");
        }
        assert!(!Packing::may_begin(b""));
    }
}
