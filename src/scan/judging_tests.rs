//! What a rule makes of a match: its secret, its confidence, its keywords, what is shown.

use std::sync::Arc;

use super::rules::Pack;
use super::*;
use crate::finding::Confidence;
use crate::limits::{RULE_NEAR_BYTES, SCAN_REPEATS_PER_WINDOW, SCAN_WINDOW_MIN_BYTES};

#[derive(Debug, PartialEq, Eq)]
struct Told {
    id: String,
    secret: String,
    confidence: Confidence,
    snippet: String,
}

#[derive(Default)]
struct Sink(Vec<Told>);

impl MatchSink for Sink {
    fn wants(&mut self, _found: &Match<'_>) -> bool {
        true
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        self.0.push(Told {
            id: found.rule.id.to_string(),
            secret: String::from_utf8(found.secret.to_vec()).unwrap(),
            confidence: found.confidence,
            snippet,
        });
    }
}

fn scanner(rules: &str) -> Scanner {
    let pack = Pack::parse("tried", rules).unwrap();
    assert_eq!(pack.problems, []);
    let rules: RuleSet = pack.rules.into_iter().map(Arc::new).collect();
    Scanner::new(&Arc::new(Database::compile(&rules).unwrap()), SCAN_WINDOW_MIN_BYTES).unwrap()
}

fn told(scanner: &Scanner, pieces: &[&str]) -> Vec<Told> {
    let mut sink = Sink::default();
    let mut stream = scanner.open();
    for piece in pieces {
        stream.feed(PaddedBuffer::new().fill(piece.as_bytes()), &mut sink);
    }
    stream.finish(&mut sink);
    sink.0
}

const NAMED: &str = "[[rules]]\nid = 'named'\nregex = 'acme_(?:key|id)[ =:]{1,3}([a-z0-9]{16})'\n\
                     secretGroup = 1\nentropy = 3.0\n";

#[test]
fn the_group_is_the_secret_and_the_name_before_it_is_shown() {
    let scanner = scanner(NAMED);
    let secret = "q8zr1kpmw0tvb3nx";
    let text = format!("the value of acme_id: {secret} is good");
    for split in 0..text.len() {
        let (first, second) = text.split_at(split);
        let told = told(&scanner, &[first, second]);
        assert_eq!(told.len(), 1, "{split}");
        assert_eq!((&*told[0].secret, told[0].confidence), (secret, Confidence::Medium));
        assert!(told[0].snippet.starts_with("the value of acme_id: ..."), "{}", told[0].snippet);
        assert!(!told[0].snippet.contains("kpmw0"), "{}", told[0].snippet);
    }
}

#[test]
fn a_secret_that_is_hardly_one_is_told_with_low_confidence() {
    let told = told(&scanner(NAMED), &["acme_key=aaaaaaaaaaaaaaab"]);
    assert_eq!((told.len(), told[0].confidence), (1, Confidence::Low));
}

#[test]
fn another_secret_before_the_group_is_masked_too() {
    let rules =
        "[[rules]]\nid = 'named'\nregex = 'acme [^;]{0,60};([a-z0-9]{16})'\nsecretGroup = 1\n";
    let other = "xoxb-1234567890-abcdefghij";
    let told = told(&scanner(rules), &[&format!("acme {other} and ;q8zr1kpmw0tvb3nx here")]);
    assert_eq!(told.len(), 1);
    assert!(!told[0].snippet.contains("4567890"), "{}", told[0].snippet);
    assert!(!told[0].snippet.contains("kpmw0"), "{}", told[0].snippet);
}

#[test]
fn a_rule_is_not_tried_where_its_keyword_is_not_near() {
    let scanner = scanner("[[rules]]\nid = 'k'\nregex = '[0-9]{10}\\b'\nkeywords = ['acme']\n");
    assert!(told(&scanner, &["number 1234567890."]).is_empty());
    assert_eq!(told(&scanner, &["ACME number 1234567890."]).len(), 1);
    assert_eq!(told(&scanner, &["acme ", "number ", "1234567890", "."]).len(), 1);
    for (gap, count) in [(RULE_NEAR_BYTES - 4, 1), (RULE_NEAR_BYTES - 3, 0)] {
        let text = format!("acme{}1234567890.", " ".repeat(gap));
        assert_eq!(told(&scanner, &[&text]).len(), count, "{gap}");
    }
}

#[test]
fn what_follows_a_match_is_looked_at_as_far_as_it_is_known() {
    let scanner = scanner(
        "[[rules]]\nid = 'pem'\nregex = '-----BEGIN PRIVATE KEY-----'\nvalidators = ['pem_body']\n",
    );
    let head = concat!("-----BEGIN ", "PRIVATE KEY-----");
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
    let confidence = |pieces: &[&str]| told(&scanner, pieces)[0].confidence;
    assert_eq!(confidence(&[&format!("{head}\n{body}")]), Confidence::High);
    assert_eq!(
        confidence(&[&format!("{head}{}", " is a line of armour".repeat(20))]),
        Confidence::Low
    );
    assert_eq!(confidence(&[head, body]), Confidence::Medium);
}

#[test]
fn a_line_is_what_lies_between_line_ends() {
    let scanner = scanner(
        "[[rules]]\nid = 'l'\nregex = 'k[0-9]{4}'\n[rules.allowlist]\nregexTarget = 'line'\n\
         regexes = ['^# .*ok$']\n",
    );
    let confidence = |text: &str| told(&scanner, &[text])[0].confidence;
    assert_eq!(confidence("a\n# the k1234 is ok\nb"), Confidence::Low);
    assert_eq!(confidence("a # the k1234 is ok\nb"), Confidence::Medium);
    assert_eq!(confidence("a\n# the k1234 is ok, not\nb"), Confidence::Medium);
}

#[test]
fn a_match_without_its_keyword_hides_no_other_rules_match() {
    let scanner = scanner(
        "[[rules]]\nid = 'first'\nregex = 'id=[0-9]{10}'\nkeywords = ['acme']\n\
         [[rules]]\nid = 'second'\nregex = 'id=[0-9]{10}'\n",
    );
    let ids = |pieces: &[&str]| -> Vec<String> {
        told(&scanner, pieces).into_iter().map(|told| told.id).collect()
    };
    assert_eq!(ids(&["acme id=1234567890"]), ["first"]);
    assert_eq!(ids(&["other id=1234567890"]), ["second"]);
    assert_eq!(ids(&["other id=12345", "67890 "]), ["second"]);
}

#[test]
fn a_keyword_behind_a_match_may_come_with_a_later_read() {
    let scanner = scanner("[[rules]]\nid = 'k'\nregex = '[0-9]{10}\\b'\nkeywords = ['acme']\n");
    let text = "number 1234567890 is of acme";
    for split in 0..text.len() {
        let (first, second) = text.split_at(split);
        assert_eq!(told(&scanner, &[first, second]).len(), 1, "{split}");
    }
    assert_eq!(told(&scanner, &["1234567890", ".", "ac", "me", " acme"]).len(), 1);
    for (gap, count) in [(RULE_NEAR_BYTES - 4, 1), (RULE_NEAR_BYTES - 3, 0)] {
        let pieces = ["1234567890", &" ".repeat(gap), "acme"];
        assert_eq!(told(&scanner, &pieces).len(), count, "{gap}");
    }
}

#[test]
fn a_flood_of_doubtful_matches_hides_no_sure_one() {
    let scanner =
        scanner("[[rules]]\nid = 'dan'\nregex = 'Act as DAN'\nvalidators = ['mention']\n");
    let mentions = "a jailbreak: Act as DAN\n".repeat(3 * SCAN_REPEATS_PER_WINDOW / 2);
    let told = told(&scanner, &[&format!("{mentions}Act as DAN\n{mentions}")]);
    let sure = told.iter().filter(|told| told.confidence == Confidence::Medium).count();
    assert_eq!(sure, 1);
}

/// Else the same key had another fingerprint there.
#[test]
fn what_stands_for_a_tokens_beginning_is_none_of_the_secret() {
    let scanner = scanner(
        "[[rules]]\nid = 'key'\ntype = 'EXFIL'\nregex = '(?i)(?:\\b|_|\\\\[nrt])sk-[a-z0-9]{20}'\n",
    );
    let key = format!("sk-{}", "q8zr1kpmw0".repeat(2));
    for before in ["", " ", "_", "x_", "\\n", "x\\n"] {
        let told = told(&scanner, &[&format!("{before}{key} ")]);
        let secrets: Vec<&str> = told.iter().map(|told| &*told.secret).collect();
        assert_eq!(secrets, [&key], "{before}");
    }
}
