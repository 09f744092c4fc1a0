//! Connections that only wait: what memory the proxy holds for each, while an answer is awaited (both legs are
//! open) and after it (the client's leg is idle; the proxy may pool or close the other).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::TargetArguments;
use super::exchange::{Connection, RequestShape};
use super::run::bar;
use crate::{Outcome, meter};

/// Connections being opened at a time.
const OPENING_MAX: usize = 64;
/// Connections opened first, so that what a proxy allocates once is not charged to the rest.
const FIRST: usize = 16;
/// What a proxy gets to come to rest before its memory is read.
const SETTLE: Duration = Duration::from_millis(1500);

/// What a growth below nothing means.
const SHRANK: &str = "the process held less memory with the connections than before them: it was not fresh, and the \
     growth says nothing";

/// Connections that only wait.
#[derive(Args)]
pub struct IdleArguments {
    #[command(flatten)]
    target: TargetArguments,
    /// Connections.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Path of a quick answer; the URL's own path must answer slowly, later than all requests are sent.
    #[arg(long, default_value = "/bytes/1024")]
    quick_path: String,
}

/// Measures.
pub fn run(arguments: &IdleArguments) -> Outcome<Value> {
    let pid = arguments.target.charge.ok_or("--charge PID says whose memory is read")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, hold(arguments, pid))
}

async fn hold(arguments: &IdleArguments, pid: u32) -> Outcome<Value> {
    // Said before the work, not after it.
    meter::pss_kib(pid)?;
    let bar = bar();
    let quick = shape(&arguments.quick_path);
    let first = open(arguments, FIRST, &quick).await;
    tokio::time::sleep(SETTLE).await;
    let before = meter::pss_kib(pid)?;
    bar.set_message("connecting");
    let mut held = open(arguments, arguments.connections, &quick).await;
    if held.is_empty() {
        return Err("no connection could be opened".into());
    }
    bar.set_position(500);
    let count = held.len() as f64;
    let each = |pss_kib: u64| (pss_kib as f64 - before as f64) / count;
    tokio::time::sleep(SETTLE).await;
    let idle = each(meter::pss_kib(pid)?);
    bar.set_message("waiting");
    let dialer = arguments.target.dialer()?;
    let slow = shape(&dialer.target.path);
    let mut waiting = JoinSet::new();
    for mut connection in held.drain(..) {
        let slow = slow.clone();
        waiting.spawn_local(async move {
            connection.send(&slow, "").await?;
            connection.receive(|_| {}).await?;
            Ok::<_, io::Error>(connection)
        });
    }
    tokio::time::sleep(SETTLE).await;
    let awaiting = each(meter::pss_kib(pid)?);
    let open_while_waiting = waiting.len();
    while let Some(done) = waiting.join_next().await {
        held.extend(done.ok().and_then(Result::ok));
    }
    tokio::time::sleep(SETTLE).await;
    let after = each(meter::pss_kib(pid)?);
    bar.finish_and_clear();
    drop(first);
    let shrank = [idle, awaiting, after].iter().any(|growth| *growth < 0.0);
    if shrank {
        eprintln!("loadtest: {SHRANK}");
    }
    Ok(json!({
        "warning": shrank.then_some(SHRANK),
        "asked": arguments.connections,
        "connections": count,
        "open_while_waiting": open_while_waiting,
        "answered": held.len(),
        "pss_before_kib": before,
        "pss_kib_each": { "idle": idle, "awaiting_answer": awaiting, "idle_after_answer": after },
    }))
}

fn shape(path: &str) -> RequestShape {
    RequestShape { method: "GET", path: path.to_owned(), body: Vec::new(), closes: false }
}

/// Opens connections that each had one quick answer. Those that fail are left out.
async fn open(arguments: &IdleArguments, count: usize, quick: &RequestShape) -> Vec<Connection> {
    let Ok(dialer) = arguments.target.dialer() else { return Vec::new() };
    let opening = Arc::new(Semaphore::new(OPENING_MAX));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (dialer, opening, quick) = (Arc::clone(&dialer), Arc::clone(&opening), quick.clone());
        tasks.spawn_local(async move {
            let _permit = opening.acquire().await;
            let mut connection = dialer.dial().await?;
            connection.send(&quick, "").await?;
            connection.receive(|_| {}).await?;
            Ok::<_, io::Error>(connection)
        });
    }
    let mut held = Vec::new();
    while let Some(done) = tasks.join_next().await {
        held.extend(done.ok().and_then(Result::ok));
    }
    held
}
