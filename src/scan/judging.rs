//! What a rule makes of a match: how sure it is, by what is known around it.

use std::ops::Range;

use memchr::{memchr2, memrchr2};
use regex::bytes::Regex;

use super::confirm::Confirmed;
use super::history::History;
use super::rules::{Evidence, Rule};
use super::stream::End;
use crate::finding::Confidence;
use crate::limits::RULE_NEAR_BYTES;

/// What a rule makes of a match.
pub(super) struct Judged {
    /// Offsets in the stream.
    pub(super) secret: Range<u64>,
    pub(super) confidence: Confidence,
    /// How much of the match's front only stands for a word's beginning.
    escape: usize,
}

impl Judged {
    /// The match of this rule that was judged.
    pub(super) fn confirmed(
        self,
        rule: usize,
        span: &Range<u64>,
        history: &History<'_>,
    ) -> Confirmed {
        Confirmed {
            is_open: history.end.is_ahead() && span.end == history.last(),
            rule,
            span: span.start.saturating_add(self.escape as u64)..span.end,
            secret: self.secret,
            confidence: self.confidence,
        }
    }
}

/// Whether more may come of what counts as near to a match.
pub(super) fn may_get_near(history: &History<'_>, span: &Range<u64>) -> bool {
    let near_to = span.end.saturating_add(RULE_NEAR_BYTES as u64);
    matches!(history.end, End::Open | End::Follows) && near_to > history.last()
}

/// Whether a match may wait for what decides about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    Yes,
    No,
}

/// Judges a match by what is known around it. None if the rule asks for a word that is not near it, what follows
/// decides, or it is no match.
pub(super) fn judge(
    rule: &Rule,
    exact: &Regex,
    history: &History<'_>,
    span: &Range<u64>,
    waits: Waits,
    joined: &mut Vec<u8>,
) -> Option<Judged> {
    let around = RULE_NEAR_BYTES as u64;
    let near = span.start.saturating_sub(around)..span.end.saturating_add(around);
    let is_over = matches!(history.end, End::Last | End::Whole | End::Here);
    let is_open = !is_over && near.end >= history.last();
    let view = history.view(near, joined);
    if !rule.has_keyword(view.bytes) {
        return None;
    }
    let whole = view.index(span.start)..view.index(span.end);
    let secret = rule.secret_in(exact, view.bytes, whole.clone());
    let escape = rule.expression.escape_before(view.bytes.get(whole.clone()).unwrap_or_default());
    let matched = whole.start + escape..whole.end;
    let secret = secret.start.max(matched.start)..secret.end.min(matched.end);
    let part = |range: Range<usize>| view.bytes.get(range).unwrap_or_default();
    let before = part(0..matched.start);
    let before = before.len() - memrchr2(b'\r', b'\n', before).map_or(0, |at| at + 1);
    let after = part(matched.end..view.bytes.len());
    let behind = memchr2(b'\r', b'\n', after).unwrap_or(after.len());
    let line_start = matched.start - before;
    let line = part(line_start..matched.end + behind);
    let evidence = Evidence {
        secret: part(secret.clone()),
        matched: part(matched.clone()),
        line,
        before: part(line_start..matched.start),
        after,
        is_open,
        is_of_call: history.is_of_calls,
    };
    // A longer one would not be known whole any more.
    let may_wait = waits == Waits::Yes && span.end - span.start < RULE_NEAR_BYTES as u64;
    if may_wait && may_get_near(history, span) && rule.hangs_on_rest(&evidence) {
        return None;
    }
    let confidence = rule.judge(&evidence)?;
    let secret = view.offset(secret.start)..view.offset(secret.end);
    Some(Judged { secret, confidence, escape })
}
