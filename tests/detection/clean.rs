//! Clean traffic is quiet: what is told of a long conversation about code, in which nothing is wrong. Skips, and
//! says so, where there are no sources to talk about.

use std::sync::Arc;

use clawsec::finding::Confidence;
use clawsec::scan::rules::default_rules;
use clawsec::scan::{Database, Match, MatchSink, PaddedBuffer, Scanner, Shape};

use crate::support::conversation::conversation;

const TOTAL_BYTES: usize = 16 * 1024 * 1024;
const READ_BYTES: usize = 64 * 1024;
/// What may be told of them.
const FALSE_HITS_MAX: usize = 15;

/// What is told, with what stands around it.
#[derive(Default)]
struct Told(Vec<(Confidence, String)>);

impl MatchSink for Told {
    fn wants(&mut self, _found: &Match<'_>) -> bool {
        true
    }

    fn found(&mut self, found: &Match<'_>, snippet: String) {
        let Match { rule, confidence, view, .. } = found;
        self.0.push((*confidence, format!("{} {confidence:?} {view}: {snippet}", rule.id)));
    }
}

#[test]
fn sixteen_mib_of_clean_text_have_few_false_hits() {
    let Some(text) = conversation(TOTAL_BYTES) else {
        return eprintln!(
            "skipped: there are no {TOTAL_BYTES} bytes of sources in ~/.cargo/registry"
        );
    };
    let database = Arc::new(Database::compile(&default_rules().unwrap()).unwrap());
    let scanner = Scanner::new(&database, READ_BYTES).unwrap();
    let (mut told, mut buffer) = (Told::default(), PaddedBuffer::new());
    let mut body = scanner.body(&Shape::new(std::iter::empty(), Some(b"application/json")));
    for read in text.chunks(READ_BYTES) {
        body.feed(buffer.fill(read), &mut told);
    }
    body.finish(&mut told);
    let lines: Vec<&str> = told.0.iter().map(|(_, line)| line.as_str()).collect();
    let sure = told.0.iter().filter(|(confidence, _)| *confidence > Confidence::Low).count();
    println!("{} hits, {sure} of more than low confidence:\n{}", lines.len(), lines.join("\n"));
    assert!(lines.len() <= FALSE_HITS_MAX, "{} hits: {lines:#?}", lines.len());
}
