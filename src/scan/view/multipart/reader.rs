//! The parts of a body, pulled step by step, wherever it is cut. Holds one head, and what may be a delimiter.

use std::ops::Range;

use memchr::memmem::Finder;

use crate::limits::{MULTIPART_HEAD_MAX_BYTES, MULTIPART_PADDING_MAX_BYTES};

/// What a step brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more: all bytes were taken.
    Idle,
    /// A part's head is complete, or as large as it may be: [`Reader::head`].
    PartHead,
    /// Contents that stand in the step's bytes as they are: of the part; of nothing before the first and
    /// behind the last.
    Data(Range<usize>),
    /// Contents that looked like a delimiter until now: [`Reader::carried`].
    Carried,
    /// A delimiter: the part, or what was before the first, ended; another begins with its head.
    PartEnd,
    /// The closing delimiter. What follows is contents, though of no part.
    End,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes taken off the front.
    pub taken: usize,
    pub event: Event,
}

/// A multipart body being read.
#[derive(Debug)]
pub struct Reader {
    /// `--` and the boundary.
    delimiter: Vec<u8>,
    /// Finds a line feed and the delimiter.
    finder: Finder<'static>,
    place: Place,
    /// What may be a delimiter, from its line end on.
    held: Vec<u8>,
    /// A delimiter is held that the part's head is to be told before.
    delimited: Option<Delimiter>,
    /// What was held and turned out to be contents.
    released: Vec<u8>,
    /// What the last event spoke of.
    told: Vec<u8>,
    head: Vec<u8>,
}

/// Where in the body the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At its very begin, where a delimiter needs no line end before it.
    Begin,
    Head,
    /// In a part, or before the first.
    Contents,
    /// Behind the closing delimiter.
    Epilogue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delimiter {
    Next,
    Closing,
}

/// What a byte makes of the held ones.
enum Verdict {
    Open,
    Whole(Delimiter),
    No,
}

impl Reader {
    /// At the first byte of a body with that boundary.
    pub fn new(boundary: &[u8]) -> Reader {
        let delimiter = [b"--", boundary].concat();
        let finder = Finder::new(&[b"\n", &delimiter[..]].concat()).into_owned();
        Reader {
            delimiter,
            finder,
            place: Place::Begin,
            held: Vec::new(),
            delimited: None,
            released: Vec::new(),
            told: Vec::new(),
            head: Vec::new(),
        }
    }

    /// At the first byte of a mail: a head, and one part to the end.
    pub fn of_mail() -> Reader {
        // No line is like this one, which has two.
        Reader { place: Place::Head, ..Reader::new(b"\0\n\0") }
    }

    /// The part's head, with the empty line that ends it. See [`super::PartHead`].
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The contents that [`Event::Carried`] speaks of, or the delimiter, line ends included, of
    /// [`Event::PartEnd`] and [`Event::End`].
    pub fn carried(&self) -> &[u8] {
        &self.told
    }

    /// Reads on in `bytes`; until the event is [`Event::Idle`], to be called again with what was not taken.
    pub fn step(&mut self, bytes: &[u8]) -> Step {
        let mut taken = 0;
        loop {
            if let Some(event) = self.tell_kept() {
                return Step { taken, event };
            }
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Step { taken, event: Event::Idle };
            }
            if self.place == Place::Epilogue {
                return Step {
                    taken: taken + rest.len(),
                    event: Event::Data(taken..taken + rest.len()),
                };
            }
            if self.may_be_delimiter() {
                let len = self.judge(rest);
                taken += len;
                if len > 0 || !self.released.is_empty() || self.delimited.is_some() {
                    continue;
                }
            }
            if self.place == Place::Begin {
                self.place = Place::Contents;
            }
            let len = self.contents_len(rest);
            if len == 0 {
                self.held.extend(rest.first());
                taken += 1;
            } else if self.place == Place::Head {
                taken += self.read_head(rest.get(..len).unwrap_or_default());
                if self.place == Place::Contents {
                    return Step { taken, event: Event::PartHead };
                }
            } else {
                return Step { taken: taken + len, event: Event::Data(taken..taken + len) };
            }
        }
    }

    /// At the end of the bytes, once a step was idle; to be called until there is nothing more.
    pub fn finish(&mut self) -> Option<Event> {
        if let Some(event) = self.tell_kept() {
            return Some(event);
        }
        if self.held.is_empty() {
            let is_open = self.place == Place::Head && !self.head.is_empty();
            self.place = if is_open { Place::Contents } else { self.place };
            return is_open.then_some(Event::PartHead);
        }
        // The last line needs no end.
        match self.held.get(self.lead() + self.delimiter.len()..) {
            Some(b"-") | None => self.released = std::mem::take(&mut self.held),
            Some([b'-', ..]) => self.delimited = Some(Delimiter::Closing),
            Some(_) => self.delimited = Some(Delimiter::Next),
        }
        self.finish()
    }

    /// What is left to tell before more is read.
    fn tell_kept(&mut self) -> Option<Event> {
        self.told.clear();
        if self.place == Place::Head && !self.released.is_empty() {
            let released = std::mem::take(&mut self.released);
            let len = self.read_head(&released);
            self.released = released.get(len..).unwrap_or_default().to_vec();
            if self.place == Place::Contents {
                return Some(Event::PartHead);
            }
        }
        if !self.released.is_empty() {
            std::mem::swap(&mut self.told, &mut self.released);
            return Some(Event::Carried);
        }
        let delimiter = self.delimited?;
        if self.place == Place::Head && !self.head.is_empty() {
            self.place = Place::Contents;
            return Some(Event::PartHead);
        }
        self.delimited = None;
        std::mem::swap(&mut self.told, &mut self.held);
        self.head.clear();
        Some(match delimiter {
            Delimiter::Next => {
                self.place = Place::Head;
                Event::PartEnd
            }
            Delimiter::Closing => {
                self.place = Place::Epilogue;
                Event::End
            }
        })
    }

    /// Whether a delimiter is under way or may begin without a line end.
    fn may_be_delimiter(&self) -> bool {
        let is_line_start = match self.place {
            Place::Begin => true,
            Place::Head => self.head.is_empty(),
            Place::Contents | Place::Epilogue => false,
        };
        is_line_start || !self.held.is_empty()
    }

    /// Holds bytes for as long as they may be a delimiter; how many.
    fn judge(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            match self.verdict(*byte) {
                Verdict::Open => self.held.push(*byte),
                Verdict::Whole(delimiter) => {
                    self.held.push(*byte);
                    self.delimited = Some(delimiter);
                    return at + 1;
                }
                Verdict::No => {
                    if self.place == Place::Begin {
                        self.place = Place::Contents;
                    }
                    self.released = std::mem::take(&mut self.held);
                    return at;
                }
            }
        }
        bytes.len()
    }

    /// Bytes of the line end that the held ones begin with.
    fn lead(&self) -> usize {
        match self.held.as_slice() {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        }
    }

    fn verdict(&self, byte: u8) -> Verdict {
        let open_if = |is_open| if is_open { Verdict::Open } else { Verdict::No };
        let lead = self.lead();
        match self.held.as_slice() {
            [] if byte == b'\r' || byte == b'\n' => return Verdict::Open,
            [b'\r'] => return open_if(byte == b'\n'),
            _ => {}
        }
        if let Some(expected) = self.delimiter.get(self.held.len() - lead) {
            return open_if(byte == *expected);
        }
        let behind = self.held.get(lead + self.delimiter.len()..).unwrap_or_default();
        let (delimiter, padding) = match behind {
            [] if byte == b'-' => return Verdict::Open,
            [b'-'] => return open_if(byte == b'-'),
            [b'-', b'-', padding @ ..] => (Delimiter::Closing, padding),
            padding => (Delimiter::Next, padding),
        };
        if byte == b'\n' {
            return Verdict::Whole(delimiter);
        }
        let is_ended = padding.last() == Some(&b'\r');
        let is_blank = matches!(byte, b' ' | b'\t') && padding.len() < MULTIPART_PADDING_MAX_BYTES;
        open_if(!is_ended && (is_blank || byte == b'\r'))
    }

    /// How many bytes stand before the first that may begin a delimiter.
    fn contents_len(&self, bytes: &[u8]) -> usize {
        if let Some(line_feed) = self.finder.find(bytes) {
            let before = line_feed.checked_sub(1);
            let return_at = before.filter(|at| bytes.get(*at) == Some(&b'\r'));
            return return_at.unwrap_or(line_feed);
        }
        let begins = |rest: &[u8]| {
            let line = rest.strip_prefix(b"\r").unwrap_or(rest);
            match line.strip_prefix(b"\n") {
                Some(line) => self.delimiter.starts_with(line),
                None => line.is_empty(),
            }
        };
        let tail = bytes.len().saturating_sub(self.delimiter.len() + 2);
        let is_start = |at: &usize| {
            matches!(bytes.get(*at), Some(b'\r' | b'\n'))
                && begins(bytes.get(*at..).unwrap_or_default())
        };
        (tail..bytes.len()).find(is_start).unwrap_or(bytes.len())
    }

    /// Takes what is of the head, at most all; ends it at an empty line or at its bound.
    fn read_head(&mut self, bytes: &[u8]) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            self.head.push(*byte);
            let is_line_end = *byte == b'\n';
            let is_empty_line = is_line_end
                && (matches!(self.head.as_slice(), b"\n" | b"\r\n")
                    || self.head.ends_with(b"\n\n")
                    || self.head.ends_with(b"\n\r\n"));
            if is_empty_line || self.head.len() >= MULTIPART_HEAD_MAX_BYTES {
                self.place = Place::Contents;
                return at + 1;
            }
        }
        bytes.len()
    }
}
