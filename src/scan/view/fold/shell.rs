//! Quoting that a shell takes away: `c''url`, `w"g"et`, `c\url`, and `$IFS` for a blank.
//!
//! Quotes and backslashes inside words are ordinary in code and prose, so they are taken away only
//! where a command is left that is worth hiding.

/// The longest command below.
const COMMAND_MAX_BYTES: usize = 10;
/// How far a word with its quotes is read.
const WORD_MAX_BYTES: usize = 24;

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

/// Whether a word can go on behind the quote or backslash here.
#[inline]
pub fn may_hide(text: &[u8]) -> bool {
    text.get(1).is_some_and(|next| is_letter(*next) || is_quoting(*next))
}

/// How far the word reaches that goes on here with a quote or a backslash, if a command is hidden in
/// it: `before` are its letters up to here.
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
    for byte in text.iter().take(WORD_MAX_BYTES) {
        if is_quoting(*byte) {
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
        taken += 1;
    }
    let word = word.get(..word_len)?;
    (hides && COMMANDS.contains(&word)).then_some(taken)
}

fn is_quoting(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"' | b'\\')
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
