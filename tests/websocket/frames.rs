//! Handshakes and frames as a peer writes them, and a WebSocket through the proxy with both of its ends.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};

use flate2::{Compress, Compression, FlushCompress};
use serde_json::Value;

use crate::support::tls::{self, Shown};
use crate::support::{Connection, DEADLINE, Origin, Proxy, Setup, json, wait_until};

pub const FIN: u8 = 0x80;
pub const RSV1: u8 = 0x40;
pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;

/// Who writes a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    Client,
    Server,
}

/// A frame, masked where a client writes it.
pub fn frame(from: From, first: u8, payload: &[u8]) -> Vec<u8> {
    frame_in(0, from, first, payload)
}

/// The same with a length of so many bytes at least.
pub fn frame_in(length: usize, from: From, first: u8, payload: &[u8]) -> Vec<u8> {
    let masked = from == From::Client;
    let bit = if masked { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        len @ 0..126 if length == 0 => out.push(bit | len as u8),
        len @ 0..65_536 if length <= 2 => {
            out.push(bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    if masked {
        let mask = [0xa5, 0x5a, 0x3c, 0xc3];
        out.extend(mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        out.extend(payload);
    }
    out
}

/// A payload of permessage-deflate, without context of others.
pub fn deflated(payload: &[u8]) -> Vec<u8> {
    let mut blocks = blocks(payload, FlushCompress::Sync);
    blocks.truncate(blocks.len() - 4);
    blocks
}

/// So many MiB of one byte, to be followed by a payload.
pub fn deflated_run(byte: u8, mib: usize) -> Vec<u8> {
    // Behind a full flush nothing is referred to, so that the same can be repeated.
    blocks(&vec![byte; 1024 * 1024], FlushCompress::Full).repeat(mib)
}

fn blocks(payload: &[u8], flush: FlushCompress) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 1024);
    let mut engine = Compress::new(Compression::best(), false);
    engine.compress_vec(payload, &mut out, flush).unwrap();
    assert!(engine.total_in() == payload.len() as u64 && out.ends_with(&[0, 0, 0xff, 0xff]));
    out
}

/// The way that a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `ws:` with an absolute target.
    Absolute,
    /// `ws:` inside CONNECT.
    Tunnel,
    /// `wss:`.
    Encrypted,
    /// The gateway.
    Gateway,
}

impl Way {
    pub const ALL: [Way; 4] = [Way::Absolute, Way::Tunnel, Way::Encrypted, Way::Gateway];

    pub fn protocol(self) -> &'static str {
        match self {
            Way::Absolute | Way::Tunnel => "http",
            Way::Encrypted => "https",
            Way::Gateway => "gateway",
        }
    }
}

/// The key and the proof of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const PROOF: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
pub const DEFLATE: &str = "Sec-WebSocket-Extensions: permessage-deflate; \
     client_no_context_takeover; server_no_context_takeover\r\n";

/// A WebSocket through a proxy of its own, with both ends in the test's hands.
pub struct Joined {
    // In this order they end: the proxy has nothing to wait for.
    client: Connection,
    to_server: Sender<Order>,
    from_server: Receiver<Vec<u8>>,
    pub proxy: Proxy,
    pub dest: String,
    _origin: Origin,
}

/// What the server is to do next.
enum Order {
    Send(Vec<u8>),
    Receive(usize),
    ReceiveAll,
}

impl Joined {
    /// Opens one; the server answers with these fields.
    pub fn open(way: Way, answer: &str) -> Joined {
        Joined::open_early(way, answer, b"", b"")
    }

    /// The same, with bytes that follow the request and the answer to it in one write; both must arrive.
    pub fn open_early(way: Way, answer: &str, client_says: &[u8], server_says: &[u8]) -> Joined {
        Joined::open_under(way, answer, (client_says, server_says), json!({}))
    }

    /// The same with these settings.
    pub fn open_under(
        way: Way,
        answer: &str,
        (client_says, server_says): (&[u8], &[u8]),
        settings: Value,
    ) -> Joined {
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{answer}\r\n"
        );
        let answer = [head.as_bytes(), server_says].concat();
        let (to_server, orders) = mpsc::channel();
        let (received, from_server) = mpsc::channel();
        let ends = Mutex::new((orders, received));
        let script = move |mut connection: Connection| {
            connection.receive_head();
            connection.send(&answer);
            let (orders, received) = &*ends.lock().unwrap();
            for order in orders.iter() {
                match order {
                    Order::Send(bytes) => connection.send(bytes),
                    Order::Receive(len) => received.send(connection.receive_exact(len)).unwrap(),
                    Order::ReceiveAll => received.send(connection.receive_to_end().0).unwrap(),
                }
            }
            connection.close();
        };
        let origin = match way {
            Way::Encrypted => Origin::raw_tls(tls::server(Shown::Valid), script),
            _ => Origin::raw(script),
        };
        let target = origin.address.port();
        let expected = json!([{
            "host": "127.0.0.1", "message": "/chat", "rules": ["discord_bot_token*"],
        }]);
        let setup = Setup::new(settings).with(json!({ "gateway_target_port": target,
            "expected_credentials": expected, "shutdown_timeout_secs": 1 }));
        let proxy = setup.start();
        let dest = if way == Way::Encrypted { origin.local_dest() } else { origin.dest() };
        let mut client = match way {
            Way::Absolute => proxy.connect(),
            Way::Tunnel => proxy.tunnel(&dest),
            Way::Encrypted => proxy.https(&dest),
            Way::Gateway => proxy.connect_gateway(),
        };
        let path = if way == Way::Absolute { origin.url("/chat") } else { "/chat".to_owned() };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {dest}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        );
        client.send([request.as_bytes(), client_says].concat());
        let head = client.receive_head();
        assert!(head.start.starts_with("HTTP/1.1 101 "), "{head:?}");
        assert_eq!(client.receive_exact(server_says.len()), server_says);
        to_server.send(Order::Receive(client_says.len())).unwrap();
        assert_eq!(from_server.recv_timeout(DEADLINE).as_deref(), Ok(client_says));
        Joined { client, to_server, from_server, proxy, dest, _origin: origin }
    }

    /// Sends bytes in pieces of at most `piece`; they must arrive as they were sent.
    pub fn pass_in_pieces(&mut self, from: From, bytes: &[u8], piece: usize) {
        match from {
            From::Client => {
                self.to_server.send(Order::Receive(bytes.len())).unwrap();
                for piece in bytes.chunks(piece) {
                    self.client.send(piece);
                }
                let arrived = self.from_server.recv_timeout(DEADLINE);
                assert!(arrived.expect("what the server received") == bytes, "bytes were changed");
            }
            From::Server => {
                for piece in bytes.chunks(piece) {
                    self.to_server.send(Order::Send(piece.to_vec())).unwrap();
                }
                assert!(self.client.receive_exact(bytes.len()) == bytes, "bytes were changed");
            }
        }
    }

    /// The same in one piece.
    pub fn pass(&mut self, from: From, bytes: &[u8]) {
        self.pass_in_pieces(from, bytes, usize::MAX);
    }

    /// Waits for both ends: what the server got until then, and what the client.
    pub fn ended(mut self) -> (Vec<u8>, Vec<u8>) {
        self.to_server.send(Order::ReceiveAll).unwrap();
        let (client_got, _) = self.client.receive_to_end();
        (self.from_server.recv_timeout(DEADLINE).unwrap(), client_got)
    }

    /// The client's connection ends with a reset; what is left is the proxy.
    pub fn reset(self) -> Proxy {
        self.client.reset();
        self.proxy
    }

    /// A counter, as the proxy last told it.
    pub fn count(&self, name: &str) -> u64 {
        let status = self.proxy.status();
        status["counters"][name].as_u64().unwrap_or_else(|| panic!("{name} in {status}"))
    }

    /// Waits until the proxy tells these counters.
    pub fn wait_for_counts(&self, counts: &[(&str, u64)]) {
        wait_until(&format!("counters {counts:?}"), || {
            counts.iter().all(|(name, count)| self.count(name) == *count)
        });
    }
}
