//! Labelled cases of others, over the wire: how many that should be told are told, and how many that should not.
//! Skips, and says so, where the folder with the cases is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use clawsec::scan::rules::{pack_names, shipped};
use data_encoding::BASE64;
use serde_json::Value;

use crate::support::{Connection, Finding, Origin, Proxy, json};

/// What must be told at least, and what may be told wrongly at most.
const CASES_TOLD_MIN: usize = 95;
const CASES_WRONG_MAX: usize = 3;
/// The same with personal data and account numbers looked for, too.
const CASES_TOLD_WITH_PII_MIN: usize = 101;

/// Each case has a port of its own, from here on, by which its findings are known.
const PORT: usize = 10_000;

pub(crate) fn corpora() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora")
}

/// Every case of agent-egress-bench: its name and its text.
fn cases() -> Option<Vec<(String, Value)>> {
    let folder = corpora().join("agent-egress-bench/cases");
    let mut cases = Vec::new();
    for category in fs::read_dir(folder).ok()? {
        for file in fs::read_dir(category.ok()?.path()).ok()? {
            let path = file.ok()?.path();
            let case = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            cases.push((path.file_stem().unwrap().to_string_lossy().into_owned(), case));
        }
    }
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    Some(cases)
}

/// One exchange: the request's head and body, and the answer's content type and body; or the request that
/// opens a WebSocket, and the frames that its client sends.
struct Exchange {
    request: String,
    answer: (&'static str, String),
    frames: Option<Vec<u8>>,
}

impl Exchange {
    fn new(request: String, content_type: &'static str, body: impl Into<String>) -> Exchange {
        Exchange { request, answer: (content_type, body.into()), frames: None }
    }
}

/// A case's frames as a client writes them.
fn frames(payload: &Value) -> Vec<u8> {
    const MASK: [u8; 4] = [0xa5, 0x5a, 0x3c, 0xc3];
    let mut out = Vec::new();
    for frame in payload["frames"].as_array().into_iter().flatten() {
        let text = frame["payload"].as_str().unwrap_or_default();
        let bytes = match frame["encoding"].as_str() {
            Some("base64") => BASE64.decode(text.as_bytes()).unwrap(),
            _ => text.as_bytes().to_vec(),
        };
        let opcode = match frame["opcode"].as_str().unwrap_or_default() {
            "continuation" => 0,
            "text" => 1,
            _ => 2,
        };
        let fin = if frame["fin"] == json!(false) { 0 } else { 0x80 };
        let rsv1 = if frame["rsv1"] == json!(true) { 0x40 } else { 0 };
        out.extend([fin | rsv1 | opcode, 0x80 | u8::try_from(bytes.len()).unwrap()]);
        assert!(bytes.len() < 126, "a length of one byte");
        out.extend(MASK);
        out.extend(bytes.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    }
    out
}

/// A URL's host and what follows it.
fn split_url(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.split_at(end)
}

/// The exchanges that a case stands for, at `port` of whatever host.
fn exchanges(case: &Value, port: usize) -> Vec<Exchange> {
    let payload = &case["payload"];
    let url = payload["url"].as_str().unwrap_or("http://agent.example/");
    let (host, rest) = split_url(url);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = match host.rsplit_once(':') {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let mut headers = format!("Host: {host}:{port}\r\n");
    for (name, value) in payload["headers"].as_object().into_iter().flatten() {
        headers.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap_or_default()));
    }
    let target = format!("http://{host}:{port}{slash}{}", rest.replace(' ', "%20"));
    let request = |content_type: &str, body: &str| {
        let length = body.len();
        format!(
            "POST {target} HTTP/1.1\r\n{headers}Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    match case["input_type"].as_str().unwrap_or_default() {
        "url" | "header" => {
            let request = format!("GET {target} HTTP/1.1\r\n{headers}\r\n");
            vec![Exchange::new(request, "text/plain", "ok")]
        }
        "request_body" => {
            let content_type = payload["content_type"].as_str().unwrap_or("text/plain");
            let body = payload["body"].as_str().unwrap_or_default();
            vec![Exchange::new(request(content_type, body), "text/plain", "ok")]
        }
        "response_content" => {
            let request = format!("GET {target} HTTP/1.1\r\n{headers}\r\n");
            let body = payload["response_body"].as_str().unwrap_or_default();
            vec![Exchange::new(request, "text/html", body)]
        }
        "mcp_tool_result" | "mcp_tool_definition" => messages(payload)
            .map(|message| {
                let request = request("application/json", "{}");
                Exchange::new(request, "application/json", message.to_string())
            })
            .collect(),
        "a2a_agent_card" => {
            let request = format!("GET {target} HTTP/1.1\r\n{headers}\r\n");
            vec![Exchange::new(request, "application/json", payload["agent_card"].to_string())]
        }
        "websocket_frame" => {
            let request = format!("GET {target} HTTP/1.1\r\n{headers}{UPGRADE}\r\n");
            let frames = Some(frames(payload));
            vec![Exchange { frames, ..Exchange::new(request, "text/plain", "") }]
        }
        _ => messages(payload)
            .map(|message| {
                let request = request("application/json", &message.to_string());
                Exchange::new(request, "text/plain", "ok")
            })
            .collect(),
    }
}

fn messages(payload: &Value) -> impl Iterator<Item = &Value> {
    payload["jsonrpc_messages"].as_array().into_iter().flatten()
}

/// What asks for a WebSocket, and what grants it (RFC 6455 §1.3).
const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
const UPGRADED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
     Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// An origin behind a proxy that answers for every host what is set, and opens every WebSocket.
fn everywhere(next: &Arc<Mutex<(&'static str, String)>>) -> Origin {
    let next = next.clone();
    Origin::raw(move |mut connection| {
        while let Some(request) = connection.try_receive_request() {
            if request.header("upgrade").is_some() {
                connection.send(UPGRADED);
                connection.receive_to_end();
                return connection.close();
            }
            let (content_type, body) = next.lock().unwrap().clone();
            let length = body.len();
            connection.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
            ));
        }
    })
}

/// Takes one exchange to its end.
fn carry_out(exchange: Exchange, proxy: &Proxy, client: &mut Connection, name: &str) {
    let Exchange { request, frames, .. } = exchange;
    let Some(frames) = frames else {
        client.send(request);
        return assert_eq!(client.receive_response().status(), 200, "{name}");
    };
    let mut client = proxy.connect();
    client.send(request);
    assert!(client.receive_head().start.starts_with("HTTP/1.1 101 "), "{name}");
    client.send(frames);
    client.finish_sending();
    client.receive_to_end();
}

/// How the cases came out.
#[derive(Default)]
struct Score {
    caught: usize,
    missed: Vec<String>,
    passed: usize,
    wrong: Vec<String>,
}

impl Score {
    fn add(&mut self, name: &str, should_be_told: bool, told: &[&Finding]) {
        match (should_be_told, told.is_empty()) {
            (true, false) => self.caught += 1,
            (true, true) => self.missed.push(name.to_owned()),
            (false, false) => self.wrong.push(format!("{name}: {told:?}")),
            (false, true) => self.passed += 1,
        }
    }

    fn print(&self, what: &str) {
        let (missed, wrong) = (self.missed.len(), self.wrong.len());
        println!("{what}: {} of {} told", self.caught, self.caught + missed);
        println!("  and {wrong} of {} wrongly", self.passed + wrong);
        println!("missed: {}\nwrong: {}", self.missed.join(" "), self.wrong.join("\n"));
    }
}

#[test]
fn agent_egress_bench_is_told_from_what_is_harmless() {
    let Some(cases) = cases() else {
        return eprintln!("skipped: no agent-egress-bench at {}", corpora().display());
    };
    let next = Arc::new(Mutex::new(("text/plain", String::new())));
    let origin = everywhere(&next);
    let packs: Vec<&str> = pack_names().collect();
    let upstream_proxy = format!("http://{}", origin.dest());
    let proxy = Proxy::start(json!({ "upstream_proxy": upstream_proxy, "rule_packs": packs }));
    let mut client = proxy.connect();
    for (number, (name, case)) in cases.iter().enumerate() {
        for exchange in exchanges(case, PORT + number) {
            next.lock().unwrap().clone_from(&exchange.answer);
            carry_out(exchange, &proxy, &mut client, name);
        }
    }
    let mut findings = proxy.settled_findings();
    findings.retain(|found| found.severity != "info");
    let pii = shipped(&["pii"]).unwrap();
    let is_pii = |found: &Finding| pii.iter().any(|rule| *rule.id == *found.pattern);
    let (mut with_pii, mut usual, mut sure) =
        (Score::default(), Score::default(), Score::default());
    for (number, (name, case)) in cases.iter().enumerate() {
        let should_be_told = case["expected_verdict"] == json!("block");
        let dest = format!(":{}", PORT + number);
        let mut told: Vec<&Finding> =
            findings.iter().filter(|found| found.dest.ends_with(&dest)).collect();
        with_pii.add(name, should_be_told, &told);
        told.retain(|found| !is_pii(found));
        usual.add(name, should_be_told, &told);
        told.retain(|found| found.confidence != "low");
        sure.add(name, should_be_told, &told);
    }
    sure.print("with more than low confidence");
    with_pii.print("with every pack");
    usual.print("with the packs that are on");
    assert!(usual.caught >= CASES_TOLD_MIN, "told {}", usual.caught);
    assert!(with_pii.caught >= CASES_TOLD_WITH_PII_MIN, "told {} with pii", with_pii.caught);
    assert!(usual.wrong.len() <= CASES_WRONG_MAX, "{:#?}", usual.wrong);
}
