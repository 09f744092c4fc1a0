//! Commands as one types them: one that a message names works as it stands, wherever it is typed.

use std::path::Path;

/// A value as one word of a POSIX shell, quoted where something in it means anything to one.
pub fn word(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(&byte);
    match !value.is_empty() && value.bytes().all(is_plain) {
        true => value.to_owned(),
        false => quoted(value),
    }
}

/// Single quotes keep everything but themselves (POSIX XCU §2.2.2).
pub fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// A command of ours on this `log_dir`, for a reader of whom nothing else is known.
pub fn command_on(log_dir: &Path, words: &str) -> String {
    let whole = std::path::absolute(log_dir).unwrap_or_else(|_| log_dir.to_owned());
    format!("clawsec {words} --log-dir {}", word(&whole.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_a_shell_is_quoted() {
        for plain in ["/tmp/a-b.c", "a@b:1,2=%+"] {
            assert_eq!(word(plain), plain);
        }
        for (value, written) in
            [("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$HOME", "'$HOME'")]
        {
            assert_eq!(word(value), written);
        }
    }

    #[test]
    fn a_command_on_a_folder_names_it_whole() {
        let of = |folder: &str| command_on(Path::new(folder), "ca rotate");
        assert_eq!(of("/var/lib/clawsec"), "clawsec ca rotate --log-dir /var/lib/clawsec");
        assert_eq!(of("/a b"), "clawsec ca rotate --log-dir '/a b'");
        let here = std::env::current_dir().unwrap().join("logs");
        assert!(of("logs").ends_with(&word(here.to_str().unwrap())), "{}", of("logs"));
    }
}
