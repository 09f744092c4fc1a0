//! Finds the end of a head in bytes that may still be arriving, and refuses early what can never
//! become one: too long, too many fields, lines without CR, something that is not HTTP at all. Does
//! not look into fields; that is `head`'s.

use super::fields::is_token_byte;
use super::head::{HeadError, HeadLimits};
use crate::limits::{LEADING_EMPTY_LINES_MAX, METHOD_MAX_BYTES};

/// Where a complete head lies in the bytes that were searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadBounds {
    /// The first byte of the start line, after any empty lines.
    pub start: usize,
    /// One past the empty line that ends the head.
    pub end: usize,
    /// Field lines between start line and empty line.
    pub fields: usize,
}

/// Which kind of head is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

/// A search for the end of one head. It remembers how far it looked, so that a head that trickles
/// in costs each byte once: call [`HeadSearch::find`] with the same, longer bytes after every read.
#[derive(Clone, Debug)]
pub struct HeadSearch {
    kind: Kind,
    limits: HeadLimits,
    scanned: usize,
    start: usize,
    line_start: usize,
    lines: usize,
    empty_lines: usize,
}

impl HeadSearch {
    /// A search for a request head; refusals carry the 4xx to answer.
    pub fn request(limits: HeadLimits) -> Self {
        Self::new(Kind::Request, limits)
    }

    /// A search for a response head; refusals carry 502.
    pub fn response(limits: HeadLimits) -> Self {
        Self::new(Kind::Response, limits)
    }

    fn new(kind: Kind, limits: HeadLimits) -> Self {
        HeadSearch { kind, limits, scanned: 0, start: 0, line_start: 0, lines: 0, empty_lines: 0 }
    }

    /// Looks on from where the last call stopped. `bytes` starts where it started then. None: the
    /// head is not complete yet.
    pub fn find(&mut self, bytes: &[u8]) -> Result<Option<HeadBounds>, HeadError> {
        let visible = bytes.get(..self.limits.max_bytes).unwrap_or(bytes);
        while let Some(ahead) =
            visible.get(self.scanned..).and_then(|rest| memchr::memchr(b'\n', rest))
        {
            let line_feed = self.scanned + ahead;
            let line = visible.get(self.line_start..line_feed).and_then(|l| l.strip_suffix(b"\r"));
            let Some(line) = line else {
                return Err(self.refuse(400, "line end without CR"));
            };
            self.scanned = line_feed + 1;
            self.line_start = self.scanned;
            if line.is_empty() && self.lines > 0 {
                return Ok(Some(HeadBounds {
                    start: self.start,
                    end: self.scanned,
                    fields: self.lines - 1,
                }));
            }
            self.count_line(line)?;
        }
        self.scanned = visible.len();
        if bytes.len() >= self.limits.max_bytes {
            return Err(self.too_long());
        }
        if self.lines == 0 {
            self.check_opening(bytes.get(self.start..).unwrap_or_default())?;
        }
        Ok(None)
    }

    /// Counts a line that does not end the head: an empty one in front, the start line, or a field.
    fn count_line(&mut self, line: &[u8]) -> Result<(), HeadError> {
        if line.is_empty() {
            self.empty_lines += 1;
            self.start = self.scanned;
            if self.kind == Kind::Response || self.empty_lines > LEADING_EMPTY_LINES_MAX {
                return Err(self.refuse(400, "empty line before the start line"));
            }
            return Ok(());
        }
        if self.lines == 0 {
            self.check_opening(line)?;
            if !line.contains(&b' ') {
                return Err(self.refuse(400, "malformed start line"));
            }
        }
        self.lines += 1;
        if self.lines - 1 > self.limits.max_headers {
            return Err(self.refuse(431, "too many header fields"));
        }
        Ok(())
    }

    /// Refuses a start line whose beginning, as far as it is there, cannot become one, so that a
    /// peer that speaks something else is told so instead of being waited for.
    fn check_opening(&self, line: &[u8]) -> Result<(), HeadError> {
        match self.kind {
            Kind::Request => {
                let method = line.iter().position(|byte| !is_token_byte(*byte));
                match method.and_then(|at| line.get(at)) {
                    None if line.len() <= METHOD_MAX_BYTES => Ok(()),
                    Some(b' ') if method.is_some_and(|at| (1..=METHOD_MAX_BYTES).contains(&at)) => {
                        Ok(())
                    }
                    None | Some(b' ') if method != Some(0) => {
                        Err(self.refuse(501, "method name too long"))
                    }
                    Some(b'\r') if line.len() == 1 => Ok(()),
                    _ => Err(self.refuse(400, "malformed method")),
                }
            }
            Kind::Response => {
                let expected = b"HTTP/1.".iter();
                if line.iter().zip(expected).all(|(byte, wanted)| byte == wanted) {
                    Ok(())
                } else {
                    Err(self.refuse(400, "not an HTTP/1 status line"))
                }
            }
        }
    }

    fn too_long(&self) -> HeadError {
        if self.lines == 0 {
            self.refuse(414, "request line too long")
        } else {
            self.refuse(431, "header section too large")
        }
    }

    /// A faulty response is never the client's fault: whatever it was, the answer is 502.
    fn refuse(&self, status: u16, reason: &'static str) -> HeadError {
        match self.kind {
            Kind::Request => HeadError { status, reason },
            Kind::Response if status == 414 => HeadError::bad_gateway("status line too long"),
            Kind::Response => HeadError::bad_gateway(reason),
        }
    }
}
