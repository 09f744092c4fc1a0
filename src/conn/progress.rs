//! How far an exchange is: what its two directions know of each other, and what follows from that when it breaks
//! off.

use std::cell::Cell;

use super::exchange::Outcome;
use crate::error::Error;

/// How far both directions are.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The request went out whole.
    pub(super) request_sent: Cell<bool>,
    /// The first byte of the final response went out.
    pub(super) response_started: Cell<bool>,
    /// The response ends with the client's connection.
    pub(super) ends_by_close: Cell<bool>,
    /// The client sent FIN: it gets its answer, and no more.
    pub(super) half_closed: Cell<bool>,
}

impl Progress {
    /// Nothing can be said to the client any more.
    pub(super) fn cut(&self, error: Error) -> Outcome {
        Outcome::Cut { error, looks_whole: self.ends_by_close.get() }
    }
}
