//! CONNECT and Upgrade: what is in a tunnel is recognised, inspected where it can be, and never changed.

use std::sync::mpsc::channel;

use crate::assert_own_answer;
use crate::support::samples::sample;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, End, Origin, Proxy, Reply, json, wait_until};

/// Sends back whatever comes.
fn echo(mut connection: Connection) {
    while let Ok(bytes) = connection.receive() {
        if connection.try_send(bytes).is_err() {
            return;
        }
    }
    connection.finish_sending();
}

#[test]
fn http_inside_connect_is_inspected_as_http() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(&request.body));
    let dest = origin.dest();
    let mut client = proxy.tunnel(&dest);
    let text = sample("unix_sensitive").text();
    for _ in 0..2 {
        client.send(format!(
            "POST /path HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        ));
        assert_eq!(client.receive_response().text(), text);
    }
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), 4, "{findings:?}");
    for finding in findings {
        assert_eq!((finding.protocol.as_str(), &finding.dest), ("http", &dest));
    }
}

#[test]
fn a_protocol_whose_server_speaks_first_is_tunnelled_and_inspected() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        connection.send("SSH-2.0-OpenSSH_9.2\r\n");
        echo(connection);
    });
    let mut client = proxy.tunnel(&origin.dest());
    assert_eq!(client.receive_through(b"\r\n"), b"SSH-2.0-OpenSSH_9.2\r\n");
    let text = format!("\u{0}\u{1} {} \u{2}", sample("destructive_rm").text());
    client.send(&text);
    assert_eq!(client.receive_exact(text.len()), text.as_bytes());
    client.finish_sending();
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
    let findings = proxy.settled_findings();
    let directions: Vec<_> = findings.iter().map(|finding| finding.direction.as_str()).collect();
    assert_eq!(directions, ["outbound", "inbound"], "{findings:?}");
}

#[test]
fn bytes_that_are_neither_tls_nor_http_are_tunnelled_and_inspected() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(echo);
    let dest = origin.dest();
    let mut client = proxy.tunnel(&dest);
    let text = format!("\u{0}\u{0}\u{7} binary {} end", sample("ai_api_key").text());
    // Byte by byte, each at the other end before the next: a match across reads, and nothing held back.
    for byte in text.as_bytes() {
        client.send([*byte]);
        assert_eq!(client.receive_exact(1), [*byte]);
    }
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.pattern == "ai_api_key" && finding.dest == dest));
}

#[test]
fn every_byte_value_passes_a_tunnel_unchanged() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(echo);
    let mut client = proxy.tunnel(&origin.dest());
    let bytes: Vec<u8> = (0..300_000_usize).map(|at| (at * 7 % 256) as u8).collect();
    for piece in bytes.chunks(10_000) {
        client.send(piece);
        assert!(client.receive_exact(piece.len()) == piece);
    }
}

#[test]
fn the_end_of_one_direction_of_a_tunnel_is_not_the_end_of_the_other() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        let (bytes, end) = connection.receive_to_end();
        assert_eq!(end, End::Closed);
        connection.send(format!("got {} bytes", bytes.len()));
        connection.finish_sending();
    });
    let mut client = proxy.tunnel(&origin.dest());
    let request = b"\x00\x01\x02 a request in full";
    client.send(request);
    client.finish_sending();
    let answer = format!("got {} bytes", request.len());
    assert_eq!(client.receive_to_end(), (answer.into_bytes(), End::Closed));
}

#[test]
fn bytes_that_follow_connect_in_the_same_write_are_not_lost() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(request.target()));
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "CONNECT {dest} HTTP/1.1\r\nHost: {dest}\r\n\r\nGET /early HTTP/1.1\r\nHost: {dest}\r\n\r\n"
    ));
    assert_eq!(client.receive_response_to("CONNECT").status(), 200);
    assert_eq!(client.receive_response().text(), "/early");
}

#[test]
fn without_interception_a_tunnel_is_blind_and_logged_and_clear_http_is_inspected() {
    let proxy = Proxy::start(json!({ "enable_mitm": false }));
    let origin = Origin::https(tls::server(Shown::Valid), |request| Reply::ok(&request.body));
    let roots = proxy.setup.directory().join("upstream-roots.pem");
    let tunnel = proxy.tunnel(&origin.local_dest());
    // The origin's own certificate arrives, which the proxy's CA did not sign.
    let mut client = tunnel.tls_client("localhost", tls::client(&roots)).unwrap();
    let text = sample("unix_sensitive").text();
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    ));
    assert_eq!(client.receive_response().text(), text);
    proxy.wait_for_log(&["INFO", &origin.local_dest()]);
    let clear = Origin::http(|_| Reply::ok("ok"));
    assert_eq!(proxy.get(&clear.url(&text)).status(), 200);
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].dest, clear.dest());
}

#[test]
fn hosts_of_passthrough_hosts_are_tunnelled_unread() {
    let proxy = Proxy::start(json!({ "passthrough_hosts": ["LOCAL*"] }));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("pinned"));
    let roots = proxy.setup.directory().join("upstream-roots.pem");
    let tunnel = proxy.tunnel(&origin.local_dest());
    let mut client = tunnel.tls_client("localhost", tls::client(&roots)).unwrap();
    client.send("GET /etc/shadow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.receive_response().text(), "pinned");
    proxy.wait_for_log(&[&origin.local_dest()]);
    // The same origin by another name is intercepted.
    proxy.https(&origin.dest());
    assert!(proxy.settled_findings().is_empty());
}

#[test]
fn an_upgraded_connection_is_a_tunnel_that_is_inspected() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        let head = connection.receive_head();
        assert_eq!(head.header("upgrade"), Some("echo/1"));
        assert_eq!(head.header("connection").map(str::to_lowercase).as_deref(), Some("upgrade"));
        connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nhello",
        );
        echo(connection);
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
    ));
    let response = client.receive_response();
    assert_eq!((response.status(), response.header("upgrade")), (101, Some("echo/1")));
    assert_eq!(client.receive_exact(5), b"hello");
    let text = format!("\u{0} {} \u{1}", sample("destructive_rm").text());
    for _ in 0..2 {
        client.send(&text);
        assert_eq!(client.receive_exact(text.len()), text.as_bytes());
    }
    client.finish_sending();
    assert_eq!(client.receive_to_end().0, b"");
    assert_eq!(proxy.settled_findings().len(), 4);
}

#[test]
fn no_byte_passes_upstream_between_an_upgrade_request_and_the_101() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::with("426 Upgrade Required", "Upgrade: other\r\n", "no"));
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n\
         \u{0}smuggled bytes\r\n\r\n"
    ));
    assert_eq!(client.receive_response().status(), 426);
    let (rest, _) = client.receive_to_end();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{rest:?}");
    let received = String::from_utf8_lossy(&origin.received()).into_owned();
    assert!(!received.contains("smuggled"), "{received}");
}

#[test]
fn a_refused_upgrade_leaves_the_connection_to_http() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(request.target()));
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "GET http://{dest}/one HTTP/1.1\r\nHost: {dest}\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"
    ));
    assert_eq!(client.receive_response().text(), "/one");
    client.send(format!("GET http://{dest}/two HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    assert_eq!(client.receive_response().text(), "/two");
}

#[test]
fn a_101_that_nobody_asked_for_is_refused() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| {
        Reply::raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
    });
    assert_own_answer(
        &proxy.get(&origin.url("/")),
        502,
        &["http_protocol_error", "http_upgrade_failed"],
    );
}

#[test]
fn a_101_before_the_end_of_the_request_is_refused_and_no_byte_is_sent_twice() {
    let proxy = Proxy::start(json!({}));
    let (ended, end) = channel();
    let ended = std::sync::Mutex::new(ended);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n",
        );
        connection.receive_to_end();
        let _ = ended.lock().unwrap().send(());
    });
    let dest = origin.dest();
    let body: Vec<u8> = (0..1_000_000).flat_map(|at: u32| at.to_be_bytes()).collect();
    let head = format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\
         Content-Length: {}\r\n\r\n",
        body.len() + 1
    );
    let mut client = proxy.connect();
    client.send(head);
    // Cut off by the answer, wherever it is.
    let _ = client.try_send(&body);
    assert_own_answer(
        &client.receive_response(),
        502,
        &["http_protocol_error", "http_upgrade_failed"],
    );
    end.recv_timeout(crate::support::DEADLINE).expect("the origin's side ends");
    let received = origin.received();
    let at = crate::support::connection::find(&received, b"\r\n\r\n").unwrap() + 4;
    assert!(body.starts_with(&received[at..]), "{} bytes of the body", received.len() - at);
}

#[test]
fn the_other_side_of_a_tunnel_learns_that_one_side_went_away() {
    let proxy = Proxy::start(json!({}));
    let (ended, end) = channel();
    let ended = std::sync::Mutex::new(ended);
    let origin = Origin::raw(move |mut connection| {
        let _ = ended.lock().unwrap().send(connection.receive_to_end().1);
    });
    let mut client = proxy.tunnel(&origin.dest());
    client.send(b"\x00\x01");
    wait_until("the bytes at the origin", || origin.received() == b"\x00\x01");
    client.reset();
    end.recv_timeout(crate::support::DEADLINE).expect("the origin's side ends");
}

#[test]
fn a_tls_hello_that_trickles_past_the_detection_is_intercepted_all_the_same() {
    let proxy = Proxy::start(json!({ "detect_timeout_ms": 50 }));
    let origin = Origin::raw(|mut connection| while connection.receive().is_ok() {});
    let mut tunnel = proxy.tunnel(&origin.local_dest());
    let config = crate::support::tls::client(&proxy.ca_path());
    let mut client =
        rustls::ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    tunnel.send(&hello[..1]);
    // Were this too short, the hello would only arrive before the deadline: the test could not fail falsely.
    std::thread::sleep(std::time::Duration::from_millis(300));
    tunnel.send(&hello[1..]);
    let answer = tunnel.receive_exact(3);
    assert_eq!(answer[..2], [0x16, 0x03], "our own ServerHello");
    assert_eq!(origin.received(), b"", "nothing went on unread");
}
