//! The bounds of TLS connections.

use super::READ_BUFFER_BYTES;

/// What of a handshake is held while it waits for the rest of a message; the longest chain of certificates is
/// longer than any that is in use.
pub const TLS_HANDSHAKE_MAX_BYTES: usize = READ_BUFFER_BYTES;

/// The longest handshake message that is taken once a handshake is over: a session ticket, in practice.
pub const TLS_LATE_HANDSHAKE_MAX_BYTES: usize = 64 * 1024;

/// How many records without a byte, key updates without data between them, and warnings a TLS peer may send.
pub const TLS_EMPTY_RECORDS_MAX: u8 = 10;
pub const TLS_KEY_UPDATES_MAX: u8 = 32;
pub const TLS_WARNINGS_MAX: u8 = 4;

/// How many buffers of records without data are taken before the core goes on with other connections.
pub const TLS_RECEIVES_MAX: u8 = 2;

/// How long a bundle of roots for one environment is kept unused, how many of the last used are kept however old, and
/// how many are looked at. Who still names one cannot be found out: a shell that was told of it by `eval` has it in no
/// file of /proc, and where the file system notes no reads it looks unused from the day on which it was written. A
/// program that starts in such a shell a year later, behind as many others, does not find the roots that it named.
pub const TRUST_BUNDLE_KEEP_DAYS: u64 = 365;
pub const TRUST_BUNDLES_KEPT: usize = 64;
pub const TRUST_BUNDLES_LOOKED_AT: usize = 1024;

/// A client that does not accept our certificate, and does not say so, ends its connection within so long behind the
/// handshake. Who does it later opened it ahead of its use.
pub const REFUSAL_MAX_MS: u64 = 2000;
