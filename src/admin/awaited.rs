//! Connections whose request has not arrived. Of too many the oldest is closed: a request comes at once, so that who
//! sends none keeps nobody from health and metrics.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, PoisonError};

use super::answer;
use crate::limits::ADMIN_AWAITED_MAX;

/// Those of the listener.
#[derive(Debug, Default)]
pub struct Awaited(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    entered: u64,
    /// By the number that each got, oldest first.
    connections: VecDeque<(u64, TcpStream)>,
}

impl Awaited {
    /// Adds a connection; the number is what it leaves by.
    pub fn enter(&self, connection: &TcpStream) -> u64 {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.entered += 1;
        let number = queue.entered;
        // One that cannot be closed from here ends at its deadline.
        if let Ok(connection) = connection.try_clone() {
            queue.connections.push_back((number, connection));
        }
        if queue.connections.len() > ADMIN_AWAITED_MAX
            && let Some((_, mut oldest)) = queue.connections.pop_front()
        {
            // Nothing was sent to it yet, so that this does not wait. Whoever reads from it finds its end.
            let _ = answer::BUSY.write(&mut oldest, false);
            let _ = oldest.shutdown(Shutdown::Both);
        }
        number
    }

    /// Its request has arrived, or never will.
    pub fn leave(&self, number: u64) {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.connections.retain(|(entered, _)| *entered != number);
    }
}
