//! The scanner of one core, and the streams that go through it.
//!
//! All work memory belongs to the core and is reused: the engine's scratch, the engine streams
//! (reset, not reopened), the carried tails. The engine's callback only notes rule and end; what
//! a hit means is decided after the scan, in `confirm`.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use hyperscan::{Scratch, Stream as EngineStream};
use regex::bytes::Regex;

use super::confirm::{History, Hits, Reported, Work, confirm, confirm_known};
use super::database::{Database, DatabaseError};
use super::found::{Gap, MatchSink};
use super::known_values::{KnownValues, Watch};
use super::padded::Padded;
use super::redact::Redactor;
use super::rules::Rule;
use crate::limits::{
    SCAN_CARRY_BYTES, SCAN_STREAMS_KEPT, SCAN_WINDOW_MAX_BYTES, SCAN_WINDOW_MIN_BYTES,
};

/// What the streams of a core share.
pub(super) struct Core {
    pub(super) exact: Vec<Regex>,
    pub(super) redactor: Redactor,
    /// None where nothing is watched for.
    pub(super) known: Option<Arc<KnownValues>>,
    database: Arc<Database>,
    scratch: Scratch,
    window_bytes: usize,
    idle_engines: Cell<Vec<EngineStream>>,
    idle_tails: Cell<Vec<Vec<u8>>>,
    work: Cell<Work>,
}

impl Core {
    /// The rules, in the order of their numbers.
    pub(super) fn rules(&self) -> &'static [Rule] {
        self.database.rules()
    }

    /// An engine stream at its start; none if there is no memory for one.
    fn take_engine(&self) -> Option<EngineStream> {
        let mut idle = self.idle_engines.take();
        let engine = idle.pop();
        self.idle_engines.set(idle);
        engine.or_else(|| self.database.engine().open_stream().ok())
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

    /// Frees an engine stream. The crate's type does not do that when dropped.
    fn close_engine(&self, engine: EngineStream) {
        // The only errors are arguments of the wrong kind; there is nothing left to undo.
        let _ = engine.close(&self.scratch, ());
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
    core: Rc<Core>,
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

    /// The same with values that are watched for in streams that ask for it, and hidden in all snippets.
    pub fn knowing(
        database: &Arc<Database>,
        max_window_bytes: usize,
        known: Option<Arc<KnownValues>>,
    ) -> Result<Scanner, DatabaseError> {
        let scratch = database
            .engine()
            .alloc_scratch()
            .map_err(|error| DatabaseError::Engine(error.to_string()))?;
        let core = Core {
            exact: database.exact_for_one_core(),
            redactor: Redactor::new()?,
            known: known.filter(|known| !known.is_empty()),
            database: Arc::clone(database),
            scratch,
            window_bytes: max_window_bytes.clamp(SCAN_WINDOW_MIN_BYTES, SCAN_WINDOW_MAX_BYTES),
            idle_engines: Cell::default(),
            idle_tails: Cell::default(),
            work: Cell::default(),
        };
        Ok(Scanner { core: Rc::new(core) })
    }

    /// One whole unit, as a message head: every match goes to the sink.
    pub fn scan_block(&self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        self.scan_whole(self.open(), bytes, sink);
    }

    /// The same, with a watch for known values.
    pub fn scan_block_watched(&self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        self.scan_whole(self.open_watched(), bytes, sink);
    }

    fn scan_whole(&self, mut stream: Stream, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        if bytes.len() <= self.core.window_bytes {
            stream.step(bytes, End::Here, sink);
        } else {
            stream.feed(bytes, sink);
            stream.finish(sink);
        }
    }

    /// A stream: one body, or one direction of a tunnel. Takes nothing before its first byte.
    pub fn open(&self) -> Stream {
        Stream {
            core: Rc::clone(&self.core),
            engine: None,
            engine_base: 0,
            tail: Vec::new(),
            offset: 0,
            reported: Vec::new(),
            secrets: Vec::new(),
            watch: None,
        }
    }

    /// The same, with a watch for known values.
    pub fn open_watched(&self) -> Stream {
        let mut stream = self.open();
        stream.watch = self.core.known.as_ref().map(|known| Box::new(Watch::new(known)));
        stream
    }
}

/// Whether a window is the last of its stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// More may follow.
    Open,
    /// Nothing follows.
    Here,
}

/// Bytes that belong together and arrive piecemeal. A match across the pieces is found once.
pub struct Stream {
    core: Rc<Core>,
    /// The engine's state, from the first byte on.
    engine: Option<EngineStream>,
    /// The `offset` at which the engine's state began.
    engine_base: u64,
    /// The last bytes before `offset`, at most `limits::SCAN_CARRY_BYTES`.
    tail: Vec<u8>,
    /// How many bytes went through.
    offset: u64,
    /// The last match told of each rule that had one.
    reported: Vec<Reported>,
    /// Where in the tail there are matches that are secrets.
    secrets: Vec<Range<u64>>,
    /// In a box, since most streams have none.
    watch: Option<Box<Watch>>,
}

impl Stream {
    /// Scans the next bytes.
    pub fn feed(&mut self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        for window in bytes.windows(self.core.window_bytes) {
            self.step(window, End::Open, sink);
            self.carry(window.bytes());
        }
    }

    /// Ends the stream: tells what matches only at an end. Afterwards it is as new.
    pub fn finish(&mut self, sink: &mut dyn MatchSink) {
        self.step(Padded::default(), End::Here, sink);
        self.clear();
    }

    /// One run of the engine, then a look at what it noted.
    fn step(&mut self, window: Padded<'_>, end: End, sink: &mut dyn MatchSink) {
        // Taken out for the time of the step: a sink that scanned would get work of its own.
        let mut work = self.core.work.take();
        work.hits.begin(self.core.rules().len());
        if !self.scan(window, &mut work.hits) {
            sink.gap(Gap::UnscannedBytes(window.len()));
        }
        if end == End::Here
            && let Some(engine) = self.engine.take()
        {
            self.core.return_engine(engine, Some((&mut work.hits, self.engine_base)));
        }
        let history =
            History { tail: &self.tail, window: window.bytes(), offset: self.offset, end };
        work.begin();
        if !work.hits.is_empty() {
            let (reported, secrets) = (&mut self.reported, &mut self.secrets);
            confirm(&self.core, &history, reported, secrets, &mut work, sink);
            if work.hits.passed_over() > 0 {
                sink.gap(Gap::UnconfirmedHits(work.hits.passed_over()));
            }
        }
        if let Some(watch) = &mut self.watch {
            let past = (self.reported.as_mut_slice(), &mut self.secrets);
            confirm_known(&self.core, &history, watch, past, &mut work, sink);
        }
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
    fn carry(&mut self, window: &[u8]) {
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
    fn clear(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.core.return_engine(engine, None);
        }
        self.core.return_tail(std::mem::take(&mut self.tail));
        self.offset = 0;
        self.reported.clear();
        self.secrets.clear();
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Match, PaddedBuffer, RULES};

    struct Nowhere;

    impl MatchSink for Nowhere {
        fn wants(&mut self, _found: &Match<'_>) -> bool {
            false
        }

        fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
    }

    fn scanner() -> Scanner {
        let database = Arc::new(Database::compile(&RULES).unwrap());
        Scanner::new(&database, 0).unwrap()
    }

    #[test]
    fn the_carried_tail_is_the_last_bytes_and_never_longer_than_its_bound() {
        let scanner = scanner();
        for piece in [1, 700, SCAN_CARRY_BYTES - 1, SCAN_CARRY_BYTES, SCAN_CARRY_BYTES + 1] {
            let text: Vec<u8> = (0..3 * SCAN_CARRY_BYTES).map(|n| (n / 7) as u8).collect();
            let mut stream = scanner.open();
            let mut buffer = PaddedBuffer::new();
            let mut fed = 0;
            for part in text.chunks(piece) {
                stream.feed(buffer.fill(part), &mut Nowhere);
                fed += part.len();
                assert_eq!(stream.tail, &text[fed.saturating_sub(SCAN_CARRY_BYTES)..fed]);
                assert_eq!(stream.tail.capacity(), SCAN_CARRY_BYTES);
            }
        }
    }

    #[test]
    fn idle_streams_hold_nothing_and_the_pools_are_bounded() {
        let scanner = scanner();
        let mut streams: Vec<Stream> = (0..=SCAN_STREAMS_KEPT).map(|_| scanner.open()).collect();
        assert!(streams.iter().all(|s| s.engine.is_none() && s.tail.capacity() == 0));
        let mut buffer = PaddedBuffer::new();
        for stream in &mut streams {
            stream.feed(buffer.fill(b"some bytes"), &mut Nowhere);
            assert!(stream.engine.is_some());
        }
        let kept = || {
            let engines = scanner.core.idle_engines.take();
            let tails = scanner.core.idle_tails.take();
            let lengths = (engines.len(), tails.len());
            scanner.core.idle_engines.set(engines);
            scanner.core.idle_tails.set(tails);
            lengths
        };
        let last = streams.pop();
        for stream in &mut streams {
            stream.finish(&mut Nowhere);
            assert!(stream.engine.is_none() && stream.tail.capacity() == 0);
        }
        assert_eq!(kept(), (SCAN_STREAMS_KEPT, SCAN_STREAMS_KEPT));
        drop(last);
        assert_eq!(kept(), (SCAN_STREAMS_KEPT, SCAN_STREAMS_KEPT));
    }

    #[test]
    fn a_stream_whose_engine_was_lost_goes_on_at_the_right_place() {
        struct Snippets(Vec<String>);
        impl MatchSink for Snippets {
            fn wants(&mut self, _found: &Match<'_>) -> bool {
                true
            }
            fn found(&mut self, _found: &Match<'_>, snippet: String) {
                self.0.push(snippet);
            }
        }
        let scanner = scanner();
        let mut snippets = Snippets(Vec::new());
        let mut stream = scanner.open();
        let mut buffer = PaddedBuffer::new();
        // Longer than a snippet, so that a wrong place shows other text.
        let first = format!("{}a first part; ", ". ".repeat(SCAN_CARRY_BYTES / 4));
        stream.feed(buffer.fill(first.as_bytes()), &mut snippets);
        scanner.core.close_engine(stream.engine.take().unwrap());
        stream.feed(buffer.fill(b"cat /etc/shadow now"), &mut snippets);
        stream.finish(&mut snippets);
        assert_eq!(snippets.0.len(), 1);
        assert!(snippets.0[0].ends_with("a first part; cat /etc/shadow now"), "{:?}", snippets.0);
    }

    #[test]
    fn windows_stay_within_their_bounds() {
        let database = Arc::new(Database::compile(&RULES).unwrap());
        for (asked, given) in [
            (0, SCAN_WINDOW_MIN_BYTES),
            (SCAN_WINDOW_MIN_BYTES + 1, SCAN_WINDOW_MIN_BYTES + 1),
            (usize::MAX, SCAN_WINDOW_MAX_BYTES),
        ] {
            assert_eq!(Scanner::new(&database, asked).unwrap().core.window_bytes, given);
        }
    }
}
