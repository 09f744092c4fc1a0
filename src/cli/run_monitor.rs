//! The monitor of a run: the one that is there, or one that is started for it and ended after it.
//!
//! Several runs may share a monitor that one of them started. Each holds a shared lock on
//! `runs.lock`, in which the starter wrote the monitor's PID. Whoever can turn its lock into an
//! exclusive one is the last: it ends the monitor, if it is the one that a run started.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use super::arguments::CommonArguments;
use super::monitor::{self, Monitor};
use super::pid_file::{self, Instance};
use super::stop::{self, Patience, Target};
use super::{log_dir, output};
use crate::config::Config;
use crate::limits::{
    PID_FILE_READ_BYTES, RUN_MONITOR_WORDS_BYTES, RUN_POLL_MS, RUN_START_NOTE_MS, RUN_START_WAIT_MS,
};
use crate::report::state::State;

const LOCK_FILE_NAME: &str = "runs.lock";

/// A monitor that runs, and our share in it.
#[derive(Debug)]
pub struct RunMonitor {
    pub state: State,
    log_dir: PathBuf,
    patience: Patience,
    lock: File,
    /// Its process, or why there is no handle of it. It stays the one that was joined, whatever becomes of `log_dir`.
    process: Result<Target, String>,
    /// The same, if it is our child.
    child: Option<Child>,
}

/// Whether the monitor was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    Yes,
    /// It was there before, or others still use it.
    No,
}

impl RunMonitor {
    /// Takes the monitor that runs, or starts one and waits until it listens.
    pub fn start_or_join(
        config: &Config,
        arguments: &CommonArguments,
        is_quiet: bool,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<RunMonitor, String> {
        let log_dir = config.report.log_dir.clone();
        log_dir::prepare(&log_dir).map_err(|error| error.to_string())?;
        let lock = share(&log_dir).map_err(|error| {
            format!("cannot lock {LOCK_FILE_NAME} in {}: {error}", log_dir.display())
        })?;
        let mut child = None;
        let deadline = Instant::now() + Duration::from_millis(RUN_START_WAIT_MS);
        let note_at = Instant::now() + Duration::from_millis(RUN_START_NOTE_MS);
        let mut note_at = (!is_quiet).then_some(note_at);
        loop {
            match monitor::look(&log_dir)? {
                Monitor::Running(state) => {
                    let patience = Patience::of(config.runtime.shutdown_timeout);
                    let is_child =
                        child.as_ref().is_some_and(|child: &Child| child.id() == state.pid);
                    let process = open_process(&log_dir, state.pid, is_child);
                    // Nobody reads what it would say there, and a pipe that is full holds up whoever writes to it.
                    drop(child.as_mut().and_then(|child| child.stderr.take()));
                    let state = *state;
                    let mut monitor = RunMonitor { state, log_dir, patience, lock, process, child };
                    monitor.note_if_ours()?;
                    return Ok(monitor);
                }
                Monitor::Original { pid } => {
                    return Err(format!(
                        "the Python clawsec-monitor runs on this log_dir (PID {pid}); end it first"
                    ));
                }
                Monitor::Stopped if child.is_none() => {
                    child = Some(spawn(config, arguments)?);
                }
                Monitor::Stopped => refuse_if_ended(&mut child, &log_dir)?,
                Monitor::Starting => {}
            }
            if interrupted() || Instant::now() >= deadline {
                let was_ours = child.is_some();
                give_up(child);
                return Err(not_ready(was_ours, arguments));
            }
            if note_at.take_if(|at| Instant::now() >= *at).is_some() {
                output::note(
                    "the monitor is starting; the first time it compiles the rules, for some seconds",
                );
            }
            std::thread::sleep(Duration::from_millis(RUN_POLL_MS));
        }
    }

    /// Whether this run started it.
    pub fn is_ours(&self) -> bool {
        self.child.as_ref().is_some_and(|child| child.id() == self.state.pid)
    }

    /// Whether it is gone already.
    pub fn has_ended(&self) -> bool {
        self.process.as_ref().is_ok_and(Target::has_ended)
    }

    /// Ends the monitor, if a run started it and this was the last one.
    pub fn release(mut self) -> Result<Stopped, String> {
        match rustix::fs::flock(&self.lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Stopped::No),
            Err(errno) => return Err(format!("cannot lock {LOCK_FILE_NAME}: {errno}")),
        }
        if read_pid(&mut self.lock) != Some(self.state.pid) {
            return Ok(Stopped::No);
        }
        self.process?.end(self.patience)?;
        // A PID that is left there names no monitor, whatever becomes of the number: `look` compares.
        let _ = self.lock.set_len(0);
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
        stop::remove_what_is_left(&self.log_dir)?;
        Ok(Stopped::Yes)
    }

    fn note_if_ours(&mut self) -> Result<(), String> {
        if !self.is_ours() {
            return Ok(());
        }
        let pid = format!("{}\n", self.state.pid);
        let written = self
            .lock
            .set_len(0)
            .and_then(|()| self.lock.seek(SeekFrom::Start(0)))
            .and_then(|_| self.lock.write_all(pid.as_bytes()));
        written.map_err(|error| format!("cannot write {LOCK_FILE_NAME}: {error}"))
    }
}

/// Our share in whatever runs there. Waits while the last run before us ends its monitor.
fn share(log_dir: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed())
        .open(log_dir.join(LOCK_FILE_NAME))?;
    rustix::fs::flock(&file, FlockOperation::LockShared)?;
    Ok(file)
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(PID_FILE_READ_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// A handle of the monitor's process. A child's PID is its own until somebody asked after it; any other's must hold
/// the folder's lock.
fn open_process(log_dir: &Path, pid: u32, is_child: bool) -> Result<Target, String> {
    if is_child {
        return Target::open(pid, None);
    }
    match pid_file::inspect(log_dir) {
        Ok(Instance::Running { pid: Some(found), file }) if found == pid => {
            Target::open(pid, Some(file))
        }
        Ok(_) => Err(format!("the monitor (PID {pid}) ended when the run began")),
        Err(error) => Err(log_dir::unreadable(log_dir, &error)),
    }
}

/// `clawsec start` with the same settings, in a session of its own: the terminal's Ctrl-C is for
/// the program.
fn spawn(config: &Config, arguments: &CommonArguments) -> Result<Child, String> {
    let program = std::env::current_exe()
        .map_err(|error| format!("cannot find the clawsec program itself: {error}"))?;
    let mut start = Command::new(program);
    start.arg("start").arg("--own-session");
    if let Some(file) = &arguments.config {
        start.arg("--config").arg(file);
    }
    if let Some(folder) = &arguments.log_dir {
        start.arg("--log-dir").arg(folder);
    }
    // What `clawsec env` said of this shell's programs is not for the monitor.
    let is_our_own = |file: &std::ffi::OsStr| Path::new(file).starts_with(&config.report.log_dir);
    if std::env::var_os("SSL_CERT_FILE").is_some_and(|file| is_our_own(&file)) {
        start.env_remove("SSL_CERT_FILE");
    }
    start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    start.spawn().map_err(|error| format!("cannot start the monitor: {error}"))
}

/// A monitor that ended says why; unless another run's was faster, which is then there by now.
fn refuse_if_ended(child: &mut Option<Child>, log_dir: &Path) -> Result<(), String> {
    let Some(started) = child else { return Ok(()) };
    let ended = started.try_wait();
    if ended.map_err(|error| format!("cannot ask after the monitor: {error}"))?.is_none() {
        return Ok(());
    }
    if !matches!(monitor::look(log_dir)?, Monitor::Stopped) {
        *child = None;
        return Ok(());
    }
    let mut words = Vec::new();
    if let Some(stderr) = started.stderr.take() {
        // What cannot be read is not said.
        let _ = stderr.take(RUN_MONITOR_WORDS_BYTES as u64).read_to_end(&mut words);
    }
    let words = String::from_utf8_lossy(&words);
    Err(format!("the monitor did not start:\n{}", words.trim_end()))
}

/// Of a monitor that was ended for it, `status` would only say that it is stopped.
fn not_ready(was_ours: bool, arguments: &CommonArguments) -> String {
    let seconds = RUN_START_WAIT_MS / 1000;
    match was_ours {
        true => format!(
            "the monitor was not ready after {seconds} s, and is ended; to see what it does: {}",
            arguments.command("start")
        ),
        false => {
            format!("the monitor is not ready after {seconds} s: {}", arguments.command("status"))
        }
    }
}

/// Ends a monitor that was started and never got ready.
fn give_up(child: Option<Child>) {
    let Some(mut child) = child else { return };
    let pid = rustix::process::Pid::from_child(&child);
    // It is not waited for yet, so that the PID is its own.
    if rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok() {
        let _ = child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_that_was_ended_for_its_slowness_is_not_to_be_asked_after() {
        let common = CommonArguments { config: Some("own.json".into()), log_dir: None };
        let ours = not_ready(true, &common);
        assert!(ours.ends_with("is ended; to see what it does: clawsec start --config own.json"));
        assert!(not_ready(false, &common).ends_with(": clawsec status --config own.json"));
    }
}
