//! The parts of a multipart body: their heads as texts, and what they hold, out of its transfer coding.

use super::{Content, Media};
use crate::finding::Step;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::encoded::{Kind, RunDecoder};
use crate::scan::view::multipart::{Event, PartHead, Reader};
use crate::scan::view::quoted_printable::QuotedPrintable;

/// One multipart body.
pub(super) struct Parts {
    place: Place,
    reader: Reader,
    heads: Text,
    coding: TransferCoding,
    part: Content,
    /// The part as it stands, if it says that it is in a coding: in a form nobody undoes one (RFC 7578 §4.7).
    plain: Option<Content>,
}

/// How a part was made fit for mail (RFC 2045 §6).
enum TransferCoding {
    None,
    Base64(RunDecoder),
    QuotedPrintable(QuotedPrintable),
}

impl Parts {
    /// Nothing read yet.
    pub(super) fn new(place: Place, boundary: &[u8], scope: &mut Scope<'_>) -> Parts {
        let place = place.deeper().then(Step::Multipart);
        Parts {
            place,
            reader: Reader::new(boundary),
            heads: Text::new(place, scope),
            coding: TransferCoding::None,
            part: Content::unknown(place),
            plain: None,
        }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let mut at = 0;
        loop {
            let step = self.reader.step(bytes.bytes().get(at..).unwrap_or_default());
            match step.event {
                Event::Idle => break,
                Event::Data(range) => {
                    if let Some(data) = bytes.slice(at + range.start..at + range.end) {
                        self.add(data, scope);
                    }
                }
                event => self.take(&event, scope),
            }
            at += step.taken;
        }
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        while let Some(event) = self.reader.finish() {
            self.take(&event, scope);
        }
        self.end_part(scope);
        self.heads.finish(scope);
    }

    fn take(&mut self, event: &Event, scope: &mut Scope<'_>) {
        match event {
            Event::PartHead => self.begin_part(scope),
            Event::Carried => {
                let mut buffer = scope.core.take_buffer();
                buffer.begin().extend_from_slice(self.reader.carried());
                self.add(buffer.padded(), scope);
                scope.core.return_buffer(buffer);
            }
            Event::PartEnd | Event::End => {
                self.end_part(scope);
                self.add_delimiter(scope);
            }
            Event::Idle | Event::Data(_) => {}
        }
    }

    /// The line between two parts says what its author wants it to.
    fn add_delimiter(&mut self, scope: &mut Scope<'_>) {
        let mut buffer = scope.core.take_buffer();
        buffer.begin().extend_from_slice(self.reader.carried());
        self.heads.feed(buffer.padded(), scope);
        scope.core.return_buffer(buffer);
    }

    fn begin_part(&mut self, scope: &mut Scope<'_>) {
        let head = self.reader.head();
        let fields = PartHead::parse(head);
        let media = fields.content_type.map(Media::of).unwrap_or_default();
        let coding = fields.transfer_encoding.unwrap_or_default();
        let (coding, place) = if coding.eq_ignore_ascii_case(b"base64") {
            let decoder = RunDecoder::new(Kind::Base64);
            (TransferCoding::Base64(decoder), self.place.then(Step::Base64))
        } else if coding.eq_ignore_ascii_case(b"quoted-printable") {
            let decoder = QuotedPrintable::new();
            (TransferCoding::QuotedPrintable(decoder), self.place.then(Step::QuotedPrintable))
        } else {
            (TransferCoding::None, self.place)
        };
        let is_coded = !matches!(coding, TransferCoding::None);
        self.plain = is_coded.then(|| Content::unknown(self.place));
        self.coding = coding;
        self.part = Content::new(place, media);
        let mut buffer = scope.core.take_buffer();
        self.heads.feed(buffer.fill(head), scope);
        scope.core.return_buffer(buffer);
    }

    fn end_part(&mut self, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        if let TransferCoding::QuotedPrintable(decoder) = &mut self.coding {
            decoder.finish(out.begin());
            self.part.feed(out.padded(), scope);
        }
        scope.core.return_buffer(out);
        self.part.finish(scope);
        if let Some(mut plain) = self.plain.take() {
            plain.finish(scope);
        }
        self.coding = TransferCoding::None;
        self.part = Content::unknown(self.place);
    }

    /// Adds to the part under way. What of it is no base64 after all is read as it stands.
    fn add(&mut self, data: Padded<'_>, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        match &mut self.coding {
            TransferCoding::None => self.part.feed(data, scope),
            TransferCoding::Base64(decoder) => {
                let taken = decoder.feed(data.bytes(), out.begin());
                self.part.feed(out.padded(), scope);
                if let Some(rest) = data.slice(taken..data.len()).filter(|rest| !rest.is_empty()) {
                    self.coding = TransferCoding::None;
                    self.part.feed(rest, scope);
                }
            }
            TransferCoding::QuotedPrintable(decoder) => {
                decoder.feed(data.bytes(), out.begin());
                self.part.feed(out.padded(), scope);
            }
        }
        scope.core.return_buffer(out);
        if let Some(plain) = &mut self.plain {
            plain.feed(data, scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scan::tests::{Seen, scanner};
    use crate::scan::{PaddedBuffer, Shape};

    fn views(coding: &str, contents: &str) -> Vec<String> {
        let head = format!("Content-Disposition: form-data; name=\"f\"\r\n{coding}");
        let body = format!("--b\r\n{head}\r\n{contents}\r\n--b--\r\n");
        let shape = Shape::new(std::iter::empty(), Some(b"multipart/form-data; boundary=b"));
        let mut stream = scanner(crate::limits::SCAN_WINDOW_MIN_BYTES).body(&shape);
        let mut seen = Seen::default();
        stream.feed(PaddedBuffer::new().fill(body.as_bytes()), &mut seen);
        stream.finish(&mut seen);
        seen.views().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_part_that_says_falsely_that_it_is_coded_is_read_as_it_stands() {
        // Decoded, neither says anything any more.
        for (coding, contents) in
            [("base64", "/etc/passwd"), ("quoted-printable", "/etc/passwd=41")]
        {
            let coding = format!("Content-Transfer-Encoding: {coding}\r\n");
            assert_eq!(views(&coding, contents), ["multipart"], "{coding}");
        }
        let coding = "Content-Transfer-Encoding: quoted-printable\r\n";
        assert_eq!(views(coding, "cat /etc/pass=77d"), ["multipart>quoted_printable"]);
    }
}
