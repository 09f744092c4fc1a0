//! One connection's bytes, clear or through rustls, behind the same few calls. Moves bytes; knows no HTTP.
//!
//! rustls is driven by hand: ciphertext is received into a buffer lent by the core, decrypted, and the clear
//! bytes are copied to the caller's buffer; nothing is held while a connection is idle but rustls's own state.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, BufRead, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::server::Acceptor;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig};

use crate::forward::buffer::{BufferPool, Chunk};
use crate::forward::tcp::{Idle, Tcp};

/// What goes to rustls at once; its own send buffer is as large.
const PLAINTEXT_STEP_BYTES: usize = 64 * 1024;

/// A connection, clear or encrypted.
pub enum Stream {
    /// Bytes as they are on the wire.
    Clear(Tcp),
    /// Bytes inside TLS.
    Tls(Box<Tls>),
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_tls() { "Tls" } else { "Clear" };
        write!(f, "Stream::{kind}({})", self.peer())
    }
}

impl Stream {
    /// Whether the bytes are encrypted on the wire.
    pub fn is_tls(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.tcp().peer()
    }

    fn tcp(&self) -> &Tcp {
        match self {
            Stream::Clear(tcp) => tcp,
            Stream::Tls(tls) => &tls.tcp,
        }
    }

    /// Reads clear bytes; 0 is an orderly end. Truncated TLS is `UnexpectedEof`.
    pub fn poll_read(&self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Clear(tcp) => tcp.poll_read(context, into),
            Stream::Tls(tls) => tls.poll_read(context, into),
        }
    }

    /// Writes all of `bytes`, waiting for the peer as long as it takes.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let len = match self {
                Stream::Clear(tcp) => poll_fn(|context| tcp.poll_write(context, bytes)).await?,
                Stream::Tls(tls) => poll_fn(|context| tls.poll_write(context, bytes)).await?,
            };
            if len == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = bytes.get(len..).unwrap_or_default();
        }
        match self {
            Stream::Clear(_) => Ok(()),
            Stream::Tls(tls) => poll_fn(|context| tls.poll_flush(context)).await,
        }
    }

    /// Ends our direction in order: close_notify where there is TLS, then FIN.
    pub async fn finish(&self) {
        if let Stream::Tls(tls) = self {
            tls.session.borrow_mut().connection.send_close_notify();
            // The peer may be gone already; then there is nobody to tell.
            let _ = poll_fn(|context| tls.poll_flush(context)).await;
        }
        self.tcp().shutdown_write();
    }

    /// Makes the coming close visible as a cut: no close_notify, and a reset.
    pub fn abort(&self) {
        self.tcp().reset_on_close();
    }

    /// Whether an idle connection can carry another request: open, and nothing unasked for in it.
    pub fn is_reusable(&self, context: &mut Context<'_>) -> bool {
        match (self, self.tcp().look()) {
            (_, Idle::Quiet) => true,
            (_, Idle::Gone) | (Stream::Clear(_), Idle::Readable) => false,
            // Session tickets and key updates may have come in; anything else ends the reuse.
            (Stream::Tls(tls), Idle::Readable) => tls.poll_read(context, &mut [0]).is_pending(),
        }
    }
}

/// A TLS connection of either side.
pub struct Tls {
    tcp: Tcp,
    buffers: Rc<BufferPool>,
    /// Borrowed inside one poll only, never across an await.
    session: RefCell<Session>,
}

struct Session {
    connection: Connection,
    /// Ciphertext received but not yet given to rustls.
    received: Option<Chunk>,
    /// Ciphertext made but not yet sent.
    unsent: Option<Chunk>,
    /// The peer sent FIN.
    ended: bool,
}

impl Tls {
    fn new(
        tcp: Tcp,
        connection: Connection,
        received: Option<Chunk>,
        pool: &Rc<BufferPool>,
    ) -> Tls {
        let session = Session { connection, received, unsent: None, ended: false };
        Tls { tcp, buffers: Rc::clone(pool), session: RefCell::new(session) }
    }

    fn poll_read(&self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut session = self.session.borrow_mut();
        let mut total = 0;
        loop {
            let room = into.get_mut(total..).unwrap_or_default();
            match session.connection.reader().read(room) {
                Ok(0) if total == 0 => return Poll::Ready(Ok(0)),
                Ok(0) => return Poll::Ready(Ok(total)),
                Ok(len) => {
                    total += len;
                    if total == into.len() {
                        return Poll::Ready(Ok(total));
                    }
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if total > 0 && session.received.is_none() {
                        return Poll::Ready(Ok(total));
                    }
                }
                Err(_) if total > 0 => return Poll::Ready(Ok(total)),
                Err(error) => return Poll::Ready(Err(error)),
            }
            match self.poll_receive(&mut session, context) {
                Poll::Ready(Ok(())) => {}
                // What was decrypted goes out first; the failure shows again on the next read.
                _ if total > 0 => return Poll::Ready(Ok(total)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Gives rustls ciphertext: what is at hand, else what the socket has.
    fn poll_receive(
        &self,
        session: &mut Session,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if session.received.is_none() && !session.ended {
            let mut chunk = self.buffers.lend();
            let len = ready!(self.tcp.poll_read(context, chunk.spare()))?;
            chunk.filled(len);
            session.ended = len == 0;
            session.received = (len > 0).then_some(chunk);
        }
        session.digest()?;
        if session.connection.wants_write() {
            // An answer to a key update, or an alert: it leaves now or with the next write.
            if let Poll::Ready(Err(error)) = self.poll_send(session, context) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut session = self.session.borrow_mut();
        ready!(self.poll_send(&mut session, context))?;
        let step = bytes.get(..PLAINTEXT_STEP_BYTES).unwrap_or(bytes);
        let len = session.connection.writer().write(step)?;
        match self.poll_send(&mut session, context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(len)),
        }
    }

    fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(&mut self.session.borrow_mut(), context)
    }

    /// Sends all ciphertext there is.
    fn poll_send(&self, session: &mut Session, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(unsent) = &mut session.unsent {
                while !unsent.is_empty() {
                    let len = ready!(self.tcp.poll_write(context, unsent.bytes()))?;
                    unsent.consume(len);
                }
                session.unsent = None;
            }
            if !session.connection.wants_write() {
                return Poll::Ready(Ok(()));
            }
            let mut chunk = self.buffers.lend();
            while session.connection.wants_write() && !chunk.spare().is_empty() {
                session.connection.write_tls(&mut Filling(&mut chunk))?;
            }
            session.unsent = Some(chunk);
        }
    }

    /// Runs the handshake to its end, our last flight included.
    async fn handshake(&self) -> io::Result<()> {
        poll_fn(|context| {
            let mut session = self.session.borrow_mut();
            loop {
                ready!(self.poll_send(&mut session, context))?;
                if !session.connection.is_handshaking() {
                    return Poll::Ready(Ok(()));
                }
                let received = ready!(self.poll_receive(&mut session, context));
                if let Err(error) = received {
                    // The alert that tells the peer why.
                    let _ = self.poll_send(&mut session, context);
                    return Poll::Ready(Err(error));
                }
                if session.ended && session.connection.is_handshaking() {
                    return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                }
            }
        })
        .await
    }
}

impl Session {
    /// Hands received ciphertext to rustls for as long as it takes any.
    fn digest(&mut self) -> io::Result<()> {
        let Session { connection, received, ended, .. } = self;
        if *ended && received.is_none() {
            connection.read_tls(&mut io::empty())?;
            return process(connection);
        }
        while let Some(chunk) = received {
            let len = match connection.read_tls(&mut chunk.bytes()) {
                Ok(len) => len,
                // Its buffer of clear bytes is full: those are read first.
                Err(_) if has_plaintext(connection) => return Ok(()),
                Err(error) => return Err(error),
            };
            chunk.consume(len);
            if chunk.is_empty() {
                *received = None;
            }
            process(connection)?;
            if len == 0 {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn process(connection: &mut Connection) -> io::Result<()> {
    match connection.process_new_packets() {
        Ok(_) => Ok(()),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

fn has_plaintext(connection: &mut Connection) -> bool {
    match connection {
        Connection::Client(client) => client.reader().fill_buf().is_ok_and(|b| !b.is_empty()),
        Connection::Server(server) => server.reader().fill_buf().is_ok_and(|b| !b.is_empty()),
    }
}

/// Lets rustls write into a lent buffer.
struct Filling<'a>(&'a mut Chunk);

impl Write for Filling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.0.append(bytes))
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for slice in slices {
            let len = self.0.append(slice);
            total += len;
            if len < slice.len() {
                break;
            }
        }
        Ok(total)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why TLS could not be agreed on.
#[derive(Debug)]
pub enum HandshakeError {
    /// The protocol's fault, or a certificate's.
    Tls(rustls::Error),
    /// The connection broke.
    Io(io::Error),
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> HandshakeError {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(tls) => HandshakeError::Tls(tls.clone()),
            None => HandshakeError::Io(error),
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::Tls(error) => write!(f, "{error}"),
            HandshakeError::Io(error) => write!(f, "{error}"),
        }
    }
}

/// Whether a client's handshake failed because it does not accept our leaf.
pub fn is_rejected_leaf(error: &HandshakeError) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        error,
        HandshakeError::Tls(rustls::Error::AlertReceived(
            Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown
        ))
    )
}

/// A client's hello, read whole and not answered yet.
pub struct Hello {
    tcp: Tcp,
    accepted: rustls::server::Accepted,
    received: Option<Chunk>,
    buffers: Rc<BufferPool>,
}

impl Hello {
    /// Reads a ClientHello, beginning with the bytes that were read already.
    pub async fn read(
        tcp: Tcp,
        mut received: Option<Chunk>,
        buffers: &Rc<BufferPool>,
    ) -> Result<Hello, HandshakeError> {
        let mut acceptor = Acceptor::default();
        loop {
            while let Some(chunk) = &mut received {
                let len = acceptor.read_tls(&mut chunk.bytes())?;
                chunk.consume(len);
                if chunk.is_empty() {
                    received = None;
                }
                match acceptor.accept() {
                    Ok(Some(accepted)) => {
                        return Ok(Hello { tcp, accepted, received, buffers: Rc::clone(buffers) });
                    }
                    Ok(None) => {}
                    Err((error, alert)) => return Err(refuse(&tcp, error, alert).await),
                }
            }
            let mut chunk = buffers.lend();
            let len = poll_fn(|context| tcp.poll_read(context, chunk.spare())).await?;
            if len == 0 {
                return Err(HandshakeError::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            chunk.filled(len);
            received = Some(chunk);
        }
    }

    /// The name the client asks for, if it sent one.
    pub fn server_name(&self) -> Option<String> {
        self.accepted.client_hello().server_name().map(str::to_ascii_lowercase)
    }

    /// Answers it with the given certificate and finishes the handshake.
    pub async fn accept(self, config: Arc<ServerConfig>) -> Result<Stream, HandshakeError> {
        let connection = match self.accepted.into_connection(config) {
            Ok(connection) => Connection::Server(connection),
            Err((error, alert)) => return Err(refuse(&self.tcp, error, alert).await),
        };
        let tls = Tls::new(self.tcp, connection, self.received, &self.buffers);
        tls.handshake().await?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

async fn refuse(
    tcp: &Tcp,
    error: rustls::Error,
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
        .map_err(|_| HandshakeError::Tls(rustls::Error::General("not a host name".into())))?;
    let connection = ClientConnection::new(config, name).map_err(HandshakeError::Tls)?;
    let tls = Tls::new(tcp, Connection::Client(connection), None, buffers);
    tls.handshake().await?;
    Ok(Stream::Tls(Box::new(tls)))
}
