//! The bounds of markup.

/// The longest tag, with its attributes, that is taken out of a text: pictures stand in them. Behind it what was
/// taken for a tag is text.
pub const MARKUP_TAG_MAX_BYTES: usize = 256 * 1024;
/// The longest name of an element that is looked at.
pub const MARKUP_NAME_MAX_BYTES: usize = 12;
