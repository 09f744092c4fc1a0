//! What the views of one body may inflate to, all together: however codings, archives in archives and parts
//! are stacked, they spend from one account that only bytes from the wire fill.

use super::Undecodable;
use crate::limits::{
    INFLATED_AT_ONCE_BYTES, INFLATED_AT_ONCE_RATIO_MAX, INFLATED_FREE_BYTES, INFLATED_RATIO_MAX,
};

/// The account of one body.
#[derive(Clone, Debug, Default)]
pub struct Allowance {
    arrived: u64,
    spent: u64,
    /// Up to where it may be spent before others had their turn.
    now: Option<u64>,
}

impl Allowance {
    /// Of a body of which nothing came yet.
    pub fn new() -> Allowance {
        Allowance::default()
    }

    /// So many bytes of the body came over the wire.
    pub fn arrived(&mut self, bytes: usize) {
        self.arrived = self.arrived.saturating_add(bytes as u64);
    }

    /// Others had their turn, and so many bytes came to be looked at. What lies too deep within them to stop there
    /// and go on later may not hold the core for long.
    pub fn begin_turn(&mut self, bytes: usize) {
        let room = (bytes as u64).saturating_mul(INFLATED_AT_ONCE_RATIO_MAX);
        let now = self.spent.saturating_add(INFLATED_AT_ONCE_BYTES).saturating_add(room);
        self.now = Some(now);
    }

    /// An engine wrote so many bytes.
    pub(in crate::scan::view) fn spend(&mut self, bytes: usize) {
        self.spent = self.spent.saturating_add(bytes as u64);
    }

    /// Whether engines may go on. What one run of one writes may go beyond.
    pub(in crate::scan::view) fn check(&self) -> Result<(), Undecodable> {
        let cap =
            INFLATED_FREE_BYTES.saturating_add(self.arrived.saturating_mul(INFLATED_RATIO_MAX));
        let cap = self.now.map_or(cap, |now| cap.min(now));
        if self.spent > cap { Err(Undecodable::TooLarge) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_inflates_to_its_cap_and_not_past_it() {
        for (arrived, cap) in [
            (0, INFLATED_FREE_BYTES),
            (10, INFLATED_FREE_BYTES + 10 * INFLATED_RATIO_MAX),
            (u64::MAX, u64::MAX),
        ] {
            let mut allowance = Allowance { arrived, spent: cap, now: None };
            assert_eq!(allowance.check(), Ok(()));
            if cap < u64::MAX {
                allowance.spend(1);
                assert_eq!(allowance.check(), Err(Undecodable::TooLarge));
                allowance.arrived(1);
                assert_eq!(allowance.check(), Ok(()));
            }
        }
    }

    #[test]
    fn each_turn_has_its_own_cap() {
        let mut allowance = Allowance::new();
        allowance.arrived(1 << 20);
        for len in [0, 100] {
            allowance.begin_turn(len);
            let cap = INFLATED_AT_ONCE_BYTES + len as u64 * INFLATED_AT_ONCE_RATIO_MAX;
            allowance.spend(usize::try_from(cap).unwrap());
            assert_eq!(allowance.check(), Ok(()));
            allowance.spend(1);
            assert_eq!(allowance.check(), Err(Undecodable::TooLarge));
        }
    }
}
