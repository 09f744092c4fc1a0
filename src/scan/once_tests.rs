//! What several texts of a unit show is one match, and what a cut or an end hides for a moment is told as it is.

use std::sync::{Arc, LazyLock};

use super::rules::Pack;
use super::tests::RULES;
use super::*;
use crate::finding::Confidence;
use crate::limits::{SCAN_WINDOW_MAX_BYTES, SCAN_WORK_BYTES};

#[derive(Debug, PartialEq, Eq)]
struct Told {
    id: String,
    bytes: String,
    confidence: Confidence,
    view: String,
}

#[derive(Default)]
struct Sink(Vec<Told>);

impl MatchSink for Sink {
    fn wants(&mut self, _found: &Match<'_>) -> bool {
        true
    }

    fn found(&mut self, found: &Match<'_>, _snippet: String) {
        self.0.push(Told {
            id: found.rule.id.to_string(),
            bytes: String::from_utf8_lossy(found.bytes).into_owned(),
            confidence: found.confidence,
            view: found.view.to_string(),
        });
    }
}

/// The seed's rules, and one of a token that ends with its word and one of a token without an end.
static DATABASE: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let tokens = "[[rules]]\nid = 'token'\ntype = 'EXFIL'\nsecret = true\n\
                  regex = 'tok_[A-Za-z0-9]{36,251}\\b'\n\
                  [[rules]]\nid = 'endless'\ntype = 'EXFIL'\nsecret = true\n\
                  regex = 'endless_[A-Za-z0-9]{20,}'\n";
    let tokens = Pack::parse("tokens", tokens).unwrap().rules.into_iter().map(Arc::new);
    Arc::new(Database::compile(&RULES.iter().cloned().chain(tokens).collect()).unwrap())
});

fn scanner() -> Scanner {
    Scanner::new(&DATABASE, SCAN_WINDOW_MAX_BYTES).unwrap()
}

fn told_of(content_type: &str, pieces: &[&str]) -> Vec<Told> {
    let shape = Shape::new(std::iter::empty(), Some(content_type.as_bytes()));
    let (mut sink, mut body) = (Sink::default(), scanner().body(&shape));
    for piece in pieces {
        body.feed(PaddedBuffer::new().fill(piece.as_bytes()), &mut sink);
    }
    body.finish(&mut sink);
    sink.0
}

#[test]
fn a_token_over_two_pieces_of_a_large_read_is_told_whole() {
    let token = format!("endless_{}", "abcdefghijEXAMPLE".repeat(4));
    for shift in [25, 40, token.len() - 1, token.len()] {
        let before = "x ".repeat(SCAN_WORK_BYTES / 2);
        let json = format!("{{\"a\":\"{}\"}}", &before[12 + shift..]);
        let json = json.replacen("\"}", &format!(" {token} and so on\"}}"), 1);
        let told = told_of("application/json", &[&json]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].bytes, token, "{shift}");
        // Where nothing follows at once, what is there is told at once.
        let cut = json.find(&token).unwrap() + 30;
        let (front, back) = json.split_at(cut);
        let told = told_of("application/json", &[front, back]);
        assert_eq!((told.len(), &told[0].bytes[..]), (1, &token[..30]), "{shift}");
    }
}

#[test]
fn a_command_at_the_end_of_a_body_is_judged_by_its_end() {
    let confidence = |pieces: &[&str], ends: bool| {
        let (mut sink, mut body) = (Sink::default(), scanner().body(&Shape::default()));
        for (at, piece) in pieces.iter().enumerate() {
            if ends && at + 1 == pieces.len() {
                body.ends_next();
            }
            body.feed(PaddedBuffer::new().fill(piece.as_bytes()), &mut sink);
        }
        let told_early = sink.0.len();
        body.finish(&mut sink);
        assert!(told_early == 1 || pieces[0].contains("nc "), "{:?}", sink.0);
        assert_eq!(sink.0.len(), 1, "{:?}", sink.0);
        sink.0[0].confidence
    };
    let script = "FROM scratch\nRUN rm -rf /";
    assert_eq!(confidence(&[script], true), Confidence::High);
    assert_eq!(confidence(&["FROM scratch\nRUN rm", " -rf /"], true), Confidence::High);
    assert_eq!(confidence(&[script], false), Confidence::Medium);
    assert_eq!(confidence(&["FROM scratch\nRUN nc db 5432"], true), Confidence::High);
    assert_eq!(confidence(&["FROM scratch\nRUN nc localhost 5432"], true), Confidence::Low);
}

#[test]
fn netcat_that_only_asks_for_a_port_in_long_form_is_no_reverse_shell() {
    for command in ["nc --zero db 5432", "ncat -v --zero db.internal 443 && echo up"] {
        assert_eq!(told_of("text/plain", &[command]), [], "{command}");
    }
    assert_eq!(told_of("text/plain", &["nc --wait 3 db.example 5432"]).len(), 1);
}
