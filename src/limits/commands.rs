//! The bounds of the everyday commands.

use super::{CA_VALIDITY_DAYS, REPORT_TICK_MS};

/// How much of a PID file is read: ten digits of a PID and a line end are less.
pub const PID_FILE_READ_BYTES: u64 = 64;

/// How long `start` insists on the PID file's lock: another command's look at it lasts microseconds.
pub const PID_LOCK_ATTEMPTS: u32 = 20;
pub const PID_LOCK_RETRY_MS: u64 = 10;
/// How often a running monitor looks whether its PID file is still there.
pub const PID_WATCH_MS: u64 = 1_000;

/// How long `stop` waits for the lock at least before it escalates, the grace on top of a longer
/// `shutdown_timeout_secs`, how long it waits after the escalation, and how often it looks.
pub const STOP_WAIT_MIN_MS: u64 = 5_000;
pub const STOP_GRACE_MS: u64 = 500;
pub const STOP_KILL_WAIT_MS: u64 = 2_000;
pub const STOP_POLL_MS: u64 = 20;

/// The threats that `status` shows, and those that `threats` shows without `--limit` and at most.
pub const STATUS_THREATS: usize = 5;
pub const THREATS_DEFAULT: usize = 10;
/// How far `status` looks back for them, past what it does not show.
pub const STATUS_LOOK_BACK_BYTES: u64 = 64 * 1024 * 1024;
pub const THREATS_MAX: usize = 1_000_000;
/// The most that the admin listener shows: what it answers is kept as a whole, in the monitor's own memory.
pub const ADMIN_THREATS_MAX: usize = 10_000;

const _: () = assert!(STATUS_THREATS <= THREATS_MAX && THREATS_DEFAULT <= THREATS_MAX);

/// Certificates in a file of the CA: itself, who certified it, and after rotations its predecessors.
pub const CA_CHAIN_MAX: usize = 16;

/// How long the CA before a rotation stays good by default, and at most.
pub const CA_OVERLAP_DEFAULT_DAYS: u64 = 30;
pub const CA_OVERLAP_MAX_DAYS: u64 = 365;

const _: () = assert!(CA_OVERLAP_DEFAULT_DAYS <= CA_OVERLAP_MAX_DAYS);
const _: () = assert!(CA_OVERLAP_MAX_DAYS < CA_VALIDITY_DAYS);

/// How far back `--since` reaches: a hundred years.
pub const SINCE_MAX_SECS: i64 = 100 * 366 * 86_400;

/// By how much lines of `threats.jsonl` may be out of order in time (a file that could not be
/// written for a while, a clock that was set).
pub const THREATS_DISORDER_SECS: i64 = 3_600;

/// How often `threats --follow` looks for new lines.
pub const FOLLOW_POLL_MS: u64 = 200;

/// Destinations that `stats` counts one by one; further ones are counted together.
pub const STATS_DESTINATIONS_MAX: usize = 10_000;
/// Of those, and of the hours, the most that are shown.
pub const STATS_ROWS_MAX: usize = 20;
pub const STATS_HOURS_MAX: usize = 48;
/// The longest bar of `stats`.
pub const STATS_BAR_CHARS: usize = 40;

/// What `scan` reads of a file at once.
pub const SCAN_FILE_READ_BYTES: usize = 256 * 1024;

/// How long `run` waits for a monitor to be ready.
pub const RUN_START_WAIT_MS: u64 = 60_000;
/// After how long it says what it waits for.
pub const RUN_START_NOTE_MS: u64 = 1_500;
pub const RUN_POLL_MS: u64 = 20;
/// How long `run` listens at most, once its program has ended, to what the monitor tells of it; that is long enough for
/// a late tick, and a second for a user.
pub const RUN_SETTLE_MS: u64 = 950;
/// How long the monitor says nothing once it has nothing new to tell: a tick, and what it may be late.
pub const RUN_QUIET_MS: u64 = REPORT_TICK_MS + 100;
/// In which time a core has taken the last connections of a program that has ended.
pub const RUN_TAKEN_MS: u64 = 100;
/// What is kept of the words of a monitor that does not start.
pub const RUN_MONITOR_WORDS_BYTES: usize = 16 * 1024;
/// Kinds of findings that the summary of `run` lists.
pub const RUN_SUMMARY_ROWS: usize = 10;

/// The widest column of rules' names in it: rules of one's own may have names of any length.
pub const RUN_PATTERN_CHARS: usize = 32;
/// Hosts whose tunnels were not used that it names.
pub const RUN_UNUSED_HOSTS: usize = 5;
/// What the summary of `run` reads of `threats.jsonl` at most.
pub const RUN_SUMMARY_BYTES: u64 = 64 * 1024 * 1024;
/// What `run` remembers of the end of `threats.jsonl`: more than the beginning of one line, where its time stands.
pub const RUN_OLD_END_BYTES: u64 = 4096;

/// How long `doctor` waits for a connection, and for its finding to be written.
pub const DOCTOR_CONNECT_MS: u64 = 2_000;
pub const DOCTOR_FINDING_MS: u64 = 5_000;
/// The largest environment of another process that `doctor` reads, and the largest answer.
pub const DOCTOR_ENVIRONMENT_BYTES: u64 = 4 * 1024 * 1024;
pub const DOCTOR_ANSWER_BYTES: usize = 64 * 1024;

const _: () = assert!(RUN_START_WAIT_MS > STOP_WAIT_MIN_MS, "a monitor that ends is outwaited");
const _: () = assert!(RUN_QUIET_MS + RUN_TAKEN_MS < RUN_SETTLE_MS, "a second word is heard");
const _: () = assert!(RUN_SETTLE_MS < 2 * REPORT_TICK_MS);
