//! As much of HTTP/1.1 as a test needs: heads, three body framings, a chunk decoder. Decides; no IO.

use std::str;

/// Header lines that a head may have.
const HEADERS_MAX: usize = 64;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Bytes left.
    Length(u64),
    Chunked,
    UntilClose,
}

/// A request head.
#[derive(Debug)]
pub struct RequestHead {
    pub len: usize,
    /// Path and query.
    pub target: String,
    pub framing: Framing,
    pub keep_alive: bool,
    pub websocket_key: Option<String>,
}

/// A response head.
#[derive(Debug)]
pub struct ResponseHead {
    pub len: usize,
    pub status: u16,
    pub framing: Framing,
    pub keep_alive: bool,
}

/// Reads a request head; `None` while it is not whole.
pub fn request_head(bytes: &[u8]) -> Result<Option<RequestHead>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(len) = head.parse(bytes)? else { return Ok(None) };
    let framing = framing(head.headers).unwrap_or(Framing::Length(0));
    let target = head.path.unwrap_or("/");
    Ok(Some(RequestHead {
        len,
        target: target.to_owned(),
        framing,
        keep_alive: keep_alive(head.version, head.headers),
        websocket_key: header(head.headers, "sec-websocket-key").map(str::to_owned),
    }))
}

/// Reads a response head; `None` while it is not whole.
pub fn response_head(bytes: &[u8]) -> Result<Option<ResponseHead>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(len) = head.parse(bytes)? else { return Ok(None) };
    let status = head.code.unwrap_or(0);
    let framing = match status {
        100..=199 | 204 | 304 => Framing::Length(0),
        _ => framing(head.headers).unwrap_or(Framing::UntilClose),
    };
    let keep_alive = keep_alive(head.version, head.headers) && framing != Framing::UntilClose;
    Ok(Some(ResponseHead { len, status, framing, keep_alive }))
}

fn header<'a>(headers: &'a [httparse::Header<'_>], name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    str::from_utf8(found.value).ok()
}

fn framing(headers: &[httparse::Header<'_>]) -> Option<Framing> {
    if header(headers, "transfer-encoding").is_some() {
        return Some(Framing::Chunked);
    }
    header(headers, "content-length")?.trim().parse().ok().map(Framing::Length)
}

fn keep_alive(version: Option<u8>, headers: &[httparse::Header<'_>]) -> bool {
    match header(headers, "connection") {
        Some(value) if value.eq_ignore_ascii_case("close") => false,
        Some(value) if value.eq_ignore_ascii_case("keep-alive") => true,
        _ => version == Some(1),
    }
}

/// Takes chunked coding off, whatever the pieces it comes in.
#[derive(Debug, Default)]
pub struct ChunkDecoder {
    state: ChunkState,
}

#[derive(Debug, Default)]
enum ChunkState {
    /// In the size line; the size so far, and whether an extension has begun.
    #[default]
    Start,
    Size {
        size: u64,
        in_extension: bool,
    },
    Data {
        left: u64,
    },
    /// The line end after the data.
    DataEnd,
    /// In the trailer; how long the current line is.
    Trailer {
        line: usize,
    },
    Done,
}

impl ChunkDecoder {
    /// Takes what it can of `bytes`, gives each piece of payload to `payload`. Returns how much it took; less
    /// than all only at the end of the body.
    pub fn feed(&mut self, bytes: &[u8], mut payload: impl FnMut(&[u8])) -> Result<usize, String> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            self.state = match self.state {
                ChunkState::Done => break,
                ChunkState::Data { left } => {
                    let rest = bytes.get(at..).unwrap_or_default();
                    let len = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    payload(rest.get(..len).unwrap_or_default());
                    at += len;
                    match left - len as u64 {
                        0 => ChunkState::DataEnd,
                        left => ChunkState::Data { left },
                    }
                }
                ref state => {
                    let next = step(state, byte)?;
                    at += 1;
                    next
                }
            };
        }
        Ok(at)
    }

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        matches!(self.state, ChunkState::Done)
    }
}

fn step(state: &ChunkState, byte: u8) -> Result<ChunkState, String> {
    let in_size = |size: u64, in_extension| match (byte, in_extension) {
        (b'\n', _) if size == 0 => Ok(ChunkState::Trailer { line: 0 }),
        (b'\n', _) => Ok(ChunkState::Data { left: size }),
        (b'\r', _) => Ok(ChunkState::Size { size, in_extension }),
        (_, true) | (b';', _) => Ok(ChunkState::Size { size, in_extension: true }),
        _ => {
            let digit = (byte as char).to_digit(16).ok_or("bad chunk size")?;
            let size = size.checked_mul(16).ok_or("chunk size too large")? + u64::from(digit);
            Ok(ChunkState::Size { size, in_extension: false })
        }
    };
    match *state {
        ChunkState::Start => in_size(0, false),
        ChunkState::Size { size, in_extension } => in_size(size, in_extension),
        ChunkState::DataEnd if byte == b'\n' => Ok(ChunkState::Start),
        ChunkState::DataEnd if byte == b'\r' => Ok(ChunkState::DataEnd),
        ChunkState::DataEnd => Err("no line end after a chunk".to_owned()),
        ChunkState::Trailer { line: 0 } if byte == b'\n' => Ok(ChunkState::Done),
        ChunkState::Trailer { .. } if byte == b'\n' => Ok(ChunkState::Trailer { line: 0 }),
        ChunkState::Trailer { line } if byte == b'\r' => Ok(ChunkState::Trailer { line }),
        ChunkState::Trailer { line } => Ok(ChunkState::Trailer { line: line + 1 }),
        ChunkState::Data { .. } | ChunkState::Done => Err("not a byte of the coding".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODED: &[u8] = b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nA: b\r\n\r\n";

    #[test]
    fn chunks_decode_in_any_pieces() {
        for piece in 1..=CODED.len() {
            let mut decoder = ChunkDecoder::default();
            let mut out = Vec::new();
            for part in CODED.chunks(piece) {
                let taken = decoder.feed(part, |data| out.extend_from_slice(data)).unwrap();
                assert_eq!(taken, part.len());
            }
            assert!(decoder.is_done(), "pieces of {piece}");
            assert_eq!(out, b"hello, world");
        }
    }

    #[test]
    fn what_follows_the_body_is_left() {
        let mut decoder = ChunkDecoder::default();
        let taken = decoder.feed(b"0\r\n\r\nHTTP", |_| {}).unwrap();
        assert_eq!(taken, 5);
        assert!(decoder.is_done());
    }

    #[test]
    fn a_bad_chunk_is_an_error() {
        assert!(ChunkDecoder::default().feed(b"zz\r\n", |_| {}).is_err());
        assert!(ChunkDecoder::default().feed(b"1\r\nab", |_| {}).is_err());
    }

    #[test]
    fn heads_tell_framing_and_keep_alive() {
        let head = response_head(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.framing, head.keep_alive), (200, Framing::Length(7), true));
        let head = response_head(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.framing, head.keep_alive), (Framing::UntilClose, false));
        assert!(response_head(b"HTTP/1.1 200").unwrap().is_none());
        let head = request_head(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(head.unwrap().unwrap().framing, Framing::Chunked);
    }
}
