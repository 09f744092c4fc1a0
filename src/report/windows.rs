//! The windows of what was told: whether something repeats what was told less than a window ago. Decides only: values
//! and `now` in, verdicts out.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::config::DedupBy;
use crate::finding::{Confidence, Direction, Finding, Fingerprint, Severity};

/// What a finding is about, as far as repeats go.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub pattern: &'a str,
    pub dest: &'a str,
    pub direction: Direction,
    /// A key where it belongs and the same key elsewhere do not repeat each other.
    pub is_info: bool,
    /// What is hardly one does not hold back what surely is.
    pub is_doubtful: bool,
    pub fingerprint: Option<Fingerprint>,
}

impl<'a> Subject<'a> {
    pub fn of(finding: &'a Finding) -> Subject<'a> {
        Subject {
            pattern: &finding.pattern,
            dest: &finding.dest,
            direction: finding.direction,
            is_info: finding.severity == Severity::Info,
            is_doubtful: finding.confidence == Confidence::Low,
            fingerprint: finding.fingerprint,
        }
    }
}

/// What stands for a [`Subject`].
///
/// 128 bits under random keys stand for the names, so that a key's size does not depend on what a
/// client asked for. Two names that met would cost one suppressed line; among 65,536 keys the odds
/// are 2^-97.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64, u64);

/// Whether something of a key opens a window.
#[derive(Debug)]
pub enum Verdict<T> {
    /// It does. What was remembered of another key may have been forgotten for it.
    Opens { forgotten: Option<T> },
    /// It repeats what opened one less than a window ago.
    Repeats,
}

/// A key's window, and what else is remembered of it.
#[derive(Debug)]
struct Entry<T> {
    /// Its place in the order of looks; none has 0.
    place: u64,
    /// When its window was opened; none: the next one opens it.
    opened_at: Option<Instant>,
    /// When it was looked after last: as its window was opened, or later.
    seen_to_at: Instant,
    kept: T,
}

impl<T: Default> Entry<T> {
    /// Without a place and a window.
    fn new(now: Instant) -> Entry<T> {
        Entry { place: 0, opened_at: None, seen_to_at: now, kept: T::default() }
    }

    fn is_over(&self, now: Instant, length: Duration) -> bool {
        // Cores hand over in any order, so `now` may be a little before what opened it: that is a repeat.
        self.opened_at.is_none_or(|at| now.saturating_duration_since(at) >= length)
    }
}

/// The keys that were seen, at most `max_keys`.
///
/// A window runs from what opened it: what comes less than a window later repeats it, the first one after that opens the
/// next. At `max_keys` the key that was seen to longest ago is forgotten.
#[derive(Debug)]
pub struct Windows<T> {
    length: Duration,
    by: DedupBy,
    max_keys: usize,
    entries: HashMap<Key, Entry<T>>,
    /// The keys by the place of their look, oldest first.
    order: BTreeMap<u64, Key>,
    next_place: u64,
    hashers: (RandomState, RandomState),
}

impl<T: Default> Windows<T> {
    /// Windows of no length open with everything, and nothing is remembered. One key is remembered at least.
    pub fn new(length: Duration, by: DedupBy, max_keys: usize) -> Self {
        Windows {
            length,
            by,
            max_keys: max_keys.max(1),
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next_place: 1,
            hashers: (RandomState::new(), RandomState::new()),
        }
    }

    /// Another length from now on, also of those that are open.
    pub fn set_length(&mut self, length: Duration) {
        self.length = length;
    }

    pub(super) fn length(&self) -> Duration {
        self.length
    }

    /// The keys that are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The key of a subject.
    pub fn key(&self, subject: &Subject<'_>) -> Key {
        let fingerprint = subject.fingerprint.filter(|_| self.by == DedupBy::Fingerprint);
        let Subject { pattern, dest, direction, is_info, is_doubtful, .. } = *subject;
        let names = (pattern, dest, direction, is_info, is_doubtful, fingerprint);
        Key(self.hashers.0.hash_one(names), self.hashers.1.hash_one(names))
    }

    /// Whether the key's window is over, in which case the next one opens now.
    pub fn open(&mut self, key: Key, now: Instant) -> Verdict<T> {
        if self.length.is_zero() {
            return Verdict::Opens { forgotten: None };
        }
        let mut forgotten = None;
        match self.entries.get(&key) {
            Some(entry) if !entry.is_over(now, self.length) => return Verdict::Repeats,
            Some(_) => {}
            None => {
                forgotten = self.make_room();
                self.entries.insert(key, Entry::new(now));
            }
        }
        self.see_to(key, now);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.opened_at = Some(now);
        }
        Verdict::Opens { forgotten }
    }

    /// Whether a key has no window that is open.
    pub(super) fn is_over(&self, key: Key, now: Instant) -> bool {
        self.entries.get(&key).is_none_or(|entry| entry.is_over(now, self.length))
    }

    /// The next one of the key opens a window: what opened this one was lost.
    pub(super) fn close(&mut self, key: Key) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.opened_at = None;
        }
    }

    /// What else is remembered of a key.
    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entries.get_mut(&key).map(|entry| &mut entry.kept)
    }

    /// What else is remembered of every key.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.values_mut().map(|entry| &mut entry.kept)
    }

    /// A key that was seen to so long ago, and longer.
    pub(super) fn due(&self, now: Instant, patience: Duration) -> Option<Key> {
        let (_, key) = self.order.first_key_value()?;
        let seen_to_at = self.entries.get(key)?.seen_to_at;
        (now.saturating_duration_since(seen_to_at) > patience).then_some(*key)
    }

    /// A key was seen to: it is the last in the order.
    pub(super) fn see_to(&mut self, key: Key, now: Instant) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        self.order.remove(&entry.place);
        (entry.place, entry.seen_to_at) = (self.next_place, now);
        self.order.insert(self.next_place, key);
        self.next_place += 1;
    }

    /// Forgets a key.
    pub(super) fn remove(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key) {
            self.order.remove(&entry.place);
        }
    }

    /// Forgets the key that was seen to longest ago, when there is no room for another.
    fn make_room(&mut self) -> Option<T> {
        if self.entries.len() < self.max_keys {
            return None;
        }
        let (_, oldest) = self.order.pop_first()?;
        self.entries.remove(&oldest).map(|entry| entry.kept)
    }
}
