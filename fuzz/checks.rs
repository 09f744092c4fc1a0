//! What must hold for any input: run by the fuzz targets, and over the kept corpus by `tests/corpus.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use clawsec::http::body::{Body, BodyError, Piece};
use clawsec::http::framing::{BodyKind, RequestPlan, plan_request, plan_response};
use clawsec::http::head::{HeadLimits, Method, Version, parse_request, parse_response};
use clawsec::http::rewrite::{ClientSide, Forwarding, write_request, write_response};
use clawsec::http::target::{Authority, parse_target};
use clawsec::http::websocket::{
    Compression, Event, InvalidFrame, Reader, Sender, Side, Undecodable, Unit,
};

const LIMITS: HeadLimits = HeadLimits { max_bytes: 65_536, max_headers: 256 };

/// A request head that is accepted goes upstream as a head that says the same.
pub fn request_head(data: &[u8]) {
    let Ok(Some(head)) = parse_request(data, &LIMITS) else { return };
    assert!(head.len <= data.len());
    let (Ok(target), Ok(plan)) = (parse_target(head.method, head.target), plan_request(&head))
    else {
        return;
    };
    if head.method == Method::Connect {
        return;
    }
    let host = Authority { host: "origin.test".into(), port: 80 };
    let forwarding = Forwarding {
        host: &host.host,
        port: host.port,
        default_port: 80,
        via: None,
        relay: None,
        forwarded_for: None,
        loop_mark: None,
    };
    let mut out = Vec::new();
    write_request(&head, &target, &plan, &forwarding, &mut out);
    let large = HeadLimits { max_bytes: 2 * LIMITS.max_bytes, max_headers: LIMITS.max_headers };
    let again = parse_request(&out, &large)
        .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&out)))
        .unwrap_or_else(|| panic!("no end in {:?}", String::from_utf8_lossy(&out)));
    assert_eq!(again.len, out.len(), "one message in, one message out");
    assert_eq!(again.method_name, head.method_name);
    assert_eq!(again.version, Version::Http11);
    let replanned: RequestPlan = plan_request(&again).expect("what we send, we accept");
    assert_eq!(replanned.body, plan.body);
    assert!(again.get("proxy-authorization").is_none());
}

/// A response head that is accepted reaches the client as one that frames the same body.
pub fn response_head(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let method = if choice & 1 == 0 { Method::Get } else { Method::Head };
    let Ok(Some(head)) = parse_response(data, &LIMITS) else { return };
    assert!(head.len <= data.len());
    let Ok(plan) = plan_response(&head, method) else { return };
    let client = ClientSide { version: Version::Http11, persistent: true, dechunk: false };
    let mut out = Vec::new();
    write_response(&head, &plan, client, None, &mut out);
    let large = HeadLimits { max_bytes: 2 * LIMITS.max_bytes, max_headers: LIMITS.max_headers };
    let again = parse_response(&out, &large)
        .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&out)))
        .unwrap_or_else(|| panic!("no end in {:?}", String::from_utf8_lossy(&out)));
    assert_eq!(again.len, out.len(), "one message in, one message out");
    assert_eq!(again.status, head.status);
    let replanned = plan_response(&again, method).expect("what we send, we accept");
    assert_eq!(replanned.body, plan.body);
}

/// A body is the same body however its bytes arrive.
pub fn body(data: &[u8]) {
    let [choice, split, stream @ ..] = data else { return };
    let kind = match choice % 3 {
        0 => BodyKind::Chunked,
        1 => BodyKind::Length(u64::from(*choice)),
        _ => BodyKind::UntilClose,
    };
    let whole = run(kind, &[stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*split).max(1)).collect();
    assert_eq!(run(kind, &pieces), whole);
}

/// What a body's steps give: data, extension and trailer bytes, bytes taken, and whether it ended or failed.
type Outcome = ([Vec<u8>; 3], usize, Result<bool, BodyError>);

fn run(kind: BodyKind, reads: &[&[u8]]) -> Outcome {
    let mut body = Body::new(kind);
    let (mut all, mut taken) = (<[Vec<u8>; 3]>::default(), 0);
    for read in reads {
        let mut new = <[Vec<u8>; 3]>::default();
        let [new_data, new_extensions, new_trailer] = &mut new;
        let step = body.step(read, &mut |piece| match piece {
            Piece::Data(range) => new_data.extend_from_slice(&read[range]),
            Piece::Extension(_, range) => new_extensions.extend_from_slice(&read[range]),
            Piece::Trailer(range) => new_trailer.extend_from_slice(&read[range]),
        });
        match step {
            // How much of a faulty read was understood depends on where the reads were split.
            Err(error) => return (Default::default(), 0, Err(error)),
            Ok(len) => {
                assert!(len <= read.len());
                all.iter_mut().zip(&mut new).for_each(|(all, new)| all.append(new));
                taken += len;
                if len < read.len() {
                    assert!(body.is_done(), "bytes are left over only behind the end");
                    break;
                }
            }
        }
    }
    (all, taken, Ok(body.is_done()))
}

/// A WebSocket says the same however its bytes arrive.
pub fn websocket(data: &[u8]) {
    let [choice, split, stream @ ..] = data else { return };
    let sender = if choice & 1 == 0 { Sender::Client } else { Sender::Server };
    let side = Side { window_bits: 8 + (choice >> 1 & 7), takes_over: choice & 0x10 == 0 };
    let compression = (choice & 0x20 == 0).then_some(Compression { client: side, server: side });
    let read = |pieces: &[&[u8]]| read_socket(Reader::new(sender, compression.as_ref()), pieces);
    let whole = read(&[stream]);
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*split).max(1)).collect();
    let cut = read(&pieces);
    assert_eq!(cut.invalid, whole.invalid);
    assert_eq!(cut.unreadable, whole.unreadable);
    // How much of a malformed message was understood depends on where the reads were split.
    if whole.unreadable.is_empty() {
        assert_eq!(cut.units, whole.units);
    }
}

/// What was read of a WebSocket.
#[derive(Default)]
struct Said {
    units: Vec<(bool, Vec<u8>)>,
    unreadable: Vec<Undecodable>,
    invalid: Option<InvalidFrame>,
}

fn read_socket(mut reader: Reader, pieces: &[&[u8]]) -> Said {
    let mut work = [0; 1024];
    let mut said = Said::default();
    let mut open = [Vec::new(), Vec::new()];
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let step = match reader.step(rest, &mut work) {
                Ok(step) => step,
                Err(invalid) => {
                    said.invalid = Some(invalid);
                    return said;
                }
            };
            match step.event {
                Event::Idle => {
                    assert_eq!(step.taken, rest.len(), "every byte was taken");
                    break;
                }
                Event::InPlace(of, range) => open[of as usize].extend_from_slice(&rest[range]),
                Event::Unmasked(of, len) => open[of as usize].extend_from_slice(&work[..len]),
                Event::Inflated(len) => {
                    open[Unit::Message as usize].extend_from_slice(&work[..len]);
                }
                Event::Unreadable(_, reason) => said.unreadable.extend(reason),
                Event::End(of) => {
                    let ended = std::mem::take(&mut open[of as usize]);
                    said.units.push((of == Unit::Message, ended));
                }
            }
            rest = &rest[step.taken..];
        }
    }
    said
}
