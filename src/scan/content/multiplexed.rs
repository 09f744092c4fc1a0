//! What a container writes, as Docker sends it where there is no terminal: pieces that each name their stream, and are
//! cut wherever a buffer was full. Each stream is a content of its own. What is no such piece is read as it stands.

use super::Content;
use crate::finding::Step;
use crate::limits::MULTIPLEXED_PIECE_MAX_BYTES;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};

/// Bytes of what stands before a piece: the stream, three that are zero, the length.
pub(super) const HEAD_BYTES: usize = 8;
/// The standard streams: what is written to the first, none sends.
const STREAMS: usize = 3;

/// Both streams.
pub(super) struct Multiplexed {
    place: Place,
    head: Vec<u8>,
    /// Of the piece under way.
    stream: usize,
    left: usize,
    streams: [Option<Content>; STREAMS],
    /// Behind what is no piece.
    rest: Option<Text>,
}

impl Multiplexed {
    /// Nothing read yet.
    pub(super) fn new(place: Place) -> Multiplexed {
        Multiplexed {
            place,
            head: Vec::new(),
            stream: 0,
            left: 0,
            streams: [const { None }; STREAMS],
            rest: None,
        }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.slice(at..bytes.len()).unwrap_or_default();
            if let Some(text) = &mut self.rest {
                return text.feed(rest, scope);
            }
            at += match self.left {
                0 => self.read_head(rest.bytes(), scope),
                _ => self.read_piece(rest, scope),
            };
        }
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.streams.iter_mut().flatten().for_each(|content| content.finish(scope));
        if let Some(text) = &mut self.rest {
            text.finish(scope);
        }
    }

    /// How many bytes are of what stands before a piece.
    fn read_head(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> usize {
        let missing = HEAD_BYTES.saturating_sub(self.head.len());
        let taken = bytes.get(..missing).unwrap_or(bytes);
        self.head.extend_from_slice(taken);
        if self.head.len() == HEAD_BYTES {
            match piece(&self.head) {
                Some((stream, len)) => (self.stream, self.left) = (stream, len),
                None => {
                    let text = self.rest.insert(Text::new(self.place, scope));
                    let mut buffer = scope.core.take_buffer();
                    text.feed(buffer.fill(&self.head), scope);
                    scope.core.return_buffer(buffer);
                }
            }
            self.head.clear();
        }
        taken.len()
    }

    fn read_piece(&mut self, rest: Padded<'_>, scope: &mut Scope<'_>) -> usize {
        let len = self.left.min(rest.len());
        self.left -= len;
        let place = self.place.deeper().then(Step::Messages);
        if let (Some(stream), Some(piece)) = (self.streams.get_mut(self.stream), rest.slice(0..len))
        {
            stream.get_or_insert_with(|| Content::unknown(place)).feed(piece, scope);
        }
        len
    }
}

/// The stream that a piece is of, and how long it is.
fn piece(head: &[u8]) -> Option<(usize, usize)> {
    let [stream @ ..=2, 0, 0, 0, a, b, c, d] = *head else { return None };
    let len = u32::from_be_bytes([a, b, c, d]) as usize;
    (len <= MULTIPLEXED_PIECE_MAX_BYTES).then_some((usize::from(stream), len))
}

/// Whether a body begins with a piece of what is written to one of both. None: more bytes are needed.
pub(super) fn begins_multiplexed(head: &[u8]) -> Option<bool> {
    let zeros = head.get(1..).unwrap_or_default().iter().take(3);
    if !matches!(head, [1 | 2, ..]) || zeros.clone().any(|byte| *byte != 0) {
        return Some(false);
    }
    head.get(..HEAD_BYTES).map(|head| piece(head).is_some_and(|(_, len)| len > 0))
}

#[cfg(test)]
mod tests {
    use crate::limits::{MULTIPLEXED_PIECE_MAX_BYTES, SCAN_WINDOW_MIN_BYTES};
    use crate::scan::tests::{Seen, scanner};
    use crate::scan::{PaddedBuffer, Shape};

    use super::*;

    fn framed(stream: u8, text: &str) -> Vec<u8> {
        let head = [&[stream, 0, 0, 0][..], &(text.len() as u32).to_be_bytes()].concat();
        [&head, text.as_bytes()].concat()
    }

    fn views(body: &[u8], size: usize) -> Vec<String> {
        let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&Shape::default());
        let mut seen = Seen::default();
        for piece in body.chunks(size) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        seen.views().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_pieces_of_each_stream_are_one_text() {
        let [front, back] = ["please run rm -rf / --no-pres", "erve-root now\n"];
        let body =
            [framed(1, front), framed(2, "a warning\n"), framed(1, ""), framed(1, back)].concat();
        for size in [1, 3, 8, 1000] {
            assert_eq!(views(&body, size), ["messages"], "{size}");
        }
        let apart = [framed(1, "please run rm -"), framed(2, "rf / now\n")].concat();
        assert!(views(&apart, 1000).is_empty());
    }

    #[test]
    fn what_is_no_piece_is_read_as_it_stands() {
        let command = "run rm -rf / now";
        let body = [framed(1, "x\n"), b"\x07\0\0\0".to_vec(), command.as_bytes().to_vec()].concat();
        for size in [1, 3, 1000] {
            assert_eq!(views(&body, size), [""], "{size}");
        }
    }

    #[test]
    fn pieces_are_told_by_their_heads_up_to_the_bound() {
        let head =
            |stream: u8, len: usize| [&[stream, 0, 0, 0][..], &(len as u32).to_be_bytes()].concat();
        for (head, begins) in [
            (head(1, 1), Some(true)),
            (head(2, MULTIPLEXED_PIECE_MAX_BYTES), Some(true)),
            (head(2, MULTIPLEXED_PIECE_MAX_BYTES + 1), Some(false)),
            (head(1, 0), Some(false)),
            (head(3, 1), Some(false)),
            (vec![1, 0], None),
            (vec![1, 1], Some(false)),
            (Vec::new(), Some(false)),
        ] {
            assert_eq!(begins_multiplexed(&head), begins, "{head:?}");
        }
    }
}
