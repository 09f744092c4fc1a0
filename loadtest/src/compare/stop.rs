//! SIGINT, SIGTERM and SIGHUP as a flag, so that what was started is ended and what was measured is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::Outcome;

static ASKED: AtomicBool = AtomicBool::new(false);

/// From here on these signals set the flag, and no longer end the process.
pub fn listen() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [mut interrupt, mut terminate, mut hangup] = {
        let _guard = runtime.enter();
        let [first, second, third] = kinds;
        [signal(first)?, signal(second)?, signal(third)?]
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            ASKED.store(true, Ordering::Relaxed);
            // The handlers stay: a second signal must not cut the tidying short.
            std::future::pending::<()>().await;
        });
    });
    Ok(())
}

/// Whether one of the signals came.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// An error when one of the signals came.
pub fn check() -> Outcome<()> {
    if is_asked() { Err("stopped by a signal".into()) } else { Ok(()) }
}
