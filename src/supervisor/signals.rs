//! Signals as they come, and what each asks for.

use std::fs::{self, OpenOptions};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
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
    // Before the handler is there: it takes the place of what was inherited.
    let outlives_terminal =
        ignores_hangup(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let listened_to = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXFSZ];
    let mut signals = Signals::new(listened_to).map_err(|e| e.to_string())?;
    let had_terminal = has_terminal();
    let (sender, receiver): (Sender<Asked>, _) = unbounded();
    thread::Builder::new()
        .name("clawsec-signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let asked = match signal {
                    // Others rotate their logs by them, and unheard they end a process at once.
                    SIGUSR1 | SIGUSR2 => {
                        let name = if signal == SIGUSR1 { "SIGUSR1" } else { "SIGUSR2" };
                        log::info!("{name} ignored: files that were moved away need no signal");
                        continue;
                    }
                    // A file has reached the limit of sizes (`ulimit -f`): who wrote to it is told
                    // by EFBIG, as of a full disk.
                    SIGXFSZ => continue,
                    SIGHUP if outlives_terminal || !had_terminal || has_terminal() => Asked::Reload,
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

/// Whether SIGHUP was ignored, as `nohup` has it for what it starts, by `/proc/self/status` (proc(5)).
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (SIGHUP - 1) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hangup_is_seen_in_the_mask() {
        for (line, ignored) in [
            ("SigIgn:\t0000000000000001", true),
            ("SigIgn:\t0000000000001001", true),
            ("SigIgn:\t0000000000001000", false),
            ("SigBlk:\t0000000000000001", false),
            ("", false),
        ] {
            assert_eq!(ignores_hangup(&format!("Name:\tclawsec\n{line}\n")), ignored, "{line}");
        }
    }
}
