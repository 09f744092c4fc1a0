//! The lines of an `.env` file: `KEY=value`, `export KEY="value"`, comments. Bytes in, pairs out.

use zeroize::Zeroizing;

/// A key and its value.
pub(super) type Pair<'a> = (&'a str, Zeroizing<Vec<u8>>);

/// Every pair, in order. Quoted values may go over several lines; in double quotes a backslash escapes.
pub(super) fn pairs(mut text: &str) -> Vec<Pair<'_>> {
    let mut pairs = Vec::new();
    while !text.is_empty() {
        let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
        let assignment = line.split_once('=').filter(|_| !line.trim_start().starts_with('#'));
        let Some((key, value)) = assignment else {
            text = rest;
            continue;
        };
        let key = key.trim();
        let key = key.strip_prefix("export ").map_or(key, str::trim);
        let value = value.trim_start();
        let quoted = match value.chars().next() {
            // From the opening quote to the end of the file: the value may not end on this line.
            Some(quote @ ('"' | '\'')) => {
                text.get(line.len() - value.len() + 1..).and_then(|text| quoted(text, quote))
            }
            _ => None,
        };
        match quoted {
            Some((value, behind)) => {
                pairs.push((key, value));
                text = behind.split_once('\n').map_or("", |(_, rest)| rest);
            }
            None => {
                let end = value.find(" #").unwrap_or(value.len());
                let value = value.get(..end).unwrap_or_default().trim();
                pairs.push((key, Zeroizing::new(value.as_bytes().to_vec())));
                text = rest;
            }
        }
    }
    pairs
}

/// What stands before the closing quote, and what behind it; none if it is never closed.
fn quoted(text: &str, quote: char) -> Option<(Zeroizing<Vec<u8>>, &str)> {
    let mut value = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        let mut utf8 = [0; 4];
        let meant = match character {
            _ if character == quote => {
                return Some((value, text.get(at + character.len_utf8()..)?));
            }
            '\\' if quote == '"' => match characters.next()?.1 {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            },
            other => other,
        };
        value.extend_from_slice(meant.encode_utf8(&mut utf8).as_bytes());
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_way_to_write_a_pair() {
        let text = "# a comment = none\n\nPLAIN=one two # said\r\nexport EXPORTED = \"three\\n\\\"four\" # x\n\
                    SINGLE='five\\n'\nLINES=\"six\nseven\"\nOPEN=\"eight\nEMPTY=\nlast=nine=ten";
        let told: Vec<(String, String)> = pairs(text)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), String::from_utf8(value.to_vec()).unwrap()))
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

    proptest! {
        #[test]
        fn any_text_comes_to_an_end(text in "[A-Z=\"'\\\\\n# é]{0,80}") {
            pairs(&text);
        }
    }
}
