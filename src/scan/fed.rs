//! Few bytes may stand for many: what inflates them stops at each piece that it has read, so that others of the core
//! get their turn, and goes on later with what is left.

use super::padded::Padded;
use crate::limits::SCAN_PADDING_BYTES;

/// What became of bytes that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fed {
    /// How many were taken.
    pub(super) taken: usize,
    /// Whether there is more to do: the rest is to be given again, even if that is nothing.
    pub(super) is_behind: bool,
}

impl Fed {
    /// All of them were taken, and there is nothing left to do.
    pub(super) fn whole(bytes: Padded<'_>) -> Fed {
        Fed { taken: bytes.len(), is_behind: false }
    }

    /// Gives all bytes to `step`, until there is nothing left to do.
    pub(super) fn all_of(bytes: Padded<'_>, mut step: impl FnMut(Padded<'_>) -> Fed) {
        let mut at = 0;
        loop {
            let fed = step(bytes.slice(at..bytes.len()).unwrap_or_default());
            at += fed.taken;
            if !fed.is_behind {
                return;
            }
        }
    }
}

/// The bytes that were not taken yet.
#[derive(Default)]
pub(super) struct Left {
    /// Behind them the padding.
    bytes: Vec<u8>,
    /// Where in them the rest lies.
    at: usize,
    end: usize,
    is_behind: bool,
}

impl Left {
    /// Whether there is more to do.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Bytes that have to wait for those before them.
    pub(super) fn add(&mut self, bytes: Padded<'_>) {
        self.bytes.truncate(self.end);
        self.bytes.extend_from_slice(bytes.bytes());
        self.end = self.bytes.len();
        self.bytes.extend_from_slice(&[0; SCAN_PADDING_BYTES]);
    }

    /// What was not taken of bytes that came.
    pub(super) fn keep(&mut self, bytes: Padded<'_>, fed: Fed) {
        self.is_behind = fed.is_behind;
        if fed.is_behind {
            self.add(bytes.slice(fed.taken..bytes.len()).unwrap_or_default());
        }
    }

    /// Gives the rest to `step`.
    pub(super) fn go_on(&mut self, step: impl FnOnce(Padded<'_>) -> Fed) {
        let fed = step(Padded::new(&self.bytes, self.at..self.end).unwrap_or_default());
        self.at += fed.taken;
        self.is_behind = fed.is_behind;
        if !fed.is_behind {
            // Nothing waits any more, and most contents never come here again.
            *self = Left::default();
        }
    }
}
