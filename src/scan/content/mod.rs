//! Bytes of which it has to be found out what they are: looks at the first of them, then hands all to the one
//! reader that fits. Readers hand what they find inside to a content of its own.

mod behind;
mod coded;
mod events;
mod first_lines;
mod form;
mod frames;
mod frames_in_text;
mod git;
mod growing;
mod inflated;
mod json;
mod kind;
mod lanes;
mod markup;
mod media;
mod members;
mod multiplexed;
mod parts;
mod pdf;
mod pieces;
mod plain;
mod prefix;
mod prefixed;
mod protobuf;
mod repeats;
mod wide_text;

#[cfg(test)]
mod tests;

pub use media::Shape;

use behind::Behind;
use events::Events;
use form::FormText;
use frames::Frames;
use frames_in_text::FramesInText;
use git::Git;
pub(super) use inflated::Inflated;
use json::JsonText;
use kind::{Kind, Whole, kind_of};
pub(super) use lanes::{Event, Lanes};
use markup::MarkupText;
pub(super) use media::Media;
use members::Members;
use multiplexed::Multiplexed;
use parts::Parts;
use pdf::PdfText;
pub(super) use plain::PlainTexts;
use prefixed::Prefixed;
use protobuf::ProtobufText;
use repeats::Repeats;
use wide_text::WideText;

use super::fed::Fed;
use super::padded::{Padded, PaddedBuffer};
use super::text::{Place, Scope, Text};
use super::view::archive::Container;

/// Content at some place of a unit.
pub(super) struct Content {
    place: Place,
    media: Media,
    state: State,
    repeats: Repeats,
    behind: Behind,
}

enum State {
    /// What there is of it is too little to tell.
    Unknown(PaddedBuffer),
    Known(Reader),
}

/// Who reads it.
enum Reader {
    Text(Text),
    Markup(Box<MarkupText>),
    Json(Box<JsonText>),
    Prefixed(Box<Prefixed>),
    Events(Box<Events>),
    Form(Box<FormText>),
    Parts(Box<Parts>),
    Frames(Box<Frames>),
    FramesInText(Box<FramesInText>),
    Multiplexed(Box<Multiplexed>),
    Git(Box<Git>),
    Protobuf(Box<ProtobufText>),
    Members(Box<Members>),
    Pdf(Box<PdfText>),
    Wide(Box<WideText>),
}

impl Content {
    /// Content of a kind that was announced.
    pub(super) fn new(place: Place, media: Media) -> Content {
        let behind = match place.is_joined || place.is_deepest() || media == Media::Typed {
            true => Behind::None,
            false => Behind::new(),
        };
        let state = State::Unknown(PaddedBuffer::new());
        Content { place, media, state, repeats: Repeats::default(), behind }
    }

    /// Content of which nothing is known.
    pub(super) fn unknown(place: Place) -> Content {
        Content::new(place, Media::Unknown)
    }

    /// The next bytes.
    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        if bytes.is_empty() {
            return;
        }
        let held = match &mut self.state {
            State::Known(reader) => {
                match reader {
                    Reader::Text(text) => self.repeats.feed(text, bytes, self.place, scope),
                    Reader::Json(json) => json.feed(bytes, scope),
                    reader => {
                        scope.may_wait = false;
                        reader.feed(bytes, scope);
                    }
                }
                return self.behind.feed(bytes, self.place, scope);
            }
            State::Unknown(held) => held,
        };
        if held.written().is_empty()
            && let Some(kind) = kind_of(bytes.bytes(), &self.media, Whole::NotYet)
        {
            return self.begin(kind, bytes, scope);
        }
        held.extend(bytes.bytes());
        if let Some(kind) = kind_of(held.written(), &self.media, Whole::NotYet) {
            self.begin_held(kind, scope);
        }
    }

    /// What can be said of the next bytes before [`Content::step`] takes them: once of each.
    pub(super) fn arrive(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        if let State::Known(Reader::Members(members)) = &mut self.state {
            members.read_whole(bytes, scope);
            self.behind.feed(bytes, self.place, scope);
        }
    }

    /// The next bytes; of an archive only up to where there is something to read in what they hold.
    pub(super) fn step(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) -> Fed {
        if let State::Unknown(held) = &self.state
            && held.written().is_empty()
            && let Some(kind) = kind_of(bytes.bytes(), &self.media, Whole::NotYet)
        {
            self.begin_reader(kind, scope);
            self.arrive(bytes, scope);
        }
        match &mut self.state {
            State::Known(Reader::Members(members)) => {
                scope.may_wait = false;
                members.step(bytes, scope)
            }
            _ => {
                self.feed(bytes, scope);
                Fed::whole(bytes)
            }
        }
    }

    /// As [`Repeats::waits`].
    pub(super) fn waits(&self) -> bool {
        match &self.state {
            State::Known(Reader::Text(_)) => self.repeats.waits(),
            State::Known(Reader::Json(json)) => json.waits(),
            _ => false,
        }
    }

    /// Nothing more comes at once: nothing waits any more.
    pub(super) fn settle(&mut self, scope: &mut Scope<'_>) {
        match &mut self.state {
            State::Known(Reader::Text(text)) => self.repeats.settle(text, scope),
            State::Known(Reader::Json(json)) => json.settle(scope),
            _ => {}
        }
    }

    /// The end. Afterwards it is spent.
    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.begin_whole(scope);
        if let State::Known(reader) = &mut self.state {
            match reader {
                Reader::Text(text) => self.repeats.finish(text, scope),
                reader => reader.finish(scope),
            }
            self.behind.finish(scope);
        }
    }

    /// Gives what was held to the reader that fits it as a whole.
    fn begin_whole(&mut self, scope: &mut Scope<'_>) {
        if let State::Unknown(held) = &self.state
            && !held.written().is_empty()
        {
            let kind = kind_of(held.written(), &self.media, Whole::Here).unwrap_or(Kind::Text);
            self.begin_held(kind, scope);
        }
    }

    /// More may follow, but not soon: as [`Text::pause`].
    fn pause(&mut self, scope: &mut Scope<'_>) {
        if let State::Known(Reader::Text(text)) = &mut self.state {
            self.repeats.catch_up(text, scope);
            text.pause(scope);
        }
    }

    /// All of it seems to be here: as [`Text::seems_whole`].
    fn seems_whole(&mut self, scope: &mut Scope<'_>) {
        self.begin_whole(scope);
        match &mut self.state {
            State::Known(Reader::Text(text)) => {
                self.repeats.catch_up(text, scope);
                text.seems_whole(scope);
            }
            State::Known(Reader::Prefixed(text)) => text.seems_whole(scope),
            _ => {}
        }
    }

    /// Whether it begins like JSON.
    pub(super) fn is_json(&self) -> bool {
        match &self.state {
            State::Known(Reader::Json(_)) => true,
            State::Known(Reader::Prefixed(text)) => text.is_json(),
            _ => false,
        }
    }

    /// Gives the first bytes to the reader that fits.
    fn begin(&mut self, kind: Kind, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.begin_reader(kind, scope);
        self.feed(bytes, scope);
    }

    fn begin_reader(&mut self, kind: Kind, scope: &mut Scope<'_>) {
        let reader = self.reader(kind, scope);
        let is_packed = matches!(kind, Kind::Container(Container::Packed(_)));
        if !is_packed && !reader.may_hide_archive() {
            self.behind = Behind::None;
        }
        self.state = State::Known(reader);
    }

    /// The same of what was held.
    fn begin_held(&mut self, kind: Kind, scope: &mut Scope<'_>) {
        if let State::Unknown(held) = &mut self.state {
            let mut held = std::mem::take(held);
            self.begin(kind, held.padded(), scope);
        }
    }

    fn reader(&self, kind: Kind, scope: &mut Scope<'_>) -> Reader {
        let place = self.place;
        if place.is_deepest() {
            return Reader::Text(Text::new(place, scope));
        }
        match (kind, &self.media) {
            (
                Kind::Events(_)
                | Kind::Pdf
                | Kind::Multipart
                | Kind::Mail
                | Kind::Framed
                | Kind::Multiplexed
                | Kind::Container(_),
                _,
            ) if place.is_joined => Reader::Text(Text::new(place, scope)),
            (Kind::Markup, _) => Reader::Markup(Box::new(MarkupText::new(place, scope))),
            (Kind::Json, _) => Reader::Json(Box::new(JsonText::new(place, scope))),
            (Kind::JsonOrEvents, _) => Reader::Json(Box::new(JsonText::or_events(place, scope))),
            (Kind::PrefixedJson, _) => Reader::Prefixed(Box::new(Prefixed::new(place, scope))),
            (Kind::Events(form), _) => Reader::Events(Box::new(Events::new(place, form, scope))),
            (Kind::Pdf, _) => Reader::Pdf(Box::new(PdfText::new(place, scope))),
            (Kind::Form, _) => Reader::Form(Box::new(FormText::new(place, scope))),
            (Kind::Multipart, Media::Multipart(boundary)) => {
                Reader::Parts(Box::new(Parts::new(place, boundary, scope)))
            }
            (Kind::Mail, _) => Reader::Parts(Box::new(Parts::of_mail(place, scope))),
            (Kind::Framed, Media::Framed(framed)) if framed.is_text => {
                Reader::FramesInText(Box::new(FramesInText::new(place, framed, scope)))
            }
            (Kind::Framed, Media::Framed(framed)) => {
                Reader::Frames(Box::new(Frames::new(place, framed, scope)))
            }
            (Kind::Multiplexed, _) => Reader::Multiplexed(Box::new(Multiplexed::new(place))),
            (Kind::Git, _) => Reader::Git(Box::new(Git::new(place, scope))),
            (Kind::Protobuf, _) => Reader::Protobuf(Box::new(ProtobufText::new(place))),
            (Kind::Container(container), _) => {
                Reader::Members(Box::new(Members::new(place, container, scope)))
            }
            (Kind::Wide(endian), _) => Reader::Wide(Box::new(WideText::new(place, endian, scope))),
            (Kind::Text | Kind::Multipart | Kind::Framed, _) => {
                Reader::Text(Text::new(place, scope))
            }
        }
    }
}

impl Reader {
    /// Whether an archive may stand behind the first bytes of what it reads, that it does not look into.
    fn may_hide_archive(&self) -> bool {
        matches!(
            self,
            Reader::Text(_)
                | Reader::Markup(_)
                | Reader::Json(_)
                | Reader::Prefixed(_)
                | Reader::Events(_)
                | Reader::Form(_)
                | Reader::Pdf(_)
                | Reader::Wide(_)
        )
    }

    fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        match self {
            Reader::Text(text) => text.feed(bytes, scope),
            Reader::Markup(text) => text.feed(bytes, scope),
            Reader::Json(json) => json.feed(bytes, scope),
            Reader::Prefixed(text) => text.feed(bytes, scope),
            Reader::Events(events) => events.feed(bytes, scope),
            Reader::Form(form) => form.feed(bytes, scope),
            Reader::Parts(parts) => parts.feed(bytes, scope),
            Reader::Frames(frames) => frames.feed(bytes, scope),
            Reader::FramesInText(frames) => frames.feed(bytes, scope),
            Reader::Multiplexed(streams) => streams.feed(bytes, scope),
            Reader::Git(git) => git.feed(bytes, scope),
            Reader::Protobuf(message) => message.feed(bytes, scope),
            Reader::Members(members) => members.feed(bytes, scope),
            Reader::Pdf(document) => document.feed(bytes, scope),
            Reader::Wide(text) => text.feed(bytes, scope),
        }
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        match self {
            Reader::Text(text) => text.finish(scope),
            Reader::Markup(text) => text.finish(scope),
            Reader::Json(json) => json.finish(scope),
            Reader::Prefixed(text) => text.finish(scope),
            Reader::Events(events) => events.finish(scope),
            Reader::Form(form) => form.finish(scope),
            Reader::Parts(parts) => parts.finish(scope),
            Reader::Frames(frames) => frames.finish(scope),
            Reader::FramesInText(frames) => frames.finish(scope),
            Reader::Multiplexed(streams) => streams.finish(scope),
            Reader::Git(git) => git.finish(scope),
            Reader::Protobuf(message) => message.finish(scope),
            Reader::Members(members) => members.finish(scope),
            Reader::Pdf(document) => document.finish(scope),
            Reader::Wide(text) => text.finish(scope),
        }
    }
}
