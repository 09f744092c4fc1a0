//! Characters that cannot be seen: where among letters and signs of ASCII they hide something.

use super::escape::{Escape, Value};
use super::letters::{Folded, first_char, fold};
use super::trigger::{Neighbour, ROW_MAX_CHARS, char_start};

/// Whether an escape stands for what cannot be seen, and parts a word or a command: `r&#8203;m`.
pub(super) fn parts_word(text: &[u8], at: usize, escape: &Escape) -> bool {
    let Value::Char(char) = escape.value else { return false };
    let behind = Neighbour::behind(text, at + escape.taken);
    matches!(fold(char), Folded::Invisible)
        && Neighbour::before(text, at).byte.is_ascii_alphanumeric()
        && (behind.byte.is_ascii_alphanumeric() || behind.is_sign || behind.byte == b'&')
}

/// Whether the invisible characters here stand between two of ASCII, one of them a letter, a digit or a sign of
/// commands and keys.
pub(super) fn is_inside_ascii(text: &[u8], start: usize, char: char) -> bool {
    let is_unseen = |char| matches!(fold(char), Folded::Invisible);
    let unseen_at =
        |at: usize| text.get(at..).and_then(first_char).is_some_and(|(char, _)| is_unseen(char));
    // The first and the last of a row decide for all of it.
    let is_behind = start.checked_sub(1).and_then(|at| char_start(text, at)).is_some_and(unseen_at);
    if is_behind && unseen_at(start + char.len_utf8()) {
        return false;
    }
    let mut first = start;
    for _ in 0..ROW_MAX_CHARS {
        let Some(at) = first.checked_sub(1).and_then(|at| char_start(text, at)) else { break };
        let found = text.get(at..).and_then(first_char);
        if !found.is_some_and(|(char, _)| is_unseen(char)) {
            break;
        }
        first = at;
    }
    let mut end = start + char.len_utf8();
    for _ in 0..ROW_MAX_CHARS {
        match text.get(end..).and_then(first_char) {
            Some((char, len)) if is_unseen(char) => end += len,
            _ => break,
        }
    }
    let (before, behind) = (Neighbour::before(text, first), Neighbour::behind(text, end));
    let is_part = |near: &Neighbour| {
        near.byte.is_ascii_alphanumeric() || near.is_sign || matches!(near.byte, b'"' | b'\'')
    };
    before.byte.is_ascii() && behind.byte.is_ascii() && (is_part(&before) || is_part(&behind))
}

/// Whether hidden characters follow each other here, other than those of a flag.
pub(super) fn is_hidden_text(text: &[u8], start: usize) -> bool {
    const FLAG: &[u8] = "\u{1F3F4}".as_bytes();
    const HIDDEN_BYTES: usize = 4;
    let hidden = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        matches!(rest, [0xF3, 0xA0, 0x80 | 0x81 | 0x84 | 0x85, _, ..])
    };
    if !hidden(start + HIDDEN_BYTES) {
        return false;
    }
    let mut first = start;
    // A flag has five signs or six behind it.
    for _ in 0..6 {
        let Some(before) = first.checked_sub(HIDDEN_BYTES) else { return true };
        if text.get(before..first) == Some(FLAG) {
            return false;
        }
        if !hidden(before) {
            return true;
        }
        first = before;
    }
    true
}
