//! Handshakes over a socket: rustls decides, this file brings it the peer's records and sends what it answers.
//! What a finished handshake leaves behind is a [`Tls`] connection.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::{Acceptor, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{AlertDescription, ClientConfig, Error, InvalidMessage, ServerConfig};

use super::encrypted::{Agreed, Tls};
use super::handshake_error::HandshakeError;
use super::record;
use super::session::{Schedule, Session};
use super::stream::{Stream, write_clear};
use crate::forward::buffer::{BufferPool, Chunk};
use crate::forward::tcp::Tcp;
use crate::limits::TLS_HANDSHAKE_MAX_BYTES;
use crate::turns::heavy;

/// A handshake of either side, as rustls sees it.
enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// What rustls made of what it was given.
struct Progress {
    /// Bytes at the front of the input that it needs no more.
    taken: usize,
    /// Whether it goes on without more input.
    goes_on: Result<bool, Error>,
}

impl Side {
    /// Whether rustls has something to be sent.
    fn has_made_some(&self) -> bool {
        match self {
            Side::Client(client) => client.wants_write(),
            Side::Server(server) => server.wants_write(),
        }
    }

    fn step(&mut self, input: &mut [u8], out: &mut Vec<u8>) -> Progress {
        match self {
            Side::Client(client) => step(client.process_tls_records(input), out),
            Side::Server(server) => step(server.process_tls_records(input), out),
        }
    }
}

fn step<Data>(status: UnbufferedStatus<'_, '_, Data>, out: &mut Vec<u8>) -> Progress {
    let UnbufferedStatus { discard: taken, state } = status;
    Progress { taken, goes_on: state.and_then(|state| handle(state, out)) }
}

/// Handles one state of rustls'; what is to be sent goes behind `out`. Whether it goes on without more input.
fn handle<Data>(state: ConnectionState<'_, '_, Data>, out: &mut Vec<u8>) -> Result<bool, Error> {
    match state {
        ConnectionState::EncodeTlsData(mut data) => {
            let at = out.len();
            if let Err(EncodeError::InsufficientSize(needed)) = data.encode(&mut []) {
                out.resize(at + needed.required_size, 0);
                let room = out.get_mut(at..).unwrap_or_default();
                data.encode(room).map_err(|error| Error::General(error.to_string()))?;
            }
            Ok(true)
        }
        ConnectionState::TransmitTlsData(sent) => {
            sent.done();
            Ok(true)
        }
        ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => Ok(false),
        // Records are given one at a time, the last of a handshake before any other: whoever says more before
        // it, or closes, breaks the protocol.
        ConnectionState::PeerClosed | ConnectionState::Closed => {
            Err(Error::AlertReceived(AlertDescription::CloseNotify))
        }
        _ => Err(Error::General("data before the end of the handshake".into())),
    }
}

/// A handshake under way.
pub struct Handshake {
    side: Side,
    /// What the peer sent. rustls keeps its place in it while a message is not there whole.
    pub received: Vec<u8>,
    /// How much of it rustls has seen: whole records only, so that what follows the handshake stays sealed.
    seen: usize,
    /// What is to be sent.
    pub out: Vec<u8>,
}

impl Handshake {
    /// One that we begin.
    pub fn client(client: UnbufferedClientConnection) -> Handshake {
        let side = Side::Client(client);
        Handshake { side, received: Vec::new(), seen: 0, out: Vec::new() }
    }

    /// One that a client begins, of which so much was received.
    pub fn server(server: UnbufferedServerConnection, received: Vec<u8>) -> Handshake {
        let side = Side::Server(server);
        Handshake { side, received, seen: 0, out: Vec::new() }
    }

    /// Whether it has ended well.
    pub fn is_done(&self) -> bool {
        match &self.side {
            Side::Client(client) => !client.is_handshaking(),
            Side::Server(server) => !server.is_handshaking(),
        }
    }

    /// The application protocol that was agreed on, if any was.
    fn protocol(&self) -> Option<&[u8]> {
        match &self.side {
            Side::Client(client) => client.alpn_protocol(),
            Side::Server(server) => server.alpn_protocol(),
        }
    }

    /// Lets rustls go on with the record that it was given last, and gives it the next one if there is a whole one and
    /// it wants any. Whether it did.
    pub fn advance(&mut self) -> Result<bool, Error> {
        self.settle()?;
        if self.is_done() {
            return Ok(false);
        }
        let unseen = self.received.get(self.seen..).unwrap_or_default();
        // The version, and with it the longest record, is not known yet: TLS 1.2 has the longer ones.
        match record::record_len(unseen, false) {
            Ok(Some(len)) if len <= unseen.len() => self.seen += len,
            Ok(_) => return Ok(false),
            // rustls says what is wrong with it.
            Err(_) => self.seen += unseen.len(),
        }
        Ok(true)
    }

    /// Lets rustls go on for as long as it needs no more input.
    fn settle(&mut self) -> Result<(), Error> {
        while self.step()? {}
        Ok(())
    }

    fn step(&mut self) -> Result<bool, Error> {
        let input = self.received.get_mut(..self.seen).unwrap_or_default();
        let Progress { taken, goes_on } = self.side.step(input, &mut self.out);
        self.received.drain(..taken.min(self.received.len()));
        self.seen = self.seen.saturating_sub(taken);
        goes_on
    }

    /// The alert that tells the peer why it failed, if there is one, goes behind what is to be sent.
    pub fn give_up(&mut self) {
        // It hands out what it has before it looks at input, which it must not be given again once that failed.
        while self.side.has_made_some() && self.step().is_ok() {}
    }

    /// The session, and what the peer sent behind the handshake. Our last flight leaves with what is written
    /// next, or before the peer is waited for.
    pub fn finish(self) -> Result<(Session, Vec<u8>), Error> {
        let (secrets, schedule) = match self.side {
            Side::Client(client) => {
                let (secrets, kernel) = client.dangerous_into_kernel_connection()?;
                (secrets, Schedule::Client(kernel))
            }
            Side::Server(server) => {
                let (secrets, kernel) = server.dangerous_into_kernel_connection()?;
                (secrets, Schedule::Server(kernel))
            }
        };
        Ok((Session::new(secrets, schedule, self.out)?, self.received))
    }
}

/// Runs a handshake to its end.
async fn run(
    tcp: Tcp,
    mut handshake: Handshake,
    buffers: &Rc<BufferPool>,
) -> Result<Stream, HandshakeError> {
    loop {
        let advanced = loop {
            // Between two records others may go first: each may take a signature.
            match heavy(|| handshake.advance()).await {
                Ok(true) => {}
                advanced => break advanced,
            }
        };
        if let Err(error) = advanced {
            handshake.give_up();
            // The peer may be gone already; then there is nobody to tell.
            let _ = poll_fn(|context| tcp.poll_write(context, &handshake.out)).await;
            return Err(HandshakeError::Tls(error));
        }
        if handshake.is_done() {
            let agreed = match handshake.protocol() {
                None => Agreed::Nothing,
                Some(super::ALPN_HTTP_2) => Agreed::Http2,
                Some(_) => Agreed::Other,
            };
            let (session, received) = handshake.finish().map_err(HandshakeError::Tls)?;
            return Ok(Stream::Tls(Box::new(Tls::new(tcp, session, &received, agreed, buffers))));
        }
        write_clear(&tcp, &handshake.out).await?;
        handshake.out.clear();
        receive(&tcp, &mut handshake.received, buffers).await?;
    }
}

/// Reads more behind `received`, which is no longer than what was read: a handshake may wait long.
async fn receive(
    tcp: &Tcp,
    received: &mut Vec<u8>,
    buffers: &Rc<BufferPool>,
) -> Result<(), HandshakeError> {
    let most = TLS_HANDSHAKE_MAX_BYTES.saturating_sub(received.len());
    if most == 0 {
        return Err(HandshakeError::Tls(InvalidMessage::HandshakePayloadTooLarge.into()));
    }
    let len = poll_fn(|context| {
        let mut chunk = buffers.lend();
        // What follows the handshake is to fit into one buffer, too.
        let room = chunk.spare().get_mut(..most).unwrap_or_default();
        let len = ready!(tcp.poll_read(context, room))?;
        chunk.filled(len);
        received.extend_from_slice(chunk.bytes());
        Poll::Ready(io::Result::Ok(len))
    })
    .await?;
    match len {
        0 => Err(HandshakeError::Io(io::ErrorKind::UnexpectedEof.into())),
        _ => Ok(()),
    }
}

/// A client's hello, read whole and not answered yet.
pub struct Hello {
    tcp: Tcp,
    server_name: Option<String>,
    received: Vec<u8>,
    buffers: Rc<BufferPool>,
}

impl Hello {
    /// Reads a ClientHello, beginning with the bytes that were read already.
    pub async fn read(
        tcp: Tcp,
        received: Option<Chunk>,
        buffers: &Rc<BufferPool>,
    ) -> Result<Hello, HandshakeError> {
        let mut received = received.map(|chunk| chunk.bytes().to_vec()).unwrap_or_default();
        // It looks only: whoever makes the handshake reads the same bytes again.
        let mut acceptor = Acceptor::default();
        let mut seen = 0;
        loop {
            while let Some(unseen) = received.get(seen..).filter(|rest| !rest.is_empty()) {
                seen += acceptor.read_tls(&mut &*unseen)?;
                match acceptor.accept() {
                    Ok(Some(accepted)) => {
                        let hello = accepted.client_hello();
                        let server_name = hello.server_name().map(str::to_ascii_lowercase);
                        let buffers = Rc::clone(buffers);
                        return Ok(Hello { tcp, server_name, received, buffers });
                    }
                    Ok(None) => {}
                    Err((error, alert)) => return Err(refuse(&tcp, error, alert).await),
                }
            }
            receive(&tcp, &mut received, buffers).await?;
        }
    }

    /// The name the client asks for, if it sent one.
    pub fn server_name(&self) -> Option<String> {
        self.server_name.clone()
    }

    /// Answers it with the given certificate and finishes the handshake.
    pub async fn accept(self, config: Arc<ServerConfig>) -> Result<Stream, HandshakeError> {
        let server = UnbufferedServerConnection::new(config).map_err(HandshakeError::Tls)?;
        run(self.tcp, Handshake::server(server, self.received), &self.buffers).await
    }
}

async fn refuse(
    tcp: &Tcp,
    error: Error,
    mut alert: rustls::server::AcceptedAlert,
) -> HandshakeError {
    let mut bytes = Vec::new();
    if alert.write_all(&mut bytes).is_ok() {
        // The client may be gone already; then there is nobody to tell.
        let _ = poll_fn(|context| tcp.poll_write(context, &bytes)).await;
    }
    HandshakeError::Tls(error)
}

/// Opens TLS to an origin: the name is both sent (a DNS name) and verified.
pub async fn connect(
    tcp: Tcp,
    name: &str,
    config: Arc<ClientConfig>,
    buffers: &Rc<BufferPool>,
) -> Result<Stream, HandshakeError> {
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| HandshakeError::Tls(Error::General("not a host name".into())))?;
    let client = UnbufferedClientConnection::new(config, name).map_err(HandshakeError::Tls)?;
    run(tcp, Handshake::client(client), buffers).await
}
