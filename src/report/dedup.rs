//! Whether a finding becomes a line: one a key and window. Decides only: values and `now` in,
//! verdicts out.

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

/// What becomes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is written, and its line says how many of its key were suppressed since the last one.
    Write { suppressed: u64 },
    /// It repeats a line that was written less than a window ago.
    Suppress,
}

/// What stands for a [`Subject`].
///
/// 128 bits under random keys stand for the names, so that a key's size does not depend on what a
/// client asked for. Two names that met would cost one suppressed line; among 65,536 keys the odds
/// are 2^-97.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key(u64, u64);

/// What is remembered of a key.
#[derive(Debug)]
struct Entry {
    /// Its place in the order of windows.
    place: u64,
    /// When its window was opened; none: the next one opens it.
    opened_at: Option<Instant>,
    /// What was held back since the last line.
    suppressed: u64,
}

/// The keys that were seen, at most `max_keys` (some 120 bytes each).
///
/// The window runs from the line that was written: what comes less than a window after it is
/// suppressed, the first one after that is written and opens the next window. At `max_keys` the key
/// whose window is oldest is forgotten; that costs at most a repeated line, and the count of what
/// its key had suppressed.
#[derive(Debug)]
pub struct Dedup {
    window: Duration,
    by: DedupBy,
    max_keys: usize,
    entries: HashMap<Key, Entry>,
    /// The keys by the place of their window, oldest first.
    order: BTreeMap<u64, Key>,
    next_place: u64,
    hashers: (RandomState, RandomState),
}

impl Dedup {
    /// A zero window switches it off; it remembers one key at least.
    pub fn new(window: Duration, by: DedupBy, max_keys: usize) -> Self {
        Dedup {
            window,
            by,
            max_keys: max_keys.max(1),
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next_place: 0,
            hashers: (RandomState::new(), RandomState::new()),
        }
    }

    /// Another window from now on, also for the lines that were written already.
    pub fn set_window(&mut self, window: Duration) {
        self.window = window;
    }

    /// Decides on a finding that stands for itself and the `held_back` ones that a core suppressed
    /// before it.
    pub fn admit(&mut self, subject: &Subject<'_>, now: Instant, held_back: u64) -> Verdict {
        let key = self.key(subject);
        if self.opens(key, now) {
            let suppressed = self.take_suppressed(key).saturating_add(held_back);
            return Verdict::Write { suppressed };
        }
        self.add_suppressed(key, held_back);
        Verdict::Suppress
    }

    /// The keys that are remembered.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The key of a finding.
    pub(super) fn key(&self, subject: &Subject<'_>) -> Key {
        let fingerprint = subject.fingerprint.filter(|_| self.by == DedupBy::Fingerprint);
        let Subject { pattern, dest, direction, is_info, is_doubtful, .. } = *subject;
        let names = (pattern, dest, direction, is_info, is_doubtful, fingerprint);
        Key(self.hashers.0.hash_one(names), self.hashers.1.hash_one(names))
    }

    /// Whether the key's window is over, in which case the next one opens now. A repeat is counted.
    pub(super) fn opens(&mut self, key: Key, now: Instant) -> bool {
        if self.window.is_zero() {
            return true;
        }
        let window = self.window;
        if let Some(entry) = self.entries.get_mut(&key) {
            // Cores hand over in any order, so `now` may be a little before the line: then it
            // repeats it.
            let repeats = |at: Instant| now.saturating_duration_since(at) < window;
            if entry.opened_at.is_some_and(repeats) {
                entry.suppressed = entry.suppressed.saturating_add(1);
                return false;
            }
            self.order.remove(&entry.place);
            entry.place = self.next_place;
            entry.opened_at = Some(now);
        } else {
            self.make_room();
            let entry = Entry { place: self.next_place, opened_at: Some(now), suppressed: 0 };
            self.entries.insert(key, entry);
        }
        self.order.insert(self.next_place, key);
        self.next_place += 1;
        true
    }

    /// Takes what the key has suppressed, for the line that tells it.
    pub(super) fn take_suppressed(&mut self, key: Key) -> u64 {
        self.entries.get_mut(&key).map_or(0, |entry| std::mem::take(&mut entry.suppressed))
    }

    /// Undoes a window whose finding was lost: the next one of the key passes, and tells
    /// `suppressed`.
    pub(super) fn close(&mut self, key: Key, suppressed: u64) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.opened_at = None;
        }
        self.add_suppressed(key, suppressed);
    }

    fn add_suppressed(&mut self, key: Key, count: u64) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.suppressed = entry.suppressed.saturating_add(count);
        }
    }

    /// Forgets the key whose window is oldest, when there is no room for another.
    fn make_room(&mut self) {
        if self.entries.len() >= self.max_keys
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::finding::{Confidence, Protocol, ThreatType, View};

    const WINDOW: Duration = Duration::from_secs(60);
    const OUT: Direction = Direction::Outbound;

    pub fn finding(pattern: &'static str, dest: &str) -> Finding {
        Finding {
            direction: Direction::Outbound,
            protocol: Protocol::Https,
            threat_type: ThreatType::Exfil,
            pattern: pattern.into(),
            severity: Severity::High,
            confidence: Confidence::High,
            view: View::default(),
            fingerprint: None,
            snippet: format!("Authorization: Bearer {}-api01-...", "sk-ant"),
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
            dest: dest.into(),
            has_secret_dest: false,
            seen_at: SystemTime::now(),
            seen_at_mono: Instant::now(),
            suppressed: 0,
            agent: None,
        }
    }

    fn about<'a>(pattern: &'a str, dest: &'a str, direction: Direction) -> Subject<'a> {
        Subject { pattern, dest, direction, is_info: false, is_doubtful: false, fingerprint: None }
    }

    #[test]
    fn a_key_where_it_belongs_is_no_repeat_of_one_elsewhere_and_secrets_differ_if_asked() {
        let now = Instant::now();
        let secret =
            |byte| Subject { fingerprint: Some(Fingerprint([byte; 8])), ..about("p", "a:1", OUT) };
        for (by, verdict) in
            [(DedupBy::Pattern, Verdict::Suppress), (DedupBy::Fingerprint, written(0))]
        {
            let mut dedup = Dedup::new(WINDOW, by, 10);
            assert_eq!(dedup.admit(&secret(1), now, 0), written(0));
            assert_eq!(dedup.admit(&secret(1), now, 0), Verdict::Suppress);
            let info = Subject { is_info: true, ..secret(1) };
            assert_eq!(dedup.admit(&info, now, 0), written(0));
            assert_eq!(dedup.admit(&secret(2), now, 0), verdict, "{by:?}");
        }
    }

    #[test]
    fn what_is_doubtful_does_not_hold_back_what_is_not() {
        let now = Instant::now();
        let mut dedup = Dedup::new(WINDOW, DedupBy::Pattern, 10);
        let doubtful = Subject { is_doubtful: true, ..about("p", "a:1", OUT) };
        assert_eq!(dedup.admit(&doubtful, now, 0), written(0));
        assert_eq!(dedup.admit(&doubtful, now, 0), Verdict::Suppress);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), written(0));
    }

    fn written(suppressed: u64) -> Verdict {
        Verdict::Write { suppressed }
    }

    #[test]
    fn a_window_ends_at_its_length_and_not_before() {
        let start = Instant::now();
        let mut dedup = Dedup::new(WINDOW, DedupBy::Pattern, 10);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), start, 0), written(0));
        let last = start + WINDOW - Duration::from_nanos(1);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), last, 0), Verdict::Suppress);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), start + WINDOW, 0), written(1));
        // The window runs from the line, not from the repeats.
        let next = start + WINDOW * 2;
        assert_eq!(
            dedup.admit(&about("p", "a:1", OUT), next - Duration::from_nanos(1), 0),
            Verdict::Suppress
        );
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), next, 0), written(1));
    }

    #[test]
    fn each_part_of_the_key_counts() {
        let now = Instant::now();
        let mut dedup = Dedup::new(WINDOW, DedupBy::Pattern, 10);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), written(0));
        assert_eq!(dedup.admit(&about("q", "a:1", OUT), now, 0), written(0));
        assert_eq!(dedup.admit(&about("p", "a:2", OUT), now, 0), written(0));
        assert_eq!(dedup.admit(&about("p", "a:1", Direction::Inbound), now, 0), written(0));
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), Verdict::Suppress);
        assert_eq!(dedup.admit(&about("pa", ":1", OUT), now, 0), written(0));
        assert_eq!(dedup.len(), 5);
    }

    #[test]
    fn what_the_cores_held_back_is_told_by_the_next_line() {
        let now = Instant::now();
        let mut dedup = Dedup::new(WINDOW, DedupBy::Pattern, 10);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 7), written(7));
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 4), Verdict::Suppress);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), Verdict::Suppress);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now + WINDOW, 2), written(4 + 1 + 1 + 2));
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now + WINDOW * 2, 0), written(0));
    }

    #[test]
    fn a_zero_window_writes_everything_and_remembers_nothing() {
        let now = Instant::now();
        let mut dedup = Dedup::new(Duration::ZERO, DedupBy::Pattern, 10);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), written(0));
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 3), written(3));
        assert!(dedup.is_empty());
    }

    #[test]
    fn a_finding_from_just_before_the_line_repeats_it() {
        let now = Instant::now() + WINDOW;
        let mut dedup = Dedup::new(WINDOW, DedupBy::Pattern, 10);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), written(0));
        let before = now - Duration::from_millis(1);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), before, 0), Verdict::Suppress);
    }

    #[test]
    fn the_oldest_window_is_forgotten_one_past_the_bound() {
        let now = Instant::now();
        let mut dedup = Dedup::new(WINDOW, DedupBy::Pattern, 2);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), written(0));
        assert_eq!(dedup.admit(&about("p", "b:1", OUT), now, 0), written(0));
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), Verdict::Suppress);
        // At the bound both are known; the third key takes the place of the first, repeated or not.
        assert_eq!(dedup.admit(&about("p", "c:1", OUT), now, 0), written(0));
        assert_eq!(dedup.len(), 2);
        assert_eq!(dedup.admit(&about("p", "b:1", OUT), now, 0), Verdict::Suppress);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now, 0), written(0));
        assert_eq!(dedup.len(), 2);
    }

    #[test]
    fn a_new_window_makes_a_key_the_youngest() {
        let now = Instant::now();
        let mut dedup = Dedup::new(WINDOW, DedupBy::Pattern, 2);
        dedup.admit(&about("p", "a:1", OUT), now, 0);
        dedup.admit(&about("p", "b:1", OUT), now + WINDOW / 2, 0);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now + WINDOW, 0), written(0));
        dedup.admit(&about("p", "c:1", OUT), now + WINDOW, 0);
        assert_eq!(dedup.admit(&about("p", "a:1", OUT), now + WINDOW, 0), Verdict::Suppress);
    }

    proptest! {
        /// Against a plain model with room for every key; nothing is lost between lines and
        /// repeats.
        #[test]
        fn agrees_with_a_plain_model(
            steps in proptest::collection::vec((0..5usize, 0..40u64, 0..3u64), 0..200)
        ) {
            let window = Duration::from_millis(100);
            let mut now = Instant::now();
            let mut dedup = Dedup::new(window, DedupBy::Pattern, 5);
            let mut model: HashMap<usize, (Instant, u64)> = HashMap::new();
            for (name, wait, held_back) in steps {
                now += Duration::from_millis(wait);
                let verdict = dedup.admit(&about("p", &format!("host{name}:443"), OUT), now, held_back);
                let expected = match model.get_mut(&name) {
                    Some((opened_at, suppressed)) if now - *opened_at < window => {
                        *suppressed += held_back + 1;
                        Verdict::Suppress
                    }
                    known => {
                        let before = known.map_or(0, |(_, suppressed)| *suppressed);
                        model.insert(name, (now, 0));
                        written(before + held_back)
                    }
                };
                prop_assert_eq!(verdict, expected);
                prop_assert_eq!(dedup.entries.len(), dedup.order.len());
            }
        }
    }
}
