//! Our own answers, whole: status line, fields, body. What went wrong is told to people in JSON and
//! to programs in Proxy-Status (RFC 9209). Holds nothing of a request but what it is given.

use super::fields::FieldName;
use super::head::RequestHead;
use crate::limits::REPLY_DETAIL_MAX_CHARS;

/// The answer to CONNECT that opens the tunnel.
pub const CONNECT_ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection Established\r\n\r\n";

/// The answer to `Expect: 100-continue` when we give it ourselves.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What went wrong, by the error types of RFC 9209 §2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    DnsTimeout,
    DnsError,
    DestinationNotFound,
    DestinationUnavailable,
    DestinationIpProhibited,
    DestinationIpUnroutable,
    ConnectionRefused,
    ConnectionTerminated,
    ConnectionTimeout,
    ConnectionReadTimeout,
    ConnectionWriteTimeout,
    ConnectionLimitReached,
    TlsProtocolError,
    TlsCertificateError,
    TlsAlertReceived,
    HttpRequestError,
    HttpRequestDenied,
    HttpResponseIncomplete,
    HttpResponseHeaderSectionSize,
    HttpResponseTransferCoding,
    HttpResponseTimeout,
    HttpUpgradeFailed,
    HttpProtocolError,
    ProxyInternalError,
    ProxyConfigurationError,
    ProxyLoopDetected,
}

impl Cause {
    /// Every cause, for tables and tests.
    pub const ALL: [Cause; 26] = [
        Cause::DnsTimeout,
        Cause::DnsError,
        Cause::DestinationNotFound,
        Cause::DestinationUnavailable,
        Cause::DestinationIpProhibited,
        Cause::DestinationIpUnroutable,
        Cause::ConnectionRefused,
        Cause::ConnectionTerminated,
        Cause::ConnectionTimeout,
        Cause::ConnectionReadTimeout,
        Cause::ConnectionWriteTimeout,
        Cause::ConnectionLimitReached,
        Cause::TlsProtocolError,
        Cause::TlsCertificateError,
        Cause::TlsAlertReceived,
        Cause::HttpRequestError,
        Cause::HttpRequestDenied,
        Cause::HttpResponseIncomplete,
        Cause::HttpResponseHeaderSectionSize,
        Cause::HttpResponseTransferCoding,
        Cause::HttpResponseTimeout,
        Cause::HttpUpgradeFailed,
        Cause::HttpProtocolError,
        Cause::ProxyInternalError,
        Cause::ProxyConfigurationError,
        Cause::ProxyLoopDetected,
    ];

    /// The registered token.
    pub fn token(self) -> &'static str {
        match self {
            Cause::DnsTimeout => "dns_timeout",
            Cause::DnsError => "dns_error",
            Cause::DestinationNotFound => "destination_not_found",
            Cause::DestinationUnavailable => "destination_unavailable",
            Cause::DestinationIpProhibited => "destination_ip_prohibited",
            Cause::DestinationIpUnroutable => "destination_ip_unroutable",
            Cause::ConnectionRefused => "connection_refused",
            Cause::ConnectionTerminated => "connection_terminated",
            Cause::ConnectionTimeout => "connection_timeout",
            Cause::ConnectionReadTimeout => "connection_read_timeout",
            Cause::ConnectionWriteTimeout => "connection_write_timeout",
            Cause::ConnectionLimitReached => "connection_limit_reached",
            Cause::TlsProtocolError => "tls_protocol_error",
            Cause::TlsCertificateError => "tls_certificate_error",
            Cause::TlsAlertReceived => "tls_alert_received",
            Cause::HttpRequestError => "http_request_error",
            Cause::HttpRequestDenied => "http_request_denied",
            Cause::HttpResponseIncomplete => "http_response_incomplete",
            Cause::HttpResponseHeaderSectionSize => "http_response_header_section_size",
            Cause::HttpResponseTransferCoding => "http_response_transfer_coding",
            Cause::HttpResponseTimeout => "http_response_timeout",
            Cause::HttpUpgradeFailed => "http_upgrade_failed",
            Cause::HttpProtocolError => "http_protocol_error",
            Cause::ProxyInternalError => "proxy_internal_error",
            Cause::ProxyConfigurationError => "proxy_configuration_error",
            Cause::ProxyLoopDetected => "proxy_loop_detected",
        }
    }

    /// The status that the registry recommends; for a faulty request the plainest of its own.
    pub fn status(self) -> u16 {
        match self {
            Cause::HttpRequestError => 400,
            Cause::HttpRequestDenied => 403,
            Cause::DestinationNotFound
            | Cause::ProxyInternalError
            | Cause::ProxyConfigurationError => 500,
            Cause::DestinationUnavailable | Cause::ConnectionLimitReached => 503,
            Cause::DnsTimeout
            | Cause::ConnectionTimeout
            | Cause::ConnectionReadTimeout
            | Cause::ConnectionWriteTimeout
            | Cause::HttpResponseTimeout => 504,
            Cause::DnsError
            | Cause::DestinationIpProhibited
            | Cause::DestinationIpUnroutable
            | Cause::ConnectionRefused
            | Cause::ConnectionTerminated
            | Cause::TlsProtocolError
            | Cause::TlsCertificateError
            | Cause::TlsAlertReceived
            | Cause::HttpResponseIncomplete
            | Cause::HttpResponseHeaderSectionSize
            | Cause::HttpResponseTransferCoding
            | Cause::HttpUpgradeFailed
            | Cause::HttpProtocolError
            | Cause::ProxyLoopDetected => 502,
        }
    }
}

/// An error to be answered.
#[derive(Clone, Copy, Debug)]
pub struct ErrorReply<'a> {
    pub status: u16,
    pub cause: Cause,
    /// For people; cut after `limits::REPLY_DETAIL_MAX_CHARS`.
    pub detail: &'a str,
    /// Whom the request was for, where that is known.
    pub host: Option<&'a str>,
    /// Whether the connection is closed behind it.
    pub close: bool,
    /// Whether it answers HEAD: the body is left out.
    pub head_only: bool,
}

impl ErrorReply<'_> {
    /// The whole answer.
    pub fn to_bytes(&self) -> Vec<u8> {
        let detail: String = self.detail.chars().take(REPLY_DETAIL_MAX_CHARS).collect();
        let token = self.cause.token();
        let mut body = format!("{{\"error\":\"{token}\",\"status\":{},\"detail\":", self.status);
        push_json_string(&detail, &mut body);
        if let Some(host) = self.host {
            body.push_str(",\"host\":");
            push_json_string(host, &mut body);
        }
        body.push_str("}\n");
        let mut fields =
            format!("Content-Type: application/json\r\nProxy-Status: clawsec; error={token}");
        if !detail.is_empty() {
            fields.push_str("; details=");
            push_structured_string(&detail, &mut fields);
        }
        fields.push_str("\r\n");
        if self.status == 407 {
            // RFC 9110 §11.7.1: with every 407. RFC 7617 §2.1: names and secrets are UTF-8.
            fields.push_str("Proxy-Authenticate: Basic realm=\"ClawSec\", charset=\"UTF-8\"\r\n");
        }
        assemble(self.status, &fields, body.as_bytes(), self.close, self.head_only)
    }
}

/// [`ErrorReply`] without a host.
pub fn error(status: u16, cause: Cause, detail: &str, close: bool, head_only: bool) -> Vec<u8> {
    ErrorReply { status, cause, detail, host: None, close, head_only }.to_bytes()
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
    const ALLOW: &str = "Allow: GET, HEAD, POST, PUT, DELETE, CONNECT, OPTIONS, TRACE, PATCH\r\n";
    assemble(200, ALLOW, b"", close, false)
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
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
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
