//! Where the secrets are in a piece of text: laxer than detection, since it decides what is hidden.
//!
//! Known tokens by their prefix, credentials by their header or scheme, values by the name before
//! them, passwords in URLs, PEM bodies, and long runs that look random. A secret that is cut off
//! at an edge of the text counts as well. What is shown instead is `snippet`'s business.

mod beside;
mod decoded;
mod openers;

use std::ops::Range;
use std::sync::OnceLock;

use memchr::memmem::{Finder, FinderRev};
use memchr::{memchr, memchr_iter};
use regex::bytes::{Match, Regex};

pub(super) use self::beside::{find_beside, find_dumped};
pub(super) use self::decoded::decodings;
use self::openers::{Openers, Reach};
use super::database::DatabaseError;
use crate::limits::SECRET_HEAD_BYTES;

/// A stretch that must not be shown, apart from its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) start: usize,
    pub(super) end: usize,
    /// How many bytes of its head may be shown.
    pub(super) shown: usize,
}

/// Tokens that their prefix gives away.
const TOKEN_HEAD: &str = concat!(
    r"(?-u)(?:",
    r"(?i:\bsk[_-]|sk-(?:live|pro|ant|gpt|test))[A-Za-z0-9_-]{6}",
    r"|(?:AKIA|ASIA)[0-9A-Z]{3}",
    r"|gh[pousr]_[A-Za-z0-9]{4}",
    r"|github_pat_[A-Za-z0-9_]{4}",
    r"|xox[a-z]-[A-Za-z0-9-]{4}",
    r"|AIza[A-Za-z0-9_-]{4}",
    r"|glpat-[A-Za-z0-9_-]{4}",
    r"|\bnpm_[A-Za-z0-9]{8}",
    r"|\bhf_[A-Za-z0-9]{8}",
    r"|\b[rp]k_(?:live|test)_[A-Za-z0-9]{4}",
    r"|\bwhsec_[A-Za-z0-9]{4}",
    r"|\bya29\.[A-Za-z0-9_-]{4}",
    r"|\bSG\.[A-Za-z0-9_-]{8}",
    r"|\beyJ[A-Za-z0-9_-]{8}",
    r")",
);
/// All that may follow, so that no second token can hide in what one leaves over.
const TOKEN_REST: &str = r"[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]{8,})*";

/// What begins as a token does and goes on in strings behind it, which a program joins.
const SPLIT_TOKEN: &str = concat!(
    r"(?-u)(?:(?i:\bsk[_-])|AKIA|ASIA|gh[pousr]_|github_pat_|xox[a-z]-|AIza|glpat-|\bnpm_|\bhf_",
    r"|\b[rp]k_(?:live|test)_|\bwhsec_|\bya29\.|\bSG\.|\beyJ)[A-Za-z0-9_.-]*",
    r#"(?:\\{0,4}["'][\t ]{0,4}(?:\+|\.\.?|&|<>|\|\||~|\^)?[\t\r\n ]{0,12}\\{0,4}["'][A-Za-z0-9_.-]*)+"#,
);

/// An SSH key in one line; the group is what comes before the key itself.
const SSH_KEY: &str =
    concat!(r"(?i-u)(ssh-(?:rsa|dss|ed25519)(?:[\t-\r +]|%20|\\[nrt])+)", r"[A-Za-z0-9+/=]+",);

/// An HTTP authentication scheme; the credential follows.
const SCHEME: &str = r"(?i-u)\b(?:bearer|basic|digest|negotiate|token)(?:[\t +]|%20)+";

/// A name that announces a secret.
const NAME_HEAD: &str = concat!(
    r"(?i-u)(?:\bpass|password|passwd|passphrase|passcode|\bpwd|secret|token|api[_-]?key",
    r"|access[_-]?key|credential|private[_-]?key|session[_-]?id|cookie|\bauth)",
);
/// The rest of it, up to the value.
const NAME_REST: &str = r#"[A-Za-z0-9_.\[\]-]{0,24}(?:\\*["'])?[\t ]*(?:=>|[:=]|%3[AaDd])[\t ]*"#;

/// A user and password, or a token alone, in a URL; the group is the secret. The password may be
/// cut off by the end of the text.
const USERINFO: &str = concat!(
    r#"(?-u)://(?:[^\t-\r /@:"'<>\\]{0,256}:([^\t-\r /@"'<>\\]{1,512})(?:@|\z)"#,
    r#"|([^\t-\r /@:"'<>\\]{8,512})@)"#,
);

const URL_MARK: &[u8] = b"://";
const PEM_MARK: &[u8] = b"-----";

/// PEM armour's first line; the body follows. Blanks may be form-encoded.
const PEM_HEAD: &str = r"(?i-u)-----BEGIN(?:[ +]|%20)[A-Z0-9 +%]{1,40}-----";
const PEM_FOOT: &str = r"(?i-u)-----END";

/// The length from which a run that mixes letters and digits counts as a secret.
const RUN_BYTES: usize = 32;
/// The same for a run that an edge of the text cuts off.
const CUT_RUN_BYTES: usize = 12;
/// The length from which digits are hardly a number: a time in nanoseconds has 19, one of 64 bits up to 20.
const LONG_NUMBER_BYTES: usize = 20;
/// The widths of the lines that OpenSSL, OpenSSH and MIME fold key material to.
const FOLDED_LINE_BYTES: [usize; 3] = [64, 70, 76];

/// Finds secrets. One a core.
#[derive(Clone)]
pub(super) struct Redactor {
    tokens: Regex,
    split_token: Regex,
    ssh_key: Regex,
    scheme: Regex,
    /// The same where a text begins with it.
    leading_scheme: Regex,
    name: Regex,
    /// What every password in a URL has before it, and PEM armour in its lines.
    url_mark: FinderRev<'static>,
    pem_mark: Finder<'static>,
    userinfo: Regex,
    pem_head: Regex,
    pem_foot: Regex,
}

impl Redactor {
    /// One that shares its programs with all others, but not the memory that a search needs.
    pub(super) fn new() -> Result<Redactor, DatabaseError> {
        static COMPILED: OnceLock<Redactor> = OnceLock::new();
        match COMPILED.get() {
            Some(compiled) => Ok(compiled.clone()),
            None => Redactor::compile().map(|compiled| COMPILED.get_or_init(|| compiled).clone()),
        }
    }

    fn compile() -> Result<Redactor, DatabaseError> {
        let failed = |error| DatabaseError::Engine(format!("redaction: {error}"));
        let compile = |expression: &str| Regex::new(expression).map_err(failed);
        Ok(Redactor {
            tokens: compile(&[TOKEN_HEAD, TOKEN_REST].concat())?,
            split_token: compile(SPLIT_TOKEN)?,
            ssh_key: compile(SSH_KEY)?,
            scheme: compile(SCHEME)?,
            leading_scheme: compile(&[r"\A", SCHEME].concat())?,
            name: compile(&[NAME_HEAD, NAME_REST].concat())?,
            url_mark: FinderRev::new(URL_MARK),
            pem_mark: Finder::new(PEM_MARK),
            userinfo: compile(USERINFO)?,
            pem_head: compile(PEM_HEAD)?,
            pem_foot: compile(PEM_FOOT)?,
        })
    }

    /// Puts the secrets of `text` into `secrets`: in order, not overlapping. The flags say
    /// whether the text went on before it and will go on after it.
    pub(super) fn find(
        &self,
        text: &[u8],
        is_cut_before: bool,
        is_cut_after: bool,
        secrets: &mut Vec<Secret>,
    ) {
        secrets.clear();
        let openers = Openers::of(text);
        let tokens = matches_in(&self.tokens, text, openers.tokens.clone());
        secrets.extend(tokens.map(|found| headed(text, found.range())));
        let split = matches_in(&self.split_token, text, openers.tokens.clone());
        secrets.extend(split.map(|found| split_headed(text, found.range())));
        self.find_ssh_keys(text, secrets);
        for found in matches_in(&self.scheme, text, openers.schemes) {
            let end = run_end(text, found.end(), is_credential_byte);
            if end.saturating_sub(found.end()) >= 8 || (end == text.len() && end > found.end()) {
                secrets.push(headed(text, found.end()..end));
            }
        }
        let names = matches_in(&self.name, text, openers.names);
        secrets.extend(names.filter_map(|found| self.value_after(text, found.range())));
        self.find_passwords_in_urls(text, secrets);
        self.find_pem_bodies(text, secrets);
        find_runs(text, is_cut_before, is_cut_after, secrets);
        merge(secrets);
    }

    fn find_ssh_keys(&self, text: &[u8], secrets: &mut Vec<Secret>) {
        let is_ssh = |dash: usize| {
            let before = text.get(..dash).unwrap_or_default().last_chunk::<3>();
            before.is_some_and(|name| name.eq_ignore_ascii_case(b"ssh"))
        };
        if !memchr_iter(b'-', text).any(is_ssh) {
            return;
        }
        for found in self.ssh_key.captures_iter(text) {
            if let (Some(whole), Some(head)) = (found.get(0), found.get(1)) {
                // The algorithm is no secret; the key shows as much of its head as other secrets do.
                let key = whole.len() - head.len();
                let shown = head.len() + (key / 3).min(4);
                secrets.push(Secret { start: whole.start(), end: whole.end(), shown });
            }
        }
    }

    fn find_passwords_in_urls(&self, text: &[u8], secrets: &mut Vec<Secret>) {
        // Behind a password comes its host, or the text's end: then this is the last of its URLs, with no path yet.
        let Some(last) = self.url_mark.rfind(text) else { return };
        let behind = text.get(last + URL_MARK.len()..).unwrap_or_default();
        let may_be_cut = !behind.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'/');
        if !may_be_cut && memchr(b'@', text).is_none() {
            return;
        }
        for found in self.userinfo.captures_iter(text) {
            let secret = found.get(1).or_else(|| found.get(2));
            secrets.extend(
                secret.filter(|s| !is_port(text, s.range())).map(|s| headed(text, s.range())),
            );
        }
    }

    /// The value behind a name that announces a secret.
    fn value_after(&self, text: &[u8], name: Range<usize>) -> Option<Secret> {
        let (mut start, quote) = opening_quote(text, name.end);
        let name = text.get(name).unwrap_or_default().to_ascii_lowercase();
        let rest = text.get(start..).unwrap_or_default();
        if let Some(scheme) = self.leading_scheme.find(rest) {
            start += scheme.end();
        }
        let holds = |word: &[u8]| name.windows(word.len()).any(|part| part == word);
        let end = match quote {
            Some(quote) => quoted_end(text, start, quote),
            None if holds(b"cookie") => {
                run_end(text, start, |byte| !matches!(byte, b'\r' | b'\n' | b'"' | b'\'' | b'\\'))
            }
            None => run_end(text, start, is_value_byte),
        };
        let value = text.get(start..end).unwrap_or_default();
        let is_count = holds(b"tokens") && value.iter().all(|b| b.is_ascii_digit() || *b == b',');
        (!value.is_empty() && !is_count).then(|| headed(text, start..end))
    }

    fn find_pem_bodies(&self, text: &[u8], secrets: &mut Vec<Secret>) {
        let Some(mut at) = self.pem_mark.find(text) else { return };
        while let Some(head) = self.pem_head.find_at(text, at) {
            let end = self.pem_foot.find_at(text, head.end()).map_or(text.len(), |f| f.start());
            if end > head.end() {
                secrets.push(Secret { start: head.end(), end, shown: 0 });
            }
            at = end.max(head.end());
        }
    }
}

/// The matches of an expression that may begin in `reach` only, one after the other.
fn matches_in<'t>(
    expression: &Regex,
    text: &'t [u8],
    reach: Reach,
) -> impl Iterator<Item = Match<'t>> {
    let mut left = reach.map(|reach| (*reach.start(), *reach.end()));
    std::iter::from_fn(move || {
        let (from, last) = left.take_if(|(from, last)| from <= last)?;
        let found = expression.find_at(text, from)?;
        left = Some((found.end(), last));
        Some(found)
    })
}

/// A secret that shows its head: whole groups of a token's prefix (`sk-ant-api03-`), or else its
/// first four bytes, but never more than a third of it.
pub(super) fn headed(text: &[u8], range: Range<usize>) -> Secret {
    let secret = text.get(range.clone()).unwrap_or_default();
    let most = SECRET_HEAD_BYTES.min(secret.len() / 3);
    let is_token = [&b"sk"[..], b"gh", b"xox", b"gl", b"AK", b"AS", b"AI", b"npm", b"hf", b"ey"]
        .iter()
        .any(|prefix| {
            secret.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        });
    let groups = secret
        .iter()
        .take(most)
        .enumerate()
        .filter(|(_, byte)| matches!(byte, b'-' | b'_'))
        .take(3)
        .last()
        .map(|(at, _)| at + 1);
    let shown = if is_token { groups.unwrap_or(most.min(4)) } else { 0 };
    Secret { start: range.start, end: range.end, shown }
}

/// The same of a token in several strings: what is shown is the head of its first part, and no more than were it alone.
fn split_headed(text: &[u8], range: Range<usize>) -> Secret {
    let first = run_end(text, range.start, |byte| !matches!(byte, b'"' | b'\''));
    Secret { end: range.end, ..headed(text, range.start..first.min(range.end)) }
}

/// Puts secrets in order and joins those that overlap or touch.
pub(super) fn merge(secrets: &mut Vec<Secret>) {
    secrets.sort_unstable_by_key(|secret| (secret.start, secret.end));
    secrets.dedup_by(|next, kept| {
        let joins = next.start <= kept.end;
        if joins {
            if next.start == kept.start {
                kept.shown = kept.shown.max(next.shown);
            }
            kept.end = kept.end.max(next.end);
        }
        joins
    });
}

fn run_end(text: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len())
}

/// Whether what stands behind a colon at the end of the text is the port of a URL.
fn is_port(text: &[u8], range: Range<usize>) -> bool {
    let digits = text.get(range.clone()).unwrap_or_default();
    range.end == text.len() && range.len() <= 5 && digits.iter().all(u8::is_ascii_digit)
}

fn is_credential_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._~+/=-%:".contains(&byte)
}

fn is_value_byte(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !b"&;\"'`<>\\".contains(&byte)
}

/// The quote that opens a value: how many backslashes stand before it, and which it is.
#[derive(Clone, Copy)]
struct Quote {
    backslashes: usize,
    mark: u8,
}

/// Where a value begins, and its quote if it has one.
fn opening_quote(text: &[u8], at: usize) -> (usize, Option<Quote>) {
    let marked = run_end(text, at, |byte| byte == b'\\');
    match text.get(marked) {
        Some(&mark @ (b'"' | b'\'')) => {
            (marked + 1, Some(Quote { backslashes: marked - at, mark }))
        }
        _ => (at, None),
    }
}

/// Where a quoted value ends: at the same quote, not escaped more often than the opening one.
fn quoted_end(text: &[u8], start: usize, quote: Quote) -> usize {
    let mut backslashes = 0;
    let rest = text.get(start..).unwrap_or_default();
    for (at, byte) in rest.iter().enumerate() {
        if *byte == quote.mark && backslashes <= quote.backslashes {
            return start + at - backslashes;
        }
        backslashes = if *byte == b'\\' { backslashes + 1 } else { 0 };
    }
    text.len()
}

/// Long runs that look random, and what is folded onto the lines behind them.
fn find_runs(text: &[u8], is_cut_before: bool, is_cut_after: bool, secrets: &mut Vec<Secret>) {
    let mut at = 0;
    let mut goes_on = false;
    while at < text.len() {
        let length = run_length(text, at);
        if length == 0 {
            goes_on = goes_on && fold_length(text, at) > 0;
            at += fold_length(text, at).max(1);
            continue;
        }
        let range = at..at + length;
        let is_cut =
            (is_cut_before && range.start == 0) || (is_cut_after && range.end == text.len());
        let run = text.get(range.clone()).unwrap_or_default();
        if goes_on {
            secrets.push(Secret { start: range.start, end: range.end, shown: 0 });
        } else {
            judge_run(run, range.start, is_cut, secrets);
        }
        goes_on = FOLDED_LINE_BYTES.contains(&length) && (goes_on || is_dense(run));
        at = range.end;
    }
}

/// Whether a byte is a sign of base64, base64url or hex, but for what fills base64 up.
#[expect(clippy::indexing_slicing, reason = "the compiler computes it, and would refuse")]
const IS_OF_RUN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        let sign = byte as u8;
        table[byte] = sign.is_ascii_alphanumeric() || matches!(sign, b'+' | b'/' | b'_' | b'-');
        byte += 1;
    }
    table
};

/// The length of the run of base64, base64url or hex at `at`, its encoded signs included. Behind an equals sign there is
/// no more of it: what stands before one is the name of what stands behind it.
fn run_length(text: &[u8], at: usize) -> usize {
    let mut end = at;
    loop {
        end = run_end(text, end, |byte| IS_OF_RUN.get(usize::from(byte)) == Some(&true));
        end += match text.get(end..).unwrap_or_default() {
            [b'\\', b'/', ..] => 2,
            [b'%', b'2', b'b' | b'B' | b'f' | b'F', ..] => 3,
            _ => break,
        };
    }
    loop {
        end += match text.get(end..).unwrap_or_default() {
            [b'=', ..] => 1,
            [b'%', b'3', b'd' | b'D', ..] => 3,
            _ => return end - at,
        };
    }
}

/// The length of a line break, real or escaped, with blanks: where folded material goes on.
fn fold_length(text: &[u8], at: usize) -> usize {
    match text.get(at..).unwrap_or_default() {
        [b'\r' | b'\n' | b'\t' | b' ', ..] => 1,
        [b'\\', b'n' | b'r', ..] | [b'\\', b'\\', ..] => 2,
        _ => 0,
    }
}

/// Decides over one run. A run with slashes may be a path: its parts are judged one by one, and
/// the run as a whole only by how often it changes between upper case, lower case and digits.
fn judge_run(run: &[u8], start: usize, is_cut: bool, secrets: &mut Vec<Secret>) {
    let least = if is_cut { CUT_RUN_BYTES } else { RUN_BYTES };
    let is_strong = |part: &[u8]| part.len() >= least && looks_random(part, is_cut);
    if !is_strong(run) {
        return;
    }
    let parts = || run.split(|byte| *byte == b'/');
    if !parts().any(is_strong) {
        if is_dense(run) {
            secrets.push(Secret { start, end: start + run.len(), shown: 0 });
        }
        return;
    }
    let mut at = start;
    for part in parts() {
        if is_strong(part) || (part.len() >= 4 && is_dense(part)) {
            secrets.push(Secret { start: at, end: at + part.len(), shown: 0 });
        }
        at += part.len() + 1;
    }
}

/// Whether a run mixes letters and digits, or upper and lower case as no words do, or has more digits than numbers have: a
/// hash may have no letter, or none in its front. Of a run that is cut off there is less to judge by, so less is enough.
fn looks_random(run: &[u8], is_cut: bool) -> bool {
    let is_mixed = run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic);
    let is_long_number = run.len() >= LONG_NUMBER_BYTES && run.iter().all(u8::is_ascii_digit);
    is_mixed || is_long_number || is_dense(run) || (is_cut && changes(run) >= 2)
}

/// Whether the kind of character changes at every fourth place or more: words do so rarely,
/// base64 at 6 places of 10, hex at 5. A long run has less of a word, so that every sixth will do.
fn is_dense(run: &[u8]) -> bool {
    let places = if run.len() >= RUN_BYTES { 6 } else { 4 };
    places * changes(run) >= run.len()
}

/// How often lower case, upper case and digits follow each other directly.
fn changes(run: &[u8]) -> usize {
    let kind = |byte: &u8| match byte {
        b'0'..=b'9' => 1,
        b'a'..=b'z' => 2,
        b'A'..=b'Z' => 3,
        _ => 0,
    };
    let pairs = run.iter().zip(run.iter().skip(1));
    pairs.filter(|(one, next)| kind(one) * kind(next) > 0 && kind(one) != kind(next)).count()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    /// A text with its secrets replaced by their heads and `...`.
    fn masked(text: &str, is_cut_after: bool) -> String {
        let mut secrets = Vec::new();
        Redactor::new().unwrap().find(text.as_bytes(), false, is_cut_after, &mut secrets);
        let mut shown = String::new();
        let mut at = 0;
        for secret in secrets {
            assert!(at <= secret.start && secret.start < secret.end);
            shown.push_str(&text[at..secret.start + secret.shown]);
            shown.push_str("...");
            at = secret.end;
        }
        shown + &text[at..]
    }

    #[test]
    fn a_head_is_at_most_its_bound_and_at_most_a_third() {
        let shown = |text: &str| headed(text.as_bytes(), 0..text.len()).shown;
        let long = "x".repeat(100);
        assert_eq!(shown(&format!("sk-{}-{long}", "p".repeat(SECRET_HEAD_BYTES - 4))), 16);
        assert_eq!(shown(&format!("sk-{}-{long}", "p".repeat(SECRET_HEAD_BYTES - 3))), 3);
        assert_eq!(shown("sk-ant-45678901234567"), 7);
        assert_eq!(shown("sk-ant-4567890123456"), 3);
        assert_eq!(shown(&long), 0);
        assert_eq!(shown(""), 0);
    }

    #[test]
    fn runs_count_from_their_bound_on() {
        let run = "0a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6";
        assert_eq!(masked(&run[..RUN_BYTES], false), "...");
        assert_eq!(masked(&run[..RUN_BYTES - 1], false), &run[..RUN_BYTES - 1]);
        assert_eq!(masked(&run[..CUT_RUN_BYTES], true), "...");
        assert_eq!(masked(&run[..CUT_RUN_BYTES - 1], true), &run[..CUT_RUN_BYTES - 1]);
    }

    #[test]
    fn credentials_are_hidden_and_their_names_are_not() {
        for (text, shown) in [
            ("password=hunter2&user=me", "password=...&user=me"),
            ("{\"password\":\"a \\\"b\\\" c\",\"x\":1}", "{\"password\":\"...\",\"x\":1}"),
            ("{\\\"token\\\": \\\"a b\\\"}", "{\\\"token\\\": \\\"...\\\"}"),
            ("Authorization: Bearer abcdefgh\r\nHost: x", "Authorization: Bearer ...\r\nHost: x"),
            ("Cookie: a=b; c=d\r\nHost: x", "Cookie: ...\r\nHost: x"),
            ("ftp://me:pw@host/x", "ftp://me:...@host/x"),
            ("http://host:8080", "http://host:8080"),
            ("client_secret%3Dabc", "client_secret%3D..."),
            ("npm_abcdefghijkl", "npm_..."),
            ("\"max_tokens\":1024,", "\"max_tokens\":1024,"),
            ("risk-based and task-oriented", "risk-based and task-oriented"),
        ] {
            assert_eq!(masked(text, false), shown);
        }
    }

    proptest! {
        #[test]
        fn no_password_in_a_url_is_passed_over(text in "[a:/@ -]{0,12}://[ab:/@ ]{0,12}") {
            static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new().unwrap());
            let (text, mut secrets) = (text.as_bytes(), Vec::new());
            REDACTOR.find_passwords_in_urls(text, &mut secrets);
            let found = REDACTOR.userinfo.captures_iter(text);
            let found = found.filter_map(|found| found.get(1).or_else(|| found.get(2)));
            let all: Vec<Range<usize>> =
                found.map(|secret| secret.range()).filter(|secret| !is_port(text, secret.clone())).collect();
            let told: Vec<Range<usize>> =
                secrets.iter().map(|secret| secret.start..secret.end).collect();
            prop_assert_eq!(told, all);
        }
    }

    #[test]
    fn what_is_folded_onto_further_lines_is_hidden_with_the_first() {
        let line = "aB3d".repeat(16);
        for (fold, last) in [("\n", "abcdefgh"), ("\r\n", "ABCDEFGHIJ=="), ("\\n", "abcd")] {
            let text = format!("{line}{fold}{line}{fold}{last}{fold}");
            assert_eq!(masked(&text, false), format!("...{fold}...{fold}...{fold}"));
        }
        let short = &line[..FOLDED_LINE_BYTES[0] - 1];
        assert_eq!(masked(&format!("{short}\nabcdefgh"), false), "...\nabcdefgh");
    }

    #[test]
    fn a_run_without_digits_is_told_by_its_cases() {
        let run = "luXKZrAqKMFcx/mMYSGb+PWRXroBGXFHWeNa";
        assert_eq!(masked(run, false), "...");
        for end in CUT_RUN_BYTES + 1..run.len() {
            assert!(!masked(&run[..end], true).contains("XKZr"), "{end}");
        }
        let words = "getTheAccountInformationOfUsers";
        assert_eq!(masked(words, false), words);
    }

    #[test]
    fn the_name_before_a_secret_is_no_part_of_it() {
        let run = "k7Qm2Xz9Lw4Rt8Vb3Nc6Yd1Hf5Gj0SpAeUiO";
        for (text, expected) in [
            (format!("DEPLOY_HASH={run}"), "DEPLOY_HASH=..."),
            (format!("?build_hash={run}=&b=1"), "?build_hash=...&b=1"),
            (format!("a%3D{run}%3D%3d;"), "a%3D...;"),
        ] {
            assert_eq!(masked(&text, false), expected);
        }
    }

    #[test]
    fn words_and_paths_are_not_runs() {
        for text in [
            "github.com/some-organisation/some-repository/blob/main/v2/README",
            "internationalization_and_localization_of_everything",
            "/usr/local/lib/python3/dist-packages/somepackage/module",
        ] {
            assert_eq!(masked(text, false), text);
        }
    }
}
