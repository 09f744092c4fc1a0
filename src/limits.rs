//! Every bound of the proxy, its unit in the name, and how the bounds relate.

/// Bytes that stay readable behind the end of every scanned slice: Hyperscan 5.4.0 reads past the end on
/// CPUs with AVX-512 VBMI (2 bytes were enough to stop it; 64 is one cache line).
pub const SCAN_PADDING_BYTES: usize = 64;

/// What a pooled read buffer holds, padding not counted.
pub const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Idle read buffers that a core keeps.
pub const READ_BUFFERS_KEPT: usize = 64;

/// The largest message head (RFC 9112 §3 asks for 8000 bytes of request line at least).
pub const HEAD_MAX_BYTES: usize = 64 * 1024;

/// The most header fields in a head.
pub const HEADERS_MAX: usize = 256;

/// The longest chunk-size line, extensions included.
pub const CHUNK_LINE_MAX_BYTES: usize = 4096;

/// The largest trailer section.
pub const TRAILERS_MAX_BYTES: usize = 16 * 1024;

/// The longest snippet of a finding.
pub const SNIPPET_CHARS: usize = 200;

/// Context on each side of a match in a snippet.
pub const SNIPPET_CONTEXT_CHARS: usize = 50;

/// What the scanner keeps of a stream's past, to find the exact span of a match and its context.
pub const SCAN_CARRY_BYTES: usize = 4096;

/// The smallest and largest `max_scan_bytes`.
pub const SCAN_WINDOW_MIN_BYTES: usize = 1024;
pub const SCAN_WINDOW_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Findings that may wait for the logger thread.
pub const FINDING_QUEUE_LEN: usize = 65_536;

/// Log records that may wait for the logger thread.
pub const LOG_QUEUE_LEN: usize = 4096;

/// Keys that the logger's dedup remembers, and those of each core's small one.
pub const DEDUP_KEYS_MAX: usize = 65_536;
pub const CORE_DEDUP_KEYS_MAX: usize = 1024;

/// `clawsec.log` rotates at this size, keeping this many old files.
pub const LOG_ROTATE_BYTES: u64 = 10 * 1024 * 1024;
pub const LOG_BACKUPS: usize = 3;

/// Leaves that a core keeps ready.
pub const LEAF_CACHE_ENTRIES: usize = 4096;

/// Names that a core's resolver remembers, and for how long.
pub const DNS_CACHE_ENTRIES: usize = 4096;
pub const DNS_TTL_SECS: u64 = 30;
pub const DNS_NEGATIVE_TTL_SECS: u64 = 2;
/// Addresses tried of one name.
pub const DNS_ADDRESSES_MAX: usize = 16;

/// The head start of one address over the next (RFC 8305 §5).
pub const HAPPY_EYEBALLS_DELAY_MS: u64 = 250;

/// Idle upstream connections that a core keeps, in all and to one origin.
pub const POOL_IDLE_MAX: usize = 1024;
pub const POOL_IDLE_PER_ORIGIN_MAX: usize = 64;

/// How often a core looks for connections past their deadline.
pub const DEADLINE_TICK_MS: u64 = 50;

const _: () = assert!(SCAN_CARRY_BYTES > 8 * (SNIPPET_CHARS + SNIPPET_CONTEXT_CHARS));
const _: () = assert!(CHUNK_LINE_MAX_BYTES < READ_BUFFER_BYTES);
const _: () = assert!(TRAILERS_MAX_BYTES <= HEAD_MAX_BYTES);
const _: () = assert!(HEAD_MAX_BYTES <= READ_BUFFER_BYTES);
const _: () = assert!(POOL_IDLE_PER_ORIGIN_MAX <= POOL_IDLE_MAX);

/// The largest configuration file that is read.
pub const CONFIG_FILE_MAX_BYTES: u64 = 1024 * 1024;

/// How much of a wrong value a message repeats.
pub const MESSAGE_VALUE_MAX_CHARS: usize = 120;

/// Host patterns in one list, and the length of one (RFC 1035 §2.3.4: 253 visible characters).
pub const HOST_PATTERNS_MAX: usize = 4096;
pub const HOST_PATTERN_MAX_CHARS: usize = 253;

/// The most workers and the most connections a worker that may be asked for.
pub const WORKERS_MAX: u64 = 1024;
pub const CONNECTIONS_MAX: u64 = 10_000_000;

/// The range of every configurable time in seconds; the least is one tick of the deadline wheel.
pub const TIMEOUT_MIN_SECS: f64 = 0.05;
pub const TIMEOUT_MAX_SECS: f64 = 86_400.0;
pub const DETECT_TIMEOUT_MAX_MS: u64 = 60_000;

/// The least `max_head_bytes` that can be asked for.
pub const HEAD_MIN_BYTES: usize = 1024;

/// How much of a PID file is read: ten digits of a PID and a line end are less.
pub const PID_FILE_READ_BYTES: u64 = 64;

/// How long `start` insists on the PID file's lock: another command's look at it lasts microseconds.
pub const PID_LOCK_ATTEMPTS: u32 = 20;
pub const PID_LOCK_RETRY_MS: u64 = 10;

/// How long `stop` waits for the lock at least before it escalates, the grace on top of a longer
/// `shutdown_timeout_secs`, how long it waits after the escalation, and how often it looks.
pub const STOP_WAIT_MIN_MS: u64 = 5_000;
pub const STOP_GRACE_MS: u64 = 500;
pub const STOP_KILL_WAIT_MS: u64 = 2_000;
pub const STOP_POLL_MS: u64 = 20;

/// The threats that `status` shows, and those that `threats` shows without `--limit` and at most.
pub const STATUS_THREATS: usize = 5;
pub const THREATS_DEFAULT: usize = 10;
pub const THREATS_MAX: usize = 1_000_000;

/// What glommio asks of RLIMIT_MEMLOCK before it makes an executor.
pub const MEMLOCK_MIN_BYTES: u64 = 512 * 1024;

/// Open files below which a start warns: each proxied connection takes two.
pub const NOFILE_MIN: u64 = 1024;

const _: () = assert!(HEAD_MIN_BYTES < HEAD_MAX_BYTES);
const _: () = assert!(SCAN_WINDOW_MIN_BYTES < SCAN_WINDOW_MAX_BYTES);
const _: () = assert!(TIMEOUT_MIN_SECS * 1000.0 >= DEADLINE_TICK_MS as f64);
const _: () = assert!(STATUS_THREATS <= THREATS_MAX && THREATS_DEFAULT <= THREATS_MAX);

/// The longest window of a core's own dedup; it is also at most a quarter of `dedup_window_secs`.
pub const CORE_DEDUP_WINDOW_MAX_MS: u64 = 1000;

/// Findings, and log records, that the logger thread takes before it looks at anything else.
pub const LOGGER_ROUND_LEN: usize = 4096;

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

/// How often the logger thread looks at the counters and rewrites `monitor.json`.
pub const REPORT_TICK_MS: u64 = 500;

/// How long the logger thread goes on after its handle was dropped without a word.
pub const LOGGER_GRACE_MS: u64 = 1000;

/// The largest `monitor.json` that is read.
pub const STATE_MAX_BYTES: u64 = 64 * 1024;

/// `threats.jsonl` is read backwards in blocks of this size.
pub const TAIL_BLOCK_BYTES: usize = 64 * 1024;

/// The longest line that is read back from `threats.jsonl`, its line end not counted.
pub const TAIL_LINE_MAX_BYTES: usize = 64 * 1024;

const _: () = assert!(CORE_DEDUP_KEYS_MAX <= DEDUP_KEYS_MAX);
const _: () = assert!(LOG_LINE_MAX_BYTES < LOG_PENDING_MAX_BYTES);
const _: () = assert!((LOG_LINE_MAX_BYTES as u64) < LOG_ROTATE_BYTES);
const _: () = assert!(THREATS_RETRY_MIN_MS <= THREATS_RETRY_MAX_MS);
const _: () = assert!(TORN_LINE_MAX_BYTES <= TAIL_LINE_MAX_BYTES);
const _: () = assert!(REPORT_TICK_MS >= 500, "monitor.json is rewritten at most twice a second");
