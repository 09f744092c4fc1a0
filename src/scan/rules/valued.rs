//! What stands beside the name of a secret: a value that chance made, a password as people choose them, or what code,
//! templates and sentences have there. Rules of general names match all of it, and this decides.

use memchr::memmem;

use super::chance::random_run;
use super::names::{HARMLESS_PARTS, HARMLESS_WORDS, KEY_WORDS, PLAIN_WORDS, names_service, words};
use super::structure::{is_known_example, is_placeholder};
use super::validate::{Evidence, Verdict};

/// So many bits speak for chance in a token, in one beside a name that says little, and in a password, which is short.
const TOKEN_BITS: i32 = 20;
const DOUBTFUL_BITS: i32 = 50;
const PASSWORD_BITS: i32 = 14;
/// The same of a password that may be a name in code.
const NAME_BITS: i32 = 18;

/// What a value has at least of different signs.
const TOKEN_SIGNS_MIN: usize = 8;
const PASSWORD_SIGNS_MIN: usize = 5;

const PASSWORD_MIN_BYTES: usize = 7;
const PASSWORD_USUAL_MIN_BYTES: usize = 8;

/// How much of what stands before a name is looked at for the rest of it.
const NAME_MAX_BYTES: usize = 48;

/// Beginnings of what is public: keys of SSH, certificates, and armour in base64 of which other rules tell.
const PUBLIC_BEGINNINGS: [&[u8]; 6] =
    [b"AAAAB3Nza", b"AAAAC3Nza", b"AAAAE2Vj", b"MII", b"LS0tLS1", b"-----"];

/// What stands between a name and its value.
const SIGNS: &[u8] = b"=:,;(|>?\t";
/// What a sentence or a list has between a name and its value.
const SAYINGS: [&[u8]; 5] = [b" or ", b" is ", b" to ", b" was ", b" - "];

/// A match in its parts.
struct Given<'a> {
    /// The name, with what stands before it of the same word.
    name: Vec<u8>,
    /// Whether a colon stands before it, as before names in Lisp and Ruby.
    is_symbol: bool,
    /// What stands between name and value.
    between: &'a [u8],
    quote: Option<u8>,
    value: &'a [u8],
    next: Option<u8>,
}

impl<'a> Given<'a> {
    fn of(evidence: &Evidence<'a>) -> Given<'a> {
        let head_len = evidence.matched.len().saturating_sub(evidence.secret.len());
        let head = evidence.matched.get(..head_len).unwrap_or_default();
        let skipped = head.iter().take_while(|byte| !is_of_name(**byte)).count();
        // One of other letters, as in Russian, has none that are looked at.
        let head = head.get(skipped..).filter(|own| !own.is_empty()).unwrap_or(head);
        let (own, between) =
            head.split_at(head.iter().take_while(|byte| is_of_name(**byte)).count());
        let before = if skipped == 0 { evidence.before } else { &[] };
        let from = before.len().saturating_sub(NAME_MAX_BYTES);
        let near = before.get(from..).unwrap_or_default();
        // A key has what it is for before it, behind a blank in sentences and tables.
        let end = near.strip_suffix(b" ").filter(|_| own.eq_ignore_ascii_case(b"key"));
        let near = end.unwrap_or(near);
        let rest = near.iter().rev().take_while(|byte| is_of_name(**byte)).count();
        let (outside, rest) = near.split_at(near.len() - rest);
        let is_symbol = outside.ends_with(b":");
        let name = match end {
            Some(_) => [rest, own].join(&b'_'),
            None => [rest, own].concat(),
        };
        let quote = between.last().copied().filter(|byte| b"\"'`".contains(byte));
        let (value, next) = (evidence.secret, evidence.after.first().copied());
        Given { name, is_symbol, between, quote, value, next }
    }

    /// Whether the value ends where one would: a quoted one with its quote, another one not in the midst of an expression.
    fn is_whole(&self) -> bool {
        let is_end = |next: u8| match self.quote {
            Some(quote) => next == quote || next == b'\\',
            None => !next.is_ascii_graphic() || b"\"'`\\&,;)]}<#|@?".contains(&next),
        };
        self.next.is_none_or(is_end)
    }

    /// Whether something says that the value is this name's: a sign, a word, or how the name is written.
    fn is_assigned(&self, signs: &[u8]) -> bool {
        let has_sign = |byte: &u8| signs.contains(byte) || !byte.is_ascii();
        self.between.iter().any(has_sign)
            || SAYINGS.iter().any(|saying| memmem::find(self.between, saying).is_some())
            || self.is_constant()
            || self.is_symbol
    }

    fn words(&self) -> Vec<Vec<u8>> {
        words(&self.name)
    }

    fn is_constant(&self) -> bool {
        let is_of_constant =
            |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
        self.name.contains(&b'_') && self.name.iter().all(is_of_constant)
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// A token or a key that chance made, beside its name.
pub(super) fn random_value(evidence: &Evidence<'_>) -> Verdict {
    let given = Given::of(evidence);
    let is_told = |value: Chance<'_>| {
        !is_doubtful(&given, value.text) || is_beyond_doubt(&given, value.text, value.bits)
    };
    if_value(is_of_secret(&given) && made_by_chance(evidence, &given).is_some_and(is_told))
}

/// The same beside the name of a service.
pub(super) fn service_value(evidence: &Evidence<'_>) -> Verdict {
    let given = Given::of(evidence);
    let is_told = is_of_secret(&given) && names_service(&given.words());
    if_value(is_told && made_by_chance(evidence, &given).is_some())
}

/// Whether a name may be a secret's, and the value is its.
fn is_of_secret(given: &Given<'_>) -> bool {
    given.is_assigned(SIGNS) && !is_harmless_name(given)
}

/// The same beside a name of which the rule knows that it is a secret's, and that the value is this name's.
pub(super) fn named_value(evidence: &Evidence<'_>) -> Verdict {
    if_value(made_by_chance(evidence, &Given::of(evidence)).is_some())
}

fn if_value(is_one: bool) -> Verdict {
    if is_one { Verdict::Silent } else { Verdict::Nothing }
}

/// Whether it is what a field of a head says, or a cookie in one, with the end of line that heads have: so a client
/// shows itself, and opens a WebSocket (`Sec-WebSocket-Key`), with each request.
fn is_of_head(evidence: &Evidence<'_>, given: &Given<'_>) -> bool {
    let line_len = memchr::memchr(b'\n', evidence.after).unwrap_or(0);
    let is_of_wire = evidence.after.get(..line_len).is_some_and(|rest| rest.ends_with(b"\r"));
    let head_len = evidence.matched.len().saturating_sub(evidence.secret.len());
    let head = evidence.matched.get(..head_len).unwrap_or_default();
    let begun = [evidence.before, head].concat();
    let from = memchr::memrchr(b'\n', &begun).map_or(0, |at| at + 1);
    let line = begun.get(from..).unwrap_or_default();
    let is_cookie =
        |name: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    is_of_wire && (given.between == b": " || is_cookie(b"cookie:") || is_cookie(b"set-cookie:"))
}

/// A value that chance made, and how many bits speak for that.
struct Chance<'a> {
    text: &'a [u8],
    bits: i32,
}

fn made_by_chance<'a>(evidence: &Evidence<'_>, given: &Given<'a>) -> Option<Chance<'a>> {
    let value = given.value.trim_ascii_end();
    let text = value.strip_suffix(b".").or(value.strip_suffix(b":")).unwrap_or(value);
    let may_be_one = given.is_whole() && is_made_up(text, TOKEN_SIGNS_MIN);
    if !may_be_one || is_of_head(evidence, given) {
        return None;
    }
    let run = random_run(text);
    let is_one = run.bits >= TOKEN_BITS
        && 5 * run.len >= 2 * text.len()
        && !PUBLIC_BEGINNINGS.iter().any(|beginning| text.starts_with(beginning));
    is_one.then_some(Chance { text, bits: run.bits })
}

/// Whether a value has letters and enough different signs, and is none of what documentation has there.
fn is_made_up(value: &[u8], signs_min: usize) -> bool {
    let mut seen = [false; 256];
    for byte in value {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let signs = seen.iter().filter(|seen| **seen).count();
    signs >= signs_min && value.iter().any(u8::is_ascii_alphabetic) && !is_known_example(value)
}

fn is_harmless_name(given: &Given<'_>) -> bool {
    let words = given.words();
    let flat = words.concat();
    words.iter().any(|word| HARMLESS_WORDS.contains(&word.as_slice()))
        || HARMLESS_PARTS.iter().any(|part| memmem::find(&flat, part).is_some())
}

/// Whether a name says little: a key that may be one of a table, or a request's number that is called a token.
fn is_doubtful(given: &Given<'_>, value: &[u8]) -> bool {
    let words = given.words();
    let names = |known: &[&[u8]]| words.iter().any(|word| known.contains(&word.as_slice()));
    match words.last().map(Vec::as_slice) {
        Some(b"key") => !names(&KEY_WORDS),
        Some(b"token") => is_uuid(value) && names(&[b"client", b"request"]),
        _ => false,
    }
}

/// Whether a value is a secret's for all that: a constant of the environment, or what only a generator of secrets makes.
fn is_beyond_doubt(given: &Given<'_>, value: &[u8], bits: i32) -> bool {
    let has = |is_of: fn(&u8) -> bool| value.iter().any(is_of);
    let is_mixed =
        has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    !is_uuid(value) && (given.is_constant() || (is_mixed && bits >= DOUBTFUL_BITS))
}

fn is_uuid(value: &[u8]) -> bool {
    const PARTS: [usize; 5] = [8, 4, 4, 4, 12];
    let mut parts = value.split(|byte| *byte == b'-');
    PARTS.iter().all(|len| {
        parts
            .next()
            .is_some_and(|part| part.len() == *len && part.iter().all(u8::is_ascii_hexdigit))
    }) && parts.next().is_none()
}

/// A password beside its name, as a generator makes it or people choose it.
pub(super) fn password_value(evidence: &Evidence<'_>) -> Verdict {
    if_value(is_password(&Given::of(evidence)))
}

fn is_password(given: &Given<'_>) -> bool {
    let value = match given.quote {
        Some(_) => given.value,
        None => without_rest(given),
    };
    let is_assigned = given.quote.is_some() || given.is_assigned(b"=:(|>") || !is_prose(given);
    if !is_assigned
        || !(given.is_whole() || value.len() < given.value.len())
        || value.len() < PASSWORD_MIN_BYTES
        || is_code(value)
        || is_of_code(given)
        || !is_made_up(value, PASSWORD_SIGNS_MIN)
        || is_placeholder(value)
    {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    let holds = |words: &[&[u8]]| words.iter().any(|word| memmem::find(&lower, word).is_some());
    !holds(&[b"password", b"passwd", b"your"])
        && (is_generated(given, value)
            || is_chosen(given, value)
            || (given.quote.is_some() && is_word_with_number(value) && !holds(&PLAIN_WORDS)))
}

/// Whether a name may be a word of a sentence, and the value the next one: blanks stand between them. It is none where the
/// name is an option or a setting of its own, and where a command has more than its name in front of the value.
fn is_prose(given: &Given<'_>) -> bool {
    is_password_word(given)
        && !given.name.starts_with(b"-")
        && !given.between.iter().any(u8::is_ascii_alphabetic)
}

fn is_password_word(given: &Given<'_>) -> bool {
    const WORDS: [&[u8]; 8] = [
        b"password",
        b"passwd",
        b"passphrase",
        b"passcode",
        b"passwort",
        b"kennwort",
        b"pass",
        b"pwd",
    ];
    WORDS.contains(&given.words().pop().unwrap_or_default().as_slice())
}

/// A value without quotes up to what is the next one's, or the sentence's.
fn without_rest<'a>(given: &Given<'a>) -> &'a [u8] {
    let value = given.value.trim_ascii_end();
    let is_next = |at: &usize| match value.get(*at..) {
        Some([b',' | b';', ..]) => true,
        // The next field of a form.
        Some([b'&', rest @ ..]) => rest
            .iter()
            .position(|byte| !is_of_name(*byte))
            .is_some_and(|end| end > 0 && rest.get(end) == Some(&b'=')),
        _ => false,
    };
    let end = (0..value.len()).find(is_next).unwrap_or(value.len());
    let value = value.get(..end).unwrap_or_default();
    let opens = memchr::memchr(b'(', value).is_some();
    let value = value.strip_suffix(b")").filter(|_| !opens).unwrap_or(value);
    value.strip_suffix(b".").unwrap_or(value)
}

/// Whether code or a sentence stands around a value without quotes: a list or a comparison of names, a call of what only ends
/// in a word for passwords, a variable that is spoken of.
fn is_of_code(given: &Given<'_>) -> bool {
    let signs: [&[u8]; 2] = [b"!=", b"=="];
    let is_compared = signs.iter().any(|sign| memmem::find(given.between, sign).is_some());
    let is_spoken_of = given.between.iter().all(u8::is_ascii_whitespace)
        && !given.name.starts_with(b"-")
        && given.next == Some(b' ');
    (given.quote.is_none() && (is_compared || is_spoken_of || given.between.starts_with(b",")))
        || (given.between.starts_with(b"(") && !is_password_word(given))
}

fn is_generated(given: &Given<'_>, value: &[u8]) -> bool {
    let run = random_run(value);
    let has = |is_of: fn(&u8) -> bool| value.iter().any(is_of);
    let may_be_name = given.quote.is_none() && value.iter().any(|byte| b"._/".contains(byte));
    let (least, bits) = match has(u8::is_ascii_digit) {
        true if may_be_name => (PASSWORD_USUAL_MIN_BYTES, NAME_BITS),
        true => (PASSWORD_USUAL_MIN_BYTES, PASSWORD_BITS),
        false if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) => (10, TOKEN_BITS),
        false => return false,
    };
    value.len() >= least && run.bits >= bits && 5 * run.len >= 2 * value.len()
}

/// Letters, a digit and a sign that names have not: what people make of a word if they are asked for all three. A name in
/// code has `!` or `?` behind it in some languages.
fn is_chosen(given: &Given<'_>, value: &[u8]) -> bool {
    let may_be_name = given.quote.is_none() && value.contains(&b'.');
    let told = match value {
        [name @ .., b'!' | b'?'] if may_be_name => name,
        _ => value,
    };
    value.len() >= PASSWORD_USUAL_MIN_BYTES
        && value.iter().any(u8::is_ascii_digit)
        && told.iter().any(|byte| b"!#@^&*?~+=%$|".contains(byte))
}

/// A word in small letters, or with a capital first, and up to four digits behind it.
fn is_word_with_number(value: &[u8]) -> bool {
    const WORD_MIN_BYTES: usize = 5;
    const DIGITS_MAX: usize = 4;
    let digits = value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let word = value.get(..value.len() - digits).unwrap_or_default();
    let is_word = matches!(word, [first, rest @ ..] if first.is_ascii_alphabetic()
        && rest.iter().all(u8::is_ascii_lowercase));
    (1..=DIGITS_MAX).contains(&digits) && word.len() >= WORD_MIN_BYTES && is_word
}

/// Whether a value is an expression, a template, an address or a path.
fn is_code(value: &[u8]) -> bool {
    const BEGINNINGS: &[u8] = b"$%&@*.#:-/~|+=";
    const PARTS: [&[u8]; 10] =
        [b"://", b"%s", b"%d", b"->", b"::", b"..", b"||", b"&&", b"=>", b"=="];
    let begins = value.first().is_some_and(|byte| BEGINNINGS.contains(byte));
    let is_address = value
        .iter()
        .position(|byte| *byte == b'@')
        .is_some_and(|at| value.get(at..).unwrap_or_default().contains(&b'.'));
    begins
        || is_address
        || value.iter().any(|byte| b"(){}[]<>".contains(byte))
        || PARTS.iter().any(|part| memmem::find(value, part).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each WebSocket that was opened was told, and whoever shows a token in a field of a request, or a cookie.
    #[test]
    fn what_a_head_says_on_the_wire_is_no_value_beside_a_name() {
        let value = ["R7zgBsRa0Q1T", "ROIcaY76hSyp"].concat();
        let judged = |before: &str, name: &str, after: &str| {
            let matched = format!("{name}{value}");
            let evidence = Evidence {
                secret: value.as_bytes(),
                matched: matched.as_bytes(),
                before: before.as_bytes(),
                after: after.as_bytes(),
                ..Evidence::default()
            };
            random_value(&evidence) == Verdict::Silent
        };
        for (before, name) in [
            ("GET / HTTP/1.1\r\nSec-WebSocket-", "Key: "),
            ("X-Auth-", "Token: "),
            ("Host: a.example\r\nCookie: a=b; session_", "token="),
            ("Set-Cookie: auth", "Token="),
        ] {
            assert!(!judged(before, name, "\r\nHost: a\r\n"), "{name}");
            assert!(!judged(before, name, "; Path=/\r\n") || !before.contains("ookie"), "{name}");
        }
        assert!(judged("X-Auth-", "Token: ", "\nHost: a\n"), "a text that shows a head");
        assert!(judged("GET /?auth_", "token=", " HTTP/1.1\r\n"), "an address");
    }

    #[test]
    fn what_a_sentence_a_list_or_another_member_says_is_a_value_beside_a_name() {
        let value = ["R7zgBsRa0Q1T", "ROIcaY76hSyp"].concat();
        let judged = |head: &str, after: &str| {
            let matched = format!("{head}{value}");
            let evidence = Evidence {
                secret: value.as_bytes(),
                matched: matched.as_bytes(),
                after: after.as_bytes(),
                ..Evidence::default()
            };
            random_value(&evidence) == Verdict::Silent
        };
        for head in
            ["token is ", "token is: `", "token - ", "secret;", "token\t", "TOKEN\",\"value\":\""]
        {
            assert!(judged(head, "\n") || judged(head, "`") || judged(head, "\""), "{head}");
        }
        assert!(!judged("token ", "\n"), "two words");
    }

    #[test]
    fn a_key_that_says_little_is_told_beside_the_name_of_a_service() {
        let value = ["4f0c9a71be25d638", "07fe1c5b92ad84e3"].concat();
        let judged = |validator: fn(&Evidence<'_>) -> Verdict, name: &str| {
            let matched = format!("{name} = \"{value}");
            let evidence = Evidence {
                secret: value.as_bytes(),
                matched: matched.as_bytes(),
                after: b"\"\n",
                ..Evidence::default()
            };
            validator(&evidence) == Verdict::Silent
        };
        assert!(!judged(random_value, "openweather_key") && !judged(random_value, "row_key"));
        assert!(judged(service_value, "openweather_key") && judged(service_value, "ipStackKey"));
        assert!(!judged(service_value, "row_key") && !judged(service_value, "ipstack_public_key"));
        assert!(judged(named_value, "sessionid") && judged(named_value, "row_cookie"));
    }

    #[test]
    fn passwords_as_people_choose_them_are_told_from_what_code_has_there() {
        let judged = |quote: &str, value: &str, next: &str| {
            let matched = format!("password: {quote}{value}");
            let evidence = Evidence {
                secret: value.as_bytes(),
                matched: matched.as_bytes(),
                after: next.as_bytes(),
                ..Evidence::default()
            };
            password_value(&evidence) == Verdict::Silent
        };
        let (season, leet) = (["Summer", "2026!"].concat(), ["P@ss", "w0rd"].concat());
        for value in [season.as_str(), &leet, "Zk8v_Qm2Tz7b", "Zk8v.Qm2Tz7b", "Zx7#mPq2$vLn"] {
            assert!(judged("", value, "\n") && judged("\"", value, "\","), "{value}");
        }
        assert!(judged("\"", "winter84", "\""));
        for value in [
            "required",
            "password",
            "Password1",
            "string",
            "config.db2",
            "utf8.encode",
            "$DB_PASS1",
            "sha256Hash",
            "md5_crypt",
            "userPassword2",
            "oauth2",
            "/etc/pass1word",
            "%(pass1)s",
            "a1b2",
            "winter84",
            "{{pass1word}}",
            "x@example1.com",
        ] {
            assert!(!judged("", value, "\n"), "{value}");
        }
        // The next field, the end of a parenthesis; names in code that end in a sign.
        for rest in [", host: db", ";Server=x", "&next=1", ")"] {
            assert!(judged("", &format!("{season}{rest}"), "\n"), "{rest}");
        }
        assert!(!judged("", "form.value2!", "\n") && !judged("", "get(winter2)!", "\n"));
        // A call, an index, a string that is not over yet.
        assert!(!judged("", &season, "(") && !judged("\"", &season, " "));
    }

    #[test]
    fn a_password_without_quotes_is_told_where_a_sign_an_option_or_a_command_gives_it() {
        let value = ["Winter", "2026!"].concat();
        let judged = |head: &str| {
            let matched = format!("{head}{value}");
            let evidence = Evidence {
                secret: value.as_bytes(),
                matched: matched.as_bytes(),
                after: b"\n",
                ..Evidence::default()
            };
            password_value(&evidence) == Verdict::Silent
        };
        let spoken_of = format!("DB_PASSWORD {value}");
        let evidence = Evidence {
            secret: value.as_bytes(),
            matched: spoken_of.as_bytes(),
            after: b" is wrong",
            ..Evidence::default()
        };
        assert_eq!(password_value(&evidence), Verdict::Nothing);
        for head in [
            "password:",
            "password is ",
            "Password - ",
            "password (",
            "--password ",
            "DB_PASSWORD ",
            "setPassword(",
            "requirepass ",
            "net user bob ",
            "пароль: ",
        ] {
            assert!(judged(head), "{head}");
        }
        for head in [
            "password ",
            "password !== ",
            "password == ",
            "PASSWORD, ",
            "two-pass ",
            "splitpasswd(\"",
        ] {
            assert!(!judged(head), "{head}");
        }
    }
}
