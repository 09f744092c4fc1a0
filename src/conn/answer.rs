//! Our own answers on their way out.

use std::time::Duration;

use super::deadline::Deadline;
use crate::error::Error;
use crate::forward::pipe::Failure;
use crate::http::reply;
use crate::limits::ANSWER_WAIT_MS;
use crate::tls::stream::Stream;

/// Sends the answer that an error earns, if it earns one. Says with it that the connection ends. A stream is reset
/// instead, if the origin did that with its own.
pub async fn send(client: &Stream, deadline: &Deadline, error: &Error, is_head: bool) {
    if let Some(failure) = reset_of(client, error) {
        return client.fail(failure);
    }
    let Some(answer) = error.answer else { return };
    let bytes = reply::error(answer.status, answer.cause, &error.detail, true, is_head);
    raw(client, deadline, &bytes).await;
}

/// Cuts a stream in the middle of its answer with the code that the origin cut its own with.
pub fn cut(client: &Stream, error: &Error) {
    if let Some(failure) = reset_of(client, error) {
        client.cut_by(failure);
    }
}

fn reset_of(client: &Stream, error: &Error) -> Option<Failure> {
    let code = error.reset.filter(|_| client.is_piped())?;
    Some(Failure { why: error.detail.clone(), code: Some(code) })
}

/// Sends bytes; whether they went out.
pub async fn raw(client: &Stream, deadline: &Deadline, bytes: &[u8]) -> bool {
    let wait = Duration::from_millis(ANSWER_WAIT_MS);
    matches!(deadline.within(wait, client.write_all(bytes)).await, Ok(Ok(())))
}
