//! The messages of gRPC and its kin: each a content of its own, out of its coding, told of when it ends. What is
//! none, or is in an unknown coding, is read as it stands.

use super::media::Framed;
use super::{Content, Inflated, Media};
use crate::finding::Step;
use crate::scan::found::Gap;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::protobuf::{Frame, FrameReader};

/// One stream of messages.
pub(super) struct Frames {
    place: Place,
    framed: Box<Framed>,
    reader: FrameReader,
    message: Message,
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
                }
                Frame::Data(len) | Frame::Unframed(len) => {
                    if let Some(data) = bytes.slice(at..at + len) {
                        self.add(data, scope);
                    }
                }
                Frame::End => self.message.finish(scope),
            }
            at += taken;
        }
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.message.finish(scope);
        self.unread.finish(scope);
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

impl Message {
    fn finish(&mut self, scope: &mut Scope<'_>) {
        match std::mem::replace(self, Message::None) {
            Message::Plain(mut content) => content.finish(scope),
            Message::Inflated(mut inflated) => inflated.finish(scope),
            Message::None => {}
        }
    }
}
