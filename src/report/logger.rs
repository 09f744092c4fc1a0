//! The one thread that writes, and the handle to it: waits, takes, hands to the journal. Knows no
//! HTTP meaning and no rule; nothing of it runs on a core's executor.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use core_affinity::CoreId;
use crossbeam_channel::{Receiver, Sender, at, never, select, tick};
use log::{Level, LevelFilter};

use super::console::Console;
use super::dedup::Dedup;
use super::journal::{Counts, Journal};
use super::last_look::LastLookMaker;
use super::log_file::LogFile;
use super::log_record::{LogLine, LogReceiver};
use super::queue::FindingReceiver;
use super::state::{self, State};
use super::tally::Tally;
use super::threats_file::ThreatsFile;
use super::{LOG_FILE_NAME, THREATS_FILE_NAME};
use crate::config::DedupBy;
use crate::counters::Counters;
use crate::finding::Finding;
use crate::limits::{
    DEDUP_KEYS_MAX, DEDUP_LASTS_MAX, LOG_BACKUPS, LOG_ROTATE_BYTES, LOGGER_GRACE_MS,
    LOGGER_ROUND_LEN, REPORT_REST_MS, REPORT_TICK_MS, STATE_ASKED_MS,
};

const THREAD_NAME: &str = "clawsec-report";

/// Whether this is the logger's thread.
pub fn is_its_thread() -> bool {
    thread::current().name() == Some(THREAD_NAME)
}

/// What the thread is to know.
#[derive(Clone, Debug)]
pub struct LoggerConfig {
    /// An existing directory that is ours alone.
    pub log_dir: PathBuf,
    /// Zero: every finding is written.
    pub dedup_window: Duration,
    pub dedup_by: DedupBy,
    pub log_level: LevelFilter,
    /// What is counted of the findings, for others to read.
    pub tally: Arc<Tally>,
    /// Where the thread is pinned; none: where the system puts it.
    pub cpu: Option<CoreId>,
}

/// How the end went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Whether the thread ended before the deadline.
    pub ended: bool,
    /// Findings that are in no file.
    pub findings_unwritten: u64,
    /// Log records that are in no file, or were lost on the way in the whole run.
    pub log_lines_unwritten: u64,
}

impl Drained {
    /// Whether every finding that got into the queue is in the file.
    pub fn all_written(&self) -> bool {
        self.ended && self.findings_unwritten == 0
    }
}

/// What the handle says to the thread.
enum Command {
    Publish(Box<State>),
    Adjust {
        level: LevelFilter,
        dedup_window: Duration,
    },
    /// The sender is told once `monitor.json` shows all that is counted by now.
    Show(Sender<()>),
    /// The sender is told once it counts, or why what was there still does.
    LookLast(LastLookMaker, Sender<Result<(), String>>),
    Stop {
        deadline: Instant,
    },
}

/// The running thread. When it is dropped without `shutdown`, the thread writes what waits and
/// ends.
#[derive(Debug)]
pub struct LoggerHandle {
    commands: LoggerCommands,
    ended: Receiver<Drained>,
    thread: JoinHandle<()>,
    /// Only to count what a stuck thread left.
    findings: FindingReceiver,
    log_dir: PathBuf,
}

/// Opens the files and starts the thread. Its counters are the sums over `cores`.
/// A file that cannot be opened is an error that names it.
pub fn spawn(
    config: LoggerConfig,
    findings: FindingReceiver,
    log: LogReceiver,
    cores: Vec<Arc<Counters>>,
) -> io::Result<LoggerHandle> {
    spawn_with(config, findings, log, cores, Console::stderr())
}

fn spawn_with(
    config: LoggerConfig,
    findings: FindingReceiver,
    log: LogReceiver,
    cores: Vec<Arc<Counters>>,
    console: Console,
) -> io::Result<LoggerHandle> {
    let LoggerConfig { log_dir, dedup_window, dedup_by, log_level, tally, cpu } = config;
    let log_path = log_dir.join(LOG_FILE_NAME);
    let log_file = LogFile::open(log_path.clone(), LOG_ROTATE_BYTES, LOG_BACKUPS, console)
        .map_err(|error| naming(&log_path, &error))?;
    let threats_path = log_dir.join(THREATS_FILE_NAME);
    let (threats, repair) =
        ThreatsFile::open(threats_path.clone()).map_err(|error| naming(&threats_path, &error))?;
    let dedup = Dedup::new(dedup_window, dedup_by, DEDUP_KEYS_MAX, DEDUP_LASTS_MAX);
    let counts = Counts { cores, tally };
    log.attach();
    let journal_dir = log_dir.clone();
    let (commands, received_commands) = crossbeam_channel::bounded(4);
    let (ending, ended) = crossbeam_channel::bounded(1);
    let received_findings = findings.clone();
    let thread = thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
        // Made here, since what looks last at findings stays on its thread.
        let mut journal = Journal::new(journal_dir, log_level, counts, dedup, threats, log_file);
        if let Some(repair) = repair {
            journal.tell_repair(repair);
        }
        let logger = Logger {
            findings: received_findings,
            log,
            commands: received_commands,
            journal,
            findings_end: false,
            lines_end: false,
            rests_until: None,
        };
        let drained = logger.run(cpu);
        // Nobody listens any more when the handle was dropped.
        let _ = ending.send(drained);
    })?;
    let commands = LoggerCommands(commands);
    Ok(LoggerHandle { commands, ended, thread, findings, log_dir })
}

fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// What can be said to the thread by whoever cannot end it.
#[derive(Clone, Debug)]
pub struct LoggerCommands(Sender<Command>);

impl LoggerCommands {
    /// From now on `monitor.json` shows this monitor; the thread fills in the counters.
    pub fn publish(&self, state: State) {
        // A thread that has ended shows nothing any more.
        let _ = self.0.send(Command::Publish(Box::new(state)));
    }

    /// From now on another level and another window count.
    pub fn adjust(&self, level: LevelFilter, dedup_window: Duration) {
        // A thread that has ended writes nothing any more.
        let _ = self.0.send(Command::Adjust { level, dedup_window });
    }

    /// Has `monitor.json` show what is counted by now. Waits for that, but not for a thread that hangs in a file.
    pub fn show(&self) {
        let patience = Duration::from_millis(STATE_ASKED_MS);
        let (done, is_done) = crossbeam_channel::bounded(1);
        if self.0.send_timeout(Command::Show(done), patience).is_ok() {
            // Late, or never, it shows what it showed before.
            let _ = is_done.recv_timeout(patience);
        }
    }

    /// From now on all that findings show is looked at once more before it is written. Returns when that is so, or
    /// when what looks cannot be made: then whatever looked before goes on.
    pub fn look_last(&self, make: LastLookMaker) -> Result<(), String> {
        let (done, is_done) = crossbeam_channel::bounded(1);
        // A thread that has ended writes nothing any more.
        let _ = self.0.send(Command::LookLast(make, done));
        is_done.recv().unwrap_or(Ok(()))
    }
}

impl Deref for LoggerHandle {
    type Target = LoggerCommands;

    fn deref(&self) -> &LoggerCommands {
        &self.commands
    }
}

impl LoggerHandle {
    /// Tells when the thread has ended. Before [`LoggerHandle::shutdown`] only a defect ends it.
    pub fn ended(&self) -> Receiver<Drained> {
        self.ended.clone()
    }

    /// Writes all that waits in both queues, stops the thread, and removes `monitor.json`. The
    /// senders should have come to rest. Returns at the deadline, whether or not all is written;
    /// half a second after it, when the thread hangs in a file.
    pub fn shutdown(self, deadline: Instant) -> Drained {
        let asked = self.commands.0.send_deadline(Command::Stop { deadline }, deadline);
        let patience = deadline + Duration::from_millis(REPORT_TICK_MS);
        let drained = match asked {
            Ok(()) => self.ended.recv_deadline(patience).ok(),
            Err(_) => None,
        };
        if drained.is_some() {
            // It has said its last word, so that this does not wait; a panic has nothing more to
            // say.
            let _ = self.thread.join();
        }
        // What is left of it is recognised by the PID file.
        let _ = state::remove_own(&self.log_dir);
        drained.unwrap_or_else(|| Drained {
            ended: false,
            findings_unwritten: self.findings.len() as u64,
            log_lines_unwritten: 0,
        })
    }
}

/// The thread's own.
struct Logger {
    findings: FindingReceiver,
    log: LogReceiver,
    commands: Receiver<Command>,
    journal: Journal,
    /// All senders of findings, or of records, are gone.
    findings_end: bool,
    lines_end: bool,
    /// Until when the queues are left alone.
    rests_until: Option<Instant>,
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logger").finish_non_exhaustive()
    }
}

/// What woke the thread.
enum Event {
    Finding(Box<Finding>),
    Line(LogLine),
    Command(Command),
    /// All senders of findings, or of records, are gone.
    NoMoreFindings,
    NoMoreLines,
    /// The handle is gone.
    Abandoned,
    Retry,
    Rested,
    Tick,
}

impl Logger {
    fn run(mut self, cpu: Option<CoreId>) -> Drained {
        if let Some(cpu) = cpu
            && !core_affinity::set_for_current(cpu)
        {
            let message = format_args!("the log's thread could not be pinned to CPU {}", cpu.id);
            self.journal.tell(Level::Warn, message);
        }
        let ticks = tick(Duration::from_millis(REPORT_TICK_MS));
        loop {
            match self.next_event(&ticks) {
                Event::Finding(finding) => self.take_findings(finding),
                Event::Line(line) => self.take_lines(&line),
                Event::Command(Command::Publish(state)) => self.journal.publish(*state),
                Event::Command(Command::Adjust { level, dedup_window }) => {
                    self.log.set_level(level);
                    self.journal.adjust(level, dedup_window);
                }
                Event::Command(Command::Show(done)) => {
                    self.take_waiting_findings();
                    self.journal.show(Instant::now());
                    let _ = done.send(());
                }
                Event::Command(Command::LookLast(make, done)) => {
                    let _ = done.send(make().map(|look| self.journal.set_last_look(look)));
                }
                Event::Command(Command::Stop { deadline }) => return self.finish(deadline),
                Event::Abandoned => {
                    return self.finish(Instant::now() + Duration::from_millis(LOGGER_GRACE_MS));
                }
                Event::NoMoreFindings => self.findings_end = true,
                Event::NoMoreLines => self.lines_end = true,
                Event::Tick => self.tick(),
                Event::Rested => self.rests_until = None,
                Event::Retry => {}
            }
            self.journal.flush(Instant::now());
        }
    }

    /// Waits for what comes next. While the thread rests, nothing of the queues does.
    fn next_event(&self, ticks: &Receiver<Instant>) -> Event {
        let (no_findings, no_lines) = (never(), never());
        let is_awake = self.rests_until.is_none();
        let takes_findings = is_awake && !self.findings_end && self.journal.takes_findings();
        let findings = if takes_findings { self.findings.channel() } else { &no_findings };
        let takes_lines = is_awake && !self.lines_end;
        let lines = if takes_lines { self.log.channel() } else { &no_lines };
        let retry = self.journal.retry_at().map_or_else(never, at);
        let rested = self.rests_until.map_or_else(never, at);
        select! {
            recv(findings) -> taken => taken.map_or(Event::NoMoreFindings, Event::Finding),
            recv(lines) -> taken => taken.map_or(Event::NoMoreLines, Event::Line),
            recv(self.commands) -> taken => taken.map_or(Event::Abandoned, Event::Command),
            recv(retry) -> _ => Event::Retry,
            recv(rested) -> _ => Event::Rested,
            recv(ticks) -> _ => Event::Tick,
        }
    }

    /// Once all that waited is taken, leaves the queues alone for a moment: to wake this thread costs a core more
    /// than to hand over a finding, and to write one line by itself costs as much as a hundred together. What
    /// comes first after a quiet time does not wait.
    fn rest(&mut self) {
        if self.findings.is_empty() && self.log.channel().is_empty() {
            self.rests_until = Some(Instant::now() + Duration::from_millis(REPORT_REST_MS));
        }
    }

    /// Takes a finding and those that wait behind it, as far as one batch and one round go.
    fn take_findings(&mut self, first: Box<Finding>) {
        self.journal.take_finding(first);
        self.take_waiting_findings();
        self.rest();
    }

    fn take_waiting_findings(&mut self) {
        for _ in 0..LOGGER_ROUND_LEN {
            if !self.journal.takes_findings() {
                return;
            }
            let Some(finding) = self.findings.take() else { return };
            self.journal.take_finding(finding);
        }
    }

    fn take_lines(&mut self, first: &LogLine) {
        self.journal.take_line(first);
        self.take_waiting_lines();
        self.rest();
    }

    fn take_waiting_lines(&mut self) {
        for _ in 0..LOGGER_ROUND_LEN {
            let Some(line) = self.log.take() else { return };
            self.journal.take_line(&line);
        }
    }

    fn tick(&mut self) {
        self.journal.note_unused(self.findings.unused_hosts());
        self.journal.tick(Instant::now(), self.log.take_lost());
    }

    /// Writes what waits, trying a failing file until the deadline, and says what is left.
    fn finish(mut self, deadline: Instant) -> Drained {
        self.journal.flush_at_once(Instant::now());
        loop {
            self.take_waiting_findings();
            self.take_waiting_lines();
            if self.findings.is_empty() {
                self.journal.tell_repeats();
            }
            let now = Instant::now();
            self.journal.flush(now);
            if (self.findings.is_empty() && self.journal.lines_waiting() == 0) || now >= deadline {
                break;
            }
            if let Some(retry_at) = self.journal.retry_at() {
                thread::sleep(retry_at.min(deadline).saturating_duration_since(now));
            }
        }
        // Those of a disk that takes nothing are lines that could not be written, too.
        self.journal.tell_repeats();
        let findings_unwritten = self.findings.len() as u64 + self.journal.lines_waiting();
        if findings_unwritten > 0 {
            let message = format_args!("{findings_unwritten} findings could not be written");
            self.journal.tell(Level::Error, message);
        }
        self.log.detach();
        self.take_waiting_lines();
        self.tick();
        self.journal.flush_at_once(Instant::now());
        let log_lines_unwritten = self.journal.log_lines_unwritten();
        Drained { ended: true, findings_unwritten, log_lines_unwritten }
    }
}

#[cfg(test)]
mod tests;
