//! What a text says that is cut into objects where its look changes, as editors and messengers write it: a key whose
//! middle is bold is `[{"text":"AKIA…"},{"text":"…","bold":true}]`. What two such objects side by side say, and
//! three, is written out as a line.

use std::ops::Range;

use super::asides::{Word, string};
use super::quote::{Quote, behind_blanks};
use crate::limits::{
    JSON_SIBLING_ENDS_BYTES, JSON_SIBLING_GAP_MAX_BYTES, JSON_SIBLING_OTHER_MAX_BYTES,
};

/// The keys of such texts, the second is what Notion shows of it.
const KEYS: [&[u8]; 2] = [b"text", b"plain_text"];

/// What parts two lines.
const LINE_END: &[u8] = b"\n\x1e\n";

/// The texts of objects side by side, from the key on whose last letter stands at `at`: two, or three.
pub(super) fn siblings(text: &[u8], at: usize) -> Option<Siblings> {
    let quote = Quote::at(text, at + 1).filter(|quote| quote.byte == b'"')?;
    let key = text.get(..at + 1)?;
    KEYS.iter().find_map(|own| quote.before(key.strip_suffix(*own)?))?;
    let (first, end) = value(text, at + 1 + quote.len(), quote)?;
    let (second, end) = next(text, end, quote)?;
    Some(Siblings { two: (at..end, [first, second]), third: next(text, end, quote) })
}

/// Two or three of them.
pub(super) struct Siblings {
    /// Where they stand.
    pub(super) two: (Range<usize>, [Word; 2]),
    /// And the one behind them, and where it ends.
    pub(super) third: Option<(Word, usize)>,
}

/// The string behind a key that ends before `at`, and where that ends.
fn value(text: &[u8], at: usize, quote: Quote) -> Option<(Word, usize)> {
    let colon = behind_blanks(text, at);
    let (b':', _) = text.get(colon..)?.split_first()? else { return None };
    string(text, behind_blanks(text, colon + 1), quote)
}

/// The text of the object behind the one that goes on at `at`, and where it ends. What stands between says how it looks,
/// in few words.
fn next(text: &[u8], at: usize, quote: Quote) -> Option<(Word, usize)> {
    let near = text.get(..text.len().min(at + JSON_SIBLING_GAP_MAX_BYTES))?;
    let (mut at, mut depth, mut is_next) = (at, 1_usize, false);
    loop {
        at = behind_blanks(near, at);
        match *near.get(at)? {
            b'[' if depth == 0 => return None,
            b'{' | b'[' => {
                is_next |= depth == 0;
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                // The list is over, or the next object has no text.
                if depth == 0 && is_next {
                    return None;
                }
            }
            b',' | b':' | b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' if depth > 0 => {}
            b',' if !is_next => {}
            _ if depth == 0 => return None,
            _ => {
                let (word, end) = string(near, at, quote)?;
                let word = near.get(word.place())?;
                if is_next && depth == 1 && KEYS.contains(&word) {
                    if let Some(found) = value(text, end, quote) {
                        return Some(found);
                    }
                } else if word.len() > JSON_SIBLING_OTHER_MAX_BYTES {
                    return None;
                }
                at = end;
                continue;
            }
        }
        at += 1;
    }
}

/// Writes what pieces of a text say around their borders; nothing if one ends with a sentence, or a sign, and the next
/// begins with a word: these are texts of their own.
pub(super) fn write(text: &[u8], words: &[&Word], out: &mut Vec<u8>) {
    let start = out.len();
    for (number, word) in words.iter().enumerate() {
        let mut piece = Vec::new();
        word.write(text, &mut piece);
        let before = out.get(start..).and_then(<[u8]>::last);
        let is_cut = match (before, piece.first()) {
            (None, _) => true,
            (Some(last), Some(first)) => {
                let of_word =
                    |byte: &u8, signs: &[u8]| byte.is_ascii_alphanumeric() || signs.contains(byte);
                [last, first].iter().any(|byte| byte.is_ascii_whitespace())
                    || (of_word(last, b"_-+/=") && of_word(first, b"_-+/=.:@"))
            }
            (Some(_), None) => true,
        };
        if !is_cut {
            return out.truncate(start);
        }
        let is_last = number + 1 == words.len();
        out.extend_from_slice(match (number, is_last) {
            (0, _) => end_of(&piece),
            (_, true) => piece.get(..JSON_SIBLING_ENDS_BYTES).unwrap_or(&piece),
            _ => &piece,
        });
    }
    // No blank: what one line says does not go on in the next.
    out.extend_from_slice(LINE_END);
}

/// The end of a piece, from a word on.
fn end_of(piece: &[u8]) -> &[u8] {
    let Some(start) = piece.len().checked_sub(JSON_SIBLING_ENDS_BYTES) else { return piece };
    let end = piece.get(start..).unwrap_or_default();
    let blank = end.iter().position(u8::is_ascii_whitespace);
    blank.and_then(|blank| end.get(blank..)).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::super::{Asides, Lines};
    use super::*;

    fn read(json: &str) -> [String; 2] {
        let (mut asides, mut lines) = (Asides::new(false), Lines::default());
        asides.feed(json.as_bytes(), &mut lines);
        let text = |text: Vec<u8>| String::from_utf8(text).unwrap().replace("\n\x1e\n", "|");
        [lines.pairs, lines.triples].map(text)
    }

    #[test]
    fn a_text_in_pieces_is_read_in_pairs_and_triples() {
        for json in [
            r#"[{"type":"text","text":"key AB"},{"type":"text","text":"CD","style":{"bold":true}},{"type":"text","text":"EF"}]"#,
            r#"{"content":[{"type":"text","text":"key AB"},{"type":"text","marks":[{"type":"bold"}],"text":"CD"},{"text":"EF"}]}"#,
            r#"[{"text":{"content":"key AB","link":null},"annotations":{"bold":false},"plain_text":"key AB"},
                {"text":{"content":"CD"},"plain_text":"CD","href":null}, {"plain_text" : "\u0045F"}]"#,
            r#"{"a":"[{\"text\":\"key AB\"},{\"text\":\"CD\"},\n{\"text\":\"EF\"}]"}"#,
        ] {
            assert_eq!(read(json), ["key ABCD|CDEF|", "key ABCDEF|"], "{json}");
        }
    }

    #[test]
    fn texts_of_their_own_are_not_joined() {
        let long = "x".repeat(JSON_SIBLING_OTHER_MAX_BYTES + 1);
        for json in [
            r#"[{"text":"A sentence."},{"text":"Another one"}]"#.to_owned(),
            r#"[{"text":"AB"}],[{"text":"CD"}]"#.to_owned(),
            r#"{"text":"AB","text":"CD"}"#.to_owned(),
            r#"[{"text":"AB"},{"a":1},{"text":"CD"}]"#.to_owned(),
            r#"[{"text":"AB"},{"a":{"text":"CD"}}]"#.to_owned(),
            r#"[{"text":"AB"},"x",{"text":"CD"}]"#.to_owned(),
            r#"[{"context":"AB"},{"context":"CD"}] {"text":1},{"text":2}"#.to_owned(),
            format!(r#"[{{"text":"AB"}},{{"url":"{long}","text":"CD"}}]"#),
        ] {
            assert_eq!(read(&json), ["", ""], "{json}");
        }
    }

    #[test]
    fn the_gap_has_a_bound_and_of_long_texts_the_ends_are_read() {
        let gap = |len: usize| {
            let blanks = " ".repeat(len - r#"},{"text":""#.len());
            format!(r#"[{{"text":"AB"}},{blanks}{{"text":"CD"}}]"#)
        };
        // From the end of the first to the quote behind the second's key.
        for (len, is_read) in
            [(JSON_SIBLING_GAP_MAX_BYTES, true), (JSON_SIBLING_GAP_MAX_BYTES + 3, false)]
        {
            assert_eq!(!read(&gap(len))[0].is_empty(), is_read, "{len}");
        }
        let word = "w ".repeat(JSON_SIBLING_ENDS_BYTES);
        let [pairs, _] = read(&format!(r#"[{{"text":"{word}AB"}},{{"text":"CD {word}"}}]"#));
        assert!(
            pairs.contains("ABCD w") && pairs.len() <= 2 * JSON_SIBLING_ENDS_BYTES + 1,
            "{pairs}"
        );
    }
}
