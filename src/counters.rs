//! What each core counts. Written by one core with relaxed stores, read by any thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number that one core raises and anybody reads.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Raises it.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Lowers it (a gauge).
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// Reads it.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The counters of one core, on cache lines of their own.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters { $($(#[$doc])* pub $name: Count,)+ }

        impl Counters {
            /// Every counter's name and value, in the order of declaration.
            pub fn snapshot(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
                [$((stringify!($name), self.$name.get()),)+].into_iter()
            }
        }

        /// The sum over all cores, by name, in the order of declaration.
        pub fn totals(cores: &[std::sync::Arc<Counters>]) -> Vec<(&'static str, u64)> {
            vec![$((stringify!($name), cores.iter().map(|c| c.$name.get()).sum()),)+]
        }
    };
}

counters! {
    /// Client connections accepted.
    connections,
    /// Client connections open now.
    connections_open,
    /// Requests whose head was read whole.
    requests,
    /// Bytes of messages sent upstream.
    bytes_outbound,
    /// Bytes of messages sent to clients.
    bytes_inbound,
    /// Bytes that went through the scanner.
    bytes_scanned,
    /// Bytes that were forwarded without being scanned.
    bytes_unscanned,
    /// Bytes in a coding that could not be undone: scanned only as they are on the wire.
    bytes_undecoded,
    /// Bodies, or parts of them, in such a coding.
    bodies_undecodable,
    /// TLS handshakes completed with clients.
    client_handshakes,
    /// TLS handshakes completed with origins.
    upstream_handshakes,
    /// Leaf certificates signed.
    leaves_minted,
    /// Requests refused for their framing or size.
    requests_refused,
    /// Requests that failed for the origin's sake.
    upstream_errors,
    /// Blind tunnels opened.
    tunnels,
    /// WebSockets agreed on.
    websockets,
    /// Directions of a WebSocket that went on unread: invalid frames, or an extension that is not known.
    websockets_unread,
    /// Compressed WebSocket messages that could not be inflated, or not to their end.
    websocket_messages_unread,
    /// Findings handed to the logger.
    findings,
    /// Findings that a core held back as repeats.
    findings_suppressed,
    /// Matches beyond what one read may hold, not looked at.
    hits_unconfirmed,
    /// Findings that a full queue lost.
    findings_dropped,
}
