//! Documents in PDF (ISO 32000-1): the streams in them, those that are deflated inflated, also in ASCII85, and what
//! pages show. No table of objects is read, which may lie: a stream is what stands between the keywords. A keyword that
//! begins one is heeded in one, too: a comment may have looked like the first.

mod ascii85;
mod glyphs;
mod page;

use std::fmt;
use std::ops::Range;

pub use page::PageText;

#[cfg(test)]
pub(in crate::scan) use ascii85::tests::encoded as in_ascii85;

use self::ascii85::Ascii85;
use super::archive::Unreadable;
use super::codings::{Allowance, Engine, RawDeflate, Undecodable, is_zlib_head};
use crate::limits::ARCHIVE_ENTRIES_MAX;

/// How a document begins.
pub const PDF_HEAD: &[u8] = b"%PDF-";

/// What begins the data of a stream, with a line end behind it; what makes of it the keyword that follows them.
const KEYWORD: &[u8] = b"stream";
const END: &[u8] = b"end";

/// How data in ASCII85 end (§7.4.3).
const ASCII85_END: &[u8] = b"~>";

/// What a step brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more: all bytes were taken.
    Idle,
    /// Data of a stream that stand in the step's bytes as they are.
    InPlace(Range<usize>),
    /// Data that were inflated: so many bytes at the front of the work buffer.
    Worked(usize),
    /// So many bytes of a stream that cannot be decoded; the reason once for each stream.
    Unreadable(usize, Option<Unreadable>),
    /// The stream is over.
    StreamEnd,
}

/// A document being read.
#[derive(Default)]
pub struct Reader {
    place: Place,
    /// Where the keyword was seen that may begin a stream.
    from: Place,
    /// How many bytes of the keyword were seen last, and whether the first of them follow [`END`].
    matched: usize,
    is_end: bool,
    /// The last bytes before those: room for [`ASCII85_END`], the end of a line, and [`END`].
    edge: u64,
    /// How many bytes of data that stand as they are were passed.
    plain_bytes: usize,
    /// Kept for the next stream.
    inflater: Option<RawDeflate>,
    /// What takes the deflated data out of ASCII85, of a stream in both.
    armour: Option<Box<Ascii85>>,
    /// The deflated streams so far.
    streams: u32,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    /// Behind the keyword, before the end of its line.
    LineEnd,
    /// Behind a carriage return, of which a line feed is a part.
    Return,
    /// At the first byte, and the second, of a stream's data.
    First,
    Second(u8),
    Deflated,
    Plain,
    /// Behind deflated data, which may be followed by a line end; or in those that cannot be inflated.
    Behind {
        is_lost: bool,
    },
    /// Behind the keyword that ends a stream, of which so many bytes are in a coding that is not undone.
    Ended {
        filtered: usize,
    },
}

/// How the data of a stream are deflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Bare,
    /// And in ASCII85 besides.
    Armoured,
}

/// What the first two bytes of a stream's data show; none if they are not deflated.
fn coding(first: u8, second: u8) -> Option<Coding> {
    let armoured = ascii85::is_zlib_head(first, second).then_some(Coding::Armoured);
    if is_zlib_head(first, second) { Some(Coding::Bare) } else { armoured }
}

impl Reader {
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Reads on in `bytes`; until the event is [`Event::Idle`], to be called again with what was not taken, and how
    /// much was. `work` takes what is inflated; it is of any size but zero.
    pub fn step(
        &mut self,
        bytes: &[u8],
        work: &mut [u8],
        allowance: &mut Allowance,
    ) -> (usize, Event) {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let first = match rest.first() {
                Some(first) => *first,
                None if matches!(self.place, Place::Ended { .. }) || self.has_pending() => 0,
                None => return (taken, Event::Idle),
            };
            let (start, place) = (taken, self.place);
            let event = match place {
                Place::Outside | Place::Plain | Place::Behind { .. } => {
                    taken += self.pass(rest);
                    match place {
                        Place::Plain => Some(Event::InPlace(start..taken)),
                        Place::Behind { is_lost: true } => {
                            Some(Event::Unreadable(taken - start, None))
                        }
                        _ => None,
                    }
                }
                Place::LineEnd => {
                    taken += self.line_end(first);
                    None
                }
                Place::Return => {
                    taken += usize::from(first == b'\n');
                    self.place = Place::First;
                    None
                }
                Place::First => match rest.get(1) {
                    Some(second) => self.begin(coding(first, *second)),
                    None if first & 0xF == 8 || ascii85::may_begin_zlib(first) => {
                        taken += 1;
                        self.place = Place::Second(first);
                        None
                    }
                    None => self.begin(None),
                },
                Place::Second(head) => self.begin_behind(head, first, work),
                Place::Deflated => {
                    let (len, event) = match self.armour.take() {
                        Some(armour) => self.inflate_armoured(armour, rest, work, allowance),
                        None => self.inflate(rest, work, allowance),
                    };
                    taken += len;
                    event
                }
                Place::Ended { filtered: 0 } => {
                    self.place = Place::Outside;
                    Some(Event::StreamEnd)
                }
                Place::Ended { filtered } => {
                    self.place = Place::Ended { filtered: 0 };
                    Some(Event::Unreadable(filtered, Some(Unreadable::Filtered)))
                }
            };
            if let Some(event) = event {
                return (taken, event);
            }
        }
    }

    /// At the end of the bytes: whether a stream goes on beyond it.
    pub fn is_cut(&self) -> bool {
        self.place == Place::Deflated
    }

    /// Whether there is more to be inflated of the bytes that were taken.
    fn has_pending(&self) -> bool {
        self.armour.as_ref().is_some_and(|armour| !armour.pending().is_empty())
    }

    /// The keyword was seen: a stream is over, or may begin, though it be in another one.
    fn keyword(&mut self) {
        self.from = self.place;
        self.place = match (self.place, self.is_end) {
            (_, false) => Place::LineEnd,
            (Place::Outside, true) => Place::Outside,
            (Place::Plain, true) => {
                let edge = self.edge.to_be_bytes();
                let data = edge.strip_suffix(END).unwrap_or(&edge).trim_ascii_end();
                let is_filtered = data.ends_with(ASCII85_END);
                Place::Ended { filtered: if is_filtered { self.plain_bytes } else { 0 } }
            }
            (_, true) => Place::Ended { filtered: 0 },
        };
    }

    /// Behind the keyword: how many of these bytes are of the end of its line.
    fn line_end(&mut self, first: u8) -> usize {
        self.place = match first {
            b'\n' => Place::First,
            // Alone it is none, but who writes one means it.
            b'\r' => Place::Return,
            _ => self.from,
        };
        usize::from(matches!(first, b'\r' | b'\n'))
    }

    /// The data of a stream begin, which may end another one. Text in a stream that only looks so goes on.
    fn begin(&mut self, coding: Option<Coding>) -> Option<Event> {
        let is_deflated = coding.is_some();
        self.armour = (coding == Some(Coding::Armoured)).then(|| Box::new(Ascii85::new()));
        let is_text = self.from == Place::Plain && !is_deflated;
        (self.matched, self.edge) = (0, 0);
        if !is_text {
            self.plain_bytes = 0;
        }
        if is_deflated {
            self.streams = self.streams.saturating_add(1);
            self.inflater.get_or_insert_with(RawDeflate::with_zlib_header).restart();
        }
        self.place = if is_deflated { Place::Deflated } else { Place::Plain };
        (self.from != Place::Outside && !is_text).then_some(Event::StreamEnd)
    }

    /// The same, the first byte of which came before.
    fn begin_behind(&mut self, first: u8, second: u8, work: &mut [u8]) -> Option<Event> {
        let event = self.begin(coding(first, second));
        match (self.place, &mut self.inflater, &mut self.armour) {
            // One sign decodes to nothing yet.
            (Place::Deflated, _, Some(armour)) => {
                let _ = armour.feed(&[first]);
            }
            (Place::Deflated, Some(inflater), None) => {
                inflater.run(&[first], work);
            }
            _ => {}
        }
        event
    }

    /// Looks for the keyword, of which the bytes before may have shown some: how many bytes are taken, at the end of
    /// which it is, or all.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let first = KEYWORD.first().copied().unwrap_or_default();
        // From where on the edge knows nothing of the bytes.
        let (mut at, mut kept) = (0, 0);
        while let Some(byte) = bytes.get(at) {
            if self.matched == 0 {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(found) = memchr::memchr(first, rest) else { break };
                self.keep_edge(bytes.get(kept..at + found).unwrap_or_default());
                (at, self.matched) = (at + found + 1, 1);
                self.is_end = self.edge.to_be_bytes().ends_with(END);
                continue;
            }
            if KEYWORD.get(self.matched) == Some(byte) {
                self.matched += 1;
            } else {
                // The keyword holds its first byte once.
                self.keep_edge(KEYWORD.get(..self.matched).unwrap_or_default());
                (self.matched, self.is_end, kept) = (usize::from(*byte == first), false, at);
            }
            at += 1;
            if self.matched == KEYWORD.len() {
                self.matched = 0;
                self.plain_bytes = self.plain_bytes.saturating_add(at);
                self.keyword();
                return at;
            }
        }
        if self.matched == 0 {
            self.keep_edge(bytes.get(kept..).unwrap_or_default());
        }
        self.plain_bytes = self.plain_bytes.saturating_add(bytes.len());
        bytes.len()
    }

    /// The next bytes, of which the last are kept.
    fn keep_edge(&mut self, bytes: &[u8]) {
        let edge = bytes.get(bytes.len().saturating_sub(size_of::<u64>())..).unwrap_or_default();
        self.edge = edge.iter().fold(self.edge, |edge, byte| edge << 8 | u64::from(*byte));
    }

    /// The same of data in ASCII85: what its signs say is inflated.
    fn inflate_armoured(
        &mut self,
        mut armour: Box<Ascii85>,
        bytes: &[u8],
        work: &mut [u8],
        allowance: &mut Allowance,
    ) -> (usize, Option<Event>) {
        let mut taken = 0;
        if armour.pending().is_empty() {
            match armour.feed(bytes) {
                Ok(len) => taken = len,
                Err(_) => return self.lose(0, Unreadable::Coded(Undecodable::Malformed)),
            }
        }
        let event = if armour.pending().is_empty() {
            None
        } else {
            let (used, event) = self.inflate(armour.pending(), work, allowance);
            armour.consume(used);
            event
        };
        match self.place {
            Place::Deflated if armour.is_over() && armour.pending().is_empty() => {
                self.place = Place::Behind { is_lost: false };
            }
            Place::Deflated => self.armour = Some(armour),
            _ => {}
        }
        (taken, event)
    }

    fn inflate(
        &mut self,
        bytes: &[u8],
        work: &mut [u8],
        allowance: &mut Allowance,
    ) -> (usize, Option<Event>) {
        let Some(inflater) = &mut self.inflater else {
            self.place = Place::Behind { is_lost: false };
            return (0, None);
        };
        if self.streams > ARCHIVE_ENTRIES_MAX {
            return self.lose(0, Unreadable::TooManyEntries);
        }
        if let Err(reason) = allowance.check() {
            return self.lose(0, Unreadable::Coded(reason));
        }
        let run = inflater.run(bytes, work);
        allowance.spend(run.written);
        if inflater.is_complete() {
            self.place = Place::Behind { is_lost: false };
        } else if let Some(reason) = run.failure {
            if run.written == 0 {
                return self.lose(run.taken, Unreadable::Coded(reason));
            }
        } else if run.taken == 0 && run.written == 0 {
            return self.lose(0, Unreadable::Coded(Undecodable::Malformed));
        }
        (run.taken, (run.written > 0).then_some(Event::Worked(run.written)))
    }

    /// What is left of the stream cannot be inflated.
    fn lose(&mut self, taken: usize, reason: Unreadable) -> (usize, Option<Event>) {
        self.place = Place::Behind { is_lost: true };
        (taken, Some(Event::Unreadable(taken, Some(reason))))
    }
}
