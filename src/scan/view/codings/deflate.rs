//! The coding `deflate`: a zlib stream, or the bare deflate stream that some send instead (RFC 9110
//! §8.4.1.2). The bare stream is also what gzip and zip are made of.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Engine, Run, Undecodable};

/// A bare deflate stream (RFC 1951).
#[derive(Debug)]
pub(in crate::scan::view) struct RawDeflate {
    engine: Decompress,
    is_ended: bool,
}

impl RawDeflate {
    pub(in crate::scan::view) fn new() -> RawDeflate {
        RawDeflate { engine: Decompress::new(false), is_ended: false }
    }

    fn with_zlib_header() -> RawDeflate {
        RawDeflate { engine: Decompress::new(true), is_ended: false }
    }

    /// Begins another stream, with the same memory.
    pub(super) fn restart(&mut self) {
        self.engine.reset(false);
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

    /// Tells by the first two bytes which of both it is, and takes what is not kept in the input.
    fn begin(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let (Some(first), taken) = (match self.first {
            Some(first) => (Some(first), 0),
            None => (input.first().copied(), 1),
        }) else {
            return Run::default();
        };
        let method = first & 0x0f;
        let window = first >> 4;
        let mut stream = if method != 8 || window > 7 {
            RawDeflate::new()
        } else {
            let Some(second) = input.get(taken).copied() else {
                self.first = Some(first);
                return Run { taken: input.len(), ..Run::default() };
            };
            let is_checked = u16::from_be_bytes([first, second]) % 31 == 0;
            if is_checked { RawDeflate::with_zlib_header() } else { RawDeflate::new() }
        };
        let mut run = stream.run(&[first], output);
        run.taken = taken;
        self.stream = Some(stream);
        run
    }
}

impl Engine for Deflate {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let Some(stream) = &mut self.stream else { return self.begin(input, output) };
        if stream.is_ended && !input.is_empty() {
            return Run { failure: Some(Undecodable::TrailingData), ..Run::default() };
        }
        stream.run(input, output)
    }

    fn is_complete(&self) -> bool {
        self.stream.as_ref().is_some_and(Engine::is_complete)
    }
}
