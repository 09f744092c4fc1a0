//! The bounds of protobuf messages.

/// The longest protobuf message that is kept whole, and read by its fields.
pub const PROTOBUF_KEPT_BYTES: usize = 64 * 1024;
/// How deep messages are looked at within each other there, and how many strings of one are.
pub const PROTOBUF_DEPTH_MAX: usize = 16;
pub const PROTOBUF_STRINGS_MAX: usize = 1024;
/// The longest message of a stream that may be one of the pieces of a text, and the longest such piece of protobuf.
pub const FRAMED_PIECE_MAX_BYTES: usize = 4 * 1024;
pub const PROTOBUF_PIECE_MAX_BYTES: usize = 1024;

/// The longest piece of what a container writes (Docker's own are 32 KiB).
pub const MULTIPLEXED_PIECE_MAX_BYTES: usize = 1024 * 1024;

/// Texts that messages of protobuf are joined to and that have gone for good, to make room for others, before no more are
/// joined: each costs a microsecond or two, for a message's byte or two.
pub const SCAN_LANES_LOST_MAX: usize = 4096;

/// How many such texts have gone, of events of whatever kind, before one event by itself begins none any more.
pub const SCAN_LANES_LOST_WAITING: usize = 256;
