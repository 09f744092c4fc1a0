//! The cheap filter: a keyed hash of 8 bytes, a bitmap of the hashes that matter, and what each stands for.

/// The bytes that are hashed at once.
pub(super) const ANCHOR_BYTES: usize = 8;

/// A stream is looked at every so many bytes only. Each target is entered as often, once for each distance from
/// its end, by anchors that are shorter by as much.
pub(super) const STRIDE_BYTES: usize = 4;

/// Of 8 bytes as a number, the last 5.
const SHORT: u64 = u64::MAX << (8 * (STRIDE_BYTES - 1));

/// Words of a bitmap: 2^17 bits in 16 KiB, which stay in a core's first cache.
const WORDS: usize = 2048;

/// A multiplicative hash under random keys, so that nobody who makes traffic can aim at it.
pub(super) struct AnchorHash {
    mask: u64,
    /// Odd.
    factor: u64,
}

impl AnchorHash {
    pub(super) fn keyed(key: [u8; 16]) -> AnchorHash {
        let both = u128::from_le_bytes(key);
        // The halves of the key, each cut off on purpose.
        let (low, high) = (both as u64, (both >> 64) as u64);
        AnchorHash { mask: low, factor: high | 1 }
    }

    pub(super) fn of(&self, anchor: &[u8; ANCHOR_BYTES]) -> u64 {
        (u64::from_le_bytes(*anchor) ^ self.mask).wrapping_mul(self.factor)
    }

    /// The hash of the last bytes of an anchor.
    pub(super) fn of_end(&self, anchor: &[u8; ANCHOR_BYTES]) -> u64 {
        ((u64::from_le_bytes(*anchor) & SHORT) ^ self.mask).wrapping_mul(self.factor)
    }

    /// Each position of a text behind 8 bytes, with their hash.
    pub(super) fn each(&self, text: &[u8], found: &mut impl FnMut(usize, u64)) {
        for (start, anchor) in text.windows(ANCHOR_BYTES).enumerate() {
            if let Ok(anchor) = anchor.try_into() {
                found(start + ANCHOR_BYTES, self.of(anchor));
            }
        }
    }
}

/// What is kept of a hash beside its bit: too little to tell the 8 bytes by.
pub(super) fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The hashes of some anchors, and what each stands for.
pub(super) struct Anchors {
    bitmap: Box<[u64; WORDS]>,
    /// The same of the hashes mixed once more: asked where the first one hits by chance.
    second: Box<[u64; WORDS]>,
    /// In order once `sort` was called.
    numbers: Vec<(u32, usize)>,
}

impl Default for Anchors {
    fn default() -> Self {
        let empty = || Box::new([0; WORDS]);
        Anchors { bitmap: empty(), second: empty(), numbers: Vec::new() }
    }
}

impl Anchors {
    pub(super) fn add(&mut self, hash: u64, number: usize) {
        let places = [(&mut self.bitmap, place(hash)), (&mut self.second, place(mixed(hash)))];
        for (bitmap, (word, bit)) in places {
            if let Some(word) = bitmap.get_mut(word) {
                *word |= bit;
            }
        }
        self.numbers.push((tag(hash), number));
    }

    pub(super) fn sort(&mut self) {
        self.numbers.sort_unstable();
    }

    /// Whether a hash may be one of them.
    pub(super) fn may_hold(&self, hash: u64) -> bool {
        holds(&self.bitmap, place(hash)) && holds(&self.second, place(mixed(hash)))
    }

    /// What a hash stands for.
    pub(super) fn at(&self, hash: u64) -> impl Iterator<Item = usize> {
        let wanted = tag(hash);
        let is_there = self.may_hold(hash);
        let first = match is_there {
            true => self.numbers.partition_point(|(tag, _)| *tag < wanted),
            false => self.numbers.len(),
        };
        let behind = self.numbers.get(first..).unwrap_or_default().iter();
        behind.take_while(move |(tag, _)| *tag == wanted).map(|(_, number)| *number)
    }
}

fn holds(bitmap: &[u64; WORDS], (word, bit): (usize, u64)) -> bool {
    bitmap.get(word).is_some_and(|word| word & bit != 0)
}

/// A hash whose uppermost bits are others'. The factor is that of Fibonacci hashing, 2^64 over the golden ratio.
fn mixed(hash: u64) -> u64 {
    (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The word and the bit of a hash: its uppermost 17 bits, which depend on every byte.
fn place(hash: u64) -> (usize, u64) {
    ((hash >> 53) as usize, 1 << ((hash >> 47) & 63))
}
