//! Joins the scanner to the report: what a connection knows of its bytes (way, protocol, source, destination,
//! place) turns each match into a finding, as far as the policy wants one.

use std::mem::discriminant;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use log::Level;

use super::core::Core;
use super::told::Fact;
use crate::config::DedupBy;
use crate::finding::{
    Confidence, Direction, Finding, Fingerprint, Protocol, Severity, Step, ThreatType, View,
};
use crate::limits::HOST_SECRET_MIN_BYTES;
use crate::policy::{self, Circumstances, Disposition, Place, Seen, Verdict, may_meet};
use crate::report::is_secret_dest;
use crate::report::windows::Subject;
use crate::scan::{
    Gap, KNOWN_VALUE_RULE, KnownMatch, Match, MatchSink, Padded, PaddedBuffer, Shape,
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

/// Bytes that are told from others: under which configuration they came, between whom, and which way.
#[derive(Clone)]
pub struct Whence {
    pub(super) core: Rc<Core>,
    pub(super) sight: Sight,
    direction: Direction,
}

impl Whence {
    /// Copies of these.
    pub fn new(core: &Rc<Core>, sight: &Sight, direction: Direction) -> Whence {
        Whence { core: Rc::clone(core), sight: sight.clone(), direction }
    }

    /// Turns the matches at one place into findings.
    pub(super) fn reporting<'a>(&'a self, place: Place<'a>) -> Reporting<'a> {
        Reporting::new(&self.core, &self.sight, self.direction, Part::Rest(place))
    }
}

/// Which bytes of a message are scanned.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    Head(&'a [u8]),
    /// Fields without a start line.
    Fields(&'a [u8]),
    /// All that is in one place.
    Rest(Place<'a>),
}

/// Turns matches of one direction into findings.
pub(super) struct Reporting<'a> {
    core: &'a Core,
    sight: &'a Sight,
    direction: Direction,
    part: Part<'a>,
    /// What was undone before the scanner got it.
    coding: Option<Step>,
    /// What was decided of the match that is wanted, and when.
    admitted: Option<(Verdict, SystemTime, Instant)>,
}

impl<'a> Reporting<'a> {
    pub(super) fn new(
        core: &'a Core,
        sight: &'a Sight,
        direction: Direction,
        part: Part<'a>,
    ) -> Self {
        Reporting { core, sight, direction, part, coding: None, admitted: None }
    }

    /// The same of bytes that were in this coding when they came.
    pub(super) fn out_of(self, coding: Step) -> Self {
        Reporting { coding: Some(coding), ..self }
    }

    /// Where a match stands that begins `at` bytes into the part.
    fn place(&self, at: u64) -> Place<'a> {
        match self.part {
            Part::Head(head) => Place::in_head(head, at),
            Part::Fields(fields) => Place::in_fields(fields, at),
            Part::Rest(place) => place,
        }
    }

    /// Whether anybody is to be told of a match that begins `at` bytes into the part.
    fn admits(&mut self, seen: &Seen<'_>, at: u64) -> bool {
        let Reporting { core, sight, direction, .. } = *self;
        let place = self.place(at);
        let path = match self.part {
            Part::Head(head) if direction == Direction::Outbound => {
                let is_asked_for = place == Place::Path || core.policy.looks_at_paths();
                is_asked_for.then(|| policy::path_in(head))
            }
            _ => sight.path.as_deref(),
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
            view: self.coding.map_or(told.view, |coding| told.view.within(coding)),
            fingerprint: told.fingerprint,
            snippet,
            source: self.sight.source,
            dest: Arc::clone(&self.sight.dest),
            has_secret_dest: told.has_secret_dest,
            seen_at,
            seen_at_mono,
            held_back: None,
            agent: self.sight.agent.clone(),
        });
    }

    /// The fingerprint of the match that is wanted, made once.
    fn fingerprint(&self, secret: &[u8]) -> Option<Fingerprint> {
        let early = self.admitted.as_ref().and_then(|(verdict, ..)| verdict.fingerprint);
        early.or_else(|| Some(self.core.policy.fingerprint(secret)))
    }

    /// Whether the destination holds the secret of a match that stands where a request names its host.
    fn has_secret_dest(&self, found: &Match<'_>) -> bool {
        let names_host = self.direction == Direction::Outbound
            && match (self.place(found.at), &self.part) {
                (Place::Path, Part::Head(head)) => {
                    let at = usize::try_from(found.at).unwrap_or(usize::MAX);
                    is_in_host(head, &self.sight.dest, at.saturating_add(found.secret_at))
                }
                (Place::Header(name), _) => name.eq_ignore_ascii_case("host"),
                _ => false,
            };
        let is_secret = found.rule.is_secret && found.secret.len() >= HOST_SECRET_MIN_BYTES;
        names_host && is_secret && is_secret_dest(&self.sight.dest, found.secret)
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
    has_secret_dest: bool,
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
            has_secret_dest: self.has_secret_dest(found),
        };
        self.submit(told, snippet);
    }

    /// Known values must not leave; that they arrive is nothing to tell.
    fn watches(&self) -> bool {
        self.direction == Direction::Outbound
    }

    fn wants_known(&mut self, found: &KnownMatch<'_>) -> bool {
        let (rule, severity) = (KNOWN_VALUE_RULE, found.severity());
        let confidence = found.confidence;
        // It is wiped; where it belongs is known by its fingerprint.
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
            // In whichever case, it is known when it is written.
            has_secret_dest: false,
        };
        self.submit(told, snippet);
    }

    /// In a head, where it depends on the field whether a credential is expected or accepted.
    fn is_one_place(&self, one: &RangeInclusive<u64>, other: &RangeInclusive<u64>) -> bool {
        let is_same = || self.place(*one.start()) == self.place(*other.start());
        match self.part {
            Part::Head(lines) | Part::Fields(lines) => may_meet(lines, one, other) || is_same(),
            Part::Rest(_) => true,
        }
    }

    fn gap(&mut self, gap: Gap) {
        let counters = &self.core.counters;
        let dest = &self.sight.dest;
        let level = |fact, first| self.core.level(fact, dest, first);
        match gap {
            Gap::UnscannedBytes(len) => {
                counters.bytes_unscanned.add(len as u64);
                let level = level(Fact::Unscanned, Level::Error);
                log::log!(level, "{dest}: {len} bytes could not be scanned");
            }
            Gap::UnconfirmedHits(count) => {
                counters.hits_unconfirmed.add(count as u64);
                let level = level(Fact::Unconfirmed, Level::Warn);
                log::log!(level, "{dest}: {count} matches of one read not looked at");
            }
            Gap::Undecodable(reason) => {
                counters.bodies_undecodable.add(1);
                let level = level(Fact::Undecodable(discriminant(&reason)), Level::Warn);
                log::log!(level, "{dest}: the rest of a body is read as it stands only: {reason}");
            }
            Gap::Unreadable(reason) => {
                counters.bodies_undecodable.add(1);
                let level = level(Fact::Unreadable(discriminant(&reason)), Level::Warn);
                log::log!(level, "{dest}: {reason}");
            }
            Gap::Undecoded(len) => counters.bytes_undecoded.add(len as u64),
        }
    }
}

/// Scans a message head: a range of a buffer with room to read behind it.
pub(super) fn scan_head(whence: &Whence, backing: &[u8], range: Range<usize>) {
    let Whence { core, sight, direction } = whence;
    let len = range.len() as u64;
    let Some(head) = Padded::new(backing, range) else {
        core.counters.bytes_unscanned.add(len);
        return;
    };
    core.counters.bytes_scanned.add(len);
    let _timed = core.counters.scan_time.begin();
    let mut reporting = Reporting::new(core, sight, *direction, Part::Head(head.bytes()));
    match direction {
        Direction::Outbound => core.scanner.scan_request(head, &mut reporting),
        Direction::Inbound => core.scanner.scan_answer(head, &mut reporting),
    }
}

/// Scans the fields behind a body as those of a head are.
pub(super) fn scan_trailers(core: &Core, sight: &Sight, direction: Direction, trailers: &[u8]) {
    core.counters.bytes_scanned.add(trailers.len() as u64);
    let _timed = core.counters.scan_time.begin();
    let mut reporting = Reporting::new(core, sight, direction, Part::Fields(trailers));
    core.scanner.scan_block(PaddedBuffer::new().fill(trailers), &mut reporting);
}

/// What the fields of a head say of its body.
pub fn shape_of<'h>(headers: impl Iterator<Item = (&'h str, &'h [u8])> + Clone) -> Shape {
    let values = |name: &'static str| {
        let named = headers.clone().filter(move |(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value)
    };
    // A signed stream is in chunks, whether or not its coding is named (Signature Version 4, "Multiple chunks").
    let signed = values("x-amz-content-sha256").filter(|value| value.starts_with(b"STREAMING-"));
    let signed = signed.take(1).map(|_| b"aws-chunked".as_slice());
    let codings = values("content-encoding").chain(values("transfer-encoding")).chain(signed);
    let of_messages = values("grpc-encoding").chain(values("connect-content-encoding")).next();
    Shape::new(codings, values("content-type").next()).with_message_coding(of_messages)
}

/// Whether what stands at this place of a request's head is of the host that its target names. Behind that, in a path,
/// anybody may call anything a secret.
fn is_in_host(head: &[u8], dest: &str, at: usize) -> bool {
    let host = dest.rsplit_once(':').map_or(dest, |(host, _)| host);
    let target = memchr::memchr(b' ', head).map_or(head.len(), |space| space + 1);
    let rest = head.get(target..).unwrap_or_default();
    let scheme = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let is_absolute = rest.get(scheme..).is_some_and(|rest| rest.starts_with(b"://"));
    let start = if is_absolute { scheme + b"://".len() } else { 0 };
    let named = rest.get(start..start + host.len());
    let range = target + start..target + start + host.len();
    named.is_some_and(|named| named.eq_ignore_ascii_case(host.as_bytes())) && range.contains(&at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_targets_own_host_says_that_it_holds_a_secret() {
        let dest = "files.exfil.example:80";
        for (head, expected) in [
            ("GET http://Files.exfil.example/ HTTP/1.1\r\n", true),
            ("CONNECT files.exfil.example:80 HTTP/1.1\r\n", true),
            ("GET http://h.example/?files.exfil.example HTTP/1.1\r\n", false),
            ("GET /https://u:files.exfil.example@h/ HTTP/1.1\r\n", false),
            ("GET", false),
        ] {
            let at = head.to_lowercase().find("files").unwrap_or(1);
            assert_eq!(is_in_host(head.as_bytes(), dest, at), expected, "{head}");
        }
        let twice = "GET http://files.exfil.example/https://u:files.exfil@h/ HTTP/1.1\r\n";
        let behind = twice.rfind("files").unwrap();
        assert!(!is_in_host(twice.as_bytes(), dest, behind));
    }
}
