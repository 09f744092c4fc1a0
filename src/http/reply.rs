//! Our own answers, whole: status line, fields, body. What went wrong is told to people in JSON and
//! to programs in Proxy-Status (RFC 9209). Holds nothing of a request but what it is given.

use super::fields::FieldName;
use super::head::RequestHead;
pub use crate::error::Cause;
use crate::limits::REPLY_DETAIL_MAX_CHARS;

/// The answer to CONNECT that opens the tunnel.
pub const CONNECT_ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection Established\r\n\r\n";

/// An interim answer, which says nothing to a client whose request came whole.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The answer that tells of an error; a 405 is one to CONNECT. `detail` goes to people, cut after
/// `limits::REPLY_DETAIL_MAX_CHARS`. The body is left out where it answers HEAD.
pub fn error(status: u16, cause: Cause, detail: &str, close: bool, head_only: bool) -> Vec<u8> {
    let detail: String = detail.chars().take(REPLY_DETAIL_MAX_CHARS).collect();
    let token = cause.token();
    let mut body = format!("{{\"error\":\"{token}\",\"status\":{status},\"detail\":");
    push_json_string(&detail, &mut body);
    body.push_str("}\n");
    let mut fields =
        format!("Content-Type: application/json\r\nProxy-Status: clawsec; error={token}");
    if !detail.is_empty() {
        fields.push_str("; details=");
        push_structured_string(&detail, &mut fields);
    }
    fields.push_str("\r\n");
    match status {
        // RFC 9110 §15.5.6: with every 405.
        405 => fields.push_str(&allow("")),
        // RFC 9110 §11.7.1: with every 407. RFC 7617 §2.1: names and secrets are UTF-8.
        407 => {
            fields.push_str("Proxy-Authenticate: Basic realm=\"ClawSec\", charset=\"UTF-8\"\r\n")
        }
        _ => {}
    }
    assemble(status, &fields, body.as_bytes(), close, head_only)
}

/// The answer to a TRACE request that goes no further (RFC 9110 §9.3.8): the request as it came,
/// without the fields that hold credentials.
pub fn trace(head: &RequestHead<'_>, close: bool) -> Vec<u8> {
    let start_line = [head.method_name, head.target, head.version.as_str()].join(" ");
    let mut body = [start_line.as_bytes(), b"\r\n"].concat();
    for field in head.fields.iter() {
        let is_secret = FieldName::of(field.name) == FieldName::ProxyAuthorization
            || field.name.eq_ignore_ascii_case("authorization")
            || field.name.eq_ignore_ascii_case("cookie");
        if !is_secret {
            body.extend_from_slice(field.line);
        }
    }
    body.extend_from_slice(b"\r\n");
    assemble(200, "Content-Type: message/http\r\n", &body, close, false)
}

/// The answer to an OPTIONS request that goes no further (RFC 9110 §9.3.7).
pub fn options(close: bool) -> Vec<u8> {
    assemble(200, &allow(", CONNECT"), b"", close, false)
}

/// The methods that may be used, and more.
fn allow(more: &str) -> String {
    format!("Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH{more}\r\n")
}

fn assemble(status: u16, fields: &str, body: &[u8], close: bool, head_only: bool) -> Vec<u8> {
    let connection = if close { "Connection: close\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status} {}\r\n{fields}Content-Length: {}\r\n{connection}\r\n",
        reason_phrase(status),
        body.len(),
    );
    let mut reply = head.into_bytes();
    if !head_only {
        reply.extend_from_slice(body);
    }
    reply
}

fn reason_phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "",
    }
}

/// RFC 8259 §7.
fn push_json_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// A string of RFC 9651 §3.3.3: visible ASCII and blanks; whatever else becomes `?`.
fn push_structured_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => out.push('?'),
        }
    }
    out.push('"');
}
