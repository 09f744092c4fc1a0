//! What each core counts. Added to by that core, and by the logger thread what it loses of the core's; without order.
//! Read by any thread.

mod histogram;

use std::sync::atomic::{AtomicU64, Ordering};

pub use histogram::{Histogram, Sample, Sampled, Snapshot};

use crate::error::Cause;

/// Upper bounds of the buckets of `request_time`, in microseconds.
const REQUEST_TIME_BOUNDS_US: &[u64] = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    120_000_000,
    300_000_000,
    600_000_000,
];

/// Upper bounds of the buckets of `scan_time`, in nanoseconds.
const SCAN_TIME_BOUNDS_NS: &[u64] = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    25_000_000,
    100_000_000,
];

/// One number that any thread may raise, and anybody reads.
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
        #[derive(Debug)]
        #[repr(align(128))]
        pub struct Counters {
            $($(#[$doc])* pub $name: Count,)+
            /// From the decision about a request to the last byte of its answer, in microseconds.
            pub request_time: Histogram,
            /// To scan one piece, in nanoseconds; a sample of them.
            pub scan_time: Sampled,
            /// `upstream_errors` by what went wrong.
            pub upstream_causes: Causes,
            /// Repeats that the core held back itself; the logger thread holds back others.
            pub repeats: Count,
            /// Rounds of the worker: they go on as long as its core is alive.
            pub beats: Count,
        }

        impl Default for Counters {
            fn default() -> Counters {
                Counters {
                    $($name: Count::default(),)+
                    request_time: Histogram::new(REQUEST_TIME_BOUNDS_US),
                    scan_time: Sampled::new(SCAN_TIME_BOUNDS_NS),
                    upstream_causes: Causes::default(),
                    repeats: Count::default(),
                    beats: Count::default(),
                }
            }
        }

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
    /// Those of them that asked for a tunnel.
    connects,
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
    /// TLS handshakes that failed with clients, or took them too long.
    client_handshakes_failed,
    /// TLS handshakes completed with origins.
    upstream_handshakes,
    /// Leaf certificates signed.
    leaves_minted,
    /// Leaf certificates that were there already.
    leaves_reused,
    /// Client connections closed at once, because `allow_clients` does not name their address.
    clients_refused,
    /// Requests without good credentials, where `proxy_auth` asks for them.
    requests_unauthorized,
    /// Requests refused for their framing or size.
    requests_refused,
    /// Requests that failed for the origin's sake.
    upstream_errors,
    /// Tunnels opened in which no HTTP is spoken, read or unread.
    tunnels,
    /// Tunnels agreed on that their clients ended without a request, and without a handshake that failed.
    tunnels_unused,
    /// Streams of HTTP/2 that clients opened and that were served: each is a request.
    streams,
    /// Those of them that are open now.
    streams_open,
    /// WebSockets agreed on.
    websockets,
    /// Directions of a WebSocket whose messages went on unread: behind an invalid frame, where the bytes are read as
    /// they stand, or because of an extension that is not known.
    websockets_unread,
    /// Compressed WebSocket messages that could not be inflated, or not to their end.
    websocket_messages_unread,
    /// Findings handed to the logger.
    findings,
    /// Matches that a suppression of the configuration keeps out of the report.
    suppressions_applied,
    /// Matches beyond what one read may hold, not looked at.
    hits_unconfirmed,
    /// Findings that a full queue lost.
    findings_dropped,
}

/// A count a cause.
#[derive(Debug, Default)]
pub struct Causes([Count; Cause::ALL.len()]);

impl Causes {
    /// Counts one.
    pub fn add(&self, cause: Cause) {
        let counted = Cause::ALL.iter().zip(&self.0).find(|(known, _)| **known == cause);
        if let Some((_, count)) = counted {
            count.add(1);
        }
    }

    /// The causes that occurred, with how often.
    pub fn snapshot(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        let counts = Cause::ALL.iter().zip(&self.0).map(|(cause, count)| (*cause, count.get()));
        counts.filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_counted_for_itself() {
        let counters = Counters::default();
        for cause in Cause::ALL {
            counters.upstream_causes.add(cause);
        }
        counters.upstream_causes.add(Cause::DnsError);
        let counted: Vec<_> = counters.upstream_causes.snapshot().collect();
        assert_eq!(counted.len(), Cause::ALL.len());
        assert!(counted.iter().all(|(cause, n)| *n == 1 + u64::from(*cause == Cause::DnsError)));
    }
}
