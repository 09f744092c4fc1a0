//! `clawsec start`: settings, folder, lock and limits; then the proxy runs until it is told to end.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use super::arguments::{CommonArguments, StartArguments};
use super::pid_file::{AcquireError, PidFile};
use super::{EXIT_USAGE, check_parts, load, log_dir, output, pid_watch, requirements};
use crate::config::{Config, Reread, Warning};
use crate::report::THREATS_FILE_NAME;
use crate::secrets::FINGERPRINT_KEY_FILE_NAME;
use crate::supervisor::{Ending, Failure};
use crate::tls::{CERTIFICATE_FILE, KEY_FILE};

/// Runs the command. `serve` is the proxy: it returns when it was told to end and has, or with why
/// it cannot run.
/// It finds in `Config::warnings` what is to be said once there is a log.
pub fn run(
    arguments: &StartArguments,
    serve: impl FnOnce(Config, Reread) -> Result<Ending, Failure>,
) -> ExitCode {
    if arguments.own_session {
        // It fails for the leader of a group, which has left its parent's job already.
        let _ = rustix::process::setsid();
    }
    let (config, warnings) = match read(arguments) {
        Ok(loaded) => loaded,
        Err(error) => {
            output::error(error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let outcome = prepare(config, &warnings, &arguments.common)
        // Nobody will log them now, and they may be the reason.
        .inspect_err(|_| warnings.iter().for_each(output::warning))
        .and_then(|(config, held)| {
            pid_watch::while_held(held, || serve(config, rereading(arguments.clone())))
        });
    match outcome {
        Ok(ending) => {
            ending.complete();
            ExitCode::SUCCESS
        }
        Err(Failure { reason, is_configuration_wrong }) => {
            output::error(reason);
            match is_configuration_wrong {
                true => ExitCode::from(EXIT_USAGE),
                false => ExitCode::FAILURE,
            }
        }
    }
}

/// Every source, and what it names, checked.
fn read(arguments: &StartArguments) -> Result<(Config, Vec<Warning>), String> {
    let loaded = load(arguments.common.config.as_deref(), arguments.overrides());
    let loaded = loaded.map_err(|error| error.to_string())?;
    check_parts(&loaded.0).map(|()| loaded)
}

/// The same sources once more, whenever they are asked for.
fn rereading(arguments: StartArguments) -> Reread {
    Arc::new(move || read(&arguments))
}

/// Folder, lock and limits. The lock comes before the limits: it tells most about why a start is
/// not wanted.
fn prepare(
    mut config: Config,
    warnings: &[Warning],
    common: &CommonArguments,
) -> Result<(Config, PidFile), Failure> {
    let log_dir = &config.report.log_dir;
    log_dir::prepare(log_dir).map_err(|error| Failure {
        reason: error.to_string(),
        is_configuration_wrong: log_dir::is_wrong(log_dir),
    })?;
    let pid_file = PidFile::acquire(log_dir).map_err(|error| with_remedy(&error, common))?;
    let degraded = requirements::check(worker_count(&config))
        .map_err(|problems| requirements::in_words(&problems))?;
    let absolute = |file: &Path| std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    config.file = common.config.as_deref().map(absolute);
    config.warnings.extend(warnings.iter().map(Warning::to_string));
    config.warnings.extend(degraded.iter().map(ToString::to_string));
    config.warnings.extend(lost_authority(&config));
    Ok((config, pid_file))
}

/// Says of a folder that was used before that its CA is gone: the one that takes its place is trusted by nobody.
fn lost_authority(config: &Config) -> Option<String> {
    let log_dir = &config.report.log_dir;
    let is_there = |name: &str| log_dir.join(name).symlink_metadata().is_ok();
    let was_used = [FINGERPRINT_KEY_FILE_NAME, THREATS_FILE_NAME].into_iter().find(|n| is_there(n));
    if !config.tls.mitm || is_there(CERTIFICATE_FILE) || is_there(KEY_FILE) {
        return None;
    }
    was_used.map(|name| {
        format!(
            "{} holds {name} of an earlier run but no CA: a new one is made, and clients that trusted the one \
             before refuse it until they trust this one. Cleaners and reboots empty /tmp: set log_dir to a \
             lasting folder",
            log_dir.display()
        )
    })
}

fn with_remedy(error: &AcquireError, common: &CommonArguments) -> String {
    match error {
        AcquireError::AlreadyRunning { pid: Some(_) } => {
            format!("{error}; to end it: {}", common.command("stop"))
        }
        AcquireError::AlreadyRunning { pid: None } => {
            format!("{error}; see: {}", common.command("status"))
        }
        AcquireError::OriginalRunning { .. } | AcquireError::Io { .. } => error.to_string(),
    }
}

/// As many as asked for, or as the process has cores (affinity and cgroup respected).
pub(super) fn worker_count(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.runtime.workers.unwrap_or_else(cores)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(log_dir: &Path, config: &str) -> StartArguments {
        let file = log_dir.with_extension("json");
        std::fs::write(&file, config).unwrap();
        StartArguments {
            common: CommonArguments {
                config: Some(file),
                log_dir: Some(log_dir.to_str().unwrap().to_string()),
            },
            ..StartArguments::default()
        }
    }

    fn code(code: ExitCode) -> String {
        format!("{code:?}")
    }

    #[test]
    fn the_proxy_runs_with_lock_folder_and_warnings_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log_dir = folder.path().join("logs");
        let mut served = false;
        let exit = run(&arguments(&log_dir, r#"{"proxy_prot": 1}"#), |config, _| {
            served = true;
            assert_eq!(config.report.log_dir, log_dir);
            assert!(config.warnings.iter().any(|line| line.contains("proxy_port")));
            assert!(log_dir.join("monitor.pid").exists());
            Ok(Ending::Whole)
        });
        assert!(served);
        assert_eq!(code(exit), code(ExitCode::SUCCESS));
        assert!(!log_dir.join("monitor.pid").exists());
    }

    #[test]
    fn a_used_folder_without_its_ca_is_warned_of_before_another_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let log_dir = folder.path().join("logs");
        let warned = |config: &str| {
            let mut warned = None;
            run(&arguments(&log_dir, config), |config, _| {
                warned = Some(config.warnings.iter().any(|line| line.contains("but no CA")));
                Ok(Ending::Whole)
            });
            warned.unwrap()
        };
        assert!(!warned("{}"), "a first start");
        for name in [THREATS_FILE_NAME, FINGERPRINT_KEY_FILE_NAME] {
            std::fs::write(log_dir.join(name), "").unwrap();
            assert!(warned("{}"), "{name}");
            assert!(!warned(r#"{"enable_mitm": false}"#));
            std::fs::write(log_dir.join(CERTIFICATE_FILE), "").unwrap();
            assert!(!warned("{}"));
            std::fs::remove_file(log_dir.join(CERTIFICATE_FILE)).unwrap();
            std::fs::remove_file(log_dir.join(name)).unwrap();
        }
    }

    #[test]
    fn a_failed_proxy_is_exit_1_and_leaves_no_pid_file() {
        let folder = tempfile::tempdir().unwrap();
        let log_dir = folder.path().join("logs");
        let exit = run(&arguments(&log_dir, "{}"), |_, _| Err("port taken".into()));
        assert_eq!(code(exit), code(ExitCode::FAILURE));
        assert!(!log_dir.join("monitor.pid").exists());
    }

    #[test]
    fn a_wrong_configuration_is_exit_2_and_touches_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let log_dir = folder.path().join("logs");
        for wrong in ["{", r#"{"workers": 0}"#, r#"{"upstream_ca_file": "/nonexistent/roots.pem"}"#]
        {
            let exit = run(&arguments(&log_dir, wrong), |_, _| panic!("nothing may start"));
            assert_eq!(code(exit), code(ExitCode::from(EXIT_USAGE)), "{wrong}");
        }
        assert!(!log_dir.exists());
    }

    #[test]
    fn the_word_on_ending_the_one_that_runs_has_the_same_settings() {
        let common = CommonArguments { config: Some("own.json".into()), log_dir: None };
        let runs = with_remedy(&AcquireError::AlreadyRunning { pid: Some(7) }, &common);
        assert_eq!(runs, "already running (PID 7); to end it: clawsec stop --config own.json");
        let starts = with_remedy(&AcquireError::AlreadyRunning { pid: None }, &common);
        assert!(starts.ends_with("see: clawsec status --config own.json"), "{starts}");
    }

    #[test]
    fn a_second_start_is_exit_1() {
        let folder = tempfile::tempdir().unwrap();
        let log_dir = folder.path().join("logs");
        let exit = run(&arguments(&log_dir, "{}"), |_, _| {
            let second = run(&arguments(&log_dir, "{}"), |_, _| panic!("two of them"));
            assert_eq!(code(second), code(ExitCode::FAILURE));
            Ok(Ending::Whole)
        });
        assert_eq!(code(exit), code(ExitCode::SUCCESS));
    }
}
