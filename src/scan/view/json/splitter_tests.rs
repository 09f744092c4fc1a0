//! What the splitters give of a stream, whole and in pieces.

use proptest::prelude::*;

use super::elements::ArraySplitter;
use super::events::{EventSplitter, LineSplitter};
use super::frames::AwsEventSplitter;
use crate::limits::EVENT_MAX_BYTES;

/// What all splitters do.
trait Splitter: Default {
    fn feed(&mut self, bytes: &[u8], payload: &mut dyn FnMut(&[u8]));
    fn finish(&mut self, payload: &mut dyn FnMut(&[u8]));
    fn skipped_bytes(&mut self) -> u64;
}

macro_rules! splitters {
    ($($name:ident),*) => {$(
        impl Splitter for $name {
            fn feed(&mut self, bytes: &[u8], payload: &mut dyn FnMut(&[u8])) {
                self.feed(bytes, payload);
            }
            fn finish(&mut self, payload: &mut dyn FnMut(&[u8])) {
                self.finish(payload);
            }
            fn skipped_bytes(&mut self) -> u64 {
                self.skipped_bytes()
            }
        }
    )*};
}

splitters!(EventSplitter, LineSplitter, ArraySplitter, AwsEventSplitter);

/// The payloads of a stream, and the bytes that were skipped.
fn split_pieces<S: Splitter>(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, u64) {
    let mut splitter = S::default();
    let mut payloads = Vec::new();
    for piece in pieces {
        splitter.feed(piece, &mut |payload| payloads.push(payload.to_vec()));
    }
    splitter.finish(&mut |payload| payloads.push(payload.to_vec()));
    let skipped = splitter.skipped_bytes();
    assert_eq!(splitter.skipped_bytes(), 0, "each byte is told once");
    (payloads, skipped)
}

/// The payloads of a stream, which are the same wherever it is cut.
fn split<S: Splitter>(stream: &[u8]) -> (Vec<Vec<u8>>, u64) {
    let whole = split_pieces::<S>(&[stream]);
    for at in 0..=stream.len().min(2000) {
        let (left, right) = stream.split_at(at);
        assert_eq!(split_pieces::<S>(&[left, right]), whole, "{at} of {}", stream.escape_ascii());
    }
    for len in [1, 2, 7] {
        let pieces: Vec<&[u8]> = stream.chunks(len).collect();
        assert_eq!(split_pieces::<S>(&pieces), whole, "{len} of {}", stream.escape_ascii());
    }
    whole
}

#[track_caller]
fn check<S: Splitter>(stream: &[u8], expected: &[&str]) {
    let (payloads, skipped) = split::<S>(stream);
    let payloads: Vec<_> =
        payloads.iter().map(|payload| String::from_utf8_lossy(payload)).collect();
    assert_eq!(payloads, expected, "{}", stream.escape_ascii());
    assert_eq!(skipped, 0);
}

#[test]
fn events_have_their_data() {
    let check = check::<EventSplitter>;
    check(b"event: a\ndata: {\"x\":1}\nid: 7\n\ndata:two\n\n", &["{\"x\":1}", "two"]);
    check(b"data: a\r\ndata:  b\r\n\r\ndata: c\r\n\r\n", &["a\n b", "c"]);
    check(b"data: a\rdata: b\r\rdata: c\r\r", &["a\nb", "c"]);
    check(b"\xef\xbb\xbfdata: a\n\n", &["a"]);
    check(b": comment\n\n\n:\ndata: a\nretry: 3\n\n", &["a"]);
    check(b"data:\n\ndata:\ndata:\n\ndata\n\n", &["\n"]);
    check(b"dat: a\ndatas: b\n data: c\nxdata: d\n\n", &[]);
    check(b"data: a: \"data: b\"\n\n", &["a: \"data: b\""]);
    check(b"data: cut", &["cut"]);
    check(b"data: [DONE]\n\n", &["[DONE]"]);
}

#[test]
fn lines_and_records_are_split() {
    let check = check::<LineSplitter>;
    check(b"{\"a\":1}\n{\"b\":2}\r\n\n\n[3]", &["{\"a\":1}", "{\"b\":2}", "[3]"]);
    check(b"\x1e{\"a\":1}\n\x1e{\"b\":2}\n", &["{\"a\":1}", "{\"b\":2}"]);
}

#[test]
fn an_array_is_split_into_its_elements() {
    let check = check::<ArraySplitter>;
    check(
        b"[{\"a\":[1,{\"b\":2}]}\n,\r\n{\"c\":\"d\"} ]",
        &["{\"a\":[1,{\"b\":2}]}", "{\"c\":\"d\"}"],
    );
    check(br#"[{"a":"]}\"}\\"},{}]"#, &[r#"{"a":"]}\"}\\"}"#, "{}"]);
    check(b"[1,\"a,]\", true ,[[],[2]],null]", &["1", "\"a,]\"", "true", "[[],[2]]", "null"]);
    check(b"{\"a\":1}\n{\"b\":[2]}", &["{\"a\":1}", "{\"b\":[2]}"]);
    check(b"\xef\xbb\xbf[]", &[]);
    check(b"[{\"a\":\"cu", &["{\"a\":\"cu"]);
}

/// One message of an AWS event stream.
fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = (16 + headers.len() + payload.len()) as u32;
    let lens = [total, headers.len() as u32].map(u32::to_be_bytes).concat();
    [&lens[..], b"SUM1", headers, payload, b"SUM2"].concat()
}

#[test]
fn messages_have_their_payloads() {
    let check = check::<AwsEventSplitter>;
    let stream = [
        message(b"\x0b:event-type\x07\0\x05chunk", b"{\"a\":1}"),
        message(b"", b""),
        message(b"", b"{\"b\":2}"),
        message(b"headers", b""),
        message(b"h", b"{\"c\":3}")[..15].to_vec(),
    ];
    check(&stream.concat(), &["{\"a\":1}", "{\"b\":2}", "{\""]);
}

#[test]
fn what_is_no_stream_of_messages_is_counted() {
    let mut stream = message(b"", b"{\"a\":1}");
    let len = b"HTTP/1.1 200 OK\r\n".len();
    stream.extend_from_slice(b"\0\0\0\x0f\0\0\0\0HTTP/1.1 200 OK\r\n");
    assert_eq!(split::<AwsEventSplitter>(&stream), (vec![b"{\"a\":1}".to_vec()], 8 + len as u64));
    let cases: [&[u8]; 2] = [b"\0\0\0\x20\0\0\0\x11SUM1", b"\0\0\0\x10\xff\xff\xff\xffSUM1"];
    for broken in cases {
        assert_eq!(split::<AwsEventSplitter>(broken), (vec![], 12));
    }
}

/// A stream of one payload between two short ones.
fn around<S: Splitter>(open: &str, payload: &[u8], close: &str) -> (Vec<Vec<u8>>, u64) {
    let [open, close] = [open.as_bytes(), close.as_bytes()];
    let one = [open, b"{}", close].concat();
    let stream = [&one[..], open, payload, close, &one].concat();
    let whole = split_pieces::<S>(&[&stream]);
    for len in [1000, 4096, stream.len() - 20] {
        let pieces: Vec<&[u8]> = stream.chunks(len).collect();
        assert_eq!(split_pieces::<S>(&pieces), whole);
    }
    whole
}

#[test]
fn a_payload_past_the_bound_is_skipped_and_those_around_it_are_given() {
    for (len, given) in [(EVENT_MAX_BYTES, true), (EVENT_MAX_BYTES + 1, false)] {
        let payload = format!("{{\"{}\"}}", "x".repeat(len - 4)).into_bytes();
        let short = b"{}".to_vec();
        let expected = if given {
            (vec![short.clone(), payload.clone(), short], 0)
        } else {
            (vec![short.clone(), short], len as u64)
        };
        assert_eq!(around::<EventSplitter>("event: a\ndata: ", &payload, "\n\n"), expected);
        assert_eq!(around::<LineSplitter>("", &payload, "\n"), expected);
        assert_eq!(around::<ArraySplitter>("", &payload, ","), expected);
        let stream = [message(b"", b"{}"), message(b"h", &payload), message(b"", b"{}")].concat();
        assert_eq!(split_pieces::<AwsEventSplitter>(&[&stream]), expected);
        let pieces: Vec<&[u8]> = stream.chunks(1000).collect();
        assert_eq!(split_pieces::<AwsEventSplitter>(&pieces), expected);
    }
}

#[test]
fn a_payload_is_given_on_the_read_that_ends_it() {
    let mut given = 0;
    let mut events = EventSplitter::new();
    events.feed(b"data: a\n", &mut |_| given += 1);
    assert_eq!(given, 0);
    events.feed(b"\n", &mut |_| given += 1);
    assert_eq!(given, 1);
    let mut elements = ArraySplitter::new();
    elements.feed(b"[{\"a\":\"b\"", &mut |_| given += 1);
    assert_eq!(given, 1);
    elements.feed(b"}", &mut |_| given += 1);
    assert_eq!(given, 2);
}

#[test]
fn a_whole_payload_is_not_copied() {
    let stream = b"event: a\ndata: {}\n\n";
    let mut at = None;
    EventSplitter::new().feed(stream, &mut |payload| at = Some(payload.as_ptr()));
    assert_eq!(at, Some(stream[15..].as_ptr()));
}

/// The data of events as the standard says, read from whole lines.
fn events_by_line(stream: &str) -> Vec<String> {
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut data: Option<String> = None;
    for line in stream.split('\n') {
        if line.is_empty() {
            events.extend(data.take());
        } else if let Some(text) = line.strip_prefix("data:") {
            let text = text.strip_prefix(' ').unwrap_or(text);
            data = Some(data.map_or(text.to_owned(), |data| format!("{data}\n{text}")));
        }
    }
    // What a cut event has brought is given out, too.
    events.extend(data);
    events.retain(|event| !event.is_empty());
    events
}

proptest! {
    #[test]
    fn events_are_what_their_lines_say(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("data:"), Just("data: "), Just("event: x"), Just("\n"), Just("\r\n"), Just("\r"),
                Just("\n\n"), Just(":"), Just(" "), Just("d"), Just("{\"a\":\"b\"}"),
            ], 0..20)
    ) {
        let stream = format!("{}\n", parts.concat());
        let (payloads, _) = split::<EventSplitter>(stream.as_bytes());
        let payloads: Vec<_> =
            payloads.into_iter().map(|payload| String::from_utf8(payload).unwrap()).collect();
        prop_assert_eq!(payloads, events_by_line(&stream), "{:?}", stream);
    }

    #[test]
    fn any_bytes_are_split_the_same_in_any_pieces(
        bytes in proptest::collection::vec(
            prop_oneof![
                Just(b'"'), Just(b'\\'), Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b','),
                Just(b'\n'), Just(b'\r'), Just(0), Just(b' '), Just(0x12), any::<u8>()
            ], 0..60)
    ) {
        split::<EventSplitter>(&bytes);
        split::<LineSplitter>(&bytes);
        split::<ArraySplitter>(&bytes);
        split::<AwsEventSplitter>(&bytes);
    }

    #[test]
    fn elements_are_the_values_of_the_array(
        values in proptest::collection::vec("[a-c{}\\[\\],\"\\\\]{0,20}", 0..6)
    ) {
        let values: Vec<_> = values.iter().map(|text| serde_json::json!({"k": [text]})).collect();
        let expected: Vec<_> = values.iter().map(|value| value.to_string().into_bytes()).collect();
        let stream = serde_json::Value::from(values).to_string();
        prop_assert_eq!(split::<ArraySplitter>(stream.as_bytes()).0, expected);
    }
}
