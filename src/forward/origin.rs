//! Who a request goes to. Plain data.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::config::UpstreamProxy;

/// How connections to an origin are made. Which proxy they lead through is part of it, credentials included: after a
/// reload it may be another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// Dialled by ourselves.
    #[default]
    Direct,
    /// By CONNECT through an upstream proxy.
    Tunnelled(Arc<UpstreamProxy>),
    /// To an upstream proxy itself, which is sent requests in absolute-form.
    Relayed(Arc<UpstreamProxy>),
}

/// An origin: what connections are dialled for and pooled by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Lower-case name or address, without brackets.
    pub host: String,
    pub port: u16,
    /// The name to send and to verify where TLS is spoken to it.
    pub server_name: Option<String>,
    pub way: Way,
    /// `host:port`, as findings name it.
    pub dest: Arc<str>,
}

/// By host and port, and by the server name where it is another: there may be thousands of names behind one address.
/// Origins that differ in the rest are few, and every request looks for one.
impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.dest.hash(state);
        if let Some(name) = self.server_name.as_ref().filter(|name| **name != self.host) {
            name.hash(state);
        }
    }
}

impl Origin {
    /// An origin that is spoken to in clear.
    pub fn clear(host: &str, port: u16) -> Origin {
        let dest =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Origin {
            host: host.to_owned(),
            port,
            server_name: None,
            way: Way::Direct,
            dest: dest.into(),
        }
    }

    /// The same origin, reached another way.
    pub fn by(self, way: Way) -> Origin {
        Origin { way, ..self }
    }

    /// The same host and port, spoken to in TLS under the given name.
    pub fn encrypted(&self, server_name: &str) -> Origin {
        Origin { server_name: Some(server_name.to_owned()), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;

    #[test]
    fn names_behind_one_address_are_told_apart_by_their_hashes() {
        let (hasher, address) = (RandomState::new(), Origin::clear("192.0.2.1", 443));
        let of = |name: &str| hasher.hash_one(address.encrypted(name));
        assert_ne!(of("one.example"), of("two.example"));
        assert_eq!(of("192.0.2.1"), hasher.hash_one(&address));
        assert_eq!(of("one.example"), of("one.example"));
    }
}
