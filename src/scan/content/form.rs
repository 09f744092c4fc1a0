//! A form: as it stands, since what calls itself one often is not, and decoded.

use crate::finding::Step;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::form::FormDecoder;

/// One form.
pub(super) struct FormText {
    decoder: FormDecoder,
    plain: Text,
    decoded: Text,
}

impl FormText {
    /// Nothing read yet.
    pub(super) fn new(place: Place, scope: &mut Scope<'_>) -> FormText {
        FormText {
            decoder: FormDecoder::new(),
            plain: Text::unfolded(place, scope),
            decoded: Text::new(place.then(Step::Form), scope),
        }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.plain.feed(bytes, scope);
        let mut out = scope.core.take_buffer();
        self.decoder.feed(bytes.bytes(), out.begin());
        self.decoded.feed(out.padded(), scope);
        scope.core.return_buffer(out);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.decoder.finish(out.begin());
        self.decoded.feed(out.padded(), scope);
        scope.core.return_buffer(out);
        self.plain.finish(scope);
        self.decoded.finish(scope);
    }
}
