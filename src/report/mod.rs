//! From findings to files: the queue between the cores and one plain thread, and what that thread
//! writes.
//!
//! ```text
//! CoreReporter ─try_send─▶ queue ──────┐
//! log::warn!   ─try_send─▶ log_record ─┤
//!                                      ▼
//!                       logger ─▶ journal ─┬─▶ dedup ─▶ reviewed ─▶ jsonl ─▶ threats_file   threats.jsonl ─▶ tail
//!                                          ├─▶ log_file ─▶ console                          clawsec.log, stderr
//!                                          └─▶ state                                        monitor.json
//! ```
//!
//! No core ever waits here: both queues are bounded, what they lose is counted, and the count is
//! written. Nothing of the traffic is known here but a `Finding`, whose snippet is masked before it
//! arrives. Secrets in the names of their hosts are masked behind the dedup, which tells these apart.

mod append_file;
mod console;
/// One core's end: its small dedup, and the hand-over.
pub mod core;
/// Whether a finding becomes a line, and when what was held back does.
pub mod dedup;
mod folder;
mod journal;
/// A finding as a line of `threats.jsonl`.
pub mod jsonl;
/// What hides secrets in snippets and names of hosts.
pub mod last_look;
mod log_file;
/// The `log` facade: records become lines on the caller's thread and wait in a queue of their own.
pub mod log_record;
/// The thread that writes, and the handle to it.
pub mod logger;
/// The queue of findings.
pub mod queue;
/// What findings go through before they are written.
mod reviewed;
/// `monitor.json`: what `status` shows of a running monitor.
pub mod state;
/// What the logger thread counts of the findings.
pub mod tally;
/// The end of `threats.jsonl`, read backwards.
pub mod tail;
/// Which findings somebody wants to see.
pub mod threat_filter;
mod threats_file;
/// Moments as text.
pub mod timestamp;
/// What repeats what, for how long.
pub mod windows;

/// The files in `log_dir` that this module writes.
pub const THREATS_FILE_NAME: &str = "threats.jsonl";
pub const LOG_FILE_NAME: &str = "clawsec.log";
pub const STATE_FILE_NAME: &str = "monitor.json";

pub use reviewed::is_secret_dest;
