//! Messages behind fields that say their length, as editors' and agents' tools talk to one another (the base protocol
//! of LSP and DAP; MCP where it borrowed that), taken apart.

use super::payload::Payload;
use crate::limits::HEADED_HEAD_MAX_BYTES;

/// The field that must be there.
const LENGTH: &[u8] = b"content-length:";

/// Splits such a stream into its messages, each given out on the read that ends it.
#[derive(Debug, Default)]
pub struct HeadedSplitter {
    place: Place,
    head: Vec<u8>,
    payload: Payload,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    /// A message of which so much is missing.
    Message(usize),
    /// What is no such stream.
    Lost,
}

impl HeadedSplitter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, and gives out each message that they end.
    pub fn feed(&mut self, bytes: &[u8], give: &mut dyn FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            match self.place {
                Place::Head => {
                    self.head.push(*first);
                    rest = behind;
                    self.read_head();
                }
                Place::Message(missing) => {
                    let (piece, behind) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
                    rest = behind;
                    if piece.len() == missing {
                        self.payload.end(piece, give);
                        self.place = Place::Head;
                    } else {
                        self.payload.push(piece);
                        self.place = Place::Message(missing - piece.len());
                    }
                }
                Place::Lost => return self.payload.skip(rest.len()),
            }
        }
    }

    /// Gives out what the end of the stream cuts. The splitter is then as new.
    pub fn finish(&mut self, give: &mut dyn FnMut(&[u8])) {
        self.payload.end(&[], give);
        *self = Self { payload: std::mem::take(&mut self.payload), ..Self::default() };
    }

    /// The bytes of messages that were too long to be given out, and of what is no such stream, since the last call.
    pub fn skipped_bytes(&mut self) -> u64 {
        self.payload.take_skipped()
    }

    /// Looks whether the head is over.
    fn read_head(&mut self) {
        let is_over = self.head.ends_with(b"\n\r\n") || self.head.ends_with(b"\n\n");
        if !is_over && self.head.len() < HEADED_HEAD_MAX_BYTES {
            return;
        }
        self.place = match length(&self.head).filter(|_| is_over) {
            Some(0) => Place::Head,
            Some(len) => Place::Message(len),
            None => Place::Lost,
        };
        self.head.clear();
    }
}

/// The length that a head says.
fn length(head: &[u8]) -> Option<usize> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| {
        let (name, value) = line.trim_ascii().split_at_checked(LENGTH.len())?;
        name.eq_ignore_ascii_case(LENGTH).then_some(value.trim_ascii())
    })?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Whether some text begins as such a stream does. None: more bytes are needed.
pub fn begins_headed(text: &[u8]) -> Option<bool> {
    let front = text.get(..LENGTH.len()).unwrap_or(text);
    if !LENGTH.get(..front.len()).is_some_and(|name| name.eq_ignore_ascii_case(front)) {
        return Some(false);
    }
    let line = memchr::memchr(b'\n', text).and_then(|end| text.get(..end));
    match line {
        Some(line) => Some(length(line).is_some()),
        None if text.len() < HEADED_HEAD_MAX_BYTES => None,
        None => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(stream: &[u8], size: usize) -> (Vec<String>, u64) {
        let (mut splitter, mut given) = (HeadedSplitter::new(), Vec::new());
        let mut give = |message: &[u8]| given.push(String::from_utf8_lossy(message).into_owned());
        stream.chunks(size).for_each(|piece| splitter.feed(piece, &mut give));
        splitter.finish(&mut give);
        (given, splitter.skipped_bytes())
    }

    #[test]
    fn messages_are_given_out_whole_however_they_come() {
        let stream = "Content-Length: 7\r\n\r\n{\"a\":1}Content-Type: x\r\ncontent-length:2\r\n\r\n{}\
                      Content-Length: 0\r\n\r\nContent-Length: 9\n\n[1,";
        for size in [1, 3, 1000] {
            let (messages, skipped) = given(stream.as_bytes(), size);
            assert_eq!(messages, ["{\"a\":1}", "{}", "[1,"], "{size}");
            assert_eq!(skipped, 0);
        }
    }

    #[test]
    fn what_is_no_such_stream_is_counted() {
        for size in [1, 1000] {
            let (messages, skipped) =
                given(b"Content-Length: 2\r\n\r\n{}word\r\n\r\nmore of it", size);
            assert_eq!(messages, ["{}"]);
            assert_eq!(skipped, 10);
        }
    }

    #[test]
    fn a_head_is_waited_for_up_to_the_bound() {
        let head = |len: usize| format!("X: {}\r\nContent-Length: 2\r\n\r\n", "x".repeat(len - 26));
        for (len, count) in [(HEADED_HEAD_MAX_BYTES, 1), (HEADED_HEAD_MAX_BYTES + 1, 0)] {
            assert_eq!(head(len).len(), len);
            assert_eq!(given(format!("{}{{}}", head(len)).as_bytes(), 7).0.len(), count);
        }
    }

    #[test]
    fn such_streams_are_told_by_their_first_line() {
        for (text, begins) in [
            ("Content-Length: 12\r\n", Some(true)),
            ("content-length:1\n", Some(true)),
            ("Content-Length: 12", None),
            ("Cont", None),
            ("", None),
            ("Content-Length: many\r\n", Some(false)),
            ("Content-Type: x\r\n", Some(false)),
            ("word", Some(false)),
        ] {
            assert_eq!(begins_headed(text.as_bytes()), begins, "{text}");
        }
    }
}
