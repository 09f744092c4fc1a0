//! What the connections of one core share. Owned by the core: no lock, no atomics but the counters.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use super::deadline::Deadlines;
use crate::config::Config;
use crate::counters::Counters;
use crate::forward::buffer::{BufferPool, ScratchPool};
use crate::forward::dial::Dialer;
use crate::forward::pool::Pool;
use crate::limits::REJECTED_LEAVES_REMEMBERED;
use crate::policy::Policy;
use crate::report::core::CoreReporter;
use crate::scan::Scanner;
use crate::tls::{ClientTls, LeafCache, ServerTls};

/// One core's state.
pub struct Core {
    pub config: Arc<Config>,
    pub counters: Arc<Counters>,
    pub scanner: Scanner,
    pub policy: Arc<Policy>,
    pub reporter: RefCell<CoreReporter>,
    pub buffers: Rc<BufferPool>,
    pub scratch: Rc<ScratchPool>,
    pub deadlines: Rc<Deadlines>,
    pub dialer: Dialer,
    pub pool: RefCell<Pool>,
    /// None without interception.
    pub leaves: Option<RefCell<LeafCache>>,
    pub verified: ClientTls,
    pub insecure: ClientTls,
    /// Origins whose clients refused our leaf, so that each is reported once.
    pub rejected_leaves: RefCell<HashSet<String>>,
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
    /// The addresses that this process listens on.
    pub own: Vec<SocketAddr>,
}

impl Core {
    /// A core without connections.
    pub fn new(parts: CoreParts) -> Rc<Core> {
        let idle_timeout = parts.config.http.upstream_idle_timeout;
        Rc::new(Core {
            counters: parts.counters,
            scanner: parts.scanner,
            policy: parts.policy,
            reporter: RefCell::new(parts.reporter),
            buffers: BufferPool::new(),
            scratch: ScratchPool::new(),
            deadlines: Deadlines::new(),
            dialer: Dialer::new(parts.own),
            pool: RefCell::new(Pool::new(idle_timeout)),
            leaves: parts.leaves.map(RefCell::new),
            verified: parts.verified,
            insecure: parts.insecure,
            rejected_leaves: RefCell::new(HashSet::new()),
            config: parts.config,
        })
    }

    /// The TLS side that an origin's host asks for.
    pub fn client_tls(&self, host: &str) -> ClientTls {
        if self.config.tls.insecure_hosts.matches(host) {
            log::warn!("{host}: certificate not verified (insecure_hosts)");
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
                Some(config)
            }
            Err(error) => {
                log::error!("no certificate for {host}: {error}");
                None
            }
        }
    }

    /// Whether a host's clients refused our leaf for the first time.
    pub fn is_first_rejection(&self, host: &str) -> bool {
        let mut rejected = self.rejected_leaves.borrow_mut();
        rejected.len() < REJECTED_LEAVES_REMEMBERED && rejected.insert(host.to_owned())
    }

    /// What is done once in a while.
    pub fn sweep(&self) {
        self.pool.borrow_mut().sweep(Instant::now());
    }
}
