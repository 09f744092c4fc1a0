//! Every pattern, clear and inside TLS, both ways, in each part of a message.

use std::sync::{Arc, Mutex};

use crate::support::samples::sample;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, Origin, Proxy, Reply, SAMPLES, json};
use crate::{Row, assert_one_each};

/// What the origins answer next.
#[derive(Clone, Default)]
struct NextReply(Arc<Mutex<Vec<u8>>>);

impl NextReply {
    fn set(&self, reply: impl AsRef<[u8]>) {
        *self.0.lock().unwrap() = reply.as_ref().to_vec();
    }

    fn origin(&self) -> Origin {
        let next = self.clone();
        Origin::http(move |_| Reply::raw(&*next.0.lock().unwrap()))
    }

    fn tls_origin(&self) -> Origin {
        let next = self.clone();
        Origin::https(tls::server(Shown::Valid), move |_| Reply::raw(&*next.0.lock().unwrap()))
    }
}

const PLAIN_REPLY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// One kept connection through the proxy to an origin.
struct Way {
    client: Connection,
    protocol: &'static str,
    dest: String,
    /// What goes before the path in a request line.
    prefix: String,
}

impl Way {
    fn clear(proxy: &Proxy, origin: &Origin) -> Way {
        Way {
            client: proxy.connect(),
            protocol: "http",
            dest: origin.dest(),
            prefix: format!("http://{}", origin.dest()),
        }
    }

    fn encrypted(proxy: &Proxy, origin: &Origin) -> Way {
        Way {
            client: proxy.https(&origin.local_dest()),
            protocol: "https",
            dest: origin.local_dest(),
            prefix: String::new(),
        }
    }

    fn exchange(&mut self, path: &str, header: &str, body: &str) {
        let Way { prefix, dest, .. } = self;
        let length = body.len();
        self.client.send(format!(
            "POST {prefix}{path} HTTP/1.1\r\nHost: {dest}\r\nX-Note: {header}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        self.client.receive_response();
    }
}

#[test]
fn each_pattern_is_found_once_in_headers_and_bodies_both_ways_clear_and_in_tls() {
    let proxy = Proxy::start(json!({}));
    let next = NextReply::default();
    let (clear, encrypted) = (next.origin(), next.tls_origin());
    let mut ways = [Way::clear(&proxy, &clear), Way::encrypted(&proxy, &encrypted)];
    let mut rows = Vec::new();
    for way in &mut ways {
        for sample in &SAMPLES {
            for (direction, in_header) in
                [("outbound", true), ("outbound", false), ("inbound", true), ("inbound", false)]
            {
                let row = Row::new(rows.len(), sample, direction, (way.protocol, &way.dest));
                let text = row.text(sample);
                let (header, body) =
                    if in_header { (text.as_str(), "") } else { ("", text.as_str()) };
                if direction == "outbound" {
                    next.set(PLAIN_REPLY);
                    way.exchange("/", header, body);
                } else {
                    let length = body.len();
                    next.set(format!(
                        "HTTP/1.1 200 OK\r\nX-Note: {header}\r\nContent-Length: {length}\r\n\r\n{body}"
                    ));
                    way.exchange("/", "", "");
                }
                rows.push(row);
            }
        }
    }
    assert_eq!(rows.len(), 96);
    assert_one_each(&rows, &proxy.settled_findings());
}

#[test]
fn a_request_line_and_a_status_line_are_inspected() {
    let proxy = Proxy::start(json!({}));
    let next = NextReply::default();
    let (clear, encrypted) = (next.origin(), next.tls_origin());
    let mut ways = [Way::clear(&proxy, &clear), Way::encrypted(&proxy, &encrypted)];
    let mut rows = Vec::new();
    for way in &mut ways {
        for sample in &SAMPLES {
            let row = Row::new(rows.len(), sample, "inbound", (way.protocol, &way.dest));
            let text = row.text(sample);
            next.set(format!("HTTP/1.1 200 {text}\r\nContent-Length: 0\r\n\r\n"));
            way.exchange("/", "", "");
            rows.push(row);
        }
        next.set(PLAIN_REPLY);
        for pattern in
            ["ai_api_key", "aws_access_key", "ssh_key_file", "unix_sensitive", "dotenv_file"]
        {
            let sample = sample(pattern);
            let row = Row::new(rows.len(), sample, "outbound", (way.protocol, &way.dest));
            way.exchange(&format!("/{}?{}", row.tag, sample.text()), "", "");
            rows.push(row);
        }
    }
    assert_one_each(&rows, &proxy.settled_findings());
}

#[test]
fn the_second_request_and_answer_of_a_connection_are_inspected() {
    let proxy = Proxy::start(json!({}));
    let next = NextReply::default();
    let (clear, encrypted) = (next.origin(), next.tls_origin());
    let mut ways = [Way::clear(&proxy, &clear), Way::encrypted(&proxy, &encrypted)];
    let sample = sample("ai_api_key");
    let mut rows = Vec::new();
    for way in &mut ways {
        next.set(PLAIN_REPLY);
        way.exchange("/first", "clean", "clean");
        let row = Row::new(rows.len(), sample, "outbound", (way.protocol, &way.dest));
        way.exchange("/second", "clean", &row.text(sample));
        rows.push(row);
        let row = Row::new(rows.len(), sample, "inbound", (way.protocol, &way.dest));
        let text = row.text(sample);
        next.set(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len()));
        way.exchange("/third", "clean", "clean");
        rows.push(row);
    }
    assert_one_each(&rows, &proxy.settled_findings());
    assert_eq!((clear.connections(), encrypted.connections()), (1, 1));
}

#[test]
fn letter_case_does_not_hide_a_pattern_except_for_aws_ids() {
    let proxy = Proxy::start(json!({}));
    let next = NextReply::default();
    next.set(PLAIN_REPLY);
    let origin = next.origin();
    let mut way = Way::clear(&proxy, &origin);
    let mut rows = Vec::new();
    for sample in SAMPLES.iter().filter(|sample| sample.pattern != "ssh_pubkey") {
        let row = Row::new(rows.len(), sample, "outbound", (way.protocol, &way.dest));
        let upper = sample.text().to_uppercase();
        let text = if sample.pattern == "aws_access_key" { upper.to_lowercase() } else { upper };
        way.exchange("/", "", &format!("{} {text} end", row.tag));
        if sample.pattern != "aws_access_key" {
            rows.push(row);
        }
    }
    assert_one_each(&rows, &proxy.settled_findings());
}

#[test]
fn two_secrets_of_one_body_are_two_findings() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let mut way = Way::clear(&proxy, &origin);
    let key = sample("aws_access_key").text();
    let filler = "a plain sentence of no interest. ".repeat(8);
    way.exchange("/", "", &format!("first {key} {filler} second {key} {filler}"));
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].snippet.contains("first") && findings[1].snippet.contains("second"));
}

#[test]
fn six_benign_requests_give_no_finding() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("{\"status\":\"ok\"}"));
    let dest = origin.dest();
    let json_body = r#"{"model":"large","messages":[{"role":"user","content":"Hello"}]}"#;
    let length = json_body.len();
    let requests = [
        format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"),
        format!(
            "POST http://{dest}/v1/messages HTTP/1.1\r\nHost: {dest}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{json_body}"
        ),
        format!(
            "GET http://{dest}/api HTTP/1.1\r\nHost: {dest}\r\nAuthorization: Bearer sk-short\r\n\r\n"
        ),
        format!("GET http://{dest}/css/box-shadow.css HTTP/1.1\r\nHost: {dest}\r\n\r\n"),
        format!(
            "GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nUser-Agent: agent OpenSSL/1.1.1nc\r\n\r\n"
        ),
        format!("GET http://{dest}/item?action=remove HTTP/1.1\r\nHost: {dest}\r\n\r\n"),
    ];
    for request in &requests {
        assert_eq!(proxy.exchange(request).status(), 200, "{request}");
    }
    let findings = proxy.settled_findings();
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(origin.requests().len(), 6);
}
