//! Heads and trailers from HTTP/2 to HTTP/1.1 and back (RFC 9113 §8): what one version says in pseudo-header fields and
//! frames the other says in its first line and its framing fields. Decides; no IO.

use std::io::Write as _;

use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};

use crate::http::head::{RequestHead, ResponseHead};

/// How a body is written in HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// There is none.
    None,
    /// As it is: its length was said.
    Plain,
    /// In chunks, with trailers behind them.
    Chunked,
}

/// The head of a request that came by HTTP/2. `ends`: it has no body.
pub fn write_request_head(request: &http::request::Parts, ends: bool, out: &mut Vec<u8>) -> Coding {
    let uri = &request.uri;
    let authority = uri.authority().map(|authority| authority.as_str());
    let target = match &request.method {
        &Method::CONNECT => authority.unwrap_or_default(),
        _ => uri.path_and_query().map_or("/", |path| path.as_str()),
    };
    let method = request.method.as_str();
    line(out, &[method.as_bytes(), b" ", target.as_bytes(), b" HTTP/1.1"]);
    if let Some(authority) = authority {
        line(out, &[b"host: ", authority.as_bytes()]);
    }
    let coding = coding_of(&request.headers, ends);
    for (name, value) in &request.headers {
        let repeats_authority = || {
            authority.is_some_and(|authority| {
                value.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
            })
        };
        // Another host than the authority makes two of them, which is refused (RFC 9113 §8.3.1).
        if (name == HOST && repeats_authority()) || name == COOKIE || !is_passed(name, coding) {
            continue;
        }
        line(out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]);
    }
    // RFC 9113 §8.2.3: crumbs are one field again.
    let mut crumbs = request.headers.get_all(COOKIE).iter();
    if let Some(first) = crumbs.next() {
        out.extend_from_slice(b"cookie: ");
        out.extend_from_slice(first.as_bytes());
        for crumb in crumbs {
            out.extend_from_slice(b"; ");
            out.extend_from_slice(crumb.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
    // RFC 9110 §8.6: a method that means something by a body says that there is none.
    let means_a_body = [Method::POST, Method::PUT, Method::PATCH].contains(&request.method);
    let is_unsaid = means_a_body && !request.headers.contains_key(CONTENT_LENGTH);
    end_head(coding, coding == Coding::None && is_unsaid, out);
    coding
}

/// The head of an answer that came by HTTP/2. `ends`: no body follows. `is_bodyless`: none can, as it answers HEAD.
pub fn write_response_head(
    answer: &http::response::Parts,
    ends: bool,
    is_bodyless: bool,
    out: &mut Vec<u8>,
) -> Coding {
    let status = answer.status;
    let is_bodyless = is_bodyless
        || status.is_informational()
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED;
    let coding = coding_of(&answer.headers, ends || is_bodyless);
    let reason = status.canonical_reason().unwrap_or_default();
    line(out, &[b"HTTP/1.1 ", status.as_str().as_bytes(), b" ", reason.as_bytes()]);
    for (name, value) in &answer.headers {
        if is_passed(name, coding) {
            line(out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]);
        }
    }
    let is_unsaid = !is_bodyless && !answer.headers.contains_key(CONTENT_LENGTH);
    end_head(coding, coding == Coding::None && is_unsaid, out);
    coding
}

/// What a length was said of is written as it is, but where trailers are announced, or the rule: they need chunks to stand
/// behind. Others are left out, as HTTP/1.1 has no place for them (RFC 9110 §6.5.1 allows it).
fn coding_of(headers: &HeaderMap, ends: bool) -> Coding {
    let is_grpc = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let has_trailers = is_grpc || headers.contains_key(TRAILER);
    match (ends, headers.contains_key(CONTENT_LENGTH) && !has_trailers) {
        (true, _) => Coding::None,
        (false, true) => Coding::Plain,
        (false, false) => Coding::Chunked,
    }
}

/// What a message says of its body's length.
pub fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether a field is one of the message, and not of the connection that it came by. What HTTP/2 forbids of them the
/// h2 crate has refused already.
fn is_passed(name: &HeaderName, coding: Coding) -> bool {
    let contradicts = coding == Coding::Chunked && name == CONTENT_LENGTH;
    !contradicts && !is_of_connection(name)
}

fn is_of_connection(name: &HeaderName) -> bool {
    [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

fn end_head(coding: Coding, says_none: bool, out: &mut Vec<u8>) {
    if coding == Coding::Chunked {
        line(out, &[b"transfer-encoding: chunked"]);
    } else if says_none {
        line(out, &[b"content-length: 0"]);
    }
    out.extend_from_slice(b"\r\n");
}

fn line(out: &mut Vec<u8>, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b"\r\n");
}

/// One chunk of a body. It is not empty: an empty one would end it.
pub fn write_chunk(data: &[u8], out: &mut Vec<u8>) {
    // A vector takes whatever is written.
    let _ = write!(out, "{:x}\r\n", data.len());
    line(out, &[data]);
}

/// The end of a body in chunks.
pub fn write_last_chunk(trailers: &HeaderMap, out: &mut Vec<u8>) {
    line(out, &[b"0"]);
    for (name, value) in trailers {
        line(out, &[name.as_str().as_bytes(), b": ", value.as_bytes()]);
    }
    out.extend_from_slice(b"\r\n");
}

/// The trailers that these lines say.
pub fn trailers_of(lines: &[u8]) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        add(&mut trailers, name, value);
    }
    trailers
}

fn add(headers: &mut HeaderMap, name: &[u8], value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        && !is_of_connection(&name)
    {
        headers.append(name, value);
    }
}

/// The request for an origin, by the head that an exchange wrote. None: HTTP/2 cannot say it.
pub fn request_of(head: &RequestHead<'_>, scheme: &str) -> Option<Request<()>> {
    let authority = head.get("host")?;
    let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(head.target);
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(head.method_name.as_bytes()).ok()?;
    *request.uri_mut() = uri.build().ok()?;
    *request.version_mut() = Version::HTTP_2;
    for (name, value) in head.headers().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        // The only one that may be said (RFC 9113 §8.2.2).
        if !name.eq_ignore_ascii_case("te") {
            add(request.headers_mut(), name.as_bytes(), value);
        } else if value.eq_ignore_ascii_case(b"trailers") {
            request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        }
    }
    Some(request)
}

/// The answer for a client, by the head that an exchange wrote.
pub fn response_of(head: &ResponseHead<'_>) -> Option<Response<()>> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::from_u16(head.status).ok()?;
    *response.version_mut() = Version::HTTP_2;
    for (name, value) in head.headers() {
        add(response.headers_mut(), name.as_bytes(), value);
    }
    // An answer that is nothing but trailers: all of its fields are shown to the caller, and this one is ours.
    if response.headers().contains_key("grpc-status") {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    Some(response)
}
