//! What a chunked body says beside its data: the extensions of its chunks, and the fields behind the last one.

use crate::support::encodings::gzip;
use crate::support::samples::sample;
use crate::support::tls::{self, Shown};
use crate::support::{Finding, Origin, Proxy, Reply, Request, json, wait_until};

/// A chunk whose line has these extensions.
fn chunk(extensions: &str, data: &[u8]) -> Vec<u8> {
    let line = format!("{:x}{extensions}\r\n", data.len());
    let end: &[u8] = if data.is_empty() { b"" } else { b"\r\n" };
    [line.as_bytes(), data, end].concat()
}

/// Answers with the chunks that it got.
fn echo(request: &Request) -> Reply {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    Reply::raw([head.as_slice(), &request.raw_body].concat())
}

fn upload(dest: &str, headers: &str, chunks: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
    );
    [head.as_bytes(), chunks].concat()
}

/// Pattern, direction and view of all that was found, sorted.
fn told(proxy: &Proxy) -> Vec<[String; 3]> {
    let found = proxy.settled_findings().into_iter();
    let mut told: Vec<_> =
        found.map(|found| [found.pattern, found.direction, found.view]).collect();
    told.sort();
    told
}

#[test]
fn a_key_in_the_extension_of_a_chunk_is_told_of_both_ways() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(echo);
    let key = sample("ai_api_key").text();
    let chunks = [
        chunk(&format!(";note=\"{key}\""), b"nothing of interest"),
        chunk(";last", b""),
        b"\r\n".to_vec(),
    ]
    .concat();
    let answer = proxy.exchange(upload(&origin.dest(), "", &chunks));
    assert!(answer.raw_body == chunks && origin.requests()[0].raw_body == chunks);
    let expected = ["inbound", "outbound"].map(|way| ["ai_api_key", way, "chunk_extensions"]);
    assert_eq!(told(&proxy), expected);
    assert!(!proxy.threats_text().contains(&key));
}

#[test]
fn a_key_cut_over_the_extensions_of_several_chunks_is_told_of() {
    for of_names in [false, true] {
        let proxy = Proxy::start(json!({}));
        let origin = Origin::http(echo);
        let text = sample("ai_api_key").text();
        let mut chunks = Vec::new();
        for piece in text.as_bytes().chunks(8) {
            let piece = std::str::from_utf8(piece).unwrap();
            let extension = if of_names { format!(";{piece}") } else { format!(";x={piece}") };
            chunks.extend(chunk(&extension, b"nothing"));
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        assert!(proxy.exchange(upload(&origin.dest(), "", &chunks)).raw_body == chunks);
        let expected = ["inbound", "outbound"].map(|way| ["ai_api_key", way, "chunk_extensions"]);
        assert_eq!(told(&proxy), expected, "of names: {of_names}");
    }
}

#[test]
fn an_extension_does_not_part_what_two_chunks_say_together() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(echo);
    let [front, back] = sample("ai_api_key").harmless_parts();
    let chunks = [
        chunk(";a=\"one two\"", front.as_bytes()),
        chunk(";b=three", back.as_bytes()),
        b"0\r\n\r\n".to_vec(),
    ]
    .concat();
    assert!(proxy.exchange(upload(&origin.dest(), "", &chunks)).raw_body == chunks);
    assert_eq!(told(&proxy), ["inbound", "outbound"].map(|way| ["ai_api_key", way, ""]));
}

#[test]
fn a_key_that_belongs_in_the_head_does_not_belong_in_an_extension() {
    let origin = Origin::https(tls::server(Shown::Valid), echo);
    let dest = origin.local_dest();
    let expected = json!([{"host": "localhost", "header": "x-api-key", "rules": ["ai_api_key"]}]);
    let proxy = Proxy::start(json!({ "expected_credentials": expected }));
    let key = sample("ai_api_key").text();
    let chunks = [chunk(&format!(";x-api-key={key}"), b"nothing"), b"0\r\n\r\n".to_vec()].concat();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = proxy.https(&dest);
    client.send([head.as_bytes(), &chunks].concat());
    assert!(client.receive_response().raw_body == chunks);
    let found = proxy.wait_for_finding(|found| found.direction == "outbound");
    assert_eq!(found.severity, "critical");
}

#[test]
fn a_field_behind_a_coded_body_is_read_as_a_field() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| {
        let head =
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
        Reply::raw([head.as_slice(), &request.raw_body].concat())
    });
    let key = sample("ai_api_key").text();
    let chunks = [
        chunk("", &gzip(b"nothing of interest")),
        b"0\r\n".to_vec(),
        format!("X-Sum: 7\r\nX-Note: {key}\r\nX-Last: cat /etc/shadow\r\n\r\n").into_bytes(),
    ]
    .concat();
    let answer = proxy.exchange(upload(&origin.dest(), "Content-Encoding: gzip\r\n", &chunks));
    assert!(answer.raw_body == chunks && origin.requests()[0].raw_body == chunks);
    let patterns = ["ai_api_key", "unix_sensitive"];
    let expected = patterns.map(|pattern| ["inbound", "outbound"].map(|way| [pattern, way, ""]));
    assert_eq!(told(&proxy), expected.concat());
    // The fields are no rest of the coded body that could not be read.
    let counters = &proxy.status()["counters"];
    assert_eq!(counters["bodies_undecodable"], 0, "{counters}");
}

#[test]
fn a_field_behind_a_body_does_not_go_on_from_the_body_nor_from_another_field() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(echo);
    let [front, back] = sample("ai_api_key").harmless_parts();
    let chunks = [
        chunk("", format!("X-Note: {front}").as_bytes()),
        format!("0\r\n{}: {front}\r\n{}: x\r\n\r\n", &back[1..], back).into_bytes(),
    ]
    .concat();
    assert!(proxy.exchange(upload(&origin.dest(), "", &chunks)).raw_body == chunks);
    assert_eq!(told(&proxy), [[""; 3]; 0]);
}

#[test]
fn a_field_behind_a_body_has_its_place() {
    let origin = Origin::https(tls::server(Shown::Valid), echo);
    let expected = json!([{"host": "localhost", "header": "x-api-key", "rules": ["ai_api_key"]}]);
    let accepted = json!([{"reason": "r", "rule": "unix_*", "header": "x-note"}]);
    let setup = json!({ "expected_credentials": expected, "suppressions": accepted });
    let proxy = Proxy::start(setup);
    let key = sample("ai_api_key").text();
    for (field, severity) in [("X-Api-Key", "info"), ("X-Other", "critical")] {
        let mut client = proxy.https(&origin.local_dest());
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
             1\r\na\r\n0\r\nX-Note: /etc/shadow\r\n{field}: {key}\r\n\r\n"
        ));
        assert_eq!(client.receive_response().body, b"a");
        let is_it = |found: &Finding| found.direction == "outbound" && found.severity == severity;
        assert_eq!(proxy.wait_for_finding(is_it).pattern, "ai_api_key");
    }
    // The answers, too, name the sensitive file where that is accepted.
    assert!(proxy.settled_findings().iter().all(|found| found.pattern == "ai_api_key"));
}

#[test]
fn fields_behind_a_body_that_is_cut_off_in_them_are_told_of() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        connection.receive_to_end();
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    let text = sample("unix_sensitive").text();
    client.send(upload(&dest, "", format!("1\r\na\r\n0\r\nX-Note: {text} X\r\nX-L").as_bytes()));
    wait_until("it arrives", || origin.received().ends_with(b"X-L"));
    client.close();
    let found = proxy.wait_for_finding(|found| found.dest == dest);
    assert_eq!(found.pattern, "unix_sensitive");
}
