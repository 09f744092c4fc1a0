//! Requests that must not get through, each with what becomes of it.

use super::Verdict::{self, BodyRefused, Refused};
use super::request_verdict;

/// The headers of a chunked request, for the faults behind them.
macro_rules! chunked {
    ($body:literal) => {
        concat!("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n", $body)
    };
}

/// A request with one more header line.
macro_rules! with {
    ($line:literal) => {
        concat!("POST / HTTP/1.1\r\nHost: a.test\r\n", $line, "\r\n\r\nbody")
    };
}

const TABLE: &[(&str, &str, Verdict)] = &[
    // The request line, RFC 9112 §3.
    ("no target", "GET HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("no version", "GET /\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("method only", "GET\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("no method", " / HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("four parts", "GET / x HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("two spaces before the target", "GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("two spaces before the version", "GET /  HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("space behind the version", "GET / HTTP/1.1 \r\nHost: a.test\r\n\r\n", Refused(400)),
    ("tab as separator", "GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("tab in the target", "GET /a\tb HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("colon in the method", "GE:T / HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("NUL in the method", "G\0T / HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("brackets in the method", "G[]T / HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("letter beyond ASCII in the method", "GÉT / HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("NUL in the target", "GET /\0 HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("DEL in the target", "GET /\x7f HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("UTF-8 in the target", "GET /é HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("relative target", "GET path HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("query as target", "GET ?q HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("* with GET", "GET * HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("bare LF behind the request line", "GET / HTTP/1.1\nHost: a.test\r\n\r\n", Refused(400)),
    ("bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("CR CR LF behind the request line", "GET / HTTP/1.1\r\r\nHost: a.test\r\n\r\n", Refused(400)),
    (
        "a method of 65 letters",
        concat!(
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            " / HTTP/1.1\r\nHost: a.test\r\n\r\n"
        ),
        Refused(501),
    ),
    ("bare LF in front", "\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("bare CR in front", "\rGET / HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    (
        "five empty lines in front",
        "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Refused(400),
    ),
    // The version, RFC 9112 §2.3.
    ("HTTP/2.0", "GET / HTTP/2.0\r\nHost: a.test\r\n\r\n", Refused(505)),
    ("HTTP/2", "GET / HTTP/2\r\nHost: a.test\r\n\r\n", Refused(505)),
    ("HTTP/0.9", "GET / HTTP/0.9\r\nHost: a.test\r\n\r\n", Refused(505)),
    ("HTTP/1.2", "GET / HTTP/1.2\r\nHost: a.test\r\n\r\n", Refused(505)),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused(505)),
    ("http/1.1 in lower case", "GET / http/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("HTTP/1.10", "GET / HTTP/1.10\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("HTTP/01.1", "GET / HTTP/01.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("HTTP/1,1", "GET / HTTP/1,1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("HTTP / 1.1", "GET / HTTP / 1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("ICY", "GET / ICY\r\nHost: a.test\r\n\r\n", Refused(400)),
    // Field lines, RFC 9112 §5.
    ("space before the colon", with!("X-Name : value"), Refused(400)),
    ("tab before the colon", with!("X-Name\t: value"), Refused(400)),
    ("space in the name", with!("X Name: value"), Refused(400)),
    ("no name", with!(": value"), Refused(400)),
    ("no colon", with!("X-Name"), Refused(400)),
    ("slash in the name", with!("X/Name: value"), Refused(400)),
    ("letter beyond ASCII in the name", with!("X-Nämе: value"), Refused(400)),
    ("NUL in the name", with!("X-\0Name: value"), Refused(400)),
    ("NUL in the value", with!("X-Name: va\0lue"), Refused(400)),
    ("SOH in the value", with!("X-Name: va\x01lue"), Refused(400)),
    ("DEL in the value", with!("X-Name: va\x7flue"), Refused(400)),
    ("vertical tab in the value", with!("X-Name: va\x0blue"), Refused(400)),
    ("bare CR in the value", with!("X-Name: va\rlue"), Refused(400)),
    ("CR CR LF behind the value", with!("X-Name: value\r"), Refused(400)),
    ("bare LF in the value", with!("X-Name: va\nlue: x"), Refused(400)),
    ("folded line", with!("X-Name: a\r\n b"), Refused(400)),
    ("line folded by tab", with!("X-Name: a\r\n\tb"), Refused(400)),
    ("folded framing field", with!("Transfer-Encoding:\r\n chunked"), Refused(400)),
    ("indented first field", "GET / HTTP/1.1\r\n Host: a.test\r\n\r\n", Refused(400)),
    ("blank line of a space", "GET / HTTP/1.1\r\nHost: a.test\r\n \r\n\r\n", Refused(400)),
    ("LF-only head", "GET / HTTP/1.1\nHost: a.test\n\n", Refused(400)),
    ("LF-only end of the head", "GET / HTTP/1.1\r\nHost: a.test\r\n\n", Refused(400)),
    // Host, RFC 9112 §3.2.
    ("no Host", "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", Refused(400)),
    ("no field at all", "GET / HTTP/1.1\r\n\r\n", Refused(400)),
    ("two Hosts", with!("Host: b.test"), Refused(400)),
    ("two equal Hosts", with!("Host: a.test"), Refused(400)),
    ("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", Refused(400)),
    (
        "two Hosts and an absolute target",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        Refused(400),
    ),
    ("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", Refused(400)),
    ("Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Refused(400)),
    ("Host list", "GET / HTTP/1.1\r\nHost: a.test, b.test\r\n\r\n", Refused(400)),
    ("Host with a path", "GET / HTTP/1.1\r\nHost: a.test/x\r\n\r\n", Refused(400)),
    ("Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a.test\r\n\r\n", Refused(400)),
    ("Host as URL", "GET / HTTP/1.1\r\nHost: http://a.test\r\n\r\n", Refused(400)),
    ("Host of port 0", "GET / HTTP/1.1\r\nHost: a.test:0\r\n\r\n", Refused(400)),
    ("Host of port 65536", "GET / HTTP/1.1\r\nHost: a.test:65536\r\n\r\n", Refused(400)),
    ("Host of a signed port", "GET / HTTP/1.1\r\nHost: a.test:+80\r\n\r\n", Refused(400)),
    ("Host of a named port", "GET / HTTP/1.1\r\nHost: a.test:http\r\n\r\n", Refused(400)),
    ("Host of two ports", "GET / HTTP/1.1\r\nHost: a.test:80:80\r\n\r\n", Refused(400)),
    ("Host of a port alone", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", Refused(400)),
    ("Host of IPv6 without brackets", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", Refused(400)),
    ("Host of an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", Refused(400)),
    ("Host of a name in brackets", "GET / HTTP/1.1\r\nHost: [a.test]\r\n\r\n", Refused(400)),
    ("Host beyond ASCII", "GET / HTTP/1.1\r\nHost: bücher.test\r\n\r\n", Refused(400)),
    ("Host of a torn escape", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n", Refused(400)),
    // Targets, RFC 9112 §3.2.
    (
        "userinfo in the target",
        "GET http://u:p@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Refused(400),
    ),
    ("another scheme", "GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("no authority", "GET http:///x HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("one slash", "GET http:/a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    (
        "fragment behind the authority",
        "GET http://a.test#x HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Refused(400),
    ),
    (
        "backslash in the authority",
        "GET http://a.test\\x/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Refused(400),
    ),
    ("CONNECT without port", "CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    (
        "CONNECT with an empty port",
        "CONNECT a.test: HTTP/1.1\r\nHost: a.test\r\n\r\n",
        Refused(400),
    ),
    ("CONNECT to port 0", "CONNECT a.test:0 HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("CONNECT to a path", "CONNECT /x HTTP/1.1\r\nHost: a.test\r\n\r\n", Refused(400)),
    ("CONNECT to a URL", "CONNECT https://a.test:443/ HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
    (
        "CONNECT to IPv6 without brackets",
        "CONNECT ::1:443 HTTP/1.1\r\nHost: a\r\n\r\n",
        Refused(400),
    ),
    (
        "CONNECT with a body",
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
        Refused(400),
    ),
    (
        "TRACE with a body",
        "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
        Refused(400),
    ),
    (
        "Max-Forwards with a sign",
        "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: -1\r\n\r\n",
        Refused(400),
    ),
    (
        "two Max-Forwards",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 1\r\nMax-Forwards: 2\r\n\r\n",
        Refused(400),
    ),
    // Content-Length, RFC 9112 §6.3.
    ("two Content-Lengths", with!("Content-Length: 4\r\nContent-Length: 5"), Refused(400)),
    ("two equal Content-Lengths", with!("Content-Length: 4\r\ncontent-length: 4"), Refused(400)),
    ("Content-Length list", with!("Content-Length: 4, 4"), Refused(400)),
    ("Content-Length with plus", with!("Content-Length: +4"), Refused(400)),
    ("Content-Length with minus", with!("Content-Length: -4"), Refused(400)),
    ("Content-Length in hexadecimal", with!("Content-Length: 0x4"), Refused(400)),
    ("Content-Length with a fraction", with!("Content-Length: 4.0"), Refused(400)),
    ("Content-Length with a space inside", with!("Content-Length: 4 4"), Refused(400)),
    ("Content-Length with an underscore", with!("Content-Length: 1_0"), Refused(400)),
    ("Content-Length in Arabic digits", with!("Content-Length: ٤"), Refused(400)),
    ("empty Content-Length", with!("Content-Length:"), Refused(400)),
    ("Content-Length of 2^64", with!("Content-Length: 18446744073709551616"), Refused(400)),
    // Transfer-Encoding, RFC 9112 §6.1.
    ("length and chunked", with!("Content-Length: 4\r\nTransfer-Encoding: chunked"), Refused(400)),
    ("chunked and length", with!("Transfer-Encoding: chunked\r\nContent-Length: 4"), Refused(400)),
    (
        "chunked and length 0",
        with!("Transfer-Encoding: chunked\r\nContent-Length: 0"),
        Refused(400),
    ),
    (
        "two Transfer-Encodings",
        with!("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        Refused(400),
    ),
    (
        "identity beside chunked",
        with!("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"),
        Refused(400),
    ),
    ("chunked twice", with!("Transfer-Encoding: chunked, chunked"), Refused(400)),
    ("chunked not last", with!("Transfer-Encoding: chunked, gzip"), Refused(400)),
    ("chunked with a parameter", with!("Transfer-Encoding: chunked;q=1"), Refused(400)),
    ("chunked in quotes", with!("Transfer-Encoding: \"chunked\""), Refused(400)),
    ("chunked with a comma behind", with!("Transfer-Encoding: chunked,"), Refused(400)),
    ("chunked with a comma in front", with!("Transfer-Encoding: ,chunked"), Refused(400)),
    ("chunked behind a vertical tab", with!("Transfer-Encoding: \x0bchunked"), Refused(400)),
    ("chunked behind a no-break space", with!("Transfer-Encoding: \u{a0}chunked"), Refused(400)),
    ("empty Transfer-Encoding", with!("Transfer-Encoding:"), Refused(400)),
    ("unknown coding", with!("Transfer-Encoding: xchunked"), Refused(501)),
    ("gzip", with!("Transfer-Encoding: gzip"), Refused(501)),
    ("gzip, chunked", with!("Transfer-Encoding: gzip, chunked"), Refused(501)),
    ("identity", with!("Transfer-Encoding: identity"), Refused(501)),
    (
        "chunked in HTTP/1.0",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    // The chunked coding, RFC 9112 §7.1.
    ("empty chunk size", chunked!("\r\n"), BodyRefused),
    ("chunk size with 0x", chunked!("0x4\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("chunk size with plus", chunked!("+4\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("chunk size with minus", chunked!("-4\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("chunk size with an underscore", chunked!("0_4\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("chunk size of 17 digits", chunked!("00000000000000004\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("chunk size of 2^64", chunked!("10000000000000000\r\nbody"), BodyRefused),
    ("space before the chunk size", chunked!(" 4\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("space within the chunk size", chunked!("0 4\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("tab before the chunk size", chunked!("4\r\nbody\r\n\t0\r\n\r\n"), BodyRefused),
    ("form feed behind the chunk size", chunked!("4\x0c\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("CR behind a space behind the size", chunked!("4 \rbody\r\n0\r\n\r\n"), BodyRefused),
    ("LF behind a space behind the size", chunked!("4 \nbody\r\n0\r\n\r\n"), BodyRefused),
    ("comment behind the chunk size", chunked!("4 a\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("LF behind the chunk size", chunked!("4\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("CR alone behind the chunk size", chunked!("4\rbody\r\n0\r\n\r\n"), BodyRefused),
    ("empty extension", chunked!("4;\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("LF in the extension", chunked!("4;a\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("CR in the extension", chunked!("4;a\rb\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("NUL in the extension", chunked!("4;a=\0\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("CR LF in a quoted extension", chunked!("4;a=\"\r\n\"\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("space within the extension", chunked!("4;a b\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("space within its value", chunked!("4;a=b c\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("blank extension", chunked!("4; \r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("blank value of the extension", chunked!("4;a= \r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("two extensions without a mark", chunked!("4;a=\"b\" c\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("no value of the extension", chunked!("4;a=\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("chunk longer than its size", chunked!("3\r\nbody\r\n0\r\n\r\n"), BodyRefused),
    ("LF behind the chunk", chunked!("4\r\nbody\n0\r\n\r\n"), BodyRefused),
    ("any two bytes behind the chunk", chunked!("4\r\nbodyXX0\r\n\r\n"), BodyRefused),
    ("CR X behind the chunk", chunked!("4\r\nbody\rX0\r\n\r\n"), BodyRefused),
    ("LF behind the last chunk", chunked!("0\n\r\n"), BodyRefused),
    ("LF ends the trailers", chunked!("0\r\n\n"), BodyRefused),
    ("CR X ends the trailers", chunked!("0\r\n\rX"), BodyRefused),
    ("trailer without colon", chunked!("0\r\nX-Name\r\n\r\n"), BodyRefused),
    ("trailer without name", chunked!("0\r\n: value\r\n\r\n"), BodyRefused),
    ("trailer with a space before the colon", chunked!("0\r\nX-Name : value\r\n\r\n"), BodyRefused),
    ("folded trailer", chunked!("0\r\nX-Name: a\r\n b\r\n\r\n"), BodyRefused),
    ("NUL in a trailer", chunked!("0\r\nX-Name: \0\r\n\r\n"), BodyRefused),
    ("bare CR in a trailer", chunked!("0\r\nX-Name: a\rb\r\n\r\n"), BodyRefused),
    ("LF behind a trailer", chunked!("0\r\nX-Name: a\n\r\n"), BodyRefused),
];

#[test]
fn none_of_the_table_gets_through() {
    assert!(TABLE.len() >= 80);
    for (name, request, expected) in TABLE {
        assert_eq!(request_verdict(request.as_bytes()), *expected, "{name}: {request:?}");
    }
}

/// What arrives in two reads is refused no later than with the last byte, and never taken.
#[test]
fn none_of_the_table_gets_through_in_pieces() {
    for (name, request, expected) in TABLE {
        let bytes = request.as_bytes();
        for end in 0..bytes.len() {
            let verdict = request_verdict(&bytes[..end]);
            let may_be = [Verdict::Incomplete, *expected];
            assert!(may_be.contains(&verdict), "{name} cut at {end}: {verdict:?}");
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    let table: &[(&str, &[u8], Verdict)] = &[
        ("TLS on a clear port", b"\x16\x03\x01\x02\x00\x01\x00\x01", Refused(400)),
        ("SOCKS5", b"\x05\x01\x00", Refused(400)),
        ("Latin-1 in the target", b"GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n", Refused(400)),
        ("Latin-1 in Host", b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n", Refused(400)),
        ("Latin-1 in a name", b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: b\r\n\r\n", Refused(400)),
        (
            "chunked behind \\x85",
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x85chunked\r\n\r\n",
            Refused(400),
        ),
    ];
    for (name, request, expected) in table {
        assert_eq!(request_verdict(request), *expected, "{name}");
    }
}
