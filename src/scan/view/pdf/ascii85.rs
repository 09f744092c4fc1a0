//! Data in ASCII85 (ISO 32000-1, 7.4.3): five signs for four bytes.

/// How many bytes are decoded at once.
const DECODED_BYTES: usize = 512;

/// Decodes a stream, a piece at a time.
#[derive(Debug)]
pub(super) struct Ascii85 {
    /// The signs of the group under way, as a number, and how many they are.
    group: u64,
    signs: usize,
    decoded: [u8; DECODED_BYTES],
    /// What of `decoded` is not used yet.
    from: usize,
    to: usize,
    is_over: bool,
}

/// What cannot be in ASCII85.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAscii85;

/// Whether what begins with these signs is a zlib stream in ASCII85, with the largest window at any of its levels. No
/// page begins so.
pub(super) fn is_zlib_head(first: u8, second: u8) -> bool {
    may_begin_zlib(first) && matches!(second, b'Q' | b'[' | b'a' | b'b' | b'h')
}

pub(super) fn may_begin_zlib(first: u8) -> bool {
    first == b'G'
}

impl Ascii85 {
    pub(super) fn new() -> Ascii85 {
        Ascii85 { group: 0, signs: 0, decoded: [0; DECODED_BYTES], from: 0, to: 0, is_over: false }
    }

    /// What was decoded and is not used.
    pub(super) fn pending(&self) -> &[u8] {
        self.decoded.get(self.from..self.to).unwrap_or_default()
    }

    /// So many of those bytes are used.
    pub(super) fn consume(&mut self, len: usize) {
        self.from = self.to.min(self.from.saturating_add(len));
    }

    /// Whether its end was seen.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Decodes the next bytes, once all that was decoded is used; how many of them were taken.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, NotAscii85> {
        (self.from, self.to) = (0, 0);
        let mut taken = 0;
        while let Some(sign) = bytes.get(taken) {
            if self.is_over || self.to + 4 > self.decoded.len() {
                break;
            }
            taken += 1;
            match sign {
                b'!'..=b'u' => {
                    self.group = self.group * 85 + u64::from(sign - b'!');
                    self.signs += 1;
                    if self.signs == 5 {
                        self.end_group(4)?;
                    }
                }
                b'z' if self.signs == 0 => self.end_group(4)?,
                0 | b'\t' | b'\n' | 0xC | b'\r' | b' ' => {}
                b'~' => {
                    self.is_over = true;
                    let signs = self.signs;
                    if signs == 1 {
                        return Err(NotAscii85);
                    }
                    if signs > 1 {
                        // What is missing is taken to be the last sign there is.
                        (signs..5).for_each(|_| self.group = self.group * 85 + 84);
                        self.end_group(signs - 1)?;
                    }
                }
                _ => return Err(NotAscii85),
            }
        }
        Ok(taken)
    }

    /// Gives out so many bytes of the group.
    fn end_group(&mut self, len: usize) -> Result<(), NotAscii85> {
        let group = u32::try_from(self.group).map_err(|_| NotAscii85)?.to_be_bytes();
        let place = self.decoded.get_mut(self.to..).unwrap_or_default();
        let written =
            place.iter_mut().zip(group.iter().take(len)).map(|(to, from)| *to = *from).count();
        self.to += written;
        (self.group, self.signs) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// In ASCII85, with its end.
    pub(crate) fn encoded(data: &[u8]) -> Vec<u8> {
        let mut signs = Vec::new();
        for group in data.chunks(4) {
            let mut padded = [0; 4];
            padded[..group.len()].copy_from_slice(group);
            let mut value = u32::from_be_bytes(padded);
            if value == 0 && group.len() == 4 {
                signs.push(b'z');
                continue;
            }
            let mut five = [0; 5];
            for sign in five.iter_mut().rev() {
                *sign = b'!' + (value % 85) as u8;
                value /= 85;
            }
            signs.extend(&five[..group.len() + 1]);
        }
        signs.extend(b"~>");
        signs
    }

    fn decoded(signs: &[u8], size: usize) -> Result<Vec<u8>, NotAscii85> {
        let (mut reader, mut all) = (Ascii85::new(), Vec::new());
        for piece in signs.chunks(size) {
            let mut rest = piece;
            while !rest.is_empty() && !reader.is_over() {
                let taken = reader.feed(rest)?;
                rest = &rest[taken..];
                while !reader.pending().is_empty() {
                    all.extend(&reader.pending()[..1]);
                    reader.consume(1);
                }
            }
        }
        Ok(all)
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_in_pieces_of_any_size(
            data in proptest::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..3000),
            size in 1_usize..4000,
        ) {
            prop_assert_eq!(decoded(&encoded(&data), size), Ok(data));
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decoded(&bytes, 7);
        }
    }

    #[test]
    fn every_head_of_a_zlib_stream_is_known() {
        for second in [0x01, 0x5E, 0x9C, 0xDA] {
            for rest in [[0, 0], [0xFF, 0xFF]] {
                let signs = encoded(&[0x78, second, rest[0], rest[1]]);
                assert!(is_zlib_head(signs[0], signs[1]), "{second:x} {}", signs.escape_ascii());
            }
        }
    }
}
