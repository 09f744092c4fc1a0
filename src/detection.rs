//! What decides about a match: the rules, compiled; what is expected or accepted; the secrets that are watched
//! for. Made at the start, and again by a reload: all of it, or nothing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::config::Config;
use crate::policy::Policy;
use crate::report::last_look::{LastLook, Texts};
use crate::report::logger::LoggerCommands;
use crate::rulebook;
use crate::scan::{self, Database, DatabaseError, KnownValues, Looks, NamedValue, Scanner};
use crate::secrets;

/// One for all cores.
#[derive(Clone, Debug)]
pub struct Detection {
    pub database: Arc<Database>,
    pub policy: Arc<Policy>,
    /// None where nothing is watched for.
    pub known: Option<Arc<KnownValues>>,
    pub marks: Marks,
    /// What there is to say of the rules.
    told: Arc<Told>,
}

/// What is said of rules each time that they come into force.
#[derive(Debug)]
struct Told {
    /// The ids of all that were asked for, also of those that are disabled.
    ids: Vec<Arc<str>>,
    warnings: Vec<String>,
}

/// What stands for the content of files that settings only name, to tell whether it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    rules_files: u64,
    /// Of those that are watched for, the values in files, and all.
    watched: u64,
    values: u64,
}

impl Marks {
    /// The keys that name files with another content than before.
    pub fn changed_since(self, before: Marks) -> Vec<&'static str> {
        let rules = (self.rules_files != before.rules_files).then_some("rules_files");
        let watched = (self.watched != before.watched).then_some("watch_files");
        rules.into_iter().chain(watched).collect()
    }
}

/// A [`Detection`], and what there is to say of how it was come by.
#[derive(Debug)]
pub struct Prepared {
    pub detection: Detection,
    /// A line each; they are in the log already.
    pub warnings: Vec<String>,
}

/// Why it cannot be made.
#[derive(Debug)]
pub struct Unprepared {
    pub reason: String,
    /// Whether that is what is wrong with the configuration.
    pub is_configuration_wrong: bool,
}

impl From<String> for Unprepared {
    fn from(reason: String) -> Unprepared {
        Unprepared { reason, is_configuration_wrong: false }
    }
}

impl Detection {
    /// Makes it as configured.
    pub fn prepare(config: &Config) -> Result<Prepared, Unprepared> {
        Detection::prepare_again(config, None)
    }

    /// The same where something is in force under another configuration: rules and values that have not changed since
    /// are taken over, for to make them again would be to hold them twice, as long as a tunnel from before is open.
    pub fn prepare_again(
        config: &Config,
        before: Option<(&Config, &Detection)>,
    ) -> Result<Prepared, Unprepared> {
        let rules_files = rulebook::content_mark(&config.rules);
        let same_rules = before.filter(|(old, detection)| {
            old.rules == config.rules && detection.marks.rules_files == rules_files
        });
        let (database, told) = match same_rules {
            Some((_, same)) => (Arc::clone(&same.database), Arc::clone(&same.told)),
            None => prepare_rules(config)?,
        };
        let mut warnings = told.warnings.clone();
        let key =
            secrets::load_or_create(&config.report.log_dir).map_err(|error| error.to_string())?;
        let rules = database.rules().iter().map(|rule| Arc::clone(&rule.id));
        let mut policy = Policy::new(&config.policy, key).knowing(rules);
        warnings.extend(config.policy.expired(SystemTime::now()));
        warnings.extend(rulebook::unknown_names(&config.policy, &told.ids));
        let mut watched = secrets::read_watched(&config.watch, |name| std::env::var_os(name));
        warnings.append(&mut watched.warnings);
        for warning in &warnings {
            log::warn!("{warning}");
        }
        if !watched.values.is_empty() {
            let looks = Looks::new(&database).map_err(|error| error.to_string())?;
            for value in &watched.values {
                policy = policy.watching(&value.bytes, &looks.rules_of(value));
            }
        }
        let of_files = watched.values.get(watched.of_variables..).unwrap_or_default();
        let (of_files, values) = (mark_of(of_files, &policy), mark_of(&watched.values, &policy));
        let marks = Marks { rules_files, watched: of_files, values };
        let known = match before.filter(|(_, detection)| detection.marks.values == values) {
            Some((_, same)) => same.known.clone(),
            None => known_values(watched.values, &policy)?,
        };
        let detection = Detection { database, policy: Arc::new(policy), known, marks, told };
        Ok(Prepared { detection, warnings })
    }

    /// Whether it finds what another does, with the very same database and values.
    pub fn finds_as(&self, other: &Detection) -> bool {
        let known = |detection: &Detection| detection.known.as_ref().map(Arc::as_ptr);
        Arc::ptr_eq(&self.database, &other.database) && known(self) == known(other)
    }

    /// A scanner for one core.
    pub fn scanner(&self, max_window_bytes: usize) -> Result<Scanner, DatabaseError> {
        Scanner::knowing(&self.database, max_window_bytes, self.known.clone())
    }

    /// Gives the logger's thread a scanner of its own, for the last look at what it writes. Where there is none, it
    /// keeps the one that it had.
    pub fn look_last(&self, logger: &LoggerCommands) -> Result<(), String> {
        let (database, known) = (Arc::clone(&self.database), self.known.clone());
        let make = move || match scan::LastLook::new(&database, known) {
            Ok(mut look) => Ok(LastLook::new(move |are, texts| match are {
                Texts::Snippets => look.mask(texts),
                Texts::Names => look.mask_names(texts),
            })),
            Err(error) => Err(format!("the scanner for what the logs show: {error}")),
        };
        logger.look_last(Box::new(make))
    }
}

/// What stands for the values; none of them can be told by it.
fn mark_of(values: &[NamedValue], policy: &Policy) -> u64 {
    let mut hasher = DefaultHasher::new();
    for value in values {
        (&value.name, policy.fingerprint(&value.bytes).0).hash(&mut hasher);
    }
    hasher.finish()
}

fn known_values(
    values: Vec<NamedValue>,
    policy: &Policy,
) -> Result<Option<Arc<KnownValues>>, String> {
    if values.is_empty() {
        return Ok(None);
    }
    let known = KnownValues::new(values, |bytes| policy.fingerprint(bytes))
        .map_err(|error| error.to_string())?;
    log::info!("{} values are watched for", known.len());
    Ok(Some(Arc::new(known)))
}

fn prepare_rules(config: &Config) -> Result<(Arc<Database>, Arc<Told>), Unprepared> {
    let began = Instant::now();
    let prepared = rulebook::prepare(config).map_err(|error| Unprepared {
        reason: error.to_string(),
        is_configuration_wrong: error.is_configuration_wrong(),
    })?;
    let rulebook::Prepared { database, ids, warnings, was_kept } = prepared;
    log::info!(
        "{} rules {} in {} ms",
        database.rules().len(),
        if was_kept { "read back" } else { "compiled" },
        began.elapsed().as_millis()
    );
    Ok((Arc::new(database), Arc::new(Told { ids, warnings })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    /// `reload` ended with 1 where `config check` ends with 2.
    #[test]
    fn rules_of_which_the_engine_takes_none_are_a_wrong_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.toml");
        let text = "[[rules]]\nid = 'c'\nregex = '(?:[a-z]{1000}x){1,1000}y'\n";
        std::fs::write(&file, text).unwrap();
        let text = format!(
            r#"{{"log_dir": {:?}, "rule_packs": [], "rules_files": [{file:?}]}}"#,
            folder.path()
        );
        let error = Detection::prepare(&config(&text)).unwrap_err();
        assert!(error.is_configuration_wrong, "{}", error.reason);
        assert!(!Unprepared::from(String::new()).is_configuration_wrong);
    }

    /// A changed log level read millions of bytes again, and made every core forget what it knew to be clean.
    #[test]
    fn what_has_not_changed_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let (rules, watched) = (folder.path().join("own.toml"), folder.path().join(".env"));
        let rule = |word: &str| format!("[[rules]]\nid = 'c'\nregex = '{word}[0-9]{{8}}'\n");
        std::fs::write(&rules, rule("alpha")).unwrap();
        std::fs::write(&watched, "TOKEN=an-invented-value-of-some-length\n").unwrap();
        let of_level = |level: &str| {
            config(&format!(
                r#"{{"log_dir": {:?}, "rule_packs": [], "rules_files": [{rules:?}],
                    "watch_files": [{watched:?}], "log_level": "{level}"}}"#,
                folder.path()
            ))
        };
        let (old, new) = (of_level("info"), of_level("debug"));
        let first = Detection::prepare(&old).unwrap().detection;
        let again = || Detection::prepare_again(&new, Some((&old, &first))).unwrap().detection;
        assert!(again().finds_as(&first) && first.known.is_some());
        std::fs::write(&watched, "TOKEN=another-invented-value-of-some-length\n").unwrap();
        let other_value = again();
        assert!(!other_value.finds_as(&first));
        assert!(Arc::ptr_eq(&other_value.database, &first.database));
        std::fs::write(&rules, rule("beta")).unwrap();
        assert!(!Arc::ptr_eq(&again().database, &first.database));
    }
}
