//! What is encoded or escaped is found whatever else stands in the same window, and has its own place.

use data_encoding::BASE64;

use super::tests::{scan_pieces, scanner};
use super::*;
use crate::limits::{SCAN_PADDING_BYTES, SCAN_WINDOW_MAX_BYTES};

thread_local! {
    static SCANNER: Scanner = scanner(SCAN_WINDOW_MAX_BYTES);
}

const COMMAND: &[u8] = b"rm -rf / --no-preserve-root";

fn names(text: &str) -> Vec<&'static str> {
    SCANNER.with(|scanner| scan_pieces(scanner, &[text.as_bytes()]).names())
}

/// The places of what is told of a head.
fn places(head: &str) -> Vec<usize> {
    #[derive(Default)]
    struct Places(Vec<usize>);
    impl MatchSink for Places {
        fn wants(&mut self, found: &Match<'_>) -> bool {
            self.0.push(usize::try_from(found.at).unwrap());
            false
        }

        fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
    }
    let mut places = Places::default();
    let bytes = [head.as_bytes(), &[0; SCAN_PADDING_BYTES]].concat();
    SCANNER.with(|scanner| {
        scanner.scan_request(Padded::new(&bytes, 0..head.len()).unwrap(), &mut places);
    });
    places.0
}

#[test]
fn an_escape_elsewhere_does_not_hide_a_short_encoded_text() {
    let encoded = BASE64.encode(COMMAND);
    let filling = "and so on ".repeat(200);
    let alone = names(&format!("see {encoded} {filling}"));
    assert!(!alone.is_empty());
    for escape in ["a%20b", "cu\u{200b}rl", "&#108;s", "\\u006cs"] {
        for text in [
            format!("see {encoded} {filling} {escape}"),
            format!("{escape} {filling} see {encoded} {filling}"),
        ] {
            assert_eq!(names(&text), alone, "{escape}");
        }
    }
}

#[test]
fn a_long_run_behind_a_short_one_does_not_hide_it() {
    let short = BASE64.encode(COMMAND);
    let long =
        BASE64.encode(b"a sentence that is long enough to be seen by itself, and harmless at that");
    let filling = "and so on ".repeat(200);
    let alone = names(&format!("{short} {filling}"));
    assert!(!alone.is_empty());
    for text in [
        format!("{short} y {long} {filling}"),
        format!("{long} y {short} {filling}"),
        format!("{long} y {short} {long} {filling}"),
        format!("{long} {filling} {short} {filling} {long}"),
        // Open at the end of the window.
        format!("{short} {filling} {long}"),
    ] {
        assert_eq!(names(&text), alone, "{text}");
    }
}

#[test]
fn another_secret_of_the_same_beginning_is_told_beside_an_escaped_one() {
    let key = |tail: &str| format!("sk-ant{}{tail}", "-api03-EXAMPLE0123456789abcdef");
    let escaped = key("a").replace('3', "%33");
    let filling = "and so on ".repeat(30);
    for between in [" ", &*filling] {
        let text = format!("{escaped}{between}{}", key("b"));
        assert_eq!(names(&text), ["ai_api_key"; 2], "{text}");
        let same = format!("{}{between}{}", key("a"), key("a"));
        assert_eq!(names(&same), ["ai_api_key"; 2]);
    }
    // One that both readings show is one.
    assert_eq!(names(&format!("a%20b {}", key("a"))), ["ai_api_key"]);
}

#[test]
fn what_is_told_of_a_head_has_the_place_of_its_field() {
    let key = format!("sk-ant{}", "-api03-EXAMPLE0123456789abcdef");
    let encoded = BASE64.encode(format!("oauth2:{key}").as_bytes());
    for length in (1..300).step_by(7) {
        let before = format!("GET / HTTP/1.1\r\nX-Ok: {}%41%42\r\n", "o".repeat(length));
        let fields = [
            format!("X-Bad: {}", key.replace('3', "%33")),
            format!("X-Bad: a%20b {}", key.replace('3', "%33")),
            format!("Authorization: Basic {encoded}"),
        ];
        for field in fields {
            let head = format!("{before}{field}\r\nX-Behind: a%20b\r\n\r\n");
            let found = places(&head);
            let line = before.len()..before.len() + field.len();
            assert_eq!(found.len(), 1, "{head}");
            assert!(line.contains(&found[0]), "{length} {found:?} {line:?}: {head}");
        }
    }
}

#[test]
fn many_short_encoded_texts_do_not_hide_one_more_or_are_told() {
    let gate = BASE64.encode(b"rm -rf ");
    let (short, few) = (BASE64.encode(COMMAND), format!("{gate} ").repeat(300));
    let alone = names(&format!("{short} and so on"));
    let seen = names(&format!("{few}{short} and so on"));
    assert!(alone.iter().all(|name| seen.contains(name)), "{seen:?}");
}
