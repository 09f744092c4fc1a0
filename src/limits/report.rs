//! Bounds of what is told: the logger thread, its files, and what is read back of them.

use super::{
    CORE_DEDUP_KEYS_MAX, DEDUP_KEYS_MAX, HOST_MAX_BYTES, LOG_ROTATE_BYTES, THREATS_DISORDER_SECS,
};

/// The longest window of a core's own dedup; it is also at most a quarter of `dedup_window_secs`.
pub const CORE_DEDUP_WINDOW_MAX_MS: u64 = 1000;

/// Keys of which the logger's dedup keeps the last repeat, a finding of a kilobyte or so, and how long one is kept: no
/// longer than a reader of the file puts up with disorder.
pub const DEDUP_LASTS_MAX: usize = 4096;
pub const REPEATS_UNTOLD_MAX_SECS: u64 = 1_800;

/// Findings, and log records, that the logger thread takes before it looks at anything else.
pub const LOGGER_ROUND_LEN: usize = 4096;
/// Snippets, and other texts, that get their last look together, and the window of the scanner that looks.
pub const LAST_LOOK_LEN: usize = 32;
pub const LAST_LOOK_WINDOW_BYTES: usize = 16 * 1024;
/// Destinations that are remembered because their names hold a secret, and the shortest that a rule tells of.
pub const SECRET_DESTS_REMEMBERED: usize = 64;
pub const HOST_SECRET_MIN_BYTES: usize = 8;

/// A batch of lines for `threats.jsonl` takes no further finding at this size.
pub const THREATS_BATCH_BYTES: usize = 64 * 1024;

/// A torn last line is repaired up to this size; a longer one is not ours.
pub const TORN_LINE_MAX_BYTES: usize = 64 * 1024;

/// How long `threats.jsonl` is left alone after a failed write: from the first to the longest wait.
pub const THREATS_RETRY_MIN_MS: u64 = 250;
pub const THREATS_RETRY_MAX_MS: u64 = 1000;

/// The longest line of `clawsec.log`, its line end not counted; a longer message is cut.
pub const LOG_LINE_MAX_BYTES: usize = 8 * 1024;

/// What of a snippet is shown in `clawsec.log`.
pub const LOG_SNIPPET_CHARS: usize = 120;

/// Lines that wait for `clawsec.log` while it cannot be written.
pub const LOG_PENDING_MAX_BYTES: usize = 256 * 1024;

/// What is written to standard error at once: no more than a pipe that polls writable has room for
/// (PIPE_BUF on Linux).
pub const STDERR_WRITE_BYTES: usize = 4096;

/// How long the logger thread leaves its queues alone once they are empty, so that what comes meanwhile costs one
/// wake-up and one write. Short enough that nobody who follows the file sees it.
pub const REPORT_REST_MS: u64 = 10;

/// How often the logger thread looks at the counters and rewrites `monitor.json`.
pub const REPORT_TICK_MS: u64 = 500;

/// How long the logger thread may show no sign of life before it is told as one that cannot write: disks have their
/// pauses, and rules that are read for its last look take some seconds.
pub const REPORT_STALL_MS: u64 = 30_000;
const _: () = assert!(REPORT_STALL_MS > 4 * REPORT_TICK_MS);

/// After how many ticks `monitor.json` is written again although it shows nothing new.
pub const STATE_REFRESH_TICKS: u32 = 10;
/// How long whoever wants to see it waits until it shows what is counted by now.
pub const STATE_ASKED_MS: u64 = 250;
/// At which age of `monitor.json` it no longer tells how its monitor is.
pub const STATE_OUTDATED_SECS: u64 = 20;

/// How long the logger thread goes on after its handle was dropped without a word.
pub const LOGGER_GRACE_MS: u64 = 1000;

/// The largest `monitor.json` that is read.
pub const STATE_MAX_BYTES: u64 = 96 * 1024;

/// Hosts of which `monitor.json` tells how many of their tunnels were not used, and how many tunnels may wait to be
/// counted so.
pub const UNUSED_HOSTS_MAX: usize = 64;
pub const UNUSED_HOSTS_QUEUE_LEN: usize = 256;
pub(super) const UNUSED_HOSTS_MAX_BYTES: usize = UNUSED_HOSTS_MAX * (HOST_MAX_BYTES + 32);

/// `threats.jsonl` is read backwards in blocks of this size.
pub const TAIL_BLOCK_BYTES: usize = 64 * 1024;

/// The longest line that is read back from `threats.jsonl`, its line end not counted.
pub const TAIL_LINE_MAX_BYTES: usize = 64 * 1024;

/// Hosts of which a core remembers that the log was told something of them, and how long it remembers so many.
pub const TOLD_HOSTS_MAX: usize = 1024;
pub const TOLD_KEPT_SECS: u64 = 3600;

const _: () = assert!(CORE_DEDUP_KEYS_MAX <= DEDUP_KEYS_MAX);
const _: () = assert!(DEDUP_LASTS_MAX <= DEDUP_KEYS_MAX);
const _: () = assert!(REPEATS_UNTOLD_MAX_SECS < THREATS_DISORDER_SECS.unsigned_abs());
const _: () = assert!(LOG_LINE_MAX_BYTES < LOG_PENDING_MAX_BYTES);
const _: () = assert!((LOG_LINE_MAX_BYTES as u64) < LOG_ROTATE_BYTES);
const _: () = assert!(THREATS_RETRY_MIN_MS <= THREATS_RETRY_MAX_MS);
const _: () = assert!(TORN_LINE_MAX_BYTES <= TAIL_LINE_MAX_BYTES);
const _: () = assert!(REPORT_TICK_MS >= 500, "monitor.json is rewritten at most twice a second");
const _: () = assert!(STATE_OUTDATED_SECS * 1000 > 2 * STATE_REFRESH_TICKS as u64 * REPORT_TICK_MS);
const _: () = assert!(REPORT_REST_MS < 50, "a line is in its file before anybody misses it");
