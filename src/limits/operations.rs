//! The bounds of what is around the proxy: users and their secrets, the admin listener, reloads, signs of life.

use super::IDLE_TICK_MS;

/// What hashing a user's secret costs, and what a configured hash may cost at most (OWASP's least for Argon2id).
pub const SECRET_HASH_MEMORY_KIB: u32 = 19_456;
pub const SECRET_HASH_PASSES: u32 = 2;
pub const SECRET_HASH_MEMORY_MAX_KIB: u32 = 128 * 1024;
pub const SECRET_HASH_PASSES_MAX: u32 = 10;
pub const SECRET_HASH_LANES_MAX: u32 = 4;
pub const SECRET_HASH_TEXT_MAX_CHARS: usize = 256;
/// The longest secret that is hashed.
pub const SECRET_MAX_BYTES: usize = 1024;
/// Users in `proxy_auth`, and the length of a name.
pub const PROXY_USERS_MAX: usize = 1024;
pub const PROXY_USER_MAX_CHARS: usize = 64;
/// Networks in `allow_clients`.
pub const CLIENT_NETWORKS_MAX: usize = 1024;
/// Verdicts on credentials that a core remembers, so that the slow hash runs once for each.
pub const CREDENTIALS_REMEMBERED: usize = 4096;
/// The longest value of Proxy-Authorization that is looked at, and how long its check may take.
pub const CREDENTIALS_MAX_BYTES: usize = 2048;
pub const CREDENTIALS_WAIT_MS: u64 = 10_000;
/// Credentials that wait for the slow hash on a core: in all, and of one address.
pub const CREDENTIALS_WAITING_MAX: usize = 128;
pub const CREDENTIALS_WAITING_PER_CLIENT: usize = 32;

const _: () = assert!(SECRET_HASH_MEMORY_KIB <= SECRET_HASH_MEMORY_MAX_KIB);
const _: () = assert!(SECRET_HASH_PASSES <= SECRET_HASH_PASSES_MAX);
const _: () = assert!(PROXY_USERS_MAX <= CREDENTIALS_REMEMBERED);
const _: () = assert!(CREDENTIALS_WAITING_PER_CLIENT < CREDENTIALS_WAITING_MAX);

/// Of how many pieces one is timed while it is scanned.
pub const SCAN_TIME_SAMPLE_EVERY: u64 = 64;

/// Connections to the admin listener at a time, and of those the ones whose request is awaited, that follow findings,
/// that ask for findings (one is answered, the other waits), and for the status: the rest is left to health and metrics.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
pub const ADMIN_AWAITED_MAX: usize = 32;
pub const ADMIN_STREAMS_MAX: usize = 8;
pub const ADMIN_QUERIES_MAX: usize = 2;
pub const ADMIN_STATUSES_MAX: usize = 4;
/// What is read of `threats.jsonl` for one of them.
pub const ADMIN_QUERY_BYTES: u64 = 256 * 1024 * 1024;
/// The head of a request to it, and how long that may take, as may each write of the answer.
pub const ADMIN_HEAD_MAX_BYTES: usize = 8 * 1024;
pub const ADMIN_HEADERS_MAX: usize = 64;
pub const ADMIN_WAIT_MS: u64 = 5_000;
/// What is read away behind a refusal, and for how long; and the connections, answered without being read, that stay
/// open until as many others came.
pub const ADMIN_LINGER_BYTES: usize = 64 * 1024;
pub const ADMIN_LINGER_MS: u64 = 1_000;
pub const ADMIN_TURNED_AWAY_KEPT: usize = 16;
/// What of an answer is sent once its place is another's; it fits into what the kernel takes of a connection at once.
pub const ADMIN_LAST_BYTES: usize = 1024;
/// How often a stream of findings that brings none says that it is still there.
pub const ADMIN_STREAM_KEEP_ALIVE_MS: u64 = 15_000;

/// How long a worker may show no sign of life before it counts as stalled.
pub const WORKER_STALL_MS: u64 = 10_000;
/// How often whoever ends a monitor looks whether rules are still being compiled.
pub const COMPILATION_TICK_MS: u64 = 20;
/// How long a reload waits for every worker to take the configuration over, and `clawsec reload` for the verdict
/// (rules that nobody compiled before take some seconds).
pub const RELOAD_WAIT_MS: u64 = 5_000;
pub const RELOAD_VERDICT_WAIT_MS: u64 = 60_000;
pub const RELOAD_POLL_MS: u64 = 20;
/// How often it is said that the CA ends soon.
pub const CA_EXPIRY_REPEAT_SECS: u64 = 86_400;
/// How often the supervisor looks at the workers.
pub const PULSE_TICK_MS: u64 = 500;

const ADMIN_SLOW_MAX: usize =
    ADMIN_AWAITED_MAX + ADMIN_STREAMS_MAX + ADMIN_QUERIES_MAX + ADMIN_STATUSES_MAX;
const _: () = assert!(ADMIN_SLOW_MAX + 16 <= ADMIN_CONNECTIONS_MAX, "there is room for health");
const _: () = assert!(PULSE_TICK_MS > IDLE_TICK_MS, "each worker has beaten between two looks");
const _: () = assert!(RELOAD_WAIT_MS < RELOAD_VERDICT_WAIT_MS);
const _: () = assert!(RELOAD_WAIT_MS > 4 * IDLE_TICK_MS, "a worker looks once a tick");
const _: () = assert!(WORKER_STALL_MS > 4 * PULSE_TICK_MS);

/// Warnings that a reload's verdict repeats.
pub const RELOAD_WARNINGS_MAX: usize = 20;

/// Of each, so many characters, and so many bytes of `monitor.json`.
pub const RELOAD_WARNING_MAX_CHARS: usize = 400;
pub const RELOAD_WARNING_MAX_BYTES: usize = 1200;

/// Lines of its error; as long.
pub const RELOAD_ERROR_LINES_MAX: usize = 20;

const RELOAD_TOLD_MAX_BYTES: usize =
    (RELOAD_WARNINGS_MAX + RELOAD_ERROR_LINES_MAX + 2) * (RELOAD_WARNING_MAX_BYTES + 16);
const _: () = assert!(
    (RELOAD_TOLD_MAX_BYTES + super::report::UNUSED_HOSTS_MAX_BYTES) as u64 + 8 * 1024
        <= super::STATE_MAX_BYTES
);

/// How often it is said at most that a worker has no room for another connection.
pub const FULL_LOG_SECS: u64 = 60;
