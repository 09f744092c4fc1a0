//! The bounds of what a document in PDF shows in fonts with codes of their own.

/// The codes of all pages that are kept until the document ends, and what they are looked at to tell their font's map.
pub const PDF_GLYPHS_MAX_BYTES: usize = 512 * 1024;
pub const PDF_FONT_SAMPLE_BYTES: usize = 1024;
/// Names of fonts, and streams that say what codes stand for, of one document; and the length of such a stream.
pub const PDF_FONTS_MAX: usize = 32;
pub const PDF_MAPS_MAX: usize = 32;
pub const PDF_MAP_MAX_BYTES: usize = 64 * 1024;
/// What all that such streams say takes until the document ends: seven that are as long as they may be and name a
/// Chinese character a code, of which each has some 4,500.
pub const PDF_MAPS_MAX_BYTES: usize = 512 * 1024;
/// In how many ways a document is read where several maps know the codes of a font.
pub const PDF_READINGS_MAX: usize = 4;
