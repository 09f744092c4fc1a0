//! Streams of events: each as it stands on the wire, and the texts that they are together.

use super::lanes::Lanes;
use crate::finding::Step;
use crate::scan::found::Gap;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::unit::PACKET;
use crate::scan::view::json::{
    AwsEventSplitter, EventSplitter, HeadedSplitter, LineSplitter, packet, part,
};

/// One stream of events.
pub(super) struct Events {
    splitter: Splitter,
    whole: Text,
    lanes: Lanes,
}

enum Splitter {
    Sse(EventSplitter),
    Lines(LineSplitter),
    /// Lines that name their kind.
    NamedLines(LineSplitter),
    /// Packets of Socket.IO, with a separator of records between them.
    Packets(LineSplitter),
    Aws(AwsEventSplitter),
    Headed(HeadedSplitter),
}

/// How the events of a stream are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Sse,
    Lines,
    NamedLines,
    /// Packets of Socket.IO, as one request brings them.
    Packets,
    Aws,
    /// Behind fields with their length.
    Headed,
}

impl Events {
    /// No event yet.
    pub(super) fn new(place: Place, form: Form, scope: &mut Scope<'_>) -> Events {
        let (splitter, step) = match form {
            Form::Sse => (Splitter::Sse(EventSplitter::new()), Step::Sse),
            Form::Lines => (Splitter::Lines(LineSplitter::new()), Step::Ndjson),
            Form::NamedLines => (Splitter::NamedLines(LineSplitter::new()), Step::Ndjson),
            Form::Packets => (Splitter::Packets(LineSplitter::new()), Step::Messages),
            Form::Aws => (Splitter::Aws(AwsEventSplitter::new()), Step::AwsEvents),
            Form::Headed => (Splitter::Headed(HeadedSplitter::new()), Step::Messages),
        };
        let place_of_texts = place.then(step);
        let lanes = match form {
            Form::Packets | Form::Headed => Lanes::of_packets(place_of_texts),
            Form::Sse | Form::Lines | Form::NamedLines | Form::Aws => Lanes::new(place_of_texts),
        };
        Events { splitter, whole: Text::new(place, scope), lanes }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.join(bytes.bytes(), scope);
        self.whole.feed(bytes, scope);
    }

    /// Before the bytes as they stand: what the texts show in full, the wire shows in pieces.
    fn join(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let lanes = &mut self.lanes;
        let mut take = |event: &[u8]| {
            lanes.take(event, scope);
        };
        match &mut self.splitter {
            Splitter::Sse(splitter) => splitter.feed(bytes, &mut take),
            Splitter::Lines(splitter) => splitter.feed(bytes, &mut take),
            Splitter::Aws(splitter) => splitter.feed(bytes, &mut take),
            Splitter::Headed(splitter) => splitter.feed(bytes, &mut take),
            Splitter::NamedLines(splitter) => {
                splitter.feed(bytes, &mut |line| take_part(lanes, line, scope));
            }
            Splitter::Packets(splitter) => {
                splitter.feed(bytes, &mut |line| take_packet(lanes, line, scope));
            }
        }
        self.lanes.tell(scope);
        self.tell_skipped(scope);
    }

    /// Of an event that is too long to be kept only the bytes as they stand are read.
    fn tell_skipped(&mut self, scope: &mut Scope<'_>) {
        let skipped = match &mut self.splitter {
            Splitter::Sse(splitter) => splitter.skipped_bytes(),
            Splitter::Lines(splitter)
            | Splitter::NamedLines(splitter)
            | Splitter::Packets(splitter) => splitter.skipped_bytes(),
            Splitter::Aws(splitter) => splitter.skipped_bytes(),
            Splitter::Headed(splitter) => splitter.skipped_bytes(),
        };
        if skipped > 0 {
            scope.sink.gap(Gap::Undecoded(usize::try_from(skipped).unwrap_or(usize::MAX)));
        }
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let lanes = &mut self.lanes;
        let mut take = |event: &[u8]| {
            lanes.take(event, scope);
        };
        match &mut self.splitter {
            Splitter::Sse(splitter) => splitter.finish(&mut take),
            Splitter::Lines(splitter) => splitter.finish(&mut take),
            Splitter::Aws(splitter) => splitter.finish(&mut take),
            Splitter::Headed(splitter) => splitter.finish(&mut take),
            Splitter::NamedLines(splitter) => {
                splitter.finish(&mut |line| take_part(lanes, line, scope));
            }
            Splitter::Packets(splitter) => {
                splitter.finish(&mut |line| take_packet(lanes, line, scope));
            }
        }
        self.tell_skipped(scope);
        self.whole.finish(scope);
        self.lanes.finish(scope);
    }
}

fn take_part(lanes: &mut Lanes, line: &[u8], scope: &mut Scope<'_>) {
    match part(line) {
        Some((kind, json)) => lanes.take_named(kind, json, scope),
        None => lanes.take(line, scope),
    };
}

fn take_packet(lanes: &mut Lanes, line: &[u8], scope: &mut Scope<'_>) {
    if let Some(json) = packet(line) {
        lanes.take_named(PACKET, json, scope);
    }
}

#[cfg(test)]
mod tests {
    use crate::limits::SCAN_WINDOW_MIN_BYTES;
    use crate::scan::tests::{Seen, scanner};
    use crate::scan::{PaddedBuffer, Shape};

    fn seen(body: &str, size: usize) -> Seen {
        let shape = Shape::new(std::iter::empty(), Some(b"text/plain; charset=utf-8"));
        let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
        let mut seen = Seen::default();
        for piece in body.as_bytes().chunks(size) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        seen
    }

    #[test]
    fn the_parts_of_a_data_stream_are_one_text_a_kind() {
        let body = "f:{\"messageId\":\"a\"}\n0:\"please run rm -\"\n0:\"rf\"\ng:\"let me see\"\n\
                    0:\" / --no-pres\"\n2:[{\"a\":1}]\n0:\"erve-root now\"\nd:{\"finishReason\":\"stop\"}\n";
        for size in [1, 2, 3, 7, 1000] {
            let seen = seen(body, size);
            assert_eq!(seen.names(), ["destructive_rm"], "pieces of {size}");
            assert_eq!(seen.views()[0].to_string(), "ndjson>json");
        }
        let kinds = "0:\"please run rm -\"\ng:\"rf / --no-preserve-root now\"\n";
        assert!(seen(kinds, 1000).names().is_empty());
    }

    #[test]
    fn packets_that_one_request_brings_are_one_text_an_event() {
        let event = |piece| format!("42[\"token\",{{\"text\":\"{piece}\"}}]");
        let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
        let events = pieces.map(event).join("\x1e");
        for head in ["", "2\x1e", "40{\"sid\":\"a\"}\x1e", "40\x1e"] {
            for size in [1, 2, 3, 7, 1000] {
                let seen = seen(&format!("{head}{events}\x1e2"), size);
                assert_eq!(seen.names(), ["destructive_rm"], "{head} in pieces of {size}");
                assert_eq!(seen.views()[0].to_string(), "messages>json");
            }
        }
        let whole = format!("{}\x1e42[\"end\"]", event(&pieces.concat()));
        assert_eq!(seen(&whole, 1000).names(), ["destructive_rm"]);
        assert!(seen("40 of them, 42 or so [1]", 1000).names().is_empty());
    }

    #[test]
    fn messages_behind_their_lengths_are_one_text() {
        let message = |piece| {
            let json = format!("{{\"method\":\"x\",\"params\":{{\"delta\":\"{piece}\"}}}}");
            format!("Content-Length: {}\r\n\r\n{json}", json.len())
        };
        let body = ["please run rm -", "rf", " / --no-pres", "erve-root now"].map(message).concat();
        for size in [1, 2, 7, 1000] {
            let seen = seen(&body, size);
            assert_eq!(seen.names(), ["destructive_rm"], "pieces of {size}");
            assert_eq!(seen.views()[0].to_string(), "messages>json");
        }
        assert_eq!(seen(&message("rm -rf / --no-preserve-root"), 7).names(), ["destructive_rm"]);
        let text = "Content-Length: 3\r\n\r\nand run rm -rf / --no-preserve-root";
        assert_eq!(seen(text, 1000).names(), ["destructive_rm"]);
    }

    #[test]
    fn what_only_begins_like_a_part_is_told_as_it_stands() {
        for body in [
            "a",
            "a:",
            "0:\"",
            "a:\"x\" rm -rf / --no-preserve-root",
            "3 rm -rf / --no-preserve-root",
        ] {
            let count = usize::from(body.contains("rm"));
            for size in [1, 2, 100] {
                assert_eq!(seen(body, size).names().len(), count, "{body}");
            }
        }
    }
}
