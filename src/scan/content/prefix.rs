//! What may stand before JSON: guards against being run as a program, comments, the name of a function that is called
//! with it (JSONP), or of what it is set to.

use super::kind::opening;
use crate::limits::{JSON_PREFIX_NAME_MAX_BYTES, JSON_PREFIX_PARTS_MAX};
use crate::scan::view::json::looks_like_json;

/// What some text begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// JSON, behind so many bytes.
    Of(usize),
    /// What may be JSON, behind so many bytes.
    Opened(usize),
    /// All of it may be part of a prefix.
    Open,
    /// Nothing of the kind.
    None,
}

/// What makes a program of it that ends, or fails, before the JSON.
const GUARDS: [&[u8]; 10] = [
    b")]}',",
    b")]}'",
    b"while(1);",
    b"while (1);",
    b"while(true);",
    b"for(;;);",
    b"for (;;);",
    b"throw 1;",
    b"throw(1);",
    b"&&&START&&&",
];

/// What may stand before a name, and before a value that has none.
const BEFORE_NAMES: [&[u8]; 5] = [b"var ", b"let ", b"const ", b"return ", b"export default "];

/// What asks whether a function is there before it is called.
const TYPEOF: &[u8] = b"typeof ";

/// What a text begins with that is not JSON from its first byte.
pub(super) fn prefix_of(head: &[u8]) -> Prefix {
    let start = opening(head);
    let mut rest = start;
    for _ in 0..JSON_PREFIX_PARTS_MAX {
        match part(rest) {
            Part::Of(len) => rest = rest.get(len..).unwrap_or_default().trim_ascii_start(),
            Part::Open => return Prefix::Open,
            Part::None => break,
        }
    }
    match name(rest) {
        Part::Of(len) => rest = rest.get(len..).unwrap_or_default().trim_ascii_start(),
        Part::Open => return Prefix::Open,
        Part::None => {}
    }
    let behind = head.len() - rest.len();
    match (rest, looks_like_json(rest)) {
        ([], _) => Prefix::Open,
        ([b'{' | b'[', ..], Some(true)) if rest.len() < start.len() => Prefix::Of(behind),
        ([b'{' | b'[', ..], None) if rest.len() < start.len() => Prefix::Opened(behind),
        _ => Prefix::None,
    }
}

/// How long a part is.
enum Part {
    Of(usize),
    Open,
    None,
}

/// A guard or a comment.
fn part(text: &[u8]) -> Part {
    if !matches!(text.first(), Some(b')' | b'w' | b'f' | b't' | b'&' | b'/')) {
        return Part::None;
    }
    if let Some(guard) = GUARDS.iter().find(|guard| text.starts_with(guard)) {
        return Part::Of(guard.len());
    }
    if GUARDS.iter().any(|guard| guard.starts_with(text)) || TYPEOF.starts_with(text) {
        return Part::Open;
    }
    let find = memchr::memmem::find;
    let end = match text {
        b"/" => None,
        [b'/', b'*', inner @ ..] => find(inner, b"*/").map(|at| at + 4),
        [b'/', b'/', inner @ ..] => memchr::memchr(b'\n', inner).map(|at| at + 3),
        _ if text.starts_with(TYPEOF) => find(text, b"&&").map(|at| at + 2),
        _ => return Part::None,
    };
    end.map_or(Part::Open, Part::Of)
}

/// A name, up to the sign behind it.
fn name(text: &[u8]) -> Part {
    let word = BEFORE_NAMES.iter().find_map(|word| text.strip_prefix(*word));
    let rest = word.unwrap_or(text).trim_ascii_start();
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$.".contains(byte);
    let len =
        rest.iter().take(JSON_PREFIX_NAME_MAX_BYTES).take_while(|byte| is_of_name(byte)).count();
    let sign = rest.get(len..).unwrap_or_default().trim_ascii_start();
    match sign {
        _ if len == JSON_PREFIX_NAME_MAX_BYTES => Part::None,
        [] => Part::Open,
        [b'{' | b'[', ..] if len == 0 && word.is_some() => Part::Of(text.len() - sign.len()),
        [b'(' | b'=', ..] if len > 0 => Part::Of(text.len() - sign.len() + 1),
        // `export default` is two words.
        _ if text.len() < 15 && BEFORE_NAMES.iter().any(|word| word.starts_with(text)) => {
            Part::Open
        }
        _ => Part::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIXES: [&str; 20] = [
        ")]}'\n",
        ")]}',\n",
        ")]}'",
        "while(1);",
        "for (;;);",
        "throw 1; ",
        "&&&START&&&",
        "/* x */",
        "/**/ ",
        "// x\n",
        "\u{feff}// x\r\n// y\r\n",
        "x=",
        "var x = ",
        "window.__STATE__ = ",
        "module.exports = ",
        "export default ",
        "callback(",
        "/**/jQuery1_2(",
        "/**/ typeof cb === 'function' && cb(",
        "for(;;);\n/* x */ cb ( ",
    ];

    #[test]
    fn what_stands_before_json_is_told_however_it_is_cut() {
        for prefix in PREFIXES {
            for json in ["{\"a\":\"b\"}", "[1, 2]", "[{}]", "{}"] {
                let head = format!("{prefix}{json}");
                assert_eq!(prefix_of(head.as_bytes()), Prefix::Of(prefix.len()), "{head}");
            }
            for end in 1..=prefix.len() {
                assert_eq!(prefix_of(&prefix.as_bytes()[..end]), Prefix::Open, "{prefix} {end}");
            }
            let opened = Prefix::Opened(prefix.len());
            assert_eq!(prefix_of(format!("{prefix}{{ ").as_bytes()), opened, "{prefix}");
        }
    }

    #[test]
    fn what_stands_before_anything_else_is_none() {
        for other in [
            "x = 1",
            "function f() {}",
            "/* x */ {a: 1}",
            "two words",
            "x=={\"a\":1}",
            "x => {\"a\"",
            "f(x)",
            "<html>",
            ")]}",
            "{\"a\":1}",
            "return 1;",
            "(function(){\"use strict\"",
        ] {
            let told = prefix_of(other.as_bytes());
            assert!(told == Prefix::None || other == ")]}", "{other} {told:?}");
        }
        let parts = |count| format!("{}{{\"a\":1}}", "/**/".repeat(count));
        assert!(matches!(prefix_of(parts(JSON_PREFIX_PARTS_MAX).as_bytes()), Prefix::Of(_)));
        assert_eq!(prefix_of(parts(JSON_PREFIX_PARTS_MAX + 1).as_bytes()), Prefix::None);
        let name = |len| format!("{}({{\"a\":1}}", "n".repeat(len));
        assert!(matches!(
            prefix_of(name(JSON_PREFIX_NAME_MAX_BYTES - 1).as_bytes()),
            Prefix::Of(_)
        ));
        assert_eq!(prefix_of(name(JSON_PREFIX_NAME_MAX_BYTES).as_bytes()), Prefix::None);
    }
}
