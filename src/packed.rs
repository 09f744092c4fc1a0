//! Numbers and texts as bytes and back, for files that only this program reads: each text behind its length, numbers
//! as 64 bits, the lowest byte first.

/// Writes a number.
pub fn push_number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend_from_slice(&(number as u64).to_le_bytes());
}

/// Writes a text.
pub fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_number(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

/// Takes a number from the front; none if it is not whole.
pub fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let (number, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    usize::try_from(u64::from_le_bytes(*number)).ok()
}

/// Takes a text from the front; none if it is not whole, or no UTF-8.
pub fn take_text(bytes: &mut &[u8]) -> Option<String> {
    let length = take_number(bytes)?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_taken_and_no_more_than_there_is() {
        let mut bytes = Vec::new();
        push_number(&mut bytes, 7);
        push_text(&mut bytes, "ü");
        push_text(&mut bytes, "");
        let mut rest = &bytes[..];
        assert_eq!(take_number(&mut rest), Some(7));
        assert_eq!(take_text(&mut rest).as_deref(), Some("ü"));
        assert_eq!(take_text(&mut rest).as_deref(), Some(""));
        assert!(rest.is_empty());
        assert_eq!((take_number(&mut rest), take_text(&mut rest)), (None, None));
        for len in 8..bytes.len() - 8 {
            let mut cut = &bytes[8..len];
            assert_eq!(take_text(&mut cut), None, "{len}");
        }
        assert_eq!(take_text(&mut &[1, 0, 0, 0, 0, 0, 0, 0, 0xFF][..]), None);
        assert_eq!(take_text(&mut &[0xFF; 16][..]), None);
    }
}
