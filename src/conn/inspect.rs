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
use crate::limits::{
    INSPECT_CODED_BYTES, INSPECT_PIECE_MIN_BYTES, INSPECT_TURN_BYTES, READ_BUFFER_BYTES,
};
use crate::policy::{self, Circumstances, Disposition, Place, Seen, Verdict};
use crate::report::dedup::Subject;
use crate::scan::{
    Body, Gap, KNOWN_VALUE_RULE, KnownMatch, Match, MatchSink, Messages, Padded, Shape,
};

/// What a connection knows of its bytes.
#[derive(Clone, Debug)]
pub struct Sight {
    pub protocol: Protocol,
    pub source: IpAddr,
    pub dest: Arc<str>,
    /// Of the request, without its query, where the policy looks at it.
    pub path: Option<Rc<str>>,
    /// The user whose credentials it had.
    pub agent: Option<Arc<str>>,
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
    /// What was decided of the match that is wanted, and when.
    admitted: Option<(Verdict, SystemTime, Instant)>,
}

impl<'a> Reporting<'a> {
    fn new(core: &'a Core, sight: &'a Sight, direction: Direction, part: Part<'a>) -> Self {
        Reporting { core, sight, direction, part, admitted: None }
    }

    /// Whether anybody is to be told of a match that begins `at` bytes into the part.
    fn admits(&mut self, seen: &Seen<'_>, at: u64) -> bool {
        let Reporting { core, sight, direction, .. } = *self;
        let (place, path) = match self.part {
            Part::Head(head) if direction == Direction::Outbound => {
                let place = Place::in_head(head, at);
                let is_asked_for = place == Place::Path || core.policy.looks_at_paths();
                (place, is_asked_for.then(|| policy::path_in(head)))
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
        let (now, now_mono) = (SystemTime::now(), Instant::now());
        let verdict = core.policy.judge(seen, &circumstances, now);
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
            is_doubtful: verdict.confidence == Confidence::Low,
            fingerprint: verdict.fingerprint,
        };
        let admits = core.reporter.borrow_mut().admits(&subject, now_mono);
        self.admitted = admits.then_some((verdict, now, now_mono));
        admits
    }

    fn submit(&mut self, told: Told, snippet: String) {
        let Some((verdict, seen_at, seen_at_mono)) = self.admitted.take() else { return };
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
            seen_at,
            seen_at_mono,
            suppressed: 0,
            agent: self.sight.agent.clone(),
        });
    }

    /// The fingerprint of the match that is wanted, made once.
    fn fingerprint(&self, secret: &[u8]) -> Option<Fingerprint> {
        let early = self.admitted.as_ref().and_then(|(verdict, ..)| verdict.fingerprint);
        early.or_else(|| Some(self.core.policy.fingerprint(secret)))
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
        if found.rule.direction.is_some_and(|only| only != self.direction) {
            return false;
        }
        let seen = Seen {
            rule: &found.rule.id,
            severity: found.rule.severity,
            confidence: found.confidence,
            fingerprint: self.early_fingerprint(found.secret),
            secret: found.secret,
        };
        self.admits(&seen, found.at)
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        let told = Told {
            threat_type: found.rule.threat_type,
            pattern: Arc::clone(&found.rule.id),
            view: found.view,
            fingerprint: self.fingerprint(found.secret),
        };
        self.submit(told, snippet);
    }

    /// Known values must not leave; that they arrive is nothing to tell.
    fn watches(&self) -> bool {
        self.direction == Direction::Outbound
    }

    fn wants_known(&mut self, found: &KnownMatch<'_>) -> bool {
        // Half of a value may be half of another one that begins or ends like it.
        let severity = match found.confidence {
            Confidence::Low => Severity::High,
            Confidence::Medium | Confidence::High => Severity::Critical,
        };
        let (rule, confidence) = (KNOWN_VALUE_RULE, found.confidence);
        // By its name it is watched, not by its looks.
        let secret: &[u8] = &[];
        let seen = Seen { rule, severity, confidence, fingerprint: found.fingerprint, secret };
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

/// Scans a message head: a range of a buffer with room to read behind it.
pub fn scan_head(
    core: &Core,
    sight: &Sight,
    direction: Direction,
    (backing, range): (&[u8], Range<usize>),
) {
    let len = range.len() as u64;
    let Some(head) = Padded::new(backing, range) else {
        core.counters.bytes_unscanned.add(len);
        return;
    };
    core.counters.bytes_scanned.add(len);
    let _timed = core.counters.scan_time.begin();
    let mut reporting = Reporting::new(core, sight, direction, Part::Head(head.bytes()));
    match direction {
        Direction::Outbound => core.scanner.scan_request(head, &mut reporting),
        Direction::Inbound => core.scanner.scan_block(head, &mut reporting),
    }
}

/// Scans the whole body of a message, a small one: a range as above.
pub fn scan_body(
    core: &Core,
    sight: &Sight,
    direction: Direction,
    shape: &Shape,
    (backing, range): (&[u8], Range<usize>),
) {
    note_shape(core, sight, shape);
    let len = range.len() as u64;
    core.counters.bytes_scanned.add(len);
    let Some(bytes) = Padded::new(backing, range) else {
        core.counters.bytes_unscanned.add(len);
        return;
    };
    let mut body = core.scanner.body(shape);
    scan_piece(core, sight, direction, &mut body, bytes);
    end_body(core, sight, direction, body);
}

/// Says of a body whose coding is unknown that it cannot be read.
pub(super) fn note_shape(core: &Core, sight: &Sight, shape: &Shape) {
    if let Some(unknown) = shape.unknown() {
        core.counters.bodies_undecodable.add(1);
        log::warn!("{}: a body is read as it stands only: {unknown}", sight.dest);
    }
}

/// Scans the next bytes of a body.
pub(super) fn scan_piece(
    core: &Core,
    sight: &Sight,
    direction: Direction,
    body: &mut Body,
    bytes: Padded<'_>,
) {
    let mut sink = Reporting::new(core, sight, direction, Part::Rest(Place::Body));
    let _timed = core.counters.scan_time.begin();
    body.feed(bytes, &mut sink);
}

/// Scans what only the end of a body decides.
pub(super) fn end_body(core: &Core, sight: &Sight, direction: Direction, mut body: Body) {
    body.finish(&mut Reporting::new(core, sight, direction, Part::Rest(Place::Body)));
}

/// What the fields of a head say of its body.
pub fn shape_of<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone) -> Shape {
    let values = |name: &'static str| {
        let named = headers.clone().filter(move |(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value)
    };
    let codings = values("content-encoding").chain(values("transfer-encoding"));
    let of_messages = values("grpc-encoding").chain(values("connect-content-encoding")).next();
    Shape::new(codings, values("content-type").next()).with_message_coding(of_messages)
}

/// Scans the bytes of one body, or of one direction of a tunnel, as they come.
pub struct Inspector<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
    place: Place<'static>,
    body: Body,
    pace: Pace,
}

impl<'a> Inspector<'a> {
    /// Of something of which nothing is known: one direction of a tunnel, or what is beside its messages.
    pub fn new(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
        place: Place<'static>,
    ) -> Inspector<'a> {
        Inspector { place, ..Inspector::of_body(core, sight, direction, &Shape::default()) }
    }

    /// Of the body of a message.
    pub fn of_body(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
        shape: &Shape,
    ) -> Inspector<'a> {
        note_shape(core, sight, shape);
        let body = core.scanner.body(shape);
        let pace = Pace::new(shape.is_encoded());
        Inspector { core, sight, direction, place: Place::Body, body, pace }
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
        let Inspector { core, sight, direction, place, body, pace } = self;
        let mut sink = Reporting::new(core, sight, *direction, Part::Rest(*place));
        let timed = |piece: Padded<'_>| {
            let _timed = core.counters.scan_time.begin();
            body.feed(piece, &mut sink)
        };
        pace.walk(core, bytes, timed).await;
    }

    /// The end of the body: what only the end decides is reported.
    pub fn finish(mut self) {
        let Inspector { core, sight, direction, place, body, .. } = &mut self;
        body.finish(&mut Reporting::new(core, sight, *direction, Part::Rest(*place)));
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

    /// The same of controls: each says what it says by itself.
    pub fn of_controls(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
    ) -> MessageInspector<'a> {
        let messages = core.scanner.separate_messages();
        MessageInspector { messages, ..MessageInspector::new(core, sight, direction) }
    }

    /// The next bytes of a message: `range` of a buffer with room to read behind it.
    pub async fn feed(&mut self, backing: &[u8], range: Range<usize>) {
        self.core.counters.bytes_scanned.add(range.len() as u64);
        let Some(bytes) = Padded::new(backing, range.clone()) else {
            self.core.counters.bytes_unscanned.add(range.len() as u64);
            return;
        };
        let MessageInspector { core, sight, direction, messages, pace } = self;
        let mut sink = Reporting::new(core, sight, *direction, Part::Rest(Place::WebSocket));
        pace.walk(core, bytes, |piece| messages.feed(piece, &mut sink)).await;
    }

    /// The end of a message: the next byte is the first of another.
    pub fn end_message(&mut self) {
        let MessageInspector { core, sight, direction, messages, .. } = self;
        messages.end_message(&mut Reporting::new(
            core,
            sight,
            *direction,
            Part::Rest(Place::WebSocket),
        ));
    }

    /// The end of all.
    pub fn finish(mut self) {
        let MessageInspector { core, sight, direction, messages, .. } = &mut self;
        messages.finish(&mut Reporting::new(core, sight, *direction, Part::Rest(Place::WebSocket)));
    }
}

/// How many bytes are scanned at a time: fewer where they stand for many.
pub(super) struct Pace {
    piece_bytes: usize,
    /// Bytes that the engine was given since others had their turn.
    turn_bytes: u64,
}

impl Pace {
    pub(super) fn new(may_expand: bool) -> Pace {
        let piece_bytes = if may_expand { INSPECT_CODED_BYTES } else { READ_BUFFER_BYTES };
        Pace { piece_bytes, turn_bytes: 0 }
    }

    /// Gives `bytes` to `scan` piece by piece, and others their turn in between.
    pub(super) async fn walk(
        &mut self,
        core: &Core,
        bytes: Padded<'_>,
        mut scan: impl FnMut(Padded<'_>),
    ) {
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
