//! Signs within words that Markdown escapes: who makes it of a page writes `npm\_a1b2`.

/// The most backslashes before a sign: each text that holds another one doubles them.
const BACKSLASHES_MAX: usize = 4;

/// How many bytes the escaped sign takes that `text` begins with, if it stands within a word whose last byte is `before`:
/// the last of them is what it says.
pub fn escaped_sign(before: u8, text: &[u8]) -> Option<usize> {
    let slashes = backslashes(text);
    let (sign, behind) = text.get(slashes..)?.split_first()?;
    let more = backslashes(behind);
    let goes_on = behind.get(more).is_some_and(|next| match more {
        0 => next.is_ascii_alphanumeric(),
        _ => is_sign(*next),
    });
    let follows = before.is_ascii_alphanumeric() || is_sign(before);
    (slashes > 0 && is_sign(*sign) && follows && goes_on).then_some(slashes + 1)
}

/// Whether the backslash at `at`, the last before a sign, is of such an escape.
pub fn is_escaped(text: &[u8], at: usize) -> bool {
    let before = text.get(at.saturating_sub(BACKSLASHES_MAX - 1)..at).unwrap_or_default();
    let start = at - before.iter().rev().take_while(|byte| **byte == b'\\').count();
    let last = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(0);
    text.get(start..).is_some_and(|text| escaped_sign(last, text).is_some())
}

fn backslashes(text: &[u8]) -> usize {
    text.iter().take(BACKSLASHES_MAX).take_while(|byte| **byte == b'\\').count()
}

fn is_sign(byte: u8) -> bool {
    matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signs_within_words_are_escaped() {
        for (before, text, len) in [
            (b'm', r"\_k", Some(2)),
            (b'4', r"\-k", Some(2)),
            (b'm', r"\\\\_k", Some(5)),
            (b'm', r"\_\_k", Some(2)),
            (b'_', r"\_k", Some(2)),
            (b'm', r"\\\\\_k", None),
            (b' ', r"\_k", None),
            (b'm', r"\_ ", None),
            (b'm', r"\_", None),
            (b'9', r"\-_]", None),
            (b'd', r"\-\d", None),
            (b'm', r"\*k", None),
            (b'm', r"\\", None),
            (b'm', "_k", None),
        ] {
            assert_eq!(escaped_sign(before, text.as_bytes()), len, "{text}");
        }
        assert!(is_escaped(br"m\\_k", 2) && is_escaped(br"m\_k", 1));
        assert!(!is_escaped(br"m\\\\\_k", 5) && !is_escaped(br"\_k", 0));
    }
}
