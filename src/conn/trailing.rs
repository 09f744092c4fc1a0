//! The scan of a body that comes in pieces and goes on behind its bytes: small pieces wait in the core's backlog
//! until the bytes of every connection that is ready have left. Pieces are scanned in their order.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::backlog::defer_piece;
use super::body::Ranges;
use super::core::Core;
use super::inspect::{Pace, Sight, end_body, note_shape, scan_piece};
use crate::finding::Direction;
use crate::forward::buffer::Chunk;
use crate::limits::BACKLOG_PIECE_MAX_BYTES;
use crate::scan::{Body, Padded, Shape};

/// One body and how far it is scanned.
pub struct Trailing {
    core: Rc<Core>,
    sight: Sight,
    direction: Direction,
    /// None once its end was scanned.
    body: RefCell<Option<Body>>,
    /// Few bytes may make much work.
    is_encoded: bool,
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
        note_shape(core, sight, shape);
        Rc::new(Trailing {
            core: Rc::clone(core),
            sight: sight.clone(),
            direction,
            body: RefCell::new(Some(core.scanner.body(shape))),
            is_encoded: shape.is_encoded(),
            waiting: Cell::new(0),
        })
    }

    /// The core under whose configuration it is scanned.
    pub fn core(&self) -> &Rc<Core> {
        &self.core
    }

    /// What is known of it.
    pub fn sight(&self) -> &Sight {
        &self.sight
    }

    /// Scans the next bytes, or has them scanned: `ranges` of those not taken from `chunk` yet.
    pub async fn follow(self: &Rc<Self>, chunk: &Chunk, ranges: &Ranges, is_last: bool) {
        let len: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        let may_wait = len <= BACKLOG_PIECE_MAX_BYTES && !self.is_encoded && !is_last;
        if may_wait && defer_piece(self, chunk, ranges) {
            return;
        }
        self.catch_up();
        let mut pace = Pace::new(self.is_encoded);
        for range in ranges {
            let (backing, range) = chunk.backing(range.clone());
            self.count(range.len());
            match Padded::new(backing, range.clone()) {
                Some(bytes) => pace.walk(&self.core, bytes, |piece| self.feed(piece)).await,
                None => self.core.counters.bytes_unscanned.add(range.len() as u64),
            }
        }
    }

    /// The end of the body.
    pub fn finish(&self) {
        self.catch_up();
        if let Some(body) = self.body.take() {
            end_body(&self.core, &self.sight, self.direction, body);
        }
    }

    /// Scans what of it waits.
    fn catch_up(&self) {
        while self.waiting.get() > 0 && self.core.backlog.scan_one_of(self) {}
    }

    /// One more of its pieces waits.
    pub(super) fn note_waiting(&self) {
        self.waiting.set(self.waiting.get() + 1);
    }

    /// Scans a piece that has waited.
    pub(super) fn scan_waiting(&self, backing: &[u8], len: usize) {
        self.waiting.set(self.waiting.get().saturating_sub(1));
        self.count(len);
        match Padded::new(backing, 0..len) {
            Some(bytes) => self.feed(bytes),
            None => self.core.counters.bytes_unscanned.add(len as u64),
        }
    }

    fn count(&self, len: usize) {
        self.core.counters.bytes_scanned.add(len as u64);
    }

    fn feed(&self, bytes: Padded<'_>) {
        if let Some(body) = &mut *self.body.borrow_mut() {
            scan_piece(&self.core, &self.sight, self.direction, body, bytes);
        }
    }
}
