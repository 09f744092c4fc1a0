//! Our own answers, read by our own parser and by serde_json.

use super::{planned_response, response_verdict, whole_request};
use crate::http::head::Method;
use crate::http::reply::{self, CONNECT_ESTABLISHED, Cause};
use crate::limits::REPLY_DETAIL_MAX_CHARS;

/// The fields and the parsed JSON body of a reply.
fn read(bytes: &[u8]) -> (String, serde_json::Value) {
    let (head, plan) = planned_response(bytes, Method::Get).unwrap().unwrap();
    let body = &bytes[head.len..];
    assert_eq!(plan.content_length, Some(body.len() as u64));
    let fields = String::from_utf8(bytes[..head.len].to_vec()).unwrap();
    (fields, serde_json::from_slice(body).unwrap())
}

#[test]
fn an_error_says_what_went_wrong_twice() {
    let reply = reply::error(502, Cause::ConnectionRefused, "127.0.0.1:9 refused", true, false);
    let (fields, body) = read(&reply);
    assert!(fields.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    assert!(fields.contains("\r\nContent-Type: application/json\r\n"));
    assert!(fields.contains("\r\nConnection: close\r\n"));
    assert!(fields.contains(
        "\r\nProxy-Status: clawsec; error=connection_refused; details=\"127.0.0.1:9 refused\"\r\n"
    ));
    let expected = serde_json::json!({
        "error": "connection_refused", "status": 502, "detail": "127.0.0.1:9 refused",
    });
    assert_eq!(body, expected);
}

#[test]
fn any_detail_gives_valid_fields_and_json() {
    let every_ascii: String = (0..128u8).map(char::from).collect();
    let details =
        ["", "\"\\", "a\r\nSet-Cookie: x", "é\u{2028}\u{1f600}", "\u{80}\u{9f}", &every_ascii];
    for detail in details {
        let (fields, body) =
            read(&reply::error(400, Cause::HttpRequestError, detail, false, false));
        assert_eq!(body["detail"], detail);
        assert!(!fields.contains("Connection:"));
        assert!(!fields.contains("\r\nSet-Cookie"));
    }
    let (fields, _) = read(&reply::error(400, Cause::HttpRequestError, "a\"\\é", false, false));
    assert!(fields.contains("details=\"a\\\"\\\\?\""));
}

#[test]
fn a_detail_is_cut_at_its_bound() {
    let detail_len = |chars: usize| {
        let detail = "é".repeat(chars);
        let (_, body) = read(&reply::error(500, Cause::ProxyInternalError, &detail, true, false));
        body["detail"].as_str().unwrap().chars().count()
    };
    assert_eq!(detail_len(REPLY_DETAIL_MAX_CHARS), REPLY_DETAIL_MAX_CHARS);
    assert_eq!(detail_len(REPLY_DETAIL_MAX_CHARS + 1), REPLY_DETAIL_MAX_CHARS);
}

#[test]
fn an_answer_to_head_has_no_body() {
    let whole = reply::error(502, Cause::DnsError, "no such name", false, false);
    let head = reply::error(502, Cause::DnsError, "no such name", false, true);
    assert!(whole.starts_with(&head));
    assert!(head.ends_with(b"\r\n\r\n"));
}

#[test]
fn every_cause_has_a_token_of_its_own() {
    let mut tokens: Vec<&str> = Cause::ALL.iter().map(|cause| cause.token()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), Cause::ALL.len());
    for cause in Cause::ALL {
        let (_, body) = read(&reply::error(502, cause, "x", true, false));
        assert_eq!(body["error"], cause.token());
    }
}

#[test]
fn trace_reflects_all_but_credentials() {
    let request = "TRACE /x HTTP/1.1\r\nHost: a\r\nX-Odd:  b\r\nAuthorization: secret\r\n\
                   cookie: secret\r\nProxy-Authorization: secret\r\nMax-Forwards: 0\r\n\r\n";
    let reply = String::from_utf8(reply::trace(&whole_request(request.as_bytes()), false)).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("Content-Type: message/http"));
    assert_eq!(body, "TRACE /x HTTP/1.1\r\nHost: a\r\nX-Odd:  b\r\nMax-Forwards: 0\r\n\r\n");
}

#[test]
fn fixed_answers_are_responses() {
    let accepted = super::Verdict::Accepted;
    assert_eq!(response_verdict(&reply::options(true), Method::Options), accepted);
    assert_eq!(response_verdict(CONNECT_ESTABLISHED, Method::Connect), accepted);
}
