//! What short messages are together that are framed one by one: a model streams its answer so. A stream that has but
//! one message has no pieces.

use super::Lanes;
use crate::limits::FRAMED_PIECE_MAX_BYTES;
use crate::scan::text::{Place, Scope};

/// The messages of one stream.
pub(super) struct Pieces {
    place: Place,
    /// The message under way as far as it came, if it may be a piece.
    kept: Option<Vec<u8>>,
    /// The first one, until there is another.
    first: Vec<u8>,
    lanes: Option<Box<Lanes>>,
}

impl Pieces {
    /// No message yet.
    pub(super) fn new(place: Place) -> Pieces {
        Pieces { place, kept: None, first: Vec::new(), lanes: None }
    }

    /// A message begins, which may be a piece.
    pub(super) fn begin(&mut self, may_be: bool) {
        self.kept = may_be.then(Vec::new);
    }

    /// The next bytes of the message under way.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
        if let Some(mut kept) = self.kept.take()
            && kept.len() + bytes.len() <= FRAMED_PIECE_MAX_BYTES
        {
            kept.extend_from_slice(bytes);
            self.kept = Some(kept);
        }
    }

    /// The message that ended, if it is one.
    pub(super) fn ended(&mut self) -> Option<Vec<u8>> {
        self.kept.take().filter(|kept| !kept.is_empty())
    }

    /// Joins a message to those before it.
    pub(super) fn take(&mut self, message: Vec<u8>, scope: &mut Scope<'_>) {
        if self.lanes.is_none() && self.first.is_empty() {
            self.first = message;
            return;
        }
        let lanes = self.lanes.get_or_insert_with(|| Box::new(Lanes::of_packets(self.place)));
        for message in [std::mem::take(&mut self.first), message] {
            // What is no protobuf may be JSON.
            if !lanes.take_message(&message, scope) {
                lanes.take(&message, scope);
            }
        }
    }

    /// Scans what was joined since the last time.
    pub(super) fn tell(&mut self, scope: &mut Scope<'_>) {
        if let Some(lanes) = &mut self.lanes {
            lanes.tell(scope);
        }
    }

    /// The end of all.
    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        if let Some(lanes) = &mut self.lanes {
            lanes.finish(scope);
        }
    }
}
