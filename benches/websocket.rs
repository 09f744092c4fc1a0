//! WebSocket as values: frames told apart, unmasked, inflated. 1 MiB of payload, by how large its frames (elements) are.
//!
//! Run with `cargo bench --bench websocket`.

#[path = "support/made.rs"]
mod made;

use std::hint::black_box;

use clawsec::http::head::{HeadLimits, parse_request, parse_response};
use clawsec::http::websocket::{
    Agreement, Compression, Event, Extensions, Reader, Sender, Side, Unit, agreement,
};
use clawsec::limits::{HEAD_MAX_BYTES, HEADERS_MAX, WEBSOCKET_WORK_BYTES};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flate2::{Compress, FlushCompress};
use made::prose;

const PAYLOAD_BYTES: usize = 1024 * 1024;
/// What of a direction comes at once.
const READ_BYTES: usize = 64 * 1024;

const FIN: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const TEXT: u8 = 0x1;
const CONTINUATION: u8 = 0x0;

/// Appends a frame; a client's is masked.
fn append_frame(out: &mut Vec<u8>, first: u8, sender: Sender, payload: &[u8]) {
    let bit = if sender == Sender::Client { 0x80 } else { 0 };
    out.push(first);
    match payload.len() {
        len @ 0..126 => out.push(bit | len as u8),
        len @ 126..65_536 => {
            out.push(bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    match sender {
        Sender::Client => {
            let mask = [0x37, 0xfa, 0x21, 0x3d];
            out.extend(mask);
            out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
        Sender::Server => out.extend_from_slice(payload),
    }
}

/// A direction as it is sent.
struct Direction {
    sender: Sender,
    compression: Option<Compression>,
    bytes: Vec<u8>,
    frames: usize,
    messages: usize,
}

impl Direction {
    /// Messages of one frame each.
    fn of_frames(sender: Sender, payload: &[u8], frame_bytes: usize) -> Direction {
        Direction::of_fragments(sender, payload, frame_bytes, frame_bytes)
    }

    fn of_fragments(sender: Sender, payload: &[u8], message: usize, fragment: usize) -> Direction {
        let (mut bytes, mut frames) = (Vec::new(), 0);
        for message in payload.chunks(message) {
            let last = message.len().div_ceil(fragment) - 1;
            for (number, fragment) in message.chunks(fragment).enumerate() {
                let opcode = if number == 0 { TEXT } else { CONTINUATION };
                let fin = if number == last { FIN } else { 0 };
                append_frame(&mut bytes, fin | opcode, sender, fragment);
                frames += 1;
            }
        }
        let messages = payload.len().div_ceil(message);
        Direction { sender, compression: None, bytes, frames, messages }
    }

    /// Messages of one frame each, deflated; each may refer to those before it (RFC 7692 §7.2.1).
    fn deflated(sender: Sender, payload: &[u8], message: usize) -> Direction {
        let side = Side::default();
        let mut engine = Compress::new(Default::default(), false);
        let mut bytes = Vec::new();
        for message in payload.chunks(message) {
            let mut deflated = Vec::with_capacity(2 * message.len() + 1024);
            engine.compress_vec(message, &mut deflated, FlushCompress::Sync).expect("it deflates");
            assert!(deflated.len() < deflated.capacity(), "there was room for all");
            let end = deflated.strip_suffix(&[0, 0, 0xff, 0xff]).expect("it was flushed").len();
            append_frame(&mut bytes, FIN | COMPRESSED | TEXT, sender, &deflated[..end]);
        }
        let compression = Some(Compression { client: side, server: side });
        let messages = payload.len().div_ceil(message);
        Direction { sender, compression, bytes, frames: messages, messages }
    }

    /// Reads it as a tunnel does: how many messages ended.
    fn read(&self, work: &mut [u8], give: &mut dyn FnMut(&[u8])) -> usize {
        let mut reader = Reader::new(self.sender, self.compression.as_ref());
        let mut messages = 0;
        for read in self.bytes.chunks(READ_BYTES) {
            let mut rest = black_box(read);
            loop {
                let step = reader.step(rest, work).expect("the frames are valid");
                match step.event {
                    Event::Idle => break,
                    Event::InPlace(Unit::Message, range) => give(&rest[range]),
                    Event::Unmasked(Unit::Message, len) | Event::Inflated(len) => {
                        give(&work[..len])
                    }
                    Event::End(Unit::Message) => messages += 1,
                    other => panic!("{other:?}"),
                }
                rest = &rest[step.taken..];
            }
        }
        messages
    }
}

/// Measures a direction, of which `payload` is to come out.
fn measure(criterion: &mut Criterion, id: (&str, String), payload: &[u8], direction: &Direction) {
    let mut work = vec![0; WEBSOCKET_WORK_BYTES];
    let mut said = Vec::new();
    let messages = direction.read(&mut work, &mut |part| said.extend_from_slice(part));
    assert_eq!(messages, direction.messages);
    assert!(said == payload, "what is read is what was sent");
    let mut group = criterion.benchmark_group(id.0);
    let (elements, bytes) = (direction.frames as u64, payload.len() as u64);
    group.throughput(Throughput::ElementsAndBytes { elements, bytes });
    group.bench_function(id.1, |bencher| {
        bencher.iter(|| {
            direction.read(&mut work, &mut |part| {
                black_box(part);
            })
        });
    });
    group.finish();
}

/// Not masked: payload is not touched, so the time is that of the frames. Masked: it is copied.
fn frames(criterion: &mut Criterion) {
    let payload = prose(PAYLOAD_BYTES).into_bytes();
    for (name, sender) in [("unmasked", Sender::Server), ("masked", Sender::Client)] {
        for frame_bytes in [32, 1024, 64 * 1024, PAYLOAD_BYTES] {
            let direction = Direction::of_frames(sender, &payload, frame_bytes);
            measure(criterion, (name, frame_bytes.to_string()), &payload, &direction);
        }
        // Messages of 64 KiB in so many bytes at a time.
        for fragment_bytes in [128, 4096] {
            let direction = Direction::of_fragments(sender, &payload, 64 * 1024, fragment_bytes);
            let name = format!("{name}_fragments");
            measure(criterion, (&name, fragment_bytes.to_string()), &payload, &direction);
        }
    }
}

fn deflated(criterion: &mut Criterion) {
    let payload = prose(PAYLOAD_BYTES).into_bytes();
    for (name, sender) in [("deflate", Sender::Server), ("deflate_masked", Sender::Client)] {
        for message_bytes in [128, 1024, 64 * 1024] {
            let direction = Direction::deflated(sender, &payload, message_bytes);
            assert!(direction.bytes.len() < payload.len(), "it is compressed");
            measure(criterion, (name, message_bytes.to_string()), &payload, &direction);
        }
    }
}

/// What an upgrade agreed on, by heads that are parsed already; the key is that of RFC 6455 §1.3.
fn handshake(criterion: &mut Criterion) {
    let limits = HeadLimits { max_bytes: HEAD_MAX_BYTES, max_headers: HEADERS_MAX };
    let request = b"GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let request = parse_request(request, &limits).expect("it is a head").expect("it is whole");
    let response = parse_response(response, &limits).expect("it is a head").expect("it is whole");
    let agreed = agreement(&request, &response).expect("it is a WebSocket");
    let Agreement { is_proven, extensions, .. } = agreed;
    assert!(is_proven && matches!(extensions, Extensions::Deflate(_)), "{agreed:?}");
    criterion.bench_function("websocket_agreement", |bencher| {
        bencher.iter(|| agreement(black_box(&request), black_box(&response)));
    });
}

criterion_group!(benches, frames, deflated, handshake);
criterion_main!(benches);
