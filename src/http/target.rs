//! Request targets (RFC 9112 §3.2), authorities (RFC 3986 §3.2) and the Host field. Says whom a
//! request is for; resolves nothing and connects to nothing.

use std::fmt;
use std::net::Ipv6Addr;

use memchr::{memchr, memchr_iter, memchr2};

use super::head::{HeadError, Method};
use crate::limits::HOST_MAX_BYTES;

/// The schemes that are proxied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// The port when none is named (RFC 9110 §4.2).
    pub fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// Lower case, no brackets. IPv6 in its canonical form, a zone kept as `fe80::1%25eth0`.
    pub host: String,
    /// 1 to 65535.
    pub port: u16,
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'b> {
    /// `http://host:port/path?query`, as clients of a proxy send it.
    Absolute {
        scheme: Scheme,
        authority: Authority,
        /// Path and query: `/` when there was none, `*` when it was an OPTIONS request (RFC 9112
        /// §3.2.4). Starts with `?` when there was a query without a path; `rewrite` puts the `/`
        /// in front.
        path: &'b str,
        /// The authority as it was sent.
        raw_authority: &'b str,
    },
    /// `/path?query`, as clients of a server send it.
    Origin { path: &'b str },
    /// `host:port`, only and always with CONNECT.
    Authority(Authority),
    /// `*`, only with OPTIONS.
    Asterisk,
}

/// Tells the form of a target and takes it apart.
pub fn parse_target(method: Method, raw: &str) -> Result<Target<'_>, HeadError> {
    if method == Method::Connect {
        return parse_connect_target(raw);
    }
    if raw.starts_with('/') {
        return Ok(Target::Origin { path: raw });
    }
    if raw == "*" {
        return match method {
            Method::Options => Ok(Target::Asterisk),
            _ => Err(HeadError::bad_request("target * is for OPTIONS only")),
        };
    }
    let Some((scheme, rest)) = split_scheme(raw) else {
        return Err(HeadError::bad_request("malformed target"));
    };
    let scheme = if scheme.eq_ignore_ascii_case("http") {
        Scheme::Http
    } else if scheme.eq_ignore_ascii_case("https") {
        Scheme::Https
    } else {
        return Err(HeadError::bad_request("scheme is not http or https"));
    };
    let (raw_authority, path) = memchr2(b'/', b'?', rest.as_bytes())
        .and_then(|at| rest.split_at_checked(at))
        .unwrap_or((rest, if method == Method::Options { "*" } else { "/" }));
    let authority = split_authority(raw_authority)?.or_port(scheme.default_port());
    Ok(Target::Absolute { scheme, authority, path, raw_authority })
}

/// What stands before the first `://`, and behind it.
fn split_scheme(raw: &str) -> Option<(&str, &str)> {
    let bytes = raw.as_bytes();
    let is_mark = |at: &usize| bytes.get(*at..).is_some_and(|rest| rest.starts_with(b"://"));
    let at = memchr_iter(b':', bytes).find(is_mark)?;
    Some((raw.get(..at)?, raw.get(at + 3..)?))
}

fn parse_connect_target(raw: &str) -> Result<Target<'_>, HeadError> {
    let parts = split_authority(raw)?;
    match parts.port {
        Some(port) => Ok(Target::Authority(parts.or_port(port))),
        None => Err(HeadError::bad_request("CONNECT target without a port")),
    }
}

/// The authority that a Host field names (RFC 9110 §7.2). An empty one names none and is refused.
pub fn parse_host_header(value: &[u8], default_port: u16) -> Result<Authority, HeadError> {
    Ok(split_host_value(value)?.or_port(default_port))
}

/// A Host field's value without its port and the brackets of an IPv6 address.
pub fn host_of(field: &[u8]) -> &[u8] {
    let end = match field.strip_prefix(b"[") {
        Some(rest) => return rest.split(|byte| *byte == b']').next().unwrap_or(rest),
        None => field.iter().rposition(|byte| *byte == b':').unwrap_or(field.len()),
    };
    field.get(..end).unwrap_or(field)
}

/// Refuses what [`parse_host_header`] would, at the cost of no allocation.
pub(super) fn check_host_value(value: &[u8]) -> Result<(), HeadError> {
    split_host_value(value).map(drop)
}

fn split_host_value(value: &[u8]) -> Result<AuthorityParts<'_>, HeadError> {
    match std::str::from_utf8(value) {
        Ok(text) => split_authority(text),
        Err(_) => Err(HeadError::bad_request("malformed Host")),
    }
}

/// An authority taken apart and checked, still borrowed.
struct AuthorityParts<'a> {
    host: Host<'a>,
    port: Option<u16>,
}

enum Host<'a> {
    Name(&'a str),
    Ipv6 { address: Ipv6Addr, zone: Option<&'a str> },
}

impl AuthorityParts<'_> {
    fn or_port(&self, default_port: u16) -> Authority {
        let host = match self.host {
            Host::Name(name) => name.to_ascii_lowercase(),
            Host::Ipv6 { address, zone: None } => address.to_string(),
            Host::Ipv6 { address, zone: Some(zone) } => format!("{address}%25{zone}"),
        };
        Authority { host, port: self.port.unwrap_or(default_port) }
    }
}

fn split_authority(text: &str) -> Result<AuthorityParts<'_>, HeadError> {
    if memchr(b'@', text.as_bytes()).is_some() {
        return Err(HeadError::bad_request("userinfo in an authority (RFC 9110 section 4.2.4)"));
    }
    let (host, rest) = if let Some(bracketed) = text.strip_prefix('[') {
        let Some((literal, rest)) = bracketed.split_once(']') else {
            return Err(HeadError::bad_request("malformed IPv6 host"));
        };
        (parse_ipv6(literal)?, rest)
    } else {
        let end = memchr(b':', text.as_bytes()).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        check_name(name)?;
        (Host::Name(name), rest)
    };
    Ok(AuthorityParts { host, port: parse_port(rest)? })
}

/// `rest` is what follows the host: nothing, or a colon and a port, which may be empty (RFC 3986
/// §3.2.3).
fn parse_port(rest: &str) -> Result<Option<u16>, HeadError> {
    const PORT_MAX_DIGITS: usize = 5;
    let malformed = HeadError::bad_request("malformed port");
    if rest.is_empty() {
        return Ok(None);
    }
    let digits = rest.strip_prefix(':').ok_or(malformed)?;
    if digits.is_empty() {
        return Ok(None);
    }
    if digits.len() > PORT_MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(malformed),
        Ok(port) => Ok(Some(port)),
    }
}

fn parse_ipv6(literal: &str) -> Result<Host<'_>, HeadError> {
    let malformed = HeadError::bad_request("malformed IPv6 host");
    let (address, zone) = match literal.split_once("%25") {
        Some((address, zone)) => (address, Some(zone)),
        None => (literal, None),
    };
    let address = address.parse().map_err(|_| malformed)?;
    if zone.is_some_and(|zone| zone.is_empty() || !is_encoded(zone, is_unreserved)) {
        return Err(malformed);
    }
    if literal.len() > HOST_MAX_BYTES {
        return Err(HeadError::bad_request("host too long"));
    }
    Ok(Host::Ipv6 { address, zone })
}

fn check_name(name: &str) -> Result<(), HeadError> {
    if name.is_empty() {
        return Err(HeadError::bad_request("empty host"));
    }
    if name.len() > HOST_MAX_BYTES {
        return Err(HeadError::bad_request("host too long"));
    }
    if !is_encoded(name, |byte| is_unreserved(byte) || is_sub_delimiter(byte)) {
        return Err(HeadError::bad_request("malformed host"));
    }
    Ok(())
}

/// Whether a text holds only allowed bytes and whole percent-encodings (RFC 3986 §2.1).
fn is_encoded(text: &str, is_allowed: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_escape = byte == b'%'
            && bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())
            && bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
        if !is_escape && !is_allowed(byte) {
            return false;
        }
    }
    true
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §2.2.
fn is_sub_delimiter(byte: u8) -> bool {
    matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}
