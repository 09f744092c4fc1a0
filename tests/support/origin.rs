//! Origins: a listener on a free port of the loopback, a thread a connection, a script for each.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;

use super::connection::Connection;
use super::message::{Request, chunked};

/// A running origin; it stops accepting when it is dropped.
pub struct Origin {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    connections: AtomicUsize,
    ended: AtomicUsize,
    failed_handshakes: AtomicUsize,
    received: Arc<Mutex<Vec<u8>>>,
    requests: Mutex<Vec<Request>>,
}

/// What an HTTP origin answers.
pub struct Reply {
    bytes: Vec<u8>,
    close: bool,
}

impl Reply {
    /// 200 with a Content-Length.
    pub fn ok(body: impl AsRef<[u8]>) -> Reply {
        Reply::with("200 OK", "", body)
    }

    /// A status, further header lines (each ended by CRLF), and a body with its Content-Length.
    pub fn with(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
        let body = body.as_ref();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        Reply { bytes: [head.as_bytes(), body].concat(), close: false }
    }

    /// 200 with the pieces as chunks.
    pub fn chunks(pieces: &[&[u8]]) -> Reply {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply { bytes: [head.as_slice(), &chunked(pieces)].concat(), close: false }
    }

    /// Exactly these bytes.
    pub fn raw(bytes: impl AsRef<[u8]>) -> Reply {
        Reply { bytes: bytes.as_ref().to_vec(), close: false }
    }

    /// Closes the connection behind the answer.
    pub fn then_close(mut self) -> Reply {
        self.close = true;
        self
    }
}

impl Origin {
    /// A clear origin: the script gets each connection.
    pub fn raw(script: impl Fn(Connection) + Send + Sync + 'static) -> Origin {
        Origin::bind("127.0.0.1:0", None, move |connection, _| script(connection))
    }

    /// A TLS origin: the script gets each connection that completed its handshake.
    pub fn raw_tls(
        tls: Arc<ServerConfig>,
        script: impl Fn(Connection) + Send + Sync + 'static,
    ) -> Origin {
        Origin::bind("127.0.0.1:0", Some(tls), move |connection, _| script(connection))
    }

    /// A clear origin that answers each request with the parts that the test sends, each written when it
    /// comes; the end of the channel closes the connection.
    pub fn stepped(parts: Receiver<Vec<u8>>) -> Origin {
        Origin::stepped_on(None, parts)
    }

    /// The same, inside TLS if so configured.
    pub fn stepped_on(tls: Option<Arc<ServerConfig>>, parts: Receiver<Vec<u8>>) -> Origin {
        let parts = Mutex::new(parts);
        Origin::bind("127.0.0.1:0", tls, move |mut connection, shared: &Shared| {
            let Some(request) = connection.try_receive_request() else { return };
            shared.requests.lock().unwrap().push(request);
            while let Ok(part) = parts.lock().unwrap().recv() {
                if connection.try_send(part).is_err() {
                    return;
                }
            }
            connection.close();
        })
    }

    /// An HTTP/1.1 origin that answers each request.
    pub fn http(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Origin {
        Origin::http_on("127.0.0.1:0", None, answer)
    }

    /// The same inside TLS.
    pub fn https(
        tls: Arc<ServerConfig>,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Origin {
        Origin::http_on("127.0.0.1:0", Some(tls), answer)
    }

    /// The same at an address of the caller's.
    pub fn http_on(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Origin {
        Origin::bind(address, tls, move |mut connection, shared: &Shared| {
            while let Some(request) = connection.try_receive_request() {
                let reply = answer(&request);
                shared.requests.lock().unwrap().push(request);
                if connection.try_send(&reply.bytes).is_err() {
                    return;
                }
                if reply.close {
                    return connection.close();
                }
            }
        })
    }

    fn bind(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(Connection, &Shared) + Send + Sync + 'static,
    ) -> Origin {
        let listener = TcpListener::bind(address).expect("bind an origin");
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let script = Arc::new(script);
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, script, tls) = (accepting.clone(), script.clone(), tls.clone());
                shared.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    serve(tcp.unwrap(), tls, &shared, script.as_ref());
                    shared.ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Origin { address, shared }
    }

    /// `host:port` of the origin, by address.
    pub fn dest(&self) -> String {
        self.address.to_string()
    }

    /// `localhost:port`, which is what TLS origins are certified for beside their address.
    pub fn local_dest(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// An absolute URL at the origin.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Connections whose script has ended.
    pub fn ended(&self) -> usize {
        self.shared.ended.load(Ordering::SeqCst)
    }

    /// TLS handshakes that failed.
    pub fn failed_handshakes(&self) -> usize {
        self.shared.failed_handshakes.load(Ordering::SeqCst)
    }

    /// Every byte received so far, decrypted, on all connections.
    pub fn received(&self) -> Vec<u8> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The requests answered so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }
}

fn serve(
    tcp: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    shared: &Shared,
    script: &impl Fn(Connection, &Shared),
) {
    let mut connection = Connection::new(tcp);
    if let Some(tls) = tls {
        match connection.tls_server(tls) {
            Ok(secured) => connection = secured,
            Err(_) => {
                shared.failed_handshakes.fetch_add(1, Ordering::SeqCst);
                return;
            }
        }
    }
    connection.keep_transcript(shared.received.clone());
    script(connection, shared);
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// An address of the loopback where nobody listens, outside of the range that port 0 is served from.
pub fn unused_address() -> SocketAddr {
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    loop {
        let offset = std::process::id() as usize * 61 + TAKEN.fetch_add(1, Ordering::SeqCst);
        let port = u16::try_from(10_000 + offset % 20_000).unwrap();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}
