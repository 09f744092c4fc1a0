//! What callers hand bytes to: the body of a message, or the messages of one direction of a connection.

use std::rc::Rc;

use super::content::{Content, Inflated, Lanes, Shape};
use super::found::{Gap, MatchSink};
use super::padded::Padded;
use super::scanner::Core;
use super::text::{Place, UnitState};
use crate::finding::Step;
use crate::limits::SCAN_MESSAGE_KEPT_BYTES;

/// The body of a message, or anything else that arrives piecemeal.
pub struct Body {
    core: Rc<Core>,
    state: UnitState,
    shape: Shape,
    layer: Layer,
}

/// What is read first.
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
        let mut scope = self.state.scope(&self.core, sink);
        match &mut self.layer {
            Layer::Plain(content) => content.feed(bytes, &mut scope),
            Layer::Inflated(inflated) => inflated.feed(bytes, &mut scope),
        }
    }

    /// Ends it: tells what matches only at an end. Afterwards it is as new.
    pub fn finish(&mut self, sink: &mut dyn MatchSink) {
        let mut scope = self.state.scope(&self.core, sink);
        match &mut self.layer {
            Layer::Plain(content) => content.finish(&mut scope),
            Layer::Inflated(inflated) => inflated.finish(&mut scope),
        }
        self.state.clear();
        self.layer = Layer::new(&self.shape);
    }
}

/// The messages of one direction, each a content of its own; and the texts that they are together.
pub struct Messages {
    core: Rc<Core>,
    state: UnitState,
    content: Content,
    /// The message under way, as long as it is small enough to be joined to others.
    kept: Vec<u8>,
    is_kept: bool,
    lanes: Lanes,
}

impl Messages {
    /// No message yet.
    pub(super) fn new(core: &Rc<Core>) -> Messages {
        let place = Place::default();
        Messages {
            core: Rc::clone(core),
            state: UnitState::default(),
            content: Content::unknown(place),
            kept: Vec::new(),
            is_kept: true,
            lanes: Lanes::of_messages(place.beside(Step::Messages)),
        }
    }

    /// Scans the next bytes of a message.
    pub fn feed(&mut self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        self.state.arrived(bytes.len());
        let mut scope = self.state.scope(&self.core, sink);
        self.content.feed(bytes, &mut scope);
        self.is_kept &= self.kept.len() + bytes.len() <= SCAN_MESSAGE_KEPT_BYTES;
        if self.is_kept {
            self.kept.extend_from_slice(bytes.bytes());
        }
    }

    /// The end of a message: the next byte is the first of another.
    pub fn end_message(&mut self, sink: &mut dyn MatchSink) {
        let mut scope = self.state.scope(&self.core, sink);
        self.content.finish(&mut scope);
        self.content = Content::unknown(Place::default());
        if self.is_kept {
            self.lanes.take(&self.kept, &mut scope);
            self.lanes.tell(&mut scope);
        }
        // The next message tells of what is in it, whatever this one told.
        self.state.clear();
        // A connection that waits for its next message holds none of this one's memory.
        self.kept = Vec::new();
        self.is_kept = true;
    }

    /// The end of the last message, and of all.
    pub fn finish(&mut self, sink: &mut dyn MatchSink) {
        self.end_message(sink);
        let mut scope = self.state.scope(&self.core, sink);
        self.lanes.finish(&mut scope);
    }
}
