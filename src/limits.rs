//! Every bound of the proxy, its unit in the name, and how the bounds relate.

mod backlog;
mod clean_blocks;
mod commands;
mod encoded;
mod endings;
mod events;
mod heads;
mod http2;
mod idle;
mod json;
mod markup;
mod names;
mod git;
mod operations;
mod pdf;
mod protobuf;
mod report;
mod rules;
mod tls;
mod turns;
mod websocket;
mod words;

pub use backlog::*;
pub use clean_blocks::*;
pub use commands::*;
pub use encoded::*;
pub use endings::*;
pub use events::*;
pub use git::*;
pub use heads::*;
pub use http2::*;
pub use idle::*;
pub use json::*;
pub use markup::*;
pub use names::*;
pub use operations::*;
pub use pdf::*;
pub use protobuf::*;
pub use report::*;
pub use rules::*;
pub use tls::*;
pub use turns::*;
pub use websocket::*;
pub use words::*;

/// Bytes that stay readable behind the end of every scanned slice: Hyperscan 5.4.0 reads past the end on
/// CPUs with AVX-512 VBMI (2 bytes were enough to stop it; 64 is one cache line).
pub const SCAN_PADDING_BYTES: usize = 64;

/// What a pooled read buffer holds, padding not counted: four TLS records of 16 KiB with what each adds, and
/// the beginning of a fifth.
pub const READ_BUFFER_BYTES: usize = 65 * 1024;

/// Idle read buffers that a core keeps.
pub const READ_BUFFERS_KEPT: usize = 64;

/// The largest buffer for written heads that a core keeps for the next one.
pub const SCRATCH_KEPT_BYTES: usize = 128 * 1024;

/// What goes out in one write, a head and the beginning of its body: one record of TLS.
pub const FIRST_WRITE_BYTES: usize = 16 * 1024;

/// The largest task of one connection: what it costs while it is idle, besides its TLS sessions.
pub const CONNECTION_TASK_MAX_BYTES: usize = 4 * 1024;

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

/// The head start of one address over the next (RFC 8305 §5).
pub const HAPPY_EYEBALLS_DELAY_MS: u64 = 250;

/// How often a core looks for connections past their deadline, and how often when it has none.
pub const DEADLINE_TICK_MS: u64 = 50;
pub const IDLE_TICK_MS: u64 = 250;

/// How much earlier a pooled connection is given up than the origin said it would close it, so that a
/// request and that close do not cross.
pub const KEEP_ALIVE_MARGIN_SECS: u64 = 1;

/// How often a core closes pooled connections that waited too long.
pub const SWEEP_INTERVAL_MS: u64 = 1000;

/// The pause after a failed accept (EMFILE, ENFILE).
pub const ACCEPT_BACKOFF_MS: u64 = 100;

/// What of the shutdown's time is kept for the logger.
pub const DRAIN_RESERVE_MS: u64 = 500;

/// How long a core waits for its connections to end once they are cut.
pub const CUT_GRACE_MS: u64 = 200;

/// How long after the cut the cores are waited for: one that hangs must not keep the logger from writing what the
/// others found.
pub const WORKERS_END_MS: u64 = 400;

/// Memory that each ring registers with the kernel (glommio's least; we read and write through sockets).
pub const RING_MEMORY_BYTES: usize = 64 * 1024;

/// Entries of each ring. The kernel looks for what is to be cancelled, several timers each time that a core goes to
/// sleep, among all that waits, in one list for each 16 of these: with 9,000 idle connections and glommio's own 128 a
/// thousand of them each time.
pub const RING_ENTRIES: usize = 1024;

/// Threads of a core that hash secrets.
pub const HASH_THREADS: usize = 1;

/// The longest name that a leaf is made for, and one of its labels: what DNS can carry (RFC 1035 §2.3.4:
/// 255 bytes on the wire are 253 in text).
pub const LEAF_NAME_MAX_BYTES: usize = 253;
pub const LEAF_LABEL_MAX_BYTES: usize = 63;

/// The longest common name (RFC 5280 appendix A.1, `ub-common-name`).
pub const LEAF_COMMON_NAME_MAX_BYTES: usize = 64;

/// A leaf's whole life, of which this many days lie before its making (clients' clocks differ), and how
/// long before its end it is made anew. Browsers and Apple's stack refuse lives of 200 days and more.
pub const LEAF_VALIDITY_DAYS: u64 = 199;
pub const LEAF_BACKDATE_DAYS: u64 = 2;
pub const LEAF_RENEWAL_DAYS: u64 = 7;

/// How long the CA that we make is valid, and how long before its end its owner is warned.
pub const CA_VALIDITY_DAYS: u64 = 3652;
pub const CA_EXPIRY_WARNING_DAYS: u64 = 30;

/// The largest `ca.crt` or `ca.key` that is read.
pub const CA_FILE_MAX_BYTES: u64 = 64 * 1024;

/// The largest `upstream_ca_file` that is read (a full system bundle is some 250 KiB).
pub const UPSTREAM_CA_FILE_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// TLS sessions to origins that a core remembers, of up to 8 to one origin.
pub const UPSTREAM_SESSIONS_MAX: usize = 1024;

/// Details kept of unreadable root certificates, the words of a failed upstream handshake, and how many
/// of the certificate's own names they repeat.
pub const ROOT_PROBLEMS_MAX: usize = 8;
pub const TLS_FAILURE_TEXT_CHARS: usize = 400;
pub const TLS_FAILURE_NAMES_MAX: usize = 5;

const _: () = assert!(SCAN_CARRY_BYTES > 8 * (SNIPPET_CHARS + SNIPPET_CONTEXT_CHARS));
const _: () = assert!(CHUNK_LINE_MAX_BYTES < READ_BUFFER_BYTES);
const _: () = assert!(TRAILERS_MAX_BYTES <= HEAD_MAX_BYTES);
const _: () = assert!(HEAD_MAX_BYTES <= READ_BUFFER_BYTES);
const _: () = assert!(POOL_IDLE_PER_ORIGIN_MAX <= POOL_IDLE_MAX);
const _: () = assert!(FIRST_WRITE_BYTES + HEAD_MAX_BYTES <= SCRATCH_KEPT_BYTES);
const _: () = assert!(CUT_GRACE_MS < WORKERS_END_MS && WORKERS_END_MS < DRAIN_RESERVE_MS);

/// The largest configuration file that is read.
pub const CONFIG_FILE_MAX_BYTES: u64 = 1024 * 1024;

/// How much of a wrong value a message repeats.
pub const MESSAGE_VALUE_MAX_CHARS: usize = 120;
/// Of the texts in it those that look like no secret: the longest, the same of names, and what they are made of.
pub const MESSAGE_TEXT_MAX_CHARS: usize = 24;
pub const MESSAGE_NAME_MAX_CHARS: usize = 48;
pub const MESSAGE_WORD_MAX_CHARS: usize = 16;
pub const MESSAGE_NUMBER_MAX_DIGITS: usize = 8;
pub const MESSAGE_MIXED_MAX_CHARS: usize = 6;

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

/// What glommio asks of RLIMIT_MEMLOCK before it makes an executor.
pub const MEMLOCK_MIN_BYTES: u64 = 512 * 1024;

/// Open files below which a start warns: each proxied connection takes two.
pub const NOFILE_MIN: u64 = 1024;

/// Descriptors that the kernel's table has room for from the start, where so many are allowed: 8 bytes each.
pub const DESCRIPTORS_READY_MAX: u64 = 65_536;

const _: () = assert!(HEAD_MIN_BYTES < HEAD_MAX_BYTES);
const _: () = assert!(SCAN_WINDOW_MIN_BYTES < SCAN_WINDOW_MAX_BYTES);
const _: () = assert!(TIMEOUT_MIN_SECS * 1000.0 >= DEADLINE_TICK_MS as f64);

const _: () = assert!(LEAF_VALIDITY_DAYS < 200);
const _: () = assert!(LEAF_BACKDATE_DAYS + LEAF_RENEWAL_DAYS < LEAF_VALIDITY_DAYS);
const _: () = assert!(LEAF_COMMON_NAME_MAX_BYTES < LEAF_NAME_MAX_BYTES);

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

/// How far behind a filter hit the exact span of its match is looked for.
pub const SCAN_MATCH_BEFORE_BYTES: usize = 2560;
/// How far past a filter hit a match may still grow (the rest of a key).
pub const SCAN_MATCH_AHEAD_BYTES: usize = 1024;

/// What is searched for other secrets before and after a match.
pub const SCAN_REDACTION_BEFORE_BYTES: usize = 1536;
pub const SCAN_REDACTION_AFTER_BYTES: usize = 1024;
/// The furthest that search reaches ahead when matches follow each other closely.
pub const SCAN_REDACTION_STRETCH_MAX_BYTES: usize = 16 * 1024;

/// Filter hits looked at in one window, and those that each rule may have beyond that.
pub const SCAN_HITS_PER_WINDOW: usize = 4096;
pub const SCAN_HITS_PER_RULE_SURE: usize = 64;

/// Matches of one rule that are no secrets, of one window, beyond which they are a flood; and how far from the last
/// one a match of a flood is looked at again.
pub const SCAN_REPEATS_PER_WINDOW: usize = 64;
pub const SCAN_REPEATS_APART_BYTES: usize = 1024;

/// Idle engine streams, and idle carry buffers, that a core keeps.
pub const SCAN_STREAMS_KEPT: usize = 256;

/// What a snippet shows of the match itself; the middle of a longer one is left out.
pub const SNIPPET_MATCH_CHARS: usize = 150;

/// What a snippet shows of a secret's head (never more than a third of the secret).
pub const SECRET_HEAD_BYTES: usize = 16;

const _: () = assert!(SCAN_MATCH_BEFORE_BYTES + SCAN_REDACTION_BEFORE_BYTES <= SCAN_CARRY_BYTES);
const _: () = assert!(SCAN_REDACTION_BEFORE_BYTES >= 4 * SNIPPET_CONTEXT_CHARS);
const _: () = assert!(SCAN_REDACTION_AFTER_BYTES >= 4 * SNIPPET_CONTEXT_CHARS);
const _: () = assert!(SCAN_REDACTION_STRETCH_MAX_BYTES >= SCAN_REDACTION_AFTER_BYTES);
const _: () = assert!(SNIPPET_MATCH_CHARS < SNIPPET_CHARS);
const _: () = assert!(SCAN_WINDOW_MAX_BYTES <= u32::MAX as usize);

/// Patterns in `gateway_allowed_origins`, and the length of one: a scheme, a host name and a port.
pub const ORIGIN_PATTERNS_MAX: usize = 4096;
pub const ORIGIN_PATTERN_MAX_CHARS: usize = 300;

const _: () = assert!(HOST_PATTERN_MAX_CHARS < ORIGIN_PATTERN_MAX_CHARS);
/// How many steps a view can tell of; of a text that lies deeper, the innermost ones.
pub const VIEW_STEPS_MAX: usize = 8;

/// Matches that are secrets, of which a stream remembers where in its carried tail they are.
pub const SCAN_SECRETS_REMEMBERED: usize = 512;
/// The shortest secret that `watch_env` and `watch_files` take: shorter ones are everywhere.
pub const KNOWN_VALUE_MIN_BYTES: usize = 8;
/// The most values that they name together.
pub const KNOWN_VALUES_MAX: usize = 256;
/// How much of a form of a value is compared: what is longer is told by its beginning.
pub const KNOWN_FORM_MAX_BYTES: usize = 4096;
/// What is hidden on each side of half of a known value: so many times what the half has, for the rest of the value in
/// a longer form, and so much for what is between them.
pub const KNOWN_HALF_NEAR_LENGTHS: usize = 4;
pub const KNOWN_HALF_NEAR_BYTES: usize = 256;
/// First halves of known values that a stream holds back until a second half may have followed.
pub const KNOWN_HALVES_WAITING: usize = 16;
/// How often the percent escapes of a path are undone: servers do it once, or twice by mistake.
pub const PATH_UNESCAPES_MAX: usize = 4;

/// Objects in `expected_credentials` and in `suppressions`.
pub const EXPECTED_CREDENTIALS_MAX: usize = 1024;
pub const SUPPRESSIONS_MAX: usize = 1024;
/// Names in `watch_env`, and paths in `watch_files`.
pub const WATCHED_MAX: usize = 256;
/// The largest file that `watch_files` reads.
pub const WATCHED_FILE_MAX_BYTES: u64 = 1024 * 1024;
/// The bytes of the fingerprints' key.
pub const FINGERPRINT_KEY_BYTES: usize = 32;
/// How deep texts are looked at within each other: an escape within base64 within a member of an archive …
pub const SCAN_DEPTH_MAX: usize = 6;

/// What is read once more, with escapes resolved, before and after an escape.
pub const SCAN_FOLD_AROUND_BYTES: usize = 256;
/// How long an escape is at most that begins in one piece of a text and ends in the next: the longest one that a folder
/// knows, and the byte behind it.
pub const SCAN_FOLD_SEAM_BYTES: usize = FOLD_CARRY_BYTES + 1;

/// The same for the head of a run of an encoding; and how far before a gate its run may begin.
pub const SCAN_RUN_SEAM_BYTES: usize = 64;
pub const SCAN_RUN_BEFORE_BYTES: usize = 1024;

/// The largest piece of a text (a head, a short body) in which short runs are looked for byte by byte.
pub const SCAN_SHORT_TEXT_BYTES: usize = 1024;
/// How much of a row of digits that goes on from one piece to the next is looked at together, of each of them.
pub const SCAN_OPEN_ROW_BYTES: usize = 256;
/// The digits of such a run at least, and of one that is seen in any text.
pub const ENCODED_SHORT_MIN_DIGITS: usize = 16;
pub const ENCODED_SEEN_DIGITS: usize = 47;

/// Gates looked at in one window.
pub const SCAN_GATES_PER_WINDOW: usize = 4096;

/// Matches that a unit remembers, so that another reading of the same bytes does not tell them again.
pub const SCAN_TOLD_MAX: usize = 64;
/// Reasons why something in a unit could not be looked at that are told of it.
pub const SCAN_TOLD_GAPS_MAX: usize = 32;
/// By how much of a secret's head it is known again in a reading that resolves the escapes in it.
pub const SCAN_TOLD_HEAD_BYTES: usize = 16;
/// So much of what a match says is compared without taking memory.
pub const SCAN_TOLD_SENSE_BYTES: usize = 256;

/// Buffers for made text that a core keeps, and the largest that it keeps.
pub const SCAN_BUFFERS_KEPT: usize = 16;
pub const SCAN_BUFFER_KEPT_BYTES: usize = 256 * 1024;

/// What of JSON, or of anything that is decoded, is made into text at a time.
pub const SCAN_WORK_BYTES: usize = 16 * 1024;

/// What is read as it stands behind what begins the head of a member in a coding, and at the front of a body in a
/// coding that has no signature.
pub const SCAN_CODED_HEAD_BYTES: usize = 4096;
pub const SCAN_CODED_FIRST_BYTES: usize = 512;

/// The longest first line of JSON that is kept to tell whether its lines are the events of a stream.
pub const SCAN_FIRST_LINE_MAX_BYTES: usize = 4096;

/// How much of a body is looked at to tell what it is (a tar header is 512 bytes).
pub const SCAN_SNIFF_BYTES: usize = 512;

/// Guards and comments that may stand one behind the other before JSON, and the longest name behind them.
pub const JSON_PREFIX_PARTS_MAX: usize = 4;
pub const JSON_PREFIX_NAME_MAX_BYTES: usize = 64;

/// The largest WebSocket message whose pieces of text are joined to those of others.
pub const SCAN_MESSAGE_KEPT_BYTES: usize = 64 * 1024;

const _: () = assert!(SCAN_OPEN_ROW_BYTES <= SCAN_RUN_BEFORE_BYTES);
const _: () = assert!(SCAN_RUN_BEFORE_BYTES <= SCAN_CARRY_BYTES);
const _: () = assert!(SCAN_FOLD_AROUND_BYTES + SCAN_FOLD_SEAM_BYTES <= SCAN_CARRY_BYTES);

// Views of JSON and of event streams.

/// Levels of JSON that are told apart when the texts of a stream are joined.
pub const JSON_DEPTH_MAX: usize = 32;
/// String leaves, and objects, of one JSON text that wait for the indices that may follow them.
pub const JSON_HELD_MAX: usize = 256;
/// Names of events that a reader remembers, to see whether one comes again.
pub const JSON_NAMES_MAX: usize = 32;
/// What a reader keeps of the room for unescaped texts.
pub const JSON_SCRATCH_KEPT_BYTES: usize = 128 * 1024;
/// The longest payload of one event that is kept, if it comes in several reads: the result of a tool is one event. And
/// the room for payloads that outlives one.
pub const EVENT_MAX_BYTES: usize = 512 * 1024;
pub const EVENT_ROOM_KEPT_BYTES: usize = 64 * 1024;

const _: () = assert!(JSON_DEPTH_MAX < JSON_HELD_MAX, "what is open is held");

/// What a folder of hidden text holds back: the longest escape that may go on with the next piece.
pub const FOLD_CARRY_BYTES: usize = 31;

/// How far back a number between two strings of a page moves what follows, in thousandths of the font's size, if
/// they are words of their own (a blank has some 250, a kerning pair less than 120); and what is kept of a word.
pub const PDF_KERNING_BLANK_MIN: u32 = 160;
pub const PDF_WORD_MAX_BYTES: usize = 16;

/// The most content codings of one body that are undone one behind the other (nobody stacks more than two).
pub const CODINGS_MAX: usize = 4;

/// How much of an unknown coding's name is told.
pub const CODING_NAME_MAX_CHARS: usize = 32;
/// The longest line before a chunk of `aws-chunked`, and the trailers behind the last one.
pub const AWS_CHUNK_LINE_MAX_BYTES: usize = 256;
pub const AWS_CHUNK_TRAILERS_MAX_BYTES: usize = 4096;

/// How far all views of one body inflate together: so many bytes whatever it is, and beyond them so many for
/// each byte that came. JSON comes to 10 for one; deflate's most is 1032, that of brotli and zstd far beyond.
pub const INFLATED_FREE_BYTES: u64 = 32 * 1024 * 1024;
/// The same of what one turn of a core may inflate to, where it lies too deep to stop in between: a zip in a part, a
/// page in a PDF. Codings of a body, and archives that are the body, stop at each piece.
pub const INFLATED_AT_ONCE_BYTES: u64 = 1024 * 1024;
pub const INFLATED_AT_ONCE_RATIO_MAX: u64 = 128;
pub const INFLATED_RATIO_MAX: u64 = 64;

/// What lies between two stacked codings, and what may pass there in one step.
pub const CODING_BETWEEN_BYTES: usize = 16 * 1024;
pub const CODING_TURN_BYTES: usize = 256 * 1024;

/// How often the codings of a body are run in one step: an empty gzip member of 20 bytes costs a run of some
/// 3 µs and says nothing.
pub const CODING_TURN_RUNS: usize = 256;

/// The largest window of a zstd frame (RFC 9659 §3: 8 MiB), as a power of two.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// What brotli is given at a time: behind an error in it, its decoder keeps what it made of the same piece.
pub const BROTLI_PIECE_BYTES: usize = 1024;

/// What one coding holds at most: brotli's window of 16 MiB, half of it once more while it grows, its tables.
pub const CODING_MEMORY_MAX_BYTES: usize = 32 * 1024 * 1024;

/// What the windows of brotli and zstd of one core hold together, counted in such steps.
pub const CODING_WINDOWS_MAX_BYTES: u64 = 256 * 1024 * 1024;
pub const CODING_WINDOW_STEP_BYTES: u64 = 64 * 1024;

/// The largest window of brotli (RFC 7932 §9.1).
pub const BROTLI_WINDOW_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Entries of an archive that are looked into, and how much of an entry's name is kept.
pub const ARCHIVE_ENTRIES_MAX: u32 = 16_384;
pub const ARCHIVE_NAME_MAX_BYTES: usize = 4096;

/// How much of a zip entry's extra fields is searched for its 64-bit sizes.
pub const ARCHIVE_EXTRA_MAX_BYTES: usize = 1024;

/// How much of a tar entry's extended head is searched for its path and size.
pub const ARCHIVE_PAX_MAX_BYTES: usize = 16 * 1024;

/// What an archive is recognized by: tar's first block.
pub const ARCHIVE_SNIFF_BYTES: usize = 512;

/// The longest boundary between parts (RFC 2046 §5.1.1 allows 70), the white space that may follow it, and
/// what of a part's head is kept together.
pub const MULTIPART_BOUNDARY_MAX_BYTES: usize = 200;
pub const MULTIPART_PADDING_MAX_BYTES: usize = 64;
pub const MULTIPART_HEAD_MAX_BYTES: usize = 16 * 1024;

/// White space that a quoted-printable soft line break may end with (RFC 2045 §6.7 allows lines of 76).
pub const QUOTED_PRINTABLE_PADDING_MAX_BYTES: usize = 76;

const _: () = assert!(CODING_BETWEEN_BYTES <= CODING_TURN_BYTES);
const _: () = assert!(1 << ZSTD_WINDOW_LOG_MAX < CODING_MEMORY_MAX_BYTES);
const _: () = assert!(ARCHIVE_EXTRA_MAX_BYTES < ARCHIVE_NAME_MAX_BYTES);
/// Words in a list such as `disable`, and the length of one.
pub const CONFIG_WORDS_MAX: usize = 4096;
pub const CONFIG_WORD_MAX_CHARS: usize = 200;
