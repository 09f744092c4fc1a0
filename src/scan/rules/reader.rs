//! The rules of one file, read one after the other: what the fields of each mean, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::Rule;
use super::allowlist::{Allowlist, Pattern};
use super::dialect::Dialect;
use super::expression::{Expression, ExpressionError};
use super::extending::{Change, Extension, check_group};
use super::meaning::{
    CONDITIONS, CONFIDENCES, Refusal, TARGETS, broken, check_id, direction, entropy, examples,
    has_unread_filter, keywords, negative_examples, secret_group, severity, short, threat_type,
    validators, word,
};
use super::pack::{Pack, Problem, ProblemKind};
use super::remembered::ParsedExpressions;
use super::selection::{IDS_NAMED, named};
use super::text::{AllowlistText, Document, ExtendText, RuleEntry, RuleText, Unknown};
use crate::finding::{Confidence, Severity, ThreatType};
use crate::limits::{
    EXPRESSION_MAX_BYTES, RULE_DEFINITION_DEPTH_MAX, RULES_ALLOWLISTS_MAX, RULES_NOTES_MAX,
    RULES_TARGETS_MAX,
};

/// What messages call what is wrong with no rule.
const THE_FILE: &str = "the file";

fn refused(error: &ExpressionError) -> Refusal {
    let kind = match error {
        ExpressionError::Unsupported(_) | ExpressionError::MatchesNothing => {
            ProblemKind::Unsupported
        }
        ExpressionError::TooLong | ExpressionError::Syntax(_) => ProblemKind::Broken,
    };
    (kind, error.to_string())
}

/// An allowlist of the file itself, and the rules that it is for.
struct Shared {
    list: Arc<Allowlist>,
    rules: BTreeSet<String>,
}

/// What the rules of a file have in common while they are read.
pub(super) struct Reader<'a> {
    pack: Arc<str>,
    /// Its expressions'.
    dialect: Dialect,
    before: &'a ParsedExpressions,
    definitions: BTreeMap<String, String>,
    shared: Vec<Shared>,
    notes: Vec<String>,
    /// Of which rules something is not used, by what it is.
    ignored: BTreeMap<String, Vec<Arc<str>>>,
    /// What messages call the rule that is read.
    current: Arc<str>,
    rules: Vec<Rule>,
    problems: Vec<Problem>,
    /// Of a file that extends others.
    extension: Option<Extension>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        name: &str,
        document: &Document,
        dialect: Dialect,
        before: &'a ParsedExpressions,
    ) -> Reader<'a> {
        let mut reader = Reader {
            pack: Arc::from(name),
            dialect,
            before,
            definitions: document.definitions.clone(),
            shared: Vec::new(),
            notes: Vec::new(),
            ignored: BTreeMap::new(),
            current: Arc::from(THE_FILE),
            rules: Vec::new(),
            problems: Vec::new(),
            extension: document.extend.as_ref().map(extension),
        };
        reader.note_unknown(&document.unknown);
        document.wrong.iter().for_each(|reason| reader.refuse(broken(reason)));
        reader.share(document);
        reader
    }

    fn refuse(&mut self, (kind, reason): Refusal) {
        self.problems.push(Problem { rule: self.current.to_string(), kind, reason });
    }

    /// Reads the file's own allowlists.
    fn share(&mut self, document: &Document) {
        if let Some(extend) = &document.extend {
            self.note_unused(extend);
        }
        if document.allowlists.len() > RULES_ALLOWLISTS_MAX {
            let reason = format!("it has more than {RULES_ALLOWLISTS_MAX} [[allowlists]]");
            self.refuse(broken(reason));
            return;
        }
        for text in &document.allowlists {
            match self.allowlist(text) {
                Ok(Some(list)) => {
                    let rules = text.target_rules.iter().cloned().collect();
                    self.shared.push(Shared { list: Arc::new(list), rules });
                }
                Ok(None) => {}
                Err(refusal) => self.refuse(refusal),
            }
        }
        if self.shared.iter().map(|shared| shared.rules.len()).sum::<usize>() > RULES_TARGETS_MAX {
            let reason = format!("its targetRules name more than {RULES_TARGETS_MAX} rules");
            self.refuse(broken(reason));
            return;
        }
        self.hand_on(document);
    }

    /// Hands the file's allowlists on to the rules that it extends, and does not name itself.
    fn hand_on(&mut self, document: &Document) {
        let own: HashSet<&str> = document.rules.iter().map(|rule| &*rule.name).collect();
        let mut absent: BTreeSet<&String> = BTreeSet::new();
        for Shared { list, rules } in &self.shared {
            let others = rules.iter().filter(|id| !own.contains(&***id));
            let Some(extension) = &mut self.extension else {
                absent.extend(others);
                continue;
            };
            if rules.is_empty() && extension.path.is_some() {
                extension.allowlists.push(Arc::clone(list));
            }
            extension.targets.extend(others.map(|id| (id.clone(), Arc::clone(list))));
        }
        if !absent.is_empty() {
            self.notes.push(format!(
                "[[allowlists]] targetRules names rules that the file does not have: {}",
                named(absent)
            ));
        }
    }

    fn note_unused(&mut self, extend: &ExtendText) {
        if extend.use_default {
            self.notes.push(
                "[extend] useDefault adds no rules: what it would add are those of rule_packs here, and the file's \
                 allowlists are for its own rules only"
                    .to_owned(),
            );
        }
        if extend.path.is_none() && !extend.disabled_rules.is_empty() {
            self.notes.push(
                "[extend] disabledRules leaves none of the shipped rules out: disable does"
                    .to_owned(),
            );
        }
    }

    /// Takes one rule, or what is wrong with it.
    pub(super) fn read(&mut self, entry: RuleEntry) {
        self.current = Arc::from(entry.name);
        self.note_unknown(&entry.unknown);
        let fields = entry.fields.map_err(|wrong| broken(wrong.join("; ")));
        let read = fields
            .and_then(|fields| self.entry(&fields).map_err(|first| self.all_wrong(&fields, first)));
        if let Err(refusal) = read {
            self.refuse(refusal);
        }
    }

    /// Says of a rule that the file has one of its id before.
    pub(super) fn refuse_second(&mut self, entry: &RuleEntry) {
        self.current = Arc::from(&*entry.name);
        self.refuse(broken("the file has two rules of this id: rename one"));
    }

    /// What the file comes to.
    pub(super) fn finish(self) -> Pack {
        let notes = self.notes();
        let Reader { rules, problems, extension, .. } = self;
        Pack { rules, notes, problems, extension }
    }

    /// All that is wrong with a rule's fields, where one of them is.
    fn all_wrong(&self, fields: &RuleText, first: Refusal) -> Refusal {
        let expression = fields.regex.as_deref().map(|regex| self.expression(regex));
        let found = [
            threat_type(fields).err(),
            severity(fields).err(),
            word("confidence", fields.confidence.as_deref(), &CONFIDENCES).err(),
            direction(fields).err(),
            entropy(fields).err(),
            validators(fields).err(),
            expression.and_then(Result::err),
        ];
        let mut found: Vec<Refusal> = found.into_iter().flatten().collect();
        if !found.contains(&first) {
            found.insert(0, first);
        }
        let is_broken = found.iter().any(|(kind, _)| *kind == ProblemKind::Broken);
        let kind = if is_broken { ProblemKind::Broken } else { ProblemKind::Unsupported };
        let reasons: Vec<String> = found.into_iter().map(|(_, reason)| reason).collect();
        (kind, reasons.join("; "))
    }

    fn entry(&mut self, fields: &RuleText) -> Result<(), Refusal> {
        check_id(&fields.id)?;
        if let Some(extension) = &self.extension
            // One with an expression stands for a shipped rule, and changes that of the file that it extends.
            && (fields.regex.is_none() || extension.path.is_some())
        {
            let change = self.change(fields)?;
            if let Some(extension) = &mut self.extension {
                extension.changes.push(change);
            }
        }
        if fields.regex.is_some() || self.extension.is_none() {
            let rule = self.rule(fields)?;
            self.rules.extend(rule);
        }
        Ok(())
    }

    fn note_unknown(&mut self, keys: &[Unknown]) {
        for Unknown { key, meant } in keys {
            let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
            self.ignore(&format!("\"{}\"{meant}", short(key)));
        }
    }

    fn ignore(&mut self, what: &str) {
        let rules = self.ignored.entry(what.to_owned()).or_default();
        // One rule may have several such lists.
        if rules.last() != Some(&self.current) {
            rules.push(Arc::clone(&self.current));
        }
    }

    fn notes(&self) -> Vec<String> {
        let more = match self.ignored.len().saturating_sub(RULES_NOTES_MAX) {
            0 => None,
            more => Some(format!("{more} more keys are not used")),
        };
        let of_rules = self.ignored.iter().take(RULES_NOTES_MAX).map(|(what, rules)| {
            let named: Vec<&str> = rules.iter().take(IDS_NAMED).map(|name| &**name).collect();
            let more = match rules.len().saturating_sub(IDS_NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{what} is not used: {}{more}", named.join(", "))
        });
        self.notes.iter().cloned().chain(of_rules).chain(more).collect()
    }

    /// One rule; none if it is one that says nothing about traffic.
    fn rule(&mut self, fields: &RuleText) -> Result<Option<Rule>, Refusal> {
        let Some(regex) = fields.regex.as_deref() else {
            if fields.path.is_some() {
                self.ignore("\"path\" without \"regex\"");
                return Ok(None);
            }
            return Err(broken("it has no regex"));
        };
        if fields.skip_report {
            self.ignore("\"skipReport\" (a part of other rules)");
            return Ok(None);
        }
        let expression = self.expression(regex)?;
        let secret_group = secret_group(fields);
        check_group(secret_group, &expression).map_err(broken)?;
        let threat_type = threat_type(fields)?.unwrap_or(ThreatType::Exfil);
        Ok(Some(Rule {
            pack: Arc::clone(&self.pack),
            threat_type,
            severity: severity(fields)?.unwrap_or(Severity::High),
            confidence: self.confidence(fields)?.unwrap_or(Confidence::Medium),
            direction: direction(fields)?.flatten(),
            expression,
            is_secret: fields.secret.unwrap_or(threat_type == ThreatType::Exfil),
            secret_group,
            entropy: entropy(fields)?,
            validators: validators(fields)?,
            keywords: keywords(fields),
            examples: examples(&fields.id, 0, &fields.examples)?,
            negative_examples: negative_examples(fields)?,
            allowlists: self.allowlists(fields)?,
            description: fields.description.clone().unwrap_or_default(),
            remediation: fields.remediation.clone().unwrap_or_default(),
            source: fields.source.clone().unwrap_or_default(),
            id: Arc::from(fields.id.as_str()),
        }))
    }

    /// The same fields as what a rule says of another of its id.
    fn change(&mut self, fields: &RuleText) -> Result<Change, Refusal> {
        Ok(Change {
            id: fields.id.clone(),
            may_be_of_paths: fields.regex.is_none() && fields.path.is_some(),
            expression: fields.regex.as_deref().map(|regex| self.expression(regex)).transpose()?,
            description: fields.description.clone(),
            remediation: fields.remediation.clone(),
            source: fields.source.clone(),
            threat_type: threat_type(fields)?,
            severity: severity(fields)?,
            confidence: self.confidence(fields)?,
            direction: direction(fields)?,
            is_secret: fields.secret,
            secret_group: fields.secret_group,
            entropy: entropy(fields)?,
            validators: validators(fields)?,
            keywords: keywords(fields),
            allowlists: self.allowlists(fields)?,
            examples: examples(&fields.id, 0, &fields.examples)?,
            negative_examples: negative_examples(fields)?,
        })
    }

    fn expression(&self, regex: &str) -> Result<Expression, Refusal> {
        let expanded = self.expanded(regex)?;
        Expression::written(&expanded, self.dialect, self.before).map_err(|error| {
            let (kind, reason) = refused(&error);
            match expanded == regex {
                true => (kind, reason),
                false => (kind, format!("{reason} (with its definitions in their places)")),
            }
        })
    }

    /// What is said of the confidence, if anything is.
    fn confidence(&mut self, fields: &RuleText) -> Result<Option<Confidence>, Refusal> {
        let said = word("confidence", fields.confidence.as_deref(), &CONFIDENCES)?;
        // Meant for some files only, and traffic has no file names; or for less than it finds.
        let conditions =
            [("\"path\"", fields.path.is_some()), ("\"filter\"", has_unread_filter(fields))];
        let mut unread = conditions.into_iter().filter(|(_, is_said)| *is_said).peekable();
        if unread.peek().is_none() {
            return Ok(said);
        }
        unread.for_each(|(condition, _)| self.ignore(condition));
        Ok(Some(Confidence::Low))
    }

    fn allowlists(&mut self, fields: &RuleText) -> Result<Vec<Arc<Allowlist>>, Refusal> {
        let mut lists: Vec<Arc<Allowlist>> = self
            .shared
            .iter()
            .filter(|shared| shared.rules.is_empty() || shared.rules.contains(&fields.id))
            .map(|shared| Arc::clone(&shared.list))
            .collect();
        for text in &fields.allowlists {
            lists.extend(self.allowlist(text)?.map(Arc::new));
        }
        Ok(lists)
    }

    /// An allowlist; none if it asks for what traffic does not have.
    fn allowlist(&mut self, text: &AllowlistText) -> Result<Option<Allowlist>, Refusal> {
        let needs_all = word("condition", text.condition.as_deref(), &CONDITIONS)?.unwrap_or(false);
        let target = word("regexTarget", text.regex_target.as_deref(), &TARGETS)?;
        if text.is_empty() {
            self.ignore("an allowlist without regexes or stopwords");
            return Ok(None);
        }
        if !text.paths.is_empty() || !text.commits.is_empty() {
            self.ignore("an allowlist's \"paths\" or \"commits\"");
            if needs_all {
                return Ok(None);
            }
        }
        let mut patterns = Vec::with_capacity(text.regexes.len());
        for regex in &text.regexes {
            match Pattern::new(regex, self.dialect) {
                Ok(pattern) => patterns.push(pattern),
                Err(ExpressionError::Unsupported(_)) => {
                    self.ignore("an allowlist's expression with Unicode classes");
                }
                Err(error) => return Err(broken(format!("in its allowlist {error}"))),
            }
        }
        Ok(Some(Allowlist {
            target: target.unwrap_or_default(),
            patterns,
            stopwords: text.stopwords.iter().map(|word| word.to_ascii_lowercase()).collect(),
            needs_all,
        }))
    }

    /// An expression with the file's definitions in their places.
    fn expanded(&self, regex: &str) -> Result<String, Refusal> {
        let mut text = regex.to_owned();
        for _ in 0..=RULE_DEFINITION_DEPTH_MAX {
            let Some((before, name, after)) = reference(&text) else { return Ok(text) };
            let mut expanded = format!("{before}{}", self.defined(name)?);
            let mut rest = after;
            while let Some((before, name, after)) = reference(rest) {
                expanded.push_str(before);
                expanded.push_str(&self.defined(name)?);
                rest = after;
                if expanded.len() > EXPRESSION_MAX_BYTES {
                    return Err(refused(&ExpressionError::TooLong));
                }
            }
            expanded.push_str(rest);
            text = expanded;
        }
        Err(broken(format!(
            "its definitions hold each other, or lie deeper than {RULE_DEFINITION_DEPTH_MAX}"
        )))
    }

    fn defined(&self, name: &str) -> Result<String, Refusal> {
        match self.definitions.get(name) {
            Some(definition) => Ok(format!("(?:{definition})")),
            None => Err(broken(format!("(?&{}) is not in the file's [definitions]", short(name)))),
        }
    }
}

/// The first `(?&name)`, and what is around it.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("(?&")?;
    let (name, after) = rest.split_once(')')?;
    Some((before, name, after))
}

fn extension(extend: &ExtendText) -> Extension {
    Extension {
        path: extend.path.clone(),
        left_out: extend.disabled_rules.iter().cloned().collect(),
        ..Extension::default()
    }
}
