//! How a client's or an origin's stream ends: the one place that decides it, always within a bounded time.

use std::rc::Rc;
use std::time::Duration;

use super::core::Core;
use super::deadline::Deadline;
use crate::forward::buffer::BufferPool;
use crate::limits::{ANSWER_WAIT_MS, LINGER_BYTES, LINGER_MS};
use crate::tls::stream::Stream;

/// What a stream's end is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was said.
    Whole,
    /// The same, and the peer may still be sending what nobody will read.
    Early,
}

/// Ends streams. Each is closed next.
pub struct Ending<'a> {
    deadline: &'a Deadline,
    buffers: &'a Rc<BufferPool>,
    /// How long a peer may take nothing of a body.
    patience: Duration,
}

impl<'a> Ending<'a> {
    /// The streams of one client's connection.
    pub fn of(core: &'a Core, deadline: &'a Deadline) -> Ending<'a> {
        let patience = core.config.http.body_idle_timeout;
        Ending { deadline, buffers: &core.buffers, patience }
    }

    /// Ends our direction.
    pub async fn end(&self, stream: &Stream, end: End) {
        match end {
            End::Whole => {
                let wait = self.patience.min(Duration::from_millis(ANSWER_WAIT_MS));
                let _ = self.deadline.within(wait, stream.finish()).await;
            }
            End::Early => {
                // It may stand behind a body, which a peer that reads slowly must not take for cut.
                let _ = self.deadline.within(self.patience, stream.finish()).await;
                let wait = Duration::from_millis(LINGER_MS);
                let _ = self.deadline.within(wait, self.read_away(stream)).await;
            }
        }
    }

    /// Reads away what the peer still sends, a bounded amount: closing with bytes unread would reset the
    /// connection, and the peer might never see its answer (RFC 9112 §9.6).
    async fn read_away(&self, stream: &Stream) {
        let mut left = LINGER_BYTES;
        while left > 0 {
            match stream.read_away(self.buffers).await {
                Ok(0) | Err(_) => return,
                Ok(len) => left = left.saturating_sub(len),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::deadline::{Deadlines, Phase};
    use crate::tls::stream_tests::{run, to_origin};
    use futures_lite::future::{or, poll_once};
    use glommio::timer::sleep;

    /// Ends a stream while the core's ticker runs.
    async fn end(stream: &Stream, patience: Duration, end: End) {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        let buffers = BufferPool::new();
        let ending = Ending { deadline: &deadline, buffers: &buffers, patience };
        let ticks = async {
            loop {
                deadlines.tick(Phase::Running);
                sleep(Duration::from_millis(5)).await;
            }
        };
        or(ending.end(stream, end), ticks).await;
    }

    #[test]
    fn a_tls_client_that_stops_reading_does_not_hold_its_connection() {
        run(|| async {
            for how in [End::Whole, End::Early] {
                let (stream, _socket, _server) = to_origin().await;
                let data = vec![7; 32 << 20];
                assert!(poll_once(stream.write_all(&data)).await.is_none(), "the socket is full");
                end(&stream, Duration::from_millis(20), how).await;
            }
        });
    }
}
