//! The bounds of protobuf messages.

/// The longest protobuf message that is kept whole, and read by its fields.
pub const PROTOBUF_KEPT_BYTES: usize = 64 * 1024;
/// How deep messages are looked at within each other there, and how many strings of one are.
pub const PROTOBUF_DEPTH_MAX: usize = 16;
pub const PROTOBUF_STRINGS_MAX: usize = 1024;
