//! Bounds of encoded text: runs of digits, lists of numbers, dumps of bytes.

/// How often a long run of base64 digits is looked at again, and how far back the start of one is
/// looked for from a place inside it.
pub const ENCODED_LOOK_AGAIN_BYTES: usize = 1024;
pub const ENCODED_LOOK_BACK_BYTES: usize = 4096;

/// How many numbers of a list must say text in a row before it is worth decoding, and how much may stand between
/// two of them: a line break and an indentation.
pub const ENCODED_NUMBERS_MIN: usize = 12;
pub const ENCODED_BETWEEN_MAX_BYTES: usize = 40;
/// How much of a list is looked at to tell bytes in hex from numbers.
pub const ENCODED_LIST_LOOK_BYTES: usize = 512;

/// The digits of the offset before a line of a dump: tcpdump prints four, the other tools six to eight, debuggers whole
/// addresses.
pub const DUMP_OFFSET_MIN_DIGITS: usize = 4;
pub const DUMP_OFFSET_MAX_DIGITS: usize = 16;
/// The bytes that are written as one group, and what a line shows of its bytes behind them.
pub const DUMP_GROUP_MAX_BYTES: usize = 16;
pub const DUMP_SHOWN_MAX_BYTES: usize = 256;
/// How far around a place a line of a dump is looked for, and the bytes that it says at least.
pub const DUMP_LINE_MAX_BYTES: usize = 320;
pub const DUMP_LINE_MIN_BYTES: usize = 4;

/// How often what a snippet shows is decoded, to hide the secrets that it says.
pub const SNIPPET_DECODED_DEEP: usize = 3;

/// The fewest bytes as numbers in a row that are read as a text there.
pub const SNIPPET_NUMBERS_MIN: usize = 8;
