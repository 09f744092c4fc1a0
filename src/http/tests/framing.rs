//! What plans say about bodies, connections and upgrades.

use super::{
    RequestPlan, ResponsePlan, plan_request, plan_response, whole_request, whole_response,
};
use crate::http::framing::{BodyKind, ResponseKind};
use crate::http::head::Method;

fn request(method: &str, version: &str, fields: &str) -> RequestPlan {
    let target = if method == "CONNECT" { "a:443" } else { "/" };
    let bytes = format!("{method} {target} {version}\r\nHost: a\r\n{fields}\r\n");
    plan_request(&whole_request(bytes.as_bytes())).unwrap()
}

fn response(method: Method, version: &str, status: u16, fields: &str) -> ResponsePlan {
    let bytes = format!("{version} {status} X\r\n{fields}\r\n");
    plan_response(&whole_response(bytes.as_bytes()), method).unwrap()
}

#[test]
fn request_connections_stay_or_close() {
    let table = [
        ("HTTP/1.1", "", true),
        ("HTTP/1.1", "Connection: close\r\n", false),
        ("HTTP/1.1", "connection: X, CLOSE\r\n", false),
        ("HTTP/1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("HTTP/1.1", "Connection: keep-alive\r\n", true),
        ("HTTP/1.1", "Connection: closed\r\n", true),
        ("HTTP/1.1", "Proxy-Connection: close\r\n", false),
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
        ("HTTP/1.0", "Proxy-Connection: keep-alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
    ];
    for (version, fields, persistent) in table {
        assert_eq!(request("GET", version, fields).persistent, persistent, "{version} {fields}");
    }
}

#[test]
fn request_bodies() {
    let table = [
        ("", BodyKind::None),
        ("Content-Length: 0\r\n", BodyKind::Length(0)),
        ("Content-Length: 18446744073709551615\r\n", BodyKind::Length(u64::MAX)),
        ("Transfer-Encoding: Chunked\r\n", BodyKind::Chunked),
    ];
    for (fields, body) in table {
        assert_eq!(request("POST", "HTTP/1.1", fields).body, body, "{fields}");
    }
}

#[test]
fn upgrades_need_both_fields_and_http_11() {
    let both = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
    assert!(request("GET", "HTTP/1.1", both).upgrade);
    assert!(!request("GET", "HTTP/1.0", both).upgrade);
    assert!(!request("CONNECT", "HTTP/1.1", both).upgrade);
    assert!(!request("GET", "HTTP/1.1", "Upgrade: websocket\r\n").upgrade);
    assert!(!request("GET", "HTTP/1.1", "Connection: Upgrade\r\n").upgrade);
    assert!(!request("GET", "HTTP/1.1", "Connection: Upgrade\r\nUpgrade:\r\n").upgrade);
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n";
    assert!(!request("GET", "HTTP/1.1", h2c).upgrade);
    let with_body = [both, "Content-Length: 4\r\n"].concat();
    let plan = request("POST", "HTTP/1.1", &with_body);
    assert!(plan.upgrade && plan.body == BodyKind::Length(4), "both are reported");
}

#[test]
fn what_else_a_request_says() {
    let plain = request("GET", "HTTP/1.1", "");
    assert!(!plain.proxy_authorization && !plain.te_trailers);
    assert!(request("GET", "HTTP/1.1", "proxy-authorization: Basic x\r\n").proxy_authorization);
    assert!(request("GET", "HTTP/1.1", "TE: gzip, trailers\r\n").te_trailers);
    assert!(!request("GET", "HTTP/1.1", "TE: gzip\r\n").te_trailers);
    let hops = |method, value| {
        request(method, "HTTP/1.1", &format!("Max-Forwards: {value}\r\n")).max_forwards
    };
    assert_eq!(hops("TRACE", "0"), Some(0));
    assert_eq!(hops("OPTIONS", "7"), Some(7));
    assert_eq!(hops("OPTIONS", "99999999999"), Some(u32::MAX));
    assert_eq!(hops("GET", "x"), None);
    assert_eq!(request("TRACE", "HTTP/1.1", "").max_forwards, None);
}

#[test]
fn response_bodies_by_method_and_status() {
    let length = "Content-Length: 4\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let table = [
        (Method::Get, 200, length, BodyKind::Length(4), Some(4), false),
        (Method::Get, 200, chunked, BodyKind::Chunked, None, true),
        (Method::Get, 200, "", BodyKind::UntilClose, None, false),
        (Method::Get, 404, length, BodyKind::Length(4), Some(4), false),
        (Method::Head, 200, length, BodyKind::None, Some(4), false),
        (Method::Head, 200, chunked, BodyKind::None, None, true),
        (Method::Head, 200, "", BodyKind::None, None, false),
        (Method::Get, 304, length, BodyKind::None, Some(4), false),
        (Method::Get, 304, chunked, BodyKind::None, None, true),
        (Method::Get, 204, "", BodyKind::None, None, false),
        (Method::Get, 204, length, BodyKind::None, None, false),
        (Method::Get, 103, length, BodyKind::None, None, false),
        (Method::Connect, 200, length, BodyKind::None, None, false),
        (Method::Connect, 299, chunked, BodyKind::None, None, false),
        (Method::Connect, 407, length, BodyKind::Length(4), Some(4), false),
    ];
    for (method, status, fields, body, content_length, transfer_encoding) in table {
        let plan = response(method, "HTTP/1.1", status, fields);
        assert_eq!(plan.body, body, "{method:?} {status} {fields}");
        assert_eq!(plan.content_length, content_length, "{method:?} {status} {fields}");
        assert_eq!(plan.transfer_encoding, transfer_encoding, "{method:?} {status} {fields}");
    }
}

#[test]
fn upstream_connections_are_used_again_or_not() {
    let table = [
        ("HTTP/1.1", 200, "Content-Length: 4\r\n", true),
        ("HTTP/1.1", 200, "Content-Length: 4\r\nConnection: close\r\n", false),
        ("HTTP/1.1", 200, "", false),
        ("HTTP/1.1", 304, "", true),
        ("HTTP/1.1", 204, "Content-Length: 0\r\n", true),
        ("HTTP/1.1", 204, "Content-Length: 4\r\n", false),
        ("HTTP/1.1", 204, "Content-Length: x\r\n", false),
        ("HTTP/1.1", 204, "Content-Length: 5\r\nContent-Length: 0\r\n", false),
        ("HTTP/1.1", 204, "Content-Length: 0\r\nContent-Length: 5\r\n", false),
        ("HTTP/1.1", 103, "Content-Length: 5\r\nContent-Length: 0\r\n", false),
        ("HTTP/1.1", 100, "", true),
        ("HTTP/1.1", 101, "Upgrade: x\r\n", false),
        ("HTTP/1.0", 200, "Content-Length: 4\r\n", false),
        ("HTTP/1.0", 200, "Content-Length: 4\r\nConnection: keep-alive\r\n", true),
    ];
    for (version, status, fields, persistent) in table {
        let plan = response(Method::Get, version, status, fields);
        assert_eq!(plan.persistent, persistent, "{version} {status} {fields}");
    }
}

#[test]
fn an_origin_says_how_long_it_waits() {
    let table = [
        ("", None),
        ("Keep-Alive: timeout=5\r\n", Some(5)),
        ("keep-alive: max=100, Timeout=75\r\n", Some(75)),
        ("Keep-Alive: timeout=0\r\n", Some(0)),
        ("Keep-Alive: timeout\r\n", None),
        ("Keep-Alive: timeout=\r\n", None),
        ("Keep-Alive: timeout=-1\r\n", None),
        ("Keep-Alive: timeout=5s\r\n", None),
        ("Keep-Alive: 300\r\n", None),
    ];
    for (fields, seconds) in table {
        let fields = format!("{fields}Content-Length: 0\r\n");
        let plan = response(Method::Get, "HTTP/1.1", 200, &fields);
        assert_eq!(plan.keep_alive_secs, seconds, "{fields}");
        assert!(plan.persistent, "{fields}");
    }
}

#[test]
fn kinds_of_response() {
    let kind = |status| response(Method::Get, "HTTP/1.1", status, "").kind;
    assert_eq!(kind(100), ResponseKind::Interim);
    assert_eq!(kind(101), ResponseKind::SwitchingProtocols);
    assert_eq!(kind(103), ResponseKind::Interim);
    assert_eq!(kind(199), ResponseKind::Interim);
    assert_eq!(kind(200), ResponseKind::Final);
    assert_eq!(kind(999), ResponseKind::Final);
}
