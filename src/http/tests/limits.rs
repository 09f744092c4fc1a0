//! Each bound of this module at the bound and one past it.

use super::{Body, LIMITS, parse_host_header, parse_request, parse_response, whole_request};
use crate::http::body::BodyError;
use crate::http::framing::{BodyKind, plan_request};
use crate::http::head::HeadLimits;
use crate::limits::{
    CHUNK_EXTENSIONS_SURPLUS_MAX_BYTES, CHUNK_LINE_MAX_BYTES, CHUNK_SIZE_MAX_DIGITS,
    CONNECTION_OPTIONS_MAX, HEAD_MAX_BYTES, HEADERS_MAX, HOST_MAX_BYTES, LEADING_EMPTY_LINES_MAX,
    METHOD_MAX_BYTES, TRAILERS_MAX_BYTES,
};

fn request_status(bytes: &[u8]) -> Result<bool, u16> {
    parse_request(bytes, &LIMITS).map(|head| head.is_some()).map_err(|error| error.status)
}

fn request_of_len(len: usize) -> Vec<u8> {
    let before = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    let filler = "x".repeat(len - before.len() - "\r\n\r\n".len());
    [before, &filler, "\r\n\r\n"].concat().into_bytes()
}

#[test]
fn head_bytes() {
    assert_eq!(request_status(&request_of_len(HEAD_MAX_BYTES)), Ok(true));
    let too_long = request_of_len(HEAD_MAX_BYTES + 1);
    assert_eq!(request_status(&too_long), Err(431));
    assert_eq!(request_status(&too_long[..HEAD_MAX_BYTES]), Err(431), "it cannot end in time");
    assert_eq!(request_status(&too_long[..HEAD_MAX_BYTES - 1]), Ok(false));
}

#[test]
fn request_line_bytes() {
    let line = ["GET /", &"x".repeat(HEAD_MAX_BYTES)].concat().into_bytes();
    assert_eq!(request_status(&line[..HEAD_MAX_BYTES - 1]), Ok(false));
    assert_eq!(request_status(&line[..HEAD_MAX_BYTES]), Err(414));
}

#[test]
fn response_head_bytes() {
    let limits = HeadLimits { max_bytes: 40, max_headers: 2 };
    let response = b"HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyy\r\n\r\n";
    assert_eq!(response.len(), 40);
    assert!(parse_response(response, &limits).unwrap().is_some());
    let limits = HeadLimits { max_bytes: 39, max_headers: 2 };
    assert_eq!(parse_response(response, &limits).unwrap_err().status, 502);
}

#[test]
fn header_fields() {
    let request = |fields: usize| {
        ["GET / HTTP/1.1\r\nHost: a\r\n", &"A: b\r\n".repeat(fields - 1), "\r\n"].concat()
    };
    assert_eq!(request_status(request(HEADERS_MAX).as_bytes()), Ok(true));
    assert_eq!(request_status(request(HEADERS_MAX + 1).as_bytes()), Err(431));
    let response =
        |fields: usize| ["HTTP/1.1 200 OK\r\n", &"A: b\r\n".repeat(fields), "\r\n"].concat();
    assert!(parse_response(response(HEADERS_MAX).as_bytes(), &LIMITS).is_ok());
    let too_many = response(HEADERS_MAX + 1);
    assert_eq!(parse_response(too_many.as_bytes(), &LIMITS).unwrap_err().status, 502);
}

#[test]
fn empty_lines_in_front() {
    let request = |lines: usize| ["\r\n".repeat(lines).as_str(), "GET / HTTP/1.0\r\n\r\n"].concat();
    assert_eq!(request_status(request(LEADING_EMPTY_LINES_MAX).as_bytes()), Ok(true));
    assert_eq!(request_status(request(LEADING_EMPTY_LINES_MAX + 1).as_bytes()), Err(400));
}

#[test]
fn method_name() {
    let request = |len: usize| ["M".repeat(len).as_str(), " / HTTP/1.0\r\n\r\n"].concat();
    assert_eq!(request_status(request(METHOD_MAX_BYTES).as_bytes()), Ok(true));
    assert_eq!(request_status(request(METHOD_MAX_BYTES + 1).as_bytes()), Err(501));
    assert_eq!(request_status("M".repeat(METHOD_MAX_BYTES).as_bytes()), Ok(false));
    assert_eq!(request_status("M".repeat(METHOD_MAX_BYTES + 1).as_bytes()), Err(501));
}

#[test]
fn host() {
    assert!(parse_host_header("h".repeat(HOST_MAX_BYTES).as_bytes(), 80).is_ok());
    assert!(parse_host_header("h".repeat(HOST_MAX_BYTES + 1).as_bytes(), 80).is_err());
    let zoned = |len: usize| {
        ["[fe80::1%25", &"z".repeat(len - "fe80::1%25".len()), "]"].concat().into_bytes()
    };
    assert!(parse_host_header(&zoned(HOST_MAX_BYTES), 80).is_ok());
    assert!(parse_host_header(&zoned(HOST_MAX_BYTES + 1), 80).is_err());
}

#[test]
fn connection_options() {
    let plan = |options: usize| {
        let request = [
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nConnection: ",
            &"x,".repeat(options - 1),
            "\r\n\r\n",
        ]
        .concat();
        plan_request(&whole_request(request.as_bytes())).map(drop).map_err(|error| error.status)
    };
    assert_eq!(plan(CONNECTION_OPTIONS_MAX), Ok(()));
    assert_eq!(plan(CONNECTION_OPTIONS_MAX + 1), Err(400));
}

fn chunked_error(stream: &str) -> Option<BodyError> {
    Body::new(BodyKind::Chunked).step(stream.as_bytes(), &mut |_| {}).err()
}

#[test]
fn chunk_size_digits() {
    let chunk = |digits: usize| ["0".repeat(digits - 1).as_str(), "1\r\nx\r\n"].concat();
    assert_eq!(chunked_error(&chunk(CHUNK_SIZE_MAX_DIGITS)), None);
    assert_eq!(chunked_error(&chunk(CHUNK_SIZE_MAX_DIGITS + 1)), Some(BodyError::ChunkSize));
    assert_eq!(chunked_error("ffffffffffffffff\r\nxyz"), None, "the largest there is");
}

#[test]
fn chunk_line() {
    let chunk = |len: usize| ["1;", &"e".repeat(len - "1;\r\n".len()), "\r\nx\r\n"].concat();
    assert_eq!(chunked_error(&chunk(CHUNK_LINE_MAX_BYTES)), None);
    assert_eq!(chunked_error(&chunk(CHUNK_LINE_MAX_BYTES + 1)), Some(BodyError::ChunkLineTooLong));
}

#[test]
fn chunk_extensions_may_outweigh_the_data_only_so_far() {
    // 1025 extension bytes for one data byte: a surplus of 1024 a chunk, but of the first.
    let chunk = ["1;", &"e".repeat(1024), "\r\nx\r\n"].concat();
    let chunks = CHUNK_EXTENSIONS_SURPLUS_MAX_BYTES / 1024 - 1;
    let bulk = chunk.repeat(chunks);
    let credit = CHUNK_EXTENSIONS_SURPLUS_MAX_BYTES - 1024 * chunks;
    let last = |len: usize| [&bulk, "1;", &"e".repeat(len - 1), "\r\nx\r\n"].concat();
    assert_eq!(chunked_error(&last(credit)), None);
    assert_eq!(chunked_error(&last(credit + 1)), Some(BodyError::ChunkExtensionsTooLong));
    let paid = ["800;", &"e".repeat(1024), "\r\n", &"x".repeat(2048), "\r\n"].concat();
    assert_eq!(chunked_error(&paid.repeat(200)), None, "data earns them back");
}

#[test]
fn trailers() {
    let stream =
        |len: usize| ["0\r\nX:", &"y".repeat(len - "X:\r\n\r\n".len()), "\r\n\r\n"].concat();
    assert_eq!(chunked_error(&stream(TRAILERS_MAX_BYTES)), None);
    assert_eq!(chunked_error(&stream(TRAILERS_MAX_BYTES + 1)), Some(BodyError::TrailersTooLong));
}
