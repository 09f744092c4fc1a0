//! Documents in PDF (ISO 32000-1): the streams in them, those that are deflated inflated, and what pages show. No
//! table of objects is read, which may lie: a stream is what stands between the keywords.

mod page;

use std::fmt;
use std::ops::Range;

pub use page::PageText;

use super::codings::{Allowance, Engine, RawDeflate, Undecodable, is_zlib_head};

/// How a document begins.
pub const PDF_HEAD: &[u8] = b"%PDF-";

/// What begins the data of a stream, with a line end behind it, and what follows them.
const BEGIN: &[u8] = b"stream";
const END: &[u8] = b"endstream";

/// What a step brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more: all bytes were taken.
    Idle,
    /// Data of a stream that stand in the step's bytes as they are.
    InPlace(Range<usize>),
    /// Data that were inflated: so many bytes at the front of the work buffer.
    Worked(usize),
    /// So many bytes of a stream that cannot be inflated; the reason once for each stream.
    Unreadable(usize, Option<Undecodable>),
    /// The stream is over.
    StreamEnd,
}

/// A document being read.
#[derive(Default)]
pub struct Reader {
    place: Place,
    /// How many bytes of the keyword that is looked for were seen last.
    matched: usize,
    inflater: Option<RawDeflate>,
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
    /// At the first byte, and the second, of a stream's data.
    First,
    Second(u8),
    Deflated,
    Plain,
    /// Behind deflated data, which may be followed by a line end; or in those that cannot be inflated.
    Behind {
        is_lost: bool,
    },
    /// Behind the keyword that ends a stream.
    Ended,
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
                Some(first) => first,
                None if self.place == Place::Ended => &0,
                None => return (taken, Event::Idle),
            };
            match self.place {
                Place::Outside => {
                    let (len, is_found) = self.pass(BEGIN, rest);
                    taken += len;
                    if is_found {
                        self.place = Place::LineEnd;
                    }
                }
                Place::LineEnd => taken += self.line_end(*first, rest.get(1)),
                Place::First => match rest.get(1) {
                    Some(second) => self.begin(is_zlib_head(*first, *second)),
                    None if *first & 0xF == 8 => {
                        taken += 1;
                        self.place = Place::Second(*first);
                    }
                    None => self.begin(false),
                },
                Place::Second(head) => {
                    self.begin(is_zlib_head(head, *first));
                    if let Some(inflater) = &mut self.inflater {
                        inflater.run(&[head], work);
                    }
                }
                Place::Deflated => {
                    let (len, event) = self.inflate(rest, work, allowance);
                    taken += len;
                    if let Some(event) = event {
                        return (taken, event);
                    }
                }
                Place::Plain | Place::Behind { .. } => {
                    let (len, is_found) = self.pass(END, rest);
                    let range = taken..taken + len;
                    taken += len;
                    let place = self.place;
                    if is_found {
                        self.place = Place::Ended;
                    }
                    match place {
                        Place::Plain => return (taken, Event::InPlace(range)),
                        Place::Behind { is_lost: true } => {
                            return (taken, Event::Unreadable(len, None));
                        }
                        _ => {}
                    }
                }
                Place::Ended => {
                    self.place = Place::Outside;
                    return (taken, Event::StreamEnd);
                }
            }
        }
    }

    /// At the end of the bytes: whether a stream goes on beyond it.
    pub fn is_cut(&self) -> bool {
        self.inflater.is_some()
    }

    /// Behind the keyword: how many of these bytes are of the end of its line.
    fn line_end(&mut self, first: u8, second: Option<&u8>) -> usize {
        self.place = match (first, second) {
            // A carriage return alone is none, but who writes one means it.
            (b'\n', _) => Place::First,
            (b'\r', None | Some(b'\n')) => Place::LineEnd,
            (b'\r', _) => Place::First,
            _ => Place::Outside,
        };
        usize::from(matches!(first, b'\r' | b'\n'))
    }

    /// The data of a stream begin.
    fn begin(&mut self, is_deflated: bool) {
        self.matched = 0;
        self.inflater = is_deflated.then(RawDeflate::with_zlib_header);
        self.place = if is_deflated { Place::Deflated } else { Place::Plain };
    }

    /// Looks for a keyword, of which the bytes before may have shown some: how many bytes are taken, and whether it
    /// is found at the end of these.
    fn pass(&mut self, keyword: &[u8], bytes: &[u8]) -> (usize, bool) {
        let first = keyword.first().copied().unwrap_or_default();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.matched == 0 {
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(found) = memchr::memchr(first, rest) else { return (bytes.len(), false) };
                (at, self.matched) = (at + found + 1, 1);
                continue;
            }
            at += 1;
            if keyword.get(self.matched) == Some(byte) {
                self.matched += 1;
            } else {
                self.matched = usize::from(*byte == first);
            }
            if self.matched == keyword.len() {
                self.matched = 0;
                return (at, true);
            }
        }
        (bytes.len(), false)
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
        if let Err(reason) = allowance.check() {
            return self.lose(0, reason);
        }
        let run = inflater.run(bytes, work);
        allowance.spend(run.written);
        if inflater.is_complete() {
            self.inflater = None;
            self.place = Place::Behind { is_lost: false };
        } else if let Some(reason) = run.failure {
            if run.written == 0 {
                return self.lose(run.taken, reason);
            }
        } else if run.taken == 0 && run.written == 0 {
            return self.lose(0, Undecodable::Malformed);
        }
        (run.taken, (run.written > 0).then_some(Event::Worked(run.written)))
    }

    /// What is left of the stream cannot be inflated.
    fn lose(&mut self, taken: usize, reason: Undecodable) -> (usize, Option<Event>) {
        self.inflater = None;
        self.place = Place::Behind { is_lost: true };
        (taken, Some(Event::Unreadable(taken, Some(reason))))
    }
}
