//! Where a message's body ends and what becomes of its connection (RFC 9112 §6 and §9). A message
//! that two readers could frame differently is refused, never guessed.

use super::fields::{FieldName, Fields, is_token_byte, list_items};
use super::head::{HeadError, Method, RequestHead, ResponseHead, Version};
use crate::limits::CONNECTION_OPTIONS_MAX;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// The chunked coding says.
    Chunked,
    /// The connection's end is the body's end: responses only.
    UntilClose,
}

impl BodyKind {
    /// Whether the first `len` bytes behind the head are surely all of it. Chunks are not looked at.
    pub fn is_within(self, len: usize) -> bool {
        match self {
            BodyKind::None => true,
            BodyKind::Length(length) => length <= len as u64,
            BodyKind::Chunked | BodyKind::UntilClose => false,
        }
    }
}

/// What a request's head means for the connection it came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPlan {
    pub body: BodyKind,
    /// Whether the client's connection may be kept afterwards.
    pub persistent: bool,
    /// Whether another protocol than `h2c` is asked for, by Connection and by Upgrade: that one may be ignored
    /// (RFC 9110 §7.8), and inside it nothing could be inspected.
    pub upgrade: bool,
    /// Whether there are credentials for a proxy: `head.get("proxy-authorization")`. Never
    /// forwarded.
    pub proxy_authorization: bool,
    /// Of TRACE and OPTIONS requests only. 0: answer it here, see `reply::trace` and
    /// `reply::options`.
    pub max_forwards: Option<u32>,
    /// Whether the client takes trailers (`TE: trailers`).
    pub te_trailers: bool,
}

/// What a response is in the life of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseKind {
    /// 1xx but 101: another response follows.
    Interim,
    /// 101: the connection speaks another protocol from here on.
    SwitchingProtocols,
    /// The answer.
    Final,
}

/// What a response's head means for the connection it came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponsePlan {
    pub body: BodyKind,
    /// Whether the connection to upstream may be used again.
    pub persistent: bool,
    /// After how many idle seconds the origin closes the connection, if it says so
    /// (`Keep-Alive: timeout=5`, RFC 2068 §19.7.1).
    pub keep_alive_secs: Option<u64>,
    pub kind: ResponseKind,
    /// What Content-Length says, when it is passed on: it may describe the body that HEAD or 304
    /// leave out.
    pub content_length: Option<u64>,
    /// Whether `Transfer-Encoding: chunked` is passed on, for HEAD and 304 too.
    pub transfer_encoding: bool,
}

/// What Connection and Proxy-Connection ask for.
#[derive(Clone, Copy, Debug, Default)]
struct ConnectionOptions {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

impl ConnectionOptions {
    /// Fails when there are too many to deal with.
    fn read(fields: &Fields<'_>, with_proxy_connection: bool) -> Result<Self, &'static str> {
        let mut options = ConnectionOptions::default();
        for (count, option) in fields.connection_options().enumerate() {
            if count >= CONNECTION_OPTIONS_MAX {
                return Err("too many connection options");
            }
            options.take(option);
        }
        if with_proxy_connection {
            let values = fields.values("proxy-connection");
            values.flat_map(list_items).for_each(|option| options.take(option));
        }
        Ok(options)
    }

    fn take(&mut self, option: &[u8]) {
        self.close |= option.eq_ignore_ascii_case(b"close");
        self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
    }

    /// RFC 9112 §9.3.
    fn persistent(self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

/// Content-Length, Transfer-Encoding and Keep-Alive as they stand.
#[derive(Clone, Copy, Debug, Default)]
struct FramingFields<'b> {
    content_length: Option<&'b [u8]>,
    transfer_encoding: Option<&'b [u8]>,
    keep_alive: Option<&'b [u8]>,
    repeated: Option<&'static str>,
}

impl<'b> FramingFields<'b> {
    fn read(fields: &Fields<'b>) -> Self {
        let mut framing = FramingFields::default();
        for (name, value) in fields.pairs() {
            match FieldName::of(name) {
                FieldName::ContentLength => {
                    let earlier = framing.content_length.replace(value);
                    framing.note(earlier, "more than one Content-Length");
                }
                FieldName::TransferEncoding => {
                    let earlier = framing.transfer_encoding.replace(value);
                    framing.note(earlier, "more than one Transfer-Encoding");
                }
                FieldName::KeepAlive => framing.keep_alive = Some(value),
                _ => {}
            }
        }
        framing
    }

    /// Even equal repetitions are refused: somebody behind us may join them into a list.
    fn note(&mut self, earlier: Option<&[u8]>, reason: &'static str) {
        if earlier.is_some() {
            self.repeated = Some(reason);
        }
    }

    /// RFC 9112 §6.1 and §6.3, without what a method or status adds.
    fn resolve(self, version: Version) -> Result<Framing, CodingFault> {
        if let Some(reason) = self.repeated {
            return Err(CodingFault::Malformed(reason));
        }
        match (self.transfer_encoding, self.content_length) {
            (Some(_), Some(_)) => {
                Err(CodingFault::Malformed("both Content-Length and Transfer-Encoding"))
            }
            (Some(_), None) if version == Version::Http10 => {
                Err(CodingFault::Malformed("Transfer-Encoding in HTTP/1.0"))
            }
            (Some(codings), None) => check_codings(codings).map(|()| Framing::Chunked),
            (None, Some(length)) => match parse_length(length) {
                Some(length) => Ok(Framing::Length(length)),
                None => Err(CodingFault::Malformed("malformed Content-Length")),
            },
            (None, None) => Ok(Framing::Unsaid),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(u64),
    Unsaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CodingFault {
    Malformed(&'static str),
    Unknown(&'static str),
}

/// One `chunked` and nothing else.
fn check_codings(value: &[u8]) -> Result<(), CodingFault> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let codings = || value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    if !codings().all(|coding| !coding.is_empty() && coding.iter().all(|b| is_token_byte(*b))) {
        return Err(CodingFault::Malformed("malformed Transfer-Encoding"));
    }
    let chunked = codings().filter(|coding| coding.eq_ignore_ascii_case(b"chunked")).count();
    let ends_chunked =
        codings().next_back().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"));
    match (chunked, ends_chunked) {
        (0, _) | (1, true) => Err(CodingFault::Unknown("unknown transfer coding")),
        _ => Err(CodingFault::Malformed("chunked is repeated or not the last coding")),
    }
}

/// Digits only: no sign, no list, no blank, no overflow.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The `timeout` of a Keep-Alive field; nothing where it is malformed, since it is advice only.
fn parse_keep_alive(value: &[u8]) -> Option<u64> {
    list_items(value).find_map(|item| {
        let (name, seconds) = item.split_at_checked(b"timeout=".len())?;
        name.eq_ignore_ascii_case(b"timeout=").then(|| parse_length(seconds)).flatten()
    })
}

/// Plans a request, or says why its framing is refused.
pub fn plan_request(head: &RequestHead<'_>) -> Result<RequestPlan, HeadError> {
    let options = ConnectionOptions::read(&head.fields, true).map_err(HeadError::bad_request)?;
    let framing =
        FramingFields::read(&head.fields).resolve(head.version).map_err(|fault| match fault {
            CodingFault::Malformed(reason) => HeadError::bad_request(reason),
            CodingFault::Unknown(reason) => HeadError { status: 501, reason },
        })?;
    let body = match framing {
        Framing::Chunked => BodyKind::Chunked,
        Framing::Length(length) => BodyKind::Length(length),
        Framing::Unsaid => BodyKind::None,
    };
    let takes_no_body = matches!(head.method, Method::Connect | Method::Trace);
    if takes_no_body && !matches!(body, BodyKind::None | BodyKind::Length(0)) {
        return Err(HeadError::bad_request("content with CONNECT or TRACE"));
    }
    let is_http11 = head.version == Version::Http11;
    Ok(RequestPlan {
        body,
        persistent: options.persistent(head.version),
        upgrade: is_http11
            && options.upgrade
            && head.method != Method::Connect
            && offers_upgrade(head),
        proxy_authorization: head.get("proxy-authorization").is_some(),
        max_forwards: read_max_forwards(head)?,
        te_trailers: lists(&head.fields, "te", b"trailers"),
    })
}

/// Whether the fields of a name list an item.
fn lists(fields: &Fields<'_>, name: &str, item: &[u8]) -> bool {
    fields.values(name).flat_map(list_items).any(|other| other.eq_ignore_ascii_case(item))
}

fn offers_upgrade(head: &RequestHead<'_>) -> bool {
    head.fields.values("upgrade").flat_map(list_items).any(|protocol| !is_h2c(protocol))
}

/// HTTP/2 in the clear (RFC 7540 §3.2).
pub(super) fn is_h2c(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(b"h2c")
}

/// RFC 9110 §7.6.2: binding for TRACE and OPTIONS, to be ignored elsewhere.
fn read_max_forwards(head: &RequestHead<'_>) -> Result<Option<u32>, HeadError> {
    if !matches!(head.method, Method::Trace | Method::Options) {
        return Ok(None);
    }
    let mut values = head.fields.values("max-forwards");
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
            let hops = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
            Ok(Some(hops.unwrap_or(u32::MAX)))
        }
        _ => Err(HeadError::bad_request("malformed Max-Forwards")),
    }
}

/// Plans a response to a request of this method, or says why its framing is refused.
///
/// A Content-Length on 1xx and 204 is ignored and not passed on (RFC 9110 §8.6), but one that
/// claims bytes costs the connection its reuse. Both fields are ignored on a 2xx to CONNECT (RFC
/// 9110 §9.3.6).
pub fn plan_response(
    head: &ResponseHead<'_>,
    request_method: Method,
) -> Result<ResponsePlan, HeadError> {
    let options = ConnectionOptions::read(&head.fields, false).map_err(HeadError::bad_gateway)?;
    let persistent = options.persistent(head.version);
    let kind = response_kind(head)?;
    let fields = FramingFields::read(&head.fields);
    let bodyless = ResponsePlan {
        body: BodyKind::None,
        persistent,
        keep_alive_secs: fields.keep_alive.and_then(parse_keep_alive),
        kind,
        content_length: None,
        transfer_encoding: false,
    };
    if kind != ResponseKind::Final || head.status == 204 {
        if fields.transfer_encoding.is_some() {
            return Err(HeadError::bad_gateway("Transfer-Encoding on 1xx or 204"));
        }
        // Of several, any may be the one that the origin goes by.
        let claims_bytes = fields.repeated.is_some()
            || fields.content_length.is_some_and(|length| parse_length(length) != Some(0));
        let persistent = persistent && kind != ResponseKind::SwitchingProtocols && !claims_bytes;
        return Ok(ResponsePlan { persistent, ..bodyless });
    }
    if request_method == Method::Connect && (200..300).contains(&head.status) {
        return Ok(ResponsePlan { persistent: false, ..bodyless });
    }
    let framing = fields.resolve(head.version).map_err(|fault| match fault {
        CodingFault::Malformed(reason) | CodingFault::Unknown(reason) => {
            HeadError::bad_gateway(reason)
        }
    })?;
    let (body, content_length) = match framing {
        Framing::Chunked => (BodyKind::Chunked, None),
        Framing::Length(length) => (BodyKind::Length(length), Some(length)),
        Framing::Unsaid => (BodyKind::UntilClose, None),
    };
    let transfer_encoding = framing == Framing::Chunked;
    let plan = ResponsePlan { content_length, transfer_encoding, ..bodyless };
    if request_method == Method::Head || head.status == 304 {
        return Ok(plan);
    }
    Ok(ResponsePlan { body, persistent: persistent && body != BodyKind::UntilClose, ..plan })
}

fn response_kind(head: &ResponseHead<'_>) -> Result<ResponseKind, HeadError> {
    match head.status {
        100..200 if head.version == Version::Http10 => {
            Err(HeadError::bad_gateway("1xx in HTTP/1.0"))
        }
        101 => Ok(ResponseKind::SwitchingProtocols),
        100..200 => Ok(ResponseKind::Interim),
        _ => Ok(ResponseKind::Final),
    }
}
