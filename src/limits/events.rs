//! Bounds of the texts that the events of a stream are joined to.

/// Texts that the events of a stream are joined to, at the same time.
pub const SCAN_LANES_MAX: usize = 64;
/// Of how many more the last bytes are kept, and how many.
pub const SCAN_LANES_PARTED_MAX: usize = 512;
pub const SCAN_LANE_TAIL_BYTES: usize = 128;
/// What of such a text is put together before it is scanned, of the events that one read brought.
pub const SCAN_LANE_PENDING_BYTES: usize = 32 * 1024;

/// From how many bytes on a piece that the next one begins with is all of the text so far, said once more.
pub const SCAN_REPEATED_PIECE_MIN_BYTES: usize = 16;
/// How much of its front is compared, beside as much of its end as is kept.
pub const SCAN_REPEATED_FRONT_BYTES: usize = 64;
/// How many events later a text may still be said once more as a whole.
pub const SCAN_LANE_RECENT_EVENTS: u64 = 16;

/// Of lines of JSON that come at once: how many are looked at to tell whether they are the events of a stream, how long
/// the text is at most in which two of them differ, and how many texts each has at most.
pub const SCAN_DELTA_LINES_MAX: usize = 8;
pub const SCAN_DELTA_MAX_BYTES: usize = 32;
pub const SCAN_DELTA_OTHERS_MAX: usize = 4;
