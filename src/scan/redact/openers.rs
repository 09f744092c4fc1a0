//! Where the secrets of a text may begin, told by their first letters: one cheap look instead of an expression for
//! each kind over all of the text, since most texts hold none of them.

use std::ops::RangeInclusive;

/// What may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Token,
    Scheme,
    Name,
    /// A scheme, or a name.
    Both,
}

/// From the first to the last place where something of a kind may begin.
pub(super) type Reach = Option<RangeInclusive<usize>>;

/// The reach of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Openers {
    pub(super) tokens: Reach,
    pub(super) schemes: Reach,
    pub(super) names: Reach,
}

/// Every match of an expression of `redact` begins with one of those of its kind, in whatever case.
const OPENERS: [(&[u8], Kind); 36] = [
    (b"sk-", Kind::Token),
    (b"sk_", Kind::Token),
    (b"akia", Kind::Token),
    (b"asia", Kind::Token),
    (b"ghp_", Kind::Token),
    (b"gho_", Kind::Token),
    (b"ghu_", Kind::Token),
    (b"ghs_", Kind::Token),
    (b"ghr_", Kind::Token),
    (b"github_pat_", Kind::Token),
    (b"xox", Kind::Token),
    (b"aiza", Kind::Token),
    (b"glpat-", Kind::Token),
    (b"npm_", Kind::Token),
    (b"hf_", Kind::Token),
    (b"rk_", Kind::Token),
    (b"pk_", Kind::Token),
    (b"whsec_", Kind::Token),
    (b"ya29.", Kind::Token),
    (b"sg.", Kind::Token),
    (b"eyj", Kind::Token),
    (b"bearer", Kind::Scheme),
    (b"basic", Kind::Scheme),
    (b"digest", Kind::Scheme),
    (b"negotiate", Kind::Scheme),
    (b"token", Kind::Both),
    (b"pass", Kind::Name),
    (b"pwd", Kind::Name),
    (b"secret", Kind::Name),
    (b"api", Kind::Name),
    (b"access", Kind::Name),
    (b"credential", Kind::Name),
    (b"private", Kind::Name),
    (b"session", Kind::Name),
    (b"cookie", Kind::Name),
    (b"auth", Kind::Name),
];

/// How many bytes of an opener are looked up.
const FRONT_BYTES: usize = 3;
/// The fronts of the openers, of whose bytes five bits count: a letter's, whatever its case.
#[expect(clippy::indexing_slicing, reason = "the compiler computes it, and would refuse")]
const FRONTS: [u16; OPENERS.len()] = {
    let mut fronts = [0; OPENERS.len()];
    let mut number = 0;
    while number < OPENERS.len() {
        let (opener, _) = OPENERS[number];
        fronts[number] = front(opener[0], opener[1], opener[2]);
        number += 1;
    }
    fronts
};
/// One bit for each front that there can be.
#[expect(clippy::indexing_slicing, reason = "the compiler computes it, and would refuse")]
const IS_FRONT: [u64; 1 << (5 * FRONT_BYTES - 6)] = {
    let mut bits = [0; 1 << (5 * FRONT_BYTES - 6)];
    let mut number = 0;
    while number < FRONTS.len() {
        bits[FRONTS[number] as usize / 64] |= 1 << (FRONTS[number] % 64);
        number += 1;
    }
    bits
};

const fn front(first: u8, second: u8, third: u8) -> u16 {
    ((first & 31) as u16) << 10 | ((second & 31) as u16) << 5 | (third & 31) as u16
}

impl Openers {
    /// Looks through a text.
    pub(super) fn of(text: &[u8]) -> Openers {
        let mut openers = Openers::default();
        for (at, bytes) in text.array_windows::<FRONT_BYTES>().enumerate() {
            let [first, second, third] = *bytes;
            let front = front(first, second, third);
            let word = IS_FRONT.get(usize::from(front / 64));
            if word.is_some_and(|word| word >> (front % 64) & 1 == 1) {
                openers.add(text.get(at..).unwrap_or_default(), front, at);
            }
        }
        openers
    }

    /// Notes what a text of this front, which stands at `at`, begins with.
    #[cold]
    fn add(&mut self, text: &[u8], front: u16, at: usize) {
        let begins = |opener: &[u8]| {
            text.get(..opener.len()).is_some_and(|start| start.eq_ignore_ascii_case(opener))
        };
        let of_front = OPENERS.iter().zip(FRONTS).filter(|(_, other)| *other == front);
        for ((opener, kind), _) in of_front {
            if begins(opener) {
                match kind {
                    Kind::Token => stretch(&mut self.tokens, at),
                    Kind::Scheme => stretch(&mut self.schemes, at),
                    Kind::Name => stretch(&mut self.names, at),
                    Kind::Both => {
                        stretch(&mut self.schemes, at);
                        stretch(&mut self.names, at);
                    }
                }
            }
        }
    }
}

fn stretch(reach: &mut Reach, at: usize) {
    let first = reach.as_ref().map_or(at, |reach| *reach.start());
    *reach = Some(first..=at);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::string::bytes_regex;

    use super::super::{NAME_HEAD, SCHEME, SPLIT_TOKEN, TOKEN_HEAD};
    use super::*;

    #[test]
    fn each_kind_reaches_from_its_first_to_its_last_opener() {
        let openers = |tokens, schemes, names| Openers { tokens, schemes, names };
        for (text, expected) in [
            ("", openers(None, None, None)),
            ("sk", openers(None, None, None)),
            ("a plain text of no kind, pas", openers(None, None, None)),
            ("a SK-", openers(Some(2..=2), None, None)),
            ("Token ", openers(None, Some(0..=0), Some(0..=0))),
            ("my_password", openers(None, None, Some(3..=3))),
            ("bearer of an eyJ, auth, basic", openers(Some(13..=13), Some(0..=24), Some(18..=18))),
        ] {
            assert_eq!(Openers::of(text.as_bytes()), expected, "{text}");
        }
    }

    /// What an expression may match, without the borders of words: they are conditions, not bytes.
    fn matching(expression: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
        bytes_regex(&expression.replace(r"\b", "")).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]
        #[test]
        fn whatever_an_expression_matches_begins_with_an_opener(
            token in matching(TOKEN_HEAD),
            split in matching(SPLIT_TOKEN),
            scheme in matching(SCHEME),
            name in matching(NAME_HEAD),
            before in "[a-z :/]{0,4}",
        ) {
            let reaches = |reach: &Reach| {
                reach.as_ref().is_some_and(|reach| reach.contains(&before.len()))
            };
            let of = |matched: &[u8]| Openers::of(&[before.as_bytes(), matched].concat());
            prop_assert!(reaches(&of(&token).tokens), "{:?}", token);
            prop_assert!(reaches(&of(&split).tokens), "{:?}", split);
            prop_assert!(reaches(&of(&scheme).schemes), "{:?}", scheme);
            prop_assert!(reaches(&of(&name).names), "{:?}", name);
        }
    }
}
