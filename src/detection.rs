//! What decides about a match: the rules, compiled; what is expected or accepted; the secrets that are watched
//! for. Made at the start, and again by a reload: all of it, or nothing.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::config::Config;
use crate::policy::Policy;
use crate::report::last_look::LastLook;
use crate::report::logger::LoggerCommands;
use crate::rulebook;
use crate::scan::{self, Database, DatabaseError, KnownValues, Scanner};
use crate::secrets;

/// One for all cores.
#[derive(Clone, Debug)]
pub struct Detection {
    pub database: Arc<Database>,
    pub policy: Arc<Policy>,
    /// None where nothing is watched for.
    pub known: Option<Arc<KnownValues>>,
}

impl Detection {
    /// Makes it as configured.
    pub fn prepare(config: &Config) -> Result<Detection, String> {
        let database = Arc::new(prepare_rules(config)?);
        let key =
            secrets::load_or_create(&config.report.log_dir).map_err(|error| error.to_string())?;
        let rules = database.rules().iter().map(|rule| Arc::clone(&rule.id));
        let policy = Policy::new(&config.policy, key).knowing(rules);
        for expired in policy.expired(SystemTime::now()) {
            log::warn!("{expired}");
        }
        let known = watched_values(config, &policy)?;
        Ok(Detection { database, policy: Arc::new(policy), known })
    }

    /// A scanner for one core.
    pub fn scanner(&self, max_window_bytes: usize) -> Result<Scanner, DatabaseError> {
        Scanner::knowing(&self.database, max_window_bytes, self.known.clone())
    }

    /// Gives the logger's thread a scanner of its own, for the last look at what it writes.
    pub fn look_last(&self, logger: &LoggerCommands) {
        let (database, known) = (Arc::clone(&self.database), self.known.clone());
        logger.look_last(Box::new(move || match scan::LastLook::new(&database, known) {
            Ok(mut look) => Some(LastLook::new(move |snippets| look.mask(snippets))),
            Err(error) => {
                log::error!("snippets are not looked at a second time: {error}");
                None
            }
        }));
    }
}

fn watched_values(config: &Config, policy: &Policy) -> Result<Option<Arc<KnownValues>>, String> {
    let watched = secrets::read_watched(&config.watch, |name| std::env::var_os(name));
    for warning in &watched.warnings {
        log::warn!("{warning}");
    }
    if watched.values.is_empty() {
        return Ok(None);
    }
    let known = KnownValues::new(watched.values, |bytes| policy.fingerprint(bytes))
        .map_err(|error| error.to_string())?;
    log::info!("{} values are watched for", known.len());
    Ok(Some(Arc::new(known)))
}

fn prepare_rules(config: &Config) -> Result<Database, String> {
    let began = Instant::now();
    let prepared = rulebook::prepare(config).map_err(|error| error.to_string())?;
    for warning in &prepared.warnings {
        log::warn!("{warning}");
    }
    log::info!(
        "{} rules {} in {} ms",
        prepared.database.rules().len(),
        if prepared.was_kept { "read back" } else { "compiled" },
        began.elapsed().as_millis()
    );
    Ok(prepared.database)
}
