//! What encoders that are not ours make is read again, however it is cut; what is broken is told at once, and
//! what came before it is not lost.

use std::io::Write;

use proptest::prelude::*;

use super::*;

/// A text like those of agents: repetitive, and not only.
pub(super) fn text(bytes: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut number = 7_u64;
    while text.len() < bytes {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        let line = format!(r#"{{"role":"user","content":"step {:x} of {}"}},"#, number, number % 9);
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(bytes);
    text
}

fn brotli_writer<W: Write>(to: W, window_bits: u32) -> ::brotli::CompressorWriter<W> {
    ::brotli::CompressorWriter::new(to, 4096, 5, window_bits)
}

pub(super) fn zstd(bytes: &[u8], level: i32) -> Vec<u8> {
    let mut out = vec![0; zstd_safe::compress_bound(bytes.len())];
    let len = zstd_safe::compress(&mut out[..], bytes, level).expect("zstd compresses");
    out.truncate(len);
    out
}

/// As other software encodes it.
pub(super) fn encode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::new(6);
    match coding {
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).expect("a vector takes all");
            encoder.finish().expect("a vector takes all")
        }
        Coding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).expect("a vector takes all");
            encoder.finish().expect("a vector takes all")
        }
        Coding::Brotli => {
            let mut out = Vec::new();
            brotli_writer(&mut out, 22).write_all(bytes).expect("a vector takes all");
            out
        }
        Coding::Zstd => zstd(bytes, 3),
        Coding::AwsChunked if bytes.is_empty() => b"0\r\n\r\n".to_vec(),
        Coding::AwsChunked => {
            [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n0\r\n\r\n"].concat()
        }
    }
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

fn encode_all(codings: &Codings, bytes: &[u8]) -> Vec<u8> {
    codings.applied().iter().fold(bytes.to_vec(), |bytes, coding| encode(*coding, &bytes))
}

/// Gives the pieces one by one, with an output of so many bytes; what was read, and how it ended.
pub(super) fn decode(
    codings: &Codings,
    pieces: &[&[u8]],
    output_bytes: usize,
) -> (Vec<u8>, Result<(), Undecodable>) {
    let mut inflater = Inflater::new(codings);
    let mut allowance = Allowance::new();
    let mut output = vec![0; output_bytes];
    let mut read = Vec::new();
    for piece in pieces {
        allowance.arrived(piece.len());
        let mut rest = *piece;
        loop {
            let progress = match inflater.step(rest, &mut output, &mut allowance) {
                Ok(progress) => progress,
                Err(reason) => return (read, Err(reason)),
            };
            let is_moved = progress.taken > 0 || progress.written > 0 || progress.has_more;
            assert!(is_moved || rest.is_empty(), "a step without progress");
            read.extend_from_slice(&output[..progress.written]);
            rest = &rest[progress.taken..];
            if rest.is_empty() && !progress.has_more {
                break;
            }
        }
    }
    loop {
        match inflater.finish(&mut output, &mut allowance) {
            Err(reason) => return (read, Err(reason)),
            Ok(progress) => {
                read.extend_from_slice(&output[..progress.written]);
                if !progress.has_more {
                    return (read, Ok(()));
                }
            }
        }
    }
}

const ALL: [Coding; 5] =
    [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd, Coding::AwsChunked];

fn parse(values: &[&str]) -> Result<Vec<Coding>, UnknownCoding> {
    let codings = Codings::parse(values.iter().map(|value| value.as_bytes()))?;
    Ok(codings.applied().to_vec())
}

#[test]
fn a_header_names_its_codings_in_order_and_in_any_case() {
    use Coding::*;
    assert_eq!(parse(&[]), Ok(vec![]));
    assert_eq!(parse(&["gzip"]), Ok(vec![Gzip]));
    assert_eq!(parse(&["X-GZip , bR"]), Ok(vec![Gzip, Brotli]));
    assert_eq!(parse(&["identity", "", ", ,deflate;q=1"]), Ok(vec![Deflate]));
    assert_eq!(parse(&["zstd", "gzip, chunked"]), Ok(vec![Zstd, Gzip]));
    assert_eq!(parse(&["aws-chunked"]), Ok(vec![AwsChunked]));
    assert_eq!(parse(&["aws-chunked,gzip"]), Ok(vec![Gzip, AwsChunked]));
    assert_eq!(parse(&["gzip, AWS-chunked"]), Ok(vec![Gzip, AwsChunked]));
}

#[test]
fn an_unknown_coding_is_told_by_its_name_cut_and_printable() {
    let named = |name: &str| Err(UnknownCoding::Named(name.to_owned()));
    assert_eq!(parse(&["gzip, compress"]), named("compress"));
    assert_eq!(parse(&["a\u{7}\u{e9}"]), named("a???"));
    for (chars, told) in
        [(CODING_NAME_MAX_CHARS, CODING_NAME_MAX_CHARS), (1000, CODING_NAME_MAX_CHARS)]
    {
        assert_eq!(parse(&[&"x".repeat(chars)]), named(&"x".repeat(told)));
    }
    let message = UnknownCoding::Named("x\"y".into()).to_string();
    assert_eq!(message, r#"the coding "x\"y" is unknown"#);
}

#[test]
fn as_many_codings_as_the_limit_are_read_and_one_more_is_not() {
    let names = vec!["gzip"; CODINGS_MAX];
    assert_eq!(parse(&names), Ok(vec![Coding::Gzip; CODINGS_MAX]));
    assert_eq!(parse(&[&names[..], &["br"]].concat()), Err(UnknownCoding::TooMany));
}

#[test]
fn every_coding_is_undone_and_nothing_is_a_whole_body() {
    for coding in ALL {
        let codings = Codings::one(coding);
        for bytes in [0, 1, 100, 70_000] {
            let plain = text(bytes);
            let coded = encode(coding, &plain);
            assert_eq!(decode(&codings, &[&coded], 4096), (plain, Ok(())), "{coding}");
        }
        assert_eq!(decode(&codings, &[], 16), (vec![], Ok(())), "{coding}");
    }
    assert_eq!(decode(&Codings::default(), &[b"as it is"], 3), (b"as it is".to_vec(), Ok(())));
}

#[test]
fn deflate_is_read_with_and_without_its_zlib_head() {
    let codings = Codings::one(Coding::Deflate);
    for bytes in [0, 1, 3, 70_000] {
        let plain = text(bytes);
        let coded = raw_deflate(&plain);
        let single: Vec<&[u8]> = coded.chunks(1).collect();
        assert_eq!(decode(&codings, &[&coded], 4096), (plain.clone(), Ok(())));
        assert_eq!(decode(&codings, &single, 4096), (plain, Ok(())));
    }
}

#[test]
fn members_with_every_field_of_the_head_follow_each_other() {
    let plain = text(3000);
    let mut member = vec![0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 255];
    member.extend_from_slice(b"\x05\x00extra");
    member.extend_from_slice(b"name\0comment\0");
    member.extend_from_slice(b"\x12\x34");
    member.extend_from_slice(&raw_deflate(&plain));
    member.extend_from_slice(&[0; 8]);
    let mut empty_extra = vec![0x1f, 0x8b, 8, 0x04, 0, 0, 0, 0, 0, 255, 0, 0];
    empty_extra.extend_from_slice(&raw_deflate(b"!"));
    empty_extra.extend_from_slice(&[0; 8]);
    let coded = [&member[..], &encode(Coding::Gzip, b"second"), &empty_extra, &[0; 100]].concat();
    let expected = [&plain[..], b"second!"].concat();
    for size in [1, 7, coded.len()] {
        let pieces: Vec<&[u8]> = coded.chunks(size).collect();
        let read = decode(&Codings::one(Coding::Gzip), &pieces, 100);
        assert_eq!(read, (expected.clone(), Ok(())), "pieces of {size}");
    }
}

#[test]
fn frames_and_skippable_frames_follow_each_other() {
    let plain = text(300_000);
    let skippable = b"\x50\x2a\x4d\x18\x05\x00\x00\x00skip!";
    let coded =
        [skippable, &zstd(&plain, 3)[..], skippable, &zstd(b"", 1), &zstd(b"end", 19)].concat();
    let expected = [&plain[..], b"end"].concat();
    for size in [1, 1000, coded.len()] {
        let pieces: Vec<&[u8]> = coded.chunks(size).collect();
        let read = decode(&Codings::one(Coding::Zstd), &pieces, 10_000);
        assert!(read == (expected.clone(), Ok(())), "pieces of {size}");
    }
}

#[test]
fn what_is_not_in_the_coding_is_told_with_the_first_bytes() {
    let body = b"{\"not\":\"compressed\"}";
    // Almost anything begins a bare deflate stream.
    for coding in [Coding::Gzip, Coding::Zstd] {
        let (read, end) = decode(&Codings::one(coding), &[&body[..5]], 100);
        assert_eq!((read.len(), end), (0, Err(Undecodable::Malformed)), "{coding}");
    }
    let (_, end) = decode(&Codings::one(Coding::Brotli), &[&[0x11, 0x11, 0x11, 0x11]], 100);
    assert_eq!(end, Err(Undecodable::Malformed), "a large window");
}

#[test]
fn what_follows_the_coded_data_is_told() {
    for coding in ALL {
        let coded = [&encode(coding, b"first")[..], b"another thing"].concat();
        let (read, end) = decode(&Codings::one(coding), &[&coded], 100);
        assert_eq!(read, b"first", "{coding}");
        assert_eq!(end, Err(Undecodable::TrailingData), "{coding}");
    }
}

#[test]
fn a_cut_body_says_what_it_can_and_then_that_it_is_cut() {
    let plain = text(50_000);
    for coding in ALL {
        let coded = encode(coding, &plain);
        let (read, end) = decode(&Codings::one(coding), &[&coded[..coded.len() - 1]], 1000);
        assert_eq!(end, Err(Undecodable::Truncated), "{coding}");
        assert!(plain.starts_with(&read), "{coding}");
        let (read, end) = decode(&Codings::one(coding), &[&coded[..coded.len() / 2]], 1000);
        assert_eq!(end, Err(Undecodable::Truncated), "{coding}");
        assert!(plain.starts_with(&read) && (coding == Coding::Zstd || read.len() > 10_000));
    }
}

#[test]
fn what_came_before_a_fault_is_not_lost() {
    let plain = text(400_000);
    for coding in ALL {
        // Flushed, then broken: what a client that reads as it comes has seen.
        let mut coded = flushed(coding, &[&plain]);
        coded.extend_from_slice(&[0xff; 40]);
        let (read, end) = decode(&Codings::one(coding), &[&coded], 1 << 20);
        assert_eq!(end, Err(Undecodable::Malformed), "{coding}");
        let lost = plain.len() - read.len();
        assert!(plain.starts_with(&read), "{coding}");
        assert!(
            if coding == Coding::Brotli { lost < 20_000 } else { lost == 0 },
            "{coding}: {lost}"
        );
    }
}

/// Each text flushed, the stream not ended.
fn flushed(coding: Coding, texts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let write = |encoder: &mut dyn Write| {
        for text in texts {
            encoder.write_all(text).expect("a vector takes all");
            encoder.flush().expect("a vector takes all");
        }
    };
    let level = flate2::Compression::new(6);
    match coding {
        Coding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(&mut out, level);
            write(&mut encoder);
            std::mem::forget(encoder);
        }
        Coding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(&mut out, level);
            write(&mut encoder);
            std::mem::forget(encoder);
        }
        Coding::Brotli => {
            let mut encoder = brotli_writer(&mut out, 22);
            write(&mut encoder);
            std::mem::forget(encoder);
        }
        Coding::Zstd => {
            let mut context = zstd_safe::CCtx::create();
            let mut space = vec![0; 1 << 21];
            let mut to = zstd_safe::OutBuffer::around(&mut space[..]);
            for text in texts {
                let mut from = zstd_safe::InBuffer::around(text);
                while from.pos() < text.len() {
                    context.compress_stream(&mut to, &mut from).expect("zstd compresses");
                }
                context.flush_stream(&mut to).expect("zstd flushes");
            }
            let len = to.pos();
            out.extend_from_slice(&space[..len]);
        }
        Coding::AwsChunked => {
            for text in texts {
                out.extend_from_slice(format!("{:x}\r\n", text.len()).as_bytes());
                out.extend_from_slice(&[text, &b"\r\n"[..]].concat());
            }
        }
    }
    out
}

#[test]
fn an_event_is_read_on_the_step_that_brought_its_flush() {
    let events: Vec<Vec<u8>> =
        (0..40).map(|at| format!("data: {{\"delta\":\"word {at}\"}}\n\n").into_bytes()).collect();
    for coding in ALL {
        let lens: Vec<usize> = (0..=events.len())
            .map(|count| {
                let texts: Vec<&[u8]> = events[..count].iter().map(Vec::as_slice).collect();
                flushed(coding, &texts).len()
            })
            .collect();
        let texts: Vec<&[u8]> = events.iter().map(Vec::as_slice).collect();
        let coded = flushed(coding, &texts);
        let mut inflater = Inflater::new(&Codings::one(coding));
        let mut allowance = Allowance::new();
        let mut output = [0; 1000];
        let mut start = 0;
        for (event, end) in events.iter().zip(&lens[1..]) {
            let progress = inflater.step(&coded[start..*end], &mut output, &mut allowance).unwrap();
            assert_eq!(&output[..progress.written], &event[..], "{coding}");
            assert_eq!((progress.taken, progress.has_more), (end - start, false), "{coding}");
            start = *end;
        }
    }
}

#[test]
fn a_loss_stays_and_gives_the_memory_back() {
    let mut inflater = Inflater::new(&Codings::one(Coding::Gzip));
    let mut allowance = Allowance::new();
    for _ in 0..3 {
        let step = inflater.step(b"plain", &mut [0; 10], &mut allowance);
        assert_eq!(step, Err(Undecodable::Malformed));
        assert_eq!(inflater.finish(&mut [0; 10], &mut allowance), Err(Undecodable::Malformed));
    }
    assert!(format!("{inflater:?}").contains("Malformed"));
}

#[test]
fn a_frame_with_the_largest_window_is_read_and_a_larger_one_is_not() {
    // A frame head with a window of 2^(10 + exponent) bytes, an RLE block of 3 bytes, which is the last.
    let frame = |exponent: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 0x1b, 0, 0, b'a'];
    let largest = crate::limits::ZSTD_WINDOW_LOG_MAX as u8 - 10;
    let codings = Codings::one(Coding::Zstd);
    assert_eq!(decode(&codings, &[&frame(largest)], 100), (b"aaa".to_vec(), Ok(())));
    let larger = decode(&codings, &[&frame(largest + 1)], 100);
    assert_eq!(larger, (vec![], Err(Undecodable::WindowTooLarge)));
}

fn any_codings() -> impl Strategy<Value = Codings> {
    let coding = prop_oneof![
        Just(Coding::Gzip),
        Just(Coding::Deflate),
        Just(Coding::Brotli),
        Just(Coding::Zstd)
    ];
    prop::collection::vec(coding, 1..=CODINGS_MAX).prop_map(|applied| Codings { applied })
}

/// The pieces between cuts.
pub(super) fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut start = 0;
    let piece = |end: usize| {
        let piece = &bytes[start..end];
        start = end;
        piece
    };
    ends.into_iter().map(piece).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_stack_is_undone_however_it_is_cut(
        codings in any_codings(),
        seed in prop::collection::vec(any::<u8>(), 0..300),
        len in 0..60_000_usize,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        output_bytes in 1..5000_usize,
    ) {
        let plain = [&seed[..], &text(len), &seed].concat();
        let coded = encode_all(&codings, &plain);
        let (read, end) = decode(&codings, &cut(&coded, &cuts), output_bytes);
        prop_assert_eq!(end, Ok(()));
        prop_assert!(read == plain);
    }

    #[test]
    fn a_damaged_stack_ends_somehow(
        codings in any_codings(),
        len in 0..3000_usize,
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        output_bytes in 1..500_usize,
    ) {
        let mut coded = encode_all(&codings, &text(len));
        for (at, byte) in damages {
            let at = at.index(coded.len());
            coded[at] = byte;
        }
        decode(&codings, &cut(&coded, &cuts), output_bytes).1.ok();
    }

    #[test]
    fn garbage_ends_somehow(
        codings in any_codings(),
        bytes in prop::collection::vec(any::<u8>(), 0..500),
        output_bytes in 1..100_usize,
    ) {
        decode(&codings, &[&bytes], output_bytes).1.ok();
    }
}
