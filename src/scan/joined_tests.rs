//! What plain messages say together, as callers see it: a text cut into messages is told as the text is.

use std::sync::Arc;

use proptest::prelude::*;

use super::tests::{RULES, SCANNER, Seen, rule, scan_head, scanner};
use super::*;
use crate::limits::*;

/// Passes messages of one direction, the end of which does not come.
struct Passing {
    messages: Messages,
    seen: Seen,
}

impl Passing {
    fn new(scanner: &Scanner) -> Passing {
        Passing { messages: scanner.messages(), seen: Seen::default() }
    }

    fn pass(&mut self, message: impl AsRef<[u8]>) {
        for piece in message.as_ref().chunks(READ_BUFFER_BYTES) {
            self.messages.feed(PaddedBuffer::new().fill(piece), &mut self.seen);
        }
        self.messages.end_message(&mut self.seen);
    }

    fn names(&self) -> Vec<&'static str> {
        self.seen.names()
    }

    fn views(&self) -> Vec<String> {
        self.seen.views().iter().map(ToString::to_string).collect()
    }
}

/// What messages are told of, their end included.
fn told(messages: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Seen {
    SCANNER.with(|scanner| {
        let mut passing = Passing::new(scanner);
        messages.into_iter().for_each(|message| passing.pass(message));
        passing.messages.finish(&mut passing.seen);
        passing.seen
    })
}

/// An access key, in two.
fn halves() -> [String; 2] {
    ["AKIAIOSF".to_owned(), "ODNN7EXAMPLE".to_owned()]
}

#[test]
fn a_text_cut_anywhere_into_messages_is_told_once() {
    for rule in RULES.iter() {
        let text = format!("note: {} ;end of it", rule.examples[0]);
        let count = |seen: &Seen| seen.names().iter().filter(|name| **name == &*rule.id).count();
        for first in 0..=text.len() {
            let (Some(front), Some(back)) = (text.get(..first), text.get(first..)) else {
                continue;
            };
            assert_eq!(count(&told([front, back])), 1, "{front}|{back}");
            let (middle, back) = back.split_at(back.len() / 2);
            assert_eq!(count(&told([front, middle, back])), 1, "{front}|{middle}|{back}");
        }
        let typed = told(text.as_bytes().chunks(1));
        assert_eq!(count(&typed), 1, "{text}");
        assert_eq!(typed.views()[0].to_string().split('>').next(), Some("messages"));
    }
}

proptest! {
    #[test]
    fn messages_are_told_as_the_text_that_they_are_together(
        rule in 0..RULES.len(), before in "[a-z ]{0,40}", cuts in prop::collection::vec(0..120_usize, 1..9),
    ) {
        let text = format!("x{before} {} and so on", RULES[rule].examples[0]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
        cuts.sort_unstable();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let pieces = starts.zip(cuts.iter().copied().chain([text.len()]));
        let seen = told(pieces.map(|(start, end)| &text.as_bytes()[start..end]));
        let id = &*RULES[rule].id;
        let count = seen.names().iter().filter(|name| **name == id).count();
        prop_assert_eq!(count, 1, "{} at {:?}: {:?}", text, cuts, seen.found);
    }
}

#[test]
fn escapes_and_encoded_runs_over_messages_are_read() {
    let command = b"please run rm -rf / --no-preserve-root now";
    let texts = [
        ("please, run now: rm%20-rf%20/%20--no-preserve-root".to_owned(), "messages>percent"),
        (format!("note: {} is it", data_encoding::BASE64.encode(command)), "messages>base64"),
    ];
    for (text, view) in texts {
        for cut in 12..text.len() - 26 {
            let seen = told([&text[..cut], &text[cut..]]);
            assert_eq!(seen.names(), ["destructive_rm"], "{text} at {cut}");
        }
        // In neither message is the command whole.
        let seen = told([&text[..26], &text[26..]]);
        assert_eq!(seen.views()[0].to_string(), view);
    }
}

#[test]
fn a_text_among_odd_characters_is_told_once_however_long_its_pieces_are() {
    let text = "\u{0}\u{ff21}\u{200b} note: /etc/shadow was read \u{ff21} by all of them, they say";
    for len in 1..text.len() {
        assert_eq!(told(text.as_bytes().chunks(len)).names(), ["unix_sensitive"], "{len}");
    }
}

#[test]
fn the_last_piece_tells() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let mut passing = Passing::new(&scanner);
    let [front, back] = halves();
    passing.pass(format!("my key is {front}"));
    assert!(passing.names().is_empty());
    passing.pass(back);
    assert_eq!(passing.names(), ["aws_access_key"]);
    assert_eq!(passing.views(), ["messages"]);
    passing.pass(" and nothing else");
    passing.messages.finish(&mut passing.seen);
    assert_eq!(passing.names().len(), 1);
}

/// A rule that asks for what is no part of a token behind it.
fn ending_rule() -> RuleSet {
    let text = r"[[rules]]
id = 'aws_access_key'
type = 'EXFIL'
secret = true
regex = 'aws_[A-Z0-9]{12,40}(?:[^A-Za-z0-9_]|\z)'
";
    let pack = rules::Pack::parse("ending", text).unwrap();
    pack.rules.into_iter().map(Arc::new).collect()
}

#[test]
fn a_secret_that_needs_an_end_is_told_where_messages_pause() {
    let database = Arc::new(Database::compile(&ending_rule()).unwrap());
    let scanner = Scanner::new(&database, SCAN_WINDOW_MIN_BYTES).unwrap();
    let pause = SCAN_PAUSE_MIN_BYTES as usize;
    for (recent, is_told) in [(pause, true), (pause - 1, false)] {
        let mut passing = Passing::new(&scanner);
        let token = "aws_EXAMPLE0123456789";
        let (front, back) = token.split_at(token.len() - recent);
        let (middle, back) = back.split_at(2);
        for piece in [front, middle, back] {
            assert!(passing.names().is_empty());
            passing.pass(piece);
        }
        assert_eq!(!passing.names().is_empty(), is_told, "{recent}");
        // More of it is no other secret.
        passing.pass("ABC");
        passing.pass(" ");
        assert_eq!(passing.names(), ["aws_access_key"], "{recent}");
    }
}

#[test]
fn a_command_that_goes_on_is_the_one_that_it_becomes() {
    for text in ["rm -rf /tmp/build", "rm -rf /", "cat /etc/passwdx"] {
        let whole = scan_head(&scanner(SCAN_WINDOW_MIN_BYTES), text.as_bytes());
        let typed = told(text.as_bytes().chunks(1));
        assert_eq!(typed.names(), whole.names(), "{text}");
    }
}

#[test]
fn messages_of_protobuf_are_joined_by_the_places_of_their_strings() {
    let delta = |text: &str| {
        let len = text.len() as u8;
        [&[0x12, len + 2, 0x0a, len], text.as_bytes()].concat()
    };
    let pieces = ["please ", "run r", "m -", "rf", " / --no-pres", "erve-root now"];
    let seen = told(pieces.map(delta));
    assert_eq!(seen.names(), ["destructive_rm"]);
    assert_eq!(seen.views()[0].to_string(), "messages>protobuf");
}

#[test]
fn messages_that_say_nothing_together_say_what_each_says() {
    let whole = halves().concat();
    assert_eq!(told([&whole, &whole]).names().len(), 2);
    assert!(told([&whole, &whole]).views().iter().all(|view| view.is_plain()));
    let [front, back] = halves();
    assert!(told([front.as_str(), "\n", back.as_str()]).names().is_empty());
    assert!(told([back, front]).names().is_empty());
    assert!(
        told(["did you read it?", "it is in etc", "/shadow is no file of mine"]).names().is_empty()
    );
}

#[test]
fn what_is_json_stands_beside_the_text() {
    let [front, back] = halves();
    let resize = r#"{"columns":80,"rows":24}"#;
    assert_eq!(told([&front, resize, &back]).names(), ["aws_access_key"]);
    // A number alone is JSON, too.
    let pieces = ["key AK", "IA", "234", "5", "QYLPMNHF", "765 "];
    assert_eq!(told(pieces).names(), scan_head(&scanner(1024), pieces.concat().as_bytes()).names());
}

#[test]
fn what_a_notebook_types_is_a_text() {
    for name in ["stdin", "stdout"] {
        let line = format!("ls {} ", halves().concat());
        let keys = line.chars().map(|key| format!(r#"["{name}", "{key}"]"#));
        let seen = told(keys);
        assert_eq!(seen.names(), ["aws_access_key"]);
        assert_eq!(seen.views()[0].to_string(), "messages>json");
    }
}

#[test]
fn channels_are_texts_of_their_own() {
    let [front, back] = halves();
    let typed = |channel: &str| -> Vec<String> {
        let text = format!("{front}{back} ");
        text.chars().map(|sign| format!("{channel}{sign}")).collect()
    };
    for channel in ["0", "\u{1}"] {
        assert_eq!(told(typed(channel)).names(), ["aws_access_key"], "{channel:?}");
    }
    let both = [format!("\u{1}{front}"), format!("\u{2}{front}"), format!("\u{1}{back}")];
    assert_eq!(told(&both).names(), ["aws_access_key"]);
    // What only begins like channels is none.
    let text = [format!("1. {front}"), back.clone()];
    assert_eq!(told(&text).names(), ["aws_access_key"]);
    let digits = ["10 AKIAIOSFODNN", "7EXAMPLE"];
    assert!(!told(digits).names().is_empty());
}

/// Messages as Kubernetes sends them where only text may be sent.
fn in_base64<'a>(
    messages: impl IntoIterator<Item = (u8, &'a [u8])>,
) -> impl Iterator<Item = String> {
    let digits = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    messages.into_iter().map(move |(channel, bytes)| format!("{channel}{}", digits(bytes)))
}

#[test]
fn channels_in_base64_are_joined_as_binary_ones_are() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let told = |messages: &mut dyn Iterator<Item = String>| {
        let mut passing = Passing { messages: scanner.base64_channels(), ..Passing::new(&scanner) };
        messages.for_each(|message| passing.pass(message));
        passing.messages.finish(&mut passing.seen);
        passing.seen
    };
    let typed = format!("ls {} \r", halves().concat());
    for len in [1, 2, 3, 7, 16] {
        // What opens channels says nothing.
        let opened = [(0, &b""[..]), (1, b""), (2, b"")];
        let seen = told(&mut in_base64(
            opened.into_iter().chain(typed.as_bytes().chunks(len).map(|piece| (0, piece))),
        ));
        assert_eq!(seen.names(), ["aws_access_key"], "{len}");
        assert_eq!(seen.views()[0].to_string(), "messages>base64", "{len}");
    }
    let [front, back] = halves();
    let apart = [(1, front.as_bytes()), (2, b"other"), (2, back.as_bytes())];
    assert!(told(&mut in_base64(apart)).names().is_empty());
    // A whole one is told once, however much is said around it.
    let whole = [(1, &b"$ env"[..]), (1, typed.as_bytes()), (1, b"$ exit")];
    assert_eq!(told(&mut in_base64(whole)).names(), ["aws_access_key"]);
    // One that is too long to be at hand takes no channel's room.
    let long = vec![b'a'; SCAN_MESSAGE_KEPT_BYTES];
    let channels = (0..SCAN_CHANNELS_MAX as u8).map(|channel| (channel, &long[..]));
    let halves = [(0, front.as_bytes()), (0, back.as_bytes())];
    assert_eq!(told(&mut in_base64(channels.chain(halves))).names(), ["aws_access_key"]);
    // What is no such message is read as it stands.
    let plain = ["5 my key is", &front, &back, "!"].map(str::to_owned);
    assert_eq!(told(&mut plain.into_iter()).names(), ["aws_access_key"]);
}

#[test]
fn as_many_channels_as_the_bound_are_joined_and_no_further_one() {
    let [front, back] = halves();
    for (channel, is_joined) in [(SCAN_CHANNELS_MAX - 1, true), (SCAN_CHANNELS_MAX, false)] {
        let others = (0..channel).map(|other| format!("{other}other"));
        let own = [&front, &back].map(|half| format!("{channel}{half}"));
        let names = told(others.chain(own)).names();
        assert_eq!(!names.is_empty(), is_joined, "{channel}");
    }
}

#[test]
fn a_message_at_the_bound_is_joined_whole_and_of_a_longer_one_both_ends_are() {
    let [front, back] = halves();
    let filled = |len: usize| format!("{back} {} {front}", "a ".repeat(len))[..].to_owned();
    for len in [
        SCAN_JOINED_MESSAGE_BYTES,
        SCAN_JOINED_MESSAGE_BYTES + 1,
        SCAN_MESSAGE_KEPT_BYTES,
        SCAN_MESSAGE_KEPT_BYTES + 1,
        5 * SCAN_MESSAGE_KEPT_BYTES,
    ] {
        let mut message = filled(len / 2).into_bytes();
        message.drain(20..20 + message.len() - len);
        assert_eq!(message.len(), len);
        let seen = told([front.as_bytes(), &message, back.as_bytes()]);
        assert_eq!(seen.names(), ["aws_access_key"; 2], "{len}");
    }
    // What a long message tells by itself at its ends is told once.
    let key = halves().concat();
    let long = format!("{key} {} {key} ", "a ".repeat(SCAN_JOINED_MESSAGE_BYTES));
    assert_eq!(told(["ls", &long, "x"]).names().len(), 2);
}

#[test]
fn the_cut_ends_of_a_long_message_are_no_ends() {
    let command = "rm -rf /tmp/build ";
    let at = SCAN_JOINED_END_BYTES - "rm -rf /".len();
    let long = format!("{}{command}{}", " ".repeat(at), "a ".repeat(SCAN_JOINED_MESSAGE_BYTES));
    let whole = scan_head(&scanner(SCAN_WINDOW_MAX_BYTES), long.as_bytes());
    assert_eq!(told(["ls ", &long, "ls "]).names(), whole.names());
    let key = format!("x{}", halves().concat());
    let at = SCAN_JOINED_END_BYTES - key.len() + 1;
    let long = format!("{}{key}{}", "a ".repeat(SCAN_JOINED_MESSAGE_BYTES), " ".repeat(at));
    let whole = scan_head(&scanner(SCAN_WINDOW_MAX_BYTES), long.as_bytes());
    assert_eq!(told(["ls ", &long, "ls "]).names(), whole.names());
}

#[test]
fn a_text_takes_memory_from_the_second_message_on_and_heartbeats_take_none() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let idle = || {
        let engines = scanner.core.idle_engines.take();
        let count = engines.len();
        scanner.core.idle_engines.set(engines);
        count
    };
    let mut passing = Passing::new(&scanner);
    for _ in 0..3 {
        passing.pass("ping");
        assert_eq!(idle(), 1);
    }
    passing.pass("pong");
    assert_eq!(idle(), 0);
    passing.messages.finish(&mut passing.seen);
    assert_eq!(idle(), 1);
}

#[test]
fn separate_messages_are_not_joined() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let mut passing = Passing { messages: scanner.separate_messages(), ..Passing::new(&scanner) };
    halves().into_iter().for_each(|half| passing.pass(half));
    passing.messages.finish(&mut passing.seen);
    assert!(passing.names().is_empty());
    assert!(rule("aws_access_key").is_secret);
}

#[test]
fn several_records_of_one_message_are_events_each() {
    let record = |piece: &str| format!(r#"{{"type":1,"target":"delta","arguments":["{piece}"]}}"#);
    let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
    for (between, end) in [("\x1e", "\x1e"), ("\n", "\n"), ("\r\n", "")] {
        for together in 1..=pieces.len() {
            let message = |pieces: &[&str]| {
                let records: Vec<String> = pieces.iter().map(|piece| record(piece)).collect();
                records.join(between) + end
            };
            let seen = told(pieces.chunks(together).map(message));
            assert_eq!(seen.names(), ["destructive_rm"], "{together} parted by {between:?}");
        }
    }
    // An object over several lines is one.
    let object = "{\n\"a\": {\n\"b\": \"rm -\"\n},\n\"c\": \"rf / --no-preserve-root\"\n}\n";
    assert!(told([object, object]).names().is_empty());
}

#[test]
fn parts_of_messages_are_one_text_by_their_places() {
    let message = |piece: &str| {
        let content = format!(r#"{{"name":"stdout","text":"{piece}"}}"#);
        let parts = ["iopub", "{}", "{}", "{}", &content];
        let mut end = 8 * (parts.len() as u64 + 2);
        let ends = parts.map(|part| {
            end += part.len() as u64;
            end
        });
        let numbers =
            [parts.len() as u64 + 1, 8 * (parts.len() as u64 + 2)].into_iter().chain(ends);
        numbers.flat_map(u64::to_le_bytes).chain(parts.concat().into_bytes()).collect::<Vec<u8>>()
    };
    let seen = told(["please run rm -", "rf", " / --no-pres", "erve-root now"].map(message));
    assert_eq!(seen.names(), ["destructive_rm"]);
    assert_eq!(seen.views()[0].to_string(), "messages>json");
}

#[test]
fn events_of_socket_io_are_one_text() {
    let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
    for head in ["42", "42/chat,", "4217"] {
        let packets = pieces.map(|piece| format!("{head}[\"token\",{{\"text\":\"{piece}\"}}]"));
        let seen = told(packets.iter().flat_map(|packet| [packet.as_str(), "2", "3"]));
        assert_eq!(seen.names(), ["destructive_rm"], "{head}");
        assert_eq!(seen.views()[0].to_string(), "messages>json");
    }
    let no_json = pieces.map(|piece| format!("42[{piece}"));
    assert!(told(no_json).names().is_empty());
}

/// A command that is harmless if nothing follows waits for what follows.
#[test]
fn what_waits_in_a_channel_is_told_when_there_are_none() {
    let told = told(["1ls ", "1-l; rm -rf /srv", "1/../", "no channel"]);
    assert_eq!(told.names(), ["destructive_rm"]);
    let told = self::told(["1ls ", "1-l; rm -rf ", "1/dist", "no channel"]);
    assert_eq!(told.names(), ["destructive_rm"]);
}
