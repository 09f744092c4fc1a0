//! One control sequence of a terminal (ECMA-48): a colour, a move of the cursor, a title, a link.

use crate::limits::FOLD_CARRY_BYTES;

/// What each of them begins with.
pub const ESCAPE: u8 = 0x1b;
/// The longest one that is known.
const SEQUENCE_MAX_BYTES: usize = FOLD_CARRY_BYTES;

/// A sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    pub len: usize,
    /// Whether what follows it is shown at another place: it is no part of the word before it.
    pub is_move: bool,
}

/// The sequence that `text` begins with.
pub fn at_start(text: &[u8]) -> Option<Sequence> {
    let (&ESCAPE, rest) = text.split_first()? else { return None };
    let sequence = behind_escape(rest)?;
    Some(Sequence { len: sequence.len + 1, ..sequence })
}

/// The rest of a sequence whose first byte stands before `text`.
pub fn behind_escape(text: &[u8]) -> Option<Sequence> {
    const BELL: u8 = 7;
    let text = text.get(..SEQUENCE_MAX_BYTES - 1).unwrap_or(text);
    let unseen = |len| Some(Sequence { len, is_move: false });
    match text {
        [b'[', rest @ ..] => {
            let parameters = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'?')).count();
            let between = rest.iter().skip(parameters);
            let last = parameters + between.take_while(|byte| matches!(byte, b' '..=b'/')).count();
            let is_move = match rest.get(last)? {
                b'A'..=b'H' | b'`' | b'a' | b'd'..=b'f' => true,
                b'@'..=b'~' => false,
                _ => return None,
            };
            Some(Sequence { len: last + 2, is_move })
        }
        [b']', rest @ ..] => {
            let end = rest.iter().position(|byte| matches!(*byte, BELL | ESCAPE))?;
            match rest.get(end..)? {
                [BELL, ..] => unseen(end + 2),
                [ESCAPE, b'\\', ..] => unseen(end + 3),
                _ => None,
            }
        }
        [b'(' | b')', b'0'..=b'9' | b'A'..=b'Z', ..] => unseen(2),
        [b'7' | b'8' | b'=' | b'>', ..] => unseen(1),
        _ => None,
    }
}

/// Whether a control sequence, whose first byte or the escape of it is at `at` and the rest at the start of `behind`,
/// stands directly beside something that is shown.
pub fn splits_text(text: &[u8], at: usize, behind: Option<&[u8]>) -> bool {
    let Some(sequence) = behind.and_then(behind_escape) else { return false };
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    [before, behind.and_then(|behind| behind.get(sequence.len))]
        .into_iter()
        .flatten()
        .any(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_end_where_terminals_end_them() {
        for (text, len) in [
            ("\x1b[m-", 3),
            ("\x1b[01;31mx", 8),
            ("\x1b[38;2;255;255;255mx", 19),
            ("\x1b[?25lx", 6),
            ("\x1b[2 qx", 5),
            ("\x1b]0;title\x07x", 10),
            ("\x1b]8;;\x1b\\x", 7),
            ("\x1b(Bx", 3),
            ("\x1b7x", 2),
        ] {
            let sequence = Sequence { len, is_move: false };
            assert_eq!(at_start(text.as_bytes()), Some(sequence), "{}", text.escape_default());
        }
        for text in ["\x1b[10;5Hx", "\x1b[1Cx", "\x1b[Ax"] {
            let found = at_start(text.as_bytes()).unwrap();
            assert!(found.is_move && found.len == text.len() - 1, "{}", text.escape_default());
        }
        for text in
            ["\x1b", "\x1b[", "\x1b[1", "\x1b[\n", "\x1b]0;t\n", "\x1b]0;\x1b[", "\x1bx", "x"]
        {
            assert_eq!(at_start(text.as_bytes()), None, "{}", text.escape_default());
        }
    }

    #[test]
    fn a_sequence_at_the_bound_is_one_and_a_longer_one_is_not() {
        let sequence = |len: usize| format!("\x1b[{}m", "0".repeat(len - 3));
        let longest = sequence(SEQUENCE_MAX_BYTES);
        assert_eq!(at_start(longest.as_bytes()).map(|found| found.len), Some(SEQUENCE_MAX_BYTES));
        assert_eq!(at_start(sequence(SEQUENCE_MAX_BYTES + 1).as_bytes()), None);
    }
}
