//! `loadtest`: an origin, a client and a comparison that measure whole proxies from outside.
//! Links nothing of the proxy, listens and connects on loopback, and ends by itself.

#![deny(unsafe_code)]

mod bodies;
mod bounds;
mod certificates;
mod client;
mod compare;
mod meter;
mod origin;
mod tally;
mod text;
mod tls;
mod websocket;
mod wire;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What every part returns: an error is one sentence for the person who started it.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Measures whole proxies: an origin, a client, and a comparison of peers.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve test answers over HTTP and TLS on loopback; prints its ports as JSON.
    Origin(origin::OriginArguments),
    /// Put load on a proxy, or straight on an origin; prints what it measured as JSON.
    Client(client::ClientArguments),
    /// Run ClawSec and the peers found on this machine in turn; writes table, JSON and charts.
    Compare(compare::CompareArguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Origin(arguments) => origin::run(&arguments),
        Command::Client(arguments) => client::run(arguments),
        Command::Compare(arguments) => compare::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadtest: {error}");
            ExitCode::FAILURE
        }
    }
}
