//! gitleaks' expressions are Go's, where `{` and `[` are themselves wherever they cannot be anything else.
//! Here they are written with a backslash, which both understand.

/// The expression with each such sign escaped.
pub(super) fn from_go(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text;
    let mut class = Class::Outside;
    while let Some(sign) = rest.chars().next() {
        let length = match (sign, class) {
            ('\\', _) => escape_length(rest),
            ('[', Class::Inside { .. }) if rest.starts_with("[:") => {
                rest.find(":]").map_or(1, |end| end + 2)
            }
            _ => sign.len_utf8(),
        };
        let (piece, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        let is_itself = match class {
            Class::Outside => sign == '{' && !is_repetition(rest),
            Class::Inside { .. } => piece == "[",
        };
        if is_itself {
            escaped.push('\\');
        }
        escaped.push_str(piece);
        class = class.after(piece);
        rest = behind;
    }
    escaped
}

/// Where in an expression a sign stands.
#[derive(Clone, Copy)]
enum Class {
    Outside,
    /// `is_first`: a `]` now would be one of the class.
    Inside {
        is_first: bool,
    },
}

impl Class {
    fn after(self, piece: &str) -> Class {
        match (self, piece) {
            (Class::Outside, "[") => Class::Inside { is_first: true },
            (Class::Outside, _) | (Class::Inside { is_first: false }, "]") => Class::Outside,
            (Class::Inside { is_first: true }, "^") => Class::Inside { is_first: true },
            (Class::Inside { .. }, _) => Class::Inside { is_first: false },
        }
    }
}

/// How long an escape is, with the braces that belong to it (`\x{7f}`, `\p{Greek}`, `\b{start}`).
fn escape_length(text: &str) -> usize {
    let mut signs = text.chars();
    let (_, escaped) = (signs.next(), signs.next());
    let braced = matches!(escaped, Some('x' | 'u' | 'U' | 'p' | 'P' | 'b' | 'B'));
    let rest = signs.as_str();
    let braces = match rest.find('}') {
        Some(end) if braced && rest.starts_with('{') => end + 1,
        _ => 0,
    };
    1 + escaped.map_or(0, char::len_utf8) + braces
}

/// Whether a brace opens `{n}`, `{n,}`, `{n,m}` or `{,m}`.
fn is_repetition(text: &str) -> bool {
    let counts = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    counts.is_some_and(|(counts, _)| {
        let (least, most) = counts.split_once(',').unwrap_or((counts, ""));
        let is_count = |count: &str| count.bytes().all(|byte| byte.is_ascii_digit());
        is_count(least) && is_count(most) && !(least.is_empty() && most.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_and_brackets_that_mean_themselves_are_escaped() {
        for (go, expected) in [
            (r"^\$(?:\d+|{\d+})$", r"^\$(?:\d+|\{\d+})$"),
            ("a{2}b{2,}c{2,3}d{,3}", "a{2}b{2,}c{2,3}d{,3}"),
            ("{{[^}]+}}", r"\{\{[^}]+}}"),
            ("{x}{,}", r"\{x}\{,}"),
            (r"\x{7f}\p{Greek}\{\b{start}", r"\x{7f}\p{Greek}\{\b{start}"),
            ("[[a]", r"[\[a]"),
            ("[][]", r"[]\[]"),
            ("[^][{]{", r"[^]\[{]\{"),
            ("[[:alpha:]{]", "[[:alpha:]{]"),
            (r"[\]{]é{", r"[\]{]é\{"),
            ("a{", r"a\{"),
            ("[", "["),
            ("\\", "\\"),
        ] {
            assert_eq!(from_go(go), expected, "{go}");
        }
    }
}
