//! What callers hand bytes to: the body of a message, or the messages of one direction of a connection.

use std::rc::Rc;

use super::content::{Content, Event, Inflated, Lanes, PlainTexts, Shape};
use super::fed::{Fed, Left};
use super::found::{Gap, MatchSink, Undecoded};
use super::kept::Kept;
use super::padded::Padded;
use super::scanner::{Core, Scanner};
use super::text::{Place, Scope, UnitState};
use super::view::encoded::{Kind, RunDecoder};
use super::view::json::{packet, parts_by_offset};
use crate::finding::Step;
use crate::limits::FRAMED_PIECE_MAX_BYTES;

/// The body of a message, or anything else that arrives piecemeal.
pub struct Body {
    core: Rc<Core>,
    state: UnitState,
    shape: Shape,
    layer: Layer,
    left: Left,
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

    /// As [`Content::arrive`].
    fn arrive(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        if let Layer::Plain(content) = self {
            content.arrive(bytes, scope);
        }
    }

    /// As [`Content::step`].
    fn step(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) -> Fed {
        match self {
            Layer::Plain(content) => content.step(bytes, scope),
            Layer::Inflated(inflated) => inflated.step(bytes, scope),
        }
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
            left: Left::default(),
        }
    }

    /// Scans the next bytes.
    pub fn feed(&mut self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        let mut is_behind = self.feed_some(bytes, sink);
        while is_behind {
            is_behind = self.go_on(sink);
        }
    }

    /// The same for as long as others can wait. True: they may go first, then it is to [go on](Body::go_on).
    pub fn feed_some(&mut self, bytes: Padded<'_>, sink: &mut dyn MatchSink) -> bool {
        self.state.arrived(bytes.len());
        self.state.begin_turn(bytes.len());
        if self.shape.unknown.is_some() {
            sink.gap(Gap::Undecoded(bytes.len()));
        }
        let waits = self.left.is_behind();
        let fed = self.with(sink, |layer, _, scope| {
            layer.arrive(bytes, scope);
            if waits { Fed { taken: 0, is_behind: true } } else { layer.step(bytes, scope) }
        });
        self.left.keep(bytes, fed);
        if waits { self.go_on(sink) } else { fed.is_behind }
    }

    /// That no byte comes behind those that are fed next: what stands at their end is judged so.
    pub fn ends_next(&mut self) {
        if matches!(self.layer, Layer::Plain(_)) {
            self.state.ends();
        }
    }

    /// That [`Body::settle`] will say when nothing more comes at once.
    pub fn may_wait(&mut self) {
        if matches!(self.layer, Layer::Plain(_)) {
            self.state.may_wait();
        }
    }

    /// Whether something was left for its rest.
    pub fn waits(&self) -> bool {
        matches!(&self.layer, Layer::Plain(content) if content.waits())
    }

    /// Nothing more comes at once: what was left for its rest is scanned.
    pub fn settle(&mut self, sink: &mut dyn MatchSink) {
        self.with(sink, |layer, _, scope| {
            if let Layer::Plain(content) = layer {
                content.settle(scope);
            }
        });
    }

    /// Whether it is to go on with bytes that it was fed.
    pub fn is_behind(&self) -> bool {
        self.left.is_behind()
    }

    /// Goes on where [`Body::feed_some`] left off, as that does.
    pub fn go_on(&mut self, sink: &mut dyn MatchSink) -> bool {
        self.state.begin_turn(0);
        self.with(sink, |layer, left, scope| left.go_on(|rest| layer.step(rest, scope)));
        self.left.is_behind()
    }

    /// Ends it: tells what matches only at an end. Afterwards it is as new. Of what it is behind with it reads no more
    /// than it may at once.
    pub fn finish(&mut self, sink: &mut dyn MatchSink) {
        self.state.begin_turn(0);
        self.with(sink, |layer, left, scope| {
            while left.is_behind() {
                left.go_on(|rest| layer.step(rest, scope));
            }
            match layer {
                Layer::Plain(content) => content.finish(scope),
                Layer::Inflated(inflated) => inflated.finish(scope),
            }
        });
        self.state.clear();
        self.layer = Layer::new(&self.shape);
    }

    fn with<T>(
        &mut self,
        sink: &mut dyn MatchSink,
        go: impl FnOnce(&mut Layer, &mut Left, &mut Scope<'_>) -> T,
    ) -> T {
        let mut counted = Undecoded(sink);
        let sink: &mut dyn MatchSink = match self.shape.unknown {
            Some(_) => &mut counted,
            None => counted.0,
        };
        go(&mut self.layer, &mut self.left, &mut self.state.scope(&self.core, sink))
    }
}

/// Keeps the texts of Socket.IO's packets apart from those of other messages.
pub(super) const PACKET: u8 = 4;

/// A message that is the digit of a channel and base64, as the binary message with the same to say is; none if it is
/// no such message, or too long to be at hand as a whole.
fn decoded_channel(message: &Kept) -> Option<Kept> {
    let [channel @ b'0'..=b'4', digits @ ..] = message.bytes() else { return None };
    let mut decoded = vec![channel - b'0'];
    let taken = RunDecoder::new(Kind::Base64).feed(digits, &mut decoded);
    let mut kept = Kept::default();
    kept.add(&decoded);
    (message.is_whole() && taken == digits.len()).then_some(kept)
}

/// Stands behind each record of a message of SignalR.
const RECORD_END: u8 = 0x1E;

/// Takes a message that is a row of records in JSON, parted by a separator or by line ends, as an event each; any
/// other as one. What it is.
fn take_records(lanes: &mut Lanes, message: &[u8], scope: &mut Scope<'_>) -> Event {
    let has_lines = || memchr::memmem::find(message, b"\n{").is_some();
    let end = match memchr::memchr(RECORD_END, message) {
        Some(_) => RECORD_END,
        None if message.starts_with(b"{") && has_lines() => b'\n',
        None => return lanes.take(message, scope),
    };
    let records = || {
        let records = message.split(|byte| *byte == end).map(<[u8]>::trim_ascii);
        records.filter(|record| !record.is_empty())
    };
    let is_json = |record: &[u8]| record.starts_with(b"{") && record.ends_with(b"}");
    if !records().all(is_json) {
        return lanes.take(message, scope);
    }
    records().fold(Event::Json, |kind, record| match lanes.take(record, scope) {
        Event::Plain => Event::Plain,
        _ => kind,
    })
}

/// Keeps the texts of a message's parts apart from one another.
const PART: u8 = 8;

/// Takes a message that is no JSON: one whose parts are, each by its place, or one of protobuf.
fn take_binary(lanes: &mut Lanes, message: &[u8], scope: &mut Scope<'_>) {
    let Some(parts) = parts_by_offset(message) else {
        lanes.take_message(message, scope);
        return;
    };
    for (kind, part) in (PART..).zip(parts).filter(|(_, part)| part.starts_with(b"{")) {
        lanes.take_named(kind, part, scope);
    }
}

/// The messages of one direction, each a content of its own; and the texts that they are together.
pub struct Messages {
    core: Rc<Core>,
    state: UnitState,
    content: Content,
    /// What of the message under way was not looked into yet.
    left: Left,
    /// The message under way.
    kept: Kept,
    lanes: Lanes,
    /// None where plain messages are not joined.
    plain: Option<PlainTexts>,
    /// Whether each message is the digit of a channel, then base64.
    is_base64_channels: bool,
}

impl Scanner {
    /// Messages that name a channel by a digit, behind which they are base64.
    pub fn base64_channels(&self) -> Messages {
        Messages::base64_channels(&self.core)
    }
}

impl Messages {
    /// No message yet.
    pub(super) fn new(core: &Rc<Core>) -> Messages {
        let place = Place::default().beside(Step::Messages);
        Messages { plain: Some(PlainTexts::new(place)), ..Messages::separate(core) }
    }

    /// Of messages that are pieces of channels' texts in base64, each behind the digit of its channel.
    fn base64_channels(core: &Rc<Core>) -> Messages {
        let place = Place::default().beside(Step::Messages).then(Step::Base64);
        let plain = Some(PlainTexts::new(place));
        Messages { plain, is_base64_channels: true, ..Messages::separate(core) }
    }

    /// Of messages that are pieces of nothing, unless they are JSON that says so.
    pub(super) fn separate(core: &Rc<Core>) -> Messages {
        let place = Place::default();
        Messages {
            core: Rc::clone(core),
            state: UnitState::default(),
            content: Content::unknown(place),
            left: Left::default(),
            kept: Kept::default(),
            lanes: Lanes::of_messages(place.beside(Step::Messages)),
            plain: None,
            is_base64_channels: false,
        }
    }

    /// Scans the next bytes of a message.
    pub fn feed(&mut self, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
        let mut is_behind = self.feed_some(bytes, sink);
        while is_behind {
            is_behind = self.go_on(sink);
        }
    }

    /// The same for as long as others can wait, as [`Body::feed_some`].
    pub fn feed_some(&mut self, bytes: Padded<'_>, sink: &mut dyn MatchSink) -> bool {
        if self.kept.len() == 0 {
            self.recall(bytes.bytes());
        }
        self.kept.add(bytes.bytes());
        self.state.arrived(bytes.len());
        self.state.begin_turn(bytes.len());
        let mut scope = self.state.scope(&self.core, sink);
        self.content.arrive(bytes, &mut scope);
        if self.left.is_behind() {
            self.left.add(bytes);
            return self.go_on(sink);
        }
        let fed = self.content.step(bytes, &mut scope);
        self.left.keep(bytes, fed);
        fed.is_behind
    }

    /// What the message that begins so repeats of those before it is no news.
    fn recall(&mut self, front: &[u8]) {
        if !self.lanes.has_told() {
            return;
        }
        match packet(front) {
            Some(json) => self.lanes.recall(PACKET, json, self.state.told()),
            None => self.lanes.recall(0, front, self.state.told()),
        }
    }

    /// Goes on where [`Messages::feed_some`] left off, as that does.
    pub fn go_on(&mut self, sink: &mut dyn MatchSink) -> bool {
        self.state.begin_turn(0);
        let mut scope = self.state.scope(&self.core, sink);
        self.left.go_on(|rest| self.content.step(rest, &mut scope));
        self.left.is_behind()
    }

    /// The end of a message: the next byte is the first of another.
    pub fn end_message(&mut self, sink: &mut dyn MatchSink) {
        self.state.begin_turn(0);
        let mut scope = self.state.scope(&self.core, sink);
        while self.left.is_behind() {
            self.left.go_on(|rest| self.content.step(rest, &mut scope));
        }
        self.content.finish(&mut scope);
        let decoded = self.is_base64_channels.then(|| decoded_channel(&self.kept)).flatten();
        // Digits of which some are missing are no text of any channel.
        let is_cut = self.is_base64_channels
            && !self.kept.is_whole()
            && matches!(self.kept.bytes().first(), Some(b'0'..=b'4'));
        let event = if decoded.is_some() {
            Event::Plain
        } else if self.kept.is_whole() {
            let message = self.kept.bytes();
            let event = match packet(message) {
                Some(json) => self.lanes.take_named(PACKET, json, &mut scope),
                None => take_records(&mut self.lanes, message, &mut scope),
            };
            if event == Event::Plain && message.len() <= FRAMED_PIECE_MAX_BYTES {
                take_binary(&mut self.lanes, message, &mut scope);
            }
            self.lanes.tell(&mut scope);
            event
        } else if self.content.is_json() {
            Event::Json
        } else {
            Event::Plain
        };
        // Behind what the message tells by itself, which is not told again.
        if let Some(plain) = &mut self.plain
            && !is_cut
            && event.is_plain(plain.is_begun())
        {
            plain.take(decoded.as_ref().unwrap_or(&self.kept), &mut scope);
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
