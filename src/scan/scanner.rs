//! The scanner of one core, and the streams that go through it.
//!
//! All work memory belongs to the core and is reused: the engine's scratch, the engine streams
//! (reset, not reopened), the carried tails. The engine's callback only notes rule and end; what
//! a hit means is decided after the scan, in `confirm`.

use std::cell::{Cell, OnceCell};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use hyperscan::{Scratch, Stream as EngineStream};
use regex::bytes::Regex;

use super::confirm::{Reported, Work, confirm, confirm_known};
use super::content::Shape;
use super::database::{Database, DatabaseError};
use super::found::{Gap, MatchSink};
use super::heads::CleanHeads;
use super::history::History;
use super::hits::Hits;
use super::known_values::{KnownValues, Watch};
use super::padded::{Padded, PaddedBuffer};
use super::redact::Redactor;
use super::rules::Rule;
use super::text::{Place, Text, UnitState};
use super::unit::{Body, Messages};
use super::words::Stretches;
use crate::limits::{
    SCAN_BUFFER_KEPT_BYTES, SCAN_BUFFERS_KEPT, SCAN_CARRY_BYTES, SCAN_PADDING_BYTES,
    SCAN_STREAMS_KEPT, SCAN_WINDOW_MAX_BYTES, SCAN_WINDOW_MIN_BYTES, SCAN_WORK_BYTES,
};

/// What the streams of a core share.
pub(super) struct Core {
    /// Copies of the rules' programs, each made when its rule first matches: clones share the program,
    /// but not the memory that a search needs, which would be behind a lock otherwise.
    programs: Vec<OnceCell<Regex>>,
    pub(super) redactor: Redactor,
    /// None where nothing is watched for.
    pub(super) known: Option<Arc<KnownValues>>,
    database: Arc<Database>,
    scratch: Scratch,
    pub(super) window_bytes: usize,
    pub(super) idle_engines: Cell<Vec<EngineStream>>,
    pub(super) idle_tails: Cell<Vec<Vec<u8>>>,
    idle_buffers: Cell<Vec<PaddedBuffer>>,
    idle_work: Cell<Vec<Vec<u8>>>,
    /// How many bytes the engine was given.
    engine_bytes: Cell<u64>,
    /// Where the last step saw what only encoded text holds: offsets of the stream.
    gates: Cell<Vec<u64>>,
    stretches: Cell<Stretches>,
    work: Cell<Work>,
    pub(super) clean_requests: Cell<CleanHeads>,
    pub(super) clean_answers: Cell<CleanHeads>,
}

impl Core {
    /// The rules, in the order of their numbers.
    pub(super) fn rules(&self) -> &[Arc<Rule>] {
        self.database.rules()
    }

    /// The exact expression of the rule of this number.
    pub(super) fn program(&self, number: usize) -> Option<&Regex> {
        let own = self.programs.get(number)?;
        if own.get().is_none() {
            // It is empty: only this core sets it, and it does not come back here meanwhile.
            let _ = own.set(self.rules().get(number)?.expression.program()?.clone());
        }
        own.get()
    }

    /// An engine stream at its start; none if there is no memory for one.
    fn take_engine(&self) -> Option<EngineStream> {
        let mut idle = self.idle_engines.take();
        let engine = idle.pop();
        self.idle_engines.set(idle);
        engine.or_else(|| self.database.engines().everywhere.open_stream().ok())
    }

    /// Resets an engine stream and keeps it for the next. What matches at the end goes to `hits`.
    fn return_engine(&self, engine: EngineStream, hits: Option<(&mut Hits, u64)>) {
        let reset = match hits {
            Some((hits, base)) => engine.reset(&self.scratch, hits.noting(base)),
            None => engine.reset(&self.scratch, ()),
        };
        let mut idle = self.idle_engines.take();
        if reset.is_ok() && idle.len() < SCAN_STREAMS_KEPT {
            idle.push(engine);
        } else {
            self.close_engine(engine);
        }
        self.idle_engines.set(idle);
    }

    /// Notes what matches if a stream ends here, which it may not.
    fn look_at_end(&self, engine: &EngineStream, hits: &mut Hits, base: u64) {
        let Some(copy) = self.take_engine() else { return };
        if copy.reset_and_copy_stream(engine, &self.scratch, ()).is_ok() {
            self.return_engine(copy, Some((hits, base)));
        } else {
            self.close_engine(copy);
        }
    }

    /// Frees an engine stream. The crate's type does not do that when dropped.
    pub(super) fn close_engine(&self, engine: EngineStream) {
        // The only errors are arguments of the wrong kind; there is nothing left to undo.
        let _ = engine.close(&self.scratch, ());
    }

    /// Gives what is around the long words to their engine, which notes its hits. False: it could not be scanned.
    fn scan_words(&self, history: &History<'_>, hits: &mut Hits) -> bool {
        let mut stretches = self.stretches.take();
        stretches.gather(history);
        let mut is_scanned = true;
        if !stretches.is_empty() {
            let (bytes, places) = stretches.parts();
            self.engine_bytes.set(self.engine_bytes.get() + bytes.len() as u64);
            let words = &self.database.engines().words;
            is_scanned =
                words.scan(bytes.bytes(), &self.scratch, hits.noting_words(places)).is_ok();
        }
        stretches.shrink();
        self.stretches.set(stretches);
        is_scanned
    }

    /// What the engine gets at once.
    pub(super) fn window_bytes(&self) -> usize {
        self.window_bytes
    }

    /// Where the last step saw what only encoded text holds.
    pub(super) fn take_gates(&self) -> Vec<u64> {
        self.gates.take()
    }

    /// Gives the memory back.
    pub(super) fn return_gates(&self, mut gates: Vec<u64>) {
        gates.clear();
        self.gates.set(gates);
    }

    /// Room for what is decoded: `limits::SCAN_WORK_BYTES`, and the padding behind them.
    pub(super) fn take_work(&self) -> Vec<u8> {
        let mut idle = self.idle_work.take();
        let work = idle.pop();
        self.idle_work.set(idle);
        work.unwrap_or_else(|| vec![0; SCAN_WORK_BYTES + SCAN_PADDING_BYTES])
    }

    /// Keeps it for the next.
    pub(super) fn return_work(&self, work: Vec<u8>) {
        let mut idle = self.idle_work.take();
        if idle.len() < SCAN_BUFFERS_KEPT {
            idle.push(work);
        }
        self.idle_work.set(idle);
    }

    /// A buffer to make text in.
    pub(super) fn take_buffer(&self) -> PaddedBuffer {
        let mut idle = self.idle_buffers.take();
        let buffer = idle.pop().unwrap_or_default();
        self.idle_buffers.set(idle);
        buffer
    }

    /// Keeps a buffer for the next, unless it has grown large.
    pub(super) fn return_buffer(&self, buffer: PaddedBuffer) {
        if buffer.capacity() > SCAN_BUFFER_KEPT_BYTES {
            return;
        }
        let mut idle = self.idle_buffers.take();
        if idle.len() < SCAN_BUFFERS_KEPT {
            idle.push(buffer);
        }
        self.idle_buffers.set(idle);
    }

    fn take_tail(&self) -> Vec<u8> {
        let mut idle = self.idle_tails.take();
        let tail = idle.pop().unwrap_or_default();
        self.idle_tails.set(idle);
        tail
    }

    fn return_tail(&self, mut tail: Vec<u8>) {
        if tail.capacity() == 0 {
            return;
        }
        tail.clear();
        let mut idle = self.idle_tails.take();
        if idle.len() < SCAN_STREAMS_KEPT {
            idle.push(tail);
        }
        self.idle_tails.set(idle);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        for engine in self.idle_engines.take() {
            self.close_engine(engine);
        }
    }
}

/// Scans on one core.
pub struct Scanner {
    pub(super) core: Rc<Core>,
}

impl Scanner {
    /// A scanner that gives the engine at most `max_window_bytes` at a time (kept within
    /// `limits::SCAN_WINDOW_MIN_BYTES` and `SCAN_WINDOW_MAX_BYTES`).
    pub fn new(
        database: &Arc<Database>,
        max_window_bytes: usize,
    ) -> Result<Scanner, DatabaseError> {
        Scanner::knowing(database, max_window_bytes, None)
    }

    /// The same with values that are watched for where the sink wants that, and hidden in all snippets.
    pub fn knowing(
        database: &Arc<Database>,
        max_window_bytes: usize,
        known: Option<Arc<KnownValues>>,
    ) -> Result<Scanner, DatabaseError> {
        let scratch = database.alloc_scratch()?;
        let core = Core {
            programs: database.rules().iter().map(|_| OnceCell::new()).collect(),
            redactor: Redactor::new()?,
            known: known.filter(|known| !known.is_empty()),
            database: Arc::clone(database),
            scratch,
            window_bytes: max_window_bytes.clamp(SCAN_WINDOW_MIN_BYTES, SCAN_WINDOW_MAX_BYTES),
            idle_engines: Cell::default(),
            idle_tails: Cell::default(),
            idle_buffers: Cell::default(),
            idle_work: Cell::default(),
            engine_bytes: Cell::default(),
            gates: Cell::default(),
            stretches: Cell::default(),
            work: Cell::default(),
            clean_requests: Cell::default(),
            clean_answers: Cell::default(),
        };
        Ok(Scanner { core: Rc::new(core) })
    }

    /// Compiles what all scanners share, which else the first one does.
    pub fn warm_up() {
        // What is wrong with it, the first scanner tells.
        let _ = Redactor::new();
    }

    /// One whole text, of which no other reading is looked at: nothing in it is unescaped or decoded.
    pub(super) fn scan_as_it_stands(&self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        let mut unit = UnitState::default();
        let mut scope = unit.scope(&self.core, sink);
        Text::unfolded(Place::default(), &mut scope).feed_whole(bytes, &mut scope);
    }

    /// A unit that arrives piecemeal, of which nothing is known: as one direction of a tunnel.
    pub fn open(&self) -> Body {
        self.body(&Shape::default())
    }

    /// The body of a message. Takes no memory to speak of before its first byte.
    pub fn body(&self, shape: &Shape) -> Body {
        Body::new(&self.core, shape)
    }

    /// How many bytes the engine was given so far, those of every reading: what work scanning was.
    pub fn engine_bytes(&self) -> u64 {
        self.core.engine_bytes.get()
    }

    /// The messages of one direction of a connection, and what they are together.
    pub fn messages(&self) -> Messages {
        Messages::new(&self.core)
    }

    /// The same of messages of which plain ones say nothing together.
    pub fn separate_messages(&self) -> Messages {
        Messages::separate(&self.core)
    }
}

/// Whether a window is the last of its stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// More may follow.
    Open,
    /// The same, but not soon.
    Pause,
    /// Nothing follows.
    Here,
}

/// Bytes that belong together and arrive piecemeal. A match across the pieces is found once.
pub(super) struct Stream {
    core: Rc<Core>,
    /// The engine's state, from the first byte on.
    pub(super) engine: Option<EngineStream>,
    /// The `offset` at which the engine's state began.
    engine_base: u64,
    /// The last bytes before `offset`, at most `limits::SCAN_CARRY_BYTES`.
    pub(super) tail: Vec<u8>,
    /// How many bytes went through.
    offset: u64,
    /// In a box, since most streams have none.
    past: Option<Box<Past>>,
}

/// What was seen in a stream.
#[derive(Default)]
struct Past {
    /// The last match told of each rule that had one.
    reported: Vec<Reported>,
    /// Where in the tail there are matches that are secrets.
    secrets: Vec<Range<u64>>,
    watch: Option<Watch>,
}

impl Stream {
    /// Takes nothing before its first byte.
    pub(super) fn new(core: &Rc<Core>) -> Stream {
        Stream {
            core: Rc::clone(core),
            engine: None,
            engine_base: 0,
            tail: Vec::new(),
            offset: 0,
            past: None,
        }
    }

    /// How many bytes were carried.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The last bytes carried and the first of a window, as many of each as half of `room` holds; and how many
    /// of them are old.
    pub(super) fn seam<'b>(&self, window: &[u8], room: &'b mut [u8]) -> (&'b [u8], usize) {
        let half = room.len() / 2;
        let old = self.tail.get(self.tail.len().saturating_sub(half)..).unwrap_or_default();
        if old.is_empty() {
            return (&[], 0);
        }
        let new = window.get(..half.min(window.len())).unwrap_or_default();
        let bytes = old.iter().chain(new);
        for (place, byte) in room.iter_mut().zip(bytes) {
            *place = *byte;
        }
        (room.get(..old.len() + new.len()).unwrap_or_default(), old.len())
    }

    /// The last `len` bytes before `at` in a window, as far as they are known: carried ones, then the window's.
    pub(super) fn before<'b>(
        &'b self,
        window: &'b [u8],
        at: usize,
        len: usize,
    ) -> (&'b [u8], &'b [u8]) {
        let new = window.get(at.saturating_sub(len)..at).unwrap_or_default();
        let left = len.saturating_sub(at);
        (self.tail.get(self.tail.len().saturating_sub(left)..).unwrap_or_default(), new)
    }

    /// One run of the engine, then a look at what it noted.
    pub(super) fn step(&mut self, window: Padded<'_>, end: End, sink: &mut dyn MatchSink) {
        // Taken out for the time of the step: a sink that scanned would get work of its own.
        let mut work = self.core.work.take();
        work.hits.begin(self.core.rules().len());
        let is_scanned = self.scan(window, &mut work.hits);
        match (end, &self.engine) {
            (End::Pause, Some(engine)) => {
                self.core.look_at_end(engine, &mut work.hits, self.engine_base);
            }
            (End::Here, _) => {
                if let Some(engine) = self.engine.take() {
                    self.core.return_engine(engine, Some((&mut work.hits, self.engine_base)));
                }
            }
            _ => {}
        }
        let history =
            History { tail: &self.tail, window: window.bytes(), offset: self.offset, end };
        if !self.core.scan_words(&history, &mut work.hits) || !is_scanned {
            sink.gap(Gap::UnscannedBytes(window.len()));
        }
        work.begin();
        let watched = self.core.known.as_ref().filter(|_| sink.watches());
        if watched.is_some() || !work.hits.is_empty() {
            self.past.get_or_insert_default();
        }
        if let Some(past) = &mut self.past
            && (!work.hits.is_empty() || past.reported.iter().any(Reported::waits))
        {
            let Past { reported, secrets, .. } = past.as_mut();
            confirm(&self.core, &history, reported, secrets, &mut work, sink);
            if work.hits.passed_over() > 0 {
                sink.gap(Gap::UnconfirmedHits(work.hits.passed_over()));
            }
        }
        if let (Some(known), Some(past)) = (watched, &mut self.past) {
            let Past { reported, secrets, watch } = past.as_mut();
            let watch = watch.get_or_insert_with(|| Watch::new(known));
            confirm_known(&self.core, &history, watch, (reported, secrets), &mut work, sink);
        }
        // Those of a text that does not ask for them are not the next one's.
        let mut gates = self.core.take_gates();
        work.hits.move_gates(&mut gates);
        self.core.gates.set(gates);
        self.core.work.set(work);
    }

    /// Gives a window to the engine, which notes its hits. False: it could not be scanned.
    fn scan(&mut self, window: Padded<'_>, hits: &mut Hits) -> bool {
        if window.is_empty() {
            return true;
        }
        if self.engine.is_none() {
            self.engine = self.core.take_engine();
            self.engine_base = self.offset;
        }
        let Some(engine) = &self.engine else {
            return false;
        };
        self.core.engine_bytes.set(self.core.engine_bytes.get() + window.len() as u64);
        let scanned =
            engine.scan(window.bytes(), &self.core.scratch, hits.noting(self.engine_base));
        if scanned.is_err()
            && let Some(engine) = self.engine.take()
        {
            self.core.close_engine(engine);
        }
        scanned.is_ok()
    }

    /// Keeps the end of what went through.
    pub(super) fn carry(&mut self, window: &[u8]) {
        self.offset += window.len() as u64;
        if self.tail.capacity() == 0 {
            self.tail = self.core.take_tail();
            self.tail.reserve_exact(SCAN_CARRY_BYTES);
        }
        let kept = SCAN_CARRY_BYTES.saturating_sub(window.len());
        let stale = self.tail.len().saturating_sub(kept);
        self.tail.drain(..stale);
        let fresh = window.len().saturating_sub(SCAN_CARRY_BYTES);
        self.tail.extend_from_slice(window.get(fresh..).unwrap_or_default());
    }

    /// Gives everything back. What would match only at an end is not told.
    pub(super) fn clear(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.core.return_engine(engine, None);
        }
        self.core.return_tail(std::mem::take(&mut self.tail));
        self.offset = 0;
        self.past = None;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.clear();
    }
}
