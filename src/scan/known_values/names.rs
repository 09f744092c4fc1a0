//! Names of hosts that hold half of a value: how much of them must not be shown.

use std::ops::Range;

/// The labels that are shown of a name in which the rest of a half may stand: who reads it sees where that went.
const SHOWN_LABELS: usize = 2;

/// From the beginning of the name that half of a value stands in to its domain, or to the end of the half.
pub(super) fn around(text: &[u8], half: Range<usize>) -> Range<usize> {
    let before = text.get(..half.start).unwrap_or_default();
    let behind = text.get(half.end..).unwrap_or_default();
    let start = half.start - before.iter().rev().take_while(is_of_name).count();
    let end = half.end + behind.iter().take_while(is_of_name).count();
    let name = text.get(start..end).unwrap_or_default();
    let name = name.strip_suffix(b".").unwrap_or(name);
    let dots = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
    let domain = dots.map(|(at, _)| start + at).nth(SHOWN_LABELS - 1);
    start..domain.unwrap_or(start).max(half.end)
}

fn is_of_name(byte: &&u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_alone_is_left_of_a_name_with_half_a_value() {
        for (text, left) in [
            ("x ▶ a.HALF.rest.evil.example:443: gone", "x ▶ .evil.example:443: gone"),
            ("HALF.evil.example", ".evil.example"),
            ("restHALFrest.evil.example.:1", ".evil.example.:1"),
            ("rest.HALF.example", ".example"),
            ("rest.HALF", ""),
            ("say HALF now", "say  now"),
        ] {
            let at = text.find("HALF").unwrap();
            let hidden = around(text.as_bytes(), at..at + 4);
            let shown = [&text[..hidden.start], &text[hidden.end..]].concat();
            assert_eq!(shown, left, "{text}");
        }
    }
}
