//! Whether the workers live: each counts its rounds, and here somebody looks whether the counts rise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::counters::Counters;
use crate::limits::WORKER_STALL_MS;

/// What was seen of the workers.
#[derive(Debug)]
pub struct Pulse {
    workers: Vec<Worker>,
    stalled: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Worker {
    counters: Arc<Counters>,
    beats: u64,
    since: Instant,
}

impl Pulse {
    /// All of them are taken to live now. The count of those that do not is left in `stalled`.
    pub fn new(cores: &[Arc<Counters>], stalled: Arc<AtomicUsize>, now: Instant) -> Pulse {
        let worker = |counters: &Arc<Counters>| Worker {
            counters: Arc::clone(counters),
            beats: counters.beats.get(),
            since: now,
        };
        Pulse { workers: cores.iter().map(worker).collect(), stalled }
    }

    /// Looks again: whether all live.
    pub fn look(&mut self, now: Instant) -> bool {
        let mut stalled = 0;
        for (index, worker) in self.workers.iter_mut().enumerate() {
            let beats = worker.counters.beats.get();
            if beats != worker.beats {
                worker.beats = beats;
                worker.since = now;
            }
            let silence = now.saturating_duration_since(worker.since);
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
        let mut pulse = Pulse::new(&cores, Arc::clone(&stalled), start);
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
}
