//! `upstream_proxy`: a URL to the proxy behind this one. Decides; dials nothing.

use std::sync::Arc;

use data_encoding::BASE64;

use super::error::ConfigError;
use super::layers::Setting;
use super::{ChainConfig, HostPatterns, UpstreamProxy};
use crate::percent;

const ALLOWED: &str = "a URL http://host:port or http://user:password@host:port";

/// Builds the part; the error never repeats the URL, which may hold a password.
pub fn build(
    url: Option<(&str, &Setting)>,
    no_proxy: HostPatterns,
) -> Result<ChainConfig, ConfigError> {
    let Some((url, setting)) = url else { return Ok(ChainConfig { proxy: None, no_proxy }) };
    let proxy = parse(url).ok_or_else(|| ConfigError::Invalid {
        key: "upstream_proxy".to_string(),
        value: said_of(url).to_string(),
        allowed: ALLOWED.to_string(),
        origin: setting.origin.clone(),
    })?;
    Ok(ChainConfig { proxy: Some(Arc::new(proxy)), no_proxy })
}

/// What the URL is called, which is never shown.
fn said_of(url: &str) -> &'static str {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("socks" | "socks4" | "socks4a" | "socks5" | "socks5h") => "a SOCKS proxy",
        Some("https") => "a proxy that is spoken to over TLS",
        _ => "a URL that cannot be used",
    }
}

fn parse(url: &str) -> Option<UpstreamProxy> {
    let (scheme, rest) = url.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (credentials, authority) = match rest.rsplit_once('@') {
        Some((credentials, authority)) => (Some(credentials), authority),
        None => (None, rest),
    };
    let (host, port) = authority.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let HostPatterns(hosts) = HostPatterns::parse(&[host.to_string()]).ok()?;
    let is_one_host = hosts.iter().all(|host| !host.contains('*'));
    let port: u16 = port.parse().ok().filter(|port| *port > 0 && is_one_host)?;
    let authorization = match credentials {
        Some(credentials) => Some(basic(credentials)?),
        None => None,
    };
    Some(UpstreamProxy { host: bare.to_ascii_lowercase(), port, authorization })
}

/// RFC 7617 §2, from percent-encoded userinfo (RFC 3986 §3.2.1).
fn basic(userinfo: &str) -> Option<String> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut pair = decoded(user)?;
    if pair.is_empty() || pair.contains(&b':') {
        return None;
    }
    pair.push(b':');
    pair.extend(decoded(password)?);
    Some(format!("Basic {}", BASE64.encode(&pair)))
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let decoded = percent::strict(text.as_bytes())?;
    let is_clean = decoded.iter().all(|byte| !byte.is_ascii_control());
    is_clean.then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_credentials_are_taken_apart() {
        let plain = parse("http://Proxy.Example:3128/").unwrap();
        assert_eq!((plain.host.as_str(), plain.port), ("proxy.example", 3128));
        assert_eq!(plain.authorization, None);
        let with = parse("HTTP://user:p%40ss%3a@[::1]:8080").unwrap();
        assert_eq!((with.host.as_str(), with.port), ("::1", 8080));
        let expected = format!("Basic {}", BASE64.encode(b"user:p@ss:"));
        assert_eq!(with.authorization, Some(expected));
        assert!(!format!("{with:?}").contains("Basic"));
    }

    #[test]
    fn what_names_no_http_proxy_is_refused() {
        for wrong in [
            "proxy:3128",
            "https://proxy:3128",
            "socks5://proxy:1080",
            "http://proxy",
            "http://proxy:0",
            "http://proxy:99999",
            "http://:3128",
            "http://*.proxy:3128",
            "http://proxy:3128/path",
            "http://:secret@proxy:3128",
            "http://user:%zz@proxy:3128",
            "http://user:%0d%0a@proxy:3128",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
