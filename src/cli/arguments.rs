//! The command line as clap sees it. Values stay text here: `config` checks them like those of any
//! other source. The arguments of a command stand with it, but for those of `start` and `status`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::ca::CaArguments;
use super::configuration::ConfigArguments;
use super::doctor::DoctorArguments;
use super::environment::EnvArguments;
use super::generated::{CompletionsArguments, ManArguments};
use super::rules::RulesArguments;
use super::run::RunArguments;
use super::scan::ScanArguments;
use super::stats::StatsArguments;
use super::threats::ThreatsArguments;
use crate::config::Overrides;
use crate::shell;

const AFTER_HELP: &str = "\
Every setting is a key of the config file (JSON), a CLAWSEC_<KEY> environment variable, or a flag; the later \
beats the earlier. docs/configuration.md has the keys and their defaults.

Exit codes: 0 done, 1 failed or already running, 2 wrong arguments or configuration, 3 (status) stopped;\nof run: those of the program, 125 if there is no monitor or the configuration is wrong, 126 and 127 if the program cannot be run.";

/// Inspects what AI agents send and receive: an HTTP and HTTPS proxy that logs leaks and
/// injections.
#[derive(Debug, Parser)]
#[command(name = "clawsec", version, about, long_about = None, after_help = AFTER_HELP)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the proxy in the foreground (Ctrl-C or SIGTERM ends it)
    Start(Box<StartArguments>),
    /// End the running proxy: SIGTERM, then SIGKILL if it does not follow
    Stop(CommonArguments),
    /// Have the running proxy read its configuration again, and say what changed
    Reload(CommonArguments),
    /// Say by the exit code whether it serves: 0 or 1
    Healthcheck(CommonArguments),
    /// Print the hash of a secret (one line of standard input) for proxy_auth
    HashSecret,
    /// Show whether it runs, its counters and the last threats
    Status(StatusArguments),
    /// Print the last threats (as a JSON array, newest first), or follow them
    Threats(Box<ThreatsArguments>),
    /// Run a program with its traffic inspected: starts the monitor if need be
    Run(RunArguments),
    /// Print the environment that sends a program's traffic through the monitor
    Env(EnvArguments),
    /// Show, install, rotate or import the CA that HTTPS is read with
    Ca(CaArguments),
    /// Find out why it does not work: monitor, CA, environment, a request with a planted key
    Doctor(DoctorArguments),
    /// Count the threats by pattern, destination and hour
    Stats(StatsArguments),
    /// Look for the same patterns in files
    Scan(ScanArguments),
    /// List what is looked for, with examples
    Rules(RulesArguments),
    /// Check or show the configuration
    Config(ConfigArguments),
    /// Print the completions of a shell
    #[command(hide = true)]
    Completions(CompletionsArguments),
    /// Write the man pages into a folder
    #[command(hide = true)]
    Man(ManArguments),
}

impl Command {
    /// Takes the file that a variable names, where no flag names one.
    pub fn read_variable(&mut self, file: Option<PathBuf>) {
        if let Some(common) = self.common() {
            common.config = common.config.take().or(file);
        }
    }

    fn common(&mut self) -> Option<&mut CommonArguments> {
        Some(match self {
            Command::Start(arguments) => &mut arguments.common,
            Command::Stop(common) | Command::Reload(common) | Command::Healthcheck(common) => {
                common
            }
            Command::Status(arguments) => &mut arguments.common,
            Command::Threats(arguments) => &mut arguments.common,
            Command::Run(arguments) => &mut arguments.common,
            Command::Env(arguments) => &mut arguments.common,
            Command::Ca(arguments) => arguments.common(),
            Command::Doctor(arguments) => &mut arguments.common,
            Command::Stats(arguments) => &mut arguments.common,
            Command::Scan(arguments) => &mut arguments.common,
            Command::Rules(arguments) => &mut arguments.common,
            Command::Config(arguments) => arguments.common(),
            Command::HashSecret | Command::Completions(_) | Command::Man(_) => return None,
        })
    }
}

/// What every command takes: where the settings and the logs are.
#[derive(Clone, Debug, Default, Args)]
pub struct CommonArguments {
    /// Read settings from this JSON file [default: what CLAWSEC_CONFIG names]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the logs, the CA and the PID file [default: /tmp/clawsec]
    #[arg(long, value_name = "DIR")]
    pub log_dir: Option<String>,
}

/// `clawsec start`.
#[derive(Clone, Debug, Default, Args)]
pub struct StartArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// Do not decrypt HTTPS: tunnel it unread
    #[arg(long)]
    pub no_mitm: bool,
    /// Address and port of metrics, health and status; empty: none [default: 127.0.0.1:8889]
    #[arg(long, value_name = "IP:PORT")]
    pub admin_addr: Option<String>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub proxy_host: Option<String>,
    /// Port of the proxy; 0 picks a free one [default: 8888]
    #[arg(long, visible_alias = "port", value_name = "PORT", allow_hyphen_values = true)]
    pub proxy_port: Option<String>,
    /// Port of the gateway listener; 0 picks a free one [default: 18790]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    pub gateway_local_port: Option<String>,
    /// Port on 127.0.0.1 that the gateway listener forwards to [default: 18789]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    pub gateway_target_port: Option<String>,
    /// DEBUG, INFO, WARNING, ERROR or CRITICAL [default: INFO]
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Worker threads, one a core [default: all cores this process may use]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub workers: Option<String>,
    /// Client connections per worker [default: 10000]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_connections: Option<String>,
    /// More root certificates for origins, PEM
    #[arg(long, value_name = "FILE")]
    pub upstream_ca_file: Option<String>,
    /// Seconds for which a repeated finding is held back; 0: never [default: 60]
    #[arg(long, value_name = "SECS", allow_hyphen_values = true)]
    pub dedup_window_secs: Option<String>,
    /// Largest piece scanned at once; all pieces are scanned [default: 65536]
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    pub max_scan_bytes: Option<String>,
    /// Leave the terminal's session, as `run` wants it: its Ctrl-C is not for the monitor
    #[arg(long, hide = true)]
    pub own_session: bool,
}

/// `clawsec status`.
#[derive(Clone, Debug, Default, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Show also credentials where they belong (severity info)
    #[arg(long)]
    pub all: bool,
}

impl CommonArguments {
    /// Another command as the user would have to type it, with the same settings.
    pub fn command(&self, words: &str) -> String {
        let mut line = format!("clawsec {words}");
        let config = self.config.as_deref().map(|file| file.to_string_lossy());
        for (flag, value) in
            [("--config", config.as_deref()), ("--log-dir", self.log_dir.as_deref())]
        {
            if let Some(value) = value {
                line.push_str(&format!(" {flag} {}", shell::word(value)));
            }
        }
        line
    }

    /// `run` before the program that it runs.
    pub fn run_command(&self) -> String {
        format!("{} -- COMMAND", self.command("run"))
    }

    /// How a monitor is started anew.
    pub fn restart_commands(&self) -> String {
        format!("{}, then {}", self.command("stop"), self.command("start"))
    }

    /// Whether either was given.
    pub fn is_given(&self) -> bool {
        self.config.is_some() || self.log_dir.is_some()
    }

    /// What these flags set.
    pub fn overrides(&self) -> Overrides {
        let mut overrides = Overrides::default();
        overrides.set("log_dir", "--log-dir", self.log_dir.as_deref());
        overrides
    }
}

impl StartArguments {
    /// What these flags set.
    pub fn overrides(&self) -> Overrides {
        let mut overrides = self.common.overrides();
        for (key, flag, text) in [
            ("proxy_host", "--proxy-host", &self.proxy_host),
            ("proxy_port", "--proxy-port", &self.proxy_port),
            ("gateway_local_port", "--gateway-local-port", &self.gateway_local_port),
            ("gateway_target_port", "--gateway-target-port", &self.gateway_target_port),
            ("admin_addr", "--admin-addr", &self.admin_addr),
            ("log_level", "--log-level", &self.log_level),
            ("workers", "--workers", &self.workers),
            ("max_connections", "--max-connections", &self.max_connections),
            ("upstream_ca_file", "--upstream-ca-file", &self.upstream_ca_file),
            ("dedup_window_secs", "--dedup-window-secs", &self.dedup_window_secs),
            ("max_scan_bytes", "--max-scan-bytes", &self.max_scan_bytes),
        ] {
            overrides.set(key, flag, text.as_deref());
        }
        overrides.set("enable_mitm", "--no-mitm", self.no_mitm.then_some("false"));
        overrides
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_command_that_is_named_has_the_settings_of_this_one() {
        assert_eq!(CommonArguments::default().command("stop"), "clawsec stop");
        let common = CommonArguments {
            config: Some("/x/my config.json".into()),
            log_dir: Some("/x/logs".to_owned()),
        };
        let settings = "--config '/x/my config.json' --log-dir /x/logs";
        assert_eq!(common.command("ca rotate"), format!("clawsec ca rotate {settings}"));
        assert_eq!(common.run_command(), format!("clawsec run {settings} -- COMMAND"));
    }

    #[test]
    fn every_start_flag_reaches_the_configuration() {
        let words = "clawsec start --no-mitm --proxy-host ::1 --port 1001 --gateway-local-port 1002 \
                     --gateway-target-port 1003 --log-dir /x/logs --log-level error --workers 2 --admin-addr [::1]:7 \
                     --max-connections 9 --upstream-ca-file /x/ca.pem --dedup-window-secs 0.5 \
                     --max-scan-bytes 2048";
        let arguments = Arguments::try_parse_from(words.split_whitespace()).unwrap();
        let Command::Start(start) = arguments.command else { panic!("start") };
        let sources = crate::config::Sources {
            file: start.common.config.as_deref(),
            environment: Vec::new(),
            flags: start.overrides(),
        };
        let (config, warnings) = crate::config::load(sources).unwrap();
        assert_eq!(warnings, []);
        assert!(!config.tls.mitm);
        assert_eq!(config.listen.proxy.unwrap().to_string(), "[::1]:1001");
        assert_eq!(config.listen.gateway.unwrap().port(), 1002);
        assert_eq!(config.listen.gateway_target.port(), 1003);
        assert_eq!(config.listen.admin.unwrap().address.to_string(), "[::1]:7");
        assert_eq!(config.report.log_dir.to_str(), Some("/x/logs"));
        assert_eq!(config.report.log_level, log::LevelFilter::Error);
        assert_eq!(config.runtime.workers, Some(2));
        assert_eq!(config.runtime.max_connections, 9);
        assert_eq!(config.tls.upstream_ca_file.unwrap().to_str(), Some("/x/ca.pem"));
        assert_eq!(config.report.dedup_window.as_millis(), 500);
        assert_eq!(config.scan.max_window_bytes, 2048);
    }
}
