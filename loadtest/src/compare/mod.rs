//! The comparison: starts the peers found on this machine, runs each row over each of them in turn, round after
//! round, and writes what came out. One core for the proxy, another for load and origin.

mod bench;
mod chart;
mod checks;
mod descriptors;
mod flood;
mod folder;
mod peers;
mod process;
mod report;
mod rows;
mod stop;

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use self::bench::{Bench, Pace};
use self::peers::Kind;
use self::report::Results;
use self::rows::ROWS;
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
    /// Say which rows there are, and end.
    #[arg(long)]
    list: bool,
    /// Rounds; each row's figure is the median over them.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
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

/// Runs all and writes the results. What fails is noted in its place, and the rest goes on.
pub fn run(arguments: &CompareArguments) -> Outcome<()> {
    if arguments.list {
        for row in ROWS {
            println!("{:16} {}", row.id, row.title);
        }
        return Ok(());
    }
    check_names("peer", &arguments.peers, Kind::ALL.iter().map(|kind| kind.name()))?;
    check_names("row", &arguments.rows, ROWS.iter().map(|row| row.id))?;
    let pace = Pace { seconds: arguments.seconds, warmup: arguments.warmup };
    let cores = (arguments.proxy_core, arguments.load_core);
    stop::listen()?;
    let bench = Bench::start(&arguments.clawsec, cores, arguments.realtime, pace)?;
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| {
            arguments.peers.is_empty() || arguments.peers.iter().any(|p| p == kind.name())
        })
        .filter(|kind| bench.finds(*kind))
        .collect();
    let chosen: Vec<_> = ROWS
        .iter()
        .filter(|row| arguments.rows.is_empty() || arguments.rows.iter().any(|name| name == row.id))
        .collect();
    if kinds.is_empty() || chosen.is_empty() {
        return Err("no peer or no row is left to run (see --list)".into());
    }
    let bar = ProgressBar::new((arguments.rounds * chosen.len() * kinds.len()) as u64);
    let style =
        ProgressStyle::with_template("{msg:>28} [{bar:40}] {pos}/{len} {elapsed} (eta {eta})");
    bar.set_style(style?.progress_chars("=> "));
    let mut results = Results::new(&bench, arguments.rounds);
    for round in 0..arguments.rounds {
        bench.begin_round();
        for row in &chosen {
            for kind in &kinds {
                bar.set_message(format!("{} {}", row.id, kind.name()));
                let sample = bench.row(row, *kind, round);
                // What a signal cut short says nothing of the peer.
                if !stop::is_asked() {
                    results.note(row, *kind, sample);
                }
                bar.inc(1);
            }
            // Kept after every row, so that an interrupted run leaves what it has.
            results.write(&arguments.results)?;
        }
    }
    bar.finish_and_clear();
    println!("{}", results.table());
    stop::check()
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
