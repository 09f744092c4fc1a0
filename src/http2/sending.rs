//! What a stream sends, and whether it has left: h2 throws away what waits when a stream is reset.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use h2::{Reason, SendStream};

use super::heads;

/// The sending side of one stream.
pub(super) struct Sending {
    stream: SendStream<Part>,
    unsent: Rc<Unsent>,
}

impl Sending {
    /// Nothing is sent yet but the head.
    pub(super) fn new(stream: SendStream<Part>) -> Sending {
        Sending { stream, unsent: Rc::default() }
    }

    /// Sends all of `data` as the peer's windows allow; its end is the stream's if it `is_last`.
    pub(super) async fn send(&mut self, mut data: Bytes, is_last: bool) -> Result<(), h2::Error> {
        while !data.is_empty() {
            self.stream.reserve_capacity(data.len());
            while self.stream.capacity() == 0 {
                match poll_fn(|context| self.stream.poll_capacity(context)).await {
                    Some(room) => room?,
                    // The peer reset it, or its connection is gone.
                    None => return Err(Reason::CANCEL.into()),
                };
            }
            let part = data.split_to(self.stream.capacity().min(data.len()));
            let ends = is_last && data.is_empty();
            self.stream.send_data(self.unsent.part(part), ends)?;
        }
        Ok(())
    }

    /// Ends the stream, with trailers if there are any.
    pub(super) fn end(&mut self, trailers: &[u8]) -> Result<(), h2::Error> {
        match trailers.is_empty() {
            true => self.stream.send_data(self.unsent.part(Bytes::new()), true),
            false => self.stream.send_trailers(heads::trailers_of(trailers)),
        }
    }

    /// Whether the peer has given the stream up.
    pub(super) fn poll_reset(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Reason, h2::Error>> {
        self.stream.poll_reset(context)
    }

    /// Gives the stream up; what waits is lost.
    pub(super) fn reset(&mut self, reason: Reason) {
        self.stream.send_reset(reason);
    }

    /// The same once what waits has left, unless the peer gives it up first.
    pub(super) async fn cut(&mut self, reason: Reason) {
        let is_given_up = poll_fn(|context| match self.stream.poll_reset(context) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => self.unsent.poll_none(context).map(|()| false),
        });
        if !is_given_up.await {
            self.stream.send_reset(reason);
        }
    }
}

/// Data for one frame or several. Lives for as long as it waits to be written.
#[derive(Debug)]
pub struct Part {
    data: Bytes,
    unsent: Option<Rc<Unsent>>,
}

/// What of one stream waits to be written.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    parts: Cell<usize>,
    waker: RefCell<Option<Waker>>,
}

impl Unsent {
    /// A part that is counted.
    pub(super) fn part(self: &Rc<Self>, data: Bytes) -> Part {
        self.parts.set(self.parts.get() + 1);
        Part { data, unsent: Some(Rc::clone(self)) }
    }

    /// Waits until nothing waits.
    pub(super) fn poll_none(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.parts.get() == 0 {
            return Poll::Ready(());
        }
        self.waker.replace(Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let Some(unsent) = self.unsent.take() else { return };
        unsent.parts.set(unsent.parts.get().saturating_sub(1));
        let waker = unsent.waker.take().filter(|_| unsent.parts.get() == 0);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn what_waits_is_waited_for() {
        let unsent = Rc::new(Unsent::default());
        let mut none = pin!(poll_fn(|context| unsent.poll_none(context)));
        block_on(async {
            poll_fn(|context| unsent.poll_none(context)).await;
            let mut one = unsent.part(Bytes::from_static(b"one"));
            let other = unsent.part(Bytes::new());
            one.advance(3);
            assert_eq!((one.remaining(), one.chunk()), (0, &b""[..]));
            drop(other);
            assert!(poll_once(none.as_mut()).await.is_none());
            drop(one);
            none.await;
        });
    }
}
