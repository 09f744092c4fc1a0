//! Joins the scanner to the report: what a connection knows of its bytes (way, protocol, source, destination,
//! place) turns each match into a finding, as far as the policy wants one.

use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::core::Core;
use crate::config::DedupBy;
use crate::finding::{
    Confidence, Direction, Finding, Fingerprint, Protocol, Severity, ThreatType, View,
};
use crate::forward::buffer::Chunk;
use crate::policy::{self, Circumstances, Disposition, Place, Seen, Verdict};
use crate::report::dedup::Subject;
use crate::scan::{Gap, KNOWN_VALUE_RULE, KnownMatch, Match, MatchSink, Padded, Stream};

/// What a connection knows of its bytes.
#[derive(Clone, Debug)]
pub struct Sight {
    pub protocol: Protocol,
    pub source: IpAddr,
    pub dest: Arc<str>,
    /// Of the request, without its query, where the policy looks at it.
    pub path: Option<Rc<str>>,
}

/// Which bytes of a message are scanned.
#[derive(Clone, Copy)]
enum Part<'a> {
    Head(&'a [u8]),
    /// All that is in one place.
    Rest(Place<'a>),
}

/// Turns matches of one direction into findings.
struct Reporting<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
    part: Part<'a>,
    /// What was decided of the match that is wanted.
    verdict: Option<Verdict>,
}

impl<'a> Reporting<'a> {
    fn new(core: &'a Core, sight: &'a Sight, direction: Direction, part: Part<'a>) -> Self {
        Reporting { core, sight, direction, part, verdict: None }
    }

    /// Whether anybody is to be told of a match that begins `at` bytes into the part.
    fn admits(&mut self, seen: &Seen<'_>, at: u64) -> bool {
        let Reporting { core, sight, direction, .. } = *self;
        let (place, path) = match self.part {
            Part::Head(head) if direction == Direction::Outbound => {
                (Place::in_head(head, at), Some(policy::path_in(head)))
            }
            Part::Head(head) => (Place::in_head(head, at), sight.path.as_deref()),
            Part::Rest(place) => (place, sight.path.as_deref()),
        };
        let circumstances = Circumstances {
            direction,
            protocol: sight.protocol,
            source: sight.source,
            dest: &sight.dest,
            place,
            path,
        };
        let verdict = core.policy.judge(seen, &circumstances, SystemTime::now());
        if let Disposition::Suppressed(reason) = &verdict.disposition {
            core.counters.suppressions_applied.add(1);
            log::debug!("{}: {} is suppressed: {reason}", sight.dest, seen.rule);
            return false;
        }
        let subject = Subject {
            pattern: seen.rule,
            dest: &sight.dest,
            direction,
            is_info: verdict.severity == Severity::Info,
            fingerprint: verdict.fingerprint,
        };
        let admits = core.reporter.borrow_mut().admits(&subject, Instant::now());
        self.verdict = admits.then_some(verdict);
        admits
    }

    fn submit(&mut self, told: Told, snippet: String) {
        let Some(verdict) = self.verdict.take() else { return };
        self.core.reporter.borrow_mut().submit(Finding {
            direction: self.direction,
            protocol: self.sight.protocol,
            threat_type: told.threat_type,
            pattern: told.pattern,
            severity: verdict.severity,
            confidence: verdict.confidence,
            view: told.view,
            fingerprint: told.fingerprint,
            snippet,
            source: self.sight.source,
            dest: Arc::clone(&self.sight.dest),
            seen_at: SystemTime::now(),
            seen_at_mono: Instant::now(),
            suppressed: 0,
        });
    }

    /// The fingerprint of a match, where a decision before the snippet depends on it.
    fn early_fingerprint(&self, secret: &[u8]) -> Option<Fingerprint> {
        let core = self.core;
        let is_needed =
            core.policy.needs_fingerprints() || core.config.report.dedup_by == DedupBy::Fingerprint;
        is_needed.then(|| core.policy.fingerprint(secret))
    }
}

/// What a finding says of its match.
struct Told {
    threat_type: ThreatType,
    pattern: Arc<str>,
    view: View,
    fingerprint: Option<Fingerprint>,
}

impl MatchSink for Reporting<'_> {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        let seen = Seen {
            rule: found.rule.name,
            severity: Severity::High,
            confidence: found.confidence,
            fingerprint: self.early_fingerprint(found.bytes),
        };
        self.admits(&seen, found.at)
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        let told = Told {
            threat_type: found.rule.threat_type,
            pattern: Arc::from(found.rule.name),
            view: found.view,
            fingerprint: Some(self.core.policy.fingerprint(found.bytes)),
        };
        self.submit(told, snippet);
    }

    fn wants_known(&mut self, found: &KnownMatch<'_>) -> bool {
        // Half of a value may be half of another one that begins or ends like it.
        let severity = match found.confidence {
            Confidence::Low => Severity::High,
            Confidence::Medium | Confidence::High => Severity::Critical,
        };
        let (rule, confidence) = (KNOWN_VALUE_RULE, found.confidence);
        let seen = Seen { rule, severity, confidence, fingerprint: found.fingerprint };
        self.admits(&seen, found.at)
    }

    fn found_known(&mut self, found: &KnownMatch<'_>, snippet: String) {
        let told = Told {
            threat_type: ThreatType::Exfil,
            pattern: Arc::from(KNOWN_VALUE_RULE),
            view: found.view,
            fingerprint: found.fingerprint,
        };
        self.submit(told, snippet);
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
    let mut reporting = Reporting::new(core, sight, direction, Part::Head(head.bytes()));
    match direction {
        Direction::Outbound => core.scanner.scan_block_watched(head, &mut reporting),
        Direction::Inbound => core.scanner.scan_block(head, &mut reporting),
    }
}

/// Scans the bytes of one body, or of one direction of a tunnel, as they come.
pub struct Inspector<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
    place: Place<'static>,
    stream: Stream,
    /// Whether the bytes are in a content coding, in which little can be found.
    is_encoded: bool,
}

impl<'a> Inspector<'a> {
    /// Nothing scanned yet.
    pub fn new(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
        place: Place<'static>,
    ) -> Inspector<'a> {
        let stream = match direction {
            Direction::Outbound => core.scanner.open_watched(),
            Direction::Inbound => core.scanner.open(),
        };
        Inspector { core, sight, direction, place, stream, is_encoded: false }
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
        let Inspector { core, sight, direction, place, stream, .. } = self;
        stream.feed(bytes, &mut Reporting::new(core, sight, *direction, Part::Rest(*place)));
    }

    /// The end of the body: what only the end decides is reported.
    pub fn finish(mut self) {
        self.finish_unit();
    }

    /// The end of one of several units: the next byte is the first of another.
    pub fn finish_unit(&mut self) {
        let Inspector { core, sight, direction, place, stream, .. } = self;
        stream.finish(&mut Reporting::new(core, sight, *direction, Part::Rest(*place)));
    }
}
