//! First bytes of tunnels.

use crate::http::detect::{Opening, detect, is_http2_greeting};
use crate::limits::DETECT_MAX_BYTES;

#[test]
fn openings_are_told_apart() {
    let table: &[(&str, &[u8], Opening)] = &[
        ("nothing", b"", Opening::NeedMore),
        ("TLS 1.0 record", b"\x16\x03\x01\x02\x00\x01", Opening::Tls),
        ("SSL 3.0 record", b"\x16\x03\x00", Opening::Tls),
        ("record 3.4", b"\x16\x03\x04", Opening::Tls),
        ("record 3.5", b"\x16\x03\x05", Opening::Other),
        ("record 2.0", b"\x16\x02", Opening::Other),
        ("first byte of TLS", b"\x16", Opening::NeedMore),
        ("TLS alert", b"\x15\x03\x01", Opening::Other),
        ("GET", b"GET / HTTP/1.1\r\n", Opening::Http),
        ("POST", b"POST http://a/ HTTP/1.0\r\nHost", Opening::Http),
        ("any method", b"propfind /x HTTP/1.1", Opening::Http),
        ("told before its end", b"GET / HTTP/1.", Opening::Http),
        ("behind an empty line", b"\r\nGET / HTTP/1.1", Opening::Http),
        ("empty line", b"\r\n", Opening::NeedMore),
        ("CR", b"\r", Opening::NeedMore),
        ("method", b"GET", Opening::NeedMore),
        ("method and space", b"GET ", Opening::NeedMore),
        ("target", b"GET /abc", Opening::NeedMore),
        ("half a version", b"GET /abc HTTP", Opening::NeedMore),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Opening::Http2),
        ("HTTP/2 preface and more", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12", Opening::Http2),
        ("half a preface", b"PRI * HTTP/2.0\r\n\r\nS", Opening::NeedMore),
        ("almost the preface", b"PRI * HTTP/2.0\r\n\r\nSX", Opening::Other),
        ("HTTP/0.9", b"GET /\r\n", Opening::Other),
        ("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n", Opening::Other),
        ("SMTP", b"EHLO client.test\r\n", Opening::Other),
        ("IMAP", b"a1 LOGIN user pass\r\n", Opening::Other),
        ("IRC", b"NICK someone\r\n", Opening::Other),
        ("Redis", b"*1\r\n$4\r\nPING\r\n", Opening::Other),
        ("PostgreSQL", b"\x00\x00\x00\x08\x04\xd2\x16\x2f", Opening::Other),
        ("PROXY", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n", Opening::Other),
        ("two spaces", b"GET  /", Opening::Other),
        ("space in front", b" GET /", Opening::Other),
        ("CR alone", b"\rGET /", Opening::Other),
        ("text beyond ASCII", "grüß dich".as_bytes(), Opening::Other),
    ];
    for (name, bytes, expected) in table {
        assert_eq!(detect(bytes), *expected, "{name}");
    }
}

#[test]
fn an_origin_that_greets_in_http_2_is_told_from_others() {
    assert!(is_http2_greeting(b"\0\0\x12\x04\0\0\0\0\0\0\x03"));
    assert!(is_http2_greeting(b"\0\0\0\x04\0\0\0\0\0"));
    let others: [&[u8]; 4] =
        [b"", b"\0\0\0\x04\0\0\0\0", b"220 mail ESMTP\r\n", b"\0\0\0\x06\0\0\0\0\0"];
    assert!(others.iter().all(|bytes| !is_http2_greeting(bytes)));
}

#[test]
fn what_is_told_stays_told() {
    let openings: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01",
        b"GET /abc HTTP/1.1\r\nHost: a",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0",
        b"SSH-2.0-x\r\n",
    ];
    for bytes in openings {
        let last = detect(bytes);
        for end in 0..bytes.len() {
            let opening = detect(&bytes[..end]);
            assert!(opening == Opening::NeedMore || opening == last, "{end}: {opening:?}");
        }
    }
}

#[test]
fn a_long_request_line_is_waited_for_up_to_the_bound() {
    let line = |method: &str, len: usize| {
        let before = format!("{method} /");
        [before.clone(), "x".repeat(len - before.len())].concat().into_bytes()
    };
    assert_eq!(detect(&line("GET", DETECT_MAX_BYTES - 1)), Opening::NeedMore);
    assert_eq!(detect(&line("GET", DETECT_MAX_BYTES)), Opening::Http);
    assert_eq!(detect(&line("SAY", DETECT_MAX_BYTES - 1)), Opening::NeedMore);
    assert_eq!(detect(&line("SAY", DETECT_MAX_BYTES)), Opening::Other);
    assert_eq!(detect(&[b'x'; 64]), Opening::NeedMore);
    assert_eq!(detect(&[b'x'; 65]), Opening::Other);
}
