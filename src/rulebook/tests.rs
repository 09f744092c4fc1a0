//! From a configuration to a database, and back from what was kept.

use std::path::Path;

use super::*;
use crate::config::{Overrides, Sources, load};

fn config(folder: &Path, extra: &str) -> Config {
    let path = folder.join("config.json");
    let cache = folder.join("cache");
    let text = format!(
        "{{\"rule_packs\": [\"seed\"], \"rule_cache_dir\": {cache:?}, \"log_dir\": {folder:?}{extra}}}"
    );
    std::fs::write(&path, text).unwrap();
    let sources =
        Sources { file: Some(&path), environment: Vec::new(), flags: Overrides::default() };
    let (config, warnings) = load(sources).unwrap();
    assert_eq!(warnings, []);
    config
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    std::fs::write(folder.join(name), text).unwrap();
    format!(", \"rules_files\": [{:?}]", folder.join(name))
}

/// A check, a start and a reload waited for ever for whoever would write into it.
#[test]
fn a_pipe_in_the_place_of_a_file_of_rules_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.toml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let config = config(folder.path(), &format!(", \"rules_files\": [{pipe:?}]"));
    let error = select(&config.rules).unwrap_err().to_string();
    assert!(error.contains("pipe.toml cannot be read: it is no regular file"), "{error}");
    assert!(prepare(&config).is_err());
    content_mark(&config.rules);
}

#[test]
fn the_second_time_nothing_is_compiled_and_a_damaged_file_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "");
    let first = prepare(&config).unwrap();
    assert_eq!((first.was_kept, first.warnings), (false, vec![]));
    let second = prepare(&config).unwrap();
    assert_eq!((second.was_kept, second.warnings), (true, vec![]));
    assert_eq!(second.database.rules().len(), first.database.rules().len());
    for entry in std::fs::read_dir(folder.path().join("cache")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(kept_expressions(&config).is_none());
    let third = prepare(&config).unwrap();
    assert!(!third.was_kept && third.warnings[0].contains("compiled anew"), "{:?}", third.warnings);
    assert!(prepare(&config).unwrap().was_kept);
    assert!(kept_expressions(&config).unwrap().hold(&select(&config.rules).unwrap().rules));
}

/// What the expressions of the configured rules were parsed to by an earlier start.
fn kept_expressions(config: &Config) -> Option<ParsedExpressions> {
    let files = read_files(&config.rules).unwrap();
    let cache = Cache::open(config).unwrap();
    cache.load_expressions(&wanted(&config.rules, &files)).ok().flatten()
}

#[test]
fn other_rules_are_not_taken_for_those_that_were_parsed() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |regex: &str| format!("[[rules]]\nid = 'mine'\nregex = '{regex}'\n");
    let with = |regex: &str| {
        let extra = file(folder.path(), "mine.toml", &rule(regex));
        let config = config(folder.path(), &extra);
        let prepared = prepare(&config).unwrap();
        let rules = prepared.database.rules();
        rules
            .iter()
            .find(|rule| &*rule.id == "mine")
            .unwrap()
            .expression
            .filters()
            .collect::<String>()
    };
    for regex in ["one[0-9]", "two[0-9]", "one[0-9]"] {
        assert_eq!(with(regex), regex);
    }
}

#[test]
fn rules_that_are_too_large_for_the_engine_are_left_out_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[rules]]\nid = 'large'\nregex = '(?:[a-z]{1000}x){1,1000}y'\n\
                [[rules]]\nid = 'mine'\nregex = 'mine[0-9]'\n";
    let config = config(folder.path(), &file(folder.path(), "mine.toml", text));
    for was_kept in [false, true] {
        let prepared = prepare(&config).unwrap();
        assert_eq!(prepared.was_kept, was_kept);
        assert_eq!(prepared.warnings.len(), 1, "{:?}", prepared.warnings);
        assert!(prepared.warnings[0].contains("large: "), "{:?}", prepared.warnings);
        assert!(prepared.database.rules().iter().any(|rule| &*rule.id == "mine"));
        assert!(!prepared.database.rules().iter().any(|rule| &*rule.id == "large"));
    }
}

#[test]
fn a_folder_that_cannot_be_used_costs_only_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), "");
    std::fs::write(folder.path().join("cache"), "a file").unwrap();
    let prepared = prepare(&config).unwrap();
    assert!(!prepared.was_kept && prepared.warnings[0].contains("not kept"));
}

#[test]
fn a_file_that_is_not_there_or_wrong_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = config(folder.path(), ", \"rules_files\": [\"/nonexistent/rules.toml\"]");
    let error = prepare(&missing).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/rules.toml"), "{error}");
    let wrong = file(folder.path(), "wrong.toml", "[[rules]]\nid = 'a'\nregex = '('\n");
    let error = prepare(&config(folder.path(), &wrong)).unwrap_err();
    assert!(error.to_string().contains("\n  a: "), "{error}");
}
