//! What identifies a run: the machine, its settings, and which programs were measured.

use std::fs;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest;
use serde_json::{Map, Value, json};

use super::CompareArguments;
use super::peers::Kind;
use super::process::{Placement, Process};
use crate::meter::descriptors_max;

/// How long a program may take to tell its version.
const SAY_MAX: Duration = Duration::from_secs(5);

/// For `results.json`.
pub fn of_run(arguments: &CompareArguments, kinds: &[Kind]) -> Value {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let programs: Map<_, _> = kinds
        .iter()
        .map(|kind| (kind.name().to_owned(), program(*kind, &arguments.clawsec)))
        .collect();
    json!({
        "command": std::env::args().collect::<Vec<_>>().join(" "),
        "harness": env!("CARGO_PKG_VERSION"),
        "commit_of_working_folder": commit(),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "cpu": cpu.trim_start_matches(['\t', ' ', ':']),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "proxy_core": arguments.proxy_core,
        "load_core": arguments.load_core,
        "descriptors_max": descriptors_max(),
        "tcp_congestion_control": read("/proc/sys/net/ipv4/tcp_congestion_control").trim(),
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "warmup": arguments.warmup,
        "realtime": arguments.realtime,
        "programs": programs,
    })
}

fn program(kind: Kind, clawsec: &Path) -> Value {
    let Ok(path) = kind.program(clawsec) else { return Value::Null };
    let version = kind.version_flag().and_then(|flag| first_line(&path, &[flag]));
    let bytes = fs::read(&path).unwrap_or_default();
    let sha256: String = digest::digest(&digest::SHA256, &bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({ "path": path, "version": version, "sha256": sha256 })
}

/// The commit that is checked out where this runs, with a `+` when files differ from it. Not that of a binary that
/// was built elsewhere: its SHA-256 tells which it is.
fn commit() -> Option<String> {
    let git = Path::new("git");
    let head = first_line(git, &["rev-parse", "HEAD"])?;
    let is_changed = first_line(git, &["status", "--porcelain", "-uno"]).is_some();
    Some(if is_changed { head + "+" } else { head })
}

/// The first line that a program prints, wherever to.
fn first_line(program: &Path, args: &[&str]) -> Option<String> {
    let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
    let output = Process::to_end(program, &args, Placement::ANYWHERE, SAY_MAX).ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    output.status.success().then(|| line.to_owned())
}
