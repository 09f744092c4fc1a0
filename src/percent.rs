//! Percent escapes undone (RFC 3986 §2.1).

use memchr::memchr;

/// The text without them; none if one is malformed.
pub fn strict(text: &[u8]) -> Option<Vec<u8>> {
    let (plain, is_whole) = undone(text);
    is_whole.then_some(plain)
}

/// The same, where what is no escape stands for itself.
pub fn lenient(text: &[u8]) -> Vec<u8> {
    undone(text).0
}

/// The text without the well-formed ones, and whether there was no other `%`.
fn undone(text: &[u8]) -> (Vec<u8>, bool) {
    let (mut plain, mut is_whole) = (Vec::with_capacity(text.len()), true);
    let mut rest = text;
    while let Some((before, behind)) = memchr(b'%', rest).and_then(|at| rest.split_at_checked(at)) {
        plain.extend_from_slice(before);
        let escaped = byte(behind);
        is_whole &= escaped.is_some();
        plain.push(escaped.unwrap_or(b'%'));
        let len = if escaped.is_some() { 3 } else { 1 };
        rest = behind.get(len..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    (plain, is_whole)
}

/// What the escape stands for that a text begins with.
fn byte(text: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(16 * digit(1)? + digit(2)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once_and_what_is_none_stands_or_refuses_all() {
        for (text, plain) in [
            ("", ""),
            ("plain", "plain"),
            ("%41b%4a%4A", "AbJJ"),
            ("a%2525", "a%25"),
            ("caf%C3%A9%00", "caf\u{e9}\0"),
        ] {
            assert_eq!(strict(text.as_bytes()).unwrap(), plain.as_bytes(), "{text}");
            assert_eq!(lenient(text.as_bytes()), plain.as_bytes(), "{text}");
        }
        for (text, plain) in
            [("%", "%"), ("a%4", "a%4"), ("%4g%41", "%4gA"), ("%%41", "%A"), ("%+1", "%+1")]
        {
            assert_eq!(strict(text.as_bytes()), None, "{text}");
            assert_eq!(lenient(text.as_bytes()), plain.as_bytes(), "{text}");
        }
        assert_eq!(strict(b"%ff\xfe").unwrap(), b"\xff\xfe");
    }
}
