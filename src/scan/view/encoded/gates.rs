//! Literals that betray an encoded text by what it must say: the stable middle of an anchor in base64,
//! in hex and in UTF-16. An engine that searches for many literals at once finds them for nearly nothing.

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// What commands, keys and instructions hold that are worth hiding.
///
/// An anchor of four bytes makes four or five digits of base64, one of five bytes six and more. In
/// random base64 the six of four bytes are hit once in 3 MiB by chance, all the others together
/// once in some 300 MiB.
pub const ANCHORS: [&str; 43] = [
    "AKIA",
    "ASIA",
    "sk-ant-",
    "sk-proj-",
    "sk_live_",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "npm_",
    "AIza",
    "-----BEGIN",
    "PRIVATE KEY",
    "/etc/passwd",
    "/etc/shadow",
    ".ssh/",
    ".aws/",
    "/.env",
    "sudo ",
    "id_rsa",
    "curl ",
    "wget ",
    "ncat ",
    "netcat",
    "socat ",
    "/bin/sh",
    "/bin/bash",
    "bash -",
    "/dev/tcp",
    "rm -rf",
    "mkfifo",
    "python",
    "perl -",
    "eval(",
    "exec(",
    "base64",
    "powershell",
    "ssh-rsa",
    "ssh-ed25519",
    "gnore previous",
    "password",
];

/// Every gate: all anchors in base64 of either alphabet and in hex.
pub fn gates() -> Vec<Vec<u8>> {
    let mut gates = Vec::new();
    for anchor in ANCHORS {
        gates.extend(base64_gates(anchor));
        gates.extend(base64_url_gates(anchor).into_iter().flatten());
        gates.extend(hex_gates(anchor));
    }
    gates
}

/// The digits that an anchor has in standard base64 whatever stands around it, in its three alignments.
pub fn base64_gates(anchor: &str) -> [Vec<u8>; 3] {
    [0, 1, 2].map(|before| stable_digits(anchor.as_bytes(), before, &BASE64))
}

/// The same in the URL-safe alphabet, where that differs.
pub fn base64_url_gates(anchor: &str) -> [Option<Vec<u8>>; 3] {
    [0, 1, 2].map(|before| {
        let digits = stable_digits(anchor.as_bytes(), before, &BASE64URL);
        (digits != stable_digits(anchor.as_bytes(), before, &BASE64)).then_some(digits)
    })
}

/// The same of an anchor in UTF-16 (little-endian), as PowerShell takes encoded commands.
pub fn base64_utf16_gates(anchor: &str) -> [Vec<u8>; 3] {
    let [anchor, _] = utf16_gates(anchor);
    [0, 1, 2].map(|before| stable_digits(&anchor, before, &BASE64))
}

fn stable_digits(anchor: &[u8], before: usize, alphabet: &data_encoding::Encoding) -> Vec<u8> {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(anchor);
    let digits = alphabet.encode(&bytes);
    let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    digits.into_bytes().into_iter().take(end).skip(first).collect()
}

/// An anchor in hex, in small and in capital letters, of which there may be none.
pub fn hex_gates(anchor: &str) -> [Vec<u8>; 2] {
    [HEXLOWER, HEXUPPER].map(|alphabet| alphabet.encode(anchor.as_bytes()).into_bytes())
}

/// An anchor in UTF-16, little-endian and big-endian.
pub fn utf16_gates(anchor: &str) -> [Vec<u8>; 2] {
    [u16::to_le_bytes, u16::to_be_bytes]
        .map(|bytes| anchor.encode_utf16().flat_map(bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_found_in_base64_of_any_text_around_it() {
        for anchor in ANCHORS {
            let gates = base64_gates(anchor);
            for (before, behind) in
                [("", ""), ("a", "zz"), ("bc", "y"), ("xyz", "\u{E9}"), ("wxyz", "")]
            {
                let text = BASE64.encode(format!("{before}{anchor}{behind}").as_bytes());
                let is_found = gates.iter().any(|gate| contains(text.as_bytes(), gate));
                assert!(is_found, "{anchor} in {text}");
            }
        }
    }

    fn contains(text: &[u8], part: &[u8]) -> bool {
        text.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn gates_are_long_enough_to_be_rare() {
        for anchor in ANCHORS {
            let least = if anchor.len() == 4 { 4 } else { 6 };
            let gates = base64_gates(anchor);
            assert!(gates.iter().all(|gate| gate.len() >= least), "{anchor}: {gates:?}");
        }
        // Once in 64^n bytes for n digits.
        let rate = |anchors: &mut dyn Iterator<Item = &&str>| -> f64 {
            let gates = anchors.flat_map(|anchor| base64_gates(anchor));
            gates.map(|gate| 64_f64.powi(-(gate.len() as i32))).sum()
        };
        let short = rate(&mut ANCHORS.iter().filter(|anchor| anchor.len() == 4));
        assert!(short * 2.0 * 1_048_576.0 < 1.0, "{short}");
        let long = rate(&mut ANCHORS.iter().filter(|anchor| anchor.len() > 4));
        assert!(long * 200.0 * 1_048_576.0 < 1.0, "{long}");
    }

    #[test]
    fn gates_of_other_alphabets_are_given_only_where_they_differ() {
        assert!(base64_url_gates("curl ").iter().all(Option::is_none));
        let found = base64_url_gates("~~~~~~");
        assert!(found.iter().flatten().any(|gate| gate.contains(&b'-')), "{found:?}");
    }

    #[test]
    fn hex_and_utf16_are_given_both_ways() {
        assert_eq!(hex_gates("sk-"), [b"736b2d".to_vec(), b"736B2D".to_vec()]);
        assert_eq!(utf16_gates("Az"), [b"A\0z\0".to_vec(), b"\0A\0z".to_vec()]);
        let [first, ..] = base64_utf16_gates("IEX");
        assert_eq!(first, b"SQBFAFgA");
    }
}
