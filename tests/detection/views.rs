//! Every pattern in every encoding, both ways: found, told once, and the bytes unchanged.

use std::sync::{Arc, Mutex};

use crate::support::encodings::{ENCODINGS, Encoded};
use crate::support::{Origin, Proxy, Reply, SAMPLES, json};

/// What was sent, and what must be found in it.
struct Sent {
    what: String,
    pattern: &'static str,
    direction: &'static str,
    tag: String,
}

#[test]
fn each_pattern_is_found_in_each_encoding_once_and_nothing_is_changed() {
    let proxy = Proxy::start(json!({}));
    let next = Arc::new(Mutex::new(Encoded { headers: String::new(), body: b"ok".to_vec() }));
    let answers = next.clone();
    let origin = Origin::http(move |_| {
        let next = answers.lock().unwrap();
        Reply::with("200 OK", &next.headers, &next.body)
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    let mut sent = Vec::new();
    for (name, encode) in ENCODINGS {
        for sample in &SAMPLES {
            for direction in ["outbound", "inbound"] {
                let tag = format!("row{:04}", sent.len());
                let Encoded { headers, body } = encode(&format!("{tag} {} end", sample.text()));
                let plain = Encoded { headers: String::new(), body: b"ok".to_vec() };
                let (asked, answered) = match direction {
                    "outbound" => (Encoded { headers, body }, plain),
                    _ => (plain, Encoded { headers, body }),
                };
                let Encoded { headers, body } = &asked;
                let length = body.len();
                let answer = answered.body.clone();
                *next.lock().unwrap() = answered;
                let head = format!(
                    "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n{headers}Content-Length: {length}\r\n\r\n"
                );
                client.send([head.as_bytes(), body].concat());
                let what = format!("{name}, {}, {direction}", sample.pattern);
                assert_eq!(client.receive_response().body, answer, "{what}");
                assert_eq!(origin.requests().last().unwrap().body, asked.body, "{what}");
                sent.push(Sent { what, pattern: sample.pattern, direction, tag });
            }
        }
    }
    let findings = proxy.settled_findings();
    let mut wrong = Vec::new();
    for Sent { what, pattern, direction, tag } in &sent {
        let of_it: Vec<_> = findings.iter().filter(|found| found.snippet.contains(tag)).collect();
        let is_right = |found: &&&crate::Finding| {
            found.pattern == *pattern && found.direction == *direction && found.suppressed == 0
        };
        if of_it.len() != 1 || !of_it.iter().all(|found| is_right(&found)) {
            wrong.push(format!("{what}: {of_it:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), sent.len(), wrong.join("\n"));
    assert_eq!(findings.len(), sent.len(), "findings of nothing that was sent");
}
