//! Bounds of the heads of messages: which a core remembers as clean, and what is told of one.

/// So many requests and so many answers.
pub const CLEAN_HEADS_MAX: usize = 128;

/// Longer ones are scanned each time.
pub const CLEAN_HEAD_MAX_BYTES: usize = 1024;

/// What of an Origin that is refused is told.
pub const ORIGIN_SHOWN_MAX_BYTES: usize = 128;

const _: () = assert!(ORIGIN_SHOWN_MAX_BYTES <= super::REPLY_DETAIL_MAX_CHARS / 2);
