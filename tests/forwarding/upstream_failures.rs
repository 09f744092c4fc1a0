//! An origin that cannot be reached, does not answer, or is ourselves: the client is told which.

use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::assert_own_answer;
use crate::chain::join;
use crate::support::origin::unused_address;
use crate::support::{Connection, End, Origin, Proxy, Reply, json};

#[test]
fn a_refused_connection_is_a_502() {
    let proxy = Proxy::start(json!({}));
    let nobody = unused_address();
    let response = proxy.get(&format!("http://{nobody}/"));
    assert_own_answer(&response, 502, &["connection_refused"]);
    assert!(response.text().contains(&nobody.to_string()), "{}", response.text());
    let (_, response) = proxy.request_tunnel(&nobody.to_string());
    assert_own_answer(&response, 502, &["connection_refused"]);
}

#[test]
fn a_name_that_does_not_exist_is_a_502() {
    let proxy = Proxy::start(json!({}));
    let response = proxy.get("http://name.invalid/");
    assert_own_answer(&response, 502, &["dns_error"]);
    assert!(response.text().contains("name.invalid"), "{}", response.text());
    let (_, response) = proxy.request_tunnel("name.invalid:443");
    assert_own_answer(&response, 502, &["dns_error"]);
}

/// After an answer of the proxy's own a client goes on, on the same connection unless its end was announced.
fn assert_client_goes_on(method: &str) {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("still here"));
    let nobody = unused_address();
    let mut client = proxy.connect();
    client.send(format!("{method} http://{nobody}/ HTTP/1.1\r\nHost: {nobody}\r\n\r\n"));
    let failure = client.receive_response_to(method);
    assert_eq!(failure.status(), 502);
    if failure.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        assert_eq!(client.receive_to_end(), (vec![], End::Closed));
        client = proxy.connect();
    }
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    assert_eq!(client.receive_response().text(), "still here");
}

#[test]
fn a_client_goes_on_after_a_failure() {
    assert_client_goes_on("GET");
}

#[test]
fn a_head_request_gets_its_failure_without_a_body() {
    assert_client_goes_on("HEAD");
}

#[test]
fn an_origin_that_closes_without_an_answer_is_a_502() {
    let proxy = Proxy::start(json!({}));
    for end in [Connection::close as fn(Connection), Connection::reset] {
        let origin = Origin::raw(move |mut connection| {
            connection.receive_request();
            end(connection);
        });
        assert_own_answer(
            &proxy.get(&origin.url("/")),
            502,
            &["connection_terminated", "http_response_incomplete"],
        );
    }
}

/// A listener whose queue is full, so that connecting to it hangs.
fn full_listener() -> (Socket, Vec<Socket>, SocketAddr) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        waiting.push(socket);
    }
    (listener, waiting, address.as_socket().unwrap())
}

#[test]
fn a_connection_that_is_not_made_in_time_is_a_504() {
    let proxy = Proxy::start(json!({ "connect_timeout_secs": 1 }));
    let (_listener, _waiting, address) = full_listener();
    assert_own_answer(&proxy.get(&format!("http://{address}/")), 504, &["connection_timeout"]);
    let (_, response) = proxy.request_tunnel(&address.to_string());
    assert_own_answer(&response, 504, &["connection_timeout"]);
}

#[test]
fn an_answer_that_does_not_come_in_time_is_a_504() {
    let proxy = Proxy::start(json!({ "response_timeout_secs": 1 }));
    let origin = Origin::raw(|mut connection| {
        connection.receive_request();
        connection.receive_to_end();
    });
    let response = proxy.get(&origin.url("/"));
    assert_own_answer(&response, 504, &["http_response_timeout", "connection_read_timeout"]);
}

#[test]
fn an_origin_that_stops_reading_an_upload_is_a_504_and_not_the_clients_fault() {
    let proxy = Proxy::start(json!({ "body_idle_timeout_secs": 1 }));
    let (done, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        let _ = wait.lock().unwrap().recv();
    });
    let dest = origin.dest();
    let length = 64 << 20;
    let mut client = proxy.connect();
    client.set_write_timeout(Duration::from_millis(300));
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {length}\r\n\r\n"
    ));
    // As much as there is room for.
    let _ = client.try_send(vec![b'x'; length]);
    assert_own_answer(&client.receive_response(), 504, &["connection_write_timeout"]);
    proxy.wait_for_log(&["WARN", "upstream, request body", "stopped reading"]);
    drop(done);
}

#[test]
fn a_client_that_stops_reading_its_answer_is_not_the_origins_fault() {
    let proxy = Proxy::start(json!({ "body_idle_timeout_secs": 1 }));
    let origin = Origin::raw(|mut connection| {
        connection.receive_request();
        connection.send("HTTP/1.1 200 OK\r\n\r\n");
        while connection.try_send(vec![b'x'; 1 << 20]).is_ok() {}
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    proxy.wait_for_log(&["client, response body", "stopped reading"]);
}

#[test]
fn a_tls_handshake_that_does_not_come_in_time_is_told() {
    let proxy = Proxy::start(json!({ "tls_handshake_timeout_secs": 1 }));
    let origin = Origin::raw(|mut connection| {
        connection.receive_to_end();
    });
    let mut client = proxy.https(&origin.local_dest());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let response = client.receive_response();
    assert!([502, 504].contains(&response.status()), "{}", response.text());
    assert!(response.header("proxy-status").is_some());
}

#[test]
fn an_origin_that_does_not_speak_tls_is_a_502() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        let _ = connection.receive();
        connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        connection.close();
    });
    let mut client = proxy.https(&origin.local_dest());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_own_answer(&client.receive_response(), 502, &["tls_protocol_error"]);
}

/// As a container's port is published under another number: the request went round until no place was left.
#[test]
fn a_request_that_comes_back_by_another_address_is_refused_the_second_time() {
    let proxy = Proxy::start(json!({}));
    let own = proxy.address();
    let published = Origin::raw(move |client| join(client, Connection::open(own)));
    let dest = published.dest();
    let mut tunnel = proxy.tunnel(&dest);
    tunnel.send(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    let direct = proxy.exchange(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    for response in [proxy.get(&published.url("/")), tunnel.receive_response(), direct] {
        assert_own_answer(&response, 508, &["proxy_loop_detected"]);
    }
    assert!(published.connections() <= 2 + 2 + 1, "{}", published.connections());
}

/// Only what is asked of the proxy as if it were the origin can come back, so that only this carries a mark.
#[test]
fn what_is_asked_of_a_proxy_carries_no_mark() {
    let proxy = Proxy::start(json!({}));
    let origins = [Origin::http(|_| Reply::ok("")), Origin::http(|_| Reply::ok(""))];
    let marks: Vec<String> = origins
        .iter()
        .map(|origin| {
            let dest = origin.dest();
            proxy.get(&origin.url("/"));
            proxy.exchange(format!("GET / HTTP/1.1\r\nHost: {dest}\r\nCDN-Loop: another\r\n\r\n"));
            let seen = origin.requests();
            assert_eq!(seen[0].head.header("cdn-loop"), None);
            let marks: Vec<&str> = seen[1].head.values("cdn-loop").collect();
            assert_eq!((marks.len(), marks[0]), (2, "another"));
            marks[1].to_owned()
        })
        .collect();
    assert!(marks.iter().all(|mark| mark.starts_with("clawsec-")), "{marks:?}");
    assert_ne!(marks[0], marks[1], "no two origins see the same");
}

#[test]
fn the_proxy_does_not_connect_to_itself() {
    let proxy = Proxy::start(json!({}));
    let (own, gateway) = (proxy.address(), proxy.gateway_address());
    for dest in [
        own.to_string(),
        gateway.to_string(),
        format!("localhost:{}", own.port()),
        format!("127.0.0.1:{}", own.port()),
    ] {
        let response = proxy.get(&format!("http://{dest}/"));
        assert!([502, 508].contains(&response.status()), "{dest}: {}", response.text());
        let status = response.header("proxy-status").expect("Proxy-Status");
        assert!(status.contains("proxy_loop_detected"), "{dest}: {status}");
        let (_, response) = proxy.request_tunnel(&dest);
        assert!([502, 508].contains(&response.status()), "{dest}: {}", response.text());
    }
    // A path sent to the proxy as if it were an origin names nobody else either.
    let response = proxy.exchange(format!("GET /status HTTP/1.1\r\nHost: {own}\r\n\r\n"));
    assert!(response.status() >= 400, "{}", response.text());
    let connections = crate::support::wait_for("the counters", || {
        let connections = proxy.status()["counters"]["connections"].as_u64().unwrap();
        (connections >= 9).then_some(connections)
    });
    assert_eq!(connections, 9, "one a client, none of its own");
}
