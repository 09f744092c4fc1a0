//! From the moment that all runs to the end: signals, signs of life, reloads, and the drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, bounded, never, select, tick};
use glommio::ExecutorJoinHandle;

use super::ending::{self, Ending};
use super::expiry::Expiry;
use super::pulse::Pulse;
use super::reload::Reloader;
use super::signals::Asked;
use crate::conn::deadline::Phase;
use crate::limits::PULSE_TICK_MS;
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
        self.drain(workers, deadline);
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

    fn drain(&mut self, workers: Vec<ExecutorJoinHandle<()>>, deadline: Instant) {
        let at_deadline = crossbeam_channel::at(deadline);
        let (ended, all_ended) = bounded::<()>(0);
        let joiner = thread::spawn(move || {
            for handle in workers {
                // An executor that failed has ended too, and has said why.
                let _ = handle.join();
            }
            drop(ended);
        });
        let ticks = tick(Duration::from_millis(PULSE_TICK_MS));
        loop {
            select! {
                recv(all_ended) -> _ => break,
                recv(at_deadline) -> _ => {
                    log::warn!("connections still open after the grace time are cut");
                    self.phase.store(Phase::Cut as u8, Ordering::Relaxed);
                }
                recv(ticks) -> _ => self.notifier.alive(Instant::now()),
                recv(self.signals) -> again => {
                    if let Ok(Asked::End(signal)) = again {
                        ending::at_once(&self.reloader.config, signal);
                    }
                }
            }
        }
        // It has nothing left to do.
        let _ = joiner.join();
    }
}
