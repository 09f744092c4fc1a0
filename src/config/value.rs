//! One value: from JSON or text to the type that its key asks for, or why not. Decides; reads no
//! source.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::access::{self, User};
use super::keys::Kind;
use super::network::Network;
use super::objects::Misfit;
use super::origins::OriginPatterns;
use super::patterns::HostPatterns;
use super::precision::{self, ExpectedCredential, Suppression};
use super::shown;
use crate::limits::{
    CONFIG_WORD_MAX_CHARS, CONFIG_WORDS_MAX, HOST_PATTERNS_MAX, RULES_FILES_MAX, TIMEOUT_MAX_SECS,
    TIMEOUT_MIN_SECS, WATCHED_MAX,
};

/// A value of the kind that its key asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Null, where the kind allows it.
    Unset,
    Text(String),
    Path(PathBuf),
    Boolean(bool),
    Integer(u64),
    Seconds(f64),
    Hosts(HostPatterns),
    Origins(OriginPatterns),
    Words(Vec<String>),
    Paths(Vec<PathBuf>),
    HostSeconds(Vec<(HostPatterns, f64)>),
    Variables(Vec<String>),
    WatchedFiles(Vec<PathBuf>),
    ExpectedCredentials(Vec<ExpectedCredential>),
    Suppressions(Vec<Suppression>),
    Users(Vec<User>),
    Networks(Vec<Network>),
}

/// Checks a value of the configuration file; none if it is not of this kind.
pub fn from_json(kind: Kind, json: &Json) -> Option<Value> {
    match (kind, json) {
        (Kind::Text, Json::String(text)) => text_value(text),
        (Kind::OptionalText, Json::String(text)) => Some(optional_text_value(text)),
        (Kind::OptionalText | Kind::OptionalPath | Kind::OptionalInteger { .. }, Json::Null) => {
            Some(Value::Unset)
        }
        (Kind::Path | Kind::OptionalPath, Json::String(text)) => path_value(kind, text),
        (Kind::Boolean, Json::Bool(boolean)) => Some(Value::Boolean(*boolean)),
        (Kind::Integer { min, max } | Kind::OptionalInteger { min, max }, Json::Number(number)) => {
            integer_value(min, max, number.as_u64()?)
        }
        (Kind::Seconds { min, max }, Json::Number(number)) => {
            seconds_value(min, max, number.as_f64()?)
        }
        (Kind::Hosts, Json::Array(items)) => hosts_value(&texts(items)?),
        (Kind::Origins, Json::Array(items)) => origins_value(&texts(items)?),
        (Kind::Words, Json::Array(items)) => words_value(texts(items)?),
        (Kind::Paths, Json::Array(items)) => paths_value(&texts(items)?),
        (Kind::HostSeconds, Json::Object(items)) => {
            let pairs: Option<Vec<_>> =
                items.iter().map(|(host, secs)| Some((host.clone(), secs.as_f64()?))).collect();
            host_seconds_value(pairs?)
        }
        (Kind::Variables, Json::Array(items)) => variables_value(texts(items)?),
        (Kind::WatchedFiles, Json::Array(items)) => watched_files_value(&texts(items)?),
        (Kind::ExpectedCredentials, json) => {
            precision::expected_credentials(json).ok().map(Value::ExpectedCredentials)
        }
        (Kind::Suppressions, json) => precision::suppressions(json).ok().map(Value::Suppressions),
        (Kind::Users, Json::Object(items)) => {
            let pairs =
                items.iter().map(|(name, hash)| Some((name.clone(), hash.as_str()?.to_owned())));
            access::parse_users(&pairs.collect::<Option<Vec<_>>>()?).map(Value::Users)
        }
        (Kind::Networks, Json::Array(items)) => {
            access::parse_networks(&texts(items)?).map(Value::Networks)
        }
        (Kind::Ignored, Json::Bool(boolean)) => Some(Value::Boolean(*boolean)),
        (Kind::Ignored, _) => Some(Value::Unset),
        _ => None,
    }
}

/// Checks a value of the environment or of a flag; none if it is not of this kind.
pub fn from_text(kind: Kind, text: &str) -> Option<Value> {
    let trimmed = text.trim();
    match kind {
        Kind::Text => text_value(trimmed),
        Kind::OptionalText => Some(optional_text_value(trimmed)),
        Kind::Path | Kind::OptionalPath => path_value(kind, text),
        Kind::Boolean => boolean_value(trimmed),
        Kind::Integer { min, max } | Kind::OptionalInteger { min, max } => {
            integer_value(min, max, trimmed.parse().ok()?)
        }
        Kind::Seconds { min, max } => seconds_value(min, max, trimmed.parse().ok()?),
        Kind::Hosts => hosts_value(&listed(trimmed)),
        Kind::Origins => origins_value(&listed(trimmed)),
        Kind::Words => words_value(listed(trimmed)),
        Kind::Paths => paths_value(&listed(trimmed)),
        Kind::HostSeconds => {
            let pairs: Option<Vec<_>> = listed(trimmed)
                .iter()
                .map(|item| {
                    let (host, secs) = item.split_once('=')?;
                    Some((host.to_string(), secs.trim().parse().ok()?))
                })
                .collect();
            host_seconds_value(pairs?)
        }
        Kind::Variables => variables_value(listed(trimmed)),
        Kind::WatchedFiles => watched_files_value(&listed(trimmed)),
        Kind::ExpectedCredentials | Kind::Suppressions => {
            from_json(kind, &serde_json::from_str(trimmed).ok()?)
        }
        Kind::Users => access::parse_users_text(trimmed).map(Value::Users),
        Kind::Networks => access::parse_networks(&listed(trimmed)).map(Value::Networks),
        Kind::Ignored => Some(boolean_value(trimmed).unwrap_or(Value::Unset)),
    }
}

/// What is wrong within a value that was refused, if it is one that has places.
pub fn misfit(kind: Kind, json: &Json) -> Option<Misfit> {
    match (kind, json) {
        (Kind::ExpectedCredentials, _) => precision::expected_credentials(json).err(),
        (Kind::Suppressions, _) => precision::suppressions(json).err(),
        (_, Json::Array(items)) => {
            let refused = |item: &Json| from_json(kind, &json!([item])).is_none();
            let (place, item) = items.iter().enumerate().find(|(_, item)| refused(item))?;
            Some(Misfit::new(format!("[{place}]"), item, kind.allowed_item()?))
        }
        (_, Json::Object(members)) => {
            let refused =
                |name: &str, item: &Json| from_json(kind, &json!({ name: item })).is_none();
            let (name, item) = members.iter().find(|(name, item)| refused(name, item))?;
            let misfit = Misfit::new(format!(".{}", shown::name(name)), item, kind.allowed_item()?);
            Some(match kind {
                // What is set in place of a hash may be the secret itself.
                Kind::Users => Misfit { value: "what is there".into(), ..misfit },
                _ => misfit,
            })
        }
        _ => None,
    }
}

fn text_value(text: &str) -> Option<Value> {
    (!text.trim().is_empty()).then(|| Value::Text(text.trim().to_string()))
}

fn optional_text_value(text: &str) -> Value {
    text_value(text).unwrap_or(Value::Unset)
}

/// In the order given: the first pattern that names a host decides.
fn host_seconds_value(pairs: Vec<(String, f64)>) -> Option<Value> {
    let checked = pairs.into_iter().map(|(host, secs)| {
        let in_range = (TIMEOUT_MIN_SECS..=TIMEOUT_MAX_SECS).contains(&secs);
        Some((HostPatterns::parse(&[host]).ok().filter(|_| in_range)?, secs))
    });
    let checked = checked.collect::<Option<Vec<_>>>()?;
    (checked.len() <= HOST_PATTERNS_MAX).then_some(Value::HostSeconds(checked))
}

fn path_value(kind: Kind, text: &str) -> Option<Value> {
    if text.is_empty() {
        return (kind == Kind::OptionalPath).then_some(Value::Unset);
    }
    // A file has no shell that would expand it, and a folder named "~" is never what was meant.
    if text.starts_with('~') || text.contains('\0') {
        return None;
    }
    std::path::absolute(text).ok().map(|path| Value::Path(path.components().collect()))
}

fn watched_files_value(texts: &[String]) -> Option<Value> {
    let path = |text: &String| match path_value(Kind::Path, text)? {
        Value::Path(path) => Some(path),
        _ => None,
    };
    let paths: Vec<PathBuf> = texts.iter().map(path).collect::<Option<_>>()?;
    (paths.len() <= WATCHED_MAX).then_some(Value::WatchedFiles(paths))
}

fn variables_value(names: Vec<String>) -> Option<Value> {
    let is_name = |name: &String| !name.is_empty() && !name.contains(['=', '\0']);
    let is_allowed = names.len() <= WATCHED_MAX && names.iter().all(is_name);
    is_allowed.then_some(Value::Variables(names))
}

fn boolean_value(text: &str) -> Option<Value> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(Value::Boolean(true)),
        "false" | "0" | "no" | "off" => Some(Value::Boolean(false)),
        _ => None,
    }
}

fn integer_value(min: u64, max: u64, number: u64) -> Option<Value> {
    (min..=max).contains(&number).then_some(Value::Integer(number))
}

fn seconds_value(min: f64, max: f64, number: f64) -> Option<Value> {
    // NaN is in no range.
    (min..=max).contains(&number).then_some(Value::Seconds(number))
}

fn hosts_value(hosts: &[String]) -> Option<Value> {
    HostPatterns::parse(hosts).ok().map(Value::Hosts)
}

fn origins_value(origins: &[String]) -> Option<Value> {
    OriginPatterns::parse(origins).ok().map(Value::Origins)
}

fn words_value(words: Vec<String>) -> Option<Value> {
    let is_word =
        |word: &String| !word.trim().is_empty() && word.chars().count() <= CONFIG_WORD_MAX_CHARS;
    (words.len() <= CONFIG_WORDS_MAX && words.iter().all(is_word)).then_some(Value::Words(words))
}

fn paths_value(paths: &[String]) -> Option<Value> {
    let path = |text: &String| match path_value(Kind::Path, text) {
        Some(Value::Path(path)) => Some(path),
        _ => None,
    };
    let paths = paths.iter().map(path).collect::<Option<Vec<_>>>()?;
    (paths.len() <= RULES_FILES_MAX).then_some(Value::Paths(paths))
}

/// The texts of an array; none if anything else is in it.
fn texts(items: &[Json]) -> Option<Vec<String>> {
    items.iter().map(|item| item.as_str().map(str::to_string)).collect()
}

/// The members of a comma list.
fn listed(text: &str) -> Vec<String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::super::keys::KEYS;
    use super::*;
    use serde_json::json;

    const PORT: Kind = Kind::Integer { min: 1, max: 65_535 };
    const WINDOW: Kind = Kind::Seconds { min: 0.0, max: 10.0 };

    #[test]
    fn integers_hold_at_their_bounds_and_break_past_them() {
        for (number, expected) in [(0, None), (1, Some(1)), (65_535, Some(65_535)), (65_536, None)]
        {
            let expected = expected.map(Value::Integer);
            assert_eq!(from_json(PORT, &json!(number)), expected, "{number}");
            assert_eq!(from_text(PORT, &number.to_string()), expected, "{number}");
        }
        for wrong in [json!(-1), json!(80.0), json!(80.5), json!("80"), json!(true), json!(null)] {
            assert_eq!(from_json(PORT, &wrong), None, "{wrong}");
        }
        for wrong in ["", "-1", "80.0", "0x50", "eighty", "99999999999999999999999"] {
            assert_eq!(from_text(PORT, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_key_with_a_range_takes_its_bounds_and_nothing_beyond() {
        for key in KEYS {
            match key.kind {
                Kind::Integer { min, max } | Kind::OptionalInteger { min, max } => {
                    assert!(from_json(key.kind, &json!(min)).is_some(), "{}", key.name);
                    assert!(from_json(key.kind, &json!(max)).is_some(), "{}", key.name);
                    if let Some(below) = min.checked_sub(1) {
                        assert!(from_json(key.kind, &json!(below)).is_none(), "{}", key.name);
                    }
                    if let Some(above) = max.checked_add(1) {
                        assert!(from_json(key.kind, &json!(above)).is_none(), "{}", key.name);
                    }
                }
                Kind::Seconds { min, max } => {
                    for inside in [min, max] {
                        assert!(from_json(key.kind, &json!(inside)).is_some(), "{}", key.name);
                    }
                    for outside in [min - 0.001, max + 0.001] {
                        assert!(from_json(key.kind, &json!(outside)).is_none(), "{}", key.name);
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn seconds_may_be_fractions_but_not_outside_or_not_a_number() {
        assert_eq!(from_json(WINDOW, &json!(0.25)), Some(Value::Seconds(0.25)));
        assert_eq!(from_json(WINDOW, &json!(10)), Some(Value::Seconds(10.0)));
        assert_eq!(from_text(WINDOW, " 2.5 "), Some(Value::Seconds(2.5)));
        for wrong in ["NaN", "inf", "-0.1", "10.001", "", "1s"] {
            assert_eq!(from_text(WINDOW, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn booleans_are_strict_in_json_and_lenient_in_text() {
        assert_eq!(from_json(Kind::Boolean, &json!(true)), Some(Value::Boolean(true)));
        assert_eq!(from_json(Kind::Boolean, &json!("true")), None);
        assert_eq!(from_json(Kind::Boolean, &json!(1)), None);
        for (text, expected) in [("TRUE", true), ("1", true), ("on", true), ("No", false)] {
            assert_eq!(from_text(Kind::Boolean, text), Some(Value::Boolean(expected)), "{text}");
        }
        assert_eq!(from_text(Kind::Boolean, "maybe"), None);
        assert_eq!(from_text(Kind::Boolean, ""), None);
    }

    #[test]
    fn paths_become_absolute_and_lose_dots_and_trailing_slashes() {
        let here = std::env::current_dir().unwrap();
        let path = |text| from_text(Kind::Path, text);
        assert_eq!(path("logs/./deep/"), Some(Value::Path(here.join("logs/deep"))));
        assert_eq!(path("/tmp/clawsec/"), Some(Value::Path("/tmp/clawsec".into())));
        for wrong in ["", "~/logs", "~root", "/tmp/a\0b"] {
            assert_eq!(path(wrong), None, "{wrong:?}");
        }
        assert_eq!(from_text(Kind::OptionalPath, ""), Some(Value::Unset));
        assert_eq!(from_json(Kind::OptionalPath, &json!(null)), Some(Value::Unset));
        assert_eq!(from_json(Kind::Path, &json!(null)), None);
        assert_eq!(from_json(Kind::Path, &json!(7)), None);
    }

    #[test]
    fn hosts_come_as_an_array_or_separated_by_commas() {
        let expected = Value::Hosts(HostPatterns(vec!["a.example".into(), "*.b.example".into()]));
        assert_eq!(from_json(Kind::Hosts, &json!(["a.example", "*.B.example"])), Some(expected));
        let spaced = from_text(Kind::Hosts, " a.example , *.b.example,,");
        assert_eq!(spaced, from_json(Kind::Hosts, &json!(["a.example", "*.b.example"])));
        assert_eq!(from_text(Kind::Hosts, ""), Some(Value::Hosts(HostPatterns::default())));
        for wrong in [json!("a.example"), json!(["a.example", 1]), json!(["a.example:443"])] {
            assert_eq!(from_json(Kind::Hosts, &wrong), None, "{wrong}");
        }
    }

    #[test]
    fn origins_come_as_an_array_or_separated_by_commas() {
        let array = from_json(Kind::Origins, &json!(["http://a.example", "https://*.b.example"]));
        assert!(matches!(array, Some(Value::Origins(_))));
        assert_eq!(from_text(Kind::Origins, "HTTP://a.example ,, https://*.b.example"), array);
        assert!(from_text(Kind::Origins, "").is_some());
        for wrong in [json!("http://a.example"), json!(["http://a.example", 1]), json!(["a"])] {
            assert_eq!(from_json(Kind::Origins, &wrong), None, "{wrong}");
        }
    }

    #[test]
    fn words_and_paths_come_as_an_array_or_separated_by_commas() {
        let words = Some(Value::Words(vec!["seed".into(), "c2".into()]));
        assert_eq!(from_json(Kind::Words, &json!(["seed", "c2"])), words);
        assert_eq!(from_text(Kind::Words, " seed,, c2 "), words);
        let paths = Some(Value::Paths(vec!["/a/b.toml".into()]));
        assert_eq!(from_json(Kind::Paths, &json!(["/a/./b.toml"])), paths);
        assert_eq!(from_text(Kind::Paths, "/a/b.toml"), paths);
        for wrong in [json!("seed"), json!([1]), json!([""])] {
            assert_eq!(from_json(Kind::Words, &wrong), None, "{wrong}");
            assert_eq!(from_json(Kind::Paths, &wrong), None, "{wrong}");
        }
        assert_eq!(from_json(Kind::Paths, &json!(["~/x"])), None);
    }

    #[test]
    fn the_bounds_of_lists_of_words_and_paths_hold() {
        let many = |count| json!(vec!["/x"; count]);
        assert!(from_json(Kind::Words, &many(CONFIG_WORDS_MAX)).is_some());
        assert!(from_json(Kind::Words, &many(CONFIG_WORDS_MAX + 1)).is_none());
        assert!(from_json(Kind::Paths, &many(RULES_FILES_MAX)).is_some());
        assert!(from_json(Kind::Paths, &many(RULES_FILES_MAX + 1)).is_none());
        let long = |length| json!(["x".repeat(length)]);
        assert!(from_json(Kind::Words, &long(CONFIG_WORD_MAX_CHARS)).is_some());
        assert!(from_json(Kind::Words, &long(CONFIG_WORD_MAX_CHARS + 1)).is_none());
    }

    #[test]
    fn seconds_by_host_keep_their_order_and_their_bounds() {
        let pairs = vec![
            (HostPatterns(vec!["slow.example".into()]), 1200.0),
            (HostPatterns(vec!["*.example".into()]), 30.0),
        ];
        let expected = Some(Value::HostSeconds(pairs));
        let file = json!({"slow.example": 1200, "*.example": 30.0});
        assert_eq!(from_json(Kind::HostSeconds, &file), expected);
        assert_eq!(from_text(Kind::HostSeconds, "slow.example=1200, *.example=30"), expected);
        for wrong in [json!([]), json!({"a": "1"}), json!({"a:1": 1}), json!({"a": -1})] {
            assert_eq!(from_json(Kind::HostSeconds, &wrong), None, "{wrong}");
        }
        assert_eq!(from_text(Kind::HostSeconds, "slow.example"), None);
    }
}
