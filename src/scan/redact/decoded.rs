//! What a piece of text says once it is decoded as texts are that are looked through, with the places that it comes
//! from: a secret that is only encoded is hidden as one that is not.

use std::ops::Range;

use crate::limits::{SNIPPET_DECODED_DEEP, SNIPPET_NUMBERS_MIN};
use crate::scan::view::fold::{Folder, Kinds};

/// A piece of text, decoded.
pub(in crate::scan) struct Decoded {
    text: Vec<u8>,
    /// Where each byte of it comes from.
    from: Vec<Range<usize>>,
}

/// How numbers in a row stand for the bytes of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Numbers {
    /// `65, 75`, `chr(65)+chr(75)`.
    Decimal,
    /// `41 4b`, `0x41, 0x4b`, `414b 4941`.
    Hex,
}

/// All that a piece of text says where it is decoded; nothing of one in which nothing is encoded.
pub(in crate::scan) fn decodings(text: &[u8]) -> Vec<Decoded> {
    let mut all = Vec::new();
    let mut layer = None::<Decoded>;
    for _ in 0..SNIPPET_DECODED_DEEP {
        let before = layer.as_ref().map_or(text, |decoded| decoded.text.as_slice());
        for numbers in [Numbers::Decimal, Numbers::Hex] {
            if let Some(listed) = unlisted(before, numbers) {
                let folded =
                    folded(&listed.text, Folder::new()).map(|(folded, _)| folded.within(&listed));
                all.extend(folded.map(|folded| folded.over(layer.as_ref())));
                all.push(listed.over(layer.as_ref()));
            }
        }
        let Some((next, kinds)) = folded(before, Folder::new()) else { break };
        if kinds.contains(Kinds::PERCENT) {
            let of_form = folded(before, Folder::of_form()).map(|(of_form, _)| of_form);
            all.extend(of_form.map(|of_form| of_form.over(layer.as_ref())));
        }
        let next = next.over(layer.as_ref());
        all.extend(layer.replace(next));
    }
    all.extend(layer);
    all
}

impl Decoded {
    pub(in crate::scan) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The piece that some of the text comes from.
    pub(in crate::scan) fn source(&self, said: Range<usize>) -> Range<usize> {
        let mut of = self.from.get(said).unwrap_or_default().iter();
        match (of.next(), of.next_back()) {
            (Some(first), Some(last)) => first.start..last.end,
            (Some(only), None) => only.clone(),
            _ => 0..0,
        }
    }

    /// What a piece says.
    pub(in crate::scan) fn said_of(&self, source: Range<usize>) -> Range<usize> {
        let start = self.from.partition_point(|from| from.end <= source.start);
        let end = self.from.partition_point(|from| from.start < source.end);
        start..end.max(start)
    }

    /// The same, from the places that what was decoded came from itself.
    fn over(self, outer: Option<&Decoded>) -> Decoded {
        match outer {
            Some(outer) => self.within(outer),
            None => self,
        }
    }

    fn within(self, outer: &Decoded) -> Decoded {
        let from = self.from.into_iter().map(|from| outer.source(from)).collect();
        Decoded { text: self.text, from }
    }
}

/// With its escapes resolved, what cannot be seen taken away; none if there is nothing of that.
fn folded(text: &[u8], folder: Folder) -> Option<(Decoded, Kinds)> {
    let (mut said, mut from) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
    let kinds = folder.fold_whole(text, &mut said, &mut from);
    (!kinds.is_empty()).then_some((Decoded { text: said, from }, kinds))
}

/// With the bytes in place of the rows of numbers that stand for them; none if there is no such row.
fn unlisted(text: &[u8], numbers: Numbers) -> Option<Decoded> {
    let mut decoded = Decoded { text: Vec::new(), from: Vec::new() };
    let (mut at, mut is_any) = (0, false);
    while let Some(byte) = text.get(at) {
        let is_in_word =
            at.checked_sub(1).and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
        let row = byte.is_ascii_hexdigit() && !is_in_word;
        let len = decoded.text.len();
        let end = if row { take_row(text, at, numbers, &mut decoded) } else { at };
        if decoded.text.len() - len >= SNIPPET_NUMBERS_MIN {
            is_any = true;
            at = end;
            continue;
        }
        decoded.text.truncate(len);
        decoded.from.truncate(len);
        // What is no row is no row from its second number on, either.
        let end = end.max(at + 1);
        decoded.text.extend(text.get(at..end).unwrap_or_default());
        decoded.from.extend((at..end).map(|at| at..at + 1));
        at = end;
    }
    is_any.then_some(decoded)
}

/// Adds the bytes of the numbers in a row from `at` on; where these end.
fn take_row(text: &[u8], at: usize, numbers: Numbers, decoded: &mut Decoded) -> usize {
    let (mut next, mut end) = (at, at);
    while let Some(after) = take_number(text, next, numbers, decoded) {
        end = after;
        let Some(len) = between(text.get(end..).unwrap_or_default()) else { break };
        next = end + len;
    }
    end
}

/// Adds the bytes of one number, if these are text; where it ends.
fn take_number(text: &[u8], at: usize, numbers: Numbers, decoded: &mut Decoded) -> Option<usize> {
    let rest = text.get(at..)?;
    let prefix = match rest {
        [b'0', b'x' | b'X', ..] if numbers == Numbers::Hex => 2,
        _ => 0,
    };
    let word = rest.get(prefix..)?;
    let digits = word.get(..word.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count())?;
    let end = at + prefix + digits.len();
    let (len, is_text) =
        (decoded.text.len(), |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
    let number = |digits, radix| u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    match numbers {
        Numbers::Decimal if matches!(digits.len(), 2 | 3) => {
            decoded.text.extend(number(digits, 10).filter(is_text));
        }
        Numbers::Hex if matches!(digits.len(), 2 | 4 | 8 | 16 | 32) => {
            let (pairs, _) = digits.as_chunks::<2>();
            let bytes = pairs
                .iter()
                .map(|pair| number(pair, 16).filter(is_text))
                .take_while(Option::is_some);
            decoded.text.extend(bytes.flatten());
        }
        _ => {}
    }
    let added = decoded.text.len() - len;
    let places = (0..added).map(|place| match numbers {
        Numbers::Decimal => at..end,
        Numbers::Hex => {
            let start = at + prefix + 2 * place;
            (if place == 0 { at } else { start })..start + 2
        }
    });
    decoded.from.extend(places);
    (added > 0).then_some(end)
}

/// How much stands between a number and the next of a row; none if they are in none.
fn between(rest: &[u8]) -> Option<usize> {
    /// As much as an indented line of one number has, or a call around each.
    const MOST: usize = 24;
    let near = rest.get(..rest.len().min(MOST)).unwrap_or_default();
    let digit = near.iter().position(|byte| byte.is_ascii_hexdigit() && !b"cC".contains(byte))?;
    let between = near.get(..digit)?;
    let signs = between.iter().filter(|byte| !byte.is_ascii_alphabetic());
    let is_sign = |byte: &u8| byte.is_ascii_whitespace() || b",;:+.&|()[]{}'\"\\".contains(byte);
    let is_call = between.split(|byte| !byte.is_ascii_alphabetic()).all(|word| {
        word.is_empty()
            || [&b"chr"[..], b"chrw", b"char"].iter().any(|call| call.eq_ignore_ascii_case(word))
    });
    (!between.is_empty() && signs.clone().count() > 0 && signs.clone().all(is_sign) && is_call)
        .then_some(digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is said, each with the pieces of the text that `part` of it comes from.
    fn sources(text: &str, part: &str) -> Vec<String> {
        let of = decodings(text.as_bytes());
        let of = of.iter().filter_map(|decoded| {
            let at = decoded.text().windows(part.len()).position(|said| said == part.as_bytes())?;
            Some(text[decoded.source(at..at + part.len())].to_owned())
        });
        of.collect()
    }

    #[test]
    fn each_encoding_is_decoded_with_its_places() {
        for encoded in [
            "%72%6f%75%67%68%2D%31%32",
            "%2572%256f%2575%2567%2568-12",
            r"\x72\x6f\x75\x67\x68\x2d\x31\x32",
            r"\162\157\165\147\150\055\061\062",
            r"\u0072\u006f\u0075\u0067\u0068\u002d\u0031\u0032",
            r"\\u{72}ough-12",
            "&#114;&#x6f;ugh-12",
            "ｒｏｕｇｈ－１２",
            "r\u{200b}ough-12",
            "114,111,117,103,104,45,49,50",
            "114 111 117 103 104 45 49 50",
            "114)+chr(111)+chr(117)+chr(103)+chr(104)+chr(45)+chr(49)+chr(50",
            "0x72, 0x6f, 0x75, 0x67, 0x68, 0x2d, 0x31, 0x32",
            "72 6f 75 67 68 2d 31 32",
            "72:6f:75:67:68:2d:31:32",
            "726f 7567 682d 3132",
            "%31%31%34,111,117,103,104,45,49,50",
        ] {
            let text = format!("say “{encoded}” now");
            assert_eq!(
                sources(&text, "rough-12").first().map(String::as_str),
                Some(encoded),
                "{text}"
            );
        }
    }

    #[test]
    fn plain_texts_have_no_decodings() {
        for text in
            ["", "plain words, 12 of them", "10 20 30 1000", "de ad be ef", "it's \"so\" (a, b)"]
        {
            assert!(decodings(text.as_bytes()).is_empty(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn places_are_in_order_and_within_the_text(
            text in "([ -~]|%[0-9a-f]{2}|\\\\x[0-9a-f]{2}|&#[0-9]{2,3};|[0-9]{2,3},|[ａ-ｚ]|\u{200b}|[0-9a-f]{2} ){0,80}",
        ) {
            for decoded in decodings(text.as_bytes()) {
                prop_assert_eq!(decoded.text.len(), decoded.from.len());
                prop_assert!(decoded.from.iter().all(|from| from.start < from.end && from.end <= text.len()));
                let is_ordered = decoded.from.is_sorted_by(|one, next| one.start <= next.start && one.end <= next.end);
                prop_assert!(is_ordered);
                let all = decoded.source(0..decoded.text.len());
                prop_assert_eq!(decoded.said_of(all), 0..decoded.text.len());
            }
        }
    }
}
