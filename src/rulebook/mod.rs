//! The configured rules ready to scan with: users' files read, packs and files put together, the database
//! compiled, or read back from what an earlier start kept. Joins `config` and `scan`; judges no byte.

mod cache;
/// Compilations under way.
mod compiling;
mod files;
mod named;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::config::{Config, RulesConfig};
use crate::scan::rules::{
    ParsedExpressions, Problem, Rule, RuleSet, RulesFile, Selected, SelectionError, Wanted,
    pack_names, select as select_rules,
};
use crate::scan::{Database, DatabaseError};

pub use cache::Cache;
use compiling::Compiling;
pub use compiling::{GATE, Gate};
pub use files::{FileError, read};
pub use named::{names_rules, unknown_names};

/// Why the configured rules cannot be used.
#[derive(Debug)]
pub enum RulebookError {
    /// Files cannot be read: all those.
    Files(Vec<FileError>),
    /// Packs, files or ids are wrong: all that is.
    Selection(Vec<SelectionError>),
    /// The engine does not take them.
    Database(DatabaseError),
    /// The process is about to end.
    Ending,
}

impl fmt::Display for RulebookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RulebookError::Files(errors) => f.write_str(&lines_of(errors)),
            RulebookError::Selection(errors) => f.write_str(&lines_of(errors)),
            RulebookError::Database(error) => error.fmt(f),
            RulebookError::Ending => f.write_str("the monitor is stopping"),
        }
    }
}

impl std::error::Error for RulebookError {}

impl RulebookError {
    /// Whether it is what somebody wrote: files, ids, or rules that the engine does not take.
    pub fn is_configuration_wrong(&self) -> bool {
        use RulebookError::{Database, Files, Selection};
        matches!(self, Files(_) | Selection(_) | Database(DatabaseError::Rules(_)))
    }
}

fn lines_of<T: fmt::Display>(errors: &[T]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A database, and what there is to say of how it was come by.
#[derive(Debug)]
pub struct Prepared {
    pub database: Database,
    /// The ids of all rules that were asked for, also of those that are disabled.
    pub ids: Vec<Arc<str>>,
    /// What is worth a warning: a line each.
    pub warnings: Vec<String>,
    /// Whether an earlier start had compiled it.
    pub was_kept: bool,
}

/// Reads the files and puts the rules together; compiles nothing.
pub fn select(config: &RulesConfig) -> Result<Selected, RulebookError> {
    let files = read_files(config)?;
    select_rules(&wanted(config, &files), &ParsedExpressions::default())
        .map_err(RulebookError::Selection)
}

/// What stands for the text of the users' files and of those that they extend, to tell whether it has changed; files
/// that cannot be read count as none.
pub fn content_mark(config: &RulesConfig) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files::read_all(&config.files).unwrap_or_default() {
        file.text.hash(&mut hasher);
    }
    hasher.finish()
}

fn wanted<'a>(config: &'a RulesConfig, files: &'a [RulesFile]) -> Wanted<'a> {
    Wanted { packs: &config.packs, files, disable: &config.disable }
}

fn read_files(config: &RulesConfig) -> Result<Vec<RulesFile>, RulebookError> {
    files::read_all(&config.files).map_err(RulebookError::Files)
}

/// Puts the rules together and compiles them, or reads back what was compiled before.
pub fn prepare(config: &Config) -> Result<Prepared, RulebookError> {
    match Cache::open(config) {
        Ok(cache) => with_cache(&cache, &config.rules),
        Err(reason) => {
            let selected = select(&config.rules)?;
            let _compiling = begin_compiling(&selected.rules)?;
            let (database, refused) = compile(&selected.rules)?;
            let ids = selected.ids();
            let mut warnings = selected.warnings;
            warnings.push(format!("compiled rules are not kept: {reason}"));
            warnings.extend(in_words(&refused));
            Ok(Prepared { database, ids, warnings, was_kept: false })
        }
    }
}

fn with_cache(cache: &Cache, config: &RulesConfig) -> Result<Prepared, RulebookError> {
    let selected = select_with_cache(cache, config)?;
    let ids = selected.ids();
    let (rules, mut warnings) = (&selected.rules, selected.warnings);
    match cache.load(rules) {
        Ok(Some(kept)) => {
            let accepted = without(rules, &kept.refused);
            match Database::from_compiled(&accepted, &kept.engine) {
                Ok(database) => {
                    warnings.extend(in_words(&kept.refused));
                    return Ok(Prepared { database, ids, warnings, was_kept: true });
                }
                Err(error) => warnings.push(format!("kept rules are compiled anew: {error}")),
            }
        }
        Ok(None) => {}
        Err(reason) => warnings.push(format!("kept rules are compiled anew: {reason}")),
    }
    // Until it is kept.
    let _compiling = begin_compiling(rules)?;
    let (database, refused) = compile(rules)?;
    let kept = database
        .to_compiled()
        .map_err(|error| error.to_string())
        .and_then(|engine| cache.store(rules, &refused, &engine));
    if let Err(reason) = kept {
        warnings.push(format!("compiled rules are not kept: {reason}"));
    }
    warnings.extend(in_words(&refused));
    Ok(Prepared { database, ids, warnings, was_kept: false })
}

/// Puts the rules together; what an earlier start parsed is not parsed again.
fn select_with_cache(cache: &Cache, config: &RulesConfig) -> Result<Selected, RulebookError> {
    let files = read_files(config)?;
    let wanted = wanted(config, &files);
    // Whatever is wrong with what was kept, it is made again.
    let before = cache.load_expressions(&wanted).ok().flatten().unwrap_or_default();
    let mut selected = select_rules(&wanted, &before).map_err(RulebookError::Selection)?;
    if !before.hold(&selected.rules)
        && let Err(reason) =
            cache.store_expressions(&wanted, &ParsedExpressions::of(&selected.rules))
    {
        selected.warnings.push(format!("parsed rules are not kept: {reason}"));
    }
    Ok(selected)
}

/// Of a process that is about to end there is none.
fn begin_compiling(rules: &RuleSet) -> Result<Compiling<'static>, RulebookError> {
    let compiling = GATE.enter().ok_or(RulebookError::Ending)?;
    log::info!("Compiling {} rules; hundreds take some seconds", rules.len());
    Ok(compiling)
}

/// Compiles the rules. Users' rules that the engine does not take are left out, unless none is left.
fn compile(rules: &RuleSet) -> Result<(Database, Vec<Problem>), RulebookError> {
    let problems = match Database::compile(rules) {
        Ok(database) => return Ok((database, Vec::new())),
        Err(DatabaseError::Rules(problems)) => problems,
        Err(error) => return Err(RulebookError::Database(error)),
    };
    let is_of_pack = |problem: &Problem| {
        let rule = rules.iter().find(|rule| *rule.id == problem.rule);
        rule.is_some_and(|rule| is_shipped(rule))
    };
    let accepted = without(rules, &problems);
    if accepted.is_empty() || problems.iter().any(is_of_pack) {
        return Err(RulebookError::Database(DatabaseError::Rules(problems)));
    }
    match Database::compile(&accepted) {
        Ok(database) => Ok((database, problems)),
        Err(error) => Err(RulebookError::Database(error)),
    }
}

fn is_shipped(rule: &Rule) -> bool {
    pack_names().any(|pack| *rule.pack == *pack)
}

/// What a start would say of users' rules that the engine does not take, without compiling those of packs. A line
/// each; an error where no rule would be left.
pub fn refused(rules: &RuleSet) -> Result<Vec<String>, RulebookError> {
    let own: RuleSet = rules.iter().filter(|rule| !is_shipped(rule)).map(Arc::clone).collect();
    if own.is_empty() {
        return Ok(Vec::new());
    }
    match Database::compile(&own) {
        Ok(_) => Ok(Vec::new()),
        Err(DatabaseError::Rules(problems)) if problems.len() < rules.len() => {
            Ok(in_words(&problems))
        }
        Err(error) => Err(RulebookError::Database(error)),
    }
}

fn without(rules: &RuleSet, refused: &[Problem]) -> RuleSet {
    let is_refused = |id: &str| refused.iter().any(|problem| problem.rule == id);
    rules.iter().filter(|rule| !is_refused(&rule.id)).map(Arc::clone).collect()
}

fn in_words(refused: &[Problem]) -> Vec<String> {
    refused.iter().map(|problem| format!("rule left out: {problem}")).collect()
}

#[cfg(test)]
mod tests;
