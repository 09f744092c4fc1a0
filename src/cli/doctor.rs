//! `clawsec doctor`: walks the troubleshooting list by itself, and says of each point whether it is
//! well, and if not what to do. Changes nothing but for one planted finding in `threats.jsonl`.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use crate::tls::CertificateDer;
use clap::Args;
use serde_json::{Value, json};

use super::arguments::CommonArguments;
use super::monitor::{self, Monitor};
use super::output::visible;
use super::pid_file::{self, Instance};
use super::requirements::{self, Problem};
use super::{doctor_environment, doctor_request, exit_code, load_common, output, process, start};
use crate::config::Config;
use crate::limits::DOCTOR_CONNECT_MS;
use crate::report::STATE_FILE_NAME;
use crate::report::state::{self, State};
use crate::tls::trust_bundle::{BUNDLE_FILE, own_certificates_of};
use crate::tls::upstream_roots::system_trusts;
use crate::tls::{Authority, AuthorityError, KEY_FILE, authority::fingerprint_sha256};

/// `clawsec doctor`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Exit codes: 0 it works, 1 something is to be mended.")]
pub struct DoctorArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// Look at the environment of this process (the agent) instead of this shell's
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// How a point stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Well,
    /// It works, or may; the user should know.
    Doubtful,
    Ill,
    /// Another point must be mended first.
    Unknown,
}

/// One point of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub name: &'static str,
    pub health: Health,
    pub said: String,
    /// What to do, where there is something to do.
    pub remedy: Option<String>,
}

impl Point {
    pub fn well(name: &'static str, said: impl Into<String>) -> Point {
        Point { name, health: Health::Well, said: said.into(), remedy: None }
    }

    pub fn doubtful(
        name: &'static str,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Point {
        Point { name, health: Health::Doubtful, said: said.into(), remedy: Some(remedy.into()) }
    }

    pub fn ill(name: &'static str, said: impl Into<String>, remedy: impl Into<String>) -> Point {
        Point { name, health: Health::Ill, said: said.into(), remedy: Some(remedy.into()) }
    }

    pub fn unknown(name: &'static str, said: impl Into<String>) -> Point {
        Point { name, health: Health::Unknown, said: said.into(), remedy: None }
    }
}

/// Runs the command.
pub fn run(arguments: &DoctorArguments) -> ExitCode {
    let config = match load_common(&arguments.common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let points = match examine(&config, arguments) {
        Ok(points) => points,
        Err(message) => {
            output::error(message);
            return ExitCode::FAILURE;
        }
    };
    let text = if arguments.json { json_of(&points) } else { text_of(&points) };
    let code = if is_healthy(&points) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    exit_code(output::print(&text).map(|()| code))
}

fn examine(config: &Config, arguments: &DoctorArguments) -> Result<Vec<Point>, String> {
    let common = &arguments.common;
    let log_dir = &config.report.log_dir;
    let mut points = Vec::new();
    let state = match monitor::look(log_dir)? {
        Monitor::Running(state) => {
            let said = format!("running (PID {}, version {})", state.pid, state.version);
            points.push(Point::well("monitor", said));
            Some(state)
        }
        other => {
            points.push(not_running(&other, log_dir, common));
            None
        }
    };
    points.extend(machine(state.as_deref().map(|state| state.pid), config));
    let proxy = state.as_deref().and_then(|state| monitor::proxy_address(state).ok());
    points.push(listening(state.as_deref(), proxy));
    let outdated_secs = state::outdated_secs(log_dir, SystemTime::now());
    points.push(writing(state.as_deref(), outdated_secs));
    let mitm = state.as_deref().map_or(config.tls.mitm, |state| state.mitm);
    let shown = state.as_deref().and_then(|state| state.ca_sha256.as_ref());
    let (authority, own) = authority(log_dir, mitm, shown, common);
    points.extend(authority);
    if shown.is_some() && own.first().is_some_and(|first| Some(&fingerprint_sha256(first)) != shown)
    {
        points.push(Point::doubtful(
            "CA",
            "the monitor still uses the previous CA",
            format!("a restart changes that: {}", common.restart_commands()),
        ));
    }
    let is_trusted = own.first().is_some_and(|_| own.iter().any(system_trusts));
    if !own.is_empty() {
        points.push(store(is_trusted, common));
    }
    let address = proxy.or_else(|| config.listen.proxy.map(monitor::client_address));
    let expected = doctor_environment::Expected { proxy: address, own: &own, is_trusted };
    points.extend(doctor_environment::examine(arguments.pid, &expected, common)?);
    match proxy.filter(|address| can_connect(*address).is_ok()) {
        Some(proxy) => {
            let asked = doctor_request::Asked { proxy, config, own: &own, mitm, common };
            points.extend(doctor_request::examine(&asked));
        }
        None => points.push(Point::unknown("request", "not made: there is no proxy to make it to")),
    }
    Ok(points)
}

fn not_running(monitor: &Monitor, log_dir: &Path, common: &CommonArguments) -> Point {
    let start = common.command("start");
    let name = "monitor";
    match monitor {
        Monitor::Starting => Point::ill(name, "just starting", "wait a moment, and try again"),
        Monitor::Original { pid } => Point::ill(
            name,
            format!("the original in Python runs (PID {pid})"),
            format!("end it, and start this one: kill {pid} && {start}"),
        ),
        Monitor::Stopped | Monitor::Running(_) => Point::ill(
            name,
            format!("not running on {}", log_dir.display()),
            match common.is_given() {
                true => format!("{start}, or {}", common.run_command()),
                false => format!(
                    "{start}, or {} (with the same --config, if you use one)",
                    common.run_command()
                ),
            },
        ),
    }
}

/// What the monitor lacks of the machine, or would if it were started from here: only a start says so otherwise.
fn machine(running: Option<u32>, config: &Config) -> Vec<Point> {
    let name = "machine";
    let (problems, well) = match running {
        Some(pid) => match of_monitor(pid, &config.report.log_dir) {
            Some(problems) => (problems, "the monitor may open enough files"),
            None => return Vec::new(),
        },
        None => (
            requirements::raise_and_look(start::worker_count(config)),
            "a monitor that is started from here has what it needs of this machine",
        ),
    };
    let point = |problem: Problem| match problem.fatal {
        true => Point::ill(name, problem.missing, problem.mend),
        false => Point::doubtful(name, problem.missing, problem.mend),
    };
    match problems.is_empty() {
        true => vec![Point::well(name, well)],
        false => problems.into_iter().map(point).collect(),
    }
}

/// None of a process that does not hold the PID file here, such as one of another container's PID, and where the kernel
/// does not tell.
fn of_monitor(pid: u32, log_dir: &Path) -> Option<Vec<Problem>> {
    let Ok(Instance::Running { file, .. }) = pid_file::inspect(log_dir) else { return None };
    process::has_open(pid, file).filter(|holds| *holds)?;
    requirements::of_monitor(pid)
}

fn listening(state: Option<&State>, proxy: Option<SocketAddr>) -> Point {
    let name = "listener";
    match (state, proxy) {
        (None, _) => Point::unknown(name, "not known: the monitor does not run"),
        (Some(_), None) => Point::ill(
            name,
            "the monitor has no proxy listener",
            "set enable_http_proxy to true, and start it anew",
        ),
        (Some(_), Some(proxy)) => match can_connect(proxy) {
            Ok(()) => Point::well(name, format!("accepts connections on {proxy}")),
            Err(problem) => Point::ill(
                name,
                format!("{proxy} cannot be reached: {problem}"),
                "is the monitor in another container or network namespace? See clawsec.log",
            ),
        },
    }
}

fn can_connect(address: SocketAddr) -> Result<(), String> {
    TcpStream::connect_timeout(&address, Duration::from_millis(DOCTOR_CONNECT_MS))
        .map(drop)
        .map_err(|error| error.to_string())
}

fn writing(state: Option<&State>, outdated_secs: Option<u64>) -> Point {
    let name = "log";
    match state {
        None => Point::unknown(name, "not known: the monitor does not run"),
        Some(State { last_error: Some(error), .. }) => Point::ill(
            name,
            format!("findings cannot be written: {error}"),
            "make room or mend the folder; what waits is written then",
        ),
        Some(State { dropped, .. }) if *dropped > 0 => Point::doubtful(
            name,
            format!("{dropped} findings were lost because more came than could be written"),
            "a larger dedup_window_secs holds repeats back",
        ),
        Some(_) => match outdated_secs {
            None => Point::well(name, "findings are written"),
            Some(age) => Point::ill(
                name,
                format!(
                    "{STATE_FILE_NAME} was written {age} s ago, and findings may not be written either"
                ),
                "make room or mend the folder; see clawsec.log",
            ),
        },
    }
}

/// The CA on disk; `shown` is the fingerprint of the one that a running monitor shows.
fn authority(
    log_dir: &Path,
    mitm: bool,
    shown: Option<&String>,
    common: &CommonArguments,
) -> (Vec<Point>, Vec<CertificateDer<'static>>) {
    let name = "CA";
    if !mitm {
        let said = "HTTPS is tunnelled unread (enable_mitm is false)";
        let remedy = "to see what is inside: start without --no-mitm, and set enable_mitm to true";
        return (vec![Point::doubtful(name, said, remedy)], Vec::new());
    }
    let loaded = Authority::load(log_dir, SystemTime::now());
    match (loaded, own_certificates_of(log_dir)) {
        (Ok(authority), Ok(own)) => {
            let said = format!(
                "valid until {}, SHA-256 {}",
                authority.expires_at().date(),
                own.first().map(fingerprint_sha256).unwrap_or_default()
            );
            let warnings = authority.warnings().iter();
            let doubts = warnings.map(|warning| {
                Point::doubtful(
                    name,
                    warning.to_string(),
                    format!("{}, then trust the new one", common.command("ca rotate")),
                )
            });
            (std::iter::once(Point::well(name, said)).chain(doubts).collect(), own)
        }
        (Err(error), _) | (_, Err(error)) => {
            let point = match shown {
                Some(shown) => lost_authority(&error, shown, log_dir, common),
                None => Point::ill(
                    name,
                    error.to_string(),
                    format!("{} makes one where there is none", common.command("start")),
                ),
            };
            (vec![point], Vec::new())
        }
    }
}

/// A CA that a running monitor has, and the disk no longer.
fn lost_authority(
    error: &AuthorityError,
    shown: &str,
    log_dir: &Path,
    common: &CommonArguments,
) -> Point {
    let restart = common.restart_commands();
    let AuthorityError::Absent { certificate } = error else {
        let said = format!("{error}. The running monitor signs with the CA that it has in memory");
        return Point::ill("CA", said, format!("once it is mended: {restart}"));
    };
    let said = format!(
        "{} is gone: the running monitor signs with the CA that it has in memory (SHA-256 {shown}), and programs that are \
         started now find nothing to trust it by",
        certificate.display()
    );
    let anew = match log_dir.join(KEY_FILE).exists() {
        true => "makes it again for the same key",
        false => "makes another CA, for ca.key is gone, too",
    };
    let remedy = format!(
        "put it back from a backup, or take the first certificate of {} if that is this one; without either, {restart} \
         {anew}, to be trusted anew",
        log_dir.join(BUNDLE_FILE).display()
    );
    Point::ill("CA", said, remedy)
}

fn store(is_trusted: bool, common: &CommonArguments) -> Point {
    match is_trusted {
        true => Point::well("store", "this system's store holds the CA"),
        false => Point::doubtful(
            "store",
            "this system's store does not hold the CA (each program needs its variable)",
            format!(
                "{} and {} set them; or, for the whole system: sudo {}",
                common.run_command(),
                common.command("env"),
                common.command("ca install")
            ),
        ),
    }
}

fn is_healthy(points: &[Point]) -> bool {
    points.iter().all(|point| matches!(point.health, Health::Well | Health::Doubtful))
}

fn text_of(points: &[Point]) -> String {
    let mut text = String::new();
    for point in points {
        let word = match point.health {
            Health::Well => "OK",
            Health::Doubtful => "NOTE",
            Health::Ill => "FAIL",
            Health::Unknown => "?",
        };
        text.push_str(&format!("{word:<5} {:<12} {}\n", point.name, visible(&point.said)));
        if let Some(remedy) = &point.remedy {
            text.push_str(&format!("{:<18} ▶ {}\n", "", visible(remedy)));
        }
    }
    let ill = points.iter().filter(|point| point.health == Health::Ill).count();
    text.push_str(&match ill {
        0 if is_healthy(points) => "\nOK: ClawSec works.\n".to_owned(),
        1 => "\n1 problem to be mended.\n".to_owned(),
        _ => format!("\n{ill} problems to be mended.\n"),
    });
    text
}

fn json_of(points: &[Point]) -> String {
    let list: Vec<Value> = points
        .iter()
        .map(|point| {
            let health = match point.health {
                Health::Well => "ok",
                Health::Doubtful => "note",
                Health::Ill => "fail",
                Health::Unknown => "unknown",
            };
            json!({"name": point.name, "health": health, "said": point.said, "remedy": point.remedy})
        })
        .collect();
    format!("{:#}\n", json!({"ok": is_healthy(points), "points": list}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::pid_file::PidFile;

    /// The limits of whoever had the PID were told of as the monitor's.
    #[test]
    fn a_process_with_the_monitors_pid_that_is_another_is_not_taken_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::process::id();
        assert_eq!(of_monitor(own, dir.path()), None, "nobody runs");
        let _held = PidFile::acquire(dir.path()).unwrap();
        assert!(of_monitor(own, dir.path()).is_some());
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let told = of_monitor(other.id(), dir.path());
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(told, None);
        assert_eq!(of_monitor(u32::MAX, dir.path()), None);
    }
}
