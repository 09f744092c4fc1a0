//! One connection's bytes, clear, through rustls or within the process, behind the same few calls. Moves bytes; knows
//! no HTTP.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::encrypted::{Agreed, Tls};
use crate::forward::buffer::BufferPool;
use crate::forward::pipe::{Failure, Pipe};
use crate::forward::tcp::{Idle, Tcp};

/// A connection, clear or encrypted.
pub enum Stream {
    /// Bytes as they are on the wire.
    Clear(Tcp),
    /// Bytes inside TLS.
    Tls(Box<Tls>),
    /// What one stream of an HTTP/2 connection says, as HTTP/1.1.
    Piped(Pipe),
}

/// What a connection's bytes go through in the end.
enum Base<'a> {
    Socket(&'a Tcp),
    Pipe(&'a Pipe),
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Stream::Clear(_) => "Clear",
            Stream::Tls(_) => "Tls",
            Stream::Piped(_) => "Piped",
        };
        write!(f, "Stream::{kind}({})", self.peer())
    }
}

impl Stream {
    /// Whether the bytes are encrypted on the wire.
    pub fn is_tls(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }

    /// Whether it is one stream of a connection, and no connection: what is not wanted of it is reset, others go on.
    pub fn is_piped(&self) -> bool {
        matches!(self, Stream::Piped(_))
    }

    /// Whether an end in order can be told from one that is none: not in the clear.
    pub fn shows_its_end(&self) -> bool {
        !matches!(self, Stream::Clear(_))
    }

    /// Whether HTTP/2 was agreed on when TLS was.
    pub fn speaks_http2(&self) -> bool {
        matches!(self, Stream::Tls(tls) if tls.agreed() == Agreed::Http2)
    }

    /// Whether TLS was agreed on, and nothing of what is spoken inside it.
    pub fn agreed_on_nothing(&self) -> bool {
        matches!(self, Stream::Tls(tls) if tls.agreed() == Agreed::Nothing)
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        match self.base() {
            Base::Socket(tcp) => tcp.peer(),
            Base::Pipe(pipe) => pipe.peer(),
        }
    }

    fn base(&self) -> Base<'_> {
        match self {
            Stream::Clear(tcp) => Base::Socket(tcp),
            Stream::Tls(tls) => Base::Socket(tls.tcp()),
            Stream::Piped(pipe) => Base::Pipe(pipe),
        }
    }

    /// Reads clear bytes; 0 is an orderly end. Truncated TLS is `UnexpectedEof`.
    pub fn poll_read(&self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Clear(tcp) => tcp.poll_read(context, into),
            Stream::Tls(tls) => tls.poll_read(context, into),
            Stream::Piped(pipe) => pipe.poll_read(context, into),
        }
    }

    /// Writes what there is room for; inside TLS it may not have left before [`Stream::poll_flush`] is ready.
    pub fn poll_write(&self, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Stream::Clear(tcp) => tcp.poll_write(context, from),
            Stream::Tls(tls) => tls.poll_write(context, from, &[]),
            Stream::Piped(pipe) => pipe.poll_write(context, from),
        }
    }

    /// Sends what was written.
    pub fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tls(tls) => tls.poll_flush(context),
            Stream::Clear(_) | Stream::Piped(_) => Poll::Ready(Ok(())),
        }
    }

    /// Writes all of `bytes`, waiting for the peer as long as it takes.
    pub async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_both(bytes, &[]).await
    }

    /// Writes all of `first` and then all of `rest`, which leave together where they are encrypted.
    pub async fn write_both(&self, first: &[u8], rest: &[u8]) -> io::Result<()> {
        match self {
            Stream::Tls(tls) => tls.write_both(first, rest).await,
            Stream::Clear(_) | Stream::Piped(_) => {
                write_by(first, |context, bytes| self.poll_write(context, bytes)).await?;
                write_by(rest, |context, bytes| self.poll_write(context, bytes)).await
            }
        }
    }

    /// Ends our direction in order: close_notify where there is TLS, then FIN.
    pub async fn finish(&self) {
        poll_fn(|context| self.poll_finish(context)).await;
    }

    /// The same. May be polled again behind its end.
    pub fn poll_finish(&self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Stream::Clear(tcp) => tcp.shutdown_write(),
            Stream::Tls(tls) => {
                ready!(tls.poll_close(context));
                tls.tcp().shutdown_write();
            }
            Stream::Piped(pipe) => pipe.finish(),
        }
        Poll::Ready(())
    }

    /// Reads what is there, or comes next, and forgets it: how much it was; 0 is an orderly end.
    pub async fn read_away(&self, buffers: &Rc<BufferPool>) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context, buffers.lend().spare())).await
    }

    /// Ends our direction in the middle: FIN, and no close_notify where there is TLS.
    pub fn cut(&self) {
        match self.base() {
            Base::Socket(tcp) => tcp.shutdown_write(),
            Base::Pipe(pipe) => pipe.cut(None),
        }
    }

    /// The same, and says why where a peer can be told that: within the process.
    pub fn cut_by(&self, failure: Failure) {
        match self.base() {
            Base::Socket(tcp) => tcp.shutdown_write(),
            Base::Pipe(pipe) => pipe.cut(Some(failure)),
        }
    }

    /// Makes the coming close a reset, which takes with it what the peer has not taken.
    pub fn abort(&self) {
        self.fail("given up".to_owned().into());
    }

    /// The same, and says why as [`Stream::cut_by`] does.
    pub fn fail(&self, failure: Failure) {
        match self.base() {
            Base::Socket(tcp) => tcp.reset_on_close(),
            Base::Pipe(pipe) => pipe.fail(failure),
        }
    }

    /// Sends what says nothing, where there is a way to say that: a record without data. A peer whose socket is
    /// closed answers with a reset.
    pub fn poke(&self, context: &mut Context<'_>) {
        if let Stream::Tls(tls) = self {
            tls.poke(context);
        }
    }

    /// Sends bytes at once, or none of them, in the clear, while no other write is under way. False: the connection is
    /// broken.
    pub fn send_now(&self, bytes: &[u8]) -> bool {
        match self {
            Stream::Clear(tcp) => tcp.send_now(bytes),
            Stream::Tls(_) | Stream::Piped(_) => true,
        }
    }

    /// Has the kernel look now and then whether the peer is still there.
    pub fn probe_while_idle(&self) {
        if let Base::Socket(tcp) = self.base() {
            tcp.probe_while_idle();
        }
    }

    /// Waits until the other end of a pipe is gone.
    pub async fn gone(&self) {
        match self.base() {
            Base::Socket(_) => std::future::pending().await,
            Base::Pipe(pipe) => poll_fn(|context| pipe.poll_gone(context)).await,
        }
    }

    /// How much of what was sent the peer has not taken.
    pub fn untaken_bytes(&self) -> usize {
        match self.base() {
            Base::Socket(tcp) => tcp.untaken_bytes(),
            Base::Pipe(pipe) => pipe.untaken_bytes(),
        }
    }

    /// Whether the connection failed since this was last asked.
    pub fn has_failed(&self) -> bool {
        match self.base() {
            Base::Socket(tcp) => tcp.has_failed(),
            Base::Pipe(pipe) => pipe.has_failed(),
        }
    }

    /// Whether an idle connection can carry another request: open, and nothing unasked for in it.
    pub fn is_reusable(&self, context: &mut Context<'_>) -> bool {
        let Base::Socket(tcp) = self.base() else { return false };
        match (self, tcp.look()) {
            (Stream::Clear(_), Idle::Quiet) => true,
            (_, Idle::Gone) | (Stream::Clear(_), Idle::Readable) | (Stream::Piped(_), _) => false,
            // What came behind the last answer may have left the socket with it.
            (Stream::Tls(tls), Idle::Quiet) if tls.is_drained() => true,
            // Session tickets and key updates may have come in; anything else ends the reuse.
            (Stream::Tls(tls), _) => {
                tls.poll_read(context, &mut [0]).is_pending() && tcp.look() == Idle::Quiet
            }
        }
    }
}

/// Writes all of `bytes` as they are.
pub(super) async fn write_clear(tcp: &Tcp, bytes: &[u8]) -> io::Result<()> {
    write_by(bytes, |context, bytes| tcp.poll_write(context, bytes)).await
}

async fn write_by(
    mut bytes: &[u8],
    write: impl Fn(&mut Context<'_>, &[u8]) -> Poll<io::Result<usize>>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        let len = poll_fn(|context| write(context, bytes)).await?;
        if len == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(len..).unwrap_or_default();
    }
    Ok(())
}
