//! Rules of the user's own, rules left out, and what is said of those that are wrong.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::key;
use crate::support::proxy::clean_command;
use crate::support::run::{Outcome, run};
use crate::support::{Setup, json};

const OWN: &str = "[[rules]]\nid = \"own_token\"\nregex = 'own_[0-9]{6,}'\n\
                   examples = ['an own_{{digits:8}}']\nnegative_examples = ['own_1']\n";

/// A file of rules in a test's folder.
fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn ids(outcome: &Outcome) -> Vec<String> {
    let rules: Vec<Value> =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.text()));
    rules.iter().map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn own_rules_are_looked_for_and_disabled_ones_are_not() {
    let setup = Setup::new(json!({}));
    let own = written(setup.directory(), "own.toml", OWN);
    let text = written(setup.directory(), "text", &format!("own_12345678 and {}", key()));
    let setup = setup.with(json!({"rules_files": [own], "disable": ["aws_*"]}));
    let outcome = setup.run("scan", &["--format", "jsonl", &text]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.text());
    let finding: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|_| panic!("{}", outcome.text()));
    assert_eq!(finding["pattern"], "own_token");
    let listed = ids(&setup.run("rules", &["--format", "json"]));
    assert!(listed.contains(&"own_token".to_owned()) && listed.contains(&"ai_api_key".to_owned()));
    assert!(!listed.contains(&"aws_access_key".to_owned()));
}

#[test]
fn rules_are_listed_by_pack_type_and_id() {
    let listed = |arguments: &[&str]| {
        ids(&run(clean_command().args(["rules", "--format", "json"]).args(arguments)))
    };
    let seed = listed(&["--pack", "seed"]);
    assert_eq!(seed.len(), 12);
    let injection = listed(&["--pack", "seed", "--type", "injection"]);
    assert!(!injection.is_empty() && injection.len() < seed.len());
    assert_eq!(listed(&["--pack", "seed", "ssh_key_f*"]), ["ssh_key_file"]);
    let unknown = run(clean_command().args(["rules", "--pack", "sead"]));
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("did you mean seed?"), "{}", unknown.stderr);
    assert_eq!(run(clean_command().args(["rules", "nothing_like_it"])).code, Some(1));
}

#[test]
fn a_pack_is_listed_though_a_rule_of_ones_own_is_left_out() {
    let setup = Setup::new(json!({}));
    let own =
        written(setup.directory(), "own.toml", &format!("{OWN}{}", OWN.replace("own_", "my_")));
    let setup = setup.with(json!({"rules_files": [own], "disable": ["own_token", "ssh_*"]}));
    let listed = setup.run("rules", &["--format", "json", "--pack", "seed"]);
    let listed = ids(&listed.expect_success("rules --pack"));
    assert!(listed.contains(&"ai_api_key".to_owned()), "{listed:?}");
    assert!(!listed.iter().any(|id| id.starts_with("ssh_")), "{listed:?}");
}

#[test]
fn wrong_rules_are_all_named_and_nothing_starts() {
    let setup = Setup::new(json!({}));
    let text = "[[rules]]\nid = 'open'\nregex = '('\n[[rules]]\nid = 'bare'\n";
    let wrong = written(setup.directory(), "wrong.toml", text);
    let setup = setup.with(json!({"rules_files": [wrong]}));
    let check = run(clean_command().args(["config", "check", "--config"]).arg(setup.config_file()));
    let start = setup.start_refused();
    for outcome in [check, start] {
        assert_eq!(outcome.code, Some(2), "{}", outcome.text());
        for word in ["wrong.toml", "open: ", "bare: ", "clawsec rules test"] {
            assert!(outcome.stderr.contains(word), "{word} in {}", outcome.stderr);
        }
    }
    assert!(!setup.log_dir().join("monitor.pid").exists());
}

#[test]
fn files_of_rules_are_tested_with_their_examples() {
    let setup = Setup::new(json!({}));
    let good = written(setup.directory(), "good.toml", OWN);
    let test = |file: &str| run(clean_command().args(["rules", "test", file]));
    let outcome = test(&good).expect_success("rules test");
    assert!(outcome.stdout.contains("1 rules can be used, 2 examples"), "{}", outcome.stdout);
    let wrong = written(setup.directory(), "wrong.toml", &OWN.replace("{6,}", "{9,}"));
    let outcome = test(&wrong);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("own_token: 0 matches instead of 1"), "{}", outcome.stderr);
    assert_eq!(test("/nonexistent/rules.toml").code, Some(1));
}

#[test]
fn the_rules_that_the_documents_show_do_what_they_say() {
    let document = include_str!("../../docs/rules.md");
    let block = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let setup = Setup::new(json!({}));
    let file = written(setup.directory(), "shown.toml", block);
    let outcome = run(clean_command().args(["rules", "test", &file])).expect_success("rules test");
    assert!(outcome.stdout.contains("2 rules can be used, 3 examples"), "{}", outcome.stdout);
    assert_eq!(outcome.stderr, "");
    let setup = Setup::new(json!({"rules_files": [file], "rule_packs": []}));
    let text = written(setup.directory(), "text", "corp-install --from http://a.corp.example/x");
    let found = setup.run("scan", &["--format", "jsonl", &text]);
    let finding: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(
        (&finding["pattern"], &finding["threat_type"]),
        (&json!("corp_install"), &json!("INJECTION"))
    );
}

#[test]
fn rules_test_refuses_two_rules_of_one_id_as_a_start_does() {
    let setup = Setup::new(json!({}));
    let twice = written(setup.directory(), "twice.toml", &OWN.repeat(2));
    let outcome = run(clean_command().args(["rules", "test", &twice]));
    assert_eq!(outcome.code, Some(1), "{}", outcome.text());
    let words = "own_token: the file has two rules of this id: rename one";
    assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    let checked = Setup::new(json!({"rules_files": [twice]}));
    let mut check = clean_command();
    let checked = run(check.args(["config", "check", "--config"]).arg(checked.config_file()));
    assert!(checked.stderr.contains(words), "{}", checked.stderr);
}

#[test]
fn two_files_with_rules_of_one_id_load_together_and_the_later_counts() {
    let setup = Setup::new(json!({}));
    let [first, second] = ["a.toml", "b.toml"].map(|name| written(setup.directory(), name, OWN));
    let outcome = run(clean_command().args(["rules", "test", &first, &second]));
    let outcome = outcome.expect_success("rules test");
    let words = format!("{second}: 1 of its rules stand for those of {first} of the same ids");
    assert!(outcome.stderr.contains(&words), "{}", outcome.stderr);
}

#[test]
fn a_repositorys_own_gitleaks_file_is_no_error() {
    let setup = Setup::new(json!({}));
    let text = "[extend]\nuseDefault = true\n[allowlist]\npaths = ['tests/.*']\n";
    let file = written(setup.directory(), "gitleaks.toml", text);
    run(clean_command().args(["rules", "test", &file])).expect_success("rules test");
    let setup = Setup::new(json!({"rules_files": [file]}));
    let check = run(clean_command().args(["config", "check", "--config"]).arg(setup.config_file()));
    check.expect_success("config check");
    setup.start();
}

#[test]
fn a_gitleaks_file_that_extends_rules_and_a_file_beside_it_starts() {
    let setup = Setup::new(json!({}));
    written(setup.directory(), "base.toml", OWN);
    let text = "[extend]\npath = 'base.toml'\n[[rules]]\nid = 'gitlab-pat'\n[[rules.allowlists]]\n\
                regexes = ['EXAMPLE']\n[[rules]]\nid = 'own_token'\nentropy = 2.0\n";
    let file = written(setup.directory(), "gitleaks.toml", text);
    let setup = Setup::new(json!({"rules_files": [file]}));
    let listed = ids(&setup.run("rules", &["--format", "json"]));
    assert!(listed.contains(&"own_token".to_owned()) && listed.contains(&"gitlab_pat".to_owned()));
    setup.start();
}

#[test]
fn config_check_says_of_rules_what_a_start_says_in_its_log() {
    let text = "minVersion = 'v8'\n[extend]\nuseDefault = true\n\
                [[rules]]\nid = 'greek'\nregex = '\\p{Greek}x'\n\
                [[rules]]\nid = 'aws_access_key'\nregex = 'AKIA[A-Z0-9]{16}'\nseverty = 'low'\npath = 'src/'\n\
                [[rules.required]]\nid = 'greek'\n";
    let setup = Setup::new(json!({}));
    let file = written(setup.directory(), "theirs.toml", text);
    let setup = setup.with(json!({"rules_files": [file]}));
    let mut check = clean_command();
    let check = run(check.args(["config", "check", "--config"]).arg(setup.config_file()));
    let check = check.expect_success("config check");
    let proxy = setup.start();
    for words in [
        "rule left out: greek: ",
        "severty",
        "its rule aws_access_key stands for the shipped one",
        "useDefault",
        "minVersion",
        "required",
        "path",
    ] {
        assert!(check.stderr.contains(words), "{words} in {}", check.stderr);
        proxy.wait_for_log(&["WARNING", words]);
    }
}

#[test]
fn more_values_than_can_be_watched_for_are_a_wrong_configuration() {
    let setup = Setup::new(json!({}));
    let line = |number| format!("KEY_{number}=value-{number:08}-of-ours\n");
    let text: String = (0..300).map(line).collect();
    let file = written(setup.directory(), "many.env", &text);
    let setup = setup.with(json!({"watch_files": [file]}));
    let mut check = clean_command();
    let check = run(check.args(["config", "check", "--config"]).arg(setup.config_file()));
    for outcome in [check, setup.start_refused()] {
        assert_eq!(outcome.code, Some(2), "{}", outcome.text());
        assert!(outcome.stderr.contains("many.env has 300"), "{}", outcome.stderr);
        assert!(!outcome.text().contains("-of-ours"), "{}", outcome.stderr);
    }
}

#[test]
fn config_check_names_the_rules_that_a_start_leaves_out() {
    let text = "[[rules]]\nid = 'large'\nregex = '(a{1000}){1000}'\n";
    let setup = Setup::new(json!({}));
    let file = written(setup.directory(), "large.toml", text);
    let check = |settings: serde_json::Value| {
        let setup = Setup::new(settings);
        run(clean_command().args(["config", "check", "--config"]).arg(setup.config_file()))
    };
    let outcome = check(json!({"rules_files": [file]})).expect_success("config check");
    assert!(outcome.stderr.contains("rule left out: large: "), "{}", outcome.stderr);
    let outcome = check(json!({"rules_files": [file], "rule_packs": []}));
    assert_eq!(outcome.code, Some(2), "{}", outcome.text());
}
