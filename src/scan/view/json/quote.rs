//! The quotes of strings that stand in strings: each level of JSON escapes those of the one within.

/// How a string begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) byte: u8,
    /// The backslashes in front of it: none, one, or three for JSON in JSON in JSON.
    pub(super) escapes: usize,
}

impl Default for Quote {
    fn default() -> Quote {
        Quote { byte: b'"', escapes: 0 }
    }
}

impl Quote {
    /// The one at `at`.
    pub(super) fn at(text: &[u8], at: usize) -> Option<Quote> {
        let rest = text.get(at..)?;
        let escapes = rest.iter().take(4).take_while(|byte| **byte == b'\\').count();
        match (*rest.get(escapes)?, escapes) {
            (byte @ b'"', 0 | 1 | 3) | (byte @ b'\'', 0) => Some(Quote { byte, escapes }),
            _ => None,
        }
    }

    /// The one of the string that the JSON is in whose strings it begins.
    pub(super) fn outer(self) -> Option<Quote> {
        match (self.byte, self.escapes) {
            (b'"', escapes @ (1 | 3)) => Some(Quote { escapes: escapes / 2, ..self }),
            _ => None,
        }
    }

    /// Its bytes.
    pub(super) fn len(self) -> usize {
        self.escapes + 1
    }

    /// Whether one behind so many backslashes ends the string: the others stand for some in it.
    pub(super) fn ends_behind(self, escapes: usize) -> bool {
        match self.byte {
            b'"' => escapes % (2 * self.len()) == self.escapes,
            _ => escapes == 0,
        }
    }

    /// How often what is in it is to be unescaped beyond the first time.
    pub(super) fn inner_levels(self) -> usize {
        match (self.byte, self.escapes) {
            (b'"', 0) => 0,
            (b'"', 1) | (_, 0) => 1,
            _ => 2,
        }
    }

    /// What is before the one that `text` ends with.
    pub(super) fn before(self, text: &[u8]) -> Option<&[u8]> {
        let text = text.strip_suffix(&[self.byte])?;
        text.strip_suffix(b"\\\\\\".get(..self.escapes)?)
    }
}

/// Where blanks from `at` on end, those that are escaped included.
pub(super) fn behind_blanks(text: &[u8], at: usize) -> usize {
    let mut rest = text.get(at..).unwrap_or_default().trim_ascii_start();
    while let [b'\\', b'n' | b'r' | b't', behind @ ..]
    | [b'\\', b'\\', b'n' | b'r' | b't', behind @ ..] = rest
    {
        rest = behind.trim_ascii_start();
    }
    text.len().max(at) - rest.len()
}

/// `text` without the blanks at its end, those that are escaped included.
pub(super) fn before_blanks(text: &[u8]) -> &[u8] {
    let mut text = text.trim_ascii_end();
    while let [before @ .., b'\\', b'n' | b'r' | b't'] = text {
        text = before.strip_suffix(b"\\").unwrap_or(before).trim_ascii_end();
    }
    text
}
