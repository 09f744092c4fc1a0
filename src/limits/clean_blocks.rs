//! Bounds of the blocks of bodies that a core remembers as clean.

use super::{
    KNOWN_FORM_MAX_BYTES, RULE_NEAR_BYTES, SCAN_CARRY_BYTES, SCAN_MATCH_BEFORE_BYTES,
    SCAN_SHORT_TEXT_BYTES,
};

/// A block is no shorter, but at the end of a body, and no longer.
pub const CLEAN_BLOCK_MIN_BYTES: usize = 1152;
pub const CLEAN_BLOCK_MAX_BYTES: usize = 4096;

/// What the text of the blocks has at least that a block is known behind, once the escapes of JSON are resolved: the
/// longest that is looked for and what is near to it, also where a reading of that text has less.
pub const CLEAN_CONTEXT_SAID_BYTES: usize =
    KNOWN_FORM_MAX_BYTES + CLEAN_BLOCK_FOLDED_AWAY_MAX_BYTES as usize;
/// A block that more stand before is not remembered: they say too little.
pub const CLEAN_CONTEXT_MAX_BLOCKS: usize = 12;
/// By how much a reading with escapes resolved may be shorter than what it reads, for it to depend on them alone.
pub const CLEAN_BLOCK_FOLDED_AWAY_MAX_BYTES: u64 = 512;

/// A content is read in blocks from where so much of it comes at once.
pub const CLEAN_BLOCKS_FROM_BYTES: usize = 2560;
/// Who is fed so much at once is fed more soon: the start of a block at its end may wait for its rest.
pub const CLEAN_BLOCK_AWAITED_FROM_BYTES: usize = 8 * 1024;

/// Blocks of which it is remembered what came of them, for some 60 MB of bodies; and what each takes at most.
pub const CLEAN_BLOCKS_MAX: usize = 32 * 1024;
pub const CLEAN_BLOCK_KNOWN_BYTES: usize = 32;
/// Blocks remembered as having come, of 4 bytes each.
pub const MET_BLOCKS_MAX: usize = 64 * 1024;

// A block is no short text, and those before it are few.
const _: () = assert!(CLEAN_BLOCK_MIN_BYTES > SCAN_SHORT_TEXT_BYTES);
const _: () = assert!(CLEAN_BLOCK_MIN_BYTES < CLEAN_BLOCK_MAX_BYTES);
const _: () = assert!(CLEAN_BLOCK_MAX_BYTES <= u16::MAX as usize);
const _: () =
    assert!(CLEAN_CONTEXT_MAX_BLOCKS * CLEAN_BLOCK_MIN_BYTES > 2 * CLEAN_CONTEXT_SAID_BYTES);
// What is found depends on no more.
const _: () = assert!(KNOWN_FORM_MAX_BYTES >= SCAN_MATCH_BEFORE_BYTES + RULE_NEAR_BYTES);
const _: () = assert!(KNOWN_FORM_MAX_BYTES >= SCAN_CARRY_BYTES);
const _: () = assert!(CLEAN_BLOCK_AWAITED_FROM_BYTES >= CLEAN_BLOCK_MAX_BYTES);
