//! The messages of gRPC and its kin: each a content of its own, out of its coding, told of when it ends. What short
//! ones say together is a text, too: a model streams its answer so. What is none, or is in an unknown coding, is read
//! as it stands.

use super::media::Framed;
use super::pieces::Pieces;
use super::{Content, Inflated, Media};
use crate::finding::Step;
use crate::limits::FRAMED_PIECE_MAX_BYTES;
use crate::scan::found::Gap;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::codings::{Allowance, Coding, Codings, Inflater, Undecodable};
use crate::scan::view::protobuf::{Frame, FrameReader};

/// One stream of messages.
pub(super) struct Frames {
    place: Place,
    framed: Box<Framed>,
    reader: FrameReader,
    message: Message,
    pieces: Pieces,
    is_compressed: bool,
    /// Where a short message is put that comes out of its coding.
    room: Vec<u8>,
    /// What is read as it stands.
    unread: Text,
}

/// How the message under way is read.
#[expect(clippy::large_enum_variant, reason = "most messages are in no coding: no allocation each")]
enum Message {
    Plain(Content),
    Inflated(Box<Inflated>),
    /// There is none, or it is in a coding that nobody here can undo.
    None,
}

impl Frames {
    /// Nothing read yet.
    pub(super) fn new(place: Place, framed: &Framed, scope: &mut Scope<'_>) -> Frames {
        Frames {
            place: place.deeper().then(Step::Grpc),
            framed: Box::new(framed.clone()),
            reader: FrameReader::new(),
            message: Message::None,
            pieces: Pieces::new(place.then(Step::Grpc)),
            is_compressed: false,
            room: Vec::new(),
            unread: Text::new(place, scope),
        }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let mut at = 0;
        loop {
            let (frame, taken) = self.reader.step(bytes.bytes().get(at..).unwrap_or_default());
            match frame {
                Frame::Idle => break,
                Frame::Begin { is_compressed, is_end } => {
                    self.message = self.begin(is_compressed, is_end);
                    self.pieces.begin(!is_end);
                    self.is_compressed = is_compressed;
                }
                Frame::Data(len) | Frame::Unframed(len) => {
                    if let Some(data) = bytes.slice(at..at + len) {
                        self.pieces.keep(data.bytes());
                        self.add(data, scope);
                    }
                }
                Frame::End => {
                    self.message.finish(scope);
                    self.join(scope);
                }
            }
            at += taken;
        }
        self.pieces.tell(scope);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.message.finish(scope);
        self.pieces.finish(scope);
        self.unread.finish(scope);
    }

    /// Joins the message that ended, out of its coding, to those before it.
    fn join(&mut self, scope: &mut Scope<'_>) {
        let Some(message) = self.pieces.ended() else { return };
        if !self.is_compressed {
            return self.pieces.take(message, scope);
        }
        self.room.resize(FRAMED_PIECE_MAX_BYTES + 1, 0);
        let codings = self.framed.codings.as_ref();
        match inflate(&message, codings, &mut self.room, scope.allowance) {
            Some(Ok(inflated)) => {
                let message = inflated.to_vec();
                self.pieces.take(message, scope);
            }
            Some(Err(reason @ Undecodable::TooLarge)) => scope.gap(Gap::Undecodable(reason)),
            // What is wrong with it is told where it is read by itself.
            Some(Err(_)) | None => {}
        }
    }

    fn add(&mut self, data: Padded<'_>, scope: &mut Scope<'_>) {
        match &mut self.message {
            Message::Plain(content) => content.feed(data, scope),
            Message::Inflated(inflated) => inflated.feed(data, scope),
            Message::None => {
                scope.sink.gap(Gap::Undecoded(data.len()));
                self.unread.feed(data, scope);
            }
        }
    }

    fn begin(&self, is_compressed: bool, is_end: bool) -> Message {
        let media = if is_end { Media::Unknown } else { self.framed.message.clone() };
        match &self.framed.codings {
            Some(codings) if is_compressed && !codings.is_empty() => {
                Message::Inflated(Box::new(Inflated::new(self.place, codings, media)))
            }
            None if is_compressed => Message::None,
            // In a coding that no field names: what is inside may tell it.
            Some(_) if is_compressed => Message::Plain(Content::unknown(self.place)),
            _ => Message::Plain(Content::new(self.place, media)),
        }
    }
}

/// A short message out of its coding; none if it is long, or in no coding that is known here. Where no field names the
/// coding it is the one that all of them know.
fn inflate<'r>(
    message: &[u8],
    codings: Option<&Codings>,
    room: &'r mut [u8],
    allowance: &mut Allowance,
) -> Option<Result<&'r [u8], Undecodable>> {
    let gzip = Codings::one(Coding::Gzip);
    let codings = codings.map(|codings| if codings.is_empty() { &gzip } else { codings })?;
    let mut inflater = Inflater::new(codings);
    let (mut taken, mut len) = (0, 0);
    loop {
        let rest = message.get(taken..)?;
        let place = room.get_mut(len..).filter(|place| !place.is_empty())?;
        let progress = match inflater.step(rest, place, allowance) {
            Ok(progress) => progress,
            Err(reason) => return Some(Err(reason)),
        };
        (taken, len) = (taken + progress.taken, len + progress.written);
        if !progress.has_more && (taken >= message.len() || progress.taken == 0) {
            return Some(Ok(room.get(..len)?));
        }
    }
}

impl Message {
    fn finish(&mut self, scope: &mut Scope<'_>) {
        match std::mem::replace(self, Message::None) {
            Message::Plain(mut content) => content.finish(scope),
            Message::Inflated(mut inflated) => inflated.finish(scope),
            Message::None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder};

    use crate::limits::{FRAMED_PIECE_MAX_BYTES, SCAN_WINDOW_MIN_BYTES};
    use crate::scan::found::Gap;
    use crate::scan::tests::{Seen, scanner};
    use crate::scan::view::codings::Undecodable;
    use crate::scan::{PaddedBuffer, Shape};

    const PIECES: [&str; 6] = ["please ", "run r", "m -", "rf", " / --no-pres", "erve-root now"];

    fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
        [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat()
    }

    /// A message whose third field is one whose first is the text.
    fn protobuf(text: &str) -> Vec<u8> {
        let len = text.len() as u8;
        [&[0x1a, len + 2, 0x0a, len], text.as_bytes()].concat()
    }

    fn json(text: &str) -> Vec<u8> {
        format!(r#"{{"delta":{{"text":"{text}"}}}}"#).into_bytes()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn views(content_type: &str, messages: &[Vec<u8>], size: usize) -> Vec<String> {
        let shape = Shape::new(std::iter::empty(), Some(content_type.as_bytes()));
        let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
        let mut seen = Seen::default();
        for piece in messages.concat().chunks(size) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        seen.views().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn short_messages_of_a_stream_are_one_text() {
        for size in [1, 7, 10_000] {
            let plain = PIECES.map(|piece| framed(0, &protobuf(piece)));
            assert_eq!(views("application/grpc", &plain, size), ["grpc>protobuf"], "{size}");
            let packed = PIECES.map(|piece| framed(1, &gzip(&protobuf(piece))));
            assert_eq!(views("application/connect+proto", &packed, size), ["grpc>protobuf"]);
            let of_json = PIECES.map(|piece| framed(0, &json(piece)));
            assert_eq!(views("application/connect+json", &of_json, size), ["grpc>json"]);
        }
    }

    #[test]
    fn what_a_message_tells_by_itself_is_told_once() {
        let whole = [protobuf("rm -rf /"), protobuf("and more")].map(|message| framed(0, &message));
        assert_eq!(views("application/grpc", &whole, 10_000).len(), 1);
    }

    #[test]
    fn a_message_that_is_too_long_for_a_piece_is_none() {
        let long = |len: usize| format!("{}run r", "x".repeat(len - json("run r").len()));
        let last = json("m -rf / now");
        for (len, count) in [(FRAMED_PIECE_MAX_BYTES, 1), (FRAMED_PIECE_MAX_BYTES + 1, 0)] {
            let first = json(&long(len));
            assert_eq!(first.len(), len);
            let stream = [framed(0, &json("a")), framed(0, &first), framed(0, &last)];
            assert_eq!(views("application/connect+json", &stream, 10_000).len(), count, "{len}");
        }
    }

    /// Some 40 bytes each, which stand for 4 KiB: what they are together costs the body as what they are by themselves.
    #[test]
    fn short_messages_inflate_on_the_account_of_their_body() {
        let packed = gzip("a".repeat(FRAMED_PIECE_MAX_BYTES - 100).as_bytes());
        for (count, is_told) in [(10, false), (1000, true)] {
            let shape = Shape::new(std::iter::empty(), Some(&b"application/connect+json"[..]));
            let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
            let mut seen = Seen::default();
            stream.feed(PaddedBuffer::new().fill(&framed(1, &packed).repeat(count)), &mut seen);
            stream.finish(&mut seen);
            let too_large = Gap::Undecodable(Undecodable::TooLarge);
            let told = seen.gaps().iter().filter(|gap| **gap == too_large).count();
            assert_eq!(told, usize::from(is_told), "{count} messages");
        }
    }
}
