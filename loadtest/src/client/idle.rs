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
/// The longest that all connections may take to open, and all late answers to come.
const PHASE_MAX: Duration = Duration::from_secs(120);
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
    meter::check_descriptors(arguments.connections.saturating_add(FIRST))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, hold(arguments, pid))
}

async fn hold(arguments: &IdleArguments, pid: u32) -> Outcome<Value> {
    // Said before the work, not after it.
    meter::pss_kib(pid)?;
    let bar = bar();
    let quick = shape(&arguments.quick_path);
    let (first, failure) = open(arguments, FIRST, &quick).await?;
    if first.is_empty() {
        let why = failure.unwrap_or_default();
        return Err(format!("none of the first {FIRST} connections was answered: {why}").into());
    }
    tokio::time::sleep(SETTLE).await;
    let before = meter::pss_kib(pid)?;
    bar.set_message("connecting");
    let (held, failure) = open(arguments, arguments.connections, &quick).await?;
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
    for mut connection in held {
        let slow = slow.clone();
        waiting.spawn_local(async move {
            connection.send(&slow, "", &[]).await?;
            connection.receive(|_| {}).await?;
            Ok::<_, io::Error>(connection)
        });
    }
    tokio::time::sleep(SETTLE).await;
    let awaiting = each(meter::pss_kib(pid)?);
    let mut held = Vec::new();
    // Those that ended before, good or bad, do not wait.
    while let Some(done) = waiting.try_join_next() {
        held.extend(done.ok().and_then(Result::ok));
    }
    let open_while_waiting = waiting.len();
    let (answered, late_failure) = gather(waiting).await;
    held.extend(answered);
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
        "failure": failure.or(late_failure),
        "pss_before_kib": before,
        "pss_kib_each": { "idle": idle, "awaiting_answer": awaiting, "idle_after_answer": after },
    }))
}

fn shape(path: &str) -> RequestShape {
    RequestShape { method: "GET", path: path.to_owned(), closes: false }
}

/// Opens connections that each had one quick answer. Those that fail are left out; why the first of them did is said.
async fn open(
    arguments: &IdleArguments,
    count: usize,
    quick: &RequestShape,
) -> Outcome<(Vec<Connection>, Option<String>)> {
    let dialer = arguments.target.dialer()?;
    let opening = Arc::new(Semaphore::new(OPENING_MAX));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let (dialer, opening, quick) = (Arc::clone(&dialer), Arc::clone(&opening), quick.clone());
        tasks.spawn_local(async move {
            let _permit = opening.acquire().await;
            let mut connection = dialer.dial().await?;
            connection.send(&quick, "", &[]).await?;
            connection.receive(|_| {}).await?;
            Ok::<_, io::Error>(connection)
        });
    }
    Ok(gather(tasks).await)
}

/// The connections of those tasks that go well in time, and why the first of the others did not.
async fn gather(mut tasks: JoinSet<io::Result<Connection>>) -> (Vec<Connection>, Option<String>) {
    let (mut held, mut failure) = (Vec::new(), None);
    let end = tokio::time::Instant::now() + PHASE_MAX;
    loop {
        match tokio::time::timeout_at(end, tasks.join_next()).await {
            Ok(Some(Ok(Ok(connection)))) => held.push(connection),
            Ok(Some(Ok(Err(error)))) => {
                failure.get_or_insert_with(|| error.to_string());
            }
            Ok(Some(Err(error))) => {
                failure.get_or_insert_with(|| error.to_string());
            }
            Ok(None) => return (held, failure),
            Err(_) => {
                let text =
                    format!("{} were not answered in {} s", tasks.len(), PHASE_MAX.as_secs());
                return (held, failure.or(Some(text)));
            }
        }
    }
}
