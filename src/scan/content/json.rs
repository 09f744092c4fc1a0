//! JSON, read as what its strings say. That text takes the place of the bytes: all but the escapes is as it
//! was, so nothing is scanned twice. The elements of an array that is streamed are joined besides.

use super::lanes::Lanes;
use crate::finding::Step;
use crate::limits::SCAN_WORK_BYTES;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::json::{ArraySplitter, Text as Unescaped, Unescaper};

/// One JSON text.
pub(super) struct JsonText {
    unescaper: Unescaper,
    text: Text,
    elements: Elements,
}

/// Whether it is an array, whose elements may be the events of a stream.
enum Elements {
    Unknown,
    None,
    Joined(Box<(ArraySplitter, Lanes)>),
}

impl JsonText {
    /// Nothing read yet.
    pub(super) fn new(place: Place, scope: &mut Scope<'_>) -> JsonText {
        JsonText {
            unescaper: Unescaper::new(),
            text: Text::new(place.then(Step::Json), scope),
            elements: Elements::Unknown,
        }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        for piece in bytes.windows(SCAN_WORK_BYTES) {
            match self.unescaper.feed(piece.bytes(), out.begin()) {
                Unescaped::Unchanged => self.text.feed(piece, scope),
                Unescaped::Written => self.text.feed(out.padded(), scope),
            }
        }
        scope.core.return_buffer(out);
        self.join(bytes.bytes(), scope);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.unescaper.finish(out.begin());
        self.text.feed(out.padded(), scope);
        scope.core.return_buffer(out);
        self.text.finish(scope);
        if let Elements::Joined(joined) = &mut self.elements {
            joined.1.finish(scope);
        }
    }

    fn join(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        if matches!(self.elements, Elements::Unknown) {
            let Some(first) = bytes.trim_ascii_start().first() else { return };
            self.elements = if *first == b'[' && !self.text.place().is_joined {
                let lanes = Lanes::new(self.text.place().beside(Step::JsonArray));
                Elements::Joined(Box::new((ArraySplitter::new(), lanes)))
            } else {
                Elements::None
            };
        }
        if let Elements::Joined(joined) = &mut self.elements {
            let (splitter, lanes) = &mut **joined;
            splitter.feed(bytes, &mut |element| {
                lanes.take(element, scope);
            });
            lanes.tell(scope);
        }
    }
}
