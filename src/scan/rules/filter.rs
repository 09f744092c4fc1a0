//! An expression in Hyperscan's words: bytes, classes, repetitions, and the conditions that it has.

use std::fmt::Write;

use regex_syntax::hir::{Capture, Class, ClassBytes, ClassUnicode, Hir, HirKind, Look, Repetition};
use regex_syntax::utf8::Utf8Sequences;

use super::marks::is_common;

/// An expression for the engine.
pub(super) struct Printed {
    pub(super) text: String,
    /// Whether it matches only where the original does.
    pub(super) is_exact: bool,
}

/// Stand beside each byte of a group of common words. The engine looks for rows of bytes of which each is one of few, and so
/// takes its rows from the rest of the expression. No text holds these, and the exact search passes them over.
const VEIL: (u8, u8) = (0x01, 0x08);

/// Prints an expression; an error says what the engine has no word for.
pub(super) fn print(hir: &Hir) -> Result<Printed, String> {
    let mut printer = Printer { text: String::new(), is_exact: true, is_veiled: false };
    printer.print(hir)?;
    Ok(Printed { text: printer.text, is_exact: printer.is_exact })
}

struct Printer {
    text: String,
    is_exact: bool,
    /// Whether what is printed is of a group of common words.
    is_veiled: bool,
}

impl Printer {
    fn print(&mut self, hir: &Hir) -> Result<(), String> {
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Literal(literal) if self.is_veiled => {
                literal.0.iter().for_each(|byte| self.set(&[(*byte, *byte)]));
            }
            HirKind::Literal(literal) => literal.0.iter().for_each(|byte| self.byte(*byte)),
            HirKind::Class(Class::Bytes(class)) => self.class(class)?,
            HirKind::Class(Class::Unicode(class)) => self.characters(class)?,
            HirKind::Look(look) => self.look(*look),
            HirKind::Repetition(repeat) => self.repetition(repeat)?,
            HirKind::Capture(capture) => self.group(capture)?,
            HirKind::Concat(parts) => parts.iter().try_for_each(|part| self.print(part))?,
            HirKind::Alternation(branches) => self.alternation(branches)?,
        }
        Ok(())
    }

    fn group(&mut self, group: &Capture) -> Result<(), String> {
        let is_common = is_common(group);
        let before = self.is_veiled;
        self.is_veiled |= is_common;
        self.is_exact &= !is_common;
        let printed = self.print(&group.sub);
        self.is_veiled = before;
        printed
    }

    fn alternation(&mut self, branches: &[Hir]) -> Result<(), String> {
        self.text.push_str("(?:");
        for (number, branch) in branches.iter().enumerate() {
            if number > 0 {
                self.text.push('|');
            }
            self.print(branch)?;
        }
        self.text.push(')');
        Ok(())
    }

    fn repetition(&mut self, repeat: &Repetition) -> Result<(), String> {
        if repeat.sub.properties().maximum_len() == Some(0) {
            // A condition, repeated: it holds once or not at all.
            self.is_exact &= repeat.min > 0;
            return if repeat.min > 0 { self.print(&repeat.sub) } else { Ok(()) };
        }
        match repeat.sub.kind() {
            HirKind::Class(Class::Bytes(_)) => self.print(&repeat.sub)?,
            HirKind::Literal(literal) if literal.0.len() == 1 => self.print(&repeat.sub)?,
            _ => {
                self.text.push_str("(?:");
                self.print(&repeat.sub)?;
                self.text.push(')');
            }
        }
        // Writing into a String cannot fail.
        let _ = match (repeat.min, repeat.max) {
            (0, None) => write!(self.text, "*"),
            (1, None) => write!(self.text, "+"),
            (0, Some(1)) => write!(self.text, "?"),
            (min, None) => write!(self.text, "{{{min},}}"),
            (min, Some(max)) if min == max => write!(self.text, "{{{min}}}"),
            (min, Some(max)) => write!(self.text, "{{{min},{max}}}"),
        };
        Ok(())
    }

    fn byte(&mut self, byte: u8) {
        if byte.is_ascii_alphanumeric() {
            self.text.push(char::from(byte));
        } else {
            let _ = write!(self.text, "\\x{byte:02x}");
        }
    }

    fn range(&mut self, start: u8, end: u8) {
        self.byte(start);
        if start < end {
            self.text.push('-');
            self.byte(end);
        }
    }

    fn class(&mut self, class: &ClassBytes) -> Result<(), String> {
        if class.ranges().is_empty() {
            return Err("it holds a class without a byte".to_owned());
        }
        let ranges: Vec<_> = class.iter().map(|range| (range.start(), range.end())).collect();
        self.set(&ranges);
        Ok(())
    }

    fn set(&mut self, ranges: &[(u8, u8)]) {
        self.text.push('[');
        let veil = self.is_veiled.then_some(VEIL);
        ranges.iter().copied().chain(veil).for_each(|(start, end)| self.range(start, end));
        self.text.push(']');
    }

    /// Characters as the bytes of their UTF-8.
    fn characters(&mut self, class: &ClassUnicode) -> Result<(), String> {
        if class.ranges().is_empty() {
            return Err("it holds a class without a character".to_owned());
        }
        self.text.push_str("(?:");
        let sequences =
            class.iter().flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
        for (number, sequence) in sequences.enumerate() {
            if number > 0 {
                self.text.push('|');
            }
            for range in sequence.as_slice() {
                self.text.push('[');
                self.range(range.start, range.end);
                self.text.push(']');
            }
        }
        self.text.push(')');
        Ok(())
    }

    /// A condition, or a laxer one, or none.
    fn look(&mut self, look: Look) {
        let (word, is_exact) = match look {
            Look::Start => ("^", true),
            Look::End => ("\\z", true),
            Look::StartLF => ("(?m:^)", true),
            Look::EndLF => ("(?m:$)", true),
            Look::WordAscii => ("\\b", true),
            Look::WordAsciiNegate => ("\\B", true),
            Look::WordStartAscii | Look::WordEndAscii => ("\\b", false),
            Look::StartCRLF
            | Look::EndCRLF
            | Look::WordUnicode
            | Look::WordUnicodeNegate
            | Look::WordStartUnicode
            | Look::WordEndUnicode
            | Look::WordStartHalfAscii
            | Look::WordEndHalfAscii
            | Look::WordStartHalfUnicode
            | Look::WordEndHalfUnicode => ("", false),
        };
        self.text.push_str(word);
        self.is_exact &= is_exact;
    }
}
