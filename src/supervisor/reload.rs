//! The configuration read again while the monitor runs, on a thread of its own: checked whole, handed to every
//! core, and the verdict left where `clawsec reload` finds it. A bad file changes nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::config::{Config, Reread, Warning, renew};
use crate::conn::deadline::Phase;
use crate::detection::{Detection, Prepared, Unprepared};
use crate::limits::{
    RELOAD_ERROR_LINES_MAX, RELOAD_WAIT_MS, RELOAD_WARNING_MAX_BYTES, RELOAD_WARNING_MAX_CHARS,
    RELOAD_WARNINGS_MAX,
};
use crate::report::logger::LoggerCommands;
use crate::report::state::{Reloaded, State};
use crate::report::timestamp;
use crate::tls::authority::fingerprint_sha256;
use crate::tls::trust_bundle::own_certificates_of;
use crate::worker::Renewal;

/// What a reload needs.
#[derive(Clone)]
pub struct Reloader {
    reread: Reread,
    /// What holds now.
    pub config: Arc<Config>,
    detection: Detection,
    /// One a core.
    cores: Vec<Sender<Renewal>>,
    logger: LoggerCommands,
    /// A [`Phase`]: nothing changes any more once the monitor stops.
    phase: Arc<AtomicU8>,
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
        (config, detection): (Arc<Config>, Detection),
        cores: Vec<Sender<Renewal>>,
        (logger, phase): (LoggerCommands, Arc<AtomicU8>),
        state: State,
    ) -> Reloader {
        Reloader { reread, config, detection, cores, logger, phase, state }
    }

    /// Begins a reload on a thread of its own, since rules that nobody compiled before take some seconds. What comes
    /// back is the reloader as it is then, or nothing when the reload could not be ended.
    pub fn begin(&self) -> Receiver<Reloader> {
        let (done, is_done) = bounded(1);
        let mut next = self.clone();
        let reload = move || {
            let verdict = next.reload();
            next.tell(verdict);
            // Nobody waits for it once the monitor stops.
            let _ = done.send(next);
        };
        let thread = thread::Builder::new().name("clawsec-reload".to_owned()).spawn(reload);
        if let Err(error) = thread {
            log::error!("reload: there is no thread for it: {error}");
        }
        is_done
    }

    /// Says that a reload did not come to its end.
    pub fn give_up(&mut self) {
        self.tell(unchanged(&"it could not be ended"));
    }

    /// Reads again, changes what can change, and says what became of it.
    fn reload(&mut self) -> Reloaded {
        match (self.reread)() {
            Ok((new, warnings)) => self.change(new, &warnings),
            Err(error) => Reloaded { is_configuration_wrong: true, ..unchanged(&error) },
        }
    }

    /// Whether the CA on disk is another one than clients are shown.
    fn has_another_authority(&self) -> bool {
        let found = own_certificates_of(&self.config.report.log_dir).ok();
        let found = found.and_then(|own| own.first().map(fingerprint_sha256));
        found.is_some() && self.state.ca_sha256.is_some() && found != self.state.ca_sha256
    }

    fn tell(&mut self, verdict: Reloaded) {
        let count = self.state.reload.as_ref().map_or(0, |before| before.count) + 1;
        let at = timestamp::iso8601(SystemTime::now());
        self.state.reload = Some(Reloaded { count, at, ..verdict });
        self.logger.publish(self.state.clone());
    }

    fn change(&mut self, new: Config, warnings: &[Warning]) -> Reloaded {
        let mut renewed = match renew(&self.config, new) {
            Ok(renewed) => renewed,
            Err(error) => return unchanged(&error),
        };
        let before = Some((&*self.config, &self.detection));
        let prepared = Detection::prepare_again(&renewed.config, before);
        let Prepared { detection, warnings: found } = match prepared {
            Ok(prepared) => prepared,
            Err(Unprepared { reason, is_configuration_wrong }) => {
                return Reloaded { is_configuration_wrong, ..unchanged(&reason) };
            }
        };
        if Phase::from_number(self.phase.load(Ordering::Relaxed)) != Phase::Running {
            return unchanged(&"the monitor is stopping");
        }
        if !detection.finds_as(&self.detection)
            && let Err(error) = detection.look_last(&self.logger)
        {
            return unchanged(&error);
        }
        for key in detection.marks.changed_since(self.detection.marks) {
            if !renewed.changed.iter().any(|changed| changed == key) {
                renewed.changed.push(key.to_owned());
            }
        }
        if self.has_another_authority() {
            renewed.needs_restart.push("ca".to_owned());
        }
        self.detection = detection.clone();
        self.config = Arc::new(renewed.config);
        self.state.asks_for_credentials = !self.config.access.users.is_empty();
        let report = &self.config.report;
        self.logger.adjust(report.log_level, report.dedup_window);
        let wait = Duration::from_millis(RELOAD_WAIT_MS);
        let renewal = |done| {
            let (config, detection) = (Arc::clone(&self.config), detection.clone());
            Renewal { config, detection, done }
        };
        let failure = hand_over(&self.cores, renewal, wait).err();
        let warnings: Vec<String> =
            warnings.iter().chain(&renewed.warnings).map(Warning::to_string).collect();
        for warning in &warnings {
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
        if let Some(failure) = &failure {
            log::error!("reload: {failure}");
        }
        Reloaded {
            error: failure.as_deref().map(bounded_error),
            changed: renewed.changed,
            needs_restart: renewed.needs_restart,
            warnings: bounded_warnings(warnings.into_iter().chain(found)),
            ..Reloaded::default()
        }
    }
}

/// Hands every core its renewal; where one of them has not taken it, why. One that stands still keeps no other from
/// it.
fn hand_over<R>(
    cores: &[Sender<R>],
    renewal: impl Fn(Sender<Result<(), String>>) -> R,
    wait: Duration,
) -> Result<(), String> {
    let deadline = Instant::now() + wait;
    let (done, taken) = bounded(cores.len());
    let renewal = || renewal(done.clone());
    let is_full = |core: &&Sender<R>| core.try_send(renewal()).is_err();
    let full: Vec<_> = cores.iter().filter(is_full).collect();
    let late = full.iter().filter(|core| core.send_deadline(renewal(), deadline).is_err()).count();
    let (mut answers, mut failure) = (0, None);
    while answers < cores.len() - late
        && let Ok(answer) = taken.recv_deadline(deadline)
    {
        answers += 1;
        failure = failure.or(answer.err());
    }
    match failure {
        Some(failure) => Err(format!("a worker keeps what it had: {failure}")),
        None if answers < cores.len() => {
            Err("a worker did not take the configuration over in time".to_owned())
        }
        None => Ok(()),
    }
}

/// As many as are told to whoever asked, each not too long; the log has them all.
fn bounded_warnings(warnings: impl Iterator<Item = String>) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut left_out = 0;
    for warning in warnings {
        if told.contains(&warning) {
            continue;
        }
        if told.len() < RELOAD_WARNINGS_MAX {
            told.push(bounded_line(&warning));
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        told.push(format!("{left_out} more warnings: see clawsec.log"));
    }
    told
}

/// As much of an error as `monitor.json` has room for: its readers refuse one that is too large.
fn bounded_error(error: &str) -> String {
    let lines = error.lines().take(RELOAD_ERROR_LINES_MAX).map(bounded_line);
    let mut told: Vec<String> = lines.collect();
    let left_out = error.lines().count() - told.len();
    if left_out > 0 {
        told.push(format!("… and {left_out} more lines; `clawsec config check` lists them"));
    }
    told.join("\n")
}

fn bounded_line(line: &str) -> String {
    let mut room = RELOAD_WARNING_MAX_BYTES;
    let fits = |sign: &char| {
        let escaped = if sign.is_control() { "\\u0000".len() } else { r"\\".len() };
        let taken = room.checked_sub(sign.len_utf8().max(escaped));
        room = taken.unwrap_or(0);
        taken.is_some()
    };
    let mut told: String = line.chars().take(RELOAD_WARNING_MAX_CHARS).take_while(fits).collect();
    if told.len() < line.len() {
        told.push('…');
    }
    told
}

/// The verdict on what cannot take the place of what holds.
fn unchanged(error: &dyn fmt::Display) -> Reloaded {
    let error = error.to_string();
    // One line of the log, whatever JSON's errors are laid out as.
    let line: Vec<&str> = error.split_whitespace().collect();
    log::error!("reload: {}; nothing is changed", line.join(" "));
    let error = format!("{}; nothing is changed", bounded_error(&error));
    Reloaded { error: Some(error), ..Reloaded::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_stands_still_keeps_no_later_one_from_a_configuration() {
        let (stalled, held) = bounded(1);
        let (healthy, received) = bounded(1);
        stalled.send(bounded(1).0).unwrap();
        let cores = [stalled, healthy];
        let late = hand_over(&cores, |done| done, Duration::from_millis(10)).unwrap_err();
        assert!(late.contains("in time"), "{late}");
        assert_eq!((held.len(), received.len()), (1, 1));
    }

    #[test]
    fn it_is_everywhere_once_every_core_has_said_so() {
        assert_eq!(handed_to_one_that_says(Ok(())), Ok(()));
    }

    #[test]
    fn a_core_that_cannot_make_its_scanner_is_not_waited_for_and_its_reason_is_told() {
        let failure = handed_to_one_that_says(Err("no memory".to_owned())).unwrap_err();
        assert!(failure.ends_with("no memory"), "{failure}");
    }

    fn handed_to_one_that_says(answer: Result<(), String>) -> Result<(), String> {
        let (core, received) = bounded::<Sender<_>>(1);
        let worker = thread::spawn(move || received.recv().unwrap().send(answer).unwrap());
        let outcome = hand_over(&[core], |done| done, Duration::from_secs(60));
        worker.join().unwrap();
        outcome
    }

    #[test]
    fn so_many_warnings_are_told_and_no_more() {
        let of = |count: usize| bounded_warnings((0..count).map(|number| number.to_string()));
        assert_eq!(of(RELOAD_WARNINGS_MAX).len(), RELOAD_WARNINGS_MAX);
        let more = of(RELOAD_WARNINGS_MAX + 2);
        assert_eq!(more.len(), RELOAD_WARNINGS_MAX + 1);
        assert!(more.last().unwrap().starts_with("2 more warnings"));
        let long = bounded_warnings(std::iter::once("é".repeat(RELOAD_WARNING_MAX_CHARS + 1)));
        assert_eq!(long[0].chars().count(), RELOAD_WARNING_MAX_CHARS + 1);
        assert!(long[0].ends_with("é…"));
        assert_eq!(bounded_warnings(["a", "a"].map(str::to_owned).into_iter()), ["a"]);
    }

    /// Thousands of wrong rules made a `monitor.json` that nobody could read any more.
    #[test]
    fn an_error_of_many_long_lines_leaves_the_state_readable() {
        let folder = tempfile::tempdir().unwrap();
        for sign in ["x", "\u{1}", "€", "\""] {
            let line = format!("{}\n", sign.repeat(70_000));
            let error = unchanged(&line.repeat(RELOAD_ERROR_LINES_MAX + 3)).error.unwrap();
            assert!(error.ends_with(
                "… and 3 more lines; `clawsec config check` lists them; nothing is changed"
            ));
            let warnings = bounded_warnings((0..99).map(|number| format!("{number}{line}")));
            let reload = Some(Reloaded { error: Some(error), warnings, ..Reloaded::default() });
            let text = serde_json::to_vec_pretty(&State { reload, ..State::default() }).unwrap();
            assert!((text.len() as u64) < crate::limits::STATE_MAX_BYTES, "{}", text.len());
            std::fs::write(folder.path().join(crate::report::STATE_FILE_NAME), text).unwrap();
            assert!(crate::report::state::read(folder.path()).is_ok());
        }
    }
}
