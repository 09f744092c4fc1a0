//! What is in codings, read as what they hold.

use super::coded::Coded;
use super::members::coding_step;
use super::{Content, Media};
use crate::limits::{SCAN_PADDING_BYTES, SCAN_WORK_BYTES};
use crate::scan::fed::Fed;
use crate::scan::found::Gap;
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::codings::{Codings, Inflater, Undecodable};

/// Content in codings.
pub(in crate::scan) struct Inflated {
    place: Place,
    inflater: Inflater,
    content: Content,
    coded: Coded,
    /// What cannot be inflated is read as it stands.
    given_up: Option<Text>,
}

impl Inflated {
    /// Nothing read yet.
    pub(in crate::scan) fn new(place: Place, codings: &Codings, media: Media) -> Inflated {
        let steps = codings.applied().iter().rev().map(|coding| coding_step(*coding));
        let content = Content::new(steps.fold(place, Place::then), media);
        let coded = Coded::new(place, codings);
        Inflated { place, inflater: Inflater::new(codings), content, coded, given_up: None }
    }

    /// The next bytes, all of them.
    pub(in crate::scan) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        Fed::all_of(bytes, |rest| self.step(rest, scope));
    }

    /// The next bytes, up to where there is something to read in what they hold.
    pub(in crate::scan) fn step(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) -> Fed {
        let mut at = 0;
        let mut work = scope.core.take_work();
        while self.given_up.is_none() {
            let rest = bytes.bytes().get(at..).unwrap_or_default();
            let room = work.get_mut(..SCAN_WORK_BYTES).unwrap_or_default();
            match self.inflater.step(rest, room, scope.allowance) {
                Ok(progress) => {
                    self.pass_on(&work, progress.written, scope);
                    if let Some(taken) = bytes.slice(at..at + progress.taken) {
                        self.coded.taken(taken, progress.written, scope);
                    }
                    at += progress.taken;
                    if !progress.has_more && (at >= bytes.len() || progress.taken == 0) {
                        break;
                    }
                    if progress.written > 0 {
                        scope.core.return_work(work);
                        return Fed { taken: at, is_behind: true };
                    }
                }
                Err(undecodable) => self.give_up(undecodable, scope),
            }
        }
        scope.core.return_work(work);
        let fed = Fed::whole(bytes);
        let Some(rest) = bytes.slice(at..bytes.len()).filter(|rest| !rest.is_empty()) else {
            return fed;
        };
        if self.given_up.is_none() {
            // What the inflater leaves is behind the end of what it holds.
            self.given_up = Some(Text::new(self.place, scope));
        }
        if let Some(text) = &mut self.given_up {
            scope.sink.gap(Gap::Undecoded(rest.len()));
            text.feed(rest, scope);
            self.coded.left(rest, scope);
        }
        fed
    }

    pub(in crate::scan) fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut work = scope.core.take_work();
        while self.given_up.is_none() {
            let room = work.get_mut(..SCAN_WORK_BYTES).unwrap_or_default();
            match self.inflater.finish(room, scope.allowance) {
                Ok(progress) => {
                    self.pass_on(&work, progress.written, scope);
                    if !progress.has_more {
                        break;
                    }
                }
                Err(undecodable) => self.give_up(undecodable, scope),
            }
        }
        scope.core.return_work(work);
        self.content.finish(scope);
        self.coded.finish(scope);
        if let Some(text) = &mut self.given_up {
            text.finish(scope);
        }
    }

    fn pass_on(&mut self, work: &[u8], written: usize, scope: &mut Scope<'_>) {
        if let Some(bytes) = Padded::new(work, 0..written) {
            self.content.feed(bytes, scope);
        }
    }

    fn give_up(&mut self, undecodable: Undecodable, scope: &mut Scope<'_>) {
        scope.gap(Gap::Undecodable(undecodable));
        self.given_up = Some(Text::new(self.place, scope));
    }
}

const _: () = assert!(SCAN_WORK_BYTES > SCAN_PADDING_BYTES);

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder};

    use crate::scan::tests::{Seen, scanner};
    use crate::scan::{PaddedBuffer, Shape};

    fn seen(coding: &[u8], body: &[u8], piece: usize) -> Seen {
        let shape = Shape::new(std::iter::once(coding), None);
        let mut stream = scanner(crate::limits::SCAN_WINDOW_MIN_BYTES).body(&shape);
        let mut seen = Seen::default();
        for piece in body.chunks(piece) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        stream.finish(&mut seen);
        seen
    }

    fn gzip(builder: GzBuilder, contents: &str) -> Vec<u8> {
        let mut encoder = builder.write(Vec::new(), Compression::best());
        encoder.write_all(contents.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_a_coding_swallows_is_read_as_it_stands() {
        let text = "nothing at all, ".repeat(300);
        let plain = gzip(GzBuilder::new(), &text);
        let named = gzip(GzBuilder::new().filename("/etc/passwd"), &text);
        let commented = gzip(GzBuilder::new().comment("cat /etc/passwd"), &text);
        let extra = gzip(GzBuilder::new().extra(b"ab cat /etc/passwd".to_vec()), &text);
        let behind = [&plain[..], &named].concat();
        for piece in [1, 3, 10, 4096] {
            assert!(seen(b"gzip", &plain, piece).names().is_empty());
            for body in [&named, &commented, &extra, &behind] {
                assert_eq!(seen(b"gzip", body, piece).names(), ["unix_sensitive"], "{piece}");
            }
        }
        let skippable = b"\x50\x2a\x4d\x18\x10\0\0\0 cat /etc/passwd";
        let frame = zstd_safe_frame(&text);
        for body in [[&frame[..], skippable].concat(), [skippable, &frame[..]].concat()] {
            assert_eq!(seen(b"zstd", &body, 4096).names(), ["unix_sensitive"]);
            assert_eq!(seen(b"zstd", &body, 3).names(), ["unix_sensitive"]);
        }
    }

    fn zstd_safe_frame(text: &str) -> Vec<u8> {
        let mut frame = vec![0; zstd_safe::compress_bound(text.len())];
        let len = zstd_safe::compress(&mut frame[..], text.as_bytes(), 3).unwrap();
        frame.truncate(len);
        frame
    }

    #[test]
    fn plain_text_under_the_name_of_a_coding_is_read_however_that_ends() {
        for coding in [&b"br"[..], b"gzip", b"deflate", b"zstd"] {
            for text in ["cat /etc/passwd", "x cat /etc/passwd now", "\x0b cat /etc/passwd; echo"] {
                for piece in [1, 4, 4096] {
                    let seen = seen(coding, text.as_bytes(), piece);
                    assert!(seen.names().contains(&"unix_sensitive"), "{coding:?} {text} {piece}");
                }
            }
        }
    }

    #[test]
    fn what_stands_for_much_is_read_in_turns_and_wholly() {
        let key = ["AKIA2345", "QYLPMNHF7654"].concat();
        let text = format!("{}key {key} here", "nothing at all, ".repeat(20_000));
        let body = gzip(GzBuilder::new(), &text);
        for codings in [&[&b"gzip"[..]][..], &[]] {
            let shape = Shape::new(codings.iter().copied(), None);
            for piece in [7, body.len() / 2 + 1, body.len()] {
                let mut stream = scanner(crate::limits::SCAN_WINDOW_MIN_BYTES).body(&shape);
                let (mut seen, mut turns) = (Seen::default(), 0);
                let mut pieces = body.chunks(piece).peekable();
                while let Some(next) = pieces.next() {
                    // The last piece comes before what the others stand for is read.
                    let is_last = pieces.peek().is_none();
                    let mut is_behind = stream.feed_some(PaddedBuffer::new().fill(next), &mut seen);
                    while is_behind && is_last {
                        turns += 1;
                        is_behind = stream.go_on(&mut seen);
                    }
                }
                assert!(turns > 10 || piece < body.len(), "{turns}");
                stream.finish(&mut seen);
                assert_eq!(seen.names(), ["aws_access_key"], "{codings:?} {piece}");
                assert!(seen.gaps().is_empty(), "{:?}", seen.gaps());
            }
        }
    }

    #[test]
    fn an_end_reads_no_more_than_a_turn_of_what_is_left() {
        let shape = Shape::new(std::iter::once(&b"gzip"[..]), None);
        let mut stream = scanner(crate::limits::SCAN_WINDOW_MIN_BYTES).body(&shape);
        let body = gzip(GzBuilder::new(), &"a".repeat(4 * 1024 * 1024));
        let mut seen = Seen::default();
        assert!(stream.feed_some(PaddedBuffer::new().fill(&body), &mut seen));
        stream.finish(&mut seen);
        let gaps = format!("{:?}", seen.gaps());
        assert!(gaps.contains("TooLarge"), "{gaps}");
    }
}
