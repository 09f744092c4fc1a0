//! Commands, judged by what they are told to work on.

use memchr::memmem;

use super::holds;
use super::validate::{Evidence, Verdict, command_end, unless};

/// What comes of deleting a path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// What is made anew: caches, builds, copies of packages.
    Scratch,
    /// It depends on whose it is.
    Somebodys,
    /// The system, or everybody's home.
    System,
}

/// The folders below the root that systems have.
const SYSTEM: [&[u8]; 19] = [
    b"etc", b"usr", b"var", b"home", b"root", b"boot", b"bin", b"sbin", b"lib", b"lib32", b"lib64",
    b"dev", b"opt", b"srv", b"sys", b"proc", b"users", b"system", b"library",
];

/// What is deleted: the system or a home is worth an alarm, temporary and build folders are not.
pub(super) fn rm_target(evidence: &Evidence<'_>) -> Verdict {
    let after = evidence.after;
    if !evidence.matched.ends_with(b"/") {
        return Verdict::Passes;
    }
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-*$?".contains(byte);
    let length = after.iter().take_while(|byte| is_path(byte)).count();
    let (path, rest) = after.split_at_checked(length).unwrap_or((after, &[]));
    let others = rest.get(..command_end(rest, b";|&\r\n)`")).unwrap_or_default();
    if length + others.len() == after.len() && evidence.is_open {
        return Verdict::Silent;
    }
    let quotes = |byte: &u8| !b"\"'\\".contains(byte);
    let others = others.split(u8::is_ascii_whitespace).filter_map(|word| {
        let core: Vec<u8> = word.iter().copied().filter(|byte| quotes(byte)).collect();
        match core.as_slice() {
            b"~" | b"~/" | b"$HOME" | b"${HOME}" | b"$HOME/" => Some(Loss::System),
            [b'/', path @ ..] => Some(loss(path)),
            _ => None,
        }
    });
    match others.fold(loss(path), Loss::max) {
        Loss::Scratch => Verdict::Fails,
        Loss::Somebodys => Verdict::Silent,
        Loss::System => Verdict::Passes,
    }
}

/// A shell that an agent's tool call starts is what the tool is for: its command decides. One that decodes or connects,
/// or fetches what a shell may be to run, stays what it is.
pub(super) fn shell_called(evidence: &Evidence<'_>) -> Verdict {
    const WARY: [&[u8]; 12] = [
        b"eval", b"base64", b"base32", b"xxd", b"openssl", b"nc", b"ncat", b"netcat", b"socat",
        b"telnet", b"mkfifo", b"crontab",
    ];
    const PARTS: [&[u8]; 3] = [b"/dev/tcp", b"/dev/udp", b"authorized_keys"];
    const FETCHING: [&[u8]; 2] = [b"curl", b"wget"];
    const RUNNING: [&[u8]; 12] = [
        b"sh", b"bash", b"zsh", b"dash", b"ksh", b"source", b"python", b"python3", b"perl",
        b"ruby", b"node", b"php",
    ];
    if !evidence.is_of_call {
        return Verdict::Silent;
    }
    let end = memmem::find(evidence.after, b"' \n").unwrap_or(evidence.after.len());
    let script = evidence.after.get(..end).unwrap_or_default();
    let is_apart = |byte: &u8| !byte.is_ascii_alphanumeric() && !b"_.-".contains(byte);
    let has = |names: &[&[u8]]| {
        let is_one = |word: &[u8]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
        script.split(is_apart).any(is_one)
    };
    let holds_any = |parts: &[&[u8]]| parts.iter().any(|part| holds(script, part));
    let is_piped = script.split(|byte| *byte == b'|').skip(1).any(|command| {
        let mut words = command.split(is_apart).filter(|word| !word.is_empty());
        words
            .find(|word| !matches!(*word, b"sudo" | b"bin" | b"usr" | b"env" | b"-E"))
            .is_some_and(|word| matches!(word, b"sh" | b"bash" | b"zsh" | b"dash" | b"ksh"))
    });
    let runs = || has(&RUNNING) || holds_any(&[b"$(", b"<(", b"`"]);
    let is_wary = has(&WARY) || holds_any(&PARTS) || is_piped || (has(&FETCHING) && runs());
    unless(!is_wary)
}

/// Whether what is deleted is harmless only as long as nothing follows.
pub(super) fn may_be_scratch(evidence: &Evidence<'_>) -> bool {
    evidence.is_open
        && rm_target(evidence) == Verdict::Silent
        && rm_target(&Evidence { is_open: false, ..*evidence }) == Verdict::Fails
}

/// Whose rights are changed: what belongs to one program, or to one user, is changed whenever that is installed.
pub(super) fn rights_target(evidence: &Evidence<'_>) -> Verdict {
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-*$?{}".contains(byte);
    let matched = evidence.matched.to_ascii_lowercase();
    let start = matched.iter().rposition(|byte| !is_path(byte)).map_or(0, |at| at + 1);
    let (command, folder) = matched.split_at_checked(start).unwrap_or_default();
    if folder.len() < 2 || !folder.ends_with(b"/") {
        return Verdict::Silent;
    }
    let length = evidence.after.iter().take_while(|byte| is_path(byte)).count();
    let (path, rest) = evidence.after.split_at_checked(length).unwrap_or_default();
    let path = [folder, &path.to_ascii_lowercase()].concat();
    let others = rest.get(..command_end(rest, b";|&\r\n)`")).unwrap_or_default();
    let mut others = others.split(|byte| byte.is_ascii_whitespace() || b"\"'".contains(byte));
    let is_narrow = holds(command, b"chown") || !is_for_all(command);
    let is_system = |word: &[u8]| {
        let is_own = is_programs_own(word, is_narrow) || is_folder_of_its_own(word);
        word.starts_with(b"/") && !is_own
    };
    unless(is_programs_own(&path, is_narrow) && !others.any(is_system))
}

/// Whether the mode that a command ends in lets everybody write.
fn is_for_all(command: &[u8]) -> bool {
    let words = command.split(|byte| byte.is_ascii_whitespace() || b"\"'".contains(byte));
    let mode = words.rev().find(|word| !word.is_empty()).unwrap_or_default();
    match mode.last() {
        Some(digit @ b'0'..=b'7') => digit & 2 != 0,
        _ => mode.starts_with(b"+") || mode.iter().any(|byte| b"ao".contains(byte)),
    }
}

/// Whether a path is within what one program or one user has of the system's folders.
fn is_programs_own(path: &[u8], is_narrow: bool) -> bool {
    const GUARDED: [&[u8]; 16] = [
        b"ssh",
        b"ssl",
        b"pki",
        b"pam.d",
        b"security",
        b"sudoers",
        b"cron",
        b"systemd",
        b"init",
        b"rc",
        b"ld.so",
        b"profile",
        b"apt",
        b"yum",
        b"passwd",
        b"shadow",
    ];
    let parts: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    let is_any = |part: &&[u8]| part.iter().any(|byte| b"*?$".contains(byte));
    if parts.contains(&&b".."[..]) || parts.get(1).is_none_or(is_any) {
        return false;
    }
    match parts.as_slice() {
        [b"home", _] | [b"usr", b"local"] => is_narrow,
        [b"home", _, part, ..] | [b"root", part, ..] => !part.starts_with(b".ssh"),
        [b"usr", b"local", b"bin" | b"sbin" | b"lib"] => is_narrow,
        [b"usr", b"local" | b"share" | b"src" | b"lib", ..] => parts.len() > 2,
        [b"etc", part, ..] => is_narrow && !GUARDED.iter().any(|name| part.starts_with(name)),
        [b"app" | b"data" | b"srv" | b"var" | b"opt" | b"tmp" | b"workspace", ..] => true,
        _ => false,
    }
}

/// Whether a path is a folder below the root that no system has: `/prometheus` of an image.
fn is_folder_of_its_own(path: &[u8]) -> bool {
    const MOUNTED: [&[u8]; 3] = [b"mnt", b"media", b"run"];
    let name = path.strip_prefix(b"/").unwrap_or_default();
    let name = name.strip_suffix(b"/").unwrap_or(name).to_ascii_lowercase();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    !name.is_empty()
        && name.iter().all(is_name)
        && !SYSTEM.contains(&&*name)
        && !MOUNTED.contains(&&*name)
}

/// What is lost with this path, its first slash left out.
fn loss(path: &[u8]) -> Loss {
    const SCRATCH: [&[u8]; 9] = [
        b"tmp/",
        b"var/tmp/",
        b"app/",
        b"workspace/",
        b"build/",
        b"work/",
        b"var/cache/",
        b"var/lib/apt/",
        b"usr/local/go/",
    ];
    const MADE_ANEW: [&[u8]; 20] = [
        b"node_modules",
        b".cache",
        b"cache",
        b".npm",
        b"__pycache__",
        b"doc",
        b"docs",
        b"man",
        b"locale",
        b"dist",
        b"target",
        b"venv",
        b".venv",
        b"build",
        b"out",
        b"output",
        b"lists",
        b"tmp",
        b"temp",
        b"coverage",
    ];
    let path = path.to_ascii_lowercase();
    let mut parts: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    if parts.contains(&&b".."[..]) {
        return Loss::Somebodys;
    }
    while parts.last().is_some_and(|part| matches!(*part, b"*" | b".*")) {
        parts.pop();
    }
    let whole = [parts.join(&b'/'), vec![b'/']].concat();
    let is_any = |part: &[u8]| part.iter().any(|byte| b"*?$".contains(byte));
    match parts.as_slice() {
        [] => Loss::System,
        _ if SCRATCH.iter().any(|folder| whole.starts_with(folder)) => Loss::Scratch,
        [.., last] if MADE_ANEW.contains(last) => Loss::Scratch,
        // A program, installed again in a minute.
        [b"applications", name] if !is_any(name) => Loss::Scratch,
        [only] if SYSTEM.contains(only) || is_any(only) => Loss::System,
        _ => Loss::Somebodys,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deleted(after: &str, is_open: bool) -> Verdict {
        let matched = b"rm -rf /";
        let after = after.as_bytes();
        rm_target(&Evidence { secret: matched, matched, after, is_open, ..Evidence::default() })
    }

    #[test]
    fn what_is_deleted_decides_how_bad_it_is() {
        for (after, verdict) in [
            ("", Verdict::Passes),
            ("* ;", Verdict::Passes),
            ("etc\n", Verdict::Passes),
            ("home/*", Verdict::Passes),
            ("$UNSET", Verdict::Passes),
            ("tmp/x", Verdict::Fails),
            ("tmp", Verdict::Fails),
            ("home/me/project/build", Verdict::Fails),
            ("home/me/project", Verdict::Silent),
        ] {
            assert_eq!(deleted(after, false), verdict, "{after}");
        }
        assert_eq!(deleted("tm", true), Verdict::Silent);
        let home = b"rm -rf ~";
        let home = Evidence { secret: home, matched: home, ..Evidence::default() };
        assert_eq!(rm_target(&home), Verdict::Passes);
    }

    #[test]
    fn the_rights_of_what_one_program_has_are_its_own_matter() {
        for (line, matched, verdict) in [
            ("chown -R node:node /home/node/app", "chown -R node:node /home/", Verdict::Fails),
            ("chown -R node:node /home/node", "chown -R node:node /home/", Verdict::Fails),
            ("chown -R w:w /usr/share/nginx/html", "chown -R w:w /usr/", Verdict::Fails),
            ("chown -R $(whoami) /usr/local/lib/node_modules", "/usr/", Verdict::Fails),
            ("chown -R $(whoami) /usr/local", "chown -R $(whoami) /usr/", Verdict::Fails),
            ("chown -R nginx /etc/nginx", "chown -R nginx /etc/", Verdict::Fails),
            ("chmod -R 755 /usr/src/app", "chmod -R 755 /usr/", Verdict::Fails),
            ("chmod -R 755 /usr/local/lib", "chmod -R 755 /usr/", Verdict::Fails),
            ("chmod -R g+w /etc/nginx", "chmod -R g+w /etc/", Verdict::Fails),
            ("chmod -R a+w /etc/nginx", "chmod -R a+w /etc/", Verdict::Silent),
            ("chmod -R +w /etc/nginx", "chmod -R +w /etc/", Verdict::Silent),
            ("chown -R n /etc/nginx /var/lib/x", "chown -R n /etc/", Verdict::Fails),
            ("chown -R n /etc/nginx /usr/bin", "chown -R n /etc/", Verdict::Silent),
            ("chown -R n:n /etc/nginx /nginx && chmod", "chown -R n:n /etc/", Verdict::Fails),
            ("chown -R n /etc/nginx /boot", "chown -R n /etc/", Verdict::Silent),
            ("chown -R n /etc/nginx /*", "chown -R n /etc/", Verdict::Silent),
            ("chmod -R 777 /usr/local/bin", "chmod -R 777 /usr/", Verdict::Silent),
            ("chmod -R 777 /home/me", "chmod -R 777 /home/", Verdict::Silent),
            ("chmod -R 777 /root/.ssh", "chmod -R 777 /root/", Verdict::Silent),
            ("chown -R me /etc/sudoers.d", "chown -R me /etc/", Verdict::Silent),
            ("chown -R me /usr/bin", "chown -R me /usr/", Verdict::Silent),
            ("chown -R me /home/*", "chown -R me /home/", Verdict::Silent),
            ("chown -R me /home/", "chown -R me /home/", Verdict::Silent),
            ("chown -R me /home/me/../..", "chown -R me /home/", Verdict::Silent),
            ("chown -R me /home/me/x /etc", "chown -R me /home/", Verdict::Silent),
            ("chmod -R 777 /", "chmod -R 777 /", Verdict::Silent),
        ] {
            let at = line.find(matched).unwrap() + matched.len();
            let (matched, after) = line.as_bytes().split_at(at);
            let evidence = Evidence { secret: matched, matched, after, ..Evidence::default() };
            assert_eq!(rights_target(&evidence), verdict, "{line}");
        }
    }

    #[test]
    fn what_is_scratch_at_the_end_of_what_is_known_waits_for_the_rest() {
        let waits = |after: &str, is_open| {
            let (matched, after) = (&b"rm -rf /"[..], after.as_bytes());
            let evidence = Evidence { secret: matched, matched, after, ..Evidence::default() };
            may_be_scratch(&Evidence { is_open, ..evidence })
        };
        for after in ["var/lib/apt/lists/*", "var/lib/apt/lists/* /tmp/*", "tmp/x", "dist"] {
            assert!(waits(after, true) && !waits(after, false), "{after}");
        }
        for after in ["", "et", "home/me", "tmp/x;", "tmp/x /etc"] {
            assert!(!waits(after, true), "{after}");
        }
    }

    #[test]
    fn what_is_made_anew_may_be_deleted_anywhere() {
        for (after, verdict) in [
            ("data", Verdict::Silent),
            ("dist", Verdict::Fails),
            ("output && mkdir /output", Verdict::Fails),
            ("root/.cache", Verdict::Fails),
            ("root/.cache /root/.npm", Verdict::Fails),
            ("usr/src/app/node_modules", Verdict::Fails),
            ("usr/share/doc/* /usr/share/man", Verdict::Fails),
            ("usr/local/go && tar -C /usr/local -xzf go.tgz", Verdict::Fails),
            ("opt/venv", Verdict::Fails),
            ("Applications/Google Chrome.app\"\ncd /tmp", Verdict::Fails),
            ("Applications", Verdict::Silent),
            ("Applications/*", Verdict::Silent),
            ("Applications/x /etc", Verdict::Passes),
            ("root", Verdict::Passes),
            ("lib64", Verdict::Passes),
            ("dist /etc", Verdict::Passes),
            ("dist ~", Verdict::Passes),
            ("tmp/x \"$HOME\"", Verdict::Passes),
            ("tmp/../etc", Verdict::Silent),
            ("tmp/x /srv/db", Verdict::Silent),
        ] {
            assert_eq!(deleted(after, false), verdict, "{after}");
        }
    }
}
