//! What the engine that reads all of a text looks for is seldom said in clean text. A rule that makes it look for a word
//! of each model's answer, such as `content`, costs a third of the throughput, and no other test would tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hyperscan::{Builder, Pattern, Patterns, StreamingDatabase};

use super::engines::{fillers, pattern};
use super::rules::{Pack, Rule, default_rules};

#[path = "../../tests/support/conversation.rs"]
mod conversation;

/// How often in a KiB of clean text one of the engine's literals may be met at most. Those of the shipped rules are met
/// 0.1 times, but for those below; ` with` would be met 0.3 times in code, `content` and `model` three in answers.
const HITS_PER_KIB_MAX: f64 = 0.2;
/// The last eight bytes of what is met more often: every address, and the role that some gateways name in each event.
const NEEDED: [&str; 3] = ["://", "https://", "ssistant"];
/// Of each so many bytes of a conversation the first are looked at, or it were about the first of its sources only.
const CONVERSATION_BYTES: usize = 16 * 1024 * 1024;
const CONVERSATION_PART_BYTES: usize = 512 * 1024;
const CONVERSATION_SHARE: usize = 32;

/// The last bytes of what the engine's search for literals looks for: of each byte the bits that count, and their value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Literal {
    mask: [u8; 8],
    value: [u8; 8],
}

impl Literal {
    /// Reads one of Hyperscan's own records of a literal (`struct LitInfo` of its source): value, mask, groups, number,
    /// length, flags, and whether another one follows. None if these bytes are no such record.
    fn of_record(record: &[u8; 32]) -> Option<Literal> {
        let bytes = |at: usize| -> [u8; 8] { record[at..at + 8].try_into().unwrap() };
        let (value, mask) = (bytes(0), bytes(8));
        let (length, flags, next) = (usize::from(record[28]), record[29], record[30]);
        let own = 8_usize.saturating_sub(length);
        let is_record = length > 0
            && flags <= 1
            && next <= 1
            && record[31] == 0
            && bytes(16) != [0; 8]
            && mask[..own] == [0; 8][..own]
            && matches!(mask[7], 0xDF | 0xFF)
            && value[7] != 0
            && value.iter().zip(mask).all(|(value, mask)| value & !mask == 0);
        is_record.then_some(Literal { mask, value })
    }

    fn ends(&self, text: &[u8]) -> bool {
        let bytes = text.iter().rev().zip(self.mask.iter().rev().zip(self.value.iter().rev()));
        text.len() >= self.len()
            && bytes.into_iter().all(|(byte, (mask, value))| byte & mask == *value)
    }

    fn len(&self) -> usize {
        8 - self.mask.iter().position(|mask| *mask != 0).unwrap_or(8)
    }

    fn shown(&self) -> String {
        let sign = |(mask, value): (&u8, &u8)| match (*mask, *value) {
            (0xFF, value) => char::from(value),
            (0xDF, value) => char::from(value).to_ascii_lowercase(),
            _ => '.',
        };
        let from = 8 - self.len();
        self.mask[from..].iter().zip(&self.value[from..]).map(sign).collect()
    }
}

/// What an engine of these patterns looks for, read out of what Hyperscan compiled them to.
fn literals(patterns: Vec<Pattern>) -> BTreeSet<Literal> {
    let engine: StreamingDatabase = Patterns(patterns).build().unwrap();
    let bytes = engine.serialize().unwrap();
    let records = (0..bytes.len()).step_by(4).filter_map(|at| bytes[at..].first_chunk());
    records.filter_map(Literal::of_record).collect()
}

fn of_rules(rules: &[Arc<Rule>]) -> BTreeSet<Literal> {
    let filters = rules.iter().enumerate().filter_map(|(number, rule)| {
        rule.expression.filter_everywhere().map(|filter| pattern(filter, number))
    });
    let filters: Vec<Pattern> = filters.collect();
    let made_up = fillers(filters.len());
    literals(filters.into_iter().chain(made_up).collect())
}

/// How often each literal is met in a text, for each that is met at all.
fn hits(literals: &BTreeSet<Literal>, text: &[u8]) -> BTreeMap<Literal, usize> {
    let mut by_end: Vec<Vec<&Literal>> = vec![Vec::new(); 256];
    for literal in literals {
        let (mask, value) = (literal.mask[7], literal.value[7]);
        for byte in (0..=u8::MAX).filter(|byte| byte & mask == value) {
            by_end[usize::from(byte)].push(literal);
        }
    }
    let mut found = BTreeMap::new();
    for (at, byte) in text.iter().enumerate() {
        let seen = &text[at.saturating_sub(7)..=at];
        for literal in by_end[usize::from(*byte)].iter().filter(|literal| literal.ends(seen)) {
            *found.entry(**literal).or_default() += 1;
        }
    }
    found
}

/// What of these literals clean text is full of: the words, and where.
fn common(literals: &BTreeSet<Literal>) -> Vec<(Literal, String)> {
    let mut all = Vec::new();
    for (name, text) in samples() {
        let per_kib = |count: usize| count as f64 * 1024.0 / text.len() as f64;
        let mut found: Vec<_> = hits(literals, text.as_bytes()).into_iter().collect();
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let often = found.into_iter().map(|(literal, count)| (literal, per_kib(count)));
        let often: Vec<_> = often.take_while(|(_, rate)| *rate > HITS_PER_KIB_MAX / 4.0).collect();
        let said = |(literal, rate): &(Literal, f64)| {
            (*literal, format!("{:?} {rate:.2} times a KiB in {name}", literal.shown()))
        };
        often.iter().for_each(|found| println!("{}", said(found).1));
        let is_told = |(literal, rate): &&(Literal, f64)| {
            *rate > HITS_PER_KIB_MAX && !NEEDED.contains(&literal.shown().as_str())
        };
        all.extend(often.iter().filter(is_told).map(said));
    }
    all
}

/// The rules that make the engine look for a literal.
fn whose<'a>(rules: &'a [Arc<Rule>], literal: &Literal) -> Vec<&'a str> {
    let shown = literal.shown();
    let words = shown.split(|sign: char| !sign.is_ascii_alphanumeric());
    let word = words.max_by_key(|word| word.len()).unwrap_or_default().to_lowercase();
    let holds = |rule: &&Arc<Rule>| rule.expression.text().to_lowercase().contains(&word);
    let is_of = |rule: &&Arc<Rule>| of_rules(std::slice::from_ref(rule)).contains(literal);
    let mut holding: Vec<&Arc<Rule>> = rules.iter().filter(holds).collect();
    if holding.len() > 1 {
        holding.retain(is_of);
    }
    holding.into_iter().map(|rule| &*rule.id).collect()
}

#[test]
fn no_shipped_rule_makes_the_engine_look_for_a_word_that_clean_text_is_full_of() {
    let rules: Vec<Arc<Rule>> = default_rules().unwrap().iter().cloned().collect();
    let literals = of_rules(&rules);
    // Each rule gives some, and each filler one, or the records are others than those of this version.
    assert!(literals.len() > 5000, "{} literals were read", literals.len());
    let common = common(&literals).into_iter();
    let told: Vec<_> = common.map(|(literal, said)| (said, whose(&rules, &literal))).collect();
    assert!(
        told.is_empty(),
        "a group (?<common>…) keeps words from the engine, (?<anchor>…) what stands before: {told:#?}"
    );
}

#[test]
fn a_rule_that_makes_the_engine_look_for_such_a_word_is_named_with_it() {
    let pack = r"
        [[rules]]
        id = 'filters'
        regex = '(?i)\ball[\n ](?<anchor>(?:safety|content|ethical)[\n ](?:filter|restriction|guardrail)s?\b)'
        [[rules]]
        id = 'readers'
        regex = '(?i)(?:spokesperson|model)[a-z]{4,9}[!?]{2}'
        [[rules]]
        id = 'calls'
        regex = '(?i)\b(?:pay|get)_[a-z_]{2,30}[\n ]with[!?]{2}'
        [[rules]]
        id = 'kept'
        regex = '(?i)\b(?:transfer|withdraw)_[a-z_]{2,30}[\n ](?<common>with)[!?]{2}'
    ";
    let rules: Vec<Arc<Rule>> =
        Pack::parse("tried", pack).unwrap().rules.into_iter().map(Arc::new).collect();
    let told: BTreeSet<(String, Vec<&str>)> = common(&of_rules(&rules))
        .into_iter()
        .map(|(literal, _)| {
            (literal.shown().trim_matches([' ', '.', '\n']).to_owned(), whose(&rules, &literal))
        })
        .collect();
    let expected = [("content", "filters"), ("model", "readers"), ("with", "calls")];
    let expected = expected.map(|(word, rule)| (word.to_owned(), vec![rule]));
    assert_eq!(told, BTreeSet::from(expected));
}

/// Clean text: an answer as models stream it, and a conversation about code.
fn samples() -> Vec<(&'static str, String)> {
    let delta = |word: &str| {
        let word = serde_json::Value::from(word);
        format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"large\",\
             \"choices\":[{{\"index\":0,\"delta\":{{\"role\":\"assistant\",\"content\":{word}}},\
             \"finish_reason\":null}}]}}\n\nevent: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\
             \"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":{word}}}}}\n\n"
        )
    };
    let words = include_str!("../../README.md").split_inclusive(' ').take(1000);
    let mut all = vec![("a streamed answer", words.map(delta).collect())];
    match conversation::conversation(CONVERSATION_BYTES) {
        Some(body) => {
            let part = |part: &[u8]| {
                String::from_utf8_lossy(&part[..part.len() / CONVERSATION_SHARE]).into_owned()
            };
            let parts = body.chunks(CONVERSATION_PART_BYTES).map(part).collect();
            all.push(("a conversation about code", parts));
        }
        None => eprintln!("a part is skipped: there are no sources in ~/.cargo/registry"),
    }
    all
}
