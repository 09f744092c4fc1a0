//! `clawsec start`: settings, folder, lock and limits; then the proxy runs until it is told to end.

use std::process::ExitCode;

use super::arguments::StartArguments;
use super::pid_file::PidFile;
use super::{load, log_dir, output, requirements};
use crate::config::Config;

/// Runs the command. `serve` is the proxy: it returns when it was told to end and has, or with why it cannot run.
pub fn run(
    arguments: &StartArguments,
    serve: impl FnOnce(Config, &PidFile) -> Result<(), String>,
) -> ExitCode {
    let config = match load(arguments.common.config.as_deref(), arguments.overrides()) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let outcome = log_dir::prepare(&config.report.log_dir)
        .map_err(|error| error.to_string())
        .and_then(|()| PidFile::acquire(&config.report.log_dir).map_err(|error| error.to_string()))
        .and_then(|pid_file| {
            let degraded = requirements::check(worker_count(&config))
                .map_err(|problems| requirements::in_words(&problems))?;
            degraded.iter().for_each(output::warning);
            serve(config, &pid_file)
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            output::error(message);
            ExitCode::FAILURE
        }
    }
}

/// As many as asked for, or as the process has cores (affinity and cgroup respected).
fn worker_count(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    config.runtime.workers.unwrap_or_else(cores)
}
