//! Names to addresses: looked up off the core, on any CPU, by the system's resolver (hosts file included), one lookup
//! at a time a name, remembered for a while. A lookup cannot be abandoned once it runs, and one of a name whose server is
//! silent runs for long: so each runs on a thread of its own, so many at a time, and one that nobody waits for any more
//! is not begun.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::defects::{caught, contained};
use crate::limits::{
    DNS_ADDRESSES_MAX, DNS_CACHE_ENTRIES, DNS_LOOKUPS_MAX, DNS_NEGATIVE_TTL_SECS, DNS_PENDING_MAX,
    DNS_TTL_SECS,
};

/// What a lookup gave: addresses in the order to try them.
pub type Answer = Result<Rc<[SocketAddr]>, LookupError>;

/// Why there is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// The resolver's words.
    Failed(Rc<str>),
    /// So many names are being looked up that this one is not.
    Busy,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookupError::Failed(words) => f.write_str(words),
            LookupError::Busy => {
                write!(f, "{DNS_PENDING_MAX} names are being looked up already; try again")
            }
        }
    }
}

/// What the system's resolver gives.
type Found = Result<Vec<SocketAddr>, String>;

/// The names that a core remembers.
#[derive(Debug)]
pub struct Resolver {
    names: RefCell<HashMap<String, Entry>>,
    /// Asked for, and not begun.
    waiting: RefCell<VecDeque<String>>,
    running: Cell<usize>,
    look_up: fn(&str) -> Found,
}

#[derive(Debug)]
enum Entry {
    /// A lookup is under way, or waits for its turn.
    Asked(Rc<Question>),
    /// It ended, and holds until then.
    Known(Answer, Instant),
}

/// One lookup. All who wait for it hold it: when the resolver alone does, nobody waits.
#[derive(Debug, Default)]
struct Question {
    askers: RefCell<Vec<Waker>>,
    answer: OnceCell<Answer>,
}

impl Question {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Answer> {
        if let Some(answer) = self.answer.get() {
            return Poll::Ready(answer.clone());
        }
        let mut askers = self.askers.borrow_mut();
        if !askers.iter().any(|waker| waker.will_wake(context.waker())) {
            askers.push(context.waker().clone());
        }
        Poll::Pending
    }

    fn is_abandoned(self: &Rc<Self>) -> bool {
        Rc::strong_count(self) == 1
    }
}

impl Resolver {
    /// Knows no name yet.
    pub fn new() -> Rc<Resolver> {
        Resolver::by(look_up)
    }

    fn by(look_up: fn(&str) -> Found) -> Rc<Resolver> {
        let (names, waiting) = (RefCell::default(), RefCell::default());
        Rc::new(Resolver { names, waiting, running: Cell::new(0), look_up })
    }

    /// The addresses of a host, with port 0. A literal address is its own answer.
    pub async fn resolve(self: &Rc<Self>, host: &str) -> Answer {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Rc::new([SocketAddr::new(address, 0)]));
        }
        let question = match self.names.borrow().get(host) {
            Some(Entry::Known(answer, until)) if *until > Instant::now() => return answer.clone(),
            Some(Entry::Asked(question)) => Some(Rc::clone(question)),
            Some(Entry::Known(..)) | None => None,
        };
        let question = match question {
            Some(question) => question,
            None => self.ask(host)?,
        };
        poll_fn(|context| question.poll(context)).await
    }

    /// Another lookup, if there may be one more.
    fn ask(self: &Rc<Self>, host: &str) -> Result<Rc<Question>, LookupError> {
        if self.pending() >= DNS_PENDING_MAX {
            self.forget_abandoned();
        }
        if self.pending() >= DNS_PENDING_MAX {
            return Err(LookupError::Busy);
        }
        let question = Rc::new(Question::default());
        let mut names = self.names.borrow_mut();
        make_room(&mut names);
        names.insert(host.to_owned(), Entry::Asked(Rc::clone(&question)));
        drop(names);
        self.waiting.borrow_mut().push_back(host.to_owned());
        self.begin_next();
        Ok(question)
    }

    /// Lookups that are under way or wait for their turn.
    fn pending(&self) -> usize {
        self.running.get() + self.waiting.borrow().len()
    }

    fn forget_abandoned(&self) {
        let mut names = self.names.borrow_mut();
        self.waiting.borrow_mut().retain(|host| !forget_if_abandoned(&mut names, host));
    }

    /// Begins lookups that somebody still waits for, as many as may run.
    fn begin_next(self: &Rc<Self>) {
        while self.running.get() < DNS_LOOKUPS_MAX {
            let Some(host) = self.waiting.borrow_mut().pop_front() else { return };
            if !forget_if_abandoned(&mut self.names.borrow_mut(), &host) {
                self.begin(host);
            }
        }
    }

    /// Runs on its own, so that the answer is kept even when the asker has gone.
    fn begin(self: &Rc<Self>, host: String) {
        let running = Running::new(self);
        let lookup = async move {
            let found = on_a_thread(running.0.look_up, &host).await;
            let resolver = Rc::clone(&running.0);
            drop(running);
            resolver.learn(host, found, Instant::now());
            resolver.begin_next();
        };
        glommio::spawn_local(contained("a lookup", lookup)).detach();
    }

    fn learn(&self, host: String, found: Found, now: Instant) {
        let ttl_secs = if found.is_ok() { DNS_TTL_SECS } else { DNS_NEGATIVE_TTL_SECS };
        let answer: Answer =
            found.map(Rc::from).map_err(|words| LookupError::Failed(Rc::from(words)));
        let known = Entry::Known(answer.clone(), now + Duration::from_secs(ttl_secs));
        let before = self.names.borrow_mut().insert(host, known);
        if let Some(Entry::Asked(question)) = before {
            // Nobody else sets it.
            let _ = question.answer.set(answer);
            question.askers.take().into_iter().for_each(Waker::wake);
        }
    }
}

/// A lookup that runs, counted for as long as this is kept.
struct Running(Rc<Resolver>);

impl Running {
    fn new(resolver: &Rc<Resolver>) -> Running {
        resolver.running.set(resolver.running.get() + 1);
        Running(Rc::clone(resolver))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
    }
}

/// Runs a lookup on a thread of its own, and waits for what it finds.
async fn on_a_thread(look_up: fn(&str) -> Found, host: &str) -> Found {
    let found = Arc::new(OnceLock::new());
    let mut is_begun = false;
    poll_fn(|context| {
        if let Some(found) = found.get() {
            return Poll::Ready(Found::clone(found));
        }
        if is_begun {
            return Poll::Pending;
        }
        is_begun = true;
        let (host, slot, waker) = (host.to_owned(), Arc::clone(&found), context.waker().clone());
        let lookup = move || {
            leave_the_core();
            let found = caught(|| look_up(&host));
            // Nobody else sets it.
            let _ = slot.set(found.unwrap_or_else(|| Err("ended by a defect".to_owned())));
            waker.wake();
        };
        match thread::Builder::new().name("clawsec-lookup".to_owned()).spawn(lookup) {
            Ok(_) => Poll::Pending,
            Err(error) => Poll::Ready(Err(format!("there is no thread for the lookup: {error}"))),
        }
    })
    .await
}

/// A thread begins on the one CPU of the core that made it: from there it may go wherever the process may be, as its
/// first thread tells. Where that cannot be told, it stays.
fn leave_the_core() {
    let first_thread = rustix::process::getpid();
    if let Ok(cpus) = rustix::thread::sched_getaffinity(Some(first_thread)) {
        let _ = rustix::thread::sched_setaffinity(None, &cpus);
    }
}

/// Whether nobody waits for a name that was not looked up yet.
fn forget_if_abandoned(names: &mut HashMap<String, Entry>, host: &str) -> bool {
    let is_abandoned =
        matches!(names.get(host), Some(Entry::Asked(question)) if question.is_abandoned());
    if is_abandoned {
        names.remove(host);
    }
    is_abandoned
}

/// Forgets what has run out, and if need be one more, so that there is room for a name.
fn make_room(names: &mut HashMap<String, Entry>) {
    if names.len() < DNS_CACHE_ENTRIES {
        return;
    }
    let now = Instant::now();
    names.retain(|_, entry| matches!(entry, Entry::Asked(_)) || entry.holds(now));
    if names.len() >= DNS_CACHE_ENTRIES {
        let known = names.iter().filter_map(|(name, entry)| Some((entry.until()?, name)));
        let oldest = known.min_by_key(|(until, _)| *until).map(|(_, name)| name.clone());
        if let Some(name) = oldest {
            names.remove(&name);
        }
    }
}

impl Entry {
    fn until(&self) -> Option<Instant> {
        match self {
            Entry::Asked(_) => None,
            Entry::Known(_, until) => Some(*until),
        }
    }

    fn holds(&self, now: Instant) -> bool {
        self.until().is_some_and(|until| until > now)
    }
}

/// Blocks: runs on a lookup's thread only.
fn look_up(host: &str) -> Found {
    // A zone is written `%25eth0` in a URL (RFC 6874), and `%eth0` for the system.
    let host = match host.contains(':') {
        true => host.replacen("%25", "%", 1),
        false => host.to_owned(),
    };
    let found = (host.as_str(), 0).to_socket_addrs().map_err(|error| error.to_string())?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(format!("{host} has no address"));
    }
    Ok(interleave(addresses))
}

/// The families in turn, beginning with the one that the system prefers (RFC 8305 §4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut ordered = Vec::new();
    while ordered.len() < DNS_ADDRESSES_MAX {
        let pair = [preferred.next(), other.next()];
        if pair.iter().all(Option::is_none) {
            break;
        }
        ordered.extend(pair.into_iter().flatten());
    }
    ordered.truncate(DNS_ADDRESSES_MAX);
    ordered
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().unwrap(), 0)
    }

    #[test]
    fn families_take_turns_from_the_preferred_one() {
        let given = ["::1", "::2", "::3", "127.0.0.1"].map(address).to_vec();
        let ordered = ["::1", "127.0.0.1", "::2", "::3"].map(address).to_vec();
        assert_eq!(interleave(given), ordered);
    }

    #[test]
    fn at_most_so_many_addresses_are_kept() {
        let given = |count: usize| (0..count).map(|n| address(&format!("10.0.0.{n}"))).collect();
        assert_eq!(interleave(given(DNS_ADDRESSES_MAX)).len(), DNS_ADDRESSES_MAX);
        assert_eq!(interleave(given(DNS_ADDRESSES_MAX + 1)).len(), DNS_ADDRESSES_MAX);
    }

    #[test]
    fn the_cache_stays_within_its_bound() {
        let resolver = Resolver::new();
        for n in 0..=DNS_CACHE_ENTRIES {
            make_room(&mut resolver.names.borrow_mut());
            resolver.learn(format!("host{n}.test"), Err("none".into()), Instant::now());
        }
        assert_eq!(resolver.names.borrow().len(), DNS_CACHE_ENTRIES);
    }

    #[test]
    fn of_a_full_cache_the_name_that_runs_out_first_goes() {
        let resolver = Resolver::new();
        let now = Instant::now();
        for n in 0..DNS_CACHE_ENTRIES {
            let at = now + Duration::from_millis(if n == 7 { 0 } else { 500 });
            resolver.learn(format!("host{n}.test"), Ok(vec![address("127.0.0.1")]), at);
        }
        let mut names = resolver.names.borrow_mut();
        make_room(&mut names);
        assert_eq!(names.len(), DNS_CACHE_ENTRIES - 1);
        assert!(!names.contains_key("host7.test"));
    }

    /// Lookups that may end, and those that were begun.
    static ENDING: (Mutex<(usize, Vec<String>)>, Condvar) =
        (Mutex::new((0, Vec::new())), Condvar::new());

    /// Answers names that live at once, and others when the test lets one end.
    fn slow_look_up(host: &str) -> Found {
        let (state, changed) = &ENDING;
        let mut state = state.lock().unwrap();
        state.1.push(host.to_owned());
        if host.starts_with("dead") {
            state = changed.wait_while(state, |state| state.0 == 0).unwrap();
            state.0 -= 1;
            return Err("no answer".to_owned());
        }
        Ok(vec![address("127.0.0.1")])
    }

    fn let_end(count: usize) {
        ENDING.0.lock().unwrap().0 += count;
        ENDING.1.notify_all();
    }

    #[test]
    fn dead_names_that_nobody_waits_for_do_not_hold_up_others() {
        let test = || async {
            let resolver = Resolver::by(slow_look_up);
            let ask = |host: String| {
                let resolver = Rc::clone(&resolver);
                glommio::spawn_local(async move { resolver.resolve(&host).await })
            };
            let running: Vec<_> =
                (0..DNS_LOOKUPS_MAX).map(|n| ask(format!("dead{n}.test"))).collect();
            let waiting: Vec<_> =
                (DNS_LOOKUPS_MAX..DNS_PENDING_MAX).map(|n| ask(format!("dead{n}.test"))).collect();
            glommio::yield_if_needed().await;
            while resolver.pending() < DNS_PENDING_MAX {
                glommio::timer::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(resolver.resolve("good.test").await, Err(LookupError::Busy), "at once");
            assert!(!resolver.names.borrow().contains_key("good.test"), "and it is not remembered");
            for task in running.into_iter().chain(waiting) {
                task.cancel().await;
            }
            let good = ask("good.test".to_owned());
            while resolver.pending() > DNS_LOOKUPS_MAX + 1 {
                glommio::timer::sleep(Duration::from_millis(1)).await;
            }
            let_end(1);
            assert!(good.await.is_ok());
            assert_eq!(ask("other.test".to_owned()).await.unwrap().len(), 1, "a thread is free");
            let_end(DNS_LOOKUPS_MAX - 1);
            while resolver.pending() > 0 {
                glommio::timer::sleep(Duration::from_millis(1)).await;
            }
            assert_eq!(resolver.names.borrow().len(), DNS_LOOKUPS_MAX + 2, "none was forgotten");
        };
        let builder = glommio::LocalExecutorBuilder::default();
        builder.spawn(test).unwrap().join().unwrap();
        let begun = ENDING.0.lock().unwrap().1.len();
        assert_eq!(begun, DNS_LOOKUPS_MAX + 2, "what nobody waited for was not looked up");
    }

    #[test]
    fn a_lookup_runs_on_every_cpu_and_not_only_on_its_cores() {
        let cpus_of = |thread| rustix::thread::sched_getaffinity(thread).unwrap();
        let all = cpus_of(Some(rustix::process::getpid()));
        let cpu = (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap();
        let told: fn(&str) -> Found = |_| {
            let cpus = rustix::thread::sched_getaffinity(None).unwrap();
            Err(cpus.count().to_string())
        };
        let test = move || async move {
            assert_eq!(rustix::thread::sched_getaffinity(None).unwrap().count(), 1);
            on_a_thread(told, "name.test").await
        };
        let core = glommio::LocalExecutorBuilder::new(glommio::Placement::Fixed(cpu));
        let found = core.spawn(test).unwrap().join().unwrap();
        assert_eq!(found, Err(all.count().to_string()));
    }

    /// Who asks is told, and the name may be asked for again.
    #[test]
    fn a_lookup_that_a_defect_ends_holds_up_neither_who_waits_nor_other_names() {
        let test = || async {
            let resolver = Resolver::by(|host| match host {
                "broken.test" => panic!("a defect"),
                _ => Ok(vec![address("127.0.0.1")]),
            });
            for _ in 0..=DNS_LOOKUPS_MAX {
                let answer = resolver.resolve("broken.test").await;
                assert_eq!(answer, Err(LookupError::Failed("ended by a defect".into())));
                resolver.names.borrow_mut().clear();
            }
            assert_eq!(resolver.pending(), 0);
            assert!(resolver.resolve("good.test").await.is_ok());
        };
        let builder = glommio::LocalExecutorBuilder::default();
        builder.spawn(test).unwrap().join().unwrap();
    }

    #[test]
    fn a_zone_becomes_the_scope_of_its_address() {
        let found = look_up("fe80::1%25lo").unwrap();
        let [SocketAddr::V6(address)] = found.as_slice() else { panic!("{found:?}") };
        assert_ne!(address.scope_id(), 0);
    }

    #[test]
    fn localhost_is_found_by_the_hosts_file() {
        assert!(look_up("localhost").unwrap().iter().any(|address| address.ip().is_loopback()));
    }
}
