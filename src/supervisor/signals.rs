//! Signals as they come, and what each asks for.

use std::fs::OpenOptions;
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To end: SIGINT, SIGTERM, or the SIGHUP of a terminal that has gone.
    End(i32),
    /// To read the configuration again: SIGHUP.
    Reload,
}

/// Listens from now on.
pub fn listen() -> Result<Receiver<Asked>, String> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|e| e.to_string())?;
    let had_terminal = has_terminal();
    let (sender, receiver): (Sender<Asked>, _) = unbounded();
    thread::Builder::new()
        .name("clawsec-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let asked = match signal {
                    SIGHUP if !had_terminal || has_terminal() => Asked::Reload,
                    other => Asked::End(other),
                };
                if sender.send(asked).is_err() {
                    return;
                }
            }
        })
        .map_err(|error| error.to_string())?;
    Ok(receiver)
}

/// Whether this process belongs to a terminal: closing its window ends the monitor that runs in it.
fn has_terminal() -> bool {
    OpenOptions::new().read(true).open("/dev/tty").is_ok()
}
