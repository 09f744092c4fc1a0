//! What is hidden around a match, and the snippet that is cut from what is left: the secrets that look like some
//! (`redact`), those that a rule found, and those that are known by their value.

use std::ops::Range;

use super::found::KnownMatch;
use super::history::{History, View};
use super::redact::{Secret, headed, merge};
use super::scanner::Core;
use super::snippet::{Scene, Scratch, named_snippet, snippet};
use crate::limits::{
    SCAN_REDACTION_AFTER_BYTES, SCAN_REDACTION_BEFORE_BYTES, SCAN_REDACTION_STRETCH_MAX_BYTES,
};

/// The secrets of a stretch of the history: found once, used by all matches in it.
#[derive(Default)]
pub(super) struct Masked {
    /// The stretch, in offsets of the stream.
    stretch: Range<u64>,
    /// The secrets in it, as indexes into its view.
    secrets: Vec<Secret>,
    /// Those that a rule found, or that are known by their value.
    confirmed: Vec<Secret>,
    /// How far past a match the next search reaches.
    ahead_bytes: usize,
    scratch: Scratch,
}

/// Where a snippet is cut from.
pub(super) struct Scenery<'a> {
    pub(super) core: &'a Core,
    pub(super) history: &'a History<'a>,
    /// Matches that are secrets, in offsets of the stream.
    pub(super) secrets: &'a [Range<u64>],
}

impl Masked {
    pub(super) fn forget(&mut self) {
        self.stretch = 0..0;
        self.ahead_bytes = SCAN_REDACTION_AFTER_BYTES;
    }

    /// The masked text of a match and its context.
    pub(super) fn snippet(
        &mut self,
        scenery: &Scenery<'_>,
        span: &Range<u64>,
        secret: Option<&Range<u64>>,
        joined: &mut Vec<u8>,
    ) -> String {
        let mut scratch = std::mem::take(&mut self.scratch);
        let scene = self.scene(scenery, span, secret, joined);
        let snippet = snippet(&scenery.core.redactor, &scene, &mut scratch);
        self.scratch = scratch;
        snippet
    }

    /// The masked context of a known value, and its name instead of it. Beside half of one the rest of it may
    /// stand, cut anywhere: its name alone.
    pub(super) fn known_snippet(
        &mut self,
        scenery: &Scenery<'_>,
        found: &KnownMatch<'_>,
        span: &Range<u64>,
        joined: &mut Vec<u8>,
    ) -> String {
        let name = match found.form.as_str() {
            "" => format!("[value of {}]", found.name),
            form => format!("[value of {}, {form}]", found.name),
        };
        if found.form.is_half() {
            return name;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let scene = self.scene(scenery, span, None, joined);
        let snippet = named_snippet(&scenery.core.redactor, &scene, &name, &mut scratch);
        self.scratch = scratch;
        snippet
    }

    fn scene<'a>(
        &'a mut self,
        scenery: &Scenery<'a>,
        span: &Range<u64>,
        secret: Option<&Range<u64>>,
        joined: &'a mut Vec<u8>,
    ) -> Scene<'a> {
        let Scenery { core, history, secrets } = *scenery;
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
            let is_cut_after = end < history.last() || history.end.is_ahead();
            core.redactor.find(view.bytes, is_cut_before, is_cut_after, &mut self.secrets);
            find_confirmed(core, &view, secrets, &mut self.confirmed);
        }
        let view = history.view(self.stretch.clone(), joined);
        let matched = view.index(span.start)..view.index(span.end);
        let secret = secret.map(|secret| {
            let start = view.index(secret.start).max(matched.start);
            start..view.index(secret.end).clamp(start, matched.end.max(start))
        });
        let (secrets, confirmed) = (&self.secrets, &self.confirmed);
        Scene { text: view.bytes, matched, secret, secrets, confirmed }
    }
}

/// Puts what must be hidden of a view, whatever it looks like, into `confirmed`.
fn find_confirmed(
    core: &Core,
    view: &View<'_>,
    secrets: &[Range<u64>],
    confirmed: &mut Vec<Secret>,
) {
    confirmed.clear();
    for secret in secrets {
        let range = view.index(secret.start)..view.index(secret.end);
        if !range.is_empty() {
            confirmed.push(headed(view.bytes, range));
        }
    }
    if let Some(known) = &core.known {
        let mut spans = Vec::new();
        known.spans(view.bytes, &mut spans);
        let hidden = |span: Range<usize>| Secret { start: span.start, end: span.end, shown: 0 };
        confirmed.extend(spans.into_iter().map(hidden));
    }
    merge(confirmed);
}
