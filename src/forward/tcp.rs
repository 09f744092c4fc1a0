//! A TCP connection of this core: polled reads and writes by shared reference, so that both directions of one
//! task can use it at once. Knows no TLS and no HTTP.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use nix::sys::socket::{self, MsgFlags, sockopt};

use crate::limits::HALF_CLOSED_PROBE_SECS;

/// A TCP connection. The `RefCell` is borrowed inside one poll only, never across an await.
#[derive(Debug)]
pub struct Tcp {
    stream: RefCell<TcpStream>,
    peer: SocketAddr,
}

/// What a look at an idle connection showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Nothing to read: as it should be.
    Quiet,
    /// Bytes wait.
    Readable,
    /// Closed by the peer, or broken.
    Gone,
}

impl Tcp {
    /// Takes over a connected stream; small writes leave at once.
    pub fn new(stream: TcpStream) -> io::Result<Tcp> {
        stream.set_nodelay(true).map_err(io::Error::from)?;
        let peer = stream.peer_addr().map_err(io::Error::from)?;
        Ok(Tcp { stream: RefCell::new(stream), peer })
    }

    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// This end.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.stream.borrow().local_addr().map_err(io::Error::from)
    }

    /// Reads what is there.
    pub fn poll_read(&self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_read(context, into)
    }

    /// Writes what the socket takes.
    pub fn poll_write(&self, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(context, from)
    }

    /// Sends bytes at once, or none of them, while no other write is under way. False: the connection is broken.
    pub fn send_now(&self, bytes: &[u8]) -> bool {
        let fd = self.stream.borrow().as_raw_fd();
        match socket::send(fd, bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Ok(len) => len == bytes.len(),
            Err(errno) => errno == nix::errno::Errno::EAGAIN,
        }
    }

    /// Sends FIN: no more bytes will be written.
    pub fn shutdown_write(&self) {
        let fd = self.stream.borrow().as_raw_fd();
        // An error means that the peer closed first: there is nobody left to tell.
        let _ = socket::shutdown(fd, socket::Shutdown::Write);
    }

    /// How much of what was written the peer has not taken; a FIN counts as one byte.
    pub fn untaken_bytes(&self) -> usize {
        crate::ring::untaken_bytes(self.stream.borrow().as_raw_fd())
    }

    /// Whether the connection failed since this was last asked: reset by the peer, most often.
    pub fn has_failed(&self) -> bool {
        let fd = self.stream.borrow().as_raw_fd();
        !matches!(socket::getsockopt(fd, sockopt::SocketError), Ok(0))
    }

    /// Has the kernel look now and then whether the peer is still there.
    pub fn probe_while_idle(&self) {
        let fd = self.stream.borrow().as_raw_fd();
        // Without it, what is gone is found when something is written.
        let _ = socket::setsockopt(fd, sockopt::TcpKeepIdle, &HALF_CLOSED_PROBE_SECS)
            .and_then(|()| {
                socket::setsockopt(fd, sockopt::TcpKeepInterval, &HALF_CLOSED_PROBE_SECS)
            })
            .and_then(|()| socket::setsockopt(fd, sockopt::KeepAlive, &true));
    }

    /// Makes the coming close a reset, so that the peer sees that the message was cut.
    pub fn reset_on_close(&self) {
        let fd = self.stream.borrow().as_raw_fd();
        let linger = nix::libc::linger { l_onoff: 1, l_linger: 0 };
        // An error means that the connection is gone already: the peer saw its end.
        let _ = socket::setsockopt(fd, sockopt::Linger, &linger);
    }

    /// Looks without waiting and without taking a byte.
    pub fn look(&self) -> Idle {
        let fd = self.stream.borrow().as_raw_fd();
        let mut byte = [0];
        match socket::recv(fd, &mut byte, MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(0) => Idle::Gone,
            Ok(_) => Idle::Readable,
            Err(nix::errno::Errno::EAGAIN) => Idle::Quiet,
            Err(_) => Idle::Gone,
        }
    }
}
