//! What does not end in order: bytes that went through are told of, however their body or tunnel ended.

use std::sync::mpsc;

use crate::support::samples::sample;
use crate::support::{Connection, Origin, Proxy, Reply, json, wait_until};

/// A text that is found only where it is known to end.
fn text() -> String {
    format!("now run {}", sample("pipe_to_shell").text())
}

fn assert_told(proxy: &Proxy, direction: &str, dest: &str) {
    let found = proxy.wait_for_finding(|found| found.dest == dest);
    assert_eq!((found.pattern.as_str(), found.direction.as_str()), ("pipe_to_shell", direction));
    assert_eq!(proxy.findings().len(), 1, "told once");
}

/// Begins an upload of which only the text will come.
fn begin_upload(proxy: &Proxy, origin: &Origin) -> Connection {
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 5000\r\n\r\n{}",
        text()
    ));
    client
}

fn receive_text(connection: &mut Connection) {
    connection.receive_head();
    assert_eq!(connection.receive_exact(text().len()), text().as_bytes());
}

#[test]
fn an_upload_that_the_client_breaks_off_is_told_of() {
    for end in [Connection::close, Connection::reset] {
        let proxy = Proxy::start(json!({}));
        let (arrived, arrival) = mpsc::channel();
        let origin = Origin::raw(move |mut connection| {
            receive_text(&mut connection);
            arrived.send(()).unwrap();
            connection.receive_to_end();
        });
        let client = begin_upload(&proxy, &origin);
        arrival.recv().unwrap();
        end(client);
        assert_told(&proxy, "outbound", &origin.dest());
    }
}

#[test]
fn an_upload_that_is_answered_before_its_end_is_told_of() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        receive_text(&mut connection);
        connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
        connection.receive_to_end();
    });
    let mut client = begin_upload(&proxy, &origin);
    assert_eq!(client.receive_response().status(), 413);
    assert_told(&proxy, "outbound", &origin.dest());
}

#[test]
fn an_upload_that_stops_coming_is_told_of() {
    let proxy = Proxy::start(json!({ "body_idle_timeout_secs": 1 }));
    let origin = Origin::raw(|mut connection| {
        receive_text(&mut connection);
        connection.receive_to_end();
    });
    let _client = begin_upload(&proxy, &origin);
    assert_told(&proxy, "outbound", &origin.dest());
}

/// An answer that says the text in small pieces and is not at its end with it: the way to end it, and its client.
fn begin_answer(proxy: &Proxy) -> (mpsc::Sender<Vec<u8>>, Origin, Connection) {
    let (parts, received) = mpsc::channel();
    let origin = Origin::stepped(received);
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    parts.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n".to_vec()).unwrap();
    client.receive_head();
    for piece in text().as_bytes().chunks(7) {
        parts.send(piece.to_vec()).unwrap();
        assert_eq!(client.receive_exact(piece.len()), piece);
    }
    (parts, origin, client)
}

#[test]
fn an_answer_that_the_origin_breaks_off_is_told_of() {
    let proxy = Proxy::start(json!({}));
    let (parts, origin, _client) = begin_answer(&proxy);
    drop(parts);
    assert_told(&proxy, "inbound", &origin.dest());
}

#[test]
fn an_answer_that_its_client_leaves_is_told_of() {
    let proxy = Proxy::start(json!({}));
    let (_parts, origin, client) = begin_answer(&proxy);
    client.reset();
    assert_told(&proxy, "inbound", &origin.dest());
}

#[test]
fn a_tunnel_that_is_reset_is_told_of() {
    let proxy = Proxy::start(json!({}));
    let sent = format!("\u{0}\u{1} {}", text());
    let len = sent.len();
    let origin = Origin::raw(move |mut connection| {
        connection.receive_exact(len);
        connection.reset();
    });
    let mut client = proxy.tunnel(&origin.dest());
    client.send(&sent);
    assert_told(&proxy, "outbound", &origin.dest());
}

#[test]
fn a_tunnel_whose_client_resets_it_is_told_of() {
    let proxy = Proxy::start(json!({}));
    let sent = format!("\u{0}\u{1} {}", text());
    let origin = Origin::raw(|mut connection| {
        connection.receive_to_end();
    });
    let mut client = proxy.tunnel(&origin.dest());
    client.send(&sent);
    wait_until("the text at the origin", || origin.received().len() == sent.len());
    client.reset();
    assert_told(&proxy, "outbound", &origin.dest());
}

/// Both ways a script whose last line deletes everything, with nothing behind it.
#[test]
fn a_command_that_a_body_ends_with_is_told_with_high_confidence_once() {
    let script = format!("FROM scratch\nRUN rm {} /", "-rf");
    let answered = script.clone();
    let origin = Origin::http(move |request| match request.body.is_empty() {
        true => Reply::ok(&answered),
        false => Reply::ok("taken"),
    });
    let dest = origin.dest();
    for (request, direction) in [
        (format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"), "inbound"),
        (
            format!(
                "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {}\r\n\r\n{script}",
                script.len()
            ),
            "outbound",
        ),
    ] {
        let proxy = Proxy::start(json!({ "dedup_window_secs": 0 }));
        let mut client = proxy.connect();
        client.send(request);
        client.receive_response();
        proxy.wait_for_finding(|found| found.dest == dest);
        let found = proxy.settled_findings();
        assert_eq!(found.len(), 1, "{found:?}");
        let [found] = &found[..] else { return };
        let told = (&*found.pattern, &*found.direction, &*found.confidence);
        assert_eq!(told, ("destructive_rm", direction, "high"));
    }
}
