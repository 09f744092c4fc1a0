//! One run of the monitor, from a checked configuration to the exit: builds the parts, starts the logger and
//! the workers, waits for signals, and ends all in order. Touches no socket, byte or rule itself.

mod ending;
mod expiry;
mod pulse;
mod reload;
mod serving;
mod signals;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use glommio::ExecutorJoinHandle;

pub use self::ending::{Ending, Failure};
use self::reload::Reloader;
use self::serving::Serving;
use self::signals::Asked;
use crate::admin;
use crate::cli::output;
use crate::cli::requirements::ring_problem;
use crate::config::{Config, Reread};
use crate::conn::Door;
use crate::conn::deadline::Phase;
use crate::counters::Counters;
use crate::defects;
use crate::detection::Detection;
use crate::limits::{DRAIN_RESERVE_MS, FINDING_QUEUE_LEN};
use crate::listen::{self, Held};
use crate::notify::Notifier;
use crate::report::log_record::{self, LogReceiver};
use crate::report::logger::{self, LoggerCommands, LoggerConfig, LoggerHandle};
use crate::report::queue;
use crate::report::state::{Listeners, State};
use crate::report::tally::Tally;
use crate::report::timestamp;
use crate::rulebook::GATE;
use crate::scan::Scanner;
use crate::tls::{self, Authority, Origin};
use crate::worker::{self, Interception, Post, Renewal, Shared};

/// How it ended; or what to do about a run that could not be had, or went well but lost something.
type Ended = Result<Ending, Failure>;

/// Runs the monitor until a signal ends it.
pub fn run(mut config: Config, reread: Reread) -> Ended {
    let log = log_record::install(config.report.log_level).map_err(|error| error.to_string())?;
    defects::log_places();
    let doors = hold_doors(&config)?;
    let admin = hold_admin(&mut config)?;
    let signals = signals::listen()?;
    let cpus = worker_cpus(config.runtime.workers)?;
    let (findings, received) = queue::bounded(FINDING_QUEUE_LEN);
    let cores: Vec<_> = cpus.iter().map(|_| Arc::new(Counters::default())).collect();
    let tally = Arc::new(Tally::default());
    let waiting = received.clone();
    let logger = start_logger(&config, &cpus, received, log, (&cores, &tally))?;
    let run = Run { config, reread, doors, admin, signals, cpus, cores, tally, waiting };
    let outcome = run.run(findings, &logger);
    let deadline = Instant::now() + Duration::from_millis(DRAIN_RESERVE_MS);
    let drained = logger.shutdown(deadline);
    if !drained.all_written() {
        let lost = format!("{} findings could not be written", drained.findings_unwritten);
        let Ok(Ending::Whole) = outcome else {
            output::error(lost);
            return outcome;
        };
        return Err(lost.into());
    }
    outcome
}

/// What is there once the logger runs.
struct Run {
    config: Config,
    reread: Reread,
    doors: Vec<(Held, Door)>,
    admin: Option<admin::Held>,
    signals: Receiver<Asked>,
    cpus: Vec<usize>,
    cores: Vec<Arc<Counters>>,
    tally: Arc<Tally>,
    /// Only to tell how many findings wait.
    waiting: queue::FindingReceiver,
}

impl Run {
    fn run(self, findings: queue::FindingSender, logger: &LoggerHandle) -> Ended {
        let Run { config, reread, doors, admin, signals, cpus, cores, tally, waiting } = self;
        for warning in &config.warnings {
            log::warn!("{warning}");
        }
        let config = Arc::new(config);
        let (prepared, is_reload_asked) = match prepare_unless_ended(&config, &signals)? {
            ControlFlow::Continue(ready) => ready,
            ControlFlow::Break(ending) => return Ok(ending),
        };
        prepared.detection.look_last(logger)?;
        let detection = prepared.detection.clone();
        let authority = prepared.interception.as_ref().map(|with| Arc::clone(&with.authority));
        let phase = Arc::new(AtomicU8::new(Phase::Running as u8));
        let admin_address = admin.as_ref().map(|held| held.address);
        let listening: Vec<_> = doors.iter().map(|(held, door)| (held.address, *door)).collect();
        let shared = Shared {
            config: Arc::clone(&config),
            detection: prepared.detection,
            findings,
            interception: prepared.interception,
            verified: prepared.verified,
            insecure: prepared.insecure,
            own: listening.iter().map(|(address, _)| *address).chain(admin_address).collect(),
            doors: listening,
            phase: Arc::clone(&phase),
        };
        let workers = start_workers(&cpus, &shared, &cores).inspect_err(|_| {
            phase.store(Phase::Cut as u8, Ordering::Relaxed);
        })?;
        drop(shared);
        let mut state = announce(&config, &doors, admin_address, cpus.len());
        state.ca_sha256 = authority.as_ref().map(|authority| authority.fingerprint_sha256());
        state.ca_not_after_secs = authority.as_ref().map(|authority| authority.not_after_secs());
        let stalled = Arc::new(AtomicUsize::new(0));
        let reporting = Arc::clone(&tally);
        let started_at = SystemTime::now();
        if let (Some(held), Some(settings)) = (admin, &config.listen.admin) {
            let shown = admin::Shown {
                log_dir: config.report.log_dir.clone(),
                cores: cores.clone(),
                findings: waiting,
                tally,
                logger: LoggerCommands::clone(logger),
                phase: Arc::clone(&phase),
                stalled: Arc::clone(&stalled),
                started_at,
                hosts: settings.hosts.clone(),
                ca_not_after_secs: state.ca_not_after_secs,
            };
            admin::serve(held, shown).map_err(|error| format!("admin_addr: {error}"))?;
        }
        logger.publish(state.clone());
        let pulse = pulse::Pulse::new(&cores, reporting, stalled, Instant::now());
        let notifier = Notifier::from_environment(Instant::now());
        let Workers { handles, renewals } = workers;
        let with = (LoggerCommands::clone(logger), Arc::clone(&phase));
        let reloader = Reloader::new(reread, (config, detection), renewals, with, state);
        let expiry = expiry::Expiry::new(authority, Instant::now());
        let logger = logger.ended();
        let serving = Serving { reloader, pulse, expiry, notifier, signals, phase, logger };
        Ok(serving.serve(handles, is_reload_asked)?)
    }
}

/// The admin listener's address. The default may be somebody else's: then the monitor does without.
fn hold_admin(config: &mut Config) -> Result<Option<admin::Held>, String> {
    let Some(settings) = &config.listen.admin else { return Ok(None) };
    match admin::hold(settings.address) {
        Ok(held) => Ok(Some(held)),
        Err(error) if settings.is_default => {
            let address = settings.address;
            config.warnings.push(format!(
                "no admin listener: {address} cannot be listened on ({error}); admin_addr names another, \
                 or none"
            ));
            Ok(None)
        }
        Err(error) => Err(format!("admin_addr {}: cannot listen on it: {error}", settings.address)),
    }
}

fn hold_doors(config: &Config) -> Result<Vec<(Held, Door)>, String> {
    let wanted = [(config.listen.proxy, Door::Proxy), (config.listen.gateway, Door::Gateway)];
    let mut doors = Vec::new();
    for (address, door) in wanted {
        if let Some(address) = address {
            let setting = match door {
                Door::Proxy => "proxy_host, proxy_port",
                Door::Gateway => "proxy_host, gateway_local_port",
            };
            let held = listen::hold(address).map_err(|error| format!("{error} ({setting})"))?;
            doors.push((held, door));
        }
    }
    Ok(doors)
}

/// What is made once and shared.
struct Prepared {
    detection: Detection,
    interception: Option<Interception>,
    verified: tls::ClientTls,
    insecure: tls::ClientTls,
}

/// Prepares on a thread of its own, for rules that nobody compiled before take some seconds, and signals are heard
/// meanwhile. With it, whether a reload was asked for. A signal to end: what is being compiled may still be kept for
/// the next start.
fn prepare_unless_ended(
    config: &Arc<Config>,
    signals: &Receiver<Asked>,
) -> Result<ControlFlow<Ending, (Prepared, bool)>, Failure> {
    let (done, is_done) = bounded(1);
    let prepared = Arc::clone(config);
    let work = move || {
        // Of a monitor that ends nobody takes it.
        let _ = done.send(prepare(&prepared));
    };
    let thread = thread::Builder::new().name("clawsec-prepare".to_owned()).spawn(work);
    thread.map_err(|error| format!("there is no thread to prepare on: {error}"))?;
    let mut is_reload_asked = false;
    loop {
        select! {
            recv(is_done) -> prepared => {
                let prepared = prepared.map_err(|_| "the preparation failed".to_owned())?;
                return prepared.map(|prepared| ControlFlow::Continue((prepared, is_reload_asked)));
            }
            recv(signals) -> asked => match asked.map_err(|error| error.to_string())? {
                Asked::Reload => is_reload_asked = true,
                Asked::End(signal) => {
                    log::info!("Ended before it was ready (signal {signal}).");
                    return Ok(ControlFlow::Break(ending_while_preparing(config, signals, signal)));
                }
            },
        }
    }
}

/// What is being compiled for a first start, the next one has.
fn ending_while_preparing(config: &Config, signals: &Receiver<Asked>, signal: i32) -> Ending {
    if GATE.is_entered() {
        log::info!(
            "Waiting at most {} s for the rules that are being compiled, so that the next start has them.",
            config.runtime.shutdown_timeout.as_secs_f32()
        );
    }
    ending::await_compilations(&GATE, ending::deadline(config), signals, signal)
}

fn prepare(config: &Config) -> Result<Prepared, Failure> {
    let interception = match config.tls.mitm {
        true => Some(prepare_interception(config)?),
        false => None,
    };
    let own = interception.as_ref().map(|with| with.authority.certificate());
    let extra = config.tls.upstream_ca_file.as_deref();
    // Reading the roots takes as long as trying the rules.
    let (detection, roots) = thread::scope(|scope| {
        let roots = scope.spawn(|| {
            Scanner::warm_up();
            tls::client_config(extra, own)
        });
        let detection = Detection::prepare(config);
        (detection, roots.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let detection = detection?.detection;
    let (verified, report) = roots.map_err(|error| error.to_string())?;
    for warning in &report.warnings {
        log::warn!("{warning}");
    }
    let insecure = tls::insecure_client_config().map_err(|error| error.to_string())?;
    Ok(Prepared { detection, interception, verified, insecure })
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
    (cores, tally): (&[Arc<Counters>], &Arc<Tally>),
) -> Result<LoggerHandle, String> {
    let spare = core_affinity::get_core_ids()
        .and_then(|ids| ids.into_iter().find(|id| !cpus.contains(&id.id)));
    let config = LoggerConfig {
        log_dir: config.report.log_dir.clone(),
        dedup_window: config.report.dedup_window,
        dedup_by: config.report.dedup_by,
        log_level: config.report.log_level,
        tally: Arc::clone(tally),
        cpu: spare,
    };
    logger::spawn(config, findings, log, cores.to_vec()).map_err(|error| error.to_string())
}

/// The workers, and the way to give each another configuration.
struct Workers {
    handles: Vec<ExecutorJoinHandle<()>>,
    renewals: Vec<Sender<Renewal>>,
}

fn start_workers(
    cpus: &[usize],
    shared: &Shared,
    cores: &[Arc<Counters>],
) -> Result<Workers, String> {
    let (ready, readiness) = bounded(cpus.len());
    let (mut handles, mut renewals) = (Vec::new(), Vec::new());
    for ((index, cpu), counters) in cpus.iter().enumerate().zip(cores) {
        let counters = Arc::clone(counters);
        let (renewal, received) = bounded(1);
        let post = Post { index, cpu: *cpu, counters, renewals: received };
        let handle = worker::start(post, shared.clone(), ready.clone())
            .map_err(|error| ring_problem(&error).to_string())?;
        handles.push(handle);
        renewals.push(renewal);
    }
    drop(ready);
    for _ in cpus {
        match readiness.recv() {
            Ok(word) => word?,
            Err(_) => return Err(why_executors_ended(handles, &shared.phase)),
        }
    }
    Ok(Workers { handles, renewals })
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

/// Says in the log where it listens; what `monitor.json` is to show.
fn announce(
    config: &Config,
    doors: &[(Held, Door)],
    admin: Option<std::net::SocketAddr>,
    workers: usize,
) -> State {
    let address = |wanted: Door| {
        doors.iter().find(|(_, door)| *door == wanted).map(|(held, _)| held.address.to_string())
    };
    let listeners = Listeners {
        proxy: address(Door::Proxy),
        gateway: address(Door::Gateway),
        admin: admin.map(|address| address.to_string()),
    };
    if let Some(proxy) = &listeners.proxy {
        log::info!("HTTP proxy on {proxy}");
    }
    if let Some(gateway) = &listeners.gateway {
        log::info!("Gateway proxy {gateway} ▶ {}", config.listen.gateway_target);
    }
    if let Some(admin) = &listeners.admin {
        log::info!("Admin on http://{admin}/");
    }
    log::info!(
        "ClawSec Monitor v{} — PID {} — {workers} worker(s) — MITM {}",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        if config.tls.mitm { "ON" } else { "OFF" }
    );
    State {
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: timestamp::iso8601(SystemTime::now()),
        mitm: config.tls.mitm,
        asks_for_credentials: !config.access.users.is_empty(),
        listeners,
        workers,
        log_dir: config.report.log_dir.display().to_string(),
        config_file: config.file.as_ref().map(|file| file.display().to_string()),
        ..State::default()
    }
}
