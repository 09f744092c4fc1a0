//! Rules that extend others: gitleaks' files as they are.

use super::*;

const BASE: &str = "[[rules]]\nid = 'acme-token'\ndescription = 'of old'\nregex = 'acme_([0-9]{4,})'\n\
                    keywords = ['acme']\nentropy = 2.0\n[[rules]]\nid = 'acme-other'\nregex = 'other_[0-9]{4,}'\n";

/// Files in their order, each with the number of the one that it extends.
fn select_files(files: &[(&str, &str, Option<usize>)]) -> Result<Selected, Vec<SelectionError>> {
    let file = |(name, text, base): &(&str, &str, Option<usize>)| RulesFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
        base: *base,
    };
    let files: Vec<RulesFile> = files.iter().map(file).collect();
    let packs = [SEED_PACK, "credentials"].map(str::to_owned);
    let wanted = Wanted { packs: &packs, files: &files, disable: &[] };
    select(&wanted, &ParsedExpressions::default())
}

fn rule<'a>(selected: &'a Selected, id: &str) -> &'a Rule {
    selected.rules.iter().find(|rule| *rule.id == *id).unwrap()
}

fn judged(rule: &Rule, secret: &str) -> Confidence {
    let secret = secret.as_bytes();
    rule.judge(&Evidence { secret, matched: secret, ..Evidence::default() }).unwrap()
}

#[test]
fn a_rule_without_a_regex_extends_the_shipped_one_of_its_id() {
    let text = "[extend]\nuseDefault = true\n[[rules]]\nid = 'gitlab-pat'\n[[rules.allowlists]]\n\
                regexes = ['glpat-acme.*']\n";
    let before = select_files(&[]).unwrap();
    let selected = select_files(&[("own.toml", text, None)]).unwrap();
    assert_eq!(selected.ids(), before.ids());
    let (old, new) = (rule(&before, "gitlab_pat"), rule(&selected, "gitlab_pat"));
    assert_eq!(new.allowlists.len(), old.allowlists.len() + 1);
    assert_eq!(new.expression.text(), old.expression.text());
    assert_eq!(judged(new, "glpat-acme0123456789abcde"), Confidence::Low);
    let told = selected.warnings.join("\n");
    assert!(
        told.contains("own.toml: its rule gitlab-pat changes the shipped gitlab_pat"),
        "{told}"
    );
}

#[test]
fn each_field_alone_extends_a_rule_and_what_is_not_said_stays() {
    for (field, of) in [
        ("entropy = 3.5", "entropy"),
        ("keywords = ['Zeta']", "keywords"),
        ("tags = ['ours']", "tags"),
        ("description = 'ours'", "description"),
        ("path = 'src/'", "path"),
        ("secretGroup = 1", "secretGroup"),
        ("severity = 'low'", "severity"),
    ] {
        let text = format!("[extend]\nuseDefault = true\n[[rules]]\nid = 'acme-token'\n{field}\n");
        let selected =
            select_files(&[("base.toml", BASE, None), ("own.toml", &text, None)]).unwrap();
        let rule = rule(&selected, "acme-token");
        let own = |field: &str| of == field;
        assert_eq!(rule.entropy, Some(if own("entropy") { 3.5 } else { 2.0 }));
        assert_eq!(rule.keywords.len(), 1 + usize::from(own("keywords")));
        assert_eq!(rule.description, if own("description") { "ours" } else { "of old" });
        assert_eq!(rule.confidence == Confidence::Low, own("path"));
        assert_eq!(rule.secret_group == SecretGroup::Number(1), own("secretGroup"));
        assert_eq!(rule.severity == Severity::Low, own("severity"));
        assert_eq!((&*rule.pack, rule.expression.text()), ("base.toml", "acme_([0-9]{4,})"));
    }
}

/// Nearly all shipped rules have none: with `keywords = ['corp']` they were found near that word only.
#[test]
fn keywords_for_a_rule_that_has_none_do_not_silence_it() {
    let text = "[extend]\nuseDefault = true\n[[rules]]\nid = 'gitlab-pat'\nkeywords = ['corp']\n";
    assert!(rule(&select_files(&[]).unwrap(), "gitlab_pat").keywords.is_empty());
    let selected = select_files(&[("own.toml", text, None)]).unwrap();
    assert!(rule(&selected, "gitlab_pat").has_keyword(b"nothing of the corporation"));
    let told = selected.warnings.join("\n");
    assert!(told.contains("own.toml: the keywords of its rule gitlab-pat are not used"), "{told}");
}

#[test]
fn a_rule_that_extends_none_that_is_there_is_left_out_with_a_warning() {
    let text = "[extend]\nuseDefault = true\n[[rules]]\nid = 'no-such-rule'\nentropy = 3.0\n";
    let selected = select_files(&[("own.toml", text, None)]).unwrap();
    let told = selected.warnings.join("\n");
    assert!(told.contains("own.toml: rule left out: no-such-rule: "), "{told}");
    // Without [extend] it is wrong.
    let alone = select_files(&[("own.toml", "[[rules]]\nid = 'gitlab-pat'\n", None)]).unwrap_err();
    assert!(alone[0].to_string().contains("gitlab-pat: it has no regex"));
}

#[test]
fn what_a_file_says_of_the_one_that_it_extends_goes_over_it() {
    let text = "[extend]\npath = 'base.toml'\ndisabledRules = ['acme-other']\n\
                [allowlist]\nregexes = ['acme_0000']\n\
                [[rules]]\nid = 'acme-token'\nregex = 'acme-([0-9]{5,})'\n\
                [[rules]]\nid = 'new-token'\nregex = 'new-[0-9]{5,}'\n";
    let files = [("base.toml", BASE, None), ("own.toml", text, Some(0))];
    let selected = select_files(&files).unwrap();
    let changed = rule(&selected, "acme-token");
    assert_eq!(changed.expression.text(), "acme-([0-9]{5,})");
    assert_eq!((changed.entropy, changed.keywords.len()), (Some(2.0), 1));
    assert_eq!((changed.allowlists.len(), judged(changed, "acme_0000")), (1, Confidence::Low));
    assert!(!selected.rules.iter().any(|rule| &*rule.id == "acme-other"));
    assert_eq!(&*rule(&selected, "new-token").pack, "own.toml");
    // Of two such, the group must be there in the end.
    let wrong = text.replace("regex = 'acme-(", "secretGroup = 2\nregex = 'acme-(");
    let errors = select_files(&[files[0], ("own.toml", &wrong, Some(0))]).unwrap_err();
    assert!(errors[0].to_string().contains("acme-token: secretGroup is 2"), "{}", errors[0]);
}

#[test]
fn an_allowlist_for_rules_that_are_not_the_files_own_is_theirs_if_it_extends_them() {
    let text = "[extend]\nuseDefault = true\n[[allowlists]]\ntargetRules = ['acme-token']\n\
                stopwords = ['0000']\n";
    let selected = select_files(&[("base.toml", BASE, None), ("own.toml", text, None)]).unwrap();
    assert_eq!(rule(&selected, "acme-token").allowlists.len(), 1);
    assert_eq!(rule(&selected, "acme-other").allowlists.len(), 0);
}

#[test]
fn a_file_whose_base_was_not_read_is_warned_of() {
    let selected = select_files(&[("own.toml", "[extend]\npath = 'x'\n", None)]).unwrap();
    assert!(
        selected.warnings[0]
            .contains("path, x, is not read: 2 in a row are; name own.toml in rules_files"),
        "{:?}",
        selected.warnings
    );
}

/// Each made a change of its own, and a warning.
#[test]
fn rules_that_allowlists_name_are_told_of_once_and_the_first_by_their_names() {
    let mut ids: Vec<String> = (0..9000).map(|at| format!("'none-{at:04}'")).collect();
    ids.extend(["'gitlab-pat'".to_owned(), "'gitlab_pat'".to_owned(), "'none-0000'".to_owned()]);
    let list = format!("[[allowlists]]\nstopwords = ['corp']\ntargetRules = [{}]\n", ids.join(","));
    let selected = select_files(&[("own.toml", &format!("[extend]\n{list}"), None)]).unwrap();
    assert_eq!(
        selected.warnings,
        [
            "own.toml: its [[allowlists]] change shipped rules: gitlab_pat",
            "own.toml: [[allowlists]] targetRules names rules that are not there: none-0000, none-0001, none-0002, \
             none-0003, none-0004 and 8995 more",
        ]
    );
    let before = select_files(&[]).unwrap();
    let lists = |selected: &Selected| rule(selected, "gitlab_pat").allowlists.len();
    assert_eq!(lists(&selected), lists(&before) + 1);
}

#[test]
fn a_rule_about_files_names_is_told_as_one_where_it_extends_none() {
    let text = "[extend]\nuseDefault = true\n[[rules]]\nid = 'pkcs12-file'\npath = '\\.p12$'\n";
    let selected = select_files(&[("own.toml", text, None)]).unwrap();
    let told = selected.warnings.join("\n");
    let words = "rule left out: pkcs12-file: \"path\" without \"regex\" is not used";
    assert!(told.contains(words), "{told}");
}

/// They were left out, and the allowlists of a file of gitleaks went nowhere.
#[test]
fn a_default_rule_of_gitleaks_by_another_name_is_each_shipped_one_for_its_tokens() {
    let text = "[extend]\nuseDefault = true\ndisabledRules = ['github-pat', 'GitLab-PAT', 'none']\n\
                [[rules]]\nid = 'github-app-token'\nseverity = 'low'\nsecretGroup = 2\n\
                [[allowlists]]\ntargetRules = ['stripe-access-token']\nstopwords = ['acme']\n";
    let before = select_files(&[]).unwrap();
    let selected = select_files(&[("own.toml", text, None)]).unwrap();
    assert_eq!(selected.ids(), before.ids());
    for id in ["github_app_user_token", "github_app_server_token"] {
        assert_eq!(rule(&selected, id).severity, Severity::Low);
        assert_eq!(rule(&selected, id).secret_group, rule(&before, id).secret_group);
    }
    for id in ["stripe_secret_key", "stripe_test_key"] {
        assert_eq!(rule(&selected, id).allowlists.len(), rule(&before, id).allowlists.len() + 1);
    }
    let told = selected.warnings.join("\n");
    for words in [
        "own.toml: its rule github-app-token changes the shipped github_app_server_token",
        "own.toml: its rule github-app-token changes the shipped github_app_user_token",
        "own.toml: secretGroup of its rule github-app-token is not used: ",
        "own.toml: its [[allowlists]] change shipped rules: stripe_secret_key, stripe_test_key",
        "own.toml: its disabledRules turns none of the shipped rules off; to do so, add them to disable: \
         github_pat_classic, gitlab_pat",
    ] {
        assert!(told.lines().any(|line| line.starts_with(words)), "{words} in {told}");
    }
    assert_eq!(told.matches("secretGroup").count(), 1, "{told}");
}

/// The ids are alike, and the tokens are not.
#[test]
fn an_id_of_gitleaks_that_means_another_token_is_not_the_rule_that_is_called_so() {
    let text = "[extend]\nuseDefault = true\n[[rules]]\nid = 'heroku-api-key'\nseverity = 'low'\n";
    let selected = select_files(&[("own.toml", text, None)]).unwrap();
    assert_eq!(rule(&selected, "heroku_api_key_legacy").severity, Severity::Low);
    assert_ne!(rule(&selected, "heroku_api_key").severity, Severity::Low);
}

#[test]
fn a_rule_of_an_earlier_file_comes_before_those_that_its_id_is_known_to_stand_for() {
    let first = "[[rules]]\nid = 'github-pat'\nregex = 'ghp_x([0-9]+)'\n";
    let second = "[extend]\nuseDefault = true\n[[rules]]\nid = 'github-pat'\nseverity = 'low'\nsecretGroup = 1\n";
    let selected =
        select_files(&[("first.toml", first, None), ("own.toml", second, None)]).unwrap();
    assert_eq!(rule(&selected, "github-pat").severity, Severity::Low);
    assert_eq!(rule(&selected, "github-pat").secret_group, SecretGroup::Number(1));
    assert_ne!(rule(&selected, "github_pat_classic").severity, Severity::Low);
}
