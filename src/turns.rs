//! Whose turn it is on a core. What reads or scans on and on, without ever having to wait, lets the others go first
//! once it has had its turn: those whose bytes have come meanwhile, too. So does a step of a handshake, which cannot be
//! cut, if others went right before it: however many clients come at once, who waits for bytes waits for one of them.
//!
//! glommio's own preemption is not used: it is a timer of the kernel's, and where that fires before the first task
//! of a round has run, glommio 0.9 takes the round for empty and sleeps, with its tasks ready to run and perhaps
//! without a timer to wake it. A busy machine stops a thread for that long easily. So the timer is set far away
//! (`PREEMPT_SECS`), and the time that a task had is measured here. What nobody waits for, as the end of an idle
//! connection, can still come at that moment; then the next event ends the sleep, or the next timer, and
//! `BACKSTOPS_MS` see to it that there is one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use glommio::timer::Timer;

use crate::limits::{
    HEAVY_STEPS_US, TURN_THING_MIN_BYTES, TURN_UNTIMED_BYTES, TURN_US, TURN_WAIT_NS,
};

const TURN: Duration = Duration::from_micros(TURN_US);
const HEAVY_STEPS: Duration = Duration::from_micros(HEAVY_STEPS_US);

thread_local! {
    /// When this core last looked at what had come, as far as those know who gave way.
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What heavy steps took since the core looked for one of them.
    static HEAVY: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// Those who have one wait in line: each look is for one of them.
    static LINE: RefCell<Line> = const { RefCell::new(Line { is_taken: false, waiting: VecDeque::new() }) };
}

/// Who waits for a look. The place in front is handed on, so that nobody who comes later takes it, and nobody has it
/// who is gone.
struct Line {
    is_taken: bool,
    waiting: VecDeque<Rc<Place>>,
}

#[derive(Default)]
struct Place {
    is_first: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

/// A place that is given up in the end.
struct InLine(Rc<Place>);

impl InLine {
    fn enter() -> InLine {
        let place: Rc<Place> = Rc::default();
        LINE.with_borrow_mut(|line| {
            if line.is_taken {
                line.waiting.push_back(Rc::clone(&place));
            } else {
                line.is_taken = true;
                place.is_first.set(true);
            }
        });
        InLine(place)
    }

    async fn until_first(&self) {
        poll_fn(|context| {
            if self.0.is_first.get() {
                return Poll::Ready(());
            }
            self.0.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        let next = LINE.with_borrow_mut(|line| {
            if !self.0.is_first.get() {
                line.waiting.retain(|place| !Rc::ptr_eq(place, &self.0));
                return None;
            }
            let next = line.waiting.pop_front();
            line.is_taken = next.is_some();
            next
        });
        if let Some(next) = next {
            next.is_first.set(true);
            next.waker.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// The time that a task has had since it last waited.
#[derive(Debug)]
pub struct Turn {
    began: Instant,
    /// What was done since it was last looked how long that has been.
    done_bytes: usize,
}

impl Turn {
    /// It begins now.
    pub fn begin() -> Turn {
        Turn { began: Instant::now(), done_bytes: 0 }
    }

    /// As [`Turn::give_way`], behind something that takes no long time; of many such things each is counted with its
    /// bytes, and only now and then a clock is read.
    pub async fn give_way_behind(&mut self, bytes: usize) {
        self.done_bytes += bytes.max(TURN_THING_MIN_BYTES);
        if self.done_bytes >= TURN_UNTIMED_BYTES {
            self.done_bytes = 0;
            self.give_way().await;
        }
    }

    fn is_over(&self) -> bool {
        let looked = LOOKED.get().map_or(self.began, |looked| looked.max(self.began));
        looked.elapsed() >= TURN
    }

    /// Lets the others of the core go first, if it has been long enough. Those that gave way together share the next
    /// turn, however many they are; each gets as far as to its next question.
    pub async fn give_way(&mut self) {
        if !self.is_over() {
            return;
        }
        let gave_way = Instant::now();
        until_the_core_looks().await;
        self.began = match LOOKED.get() {
            Some(looked) if looked > gave_way => looked,
            _ => {
                let now = Instant::now();
                LOOKED.set(Some(now));
                now
            }
        };
    }
}

/// The turns of who is polled and cannot await.
#[derive(Default)]
pub struct PolledTurn {
    /// Since it has no more had to wait; none if it had to.
    turn: Option<Turn>,
    giving_way: Option<Pin<Box<dyn Future<Output = Turn>>>>,
}

impl PolledTurn {
    /// As [`Turn::give_way`].
    pub fn poll_give_way(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let giving_way = match &mut self.giving_way {
            Some(giving_way) => giving_way,
            None => {
                let Some(mut turn) = self.turn.take_if(|turn| turn.is_over()) else {
                    self.turn.get_or_insert_with(Turn::begin);
                    return Poll::Ready(());
                };
                self.giving_way.insert(Box::pin(async move {
                    turn.give_way().await;
                    turn
                }))
            }
        };
        self.turn = Some(ready!(giving_way.as_mut().poll(context)));
        self.giving_way = None;
        Poll::Ready(())
    }

    /// It has to wait: others go first anyway.
    pub fn waits(&mut self) {
        self.turn = None;
    }
}

impl fmt::Debug for PolledTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolledTurn").field("turn", &self.turn).finish_non_exhaustive()
    }
}

/// Takes a step that is long and cannot be cut, once the core has looked at what came during those before it.
pub async fn heavy<T>(step: impl FnOnce() -> T) -> T {
    if HEAVY.get() >= HEAVY_STEPS || LINE.with_borrow(|line| line.is_taken) {
        // Seldom, and then its own memory, so that who never waits here has no room for it.
        Box::pin(stand_in_line()).await;
    }
    let began = Instant::now();
    let made = step();
    HEAVY.set(HEAVY.get().saturating_add(began.elapsed()));
    made
}

async fn stand_in_line() {
    // Who is next goes on after the step of who leaves it.
    let place = InLine::enter();
    place.until_first().await;
    if HEAVY.get() >= HEAVY_STEPS {
        until_the_core_looks().await;
        LOOKED.set(Some(Instant::now()));
        HEAVY.set(Duration::ZERO);
    }
}

/// By a timer that is due when the core looks: to be only queued again would come before that.
async fn until_the_core_looks() {
    let mut wait = Duration::from_nanos(TURN_WAIT_NS);
    let mut has_waited = false;
    while !has_waited {
        let mut timer = Timer::new(wait);
        poll_fn(|context| {
            let due = Pin::new(&mut timer).poll(context);
            has_waited |= due.is_pending();
            due
        })
        .await;
        // It was due before anybody asked it.
        wait *= 2;
    }
}

#[cfg(test)]
mod tests {
    use glommio::timer::sleep;

    use super::*;
    use crate::limits::PREEMPT_SECS;

    /// Runs `test` on an executor as a worker has it.
    fn on_a_core<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + Send + 'static) {
        glommio::LocalExecutorBuilder::default()
            .preempt_timer(Duration::from_secs(PREEMPT_SECS))
            .spawn(move || async move { test().await })
            .unwrap()
            .join()
            .unwrap();
    }

    #[test]
    fn tasks_that_never_wait_let_each_other_and_timers_go_first() {
        on_a_core(|| async {
            let is_over = Rc::new(Cell::new(false));
            let busy: Vec<_> = (0..2)
                .map(|_| {
                    let is_over = Rc::clone(&is_over);
                    glommio::spawn_local(async move {
                        let mut turn = Turn::begin();
                        let mut rounds = 0_u64;
                        while !is_over.get() {
                            turn.give_way().await;
                            rounds += 1;
                        }
                        rounds
                    })
                    .detach()
                })
                .collect();
            for _ in 0..20 {
                sleep(Duration::from_millis(1)).await;
            }
            is_over.set(true);
            for task in busy {
                assert!(task.await.unwrap() > 0);
            }
        });
    }

    #[test]
    fn heavy_steps_that_come_at_once_let_others_go_between_them() {
        on_a_core(|| async {
            let (looks, is_over) = (Rc::new(Cell::new(0_u32)), Rc::new(Cell::new(false)));
            let other = {
                let (looks, is_over) = (Rc::clone(&looks), Rc::clone(&is_over));
                glommio::spawn_local(async move {
                    while !is_over.get() {
                        until_the_core_looks().await;
                        looks.set(looks.get() + 1);
                    }
                })
                .detach()
            };
            let steps: Vec<_> = (0..20)
                .map(|_| {
                    let looks = Rc::clone(&looks);
                    glommio::spawn_local(heavy(move || {
                        let began = Instant::now();
                        while began.elapsed() < HEAVY_STEPS {}
                        looks.get()
                    }))
                    .detach()
                })
                .collect();
            let mut seen = Vec::new();
            for step in steps {
                seen.push(step.await.unwrap());
            }
            is_over.set(true);
            other.await.unwrap();
            // Two may go for one look: the first of all, and one that looked before the other task began.
            let most = seen.iter().map(|look| seen.iter().filter(|other| *other == look).count());
            assert!(most.max().unwrap() <= 2, "{seen:?}");
            assert!(seen.is_sorted(), "in line: {seen:?}");
        });
    }

    #[test]
    fn light_steps_wait_for_nobody() {
        HEAVY.set(Duration::ZERO);
        assert_eq!(
            futures_lite::future::block_on(futures_lite::future::poll_once(heavy(|| 7))),
            Some(7)
        );
        assert!(HEAVY.get() > Duration::ZERO);
    }

    #[test]
    fn those_that_give_way_together_share_the_next_turn() {
        on_a_core(|| async {
            let past = Instant::now().checked_sub(2 * TURN).unwrap();
            let waiting: Vec<_> = (0..3)
                .map(|_| {
                    glommio::spawn_local(async move {
                        let mut turn = Turn { began: past, done_bytes: 0 };
                        turn.give_way().await;
                        turn.began
                    })
                    .detach()
                })
                .collect();
            let mut began = Vec::new();
            for task in waiting {
                began.push(task.await.unwrap());
            }
            assert!(began.iter().all(|began| *began == LOOKED.get().unwrap()), "{began:?}");
        });
    }

    #[test]
    fn who_is_polled_gives_way_once_its_turn_is_over() {
        on_a_core(|| async {
            let past = Instant::now().checked_sub(2 * TURN).unwrap();
            let over = || Some(Turn { began: past, done_bytes: 0 });
            LOOKED.set(None);
            let mut polled = PolledTurn::default();
            let poll = |polled: &mut PolledTurn| {
                polled.poll_give_way(&mut Context::from_waker(Waker::noop())).is_ready()
            };
            assert!(poll(&mut polled) && poll(&mut polled), "its turn has just begun");
            polled.turn = over();
            assert!(!poll(&mut polled), "it is over");
            poll_fn(|context| polled.poll_give_way(context)).await;
            assert!(polled.turn.as_ref().unwrap().began > past && poll(&mut polled));
            LOOKED.set(None);
            polled.turn = over();
            polled.waits();
            assert!(poll(&mut polled), "others went first while it waited");
        });
    }

    #[test]
    fn many_small_things_take_a_turn_together() {
        on_a_core(|| async {
            let past = Instant::now().checked_sub(2 * TURN).unwrap();
            let mut turn = Turn { began: past, done_bytes: 0 };
            for _ in 1..TURN_UNTIMED_BYTES / TURN_THING_MIN_BYTES {
                turn.give_way_behind(1).await;
            }
            assert_eq!(turn.began, past);
            turn.give_way_behind(1).await;
            assert!(turn.began > past && turn.done_bytes == 0);
            LOOKED.set(None);
            let mut turn = Turn { began: past, done_bytes: 0 };
            turn.give_way_behind(TURN_UNTIMED_BYTES).await;
            assert!(turn.began > past);
        });
    }

    #[test]
    fn a_turn_that_has_just_begun_is_not_over() {
        let begun = Turn::begin();
        let past = Turn { began: begun.began.checked_sub(2 * TURN).unwrap(), done_bytes: 0 };
        assert!(past.is_over());
        LOOKED.set(Some(Instant::now() + TURN));
        assert!(!past.is_over(), "another gave way meanwhile");
        LOOKED.set(None);
    }

    #[test]
    fn heavy_steps_in_line_are_not_overtaken_by_those_that_come_later() {
        on_a_core(|| async {
            let begun: Rc<RefCell<Vec<usize>>> = Rc::default();
            let mut steps = Vec::new();
            for number in 0..300 {
                if number % 3 == 0 {
                    until_the_core_looks().await;
                }
                let begun = Rc::clone(&begun);
                let step = heavy(move || {
                    let began = Instant::now();
                    while began.elapsed() < HEAVY_STEPS {}
                    begun.borrow_mut().push(number);
                });
                steps.push(glommio::spawn_local(step).detach());
            }
            for step in steps {
                step.await.unwrap();
            }
            let begun = begun.borrow();
            let overtook = |number: usize| {
                let before = begun.iter().take_while(|other| **other != number);
                before.filter(|other| **other > number).count()
            };
            let most = (0..300).map(overtook).max();
            // Those of the same look may change places.
            assert!(most <= Some(3), "{most:?}: {begun:?}");
        });
    }

    #[test]
    fn one_that_is_dropped_when_its_place_was_given_to_it_passes_it_on() {
        on_a_core(|| async {
            HEAVY.set(HEAVY_STEPS);
            let mut holder = Box::pin(heavy(|| ()));
            let mut second = Box::pin(heavy(|| ()));
            assert!(futures_lite::future::poll_once(holder.as_mut()).await.is_none());
            assert!(futures_lite::future::poll_once(second.as_mut()).await.is_none());
            let done = Rc::new(Cell::new(false));
            let third = {
                let done = Rc::clone(&done);
                glommio::spawn_local(async move {
                    heavy(|| ()).await;
                    done.set(true);
                })
                .detach()
            };
            glommio::timer::sleep(Duration::from_millis(1)).await;
            HEAVY.set(HEAVY_STEPS);
            drop(holder);
            drop(second);
            glommio::timer::sleep(Duration::from_millis(300)).await;
            assert!(done.get(), "the third waits for ever");
            drop(third);
        });
    }
}
