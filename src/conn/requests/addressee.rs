//! Whom a request names: where it leads, and what is refused where its connection says already whom it reaches, inside a
//! tunnel and at the gateway.

use std::net::IpAddr;
use std::rc::Rc;

use super::super::refusal::{foreign_name, foreign_page, foreign_site};
use super::{Requests, Route, upstream};
use crate::config::{HostMismatch, OriginPatterns};
use crate::error::{Error, Side, Stage};
use crate::finding::Protocol;
use crate::forward::origin::Origin;
use crate::http::head::{HeadError, RequestHead};
use crate::http::reply::Cause;
use crate::http::target::{Target, host_of, parse_host_header};

impl Requests<'_> {
    /// Who is meant, by the route, the target or the Host header.
    pub(super) fn destination(
        &self,
        head: &RequestHead<'_>,
        target: &Target<'_>,
    ) -> Result<(Rc<Origin>, Protocol), HeadError> {
        if let Route::Fixed { origin, protocol, .. } = &self.route {
            return Ok((Rc::clone(origin), *protocol));
        }
        let by_field;
        let authority = match target {
            Target::Absolute { authority, .. } => authority,
            Target::Authority(authority) => authority,
            Target::Origin { .. } | Target::Asterisk => match head.get("host") {
                Some(host) => {
                    by_field = parse_host_header(host, 80)?;
                    &by_field
                }
                None => {
                    let reason = "neither the target nor a Host header names a destination";
                    return Err(HeadError { status: 400, reason });
                }
            },
        };
        let way = upstream::way(self.core, &authority.host, true);
        let mut named = self.named.borrow_mut();
        let is_named = |origin: &&Rc<Origin>| {
            origin.host == authority.host && origin.port == authority.port && origin.way == way
        };
        let origin = match named.as_ref().filter(is_named) {
            Some(origin) => Rc::clone(origin),
            None => Rc::new(Origin::clear(&authority.host, authority.port).by(way)),
        };
        *named = Some(Rc::clone(&origin));
        Ok((origin, Protocol::Http))
    }

    /// Whether the connection came by the gateway's listener.
    pub(super) fn is_gateway(&self) -> bool {
        matches!(self.route, Route::Fixed { protocol: Protocol::Gateway, .. })
    }

    /// Whether the page that sent a request, if one did, may not use the gateway: 127.0.0.1 is within reach of
    /// every page that a browser on this machine shows.
    pub(super) fn foreign(&self, head: &RequestHead<'_>) -> Option<Error> {
        if !self.is_gateway() {
            return None;
        }
        let allowed = &self.core.config.listen.gateway_allowed_origins;
        let mut origins = head.headers().filter(|(name, _)| name.eq_ignore_ascii_case("origin"));
        let Some((_, first)) = origins.next() else {
            let page = other_site(head, allowed).filter(|page| !allowed.matches(page));
            let is_served = || is_served(head, allowed);
            // A link is refused as well: with its parameters the gateway's own page may do as its user would.
            let foreign = page.map(|page| foreign_site(page, is_navigation(head)));
            return foreign.or_else(|| (!is_served()).then(foreign_name));
        };
        let mut all = std::iter::once(first).chain(origins.map(|(_, origin)| origin));
        all.find(|origin| !allowed.matches(origin)).map(foreign_page)
    }

    /// Whether a request inside a tunnel is for somebody else than the tunnel's ends are, and that is refused.
    pub(super) fn mismatch(
        &self,
        head: &RequestHead<'_>,
        target: &Target<'_>,
        origin: &Origin,
    ) -> Option<Error> {
        if !matches!(self.route, Route::Fixed { protocol: Protocol::Http | Protocol::Https, .. }) {
            return None;
        }
        let other = other_host(head, target, origin)?;
        let (dest, name) = (&origin.dest, origin.server_name.as_deref());
        let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
        let detail = format!("Host {other} inside a connection to {dest}{name}");
        if !self.mismatch_told.replace(true) {
            log::warn!("{}: {detail}", self.source);
        }
        let refuses = self.core.config.http.host_mismatch == HostMismatch::Refuse;
        refuses.then(|| {
            let (stage, cause) = (Stage::RequestHead, Cause::HttpRequestDenied);
            Error::answered(Side::Client, stage, 421, cause, detail)
        })
    }
}

/// The page that had a browser send a request without Origin to a site that is not its own, as images, programs and
/// links are asked for (Fetch Metadata, `Sec-Fetch-Site`): told by Referer; `null` where that is kept back, unless it is
/// known all the same to be allowed.
fn other_site<'h>(head: &'h RequestHead<'_>, allowed: &OriginPatterns) -> Option<&'h [u8]> {
    let says = |wanted: &[u8]| {
        let mut fields = head.headers();
        fields.any(|(name, site)| {
            name.eq_ignore_ascii_case("sec-fetch-site") && site.eq_ignore_ascii_case(wanted)
        })
    };
    let (is_cross, is_same) = (says(b"cross-site"), says(b"same-site"));
    if !is_cross && !is_same {
        return None;
    }
    match head.get("referer").and_then(origin_of_url) {
        None if !is_cross && is_of_a_neighbour(head, allowed) => None,
        page => Some(page.unwrap_or(b"null")),
    }
}

/// Whether the answer is to be shown as a page of its own, as where a link leads.
fn is_navigation(head: &RequestHead<'_>) -> bool {
    let says = |name: &str, wanted: &[u8]| {
        head.get(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
    };
    says("sec-fetch-mode", b"navigate") && says("sec-fetch-dest", b"document")
}

/// Whether a page of the same site can only be one of the host that it asks, at another port, and all of those are
/// allowed: a site is an address as a whole, and so is `localhost`.
fn is_of_a_neighbour(head: &RequestHead<'_>, allowed: &OriginPatterns) -> bool {
    let Some(field) = head.get("host") else { return false };
    let host = String::from_utf8_lossy(host_of(field));
    let is_whole_site = host.parse::<IpAddr>().is_ok() || host.eq_ignore_ascii_case("localhost");
    is_whole_site && allowed.names_every_port_of(&host.to_ascii_lowercase())
}

/// What stands before a URL's path.
fn origin_of_url(url: &[u8]) -> Option<&[u8]> {
    let host_at = memchr::memmem::find(url, b"://")? + 3;
    let rest = url.get(host_at..)?;
    let host_len = memchr::memchr3(b'/', b'?', b'#', rest).unwrap_or(rest.len());
    url.get(..host_at + host_len)
}

/// Names that no public DNS makes lead to this machine. `local` is none of them: of names in it multicast DNS asks
/// the whole network, and anybody there may answer.
const PRIVATE_ZONES: [&str; 2] = ["localhost", "internal"];

/// Whether the gateway is known by the name that a request without Origin calls it. A page asks the host that it
/// comes from without an Origin, and by a name of its own, which leads to this machine for that moment, it may
/// ask the gateway so.
fn is_served(head: &RequestHead<'_>, allowed: &OriginPatterns) -> bool {
    // HTTP/1.0 has none; browsers always send one.
    let Some(field) = head.get("host") else { return true };
    let host = String::from_utf8_lossy(host_of(field));
    // The root's dot changes nothing of whom a name leads to.
    let host = host.strip_suffix('.').unwrap_or(&host);
    let (name, zone) = host.rsplit_once('.').unwrap_or(("", host));
    let is_address = host.parse::<IpAddr>().is_ok();
    let is_private = name.is_empty() || PRIVATE_ZONES.iter().any(|z| zone.eq_ignore_ascii_case(z));
    let is_configured = || {
        let page = |scheme: &[u8]| allowed.matches(&[scheme, b"://", field].concat());
        allowed.names_all() || page(b"http") || page(b"https")
    };
    is_address || is_private || is_configured()
}

/// The host that the origin will be told, if it is neither the one that was connected to nor the one that TLS
/// was asked for: by the target, which overrules the Host field, or by that.
fn other_host(head: &RequestHead<'_>, target: &Target<'_>, origin: &Origin) -> Option<String> {
    if let Target::Absolute { authority, .. } = target {
        return (!is_named(&authority.host, origin)).then(|| authority.host.clone());
    }
    let field = head.get("host")?;
    let host = String::from_utf8_lossy(host_of(field));
    if is_named(&host, origin) {
        return None;
    }
    // An address can be spelled in several ways.
    let is_respelled =
        parse_host_header(field, origin.port).is_ok_and(|parsed| is_named(&parsed.host, origin));
    (!is_respelled).then(|| host.into_owned())
}

/// Whether the host is one of the ends; a name may end in the root's dot.
fn is_named(host: &str, origin: &Origin) -> bool {
    let bare = |name: &str| name.strip_suffix('.').unwrap_or(name).len();
    let is = |end: &str| {
        let (end, host) = (end.get(..bare(end)), host.get(..bare(host)));
        end.zip(host).is_some_and(|(end, host)| end.eq_ignore_ascii_case(host))
    };
    is(&origin.host) || origin.server_name.as_deref().is_some_and(is)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::{HeadLimits, parse_request};
    use crate::http::target::parse_target;

    fn other(request: &str, origin: &Origin) -> Option<String> {
        let text = format!("{request}\r\n\r\n");
        let limits = HeadLimits { max_bytes: 65_536, max_headers: 16 };
        let head = parse_request(text.as_bytes(), &limits).unwrap().unwrap();
        other_host(&head, &parse_target(head.method, head.target).unwrap(), origin)
    }

    #[test]
    fn the_host_that_will_be_told_is_the_one_that_counts() {
        let origin = Origin::clear("a.test", 8443).encrypted("b.test");
        for same in [
            "GET / HTTP/1.1\r\nHost: a.test",
            "GET / HTTP/1.1\r\nHost: B.test.:443",
            "GET https://a.test/ HTTP/1.1\r\nHost: evil.test",
            "GET / HTTP/1.0",
        ] {
            assert_eq!(other(same, &origin), None, "{same}");
        }
        for evil in [
            "GET / HTTP/1.1\r\nHost: evil.test:8443",
            "GET http://evil.test/ HTTP/1.1\r\nHost: a.test",
            "GET https://EVIL.test:8443/ HTTP/1.1\r\nHost: b.test",
        ] {
            assert_eq!(other(evil, &origin).as_deref(), Some("evil.test"), "{evil}");
        }
    }

    #[test]
    fn addresses_are_the_same_however_they_are_spelled() {
        let origin = Origin::clear("::1", 80);
        assert_eq!(other("GET / HTTP/1.1\r\nHost: [0:0:0:0:0:0:0:1]:80", &origin), None);
        assert_eq!(other("GET / HTTP/1.1\r\nHost: [::2]", &origin).as_deref(), Some("::2"));
    }
}
