//! ClawSec Monitor: a thread-per-core forward proxy that shows what AI agents really send and receive.
//!
//! # The path of a byte
//!
//! ```text
//! client ─TCP─▶ worker      one pinned glommio executor a core, own SO_REUSEPORT listener; permit, then accept
//!                  ▼
//!               conn        one client connection, readable top to bottom: the only place that joins stages
//!                  ├─ http      bytes ▶ head, target, framing, body ranges      (decides; no IO)
//!                  ├─ tls       CONNECT? answer 200, accept with a minted leaf, then the same loop on the clear stream
//!                  ├─ forward   resolve off-core, connect, pool, relay: read ▶ step ▶ write all
//!                  └─ scan      what a body says (inflated, unescaped, joined) through Hyperscan ▶ Match ▶ policy ▶ Finding
//!                                        │ try_send: never waits
//!    ═════════ the one border between threads: bounded crossbeam channels ═════════
//!                                        ▼
//!               report      one plain thread: dedup ▶ JSON line ▶ threats.jsonl, clawsec.log
//! ```
//!
//! Three kinds of code; each file is of one kind. **Deciding** (`http`, `http2::heads`, `scan`, `policy`, `tls::session`,
//! `report::dedup`): bytes or values and `now` in, values out; no `async`, socket, clock or log. **Moving**
//! (`tls::stream`, `tls::handshake`, the rest of `http2`, `forward`, `report::logger`): bytes from here to there; knows no
//! HTTP meaning and no rule. **Joining** (`main`, `worker`, `conn`): builds the parts, chooses the branch, owns the lifetimes.
//!
//! # Invariants, each an absence
//!
//! 1. No byte of a client's is changed, dropped or reordered, but hop-by-hop headers and our own answers.
//! 2. Traffic never waits for the report. A full queue is counted, and the count reaches log and status.
//! 3. Nothing is buffered that could have been sent: an SSE event leaves on the read that brought it.
//! 4. Nothing blocks a core: no file, no name lookup, no sleep, no lock shared between cores.
//! 5. Every buffer, cache, queue, header count, window, snippet and time has a bound in [`limits`].
//! 6. No input can panic the process; one connection's error ends that connection only.
//! 7. Neither a whole secret nor a private key is ever written, logged or put in an error.
//! 8. A message with ambiguous framing is refused, never guessed.
//! 9. A byte that could not be scanned is counted and reported, never silently passed.

#![deny(unsafe_code)]
// Invariants 6 and 7: nothing panics, and nothing of what was read is printed. Tests may do both.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]
#![cfg_attr(not(test), deny(clippy::panic, clippy::unreachable, clippy::todo))]
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro))]

/// One file a command: `start`, `stop`, `run`, `threats`, `doctor`, …
pub mod cli;
/// File, environment and flags ▶ one checked, immutable `Config`, a sub-struct a stage.
pub mod config;
/// Every bound, with its unit in the name.
pub mod limits;
/// Whose fault a failure was, at which stage, what went wrong, and which answer it earns.
pub mod error;
/// `Finding` and its parts: plain, owned, bounded data.
pub mod finding;
/// Hashes of proxy users' secrets, made and compared; slow by intent.
pub mod secret_hash;
/// Numbers and texts as bytes and back, for files that only this program reads.
mod packed;
/// Percent escapes undone.
mod percent;
/// Files that somebody else names: regular ones, opened without waiting.
mod regular_file;
/// Files that appear under their name whole, and never over one that is there.
mod whole_file;
/// Commands as one types them, for messages that name one.
mod shell;
/// The installation's secrets, read once: the fingerprints' key, the values that must never leave.
pub mod secrets;
/// What each core counts, readable from any thread.
pub mod counters;
/// The configured rules, ready to scan with: read, put together, compiled or read back.
pub mod rulebook;
/// What decides about a match: rules, policy, watched secrets; made at the start and by a reload.
pub mod detection;
/// One run, from a checked configuration to the exit: logger, workers, signals, drain.
pub mod supervisor;
/// Word to the service manager: ready, reloading, alive, stopping.
pub mod notify;
/// What no crate asks the kernel for, of rings and of connections: the one file with `unsafe`.
mod ring;
/// The addresses to listen on, probed and held before any worker starts.
pub mod listen;
/// What operators ask a running monitor: metrics, health, status, findings.
pub mod admin;
/// One core: pin, executor, listeners, accept loop, permits, drain.
pub mod worker;
/// Defects of this program: kept to the task that they are in, told by their place alone.
mod defects;
/// Whose turn it is on a core: what never waits lets the others go first.
mod turns;
/// The life of one connection; every branch between stages; every timeout.
pub mod conn;
/// HTTP/1.1 as values: head, target, framing, body, our own replies.
pub mod http;
/// HTTP/2, for those who speak nothing else: each stream as an HTTP/1.1 exchange.
pub mod http2;
/// The local CA, its leaves, handshakes by rustls, and records opened and sealed in place.
pub mod tls;
/// Names to addresses, connections to origins, and the pool of idle ones.
pub mod forward;
/// Rules, the compiled database, the scanner, masking.
pub mod scan;
/// What a match means where it stands: expected, suppressed, or to be reported.
pub mod policy;
/// The queue, the dedup, the JSON line, and the thread that writes.
pub mod report;
