//! Blocks of bodies that were scanned and said nothing. An agent sends its whole conversation again with each turn, and
//! many agents fetch the same files: a block that comes again behind the same two blocks is known to be clean under the
//! same rules, and only what is new is scanned.
//!
//! A block is told from another by a keyed digest of all its bytes (GMAC, NIST SP 800-38D): without the key, which no
//! one sees, as no digest is shown, nobody can make two blocks that have the same.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use memchr::{memchr_iter, memchr2, memmem};

use super::view::json::Mark;
use crate::limits::{
    CLEAN_BLOCK_KNOWN_BYTES, CLEAN_BLOCK_MAX_BYTES, CLEAN_BLOCK_MIN_BYTES,
    CLEAN_BLOCK_SAID_MIN_BYTES, CLEAN_BLOCKS_MAX, MET_BLOCKS_MAX,
};

const KEY_BYTES: usize = 16;
/// How many that name the same place are kept.
const ROW: usize = 4;

/// Where a block ends that begins with the `held` bytes that came before `bytes`; none: not in these. Only what it holds
/// decides, so that the same text is parted alike wherever it stands, and however it arrives.
pub(super) fn block_end(held: usize, bytes: &[u8]) -> Option<usize> {
    let from = CLEAN_BLOCK_MIN_BYTES.saturating_sub(held);
    let to = CLEAN_BLOCK_MAX_BYTES.saturating_sub(held);
    let sought = bytes.get(from..bytes.len().min(to))?;
    let end = memchr2(b'}', b'\n', sought).map(|at| from + at + 1);
    end.or_else(|| (bytes.len() >= to).then_some(to))
}

/// Whether two blocks like this hold all that a match behind them depends on: an escape of JSON stands for fewer bytes
/// than it has.
pub(super) fn says_enough(block: &[u8]) -> bool {
    let dropped_by = |at: usize| match block.get(at + 2) {
        Some(b'0') => 4,
        Some(b'd' | b'D') => 3,
        _ => 2,
    };
    let dropped = memchr_iter(b'\\', block).count()
        + memmem::find_iter(block, b"\\u").map(dropped_by).sum::<usize>();
    block.len().saturating_sub(dropped) >= CLEAN_BLOCK_SAID_MIN_BYTES
}

/// What tells a block from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest([u8; 16]);

impl Digest {
    /// Stands for what is before the first block.
    pub(super) const START: Digest = Digest([0; 16]);

    fn number(self) -> usize {
        usize::from_le_bytes(std::array::from_fn(|at| self.0.get(at).copied().unwrap_or(0)))
    }
}

/// Where a reader stands between two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In what is read as it stands.
    Text,
    Json(Mark),
}

/// A block, and the two that it was read behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) digest: Digest,
    pub(super) before: [Digest; 2],
    /// Whether it was looked through for known values.
    pub(super) is_watched: bool,
}

/// What came of reading a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing was found, from one standing of the reader to the other.
    Clean { from: Standing, to: Standing },
    /// There is something in it, or something begins in it.
    Unclean,
}

impl Block {
    /// Names where it is kept: the same block behind others is kept elsewhere.
    fn number(&self) -> usize {
        let [first, second] = self.before.map(Digest::number);
        self.digest.number() ^ second.rotate_left(1) ^ first.rotate_left(2)
    }
}

/// What a core remembers.
pub(super) struct CleanBlocks {
    key: LessSafeKey,
    /// Of the digests of blocks that came, a part each, in the row that it names.
    met: Vec<[usize; ROW]>,
    /// Blocks that came twice.
    known: Vec<[Option<(Block, Outcome)>; ROW]>,
}

impl CleanBlocks {
    /// Of none yet. None: there is no randomness to be had.
    pub(super) fn new() -> Option<CleanBlocks> {
        let mut key = [0; KEY_BYTES];
        rand::fill(&mut key).ok()?;
        Some(CleanBlocks {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            met: vec![[0; ROW]; MET_BLOCKS_MAX / ROW],
            known: vec![[None; ROW]; CLEAN_BLOCKS_MAX / ROW],
        })
    }

    /// How many blocks it has room for.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len() * ROW
    }

    /// Whether a block came before. From now on it has.
    pub(super) fn meet(&mut self, digest: Digest) -> bool {
        let number = digest.number();
        let Some(row) = row_mut(&mut self.met, number) else { return false };
        let is_met = row.contains(&number);
        if !is_met {
            add(row, number);
        }
        is_met
    }

    /// Its digest.
    pub(super) fn digest(&self, block: &[u8]) -> Option<Digest> {
        // The nonce may be the same each time: it is only there to hide a digest from who sees several.
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(block), &mut []).ok()?;
        Some(Digest(tag.as_ref().try_into().ok()?))
    }

    /// What came of reading this block, if that is known.
    pub(super) fn outcome(&mut self, block: &Block) -> Option<Outcome> {
        let row = row_mut(&mut self.known, block.number())?;
        row.iter().flatten().find(|(known, _)| known == block).map(|(_, outcome)| *outcome)
    }

    /// Remembers that.
    pub(super) fn keep(&mut self, block: Block, outcome: Outcome) {
        let Some(row) = row_mut(&mut self.known, block.number()) else { return };
        match row.iter_mut().flatten().find(|(known, _)| *known == block) {
            Some((_, place)) => *place = outcome,
            None => add(row, Some((block, outcome))),
        }
    }
}

const _: () = assert!(size_of::<Option<(Block, Outcome)>>() <= CLEAN_BLOCK_KNOWN_BYTES);

/// The row that this number names.
fn row_mut<T>(rows: &mut [[T; ROW]], number: usize) -> Option<&mut [T; ROW]> {
    let count = rows.len().max(1);
    rows.get_mut(number % count)
}

/// Puts one more into a row, in which the oldest makes room for it.
fn add<T>(row: &mut [T; ROW], new: T) {
    row.rotate_right(1);
    let [first, ..] = row;
    *first = new;
}
