//! Rules that extend others, as gitleaks' files do: what such a rule says goes over the rule of its id in the file that
//! `[extend]` names, in a file before, or among the shipped ones.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::allowlist::Allowlist;
use super::equivalents::of_gitleaks;
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
    /// The file that it names.
    pub(super) path: Option<String>,
    /// Ids of rules that it does not take over from there.
    pub(super) left_out: HashSet<String>,
    /// For all rules of that file.
    pub(super) allowlists: Vec<Arc<Allowlist>>,
    pub(super) changes: Vec<Change>,
    /// For one rule each that the file does not name itself.
    pub(super) targets: Vec<(String, Arc<Allowlist>)>,
}

/// What is said anew of a rule; the rest stays as it is.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) id: String,
    /// It says a path and nothing to look for: where it extends no rule, it is one of gitleaks' about files' names.
    pub(super) may_be_of_paths: bool,
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
    /// Makes the change; an expression goes to the first rule that it is made to. An error says why it does not go with
    /// the rule.
    pub(super) fn apply(&mut self, rule: &mut Rule) -> Result<(), String> {
        if let Some(expression) = self.expression.take() {
            rule.expression = expression;
        }
        if let Some(number) = self.secret_group.filter(|number| *number > 0) {
            rule.secret_group = SecretGroup::Number(number);
        }
        check_group(rule.secret_group, &rule.expression)?;
        replace(&mut rule.description, self.description.clone());
        replace(&mut rule.remediation, self.remediation.clone());
        replace(&mut rule.source, self.source.clone());
        replace(&mut rule.threat_type, self.threat_type);
        replace(&mut rule.severity, self.severity);
        replace(&mut rule.confidence, self.confidence);
        replace(&mut rule.direction, self.direction);
        replace(&mut rule.is_secret, self.is_secret);
        rule.entropy = self.entropy.filter(|bits| *bits > 0.0).or(rule.entropy);
        rule.validators.extend_from_slice(&self.validators);
        // A rule without keywords is looked for everywhere: one more would hide what is found without it.
        if !rule.keywords.is_empty() {
            rule.keywords.extend_from_slice(&self.keywords);
        }
        self.allowlists.iter().for_each(|list| add_allowlist(rule, Arc::clone(list)));
        rule.examples.extend_from_slice(&self.examples);
        rule.negative_examples.extend_from_slice(&self.negative_examples);
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

/// Adds an allowlist; that of a file itself may be there.
pub(super) fn add_allowlist(rule: &mut Rule, list: Arc<Allowlist>) {
    if !rule.allowlists.iter().any(|own| Arc::ptr_eq(own, &list)) {
        rule.allowlists.push(list);
    }
}

/// Where the rules of an id are.
pub(super) struct Places {
    exactly: HashMap<Arc<str>, Vec<usize>>,
    /// The latest of those that differ in case and dashes only.
    alike: HashMap<String, usize>,
}

impl Places {
    pub(super) fn of(rules: &[Arc<Rule>]) -> Places {
        let mut places = Places { exactly: HashMap::new(), alike: HashMap::new() };
        for (at, rule) in rules.iter().enumerate() {
            places.exactly.entry(Arc::clone(&rule.id)).or_default().push(at);
            places.alike.insert(alike(&rule.id), at);
        }
        places
    }

    /// All of exactly this id.
    pub(super) fn exactly(&self, id: &str) -> &[usize] {
        self.exactly.get(id).map_or(&[], Vec::as_slice)
    }

    /// Which of the rules an id means, of several of one id the latest: gitleaks' `github-app-token` is two of the shipped
    /// ones, and its `gitlab-pat` is `gitlab_pat`.
    pub(super) fn meant(&self, id: &str) -> Vec<usize> {
        let latest = |id: &str| self.exactly(id).last().copied();
        let one = || latest(id).or_else(|| self.alike.get(&alike(id)).copied());
        match of_gitleaks(id).filter(|_| self.exactly(id).is_empty()) {
            Some(own) => own.iter().filter_map(|id| latest(id)).collect(),
            None => one().into_iter().collect(),
        }
    }
}

/// The rules that an id means where rules extend others.
pub fn extended<'a>(id: &str, rules: &'a [Arc<Rule>]) -> impl Iterator<Item = &'a Arc<Rule>> {
    Places::of(rules).meant(id).into_iter().filter_map(|at| rules.get(at))
}

fn alike(id: &str) -> String {
    id.to_ascii_lowercase().replace('-', "_")
}
