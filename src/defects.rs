//! Defects of this program: each is kept to the task that it is in.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

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

    use futures_lite::future::block_on;

    use super::*;

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
}
