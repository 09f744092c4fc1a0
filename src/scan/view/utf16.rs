//! Text in UTF-16 and UTF-32: told apart by its first bytes, made UTF-8 as it streams by.

/// The order of bytes in a unit, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    Little,
    Big,
    /// UTF-32, only known by its mark.
    Little32,
    Big32,
}

/// Bytes that are looked at where there is no mark, and of those the least.
const HEAD_BYTES: usize = 256;
const HEAD_MIN_BYTES: usize = 8;

/// The coding that a text's first bytes show: by its byte order mark, or because nearly every second
/// byte is NUL and hardly any other.
pub fn sniff(head: &[u8]) -> Option<Endian> {
    match head {
        [0xFF, 0xFE, 0, 0, ..] => return Some(Endian::Little32),
        [0, 0, 0xFE, 0xFF, ..] => return Some(Endian::Big32),
        [0xFF, 0xFE, ..] => return Some(Endian::Little),
        [0xFE, 0xFF, ..] => return Some(Endian::Big),
        _ => {}
    }
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    // Nearly all texts have none.
    memchr::memchr(0, head)?;
    let (units, _) = head.as_chunks::<2>();
    if units.len() * 2 < HEAD_MIN_BYTES {
        return None;
    }
    // What ASCII is in UTF-16: NUL on one side, and on the other a character of text.
    let is_text = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    let little = units.iter().filter(|[text, nul]| *nul == 0 && is_text(*text)).count();
    let big = units.iter().filter(|[nul, text]| *nul == 0 && is_text(*text)).count();
    let most = units.len() * 3 / 4;
    match (little > most, big > most) {
        (true, false) => Some(Endian::Little),
        (false, true) => Some(Endian::Big),
        _ => None,
    }
}

/// Makes UTF-8 of a text that comes in pieces. A byte order mark goes; half a surrogate pair, and what
/// is no character, becomes U+FFFD.
#[derive(Debug, Clone)]
pub struct Transcoder {
    endian: Endian,
    carry: [u8; 4],
    carried: usize,
    /// The first half of a surrogate pair.
    high: Option<u16>,
    is_begun: bool,
}

impl Transcoder {
    pub fn new(endian: Endian) -> Self {
        Self { endian, carry: [0; 4], carried: 0, high: None, is_begun: false }
    }

    /// Appends the text of these bytes.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let bytes = self.complete(bytes, out);
        match self.endian {
            Endian::Little => self.halves(bytes, u16::from_le_bytes, out),
            Endian::Big => self.halves(bytes, u16::from_be_bytes, out),
            Endian::Little32 => self.words(bytes, u32::from_le_bytes, out),
            Endian::Big32 => self.words(bytes, u32::from_be_bytes, out),
        }
    }

    /// Appends the mark of what is left over: no more follows.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.high.take().is_some() || self.carried > 0 {
            push(char::REPLACEMENT_CHARACTER, out);
        }
        self.carried = 0;
    }

    fn unit_bytes(&self) -> usize {
        match self.endian {
            Endian::Little | Endian::Big => 2,
            Endian::Little32 | Endian::Big32 => 4,
        }
    }

    /// Completes the unit that the last piece cut, and gives the rest.
    fn complete<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        if self.carried == 0 {
            return bytes;
        }
        let wanted = self.unit_bytes().saturating_sub(self.carried);
        let (missing, rest) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
        for (place, byte) in self.carry.iter_mut().skip(self.carried).zip(missing) {
            *place = *byte;
        }
        if missing.len() < wanted {
            self.carried += missing.len();
            return &[];
        }
        self.carried = 0;
        let [a, b, ..] = self.carry;
        match self.endian {
            Endian::Little => self.half(u16::from_le_bytes([a, b]), out),
            Endian::Big => self.half(u16::from_be_bytes([a, b]), out),
            Endian::Little32 => self.word(u32::from_le_bytes(self.carry), out),
            Endian::Big32 => self.word(u32::from_be_bytes(self.carry), out),
        }
        rest
    }

    fn halves(&mut self, bytes: &[u8], unit: fn([u8; 2]) -> u16, out: &mut Vec<u8>) {
        let (units, rest) = bytes.as_chunks::<2>();
        self.keep(rest);
        out.reserve(units.len());
        let (eights, units) = units.as_chunks::<8>();
        for eight in eights {
            let eight = eight.map(unit);
            // Eight units of ASCII at once.
            if self.high.is_none() && eight.iter().fold(0, |all, unit| all | unit) < 0x80 {
                out.extend_from_slice(&eight.map(|unit| unit as u8));
                self.is_begun = true;
            } else {
                eight.into_iter().for_each(|unit| self.half(unit, out));
            }
        }
        for bytes in units {
            self.half(unit(*bytes), out);
        }
    }

    fn words(&mut self, bytes: &[u8], unit: fn([u8; 4]) -> u32, out: &mut Vec<u8>) {
        let (units, rest) = bytes.as_chunks::<4>();
        self.keep(rest);
        for bytes in units {
            self.word(unit(*bytes), out);
        }
    }

    /// Keeps what of a unit is there; nothing is kept already.
    fn keep(&mut self, rest: &[u8]) {
        if !rest.is_empty() {
            self.carried = self.carry.iter_mut().zip(rest).map(|(to, from)| *to = *from).count();
        }
    }

    fn half(&mut self, unit: u16, out: &mut Vec<u8>) {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        if is_first && unit == 0xFEFF {
            return;
        }
        if let Some(high) = self.high.take() {
            if let Some(Ok(char)) = char::decode_utf16([high, unit]).next() {
                push(char, out);
                return;
            }
            push(char::REPLACEMENT_CHARACTER, out);
        }
        match unit {
            0xD800..=0xDBFF => self.high = Some(unit),
            unit => push(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER), out),
        }
    }

    fn word(&mut self, unit: u32, out: &mut Vec<u8>) {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        if !(is_first && unit == 0xFEFF) {
            push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), out);
        }
    }
}

fn push(char: char, out: &mut Vec<u8>) {
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn transcode(endian: Endian, pieces: &[&[u8]]) -> String {
        let (mut transcoder, mut out) = (Transcoder::new(endian), Vec::new());
        for piece in pieces {
            transcoder.feed(piece, &mut out);
        }
        transcoder.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn a_mark_tells_the_order() {
        assert_eq!(sniff(b"\xFF\xFEa\0"), Some(Endian::Little));
        assert_eq!(sniff(b"\xFE\xFF\0a"), Some(Endian::Big));
        assert_eq!(sniff(b"\xFF\xFE\0\0a\0\0\0"), Some(Endian::Little32));
        assert_eq!(sniff(b"\0\0\xFE\xFF\0\0\0a"), Some(Endian::Big32));
    }

    #[test]
    fn text_without_a_mark_is_told_by_its_nul_bytes() {
        assert_eq!(sniff(&little("curl x")), Some(Endian::Little));
        assert_eq!(sniff(b"\0c\0u\0r\0l"), Some(Endian::Big));
        assert_eq!(sniff(b"c\0u\0r\0"), None, "too short to tell");
        assert_eq!(sniff(b"plain text, and some more of it"), None);
        assert_eq!(sniff(&[0; 64]), None);
        assert_eq!(sniff(b"\x01\0\x02\0\x03\0\x04\0\x05\0"), None, "numbers");
        assert_eq!(sniff(b""), None);
    }

    #[test]
    fn a_mark_goes_and_halves_of_pairs_are_marked() {
        assert_eq!(transcode(Endian::Little, &[b"\xFF\xFEa\0"]), "a");
        assert_eq!(transcode(Endian::Little, &[b"\x3D\xD8a\0"]), "\u{FFFD}a");
        assert_eq!(transcode(Endian::Little, &[b"\x00\xDEa\0"]), "\u{FFFD}a");
        assert_eq!(transcode(Endian::Little, &[b"a\0\x3D\xD8"]), "a\u{FFFD}");
        assert_eq!(transcode(Endian::Little, &[b"a\0b"]), "a\u{FFFD}");
        assert_eq!(
            transcode(Endian::Big32, &[b"\0\0\xFE\xFF\0\x01\xF6\0\0\x11\0\0"]),
            "\u{1F600}\u{FFFD}"
        );
    }

    proptest! {
        #[test]
        fn any_text_comes_back_however_it_is_cut(text: String, cuts: Vec<prop::sample::Index>) {
            let text = text.trim_start_matches('\u{FEFF}');
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let wide: Vec<u8> = text.chars().flat_map(|char| (char as u32).to_le_bytes()).collect();
            let all = [(Endian::Little, little(text)), (Endian::Big, big), (Endian::Little32, wide)];
            for (endian, bytes) in all {
                let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
                ends.sort_unstable();
                let mut pieces = Vec::new();
                let mut from = 0;
                for end in ends.into_iter().chain([bytes.len()]) {
                    pieces.push(&bytes[from..end]);
                    from = end;
                }
                prop_assert_eq!(transcode(endian, &pieces), text);
            }
        }
    }
}
