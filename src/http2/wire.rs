//! A connection as the h2 crate wants it: tokio's traits, none of its runtime. The crate reads for as long as there is
//! anything, so here is where it lets the others of its core go first: a peer may send frames faster than they are read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::forward::buffer::Chunk;
use crate::forward::leg::Leg;
use crate::tls::stream::Stream;
use crate::turns::PolledTurn;

/// A connection, and what was read from it before.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    unread: Option<Chunk>,
    turn: PolledTurn,
}

impl From<Leg> for Wire {
    fn from(leg: Leg) -> Wire {
        let Leg { stream, mut unread } = leg;
        Wire { stream, unread: unread.take(), turn: PolledTurn::default() }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(unread) = &mut self.unread {
            let bytes = unread.bytes();
            let len = bytes.len().min(into.remaining());
            into.put_slice(bytes.get(..len).unwrap_or_default());
            unread.consume(len);
            if unread.is_empty() {
                self.unread = None;
            }
            return Poll::Ready(Ok(()));
        }
        ready!(self.turn.poll_give_way(context));
        let read = self.stream.poll_read(context, into.initialize_unfilled());
        if read.is_pending() {
            self.turn.waits();
        }
        into.advance(ready!(read)?);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_write(context, from)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_finish(context).map(Ok)
    }
}
