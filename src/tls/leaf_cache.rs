//! A core's ready server configurations, one a name: made on the first use, kept while used,
//! renewed before their leaf ends. Owned by one core, so that there is no lock, and one signing at
//! a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::server::ProducesTickets;
use rustls::sign::SingleCertAndKey;

use super::authority::{Authority, AuthorityError};
use super::leaf::{Leaf, LeafName, crypto_error};

/// Makes the session tickets of all cores: stateless, so that a client may come back to any core.
/// The keys change every six hours and are never stored. Its lock is taken for reading by all and
/// for writing once in those six hours.
///
/// All names share it. rustls resumes a session for the SNI it was made for only; without SNI
/// (addresses) a client could resume another address's session, but it is the same proxy that it
/// has verified either way.
pub fn shared_ticketer() -> Result<Arc<dyn ProducesTickets>, AuthorityError> {
    rustls::crypto::aws_lc_rs::Ticketer::new().map_err(crypto_error)
}

/// The most recently used server configurations, as the clock algorithm sees it: each entry used
/// since the hand last passed is spared once. A hit sets one bit; a miss in a full cache moves the
/// hand by one entry on average, and once around at worst.
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

    /// Puts the entry in the place of the one with its name, else in a new one, else in that of one
    /// that was not used lately.
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

    /// The position of the next entry that was not used since the hand last passed; the hand stands
    /// behind it.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tls::test_certificates::{authority, days, now};

    fn cache(capacity: usize) -> LeafCache {
        LeafCache::new(authority(now()), shared_ticketer().unwrap(), capacity)
    }

    fn minted(cache: &mut LeafCache, host: &str) -> bool {
        cache.server_config(host, now()).unwrap().1
    }

    #[test]
    fn a_name_is_signed_once_however_it_is_written() {
        let mut cache = cache(4);
        let (first, minted_first) = cache.server_config("api.example.com", now()).unwrap();
        assert!(minted_first);
        for host in ["api.example.com", "API.Example.com", "api.example.com."] {
            let (again, minted) = cache.server_config(host, now()).unwrap();
            assert!(!minted && Arc::ptr_eq(&first, &again), "{host}");
        }
        assert_eq!(cache.len(), 1);
        let (other, minted) = cache.server_config("other.example.com", now()).unwrap();
        assert!(minted && !Arc::ptr_eq(&first, &other));
    }

    #[test]
    fn keeps_as_many_names_as_it_may_and_not_one_more() {
        let mut cache = cache(3);
        assert!(cache.is_empty());
        for host in ["a", "b", "c"] {
            assert!(minted(&mut cache, host));
        }
        for host in ["a", "b", "c"] {
            assert!(!minted(&mut cache, host), "{host} is kept at the bound");
        }
        assert!(minted(&mut cache, "d"), "one past it");
        assert_eq!((cache.len(), cache.positions.len()), (3, 3));
        assert!(!minted(&mut cache, "d"));
    }

    #[test]
    fn what_is_in_use_outlives_what_is_not() {
        let mut cache = cache(4);
        for round in 0..200 {
            minted(&mut cache, &format!("once-{round}.example"));
            assert_eq!(minted(&mut cache, "always.example"), round == 0, "round {round}");
        }
        assert_eq!((cache.len(), cache.positions.len()), (4, 4));
    }

    #[test]
    fn a_hundred_thousand_names_leave_it_at_its_bound() {
        let mut cache = cache(64);
        let (server_config, _) = cache.server_config("first.example", now()).unwrap();
        let leaf = cache.entries[0].leaf.clone();
        for number in 0..100_000 {
            let name = Arc::new(LeafName::Dns(format!("host-{number}.example")));
            let server_config = Arc::clone(&server_config);
            let used = number % 3 == 0;
            cache.keep(Entry { name, leaf: leaf.clone(), server_config, used }, None);
        }
        assert_eq!((cache.len(), cache.positions.len()), (64, 64));
        assert!(cache.entries.capacity() <= 128 && cache.positions.capacity() <= 256);
        for (name, position) in &cache.positions {
            assert_eq!(name, &cache.entries[*position].name);
        }
    }

    #[test]
    fn a_cache_of_nothing_still_holds_one() {
        let mut cache = cache(0);
        assert!(minted(&mut cache, "a"));
        assert!(!minted(&mut cache, "a"));
        assert!(minted(&mut cache, "b"));
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn a_leaf_is_renewed_a_week_before_its_end_in_its_place() {
        let mut cache = cache(4);
        let (first, _) = cache.server_config("a", now()).unwrap();
        let renewal = now() + days(190);
        let before = cache.server_config("a", renewal - Duration::from_secs(1)).unwrap();
        assert!(!before.1 && Arc::ptr_eq(&first, &before.0));
        let (renewed, minted) = cache.server_config("a", renewal).unwrap();
        assert!(minted && !Arc::ptr_eq(&first, &renewed));
        assert_eq!((cache.len(), cache.positions.len()), (1, 1));
        assert!(!cache.server_config("a", renewal).unwrap().1);
    }

    #[test]
    fn a_leaf_of_the_future_is_made_anew_when_the_clock_is_set_back() {
        let mut cache = cache(4);
        let authority = Arc::clone(&cache.authority);
        cache.server_config("a", now() + days(60)).unwrap();
        assert!(!cache.server_config("a", now() + days(58)).unwrap().1);
        assert!(cache.server_config("a", now() + days(57)).unwrap().1);
        assert!(authority.issue(&LeafName::parse("a").unwrap(), now()).is_ok());
    }

    #[test]
    fn near_the_end_of_the_ca_leaves_are_not_made_at_each_use() {
        let mut cache = cache(4);
        let end = cache.authority.expires_at().unix_timestamp();
        let near = std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(end).unwrap() - 100);
        assert!(cache.server_config("a", near).unwrap().1);
        assert!(!cache.server_config("a", near).unwrap().1);
        let after = near + Duration::from_secs(200);
        assert!(matches!(cache.server_config("a", after), Err(AuthorityError::Expired { .. })));
    }

    #[test]
    fn a_host_that_no_leaf_can_be_made_for_is_an_error_and_not_kept() {
        let mut cache = cache(4);
        for host in ["", "a b", "*.example.com"] {
            assert!(matches!(cache.server_config(host, now()), Err(AuthorityError::Name { .. })));
        }
        assert!(cache.is_empty());
    }

    #[test]
    fn configurations_keep_no_sessions_and_share_what_they_can() {
        let mut cache = cache(4);
        let (one, _) = cache.server_config("a", now()).unwrap();
        let (other, _) = cache.server_config("b", now()).unwrap();
        assert!(Arc::ptr_eq(&one.ticketer, &other.ticketer));
        assert!(Arc::ptr_eq(one.crypto_provider(), other.crypto_provider()));
        assert!(!one.session_storage.can_cache());
        assert_eq!(
            one.alpn_protocols,
            [b"http/1.1".to_vec(), b"http/1.0".to_vec(), b"h2".to_vec()]
        );
        assert_eq!((one.max_early_data_size, one.send_tls13_tickets), (0, 1));
    }
}
