//! What the connections of one core share. Owned by the core: no lock, no atomics but the counters.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant, SystemTime};

use super::access::Gate;
use super::backlog::Backlog;
use super::deadline::Deadlines;
use super::told::{Fact, Told};
use crate::config::Config;
use crate::counters::Counters;
use crate::error::{Error, Side};
use crate::forward::buffer::{BufferPool, ScratchPool};
use crate::forward::dial::Dialer;
use crate::forward::only_http2::OnlyHttp2;
use crate::forward::origin::Origin;
use crate::forward::pool::{Care, Pool};
use crate::http::reply::Cause;
use crate::policy::Policy;
use crate::report::core::CoreReporter;
use crate::scan::Scanner;
use crate::tls::stream::Stream;
use crate::tls::{ClientTls, LeafCache, ServerTls};

/// One core, as it is under one configuration. Those of different configurations share everything else.
pub struct Core {
    pub config: Arc<Config>,
    pub scanner: Rc<Scanner>,
    pub policy: Arc<Policy>,
    shared: Rc<CoreState>,
}

/// What a request that begins now is to be served under.
struct Newest {
    config: Arc<Config>,
    scanner: Rc<Scanner>,
    policy: Arc<Policy>,
}

/// What outlives a configuration.
pub struct CoreState {
    newest: RefCell<Newest>,
    pub counters: Arc<Counters>,
    pub reporter: RefCell<CoreReporter>,
    pub buffers: Rc<BufferPool>,
    pub scratch: Rc<ScratchPool>,
    pub backlog: Rc<Backlog>,
    pub deadlines: Rc<Deadlines>,
    pub dialer: Dialer,
    pool: RefCell<Pool>,
    /// Origins that cannot be spoken to in HTTP/1.1.
    pub only_http2: RefCell<OnlyHttp2>,
    /// None without interception.
    pub leaves: Option<RefCell<LeafCache>>,
    pub verified: ClientTls,
    pub insecure: ClientTls,
    told: Told,
    pub gate: Gate,
}

/// What a core is built of.
pub struct CoreParts {
    pub config: Arc<Config>,
    pub counters: Arc<Counters>,
    pub scanner: Scanner,
    pub policy: Arc<Policy>,
    pub reporter: CoreReporter,
    pub leaves: Option<LeafCache>,
    pub verified: ClientTls,
    pub insecure: ClientTls,
    pub gate: Gate,
    /// The addresses that this process listens on.
    pub own: Vec<SocketAddr>,
}

impl Deref for Core {
    type Target = CoreState;

    fn deref(&self) -> &CoreState {
        &self.shared
    }
}

impl Core {
    /// A core without connections.
    pub fn new(parts: CoreParts) -> Rc<Core> {
        let idle_timeout = parts.config.http.upstream_idle_timeout;
        let newest = Newest {
            config: Arc::clone(&parts.config),
            scanner: Rc::new(parts.scanner),
            policy: parts.policy,
        };
        let (scanner, policy) = (Rc::clone(&newest.scanner), Arc::clone(&newest.policy));
        let shared = Rc::new(CoreState {
            newest: RefCell::new(newest),
            counters: parts.counters,
            reporter: RefCell::new(parts.reporter),
            buffers: BufferPool::new(),
            scratch: ScratchPool::new(),
            backlog: Rc::default(),
            deadlines: Deadlines::new(),
            dialer: Dialer::new(parts.own),
            pool: RefCell::new(Pool::new(idle_timeout)),
            only_http2: RefCell::default(),
            leaves: parts.leaves.map(RefCell::new),
            verified: parts.verified,
            insecure: parts.insecure,
            told: Told::default(),
            gate: parts.gate,
        });
        Rc::new(Core { config: parts.config, scanner, policy, shared })
    }

    /// Puts another configuration in force: for connections that come, and for the next request of those that
    /// are there. Idle connections to origins are closed, since they were made under other rules.
    pub fn renew(&self, config: Arc<Config>, scanner: Rc<Scanner>, policy: Arc<Policy>) {
        self.pool.replace(Pool::new(config.http.upstream_idle_timeout));
        self.reporter.borrow_mut().set_dedup_window(config.report.dedup_window);
        let newest = Newest { config: Arc::clone(&config), scanner, policy };
        let before = self.newest.replace(newest).config;
        self.gate.renew(&before.access.users, &config.access.users);
    }

    /// Whether another configuration is in force by now.
    pub fn is_outdated(&self) -> bool {
        !Arc::ptr_eq(&self.config, &self.newest.borrow().config)
    }

    /// This core under the configuration in force.
    pub fn current(self: &Rc<Self>) -> Rc<Core> {
        if !self.is_outdated() {
            return Rc::clone(self);
        }
        let newest = self.newest.borrow();
        Rc::new(Core {
            config: Arc::clone(&newest.config),
            scanner: Rc::clone(&newest.scanner),
            policy: Arc::clone(&newest.policy),
            shared: Rc::clone(&self.shared),
        })
    }

    /// An idle connection to the origin, if one is still good. What was made under another configuration than the
    /// asker's is none of his: it may lead elsewhere, or be verified otherwise.
    pub fn take_idle(
        &self,
        origin: &Origin,
        now: Instant,
        context: &mut Context<'_>,
        care: Care,
    ) -> Option<Stream> {
        if self.is_outdated() {
            return None;
        }
        self.pool.borrow_mut().take(origin, now, context, care)
    }

    /// Whether there is one, good or not.
    pub fn has_idle(&self, origin: &Origin) -> bool {
        !self.is_outdated() && self.pool.borrow().has(origin)
    }

    /// Keeps a connection for the next who asks, unless it was made under rules that hold no more.
    pub fn keep_idle(&self, origin: &Rc<Origin>, stream: Stream, now: Instant, wait: Duration) {
        if !self.is_outdated() {
            self.pool.borrow_mut().put(origin, stream, now, wait);
        }
    }

    /// The TLS side that an origin's host asks for.
    pub fn client_tls(&self, host: &str) -> ClientTls {
        if self.config.tls.insecure_hosts.matches(host) {
            let level = self.level(Fact::Unverified, host, log::Level::Warn);
            log::log!(level, "{host}: certificate not verified (insecure_hosts)");
            return self.insecure.clone();
        }
        self.verified.clone()
    }

    /// The certificate to show for a host, minted if need be. None: there is none, and the log says why.
    pub fn server_tls(&self, host: &str) -> Option<ServerTls> {
        let leaves = self.leaves.as_ref()?;
        match leaves.borrow_mut().server_config(host, SystemTime::now()) {
            Ok((config, minted)) => {
                self.counters.leaves_minted.add(u64::from(minted));
                self.counters.leaves_reused.add(u64::from(!minted));
                Some(config)
            }
            Err(error) => {
                log::error!("no certificate for {host}: {error}");
                None
            }
        }
    }

    /// Whether the log is to be told of a host, since it was not yet.
    pub fn is_first(&self, fact: Fact, host: &str) -> bool {
        self.told.is_first(fact, host, Instant::now())
    }

    /// At which level the log is told: the first time of a host at this one, and from then on as a detail.
    pub fn level(&self, fact: Fact, host: &str, first: log::Level) -> log::Level {
        if self.is_first(fact, host) { first } else { log::Level::Debug }
    }

    /// Counts a failure that is the origin's.
    pub fn count_upstream_error(&self, error: &Error) {
        if error.side == Side::Upstream {
            self.counters.upstream_errors.add(1);
            self.counters.upstream_causes.add(match error.answer {
                Some(answer) => answer.cause,
                None => Cause::ConnectionTerminated,
            });
        }
    }

    /// What is done once in a while.
    pub fn sweep(&self) {
        self.pool.borrow_mut().sweep(Instant::now());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::tests::config;
    use crate::detection::Detection;
    use crate::limits::SCAN_WINDOW_MIN_BYTES;
    use crate::report::queue;
    use crate::tls;

    /// A core without workers, which keeps its secrets in `log_dir`, and where its findings go.
    pub(in crate::conn) fn core(log_dir: &std::path::Path) -> (Rc<Core>, queue::FindingReceiver) {
        let text = format!(r#"{{"log_dir": {log_dir:?}, "dedup_window_secs": 0}}"#);
        let config = Arc::new(config(&text));
        let detection = Detection::prepare(&config).unwrap().detection;
        let (sender, findings) = queue::bounded(100);
        let counters = Arc::new(Counters::default());
        let (window, by) = (config.report.dedup_window, config.report.dedup_by);
        let insecure = tls::insecure_client_config().unwrap();
        let core = Core::new(CoreParts {
            reporter: CoreReporter::new(sender, Arc::clone(&counters), window, by),
            scanner: detection.scanner(SCAN_WINDOW_MIN_BYTES).unwrap(),
            policy: detection.policy,
            config,
            counters,
            leaves: None,
            verified: insecure.clone(),
            insecure,
            gate: Gate::new().unwrap(),
            own: Vec::new(),
        });
        (core, findings)
    }
}
