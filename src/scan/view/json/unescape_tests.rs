//! What becomes of JSON text, whole and in pieces.

use proptest::prelude::*;

use super::unescape::{Text, Unescaper, looks_like_json};

/// The text of `pieces`, and whether they are still taken for JSON.
fn unescape_pieces(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut unescaper = Unescaper::new();
    let mut text = Vec::new();
    for piece in pieces {
        let before = text.len();
        if unescaper.feed(piece, &mut text) == Text::Unchanged {
            assert_eq!(text.len(), before, "nothing is written of what is unchanged");
            text.extend_from_slice(piece);
        }
    }
    let is_json = unescaper.is_json();
    unescaper.finish(&mut text);
    (text, is_json)
}

fn unescape(json: &[u8]) -> Vec<u8> {
    unescape_pieces(&[json]).0
}

fn text_of(json: &str) -> String {
    String::from_utf8(unescape(json.as_bytes())).unwrap()
}

/// Every way to cut `json` in two, and byte by byte, gives the same.
fn check_splits(json: &[u8]) {
    let whole = unescape_pieces(&[json]);
    for at in 0..=json.len() {
        let (left, right) = json.split_at(at);
        assert_eq!(unescape_pieces(&[left, right]), whole, "{at} of {}", json.escape_ascii());
    }
    let bytes: Vec<&[u8]> = json.chunks(1).collect();
    assert_eq!(unescape_pieces(&bytes), whole, "{}", json.escape_ascii());
}

#[test]
fn strings_are_unescaped_and_the_rest_stays() {
    assert_eq!(
        text_of(r#"{"cmd":"bash -c \"id\"\n", "n": [1.5, true]}"#),
        "{\"cmd\":\"bash -c \"id\"\n\", \"n\": [1.5, true]}"
    );
    assert_eq!(text_of(r#"["\u0063\u0075rl \/etc\\x\ud83d\ude00"]"#), "[\"curl /etc\\x😀\"]");
}

#[test]
fn text_without_an_escape_is_not_copied() {
    let mut out = vec![7];
    let mut unescaper = Unescaper::new();
    assert_eq!(unescaper.feed(br#" {"a":"b", "c":["d"#, &mut out), Text::Unchanged);
    assert_eq!(unescaper.feed(br#"e"]}"#, &mut out), Text::Unchanged);
    assert_eq!(out, [7]);
}

#[test]
fn a_cut_off_escape_is_told_at_the_end() {
    assert_eq!(unescape(br#"["a\"#), br#"["a\"#);
    assert_eq!(unescape(br#"["a\u00"#), br#"["a\u00"#);
    assert_eq!(unescape(br#"["a\ud83d"#), "[\"a\u{fffd}".as_bytes());
    assert_eq!(unescape(br#"["a\ud83d\ude"#), "[\"a\u{fffd}\\ude".as_bytes());
}

#[test]
fn an_invalid_escape_stays() {
    assert_eq!(text_of(r#"["\q\x41\u12G4\n"]"#), "[\"\\q\\x41\\u12G4\n\"]");
    assert_eq!(text_of(r#"["\u12","\n"]"#), "[\"\\u12\",\"\n\"]");
}

#[test]
fn lone_surrogates_are_replacement_characters() {
    assert_eq!(
        text_of(r#"["\ud83d!\ude00\ud83d\n\ud83d\q"]"#),
        "[\"\u{fffd}!\u{fffd}\u{fffd}\n\u{fffd}\\q\"]"
    );
}

#[test]
fn what_is_no_json_is_left_alone() {
    for text in [
        r#"\bash -c "\bash""#,
        r#"echo "a\tb""#,
        r#"{ color: "\62" }"#,
        r#"[INFO] "\bash""#,
        r#"{"a" \b "\b"}"#,
        r#"{"a": "b" + "\b"}"#,
        r#"{"a": f("\b")}"#,
        r#""use strict"; "\b""#,
        r#""a","\b""#,
        r#""he said ""hi""","\b""#,
        r#"this "\b""#,
        r#"12 monkeys "\b""#,
        "null\u{0}\"\\b\"",
    ] {
        assert_eq!(
            unescape_pieces(&[text.as_bytes()]),
            (text.as_bytes().to_vec(), false),
            "{text}"
        );
        check_splits(text.as_bytes());
    }
}

#[test]
fn json_of_every_kind_is_json() {
    for text in [
        "",
        " \r\n",
        "\u{feff}{\"a\":1}",
        "[]",
        "{}",
        "[[\"a\"]]",
        "{ \"a\" : \"b\" , \"c\" : [ \"d\" , null ] }",
        "\"a\"",
        "\"a\"\n\"b\"\n{\"c\":\"d\"}\n[\"e\"]\n\"f\"",
        "true",
        "-1.5e+9\n\"a\"\n",
        "{\"a\":\"b\"}{\"c\":\"d\"}",
        "\u{1e}{\"a\":\"b\"}\n\u{1e}{\"c\":\"d\"}\n",
    ] {
        assert_eq!(unescape_pieces(&[text.as_bytes()]), (text.as_bytes().to_vec(), true), "{text}");
        check_splits(text.as_bytes());
    }
}

#[test]
fn json_is_recognized_by_its_first_bytes() {
    for (head, expected) in [
        ("", None),
        (" \n", None),
        ("{", None),
        ("{\n", None),
        ("12", None),
        ("{\"", Some(true)),
        ("{}", Some(true)),
        ("[1", Some(true)),
        ("\"", Some(true)),
        ("{{", Some(false)),
        ("[a", Some(false)),
        ("data: {", Some(false)),
        ("<html>", Some(false)),
    ] {
        assert_eq!(looks_like_json(head.as_bytes()), expected, "{head}");
    }
}

/// Strings as programs make them: escapes, quotes, characters of every length.
fn string() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z \"\\\\\n\t/]{0,40}",
        any::<char>().prop_map(String::from),
        Just("\u{0}\u{8}\u{c}".to_owned()),
        Just("plain text that is longer than a block of bytes".to_owned()),
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// A string with each character that is not ASCII written as `\uXXXX`.
fn escape_all(json: &str) -> String {
    let mut units = [0; 2];
    json.chars()
        .map(|character| match character {
            ' '..='~' => character.to_string(),
            _ => character
                .encode_utf16(&mut units)
                .iter()
                .map(|unit| format!("\\u{unit:04X}"))
                .collect(),
        })
        .collect()
}

proptest! {
    #[test]
    fn strings_are_what_serde_json_reads(strings in proptest::collection::vec(string(), 1..5)) {
        for string in &strings {
            let json = serde_json::to_string(string).unwrap();
            for json in [escape_all(&json), json] {
                let read: String = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(text_of(&json), format!("\"{read}\""));
            }
        }
        let json = serde_json::to_string(&strings).unwrap();
        prop_assert_eq!(text_of(&json), format!("[\"{}\"]", strings.join("\",\"")));
        check_splits(json.as_bytes());
        check_splits(escape_all(&json).as_bytes());
    }

    #[test]
    fn any_bytes_give_the_same_in_any_pieces(
        bytes in proptest::collection::vec(
            prop_oneof![
                Just(b'"'), Just(b'\\'), Just(b'u'), Just(b'D'), Just(b'8'), Just(b'{'),
                Just(b'['), Just(b','), Just(b' '), Just(b'n'), any::<u8>()
            ], 0..60)
    ) {
        check_splits(&bytes);
        let mut json = b"[\"".to_vec();
        json.extend_from_slice(&bytes);
        check_splits(&json);
    }

    #[test]
    fn blocks_say_what_their_bytes_say_one_by_one(
        parts in proptest::collection::vec(part_of_json(), 0..40),
        cut: prop::sample::Index,
    ) {
        let json = [b"{\"a\":[".to_vec(), parts.concat()].concat();
        let bytes: Vec<&[u8]> = json.chunks(1).collect();
        let one_by_one = unescape_pieces(&bytes);
        prop_assert_eq!(&unescape_pieces(&[&json]), &one_by_one, "{}", json.escape_ascii());
        let (left, right) = json.split_at(cut.index(json.len() + 1));
        prop_assert_eq!(&unescape_pieces(&[left, right]), &one_by_one, "{}", json.escape_ascii());
    }
}

/// What JSON texts are made of, now and then with something that does not belong there.
fn part_of_json() -> impl Strategy<Value = Vec<u8>> {
    let strings = prop_oneof![
        "[a-z ]{0,90}",
        r#"([a-z]{0,20}(\\\\|\\"|\\n|\\/|\\t)){0,9}"#,
        r#"([a-z]{0,9}(\\u00e9|\\ud83d\\ude00|\\ud83d|\\q|\\\\)){0,6}"#,
    ];
    let between =
        [",", ":", ", ", " :\t", "},\n    {", "]],[", ",1,2,\"\":", "}\n", ", null ,\r\n"];
    prop_oneof![
        30 => (strings, prop::sample::select(between.to_vec()))
            .prop_map(|(string, behind)| format!("\"{string}\"{behind}")),
        3 => "[ \n\r\t\u{1e}]{0,80}",
        3 => "(true|null|-1.5e9|[0-9]{1,40}),",
        1 => r#"["\\xé(]"#,
        1 => Just("\"\" ".to_owned()),
    ]
    .prop_map(String::into_bytes)
}
