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

/// Empty lines that may stand before a request line (RFC 9112 §2.2 asks for at least one).
pub const LEADING_EMPTY_LINES_MAX: usize = 4;

/// The longest method name; the longest that is registered has 17 characters.
pub const METHOD_MAX_BYTES: usize = 64;

/// The longest host in a target or a Host field (RFC 1035 §2.3.4).
pub const HOST_MAX_BYTES: usize = 255;

/// The most options in all Connection fields of a head, so that removing what they nominate stays
/// cheap.
pub const CONNECTION_OPTIONS_MAX: usize = 64;

/// Hexadecimal digits of a chunk size: what a u64 holds.
pub const CHUNK_SIZE_MAX_DIGITS: usize = 16;

/// By how many bytes the chunk extensions of a body may outweigh its data.
pub const CHUNK_EXTENSIONS_SURPLUS_MAX_BYTES: usize = 64 * 1024;

/// How much of a tunnel's first bytes is looked at before they are told to be HTTP or not.
pub const DETECT_MAX_BYTES: usize = 4096;

/// The longest detail in a reply of our own.
pub const REPLY_DETAIL_MAX_CHARS: usize = 256;

const _: () = assert!(METHOD_MAX_BYTES < DETECT_MAX_BYTES);
const _: () = assert!(CHUNK_SIZE_MAX_DIGITS + 2 < CHUNK_LINE_MAX_BYTES);
