//! Whether the workers live, and the thread that reports: each counts its rounds, and here somebody looks whether the
//! counts rise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::counters::Counters;
use crate::limits::{REPORT_STALL_MS, WORKER_STALL_MS};
use crate::report::tally::Tally;

/// What was seen of them.
#[derive(Debug)]
pub struct Pulse {
    workers: Vec<(Arc<Counters>, Beats)>,
    stalled: Arc<AtomicUsize>,
    reporting: (Arc<Tally>, Beats),
}

/// The count of one, and since when it has not risen.
#[derive(Debug)]
struct Beats {
    count: u64,
    since: Instant,
}

impl Beats {
    /// For how long it has not risen.
    fn silence(&mut self, count: u64, now: Instant) -> Duration {
        if count != self.count {
            *self = Beats { count, since: now };
        }
        now.saturating_duration_since(self.since)
    }
}

impl Pulse {
    /// All of them are taken to live now. The count of those that do not is left in `stalled`.
    pub fn new(
        cores: &[Arc<Counters>],
        tally: Arc<Tally>,
        stalled: Arc<AtomicUsize>,
        now: Instant,
    ) -> Pulse {
        let worker = |counters: &Arc<Counters>| {
            (Arc::clone(counters), Beats { count: counters.beats.get(), since: now })
        };
        let beats = Beats { count: tally.beats.get(), since: now };
        Pulse { workers: cores.iter().map(worker).collect(), stalled, reporting: (tally, beats) }
    }

    /// Looks again: whether all workers live. Traffic does not wait for the thread that reports: where that hangs, it is
    /// as if findings could not be written.
    pub fn look(&mut self, now: Instant) -> bool {
        let (tally, beats) = &mut self.reporting;
        let silence = beats.silence(tally.beats.get(), now);
        tally.set_silent(silence >= Duration::from_millis(REPORT_STALL_MS));
        let mut stalled = 0;
        for (index, (counters, beats)) in self.workers.iter_mut().enumerate() {
            let silence = beats.silence(counters.beats.get(), now);
            if silence >= Duration::from_millis(WORKER_STALL_MS) {
                stalled += 1;
                log::debug!("worker {index} has shown no sign of life for {silence:?}");
            }
        }
        let before = self.stalled.swap(stalled, Ordering::Relaxed);
        match (before, stalled) {
            (0, 1..) => log::error!("{stalled} worker(s) stalled"),
            (1.., 0) => log::warn!("all workers live again"),
            _ => {}
        }
        stalled == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_without_a_beat_for_so_long_is_stalled_until_it_beats_again() {
        let cores = [Arc::new(Counters::default()), Arc::new(Counters::default())];
        let stalled = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        let mut pulse = Pulse::new(&cores, Arc::default(), Arc::clone(&stalled), start);
        let limit = Duration::from_millis(WORKER_STALL_MS);
        cores[0].beats.add(1);
        assert!(pulse.look(start + limit - Duration::from_millis(1)));
        cores[0].beats.add(1);
        assert!(!pulse.look(start + limit));
        assert_eq!(stalled.load(Ordering::Relaxed), 1);
        cores[1].beats.add(1);
        assert!(pulse.look(start + limit));
        assert_eq!(stalled.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_logger_that_hangs_is_told_as_findings_that_cannot_be_written() {
        let (tally, start) = (Arc::new(Tally::default()), Instant::now());
        let mut pulse = Pulse::new(&[], Arc::clone(&tally), Arc::default(), start);
        let limit = Duration::from_millis(REPORT_STALL_MS);
        assert!(pulse.look(start + limit - Duration::from_millis(1)));
        assert_eq!(tally.failure(), None);
        assert!(pulse.look(start + limit), "traffic goes on");
        assert!(tally.failure().unwrap().contains("no sign of life"));
        tally.beats.add(1);
        assert!(pulse.look(start + limit));
        assert_eq!(tally.failure(), None);
    }
}
