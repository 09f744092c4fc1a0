//! One core's end of the report: a small dedup in front of the queue, so that a flood of one
//! finding costs next to nothing, and a hand-over that never waits. Owned by its core; touches no
//! file and no clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queue::FindingSender;
use super::windows::{Subject, Verdict, Windows};
use crate::config::DedupBy;
use crate::counters::Counters;
use crate::finding::{Finding, HeldBack};
use crate::limits::{CORE_DEDUP_KEYS_MAX, CORE_DEDUP_WINDOW_MAX_MS};

/// Reports the findings of one core.
///
/// Its own window is a quarter of the logger's, one second at most: the logger hears of every key a
/// few times a window, and decides. What is held back here is counted where the logger sees it, and tells it.
#[derive(Debug)]
pub struct CoreReporter {
    sender: FindingSender,
    counters: Arc<Counters>,
    recent: Windows<Arc<HeldBack>>,
}

impl CoreReporter {
    /// A zero `dedup_window` switches the dedup off.
    pub fn new(
        sender: FindingSender,
        counters: Arc<Counters>,
        dedup_window: Duration,
        dedup_by: DedupBy,
    ) -> Self {
        let window = own_window(dedup_window);
        let recent = Windows::new(window, dedup_by, CORE_DEDUP_KEYS_MAX);
        CoreReporter { sender, counters, recent }
    }

    /// Another `dedup_window` from now on.
    pub fn set_dedup_window(&mut self, dedup_window: Duration) {
        self.recent.set_length(own_window(dedup_window));
    }

    /// Whether a confirmed match of this key should be turned into a finding, which is then to be
    /// submitted. A repeat within the core's own window is counted and refused, unless it is the first that the logger
    /// has not told.
    pub fn admits(&mut self, subject: &Subject<'_>, now: Instant) -> bool {
        let key = self.recent.key(subject);
        let is_held_back = matches!(self.recent.open(key, now), Verdict::Repeats)
            && self.recent.get_mut(key).is_some_and(|held_back| held_back.holds_back());
        if is_held_back {
            self.counters.repeats.add(1);
        }
        !is_held_back
    }

    /// A client of this host's ended its tunnel before it asked for anything.
    pub fn note_unused(&self, host: &str) {
        self.sender.offer_unused(host);
    }

    /// Hands a finding over, with what is held back of its key; never waits.
    /// What a full queue loses is counted, and the key's next finding is admitted at once.
    pub fn submit(&mut self, mut finding: Finding) {
        let key = self.recent.key(&Subject::of(&finding));
        finding.held_back = self.recent.get_mut(key).map(|held_back| Arc::clone(held_back));
        if self.sender.offer(finding).is_ok() {
            self.counters.findings.add(1);
        } else {
            self.counters.findings_dropped.add(1);
            self.recent.close(key);
        }
    }
}

fn own_window(dedup_window: Duration) -> Duration {
    (dedup_window / 4).min(Duration::from_millis(CORE_DEDUP_WINDOW_MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::dedup::tests::finding;
    use crate::report::queue::{FindingReceiver, bounded};

    struct Core {
        reporter: CoreReporter,
        counters: Arc<Counters>,
        queue: FindingReceiver,
    }

    fn core(queue_len: usize, dedup_window: Duration) -> Core {
        let (sender, queue) = bounded(queue_len);
        let counters = Arc::new(Counters::default());
        let reporter =
            CoreReporter::new(sender, Arc::clone(&counters), dedup_window, DedupBy::Pattern);
        Core { reporter, counters, queue }
    }

    impl Core {
        fn report(&mut self, dest: &str, now: Instant) -> bool {
            let finding = finding("p", dest);
            let admitted = self.reporter.admits(&Subject::of(&finding), now);
            if admitted {
                self.reporter.submit(finding);
            }
            admitted
        }
    }

    #[test]
    fn the_first_repeat_is_handed_over_and_the_others_are_counted_for_the_logger() {
        let mut core = core(10, Duration::from_secs(60));
        let now = Instant::now();
        let window = Duration::from_millis(CORE_DEDUP_WINDOW_MAX_MS);
        assert!(core.report("a:1", now));
        assert!(core.report("a:1", now), "it may be the last");
        assert!(!core.report("a:1", now));
        assert!(!core.report("a:1", now + window - Duration::from_nanos(1)));
        assert!(core.report("b:1", now));
        assert!(core.report("a:1", now + window));
        let taken: Vec<Finding> = std::iter::from_fn(|| core.queue.take()).map(|f| *f).collect();
        let held_back = |at: usize| taken[at].held_back.as_ref().unwrap();
        assert_eq!([0, 1, 2, 3].map(|at| held_back(at).get()), [2, 2, 0, 2]);
        assert_eq!(core.counters.findings.get(), 4);
        assert_eq!(core.counters.repeats.get(), 2);
        assert_eq!(core.counters.findings_dropped.get(), 0);
        assert!(!core.report("a:1", now + window), "the logger has not told of them");
        assert_eq!(held_back(0).take(), 3);
        assert!(core.report("a:1", now + window));
        assert!(!core.report("a:1", now + window));
    }

    #[test]
    fn the_window_is_a_quarter_of_a_short_one() {
        let mut core = core(10, Duration::from_secs(1));
        let now = Instant::now();
        assert!(core.report("a:1", now) && core.report("a:1", now));
        assert!(!core.report("a:1", now + Duration::from_millis(249)));
        assert!(core.report("a:1", now + Duration::from_millis(250)));
    }

    #[test]
    fn a_zero_window_holds_nothing_back() {
        let mut core = core(10, Duration::ZERO);
        let now = Instant::now();
        assert!((0..3).all(|_| core.report("a:1", now)));
        assert_eq!(core.queue.len(), 3);
        assert_eq!(core.counters.repeats.get(), 0);
    }

    #[test]
    fn what_a_full_queue_loses_is_counted_and_tried_again() {
        let mut core = core(2, Duration::from_secs(60));
        let now = Instant::now();
        assert!(core.report("a:1", now) && core.report("a:1", now));
        assert!(!core.report("a:1", now));
        let later = now + Duration::from_secs(1);
        assert!(core.report("a:1", later), "a new window");
        assert_eq!(core.counters.findings_dropped.get(), 1);
        assert!(core.report("a:1", later), "lost, so it is no repeat");
        assert_eq!(core.counters.findings_dropped.get(), 2);
        assert_eq!(core.counters.findings.get(), 2);
        core.queue.take().unwrap();
        assert!(core.report("a:1", later));
        core.queue.take().unwrap();
        let held_back = core.queue.take().unwrap().held_back.unwrap();
        assert_eq!(held_back.get(), 1, "what was held back is still counted");
        assert_eq!(core.counters.findings.get(), 3);
        assert!(!core.report("a:1", later));
    }

    #[test]
    fn at_most_so_many_keys_are_remembered() {
        let mut core = core(CORE_DEDUP_KEYS_MAX * 2, Duration::from_secs(60));
        let now = Instant::now();
        for number in 0..CORE_DEDUP_KEYS_MAX {
            assert!(core.report(&format!("host{number}:1"), now));
        }
        assert!(core.report("host0:1", now) && !core.report("host0:1", now), "it is still known");
        assert!(core.report("one-more:1", now));
        assert_eq!(core.reporter.recent.len(), CORE_DEDUP_KEYS_MAX);
        assert!(core.report("host0:1", now), "one past it the first is forgotten");
    }
}
