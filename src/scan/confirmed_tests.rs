//! What stands beside a match: confirmed secrets and known values are hidden in every snippet.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::*;
use crate::finding::Fingerprint;
use crate::limits::LAST_LOOK_LEN;

const VALUE: &str = "plain words as a pass phrase";

#[derive(Default)]
struct Told(Vec<(String, String)>, bool);

impl MatchSink for Told {
    fn wants(&mut self, _found: &Match<'_>) -> bool {
        true
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        self.0.push((found.rule.id.to_string(), snippet));
    }

    fn watches(&self) -> bool {
        self.1
    }

    fn wants_known(&mut self, found: &KnownMatch<'_>) -> bool {
        assert_eq!(found.fingerprint, Some(Fingerprint([3; 8])));
        true
    }

    fn found_known(&mut self, _found: &KnownMatch<'_>, snippet: String) {
        self.0.push((KNOWN_VALUE_RULE.to_owned(), snippet));
    }
}

fn known() -> Option<Arc<KnownValues>> {
    let bytes = Zeroizing::new(VALUE.as_bytes().to_vec());
    let values = vec![NamedValue { name: "PASS_PHRASE".into(), bytes }];
    Some(Arc::new(KnownValues::new(values, |_| Fingerprint([3; 8])).unwrap()))
}

fn database() -> Arc<Database> {
    Arc::clone(&super::tests::DATABASE)
}

fn scanner() -> Scanner {
    Scanner::knowing(&database(), 0, known()).unwrap()
}

fn told(scanner: &Scanner, text: &str, cut_at: usize) -> Vec<(String, String)> {
    let mut stream = scanner.open();
    let mut told = Told(Vec::new(), true);
    let (first, second) = text.as_bytes().split_at(cut_at);
    for part in [first, second] {
        stream.feed(PaddedBuffer::new().fill(part), &mut told);
    }
    stream.finish(&mut told);
    told.0
}

#[test]
fn a_known_value_is_told_by_its_name_and_in_no_snippet() {
    let text = format!("see /etc/shadow, {VALUE}, and /etc/passwd");
    let scanner = scanner();
    for cut_at in 0..text.len() {
        let told = told(&scanner, &text, cut_at);
        let snippets: Vec<&str> = told.iter().map(|(_, snippet)| snippet.as_str()).collect();
        assert_eq!(told.len(), 3, "{snippets:?}");
        for part in VALUE.as_bytes().windows(8) {
            let part = std::str::from_utf8(part).unwrap();
            assert!(
                snippets.iter().all(|snippet| !snippet.contains(part)),
                "{cut_at} {snippets:?}"
            );
        }
        let named = told.iter().find(|(rule, _)| rule == KNOWN_VALUE_RULE).unwrap();
        assert!(named.1.contains("[value of PASS_PHRASE]"), "{named:?}");
    }
}

#[test]
fn a_form_is_named_and_so_is_a_half() {
    let hex = data_encoding::HEXLOWER.encode(VALUE.as_bytes());
    let scanner = scanner();
    let hex = told(&scanner, &format!("x {hex} y"), 7);
    assert_eq!(hex, [(KNOWN_VALUE_RULE.into(), "x [value of PASS_PHRASE, in hex] y".to_owned())]);
    for behind in ["y", "y and more words than the value has"] {
        let half = told(&scanner, &format!("x {} {behind}", &VALUE[..VALUE.len() / 2]), 7);
        assert_eq!(half[0].1, "[value of PASS_PHRASE, first half]");
    }
}

#[test]
fn nothing_of_a_value_is_shown_that_is_cut_into_uneven_parts() {
    let scanner = scanner();
    for at in 1..VALUE.len() {
        let (first, second) = VALUE.split_at(at);
        let longer = if first.len() >= second.len() { first } else { second };
        for text in [
            format!("{{\"a\": \"{first}\", \"b\": \"{second}\"}} cat /etc/shadow"),
            format!("cat /etc/shadow?b={second}&a={first}&c=/etc/passwd"),
            format!("{longer} but {VALUE}, cat /etc/shadow"),
            format!("{VALUE} and {longer} cat /etc/shadow"),
        ] {
            let told = told(&scanner, &text, 0);
            assert!(told.iter().any(|(rule, _)| rule == KNOWN_VALUE_RULE), "{text}");
            for part in VALUE.as_bytes().windows(6) {
                let part = std::str::from_utf8(part).unwrap();
                assert!(told.iter().all(|(_, shown)| !shown.contains(part)), "{part}: {told:?}");
            }
        }
    }
}

#[test]
fn inbound_streams_are_not_watched_and_hide_all_the_same() {
    let scanner = scanner();
    let mut told = Told::default();
    let text = format!("see /etc/shadow {VALUE}");
    scanner.scan_block(PaddedBuffer::new().fill(text.as_bytes()), &mut told);
    assert_eq!(told.0.len(), 1);
    assert_eq!(told.0[0].1, "see /etc/shadow ...");
}

#[test]
fn a_confirmed_secret_is_hidden_in_the_snippet_of_a_match_before_it() {
    let key = concat!("sk-ant", "-api03-EXAMPLEexample0123456789");
    let text = format!("cat /etc/shadow; x{key} behind");
    let scanner = scanner();
    for cut_at in [0, 10, 20, 25, text.len()] {
        let snippets = told(&scanner, &text, cut_at);
        assert!(
            snippets.iter().all(|(_, snippet)| !snippet.contains("EXAMPLEexample")),
            "{snippets:?}"
        );
    }
}

#[test]
fn a_secret_that_went_on_after_its_match_was_told_is_hidden_as_a_whole() {
    let key = concat!("sk-ant", "-api03-EXAMPLEexample0123456789");
    let text = format!("{key}-and-still-longer-zqxj /etc/shadow");
    let scanner = scanner();
    for cut_at in key.len() - 2..key.len() + 20 {
        let told = told(&scanner, &text, cut_at);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told.iter().all(|(_, snippet)| !snippet.contains("zqxj")), "{cut_at} {told:?}");
    }
}

#[test]
fn the_last_look_hides_what_a_rule_still_finds_and_leaves_the_rest() {
    let mut look = LastLook::new(&database(), known()).unwrap();
    let key = concat!("sk-ant", "-api03-EXAMPLEexample0123456789");
    let secret = (format!("é {key} and {VALUE} …"), "é sk-ant-... and ... …");
    let value = (format!("a {VALUE}"), "a ...");
    let harmless = "bash -c \"id\" /etc/shadow sk-ant-...";
    let plain = (harmless.to_owned(), harmless);
    let empty = (String::new(), "");
    for count in [1, 2, LAST_LOOK_LEN, 2 * LAST_LOOK_LEN + 1] {
        for at in [0, count / 2, count - 1] {
            for special in [&secret, &value, &plain, &empty] {
                let mut texts = vec![plain.0.clone(); count];
                texts[at].clone_from(&special.0);
                look.mask(&mut texts.iter_mut().collect::<Vec<_>>());
                for (place, text) in texts.iter().enumerate() {
                    assert_eq!(
                        text,
                        if place == at { special.1 } else { plain.1 },
                        "{at} of {count}"
                    );
                }
            }
        }
    }
}

/// Names of hosts lose their capitals on the way, and with these what tells most secrets.
#[test]
fn the_last_look_at_names_finds_secrets_in_either_case() {
    const LABEL: &str = "Twelve-CH-12";
    let bytes = Zeroizing::new(LABEL.as_bytes().to_vec());
    let long = Zeroizing::new(b"Eight-CH.and-nine".to_vec());
    let values = [("LABEL", bytes), ("LONG", long)];
    let values = values.map(|(name, bytes)| NamedValue { name: name.into(), bytes });
    let known = KnownValues::new(values.into(), |_| Fingerprint([3; 8])).unwrap();
    let mut look = LastLook::new(&database(), Some(Arc::new(known))).unwrap();
    let id = concat!("AKIA", "IOSFODNN7EXAMPLE");
    let key = concat!("sk-ant", "-api03-exampleexample0123456789");
    let hex = "5477656c76652d43482d3132";
    let cases = [
        (LABEL.to_owned(), "..."),
        ("x.twelve-ch-12.y".to_owned(), "..."),
        (format!("{hex}.y"), "..."),
        (format!("{id}.y"), "AKIA....y"),
        (id.to_lowercase(), "akia..."),
        (key.to_owned(), "sk-ant-..."),
        ("rest.eight-ch.more".to_owned(), "..."),
        ("x.and-nine.y".to_owned(), "..."),
        ("twelve-c.x".to_owned(), "twelve-c.x"),
    ];
    for (named, shown) in cases {
        let plain = "api.service-12";
        let mut texts = [plain.to_owned(), named];
        look.mask_names(&mut texts.iter_mut().collect::<Vec<_>>());
        assert_eq!(texts, [plain, shown]);
    }
}

#[test]
fn what_only_two_snippets_together_hold_is_left_as_it_is() {
    let mut look = LastLook::new(&database(), None).unwrap();
    let key = concat!("sk-ant", "-api03-EXAMPLEexample0123456789");
    let (left, right) = key.split_at(12);
    let mut texts = [left.to_owned(), right.to_owned()];
    look.mask(&mut texts.iter_mut().collect::<Vec<_>>());
    assert_eq!(texts, [left, right]);
}
