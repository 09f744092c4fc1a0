//! Rules: what is looked for, with the examples that are the rules' tests.
//!
//! Rules are data: packs in TOML (`packs/`), a superset of gitleaks' format, and users' files in the same
//! format. `pack` reads one file by `text` and `reader`, `selection` puts together what a configuration asks for.

mod allowlist;
mod chance;
mod checksum;
mod commands;
mod connections;
mod dialect;
mod equivalents;
mod expression;
mod extending;
mod filter;
mod installers;
mod long_word;
mod marks;
mod meaning;
mod mention;
mod names;
mod narrowed;
mod national;
mod pack;
mod packs;
mod paths;
mod prose;
mod reader;
mod remembered;
mod selection;
mod started;
mod structure;
mod template;
mod text;
mod validate;
mod valued;

#[cfg(test)]
mod dialect_tests;
#[cfg(test)]
mod expression_tests;
#[cfg(test)]
mod extending_tests;
#[cfg(test)]
mod pack_tests;

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr2_iter;
use regex::bytes::Regex;

pub use allowlist::Allowlist;
pub use expression::{Expression, ExpressionError};
pub use extending::{RulesFile, extended};
pub(in crate::scan) use long_word::is_of_word;
pub use pack::{Pack, PackError, Problem, ProblemKind, extended_path};
pub use packs::{DEFAULT_PACKS, SEED_PACK, pack_names};
pub use remembered::{EXPRESSION_PARSER, ParsedExpressions};
pub use selection::{
    RuleSet, Selected, SelectionError, Wanted, default_rules, ids_twice, is_like, is_shipped,
    no_such_rule, select, shipped,
};
pub use validate::{Evidence, Validator, Verdict};

use crate::finding::{Confidence, Direction, Severity, ThreatType};

/// One thing to look for.
#[derive(Debug)]
pub struct Rule {
    /// `pattern` in `threats.jsonl`; unique.
    pub id: Arc<str>,
    /// The pack or file that it comes from.
    pub pack: Arc<str>,
    /// What a match threatens.
    pub threat_type: ThreatType,
    /// How bad a match is if it is true.
    pub severity: Severity,
    /// How likely a match is true, before validators speak.
    pub confidence: Confidence,
    /// The only way in which it is reported, if not both.
    pub direction: Option<Direction>,
    /// One line for people.
    pub description: String,
    /// What to do about a match.
    pub remediation: String,
    /// Where the format is published.
    pub source: String,
    /// What matches.
    pub expression: Expression,
    /// Whether the match (or its group) is a secret, to be shown by its head only.
    pub is_secret: bool,
    /// Which part of a match is the secret.
    pub secret_group: SecretGroup,
    /// Shannon entropy of the secret, bits a byte, below which confidence is low.
    pub entropy: Option<f64>,
    /// What is checked of a match.
    pub validators: Vec<Validator>,
    /// In lower case. One of them must be near a match, if there are any.
    pub keywords: Vec<String>,
    /// What is known to be harmless.
    pub allowlists: Vec<Arc<Allowlist>>,
    /// Texts with exactly one match each.
    pub examples: Vec<String>,
    /// Texts without a match.
    pub negative_examples: Vec<String>,
}

/// Which part of a match is the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretGroup {
    /// All of it.
    Whole,
    /// The first group that took part in the match; without groups all of it. gitleaks' own choice.
    First,
    /// The group of this number; all of it if that took no part.
    Number(usize),
}

impl Rule {
    /// How far before a filter's end its match can begin.
    pub fn max_width(&self) -> usize {
        self.expression.max_width()
    }

    /// The secret within a match, `program` being the rule's own, or a copy.
    pub(in crate::scan) fn secret_in(
        &self,
        program: &Regex,
        text: &[u8],
        matched: Range<usize>,
    ) -> Range<usize> {
        if self.secret_group == SecretGroup::Whole || self.expression.groups() == 0 {
            return matched;
        }
        let captures = program
            .captures_at(text, matched.start)
            .filter(|captures| captures.get(0).is_some_and(|whole| whole.start() == matched.start));
        let group = captures.and_then(|captures| match self.secret_group {
            SecretGroup::Number(number) => captures.get(number),
            _ => captures.iter().skip(1).flatten().find(|group| !group.is_empty()),
        });
        group.map_or(matched, |group| group.range())
    }

    /// How likely a match is true; none if it is no match.
    pub fn judge(&self, evidence: &Evidence<'_>) -> Option<Confidence> {
        let mut confidence = self.confidence;
        for validator in &self.validators {
            match validator.judge(evidence) {
                Verdict::Passes => confidence = Confidence::High,
                Verdict::Fails | Verdict::Example => return Some(Confidence::Low),
                Verdict::Silent => {}
                Verdict::Nothing => return None,
            }
        }
        let is_dull = self.entropy.is_some_and(|least| checksum::entropy(evidence.secret) < least);
        if is_dull
            || self.is_secret && structure::is_no_secret(evidence)
            || self.allowlists.iter().any(|list| list.names(evidence))
        {
            return Some(Confidence::Low);
        }
        Some(confidence)
    }

    /// Whether what follows what is known decides if a match is harmless. Secrets are never waited for.
    pub(in crate::scan) fn hangs_on_rest(&self, evidence: &Evidence<'_>) -> bool {
        evidence.is_open
            && !self.is_secret
            && (self.validators.iter().any(|validator| validator.hangs_on_rest(evidence))
                || self.allowlists.iter().any(|list| list.hangs_on_rest(evidence)))
    }

    /// Whether a text has one of the rule's keywords, or none is asked for.
    pub(in crate::scan) fn has_keyword(&self, text: &[u8]) -> bool {
        self.keywords.is_empty() || self.keywords.iter().any(|word| holds(text, word.as_bytes()))
    }
}

/// Whether a text has a word in it, in whatever case.
fn holds(text: &[u8], word: &[u8]) -> bool {
    let Some(first) = word.first() else { return !text.is_empty() };
    let is_here = |at: usize| {
        let part = text.get(at..).and_then(|rest| rest.get(..word.len()));
        part.is_some_and(|part| part.eq_ignore_ascii_case(word))
    };
    memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text).any(is_here)
}
