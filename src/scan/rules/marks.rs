//! Groups of an expression that tell the engine what to search for, by their names. They capture nothing that is
//! asked for: for the exact search they are groups without a name and a number.

use regex_syntax::hir::{Capture, Hir, HirKind};

/// The name of the group from which on the engine is to search: what stands before it is said more often.
const ANCHOR: &str = "anchor";

/// The name of a group whose words clean text is full of, alone or with a number: the engine must not look for them.
const COMMON: &str = "common";

/// How a named group begins, in both spellings.
const NAMED: [&str; 2] = ["(?<", "(?P<"];

/// Whether a group's words are common.
pub(super) fn is_common(group: &Capture) -> bool {
    group.name.as_deref().is_some_and(names_common)
}

/// Whether a group is a mark of either kind.
pub(super) fn is_mark(group: &Capture) -> bool {
    group.name.as_deref().is_some_and(is_marking)
}

fn is_marking(name: &str) -> bool {
    name == ANCHOR || names_common(name)
}

fn names_common(name: &str) -> bool {
    let number = name.strip_prefix(COMMON);
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// How many groups of an expression are marks.
pub(super) fn count(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Capture(group) => usize::from(is_mark(group)) + count(&group.sub),
        HirKind::Repetition(repeat) => count(&repeat.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(count).sum(),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => 0,
    }
}

/// What is left of an expression from its anchor on, if it has one at its top.
pub(super) fn from_anchor(hir: &Hir) -> Option<Hir> {
    let HirKind::Concat(parts) = hir.kind() else { return None };
    let is_anchor = |part: &Hir| match part.kind() {
        HirKind::Capture(capture) => capture.name.as_deref() == Some(ANCHOR),
        _ => false,
    };
    let at = parts.iter().position(is_anchor)?;
    parts.get(at..).map(|parts| Hir::concat(parts.to_vec()))
}

/// The same expression with groups that capture nothing in the place of marks.
pub(super) fn without(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_class = false;
    while let Some(first) = rest.chars().next() {
        if let Some(behind) = behind_mark(rest).filter(|_| !is_class) {
            out.push_str("(?:");
            rest = behind;
            continue;
        }
        // An escaped character is no bracket.
        let taken = if first == '\\' {
            rest.chars().take(2).map(char::len_utf8).sum()
        } else {
            first.len_utf8()
        };
        match first {
            '[' => is_class = true,
            ']' => is_class = false,
            _ => {}
        }
        let (written, behind) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        out.push_str(written);
        rest = behind;
    }
    out
}

/// What stands behind the beginning of a mark that a text begins with.
fn behind_mark(text: &str) -> Option<&str> {
    let named = NAMED.iter().find_map(|named| text.strip_prefix(named))?;
    let (name, behind) = named.split_once('>')?;
    is_marking(name).then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginnings_of_marks_are_replaced() {
        for (text, expected) in [
            ("a(?<anchor>b)c", "a(?:b)c"),
            ("(?P<common>b)(?<common2>c)(?<other>d)", "(?:b)(?:c)(?<other>d)"),
            (r"\(?<anchor>\\(?<anchor>x)", r"\(?<anchor>\\(?:x)"),
            (r"[(?<common>][\](?<common>](?<common>y)", r"[(?<common>][\](?<common>](?:y)"),
            (
                "(?<common_name>b)(?P<commonly>c)(?<anchor2>d)",
                "(?<common_name>b)(?P<commonly>c)(?<anchor2>d)",
            ),
            ("ü(?<common>ü", "ü(?:ü"),
            ("(?<common", "(?<common"),
            (r"x\", r"x\"),
        ] {
            assert_eq!(without(text), expected);
        }
    }
}
