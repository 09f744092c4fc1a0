//! The frames of gRPC, gRPC-Web and Connect: each message has a flag and its length in front.

/// In the flag: the message is in the coding that the headers name.
const COMPRESSED: u8 = 0x01;
/// In the flag: this is the end of a Connect stream, in JSON.
const END_STREAM: u8 = 0x02;
/// In the flag: these are the trailers of gRPC-Web, in text.
const TRAILERS: u8 = 0x80;

/// What of a stream comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// More bytes are needed.
    Idle,
    /// A message begins.
    Begin {
        is_compressed: bool,
        /// It is no message of the service but the end of the stream.
        is_end: bool,
    },
    /// So many of the bytes given are of the message.
    Data(usize),
    /// The message ended.
    End,
    /// So many bytes are of no such stream: nothing has such a flag. All that follows is.
    Unframed(usize),
}

/// Takes a stream apart.
#[derive(Debug, Clone, Default)]
pub struct FrameReader {
    prefix: [u8; 5],
    prefix_len: usize,
    /// What is left of the message under way.
    left: Option<u32>,
    is_invalid: bool,
}

impl FrameReader {
    pub fn new() -> Self {
        Self::default()
    }

    /// What these bytes begin with, and how many of them that takes. To be called until it is idle.
    pub fn step(&mut self, bytes: &[u8]) -> (Frame, usize) {
        if self.is_invalid && !bytes.is_empty() {
            return (Frame::Unframed(bytes.len()), bytes.len());
        }
        match self.left {
            None => self.begin(bytes),
            Some(0) => {
                self.left = None;
                (Frame::End, 0)
            }
            Some(_) if bytes.is_empty() => (Frame::Idle, 0),
            Some(left) => {
                let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.left = Some(left - u32::try_from(taken).unwrap_or(left));
                (Frame::Data(taken), taken)
            }
        }
    }

    fn begin(&mut self, bytes: &[u8]) -> (Frame, usize) {
        let is_flag = |byte: &u8| byte & !(COMPRESSED | END_STREAM | TRAILERS) == 0;
        if self.prefix_len == 0 && bytes.first().is_some_and(|byte| !is_flag(byte)) {
            self.is_invalid = true;
            return (Frame::Unframed(bytes.len()), bytes.len());
        }
        let places = self.prefix.iter_mut().skip(self.prefix_len);
        let taken = places.zip(bytes).map(|(place, byte)| *place = *byte).count();
        self.prefix_len += taken;
        if self.prefix_len < self.prefix.len() {
            return (Frame::Idle, taken);
        }
        let [flag, a, b, c, d] = self.prefix;
        self.prefix_len = 0;
        self.left = Some(u32::from_be_bytes([a, b, c, d]));
        let is_end = flag & (END_STREAM | TRAILERS) != 0;
        (Frame::Begin { is_compressed: flag & COMPRESSED != 0, is_end }, taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of a stream that comes in pieces of this length, each with its bytes.
    fn frames(stream: &[u8], piece: usize) -> Vec<(Frame, Vec<u8>)> {
        let mut reader = FrameReader::new();
        let mut said: Vec<(Frame, Vec<u8>)> = Vec::new();
        for mut bytes in stream.chunks(piece) {
            loop {
                let (frame, taken) = reader.step(bytes);
                let (of_frame, rest) = bytes.split_at(taken);
                bytes = rest;
                match (frame, said.last_mut()) {
                    (Frame::Idle, _) => break,
                    (Frame::Data(_), Some((Frame::Data(len), data)))
                    | (Frame::Unframed(_), Some((Frame::Unframed(len), data))) => {
                        data.extend_from_slice(of_frame);
                        *len = data.len();
                    }
                    _ => said.push((frame, of_frame.to_vec())),
                }
            }
        }
        said
    }

    #[test]
    fn messages_are_parted_however_they_are_cut() {
        let stream = b"\0\0\0\0\x03abc\x01\0\0\0\x02zz\0\0\0\0\0\x80\0\0\0\x01t\x02\0\0\0\x02{}";
        let begin = |is_compressed, is_end| (Frame::Begin { is_compressed, is_end }, vec![]);
        // Of its prefix are the bytes that came last.
        let without_prefix = |said: Vec<(Frame, Vec<u8>)>| -> Vec<(Frame, Vec<u8>)> {
            let is_begin = |frame: &Frame| matches!(frame, Frame::Begin { .. });
            said.into_iter()
                .map(|(frame, bytes)| (frame, if is_begin(&frame) { vec![] } else { bytes }))
                .collect()
        };
        let data = |data: &[u8]| (Frame::Data(data.len()), data.to_vec());
        let end = || (Frame::End, vec![]);
        let expected = [
            begin(false, false),
            data(b"abc"),
            end(),
            begin(true, false),
            data(b"zz"),
            end(),
            begin(false, false),
            end(),
            begin(false, true),
            data(b"t"),
            end(),
            begin(false, true),
            data(b"{}"),
            end(),
        ];
        for piece in [1, 2, 3, 7, 100] {
            assert_eq!(without_prefix(frames(stream, piece)), expected, "{piece}");
        }
    }

    #[test]
    fn what_has_another_flag_is_no_such_stream() {
        for piece in [1, 3, 100] {
            let said = frames(b"\0\0\0\0\x01a\x04\0\0\0\x01b", piece);
            let rest = b"\x04\0\0\0\x01b".to_vec();
            assert_eq!(said.last(), Some(&(Frame::Unframed(6), rest)), "{piece}");
        }
        assert_eq!(FrameReader::new().step(b"{}"), (Frame::Unframed(2), 2));
    }
}
