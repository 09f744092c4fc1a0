//! [`Status`] in words, for a person at a terminal.

use std::fmt::Write;

use serde_json::Value;

use super::Status;
use crate::cli::arguments::CommonArguments;
use crate::cli::output::visible;
use crate::cli::pid_file::Instance;
use crate::cli::threats_format::{left_out_in_words, none_in_words};
use crate::limits::{CA_EXPIRY_WARNING_DAYS, STATUS_LOOK_BACK_BYTES};
use crate::report::state::State;
use crate::report::{LOG_FILE_NAME, STATE_FILE_NAME, THREATS_FILE_NAME};

impl Status<'_> {
    /// What `clawsec status` prints. Commands that it names are those of whoever called it so.
    pub(super) fn text(&self, common: &CommonArguments) -> String {
        let mut text = match &self.instance {
            Instance::Running { pid: Some(pid), .. } => {
                format!("ClawSec Monitor: RUNNING (PID {pid})\n")
            }
            Instance::Running { pid: None, .. } => "ClawSec Monitor: RUNNING (starting)\n".into(),
            Instance::Original { pid } => {
                format!("ClawSec Monitor: RUNNING (PID {pid}, the original in Python)\n")
            }
            Instance::Stopped => "ClawSec Monitor: STOPPED\n".into(),
            Instance::Stale => {
                "ClawSec Monitor: STOPPED\n  It ended without cleaning up: the PID file is stale.\n"
                    .into()
            }
        };
        if let Some(why) = &self.without_state {
            line(&mut text, "Details", &format!("none ({why})"));
        }
        if let Some(state) = &self.state {
            self.describe(state, common, &mut text);
        }
        line(&mut text, "Log folder", &self.log_dir.display().to_string());
        match &self.threats_error {
            Some(error) => line(&mut text, "Problem", error),
            None => self.describe_threats(common, &mut text),
        }
        text
    }

    fn describe(&self, state: &State, common: &CommonArguments, text: &mut String) {
        let or_off = |address: &Option<String>| address.clone().unwrap_or_else(|| "off".into());
        line(text, "Version", &state.version);
        if let Some(seconds) = self.uptime_secs {
            line(text, "Uptime", &format!("{} (since {})", duration(seconds), state.started_at));
        }
        line(text, "Proxy", &or_off(&state.listeners.proxy));
        line(text, "Gateway", &or_off(&state.listeners.gateway));
        line(text, "Admin", &or_off(&state.listeners.admin));
        line(text, "MITM", if state.mitm { "ON" } else { "OFF" });
        line(text, "Workers", &state.workers.to_string());
        let State { threats_written, suppressed, untold, dropped, .. } = state;
        let untold = match untold {
            0 => String::new(),
            _ => format!(" ({untold} of them not told in {THREATS_FILE_NAME} yet)"),
        };
        let words = format!(
            "{threats_written} written, {suppressed} repeats held back{untold}, {dropped} lost"
        );
        line(text, "Threats", &words);
        if let Some(error) = &self.last_error {
            line(text, "Problem", error);
        }
        if let Some(words) = state.ca_not_after_secs.and_then(|end| self.end_of_ca(end, common)) {
            line(text, "Problem", &words);
        }
        if let Some(age) = self.outdated_secs {
            let words = format!(
                "{STATE_FILE_NAME} was written {} ago: what is shown here is old. Is the disk full, or {} \
                 closed to the monitor? See {LOG_FILE_NAME}",
                duration(age),
                self.log_dir.display()
            );
            line(text, "Problem", &words);
        }
        if !state.counters.is_empty() {
            text.push_str("  Counters:\n");
        }
        let names = state.counters.iter().map(|(name, _)| visible(name).replace('_', " "));
        let names: Vec<String> = names.collect();
        let width = names.iter().map(String::len).max().unwrap_or_default();
        for (name, (_, value)) in names.iter().zip(&state.counters) {
            let _ = writeln!(text, "    {name:<width$} {value}");
        }
    }

    /// Of a CA whose end is near or past.
    fn end_of_ca(&self, not_after_secs: u64, common: &CommonArguments) -> Option<String> {
        let left = i64::try_from(not_after_secs).ok()?.saturating_sub(self.now.as_second());
        let remedy = format!("{} (or ca import), then a restart", common.command("ca rotate"));
        match u64::try_from(left) {
            Err(_) => {
                Some(format!("the CA has expired, and clients of HTTPS are refused: {remedy}"))
            }
            Ok(left) if left < CA_EXPIRY_WARNING_DAYS * 86_400 => {
                Some(format!("the CA expires in {}: {remedy}", duration(left)))
            }
            Ok(_) => None,
        }
    }

    fn describe_threats(&self, common: &CommonArguments, text: &mut String) {
        let count = self.tail.threats.len();
        let _ = match count {
            0 => writeln!(text, "\n{}", none_in_words(self.left_out)),
            _ => writeln!(text, "\nLast {count} threat{}:", if count == 1 { "" } else { "s" }),
        };
        for threat in &self.tail.threats {
            let field =
                |name: &str| visible(threat.get(name).and_then(Value::as_str).unwrap_or("?"));
            let _ = writeln!(
                text,
                "  {} {}/{} {} {} {}\n      {}",
                field("timestamp"),
                field("protocol"),
                field("direction"),
                field("threat_type"),
                field("pattern"),
                field("dest"),
                field("snippet"),
            );
        }
        if let Some(words) = left_out_in_words(self.left_out).filter(|_| count > 0) {
            let _ = writeln!(text, "  ({words})");
        }
        if self.tail.is_cut {
            let mebibytes = STATUS_LOOK_BACK_BYTES >> 20;
            let _ = writeln!(
                text,
                "  (the last {mebibytes} MiB of {THREATS_FILE_NAME} were looked through: {} goes on)",
                common.command("threats")
            );
        }
        if self.tail.skipped > 0 {
            let _ = writeln!(text, "  ({} unreadable lines skipped)", self.tail.skipped);
        }
    }
}

/// One indented line of a name and a value.
fn line(text: &mut String, name: &str, value: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(text, "  {:<11} {}", format!("{name}:"), visible(value));
}

/// The two largest units of a time.
fn duration(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::{now, write_threats};
    use super::*;

    #[test]
    fn a_ca_that_ends_soon_or_has_ended_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let status = Status::of(folder.path(), now(), false).unwrap();
        let common = CommonArguments { config: Some("own.json".into()), log_dir: None };
        let at = |days: i64| {
            let end = now().as_second() + days * 86_400;
            status.end_of_ca(u64::try_from(end).unwrap(), &common)
        };
        assert_eq!(at(CA_EXPIRY_WARNING_DAYS.cast_signed()), None);
        let soon = "expires in 29 d 0 h: clawsec ca rotate --config own.json (or ca import)";
        assert!(at(29).unwrap().contains(soon), "{:?}", at(29));
        assert!(at(-1).unwrap().contains("has expired"));
    }

    #[test]
    fn it_looks_back_so_far_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        write_threats(folder.path(), 1);
        let common = CommonArguments { config: None, log_dir: Some("/var/own".into()) };
        let goes_on = "were looked through: clawsec threats --log-dir /var/own goes on)";
        let shown = || {
            let text = Status::of(folder.path(), now(), false).unwrap().text(&common);
            (text.contains("rule_1"), text.contains(goes_on))
        };
        assert_eq!(shown(), (true, false));
        let path = folder.path().join(THREATS_FILE_NAME);
        let file = fs::OpenOptions::new().append(true).open(path).unwrap();
        file.set_len(STATUS_LOOK_BACK_BYTES + 1000).unwrap();
        assert_eq!(shown(), (false, true));
    }

    #[test]
    fn unreadable_lines_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(THREATS_FILE_NAME), "rubbish\n{\"pattern\":\"x\"}\n").unwrap();
        let text =
            Status::of(folder.path(), now(), false).unwrap().text(&CommonArguments::default());
        assert!(text.contains("Last 1 threat:") && text.contains("1 unreadable lines"), "{text}");
        assert!(text.contains("? ?/? ? x ?"), "{text}");
    }

    #[test]
    fn credentials_where_they_belong_are_left_out_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(THREATS_FILE_NAME);
        let text =
            |all| Status::of(folder.path(), now(), all).unwrap().text(&CommonArguments::default());
        let info = "{\"severity\":\"info\",\"pattern\":\"ai_api_key\"}\n";
        fs::write(&path, info).unwrap();
        let none = "No threats; 1 credential where it belongs (--all shows it).\n";
        assert!(text(false).ends_with(none), "{}", text(false));
        assert!(text(true).contains("Last 1 threat:"), "{}", text(true));
        fs::write(&path, format!("{info}{{\"pattern\":\"x\"}}\n{info}")).unwrap();
        let some = "2 credentials where they belong are left out (--all shows them)";
        assert!(text(false).contains("Last 1 threat:") && text(false).contains(some));
        assert!(!text(true).contains("left out"), "{}", text(true));
    }

    #[test]
    fn times_are_shown_in_their_two_largest_units() {
        for (seconds, shown) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3599, "59 min 59 s"),
            (3600, "1 h 0 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d 0 h"),
            (200_000, "2 d 7 h"),
        ] {
            assert_eq!(duration(seconds), shown);
        }
    }
}
