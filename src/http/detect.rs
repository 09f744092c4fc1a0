//! What the first bytes inside a CONNECT tunnel are. Says what they look like; how long to wait for
//! more is the caller's.

use super::fields::is_token_byte;
use super::head::Method;
use crate::limits::{DETECT_MAX_BYTES, LEADING_EMPTY_LINES_MAX, METHOD_MAX_BYTES};

/// What a client began to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A TLS handshake record.
    Tls,
    /// An HTTP/1 request.
    Http,
    /// HTTP/2 without TLS, with prior knowledge.
    Http2,
    /// Something else: SSH, a mail or database protocol.
    Other,
    /// What there is could still become TLS or HTTP.
    NeedMore,
}

/// What a client of HTTP/2 says before anything else (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Looks at all the bytes that have come so far.
pub fn detect(bytes: &[u8]) -> Opening {
    match bytes {
        [] | [0x16] | [0x16, 0x03] => Opening::NeedMore,
        [0x16, 0x03, 0x00..=0x04, ..] => Opening::Tls,
        _ if bytes.starts_with(HTTP2_PREFACE) => Opening::Http2,
        _ if HTTP2_PREFACE.starts_with(bytes) => Opening::NeedMore,
        _ => detect_http(skip_empty_lines(bytes)),
    }
}

/// Whether an origin that speaks first begins as one of HTTP/2 may: with SETTINGS (RFC 9113 §3.4 and §6.5).
pub fn is_http2_greeting(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, ..])
}

/// Some clients send an empty line in front of a request (RFC 9112 §2.2).
fn skip_empty_lines(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    for _ in 0..LEADING_EMPTY_LINES_MAX {
        match rest.strip_prefix(b"\r\n") {
            Some(behind) => rest = behind,
            None => break,
        }
    }
    rest
}

/// Follows `method SP target SP "HTTP/1."` as far as the bytes go.
fn detect_http(line: &[u8]) -> Opening {
    if matches!(line, [] | [b'\r']) {
        return Opening::NeedMore;
    }
    let (method, rest) = split_while(line, is_token_byte);
    if method.is_empty() || method.len() > METHOD_MAX_BYTES {
        return Opening::Other;
    }
    let Some(rest) = after_space(rest) else {
        return if rest.is_empty() { Opening::NeedMore } else { Opening::Other };
    };
    let (target, rest) = split_while(rest, |byte| byte.is_ascii_graphic());
    match after_space(rest) {
        Some(version) if !target.is_empty() => detect_version(version),
        None if rest.is_empty() && line.len() < DETECT_MAX_BYTES => Opening::NeedMore,
        None if rest.is_empty() && is_known(method) => Opening::Http,
        _ => Opening::Other,
    }
}

fn detect_version(version: &[u8]) -> Opening {
    const EXPECTED: &[u8] = b"HTTP/1.";
    if version.starts_with(EXPECTED) {
        Opening::Http
    } else if EXPECTED.starts_with(version) {
        Opening::NeedMore
    } else {
        Opening::Other
    }
}

fn is_known(method: &[u8]) -> bool {
    std::str::from_utf8(method).is_ok_and(|name| Method::from_name(name) != Method::Other)
}

fn split_while(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| !belongs(*byte)).unwrap_or(bytes.len());
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

fn after_space(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(b" ")
}
