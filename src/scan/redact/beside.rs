//! What may be a password beside a match: a short word behind one that announces it, or one mixed as no words are.
//! Laxer than the rest of `redact`, since only the context of what is told anyway is looked at.

use std::ops::Range;

use super::{Secret, changes, is_value_byte, run_end};

/// What a word ends with behind which a password stands.
const NAMES: [&[u8]; 8] =
    [b"password", b"passwd", b"passphrase", b"passcode", b"pass", b"pwd", b"secret", b"token"];
/// Words that may stand between the two.
const FILLERS: [&[u8]; 3] = [b"is", b"was", b"as"];
/// Less than this is no password that anybody has.
const PASSWORD_MIN_BYTES: usize = 4;
/// Eight bytes: a hardware address has six.
const DUMPED_MIN_DIGITS: usize = 16;
/// From this length on a word that nothing announces is judged by its letters.
const MIXED_MIN_BYTES: usize = 8;

/// Appends what may be a password in a range of the text.
pub(in crate::scan) fn find_beside(text: &[u8], range: Range<usize>, secrets: &mut Vec<Secret>) {
    let part = text.get(range.clone()).unwrap_or_default();
    let mut name_end = None;
    let mut at = 0;
    while at < part.len() {
        let start = run_end(part, at, is_between);
        let mut end = run_end(part, start, |byte| !is_between(byte));
        let word = part.get(start..end).unwrap_or_default();
        let is_announced = name_end
            .and_then(|name_end| part.get(name_end..start))
            .is_some_and(|between| is_value_of_name(word, between));
        if is_announced || is_mixed(word) {
            if is_announced {
                end = end.max(value_end(part, start));
            }
            secrets.push(hidden(range.start + start..range.start + end));
            name_end = None;
        } else if ends_with_name(word) {
            name_end = Some(end);
        } else if !FILLERS.iter().any(|filler| filler.eq_ignore_ascii_case(word)) {
            name_end = None;
        }
        at = end;
    }
}

/// Appends what a dump of bytes shows in a range of the text: what it says in hex stands beside it as text, or the text
/// beside it in hex. Its groups stand apart by blanks or line ends, or by one colon.
pub(in crate::scan) fn find_dumped(text: &[u8], range: Range<usize>, secrets: &mut Vec<Secret>) {
    let part = text.get(range.clone()).unwrap_or_default();
    let mut dumped: Option<(Range<usize>, usize)> = None;
    let mut at = 0;
    while at < part.len() {
        let start = run_end(part, at, |byte| !byte.is_ascii_alphanumeric());
        let end = run_end(part, start, |byte| byte.is_ascii_alphanumeric());
        let between = part.get(at..start).unwrap_or_default();
        let goes_on = between == b":" || between.iter().all(u8::is_ascii_whitespace);
        let group = part.get(start..end).filter(|word| is_hex_group(word));
        dumped = match (group, dumped.take()) {
            (Some(group), Some((all, digits))) if goes_on => {
                Some((all.start..end, digits + group.len()))
            }
            (group, before) => {
                tell_dumped(part, before, range.start, secrets);
                group.map(|group| (start..end, group.len()))
            }
        };
        at = end;
    }
    tell_dumped(part, dumped, range.start, secrets);
}

/// A table of numbers has no letters.
fn tell_dumped(
    part: &[u8],
    dumped: Option<(Range<usize>, usize)>,
    offset: usize,
    secrets: &mut Vec<Secret>,
) {
    let Some((all, digits)) = dumped else { return };
    let has_letter =
        part.get(all.clone()).is_some_and(|groups| groups.iter().any(u8::is_ascii_alphabetic));
    if digits >= DUMPED_MIN_DIGITS && has_letter {
        secrets.push(hidden(offset + all.start..offset + all.end));
    }
}

fn hidden(range: Range<usize>) -> Secret {
    Secret { start: range.start, end: range.end, shown: 0 }
}

/// Whether a word is one to eight bytes in hex, as dumps group them.
fn is_hex_group(word: &[u8]) -> bool {
    matches!(word.len(), 2 | 4 | 8 | 16) && word.iter().all(u8::is_ascii_hexdigit)
}

/// Where a password ends that may hold what stands between words; a sentence's sign behind it is none of it.
fn value_end(part: &[u8], start: usize) -> usize {
    let end = run_end(part, start, |byte| is_value_byte(byte) && byte != b'|');
    let value = part.get(start..end).unwrap_or_default();
    let signs = value.iter().rev().take_while(|byte| b",.:)]}*".contains(byte)).count();
    end - signs
}

fn is_between(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b",;:=|\"'`<>()[]{}*\\&?".contains(&byte)
}

fn ends_with_name(word: &[u8]) -> bool {
    NAMES.iter().any(|name| {
        let start = word.len().checked_sub(name.len());
        start.and_then(|start| word.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(name))
    })
}

/// Behind a sign that gives a name its value stands the value; behind a blank it may be the next word.
fn is_value_of_name(word: &[u8], between: &[u8]) -> bool {
    let is_given = between.iter().any(|byte| b":=|".contains(byte));
    let has_digit = word.iter().any(u8::is_ascii_digit);
    let has_letter = word.iter().any(u8::is_ascii_alphabetic);
    match is_given {
        true => has_digit || has_letter,
        false => {
            word.len() >= PASSWORD_MIN_BYTES && ((has_digit && has_letter) || changes(word) >= 3)
        }
    }
}

/// Whether a word has digits and letters of both cases, which take turns at every other place.
fn is_mixed(word: &[u8]) -> bool {
    let has = |kind: fn(&u8) -> bool| word.iter().any(kind);
    word.len() >= MIXED_MIN_BYTES
        && 2 * changes(word) >= word.len()
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut secrets = Vec::new();
        find_beside(text.as_bytes(), 0..text.len(), &mut secrets);
        let (mut shown, mut at) = (String::new(), 0);
        for secret in secrets {
            shown.push_str(&text[at..secret.start]);
            shown.push_str("...");
            at = secret.end;
        }
        shown + &text[at..]
    }

    #[test]
    fn a_dump_is_hidden_to_its_last_group_and_a_table_of_numbers_is_not() {
        let dumped = |text: &str| {
            let mut secrets = Vec::new();
            find_dumped(text.as_bytes(), 0..text.len(), &mut secrets);
            secrets.iter().map(|secret| text[secret.start..secret.end].to_owned()).collect()
        };
        let found: [(&str, &[&str]); 6] = [
            ("x 414b4941 51354e56 545a334b 4c4a3252\n", &["414b4941 51354e56 545a334b 4c4a3252"]),
            ("x\n414b494151354e56 4c4a3252", &["414b494151354e56 4c4a3252"]),
            ("41 4b 49 41  51 35 4e 56\"}", &["41 4b 49 41  51 35 4e 56"]),
            ("41:4b:49:41:51:35:4e:56", &["41:4b:49:41:51:35:4e:56"]),
            ("41\t4b\t49\t41\t51\t35\t4e\t56", &["41\t4b\t49\t41\t51\t35\t4e\t56"]),
            ("10 20 30 40 50 60 70 80, a4 dead beef", &[]),
        ];
        for (text, expected) in found {
            let told: Vec<String> = dumped(text);
            assert_eq!(told, expected, "{text:?}");
        }
    }

    #[test]
    fn a_short_password_is_hidden_behind_a_word_that_announces_it_and_as_a_field() {
        let word = ["vT9k", "q2Lm", "X7wZ"].concat();
        for text in [
            "user bob with password WORD",
            "**Password:** `WORD`",
            "| Password | WORD |",
            "the passphrase is WORD, and",
            "DB_PASS WORD",
            "bob,WORD,",
        ] {
            assert_eq!(masked(&text.replace("WORD", &word)), text.replace("WORD", "..."));
        }
        assert_eq!(masked("password: hunter"), "password: ...");
        assert_eq!(masked("password hunter22!, so"), "password ..., so");
        for text in [
            "a password reset is needed, the token expires at 10:00",
            "Base64Url or SHA256withRSA of utf8Decoder2, password: ",
            "| password |\n|---|",
            "",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
