//! Properties: nothing panics, every split reads the same, rewriting keeps what is end to end.

use proptest::prelude::*;

use super::{
    Body, LIMITS, decode, parse_request, parse_response, parse_target, planned_request,
    planned_response,
};
use crate::http::detect::detect;
use crate::http::framing::BodyKind;
use crate::http::head::{Method, Version};
use crate::http::rewrite::{ClientSide, Forwarding, write_request, write_response};
use crate::http::search::HeadSearch;
use crate::http::target::{Authority, parse_host_header};

/// Bytes that are likely to be nearly HTTP.
fn nearly_http() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just(b"GET / HTTP/1.1\r\n".to_vec()),
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"Host: a\r\n".to_vec()),
        Just(b"Content-Length: 3\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"3;a=\"b\"\r\nabc\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
        prop::sample::select(b" \t\r\n:;,=\"\\\0\x7f\xff%[]@/?#".to_vec()).prop_map(|b| vec![b]),
    ];
    prop::collection::vec(fragment, 0..12).prop_map(|fragments| fragments.concat())
}

fn name() -> impl Strategy<Value = String> {
    "X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}"
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::sample::select(
        (0x21..=0x7eu8).chain(0x80..=0xff).chain([b' ', b'\t']).collect::<Vec<u8>>(),
    );
    prop::collection::vec(bytes, 0..24).prop_map(|bytes| bytes.trim_ascii().to_vec())
}

fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    prop::collection::vec((name(), value()), 0..20)
}

fn write_fields(fields: &[(String, Vec<u8>)], out: &mut Vec<u8>) {
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

/// The fields of a head that the strategies above made.
fn end_to_end<'b>(headers: impl Iterator<Item = (&'b str, &'b [u8])>) -> Vec<(String, Vec<u8>)> {
    let made = headers.filter(|(name, _)| name.starts_with("X-"));
    made.map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

/// A chunked body: its data, its trailers, its bytes.
fn chunked() -> impl Strategy<Value = (Vec<u8>, Vec<u8>, Vec<u8>)> {
    let chunk = (
        prop::collection::vec(any::<u8>(), 1..40),
        "[ \t]{0,2}(;[ \t]?[a-z]{1,4}[ \t]?(=[ \t]?[a-z]{1,4}|=\"[ -!#-Z]{0,4}\")?[ \t]?){0,2}",
    );
    (prop::collection::vec(chunk, 0..6), fields(), 1..4usize).prop_map(|(chunks, fields, zeros)| {
        let mut data = Vec::new();
        let mut bytes = Vec::new();
        for (chunk, extension) in chunks {
            bytes.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(&chunk);
            bytes.extend_from_slice(b"\r\n");
            data.extend_from_slice(&chunk);
        }
        let mut trailers = Vec::new();
        write_fields(&fields, &mut trailers);
        bytes.extend_from_slice("0".repeat(zeros).as_bytes());
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&trailers);
        bytes.extend_from_slice(b"\r\n");
        (data, trailers, bytes)
    })
}

/// Cuts bytes at places given as fractions of their length.
fn cut<'b>(bytes: &'b [u8], places: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut ends: Vec<usize> = places.iter().map(|place| place.index(bytes.len() + 1)).collect();
    ends.sort_unstable();
    ends.push(bytes.len());
    let mut start = 0;
    let parts = ends.into_iter().map(|end| {
        let part = &bytes[start..end];
        start = end;
        part
    });
    parts.collect()
}

fn places() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn nothing_panics(bytes in nearly_http(), noise in prop::collection::vec(any::<u8>(), 0..80)) {
        for input in [&bytes, &noise] {
            let _ = planned_request(input);
            let _ = planned_response(input, Method::Get);
            let _ = decode(Body::new(BodyKind::Chunked), &[input]);
            let _ = detect(input);
            let _ = parse_host_header(input, 80);
            let text = String::from_utf8_lossy(input);
            let _ = parse_target(Method::Get, &text);
            let _ = parse_target(Method::Connect, &text);
        }
    }

    #[test]
    fn more_bytes_never_unmake_a_head(bytes in nearly_http()) {
        let whole = parse_request(&bytes, &LIMITS);
        let mut search = HeadSearch::request(LIMITS);
        for end in 0..bytes.len() {
            let part = parse_request(&bytes[..end], &LIMITS);
            let found = search.find(&bytes[..end]);
            match part {
                Ok(None) => prop_assert_eq!(found, Ok(None)),
                Ok(Some(head)) => {
                    let whole_len = whole.as_ref().ok().and_then(Option::as_ref).map(|h| h.len);
                    prop_assert_eq!(whole_len, Some(head.len));
                    break;
                }
                Err(_) => {
                    prop_assert!(whole.is_err());
                    break;
                }
            }
        }
    }

    #[test]
    fn a_chunked_body_reads_the_same_at_any_split(
        (data, trailers, bytes) in chunked(),
        next in prop::collection::vec(any::<u8>(), 0..8),
        places in places(),
    ) {
        let stream = [bytes.as_slice(), &next].concat();
        let (decoded, body) = decode(Body::new(BodyKind::Chunked), &cut(&stream, &places)).unwrap();
        prop_assert_eq!(decoded.data, data);
        prop_assert_eq!(decoded.trailers, trailers);
        prop_assert_eq!(decoded.len, bytes.len());
        prop_assert!(body.is_done());
    }

    #[test]
    fn any_stream_steps_alike_whole_and_byte_by_byte(bytes in nearly_http()) {
        let whole = decode(Body::new(BodyKind::Chunked), &[&bytes]);
        let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
        let bytewise = decode(Body::new(BodyKind::Chunked), &bytewise);
        match (whole, bytewise) {
            (Ok((whole, _)), Ok((bytewise, _))) => prop_assert_eq!(whole, bytewise),
            (whole, bytewise) => prop_assert_eq!(whole.err(), bytewise.err()),
        }
    }

    #[test]
    fn a_rewritten_request_says_the_same(fields in fields(), length in any::<Option<u64>>()) {
        let mut bytes = b"POST http://a.test/p?q HTTP/1.1\r\nHost: b.test\r\n".to_vec();
        write_fields(&fields, &mut bytes);
        if let Some(length) = length {
            bytes.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"Connection: close, x-hop\r\nX-Hop: 1\r\n\r\n");
        let (head, target, plan) = planned_request(&bytes).unwrap().unwrap();
        let host = Authority { host: "a.test".to_owned(), port: 80 };
        let forwarding = Forwarding { host: &host.host, port: host.port, default_port: 80, via: None, relay: None, forwarded_for: None, loop_mark: None };
        let mut out = Vec::new();
        write_request(&head, &target, &plan, &forwarding, &mut out);
        let (again, _, again_plan) = planned_request(&out).unwrap().unwrap();
        prop_assert_eq!(again.len, out.len());
        prop_assert_eq!((again.target, again.get("host")), ("/p?q", Some(&b"a.test"[..])));
        prop_assert_eq!(again_plan.body, plan.body);
        let kept: Vec<_> =
            fields.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("x-hop")).collect();
        prop_assert_eq!(end_to_end(again.headers()), kept);
    }

    #[test]
    fn a_rewritten_response_says_the_same(
        fields in fields(),
        status in 200..=999u16,
        reason in value(),
        chunked in any::<bool>(),
    ) {
        prop_assume!(status != 204);
        let mut bytes = format!("HTTP/1.1 {status} ").into_bytes();
        bytes.extend_from_slice(&reason);
        bytes.extend_from_slice(b"\r\nKeep-Alive: 5\r\n");
        write_fields(&fields, &mut bytes);
        let framing = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 5" };
        bytes.extend_from_slice(format!("{framing}\r\n\r\n").as_bytes());
        let (head, plan) = planned_response(&bytes, Method::Get).unwrap().unwrap();
        let client = ClientSide { version: Version::Http11, persistent: true, dechunk: false };
        let mut out = Vec::new();
        write_response(&head, &plan, client, None, &mut out);
        let again = parse_response(&out, &LIMITS).unwrap().unwrap();
        prop_assert_eq!(again.len, out.len());
        prop_assert_eq!((again.status, again.reason), (status, reason.as_slice()));
        let (_, again_plan) = planned_response(&out, Method::Get).unwrap().unwrap();
        prop_assert_eq!(again_plan, plan);
        prop_assert_eq!(again.get("keep-alive"), None);
        prop_assert_eq!(end_to_end(again.headers()), fields);
    }

    #[test]
    fn whole_messages_are_found_in_a_pipeline(
        first in chunked(),
        second in prop::collection::vec(any::<u8>(), 0..40),
        places in places(),
    ) {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let length = second.len();
        let next_head = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let stream = [&head[..], &first.2, next_head.as_bytes(), &second].concat();
        let (parsed, _, plan) = planned_request(&stream).unwrap().unwrap();
        let rest = &stream[parsed.len..];
        let (decoded, _) = decode(Body::new(plan.body), &cut(rest, &places)).unwrap();
        prop_assert_eq!(decoded.data, first.0);
        let rest = &rest[decoded.len..];
        let (parsed, _, plan) = planned_request(rest).unwrap().unwrap();
        let (decoded, _) = decode(Body::new(plan.body), &[&rest[parsed.len..]]).unwrap();
        prop_assert_eq!(decoded.data, second);
        prop_assert_eq!(parsed.len + decoded.len, rest.len());
    }
}
