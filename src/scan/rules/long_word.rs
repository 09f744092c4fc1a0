//! Which expressions need a long word: in every match stands a row of letters and digits, or a longer one of these
//! and the other signs of base64. A token has one, and clean text has few, so such an expression is looked for
//! around long words only, by an engine of its own; of an expression with many branches, those that are such.

use regex_syntax::hir::{Capture, Class, Hir, HirKind};

use crate::limits::{
    LONG_WORD_BEFORE_BYTES, LONG_WORD_BEHIND_BYTES, LONG_WORD_FILTER_MAX_BYTES,
    LONG_WORD_MIN_BYTES, LONG_WORD_MIN_LETTERS,
};

/// Whether a byte may stand in a word. `scan::words` finds words of the same bytes.
#[inline(always)]
pub(in crate::scan) fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=')
}

/// An expression in two parts; what matches it matches one of them.
pub(super) struct Split {
    /// What is looked for around long words.
    pub(super) around_words: Option<Hir>,
    /// What is looked for in all of a text.
    pub(super) everywhere: Option<Hir>,
}

/// Parts an expression: as a whole, or by the branches of one of its alternations.
pub(super) fn split(hir: &Hir) -> Split {
    if holds_long_word(hir) {
        return Split { around_words: Some(hir.clone()), everywhere: None };
    }
    let parted = alternations(hir).into_iter().map(|alternation| {
        let (own, others): (Vec<_>, Vec<_>) = alternation
            .branches
            .iter()
            .cloned()
            .partition(|branch| holds_long_word(&alternation.with(vec![branch.clone()])));
        (alternation, own, others)
    });
    match parted.max_by_key(|(_, own, _)| own.len()) {
        Some((alternation, own, others)) if !own.is_empty() => Split {
            around_words: Some(alternation.with(own)),
            everywhere: (!others.is_empty()).then(|| alternation.with(others)),
        },
        _ => Split { around_words: None, everywhere: Some(hir.clone()) },
    }
}

/// An alternation of an expression: its branches, and how the expression is with others in their place.
struct Alternation<'a> {
    branches: &'a [Hir],
    around: Vec<Outer<'a>>,
}

/// What an alternation lies within, from inside out.
#[derive(Clone)]
enum Outer<'a> {
    Group(&'a Capture),
    Row { before: &'a [Hir], behind: &'a [Hir] },
}

impl Alternation<'_> {
    fn with(&self, branches: Vec<Hir>) -> Hir {
        let inner = Hir::alternation(branches);
        self.around.iter().fold(inner, |inner, outer| match outer {
            Outer::Group(group) => {
                let name = group.name.clone();
                Hir::capture(Capture { index: group.index, name, sub: Box::new(inner) })
            }
            Outer::Row { before, behind } => {
                let row = before.iter().cloned().chain([inner]).chain(behind.iter().cloned());
                Hir::concat(row.collect())
            }
        })
    }
}

fn within<'a>(inner: &'a Hir, outer: &Outer<'a>) -> Vec<Alternation<'a>> {
    let mut found = alternations(inner);
    found.iter_mut().for_each(|alternation| alternation.around.push(outer.clone()));
    found
}

/// The alternations of an expression of which each match is of one branch: those within groups and rows.
fn alternations(hir: &Hir) -> Vec<Alternation<'_>> {
    match hir.kind() {
        HirKind::Alternation(branches) => vec![Alternation { branches, around: Vec::new() }],
        HirKind::Capture(group) => within(&group.sub, &Outer::Group(group)),
        HirKind::Concat(parts) => parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| Some((part, parts.get(..at)?, parts.get(at + 1..)?)))
            .flat_map(|(part, before, behind)| within(part, &Outer::Row { before, behind }))
            .collect(),
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Class(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_) => Vec::new(),
    }
}

/// Whether every match of an expression holds a long word, with no more than `limits::LONG_WORD_BEFORE_BYTES` and
/// `LONG_WORD_BEHIND_BYTES` around what makes it long, and is no longer than `LONG_WORD_FILTER_MAX_BYTES`.
fn holds_long_word(hir: &Hir) -> bool {
    let is_bounded =
        hir.properties().maximum_len().is_some_and(|len| len <= LONG_WORD_FILTER_MAX_BYTES);
    is_bounded
        && around_row(hir).is_some_and(|around| {
            around.before <= LONG_WORD_BEFORE_BYTES && around.behind <= LONG_WORD_BEHIND_BYTES
        })
}

/// What makes a word long: so many of these bytes in a row.
struct Kind {
    is_of: fn(u8) -> bool,
    min: usize,
}

const KINDS: [Kind; 2] = [
    Kind { is_of: is_of_word, min: LONG_WORD_MIN_BYTES },
    Kind { is_of: |byte| byte.is_ascii_alphanumeric(), min: LONG_WORD_MIN_LETTERS },
];

impl Kind {
    fn is_long(&self, bytes: usize) -> bool {
        bytes >= self.min
    }

    /// Whether nothing else than such a row, or a part of one, matches.
    fn is_row(&self, hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Literal(literal) => literal.0.iter().all(|byte| (self.is_of)(*byte)),
            HirKind::Class(Class::Bytes(class)) => {
                class.iter().all(|range| (range.start()..=range.end()).all(self.is_of))
            }
            HirKind::Class(Class::Unicode(class)) => class.iter().all(|range| {
                (range.start()..=range.end())
                    .all(|sign| u8::try_from(sign).is_ok_and(|byte| (self.is_of)(byte)))
            }),
            HirKind::Repetition(repeat) => self.is_row(&repeat.sub),
            HirKind::Capture(capture) => self.is_row(&capture.sub),
            HirKind::Concat(parts) => parts.iter().all(|part| self.is_row(part)),
            HirKind::Alternation(branches) => branches.iter().all(|branch| self.is_row(branch)),
            HirKind::Empty | HirKind::Look(_) => false,
        }
    }
}

/// What a match has around the row that makes its word long, at most.
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

fn around_row(hir: &Hir) -> Option<Around> {
    if KINDS.iter().any(|kind| kind.is_row(hir) && kind.is_long(least(hir))) {
        return Some(Around { before: 0, behind: 0 });
    }
    match hir.kind() {
        HirKind::Capture(capture) => around_row(&capture.sub),
        HirKind::Alternation(branches) => branches
            .iter()
            .map(around_row)
            .reduce(|one, other| {
                let (one, other) = (one?, other?);
                let before = one.before.max(other.before);
                Some(Around { before, behind: one.behind.max(other.behind) })
            })
            .flatten(),
        HirKind::Concat(parts) => {
            // Each part is looked into once, or it took twice as long with each level.
            let flat = flat(parts);
            let parts: Vec<Part> = flat.iter().map(|hir| (hir, around_row(hir))).collect();
            KINDS.iter().filter_map(|kind| in_parts(&parts, kind)).min_by_key(Around::share)
        }
        // One of the repeated would do, but what is around it has no bound.
        HirKind::Repetition(repeat) if (repeat.min, repeat.max) == (1, Some(1)) => {
            around_row(&repeat.sub)
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

/// A part of a row, and what is around one within it.
type Part<'a> = (&'a Hir, Option<Around>);

/// The best place among parts that follow each other: neighbours that are rows of a kind make one row.
fn in_parts(parts: &[Part<'_>], kind: &Kind) -> Option<Around> {
    let mut best: Option<Around> = None;
    let mut offer = |inner: Around, before: &[Part<'_>], behind: &[Part<'_>]| {
        let found = widest(before).zip(widest(behind)).map(|(before, behind)| Around {
            before: before.saturating_add(inner.before),
            behind: behind.saturating_add(inner.behind),
        });
        best = [best, found].into_iter().flatten().min_by_key(Around::share);
    };
    let mut rest = parts;
    while let Some(((_, inner), behind)) = rest.split_first() {
        let before = parts.get(..parts.len() - rest.len()).unwrap_or_default();
        let neighbours = rest.iter().take_while(|(part, _)| kind.is_row(part)).count();
        if neighbours == 0 {
            if let Some(inner) = inner {
                offer(*inner, before, behind);
            }
            rest = behind;
            continue;
        }
        let (row, behind) = rest.split_at_checked(neighbours).unwrap_or((rest, &[]));
        if kind.is_long(row.iter().map(|(part, _)| least(part)).sum()) {
            offer(Around { before: 0, behind: 0 }, before, behind);
        }
        rest = behind;
    }
    best
}

/// The fewest bytes that match.
fn least(hir: &Hir) -> usize {
    hir.properties().minimum_len().unwrap_or(0)
}

/// The most bytes that match, none if there is no bound.
fn widest(row: &[Part<'_>]) -> Option<usize> {
    row.iter().map(|(part, _)| part.properties().maximum_len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::rules::expression::parse;

    fn holds(expression: &str) -> bool {
        holds_long_word(&parse(expression).unwrap())
    }

    #[test]
    fn an_expression_holds_a_long_word_if_every_match_does() {
        for (expression, expected) in [
            ("AKIA[A-Z2-7]{12}", true),
            ("AKIA[A-Z2-7]{11}", false),
            ("(?i)gh[pousr]_([a-z0-9]{36})", true),
            // Neighbours make one row, whatever they are.
            ("(?:abc|de)[0-9]{10}[a-z]{3}[a-z]?[0-9]", true),
            ("(?:abc|d)[0-9]{10}[a-z]{3}[a-z]?[0-9]", false),
            ("[a-z]{10}[.][a-z]{10}", false),
            ("[a-z]{10}.[a-z]{15}", false),
            ("[a-z]{10} [a-z]{16}", true),
            // Of signs as well it has to be longer.
            ("(?:abc|de)[0-9]{10}(-|_)[a-z]{11}_?[0-9_]{12}", true),
            ("(?:abc|d)[0-9]{10}(-|_)[a-z]{11}_?[0-9_]{12}", false),
            ("[a-z_-]{36}", true),
            ("[a-z_-]{35}", false),
            // Each branch must hold one, of either kind.
            ("x[0-9]{20}|y[0-9]{30}", true),
            ("x[0-9]{20}|y[0-9-]{36}", true),
            ("x[0-9]{20}|y[0-9-]{30}", false),
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
    fn branches_that_hold_a_long_word_are_looked_for_around_words() {
        let parts = |expression: &str| {
            let split = split(&parse(expression).unwrap());
            [split.around_words, split.everywhere].map(|part| part.map(|part| part.to_string()))
        };
        let some = |text: &str| Some(parse(text).unwrap().to_string());
        for (expression, around_words, everywhere) in [
            ("a[0-9]{16}", some("a[0-9]{16}"), None),
            ("a[0-9]{8}", None, some("a[0-9]{8}")),
            ("a[0-9]{16}|b[0-9]{8}|c[0-9]{16}", some("a[0-9]{16}|c[0-9]{16}"), some("b[0-9]{8}")),
            (
                r"\b((?:a_[0-9]{16}|b_[0-9]{8}) x)!",
                some(r"\b(a_[0-9]{16} x)!"),
                some(r"\b(b_[0-9]{8} x)!"),
            ),
            // Of several alternations, that of which most branches are such.
            (
                "(?:x|y)(?:[0-9]{16}|,|a[0-9]{16})",
                some("(?:x|y)(?:[0-9]{16}|a[0-9]{16})"),
                some("(?:x|y),"),
            ),
            ("(?:a[0-9]{16}|b){2}", None, some("(?:a[0-9]{16}|b){2}")),
        ] {
            assert_eq!(parts(expression), [around_words, everywhere], "{expression}");
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
