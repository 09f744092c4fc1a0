//! Compilations under way in this process. The engine cannot be interrupted, and a process that returned from `main`
//! would take the engine's globals from under it: whoever ends the process lets none begin, and waits.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Where compilations go through.
#[derive(Debug, Default)]
pub struct Gate(AtomicUsize);

/// That of the process.
pub static GATE: Gate = Gate(AtomicUsize::new(0));

/// Above every count.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// A compilation, until it is dropped.
#[derive(Debug)]
pub struct Compiling<'a>(&'a Gate);

impl Gate {
    /// None once it is closed.
    pub fn enter(&self) -> Option<Compiling<'_>> {
        let one_more = |state| (state & CLOSED == 0).then_some(state + 1);
        let entered = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        entered.is_ok().then(|| Compiling(self))
    }

    /// Lets none begin any more.
    pub fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Whether one is under way.
    pub fn is_entered(&self) -> bool {
        self.0.load(Ordering::Acquire) & !CLOSED != 0
    }
}

impl Drop for Compiling<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_begun_is_seen_to_its_end_and_nothing_begins_once_it_is_closed() {
        let gate = Gate::default();
        assert!(!gate.is_entered());
        let (first, second) = (gate.enter().unwrap(), gate.enter().unwrap());
        drop(first);
        gate.close();
        gate.close();
        assert!(gate.is_entered() && gate.enter().is_none());
        drop(second);
        assert!(!gate.is_entered() && gate.enter().is_none());
    }
}
