//! The coding `deflate`: a zlib stream, or the bare deflate stream that some send instead (RFC 9110
//! §8.4.1.2). The bare stream is also what gzip and zip are made of.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Engine, Run, Undecodable};

/// A bare deflate stream (RFC 1951), or a zlib stream (RFC 1950).
#[derive(Debug)]
pub(in crate::scan::view) struct RawDeflate {
    engine: Decompress,
    has_zlib_header: bool,
    is_ended: bool,
}

/// Whether a zlib stream may begin with these two bytes.
pub(in crate::scan::view) fn is_zlib_head(first: u8, second: u8) -> bool {
    may_begin_zlib(first) && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

fn may_begin_zlib(first: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7
}

impl RawDeflate {
    pub(in crate::scan::view) fn new() -> RawDeflate {
        RawDeflate { engine: Decompress::new(false), has_zlib_header: false, is_ended: false }
    }

    pub(in crate::scan::view) fn with_zlib_header() -> RawDeflate {
        RawDeflate { engine: Decompress::new(true), has_zlib_header: true, is_ended: false }
    }

    /// Begins another stream, with the same memory.
    pub(in crate::scan::view) fn restart(&mut self) {
        self.engine.reset(self.has_zlib_header);
        self.is_ended = false;
    }
}

impl Engine for RawDeflate {
    /// Leaves what follows the end of the stream.
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        if self.is_ended || output.is_empty() {
            return Run::default();
        }
        let (taken_before, written_before) = (self.engine.total_in(), self.engine.total_out());
        let status = self.engine.decompress(input, output, FlushDecompress::Sync);
        let taken = self.engine.total_in().saturating_sub(taken_before);
        let written = self.engine.total_out().saturating_sub(written_before);
        self.is_ended = matches!(status, Ok(Status::StreamEnd));
        let is_stuck = taken == 0 && written == 0 && !input.is_empty() && !self.is_ended;
        Run {
            taken: usize::try_from(taken).unwrap_or(input.len()).min(input.len()),
            written: usize::try_from(written).unwrap_or(output.len()).min(output.len()),
            failure: (status.is_err() || is_stuck).then_some(Undecodable::Malformed),
        }
    }

    fn is_complete(&self) -> bool {
        self.is_ended
    }
}

/// The coding `deflate`.
#[derive(Debug, Default)]
pub(super) struct Deflate {
    /// A first byte that can begin either.
    first: Option<u8>,
    stream: Option<RawDeflate>,
}

impl Deflate {
    pub(super) fn new() -> Deflate {
        Deflate::default()
    }

    /// Tells by the first two bytes which of both it is, and gives it the first. What was taken of the input.
    fn begin(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let (first, taken) = match (self.first, input.first()) {
            (Some(first), _) => (first, 0),
            (None, Some(first)) => (*first, 1),
            (None, None) => return Run::default(),
        };
        self.first = Some(first);
        let mut stream = match input.get(taken) {
            _ if !may_begin_zlib(first) => RawDeflate::new(),
            None => return Run { taken, ..Run::default() },
            Some(second) if is_zlib_head(first, *second) => RawDeflate::with_zlib_header(),
            Some(_) => RawDeflate::new(),
        };
        let run = stream.run(&[first], output);
        self.stream = Some(stream);
        Run { taken, ..run }
    }
}

impl Engine for Deflate {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let begun = match self.stream {
            None => self.begin(input, output),
            Some(_) => Run::default(),
        };
        let Some(stream) = &mut self.stream else { return begun };
        let rest = input.get(begun.taken..).unwrap_or_default();
        if begun.failure.is_some() {
            return begun;
        }
        if stream.is_ended && !rest.is_empty() {
            return Run { failure: Some(Undecodable::TrailingData), ..begun };
        }
        let run = stream.run(rest, output.get_mut(begun.written..).unwrap_or_default());
        Run {
            taken: begun.taken + run.taken,
            written: begun.written + run.written,
            failure: run.failure,
        }
    }

    fn is_complete(&self) -> bool {
        self.stream.as_ref().is_some_and(Engine::is_complete)
    }
}
