//! Bytes as `xxd`, `hexdump` and `od` print them: lines of an offset, the bytes in hex, and what they show. A secret
//! that such lines break is whole only in the bytes.

use memchr::memmem;

use super::alphabet::{HEX, NO_DIGIT, value};
use super::{Kind, Run};
use crate::limits::{
    DUMP_GROUP_MAX_BYTES, DUMP_LINE_MAX_BYTES, DUMP_LINE_MIN_BYTES, DUMP_OFFSET_MAX_DIGITS,
    DUMP_OFFSET_MIN_DIGITS, DUMP_SHOWN_MAX_BYTES,
};

/// Blanks behind the bytes of a line, before what they show. Where a colon is behind the offset two are enough: without
/// one, two stand in the middle of a line.
const BLANKS_BEFORE_SHOWN: usize = 3;
const BLANKS_BEFORE_SHOWN_COLON: usize = 2;
/// Bytes of a line that has two blanks in its middle.
const HALVED_LINE_BYTES: usize = 16;
/// What a line of half as many bytes shows behind two blanks at most: further on there are bytes again.
const HALF_BYTES: usize = HALVED_LINE_BYTES / 2;
/// Blanks before an offset, or between it and the first byte.
const INDENT_MAX: usize = 8;

/// The dump that the line around `place` is of, from its first line that is not before `from`, or from the line before.
#[inline(never)]
pub(super) fn dump_around(text: &[u8], place: usize, from: usize) -> Option<Run> {
    let seen = line_start(text, place, from)?;
    let line = Line::at(text, seen)?;
    if !line.goes_on(text) {
        return None;
    }
    let before = || {
        let start = line_before(text, seen, from)?;
        let before = Line::at(text, start)?;
        (before.end == seen && before.goes_on(text)).then_some(start)
    };
    Some(Run { start: before().unwrap_or(seen), kind: Kind::Dump })
}

/// Where the line begins whose bytes `place` is among; none if that is before `from`. In JSON within JSON line ends are
/// escapes, and the first line stands behind a quote.
fn line_start(text: &[u8], place: usize, from: usize) -> Option<usize> {
    let before = text.get(place.saturating_sub(DUMP_LINE_MAX_BYTES)..place)?;
    let is_of_line = |byte: &&u8| {
        value(&HEX, **byte) != NO_DIGIT || is_blank(**byte) || matches!(**byte, b':' | b'x')
    };
    let start = place - before.iter().rev().take_while(is_of_line).count();
    let before = text.get(..start)?;
    let is_start = matches!(before, [] | [.., b'\n' | b'"'] | [.., b'\\', b'n']);
    (is_start && start >= from).then_some(start)
}

/// Where the line before the one at `start` begins.
fn line_before(text: &[u8], start: usize, from: usize) -> Option<usize> {
    let before = text.get(from.max(start.saturating_sub(DUMP_LINE_MAX_BYTES))..start)?;
    let (end, before) = match before.strip_suffix(b"\n") {
        Some(before) => (&b"\n"[..], before),
        None => (&b"\\n"[..], before.strip_suffix(b"\\n")?),
    };
    let behind = match memmem::rfind(before, end) {
        Some(at) => before.len() - at - end.len(),
        None => before.len(),
    };
    Some(start - end.len() - behind)
}

/// One line of a dump.
struct Line<'t> {
    offset: &'t [u8],
    /// How many bytes it has.
    bytes: usize,
    end: usize,
}

impl<'t> Line<'t> {
    /// The line that begins at `start`, if it is one of a dump as far as it is here.
    fn at(text: &'t [u8], start: usize) -> Option<Line<'t>> {
        let rest = text.get(start..)?;
        let offset = offset_of(rest)?;
        let near = rest.get(..DUMP_LINE_MAX_BYTES).unwrap_or(rest);
        let (mut dump, mut bytes) = (Dump::new(), Vec::with_capacity(DUMP_LINE_MAX_BYTES / 2));
        let mut len = 0;
        for byte in near {
            dump.place = dump.step(*byte, &mut bytes)?;
            len += 1;
            if dump.place == Place::Indent(0) {
                break;
            }
        }
        dump.finish(&mut bytes);
        let is_line = bytes.len() >= DUMP_LINE_MIN_BYTES;
        is_line.then_some(Line { offset, bytes: bytes.len(), end: start + len })
    }

    /// Whether the next line, as far as it is here, has the offset of what follows.
    fn goes_on(&self, text: &[u8]) -> bool {
        let behind = text.get(self.end..).unwrap_or_default();
        // Tables do not begin their numbers with noughts.
        if behind.len() < self.offset.len() + INDENT_MAX {
            return self.offset.starts_with(b"00");
        }
        let Some(next) = offset_of(behind) else {
            return matches!(behind, [b'*', b'\n' | b'\\', ..]);
        };
        [16, 8, 10].into_iter().any(|radix| {
            let [own, next] = [self.offset, next].map(|digits| number(digits, radix));
            own.zip(next)
                .is_some_and(|(own, next)| own.checked_add(self.bytes as u64) == Some(next))
        })
    }
}

/// The digits of the offset that a line begins with.
fn offset_of(line: &[u8]) -> Option<&[u8]> {
    let indent = line.iter().take(INDENT_MAX).take_while(|byte| is_blank(**byte)).count();
    let line = line.get(indent..)?;
    let line = line.strip_prefix(b"0x").unwrap_or(line);
    let is_digit = |byte: &&u8| value(&HEX, **byte) != NO_DIGIT;
    let len = line.iter().take(DUMP_OFFSET_MAX_DIGITS + 1).take_while(is_digit).count();
    let is_ended = matches!(line.get(len), Some(b':' | b' ' | b'\n' | b'\r' | b'\\'));
    line.get(..len).filter(|_| is_ended && is_offset_len(len))
}

fn is_offset_len(digits: usize) -> bool {
    (DUMP_OFFSET_MIN_DIGITS..=DUMP_OFFSET_MAX_DIGITS).contains(&digits)
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Decodes a dump.
#[derive(Debug, Clone)]
pub(super) struct Dump {
    place: Place,
    /// Of the offsets; none known yet is 0.
    offset_digits: usize,
    /// Without a colon behind the offset, the bytes of a group are written as a number, the last one first.
    has_colon: bool,
    /// The group that is read, how many digits of it, and how many bytes the line has.
    group: [u8; DUMP_GROUP_MAX_BYTES],
    digits: usize,
    line_bytes: usize,
    line_groups: usize,
    /// Whether all digits of the offset are noughts, as where another dump begins.
    is_at_start: bool,
    /// The bytes behind two blanks, until it is known that they are none that are shown.
    half: [u8; HALF_BYTES],
    half_bytes: usize,
}

/// What the next byte stands in or behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Indent(usize),
    /// So many digits of the offset.
    Offset(usize),
    Colon,
    /// The sign for lines like the one before.
    Alike,
    /// So many blanks.
    Gap(usize),
    Group,
    /// So many characters behind two blanks in mid-line, the last ones so many blanks: bytes, or what eight bytes show.
    Half {
        chars: usize,
        blanks: usize,
    },
    /// What the bytes show.
    Shown(usize),
    Return,
    /// So many backslashes of an escaped line end, behind so many bytes that were shown.
    Escape {
        slashes: usize,
        shown: usize,
    },
    Ended,
}

/// Backslashes of an escaped line end at most, as of other encoded text.
const SLASHES_MAX: usize = 3;

impl Dump {
    pub(super) fn new() -> Dump {
        Dump {
            place: Place::Indent(0),
            offset_digits: 0,
            has_colon: false,
            group: [0; DUMP_GROUP_MAX_BYTES],
            digits: 0,
            line_bytes: 0,
            line_groups: 0,
            is_at_start: false,
            half: [0; HALF_BYTES],
            half_bytes: 0,
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            let next = self.step(*byte, out);
            self.place = next.unwrap_or(Place::Ended);
            if next.is_none() {
                return at;
            }
        }
        bytes.len()
    }

    /// The last group, if nothing follows that ends it.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        self.end_group(out);
        self.place = Place::Ended;
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> Option<Place> {
        let digit = Some(value(&HEX, byte)).filter(|digit| *digit != NO_DIGIT);
        match (self.place, byte) {
            (Place::Indent(blanks), b' ' | b'\t') => {
                (blanks < INDENT_MAX).then_some(Place::Indent(blanks + 1))
            }
            (Place::Indent(_), b'*') => (self.offset_digits > 0).then_some(Place::Alike),
            (Place::Indent(_), _) => {
                self.is_at_start = digit == Some(0);
                digit.map(|_| Place::Offset(1))
            }
            // A `0x`.
            (Place::Offset(1), b'x') => Some(Place::Offset(0)),
            (Place::Offset(digits), _) if digit.is_some() => {
                self.is_at_start = self.is_at_start && digit == Some(0);
                (digits < DUMP_OFFSET_MAX_DIGITS).then_some(Place::Offset(digits + 1))
            }
            (Place::Offset(digits), _) => self.behind_offset(digits, byte),
            (Place::Colon, _) => is_blank(byte).then_some(Place::Gap(1)),
            (Place::Gap(_) | Place::Group, _) if let Some(digit) = digit => self.add(digit),
            (Place::Group, _) => self.end_group(out).then(|| self.behind_bytes(0, byte)).flatten(),
            (Place::Gap(blanks), _) => self.behind_bytes(blanks, byte),
            (Place::Half { chars, blanks }, _) => self.in_half(chars, blanks, byte, out),
            (Place::Shown(_) | Place::Alike | Place::Return, b'\n') => Some(self.next_line()),
            (Place::Alike, b'\r') => Some(Place::Return),
            // What a line shows may hold such an escape as it stands.
            (Place::Shown(shown), b'\\') if shown >= self.line_bytes => {
                Some(Place::Escape { slashes: 1, shown })
            }
            (Place::Shown(len), _) => (len < DUMP_SHOWN_MAX_BYTES).then_some(Place::Shown(len + 1)),
            (Place::Alike | Place::Return, b'\\') => Some(Place::Escape { slashes: 1, shown: 0 }),
            (Place::Escape { slashes, shown }, _) => self.behind_slashes(slashes, shown, byte),
            (Place::Alike | Place::Return | Place::Ended, _) => None,
        }
    }

    fn behind_slashes(&mut self, slashes: usize, shown: usize, byte: u8) -> Option<Place> {
        match byte {
            b'\\' if slashes < SLASHES_MAX => Some(Place::Escape { slashes: slashes + 1, shown }),
            b'n' => Some(self.next_line()),
            b'r' => Some(Place::Return),
            _ => (shown > 0 && shown < DUMP_SHOWN_MAX_BYTES)
                .then_some(Place::Shown(shown + slashes + 1)),
        }
    }

    fn next_line(&mut self) -> Place {
        (self.line_bytes, self.line_groups) = (0, 0);
        Place::Indent(0)
    }

    /// All offsets have as many digits, but those of another dump that begins. The last has no bytes behind it.
    fn behind_offset(&mut self, digits: usize, byte: u8) -> Option<Place> {
        let is_first = self.offset_digits == 0;
        let is_offset = is_offset_len(digits)
            && (is_first
                || self.is_at_start
                || self.offset_digits == digits && self.has_colon == (byte == b':'));
        match byte {
            b'\n' if self.offset_digits == digits => return Some(self.next_line()),
            b'\r' if self.offset_digits == digits => return Some(Place::Return),
            b'\\' if self.offset_digits == digits => {
                return Some(Place::Escape { slashes: 1, shown: 0 });
            }
            b':' | b' ' | b'\t' if is_offset => {}
            _ => return None,
        }
        (self.offset_digits, self.has_colon) = (digits, byte == b':');
        Some(if self.has_colon { Place::Colon } else { Place::Gap(1) })
    }

    fn add(&mut self, digit: u8) -> Option<Place> {
        let place = self.group.get_mut(self.digits / 2)?;
        *place = *place << 4 | digit;
        self.digits += 1;
        Some(Place::Group)
    }

    /// Whether it has whole bytes.
    fn end_group(&mut self, out: &mut Vec<u8>) -> bool {
        let (bytes, is_whole) = (self.digits / 2, self.digits.is_multiple_of(2));
        let group = self.group.get_mut(..bytes).filter(|_| is_whole);
        if let Some(group) = group {
            if !self.has_colon {
                group.reverse();
            }
            out.extend_from_slice(group);
            self.line_bytes += bytes;
            self.line_groups += 1;
        }
        self.digits = 0;
        is_whole
    }

    /// What stands behind so many blanks behind the offset or a group.
    fn behind_bytes(&mut self, blanks: usize, byte: u8) -> Option<Place> {
        let has_bytes = self.line_bytes > 0;
        let is_halved = !self.has_colon && self.line_bytes != HALVED_LINE_BYTES;
        let least = if is_halved { BLANKS_BEFORE_SHOWN } else { BLANKS_BEFORE_SHOWN_COLON };
        match byte {
            b'\n' if has_bytes => Some(self.next_line()),
            b'\r' if has_bytes => Some(Place::Return),
            b'\\' if has_bytes => Some(Place::Escape { slashes: 1, shown: 0 }),
            b' ' | b'\t' if has_bytes && blanks + 1 >= least => Some(match self.may_be_half() {
                true => Place::Half { chars: 0, blanks: 0 },
                false => Place::Shown(0),
            }),
            b' ' | b'\t' if blanks < INDENT_MAX => Some(Place::Gap(blanks + 1)),
            b'|' | b'>' if has_bytes && blanks > 0 => Some(Place::Shown(0)),
            _ => None,
        }
    }

    /// Whether the other half of the line's bytes may be behind two blanks.
    fn may_be_half(&mut self) -> bool {
        self.half_bytes = 0;
        self.has_colon && self.line_bytes == HALF_BYTES && self.line_groups == HALF_BYTES
    }

    fn in_half(
        &mut self,
        chars: usize,
        blanks: usize,
        byte: u8,
        out: &mut Vec<u8>,
    ) -> Option<Place> {
        let digit = Some(value(&HEX, byte)).filter(|digit| *digit != NO_DIGIT);
        let is_of_bytes = match (digit, self.digits) {
            (Some(digit), 0 | 1) if blanks < BLANKS_BEFORE_SHOWN_COLON => self.add(digit).is_some(),
            (None, 2) => is_blank(byte) && self.add_to_half(),
            (None, 0) => is_blank(byte) && self.half_bytes > 0,
            _ => false,
        };
        if !is_of_bytes {
            self.digits = 0;
            self.place = Place::Shown(chars);
            return self.step(byte, out);
        }
        let blanks = if is_blank(byte) { blanks + 1 } else { 0 };
        if chars < HALF_BYTES {
            return Some(Place::Half { chars: chars + 1, blanks });
        }
        out.extend_from_slice(self.half.get(..self.half_bytes).unwrap_or_default());
        self.line_bytes += self.half_bytes;
        Some(match blanks {
            0 => Place::Group,
            1 => Place::Gap(1),
            _ => Place::Shown(0),
        })
    }

    /// Takes the byte of a group for one of the other half.
    fn add_to_half(&mut self) -> bool {
        self.digits = 0;
        let (Some(place), Some(byte)) = (self.half.get_mut(self.half_bytes), self.group.first())
        else {
            return false;
        };
        *place = *byte;
        self.half_bytes += 1;
        true
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Write as _;

    use super::super::next_run;
    use super::super::tests::decode;
    use super::*;

    const SECRET: &str = "token=abcdefgh-EXAMPLE-ijklmnop";

    fn dump(bytes: &[u8], line: impl Fn(usize, &[u8], &str) -> String) -> String {
        let lines = bytes.chunks(16).enumerate().map(|(number, bytes)| {
            let is_shown = |byte: &u8| matches!(byte, b' '..=b'~');
            let shown = bytes.iter().map(|byte| if is_shown(byte) { *byte as char } else { '.' });
            line(16 * number, bytes, &shown.collect::<String>())
        });
        lines.collect()
    }

    fn hex(bytes: &[u8], group: usize) -> String {
        let mut out = String::new();
        for (at, byte) in bytes.iter().enumerate() {
            let between = if at > 0 && at % group == 0 { " " } else { "" };
            write!(out, "{between}{byte:02x}").unwrap();
        }
        out
    }

    pub fn xxd(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, shown| format!("{at:08x}: {:39}  {shown}\n", hex(bytes, 2)))
    }

    fn xxd_bytes(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, shown| format!("{at:08x}: {:47}  {shown}\n", hex(bytes, 1)))
    }

    pub fn hexdump(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, shown| {
            let (left, right) = bytes.split_at(bytes.len().min(8));
            let hex = format!("{:23}  {}", hex(left, 1), hex(right, 1));
            format!("{at:08x}  {hex:48}  |{shown}|\n")
        })
    }

    pub fn od(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, shown| format!("{at:06x} {:47}  >{shown}<\n", hex(bytes, 1)))
    }

    fn od_octal(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, _| format!("{at:07o} {}\n", hex(bytes, 1)))
    }

    /// Bytes as numbers of two, as little processors have them.
    fn words(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, _| {
            let swapped = bytes.chunks(2).flat_map(|pair| [pair[pair.len() - 1], pair[0]]);
            let swapped: Vec<u8> = swapped.take(bytes.len().next_multiple_of(2)).collect();
            format!("{at:07x} {}\n", hex(&swapped, 2))
        })
    }

    fn tcpdump(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, shown| format!("\t0x{at:04x}:  {:39}  {shown}\n", hex(bytes, 2)))
    }

    fn wireshark(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, shown| {
            let (left, right) = bytes.split_at(bytes.len().min(8));
            format!("{at:04x}   {}  {:23}   {shown}\n", hex(left, 1), hex(right, 1))
        })
    }

    type Tool = fn(&[u8]) -> String;

    /// With a colon, and two blanks in the middle of a line.
    fn halved(bytes: &[u8]) -> String {
        dump(bytes, |at, bytes, shown| {
            let (left, right) = bytes.split_at(bytes.len().min(8));
            let hex = format!("{:23}  {}", hex(left, 1), hex(right, 1));
            format!("{at:08x}: {hex:48}  {shown}\n")
        })
    }

    const TOOLS: [(&str, Tool); 9] = [
        ("halved", halved),
        ("xxd", xxd),
        ("xxd -g1", xxd_bytes),
        ("hexdump -C", hexdump),
        ("od -A x -t x1z", od),
        ("od -t x1", od_octal),
        ("hexdump", words),
        ("tcpdump -X", tcpdump),
        ("wireshark", wireshark),
    ];

    #[test]
    fn a_dump_is_read_wherever_it_and_the_secret_in_it_stand() {
        for (tool, dump) in TOOLS {
            for offset in 0..16 {
                for front in ["", "$ xxd x\n", "a line, and another one,\nof some bytes\n\n"] {
                    let bytes = [&b"A=1\n".repeat(9)[..36 - offset], SECRET.as_bytes()].concat();
                    // A number of bytes that is even: words have no half.
                    let bytes = [&bytes[..], &b"\n.."[1 - bytes.len() % 2..]].concat();
                    let text = format!("{front}{}$ exit\n", dump(&bytes));
                    let run = next_run(text.as_bytes(), 0).unwrap_or_else(|| panic!("{text}"));
                    assert_eq!(run, Run { start: front.len(), kind: Kind::Dump }, "{tool} {text}");
                    let (said, taken) = decode(run.kind, &text.as_bytes()[run.start..]);
                    assert_eq!(said.as_bytes(), bytes, "{tool} {text}");
                    assert_eq!(run.start + taken, text.len() - "$ exit\n".len(), "{tool} {text}");
                }
            }
        }
    }

    #[test]
    fn a_dump_is_seen_at_its_first_line_wherever_that_stands() {
        let bytes = [SECRET.as_bytes(), SECRET.as_bytes()].concat();
        for (tool, dump) in TOOLS {
            for before in 0..130 {
                let front = format!("{}\n", "-".repeat(before));
                let text = format!("{front}{}", dump(&bytes));
                let run = next_run(text.as_bytes(), 0);
                assert_eq!(
                    run,
                    Some(Run { start: front.len(), kind: Kind::Dump }),
                    "{tool} {before}"
                );
            }
        }
    }

    #[test]
    fn line_ends_may_be_escapes_and_what_is_shown_may_hold_such() {
        let bytes = br"\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n token=EXAMPLE\n..";
        for (tool, dump) in TOOLS.into_iter().filter(|(tool, _)| *tool != "tcpdump -X") {
            let raw = dump(bytes);
            let escape = |text: &str| text.replace('\\', r"\\").replace('\n', r"\n");
            let once = escape(&raw).replace(r"\\", r"\");
            for text in
                [raw.clone(), format!("{{\"d\":\"{once}\"}}"), once.replace(r"\n0", r"\\n0")]
            {
                let run = next_run(text.as_bytes(), 0).unwrap_or_else(|| panic!("{tool} {text}"));
                let (said, _) = decode(run.kind, &text.as_bytes()[run.start..]);
                assert_eq!(said.as_bytes(), bytes, "{tool} {text}");
            }
        }
    }

    /// The first line of the second was passed over with the end of the first.
    #[test]
    fn a_dump_behind_another_of_another_kind_is_read_whole() {
        let bytes = &[SECRET.as_bytes(), b"."].concat();
        for (first, one) in TOOLS {
            for (second, other) in TOOLS {
                let text = format!("{}{}$ exit\n", one(bytes), other(bytes));
                let (said, taken) = decode(Kind::Dump, text.as_bytes());
                assert_eq!(said.as_bytes(), [&bytes[..], bytes].concat(), "{first}, {second}");
                assert_eq!(taken, text.len() - "$ exit\n".len(), "{first}, {second}");
            }
        }
    }

    /// Two blanks and what looks like bytes: of a line of eight bytes it is what they show.
    #[test]
    fn what_eight_bytes_show_is_not_taken_for_eight_more() {
        for shown in ["be ad de", "ab cd ef", "ab", "ab  cd  ", "abcdefgh", "0 0 0 0 "] {
            let bytes = format!("{shown:8}token=ab");
            let lines = bytes.as_bytes().chunks(8).enumerate().map(|(number, bytes)| {
                let shown = std::str::from_utf8(bytes).unwrap();
                format!("{:08x}: {}  {shown}\n", 8 * number, hex(bytes, 1))
            });
            let (said, _) = decode(Kind::Dump, lines.collect::<String>().as_bytes());
            assert_eq!(said, bytes);
        }
    }

    #[test]
    fn equal_lines_and_the_last_offset_are_of_a_dump() {
        let head = hexdump(SECRET.as_bytes());
        let text = format!("{head}*\n00000100  61 62 63 64 65 66  |abcdef|\r\n00000106\n$ ");
        let (said, taken) = decode(Kind::Dump, text.as_bytes());
        assert_eq!((said, taken), (format!("{SECRET}abcdef"), text.len() - "$ ".len()));
    }

    #[test]
    fn tables_of_numbers_are_no_dump() {
        for text in [
            "2024 12 34 56 78 90 12 34\n2025 12 34 56 78 90 12 34\n2026 12 34 56 78 90 12 34\n",
            "1234 5678 1234 5678\n1234 5678 1234 5678 9012 3456\n1234 5678 1234 5678 9012\n",
            "2024: 12 34 56 78 90 12 34\n2025: 12 34 56 78 90 12 34\n2026: 12 34 56 78 90 12 34\n",
            "call 0800 1234 5678 9012 or 0800 1234 5678 9012, and more of it\n",
        ] {
            let found = next_run(text.repeat(3).as_bytes(), 0);
            assert!(found.is_none_or(|run| run.kind != Kind::Dump), "{text} {found:?}");
        }
    }
}
