//! A stream that is one JSON array of events, taken apart into its elements.

use super::blocks::find_interruption;
use super::payload::Payload;

/// Splits `[{…}, {…}]` into its elements, each given out on the read that ends it.
///
/// It counts brackets and knows strings, nothing more. A value that is in no array is given out
/// as it is, so values in a row are split as well.
#[derive(Debug, Default)]
pub struct ArraySplitter {
    /// The text is an array, and this is inside of it.
    in_array: bool,
    /// Brackets that are open in the element.
    depth: u32,
    place: Place,
    payload: Payload,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Between elements.
    #[default]
    Between,
    /// In an element, or in a number or a literal that is one.
    Element,
    /// In a string.
    String,
    /// In a string, behind a backslash.
    Escape,
}

impl ArraySplitter {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes, and gives out each element that they end.
    pub fn feed(&mut self, bytes: &[u8], payload: &mut dyn FnMut(&[u8])) {
        // Where the element begins of which nothing is kept yet.
        let mut start = 0;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let first = rest.first().copied().unwrap_or_default();
            match self.place {
                Place::Between => {
                    start = at;
                    at += self.begin(first);
                }
                Place::String => {
                    let len = find_interruption(rest);
                    at += len.map_or(rest.len(), |len| len + 1);
                    let byte = len.and_then(|len| rest.get(len));
                    match byte {
                        Some(b'"') => self.place = Place::Element,
                        Some(_) => self.place = Place::Escape,
                        None => {}
                    }
                    if byte == Some(&b'"') && self.depth == 0 {
                        self.end(bytes.get(start..at), payload);
                    }
                }
                Place::Escape => {
                    self.place = Place::String;
                    at += 1;
                }
                Place::Element => match self.step(rest) {
                    Step::Inside(len) => at += len,
                    Step::Over(len) => {
                        at += len;
                        self.end(bytes.get(start..at), payload);
                    }
                },
            }
        }
        if self.place != Place::Between {
            self.payload.push(bytes.get(start..).unwrap_or_default());
        }
    }

    /// Gives out what the end of the stream cuts. The splitter is then as new.
    pub fn finish(&mut self, payload: &mut dyn FnMut(&[u8])) {
        self.payload.end(&[], payload);
        *self = Self { payload: std::mem::take(&mut self.payload), ..Self::default() };
    }

    /// The bytes of elements that were too long to be given out, since the last call.
    pub fn skipped_bytes(&mut self) -> u64 {
        self.payload.take_skipped()
    }

    /// Takes a byte between elements, if it is no element's first.
    fn begin(&mut self, first: u8) -> usize {
        match first {
            b'[' if !self.in_array => self.in_array = true,
            b']' => self.in_array = false,
            b' ' | b'\n' | b'\r' | b'\t' | b',' | b'}' => {}
            // A record separator, and a UTF-8 byte order mark.
            0x1e | 0xef | 0xbb | 0xbf => {}
            _ => {
                self.place = Place::Element;
                return 0;
            }
        }
        1
    }

    /// Passes bytes of an element that are in no string.
    fn step(&mut self, rest: &[u8]) -> Step {
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b'"' => {
                    self.place = Place::String;
                    return Step::Inside(at + 1);
                }
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' if self.depth > 1 => self.depth -= 1,
                b'}' | b']' if self.depth == 1 => return Step::Over(at + 1),
                b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' if self.depth == 0 => {
                    return Step::Over(at);
                }
                _ => {}
            }
        }
        Step::Inside(rest.len())
    }

    fn end(&mut self, last: Option<&[u8]>, payload: &mut dyn FnMut(&[u8])) {
        self.place = Place::Between;
        self.depth = 0;
        self.payload.end(last.unwrap_or_default(), payload);
    }
}

/// How far an element goes in some bytes.
enum Step {
    /// So many are in it, and it is not over.
    Inside(usize),
    /// It is over behind so many.
    Over(usize),
}
