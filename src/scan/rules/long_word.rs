//! Which expressions need a long word: a row of letters, digits and the other signs of base64 that stands in
//! every match. A token has one, and clean text has few, so such an expression is looked for around long words
//! only, by an engine of its own.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::limits::{
    LONG_WORD_BEFORE_BYTES, LONG_WORD_BEHIND_BYTES, LONG_WORD_FILTER_MAX_BYTES, LONG_WORD_MIN_BYTES,
};

/// Whether a byte may stand in a word. `scan::words` finds words of the same bytes.
#[inline(always)]
pub(in crate::scan) fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=')
}

/// Whether every match of an expression holds a long word, with no more than `limits::LONG_WORD_BEFORE_BYTES` and
/// `LONG_WORD_BEHIND_BYTES` around it, and is no longer than `LONG_WORD_FILTER_MAX_BYTES`.
pub(super) fn holds_long_word(hir: &Hir) -> bool {
    let is_bounded =
        hir.properties().maximum_len().is_some_and(|len| len <= LONG_WORD_FILTER_MAX_BYTES);
    is_bounded
        && around_word(hir).is_some_and(|around| {
            around.before <= LONG_WORD_BEFORE_BYTES && around.behind <= LONG_WORD_BEHIND_BYTES
        })
}

/// What a match has around the long word that it holds, at most.
#[derive(Clone, Copy)]
struct Around {
    before: usize,
    behind: usize,
}

impl Around {
    /// How much of what may stand around it is taken, on the side where that is more.
    fn share(&self) -> usize {
        let before = self.before.saturating_mul(LONG_WORD_BEHIND_BYTES);
        before.max(self.behind.saturating_mul(LONG_WORD_BEFORE_BYTES))
    }
}

fn around_word(hir: &Hir) -> Option<Around> {
    if is_word(hir) {
        return is_long(least(hir)).then_some(Around { before: 0, behind: 0 });
    }
    match hir.kind() {
        HirKind::Capture(capture) => around_word(&capture.sub),
        HirKind::Alternation(branches) => branches
            .iter()
            .map(around_word)
            .reduce(|one, other| {
                let (one, other) = (one?, other?);
                let before = one.before.max(other.before);
                Some(Around { before, behind: one.behind.max(other.behind) })
            })
            .flatten(),
        HirKind::Concat(parts) => in_row(&flat(parts)),
        // One of the repeated would do, but what is around it has no bound.
        HirKind::Repetition(repeat) if (repeat.min, repeat.max) == (1, Some(1)) => {
            around_word(&repeat.sub)
        }
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_) => None,
    }
}

/// The parts of a row, those of rows within it in their places, literals byte by byte.
fn flat(parts: &[Hir]) -> Vec<Hir> {
    let mut row = Vec::new();
    for part in parts {
        match part.kind() {
            HirKind::Concat(inner) => row.extend(flat(inner)),
            HirKind::Capture(capture) => row.extend(flat(std::slice::from_ref(&capture.sub))),
            HirKind::Literal(literal) => {
                row.extend(literal.0.iter().map(|byte| Hir::literal([*byte])));
            }
            _ => row.push(part.clone()),
        }
    }
    row
}

/// The best place in a row of parts: neighbours that are words make one word.
fn in_row(row: &[Hir]) -> Option<Around> {
    let mut best: Option<Around> = None;
    let mut offer = |inner: Around, before: &[Hir], behind: &[Hir]| {
        let found = widest(before).zip(widest(behind)).map(|(before, behind)| Around {
            before: before.saturating_add(inner.before),
            behind: behind.saturating_add(inner.behind),
        });
        best = [best, found].into_iter().flatten().min_by_key(Around::share);
    };
    let mut rest = row;
    while let Some((first, behind)) = rest.split_first() {
        let before = row.get(..row.len() - rest.len()).unwrap_or_default();
        let words = rest.iter().take_while(|part| is_word(part)).count();
        if words == 0 {
            if let Some(inner) = around_word(first) {
                offer(inner, before, behind);
            }
            rest = behind;
            continue;
        }
        let (word, behind) = rest.split_at_checked(words).unwrap_or((rest, &[]));
        if is_long(word.iter().map(least).sum()) {
            offer(Around { before: 0, behind: 0 }, before, behind);
        }
        rest = behind;
    }
    best
}

fn is_long(bytes: usize) -> bool {
    bytes >= LONG_WORD_MIN_BYTES
}

/// The fewest bytes that match.
fn least(hir: &Hir) -> usize {
    hir.properties().minimum_len().unwrap_or(0)
}

/// The most bytes that match, none if there is no bound.
fn widest(row: &[Hir]) -> Option<usize> {
    row.iter().map(|part| part.properties().maximum_len()).sum()
}

/// Whether nothing else than a word, or a part of one, matches.
fn is_word(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.iter().all(|byte| is_of_word(*byte)),
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().all(|range| (range.start()..=range.end()).all(is_of_word))
        }
        HirKind::Class(Class::Unicode(class)) => class.iter().all(|range| {
            (range.start()..=range.end()).all(|sign| u8::try_from(sign).is_ok_and(is_of_word))
        }),
        HirKind::Repetition(repeat) => is_word(&repeat.sub),
        HirKind::Capture(capture) => is_word(&capture.sub),
        HirKind::Concat(parts) => parts.iter().all(is_word),
        HirKind::Alternation(branches) => branches.iter().all(is_word),
        HirKind::Empty | HirKind::Look(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::rules::expression::parse;

    fn holds(expression: &str) -> bool {
        holds_long_word(&parse(expression).unwrap().1)
    }

    #[test]
    fn an_expression_holds_a_long_word_if_every_match_does() {
        for (expression, expected) in [
            ("AKIA[A-Z2-7]{16}", true),
            ("AKIA[A-Z2-7]{15}", false),
            ("(?i)gh[pousr]_([a-z0-9]{36})", true),
            // Neighbours make one word, whatever they are.
            ("(?:abc|de)[0-9]{10}(-|_)[a-z]{5}[a-z]?[0-9]{3}", true),
            ("(?:abc|d)[0-9]{10}(-|_)[a-z]{5}[a-z]?[0-9]{2}", false),
            ("[a-z]{10}[.][a-z]{10}", false),
            ("[a-z]{10}.[a-z]{19}", false),
            ("[a-z]{10} [a-z]{20}", true),
            // Each branch must hold one.
            ("x[0-9]{20}|y[0-9]{30}", true),
            ("x[0-9]{20}|y[0-9]{10}", false),
            ("(?:x[0-9]{20}:|[0-9]{30})!", true),
            ("(?:[0-9]{20})?", false),
            ("(?:[0-9]{10}){2}", true),
            ("(?:[0-9]{20},){2}", false),
        ] {
            assert_eq!(holds(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_around_the_word_has_a_bound() {
        let word = "[0-9a-f]{20}";
        for (before, behind, expected) in [
            (LONG_WORD_BEFORE_BYTES, LONG_WORD_BEHIND_BYTES, true),
            (LONG_WORD_BEFORE_BYTES + 1, 0, false),
            (0, LONG_WORD_BEHIND_BYTES + 1, false),
        ] {
            let expression = format!("[ :]{{{before}}}{word}[ ;]{{{behind}}}");
            assert_eq!(holds(&expression), expected, "{expression}");
        }
        assert!(!holds(" *[0-9]{20}"));
        // Of two words the one that has little behind it.
        assert!(holds("[a-z]{24}[.][a-z]{6}[.][a-z]{27}"));
    }

    #[test]
    fn a_match_is_as_short_as_what_is_looked_at_again() {
        let most = LONG_WORD_FILTER_MAX_BYTES;
        assert!(holds(&format!("[a-z]{{20,{most}}}")));
        assert!(!holds(&format!("[a-z]{{20,{}}}", most + 1)));
        assert!(!holds("[a-z]{20,}="));
    }
}
