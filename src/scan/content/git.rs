//! What git pushes and fetches: its lines as a text, what the other end says meanwhile as another, and the pack that
//! is in pieces between them as the archive that it is. What is none of these is read as it stands.

use super::Content;
use crate::finding::Step;
use crate::scan::found::Gap;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::archive::Unreadable;
use crate::scan::view::pkt_lines::{Channel, Event, Reader};

/// One request or answer.
pub(super) struct Git {
    place: Place,
    reader: Reader,
    lines: Text,
    progress: Text,
    pack: Content,
    /// What is read as it stands.
    unread: Option<Text>,
}

impl Git {
    /// Nothing read yet.
    pub(super) fn new(place: Place, scope: &mut Scope<'_>) -> Git {
        let inside = place.deeper().then(Step::Git);
        Git {
            place,
            reader: Reader::new(),
            lines: Text::new(inside, scope),
            progress: Text::new(inside, scope),
            // A pack is told by its first bytes, and its view by what reads it.
            pack: Content::unknown(place.deeper()),
            unread: None,
        }
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let mut at = 0;
        loop {
            let (event, taken) = self.reader.step(bytes.bytes().get(at..).unwrap_or_default());
            match event {
                Event::Idle => break,
                Event::Piece(channel, range) => {
                    if let Some(piece) = bytes.slice(at + range.start..at + range.end) {
                        self.add(channel, piece, scope);
                    }
                }
                event => self.take(event, scope),
            }
            at += taken;
        }
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let event = self.reader.finish();
        self.take(event, scope);
        self.pack.finish(scope);
        self.progress.finish(scope);
        self.lines.finish(scope);
        if let Some(unread) = &mut self.unread {
            unread.finish(scope);
        }
    }

    /// What does not stand in the bytes at hand.
    fn take(&mut self, event: Event, scope: &mut Scope<'_>) {
        let mut buffer = scope.core.take_buffer();
        match event {
            Event::Held(channel) => {
                let held = buffer.fill(self.reader.held());
                self.add(channel, held, scope);
            }
            Event::LineEnd => self.lines.feed(buffer.fill(b"\n"), scope),
            Event::Idle | Event::Piece(..) => {}
        }
        scope.core.return_buffer(buffer);
    }

    fn add(&mut self, channel: Channel, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        match channel {
            Channel::Lines => self.lines.feed(bytes, scope),
            Channel::Progress => self.progress.feed(bytes, scope),
            Channel::Pack => self.pack.feed(bytes, scope),
            Channel::Unframed => {
                scope.sink.gap(Gap::Undecoded(bytes.len()));
                if self.unread.is_none() {
                    scope.gap(Gap::Unreadable(Unreadable::Unframed));
                    self.unread = Some(Text::new(self.place, scope));
                }
                if let Some(unread) = &mut self.unread {
                    unread.feed(bytes, scope);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shape;
    use super::*;
    use crate::limits::SCAN_WINDOW_MIN_BYTES;
    use crate::scan::PaddedBuffer;
    use crate::scan::tests::{Seen, scanner};

    /// Behind the byte that the fuzz target takes.
    macro_rules! made {
        ($name:literal) => {
            &include_bytes!(concat!("../../../fuzz/corpus/git/", $name))[1..]
        };
    }

    fn seen(body: &[u8], name: &str, size: usize) -> Seen {
        let shape = Shape::new(std::iter::empty(), Some(name.as_bytes()));
        let mut seen = Seen::default();
        let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
        for piece in body.chunks(size) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        seen
    }

    fn views(seen: &Seen) -> Vec<String> {
        seen.views().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_pushed_and_fetched_is_read_however_it_is_cut() {
        let answer = "application/x-git-upload-pack-result";
        for (body, name, rules) in [
            (made!("push"), "application/x-git-receive-pack-request", &["pipe_to_shell"][..]),
            (made!("answer_v0"), answer, &["aws_access_key", "pipe_to_shell"]),
            (made!("answer_v2"), answer, &["aws_access_key"]),
            (made!("fetch"), "application/x-git-upload-pack-request", &[]),
            (made!("result"), "application/x-git-receive-pack-result", &[]),
        ] {
            for size in [1, 2, 3, 7, 64, 1000, body.len()] {
                let seen = seen(body, name, size);
                assert_eq!(seen.names(), rules, "{name} in pieces of {size}");
                assert!(views(&seen).iter().all(|view| view == "git"), "{:?}", seen.views());
                assert_eq!(seen.gaps(), []);
            }
        }
    }

    #[test]
    fn a_pack_without_lines_is_read_under_any_name() {
        let pack = &include_bytes!("../../../fuzz/corpus/archive/pack-one")[2..];
        for name in [
            "application/octet-stream",
            "application/x-git-upload-pack-result",
            "text/event-stream",
        ] {
            for size in [1, 5, pack.len()] {
                let seen = seen(pack, name, size);
                assert_eq!(
                    (views(&seen), seen.gaps()),
                    (vec!["git".to_owned()], &[][..]),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn lines_and_what_the_other_end_says_are_texts_of_their_own() {
        let body = b"0010\x02run rm -rf 0009abcd\n000b\x02/ now!0000";
        for size in [1, 4, 100] {
            let seen = seen(body, "application/x-git-receive-pack-result", size);
            assert_eq!(seen.names(), ["destructive_rm"]);
            assert_eq!((views(&seen), seen.gaps()), (vec!["git".to_owned()], &[][..]));
        }
    }

    #[test]
    fn what_is_no_line_is_told_and_read_as_it_stands() {
        let body = b"0009abcd\nrun rm -rf / --no-preserve-root now";
        for size in [1, 4, 100] {
            let seen = seen(body, "application/x-git-upload-pack-result", size);
            assert_eq!(seen.names(), ["destructive_rm"]);
            assert_eq!(views(&seen), [""]);
            let told =
                seen.gaps().iter().filter(|gap| **gap == Gap::Unreadable(Unreadable::Unframed));
            assert_eq!(told.count(), 1);
            let undecoded = seen.gaps().iter().map(|gap| match gap {
                Gap::Undecoded(len) => *len,
                _ => 0,
            });
            assert_eq!(undecoded.sum::<usize>(), body.len() - 9);
        }
    }

    #[test]
    fn a_damaged_pack_is_told_and_read_as_it_stands() {
        let pack = &made!("push")[made!("push").len() - 1309..];
        let body = [&pack[..12], b"\x35 run rm -rf / --no-preserve-root now"].concat();
        for size in [1, 100] {
            let seen = seen(
                &[b"0000", &body[..]].concat(),
                "application/x-git-receive-pack-request",
                size,
            );
            assert_eq!(seen.names(), ["destructive_rm"]);
            assert!(
                seen.gaps().iter().any(|gap| matches!(gap, Gap::Unreadable(Unreadable::Coded(_))))
            );
        }
    }
}
