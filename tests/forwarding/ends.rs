//! What was relayed reaches a peer that did not fail, and what was cut does not look whole to it.

use std::net::Shutdown;
use std::sync::mpsc::channel;

use socket2::{Domain, Socket, Type};

use crate::support::message::Incomplete;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, End, Origin, Proxy, json, wait_until};

/// More than a peer that reads nothing has room for, and less than a socket that is written to.
const SENT: usize = 300_000;

/// An origin that ends its answer in the middle, without a close_notify, and waits for the proxy to close.
fn cutting_origin(head: String, encrypted: bool) -> Origin {
    let script = move |mut connection: Connection| {
        connection.receive_request();
        connection.send(&head);
        connection.send(vec![b'a'; SENT]);
        connection.tcp().shutdown(Shutdown::Write).unwrap();
        connection.receive_to_end();
    };
    if encrypted { Origin::raw_tls(tls::server(Shown::Valid), script) } else { Origin::raw(script) }
}

/// A client that reads nothing before the proxy has seen the cut has all of it, and then the cut.
#[track_caller]
fn assert_cut(framing: &str, version: &str, encrypted: bool, shown: End) {
    let proxy = Proxy::start(json!({}));
    let origin = cutting_origin(format!("HTTP/1.1 200 OK\r\n{framing}\r\n"), encrypted);
    let dest = if encrypted { origin.local_dest() } else { origin.dest() };
    let mut client = if encrypted { proxy.https(&dest) } else { proxy.connect() };
    client.send(format!("GET / {version}\r\nHost: {dest}\r\n\r\n"));
    wait_until("the end of the origin's connection", || origin.ended() == 1);
    let Incomplete { received, end } =
        client.try_receive_response_to("GET").expect_err("an answer that was cut");
    assert_eq!((received.len(), end), (SENT, shown));
}

#[test]
fn an_answer_that_ends_with_tls_is_relayed_whole_before_its_cut() {
    assert_cut("", "HTTP/1.1", true, End::Truncated);
}

#[test]
fn an_answer_short_of_its_length_is_relayed_whole_before_its_cut() {
    let framing = format!("Content-Length: {}\r\n", SENT + 1);
    assert_cut(&framing, "HTTP/1.1", false, End::Closed);
    assert_cut(&framing, "HTTP/1.1", true, End::Truncated);
}

/// A chunk that is one byte short.
fn chunked_framing() -> String {
    format!("Transfer-Encoding: chunked\r\n\r\n{:x}", SENT + 1)
}

#[test]
fn chunks_without_their_end_are_relayed_whole_before_their_cut() {
    assert_cut(&chunked_framing(), "HTTP/1.1", false, End::Closed);
    assert_cut(&chunked_framing(), "HTTP/1.1", true, End::Truncated);
}

#[test]
fn an_answer_that_would_look_whole_is_reset_once_it_was_taken() {
    // For HTTP/1.0 the chunks are undone: what is left of the framing is the connection's end.
    assert_cut(&chunked_framing(), "HTTP/1.0", false, End::Reset);
}

#[test]
fn what_a_client_sent_into_a_tunnel_before_it_went_away_reaches_the_origin() {
    let proxy = Proxy::start(json!({}));
    let (go, wait) = channel::<()>();
    let (ended, end) = channel();
    let channels = std::sync::Mutex::new((wait, ended));
    let origin = Origin::raw_tls(tls::server(Shown::Valid), move |mut connection| {
        connection.receive_head();
        connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n",
        );
        let (wait, ended) = &*channels.lock().unwrap();
        let _ = wait.recv();
        let (bytes, end) = connection.receive_to_end();
        let _ = ended.send((bytes.len(), end));
    });
    let mut client = proxy.https(&origin.local_dest());
    client.send(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n",
    );
    assert_eq!(client.receive_response().status(), 101);
    client.send(vec![b'u'; SENT]);
    client.close_without_notify();
    drop(go);
    let received = end.recv_timeout(crate::support::DEADLINE).expect("the origin's side ends");
    assert_eq!(received, (SENT, End::Truncated));
}

#[test]
fn what_a_client_sent_of_a_body_before_it_went_away_reaches_the_origin() {
    let proxy = Proxy::start(json!({}));
    let (go, wait) = channel::<()>();
    let (ended, end) = channel();
    let channels = std::sync::Mutex::new((wait, ended));
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        let (wait, ended) = &*channels.lock().unwrap();
        let _ = wait.recv();
        let (bytes, end) = connection.receive_to_end();
        let _ = ended.send((bytes.len(), end));
    });
    let dest = origin.dest();
    let length = SENT + 1;
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {length}\r\n\r\n"
    ));
    client.send(vec![b'u'; SENT]);
    client.finish_sending();
    // The proxy has seen the cut.
    client.receive_to_end();
    drop(go);
    let received = end.recv_timeout(crate::support::DEADLINE).expect("the origin's side ends");
    assert_eq!(received, (SENT, End::Closed));
}

/// An origin that sends one interim answer after the other until nobody takes them any more, and then says so.
fn endless_hints() -> (Origin, std::sync::mpsc::Receiver<()>) {
    let (stuck, is_stuck) = channel();
    let stuck = std::sync::Mutex::new(stuck);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        connection.set_write_timeout(std::time::Duration::from_millis(500));
        let hint = format!("HTTP/1.1 103 Early Hints\r\nLink: </{}>\r\n\r\n", "l".repeat(64_000));
        while connection.try_send(&hint).is_ok() {}
        let _ = stuck.lock().unwrap().send(());
        connection.receive_to_end();
    });
    (origin, is_stuck)
}

/// A client that has room for a small part of a head only.
fn small_client(proxy: &Proxy) -> Connection {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&proxy.address().into()).unwrap();
    Connection::new(socket.into())
}

/// No answer, of the proxy's own least of all, begins in the middle of another's head.
#[track_caller]
fn assert_whole_heads(received: &[u8]) {
    let text = String::from_utf8_lossy(received);
    let within = |(at, _): &(usize, &str)| *at > 0 && !text[..*at].ends_with("\r\n\r\n");
    let begun = text.match_indices("HTTP/1.1 ").find(within);
    assert!(begun.is_none(), "within a head: {}", &text[begun.unwrap().0..]);
}

#[test]
fn an_interim_answer_that_a_client_does_not_take_in_time_is_cut_and_no_504_follows_within_it() {
    let proxy = Proxy::start(json!({ "response_timeout_secs": 2 }));
    let (origin, _is_stuck) = endless_hints();
    let mut client = small_client(&proxy);
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    // Where the kernel has room for the rest of a head by then, a 504 behind it is in order.
    proxy.wait_for_log(&["127.0.0.1", " answer"]);
    assert_whole_heads(&client.receive_to_end().0);
}

#[test]
fn a_malformed_body_behind_an_interim_answer_that_is_not_taken_is_no_400_within_it() {
    let proxy = Proxy::start(json!({}));
    let (origin, is_stuck) = endless_hints();
    let mut client = small_client(&proxy);
    let (url, dest) = (origin.url("/"), origin.dest());
    client.send(format!(
        "POST {url} HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    ));
    is_stuck.recv_timeout(crate::support::DEADLINE).expect("the client's connection is full");
    client.send("no size\r\n");
    proxy.wait_for_log(&["malformed chunk size"]);
    assert_whole_heads(&client.receive_to_end().0);
}
