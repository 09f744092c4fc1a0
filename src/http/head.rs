//! Request and response heads as values that borrow the bytes they came from. Checks what RFC 9112
//! §2 to §5 say about lines and fields; framing is `framing`'s, what the target means is
//! `target`'s.

use std::fmt;

use super::fields::Fields;
use super::search::{HeadBounds, HeadSearch};
use super::target;

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head, empty lines before and after included.
    pub max_bytes: usize,
    /// Field lines.
    pub max_headers: usize,
}

/// Why a head was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadError {
    /// What to answer: 400, 414, 431, 501 or 505 for a request, 502 for a response.
    pub status: u16,
    /// What was wrong, without any of the peer's bytes.
    pub reason: &'static str,
}

impl HeadError {
    pub(super) const fn bad_request(reason: &'static str) -> Self {
        HeadError { status: 400, reason }
    }

    pub(super) const fn bad_gateway(reason: &'static str) -> Self {
        HeadError { status: 502, reason }
    }
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for HeadError {}

/// A request method (RFC 9110 §9, RFC 5789). Names are case-sensitive: `get` is [`Method::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
    Other,
}

impl Method {
    /// The method of a name.
    pub fn from_name(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "CONNECT" => Method::Connect,
            "OPTIONS" => Method::Options,
            "TRACE" => Method::Trace,
            "PATCH" => Method::Patch,
            _ => Method::Other,
        }
    }

    /// Whether a request may be sent again when nothing came back (RFC 9110 §9.2.2).
    pub fn is_idempotent(self) -> bool {
        match self {
            Method::Get | Method::Head | Method::Options | Method::Trace => true,
            Method::Put | Method::Delete => true,
            Method::Post | Method::Connect | Method::Patch | Method::Other => false,
        }
    }
}

/// The versions that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    Http10,
    Http11,
}

impl Version {
    fn from_minor(minor: u8) -> Version {
        if minor == 0 { Version::Http10 } else { Version::Http11 }
    }

    /// As it stands in a start line.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        }
    }
}

/// The head of a request.
#[derive(Clone, Debug)]
pub struct RequestHead<'b> {
    pub method: Method,
    /// The method as it was sent.
    pub method_name: &'b str,
    /// The request target as it was sent: visible ASCII.
    pub target: &'b str,
    pub version: Version,
    /// Bytes of the head, the empty lines before and after included.
    pub len: usize,
    pub(super) fields: Fields<'b>,
}

/// The head of a response.
#[derive(Clone, Debug)]
pub struct ResponseHead<'b> {
    /// 100 to 999: codes above 599 exist in the wild and are passed on as final (RFC 9110 §15).
    pub status: u16,
    pub version: Version,
    /// May be empty, may hold obs-text.
    pub reason: &'b [u8],
    /// Bytes of the head, the empty line behind included.
    pub len: usize,
    pub(super) fields: Fields<'b>,
}

impl<'b> RequestHead<'b> {
    /// Names and values in the order they came, values without the whitespace around them.
    pub fn headers(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + Clone + '_ {
        self.fields.pairs()
    }

    /// The value of the first field of this name, case-insensitively.
    pub fn get(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.values(name).next()
    }
}

impl<'b> ResponseHead<'b> {
    /// Names and values in the order they came, values without the whitespace around them.
    pub fn headers(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + Clone + '_ {
        self.fields.pairs()
    }

    /// The value of the first field of this name, case-insensitively.
    pub fn get(&self, name: &str) -> Option<&'b [u8]> {
        self.fields.values(name).next()
    }
}

/// Parses the request head at the start of `bytes`. None: it is not complete yet.
pub fn parse_request<'b>(
    bytes: &'b [u8],
    limits: &HeadLimits,
) -> Result<Option<RequestHead<'b>>, HeadError> {
    let bounds = HeadSearch::request(*limits).find(bytes)?;
    bounds.map(|bounds| request_within(bytes, &bounds)).transpose()
}

/// Parses the request head that a search found in `bytes`.
pub fn request_within<'b>(
    bytes: &'b [u8],
    bounds: &HeadBounds,
) -> Result<RequestHead<'b>, HeadError> {
    let head = bytes.get(bounds.start..bounds.end).unwrap_or_default();
    let mut parsed = vec![httparse::EMPTY_HEADER; bounds.fields];
    let mut request = httparse::Request::new(&mut parsed);
    let status = request.parse(head);
    let parts = (request.method, request.path, request.version);
    check_complete(status, head, bounds).map_err(|error| request_error(head, error))?;
    let (Some(method_name), Some(target), Some(minor)) = parts else {
        return Err(HeadError::bad_request("malformed request line"));
    };
    if !target.is_ascii() {
        return Err(HeadError::bad_request("target is not ASCII"));
    }
    let head = RequestHead {
        method: Method::from_name(method_name),
        method_name,
        target,
        version: Version::from_minor(minor),
        len: bounds.end,
        fields: Fields::new(head, parsed),
    };
    check_host(&head)?;
    Ok(head)
}

/// Parses the response head at the start of `bytes`. None: it is not complete yet.
pub fn parse_response<'b>(
    bytes: &'b [u8],
    limits: &HeadLimits,
) -> Result<Option<ResponseHead<'b>>, HeadError> {
    let bounds = HeadSearch::response(*limits).find(bytes)?;
    bounds.map(|bounds| response_within(bytes, &bounds)).transpose()
}

/// Parses the response head that a search found in `bytes`.
pub fn response_within<'b>(
    bytes: &'b [u8],
    bounds: &HeadBounds,
) -> Result<ResponseHead<'b>, HeadError> {
    let head = bytes.get(bounds.start..bounds.end).unwrap_or_default();
    let mut parsed = vec![httparse::EMPTY_HEADER; bounds.fields];
    let mut response = httparse::Response::new(&mut parsed);
    let status = response.parse(head);
    let parts = (response.code, response.version);
    check_complete(status, head, bounds)
        .map_err(|error| HeadError::bad_gateway(reason_of(head, error)))?;
    let (Some(code), Some(minor)) = parts else {
        return Err(HeadError::bad_gateway("malformed status line"));
    };
    if code < 100 {
        return Err(HeadError::bad_gateway("status code below 100"));
    }
    Ok(ResponseHead {
        status: code,
        version: Version::from_minor(minor),
        reason: reason_phrase(head),
        len: bounds.end,
        fields: Fields::new(head, parsed),
    })
}

/// The tokeniser must have taken exactly what the search found.
fn check_complete(
    status: httparse::Result<usize>,
    head: &[u8],
    bounds: &HeadBounds,
) -> Result<(), httparse::Error> {
    debug_assert_eq!(head.len(), bounds.end - bounds.start);
    match status? {
        httparse::Status::Complete(len) if len == head.len() => Ok(()),
        _ => Err(httparse::Error::NewLine),
    }
}

/// What stands behind `HTTP/1.1 200 ` in the status line; the tokeniser hides obs-text.
fn reason_phrase(head: &[u8]) -> &[u8] {
    const BEFORE_REASON: usize = "HTTP/1.1 200 ".len();
    let line_end = memchr::memchr(b'\r', head).unwrap_or(head.len());
    head.get(BEFORE_REASON..line_end).unwrap_or_default()
}

/// RFC 9112 §3.2: exactly one well-formed Host in HTTP/1.1, at most one in HTTP/1.0. It may be
/// empty, as for a target without authority; whoever routes by it refuses that. CONNECT may lack it:
/// its target alone says where to, and clients in use (sslyze) send nothing else.
fn check_host(head: &RequestHead<'_>) -> Result<(), HeadError> {
    let mut hosts = head.fields.values("host");
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::Http11 && head.method != Method::Connect => {
            Err(HeadError::bad_request("no Host in an HTTP/1.1 request"))
        }
        (None, _) | (Some([]), None) => Ok(()),
        (Some(_), Some(_)) => Err(HeadError::bad_request("more than one Host")),
        (Some(value), None) => target::check_host_value(value),
    }
}

fn request_error(head: &[u8], error: httparse::Error) -> HeadError {
    if error == httparse::Error::Version && names_other_version(head) {
        return HeadError { status: 505, reason: "HTTP version not supported" };
    }
    HeadError::bad_request(reason_of(head, error))
}

/// Whether a request line ends in a well-formed version that is not ours, as `HTTP/2.0` (RFC 9112
/// §2.3).
fn names_other_version(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let version = line.rsplit(|byte| *byte == b' ').next().and_then(|v| v.strip_prefix(b"HTTP/"));
    match version {
        Some([b'1', b'.', b'0' | b'1']) => false,
        Some([major, b'.', minor]) => major.is_ascii_digit() && minor.is_ascii_digit(),
        Some([major]) => major.is_ascii_digit(),
        _ => false,
    }
}

/// Only for heads that are refused, so it may look at them again.
fn reason_of(head: &[u8], error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName => {
            let mut lines = head.split(|byte| *byte == b'\n').skip(1);
            if lines.any(|line| line.starts_with(b" ") || line.starts_with(b"\t")) {
                "folded or indented header line"
            } else {
                "malformed header name"
            }
        }
        httparse::Error::HeaderValue => "control byte in a header value",
        httparse::Error::NewLine => "malformed line end",
        httparse::Error::Status => "malformed status line",
        httparse::Error::Token => "malformed request line",
        httparse::Error::TooManyHeaders => "too many header fields",
        httparse::Error::Version => "malformed HTTP version",
    }
}
