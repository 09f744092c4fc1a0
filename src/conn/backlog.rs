//! What was forwarded already and has yet to be scanned: heads, bodies that came whole in one read, and small pieces
//! of others. The bytes of every connection that is ready leave first; then the core scans what it put aside.
//! Nothing is lost with its connection: what waits here belongs to the core.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Poll, Waker};

use memchr::memchr;

use super::core::Core;
use super::inspect::{Sight, Whence, scan_head};
use super::inspector::Inspector;
use super::trailing::Trailing;
use crate::finding::{Direction, Protocol};
use crate::forward::buffer::{Chunk, Scratch};
use crate::http::head::RequestHead;
use crate::http::target::Target;
use crate::limits::{BACKLOG_MAX, BACKLOG_MAX_BYTES, BACKLOG_PART_MAX_BYTES, SCAN_PADDING_BYTES};
use crate::scan::Shape;
use crate::turns::Turn;

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
    part: Part,
    /// The part, and the padding.
    bytes: Scratch,
    len: usize,
    /// What it holds in all, the path that the policy looks at included.
    held: usize,
}

impl Waiting {
    fn is_piece_of(&self, trailing: &Trailing) -> bool {
        matches!(&self.part, Part::Piece(of) if std::ptr::eq(Rc::as_ptr(of), trailing))
    }
}

/// Which part of a message it is.
enum Part {
    Head(Whence),
    Body(Whence, Shape),
    Piece(Rc<Trailing>),
}

impl Part {
    fn whence(&self) -> &Whence {
        match self {
            Part::Head(whence) | Part::Body(whence, _) => whence,
            Part::Piece(trailing) => trailing.whence(),
        }
    }
}

/// Counts a part as unscanned if a defect ends its scan: it has left already.
struct Attempt {
    core: Rc<Core>,
    len: usize,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.core.counters.bytes_unscanned.add(self.len as u64);
        }
    }
}

impl Backlog {
    /// Scans all that waits, whenever something does, until it is closed.
    pub async fn work(&self) {
        loop {
            self.wait().await;
            let mut turn = Turn::begin();
            while let Some(len) = self.scan_one(&mut turn).await {
                // The next of many has to wait while connections do.
                turn.give_way_behind(len).await;
            }
            if self.is_closed.get() {
                return;
            }
        }
    }

    /// Until there is something to scan, or nothing will be any more.
    async fn wait(&self) {
        poll_fn(|context| {
            if self.is_closed.get() || !self.waiting.borrow().is_empty() {
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

    /// Scans what has waited longest, and says how many bytes that was; none where nothing waits. Others get their
    /// turn where few bytes make much work.
    pub(super) async fn scan_one(&self, turn: &mut Turn) -> Option<usize> {
        let longest = self.waiting.borrow_mut().pop_front();
        let Waiting { part, bytes, len, held } = longest?;
        self.let_go(held);
        let bytes = &bytes.bytes;
        let _attempt = Attempt { core: Rc::clone(&part.whence().core), len };
        match part {
            Part::Head(whence) => scan_head(&whence, bytes, 0..len),
            Part::Body(whence, shape) => {
                let mut inspector = Inspector::of_body(whence, &shape);
                inspector.ends_next();
                inspector.feed_slice(bytes, 0..len, turn).await;
            }
            Part::Piece(trailing) => trailing.scan_waiting(bytes, len),
        }
        Some(len)
    }

    /// Scans the piece of one body that has waited longest; false where none of it waits. What waits of others is
    /// left: a defect that it shows is not this body's.
    pub fn scan_one_of(&self, trailing: &Trailing) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        let own = waiting.iter().position(|one| one.is_piece_of(trailing));
        let own = own.and_then(|own| waiting.remove(own));
        drop(waiting);
        let Some(Waiting { bytes, len, held, .. }) = own else { return false };
        self.let_go(held);
        let _attempt = Attempt { core: Rc::clone(&trailing.whence().core), len };
        trailing.scan_waiting(&bytes.bytes, len);
        true
    }

    /// Counts what does not wait any more.
    fn let_go(&self, held: usize) {
        let load = self.load.get();
        self.load.set(Load { parts: load.parts - 1, bytes: load.bytes - held });
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
    let part = || Part::Head(Whence::new(core, sight, direction));
    if !defer(core, sight, part, std::iter::once(in_chunk(chunk, &whole))) {
        let (backing, range) = chunk.backing(whole);
        scan_head(&Whence::new(core, sight, direction), backing, range);
    }
}

/// Has the head of a request scanned that lies at the front of `chunk`. Where its target is a path alone, it is read as
/// if that were a whole URI, as to a proxy: a rule may look for a host and a path together.
pub fn defer_request(
    core: &Rc<Core>,
    sight: &Sight,
    chunk: &Chunk,
    head: &RequestHead<'_>,
    target: &Target<'_>,
) {
    let scheme = match (target, sight.protocol) {
        (Target::Origin { .. }, Protocol::Http) => "http://",
        (Target::Origin { .. }, Protocol::Https) => "https://",
        _ => return defer_head(core, sight, Direction::Outbound, chunk, head.len),
    };
    let authority = head.get("host").unwrap_or(sight.dest.as_bytes());
    let bytes = chunk.bytes().get(..head.len).unwrap_or_default();
    // No empty line before a request holds a blank, and no method.
    let target_at = memchr(b' ', bytes).map_or(0, |blank| blank + 1);
    let (method, rest) = bytes.split_at_checked(target_at).unwrap_or_default();
    let pieces = [method, scheme.as_bytes(), authority, rest];
    let part = || Part::Head(Whence::new(core, sight, Direction::Outbound));
    if !defer(core, sight, part, pieces.into_iter()) {
        let mut whole = core.scratch.lend();
        let len = fill(&mut whole, pieces.into_iter());
        let whence = Whence::new(core, sight, Direction::Outbound);
        scan_head(&whence, &whole.bytes, 0..len);
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
    let part = || Part::Body(Whence::new(core, sight, direction), shape.clone());
    defer(core, sight, part, ranges.iter().map(|range| in_chunk(chunk, range)))
}

/// Has the next piece of a body scanned; false where there is no room for it.
pub fn defer_piece(trailing: &Rc<Trailing>, chunk: &Chunk, ranges: &[Range<usize>]) -> bool {
    let part = || {
        trailing.note_waiting();
        Part::Piece(Rc::clone(trailing))
    };
    let Whence { core, sight, .. } = trailing.whence();
    let pieces = ranges.iter().map(|range| in_chunk(chunk, range));
    defer(core, sight, part, pieces)
}

fn in_chunk<'c>(chunk: &'c Chunk, range: &Range<usize>) -> &'c [u8] {
    chunk.bytes().get(range.clone()).unwrap_or_default()
}

fn defer<'p>(
    core: &Rc<Core>,
    sight: &Sight,
    part: impl FnOnce() -> Part,
    pieces: impl Iterator<Item = &'p [u8]> + Clone,
) -> bool {
    let len: usize = pieces.clone().map(<[u8]>::len).sum();
    let held = len + sight.path.as_ref().map_or(0, |path| path.len());
    if core.backlog.is_closed() || !core.backlog.load.get().has_room(len, held) {
        return false;
    }
    let mut bytes = core.scratch.lend();
    fill(&mut bytes, pieces);
    core.backlog.put(Waiting { part: part(), bytes, len, held });
    true
}

/// Writes the pieces one behind the other, with the padding behind them; says how many bytes they are.
fn fill<'p>(room: &mut Scratch, pieces: impl Iterator<Item = &'p [u8]>) -> usize {
    pieces.for_each(|piece| room.bytes.extend_from_slice(piece));
    let len = room.bytes.len();
    room.bytes.extend_from_slice(&[0; SCAN_PADDING_BYTES]);
    len
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
