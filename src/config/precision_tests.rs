//! `expected_credentials` and `suppressions` as people write them, right and wrong.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::precision::{
    Slot, default_credentials, expected_credentials, expected_json, suppressions,
};
use super::{Config, DedupBy, Overrides, Sources, load};
use crate::limits::{EXPECTED_CREDENTIALS_MAX, SUPPRESSIONS_MAX, WATCHED_MAX};

/// The configuration of a file.
fn config(json: &Json) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, json.to_string()).unwrap();
    let flags = Overrides::default();
    let loaded = load(Sources { file: Some(&path), environment: Vec::new(), flags });
    loaded.map(|(config, _)| config).map_err(|error| error.to_string())
}

#[test]
fn entries_are_added_to_the_defaults_or_replace_them() {
    let entry = json!({"host": "LLM.example", "header": "X-Key", "rules": ["own_*"]});
    let added = expected_credentials(&json!([entry])).unwrap();
    assert_eq!(added.len(), default_credentials().len() + 1);
    let own = added.last().unwrap();
    assert_eq!((own.host.as_str(), &own.slot), ("llm.example", &Slot::Header("x-key".into())));
    let alone = json!({"replace": true, "entries": [entry]});
    assert_eq!(expected_credentials(&alone).unwrap(), std::slice::from_ref(own));
    let beside = json!({"entries": [entry]});
    assert_eq!(expected_credentials(&beside).unwrap(), added);
    let any_rule = expected_credentials(&json!([{"host": "a.example", "path": "/k/*"}])).unwrap();
    assert_eq!(any_rule.last().unwrap().rules, ["*"]);
    assert!(any_rule.last().unwrap().keys.is_empty());
    let in_a_body = json!({"host": "a.example", "body": "/t", "rules": ["x"], "keys": ["sk-*"]});
    let entries = expected_credentials(&json!([in_a_body])).unwrap();
    let own = entries.last().unwrap();
    assert_eq!((&own.slot, &*own.keys), (&Slot::Body("/t".into()), &["sk-*".to_owned()][..]));
    let shown = expected_json(std::slice::from_ref(own));
    assert_eq!(shown, json!({"replace": true, "entries": [in_a_body]}));
    assert_eq!(expected_credentials(&expected_json(&entries)).unwrap(), entries);
    let in_a_message = json!({"host": "a.example", "message": "/socket", "rules": ["x"]});
    let entries = expected_credentials(&json!([in_a_message])).unwrap();
    let own = entries.last().unwrap();
    assert_eq!(own.slot, Slot::Message("/socket".into()));
    let shown = expected_json(std::slice::from_ref(own));
    assert_eq!(shown, json!({"replace": true, "entries": [in_a_message]}));
    assert_eq!(config(&json!({})).unwrap().policy.expected, default_credentials());
}

#[test]
fn a_wrong_object_is_named_with_its_place() {
    for (key, value, parts) in [
        ("suppressions", json!({}), &["suppressions:", "a list of objects"][..]),
        ("suppressions", json!(["x"]), &["suppressions[0]: \"x\"", "an object"][..]),
        ("suppressions", json!([{"rule": "x"}]), &["suppressions[0]", "\"reason\""][..]),
        ("suppressions", json!([{"reason": "r"}]), &["suppressions[0]", "one condition"][..]),
        (
            "suppressions",
            json!([{"reason": "r", "rule": "x"}, {"reason": "r", "rules": "x"}]),
            &["suppressions[1].rules", "known are reason, expires, rule"][..],
        ),
        (
            "suppressions",
            json!([{"reason": "r", "source": "10.0.0.0/40"}]),
            &["suppressions[0].source: \"10.0.0.0/40\"", "10.0.0.0/8", "config.json"][..],
        ),
        (
            "suppressions",
            json!([{"reason": "r", "rule": "x", "expires": "soon"}]),
            &["suppressions[0].expires", "2027-01-31"][..],
        ),
        (
            "suppressions",
            json!([{"reason": "r", "fingerprint": "00"}]),
            &["suppressions[0].fingerprint", "16 hexadecimal digits"][..],
        ),
        ("expected_credentials", json!([{"header": "x"}]), &["expected_credentials[0]"][..]),
        (
            "expected_credentials",
            json!({"replace": true, "entries": [{"host": "a", "header": "x", "query": "y"}]}),
            &[
                "expected_credentials.entries[0]",
                "exactly one of header, query, path, body, message, answer and answer_header",
            ][..],
        ),
        (
            "expected_credentials",
            json!([{"host": "a", "message": "/x", "body": "/x"}]),
            &["expected_credentials[0]", "exactly one of header"][..],
        ),
        (
            "expected_credentials",
            json!([{"host": "a", "messages": "/x"}]),
            &["expected_credentials[0].messages", "message"][..],
        ),
        ("expected_credentials", json!({"replace": 1}), &["expected_credentials.replace"][..]),
        ("watch_env", json!(["A=B"]), &["watch_env", "the name of an environment variable"][..]),
        ("watch_files", json!(["~/.env"]), &["watch_files", "write it out"][..]),
        ("dedup_by", json!("dest"), &["dedup_by", "\"pattern\" or \"fingerprint\""][..]),
    ] {
        let message = config(&json!({ (key): value })).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}

/// They were taken in silence, and never held.
#[test]
fn a_condition_that_can_never_hold_is_refused_and_one_whose_meaning_is_plain_holds() {
    let entry = |host: &str, slot: &str, value: &str| {
        let json = json!([{"host": host, (slot): value}]);
        expected_credentials(&json).map(|mut all| all.pop().unwrap())
    };
    let accepted = |name: &str, value: &str| {
        suppressions(&json!([{"reason": "r", (name): value}])).map(|mut all| all.pop().unwrap())
    };
    for (told, place, allowed) in [
        (entry("h.example:443", "header", "x").err(), "[0].host", "without scheme, port or path"),
        (entry("https://h2.example", "header", "x").err(), "[0].host", "without scheme"),
        (entry("a.example", "header", "X-Api-Key:").err(), "[0].header", "without a colon"),
        (entry("a.example", "answer_header", "x y").err(), "[0].answer_header", "name of a header"),
        (entry("a.example", "query", "key=").err(), "[0].query", "name of a parameter"),
        (entry("a.example", "body", "v1/token").err(), "[0].body", "begins with \"/\""),
        (accepted("dest", "https://h3.example/").err(), "[0].dest", "without scheme or path"),
        (accepted("header", "X-Api-Key:").err(), "[0].header", "without a colon"),
        (accepted("path", "upload/*").err(), "[0].path", "begins with \"/\""),
        (accepted("path", "/upload?x=*").err(), "[0].path", "without its query"),
    ] {
        let message = told.unwrap().to_string();
        assert!(message.starts_with(place) && message.contains(allowed), "{message}");
    }
    assert_eq!(entry("[::1]", "header", "X-*").unwrap().host, "::1");
    assert_eq!(accepted("dest", "[::1]").unwrap().dest.as_deref(), Some("::1"));
    assert_eq!(accepted("dest", "[::1]:8081").unwrap().dest.as_deref(), Some("[::1]:8081"));
    for path in ["/upload/*", "*/upload", "*"] {
        assert_eq!(accepted("path", path).unwrap().path.as_deref(), Some(path));
    }
    // What comes with it holds, too.
    let defaults = default_credentials();
    assert_eq!(expected_credentials(&expected_json(&defaults)).unwrap(), defaults);
}

#[test]
fn lists_hold_at_their_bounds_and_break_past_them() {
    let suppression = |count: usize| vec![json!({"reason": "r", "rule": "x"}); count];
    assert!(suppressions(&json!(suppression(SUPPRESSIONS_MAX))).is_ok());
    let message = suppressions(&json!(suppression(SUPPRESSIONS_MAX + 1))).unwrap_err().to_string();
    assert!(message.contains("at most 1024"), "{message}");
    let entry = |count: usize| vec![json!({"host": "a", "header": "x"}); count];
    assert!(expected_credentials(&json!(entry(EXPECTED_CREDENTIALS_MAX))).is_ok());
    assert!(expected_credentials(&json!(entry(EXPECTED_CREDENTIALS_MAX + 1))).is_err());
    for (count, is_allowed) in [(WATCHED_MAX, true), (WATCHED_MAX + 1, false)] {
        assert_eq!(config(&json!({"watch_env": vec!["A"; count]})).is_ok(), is_allowed);
        assert_eq!(config(&json!({"watch_files": vec!["/a"; count]})).is_ok(), is_allowed);
    }
}

#[test]
fn a_date_counts_to_its_end_and_a_moment_to_itself() {
    let expires = |text: &str| {
        let list = json!([{"reason": "r", "rule": "x", "expires": text}]);
        let at = suppressions(&list).ok()?.remove(0).expires?.at;
        Some(at.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs())
    };
    assert_eq!(expires("1970-01-02"), Some(2 * 86_400));
    assert_eq!(expires("1970-01-02T01:00:00+01:00"), Some(86_400));
    for wrong in ["1970-01-02T01:00", "02.01.1970", "1970-13-01", "tomorrow"] {
        assert_eq!(expires(wrong), None, "{wrong}");
    }
}

#[test]
fn all_keys_can_be_set_by_the_environment() {
    let environment = [
        ("CLAWSEC_WATCH_ENV", "A, B"),
        ("CLAWSEC_WATCH_FILES", "/srv/app/.env"),
        ("CLAWSEC_DEDUP_BY", "fingerprint"),
        ("CLAWSEC_SUPPRESSIONS", r#"[{"reason": "r", "dest": "a.example"}]"#),
    ];
    let environment = environment.map(|(key, text)| (key.to_owned(), text.to_owned()));
    let flags = Overrides::default();
    let (config, _) = load(Sources { file: None, environment, flags }).unwrap();
    assert_eq!(config.watch.variables, ["A", "B"]);
    assert_eq!(config.watch.files, [PathBuf::from("/srv/app/.env")]);
    assert_eq!(config.report.dedup_by, DedupBy::Fingerprint);
    assert_eq!(config.policy.suppressions[0].dest.as_deref(), Some("a.example"));
    for wrong in ["[{}]", "a, b"] {
        let environment = [("CLAWSEC_SUPPRESSIONS".to_owned(), wrong.to_owned())];
        let flags = Overrides::default();
        let message = load(Sources { file: None, environment, flags }).unwrap_err().to_string();
        assert!(message.contains("suppressions") && message.contains("CLAWSEC_"), "{message}");
    }
}
