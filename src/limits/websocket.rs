//! The bounds of WebSocket messages.

use super::{SCAN_MESSAGE_KEPT_BYTES, SCAN_PADDING_BYTES, SCRATCH_KEPT_BYTES};

/// The most payload of a WebSocket control frame (RFC 6455 §5.5).
pub const WEBSOCKET_CONTROL_MAX_BYTES: u64 = 125;

/// What of a WebSocket message is unmasked or inflated at a time, to be scanned.
pub const WEBSOCKET_WORK_BYTES: usize = 32 * 1024;

/// What of a masked payload is unmasked at a time on its way to the inflater.
pub const WEBSOCKET_UNMASK_BYTES: usize = 4096;

/// How far a compressed WebSocket message is inflated: so many bytes whatever it is, and beyond them so many
/// for each byte that was sent. Text comes to 10 for one, deflate's most is 1032.
pub const WEBSOCKET_INFLATED_FREE_BYTES: u64 = 32 * 1024 * 1024;
pub const WEBSOCKET_INFLATED_RATIO_MAX: u64 = 64;

/// What a message inflates to beyond that, where others may refer to it: so much is made and forgotten, so that they
/// can still be read. A multiple of what receivers take of one message by default (1 to 100 MiB), and some 0.2 s of a
/// core's, in turns; by each byte that was sent it costs no more than what is scanned.
pub const WEBSOCKET_DISCARDED_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The most deflate streams that follow each other in one message: each costs a fresh inflater (RFC 7692
/// §7.2.3.5 allows them, nobody makes more than one).
pub const WEBSOCKET_DEFLATE_STREAMS_MAX: u32 = 64;

/// The parts of a message of Jupyter: channel, header, parent, metadata, content, and buffers.
pub const JUPYTER_PARTS_MAX: usize = 64;

/// The longest plain message that is joined to those around it as a whole; of a longer one, what is joined at each
/// end. A key is shorter than that, and what is in a message is scanned with it anyway.
pub const SCAN_JOINED_MESSAGE_BYTES: usize = 2048;
pub const SCAN_JOINED_END_BYTES: usize = 1024;
/// The most channels of one direction whose plain messages are joined, each to a text (Kubernetes has three of
/// text, ttyd has four); those of further ones are scanned by themselves.
pub const SCAN_CHANNELS_MAX: usize = 4;
/// What the last two messages say together at least if a token at their end is told at once. Where they are
/// shorter, it is being typed or generated, and its end is waited for.
pub const SCAN_PAUSE_MIN_BYTES: u64 = 16;

/// How far into a message of Socket.IO its JSON begins at most: numbers, and the name of a namespace.
pub const SOCKET_IO_HEAD_MAX_BYTES: usize = 256;

const _: () = assert!(2 * SCAN_JOINED_END_BYTES <= SCAN_JOINED_MESSAGE_BYTES);
const _: () = assert!(SCAN_JOINED_MESSAGE_BYTES < SCAN_MESSAGE_KEPT_BYTES);
const _: () = assert!(WEBSOCKET_WORK_BYTES + SCAN_PADDING_BYTES <= SCRATCH_KEPT_BYTES);
const _: () = assert!(WEBSOCKET_INFLATED_FREE_BYTES >= 16 * 1024 * 1024);
