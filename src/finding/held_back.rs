//! How many repeats a core holds back: counted by the core, told by the logger thread.

use std::sync::atomic::{AtomicU64, Ordering};

/// Repeats of one key that one core held back since they were told last.
///
/// The first one after that is not held back but handed over, so that there is a finding to tell the others with, should
/// nothing else come. One word holds both: 0 while that one is awaited, then one more than was held back.
#[derive(Debug, Default)]
pub struct HeldBack(AtomicU64);

impl HeldBack {
    /// Counts a repeat. False: it is to be handed over.
    pub fn holds_back(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) > 0
    }

    /// How many were held back.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed).saturating_sub(1)
    }

    /// The same, to tell it.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_after_each_telling_is_handed_over() {
        let held_back = HeldBack::default();
        for _ in 0..2 {
            assert_eq!(held_back.take(), 0);
            assert!(!held_back.holds_back());
            assert_eq!(held_back.get(), 0);
            assert!(held_back.holds_back() && held_back.holds_back());
            assert_eq!(held_back.get(), 2);
            assert_eq!(held_back.take(), 2);
        }
    }
}
