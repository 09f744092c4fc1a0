//! The program that `run` runs: its signals, its end, its exit code.
//!
//! The program stays in our process group, so that it keeps the terminal. What the terminal sends
//! (Ctrl-C) reaches it without us; every other signal is passed on.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;

use crossbeam_channel::{Receiver, Sender, select, unbounded};
use rustix::process::{Pid, PidfdFlags, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use super::environment::Environment;

/// What shells say of a program that is not there, and of one that cannot be executed.
const EXIT_NOT_FOUND: u8 = 127;
const EXIT_NOT_EXECUTABLE: u8 = 126;
/// What shells add to the number of the signal that ended a program.
const EXIT_SIGNAL_BASE: i32 = 128;

const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
/// What a terminal sends to all of its foreground group.
const FROM_THE_TERMINAL: [i32; 2] = [SIGINT, SIGQUIT];
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// How the program ended.
#[derive(Debug)]
pub enum Ended {
    Ran(ExitStatus),
    NotRun { code: u8, problem: String },
}

impl Ended {
    /// Ours is the same.
    pub fn code(&self) -> u8 {
        match self {
            Ended::Ran(status) => exit_code_of(*status),
            Ended::NotRun { code, .. } => *code,
        }
    }
}

fn exit_code_of(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| EXIT_SIGNAL_BASE + signal);
    let code = status.code().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// The signals that came to us, from now on.
pub struct Relay {
    signals: Receiver<i32>,
    ending: Option<i32>,
}

impl Relay {
    /// Takes the signals over.
    pub fn listen() -> Result<Relay, String> {
        let in_words = |error: io::Error| format!("cannot listen for signals: {error}");
        let mut signals = Signals::new(PASSED_ON).map_err(in_words)?;
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
            .map_err(in_words)?;
        Ok(Relay { signals: receiver, ending: None })
    }

    /// The exit code, if a signal came that asks us to end before there is a program.
    pub fn interrupted(&mut self) -> Option<u8> {
        while let Ok(signal) = self.signals.try_recv() {
            if ENDING.contains(&signal) {
                self.ending.get_or_insert(signal);
            }
        }
        self.ending.map(|signal| u8::try_from(EXIT_SIGNAL_BASE + signal).unwrap_or(u8::MAX))
    }

    /// Runs the program to its end.
    pub fn run(&self, command: &[OsString], environment: &Environment) -> Ended {
        match spawn(command, environment).and_then(|child| self.accompany(child)) {
            Ok(status) => Ended::Ran(status),
            Err(error) => {
                let code = match error.kind() {
                    io::ErrorKind::NotFound => EXIT_NOT_FOUND,
                    _ => EXIT_NOT_EXECUTABLE,
                };
                let name = command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
                Ended::NotRun { code, problem: format!("cannot run {name}: {error}") }
            }
        }
    }

    fn accompany(&self, mut child: Child) -> io::Result<ExitStatus> {
        let handle = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
        let (sender, ended) = unbounded();
        let waiter = thread::Builder::new().name("clawsec-wait".to_owned()).spawn(move || {
            // The other end is gone only when this process ends.
            let _ = sender.send(child.wait());
        })?;
        let status = loop {
            select! {
                recv(ended) -> status => break status.map_err(io::Error::other)?,
                recv(self.signals) -> signal => {
                    if let Ok(signal) = signal {
                        pass_on(&handle, signal);
                    }
                }
            }
        };
        // It has said its last word.
        let _ = waiter.join();
        status
    }
}

fn spawn(command: &[OsString], environment: &Environment) -> io::Result<Child> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    };
    let mut child = Command::new(program);
    child.args(arguments);
    for (name, value) in &environment.variables {
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    child.spawn()
}

fn pass_on(handle: &OwnedFd, signal: i32) {
    if FROM_THE_TERMINAL.contains(&signal) && is_in_the_foreground() {
        return;
    }
    if let Some(signal) = Signal::from_named_raw(signal) {
        // A program that has ended already needs no signal.
        let _ = rustix::process::pidfd_send_signal(handle, signal);
    }
}

/// Whether the terminal's signals come to our group (proc_pid_stat(5): pgrp, tpgid).
fn is_in_the_foreground() -> bool {
    let Ok(stat) = std::fs::read_to_string("/proc/self/stat") else { return false };
    let Some((_, fields)) = stat.rsplit_once(')') else { return false };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let (group, foreground) = (fields.get(2), fields.get(5));
    group.is_some() && group == foreground
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_shells() {
        for (raw, code) in [(0, 0), (7 << 8, 7), (255 << 8, 255), (15, 143), (9, 137)] {
            assert_eq!(exit_code_of(ExitStatus::from_raw(raw)), code);
        }
    }

    #[test]
    fn what_cannot_be_run_is_told_apart() {
        let relay = Relay { signals: unbounded().1, ending: None };
        let none = Environment::default();
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing").into_os_string();
        let ended = relay.run(&[missing], &none);
        assert_eq!(ended.code(), 127, "{ended:?}");
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "text").unwrap();
        assert_eq!(relay.run(&[plain.into_os_string()], &none).code(), 126);
        assert_eq!(relay.run(&[], &none).code(), 127);
    }

    #[test]
    fn a_signal_before_the_program_is_an_interruption() {
        let (sender, signals) = unbounded();
        let mut relay = Relay { signals, ending: None };
        assert_eq!(relay.interrupted(), None);
        sender.send(SIGUSR1).unwrap();
        assert_eq!(relay.interrupted(), None);
        sender.send(SIGTERM).unwrap();
        assert_eq!(relay.interrupted(), Some(143));
        assert_eq!(relay.interrupted(), Some(143), "it is remembered");
    }
}
