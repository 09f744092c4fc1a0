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

/// Header lines that each are one finding, of different rules.
pub fn finding_headers() -> [String; 4] {
    let key = format!("sk-{}-api03-EXAMPLEEXAMPLEEXAMPLE", "ant");
    let access = format!("{}IOSFODNN7EXAMPLE", "AKIA");
    [
        format!("Authorization: Bearer {key}\r\n"),
        format!("X-Access: {access}\r\n"),
        "X-Path: /etc/passwd\r\n".to_owned(),
        "X-Environment: /srv/app/.env\r\n".to_owned(),
    ]
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
}
