//! Who a request goes to. Plain data.

use std::sync::Arc;

/// An origin: what connections are dialled for and pooled by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Lower-case name or address, without brackets.
    pub host: String,
    pub port: u16,
    /// The name to send and to verify where TLS is spoken to it.
    pub server_name: Option<String>,
    /// `host:port`, as findings name it.
    pub dest: Arc<str>,
}

impl Origin {
    /// An origin that is spoken to in clear.
    pub fn clear(host: &str, port: u16) -> Origin {
        let dest =
            if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Origin { host: host.to_owned(), port, server_name: None, dest: dest.into() }
    }

    /// The same host and port, spoken to in TLS under the given name.
    pub fn encrypted(&self, server_name: &str) -> Origin {
        Origin { server_name: Some(server_name.to_owned()), ..self.clone() }
    }
}
