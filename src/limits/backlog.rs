//! Bounds of what is scanned after it was forwarded.

use super::{SCAN_PADDING_BYTES, SCRATCH_KEPT_BYTES};

/// The largest part of a message that is scanned after it was forwarded, and the parts of one core that wait for
/// that, their bytes in all. What does not fit is scanned before.
pub const BACKLOG_PART_MAX_BYTES: usize = 16 * 1024;
pub const BACKLOG_MAX: usize = 1024;
pub const BACKLOG_MAX_BYTES: usize = 1024 * 1024;

/// The largest piece of a body that is scanned after it was forwarded, where the body comes in many: an event is
/// small, and what is larger is not worth the copy.
pub const BACKLOG_PIECE_MAX_BYTES: usize = 4 * 1024;

const _: () = assert!(BACKLOG_PIECE_MAX_BYTES <= BACKLOG_PART_MAX_BYTES);
const _: () = assert!(BACKLOG_PART_MAX_BYTES + SCAN_PADDING_BYTES <= SCRATCH_KEPT_BYTES);
const _: () = assert!(BACKLOG_PART_MAX_BYTES <= BACKLOG_MAX_BYTES);
