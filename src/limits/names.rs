//! Bounds of looking names up.

/// Names that a core's resolver remembers, and for how long.
pub const DNS_CACHE_ENTRIES: usize = 4096;
pub const DNS_TTL_SECS: u64 = 30;
pub const DNS_NEGATIVE_TTL_SECS: u64 = 2;

/// Lookups of a core that run at a time, each on a thread of its own, and those with the ones that wait for their
/// turn: one more fails at once.
pub const DNS_LOOKUPS_MAX: usize = 64;
pub const DNS_PENDING_MAX: usize = 256;

/// Addresses tried of one name.
pub const DNS_ADDRESSES_MAX: usize = 16;

const _: () = assert!(DNS_LOOKUPS_MAX < DNS_PENDING_MAX && DNS_PENDING_MAX < DNS_CACHE_ENTRIES);
