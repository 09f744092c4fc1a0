//! What must hold for any coded body, archive and multipart body: run by the fuzz targets, and over the kept
//! corpus by `tests/corpus.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use clawsec::limits::{INFLATED_FREE_BYTES, INFLATED_RATIO_MAX};
use clawsec::scan::view::archive::{self, Container, Unreadable};
use clawsec::scan::view::codings::{Allowance, Codings, Inflater, Undecodable};
use clawsec::scan::view::multipart::{self, PartHead};
use clawsec::scan::view::pkt_lines;
use clawsec::scan::view::quoted_printable::QuotedPrintable;

/// What one call of an engine writes at most, and what lies between two.
const OVERSHOOT_BYTES: u64 = 128 * 1024;

/// A coded body says the same however its bytes arrive and however little room there is, and stops at its cap.
pub fn codings(data: &[u8]) {
    let [choice, split, room, stream @ ..] = data else { return };
    let name = |at: u8| ["gzip", "deflate", "br", "zstd"][usize::from(choice >> at & 3)];
    let value = match choice >> 4 & 1 {
        0 => name(0).to_owned(),
        _ => format!("{}, {}", name(0), name(2)),
    };
    let codings = Codings::parse([value.as_bytes()].into_iter()).expect("all four are known");
    let (whole, whole_end) = inflate(&codings, &[stream], 32 * 1024);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*split).max(1)).collect();
    let (cut, cut_end) = inflate(&codings, &pieces, usize::from(*room).max(1));
    assert_eq!(cut_end.is_ok(), whole_end.is_ok(), "{cut_end:?}, whole {whole_end:?}");
    // How much of a malformed body was read depends on where it was cut.
    let (short, long) = if cut.len() < whole.len() { (&cut, &whole) } else { (&whole, &cut) };
    assert!(long.starts_with(short));
    assert!(whole_end.is_err() || short.len() == long.len());
}

fn inflate(codings: &Codings, pieces: &[&[u8]], room: usize) -> (Vec<u8>, Result<(), Undecodable>) {
    let mut inflater = Inflater::new(codings);
    let mut allowance = Allowance::new();
    let mut output = vec![0; room];
    let (mut read, mut came) = (Vec::new(), 0);
    for piece in pieces {
        allowance.arrived(piece.len());
        came += piece.len() as u64;
        let mut rest = *piece;
        loop {
            let progress = match inflater.step(rest, &mut output, &mut allowance) {
                Ok(progress) => progress,
                Err(reason) => return (read, Err(reason)),
            };
            let moved = progress.taken > 0 || progress.written > 0;
            assert!(moved || progress.has_more || rest.is_empty(), "a step without progress");
            read.extend_from_slice(&output[..progress.written]);
            let cap = INFLATED_FREE_BYTES + INFLATED_RATIO_MAX * came + OVERSHOOT_BYTES;
            assert!(read.len() as u64 <= cap);
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

/// An archive says the same however its bytes arrive.
pub fn archive(data: &[u8]) {
    let [split, room, stream @ ..] = data else { return };
    let Some(container) = archive::sniff(stream) else { return };
    let whole = list(container, &[stream], 4096);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*split).max(1)).collect();
    let cut = list(container, &pieces, usize::from(*room).max(1));
    assert_eq!(cut.reasons.is_empty(), whole.reasons.is_empty());
    // How much of a malformed entry was read depends on where it was cut.
    if whole.reasons.is_empty() {
        assert_eq!(cut, whole);
    }
}

/// What was read of an archive.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    names: Vec<Vec<u8>>,
    contents: Vec<Vec<u8>>,
    reasons: Vec<Unreadable>,
}

fn list(container: Container, pieces: &[&[u8]], room: usize) -> Listed {
    use archive::Event;
    let mut reader = archive::Reader::new(container);
    let mut allowance = Allowance::new();
    let mut work = vec![0; room];
    let mut listed = Listed::default();
    let mut open = Vec::new();
    let mut add = |event: Event, name: &[u8], bytes: &[u8], work: &[u8]| match event {
        Event::Idle | Event::End => {}
        Event::Name => listed.names.push(name.to_vec()),
        Event::InPlace(range) => open.extend_from_slice(&bytes[range]),
        Event::Worked(len) => open.extend_from_slice(&work[..len]),
        Event::Unreadable(_, reason) => listed.reasons.extend(reason),
        Event::EntryEnd => listed.contents.push(std::mem::take(&mut open)),
    };
    for piece in pieces {
        allowance.arrived(piece.len());
        let mut rest = *piece;
        loop {
            let step = reader.step(rest, &mut work, &mut allowance);
            let is_idle = step.event == Event::Idle;
            add(step.event, reader.name(), rest, &work);
            rest = &rest[step.taken..];
            if is_idle {
                assert!(rest.is_empty(), "every byte was taken");
                break;
            }
        }
    }
    loop {
        let event = reader.finish(&mut work, &mut allowance);
        if event == Event::End {
            return listed;
        }
        add(event, reader.name(), &[], &work);
    }
}

/// A multipart body says the same however its bytes arrive, and no byte of it is lost. Its first line may also
/// be a type or a part's head.
pub fn multipart(data: &[u8]) {
    let [split, stream @ ..] = data else { return };
    multipart::boundary(stream);
    PartHead::parse(stream);
    let (whole, all) = parts(&[stream]);
    assert_eq!(all, stream);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*split).max(1)).collect();
    let (cut, all) = parts(&pieces);
    assert_eq!(all, stream);
    assert_eq!(cut, whole);
}

/// Where heads, contents and delimiters begin, and all of them put together.
fn parts(pieces: &[&[u8]]) -> (Vec<(char, usize)>, Vec<u8>) {
    use multipart::Event;
    let mut reader = multipart::Reader::new(b"xyz");
    let (mut starts, mut all) = (Vec::new(), Vec::new());
    let mut add = |event: Event, reader: &multipart::Reader, bytes: &[u8]| {
        let (kind, data) = match event {
            Event::Idle => return,
            Event::PartHead => ('h', reader.head()),
            Event::Data(range) => ('d', &bytes[range]),
            Event::Carried => ('d', reader.carried()),
            Event::PartEnd => ('p', reader.carried()),
            Event::End => ('e', reader.carried()),
        };
        if kind != 'd' || starts.last().is_none_or(|(last, _)| *last != 'd') {
            starts.push((kind, all.len()));
        }
        all.extend_from_slice(data);
    };
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let step = reader.step(rest);
            let is_idle = step.event == Event::Idle;
            add(step.event, &reader, rest);
            rest = &rest[step.taken..];
            if is_idle {
                assert!(rest.is_empty(), "every byte was taken");
                break;
            }
        }
    }
    while let Some(event) = reader.finish() {
        add(event, &reader, &[]);
    }
    (starts, all)
}

/// A quoted-printable text says the same however its bytes arrive, and never grows.
pub fn quoted_printable(data: &[u8]) {
    let [split, stream @ ..] = data else { return };
    let decode = |pieces: &[&[u8]]| {
        let (mut decoder, mut out) = (QuotedPrintable::new(), Vec::new());
        for piece in pieces {
            decoder.feed(piece, &mut out);
        }
        decoder.finish(&mut out);
        out
    };
    let whole = decode(&[stream]);
    assert!(whole.len() <= stream.len());
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*split).max(1)).collect();
    assert_eq!(decode(&pieces), whole);
}

/// What git sends says the same however its bytes arrive, and no byte of it is said twice.
pub fn git(data: &[u8]) {
    let [split, stream @ ..] = data else { return };
    let whole = channels(&[stream]);
    assert!(whole.iter().map(|(_, said)| said.len()).sum::<usize>() <= stream.len());
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*split).max(1)).collect();
    assert_eq!(channels(&pieces), whole);
}

fn channels(pieces: &[&[u8]]) -> Vec<(pkt_lines::Channel, Vec<u8>)> {
    use pkt_lines::{Channel, Event};
    let mut reader = pkt_lines::Reader::new();
    let mut said: Vec<(Channel, Vec<u8>)> = Vec::new();
    let mut say = |channel: Channel, bytes: &[u8]| match said.last_mut() {
        Some((last, said)) if *last == channel => said.extend_from_slice(bytes),
        _ if bytes.is_empty() => {}
        _ => said.push((channel, bytes.to_vec())),
    };
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let (event, taken) = reader.step(rest);
            match event {
                Event::Idle => break,
                Event::Piece(channel, range) => say(channel, &rest[range]),
                Event::Held(channel) => say(channel, reader.held()),
                Event::LineEnd => {}
            }
            rest = &rest[taken..];
        }
    }
    if let Event::Held(channel) = reader.finish() {
        say(channel, reader.held());
    }
    said
}
