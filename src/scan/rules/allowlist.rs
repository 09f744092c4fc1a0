//! What a rule's author knows to be no secret: gitleaks' allowlists. A match that one names is told with
//! low confidence.

use std::sync::OnceLock;

use regex::bytes::Regex;

use super::dialect::Dialect;
use super::expression::{self, ExpressionError};
use super::validate::Evidence;

/// Which part of a match an allowlist's expressions are tried on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    #[default]
    Secret,
    Match,
    Line,
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
}

impl Allowlist {
    /// Whether it names the match.
    pub fn names(&self, evidence: &Evidence<'_>) -> bool {
        let text = match self.target {
            Target::Secret => evidence.secret,
            Target::Match => evidence.matched,
            Target::Line => evidence.line,
        };
        let lower = evidence.secret.to_ascii_lowercase();
        let has_word = |word: &String| {
            !word.is_empty() && lower.windows(word.len()).any(|part| part == word.as_bytes())
        };
        let by_pattern = self.patterns.iter().any(|pattern| pattern.matches(text));
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
}
