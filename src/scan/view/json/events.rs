//! Streams of events, taken apart: server-sent events, and lines of JSON.
//!
//! Each payload is given out on the read that ends it, from the read itself where it lies whole in
//! it. A payload past [`EVENT_MAX_BYTES`](crate::limits::EVENT_MAX_BYTES) is skipped and counted.

use super::payload::Payload;

/// Splits `text/event-stream` (HTML, "Server-sent events") into the data of its events.
#[derive(Debug, Default)]
pub struct EventSplitter {
    place: Place,
    /// The last byte was a carriage return: a line feed behind it belongs to it.
    after_return: bool,
    /// The event has a line of data.
    has_data: bool,
    payload: Payload,
}

/// What the next byte belongs to.
///
/// ```text
/// Mark ─▶ Name ─ "data:" ─▶ Space ─▶ Data ─ line end ─▶ Name
///              ─ other ───▶ Other ──────── line end ─▶ Name
///              ─ line end: the event is over
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// A UTF-8 byte order mark, which may come first.
    #[default]
    Mark,
    /// What may be [`DATA`], of which so much has come.
    Name {
        seen: usize,
    },
    /// Behind the colon, where one space is no part of the data.
    Space,
    Data,
    /// A comment, or a field that does not matter.
    Other,
}

/// How a line begins that has data.
const DATA: &[u8] = b"data:";

impl EventSplitter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, and gives out the data of each event that they end.
    pub fn feed(&mut self, bytes: &[u8], payload: &mut dyn FnMut(&[u8])) {
        // Data of this read that is not kept yet: most events have one line, and end in this read.
        let mut fresh: &[u8] = &[];
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            if std::mem::take(&mut self.after_return) && *first == b'\n' {
                rest = behind;
                continue;
            }
            match self.place {
                Place::Mark if matches!(first, 0xef | 0xbb | 0xbf) => rest = behind,
                Place::Mark => self.place = Place::Name { seen: 0 },
                Place::Name { seen: 0 } if matches!(first, b'\n' | b'\r') => {
                    self.after_return = *first == b'\r';
                    rest = behind;
                    self.has_data = false;
                    self.payload.end(std::mem::take(&mut fresh), payload);
                }
                Place::Name { seen } => rest = self.name(seen, rest),
                Place::Space => {
                    if std::mem::replace(&mut self.has_data, true) {
                        // A further line is joined to what came before.
                        self.payload.push(std::mem::take(&mut fresh));
                        self.payload.push(b"\n");
                    }
                    self.place = Place::Data;
                    rest = if *first == b' ' { behind } else { rest };
                }
                Place::Data => (fresh, rest) = self.line(rest),
                Place::Other => (_, rest) = self.line(rest),
            }
        }
        self.payload.push(fresh);
    }

    /// Gives out what an event has brought that the end of the stream cuts. The splitter is then as new.
    pub fn finish(&mut self, payload: &mut dyn FnMut(&[u8])) {
        self.payload.end(&[], payload);
        *self = Self { payload: std::mem::take(&mut self.payload), ..Self::default() };
    }

    /// The bytes of events that were too long to be given out, since the last call.
    pub fn skipped_bytes(&mut self) -> u64 {
        self.payload.take_skipped()
    }

    /// Passes what may be the name of a field; returns what is behind it.
    fn name<'a>(&mut self, seen: usize, rest: &'a [u8]) -> &'a [u8] {
        let missing = DATA.get(seen..).unwrap_or_default();
        let same = missing.iter().zip(rest).take_while(|(one, other)| one == other).count();
        self.place = if same == missing.len() {
            Place::Space
        } else if same == rest.len() {
            Place::Name { seen: seen + same }
        } else {
            Place::Other
        };
        rest.get(same..).unwrap_or_default()
    }

    /// Passes the rest of a line: what it holds in these bytes, and what is behind its end.
    fn line<'a>(&mut self, rest: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        let Some(len) = memchr::memchr2(b'\n', b'\r', rest) else { return (rest, &[]) };
        let (line, end) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        self.place = Place::Name { seen: 0 };
        self.after_return = end.first() == Some(&b'\r');
        (line, end.get(1..).unwrap_or_default())
    }
}

/// Splits lines: JSON Lines, NDJSON, and JSON text sequences (RFC 7464), whose records begin with
/// a separator of their own. A record that is printed over several lines is not put together.
#[derive(Debug, Default)]
pub struct LineSplitter {
    payload: Payload,
}

/// What begins a record of a JSON text sequence.
const RECORD_SEPARATOR: u8 = 0x1e;

impl LineSplitter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, and gives out each line that they end.
    pub fn feed(&mut self, bytes: &[u8], payload: &mut dyn FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(len) = memchr::memchr3(b'\n', b'\r', RECORD_SEPARATOR, rest) {
            let (line, end) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            self.payload.end(line, payload);
            rest = end.get(1..).unwrap_or_default();
        }
        self.payload.push(rest);
    }

    /// Gives out a last line that has no end. The splitter is then as new.
    pub fn finish(&mut self, payload: &mut dyn FnMut(&[u8])) {
        self.payload.end(&[], payload);
    }

    /// The bytes of lines that were too long to be given out, since the last call.
    pub fn skipped_bytes(&mut self) -> u64 {
        self.payload.take_skipped()
    }
}
