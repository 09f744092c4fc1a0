//! The lines of an `.env` file: `KEY=value`, `export KEY="value"`, comments. Bytes in, pairs out.

use std::borrow::Cow;

use memchr::{memchr, memchr2};
use zeroize::Zeroizing;

/// A key and its value.
pub(super) type Pair<'a> = (Cow<'a, str>, Zeroizing<Vec<u8>>);

/// Every pair, in order. Quoted values may go over several lines; in double quotes a backslash escapes. Of whichever
/// coding the text is: only signs of ASCII mean anything here.
pub(super) fn pairs(mut text: &[u8]) -> Vec<Pair<'_>> {
    let mut pairs = Vec::new();
    while !text.is_empty() {
        let (line, rest) = split(text, b'\n').unwrap_or((text, b""));
        let is_comment = line.trim_ascii_start().starts_with(b"#");
        let Some((key, value)) = split(line, b'=').filter(|_| !is_comment) else {
            text = rest;
            continue;
        };
        let key = key.trim_ascii();
        let key = key.strip_prefix(b"export ").map_or(key, <[u8]>::trim_ascii);
        let key = String::from_utf8_lossy(key);
        let begun = value.trim_ascii_start();
        let quoted = match begun.first() {
            // From the opening quote to the end of the file: the value may not end on this line.
            Some(quote @ (b'"' | b'\'')) => {
                text.get(line.len() - begun.len() + 1..).and_then(|text| quoted(text, *quote))
            }
            _ => None,
        };
        match quoted {
            Some((value, behind)) => {
                pairs.push((key, value));
                text = split(behind, b'\n').map_or(b"", |(_, rest)| rest);
            }
            None => {
                pairs.push((key, Zeroizing::new(without_comment(value).trim_ascii().to_vec())));
                text = rest;
            }
        }
    }
    pairs
}

/// What stands before a sign, and what behind it.
fn split(text: &[u8], sign: u8) -> Option<(&[u8], &[u8])> {
    let (before, behind) = text.split_at_checked(memchr(sign, text)?)?;
    Some((before, behind.get(1..)?))
}

/// A comment begins behind a blank or a tab.
fn without_comment(value: &[u8]) -> &[u8] {
    let end = value.windows(2).position(|signs| matches!(signs, [b' ' | b'\t', b'#']));
    end.and_then(|end| value.get(..end)).unwrap_or(value)
}

/// What stands before the closing quote, and what behind it; none if it is never closed.
fn quoted(text: &[u8], quote: u8) -> Option<(Zeroizing<Vec<u8>>, &[u8])> {
    let (inside, behind) = text.split_at_checked(closing(text, quote)?)?;
    // So that nothing of it is copied elsewhere; and no more, since all of it is wiped.
    let mut value = Zeroizing::new(Vec::with_capacity(inside.len()));
    let mut bytes = inside.iter();
    while let Some(byte) = bytes.next() {
        value.push(match *byte {
            b'\\' if quote == b'"' => match *bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                other => other,
            },
            other => other,
        });
    }
    Some((value, behind.get(1..)?))
}

/// Where the closing quote stands.
fn closing(text: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let at =
            from + if quote == b'"' { memchr2(b'"', b'\\', rest) } else { memchr(quote, rest) }?;
        if text.get(at) == Some(&quote) {
            return Some(at);
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_to_write_a_pair() {
        let text = "# a comment = none\n\nPLAIN=one two # said\r\nexport EXPORTED = \"three\\n\\\"four\" # x\n\
                    SINGLE='five\\n'\nLINES=\"six\nseven\"\nOPEN=\"eight\nEMPTY=\nlast=nine=ten";
        let told: Vec<(String, String)> = pairs(text.as_bytes())
            .into_iter()
            .map(|(key, value)| (key.into_owned(), String::from_utf8(value.to_vec()).unwrap()))
            .collect();
        let wanted = [
            ("PLAIN", "one two"),
            ("EXPORTED", "three\n\"four"),
            ("SINGLE", "five\\n"),
            ("LINES", "six\nseven"),
            ("OPEN", "\"eight"),
            ("EMPTY", ""),
            ("last", "nine=ten"),
        ];
        assert_eq!(told, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    /// The comment was part of the value, which was never found then.
    #[test]
    fn a_comment_begins_behind_a_tab_too() {
        for (line, wanted) in [
            ("A=one\t# said", "one"),
            ("A=one \t #said", "one"),
            ("A=one#two", "one#two"),
            ("A=#one", "#one"),
            ("A= # said", ""),
            ("A=\"one\t# two\"\t# said", "one\t# two"),
        ] {
            assert_eq!(&**pairs(line.as_bytes())[0].1, wanted.as_bytes(), "{line:?}");
        }
    }

    /// Each reserved room for the rest of the file, and wiped it: for minutes, of a large file of short values.
    #[test]
    fn a_quoted_value_takes_no_more_room_than_it_needs() {
        let text = "A=\"one\\\"two\\\\\"\nB='three\\'\n".repeat(100);
        let told = pairs(text.as_bytes());
        assert_eq!(told.len(), 200);
        for (_, value) in told {
            let wanted = [&b"one\"two\\"[..], b"three\\"];
            assert!(wanted.contains(&&value[..]), "{value:?}");
            assert!(value.capacity() <= 16, "{}", value.capacity());
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_stay_in_their_value() {
        let told = pairs(b"# caf\xe9\nA=pass\xe9word\nB=\"two\xff\\\"three\"\n\xe9=four\n");
        let values: Vec<&[u8]> = told.iter().map(|(_, value)| &***value).collect();
        assert_eq!(values, [&b"pass\xe9word"[..], b"two\xff\"three", b"four"]);
        assert_eq!(told[2].0, "\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(text in "[A-Z=\"'\\\\\n# é]{0,80}") {
            pairs(text.as_bytes());
        }
    }
}
