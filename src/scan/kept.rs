//! The message under way, as far as other messages may go on with it.

use crate::limits::{SCAN_JOINED_END_BYTES, SCAN_MESSAGE_KEPT_BYTES};

/// A message: all of it, or the two ends of one that is longer than `limits::SCAN_MESSAGE_KEPT_BYTES`.
#[derive(Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// Of the whole message.
    len: usize,
}

impl Kept {
    /// The next bytes of the message.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.len = self.len.saturating_add(bytes.len());
        if self.bytes.len() + bytes.len() <= SCAN_MESSAGE_KEPT_BYTES {
            return self.bytes.extend_from_slice(bytes);
        }
        let missing = SCAN_JOINED_END_BYTES.saturating_sub(self.bytes.len());
        let (head, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        self.bytes.extend_from_slice(head);
        let tail = last(rest, SCAN_JOINED_END_BYTES);
        let behind_head = self.bytes.len().saturating_sub(SCAN_JOINED_END_BYTES);
        let still_tail = behind_head.min(SCAN_JOINED_END_BYTES.saturating_sub(tail.len()));
        self.bytes.drain(self.bytes.len() - behind_head..self.bytes.len() - still_tail);
        self.bytes.extend_from_slice(tail);
    }

    /// Whether all of the message is here.
    pub(super) fn is_whole(&self) -> bool {
        self.bytes.len() == self.len
    }

    /// How long the message is.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What is kept of it: the first and the last `limits::SCAN_JOINED_END_BYTES` at least.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The last bytes of some, `len` at most.
pub(super) fn last(bytes: &[u8], len: usize) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(len)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(message: &[u8], piece_bytes: usize) -> Kept {
        let mut kept = Kept::default();
        message.chunks(piece_bytes).for_each(|piece| kept.add(piece));
        kept
    }

    #[test]
    fn a_message_is_kept_up_to_the_bound_and_past_it_both_its_ends_are() {
        let message: Vec<u8> =
            (0..3 * SCAN_MESSAGE_KEPT_BYTES).map(|at| (at % 251) as u8).collect();
        for piece_bytes in [1, 100, 1000, 5000, SCAN_MESSAGE_KEPT_BYTES, message.len()] {
            let whole = kept(&message[..SCAN_MESSAGE_KEPT_BYTES], piece_bytes);
            assert!(whole.is_whole());
            assert_eq!(whole.bytes(), &message[..SCAN_MESSAGE_KEPT_BYTES]);
            for len in [SCAN_MESSAGE_KEPT_BYTES + 1, 2 * SCAN_MESSAGE_KEPT_BYTES + 7, message.len()]
            {
                let cut = kept(&message[..len], piece_bytes);
                assert!(!cut.is_whole());
                assert_eq!(cut.len(), len);
                assert!(cut.bytes().len() <= SCAN_MESSAGE_KEPT_BYTES);
                let ends =
                    [&message[..SCAN_JOINED_END_BYTES], &message[len - SCAN_JOINED_END_BYTES..len]];
                assert!(cut.bytes().starts_with(ends[0]), "{len} by {piece_bytes}");
                assert!(cut.bytes().ends_with(ends[1]), "{len} by {piece_bytes}");
            }
        }
    }
}
