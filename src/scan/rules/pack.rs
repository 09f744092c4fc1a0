//! One file of rules: what its fields mean, and what is wrong with each rule that cannot be used.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::allowlist::{Allowlist, Pattern, Target};
use super::expression::{Expression, ExpressionError};
use super::remembered::ParsedExpressions;
use super::text::{self, AllowlistText, Document, RuleText};
use super::validate::Validator;
use super::{Rule, SecretGroup, template};
use crate::finding::{Confidence, Direction, Severity, ThreatType};
use crate::limits::{
    EXPRESSION_MAX_BYTES, RULE_DEFINITION_DEPTH_MAX, RULE_ID_MAX_CHARS, RULES_FILE_MAX_BYTES,
    RULES_MAX,
};

/// What a file comes to.
#[derive(Debug)]
pub struct Pack {
    pub rules: Vec<Rule>,
    /// What is not used, and does no harm: a line each.
    pub notes: Vec<String>,
    /// The rules that cannot be used, all of them.
    pub problems: Vec<Problem>,
}

/// Why a rule is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its id, or its number in the file.
    pub rule: String,
    pub kind: ProblemKind,
    /// What is wrong, in words.
    pub reason: String,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The rule is wrong: its author must mend it.
    Broken,
    /// The rule is well formed, but not for this engine.
    Unsupported,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.reason)
    }
}

/// Why a file as a whole cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackError {
    /// It is larger than `limits::RULES_FILE_MAX_BYTES`.
    TooLarge,
    /// It has more than `limits::RULES_MAX` rules.
    TooMany,
    /// It is no TOML, or its own fields are wrong.
    Syntax(String),
    /// There is no rule in it, and nothing else that scanners have files for.
    Empty,
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PackError::TooLarge => write!(f, "larger than {RULES_FILE_MAX_BYTES} bytes"),
            PackError::TooMany => write!(f, "more than {RULES_MAX} rules"),
            PackError::Syntax(cause) => f.write_str(cause),
            PackError::Empty => f.write_str("no [[rules]] in it"),
        }
    }
}

impl std::error::Error for PackError {}

/// One rule turned down.
type Refusal = (ProblemKind, String);

impl Pack {
    /// Reads a file. `name` is what its rules are said to come from.
    pub fn parse(name: &str, text: &str) -> Result<Pack, PackError> {
        Pack::parse_with(name, text, &ParsedExpressions::default())
    }

    /// The same, without the parsing of expressions for which that was done before.
    pub(super) fn parse_with(
        name: &str,
        text: &str,
        before: &ParsedExpressions,
    ) -> Result<Pack, PackError> {
        if text.len() > RULES_FILE_MAX_BYTES {
            return Err(PackError::TooLarge);
        }
        let document = text::parse(text).map_err(PackError::Syntax)?;
        let may_be_without_rules = !document.allowlists.is_empty() || document.extends();
        match document.rules.len() {
            0 if !may_be_without_rules => return Err(PackError::Empty),
            count if count > RULES_MAX => return Err(PackError::TooMany),
            _ => {}
        }
        let mut reader = Reader::new(name, &document, before)?;
        let mut rules = Vec::with_capacity(document.rules.len());
        for entry in document.rules {
            reader.note_unknown(&entry.unknown);
            match entry.fields.map_err(broken).and_then(|fields| reader.rule(fields)) {
                Ok(Some(rule)) => rules.push(rule),
                Ok(None) => {}
                Err((kind, reason)) => {
                    reader.problems.push(Problem { rule: entry.name, kind, reason });
                }
            }
        }
        let notes = reader.notes();
        Ok(Pack { rules, notes, problems: reader.problems })
    }
}

fn broken(reason: impl Into<String>) -> Refusal {
    (ProblemKind::Broken, reason.into())
}

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
    rules: Vec<String>,
}

/// What the rules of a file have in common while they are read.
struct Reader<'a> {
    pack: Arc<str>,
    before: &'a ParsedExpressions,
    definitions: BTreeMap<String, String>,
    shared: Vec<Shared>,
    file_keys: Vec<String>,
    /// Of how many rules something is not used, by what it is.
    ignored: BTreeMap<String, usize>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(
        name: &str,
        document: &Document,
        before: &'a ParsedExpressions,
    ) -> Result<Reader<'a>, PackError> {
        let mut reader = Reader {
            pack: Arc::from(name),
            before,
            definitions: document.definitions.clone(),
            shared: Vec::new(),
            file_keys: document.unknown.clone(),
            ignored: BTreeMap::new(),
            problems: Vec::new(),
        };
        for text in &document.allowlists {
            match reader.allowlist(text) {
                Ok(list) => {
                    reader.shared.extend(list.map(|list| Shared {
                        list: Arc::new(list),
                        rules: text.target_rules.clone(),
                    }))
                }
                Err((_, reason)) => return Err(PackError::Syntax(reason)),
            }
        }
        Ok(reader)
    }

    fn note_unknown(&mut self, keys: &[String]) {
        for key in keys {
            self.ignore(&format!("\"{key}\""));
        }
    }

    fn ignore(&mut self, what: &str) {
        *self.ignored.entry(what.to_owned()).or_default() += 1;
    }

    fn notes(&self) -> Vec<String> {
        let of_file = self.file_keys.iter().map(|key| match key.as_str() {
            text::EXTEND => format!(
                "\"{key}\" of the file is not used: what it would add are the rules of rule_packs here, and the \
                 file's allowlists are for its own rules only"
            ),
            key => format!("\"{key}\" of the file is not used"),
        });
        let of_rules = self
            .ignored
            .iter()
            .map(|(what, count)| format!("{what} of {count} rule(s) is not used"));
        of_file.chain(of_rules).collect()
    }

    /// One rule; none if it is one that says nothing about traffic.
    fn rule(&mut self, fields: RuleText) -> Result<Option<Rule>, Refusal> {
        check_id(&fields.id)?;
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
        let expression = Expression::remembered(&self.expanded(regex)?, self.before);
        let expression = expression.map_err(|e| refused(&e))?;
        let secret_group = secret_group(&fields, &expression)?;
        let threat_type = word("type", fields.threat_type.as_deref(), &TYPES)?;
        let confidence = word("confidence", fields.confidence.as_deref(), &CONFIDENCES)?;
        let confidence = match fields.path {
            // Meant for some files only, and traffic has no file names.
            Some(_) => {
                self.ignore("\"path\"");
                Confidence::Low
            }
            None => confidence.unwrap_or(Confidence::Medium),
        };
        if fields.entropy.is_some_and(|bits| !(0.0..=8.0).contains(&bits)) {
            return Err(broken("entropy must be from 0 to 8 bits"));
        }
        let threat_type = threat_type.unwrap_or(ThreatType::Exfil);
        Ok(Some(Rule {
            pack: Arc::clone(&self.pack),
            threat_type,
            severity: word("severity", fields.severity.as_deref(), &SEVERITIES)?
                .unwrap_or(Severity::High),
            confidence,
            direction: word("direction", fields.direction.as_deref(), &DIRECTIONS)?.flatten(),
            expression,
            is_secret: fields.secret.unwrap_or(threat_type == ThreatType::Exfil),
            secret_group,
            entropy: fields.entropy,
            validators: fields.validators.iter().map(|n| validator(n)).collect::<Result<_, _>>()?,
            keywords: fields.keywords.iter().map(|word| word.to_ascii_lowercase()).collect(),
            examples: examples(&fields.id, 0, &fields.examples)?,
            negative_examples: examples(
                &fields.id,
                fields.examples.len(),
                &fields.negative_examples,
            )?,
            allowlists: self.allowlists(&fields)?,
            description: fields.description.unwrap_or_default(),
            remediation: fields.remediation.unwrap_or_default(),
            source: fields.source.unwrap_or_default(),
            id: Arc::from(fields.id),
        }))
    }

    fn allowlists(&mut self, fields: &RuleText) -> Result<Vec<Arc<Allowlist>>, Refusal> {
        let mut lists: Vec<Arc<Allowlist>> = self
            .shared
            .iter()
            .filter(|shared| shared.rules.is_empty() || shared.rules.contains(&fields.id))
            .map(|shared| Arc::clone(&shared.list))
            .collect();
        for text in fields.allowlists.iter().chain(&fields.allowlist) {
            lists.extend(self.allowlist(text)?.map(Arc::new));
        }
        Ok(lists)
    }

    /// An allowlist; none if it asks for what traffic does not have.
    fn allowlist(&mut self, text: &AllowlistText) -> Result<Option<Allowlist>, Refusal> {
        let needs_all = word("condition", text.condition.as_deref(), &CONDITIONS)?.unwrap_or(false);
        let target = word("regexTarget", text.regex_target.as_deref(), &TARGETS)?;
        if !text.paths.is_empty() || !text.commits.is_empty() {
            self.ignore("an allowlist's \"paths\" or \"commits\"");
            if needs_all {
                return Ok(None);
            }
        }
        let mut patterns = Vec::with_capacity(text.regexes.len());
        for regex in &text.regexes {
            match Pattern::new(regex) {
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
            None => Err(broken(format!("(?&{name}) is not in the file's [definitions]"))),
        }
    }
}

/// The first `(?&name)`, and what is around it.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("(?&")?;
    let (name, after) = rest.split_once(')')?;
    Some((before, name, after))
}

fn check_id(id: &str) -> Result<(), Refusal> {
    let is_named = (1..=RULE_ID_MAX_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    match is_named {
        true => Ok(()),
        false => Err(broken(format!(
            "its id must be 1 to {RULE_ID_MAX_CHARS} letters, digits, \"_\", \"-\" or \".\""
        ))),
    }
}

fn secret_group(fields: &RuleText, expression: &Expression) -> Result<SecretGroup, Refusal> {
    match fields.secret_group {
        Some(number) if number > expression.groups() => Err(broken(format!(
            "secretGroup is {number}, and its expression has {} group(s)",
            expression.groups()
        ))),
        Some(0) if fields.threat_type.is_some() => Ok(SecretGroup::Whole),
        Some(number) if number > 0 => Ok(SecretGroup::Number(number)),
        // A rule with a type is written for ClawSec; in gitleaks the first group is the secret.
        None if fields.threat_type.is_some() => Ok(SecretGroup::Whole),
        _ => Ok(SecretGroup::First),
    }
}

fn validator(name: &str) -> Result<Validator, Refusal> {
    Validator::named(name).ok_or_else(|| {
        let known: Vec<&str> = Validator::names().collect();
        broken(format!("there is no validator \"{name}\"; there are {}", known.join(", ")))
    })
}

fn examples(id: &str, first: usize, templates: &[String]) -> Result<Vec<String>, Refusal> {
    let written = templates.iter().enumerate().map(|(number, template)| {
        template::expand(template, id, first + number)
            .map_err(|error| broken(format!("in its example {template:?}: {error}")))
    });
    written.collect()
}

const TYPES: [(&str, ThreatType); 2] =
    [("EXFIL", ThreatType::Exfil), ("INJECTION", ThreatType::Injection)];
const SEVERITIES: [(&str, Severity); 5] = [
    ("critical", Severity::Critical),
    ("high", Severity::High),
    ("medium", Severity::Medium),
    ("low", Severity::Low),
    ("info", Severity::Info),
];
const CONFIDENCES: [(&str, Confidence); 3] =
    [("high", Confidence::High), ("medium", Confidence::Medium), ("low", Confidence::Low)];
const DIRECTIONS: [(&str, Option<Direction>); 3] = [
    ("outbound", Some(Direction::Outbound)),
    ("inbound", Some(Direction::Inbound)),
    ("both", None),
];
const CONDITIONS: [(&str, bool); 4] = [("OR", false), ("||", false), ("AND", true), ("&&", true)];
const TARGETS: [(&str, Target); 3] =
    [("secret", Target::Secret), ("match", Target::Match), ("line", Target::Line)];

/// The meaning of one of few words, in any case; none if it is not said.
fn word<T: Copy>(key: &str, said: Option<&str>, words: &[(&str, T)]) -> Result<Option<T>, Refusal> {
    let Some(said) = said.filter(|said| !said.is_empty()) else { return Ok(None) };
    match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(said)) {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Err(broken(format!("{key} is {said:?}; it must be {}", known.join(" or "))))
        }
    }
}
