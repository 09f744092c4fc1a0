//! Whether a finding becomes a line: one a key and window. What is held back is told by the key's next line, and where
//! none follows, by the last repeat's own. Decides only: values and `now` in, what to write out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::windows::{Key, Subject, Verdict, Windows};
use crate::config::DedupBy;
use crate::finding::{Finding, HeldBack};
use crate::limits::REPEATS_UNTOLD_MAX_SECS;

/// A finding that is written.
#[derive(Debug)]
pub struct Told {
    pub finding: Box<Finding>,
    /// How many repeats were held back since its key's last line.
    pub suppressed: u64,
    /// It was held back itself.
    pub is_late: bool,
}

/// What is held back of a key.
#[derive(Debug, Default)]
struct Repeats {
    /// Those that came here, the last of them among them.
    here: u64,
    last: Option<Box<Finding>>,
    /// Those that did not, by core.
    on_cores: Vec<Arc<HeldBack>>,
}

impl Repeats {
    /// A core counts what it holds back.
    fn note(&mut self, held_back: Option<Arc<HeldBack>>) {
        let Some(held_back) = held_back else { return };
        if self.on_cores.iter().any(|known| Arc::ptr_eq(known, &held_back)) {
            return;
        }
        // A core that has forgotten the key counts it anew: there are no more of them than cores.
        let here = &mut self.here;
        self.on_cores.retain(|known| {
            let is_left = Arc::strong_count(known) == 1;
            *here += if is_left { known.take() } else { 0 };
            !is_left
        });
        self.on_cores.push(held_back);
    }

    /// Takes the count of all, for the line that tells it.
    fn take(&mut self) -> u64 {
        let on_cores: u64 = self.on_cores.iter().map(|held_back| held_back.take()).sum();
        self.last = None;
        std::mem::take(&mut self.here).saturating_add(on_cores)
    }

    /// Takes the last one, to tell the others with.
    fn take_last(&mut self) -> Option<Told> {
        let finding = self.last.take()?;
        let suppressed = self.take().saturating_sub(1);
        Some(Told { finding, suppressed, is_late: true })
    }

    /// Whether nothing is held back.
    fn is_none(&self) -> bool {
        self.here == 0 && self.on_cores.iter().all(|held_back| held_back.get() == 0)
    }
}

/// The keys that were seen, at most `max_keys` (some 250 bytes each), and of at most `max_lasts` of them the last repeat.
///
/// The window runs from the line that was written: what comes less than a window after it is held back, the first one
/// after that is written, tells how many were, and opens the next window. Where none comes in another window, the last
/// repeat becomes a line itself, which opens none; so it does after half an hour of a longer window, when its key has to
/// be forgotten, and with all others when there is no room for their last ones.
#[derive(Debug)]
pub struct Dedup {
    windows: Windows<Repeats>,
    lasts: usize,
    max_lasts: usize,
}

impl Dedup {
    /// A zero window switches it off; it remembers one key at least.
    pub fn new(window: Duration, by: DedupBy, max_keys: usize, max_lasts: usize) -> Self {
        Dedup { windows: Windows::new(window, by, max_keys), lasts: 0, max_lasts }
    }

    /// Another window from now on, also for the lines that were written already.
    pub fn set_window(&mut self, window: Duration) {
        self.windows.set_length(window);
    }

    /// Decides on a finding, and adds what is to be written. False: it is held back.
    pub fn admit(&mut self, mut finding: Box<Finding>, told: &mut Vec<Told>) -> bool {
        let key = self.windows.key(&Subject::of(&finding));
        let held_back = finding.held_back.take();
        let verdict = self.windows.open(key, finding.seen_at_mono);
        let is_repeat = matches!(verdict, Verdict::Repeats);
        if let Verdict::Opens { forgotten: Some(mut repeats) } = verdict {
            self.tell_late(repeats.take_last(), told);
        }
        let Some(repeats) = self.windows.get_mut(key) else {
            let suppressed = held_back.map_or(0, |held_back| held_back.take());
            told.push(Told { finding, suppressed, is_late: false });
            return true;
        };
        if is_repeat {
            repeats.note(held_back);
            repeats.here += 1;
            self.lasts += usize::from(repeats.last.replace(finding).is_none());
            if self.lasts > self.max_lasts {
                self.take_all(told);
            }
            return false;
        }
        self.lasts = self.lasts.saturating_sub(usize::from(repeats.last.is_some()));
        let suppressed = repeats.take();
        // What its core holds back already came behind it: the next line tells of that.
        repeats.note(held_back);
        told.push(Told { finding, suppressed, is_late: false });
        true
    }

    /// Adds what was held back for so long that no line will follow to tell it.
    pub fn take_due(&mut self, now: Instant, told: &mut Vec<Told>) {
        let longest = Duration::from_secs(REPEATS_UNTOLD_MAX_SECS);
        let patience = self.windows.length().saturating_mul(2).min(longest);
        while let Some(key) = self.windows.due(now, patience) {
            let late = self.windows.get_mut(key).and_then(Repeats::take_last);
            self.tell_late(late, told);
            self.see_to(key, now);
        }
    }

    /// Adds all that is held back.
    pub fn take_all(&mut self, told: &mut Vec<Told>) {
        let lates = self.windows.all_mut().filter_map(Repeats::take_last);
        let mut lates: Vec<Told> = lates.collect();
        lates.sort_by_key(|late| late.finding.seen_at);
        told.append(&mut lates);
        self.lasts = 0;
    }

    /// The keys that are remembered.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty()
    }

    fn tell_late(&mut self, late: Option<Told>, told: &mut Vec<Told>) {
        self.lasts = self.lasts.saturating_sub(usize::from(late.is_some()));
        told.extend(late);
    }

    /// Forgets a key that has nothing to tell; another one is looked at again.
    fn see_to(&mut self, key: Key, now: Instant) {
        // What a core counts while its finding is on the way here is told with that one.
        let is_done = self.windows.get_mut(key).is_none_or(|repeats| repeats.is_none());
        if is_done && self.windows.is_over(key, now) {
            self.windows.remove(key);
        } else {
            self.windows.see_to(key, now);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::*;
    use crate::finding::{
        Confidence, Direction, Fingerprint, Protocol, Severity, ThreatType, View,
    };

    const WINDOW: Duration = Duration::from_secs(60);
    const NANO: Duration = Duration::from_nanos(1);

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
            held_back: None,
            agent: None,
        }
    }

    fn deduping(window: Duration, max_keys: usize) -> Dedup {
        Dedup::new(window, DedupBy::Pattern, max_keys, 10)
    }

    impl Dedup {
        /// How many repeats the finding's line tells of; none: it is held back. No other line is written.
        fn says(&mut self, finding: Finding) -> Option<u64> {
            let mut told = Vec::new();
            let is_admitted = self.admit(Box::new(finding), &mut told);
            assert_eq!(told.len(), usize::from(is_admitted));
            assert!(told.iter().all(|told| !told.is_late));
            told.first().map(|told| told.suppressed)
        }

        fn says_at(&mut self, dest: &str, at: Instant) -> Option<u64> {
            self.says(Finding { seen_at_mono: at, ..finding("p", dest) })
        }

        /// The destinations of what is told late, and how many repeats each tells of.
        fn late(&mut self, at: Instant) -> Vec<(String, u64)> {
            let mut told = Vec::new();
            self.take_due(at, &mut told);
            late(told)
        }

        fn rest(&mut self) -> Vec<(String, u64)> {
            let mut told = Vec::new();
            self.take_all(&mut told);
            late(told)
        }
    }

    fn late(told: Vec<Told>) -> Vec<(String, u64)> {
        assert!(told.iter().all(|told| told.is_late));
        told.into_iter().map(|told| (told.finding.dest.to_string(), told.suppressed)).collect()
    }

    fn a(suppressed: u64) -> Vec<(String, u64)> {
        vec![("a:1".to_owned(), suppressed)]
    }

    #[test]
    fn a_key_where_it_belongs_is_no_repeat_of_one_elsewhere_and_secrets_differ_if_asked() {
        let secret =
            |byte| Finding { fingerprint: Some(Fingerprint([byte; 8])), ..finding("p", "a:1") };
        for (by, other) in [(DedupBy::Pattern, None), (DedupBy::Fingerprint, Some(0))] {
            let mut dedup = Dedup::new(WINDOW, by, 10, 10);
            assert_eq!(dedup.says(secret(1)), Some(0));
            assert_eq!(dedup.says(secret(1)), None);
            assert_eq!(dedup.says(Finding { severity: Severity::Info, ..secret(1) }), Some(0));
            assert_eq!(dedup.says(secret(2)), other, "{by:?}");
        }
    }

    #[test]
    fn what_is_doubtful_does_not_hold_back_what_is_not() {
        let mut dedup = deduping(WINDOW, 10);
        let doubtful = || Finding { confidence: Confidence::Low, ..finding("p", "a:1") };
        assert_eq!(dedup.says(doubtful()), Some(0));
        assert_eq!(dedup.says(doubtful()), None);
        assert_eq!(dedup.says(finding("p", "a:1")), Some(0));
    }

    #[test]
    fn a_window_ends_at_its_length_and_not_before() {
        let start = Instant::now();
        let mut dedup = deduping(WINDOW, 10);
        assert_eq!(dedup.says_at("a:1", start), Some(0));
        assert_eq!(dedup.says_at("a:1", start + WINDOW - NANO), None);
        assert_eq!(dedup.says_at("a:1", start + WINDOW), Some(1));
        // The window runs from the line, not from the repeats.
        let next = start + WINDOW * 2;
        assert_eq!(dedup.says_at("a:1", next - NANO), None);
        assert_eq!(dedup.says_at("a:1", next), Some(1));
    }

    #[test]
    fn each_part_of_the_key_counts() {
        let mut dedup = deduping(WINDOW, 10);
        assert_eq!(dedup.says(finding("p", "a:1")), Some(0));
        assert_eq!(dedup.says(finding("q", "a:1")), Some(0));
        assert_eq!(dedup.says(finding("p", "a:2")), Some(0));
        let inbound = Finding { direction: Direction::Inbound, ..finding("p", "a:1") };
        assert_eq!(dedup.says(inbound), Some(0));
        assert_eq!(dedup.says(finding("p", "a:1")), None);
        assert_eq!(dedup.says(finding("pa", ":1")), Some(0));
        assert_eq!(dedup.len(), 5);
    }

    #[test]
    fn what_the_cores_hold_back_is_told_by_the_next_line() {
        let now = Instant::now();
        let mut dedup = deduping(WINDOW, 10);
        let cores = [Arc::new(HeldBack::default()), Arc::default()];
        let from = |core: usize, at: Instant| Finding {
            held_back: Some(Arc::clone(&cores[core])),
            seen_at_mono: at,
            ..finding("p", "a:1")
        };
        let hold_back = |core: usize, count: u64| {
            assert_eq!((0..=count).filter(|_| cores[core].holds_back()).count() as u64, count);
        };
        assert_eq!(dedup.says(from(0, now)), Some(0));
        hold_back(0, 4);
        assert_eq!(dedup.says(from(0, now)), None);
        hold_back(1, 2);
        assert_eq!(dedup.says(from(1, now)), None);
        assert_eq!(dedup.says(from(1, now + WINDOW)), Some(4 + 1 + 2 + 1));
        assert_eq!(dedup.says(from(0, now + WINDOW * 2)), Some(0));
        // Those of a core that has forgotten the key, and counts it anew.
        hold_back(0, 3);
        let [_, second] = cores;
        let third = Finding { held_back: Some(Arc::default()), ..finding("p", "a:1") };
        assert_eq!(dedup.says(third), None);
        assert_eq!(second.take(), 0);
        assert_eq!(dedup.rest(), a(3));
    }

    #[test]
    fn what_no_line_follows_is_told_by_the_last_repeat_a_window_later() {
        let start = Instant::now();
        let mut dedup = deduping(WINDOW, 10);
        assert_eq!(dedup.says_at("a:1", start), Some(0));
        assert_eq!(dedup.says_at("b:1", start), Some(0));
        for _ in 0..3 {
            assert_eq!(dedup.says_at("a:1", start + WINDOW / 2), None);
        }
        assert_eq!(dedup.late(start + WINDOW * 2), []);
        assert_eq!(dedup.len(), 2);
        assert_eq!(dedup.late(start + WINDOW * 2 + NANO), a(2), "three, with its own");
        assert!(dedup.is_empty(), "nobody waits for them any more");
        assert_eq!(dedup.rest(), []);
        // Its line opens no window.
        assert_eq!(dedup.says_at("a:1", start + WINDOW * 2 + NANO), Some(0));
    }

    #[test]
    fn at_the_end_all_is_told() {
        let start = Instant::now();
        let mut dedup = deduping(WINDOW, 10);
        for dest in ["a:1", "b:1", "c:1", "a:1", "c:1", "a:1"] {
            dedup.says_at(dest, start);
        }
        let all = ["c:1", "a:1"].map(|dest| (dest.to_owned(), u64::from(dest == "a:1")));
        assert_eq!(dedup.rest(), all, "in the order of the last ones");
        assert_eq!(dedup.rest(), []);
        assert_eq!(dedup.says_at("a:1", start + WINDOW), Some(0));
    }

    #[test]
    fn nothing_is_held_back_for_longer_than_readers_of_the_file_look() {
        let start = Instant::now();
        let longest = Duration::from_secs(REPEATS_UNTOLD_MAX_SECS);
        let mut dedup = deduping(longest * 3, 10);
        assert_eq!(dedup.says_at("a:1", start), Some(0));
        assert_eq!(dedup.says_at("a:1", start), None);
        assert_eq!(dedup.late(start + longest), []);
        let then = start + longest + NANO;
        assert_eq!(dedup.late(then), a(0));
        assert_eq!(dedup.says_at("a:1", then), None, "its window is open");
        assert_eq!(dedup.late(then + longest), []);
        assert_eq!(dedup.late(then + longest + NANO), a(0));
    }

    #[test]
    fn when_there_is_no_room_for_another_last_repeat_all_are_told() {
        let start = Instant::now();
        let mut dedup = Dedup::new(WINDOW, DedupBy::Pattern, 10, 2);
        for dest in ["a:1", "b:1", "c:1"] {
            assert_eq!(dedup.says_at(dest, start), Some(0));
        }
        for dest in ["a:1", "b:1", "a:1", "b:1"] {
            assert_eq!(dedup.says_at(dest, start), None);
        }
        let mut told = Vec::new();
        let third = Finding { seen_at_mono: start, ..finding("p", "c:1") };
        assert!(!dedup.admit(Box::new(third), &mut told));
        assert_eq!(told.len(), 3);
        assert_eq!(told.iter().map(|told| told.suppressed).sum::<u64>(), 1 + 1);
        assert_eq!(dedup.says_at("a:1", start), None, "there is room again");
    }

    #[test]
    fn a_zero_window_writes_everything_and_remembers_nothing() {
        let now = Instant::now();
        let mut dedup = deduping(Duration::ZERO, 10);
        assert_eq!((dedup.says_at("a:1", now), dedup.says_at("a:1", now)), (Some(0), Some(0)));
        assert!(dedup.is_empty());
        // It was another one before.
        dedup.set_window(WINDOW);
        assert_eq!((dedup.says_at("a:1", now), dedup.says_at("a:1", now)), (Some(0), None));
        assert_eq!((dedup.says_at("b:1", now), dedup.says_at("b:1", now)), (Some(0), None));
        dedup.set_window(Duration::ZERO);
        assert_eq!(dedup.says_at("a:1", now), Some(1));
        assert_eq!(dedup.late(now + NANO), [("b:1".to_owned(), 0)]);
        assert!(dedup.is_empty());
    }

    #[test]
    fn a_finding_from_just_before_the_line_repeats_it() {
        let now = Instant::now() + WINDOW;
        let mut dedup = deduping(WINDOW, 10);
        assert_eq!(dedup.says_at("a:1", now), Some(0));
        assert_eq!(dedup.says_at("a:1", now - Duration::from_millis(1)), None);
    }

    #[test]
    fn the_oldest_window_is_forgotten_one_past_the_bound_and_what_it_held_back_told() {
        let now = Instant::now();
        let mut dedup = deduping(WINDOW, 2);
        assert_eq!(dedup.says_at("a:1", now), Some(0));
        assert_eq!(dedup.says_at("b:1", now), Some(0));
        assert_eq!(dedup.says_at("a:1", now), None);
        // At the bound both are known; the third key takes the place of the first, repeated or not.
        let mut told = Vec::new();
        let third = Finding { seen_at_mono: now, ..finding("p", "c:1") };
        assert!(dedup.admit(Box::new(third), &mut told));
        assert!(!told.pop().unwrap().is_late);
        assert_eq!(late(told), a(0));
        assert_eq!(dedup.len(), 2);
        assert_eq!(dedup.says_at("b:1", now), None);
        assert_eq!(dedup.says_at("c:1", now), None);
        assert_eq!(dedup.len(), 2);
    }

    #[test]
    fn a_new_window_makes_a_key_the_youngest() {
        let now = Instant::now();
        let mut dedup = deduping(WINDOW, 2);
        dedup.says_at("a:1", now);
        dedup.says_at("b:1", now + WINDOW / 2);
        assert_eq!(dedup.says_at("a:1", now + WINDOW), Some(0));
        dedup.says_at("c:1", now + WINDOW);
        assert_eq!(dedup.says_at("a:1", now + WINDOW), None);
    }

    proptest! {
        /// Against a plain model with room for every key, where nothing is late; and with little room and late
        /// lines, where every finding is a line or counted by one all the same.
        #[test]
        fn agrees_with_a_plain_model(
            steps in proptest::collection::vec((0..5usize, 0..40u64, 0..3u64), 0..200)
        ) {
            let window = Duration::from_millis(100);
            let mut now = Instant::now();
            let mut dedup = deduping(window, 5);
            let mut tight = Dedup::new(window, DedupBy::Pattern, 3, 2);
            let (mut told, mut seen) = (Vec::new(), 0);
            let mut model: HashMap<usize, (Instant, u64)> = HashMap::new();
            // Each core counts its own.
            let cores: [[Arc<HeldBack>; 5]; 2] = Default::default();
            for (name, wait, held_back) in steps {
                now += Duration::from_millis(wait);
                let dest = format!("host{name}:443");
                for (core, dedup) in [&mut dedup, &mut tight].into_iter().enumerate() {
                    let counted = Arc::clone(&cores[core][name]);
                    let found = Finding {
                        seen_at_mono: now,
                        held_back: Some(Arc::clone(&counted)),
                        ..finding("p", &dest)
                    };
                    if core == 1 {
                        seen += 1;
                        dedup.take_due(now, &mut told);
                        dedup.admit(Box::new(found), &mut told);
                        for _ in 0..held_back {
                            seen += 1;
                            if !counted.holds_back() {
                                let held_back = Some(Arc::clone(&counted));
                                let found = Finding { seen_at_mono: now, held_back, ..finding("p", &dest) };
                                dedup.admit(Box::new(found), &mut told);
                            }
                        }
                        continue;
                    }
                    let expected = match model.get_mut(&name) {
                        Some((opened_at, suppressed)) if now - *opened_at < window => {
                            *suppressed += 1;
                            None
                        }
                        known => {
                            let before = known.map_or(0, |(_, suppressed)| *suppressed);
                            model.insert(name, (now, 0));
                            Some(before)
                        }
                    };
                    prop_assert_eq!(dedup.says(found), expected);
                }
            }
            // What is on the way is there before the end.
            for (name, counted) in cores[1].iter().enumerate() {
                let found = finding("p", &format!("host{name}:443"));
                let found = Finding { held_back: Some(Arc::clone(counted)), seen_at_mono: now, ..found };
                tight.admit(Box::new(found), &mut told);
                seen += 1;
            }
            tight.take_all(&mut told);
            let counted = told.iter().map(|told| 1 + told.suppressed).sum::<u64>();
            prop_assert_eq!(counted, seen);
        }
    }
}
