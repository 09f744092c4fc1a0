//! HTTP/2 for clients that speak nothing else, as gRPC's: each stream becomes an HTTP/1.1 exchange over a pipe, and what
//! goes to the origin a stream again. So what is decided about a request is decided in one place, whatever it came by.
//! Origins that speak nothing else get a stream for a request of HTTP/1.1, too.
//!
//! ```text
//! client ═ wire ═ from_client ─ pipe ─▶ conn::requests ▶ conn::exchange ─ pipe ─▶ to_origin ═ wire ═ origin
//!            one connection, many streams: frames by the h2 crate; heads and trailers by `heads`
//! ```
//!
//! Moves bytes; no rule, no policy, no deadline.

/// Connections of both sides, and what opens streams on them.
pub mod connection;
/// One stream of a client's connection.
mod from_client;
/// Heads and trailers, from one version to the other.
pub mod heads;
/// What a stream sends, and whether it has left.
mod sending;
/// One stream of a connection to an origin.
mod to_origin;
/// How much a peer may send of a stream.
mod windows;
/// A connection as the h2 crate wants it.
mod wire;

#[cfg(test)]
mod heads_tests;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::HeaderMap;

use self::heads::Coding;
use self::sending::Sending;
use crate::forward::leg::Unread;
use crate::forward::pipe::{Code, Failure};
use crate::http::body::{Body, Piece};
use crate::http::head::HeadLimits;
use crate::limits::READ_BUFFER_BYTES;
use crate::tls::stream::Stream;

/// What an exchange writes is bounded by the buffer that it goes through.
const OURS: HeadLimits =
    HeadLimits { max_bytes: READ_BUFFER_BYTES, max_headers: READ_BUFFER_BYTES };

/// Why a stream goes no further.
#[derive(Debug)]
enum Fault {
    /// The pipe: who is behind it ended, or ends.
    Pipe(io::Error),
    /// The HTTP/2 connection, or its peer.
    Peer(h2::Error),
    /// What came by the pipe is no HTTP/1.1 that we wrote.
    Malformed(String),
}

impl From<h2::Error> for Fault {
    fn from(error: h2::Error) -> Fault {
        Fault::Peer(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Pipe(error)
    }
}

/// Reads more out of the pipe, unless the stream's peer gives it up first. 0 is an orderly end.
async fn fill(
    unread: &mut Unread,
    pipe: &Stream,
    mut poll_reset: impl FnMut(&mut Context<'_>) -> Poll<Result<Reason, h2::Error>>,
) -> Result<usize, Fault> {
    let mut filling = pin!(unread.fill(pipe));
    poll_fn(|context| {
        if let Poll::Ready(read) = filling.as_mut().poll(context) {
            return Poll::Ready(read.map_err(Fault::Pipe));
        }
        poll_reset(context).map(|reset| Err(Fault::Peer(reset.map_or_else(|e| e, Into::into))))
    })
    .await
}

/// The pipe ended where it should not have.
fn cut() -> Fault {
    Fault::Pipe(io::ErrorKind::UnexpectedEof.into())
}

/// A body out of the pipe into the frames of a stream, to its end.
async fn frame_body(
    mut body: Body,
    lasts_until_close: bool,
    unread: &mut Unread,
    pipe: &Stream,
    stream: &mut Sending,
) -> Result<(), Fault> {
    let mut trailers = Vec::new();
    loop {
        let bytes = unread.bytes();
        let mut data = Vec::new();
        let stepped = body.step(bytes, &mut |piece| match piece {
            Piece::Data(range) => data.push(range),
            Piece::Trailer(range) => trailers.extend(bytes.get(range).unwrap_or_default()),
            Piece::Extension(..) => {}
        });
        let len = stepped.map_err(|error| Fault::Malformed(error.to_string()))?;
        let ends_here = body.is_done() && trailers.is_empty();
        let last = data.len().checked_sub(1);
        for (number, range) in data.into_iter().enumerate() {
            let piece = Bytes::copy_from_slice(bytes.get(range).unwrap_or_default());
            stream.send(piece, ends_here && Some(number) == last).await?;
        }
        unread.consume(len);
        if ends_here && last.is_some() {
            return Ok(());
        }
        if body.is_done() {
            return Ok(stream.end(&trailers)?);
        }
        match fill(unread, pipe, |context| stream.poll_reset(context)).await? {
            0 if lasts_until_close => return Ok(stream.end(&[])?),
            0 => return Err(cut()),
            _ => {}
        }
    }
}

/// A body out of a stream's frames into the pipe, to its end. `passes` is told how much of it does.
async fn unframe_body(
    mut body: RecvStream,
    coding: Coding,
    pipe: &Stream,
    mut passes: impl FnMut(usize),
) -> Result<(), Fault> {
    let mut out = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        passes(data.len());
        match coding {
            Coding::Chunked if data.is_empty() => {}
            Coding::Chunked => {
                out.clear();
                heads::write_chunk(&data, &mut out);
                pipe.write_all(&out).await?;
            }
            Coding::None | Coding::Plain => pipe.write_all(&data).await?,
        }
        // The peer may send so much more. An error is the connection's, and shows at the next read.
        let _ = body.flow_control().release_capacity(data.len());
    }
    let trailers = body.trailers().await?;
    if coding == Coding::Chunked {
        out.clear();
        heads::write_last_chunk(&trailers.unwrap_or_else(HeaderMap::new), &mut out);
        pipe.write_all(&out).await?;
    }
    Ok(())
}

/// The same, and with which code somebody else's stream ends for it: the peer's own, if it reset this one; a stream that
/// its goodbye left out was refused (RFC 9113 §6.8, §8.7).
fn failure(error: &h2::Error) -> Failure {
    let told = error.reason().filter(|_| error.is_remote());
    let reason = if error.is_go_away() { told.and(Some(Reason::REFUSED_STREAM)) } else { told };
    let code = reason.and_then(|reason| Code::new(reason.into()));
    Failure { why: in_words(error), code }
}

/// With which code a stream ends whose exchange ended so.
fn reason_of(fault: &Fault) -> Reason {
    let code = match fault {
        Fault::Pipe(error) => Failure::code_of(error),
        Fault::Peer(_) | Fault::Malformed(_) => None,
    };
    code.map_or(Reason::INTERNAL_ERROR, |code| Reason::from(code.get()))
}

/// What happened, without what a peer says of it beside its code: that may be anything, up to a frame of it.
fn in_words(error: &h2::Error) -> String {
    let Some(reason) = error.reason() else { return format!("HTTP/2: {error}") };
    let what = if error.is_go_away() { "connection" } else { "stream" };
    let how = if error.is_remote() { "received" } else { "detected" };
    format!("HTTP/2: {what} error {how}: {reason}")
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// It reached the log and the client's page, unmasked.
    #[test]
    fn what_a_peer_says_with_its_goodbye_is_not_repeated() {
        const EMPTY_SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
        const GOAWAY_ENHANCE_YOUR_CALM: &[u8] = b"\0\0\x0e\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0bsecret";
        let told = block_on(async {
            let (ours, mut peer) = tokio::io::duplex(1024);
            peer.write_all(EMPTY_SETTINGS).await.unwrap();
            peer.write_all(GOAWAY_ENHANCE_YOUR_CALM).await.unwrap();
            let (_requests, connection) = h2::client::handshake(ours).await.unwrap();
            in_words(&connection.await.unwrap_err())
        });
        assert!(told.starts_with("HTTP/2: connection error received: "), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}
