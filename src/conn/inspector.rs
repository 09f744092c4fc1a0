//! Scanners of what comes in pieces: a body, one direction of a tunnel, the messages of one direction of a WebSocket.
//!
//! What only the end decides is scanned when one is dropped: however a connection ends, what it had passed on by
//! then is told of. That work is bounded, since nothing is left for it but what a scanner holds: windows, texts that
//! are kept to their bounds, and of what it has yet to inflate no more than one turn's. What it was not given any more is
//! counted as unscanned.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::core::Core;
use super::inspect::{Part, Reporting, Sight, Whence};
use super::told::Fact;
use crate::finding::{Direction, Step};
use crate::forward::buffer::Chunk;
use crate::limits::{
    INSPECT_CODED_BYTES, INSPECT_PIECE_MIN_BYTES, INSPECT_PIECE_WORK_BYTES, READ_BUFFER_BYTES,
};
use crate::policy::Place;
use crate::scan::{Body, Messages, Padded, Shape};
use crate::turns::Turn;

/// Scans the bytes of one body, or of one direction of a tunnel, as they come.
pub struct Inspector {
    whence: Whence,
    place: Place<'static>,
    body: Body,
    pace: Pace,
    /// Whether what is fed next are the last bytes.
    ends_next: bool,
}

impl Inspector {
    /// Of something of which nothing is known: one direction of a tunnel.
    pub fn of_tunnel(whence: Whence) -> Inspector {
        Inspector::new(whence, Place::Tunnel, &Shape::default())
    }

    /// Of one direction of a WebSocket whose frames cannot be told apart.
    pub fn of_websocket(whence: Whence) -> Inspector {
        Inspector::new(whence, Place::WebSocket, &Shape::default())
    }

    /// Of the body of a message.
    pub fn of_body(whence: Whence, shape: &Shape) -> Inspector {
        Inspector::new(whence, Place::Body, shape)
    }

    fn new(whence: Whence, place: Place<'static>, shape: &Shape) -> Inspector {
        if let Some(unknown) = shape.unknown() {
            whence.core.counters.bodies_undecodable.add(1);
            let dest = &whence.sight.dest;
            let level = whence.core.level(Fact::UnknownCoding, dest, log::Level::Warn);
            log::log!(level, "{dest}: a body is read as it stands only: {unknown}");
        }
        let body = whence.core.scanner.body(shape);
        Inspector { whence, place, body, pace: Pace::new(shape.is_encoded()), ends_next: false }
    }

    /// That no byte comes behind those that are fed next.
    pub(super) fn ends_next(&mut self) {
        self.ends_next = true;
    }

    /// That [`Inspector::settle`] will say when nothing more comes at once.
    pub(super) fn may_wait(&mut self) {
        self.body.may_wait();
    }

    /// Nothing more comes at once.
    pub(super) fn settle(&mut self) {
        let Inspector { whence, place, body, .. } = self;
        // Most often nothing waits: neither is a clock read then, nor is it a step that is measured.
        if !body.waits() {
            return;
        }
        let _timed = whence.core.counters.scan_time.begin();
        body.settle(&mut whence.reporting(*place));
    }

    /// The next bytes: `range` of those not taken from `chunk` yet. Others get their turn where few bytes make
    /// much work.
    pub async fn feed(&mut self, chunk: &Chunk, range: Range<usize>, turn: &mut Turn) {
        let (backing, range) = chunk.backing(range);
        self.feed_slice(backing, range, turn).await;
    }

    /// The same of a buffer with room to read behind them.
    pub(super) async fn feed_slice(
        &mut self,
        backing: &[u8],
        range: Range<usize>,
        turn: &mut Turn,
    ) {
        let Inspector { whence, place, body, pace, ends_next } = self;
        let Some(bytes) = counted(&whence.core, backing, range) else { return };
        let mut sink = whence.reporting(*place);
        let mut left = bytes.len();
        let timed = |piece: Option<Padded<'_>>| {
            let _timed = whence.core.counters.scan_time.begin();
            match piece {
                Some(piece) => {
                    left = left.saturating_sub(piece.len());
                    if *ends_next && left == 0 {
                        body.ends_next();
                    }
                    body.feed_some(piece, &mut sink)
                }
                None => body.go_on(&mut sink),
            }
        };
        let mut unscanned = Unscanned { core: Rc::clone(&whence.core), left: bytes.len() };
        pace.walk(&whence.core, bytes, turn, timed, &mut |len| unscanned.given(len)).await;
    }

    /// Counts so many bytes as unscanned, unless they are scanned.
    pub(super) fn unscanned(&self, len: usize) -> Unscanned {
        Unscanned { core: Rc::clone(&self.whence.core), left: len }
    }

    /// Ends with what [`Inspector::feed_at_once`] left.
    pub(super) async fn catch_up(&mut self, turn: &mut Turn) {
        while self.body.is_behind() {
            turn.give_way().await;
            let _timed = self.whence.core.counters.scan_time.begin();
            self.body.go_on(&mut self.whence.reporting(self.place));
        }
    }

    /// The next bytes, few, of a buffer with room to read behind them. True: they stand for many, and the next bytes are
    /// better fed where others get their turn.
    pub(super) fn feed_at_once(&mut self, backing: &[u8], range: Range<usize>) -> bool {
        let Inspector { whence, place, body, .. } = self;
        let Some(bytes) = counted(&whence.core, backing, range) else { return false };
        let _timed = whence.core.counters.scan_time.begin();
        body.feed_some(bytes, &mut whence.reporting(*place))
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        let Inspector { whence, place, body, .. } = self;
        finish(&whence.sight, || body.finish(&mut whence.reporting(*place)));
    }
}

/// Scans the messages of one direction of a WebSocket, and the controls between them.
pub struct MessageInspector<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
    messages: Messages,
    /// What was undone of the message under way, or else of the last one, before it was fed.
    coding: Option<Step>,
    pace: Pace,
}

impl<'a> MessageInspector<'a> {
    /// No message yet.
    pub fn new(core: &'a Core, sight: &'a Sight, direction: Direction) -> MessageInspector<'a> {
        MessageInspector::with(core, sight, direction, core.scanner.messages())
    }

    /// The same of messages that are Kubernetes' channels in text.
    pub fn of_base64_channels(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
    ) -> MessageInspector<'a> {
        MessageInspector::with(core, sight, direction, core.scanner.base64_channels())
    }

    /// The same of controls: each says what it says by itself.
    pub fn of_controls(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
    ) -> MessageInspector<'a> {
        MessageInspector::with(core, sight, direction, core.scanner.separate_messages())
    }

    fn with(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
        messages: Messages,
    ) -> MessageInspector<'a> {
        let (coding, pace) = (None, Pace::new(false));
        MessageInspector { core, sight, direction, messages, coding, pace }
    }

    /// The next bytes of a message: `range` of a buffer with room to read behind it.
    pub async fn feed(&mut self, backing: &[u8], range: Range<usize>, turn: &mut Turn) {
        self.coding = None;
        self.walk(backing, range, turn).await;
    }

    /// The same of a message that came by permessage-deflate.
    pub async fn feed_inflated(&mut self, backing: &[u8], range: Range<usize>, turn: &mut Turn) {
        self.coding = Some(Step::Deflate);
        self.walk(backing, range, turn).await;
    }

    async fn walk(&mut self, backing: &[u8], range: Range<usize>, turn: &mut Turn) {
        let mut sink = self.reporting();
        let MessageInspector { core, messages, pace, .. } = self;
        let Some(bytes) = counted(core, backing, range) else { return };
        let timed = |piece: Option<Padded<'_>>| {
            let _timed = core.counters.scan_time.begin();
            match piece {
                Some(piece) => messages.feed_some(piece, &mut sink),
                None => messages.go_on(&mut sink),
            }
        };
        pace.walk(core, bytes, turn, timed, &mut |_| ()).await;
    }

    /// The end of a message: the next byte is the first of another.
    pub fn end_message(&mut self) {
        let mut sink = self.reporting();
        self.messages.end_message(&mut sink);
    }

    fn reporting(&self) -> Reporting<'a> {
        let part = Part::Rest(Place::WebSocket);
        let reporting = Reporting::new(self.core, self.sight, self.direction, part);
        match self.coding {
            Some(coding) => reporting.out_of(coding),
            None => reporting,
        }
    }
}

impl Drop for MessageInspector<'_> {
    fn drop(&mut self) {
        let mut sink = self.reporting();
        let MessageInspector { sight, messages, .. } = self;
        finish(sight, || messages.finish(&mut sink));
    }
}

/// The bytes to scan; none where there is no room to read behind them. Counts them.
fn counted<'b>(core: &Core, backing: &'b [u8], range: Range<usize>) -> Option<Padded<'b>> {
    let len = range.len() as u64;
    core.counters.bytes_scanned.add(len);
    let bytes = Padded::new(backing, range);
    if bytes.is_none() {
        core.counters.bytes_unscanned.add(len);
    }
    bytes
}

/// Scans what only the end decides. From a destructor: a scanner that a defect has broken is left alone, and a
/// defect of this one goes no further, since a task may be dropped where nobody would catch it.
pub(super) fn finish(sight: &Sight, end: impl FnOnce()) {
    if !std::thread::panicking() && catch_unwind(AssertUnwindSafe(end)).is_err() {
        let dest = &sight.dest;
        log::error!("{dest}: an end is unscanned by a defect in this program; please report it");
    }
}

/// Bytes that may have left already, and are not scanned if their connection ends while others have their turn.
pub(super) struct Unscanned {
    core: Rc<Core>,
    left: usize,
}

impl Unscanned {
    /// So many of them are given to a scanner.
    pub(super) fn given(&mut self, len: usize) {
        self.left = self.left.saturating_sub(len);
    }
}

impl Drop for Unscanned {
    fn drop(&mut self) {
        // Who catches a defect counts what it cost.
        if self.left > 0 && !std::thread::panicking() {
            self.core.counters.bytes_unscanned.add(self.left as u64);
        }
    }
}

/// How many bytes are scanned at a time: fewer where they stand for many.
struct Pace {
    piece_bytes: usize,
}

impl Pace {
    fn new(may_expand: bool) -> Pace {
        Pace { piece_bytes: if may_expand { INSPECT_CODED_BYTES } else { READ_BUFFER_BYTES } }
    }

    /// Gives `bytes` to `scan` piece by piece, and others their turn before each, if it is due; also before it goes on
    /// with a piece that it did not end with, which `scan` is told by none.
    async fn walk(
        &mut self,
        core: &Core,
        bytes: Padded<'_>,
        turn: &mut Turn,
        mut scan: impl FnMut(Option<Padded<'_>>) -> bool,
        given: &mut dyn FnMut(usize),
    ) {
        let mut at = 0;
        while at < bytes.len() {
            turn.give_way().await;
            let end = bytes.len().min(at + self.piece_bytes);
            let Some(piece) = bytes.slice(at..end) else { return };
            let before = core.scanner.engine_bytes();
            let mut is_behind = scan(Some(piece));
            given(piece.len());
            while is_behind {
                turn.give_way().await;
                is_behind = scan(None);
            }
            let work = core.scanner.engine_bytes().saturating_sub(before);
            if work > INSPECT_PIECE_WORK_BYTES {
                self.piece_bytes = (self.piece_bytes / 4).max(INSPECT_PIECE_MIN_BYTES);
            } else {
                self.piece_bytes = (2 * self.piece_bytes).min(READ_BUFFER_BYTES);
            }
            at = end;
        }
    }
}
