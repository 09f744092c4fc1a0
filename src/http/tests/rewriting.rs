//! Heads as they are sent on, byte for byte.

use super::{plan_response, planned_request, whole_response};
use crate::http::framing::plan_request;
use crate::http::head::{Method, Version};
use crate::http::rewrite::{ClientSide, Forwarding, write_request, write_response};
use crate::http::target::{Authority, Target};

fn forwarded_via(bytes: &str, via: Option<&str>) -> String {
    let (head, target, plan) = planned_request(bytes.as_bytes()).unwrap().unwrap();
    let host = match &target {
        Target::Absolute { authority, .. } => authority.clone(),
        _ => Authority { host: "routed.test".to_owned(), port: 80 },
    };
    let forwarding = Forwarding {
        host: &host.host,
        port: host.port,
        default_port: 80,
        via,
        relay: None,
        forwarded_for: None,
        loop_mark: None,
    };
    let mut out = Vec::new();
    write_request(&head, &target, &plan, &forwarding, &mut out);
    String::from_utf8(out).unwrap()
}

fn forwarded(bytes: &str) -> String {
    forwarded_via(bytes, None)
}

const CLIENT: ClientSide =
    ClientSide { version: Version::Http11, persistent: true, dechunk: false };

fn answered(bytes: &str, client: ClientSide) -> String {
    let head = whole_response(bytes.as_bytes());
    let plan = plan_response(&head, Method::Get).unwrap();
    let mut out = Vec::new();
    write_response(&head, &plan, client, None, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn end_to_end_fields_stay_byte_for_byte() {
    let request = "GET /p?q HTTP/1.1\r\nX-b:  two  \r\nHost:a.test:80\r\nx-A: 1\r\nX-b:\t2\r\n\
                   Accept:\r\nCookie: a=b\r\nAuthorization: x\r\n\r\n";
    assert_eq!(forwarded(request), request);
    let response = "HTTP/1.1 299 Odd  one \r\nset-cookie: a\r\nServer:x\r\nSet-Cookie:  b \r\n\
                    Content-Length: 4\r\nWWW-Authenticate: Basic\r\n\r\n";
    assert_eq!(answered(response, CLIENT), response);
}

#[test]
fn targets_become_origin_form() {
    let table = [
        ("GET http://a.test/x?y HTTP/1.1", "GET /x?y HTTP/1.1"),
        ("GET http://a.test HTTP/1.1", "GET / HTTP/1.1"),
        ("GET http://a.test?y HTTP/1.1", "GET /?y HTTP/1.1"),
        ("OPTIONS http://a.test HTTP/1.1", "OPTIONS * HTTP/1.1"),
        ("OPTIONS http://a.test/ HTTP/1.1", "OPTIONS / HTTP/1.1"),
        ("OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1"),
        ("odd //x HTTP/1.1", "odd //x HTTP/1.1"),
        ("GET / HTTP/1.0", "GET / HTTP/1.1"),
    ];
    for (line, expected) in table {
        let out = forwarded(&format!("{line}\r\nHost: a.test\r\n\r\n"));
        assert_eq!(out, format!("{expected}\r\nHost: a.test\r\n\r\n"));
    }
}

#[test]
fn host_is_regenerated_from_an_absolute_target_only() {
    let table = [
        ("http://a.test/", "hOst: evil.test", "hOst: a.test"),
        ("http://A.test:8080/", "Host: a.test", "Host: A.test:8080"),
        ("http://a.test/", "Host:", "Host: a.test"),
        ("http://a.test:/", "Host: b", "Host: a.test"),
        ("http://[::1]/", "Host: b", "Host: [::1]"),
        ("http://A.test:80/", "Host: a.test", "Host: a.test"),
        ("/", "Host: Any.test:80", "Host: Any.test:80"),
    ];
    for (target, host, expected) in table {
        let out = forwarded(&format!("GET {target} HTTP/1.1\r\nX: 1\r\n{host}\r\n\r\n"));
        assert_eq!(out, format!("GET / HTTP/1.1\r\nX: 1\r\n{expected}\r\n\r\n"), "{target} {host}");
    }
    assert_eq!(forwarded("GET / HTTP/1.0\r\n\r\n"), "GET / HTTP/1.1\r\nHost: routed.test\r\n\r\n");
    let absolute = forwarded("GET http://a.test/ HTTP/1.0\r\nX: 1\r\n\r\n");
    assert_eq!(absolute, "GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n\r\n");
}

#[test]
fn a_port_that_is_not_the_default_is_named_in_host() {
    let bytes = b"GET / HTTP/1.0\r\n\r\n";
    let (head, target, plan) = planned_request(bytes).unwrap().unwrap();
    for (host, port, expected) in [("::1", 443, "[::1]"), ("::1", 80, "[::1]:80"), ("a", 1, "a:1")]
    {
        let forwarding = Forwarding {
            host,
            port,
            default_port: 443,
            via: None,
            relay: None,
            forwarded_for: None,
            loop_mark: None,
        };
        let mut out = Vec::new();
        write_request(&head, &target, &plan, &forwarding, &mut out);
        assert_eq!(out, format!("GET / HTTP/1.1\r\nHost: {expected}\r\n\r\n").as_bytes());
    }
}

#[test]
fn hop_by_hop_fields_of_requests_end_here() {
    let hops = "Connection: keep-alive, X-Mine\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n\
                Proxy-Authorization: Basic x\r\nTE: gzip\r\nUpgrade: x\r\nx-mine: 1\r\n\
                HTTP2-Settings: AA\r\nProxy-Authenticate: x\r\n";
    let out = forwarded(&format!("GET / HTTP/1.1\r\nHost: a\r\n{hops}X-Theirs: 2\r\n\r\n"));
    assert_eq!(out, "GET / HTTP/1.1\r\nHost: a\r\nX-Theirs: 2\r\n\r\n");
}

#[test]
fn nobody_nominates_end_to_end_fields_away() {
    let kept =
        "Host: a\r\nAuthorization: x\r\nCookie: y\r\nContent-Type: z\r\nContent-Length: 4\r\n";
    let nominating = "Connection: host, authorization, cookie, content-type, content-length\r\n";
    let out = forwarded(&format!("POST / HTTP/1.1\r\n{nominating}{kept}\r\n"));
    assert_eq!(out, format!("POST / HTTP/1.1\r\n{kept}\r\n"));
    let chunked = "Host: a\r\nTransfer-Encoding: chunked\r\n";
    let out =
        forwarded(&format!("POST / HTTP/1.1\r\nConnection: transfer-encoding\r\n{chunked}\r\n"));
    assert_eq!(out, format!("POST / HTTP/1.1\r\n{chunked}\r\n"));
}

#[test]
fn framing_fields_are_spelled_plainly() {
    let out = forwarded("POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH:\t0012 \r\n\r\n");
    assert_eq!(out, "POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 12\r\n\r\n");
    let out = forwarded("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tCHUNKED\t\r\n\r\n");
    assert_eq!(out, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
}

#[test]
fn upgrades_and_trailers_are_asked_for_anew() {
    let out = forwarded(
        "GET / HTTP/1.1\r\nHost: a\r\nconnection: keep-alive, upgrade, te\r\nTE: trailers, gzip\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
    );
    let expected = "GET / HTTP/1.1\r\nHost: a\r\nconnection: Upgrade, TE\r\nTE: trailers\r\n\
                    Upgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
    assert_eq!(out, expected);
    let out = forwarded("GET / HTTP/1.1\r\nTE: trailers\r\nHost: a\r\nTE: trailers\r\n\r\n");
    assert_eq!(out, "GET / HTTP/1.1\r\nTE: trailers\r\nHost: a\r\nConnection: TE\r\n\r\n");
}

#[test]
fn max_forwards_counts_down_where_it_binds() {
    let with = |method: &str| {
        forwarded(&format!("{method} / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 5\r\n\r\n"))
    };
    assert!(with("TRACE").contains("\r\nMax-Forwards: 4\r\n"));
    assert!(with("OPTIONS").contains("\r\nMax-Forwards: 4\r\n"));
    assert!(with("GET").contains("\r\nMax-Forwards: 5\r\n"));
}

#[test]
fn expectations_are_passed_on_but_not_for_http_10() {
    let with = |version: &str| {
        forwarded(&format!("POST / {version}\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"))
    };
    assert!(with("HTTP/1.1").contains("\r\nExpect: 100-continue\r\n"));
    assert!(!with("HTTP/1.0").contains("Expect"));
}

#[test]
fn via_names_the_version_that_came() {
    let out = forwarded_via("GET / HTTP/1.0\r\nHost: a\r\nVia: 1.1 b\r\n\r\n", Some("clawsec"));
    assert_eq!(out, "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 b\r\nVia: 1.0 clawsec\r\n\r\n");
    let head = whole_response(b"HTTP/1.1 204 X\r\n\r\n");
    let plan = plan_response(&head, Method::Get).unwrap();
    let mut out = Vec::new();
    write_response(&head, &plan, CLIENT, Some("clawsec"), &mut out);
    assert_eq!(out, b"HTTP/1.1 204 X\r\nVia: 1.1 clawsec\r\n\r\n");
}

#[test]
fn hop_by_hop_fields_of_responses_end_here() {
    let hops = "Connection: close, X-Mine\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n\
                Proxy-Authenticate: x\r\nProxy-Authentication-Info: x\r\n\
                Upgrade: h2c\r\nX-Mine: 1\r\n";
    let out = answered(&format!("HTTP/1.1 200 OK\r\n{hops}Content-Length: 1\r\n\r\n"), CLIENT);
    assert_eq!(out, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
}

#[test]
fn the_client_is_told_what_becomes_of_its_connection() {
    let response = "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n";
    let with = |version, persistent| {
        answered(response, ClientSide { version, persistent, dechunk: false })
    };
    let expected = |line: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n{line}\r\n");
    assert_eq!(with(Version::Http11, true), expected(""));
    assert_eq!(with(Version::Http11, false), expected("Connection: close\r\n"));
    assert_eq!(with(Version::Http10, true), expected("Connection: keep-alive\r\n"));
    assert_eq!(with(Version::Http10, false), expected("Connection: close\r\n"));
}

#[test]
fn chunks_are_taken_off_for_http_10() {
    let response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\nA: b\r\n\r\n";
    let request = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    let request = super::whole_request(request.as_bytes());
    let request_plan = plan_request(&request).unwrap();
    let head = whole_response(response.as_bytes());
    let plan = plan_response(&head, Method::Get).unwrap();
    let client = ClientSide::new(request.version, &request_plan, &plan, true);
    let expected = ClientSide { version: Version::Http10, persistent: false, dechunk: true };
    assert_eq!(client, expected);
    assert_eq!(answered(response, client), "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\n");
    assert_eq!(answered(response, CLIENT), response);
}

#[test]
fn a_body_until_close_closes_the_client_too() {
    let request = super::whole_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let request_plan = plan_request(&request).unwrap();
    let head = whole_response(b"HTTP/1.1 200 OK\r\n\r\n");
    let until_close = plan_response(&head, Method::Get).unwrap();
    let bodyless = plan_response(&head, Method::Head).unwrap();
    let persistent =
        |plan, may_stay| ClientSide::new(Version::Http11, &request_plan, plan, may_stay).persistent;
    assert!(!persistent(&until_close, true));
    assert!(persistent(&bodyless, true));
    assert!(!persistent(&bodyless, false));
}

#[test]
fn bodyless_responses_keep_what_describes_them() {
    let out = answered("HTTP/1.1 304 NM\r\nContent-Length: 7\r\nETag: x\r\n\r\n", CLIENT);
    assert_eq!(out, "HTTP/1.1 304 NM\r\nContent-Length: 7\r\nETag: x\r\n\r\n");
    let out = answered("HTTP/1.1 204 NC\r\nContent-Length: 7\r\nETag: x\r\n\r\n", CLIENT);
    assert_eq!(out, "HTTP/1.1 204 NC\r\nETag: x\r\n\r\n");
    let out = answered("HTTP/1.1 103 EH\r\nContent-Length: 7\r\nLink: x\r\n\r\n", CLIENT);
    assert_eq!(out, "HTTP/1.1 103 EH\r\nLink: x\r\n\r\n");
}

#[test]
fn switching_protocols_names_them() {
    let out = answered(
        "HTTP/1.1 101 SP\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         Sec-WebSocket-Accept: x\r\n\r\n",
        CLIENT,
    );
    let expected = "HTTP/1.1 101 SP\r\nupgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: x\r\n\r\n";
    assert_eq!(out.to_ascii_lowercase(), expected.to_ascii_lowercase());
    let required =
        "HTTP/1.1 426 UR\r\nUpgrade: x\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(answered(required, CLIENT), required);
}

#[test]
fn a_reason_of_any_bytes_is_kept() {
    let head = whole_response(b"HTTP/1.1 200 \xe9t\xe9\r\nContent-Length: 0\r\n\r\n");
    let plan = plan_response(&head, Method::Get).unwrap();
    let mut out = b"before".to_vec();
    write_response(&head, &plan, CLIENT, None, &mut out);
    assert_eq!(out, b"beforeHTTP/1.1 200 \xe9t\xe9\r\nContent-Length: 0\r\n\r\n");
}
