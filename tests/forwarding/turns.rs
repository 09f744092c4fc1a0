//! Whose turn it is: a transfer that could fill its core lets small requests through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::encodings::gzip;
use crate::support::{Connection, Origin, Proxy, Reply, json, wait_until};

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

/// A transfer that goes on until it is over.
#[derive(Default)]
struct Transfer {
    is_over: AtomicBool,
    /// What has arrived.
    moved_bytes: AtomicUsize,
}

impl Transfer {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn moved_bytes(&self) -> usize {
        self.moved_bytes.load(Ordering::Relaxed)
    }

    fn has_moved(&self, len: usize) {
        self.moved_bytes.fetch_add(len, Ordering::Relaxed);
    }

    /// Takes what comes, until it is over.
    fn pull(&self, mut client: Connection) {
        while self.goes_on() {
            self.has_moved(client.receive().unwrap().len());
        }
    }
}

/// However its test ends, a transfer does.
struct Ends<'a>(&'a Transfer);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Times small requests while `transfer` is run by `run`, from when much has arrived until more does.
#[track_caller]
fn assert_others_get_their_turn(proxy: &Proxy, transfer: &Transfer, run: impl FnOnce() + Send) {
    let origin = Origin::http(|_| Reply::ok("ok"));
    let mut waits: Vec<Duration> = thread::scope(|scope| {
        let _ends = Ends(transfer);
        scope.spawn(run);
        wait_until("the transfer runs", || transfer.moved_bytes() >= PART_BYTES);
        let timed = |_| {
            let begun = Instant::now();
            assert_eq!(proxy.get(&origin.url("/")).text(), "ok");
            begun.elapsed()
        };
        let waits = (0..SMALL_REQUESTS).map(timed).collect();
        let by_then = transfer.moved_bytes();
        wait_until("the transfer still runs", || transfer.moved_bytes() > by_then);
        waits
    });
    waits.sort();
    assert!(waits[SMALL_REQUESTS / 2] < HALF_WITHIN, "{waits:?}");
}

fn assert_turns_beside_a_download(head: &'static str, part: Vec<u8>) {
    let proxy = Proxy::start(json!({}));
    let origin = spring(head, part);
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    let transfer = Transfer::default();
    assert_others_get_their_turn(&proxy, &transfer, || transfer.pull(client));
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
    let transfer = Arc::new(Transfer::default());
    let arriving = Arc::clone(&transfer);
    let origin = Origin::raw(move |mut connection| {
        while let Ok(bytes) = connection.receive() {
            arriving.has_moved(bytes.len());
        }
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 100000000000\r\n\r\n"
    ));
    let part = part();
    assert_others_get_their_turn(&proxy, &transfer, || {
        while transfer.goes_on() {
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
        let transfer = Transfer::default();
        assert_others_get_their_turn(&proxy, &transfer, || transfer.pull(client));
    }
}
