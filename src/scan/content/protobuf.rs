//! A protobuf message: as it stands, and each of its strings as content of its own. One that is too long to be kept, or
//! is none, is searched for runs of text instead.

use super::Content;
use crate::finding::Step;
use crate::limits::PROTOBUF_KEPT_BYTES;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::protobuf::{Text as Run, TextRuns, visit_strings};

/// One message.
pub(super) struct ProtobufText {
    place: Place,
    kept: Vec<u8>,
    runs: Option<Box<Runs>>,
}

/// What is searched for runs, and the run under way.
struct Runs {
    plain: Text,
    runs: TextRuns,
    place: Place,
    run: Content,
}

impl ProtobufText {
    /// Nothing read yet.
    pub(super) fn new(place: Place) -> ProtobufText {
        ProtobufText { place: Place { is_guess: true, ..place }, kept: Vec::new(), runs: None }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        if self.runs.is_none() && self.kept.len() + bytes.len() <= PROTOBUF_KEPT_BYTES {
            return self.kept.extend_from_slice(bytes.bytes());
        }
        self.search(bytes, scope);
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        if self.runs.is_none() {
            let kept = std::mem::take(&mut self.kept);
            let place = self.place.deeper().then(Step::Protobuf);
            let is_read = visit_strings(&kept, &mut |text| {
                let mut content = Content::unknown(place);
                feed(&mut content, text, scope);
                content.finish(scope);
            });
            if is_read {
                // Numbers and short strings say something, too, and so does any text that happens to parse.
                let mut buffer = scope.core.take_buffer();
                Text::unfolded(self.place, scope).feed_whole(buffer.fill(&kept), scope);
                scope.core.return_buffer(buffer);
            } else {
                self.kept = kept;
                self.search(Padded::default(), scope);
            }
        }
        if let Some(runs) = self.runs.take() {
            runs.finish(scope);
        }
    }

    /// Searches for runs in what was kept, and in these bytes.
    fn search(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let place = self.place;
        let runs = self.runs.get_or_insert_with(|| Box::new(Runs::new(place, scope)));
        let mut buffer = scope.core.take_buffer();
        runs.feed(buffer.fill(&std::mem::take(&mut self.kept)), scope);
        scope.core.return_buffer(buffer);
        runs.feed(bytes, scope);
    }
}

impl Runs {
    fn new(place: Place, scope: &mut Scope<'_>) -> Runs {
        let plain = Text::unfolded(place, scope);
        let place = place.deeper().then(Step::Strings);
        Runs { plain, runs: TextRuns::new(), place, run: Content::unknown(place) }
    }

    /// The runs first: of them more can be said.
    fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let (place, run) = (self.place, &mut self.run);
        self.runs.visit_text(bytes.bytes(), &mut |part| take(run, part, place, scope));
        self.plain.feed(bytes, scope);
    }

    fn finish(mut self: Box<Self>, scope: &mut Scope<'_>) {
        let (place, run) = (self.place, &mut self.run);
        self.runs.finish(&mut |part| take(run, part, place, scope));
        self.plain.finish(scope);
    }
}

fn take(run: &mut Content, part: Run<'_>, place: Place, scope: &mut Scope<'_>) {
    match part {
        Run::Part(text) => feed(run, text, scope),
        Run::End => {
            run.finish(scope);
            *run = Content::unknown(place);
        }
    }
}

fn feed(content: &mut Content, text: &[u8], scope: &mut Scope<'_>) {
    let mut buffer = scope.core.take_buffer();
    content.feed(buffer.fill(text), scope);
    scope.core.return_buffer(buffer);
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;
    use crate::limits::SCAN_WINDOW_MIN_BYTES;
    use crate::scan::PaddedBuffer;
    use crate::scan::tests::{Seen, scanner};

    /// A key, in a string whose length is a letter, behind so many bytes of another field.
    fn message(before: usize) -> Vec<u8> {
        let text = format!("{}_{}EXAMPLE0123456789abcdef0123456789ab", "sk-ant", "api03-");
        assert_eq!(text.len(), 48);
        let (low, high) = (before as u8 | 0x80, (before >> 7) as u8);
        let head = [0x0A, low, high | 0x80, (before >> 14) as u8];
        [&head[..], &vec![1; before], &[0x1A, 48], text.as_bytes()].concat()
    }

    fn views(body: &[u8]) -> Vec<String> {
        let mut seen = Seen::default();
        let shape = Shape::new(std::iter::empty(), Some(b"application/x-protobuf"));
        let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
        for piece in body.chunks(700) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        seen.views().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_message_is_read_to_its_bound_and_searched_past_it() {
        let frame = message(PROTOBUF_KEPT_BYTES / 2).len() - PROTOBUF_KEPT_BYTES / 2;
        let text = b"\x0A\x18{\"do\":\"\\u0072m -rf /\"}xx";
        for (len, step) in [(PROTOBUF_KEPT_BYTES, "protobuf"), (PROTOBUF_KEPT_BYTES + 1, "strings")]
        {
            let body = [&text[..], &message(len - frame - text.len())].concat();
            assert_eq!(body.len(), len);
            let views = views(&body);
            assert!(views.iter().any(|view| view.starts_with(step)), "{len}: {views:?}");
        }
    }

    #[test]
    fn what_numbers_and_short_strings_of_a_message_say_is_read() {
        // In a number of eight bytes; in a tag and a string of five.
        assert_eq!(views(b"\x0A\x06abcdef\x11rm -rf /"), [""]);
        assert_eq!(views(b"\x0A\x05rm -r\x0A\x06abcdef"), [""; 0]);
        assert_eq!(views(b"\x0A\x08rm -rf /"), ["protobuf"]);
    }

    #[test]
    fn a_text_that_happens_to_parse_is_read_as_it_stands() {
        // Field 1 of 32 bytes, and then a tag `r` and a length `l`: the command is in both.
        let text = format!("\n {}rm -rf /etc #", "#".repeat(31));
        let body = format!("{text:<142}");
        assert_eq!(views(body.as_bytes()), [""]);
    }

    #[test]
    fn what_is_no_message_is_searched_for_runs() {
        let body = b"\0\x01\xff{\"do\":\"\\u0072m -rf /\"}\0";
        assert_eq!(views(body), ["strings>json"]);
    }

    /// In a field of bytes, two or three of them tell a compressed file that is none.
    #[test]
    fn a_broken_archive_in_a_field_of_bytes_is_no_gap() {
        use std::io::Write;

        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
        packer.write_all(b"rm -rf / --no-preserve-root; and so on, and so forth").unwrap();
        let packed = packer.finish().unwrap();
        let broken = packed.get(..packed.len() - 9).unwrap();
        let field = |bytes: &[u8]| [&[0x0A, bytes.len() as u8], bytes].concat();
        let framed = |message: &[u8]| [&[0, 0, 0, 0, message.len() as u8], message].concat();
        for (name, body, gaps) in [
            ("application/octet-stream", broken.to_vec(), true),
            ("application/x-protobuf", field(broken), false),
            ("application/grpc", framed(&field(broken)), false),
        ] {
            let mut seen = Seen::default();
            let shape = Shape::new(std::iter::empty(), Some(name.as_bytes()));
            let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
            stream.feed(PaddedBuffer::new().fill(&body), &mut seen);
            stream.finish(&mut seen);
            assert_eq!(!seen.gaps().is_empty(), gaps, "{name}: {:?}", seen.gaps());
        }
        assert!(views(&field(&packed)).contains(&"protobuf>deflate".to_owned()));
    }

    #[test]
    fn random_messages_are_no_broken_archives() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut body = Vec::new();
        while body.len() < 1 << 20 {
            let len = 8 + (random() % 100) as usize;
            let bytes: Vec<u8> = std::iter::repeat_with(|| random() as u8).take(len).collect();
            let message = [&[0x0A, len as u8], &b"x\x9c"[..], bytes.get(2..).unwrap()].concat();
            body.extend_from_slice(&[0, 0, 0, 0, message.len() as u8]);
            body.extend_from_slice(&message);
        }
        let mut seen = Seen::default();
        let shape = Shape::new(std::iter::empty(), Some(b"application/grpc"));
        let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
        for piece in body.chunks(8192) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        assert_eq!(seen.gaps(), []);
    }
}
