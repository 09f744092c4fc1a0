//! The string leaves of one JSON text, each with the lane that it belongs to.
//!
//! A streamed answer is a row of events, each with a few characters of each text. No format is
//! known here. What belongs together over the events has the same path of keys, the same place in
//! arrays, and the same indices in the objects around it: that is a **lane**. An index may follow
//! the text that it is about, so leaves are held until the text ends, in bounded numbers: past
//! [`JSON_HELD_MAX`] leaves or objects those held so far are given out with the indices seen so
//! far, and the reader says so. Past [`JSON_DEPTH_MAX`] levels, all strings (keys, too) are leaves of the
//! lane of the last level.

use std::fmt;

use super::blocks::find_interruption;
use super::escape::unescape;
use super::lane::{Marks, Names, ROOT, hash, is_metadata, mix};
use crate::limits::{JSON_DEPTH_MAX, JSON_HELD_MAX, JSON_SCRATCH_KEPT_BYTES};

/// One string that is no key.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// The same for what belongs together over successive texts.
    pub lane: u64,
    /// Its text, unescaped.
    pub text: &'a [u8],
    /// The nearest key, as it is written; empty if there is none.
    pub key: &'a [u8],
}

/// How the leaves of a text were assigned to lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    /// With all that their objects say.
    Exact,
    /// There was more than is held: some without the indices that follow them.
    Early,
}

/// What is no JSON from some byte on; what came before was visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotJson {
    /// The text ends too early.
    Cut,
    /// This byte does not belong there.
    Unexpected { at: usize },
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotJson::Cut => write!(f, "the JSON text ends too early"),
            NotJson::Unexpected { at } => write!(f, "byte {at} is not expected in JSON"),
        }
    }
}

impl std::error::Error for NotJson {}

/// Reads texts, one after the other; what it needs for one it keeps for the next.
#[derive(Debug, Default)]
pub struct Reader {
    /// The containers that are open.
    frames: Vec<Frame>,
    /// The objects of the leaves that are held, an outer one before those in it.
    objects: Vec<Object>,
    held: Vec<Held>,
    /// The texts that had an escape.
    unescaped: Vec<u8>,
    /// The names of the texts so far.
    names: Names,
}

/// A place in the text.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: usize,
    len: usize,
}

/// A string as it is written.
struct RawString {
    /// What is between its quotes.
    contents: Span,
    is_closed: bool,
    has_escape: bool,
}

/// A container that is open.
#[derive(Clone, Copy, Debug)]
struct Frame {
    is_array: bool,
    /// Of the nearest object, this one or one around it.
    object: usize,
    /// Of the keys and places down to here.
    path: u64,
    /// In an array, the place of the value that comes next.
    position: u64,
    /// The key of the value that comes next.
    key: Span,
}

/// An object, and what encloses it.
#[derive(Clone, Copy, Debug)]
struct Object {
    outer: usize,
    marks: Marks,
    /// What it and those around it set apart; known when the text ends.
    sum: u64,
}

/// A leaf whose lane is not known yet.
#[derive(Clone, Copy, Debug)]
struct Held {
    object: usize,
    path: u64,
    key: Span,
    text: Span,
    /// The text is among those that had an escape.
    is_unescaped: bool,
}

impl Reader {
    pub fn new() -> Self {
        Self::default()
    }

    /// Visits the string leaves of one complete text, in their order.
    pub fn visit(
        &mut self,
        json: &[u8],
        visit: &mut dyn FnMut(Leaf<'_>),
    ) -> Result<Lanes, NotJson> {
        self.frames.clear();
        self.objects.clear();
        self.objects.push(Object { outer: 0, marks: Marks::default(), sum: ROOT });
        let mut walk = Walk { reader: self, json, at: 0, visit, lanes: Lanes::Exact };
        let outcome = walk.text();
        walk.give_out();
        let lanes = walk.lanes;
        if self.unescaped.capacity() > JSON_SCRATCH_KEPT_BYTES {
            self.unescaped = Vec::new();
        }
        outcome.map(|()| lanes)
    }
}

/// One pass over one text.
struct Walk<'r, 'v> {
    reader: &'r mut Reader,
    json: &'r [u8],
    at: usize,
    visit: &'v mut dyn FnMut(Leaf<'_>),
    lanes: Lanes,
}

impl<'r> Walk<'r, '_> {
    fn text(&mut self) -> Result<(), NotJson> {
        // A UTF-8 byte order mark may come first.
        if self.json.starts_with(&[0xef, 0xbb, 0xbf]) {
            self.at = 3;
        }
        loop {
            match self.next()? {
                b'{' => self.open(false)?,
                b'[' => self.open(true)?,
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => self.scalar()?,
                _ => return Err(self.unexpected()),
            }
            if self.is_over()? {
                return Ok(());
            }
        }
    }

    /// Goes on to the next byte that is no blank.
    #[inline]
    fn next(&mut self) -> Result<u8, NotJson> {
        self.peek().ok_or(NotJson::Cut)
    }

    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.json.get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    fn unexpected(&self) -> NotJson {
        NotJson::Unexpected { at: self.at }
    }

    /// Goes on to the next value, out of what ends here; says whether there is none.
    fn is_over(&mut self) -> Result<bool, NotJson> {
        loop {
            // An empty container, or one that was just opened: its first value comes next.
            let Some(frame) = self.reader.frames.last_mut() else {
                return self.peek().map_or(Ok(true), |_| Err(self.unexpected()));
            };
            let (is_array, is_first) = (frame.is_array, frame.position == 0);
            frame.position += 1;
            match (self.next()?, is_array) {
                (b'}', false) | (b']', true) => {
                    self.at += 1;
                    self.reader.frames.pop();
                }
                (b',', _) if !is_first => {
                    self.at += 1;
                    if !is_array {
                        self.key()?;
                    }
                    return Ok(false);
                }
                (b'"', false) if is_first => {
                    self.key()?;
                    return Ok(false);
                }
                (_, true) if is_first => return Ok(false),
                _ => return Err(self.unexpected()),
            }
        }
    }

    /// Opens a container.
    fn open(&mut self, is_array: bool) -> Result<(), NotJson> {
        if self.reader.frames.len() >= JSON_DEPTH_MAX {
            return self.deep();
        }
        self.at += 1;
        let (object, path, key, place) = self.place();
        let frame = Frame { is_array, object, path, position: 0, key };
        if is_array {
            // The place of an array in an array is a part of the path.
            let path = place.map_or(path, |place| mix(path, place));
            self.reader.frames.push(Frame { path, ..frame });
            return Ok(());
        }
        if self.reader.objects.len() >= JSON_HELD_MAX {
            self.give_out_early();
        }
        let outer = self.place().0;
        let object = self.reader.objects.len();
        self.reader.objects.push(Object { outer, marks: Marks::at(place), sum: 0 });
        self.reader.frames.push(Frame { object, ..frame });
        Ok(())
    }

    /// The nearest object, the path, the key, and the place in an array, of the value that comes next.
    #[inline]
    fn place(&self) -> (usize, u64, Span, Option<u64>) {
        let Some(frame) = self.reader.frames.last() else {
            return (0, ROOT, Span::default(), None);
        };
        // The containers in a text that is one array are the events of a stream.
        let counts = frame.is_array && self.reader.frames.len() > 1;
        // A container's first step past its bracket has counted the first value already.
        let place = counts.then(|| frame.position.saturating_sub(1));
        let path =
            if frame.is_array { frame.path } else { hash(frame.path, self.bytes(frame.key)) };
        (frame.object, path, frame.key, place)
    }

    #[inline]
    fn bytes(&self, span: Span) -> &'r [u8] {
        self.json.get(span.start..span.start + span.len).unwrap_or_default()
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Result<(), NotJson> {
        if self.next()? != b'"' {
            return Err(self.unexpected());
        }
        let RawString { contents, is_closed, .. } = self.raw_string();
        if !is_closed {
            return Err(NotJson::Cut);
        }
        if self.next()? != b':' {
            return Err(self.unexpected());
        }
        self.at += 1;
        let key = self.bytes(contents);
        if let Some(frame) = self.reader.frames.last_mut() {
            frame.key = contents;
            if let Some(object) = self.reader.objects.get_mut(frame.object) {
                object.marks.note_key(key);
            }
        }
        Ok(())
    }

    /// Passes the string that begins here.
    #[inline]
    fn raw_string(&mut self) -> RawString {
        let start = self.at + 1;
        let mut end = start;
        let mut has_escape = false;
        loop {
            let rest = self.json.get(end..).unwrap_or_default();
            let Some(len) = find_interruption(rest) else {
                self.at = self.json.len();
                let contents = Span { start, len: self.at.saturating_sub(start) };
                return RawString { contents, is_closed: false, has_escape };
            };
            end += len;
            if rest.get(len) == Some(&b'"') {
                self.at = end + 1;
                let contents = Span { start, len: end - start };
                return RawString { contents, is_closed: true, has_escape };
            }
            has_escape = true;
            end += 2;
        }
    }

    /// Passes a number or a literal, and notes it if it is an index.
    fn scalar(&mut self) -> Result<(), NotJson> {
        let rest = self.json.get(self.at..).unwrap_or_default();
        let is_of_it =
            |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'.' | b'-' | b'+' | b'E');
        let len = rest.iter().position(|byte| !is_of_it(byte)).unwrap_or(rest.len());
        let (scalar, _) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        let is_literal = matches!(scalar, b"true" | b"false" | b"null");
        let is_number = matches!(scalar, [b'-' | b'0'..=b'9', ..])
            && scalar.iter().all(|byte| !byte.is_ascii_alphabetic() || matches!(byte, b'e' | b'E'));
        if !is_literal && !is_number {
            return Err(self.unexpected());
        }
        self.at += len;
        let Some(frame) = self.reader.frames.last() else { return Ok(()) };
        if is_number && !frame.is_array {
            let (key, object) = (self.bytes(frame.key), frame.object);
            if let Some(object) = self.reader.objects.get_mut(object) {
                object.marks.note_number(key, scalar);
            }
        }
        Ok(())
    }

    /// Reads a string that is a value.
    fn string(&mut self) -> Result<(), NotJson> {
        if self.reader.held.len() >= JSON_HELD_MAX {
            self.give_out_early();
        }
        let RawString { contents, is_closed, has_escape } = self.raw_string();
        let (object, path, key, place) = self.place();
        let name = self.bytes(key);
        if is_metadata(name) {
            let in_object = self.reader.frames.last().is_some_and(|frame| !frame.is_array);
            let text = self.bytes(contents);
            if let (true, Some(object)) = (in_object, self.reader.objects.get_mut(object)) {
                object.marks.note_string(name, text);
            }
        } else if contents.len > 0 {
            // Of such a text each string says what its place says: `["stdout","…"]`.
            let frame = self.reader.frames.last().filter(|frame| frame.is_array);
            let place = place.or_else(|| frame.map(|frame| frame.position.saturating_sub(1)));
            let path = place.map_or(path, |place| mix(path, place));
            let text = if has_escape { self.unescape(contents) } else { contents };
            self.reader.held.push(Held { object, path, key, text, is_unescaped: has_escape });
        }
        if is_closed { Ok(()) } else { Err(NotJson::Cut) }
    }

    /// The text of a string with escapes.
    fn unescape(&mut self, span: Span) -> Span {
        let text = self.bytes(span);
        let out = &mut self.reader.unescaped;
        let start = out.len();
        unescape(text, out);
        Span { start, len: out.len() - start }
    }

    /// Passes a container that is too deep to be followed: all its strings are leaves of one lane.
    fn deep(&mut self) -> Result<(), NotJson> {
        let mut depth = 0_usize;
        loop {
            match self.next()? {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b'"' => {
                    self.string()?;
                    continue;
                }
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Gives out what is held, with what the open objects have said so far.
    #[cold]
    fn give_out_early(&mut self) {
        self.lanes = Lanes::Early;
        self.give_out();
        let mut kept = 0;
        let mut last = 0;
        for frame in &mut self.reader.frames {
            if frame.object != last {
                last = frame.object;
                let Some(mut object) = self.reader.objects.get(last).copied() else { continue };
                object.outer = kept;
                kept += 1;
                if let Some(place) = self.reader.objects.get_mut(kept) {
                    *place = object;
                }
            }
            frame.object = kept;
        }
        self.reader.objects.truncate(kept + 1);
    }

    /// Gives out what is held.
    fn give_out(&mut self) {
        let is_event = self.json.trim_ascii_start().starts_with(b"{");
        let Reader { objects, held, unescaped, names, .. } = &mut *self.reader;
        for at in 1..objects.len() {
            let outer = objects.get(at).and_then(|object| objects.get(object.outer));
            let outer = outer.map_or(ROOT, |outer| outer.sum);
            if let Some(object) = objects.get_mut(at) {
                object.sum = object.marks.within(outer);
                if object.outer == 0 {
                    let names = (is_event && at == 1).then_some(&mut *names);
                    object.sum = object.marks.of_outermost(object.sum, names);
                }
            }
        }
        for leaf in held.drain(..) {
            let from = if leaf.is_unescaped { &**unescaped } else { self.json };
            let text = from.get(leaf.text.start..leaf.text.start + leaf.text.len);
            let key = self.json.get(leaf.key.start..leaf.key.start + leaf.key.len);
            let sum = objects.get(leaf.object).map_or(ROOT, |object| object.sum);
            (self.visit)(Leaf {
                lane: mix(leaf.path, sum),
                text: text.unwrap_or_default(),
                key: key.unwrap_or_default(),
            });
        }
        unescaped.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_past_the_bound_is_given_back() {
        let mut reader = Reader::new();
        let kept = |reader: &mut Reader, len: usize| {
            let json = format!("[\"\\n{}\"]", "x".repeat(len - 1));
            reader.visit(json.as_bytes(), &mut |leaf| assert_eq!(leaf.text.len(), len)).unwrap();
            reader.unescaped.capacity()
        };
        reader.unescaped = Vec::with_capacity(JSON_SCRATCH_KEPT_BYTES);
        assert_eq!(kept(&mut reader, 1000), JSON_SCRATCH_KEPT_BYTES);
        assert_eq!(kept(&mut reader, JSON_SCRATCH_KEPT_BYTES + 1), 0);
    }
}
