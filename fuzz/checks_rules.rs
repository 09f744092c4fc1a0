//! What must hold for any file of rules: run by the fuzz target, and over the kept corpus by `tests/corpus.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use clawsec::limits::{EXPRESSION_MAX_BYTES, RULE_ID_MAX_CHARS, RULES_MAX};
use clawsec::scan::rules::{Evidence, Pack};

/// A file is read or refused with a reason, rule by rule, and what is read keeps to its bounds and can judge.
pub fn rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pack = match Pack::parse("fuzz", text) {
        Ok(pack) => pack,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(pack.rules.len() + pack.problems.len() <= RULES_MAX);
    for problem in &pack.problems {
        assert!(!problem.reason.is_empty(), "{problem}");
    }
    for rule in &pack.rules {
        assert!((1..=RULE_ID_MAX_CHARS).contains(&rule.id.len()), "{}", rule.id);
        assert!(rule.expression.text().len() <= EXPRESSION_MAX_BYTES, "{}", rule.id);
        assert!(rule.expression.filters().next().is_some(), "{}", rule.id);
        for example in rule.examples.iter().chain(&rule.negative_examples) {
            let secret = example.as_bytes();
            rule.judge(&Evidence { secret, matched: secret, line: secret, ..Evidence::default() });
        }
    }
    let again = Pack::parse("fuzz", text).expect("it was read before");
    let told = |pack: &Pack| {
        let ids: Vec<_> = pack.rules.iter().map(|rule| rule.id.clone()).collect();
        let examples: Vec<_> = pack.rules.iter().map(|rule| rule.examples.clone()).collect();
        (ids, examples, pack.problems.clone(), pack.notes.clone())
    };
    assert_eq!(told(&again), told(&pack), "a file means the same each time");
}
