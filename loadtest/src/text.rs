//! Bodies: clean text that looks like the JSON of a language model, and the findings that a share of the
//! requests carries. Every secret here is invented.

/// Words of the clean text; none of them is part of a rule.
const WORDS: [&str; 24] = [
    "the", "model", "answers", "with", "a", "short", "list", "of", "steps", "and", "then", "asks",
    "which", "file", "should", "be", "changed", "first", "because", "tests", "fail", "on", "main",
    "branch",
];

/// How long one repetition of the clean text is before it starts again.
pub const TEXT_BYTES: usize = 1024 * 1024;

/// Clean text, always the same, `TEXT_BYTES` long.
pub fn clean() -> Vec<u8> {
    let mut text = Vec::with_capacity(TEXT_BYTES + 128);
    let mut state: u32 = 2_463_534_242;
    while text.len() < TEXT_BYTES {
        text.extend_from_slice(br#"{"type":"content_block_delta","delta":{"text":""#);
        for _ in 0..12 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let word = WORDS.get(state as usize % WORDS.len()).copied().unwrap_or("word");
            text.extend_from_slice(word.as_bytes());
            text.push(b' ');
        }
        text.extend_from_slice(b"\"}}\n");
    }
    text.truncate(TEXT_BYTES);
    text
}

/// Clean text of `len` bytes.
pub fn clean_of(len: usize) -> Vec<u8> {
    clean().into_iter().cycle().take(len).collect()
}

/// Findings that a request may carry.
pub const FINDINGS_MAX: usize = 4;

/// Header lines that each are one finding, of different rules, and new: `number` is in each of the secrets. They are
/// put together here, so that none of them is in this source or in the program.
pub fn finding_headers(number: u64) -> [String; FINDINGS_MAX] {
    let letters = letters(number);
    let lower = letters.to_lowercase();
    let digits = number % 1_000_000_000_000;
    [
        format!("Authorization: Bearer sk-{}-api03-{letters}{lower}\r\n", "ant"),
        format!("X-Access: {}QX{letters}\r\n", "AKIA"),
        format!("X-Lab: {}-{letters}x7Kq2m\r\n", "glpat"),
        format!("X-Bot: {}-{digits:012}-{digits:012}-{letters}{lower}\r\n", "xoxb"),
    ]
}

/// Fourteen letters of a number, other ones for each: it is spread first, so that they look like those of a key.
fn letters(number: u64) -> String {
    let spread = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let digits = std::iter::successors(Some(spread), |left| Some(left / 26));
    digits.take(14).map(|left| (b'A' + (left % 26) as u8) as char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_text_has_its_length_and_repeats() {
        assert_eq!(clean().len(), TEXT_BYTES);
        let long = clean_of(TEXT_BYTES + 10);
        assert_eq!(long.len(), TEXT_BYTES + 10);
        assert_eq!(long.get(TEXT_BYTES..), long.get(..10));
    }

    #[test]
    fn every_finding_is_a_new_one() {
        let mut all: Vec<_> = (0..1000).flat_map(finding_headers).collect();
        assert!(all.iter().all(|line| line.ends_with("\r\n") && line.matches('\n').count() == 1));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 1000 * FINDINGS_MAX);
    }
}
