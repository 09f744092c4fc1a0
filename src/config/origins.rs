//! Origin patterns: `gateway_allowed_origins`. Decides; no IO. An `Origin` field is judged as a whole and
//! strictly (RFC 6454 §7.1), so that a `*` never covers what only looks like a part of another origin.

use super::patterns::glob_matches;
use crate::limits::{ORIGIN_PATTERN_MAX_CHARS, ORIGIN_PATTERNS_MAX};

/// What every message about a pattern tells to write instead.
pub const ORIGIN_ALLOWED: &str = "an origin as browsers send it: scheme://host or scheme://host:port without \
     a path, `*` for any run of characters (example: \"https://*.internal.example\"), or \"null\"";

/// The pages of this machine.
const LOOPBACK: [&str; 6] = [
    "http://localhost",
    "https://localhost",
    "http://127.0.0.1",
    "https://127.0.0.1",
    "http://[::1]",
    "https://[::1]",
];

/// Origins with `*` for any run of characters, compared without case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPatterns(Vec<String>);

/// Loopback origins, with any port.
impl Default for OriginPatterns {
    fn default() -> Self {
        let any_port = LOOPBACK.map(|origin| format!("{origin}:*"));
        OriginPatterns(LOOPBACK.map(str::to_string).into_iter().chain(any_port).collect())
    }
}

impl OriginPatterns {
    /// Checks patterns; the error is the pattern that is none.
    pub fn parse(patterns: &[String]) -> Result<OriginPatterns, String> {
        if let Some(one_too_many) = patterns.get(ORIGIN_PATTERNS_MAX) {
            return Err(one_too_many.clone());
        }
        let normalise = |pattern: &String| {
            let trimmed = pattern.trim().to_ascii_lowercase();
            let is_short = trimmed.len() <= ORIGIN_PATTERN_MAX_CHARS;
            (is_short && is_origin(&trimmed, true)).then_some(trimmed).ok_or(pattern.clone())
        };
        patterns.iter().map(normalise).collect::<Result<_, _>>().map(OriginPatterns)
    }

    /// The patterns, in their order.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether every origin is named, those of any web page.
    pub fn names_all(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "*")
    }

    /// The value of an `Origin` field as text, if it is one that a pattern may name.
    pub fn origin_of(value: &[u8]) -> Option<&str> {
        std::str::from_utf8(value).ok().filter(|text| is_origin(text, false))
    }

    /// Whether the pages of a host are named whatever their port is; an IPv6 address comes without brackets.
    pub fn names_every_port_of(&self, host: &str) -> bool {
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        let is_named = |scheme| {
            // A star stands for any run, so for itself, too.
            let origins = format!("{scheme}://{open}{host}{close}:*");
            self.0.iter().any(|pattern| glob_matches(pattern.as_bytes(), origins.as_bytes()))
        };
        is_named("http") || is_named("https")
    }

    /// Whether the value of an `Origin` field is named by a pattern.
    pub fn matches(&self, origin: &[u8]) -> bool {
        OriginPatterns::origin_of(origin).is_some()
            && self.0.iter().any(|pattern| glob_matches(pattern.as_bytes(), origin))
    }
}

/// Whether text is an origin, or with `with_stars` a pattern of some.
fn is_origin(text: &str, with_stars: bool) -> bool {
    if text == "null" || (with_stars && text == "*") {
        return true;
    }
    let consists_of = |part: &str, allowed: fn(u8) -> bool| {
        !part.is_empty() && part.bytes().all(|byte| allowed(byte) || (with_stars && byte == b'*'))
    };
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let is_host = match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']').is_some_and(|(address, behind)| {
            let is_port = behind.strip_prefix(':').is_some_and(|port| consists_of(port, is_digit));
            consists_of(address, is_address_byte) && (behind.is_empty() || is_port)
        }),
        None => match authority.split_once(':') {
            Some((host, port)) => consists_of(host, is_name_byte) && consists_of(port, is_digit),
            None => consists_of(authority, is_name_byte),
        },
    };
    is_host && consists_of(scheme, is_scheme_byte)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> OriginPatterns {
        OriginPatterns::parse(&list.iter().map(|p| p.to_string()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn loopback_origins_are_the_default() {
        let default = OriginPatterns::default();
        for origin in [
            "http://localhost",
            "https://localhost",
            "http://localhost:3000",
            "HTTP://LocalHost:18790",
            "https://127.0.0.1:65535",
            "http://[::1]",
            "http://[::1]:8080",
        ] {
            assert!(default.matches(origin.as_bytes()), "{origin}");
        }
    }

    #[test]
    fn what_only_looks_like_loopback_is_none() {
        let default = OriginPatterns::default();
        for origin in [
            "",
            "null",
            "*",
            "http://localhost.evil.example",
            "http://evil.example",
            "http://localhost:80@evil.example",
            "http://localhost:80.evil.example",
            "http://localhost:80:90",
            "http://localhost:",
            "http://localhost/",
            "http://localhost:80/path",
            "http://localhost http://evil.example",
            "http://localhost, http://evil.example",
            "http://[::1].evil.example",
            "http://[::1]evil:80",
            "http://[::1",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.2",
            "ws://localhost",
            "file://localhost",
            "localhost",
            "://localhost",
            "http://",
        ] {
            assert!(!default.matches(origin.as_bytes()), "{origin:?}");
        }
        assert!(!default.matches(b"http://localhost:\xff"));
    }

    #[test]
    fn patterns_are_exact_or_globs() {
        let chosen =
            patterns(&["https://App.example", "https://*.b.example:*", "null", "tauri://*"]);
        for origin in [
            "https://app.example",
            "https://x.b.example:8443",
            "null",
            "tauri://localhost",
            "tauri://localhost:1",
        ] {
            assert!(chosen.matches(origin.as_bytes()), "{origin}");
        }
        for origin in [
            "http://app.example",
            "https://app.example:443",
            "https://b.example:443",
            "https://x.b.example",
            "https://x.b.example.evil:1",
            "http://localhost",
        ] {
            assert!(!chosen.matches(origin.as_bytes()), "{origin}");
        }
        assert!(patterns(&["*"]).matches(b"https://anything.example:1"));
        assert!(!patterns(&["*"]).matches(b"not an origin"));
        assert!(!patterns(&[]).matches(b"http://localhost"));
    }

    #[test]
    fn what_cannot_name_an_origin_is_refused() {
        for bad in [
            "",
            " ",
            "localhost",
            "http://",
            "https://app.example/",
            "https://app.example/path",
            "https://app.example:",
            "https://app.example:https",
            "https://user@app.example",
            "https://[app.example]",
            "https://[::1",
            "//app.example",
            "**",
            "https://a.example https://b.example",
        ] {
            assert_eq!(OriginPatterns::parse(&[bad.to_string()]), Err(bad.to_string()), "{bad:?}");
        }
    }

    #[test]
    fn pattern_bounds_hold_at_the_bound_and_break_past_it() {
        let longest = format!("http://{}", "a".repeat(ORIGIN_PATTERN_MAX_CHARS - 7));
        assert!(OriginPatterns::parse(std::slice::from_ref(&longest)).is_ok());
        assert!(OriginPatterns::parse(&[longest + "a"]).is_err());
        let most = vec!["null".to_string(); ORIGIN_PATTERNS_MAX];
        assert!(OriginPatterns::parse(&most).is_ok());
        let too_many = vec!["null".to_string(); ORIGIN_PATTERNS_MAX + 1];
        assert!(OriginPatterns::parse(&too_many).is_err());
    }
}
