//! The origin that all clients meet: it holds an event back until the client has seen the one before, sends 100
//! before it reads a body that waits for it, and keeps what arrived, to compare a direct run with a proxied one.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::Duration;

use rustls::ServerConfig;

use super::support::{Connection, Head, Origin};

/// Both ways, a body of this size.
pub const LARGE_BYTES: usize = 10 * 1024 * 1024;

/// Events of one stream.
pub const EVENTS: usize = 3;

/// How long an event is held back for a client that does not see the one before it.
const EVENT_WAIT: Duration = Duration::from_secs(15);

/// Header fields of one connection only: the client's to the proxy need not be the proxy's to the origin.
const HOP_BY_HOP: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings"];

/// 10 MiB without a pattern in them.
pub fn large() -> &'static [u8] {
    static LARGE: OnceLock<Vec<u8>> = OnceLock::new();
    LARGE.get_or_init(|| {
        let mut state = 1_u64;
        let words = (0..LARGE_BYTES / 8).flat_map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state ^ (state >> 29)).to_le_bytes()
        });
        words.collect()
    })
}

#[derive(Default)]
struct Shared {
    /// What each request was, in their order.
    seen: Mutex<Vec<String>>,
    /// Which events the client says it has: stream and number.
    acknowledged: Mutex<BTreeSet<(String, usize)>>,
    news: Condvar,
    /// Files by target: their type and bytes.
    files: Mutex<HashMap<String, (String, Vec<u8>)>>,
}

/// A running origin.
pub struct Stage {
    origin: Origin,
    shared: Arc<Shared>,
}

impl Stage {
    pub fn start(tls: Option<Arc<ServerConfig>>) -> Stage {
        let shared = Arc::new(Shared::default());
        let playing = shared.clone();
        let script = move |connection| serve(connection, &playing);
        let origin = match tls {
            None => Origin::raw(script),
            Some(tls) => Origin::raw_tls(tls, script),
        };
        Stage { origin, shared }
    }

    pub fn local_dest(&self) -> String {
        self.origin.local_dest()
    }

    /// Serves this at a target as well.
    pub fn put(&self, target: &str, kind: &str, bytes: impl Into<Vec<u8>>) {
        let file = (kind.to_owned(), bytes.into());
        self.shared.files.lock().unwrap().insert(target.to_owned(), file);
    }

    /// Says that an event was seen, in the place of a client that cannot.
    pub fn acknowledge(&self, stream: &str, number: usize) {
        acknowledge(&self.shared, stream, number);
    }

    /// What arrived since this was last asked.
    pub fn take_seen(&self) -> Vec<String> {
        self.shared.acknowledged.lock().unwrap().clear();
        std::mem::take(&mut self.shared.seen.lock().unwrap())
    }

    pub fn connections(&self) -> usize {
        self.origin.connections()
    }
}

fn acknowledge(shared: &Shared, stream: &str, number: usize) {
    shared.acknowledged.lock().unwrap().insert((stream.to_owned(), number));
    shared.news.notify_all();
}

fn serve(mut connection: Connection, shared: &Shared) {
    while let Some(head) = connection.try_receive_request_head() {
        if answer(&mut connection, head, shared).is_none() {
            return connection.close();
        }
    }
}

/// Answers one request; `None` ends the connection.
fn answer(connection: &mut Connection, head: Head, shared: &Shared) -> Option<()> {
    let mut line = head.start.split(' ');
    let (method, target) = (line.next()?.to_owned(), line.next()?.to_owned());
    let expects = head.header("expect").is_some();
    if expects && target == "/refuse" {
        note(shared, &head, b"");
        let refusal =
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
        connection.try_send(refusal).ok()?;
        return None;
    }
    if expects {
        connection.try_send("HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let request = connection.try_receive_request_body(head)?;
    note(shared, &request.head, &request.body);
    let segments: Vec<_> = target.split('/').collect();
    if let ["", "events", stream] = segments[..] {
        return send_events(connection, shared, stream);
    }
    if let ["", "seen", stream, number] = segments[..] {
        acknowledge(shared, stream, number.parse().unwrap());
    }
    let bytes = match shared.files.lock().unwrap().get(&target) {
        Some((kind, bytes)) => reply("200 OK", &format!("Content-Type: {kind}\r\n"), bytes),
        None => reply_to(&method, &target, &request.body),
    };
    connection.try_send(bytes).ok()?;
    (target != "/close").then_some(())
}

fn reply_to(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    match target {
        "/hello" if method == "HEAD" => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec(),
        "/hello" => reply("200 OK", "", b"hello"),
        "/redirect" => reply("302 Found", "Location: /hello\r\n", b"elsewhere"),
        "/echo" => reply("200 OK", "", body),
        "/fields" => reply(
            "200 Fine, Thanks",
            "X-Odd-CASE:  a  b\r\nset-cookie: a=1\r\nx-z: 1\r\nSet-Cookie: b=2\r\nX-Empty:\r\n",
            b"fields",
        ),
        "/none" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        "/large" => reply("200 OK", "", large()),
        "/chunks" => in_chunks(large()),
        "/close" => b"HTTP/1.1 200 OK\r\n\r\nuntil the end".to_vec(),
        _ if target.starts_with("/seen/") => reply("200 OK", "", b"noted"),
        _ => reply("404 Not Found", "", b"nothing here"),
    }
}

fn reply(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn in_chunks(body: &[u8]) -> Vec<u8> {
    let pieces: Vec<_> = body.chunks(65_537).collect();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    [head.as_slice(), &super::support::message::chunked(&pieces)].concat()
}

/// Each event only once the client has seen the one before.
fn send_events(connection: &mut Connection, shared: &Shared, stream: &str) -> Option<()> {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.try_send(head).ok()?;
    for number in 0..EVENTS {
        let event = format!("data: {number}\n\n");
        connection.try_send(format!("{:x}\r\n{event}\r\n", event.len())).ok()?;
        let awaited = (stream.to_owned(), number);
        let acknowledged = shared.acknowledged.lock().unwrap();
        let missing = |have: &mut BTreeSet<_>| !have.contains(&awaited);
        let waited = shared.news.wait_timeout_while(acknowledged, EVENT_WAIT, missing).unwrap();
        if waited.1.timed_out() {
            return None;
        }
    }
    connection.try_send("0\r\n\r\n").ok()
}

fn note(shared: &Shared, head: &Head, body: &[u8]) {
    let mut digest = DefaultHasher::new();
    body.hash(&mut digest);
    let is_end_to_end =
        |name: &str| !HOP_BY_HOP.iter().any(|other| name.eq_ignore_ascii_case(other));
    let fields = head.headers.iter().filter(|(name, _)| is_end_to_end(name));
    let fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {value}")).collect();
    let body = format!("{} bytes, digest {:016x}", body.len(), digest.finish());
    // The version is each connection's own.
    let start = head.start.trim_end_matches(|letter| letter != ' ');
    shared.seen.lock().unwrap().push(format!("{start}\n{}\n{body}", fields.join("\n")));
}
