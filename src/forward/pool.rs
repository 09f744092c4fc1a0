//! Idle upstream connections of one core, by origin. Bounded in all, by origin and in time.

use std::collections::HashMap;
use std::rc::Rc;
use std::task::Context;
use std::time::{Duration, Instant};

use super::origin::Origin;
use crate::limits::{POOL_IDLE_MAX, POOL_IDLE_PER_ORIGIN_MAX, POOL_TOLD_MAX_MS};
use crate::tls::stream::Stream;

/// The connections that wait for another request.
#[derive(Debug)]
pub struct Pool<S = Stream> {
    idle: HashMap<Rc<Origin>, Vec<Waiting<S>>>,
    count: usize,
    idle_timeout: Duration,
}

#[derive(Debug)]
struct Waiting<S> {
    stream: S,
    since: Instant,
    wait: Duration,
}

impl<S> Waiting<S> {
    fn is_late(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= self.wait
    }
}

impl<S: Reusable> Waiting<S> {
    /// The connection, if it is still good. The core may not have been told yet of what came a moment ago, such as
    /// the last word of an origin that gives it up; that comes after a long wait, and then a look costs little.
    fn into_good(self, now: Instant, context: &mut Context<'_>, care: Care) -> Option<S> {
        let waited = now.saturating_duration_since(self.since);
        let is_long = waited >= Duration::from_millis(POOL_TOLD_MAX_MS);
        let care = if is_long { Care::Looked } else { care };
        let is_good = !self.is_late(now) && self.stream.is_reusable(context, care);
        is_good.then_some(self.stream)
    }
}

/// How sure one has to be that an idle connection still stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// The request can be sent again: what the core was told of the connection by now is enough.
    Told,
    /// It cannot: the connection is looked at.
    Looked,
}

/// What can tell whether it may carry another request.
pub trait Reusable {
    /// Open, and nothing unasked for in it.
    fn is_reusable(&self, context: &mut Context<'_>, care: Care) -> bool;
}

impl Reusable for Stream {
    fn is_reusable(&self, context: &mut Context<'_>, care: Care) -> bool {
        match care {
            // The poll that its last read began tells of bytes and of an end: no call while there are none.
            Care::Told => self.poll_read(context, &mut [0]).is_pending(),
            Care::Looked => Stream::is_reusable(self, context),
        }
    }
}

impl<S: Reusable> Pool<S> {
    /// An empty pool whose connections wait for at most `idle_timeout`.
    pub fn new(idle_timeout: Duration) -> Pool<S> {
        Pool { idle: HashMap::new(), count: 0, idle_timeout }
    }

    /// Takes the connection that was used last, if one is still good.
    pub fn take(
        &mut self,
        origin: &Origin,
        now: Instant,
        context: &mut Context<'_>,
        care: Care,
    ) -> Option<S> {
        let waiting = self.idle.get_mut(origin)?;
        while let Some(one) = waiting.pop() {
            self.count -= 1;
            if let Some(stream) = one.into_good(now, context, care) {
                return Some(stream);
            }
        }
        None
    }

    /// Whether a connection to the origin waits.
    pub fn has(&self, origin: &Origin) -> bool {
        self.idle.get(origin).is_some_and(|waiting| !waiting.is_empty())
    }

    /// Keeps a connection whose last exchange ended in order, for `wait` or the pool's own time, whichever is
    /// shorter. Where there is no room the one that has waited longest is closed for it: a thousand names that nobody
    /// asks for again do not keep those out that everybody does.
    pub fn put(&mut self, origin: &Rc<Origin>, stream: S, now: Instant, wait: Duration) {
        let wait = wait.min(self.idle_timeout);
        if wait.is_zero() {
            return;
        }
        if self.idle.get(origin).is_some_and(|own| own.len() >= POOL_IDLE_PER_ORIGIN_MAX) {
            return;
        }
        if self.count >= POOL_IDLE_MAX {
            self.close_oldest();
        }
        let waiting = match self.idle.get_mut(origin) {
            Some(waiting) => waiting,
            None => self.idle.entry(Rc::clone(origin)).or_default(),
        };
        waiting.push(Waiting { stream, since: now, wait });
        self.count += 1;
    }

    /// Looks at all origins: only a new one comes to a full pool, and opening its connection took far longer.
    fn close_oldest(&mut self) {
        let firsts = self.idle.iter().filter_map(|(origin, waiting)| {
            let since = waiting.first()?.since;
            Some((since, origin))
        });
        let oldest = firsts.min_by_key(|(since, _)| *since);
        let Some(origin) = oldest.map(|(_, origin)| Rc::clone(origin)) else { return };
        if let Some(waiting) = self.idle.get_mut(&origin) {
            // The others of its origin came later.
            waiting.remove(0);
            self.count -= 1;
            if waiting.is_empty() {
                self.idle.remove(&origin);
            }
        }
    }

    /// Closes what has waited too long.
    pub fn sweep(&mut self, now: Instant) {
        let mut count = 0;
        self.idle.retain(|_, waiting| {
            waiting.retain(|one| !one.is_late(now));
            count += waiting.len();
            !waiting.is_empty()
        });
        self.count = count;
    }
}

/// An idle connection that is one client's alone: the origin takes all that comes on it for one user's.
#[derive(Debug)]
pub struct Own<S = Stream> {
    origin: Rc<Origin>,
    waiting: Waiting<S>,
}

impl<S: Reusable> Own<S> {
    /// Keeps it for at most `wait`.
    pub fn new(origin: &Rc<Origin>, stream: S, now: Instant, wait: Duration) -> Own<S> {
        Own { origin: Rc::clone(origin), waiting: Waiting { stream, since: now, wait } }
    }

    /// Whether it is a connection to this origin.
    pub fn leads_to(&self, origin: &Origin) -> bool {
        *self.origin == *origin
    }

    /// The connection, if it is still good.
    pub fn into_stream(self, now: Instant, context: &mut Context<'_>, care: Care) -> Option<S> {
        self.waiting.into_good(now, context, care)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    struct Fake(bool);

    impl Reusable for Fake {
        fn is_reusable(&self, _: &mut Context<'_>, _: Care) -> bool {
            self.0
        }
    }

    fn origin(host: &str) -> Rc<Origin> {
        Rc::new(Origin::clear(host, 80))
    }

    fn take(pool: &mut Pool<Fake>, origin: &Origin, now: Instant) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        pool.take(origin, now, &mut context, Care::Looked).is_some()
    }

    #[test]
    fn dead_connections_are_passed_over() {
        let (mut pool, origin) = (Pool::new(Duration::from_secs(60)), origin("a"));
        let now = Instant::now();
        pool.put(&origin, Fake(true), now, Duration::MAX);
        pool.put(&origin, Fake(false), now, Duration::MAX);
        assert!(take(&mut pool, &origin, now));
        assert!(!take(&mut pool, &origin, now));
        assert_eq!(pool.count, 0);
    }

    /// As the core was told it is good; a look shows that it is not.
    struct Unread;

    impl Reusable for Unread {
        fn is_reusable(&self, _: &mut Context<'_>, care: Care) -> bool {
            care == Care::Told
        }
    }

    #[test]
    fn a_last_word_that_the_core_was_not_told_of_yet_is_seen_on_a_connection_that_waited_long() {
        let (mut pool, origin) = (Pool::new(Duration::from_secs(60)), origin("a"));
        let mut context = Context::from_waker(Waker::noop());
        let now = Instant::now();
        let late = now + Duration::from_millis(POOL_TOLD_MAX_MS);
        let a_moment_later = late - Duration::from_millis(1);
        pool.put(&origin, Unread, now, Duration::MAX);
        let taken = pool.take(&origin, a_moment_later, &mut context, Care::Told);
        assert!(taken.is_some(), "one that was used a moment ago costs no look");
        pool.put(&origin, Unread, now, Duration::MAX);
        assert!(pool.take(&origin, late, &mut context, Care::Told).is_none());
    }

    #[test]
    fn an_own_connection_leads_to_its_origin_only_and_not_for_ever() {
        let mut context = Context::from_waker(Waker::noop());
        let (now, wait) = (Instant::now(), Duration::from_secs(60));
        let own = || Own::new(&origin("a"), Fake(true), now, wait);
        let kept = own();
        assert!(kept.leads_to(&origin("a")) && !kept.leads_to(&origin("b")));
        let in_time = now + wait - Duration::from_millis(1);
        assert!(kept.into_stream(in_time, &mut context, Care::Looked).is_some());
        assert!(own().into_stream(now + wait, &mut context, Care::Looked).is_none());
    }

    #[test]
    fn an_origin_keeps_a_bounded_number() {
        let (mut pool, origin) = (Pool::new(Duration::from_secs(60)), origin("a"));
        for _ in 0..=POOL_IDLE_PER_ORIGIN_MAX {
            pool.put(&origin, Fake(true), Instant::now(), Duration::MAX);
        }
        assert_eq!(pool.count, POOL_IDLE_PER_ORIGIN_MAX);
    }

    #[test]
    fn all_origins_together_keep_a_bounded_number() {
        let mut pool = Pool::new(Duration::from_secs(60));
        for n in 0..=POOL_IDLE_MAX {
            pool.put(&origin(&n.to_string()), Fake(true), Instant::now(), Duration::MAX);
        }
        assert_eq!(pool.count, POOL_IDLE_MAX);
    }

    #[test]
    fn a_full_pool_closes_what_has_waited_longest_for_what_comes() {
        let (mut pool, began) = (Pool::new(Duration::from_secs(60)), Instant::now());
        let numbers = (0_u32..).take(POOL_IDLE_MAX + 1);
        for (n, at) in numbers.map(|n| (n, began + n * Duration::from_millis(1))) {
            pool.put(&origin(&n.to_string()), Fake(true), at, Duration::MAX);
        }
        let last = POOL_IDLE_MAX.to_string();
        assert!(!pool.has(&origin("0")) && pool.has(&origin("1")) && pool.has(&origin(&last)));
        assert!(take(&mut pool, &origin(&last), began + Duration::from_secs(2)));
        assert_eq!(pool.count, POOL_IDLE_MAX - 1);
    }

    #[test]
    fn what_waited_too_long_is_closed() {
        let (mut pool, origin) = (Pool::new(Duration::from_secs(60)), origin("a"));
        let now = Instant::now();
        pool.put(&origin, Fake(true), now, Duration::MAX);
        pool.sweep(now + Duration::from_secs(59));
        assert!(pool.has(&origin));
        pool.sweep(now + Duration::from_secs(60));
        assert!(!pool.has(&origin) && pool.idle.is_empty() && pool.count == 0);
    }

    #[test]
    fn an_origin_that_waits_less_is_not_tried_later() {
        let (mut pool, origin) = (Pool::new(Duration::from_secs(60)), origin("a"));
        let now = Instant::now();
        pool.put(&origin, Fake(true), now, Duration::ZERO);
        assert!(!pool.has(&origin));
        pool.put(&origin, Fake(true), now, Duration::from_secs(4));
        pool.sweep(now + Duration::from_secs(3));
        assert!(pool.has(&origin));
        pool.sweep(now + Duration::from_secs(4));
        assert!(!pool.has(&origin) && pool.count == 0);
        pool.put(&origin, Fake(true), now, Duration::from_secs(4));
        assert!(!take(&mut pool, &origin, now + Duration::from_secs(4)));
    }

    #[test]
    fn a_full_pool_keeps_no_places_of_what_it_closed() {
        let (mut pool, began) = (Pool::new(Duration::from_secs(60)), Instant::now());
        for n in 0..4 * POOL_IDLE_MAX as u32 {
            pool.put(
                &origin(&n.to_string()),
                Fake(true),
                began + n * Duration::from_millis(1),
                Duration::MAX,
            );
        }
        assert!(pool.idle.len() <= POOL_IDLE_MAX, "{} places for {}", pool.idle.len(), pool.count);
    }

    #[test]
    fn an_origin_with_its_share_of_a_full_pool_closes_nobody_elses() {
        let (mut pool, began) = (Pool::new(Duration::from_secs(60)), Instant::now());
        let others = POOL_IDLE_MAX - POOL_IDLE_PER_ORIGIN_MAX;
        for n in 0..others {
            pool.put(&origin(&n.to_string()), Fake(true), began, Duration::MAX);
        }
        let busy = origin("busy");
        let later = began + Duration::from_millis(5);
        for _ in 0..POOL_IDLE_PER_ORIGIN_MAX + 1 {
            pool.put(&busy, Fake(true), later, Duration::MAX);
        }
        assert_eq!(pool.count, POOL_IDLE_MAX);
        let has = (0..others).filter(|n| pool.has(&origin(&n.to_string()))).count();
        assert_eq!(has, others);
    }
}
