//! The payload of one event, gathered over reads, within a bound.

use crate::limits::{EVENT_MAX_BYTES, EVENT_ROOM_KEPT_BYTES};

/// Gathers the pieces of one payload after the other.
///
/// A payload that lies whole in one read is given out from there. One that is longer than
/// [`EVENT_MAX_BYTES`] is not given out but counted, whether it lies in one read or not: what is
/// found may not depend on how the bytes arrive.
#[derive(Debug, Default)]
pub(super) struct Payload {
    kept: Vec<u8>,
    /// All bytes of the payload, those that are not kept among them.
    len: usize,
    skipped: u64,
}

impl Payload {
    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.len = self.len.saturating_add(piece.len());
        if self.len <= EVENT_MAX_BYTES {
            self.kept.extend_from_slice(piece);
        }
    }

    /// Ends the payload with its last piece, and gives it out unless it is empty.
    pub(super) fn end(&mut self, last: &[u8], give: &mut dyn FnMut(&[u8])) {
        if self.len > 0 {
            self.push(last);
        } else {
            self.len = last.len();
        }
        if self.len > EVENT_MAX_BYTES {
            self.skipped = self.skipped.saturating_add(self.len as u64);
        } else if self.len > 0 {
            give(if self.kept.is_empty() { last } else { &self.kept });
        }
        self.kept.clear();
        if self.kept.capacity() > EVENT_ROOM_KEPT_BYTES {
            self.kept = Vec::new();
        }
        self.len = 0;
    }

    /// Counts bytes that no payload was found in.
    pub(super) fn skip(&mut self, len: usize) {
        self.skipped = self.skipped.saturating_add(len as u64);
    }

    /// The bytes of payloads that were not given out, since the last call.
    pub(super) fn take_skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is given out of pieces, the last of which ends the payload, and what is skipped.
    fn gathered(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
        let mut payload = Payload::default();
        let mut given = Vec::new();
        let (last, first) = pieces.split_last().unwrap();
        first.iter().for_each(|piece| payload.push(piece));
        payload.end(last, &mut |bytes| given.push(bytes.to_vec()));
        assert_eq!(payload.len, 0);
        assert!(payload.kept.capacity() <= EVENT_ROOM_KEPT_BYTES);
        (given, payload.take_skipped())
    }

    #[test]
    fn pieces_are_one_payload() {
        assert_eq!(gathered(&[b"a", b"", b"bc", b"d"]), (vec![b"abcd".to_vec()], 0));
        assert_eq!(gathered(&[b"", b"a"]), (vec![b"a".to_vec()], 0));
        assert_eq!(gathered(&[b"a", b""]), (vec![b"a".to_vec()], 0));
        assert_eq!(gathered(&[b"", b""]), (vec![], 0));
    }

    #[test]
    fn a_payload_past_the_bound_is_counted_however_it_comes() {
        let most = vec![b'x'; EVENT_MAX_BYTES];
        assert_eq!(gathered(&[&most]), (vec![most.clone()], 0));
        assert_eq!(gathered(&[&most[1..], b"x"]), (vec![most.clone()], 0));
        let more = EVENT_MAX_BYTES as u64 + 1;
        assert_eq!(gathered(&[&[&most[..], b"x"].concat()]), (vec![], more));
        assert_eq!(gathered(&[&most, b"x"]), (vec![], more));
        assert_eq!(gathered(&[b"x", &most, b""]), (vec![], more));
    }
}
