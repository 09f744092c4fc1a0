//! Bounds of heads and of patience: at the bound it passes, one past it there is a clear answer.

use crate::support::{End, Origin, Proxy, Reply, json, wait_until};

const HEAD_MAX_BYTES: usize = 65_536;
const HEADERS_MAX: usize = 256;

/// A request whose head has exactly this length.
fn head_of(origin: &Origin, length: usize) -> String {
    let start = format!("GET {} HTTP/1.1\r\nHost: {}\r\nX-Long: ", origin.url("/"), origin.dest());
    let filler = length - start.len() - 4;
    format!("{start}{}\r\n\r\n", "x".repeat(filler))
}

fn with_headers(origin: &Origin, count: usize) -> String {
    let fields: String = (1..count).map(|number| format!("X-{number}: 1\r\n")).collect();
    format!("GET {} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", origin.url("/"), origin.dest())
}

#[test]
fn a_head_of_64_kib_passes_and_one_byte_more_is_a_431() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    assert_eq!(proxy.exchange(head_of(&origin, HEAD_MAX_BYTES)).status(), 200);
    assert_eq!(proxy.exchange(head_of(&origin, HEAD_MAX_BYTES + 1)).status(), 431);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn as_many_fields_as_allowed_pass_and_one_more_is_a_431() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    assert_eq!(proxy.exchange(with_headers(&origin, HEADERS_MAX)).status(), 200);
    assert_eq!(proxy.exchange(with_headers(&origin, HEADERS_MAX + 1)).status(), 431);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_request_line_beyond_the_head_limit_is_a_414() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let path = format!("/{}", "x".repeat(HEAD_MAX_BYTES));
    assert_eq!(proxy.get(&origin.url(&path)).status(), 414);
    assert!(origin.requests().is_empty());
}

#[test]
fn the_limits_of_a_head_are_configured() {
    let proxy = Proxy::start(json!({ "max_head_bytes": 2048, "max_headers": 8 }));
    let origin = Origin::http(|_| Reply::ok("ok"));
    assert_eq!(proxy.exchange(head_of(&origin, 2048)).status(), 200);
    assert_eq!(proxy.exchange(head_of(&origin, 2049)).status(), 431);
    assert_eq!(proxy.exchange(with_headers(&origin, 8)).status(), 200);
    assert_eq!(proxy.exchange(with_headers(&origin, 9)).status(), 431);
}

#[test]
fn an_answer_with_too_long_a_head_is_a_502() {
    let proxy = Proxy::start(json!({}));
    let long = format!("X-Long: {}\r\n", "x".repeat(HEAD_MAX_BYTES));
    let origin = Origin::http(move |_| Reply::with("200 OK", &long, "must not be seen"));
    let response = proxy.get(&origin.url("/"));
    assert_eq!(response.status(), 502);
    assert!(response.header("proxy-status").is_some());
}

#[test]
fn a_head_that_is_not_finished_in_time_is_a_408() {
    let proxy = Proxy::start(json!({ "head_timeout_secs": 1 }));
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a.exa");
    assert_eq!(client.receive_response().status(), 408);
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
}

#[test]
fn a_head_that_trickles_is_not_given_more_time() {
    let proxy = Proxy::start(json!({ "head_timeout_secs": 1 }));
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nX-Slow: ");
    client.set_read_timeout(std::time::Duration::from_millis(50));
    let mut buffer = [0; 1024];
    let answer = crate::support::wait_for("an answer", || {
        let _ = client.try_send("x");
        match std::io::Read::read(&mut client.tcp(), &mut buffer) {
            Ok(n) => Some(String::from_utf8_lossy(&buffer[..n]).into_owned()),
            Err(_) => None,
        }
    });
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[test]
fn an_idle_client_is_let_go_in_silence() {
    let proxy = Proxy::start(json!({ "client_idle_timeout_secs": 1 }));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    assert_eq!(client.receive_response().text(), "ok");
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
    assert_eq!(
        proxy.connect().receive_to_end(),
        (vec![], End::Closed),
        "a client that never spoke"
    );
}

#[test]
fn an_idle_upstream_connection_is_let_go() {
    let proxy = Proxy::start(json!({ "upstream_idle_timeout_secs": 1 }));
    let origin = Origin::http(|_| Reply::ok("ok"));
    assert_eq!(proxy.get(&origin.url("/")).text(), "ok");
    wait_until("the end of the idle connection", || origin.ended() == 1);
}

#[test]
fn an_idle_tunnel_is_let_go() {
    let proxy = Proxy::start(json!({ "tunnel_idle_timeout_secs": 1 }));
    let origin = Origin::raw(|mut connection| {
        connection.receive_to_end();
    });
    let mut client = proxy.tunnel(&origin.dest());
    client.send(b"\x00\x01");
    assert_eq!(client.receive_to_end().0, b"");
    wait_until("the origin's side", || origin.ended() == 1);
}

#[test]
fn a_body_that_stops_is_let_go() {
    let proxy = Proxy::start(json!({ "body_idle_timeout_secs": 1 }));
    let origin = Origin::raw(|mut connection| {
        connection.receive_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
        connection.receive_to_end();
    });
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    let cut = client.try_receive_response_to("GET").expect_err("a cut answer");
    assert_eq!(cut.received, b"part");
    wait_until("the origin's side", || origin.ended() == 1);
}

#[test]
fn a_client_that_does_not_finish_its_tls_handshake_is_let_go() {
    let proxy = Proxy::start(json!({ "tls_handshake_timeout_secs": 1 }));
    let origin = Origin::raw(|mut connection| {
        connection.receive_to_end();
    });
    let mut client = proxy.tunnel(&origin.dest());
    client.send(b"\x16\x03\x01\x02\x00");
    client.receive_to_end();
    wait_until("the origin's side", || origin.ended() == 1);
}
