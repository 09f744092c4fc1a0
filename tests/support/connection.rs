//! One TCP connection of a client or an origin, clear or TLS, with exact control over how it ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use socket2::SockRef;

use super::DEADLINE;

/// How the peer ended its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In order: FIN, after a close_notify where there is TLS.
    Closed,
    /// A FIN inside TLS without close_notify.
    Truncated,
    /// A TCP reset.
    Reset,
}

enum Tls {
    Client(Box<ClientConnection>),
    Server(Box<ServerConnection>),
}

/// A blocking connection; every read that brings nothing by the deadline fails the test.
pub struct Connection {
    tcp: TcpStream,
    tls: Option<Tls>,
    pending: Vec<u8>,
    transcript: Option<Arc<Mutex<Vec<u8>>>>,
}

impl Connection {
    /// Connects to the first address of `address`.
    pub fn open(address: impl ToSocketAddrs) -> Connection {
        let address = address.to_socket_addrs().unwrap().next().unwrap();
        let tcp = TcpStream::connect_timeout(&address, DEADLINE).expect("connect");
        Connection::new(tcp)
    }

    /// Takes over a socket.
    pub fn new(tcp: TcpStream) -> Connection {
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(DEADLINE)).unwrap();
        tcp.set_write_timeout(Some(DEADLINE)).unwrap();
        Connection { tcp, tls: None, pending: Vec::new(), transcript: None }
    }

    /// Everything read from here on is also kept in `transcript`.
    pub fn keep_transcript(&mut self, transcript: Arc<Mutex<Vec<u8>>>) {
        self.transcript = Some(transcript);
    }

    /// Turns the connection into the client side of TLS and completes the handshake.
    pub fn tls_client(self, name: &str, config: Arc<ClientConfig>) -> std::io::Result<Self> {
        self.tls_client_by(name, config, |tcp, hello| tcp.write_all(hello))
    }

    /// The same, its first flight written by the caller.
    pub fn tls_client_by(
        mut self,
        name: &str,
        config: Arc<ClientConfig>,
        send_hello: impl FnOnce(&mut TcpStream, &[u8]) -> std::io::Result<()>,
    ) -> std::io::Result<Self> {
        assert!(self.pending.is_empty(), "bytes before the handshake: {:?}", self.pending);
        let name = ServerName::try_from(name.to_owned()).expect("a server name");
        let mut tls = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
        let mut hello = Vec::new();
        tls.write_tls(&mut hello)?;
        send_hello(&mut self.tcp, &hello)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.tcp)?;
        }
        self.tls = Some(Tls::Client(Box::new(tls)));
        Ok(self)
    }

    /// Turns the connection into the server side of TLS and completes the handshake.
    pub fn tls_server(mut self, config: Arc<ServerConfig>) -> std::io::Result<Self> {
        let mut tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.tcp)?;
        }
        self.tls = Some(Tls::Server(Box::new(tls)));
        Ok(self)
    }

    /// The client side of TLS, for its certificates, version and suite.
    pub fn tls_session(&self) -> &ClientConnection {
        match &self.tls {
            Some(Tls::Client(tls)) => tls,
            _ => panic!("not the client side of TLS"),
        }
    }

    pub fn local_address(&self) -> SocketAddr {
        self.tcp.local_addr().unwrap()
    }

    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Makes reads give up earlier than [`DEADLINE`].
    pub fn set_read_timeout(&self, timeout: Duration) {
        self.tcp.set_read_timeout(Some(timeout)).unwrap();
    }

    /// Makes writes give up earlier than [`DEADLINE`].
    pub fn set_write_timeout(&self, timeout: Duration) {
        self.tcp.set_write_timeout(Some(timeout)).unwrap();
    }

    /// Writes everything.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("send");
    }

    /// Writes everything, or says why not.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        let bytes = bytes.as_ref();
        match &mut self.tls {
            None => self.tcp.write_all(bytes),
            Some(Tls::Client(tls)) => {
                let mut stream = rustls::Stream::new(tls.as_mut(), &mut self.tcp);
                stream.write_all(bytes).and_then(|()| stream.flush())
            }
            Some(Tls::Server(tls)) => {
                let mut stream = rustls::Stream::new(tls.as_mut(), &mut self.tcp);
                stream.write_all(bytes).and_then(|()| stream.flush())
            }
        }
    }

    fn read_socket(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.tls {
            None => self.tcp.read(buffer),
            Some(Tls::Client(tls)) => rustls::Stream::new(tls.as_mut(), &mut self.tcp).read(buffer),
            Some(Tls::Server(tls)) => rustls::Stream::new(tls.as_mut(), &mut self.tcp).read(buffer),
        }
    }

    /// What one read brings, or how the stream ended.
    pub fn receive(&mut self) -> Result<Vec<u8>, End> {
        if !self.pending.is_empty() {
            return Ok(std::mem::take(&mut self.pending));
        }
        let mut buffer = vec![0; 64 * 1024];
        let n = match self.read_socket(&mut buffer) {
            Ok(0) => return Err(End::Closed),
            Ok(n) => n,
            Err(error) => return Err(end_of(&error)),
        };
        buffer.truncate(n);
        if let Some(transcript) = &self.transcript {
            transcript.lock().unwrap().extend_from_slice(&buffer);
        }
        Ok(buffer)
    }

    /// Gives bytes back, to be read again first.
    pub fn put_back(&mut self, bytes: &[u8]) {
        self.pending.splice(0..0, bytes.iter().copied());
    }

    /// Exactly `length` bytes, or what came before the end.
    pub fn try_receive_exact(&mut self, length: usize) -> Result<Vec<u8>, (Vec<u8>, End)> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            match self.receive() {
                Ok(more) => bytes.extend_from_slice(&more),
                Err(end) => return Err((bytes, end)),
            }
        }
        let rest = bytes.split_off(length);
        self.put_back(&rest);
        Ok(bytes)
    }

    /// Exactly `length` bytes.
    pub fn receive_exact(&mut self, length: usize) -> Vec<u8> {
        self.try_receive_exact(length).unwrap_or_else(|(bytes, end)| {
            panic!("{end:?} after {} of {length} bytes: {}", bytes.len(), lossy(&bytes))
        })
    }

    /// Everything through the first occurrence of `delimiter`, or what came before the end.
    pub fn try_receive_through(&mut self, delimiter: &[u8]) -> Result<Vec<u8>, (Vec<u8>, End)> {
        let mut bytes = Vec::new();
        loop {
            let searched = bytes.len().saturating_sub(delimiter.len());
            match self.receive() {
                Ok(more) => bytes.extend_from_slice(&more),
                Err(end) => return Err((bytes, end)),
            }
            if let Some(at) = find(&bytes[searched..], delimiter) {
                let rest = bytes.split_off(searched + at + delimiter.len());
                self.put_back(&rest);
                return Ok(bytes);
            }
        }
    }

    /// Everything through the first occurrence of `delimiter`.
    pub fn receive_through(&mut self, delimiter: &[u8]) -> Vec<u8> {
        self.try_receive_through(delimiter).unwrap_or_else(|(bytes, end)| {
            panic!("{end:?} before {:?}, after {}", lossy(delimiter), lossy(&bytes))
        })
    }

    /// Everything up to the end, and the end.
    pub fn receive_to_end(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        loop {
            match self.receive() {
                Ok(more) => bytes.extend_from_slice(&more),
                Err(end) => return (bytes, end),
            }
        }
    }

    /// Ends the sending side in order and keeps on reading.
    pub fn finish_sending(&mut self) {
        self.send_close_notify();
        let _ = self.tcp.shutdown(Shutdown::Write);
    }

    /// Ends both sides in order.
    pub fn close(mut self) {
        self.send_close_notify();
        let _ = self.tcp.shutdown(Shutdown::Both);
    }

    /// Closes TCP without a close_notify.
    pub fn close_without_notify(self) {
        let _ = self.tcp.shutdown(Shutdown::Both);
    }

    /// Ends with a TCP reset.
    pub fn reset(self) {
        SockRef::from(&self.tcp).set_linger(Some(Duration::ZERO)).unwrap();
    }

    fn send_close_notify(&mut self) {
        match &mut self.tls {
            None => {}
            Some(Tls::Client(tls)) => {
                tls.send_close_notify();
                let _ = tls.write_tls(&mut self.tcp);
            }
            Some(Tls::Server(tls)) => {
                tls.send_close_notify();
                let _ = tls.write_tls(&mut self.tcp);
            }
        }
    }
}

fn end_of(error: &std::io::Error) -> End {
    match error.kind() {
        ErrorKind::UnexpectedEof => End::Truncated,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            End::Reset
        }
        ErrorKind::WouldBlock | ErrorKind::TimedOut => panic!("nothing arrived in time"),
        _ => panic!("read: {error}"),
    }
}

/// Where `needle` first occurs.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Bytes as text for a message, cut where they are many.
pub fn lossy(bytes: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
    if bytes.len() > 2000 { format!("{shown}… ({} bytes)", bytes.len()) } else { shown }
}
