//! Host patterns: the globs of `insecure_hosts`, `passthrough_hosts`, `no_proxy` and the other lists of
//! hosts and destinations. Decides; no IO, no name lookup.

use crate::limits::{HOST_PATTERN_MAX_CHARS, HOST_PATTERNS_MAX};

/// What every message about a pattern tells to write instead.
pub const PATTERN_ALLOWED: &str = "a host name or IP address without scheme, port or path, `*` for any \
     run of characters (example: \"*.internal.example\")";

/// Host names with `*` for any run of characters, compared without case.
///
/// `*.example.com` names every host below `example.com`, not `example.com` itself. So does `.example.com`,
/// as lists of other programs have it (`NO_PROXY`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPatterns(pub Vec<String>);

impl HostPatterns {
    /// Checks and normalises patterns; the error is the pattern that is none.
    pub fn parse(patterns: &[String]) -> Result<HostPatterns, String> {
        if let Some(one_too_many) = patterns.get(HOST_PATTERNS_MAX) {
            return Err(one_too_many.clone());
        }
        patterns
            .iter()
            .map(|pattern| normalise(pattern).ok_or_else(|| pattern.clone()))
            .collect::<Result<Vec<_>, _>>()
            .map(HostPatterns)
    }

    /// Whether a host (no port, no brackets) is named by a pattern.
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.0.iter().any(|pattern| glob_matches(pattern.as_bytes(), host.as_bytes()))
    }

    /// Whether a pattern names every host.
    pub fn names_all(&self) -> bool {
        self.0.iter().any(|pattern| pattern.bytes().all(|byte| byte == b'*'))
    }

    /// Whether no host is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lower case, without brackets or the root's dot, and with a star before a leading one; none if it cannot
/// name a host.
fn normalise(pattern: &str) -> Option<String> {
    let trimmed = pattern.trim();
    let (host, bracketed) = match trimmed.strip_prefix('[') {
        Some(rest) => (rest.strip_suffix(']')?, true),
        None => (trimmed.strip_suffix('.').unwrap_or(trimmed), false),
    };
    let is_name =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*');
    let is_ipv6 = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'*');
    // One colon can only be a port's; an IPv6 address has two at least.
    let colons = host.bytes().filter(|byte| *byte == b':').count();
    let valid = match colons {
        0 => !bracketed && host.bytes().all(is_name),
        1 => false,
        _ => host.bytes().all(is_ipv6),
    };
    let is_domain = host.len() > 1 && host.starts_with('.');
    let host = format!("{}{}", if is_domain { "*" } else { "" }, host.to_ascii_lowercase());
    (valid && !host.is_empty() && host.len() <= HOST_PATTERN_MAX_CHARS).then_some(host)
}

/// A pattern over a destination, with the port or without, as it is compared; none if it can name none.
pub fn destination(pattern: &str) -> Option<String> {
    let pattern = pattern.trim();
    if let Some(host) = normalise(pattern) {
        return Some(host);
    }
    let (host, port) = pattern.rsplit_once(':')?;
    let is_port =
        !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit() || byte == b'*');
    // The brackets of an address stand before a port.
    let is_host =
        host == "[*]" || host.starts_with('[') == host.contains(':') && normalise(host).is_some();
    let star = if host.starts_with('.') { "*" } else { "" };
    (is_port && is_host).then(|| format!("{star}{}", pattern.to_ascii_lowercase()))
}

/// Whether a text is named by a pattern with `*` for any run of bytes; case does not matter.
/// Matches with one point of return, the last `*`: at most pattern × text steps, no recursion.
pub fn glob_matches(pattern: &[u8], host: &[u8]) -> bool {
    let (mut at_pattern, mut at_host) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while let Some(byte) = host.get(at_host) {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern + 1, at_host));
                at_pattern += 1;
            }
            Some(wanted) if wanted.eq_ignore_ascii_case(byte) => {
                at_pattern += 1;
                at_host += 1;
            }
            _ => match last_star {
                Some((after_star, taken)) => {
                    last_star = Some((after_star, taken + 1));
                    at_pattern = after_star;
                    at_host = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at_pattern..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn patterns(list: &[&str]) -> HostPatterns {
        HostPatterns::parse(&list.iter().map(|p| p.to_string()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_star_covers_hosts_below_but_not_the_domain() {
        let hosts = patterns(&["*.example.com"]);
        assert!(hosts.matches("a.example.com"));
        assert!(hosts.matches("a.b.Example.COM"));
        assert!(hosts.matches("a.example.com."));
        assert!(!hosts.matches("example.com"));
        assert!(!hosts.matches("evilexample.com"));
        assert!(!hosts.matches("a.example.com.evil.net"));
    }

    #[test]
    fn a_leading_dot_names_what_is_below() {
        let hosts = patterns(&[".corp.example"]);
        assert!(hosts.matches("a.corp.example") && hosts.matches("A.b.corp.example"));
        assert!(!hosts.matches("corp.example") && !hosts.matches("xcorp.example"));
        assert_eq!(destination(".Corp.example").as_deref(), Some("*.corp.example"));
        assert_eq!(destination(".corp.example:443").as_deref(), Some("*.corp.example:443"));
    }

    #[test]
    fn a_plain_name_matches_itself_only_and_without_case() {
        let hosts = patterns(&["Api.Example.com", "10.0.0.1", "[::1]", "fe80::*"]);
        for host in ["api.example.com", "API.EXAMPLE.COM", "10.0.0.1", "::1", "FE80::12"] {
            assert!(hosts.matches(host), "{host}");
        }
        for host in ["xapi.example.com", "api.example.co", "10.0.0.11", "::11", ""] {
            assert!(!hosts.matches(host), "{host}");
        }
        assert!(!HostPatterns::default().matches("example.com"));
        assert!(patterns(&["*"]).matches("anything.at.all"));
    }

    #[test]
    fn what_cannot_name_a_host_is_refused() {
        for bad in [
            "",
            " ",
            ".",
            "example.com:443",
            "*:443",
            "https://example.com",
            "example.com/path",
            "[::1]:443",
            "[::1",
            "::1]",
            "[example.com]",
            "ex ample.com",
            "bücher.example",
            "a:b:z",
            "example.com\n.evil",
        ] {
            assert_eq!(HostPatterns::parse(&[bad.to_string()]), Err(bad.to_string()), "{bad:?}");
        }
    }

    #[test]
    fn a_destination_has_a_port_or_none() {
        for (pattern, compared) in [
            ("A.example", "a.example"),
            ("a.example.", "a.example"),
            ("*.A.example:443", "*.a.example:443"),
            ("*:80*", "*:80*"),
            ("*", "*"),
            ("[::1]", "::1"),
            ("::1", "::1"),
            ("[::1]:8081", "[::1]:8081"),
            ("[FE80::*]:*", "[fe80::*]:*"),
            ("[*]:22", "[*]:22"),
        ] {
            assert_eq!(destination(pattern).as_deref(), Some(compared), "{pattern}");
        }
        for bad in [
            "",
            "https://a.example/",
            "a.example/path",
            "a.example:https",
            "a.example:",
            "user@a.example",
            "[a.example]:443",
            "[::1",
            "[]:443",
            ":443",
            "bücher.example",
        ] {
            assert_eq!(destination(bad), None, "{bad}");
        }
    }

    #[test]
    fn pattern_bounds_hold_at_the_bound_and_break_past_it() {
        let longest = "a".repeat(HOST_PATTERN_MAX_CHARS);
        assert!(HostPatterns::parse(std::slice::from_ref(&longest)).is_ok());
        assert!(HostPatterns::parse(&[longest + "a"]).is_err());
        let most = vec!["example.com".to_string(); HOST_PATTERNS_MAX];
        assert!(HostPatterns::parse(&most).is_ok());
        let too_many = vec!["example.com".to_string(); HOST_PATTERNS_MAX + 1];
        assert!(HostPatterns::parse(&too_many).is_err());
    }

    proptest! {
        #[test]
        fn the_glob_agrees_with_a_regex(pattern in "[ab.*]{1,8}", host in "[ab.]{1,10}") {
            let expression = format!("^(?s:{})$", regex::escape(&pattern).replace("\\*", ".*"));
            let expected = regex::Regex::new(&expression).unwrap().is_match(&host);
            prop_assert_eq!(glob_matches(pattern.as_bytes(), host.as_bytes()), expected);
        }
    }
}
