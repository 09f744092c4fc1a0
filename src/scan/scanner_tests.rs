//! The streams of a core: what they carry, give back and keep.

use super::found::{Match, MatchSink};
use super::padded::{Padded, PaddedBuffer};
use super::scanner::Scanner;
use super::stream::{End, Stream};
use super::tests::DATABASE;
use crate::limits::{
    SCAN_CARRY_BYTES, SCAN_STREAMS_KEPT, SCAN_WINDOW_MAX_BYTES, SCAN_WINDOW_MIN_BYTES,
};

struct Nowhere;

impl MatchSink for Nowhere {
    fn wants(&mut self, _found: &Match<'_>) -> bool {
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
}

fn feed(stream: &mut Stream, bytes: Padded<'_>, sink: &mut dyn MatchSink) {
    stream.step(bytes, End::Open, sink);
    stream.carry(bytes.bytes());
}

fn finish(stream: &mut Stream, sink: &mut dyn MatchSink) {
    stream.step(Padded::default(), End::Here, sink);
    stream.clear();
}

fn scanner() -> Scanner {
    Scanner::new(&DATABASE, 0).unwrap()
}

#[test]
fn the_carried_tail_is_the_last_bytes_and_never_longer_than_its_bound() {
    let scanner = scanner();
    for piece in [1, 700, SCAN_CARRY_BYTES - 1, SCAN_CARRY_BYTES, SCAN_CARRY_BYTES + 1] {
        let text: Vec<u8> = (0..3 * SCAN_CARRY_BYTES).map(|n| (n / 7) as u8).collect();
        let mut stream = Stream::new(&scanner.core);
        let mut buffer = PaddedBuffer::new();
        let mut fed = 0;
        for part in text.chunks(piece) {
            feed(&mut stream, buffer.fill(part), &mut Nowhere);
            fed += part.len();
            assert_eq!(stream.tail, &text[fed.saturating_sub(SCAN_CARRY_BYTES)..fed]);
            assert_eq!(stream.tail.capacity(), SCAN_CARRY_BYTES);
        }
    }
}

#[test]
fn idle_streams_hold_nothing_and_the_pools_are_bounded() {
    let scanner = scanner();
    let mut streams: Vec<Stream> =
        (0..=SCAN_STREAMS_KEPT).map(|_| Stream::new(&scanner.core)).collect();
    assert!(streams.iter().all(|s| s.engine.is_none() && s.tail.capacity() == 0));
    let mut buffer = PaddedBuffer::new();
    for stream in &mut streams {
        feed(stream, buffer.fill(b"some bytes"), &mut Nowhere);
        assert!(stream.engine.is_some());
    }
    let kept = || {
        let engines = scanner.core.idle_engines.take();
        let tails = scanner.core.idle_tails.take();
        let lengths = (engines.len(), tails.len());
        scanner.core.idle_engines.set(engines);
        scanner.core.idle_tails.set(tails);
        lengths
    };
    let last = streams.pop();
    for stream in &mut streams {
        finish(stream, &mut Nowhere);
        assert!(stream.engine.is_none() && stream.tail.capacity() == 0);
    }
    assert_eq!(kept(), (SCAN_STREAMS_KEPT, SCAN_STREAMS_KEPT));
    drop(last);
    assert_eq!(kept(), (SCAN_STREAMS_KEPT, SCAN_STREAMS_KEPT));
}

#[test]
fn a_stream_whose_engine_was_lost_goes_on_at_the_right_place() {
    struct Snippets(Vec<String>);
    impl MatchSink for Snippets {
        fn wants(&mut self, _found: &Match<'_>) -> bool {
            true
        }
        fn found(&mut self, _found: &Match<'_>, snippet: String) {
            self.0.push(snippet);
        }
    }
    let scanner = scanner();
    let mut snippets = Snippets(Vec::new());
    let mut stream = Stream::new(&scanner.core);
    let mut buffer = PaddedBuffer::new();
    // Longer than a snippet, so that a wrong place shows other text.
    let first = format!("{}a first part; ", ". ".repeat(SCAN_CARRY_BYTES / 4));
    feed(&mut stream, buffer.fill(first.as_bytes()), &mut snippets);
    scanner.core.close_engine(stream.engine.take().unwrap());
    feed(&mut stream, buffer.fill(b"cat /etc/shadow now"), &mut snippets);
    finish(&mut stream, &mut snippets);
    assert_eq!(snippets.0.len(), 1);
    assert!(snippets.0[0].ends_with("a first part; cat /etc/shadow now"), "{:?}", snippets.0);
}

#[test]
fn windows_stay_within_their_bounds() {
    for (asked, given) in [
        (0, SCAN_WINDOW_MIN_BYTES),
        (SCAN_WINDOW_MIN_BYTES + 1, SCAN_WINDOW_MIN_BYTES + 1),
        (usize::MAX, SCAN_WINDOW_MAX_BYTES),
    ] {
        assert_eq!(Scanner::new(&DATABASE, asked).unwrap().core.window_bytes, given);
    }
}
