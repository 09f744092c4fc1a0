//! One escaped character: percent-encoding, backslash escapes, HTML and XML entities.

use super::Kinds;

/// The most backslashes in front of an escape that go with it.
const BACKSLASHES_MAX: usize = 12;
/// Digits of a number in an escape, leading zeros included.
const DIGITS_MAX: usize = 8;
/// The longest name of an entity that is known.
pub const ENTITY_NAME_MAX: usize = 8;

/// What an escape stands for, and how many bytes it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escape {
    pub value: Value,
    pub taken: usize,
    pub kind: Kinds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    Byte(u8),
    Char(char),
}

impl Value {
    /// Whether it is a character that a text hides by an escape: one that can be seen or is a blank.
    pub fn is_printable_ascii(self) -> bool {
        match self {
            Self::Byte(byte) => matches!(byte, b' '..=b'~'),
            Self::Char(char) => matches!(char, ' '..='~'),
        }
    }
}

/// The escape that `text` begins with.
pub fn at_start(text: &[u8]) -> Option<Escape> {
    match text.first()? {
        b'%' => percent(text),
        b'\\' => backslash(text),
        b'&' => entity(text),
        _ => None,
    }
}

fn hex(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

/// The number that the first digits of `text` make, and how many they are.
fn number(text: &[u8], radix: u32, digits_max: usize) -> Option<(u32, usize)> {
    let (mut value, mut len) = (0_u32, 0);
    for byte in text.iter().take(digits_max) {
        let Some(digit) = char::from(*byte).to_digit(radix) else { break };
        value = value.checked_mul(radix)?.checked_add(digit)?;
        len += 1;
    }
    (len > 0).then_some((value, len))
}

/// The number of exactly `len` hexadecimal digits.
fn exactly(text: &[u8], len: usize) -> Option<u32> {
    text.get(..len)?.iter().try_fold(0, |value, byte| Some(value << 4 | hex(*byte)?))
}

/// `%2f`, and `%u002f` as IIS takes it.
fn percent(text: &[u8]) -> Option<Escape> {
    let kind = Kinds::PERCENT;
    if let [_, high, low, ..] = text
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        return Some(Escape { value: Value::Byte((high << 4 | low) as u8), taken: 3, kind });
    }
    if let [_, b'u' | b'U', digits @ ..] = text {
        let value = Value::Char(char::from_u32(exactly(digits, 4)?)?);
        return Some(Escape { value, taken: 6, kind });
    }
    None
}

/// `\u002f`, `\u{2f}`, `\U0000002f`, `\x2f`, `\x{2f}`, `\057`, with any number of backslashes.
fn backslash(text: &[u8]) -> Option<Escape> {
    let slashes = text.iter().take(BACKSLASHES_MAX).take_while(|byte| **byte == b'\\').count();
    let (value, taken) = behind_backslashes(text.get(slashes..)?)?;
    Some(Escape { value, taken: slashes + taken, kind: Kinds::UNICODE })
}

fn behind_backslashes(text: &[u8]) -> Option<(Value, usize)> {
    let (letter, rest) = text.split_first()?;
    match (letter, rest) {
        (b'u' | b'x', [b'{', digits @ ..]) => {
            let (value, len) = number(digits, 16, DIGITS_MAX)?;
            let is_closed = digits.get(len) == Some(&b'}');
            is_closed.then_some((Value::Char(char::from_u32(value)?), len + 3))
        }
        (b'u', digits) => utf16_unit(digits),
        (b'x', digits) => {
            let value = u8::try_from(exactly(digits, 2)?).ok()?;
            Some((Value::Byte(value), 3))
        }
        (b'U', digits) => Some((Value::Char(char::from_u32(exactly(digits, 8)?)?), 9)),
        (b'0'..=b'3', _) => octal(text),
        _ => None,
    }
}

/// The four digits behind a `\u`, and the second half of a surrogate pair.
fn utf16_unit(digits: &[u8]) -> Option<(Value, usize)> {
    let first = exactly(digits, 4)?;
    if let Some(char) = char::from_u32(first) {
        return Some((Value::Char(char), 5));
    }
    let behind = digits.get(4..)?;
    let slashes = behind.iter().take(4).take_while(|byte| **byte == b'\\').count();
    let (b'u', second) = behind.get(slashes..)?.split_first()? else { return None };
    let pair = [first as u16, u16::try_from(exactly(second, 4)?).ok()?];
    let char = char::decode_utf16(pair).next()?.ok()?;
    (slashes > 0).then_some((Value::Char(char), 5 + slashes + 5))
}

/// Three digits, or a zero and three as `echo -e` takes it. A character that cannot be seen is as
/// likely the number of a group, so only those that can are taken.
fn octal(text: &[u8]) -> Option<(Value, usize)> {
    let seen = |digits: &[u8]| {
        let value = digits
            .iter()
            .try_fold(0_u32, |value, byte| Some(value << 3 | char::from(*byte).to_digit(8)?))?;
        u8::try_from(value).ok().filter(|byte| matches!(byte, b' '..=b'~'))
    };
    let three = text.get(..3)?;
    if let Some(byte) = seen(three) {
        return Some((Value::Byte(byte), 3));
    }
    let four = text.get(..4).filter(|digits| digits.first() == Some(&b'0'))?;
    Some((Value::Byte(seen(four)?), 4))
}

/// `&#47;`, `&#x2f;`, both also without the semicolon, and the names that matter.
fn entity(text: &[u8]) -> Option<Escape> {
    let kind = Kinds::HTML;
    let (value, taken) = match text.get(1..)? {
        [b'#', b'x' | b'X', digits @ ..] => {
            let (value, len) = number(digits, 16, DIGITS_MAX)?;
            (Value::Char(char::from_u32(value)?), closed(digits, len) + 3)
        }
        [b'#', digits @ ..] => {
            let (value, len) = number(digits, 10, DIGITS_MAX)?;
            (Value::Char(char::from_u32(value)?), closed(digits, len) + 2)
        }
        rest => {
            let is_letter = |byte: &&u8| byte.is_ascii_alphabetic();
            let len = rest.iter().take(ENTITY_NAME_MAX + 1).take_while(is_letter).count();
            if rest.get(len) != Some(&b';') {
                return None;
            }
            (named(rest.get(..len)?)?, len + 2)
        }
    };
    Some(Escape { value, taken, kind })
}

/// The length of a number with its semicolon, if it has one.
fn closed(digits: &[u8], len: usize) -> usize {
    len + usize::from(digits.get(len) == Some(&b';'))
}

/// The characters of the names that HTML has for what commands, keys and markup are made of.
fn named(name: &[u8]) -> Option<Value> {
    let char = match name {
        b"lt" | b"LT" => '<',
        b"gt" | b"GT" => '>',
        b"amp" | b"AMP" => '&',
        b"quot" | b"QUOT" => '"',
        b"apos" => '\'',
        b"nbsp" | b"ensp" | b"emsp" | b"thinsp" | b"numsp" | b"puncsp" | b"hairsp" => ' ',
        b"sol" => '/',
        b"bsol" => '\\',
        b"period" => '.',
        b"colon" => ':',
        b"semi" => ';',
        b"comma" => ',',
        b"excl" => '!',
        b"quest" => '?',
        b"equals" => '=',
        b"plus" => '+',
        b"hyphen" | b"dash" => '-',
        b"lowbar" | b"UnderBar" => '_',
        b"ast" | b"midast" => '*',
        b"percnt" => '%',
        b"dollar" => '$',
        b"num" => '#',
        b"commat" => '@',
        b"grave" => '`',
        b"Hat" => '^',
        b"verbar" | b"vert" | b"VertLine" => '|',
        b"lpar" => '(',
        b"rpar" => ')',
        b"lsqb" | b"lbrack" => '[',
        b"rsqb" | b"rbrack" => ']',
        b"lcub" | b"lbrace" => '{',
        b"rcub" | b"rbrace" => '}',
        b"Tab" => '\t',
        b"NewLine" => '\n',
        b"shy" => '\u{AD}',
        b"zwnj" => '\u{200C}',
        b"zwj" => '\u{200D}',
        _ => return None,
    };
    Some(Value::Char(char))
}
