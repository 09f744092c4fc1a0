//! One stream of bytes through the engine: what is carried from one window to the next, and what was seen in it.

use std::ops::Range;
use std::rc::Rc;

use hyperscan::Stream as EngineStream;

use super::confirm::{Reported, confirm, confirm_known};
use super::found::{Gap, MatchSink};
use super::history::History;
use super::hits::Hits;
use super::known_values::Watch;
use super::padded::Padded;
use super::scanner::Core;
use crate::limits::SCAN_CARRY_BYTES;

/// Whether a window is the last of its stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// More may follow.
    Open,
    /// More is at hand, and follows at once.
    Follows,
    /// Nothing follows, which the engine is yet to be told.
    Last,
    /// The same, but not soon.
    Pause,
    /// More may follow, but all that was to come seems to be here.
    Whole,
    /// Nothing follows.
    Here,
}

impl End {
    /// Whether the engine waits for more.
    pub(super) fn is_ahead(self) -> bool {
        matches!(self, End::Open | End::Follows | End::Last)
    }
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
    /// Whether they are commands of tool calls, a line each.
    pub(super) is_of_calls: bool,
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
            is_of_calls: false,
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
        let mut work = self.core.work.take().unwrap_or_default();
        work.hits.begin(self.core.rules().len());
        let is_scanned = self.scan(window, &mut work.hits);
        match (end, &self.engine) {
            (End::Pause | End::Whole, Some(engine)) => {
                self.core.look_at_end(engine, &mut work.hits, self.engine_base);
            }
            (End::Here, _) => {
                if let Some(engine) = self.engine.take() {
                    self.core.return_engine(engine, Some((&mut work.hits, self.engine_base)));
                }
            }
            _ => {}
        }
        let history = History {
            tail: &self.tail,
            window: window.bytes(),
            offset: self.offset,
            end,
            is_of_calls: self.is_of_calls,
        };
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
            let watch = watch.get_or_insert_with(|| Watch::new(known, history.offset));
            confirm_known(&self.core, &history, watch, (reported, secrets), &mut work, sink);
        }
        // Those of a text that does not ask for them are not the next one's.
        let mut gates = self.core.take_gates();
        work.hits.move_gates(&mut gates);
        self.core.gates.set(gates);
        self.core.work.set(Some(work));
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

    /// Whether nothing that was seen may go on, or waits for more.
    pub(super) fn is_settled(&self) -> bool {
        self.past.as_ref().is_none_or(|past| {
            past.reported.iter().all(Reported::is_settled)
                && past.watch.as_ref().is_none_or(Watch::is_settled)
        })
    }

    /// Goes on so many bytes further on, as at the start.
    pub(super) fn jump(&mut self, bytes: u64) {
        let offset = self.offset.saturating_add(bytes);
        self.clear();
        self.offset = offset;
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
