//! One normaliser for text in which something is hidden: escapes decoded, what cannot be seen taken
//! away, letters that only look like ASCII made ASCII.
//!
//! `next_trigger` finds, at little cost, where folding is worth it; a `Folder` then folds the text
//! around that place, one level of it: `%252f` becomes `%2f`, and a second pass makes `/` of that.

mod control;
mod escape;
mod form;
mod letters;
mod markdown;
mod marks;
mod shell;
mod trigger;
mod unseen;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub use form::next_form_trigger;
pub use trigger::next_trigger;

use std::ops::Range;

use self::escape::{Escape, Value};
use self::letters::{Folded, first_char};
use super::lane::{LANE_BYTES, Lane};
use crate::limits::FOLD_CARRY_BYTES;

/// What of a text is looked at to fold one place of it.
const LOOKAHEAD_BYTES: usize = FOLD_CARRY_BYTES + 1;
/// The longest row of letters that is looked through for one of ASCII.
const ROW_MAX_BYTES: usize = LOOKAHEAD_BYTES - 4;

/// Ways in which a text was hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(u16);

impl Kinds {
    pub const PERCENT: Self = Self(1);
    pub const UNICODE: Self = Self(1 << 1);
    pub const HTML: Self = Self(1 << 2);
    pub const INVISIBLE: Self = Self(1 << 3);
    pub const NUL: Self = Self(1 << 4);
    pub const COMPAT: Self = Self(1 << 5);
    pub const HOMOGLYPH: Self = Self(1 << 6);
    pub const SHELL: Self = Self(1 << 7);
    pub const ANSI: Self = Self(1 << 8);
    pub const MARKDOWN: Self = Self(1 << 9);
    pub const FORM: Self = Self(1 << 10);

    const NAMES: [(Self, &str); 11] = [
        (Self::PERCENT, "percent"),
        (Self::UNICODE, "unicode"),
        (Self::HTML, "html"),
        (Self::INVISIBLE, "invisible"),
        (Self::NUL, "nul"),
        (Self::COMPAT, "compat"),
        (Self::HOMOGLYPH, "homoglyph"),
        (Self::SHELL, "shell"),
        (Self::ANSI, "ansi"),
        (Self::MARKDOWN, "markdown"),
        (Self::FORM, "form"),
    ];

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The names of the kinds, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(kind, _)| self.contains(*kind)).map(|(_, name)| name)
    }
}

/// Folds a text that comes in pieces.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    kinds: Kinds,
    carry: [u8; FOLD_CARRY_BYTES],
    carried: usize,
    /// The last bytes that were given out, the very last one lowest.
    recent: u128,
    /// Whether the word so far has letters that are not like any of ASCII.
    is_foreign: bool,
    /// What is left of a word whose quotes and empty parameters go.
    quoted: usize,
    /// Whether a plus that is no escape is a blank.
    is_form: bool,
    /// Whether the last character was one of a hidden text.
    is_hidden: bool,
    /// Whether letters that look like ASCII were seen among those of ASCII: words of nothing else are folded, too.
    is_disguised: bool,
}

/// What follows a row of letters that look like ASCII.
#[derive(PartialEq, Eq)]
enum RowEnd {
    Ascii,
    Foreign,
    Other,
}

impl Folder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a form within a form: a plus is a blank in it.
    pub fn of_form() -> Self {
        Self { is_form: true, ..Self::default() }
    }

    /// Whether a word before decides what it makes of the next, however far behind.
    pub fn is_disguised(&self) -> bool {
        self.is_disguised
    }

    /// What is known of the text from the trigger that it holds at its front, or further behind.
    #[must_use]
    pub fn with_trigger(self, trigger: &[u8]) -> Self {
        let folded = first_char(trigger).map(|(char, _)| letters::fold(char));
        Self { is_disguised: matches!(folded, Some(Folded::Homoglyph(_))), ..self }
    }

    /// Appends what the text says, as far as it can be told without what follows.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut bytes = bytes;
        if self.carried > 0 {
            let mut joined = [0; FOLD_CARRY_BYTES + 2 * LOOKAHEAD_BYTES];
            let carried = self.carried;
            let both = self.carry.iter().take(carried).chain(bytes);
            let len = joined.iter_mut().zip(both).map(|(to, from)| *to = *from).count();
            let joined = joined.get(..len).unwrap_or_default();
            let taken = self.fold(joined, carried, false, out);
            if taken < carried {
                self.keep(joined.get(taken..).unwrap_or_default());
                return;
            }
            self.carried = 0;
            bytes = bytes.get(taken - carried..).unwrap_or_default();
        }
        let taken = self.fold(bytes, bytes.len(), false, out);
        self.keep(bytes.get(taken..).unwrap_or_default());
    }

    /// Appends the rest: no more follows.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let carry = self.carry;
        let rest = carry.get(..self.carried).unwrap_or_default();
        self.fold(rest, rest.len(), true, out);
        self.carried = 0;
    }

    /// Folds all of a text at once, and notes where in it each byte of the outcome comes from.
    pub fn fold_whole(
        mut self,
        text: &[u8],
        out: &mut Vec<u8>,
        from: &mut Vec<Range<usize>>,
    ) -> Kinds {
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let plain = plain_len(rest);
            if plain > 0 {
                self.plain(rest.get(..plain).unwrap_or_default(), out);
                // What parts a hidden word from this one comes from the first byte.
                let added = out.len().saturating_sub(from.len() + plain);
                from.resize(from.len() + added, at..at + 1);
                from.extend((at..at + plain).map(|at| at..at + 1));
                self.quoted = self.quoted.saturating_sub(plain);
                at += plain;
                continue;
            }
            let taken = self.special(rest.get(..LOOKAHEAD_BYTES).unwrap_or(rest), out);
            self.quoted = self.quoted.saturating_sub(taken);
            from.resize(out.len(), at..at + taken);
            at += taken;
        }
        self.kinds
    }

    /// What was hidden in the text so far.
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// As new.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    fn keep(&mut self, rest: &[u8]) {
        self.carried = self.carry.iter_mut().zip(rest).map(|(to, from)| *to = *from).count();
    }

    /// Folds what begins before `end`, and says how far it came.
    fn fold(&mut self, bytes: &[u8], end: usize, is_last: bool, out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while at < end {
            let rest = bytes.get(at..).unwrap_or_default();
            let plain = plain_len(rest);
            if plain > 0 {
                self.plain(rest.get(..plain).unwrap_or_default(), out);
                self.quoted = self.quoted.saturating_sub(plain);
                at += plain;
                continue;
            }
            if !is_last && rest.len() < LOOKAHEAD_BYTES {
                break;
            }
            let rest = rest.get(..LOOKAHEAD_BYTES).unwrap_or(rest);
            let taken = self.special(rest, out);
            self.quoted = self.quoted.saturating_sub(taken);
            at += taken;
        }
        at
    }

    /// Folds the one character or escape that `rest` begins with; at least one byte is taken.
    fn special(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let Some(first) = rest.first().copied() else { return 1 };
        match first {
            b'%' | b'\\' | b'&' => {
                if let Some(escape) = escape::at_start(rest) {
                    return self.unescape(escape, out);
                }
                if first == b'\\' && self.takes_away(rest) {
                    return 1;
                }
                if let Some(len) = markdown::escaped_sign(self.recent as u8, rest) {
                    self.kinds.insert(Kinds::MARKDOWN);
                    self.copy(rest.get(len - 1..len).unwrap_or_default(), out);
                    return len;
                }
            }
            b'\'' | b'"' => {
                if self.takes_away(rest) {
                    return 1;
                }
            }
            b'$' => {
                if let Some(len) = shell::field_separator(self.recent as u8, rest) {
                    self.kinds.insert(Kinds::SHELL);
                    self.copy(b" ", out);
                    return len;
                }
                if self.takes_away(rest) {
                    return shell::vanishing(rest).max(1);
                }
            }
            0 => {
                self.kinds.insert(Kinds::NUL);
                return 1;
            }
            control::ESCAPE => {
                if let Some(sequence) = control::at_start(rest) {
                    self.kinds.insert(Kinds::ANSI);
                    self.copy(if sequence.is_move { b" " } else { b"" }, out);
                    return sequence.len;
                }
            }
            _ => return self.character(rest, out),
        }
        self.copy(&[first], out);
        1
    }

    /// Whether the quote, backslash or parameter here goes, because it hides a command.
    fn takes_away(&mut self, rest: &[u8]) -> bool {
        if self.quoted == 0 && shell::may_hide(rest) {
            let recent = self.recent.to_be_bytes();
            let found =
                shell::word_before(&recent).and_then(|before| shell::hidden_command(before, rest));
            self.quoted = found.unwrap_or(0);
        }
        if self.quoted > 0 {
            self.kinds.insert(Kinds::SHELL);
        }
        self.quoted > 0
    }

    fn unescape(&mut self, escape: Escape, out: &mut Vec<u8>) -> usize {
        self.kinds.insert(escape.kind);
        match escape.value {
            Value::Byte(byte) => self.copy(&[byte], out),
            Value::Char(char) => self.copy(char.encode_utf8(&mut [0; 4]).as_bytes(), out),
        }
        escape.taken
    }

    /// Folds a character that is not of ASCII.
    fn character(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let mut row = letters::ideographs(rest);
        if row == 0 && self.is_foreign {
            row = letters::greek_or_cyrillic(rest);
        }
        if row > 0 {
            self.copy(rest.get(..row).unwrap_or_default(), out);
            self.is_foreign = true;
            return row;
        }
        let Some((char, len)) = first_char(rest) else {
            self.copy(rest.get(..1).unwrap_or_default(), out);
            return 1;
        };
        match letters::fold(char) {
            Folded::Same => {
                self.copy(rest.get(..len).unwrap_or_default(), out);
                self.is_foreign = letters::is_letter(char);
            }
            Folded::Invisible => self.kinds.insert(Kinds::INVISIBLE),
            Folded::Hidden(byte) => {
                self.kinds.insert(Kinds::INVISIBLE);
                self.hidden(byte, rest, out);
            }
            Folded::Blank(byte) => {
                self.kinds.insert(Kinds::COMPAT);
                self.copy(&[byte], out);
            }
            Folded::Compat(ascii) => {
                self.kinds.insert(Kinds::COMPAT);
                self.copy(ascii.as_bytes(), out);
            }
            Folded::Homoglyph(_) if self.is_foreign => {
                self.copy(rest.get(..len).unwrap_or_default(), out);
                self.is_foreign = true;
            }
            Folded::Homoglyph(_) => return self.row(rest, out),
        }
        len
    }

    /// Gives out a hidden character, the first of a text apart from the word before it.
    fn hidden(&mut self, byte: u8, rest: &[u8], out: &mut Vec<u8>) {
        let goes_on = std::mem::take(&mut self.is_hidden);
        if !goes_on && letters::is_hidden_text(rest) {
            self.part(byte, out);
            self.is_hidden = true;
        }
        let is_hidden = self.is_hidden || goes_on;
        self.is_hidden = false;
        self.copy(&[byte], out);
        self.is_hidden = is_hidden;
    }

    /// Puts a blank between two words of which one is hidden.
    fn part(&mut self, next: u8, out: &mut Vec<u8>) {
        let is_word =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'.');
        if is_word(self.recent as u8) && is_word(next) {
            self.copy(b" ", out);
        }
    }

    /// Folds letters that look like ASCII, if they stand in a word with ASCII letters and no others; or in one of their
    /// own, where other words are so disguised.
    fn row(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let mut ascii = [0; ROW_MAX_BYTES];
        let mut places = ascii.iter_mut();
        let (mut taken, mut count) = (0, 0);
        let end = loop {
            let behind = rest.get(taken..).unwrap_or_default();
            let Some((char, len)) = first_char(behind) else { break RowEnd::Other };
            match letters::fold(char) {
                Folded::Homoglyph(letter) if taken + len <= ROW_MAX_BYTES => {
                    let Some(place) = places.next() else { break RowEnd::Other };
                    *place = letter;
                    (taken, count) = (taken + len, count + 1);
                }
                Folded::Same if char.is_ascii_alphabetic() => break RowEnd::Ascii,
                Folded::Same if letters::is_letter(char) => break RowEnd::Foreign,
                _ => break RowEnd::Other,
            }
        };
        let follows = (self.recent as u8).is_ascii_alphabetic();
        let is_mixed = follows || end == RowEnd::Ascii;
        if (is_mixed || self.is_disguised) && end != RowEnd::Foreign {
            self.is_disguised = true;
            self.kinds.insert(Kinds::HOMOGLYPH);
            self.copy(ascii.get(..count).unwrap_or_default(), out);
        } else {
            self.copy(rest.get(..taken).unwrap_or_default(), out);
            self.is_foreign = end == RowEnd::Foreign;
        }
        taken
    }

    /// Gives out bytes that hide nothing, but for the blanks of a form.
    #[inline]
    fn plain(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while self.is_form
            && let Some(plus) = memchr::memchr(b'+', rest)
        {
            self.kinds.insert(Kinds::FORM);
            self.copy(rest.get(..plus).unwrap_or_default(), out);
            self.copy(b" ", out);
            rest = rest.get(plus + 1..).unwrap_or_default();
        }
        self.copy(rest, out);
    }

    /// Gives bytes out as they are.
    #[inline]
    fn copy(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if std::mem::take(&mut self.is_hidden)
            && let Some(next) = bytes.first()
        {
            self.part(*next, out);
        }
        out.extend_from_slice(bytes);
        if let Some(last) = bytes.last_chunk() {
            self.recent = u128::from_be_bytes(*last);
        } else {
            let recent = bytes.iter().fold(self.recent, |all, byte| all << 8 | u128::from(*byte));
            self.recent = recent;
        }
        self.is_foreign = self.is_foreign && bytes.iter().all(u8::is_ascii_alphabetic);
    }
}

/// How many bytes at the start of `text` are none that folding looks at.
fn plain_len(text: &[u8]) -> usize {
    let (blocks, rest) = text.as_chunks::<LANE_BYTES>();
    let mut len = 0;
    for block in blocks {
        let lane = Lane::load(block);
        let quotes = lane.equals(b'"').or(lane.within(b'$', b'\'' - b'$' + 1));
        let escapes = lane.equals(b'\\').or(lane.equals(control::ESCAPE));
        let special = quotes.or(escapes).or(lane.equals(0)).or(lane).mask();
        if special != 0 {
            return len + special.trailing_zeros() as usize;
        }
        len += LANE_BYTES;
    }
    len + rest.iter().take_while(|byte| is_plain(**byte)).count()
}

fn is_plain(byte: u8) -> bool {
    !matches!(byte, 0 | control::ESCAPE | b'"' | b'$'..=b'\'' | b'\\' | 0x80..)
}
