//! From the moment that all runs to the end: signals, signs of life, reloads, and the drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, at, bounded, never, select, tick};
use glommio::ExecutorJoinHandle;

use super::ending::{self, Ending};
use super::expiry::Expiry;
use super::pulse::Pulse;
use super::reload::Reloader;
use super::signals::Asked;
use crate::conn::deadline::Phase;
use crate::limits::{PULSE_TICK_MS, WORKERS_END_MS};
use crate::notify::Notifier;
use crate::rulebook::GATE;

/// What is looked after while the workers serve.
pub struct Serving {
    pub reloader: Reloader,
    pub pulse: Pulse,
    pub expiry: Expiry,
    pub notifier: Notifier,
    pub signals: Receiver<Asked>,
    pub phase: Arc<AtomicU8>,
}

impl Serving {
    /// Waits for a signal to end, then for the workers: first they finish what is in flight, at the deadline
    /// they are cut. What a reload compiles is waited for as long. `is_reload_asked`: while it was not ready yet.
    pub fn serve(
        mut self,
        workers: Vec<ExecutorJoinHandle<()>>,
        is_reload_asked: bool,
    ) -> Result<Ending, String> {
        self.notifier.ready(&self.status());
        let signal = self.until_end(is_reload_asked)?;
        log::info!("Shutting down (signal {signal})…");
        self.notifier.stopping();
        self.phase.store(Phase::Draining as u8, Ordering::Relaxed);
        GATE.close();
        let deadline = ending::deadline(&self.reloader.config);
        let (notifier, all_ended) = (&mut self.notifier, joined(workers));
        let alive = || notifier.alive(Instant::now());
        if let Some(again) = drain(&all_ended, deadline, &self.phase, &self.signals, alive) {
            ending::at_once(&self.reloader.config, again);
        }
        let ending = ending::await_compilations(&GATE, deadline, &self.signals, signal);
        log::info!("Done.");
        Ok(ending)
    }

    /// The signal that ends it. A reload that is under way then is abandoned; one that is asked for while another
    /// is under way comes after it, since the other may have read the old file.
    fn until_end(&mut self, is_reload_asked: bool) -> Result<i32, String> {
        let ticks = tick(Duration::from_millis(PULSE_TICK_MS));
        let signals = self.signals.clone();
        let mut reloading: Option<Receiver<Reloader>> =
            is_reload_asked.then(|| self.begin_reload());
        let mut is_asked_again = false;
        loop {
            let none = never();
            select! {
                recv(signals) -> asked => match asked.map_err(|error| error.to_string())? {
                    Asked::End(signal) => return Ok(signal),
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

/// Waits until all have ended, or one hangs. Tells of a second signal, which waits for nobody. It ends in any case, so
/// that a sign of life is given whether the workers live or not.
fn drain(
    all_ended: &Receiver<()>,
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
            recv(all_ended) -> _ => return None,
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

/// Disconnected once all have ended. Whoever waits need not wait for one that never does.
fn joined(workers: Vec<ExecutorJoinHandle<()>>) -> Receiver<()> {
    let (ended, all_ended) = bounded(0);
    thread::spawn(move || {
        for handle in workers {
            // An executor that failed has ended too, and has said why.
            let _ = handle.join();
        }
        drop(ended);
    });
    all_ended
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
        let all_ended = joined(vec![builder.spawn(hanging).unwrap()]);
        let (_sender, signals) = unbounded();
        let phase = AtomicU8::new(Phase::Draining as u8);
        assert_eq!(drain(&all_ended, Instant::now(), &phase, &signals, || ()), None);
        assert_eq!(phase.load(Ordering::Relaxed), Phase::Cut as u8);
        assert!(all_ended.try_recv().is_err_and(|error| error.is_empty()), "it still hangs");
        drop(release);
        assert!(all_ended.recv().is_err(), "it has ended");
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
