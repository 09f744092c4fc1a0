//! Joins the scanner to the report: what a connection knows of its bytes (way, protocol, source, destination)
//! turns each match into a finding.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::core::Core;
use crate::finding::{Direction, Finding, Protocol};
use crate::forward::buffer::Chunk;
use crate::scan::{Gap, MatchSink, Padded, Rule, Stream};

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
    fn wants(&mut self, rule: &'static Rule) -> bool {
        let mut reporter = self.core.reporter.borrow_mut();
        reporter.admits(rule.name, &self.sight.dest, self.direction, Instant::now())
    }

    fn found(&mut self, rule: &'static Rule, snippet: String) {
        self.core.reporter.borrow_mut().submit(Finding {
            direction: self.direction,
            protocol: self.sight.protocol,
            threat_type: rule.threat_type,
            pattern: rule.name,
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
        match gap {
            Gap::UnscannedBytes(len) => {
                self.core.counters.bytes_unscanned.add(len as u64);
                log::error!("{}: {len} bytes could not be scanned", self.sight.dest);
            }
            Gap::UnconfirmedHits(count) => {
                self.core.counters.hits_unconfirmed.add(count as u64);
                log::warn!("{}: {count} matches of one read not looked at", self.sight.dest);
            }
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

/// Scans the bytes of one body, or of one direction of a tunnel, as they come.
pub struct Inspector<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
    stream: Stream,
    /// Whether the bytes are in a content coding, in which little can be found.
    is_encoded: bool,
}

impl<'a> Inspector<'a> {
    /// Nothing scanned yet.
    pub fn new(core: &'a Core, sight: &'a Sight, direction: Direction) -> Inspector<'a> {
        Inspector { core, sight, direction, stream: core.scanner.open(), is_encoded: false }
    }

    /// The same for a body that is, or is not, in a content coding.
    pub fn encoded(self, is_encoded: bool) -> Inspector<'a> {
        Inspector { is_encoded, ..self }
    }

    /// The next bytes: `range` of those not taken from `chunk` yet.
    pub fn feed(&mut self, chunk: &Chunk, range: Range<usize>) {
        let (backing, range) = chunk.backing(range);
        self.feed_backed(backing, range);
    }

    /// The next bytes: `range` of a buffer with room to read behind it.
    pub fn feed_backed(&mut self, backing: &[u8], range: Range<usize>) {
        let len = range.len() as u64;
        if self.is_encoded {
            self.core.counters.bytes_encoded.add(len);
        }
        let Some(bytes) = Padded::new(backing, range) else {
            self.core.counters.bytes_unscanned.add(len);
            return;
        };
        self.core.counters.bytes_scanned.add(len);
        let Inspector { core, sight, direction, stream, .. } = self;
        let _timed = core.counters.scan_time.begin();
        stream.feed(bytes, &mut Reporting { core, sight, direction: *direction });
    }

    /// The end of the body: what only the end decides is reported.
    pub fn finish(mut self) {
        self.finish_unit();
    }

    /// The end of one of several units: the next byte is the first of another.
    pub fn finish_unit(&mut self) {
        let Inspector { core, sight, direction, stream, .. } = self;
        stream.finish(&mut Reporting { core, sight, direction: *direction });
    }
}
