//! Nothing is held back, nothing is piled up, and what one side gives up the other need not finish.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::connection::lossy;
use crate::support::message::chunked;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, End, Origin, Proxy, Reply, json, wait_until};

const EVENTS: usize = 20;
const MIB: usize = 1 << 20;

/// An event reaches the client before the origin has even been told to send the next.
fn assert_events_pass_at_once(head: &str, chunks: bool, encrypted: bool) {
    let proxy = Proxy::start(json!({}));
    let (parts, script) = channel();
    let origin = Origin::stepped_on(encrypted.then(|| tls::server(Shown::Valid)), script);
    let dest = if encrypted { origin.local_dest() } else { origin.dest() };
    let mut client = if encrypted { proxy.https(&dest) } else { proxy.connect() };
    client.send(format!("GET /events HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    parts.send(head.as_bytes().to_vec()).unwrap();
    assert_eq!(client.receive_head().header("content-type"), Some("text/event-stream"));
    for number in 0..EVENTS {
        let event = format!("data: token {number}\n\n");
        let part = if chunks { format!("{:x}\r\n{event}\r\n", event.len()) } else { event };
        parts.send(part.clone().into_bytes()).unwrap();
        assert_eq!(client.receive_exact(part.len()), part.as_bytes());
    }
    drop(parts);
}

const EVENT_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
const CHUNKED_EVENT_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn an_event_passes_before_the_next_is_sent() {
    assert_events_pass_at_once(EVENT_HEAD, false, false);
}

#[test]
fn a_chunked_event_passes_before_the_next_is_sent() {
    assert_events_pass_at_once(CHUNKED_EVENT_HEAD, true, false);
}

#[test]
fn an_encrypted_event_passes_before_the_next_is_sent() {
    assert_events_pass_at_once(CHUNKED_EVENT_HEAD, true, true);
}

#[test]
fn bytes_pass_one_by_one() {
    let proxy = Proxy::start(json!({}));
    let (parts, script) = channel();
    let origin = Origin::stepped(script);
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    let body = chunked(&[b"abc", b"d"]);
    parts.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()).unwrap();
    client.receive_head();
    let mut data = Vec::new();
    for byte in &body {
        parts.send(vec![*byte]).unwrap();
        data.extend(client.receive_exact(1));
    }
    assert_eq!(data, body);
}

#[test]
fn both_directions_stream_at_the_same_time() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        connection.receive_head();
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        loop {
            let chunk = connection.receive_exact(6);
            connection.send(&chunk);
            if chunk.starts_with(b"0") {
                return;
            }
        }
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    client.receive_head();
    for letter in b'a'..=b'z' {
        let chunk = [b"1\r\n", [letter].as_slice(), b"\r\n"].concat();
        client.send(&chunk);
        assert_eq!(client.receive_exact(6), chunk);
    }
}

#[test]
fn an_answer_before_the_end_of_the_request_reaches_the_client() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        connection.receive_head();
        connection.send(
            "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig",
        );
        connection.receive_to_end();
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 100000\r\n\r\nbegin"
    ));
    let response = client.receive_response();
    assert_eq!((response.status(), response.text().as_str()), (413, "big"));
}

#[test]
fn a_long_upload_to_an_origin_that_has_answered_and_closed_shows_the_answer() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        connection.receive_head();
        connection.send(
            "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig",
        );
        connection.finish_sending();
        connection.receive_exact(1000);
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    let length = 64 * MIB;
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {length}\r\n\r\n"
    ));
    client.send(vec![b'x'; 2000]);
    assert_eq!(client.receive_response().status(), 413);
}

/// An origin that tells when its side ended: after the request, and after a part of the answer if any.
fn cancellable_origin(
    tls: Option<std::sync::Arc<rustls::ServerConfig>>,
    part: &'static str,
) -> (Origin, std::sync::mpsc::Receiver<End>) {
    let (ended, end) = channel();
    let ended = std::sync::Mutex::new(ended);
    let script = move |mut connection: Connection| {
        connection.receive_head();
        connection.send(part);
        let (_, end) = connection.receive_to_end();
        let _ = ended.lock().unwrap().send(end);
    };
    let origin = match tls {
        Some(tls) => Origin::raw_tls(tls, script),
        None => Origin::raw(script),
    };
    (origin, end)
}

const ENDLESS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n";

#[test]
fn a_client_that_goes_away_while_waiting_cancels_the_request() {
    let proxy = Proxy::start(json!({}));
    let (origin, end) = cancellable_origin(None, "");
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    wait_until("the request at the origin", || !origin.received().is_empty());
    client.reset();
    end.recv_timeout(crate::support::DEADLINE).expect("the request is cancelled");
}

/// It was noticed once its kernel had forgotten it: 76 seconds later.
#[test]
fn a_client_in_the_clear_that_closes_while_waiting_cancels_the_request() {
    let proxy = Proxy::start(json!({}));
    let (origin, end) = cancellable_origin(None, "");
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    wait_until("the request at the origin", || !origin.received().is_empty());
    drop(client);
    end.recv_timeout(Duration::from_secs(30)).expect("the request is cancelled");
}

#[test]
fn a_client_of_http_1_0_that_ended_its_sending_is_told_nothing_but_its_answer() {
    let proxy = Proxy::start(json!({}));
    let (parts, script) = channel();
    let origin = Origin::stepped(script);
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.0\r\n\r\n", origin.url("/")));
    client.finish_sending();
    wait_until("the request at the origin", || origin.requests().len() == 1);
    // Were this too short, nothing would be sent: no false failure.
    std::thread::sleep(Duration::from_millis(1500));
    parts.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate".to_vec()).unwrap();
    assert_eq!(client.receive_response().text(), "late");
}

#[test]
fn a_client_that_goes_away_during_the_answer_cancels_it() {
    let proxy = Proxy::start(json!({}));
    let (origin, end) = cancellable_origin(None, ENDLESS);
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    client.receive_head();
    client.receive_exact(6);
    client.reset();
    end.recv_timeout(crate::support::DEADLINE).expect("the answer is cancelled");
}

#[test]
fn a_tls_client_that_goes_away_cancels_the_request() {
    for part in ["", ENDLESS] {
        let proxy = Proxy::start(json!({}));
        let (origin, end) = cancellable_origin(Some(tls::server(Shown::Valid)), part);
        let mut client = proxy.https(&origin.local_dest());
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_until("the request at the origin", || !origin.received().is_empty());
        if !part.is_empty() {
            client.receive_head();
        }
        client.close();
        end.recv_timeout(crate::support::DEADLINE).expect("the request is cancelled");
    }
}

#[test]
fn a_client_that_only_ends_its_sending_gets_its_answer() {
    let proxy = Proxy::start(json!({}));
    let (parts, script) = channel();
    let origin = Origin::stepped(script);
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    client.finish_sending();
    wait_until("the request at the origin", || origin.requests().len() == 1);
    parts.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n".to_vec()).unwrap();
    parts.send(b"late".to_vec()).unwrap();
    assert_eq!(client.receive_response().text(), "late");
}

#[test]
fn a_client_that_only_ended_its_sending_is_not_taken_for_gone_while_its_answer_takes_time() {
    for encrypted in [false, true] {
        let proxy = Proxy::start(json!({}));
        let (parts, script) = channel();
        let origin = Origin::stepped_on(encrypted.then(|| tls::server(Shown::Valid)), script);
        let dest = if encrypted { origin.local_dest() } else { origin.dest() };
        let mut client = if encrypted { proxy.https(&dest) } else { proxy.connect() };
        client.send(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        client.finish_sending();
        wait_until("the request at the origin", || origin.requests().len() == 1);
        // Were this too short, the client would only be there before anybody doubts it: no false failure.
        let pause = || std::thread::sleep(Duration::from_millis(1500));
        pause();
        parts.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nlat".to_vec()).unwrap();
        if !encrypted {
            assert_eq!(
                client.receive_head().start,
                "HTTP/1.1 100 Continue",
                "to see that it is there"
            );
        }
        pause();
        parts.send(b"er on".to_vec()).unwrap();
        assert_eq!(client.receive_response().text(), "later on");
    }
}

#[test]
fn a_half_closed_client_that_goes_away_cancels_the_request() {
    for part in ["", ENDLESS] {
        let proxy = Proxy::start(json!({}));
        let (origin, end) = cancellable_origin(None, part);
        let mut client = proxy.connect();
        client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
        client.finish_sending();
        wait_until("the request at the origin", || !origin.received().is_empty());
        if !part.is_empty() {
            client.receive_head();
            client.receive_exact(6);
        }
        client.reset();
        end.recv_timeout(crate::support::DEADLINE).expect("the request is cancelled");
    }
}

/// The answer is cut short by the origin: the client must be able to tell.
#[track_caller]
fn assert_cut_is_visible(cut: &'static str, end: fn(Connection), encrypted: bool) {
    let proxy = Proxy::start(json!({}));
    let (go, wait) = channel();
    let wait = Mutex::new(wait);
    let script = move |mut connection: Connection| {
        connection.receive_request();
        connection.send(cut);
        // A reset may overtake what was sent: the client has it before.
        if wait.lock().unwrap().recv().is_ok() {
            end(connection);
        }
    };
    let origin = if encrypted {
        Origin::raw_tls(tls::server(Shown::Valid), script)
    } else {
        Origin::raw(script)
    };
    let dest = if encrypted { origin.local_dest() } else { origin.dest() };
    let mut client = if encrypted { proxy.https(&dest) } else { proxy.connect() };
    client.send(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    let head = client.receive_head();
    let (_, part) = cut.split_once("\r\n\r\n").unwrap();
    assert_eq!(lossy(&client.receive_exact(part.len())), part);
    go.send(()).unwrap();
    client.put_back(&[&head.raw, part.as_bytes()].concat());
    if let Ok(response) = client.try_receive_response_to("GET") {
        panic!("completed: {}", response.text());
    }
}

#[test]
fn an_answer_shorter_than_its_length_is_visibly_cut() {
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part";
    assert_cut_is_visible(cut, Connection::close, false);
    assert_cut_is_visible(cut, Connection::reset, false);
    assert_cut_is_visible(cut, Connection::close, true);
}

#[test]
fn chunks_without_their_last_are_visibly_cut() {
    let cut = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    assert_cut_is_visible(cut, Connection::close, false);
    assert_cut_is_visible(cut, Connection::reset, false);
    assert_cut_is_visible(cut, Connection::close, true);
}

#[test]
fn a_body_until_the_end_that_ends_in_a_fault_is_visibly_cut() {
    let cut = "HTTP/1.1 200 OK\r\n\r\nwho knows how much more";
    assert_cut_is_visible(cut, Connection::reset, false);
    assert_cut_is_visible(cut, Connection::close_without_notify, true);
}

/// Both ends of a stalled transfer: what the sender got rid of, and what the proxy grew by.
fn assert_bounded(written: usize, before_kib: u64, proxy: &Proxy) {
    assert!(written < 48 * MIB, "{} MiB went into a proxy that nobody reads", written / MIB);
    let growth_kib = proxy.resident_kib().saturating_sub(before_kib);
    assert!(growth_kib < 24 * 1024, "the proxy grew by {growth_kib} KiB");
}

/// Writes until the peer takes no more.
fn write_until_stalled(connection: &mut Connection) -> usize {
    connection.set_write_timeout(Duration::from_millis(700));
    let piece = vec![b'x'; MIB];
    let mut written = 0;
    while written < 256 * MIB && connection.try_send(&piece).is_ok() {
        written += piece.len();
    }
    written
}

#[test]
fn a_client_that_does_not_read_stops_the_origin() {
    let proxy = Proxy::start(json!({}));
    let (stalled, stall) = channel();
    let stalled = std::sync::Mutex::new(stalled);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_request();
        connection.send("HTTP/1.1 200 OK\r\n\r\n");
        let written = write_until_stalled(&mut connection);
        let _ = stalled.lock().unwrap().send(written);
        connection.receive_to_end();
    });
    let before = proxy.resident_kib();
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    client.receive_head();
    let written = stall.recv_timeout(2 * crate::support::DEADLINE).unwrap();
    assert_bounded(written, before, &proxy);
    // The proxy is not stuck for others.
    let other = Origin::http(|_| Reply::ok("others go on"));
    assert_eq!(proxy.get(&other.url("/")).text(), "others go on");
}

#[test]
fn an_origin_that_does_not_read_stops_the_client() {
    let proxy = Proxy::start(json!({}));
    let (release, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        let _ = wait.lock().unwrap().recv();
    });
    let before = proxy.resident_kib();
    let dest = origin.dest();
    let length = 512 * MIB;
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {length}\r\n\r\n"
    ));
    let written = write_until_stalled(&mut client);
    assert_bounded(written, before, &proxy);
    drop(release);
}
