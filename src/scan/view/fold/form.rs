//! A form within a form: where a plus that the outer one stood for is a blank of the inner one.

use super::trigger::next_trigger;

/// The longest word between two blanks that is known by them.
const WORD_MAX_BYTES: usize = 16;

/// As [`next_trigger`], in what an outer form or its escapes were read as: the blanks of a form are triggers, too.
pub fn next_form_trigger(text: &[u8], from: usize) -> Option<usize> {
    let blank = next_blank(text, from);
    let before = blank.map_or(text.len(), |blank| text.len().min(blank + super::LOOKAHEAD_BYTES));
    let trigger = next_trigger(text.get(..before)?, from);
    trigger.into_iter().chain(blank).min()
}

/// The next plus that stands between two words.
fn next_blank(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    memchr::memchr_iter(b'+', rest).map(|at| from + at).find(|at| parts_words(text, *at))
}

/// Whether what stands around a plus shows that it parts words: in base64, and where something is added, it seldom
/// does.
fn parts_words(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    if before.is_none_or(|byte| !byte.is_ascii_graphic() || *byte == b'+') {
        return false;
    }
    match text.get(at + 1..).unwrap_or_default() {
        [
            b'-' | b'|' | b'%' | b'"' | b'\'' | b'`' | b'$' | b'~' | b'<' | b'>' | b'(' | b'.',
            ..,
        ] => true,
        [b'/', path @ ..] => {
            path.first_chunk::<3>().is_none_or(|path| path.iter().all(u8::is_ascii_lowercase))
        }
        behind => {
            let word =
                behind.iter().take(WORD_MAX_BYTES).take_while(|byte| byte.is_ascii_lowercase());
            let len = word.count();
            len > 0 && behind.get(len) == Some(&b'+')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_between_words_is_a_blank_and_one_in_base64_or_a_sum_is_none() {
        for text in ["nc+-e", "rm+-rf+/", "cat+/etc", "ignore+all+of", "a+%7C+sh", "x+\"a"] {
            assert_eq!(next_form_trigger(text.as_bytes(), 0), text.find('+'), "{text}");
        }
        for text in ["a+b", "C++ and c+d", "x+y/", "AbC+dEf/g+Hi", "1+1=2", " + ", "+-"] {
            assert_eq!(next_form_trigger(text.as_bytes(), 0), None, "{text}");
        }
    }

    #[test]
    fn the_first_of_a_blank_and_another_trigger_is_found_wherever_they_stand() {
        for before in 0..150 {
            let front = "x".repeat(before);
            for (text, at) in [("a+-b %2f", 1), ("%2f a+-b", 0), ("a %2f+-b", 2)] {
                let text = format!("{front}{text}");
                let found = next_form_trigger(text.as_bytes(), 0);
                assert_eq!(found, Some(before + at), "{text}");
                let again = next_form_trigger(text.as_bytes(), before + at + 1).unwrap();
                assert!(again > before + at && again <= before + 5);
                assert_eq!(next_form_trigger(text.as_bytes(), again + 1), None);
            }
        }
    }
}
