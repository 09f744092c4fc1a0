//! Our own answers on their way out, and the end of a connection whose request was not read to its end.

use std::time::Duration;

use super::deadline::Deadline;
use crate::error::Error;
use crate::forward::leg::Leg;
use crate::http::reply;
use crate::limits::{ANSWER_WAIT_MS, LINGER_BYTES, LINGER_MS};
use crate::tls::stream::Stream;

/// Sends the answer that an error earns, if it earns one. Says with it that the connection ends.
pub async fn send(client: &Stream, deadline: &Deadline, error: &Error, is_head: bool) {
    let Some(answer) = error.answer else { return };
    let bytes = reply::error(answer.status, answer.cause, &error.detail, true, is_head);
    raw(client, deadline, &bytes).await;
}

/// Sends bytes; whether they went out.
pub async fn raw(client: &Stream, deadline: &Deadline, bytes: &[u8]) -> bool {
    let wait = Duration::from_millis(ANSWER_WAIT_MS);
    matches!(deadline.within(wait, client.write_all(bytes)).await, Ok(Ok(())))
}

/// Ends our direction and reads away what the client still sends, for a bounded time and amount: closing with
/// bytes unread would reset the connection, and the client might never see its answer (RFC 9112 §9.6).
pub async fn linger(mut client: Leg, deadline: &Deadline) {
    client.unread.take();
    let away = async {
        client.stream.finish().await;
        let mut left = LINGER_BYTES;
        while left > 0 {
            match client.fill().await {
                Ok(0) | Err(_) => return,
                Ok(len) => left = left.saturating_sub(len),
            }
            client.unread.take();
        }
    };
    // However it ends, the connection is closed next.
    let _ = deadline.within(Duration::from_millis(LINGER_MS), away).await;
}
