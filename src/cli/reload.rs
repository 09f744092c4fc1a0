//! `clawsec reload`: asks the running monitor to read its configuration again, and waits for its verdict.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::arguments::CommonArguments;
use super::monitor::{self, Monitor};
use super::output::visible;
use super::pid_file::{self, Instance};
use super::stop::Target;
use super::{EXIT_USAGE, exit_code, load, log_dir, output};
use crate::config::Warning;
use crate::limits::{RELOAD_POLL_MS, RELOAD_VERDICT_WAIT_MS};
use crate::report::state::{Reloaded, State};

/// Runs the command.
pub fn run(arguments: &CommonArguments) -> ExitCode {
    let (config, warnings) = match load(arguments.config.as_deref(), arguments.overrides()) {
        Ok(loaded) => loaded,
        Err(error) => {
            output::error(error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let told: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    told.iter().for_each(output::warning);
    let outcome = reload(&config.report.log_dir, arguments).and_then(|verdict| {
        // The monitor has read the same file. What it says of it may be cut.
        let is_new = |words: &&String| {
            let words = words.strip_suffix('…').unwrap_or(words);
            !told.iter().any(|before| before.starts_with(words))
        };
        let new = verdict.warnings.iter().filter(is_new);
        new.map(|words| visible(words)).for_each(output::warning);
        match &verdict.error {
            Some(error) => Ok(refused(error, verdict.is_configuration_wrong)),
            None => output::print(&in_words(&verdict)).map(|()| ExitCode::SUCCESS),
        }
    });
    exit_code(outcome)
}

fn reload(log_dir: &Path, arguments: &CommonArguments) -> Result<Reloaded, String> {
    let before = match monitor::look(log_dir)? {
        Monitor::Running(state) => *state,
        Monitor::Starting => return Err("it is just starting; try again".to_owned()),
        Monitor::Stopped => return Err(stopped(log_dir, arguments)),
        Monitor::Original { pid } => {
            return Err(format!("the original in Python runs (PID {pid}): it cannot reload"));
        }
    };
    if let Some(file) = &arguments.config {
        check_is_read(file, before.config_file.as_deref(), arguments)?;
    }
    let instance =
        pid_file::inspect(log_dir).map_err(|error| log_dir::unreadable(log_dir, &error))?;
    let Instance::Running { pid: Some(pid), file } = instance else {
        return Err("it has just ended".to_owned());
    };
    Target::open(pid, Some(file))?.signal(Signal::HUP)?;
    await_verdict(log_dir, &before)
}

/// A file may name another `log_dir` now than when the monitor was started with it.
fn stopped(log_dir: &Path, arguments: &CommonArguments) -> String {
    let said = format!("not running in {}", log_dir.display());
    match arguments.log_dir {
        Some(_) => said,
        None => format!(
            "{said}; where log_dir was another one at its start: {} --log-dir DIR",
            arguments.command("reload")
        ),
    }
}

/// The monitor reads the file that it was started with, whichever is named here.
fn check_is_read(
    named: &Path,
    read: Option<&str>,
    arguments: &CommonArguments,
) -> Result<(), String> {
    let restart = arguments.restart_commands();
    let Some(read) = read.map(Path::new) else {
        return Err(format!(
            "the running monitor was started without a configuration file, and does not read {}; \
             a restart changes that: {restart}",
            named.display()
        ));
    };
    // A file that is not there now has no other name.
    let whole = |path: &Path| {
        let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        path.canonicalize().unwrap_or_else(|_| absolute())
    };
    if whole(named) == whole(read) {
        return Ok(());
    }
    Err(format!(
        "the running monitor reads {}, and not {}: change the first, or restart with the other: \
         {restart}",
        read.display(),
        named.display()
    ))
}

fn await_verdict(log_dir: &Path, before: &State) -> Result<Reloaded, String> {
    let count = |state: &State| state.reload.as_ref().map_or(0, |reload| reload.count);
    let deadline = Instant::now() + Duration::from_millis(RELOAD_VERDICT_WAIT_MS);
    while Instant::now() < deadline {
        match monitor::look(log_dir)? {
            Monitor::Running(state) if state.pid == before.pid => {
                if let Some(verdict) =
                    state.reload.clone().filter(|_| count(&state) > count(before))
                {
                    return Ok(verdict);
                }
            }
            Monitor::Running(_) | Monitor::Starting => {}
            Monitor::Stopped | Monitor::Original { .. } => {
                return Err("the monitor has ended: see clawsec.log".to_owned());
            }
        }
        std::thread::sleep(Duration::from_millis(RELOAD_POLL_MS));
    }
    Err("no verdict in time: see clawsec.log".to_owned())
}

/// Says why nothing was changed, in as many lines as `config check` would.
fn refused(error: &str, is_configuration_wrong: bool) -> ExitCode {
    output::error(visible_lines(error).trim_end());
    match is_configuration_wrong {
        true => ExitCode::from(EXIT_USAGE),
        false => ExitCode::FAILURE,
    }
}

fn in_words(verdict: &Reloaded) -> String {
    let mut text = match verdict.changed.is_empty() {
        true => "Reloaded: nothing changed.\n".to_owned(),
        false => format!("Reloaded. Changed: {}.\n", verdict.changed.join(", ")),
    };
    if !verdict.needs_restart.is_empty() {
        let keys = verdict.needs_restart.join(", ");
        text.push_str(&format!("Only a restart changes: {keys}.\n"));
    }
    visible_lines(&text)
}

fn visible_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", visible(line))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_names_what_changed_and_what_needs_a_restart() {
        let none = Reloaded::default();
        assert_eq!(in_words(&none), "Reloaded: nothing changed.\n");
        let some = Reloaded {
            changed: vec!["log_level".into(), "no_proxy".into()],
            needs_restart: vec!["workers".into()],
            ..Reloaded::default()
        };
        assert_eq!(
            in_words(&some),
            "Reloaded. Changed: log_level, no_proxy.\nOnly a restart changes: workers.\n"
        );
    }

    #[test]
    fn a_file_that_the_monitor_does_not_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two, link] = ["one.json", "two.json", "link.json"].map(|n| folder.path().join(n));
        std::fs::write(&one, "{}").unwrap();
        std::fs::write(&two, "{}").unwrap();
        std::os::unix::fs::symlink(&one, &link).unwrap();
        let check = |named: &Path, read: Option<&Path>| {
            check_is_read(named, read.and_then(Path::to_str), &CommonArguments::default())
        };
        assert_eq!(check(&one, Some(&one)), Ok(()));
        assert_eq!(check(&link, Some(&one)), Ok(()), "the same by another name");
        assert_eq!(
            check(&folder.path().join("../x/gone"), Some(&folder.path().join("../x/gone"))),
            Ok(())
        );
        let refused = check(&two, Some(&one)).unwrap_err();
        let reads = format!("reads {}, and not {}", one.display(), two.display());
        assert!(refused.contains(&reads) && refused.contains("clawsec start"), "{refused}");
        assert!(check(&two, None).unwrap_err().contains("without a configuration file"));
    }

    #[test]
    fn nobody_is_there_to_reload() {
        let folder = tempfile::tempdir().unwrap();
        let said = format!("not running in {}", folder.path().display());
        let named = folder.path().to_str().map(str::to_owned);
        let by_folder = CommonArguments { config: None, log_dir: named };
        assert_eq!(reload(folder.path(), &by_folder).unwrap_err(), said);
        // The file that it reads may name another folder by now.
        let by_file = CommonArguments { config: Some("own.json".into()), log_dir: None };
        let refused = reload(folder.path(), &by_file).unwrap_err();
        assert!(refused.ends_with(": clawsec reload --config own.json --log-dir DIR"), "{refused}");
    }
}
