//! quoted-printable (RFC 2045 §6.7) undone as a stream. Lenient: what is no escape stays as it is.

use crate::limits::QUOTED_PRINTABLE_PADDING_MAX_BYTES;

/// The text of one part.
#[derive(Debug, Default)]
pub struct QuotedPrintable {
    /// An equals sign and what followed it, while it may become an escape or a soft line break.
    held: Vec<u8>,
}

impl QuotedPrintable {
    /// At the first byte.
    pub fn new() -> QuotedPrintable {
        QuotedPrintable::default()
    }

    /// Appends what the bytes say: never more than came, but for what an earlier call held back.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        loop {
            if self.held.is_empty() {
                let end = memchr::memchr(b'=', rest).unwrap_or(rest.len());
                let (plain, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
                out.extend_from_slice(plain);
                rest = behind;
            }
            let Some((byte, behind)) = rest.split_first() else { return };
            rest = behind;
            self.take(*byte, out);
        }
    }

    /// At the end: what is left was no escape.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        // A lone equals sign ends a text as a soft line break.
        if self.held.len() > 1 {
            out.extend_from_slice(&self.held);
        }
        self.held.clear();
    }

    fn take(&mut self, byte: u8, out: &mut Vec<u8>) {
        let is_blank = |byte: u8| byte == b' ' || byte == b'\t';
        match (self.held.get(1..), byte) {
            // Only an equals sign begins anything.
            (None, _) => self.held.push(byte),
            (Some(_), b'\n') if self.held.iter().skip(1).all(|b| is_blank(*b) || *b == b'\r') => {
                self.held.clear();
            }
            (Some([]), _) if hex(byte).is_some() || is_blank(byte) || byte == b'\r' => {
                self.held.push(byte);
            }
            (Some([first]), _) if hex(*first).is_some() && hex(byte).is_some() => {
                let value = hex(*first).unwrap_or(0) << 4 | hex(byte).unwrap_or(0);
                self.held.clear();
                out.push(value);
            }
            (Some(blanks @ [.., last]), _)
                if is_blank(*last)
                    && (is_blank(byte) || byte == b'\r')
                    && blanks.len() < QUOTED_PRINTABLE_PADDING_MAX_BYTES =>
            {
                self.held.push(byte);
            }
            _ => {
                out.append(&mut self.held);
                if byte == b'=' { self.held.push(byte) } else { out.push(byte) }
            }
        }
    }
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> Vec<u8> {
        let mut decoder = QuotedPrintable::new();
        let mut out = Vec::new();
        for piece in pieces {
            decoder.feed(piece, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    #[test]
    fn escapes_and_soft_line_breaks_are_undone_and_all_else_stays() {
        let cases: [(&[u8], &[u8]); 14] = [
            (b"plain text\r\n", b"plain text\r\n"),
            (b"curl=20http=3A//x", b"curl http://x"),
            (b"=e2=82=AC", b"\xe2\x82\xac"),
            (b"cu=\r\nrl", b"curl"),
            (b"cu=\nrl", b"curl"),
            (b"cu= \t\r\nrl", b"curl"),
            (b"a=b", b"a=b"),
            (b"a==41", b"a=A"),
            (b"a=4=41", b"a=4A"),
            (b"a=zz", b"a=zz"),
            (b"a= b", b"a= b"),
            (b"a=\rb", b"a=\rb"),
            (b"a=", b"a"),
            (b"a=4", b"a=4"),
        ];
        for (coded, plain) in cases {
            let single: Vec<&[u8]> = coded.chunks(1).collect();
            let shown = String::from_utf8_lossy(coded);
            assert_eq!(decode(&[coded]), plain, "{shown}");
            assert_eq!(decode(&single), plain, "{shown}");
        }
    }

    #[test]
    fn a_soft_line_break_is_as_long_as_its_bound_and_no_longer() {
        let broken = |blanks: usize| format!("a={}\nb", " ".repeat(blanks)).into_bytes();
        assert_eq!(decode(&[&broken(QUOTED_PRINTABLE_PADDING_MAX_BYTES)]), b"ab");
        let long = broken(QUOTED_PRINTABLE_PADDING_MAX_BYTES + 1);
        assert_eq!(decode(&[&long]), long);
    }

    /// Lines of 76, as the RFC asks for.
    fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut column = 0;
        for byte in bytes {
            if column >= 73 {
                out.extend_from_slice(b"=\r\n");
                column = 0;
            }
            if byte.is_ascii_alphanumeric() {
                out.push(*byte);
                column += 1;
            } else {
                out.extend_from_slice(format!("={byte:02X}").as_bytes());
                column += 3;
            }
        }
        out
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_read_however_it_is_cut(
            plain in prop::collection::vec(any::<u8>(), 0..400),
            size in 1..50_usize,
        ) {
            let coded = encode(&plain);
            prop_assert_eq!(decode(&coded.chunks(size).collect::<Vec<_>>()), plain);
        }

        #[test]
        fn garbage_says_the_same_however_it_is_cut(
            bytes in "[=4a \t\r\nz]{0,60}",
            size in 1..9_usize,
        ) {
            let whole = decode(&[bytes.as_bytes()]);
            prop_assert!(whole.len() <= bytes.len());
            prop_assert_eq!(decode(&bytes.as_bytes().chunks(size).collect::<Vec<_>>()), whole);
        }
    }
}
