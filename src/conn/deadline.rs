//! Deadlines without a timer a request: each connection has one slot that says when it is to be woken, and
//! one ticker a core looks at all slots. A deadline costs two stores; it is met within one tick.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

/// How far the process is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Running = 0,
    /// No new connections; what is in flight is finished.
    Draining = 1,
    /// What is still in flight is cut.
    Cut = 2,
}

impl Phase {
    /// The phase behind a number that crossed threads.
    pub fn from_number(number: u8) -> Phase {
        match number {
            0 => Phase::Running,
            1 => Phase::Draining,
            _ => Phase::Cut,
        }
    }
}

/// Why a wait was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Its time is up.
    Expired,
    /// The process is stopping.
    Stopping,
}

/// The slots of one core.
#[derive(Debug)]
pub struct Deadlines {
    started: Instant,
    /// When the last tick was.
    ticked_ms: Cell<u64>,
    phase: Cell<Phase>,
    slots: RefCell<Vec<Weak<Slot>>>,
}

#[derive(Debug)]
struct Slot {
    due_ms: Cell<u64>,
    /// When a deadline was set first since [`Deadline::begin_span`], and last.
    span_us: Cell<Option<(u64, u64)>>,
    /// Between requests: nothing is lost when it ends now.
    idle: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

const NEVER_MS: u64 = u64::MAX;

impl Deadlines {
    /// No slots yet.
    pub fn new() -> Rc<Deadlines> {
        Rc::new(Deadlines {
            started: Instant::now(),
            ticked_ms: Cell::new(0),
            phase: Cell::new(Phase::Running),
            slots: RefCell::new(Vec::new()),
        })
    }

    /// A slot for one task.
    pub fn register(self: &Rc<Self>) -> Deadline {
        let slot = Rc::new(Slot {
            due_ms: Cell::new(NEVER_MS),
            span_us: Cell::new(None),
            idle: Cell::new(false),
            waker: RefCell::new(None),
        });
        self.slots.borrow_mut().push(Rc::downgrade(&slot));
        Deadline { slot, core: Rc::clone(self) }
    }

    /// How far the process is on its way out.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether any task is registered.
    pub fn is_empty(&self) -> bool {
        self.slots.borrow().is_empty()
    }

    fn now_ms(&self) -> u64 {
        self.now_us() / 1000
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(NEVER_MS)
    }

    /// One tick: forgets the slots of ended tasks, and wakes whoever is due or has to stop.
    pub fn tick(&self, phase: Phase) {
        self.phase.set(phase);
        let now_ms = self.now_ms();
        self.ticked_ms.set(now_ms);
        let mut due = Vec::new();
        self.slots.borrow_mut().retain(|slot| {
            let Some(slot) = slot.upgrade() else { return false };
            if slot.due_ms.get() <= now_ms || slot.must_stop(phase) {
                due.extend(slot.waker.borrow_mut().take());
            }
            true
        });
        due.into_iter().for_each(Waker::wake);
    }
}

impl Slot {
    fn must_stop(&self, phase: Phase) -> bool {
        phase == Phase::Cut || (phase == Phase::Draining && self.idle.get())
    }
}

/// One task's deadline.
#[derive(Debug)]
pub struct Deadline {
    slot: Rc<Slot>,
    core: Rc<Deadlines>,
}

impl Deadline {
    /// Due after `wait` from now, whatever was set before.
    pub fn set(&self, wait: Duration) {
        let now_us = self.core.now_us();
        self.set_from(now_us, wait);
        let first_us = self.slot.span_us.get().map_or(now_us, |(first_us, _)| first_us);
        self.slot.span_us.set(Some((first_us, now_us)));
    }

    /// Due after `wait` from when a deadline was set last, which was a moment ago: no clock is read.
    fn set_behind_last(&self, wait: Duration) {
        match self.slot.span_us.get() {
            Some((_, last_us)) => self.set_from(last_us, wait),
            None => self.set(wait),
        }
    }

    fn set_from(&self, from_us: u64, wait: Duration) {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(NEVER_MS);
        // No wait is one that is over, whenever the next tick is.
        let due_ms = if wait_ms == 0 { 0 } else { (from_us / 1000).saturating_add(wait_ms) };
        self.slot.due_ms.set(due_ms);
    }

    /// When a deadline was set last, as far as that is known since [`Deadline::begin_span`]; else now.
    pub fn last_set(&self) -> Instant {
        let last = self.slot.span_us.get().map(|(_, last_us)| Duration::from_micros(last_us));
        last.and_then(|last| self.core.started.checked_add(last)).unwrap_or_else(Instant::now)
    }

    /// A time to be measured begins with the next deadline that is set: setting one reads the clock anyway.
    pub fn begin_span(&self) {
        self.slot.span_us.set(None);
    }

    /// From the first deadline set since [`Deadline::begin_span`] to the last, in microseconds.
    pub fn span_us(&self) -> Option<u64> {
        self.slot.span_us.get().map(|(first_us, last_us)| last_us.saturating_sub(first_us))
    }

    /// How far the process is on its way out.
    pub fn phase(&self) -> Phase {
        self.core.phase()
    }

    /// Runs `future` until it is done, or the deadline (which it may move meanwhile) has come, or the process
    /// is cut.
    pub fn guard<F: Future>(&self, future: F) -> Guarded<'_, F> {
        Guarded { deadline: self, future }
    }

    /// Runs `future` for at most `wait`, which begins now.
    pub fn within<F: Future>(&self, wait: Duration, future: F) -> Guarded<'_, F> {
        self.set(wait);
        self.guard(future)
    }

    /// As [`Deadline::within`], and ended at once when the process begins to stop.
    pub fn while_idle<F: Future>(&self, wait: Duration, future: F) -> Idle<'_, F> {
        Idle { guarded: self.within(wait, future) }
    }

    /// The same on a connection whose last deadline was set a moment ago: no clock is read.
    pub fn while_idle_again<F: Future>(&self, wait: Duration, future: F) -> Idle<'_, F> {
        self.set_behind_last(wait);
        Idle { guarded: self.guard(future) }
    }

    /// Whether a wait is to be ended; it is woken for that.
    fn interrupts(&self, context: &Context<'_>) -> Option<Interrupt> {
        if self.slot.must_stop(self.core.phase()) {
            return Some(Interrupt::Stopping);
        }
        // Who is due is woken by a tick: no clock is read for those who are polled for another reason.
        if self.slot.due_ms.get() <= self.core.ticked_ms.get() {
            return Some(Interrupt::Expired);
        }
        let mut waker = self.slot.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
        None
    }
}

pin_project! {
    /// A future under a deadline. A type of its own, since an `async fn` would hold what it is given twice.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Guarded<'a, F> {
        deadline: &'a Deadline,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Guarded<'_, F> {
    type Output = Result<F::Output, Interrupt>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(value) = this.future.poll(context) {
            return Poll::Ready(Ok(value));
        }
        match this.deadline.interrupts(context) {
            Some(interrupt) => Poll::Ready(Err(interrupt)),
            None => Poll::Pending,
        }
    }
}

pin_project! {
    /// A future under a deadline between requests.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Idle<'a, F> {
        #[pin]
        guarded: Guarded<'a, F>,
    }
}

impl<F: Future> Future for Idle<'_, F> {
    type Output = Result<F::Output, Interrupt>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let slot = Rc::clone(&self.guarded.deadline.slot);
        slot.idle.set(true);
        let result = self.project().guarded.poll(context);
        slot.idle.set(result.is_pending());
        result
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;
    use futures_lite::future::{block_on, pending, poll_once};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_future_that_is_ready_wins_over_a_deadline_that_has_come() {
        let deadline = Deadlines::new().register();
        assert_eq!(block_on(deadline.within(Duration::ZERO, async { 5 })), Ok(5));
    }

    #[test]
    fn a_deadline_that_has_come_ends_the_wait() {
        let deadline = Deadlines::new().register();
        let wait = deadline.within(Duration::ZERO, pending::<()>());
        assert_eq!(block_on(wait), Err(Interrupt::Expired));
    }

    #[test]
    fn draining_ends_idle_waits_only_and_the_cut_ends_all() {
        let core = Deadlines::new();
        let (idle, busy) = (core.register(), core.register());
        let mut idle = pin!(idle.while_idle(HOUR, pending::<()>()));
        let mut busy = pin!(busy.within(HOUR, pending::<()>()));
        block_on(async {
            assert_eq!(poll_once(idle.as_mut()).await, None);
            assert_eq!(poll_once(busy.as_mut()).await, None);
            core.tick(Phase::Draining);
            assert_eq!(poll_once(idle).await, Some(Err(Interrupt::Stopping)));
            assert_eq!(poll_once(busy.as_mut()).await, None);
            core.tick(Phase::Cut);
            assert_eq!(poll_once(busy).await, Some(Err(Interrupt::Stopping)));
        });
    }

    #[test]
    fn a_span_reaches_from_the_first_deadline_set_to_the_last() {
        let deadline = Deadlines::new().register();
        deadline.set(HOUR);
        deadline.begin_span();
        assert_eq!(deadline.span_us(), None);
        deadline.set(HOUR);
        assert_eq!(deadline.span_us(), Some(0));
        std::thread::sleep(Duration::from_millis(3));
        deadline.set(HOUR);
        let span_us = deadline.span_us().unwrap();
        assert!(span_us >= 3000, "{span_us}");
        assert_eq!(deadline.span_us(), Some(span_us), "no clock is read");
    }

    #[test]
    fn a_wait_ends_with_the_tick_at_which_it_is_due_and_no_sooner() {
        let core = Deadlines::new();
        let deadline = core.register();
        let mut wait = pin!(deadline.within(Duration::from_millis(1), pending::<()>()));
        block_on(async {
            assert_eq!(poll_once(wait.as_mut()).await, None);
            core.tick(Phase::Running);
            std::thread::sleep(Duration::from_millis(3));
            core.tick(Phase::Running);
            assert_eq!(poll_once(wait).await, Some(Err(Interrupt::Expired)));
        });
    }

    #[test]
    fn an_idle_wait_behind_another_deadline_counts_from_when_that_was_set() {
        let core = Deadlines::new();
        let deadline = core.register();
        deadline.begin_span();
        deadline.set(HOUR);
        let (first_us, last_us) = deadline.slot.span_us.get().unwrap();
        std::thread::sleep(Duration::from_millis(3));
        drop(deadline.while_idle_again(Duration::from_millis(5), pending::<()>()));
        assert_eq!(deadline.slot.due_ms.get(), last_us / 1000 + 5);
        assert_eq!(deadline.slot.span_us.get(), Some((first_us, last_us)), "no clock is read");
        assert_eq!(deadline.last_set(), core.started + Duration::from_micros(last_us));
    }

    #[test]
    fn slots_of_ended_tasks_are_forgotten() {
        let core = Deadlines::new();
        drop(core.register());
        core.tick(Phase::Running);
        assert!(core.is_empty());
    }
}
