//! Text as editors and shells write it: in UTF-8, or behind a byte order mark. Bytes in, bytes out.

use zeroize::Zeroizing;

/// The bytes in UTF-8, without a byte order mark, if they begin with one; else as they are.
pub(super) fn in_utf8(bytes: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
    match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, text @ ..] => Zeroizing::new(text.to_vec()),
        [0xFF, 0xFE, text @ ..] => narrow(text, u16::from_le_bytes).unwrap_or(bytes),
        [0xFE, 0xFF, text @ ..] => narrow(text, u16::from_be_bytes).unwrap_or(bytes),
        _ => bytes,
    }
}

/// UTF-16 as UTF-8; none if it is not UTF-16.
fn narrow(text: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, rest) = text.as_chunks::<2>();
    // A character of two bytes has three at most in UTF-8, so that nothing is moved and left behind.
    let mut narrow = Zeroizing::new(Vec::with_capacity(3 * pairs.len()));
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let mut utf8 = [0; 4];
        narrow.extend_from_slice(character.ok()?.encode_utf8(&mut utf8).as_bytes());
    }
    rest.is_empty().then_some(narrow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_with_a_mark_is_read_and_all_else_stays() {
        let read = |bytes: &[u8]| in_utf8(Zeroizing::new(bytes.to_vec())).to_vec();
        assert_eq!(read(b"\xff\xfea\0\xe9\0"), "aé".as_bytes());
        assert_eq!(read(b"\xfe\xff\xd8\x3d\xde\0"), "\u{1f600}".as_bytes());
        assert_eq!(read(b"\xef\xbb\xbfa"), b"a");
        for other in [&b"a"[..], b"", b"\xff", b"\xff\xfea", b"\xff\xfe\0\xd8", b"\xe9t\xe9"] {
            assert_eq!(read(other), other);
        }
        assert_eq!(read(b"\xff\xfe"), b"");
    }
}
