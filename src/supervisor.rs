//! One run of the monitor, from a checked configuration to the exit: builds the parts, starts the logger and
//! the workers, waits for signals, and ends all in order. Touches no socket, byte or rule itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use glommio::ExecutorJoinHandle;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::requirements::ring_problem;
use crate::config::Config;
use crate::conn::Door;
use crate::conn::deadline::Phase;
use crate::counters::Counters;
use crate::limits::{DRAIN_RESERVE_MS, FINDING_QUEUE_LEN};
use crate::listen::{self, Held};
use crate::policy::Policy;
use crate::report::last_look::LastLook;
use crate::report::log_record::{self, LogReceiver};
use crate::report::logger::{self, LoggerConfig, LoggerHandle};
use crate::report::queue;
use crate::report::state::{Listeners, State};
use crate::report::timestamp;
use crate::rulebook;
use crate::scan::{self, Database, KnownValues};
use crate::secrets;
use crate::tls::{self, Authority, Origin};
use crate::worker::{self, Interception, Shared};

/// What to do about the end of a run that went well but lost something.
type Ended = Result<(), String>;

/// Runs the monitor until a signal ends it. An error is one sentence for the person who started it.
pub fn run(config: Config) -> Ended {
    // A huge page stays resident for a single small object on it: 80 MB more after 1,000 connections.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let log = log_record::install(config.report.log_level).map_err(|error| error.to_string())?;
    let doors = hold_doors(&config)?;
    let signals = listen_for_signals()?;
    let cpus = worker_cpus(config.runtime.workers)?;
    let (findings, received) = queue::bounded(FINDING_QUEUE_LEN);
    let cores: Vec<_> = cpus.iter().map(|_| Arc::new(Counters::default())).collect();
    let logger = start_logger(&config, &cpus, received, log, &cores)?;
    let outcome = Run { config, doors, signals, cpus, cores }.run(findings, &logger);
    let deadline = Instant::now() + Duration::from_millis(DRAIN_RESERVE_MS);
    let drained = logger.shutdown(deadline);
    if !drained.all_written() {
        return Err(format!("{} findings could not be written", drained.findings_unwritten));
    }
    outcome
}

/// What is there once the logger runs.
struct Run {
    config: Config,
    doors: Vec<(Held, Door)>,
    signals: Receiver<i32>,
    cpus: Vec<usize>,
    cores: Vec<Arc<Counters>>,
}

impl Run {
    fn run(self, findings: queue::FindingSender, logger: &LoggerHandle) -> Ended {
        let Run { config, doors, signals, cpus, cores } = self;
        for warning in &config.warnings {
            log::warn!("{warning}");
        }
        let prepared = prepare(&config)?;
        look_last(&prepared, logger);
        let phase = Arc::new(AtomicU8::new(Phase::Running as u8));
        let config = Arc::new(config);
        let shared = Shared {
            config: Arc::clone(&config),
            database: prepared.database,
            policy: prepared.policy,
            known: prepared.known,
            findings,
            interception: prepared.interception,
            verified: prepared.verified,
            insecure: prepared.insecure,
            doors: doors.iter().map(|(held, door)| (held.address, *door)).collect(),
            phase: Arc::clone(&phase),
        };
        let workers = start_workers(&cpus, &shared, &cores).inspect_err(|_| {
            phase.store(Phase::Cut as u8, Ordering::Relaxed);
        })?;
        drop(shared);
        announce(&config, &doors, cpus.len(), logger);
        serve(&config, workers, &signals, &phase)
    }
}

fn hold_doors(config: &Config) -> Result<Vec<(Held, Door)>, String> {
    let wanted = [(config.listen.proxy, Door::Proxy), (config.listen.gateway, Door::Gateway)];
    let mut doors = Vec::new();
    for (address, door) in wanted {
        if let Some(address) = address {
            let held = listen::hold(address).map_err(|error| error.to_string())?;
            doors.push((held, door));
        }
    }
    Ok(doors)
}

/// What is made once and shared.
struct Prepared {
    database: Arc<Database>,
    policy: Arc<Policy>,
    known: Option<Arc<KnownValues>>,
    interception: Option<Interception>,
    verified: tls::ClientTls,
    insecure: tls::ClientTls,
}

fn prepare(config: &Config) -> Result<Prepared, String> {
    let database = Arc::new(prepare_rules(config)?);
    let (policy, known) = prepare_policy(config)?;
    let interception = match config.tls.mitm {
        true => Some(prepare_interception(config)?),
        false => None,
    };
    let own = interception.as_ref().map(|with| with.authority.certificate());
    let extra = config.tls.upstream_ca_file.as_deref();
    let (verified, report) = tls::client_config(extra, own).map_err(|error| error.to_string())?;
    for warning in &report.warnings {
        log::warn!("{warning}");
    }
    let insecure = tls::insecure_client_config().map_err(|error| error.to_string())?;
    Ok(Prepared { database, policy, known, interception, verified, insecure })
}

/// What matches mean, and the secrets to watch for.
fn prepare_policy(config: &Config) -> Result<(Arc<Policy>, Option<Arc<KnownValues>>), String> {
    let key = secrets::load_or_create(&config.report.log_dir).map_err(|error| error.to_string())?;
    let policy = Policy::new(&config.policy, key);
    for expired in policy.expired(SystemTime::now()) {
        log::warn!("{expired}");
    }
    let watched = secrets::read_watched(&config.watch, |name| std::env::var_os(name));
    for warning in &watched.warnings {
        log::warn!("{warning}");
    }
    let known = match watched.values.is_empty() {
        true => None,
        false => {
            let known = KnownValues::new(watched.values, |bytes| policy.fingerprint(bytes))
                .map_err(|error| error.to_string())?;
            log::info!("{} values are watched for", known.len());
            Some(Arc::new(known))
        }
    };
    Ok((Arc::new(policy), known))
}

/// Gives the logger's thread a scanner of its own, for the last look at what it writes.
fn look_last(prepared: &Prepared, logger: &LoggerHandle) {
    let (database, known) = (Arc::clone(&prepared.database), prepared.known.clone());
    logger.look_last(Box::new(move || match scan::LastLook::new(&database, known) {
        Ok(mut look) => Some(LastLook::new(move |snippet| look.masked(snippet))),
        Err(error) => {
            log::error!("snippets are not looked at a second time: {error}");
            None
        }
    }));
}

fn prepare_rules(config: &Config) -> Result<Database, String> {
    let began = Instant::now();
    let prepared = rulebook::prepare(config).map_err(|error| error.to_string())?;
    for warning in &prepared.warnings {
        log::warn!("{warning}");
    }
    log::info!(
        "{} rules {} in {} ms",
        prepared.database.rules().len(),
        if prepared.was_kept { "read back" } else { "compiled" },
        began.elapsed().as_millis()
    );
    Ok(prepared.database)
}

fn prepare_interception(config: &Config) -> Result<Interception, String> {
    let now = SystemTime::now();
    let (authority, origin) = Authority::load_or_create(&config.report.log_dir, now)
        .map_err(|error| error.to_string())?;
    let origin = match origin {
        Origin::Created => "generated",
        Origin::CertificateRemade => "made again for the key that was there",
        Origin::Loaded => "loaded",
    };
    log::info!("MITM CA {origin}: {}", authority.certificate_path().display());
    for warning in authority.warnings() {
        log::warn!("{warning}");
    }
    let ticketer = tls::shared_ticketer().map_err(|error| error.to_string())?;
    Ok(Interception { authority: Arc::new(authority), ticketer })
}

/// The CPUs to pin workers to: as many as asked for, at most one each.
fn worker_cpus(wanted: Option<usize>) -> Result<Vec<usize>, String> {
    let ids = core_affinity::get_core_ids()
        .filter(|ids| !ids.is_empty())
        .ok_or("the CPUs that this process may use cannot be found out")?;
    let quota = thread::available_parallelism().map_or(ids.len(), usize::from);
    let count = wanted.unwrap_or(quota).min(ids.len());
    if wanted.is_some_and(|wanted| wanted > ids.len()) {
        log::warn!("workers: only {} CPUs may be used, so {count} are started", ids.len());
    }
    Ok(ids.iter().take(count).map(|id| id.id).collect())
}

fn start_logger(
    config: &Config,
    cpus: &[usize],
    findings: queue::FindingReceiver,
    log: LogReceiver,
    cores: &[Arc<Counters>],
) -> Result<LoggerHandle, String> {
    let spare = core_affinity::get_core_ids()
        .and_then(|ids| ids.into_iter().find(|id| !cpus.contains(&id.id)));
    let config = LoggerConfig {
        log_dir: config.report.log_dir.clone(),
        dedup_window: config.report.dedup_window,
        dedup_by: config.report.dedup_by,
        log_level: config.report.log_level,
        cpu: spare,
    };
    logger::spawn(config, findings, log, cores.to_vec()).map_err(|error| error.to_string())
}

/// The workers, and word of each that ends.
struct Workers {
    handles: Vec<ExecutorJoinHandle<()>>,
}

fn start_workers(
    cpus: &[usize],
    shared: &Shared,
    cores: &[Arc<Counters>],
) -> Result<Workers, String> {
    let (ready, readiness) = bounded(cpus.len());
    let mut handles = Vec::new();
    for ((index, cpu), counters) in cpus.iter().enumerate().zip(cores) {
        let counters = Arc::clone(counters);
        let handle = worker::start(index, *cpu, shared.clone(), counters, ready.clone())
            .map_err(|error| ring_problem(&error).to_string())?;
        handles.push(handle);
    }
    drop(ready);
    for _ in cpus {
        match readiness.recv() {
            Ok(word) => word?,
            Err(_) => return Err(why_executors_ended(handles, &shared.phase)),
        }
    }
    Ok(Workers { handles })
}

/// An executor that cannot be made ends its thread without a word on `ready`.
fn why_executors_ended(handles: Vec<ExecutorJoinHandle<()>>, phase: &AtomicU8) -> String {
    phase.store(Phase::Cut as u8, Ordering::Relaxed);
    let mut failures = handles.into_iter().filter_map(|handle| handle.join().err());
    match failures.next() {
        Some(error) => ring_problem(&io::Error::from(error)).to_string(),
        None => "a worker ended before it was ready".to_owned(),
    }
}

fn announce(config: &Config, doors: &[(Held, Door)], workers: usize, logger: &LoggerHandle) {
    let address = |wanted: Door| {
        doors.iter().find(|(_, door)| *door == wanted).map(|(held, _)| held.address.to_string())
    };
    let listeners = Listeners { proxy: address(Door::Proxy), gateway: address(Door::Gateway) };
    if let Some(proxy) = &listeners.proxy {
        log::info!("HTTP proxy on {proxy}");
    }
    if let Some(gateway) = &listeners.gateway {
        log::info!("Gateway proxy {gateway} ▶ {}", config.listen.gateway_target);
    }
    log::info!(
        "ClawSec Monitor v{} — PID {} — {workers} worker(s) — MITM {}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        if config.tls.mitm { "ON" } else { "OFF" }
    );
    logger.publish(State {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: timestamp::iso8601(SystemTime::now()),
        mitm: config.tls.mitm,
        listeners,
        workers,
        log_dir: config.report.log_dir.display().to_string(),
        ..State::default()
    });
}

/// SIGINT, SIGTERM and SIGHUP, as they come.
fn listen_for_signals() -> Result<Receiver<i32>, String> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|e| e.to_string())?;
    let (sender, receiver): (Sender<i32>, _) = unbounded();
    thread::Builder::new()
        .name("clawsec-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                if sender.send(signal).is_err() {
                    return;
                }
            }
        })
        .map_err(|error| error.to_string())?;
    Ok(receiver)
}

/// Waits for a signal, then for the workers: first they finish what is in flight, at the deadline they are cut.
fn serve(config: &Config, workers: Workers, signals: &Receiver<i32>, phase: &AtomicU8) -> Ended {
    let signal = signals.recv().map_err(|error| error.to_string())?;
    log::info!("Shutting down (signal {signal})…");
    phase.store(Phase::Draining as u8, Ordering::Relaxed);
    let reserve = Duration::from_millis(DRAIN_RESERVE_MS);
    let deadline = Instant::now() + config.runtime.shutdown_timeout.saturating_sub(reserve);
    let (ended, all_ended) = bounded::<()>(0);
    let joiner = thread::spawn(move || {
        for handle in workers.handles {
            // An executor that failed has ended too, and has said why.
            let _ = handle.join();
        }
        drop(ended);
    });
    let at_deadline = crossbeam_channel::at(deadline);
    loop {
        crossbeam_channel::select! {
            recv(all_ended) -> _ => break,
            recv(at_deadline) -> _ => {
                log::warn!("connections still open after the grace time are cut");
                phase.store(Phase::Cut as u8, Ordering::Relaxed);
            }
            recv(signals) -> again => {
                if let Ok(signal) = again {
                    exit_at_once(config, signal);
                }
            }
        }
    }
    // It has nothing left to do.
    let _ = joiner.join();
    log::info!("Done.");
    Ok(())
}

/// A second signal: nothing is waited for any more.
fn exit_at_once(config: &Config, signal: i32) -> ! {
    let _ = std::fs::remove_file(config.report.log_dir.join("monitor.pid"));
    std::process::exit(128 + signal);
}
