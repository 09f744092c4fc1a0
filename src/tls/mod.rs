//! TLS: the local CA and its leaves for clients, the roots that origins are verified against, and connections.
//!
//! rustls makes every handshake (`handshake`). After it, the keys are taken over by a `session`, whose `record`s are
//! opened and sealed where they lie; `encrypted` moves them, and `stream` any connection's bytes. Owns every certificate, key and rustls configuration.
//! Knows nothing of HTTP, rules or findings.

/// The local CA: made or loaded, signs leaves.
pub mod authority;
/// The CA changed: rotated, or imported.
pub mod authority_change;
/// Why the CA could not be had, in words that name the file and the remedy.
mod authority_error;
/// `ca.crt` and `ca.key` on disk: read without following links, published whole or not at all.
mod authority_files;
/// What a rotation leaves of the CA before.
mod authority_overlap;
/// The CA's certificate and key: found or made, and checked against each other.
mod authority_pair;
/// A connection inside TLS: records to bytes and back.
pub mod encrypted;
/// Handshakes over a socket.
pub mod handshake;
/// Why TLS could not be agreed on.
pub mod handshake_error;
/// The configuration for `insecure_hosts`: origins whose certificate is not verified.
pub mod insecure;
/// A leaf's name, life and contents.
pub mod leaf;
/// A core's ready server configurations, one a name.
pub mod leaf_cache;
/// Origins whose own certificate was named as a root.
mod named_roots;
/// A client's handshake with the proxy, for `doctor`.
pub mod probe;
/// The algorithms of both legs, the cheap ones first.
mod provider;
/// Records, opened and sealed in one step.
pub mod record;
/// A session after its handshake: records, alerts, key updates, tickets.
pub mod session;
/// One connection's bytes, clear or inside TLS.
pub mod stream;
/// The machine's roots and ours in one file.
pub mod trust_bundle;
/// Such files that nobody has any more.
pub mod trust_leftovers;
/// What a failed upstream handshake means, in words for an agent.
pub mod upstream_failure;
/// The roots that origins are verified against.
pub mod upstream_roots;

#[cfg(test)]
mod authority_change_tests;
#[cfg(test)]
mod authority_tests;
#[cfg(test)]
mod clients_tests;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
pub(crate) mod stream_tests;
#[cfg(test)]
mod test_certificates;

pub use authority::{Authority, AuthorityError, AuthorityWarning, Origin};
pub use authority_pair::{CERTIFICATE_FILE, KEY_FILE};
pub use insecure::insecure_client_config;
pub use leaf::{Leaf, LeafName};
pub use leaf_cache::{LeafCache, shared_ticketer};
pub use upstream_failure::{FailureKind, UpstreamTlsFailure, explain};
pub use upstream_roots::{
    RootsError, RootsReport, RootsWarning, client_config, with_http2, with_own_sessions,
};

/// A certificate, for those who only hand it on.
pub use rustls::pki_types::CertificateDer;

/// What rustls says went wrong.
pub type TlsError = rustls::Error;

/// How TLS is spoken to origins.
pub type ClientTls = std::sync::Arc<rustls::ClientConfig>;

/// How TLS is spoken to clients under one name.
pub type ServerTls = std::sync::Arc<rustls::ServerConfig>;

/// What makes sessions resumable on any core.
pub type Ticketer = std::sync::Arc<dyn rustls::server::ProducesTickets>;

/// What both legs speak where they have the choice, as ALPN names it (RFC 7301 §6).
const ALPN_HTTP_1_1: &[u8] = b"http/1.1";
/// What a client offers that speaks nothing newer.
const ALPN_HTTP_1_0: &[u8] = b"http/1.0";
/// What is spoken with a client that offers nothing else, and with its origin.
const ALPN_HTTP_2: &[u8] = b"h2";
