//! Blocks of bodies that were scanned and said nothing. An agent sends its whole conversation again with each turn, and
//! many agents fetch the same files: a block that comes again behind the same text is known to be clean under the
//! same rules, and only what is new is scanned.
//!
//! A block is told from another by a keyed digest of all its bytes (GMAC, NIST SP 800-38D): without the key, which no
//! one sees, as no digest is shown, nobody can make two blocks that have the same.

use std::collections::VecDeque;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use memchr::{memchr_iter, memmem};

use super::view::cut::next_cut;
use super::view::json::Mark;
use crate::limits::{
    CLEAN_BLOCK_KNOWN_BYTES, CLEAN_BLOCK_MAX_BYTES, CLEAN_BLOCK_MIN_BYTES, CLEAN_BLOCKS_MAX,
    CLEAN_CONTEXT_MAX_BLOCKS, CLEAN_CONTEXT_SAID_BYTES, MET_BLOCKS_MAX,
};

const KEY_BYTES: usize = 16;
const FACTOR_BYTES: usize = 16;
/// Of each thing that is true of a reading, of the block, and of each before it.
const FACTORS: usize = 3 + 1 + CLEAN_CONTEXT_MAX_BLOCKS;
/// How many that name the same place are kept.
const ROW: usize = 4;

/// Where the block ends that `bytes` begin with; none: not in these. Of the last of them so many are `new`. Only what it
/// holds decides, so that the same text is parted alike wherever it stands, and however it arrives.
pub(super) fn block_end(bytes: &[u8], new: usize) -> Option<usize> {
    let sought = bytes.get(..bytes.len().min(CLEAN_BLOCK_MAX_BYTES))?;
    let from = bytes.len().saturating_sub(new).max(CLEAN_BLOCK_MIN_BYTES);
    let end = next_cut(sought, from);
    end.or_else(|| (sought.len() == CLEAN_BLOCK_MAX_BYTES).then_some(CLEAN_BLOCK_MAX_BYTES))
}

/// How many bytes the text of a block has at least: an escape of JSON stands for fewer than it has.
pub(super) fn said_by(block: &[u8]) -> u16 {
    let dropped_by = |at: usize| match block.get(at + 2) {
        Some(b'0') => 4,
        Some(b'd' | b'D') => 3,
        _ => 2,
    };
    let dropped = memchr_iter(b'\\', block).count()
        + memmem::find_iter(block, b"\\u").map(dropped_by).sum::<usize>();
    u16::try_from(block.len().saturating_sub(dropped)).unwrap_or(u16::MAX)
}

/// What tells a block from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(u128);

impl Digest {
    fn halves(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> u64::BITS) as u64]
    }
}

/// The blocks that came last, as far back as what comes next may depend on them. It names bytes: who reads them says the
/// same of them from wherever it stands in JSON where they end, unless it finds out there that they are none.
pub(super) struct Context {
    blocks: VecDeque<Past>,
    said: usize,
    /// Whether nothing is before them.
    is_from_start: bool,
}

/// One of them.
struct Past {
    digest: Digest,
    said: u16,
}

impl Context {
    /// Of no block yet; `is_from_start`: nothing is before the first.
    pub(super) fn new(is_from_start: bool) -> Context {
        Context { blocks: VecDeque::new(), said: 0, is_from_start }
    }

    /// How many blocks these are.
    pub(super) fn len(&self) -> usize {
        self.blocks.len()
    }

    /// The block came that has this digest; none: it cannot be told from others.
    pub(super) fn add(&mut self, digest: Option<Digest>, said: u16) {
        let Some(digest) = digest else {
            *self = Context::new(false);
            return;
        };
        self.blocks.push_back(Past { digest, said });
        self.said += usize::from(said);
        while let Some(first) = self.blocks.front()
            && (self.is_enough_without(first) || self.blocks.len() > CLEAN_CONTEXT_MAX_BLOCKS)
        {
            self.said -= usize::from(first.said);
            self.blocks.pop_front();
            self.is_from_start = false;
        }
    }

    fn is_enough_without(&self, first: &Past) -> bool {
        self.said - usize::from(first.said) >= CLEAN_CONTEXT_SAID_BYTES
    }

    /// Whether what comes next depends on no more than these.
    pub(super) fn is_enough(&self) -> bool {
        self.is_from_start || self.said >= CLEAN_CONTEXT_SAID_BYTES
    }
}

/// Where a reader stands between two blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// In what is read as it stands.
    Text,
    Json(Mark),
}

impl Standing {
    /// Whether what seemed to be JSON is none.
    pub(super) fn is_lost(self) -> bool {
        matches!(self, Standing::Json(mark) if !mark.is_json())
    }
}

/// How a block is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// Whether it is looked through for known values.
    pub(super) is_watched: bool,
    /// Whether it is the end of its content.
    pub(super) is_last: bool,
}

/// What came of reading a block behind others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing was found, from one standing of the reader to the other, in a text of so many bytes.
    Clean { from: Standing, to: Standing, said: u16 },
    /// There is something in it, or something begins in it.
    Unclean,
}

/// What a core remembers.
pub(super) struct CleanBlocks {
    key: LessSafeKey,
    factors: [u128; FACTORS],
    /// Of the digests of blocks that came, a part each, in the row that it names.
    met: Vec<[u32; ROW]>,
    /// Blocks that were read by themselves, by a digest of them and of those that they were read behind.
    known: Vec<[Option<(Digest, Outcome)>; ROW]>,
}

impl CleanBlocks {
    /// Of none yet. None: there is no randomness to be had.
    pub(super) fn new() -> Option<CleanBlocks> {
        let (mut key, mut factors) = ([0; KEY_BYTES], [[0; FACTOR_BYTES]; FACTORS]);
        rand::fill(&mut key).ok()?;
        rand::fill(factors.as_flattened_mut()).ok()?;
        Some(CleanBlocks {
            key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?),
            factors: factors.map(u128::from_le_bytes),
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
        let [number, other] = digest.halves();
        let part = other as u32;
        let Some(row) = row_mut(&mut self.met, number) else { return false };
        let is_met = row.contains(&part);
        if !is_met {
            add(row, part);
        }
        is_met
    }

    /// Its digest.
    pub(super) fn digest(&self, block: &[u8]) -> Option<Digest> {
        // The nonce may be the same each time: it is only there to hide a digest from who sees several.
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(block), &mut []).ok()?;
        Some(Digest(u128::from_le_bytes(tag.as_ref().try_into().ok()?)))
    }

    /// The digest of a block that is read so behind those; none if they do not say enough. Multilinear hashing (Carter and
    /// Wegman, 1979) of digests that nobody sees, with factors that nobody sees.
    pub(super) fn digest_behind(
        &self,
        context: &Context,
        block: Digest,
        reading: Reading,
    ) -> Option<Digest> {
        if !context.is_enough() {
            return None;
        }
        let Reading { is_watched, is_last } = reading;
        let flags = [context.is_from_start, is_watched, is_last].map(u128::from);
        let digests = context.blocks.iter().rev().map(|past| past.digest.0);
        let terms = flags.into_iter().chain([block.0]).chain(digests);
        let sum = self
            .factors
            .iter()
            .zip(terms)
            .fold(0, |sum: u128, (factor, term)| sum.wrapping_add(factor.wrapping_mul(term)));
        Some(Digest(sum))
    }

    /// What came of reading this block, if that is known.
    pub(super) fn outcome(&mut self, block: Digest) -> Option<Outcome> {
        let [number, _] = block.halves();
        let row = row_mut(&mut self.known, number)?;
        row.iter().flatten().find(|(known, _)| *known == block).map(|(_, outcome)| *outcome)
    }

    /// Remembers that.
    pub(super) fn keep(&mut self, block: Digest, outcome: Outcome) {
        let [number, _] = block.halves();
        let Some(row) = row_mut(&mut self.known, number) else { return };
        match row.iter_mut().flatten().find(|(known, _)| *known == block) {
            Some((_, place)) => *place = outcome,
            None => add(row, Some((block, outcome))),
        }
    }
}

const _: () = assert!(size_of::<Option<(Digest, Outcome)>>() <= CLEAN_BLOCK_KNOWN_BYTES);

/// The row that this number names.
fn row_mut<T>(rows: &mut [[T; ROW]], number: u64) -> Option<&mut [T; ROW]> {
    let count = rows.len().max(1) as u64;
    rows.get_mut((number % count) as usize)
}

/// Puts one more into a row, in which the oldest makes room for it.
fn add<T>(row: &mut [T; ROW], new: T) {
    row.rotate_right(1);
    let [first, ..] = row;
    *first = new;
}
