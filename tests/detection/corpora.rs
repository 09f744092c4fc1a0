//! Labelled cases of others, over the wire: how many that should be told are told, and how many that should not.
//! Skips, and says so, where the folder with the cases is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::support::{Finding, Origin, Proxy, Reply, json};

/// What must be told at least, and what may be told wrongly at most.
const CASES_TOLD_MIN: usize = 83;
const CASES_WRONG_MAX: usize = 3;

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

/// One exchange: the request's head and body, and the answer's content type and body.
struct Exchange {
    request: String,
    answer: (&'static str, String),
}

/// A URL's host and what follows it.
fn split_url(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    rest.split_at(end)
}

/// The exchanges that a case stands for, at `port` of whatever host; none where it is not about HTTP.
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
    let ok = || ("text/plain", "ok".to_owned());
    match case["input_type"].as_str().unwrap_or_default() {
        "url" | "header" => {
            let request = format!("GET {target} HTTP/1.1\r\n{headers}\r\n");
            vec![Exchange { request, answer: ok() }]
        }
        "request_body" => {
            let content_type = payload["content_type"].as_str().unwrap_or("text/plain");
            let body = payload["body"].as_str().unwrap_or_default();
            vec![Exchange { request: request(content_type, body), answer: ok() }]
        }
        "response_content" => {
            let request = format!("GET {target} HTTP/1.1\r\n{headers}\r\n");
            let body = payload["response_body"].as_str().unwrap_or_default().to_owned();
            vec![Exchange { request, answer: ("text/html", body) }]
        }
        "mcp_tool_result" | "mcp_tool_definition" => messages(payload)
            .map(|message| Exchange {
                request: request("application/json", "{}"),
                answer: ("application/json", message.to_string()),
            })
            .collect(),
        "a2a_agent_card" => vec![Exchange {
            request: format!("GET {target} HTTP/1.1\r\n{headers}\r\n"),
            answer: ("application/json", payload["agent_card"].to_string()),
        }],
        "websocket_frame" => Vec::new(),
        _ => messages(payload)
            .map(|message| Exchange {
                request: request("application/json", &message.to_string()),
                answer: ok(),
            })
            .collect(),
    }
}

fn messages(payload: &Value) -> impl Iterator<Item = &Value> {
    payload["jsonrpc_messages"].as_array().into_iter().flatten()
}

/// An origin behind a proxy that answers for every host what is set.
fn everywhere(next: &Arc<Mutex<(&'static str, String)>>) -> Origin {
    let next = next.clone();
    Origin::http(move |_| {
        let (content_type, body) = next.lock().unwrap().clone();
        Reply::with("200 OK", &format!("Content-Type: {content_type}\r\n"), body)
    })
}

#[test]
fn agent_egress_bench_is_told_from_what_is_harmless() {
    let Some(cases) = cases() else {
        return eprintln!("skipped: no agent-egress-bench at {}", corpora().display());
    };
    let next = Arc::new(Mutex::new(("text/plain", String::new())));
    let origin = everywhere(&next);
    let proxy = Proxy::start(json!({ "upstream_proxy": format!("http://{}", origin.dest()) }));
    let mut client = proxy.connect();
    let mut tried = Vec::new();
    for (number, (name, case)) in cases.iter().enumerate() {
        let port = 10_000 + number;
        let exchanges = exchanges(case, port);
        if exchanges.is_empty() {
            continue;
        }
        for Exchange { request, answer } in exchanges {
            *next.lock().unwrap() = answer;
            client.send(request);
            assert_eq!(client.receive_response().status(), 200, "{name}");
        }
        tried.push((name, case["expected_verdict"] == json!("block"), format!(":{port}")));
    }
    let findings = proxy.settled_findings();
    let told = |port: &str| -> Vec<&Finding> {
        findings
            .iter()
            .filter(|found| found.dest.ends_with(port) && found.severity != "info")
            .collect()
    };
    let (mut caught, mut missed, mut wrong) = (0, Vec::new(), Vec::new());
    for (name, should_be_told, port) in &tried {
        let told = told(port);
        match (should_be_told, told.is_empty()) {
            (true, false) => caught += 1,
            (true, true) => missed.push(name.as_str()),
            (false, false) => wrong.push(format!("{name}: {told:?}")),
            (false, true) => {}
        }
    }
    println!(
        "{caught} of {} told, {} of {} wrongly\nmissed: {}\nwrong: {}",
        caught + missed.len(),
        wrong.len(),
        tried.len() - caught - missed.len(),
        missed.join(" "),
        wrong.join("\n")
    );
    assert!(caught >= CASES_TOLD_MIN, "told {caught}, at least {CASES_TOLD_MIN} expected");
    assert!(wrong.len() <= CASES_WRONG_MAX, "{wrong:#?}");
}
