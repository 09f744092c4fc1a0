//! Placeholders in examples, so that no text in the shape of a token stands in the repository.
//!
//! `{{CLASS:N}}` is N characters of a class (`A-Za-z0-9_-`, `\` before a sign that is meant as itself, or
//! `hex`, `HEX`, `alnum`, `base64`, `base64url`, `digits`, `lower`, `upper`); `{{}}` is nothing;
//! `{{github:PREFIX}}` is a token with its checksum; `{{luhn:PREFIX:N}}` is N digits with theirs; `{{jwt}}`
//! is a JSON Web Token; `{{b64:TEXT}}` is a text in base64. The same at every run.

use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD};

use super::checksum;
use crate::limits::{RULE_EXAMPLE_MAX_BYTES, RULE_PLACEHOLDER_MAX_CHARS};

/// Why an example cannot be written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateError {
    /// `{{` without `}}`.
    Open,
    /// A placeholder that there is not.
    Unknown(String),
    /// More characters than `limits` allow.
    TooLong,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TemplateError::Open => f.write_str("{{ without }}"),
            TemplateError::Unknown(word) => write!(
                f,
                "{{{{{word}}}}} is no placeholder; there are {{{{CLASS:N}}}}, {{{{}}}}, \
                 {{{{github:PREFIX}}}}, {{{{luhn:PREFIX:N}}}}, {{{{jwt}}}} and {{{{b64:TEXT}}}}"
            ),
            TemplateError::TooLong => {
                write!(f, "it is longer than {RULE_EXAMPLE_MAX_BYTES} bytes when written out")
            }
        }
    }
}

/// Writes an example out. `seed` and `place` (its number among the rule's) choose the characters.
pub fn expand(template: &str, seed: &str, place: usize) -> Result<String, TemplateError> {
    let mut random = Random::new(seed, place);
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        text.push_str(before);
        let (placeholder, behind) = after.split_once("}}").ok_or(TemplateError::Open)?;
        text.push_str(&written(placeholder, &mut random)?);
        rest = behind;
        if text.len() > RULE_EXAMPLE_MAX_BYTES {
            return Err(TemplateError::TooLong);
        }
    }
    text.push_str(rest);
    if text.len() > RULE_EXAMPLE_MAX_BYTES { Err(TemplateError::TooLong) } else { Ok(text) }
}

fn written(placeholder: &str, random: &mut Random) -> Result<String, TemplateError> {
    let unknown = || TemplateError::Unknown(placeholder.to_owned());
    if placeholder.is_empty() {
        return Ok(String::new());
    }
    if placeholder == "jwt" {
        return Ok(json_web_token(random));
    }
    if let Some(prefix) = placeholder.strip_prefix("github:") {
        let body = random.text(&alphanumeric(), checksum::GITHUB_BODY_CHARS);
        let check = checksum::github(body.as_bytes());
        return Ok(format!("{prefix}{body}{}", String::from_utf8_lossy(&check)));
    }
    if let Some(text) = placeholder.strip_prefix("b64:") {
        return Ok(BASE64.encode(text.as_bytes()));
    }
    if let Some(digits) = placeholder.strip_prefix("luhn:") {
        let (prefix, count) = digits.split_once(':').ok_or_else(unknown)?;
        let count = bounded(count).filter(|count| *count > prefix.len()).ok_or_else(unknown)?;
        return luhn(prefix, count, random).ok_or_else(unknown);
    }
    if is_other_text(placeholder) {
        return Ok(format!("{{{{{placeholder}}}}}"));
    }
    let (class, count) = placeholder.rsplit_once(':').ok_or_else(unknown)?;
    let alphabet = alphabet(class).ok_or_else(unknown)?;
    Ok(random.text(&alphabet, bounded(count).ok_or_else(unknown)?))
}

/// Whether it is what other templates have in double braces, which examples may have to show: it has signs
/// that no placeholder has, and no count.
fn is_other_text(placeholder: &str) -> bool {
    let has_count = placeholder.rsplit_once(':').is_some_and(|(_, count)| bounded(count).is_some());
    !has_count && placeholder.contains(|sign: char| " .*()[]'\"".contains(sign))
}

fn bounded(count: &str) -> Option<usize> {
    count.parse().ok().filter(|count| *count <= RULE_PLACEHOLDER_MAX_CHARS)
}

fn alphanumeric() -> Vec<char> {
    ('A'..='Z').chain('a'..='z').chain('0'..='9').collect()
}

/// The characters of a class; none if it is not one.
fn alphabet(class: &str) -> Option<Vec<char>> {
    let spelt = match class {
        "hex" => "0-9a-f",
        "HEX" => "0-9A-F",
        "alnum" => "A-Za-z0-9",
        "base64" => "A-Za-z0-9+/",
        "base64url" => "A-Za-z0-9_-",
        "digits" => "0-9",
        "lower" => "a-z",
        "upper" => "A-Z",
        other => other,
    };
    let mut alphabet = Vec::new();
    let mut signs = spelt.chars().peekable();
    while let Some(sign) = signs.next() {
        let first = if sign == '\\' { signs.next()? } else { sign };
        let mut ahead = signs.clone();
        let last = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) => {
                signs = ahead.clone();
                if last == '\\' { signs.next()? } else { last }
            }
            _ => first,
        };
        if last < first {
            return None;
        }
        alphabet.extend(first..=last);
    }
    (!alphabet.is_empty()).then_some(alphabet)
}

fn luhn(prefix: &str, count: usize, random: &mut Random) -> Option<String> {
    let digits: Vec<char> = ('0'..='9').collect();
    let body = format!("{prefix}{}", random.text(&digits, count - prefix.len() - 1));
    if !body.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let check = ('0'..='9').find(|check| checksum::luhn(format!("{body}{check}").as_bytes()))?;
    Some(format!("{body}{check}"))
}

fn json_web_token(random: &mut Random) -> String {
    let letters: Vec<char> = ('a'..='z').collect();
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    let subject = random.text(&letters, 8);
    let claims = format!(r#"{{"sub":"{subject}","iss":"example","iat":1700000000}}"#);
    let signature: Vec<u8> = (0..32).map(|_| random.byte()).collect();
    [header.as_bytes(), claims.as_bytes(), &signature]
        .map(|part| BASE64URL_NOPAD.encode(part))
        .join(".")
}

/// A sequence of bytes that its seed determines (FNV-1a, then a linear congruential generator).
struct Random(u64);

impl Random {
    fn new(seed: &str, place: usize) -> Random {
        let place = (place as u64).to_le_bytes();
        let bytes = seed.bytes().chain(place);
        Random(bytes.fold(0xcbf2_9ce4_8422_2325, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        }))
    }

    fn byte(&mut self) -> u8 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }

    fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    fn text(&mut self, alphabet: &[char], count: usize) -> String {
        let one = |random: &mut Random| {
            let place = random.number().checked_rem(alphabet.len()).unwrap_or(0);
            alphabet.get(place).copied()
        };
        (0..count).filter_map(|_| one(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(template: &str) -> String {
        expand(template, "a_rule", 3).unwrap()
    }

    #[test]
    fn a_class_gives_as_many_of_its_characters() {
        for (template, alphabet, count) in [
            ("{{A-C:40}}", "ABC", 40),
            ("{{hex:64}}", "0123456789abcdef", 64),
            ("{{HEX:8}}", "0123456789ABCDEF", 8),
            ("{{digits:5}}", "0123456789", 5),
            (r"{{x\-\]:9}}", "x-]", 9),
            ("{{a-:9}}", "a-", 9),
            ("{{+/:9}}", "+/", 9),
            ("{{::3}}", ":", 3),
        ] {
            let text = expanded(template);
            assert_eq!(text.chars().count(), count, "{template}");
            assert!(text.chars().all(|sign| alphabet.contains(sign)), "{template}: {text}");
        }
        assert!(expanded("{{alnum:200}}").chars().all(|sign| sign.is_ascii_alphanumeric()));
        assert!(expanded("{{base64url:400}}").contains('_'));
    }

    #[test]
    fn the_same_place_has_the_same_characters_and_another_has_others() {
        assert_eq!(expanded("{{alnum:30}}"), expanded("{{alnum:30}}"));
        assert_ne!(expanded("{{alnum:30}}"), expand("{{alnum:30}}", "a_rule", 4).unwrap());
        assert_ne!(expanded("{{alnum:30}}"), expand("{{alnum:30}}", "b_rule", 3).unwrap());
        let twice = expanded("{{alnum:30}} {{alnum:30}}");
        let (first, second) = twice.split_once(' ').unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn whole_values_are_well_formed() {
        assert_eq!(expanded("sk_{{}}live_"), "sk_live_");
        assert_eq!(expanded("{{b64:user:pass}}"), "dXNlcjpwYXNz");
        let token = expanded("{{github:gho_}}");
        assert!(token.starts_with("gho_") && token.len() == 40);
        let card = expanded("{{luhn:4000:16}}");
        assert!(card.starts_with("4000") && card.len() == 16 && checksum::luhn(card.as_bytes()));
        assert!(expanded("{{jwt}}").starts_with("eyJhbGciOi"));
        assert_eq!(expanded("plain }} text"), "plain }} text");
        for theirs in ["{{ secrets.KEY }}", "{{7*7}}", "{{''.__class__}}"] {
            assert_eq!(expanded(theirs), theirs);
        }
    }

    #[test]
    fn what_is_no_placeholder_is_refused() {
        assert_eq!(expand("{{hex:4", "", 0), Err(TemplateError::Open));
        for wrong in
            ["word", "hex", "hex:", "hex:x", "z-a:3", ":3", "luhn:4000", "luhn:4000:4", "luhn:x:9"]
        {
            let error = expand(&format!("{{{{{wrong}}}}}"), "", 0).unwrap_err();
            assert_eq!(error, TemplateError::Unknown(wrong.to_owned()));
            assert!(error.to_string().contains(wrong));
        }
    }

    #[test]
    fn the_bounds_of_an_example_hold() {
        let placeholder = |count: usize| format!("{{{{hex:{count}}}}}");
        assert!(expand(&placeholder(RULE_PLACEHOLDER_MAX_CHARS), "", 0).is_ok());
        assert!(expand(&placeholder(RULE_PLACEHOLDER_MAX_CHARS + 1), "", 0).is_err());
        assert!(expand(&"x".repeat(RULE_EXAMPLE_MAX_BYTES), "", 0).is_ok());
        let longer = "x".repeat(RULE_EXAMPLE_MAX_BYTES + 1);
        assert_eq!(expand(&longer, "", 0), Err(TemplateError::TooLong));
    }
}
