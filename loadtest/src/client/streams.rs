//! Streams: events, each counted from when the origin sent it, and WebSocket round trips.

use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use tokio::task::JoinSet;

use super::TargetArguments;
use super::dial::Dialer;
use super::exchange::{Connection, RequestShape};
use super::run::{Plan, Share, SpanArguments, measure};
use crate::bodies::Bodies;
use crate::meter::monotonic_ns;
use crate::{Outcome, text, websocket};

/// Stands before the time that an event was sent at.
const SENT_MARK: &[u8] = b"\"sent_ns\":";
/// The longest line of an event.
const LINE_MAX_BYTES: usize = 64 * 1024;
/// What a client waits after a failed stream.
const ERROR_BACKOFF: Duration = Duration::from_millis(20);
/// One read of WebSocket frames.
const FRAME_READ_BYTES: usize = 16 * 1024;

/// Event streams; the URL's path is that of /sse?events=N&interval_ms=M.
#[derive(Args)]
pub struct SseArguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    span: SpanArguments,
    /// Streams at a time.
    #[arg(long, default_value_t = 16)]
    connections: usize,
}

/// WebSocket echo; the URL's path is /ws.
#[derive(Args)]
pub struct WebsocketArguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    span: SpanArguments,
    /// Connections.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Bytes of a message.
    #[arg(long, default_value_t = 128)]
    message: usize,
}

/// Streams are opened within the work, and nothing of them is due.
fn plan<'a>(span: &'a SpanArguments, target: &TargetArguments) -> Plan<'a> {
    Plan { span, charge: target.charge, to_open: 0, drain: Duration::ZERO }
}

/// Measures event streams.
pub fn run_sse(arguments: SseArguments) -> Outcome<Value> {
    let dialer = arguments.target.dialer()?;
    let connections = arguments.connections;
    measure(&plan(&arguments.span, &arguments.target), move |share| {
        let (share, dialer) = (Rc::new(share), Arc::clone(&dialer));
        async move {
            let mut tasks = JoinSet::new();
            for _ in 0..share.of(connections) {
                let (share, dialer) = (Rc::clone(&share), Arc::clone(&dialer));
                tasks.spawn_local(async move {
                    share.shared.opened().await;
                    while share.shared.may_start() {
                        share.tally.borrow_mut().streams += 1;
                        if let Err(error) = event_stream(&share, &dialer).await {
                            share.tally.borrow_mut().note_error(error.to_string());
                            tokio::time::sleep(ERROR_BACKOFF).await;
                        }
                    }
                });
            }
            while tasks.join_next().await.is_some() {}
        }
    })
}

async fn event_stream(share: &Share, dialer: &Dialer) -> io::Result<()> {
    let mut connection = dialer.dial().await?;
    let path = dialer.target.path.clone();
    let shape = RequestShape { method: "GET", path, closes: false };
    connection.send(&shape, "", &[]).await?;
    let mut line = Vec::new();
    let answer = connection.receive(|piece| count_events(share, &mut line, piece)).await?;
    connection.close().await;
    match answer.status {
        200 => Ok(()),
        status => Err(io::Error::other(format!("answered {status}"))),
    }
}

/// Counts the events that end in `piece`; `line` keeps what has not ended.
fn count_events(share: &Share, line: &mut Vec<u8>, piece: &[u8]) {
    let now = monotonic_ns();
    for part in piece.split_inclusive(|byte| *byte == b'\n') {
        line.extend_from_slice(part);
        if !part.ends_with(b"\n") {
            line.truncate(LINE_MAX_BYTES);
            continue;
        }
        if let Some(sent) = sent_ns(line)
            && share.shared.is_measuring()
        {
            let mut tally = share.tally.borrow_mut();
            tally.requests += 1;
            tally.body_bytes += line.len() as u64;
            tally.latency.record(Duration::from_nanos(now.saturating_sub(sent)));
        }
        line.clear();
    }
}

fn sent_ns(line: &[u8]) -> Option<u64> {
    let at = line.windows(SENT_MARK.len()).position(|window| window == SENT_MARK)?;
    let digits = line.get(at + SENT_MARK.len()..)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(digits.get(..end)?).ok()?.parse().ok()
}

/// Measures WebSocket round trips.
pub fn run_websocket(arguments: WebsocketArguments) -> Outcome<Value> {
    let dialer = arguments.target.dialer()?;
    let connections = arguments.connections;
    let bodies = Arc::new(Bodies::of_client(text::clean()));
    let len = arguments.message;
    measure(&plan(&arguments.span, &arguments.target), move |share| {
        let (share, dialer) = (Rc::new(share), Arc::clone(&dialer));
        let bodies = Arc::clone(&bodies);
        async move {
            let mut tasks = JoinSet::new();
            for _ in 0..share.of(connections) {
                let (share, dialer) = (Rc::clone(&share), Arc::clone(&dialer));
                let bodies = Arc::clone(&bodies);
                tasks.spawn_local(async move {
                    share.shared.opened().await;
                    while share.shared.may_start() {
                        share.tally.borrow_mut().streams += 1;
                        if let Err(error) = echo(&share, &dialer, &bodies, len).await {
                            share.tally.borrow_mut().note_error(error.to_string());
                            tokio::time::sleep(ERROR_BACKOFF).await;
                        }
                    }
                });
            }
            while tasks.join_next().await.is_some() {}
        }
    })
}

/// Messages that each are new.
async fn echo(share: &Share, dialer: &Dialer, bodies: &Bodies, len: usize) -> io::Result<()> {
    let mut connection = dialer.dial_tunnel().await?;
    upgrade(&mut connection, &dialer.target.path).await?;
    loop {
        let message = bodies.whole(len);
        let frame = websocket::write_frame(2, &message, true);
        let started = Instant::now();
        connection.write(&frame).await?;
        let echoed = loop {
            if let Some(echoed) = websocket::read_frame(&connection.input) {
                break echoed;
            }
            if connection.fill(FRAME_READ_BYTES).await? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed within an echo"));
            }
        };
        connection.input.drain(..echoed.len);
        if echoed.payload != message {
            return Err(io::Error::new(ErrorKind::InvalidData, "echoed something else"));
        }
        if share.shared.is_measuring() {
            let mut tally = share.tally.borrow_mut();
            tally.requests += 1;
            tally.body_bytes += 2 * message.len() as u64;
            tally.latency.record(started.elapsed());
        }
        if !share.shared.may_start() {
            connection.close().await;
            return Ok(());
        }
    }
}

async fn upgrade(connection: &mut Connection, path: &str) -> io::Result<()> {
    let headers = format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {}\r\n",
        websocket::CLIENT_KEY
    );
    let path = path.to_owned();
    let shape = RequestShape { method: "GET", path, closes: false };
    connection.send(&shape, &headers, &[]).await?;
    match connection.receive_head().await?.0.status {
        101 => Ok(()),
        status => Err(io::Error::other(format!("upgrade answered {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_when_it_was_sent() {
        assert_eq!(sent_ns(b"data: {\"sent_ns\":1234,\"number\":1}\n"), Some(1234));
        assert_eq!(sent_ns(b"data: {\"number\":1}\n"), None);
        assert_eq!(sent_ns(b"data: {\"sent_ns\":}\n"), None);
    }
}
