//! Messages of gRPC and its kin: told of as each arrives, out of their coding, and passed unchanged.

use std::sync::mpsc;

use crate::support::encodings::{framed, gzip, protobuf};
use crate::support::samples::sample;
use crate::support::{Origin, Proxy, Reply, json, wait_until};

/// A text in which a key stands behind as many characters as make its string's length a digit.
fn key_behind_a_digit() -> String {
    let key = sample("ai_api_key").text();
    format!("{key}{}", &"EXAMPLEEXAMPLE"[..57 - key.len()])
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[test]
fn a_message_of_a_stream_is_told_of_when_it_arrives() {
    let proxy = Proxy::start(json!({}));
    let (parts, received) = mpsc::channel();
    let origin = Origin::stepped(received);
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc+proto\r\n\
                Grpc-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
    parts.send(head.into()).unwrap();
    parts.send(chunk(&framed(0, &protobuf("nothing of interest")))).unwrap();
    let message = framed(1, &gzip(&protobuf(&key_behind_a_digit())));
    let (front, back) = message.split_at(message.len() / 2);
    parts.send(chunk(front)).unwrap();
    parts.send(chunk(back)).unwrap();
    // The stream is still open.
    let found = proxy.wait_for_finding(|found| found.dest == dest);
    assert_eq!((found.pattern.as_str(), found.view.as_str()), ("ai_api_key", "grpc>gzip>protobuf"));
    parts.send(chunk(&framed(0, &protobuf("cat /etc/shadow")))).unwrap();
    proxy.wait_for_finding(|found| found.pattern == "unix_sensitive");
    parts.send(b"0\r\n\r\n".to_vec()).unwrap();
    drop(parts);
    assert_eq!(client.receive_response().status(), 200);
    assert_eq!(proxy.settled_findings().len(), 2);
}

#[test]
fn json_in_a_string_of_a_message_is_read_as_json() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let body = protobuf(r#"{"command": "cat \u002fetc\u002fshadow"}"#);
    let head = format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Type: application/proto\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    assert_eq!(proxy.exchange([head.as_bytes(), &body].concat()).status(), 200);
    let found = proxy.wait_for_finding(|_| true);
    assert_eq!((found.pattern.as_str(), found.view.as_str()), ("unix_sensitive", "protobuf>json"));
    assert_eq!(origin.requests()[0].body, body);
}

#[test]
fn a_message_in_an_unknown_coding_and_what_is_no_stream_are_counted() {
    let proxy = Proxy::start(json!({}));
    let bodies = [
        ("Grpc-Encoding: snappy\r\n", framed(1, b"0123456789"), 10),
        ("", b"cat /etc/shadow".to_vec(), 15),
    ];
    let mut undecoded = 0;
    for (field, body, count) in bodies {
        let headers = format!("Content-Type: application/grpc\r\n{field}");
        let sent = body.clone();
        let origin = Origin::http(move |_| Reply::with("200 OK", &headers, &sent));
        assert!(proxy.get(&origin.url("/")).body == body, "the answer is unchanged");
        undecoded += count;
        wait_until("the count", || {
            proxy.status()["counters"]["bytes_undecoded"] == json!(undecoded)
        });
    }
    assert_eq!(proxy.wait_for_finding(|_| true).pattern, "unix_sensitive");
}
