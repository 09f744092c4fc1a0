//! A text with its percent-escapes resolved, and where each byte of that stands in it. What it makes is wiped when it is
//! dropped.

use std::ops::Range;

use memchr::memchr;
use zeroize::Zeroizing;

/// A text as it reads.
pub(super) struct Unescaped {
    pub(super) text: Zeroizing<Vec<u8>>,
    /// Where each byte begins in the text as it was written, and that one's end.
    places: Vec<usize>,
}

impl Unescaped {
    /// None where nothing is escaped. Forms write a blank as `+`.
    pub(super) fn of(written: &[u8], has_plus: bool) -> Option<Unescaped> {
        memchr(b'%', written)?;
        let mut text = Zeroizing::new(Vec::with_capacity(written.len()));
        let mut places = Vec::with_capacity(written.len() + 1);
        let mut rest = written;
        while let Some((first, behind)) = rest.split_first() {
            places.push(written.len() - rest.len());
            let (byte, left) = match (escape(rest), first) {
                (Some(escaped), _) => escaped,
                (None, b'+') if has_plus => (b' ', behind),
                (None, first) => (*first, behind),
            };
            text.push(byte);
            rest = left;
        }
        places.push(written.len());
        Some(Unescaped { text, places })
    }

    /// Where a range of it stands in the text as it was written.
    pub(super) fn written(&self, range: &Range<usize>) -> Range<usize> {
        let place = |at: usize| self.places.get(at).or(self.places.last()).copied().unwrap_or(0);
        place(range.start)..place(range.end)
    }
}

/// The byte that a text begins with an escape of, and what is behind it.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = text else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    Some((byte, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_its_place_in_what_was_written() {
        let read = Unescaped::of(b"a%62%5Z+c%2", false).unwrap();
        assert_eq!(&**read.text, b"ab%5Z+c%2");
        assert_eq!(read.written(&(1..2)), 1..4);
        assert_eq!(read.written(&(2..9)), 4..11);
        assert_eq!(&**Unescaped::of(b"%41+b", true).unwrap().text, b"A b");
        assert!(Unescaped::of(b"plain+text", true).is_none());
    }
}
