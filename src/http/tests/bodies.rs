//! Bodies stepped at every split.

use super::{Body, Decoded, decode};
use crate::http::body::{BodyError, Piece};
use crate::http::framing::BodyKind;
use crate::limits::CHUNK_LINE_MAX_BYTES;

const CHUNKED: &[u8] =
    b"3;a=\"b;\\\"\"\r\none\r\nA; x\r\n\r\n0\r\n\r\n..\n\r\n0;last\r\nX-T: v\r\nY:\r\n\r\nnext";

fn expected() -> Decoded {
    Decoded {
        data: b"one\r\n0\r\n\r\n..\n".to_vec(),
        extensions: [&b";a=\"b;\\\"\"; x;last"[..], b"axlast", b"b;\""].map(<[u8]>::to_vec),
        trailers: b"X-T: v\r\nY:\r\n".to_vec(),
        len: CHUNKED.len() - b"next".len(),
    }
}

#[test]
fn a_chunked_body_is_the_same_at_every_split() {
    for first in 0..=CHUNKED.len() {
        for second in first..=CHUNKED.len() {
            let parts = [&CHUNKED[..first], &CHUNKED[first..second], &CHUNKED[second..]];
            let (decoded, body) = decode(Body::new(BodyKind::Chunked), &parts).unwrap();
            assert_eq!(decoded, expected(), "split at {first} and {second}");
            assert!(body.is_done());
        }
    }
}

#[test]
fn a_chunked_body_is_the_same_byte_by_byte() {
    let parts: Vec<&[u8]> = CHUNKED.chunks(1).collect();
    let (decoded, _) = decode(Body::new(BodyKind::Chunked), &parts).unwrap();
    assert_eq!(decoded, expected());
}

#[test]
fn a_chunked_body_cut_anywhere_is_not_done() {
    for end in 0..expected().len {
        let (decoded, body) = decode(Body::new(BodyKind::Chunked), &[&CHUNKED[..end]]).unwrap();
        assert_eq!(decoded.len, end);
        assert!(!body.is_done(), "cut at {end}");
    }
}

#[test]
fn a_body_of_a_length_takes_that_many_bytes() {
    let mut body = Body::new(BodyKind::Length(5));
    let mut pieces = Vec::new();
    assert_eq!(body.step(b"abc", &mut |piece| pieces.push(piece)), Ok(3));
    assert!(!body.is_done());
    assert_eq!(body.step(b"defg", &mut |piece| pieces.push(piece)), Ok(2));
    assert!(body.is_done());
    assert_eq!(body.step(b"fg", &mut |piece| pieces.push(piece)), Ok(0));
    assert_eq!(pieces, [Piece::Data(0..3), Piece::Data(0..2)]);
}

#[test]
fn no_body_is_done_at_once() {
    for kind in [BodyKind::None, BodyKind::Length(0)] {
        let mut body = Body::new(kind);
        assert!(body.is_done());
        assert_eq!(body.step(b"next", &mut |_| panic!("no piece")), Ok(0));
    }
}

#[test]
fn a_body_until_close_is_never_done() {
    let mut body = Body::new(BodyKind::UntilClose);
    assert_eq!(body.step(b"all of it", &mut |_| {}), Ok(9));
    assert!(!body.is_done());
}

#[test]
fn a_fault_is_final() {
    let mut body = Body::new(BodyKind::Chunked);
    assert_eq!(body.step(b"x", &mut |_| {}), Err(BodyError::ChunkSize));
    assert_eq!(body.step(b"0\r\n\r\n", &mut |_| {}), Err(BodyError::ChunkSize));
    assert!(!body.is_done());
}

#[test]
fn the_largest_body_is_counted_without_overflow() {
    let mut body = Body::new(BodyKind::Length(u64::MAX));
    assert_eq!(body.step(b"abc", &mut |_| {}), Ok(3));
    assert!(!body.is_done());
}

#[test]
fn each_fault_is_named() {
    let table: &[(&[u8], BodyError)] = &[
        (b"g\r\n", BodyError::ChunkSize),
        (b"1;=\r\n", BodyError::ChunkExtension),
        (b"1\r\r\n", BodyError::ChunkLineEnd),
        (b"1\r\nxy", BodyError::ChunkLineEnd),
        (b"0\r\n:\r\n", BodyError::Trailer),
    ];
    for (stream, expected) in table {
        let error = decode(Body::new(BodyKind::Chunked), &[stream]).unwrap_err();
        assert_eq!(error, *expected, "{:?}", String::from_utf8_lossy(stream));
        assert!(!error.to_string().is_empty());
    }
}

/// RFC 9112 §7.1.1: blanks around the marks of an extension are to be passed over. Those behind a size are what
/// servers pad it with.
#[test]
fn blanks_behind_a_chunk_size_and_around_the_marks_of_an_extension_are_passed_over() {
    for line in [
        "3 ",
        "3\t  ",
        "3 ;a",
        "3 ; a",
        "3;a = b",
        "3;a\t=\tb",
        "3;a= \"b c\" ;d",
        "3;a ",
        "3 ;a=b ",
    ] {
        let stream = format!("{line}\r\nabc\r\n0{}\r\nT: u\r\n\r\n", &line[1..]);
        let bytes = stream.as_bytes();
        let (whole, _) = decode(Body::new(BodyKind::Chunked), &[bytes]).unwrap();
        assert_eq!(whole.data, b"abc", "{line:?}");
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(Body::new(BodyKind::Chunked), &bytewise).unwrap().0, whole, "{line:?}");
    }
    let padded = format!("3{}\r\n", " ".repeat(CHUNK_LINE_MAX_BYTES));
    let error = decode(Body::new(BodyKind::Chunked), &[padded.as_bytes()]).unwrap_err();
    assert_eq!(error, BodyError::ChunkLineTooLong);
}
