//! Asking another proxy for a tunnel (RFC 9110 §9.3.6).

/// The head of a CONNECT request for `authority` (`host:port`).
pub fn connect_head(authority: &str, authorization: Option<&str>) -> Vec<u8> {
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(authorization) = authorization {
        head.push_str("Proxy-Authorization: ");
        head.push_str(authorization);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::head::{HeadLimits, Method, parse_request};
    use super::*;

    #[test]
    fn the_head_is_one_that_we_would_accept() {
        let head = connect_head("[::1]:443", Some("Basic dTpw"));
        let limits = HeadLimits { max_bytes: 65_536, max_headers: 256 };
        let parsed = parse_request(&head, &limits).unwrap().unwrap();
        assert_eq!((parsed.method, parsed.target), (Method::Connect, "[::1]:443"));
        assert_eq!(parsed.get("proxy-authorization"), Some(&b"Basic dTpw"[..]));
        assert_eq!(parsed.len, head.len());
    }
}
