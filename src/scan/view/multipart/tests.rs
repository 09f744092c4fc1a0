//! Bodies as clients and mail programs write them, and what tries to hide between their parts.

use proptest::prelude::*;

use super::*;
use crate::limits::{
    MULTIPART_BOUNDARY_MAX_BYTES, MULTIPART_HEAD_MAX_BYTES, MULTIPART_PADDING_MAX_BYTES,
};

/// What a reader says, contents put together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Head(Vec<u8>),
    Data(Vec<u8>),
    PartEnd,
    End,
}

/// What is said of the pieces, and every byte that it was said of.
fn read(boundary: &[u8], pieces: &[&[u8]]) -> (Vec<Said>, Vec<u8>) {
    let mut reader = Reader::new(boundary);
    let (mut said, mut all) = (Vec::new(), Vec::new());
    let mut add = |event: Event, reader: &Reader, bytes: &[u8]| {
        let data = match event {
            Event::Idle => return,
            Event::PartHead => {
                all.extend_from_slice(reader.head());
                return said.push(Said::Head(reader.head().to_vec()));
            }
            Event::PartEnd | Event::End => {
                all.extend_from_slice(reader.carried());
                let is_end = event == Event::End;
                return said.push(if is_end { Said::End } else { Said::PartEnd });
            }
            Event::Data(range) => &bytes[range],
            Event::Carried => reader.carried(),
        };
        assert!(!data.is_empty());
        all.extend_from_slice(data);
        match said.last_mut() {
            Some(Said::Data(before)) => before.extend_from_slice(data),
            _ => said.push(Said::Data(data.to_vec())),
        }
    };
    for piece in pieces {
        let mut rest = *piece;
        loop {
            let step = reader.step(rest);
            let is_idle = step.event == Event::Idle;
            add(step.event, &reader, rest);
            rest = &rest[step.taken..];
            if is_idle {
                assert!(rest.is_empty());
                break;
            }
        }
    }
    while let Some(event) = reader.finish() {
        add(event, &reader, &[]);
    }
    (said, all)
}

/// The same whole and byte by byte, and nothing lost.
fn said(body: &[u8]) -> Vec<Said> {
    let (said, all) = read(b"xyz", &[body]);
    assert_eq!(all, body);
    let single: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(read(b"xyz", &single), (said.clone(), all));
    said
}

fn head(text: &str) -> Said {
    Said::Head(text.as_bytes().to_vec())
}

fn data(text: &str) -> Said {
    Said::Data(text.as_bytes().to_vec())
}

#[test]
fn parts_have_heads_and_contents() {
    use Said::*;
    let body = b"--xyz\r\nA: 1\r\n\r\nfirst\r\n\r\n--xyz\r\n\r\nsecond\r\n--xyz--\r\n";
    let expected = [
        PartEnd,
        head("A: 1\r\n\r\n"),
        data("first\r\n"),
        PartEnd,
        head("\r\n"),
        data("second"),
        End,
    ];
    assert_eq!(said(body), expected);
    let unix = b"--xyz\nA: 1\n\nfirst\n--xyz\n\nsecond\n--xyz--";
    let expected =
        [PartEnd, head("A: 1\n\n"), data("first"), PartEnd, head("\n"), data("second"), End];
    assert_eq!(said(unix), expected);
}

#[test]
fn what_stands_before_and_behind_the_parts_is_told() {
    use Said::*;
    let body = b"before\r\n--xyz  \t\r\n\r\na\r\n--xyz--\r\nbehind\r\n--xyz\r\n\r\nmore";
    let expected = [
        data("before"),
        PartEnd,
        head("\r\n"),
        data("a"),
        End,
        data("behind\r\n--xyz\r\n\r\nmore"),
    ];
    assert_eq!(said(body), expected);
    assert_eq!(said(b"no parts at all"), [data("no parts at all")]);
    assert_eq!(said(b""), []);
}

#[test]
fn what_only_looks_like_a_delimiter_is_contents() {
    use Said::*;
    for like in
        ["\r\n--xy", "\r\n--xyzz", "\r\n--xyz-", "\r\n--xyz-- x", "\r\n--xyz\rx", "\r", "\n--"]
    {
        let body = format!("--xyz\r\n\r\na{like}b\r\n--xyz--\r\n");
        let expected = [PartEnd, head("\r\n"), data(&format!("a{like}b")), End];
        assert_eq!(said(body.as_bytes()), expected, "{like:?}");
        let body = format!("--xyz\r\n\r\na\r{like}\r\n--xyz--");
        let expected = [PartEnd, head("\r\n"), data(&format!("a\r{like}")), End];
        assert_eq!(said(body.as_bytes()), expected, "{like:?}");
    }
}

#[test]
fn heads_that_a_delimiter_ends_and_parts_without_contents_are_told() {
    use Said::*;
    assert_eq!(
        said(b"--xyz\r\nA: 1\r\n--xyz\r\nB: 2\r\n\r\n--xyz\r\n--xyz--"),
        [PartEnd, head("A: 1"), PartEnd, head("B: 2\r\n"), PartEnd, End]
    );
    assert_eq!(said(b"--xyz\r\nA: 1"), [PartEnd, head("A: 1")]);
    assert_eq!(said(b"--xyz\r\n\r\na\r\n--xyz"), [PartEnd, head("\r\n"), data("a"), PartEnd]);
}

#[test]
fn a_head_is_kept_to_its_bound_and_is_contents_past_it() {
    use Said::*;
    for past in [0, 1] {
        let line = "a".repeat(MULTIPART_HEAD_MAX_BYTES - 4 + past) + "\r\n\r\n";
        let body = format!("--xyz\r\n{line}b\r\n--xyz--");
        let (kept, rest) = line.split_at(MULTIPART_HEAD_MAX_BYTES);
        let expected = [PartEnd, head(kept), data(&format!("{rest}b")), End];
        assert_eq!(said(body.as_bytes()), expected);
    }
}

#[test]
fn padding_is_as_long_as_its_bound_and_no_longer() {
    use Said::*;
    for past in [0, 1] {
        let padding = " ".repeat(MULTIPART_PADDING_MAX_BYTES + past);
        let body = format!("--xyz{padding}\r\n\r\na");
        let expected =
            if past == 0 { vec![PartEnd, head("\r\n"), data("a")] } else { vec![data(&body)] };
        assert_eq!(said(body.as_bytes()), expected);
    }
}

#[test]
fn a_type_names_its_boundary() {
    let cases: [(&str, Option<&str>); 13] = [
        (
            "multipart/form-data; boundary=----WebKitFormBoundaryAbc",
            Some("----WebKitFormBoundaryAbc"),
        ),
        ("Multipart/Mixed; charset=x; BOUNDARY=\"a b;c\"", Some("a b;c")),
        ("multipart/related;type=\"text/xml; x=1\";boundary=\"q\\\"r\"", Some("q\"r")),
        ("multipart/form-data; boundary = a ; b=c", Some("a")),
        ("multipart/form-data; x; boundary=a", Some("a")),
        ("multipart/form-data; boundary=a; boundary=b", Some("a")),
        ("multipart/form-data; xboundary=a", None),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=\"\"", None),
        ("multipart/form-data; boundary=\"a", Some("a")),
        ("text/plain; boundary=a", None),
        ("", None),
    ];
    for (value, expected) in cases {
        let expected = expected.map(|boundary| boundary.as_bytes().to_vec());
        assert_eq!(boundary(value.as_bytes()), expected, "{value}");
    }
    for past in [0, 1] {
        let long = "b".repeat(MULTIPART_BOUNDARY_MAX_BYTES + past);
        let value = format!("multipart/mixed; boundary={long}");
        assert_eq!(boundary(value.as_bytes()).is_some(), past == 0);
    }
}

#[test]
fn a_head_says_name_file_type_and_encoding() {
    let head = concat!(
        "content-disposition: form-data; name=\"up;load\"; filename=\"a \\\" b.txt\"\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Transfer-Encoding: quoted-printable \r\n\r\n"
    );
    let parsed = PartHead::parse(head.as_bytes());
    assert_eq!(parsed.name, Some(&b"up;load"[..]));
    assert_eq!(parsed.filename, Some(&b"a \\\" b.txt"[..]));
    assert_eq!(parsed.content_type, Some(&b"text/plain; charset=utf-8"[..]));
    assert_eq!(parsed.transfer_encoding, Some(&b"quoted-printable"[..]));
    let extended =
        PartHead::parse(b"Content-Disposition: attachment; filename*=utf-8''%41.txt\n\n");
    assert_eq!(extended.filename, Some(&b"utf-8''%41.txt"[..]));
    assert_eq!(PartHead::parse(b"\r\n"), PartHead::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_byte_is_lost_however_a_body_is_cut(
        lines in prop::collection::vec("(\r\n|\n|\r|--xyz|--xy|--xyz--| |A: b|data|z|-){0,6}", 0..20),
        sizes in prop::collection::vec(1..20_usize, 1..40),
    ) {
        let body = lines.concat().into_bytes();
        let (whole, all) = read(b"xyz", &[&body]);
        prop_assert_eq!(&all, &body);
        let (mut pieces, mut rest) = (Vec::new(), &body[..]);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, behind) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        let (cut, all) = read(b"xyz", &pieces);
        prop_assert_eq!(&all, &body);
        prop_assert_eq!(cut, whole);
    }
}
