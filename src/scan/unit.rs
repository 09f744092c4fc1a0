//! What callers hand bytes to: the body of a message, or the messages of one direction of a connection.

use std::rc::Rc;

use super::content::{Content, Event, Inflated, Lanes, PlainTexts, Shape};
use super::found::{Gap, MatchSink, Undecoded};
use super::kept::Kept;
use super::padded::Padded;
use super::scanner::Core;
use super::text::{Place, Scope, UnitState};
use super::view::json::packet;
use crate::finding::Step;

/// The body of a message, or anything else that arrives piecemeal.
pub struct Body {
    core: Rc<Core>,
    state: UnitState,
    shape: Shape,
    layer: Layer,
}

/// What is read first.
#[expect(clippy::large_enum_variant, reason = "most bodies are in no coding: no allocation each")]
enum Layer {
    Plain(Content),
    /// Boxed, as most bodies are in no coding.
    Inflated(Box<Inflated>),
}

impl Layer {
    fn new(shape: &Shape) -> Layer {
        let place = Place::default();
        if shape.codings.is_empty() {
            return Layer::Plain(Content::new(place, shape.media.clone()));
        }
        let inflated = Inflated::new(place, &shape.codings, shape.media.clone());
        Layer::Inflated(Box::new(inflated))
    }
}

impl Body {
    /// Nothing read yet.
    pub(super) fn new(core: &Rc<Core>, shape: &Shape) -> Body {
        Body {
            core: Rc::clone(core),
            state: UnitState::default(),
            layer: Layer::new(shape),
            shape: shape.clone(),
        }
    }

    /// Scans the next bytes.
    pub fn feed(&mut self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        self.state.arrived(bytes.len());
        if self.shape.unknown.is_some() {
            sink.gap(Gap::Undecoded(bytes.len()));
        }
        self.step(sink, |layer, scope| match layer {
            Layer::Plain(content) => content.feed(bytes, scope),
            Layer::Inflated(inflated) => inflated.feed(bytes, scope),
        });
    }

    /// Ends it: tells what matches only at an end. Afterwards it is as new.
    pub fn finish(&mut self, sink: &mut dyn MatchSink) {
        self.step(sink, |layer, scope| match layer {
            Layer::Plain(content) => content.finish(scope),
            Layer::Inflated(inflated) => inflated.finish(scope),
        });
        self.state.clear();
        self.layer = Layer::new(&self.shape);
    }

    fn step(&mut self, sink: &mut dyn MatchSink, go: impl FnOnce(&mut Layer, &mut Scope<'_>)) {
        let mut counted = Undecoded(sink);
        let sink: &mut dyn MatchSink = match self.shape.unknown {
            Some(_) => &mut counted,
            None => counted.0,
        };
        go(&mut self.layer, &mut self.state.scope(&self.core, sink));
    }
}

/// Keeps the texts of Socket.IO's packets apart from those of other messages.
const PACKET: u8 = 4;

/// The messages of one direction, each a content of its own; and the texts that they are together.
pub struct Messages {
    core: Rc<Core>,
    state: UnitState,
    content: Content,
    /// The message under way.
    kept: Kept,
    lanes: Lanes,
    /// None where plain messages are not joined.
    plain: Option<PlainTexts>,
}

impl Messages {
    /// No message yet.
    pub(super) fn new(core: &Rc<Core>) -> Messages {
        let place = Place::default().beside(Step::Messages);
        Messages { plain: Some(PlainTexts::new(place)), ..Messages::separate(core) }
    }

    /// Of messages that are pieces of nothing, unless they are JSON that says so.
    pub(super) fn separate(core: &Rc<Core>) -> Messages {
        let place = Place::default();
        Messages {
            core: Rc::clone(core),
            state: UnitState::default(),
            content: Content::unknown(place),
            kept: Kept::default(),
            lanes: Lanes::of_messages(place.beside(Step::Messages)),
            plain: None,
        }
    }

    /// Scans the next bytes of a message.
    pub fn feed(&mut self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        self.state.arrived(bytes.len());
        let mut scope = self.state.scope(&self.core, sink);
        self.content.feed(bytes, &mut scope);
        self.kept.add(bytes.bytes());
    }

    /// The end of a message: the next byte is the first of another.
    pub fn end_message(&mut self, sink: &mut dyn MatchSink) {
        let mut scope = self.state.scope(&self.core, sink);
        self.content.finish(&mut scope);
        let event = if self.kept.is_whole() {
            let message = self.kept.bytes();
            let event = match packet(message) {
                Some(json) => self.lanes.take_named(PACKET, json, &mut scope),
                None => self.lanes.take(message, &mut scope),
            };
            self.lanes.tell(&mut scope);
            event
        } else if self.content.is_json() {
            Event::Json
        } else {
            Event::Plain
        };
        // Behind what the message tells by itself, which is not told again.
        if let Some(plain) = &mut self.plain
            && event.is_plain(plain.is_begun())
        {
            plain.take(&self.kept, &mut scope);
        }
        self.content = Content::unknown(Place::default());
        // The next message tells of what is in it, whatever this one told.
        self.state.clear();
        // A connection that waits for its next message holds none of this one's memory.
        self.kept = Kept::default();
    }

    /// The end of the last message, and of all.
    pub fn finish(&mut self, sink: &mut dyn MatchSink) {
        self.end_message(sink);
        let mut scope = self.state.scope(&self.core, sink);
        self.lanes.finish(&mut scope);
        if let Some(plain) = &mut self.plain {
            plain.finish(&mut scope);
        }
    }
}
