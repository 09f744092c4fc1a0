//! The bounds of what git sends, and of the zlib streams that it is made of.

/// Objects of a pack that are looked into: more than a source tree and years of its history have.
pub const PACK_OBJECTS_MAX: u32 = 1 << 20;

/// How much of a zlib stream must have been inflated until something that nobody announced counts as one.
pub const ZLIB_PROOF_BYTES: usize = 256;
