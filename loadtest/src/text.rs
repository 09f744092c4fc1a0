//! Bodies: clean text that looks like the JSON of a language model, and the findings that a share of the
//! requests carries. Every secret here is invented.

/// Words of the clean text; none of them is part of a rule.
const WORDS: [&str; 24] = [
    "the", "model", "answers", "with", "a", "short", "list", "of", "steps", "and", "then", "asks",
    "which", "file", "should", "be", "changed", "first", "because", "tests", "fail", "on", "main",
    "branch",
];

/// Words of prose and code; none of them is part of a rule either.
const TALK_WORDS: [&str; 64] = [
    "the", "a", "file", "test", "value", "index", "list", "we", "that", "should", "change",
    "first", "window", "border", "length", "count", "each", "line", "is", "not", "counted",
    "twice", "when", "reader", "gives", "less", "than", "asked", "for", "so", "loop", "ends",
    "before", "last", "piece", "comes", "parser", "state", "keeps", "what", "was", "left", "over",
    "and", "returns", "early", "if", "nothing", "new", "arrived", "buffer", "slice", "offset",
    "module", "function", "argument", "branch", "build", "passes", "now", "with", "these", "two",
    "lines",
];

/// How long the clean text is at least before it starts again.
pub const TEXT_BYTES: usize = 1024 * 1024;

/// Words that tell a number, and the spaces between them.
pub const SLOT_BYTES: usize = 19;
/// The bits of a number that its words tell.
pub const NUMBER_BITS: u32 = 48;
/// Each second line has a slot, at its front.
const LINES_A_SLOT: usize = 2;

/// Text with slots for numbers, `SLOT_BYTES` each.
pub struct Text {
    pub bytes: Vec<u8>,
    /// Where they begin, in order.
    pub slots: Vec<usize>,
}

/// Clean text in lines of JSON, always the same. Some 250 bytes lie between its slots, never 512.
pub fn clean() -> Text {
    let mut text = Text { bytes: Vec::with_capacity(TEXT_BYTES + 256), slots: Vec::new() };
    let mut state: u32 = 2_463_534_242;
    let mut line = 0;
    while text.bytes.len() < TEXT_BYTES {
        text.bytes.extend_from_slice(br#"{"type":"content_block_delta","delta":{"text":""#);
        if line % LINES_A_SLOT == 0 {
            text.slots.push(text.bytes.len());
            text.bytes.extend_from_slice(&words_of(0));
            text.bytes.push(b' ');
        }
        for _ in 0..12 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let word = WORDS.get(state as usize % WORDS.len()).copied().unwrap_or("word");
            text.bytes.extend_from_slice(word.as_bytes());
            text.bytes.push(b' ');
        }
        text.bytes.extend_from_slice(b"\"}}\n");
        line += 1;
    }
    text
}

/// Clean text as agents send it, lines of prose and of code, always the same; with slots as close.
pub fn talk() -> Text {
    let mut text = Text { bytes: Vec::with_capacity(TEXT_BYTES + 256), slots: Vec::new() };
    let mut state: u32 = 2_463_534_242;
    let mut line = 0;
    while text.bytes.len() < TEXT_BYTES {
        if line % LINES_A_SLOT == 0 {
            text.slots.push(text.bytes.len());
            text.bytes.extend_from_slice(&words_of(0));
            text.bytes.push(b' ');
        }
        let mut word = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            TALK_WORDS.get(state as usize % TALK_WORDS.len()).copied().unwrap_or("word")
        };
        let words = match line % 5 {
            0 => format!(
                "    let {}_{} = {}.read(\"{}/{}.rs\")?;\n",
                word(),
                word(),
                word(),
                word(),
                word()
            ),
            2 => format!(
                "    if {}.is_{}() {{ return {}({}, {}) }}\n",
                word(),
                word(),
                word(),
                word(),
                word()
            ),
            _ => (0..14).map(|_| word()).collect::<Vec<_>>().join(" ") + ".\n",
        };
        text.bytes.extend_from_slice(words.as_bytes());
        line += 1;
    }
    text
}

/// Four words that tell a number, other ones for each: short and of letters, as the text around them is.
pub fn words_of(number: u64) -> [u8; SLOT_BYTES] {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 4] = b"aeio";
    let consonant = |bits: u64| CONSONANTS.get(bits as usize & 15).copied().unwrap_or(b'x');
    let vowel = |bits: u64| VOWELS.get(bits as usize & 3).copied().unwrap_or(b'y');
    let mut words = [b' '; SLOT_BYTES];
    for (word, shift) in words.chunks_mut(5).zip([36, 24, 12, 0]) {
        let bits = number >> shift;
        let letters = [consonant(bits >> 8), vowel(bits >> 6), consonant(bits >> 2), vowel(bits)];
        for (place, letter) in word.iter_mut().zip(letters) {
            *place = letter;
        }
    }
    words
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
    fn slots_lie_closer_than_a_stretch_that_may_not_come_twice() {
        for Text { bytes, slots } in [clean(), talk()] {
            assert!(bytes.len() >= TEXT_BYTES && bytes.ends_with(b"\n"));
            let again = slots.iter().map(|slot| slot + bytes.len());
            let places: Vec<usize> = slots.iter().copied().chain(again).collect();
            let ends = places.windows(2).map(|pair| pair[1] + SLOT_BYTES - pair[0]);
            assert!(ends.max().unwrap() <= crate::bodies::STRETCH_BYTES);
            let is_slot = |window: &&[u8]| *window == words_of(0);
            assert_eq!(bytes.windows(SLOT_BYTES).filter(is_slot).count(), slots.len());
        }
    }

    #[test]
    fn every_number_has_words_of_its_own() {
        assert_eq!(&words_of(0), b"baba baba baba baba");
        assert_eq!(&words_of((1 << NUMBER_BITS) - 1), b"zozo zozo zozo zozo");
        let numbers = (0..5000).chain((0..NUMBER_BITS).map(|bit| 1 << bit).filter(|n| *n >= 5000));
        let numbers: Vec<u64> = numbers.collect();
        let words: std::collections::HashSet<_> = numbers.iter().map(|n| words_of(*n)).collect();
        assert_eq!(words.len(), numbers.len());
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
