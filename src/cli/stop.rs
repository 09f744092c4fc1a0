//! `clawsec stop`: SIGTERM, wait for the lock, SIGKILL if it must be, and no PID file left behind.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use super::arguments::CommonArguments;
use super::pid_file::{self, Identity, Instance, PidFile};
use super::{load_common, log_dir, output, process};
use crate::limits::{STOP_GRACE_MS, STOP_KILL_WAIT_MS, STOP_POLL_MS, STOP_WAIT_MIN_MS};

/// Runs the command.
pub fn run(arguments: &CommonArguments) -> ExitCode {
    let config = match load_common(arguments) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let patience = Patience::of(config.runtime.shutdown_timeout);
    match stop(&config.report.log_dir, patience, &mut |text| output::result(text)) {
        Ok(Ended::Yes) => ExitCode::SUCCESS,
        Ok(Ended::NotRunning) => {
            if !arguments.is_given() {
                output::note(ELSEWHERE);
            }
            ExitCode::SUCCESS
        }
        Err(message) => {
            output::error(message);
            ExitCode::FAILURE
        }
    }
}

/// Said where the default folder was looked into, and nothing ran.
const ELSEWHERE: &str = "a monitor with a log_dir of its own is ended with the --config or --log-dir it was started with";

/// What became of the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Yes,
    NotRunning,
}

/// How long is waited after each signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Patience {
    after_term: Duration,
    after_kill: Duration,
}

impl Patience {
    /// What a process that uses the whole of its own shutdown time needs, and never less than the
    /// original's 5 s.
    pub(super) fn of(shutdown_timeout: Duration) -> Patience {
        let own = shutdown_timeout + Duration::from_millis(STOP_GRACE_MS);
        Patience {
            after_term: own.max(Duration::from_millis(STOP_WAIT_MIN_MS)),
            after_kill: Duration::from_millis(STOP_KILL_WAIT_MS),
        }
    }
}

pub(super) type Say<'a> = &'a mut dyn FnMut(&str) -> io::Result<()>;

/// Ends the monitor of the folder, if one runs.
pub(super) fn stop(log_dir: &Path, patience: Patience, say: Say<'_>) -> Result<Ended, String> {
    let inspected =
        pid_file::inspect(log_dir).map_err(|error| log_dir::unreadable(log_dir, &error))?;
    match inspected {
        Instance::Stopped => {
            say(&format!("Not running in {}.\n", shown(log_dir))).map_err(in_words)?;
            Ok(Ended::NotRunning)
        }
        Instance::Stale => {
            let removed = PidFile::remove_stale(log_dir).map_err(in_words)?;
            let left = if removed { " (stale PID file removed)" } else { "" };
            say(&format!("Not running in {}.{left}\n", shown(log_dir))).map_err(in_words)?;
            Ok(Ended::NotRunning)
        }
        Instance::Running { pid: None, .. } => Err("it is just starting; try again".into()),
        Instance::Running { pid: Some(pid), file } => {
            let target = Target::open(pid, Some(file))?;
            end(&target, patience, &|| is_held(log_dir, file), say)?;
            remove_what_is_left(log_dir)?;
            Ok(Ended::Yes)
        }
        Instance::Original { pid } => {
            let target = Target::open(pid, None)?;
            end(&target, patience, &|| process::is_original(pid), say)?;
            remove_what_is_left(log_dir)?;
            Ok(Ended::Yes)
        }
    }
}

/// The whole path: a relative one means another folder from elsewhere.
fn shown(log_dir: &Path) -> String {
    let whole = std::path::absolute(log_dir).unwrap_or_else(|_| log_dir.to_owned());
    output::visible(&whole.display().to_string())
}

/// A process by handle: what is signalled is what was checked, even if its PID is given to another
/// meanwhile.
#[derive(Debug)]
pub(super) struct Target {
    pid: u32,
    handle: OwnedFd,
}

impl Target {
    /// Opens the process, and checks that it has the PID file open, where there is a file to check.
    pub(super) fn open(pid: u32, file: Option<Identity>) -> Result<Target, String> {
        let elsewhere = || {
            format!(
                "the monitor's lock is held, but not by PID {pid} of this system: it may run in another \
                 container; stop it there"
            )
        };
        let handle =
            i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(elsewhere).and_then(
                |pid| {
                    rustix::process::pidfd_open(pid, PidfdFlags::empty()).map_err(|_| elsewhere())
                },
            )?;
        let holds = file.and_then(|file| process::has_open(pid, file));
        if holds == Some(false) {
            return Err(elsewhere());
        }
        Ok(Target { pid, handle })
    }

    /// Sends a signal. A process that is gone already has got what it should.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), String> {
        match rustix::process::pidfd_send_signal(&self.handle, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(Errno::PERM) => Err(format!(
                "PID {} belongs to another user: stop it as that user, or with sudo",
                self.pid
            )),
            Err(errno) => Err(format!("cannot signal PID {}: {errno}", self.pid)),
        }
    }

    /// Whether the process is gone, or waits only for its parent to ask after it.
    pub(super) fn has_ended(&self) -> bool {
        let mut polled = PollFd::new(&self.handle, PollFlags::IN);
        let at_once = Timespec::default();
        poll(std::slice::from_mut(&mut polled), Some(&at_once)).is_ok_and(|ready| ready > 0)
    }

    /// Ends the process, whatever became of its log folder.
    pub(super) fn end(&self, patience: Patience) -> Result<(), String> {
        end(self, patience, &|| !self.has_ended(), &mut |_| Ok(()))
    }
}

fn end(
    target: &Target,
    patience: Patience,
    runs: &dyn Fn() -> bool,
    say: Say<'_>,
) -> Result<(), String> {
    let pid = target.pid;
    target.signal(Signal::TERM)?;
    say(&format!("Sent SIGTERM to PID {pid} — waiting for shutdown...")).map_err(in_words)?;
    if ended_within(patience.after_term, runs) {
        return say(" stopped.\n").map_err(in_words);
    }
    target.signal(Signal::KILL)?;
    let waited = patience.after_term.as_secs_f64();
    say(&format!("\nNot stopped after {waited} s — sent SIGKILL...")).map_err(in_words)?;
    if ended_within(patience.after_kill, runs) {
        return say(" killed.\n").map_err(in_words);
    }
    say("\n").map_err(in_words)?;
    Err(format!("PID {pid} does not end, not even by SIGKILL"))
}

fn ended_within(limit: Duration, runs: &dyn Fn() -> bool) -> bool {
    let began = Instant::now();
    while runs() {
        if began.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(STOP_POLL_MS));
    }
    true
}

/// Whether the very file that was held still is; a new start's file is another.
fn is_held(log_dir: &Path, held: Identity) -> bool {
    matches!(
        pid_file::inspect(log_dir),
        Ok(Instance::Running { file, .. }) if file == held
    )
}

pub(super) fn remove_what_is_left(log_dir: &Path) -> Result<(), String> {
    PidFile::remove_stale(log_dir).map(|_| ()).map_err(in_words)
}

fn in_words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::{Child, Command, Stdio};

    const QUICK: Patience =
        Patience { after_term: Duration::from_millis(300), after_kill: Duration::from_secs(10) };
    const LONG: Patience =
        Patience { after_term: Duration::from_secs(60), after_kill: Duration::from_secs(10) };

    /// A shell that holds the lock by util-linux's `flock` and writes its own PID, as a monitor
    /// would.
    fn monitor(log_dir: &Path, on_term: &str) -> Child {
        let script = format!(
            "exec 9<>monitor.pid; flock -w 20 9 || exit 1; trap '{on_term}' TERM; echo $$ > monitor.pid; \
             while :; do sleep 0.02 9>&-; done"
        );
        let child = Command::new("bash")
            .args(["-c", &script])
            .current_dir(log_dir)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let expected = Some(child.id());
        while !matches!(
            pid_file::inspect(log_dir), Ok(Instance::Running { pid, .. }) if pid == expected
        ) {
            assert!(began.elapsed() < Duration::from_secs(20), "the stand-in did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }

    fn stopped(log_dir: &Path, patience: Patience) -> (Result<Ended, String>, String) {
        let mut said = String::new();
        let result = stop(log_dir, patience, &mut |text| {
            said.push_str(text);
            Ok(())
        });
        (result, said)
    }

    #[test]
    fn nothing_running_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("never/made");
        for path in [folder.path(), &nowhere] {
            let said = format!("Not running in {}.\n", path.display());
            assert_eq!(stopped(path, QUICK), (Ok(Ended::NotRunning), said));
        }
        assert!(!nowhere.exists());
    }

    #[test]
    fn a_stale_file_is_removed_and_its_recycled_pid_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(folder.path().join("monitor.pid"), format!("{}\n", bystander.id())).unwrap();
        fs::write(folder.path().join("monitor.json"), "{}").unwrap();
        let (result, said) = stopped(folder.path(), QUICK);
        assert_eq!(result, Ok(Ended::NotRunning));
        assert!(!folder.path().join("monitor.json").exists(), "what a killed monitor left");
        let folder_shown = folder.path().display();
        assert_eq!(said, format!("Not running in {folder_shown}. (stale PID file removed)\n"));
        assert!(!folder.path().join("monitor.pid").exists());
        assert_eq!(bystander.try_wait().unwrap(), None, "the bystander lives");
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }

    #[test]
    fn a_monitor_that_follows_sigterm_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = monitor(folder.path(), "rm monitor.pid; exit 0");
        let (result, said) = stopped(folder.path(), LONG);
        assert_eq!(result, Ok(Ended::Yes));
        let pid = child.id();
        assert_eq!(said, format!("Sent SIGTERM to PID {pid} — waiting for shutdown... stopped.\n"));
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(!folder.path().join("monitor.pid").exists());
    }

    #[test]
    fn a_monitor_that_does_not_follow_is_killed_and_its_file_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = monitor(folder.path(), "true");
        let (result, said) = stopped(folder.path(), QUICK);
        assert_eq!(result, Ok(Ended::Yes), "{said}");
        assert!(said.ends_with("\nNot stopped after 0.3 s — sent SIGKILL... killed.\n"), "{said}");
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(9));
        assert!(!folder.path().join("monitor.pid").exists());
    }

    #[test]
    fn a_pid_that_does_not_hold_the_file_is_never_signalled() {
        let folder = tempfile::tempdir().unwrap();
        let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
        let _held = PidFile::acquire(folder.path()).unwrap();
        for pid in [bystander.id(), 999_999_999] {
            fs::write(folder.path().join("monitor.pid"), format!("{pid}\n")).unwrap();
            let (result, said) = stopped(folder.path(), QUICK);
            assert!(result.unwrap_err().contains("not by PID"), "{said}");
            assert_eq!(said, "");
        }
        assert_eq!(bystander.try_wait().unwrap(), None, "the bystander lives");
        bystander.kill().unwrap();
        bystander.wait().unwrap();
    }

    #[test]
    fn a_process_is_ended_by_its_handle_alone() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let target = Target::open(child.id(), None).unwrap();
        assert!(!target.has_ended());
        target.end(LONG).unwrap();
        assert!(target.has_ended(), "though nobody has asked after it");
        target.end(LONG).unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.wait().unwrap()), Some(15));
        assert!(target.has_ended());
    }

    #[test]
    fn patience_is_five_seconds_or_the_shutdown_time_and_a_grace() {
        let after_term = |secs| Patience::of(Duration::from_secs_f64(secs)).after_term.as_millis();
        assert_eq!(after_term(0.0), 5000);
        assert_eq!(after_term(4.5), 5000);
        assert_eq!(after_term(5.0), 5500);
        assert_eq!(after_term(30.0), 30_500);
    }
}
