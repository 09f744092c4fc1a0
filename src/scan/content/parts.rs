//! The parts of a multipart body, or a mail: their heads as texts, and what they hold, out of its transfer coding; short
//! fields of a form also as settings, since the name says what the value is.

use super::pieces::Pieces;
use super::{Content, Media};
use crate::finding::Step;
use crate::limits::{JSON_ASIDE_MAX_BYTES, JSON_ASIDE_NAME_MAX_BYTES, SCAN_SNIFF_BYTES};
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
    /// `name=value` of the part under way, as far as it came, if it may be a setting.
    field: Option<Vec<u8>>,
    /// What the fields are as settings, as soon as there is any.
    settings: Option<Text>,
    /// What parts of JSON are together: answers of GraphQL come in such.
    pieces: Pieces,
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
        Parts::of(place.deeper().then(Step::Multipart), Reader::new(boundary), scope)
    }

    /// The same of a mail, which is like one part of such a body.
    pub(super) fn of_mail(place: Place, scope: &mut Scope<'_>) -> Parts {
        Parts::of(place.deeper().then(Step::Mail), Reader::of_mail(), scope)
    }

    fn of(place: Place, reader: Reader, scope: &mut Scope<'_>) -> Parts {
        Parts {
            place,
            reader,
            heads: Text::new(place, scope),
            coding: TransferCoding::None,
            part: Content::unknown(place),
            plain: None,
            field: None,
            settings: None,
            pieces: Pieces::new(place),
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
        self.pieces.tell(scope);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        while let Some(event) = self.reader.finish() {
            self.take(&event, scope);
        }
        self.end_part(scope);
        self.heads.finish(scope);
        if let Some(settings) = &mut self.settings {
            settings.finish(scope);
        }
        self.pieces.finish(scope);
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
        let as_it_stands = Place { coded_from: Some(scope.told.next_text()), ..self.place };
        self.plain = is_coded.then(|| Content::unknown(as_it_stands));
        self.coding = coding;
        self.field = begin_field(&fields).filter(|_| !is_coded);
        self.pieces.begin(!is_coded);
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
        self.tell_field(scope);
        if let Some(piece) = self.pieces.ended().filter(|piece| is_object(piece)) {
            self.pieces.take(piece, scope);
        }
        self.coding = TransferCoding::None;
        self.part = Content::unknown(self.place);
    }

    /// Reads the field that ended as a setting.
    fn tell_field(&mut self, scope: &mut Scope<'_>) {
        let Some(mut field) = self.field.take().filter(|field| !field.ends_with(b"=")) else {
            return;
        };
        field.push(b'\n');
        let place = self.place.deeper().then(Step::Setting);
        let settings = self.settings.get_or_insert_with(|| Text::unfolded(place, scope));
        let mut buffer = scope.core.take_buffer();
        settings.feed(buffer.fill(&field), scope);
        scope.core.return_buffer(buffer);
    }

    /// Adds to the part under way. What of it is no base64 after all is read as it stands.
    fn add(&mut self, data: Padded<'_>, scope: &mut Scope<'_>) {
        if let Some(mut field) = self.field.take()
            && field.len() + data.len() <= JSON_ASIDE_MAX_BYTES
        {
            field.extend_from_slice(data.bytes());
            self.field = Some(field);
        }
        self.pieces.keep(data.bytes());
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

fn is_object(part: &[u8]) -> bool {
    matches!(part.trim_ascii(), [b'{', .., b'}'])
}

/// How a setting begins that is a field of a form; none: it is a file, or has no simple name.
fn begin_field(head: &PartHead<'_>) -> Option<Vec<u8>> {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let name = head.name.filter(|name| {
        head.filename.is_none()
            && (1..=JSON_ASIDE_NAME_MAX_BYTES).contains(&name.len())
            && name.iter().all(is_of_name)
    });
    name.map(|name| [name, b"="].concat())
}

/// Whether a text begins as a mail does: with fields, of which one says how the mail was made fit to be sent.
pub(super) fn begins_mail(head: &[u8]) -> bool {
    let names = [&b"mime-version"[..], b"content-transfer-encoding"];
    let head = head.get(..SCAN_SNIFF_BYTES).unwrap_or(head);
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    if !head.first().is_some_and(is_of_name) {
        return false;
    }
    for (at, line) in head.split(|byte| *byte == b'\n').enumerate() {
        let name = line.iter().position(|byte| *byte == b':').and_then(|end| line.get(..end));
        match (line, name) {
            // A field goes on.
            ([b' ' | b'\t', ..], _) if at > 0 => {}
            (_, Some(name)) if names.iter().any(|own| name.eq_ignore_ascii_case(own)) => {
                return true;
            }
            (_, Some(name)) if !name.is_empty() && name.iter().all(is_of_name) => {}
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::begins_mail;
    use crate::limits::JSON_ASIDE_MAX_BYTES;
    use crate::scan::rules::shipped;
    use crate::scan::tests::{Seen, scanner};
    use crate::scan::{Database, Match, MatchSink, PaddedBuffer, Scanner, Shape};

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
    fn parts_of_json_are_one_text() {
        let part = |piece: &str| {
            let json = format!(r#"{{"incremental":[{{"items":["{piece}"],"path":["x",0]}}]}}"#);
            format!("\r\nContent-Type: application/json\r\n\r\n{json}\r\n---")
        };
        let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
        let body = format!("---{}--\r\n", pieces.map(part).concat());
        let shape = Shape::new(std::iter::empty(), Some(b"multipart/mixed; boundary=\"-\""));
        for size in [1, 7, 1000] {
            let mut stream = scanner(crate::limits::SCAN_WINDOW_MIN_BYTES).body(&shape);
            let mut seen = Seen::default();
            for bytes in body.as_bytes().chunks(size) {
                stream.feed(PaddedBuffer::new().fill(bytes), &mut seen);
            }
            stream.finish(&mut seen);
            let views: Vec<String> = seen.views().iter().map(ToString::to_string).collect();
            assert_eq!(views, ["multipart>json"], "{size}");
        }
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

    #[test]
    fn a_field_of_a_form_is_read_as_a_setting() {
        let told = |head: &str, value: &str| {
            let head = format!("Content-Disposition: form-data; {head}");
            let body = format!("--b\r\n{head}\r\n\r\n{value}\r\n--b\r\n{head}\r\n\r\n--b--\r\n");
            let shape = Shape::new(std::iter::empty(), Some(b"multipart/form-data; boundary=b"));
            let database = Database::compile(&shipped(&["credentials"]).unwrap()).unwrap();
            let mut stream = Scanner::new(&Arc::new(database), 1024).unwrap().body(&shape);
            let mut told = Told::default();
            for piece in body.as_bytes().chunks(7) {
                stream.feed(PaddedBuffer::new().fill(piece), &mut told);
            }
            stream.finish(&mut told);
            told.0
        };
        let value = ["Xk29dk", "Wm1qPz"].concat();
        assert_eq!(
            told("name=\"db_password\"", &value),
            ["env_database_password multipart>setting"]
        );
        assert_eq!(told("name=\"db_password\"; filename=\"x\"", &value), [""; 0]);
        assert_eq!(told("name=\"a b password\"", &value), [""; 0]);
        let long = format!("{value}{}", " x".repeat(JSON_ASIDE_MAX_BYTES / 2));
        assert_eq!(told("name=\"db_password\"", &long), [""; 0]);
        // What tells by itself is told once.
        let key = ["npm_", &"a7Kx90Qw3e".repeat(4)[..36]].concat();
        assert_eq!(told("name=\"token\"", &key).len(), 1);
    }

    /// The rules that tell, and in which view.
    #[derive(Default)]
    struct Told(Vec<String>);

    impl MatchSink for Told {
        fn wants(&mut self, _found: &Match<'_>) -> bool {
            true
        }

        fn found(&mut self, found: &Match<'_>, _snippet: String) {
            self.0.push(format!("{} {}", found.rule.id, found.view));
        }
    }

    /// The rule and the view of each match in a mail.
    fn told(content_type: &str, mail: &str, size: usize) -> Vec<(&'static str, String)> {
        let shape = Shape::new(std::iter::empty(), Some(content_type.as_bytes()));
        let mut stream = scanner(crate::limits::SCAN_WINDOW_MIN_BYTES).body(&shape);
        let mut seen = Seen::default();
        for piece in mail.as_bytes().chunks(size) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        let views: Vec<String> = seen.views().iter().map(ToString::to_string).collect();
        seen.names().into_iter().zip(views).collect()
    }

    #[test]
    fn a_mail_is_read_out_of_its_coding() {
        let head = "From: a@b.example\r\nMIME-Version: 1.0\r\nContent-Type: text/plain";
        let coded = "key AKIAIOSF=\r\nODNN7EXAMPLE=20and so on\r\n";
        let mail = format!("{head}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{coded}");
        let expected = [("aws_access_key", "mail>quoted_printable".to_owned())];
        for size in 1..mail.len() {
            assert_eq!(told("message/rfc822", &mail, size), expected, "{size}");
        }
        for name in ["text/plain", "application/octet-stream", ""] {
            assert_eq!(told(name, &mail, 1000), expected, "{name}");
        }
        let part = "--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
        let parts = format!(
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n{part}{coded}\r\n--b--\r\n"
        );
        let expected = ("aws_access_key", "mail>multipart>quoted_printable".to_owned());
        assert_eq!(told("message/rfc822", &parts, 7), [expected]);
        // What is in no coding, and what has no body, is told once.
        for mail in [
            format!("{head}\r\n\r\nAKIAIOSFODNN7EXAMPLE"),
            format!("{head}\r\nX-Key: AKIAIOSFODNN7EXAMPLE\r\n\r\n"),
            format!("{head}\r\nX-Key: AKIAIOSFODNN7EXAMPLE"),
        ] {
            let told = told("message/rfc822", &mail, 1000);
            assert_eq!(told, [("aws_access_key", "mail".to_owned())], "{mail}");
        }
    }

    #[test]
    fn what_begins_with_fields_of_a_mail_is_one() {
        for head in
            ["MIME-Version: 1.0\n", "Received: by x\r\n\tfor y\r\ncontent-transfer-encoding: 8bit"]
        {
            assert!(begins_mail(head.as_bytes()), "{head}");
        }
        for head in [
            "",
            "x",
            "a b: c\nMIME-Version: 1.0",
            " MIME-Version: 1",
            "A: b\n\nMIME-Version: 1",
            "A: b\nMIME-",
        ] {
            assert!(!begins_mail(head.as_bytes()), "{head}");
        }
        let long = |len: usize| format!("A: {}\nMIME-Version:", "b".repeat(len));
        let room = crate::limits::SCAN_SNIFF_BYTES - long(0).len();
        assert!(begins_mail(long(room).as_bytes()) && !begins_mail(long(room + 1).as_bytes()));
    }
}
