//! What a rule's author knows to be no secret: gitleaks' allowlists. A match that one names is told with
//! low confidence.

use std::sync::OnceLock;

use memchr::{memchr_iter, memrchr_iter};
use regex::bytes::Regex;

use super::dialect::Dialect;
use super::expression::{self, ExpressionError};
use super::validate::Evidence;
use crate::limits::RULE_COMMAND_NEAR_BYTES;

/// Which part of a match an allowlist's expressions are tried on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    #[default]
    Secret,
    Match,
    Line,
    /// The line again, or the string of JSON in it: what an expression finds there must touch the match. Not gitleaks'.
    Around,
}

/// Values that are known to be harmless.
#[derive(Debug, Default)]
pub struct Allowlist {
    pub(super) target: Target,
    pub(super) patterns: Vec<Pattern>,
    /// In lower case.
    pub(super) stopwords: Vec<String>,
    /// Whether both an expression and a stopword must speak for it, not either.
    pub(super) needs_all: bool,
}

/// An expression that is compiled when it is first needed.
#[derive(Debug)]
pub struct Pattern {
    text: String,
    program: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Parses an expression.
    pub(super) fn new(source: &str, dialect: Dialect) -> Result<Pattern, ExpressionError> {
        let text = expression::checked(source, dialect)?;
        Ok(Pattern { text, program: OnceLock::new() })
    }

    fn matches(&self, text: &[u8]) -> bool {
        let program = self.program.get_or_init(|| expression::compile(&self.text).ok());
        program.as_ref().is_some_and(|program| program.is_match(text))
    }

    /// The end of what it matches around the rule's match, if that touches it.
    fn touching(&self, around: &Around<'_>) -> Option<usize> {
        let program = self.program.get_or_init(|| expression::compile(&self.text).ok()).as_ref()?;
        let Around { text, start, end, .. } = *around;
        let mut from = start.saturating_sub(RULE_COMMAND_NEAR_BYTES);
        while let Some(found) = text.get(from..).and_then(|_| program.find_at(text, from)) {
            if found.start() > end {
                return None;
            }
            if found.end() >= start {
                return Some(found.end());
            }
            from = found.start() + 1;
        }
        None
    }
}

/// What a match belongs to.
pub(super) struct Around<'a> {
    pub(super) text: &'a [u8],
    /// Where in it the match begins and ends.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it goes to the end of the line.
    is_last: bool,
}

impl<'a> Around<'a> {
    /// The match's line, or the string of JSON in it that the match stands in, with its quotes.
    pub(super) fn of(evidence: &Evidence<'a>) -> Around<'a> {
        let (line, before) = (evidence.line, evidence.before.len());
        let behind = before + evidence.matched.len();
        let first = last_border(evidence.before).unwrap_or(0);
        let rest = line.get(behind..).unwrap_or_default();
        let last = first_border(rest).map_or(line.len(), |at| behind + at + 1);
        let text = line.get(first..last).unwrap_or_default();
        Around { text, start: before - first, end: behind - first, is_last: last == line.len() }
    }
}

/// The second quote of the last two in a text that one string of JSON ends and another begins with.
fn last_border(text: &[u8]) -> Option<usize> {
    let mut quotes = memrchr_iter(b'"', text).peekable();
    while let Some(quote) = quotes.next() {
        let other = *quotes.peek()?;
        if is_between_strings(text.get(other + 1..quote).unwrap_or_default()) {
            return Some(quote);
        }
    }
    None
}

/// The first quote of the first two.
fn first_border(text: &[u8]) -> Option<usize> {
    let mut quotes = memchr_iter(b'"', text).peekable();
    while let Some(quote) = quotes.next() {
        let other = *quotes.peek()?;
        if is_between_strings(text.get(quote + 1..other).unwrap_or_default()) {
            return Some(quote);
        }
    }
    None
}

/// Whether that is what JSON has between two strings. A comma and a blank are what prose has between two quotations, too.
fn is_between_strings(text: &[u8]) -> bool {
    let has = |signs: &[u8]| text.iter().any(|byte| signs.contains(byte));
    text.iter().all(|byte| b",:{}[] \t\\".contains(byte))
        && (has(b":{}[]") || has(b",") && !has(b" \t"))
}

impl Allowlist {
    /// Whether it names the match.
    pub fn names(&self, evidence: &Evidence<'_>) -> bool {
        let text = match self.target {
            Target::Secret => evidence.secret,
            Target::Match => evidence.matched,
            Target::Line | Target::Around => evidence.line,
        };
        let lower = evidence.secret.to_ascii_lowercase();
        let has_word = |word: &String| {
            !word.is_empty() && lower.windows(word.len()).any(|part| part == word.as_bytes())
        };
        let by_pattern = match self.target {
            Target::Around => {
                let around = Around::of(evidence);
                self.patterns.iter().any(|pattern| pattern.touching(&around).is_some())
            }
            _ => self.patterns.iter().any(|pattern| pattern.matches(text)),
        };
        let by_word = self.stopwords.iter().any(has_word);
        match self.needs_all {
            true => {
                (by_pattern || self.patterns.is_empty())
                    && (by_word || self.stopwords.is_empty())
                    && (by_pattern || by_word)
            }
            false => by_pattern || by_word,
        }
    }

    /// Whether it names the match only as long as nothing follows what is known.
    pub(super) fn hangs_on_rest(&self, evidence: &Evidence<'_>) -> bool {
        let known = evidence.before.len() + evidence.matched.len() + evidence.after.len();
        if self.target != Target::Around || evidence.line.len() < known {
            return false;
        }
        let around = Around::of(evidence);
        let mut ends = self.patterns.iter().filter_map(|pattern| pattern.touching(&around));
        let is_last = |end: usize| around.is_last && end == around.text.len();
        ends.next().is_some_and(is_last) && ends.all(is_last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(text: &'static str) -> Evidence<'static> {
        let (secret, matched) = (text.as_bytes(), text.as_bytes());
        Evidence { secret, matched, line: b"the whole line", ..Evidence::default() }
    }

    #[test]
    fn an_expression_or_a_stopword_names_a_match_and_both_if_both_are_asked_for() {
        let list = |needs_all| Allowlist {
            patterns: vec![Pattern::new("EXAMPLE$", Dialect::Own).unwrap()],
            stopwords: vec!["dummy".to_owned(), String::new()],
            needs_all,
            ..Allowlist::default()
        };
        for (text, either, both) in [
            ("key-EXAMPLE", true, false),
            ("key-DUMMY-1", true, false),
            ("DUMMY-EXAMPLE", true, true),
            ("key-0", false, false),
        ] {
            assert_eq!(list(false).names(&evidence(text)), either, "{text}");
            assert_eq!(list(true).names(&evidence(text)), both, "{text}");
        }
        assert!(!Allowlist { needs_all: true, ..Allowlist::default() }.names(&evidence("x")));
    }

    #[test]
    fn the_target_is_what_expressions_are_tried_on() {
        let list = |target| Allowlist {
            target,
            patterns: vec![Pattern::new("^the whole line$", Dialect::Own).unwrap()],
            ..Allowlist::default()
        };
        assert!(list(Target::Line).names(&evidence("x")));
        assert!(!list(Target::Secret).names(&evidence("x")));
        assert!(!list(Target::Match).names(&evidence("x")));
    }

    /// What is found in another string of the line, or of it and not of the match, says nothing about the match.
    #[test]
    fn what_is_around_a_match_is_what_touches_it_in_its_own_string() {
        let list = Allowlist {
            target: Target::Around,
            patterns: vec![Pattern::new("if asked[^.]{0,20}|\"key\"|^key$", Dialect::Own).unwrap()],
            ..Allowlist::default()
        };
        let is_named = |line: &'static str| {
            let at = line.rfind("key").unwrap();
            let (before, matched) = (&line.as_bytes()[..at], &line.as_bytes()[at..at + 3]);
            let (secret, line) = (matched, line.as_bytes());
            list.names(&Evidence { secret, matched, line, before, ..Evidence::default() })
        };
        for line in [
            "key",
            "say if asked for the key",
            r#"say "no", "never" if asked for the key"#,
            r#"{"a":"if asked: key"}"#,
            r#"{"a": "key", "b": "x"}"#,
        ] {
            assert!(is_named(line), "{line}");
        }
        for line in [
            "if asked. The key",
            "the key, if asked",
            r#"{"a":"key","b":"the key"}"#,
            r#"{"a":"if asked","b":"key now"}"#,
            r#"{"a": "if asked", "b": "key now"}"#,
            r#"{\"a\":\"if asked\",\"b\":\"key now\"}"#,
        ] {
            assert!(!is_named(line), "{line}");
        }
    }
}
