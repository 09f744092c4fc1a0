//! The open loop: requests fall due at a constant rate, whether or not the earlier ones are answered. Each counts
//! from when it was due, and what was due and never answered counts too, with the time that it waited in vain.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use super::requests::Loop;
use super::run::Shared;

/// What requests that were due in time may take longer than the measured stretch.
pub const DRAIN_MAX: Duration = Duration::from_secs(2);
/// The keeper's step; tokio's timer is no finer than a millisecond, so a thread of its own keeps time.
const STEP_MIN: Duration = Duration::from_micros(50);
/// The longest that the keeper sleeps without a look at the clock.
const STEP_MAX: Duration = Duration::from_millis(5);

/// When which request is due.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    began: Instant,
    rate: f64,
}

impl Schedule {
    fn due(&self, number: u64) -> Instant {
        self.began + Duration::from_secs_f64(number as f64 / self.rate)
    }

    /// The first request that is due at `time` or later.
    fn first_from(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.began).as_secs_f64();
        let mut number = (since * self.rate) as u64;
        while number > 0 && self.due(number - 1) >= time {
            number -= 1;
        }
        while self.due(number) < time {
            number += 1;
        }
        number
    }
}

/// A request to send: when it is due, and which it is.
type Due = (Instant, u64);

/// Sends what falls due to the connections in turn, until the measurement is over: `None`; or until no more requests
/// may be started: how many were.
fn keep_time(schedule: Schedule, queues: &[UnboundedSender<Due>], shared: &Shared) -> Option<u64> {
    for (number, queue) in (0..).zip(queues.iter().cycle()) {
        let due = schedule.due(number);
        loop {
            // A keeper that came late still sends what was due in time.
            if shared.stretch().and_then(|(_, end)| end).is_some_and(|end| due >= end) {
                return None;
            }
            let ahead = due.saturating_duration_since(Instant::now());
            if ahead <= STEP_MIN {
                break;
            }
            thread::sleep(ahead.min(STEP_MAX));
        }
        if !shared.may_start() && !shared.is_over() {
            return Some(number);
        }
        // One that nobody takes any more stays unanswered.
        let _ = queue.send((due, number));
    }
    None
}

/// Runs one thread's share of the connections at one thread's share of the rate.
pub async fn run(work: Rc<Loop>, connections: usize, rate: f64) {
    let count = work.share.of(connections).max(1);
    let ended = Rc::new(RefCell::new(Ended::default()));
    let mut tasks = JoinSet::new();
    let mut queues = Vec::new();
    for index in 0..count {
        let (send, mut receive) = mpsc::unbounded_channel::<Due>();
        queues.push(send);
        let (own, ended) = (Rc::clone(&work), Rc::clone(&ended));
        tasks.spawn_local(async move {
            let mut caller = own.caller(index).await;
            while let Some((due, number)) = receive.recv().await {
                own.request(&mut caller, due, number).await;
                ended.borrow_mut().note(number);
            }
        });
    }
    let shared = Arc::clone(&work.share.shared);
    shared.opened().await;
    let schedule = Schedule { began: Instant::now(), rate: rate / work.share.threads as f64 };
    let keeper = {
        let shared = Arc::clone(&shared);
        thread::spawn(move || keep_time(schedule, &queues, &shared))
    };
    let all = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = all => {}
        () = shared.over_for(DRAIN_MAX) => {}
    }
    // The keeper looks at the clock often, so that this waits for a step at most.
    let spent = keeper.join().unwrap_or(None);
    let Some((began, end)) = shared.stretch() else { return };
    let now = Instant::now();
    let first = schedule.first_from(began);
    let last = spent.unwrap_or_else(|| schedule.first_from(end.unwrap_or(now))).max(first);
    let mut tally = work.share.tally.borrow_mut();
    let unanswered = (first..last).filter(|number| !ended.borrow().has(*number));
    let waited = unanswered.map(|number| now.saturating_duration_since(schedule.due(number)));
    tally.note_due(last - first, waited);
}

/// The requests that came to an end, good or bad.
#[derive(Default)]
struct Ended(Vec<bool>);

impl Ended {
    fn note(&mut self, number: u64) {
        let Ok(at) = usize::try_from(number) else { return };
        if at >= self.0.len() {
            self.0.resize(at + 1, false);
        }
        if let Some(known) = self.0.get_mut(at) {
            *known = true;
        }
    }

    fn has(&self, number: u64) -> bool {
        usize::try_from(number).is_ok_and(|at| self.0.get(at).copied().unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_numbers_what_is_due_in_a_stretch() {
        let began = Instant::now();
        for rate in [0.3, 7.0, 1000.0, 59_999.0] {
            let schedule = Schedule { began, rate };
            assert_eq!(schedule.first_from(began), 0);
            let whole = began + Duration::from_secs(10);
            assert_eq!(schedule.first_from(whole), (10.0 * rate).ceil() as u64, "{rate}");
            for number in [1, 2, 1000] {
                let due = schedule.due(number);
                assert_eq!(schedule.first_from(due), number, "{rate}");
                assert_eq!(schedule.first_from(due + Duration::from_nanos(1)), number + 1);
            }
        }
    }

    #[test]
    fn what_never_ended_is_known() {
        let mut ended = Ended::default();
        ended.note(2);
        assert_eq!([0, 1, 2, 3].map(|number| ended.has(number)), [false, false, true, false]);
    }
}
