//! The commands, one file each. They never touch traffic.

pub mod arguments;
/// `ca path|print|fingerprint|install|uninstall|rotate|import`.
pub mod ca;
mod ca_store;
/// `config check|show`.
pub mod configuration;
mod credentials;
/// `doctor`, its checks, and the request that it makes.
pub mod doctor;
mod doctor_environment;
mod doctor_request;
/// `env`, and what a program's environment must say.
pub mod environment;
mod environment_shells;
/// `completions` and `man`: what clap knows, in other forms.
pub mod generated;
/// `hash-secret`: what stands for a secret in `proxy_auth`.
pub mod hash_secret;
/// `healthcheck`: whether it serves, in one exit code.
pub mod healthcheck;
pub mod log_dir;
/// Whether a monitor runs, and where it listens.
mod monitor;
pub mod output;
pub mod pid_file;
/// The PID file looked after while the monitor runs.
mod pid_watch;
mod process;
/// `reload`: the configuration once more.
pub mod reload;
pub mod requirements;
/// `rules`, and `rules test`.
pub mod rules;
mod rules_test;
/// `run`, the monitor that it starts, and what it says at the end.
pub mod run;
mod run_child;
mod run_lines;
mod run_monitor;
mod run_summary;
/// `scan`, and the files of the folders that it is given.
pub mod scan;
mod scan_folder;
pub mod start;
pub mod stats;
pub mod status;
pub mod stop;
/// `threats`, as it was and as it comes.
pub mod threats;
pub mod threats_follow;
mod threats_format;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use crate::config::{self, Config, ConfigError, Overrides, Reread, Sources, Warning, WatchConfig};
use crate::limits::KNOWN_VALUES_MAX;
use crate::rulebook;
use crate::secrets;
use crate::supervisor::{Ending, Failure};
use crate::tls::upstream_roots;
use arguments::{Arguments, Command, CommonArguments};

/// Wrong arguments or configuration; clap uses the same.
pub const EXIT_USAGE: u8 = 2;

/// Parses the process's arguments and runs the command. `serve` is the proxy itself, for `start`.
pub fn run(serve: impl FnOnce(Config, Reread) -> Result<Ending, Failure>) -> ExitCode {
    let mut command = Arguments::parse().command;
    command.read_variable(config::file_variable());
    match command {
        Command::Start(arguments) => start::run(&arguments, serve),
        Command::Stop(arguments) => stop::run(&arguments),
        Command::Reload(arguments) => reload::run(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::HashSecret => hash_secret::run(),
        Command::Status(arguments) => status::run(&arguments),
        Command::Threats(arguments) => threats::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Env(arguments) => environment::run(&arguments),
        Command::Ca(arguments) => ca::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Stats(arguments) => stats::run(&arguments),
        Command::Scan(arguments) => scan::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Config(arguments) => configuration::run(&arguments),
        Command::Completions(arguments) => generated::completions(&arguments),
        Command::Man(arguments) => generated::man(&arguments),
    }
}

/// Loads the configuration of this process: file, environment, these flags.
fn load(file: Option<&Path>, flags: Overrides) -> Result<(Config, Vec<Warning>), ConfigError> {
    let environment = config::process_environment()?;
    config::load(Sources { file, environment, flags })
}

/// Checks what a start needs beside its own folder: the files that are named, the rules, and how much is watched for.
fn check_parts(config: &Config) -> Result<(), String> {
    if let Some(path) = &config.tls.upstream_ca_file {
        upstream_roots::check_file(path).map_err(|error| error.to_string())?;
    }
    if !config.rules.is_usual() {
        rulebook::select(&config.rules).map_err(|error| error.to_string())?;
    }
    check_watched(&config.watch)
}

/// More values than can be watched for are told with where they are from. A path that is no file may be a secret that
/// stands in the wrong place: it has no values, and is not shown.
fn check_watched(watch: &WatchConfig) -> Result<(), String> {
    let watched = secrets::read_watched(watch, |name| std::env::var_os(name));
    let all = watched.values.len();
    if all <= KNOWN_VALUES_MAX {
        return Ok(());
    }
    let of_variables = ("watch_env".to_owned(), watched.of_variables);
    let places = std::iter::once(of_variables).filter(|(_, count)| *count > 0);
    let places = places.chain(watched.of_files);
    let told: Vec<String> = places.map(|(place, count)| format!("{place} has {count}")).collect();
    Err(format!(
        "watch_env and watch_files name {all} values, more than {KNOWN_VALUES_MAX}: {}",
        told.join(", ")
    ))
}

/// How a command ends: a sentence for the user is a failure.
fn exit_code(outcome: Result<ExitCode, String>) -> ExitCode {
    outcome.unwrap_or_else(|message| {
        output::error(message);
        ExitCode::FAILURE
    })
}

/// For the commands that only look at a monitor: loads, and says what there is to say. The exit
/// code, if it is wrong.
fn load_common(arguments: &CommonArguments) -> Result<Config, ExitCode> {
    match load(arguments.config.as_deref(), arguments.overrides()) {
        Ok((config, warnings)) => {
            warnings.iter().for_each(output::warning);
            Ok(config)
        }
        Err(error) => {
            output::error(error);
            if arguments.config.is_some() && arguments.log_dir.is_none() {
                output::note(
                    "a monitor that runs is found without the file, too: give --log-dir DIR instead of --config",
                );
            }
            Err(ExitCode::from(EXIT_USAGE))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_watched_values_are_told_without_a_path_that_may_be_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let many = folder.path().join("many.env");
        let line = |number| format!("A{number}=invented-value-{number}\n");
        std::fs::write(&many, (0..=KNOWN_VALUES_MAX).map(line).collect::<String>()).unwrap();
        let empty = folder.path().join("empty.env");
        std::fs::write(&empty, "").unwrap();
        let secret = format!("sk-{}", "4fQ9zT2w".repeat(4));
        let files = vec![secret.clone().into(), many.clone(), empty.clone()];
        let watch = WatchConfig { variables: vec!["PATH".to_owned()], files };
        let told = check_watched(&watch).unwrap_err();
        let place = format!(": watch_env has 1, {} has 257", many.display());
        assert!(told.ends_with(&place), "{told}");
        assert!(!told.contains(&secret) && !told.contains("empty.env"), "{told}");
    }
}
