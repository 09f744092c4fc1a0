//! Go's expressions as this engine reads them. Classes are compared with an interpreter of their own, byte by byte.

use proptest::prelude::*;
use regex::bytes::RegexBuilder;

use super::dialect::from_go;
use super::*;

#[test]
fn what_means_itself_in_go_is_escaped_and_what_go_alone_knows_is_written_out() {
    for (go, expected) in [
        (r"^\$(?:\d+|{\d+})$", r"^\$(?:\d+|\{\d+})$"),
        ("a{2}b{2,}c{2,3}d{,3}", r"a{2}b{2,}c{2,3}d\{,3}"),
        ("a{01}b{ 2 }c{0}d{0,1}", r"a\{01}b\{ 2 }c{0}d{0,1}"),
        ("{{[^}]+}}", r"\{\{[^\}]+}}"),
        ("{x}{,}", r"\{x}\{,}"),
        (r"\x{7f}\p{Greek}\pL\{\b{start}", r"\x7f\p{Greek}\pL\{\b\{start}"),
        ("[[a]", r"[\[a]"),
        ("[[(]", r"[\[\(]"),
        ("[][]", r"[\]\[]"),
        ("[^][{]{", r"[^\]\[\{]\{"),
        ("[[:alpha:]{]", r"[[:alpha:]\{]"),
        (r"[\]{]é{", r"[\]\{]é\{"),
        ("a{", r"a\{"),
        (r"\<acmePassword\>", "<acmePassword>"),
        (r"[a-z0-9.~~]", r"[a-z0-9\.\~\~]"),
        (r"[a&&b][a--b]", r"[a\&\&b]["),
        (r"[+--]", r"[\+-\-]"),
        (r"[\w-.]", r"[\w\-\.]"),
        (r"\Qa.b{2}\Ec{2}\Q[", r"a\.b\{2\}c{2}\["),
        (r"\075\0\12\1", r"=\x00\x0a\1"),
        (r"\s[\s\S]\S", r"[\t\n\f\r ][\t\n\f\r \x00-\x08\x0b\x0e-\x1f\x21-\xff][^\t\n\f\r ]"),
        (r"\xe9[^\x00-\x{10FFFF}][é]", r"\x{e9}[^\x00-\xff][\x{e9}]"),
        ("(?P<a{2}>x)(?<b>y)", "(?P<a{2}>x)(?<b>y)"),
        ("(?P<1a>x)(?<2>y){", r"(x)(y)\{"),
        ("(?)(?:a)(?ii)(?i-i:b)(?is-mU:c)(?sis)", "(?:a)(?i)(?-i:b)(?is-mU:c)(?is)"),
        ("(?-)(?i-)(?i--s:x)(?ix", "(?-)(?i-)(?i--s:x)(?ix"),
        ("[", "["),
        ("[[:none:]]", "["),
        ("\\", "\\"),
    ] {
        assert_eq!(from_go(go).unwrap(), expected, "{go}");
    }
}

/// The only rule of a file with this expression.
fn rule(regex: &str) -> Rule {
    let text = format!("[[rules]]\nid = 'go'\nregex = '''{regex}'''\n");
    let mut pack = Pack::parse("go.toml", &text).unwrap();
    assert_eq!(pack.problems, [], "{regex}");
    pack.rules.remove(0)
}

#[test]
fn an_expression_of_a_rules_file_matches_what_it_matches_in_go() {
    for (regex, matching, others) in [
        (r"\<acmePassword\>[a-z]{4}", "<acmePassword>abcd", "acmePassword abcd"),
        (r"key[[(]x", "key(x", "keyx"),
        (r"tok_[a-z0-9.~~]{4}!", "tok_a~.9!", "tok_a-.9!"),
        (r"k[a&&b]{2}!", "k&a!", "k-a!"),
        (r"k[+--]!", "k,!", "k.!"),
        (r"\Qa.b(\E[0-9]", "a.b(1", "axb(1"),
        (r"key\075v", "key=v", "key075v"),
        (r"x{,5}y", "x{,5}y", "xxxy"),
        (r"\b{start}", "a{start}", "start"),
        (r"a\sb", "a\tb", "a\x0bb"),
    ] {
        let rule = rule(regex);
        let program = rule.expression.program().unwrap();
        assert!(program.is_match(matching.as_bytes()), "{regex}");
        assert!(!program.is_match(others.as_bytes()), "{regex}");
    }
}

#[test]
fn an_allowlist_of_a_rules_file_is_written_in_go_too() {
    let text =
        "[[rules]]\nid = 'a'\nregex = 'a.{6}'\n[rules.allowlist]\nregexes = ['''\\<no\\>[[]''']\n";
    let pack = Pack::parse("go.toml", text).unwrap();
    let judged = |secret: &'static str| {
        let secret = secret.as_bytes();
        pack.rules[0].judge(&Evidence { secret, matched: secret, ..Evidence::default() })
    };
    assert_eq!(judged("a-<no>[."), Some(Confidence::Low));
    assert_eq!(judged("a- no ..."), Some(Confidence::Medium));
}

/// Under `x` the signs that are written for Go's would be passed over as blanks and comments.
#[test]
fn a_flag_that_go_does_not_have_is_refused() {
    for regex in ["(?x)a b", "(?x:a b)", "a(?i-x)b", "(?u:a)", "(?R)a"] {
        assert!(from_go(regex).unwrap_err().contains("which Go does not have"), "{regex}");
        let text = format!("[[rules]]\nid = 'go'\nregex = '''{regex}'''\n");
        let problem = Pack::parse("go.toml", &text).unwrap().problems.remove(0);
        assert_eq!(problem.kind, ProblemKind::Unsupported, "{problem}");
    }
    for regex in [r"\(?x", "[(?x)]a", r"\Q(?x)\E", "(?i)xuR"] {
        assert!(from_go(regex).is_ok(), "{regex}");
    }
}

/// The bound was asked once more of what was written, which is five times as long.
#[test]
fn an_expression_is_measured_as_it_was_written() {
    let regex = format!("a{}", r"\s".repeat(3000));
    assert!(regex.len() < crate::limits::EXPRESSION_MAX_BYTES);
    assert!(from_go(&regex).unwrap().len() > crate::limits::EXPRESSION_MAX_BYTES);
    rule(&regex);
}

#[test]
fn what_is_wrong_is_told_in_the_authors_own_words() {
    let problem = |regex: &str| {
        let text = format!("[[rules]]\nid = 'go'\nregex = '''{regex}'''\n");
        Pack::parse("go.toml", &text).unwrap().problems.remove(0)
    };
    let wrong = problem(r"\s\s\s(x");
    assert!(wrong.reason.contains(r#"at byte 6, before "(x""#), "{wrong}");
    let greek = problem(r"\s\s\s\p{Greek}x");
    assert!(greek.reason.contains("at byte 6, "), "{greek}");
    assert_eq!(greek.kind, ProblemKind::Unsupported);
    // What this engine would not take there, or where it stands in what is written for it, was told instead.
    for (regex, words) in [
        (r"\Qa(\E\s(x", r#"unclosed group, at byte 8, before "(x""#),
        (r"\s{,5}(x", r#"unclosed group, at byte 6, before "(x""#),
        (r"(?ii)\s(x", r#"at byte 7, before "(x""#),
        (r"\s{,}\p{Greek}", r#"at byte 5, before "\\p{Greek}""#),
        (r"\s[z-a]x", r#"must be <= the end, at byte 3, before "z-a]x""#),
        (r"\s\Q.\E[z-a]x", r#"at byte 7, before "[z-a]x""#),
        (r"\s\012a\", r#"at byte 7, before "\\""#),
    ] {
        let told = problem(regex).reason;
        assert!(
            told.ends_with(words) || told.contains(&format!("{words}, and")),
            "{regex}: {told}"
        );
    }
}

#[test]
fn a_place_in_an_expression_with_definitions_is_told_as_one_of_them_together() {
    let text = "[definitions]\na = 'b'\n[[rules]]\nid = 'go'\nregex = '(?&a)(x'\n";
    let told = Pack::parse("go.toml", text).unwrap().problems.remove(0).reason;
    let words = r#"at byte 5, before "(x" (with its definitions in their places)"#;
    assert!(told.ends_with(words), "{told}");
}

/// Which bytes a class of Go's holds, and where it ends; none if it is no class, or one of characters beyond ASCII that
/// bytes cannot say.
fn bytes_of(class: &[u8]) -> Option<([bool; 256], usize)> {
    let mut held = [false; 256];
    let is_negated = class.get(1) == Some(&b'^');
    let first = 1 + usize::from(is_negated);
    let mut at = first;
    while at == first || *class.get(at)? != b']' {
        let rest = class.get(at..)?;
        let name = rest.strip_prefix(b"[:").unwrap_or_default();
        if let Some(end) = name.windows(2).position(|two| two == b":]") {
            add(&mut held, named(std::str::from_utf8(&name[..end]).unwrap_or_default())?);
            at += end + 4;
            continue;
        }
        if let [b'\\', sign @ (b'd' | b'D' | b'w' | b'W' | b's' | b'S'), ..] = rest {
            let shorthand: fn(u8) -> bool = match sign.to_ascii_lowercase() {
                b'd' => |byte| byte.is_ascii_digit(),
                b'w' => |byte| byte.is_ascii_alphanumeric() || byte == b'_',
                _ => |byte| b"\t\n\x0c\r ".contains(&byte),
            };
            let is_upper = sign.is_ascii_uppercase();
            add(&mut held, (0..=255).map(|byte| shorthand(byte) != is_upper).collect());
            at += 2;
            continue;
        }
        let (low, length) = one(rest)?;
        at += length;
        let mut high = low;
        if class.get(at) == Some(&b'-') && class.get(at + 1).is_some_and(|next| *next != b']') {
            let (last, length) = one(&class[at + 1..])?;
            (high, at) = (last, at + 1 + length);
        }
        if high < low || (high > 0x7f && !(low <= 0x80 && high >= 0xff)) {
            return None;
        }
        (low..=high.min(0xff)).for_each(|code| held[code as usize] = true);
    }
    held.iter_mut().for_each(|is_held| *is_held ^= is_negated);
    Some((held, at + 1))
}

fn add(held: &mut [bool; 256], more: Vec<bool>) {
    held.iter_mut().zip(more).for_each(|(held, more)| *held |= more);
}

fn named(name: &str) -> Option<Vec<bool>> {
    let (name, is_negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let is_held: fn(&u8) -> bool = match name {
        "alpha" => u8::is_ascii_alphabetic,
        "digit" => u8::is_ascii_digit,
        "space" => |byte| b"\t\n\x0b\x0c\r ".contains(byte),
        _ => return None,
    };
    Some((0..=255).map(|byte| is_held(&byte) != is_negated).collect())
}

/// The code of one character, and its length.
fn one(text: &[u8]) -> Option<(u32, usize)> {
    let number =
        |digits: &[u8], base| u32::from_str_radix(std::str::from_utf8(digits).ok()?, base).ok();
    match text {
        [b'\\', b'a', ..] => Some((7, 2)),
        [b'\\', b'n', ..] => Some((10, 2)),
        [b'\\', b'v', ..] => Some((11, 2)),
        [b'\\', b'x', b'{', rest @ ..] => {
            let end = rest.iter().position(|byte| *byte == b'}')?;
            Some((number(&rest[..end], 16)?, end + 4))
        }
        [b'\\', b'x', high, low, ..] => Some((number(&[*high, *low], 16)?, 4)),
        [b'\\', first @ b'0'..=b'7', rest @ ..] => {
            let more = rest.iter().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            let is_group = *first != b'0' && more == 0;
            if is_group { None } else { Some((number(&text[1..2 + more], 8)?, 2 + more)) }
        }
        [b'\\', sign, ..] if sign.is_ascii() && !sign.is_ascii_alphanumeric() => {
            Some((u32::from(*sign), 2))
        }
        [b'\\', ..] | [] => None,
        [sign, ..] => Some((u32::from(*sign), 1)),
    }
}

const PARTS: &[&str] = &[
    "a",
    "z",
    "0",
    "9",
    "-",
    "--",
    "&",
    "&&",
    "~",
    "~~",
    "[",
    "[",
    "]",
    "^",
    ".",
    "{",
    "}",
    " ",
    "(",
    r"\]",
    r"\-",
    r"\[",
    r"\^",
    r"\<",
    r"\_",
    r"\ ",
    r"\d",
    r"\W",
    r"\w",
    r"\D",
    r"\s",
    r"\S",
    "[:alpha:]",
    "[:^digit:]",
    "[:space:]",
    "[:other:]",
    "[:",
    ":]",
    r"\x41",
    r"\075",
    r"\0",
    r"\1",
    r"\101",
    r"\n",
    r"\v",
    r"\x80",
    r"\xe9",
    r"\xff",
    r"\x{10ffff}",
    r"\x{41}",
    r"\x{}",
    r"\b",
    r"\Q",
    r"\8",
    "\\",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn a_class_holds_the_bytes_that_gos_own_reading_gives_it(
        parts in prop::collection::vec(prop::sample::select(PARTS), 1..7),
        opening in prop::sample::select(&["[", "[^"][..]),
    ) {
        let class = format!("{opening}{}]", parts.concat());
        let program = RegexBuilder::new(&format!(r"\A(?s-u:{})\z", from_go(&class).unwrap()));
        let program = program.clone().unicode(false).build();
        match bytes_of(class.as_bytes()) {
            Some((held, end)) if end == class.len() => {
                let program =
                    program.map_err(|error| TestCaseError::fail(format!("{class}: {error}")))?;
                for byte in 0..=255 {
                    let is_held = held[usize::from(byte)];
                    prop_assert_eq!(program.is_match(&[byte]), is_held, "{} {}", class, byte);
                }
            }
            // What stands behind it is no class's matter.
            Some(_) => {}
            None => prop_assert!(program.is_err(), "{}", class),
        }
    }
}
