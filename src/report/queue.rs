//! The queue of findings: the one border between the cores and the logger thread.
//! Bounded; the cores' end can only try, never wait. May not know what a finding means.

use crossbeam_channel::{Receiver, Sender};

use crate::finding::Finding;

/// A core's end of the queue.
#[derive(Clone, Debug)]
pub struct FindingSender(Sender<Box<Finding>>);

/// The logger thread's end of the queue.
#[derive(Clone, Debug)]
pub struct FindingReceiver(Receiver<Box<Finding>>);

/// The queue was full, or nobody reads it any more: the finding is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingLost;

/// A queue for `len` findings (`limits::FINDING_QUEUE_LEN` in a running monitor). The queue's slots are all there from
/// the start, so they hold places of findings, not findings.
pub fn bounded(len: usize) -> (FindingSender, FindingReceiver) {
    let (sender, receiver) = crossbeam_channel::bounded(len);
    (FindingSender(sender), FindingReceiver(receiver))
}

impl FindingSender {
    /// Hands a finding over, or loses it; never waits.
    pub fn offer(&self, finding: Finding) -> Result<(), FindingLost> {
        self.0.try_send(Box::new(finding)).map_err(|_| FindingLost)
    }
}

impl FindingReceiver {
    /// The next finding, when there is one.
    pub fn take(&self) -> Option<Box<Finding>> {
        self.0.try_recv().ok()
    }

    /// Findings that wait.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What `select!` waits on.
    pub(super) fn channel(&self) -> &Receiver<Box<Finding>> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::dedup::tests::finding;

    #[test]
    fn a_full_queue_loses_and_does_not_wait() {
        let (sender, receiver) = bounded(2);
        assert_eq!(sender.offer(finding("a", "x:1")), Ok(()));
        assert_eq!(sender.offer(finding("b", "x:1")), Ok(()));
        assert_eq!(sender.offer(finding("c", "x:1")), Err(FindingLost));
        assert_eq!(receiver.len(), 2);
        assert_eq!(&*receiver.take().unwrap().pattern, "a");
        assert_eq!(sender.offer(finding("d", "x:1")), Ok(()));
        assert_eq!(&*receiver.take().unwrap().pattern, "b");
        assert_eq!(&*receiver.take().unwrap().pattern, "d");
        assert!(receiver.take().is_none());
        assert!(receiver.is_empty());
    }

    #[test]
    fn a_queue_that_nobody_reads_loses() {
        let (sender, receiver) = bounded(2);
        drop(receiver);
        assert_eq!(sender.offer(finding("a", "x:1")), Err(FindingLost));
    }
}
