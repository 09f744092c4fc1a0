//! Who may use the proxy: users with hashed secrets, and networks. Parses and compares; asks nobody.

use std::net::IpAddr;
use std::sync::Arc;

use super::network::Network;
use crate::limits::{CLIENT_NETWORKS_MAX, PROXY_USER_MAX_CHARS, PROXY_USERS_MAX};
use crate::secret_hash::SecretHash;

/// What a value of `proxy_auth` must be, in words that complete "must be …".
pub const USERS_ALLOWED: &str = "an object of user names and hashes as `clawsec hash-secret` prints them \
                                 (in the environment user:hash, separated by blanks)";

/// What one of its members must be.
pub const USER_ALLOWED: &str =
    "a hash as `clawsec hash-secret` prints it, beside a name without a colon";

/// What a value of `allow_clients` must be.
pub const NETWORKS_ALLOWED: &str =
    "a list of networks (10.0.0.0/8, 2001:db8::/32) and addresses (192.0.2.7)";

/// What one of them must be.
pub const NETWORK_ALLOWED: &str = "a network (10.0.0.0/8, 2001:db8::/32) or an address (192.0.2.7)";

/// Who may use the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// `proxy_auth`; empty: nobody is asked for credentials.
    pub users: Vec<User>,
    /// `allow_clients`; empty: every address.
    pub allow_clients: Vec<Network>,
    /// `allow_unauthenticated`: whether other machines may do without credentials.
    pub allow_unauthenticated: bool,
}

impl AccessConfig {
    /// Whether a client may connect from this address.
    pub fn admits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow_clients.is_empty()
            || self.allow_clients.iter().any(|network| network.contains(address))
    }
}

/// Somebody who may use the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: Arc<str>,
    pub hash: SecretHash,
}

/// Takes users with their hashes; none if one is not as it must be, or is there twice.
pub fn parse_users(pairs: &[(String, String)]) -> Option<Vec<User>> {
    if pairs.len() > PROXY_USERS_MAX {
        return None;
    }
    let mut users: Vec<User> = Vec::new();
    for (name, hash) in pairs {
        let is_name = !name.is_empty()
            && name.chars().count() <= PROXY_USER_MAX_CHARS
            && !name.contains(':')
            && !name.chars().any(char::is_control);
        if !is_name || users.iter().any(|user| *user.name == **name) {
            return None;
        }
        users.push(User { name: name.as_str().into(), hash: SecretHash::parse(hash)? });
    }
    Some(users)
}

/// The same from one text: `user:hash`, separated by blanks.
pub fn parse_users_text(text: &str) -> Option<Vec<User>> {
    let pair = |item: &str| {
        let (name, hash) = item.split_once(':')?;
        Some((name.to_owned(), hash.to_owned()))
    };
    parse_users(&text.split_whitespace().map(pair).collect::<Option<Vec<_>>>()?)
}

/// Takes a list of networks; none if one is not as it must be.
pub fn parse_networks(items: &[String]) -> Option<Vec<Network>> {
    if items.len() > CLIENT_NETWORKS_MAX {
        return None;
    }
    items.iter().map(|item| Network::parse(item.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(networks: &[&str], address: &str) -> bool {
        let allow_clients = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
        let access = AccessConfig { allow_clients, ..AccessConfig::default() };
        access.admits(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_its_first_and_last_address_and_none_beside_them() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0"]),
            ("192.0.2.8/31", ["192.0.2.8", "192.0.2.9"], ["192.0.2.7", "192.0.2.10"]),
            ("192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.6", "::1"]),
            ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db9::", "10.0.0.1"]),
            ("::1/128", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "127.0.0.1"]),
        ] {
            assert!(inside.iter().all(|address| admits(&[network], address)), "{network}");
            assert!(!outside.iter().any(|address| admits(&[network], address)), "{network}");
        }
        assert!(admits(&["0.0.0.0/0"], "203.0.113.1") && !admits(&["0.0.0.0/0"], "::1"));
        assert!(admits(&[], "203.0.113.1"), "an empty list names everybody");
        assert!(admits(&["10.0.0.0/8", "::1"], "::1"), "one of several is enough");
    }

    #[test]
    fn so_many_networks_may_be_listed_and_no_more() {
        let many = |count| vec!["10.0.0.1".to_owned(); count];
        assert!(parse_networks(&many(CLIENT_NETWORKS_MAX)).is_some());
        assert!(parse_networks(&many(CLIENT_NETWORKS_MAX + 1)).is_none());
        assert!(parse_networks(&["10.0.0.0/33".to_owned()]).is_none());
    }

    #[test]
    fn users_have_names_that_basic_credentials_can_carry() {
        let hash = SecretHash::of(b"invented").unwrap().as_str().to_owned();
        let of = |name: &str| parse_users(&[(name.to_owned(), hash.clone())]);
        assert_eq!(&*of("coder").unwrap()[0].name, "coder");
        assert!(of(&"é".repeat(PROXY_USER_MAX_CHARS)).is_some());
        assert!(of(&"é".repeat(PROXY_USER_MAX_CHARS + 1)).is_none());
        for wrong in ["", "a:b", "a\nb"] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
        assert!(parse_users(&[("a".into(), hash.clone()), ("a".into(), hash.clone())]).is_none());
        assert!(parse_users(&[("a".into(), "the secret itself".into())]).is_none());
        let numbered = |count: usize| -> Vec<_> {
            (0..count).map(|number| (format!("user{number}"), hash.clone())).collect()
        };
        assert!(parse_users(&numbered(PROXY_USERS_MAX)).is_some());
        assert!(parse_users(&numbered(PROXY_USERS_MAX + 1)).is_none());
        let text = format!(" a:{hash}\nb:{hash} ");
        assert_eq!(parse_users_text(&text).unwrap().len(), 2);
        assert_eq!(parse_users_text("a"), None);
    }
}
