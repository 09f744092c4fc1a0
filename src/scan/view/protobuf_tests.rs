//! Texts in binary data against a plain reading of it, and gRPC messages cut anywhere.

use proptest::prelude::*;

use super::*;

fn texts(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let (mut runs, mut found, mut open) = (TextRuns::new(), Vec::new(), Vec::new());
    let mut visit = |text: Text<'_>| match text {
        Text::Part(part) => open.extend_from_slice(part),
        Text::End => found.push(std::mem::take(&mut open)),
    };
    pieces.iter().for_each(|piece| runs.visit_text(piece, &mut visit));
    runs.finish(&mut visit);
    assert!(open.is_empty());
    found
}

/// The texts, read character by character.
fn plain_texts(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut open, mut at) = (Vec::new(), Vec::new(), 0);
    while at < bytes.len() {
        match char_len(&bytes[at..]) {
            Some(len @ 1..) => {
                open.extend_from_slice(&bytes[at..at + len]);
                at += len;
            }
            _ => {
                found.push(std::mem::take(&mut open));
                at += 1;
            }
        }
    }
    found.push(open);
    found.retain(|text| text.len() >= TEXT_MIN_BYTES);
    found
}

#[test]
fn string_fields_are_found() {
    let message = b"\x0A\x16curl http://evil.test/\x10\x96\x01\x1A\x04four\x22\x0C\xE4\xBD\xA0\xE5\xA5\xBD\xE4\xBD\xA0\xE5\xA5\xBD\0";
    let found = texts(&[message]);
    assert_eq!(found[0], b"curl http://evil.test/");
    assert_eq!(found[1], "你好你好".as_bytes());
    assert_eq!(found.len(), 2);
}

#[test]
fn a_text_of_the_least_length_is_found_and_a_shorter_one_not() {
    assert_eq!(texts(&[b"\0abcdef\0abcde\0"]), [b"abcdef".to_vec()]);
}

#[test]
fn grpc_messages_are_parted() {
    let stream = b"\0\0\0\0\x03abc\x01\0\0\0\x02zz\0\0\0\0\0\x07";
    let mut said = Vec::new();
    let mut reader = GrpcReader::new();
    for byte in stream {
        reader.feed(&[*byte], &mut |part| said.push(format!("{part:?}")));
    }
    let begin = |is_compressed, len| format!("{:?}", Grpc::Begin { is_compressed, len });
    let expected = [
        begin(false, 3),
        "Data([97])".into(),
        "Data([98])".into(),
        "Data([99])".into(),
        "End".into(),
        begin(true, 2),
        "Data([122])".into(),
        "Data([122])".into(),
        "End".into(),
        begin(false, 0),
        "End".into(),
    ];
    assert_eq!(said, expected);
    reader.feed(b"\0\0\0\0abc", &mut |part| said.push(format!("{part:?}")));
    assert_eq!(said.last().unwrap(), "Invalid");
}

fn binary() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        "[a-z ]{0,90}".prop_map(String::into_bytes),
        "\\PC{0,40}".prop_map(String::into_bytes),
        Just(b"\xE4\xBD".to_vec()),
        Just(vec![0; 61]),
    ];
    proptest::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn texts_are_those_of_a_plain_reading_however_the_bytes_are_cut(
        bytes in binary(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let expected = plain_texts(&bytes);
        prop_assert_eq!(&texts(&[&bytes]), &expected);
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.sort_unstable();
        ends.push(bytes.len());
        let mut pieces = Vec::new();
        let mut from = 0;
        for end in ends {
            pieces.push(&bytes[from..end]);
            from = end;
        }
        prop_assert_eq!(&texts(&pieces), &expected);
    }
}
