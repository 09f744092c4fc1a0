//! From filter hits to matches: the exact span of each, told once.
//!
//! The engine reports each possible end of a match, in any order among rules. Here hits are put in
//! order, the rule's exact expression is run over the few bytes around each, and a hit inside or
//! overlapping what was told already is dropped. Distinct matches are those that the expression
//! would find one after the other in the whole text.

use std::ops::Range;

use regex::bytes::Regex;

use super::found::{KnownMatch, Match, MatchSink};
use super::hiding::{Masked, Scenery};
use super::history::History;
use super::hits::{Hit, Hits};
use super::judging::{Waits, judge, may_get_near};
use super::known_values::{Known, Watch};
use super::overlaps::Overlaps;
use super::precedence::{Claim, within_reach, yields_to};
use super::rules::Rule;
use super::scanner::Core;
use super::stream::End;
use crate::finding::{Confidence, View as Seen};
use crate::limits::{
    RULE_NEAR_BYTES, SCAN_CARRY_BYTES, SCAN_MATCH_AHEAD_BYTES, SCAN_REPEATS_APART_BYTES,
    SCAN_REPEATS_PER_WINDOW, SCAN_SECRETS_REMEMBERED, SNIPPET_CONTEXT_CHARS,
};

/// Memory that one look at the hits needs, kept for the next.
#[derive(Default)]
pub(super) struct Work {
    pub(super) hits: Hits,
    joined: Vec<u8>,
    matched: Vec<u8>,
    confirmed: Vec<Confirmed>,
    overlaps: Overlaps,
    known: Vec<Known>,
    masked: Masked,
}

impl Work {
    /// Forgets what was found in another window.
    pub(super) fn begin(&mut self) {
        self.masked.forget();
        self.confirmed.clear();
        self.known.clear();
    }
}

/// A new match of one window.
pub(super) struct Confirmed {
    /// The rule's number.
    pub(super) rule: usize,
    /// Offsets in the stream.
    pub(super) span: Range<u64>,
    /// The part of it that is the secret.
    pub(super) secret: Range<u64>,
    pub(super) confidence: Confidence,
    /// It may be more than had arrived.
    pub(super) is_open: bool,
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
    /// Its rule tells of it: a match without the word that the rule asks for is none for the others.
    is_told: bool,
    /// That word, or what decides about the match, may still come, or the match's own rest will at once.
    waits: bool,
    /// How many of the window's matches were more than doubtful.
    in_window: usize,
}

impl Reported {
    /// Whether it waits for a word that its rule asks for, or for its rest.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// Whether more bytes change nothing about it.
    pub(super) fn is_settled(&self) -> bool {
        !self.waits && !self.open
    }
}

/// Tells the sink each new match that the hits in `work` stand for.
pub(super) fn confirm(
    core: &Core,
    history: &History<'_>,
    reported: &mut Vec<Reported>,
    secrets: &mut Vec<Range<u64>>,
    work: &mut Work,
    sink: &mut dyn MatchSink,
) {
    secrets.retain(|secret| secret.end > history.first());
    find_matches(core, history, reported, work);
    grow_secrets(core, history, reported, secrets, &mut work.joined);
    // All matches of a window are known before the first is shown: one may stand in another's context. So may one that
    // waits for its rest.
    for held in reported.iter().filter(|told| told.is_told && told.waits) {
        let number = usize::try_from(held.rule).unwrap_or(usize::MAX);
        if core.rules().get(number).is_some_and(|rule| rule.is_secret) {
            secrets.push(held.start..held.end);
        }
    }
    for found in &work.confirmed {
        if core.rules().get(found.rule).is_some_and(|rule| rule.is_secret) {
            secrets.push(found.secret.clone());
        }
    }
    work.overlaps.arrange(work.confirmed.iter().map(|confirmed| &confirmed.span));
    for confirmed in &work.confirmed {
        let Some(rule) = core.rules().get(confirmed.rule) else { continue };
        if is_told_by_another(core, confirmed, (&work.confirmed, &work.overlaps), reported) {
            continue;
        }
        let Confirmed { span, secret, .. } = confirmed;
        work.matched.clear();
        work.matched.extend_from_slice(history.view(span.clone(), &mut work.joined).bytes);
        let within = |offset: u64| usize::try_from(offset.saturating_sub(span.start)).ok();
        let part = within(secret.start).zip(within(secret.end)).map(|(from, to)| from..to);
        let found = Match {
            rule,
            bytes: &work.matched,
            secret_at: part.as_ref().map_or(0, |part| part.start),
            secret: part.and_then(|part| work.matched.get(part)).unwrap_or(&work.matched),
            confidence: confirmed.confidence,
            view: Seen::default(),
            at: span.start,
            is_open: confirmed.is_open,
        };
        if sink.wants(&found) {
            let scenery = Scenery { core, history, secrets };
            let secret = rule.is_secret.then_some(secret);
            let snippet = work.masked.snippet(&scenery, span, secret, &mut work.joined);
            sink.found(&found, snippet);
        }
    }
    secrets.drain(..secrets.len().saturating_sub(SCAN_SECRETS_REMEMBERED));
}

/// Whether a rule that comes first tells of the same bytes, in this window or up to it.
fn is_told_by_another(
    core: &Core,
    confirmed: &Confirmed,
    (window, overlaps): (&[Confirmed], &Overlaps),
    reported: &[Reported],
) -> bool {
    let Some(rule) = core.rules().get(confirmed.rule) else { return false };
    let own = Claim { rule, number: confirmed.rule, span: &confirmed.span };
    let claims = |number: usize, span: &Range<u64>| {
        let rule = core.rules().get(number);
        rule.is_some_and(|rule| yields_to(&own, &Claim { rule, number, span }))
    };
    let mut near =
        overlaps.of(&within_reach(&confirmed.span)).filter_map(|number| window.get(number));
    near.any(|other| claims(other.rule, &other.span))
        || reported.iter().filter(|told| told.is_told).any(|told| {
            let number = usize::try_from(told.rule).unwrap_or(usize::MAX);
            claims(number, &(told.start..told.end))
        })
}

/// Tells the sink each known value that ends in the window.
pub(super) fn confirm_known(
    core: &Core,
    history: &History<'_>,
    watch: &mut Watch,
    (reported, secrets): (&mut [Reported], &mut Vec<Range<u64>>),
    work: &mut Work,
    sink: &mut dyn MatchSink,
) {
    watch.feed(history.window, &mut |known| work.known.push(known));
    if history.end == End::Here {
        watch.finish(&mut |known| work.known.push(known));
    }
    if !work.known.is_empty() {
        core.note_heard();
        grow_secrets(core, history, reported, secrets, &mut work.joined);
    }
    for known in &work.known {
        let values = watch.known();
        let found = KnownMatch {
            value: known.value,
            name: values.name(known.value),
            form: known.form,
            fingerprint: values.fingerprint(known.value),
            confidence: known.confidence(),
            view: Seen::default(),
            at: known.at,
        };
        if sink.wants_known(&found) {
            let span = known.at..known.at.saturating_add(known.len as u64);
            let scenery = Scenery { core, history, secrets };
            let snippet = work.masked.known_snippet(&scenery, &found, &span, &mut work.joined);
            sink.found_known(&found, snippet);
        }
    }
}

/// A secret that reached the end of what had arrived may go on in this window, without a further hit: all of it is
/// to be hidden.
fn grow_secrets(
    core: &Core,
    history: &History<'_>,
    reported: &mut [Reported],
    secrets: &mut Vec<Range<u64>>,
    joined: &mut Vec<u8>,
) {
    for told in reported.iter_mut().filter(|told| told.open && told.end == history.offset) {
        let number = usize::try_from(told.rule).unwrap_or(usize::MAX);
        let (Some(rule), Some(exact)) = (core.rules().get(number), core.program(number)) else {
            continue;
        };
        if rule.is_secret {
            grow(told, exact, history, history.offset, joined);
            secrets.push(told.start..told.end);
        }
    }
}

/// Puts the span of each new match that the hits stand for into `work.confirmed`.
fn find_matches(core: &Core, history: &History<'_>, reported: &mut Vec<Reported>, work: &mut Work) {
    for told in reported.iter_mut() {
        told.in_window = 0;
        if told.waits {
            judge_again(core, history, told, work);
        }
    }
    work.hits.hits.sort_unstable();
    let hits = std::mem::take(&mut work.hits.hits);
    for hit in &hits {
        let number = usize::try_from(hit.rule).unwrap_or(usize::MAX);
        let (Some(rule), Some(exact)) = (core.rules().get(number), core.program(number)) else {
            continue;
        };
        // A command that goes on is another one: `rm -rf /` and a path.
        if history.end == End::Pause && !rule.is_secret {
            continue;
        }
        let previous = reported.iter_mut().find(|told| told.rule == hit.rule);
        if previous.as_ref().is_some_and(|told| is_repeat(rule, told, *hit)) {
            core.note_heard();
            continue;
        }
        let before = previous.as_ref().map_or(0, |told| told.in_window);
        if previous.as_ref().is_some_and(|told| may_be_of(rule, told, *hit)) {
            core.note_heard();
        }
        let Some(span) = new_match(rule, exact, history, *hit, previous, &mut work.joined) else {
            continue;
        };
        core.note_heard();
        let judged = judge(rule, exact, history, &span, Waits::Yes, &mut work.joined);
        let is_told = judged.is_some();
        let is_cut = is_told && is_cut(history, &span);
        let judged = judged.filter(|_| !is_cut);
        let is_sure = judged.as_ref().is_some_and(|judged| judged.confidence != Confidence::Low);
        let told = Reported {
            rule: hit.rule,
            start: span.start,
            end: span.end,
            open: span.end == history.last(),
            is_told,
            waits: is_cut || (!is_told && may_get_near(history, &span)),
            in_window: before + usize::from(is_sure),
        };
        match reported.iter_mut().find(|told| told.rule == hit.rule) {
            Some(place) => {
                let left = std::mem::replace(place, told);
                tell_left(rule, exact, history, &left, work);
            }
            None => reported.push(told),
        }
        if let Some(judged) = judged {
            work.confirmed.push(judged.confirmed(number, &span, history));
        }
    }
    work.hits.hits = hits;
}

/// Whether a hit is one of a flood, and near the last match that was looked at: it tells nothing new. Secrets are
/// each a thing of their own; doubtful matches do not stand for one that is not.
fn is_repeat(rule: &Rule, told: &Reported, hit: Hit) -> bool {
    !rule.is_secret
        && !told.open
        && told.in_window >= SCAN_REPEATS_PER_WINDOW
        && hit.end < told.end.saturating_add(SCAN_REPEATS_APART_BYTES as u64)
}

/// Whether a hit may be more of what was told.
fn may_be_of(rule: &Rule, told: &Reported, hit: Hit) -> bool {
    told.end > hit.end.saturating_sub(rule.max_width() as u64)
}

/// Whether the rest of a match is at hand, and all of it will still be known then: it is told with it.
fn is_cut(history: &History<'_>, span: &Range<u64>) -> bool {
    history.end == End::Follows
        && span.end == history.last()
        && span.end - span.start < RULE_NEAR_BYTES as u64
}

/// A match that had not got its rest, or the word that its rule asks for: it may be in what came since.
fn judge_again(core: &Core, history: &History<'_>, told: &mut Reported, work: &mut Work) {
    let number = usize::try_from(told.rule).unwrap_or(usize::MAX);
    let (Some(rule), Some(exact)) = (core.rules().get(number), core.program(number)) else {
        return;
    };
    if history.end == End::Pause && !rule.is_secret {
        return;
    }
    told.waits = false;
    if told.start < history.first() {
        return;
    }
    if told.open {
        grow(told, exact, history, history.offset, &mut work.joined);
    }
    let span = told.start..told.end;
    match judge(rule, exact, history, &span, Waits::Yes, &mut work.joined) {
        Some(judged) => {
            told.is_told = true;
            work.confirmed.push(judged.confirmed(number, &span, history));
        }
        None => told.waits = may_get_near(history, &span),
    }
}

/// A match gives way to the next one of its rule: if what follows was to decide about it, what is known does.
fn tell_left(rule: &Rule, exact: &Regex, history: &History<'_>, left: &Reported, work: &mut Work) {
    if left.is_told || !left.waits || left.start < history.first() {
        return;
    }
    let number = usize::try_from(left.rule).unwrap_or(usize::MAX);
    let span = left.start..left.end;
    if let Some(judged) = judge(rule, exact, history, &span, Waits::No, &mut work.joined) {
        work.confirmed.push(judged.confirmed(number, &span, history));
    }
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
