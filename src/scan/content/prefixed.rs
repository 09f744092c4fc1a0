//! Text that may be what stands before JSON: read as it comes, and as JSON from where that begins.

use super::json::JsonText;
use super::prefix::{Prefix, prefix_of};
use crate::limits::SCAN_SNIFF_BYTES;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};

/// One such text.
pub(super) struct Prefixed {
    place: Place,
    state: State,
}

enum State {
    Open(Open),
    Text(Text),
    Json(Box<JsonText>),
    Spent,
}

/// Of which it is not known yet.
struct Open {
    text: Text,
    head: Vec<u8>,
    /// How much of the head was read as text: all but what may be JSON.
    read: usize,
}

impl Prefixed {
    /// Nothing read yet.
    pub(super) fn new(place: Place, scope: &mut Scope<'_>) -> Prefixed {
        let text = Text::new(place, scope);
        Prefixed { place, state: State::Open(Open { text, head: Vec::new(), read: 0 }) }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let prefix = match &mut self.state {
            State::Text(text) => return text.feed(bytes, scope),
            State::Json(json) => return json.feed(bytes, scope),
            State::Open(open) => open.feed(bytes, scope),
            State::Spent => return,
        };
        if matches!(prefix, Prefix::Open | Prefix::Opened(_)) {
            return;
        }
        let State::Open(open) = std::mem::replace(&mut self.state, State::Spent) else { return };
        let rest = open.head.get(open.read..).unwrap_or_default();
        self.state = match prefix {
            Prefix::Of(_) => {
                let mut json = JsonText::behind(open.text, self.place);
                let mut buffer = scope.core.take_buffer();
                buffer.begin().extend_from_slice(rest);
                json.feed(buffer.padded(), scope);
                scope.core.return_buffer(buffer);
                State::Json(Box::new(json))
            }
            _ => State::Text(open.text),
        };
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        match &mut self.state {
            State::Text(text) => text.finish(scope),
            State::Json(json) => json.finish(scope),
            State::Open(open) => {
                open.pass(open.head.len(), scope);
                open.text.finish(scope);
            }
            State::Spent => {}
        }
    }

    /// All of it seems to be here: as [`Text::seems_whole`].
    pub(super) fn seems_whole(&mut self, scope: &mut Scope<'_>) {
        match &mut self.state {
            State::Text(text) => text.seems_whole(scope),
            State::Open(open) => {
                open.pass(open.head.len(), scope);
                open.text.seems_whole(scope);
            }
            State::Json(_) | State::Spent => {}
        }
    }

    /// Whether it became JSON.
    pub(super) fn is_json(&self) -> bool {
        matches!(self.state, State::Json(_))
    }
}

impl Open {
    /// What it begins with, once these bytes came. They are read up to where JSON may begin.
    fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) -> Prefix {
        self.head.extend_from_slice(bytes.bytes());
        let len = self.head.len();
        let prefix = match prefix_of(self.head.get(..SCAN_SNIFF_BYTES).unwrap_or(&self.head)) {
            Prefix::Open | Prefix::Opened(_) if len >= SCAN_SNIFF_BYTES => Prefix::None,
            // What was read as text is no JSON any more.
            Prefix::Of(at) | Prefix::Opened(at) if at < self.read => Prefix::None,
            prefix => prefix,
        };
        match prefix {
            Prefix::Of(at) | Prefix::Opened(at) => self.pass(at, scope),
            Prefix::Open | Prefix::None => self.pass(len, scope),
        }
        prefix
    }

    /// Reads up to `end` as text.
    fn pass(&mut self, end: usize, scope: &mut Scope<'_>) {
        let bytes = self.head.get(self.read..end).unwrap_or_default();
        if !bytes.is_empty() {
            let mut buffer = scope.core.take_buffer();
            buffer.begin().extend_from_slice(bytes);
            self.text.feed(buffer.padded(), scope);
            scope.core.return_buffer(buffer);
        }
        self.read = end;
    }
}
