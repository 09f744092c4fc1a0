//! The chunked coding (RFC 9112 §7.1), at any split of its bytes. Blanks and tabs may stand around the `;` and the
//! `=` of an extension, as its grammar has it, and at a line's end as well: servers that reserve room for a size pad
//! it. They end what they stand behind, so that none who passes over them reads another size. Nowhere else is a blank
//! taken, nor a bare CR or LF.
//!
//! ```text
//!  Size ─┬▶ SizeBlank ─┬─▶ SizeLineFeed ─┬─▶ Data ─▶ DataReturn ─▶ DataLineFeed ─▶ Size
//!        └▶ Extension ─┘                 └─▶ TrailerStart ─┬─▶ EndLineFeed ─▶ Done
//!                                                ▲         └─▶ TrailerName ─▶ TrailerValue ─┐
//!                                                └──────────── TrailerLineFeed ◀────────────┘
//! ```

use super::body::{BodyError, ExtensionPart, Piece, take};
use super::fields::{is_token_byte, is_value_byte};
use crate::limits::{
    CHUNK_EXTENSIONS_SURPLUS_MAX_BYTES, CHUNK_LINE_MAX_BYTES, CHUNK_SIZE_MAX_DIGITS,
    TRAILERS_MAX_BYTES,
};

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Size,
    /// Behind the size, where only an extension may follow, or the line's end.
    SizeBlank,
    Extension(Extension),
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    EndLineFeed,
    Done,
}

/// Where in `*( ";" name [ "=" ( token / quoted-string ) ] )` the next byte stands. Where one is not a part of the
/// other, blanks may stand between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    NameStart,
    Name,
    NameEnd,
    ValueStart,
    Token,
    OpeningQuote,
    Quoted,
    QuotedEscape,
    ValueEnd,
}

impl Phase {
    /// What the byte was that has led here, if it was one of an extension.
    fn extension_part(self) -> Option<ExtensionPart> {
        let Phase::Extension(extension) = self else { return None };
        Some(match extension {
            Extension::Name => ExtensionPart::Name,
            Extension::Token | Extension::Quoted => ExtensionPart::Value,
            Extension::NameStart
            | Extension::NameEnd
            | Extension::ValueStart
            | Extension::OpeningQuote
            | Extension::QuotedEscape
            | Extension::ValueEnd => ExtensionPart::Mark,
        })
    }
}

/// A chunked body of which some bytes have come.
#[derive(Clone, Debug)]
pub(super) struct Chunked {
    phase: Phase,
    /// Of the chunk: as far as its digits have come, then what of its data has not.
    size: u64,
    /// Of the chunk's line, or of the trailer section once it has begun.
    section_bytes: usize,
    /// Extension bytes that may still come; data earns them back.
    extension_credit: usize,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked {
            phase: Phase::Size,
            size: 0,
            section_bytes: 0,
            extension_credit: CHUNK_EXTENSIONS_SURPLUS_MAX_BYTES,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    pub(super) fn step(
        &mut self,
        input: &[u8],
        pieces: &mut dyn FnMut(Piece),
    ) -> Result<usize, BodyError> {
        let mut at = 0;
        let mut trailer_start = None;
        while let Some(byte) = input.get(at).copied().filter(|_| !self.is_done()) {
            match self.phase {
                Phase::Data => at += self.take_data(at, input.len(), pieces),
                Phase::Extension(_) => at = self.take_extension(input, at, pieces)?,
                Phase::Size | Phase::SizeBlank | Phase::SizeLineFeed => {
                    self.phase = self.after_line_byte(byte)?;
                    if let Some(part) = self.phase.extension_part() {
                        pieces(Piece::Extension(part, at..at + 1));
                    }
                    at += 1;
                }
                Phase::DataReturn => {
                    self.phase = expect(byte, b'\r', Phase::DataLineFeed)?;
                    at += 1;
                }
                Phase::DataLineFeed => {
                    self.phase = expect(byte, b'\n', Phase::Size)?;
                    at += 1;
                }
                _ => {
                    self.phase = self.after_trailer_byte(byte)?;
                    if !matches!(self.phase, Phase::EndLineFeed | Phase::Done) {
                        trailer_start.get_or_insert(at);
                    } else if let Some(start) = trailer_start.take() {
                        pieces(Piece::Trailer(start..at));
                    }
                    at += 1;
                }
            }
        }
        if let Some(start) = trailer_start {
            pieces(Piece::Trailer(start..at));
        }
        Ok(at)
    }

    fn take_data(&mut self, at: usize, end: usize, pieces: &mut dyn FnMut(Piece)) -> usize {
        let taken = take(&mut self.size, end - at);
        pieces(Piece::Data(at..at + taken));
        self.extension_credit =
            self.extension_credit.saturating_add(taken).min(CHUNK_EXTENSIONS_SURPLUS_MAX_BYTES);
        if self.size == 0 {
            self.phase = Phase::DataReturn;
        }
        taken
    }

    /// Takes what there is of an extension, run by run of one part of it, and the CR behind it. Where it ends.
    fn take_extension(
        &mut self,
        input: &[u8],
        start: usize,
        pieces: &mut dyn FnMut(Piece),
    ) -> Result<usize, BodyError> {
        let (mut at, mut run) = (start, None::<(ExtensionPart, usize)>);
        while let (Phase::Extension(_), Some(byte)) = (self.phase, input.get(at)) {
            self.phase = self.after_line_byte(*byte)?;
            let part = self.phase.extension_part();
            if let Some((of_run, start)) = run.filter(|(of_run, _)| part != Some(*of_run)) {
                pieces(Piece::Extension(of_run, start..at));
                run = None;
            }
            run = run.or(part.map(|part| (part, at)));
            at += 1;
        }
        if let Some((part, start)) = run {
            pieces(Piece::Extension(part, start..at));
        }
        Ok(at)
    }

    /// A byte of a chunk line. `section_bytes` is the number of bytes before it in the line.
    fn after_line_byte(&mut self, byte: u8) -> Result<Phase, BodyError> {
        let before = self.section_bytes;
        self.section_bytes += 1;
        if self.section_bytes > CHUNK_LINE_MAX_BYTES {
            return Err(BodyError::ChunkLineTooLong);
        }
        match (self.phase, byte) {
            (Phase::SizeLineFeed, b'\n') => {
                self.section_bytes = 0;
                Ok(if self.size == 0 { Phase::TrailerStart } else { Phase::Data })
            }
            (Phase::SizeLineFeed, _) => Err(BodyError::ChunkLineEnd),
            (Phase::Size | Phase::SizeBlank, b'\r') if before > 0 => Ok(Phase::SizeLineFeed),
            (Phase::Size | Phase::SizeBlank, b';') if before > 0 => {
                self.after_extension_byte(None, byte)
            }
            (Phase::Size | Phase::SizeBlank, b' ' | b'\t') if before > 0 => {
                self.spend_credit()?;
                Ok(Phase::SizeBlank)
            }
            (Phase::Size, _) if before < CHUNK_SIZE_MAX_DIGITS => self.after_digit(byte),
            (Phase::Extension(extension), _) => self.after_extension_byte(Some(extension), byte),
            _ => Err(BodyError::ChunkSize),
        }
    }

    fn after_digit(&mut self, byte: u8) -> Result<Phase, BodyError> {
        let digit = char::from(byte).to_digit(16).ok_or(BodyError::ChunkSize)?;
        let shifted = self.size.checked_mul(16).ok_or(BodyError::ChunkSize)?;
        self.size = shifted.checked_add(u64::from(digit)).ok_or(BodyError::ChunkSize)?;
        Ok(Phase::Size)
    }

    /// A byte of an extension, or the CR behind it. None: it is the first `;`.
    fn after_extension_byte(
        &mut self,
        extension: Option<Extension>,
        byte: u8,
    ) -> Result<Phase, BodyError> {
        use Extension::{Name, NameEnd, NameStart, OpeningQuote, Quoted, QuotedEscape};
        use Extension::{Token, ValueEnd, ValueStart};
        let next = match (extension, byte) {
            (Some(Name | NameEnd | Token | ValueEnd), b'\r') => return Ok(Phase::SizeLineFeed),
            (None | Some(Name | NameEnd | Token | ValueEnd), b';') => NameStart,
            (Some(stands @ (NameStart | ValueStart)), b' ' | b'\t') => stands,
            (Some(Name | NameEnd), b' ' | b'\t') => NameEnd,
            (Some(Token | ValueEnd), b' ' | b'\t') => ValueEnd,
            (Some(NameStart | Name), _) if is_token_byte(byte) => Name,
            (Some(Name | NameEnd), b'=') => ValueStart,
            (Some(ValueStart), b'"') => OpeningQuote,
            (Some(ValueStart | Token), _) if is_token_byte(byte) => Token,
            (Some(OpeningQuote | Quoted), b'"') => ValueEnd,
            (Some(OpeningQuote | Quoted), b'\\') => QuotedEscape,
            (Some(OpeningQuote | Quoted | QuotedEscape), _) if is_value_byte(byte) => Quoted,
            _ => return Err(BodyError::ChunkExtension),
        };
        self.spend_credit()?;
        Ok(Phase::Extension(next))
    }

    /// One more byte of a chunk line that is none of the size.
    fn spend_credit(&mut self) -> Result<(), BodyError> {
        let credit = self.extension_credit.checked_sub(1);
        self.extension_credit = credit.ok_or(BodyError::ChunkExtensionsTooLong)?;
        Ok(())
    }

    /// A byte behind the last chunk's line.
    fn after_trailer_byte(&mut self, byte: u8) -> Result<Phase, BodyError> {
        self.section_bytes += 1;
        if self.section_bytes > TRAILERS_MAX_BYTES {
            return Err(BodyError::TrailersTooLong);
        }
        match (self.phase, byte) {
            (Phase::TrailerStart, b'\r') => Ok(Phase::EndLineFeed),
            (Phase::EndLineFeed, b'\n') => Ok(Phase::Done),
            (Phase::TrailerName, b':') => Ok(Phase::TrailerValue),
            (Phase::TrailerStart | Phase::TrailerName, _) if is_token_byte(byte) => {
                Ok(Phase::TrailerName)
            }
            (Phase::TrailerValue, b'\r') => Ok(Phase::TrailerLineFeed),
            (Phase::TrailerValue, _) if is_value_byte(byte) => Ok(Phase::TrailerValue),
            (Phase::TrailerLineFeed, b'\n') => Ok(Phase::TrailerStart),
            _ => Err(BodyError::Trailer),
        }
    }
}

fn expect(byte: u8, wanted: u8, next: Phase) -> Result<Phase, BodyError> {
    if byte == wanted { Ok(next) } else { Err(BodyError::ChunkLineEnd) }
}
