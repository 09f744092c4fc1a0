//! What the scanner tells its caller: matches, and what could not be looked at.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::known_values::Form;
use super::rules::Rule;
use super::view::archive::Unreadable;
use super::view::codings::Undecodable;
use crate::finding::{Confidence, Fingerprint, Severity, View};

/// A confirmed match.
#[derive(Debug)]
pub struct Match<'a> {
    pub rule: &'a Arc<Rule>,
    /// All of the match that is known.
    pub bytes: &'a [u8],
    /// The part of it that is the secret: the rule's group, or all of it.
    pub secret: &'a [u8],
    /// Where that begins in `bytes`.
    pub secret_at: usize,
    /// How likely it is what the rule says.
    pub confidence: Confidence,
    /// How the text that it stands in was come by.
    pub view: View,
    /// Where the match begins in its unit (a head, a body); of a text made of others, where in the unit
    /// that text was seen.
    pub at: u64,
    /// Whether it reaches the end of what had arrived: it may be more.
    pub is_open: bool,
}

/// A known value that was seen: nothing of the value itself is in it.
#[derive(Clone, Copy, Debug)]
pub struct KnownMatch<'a> {
    /// Which value.
    pub value: usize,
    /// What it is called.
    pub name: &'a str,
    pub form: Form,
    pub fingerprint: Option<Fingerprint>,
    pub confidence: Confidence,
    pub view: View,
    /// Where it begins, as in [`Match`].
    pub at: u64,
}

impl KnownMatch<'_> {
    /// Half of a value may be half of another one that begins or ends like it.
    pub fn severity(&self) -> Severity {
        match self.confidence {
            Confidence::Low => Severity::High,
            Confidence::Medium | Confidence::High => Severity::Critical,
        }
    }
}

/// Where matches go.
pub trait MatchSink {
    /// A match: whether its snippet is wanted (false: a repeat, nothing more is done).
    fn wants(&mut self, found: &Match<'_>) -> bool;

    /// The masked snippet of the match just wanted, at most `limits::SNIPPET_CHARS` characters.
    fn found(&mut self, found: &Match<'_>, snippet: String);

    /// Whether known values are to be told.
    fn watches(&self) -> bool {
        false
    }

    /// A known value: whether its snippet is wanted.
    fn wants_known(&mut self, found: &KnownMatch<'_>) -> bool {
        let _ = found;
        false
    }

    /// The snippet of the known value just wanted, in which its name stands for it.
    fn found_known(&mut self, found: &KnownMatch<'_>, snippet: String) {
        let _ = (found, snippet);
    }

    /// Whether two places of a unit are one to whoever is told, so that the same match in both is one. Each is
    /// given as the places that it may be.
    fn is_one_place(&self, one: &RangeInclusive<u64>, other: &RangeInclusive<u64>) -> bool {
        let _ = (one, other);
        true
    }

    /// Something could not be looked at. To be counted and said, never swallowed.
    fn gap(&mut self, gap: Gap) {
        let _ = gap;
    }
}

/// Where matches go of what was counted as undecoded as a whole: that some of it is so is no news.
pub(super) struct Undecoded<'a>(pub(super) &'a mut dyn MatchSink);

impl MatchSink for Undecoded<'_> {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        self.0.wants(found)
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        self.0.found(found, snippet);
    }

    fn watches(&self) -> bool {
        self.0.watches()
    }

    fn wants_known(&mut self, found: &KnownMatch<'_>) -> bool {
        self.0.wants_known(found)
    }

    fn found_known(&mut self, found: &KnownMatch<'_>, snippet: String) {
        self.0.found_known(found, snippet);
    }

    fn gap(&mut self, gap: Gap) {
        if !matches!(gap, Gap::Undecoded(_) | Gap::Unreadable(Unreadable::Packed(_))) {
            self.0.gap(gap);
        }
    }
}

/// Tells nothing: it was told of these bytes before that there is nothing to tell.
pub(super) struct Muted<'a>(pub(super) &'a mut dyn MatchSink);

impl MatchSink for Muted<'_> {
    fn wants(&mut self, _: &Match<'_>) -> bool {
        false
    }

    fn found(&mut self, _: &Match<'_>, _: String) {}

    fn watches(&self) -> bool {
        self.0.watches()
    }

    fn wants_known(&mut self, _: &KnownMatch<'_>) -> bool {
        false
    }

    fn gap(&mut self, _: Gap) {}
}

/// Passes everything on, and remembers whether there was anything.
pub(super) struct Listening<'a> {
    sink: &'a mut dyn MatchSink,
    has_heard: bool,
}

impl<'a> Listening<'a> {
    pub(super) fn new(sink: &'a mut dyn MatchSink) -> Listening<'a> {
        Listening { sink, has_heard: false }
    }

    /// Whether there was anything, wanted or not.
    pub(super) fn has_heard(&self) -> bool {
        self.has_heard
    }
}

impl MatchSink for Listening<'_> {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        self.has_heard = true;
        self.sink.wants(found)
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        self.sink.found(found, snippet);
    }

    fn watches(&self) -> bool {
        self.sink.watches()
    }

    fn wants_known(&mut self, found: &KnownMatch<'_>) -> bool {
        self.has_heard = true;
        self.sink.wants_known(found)
    }

    fn found_known(&mut self, found: &KnownMatch<'_>, snippet: String) {
        self.sink.found_known(found, snippet);
    }

    fn is_one_place(&self, one: &RangeInclusive<u64>, other: &RangeInclusive<u64>) -> bool {
        self.sink.is_one_place(one, other)
    }

    fn gap(&mut self, gap: Gap) {
        self.has_heard = true;
        self.sink.gap(gap);
    }
}

/// What the scanner could not look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The engine failed on this many bytes (it has no memory left).
    UnscannedBytes(usize),
    /// One window held more filter hits than are looked at; the other windows are not affected.
    UnconfirmedHits(usize),
    /// Something is in a coding that could not be undone; what follows of it is read as it stands.
    Undecodable(Undecodable),
    /// Something in an archive cannot be read.
    Unreadable(Unreadable),
    /// So many bytes were read as they stand only.
    Undecoded(usize),
}
