//! Heads that arrive in pieces, and targets.

use super::{LIMITS, Target, parse_host_header, parse_request, parse_response, parse_target};
use crate::http::head::Method;
use crate::http::search::{HeadBounds, HeadSearch};
use crate::http::target::{Authority, Scheme};

const REQUEST: &[u8] = b"\r\nPOST /a HTTP/1.1\r\nHost: a.test\r\nX: y\r\n\r\n";

#[test]
fn a_head_is_complete_with_its_last_byte_and_not_before() {
    for end in 0..REQUEST.len() {
        assert!(parse_request(&REQUEST[..end], &LIMITS).unwrap().is_none(), "{end}");
    }
    assert_eq!(parse_request(REQUEST, &LIMITS).unwrap().unwrap().len, REQUEST.len());
    let response = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n";
    for end in 0..response.len() {
        assert!(parse_response(&response[..end], &LIMITS).unwrap().is_none(), "{end}");
    }
    assert_eq!(parse_response(response, &LIMITS).unwrap().unwrap().len, response.len());
}

#[test]
fn a_search_goes_on_where_it_stopped() {
    let followed = [REQUEST, b"body\r\n\r\n"].concat();
    for first in 0..REQUEST.len() {
        for second in first..REQUEST.len() {
            let mut search = HeadSearch::request(LIMITS);
            assert_eq!(search.find(&REQUEST[..first]), Ok(None));
            assert_eq!(search.find(&REQUEST[..second]), Ok(None));
            let bounds = HeadBounds { start: 2, end: REQUEST.len(), fields: 2 };
            assert_eq!(search.find(&followed), Ok(Some(bounds)));
        }
    }
}

#[test]
fn a_fault_is_refused_before_the_head_is_complete() {
    let mut search = HeadSearch::request(LIMITS);
    assert!(search.find(b"GET / HTTP/1.1\r\nHost: a\n").is_err(), "LF without CR");
    assert!(HeadSearch::request(LIMITS).find(b"\x16\x03\x01").is_err(), "TLS");
    assert!(HeadSearch::response(LIMITS).find(b"220 ").is_err(), "mail");
    assert!(HeadSearch::request(LIMITS).find(b"PING\r\n").is_err(), "one word");
    assert!(HeadSearch::response(LIMITS).find(b"HTT\r\n").is_err(), "half a version");
    assert_eq!(HeadSearch::request(LIMITS).find(b"\r"), Ok(None));
    assert_eq!(HeadSearch::response(LIMITS).find(b"HTTP"), Ok(None));
}

fn authority(host: &str, port: u16) -> Authority {
    Authority { host: host.to_owned(), port }
}

#[test]
fn targets_have_four_forms() {
    assert_eq!(parse_target(Method::Get, "/a?b"), Ok(Target::Origin { path: "/a?b" }));
    assert_eq!(parse_target(Method::Get, "//a/b"), Ok(Target::Origin { path: "//a/b" }));
    assert_eq!(parse_target(Method::Options, "*"), Ok(Target::Asterisk));
    let connect = parse_target(Method::Connect, "A.test:443");
    assert_eq!(connect, Ok(Target::Authority(authority("a.test", 443))));
    let table = [
        (Method::Get, "http://A.test/x?y", Scheme::Http, 80, "/x?y", "A.test"),
        (Method::Get, "HTTPS://a.test", Scheme::Https, 443, "/", "a.test"),
        (Method::Get, "http://a.test?q=/", Scheme::Http, 80, "?q=/", "a.test"),
        (Method::Get, "http://a.test:8080/", Scheme::Http, 8080, "/", "a.test:8080"),
        (Method::Get, "http://a.test:/", Scheme::Http, 80, "/", "a.test:"),
        (Method::Options, "http://a.test", Scheme::Http, 80, "*", "a.test"),
        (Method::Options, "http://a.test/", Scheme::Http, 80, "/", "a.test"),
    ];
    for (method, raw, scheme, port, path, raw_authority) in table {
        let expected =
            Target::Absolute { scheme, authority: authority("a.test", port), path, raw_authority };
        assert_eq!(parse_target(method, raw), Ok(expected), "{raw}");
    }
}

#[test]
fn authorities_are_told_and_shown() {
    let table: &[(&str, &str, u16, &str)] = &[
        ("Example.COM", "example.com", 80, "example.com:80"),
        ("example.com.:8080", "example.com.", 8080, "example.com.:8080"),
        ("127.0.0.1:00080", "127.0.0.1", 80, "127.0.0.1:80"),
        ("[0:0::1]:443", "::1", 443, "[::1]:443"),
        ("[FE80::1%25eth0]", "fe80::1%25eth0", 80, "[fe80::1%25eth0]:80"),
        ("a%41:65535", "a%41", 65535, "a%41:65535"),
        ("a!$&'()*+,;=~_-.z", "a!$&'()*+,;=~_-.z", 80, "a!$&'()*+,;=~_-.z:80"),
    ];
    for (value, host, port, shown) in table {
        let parsed = parse_host_header(value.as_bytes(), 80).unwrap();
        assert_eq!(parsed, authority(host, *port), "{value}");
        assert_eq!(parsed.to_string(), *shown);
    }
}

#[test]
fn zones_without_a_name_or_an_escape_are_refused() {
    for value in ["[fe80::1%eth0]", "[fe80::1%25]", "[fe80::1%25a b]", "[v1.x]", "[]", "[::1]x"] {
        assert_eq!(parse_host_header(value.as_bytes(), 80).unwrap_err().status, 400, "{value}");
    }
}
