//! The origin's answers, on a stream that may be TLS.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::bodies::Bodies;
use crate::meter::monotonic_ns;
use crate::websocket;
use crate::wire::{ChunkDecoder, Framing, RequestHead, request_head};

/// The longest request head.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// The longest body that is echoed.
const ECHO_MAX_BYTES: usize = 16 * 1024 * 1024;
/// A chunk of `/chunked`.
const CHUNK_BYTES: usize = 16 * 1024;
/// Bytes that go with a head in one write.
const COALESCED_BYTES: usize = 16 * 1024;
/// Bytes of a longer body that are made and written at once.
const PIECE_BYTES: usize = 64 * 1024;
/// What is beside the time in an event.
const EVENT_PAD: &str = "the model answers with a short list of steps and then asks which";
/// One read.
const READ_BYTES: usize = 64 * 1024;

/// A stream that can end with a reset.
pub trait OriginStream: AsyncRead + AsyncWrite + Unpin {
    /// Makes the coming drop send a reset.
    fn reset_on_drop(&self) -> io::Result<()>;
}

impl OriginStream for TcpStream {
    fn reset_on_drop(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl OriginStream for TlsStream<TcpStream> {
    fn reset_on_drop(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

/// Serves requests until the connection ends.
pub async fn serve<S: OriginStream>(stream: S, bodies: &Bodies) -> io::Result<()> {
    let mut exchange = Exchange { stream, input: Vec::new(), bodies };
    while let Some(head) = exchange.next_head().await? {
        let keep_alive = head.keep_alive;
        if !exchange.answer(head).await? || !keep_alive {
            break;
        }
    }
    exchange.stream.shutdown().await
}

struct Exchange<'a, S> {
    stream: S,
    /// Read and not yet used.
    input: Vec<u8>,
    bodies: &'a Bodies,
}

impl<S: OriginStream> Exchange<'_, S> {
    async fn next_head(&mut self) -> io::Result<Option<RequestHead>> {
        loop {
            match request_head(&self.input).map_err(|error| invalid(&error.to_string()))? {
                Some(head) => {
                    self.input.drain(..head.len);
                    return Ok(Some(head));
                }
                None if self.input.len() >= HEAD_MAX_BYTES => return Err(invalid("long head")),
                None if self.fill().await? == 0 => return Ok(None),
                None => {}
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.input.capacity() - self.input.len() < READ_BYTES / 16 {
            self.input.reserve(READ_BYTES / 16);
        }
        self.stream.read_buf(&mut self.input).await
    }

    /// Answers one request; false when the connection is over.
    async fn answer(&mut self, head: RequestHead) -> io::Result<bool> {
        let (path, query) = path_of(&head.target);
        let (path, query) = (path.to_owned(), query.to_owned());
        let number = |name, usual| parameter(&query, name).unwrap_or(usual);
        let (_, route) = path.split_once('/').unwrap_or_default();
        let (route, argument) = route.split_once('/').unwrap_or((route, ""));
        let size = argument.parse().unwrap_or(1024);
        if route == "echo" {
            let mut body = Vec::new();
            self.read_body(head.framing, |piece| body.extend_from_slice(piece)).await?;
            body.truncate(ECHO_MAX_BYTES);
            self.send("application/octet-stream", body.len() as u64).await?;
            self.stream.write_all(&body).await?;
            return self.flushed().await;
        }
        self.read_body(head.framing, |_| {}).await?;
        match route {
            "bytes" => self.bytes(size).await,
            "chunked" => self.chunked(size).await,
            "sse" => self.events(number("events", 10), number("interval_ms", 10)).await,
            "slow" => {
                tokio::time::sleep(Duration::from_millis(number("ms", 100))).await;
                self.bytes(1024).await
            }
            "reset" => {
                self.stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\npart")
                    .await?;
                self.stream.flush().await?;
                self.stream.reset_on_drop()?;
                Err(invalid("reset, as asked for"))
            }
            "sink" => self.bytes(2).await,
            "ws" => match head.websocket_key {
                Some(key) => self.echo_frames(&key).await,
                None => Err(invalid("no WebSocket key")),
            },
            _ => {
                let missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                self.stream.write_all(missing).await?;
                self.flushed().await
            }
        }
    }

    async fn read_body(
        &mut self,
        framing: Framing,
        mut piece: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        let mut left = match framing {
            Framing::Length(left) => left,
            Framing::UntilClose => 0,
            Framing::Chunked => return self.read_chunks(piece).await,
        };
        while left > 0 {
            if self.input.is_empty() && self.fill().await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let len = self.input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            piece(self.input.get(..len).unwrap_or_default());
            self.input.drain(..len);
            left -= len as u64;
        }
        Ok(())
    }

    async fn read_chunks(&mut self, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
        let mut decoder = ChunkDecoder::default();
        loop {
            let taken = decoder.feed(&self.input, &mut piece).map_err(|error| invalid(&error))?;
            self.input.drain(..taken);
            if decoder.is_done() {
                return Ok(());
            }
            if self.fill().await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn send(&mut self, kind: &str, len: u64) -> io::Result<()> {
        self.stream.write_all(head(kind, len).as_bytes()).await
    }

    async fn flushed(&mut self) -> io::Result<bool> {
        self.stream.flush().await?;
        Ok(true)
    }

    async fn bytes(&mut self, size: u64) -> io::Result<bool> {
        let mut body = self.bodies.body(size);
        let mut message = head("application/json", size).into_bytes();
        body.write(COALESCED_BYTES, &mut message);
        self.stream.write_all(&message).await?;
        while body.left() > 0 {
            message.clear();
            body.write(PIECE_BYTES, &mut message);
            self.stream.write_all(&message).await?;
        }
        self.flushed().await
    }

    async fn chunked(&mut self, size: u64) -> io::Result<bool> {
        self.stream.write_all(STREAMED_HEAD_JSON.as_bytes()).await?;
        let mut body = self.bodies.body(size);
        let mut data = Vec::new();
        while body.left() > 0 {
            data.clear();
            body.write(CHUNK_BYTES, &mut data);
            self.stream.write_all(&chunk_of(&data)).await?;
        }
        self.stream.write_all(b"0\r\n\r\n").await?;
        self.flushed().await
    }

    /// Events that each carry the time they were sent at.
    async fn events(&mut self, events: u64, interval_ms: u64) -> io::Result<bool> {
        self.stream.write_all(STREAMED_HEAD_EVENTS.as_bytes()).await?;
        self.stream.flush().await?;
        for number in 0..events {
            tokio::time::sleep(Duration::from_millis(interval_ms)).await;
            let sent_ns = monotonic_ns();
            let event = format!(
                "data: {{\"sent_ns\":{sent_ns},\"number\":{number},\"text\":\"{EVENT_PAD}\"}}\n\n"
            );
            self.stream.write_all(&chunk_of(event.as_bytes())).await?;
            self.stream.flush().await?;
        }
        self.stream.write_all(b"0\r\n\r\n").await?;
        self.flushed().await
    }

    async fn echo_frames(&mut self, key: &str) -> io::Result<bool> {
        let accept = websocket::accept_key(key);
        let head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        self.stream.write_all(head.as_bytes()).await?;
        self.stream.flush().await?;
        loop {
            while let Some(frame) = websocket::read_frame(&self.input) {
                self.input.drain(..frame.len);
                let echo = websocket::write_frame(frame.opcode, &frame.payload, false);
                self.stream.write_all(&echo).await?;
                self.stream.flush().await?;
                // Opcode 8 closes (RFC 6455, section 5.5.1).
                if frame.opcode == 8 {
                    return Ok(false);
                }
            }
            if self.input.len() > ECHO_MAX_BYTES || self.fill().await? == 0 {
                return Ok(false);
            }
        }
    }
}

const STREAMED_HEAD_JSON: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// nginx holds answers back unless it is told not to.
const STREAMED_HEAD_EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
     Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\nTransfer-Encoding: chunked\r\n\r\n";

fn head(kind: &str, len: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\n\r\n")
}

fn chunk_of(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// Path and query of an origin-form or absolute-form target.
fn path_of(target: &str) -> (&str, &str) {
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    };
    path.split_once('?').unwrap_or((path, ""))
}

fn parameter(query: &str, name: &str) -> Option<u64> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name)?.1.parse().ok()
}

fn invalid(detail: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_of_both_forms_give_path_and_query() {
        assert_eq!(path_of("/sse?events=3&interval_ms=5"), ("/sse", "events=3&interval_ms=5"));
        assert_eq!(path_of("http://127.0.0.1:80/bytes/7"), ("/bytes/7", ""));
        assert_eq!(path_of("http://localhost"), ("/", ""));
        assert_eq!(parameter("events=3&interval_ms=5", "interval_ms"), Some(5));
        assert_eq!(parameter("events=x", "events"), None);
    }
}
