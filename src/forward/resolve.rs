//! Names to addresses: looked up off the core by the system's resolver (hosts file included), one lookup at a
//! time a name, remembered for a while. Bounded by `DNS_CACHE_ENTRIES`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::limits::{DNS_ADDRESSES_MAX, DNS_CACHE_ENTRIES, DNS_NEGATIVE_TTL_SECS, DNS_TTL_SECS};

/// What a lookup gave: addresses in the order to try them, or the resolver's words.
pub type Answer = Result<Rc<[SocketAddr]>, Rc<str>>;

/// The names that a core remembers.
#[derive(Debug, Default)]
pub struct Resolver {
    names: RefCell<HashMap<String, Entry>>,
}

#[derive(Debug)]
enum Entry {
    /// A lookup is under way for these tasks.
    Pending(Vec<Waker>),
    /// It ended, and holds until then.
    Known(Answer, Instant),
}

impl Resolver {
    /// Knows no name yet.
    pub fn new() -> Rc<Resolver> {
        Rc::new(Resolver::default())
    }

    /// The addresses of a host, with port 0. A literal address is its own answer.
    pub async fn resolve(self: &Rc<Self>, host: &str) -> Answer {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Rc::new([SocketAddr::new(address, 0)]));
        }
        poll_fn(|context| {
            let mut names = self.names.borrow_mut();
            match names.get_mut(host) {
                Some(Entry::Known(answer, until)) if *until > Instant::now() => {
                    return Poll::Ready(answer.clone());
                }
                Some(Entry::Pending(waiting)) => {
                    if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                        waiting.push(context.waker().clone());
                    }
                    return Poll::Pending;
                }
                Some(Entry::Known(..)) | None => {}
            }
            make_room(&mut names);
            names.insert(host.to_owned(), Entry::Pending(vec![context.waker().clone()]));
            self.start_lookup(host.to_owned());
            Poll::Pending
        })
        .await
    }

    /// Runs on its own, so that the answer is kept even when the asker has gone.
    fn start_lookup(self: &Rc<Self>, host: String) {
        let resolver = Rc::clone(self);
        let lookup = async move {
            let question = host.clone();
            let found = glommio::executor().spawn_blocking(move || look_up(&question)).await;
            resolver.learn(host, found, Instant::now());
        };
        glommio::spawn_local(lookup).detach();
    }

    fn learn(&self, host: String, found: Result<Vec<SocketAddr>, String>, now: Instant) {
        let ttl_secs = if found.is_ok() { DNS_TTL_SECS } else { DNS_NEGATIVE_TTL_SECS };
        let answer: Answer = found.map(Rc::from).map_err(Rc::from);
        let known = Entry::Known(answer, now + Duration::from_secs(ttl_secs));
        let before = self.names.borrow_mut().insert(host, known);
        if let Some(Entry::Pending(waiting)) = before {
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

/// Forgets what has run out, and if need be one more, so that there is room for a name.
fn make_room(names: &mut HashMap<String, Entry>) {
    if names.len() < DNS_CACHE_ENTRIES {
        return;
    }
    let now = Instant::now();
    names.retain(|_, entry| matches!(entry, Entry::Pending(_)) || entry.holds(now));
    if names.len() >= DNS_CACHE_ENTRIES {
        let oldest = names
            .iter()
            .filter_map(|(name, entry)| entry.until().map(|until| (until, name.clone())))
            .min();
        if let Some((_, name)) = oldest {
            names.remove(&name);
        }
    }
}

impl Entry {
    fn until(&self) -> Option<Instant> {
        match self {
            Entry::Pending(_) => None,
            Entry::Known(_, until) => Some(*until),
        }
    }

    fn holds(&self, now: Instant) -> bool {
        self.until().is_some_and(|until| until > now)
    }
}

/// Blocks: runs on the executor's helper threads only.
fn look_up(host: &str) -> Result<Vec<SocketAddr>, String> {
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
