//! Joins the scanner to the report: what a connection knows of its bytes (way, protocol, source, destination)
//! turns each match into a finding.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::core::Core;
use crate::finding::{Direction, Finding, Protocol};
use crate::forward::buffer::Chunk;
use crate::limits::{
    INSPECT_CODED_BYTES, INSPECT_PIECE_MIN_BYTES, INSPECT_TURN_BYTES, READ_BUFFER_BYTES,
};
use crate::scan::{Body, Gap, Match, MatchSink, Messages, Padded, Shape};

/// What a connection knows of its bytes.
#[derive(Clone, Debug)]
pub struct Sight {
    pub protocol: Protocol,
    pub source: IpAddr,
    pub dest: Arc<str>,
    /// The user whose credentials it had.
    pub agent: Option<Arc<str>>,
}

/// Turns matches of one direction into findings.
struct Reporting<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
}

impl MatchSink for Reporting<'_> {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        if found.rule.direction.is_some_and(|only| only != self.direction) {
            return false;
        }
        let mut reporter = self.core.reporter.borrow_mut();
        reporter.admits(&found.rule.id, &self.sight.dest, self.direction, Instant::now())
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        let rule = found.rule;
        self.core.reporter.borrow_mut().submit(Finding {
            direction: self.direction,
            protocol: self.sight.protocol,
            threat_type: rule.threat_type,
            pattern: Arc::clone(&rule.id),
            severity: rule.severity,
            confidence: found.confidence,
            view: found.view,
            fingerprint: None,
            snippet,
            source: self.sight.source,
            dest: Arc::clone(&self.sight.dest),
            seen_at: SystemTime::now(),
            seen_at_mono: Instant::now(),
            suppressed: 0,
            agent: self.sight.agent.clone(),
        });
    }

    fn gap(&mut self, gap: Gap) {
        let counters = &self.core.counters;
        let dest = &self.sight.dest;
        match gap {
            Gap::UnscannedBytes(len) => {
                counters.bytes_unscanned.add(len as u64);
                log::error!("{dest}: {len} bytes could not be scanned");
            }
            Gap::UnconfirmedHits(count) => {
                counters.hits_unconfirmed.add(count as u64);
                log::warn!("{dest}: {count} matches of one read not looked at");
            }
            Gap::Undecodable(reason) => {
                counters.bodies_undecodable.add(1);
                log::warn!("{dest}: the rest of a body is read as it stands only: {reason}");
            }
            Gap::Unreadable(reason) => {
                counters.bodies_undecodable.add(1);
                log::warn!("{dest}: {reason}");
            }
            Gap::Undecoded(len) => counters.bytes_undecoded.add(len as u64),
        }
    }
}

/// Scans a message head, which lies at the front of `chunk`.
pub fn scan_head(core: &Core, sight: &Sight, direction: Direction, chunk: &Chunk, len: usize) {
    let (backing, range) = chunk.backing(0..len);
    let Some(head) = Padded::new(backing, range) else {
        core.counters.bytes_unscanned.add(len as u64);
        return;
    };
    core.counters.bytes_scanned.add(len as u64);
    let _timed = core.counters.scan_time.begin();
    core.scanner.scan_block(head, &mut Reporting { core, sight, direction });
}

/// What the fields of a head say of its body.
pub fn shape_of<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone) -> Shape {
    let values = |name: &'static str| {
        let named = headers.clone().filter(move |(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value)
    };
    let codings = values("content-encoding").chain(values("transfer-encoding"));
    Shape::new(codings, values("content-type").next())
}

/// Scans the bytes of one body, or of one direction of a tunnel, as they come.
pub struct Inspector<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
    body: Body,
    pace: Pace,
}

impl<'a> Inspector<'a> {
    /// Of something of which nothing is known.
    pub fn new(core: &'a Core, sight: &'a Sight, direction: Direction) -> Inspector<'a> {
        Inspector::of_body(core, sight, direction, &Shape::default())
    }

    /// Of the body of a message.
    pub fn of_body(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
        shape: &Shape,
    ) -> Inspector<'a> {
        if let Some(unknown) = shape.unknown() {
            core.counters.bodies_undecodable.add(1);
            log::warn!("{}: a body is read as it stands only: {unknown}", sight.dest);
        }
        let body = core.scanner.body(shape);
        Inspector { core, sight, direction, body, pace: Pace::new(shape.is_encoded()) }
    }

    /// The next bytes: `range` of those not taken from `chunk` yet. Others get their turn where few bytes make
    /// much work.
    pub async fn feed(&mut self, chunk: &Chunk, range: Range<usize>) {
        let (backing, range) = chunk.backing(range);
        self.core.counters.bytes_scanned.add(range.len() as u64);
        let Some(bytes) = Padded::new(backing, range.clone()) else {
            self.core.counters.bytes_unscanned.add(range.len() as u64);
            return;
        };
        let Inspector { core, sight, direction, body, pace } = self;
        let mut sink = Reporting { core, sight, direction: *direction };
        let timed = |piece: Padded<'_>| {
            let _timed = core.counters.scan_time.begin();
            body.feed(piece, &mut sink)
        };
        pace.walk(core, bytes, timed).await;
    }

    /// The end of the body: what only the end decides is reported.
    pub fn finish(mut self) {
        let Inspector { core, sight, direction, body, .. } = &mut self;
        body.finish(&mut Reporting { core, sight, direction: *direction });
    }
}

/// Scans the messages of one direction of a WebSocket, and the controls between them.
pub struct MessageInspector<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
    messages: Messages,
    pace: Pace,
}

impl<'a> MessageInspector<'a> {
    /// No message yet.
    pub fn new(core: &'a Core, sight: &'a Sight, direction: Direction) -> MessageInspector<'a> {
        let messages = core.scanner.messages();
        MessageInspector { core, sight, direction, messages, pace: Pace::new(false) }
    }

    /// The next bytes of a message: `range` of a buffer with room to read behind it.
    pub async fn feed(&mut self, backing: &[u8], range: Range<usize>) {
        self.core.counters.bytes_scanned.add(range.len() as u64);
        let Some(bytes) = Padded::new(backing, range.clone()) else {
            self.core.counters.bytes_unscanned.add(range.len() as u64);
            return;
        };
        let MessageInspector { core, sight, direction, messages, pace } = self;
        let mut sink = Reporting { core, sight, direction: *direction };
        pace.walk(core, bytes, |piece| messages.feed(piece, &mut sink)).await;
    }

    /// The end of a message: the next byte is the first of another.
    pub fn end_message(&mut self) {
        let MessageInspector { core, sight, direction, messages, .. } = self;
        messages.end_message(&mut Reporting { core, sight, direction: *direction });
    }

    /// The end of all.
    pub fn finish(mut self) {
        let MessageInspector { core, sight, direction, messages, .. } = &mut self;
        messages.finish(&mut Reporting { core, sight, direction: *direction });
    }
}

/// How many bytes are scanned at a time: fewer where they stand for many.
struct Pace {
    piece_bytes: usize,
    /// Bytes that the engine was given since others had their turn.
    turn_bytes: u64,
}

impl Pace {
    fn new(may_expand: bool) -> Pace {
        let piece_bytes = if may_expand { INSPECT_CODED_BYTES } else { READ_BUFFER_BYTES };
        Pace { piece_bytes, turn_bytes: 0 }
    }

    /// Gives `bytes` to `scan` piece by piece, and others their turn in between.
    async fn walk(&mut self, core: &Core, bytes: Padded<'_>, mut scan: impl FnMut(Padded<'_>)) {
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + self.piece_bytes);
            let Some(piece) = bytes.slice(at..end) else { return };
            let before = core.scanner.engine_bytes();
            scan(piece);
            let work = core.scanner.engine_bytes().saturating_sub(before);
            self.turn_bytes += work;
            if work > INSPECT_TURN_BYTES / 2 {
                self.piece_bytes = (self.piece_bytes / 4).max(INSPECT_PIECE_MIN_BYTES);
            } else {
                self.piece_bytes = (2 * self.piece_bytes).min(READ_BUFFER_BYTES);
            }
            at = end;
            if self.turn_bytes >= INSPECT_TURN_BYTES {
                self.turn_bytes = 0;
                glommio::executor().yield_if_needed().await;
            }
        }
    }
}
