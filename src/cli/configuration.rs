//! `clawsec config check|show`: what the settings come to. Starts nothing.

use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::arguments::CommonArguments;
use super::{EXIT_USAGE, check_parts, exit_code, log_dir, output};
use crate::config::{self, Config, Explained, RulesConfig, Sources};
use crate::rulebook::{self, RulebookError};
use crate::secrets;

/// `clawsec config`.
#[derive(Clone, Debug, Args)]
pub struct ConfigArguments {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

impl ConfigArguments {
    /// What every command takes.
    pub fn common(&mut self) -> &mut CommonArguments {
        match &mut self.command {
            ConfigCommand::Check(common) => common,
            ConfigCommand::Show(show) => &mut show.common,
        }
    }
}

/// What about the configuration.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check file and environment as a start would: exit code 0 or 2
    Check(CommonArguments),
    /// Print every setting as a config file (secrets left out)
    Show(ShowArguments),
}

/// `clawsec config show`.
#[derive(Clone, Debug, Args)]
pub struct ShowArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// One setting a line, with where it comes from
    #[arg(long)]
    pub origins: bool,
}

/// Runs the command.
pub fn run(arguments: &ConfigArguments) -> ExitCode {
    let common = match &arguments.command {
        ConfigCommand::Check(common) => common,
        ConfigCommand::Show(show) => &show.common,
    };
    let explained = config::process_environment().and_then(|environment| {
        let file = common.config.as_deref();
        config::explain(Sources { file, environment, flags: common.overrides() })
    });
    let explained = match explained {
        Ok(explained) => explained,
        Err(error) => {
            output::error(error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    explained.warnings.iter().for_each(output::warning);
    match &arguments.command {
        ConfigCommand::Check(_) => check(&explained),
        ConfigCommand::Show(show) => {
            let text = if show.origins { with_origins(&explained) } else { file(&explained) };
            exit_code(output::print(&text).map(|()| ExitCode::SUCCESS))
        }
    }
}

fn check(explained: &Explained) -> ExitCode {
    if let Err(error) = check_parts(&explained.config) {
        output::error(error);
        return ExitCode::from(EXIT_USAGE);
    }
    match log_dir::look(&explained.config.report.log_dir) {
        Ok(()) => {}
        Err(error) if error.may_be_anothers() => output::warning(error),
        Err(error) => {
            output::error(error);
            return ExitCode::from(EXIT_USAGE);
        }
    }
    if let Err(error) = warn_of_rules(&explained.config.rules) {
        output::error(error);
        return ExitCode::from(EXIT_USAGE);
    }
    warn_of_what_does_nothing(&explained.config);
    exit_code(output::print("The configuration is valid.\n").map(|()| ExitCode::SUCCESS))
}

/// Says of the rules what a start says in its log.
fn warn_of_rules(rules: &RulesConfig) -> Result<(), RulebookError> {
    if rules.is_usual() {
        return Ok(());
    }
    let selected = rulebook::select(rules)?;
    selected.warnings.iter().for_each(output::warning);
    rulebook::refused(&selected.rules)?.iter().for_each(output::warning);
    Ok(())
}

/// What a start says in its log only. A variable may be set where the monitor runs, and not here.
fn warn_of_what_does_nothing(config: &Config) {
    config.policy.expired(SystemTime::now()).for_each(output::warning);
    if rulebook::names_rules(&config.policy)
        && let Ok(selected) = rulebook::select(&config.rules)
    {
        let unknown = rulebook::unknown_names(&config.policy, &selected.ids());
        unknown.iter().for_each(output::warning);
    }
    let watched = secrets::read_watched(&config.watch, |name| std::env::var_os(name));
    watched.warnings.iter().for_each(output::warning);
}

fn file(explained: &Explained) -> String {
    format!("{:#}\n", Value::Object(explained.config.to_json()))
}

fn with_origins(explained: &Explained) -> String {
    let origin = |key: &str| match explained.origins.iter().find(|(name, _)| *name == key) {
        Some((_, origin)) => origin.to_string(),
        None => "default".to_owned(),
    };
    let line = |(key, value): (&String, &Value)| {
        format!("{key:<28} {:<24}  {}\n", value.to_string(), origin(key))
    };
    explained.config.to_json().iter().map(line).collect()
}
