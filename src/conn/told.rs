//! What the log was told of which hosts, so that it is told once: no client and no origin fills the log with what is said
//! of each connection, and so pushes out of it what matters. The counters tell of every time.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::mem::Discriminant;
use std::time::{Duration, Instant};

use crate::limits::{TOLD_HOSTS_MAX, TOLD_KEPT_SECS};
use crate::scan::{Undecodable, Unreadable};
use crate::tls::handshake_error::Rejection;

/// What is told of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// Its clients cannot be read.
    Rejection(Rejection),
    /// Its certificate is not verified.
    Unverified,
    /// Bodies are in a coding that nobody here knows.
    UnknownCoding,
    Undecodable(Discriminant<Undecodable>),
    Unreadable(Discriminant<Unreadable>),
    /// One read held more matches than are looked at.
    Unconfirmed,
    /// Bytes could not be scanned.
    Unscanned,
}

/// The hosts that each was told of.
#[derive(Debug, Default)]
pub struct Told(RefCell<HashMap<Fact, Hosts>>);

#[derive(Debug)]
struct Hosts {
    since: Instant,
    names: HashSet<String>,
}

impl Told {
    /// Whether it was not told of this host, as far as that is remembered. When too many are, all are forgotten, but only
    /// so often: until then, others are not told of.
    pub fn is_first(&self, fact: Fact, host: &str, now: Instant) -> bool {
        let mut told = self.0.borrow_mut();
        let new = || Hosts { since: now, names: HashSet::new() };
        let hosts = told.entry(fact).or_insert_with(new);
        if hosts.names.contains(host) {
            return false;
        }
        if hosts.names.len() >= TOLD_HOSTS_MAX {
            if now.saturating_duration_since(hosts.since) < Duration::from_secs(TOLD_KEPT_SECS) {
                return false;
            }
            *hosts = new();
        }
        hosts.names.insert(host.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACT: Fact = Fact::Rejection(Rejection::Leaf);

    #[test]
    fn each_fact_is_told_once_of_a_host() {
        let (told, now) = (Told::default(), Instant::now());
        assert!(told.is_first(FACT, "a.test", now));
        assert!(!told.is_first(FACT, "a.test", now));
        assert!(told.is_first(FACT, "b.test", now));
        assert!(told.is_first(Fact::Rejection(Rejection::Silent), "a.test", now));
    }

    /// Whoever asked for so many made-up names had silenced what is said of others, for as long as the process lived.
    #[test]
    fn beyond_the_bound_others_are_told_of_once_it_was_kept_long_enough() {
        let (told, now) = (Told::default(), Instant::now());
        for number in 0..TOLD_HOSTS_MAX {
            assert!(told.is_first(FACT, &format!("made-up{number}.test"), now));
        }
        let kept = Duration::from_secs(TOLD_KEPT_SECS);
        let almost = now + kept - Duration::from_millis(1);
        assert!(!told.is_first(FACT, "real.test", almost), "no client fills the log");
        assert!(told.is_first(FACT, "real.test", now + kept));
        assert!(!told.is_first(FACT, "real.test", now + kept));
        assert!(told.is_first(FACT, "made-up7.test", now + kept), "all are forgotten");
        assert_eq!(told.0.borrow()[&FACT].names.len(), 2);
    }
}
