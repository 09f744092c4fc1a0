//! Heads as they are sent on: hop-by-hop fields removed (RFC 9110 §7.6.1), everything else in the
//! order, case and number it came in, byte for byte. Only Content-Length and Transfer-Encoding are
//! spelled anew, since their odd spellings are where two readers part.

use std::net::IpAddr;

use super::fields::{Field, FieldName, Fields, list_items};
use super::framing::{BodyKind, RequestPlan, ResponseKind, ResponsePlan, is_h2c};
use super::head::{RequestHead, ResponseHead, Version};
use super::target::{Authority, Target, parse_host_header};

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct Forwarding<'a> {
    /// Whom it is for: the Host of a request that brought none. Without brackets.
    pub host: &'a str,
    pub port: u16,
    /// The port that need not be named in Host: 80, or 443 inside TLS.
    pub default_port: u16,
    /// The name in an added Via field; none: none is added.
    pub via: Option<&'a str>,
    /// The client's address for an added Forwarded field (RFC 7239); none: none is added.
    pub forwarded_for: Option<IpAddr>,
    /// Set where the request goes to another proxy.
    pub relay: Option<Relay<'a>>,
    /// By what the request is known again if it comes back, in an added CDN-Loop field (RFC 8586).
    pub loop_mark: Option<&'a str>,
}

/// A request for another proxy: its target stays, or becomes, absolute (RFC 9112 §3.2.2).
#[derive(Clone, Copy, Debug)]
pub struct Relay<'a> {
    /// Our credentials for it, the value of Proxy-Authorization.
    pub authorization: Option<&'a str>,
}

/// The client that a response goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSide {
    /// Of its request.
    pub version: Version,
    /// Whether its connection stays open after this response.
    pub persistent: bool,
    /// Whether the chunked coding is taken off on the way, as an HTTP/1.0 client needs it: send it
    /// only the data pieces, and close.
    pub dechunk: bool,
}

impl ClientSide {
    /// What follows from both plans. `may_stay` is the caller's own say, as when it is shutting
    /// down.
    pub fn new(
        version: Version,
        request: &RequestPlan,
        response: &ResponsePlan,
        may_stay: bool,
    ) -> Self {
        let dechunk = version == Version::Http10 && response.body == BodyKind::Chunked;
        let ends_by_close = dechunk || response.body == BodyKind::UntilClose;
        ClientSide {
            version,
            persistent: may_stay && request.persistent && !ends_by_close,
            dechunk,
        }
    }
}

/// Appends the request head to send upstream: origin-form (or `*`), HTTP/1.1, Host kept byte for
/// byte unless the target was absolute and names someone else.
pub fn write_request(
    head: &RequestHead<'_>,
    target: &Target<'_>,
    plan: &RequestPlan,
    forwarding: &Forwarding<'_>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(head.method_name.as_bytes());
    out.push(b' ');
    if forwarding.relay.is_some() {
        write_absolute(target, forwarding, out);
    } else {
        write_target(target, out);
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let nominations = Nominations::read(&head.fields);
    let mut connection = request_connection(plan);
    let mut transfer_codings: Option<&[u8]> = plan.te_trailers.then_some(b"trailers");
    if head.get("host").is_none() {
        write_host("Host", target, forwarding, out);
    }
    for field in head.fields.iter() {
        match FieldName::of(field.name) {
            FieldName::Connection => write_once(field.name, &mut connection, out),
            FieldName::Te => write_once(field.name, &mut transfer_codings, out),
            FieldName::Host if keeps_host(field.value, target) => out.extend_from_slice(field.line),
            FieldName::Host => write_host(field.name, target, forwarding, out),
            FieldName::ContentLength | FieldName::TransferEncoding => {
                write_framing(field.name, plan.body, out);
            }
            FieldName::Upgrade if plan.upgrade => write_offer(&field, out),
            FieldName::Expect if head.version == Version::Http10 => {}
            FieldName::MaxForwards => write_max_forwards(&field, plan.max_forwards, out),
            name if is_hop_by_hop(name) || nominations.name(&field) => {}
            _ => out.extend_from_slice(field.line),
        }
    }
    write_once("Connection", &mut connection, out);
    if let Some(authorization) = forwarding.relay.and_then(|relay| relay.authorization) {
        write_field("Proxy-Authorization", authorization.as_bytes(), out);
    }
    write_via(head.version, forwarding.via, out);
    if let Some(address) = forwarding.forwarded_for {
        write_forwarded(address, forwarding.default_port, out);
    }
    if let Some(mark) = forwarding.loop_mark {
        write_field("CDN-Loop", mark.as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a request came with this mark of ours.
pub fn is_marked(head: &RequestHead<'_>, mark: &str) -> bool {
    let mut lists = head.headers().filter(|(name, _)| name.eq_ignore_ascii_case("cdn-loop"));
    lists.any(|(_, list)| list_items(list).any(|item| item == mark.as_bytes()))
}

/// Appends the response head to send to the client. Whether an interim one is sent at all is the
/// caller's to say: not to HTTP/1.0.
pub fn write_response(
    head: &ResponseHead<'_>,
    plan: &ResponsePlan,
    client: ClientSide,
    via: Option<&str>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    write_number(u64::from(head.status), out);
    out.push(b' ');
    out.extend_from_slice(head.reason);
    out.extend_from_slice(b"\r\n");
    let nominations = Nominations::read(&head.fields);
    let mut connection = response_connection(head, plan, client);
    let keeps_upgrade = matches!(head.status, 101 | 426);
    for field in head.fields.iter() {
        match FieldName::of(field.name) {
            FieldName::Connection => write_once(field.name, &mut connection, out),
            FieldName::ContentLength => {
                if let Some(length) = plan.content_length {
                    write_framing(field.name, BodyKind::Length(length), out);
                }
            }
            FieldName::TransferEncoding => {
                if plan.transfer_encoding && client.version == Version::Http11 && !client.dechunk {
                    write_framing(field.name, BodyKind::Chunked, out);
                }
            }
            FieldName::Trailer if client.dechunk => {}
            FieldName::Upgrade if keeps_upgrade => out.extend_from_slice(field.line),
            name if is_hop_by_hop(name) || nominations.name(&field) => {}
            _ => out.extend_from_slice(field.line),
        }
    }
    write_once("Connection", &mut connection, out);
    write_via(head.version, via, out);
    out.extend_from_slice(b"\r\n");
}

fn write_target(target: &Target<'_>, out: &mut Vec<u8>) {
    match target {
        Target::Absolute { path, .. } => {
            if path.starts_with('?') {
                out.push(b'/');
            }
            out.extend_from_slice(path.as_bytes());
        }
        Target::Origin { path } => out.extend_from_slice(path.as_bytes()),
        Target::Authority(authority) => out.extend_from_slice(authority.to_string().as_bytes()),
        Target::Asterisk => out.push(b'*'),
    }
}

/// The target for a proxy: with scheme and authority, `*` as an empty path (RFC 9112 §3.2.4).
fn write_absolute(target: &Target<'_>, forwarding: &Forwarding<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"http://");
    out.extend_from_slice(host_text(target, forwarding).as_bytes());
    match target {
        Target::Asterisk | Target::Absolute { path: "*", .. } => {}
        _ => write_target(target, out),
    }
}

/// Whether the Host that came is the one to send: always, unless an absolute target overrules it
/// with another authority (RFC 9112 §3.2.2). The same one keeps its spelling.
fn keeps_host(value: &[u8], target: &Target<'_>) -> bool {
    match target {
        Target::Absolute { raw_authority, .. } if value == raw_authority.as_bytes() => true,
        Target::Absolute { scheme, authority, .. } => {
            parse_host_header(value, scheme.default_port()).is_ok_and(|host| host == *authority)
        }
        Target::Origin { .. } | Target::Authority(_) | Target::Asterisk => true,
    }
}

fn write_host(name: &str, target: &Target<'_>, forwarding: &Forwarding<'_>, out: &mut Vec<u8>) {
    write_field(name, host_text(target, forwarding).as_bytes(), out);
}

/// The authority as Host spells it: without a port that goes without saying.
fn host_text(target: &Target<'_>, forwarding: &Forwarding<'_>) -> String {
    let mut host = match target {
        Target::Absolute { raw_authority, .. } => raw_authority.trim_end_matches(':').to_owned(),
        _ => {
            let (host, port) = (forwarding.host.to_owned(), forwarding.port);
            Authority { host, port }.to_string()
        }
    };
    if !matches!(target, Target::Absolute { .. }) && forwarding.port == forwarding.default_port {
        host.truncate(host.rfind(':').unwrap_or(host.len()));
    }
    host
}

fn write_framing(name: &str, body: BodyKind, out: &mut Vec<u8>) {
    match body {
        BodyKind::Length(length) => {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            write_number(length, out);
            out.extend_from_slice(b"\r\n");
        }
        BodyKind::Chunked => write_field(name, b"chunked", out),
        BodyKind::None | BodyKind::UntilClose => {}
    }
}

/// One hop fewer, where the field binds (`hops` is there); as it came elsewhere.
fn write_max_forwards(field: &Field<'_>, hops: Option<u32>, out: &mut Vec<u8>) {
    match hops {
        Some(hops) => {
            out.extend_from_slice(field.name.as_bytes());
            out.extend_from_slice(b": ");
            write_number(u64::from(hops.saturating_sub(1)), out);
            out.extend_from_slice(b"\r\n");
        }
        None => out.extend_from_slice(field.line),
    }
}

/// The protocols offered but `h2c`; as they came where that is not among them.
fn write_offer(field: &Field<'_>, out: &mut Vec<u8>) {
    if !list_items(field.value).any(is_h2c) {
        out.extend_from_slice(field.line);
        return;
    }
    let others: Vec<&[u8]> = list_items(field.value).filter(|offered| !is_h2c(offered)).collect();
    if !others.is_empty() {
        write_field(field.name, &others.join(&b", "[..]), out);
    }
}

/// Our own options towards upstream, each with the field that it nominates.
fn request_connection(plan: &RequestPlan) -> Option<&'static [u8]> {
    match (plan.upgrade, plan.te_trailers) {
        (true, true) => Some(b"Upgrade, TE"),
        (true, false) => Some(b"Upgrade"),
        (false, true) => Some(b"TE"),
        (false, false) => None,
    }
}

fn response_connection(
    head: &ResponseHead<'_>,
    plan: &ResponsePlan,
    client: ClientSide,
) -> Option<&'static [u8]> {
    let offers_upgrade = head.status == 426 && head.get("upgrade").is_some();
    match plan.kind {
        ResponseKind::SwitchingProtocols => Some(b"Upgrade"),
        ResponseKind::Interim => None,
        ResponseKind::Final if !client.persistent && offers_upgrade => Some(b"close, Upgrade"),
        ResponseKind::Final if !client.persistent => Some(b"close"),
        ResponseKind::Final if offers_upgrade => Some(b"Upgrade"),
        ResponseKind::Final if client.version == Version::Http10 => Some(b"keep-alive"),
        ResponseKind::Final => None,
    }
}

/// Writes a field of our own once, where the first of its name stood; a second call writes nothing.
fn write_once(name: &str, value: &mut Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(value) = value.take() {
        write_field(name, value, out);
    }
}

fn write_via(received: Version, via: Option<&str>, out: &mut Vec<u8>) {
    if let Some(name) = via {
        let protocol = match received {
            Version::Http10 => "1.0 ",
            Version::Http11 => "1.1 ",
        };
        write_field("Via", [protocol.as_bytes(), name.as_bytes()].concat().as_slice(), out);
    }
}

/// RFC 7239 §4 and §6: an IPv6 address in brackets and quotes.
fn write_forwarded(address: IpAddr, default_port: u16, out: &mut Vec<u8>) {
    let proto = if default_port == 443 { "https" } else { "http" };
    let value = match address {
        IpAddr::V4(address) => format!("for={address};proto={proto}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\";proto={proto}"),
    };
    write_field("Forwarded", value.as_bytes(), out);
}

fn write_field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_number(number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    let mut rest = number;
    loop {
        out.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.get_mut(start..).unwrap_or_default().reverse();
}

/// Fields that are for this hop alone. Those that a hop may need again are written anew.
fn is_hop_by_hop(name: FieldName) -> bool {
    match name {
        FieldName::Connection
        | FieldName::Http2Settings
        | FieldName::KeepAlive
        | FieldName::ProxyAuthenticate
        | FieldName::ProxyAuthenticationInfo
        | FieldName::ProxyAuthorization
        | FieldName::ProxyConnection
        | FieldName::Te
        | FieldName::Upgrade => true,
        FieldName::ContentLength
        | FieldName::Expect
        | FieldName::Host
        | FieldName::MaxForwards
        | FieldName::Trailer
        | FieldName::TransferEncoding
        | FieldName::Other => false,
    }
}

/// The fields that Connection nominates, to be removed with it.
struct Nominations<'a, 'b> {
    fields: &'a Fields<'b>,
    /// Whether any is nominated that would not go anyway: in nearly every head none is.
    any: bool,
}

impl<'a, 'b> Nominations<'a, 'b> {
    fn read(fields: &'a Fields<'b>) -> Self {
        let any = fields.connection_options().any(|option| {
            let is_known =
                std::str::from_utf8(option).is_ok_and(|o| is_hop_by_hop(FieldName::of(o)));
            !is_known && !option.eq_ignore_ascii_case(b"close")
        });
        Nominations { fields, any }
    }

    /// Whether a field is nominated, and may be.
    fn name(&self, field: &Field<'_>) -> bool {
        self.any
            && !END_TO_END.iter().any(|kept| field.name.eq_ignore_ascii_case(kept))
            && self
                .fields
                .connection_options()
                .any(|o| o.eq_ignore_ascii_case(field.name.as_bytes()))
    }
}

/// Fields meant for every recipient of the content, which nobody can nominate away (RFC 9110
/// §7.6.1): otherwise a client could make a proxy strip what an origin decides by. Host,
/// Content-Length and Transfer-Encoding never get so far.
const END_TO_END: [&str; 20] = [
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expect",
    "location",
    "max-forwards",
    "origin",
    "set-cookie",
    "trailer",
    "vary",
    "via",
    "www-authenticate",
];
