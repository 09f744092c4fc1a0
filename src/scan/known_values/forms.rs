//! The forms that a value may take on its way: as it is, encoded, or halved. Values in, texts out; what it
//! makes is wiped when it is dropped.

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};
use zeroize::Zeroizing;

use crate::limits::KNOWN_VALUE_MIN_BYTES;

/// How a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Plain,
    Base64,
    Hex,
    Percent,
    FirstHalf,
    SecondHalf,
}

impl Form {
    /// For people, behind "value of NAME"; empty for the value as it is.
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Plain => "",
            Form::Base64 => "in base64",
            Form::Hex => "in hex",
            Form::Percent => "percent-encoded",
            Form::FirstHalf => "first half",
            Form::SecondHalf => "second half",
        }
    }

    /// Whether it is a part of the value only.
    pub fn is_half(self) -> bool {
        matches!(self, Form::FirstHalf | Form::SecondHalf)
    }
}

type Text = Zeroizing<Vec<u8>>;

/// Every form of a value, each text once.
pub(super) fn of(value: &[u8]) -> Vec<(Form, Text)> {
    let mut forms: Vec<(Form, Text)> = vec![(Form::Plain, Zeroizing::new(value.to_vec()))];
    let mut add = |form, text: Text| {
        if text.len() >= KNOWN_VALUE_MIN_BYTES && !forms.iter().any(|(_, known)| **known == *text) {
            forms.push((form, text));
        }
    };
    for before in 0..3 {
        add(Form::Base64, inside_base64(&BASE64_NOPAD, value, before));
        add(Form::Base64, inside_base64(&BASE64URL_NOPAD, value, before));
    }
    for hex in [HEXLOWER, HEXUPPER] {
        add(Form::Hex, Zeroizing::new(hex.encode(value).into_bytes()));
    }
    for kept in KEPT {
        for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
            add(Form::Percent, percent(value, kept, digits, false));
            add(Form::Percent, percent(value, kept, digits, true));
        }
    }
    let (first, second) = value.split_at_checked(value.len() / 2).unwrap_or_default();
    if first.len() >= KNOWN_VALUE_MIN_BYTES {
        add(Form::FirstHalf, Zeroizing::new(first.to_vec()));
        add(Form::SecondHalf, Zeroizing::new(second.to_vec()));
    }
    forms
}

/// The characters of the base64 of a longer text that depend on the value alone, when it begins `before` bytes
/// into a group of three.
fn inside_base64(encoding: &Encoding, value: &[u8], before: usize) -> Text {
    let mut text = Zeroizing::new(vec![0; before]);
    text.extend_from_slice(value);
    let encoded = Zeroizing::new(encoding.encode(&text).into_bytes());
    let first = (8 * before).div_ceil(6);
    let last = 8 * text.len() / 6;
    Zeroizing::new(encoded.get(first..last).unwrap_or_default().to_vec())
}

/// What percent-encoders leave as it is, beside letters and digits.
const KEPT: [Option<&[u8]>; 14] = [
    // All of RFC 3986's unreserved characters; with Python's `quote`, the slash, too.
    Some(b"-._~"),
    Some(b"-._~/"),
    // Encoders older than that RFC: of PHP's forms, and of Python 2.
    Some(b"-._"),
    Some(b"-._/"),
    // HTML forms.
    Some(b"-._*"),
    // JavaScript's encodeURIComponent and encodeURI.
    Some(b"-._~!'()*"),
    Some(b"-._~!'()*;/?:@&=+$,#"),
    // A segment of a path, by RFC 3986 and by Go; a path; a query.
    Some(b"-._~!'()*;:@&=+$,"),
    Some(b"-._~:@&=+$"),
    Some(b"-._~!'()*;/:@&=+$,"),
    Some(b"-._~!'()*;/?:@&=+$,"),
    // What goes through a parser of URLs: Python's `requests`, and browsers.
    Some(b"-._~!'()*;/?:@&=+$,#[]%"),
    Some(b"-._~!'()*;/?:@&=+$,#[]%|^\\`{}"),
    // Nothing at all.
    None,
];

/// Percent-encodes what is not kept; with nothing kept, letters and digits as well. Forms write a blank as `+`.
fn percent(value: &[u8], kept: Option<&[u8]>, digits: &[u8; 16], has_plus: bool) -> Text {
    let mut text = Zeroizing::new(Vec::with_capacity(3 * value.len()));
    for byte in value {
        match kept {
            Some(kept) if byte.is_ascii_alphanumeric() || kept.contains(byte) => text.push(*byte),
            Some(_) if has_plus && *byte == b' ' => text.push(b'+'),
            _ => {
                text.push(b'%');
                for digit in [byte >> 4, byte & 15] {
                    text.extend(digits.get(usize::from(digit)));
                }
            }
        }
    }
    text
}
