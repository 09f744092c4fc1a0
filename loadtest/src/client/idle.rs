//! Connections that only wait: what memory the proxy holds for each, while an answer is awaited (both legs are
//! open) and after it (the client's leg is idle; the proxy may pool or close the other).

use std::collections::HashMap;
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
/// Connections opened first, a turn, so that what a proxy allocates once is not charged to the rest.
const FIRST: usize = OPENING_MAX;
/// Turns of these: two, so that what starting left behind is given back (an allocator does that when it is next asked
/// for something, which hid up to 7 MiB of growth), and more as long as memory shrinks with them.
const TURNS: std::ops::RangeInclusive<usize> = 2..=6;
/// Connections opened first at most.
const FIRST_MAX: usize = FIRST * *TURNS.end();
/// The longest that all connections may take to open, and all late answers to come.
const PHASE_MAX: Duration = Duration::from_secs(120);
/// What a proxy gets to come to rest before its memory is read.
const SETTLE: Duration = Duration::from_millis(1500);

/// What an allocator gives back now or later, whatever the connections do: steps of up to 600 KiB were seen.
pub const NOISE_KIB: u64 = 1024;

/// What a growth below nothing means.
pub const SHRANK: &str = "the process held less memory with the connections than before them: it was not fresh, and \
     the growth says nothing";

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
    meter::check_descriptors(arguments.connections.saturating_add(FIRST_MAX))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, hold(arguments, pid))
}

async fn hold(arguments: &IdleArguments, pid: u32) -> Outcome<Value> {
    // Said before the work, not after it.
    meter::pss_kib(pid)?;
    let bar = bar();
    let quick = shape(&arguments.quick_path);
    bar.set_message("warming up");
    let (first, before) = warm_up(arguments, pid, &quick).await?;
    bar.set_message("connecting");
    let (held, failure) = open(arguments, arguments.connections, &quick).await?;
    if held.is_empty() {
        return Err("no connection could be opened".into());
    }
    bar.set_position(500);
    let count = held.len() as f64;
    tokio::time::sleep(SETTLE).await;
    let idle = meter::pss_kib(pid)?;
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
    let awaiting = meter::pss_kib(pid)?;
    let mut held = Vec::new();
    // Those that ended before, good or bad, do not wait.
    while let Some(done) = waiting.try_join_next() {
        held.extend(done.ok().and_then(Result::ok));
    }
    let open_while_waiting = waiting.len();
    let (answered, late_failure) = gather(waiting).await;
    held.extend(answered);
    tokio::time::sleep(SETTLE).await;
    let after = meter::pss_kib(pid)?;
    bar.finish_and_clear();
    drop(first);
    let readings = [("idle", idle), ("awaiting_answer", awaiting), ("idle_after_answer", after)];
    let shrank: Vec<&str> = readings
        .iter()
        .filter(|(_, now)| has_shrunk(before, *now))
        .map(|(name, _)| *name)
        .collect();
    if !shrank.is_empty() {
        eprintln!("loadtest: {}: {SHRANK}", shrank.join(", "));
    }
    let each = readings.map(|(name, now)| (name, (now as f64 - before as f64) / count));
    Ok(json!({
        "shrank": shrank,
        "asked": arguments.connections,
        "connections": count,
        "open_while_waiting": open_while_waiting,
        "answered": held.len(),
        "failure": failure.or(late_failure),
        "pss_before_kib": before,
        "pss_kib_each": HashMap::from(each),
    }))
}

/// Whether memory fell by more than it does by itself.
fn has_shrunk(before_kib: u64, now_kib: u64) -> bool {
    now_kib + NOISE_KIB < before_kib
}

/// Opens connections until memory grows with them; they stay open. And the memory then.
async fn warm_up(
    arguments: &IdleArguments,
    pid: u32,
    quick: &RequestShape,
) -> Outcome<(Vec<Connection>, u64)> {
    tokio::time::sleep(SETTLE).await;
    let (mut held, mut before) = (Vec::new(), meter::pss_kib(pid)?);
    for turn in 1..=*TURNS.end() {
        let (first, failure) = open(arguments, FIRST, quick).await?;
        if first.is_empty() {
            let why = failure.unwrap_or_default();
            return Err(format!("none of the first {FIRST} connections was answered: {why}").into());
        }
        held.extend(first);
        tokio::time::sleep(SETTLE).await;
        let now = meter::pss_kib(pid)?;
        let is_warm = now >= before && TURNS.contains(&turn);
        before = now;
        if is_warm {
            break;
        }
    }
    Ok((held, before))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_no_shrinking_and_a_process_that_was_not_fresh_is() {
        for (before, now, is_wrong) in [
            (44_000, 56_000, false),
            (44_000, 44_000, false),
            (44_000, 43_500, false),
            (44_000, 44_000 - NOISE_KIB, false),
            (44_000, 40_000, true),
        ] {
            assert_eq!(has_shrunk(before, now), is_wrong, "{before} {now}");
        }
    }
}
