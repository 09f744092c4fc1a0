//! Rules that extend others, as gitleaks' files do: what such a rule says goes over the rule of its id in the file that
//! `[extend]` names, in a file before, or among the shipped ones.

use std::sync::Arc;

use super::allowlist::Allowlist;
use super::validate::Validator;
use super::{Expression, Rule, SecretGroup};
use crate::finding::{Confidence, Direction, Severity, ThreatType};

/// A user's file of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesFile {
    /// What its rules are said to come from.
    pub name: String,
    pub text: String,
    /// The file that its `[extend]` names, by its number among the files: one before it.
    pub base: Option<usize>,
}

/// What a file says of the rules of others.
#[derive(Debug, Default)]
pub(super) struct Extension {
    /// Whether it names a file.
    pub(super) has_path: bool,
    /// Ids of rules that it does not take over from there.
    pub(super) left_out: Vec<String>,
    /// For all rules of that file.
    pub(super) allowlists: Vec<Arc<Allowlist>>,
    pub(super) changes: Vec<Change>,
}

/// What is said anew of a rule; the rest stays as it is.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) id: String,
    pub(super) expression: Option<Expression>,
    pub(super) description: Option<String>,
    pub(super) remediation: Option<String>,
    pub(super) source: Option<String>,
    pub(super) threat_type: Option<ThreatType>,
    pub(super) severity: Option<Severity>,
    pub(super) confidence: Option<Confidence>,
    pub(super) direction: Option<Option<Direction>>,
    pub(super) is_secret: Option<bool>,
    pub(super) secret_group: Option<usize>,
    pub(super) entropy: Option<f64>,
    // What is added to the rule's own.
    pub(super) validators: Vec<Validator>,
    pub(super) keywords: Vec<String>,
    pub(super) allowlists: Vec<Arc<Allowlist>>,
    pub(super) examples: Vec<String>,
    pub(super) negative_examples: Vec<String>,
}

impl Change {
    /// Makes the change. An error says why it does not go with the rule.
    pub(super) fn apply(self, rule: &mut Rule) -> Result<(), String> {
        if let Some(expression) = self.expression {
            rule.expression = expression;
        }
        if let Some(number) = self.secret_group.filter(|number| *number > 0) {
            rule.secret_group = SecretGroup::Number(number);
        }
        check_group(rule.secret_group, &rule.expression)?;
        replace(&mut rule.description, self.description);
        replace(&mut rule.remediation, self.remediation);
        replace(&mut rule.source, self.source);
        replace(&mut rule.threat_type, self.threat_type);
        replace(&mut rule.severity, self.severity);
        replace(&mut rule.confidence, self.confidence);
        replace(&mut rule.direction, self.direction);
        replace(&mut rule.is_secret, self.is_secret);
        rule.entropy = self.entropy.filter(|bits| *bits > 0.0).or(rule.entropy);
        rule.validators.extend(self.validators);
        // A rule without keywords is looked for everywhere: one more would hide what is found without it.
        if !rule.keywords.is_empty() {
            rule.keywords.extend(self.keywords);
        }
        for list in self.allowlists {
            // That of the file itself may be there.
            if !rule.allowlists.iter().any(|own| Arc::ptr_eq(own, &list)) {
                rule.allowlists.push(list);
            }
        }
        rule.examples.extend(self.examples);
        rule.negative_examples.extend(self.negative_examples);
        Ok(())
    }
}

fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Whether the group of the secret is there.
pub(super) fn check_group(group: SecretGroup, expression: &Expression) -> Result<(), String> {
    match group {
        SecretGroup::Number(number) if number > expression.groups() => Err(format!(
            "secretGroup is {number}, and its expression has {} group(s)",
            expression.groups()
        )),
        _ => Ok(()),
    }
}

/// Which of the rules an id means, the latest first: gitleaks' `gitlab-pat` is the shipped `gitlab_pat`.
pub(super) fn meant(id: &str, rules: &[Arc<Rule>]) -> Option<usize> {
    let alike = |sign: u8| if sign == b'-' { b'_' } else { sign.to_ascii_lowercase() };
    let is_alike = |other: &str| other.bytes().map(alike).eq(id.bytes().map(alike));
    let exactly = rules.iter().rposition(|rule| &*rule.id == id);
    exactly.or_else(|| rules.iter().rposition(|rule| is_alike(&rule.id)))
}
