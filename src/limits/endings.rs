//! The bounds of how connections end.

use super::CUT_GRACE_MS;

/// A client that sent FIN may still be there for its answer: how often it is looked for, how often with a record
/// that says nothing (peers take 32 of them), and how long the kernel waits between its own probes.
pub const HALF_CLOSED_LOOK_MS: u64 = 500;
pub const HALF_CLOSED_RECORDS: usize = 4;
pub const HALF_CLOSED_PROBE_SECS: u32 = 15;

/// How long a client may take to read an answer of our own.
pub const ANSWER_WAIT_MS: u64 = 5000;

/// After an answer that did not wait for the request's end: how long, and how much, the rest of the request
/// is read away, so that the answer is not lost to a reset; how long nothing of it may come; how long nothing may
/// come behind a whole request; and how long at most once the process stops.
pub const LINGER_MS: u64 = 30_000;
pub const LINGER_WHOLE_MS: u64 = 1000;
pub const LINGER_BYTES: usize = 256 * 1024 * 1024;
pub const LINGER_SILENCE_MS: u64 = 5000;
pub const LINGER_STOPPING_MS: u64 = 500;
/// The same of a request that was not let in and has a body. It may be an honest client's that has not heard of
/// credentials, and sends all before it reads: it is given what a large prompt takes over a slow line, 10 MiB at 3 Mbit/s.
/// Anybody may be such a client, and costs a place for as long only as one does that never ends its head
/// (`head_timeout_secs`), no buffer, and a quarter of the bytes.
pub const LINGER_REFUSED_MS: u64 = 30_000;
pub const LINGER_REFUSED_BYTES: usize = 64 * 1024 * 1024;
pub const LINGER_REFUSED_SILENCE_MS: u64 = 5000;
/// The same of what is no request, or one without a body that was not let in: nothing more is due, and whoever sends more
/// has no better claim to a place than who waits for one. What was under way with the head is less.
pub const LINGER_UNKNOWN_MS: u64 = 2000;
pub const LINGER_UNKNOWN_BYTES: usize = 1024 * 1024;

/// How long a peer that is told that we go away may take to answer that, unless the process ends.
pub const GOODBYE_MS: u64 = 1000;

/// After a cut: how long a peer that did not fail may take nothing of what it was sent, and how long the process
/// still waits for that once it cuts everything; and how often that is looked at.
pub const TAKEN_STALL_MS: u64 = 60_000;
pub const TAKEN_CUT_MS: u64 = 100;
pub const TAKEN_LOOK_MS: u64 = 10;

const _: () = assert!(LINGER_UNKNOWN_MS < LINGER_REFUSED_MS && LINGER_REFUSED_MS <= LINGER_MS);
const _: () = assert!(LINGER_UNKNOWN_BYTES < LINGER_REFUSED_BYTES);
const _: () = assert!(LINGER_REFUSED_BYTES < LINGER_BYTES);
const _: () = assert!(TAKEN_LOOK_MS < TAKEN_CUT_MS && TAKEN_CUT_MS < CUT_GRACE_MS);
