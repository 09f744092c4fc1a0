//! The queue of findings: the one border between the cores and the logger thread. Beside them go the hosts whose
//! tunnels were not used. Bounded; the cores' end can only try, never wait. May not know what a finding means.

use crossbeam_channel::{Receiver, Sender};

use crate::finding::Finding;
use crate::limits::UNUSED_HOSTS_QUEUE_LEN;

/// A core's end of the queue.
#[derive(Clone, Debug)]
pub struct FindingSender {
    findings: Sender<Box<Finding>>,
    unused_hosts: Sender<Box<str>>,
}

/// The logger thread's end of the queue.
#[derive(Clone, Debug)]
pub struct FindingReceiver {
    findings: Receiver<Box<Finding>>,
    unused_hosts: Receiver<Box<str>>,
}

/// The queue was full, or nobody reads it any more: the finding is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FindingLost;

/// A queue for `len` findings (`limits::FINDING_QUEUE_LEN` in a running monitor). The queue's slots are all there from
/// the start, so they hold places of findings, not findings.
pub fn bounded(len: usize) -> (FindingSender, FindingReceiver) {
    let (sender, receiver) = crossbeam_channel::bounded(len);
    let (unused_sender, unused_hosts) = crossbeam_channel::bounded(UNUSED_HOSTS_QUEUE_LEN);
    let sender = FindingSender { findings: sender, unused_hosts: unused_sender };
    (sender, FindingReceiver { findings: receiver, unused_hosts })
}

impl FindingSender {
    /// Hands a finding over, or loses it; never waits.
    pub fn offer(&self, finding: Finding) -> Result<(), FindingLost> {
        self.findings.try_send(Box::new(finding)).map_err(|_| FindingLost)
    }

    /// A client of this host's ended its tunnel before it asked for anything. Lost where many do so at once: counters
    /// tell how many there were.
    pub fn offer_unused(&self, host: &str) {
        let _ = self.unused_hosts.try_send(host.into());
    }
}

impl FindingReceiver {
    /// The next finding, when there is one.
    pub fn take(&self) -> Option<Box<Finding>> {
        self.findings.try_recv().ok()
    }

    /// The hosts whose tunnels were not used since this was last asked.
    pub(super) fn unused_hosts(&self) -> impl Iterator<Item = Box<str>> + '_ {
        self.unused_hosts.try_iter().take(UNUSED_HOSTS_QUEUE_LEN)
    }

    /// Findings that wait.
    pub fn len(&self) -> usize {
        self.findings.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// What `select!` waits on.
    pub(super) fn channel(&self) -> &Receiver<Box<Finding>> {
        &self.findings
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
    fn hosts_of_unused_tunnels_are_handed_over_as_far_as_there_is_room() {
        let (sender, receiver) = bounded(2);
        for number in 0..=UNUSED_HOSTS_QUEUE_LEN {
            sender.offer_unused(&format!("host{number}"));
        }
        let hosts: Vec<Box<str>> = receiver.unused_hosts().collect();
        assert_eq!((hosts.len(), &*hosts[0]), (UNUSED_HOSTS_QUEUE_LEN, "host0"));
        assert_eq!(receiver.unused_hosts().count(), 0);
        sender.offer_unused("again");
        assert_eq!(receiver.unused_hosts().count(), 1);
    }

    #[test]
    fn a_queue_that_nobody_reads_loses() {
        let (sender, receiver) = bounded(2);
        drop(receiver);
        assert_eq!(sender.offer(finding("a", "x:1")), Err(FindingLost));
    }
}
