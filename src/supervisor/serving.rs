//! From the moment that all runs to the end: signals, signs of life, reloads, and the drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, at, bounded, never, select, tick};
use glommio::ExecutorJoinHandle;
use signal_hook::consts::SIGABRT;

use super::ending::{self, Ending};
use super::expiry::Expiry;
use super::pulse::Pulse;
use super::reload::Reloader;
use super::signals::Asked;
use crate::conn::deadline::Phase;
use crate::limits::{PULSE_TICK_MS, WORKERS_END_MS};
use crate::notify::Notifier;
use crate::report::logger::Drained;
use crate::rulebook::GATE;

/// What is looked after while the workers serve.
pub struct Serving {
    pub reloader: Reloader,
    pub pulse: Pulse,
    pub expiry: Expiry,
    pub notifier: Notifier,
    pub signals: Receiver<Asked>,
    pub phase: Arc<AtomicU8>,
    /// Tells of the logger's thread, which ends behind all this.
    pub logger: Receiver<Drained>,
}

/// Why the end begins.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Signal(i32),
    /// A thread is gone that should live: whoever started the monitor is to start it anew.
    Defect(String),
}

/// A worker that has ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    index: usize,
    by_defect: bool,
}

impl Ended {
    fn tell(&self) {
        if self.by_defect {
            log::error!("worker {} was ended by a defect in this program", self.index);
        }
    }
}

impl Serving {
    /// Waits for a signal to end, then for the workers: first they finish what is in flight, at the deadline
    /// they are cut. What a reload compiles is waited for as long. `is_reload_asked`: while it was not ready yet.
    /// A thread that a defect has ended is as good as a signal, but that it is an error.
    pub fn serve(
        mut self,
        workers: Vec<ExecutorJoinHandle<()>>,
        is_reload_asked: bool,
    ) -> Result<Ending, String> {
        let ended = joined(workers)?;
        self.notifier.ready(&self.status());
        let end = self.until_end(&ended, is_reload_asked)?;
        match &end {
            End::Signal(signal) => log::info!("Shutting down (signal {signal})…"),
            End::Defect(what) => log::error!("{what}; please report it. Shutting down…"),
        }
        self.notifier.stopping();
        self.phase.store(Phase::Draining as u8, Ordering::Relaxed);
        GATE.close();
        let deadline = ending::deadline(&self.reloader.config);
        let notifier = &mut self.notifier;
        let alive = || notifier.alive(Instant::now());
        if let Some(again) = drain(&ended, deadline, &self.phase, &self.signals, alive) {
            ending::at_once(&self.reloader.config, again);
        }
        let signal = if let End::Signal(signal) = end { signal } else { SIGABRT };
        let ending = ending::await_compilations(&GATE, deadline, &self.signals, signal);
        log::info!("Done.");
        match end {
            End::Defect(what) if ending == Ending::Whole => Err(what),
            _ => Ok(ending),
        }
    }

    /// What ends it. A reload that is under way then is abandoned; one that is asked for while another
    /// is under way comes after it, since the other may have read the old file.
    fn until_end(&mut self, ended: &Receiver<Ended>, is_reload_asked: bool) -> Result<End, String> {
        let ticks = tick(Duration::from_millis(PULSE_TICK_MS));
        let (signals, logger) = (self.signals.clone(), self.logger.clone());
        let mut reloading: Option<Receiver<Reloader>> =
            is_reload_asked.then(|| self.begin_reload());
        let mut is_asked_again = false;
        loop {
            let none = never();
            select! {
                recv(signals) -> asked => match asked.map_err(|error| error.to_string())? {
                    Asked::End(signal) => return Ok(End::Signal(signal)),
                    Asked::Reload if reloading.is_some() => is_asked_again = true,
                    Asked::Reload => reloading = Some(self.begin_reload()),
                },
                recv(reloading.as_ref().unwrap_or(&none)) -> reloaded => {
                    match reloaded {
                        Ok(reloader) => self.reloader = reloader,
                        Err(_) => self.reloader.give_up(),
                    }
                    self.notifier.ready(&self.status());
                    let again = std::mem::take(&mut is_asked_again);
                    reloading = again.then(|| self.begin_reload());
                },
                recv(ended) -> ended => return Ok(defect_of(ended.ok())),
                recv(logger) -> _ => {
                    let what = "the thread that reports was ended by a defect in this program";
                    return Ok(End::Defect(what.to_owned()));
                }
                recv(ticks) -> _ => {
                    let now = Instant::now();
                    if let Some(warning) = self.expiry.due(now, SystemTime::now()) {
                        log::warn!("{warning}");
                    }
                    // A service manager that hears nothing starts it anew.
                    if self.pulse.look(now) {
                        self.notifier.alive(now);
                    }
                }
            }
        }
    }

    fn begin_reload(&self) -> Receiver<Reloader> {
        self.notifier.reloading();
        self.reloader.begin()
    }

    /// One line for `systemctl status`.
    fn status(&self) -> String {
        match &self.reloader.state.listeners.proxy {
            Some(proxy) => format!("inspecting on {proxy}"),
            None => "inspecting the gateway".to_owned(),
        }
    }
}

/// While nobody has asked for the end, a worker ends by a defect alone.
fn defect_of(ended: Option<Ended>) -> End {
    let which = ended.map_or("the workers".to_owned(), |ended| format!("worker {}", ended.index));
    End::Defect(format!("{which} ended by a defect in this program"))
}

/// Waits until all have ended, or one hangs. Tells of a second signal, which waits for nobody. It ends in any case, so
/// that a sign of life is given whether the workers live or not.
fn drain(
    ended: &Receiver<Ended>,
    deadline: Instant,
    phase: &AtomicU8,
    signals: &Receiver<Asked>,
    mut alive: impl FnMut(),
) -> Option<i32> {
    let at_deadline = at(deadline);
    let given_up = at(deadline + Duration::from_millis(WORKERS_END_MS));
    let ticks = tick(Duration::from_millis(PULSE_TICK_MS));
    loop {
        select! {
            recv(ended) -> ended => match ended {
                Ok(ended) => ended.tell(),
                Err(_) => return None,
            },
            recv(at_deadline) -> _ => {
                log::warn!("connections still open after the grace time are cut");
                phase.store(Phase::Cut as u8, Ordering::Relaxed);
            }
            recv(given_up) -> _ => {
                log::error!("a worker hangs: what it had to scan is lost");
                return None;
            }
            recv(ticks) -> _ => alive(),
            recv(signals) -> again => if let Ok(Asked::End(signal)) = again {
                return Some(signal);
            }
        }
    }
}

/// Tells of each that has ended, and is disconnected once all have. Whoever waits need not wait for one that never does.
fn joined(workers: Vec<ExecutorJoinHandle<()>>) -> Result<Receiver<Ended>, String> {
    let (sender, ended) = bounded(workers.len());
    for (index, handle) in workers.into_iter().enumerate() {
        let sender = sender.clone();
        let join = move || {
            // Of a monitor that has ended nobody hears it.
            let _ = sender.send(Ended { index, by_defect: handle.join().is_err() });
        };
        let thread = thread::Builder::new().name(format!("clawsec-join-{index}")).spawn(join);
        thread.map_err(|error| format!("there is no thread to wait for a worker: {error}"))?;
    }
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::unbounded;
    use glommio::{LocalExecutorBuilder, Placement};

    use super::*;

    /// The logger is told to end behind this: with a wait for ever, what it still had to write was lost.
    #[test]
    fn a_worker_that_hangs_does_not_hold_up_the_end() {
        let (release, hang) = bounded::<()>(0);
        let builder = LocalExecutorBuilder::new(Placement::Unbound);
        let hanging = move || async move { assert!(hang.recv().is_err()) };
        let all_ended = joined(vec![builder.spawn(hanging).unwrap()]).unwrap();
        let (_sender, signals) = unbounded();
        let phase = AtomicU8::new(Phase::Draining as u8);
        assert_eq!(drain(&all_ended, Instant::now(), &phase, &signals, || ()), None);
        assert_eq!(phase.load(Ordering::Relaxed), Phase::Cut as u8);
        assert!(all_ended.try_recv().is_err_and(|error| error.is_empty()), "it still hangs");
        drop(release);
        assert_eq!(all_ended.recv(), Ok(Ended { index: 0, by_defect: false }));
        assert!(all_ended.recv().is_err(), "all have ended");
    }

    /// With one that stays dead nobody would be served any more, and nobody would start the monitor anew.
    #[test]
    fn a_worker_that_a_defect_ends_is_told_at_once_and_the_others_are_drained() {
        let (release, hang) = bounded::<()>(0);
        let builder = || LocalExecutorBuilder::new(Placement::Unbound);
        let lives = builder().spawn(move || async move { assert!(hang.recv().is_err()) }).unwrap();
        let dies = builder().spawn(|| async {
            let defect = async { panic!("the defect of a task") };
            glommio::spawn_local::<()>(defect).detach();
            glommio::timer::sleep(Duration::from_secs(3600)).await;
        });
        let ended = joined(vec![lives, dies.unwrap()]).unwrap();
        let first = ended.recv_timeout(Duration::from_secs(60)).ok();
        assert_eq!(first, Some(Ended { index: 1, by_defect: true }));
        let End::Defect(what) = defect_of(first) else { panic!("it is a defect") };
        assert!(what.starts_with("worker 1 "), "{what}");
        drop(release);
        let (_sender, signals) = unbounded();
        let phase = AtomicU8::new(Phase::Draining as u8);
        let deadline = Instant::now() + Duration::from_secs(3600);
        assert_eq!(drain(&ended, deadline, &phase, &signals, || ()), None);
        assert_eq!(phase.load(Ordering::Relaxed), Phase::Draining as u8);
    }

    #[test]
    fn a_second_signal_is_told_at_once() {
        let (_never, all_ended) = bounded(0);
        let (sender, signals) = unbounded();
        sender.send(Asked::Reload).unwrap();
        sender.send(Asked::End(2)).unwrap();
        let deadline = Instant::now() + Duration::from_secs(3600);
        let phase = AtomicU8::new(Phase::Draining as u8);
        assert_eq!(drain(&all_ended, deadline, &phase, &signals, || ()), Some(2));
    }
}
