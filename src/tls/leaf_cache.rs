//! A core's ready server configurations, one a name: made on the first use, kept while used, renewed before
//! their leaf ends. Owned by one core, so that there is no lock, and one signing at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::server::ProducesTickets;
use rustls::sign::SingleCertAndKey;

use super::authority::{Authority, AuthorityError};
use super::leaf::{Leaf, LeafName, crypto_error};

/// Makes the session tickets of all cores: stateless, so that a client may come back to any core. The keys
/// change every six hours and are never stored. Its lock is taken for reading by all and for writing once in
/// those six hours.
///
/// All names share it. rustls resumes a session for the SNI it was made for only; without SNI (addresses) a
/// client could resume another address's session, but it is the same proxy that it has verified either way.
pub fn shared_ticketer() -> Result<Arc<dyn ProducesTickets>, AuthorityError> {
    rustls::crypto::aws_lc_rs::Ticketer::new().map_err(crypto_error)
}

/// The most recently used server configurations, as the clock algorithm sees it: each entry used since the
/// hand last passed is spared once. A hit sets one bit; a miss in a full cache moves the hand by one entry on
/// average, and once around at worst.
pub struct LeafCache {
    authority: Arc<Authority>,
    /// What all names share; a clone of it shares its parts.
    server_config: ServerConfig,
    capacity: usize,
    positions: HashMap<Arc<LeafName>, usize>,
    entries: Vec<Entry>,
    hand: usize,
}

struct Entry {
    name: Arc<LeafName>,
    leaf: Leaf,
    server_config: Arc<ServerConfig>,
    used: bool,
}

impl LeafCache {
    /// A cache of at most this many names (at least one).
    pub fn new(
        authority: Arc<Authority>,
        ticketer: Arc<dyn ProducesTickets>,
        capacity: usize,
    ) -> Self {
        let mut server_config = authority.server_config().clone();
        server_config.ticketer = ticketer;
        Self {
            authority,
            server_config,
            capacity: capacity.max(1),
            positions: HashMap::new(),
            entries: Vec::new(),
            hand: 0,
        }
    }

    /// The server configuration with a leaf for this host, and whether a leaf was made for it now.
    pub fn server_config(
        &mut self,
        host: &str,
        now: SystemTime,
    ) -> Result<(Arc<ServerConfig>, bool), AuthorityError> {
        let name = LeafName::parse(host)?;
        let position = self.positions.get(&name).copied();
        if let Some(entry) = position.and_then(|position| self.entries.get_mut(position))
            && !entry.leaf.needs_renewal(now)
        {
            entry.used = true;
            return Ok((Arc::clone(&entry.server_config), false));
        }
        let leaf = self.authority.issue(&name, now)?;
        let mut server_config = self.server_config.clone();
        server_config.cert_resolver =
            Arc::new(SingleCertAndKey::from(Arc::clone(&leaf.certified_key)));
        let server_config = Arc::new(server_config);
        let entry = Entry {
            name: Arc::new(name),
            leaf,
            server_config: Arc::clone(&server_config),
            used: false,
        };
        self.keep(entry, position);
        Ok((server_config, true))
    }

    /// Names that are ready now.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True before the first name.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Puts the entry in the place of the one with its name, else in a new one, else in that of one that was
    /// not used lately.
    fn keep(&mut self, entry: Entry, position: Option<usize>) {
        let position = match position {
            Some(position) => position,
            None if self.entries.len() < self.capacity => {
                self.positions.insert(Arc::clone(&entry.name), self.entries.len());
                self.entries.push(entry);
                return;
            }
            None => self.advance_to_unused(),
        };
        if let Some(place) = self.entries.get_mut(position) {
            self.positions.remove(&place.name);
            self.positions.insert(Arc::clone(&entry.name), position);
            *place = entry;
        }
    }

    /// The position of the next entry that was not used since the hand last passed; the hand stands behind it.
    fn advance_to_unused(&mut self) -> usize {
        loop {
            let position = self.hand;
            self.hand = (position + 1) % self.entries.len().max(1);
            match self.entries.get_mut(position) {
                Some(entry) if entry.used => entry.used = false,
                _ => return position,
            }
        }
    }
}
