//! What a shell takes away: quotes (`c''url`, `w"g"et`, `c\url`), parameters that are empty (`c$@url`,
//! `w${x}get`), and `$IFS`, which stands for a blank.
//!
//! All of them are ordinary inside words of code and prose, so they are taken away only where a command is left
//! that is worth hiding.

/// The longest command below.
const COMMAND_MAX_BYTES: usize = 10;
/// How far a word with what is taken away is read.
const WORD_MAX_BYTES: usize = 24;

/// The longest name of a parameter that is taken to be empty.
const PARAMETER_MAX_BYTES: usize = 8;

const COMMANDS: &[&[u8]] = &[
    b"base64",
    b"bash",
    b"cat",
    b"chmod",
    b"chown",
    b"crontab",
    b"curl",
    b"dash",
    b"etc",
    b"eval",
    b"exec",
    b"kill",
    b"mkfifo",
    b"nc",
    b"ncat",
    b"netcat",
    b"node",
    b"nohup",
    b"passwd",
    b"perl",
    b"php",
    b"powershell",
    b"printenv",
    b"python",
    b"python2",
    b"python3",
    b"rm",
    b"ruby",
    b"scp",
    b"sh",
    b"shadow",
    b"socat",
    b"source",
    b"ssh",
    b"sudo",
    b"telnet",
    b"wget",
    b"zsh",
];

/// The letters that end `text`, if a word of its own begins there that may be a command.
pub fn word_before(text: &[u8]) -> Option<&[u8]> {
    let in_word = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
    let len = text.iter().rev().take(COMMAND_MAX_BYTES + 1).take_while(in_word).count();
    if len >= COMMAND_MAX_BYTES {
        return None;
    }
    text.get(text.len() - len..)
}

/// Whether a word can go on behind the quote, backslash or parameter here.
#[inline]
pub fn may_hide(text: &[u8]) -> bool {
    let len = vanishing(text);
    text.get(len).is_some_and(|next| len > 0 && (is_letter(*next) || is_vanishing(*next)))
}

/// The length of what a shell takes away at the start of `text`; 0: nothing.
#[inline]
pub fn vanishing(text: &[u8]) -> usize {
    match text {
        [b'\'' | b'"' | b'\\', ..] => 1,
        [b'$', b'@' | b'*' | b'1'..=b'9', ..] => 2,
        [b'$', b'{', name @ ..] => {
            let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_@*".contains(*byte);
            let len = name.iter().take(PARAMETER_MAX_BYTES).take_while(is_name).count();
            let is_one = len > 0 && name.get(len) == Some(&b'}') && !name.starts_with(b"IFS");
            if is_one { b"${}".len() + len } else { 0 }
        }
        _ => 0,
    }
}

/// How far the word reaches that goes on here with a quote, a backslash or a parameter, if a command is hidden
/// in it: `before` are its letters up to here.
pub fn hidden_command(before: &[u8], text: &[u8]) -> Option<usize> {
    if !may_hide(text) {
        return None;
    }
    let mut word = [0; COMMAND_MAX_BYTES];
    let mut word_len = 0;
    let mut push = |byte: u8| {
        let Some(place) = word.get_mut(word_len) else { return false };
        *place = byte;
        word_len += 1;
        true
    };
    for byte in before {
        if !push(*byte) {
            return None;
        }
    }
    // Quotes around a whole word hide nothing: there must be letters on both sides of one.
    let (mut has_letter, mut is_open, mut hides) = (!before.is_empty(), false, false);
    let mut taken = 0;
    let text = text.get(..WORD_MAX_BYTES).unwrap_or(text);
    while let Some((byte, _)) = text.get(taken..).and_then(<[u8]>::split_first) {
        let len = vanishing(text.get(taken..).unwrap_or_default());
        if len > 0 {
            is_open = has_letter;
        } else if is_letter(*byte) {
            if !push(*byte) {
                return None;
            }
            hides |= is_open;
            has_letter = true;
        } else {
            break;
        }
        taken += len.max(1);
    }
    let word = word.get(..word_len)?;
    (hides && COMMANDS.contains(&word)).then_some(taken)
}

/// Whether what is taken away may begin with this byte.
fn is_vanishing(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"' | b'\\' | b'$')
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// The length of a `$IFS` that stands for a blank: there is something directly before it.
pub fn field_separator(last: u8, text: &[u8]) -> Option<usize> {
    if !(last.is_ascii_alphanumeric() || matches!(last, b'-' | b'/' | b'|' | b';' | b'&' | b'.')) {
        return None;
    }
    if let Some(rest) = text.strip_prefix(b"${IFS") {
        let within = rest.iter().take(8).position(|byte| *byte == b'}')?;
        return Some(b"${IFS".len() + within + 1);
    }
    let rest = text.strip_prefix(b"$IFS")?;
    match rest {
        [b'$', b'0'..=b'9', ..] => Some(b"$IFS$9".len()),
        [next, ..] if next.is_ascii_alphanumeric() || *next == b'_' => None,
        _ => Some(b"$IFS".len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hides(before: &str, text: &str) -> bool {
        hidden_command(before.as_bytes(), text.as_bytes()).is_some()
    }

    #[test]
    fn quotes_inside_a_command_hide_it() {
        assert_eq!(hidden_command(b"c", b"''url x"), Some(5));
        assert!(hides("c", "\\url"));
        assert!(hides("w", "\"g\"et "));
        assert!(hides("", "'c'url"));
        assert!(hides("", "\\c\\u\\r\\l"));
    }

    #[test]
    fn empty_parameters_inside_a_command_hide_it() {
        assert_eq!(hidden_command(b"c", b"$@url x"), Some(5));
        assert_eq!(hidden_command(b"wg", b"${x}et "), Some(6));
        for (before, text) in [
            ("c", "$*url"),
            ("c", "$1u$2rl"),
            ("c", "\"$@\"url"),
            ("r", "${@}m"),
            ("c", "${PATH_XX8}url"),
        ] {
            assert!(hides(before, text), "{before}{text}");
        }
    }

    #[test]
    fn parameters_that_stand_for_something_hide_nothing() {
        for (before, text) in [
            ("", "$curl"),
            ("", "${curl}"),
            ("curl", "$@"),
            ("c", "$url"),
            ("c", "${PATH_XXX9}url"),
            ("c", "${x"),
            ("pre", "${x}fix"),
            ("c", "$0url"),
        ] {
            assert!(!hides(before, text), "{before}{text}");
        }
    }

    #[test]
    fn quotes_around_a_command_and_in_other_words_hide_nothing() {
        for (before, text) in [
            ("", "'curl'"),
            ("curl", "'"),
            ("don", "'t"),
            ("", "\\curl "),
            ("cat", "\"s\""),
            ("", "\"\""),
        ] {
            assert!(!hides(before, text), "{before}{text}");
        }
    }

    #[test]
    fn a_word_before_is_as_long_as_a_command_may_be_and_no_longer() {
        assert_eq!(word_before(b"x powershel"), Some(&b"powershel"[..]));
        assert_eq!(word_before(b"x powershell"), None);
        assert_eq!(word_before(b"a b"), Some(&b"b"[..]));
        assert_eq!(word_before(b""), Some(&b""[..]));
        assert!(COMMANDS.iter().all(|command| command.len() <= COMMAND_MAX_BYTES));
    }

    #[test]
    fn a_field_separator_inside_a_command_is_a_blank() {
        assert_eq!(field_separator(b't', b"$IFS/etc"), Some(4));
        assert_eq!(field_separator(b't', b"$IFS$9/etc"), Some(6));
        assert_eq!(field_separator(b't', b"${IFS}/etc"), Some(6));
        assert_eq!(field_separator(b't', b"${IFS:0:1}x"), Some(10));
        assert_eq!(field_separator(b'=', b"$IFS"), None);
        assert_eq!(field_separator(b't', b"$IFSX"), None);
    }
}
