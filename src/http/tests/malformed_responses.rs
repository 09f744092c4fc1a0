//! Upstream responses that must not reach the client, each with what becomes of it.

use super::Verdict::{self, BodyRefused, Incomplete, Refused};
use super::response_verdict;
use crate::http::head::Method;

/// A response with one more header line.
macro_rules! with {
    ($line:literal) => {
        concat!("HTTP/1.1 200 OK\r\n", $line, "\r\n\r\nbody")
    };
}

/// A chunked response.
macro_rules! chunked {
    ($body:literal) => {
        concat!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", $body)
    };
}

const TABLE: &[(&str, &str, Verdict)] = &[
    // The status line, RFC 9112 §4.
    ("empty line in front", "\r\nHTTP/1.1 200 OK\r\n\r\n", Refused(502)),
    ("not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", Refused(502)),
    ("mail greeting", "220 mail.test ESMTP\r\n", Refused(502)),
    ("body without head", "<html></html>", Refused(502)),
    ("ICY", "ICY 200 OK\r\n\r\n", Refused(502)),
    ("HTTP/2", "HTTP/2 200\r\n\r\n", Refused(502)),
    ("HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", Refused(502)),
    ("HTTP/0.9", "HTTP/0.9 200 OK\r\n\r\n", Refused(502)),
    ("HTTP/1.2", "HTTP/1.2 200 OK\r\n\r\n", Refused(502)),
    ("http/1.1 in lower case", "http/1.1 200 OK\r\n\r\n", Refused(502)),
    ("space in front", " HTTP/1.1 200 OK\r\n\r\n", Refused(502)),
    ("two spaces before the status", "HTTP/1.1  200 OK\r\n\r\n", Refused(502)),
    ("tab before the status", "HTTP/1.1\t200 OK\r\n\r\n", Refused(502)),
    ("no status", "HTTP/1.1\r\n\r\n", Refused(502)),
    ("status of two digits", "HTTP/1.1 20 OK\r\n\r\n", Refused(502)),
    ("status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", Refused(502)),
    ("status of letters", "HTTP/1.1 OK\r\n\r\n", Refused(502)),
    ("signed status", "HTTP/1.1 +20 OK\r\n\r\n", Refused(502)),
    ("status 099", "HTTP/1.1 099 OK\r\n\r\n", Refused(502)),
    ("status 000", "HTTP/1.1 000 OK\r\n\r\n", Refused(502)),
    ("NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", Refused(502)),
    ("bare CR in the reason", "HTTP/1.1 200 O\rK\r\n\r\n", Refused(502)),
    ("LF behind the status line", "HTTP/1.1 200 OK\nA: b\r\n\r\n", Refused(502)),
    ("LF-only head", "HTTP/1.1 200 OK\nA: b\n\n", Refused(502)),
    // Field lines, RFC 9112 §5.
    ("space before the colon", with!("X-Name : value"), Refused(502)),
    ("folded line", with!("X-Name: a\r\n b"), Refused(502)),
    ("indented first field", "HTTP/1.1 200 OK\r\n X: a\r\n\r\n", Refused(502)),
    ("no name", with!(": value"), Refused(502)),
    ("no colon", with!("X-Name"), Refused(502)),
    ("NUL in the value", with!("X-Name: \0"), Refused(502)),
    ("bare CR in the value", with!("X-Name: a\rb"), Refused(502)),
    ("DEL in the value", with!("X-Name: \x7f"), Refused(502)),
    ("LF behind the value", "HTTP/1.1 200 OK\r\nX: a\n\r\n", Refused(502)),
    // Framing, RFC 9112 §6.
    ("two Content-Lengths", with!("Content-Length: 4\r\nContent-Length: 5"), Refused(502)),
    ("two equal Content-Lengths", with!("Content-Length: 4\r\nContent-Length: 4"), Refused(502)),
    ("Content-Length list", with!("Content-Length: 4,4"), Refused(502)),
    ("signed Content-Length", with!("Content-Length: +4"), Refused(502)),
    ("negative Content-Length", with!("Content-Length: -1"), Refused(502)),
    ("Content-Length of 2^64", with!("Content-Length: 18446744073709551616"), Refused(502)),
    ("empty Content-Length", with!("Content-Length: "), Refused(502)),
    ("length and chunked", with!("Content-Length: 4\r\nTransfer-Encoding: chunked"), Refused(502)),
    (
        "two Transfer-Encodings",
        with!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        Refused(502),
    ),
    ("chunked twice", with!("Transfer-Encoding: chunked, chunked"), Refused(502)),
    ("chunked not last", with!("Transfer-Encoding: chunked, identity"), Refused(502)),
    ("coding nobody asked for", with!("Transfer-Encoding: gzip, chunked"), Refused(502)),
    ("unknown coding", with!("Transfer-Encoding: xchunked"), Refused(502)),
    (
        "chunked in HTTP/1.0",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(502),
    ),
    (
        "chunked on 204",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        Refused(502),
    ),
    ("chunked on 100", "HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", Refused(502)),
    (
        "chunked on 101",
        "HTTP/1.1 101 Switching\r\nTransfer-Encoding: chunked\r\n\r\n",
        Refused(502),
    ),
    ("100 in HTTP/1.0", "HTTP/1.0 100 Continue\r\n\r\n", Refused(502)),
    (
        "two lengths on 304",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        Refused(502),
    ),
    // The body.
    ("bad chunk size", chunked!("zz\r\n"), BodyRefused),
    ("chunk longer than its size", chunked!("3\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("LF in the chunked coding", chunked!("4\nbody\n0\n\n"), BodyRefused),
    ("bad trailer", chunked!("0\r\nX Y: z\r\n\r\n"), BodyRefused),
    ("cut before its length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nbody", Incomplete),
    ("cut in a chunk", chunked!("5\r\nbody"), Incomplete),
    ("cut between chunks", chunked!("4\r\nbody\r\n"), Incomplete),
    ("cut before the last empty line", chunked!("0\r\n"), Incomplete),
];

#[test]
fn none_of_the_table_gets_through() {
    assert!(TABLE.len() >= 40);
    for (name, response, expected) in TABLE {
        let verdict = response_verdict(response.as_bytes(), Method::Get);
        assert_eq!(verdict, *expected, "{name}: {response:?}");
    }
}

#[test]
fn faults_in_heads_are_refused_for_head_requests_too() {
    for (name, response, expected) in TABLE {
        if let Refused(_) = expected {
            let verdict = response_verdict(response.as_bytes(), Method::Head);
            assert_eq!(verdict, *expected, "{name}: {response:?}");
        }
    }
}

#[test]
fn a_tls_alert_in_place_of_a_head_is_refused_at_once() {
    assert_eq!(response_verdict(b"\x15\x03\x01\x00\x02\x02\x28", Method::Get), Refused(502));
}
