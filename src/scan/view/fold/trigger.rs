//! Where folding is worth a second look, found in one cheap pass.
//!
//! Every 64 bytes are asked at once for what an escape, a hidden character or a quote trick begins
//! with. The few places that are left are looked at one by one. In text of other scripts only places
//! count where a letter or a sign of ASCII is the neighbour: Russian, Greek or Chinese alone is quiet.

use fearless_simd::{Simd, dispatch};

use super::escape::ENTITY_NAME_MAX;
use super::letters::{Ascii, Folded, first_char, fold, is_letter as is_word_letter};
use super::marks::{Before, Marks};
use super::unseen::{is_hidden_text, is_inside_ascii, parts_word};
use super::{control, escape, markdown, shell};
use crate::scan::view::chunk::{CHUNK_BYTES, Chunk, last_chunk, level};

/// How far invisible characters and rows of letters are followed.
pub(super) const ROW_MAX_CHARS: usize = 32;

/// The first place from `from` on at which folding changes something worth a second look.
///
/// It looks at up to 31 bytes behind the place: who cuts a stream gives the last 31 bytes of one piece
/// again with the next.
pub fn next_trigger(text: &[u8], from: usize) -> Option<usize> {
    // The character around `from` may begin before it.
    dispatch!(level(), simd => search(simd, text, from)).map(|at| at.max(from))
}

#[inline(always)]
fn search(simd: impl Simd, text: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut before) = (from, Before::default());
    while let Some([own @ .., _]) = text.get(at..)?.first_chunk::<{ CHUNK_BYTES + 1 }>() {
        let next = text.get(at + 1..).and_then(<[u8]>::first_chunk).unwrap_or(own);
        let (own, next) = (Chunk::new(simd, own), Chunk::new(simd, next));
        if let Some(found) = in_chunk(simd, text, at, own, next, &mut before) {
            return Some(found);
        }
        at += CHUNK_BYTES;
    }
    if at == text.len() {
        return None;
    }
    let [own, next] = [at, at + 1].map(|at| Chunk::new(simd, &last_chunk(text, at)));
    in_chunk(simd, text, at, own, next, &mut before)
}

/// The first trigger in the chunk at `at`, with the same bytes from the second on, and one more.
#[inline(always)]
fn in_chunk<S: Simd>(
    simd: S,
    text: &[u8],
    at: usize,
    chunk: Chunk<S>,
    next: Chunk<S>,
    before: &mut Before,
) -> Option<usize> {
    let places = Marks::of(simd, chunk, next).places(before);
    if places == 0 {
        return None;
    }
    among(text, at, chunk, places)
}

/// The first trigger among the places of a chunk that may be one.
#[inline(always)]
fn among(text: &[u8], at: usize, chunk: Chunk<impl Simd>, places: u64) -> Option<usize> {
    let high = chunk.high().mask();
    let mut places = places & !high;
    if high != 0 {
        places |= high_places(text, at, chunk, high);
    }
    while places != 0 {
        let place = at + places.trailing_zeros() as usize;
        places &= places - 1;
        let place = if text.get(place) == Some(&b';') { entity_start(text, place) } else { place };
        if text.get(place..).is_some_and(may_be_one)
            && let Some(found) = at_place(text, place)
        {
            return Some(found);
        }
    }
    None
}

/// Where the entity begins that ends at `end`; `end` itself, if there is none.
#[inline(always)]
fn entity_start(text: &[u8], end: usize) -> usize {
    let before = text.get(end.saturating_sub(ENTITY_NAME_MAX + 1)..end).unwrap_or_default();
    let back = before.iter().rev().position(|byte| *byte == b'&');
    back.map_or(end, |back| end - back - 1)
}

/// Whether what follows a sign may make it one that is worth a look. Code is full of those that are not: line ends
/// as escapes, formats.
#[inline(always)]
fn may_be_one(rest: &[u8]) -> bool {
    match rest {
        [b'\\', next, ..] => match next {
            b'n' | b'r' | b't' => false,
            b'_' | b'-' => true,
            next => next.is_ascii_lowercase() || matches!(next, b'U' | b'0'..=b'3'),
        },
        [b'$', next, ..] => matches!(next, b'I' | b'{' | b'@' | b'*' | b'1'..=b'9'),
        [control::ESCAPE, next, ..] => !next.is_ascii_whitespace(),
        [b';', ..] | [b'\\' | b'$'] => false,
        _ => true,
    }
}

/// Where in a chunk with other characters than ASCII one may be worth a look: next to a letter or digit
/// of ASCII, and what is hidden or has a form in ASCII by itself.
#[inline(always)]
fn high_places(text: &[u8], at: usize, chunk: Chunk<impl Simd>, high: u64) -> u64 {
    let is_word = |at: Option<usize>| {
        u64::from(at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric))
    };
    let words = chunk.small().within(b'a', 26).or(chunk.within(b'0', 10)).mask();
    let before = words << 1 | is_word(at.checked_sub(1));
    let behind = words >> 1 | is_word(at.checked_add(CHUNK_BYTES)) << 63;
    let forms = chunk.equals(0xEF).or(chunk.equals(0xF0)).or(chunk.equals(0xF3));
    let mut places = high & (before | behind);
    let mut leads = forms.or(chunk.within(0xE1, 2)).mask() & !places;
    while leads != 0 {
        let lead = leads.trailing_zeros();
        leads &= leads - 1;
        let rest = text.get(at + lead as usize..).unwrap_or_default();
        places |= u64::from(is_form_by_itself(rest)) << lead;
    }
    places
}

/// The trigger at a place that may be one.
#[inline(never)]
fn at_place(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let is_one = match *rest.first()? {
        b'%' | b'&' => escape::at_start(rest).is_some_and(|escape| {
            escape.value.is_printable_ascii() || parts_word(text, at, &escape)
        }),
        b'\\' => is_escape(text, at, rest),
        b'$' => {
            let before = text.get(..at)?;
            shell::field_separator(last_of(before), rest).is_some()
                || shell::may_hide(rest) && hides_command(before, rest)
        }
        b'"' | b'\'' => is_quote_trick(text, at, rest),
        0 => is_hiding_nul(text, at),
        control::ESCAPE => control::splits_text(text, at, rest.get(1..)),
        _ => return beyond_ascii(text, at),
    };
    is_one.then_some(at)
}

fn last_of(text: &[u8]) -> u8 {
    text.last().copied().unwrap_or(0)
}

fn is_escape(text: &[u8], at: usize, rest: &[u8]) -> bool {
    match rest.get(1) {
        Some(b'u' | b'U' | b'x' | b'0'..=b'3') => {
            let found = escape::at_start(rest);
            if let Some(escape) = found {
                return match escape.value {
                    escape::Value::Char(char) if !char.is_ascii() => is_hiding(char),
                    escape::Value::Char('\u{1b}') | escape::Value::Byte(control::ESCAPE) => {
                        control::splits_text(text, at, rest.get(escape.taken..))
                    }
                    value => value.is_printable_ascii(),
                };
            }
        }
        Some(b'_' | b'-') => return markdown::is_escaped(text, at),
        // Line ends and tabs stand between words everywhere.
        Some(b'n' | b'r' | b't') => return false,
        Some(letter) if letter.is_ascii_lowercase() => {}
        _ => return false,
    }
    let follows_letter = at.checked_sub(1).and_then(|at| text.get(at));
    follows_letter.is_some_and(u8::is_ascii_lowercase) && is_quote_trick(text, at, rest)
}

/// Whether a character beyond ASCII is one that hides text, wherever it stands.
fn is_hiding(char: char) -> bool {
    match fold(char) {
        Folded::Invisible => !matches!(char, '\u{200C}'..='\u{200F}' | '\u{FE00}'..='\u{FE0F}'),
        Folded::Hidden(_) => true,
        Folded::Compat(ascii) => is_letter(ascii),
        _ => false,
    }
}

fn is_letter(ascii: Ascii) -> bool {
    matches!(ascii.as_bytes(), [letter, ..] if letter.is_ascii_alphabetic())
}

fn hides_command(before: &[u8], rest: &[u8]) -> bool {
    shell::word_before(before).is_some_and(|word| shell::hidden_command(word, rest).is_some())
}

fn is_quote_trick(text: &[u8], at: usize, rest: &[u8]) -> bool {
    // The place is the second quote of two; the word may go on from the first.
    let hides =
        |at: usize, rest: &[u8]| text.get(..at).is_some_and(|before| hides_command(before, rest));
    if rest.first() == Some(&b'\\') {
        return hides(at, rest);
    }
    let before = text.get(at.saturating_sub(4)..at).unwrap_or_default();
    let firsts = before.iter().rev().zip(1..).filter(|(byte, _)| matches!(byte, b'"' | b'\''));
    for (_, back) in firsts {
        let first = at - back;
        if text.get(first..).is_some_and(|rest| hides(first, rest)) {
            return true;
        }
    }
    false
}

/// Whether the NUL here stands inside a word: `c\0u\0r\0l`, `cu\0rl`.
fn is_hiding_nul(text: &[u8], at: usize) -> bool {
    let seen = |at: Option<usize>| at.and_then(|at| text.get(at)).copied().unwrap_or(0xFF);
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    let is_text = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n');
    let (before, behind) = (seen(at.checked_sub(1)), seen(at.checked_add(1)));
    if !is_word(before) || !is_word(behind) {
        return false;
    }
    let further = |near: u8, far: u8| is_text(near) || near == 0 && is_text(far);
    further(seen(at.checked_sub(2)), seen(at.checked_sub(3)))
        && further(seen(at.checked_add(2)), seen(at.checked_add(3)))
}

/// The trigger at or around a byte that is not of ASCII.
fn beyond_ascii(text: &[u8], at: usize) -> Option<usize> {
    let start = char_start(text, at)?;
    let rest = text.get(start..)?;
    let len = match rest.first()? {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let before = Neighbour::before(text, start);
    let behind = Neighbour::behind(text, start + len);
    let is_beside = before.byte.is_ascii_alphanumeric() || behind.byte.is_ascii_alphanumeric();
    if !is_beside && !is_form_by_itself(rest) || is_plain_script(rest) {
        return None;
    }
    let (char, _) = first_char(rest)?;
    let is_one = match fold(char) {
        Folded::Same => false,
        Folded::Invisible => is_inside_ascii(text, start, char),
        Folded::Hidden(_) => is_hidden_text(text, start),
        Folded::Blank(_) => before.is_letter && (behind.is_letter || behind.is_sign),
        Folded::Homoglyph(_) => is_mixed_word(text, start),
        Folded::Compat(ascii) => is_disguised(text, start, char, ascii, before.byte, behind.byte),
    };
    is_one.then_some(start)
}

/// Whether it may be a character that hides something without a neighbour of ASCII.
fn is_form_by_itself(rest: &[u8]) -> bool {
    match rest {
        [0xF0, 0x9D, ..] | [0xF0, 0x9F, 0x84..=0x86, ..] | [0xF3, 0xA0, ..] => true,
        [0xEF, 0xBC, third, ..] => matches!(third, 0x90..=0x99 | 0xA1..=0xBA),
        [0xEF, 0xBD, third, ..] => matches!(third, 0x81..=0x9A),
        [0xE2, 0x80, 0x8B, ..] | [0xE2, 0x81, 0xA0..=0xA4, ..] | [0xEF, 0xBB, 0xBF, ..] => true,
        [0xE2, second, ..] => matches!(second, 0x82 | 0x84 | 0x85 | 0x92 | 0x93),
        [0xE1, second, ..] => matches!(second, 0xB4..=0xB6),
        _ => false,
    }
}

/// Whether it is an ideograph, a syllable or an emoji: nothing of ASCII looks like them.
fn is_plain_script(rest: &[u8]) -> bool {
    match rest {
        [0xE3, second, ..] => *second > 0x80 && *second != 0x85,
        [0xE4..=0xE9 | 0xEB..=0xED, ..] => true,
        [0xF0, 0x9F, third, ..] => !matches!(third, 0x84..=0x86),
        _ => false,
    }
}

/// Where the character begins whose byte is at `at`.
pub(super) fn char_start(text: &[u8], at: usize) -> Option<usize> {
    (at.saturating_sub(3)..=at)
        .rev()
        .find(|at| text.get(*at).is_some_and(|byte| byte & 0xC0 != 0x80))
}

/// The byte next to a character.
pub(super) struct Neighbour {
    pub(super) byte: u8,
    is_letter: bool,
    pub(super) is_sign: bool,
}

impl Neighbour {
    pub(super) fn before(text: &[u8], at: usize) -> Self {
        Self::of(at.checked_sub(1).and_then(|at| text.get(at)))
    }

    pub(super) fn behind(text: &[u8], at: usize) -> Self {
        Self::of(text.get(at))
    }

    fn of(byte: Option<&u8>) -> Self {
        let byte = byte.copied().unwrap_or(0xFF);
        let is_sign = matches!(byte, b'-' | b'/' | b'|' | b'~' | b'$');
        Self { byte, is_letter: byte.is_ascii_alphabetic(), is_sign }
    }
}

/// Whether the letters around here that look like ASCII are of one word with real ones, and no others.
fn is_mixed_word(text: &[u8], start: usize) -> bool {
    let (mut ascii, mut first, mut end) = (0, start, start);
    let (mut has_capital_greek, mut is_greek) = (true, false);
    // Back to the start of the word.
    for _ in 0..ROW_MAX_CHARS {
        let Some(at) = first.checked_sub(1).and_then(|at| char_start(text, at)) else { break };
        let Some((char, _)) = text.get(at..).and_then(first_char) else { break };
        match fold(char) {
            Folded::Homoglyph(_) => {}
            Folded::Same if char.is_ascii_alphabetic() => ascii += 1,
            Folded::Same if is_word_letter(char) => return false,
            _ => break,
        }
        first = at;
    }
    let ascii_before = ascii;
    for _ in 0..ROW_MAX_CHARS {
        let Some((char, len)) = text.get(end..).and_then(first_char) else { break };
        match fold(char) {
            // Small Greek letters stand beside Latin ones in formulas.
            Folded::Homoglyph(_) => {
                has_capital_greek &= !matches!(char, 'α'..='ω');
                is_greek |= matches!(char, '\u{370}'..='\u{3FF}');
            }
            Folded::Same if char.is_ascii_alphabetic() => ascii += 1,
            Folded::Same if is_word_letter(char) => return false,
            _ => break,
        }
        end += len;
    }
    let is_inside = ascii_before > 0 && ascii > ascii_before;
    // One letter beside Greek ones is a formula, or a unit.
    ascii >= 2 && (has_capital_greek || is_inside) || ascii == 1 && !is_greek
}

/// Whether a form of an ASCII character stands where it is read as one.
fn is_disguised(
    text: &[u8],
    start: usize,
    char: char,
    ascii: Ascii,
    before: u8,
    behind: u8,
) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric();
    if !is_letter(ascii) {
        // Only signs that commands and paths are made of, between letters; full stops and commas of that
        // width are ordinary in Chinese and Japanese.
        let is_sign = matches!(
            ascii.as_bytes(),
            [
                b'"'..=b'\''
                | b'*'..=b'+'
                | b'-'..=b'/'
                | b'<'..=b'>'
                | b'@'
                | b'\\'
                | b'^'..=b'`'
                | b'|'
                | b'~',
            ]
        );
        return is_sign && is_wide(char) && is_word(before) && is_word(behind);
    }
    match char {
        // Ligatures, and the letters of formulas and labels, beside ASCII letters.
        '\u{FB00}'..='\u{FB06}' => before.is_ascii_alphabetic() || behind.is_ascii_alphabetic(),
        _ if is_word(before) || is_word(behind) => is_wide(char) || is_styled(char),
        _ if is_wide(char) => is_wide_word(text, start),
        _ => is_styled(char) && has_styled_neighbour(text, start + char.len_utf8()),
    }
}

fn is_wide(char: char) -> bool {
    matches!(char, '\u{FE50}'..='\u{FE6B}' | '\u{FF01}'..='\u{FF5E}')
}

/// Letters of another shape: small capitals, raised, letterlike, enclosed, mathematical.
fn is_styled(char: char) -> bool {
    matches!(char, '\u{1D00}'..='\u{1DBF}' | '\u{2071}'..='\u{209C}' | '\u{210A}'..='\u{2149}'
        | '\u{249C}'..='\u{24E9}' | '\u{1D400}'..='\u{1D7FF}' | '\u{1F110}'..='\u{1F189}')
        && char != '\u{2116}'
        && !('\u{2120}'..='\u{2122}').contains(&char)
}

fn has_styled_neighbour(text: &[u8], at: usize) -> bool {
    let Some((char, _)) = text.get(at..).and_then(first_char) else { return false };
    is_styled(char) && matches!(fold(char), Folded::Compat(ascii) if is_letter(ascii))
}

/// Whether a word in letters of full width is more than an abbreviation: a small letter among two, or four.
fn is_wide_word(text: &[u8], start: usize) -> bool {
    let (mut at, mut small, mut all) = (start, 0, 0);
    for _ in 0..4 {
        match text.get(at..).and_then(first_char) {
            Some(('\u{FF41}'..='\u{FF5A}', len)) => {
                (small, all, at) = (small + 1, all + 1, at + len)
            }
            Some(('\u{FF10}'..='\u{FF19}' | '\u{FF21}'..='\u{FF3A}', len)) => {
                (all, at) = (all + 1, at + len);
            }
            _ => break,
        }
    }
    small >= 1 && all >= 2 || all >= 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn the_first_sign_that_is_one_is_found_wherever_it_stands(
            parts in proptest::collection::vec((0..90_usize, "[%&$\\\\][#xuU@*I{0-9a-fA-F]{0,3}|&#?[a-zA-Z0-9]{1,9};?|&(lt|amp|lowbar|DownBreve);|[a-z;&%#]{0,9}"), 0..5),
        ) {
            let text: String =
                parts.into_iter().map(|(blanks, part)| " ".repeat(blanks) + &part).collect();
            let text = text.as_bytes();
            let is_sign = |at: &usize| matches!(text[*at], b'%' | b'&' | b'$' | b'\\');
            let first = (0..text.len()).filter(is_sign).find(|at| at_place(text, *at).is_some());
            prop_assert_eq!(next_trigger(text, 0), first, "{}", text.escape_ascii());
        }

        #[test]
        fn a_sign_that_is_passed_over_is_no_trigger(
            text in "([%&$\\\\\\\\\"'][#xuU@*I{0-9a-fA-F]{0,3}|&#?[a-zA-Z0-9]{1,9};?|c\\\\\\\\url|a\\\\{1,2}[_-]b|[a-z ;]{0,9}){0,9}",
        ) {
            let text = text.as_bytes();
            for at in 0..text.len() {
                if !may_be_one(&text[at..]) {
                    prop_assert_eq!(at_place(text, at), None, "{} of {}", at, text.escape_ascii());
                }
            }
        }
    }
}
