//! Peers whose frames are written by hand: those that send frame upon frame, or open stream upon stream, and an origin
//! that TLS was agreed on with, and nothing more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Way;
use super::support::tls::{self, Shown};
use super::support::{Connection, Origin, Reply, json, wait_until};

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A client that speaks HTTP/2 in the clear, through a tunnel to this origin.
fn client(way: &Way, dest: &str) -> Connection {
    let mut client = way.proxy.tunnel(dest);
    client.send(PREFACE);
    client.send(frame(SETTINGS, 0, 0, &[]));
    client
}

/// RFC 7541 appendix A: GET, http, /; and an authority of its own.
fn get(stream: u32, dest: &str) -> Vec<u8> {
    let mut head = vec![0x82, 0x86, 0x84, 0x41, u8::try_from(dest.len()).unwrap()];
    head.extend_from_slice(dest.as_bytes());
    frame(HEADERS, 0b101, stream, &head)
}

/// The next frame: its kind, its stream and what it holds. None at the end.
fn try_receive(connection: &mut Connection) -> Option<(u8, u32, Vec<u8>)> {
    let head = connection.try_receive_exact(9).ok()?;
    let [a, b, c, kind, _, stream @ ..] = <[u8; 9]>::try_from(head).unwrap();
    let len = u32::from_be_bytes([0, a, b, c]) as usize;
    let payload = connection.try_receive_exact(len).ok()?;
    Some((kind, u32::from_be_bytes(stream), payload))
}

/// The next frame of this kind: its stream and what it holds.
fn receive(connection: &mut Connection, wanted: u8) -> (u32, Vec<u8>) {
    loop {
        let (kind, stream, payload) = try_receive(connection).expect("the connection goes on");
        if kind == wanted {
            return (stream, payload);
        }
    }
}

/// An origin that takes what comes and says nothing.
fn silent() -> Origin {
    Origin::raw(|mut connection| while connection.receive().is_ok() {})
}

/// The core read on and on, and served nobody else for as long as it went.
#[test]
fn a_peer_that_sends_faster_than_it_is_read_does_not_hold_up_others() {
    const LIMIT: Duration = Duration::from_secs(10);
    let way = Way::new();
    let (silent, other) = (silent(), Origin::http(|_| Reply::ok("hello")));
    for flood in
        [frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 16]), frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])]
    {
        let mut flooding = client(&way, &silent.dest());
        flooding.send(get(1, &silent.dest()));
        let is_over = Arc::new(AtomicBool::new(false));
        let flooder = {
            let is_over = Arc::clone(&is_over);
            let began = Instant::now();
            thread::spawn(move || {
                let frames = flood.repeat(10_000);
                while !is_over.load(Ordering::SeqCst) && began.elapsed() < 2 * LIMIT {
                    flooding.send(&frames);
                }
            })
        };
        thread::sleep(Duration::from_millis(300));
        let began = Instant::now();
        for _ in 0..5 {
            let (url, dest) = (other.url("/"), other.dest());
            let response =
                way.proxy.exchange(format!("GET {url} HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
            assert_eq!(response.text(), "hello");
        }
        let took = began.elapsed();
        is_over.store(true, Ordering::SeqCst);
        flooder.join().unwrap();
        assert!(took < LIMIT, "{took:?}");
    }
}

#[test]
fn the_streams_of_all_clients_of_a_core_are_bounded() {
    const EACH: u32 = 100;
    let way = Way::with(json!({ "max_connections": 5 }));
    let origin = silent();
    let open = || {
        let mut client = client(&way, &origin.dest());
        for number in 0..EACH {
            client.send(get(2 * number + 1, &origin.dest()));
        }
        client
    };
    let _served = [open(), open()];
    wait_until("the streams", || way.proxy.status()["counters"]["streams_open"] == json!(2 * EACH));
    let mut refused = open();
    for number in 0..EACH {
        let reset = receive(&mut refused, RST_STREAM);
        // REFUSED_STREAM: it may be asked again.
        assert_eq!(reset, (2 * number + 1, vec![0, 0, 0, 7]));
    }
}

/// Its clients, who take HTTP/2 for granted, got a 502.
#[test]
fn an_origin_that_greets_though_nothing_was_agreed_on_speaks_http2() {
    const STATUS_200: u8 = 0x88;
    let way = Way::new();
    let origin = Origin::raw_tls(tls::server(Shown::Valid), |mut connection| {
        connection.send(frame(SETTINGS, 0, 0, &[]));
        assert_eq!(connection.receive_exact(PREFACE.len()), PREFACE.as_bytes());
        while let Some((kind, stream, _)) = try_receive(&mut connection) {
            if kind == HEADERS {
                connection.send(frame(HEADERS, 0b101, stream, &[STATUS_200]));
            }
        }
    });
    let dest = origin.local_dest();
    let mut client = way.proxy.https(&dest);
    client.send(PREFACE);
    client.send(frame(SETTINGS, 0, 0, &[]));
    for stream in [1, 3] {
        client.send(get(stream, &dest));
        let (of, payload) = receive(&mut client, HEADERS);
        assert_eq!((of, payload[0]), (stream, STATUS_200));
    }
}
