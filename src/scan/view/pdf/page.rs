//! What the content of a page shows: the strings of its text operators, one behind the other, as bytes of a font
//! whose codes are those of Latin text.

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
            b"Td" | b"TD" | b"T*" | b"Tm" | b"'" | b"\"" => {
                self.part(out);
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
            _ => false,
        };
        self.word.clear();
        if is_end {
            self.in_array = false;
            self.part(out);
        }
        is_end
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
        self.is_apart = is_blank(byte);
        out.push(byte);
    }

    /// What follows stands apart from what was said.
    fn part(&mut self, out: &mut Vec<u8>) {
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
