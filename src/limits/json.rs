//! Bounds of what several strings of JSON say together.

/// The longest of it, as it is written.
pub const JSON_ASIDE_MAX_BYTES: usize = 1024;
/// The words of a command.
pub const JSON_ASIDE_WORDS_MAX: usize = 32;
/// What stands between the texts of two objects of which one goes on from the other, the longest string in it, and how much
/// of either text is read with the other.
pub const JSON_SIBLING_GAP_MAX_BYTES: usize = 384;
pub const JSON_SIBLING_OTHER_MAX_BYTES: usize = 64;
pub const JSON_SIBLING_ENDS_BYTES: usize = 128;
/// The fields before a message that has its length among them.
pub const HEADED_HEAD_MAX_BYTES: usize = 256;
/// The name of a command or of a setting.
pub const JSON_ASIDE_NAME_MAX_BYTES: usize = 64;
