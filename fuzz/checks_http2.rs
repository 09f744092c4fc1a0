//! What must hold of HTTP/2 where it becomes HTTP/1.1 and back: run by the fuzz target, and by `tests/corpus.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use clawsec::http::body::{Body, Piece};
use clawsec::http::detect::{Opening, detect};
use clawsec::http::framing::{BodyKind, ResponseKind, plan_request, plan_response};
use clawsec::http::head::{HeadLimits, Method, parse_request, parse_response};
use clawsec::http2::heads::{
    Coding, request_of, response_of, trailers_of, write_chunk, write_last_chunk,
    write_request_head, write_response_head,
};

const LIMITS: HeadLimits = HeadLimits { max_bytes: 65_536, max_headers: 256 };
const LARGE: HeadLimits = HeadLimits { max_bytes: 4 * 65_536, max_headers: 300 };

/// The first byte says what the others are.
pub fn translation(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    match choice % 5 {
        0 => request(data),
        1 => answer(data, Method::Get),
        2 => answer(data, Method::Head),
        3 => trailers(data),
        _ => preface(data),
    }
}

/// One request stays one, with the same body.
fn request(data: &[u8]) {
    let Ok(Some(head)) = parse_request(data, &LIMITS) else { return };
    let Ok(plan) = plan_request(&head) else { return };
    if head.method == Method::Connect || !head.target.starts_with('/') {
        return;
    }
    let Some(request) = request_of(&head, "https") else { return };
    let parts = request.into_parts().0;
    let is_none = is_none(plan.body);
    let mut out = Vec::new();
    let coding = write_request_head(&parts, is_none, &mut out);
    let shown = String::from_utf8_lossy(&out);
    let again = parse_request(&out, &LARGE).unwrap_or_else(|error| panic!("{error} in {shown:?}"));
    let again = again.unwrap_or_else(|| panic!("no end in {shown:?}"));
    assert_eq!(again.len, out.len(), "one message in, one message out");
    assert_eq!(again.method_name, head.method_name);
    assert!(again.get("connection").is_none() && again.get("upgrade").is_none());
    let body = plan_request(&again).expect("what we write, we accept").body;
    assert_framed(coding, plan.body, body);
}

/// The same of an answer.
fn answer(data: &[u8], method: Method) {
    let Ok(Some(head)) = parse_response(data, &LIMITS) else { return };
    let Ok(plan) = plan_response(&head, method) else { return };
    if plan.kind == ResponseKind::SwitchingProtocols {
        return;
    }
    let Some(response) = response_of(&head) else { return };
    let parts = response.into_parts().0;
    let mut out = Vec::new();
    let coding = write_response_head(&parts, is_none(plan.body), method == Method::Head, &mut out);
    let shown = String::from_utf8_lossy(&out);
    let again = parse_response(&out, &LARGE).unwrap_or_else(|error| panic!("{error} in {shown:?}"));
    let again = again.unwrap_or_else(|| panic!("no end in {shown:?}"));
    assert_eq!(again.len, out.len(), "one message in, one message out");
    assert_eq!(again.status, head.status);
    let body = plan_response(&again, method).expect("what we write, we accept").body;
    assert_framed(coding, plan.body, body);
}

fn is_none(body: BodyKind) -> bool {
    matches!(body, BodyKind::None | BodyKind::Length(0))
}

fn assert_framed(coding: Coding, before: BodyKind, after: BodyKind) {
    match coding {
        Coding::None => assert!(is_none(after), "{before:?} became {after:?}"),
        Coding::Plain => assert_eq!(before, after),
        Coding::Chunked => assert!(!is_none(before) && after == BodyKind::Chunked),
    }
}

/// Trailers say the same behind both ways, and end the body that they stand behind.
fn trailers(data: &[u8]) {
    let given = trailers_of(data.get(..4096).unwrap_or(data));
    let mut out = Vec::new();
    write_chunk(b"data", &mut out);
    write_last_chunk(&given, &mut out);
    let mut lines = Vec::new();
    let mut body = Body::new(BodyKind::Chunked);
    let len = body.step(&out, &mut |piece| {
        if let Piece::Trailer(range) = piece {
            lines.extend_from_slice(&out[range]);
        }
    });
    assert_eq!(len.expect("what we write, we accept"), out.len());
    assert!(body.is_done());
    assert_eq!(trailers_of(&lines), given);
}

/// What was taken for something else is never HTTP/2 with more bytes, and half a preface is none.
fn preface(data: &[u8]) {
    let is_http2 = detect(data) == Opening::Http2;
    for len in 0..data.len().min(24) {
        let opening = detect(&data[..len]);
        assert_ne!(opening, Opening::Http2);
        assert!(!is_http2 || opening == Opening::NeedMore, "{opening:?} of {len} bytes");
    }
}
