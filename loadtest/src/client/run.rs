//! The life of a measurement: client threads, warm-up, the measured stretch with the proxy's CPU time at both
//! ends, and the end. Knows no HTTP.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::meter::Reading;
use crate::tally::Tally;
use crate::{Outcome, bounds, meter};

/// How often waiting threads look at the phase.
const PHASE_TICK: Duration = Duration::from_millis(5);
/// The longest that all connections may take to open before the work starts.
pub const READY_MAX: Duration = Duration::from_secs(120);
/// The share of the connections that may fail to open.
const FAILED_MAX_SHARE: f64 = 0.01;

/// What work that drains gets on top, to count.
const DRAIN_SPARE: Duration = Duration::from_secs(5);

/// How long a measurement takes. The same for every kind of work.
#[derive(Args, Clone)]
pub struct SpanArguments {
    /// Seconds measured; with --requests, the most that the work may take.
    #[arg(long, default_value_t = 5.0, value_parser = bounds::measured_seconds)]
    pub seconds: f64,
    /// Seconds of work before that, not counted.
    #[arg(long, default_value_t = 1.0, value_parser = bounds::seconds)]
    pub warmup: f64,
    /// End after so many requests, warm-up left out.
    #[arg(long)]
    pub requests: Option<u64>,
    /// Client threads.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Opening,
    Warming,
    Measuring,
    Over,
}

/// How the end of a request stands to the measured stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Within,
    /// Due within it, ended after it.
    Late,
    Outside,
}

/// What the threads of a measurement share.
#[derive(Default)]
pub struct Shared {
    phase: AtomicU8,
    /// When the measured stretch began, and when it was over.
    began: OnceLock<Instant>,
    ended: OnceLock<Instant>,
    /// Connections that stand before the work starts.
    opened: AtomicU64,
    /// Those that do not, and why the first does not.
    failed: AtomicU64,
    failure: OnceLock<String>,
    /// Requests that may still be started, when they are bounded.
    budget: Option<AtomicI64>,
}

impl Shared {
    fn phase_is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    fn enter(&self, phase: Phase) {
        match phase {
            Phase::Measuring => drop(self.began.set(Instant::now())),
            Phase::Over => drop(self.ended.set(Instant::now())),
            Phase::Opening | Phase::Warming => {}
        }
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// Takes the right to start one more request.
    pub fn may_start(&self) -> bool {
        let within = |budget: &AtomicI64| budget.fetch_sub(1, Ordering::Relaxed) > 0;
        !self.is_over() && self.budget.as_ref().is_none_or(within)
    }

    /// Whether what ends now counts.
    pub fn is_measuring(&self) -> bool {
        self.phase_is(Phase::Measuring)
    }

    /// When the measured stretch began and, if it has, ended.
    pub fn stretch(&self) -> Option<(Instant, Option<Instant>)> {
        Some((*self.began.get()?, self.ended.get().copied()))
    }

    /// How a request stands to the stretch that was due then and ends now.
    pub fn when_due(&self, due: Instant) -> When {
        match self.stretch() {
            Some((began, None)) if due >= began => When::Within,
            Some((began, Some(end))) if due >= began && due < end => When::Late,
            _ => When::Outside,
        }
    }

    pub fn is_over(&self) -> bool {
        self.phase_is(Phase::Over)
    }

    /// Waits until the measurement is over, and `more`.
    pub async fn over_for(&self, more: Duration) {
        while !self.is_over() {
            tokio::time::sleep(PHASE_TICK).await;
        }
        if more > Duration::ZERO {
            tokio::time::sleep(more).await;
        }
    }

    /// Whether connections are still being opened, and work has to wait.
    pub fn is_opening(&self) -> bool {
        self.phase_is(Phase::Opening)
    }

    /// Tells that a connection stands, or why it does not.
    pub fn note_opened<T>(&self, dialled: &io::Result<T>) {
        match dialled {
            Ok(_) => self.opened.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                let _ = self.failure.set(error.to_string());
                self.failed.fetch_add(1, Ordering::Relaxed)
            }
        };
    }

    /// Whether so many connections have been tried, or too many of them in vain.
    fn is_tried(&self, to_open: u64) -> bool {
        let failed = self.failed.load(Ordering::Relaxed);
        failed as f64 > FAILED_MAX_SHARE * to_open as f64
            || self.opened.load(Ordering::Relaxed) + failed >= to_open
    }

    /// An error when too few connections stand to begin.
    fn check_opened(&self, to_open: u64) -> Outcome<()> {
        let opened = self.opened.load(Ordering::Relaxed);
        if opened as f64 >= (1.0 - FAILED_MAX_SHARE) * to_open as f64 {
            return Ok(());
        }
        let why = self.failure.get().map_or("the time was over", String::as_str);
        Err(format!("{opened} of {to_open} connections were opened: {why}").into())
    }

    /// Waits until all connections stand.
    pub async fn opened(&self) {
        while self.is_opening() {
            tokio::time::sleep(PHASE_TICK).await;
        }
    }
}

/// One thread's share: what its tasks need.
pub struct Share {
    pub shared: Arc<Shared>,
    pub tally: Rc<RefCell<Tally>>,
    /// Which thread this is, from 0, of how many.
    pub index: usize,
    pub threads: usize,
}

impl Share {
    /// This thread's part of `whole`.
    pub fn of(&self, whole: usize) -> usize {
        whole / self.threads + usize::from(self.index < whole % self.threads)
    }
}

/// What is asked of a measurement.
pub struct Plan<'a> {
    pub span: &'a SpanArguments,
    /// The process whose time and memory are charged.
    pub charge: Option<u32>,
    /// How many connections the work opens and reports (`note_opened`) before it starts.
    pub to_open: u64,
    /// What the work may take to end after the measured stretch.
    pub drain: Duration,
}

/// Runs `work` on every client thread and measures.
pub fn measure<W, F>(plan: &Plan<'_>, work: W) -> Outcome<Value>
where
    W: Fn(Share) -> F + Send + Clone + 'static,
    F: Future<Output = ()>,
{
    let Plan { span, charge, to_open, drain } = *plan;
    // What cannot be charged is said before the work, not after it.
    charge.map(|pid| Reading::of(pid).and(meter::pss_kib(pid))).transpose()?;
    let budget = span.requests.map(|budget| AtomicI64::new(budget.cast_signed()));
    let shared = Arc::new(Shared { budget, ..Shared::default() });
    let threads = span.threads.max(1);
    let running: Vec<_> = (0..threads)
        .map(|index| {
            let (work, shared) = (work.clone(), Arc::clone(&shared));
            thread::spawn(move || run_thread(&work, shared, index, threads, drain))
        })
        .collect();
    let bar = bar();
    wait_for(&bar, "connecting", READY_MAX, || shared.is_tried(to_open));
    if let Err(error) = shared.check_opened(to_open) {
        shared.enter(Phase::Over);
        return Err(error);
    }
    if span.requests.is_none() {
        shared.enter(Phase::Warming);
        wait_for(&bar, "warming up", Duration::from_secs_f64(span.warmup), || false);
    }
    let cpu_before = charge.map(Reading::of);
    let began = Instant::now();
    shared.enter(Phase::Measuring);
    let longest = Duration::from_secs_f64(span.seconds);
    wait_for(&bar, "measuring", longest, || running.iter().all(thread::JoinHandle::is_finished));
    let seconds = began.elapsed().as_secs_f64();
    let cpu_after = charge.map(Reading::of);
    shared.enter(Phase::Over);
    bar.finish_and_clear();
    let mut tally = Tally::new();
    for thread in running {
        tally.add(&thread.join().map_err(|_| "a client thread panicked")??);
    }
    let mut result = tally.to_json(seconds);
    if let (Some(before), Some(after), Some(pid)) = (cpu_before, cpu_after, charge) {
        let charged = charged(&tally, &before?, &after?, seconds, pid)?;
        if let Some(result) = result.as_object_mut() {
            result.insert("proxy".to_owned(), charged);
        }
    }
    Ok(result)
}

/// What the proxy spent, by request and by KiB of bodies.
fn charged(
    tally: &Tally,
    before: &Reading,
    after: &Reading,
    seconds: f64,
    pid: u32,
) -> Outcome<Value> {
    let cpu_ns = after.cpu_ns.saturating_sub(before.cpu_ns);
    let per = |count: f64, unit: f64| match count {
        0.0 => Value::Null,
        count => json!(cpu_ns as f64 / unit / count),
    };
    Ok(json!({
        "cpu_us_per_request": per(tally.requests as f64, 1000.0),
        "cpu_ns_per_kib": per(tally.body_bytes as f64 / 1024.0, 1.0),
        "cpu_share": cpu_ns as f64 / 1e9 / seconds,
        "pss_kib": meter::pss_kib(pid)?,
        "processes_ended": before.ended_by(after),
    }))
}

fn run_thread<W, F>(
    work: &W,
    shared: Arc<Shared>,
    index: usize,
    threads: usize,
    drain: Duration,
) -> Outcome<Tally>
where
    W: Fn(Share) -> F,
    F: Future<Output = ()>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tally = Rc::new(RefCell::new(Tally::new()));
    let share = Share { shared: Arc::clone(&shared), tally: Rc::clone(&tally), index, threads };
    // Work that drains ends by itself, with what it has to say. Other work is dropped with the set, in mid-wait.
    let last_call = if drain > Duration::ZERO { drain + DRAIN_SPARE } else { drain };
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        tokio::select! {
            () = work(share) => {}
            () = shared.over_for(last_call) => {}
        }
    });
    drop(tasks);
    Ok(tally.replace(Tally::new()))
}

/// A bar on a terminal; nothing elsewhere.
pub fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1000);
    let style = ProgressStyle::with_template("{msg:>12} [{bar:40}] {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}

fn wait_for(bar: &ProgressBar, what: &'static str, longest: Duration, is_done: impl Fn() -> bool) {
    bar.set_message(what);
    let began = Instant::now();
    while began.elapsed() < longest && !is_done() {
        let share = began.elapsed().as_secs_f64() / longest.as_secs_f64();
        bar.set_position((share * 1000.0) as u64);
        thread::sleep(PHASE_TICK.min(longest.saturating_sub(began.elapsed())));
    }
}
