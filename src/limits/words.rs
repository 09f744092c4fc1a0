//! Bounds of the search around long words.

/// From so many bytes on a word is long. Tokens are at least as long (a prefix of four and a body of sixteen, as
/// AWS' ids are); of clean text and code some 6 % stand in such words.
pub const LONG_WORD_MIN_BYTES: usize = 20;

/// What is looked at before a long word: the name of what is given a value.
pub const LONG_WORD_BEFORE_BYTES: usize = 128;

/// What is looked at behind it: what ends the value.
pub const LONG_WORD_BEHIND_BYTES: usize = 16;

/// The longest match of a filter that is looked for around long words only. So much of what was looked at is
/// looked at again, if more follows.
pub const LONG_WORD_FILTER_MAX_BYTES: usize = 512;

const _: () =
    assert!(LONG_WORD_FILTER_MAX_BYTES + LONG_WORD_BEFORE_BYTES < super::SCAN_CARRY_BYTES);
/// From so many rules on the engine is kept from looking at every second place only.
pub const SHORT_LITERAL_MIN_RULES: usize = 100;

const _: () = assert!(LONG_WORD_FILTER_MAX_BYTES > LONG_WORD_BEFORE_BYTES + LONG_WORD_MIN_BYTES);
