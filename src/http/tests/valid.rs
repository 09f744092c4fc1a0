//! Messages that are odd but right: strictness must not cost them.

use super::Verdict::Accepted;
use super::{request_verdict, response_verdict, whole_request, whole_response};
use crate::http::head::{Method, Version};

#[test]
fn odd_requests_get_through() {
    let table: &[(&str, &[u8])] = &[
        ("plain", b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        ("HTTP/1.0 without Host", b"GET http://a.test/ HTTP/1.0\r\n\r\n"),
        ("four empty lines in front", b"\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("absolute", b"GET http://a.test/x?y HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        ("absolute with an empty Host", b"GET http://a.test/ HTTP/1.1\r\nHost:\r\n\r\n"),
        ("absolute in capitals", b"GET HTTP://A.TEST:80/ HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        ("absolute with an empty port", b"GET http://a.test:/ HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        ("CONNECT", b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"),
        ("CONNECT to IPv6", b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n"),
        ("CONNECT without Host", b"CONNECT a.test:443 HTTP/1.1\r\n\r\n"),
        ("CONNECT with length 0", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        ("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        ("unknown method", b"M-SEARCH / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        ("every token byte", b"!#$%&'*+-.^_`|~aZ9 / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("path that RFC 3986 forbids", b"GET /{a}|\"<b>^`\\#c HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("obs-text in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: \xe9\xff\x80\r\n\r\n"),
        ("tab in a value", b"GET / HTTP/1.1\r\nHost: a\r\nX: b\tc\r\n\r\n"),
        ("empty value", b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t \r\n\r\n"),
        ("blanks around a value", b"GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n"),
        ("underscore in Host", b"GET / HTTP/1.1\r\nHost: a_b.test\r\n\r\n"),
        ("zone in Host", b"GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]:8080\r\n\r\n"),
        ("length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"),
        (
            "length with zeros in front",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 004\r\n\r\nbody",
        ),
        (
            "chunked in capitals",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
        ),
        ("GET with a body", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"),
        (
            "extensions and trailers",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
              0004;a;b=c; d=\"e;\\\"\xe9\"\r\nbody\r\n000\r\nX: y\r\nZ:\r\n\r\n",
        ),
    ];
    for (name, request) in table {
        assert_eq!(request_verdict(request), Accepted, "{name}");
    }
}

#[test]
fn odd_responses_get_through() {
    let table: &[(&str, Method, &[u8])] = &[
        ("plain", Method::Get, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"),
        ("no reason", Method::Get, b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"),
        ("no space for the reason", Method::Get, b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
        (
            "obs-text in the reason",
            Method::Get,
            b"HTTP/1.1 200 d\xe9j\xe0\r\nContent-Length: 0\r\n\r\n",
        ),
        ("until close", Method::Get, b"HTTP/1.1 200 OK\r\n\r\nbody"),
        ("HTTP/1.0 until close", Method::Get, b"HTTP/1.0 200 OK\r\n\r\nbody"),
        ("HEAD with length", Method::Head, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"),
        (
            "HEAD with chunked",
            Method::Head,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        ("304 with length", Method::Get, b"HTTP/1.1 304 NM\r\nContent-Length: 4\r\n\r\n"),
        ("204 with length", Method::Get, b"HTTP/1.1 204 NC\r\nContent-Length: 4\r\n\r\n"),
        ("103", Method::Get, b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        ("101", Method::Get, b"HTTP/1.1 101 SP\r\nUpgrade: websocket\r\n\r\n"),
        ("999", Method::Get, b"HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n"),
        (
            "200 to CONNECT with length",
            Method::Connect,
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
        ),
        ("no field", Method::Get, b"HTTP/1.1 404 Not Found\r\n\r\n"),
    ];
    for (name, method, response) in table {
        assert_eq!(response_verdict(response, *method), Accepted, "{name}");
    }
}

#[test]
fn a_request_head_is_what_was_sent() {
    let bytes = b"\r\nPOST /a?b HTTP/1.1\r\nHost: A.test\r\nX-One:  1 \r\nx-one: \xe9\r\n\r\nbody";
    let head = whole_request(bytes);
    assert_eq!(head.method, Method::Post);
    assert_eq!((head.method_name, head.target), ("POST", "/a?b"));
    assert_eq!(head.version, Version::Http11);
    assert_eq!(&bytes[head.len..], b"body");
    let headers: Vec<(&str, &[u8])> = head.headers().collect();
    let expected: [(&str, &[u8]); 3] = [("Host", b"A.test"), ("X-One", b"1"), ("x-one", b"\xe9")];
    assert_eq!(headers, expected);
    assert_eq!(head.get("X-ONE"), Some(&b"1"[..]));
    assert_eq!(head.get("X-Two"), None);
}

#[test]
fn a_response_head_is_what_was_sent() {
    let bytes = b"HTTP/1.0 404 pas trouv\xe9\r\nServer: x\r\n\r\nbody";
    let head = whole_response(bytes);
    assert_eq!((head.status, head.version), (404, Version::Http10));
    assert_eq!(head.reason, b"pas trouv\xe9");
    assert_eq!(&bytes[head.len..], b"body");
    assert_eq!(head.get("server"), Some(&b"x"[..]));
}

#[test]
fn only_idempotent_methods_may_be_sent_again() {
    let names = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];
    assert!(names.iter().all(|name| Method::from_name(name).is_idempotent()));
    let names = ["POST", "PATCH", "CONNECT", "get", "QUERY"];
    assert!(!names.iter().any(|name| Method::from_name(name).is_idempotent()));
}
