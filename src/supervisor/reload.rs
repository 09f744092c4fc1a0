//! The configuration read again while the monitor runs: checked whole, handed to every core, and the verdict
//! left where `clawsec reload` finds it. A bad file changes nothing.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Sender, bounded};

use crate::config::{Config, Reread, Warning, renew};
use crate::detection::Detection;
use crate::limits::RELOAD_WAIT_MS;
use crate::report::logger::LoggerHandle;
use crate::report::state::{Reloaded, State};
use crate::report::timestamp;
use crate::worker::Renewal;

/// What a reload needs.
pub struct Reloader {
    reread: Reread,
    /// What holds now.
    pub config: Arc<Config>,
    /// One a core.
    cores: Vec<Sender<Renewal>>,
    /// What the logger shows.
    pub state: State,
}

impl fmt::Debug for Reloader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloader").finish_non_exhaustive()
    }
}

impl Reloader {
    /// Nothing reloaded yet. `state` is what the logger was told to show.
    pub fn new(
        reread: Reread,
        config: Arc<Config>,
        cores: Vec<Sender<Renewal>>,
        state: State,
    ) -> Reloader {
        Reloader { reread, config, cores, state }
    }

    /// Reads again, changes what can change, and says what became of it.
    pub fn reload(&mut self, logger: &LoggerHandle) {
        let verdict = match (self.reread)() {
            Ok((new, warnings)) => self.change(new, &warnings, logger),
            Err(error) => unchanged(&error),
        };
        let count = self.state.reload.as_ref().map_or(0, |before| before.count) + 1;
        let at = timestamp::iso8601(SystemTime::now());
        self.state.reload = Some(Reloaded { count, at, ..verdict });
        logger.publish(self.state.clone());
    }

    fn change(&mut self, new: Config, warnings: &[Warning], logger: &LoggerHandle) -> Reloaded {
        let renewed = renew(&self.config, new);
        let detection = match Detection::prepare(&renewed.config) {
            Ok(detection) => detection,
            Err(error) => return unchanged(&error),
        };
        detection.look_last(logger);
        self.config = Arc::new(renewed.config);
        self.state.asks_for_credentials = !self.config.access.users.is_empty();
        let report = &self.config.report;
        logger.adjust(report.log_level, report.dedup_window);
        let is_everywhere = self.hand_over(&detection);
        for warning in warnings {
            log::warn!("{warning}");
        }
        log::info!(
            "Configuration reloaded; changed: {}",
            if renewed.changed.is_empty() {
                "nothing".to_owned()
            } else {
                renewed.changed.join(", ")
            }
        );
        if !renewed.needs_restart.is_empty() {
            let keys = renewed.needs_restart.join(", ");
            log::warn!("these settings change only with a restart: {keys}");
        }
        let late = "a worker did not take the configuration over in time";
        if !is_everywhere {
            log::error!("reload: {late}");
        }
        Reloaded {
            error: (!is_everywhere).then(|| late.to_owned()),
            changed: renewed.changed,
            needs_restart: renewed.needs_restart,
            warnings: warnings.iter().map(Warning::to_string).collect(),
            ..Reloaded::default()
        }
    }

    /// Whether every core has it.
    fn hand_over(&self, detection: &Detection) -> bool {
        let deadline = Instant::now() + Duration::from_millis(RELOAD_WAIT_MS);
        let (done, taken) = bounded(self.cores.len());
        let sent = self.cores.iter().all(|core| {
            let (config, detection) = (Arc::clone(&self.config), detection.clone());
            let renewal = Renewal { config, detection, done: done.clone() };
            core.send_deadline(renewal, deadline).is_ok()
        });
        sent && self.cores.iter().all(|_| taken.recv_deadline(deadline).is_ok())
    }
}

/// The verdict on what cannot take the place of what holds.
fn unchanged(error: &dyn fmt::Display) -> Reloaded {
    let error = format!("{error}; nothing is changed");
    log::error!("reload: {error}");
    Reloaded { error: Some(error), ..Reloaded::default() }
}
