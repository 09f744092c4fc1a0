//! A direction as a whole: frames written by a straightforward encoder, read at any split.

use flate2::{Compress, Compression as Level, FlushCompress};
use proptest::prelude::*;

use super::handshake::Side;
use super::*;
use crate::limits::{
    WEBSOCKET_CONTROL_MAX_BYTES, WEBSOCKET_DEFLATE_STREAMS_MAX, WEBSOCKET_WORK_BYTES,
};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// One frame with the shortest length.
fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    frame_in(0, first, mask, payload)
}

/// The same with a length of so many bytes at least.
fn frame_in(length: usize, first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let bit = if mask.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 if length == 0 => out.push(bit | len as u8),
        len @ 0..65_536 if length <= 2 => {
            out.push(bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    match mask {
        Some(mask) => {
            out.extend(mask);
            out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
        None => out.extend(payload),
    }
    out
}

/// What a direction said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    messages: Vec<Vec<u8>>,
    controls: Vec<Vec<u8>>,
    /// Payload of units that did not end.
    open: usize,
    unreadable_bytes: usize,
    reasons: Vec<Undecodable>,
    invalid: Option<InvalidFrame>,
}

/// Reads bytes in pieces of these lengths, over and over; the work buffer is as long as said.
fn read(reader: &mut Reader, bytes: &[u8], pieces: &[usize], work_len: usize) -> Said {
    let mut work = vec![0; work_len];
    let mut said = Said::default();
    let (mut message, mut control) = (Vec::new(), Vec::new());
    let mut rest = bytes;
    for len in pieces.iter().cycle() {
        let (mut piece, behind) = rest.split_at(rest.len().min(*len));
        rest = behind;
        loop {
            let step = match reader.step(piece, &mut work) {
                Ok(step) => step,
                Err(invalid) => {
                    said.invalid = Some(invalid);
                    return said;
                }
            };
            match step.event {
                Event::Idle => {
                    assert_eq!(step.taken, piece.len(), "idle with bytes left");
                    break;
                }
                Event::InPlace(Unit::Message, range) => message.extend_from_slice(&piece[range]),
                Event::InPlace(Unit::Control, range) => control.extend_from_slice(&piece[range]),
                Event::Unmasked(Unit::Message, len) | Event::Inflated(len) => {
                    message.extend_from_slice(&work[..len]);
                }
                Event::Unmasked(Unit::Control, len) => control.extend_from_slice(&work[..len]),
                Event::Unreadable(len, reason) => {
                    said.unreadable_bytes += len;
                    said.reasons.extend(reason);
                }
                Event::End(Unit::Message) => said.messages.push(std::mem::take(&mut message)),
                Event::End(Unit::Control) => said.controls.push(std::mem::take(&mut control)),
            }
            piece = &piece[step.taken..];
        }
        if rest.is_empty() {
            break;
        }
    }
    said.open = message.len() + control.len();
    said
}

fn read_whole(sender: Sender, compression: Option<&Compression>, bytes: &[u8]) -> Said {
    read(&mut Reader::new(sender, compression), bytes, &[usize::MAX], WEBSOCKET_WORK_BYTES)
}

/// Deflates the messages of one direction, as RFC 7692 §7.2.1 says.
struct Deflater {
    engine: Compress,
    takes_over: bool,
}

impl Deflater {
    fn new(side: Side) -> Deflater {
        let bits = side.window_bits.max(9);
        let engine = Compress::new_with_window_bits(Level::default(), false, bits);
        Deflater { engine, takes_over: side.takes_over }
    }

    fn run(&mut self, message: &[u8], flush: FlushCompress) -> Vec<u8> {
        let mut out = Vec::with_capacity(message.len() * 2 + 1024);
        let start = self.engine.total_in();
        loop {
            let taken = (self.engine.total_in() - start) as usize;
            self.engine.compress_vec(&message[taken..], &mut out, flush).unwrap();
            let all_taken = (self.engine.total_in() - start) as usize == message.len();
            if all_taken && out.len() < out.capacity() {
                return out;
            }
            out.reserve(out.capacity());
        }
    }

    fn message(&mut self, message: &[u8]) -> Vec<u8> {
        if message.is_empty() {
            // RFC 7692 §7.2.3.6; an engine that has nothing to flush says nothing at all.
            return vec![0x00];
        }
        let mut out = self.run(message, FlushCompress::Sync);
        assert!(out.ends_with(&[0, 0, 0xff, 0xff]), "{out:?}");
        out.truncate(out.len() - 4);
        if !self.takes_over {
            self.engine.reset();
        }
        out
    }
}

fn agreed(side: Side) -> Compression {
    Compression { client: side, server: side }
}

const FRESH: Side = Side { window_bits: 15, takes_over: false };
const TAKING_OVER: Side = Side { window_bits: 15, takes_over: true };

#[test]
fn the_examples_of_rfc_6455() {
    let mask = Some([0x37, 0xfa, 0x21, 0x3d]);
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(frame(FIN | TEXT, mask, b"Hello"), masked);
    assert_eq!(read_whole(Sender::Client, None, &masked).messages, [b"Hello"]);
    let plain = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(read_whole(Sender::Server, None, &plain).messages, [b"Hello"]);
    let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
    assert_eq!(read_whole(Sender::Server, None, &fragments).messages, [b"Hello"]);
    let ping = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
    assert_eq!(read_whole(Sender::Server, None, &ping).controls, [b"Hello"]);
    for len in [256, 65_536] {
        let payload = vec![7; len];
        let bytes = frame(FIN | BINARY, None, &payload);
        assert_eq!(read_whole(Sender::Server, None, &bytes).messages, [payload]);
    }
}

#[test]
fn the_examples_of_rfc_7692() {
    let read = |bytes: &[u8]| read_whole(Sender::Server, Some(&agreed(TAKING_OVER)), bytes);
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let once = frame(FIN | RSV1 | TEXT, None, &hello);
    assert_eq!(read(&once).messages, [b"Hello"]);
    // §7.2.3.1, in two fragments: the flag stands on the first alone.
    let fragments =
        [frame(RSV1 | TEXT, None, &hello[..3]), frame(FIN | CONTINUATION, None, &hello[3..])];
    assert_eq!(read(&fragments.concat()).messages, [b"Hello"]);
    // §7.2.3.2: the second one refers to the first.
    let again = frame(FIN | RSV1 | TEXT, None, &[0xf2, 0x00, 0x11, 0x00, 0x00]);
    assert_eq!(read(&[once, again].concat()).messages, [b"Hello", b"Hello"]);
    // §7.2.3.3: a block without compression.
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(read(&frame(FIN | RSV1 | TEXT, None, &stored)).messages, [b"Hello"]);
    // §7.2.3.4: a final block; behind it with and without the byte that the RFC appends.
    let finals = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    for payload in [&finals[..], &finals[..7]] {
        let bytes = frame(FIN | RSV1 | TEXT, None, payload);
        let said = read(&[bytes.clone(), bytes].concat());
        assert_eq!((said.messages, said.reasons), (vec![b"Hello".to_vec(); 2], vec![]));
    }
    // §7.2.3.5: two blocks in one message.
    let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(read(&frame(FIN | RSV1 | TEXT, None, &two)).messages, [b"Hello"]);
    // §7.2.3.6: an empty message; and one whose sender wrote nothing at all.
    for payload in [&[0x00][..], &[]] {
        let bytes = [
            frame(FIN | RSV1 | TEXT, None, payload),
            frame(FIN | RSV1 | TEXT, None, &hello),
            frame(FIN | TEXT, None, b"clear"),
        ];
        assert_eq!(read(&bytes.concat()).messages, [&b""[..], b"Hello", b"clear"]);
    }
}

#[test]
fn frames_are_read_at_every_split() {
    let mask = Some([1, 2, 3, 4]);
    let long = vec![b'x'; 300];
    let mut deflater = Deflater::new(TAKING_OVER);
    let bytes = [
        frame(TEXT, mask, b"one "),
        frame(FIN | PING, mask, b"ping"),
        frame(CONTINUATION, mask, b""),
        frame(FIN | PONG, mask, b""),
        frame(FIN | CONTINUATION, mask, b"message"),
        frame(FIN | BINARY, mask, &long),
        frame(FIN | RSV1 | TEXT, mask, &deflater.message(&long)),
        frame(FIN | BINARY, mask, b""),
        frame(FIN | CLOSE, mask, b"\x03\xe8bye"),
    ]
    .concat();
    let messages: [&[u8]; 4] = [b"one message", &long, &long, b""];
    let controls: [&[u8]; 3] = [b"ping", b"", b"\x03\xe8bye"];
    let compression = agreed(TAKING_OVER);
    for first in 0..=bytes.len() {
        for work_len in [1, 7, WEBSOCKET_WORK_BYTES] {
            let mut reader = Reader::new(Sender::Client, Some(&compression));
            let said = read(&mut reader, &bytes, &[first, usize::MAX], work_len);
            assert_eq!(said.invalid, None, "split at {first}");
            assert_eq!(said.messages, messages, "split at {first}");
            assert_eq!(said.controls, controls, "split at {first}");
        }
    }
    let mut reader = Reader::new(Sender::Client, Some(&compression));
    assert_eq!(read(&mut reader, &bytes, &[1], 3).messages, messages);
}

/// An invalid frame: its name, who sends it, whether compression was agreed on, the bytes, the fault.
type Invalid = (&'static str, Sender, bool, Vec<u8>, InvalidFrame);

fn masked(first: u8) -> Vec<u8> {
    frame(first, Some([9, 9, 9, 9]), b"x")
}

fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, None, payload)
}

/// Headers that are invalid whatever came before.
fn invalid_headers() -> Vec<Invalid> {
    use InvalidFrame::*;
    let (server, client) = (Sender::Server, Sender::Client);
    let long_in_64_bits = frame_in(8, FIN | PING, None, &[0; 126]);
    let top_bit = vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
    vec![
        ("rsv2", server, true, plain(FIN | 0x20 | TEXT, b""), ReservedBits),
        ("rsv3", server, true, plain(FIN | 0x10 | TEXT, b""), ReservedBits),
        ("all reserved bits", client, true, masked(0xf0 | TEXT), ReservedBits),
        ("opcode 3", server, false, plain(FIN | 0x3, b""), ReservedOpcode),
        ("opcode 7", client, false, masked(FIN | 0x7), ReservedOpcode),
        ("opcode 11", server, false, plain(FIN | 0xb, b""), ReservedOpcode),
        ("opcode 15", server, false, plain(FIN | 0xf, b""), ReservedOpcode),
        ("a server masks", server, false, masked(FIN | TEXT), MaskedByServer),
        ("a client does not", client, false, plain(FIN | TEXT, b"x"), UnmaskedByClient),
        ("ping in fragments", server, false, plain(PING, b""), FragmentedControl),
        ("close in fragments", client, false, masked(CLOSE), FragmentedControl),
        ("long ping", server, false, plain(FIN | PING, &[0; 126]), LongControl),
        ("long close", server, false, plain(FIN | CLOSE, &[0; 70_000]), LongControl),
        ("the top bit", server, false, top_bit, LengthTooLarge),
        ("long ping in 64 bits", server, false, long_in_64_bits, LongControl),
        ("compressed unasked", server, false, plain(FIN | RSV1 | TEXT, b""), CompressedUnasked),
        ("a compressed ping", server, true, plain(FIN | RSV1 | PING, b""), CompressedUnasked),
    ]
}

/// Frames that are invalid where they stand.
fn invalid_sequences() -> Vec<Invalid> {
    use InvalidFrame::*;
    let server = Sender::Server;
    let behind_whole = [plain(FIN | TEXT, b"x"), plain(CONTINUATION, b"y")].concat();
    let in_between = [plain(TEXT, b"x"), plain(FIN | PING, b""), plain(FIN | TEXT, b"y")].concat();
    let flagged = [plain(RSV1 | TEXT, b"\0"), plain(FIN | RSV1, b"\0")].concat();
    vec![
        ("continuation first", server, false, plain(FIN, b"x"), StrayContinuation),
        ("continuation of a whole message", server, false, behind_whole, StrayContinuation),
        ("two messages at once", server, false, in_between, UnfinishedMessage),
        ("the flag on a continuation", server, true, flagged, CompressedUnasked),
    ]
}

#[test]
fn invalid_frames_are_told_by_their_fault() {
    let compression = agreed(FRESH);
    for (name, sender, is_compressed, bytes, fault) in
        invalid_headers().into_iter().chain(invalid_sequences())
    {
        let compression = is_compressed.then_some(&compression);
        for piece in [1, usize::MAX] {
            let said = read(&mut Reader::new(sender, compression), &bytes, &[piece], 64);
            assert_eq!(said.invalid, Some(fault), "{name}");
        }
        let mask = (sender == Sender::Client).then_some([9, 9, 9, 9]);
        let before = frame(FIN | TEXT, mask, b"before");
        let said = read_whole(sender, compression, &[before, bytes].concat());
        assert_eq!(said.messages.first().map(Vec::as_slice), Some(&b"before"[..]), "{name}");
    }
}

#[test]
fn what_is_unusual_but_valid_is_read() {
    let longest = vec![b'c'; WEBSOCKET_CONTROL_MAX_BYTES as usize];
    let said = read_whole(Sender::Server, None, &frame(FIN | PING, None, &longest));
    assert_eq!((said.invalid, said.controls), (None, vec![longest]));
    let said = read_whole(Sender::Server, None, &[0x82, 127, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 1, 2]);
    assert_eq!((said.invalid, said.open), (None, 2));
    let zero_mask = frame(FIN | TEXT, Some([0; 4]), b"in the clear");
    assert_eq!(read_whole(Sender::Client, None, &zero_mask).messages, [b"in the clear"]);
    let after_close = [frame(FIN | CLOSE, None, b""), frame(FIN | TEXT, None, b"more")].concat();
    assert_eq!(read_whole(Sender::Server, None, &after_close).messages, [b"more"]);
}

#[test]
fn a_length_longer_than_it_needs_is_taken_as_it_is_written() {
    for sender in [Sender::Client, Sender::Server] {
        let mask = (sender == Sender::Client).then_some([0xa5, 0x5a, 0x3c, 0xc3]);
        for (length, len) in [(2, 0), (2, 2), (2, 125), (8, 0), (8, 2), (8, 126), (8, 65_535)] {
            let payload = vec![b'p'; len];
            let ping = frame_in(length, FIN | PING, mask, b"still there?");
            let long = frame_in(length, FIN | TEXT, mask, &payload);
            let bytes = [long, ping, frame(FIN | TEXT, mask, b"after")].concat();
            for piece in [1, usize::MAX] {
                let mut reader = Reader::new(sender, None);
                let said = read(&mut reader, &bytes, &[piece], 512);
                assert_eq!(said.invalid, None, "{len} in {length} bytes of the {sender:?}");
                assert!(said.messages == [&payload[..], b"after"], "{len} in {length} bytes");
                assert_eq!(said.controls, [b"still there?"], "{len} in {length} bytes");
                assert!(reader.has_long_form(), "{len} in {length} bytes");
            }
        }
        let mut reader = Reader::new(sender, None);
        for len in [0, 125, 126, 65_535, 65_536] {
            read(&mut reader, &frame(FIN | BINARY, mask, &vec![0; len]), &[usize::MAX], 512);
        }
        assert!(!reader.has_long_form(), "none is longer than it needs");
    }
}

#[test]
fn every_window_size_is_inflated_with_and_without_the_context_before() {
    // Further back than the smallest window reaches, nearer than the largest.
    let noise: Vec<u8> =
        (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for window_bits in 8..=15 {
        for takes_over in [true, false] {
            let side = Side { window_bits, takes_over };
            let mut deflater = Deflater::new(side);
            let mut bytes = Vec::new();
            let mut messages = Vec::new();
            for round in 0..4 {
                let message = [&noise[round * 100..], b" end ", &noise[..5000]].concat();
                let payload = deflater.message(&message);
                let (front, back) = payload.split_at(payload.len() / 2);
                bytes.extend(frame(RSV1 | BINARY, None, front));
                bytes.extend(frame(FIN | CONTINUATION, None, back));
                messages.push(message);
            }
            let mut reader = Reader::new(Sender::Server, Some(&agreed(side)));
            let said = read(&mut reader, &bytes, &[1000, 1, 77], 4096);
            assert_eq!(said.reasons, [], "window {window_bits}, takes over: {takes_over}");
            assert!(said.messages == messages, "window {window_bits}, takes over: {takes_over}");
        }
    }
}

#[test]
fn a_malformed_message_costs_what_refers_to_it() {
    let broken = frame(FIN | RSV1 | TEXT, None, &[0xff; 40]);
    let clear = frame(FIN | TEXT, None, b"clear");
    let lost = [Undecodable::Malformed, Undecodable::ContextLost, Undecodable::ContextLost];
    for (side, later, reasons) in [(FRESH, &b"fine"[..], &lost[..1]), (TAKING_OVER, b"", &lost[..])]
    {
        let fine = frame(FIN | RSV1 | TEXT, None, &Deflater::new(side).message(b"fine"));
        let bytes = [&broken[..], &fine, &clear, &fine].concat();
        for pieces in [usize::MAX, 1] {
            let mut reader = Reader::new(Sender::Server, Some(&agreed(side)));
            let said = read(&mut reader, &bytes, &[pieces], 64);
            assert_eq!(said.reasons, reasons, "{side:?}");
            assert_eq!(said.messages, [b"", later, b"clear", later], "{side:?}");
        }
        let said = read_whole(Sender::Server, Some(&agreed(side)), &bytes);
        let lost = if side.takes_over { 2 * (fine.len() - 2) } else { 0 };
        assert_eq!(said.unreadable_bytes, 40 + lost, "{side:?}");
    }
}

#[test]
fn deflate_streams_in_a_message_are_counted() {
    let hello = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let message = |streams: u32| {
        let payload = hello.repeat(streams as usize);
        read_whole(Sender::Server, Some(&agreed(FRESH)), &frame(FIN | RSV1 | TEXT, None, &payload))
    };
    let said = message(WEBSOCKET_DEFLATE_STREAMS_MAX);
    assert_eq!(said.reasons, []);
    assert_eq!(said.messages, [b"Hello".repeat(WEBSOCKET_DEFLATE_STREAMS_MAX as usize)]);
    let said = message(WEBSOCKET_DEFLATE_STREAMS_MAX + 1);
    assert_eq!(said.reasons, [Undecodable::Malformed]);
}

/// Reads without keeping what was read: how much came out of the first message, and what was said of it.
fn weigh(reader: &mut Reader, bytes: &[u8]) -> (u64, Vec<Undecodable>) {
    let mut work = vec![0; WEBSOCKET_WORK_BYTES];
    let (mut at, mut weight, mut reasons) = (0, 0, Vec::new());
    loop {
        let step = reader.step(&bytes[at..], &mut work).unwrap();
        at += step.taken;
        match step.event {
            Event::Unmasked(_, len) | Event::Inflated(len) => weight += len as u64,
            Event::InPlace(_, range) => weight += range.len() as u64,
            Event::Unreadable(_, reason) => reasons.extend(reason),
            Event::End(_) => {}
            Event::Idle => return (weight, reasons),
        }
    }
}

#[test]
fn a_message_of_16_mib_is_read_whole_even_of_one_letter() {
    let message = vec![b'a'; 16 * 1024 * 1024];
    let payload = Deflater::new(FRESH).message(&message);
    assert!(message.len() > 500 * payload.len(), "far beyond the ratio");
    let mut reader = Reader::new(Sender::Server, Some(&agreed(FRESH)));
    let (weight, reasons) = weigh(&mut reader, &frame(FIN | RSV1 | TEXT, None, &payload));
    assert_eq!((weight, reasons), (message.len() as u64, vec![]));
}

#[test]
fn a_bomb_stops_at_its_cap_and_the_next_message_is_read() {
    use crate::limits::{WEBSOCKET_INFLATED_FREE_BYTES, WEBSOCKET_INFLATED_RATIO_MAX};
    // Each piece stands for itself, so that they can be repeated.
    let zeros = Deflater::new(FRESH).run(&[0; 1024 * 1024], FlushCompress::Full);
    let payload = zeros.repeat(48);
    let bomb = frame(FIN | RSV1 | BINARY, None, &payload);
    let mut reader = Reader::new(Sender::Server, Some(&agreed(FRESH)));
    let (weight, reasons) = weigh(&mut reader, &bomb);
    assert_eq!(reasons, [Undecodable::TooLarge]);
    let cap = WEBSOCKET_INFLATED_FREE_BYTES + payload.len() as u64 * WEBSOCKET_INFLATED_RATIO_MAX;
    assert!(weight >= WEBSOCKET_INFLATED_FREE_BYTES, "{weight}");
    assert!(weight < cap + WEBSOCKET_WORK_BYTES as u64, "{weight}");
    let next = frame(FIN | RSV1 | TEXT, None, &Deflater::new(FRESH).message(b"after"));
    assert_eq!(weigh(&mut reader, &next), (5, vec![]));
}

#[test]
fn behind_a_message_beyond_its_cap_those_that_refer_to_it_are_read() {
    let mut deflater = Deflater::new(TAKING_OVER);
    // The second one says again what the first one ends with, behind what nobody reads.
    let end = b"a text that is said twice, and refers to where it was said first ".repeat(4);
    let bomb = deflater.message(&[&vec![0; 64 * 1024 * 1024][..], &end].concat());
    let next = deflater.message(&end);
    assert!(next.len() < end.len() / 8, "{} refers to what came before", next.len());
    for work_len in [777, WEBSOCKET_WORK_BYTES] {
        let mut reader = Reader::new(Sender::Server, Some(&agreed(TAKING_OVER)));
        let said = read(
            &mut reader,
            &[frame(FIN | RSV1 | BINARY, None, &bomb), frame(FIN | RSV1 | TEXT, None, &next)]
                .concat(),
            &[4096],
            work_len,
        );
        assert_eq!(said.reasons, [Undecodable::TooLarge]);
        assert!(said.messages[0].len() < 40 * 1024 * 1024, "{}", said.messages[0].len());
        assert!(said.messages[1] == end);
        assert!(said.unreadable_bytes > 0 && said.unreadable_bytes < bomb.len());
    }
}

#[test]
fn ten_gib_of_zeros_in_ten_mib_are_given_up() {
    use crate::limits::{WEBSOCKET_DISCARDED_MAX_BYTES, WEBSOCKET_INFLATED_FREE_BYTES};
    let zeros = Deflater::new(FRESH).run(&[0; 1024 * 1024], FlushCompress::Full);
    let payload = zeros.repeat(10 * 1024);
    let mut reader = Reader::new(Sender::Server, Some(&agreed(TAKING_OVER)));
    let mut work = vec![0; WEBSOCKET_WORK_BYTES];
    let bytes = frame(FIN | RSV1 | BINARY, None, &payload);
    let (mut at, mut steps) = (0, 0);
    loop {
        let step = reader.step(&bytes[at..], &mut work).unwrap();
        at += step.taken;
        steps += 1;
        if step.event == Event::Idle {
            break;
        }
    }
    let made = WEBSOCKET_DISCARDED_MAX_BYTES + 2 * WEBSOCKET_INFLATED_FREE_BYTES;
    // What fills the work buffer may leave a piece behind.
    assert!(steps < 2 * made / WEBSOCKET_WORK_BYTES as u64 + 100, "{steps} pieces of work");
    let next = frame(FIN | RSV1 | TEXT, None, &Deflater::new(FRESH).message(b"after"));
    assert_eq!(weigh(&mut reader, &next), (0, vec![Undecodable::ContextLost]));
}

/// One unit of a direction as a property test makes it up.
#[derive(Clone, Debug)]
enum Made {
    Message { payload: Vec<u8>, is_compressed: bool, cuts: Vec<usize>, between: Vec<Vec<u8>> },
    Control(Vec<u8>),
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..300),
        2 => "[a-d ]{0,2000}".prop_map(String::into_bytes),
        1 => (0..3usize).prop_map(|n| vec![b'z'; [125, 126, 70_000][n]]),
    ]
}

fn control() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..126)
}

fn made() -> impl Strategy<Value = Made> {
    let message = (
        payload(),
        any::<bool>(),
        prop::collection::vec(0..3000usize, 0..4),
        prop::collection::vec(control(), 0..3),
    );
    prop_oneof![
        5 => message.prop_map(|(payload, is_compressed, cuts, between)| {
            Made::Message { payload, is_compressed, cuts, between }
        }),
        1 => control().prop_map(Made::Control),
    ]
}

/// The bytes of a unit: a message in fragments, control frames between them.
fn encode(
    made: &Made,
    deflater: Option<&mut Deflater>,
    mask: Option<[u8; 4]>,
    length: usize,
) -> Vec<u8> {
    let frame = |first, payload: &[u8]| frame_in(length, first, mask, payload);
    let Made::Message { payload, is_compressed, cuts, between } = made else {
        let Made::Control(payload) = made else { unreachable!() };
        return frame(FIN | PONG, payload);
    };
    let (payload, flag) = match deflater {
        Some(deflater) if *is_compressed => (deflater.message(payload), RSV1),
        _ => (payload.clone(), 0),
    };
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (payload.len() + 1)).collect();
    cuts.sort_unstable();
    let mut out = Vec::new();
    let (mut start, mut first) = (0, TEXT | flag);
    let mut between = between.iter();
    for cut in cuts {
        out.extend(frame(first, &payload[start..cut]));
        out.extend(between.next().map(|ping| frame(FIN | PING, ping)).unwrap_or_default());
        (start, first) = (cut, CONTINUATION);
    }
    out.extend(frame(FIN | first, &payload[start..]));
    out
}

/// What a unit must be read as.
fn expect(made: &Made, said: &mut Said) {
    match made {
        Made::Message { payload, cuts, between, .. } => {
            said.messages.push(payload.clone());
            said.controls.extend(between.iter().take(cuts.len()).cloned());
        }
        Made::Control(payload) => said.controls.push(payload.clone()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_was_said_is_read_however_it_was_cut(
        units in prop::collection::vec(made(), 0..6),
        mask in prop::option::of(any::<[u8; 4]>()),
        side in prop::option::of((8..=15u8, any::<bool>())),
        pieces in prop::collection::vec(1..5000usize, 1..6),
        work_len in 1..5000usize,
        length in prop::sample::select(vec![0, 0, 2, 8]),
    ) {
        let side = side.map(|(window_bits, takes_over)| Side { window_bits, takes_over });
        let compression = side.map(agreed);
        let mut deflater = side.map(Deflater::new);
        let (mut bytes, mut expected) = (Vec::new(), Said::default());
        for unit in &units {
            bytes.extend(encode(unit, deflater.as_mut(), mask, length));
            expect(unit, &mut expected);
        }
        let sender = if mask.is_some() { Sender::Client } else { Sender::Server };
        let mut reader = Reader::new(sender, compression.as_ref());
        let said = read(&mut reader, &bytes, &pieces, work_len);
        prop_assert!(said == expected, "{:?} is not {:?}", said, expected);
    }

    #[test]
    fn arbitrary_bytes_are_read_alike_at_any_split(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        is_client in any::<bool>(),
        is_compressed in any::<bool>(),
        pieces in prop::collection::vec(1..40usize, 1..6),
    ) {
        let sender = if is_client { Sender::Client } else { Sender::Server };
        let compression = is_compressed.then_some(agreed(TAKING_OVER));
        let whole = read_whole(sender, compression.as_ref(), &bytes);
        let mut reader = Reader::new(sender, compression.as_ref());
        let cut = read(&mut reader, &bytes, &pieces, 64);
        prop_assert_eq!(&whole.invalid, &cut.invalid);
        // How much of a malformed message was understood depends on where the bytes were split.
        if whole.reasons.is_empty() {
            prop_assert_eq!(&whole.messages, &cut.messages);
        }
        prop_assert_eq!(&whole.reasons, &cut.reasons);
        prop_assert_eq!(&whole.controls, &cut.controls);
    }

    #[test]
    fn arbitrary_payload_of_compressed_frames_never_panics(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..5),
        takes_over in any::<bool>(),
        window_bits in 8..=15u8,
    ) {
        let side = Side { window_bits, takes_over };
        let frames: Vec<Vec<u8>> =
            payloads.iter().map(|payload| frame(FIN | RSV1 | BINARY, None, payload)).collect();
        let said = read_whole(Sender::Server, Some(&agreed(side)), &frames.concat());
        prop_assert_eq!(said.messages.len(), payloads.len());
    }
}
