//! The expressions of users' files are Go's, as gitleaks' are. Here they are written so that the parser of this engine
//! reads the same in them: what it would take for something else, and what it would refuse.
//!
//! A character beyond ASCII is several bytes here, so that a class of some of these cannot be kept; it stays as it is, and
//! is refused where it is parsed. One that holds all of them holds all bytes that they are made of.

use std::ops::Range;

use regex_syntax::escape;

/// Whose words an expression is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// This engine's: shipped packs.
    Own,
    /// Go's: users' files.
    Go,
}

/// What `\s` is in Go: no vertical tab.
const SPACES: &str = r"\t\n\f\r ";
/// All other bytes.
const NO_SPACES: &str = r"\x00-\x08\x0b\x0e-\x1f\x21-\xff";

/// What `[:…:]` may say in a class, with `^` before it or not.
const NAMED_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

/// The flags that a group may set in Go.
const FLAGS: &str = "imsU";
/// Those that it may set here only. What is written here would mean something else under `x`.
const FOREIGN_FLAGS: &str = "xuR";

/// The expression as this engine spells it. What is wrong with it stays so, but for flags that Go does not have: an
/// error names one.
pub(super) fn from_go(text: &str) -> Result<String, String> {
    spell(text, |_, _| {})
}

/// The part of Go's text that stands at a place of what [`from_go`] writes for it.
pub(super) fn origin(text: &str, place: usize) -> Range<usize> {
    let mut part = 0..text.len();
    // What comes before a foreign flag is known all the same.
    let _ = spell(text, |at, written| match written <= place {
        true => part.start = at,
        false => part.end = part.end.min(at),
    });
    part
}

/// Says of each part where it begins, and where what is written for it does.
fn spell(text: &str, mut begins: impl FnMut(usize, usize)) -> Result<String, String> {
    let mut written = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        begins(text.len() - rest.len(), written.len());
        let length = match sign {
            '\\' => escaped(rest, &mut written),
            '[' => class(rest, &mut written),
            '{' if repetition(rest).is_none() => literal('{', &mut written),
            '{' => copy(rest, repetition(rest).unwrap_or(1), &mut written),
            '(' if rest.starts_with("(?") => group(rest, &mut written)?,
            _ => copy(rest, sign.len_utf8(), &mut written),
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(written)
}

/// Takes over as many bytes as they are.
fn copy(text: &str, length: usize, written: &mut String) -> usize {
    written.push_str(text.get(..length).unwrap_or(text));
    length
}

/// One sign that means itself. How long it is.
fn literal(sign: char, written: &mut String) -> usize {
    written.push_str(&escape(sign.encode_utf8(&mut [0; 4])));
    sign.len_utf8()
}

/// The head of a group up to the end of its flags or its name: no brace in it opens anything.
fn group(text: &str, written: &mut String) -> Result<usize, String> {
    if let Some((flags, sign)) = flags(text) {
        if let Some(foreign) = flags.chars().find(|flag| FOREIGN_FLAGS.contains(*flag)) {
            return Err(format!("it sets the flag \"{foreign}\", which Go does not have"));
        }
        write_flags(flags, sign, written);
        return Ok("(?".len() + flags.len() + 1);
    }
    let name = ["(?<", "(?P<"].iter().find_map(|head| text.strip_prefix(head));
    let Some((name, end)) = name.zip(text.find('>')) else {
        return Ok(copy(text, "(?".len(), written));
    };
    // A name of Go's may begin with a digit, and nobody asks for it.
    if name.starts_with(|sign: char| sign.is_ascii_digit()) {
        written.push('(');
        return Ok(end + 1);
    }
    Ok(copy(text, end + 1, written))
}

/// The flags that a group begins with, and what ends them: `:` or `)`.
fn flags(text: &str) -> Option<(&str, char)> {
    let rest = text.strip_prefix("(?")?;
    let is_flag = |sign: char| sign == '-' || FLAGS.contains(sign) || FOREIGN_FLAGS.contains(sign);
    let end = rest.find(|sign| !is_flag(sign))?;
    let sign = rest.get(end..)?.chars().next().filter(|sign| matches!(sign, ':' | ')'))?;
    Some((rest.get(..end)?, sign))
}

/// Each flag once, and none that is unset in the same place: Go takes the last word.
fn write_flags(flags: &str, sign: char, written: &mut String) {
    let (set, unset) = flags.split_once('-').unwrap_or((flags, ""));
    let is_wrong = flags.ends_with('-') || unset.contains('-');
    let on = FLAGS.chars().filter(|flag| set.contains(*flag) && !unset.contains(*flag));
    let on: String = on.collect();
    let off: String = FLAGS.chars().filter(|flag| unset.contains(*flag)).collect();
    match (on.is_empty(), off.is_empty()) {
        _ if is_wrong => written.push_str(&format!("(?{flags}{sign}")),
        (true, true) if sign == ')' => {}
        (_, true) => written.push_str(&format!("(?{on}{sign}")),
        (_, false) => written.push_str(&format!("(?{on}-{off}{sign}")),
    }
}

/// How long `{n}`, `{n,}` or `{n,m}` is, if the text begins with one.
fn repetition(text: &str) -> Option<usize> {
    let (counts, _) = text.strip_prefix('{')?.split_once('}')?;
    let (least, most) = counts.split_once(',').unwrap_or((counts, ""));
    let is_count = |count: &str| {
        let is_short = count.len() == 1 || !count.starts_with('0');
        is_short && count.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_one = !least.is_empty() && is_count(least) && (most.is_empty() || is_count(most));
    is_one.then_some(counts.len() + 2)
}

/// An escape outside of classes. How long it is.
fn escaped(text: &str, written: &mut String) -> usize {
    let Some(sign) = text.chars().nth(1) else { return copy(text, 1, written) };
    match sign {
        'Q' => {
            let quoted = text.get(2..).unwrap_or_default();
            let end = quoted.find(r"\E");
            let quoted = quoted.get(..end.unwrap_or(quoted.len())).unwrap_or_default();
            written.push_str(&escape(quoted));
            2 + quoted.len() + end.map_or(0, |_| 2)
        }
        's' => {
            written.push_str(&format!("[{SPACES}]"));
            2
        }
        'S' => {
            written.push_str(&format!("[^{SPACES}]"));
            2
        }
        _ => match character(text) {
            Some((sign, length)) => {
                write_character(sign, written);
                length
            }
            None => copy(text, escape_length(text), written),
        },
    }
}

/// A character, as it stands in or outside of a class.
fn write_character(sign: char, written: &mut String) {
    match sign {
        ' '..='~' => {
            literal(sign, written);
        }
        '\0'..='\x7f' => written.push_str(&format!(r"\x{:02x}", u32::from(sign))),
        _ => written.push_str(&format!(r"\x{{{:x}}}", u32::from(sign))),
    }
}

/// The character that an escape stands for, and how long that is; none if it stands for another thing, or nothing.
fn character(text: &str) -> Option<(char, usize)> {
    let rest = text.strip_prefix('\\')?;
    let sign = rest.chars().next()?;
    let simple = |sign: char| Some((sign, 2));
    match sign {
        'a' => simple('\x07'),
        'f' => simple('\x0c'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\x0b'),
        'x' => hexadecimal(rest),
        // One digit alone, but for 0, would name a group.
        '1'..='7' if !rest.get(1..2).is_some_and(is_octal) => None,
        '0'..='7' => {
            let digits =
                rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            let code = u32::from_str_radix(rest.get(..digits)?, 8).ok()?;
            Some((char::from_u32(code)?, 1 + digits))
        }
        _ if sign.is_ascii() && !sign.is_ascii_alphanumeric() => simple(sign),
        _ => None,
    }
}

fn is_octal(digit: &str) -> bool {
    digit.bytes().all(|byte| (b'0'..=b'7').contains(&byte))
}

/// `x7f` or `x{7f}`, behind the backslash.
fn hexadecimal(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix('x')?;
    let (digits, around) = match digits.strip_prefix('{') {
        Some(braced) => (braced.split_once('}')?.0, 2),
        None => (digits.get(..2)?, 0),
    };
    let is_hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = u32::from_str_radix(digits, 16).ok().filter(|_| is_hexadecimal)?;
    Some((char::from_u32(code)?, "\\x".len() + digits.len() + around))
}

/// How long an escape is that stands for no character, with the name of a Unicode class.
fn escape_length(text: &str) -> usize {
    let mut signs = text.chars();
    let (_, escaped) = (signs.next(), signs.next());
    let named = signs.as_str();
    let name = match escaped {
        Some('p' | 'P') if named.starts_with('{') => named.find('}').map_or(0, |end| end + 1),
        Some('p' | 'P') => named.chars().next().map_or(0, char::len_utf8),
        _ => 0,
    };
    1 + escaped.map_or(0, char::len_utf8) + name
}

/// A class. How long it is; one that does not end, or has something in it that has no meaning, becomes one without an
/// end, to be refused.
fn class(text: &str, written: &mut String) -> usize {
    let opening = if text.starts_with("[^") { "[^" } else { "[" };
    let mut inner = String::new();
    let mut at = opening.len();
    written.push_str(opening);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with(']') && at > opening.len() {
            break;
        }
        let Some(length) = item(rest, &mut inner) else { return text.len() };
        at += length;
    }
    written.push_str(&inner);
    written.push(']');
    at + 1
}

/// One part of a class: a class in it, a character or a range. How long it is; none if it is none of these.
fn item(text: &str, written: &mut String) -> Option<usize> {
    if let Some((name, _)) = text.strip_prefix("[:").and_then(|rest| rest.split_once(":]")) {
        let is_known = NAMED_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name));
        return is_known.then(|| copy(text, name.len() + "[::]".len(), written));
    }
    match text.get(..2) {
        Some(r"\s") => {
            written.push_str(SPACES);
            return Some(2);
        }
        Some(r"\S") => {
            written.push_str(NO_SPACES);
            return Some(2);
        }
        Some(r"\d" | r"\D" | r"\w" | r"\W" | r"\p" | r"\P") => {
            return Some(copy(text, escape_length(text), written));
        }
        _ => {}
    }
    let (low, length) = class_character(text)?;
    let behind = text.get(length..).unwrap_or_default();
    let range = behind.strip_prefix('-').filter(|high| !high.is_empty() && !high.starts_with(']'));
    let (high, length) = match range {
        Some(range) => {
            let (high, behind) = class_character(range)?;
            (high, length + 1 + behind)
        }
        None => (low, length),
    };
    if low > high {
        return None;
    }
    write_range(low, high, written);
    Some(length)
}

fn class_character(text: &str) -> Option<(char, usize)> {
    match text.chars().next()? {
        '\\' => character(text),
        sign => Some((sign, sign.len_utf8())),
    }
}

fn write_range(low: char, high: char, written: &mut String) {
    // All characters beyond ASCII that one may mean: all bytes that they are made of.
    let is_wide = low <= '\u{80}' && high >= '\u{ff}';
    match low {
        '\u{80}' if is_wide => written.push_str(r"\x80"),
        _ => write_character(low, written),
    }
    if low < high {
        written.push('-');
        match is_wide {
            true => written.push_str(r"\xff"),
            false => write_character(high, written),
        }
    }
}
