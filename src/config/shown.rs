//! Values as messages show them. What is wrong may be a secret in the wrong place, and messages are logged: only what
//! looks like no secret is shown. Decides; knows no key.

use serde_json::{Map, Value as Json};

use crate::limits::{
    MESSAGE_MIXED_MAX_CHARS, MESSAGE_NAME_MAX_CHARS, MESSAGE_NUMBER_MAX_DIGITS,
    MESSAGE_TEXT_MAX_CHARS, MESSAGE_VALUE_MAX_CHARS, MESSAGE_WORD_MAX_CHARS,
};

/// A text in quotes and on one line, so that `"8888"` is not taken for `8888`; or how long it is.
pub fn quoted(text: &str) -> String {
    match is_harmless(text, MESSAGE_TEXT_MAX_CHARS) {
        true => format!("\"{}\"", text.escape_debug()),
        false => hidden(text),
    }
}

/// A name that nobody knows, without quotes.
pub fn name(text: &str) -> String {
    let is_of_names = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    match text.chars().all(is_of_names) && is_harmless(text, MESSAGE_NAME_MAX_CHARS) {
        true => text.escape_debug().to_string(),
        false => hidden(text),
    }
}

/// A value of the file: not endlessly long, and no text of it that may be a secret.
pub fn json(json: &Json) -> String {
    if let Json::String(text) = json {
        return quoted(text);
    }
    let mut text = masked(json).to_string();
    if let Some((cut, _)) = text.char_indices().nth(MESSAGE_VALUE_MAX_CHARS) {
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

/// Whether it looks like the name of a variable and like no secret: nobody would know it for one in lower case.
pub fn is_variable_name(text: &str) -> bool {
    let is_of_names = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.chars().all(is_of_names) && is_harmless(text, MESSAGE_NAME_MAX_CHARS)
}

/// Whether it is short and made of plain words and numbers. A user's password has its `@` behind it.
pub fn is_harmless(text: &str, max_chars: usize) -> bool {
    let is_part = |part: &str| {
        let len = part.chars().count();
        let max = match part {
            part if part.chars().all(char::is_alphabetic) => MESSAGE_WORD_MAX_CHARS,
            part if part.bytes().all(|byte| byte.is_ascii_digit()) => MESSAGE_NUMBER_MAX_DIGITS,
            _ => MESSAGE_MIXED_MAX_CHARS,
        };
        len <= max
    };
    text.chars().count() <= max_chars
        && !text.contains('@')
        && text.split(|c: char| !c.is_alphanumeric()).all(is_part)
}

fn hidden(text: &str) -> String {
    format!("a text of {} characters, not shown here,", text.chars().count())
}

fn masked(json: &Json) -> Json {
    let text = |text: &String| match is_harmless(text, MESSAGE_TEXT_MAX_CHARS) {
        true => text.clone(),
        false => "...".to_owned(),
    };
    match json {
        Json::String(inner) => Json::String(text(inner)),
        Json::Array(items) => items.iter().map(masked).collect(),
        Json::Object(members) => {
            let members = members.iter().map(|(name, item)| (text(name), masked(item)));
            Json::Object(members.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn a_shown_value_is_one_line_and_bounded() {
        assert_eq!(quoted("a\nb\u{1b}[31m"), "\"a\\nb\\u{1b}[31m\"");
        assert_eq!(json(&value!("8888")), "\"8888\"");
        assert!(json(&value!(vec![1; 500])).ends_with("..."));
        let longest = ["ab"; MESSAGE_TEXT_MAX_CHARS / 3].join(" ");
        let filled = format!("{longest}{}", " ".repeat(MESSAGE_TEXT_MAX_CHARS - longest.len()));
        assert_eq!(quoted(&filled), format!("\"{filled}\""));
        assert!(quoted(&format!("{filled} ")).starts_with("a text of"));
    }

    #[test]
    fn the_bounds_of_what_looks_harmless_hold() {
        for (part, max) in [("a", MESSAGE_WORD_MAX_CHARS), ("1", MESSAGE_NUMBER_MAX_DIGITS)] {
            assert!(is_harmless(&part.repeat(max), 99), "{part}");
            assert!(!is_harmless(&part.repeat(max + 1), 99), "{part}");
        }
        let mixed = format!("{}1", "a".repeat(MESSAGE_MIXED_MAX_CHARS - 1));
        assert!(is_harmless(&mixed, 99) && !is_harmless(&format!("{mixed}1"), 99));
    }

    #[test]
    fn a_secret_in_the_place_of_a_value_is_not_shown() {
        for secret in [
            concat!("sk-ant", "-api03-EXAMPLEexample0123456789"),
            concat!("AKIA", "IOSFODNN7EXAMPLE"),
            "hunter2secretpw-in-here",
            "http://me:hidden@proxy.example",
            "EXAMPLExampleEXAMPLExample",
            "correct horse battery staple",
        ] {
            for shown in [
                quoted(secret),
                name(secret),
                json(&value!(secret)),
                json(&value!(["a", { "b": secret }])),
                json(&value!({ secret: 1 })),
            ] {
                assert!(!shown.contains(&secret[..6]), "{shown}");
            }
            assert!(!is_variable_name(secret), "{secret}");
        }
        assert_eq!(json(&value!(["https://a.example/", 1])), "[\"https://a.example/\",1]");
        assert!(is_variable_name("AWS_SECRET_ACCESS_KEY") && is_variable_name("DB2_PW"));
        assert!(!is_variable_name("hunter"));
    }
}
