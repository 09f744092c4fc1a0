//! `clawsec status`: whether it runs, as what, what it counted and what it found last. Changes
//! nothing.

/// In words.
mod text;

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::arguments::StatusArguments;
use super::pid_file::{self, Instance};
use super::{healthcheck, load_common, log_dir, output};
use crate::limits::{STATUS_LOOK_BACK_BYTES, STATUS_THREATS};
use crate::report::state::{self, State};
use crate::report::tail::{self, Tail, Verdict};
use crate::report::threat_filter::is_info;
use crate::report::{STATE_FILE_NAME, THREATS_FILE_NAME};

/// The exit code that says stopped (as `systemctl status` has it).
const EXIT_STOPPED: u8 = 3;

/// Runs the command.
pub fn run(arguments: &StatusArguments) -> ExitCode {
    let config = match load_common(&arguments.common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let path = &config.report.log_dir;
    healthcheck::freshen(path);
    let printed = Status::of(path, Timestamp::now(), arguments.all).and_then(|status| {
        let text = match arguments.json {
            true => status.json(),
            false => status.text(&arguments.common),
        };
        output::result(&text).map_err(|error| format!("cannot print: {error}"))?;
        Ok(status.is_running())
    });
    match printed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(EXIT_STOPPED),
        Err(message) => {
            output::error(message);
            ExitCode::FAILURE
        }
    }
}

/// All that is shown.
#[derive(Debug)]
pub struct Status<'a> {
    log_dir: &'a Path,
    now: Timestamp,
    instance: Instance,
    /// What the running monitor wrote about itself; none of a stopped one, or of the original.
    state: Option<State>,
    /// Why there is no state although it runs.
    without_state: Option<String>,
    uptime_secs: Option<u64>,
    /// The state's age, where it is too old to be true.
    outdated_secs: Option<u64>,
    /// Why findings cannot be written.
    last_error: Option<String>,
    tail: Tail,
    /// Why there are no findings to show, where they cannot be read.
    threats_error: Option<String>,
    /// Credentials where they belong that were passed over among them.
    left_out: u64,
}

impl<'a> Status<'a> {
    /// Looks.
    pub fn of(log_dir: &'a Path, now: Timestamp, all: bool) -> Result<Status<'a>, String> {
        let instance =
            pid_file::inspect(log_dir).map_err(|error| log_dir::unreadable(log_dir, &error))?;
        let (state, without_state) = match &instance {
            Instance::Running { pid, .. } => match state::read(log_dir) {
                // A file that an earlier, killed monitor left says nothing about this one.
                Ok(state) if Some(state.pid) == *pid => (Some(state), None),
                Ok(_) => (None, Some("it is just starting".to_string())),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    (None, Some("it is just starting".to_string()))
                }
                Err(error) => (None, Some(format!("{STATE_FILE_NAME}: {error}"))),
            },
            _ => (None, None),
        };
        let uptime_secs = state.as_ref().and_then(|state| uptime_secs(&state.started_at, now));
        let outdated_secs =
            state.as_ref().and_then(|_| state::outdated_secs(log_dir, SystemTime::from(now)));
        let last_error = state.as_ref().and_then(|state| state.last_error.clone());
        let mut left_out = 0;
        let mut judge = |threat: &Value| match all || !is_info(threat) {
            true => Verdict::Keep,
            false => {
                left_out += 1;
                Verdict::PassOver
            }
        };
        let path = log_dir.join(THREATS_FILE_NAME);
        let tail = tail::last_within(&path, STATUS_THREATS, STATUS_LOOK_BACK_BYTES, &mut judge);
        // Whether it runs, and as what, is known all the same.
        let (tail, threats_error) = match tail {
            Ok(tail) => (tail, None),
            Err(error) => {
                (Tail::default(), Some(format!("{THREATS_FILE_NAME} cannot be read: {error}")))
            }
        };
        Ok(Status {
            log_dir,
            now,
            instance,
            state,
            without_state,
            uptime_secs,
            outdated_secs,
            last_error,
            tail,
            threats_error,
            left_out,
        })
    }

    /// As the monitor itself knows it, whatever could be written.
    pub fn with_last_error(mut self, last_error: Option<String>) -> Status<'a> {
        self.last_error = last_error;
        self
    }

    fn is_running(&self) -> bool {
        matches!(self.instance, Instance::Running { .. } | Instance::Original { .. })
    }

    fn pid(&self) -> Option<u32> {
        match self.instance {
            Instance::Running { pid, .. } => pid,
            Instance::Original { pid } => Some(pid),
            Instance::Stopped | Instance::Stale => None,
        }
    }

    /// One object.
    pub fn json(&self) -> String {
        // What the monitor says about itself first, then what is known from outside, which decides.
        let mut object = match self.state.as_ref().map(serde_json::to_value) {
            Some(Ok(Value::Object(object))) => object,
            _ => serde_json::Map::new(),
        };
        for (name, value) in [
            ("running", json!(self.is_running())),
            ("pid", json!(self.pid())),
            ("uptime_secs", json!(self.uptime_secs)),
            ("stale_pid_file", json!(matches!(self.instance, Instance::Stale))),
            ("log_dir", json!(self.log_dir.display().to_string())),
            ("threats", Value::Array(self.tail.threats.clone())),
            ("threats_skipped", json!(self.tail.skipped)),
        ] {
            object.insert(name.to_string(), value);
        }
        object.remove("last_error");
        if let Some(error) = &self.last_error {
            object.insert("last_error".to_string(), json!(error));
        }
        if let Some(error) = &self.threats_error {
            object.insert("threats_error".to_string(), json!(error));
        }
        if let Some(age) = self.outdated_secs {
            object.insert("outdated_secs".to_string(), json!(age));
        }
        format!("{:#}\n", Value::Object(object))
    }
}

fn uptime_secs(started_at: &str, now: Timestamp) -> Option<u64> {
    let started: Timestamp = started_at.parse().ok()?;
    u64::try_from(now.as_second().saturating_sub(started.as_second())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::CommonArguments;
    use crate::cli::pid_file::PidFile;
    use std::fs;

    pub(super) fn now() -> Timestamp {
        "2026-02-19T14:42:02+00:00".parse().unwrap()
    }

    fn write_state(log_dir: &Path, pid: u32) {
        let state = json!({
            "pid": pid, "version": "9.8.7", "started_at": "2026-02-19T13:41:59.587248+00:00",
            "mitm": true, "listeners": {"proxy": "127.0.0.1:8888"}, "workers": 2,
            "log_dir": "/elsewhere", "counters": {"requests": 12, "bytes_inbound": 345},
            "threats_written": 7, "suppressed": 8, "untold": 3, "dropped": 9, "last_error": "No space left",
        });
        fs::write(log_dir.join(STATE_FILE_NAME), state.to_string()).unwrap();
    }

    pub(super) fn write_threats(log_dir: &Path, count: usize) {
        let line = |n: usize| {
            json!({"direction": "outbound", "protocol": "https", "threat_type": "EXFIL",
                   "pattern": format!("rule_{n}"), "snippet": "\u{1b}[2J evil", "source": "127.0.0.1",
                   "dest": "api.example:443", "timestamp": "2026-02-19T13:41:59.587248+00:00"})
        };
        let lines: String = (1..=count).map(|n| format!("{}\n", line(n))).collect();
        fs::write(log_dir.join(THREATS_FILE_NAME), lines).unwrap();
    }

    #[test]
    fn stopped_is_told_from_an_empty_and_from_a_missing_folder() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        for path in [folder.path(), &missing] {
            let status = Status::of(path, now(), false).unwrap();
            assert!(!status.is_running());
            assert!(
                status.text(&CommonArguments::default()).starts_with("ClawSec Monitor: STOPPED\n"),
                "{}",
                status.text(&CommonArguments::default())
            );
            assert!(status.text(&CommonArguments::default()).ends_with("No threats recorded.\n"));
            let json: Value = serde_json::from_str(&status.json()).unwrap();
            assert_eq!(json["running"], false);
            assert_eq!(json["pid"], Value::Null);
            assert_eq!(json["threats"], json!([]));
        }
        assert!(!missing.exists());
    }

    #[test]
    fn a_running_monitor_is_shown_with_what_it_wrote_about_itself() {
        let folder = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let _held = PidFile::acquire(folder.path()).unwrap();
        write_state(folder.path(), pid);
        write_threats(folder.path(), STATUS_THREATS + 1);
        let status = Status::of(folder.path(), now(), false).unwrap();
        let text = status.text(&CommonArguments::default());
        assert!(text.starts_with(&format!("ClawSec Monitor: RUNNING (PID {pid})\n")), "{text}");
        for part in [
            "9.8.7",
            "1 h 0 min",
            "Proxy:      127.0.0.1:8888",
            "Gateway:    off",
            "MITM:       ON",
            "Workers:    2",
            "7 written, 8 repeats held back (3 of them not told in threats.jsonl yet), 9 lost",
            "Problem:    No space left",
            "\n    requests      12\n",
            "\n    bytes inbound 345\n",
            "Last 5 threats:",
            "https/outbound EXFIL rule_6 api.example:443",
            "\\u{1b}[2J evil",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert!(text.find("rule_6") < text.find("rule_2"), "newest first: {text}");
        assert!(!text.contains("rule_1 ") && !text.contains('\u{1b}'), "{text}");

        let json: Value = serde_json::from_str(&status.json()).unwrap();
        assert_eq!(json["running"], true);
        assert_eq!(json["pid"], pid);
        assert_eq!(json["uptime_secs"], 3603);
        assert_eq!(json["listeners"]["proxy"], "127.0.0.1:8888");
        assert_eq!(json["counters"]["requests"], 12);
        assert_eq!(json["log_dir"], folder.path().to_str().unwrap());
        assert_eq!(json["threats"].as_array().unwrap().len(), STATUS_THREATS);
        assert_eq!(json["threats"][0]["pattern"], "rule_6");
    }

    #[test]
    fn a_state_that_is_not_rewritten_any_more_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let _held = PidFile::acquire(folder.path()).unwrap();
        write_state(folder.path(), std::process::id());
        let shown = |secs| {
            let now = Timestamp::now() + std::time::Duration::from_secs(secs);
            let status = Status::of(folder.path(), now, false).unwrap();
            (
                status.text(&CommonArguments::default()),
                serde_json::from_str::<Value>(&status.json()).unwrap(),
            )
        };
        let (text, json) = shown(0);
        assert!(!text.contains("is old") && json.get("outdated_secs").is_none(), "{text}");
        let (text, json) = shown(3600);
        assert!(text.contains("Problem:    monitor.json was written 1 h 0 min ago"), "{text}");
        assert!(json["outdated_secs"].as_u64().unwrap() >= 3600);
    }

    #[test]
    fn what_the_monitor_knows_of_itself_takes_the_place_of_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let _held = PidFile::acquire(folder.path()).unwrap();
        write_state(folder.path(), std::process::id());
        let told = |error: Option<&str>| {
            let status = Status::of(folder.path(), now(), false).unwrap();
            let json = status.with_last_error(error.map(str::to_owned)).json();
            serde_json::from_str::<Value>(&json).unwrap().get("last_error").cloned()
        };
        assert_eq!(told(Some("Read-only file system")).unwrap(), "Read-only file system");
        assert_eq!(told(None), None);
    }

    #[test]
    fn the_state_of_an_earlier_monitor_is_not_shown_as_this_ones() {
        let folder = tempfile::tempdir().unwrap();
        write_state(folder.path(), 1);
        assert!(
            !Status::of(folder.path(), now(), false)
                .unwrap()
                .text(&CommonArguments::default())
                .contains("9.8.7")
        );
        let _held = PidFile::acquire(folder.path()).unwrap();
        let text =
            Status::of(folder.path(), now(), false).unwrap().text(&CommonArguments::default());
        assert!(text.contains("RUNNING") && text.contains("just starting"), "{text}");
        assert!(!text.contains("9.8.7"), "{text}");
        fs::write(folder.path().join(STATE_FILE_NAME), "{").unwrap();
        let text =
            Status::of(folder.path(), now(), false).unwrap().text(&CommonArguments::default());
        assert!(text.contains("RUNNING") && text.contains("monitor.json"), "{text}");
    }

    #[test]
    fn a_stale_file_is_stopped_and_said() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("monitor.pid"), "1\n").unwrap();
        let status = Status::of(folder.path(), now(), false).unwrap();
        assert!(!status.is_running());
        assert!(
            status.text(&CommonArguments::default()).contains("STOPPED")
                && status.text(&CommonArguments::default()).contains("stale")
        );
        let json: Value = serde_json::from_str(&status.json()).unwrap();
        assert_eq!(json["stale_pid_file"], true);
        assert!(folder.path().join("monitor.pid").exists(), "looking changes nothing");
    }

    #[test]
    fn threats_that_cannot_be_read_are_a_problem_and_do_not_hide_that_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(THREATS_FILE_NAME)).unwrap();
        let shown = |runs: bool| {
            let status = Status::of(folder.path(), now(), false).unwrap();
            assert_eq!(status.is_running(), runs);
            let json: Value = serde_json::from_str(&status.json()).unwrap();
            assert_eq!((&json["running"], &json["threats"]), (&json!(runs), &json!([])));
            let error = json["threats_error"].as_str().unwrap();
            assert!(error.starts_with("threats.jsonl cannot be read: "), "{error}");
            let text = status.text(&CommonArguments::default());
            assert!(text.contains("Problem:    threats.jsonl cannot be read: "), "{text}");
            assert!(!text.contains("No threats"), "nobody knows: {text}");
            text
        };
        assert!(shown(false).starts_with("ClawSec Monitor: STOPPED\n"));
        let _held = PidFile::acquire(folder.path()).unwrap();
        write_state(folder.path(), std::process::id());
        assert!(shown(true).starts_with("ClawSec Monitor: RUNNING (PID "));
    }

    #[test]
    fn an_uptime_that_cannot_be_told_is_none() {
        assert_eq!(uptime_secs("rubbish", now()), None);
        assert_eq!(uptime_secs("2026-02-19T14:42:03+00:00", now()), None, "a clock set back");
    }
}
