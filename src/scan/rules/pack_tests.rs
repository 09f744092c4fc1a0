//! Files of rules: what they may say, and what is said of those that are wrong.

use super::*;
use crate::limits::*;

fn pack(text: &str) -> Pack {
    Pack::parse("mine.toml", text).unwrap()
}

fn only(text: &str) -> Rule {
    let mut pack = pack(text);
    assert_eq!((pack.rules.len(), &pack.problems), (1, &Vec::new()));
    pack.rules.remove(0)
}

fn reason(fields: &str) -> (ProblemKind, String) {
    let pack = pack(&format!("[[rules]]\nid = 'wrong'\n{fields}\n"));
    assert_eq!((pack.rules.len(), pack.problems.len()), (0, 1), "{fields}");
    (pack.problems[0].kind, pack.problems[0].to_string())
}

fn evidence(secret: &str) -> Evidence<'_> {
    let secret = secret.as_bytes();
    Evidence { secret, matched: secret, ..Evidence::default() }
}

#[test]
fn a_rule_with_every_field_is_read_as_it_is_written() {
    let rule = only(
        r#"
        [definitions]
        digits = '[0-9]{4}'
        [[rules]]
        id = "my_token"
        type = "INJECTION"
        severity = "Low"
        confidence = "high"
        direction = "inbound"
        description = "A token of ours"
        remediation = "Ask us."
        source = "https://example.com/tokens"
        regex = '''tok_(?&digits)-(?&digits)'''
        secret = true
        entropy = 1.5
        validators = ["luhn", "known_example"]
        keywords = ["TOK_"]
        examples = ['tok_{{0-9:4}}-{{}}1234']
        negative_examples = ['tok_1']
        tags = ["theirs"]
        "#,
    );
    assert_eq!((&*rule.id, &*rule.pack), ("my_token", "mine.toml"));
    assert_eq!(rule.threat_type, ThreatType::Injection);
    assert_eq!((rule.severity, rule.confidence), (Severity::Low, Confidence::High));
    assert_eq!(rule.direction, Some(Direction::Inbound));
    assert_eq!(rule.expression.text(), "tok_(?:[0-9]{4})-(?:[0-9]{4})");
    assert!(rule.is_secret && rule.secret_group == SecretGroup::Whole);
    assert_eq!(rule.validators, [Validator::Luhn, Validator::KnownExample]);
    assert_eq!(rule.keywords, ["tok_"]);
    assert!(rule.expression.program().unwrap().is_match(rule.examples[0].as_bytes()));
}

#[test]
fn a_rule_of_gitleaks_has_its_meaning() {
    let rule = only("[[rules]]\nid = 'their-token'\nregex = '(?:name=)(t[0-9]+)|(u[0-9]+)'\n");
    assert_eq!(rule.threat_type, ThreatType::Exfil);
    assert_eq!((rule.severity, rule.confidence), (Severity::High, Confidence::Medium));
    assert!(rule.is_secret && rule.secret_group == SecretGroup::First);
    let program = rule.expression.program().unwrap();
    let secret = |text: &str| {
        let matched = program.find(text.as_bytes()).unwrap().range();
        text.get(rule.secret_in(program, text.as_bytes(), matched)).unwrap().to_owned()
    };
    assert_eq!(secret("a name=t12;"), "t12");
    assert_eq!(secret("a u34;"), "u34");
    let rule = only("[[rules]]\nid = 'b'\nregex = '(x)(y)?z'\nsecretGroup = 2\n");
    let program = rule.expression.program().unwrap();
    assert_eq!(rule.secret_in(program, b"xyz", 0..3), 1..2);
    assert_eq!(rule.secret_in(program, b"xz", 0..2), 0..2);
}

#[test]
fn what_its_author_knows_to_be_harmless_has_low_confidence() {
    let text = r"
        [allowlist]
        regexes = ['^\$\{']
        [[allowlists]]
        targetRules = ['other']
        stopwords = ['k1']
        [[rules]]
        id = 'k'
        regex = 'k[0-9]+|\$\{k\}'
        entropy = 1.0
        [[rules.allowlists]]
        stopwords = ['K123']
        paths = ['vendor/']
        [rules.allowlist]
        regexTarget = 'line'
        regexes = ['^# ']
    ";
    let rule = only(text);
    assert_eq!(rule.allowlists.len(), 3);
    assert_eq!(rule.judge(&evidence("k1234")), Confidence::Low);
    assert_eq!(rule.judge(&evidence("${k}")), Confidence::Low);
    assert_eq!(rule.judge(&evidence("k2345")), Confidence::Medium);
    assert_eq!(rule.judge(&evidence("kkkkk")), Confidence::Low);
    let commented = Evidence { line: b"# k2345", ..evidence("k2345") };
    assert_eq!(rule.judge(&commented), Confidence::Low);
    assert!(pack(text).notes.iter().any(|note| note.contains("paths")));
}

#[test]
fn validators_raise_or_lower_confidence() {
    let rule =
        only("[[rules]]\nid = 'c'\nregex = '[0-9]{16}'\nvalidators = ['luhn', 'known_example']\n");
    assert_eq!(rule.judge(&evidence("4111111111111111")), Confidence::High);
    assert_eq!(rule.judge(&evidence("4111111111111112")), Confidence::Low);
    assert_eq!(rule.judge(&evidence("1234567890123452")), Confidence::Low);
}

#[test]
fn a_keyword_is_found_in_any_case() {
    let rule = only("[[rules]]\nid = 'c'\nregex = '[0-9]{16}'\nkeywords = ['Acme']\n");
    assert!(rule.has_keyword(b"of ACME 1") && !rule.has_keyword(b"of acm"));
    assert!(only("[[rules]]\nid = 'c'\nregex = 'x'\n").has_keyword(b""));
}

#[test]
fn what_has_no_meaning_here_is_noted_and_left_out() {
    let pack = pack(
        r#"
        minVersion = "v8"
        [extend]
        useDefault = true
        [[rules]]
        id = "in-some-files"
        path = '\.tf$'
        regex = 'abc'
        [[rules]]
        id = "part"
        regex = 'abc'
        skipReport = true
        [[rules]]
        id = "filtered"
        regex = 'abd'
        filter = 'entropy < 3'
        [[rules.required]]
        id = "part"
        "#,
    );
    let ids: Vec<&str> = pack.rules.iter().map(|rule| &*rule.id).collect();
    assert_eq!((ids, pack.problems), (vec!["in-some-files", "filtered"], vec![]));
    assert_eq!(pack.rules[0].confidence, Confidence::Low);
    let notes = pack.notes.join("\n");
    for word in ["minVersion", "extend", "\"path\"", "skipReport", "filter", "required"] {
        assert!(notes.contains(word), "{word} in {notes}");
    }
    let by_path = self::pack("[[rules]]\nid = 'by-path'\npath = '\\.pfx$'\n");
    assert!(by_path.rules.is_empty() && by_path.notes[0].contains("without \"regex\""));
}

#[test]
fn every_wrong_rule_is_named_with_its_reason_and_the_others_stay() {
    use ProblemKind::*;
    for (fields, kind, words) in [
        ("", Broken, "no regex"),
        ("regex = 'a('", Broken, "does not parse"),
        ("regex = '(?&nowhere)'", Broken, "nowhere"),
        ("regex = 'a*'", Unsupported, "empty text"),
        ("regex = '\\p{Greek}'", Unsupported, "Unicode"),
        ("regex = 7", Broken, "string"),
        ("regex = 'a'\nseverity = 'huge'", Broken, "critical or high"),
        ("regex = 'a'\ntype = 'x'", Broken, "EXFIL"),
        ("regex = 'a'\ndirection = 'x'", Broken, "outbound"),
        ("regex = 'a'\nvalidators = ['magic']", Broken, "luhn"),
        ("regex = 'a'\nsecretGroup = 1", Broken, "0 group(s)"),
        ("regex = 'a'\nentropy = 9.0", Broken, "bits"),
        ("regex = 'a'\nexamples = ['{{nothing}}']", Broken, "placeholder"),
        ("regex = 'a'\nexamples = ['{{']", Broken, "}}"),
        ("regex = 'a'\n[rules.allowlist]\nregexes = ['(']", Broken, "allowlist"),
        ("regex = 'a'\n[rules.allowlist]\ncondition = 'XOR'", Broken, "condition"),
    ] {
        let (found, message) = reason(fields);
        assert_eq!(found, kind, "{message}");
        assert!(message.starts_with("wrong: ") && message.contains(words), "{message}");
    }
    let mixed =
        pack("[[rules]]\nregex = 'a'\n[[rules]]\nid = 'a b'\n[[rules]]\nid='c'\nregex='c'\n");
    assert_eq!(mixed.rules.len(), 1);
    let names: Vec<&str> = mixed.problems.iter().map(|problem| problem.rule.as_str()).collect();
    assert_eq!(names, ["rule number 1", "a b"]);
}

#[test]
fn a_file_that_is_none_is_refused_as_a_whole() {
    let error = |text: &str| Pack::parse("x", text).unwrap_err();
    assert_eq!(error("title = 'x'"), PackError::Empty);
    assert!(matches!(error("a\nb = ["), PackError::Syntax(text) if text.starts_with("line 1")));
    assert!(matches!(error("rules = 1"), PackError::Syntax(_)));
    assert!(matches!(error("definitions = 1\n[[rules]]\nid='a'"), PackError::Syntax(_)));
}

#[test]
fn a_file_of_gitleaks_that_only_extends_others_has_no_rules_and_is_none_the_worse() {
    let extends = "title = 'x'\n[extend]\nuseDefault = true\n";
    let allows = "[allowlist]\nregexes = ['example']\npaths = ['tests/.*']\n";
    for text in [extends.to_owned(), allows.to_owned(), format!("{extends}{allows}")] {
        let pack = pack(&text);
        assert!(pack.rules.is_empty() && pack.problems.is_empty(), "{text}");
        let is_told = pack.notes.iter().any(|note| note.contains("rule_packs"));
        assert_eq!(is_told, text.contains("extend"), "{:?}", pack.notes);
    }
    assert!(Pack::parse("x", "[allowlist]\nregexes = ['(']\n").is_err());
}

#[test]
fn the_bounds_of_a_file_hold() {
    let rule = "[[rules]]\nid='a'\nregex='a'\n";
    let sized = |bytes: usize| format!("{rule}#{}", "x".repeat(bytes - rule.len() - 1));
    assert!(Pack::parse("x", &sized(RULES_FILE_MAX_BYTES)).is_ok());
    let larger = sized(RULES_FILE_MAX_BYTES + 1);
    assert_eq!(Pack::parse("x", &larger).unwrap_err(), PackError::TooLarge);
    assert!(Pack::parse("x", &rule.repeat(RULES_MAX)).is_ok());
    assert_eq!(Pack::parse("x", &rule.repeat(RULES_MAX + 1)).unwrap_err(), PackError::TooMany);
    let named = |length: usize| format!("[[rules]]\nid='{}'\nregex='a'\n", "i".repeat(length));
    assert_eq!(pack(&named(RULE_ID_MAX_CHARS)).rules.len(), 1);
    assert_eq!(pack(&named(RULE_ID_MAX_CHARS + 1)).problems.len(), 1);
}

#[test]
fn definitions_may_hold_others_but_not_themselves() {
    let chain = |depth: usize| {
        let links = (0..depth).map(|at| format!("d{at} = '(?&d{})'\n", at + 1));
        let links: String = links.collect();
        format!("[definitions]\n{links}d{depth} = 'x'\n[[rules]]\nid='a'\nregex='(?&d0)'\n")
    };
    assert_eq!(pack(&chain(RULE_DEFINITION_DEPTH_MAX - 1)).rules.len(), 1);
    assert_eq!(pack(&chain(RULE_DEFINITION_DEPTH_MAX + 1)).problems.len(), 1);
    let itself = "[definitions]\nd = 'x(?&d)(?&d)'\n[[rules]]\nid='a'\nregex='(?&d)'\n";
    assert_eq!(pack(itself).problems.len(), 1);
}
