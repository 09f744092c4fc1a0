//! Which of the next bytes belong to a message, and which of those are data. The bytes themselves
//! are forwarded as they are; this only says how far, and refuses framing that two readers could
//! see differently.

use std::fmt;
use std::ops::Range;

use super::chunked::Chunked;
use super::framing::BodyKind;

/// A run of bytes within the input of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Payload.
    Data(Range<usize>),
    /// Bytes of the extensions in a chunk line, from the first `;` to before the line's end.
    Extension(ExtensionPart, Range<usize>),
    /// Bytes of trailer lines, their line ends included; the empty line behind them is not.
    Trailer(Range<usize>),
}

/// What a byte of a chunk extension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionPart {
    Name,
    /// What a token or a quoted string says.
    Value,
    /// What stands around these: `;`, `=`, quotes, backslashes, blanks.
    Mark,
}

/// Why a body is not what its head promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// A chunk size that is missing, not hexadecimal, or too long.
    ChunkSize,
    /// A chunk extension outside the grammar.
    ChunkExtension,
    /// A chunk line past `limits::CHUNK_LINE_MAX_BYTES`.
    ChunkLineTooLong,
    /// Extensions that outweigh the data by more than `limits::CHUNK_EXTENSIONS_SURPLUS_MAX_BYTES`.
    ChunkExtensionsTooLong,
    /// A line end of the coding that is not CRLF.
    ChunkLineEnd,
    /// A trailer line that is no field line.
    Trailer,
    /// A trailer section past `limits::TRAILERS_MAX_BYTES`.
    TrailersTooLong,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BodyError::ChunkSize => "malformed chunk size",
            BodyError::ChunkExtension => "malformed chunk extension",
            BodyError::ChunkLineTooLong => "chunk line too long",
            BodyError::ChunkExtensionsTooLong => "chunk extensions outweigh the data",
            BodyError::ChunkLineEnd => "malformed line end in the chunked coding",
            BodyError::Trailer => "malformed trailer",
            BodyError::TrailersTooLong => "trailer section too large",
        })
    }
}

impl std::error::Error for BodyError {}

/// How far a body has come.
#[derive(Clone, Debug)]
pub struct Body {
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Length {
        remaining: u64,
    },
    Chunked(Chunked),
    UntilClose,
    /// A fault is final: what follows it has no meaning.
    Failed(BodyError),
}

impl Body {
    /// A body of which nothing has come yet. No body, and one of length 0, is done at once.
    pub fn new(kind: BodyKind) -> Self {
        let state = match kind {
            BodyKind::None => State::Length { remaining: 0 },
            BodyKind::Length(remaining) => State::Length { remaining },
            BodyKind::Chunked => State::Chunked(Chunked::new()),
            BodyKind::UntilClose => State::UntilClose,
        };
        Body { state }
    }

    /// Takes the next bytes of the stream and returns how many of them belong to this message:
    /// those may be forwarded verbatim. Calls `pieces` for each run of data, extension or trailer
    /// bytes among them, in order. After an error every further step fails alike, and none of this step's bytes
    /// should be forwarded.
    pub fn step(
        &mut self,
        input: &[u8],
        pieces: &mut dyn FnMut(Piece),
    ) -> Result<usize, BodyError> {
        match &mut self.state {
            State::Length { remaining } => {
                let taken = take(remaining, input.len());
                if taken > 0 {
                    pieces(Piece::Data(0..taken));
                }
                Ok(taken)
            }
            State::Chunked(chunked) => {
                let stepped = chunked.step(input, pieces);
                if let Err(error) = stepped {
                    self.state = State::Failed(error);
                }
                stepped
            }
            State::UntilClose => {
                if !input.is_empty() {
                    pieces(Piece::Data(0..input.len()));
                }
                Ok(input.len())
            }
            State::Failed(error) => Err(*error),
        }
    }

    /// Whether the last byte has come. A body that lasts until the close is never done.
    pub fn is_done(&self) -> bool {
        match &self.state {
            State::Length { remaining } => *remaining == 0,
            State::Chunked(chunked) => chunked.is_done(),
            State::UntilClose | State::Failed(_) => false,
        }
    }
}

/// Takes up to `available` off what remains, and returns how many that were.
pub(super) fn take(remaining: &mut u64, available: usize) -> usize {
    let taken = usize::try_from(*remaining).unwrap_or(usize::MAX).min(available);
    *remaining = remaining.saturating_sub(taken as u64);
    taken
}
