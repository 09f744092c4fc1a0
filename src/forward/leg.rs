//! One leg of a connection: its stream and the bytes read from it that nobody has taken yet. Who hands on a
//! stream hands on its leftover bytes.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::buffer::{BufferPool, Chunk};
use crate::tls::stream::Stream;
use crate::turns::Turn;

/// A stream and its unread bytes.
#[derive(Debug)]
pub struct Leg {
    pub stream: Stream,
    pub unread: Unread,
}

impl Leg {
    /// A fresh stream: nothing was read from it.
    pub fn new(stream: Stream, buffers: &Rc<BufferPool>) -> Leg {
        Leg { stream, unread: Unread::new(buffers) }
    }

    /// Reads more; 0 is an orderly end. What is there is read at once.
    pub async fn fill(&mut self) -> io::Result<usize> {
        let Leg { stream, unread } = self;
        poll_fn(|context| unread.poll_fill(stream, context)).await
    }
}

/// Bytes read but not taken. Holds a buffer only while there are any.
#[derive(Debug)]
pub struct Unread {
    chunk: Option<Chunk>,
    buffers: Rc<BufferPool>,
    /// Since reads have no more had to wait; none if the last one had to.
    turn: Option<Turn>,
}

impl Unread {
    fn new(buffers: &Rc<BufferPool>) -> Unread {
        Unread { chunk: None, buffers: Rc::clone(buffers), turn: None }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.chunk.as_ref().map(Chunk::bytes).unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chunk.is_none()
    }

    /// The buffer they lie in, if there are any.
    pub fn chunk(&self) -> Option<&Chunk> {
        self.chunk.as_ref()
    }

    /// Hands all of them on.
    pub fn take(&mut self) -> Option<Chunk> {
        self.chunk.take()
    }

    /// Takes the first `len` away.
    pub fn consume(&mut self, len: usize) {
        if let Some(chunk) = &mut self.chunk {
            chunk.consume(len);
            if chunk.is_empty() {
                self.chunk = None;
            }
        }
    }

    /// Reads more behind what is there; 0 is an orderly end. The other connections of the core get their turn
    /// first, if it is due: whoever has always more to read would never wait, and they would.
    pub async fn fill(&mut self, stream: &Stream) -> io::Result<usize> {
        self.fill_or(stream, &mut || ()).await
    }

    /// The same; `waits` is called before it waits for bytes that are not there yet.
    pub async fn fill_or(&mut self, stream: &Stream, waits: &mut dyn FnMut()) -> io::Result<usize> {
        if let Some(turn) = &mut self.turn {
            turn.give_way().await;
        }
        let mut has_waited = false;
        let read = poll_fn(|context| {
            let read = self.poll_fill(stream, context);
            if read.is_pending() {
                if !has_waited {
                    waits();
                }
                has_waited = true;
                self.turn = None;
            }
            read
        })
        .await;
        if !has_waited && self.turn.is_none() {
            self.turn = Some(Turn::begin());
        }
        read
    }

    fn poll_fill(&mut self, stream: &Stream, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let len = match &mut self.chunk {
            Some(chunk) => {
                let spare = chunk.spare();
                if spare.is_empty() {
                    return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
                }
                let len = ready!(stream.poll_read(context, spare))?;
                chunk.filled(len);
                len
            }
            None => {
                let mut chunk = self.buffers.lend();
                let len = ready!(stream.poll_read(context, chunk.spare()))?;
                chunk.filled(len);
                self.chunk = (len > 0).then_some(chunk);
                len
            }
        };
        Poll::Ready(Ok(len))
    }
}
