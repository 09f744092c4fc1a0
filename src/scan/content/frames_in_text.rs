//! Frames of gRPC-Web as text: base64 of them, padded wherever its sender had no more to send.

use super::frames::Frames;
use super::media::Framed;
use crate::finding::Step;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::encoded::{Kind, RunDecoder};

/// One stream of such frames.
pub(super) struct FramesInText {
    decoder: RunDecoder,
    /// Whether it was given anything.
    is_begun: bool,
    frames: Frames,
    /// Behind what is no base64.
    rest: Option<Text>,
    place: Place,
}

impl FramesInText {
    /// Nothing read yet.
    pub(super) fn new(place: Place, framed: &Framed, scope: &mut Scope<'_>) -> FramesInText {
        FramesInText {
            decoder: RunDecoder::new(Kind::Base64),
            is_begun: false,
            frames: Frames::new(place.then(Step::Base64), framed, scope),
            rest: None,
            place,
        }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.slice(at..bytes.len()).unwrap_or_default();
            if let Some(text) = &mut self.rest {
                return text.feed(rest, scope);
            }
            let mut out = scope.core.take_buffer();
            let taken = self.decoder.feed(rest.bytes(), out.begin());
            self.frames.feed(out.padded(), scope);
            scope.core.return_buffer(out);
            at += taken;
            if taken < rest.len() {
                // Behind its padding another piece begins.
                self.decoder = RunDecoder::new(Kind::Base64);
                if taken == 0 && !self.is_begun {
                    self.rest = Some(Text::new(self.place, scope));
                }
                self.is_begun = false;
            } else {
                self.is_begun = true;
            }
        }
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.frames.finish(scope);
        if let Some(text) = &mut self.rest {
            text.finish(scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use crate::limits::SCAN_WINDOW_MIN_BYTES;
    use crate::scan::tests::{Seen, scanner};
    use crate::scan::{PaddedBuffer, Shape};

    fn views(body: &str, size: usize) -> Vec<String> {
        let shape = Shape::new(std::iter::empty(), Some(b"application/grpc-web-text+proto"));
        let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
        let mut seen = Seen::default();
        for piece in body.as_bytes().chunks(size) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        seen.views().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn messages_are_joined_wherever_they_are_padded() {
        let pieces = ["please ", "run r", "m -", "rf", " / --no-pres", "erve-root now"];
        let frame = |text: &str| {
            let len = text.len() as u8;
            let message = [&[0x1a, len + 2, 0x0a, len], text.as_bytes()].concat();
            [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat()
        };
        let padded: String = pieces.iter().map(|piece| BASE64.encode(&frame(piece))).collect();
        let whole = BASE64.encode(&pieces.map(frame).concat());
        for size in [1, 3, 7, 1000] {
            assert_eq!(views(&padded, size), ["base64>grpc>protobuf"], "{size}");
            assert_eq!(views(&whole, size), ["base64>grpc>protobuf"], "{size}");
        }
    }

    #[test]
    fn what_is_no_base64_is_read_as_it_stands() {
        for size in [1, 1000] {
            assert_eq!(views("{run rm -rf / now}", size), [""], "{size}");
        }
    }
}
