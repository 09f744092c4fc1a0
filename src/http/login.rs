//! Logins that hold for a connection instead of a request: NTLM, and Negotiate as RFC 4559 has it. Once one has begun,
//! whatever comes on the connection is taken for the same user's.

use super::fields::list_items;
use super::head::{RequestHead, ResponseHead};

const SCHEMES: [&[u8]; 3] = [b"negotiate", b"ntlm", b"kerberos"];

/// Whether a request logs its connection in.
pub fn is_used(head: &RequestHead<'_>) -> bool {
    let mut fields = head.headers().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    fields.any(|(_, value)| names_one(value))
}

/// Whether an answer asks for such a login.
pub fn is_offered(head: &ResponseHead<'_>) -> bool {
    let asks = |name: &str| match head.status {
        401 => name.eq_ignore_ascii_case("www-authenticate"),
        407 => name.eq_ignore_ascii_case("proxy-authenticate"),
        _ => false,
    };
    let mut fields = head.headers().filter(|(name, _)| asks(name));
    fields.any(|(_, value)| list_items(value).any(names_one))
}

/// Whether a challenge or credentials begin with one of the schemes.
fn names_one(value: &[u8]) -> bool {
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let scheme = value.get(..end).unwrap_or_default();
    SCHEMES.iter().any(|name| scheme.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::{HeadLimits, parse_request, parse_response};

    const LIMITS: HeadLimits = HeadLimits { max_bytes: 65_536, max_headers: 16 };

    fn used(field: &str) -> bool {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        is_used(&parse_request(text.as_bytes(), &LIMITS).unwrap().unwrap())
    }

    fn offered(status: &str, field: &str) -> bool {
        let text = format!("HTTP/1.1 {status} X\r\n{field}\r\nContent-Length: 0\r\n\r\n");
        is_offered(&parse_response(text.as_bytes(), &LIMITS).unwrap().unwrap())
    }

    #[test]
    fn a_request_that_logs_its_connection_in_is_known() {
        assert!(used("Authorization: Negotiate aW52ZW50ZWQ="));
        assert!(used("authorization: nTLM  aW52ZW50ZWQ="));
        assert!(used("Authorization: Kerberos aW52ZW50ZWQ="));
        assert!(!used("Authorization: Basic aW52ZW50ZWQ="));
        assert!(!used("Authorization: Bearer NTLM"));
        assert!(!used("X-Authorization: NTLM aW52ZW50ZWQ="));
    }

    #[test]
    fn an_answer_that_asks_for_such_a_login_is_known() {
        assert!(offered("401", "WWW-Authenticate: Negotiate"));
        assert!(offered("401", "WWW-Authenticate: Basic realm=\"a\", NTLM"));
        assert!(offered("401", "WWW-Authenticate: Basic realm=\"a\"\r\nwww-authenticate: NTLM"));
        assert!(offered("407", "Proxy-Authenticate: NTLM aW52ZW50ZWQ="));
        assert!(!offered("401", "WWW-Authenticate: Basic realm=\"NTLM\""));
        assert!(!offered("407", "WWW-Authenticate: NTLM"));
        assert!(!offered("200", "WWW-Authenticate: Negotiate aW52ZW50ZWQ="));
    }
}
