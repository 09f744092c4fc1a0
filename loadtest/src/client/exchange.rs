//! One connection of the client: writes requests, reads answers, and notes when the first byte came.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::dial::Duplex;
use crate::wire::{ChunkDecoder, Framing, ResponseHead, response_head};

/// Room for the first read; bodies larger than this get `BULK_READ_BYTES`.
const FIRST_READ_BYTES: usize = 4 * 1024;
const BULK_READ_BYTES: usize = 64 * 1024;
/// The longest head.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Bodies up to here go with their head in one write.
const COALESCED_BYTES: usize = 16 * 1024;

/// How long an end in order may take.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// A connection, ready for a request.
pub struct Connection {
    pub stream: Box<dyn Duplex>,
    /// Read and not yet used.
    pub input: Vec<u8>,
    /// For the Host header and absolute-form.
    pub authority: String,
    pub is_absolute: bool,
    pub resumed: bool,
    /// The longest that the other end may neither take nor send anything.
    silence_max: Duration,
    requests_sent: u64,
}

/// What a client asks for again and again.
#[derive(Clone, Debug)]
pub struct RequestShape {
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// Ask for the connection to be closed.
    pub closes: bool,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub first_byte: Instant,
    pub body_bytes: u64,
    pub keep_alive: bool,
}

impl Connection {
    /// Nothing sent yet.
    pub fn new(
        stream: Box<dyn Duplex>,
        authority: String,
        is_absolute: bool,
        resumed: bool,
        silence_max: Duration,
    ) -> Connection {
        let input = Vec::new();
        let requests_sent = 0;
        Connection { stream, input, authority, is_absolute, resumed, silence_max, requests_sent }
    }

    /// Sends a request; `extra` is whole header lines.
    pub async fn send(&mut self, shape: &RequestShape, extra: &str, body: &[u8]) -> io::Result<()> {
        self.requests_sent += 1;
        let scheme = if self.is_absolute { "http://" } else { "" };
        let prefix = if self.is_absolute { self.authority.as_str() } else { "" };
        let connection = if shape.closes { "Connection: close\r\n" } else { "" };
        let mut message = format!(
            "{} {scheme}{prefix}{} HTTP/1.1\r\nHost: {}\r\nUser-Agent: loadtest\r\n\
             Accept: application/json\r\n{connection}{extra}",
            shape.method, shape.path, self.authority
        )
        .into_bytes();
        if !body.is_empty() {
            let length =
                format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
            message.extend_from_slice(length.as_bytes());
        }
        message.extend_from_slice(b"\r\n");
        let is_short = body.len() <= COALESCED_BYTES;
        if is_short {
            message.extend_from_slice(body);
        }
        self.write(&message).await?;
        match is_short {
            true => Ok(()),
            false => self.write(body).await,
        }
    }

    /// Writes all of it.
    pub async fn write(&mut self, message: &[u8]) -> io::Result<()> {
        let stream = &mut self.stream;
        within(self.silence_max, "took no more of a request", async {
            stream.write_all(message).await?;
            stream.flush().await
        })
        .await
    }

    /// Reads one whole answer; `payload` sees each piece of its body.
    pub async fn receive(&mut self, payload: impl FnMut(&[u8])) -> io::Result<Answer> {
        let (head, first_byte) = self.receive_head().await?;
        let body_bytes = self.receive_body(head.framing, payload).await?;
        let ResponseHead { status, keep_alive, .. } = head;
        Ok(Answer { status, first_byte, body_bytes, keep_alive })
    }

    /// Reads the head of an answer.
    pub async fn receive_head(&mut self) -> io::Result<(ResponseHead, Instant)> {
        let mut first_byte = (!self.input.is_empty()).then(Instant::now);
        loop {
            if let Some(head) = response_head(&self.input).map_err(|error| invalid(&error))? {
                self.input.drain(..head.len);
                return Ok((head, first_byte.unwrap_or_else(Instant::now)));
            }
            if self.input.len() > HEAD_MAX_BYTES {
                return Err(invalid(&"long head"));
            }
            if self.fill(FIRST_READ_BYTES).await? == 0 {
                let which = if self.requests_sent > 1 { "a later" } else { "the first" };
                let text = format!("closed before the answer to {which} request");
                return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
            }
            first_byte.get_or_insert_with(Instant::now);
        }
    }

    /// Reads whatever comes next into `input`; 0 at the end.
    pub async fn fill(&mut self, room: usize) -> io::Result<usize> {
        self.input.reserve(room);
        within(self.silence_max, "sent nothing", self.stream.read_buf(&mut self.input)).await
    }

    async fn receive_body(
        &mut self,
        framing: Framing,
        mut payload: impl FnMut(&[u8]),
    ) -> io::Result<u64> {
        let mut decoder = ChunkDecoder::default();
        let mut received = 0;
        let room = match framing {
            Framing::Length(len) if len <= FIRST_READ_BYTES as u64 => FIRST_READ_BYTES,
            _ => BULK_READ_BYTES,
        };
        loop {
            let is_whole = match framing {
                Framing::Length(length) => {
                    let left = usize::try_from(length - received).unwrap_or(usize::MAX);
                    let taken = self.input.len().min(left);
                    payload(self.input.get(..taken).unwrap_or_default());
                    self.input.drain(..taken);
                    received += taken as u64;
                    received == length
                }
                Framing::Chunked => {
                    let count = |piece: &[u8]| {
                        received += piece.len() as u64;
                        payload(piece);
                    };
                    let taken =
                        decoder.feed(&self.input, count).map_err(|error| invalid(&error))?;
                    self.input.drain(..taken);
                    decoder.is_done()
                }
                Framing::UntilClose => {
                    payload(&self.input);
                    received += self.input.len() as u64;
                    self.input.clear();
                    false
                }
            };
            if is_whole {
                return Ok(received);
            }
            if self.fill(room).await? == 0 {
                return match framing {
                    Framing::UntilClose => Ok(received),
                    _ => Err(io::Error::new(ErrorKind::UnexpectedEof, "closed within an answer")),
                };
            }
        }
    }

    /// Ends it in order.
    pub async fn close(mut self) {
        let _ = within(CLOSE_MAX, "did not close", self.stream.shutdown()).await;
    }
}

/// What `work` gives, unless it takes longer than `longest`.
pub async fn within<T>(
    longest: Duration,
    what: &str,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    tokio::time::timeout(longest, work).await.unwrap_or_else(|_| {
        let text = format!("{what} for {} s", longest.as_secs_f64());
        Err(io::Error::new(ErrorKind::TimedOut, text))
    })
}

fn invalid(error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error.to_string())
}
