//! Bounds of what several strings of JSON say together.

/// The longest of it, as it is written.
pub const JSON_ASIDE_MAX_BYTES: usize = 1024;
/// The words of a command.
pub const JSON_ASIDE_WORDS_MAX: usize = 32;
/// The fields before a message that has its length among them.
pub const HEADED_HEAD_MAX_BYTES: usize = 256;
/// The name of a command or of a setting.
pub const JSON_ASIDE_NAME_MAX_BYTES: usize = 64;
