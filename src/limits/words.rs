//! Bounds of the search around long words.

/// From so many bytes on a word is long: names and paths in code seldom are, one a KiB.
pub const LONG_WORD_MIN_BYTES: usize = 36;

/// So is a word with so many letters and digits in a row. Most tokens have as many, and of names in code, which
/// join words by signs, there is one in 2 KiB.
pub const LONG_WORD_MIN_LETTERS: usize = 16;

/// A token has so many bytes at least (a prefix of four and a body of sixteen, as AWS' ids have).
pub const TOKEN_MIN_BYTES: usize = 20;

/// What is looked at before a long word: the name of what is given a value.
pub const LONG_WORD_BEFORE_BYTES: usize = 128;

/// What is looked at behind it: what ends the value, and what stands behind the last stop of a token in parts.
pub const LONG_WORD_BEHIND_BYTES: usize = 48;

/// The longest match of a filter that is looked for around long words only. So much of what was looked at is
/// looked at again, if more follows.
pub const LONG_WORD_FILTER_MAX_BYTES: usize = 512;

const _: () =
    assert!(LONG_WORD_FILTER_MAX_BYTES + LONG_WORD_BEFORE_BYTES < super::SCAN_CARRY_BYTES);
const _: () = assert!(LONG_WORD_FILTER_MAX_BYTES > LONG_WORD_BEFORE_BYTES + LONG_WORD_MIN_BYTES);

/// Literals from which on the engine looks at every place, and how many a rule's filter has at the least on average
/// (those that are shipped have seven). Filled up to so many where there are so many filters, with no fewer fillers
/// than that.
pub const FILLED_LITERALS: usize = 5000;
pub const FILTER_LITERALS: usize = 5;
pub const FILLED_MIN_FILTERS: usize = 300;
pub const FILLERS_MIN: usize = 1000;

/// From so many rules on the engine is kept from looking at every second place only.
pub const SHORT_LITERAL_MIN_RULES: usize = 100;
