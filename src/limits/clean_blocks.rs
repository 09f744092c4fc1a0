//! Bounds of the blocks of bodies that a core remembers as clean.

use super::{RULE_NEAR_BYTES, SCAN_CARRY_BYTES, SCAN_MATCH_BEFORE_BYTES, SCAN_SHORT_TEXT_BYTES};

/// A block is no shorter, but at the end of a body, and no longer.
pub const CLEAN_BLOCK_MIN_BYTES: usize = 2560;
pub const CLEAN_BLOCK_MAX_BYTES: usize = 4096;

/// What the text of a block has at least, once the escapes of JSON are resolved: two hold the longest match that is looked
/// for, and what is near to it.
pub const CLEAN_BLOCK_SAID_MIN_BYTES: usize = (SCAN_MATCH_BEFORE_BYTES + RULE_NEAR_BYTES) / 2;
/// By how much a reading with escapes resolved may be shorter than what it reads, for it to depend on two blocks alone.
pub const CLEAN_BLOCK_FOLDED_AWAY_MAX_BYTES: u64 =
    (SCAN_CARRY_BYTES - 2 * CLEAN_BLOCK_SAID_MIN_BYTES) as u64;

/// Blocks of which it is remembered what came of them, for some 40 MB of bodies; and what each takes at most.
pub const CLEAN_BLOCKS_MAX: usize = 16 * 1024;
pub const CLEAN_BLOCK_KNOWN_BYTES: usize = 64;
/// Blocks remembered as having come, of 8 bytes each.
pub const MET_BLOCKS_MAX: usize = 32 * 1024;

// A match is looked for in what two blocks hold, and a block is no short text.
const _: () = assert!(2 * CLEAN_BLOCK_MIN_BYTES >= SCAN_CARRY_BYTES);
const _: () = assert!(CLEAN_BLOCK_SAID_MIN_BYTES < CLEAN_BLOCK_MIN_BYTES);
const _: () = assert!(CLEAN_BLOCK_MIN_BYTES > SCAN_SHORT_TEXT_BYTES);
const _: () = assert!(CLEAN_BLOCK_MIN_BYTES < CLEAN_BLOCK_MAX_BYTES);
