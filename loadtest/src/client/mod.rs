//! The client: opens connections through a proxy or straight to an origin, puts one kind of work on them, and
//! prints what it saw, with what the proxy's process spent meanwhile.

mod conversation;
mod dial;
mod exchange;
mod failures;
mod idle;
mod open_loop;
mod requests;
mod run;
mod streams;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};

use self::dial::Dialer;
pub use self::idle::{NOISE_KIB, SHRANK};
use crate::{Outcome, bounds, tls};

/// Put load on a proxy, or straight on an origin. Prints what it measured, and fails when more than 1 % of the
/// requests did, or were not answered.
#[derive(Args)]
pub struct ClientArguments {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand)]
enum Work {
    /// Request after request: closed loop, or open loop with --rate.
    Requests(requests::RequestsArguments),
    /// Event streams: how long after its sending an event arrives.
    Sse(streams::SseArguments),
    /// WebSocket echo: round trips.
    Websocket(streams::WebsocketArguments),
    /// Connections that only wait: what memory the proxy holds for each.
    Idle(idle::IdleArguments),
}

/// Where the load goes. The same for every kind of work.
#[derive(Args, Clone)]
pub struct TargetArguments {
    /// http://HOST:PORT/PATH or https://HOST:PORT/PATH.
    #[arg(long)]
    url: String,
    /// The forward proxy, HOST:PORT. Absolute-form for http, CONNECT for https. Without: straight to the URL.
    #[arg(long)]
    proxy: Option<String>,
    /// Trusted roots (PEM) for https: the proxy's CA, or the origin's. May be given more than once.
    #[arg(long)]
    ca_file: Vec<PathBuf>,
    /// Trust any certificate.
    #[arg(long)]
    insecure: bool,
    /// Give each new connection the next of so many server names, hN.load.test.
    #[arg(long)]
    names: Option<u64>,
    /// The N of the first of these names.
    #[arg(long, default_value_t = 0)]
    first_name: u64,
    /// Resume TLS sessions.
    #[arg(long)]
    resume: bool,
    /// PID of the proxy: CPU time and memory of it and its children are charged to the work.
    #[arg(long)]
    charge: Option<u32>,
    /// Seconds that opening a connection may take, and that an answer may keep silent.
    #[arg(long, default_value_t = 20.0, value_parser = bounds::measured_seconds)]
    timeout: f64,
}

impl TargetArguments {
    fn dialer(&self) -> Outcome<Arc<Dialer>> {
        let target = dial::Target::parse(&self.url)?;
        if self.names.is_some() && !target.is_tls {
            return Err("--names are server names of TLS: they need an https:// URL".into());
        }
        let tls = match target.is_tls {
            true => Some(tls::client(&self.ca_file, self.insecure, self.resume)?),
            false => None,
        };
        let timeout = Duration::from_secs_f64(self.timeout);
        let names = self.names.map(|count| (self.first_name, count.max(1)));
        Ok(Arc::new(Dialer::new(target, self.proxy.as_deref(), tls, names, timeout)?))
    }
}

/// Runs one kind of work and prints its result as one JSON object; an error after that when too much of it failed.
pub fn run(arguments: ClientArguments) -> Outcome<()> {
    crate::meter::raise_descriptor_limit();
    let result = match arguments.work {
        Work::Requests(arguments) => requests::run(arguments),
        Work::Sse(arguments) => streams::run_sse(arguments),
        Work::Websocket(arguments) => streams::run_websocket(arguments),
        Work::Idle(arguments) => idle::run(&arguments),
    };
    let result = result?;
    println!("{}", serde_json::to_string_pretty(&result)?);
    failures::check(&result)
}
