//! Bodies of every framing, both ways, and the messages that have none.

use crate::support::message::chunked;
use crate::support::{End, Origin, Proxy, Reply, json};

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn bodies_with_a_length_pass_unchanged_both_ways() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(&request.body));
    let dest = origin.dest();
    let mut client = proxy.connect();
    for length in [0, 1, 100, 65_535, 65_536, 65_537, 1_000_000] {
        let sent = body(length);
        let head = format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {length}\r\n\r\n"
        );
        client.send([head.as_bytes(), &sent].concat());
        assert!(client.receive_response().body == sent, "{length} bytes");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn chunks_pass_as_they_were_cut_both_ways() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply::raw([head.as_slice(), &request.raw_body].concat())
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    let long = body(200_000);
    let with_extension = b"3;name=value;other=\"quoted\"\r\nabc\r\n0\r\n\r\n".to_vec();
    for sent in [
        chunked(&[]),
        chunked(&[b"a"]),
        chunked(&[b"a", b"bc", b"def"]),
        chunked(&[&long, b"x", &long]),
        b"00A\r\n0123456789\r\n000\r\n\r\n".to_vec(),
        with_extension,
    ] {
        let head = format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        client.send([head.as_bytes(), &sent].concat());
        assert!(client.receive_response().raw_body == sent, "{}", sent.len());
        assert!(origin.requests().last().unwrap().raw_body == sent, "{}", sent.len());
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn trailers_pass_both_ways() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| {
        Reply::raw(
            "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
        )
    });
    let dest = origin.dest();
    let response = proxy.exchange(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\nX-First: 1\r\nX-Second: 2\r\n\r\n"
    ));
    assert_eq!(response.trailers, ["X-Sum: 7"]);
    assert_eq!(origin.requests()[0].trailers, ["X-First: 1", "X-Second: 2"]);
}

#[test]
fn an_answer_until_the_end_of_the_connection_ends_the_clients_too() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::raw("HTTP/1.1 200 OK\r\n\r\nuntil the end").then_close());
    assert_eq!(proxy.get(&origin.url("/")).text(), "until the end");
}

#[test]
fn an_origin_of_http_1_0_is_understood() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::raw("HTTP/1.0 200 OK\r\n\r\nold but fine").then_close());
    assert_eq!(proxy.get(&origin.url("/")).text(), "old but fine");
}

#[test]
fn a_client_of_http_1_0_gets_a_plain_body_and_the_end() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::chunks(&[b"in ", b"pieces"]));
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET http://{dest}/ HTTP/1.0\r\nHost: {dest}\r\n\r\n"));
    let head = client.receive_head();
    assert_eq!(head.header("transfer-encoding"), None);
    assert_eq!(client.receive_to_end(), (b"in pieces".to_vec(), End::Closed));
}

#[test]
fn a_client_of_http_1_0_may_keep_its_connection() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("kept"));
    let dest = origin.dest();
    let mut client = proxy.connect();
    for _ in 0..2 {
        client.send(format!(
            "GET http://{dest}/ HTTP/1.0\r\nHost: {dest}\r\nConnection: keep-alive\r\n\r\n"
        ));
        let response = client.receive_response();
        assert_eq!(response.text(), "kept");
        let connection = response.header("connection").map(str::to_lowercase);
        assert_eq!(connection.as_deref(), Some("keep-alive"));
    }
}

#[test]
fn answers_without_a_body_leave_the_connection_in_step() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| match request.target() {
        "/head" => Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        "/head-chunked" => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "/204" => Reply::raw("HTTP/1.1 204 No Content\r\n\r\n"),
        "/304" => Reply::raw("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
        _ => Reply::ok("in step"),
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    for (method, path, status) in [
        ("HEAD", "/head", 200),
        ("HEAD", "/head-chunked", 200),
        ("GET", "/204", 204),
        ("GET", "/304", 304),
    ] {
        client.send(format!("{method} http://{dest}{path} HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        assert_eq!(client.receive_response_to(method).status(), status, "{path}");
        client.send(format!("GET http://{dest}/next HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        assert_eq!(client.receive_response().text(), "in step", "after {path}");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn expect_100_continue_works_end_to_end() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        let head = connection.receive_head();
        assert_eq!(head.header("expect"), Some("100-continue"));
        connection.send("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(connection.receive_exact(4), b"body");
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        connection.receive_to_end();
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    ));
    assert_eq!(client.receive_response().status(), 100);
    client.send("body");
    assert_eq!(client.receive_response().text(), "ok");
}

#[test]
fn a_refusal_in_place_of_100_continue_reaches_the_client_before_its_body() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        connection.receive_head();
        connection.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
        connection.receive_to_end();
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    ));
    assert_eq!(client.receive_response().status(), 417);
}

#[test]
fn interim_answers_are_forwarded_in_order() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| {
        Reply::raw(
            "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
             HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        )
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    let hints = client.receive_response();
    assert_eq!((hints.status(), hints.header("link")), (103, Some("</a.css>")));
    assert_eq!(client.receive_response().status(), 102);
    assert_eq!(client.receive_response().text(), "ok");
}

#[test]
fn an_interim_answer_is_kept_from_a_client_of_http_1_0() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| {
        Reply::raw("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    });
    let dest = origin.dest();
    let response = proxy.exchange(format!("GET http://{dest}/ HTTP/1.0\r\nHost: {dest}\r\n\r\n"));
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
}
