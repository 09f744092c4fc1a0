//! The scanner of one core, and what its streams share.
//!
//! All work memory belongs to the core and is reused: the engine's scratch, the engine streams
//! (reset, not reopened), the carried tails. The engine's callback only notes rule and end; what
//! a hit means is decided after the scan, in `confirm`.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;

use hyperscan::{Scratch, Stream as EngineStream};
use regex::bytes::Regex;

use super::clean_blocks::CleanBlocks;
use super::confirm::Work;
use super::content::Shape;
use super::database::{Database, DatabaseError};
use super::found::MatchSink;
use super::heads::CleanHeads;
use super::history::History;
use super::hits::Hits;
use super::known_values::KnownValues;
use super::padded::{Padded, PaddedBuffer};
use super::redact::Redactor;
use super::rules::Rule;
use super::text::{Place, Text, UnitState};
use super::unit::{Body, Messages};
use super::words::Stretches;
use crate::limits::{
    SCAN_BUFFER_KEPT_BYTES, SCAN_BUFFERS_KEPT, SCAN_PADDING_BYTES, SCAN_STREAMS_KEPT,
    SCAN_WINDOW_MAX_BYTES, SCAN_WINDOW_MIN_BYTES, SCAN_WORK_BYTES,
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
    pub(super) scratch: Scratch,
    pub(super) window_bytes: usize,
    pub(super) idle_engines: Cell<Vec<EngineStream>>,
    pub(super) idle_tails: Cell<Vec<Vec<u8>>>,
    idle_buffers: Cell<Vec<PaddedBuffer>>,
    idle_work: Cell<Vec<Vec<u8>>>,
    /// How many bytes the engine was given.
    pub(super) engine_bytes: Cell<u64>,
    /// Where the last step saw what only encoded text holds: offsets of the stream.
    pub(super) gates: Cell<Vec<u64>>,
    stretches: Cell<Option<Box<Stretches>>>,
    /// In boxes, as they are taken out with each step.
    pub(super) work: Cell<Option<Box<Work>>>,
    pub(super) clean_requests: Cell<CleanHeads>,
    pub(super) clean_answers: Cell<CleanHeads>,
    /// Whether what was scanned and clean is remembered.
    pub(super) remembers: Cell<bool>,
    /// None before the first body that is longer than a block.
    pub(super) clean_blocks: Cell<Option<Box<CleanBlocks>>>,
    /// How often there was something to tell, or to judge, told or not.
    heard: Cell<u64>,
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
    pub(super) fn take_engine(&self) -> Option<EngineStream> {
        let mut idle = self.idle_engines.take();
        let engine = idle.pop();
        self.idle_engines.set(idle);
        engine.or_else(|| self.database.engines().everywhere.open_stream().ok())
    }

    /// Resets an engine stream and keeps it for the next. What matches at the end goes to `hits`.
    pub(super) fn return_engine(&self, engine: EngineStream, hits: Option<(&mut Hits, u64)>) {
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
    pub(super) fn look_at_end(&self, engine: &EngineStream, hits: &mut Hits, base: u64) {
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
    pub(super) fn scan_words(&self, history: &History<'_>, hits: &mut Hits) -> bool {
        let mut stretches = self.stretches.take().unwrap_or_default();
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
        self.stretches.set(Some(stretches));
        is_scanned
    }

    /// That there was something to tell, or to judge.
    pub(super) fn note_heard(&self) {
        self.heard.set(self.heard.get().wrapping_add(1));
    }

    /// How often there was.
    pub(super) fn heard(&self) -> u64 {
        self.heard.get()
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

    pub(super) fn take_tail(&self) -> Vec<u8> {
        let mut idle = self.idle_tails.take();
        let tail = idle.pop().unwrap_or_default();
        self.idle_tails.set(idle);
        tail
    }

    pub(super) fn return_tail(&self, mut tail: Vec<u8>) {
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
            remembers: Cell::new(true),
            clean_blocks: Cell::default(),
            heard: Cell::default(),
        };
        Ok(Scanner { core: Rc::new(core) })
    }

    /// The same one that scans all there is, whether or not it came before and was clean: for those who want to know
    /// what scanning costs.
    pub fn without_memory(self) -> Scanner {
        self.core.remembers.set(false);
        self
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
