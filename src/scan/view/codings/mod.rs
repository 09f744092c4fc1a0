//! Content codings undone as a stream (RFC 9110 §8.4): which ones a header names, and what the body says
//! without them. Holds the codings' own windows and no body.
//!
//! ```text
//! Content-Encoding ─▶ Codings     which, in which order; or a name that is none of ours
//! body ─▶ Inflater                one engine a coding, the last applied first, a small buffer between two
//!            ├ gzip, deflate      zlib-rs
//!            ├ brotli             brotli-decompressor, no large windows
//!            ├ zstd               libzstd, windows up to 8 MiB
//!            └ aws-chunked        chunks of an upload to S3
//! Allowance                       what all views of one body may inflate to
//! ```

mod allowance;
mod aws_chunked;
mod brotli;
mod deflate;
mod gzip;
mod inflater;
mod window;
mod zstd;

#[cfg(test)]
mod bomb_tests;
#[cfg(test)]
mod tests;

use std::fmt;

pub use allowance::Allowance;
pub use inflater::{Inflater, Progress};

pub(super) use deflate::{RawDeflate, is_zlib_head};
pub(super) use zstd::Zstd;

use crate::limits::{CODING_NAME_MAX_CHARS, CODINGS_MAX};

/// A coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
    AwsChunked,
}

impl Coding {
    /// By its registered name, in any case.
    fn named(name: &[u8]) -> Option<Coding> {
        let names: [(&[u8], Coding); 6] = [
            (b"gzip", Coding::Gzip),
            (b"x-gzip", Coding::Gzip),
            (b"deflate", Coding::Deflate),
            (b"br", Coding::Brotli),
            (b"zstd", Coding::Zstd),
            (b"aws-chunked", Coding::AwsChunked),
        ];
        names.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, coding)| *coding)
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::AwsChunked => "aws-chunked",
        })
    }
}

/// The codings of a body, in the order in which they were applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codings {
    applied: Vec<Coding>,
}

/// Why a body's codings cannot be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownCoding {
    /// None of ours; the name, cut and printable.
    Named(String),
    /// More than are looked through.
    TooMany,
}

impl fmt::Display for UnknownCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnknownCoding::Named(name) => write!(f, "the coding {name:?} is unknown"),
            UnknownCoding::TooMany => write!(f, "there are more than {CODINGS_MAX} codings"),
        }
    }
}

impl Codings {
    /// Of the values of all `Content-Encoding` fields of a message, in order; or of `Transfer-Encoding`, of
    /// which `chunked` is no coding here. `aws-chunked` was applied last, wherever it is named: S3's documents name it
    /// first.
    pub fn parse<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Codings, UnknownCoding> {
        let mut applied = Vec::new();
        let mut is_aws_chunked = false;
        for element in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            let name = element.split(|byte| *byte == b';').next().unwrap_or_default();
            let name = name.trim_ascii();
            let is_none: [&[u8]; 3] = [b"", b"identity", b"chunked"];
            if is_none.iter().any(|none| name.eq_ignore_ascii_case(none)) {
                continue;
            }
            let coding = Coding::named(name).ok_or_else(|| unknown(name))?;
            if coding == Coding::AwsChunked {
                is_aws_chunked = true;
                continue;
            }
            if applied.len() == CODINGS_MAX {
                return Err(UnknownCoding::TooMany);
            }
            applied.push(coding);
        }
        applied.extend(is_aws_chunked.then_some(Coding::AwsChunked));
        Ok(Codings { applied })
    }

    /// One coding alone.
    pub fn one(coding: Coding) -> Codings {
        Codings { applied: vec![coding] }
    }

    /// Whether the body is as it is.
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty()
    }

    /// In the order in which they were applied: the last is undone first.
    pub fn applied(&self) -> &[Coding] {
        &self.applied
    }
}

fn unknown(name: &[u8]) -> UnknownCoding {
    let printable = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
    UnknownCoding::Named(name.iter().take(CODING_NAME_MAX_CHARS).map(printable).collect())
}

/// Why the rest of a coded body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// It is not what its coding says.
    Malformed,
    /// It ended too early.
    Truncated,
    /// It inflates beyond what all views of a body may.
    TooLarge,
    /// It asks for more memory than its coding may have.
    WindowTooLarge,
    /// The decoders of this core hold as much as they may.
    NoRoom,
    /// The coding ended, the body did not.
    TrailingData,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Undecodable::Malformed => "coded data is malformed",
            Undecodable::Truncated => "coded data ends too early",
            Undecodable::TooLarge => "coded data inflates beyond its cap",
            Undecodable::WindowTooLarge => "coded data asks for too large a window",
            Undecodable::NoRoom => "coded data would hold more memory than is left for it",
            Undecodable::TrailingData => "other data follows the coded data",
        })
    }
}

/// What one run of an engine did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// Bytes taken of the input.
    pub(super) taken: usize,
    /// Bytes written to the front of the output. If they fill it, there may be more.
    pub(super) written: usize,
    /// Why there will be nothing more. What was written is good all the same.
    pub(super) failure: Option<Undecodable>,
}

/// One coding being undone.
pub(super) trait Engine {
    /// Goes on as far as the input or the output allows. An empty input asks for what is left inside.
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Run;

    /// Whether what came so far is a whole.
    fn is_complete(&self) -> bool;
}
