//! Bounds of the heads of messages that a core remembers as clean.

/// So many requests and so many answers.
pub const CLEAN_HEADS_MAX: usize = 128;

/// Longer ones are scanned each time.
pub const CLEAN_HEAD_MAX_BYTES: usize = 1024;
