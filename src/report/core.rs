//! One core's end of the report: a small dedup in front of the queue, so that a flood of one
//! finding costs next to nothing, and a hand-over that never waits. Owned by its core; touches no
//! file and no clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dedup::{Dedup, Subject};
use super::queue::FindingSender;
use crate::config::DedupBy;
use crate::counters::Counters;
use crate::finding::Finding;
use crate::limits::{CORE_DEDUP_KEYS_MAX, CORE_DEDUP_WINDOW_MAX_MS};

/// Reports the findings of one core.
///
/// Its own window is a quarter of the logger's, one second at most: the logger hears of every key a
/// few times a window, and decides. What is held back here is counted, and told with the key's next
/// finding.
#[derive(Debug)]
pub struct CoreReporter {
    sender: FindingSender,
    counters: Arc<Counters>,
    recent: Dedup,
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
        CoreReporter { sender, counters, recent: Dedup::new(window, dedup_by, CORE_DEDUP_KEYS_MAX) }
    }

    /// Another `dedup_window` from now on.
    pub fn set_dedup_window(&mut self, dedup_window: Duration) {
        self.recent.set_window(own_window(dedup_window));
    }

    /// Whether a confirmed match of this key should be turned into a finding, which is then to be
    /// submitted. A repeat within the core's own window is counted and refused.
    pub fn admits(&mut self, subject: &Subject<'_>, now: Instant) -> bool {
        let key = self.recent.key(subject);
        let admitted = self.recent.opens(key, now);
        if !admitted {
            self.counters.findings_suppressed.add(1);
        }
        admitted
    }

    /// A client of this host's ended its tunnel before it asked for anything.
    pub fn note_unused(&self, host: &str) {
        self.sender.offer_unused(host);
    }

    /// Hands a finding over, with the count of what was held back before it; never waits.
    /// What a full queue loses is counted, and the key's next finding is admitted at once.
    pub fn submit(&mut self, mut finding: Finding) {
        let key = self.recent.key(&Subject::of(&finding));
        let held_back = self.recent.take_suppressed(key);
        finding.suppressed = held_back;
        if self.sender.offer(finding).is_ok() {
            self.counters.findings.add(1);
        } else {
            self.counters.findings_dropped.add(1);
            self.recent.close(key, held_back);
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
    fn a_repeat_is_held_back_and_told_by_the_next() {
        let mut core = core(10, Duration::from_secs(60));
        let now = Instant::now();
        let window = Duration::from_millis(CORE_DEDUP_WINDOW_MAX_MS);
        assert!(core.report("a:1", now));
        assert!(!core.report("a:1", now));
        assert!(!core.report("a:1", now + window - Duration::from_nanos(1)));
        assert!(core.report("b:1", now));
        assert!(core.report("a:1", now + window));
        let told: Vec<u64> =
            std::iter::from_fn(|| core.queue.take()).map(|f| f.suppressed).collect();
        assert_eq!(told, [0, 0, 2]);
        assert_eq!(core.counters.findings.get(), 3);
        assert_eq!(core.counters.findings_suppressed.get(), 2);
        assert_eq!(core.counters.findings_dropped.get(), 0);
    }

    #[test]
    fn the_window_is_a_quarter_of_a_short_one() {
        let mut core = core(10, Duration::from_secs(1));
        let now = Instant::now();
        assert!(core.report("a:1", now));
        assert!(!core.report("a:1", now + Duration::from_millis(249)));
        assert!(core.report("a:1", now + Duration::from_millis(250)));
    }

    #[test]
    fn a_zero_window_holds_nothing_back() {
        let mut core = core(10, Duration::ZERO);
        let now = Instant::now();
        assert!(core.report("a:1", now));
        assert!(core.report("a:1", now));
        assert_eq!(core.queue.len(), 2);
        assert_eq!(core.counters.findings_suppressed.get(), 0);
    }

    #[test]
    fn what_a_full_queue_loses_is_counted_and_tried_again() {
        let mut core = core(1, Duration::from_secs(60));
        let now = Instant::now();
        assert!(core.report("a:1", now));
        assert!(!core.report("a:1", now));
        let later = now + Duration::from_secs(1);
        assert!(core.report("a:1", later), "a new window");
        assert_eq!(core.counters.findings_dropped.get(), 1);
        assert!(core.report("a:1", later), "lost, so it is no repeat");
        assert_eq!(core.counters.findings_dropped.get(), 2);
        assert_eq!(core.counters.findings.get(), 1);
        core.queue.take().unwrap();
        assert!(core.report("a:1", later));
        assert_eq!(core.queue.take().unwrap().suppressed, 1, "what was held back is still told");
        assert_eq!(core.counters.findings.get(), 2);
        assert!(!core.report("a:1", later));
    }

    #[test]
    fn at_most_so_many_keys_are_remembered() {
        let mut core = core(CORE_DEDUP_KEYS_MAX * 2, Duration::from_secs(60));
        let now = Instant::now();
        for number in 0..CORE_DEDUP_KEYS_MAX {
            assert!(core.report(&format!("host{number}:1"), now));
        }
        assert!(!core.report("host0:1", now), "at the bound the first is still known");
        assert!(core.report("one-more:1", now));
        assert_eq!(core.reporter.recent.len(), CORE_DEDUP_KEYS_MAX);
        assert!(core.report("host0:1", now), "one past it the first is forgotten");
    }
}
