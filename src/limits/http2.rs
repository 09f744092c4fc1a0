//! The bounds of HTTP/2.

use super::FIRST_WRITE_BYTES;

/// Requests that one client's connection has under way at the same time; whoever wants more waits. RFC 9113 §6.5.2
/// advises no less.
pub const HTTP2_STREAMS_MAX: u32 = 100;

/// The same with those that the client has reset and whose exchanges have not ended yet; more are refused.
pub const HTTP2_STREAMS_HELD_MAX: usize = 200;

/// What a peer may send of a connection before any of it was passed on, and of one stream: at first, and at least, as much
/// as each has room for if there are many, since those that nobody takes anything of must not hold up the others; and at
/// most, for one that has much to send. In a round trip of 20 ms that is 200 MB/s.
pub const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;
pub const HTTP2_STREAM_WINDOW_MIN_BYTES: u32 = 64 * 1024;
pub const HTTP2_STREAM_WINDOW_MAX_BYTES: u32 = 4 * 1024 * 1024;

/// The smallest frame of one that has much to send.
pub const HTTP2_BULK_FRAME_MIN_BYTES: usize = 1024;

/// What waits of one stream for its peer to take it.
pub const HTTP2_SEND_BUFFER_BYTES: usize = 64 * 1024;

/// What stands in a pipe between a stream and its exchange, a direction.
pub const PIPE_BYTES: usize = 32 * 1024;

/// How long a connection that ends waits for what it still has to say to be taken, and an exchange whose client has
/// given it up for its own end.
pub const HTTP2_FAREWELL_MS: u64 = 1000;

/// How long a stream stands whose answer has come whole while its origin does not say that it is over. Then it is
/// cancelled: origins allow so many at the same time.
pub const HTTP2_UNENDED_MS: u64 = 5000;

/// How often a connection that its origin has given up is looked at: once its last stream is over, it ends.
pub const HTTP2_LEFT_LOOK_MS: u64 = 1000;

/// Connections to an origin on which one request is tried while each ends before its answer. One that serves few
/// requests ends them for all who ask at the same time.
pub const HTTP2_ATTEMPTS_MAX: usize = 16;

/// Origins that a core knows to speak HTTP/2 only, and for how long: they may learn HTTP/1.1.
pub const HTTP2_ONLY_KNOWN_MAX: usize = 256;
pub const HTTP2_ONLY_KNOWN_SECS: u64 = 600;

const _: () = assert!(FIRST_WRITE_BYTES <= PIPE_BYTES);
const _: () = assert!(HTTP2_STREAMS_MAX as usize <= HTTP2_STREAMS_HELD_MAX);
const _: () =
    assert!(HTTP2_STREAMS_MAX * HTTP2_STREAM_WINDOW_MIN_BYTES <= HTTP2_CONNECTION_WINDOW_BYTES);
