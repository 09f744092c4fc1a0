//! UTF-16 and UTF-32: as they stand, since a few bytes are all that tells them, and read as UTF-8.

use super::{Content, Media};
use crate::finding::Step;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::utf16::{Endian, Transcoder};

/// One text in a wide encoding.
pub(super) struct WideText {
    plain: Text,
    transcoder: Transcoder,
    content: Content,
}

impl WideText {
    /// Nothing read yet.
    pub(super) fn new(place: Place, endian: Endian, scope: &mut Scope<'_>) -> WideText {
        let step = match endian {
            Endian::Little | Endian::Big => Step::Utf16,
            Endian::Little32 | Endian::Big32 => Step::Utf32,
        };
        let content = Content::new(place.deeper().then(step), Media::Unknown);
        let plain = Text::unfolded(place, scope);
        WideText { plain, transcoder: Transcoder::new(endian), content }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.plain.feed(bytes, scope);
        let mut out = scope.core.take_buffer();
        self.transcoder.feed(bytes.bytes(), out.begin());
        self.content.feed(out.padded(), scope);
        scope.core.return_buffer(out);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.transcoder.finish(out.begin());
        self.content.feed(out.padded(), scope);
        scope.core.return_buffer(out);
        self.content.finish(scope);
        self.plain.finish(scope);
    }
}
