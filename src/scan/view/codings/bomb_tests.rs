//! Bombs: a few bytes that inflate to gigabytes stop at their cap, and each step does little.

use std::io::Write;

use super::tests::{encode, zstd};
use super::*;
use crate::limits::{CODING_TURN_BYTES, CODING_TURN_RUNS, INFLATED_FREE_BYTES, INFLATED_RATIO_MAX};

/// Reads until the end or the cap; the bytes read, and how it ended.
fn explode(codings: &Codings, bomb: &[u8]) -> (u64, Result<(), Undecodable>) {
    let mut inflater = Inflater::new(codings);
    let mut allowance = Allowance::new();
    let mut output = vec![0; 32 * 1024];
    let mut read = 0;
    for piece in bomb.chunks(64 * 1024) {
        allowance.arrived(piece.len());
        let mut rest = piece;
        loop {
            match inflater.step(rest, &mut output, &mut allowance) {
                Err(reason) => return (read, Err(reason)),
                Ok(progress) => {
                    read += progress.written as u64;
                    rest = &rest[progress.taken..];
                    if rest.is_empty() && !progress.has_more {
                        break;
                    }
                }
            }
        }
    }
    (read, inflater.finish(&mut output, &mut allowance).map(|_| ()))
}

/// So many zeros in one zstd frame of run-length blocks: 4 bytes for 128 KiB.
fn zstd_zeros(blocks: usize) -> Vec<u8> {
    let mut bomb = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 10 << 3];
    for at in 1..=blocks {
        let head = (128 * 1024_u32) << 3 | 1 << 1 | u32::from(at == blocks);
        bomb.extend_from_slice(&head.to_le_bytes()[..3]);
        bomb.push(0);
    }
    bomb
}

/// Ten gibibytes of zeros in ten mebibytes, of which one mebibyte is repeated in members.
fn gzip_zeros() -> Vec<u8> {
    let member = encode(Coding::Gzip, &vec![0; 1 << 20]);
    member.repeat(10 * 1024)
}

fn brotli_zeros() -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = ::brotli::CompressorWriter::new(&mut out, 1 << 16, 1, 24);
    for _ in 0..64 {
        writer.write_all(&[0; 1 << 20]).expect("a vector takes all");
    }
    drop(writer);
    out
}

fn assert_stops(codings: &[Coding], bomb: &[u8]) {
    let codings = Codings { applied: codings.to_vec() };
    let (read, end) = explode(&codings, bomb);
    assert_eq!(end, Err(Undecodable::TooLarge), "{codings:?}");
    let cap = INFLATED_FREE_BYTES + bomb.len() as u64 * INFLATED_RATIO_MAX;
    assert!(read <= cap + 64 * 1024, "{codings:?}: {read} of {cap}");
}

#[test]
fn ten_gibibytes_of_zeros_stop_at_their_cap() {
    assert_stops(&[Coding::Gzip], &gzip_zeros());
    assert_stops(&[Coding::Zstd], &zstd_zeros(10 * 8192));
    assert_stops(&[Coding::Brotli], &brotli_zeros());
}

#[test]
fn bombs_in_bombs_stop_at_the_cap_of_the_outermost() {
    let inner = zstd_zeros(10 * 8192);
    let twice = encode(Coding::Gzip, &inner);
    assert_stops(&[Coding::Zstd, Coding::Gzip], &twice);
    let thrice = encode(Coding::Brotli, &twice);
    assert_stops(&[Coding::Zstd, Coding::Gzip, Coding::Brotli], &thrice);
}

#[test]
fn a_step_passes_no_more_between_codings_than_a_turn() {
    // 64 MiB of skippable frames, which say nothing at all, in a few KiB.
    let skippable = [&b"\x50\x2a\x4d\x18\xf8\xff\x0f\x00"[..], &vec![0; 0xf_fff8]].concat();
    let bomb = encode(Coding::Gzip, &skippable.repeat(64));
    let codings = Codings { applied: vec![Coding::Zstd, Coding::Gzip] };
    let mut inflater = Inflater::new(&codings);
    let mut allowance = Allowance::new();
    allowance.arrived(1 << 20);
    let (mut rest, mut steps) = (&bomb[..], 0);
    loop {
        let progress = inflater.step(rest, &mut [0; 100], &mut allowance).unwrap();
        rest = &rest[progress.taken..];
        steps += 1;
        if rest.is_empty() && !progress.has_more {
            break;
        }
    }
    assert!(steps >= 2 * (64 << 20) / (2 * CODING_TURN_BYTES), "{steps}");
    assert!(steps <= 4 * (64 << 20) / CODING_TURN_BYTES, "{steps}");
}

#[test]
fn a_step_makes_no_more_runs_than_a_turn() {
    let member = encode(Coding::Gzip, b"");
    let members = member.repeat(CODING_TURN_RUNS + 1);
    let mut inflater = Inflater::new(&Codings::one(Coding::Gzip));
    let mut allowance = Allowance::new();
    let step = inflater.step(&members, &mut [0; 100], &mut allowance).unwrap();
    assert!(step.has_more);
    // The last run stands before the trailer of its member.
    assert_eq!(step.taken, member.len() * CODING_TURN_RUNS - 8);
    let rest = &members[step.taken..];
    let step = inflater.step(rest, &mut [0; 100], &mut allowance).unwrap();
    assert_eq!((step.taken, step.has_more), (rest.len(), false));

    let frame = zstd(b"", 1);
    let frames = frame.repeat(CODING_TURN_RUNS + 1);
    let mut inflater = Inflater::new(&Codings::one(Coding::Zstd));
    let step = inflater.step(&frames, &mut [0; 100], &mut allowance).unwrap();
    assert_eq!((step.taken, step.has_more), (frame.len() * CODING_TURN_RUNS, true));
}

#[test]
fn a_plain_text_that_compresses_well_is_read_to_its_end() {
    let plain = "the same sentence over and over again. ".repeat(200_000).into_bytes();
    for coding in [Coding::Gzip, Coding::Zstd, Coding::Brotli] {
        let (read, end) = explode(&Codings::one(coding), &encode(coding, &plain));
        assert_eq!((read, end), (plain.len() as u64, Ok(())), "{coding}");
    }
    assert!(zstd(&plain, 1).len() < plain.len() / 100);
}
