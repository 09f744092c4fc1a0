//! Decodes one run, piece by piece, up to where it ends.

use super::Kind;
use super::alphabet::{BASE32, BASE64, BREAK_MAX_BYTES, HEX, NO_DIGIT, value};
use super::dump::Dump;
use super::numbers::Numbers;

/// Decodes a run that begins with the first byte it is fed.
#[derive(Debug, Clone)]
pub struct RunDecoder(Coding);

#[derive(Debug, Clone)]
enum Coding {
    Digits(Digits),
    Hex(Hex),
    Numbers(Numbers),
    Dump(Dump),
}

impl RunDecoder {
    pub fn new(kind: Kind) -> Self {
        Self(match kind {
            Kind::Base64 => Coding::Digits(Digits::new(&BASE64, 6)),
            Kind::Base32 => Coding::Digits(Digits::new(&BASE32, 5)),
            Kind::Hex => Coding::Hex(Hex::default()),
            Kind::Numbers => Coding::Numbers(Numbers::new()),
            Kind::Dump => Coding::Dump(Dump::new()),
        })
    }

    /// Appends what the bytes say; gives how many of them are of the run: less than all, if it ends there.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        match &mut self.0 {
            Coding::Digits(digits) => digits.feed(bytes, out),
            Coding::Hex(hex) => hex.feed(bytes, out),
            Coding::Numbers(numbers) => numbers.feed(bytes, out),
            Coding::Dump(dump) => dump.feed(bytes, out),
        }
    }

    /// The end of the run: appends what waited to be told from more of it.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match &mut self.0 {
            Coding::Numbers(numbers) => numbers.finish(out),
            Coding::Dump(dump) => dump.finish(out),
            Coding::Digits(_) | Coding::Hex(_) => {}
        }
    }
}

/// Base64 or base32.
#[derive(Debug, Clone)]
struct Digits {
    alphabet: &'static [u8; 256],
    /// Bits of a digit.
    width: u32,
    /// Bits that make no whole byte yet, and how many they are.
    bits: u32,
    held: u32,
    place: Place,
}

/// Where in a run the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Line,
    Break(Break),
    Padding,
    Ended,
}

/// What stands between two lines, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Break {
    len: usize,
    has_end: bool,
    in_escape: bool,
}

impl Break {
    /// The break with one more byte; none, if that is not of a break.
    fn with(self, byte: u8) -> Option<Self> {
        let has_end =
            self.has_end || matches!((self.in_escape, byte), (false, b'\n') | (true, b'n'));
        let in_escape = match byte {
            b'\\' => true,
            b'n' | b'r' if self.in_escape => false,
            b'\n' | b'\r' if !self.in_escape => false,
            b' ' | b'\t' if !self.in_escape && self.has_end => false,
            _ => return None,
        };
        let len = self.len + 1;
        (len <= BREAK_MAX_BYTES).then_some(Self { len, has_end, in_escape })
    }
}

impl Digits {
    fn new(alphabet: &'static [u8; 256], width: u32) -> Self {
        Self { alphabet, width, bits: 0, held: 0, place: Place::Line }
    }

    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let mut rest = bytes;
        loop {
            if self.width == 6 && self.held == 0 && self.place == Place::Line {
                rest = rest.get(quads(rest, out)..).unwrap_or_default();
            }
            let Some((byte, behind)) = rest.split_first() else { break };
            if !self.take(*byte, out) {
                self.place = Place::Ended;
                break;
            }
            rest = behind;
        }
        bytes.len() - rest.len()
    }

    /// Whether the byte is of the run.
    fn take(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        let digit = value(self.alphabet, byte);
        let may_be_digit = match self.place {
            Place::Line => true,
            Place::Break(so_far) => !so_far.in_escape && so_far.has_end,
            Place::Padding | Place::Ended => false,
        };
        if may_be_digit && digit != NO_DIGIT {
            self.place = Place::Line;
            self.bits = self.bits << self.width | u32::from(digit);
            self.held += self.width;
            if self.held >= 8 {
                self.held -= 8;
                out.push((self.bits >> self.held) as u8);
            }
            return true;
        }
        let next = match self.place {
            Place::Line | Place::Padding if byte == b'=' => Some(Place::Padding),
            Place::Line => Break::default().with(byte).map(Place::Break),
            Place::Break(so_far) => so_far.with(byte).map(Place::Break),
            Place::Padding | Place::Ended => None,
        };
        self.place = next.unwrap_or(Place::Ended);
        next.is_some()
    }
}

/// Decodes whole groups of four digits of base64, and gives how many digits those were.
fn quads(text: &[u8], out: &mut Vec<u8>) -> usize {
    let (groups, _) = text.as_chunks::<4>();
    out.reserve(groups.len() * 3);
    let mut taken = 0;
    for group in groups {
        let [a, b, c, d] = group.map(|byte| u32::from(value(&BASE64, byte)));
        // Values have six bits, what is no digit has all eight.
        if (a | b | c | d) > 63 {
            break;
        }
        let [_, first, second, third] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
        out.extend_from_slice(&[first, second, third]);
        taken += 4;
    }
    taken
}

/// Hex, plain or with something between the bytes.
#[derive(Debug, Clone, Default)]
struct Hex {
    next: Nibble,
    spacing: Spacing,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Nibble {
    /// The first of a byte; so far nothing stands before it.
    #[default]
    First,
    /// The first of a byte, or more of what stands before it.
    Between(Break),
    /// The second of a byte.
    Second(u8),
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Spacing {
    #[default]
    Unknown,
    /// The bytes follow each other, but for line breaks.
    Plain,
    /// Something stands between any two.
    Spaced,
}

impl Hex {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            let next = self.step(*byte, out);
            self.next = next.unwrap_or(Nibble::Ended);
            if next.is_none() {
                return at;
            }
        }
        bytes.len()
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<Nibble> {
        let digit = Some(value(&HEX, byte)).filter(|digit| *digit != NO_DIGIT);
        match (self.next, digit) {
            (Nibble::Second(high), Some(low)) => {
                out.push(high << 4 | low);
                // The first byte has nothing before it, whatever stands between the others.
                Some(Nibble::Between(Break::default()))
            }
            // A `0x`.
            (Nibble::Second(0), None) if byte == b'x' => {
                Some(Nibble::Between(Break { len: 2, ..Break::default() }))
            }
            (Nibble::First, Some(high)) => Some(Nibble::Second(high)),
            (Nibble::Between(before), Some(high)) if !before.in_escape => {
                let is_spaced = before.len > 0 && !before.has_end;
                match (self.spacing, before.len > 0) {
                    (Spacing::Unknown, _) if !out.is_empty() => {
                        self.spacing = if is_spaced { Spacing::Spaced } else { Spacing::Plain };
                    }
                    (Spacing::Spaced, false) => return None,
                    _ => {}
                }
                Some(Nibble::Second(high))
            }
            (Nibble::First, None) if byte == b'\\' => {
                Some(Nibble::Between(Break { len: 1, in_escape: true, has_end: false }))
            }
            (Nibble::Between(before), None) => self.between(before, byte).map(Nibble::Between),
            _ => None,
        }
    }

    /// What stands between two bytes, with one more byte of it.
    fn between(&self, before: Break, byte: u8) -> Option<Break> {
        let after_escape = before.in_escape && byte == b'x';
        let is_separator = matches!(byte, b':' | b'-' | b' ' | b',' | b'\t') && !before.in_escape;
        if self.spacing != Spacing::Plain && (after_escape || is_separator) {
            let len = before.len + 1;
            let between = Break { len, in_escape: false, ..before };
            return (len <= BREAK_MAX_BYTES).then_some(between);
        }
        before.with(byte)
    }
}
