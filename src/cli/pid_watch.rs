//! Looks after the PID file while the monitor runs: without it `status` and `stop` find nobody, and a second monitor
//! could start. Owns the thread that looks.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::pid_file::{Kept, PID_FILE_NAME, PidFile};
use crate::limits::PID_WATCH_MS;

/// Does the work with the file held, and looked after.
pub fn while_held<R>(mut held: PidFile, work: impl FnOnce() -> R) -> R {
    let (ending, ended) = channel::<()>();
    let held = &mut held;
    thread::scope(|scope| {
        let watch = move || watch(held, &ended);
        let named = thread::Builder::new().name("clawsec-pid-file".to_owned());
        if let Err(error) = named.spawn_scoped(scope, watch) {
            log::warn!("nobody looks after {PID_FILE_NAME}: {error}");
        }
        let outcome = work();
        drop(ending);
        outcome
    })
}

fn watch(held: &mut PidFile, ended: &Receiver<()>) {
    let mut told = None;
    let period = Duration::from_millis(PID_WATCH_MS);
    while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
        match held.keep() {
            Ok(Kept::AsItWas) => told = None,
            Ok(Kept::MadeAnew) => {
                told = None;
                log::warn!(
                    "{PID_FILE_NAME} was removed, and is made again. If the CA's files were removed too, the \
                     next start makes another CA, which every client is to trust anew"
                );
            }
            Ok(Kept::FolderMadeAnew) => {
                told = None;
                log::error!(
                    "log_dir was removed, and is made again: findings go on being written, those of before are gone. \
                     So are the CA's files: what is started from now on cannot trust it, and the next start makes \
                     another CA, which every client is to trust anew"
                );
            }
            Err(error) => {
                let problem = error.to_string();
                if told.as_ref() != Some(&problem) {
                    log::error!("{PID_FILE_NAME} is no longer this monitor's: {problem}");
                    told = Some(problem);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_file_that_is_removed_meanwhile_comes_back_and_goes_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PID_FILE_NAME);
        let held = PidFile::acquire(folder.path()).unwrap();
        while_held(held, || {
            std::fs::remove_file(&path).unwrap();
            let began = Instant::now();
            while !path.exists() {
                assert!(began.elapsed() < Duration::from_secs(30), "it does not come back");
                thread::sleep(Duration::from_millis(20));
            }
        });
        assert!(!path.exists());
    }
}
