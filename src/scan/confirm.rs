//! From filter hits to matches: the exact span of each, told once.
//!
//! The engine reports each possible end of a match, in any order among rules. Here hits are put in
//! order, the rule's exact expression is run over the few bytes around each, and a hit inside or
//! overlapping what was told already is dropped. Distinct matches are those that the expression
//! would find one after the other in the whole text.

use std::ops::Range;

use hyperscan::Matching;
use regex::bytes::Regex;

use super::found::{Match, MatchSink};
use super::redact::Secret;
use super::rules::{Evidence, Rule};
use super::scanner::{Core, End};
use super::snippet::{Scene, snippet};
use crate::finding::{Confidence, View as Seen};
use crate::limits::{
    RULE_NEAR_BYTES, SCAN_CARRY_BYTES, SCAN_GATES_PER_WINDOW, SCAN_HITS_PER_RULE_SURE,
    SCAN_HITS_PER_WINDOW, SCAN_MATCH_AHEAD_BYTES, SCAN_REDACTION_AFTER_BYTES,
    SCAN_REDACTION_BEFORE_BYTES, SCAN_REDACTION_STRETCH_MAX_BYTES, SNIPPET_CONTEXT_CHARS,
};

/// A possible end of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    /// The stream's offset behind the match.
    end: u64,
    /// The rule's number.
    rule: u32,
}

/// The hits of one window, bounded. A flood of one rule leaves room for the others.
#[derive(Default)]
pub(super) struct Hits {
    hits: Vec<Hit>,
    per_rule: Vec<usize>,
    passed_over: usize,
    /// Ends of what only encoded text holds.
    gates: Vec<u64>,
}

impl Hits {
    /// Empties it for a window of a database with so many rules.
    pub(super) fn begin(&mut self, rules: usize) {
        self.hits.clear();
        self.per_rule.clear();
        self.per_rule.resize(rules, 0);
        self.passed_over = 0;
        self.gates.clear();
    }

    /// The callback for an engine whose offsets count from `base`. It must not panic.
    pub(super) fn noting(&mut self, base: u64) -> impl FnMut(u32, u64, u64, u32) -> Matching {
        move |rule, _from, end, _flags| {
            self.note(rule, base.saturating_add(end));
            Matching::Continue
        }
    }

    fn note(&mut self, rule: u32, end: u64) {
        let count = usize::try_from(rule).ok().and_then(|rule| self.per_rule.get_mut(rule));
        let Some(count) = count else {
            if self.gates.len() < SCAN_GATES_PER_WINDOW {
                self.gates.push(end);
            }
            return;
        };
        if self.hits.len() < SCAN_HITS_PER_WINDOW || *count < SCAN_HITS_PER_RULE_SURE {
            *count += 1;
            self.hits.push(Hit { end, rule });
        } else {
            self.passed_over += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hits.is_empty()
    }

    pub(super) fn has_gates(&self) -> bool {
        !self.gates.is_empty()
    }

    /// Hands over the ends of what only encoded text holds, in order.
    pub(super) fn move_gates(&mut self, gates: &mut Vec<u64>) {
        gates.clear();
        gates.append(&mut self.gates);
        gates.sort_unstable();
        gates.dedup();
    }

    /// How many hits the bound kept out.
    pub(super) fn passed_over(&self) -> usize {
        self.passed_over
    }
}

/// Memory that one look at the hits needs, kept for the next.
#[derive(Default)]
pub(super) struct Work {
    pub(super) hits: Hits,
    joined: Vec<u8>,
    matched: Vec<u8>,
    masked: Masked,
}

/// The last match told of a rule.
#[derive(Debug)]
pub(super) struct Reported {
    rule: u32,
    /// Offsets in the stream.
    start: u64,
    end: u64,
    /// It reached the end of what had arrived, so it may have grown since.
    open: bool,
}

/// What is known of a stream: the carried tail, then the window just scanned.
pub(super) struct History<'a> {
    pub(super) tail: &'a [u8],
    pub(super) window: &'a [u8],
    /// The stream's offset of the window's first byte.
    pub(super) offset: u64,
    pub(super) end: End,
}

/// A piece of the history.
#[derive(Clone, Copy)]
struct View<'a> {
    bytes: &'a [u8],
    /// The stream's offset of its first byte.
    start: u64,
}

impl View<'_> {
    /// Where an offset of the stream lies in it, kept within it.
    fn index(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.start))
            .unwrap_or(usize::MAX)
            .min(self.bytes.len())
    }

    fn offset(&self, index: usize) -> u64 {
        self.start.saturating_add(index as u64)
    }
}

impl History<'_> {
    /// The offset of the first byte still known.
    fn first(&self) -> u64 {
        self.offset.saturating_sub(self.tail.len() as u64)
    }

    /// The offset behind the last byte.
    fn last(&self) -> u64 {
        self.offset.saturating_add(self.window.len() as u64)
    }

    /// What is known of a range. Copied into `joined` only where it crosses into the window.
    fn view<'b>(&'b self, range: Range<u64>, joined: &'b mut Vec<u8>) -> View<'b> {
        let start = range.start.clamp(self.first(), self.last());
        let end = range.end.clamp(start, self.last());
        let part = |bytes: &'b [u8], base: u64| {
            let from = usize::try_from(start.saturating_sub(base)).unwrap_or(usize::MAX);
            let to = usize::try_from(end.saturating_sub(base)).unwrap_or(usize::MAX);
            bytes.get(from.min(bytes.len())..to.min(bytes.len())).unwrap_or_default()
        };
        let old = part(self.tail, self.first());
        let new = part(self.window, self.offset);
        let bytes = match (old.is_empty(), new.is_empty()) {
            (true, _) => new,
            (_, true) => old,
            _ => {
                joined.clear();
                joined.extend_from_slice(old);
                joined.extend_from_slice(new);
                joined
            }
        };
        View { bytes, start }
    }
}

/// Tells the sink each new match that the hits in `work` stand for.
pub(super) fn confirm(
    core: &Core,
    history: &History<'_>,
    reported: &mut Vec<Reported>,
    work: &mut Work,
    sink: &mut dyn MatchSink,
) {
    work.masked.forget();
    work.hits.hits.sort_unstable();
    for hit in &work.hits.hits {
        let number = usize::try_from(hit.rule).unwrap_or(usize::MAX);
        let (Some(rule), Some(exact)) = (core.rules().get(number), core.program(number)) else {
            continue;
        };
        let previous = reported.iter_mut().find(|told| told.rule == hit.rule);
        let Some(span) = new_match(rule, exact, history, *hit, previous, &mut work.joined) else {
            continue;
        };
        let told = Reported {
            rule: hit.rule,
            start: span.start,
            end: span.end,
            open: span.end == history.last(),
        };
        match reported.iter_mut().find(|told| told.rule == hit.rule) {
            Some(place) => *place = told,
            None => reported.push(told),
        }
        let Some(judged) = judge(rule, exact, history, &span, &mut work.joined) else {
            continue;
        };
        work.matched.clear();
        work.matched.extend_from_slice(history.view(span.clone(), &mut work.joined).bytes);
        let found = Match {
            rule,
            bytes: &work.matched,
            secret: work.matched.get(judged.secret.clone()).unwrap_or_default(),
            confidence: judged.confidence,
            view: Seen::default(),
            at: span.start,
        };
        if sink.wants(&found) {
            let place = Place { span, secret: rule.is_secret.then_some(judged.secret) };
            let snippet = work.masked.snippet(core, history, place, &mut work.joined);
            sink.found(&found, snippet);
        }
    }
}

/// What a rule makes of a match.
struct Judged {
    /// The secret, counted from the match's beginning.
    secret: Range<usize>,
    confidence: Confidence,
}

/// Judges a match by what is known around it. None if the rule asks for a word that is not near it.
fn judge(
    rule: &Rule,
    exact: &Regex,
    history: &History<'_>,
    span: &Range<u64>,
    joined: &mut Vec<u8>,
) -> Option<Judged> {
    let around = RULE_NEAR_BYTES as u64;
    let near = span.start.saturating_sub(around)..span.end.saturating_add(around);
    let is_open = history.end == End::Open && near.end >= history.last();
    let view = history.view(near, joined);
    if !rule.has_keyword(view.bytes) {
        return None;
    }
    let matched = view.index(span.start)..view.index(span.end);
    let secret = rule.secret_in(exact, view.bytes, matched.clone());
    let secret = secret.start.max(matched.start)..secret.end.min(matched.end);
    let part = |range: Range<usize>| view.bytes.get(range).unwrap_or_default();
    let is_line_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let before = part(0..matched.start).rsplit(is_line_end).next().map_or(0, <[u8]>::len);
    let after = part(matched.end..view.bytes.len());
    let behind = after.split(is_line_end).next().map_or(0, <[u8]>::len);
    let evidence = Evidence {
        secret: part(secret.clone()),
        matched: part(matched.clone()),
        line: part(matched.start - before..matched.end + behind),
        after,
        is_open,
    };
    let confidence = rule.judge(&evidence);
    Some(Judged { secret: secret.start - matched.start..secret.end - matched.start, confidence })
}

/// The span of the match that a hit stands for, unless it was told or overlaps what was told.
fn new_match(
    rule: &Rule,
    exact: &Regex,
    history: &History<'_>,
    hit: Hit,
    previous: Option<&mut Reported>,
    joined: &mut Vec<u8>,
) -> Option<Range<u64>> {
    let earliest = hit.end.saturating_sub(rule.max_width() as u64);
    let Some(told) = previous else {
        let found = first_reaching(exact, history, earliest, hit.end, joined);
        return found.or_else(|| end_of_long_match(rule, hit.end));
    };
    if told.open {
        grow(told, exact, history, hit.end, joined);
    }
    if told.end >= hit.end {
        return None;
    }
    let found = first_reaching(exact, history, told.end.max(earliest), hit.end, joined);
    if found.is_some() || told.end <= earliest {
        return found.or_else(|| end_of_long_match(rule, hit.end));
    }
    // The match began before the end of the one told.
    match first_reaching(exact, history, earliest, hit.end, joined) {
        // It is the one told, which goes on further than was looked at then.
        Some(found) if found.start == told.start => told.end = found.end,
        Some(_) => {}
        // It is longer than the rule's width and may go on: each further end is part of it.
        None if is_surely_long(rule) => told.end = hit.end,
        None => {}
    }
    None
}

/// Looks again at a match that had reached the end of the bytes of its time.
fn grow(
    told: &mut Reported,
    exact: &Regex,
    history: &History<'_>,
    hit_end: u64,
    joined: &mut Vec<u8>,
) {
    let reachable = told.start >= history.first()
        && hit_end.saturating_sub(told.start) <= SCAN_CARRY_BYTES as u64;
    if !reachable {
        return;
    }
    let limit = hit_end.saturating_add(SCAN_MATCH_AHEAD_BYTES as u64);
    let view = history.view(told.start.saturating_sub(1)..limit, joined);
    let found = exact.find_at(view.bytes, view.index(told.start));
    if let Some(found) = found.filter(|found| view.offset(found.start()) == told.start) {
        told.end = told.end.max(view.offset(found.end()));
        told.open = told.end == history.last();
    }
}

/// The first match from `from` on that reaches the hit's end.
fn first_reaching(
    exact: &Regex,
    history: &History<'_>,
    from: u64,
    hit_end: u64,
    joined: &mut Vec<u8>,
) -> Option<Range<u64>> {
    // One byte more on the left, so that `\b` at `from` sees what is before it.
    let limit = hit_end.saturating_add(SCAN_MATCH_AHEAD_BYTES as u64);
    let view = history.view(from.saturating_sub(1)..limit, joined);
    let mut at = view.index(from);
    while let Some(found) = exact.find_at(view.bytes, at) {
        if view.offset(found.start()) >= hit_end {
            return None;
        }
        if view.offset(found.end()) >= hit_end {
            return Some(view.offset(found.start())..view.offset(found.end()));
        }
        at = found.end().max(at + 1);
    }
    None
}

/// Whether a hit without an exact match near it is the end of a match that begins further back: else the
/// filter said more than the expression does.
fn is_surely_long(rule: &Rule) -> bool {
    rule.expression.is_wide() && rule.expression.is_filter_exact()
}

/// What is shown of a match that is longer than its rule's width: its end.
fn end_of_long_match(rule: &Rule, end: u64) -> Option<Range<u64>> {
    let shown = rule.max_width().min(2 * SNIPPET_CONTEXT_CHARS);
    is_surely_long(rule).then(|| end.saturating_sub(shown as u64)..end)
}

/// The secrets of a stretch of the history: found once, used by all matches in it.
#[derive(Default)]
struct Masked {
    /// The stretch, in offsets of the stream.
    stretch: Range<u64>,
    /// The secrets in it, as indexes into its view.
    secrets: Vec<Secret>,
    /// How far past a match the next search reaches.
    ahead_bytes: usize,
}

/// Where a match lies.
struct Place {
    span: Range<u64>,
    /// What of it is a secret, counted from its beginning.
    secret: Option<Range<usize>>,
}

impl Masked {
    fn forget(&mut self) {
        self.stretch = 0..0;
        self.ahead_bytes = SCAN_REDACTION_AFTER_BYTES;
    }

    /// The masked text of a match and its context.
    fn snippet(
        &mut self,
        core: &Core,
        history: &History<'_>,
        place: Place,
        joined: &mut Vec<u8>,
    ) -> String {
        let span = place.span;
        let before = span.start.saturating_sub(SCAN_REDACTION_BEFORE_BYTES as u64);
        let needed_start = before.max(history.first());
        let after = span.end.saturating_add(SCAN_REDACTION_AFTER_BYTES as u64);
        let needed_end = after.min(history.last());
        let is_covered = self.stretch.start <= needed_start && needed_end <= self.stretch.end;
        if !is_covered || self.stretch.is_empty() {
            let end = span.end.saturating_add(self.ahead_bytes as u64).min(history.last());
            self.stretch = needed_start..end;
            self.ahead_bytes = (2 * self.ahead_bytes).min(SCAN_REDACTION_STRETCH_MAX_BYTES);
            let view = history.view(self.stretch.clone(), joined);
            let is_cut_before = self.stretch.start > 0;
            let is_cut_after = end < history.last() || history.end == End::Open;
            core.redactor.find(view.bytes, is_cut_before, is_cut_after, &mut self.secrets);
        }
        let view = history.view(self.stretch.clone(), joined);
        let matched = view.index(span.start)..view.index(span.end);
        let secret = place
            .secret
            .map(|secret| matched.start + secret.start..matched.start + secret.end)
            .map(|secret| secret.start.min(matched.end)..secret.end.min(matched.end));
        let scene = Scene { text: view.bytes, matched, secret, secrets: &self.secrets };
        snippet(&core.redactor, &scene)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_rule_leaves_the_others_their_sure_share() {
        let mut hits = Hits::default();
        hits.begin(2);
        for end in 0..SCAN_HITS_PER_WINDOW as u64 {
            hits.note(0, end);
        }
        assert_eq!((hits.hits.len(), hits.passed_over()), (SCAN_HITS_PER_WINDOW, 0));
        for end in 0..SCAN_HITS_PER_RULE_SURE as u64 {
            hits.note(1, end);
        }
        assert_eq!(hits.passed_over(), 0);
        hits.note(0, 0);
        hits.note(1, 0);
        hits.note(2, 0);
        assert_eq!(hits.passed_over(), 2);
        assert_eq!(hits.hits.len(), SCAN_HITS_PER_WINDOW + SCAN_HITS_PER_RULE_SURE);
        hits.begin(2);
        assert!(hits.is_empty() && hits.passed_over() == 0);
    }

    #[test]
    fn a_view_shows_what_is_known_and_copies_only_across_the_border() {
        let history = History { tail: b"abc", window: b"defg", offset: 10, end: End::Open };
        let mut joined = Vec::new();
        for (range, start, bytes) in [
            (0..8, 7, "a"),
            (7..10, 7, "abc"),
            (10..14, 10, "defg"),
            (11..99, 11, "efg"),
            (14..20, 14, ""),
            (0..0, 7, ""),
        ] {
            let view = history.view(range, &mut joined);
            assert_eq!((view.start, view.bytes), (start, bytes.as_bytes()));
        }
        assert!(joined.is_empty());
        assert_eq!(history.view(9..11, &mut joined).bytes, b"cd");
        assert_eq!(joined, b"cd");
    }
}
