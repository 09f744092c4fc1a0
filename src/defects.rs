//! Defects of this program: each is kept to the task that it is in, and told by its place alone. What a panic has to say
//! may quote the text that it could not cut, which is traffic.

use std::fmt;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use pin_project_lite::pin_project;

use crate::report::{log_record, logger};

/// From now on the log has the place of each defect.
pub fn log_places() {
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let place = Place { at: panic.location(), thread: thread.name() };
        log::error!("{place}");
        if logger::is_its_thread() {
            // Perhaps nobody takes that line any more.
            log_record::show_at_once(format_args!("{place}"));
        }
    }));
}

/// Where a defect was.
struct Place<'a> {
    at: Option<&'a Location<'a>>,
    thread: Option<&'a str>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let thread = self.thread.unwrap_or("a thread without a name");
        match self.at {
            Some(at) => write!(f, "a defect in this program, at {at} ({thread})"),
            None => write!(f, "a defect in this program ({thread})"),
        }
    }
}

/// Keeps a defect in `work` from whoever waits for it. None: it was ended by one.
pub fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Keeps a defect in the code of one task, `what`, from ending the others. Whether it ended without one.
pub fn contained<F: Future<Output = ()>>(what: &'static str, task: F) -> Contained<F> {
    Contained { what, task }
}

pin_project! {
    /// A task that ends by itself. A type of its own, since an `async fn` would hold the task twice.
    pub struct Contained<F> {
        what: &'static str,
        #[pin]
        task: F,
    }
}

impl<F: Future<Output = ()>> Future for Contained<F> {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let this = self.project();
        match caught(|| this.task.poll(context)) {
            Some(poll) => poll.map(|()| true),
            None => {
                let what = this.what;
                log::error!("{what} was ended by a defect in this program; please report it");
                Poll::Ready(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::process::Command;

    use futures_lite::future::block_on;
    use log::LevelFilter;

    use super::*;

    const IS_CHILD: &str = "CLAWSEC_TEST_OF_DEFECTS";

    #[test]
    fn a_defect_while_the_core_ends_does_not_lose_what_still_waits_to_be_scanned() {
        let left = Cell::new(3);
        let work = || async {
            while left.get() > 0 {
                left.set(left.get() - 1);
                assert!(left.get() != 1, "the defect of one part");
            }
        };
        let ended: Vec<bool> = (0..2).map(|_| block_on(contained("a part", work()))).collect();
        assert_eq!((ended, left.get()), (vec![false, true], 0));
    }

    /// In a process of its own, since there is one hook, and one log, for all threads.
    #[test]
    fn the_log_has_the_place_of_a_defect_and_nothing_of_what_it_was_about() {
        if std::env::var_os(IS_CHILD).is_some() {
            let _log = log_record::install(LevelFilter::Info).unwrap();
            log_places();
            let text = std::env::args().next().unwrap() + "é";
            let defect = thread::Builder::new().name("clawsec-7".to_owned());
            let ended = defect.spawn(move || text[..text.len() - 1].len()).unwrap().join();
            assert!(ended.is_err());
            return;
        }
        let name = thread::current().name().unwrap().to_owned();
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(&program);
        let output =
            child.args([&name, "--exact", "--nocapture"]).env(IS_CHILD, "1").output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{log}");
        assert!(
            log.contains("[ERROR] clawsec: a defect in this program, at src/defects.rs:"),
            "{log}"
        );
        assert!(log.contains(" (clawsec-7)\n"), "{log}");
        let file = program.file_name().unwrap().to_str().unwrap();
        assert!(!log.contains(file) && !log.contains("boundary"), "{log}");
    }
}
