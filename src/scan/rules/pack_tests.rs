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
    assert_eq!(rule.judge(&evidence("k1234")), Some(Confidence::Low));
    assert_eq!(rule.judge(&evidence("${k}")), Some(Confidence::Low));
    assert_eq!(rule.judge(&evidence("k2345")), Some(Confidence::Medium));
    assert_eq!(rule.judge(&evidence("kkkkk")), Some(Confidence::Low));
    let commented = Evidence { line: b"# k2345", ..evidence("k2345") };
    assert_eq!(rule.judge(&commented), Some(Confidence::Low));
    assert!(pack(text).notes.iter().any(|note| note.contains("paths")));
}

/// It was passed over, and the rule alarmed for what its author had filtered out.
#[test]
fn a_filter_of_betterleaks_is_a_bound_of_entropy_or_makes_the_confidence_low() {
    let filtered = |filter: &str| {
        let rule = "[[rules]]\nid = 'f'\nregex = 'f[0-9]+'\nfilter = '''\n";
        pack(&format!("{rule}{filter}\n'''\n"))
    };
    for filter in
        [r#"entropy(finding["secret"]) <= 1.5"#, r"filter.entropy( finding[ 'secret'] )<1.5"]
    {
        let pack = filtered(filter);
        assert!(pack.notes.is_empty(), "{filter}: {:?}", pack.notes);
        assert_eq!(pack.rules[0].judge(&evidence("ffffff1")), Some(Confidence::Low), "{filter}");
        assert_eq!(pack.rules[0].judge(&evidence("f123456")), Some(Confidence::Medium), "{filter}");
    }
    for filter in [
        r#"entropy(finding["secret"]) <= 1.5 || matchesAny(finding["secret"], [`^f0`])"#,
        r#"entropy(finding["match"]) <= 1.5"#,
        r#"entropy(finding["secret"]) >= 1.5"#,
        r#"entropy(finding["secret"]) <= 9"#,
        r#"entropy(finding["secret"]) <= NaN"#,
        r#"containsAny(finding["secret"], ["example"])"#,
    ] {
        let pack = filtered(filter);
        assert_eq!(pack.notes, ["\"filter\" is not used: f"], "{filter}");
        assert_eq!(pack.rules[0].judge(&evidence("f123456")), Some(Confidence::Low), "{filter}");
        assert_eq!(pack.rules[0].entropy, None, "{filter}");
    }
    let blank = filtered("");
    assert!(blank.notes.is_empty() && blank.rules[0].confidence == Confidence::Medium);
    let both = pack(
        "[[rules]]\nid = 'f'\nregex = 'f'\npath = 'a'\nfilter = 'x'\nconfidence = 'high'\nentropy = 2.0\n",
    );
    assert_eq!((both.rules[0].confidence, both.notes.len()), (Confidence::Low, 2));
    assert_eq!(both.rules[0].entropy, Some(2.0));
    let two = "entropy = 1.0\nfilter = 'entropy(finding[\"secret\"]) < 2'\n";
    assert_eq!(only(&format!("[[rules]]\nid = 'f'\nregex = 'f'\n{two}")).entropy, Some(2.0));
}

#[test]
fn validators_raise_or_lower_confidence() {
    let rule =
        only("[[rules]]\nid = 'c'\nregex = '[0-9]{16}'\nvalidators = ['luhn', 'known_example']\n");
    assert_eq!(rule.judge(&evidence("4111111111111111")), Some(Confidence::High));
    assert_eq!(rule.judge(&evidence("4111111111111112")), Some(Confidence::Low));
    assert_eq!(rule.judge(&evidence("1234567890123452")), Some(Confidence::Low));
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
        ("regex = 7", Broken, "regex must be a text"),
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
    assert_eq!(problems("rules = 1"), ["the file: rules must be [[rules]]"]);
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
    assert_eq!(problems("[allowlist]\nregexes = ['(']\n").len(), 1);
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

/// What is said of the rules of a file, a line each.
fn problems(text: &str) -> Vec<String> {
    pack(text).problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_value_of_another_kind_is_told_with_its_key_and_what_is_wanted() {
    let text = "[[rules]]\nid = 't1'\nregex = 'a'\nkeywords = 'a_'\nentropy = 'high'\n\
                [[rules]]\nid = 't2'\nregex = 'a'\nsecretGroup = -1\nsecret = 'yes'\n\
                [[rules]]\nid = 't3'\nregex = 'a'\n[[rules.allowlists]]\nregexes = 'x'\n";
    let wanted = "must be a list of texts: [\"…\", \"…\"]";
    assert_eq!(
        problems(text),
        [
            format!("t1: entropy must be a number; keywords {wanted}"),
            "t2: secret must be true or false; secretGroup must be a whole number, 0 or more"
                .into(),
            format!("t3: allowlists.regexes {wanted}"),
        ]
    );
    assert_eq!(only("[[rules]]\nid = 'c'\nregex = 'x'\nentropy = 3\n").entropy, Some(3.0));
}

#[test]
fn all_that_is_wrong_with_one_rule_is_told_at_once() {
    let text = "[[rules]]\nid = 'a b'\nregex = '('\ntype = 'x'\nseverity = 'huge'\nvalidators = ['magic']\n";
    let told = problems(text);
    for words in ["its id must be", "does not parse", "type is", "severity is", "no validator"] {
        assert!(told.len() == 1 && told[0].contains(words), "{words} in {told:?}");
    }
}

#[test]
fn a_rule_without_an_id_is_told_by_its_number() {
    let text = "[[rules]]\nid = ''\nregex = 'a'\n[[rules]]\nregex = 'b'\n";
    assert_eq!(problems(text), ["rule number 1: it has no id", "rule number 2: it has no id"]);
}

#[test]
fn what_is_wrong_with_the_file_itself_hides_no_rule_that_is_wrong() {
    let text = "definitions = 1\n[[allowlists]]\nregexes = ['(']\n[[allowlists]]\nstopwords = 1\n\
                [[rules]]\nid = 'open'\nregex = '('\n[[rules]]\nid = 'a'\nregex = 'a'\n\
                [[rules]]\nid = 'a'\nregex = 'b'\n[[rules]]\nid = 'open'\nregex = 'c'\n";
    let told = problems(text);
    let begin = [
        "the file: definitions must be",
        "the file: allowlists.stopwords must be",
        "the file: in its allowlist the expression does not parse",
        "open: the expression does not parse",
        "a: the file has two rules of this id",
        "open: the file has two rules of this id",
    ];
    assert_eq!(told.len(), begin.len(), "{told:?}");
    for (line, words) in told.iter().zip(begin) {
        assert!(line.starts_with(words), "{words} in {told:?}");
    }
}

#[test]
fn keys_are_known_in_any_case_as_in_gitleaks() {
    let rule = only(
        "[[rules]]\nid = 'a'\nregex = '(a)(b)'\nsecretgroup = 2\n[[rules.allowLists]]\nstopWords = ['x']\n",
    );
    assert_eq!((rule.secret_group, rule.allowlists.len()), (SecretGroup::Number(2), 1));
}

#[test]
fn a_key_that_is_misspelt_is_told_with_the_rule_and_the_one_that_was_meant() {
    let text = "[[rules]]\nid = 't1'\nregex = 'a'\nseverty = 'low'\n[[rules.allowlists]]\nstopword = ['x']\n\
                [[rules]]\nid = 't2'\nregex = 'b'\nseverty = 'low'\n[[rules.allowlists]]\nregexs = ['x']\nstopwords = ['y']\n\
                [[allowlists]]\ntargetRules = ['nonexist', 't1']\nregexes = ['x']\n";
    assert_eq!(
        pack(text).notes,
        [
            "[[allowlists]] targetRules names rules that the file does not have: nonexist",
            "\"allowlists.regexs\" (did you mean regexes?) is not used: t2",
            "\"allowlists.stopword\" (did you mean stopwords?) is not used: t1",
            "\"severty\" (did you mean severity?) is not used: t1, t2",
            "an allowlist without regexes or stopwords is not used: t1",
        ]
    );
    let seven: String =
        (0..7).map(|at| format!("[[rules]]\nid = 'r{at}'\nregex = 'a'\nx9 = 1\n")).collect();
    let told = pack(&seven).notes.join("\n");
    assert!(told.ends_with("is not used: r0, r1, r2, r3, r4 and 2 more"), "{told}");
}

#[test]
fn the_id_of_the_findings_of_known_values_is_nobodys_else() {
    let told = problems("[[rules]]\nid = 'known_value'\nregex = 'a'\n");
    assert!(told[0].starts_with("known_value: its id is that of"), "{told:?}");
}

/// A value of 70 KB was repeated whole, with each of thousands of rules.
#[test]
fn what_messages_repeat_of_a_file_is_bounded() {
    let long = "x".repeat(70_000);
    let text = format!(
        "[[rules]]\nid = 'a'\nregex = 'a'\nseverity = '{long}'\n[[rules]]\nid = '{long}'\nregex = 'a'\n\
         [[rules]]\nid = 'b'\nregex = 'a(?&{long})'\n[[rules]]\nid = 'c'\nregex = 'a'\nvalidators = ['{long}']\n\
         [[rules]]\nid = 'd'\nregex = 'a'\n{long} = 1\n"
    );
    let pack = pack(&text);
    assert_eq!((pack.problems.len(), pack.notes.len()), (4, 1));
    let told = pack.problems.iter().map(ToString::to_string).chain(pack.notes);
    for line in told {
        assert!(line.len() < 1000 && line.contains("xxx…"), "{}", &line[..100]);
    }
}

#[test]
fn what_is_said_of_a_file_is_bounded_and_so_are_its_own_allowlists() {
    let keys: String = (0..20_000).map(|number| format!("x{number}=1\n")).collect();
    let rules: String = (0..2000).map(|at| format!("[[rules]]\nid='r{at}'\nregex='a'\n")).collect();
    let read = pack(&format!("{keys}[extend]\npath='b'\n{rules}"));
    assert_eq!(read.rules.len(), 2000);
    assert_eq!(read.notes.len(), RULES_NOTES_MAX + 1);
    assert_eq!(read.notes[RULES_NOTES_MAX], "19950 more keys are not used");

    let lists = "[[allowlists]]\nstopwords=['a']\n".repeat(RULES_ALLOWLISTS_MAX + 1);
    let problems = pack(&format!("{lists}[[rules]]\nid='a'\nregex='a'\n")).problems;
    assert!(problems[0].reason.contains("more than 256 [[allowlists]]"), "{problems:?}");
    let ids: Vec<String> = (0..=RULES_TARGETS_MAX).map(|at| format!("'r{at}'")).collect();
    let text = format!("[[allowlists]]\nstopwords=['a']\ntargetRules=[{}]\n", ids.join(","));
    let problems = pack(&text).problems;
    assert!(problems[0].reason.contains("more than 16384 rules"), "{problems:?}");
}
