//! The comparison: starts the peers found on this machine, runs each row over each of them in turn, round after
//! round, and writes what came out. One core for the proxy, another for load and origin.

mod about;
mod bench;
mod chart;
mod checks;
mod descriptors;
mod flood;
mod folder;
mod goal;
mod peers;
mod process;
mod report;
mod rows;
mod stop;

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rustix::thread::CpuSet;

use self::bench::{Bench, Pace};
use self::peers::Kind;
use self::report::Results;
use self::rows::{ROWS, Row};
use crate::{Outcome, bounds};

/// Run ClawSec and its peers in turn.
#[derive(Args)]
pub struct CompareArguments {
    /// The binary of ClawSec.
    #[arg(long, default_value = "../target/release/clawsec")]
    clawsec: PathBuf,
    /// Peers to run, by name; those that are not found are left out. Default: all.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Rows to run, by name (see --list). Default: all.
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Say which rows and peers there are, and end.
    #[arg(long)]
    list: bool,
    /// Rounds; each row's figure is the median over them.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// Seconds measured a row, peer and round.
    #[arg(long, default_value_t = 3.0, value_parser = bounds::measured_seconds)]
    seconds: f64,
    /// Seconds of work before each, not counted.
    #[arg(long, default_value_t = 1.0, value_parser = bounds::seconds)]
    warmup: f64,
    /// Run all under `chrt -f 10`, so that other work cannot preempt it (needs root).
    #[arg(long)]
    realtime: bool,
    /// The core of the proxies.
    #[arg(long, default_value_t = 0)]
    proxy_core: usize,
    /// The core of origin and client.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Where the results go.
    #[arg(long, default_value = "results")]
    results: PathBuf,
}

/// Runs all and writes the results. What fails is noted in its place, and the rest goes on; an error at the end when
/// a row of ClawSec's failed.
pub fn run(arguments: &CompareArguments) -> Outcome<()> {
    if arguments.list {
        list(arguments);
        return Ok(());
    }
    check_names("peer", &arguments.peers, Kind::ALL.iter().map(|kind| kind.name()))?;
    check_names("row", &arguments.rows, ROWS.iter().map(|row| row.id))?;
    check_machine(arguments)?;
    let kinds = peers_to_run(arguments)?;
    let rows: Vec<&Row> = ROWS
        .iter()
        .filter(|row| arguments.rows.is_empty() || arguments.rows.iter().any(|name| name == row.id))
        .collect();
    let mut results = Results::new(arguments, &kinds)?;
    stop::listen()?;
    let pace = Pace { seconds: arguments.seconds, warmup: arguments.warmup };
    let cores = (arguments.proxy_core, arguments.load_core);
    let bench = Bench::start(&arguments.clawsec, cores, arguments.realtime, pace)?;
    measure(arguments, &bench, &rows, &kinds, &mut results)?;
    println!("{}", results.table());
    stop::check()?;
    match results.failed(Kind::ClawSec).as_slice() {
        [] => Ok(()),
        failed => Err(format!("rows that failed of clawsec's: {}", failed.join(", ")).into()),
    }
}

/// Round after round, row after row, peer after peer.
fn measure(
    arguments: &CompareArguments,
    bench: &Bench,
    rows: &[&Row],
    kinds: &[Kind],
    results: &mut Results,
) -> Outcome<()> {
    let bar = ProgressBar::new(arguments.rounds * (rows.len() * kinds.len()) as u64);
    let style =
        ProgressStyle::with_template("{msg:>28} [{bar:40}] {pos}/{len} {elapsed} (eta {eta})");
    bar.set_style(style?.progress_chars("=> "));
    for round in 0..arguments.rounds as usize {
        bench.begin_round();
        for row in rows {
            for kind in kinds {
                bar.set_message(format!("{} {}", row.id, kind.name()));
                let sample = bench.row(row, *kind, round);
                // What a signal cut short says nothing of the peer.
                if stop::is_asked() {
                    break;
                }
                results.note(row, *kind, sample);
                bar.inc(1);
            }
            // Kept after every row, so that an interrupted run leaves what it has.
            results.write(&arguments.results)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn list(arguments: &CompareArguments) {
    println!("Rows:");
    for row in ROWS {
        println!("  {:16} {}", row.id, row.title);
    }
    println!("Peers:");
    for kind in Kind::ALL {
        let found = kind.program(&arguments.clawsec);
        let found =
            found.map_or_else(|why| format!("missing: {why}"), |at| at.display().to_string());
        println!("  {:16} {found}", kind.name());
    }
}

/// The peers asked for that are on this machine; says which they are, and which are missing and why.
fn peers_to_run(arguments: &CompareArguments) -> Outcome<Vec<Kind>> {
    let is_asked = |kind: &Kind| {
        arguments.peers.is_empty() || arguments.peers.iter().any(|p| p == kind.name())
    };
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for kind in Kind::ALL.into_iter().filter(is_asked) {
        match kind.program(&arguments.clawsec) {
            Ok(_) => found.push(kind),
            Err(why) if kind == Kind::ClawSec => return Err(format!("clawsec: {why}").into()),
            Err(why) => missing.push(format!("{} ({why})", kind.name())),
        }
    }
    let names: Vec<_> = found.iter().map(|kind| kind.name()).collect();
    if !missing.is_empty() {
        eprintln!("missing: {}", missing.join(", "));
    }
    if found.is_empty() {
        return Err("none of the peers asked for is on this machine".into());
    }
    eprintln!("running: {}", names.join(", "));
    Ok(found)
}

/// Says what the machine cannot do before anything is started.
fn check_machine(arguments: &CompareArguments) -> Outcome<()> {
    let own = rustix::thread::sched_getaffinity(None)?;
    let usable: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| own.is_set(*core)).collect();
    for (name, core) in
        [("--proxy-core", arguments.proxy_core), ("--load-core", arguments.load_core)]
    {
        if !usable.contains(&core) {
            return Err(format!("{name} {core}: the cores are {usable:?}").into());
        }
    }
    if arguments.realtime {
        let tried = std::process::Command::new("chrt").args(["-f", "10", "true"]).output();
        let output = tried.map_err(|error| format!("--realtime: chrt: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("--realtime needs root (or CAP_SYS_NICE): {said}").into());
        }
    }
    Ok(())
}

/// A name that nobody knows is misspelt: without it something else would be measured than was asked for.
fn check_names<'a>(
    what: &str,
    asked: &[String],
    known: impl Iterator<Item = &'a str>,
) -> Outcome<()> {
    let known: Vec<&str> = known.collect();
    match asked.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            Err(format!("there is no {what} {name:?}; there are {}", known.join(", ")).into())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_row_or_peer_is_named() {
        let check =
            |name: &str| check_names("row", &[name.to_owned()], ROWS.iter().map(|row| row.id));
        check("http-1k").unwrap();
        let error = check("http-1kb").unwrap_err().to_string();
        assert!(error.contains("\"http-1kb\"") && error.contains("http-1k,"), "{error}");
    }
}
