//! `clawsec threats`: the last findings, newest first, or the next ones as they come. Changes
//! nothing.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;

use super::arguments::CommonArguments;
use super::threats_follow::Follow;
use super::threats_format::{Csv, Table, left_out_in_words};
use super::{exit_code, load_common, log_dir, output};
use crate::finding::{Confidence, Severity};
use crate::limits::{FOLLOW_POLL_MS, THREATS_DEFAULT, THREATS_MAX};
use crate::report::THREATS_FILE_NAME;
use crate::report::tail::{self, Tail};
use crate::report::threat_filter::{ThreatFilter, parse_since};

/// `clawsec threats`.
#[derive(Clone, Debug, Args)]
pub struct ThreatsArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// How many at most [default: 10; with --since: all; with --follow: none of the old ones]
    #[arg(long, short = 'n', value_name = "N",
          value_parser = clap::value_parser!(u64).range(0..=THREATS_MAX as u64))]
    pub limit: Option<u64>,
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Go on with those that come, until Ctrl-C
    #[arg(long, short = 'f')]
    pub follow: bool,
    /// How they are printed [default: json; with --follow jsonl]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
}

/// Which findings, for the commands that read them.
#[derive(Clone, Debug, Default, Args)]
pub struct FilterArguments {
    /// Only since then: 90s, 10m, 2h, 7d ago, or a moment such as 2026-02-19T13:41:59Z or 2026-02-19 (UTC)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Only these patterns; * stands for any characters; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub pattern: Vec<String>,
    /// Only inbound or outbound
    #[arg(long, value_name = "GLOB")]
    pub direction: Vec<String>,
    /// Only EXFIL or INJECTION
    #[arg(long = "type", value_name = "GLOB")]
    pub threat_type: Vec<String>,
    /// Only these destinations, with the port or without
    #[arg(long, value_name = "GLOB")]
    pub dest: Vec<String>,
    /// Only from these addresses
    #[arg(long, value_name = "GLOB")]
    pub source: Vec<String>,
    /// Only of these users (with proxy_auth)
    #[arg(long, value_name = "GLOB")]
    pub agent: Vec<String>,
    /// Only what is so bad or worse: info, low, medium, high or critical [default: low]
    #[arg(long, value_name = "MIN", conflicts_with = "all", value_parser = severity)]
    pub severity: Option<Severity>,
    /// Only what is so likely or more: low, medium or high; low is what a check found to be an example or harmless
    #[arg(long, value_name = "MIN", value_parser = confidence)]
    pub confidence: Option<Confidence>,
    /// Also credentials where they belong (severity info)
    #[arg(long)]
    pub all: bool,
}

fn severity(text: &str) -> Result<Severity, String> {
    Severity::from_name(text).ok_or_else(|| "info, low, medium, high or critical".to_owned())
}

fn confidence(text: &str) -> Result<Confidence, String> {
    Confidence::from_name(text).ok_or_else(|| "low, medium or high".to_owned())
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One array
    Json,
    /// One object a line, as in the file
    Jsonl,
    /// Columns for people, coloured on a terminal
    Table,
    /// Comma-separated, with a line of names
    Csv,
}

impl FilterArguments {
    /// The filter that they ask for.
    pub fn filter(&self, now: Timestamp) -> Result<ThreatFilter, String> {
        let since = match &self.since {
            None => None,
            Some(text) => Some(parse_since(text, now).ok_or_else(|| {
                format!(
                    "--since {text:?}: write 90s, 10m, 2h, 7d, 2026-02-19 or 2026-02-19T13:41:59Z"
                )
            })?),
        };
        let filter = ThreatFilter {
            pattern: self.pattern.clone(),
            direction: self.direction.clone(),
            threat_type: self.threat_type.clone(),
            dest: self.dest.clone(),
            source: self.source.clone(),
            agent: self.agent.clone(),
            since,
            least_confidence: self.confidence,
            least_severity: self.severity.or((!self.all).then_some(Severity::Low)),
        };
        filter.check().map(|()| filter)
    }
}

/// Runs the command.
pub fn run(arguments: &ThreatsArguments) -> ExitCode {
    let config = match load_common(&arguments.common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    if arguments.follow && arguments.format == Some(Format::Json) {
        output::error("--follow never ends, and an array must: use --format jsonl");
        return ExitCode::from(super::EXIT_USAGE);
    }
    let filter = match arguments.filter.filter(Timestamp::now()) {
        Ok(filter) => filter,
        Err(message) => {
            output::error(message);
            return ExitCode::from(super::EXIT_USAGE);
        }
    };
    log_dir::warn_if_missing(&config.report.log_dir);
    let path = config.report.log_dir.join(THREATS_FILE_NAME);
    let shown = Shown { path, filter, limit: arguments.limit(), format: arguments.format() };
    let outcome = match arguments.follow {
        true => shown.follow(),
        false => shown.last(),
    };
    exit_code(outcome.map(|()| ExitCode::SUCCESS))
}

impl ThreatsArguments {
    fn limit(&self) -> usize {
        match (self.limit, self.follow, &self.filter.since) {
            (Some(limit), ..) => usize::try_from(limit).unwrap_or(usize::MAX),
            (None, _, Some(_)) => THREATS_MAX,
            (None, true, None) => 0,
            (None, false, None) => THREATS_DEFAULT,
        }
    }

    fn format(&self) -> Format {
        let default = if self.follow { Format::Jsonl } else { Format::Json };
        self.format.unwrap_or(default)
    }
}

/// What is to be shown, and how.
struct Shown {
    path: std::path::PathBuf,
    filter: ThreatFilter,
    limit: usize,
    format: Format,
}

impl Shown {
    fn last(&self) -> Result<(), String> {
        let (tail, left_out) = self.tail()?;
        let left_out = left_out_in_words(left_out);
        match self.format {
            Format::Json => output::print(&format!("{:#}\n", Value::Array(tail.threats)))?,
            _ => output::print(&format!("{}{}", self.heading(), self.lines(&tail.threats)))?,
        }
        match (self.format, left_out) {
            (_, None) => {}
            (Format::Table, Some(words)) => output::print(&format!("({words})\n"))?,
            // What is for programs stays as it is.
            (_, Some(words)) => output::note(words),
        }
        if tail.skipped > 0 {
            let count = tail.skipped;
            output::warning(format!("{count} unreadable lines of {THREATS_FILE_NAME} skipped"));
        }
        Ok(())
    }

    /// The old ones that are asked for, oldest first, then each new one.
    fn follow(&self) -> Result<(), String> {
        let unreadable = |error| log_dir::unreadable(&self.path, &error);
        let mut follow = Follow::from_end(&self.path).map_err(unreadable)?;
        let mut judge = |threat: &Value| self.filter.judge(threat);
        let old = follow.old(self.limit, u64::MAX, &mut judge, &mut || Ok(()));
        let mut tail = old.map_err(unreadable)?;
        tail.threats.reverse();
        let mut text = format!("{}{}", self.heading(), self.lines(&tail.threats));
        loop {
            let goes_on = output::piece(&text).map_err(|error| format!("cannot print: {error}"))?;
            if !goes_on {
                return Ok(());
            }
            let is_read = || output::is_read_for(FOLLOW_POLL_MS);
            let Some(mut new) = follow.wait(&is_read).map_err(unreadable)? else { return Ok(()) };
            new.retain(|threat| self.filter.wants(threat));
            text = self.lines(&new);
        }
    }

    /// The last ones, and how many credentials where they belong were left out among them.
    fn tail(&self) -> Result<(Tail, u64), String> {
        let mut left_out = 0;
        let mut judge = |threat: &Value| self.filter.judge_and_count(threat, &mut left_out);
        let tail = tail::last_matching(&self.path, self.limit, &mut judge)
            .map_err(|error| log_dir::unreadable(&self.path, &error))?;
        Ok((tail, left_out))
    }

    fn heading(&self) -> String {
        match self.format {
            Format::Csv => Csv::heading(),
            Format::Table => Table::new(output::has_colours()).heading(),
            Format::Json | Format::Jsonl => String::new(),
        }
    }

    fn lines(&self, threats: &[Value]) -> String {
        let table = Table::new(output::has_colours());
        let line = |threat: &Value| match self.format {
            Format::Csv => Csv::line(threat),
            Format::Table => table.line(threat),
            Format::Json | Format::Jsonl => format!("{threat}\n"),
        };
        threats.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::arguments::{Arguments, Command};
    use super::*;

    fn parse(words: &[&str]) -> Result<ThreatsArguments, clap::Error> {
        let parsed = Arguments::try_parse_from([&["clawsec", "threats"], words].concat())?;
        let Command::Threats(threats) = parsed.command else { panic!("threats") };
        Ok(*threats)
    }

    #[test]
    fn the_limit_holds_at_its_bound_and_breaks_past_it() {
        assert_eq!(parse(&["--limit", &THREATS_MAX.to_string()]).unwrap().limit(), THREATS_MAX);
        assert_eq!(parse(&["-n", "0"]).unwrap().limit(), 0);
        for wrong in [(THREATS_MAX + 1).to_string().as_str(), "-1", "ten"] {
            assert_eq!(parse(&["--limit", wrong]).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn defaults_depend_on_what_is_asked() {
        for (words, limit, format) in [
            (&[][..], THREATS_DEFAULT, Format::Json),
            (&["--since", "1h"][..], THREATS_MAX, Format::Json),
            (&["--follow"][..], 0, Format::Jsonl),
            (&["--follow", "--limit", "5", "--format", "csv"][..], 5, Format::Csv),
        ] {
            let arguments = parse(words).unwrap();
            assert_eq!((arguments.limit(), arguments.format()), (limit, format), "{words:?}");
        }
    }

    #[test]
    fn the_help_tells_the_default_of_each_option_from_its_values() {
        let mut command = <Arguments as clap::CommandFactory>::command();
        let help = command.find_subcommand_mut("threats").unwrap().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("[default: 10; with --since: all; with --follow: none"), "{help}");
    }

    #[test]
    fn filters_may_be_repeated() {
        let arguments = parse(&["--pattern", "a*", "--pattern", "b", "--type", "EXFIL"]).unwrap();
        let filter = arguments.filter.filter(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(filter.pattern, ["a*", "b"]);
        assert_eq!(filter.threat_type, ["EXFIL"]);
        assert_eq!(filter.least_severity, Some(Severity::Low));
        let least = |words: &[&str]| {
            parse(words).unwrap().filter.filter(Timestamp::UNIX_EPOCH).unwrap().least_severity
        };
        assert_eq!(least(&["--all"]), None);
        assert_eq!(least(&["--severity", "Critical"]), Some(Severity::Critical));
        let likely = parse(&["--confidence", "Medium"]).unwrap().filter;
        assert_eq!(likely.confidence, Some(Confidence::Medium));
        for wrong in [
            &["--severity", "bad"][..],
            &["--confidence", "info"],
            &["--severity", "low", "--all"][..],
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2);
        }
        let wrong = parse(&["--since", "soon"]).unwrap();
        assert!(wrong.filter.filter(Timestamp::UNIX_EPOCH).unwrap_err().contains("soon"));
    }
}
