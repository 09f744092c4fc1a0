//! A connection inside the process: what one end writes, the other reads, within a bound. Knows no HTTP.
//!
//! It ends as a connection does: in order, cut, or failed with a reason. An end that is dropped without a word has cut
//! what it was writing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::limits::PIPE_BYTES;

/// A number that tells why, for an end that understands it.
pub type Code = NonZeroU32;

/// Why a direction broke off. The other end reads it as the error that [`io::Error`] holds.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    pub why: String,
    pub code: Option<Code>,
}

impl Failure {
    /// The code that an error holds.
    pub fn code_of(error: &io::Error) -> Option<Code> {
        error.get_ref()?.downcast_ref::<Failure>()?.code
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Failure {
        Failure { why, code: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Failure {}

/// One end.
#[derive(Debug)]
pub struct Pipe {
    incoming: Rc<RefCell<Way>>,
    outgoing: Rc<RefCell<Way>>,
    peer: SocketAddr,
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    bytes: VecDeque<u8>,
    /// Set once its writer writes no more.
    end: Option<End>,
    /// Its reader has gone.
    is_deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// How a direction ended.
#[derive(Debug)]
enum End {
    Whole,
    Cut(Option<Failure>),
    Failed(Failure),
}

/// Both ends of a new connection, which for whoever asks lead to `peer`.
pub fn pipe(peer: SocketAddr) -> (Pipe, Pipe) {
    let (there, back) = (Rc::default(), Rc::default());
    let one = Pipe { incoming: Rc::clone(&back), outgoing: Rc::clone(&there), peer };
    (one, Pipe { incoming: there, outgoing: back, peer })
}

impl Pipe {
    /// Who is behind it.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Reads what is there; 0 is an orderly end. A cut is `UnexpectedEof`.
    pub fn poll_read(&self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut way = self.incoming.borrow_mut();
        if !way.bytes.is_empty() {
            let len = io::Read::read(&mut way.bytes, into)?;
            wake(&mut way.writer);
            return Poll::Ready(Ok(len));
        }
        match &way.end {
            None => {
                way.reader = Some(context.waker().clone());
                Poll::Pending
            }
            Some(End::Whole) => Poll::Ready(Ok(0)),
            Some(End::Cut(None)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Some(End::Cut(Some(failure))) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, failure.clone())))
            }
            Some(End::Failed(failure)) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, failure.clone())))
            }
        }
    }

    /// Writes what there is room for.
    pub fn poll_write(&self, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let mut way = self.outgoing.borrow_mut();
        if way.is_deaf || way.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let len = from.len().min(PIPE_BYTES.saturating_sub(way.bytes.len()));
        if len == 0 && !from.is_empty() {
            way.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        way.bytes.extend(from.get(..len).unwrap_or_default());
        wake(&mut way.reader);
        Poll::Ready(Ok(len))
    }

    /// Ends our direction in order.
    pub fn finish(&self) {
        self.end(End::Whole);
    }

    /// Ends our direction in the middle, and says why if that is known.
    pub fn cut(&self, why: Option<Failure>) {
        self.end(End::Cut(why));
    }

    /// Ends our direction as failed, if it has not ended: what was written and not read yet is lost.
    pub fn fail(&self, failure: Failure) {
        if self.outgoing.borrow().end.is_none() {
            self.outgoing.borrow_mut().bytes.clear();
            self.end(End::Failed(failure));
        }
    }

    /// How much of what was written was not read.
    pub fn untaken_bytes(&self) -> usize {
        self.outgoing.borrow().bytes.len()
    }

    /// Whether the other end is gone, or said that it failed.
    pub fn has_failed(&self) -> bool {
        let is_failed = matches!(self.incoming.borrow().end, Some(End::Failed(_)));
        is_failed || self.outgoing.borrow().is_deaf
    }

    /// Waits until the other end is gone.
    pub fn poll_gone(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut way = self.outgoing.borrow_mut();
        if way.is_deaf {
            return Poll::Ready(());
        }
        way.writer = Some(context.waker().clone());
        Poll::Pending
    }

    /// The first end is the one that counts.
    fn end(&self, end: End) {
        let mut way = self.outgoing.borrow_mut();
        way.end.get_or_insert(end);
        wake(&mut way.reader);
        // Whoever still waits for room gets none.
        wake(&mut way.writer);
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.cut(None);
        let mut way = self.incoming.borrow_mut();
        way.is_deaf = true;
        way.bytes = VecDeque::new();
        wake(&mut way.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::ErrorKind;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use futures_lite::future::{block_on, poll_once};

    use super::*;

    fn ends() -> (Pipe, Pipe) {
        pipe("192.0.2.7:443".parse().unwrap())
    }

    async fn write(pipe: &Pipe, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|context| pipe.poll_write(context, bytes)).await
    }

    async fn read(pipe: &Pipe) -> io::Result<Vec<u8>> {
        let mut into = [0; 8];
        let len = poll_fn(|context| pipe.poll_read(context, &mut into)).await?;
        Ok(into[..len].to_vec())
    }

    #[test]
    fn what_one_end_writes_the_other_reads_and_then_its_end() {
        block_on(async {
            let (one, other) = ends();
            assert_eq!(write(&one, b"ten bytes.").await.unwrap(), 10);
            assert_eq!(one.untaken_bytes(), 10);
            assert_eq!(read(&other).await.unwrap(), b"ten byte");
            one.finish();
            assert_eq!(write(&one, b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert_eq!(read(&other).await.unwrap(), b"s.");
            assert_eq!(read(&other).await.unwrap(), b"");
            assert_eq!(write(&other, b"back").await.unwrap(), 4, "the other way goes on");
            assert_eq!(read(&one).await.unwrap(), b"back");
        });
    }

    #[test]
    fn a_full_pipe_makes_its_writer_wait_for_its_reader() {
        block_on(async {
            let (one, other) = ends();
            assert_eq!(write(&one, &vec![7; PIPE_BYTES + 1]).await.unwrap(), PIPE_BYTES);
            let waits = async { write(&one, b"x").await.unwrap() };
            let mut waits = std::pin::pin!(waits);
            assert_eq!(poll_once(waits.as_mut()).await, None);
            read(&other).await.unwrap();
            assert_eq!(waits.await, 1);
        });
    }

    #[derive(Default)]
    struct Told(AtomicBool);

    impl Wake for Told {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_for_room_is_told_that_the_direction_has_ended() {
        let (one, _other) = ends();
        let told = Arc::new(Told::default());
        let waker = Waker::from(Arc::clone(&told));
        let mut context = Context::from_waker(&waker);
        assert!(one.poll_write(&mut context, &vec![7; PIPE_BYTES]).is_ready());
        assert!(one.poll_write(&mut context, b"x").is_pending());
        one.fail("given up".to_owned().into());
        assert!(told.0.load(Ordering::SeqCst));
        assert!(matches!(one.poll_write(&mut context, b"x"), Poll::Ready(Err(_))));
    }

    #[test]
    fn a_cut_a_failure_and_a_drop_are_told_from_an_end_in_order() {
        block_on(async {
            let (one, other) = ends();
            write(&one, b"half").await.unwrap();
            one.cut(None);
            one.finish();
            assert_eq!(read(&other).await.unwrap(), b"half");
            let cut = read(&other).await.unwrap_err();
            assert_eq!((cut.kind(), Failure::code_of(&cut)), (ErrorKind::UnexpectedEof, None));

            let (one, other) = ends();
            let code = Code::new(7);
            one.cut(Some(Failure { why: "why".to_owned(), code }));
            let cut = read(&other).await.unwrap_err();
            assert_eq!((cut.kind(), Failure::code_of(&cut)), (ErrorKind::UnexpectedEof, code));

            let (one, other) = ends();
            write(&one, b"lost").await.unwrap();
            one.fail("why".to_owned().into());
            assert_eq!(read(&other).await.unwrap_err().to_string(), "why");
            assert!(other.has_failed());

            let (one, other) = ends();
            assert!(!other.has_failed());
            let mut gone = std::pin::pin!(poll_fn(|context| other.poll_gone(context)));
            assert!(poll_once(gone.as_mut()).await.is_none());
            drop(one);
            gone.await;
            assert!(other.has_failed());
            assert_eq!(read(&other).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
            assert_eq!(write(&other, b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
    }
}
