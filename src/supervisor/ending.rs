//! The end of a run, where rules may still be compiled: they are waited for, so that the next start has them; where
//! that takes too long, the process ends as the signal itself ends it: all threads at once, nothing taken down.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, at, select, tick};
use signal_hook::low_level::emulate_default_handler;

use super::signals::Asked;
use crate::cli::pid_file;
use crate::config::Config;
use crate::detection::Unprepared;
use crate::limits::{COMPILATION_TICK_MS, DRAIN_RESERVE_MS};
use crate::report::state;
use crate::rulebook::Gate;

/// How a run has ended that went well. What there was to write is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Ending {
    /// Nothing is left that minds.
    Whole,
    /// Rules are still being compiled; what the run was ended by.
    WhileCompiling { signal: i32 },
}

impl Ending {
    /// The last act: the process ends here, if it must not return from `main`.
    pub fn complete(self) {
        if let Ending::WhileCompiling { signal } = self {
            end_by(signal);
        }
    }
}

/// Why there was no run, or what was lost of one.
#[derive(Debug)]
pub struct Failure {
    /// For the person who started it.
    pub reason: String,
    /// Whether that is what is wrong with the configuration.
    pub is_configuration_wrong: bool,
}

impl<T: Into<String>> From<T> for Failure {
    fn from(reason: T) -> Failure {
        Failure { reason: reason.into(), is_configuration_wrong: false }
    }
}

impl From<Unprepared> for Failure {
    fn from(unprepared: Unprepared) -> Failure {
        let Unprepared { reason, is_configuration_wrong } = unprepared;
        Failure { reason, is_configuration_wrong }
    }
}

/// Until when all is to have ended that is told so now.
pub fn deadline(config: &Config) -> Instant {
    let reserve = Duration::from_millis(DRAIN_RESERVE_MS);
    Instant::now() + config.runtime.shutdown_timeout.saturating_sub(reserve)
}

/// Lets no compilation begin any more, and waits for what is under way until the deadline or a second signal.
pub fn await_compilations(
    gate: &Gate,
    deadline: Instant,
    signals: &Receiver<Asked>,
    signal: i32,
) -> Ending {
    gate.close();
    let (ticks, late) = (tick(Duration::from_millis(COMPILATION_TICK_MS)), at(deadline));
    let mut ended_by = None;
    while gate.is_entered() {
        if let Some(signal) = ended_by.filter(|_| !is_first_process()) {
            return Ending::WhileCompiling { signal };
        }
        select! {
            recv(ticks) -> _ => {}
            recv(late) -> _ => ended_by = Some(signal),
            recv(signals) -> again => match again {
                Ok(Asked::End(again)) => ended_by = Some(again),
                Ok(Asked::Reload) => {}
                Err(_) => ended_by = Some(signal),
            }
        }
    }
    Ending::Whole
}

/// A second signal: nothing is waited for any more.
pub fn at_once(config: &Config, signal: i32) -> ! {
    let log_dir = &config.report.log_dir;
    let _ = state::remove_own(log_dir);
    pid_file::remove_own(log_dir);
    end_by(signal)
}

fn end_by(signal: i32) -> ! {
    if !is_first_process() {
        // It returns only where it failed.
        let _ = emulate_default_handler(signal);
    }
    std::process::exit(128 + signal)
}

/// Whether it is the first process of a container: no signal of its own ends that, and its manager knows how to.
fn is_first_process() -> bool {
    std::process::id() == 1
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{bounded, unbounded};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn a_compilation_is_waited_for() {
        let (_sender, signals) = unbounded();
        let gate = Gate::default();
        let (began, has_begun) = bounded(1);
        let ending = std::thread::scope(|scope| {
            scope.spawn(|| {
                let _compiling = gate.enter().unwrap();
                began.send(()).unwrap();
                while gate.enter().is_some() {
                    std::thread::yield_now();
                }
            });
            has_begun.recv().unwrap();
            await_compilations(&gate, Instant::now() + LONG, &signals, 15)
        });
        assert_eq!(ending, Ending::Whole);
        assert!(!gate.is_entered());
    }

    #[test]
    fn a_compilation_that_takes_too_long_is_not() {
        let (_sender, signals) = unbounded();
        let gate = Gate::default();
        let _compiling = gate.enter().unwrap();
        let ending = await_compilations(&gate, Instant::now(), &signals, 15);
        assert_eq!(ending, Ending::WhileCompiling { signal: 15 });
    }

    #[test]
    fn a_second_signal_ends_the_waiting_and_a_reload_does_not() {
        let (sender, signals) = unbounded();
        let gate = Gate::default();
        let _compiling = gate.enter().unwrap();
        sender.send(Asked::Reload).unwrap();
        sender.send(Asked::End(2)).unwrap();
        let ending = await_compilations(&gate, Instant::now() + LONG, &signals, 15);
        assert_eq!(ending, Ending::WhileCompiling { signal: 2 });
    }
}
