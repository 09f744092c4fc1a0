//! What the content of a page shows: the strings of its text operators, one behind the other, as bytes of a font
//! whose codes are those of Latin text; at the end of the document also as those of fonts that have others (`glyphs`).

use super::glyphs::{Glyphs, Moved, Reading};
use crate::limits::{PDF_KERNING_BLANK_MIN, PDF_WORD_MAX_BYTES};

/// Reads content streams (ISO 32000-1, 9.4).
#[derive(Debug, Default)]
pub struct PageText {
    state: State,
    /// The word under way: an operator, or a number.
    word: Vec<u8>,
    /// Within the brackets of strings and what moves them.
    in_array: bool,
    /// What was said last is a blank, or nothing was said.
    is_apart: bool,
    /// The last numbers before an operator, and the font's size.
    numbers: [f32; 6],
    size: f32,
    /// Where the text matrix stands, and how it scales.
    matrix: [f32; 6],
    /// How many bytes were shown since it moved.
    shown: usize,
    next: Next,
    /// The name before an operator.
    name: Vec<u8>,
    glyphs: Glyphs,
}

/// How what is shown next joins what was: writers that place each glyph move by its width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Follows,
    /// It may go on if it is one glyph as well.
    Undecided,
    /// That one so far.
    Held(u8),
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// What is no text.
    #[default]
    Outside,
    /// Operators, numbers and names of a text object.
    Operators,
    /// A string in so many parentheses.
    Literal {
        depth: u32,
    },
    /// Behind a backslash.
    Escape {
        depth: u32,
    },
    /// In the octal digits of one byte, so many of which are to come.
    Octal {
        depth: u32,
        value: u8,
        missing: u8,
    },
    /// Behind an angle bracket: a string in hex, unless another follows.
    Angle,
    Hex {
        high: Option<u8>,
    },
}

impl PageText {
    pub fn new() -> PageText {
        PageText { is_apart: true, ..PageText::default() }
    }

    /// Appends what the next bytes of a stream show.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.glyphs.stream(bytes);
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.state == State::Outside && self.word.is_empty() {
                // Most streams are no pages.
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(found) = memchr::memchr(b'B', rest) else { return };
                at += found + 1;
                self.word.push(b'B');
                continue;
            }
            at += 1;
            self.step(*byte, out);
        }
    }

    /// The end of a stream.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        self.state = State::Outside;
        self.word.clear();
        self.in_array = false;
        self.part(out);
        self.glyphs.end_stream();
    }

    /// At the end of the document: what all its pages show in fonts with codes of their own, in each way that it may be
    /// read.
    pub fn readings(&self) -> impl Iterator<Item = Reading<'_>> {
        self.glyphs.readings()
    }

    /// How many bytes of such fonts there was no room for.
    pub fn lost_bytes(&self) -> usize {
        self.glyphs.lost()
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.state = match self.state {
            State::Outside => self.outside(byte),
            State::Operators => self.operator(byte, out),
            State::Literal { depth } => self.literal(depth, byte, out),
            State::Escape { depth } => self.escape(depth, byte, out),
            State::Octal { depth, value, missing } => match byte {
                b'0'..=b'7' if missing > 0 => State::Octal {
                    depth,
                    value: value.wrapping_mul(8).wrapping_add(byte & 7),
                    missing: missing - 1,
                },
                _ => {
                    self.say(value, out);
                    self.literal(depth, byte, out)
                }
            },
            // A dictionary of marked content: what it holds is read like all else.
            State::Angle if byte == b'<' => State::Operators,
            State::Angle => self.hex(None, byte, out),
            State::Hex { high } => self.hex(high, byte, out),
        };
    }

    /// Looks for `BT`.
    fn outside(&mut self, byte: u8) -> State {
        let is_begun = self.word == b"BT" && is_blank(byte);
        match byte {
            _ if is_begun => {}
            b'T' if self.word == b"B" => {
                self.word.push(byte);
                return State::Outside;
            }
            _ => {
                self.word.clear();
                if byte == b'B' {
                    self.word.push(byte);
                }
                return State::Outside;
            }
        }
        self.word.clear();
        State::Operators
    }

    fn operator(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        match byte {
            b'(' | b'<' | b'[' | b']' | b'>' | b'/' => {}
            _ if is_blank(byte) => {}
            // What is no text object has others.
            0..=b' ' | 0x7F => {
                self.word.clear();
                return State::Outside;
            }
            _ => {
                if self.word.len() < PDF_WORD_MAX_BYTES {
                    self.word.push(byte);
                }
                return State::Operators;
            }
        }
        if self.end_word(out) {
            return State::Outside;
        }
        match byte {
            b'(' => State::Literal { depth: 1 },
            b'<' => State::Angle,
            b'[' | b']' => {
                self.in_array = byte == b'[';
                State::Operators
            }
            b'/' => {
                self.word.push(byte);
                State::Operators
            }
            _ => State::Operators,
        }
    }

    /// The end of an operator or a number; whether it ends the text.
    fn end_word(&mut self, out: &mut Vec<u8>) -> bool {
        let is_end = match self.word.as_slice() {
            b"ET" => true,
            b"Td" | b"TD" => {
                let [.., right, up] = self.numbers;
                self.move_by(right, up, out);
                false
            }
            b"Tm" => {
                self.move_to(self.numbers, out);
                false
            }
            b"T*" | b"'" | b"\"" => {
                self.part(out);
                self.shown = 0;
                false
            }
            b"Tf" => {
                let [.., size] = self.numbers;
                self.size = size;
                self.glyphs.font(&self.name);
                false
            }
            [b'-', digits @ ..] if self.in_array => {
                let whole = digits.iter().take_while(|digit| digit.is_ascii_digit());
                let moved = whole.fold(0_u32, |sum, digit| {
                    sum.saturating_mul(10).saturating_add(u32::from(digit & 0xF))
                });
                if moved >= PDF_KERNING_BLANK_MIN {
                    self.part(out);
                }
                false
            }
            [b'/', name @ ..] => {
                self.name = name.to_vec();
                false
            }
            word => {
                let number = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
                self.note_number(number);
                false
            }
        };
        self.word.clear();
        if is_end {
            self.in_array = false;
            self.part(out);
        }
        is_end
    }

    /// Keeps what may be an operand of the operator that follows.
    fn note_number(&mut self, number: Option<f32>) {
        if let Some(number) = number {
            self.numbers.rotate_left(1);
            if let Some(last) = self.numbers.last_mut() {
                *last = number;
            }
        }
    }

    fn literal(&mut self, depth: u32, byte: u8, out: &mut Vec<u8>) -> State {
        match byte {
            b'\\' => return State::Escape { depth },
            b')' if depth <= 1 => return State::Operators,
            b'(' => {
                self.say(byte, out);
                return State::Literal { depth: depth.saturating_add(1) };
            }
            b')' => {
                self.say(byte, out);
                return State::Literal { depth: depth - 1 };
            }
            _ => self.say(byte, out),
        }
        State::Literal { depth }
    }

    fn escape(&mut self, depth: u32, byte: u8, out: &mut Vec<u8>) -> State {
        match byte {
            b'0'..=b'7' => return State::Octal { depth, value: byte & 7, missing: 2 },
            b'n' => self.say(b'\n', out),
            b'r' => self.say(b'\r', out),
            b't' => self.say(b'\t', out),
            b'b' | b'f' => self.say(b' ', out),
            // The line goes on.
            b'\n' | b'\r' => {}
            _ => self.say(byte, out),
        }
        State::Literal { depth }
    }

    fn hex(&mut self, high: Option<u8>, byte: u8, out: &mut Vec<u8>) -> State {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ if is_blank(byte) => return State::Hex { high },
            // A last digit alone is followed by a zero.
            _ => {
                if let Some(high) = high {
                    self.say(high << 4, out);
                }
                return State::Operators;
            }
        };
        match high {
            None => State::Hex { high: Some(digit) },
            Some(high) => {
                self.say(high << 4 | digit, out);
                State::Hex { high: None }
            }
        }
    }

    fn say(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.glyphs.show(byte);
        self.shown = self.shown.saturating_add(1);
        match self.next {
            Next::Follows => self.put(byte, out),
            Next::Undecided => self.next = Next::Held(byte),
            Next::Held(first) => {
                self.next = Next::Follows;
                self.blank(out);
                self.put(first, out);
                self.put(byte, out);
            }
        }
    }

    fn put(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.is_apart = is_blank(byte);
        out.push(byte);
    }

    /// What was shown since the last move is one glyph, if it is held still.
    fn settle(&mut self, out: &mut Vec<u8>) {
        if let Next::Held(glyph) = std::mem::take(&mut self.next) {
            self.put(glyph, out);
        }
    }

    /// Moves to what is shown next, so far to the right, and up.
    fn move_by(&mut self, right: f32, up: f32, out: &mut Vec<u8>) {
        self.settle(out);
        let is_by_glyph = up == 0.0 && right > 0.0 && right <= self.size;
        self.glyphs.moved(if is_by_glyph { Moved::ByGlyph } else { Moved::Apart });
        if is_by_glyph && self.shown == 1 {
            self.next = Next::Undecided;
        } else {
            self.blank(out);
        }
        self.shown = 0;
    }

    /// Sets the text matrix, of which the last move may have been by one glyph.
    fn move_to(&mut self, matrix: [f32; 6], out: &mut Vec<u8>) {
        let [scale, .., x, y] = matrix;
        let [scale_before, .., x_before, y_before] = std::mem::replace(&mut self.matrix, matrix);
        let is_alike = scale == scale_before && scale > 0.0;
        let right = if is_alike { (x - x_before) / scale } else { f32::MAX };
        self.move_by(right, y - y_before, out);
    }

    /// What follows stands apart from what was said.
    fn part(&mut self, out: &mut Vec<u8>) {
        self.settle(out);
        self.glyphs.moved(Moved::Apart);
        self.blank(out);
    }

    fn blank(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_apart, true) {
            out.push(b' ');
        }
    }
}

/// What parts words in PDF, but for NUL.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0xC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(content: &str, size: usize) -> String {
        let (mut page, mut out) = (PageText::new(), Vec::new());
        content.as_bytes().chunks(size).for_each(|piece| page.feed(piece, &mut out));
        page.end(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn strings_are_joined_and_what_moves_far_parts_them() {
        for (content, expected) in [
            ("BT /F1 12 Tf 72 720 Td (Hello) Tj ET", "Hello "),
            (
                "BT /F1 12 Tf (r) Tj 4 0 Td (m) Tj 9 0 Td ( ) Tj 3 0 Td (-) Tj 5 0 Td (r) Tj ET",
                "rm -r ",
            ),
            (
                "BT /F1 9 Tf 1 0 0 1 5 7 Tm (r) Tj 1 0 0 1 9 7 Tm (m) Tj 1 0 0 1 22 7 Tm (x) Tj ET",
                "rm x ",
            ),
            (
                "BT /F1 12 Tf (a) Tj 10 0 Td (word) Tj 30 0 Td (b) Tj 0 -9 Td (c) Tj ET",
                "a word b c ",
            ),
            ("q BT\n[(He) 20 (l) -30.5 (lo) -250 (there)] TJ\nET Q", "Hello there "),
            ("BT (one) Tj 0 -14 Td (two) Tj T* (three) Tj (!) ' ET", "one two three! "),
            ("BT (a \\(b\\) (c) \\101\\102x\\0601 \\\\ \\\n-) Tj ET", "a (b) (c) ABx01 \\ - "),
            ("BT <48 656C6c6F> Tj <4> Tj ET", "Hello@ "),
            ("BT /Span <</ActualText (x)>> BDC (y) Tj EMC ET", "xy "),
            ("(no) Tj BTX (no) Tj BT(no) /BT/x", ""),
            ("BT (a) Tj ET (no) Tj BT (b) Tj ET", "a b "),
        ] {
            for size in [1, 2, 3, 100] {
                assert_eq!(shown(content, size), expected, "{content} by {size}");
            }
        }
    }

    #[test]
    fn what_is_no_page_shows_little() {
        assert_eq!(shown("xBT \u{1}\u{2}(abc) Tj", 5), "");
        assert_eq!(shown(&"(".repeat(5000), 64), "");
    }
}
