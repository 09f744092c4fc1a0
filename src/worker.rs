//! One core: a pinned glommio executor with its own SO_REUSEPORT listeners. Accepts, hands each connection to
//! `conn`, and ends in order. Touches no byte of traffic.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use glommio::net::TcpListener;
use glommio::sync::{Semaphore, StaticPermit};
use glommio::timer::sleep;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement, PoolPlacement};

use crate::config::Config;
use crate::conn::access::Gate;
use crate::conn::core::{Core, CoreParts};
use crate::conn::deadline::Phase;
use crate::conn::{self, Door};
use crate::counters::Counters;
use crate::defects::contained;
use crate::detection::Detection;
use crate::forward::tcp::Tcp;
use crate::limits::{
    ACCEPT_BACKOFF_MS, BACKSTOPS_MS, CUT_GRACE_MS, DEADLINE_TICK_MS, FULL_LOG_SECS, HASH_THREADS,
    IDLE_TICK_MS, LEAF_CACHE_ENTRIES, PREEMPT_SECS, RING_ENTRIES, RING_MEMORY_BYTES,
    SWEEP_INTERVAL_MS,
};
use crate::report::core::CoreReporter;
use crate::report::queue::FindingSender;
use crate::scan::{DatabaseError, Scanner};
use crate::tls::{Authority, ClientTls, LeafCache, Ticketer, with_own_sessions};

/// What all workers share: read-only, or a queue's end.
#[derive(Clone)]
pub struct Shared {
    pub config: Arc<Config>,
    pub detection: Detection,
    pub findings: FindingSender,
    /// None without interception.
    pub interception: Option<Interception>,
    pub verified: ClientTls,
    pub insecure: ClientTls,
    /// The addresses that every worker listens on.
    pub doors: Vec<(SocketAddr, Door)>,
    /// Those, and the admin listener's: the proxy connects to none of them.
    pub own: Vec<SocketAddr>,
    /// A [`Phase`] as a number: the way from the signal to the cores.
    pub phase: Arc<AtomicU8>,
}

/// What leaves are minted with.
#[derive(Clone)]
pub struct Interception {
    pub authority: Arc<Authority>,
    pub ticketer: Ticketer,
}

/// A configuration that comes into force.
#[derive(Debug)]
pub struct Renewal {
    pub config: Arc<Config>,
    pub detection: Detection,
    /// Told when it has, or why what was there stays in force.
    pub done: Sender<Result<(), String>>,
}

/// What a worker is, beside what it shares.
pub struct Post {
    pub index: usize,
    pub cpu: usize,
    pub counters: Arc<Counters>,
    pub renewals: Receiver<Renewal>,
}

/// Starts a worker on its CPU. It reports on `ready` once it accepts, or why it cannot.
pub fn start(
    post: Post,
    shared: Shared,
    ready: Sender<Result<(), String>>,
) -> io::Result<ExecutorJoinHandle<()>> {
    executor(Placement::Fixed(post.cpu))
        .name(&format!("clawsec-{}", post.index))
        .spawn(move || async move {
            match Worker::new(shared, post) {
                Ok(worker) => {
                    // Nobody listens any more when the start was given up.
                    let _ = ready.send(Ok(()));
                    drop(ready);
                    Rc::new(worker).run().await;
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        })
        .map_err(io::Error::from)
}

fn executor(placement: Placement) -> LocalExecutorBuilder {
    LocalExecutorBuilder::new(placement)
        .io_memory(RING_MEMORY_BYTES)
        .ring_depth(RING_ENTRIES)
        .preempt_timer(Duration::from_secs(PREEMPT_SECS))
        .blocking_thread_pool_placement(PoolPlacement::Unbound(HASH_THREADS))
}

struct Worker {
    /// Under the configuration in force.
    core: RefCell<Rc<Core>>,
    detection: RefCell<Detection>,
    renewals: Receiver<Renewal>,
    listeners: Vec<(TcpListener, Door)>,
    permits: Rc<Semaphore>,
    /// When it was said last that none is left.
    said_full: Cell<Option<Instant>>,
    open: Cell<u64>,
    phase: Arc<AtomicU8>,
}

impl Worker {
    fn new(shared: Shared, post: Post) -> Result<Worker, String> {
        let (config, counters) = (shared.config, post.counters);
        let window_bytes = config.scan.max_window_bytes;
        let scanner = shared
            .detection
            .scanner(window_bytes)
            .map_err(|error| format!("the scanner could not be made: {error}"))?;
        let leaves = shared
            .interception
            .map(|with| LeafCache::new(with.authority, with.ticketer, LEAF_CACHE_ENTRIES));
        let (window, by) = (config.report.dedup_window, config.report.dedup_by);
        let mut listeners = Vec::new();
        for (address, door) in &shared.doors {
            let listener = TcpListener::bind(*address)
                .map_err(|error| format!("cannot listen on {address}: {error}"))?;
            listeners.push((listener, *door));
        }
        let permits = Rc::new(Semaphore::new(config.runtime.max_connections as u64));
        let core = Core::new(CoreParts {
            reporter: CoreReporter::new(shared.findings, Arc::clone(&counters), window, by),
            config,
            counters,
            scanner,
            policy: Arc::clone(&shared.detection.policy),
            leaves,
            verified: with_own_sessions(&shared.verified),
            insecure: with_own_sessions(&shared.insecure),
            gate: Gate::new()?,
            own: shared.own,
        });
        let core = RefCell::new(core);
        let (renewals, phase) = (post.renewals, shared.phase);
        let (said_full, open) = (Cell::new(None), Cell::new(0));
        let detection = RefCell::new(shared.detection);
        Ok(Worker { core, detection, renewals, listeners, permits, said_full, open, phase })
    }

    /// Accepts until the process begins to stop, and returns when the last connection has ended, or was cut.
    async fn run(mut self: Rc<Self>) {
        let listeners = match Rc::get_mut(&mut self) {
            Some(worker) => std::mem::take(&mut worker.listeners),
            None => Vec::new(),
        };
        for (listener, door) in listeners {
            glommio::spawn_local(Rc::clone(&self).accept(listener, door)).detach();
        }
        let scanning = glommio::spawn_local(Rc::clone(&self).scan_backlog()).detach();
        for backstop_ms in BACKSTOPS_MS {
            glommio::spawn_local(stay_awake(Duration::from_millis(backstop_ms))).detach();
        }
        let mut swept_at = Instant::now();
        let mut cut_at = None;
        let core = self.core();
        loop {
            core.counters.beats.add(1);
            self.take_renewals();
            let phase = Phase::from_number(self.phase.load(Ordering::Relaxed));
            core.deadlines.tick(phase);
            if phase != Phase::Running && self.open.get() == 0 {
                break;
            }
            if phase == Phase::Cut {
                let since: &mut Instant = cut_at.get_or_insert_with(Instant::now);
                if since.elapsed() >= Duration::from_millis(CUT_GRACE_MS) {
                    break;
                }
            }
            if swept_at.elapsed() >= Duration::from_millis(SWEEP_INTERVAL_MS) {
                core.sweep();
                swept_at = Instant::now();
            }
            let is_quiet = self.open.get() == 0 && phase == Phase::Running;
            let tick_ms = if is_quiet { IDLE_TICK_MS } else { DEADLINE_TICK_MS };
            sleep(Duration::from_millis(tick_ms)).await;
        }
        core.backlog.close();
        scanning.await;
    }

    fn core(&self) -> Rc<Core> {
        Rc::clone(&self.core.borrow())
    }

    fn take_renewals(&self) {
        while let Ok(renewal) = self.renewals.try_recv() {
            let Renewal { config, detection, done } = renewal;
            let taken = match self.scanner_under(&config, &detection) {
                Ok(scanner) => {
                    self.core().renew(config, scanner, Arc::clone(&detection.policy));
                    let current = self.core().current();
                    self.core.replace(current);
                    self.detection.replace(detection);
                    Ok(())
                }
                Err(error) => Err(format!("the scanner could not be made: {error}")),
            };
            // The supervisor waits for it, but not for ever.
            let _ = done.try_send(taken);
        }
    }

    /// The one in force, which knows what is clean, where it would find the same, and that would mean the same.
    fn scanner_under(
        &self,
        config: &Config,
        detection: &Detection,
    ) -> Result<Rc<Scanner>, DatabaseError> {
        let core = self.core();
        let (now, then) = (config.scan.max_window_bytes, core.config.scan.max_window_bytes);
        let is_same = now == then && core.config.policy == config.policy;
        if is_same && detection.finds_as(&self.detection.borrow()) {
            return Ok(Rc::clone(&core.scanner));
        }
        detection.scanner(now).map(Rc::new)
    }

    /// Room for a connection. That there is none is said now and then.
    async fn permit(&self) -> glommio::Result<StaticPermit, ()> {
        let often = Duration::from_secs(FULL_LOG_SECS);
        if self.permits.available() == 0
            && self.said_full.get().is_none_or(|at| at.elapsed() > often)
        {
            self.said_full.set(Some(Instant::now()));
            log::warn!(
                "all max_connections connections of a worker are in use: new clients wait until one ends"
            );
        }
        self.permits.acquire_static_permit(1).await
    }

    /// One listener's loop: room for a connection, a connection, its permit. The wait for a connection holds
    /// no permit, since another listener may need the last one.
    ///
    /// Each listener has a task of its own: glommio keeps a waker for every poll of a pending accept, and its
    /// count of them is an i16, so that a task woken by another listener would come to an end with it.
    async fn accept(self: Rc<Self>, listener: TcpListener, door: Door) {
        let deadline = self.core().deadlines.register();
        let mut has_failed = false;
        loop {
            let next = async {
                drop(self.permit().await);
                let accepted = listener.accept().await;
                (self.permit().await, accepted)
            };
            let Ok((permit, accepted)) = deadline.while_idle(Duration::MAX, next).await else {
                return;
            };
            match accepted.map_err(io::Error::from) {
                Ok(stream) => {
                    has_failed = false;
                    // A client that reset its connection before it was accepted has no address any more.
                    let Ok(tcp) = Tcp::new(stream) else { continue };
                    let serving = Rc::clone(&self).serve(tcp, door, permit.ok());
                    glommio::spawn_local(serving).detach();
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    drop(permit);
                    if !has_failed {
                        log::error!("accepting failed, trying on: {error}");
                    }
                    has_failed = true;
                    sleep(Duration::from_millis(ACCEPT_BACKOFF_MS)).await;
                }
            }
        }
    }

    /// Scans what the connections put aside. A defect there costs no more than the body that shows it.
    async fn scan_backlog(self: Rc<Self>) {
        let backlog = Rc::clone(&self.core().backlog);
        while !contained("the scan of a message", backlog.work()).await {}
    }

    async fn serve<P>(self: Rc<Self>, tcp: Tcp, door: Door, permit: P) {
        let core = self.core();
        let counters = Arc::clone(&core.counters);
        counters.connections.add(1);
        counters.connections_open.add(1);
        self.open.set(self.open.get() + 1);
        contained("a connection", conn::serve(core, tcp, door)).await;
        self.open.set(self.open.get() - 1);
        counters.connections_open.sub(1);
        drop(permit);
    }
}

/// Sees to it that the core never sleeps without a timer, should the tick's one be lost (see `turns`).
async fn stay_awake(backstop: Duration) {
    loop {
        sleep(backstop).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many executors on few cores are held up by one another at any point of their rounds.
    #[test]
    fn an_executor_that_is_held_up_by_others_loses_no_timer() {
        let until = Instant::now() + Duration::from_secs(2);
        let (ended, ends) = crossbeam_channel::unbounded();
        let count = 8 * std::thread::available_parallelism().unwrap().get();
        for _ in 0..count {
            let ended = ended.clone();
            let rounds = move || async move {
                while Instant::now() < until {
                    sleep(Duration::from_micros(100)).await;
                }
                let _ = ended.send(());
            };
            // The thread of one that hangs is left behind.
            drop(executor(Placement::Unbound).spawn(rounds).unwrap());
        }
        let missing = (0..count).find(|_| ends.recv_timeout(Duration::from_secs(30)).is_err());
        assert_eq!(missing, None, "of {count}");
    }
}
