//! Uploads that are archives: their entries' names and contents, as a stream. Pulled step by step, so that
//! whoever reads decides how much work is done at a time. Holds no contents but what a coding's window needs.
//!
//! An archive in an archive is contents like all else: whoever reads may begin another [`Reader`] on it.

mod delta;
mod pack;
mod packing;
mod tar;
mod zip;
mod zip_record;
mod zlib;

#[cfg(test)]
mod pack_tests;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

pub use packing::Packing;
use zlib::Proof;

use super::codings::{Allowance, Coding, Codings, Inflater, Undecodable};
use crate::limits::{ARCHIVE_NAME_MAX_BYTES, ARCHIVE_SNIFF_BYTES};

/// What kind of archive it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Tar,
    Zip,
    /// The objects of git.
    Pack,
    /// One file, compressed; it may be a tar.
    Compressed(Coding),
    /// In which nothing is looked at.
    Packed(Packing),
}

/// By a body's first `ARCHIVE_SNIFF_BYTES`, or all of a shorter one.
pub fn sniff(head: &[u8]) -> Option<Container> {
    let is_skippable_frame = head.get(1..4) == Some(b"\x2a\x4d\x18")
        && head.first().is_some_and(|first| first & 0xf0 == 0x50);
    if head.starts_with(b"PK\x03\x04") {
        Some(Container::Zip)
    } else if head.starts_with(b"\x1f\x8b\x08") {
        Some(Container::Compressed(Coding::Gzip))
    } else if head.starts_with(b"\x28\xb5\x2f\xfd") || is_skippable_frame {
        Some(Container::Compressed(Coding::Zstd))
    } else if pack::is_head(head) {
        Some(Container::Pack)
    } else if matches!(zlib::prove(head), Proof::Is | Proof::Seems) {
        Some(Container::Compressed(Coding::Deflate))
    } else if let Some(packing) = Packing::of(head) {
        Some(Container::Packed(packing))
    } else {
        tar::is_head(head).then_some(Container::Tar)
    }
}

/// The bytes by which [`find`] tells an archive: a gzip's head.
pub const FOUND_HEAD_BYTES: usize = 10;

/// Where in some bytes a zip or a gzip begins whose head is whole.
pub fn find(bytes: &[u8]) -> Option<(usize, Container)> {
    memchr::memchr2_iter(b'P', 0x1f, bytes).find_map(|at| {
        let container = match bytes.get(at..)? {
            [b'P', b'K', 3, 4, ..] => Container::Zip,
            // No flag that is none; how well it is packed, and on what system.
            [0x1f, 0x8b, 8, 0..=0x1f, _, _, _, _, 0 | 2 | 4, 0..=13 | 255, ..] => {
                Container::Compressed(Coding::Gzip)
            }
            _ => return None,
        };
        Some((at, container))
    })
}

/// Whether a body that only begins with these bytes may be told by more of them.
pub fn may_begin(head: &[u8]) -> bool {
    let is_unproven = || matches!(zlib::prove(head), Proof::Seems | Proof::SeemsNot);
    pack::may_be_head(head)
        || Packing::may_begin(head)
        || (head.len() < ARCHIVE_SNIFF_BYTES && is_unproven())
}

/// Why something in an archive cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// An entry's coding.
    Coded(Undecodable),
    Encrypted,
    /// A method of zip's that is not looked through.
    Method(u16),
    /// All of it.
    Packed(Packing),
    /// What the end of a zip says is its length is an entry.
    HiddenEntry,
    /// From here on it is no archive.
    Malformed,
    /// The lines that git sends, from here on.
    Unframed,
    TooManyEntries,
    /// A coding of a document's stream that is not undone.
    Filtered,
    Truncated,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Coded(reason) => write!(f, "in an archive, {reason}"),
            Unreadable::Encrypted => f.write_str("an archive's entry is encrypted"),
            Unreadable::Method(method) => {
                let name = Packing::of_zip(*method).unwrap_or("unknown");
                write!(
                    f,
                    "an archive's entry is packed by method {method} ({name}): not looked into"
                )
            }
            Unreadable::Packed(packing) => write!(f, "something in {packing} is not looked into"),
            Unreadable::HiddenEntry => f.write_str(
                "an archive's directory reaches over an entry, which is read all the same",
            ),
            Unreadable::Malformed => f.write_str("an archive is malformed"),
            Unreadable::Unframed => f.write_str("git's lines are malformed"),
            Unreadable::TooManyEntries => f.write_str("an archive has too many entries"),
            Unreadable::Filtered => f.write_str("a stream in ASCII85 is read as it stands only"),
            Unreadable::Truncated => f.write_str("an archive ends too early"),
        }
    }
}

/// What a step brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more: all bytes were taken.
    Idle,
    /// An entry begins: [`Reader::name`].
    Name,
    /// Contents of the entry that stand in the step's bytes as they are.
    InPlace(Range<usize>),
    /// Contents that were inflated: so many bytes at the front of the work buffer.
    Worked(usize),
    /// So many bytes that cannot be read; the reason once for each stretch of them.
    Unreadable(usize, Option<Unreadable>),
    /// The entry is complete.
    EntryEnd,
    /// The archive is; only [`Reader::finish`] says so.
    End,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes taken off the front.
    pub taken: usize,
    pub event: Event,
}

/// An archive being read.
#[derive(Debug)]
pub struct Reader {
    format: Format,
}

#[derive(Debug)]
enum Format {
    Tar(tar::Tar),
    Zip(Box<zip::Zip>),
    Pack(Box<pack::Pack>),
    Compressed(Compressed),
    /// The reason until it is told.
    Packed(Option<Unreadable>),
}

impl Reader {
    /// At the first byte of an archive.
    pub fn new(container: Container) -> Reader {
        let format = match container {
            Container::Tar => Format::Tar(tar::Tar::new()),
            Container::Zip => Format::Zip(Box::new(zip::Zip::new())),
            Container::Pack => Format::Pack(Box::new(pack::Pack::new())),
            Container::Compressed(coding) => Format::Compressed(Compressed::new(coding)),
            Container::Packed(packing) => Format::Packed(Some(Unreadable::Packed(packing))),
        };
        Reader { format }
    }

    /// The name of the entry that began last, as it stands in the archive, cut at its bound.
    pub fn name(&self) -> &[u8] {
        match &self.format {
            Format::Tar(tar) => tar.name(),
            Format::Zip(zip) => zip.name(),
            Format::Pack(_) | Format::Compressed(_) | Format::Packed(_) => b"",
        }
    }

    /// Reads on in `bytes`; until the event is [`Event::Idle`], to be called again with what was not taken.
    /// `work` takes what is not to be had in place; it is of any size but zero.
    pub fn step(&mut self, bytes: &[u8], work: &mut [u8], allowance: &mut Allowance) -> Step {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let (step_taken, event) = match &mut self.format {
                Format::Tar(tar) => tar.advance(rest),
                Format::Zip(zip) => zip.advance(rest, work, allowance),
                Format::Pack(pack) => pack.advance(rest, work, allowance),
                Format::Compressed(compressed) => compressed.advance(rest, work, allowance),
                Format::Packed(_) if rest.is_empty() => (0, Some(Event::Idle)),
                Format::Packed(reason) => {
                    (rest.len(), Some(Event::Unreadable(rest.len(), reason.take())))
                }
            };
            let start = taken;
            taken += step_taken;
            let event = match event {
                None => continue,
                Some(Event::InPlace(range)) => {
                    Event::InPlace(start + range.start..start + range.end)
                }
                Some(event) => event,
            };
            return Step { taken, event };
        }
    }

    /// At the end of the bytes, once a step was idle; to be called until the event is [`Event::End`].
    pub fn finish(&mut self, work: &mut [u8], allowance: &mut Allowance) -> Event {
        match &mut self.format {
            Format::Tar(tar) => tar.finish(),
            Format::Zip(zip) => zip.finish(),
            Format::Pack(pack) => pack.finish(),
            Format::Compressed(compressed) => compressed.finish(work, allowance),
            Format::Packed(_) => Event::End,
        }
    }
}

/// What an advance took, and what it brought to light; with nothing, go on.
type Advance = (usize, Option<Event>);

/// One compressed file.
#[derive(Debug)]
struct Compressed {
    inflater: Inflater,
    has_more: bool,
    is_lost: bool,
    is_ended: bool,
}

impl Compressed {
    fn new(coding: Coding) -> Compressed {
        let inflater = Inflater::new(&Codings::one(coding));
        Compressed { inflater, has_more: false, is_lost: false, is_ended: false }
    }

    fn advance(&mut self, bytes: &[u8], work: &mut [u8], allowance: &mut Allowance) -> Advance {
        if bytes.is_empty() && (!self.has_more || self.is_lost) {
            return (0, Some(Event::Idle));
        }
        if self.is_lost {
            return (bytes.len(), Some(Event::Unreadable(bytes.len(), None)));
        }
        match self.inflater.step(bytes, work, allowance) {
            Ok(progress) => {
                self.has_more = progress.has_more;
                (progress.taken, (progress.written > 0).then_some(Event::Worked(progress.written)))
            }
            Err(reason) => {
                self.is_lost = true;
                let reason = Some(Unreadable::Coded(reason));
                (bytes.len(), Some(Event::Unreadable(bytes.len(), reason)))
            }
        }
    }

    fn finish(&mut self, work: &mut [u8], allowance: &mut Allowance) -> Event {
        if self.is_lost {
            return match std::mem::replace(&mut self.is_ended, true) {
                false => Event::EntryEnd,
                true => Event::End,
            };
        }
        match self.inflater.finish(work, allowance) {
            Ok(progress) if progress.written > 0 || progress.has_more => {
                Event::Worked(progress.written)
            }
            Ok(_) => {
                self.is_lost = true;
                self.finish(work, allowance)
            }
            Err(reason) => {
                self.is_lost = true;
                Event::Unreadable(0, Some(Unreadable::Coded(reason)))
            }
        }
    }
}

/// Takes bytes until so many are held.
fn hold(held: &mut Vec<u8>, bytes: &[u8], want: usize) -> usize {
    let piece = bytes.get(..want.saturating_sub(held.len())).unwrap_or(bytes);
    held.extend_from_slice(piece);
    piece.len()
}

/// Keeps what a bound allows.
fn keep(kept: &mut Vec<u8>, bytes: &[u8], bound: usize) {
    hold(kept, bytes, bound);
}

/// An entry's name and the bytes of it that are still to come.
fn keep_name(name: &mut Vec<u8>, bytes: &[u8]) {
    keep(name, bytes, ARCHIVE_NAME_MAX_BYTES);
}

/// As many of the bytes as are left of something.
fn up_to(bytes: &[u8], left: u64) -> &[u8] {
    usize::try_from(left).ok().and_then(|left| bytes.get(..left)).unwrap_or(bytes)
}
