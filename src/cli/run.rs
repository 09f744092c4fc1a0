//! `clawsec run -- COMMAND…`: a program with its traffic inspected. Starts the monitor or takes the
//! one that runs, gives the program its environment, and says at the end what was found.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::arguments::CommonArguments;
use super::environment::{Environment, inherited, trust_files};
use super::run_child::{Ended, Relay};
use super::run_monitor::{RunMonitor, Stopped};
use super::run_summary::Summary;
use super::{load_common, monitor, output};
use crate::config::Config;

/// There is no monitor, it cannot be reached, or the configuration is wrong: the program was not run (as `env` and
/// `timeout` have it for their own failures).
const EXIT_NO_MONITOR: u8 = 125;

/// Said although nothing else is to be said, too.
const ENDED_EARLY: &str =
    "the monitor ended during the run: what the program sent after that was not inspected";

/// `clawsec run`.
#[derive(Clone, Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// Say nothing of what was found
    #[arg(long, short = 'q')]
    pub quiet: bool,
    /// The program and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<OsString>,
}

/// Runs the command.
pub fn run(arguments: &RunArguments) -> ExitCode {
    let config = match load_common(&arguments.common) {
        Ok(config) => config,
        // The program has exit codes of its own: 2 could be one of them.
        Err(_) => return ExitCode::from(EXIT_NO_MONITOR),
    };
    match Run::begin(&config, arguments) {
        Ok(Begun::Ready(run)) => run.serve(arguments),
        Ok(Begun::Interrupted(code)) => ExitCode::from(code),
        Err(message) => {
            output::error(message);
            ExitCode::from(EXIT_NO_MONITOR)
        }
    }
}

/// A run with its monitor and everything that its program needs.
struct Run {
    relay: Relay,
    monitor: RunMonitor,
    environment: Environment,
    summary: Summary,
}

enum Begun {
    Ready(Box<Run>),
    /// A signal came before the program was started.
    Interrupted(u8),
}

impl Run {
    fn begin(config: &Config, arguments: &RunArguments) -> Result<Begun, String> {
        // Before the monitor: a signal from here on finds somebody who cleans up.
        let mut relay = Relay::listen()?;
        let (common, is_quiet) = (&arguments.common, arguments.quiet);
        let interrupted = &mut || relay.interrupted().is_some();
        let monitor = RunMonitor::start_or_join(config, common, is_quiet, interrupted);
        if let Some(code) = relay.interrupted() {
            if let Ok(monitor) = monitor {
                monitor.release()?;
            }
            return Ok(Begun::Interrupted(code));
        }
        let monitor = monitor?;
        match Run::equip(config, &monitor) {
            Ok((environment, summary)) => {
                Ok(Begun::Ready(Box::new(Run { relay, monitor, environment, summary })))
            }
            Err(message) => {
                monitor.release()?;
                Err(message)
            }
        }
    }

    fn equip(config: &Config, monitor: &RunMonitor) -> Result<(Environment, Summary), String> {
        let proxy = monitor::proxy_address(&monitor.state)?;
        monitor::check_credentials(&monitor.state, &inherited)?;
        let trust = trust_files(config, monitor.state.mitm, &inherited)?;
        let environment = Environment::new(proxy, trust.as_ref(), &inherited);
        let summary = Summary::begin(&config.report.log_dir, &monitor.state)
            .map_err(|error| super::log_dir::unreadable(&config.report.log_dir, &error))?;
        Ok((environment, summary))
    }

    fn serve(self, arguments: &RunArguments) -> ExitCode {
        let Run { relay, monitor, environment, mut summary } = self;
        environment.notes.iter().for_each(output::warning);
        let began = Instant::now();
        let ended = summary.during(|| relay.run(&arguments.command, &environment));
        let took = began.elapsed();
        if let Ended::NotRun { problem, .. } = &ended {
            output::error(problem);
        }
        let was_run = !matches!(ended, Ended::NotRun { .. });
        if was_run && !arguments.quiet {
            summary.settle(&|| monitor.has_ended());
        }
        if was_run && monitor.has_ended() {
            output::warning(ENDED_EARLY);
        }
        match monitor.release() {
            Ok(Stopped::Yes | Stopped::No) => {}
            Err(message) => output::warning(message),
        }
        if was_run && !arguments.quiet {
            tell(&summary, took, &arguments.common);
        }
        ExitCode::from(ended.code())
    }
}

fn tell(summary: &Summary, took: Duration, common: &CommonArguments) {
    match summary.text(took, common) {
        Ok(text) => text.lines().for_each(output::note),
        Err(error) => output::warning(format!("what was found cannot be read: {error}")),
    }
}
