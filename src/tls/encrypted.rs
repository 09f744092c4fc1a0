//! One connection inside TLS, its handshake done: records to bytes and back.
//!
//! Records are received into a buffer lent by the core and opened straight into the caller's; what is written is
//! sealed straight into another one, as many records as it holds, and sent at once. Nothing is held while a
//! connection is idle but its keys.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::record::PLAINTEXT_MAX_BYTES;
use super::session::{Session, invalid_data};
use crate::forward::buffer::{BufferPool, Chunk};
use crate::forward::tcp::Tcp;
use crate::limits::TLS_RECEIVES_MAX;

/// What its ends agreed to speak inside TLS (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreed {
    Nothing,
    Http2,
    Other,
}

/// A TLS connection of either side, its handshake done.
pub struct Tls {
    tcp: Tcp,
    buffers: Rc<BufferPool>,
    agreed: Agreed,
    /// Borrowed inside one poll only, never across an await.
    state: RefCell<State>,
}

struct State {
    session: Session,
    /// Records received and not opened yet, the last one perhaps not whole.
    received: Option<Chunk>,
    /// The beginning of a record, while nothing more of it is there: no larger than it has to be.
    begun: Vec<u8>,
    /// Opened data that the reader had no room for.
    opened: Option<Chunk>,
    /// Records made but not sent yet.
    unsent: Option<Chunk>,
    /// The peer sent FIN.
    has_fin: bool,
}

impl Tls {
    /// A connection whose handshake is done; `received` is what came behind it.
    pub(super) fn new(
        tcp: Tcp,
        session: Session,
        received: &[u8],
        agreed: Agreed,
        pool: &Rc<BufferPool>,
    ) -> Tls {
        let received = (!received.is_empty()).then(|| {
            let mut chunk = pool.lend();
            chunk.append(received);
            chunk
        });
        let (begun, opened, unsent) = (Vec::new(), None, None);
        let state = State { session, received, begun, opened, unsent, has_fin: false };
        Tls { tcp, buffers: Rc::clone(pool), agreed, state: RefCell::new(state) }
    }

    /// The socket that the records go through.
    pub(super) fn tcp(&self) -> &Tcp {
        &self.tcp
    }

    /// What was agreed on.
    pub(super) fn agreed(&self) -> Agreed {
        self.agreed
    }

    /// Whether nothing that was received waits here, an end included.
    pub(super) fn is_drained(&self) -> bool {
        self.state.borrow().is_drained()
    }

    /// Says that nothing more will come. Without keys for it there is no alert, and a peer that is gone already cannot be
    /// told.
    pub(super) fn poll_close(&self, context: &mut Context<'_>) -> Poll<()> {
        let _ = self.state.borrow_mut().session.close();
        self.poll_flush(context).map(|_| ())
    }

    /// Reads what is there; waits only while nothing is. An answer that the peer is owed leaves before the wait.
    pub(super) fn poll_read(
        &self,
        context: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.borrow_mut();
        for _ in 0..TLS_RECEIVES_MAX {
            if let Some(read) = self.read_opened(&mut state, into) {
                return Poll::Ready(read);
            }
            let received = self.poll_receive(&mut state, context);
            if state.session.owes_an_answer() {
                let has_writer = state.unsent.is_some();
                match self.poll_send(&mut state, context) {
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    // The socket's word to a writer that waits is lost with the write made in its place.
                    Poll::Ready(Ok(())) if has_writer => context.waker().wake_by_ref(),
                    _ => {}
                }
            }
            ready!(received)?;
        }
        if let Some(read) = self.read_opened(&mut state, into) {
            return Poll::Ready(read);
        }
        // A peer that sends tickets without end does not keep the core from others.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Data that needs nothing from the socket; None while there is none, and the stream goes on.
    fn read_opened(&self, state: &mut State, into: &mut [u8]) -> Option<io::Result<usize>> {
        if let Some(opened) = &mut state.opened {
            let len = opened.bytes().len().min(into.len());
            copy(opened.bytes(), into);
            opened.consume(len);
            if opened.is_empty() {
                state.opened = None;
            }
            return Some(Ok(len));
        }
        match state.open_records(into) {
            Ok(0) => {}
            Ok(len) => return Some(Ok(len)),
            Err(error) => return Some(Err(invalid_data(error))),
        }
        if state.has_record() {
            // One record, and the reader has less room than it needs.
            let mut chunk = self.buffers.lend();
            match state.open_records(chunk.spare()) {
                Ok(len) => chunk.filled(len),
                Err(error) => return Some(Err(invalid_data(error))),
            }
            state.opened = (!chunk.is_empty()).then_some(chunk);
            return self.read_opened(state, into);
        }
        if state.session.is_ended() || state.has_fin {
            return Some(state.session.check_end().map(|()| 0));
        }
        None
    }

    /// Takes what the socket has behind what is there.
    fn poll_receive(&self, state: &mut State, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut chunk = state.received.take().unwrap_or_else(|| self.buffers.lend());
        let spare = chunk.spare_at_front();
        let (front, room) =
            spare.split_at_mut_checked(state.begun.len()).unwrap_or((&mut [], &mut []));
        let Poll::Ready(len) = self.tcp.poll_read(context, room) else {
            if !chunk.is_empty() {
                state.begun = chunk.bytes().to_vec();
            }
            return Poll::Pending;
        };
        let len = len?;
        state.has_fin = len == 0;
        copy(&state.begun, front);
        chunk.filled(state.begun.len() + len);
        state.begun = Vec::new();
        state.received = (!chunk.is_empty()).then_some(chunk);
        Poll::Ready(Ok(()))
    }

    pub(super) async fn write_both(&self, mut first: &[u8], mut rest: &[u8]) -> io::Result<()> {
        while !first.is_empty() || !rest.is_empty() {
            let len = poll_fn(|context| self.poll_write(context, first, rest)).await?;
            let of_rest = len.saturating_sub(first.len());
            first = first.get(len..).unwrap_or_default();
            rest = rest.get(of_rest..).unwrap_or_default();
        }
        poll_fn(|context| self.poll_flush(context)).await
    }

    /// Takes as much of both as one buffer of records carries, once what was made before has been sent.
    pub(super) fn poll_write(
        &self,
        context: &mut Context<'_>,
        first: &[u8],
        rest: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.borrow_mut();
        ready!(self.poll_send_made(&mut state, context))?;
        let mut chunk = self.buffers.lend();
        let data = first.chunks(PLAINTEXT_MAX_BYTES).chain(rest.chunks(PLAINTEXT_MAX_BYTES));
        let len = state.seal_records(data, &mut chunk).map_err(invalid_data)?;
        state.unsent = Some(chunk);
        match self.poll_send_made(&mut state, context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(len)),
        }
    }

    pub(super) fn poke(&self, context: &mut Context<'_>) {
        let mut state = self.state.borrow_mut();
        // Whoever writes finds out by that.
        if state.unsent.is_none() && state.session.queue_empty_data().is_ok() {
            let _ = self.poll_send(&mut state, context);
        }
    }

    pub(super) fn poll_flush(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(&mut self.state.borrow_mut(), context)
    }

    /// Sends all records there are, those that the session has waiting included.
    fn poll_send(&self, state: &mut State, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send_made(state, context))?;
            if !state.session.has_pending() {
                return Poll::Ready(Ok(()));
            }
            let mut chunk = self.buffers.lend();
            state.take_pending(&mut chunk);
            state.unsent = Some(chunk);
        }
    }

    fn poll_send_made(&self, state: &mut State, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(unsent) = &mut state.unsent {
            while !unsent.is_empty() {
                let len = ready!(self.tcp.poll_write(context, unsent.bytes()))?;
                if len == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                unsent.consume(len);
            }
            state.unsent = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl State {
    /// Whether nothing that was received waits here, an end included.
    fn is_drained(&self) -> bool {
        let session = &self.session;
        let is_open = !session.is_ended() && session.failure().is_none() && !self.has_fin;
        is_open && self.received.is_none() && self.opened.is_none() && self.begun.is_empty()
    }

    /// The length of the record at the front of what was received, if it is there whole.
    fn whole_record(&mut self) -> Result<Option<usize>, rustls::Error> {
        let Some(received) = &self.received else { return Ok(None) };
        let bytes = received.bytes();
        let len = self.session.record_len(bytes)?;
        Ok(len.filter(|len| *len <= bytes.len()))
    }

    fn has_record(&mut self) -> bool {
        !self.session.is_ended() && matches!(self.whole_record(), Ok(Some(_)))
    }

    /// Opens as many whole records as `into` has room for; returns how many bytes of data they had.
    fn open_records(&mut self, into: &mut [u8]) -> Result<usize, rustls::Error> {
        let mut total = 0;
        loop {
            if let Some(error) = self.session.failure() {
                let error = error.clone();
                // What came before the failure goes out first; the failure shows again on the next read.
                return if total > 0 { Ok(total) } else { Err(error) };
            }
            if self.session.is_ended() {
                return Ok(total);
            }
            let Ok(Some(len)) = self.whole_record() else {
                if self.session.failure().is_some() {
                    continue;
                }
                return Ok(total);
            };
            let Some(received) = &mut self.received else { return Ok(total) };
            let record = received.bytes().get(..len).unwrap_or_default();
            let room = into.get_mut(total..).unwrap_or_default();
            if self.session.room_for(record) > room.len() {
                return Ok(total);
            }
            // A failure is kept by the session, and looked for above.
            total += self.session.take(record, room).unwrap_or(0);
            received.consume(len);
            if received.is_empty() {
                self.received = None;
            }
        }
    }

    /// Seals as much of `records` as the chunk has room for, behind what the session has waiting.
    fn seal_records<'a>(
        &mut self,
        records: impl Iterator<Item = &'a [u8]>,
        out: &mut Chunk,
    ) -> Result<usize, rustls::Error> {
        let mut total = 0;
        for data in records {
            if let Err(error) = self.session.ready_to_seal() {
                return if total > 0 { Ok(total) } else { Err(error) };
            }
            let len = self.session.pending_bytes() + self.session.sealed_bytes(data.len());
            if out.spare().len() < len {
                break;
            }
            self.take_pending(out);
            let spare = out.spare();
            let len = self.session.seal(data, spare)?;
            out.filled(len);
            total += data.len();
        }
        Ok(total)
    }

    fn take_pending(&mut self, out: &mut Chunk) {
        if self.session.has_pending() {
            out.append(&self.session.take_pending());
        }
    }
}

/// Copies as much as both have.
fn copy(from: &[u8], to: &mut [u8]) {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
}
