//! Engine and exact expressions, the one derived from the other: what the engine leads to is what the
//! expression finds in the whole text.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use regex::bytes::{Regex, RegexBuilder};

use super::rules::{DEFAULT_PACKS, Pack, SEED_PACK, Validator, pack_names, shipped};

use super::stream::{End, Stream};
use super::*;
use crate::limits::SCAN_WINDOW_MIN_BYTES;

/// Expressions of every shape that the derivation treats in its own way, and texts near each.
const SHAPES: [(&str, &[&str]); 18] = [
    (r"tok_[a-z0-9]{8,}", &["tok_", "abcdefgh", "12345678", "tok_abcdefgh1"]),
    (r"tok-[a-z0-9]{8,12}\b", &["tok-", "abcdefgh", "_", "tok-abcdefgh12"]),
    (r"\bpre[a-z]*fix\b", &["pre", "fix", " prefix ", "prefixed", "pre fix"]),
    (r"key=[0-9]{2,}(?:;|$)", &["key=", "12", ";", "key=123"]),
    (r"[a-z]{0,6}secret:[0-9]+", &["secret:", "my", "42", "asecret:1"]),
    (r"(?i)[a-z]{2,}Word=(?:true|1)?", &["word=", "PASS", "true", "aWord="]),
    (r"open[^)]{0,10}\)(?:x|y*)", &["open", ")", "xy", "open(yy)"]),
    (r"(?:ab|abc)d?", &["ab", "abc", "abcd", "d"]),
    (r"\b{start-half}half-[a-z]{3}", &["half-", "abc", " half-abc", "xhalf-abc"]),
    (r"(?m)^line=[a-z]+$", &["line=", "\n", "abc", "\nline=abc\n"]),
    (r"quote\\+[nrt]?\x22", &["quote", "\\", "n", "\"", "quote\\\\\""]),
    (r"(?s)begin.{0,20}end", &["begin", "end", "\n", "begin end end"]),
    (r"ümlaut[0-9]", &["ümlaut", "7", "ü"]),
    (r"(?:\b|_)sk-[a-z]{3,6}", &["_sk-", "xsk-", "abc", "sk-abcdefg"]),
    (r"\xff\xfe{2,}", &["ÿ", "ab"]),
    (r"a1(?:b2){2,3}c*", &["a1", "b2", "b2b2", "cc", "a1b2b2b2b2"]),
    (
        r"\b(?:say|tell) [a-z]{1,4} (?<anchor>all)[0-9]*",
        &["say ", "it ", "all", "tell me all7", "all all"],
    ),
    (
        r"(?<common>must|shall) (?:not )?pass(?<common2>word|key)?-[0-9](?<common3>s)",
        &["must ", "not ", "pass", "word", "-1s", "shall passkey-7s", "\x01ust pass-1s"],
    ),
];

struct Tried {
    scanner: Scanner,
    programs: Vec<Regex>,
}

thread_local! {
    static TRIED: Tried = tried();
}

fn tried() -> Tried {
    let entry = |(number, (expression, _)): (usize, &(&str, &[&str]))| {
        format!("[[rules]]\nid = 'shape{number}'\nregex = '''{expression}'''\n")
    };
    let text: String = SHAPES.iter().enumerate().map(entry).collect();
    // As rules of the seed, so that each is told wherever others match.
    let pack = Pack::parse_shipped(SEED_PACK, &text).unwrap();
    assert_eq!(pack.problems, []);
    let programs = pack.rules.iter().map(|rule| program(rule.expression.text())).collect();
    let rules: RuleSet = pack.rules.into_iter().map(Arc::new).collect();
    let database = Arc::new(Database::compile(&rules).unwrap());
    Tried { scanner: Scanner::new(&database, SCAN_WINDOW_MIN_BYTES).unwrap(), programs }
}

fn program(expression: &str) -> Regex {
    RegexBuilder::new(expression).unicode(false).build().unwrap()
}

/// The ids of what is told of the text itself, not of what is decoded from it.
#[derive(Default)]
struct Ids(Vec<String>);

impl MatchSink for Ids {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        self.0.push(found.rule.id.to_string());
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
}

fn told(scanner: &Scanner, pieces: &[&[u8]]) -> Vec<String> {
    let mut ids = Ids::default();
    let mut stream = Stream::new(&scanner.core);
    let mut buffer = PaddedBuffer::new();
    for piece in pieces {
        for window in buffer.fill(piece).windows(SCAN_WINDOW_MIN_BYTES) {
            stream.step(window, End::Open, &mut ids);
            stream.carry(window.bytes());
        }
    }
    stream.step(Padded::default(), End::Here, &mut ids);
    stream.clear();
    ids.0.sort_unstable();
    ids.0
}

fn fragment() -> impl Strategy<Value = String> {
    let near: Vec<&'static str> =
        SHAPES.iter().flat_map(|(_, texts)| texts.iter().copied()).collect();
    prop_oneof![
        6 => proptest::sample::select(near).prop_map(str::to_owned),
        1 => "[ -~]{0,6}",
        1 => Just("\n".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    /// In one piece, what is told is what the expressions find one after the other.
    #[test]
    fn engine_and_expressions_agree(fragments in proptest::collection::vec(fragment(), 0..12)) {
        let text = fragments.concat().into_bytes();
        TRIED.with(|tried| {
            let mut expected = Vec::new();
            for (number, program) in tried.programs.iter().enumerate() {
                expected.extend(program.find_iter(&text).map(|_| format!("shape{number}")));
            }
            expected.sort_unstable();
            prop_assert_eq!(told(&tried.scanner, &[&text]), expected, "{:?}", String::from_utf8_lossy(&text));
            Ok(())
        })?;
    }
}

/// The shipped packs that have rules, with those that are off.
static ALL: LazyLock<RuleSet> = LazyLock::new(|| {
    let names: Vec<&str> = pack_names().collect();
    shipped(&names).unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", errors.join("\n"))
    })
});

#[test]
fn the_packs_that_are_on_are_packs() {
    assert!(DEFAULT_PACKS.iter().all(|name| pack_names().any(|pack| pack == *name)));
}

#[test]
fn every_rule_matches_each_example_once_and_no_counter_example() {
    let mut wrong = Vec::new();
    for rule in ALL.iter() {
        let program = program(rule.expression.text());
        for text in &rule.examples {
            let count = program.find_iter(text.as_bytes()).count();
            if count != 1 {
                wrong.push(format!("{}: {count} matches in {text:?}", rule.id));
            }
        }
        // Of these rules what is a match is told by more than their expressions.
        let leaves_it = |validator: &Validator| {
            use Validator::{NamedValue, PasswordValue, RandomValue, ServiceValue};
            matches!(validator, RandomValue | NamedValue | ServiceValue | PasswordValue)
        };
        let is_told = !rule.validators.iter().any(leaves_it);
        let is_match = |text: &&String| is_told && program.is_match(text.as_bytes());
        for text in rule.negative_examples.iter().filter(is_match) {
            wrong.push(format!("{}: a match in {text:?}", rule.id));
        }
        if rule.examples.len() < 2 || rule.negative_examples.len() < 2 {
            wrong.push(format!("{}: fewer than two examples or counter-examples", rule.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_says_where_its_format_is_published_and_what_to_do() {
    let mut wrong = Vec::new();
    for rule in ALL.iter() {
        if !rule.source.starts_with("https://") || rule.source.contains(char::is_whitespace) {
            wrong.push(format!("{}: its source {:?} is no URL", rule.id, rule.source));
        }
        if rule.description.is_empty() || rule.description.contains('\n') {
            wrong.push(format!("{}: its description is not one line", rule.id));
        }
        if rule.remediation.is_empty() {
            wrong.push(format!("{}: it has no remediation", rule.id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_engine_tells_of_every_example_in_one_piece_and_byte_by_byte() {
    let database = Arc::new(Database::compile(&ALL).unwrap());
    let scanner = Scanner::new(&database, SCAN_WINDOW_MIN_BYTES).unwrap();
    let mut wrong = Vec::new();
    for rule in ALL.iter() {
        // Where a rule that comes first names the same bytes, it tells of them.
        let place = |id: &str| ALL.iter().position(|rule| &*rule.id == id);
        let comes_first = |id: &&String| {
            ALL.iter().any(|other| *other.id == ***id && other.threat_type == rule.threat_type)
                && place(id) < place(&rule.id)
        };
        let count = |pieces: &[&[u8]]| {
            let told = told(&scanner, pieces);
            let own = told.iter().filter(|id| **id == *rule.id).count();
            if own == 0 { told.iter().filter(comes_first).count().min(1) } else { own }
        };
        for text in &rule.examples {
            let bytes = text.as_bytes();
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            let surrounded = format!("words before, {text} and words behind");
            let counts = [count(&[bytes]), count(&single), count(&[surrounded.as_bytes()])];
            let around = program(rule.expression.text()).find_iter(surrounded.as_bytes()).count();
            if counts != [1, 1, around] && counts != [1, 1, 1] {
                wrong.push(format!("{}: {counts:?} for {text:?}", rule.id));
            }
        }
        for text in &rule.negative_examples {
            if told(&scanner, &[text.as_bytes()]).iter().any(|id| **id == *rule.id) {
                wrong.push(format!("{}: told of {text:?}", rule.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_match_that_the_filter_alone_sees_is_not_told() {
    TRIED.with(|tried| {
        assert_eq!(told(&tried.scanner, &[b"xhalf-xyz"]), Vec::<String>::new());
        assert_eq!(told(&tried.scanner, &[b"-half-xyz"]), ["shape8"]);
        assert_eq!(told(&tried.scanner, &[b"xhalf-xyz half-xyz"]), ["shape8"]);
    });
}
