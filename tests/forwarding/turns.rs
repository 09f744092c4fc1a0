//! Whose turn it is: a transfer that could fill its core lets small requests through.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::encodings::gzip;
use crate::support::{Connection, Origin, Proxy, Reply, json};

const PART_BYTES: usize = 1024 * 1024;
const SMALL_REQUESTS: usize = 20;

/// Half of the small requests are answered within this. Beside a transfer that keeps its core they take a second and
/// more; a turn takes a millisecond, and what else the machine does is not to fail the test.
const HALF_WITHIN: Duration = Duration::from_millis(200);

/// A part of a long text.
fn part() -> Vec<u8> {
    let line = |number| format!("{number}: a plain sentence of no interest.\n").into_bytes();
    (0..).flat_map(line).take(PART_BYTES).collect()
}

/// Sends a part again and again, for as long as somebody takes it.
fn pour(connection: &mut Connection, part: &[u8]) {
    while connection.try_send(part).is_ok() {}
}

/// An origin that answers each connection with a head and a part without an end.
fn spring(head: &'static str, part: Vec<u8>) -> Origin {
    Origin::raw(move |mut connection| {
        connection.receive_through(b"\n");
        connection.send(head);
        pour(&mut connection, &part);
    })
}

/// Times small requests while `transfer` goes on, which ends with the connection that it is given.
#[track_caller]
fn assert_others_get_their_turn(
    proxy: &Proxy,
    client: Connection,
    transfer: impl FnOnce(Connection, &AtomicBool) + Send,
) {
    let origin = Origin::http(|_| Reply::ok("ok"));
    let is_over = AtomicBool::new(false);
    let mut waits: Vec<Duration> = thread::scope(|scope| {
        scope.spawn(|| transfer(client, &is_over));
        thread::sleep(Duration::from_millis(300));
        let timed = |_| {
            let begun = Instant::now();
            assert_eq!(proxy.get(&origin.url("/")).text(), "ok");
            begun.elapsed()
        };
        let waits = (0..SMALL_REQUESTS).map(timed).collect();
        is_over.store(true, Ordering::Relaxed);
        waits
    });
    waits.sort();
    assert!(waits[SMALL_REQUESTS / 2] < HALF_WITHIN, "{waits:?}");
}

/// Takes what comes, until it is over.
fn pull(mut client: Connection, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        client.receive().unwrap();
    }
}

fn assert_turns_beside_a_download(head: &'static str, part: Vec<u8>) {
    let proxy = Proxy::start(json!({}));
    let origin = spring(head, part);
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    assert_others_get_their_turn(&proxy, client, pull);
}

#[test]
fn small_requests_are_answered_beside_a_download() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    assert_turns_beside_a_download(head, part());
}

#[test]
fn small_requests_are_answered_beside_a_body_in_a_coding() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n";
    assert_turns_beside_a_download(head, gzip(&part()));
}

#[test]
fn small_requests_are_answered_beside_an_upload() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| while connection.receive().is_ok() {});
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 100000000000\r\n\r\n"
    ));
    let part = part();
    assert_others_get_their_turn(&proxy, client, |mut client, is_over| {
        while !is_over.load(Ordering::Relaxed) {
            client.send(&part);
        }
    });
}

#[test]
fn small_requests_are_answered_beside_a_tunnel() {
    for passed in [json!([]), json!(["127.0.0.1"])] {
        let proxy = Proxy::start(json!({ "passthrough_hosts": passed }));
        let origin = spring("\0", part());
        let mut client = proxy.tunnel(&origin.dest());
        client.send("\0 begin\n");
        assert_others_get_their_turn(&proxy, client, pull);
    }
}
