//! What was forwarded already and has yet to be scanned: heads, and bodies that came whole in one read. The
//! bytes of every connection that is ready leave first; then the core scans what it put aside. Nothing is lost
//! with its connection: what waits here belongs to the core.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::core::Core;
use super::inspect::{Sight, scan_body, scan_head};
use crate::finding::Direction;
use crate::forward::buffer::{Chunk, Scratch};
use crate::limits::{BACKLOG_MAX, BACKLOG_MAX_BYTES, BACKLOG_PART_MAX_BYTES, SCAN_PADDING_BYTES};
use crate::scan::Shape;

/// The parts of messages that one core has to scan.
#[derive(Default)]
pub struct Backlog {
    waiting: RefCell<VecDeque<Waiting>>,
    load: Cell<Load>,
    waker: RefCell<Option<Waker>>,
    /// Nothing is put aside any more.
    is_closed: Cell<bool>,
}

/// How much waits.
#[derive(Clone, Copy, Default)]
struct Load {
    parts: usize,
    bytes: usize,
}

impl Load {
    /// Whether one more part of `len` bytes may be put aside, that holds so many in all.
    fn has_room(self, len: usize, held: usize) -> bool {
        len <= BACKLOG_PART_MAX_BYTES
            && self.bytes + held <= BACKLOG_MAX_BYTES
            && self.parts < BACKLOG_MAX
    }
}

struct Waiting {
    /// The core under the configuration that the part came by.
    core: Rc<Core>,
    sight: Sight,
    direction: Direction,
    part: Part,
    /// The part, and the padding.
    bytes: Scratch,
    len: usize,
    /// What it holds in all, the path that the policy looks at included.
    held: usize,
}

/// Which part of a message it is.
enum Part {
    Head,
    Body(Shape),
}

impl Backlog {
    /// Scans all that waits, whenever something does, until it is closed.
    pub async fn work(&self) {
        poll_fn(|context| {
            while self.scan_one() {
                // The next of many has to wait while connections do.
                if glommio::executor().need_preempt() {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
            if self.is_closed.get() {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// From now on nothing is put aside, and the work ends with what waits.
    pub fn close(&self) {
        self.is_closed.set(true);
        self.wake();
    }

    /// Whether the work is to end.
    pub fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn scan_one(&self) -> bool {
        let Some(waiting) = self.waiting.borrow_mut().pop_front() else { return false };
        let Waiting { core, sight, direction, part, bytes, len, held } = waiting;
        let load = self.load.get();
        self.load.set(Load { parts: load.parts - 1, bytes: load.bytes - held });
        match part {
            Part::Head => scan_head(&core, &sight, direction, (&bytes.bytes, 0..len)),
            Part::Body(shape) => {
                scan_body(&core, &sight, direction, &shape, (&bytes.bytes, 0..len))
            }
        }
        true
    }

    fn put(&self, waiting: Waiting) {
        let Load { parts, bytes } = self.load.get();
        self.load.set(Load { parts: parts + 1, bytes: bytes + waiting.held });
        self.waiting.borrow_mut().push_back(waiting);
        self.wake();
    }
}

/// Has the head scanned that lies at the front of `chunk`.
pub fn defer_head(core: &Rc<Core>, sight: &Sight, direction: Direction, chunk: &Chunk, len: usize) {
    let whole = 0..len;
    if !defer(core, sight, direction, Part::Head, chunk, std::slice::from_ref(&whole)) {
        scan_head(core, sight, direction, chunk.backing(whole));
    }
}

/// Has a body scanned that lies in `chunk` whole, in these ranges; false where it is too large for that.
pub fn defer_body(
    core: &Rc<Core>,
    sight: &Sight,
    direction: Direction,
    shape: &Shape,
    chunk: &Chunk,
    ranges: &[Range<usize>],
) -> bool {
    defer(core, sight, direction, Part::Body(shape.clone()), chunk, ranges)
}

fn defer(
    core: &Rc<Core>,
    sight: &Sight,
    direction: Direction,
    part: Part,
    chunk: &Chunk,
    ranges: &[Range<usize>],
) -> bool {
    let len: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let held = len + sight.path.as_ref().map_or(0, |path| path.len());
    if core.backlog.is_closed() || !core.backlog.load.get().has_room(len, held) {
        return false;
    }
    let mut bytes = core.scratch.lend();
    for range in ranges {
        bytes.bytes.extend_from_slice(chunk.bytes().get(range.clone()).unwrap_or_default());
    }
    bytes.bytes.extend_from_slice(&[0; SCAN_PADDING_BYTES]);
    let (core, sight) = (Rc::clone(core), sight.clone());
    let backlog = Rc::clone(&core.backlog);
    backlog.put(Waiting { core, sight, direction, part, bytes, len, held });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_at_the_bound_is_put_aside_and_one_past_it_is_not() {
        let none = Load::default();
        assert!(none.has_room(BACKLOG_PART_MAX_BYTES, 0));
        assert!(!none.has_room(BACKLOG_PART_MAX_BYTES + 1, 0));
    }

    #[test]
    fn what_waits_is_bounded_in_number_and_in_bytes() {
        let many = |parts, bytes| Load { parts, bytes };
        assert!(many(BACKLOG_MAX - 1, 0).has_room(1, 1));
        assert!(!many(BACKLOG_MAX, 0).has_room(1, 1));
        assert!(many(1, BACKLOG_MAX_BYTES - 10).has_room(10, 10));
        assert!(!many(1, BACKLOG_MAX_BYTES - 10).has_room(11, 11));
        // A long path counts, as it is held.
        assert!(!many(1, BACKLOG_MAX_BYTES - 10).has_room(5, 11));
    }
}
