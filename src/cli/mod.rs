//! The commands, one file each: `start`, `stop`, `status`, `threats`. They never touch traffic.

pub mod arguments;
pub mod log_dir;
pub mod output;
pub mod pid_file;
mod process;
pub mod requirements;
pub mod start;
pub mod status;
pub mod stop;
pub mod threats;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command, CommonArguments};
use pid_file::PidFile;

use crate::config::{self, Config, ConfigError, Overrides, Sources, Warning};

/// Wrong arguments or configuration; clap uses the same.
pub const EXIT_USAGE: u8 = 2;

/// Parses the process's arguments and runs the command. `serve` is the proxy itself, for `start`.
pub fn run(serve: impl FnOnce(Config, &PidFile) -> Result<(), String>) -> ExitCode {
    match Arguments::parse().command {
        Command::Start(arguments) => start::run(&arguments, serve),
        Command::Stop(arguments) => stop::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Threats(arguments) => threats::run(&arguments),
    }
}

/// Loads the configuration of this process: file, environment, these flags.
fn load(file: Option<&Path>, flags: Overrides) -> Result<(Config, Vec<Warning>), ConfigError> {
    let environment = config::process_environment()?;
    config::load(Sources { file, environment, flags })
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
            Err(ExitCode::from(EXIT_USAGE))
        }
    }
}
