//! One file of rules: what its fields mean, and what is wrong with each rule that cannot be used.

use std::collections::HashSet;
use std::fmt;

use super::Rule;
use super::dialect::Dialect;
use super::extending::Extension;
use super::reader::Reader;
use super::remembered::ParsedExpressions;
use super::text;
use crate::limits::{RULES_FILE_MAX_BYTES, RULES_MAX};

/// What a file comes to.
#[derive(Debug)]
pub struct Pack {
    pub rules: Vec<Rule>,
    /// What is not used, and does no harm: a line each.
    pub notes: Vec<String>,
    /// The rules that cannot be used, all of them.
    pub problems: Vec<Problem>,
    /// What it says of the rules of others.
    pub(super) extension: Option<Extension>,
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
    /// It is no TOML.
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

impl Pack {
    /// Reads a user's file. `name` is what its rules are said to come from.
    pub fn parse(name: &str, text: &str) -> Result<Pack, PackError> {
        Pack::parse_with(name, text, Dialect::Go, &ParsedExpressions::default())
    }

    /// The same for a file of a pack.
    #[cfg(test)]
    pub(in crate::scan) fn parse_shipped(name: &str, text: &str) -> Result<Pack, PackError> {
        Pack::parse_with(name, text, Dialect::Own, &ParsedExpressions::default())
    }

    /// Reads a file, without the parsing of expressions for which that was done before.
    pub(super) fn parse_with(
        name: &str,
        text: &str,
        dialect: Dialect,
        before: &ParsedExpressions,
    ) -> Result<Pack, PackError> {
        if text.len() > RULES_FILE_MAX_BYTES {
            return Err(PackError::TooLarge);
        }
        let document = text::parse(text).map_err(PackError::Syntax)?;
        let may_be_without_rules = !document.allowlists.is_empty()
            || document.extend.is_some()
            || !document.wrong.is_empty();
        match document.rules.len() {
            0 if !may_be_without_rules => return Err(PackError::Empty),
            count if count > RULES_MAX => return Err(PackError::TooMany),
            _ => {}
        }
        let mut reader = Reader::new(name, &document, dialect, before);
        let mut ids = HashSet::new();
        for entry in document.rules {
            match ids.insert(entry.name.clone()) {
                true => reader.read(entry),
                false => reader.refuse_second(&entry),
            }
        }
        Ok(reader.finish())
    }

    /// The ids of the rules that extend others, or may.
    pub fn extending_ids(&self) -> Vec<String> {
        let changes = self.extension.iter().flat_map(|extension| &extension.changes);
        changes.map(|change| change.id.clone()).collect()
    }

    /// Whether it says something of the rules of other files.
    pub fn extends_rules(&self) -> bool {
        let extension = self.extension.as_ref();
        extension.is_some_and(|extension| {
            extension.path.is_some()
                || !extension.changes.is_empty()
                || !extension.targets.is_empty()
        })
    }
}

/// The path of the file that a file's `[extend]` names.
pub fn extended_path(text: &str) -> Option<String> {
    if text.len() > RULES_FILE_MAX_BYTES { None } else { text::extended_path(text) }
}
