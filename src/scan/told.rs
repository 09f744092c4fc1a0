//! What was told of one unit (a head, a body, a direction): texts made of one another show the same match,
//! which is one match. The same in another field of a head is another one: it may belong there, or not.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::{Range, RangeInclusive};

use smallvec::SmallVec;

use super::found::{Gap, KnownMatch, Match, MatchSink};
use super::known_values::KNOWN_VALUE_RULE;
use crate::finding::{Confidence, View};
use crate::limits::{
    SCAN_TOLD_GAPS_MAX, SCAN_TOLD_HEAD_BYTES, SCAN_TOLD_MAX, SCAN_TOLD_SENSE_BYTES,
};

/// The matches told of a unit, the last `limits::SCAN_TOLD_MAX` of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    entries: Vec<Entry>,
    /// Where the next one goes once there is no more room.
    oldest: usize,
    texts: u32,
    gaps: Vec<Gap>,
    /// What was set aside, the last of it.
    past: Vec<Entry>,
    /// Whether events say all of a text so far.
    has_growing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    rule: u64,
    /// Of what matched, and of how much of it; of the first of it.
    bytes: u64,
    counts: usize,
    head: u64,
    /// Whether it may have been more than had arrived.
    is_open: bool,
    /// Whether it was hardly one: what surely is one is more than that.
    is_doubtful: bool,
    text: u32,
    at: u64,
    /// The same in its own text.
    own_at: u64,
    /// Where in the unit it may stand.
    first: u64,
    last: u64,
    /// Of what matched, where its place is known: not in a text that was made of another.
    len: Option<u64>,
    /// Whether it stands in another reading of a text.
    is_reading: bool,
    /// Whether a text that events are together shows it.
    is_of_events: bool,
}

impl Entry {
    /// What a rule saw at a place of a text, of which no more is known.
    fn seen((rule, bytes): (u64, u64), telling: &Telling, at: u64) -> Entry {
        let (first, last) = telling.places_of(at).into_inner();
        Entry {
            rule,
            bytes,
            counts: 0,
            head: bytes,
            is_open: false,
            is_doubtful: false,
            text: telling.text,
            at: telling.origin.unwrap_or(at),
            own_at: at,
            first,
            last,
            len: None,
            is_reading: telling.reading_of.is_some(),
            is_of_events: telling.is_of_events,
        }
    }

    fn places(&self) -> RangeInclusive<u64> {
        self.first..=self.last
    }

    /// Whether what matched, or the string that it may stand in, holds the byte at `at`.
    fn holds(&self, at: u64) -> bool {
        self.len.is_some_and(|len| self.at <= at && at < self.at.saturating_add(len))
    }
}

/// Stands for the texts of a message: no text that goes on over messages has this number.
const BY_ITSELF: u32 = 0;
/// The same for a text that has one string of such a message, which the match may stand in.
const IN_A_STRING: u32 = u32::MAX;
/// The same for what messages before said: it is no news in one that repeats it, wherever.
const BEFORE: u32 = u32::MAX - 1;

impl Told {
    /// A number for one more text of the unit.
    pub(super) fn next_text(&mut self) -> u32 {
        self.texts = self.texts.wrapping_add(1);
        self.texts
    }

    /// The unit is over; another begins.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.oldest = 0;
        self.gaps.clear();
        self.past.clear();
        self.has_growing = false;
    }

    /// That events say all of a text so far: on the wire there is more and more of a match.
    pub(super) fn note_growing(&mut self) {
        self.has_growing = true;
    }

    /// Whether anything was told.
    pub(super) fn has_any(&self) -> bool {
        !self.entries.is_empty() || !self.past.is_empty()
    }

    /// Whether the unit was not told to have this gap; now it is. Behind `limits::SCAN_TOLD_GAPS_MAX` none is new.
    pub(super) fn is_new_gap(&mut self, gap: Gap) -> bool {
        let is_new = self.gaps.len() < SCAN_TOLD_GAPS_MAX && !self.gaps.contains(&gap);
        self.gaps.extend(is_new.then_some(gap));
        is_new
    }

    /// Forgets what was told since it was `before`. Texts keep their numbers.
    pub(super) fn return_to(&mut self, before: Told) {
        *self = Told { texts: self.texts, ..before };
    }

    /// Takes over what a message told by itself, of which what is behind the first `from` bytes stands at `at` in
    /// the text that this one is of.
    pub(super) fn take_over(&mut self, message: &Told, from: u64, at: u64) {
        for entry in &message.entries {
            let behind = entry.at.saturating_add(entry.len.unwrap_or(0));
            if behind >= from {
                let cut = from.saturating_sub(entry.at);
                let len = entry.len.map(|len| len.saturating_sub(cut));
                let at = at.saturating_add(entry.at.saturating_sub(from));
                self.add(Entry { text: BY_ITSELF, at, own_at: at, len, ..*entry });
            }
        }
    }

    /// Takes over what a message told by itself, of which a string of `len` bytes stands at `at` in the text that this
    /// one is of: where in the message that string stands is not known.
    pub(super) fn take_over_string(&mut self, message: &Told, at: u64, len: usize) {
        for entry in &message.entries {
            let len = Some(len as u64);
            self.add(Entry { text: IN_A_STRING, at, own_at: at, len, ..*entry });
        }
    }

    /// Forgets what lies before `at`.
    pub(super) fn forget_before(&mut self, at: u64) {
        let count = self.entries.len();
        self.entries.retain(|entry| entry.at.saturating_add(entry.len.unwrap_or(0)) >= at);
        if self.entries.len() < count {
            self.oldest = 0;
        }
    }

    /// The same, but it is known still when the text is said once more.
    pub(super) fn set_aside_before(&mut self, at: u64) {
        let is_gone = |entry: &&Entry| entry.at.saturating_add(entry.len.unwrap_or(0)) < at;
        self.past.extend(self.entries.iter().filter(is_gone));
        let stale = self.past.len().saturating_sub(SCAN_TOLD_MAX);
        self.past.drain(..stale);
        self.forget_before(at);
    }

    /// Knows what was told of a stretch of the text that `other` is of: it is said once more.
    pub(super) fn know(&mut self, other: &Told, stretch: &Range<u64>) {
        self.know_some(other, |entry| {
            let end = entry.at.saturating_add(entry.len.unwrap_or(0));
            entry.at < stretch.end && end >= stretch.start
        });
    }

    /// The same of all that only the text itself told, none of its messages.
    pub(super) fn know_joined(&mut self, other: &Told) {
        self.know_some(other, |entry| entry.text != IN_A_STRING);
    }

    fn know_some(&mut self, other: &Told, which: impl Fn(&Entry) -> bool) {
        for entry in other.past.iter().chain(&other.entries).filter(|entry| which(entry)) {
            let (first, last) = (0, u64::MAX);
            let place = Entry { at: 0, own_at: 0, first, last, len: None, ..*entry };
            self.add(Entry { text: BEFORE, is_of_events: true, ..place });
        }
    }

    /// Whether another text told of this match already. If not, it is told now.
    fn is_known(&mut self, found: &Match<'_>, telling: &Telling, sink: &dyn MatchSink) -> bool {
        // What is ordinary in a call is none of what is found elsewhere.
        let is_ordinary = telling.is_of_calls && found.confidence == Confidence::Low;
        let rule = hash((&*found.rule.id, is_ordinary));
        let sense = Sense::of(if found.rule.is_secret { found.secret } else { found.bytes });
        let (bytes, head, counts) = (sense.whole(), sense.head(), sense.len());
        let at = telling.origin.unwrap_or(found.at);
        let len = found.bytes.len() as u64;
        let places = telling.places_of(found.at);
        let may_be_cut = found.is_open || self.has_growing;
        let is_same = |entry: &Entry| {
            let is_more = entry.is_doubtful && found.confidence != Confidence::Low;
            let goes_on = || !is_more && sense.begins_with(entry);
            entry.rule == rule
                && entry.text != telling.text
                && ((entry.bytes == bytes && sink.is_one_place(&entry.places(), &places))
                    || telling.goes_on(entry, at, len)
                    || (entry.text == IN_A_STRING && entry.holds(at) && goes_on())
                    || (entry.is_open && sink.is_one_place(&entry.places(), &places) && goes_on())
                    || (telling.is_of_coded(entry) && entry.head == head)
                    || (entry.text == BEFORE && goes_on())
                    || (may_be_cut && telling.is_of_wire(entry) && entry.head == head)
                    || (entry.is_reading
                        && telling.reading_of.is_some()
                        && entry.head == head
                        && do_meet(&entry.places(), &places))
                    || (telling.repeats(entry, found.at)
                        && (!found.rule.is_secret || entry.head == head))
                    || (!is_more && telling.is_rest_of(entry, found.at)))
        };
        if let Some(entry) = self.entries.iter_mut().find(|entry| is_same(entry)) {
            if telling.is_of_events {
                // What repeats this text is one with it: the bytes on the wire may, in a later event.
                entry.text = telling.text;
                entry.is_of_events = true;
            }
            return true;
        }
        self.add(Entry {
            counts,
            head,
            is_open: found.is_open,
            is_doubtful: found.confidence == Confidence::Low,
            len: telling.origin.is_none().then_some(len),
            ..Entry::seen((rule, bytes), telling, found.at)
        });
        false
    }

    /// The same of a known value: another text that shows it, or shows it in another form, tells nothing new.
    fn is_known_value(
        &mut self,
        found: &KnownMatch<'_>,
        telling: &Telling,
        sink: &dyn MatchSink,
    ) -> bool {
        let (rule, bytes) = (hash(KNOWN_VALUE_RULE), hash((found.value, found.form.is_half())));
        let places = telling.places_of(found.at);
        let is_same = |entry: &Entry| {
            (entry.rule, entry.bytes) == (rule, bytes)
                && entry.text != telling.text
                && sink.is_one_place(&entry.places(), &places)
        };
        if self.entries.iter().any(is_same) {
            return true;
        }
        self.add(Entry::seen((rule, bytes), telling, found.at));
        false
    }

    fn add(&mut self, entry: Entry) {
        if self.entries.len() < SCAN_TOLD_MAX {
            self.entries.push(entry);
        } else if let Some(place) = self.entries.get_mut(self.oldest) {
            *place = entry;
            self.oldest = (self.oldest + 1) % SCAN_TOLD_MAX;
        }
    }
}

fn do_meet(one: &RangeInclusive<u64>, other: &RangeInclusive<u64>) -> bool {
    one.start() <= other.end() && other.start() <= one.end()
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// What a match says, however its text is written: without quotes, blanks and the escapes of both, which one reading
/// has, another has not, and a third has as what the match ends with.
struct Sense(SmallVec<[u8; SCAN_TOLD_SENSE_BYTES]>);

impl Sense {
    fn of(bytes: &[u8]) -> Sense {
        let mut said = SmallVec::new();
        let mut is_escaped = false;
        for byte in bytes {
            let is_blank = byte.is_ascii_whitespace() || (is_escaped && b"nrt".contains(byte));
            is_escaped = *byte == b'\\';
            if !is_blank && !b"\\\"'`".contains(byte) {
                said.push(*byte);
            }
        }
        Sense(said)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn whole(&self) -> u64 {
        hash(&*self.0)
    }

    fn head(&self) -> u64 {
        hash(self.0.get(..SCAN_TOLD_HEAD_BYTES).unwrap_or(&self.0))
    }

    /// Whether it is what was told, or more of it.
    fn begins_with(&self, entry: &Entry) -> bool {
        let front = self.0.get(..entry.counts).filter(|front| !front.is_empty());
        front.is_some_and(|front| hash(front) == entry.bytes)
    }
}

/// Which text of a unit is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Telling {
    pub(super) text: u32,
    pub(super) view: View,
    /// Where in the unit the text was seen; none: its offsets are the unit's.
    pub(super) origin: Option<u64>,
    /// Whether that text was made of one that was made of the unit: it stands anywhere behind its origin.
    pub(super) is_deeper: bool,
    /// What it is another reading of.
    pub(super) reading_of: Option<Reading>,
    /// Whether it is what events of the unit say together.
    pub(super) is_of_events: bool,
    /// If it stands for what is in a coding: behind the text of this number come those out of it.
    pub(super) coded_from: Option<u32>,
    /// Whether its lines are commands of tool calls.
    pub(super) is_of_calls: bool,
}

/// Another reading of a text, from one place of it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Which text.
    pub(super) of: u32,
    /// Where in that text it begins.
    pub(super) start: u64,
    /// How many bytes fewer it has than that text, up to where it was read.
    pub(super) dropped: u64,
    /// Whether that text is the unit itself.
    pub(super) is_of_unit: bool,
}

impl Reading {
    /// Where in the other text the byte at `at` may stand.
    fn places(&self, at: u64) -> RangeInclusive<u64> {
        let first = self.start.saturating_add(at);
        first..=first.saturating_add(self.dropped)
    }
}

impl Telling {
    /// Whether a match at `at` is one that the other reading of the same bytes told.
    fn repeats(&self, entry: &Entry, at: u64) -> bool {
        self.reading_of.is_some_and(|reading| {
            (reading.of == entry.text || entry.text == BY_ITSELF)
                && reading.places(at).contains(&entry.own_at)
        })
    }

    /// Whether a match begins within one that the other reading told, wherever it may stand: this one began behind the
    /// front of it.
    fn is_rest_of(&self, entry: &Entry, at: u64) -> bool {
        self.reading_of.is_some_and(|reading| {
            let last = entry.len.and_then(|len| entry.own_at.checked_add(len)?.checked_sub(1));
            let is_of_it = reading.of == entry.text || entry.text == BY_ITSELF;
            let places = reading.places(at);
            let is_behind = *places.start() > entry.own_at;
            is_of_it && is_behind && last.is_some_and(|last| *places.end() <= last)
        })
    }

    /// Whether a match was told of what this text stands for: a coding may cut what it shows of it.
    fn is_of_coded(&self, entry: &Entry) -> bool {
        self.coded_from.is_some_and(|from| entry.text > from)
    }

    /// Whether it is the bytes of events as they stand, and a match one that events told: what a read cuts of an event
    /// is seen in full with the others, once the event is here.
    fn is_of_wire(&self, entry: &Entry) -> bool {
        entry.is_of_events && !self.is_of_events && self.origin.is_none()
    }

    /// Where in the unit a match at `at` is said to be.
    fn place_of(&self, at: u64) -> u64 {
        *self.places_of(at).start()
    }

    /// Where in the unit it may be.
    fn places_of(&self, at: u64) -> RangeInclusive<u64> {
        match (self.origin, self.reading_of) {
            (_, Some(reading)) if reading.is_of_unit => reading.places(at),
            (None, _) => at..=at,
            (Some(origin), _) if self.is_deeper => origin..=u64::MAX,
            (Some(origin), _) => origin..=origin,
        }
    }

    /// Whether a match is one that a message told by itself, or more of it.
    fn goes_on(&self, entry: &Entry, at: u64, len: u64) -> bool {
        self.origin.is_none()
            && entry.text == BY_ITSELF
            && entry.len.is_some_and(|told| entry.at < at + len && at < entry.at + told)
    }
}

/// Passes on what is new, as seen in the text that is looked at.
pub(super) struct Teller<'a> {
    pub(super) told: &'a mut Told,
    pub(super) telling: Telling,
    pub(super) sink: &'a mut dyn MatchSink,
}

impl Teller<'_> {
    fn seen<'m>(&self, found: &Match<'m>) -> Match<'m> {
        let at = self.telling.place_of(found.at);
        Match { view: self.telling.view, at, ..*found }
    }

    fn seen_known<'m>(&self, found: &KnownMatch<'m>) -> KnownMatch<'m> {
        let at = self.telling.place_of(found.at);
        KnownMatch { view: self.telling.view, at, ..*found }
    }
}

impl MatchSink for Teller<'_> {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        !self.told.is_known(found, &self.telling, &*self.sink) && self.sink.wants(&self.seen(found))
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        self.sink.found(&self.seen(found), snippet);
    }

    fn watches(&self) -> bool {
        self.sink.watches()
    }

    fn wants_known(&mut self, found: &KnownMatch<'_>) -> bool {
        !self.told.is_known_value(found, &self.telling, &*self.sink)
            && self.sink.wants_known(&self.seen_known(found))
    }

    fn found_known(&mut self, found: &KnownMatch<'_>, snippet: String) {
        self.sink.found_known(&self.seen_known(found), snippet);
    }

    fn gap(&mut self, gap: Gap) {
        self.sink.gap(gap);
    }
}
