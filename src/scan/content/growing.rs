//! Streams that say all of a text so far with each event: what is new in a piece that begins with the one before it.

use crate::limits::{SCAN_REPEATED_FRONT_BYTES, SCAN_REPEATED_PIECE_MIN_BYTES};
use crate::scan::view::json::number_of;

/// The last piece of a text, by its length and a number of its front. Its end is known besides: the text ends with it.
/// What is between is not looked at: whoever changes it there says it in an event that is read by itself as well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LastPiece {
    len: usize,
    number: u64,
    /// Whether it began with the one before it, and went on.
    has_grown: bool,
}

impl LastPiece {
    /// How many bytes at the front of the next piece are this one: none, unless it is all of the text once more. A
    /// short one may be so by chance, but for one that grew so itself.
    pub(super) fn repeated_in(&self, piece: &[u8], tail: &[u8]) -> usize {
        let is_sure =
            self.len >= SCAN_REPEATED_PIECE_MIN_BYTES || (self.has_grown && piece.len() > self.len);
        if is_sure && self.begins(piece, tail) { self.len } else { 0 }
    }

    /// The same, and the next piece is then the last one.
    pub(super) fn give_way(&mut self, piece: &[u8], tail: &[u8]) -> usize {
        let repeated = self.repeated_in(piece, tail);
        let has_grown = piece.len() > self.len && self.begins(piece, tail);
        *self = LastPiece { len: piece.len(), number: number_of(front_of(piece)), has_grown };
        repeated
    }

    /// Whether a piece begins with this one, which `tail` ends with.
    fn begins(&self, piece: &[u8], tail: &[u8]) -> bool {
        let Some(front) = piece.get(..self.len).filter(|front| !front.is_empty()) else {
            return false;
        };
        let near = tail.get(tail.len().saturating_sub(self.len)..).unwrap_or_default();
        front.ends_with(near) && number_of(front_of(front)) == self.number
    }
}

fn front_of(piece: &[u8]) -> &[u8] {
    piece.get(..SCAN_REPEATED_FRONT_BYTES).unwrap_or(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is new in each piece.
    fn news(pieces: &[&str]) -> Vec<String> {
        let (mut last, mut text) = (LastPiece::default(), String::new());
        let mut new = |piece: &&str| {
            let near = text.len().saturating_sub(128);
            let repeated = last.give_way(piece.as_bytes(), &text.as_bytes()[near..]);
            text.push_str(&piece[repeated..]);
            piece[repeated..].to_owned()
        };
        pieces.iter().map(&mut new).collect()
    }

    #[test]
    fn of_a_text_that_comes_whole_each_time_only_what_is_new_is_new() {
        assert_eq!(
            news(&["some words that", "some words that go on", "some words that go on"]),
            ["some words that", "some words that go on", ""]
        );
        let long = "word ".repeat(100);
        assert_eq!(news(&[&long, &format!("{long}more")])[1], "more");
        // From the third on, however short.
        assert_eq!(news(&["a", "ab", "abc", "abcd"]), ["a", "ab", "c", "d"]);
    }

    #[test]
    fn what_is_as_short_as_chance_is_new() {
        assert_eq!(news(&["very ", "very ", "very much"]), ["very ", "very ", "very much"]);
        for (len, new) in [
            (SCAN_REPEATED_PIECE_MIN_BYTES - 1, SCAN_REPEATED_PIECE_MIN_BYTES - 1),
            (SCAN_REPEATED_PIECE_MIN_BYTES, 0),
        ] {
            let piece = "-".repeat(len);
            assert_eq!(news(&[&piece, &piece])[1].len(), new);
        }
    }

    #[test]
    fn what_only_ends_like_the_last_piece_is_new() {
        let (one, other) = ("a".repeat(300), format!("b{}", "a".repeat(299)));
        assert_eq!(news(&[&one, &format!("{other} more")])[1].len(), 305);
    }
}
