//! Tables and properties over the whole of `http`.

mod bodies;
mod framing;
mod heads;
mod limits;
mod malformed_requests;
mod malformed_responses;
mod properties;
mod replies;
mod rewriting;
mod tunnels;
mod valid;

use super::body::{Body, ExtensionPart, Piece};
use super::framing::{BodyKind, RequestPlan, ResponsePlan, plan_request, plan_response};
use super::head::{
    HeadError, HeadLimits, Method, RequestHead, ResponseHead, parse_request, parse_response,
};
use super::target::{Target, parse_host_header, parse_target};
use crate::limits::{HEAD_MAX_BYTES, HEADERS_MAX};

/// The limits of a default configuration.
const LIMITS: HeadLimits = HeadLimits { max_bytes: HEAD_MAX_BYTES, max_headers: HEADERS_MAX };

/// What becomes of a message that is all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Head and body were taken, to the last byte of the body.
    Accepted,
    /// The head was refused with this status.
    Refused(u16),
    /// The head was taken, the body refused.
    BodyRefused,
    /// More bytes are waited for.
    Incomplete,
}

fn whole_request(bytes: &[u8]) -> RequestHead<'_> {
    parse_request(bytes, &LIMITS).unwrap().expect("a whole request head")
}

fn whole_response(bytes: &[u8]) -> ResponseHead<'_> {
    parse_response(bytes, &LIMITS).unwrap().expect("a whole response head")
}

/// Everything that is checked of a request before its first byte goes upstream.
fn planned_request(
    bytes: &[u8],
) -> Result<Option<(RequestHead<'_>, Target<'_>, RequestPlan)>, HeadError> {
    let Some(head) = parse_request(bytes, &LIMITS)? else {
        return Ok(None);
    };
    let target = parse_target(head.method, head.target)?;
    if let (Target::Origin { .. }, Some(host)) = (&target, head.get("host")) {
        parse_host_header(host, 80)?;
    }
    let plan = plan_request(&head)?;
    Ok(Some((head, target, plan)))
}

fn planned_response(
    bytes: &[u8],
    method: Method,
) -> Result<Option<(ResponseHead<'_>, ResponsePlan)>, HeadError> {
    let Some(head) = parse_response(bytes, &LIMITS)? else {
        return Ok(None);
    };
    let plan = plan_response(&head, method)?;
    Ok(Some((head, plan)))
}

fn request_verdict(bytes: &[u8]) -> Verdict {
    match planned_request(bytes) {
        Err(error) => Verdict::Refused(error.status),
        Ok(None) => Verdict::Incomplete,
        Ok(Some((head, _, plan))) => body_verdict(plan.body, &bytes[head.len..]),
    }
}

fn response_verdict(bytes: &[u8], method: Method) -> Verdict {
    match planned_response(bytes, method) {
        Err(error) => Verdict::Refused(error.status),
        Ok(None) => Verdict::Incomplete,
        Ok(Some((head, plan))) => body_verdict(plan.body, &bytes[head.len..]),
    }
}

fn body_verdict(kind: BodyKind, bytes: &[u8]) -> Verdict {
    let mut body = Body::new(kind);
    match body.step(bytes, &mut |_| {}) {
        Err(_) => Verdict::BodyRefused,
        Ok(_) if body.is_done() || kind == BodyKind::UntilClose => Verdict::Accepted,
        Ok(_) => Verdict::Incomplete,
    }
}

/// What the pieces of a body hold, and how many bytes it took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Decoded {
    data: Vec<u8>,
    /// All of them, then their names and their values.
    extensions: [Vec<u8>; 3],
    trailers: Vec<u8>,
    len: usize,
}

/// Steps a body over `parts` of one stream and collects its pieces.
fn decode(mut body: Body, parts: &[&[u8]]) -> Result<(Decoded, Body), super::body::BodyError> {
    let mut decoded = Decoded::default();
    for part in parts {
        let mut end_of_last_piece = 0;
        let taken = body.step(part, &mut |piece| {
            let Decoded { data, extensions: [all, names, values], trailers, .. } = &mut decoded;
            let (range, into, also_into) = match piece {
                Piece::Data(range) => (range, data, None),
                Piece::Trailer(range) => (range, trailers, None),
                Piece::Extension(ExtensionPart::Name, range) => (range, all, Some(names)),
                Piece::Extension(ExtensionPart::Value, range) => (range, all, Some(values)),
                Piece::Extension(ExtensionPart::Mark, range) => (range, all, None),
            };
            assert!(end_of_last_piece <= range.start && range.start < range.end);
            end_of_last_piece = range.end;
            into.extend_from_slice(&part[range.clone()]);
            also_into.into_iter().for_each(|into| into.extend_from_slice(&part[range.clone()]));
        })?;
        assert!(end_of_last_piece <= taken && taken <= part.len());
        decoded.len += taken;
        if taken < part.len() {
            assert!(body.is_done(), "only a body that is done leaves bytes");
            break;
        }
    }
    Ok((decoded, body))
}
