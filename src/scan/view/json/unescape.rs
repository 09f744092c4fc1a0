//! JSON text as it streams by, with the contents of its strings unescaped.
//!
//! Only string contents change: quotes, keys, numbers, brackets and blanks stay, so the result
//! can stand in for the raw bytes. It is no parser: between strings it looks for the next quote
//! and nothing else. What begins like JSON and is none would be harmed by that (`\bash` is not a
//! backspace and four letters), so the few bytes around each string are checked, and the first
//! that no JSON has ends the unescaping for good.

use super::blocks::{find_interruption, find_quote};
use super::escape::{ESCAPE_BYTES, Escape, copy_near, copy_text, decode, write, write_cut};
use super::regular;
use crate::scan::view::chunk::CHUNK_BYTES;

/// What is walked byte by byte where JSON is not regular.
const NEAR_BYTES: usize = CHUNK_BYTES;
/// The same before its first string.
const FIRST_BYTES: usize = 4;
/// Room for what is written beyond the text, before it is cut off again.
const ROOM_BYTES: usize = 3 * CHUNK_BYTES;

/// Where the text of the bytes that were fed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// The bytes are their own text; nothing was written.
    Unchanged,
    /// It was appended to the output; where an escape is cut off, some or all of it is still to come.
    Written,
}

/// What the next byte belongs to.
///
/// ```text
/// Start ─ { or [ ─▶ Opened ─▶ Between ─ " ─▶ String ─ " ─▶ Behind ─▶ Between
///       ─ " ─▶ String ─ " ─▶ Apart ─ blank ─▶ Start
///       ─ 7 ─▶ Scalar ─ blank ─▶ Start                    anything else ─▶ NotJson
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before a value that nothing encloses.
    Start,
    /// Behind the bracket that opens the text.
    Opened,
    /// Between strings, inside of brackets.
    Between,
    /// In a string; `alone`: nothing encloses it.
    String { alone: bool },
    /// Behind a string; `blank`: and behind a blank.
    Behind { blank: bool },
    /// Behind a string that nothing encloses: only a blank parts it from a further value.
    Apart,
    /// In a number or a literal that nothing encloses.
    Scalar,
    /// In what is no JSON.
    NotJson,
}

/// Where in JSON a text stands between two bytes that are not of one escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    place: Place,
    last: u8,
}

impl Mark {
    /// Whether nothing before it proves that this is no JSON.
    pub fn is_json(&self) -> bool {
        self.place != Place::NotJson
    }
}

/// Unescapes the strings of one JSON text, or of several in a row.
#[derive(Debug)]
pub struct Unescaper {
    place: Place,
    /// The last byte between strings that is no blank.
    last: u8,
    /// An escape that the last piece cut.
    cut: [u8; ESCAPE_BYTES],
    cut_len: usize,
}

impl Default for Unescaper {
    fn default() -> Self {
        Self { place: Place::Start, last: 0, cut: [0; ESCAPE_BYTES], cut_len: 0 }
    }
}

impl Unescaper {
    pub fn new() -> Self {
        Self::default()
    }

    /// One that goes on where another stood.
    pub fn at(mark: Mark) -> Self {
        Self { place: mark.place, last: mark.last, ..Self::default() }
    }

    /// Where it stands; none within an escape.
    pub fn mark(&self) -> Option<Mark> {
        (self.cut_len == 0).then_some(Mark { place: self.place, last: self.last })
    }

    /// Whether nothing that was fed so far proves that this is no JSON.
    pub fn is_json(&self) -> bool {
        self.place != Place::NotJson
    }

    /// Takes the next bytes; their text is these bytes themselves, or is appended to `out`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Text {
        let mut rest;
        if self.cut_len > 0 {
            rest = self.mend(bytes, out);
        } else {
            let at = self.pass(bytes);
            if at == bytes.len() {
                return Text::Unchanged;
            }
            let (before, from) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
            out.reserve(bytes.len() + ROOM_BYTES);
            out.extend_from_slice(before);
            rest = from;
        }
        while !rest.is_empty() {
            rest = self.copy(rest, out);
        }
        Text::Written
    }

    /// Goes on to the next escape, or to the end; says where that is.
    fn pass(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(place) = self.regular_place() {
                let (taken, behind) = regular::pass(rest, place);
                at += self.came(rest.get(..taken).unwrap_or_default(), behind);
            }
            let near = self.near(bytes.get(at..).unwrap_or_default());
            let len = self.walk(near, &mut Skip);
            at += len;
            if len < near.len() {
                break;
            }
        }
        at
    }

    /// Writes what some of `bytes` stands for; what is behind it is left.
    fn copy<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let mut rest = bytes;
        if let Some(place) = self.regular_place() {
            let (taken, behind) = regular::copy(rest, place, out);
            let taken = self.came(rest.get(..taken).unwrap_or_default(), behind);
            rest = rest.get(taken..).unwrap_or_default();
        }
        let near = self.near(rest);
        let len = self.walk(near, out);
        let is_escape = len < near.len();
        rest = rest.get(len..).unwrap_or_default();
        if is_escape { self.replace_row(rest, out) } else { rest }
    }

    /// Where we are, if that is where regular JSON goes on.
    fn regular_place(&self) -> Option<regular::Place> {
        match self.place {
            Place::String { alone: false } => Some(regular::Place::String),
            Place::Behind { .. } => Some(regular::Place::Behind),
            Place::Between => Some(regular::Place::Between { fits: self.fits() }),
            _ => None,
        }
    }

    /// Takes note of regular JSON that was passed; says how many bytes that are.
    fn came(&mut self, passed: &[u8], place: regular::Place) -> usize {
        let Some(last) = passed.last() else { return 0 };
        match place {
            regular::Place::Behind => {
                self.place = Place::Behind { blank: is_blank(*last) };
                self.last = b'"';
            }
            regular::Place::Between { .. } => {
                self.place = Place::Between;
                self.note_last(passed);
            }
            _ => self.place = Place::String { alone: false },
        }
        passed.len()
    }

    /// What is walked before regular JSON may go on.
    fn near<'a>(&self, rest: &'a [u8]) -> &'a [u8] {
        match self.place {
            Place::String { alone: true } | Place::NotJson => rest,
            Place::Start | Place::Opened => rest.get(..FIRST_BYTES).unwrap_or(rest),
            _ => rest.get(..NEAR_BYTES).unwrap_or(rest),
        }
    }

    /// Writes what an escape that was cut off stands for. The unescaper is then as new.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        write_cut(self.cut.get(..self.cut_len).unwrap_or_default(), out);
        *self = Self::default();
    }

    /// Writes what the escape at the start of `bytes` stands for; what is behind it is left.
    #[inline]
    fn replace<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        match decode(bytes) {
            Escape::Cut => {
                self.cut_len = bytes.len();
                self.cut.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                &[]
            }
            Escape::Invalid => {
                out.push(b'\\');
                bytes.get(1..).unwrap_or_default()
            }
            Escape::Character { character, taken } => {
                write(character, out);
                bytes.get(taken..).unwrap_or_default()
            }
        }
    }

    /// The same for a row of escapes, with little between them: whole scripts are written in them.
    fn replace_row<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let mut rest = bytes;
        while let [b'\\', ..] = rest {
            rest = self.replace(rest, out);
            rest = rest.get(copy_near(rest, out)..).unwrap_or_default();
        }
        rest
    }

    /// Completes a cut escape with the bytes that follow it; what is behind it is left.
    #[cold]
    fn mend<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let mut taken = 0;
        loop {
            let cut = self.cut.get(..self.cut_len).unwrap_or_default();
            let (behind, stays) = match decode(cut) {
                Escape::Cut => {
                    let Some(next) = bytes.get(taken) else { return &[] };
                    let Some(place) = self.cut.get_mut(self.cut_len) else { return &[] };
                    *place = *next;
                    self.cut_len += 1;
                    taken += 1;
                    continue;
                }
                // The byte that shows it may be a quote: it is walked over like any other.
                Escape::Invalid => (self.cut_len - 1, cut.split_last().map_or(&[][..], |(_, s)| s)),
                Escape::Character { character, taken } => {
                    write(character, out);
                    (taken, &[][..])
                }
            };
            out.extend_from_slice(stays);
            self.cut.copy_within(behind.min(self.cut_len).., 0);
            self.cut_len = self.cut_len.saturating_sub(behind);
            if self.cut.first() != Some(&b'\\') || self.cut_len == 0 {
                let given_back = self.cut_len;
                self.cut_len = 0;
                return bytes.get(taken.saturating_sub(given_back)..).unwrap_or_default();
            }
        }
    }

    /// Goes on to the next escape, or to the end; says where that is. What is passed goes to `sink`.
    fn walk(&mut self, bytes: &[u8], sink: &mut impl Sink) -> usize {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if let Place::String { alone } = self.place {
                let len = sink.text(rest);
                at += len;
                match rest.get(len) {
                    Some(b'"') => {
                        sink.bytes(b"\"");
                        at += 1;
                        self.last = b'"';
                        self.place =
                            if alone { Place::Apart } else { Place::Behind { blank: false } };
                    }
                    _ => return at,
                }
            } else {
                let len = self.step(rest);
                sink.bytes(rest.get(..len).unwrap_or_default());
                at += len;
            }
        }
        at
    }

    /// Passes some of `rest`, which is not in a string; says how many bytes.
    #[inline]
    fn step(&mut self, rest: &[u8]) -> usize {
        if self.place == Place::Between {
            return self.seek_string(rest);
        }
        if let (Place::Behind { blank: false }, [b',' | b':' | b'}' | b']', ..]) =
            (self.place, rest)
        {
            self.place = Place::Between;
            return self.seek_string(rest);
        }
        if self.place == Place::NotJson {
            return rest.len();
        }
        let blanks = rest.iter().take_while(|byte| self.passes(**byte)).count();
        let Some(next) = rest.get(blanks) else {
            if let (Place::Behind { blank }, true) = (&mut self.place, blanks > 0) {
                *blank = true;
            }
            return blanks;
        };
        self.place = self.place_of(*next, blanks > 0);
        self.last = *next;
        // What says only where we are belongs to the next step.
        let taken = matches!(self.place, Place::Opened | Place::String { .. } | Place::Scalar);
        blanks + usize::from(taken)
    }

    /// Goes on to the next string, and into it.
    #[inline]
    fn seek_string(&mut self, rest: &[u8]) -> usize {
        let quote = find_quote(rest);
        let before = rest.get(..quote.unwrap_or(rest.len())).unwrap_or_default();
        self.note_last(before);
        let Some(len) = quote else { return rest.len() };
        let fits = self.fits();
        self.place = if fits { Place::String { alone: false } } else { Place::NotJson };
        len + usize::from(fits)
    }

    /// Takes note of the last of these bytes that is no blank.
    #[inline]
    fn note_last(&mut self, between: &[u8]) {
        if let Some(byte) = between.iter().rfind(|byte| !is_blank(**byte)) {
            self.last = *byte;
        }
    }

    /// Whether a string may follow the last byte between strings.
    #[inline]
    fn fits(&self) -> bool {
        // Inside of brackets that is one of the first four; the others end a text before this one.
        matches!(self.last, b',' | b':' | b'{' | b'[' | b'}' | b']' | b'"')
    }

    /// Whether a byte changes nothing about the place.
    fn passes(&self, byte: u8) -> bool {
        match self.place {
            // A UTF-8 byte order mark may come first.
            Place::Start => is_blank(byte) || matches!(byte, 0xef | 0xbb | 0xbf),
            Place::Scalar => is_of_scalar(byte),
            Place::Apart => false,
            _ => is_blank(byte),
        }
    }

    /// The place that `next` leads to.
    fn place_of(&self, next: u8, behind_blank: bool) -> Place {
        match (self.place, next) {
            (Place::Start, b'{' | b'[') => Place::Opened,
            (Place::Start, b'"') => Place::String { alone: true },
            (Place::Start, _) if begins_scalar(next) => Place::Scalar,
            (Place::Apart | Place::Scalar, _) if is_blank(next) => Place::Start,
            (Place::Opened, b'"') => Place::String { alone: false },
            (Place::Opened, _) if closes(self.last, next) => Place::Between,
            (Place::Opened, _) if self.last == b'[' && begins_value(next) => Place::Between,
            (Place::Behind { .. }, b',' | b':' | b'}' | b']') => Place::Between,
            (Place::Behind { blank }, _) if (blank || behind_blank) && begins_value(next) => {
                Place::Between
            }
            _ => Place::NotJson,
        }
    }
}

/// What takes the bytes that a walk passes.
trait Sink {
    /// Takes what comes before the first quote or backslash; says how many bytes.
    fn text(&mut self, bytes: &[u8]) -> usize;
    fn bytes(&mut self, bytes: &[u8]);
}

/// Takes them and keeps none: while a piece has no escape, it is its own text.
struct Skip;

impl Sink for Skip {
    #[inline]
    fn text(&mut self, bytes: &[u8]) -> usize {
        find_interruption(bytes).unwrap_or(bytes.len())
    }

    fn bytes(&mut self, _: &[u8]) {}
}

impl Sink for Vec<u8> {
    #[inline]
    fn text(&mut self, bytes: &[u8]) -> usize {
        copy_text(bytes, self)
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Whether a text that begins with `head` begins like JSON; `None` while that takes more bytes.
pub fn looks_like_json(head: &[u8]) -> Option<bool> {
    let mut unescaper = Unescaper::new();
    head.iter().find_map(|byte| {
        unescaper.feed(std::slice::from_ref(byte), &mut Vec::new());
        match unescaper.place {
            Place::Start | Place::Opened | Place::Scalar => None,
            place => Some(place != Place::NotJson),
        }
    })
}

/// White space of JSON, and the record separator of RFC 7464.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x1e)
}

fn begins_scalar(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b't' | b'f' | b'n')
}

fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"') || begins_scalar(byte)
}

/// A byte of a number, or a letter of `true`, `false` or `null`.
fn is_of_scalar(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'E')
        || matches!(byte, b't' | b'r' | b'u' | b'e' | b'f' | b'a' | b'l' | b's' | b'n')
}

fn closes(open: u8, byte: u8) -> bool {
    matches!((open, byte), (b'{', b'}') | (b'[', b']'))
}
