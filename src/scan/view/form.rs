//! Form bodies and query strings (`application/x-www-form-urlencoded`) decoded as they stream by.
//!
//! `+` is a blank and `%xx` a byte. `&` and `;` stay as they are, and so does what is no escape: a
//! name and its value keep standing together.

/// Decodes one form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormDecoder {
    escape: Escape,
}

/// How far an escape was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Percent,
    /// The first digit, as it was written.
    Digit(u8),
}

impl FormDecoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what these bytes say.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            match self.escape {
                Escape::None => {
                    let plain = memchr::memchr2(b'%', b'+', rest).unwrap_or(rest.len());
                    let (text, special) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
                    out.extend_from_slice(text);
                    let Some((special, behind)) = special.split_first() else { return };
                    match special {
                        b'+' => out.push(b' '),
                        _ => self.escape = Escape::Percent,
                    }
                    rest = behind;
                }
                Escape::Percent if first.is_ascii_hexdigit() => {
                    self.escape = Escape::Digit(*first);
                    rest = behind;
                }
                Escape::Digit(high) if first.is_ascii_hexdigit() => {
                    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0);
                    out.push((digit(high) << 4 | digit(*first)) as u8);
                    self.escape = Escape::None;
                    rest = behind;
                }
                // No escape after all; this byte may begin one.
                Escape::Percent | Escape::Digit(_) => self.finish(out),
            }
        }
    }

    /// Appends the beginning of an escape that does not go on.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match std::mem::take(&mut self.escape) {
            Escape::None => {}
            Escape::Percent => out.push(b'%'),
            Escape::Digit(digit) => out.extend_from_slice(&[b'%', digit]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (FormDecoder::new(), Vec::new());
        pieces.iter().for_each(|piece| decoder.feed(piece, &mut out));
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn a_form_is_read_with_its_separators() {
        let form = b"cmd=curl+http%3A%2f%2Fevil.test&b=1%2B1;c=%C3%A9";
        assert_eq!(decode(&[form]), "cmd=curl http://evil.test&b=1+1;c=\u{E9}".as_bytes());
    }

    #[test]
    fn what_is_no_escape_stays() {
        for text in ["100%", "%", "%4", "%zz", "%4z", "%%41%", "a%4%41"] {
            let expected = text.replace("%41", "A");
            assert_eq!(decode(&[text.as_bytes()]), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn one_level_is_decoded() {
        assert_eq!(decode(&[b"%252f"]), b"%2f");
    }

    proptest! {
        #[test]
        fn any_bytes_come_back_however_they_are_cut(bytes: Vec<u8>, cut: prop::sample::Index) {
            let form: String = bytes
                .iter()
                .map(|byte| match byte {
                    b' ' => "+".to_owned(),
                    b'a'..=b'z' => char::from(*byte).to_string(),
                    byte => format!("%{byte:02X}"),
                })
                .collect();
            let (head, tail) = form.as_bytes().split_at(cut.index(form.len() + 1));
            prop_assert_eq!(decode(&[head, tail]), bytes);
        }

        #[test]
        fn a_cut_changes_nothing(bytes in "[%+0-9a-g&;]{0,40}", cut: prop::sample::Index) {
            let (head, tail) = bytes.as_bytes().split_at(cut.index(bytes.len() + 1));
            prop_assert_eq!(decode(&[head, tail]), decode(&[bytes.as_bytes()]));
        }
    }
}
