//! What stands beside the name of a secret: a value that chance made, a password as people choose them, or what code,
//! templates and sentences have there. Rules of general names match all of it, and this decides.

use memchr::memmem;

use super::chance::random_run;
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

/// Words of a name whose values are no secrets: such a token or key is handed to anybody, or it names a place.
const HARMLESS_WORDS: [&[u8]; 46] = [
    b"next",
    b"page",
    b"sync",
    b"cursor",
    b"resume",
    b"progress",
    b"primary",
    b"foreign",
    b"sort",
    b"partition",
    b"object",
    b"row",
    b"lookup",
    b"index",
    b"group",
    b"hash",
    b"dedup",
    b"etag",
    b"lock",
    b"cache",
    b"site",
    b"image",
    b"translation",
    b"query",
    b"path",
    b"file",
    b"checksum",
    b"routing",
    b"message",
    b"device",
    b"instrumentation",
    b"host",
    b"peer",
    b"project",
    b"issue",
    b"i18n",
    b"csrf",
    b"xsrf",
    b"public",
    b"publishable",
    b"authenticity",
    b"fingerprint",
    b"thumbprint",
    b"idempotency",
    b"registration",
    b"pub",
];
/// The same where words are written as one, and beginnings of words.
const HARMLESS_PARTS: [&[u8]; 10] = [
    b"pagetoken",
    b"nexttoken",
    b"publickey",
    b"cachekey",
    b"continuation",
    b"cancellation",
    b"verif",
    b"csrf",
    b"xsrf",
    b"idempot",
];

/// What a key is for, if it is a secret.
const KEY_WORDS: [&[u8]; 36] = [
    b"api",
    b"access",
    b"secret",
    b"private",
    b"auth",
    b"encrypt",
    b"encryption",
    b"signing",
    b"sign",
    b"master",
    b"admin",
    b"service",
    b"app",
    b"application",
    b"subscription",
    b"account",
    b"deploy",
    b"license",
    b"licence",
    b"shared",
    b"jwt",
    b"aes",
    b"hmac",
    b"ssh",
    b"webhook",
    b"session",
    b"cookie",
    b"crypto",
    b"vault",
    b"root",
    b"storage",
    b"client",
    b"security",
    b"rsa",
    b"registry",
    b"deterministic",
];

/// Beginnings of what is public: keys of SSH, certificates, and armour in base64 of which other rules tell.
const PUBLIC_BEGINNINGS: [&[u8]; 6] =
    [b"AAAAB3Nza", b"AAAAC3Nza", b"AAAAE2Vj", b"MII", b"LS0tLS1", b"-----"];

/// Words that a password with nothing but a number behind them is not told for: examples, and names in code.
const PLAIN_WORDS: [&[u8]; 48] = [
    b"secret",
    b"example",
    b"test",
    b"demo",
    b"user",
    b"admin",
    b"sha",
    b"md5",
    b"utf",
    b"oauth",
    b"base",
    b"http",
    b"value",
    b"string",
    b"input",
    b"field",
    b"hash",
    b"label",
    b"type",
    b"text",
    b"token",
    b"key",
    b"change",
    b"foo",
    b"bar",
    b"random",
    b"hidden",
    b"dummy",
    b"sample",
    b"none",
    b"null",
    b"true",
    b"false",
    b"undefined",
    b"default",
    b"required",
    b"optional",
    b"abcd",
    b"qwerty",
    b"login",
    b"email",
    b"index",
    b"param",
    b"option",
    b"column",
    b"group",
    b"crypt",
    b"prompt",
];

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
        let head = head.get(skipped..).unwrap_or_default();
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
            None => next.is_ascii_whitespace() || b"\"'`\\&,;)]}<#|@?".contains(&next),
        };
        self.next.is_none_or(is_end)
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

/// The words of a name in any style, in lower case.
fn words(name: &[u8]) -> Vec<Vec<u8>> {
    let mut words = vec![Vec::new()];
    let mut before = b'_';
    for (at, byte) in name.iter().enumerate() {
        let is_upper = byte.is_ascii_uppercase();
        let next_is_lower = name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
        let begins = is_upper
            && (!before.is_ascii_uppercase() || (next_is_lower && before.is_ascii_uppercase()));
        if begins || !byte.is_ascii_alphanumeric() {
            words.push(Vec::new());
        }
        if let Some(word) = words.last_mut().filter(|_| byte.is_ascii_alphanumeric()) {
            word.push(byte.to_ascii_lowercase());
        }
        before = *byte;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A token or a key that chance made, beside its name.
pub(super) fn random_value(evidence: &Evidence<'_>) -> Verdict {
    let given = Given::of(evidence);
    match is_random(&given) && !is_of_head(evidence, &given) {
        true => Verdict::Silent,
        false => Verdict::Nothing,
    }
}

/// Whether it is what a field of a head says, or a cookie in one, with the end of line that heads have: so a client
/// shows itself, and opens a WebSocket (`Sec-WebSocket-Key`), with each request.
fn is_of_head(evidence: &Evidence<'_>, given: &Given<'_>) -> bool {
    let line_len = memchr::memchr(b'\n', evidence.after).unwrap_or(0);
    let is_of_wire = evidence.after.get(..line_len).is_some_and(|rest| rest.ends_with(b"\r"));
    let from = memchr::memrchr(b'\n', evidence.before).map_or(0, |at| at + 1);
    let line = evidence.before.get(from..).unwrap_or_default();
    let is_cookie =
        |name: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    is_of_wire && (given.between == b": " || is_cookie(b"cookie:") || is_cookie(b"set-cookie:"))
}

fn is_random(given: &Given<'_>) -> bool {
    let value = given.value.trim_ascii_end();
    let value = value.strip_suffix(b".").or(value.strip_suffix(b":")).unwrap_or(value);
    if !given.is_whole() || !is_made_up(value, TOKEN_SIGNS_MIN) || is_harmless_name(given) {
        return false;
    }
    let is_assigned = given.between.iter().any(|byte| b"=:,(|>?".contains(byte))
        || memmem::find(given.between, b" or ").is_some();
    let is_assigned = is_assigned || given.is_constant() || given.is_symbol;
    let run = random_run(value);
    is_assigned
        && run.bits >= TOKEN_BITS
        && 5 * run.len >= 2 * value.len()
        && !PUBLIC_BEGINNINGS.iter().any(|beginning| value.starts_with(beginning))
        && (!is_doubtful(given, value) || is_beyond_doubt(given, value, run.bits))
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
    let given = Given::of(evidence);
    if is_password(&given) { Verdict::Silent } else { Verdict::Nothing }
}

fn is_password(given: &Given<'_>) -> bool {
    let is_assigned =
        given.quote.is_some() || given.between.iter().any(|byte| b"=:".contains(byte));
    let value = match given.quote {
        Some(_) => given.value,
        None => given.value.trim_ascii_end().strip_suffix(b".").unwrap_or(given.value),
    };
    if !is_assigned
        || !given.is_whole()
        || value.len() < PASSWORD_MIN_BYTES
        || is_code(value)
        || !is_made_up(value, PASSWORD_SIGNS_MIN)
        || is_placeholder(value)
    {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    let holds = |words: &[&[u8]]| words.iter().any(|word| memmem::find(&lower, word).is_some());
    !holds(&[b"password", b"passwd", b"your"])
        && (is_generated(given, value)
            || is_chosen(value)
            || (given.quote.is_some() && is_word_with_number(value) && !holds(&PLAIN_WORDS)))
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

/// Letters, a digit and a sign that names have not: what people make of a word if they are asked for all three.
fn is_chosen(value: &[u8]) -> bool {
    value.len() >= PASSWORD_USUAL_MIN_BYTES
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(|byte| b"!#@^&*?~+=%$|".contains(byte))
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

    #[test]
    fn a_name_in_any_style_has_the_same_words() {
        for name in
            ["api_secret_key", "apiSecretKey", "APISecretKey", "API_SECRET_KEY", "api.secret-key"]
        {
            assert_eq!(words(name.as_bytes()), [&b"api"[..], b"secret", b"key"], "{name}");
        }
    }

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
        // A call, an index, a string that is not over yet.
        assert!(!judged("", &season, "(") && !judged("\"", &season, " "));
    }
}
