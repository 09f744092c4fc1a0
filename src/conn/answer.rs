//! Our own answers on their way out.

use std::time::Duration;

use super::deadline::Deadline;
use crate::error::Error;
use crate::http::reply;
use crate::limits::ANSWER_WAIT_MS;
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
