//! A protobuf message by its wire format (protobuf.dev/programming-guides/encoding), without its schema: what
//! can be read as a string is one, what can be read as a message is looked into.
//!
//! Taken by nothing but being text, a string has its length in front of it as one more character where that is
//! one of ASCII: `3sk-…`, in which no key begins.

use crate::limits::{PROTOBUF_DEPTH_MAX, PROTOBUF_PIECE_MAX_BYTES, PROTOBUF_STRINGS_MAX};

use super::TEXT_MIN_BYTES;

/// Wire types: how the value behind a tag is written.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;
/// Spreads the numbers of fields over those of places: 2^64 by the golden ratio.
const PATH_MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Visits the strings and byte fields of a message, those of the messages in it, too; says whether they are all
/// that it says. It is not so of what is no message, and of one with more than `limits::PROTOBUF_STRINGS_MAX`.
pub fn visit_strings(message: &[u8], visit: &mut impl FnMut(&[u8])) -> bool {
    if !is_message(message) {
        return false;
    }
    let mut left = Some(PROTOBUF_STRINGS_MAX);
    descend(message, 0, &mut left, visit);
    left.is_some()
}

/// `left` is how many may still be visited; none: there were more.
fn descend(message: &[u8], depth: usize, left: &mut Option<usize>, visit: &mut impl FnMut(&[u8])) {
    for value in Fields(message).flatten().filter_map(|field| field.value) {
        if value.len() < TEXT_MIN_BYTES {
            continue;
        }
        let is_inner = depth < PROTOBUF_DEPTH_MAX && is_message(value);
        if is_inner {
            descend(value, depth + 1, left, visit);
        }
        // What is both may be either.
        if !is_inner || is_text(value) {
            *left = left.and_then(|left| left.checked_sub(1));
            if left.is_some() {
                visit(value);
            }
        }
    }
}

/// Visits the strings of a message that may be pieces of longer ones, however short, each with a number for its place:
/// that of the fields that it stands in. Whether it is a message that has any.
pub fn visit_pieces(message: &[u8], visit: &mut impl FnMut(u64, &[u8])) -> bool {
    let mut left = PROTOBUF_STRINGS_MAX;
    if is_message(message) {
        descend_to_pieces(message, 0, 1, &mut left, visit);
    }
    left < PROTOBUF_STRINGS_MAX
}

fn descend_to_pieces(
    message: &[u8],
    depth: usize,
    path: u64,
    left: &mut usize,
    visit: &mut impl FnMut(u64, &[u8]),
) {
    let values = Fields(message).flatten().filter_map(|field| Some((field.number, field.value?)));
    for (number, value) in values.filter(|(_, value)| !value.is_empty()) {
        let path = (path.rotate_left(5) ^ number).wrapping_mul(PATH_MIX);
        if depth < PROTOBUF_DEPTH_MAX && is_message(value) {
            descend_to_pieces(value, depth + 1, path, left, visit);
        }
        // What is both may be either.
        if *left > 0 && value.len() <= PROTOBUF_PIECE_MAX_BYTES && is_text(value) {
            *left -= 1;
            visit(path, value);
        }
    }
}

/// Whether bytes can be read as a message, to the last of them.
fn is_message(bytes: &[u8]) -> bool {
    Fields(bytes).all(|field| field.is_some())
}

fn is_text(bytes: &[u8]) -> bool {
    let is_control = |char: char| char.is_control() && !matches!(char, '\t' | '\n' | '\r');
    std::str::from_utf8(bytes).is_ok_and(|text| !text.chars().any(is_control))
}

/// One field, and its value if that is delimited.
struct Field<'a> {
    number: u64,
    value: Option<&'a [u8]>,
}

/// The fields of a message. One that cannot be read is none, and the last.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<Field<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<Field<'a>> {
        let tag = self.varint()?;
        // Numbers of fields have 29 bits, and begin with 1.
        if !(8..1 << 32).contains(&tag) {
            return None;
        }
        let value = match tag & 7 {
            VARINT => self.varint().map(|_| None),
            FIXED_64 => self.take(8).map(|_| None),
            FIXED_32 => self.take(4).map(|_| None),
            DELIMITED => {
                let len = usize::try_from(self.varint()?).ok()?;
                self.take(len).map(Some)
            }
            _ => None,
        };
        value.map(|value| Field { number: tag >> 3, value })
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (value, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(value)
    }

    /// Seven bits a byte, the lowest first; ten bytes at most.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        let mut len = value.len();
        while len > 0x7F {
            out.push(len as u8 | 0x80);
            len >>= 7;
        }
        out.push(len as u8);
        out.extend_from_slice(value);
        out
    }

    fn strings(message: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut found = Vec::new();
        visit_strings(message, &mut |text| found.push(text.to_vec())).then_some(found)
    }

    #[test]
    fn strings_are_found_without_their_lengths_however_deep() {
        let text = [b'k'; 51];
        let mut message = [b"\x08\x96\x01".as_slice(), &field(4, &text), b"\x15abcd"].concat();
        for depth in 0..4 {
            let found = strings(&message).unwrap();
            assert!(found.iter().any(|found| *found == text), "{depth}: {found:?}");
            message = field(2, &message);
        }
        let long = vec![b'l'; 5000];
        assert_eq!(strings(&field(1, &long)), Some(vec![long]));
    }

    #[test]
    fn what_is_no_message_has_none() {
        for broken in [&b"{\"a\": 1}"[..], b"\x0A\x10abc", b"\x08", b"\x02\x01a", b"\x0B"] {
            assert_eq!(strings(broken), None, "{broken:?}");
        }
        assert_eq!(strings(b""), Some(vec![]));
        assert_eq!(strings(&field(1, b"short")), Some(vec![]));
    }

    #[test]
    fn pieces_have_the_number_of_their_place_however_short_they_are() {
        let pieces = |message: &[u8]| {
            let mut found = Vec::new();
            let is_any = visit_pieces(message, &mut |path, text| found.push((path, text.to_vec())));
            assert_eq!(is_any, !found.is_empty());
            found
        };
        let delta = |text: &[u8]| pieces(&field(3, &field(1, text)));
        let [(path, first)] = &delta(b"r")[..] else { panic!() };
        assert_eq!(first, b"r");
        // The message around the second is text as well: its length is a tab.
        for text in [&b" -rf"[..], b"123456789", &[b'x'; PROTOBUF_PIECE_MAX_BYTES]] {
            assert!(delta(text).contains(&(*path, text.to_vec())), "{text:?}");
        }
        assert!(delta(&[b'x'; PROTOBUF_PIECE_MAX_BYTES + 1]).is_empty());
        assert!(pieces(&field(3, &field(2, b"r"))).iter().all(|(other, _)| other != path));
        assert!(pieces(b"{\"a\": 1}").is_empty() && pieces(b"\x08\x01").is_empty());
    }

    #[test]
    fn so_many_strings_are_visited_and_no_more() {
        let message = |count: usize| field(1, b"a string").repeat(count);
        for (count, is_all) in [(PROTOBUF_STRINGS_MAX, true), (PROTOBUF_STRINGS_MAX + 1, false)] {
            let mut visited = 0;
            assert_eq!(visit_strings(&message(count), &mut |_| visited += 1), is_all);
            assert_eq!(visited, PROTOBUF_STRINGS_MAX);
        }
    }

    #[test]
    fn so_deep_is_looked_and_no_deeper() {
        let text = b"\x07never a message".to_vec();
        let at = |depth| (0..=depth).fold(text.clone(), |inner, _| field(1, &inner));
        let deepest = |depth| strings(&at(depth)).unwrap().pop().unwrap();
        assert_eq!(deepest(PROTOBUF_DEPTH_MAX), text);
        assert_eq!(deepest(PROTOBUF_DEPTH_MAX + 1), field(1, &text));
    }
}
