//! Heads and trailers, there and back.

use proptest::prelude::*;

use super::heads::*;
use super::*;
use crate::http::framing::{BodyKind, plan_request, plan_response};
use crate::http::head::{Method, parse_request, parse_response};

fn request(method: &str, uri: &str, fields: &[(&str, &str)]) -> http::request::Parts {
    let mut builder = http::Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn answer(status: u16, fields: &[(&str, &str)]) -> http::response::Parts {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn written(parts: &http::request::Parts, ends: bool) -> (Coding, String) {
    let mut out = Vec::new();
    let coding = write_request_head(parts, ends, &mut out);
    (coding, String::from_utf8(out).unwrap())
}

fn answered(parts: &http::response::Parts, ends: bool, is_bodyless: bool) -> (Coding, String) {
    let mut out = Vec::new();
    let coding = write_response_head(parts, ends, is_bodyless, &mut out);
    (coding, String::from_utf8(out).unwrap())
}

#[test]
fn a_request_is_written_with_its_framing() {
    let at = "https://api.test/v1?q=a%20b";
    let get = request("GET", at, &[("accept", "*/*"), ("cookie", "a=1"), ("cookie", "b=2")]);
    let head =
        "GET /v1?q=a%20b HTTP/1.1\r\nhost: api.test\r\naccept: */*\r\ncookie: a=1; b=2\r\n\r\n";
    assert_eq!(written(&get, true), (Coding::None, head.to_owned()));
    for (method, fields, ends, coding, says) in [
        ("POST", &[][..], true, Coding::None, "content-length: 0\r\n\r\n"),
        ("POST", &[("content-length", "5")], false, Coding::Plain, "content-length: 5\r\n\r\n"),
        ("POST", &[], false, Coding::Chunked, "transfer-encoding: chunked\r\n\r\n"),
        ("DELETE", &[], true, Coding::None, "host: api.test\r\n\r\n"),
        (
            "POST",
            &[("content-length", "5"), ("content-type", "application/grpc+proto")],
            false,
            Coding::Chunked,
            "api.test\r\ncontent-type: application/grpc+proto\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
    ] {
        let (written, head) = written(&request(method, at, fields), ends);
        assert_eq!(written, coding, "{head}");
        assert!(head.ends_with(says), "{head}");
    }
    assert!(written(&request("OPTIONS", "*", &[]), true).1.starts_with("OPTIONS * HTTP/1.1\r\n"));
}

#[test]
fn another_host_than_the_authority_is_refused() {
    let head = |host| written(&request("GET", "https://api.test/", &[("host", host)]), true).1;
    assert!(parse_request(head("API.test").as_bytes(), &OURS).unwrap().is_some());
    let refused = parse_request(head("evil.test").as_bytes(), &OURS).unwrap_err();
    assert_eq!((refused.status, refused.reason), (400, "more than one Host"));
    let without = request("GET", "/", &[("host", "api.test")]);
    assert!(written(&without, true).1.contains("\r\nhost: api.test\r\n"));
}

#[test]
fn an_answer_is_written_with_its_framing() {
    for (status, fields, ends, is_bodyless, coding, head) in [
        (200, &[][..], true, false, Coding::None, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
        (
            200,
            &[],
            false,
            false,
            Coding::Chunked,
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            200,
            &[("content-length", "9")],
            true,
            true,
            Coding::None,
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n",
        ),
        (204, &[], true, false, Coding::None, "HTTP/1.1 204 No Content\r\n\r\n"),
        (
            304,
            &[("etag", "\"1\"")],
            true,
            false,
            Coding::None,
            "HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n",
        ),
        (
            103,
            &[("link", "</a>")],
            false,
            false,
            Coding::None,
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n",
        ),
        (
            599,
            &[("content-length", "2")],
            false,
            false,
            Coding::Plain,
            "HTTP/1.1 599 \r\ncontent-length: 2\r\n\r\n",
        ),
    ] {
        let given = answered(&answer(status, fields), ends, is_bodyless);
        assert_eq!(given, (coding, head.to_owned()));
        let method = if is_bodyless { Method::Head } else { Method::Get };
        let parsed = parse_response(head.as_bytes(), &OURS).unwrap().unwrap();
        let body = plan_response(&parsed, method).unwrap().body;
        let expected = match (coding, status) {
            (Coding::None, 200) if !is_bodyless => BodyKind::Length(0),
            (Coding::None, _) => BodyKind::None,
            (Coding::Plain, _) => BodyKind::Length(2),
            (Coding::Chunked, _) => BodyKind::Chunked,
        };
        assert_eq!(body, expected, "{head}");
        assert_eq!(response_of(&parsed).unwrap().status().as_u16(), status);
    }
}

#[test]
fn what_is_of_an_http_1_1_connection_does_not_reach_http_2() {
    let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nKeep-Alive: timeout=5\r\nX-One: 1\r\nX-One: 2\r\n\
        Transfer-Encoding: chunked\r\nUpgrade: h2c\r\n\r\n";
    let response = response_of(&parse_response(head, &OURS).unwrap().unwrap()).unwrap();
    let fields: Vec<_> = response.headers().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(fields, ["x-one", "x-one"]);
    let head = b"POST /a HTTP/1.1\r\nHost: api.test:8443\r\nConnection: TE\r\nTE: trailers\r\n\r\n";
    let parsed = parse_request(head, &OURS).unwrap().unwrap();
    let request = request_of(&parsed, "https").unwrap();
    assert_eq!(request.uri().to_string(), "https://api.test:8443/a");
    let fields: Vec<_> = request.headers().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(fields, ["te"]);
}

fn field_name() -> impl Strategy<Value = String> {
    "x-[a-z0-9]{1,8}"
}

fn field_value() -> impl Strategy<Value = String> {
    "([!-~]([ -~]{0,20}[!-~])?)?"
}

proptest! {
    #[test]
    fn a_request_says_the_same_behind_both_ways(
        method in "(GET|POST|PUT|DELETE|PATCH|PROPFIND)",
        path in "/[a-zA-Z0-9/_.~%?=&-]{0,40}",
        fields in prop::collection::vec((field_name(), field_value()), 0..6),
        ends: bool,
    ) {
        let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let given = request(&method, &format!("https://api.test{path}"), &fields);
        let (coding, text) = written(&given, ends);
        let head = parse_request(text.as_bytes(), &OURS).unwrap().unwrap();
        prop_assert_eq!(head.len, text.len());
        let body = plan_request(&head).unwrap().body;
        prop_assert_eq!(matches!(body, BodyKind::Chunked), coding == Coding::Chunked);
        let mut back = request_of(&head, "https").unwrap();
        if ends && ["POST", "PUT", "PATCH"].contains(&method.as_str()) {
            prop_assert!(back.headers_mut().remove("content-length").is_some());
        }
        prop_assert_eq!(back.uri(), &given.uri);
        prop_assert_eq!(back.method(), &given.method);
        prop_assert_eq!(back.headers(), &given.headers);
    }

    #[test]
    fn trailers_say_the_same_behind_both_ways(
        fields in prop::collection::vec((field_name(), field_value()), 0..6),
        data in prop::collection::vec(any::<u8>(), 1..100),
    ) {
        let mut trailers = HeaderMap::new();
        for (name, value) in &fields {
            let name: http::HeaderName = name.parse().unwrap();
            trailers.append(name, value.parse().unwrap());
        }
        let mut out = Vec::new();
        write_chunk(&data, &mut out);
        write_last_chunk(&trailers, &mut out);
        let (mut read, mut lines) = (Vec::new(), Vec::new());
        let mut body = Body::new(BodyKind::Chunked);
        let len = body
            .step(&out, &mut |piece| match piece {
                Piece::Data(range) => read.extend_from_slice(&out[range]),
                Piece::Trailer(range) => lines.extend_from_slice(&out[range]),
                Piece::Extension(..) => {}
            })
            .unwrap();
        prop_assert!(body.is_done() && len == out.len());
        prop_assert_eq!(read, data);
        prop_assert_eq!(trailers_of(&lines), trailers);
    }
}
