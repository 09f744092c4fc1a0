//! The lines of `threats.jsonl` and what they never hold: whole secrets, repeats.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, SystemTime};

use crate::support::samples::sample;
use crate::support::{Origin, Proxy, Reply, SAMPLES, json};

fn post(proxy: &Proxy, origin: &Origin, body: &str) {
    let dest = origin.dest();
    let length = body.len();
    let response = proxy.exchange(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(response.status(), 200);
}

#[test]
fn a_line_has_the_eight_fields_in_the_order_and_types_of_the_original_and_ours_behind() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let before = SystemTime::now();
    post(&proxy, &origin, &format!("Authorization: Bearer {}", sample("ai_api_key").text()));
    let finding = proxy.wait_for_finding(|_| true);
    let line = proxy.threats_text();
    let shape = regex::Regex::new(concat!(
        r#"^\{"direction": "outbound", "protocol": "http", "threat_type": "EXFIL", "#,
        r#""pattern": "ai_api_key", "snippet": "[^"]+", "source": "127\.0\.0\.1", "#,
        r#""dest": "127\.0\.0\.1:\d+", "#,
        r#""timestamp": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", "#,
        r#""severity": "[a-z]+", "confidence": "[a-z]+", "fingerprint": "[0-9a-f]{16}"\}\n$"#,
    ));
    assert!(shape.unwrap().is_match(&line), "{line}");
    assert_eq!(finding.dest, origin.dest());
    let at: SystemTime = finding.timestamp.parse::<jiff::Timestamp>().unwrap().into();
    assert!(at >= before - Duration::from_secs(1) && at <= SystemTime::now(), "{line}");
    assert!(finding.snippet.starts_with("Authorization: Bearer sk-ant"), "{line}");
    assert!(finding.snippet.contains("..."), "{line}");
}

#[test]
fn each_line_is_one_valid_json_object_whatever_the_context_holds() {
    let proxy = Proxy::start(json!({}));
    let hostile: [&[u8]; 5] = [
        b"\"quoted\\\" and \\u0000 \x00\x01\x1b[31m\r\n\t ",
        b"\xff\xfe\xc3\x28 broken utf-8 \xf0\x9f",
        "\u{202e}right to left\u{2028}\u{2029}".as_bytes(),
        "emoji \u{1f600}\u{1f600}\u{1f600} ".as_bytes(),
        &[b'x'; 500],
    ];
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    for context in hostile {
        let text = sample("unix_sensitive").text();
        let body = [context, b" ", text.as_bytes(), b" ", context].concat();
        let head = format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        proxy.exchange([head.as_bytes(), &body].concat());
    }
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), hostile.len());
    for finding in findings {
        let snippet = &finding.snippet;
        assert!(snippet.contains("/etc/shadow"), "{snippet:?}");
        assert!(snippet.chars().count() <= 200, "{snippet:?}");
        assert!(!snippet.chars().any(char::is_control), "{snippet:?}");
    }
    let raw = fs::read(proxy.threats_path()).unwrap();
    assert!(String::from_utf8(raw).is_ok(), "the file is UTF-8");
}

#[test]
fn no_whole_secret_reaches_the_findings_or_the_log() {
    let proxy = Proxy::start(json!({ "log_level": "DEBUG" }));
    let secrets: Vec<String> =
        SAMPLES.iter().filter(|sample| sample.is_secret).map(|sample| sample.text()).collect();
    let reply = secrets.join(" and ");
    let origin =
        Origin::http(move |_| Reply::with("200 OK", &format!("X-Key: {reply}\r\n"), &reply));
    let dest = origin.dest();
    for secret in &secrets {
        let in_path = secret.replace(' ', "+");
        let body = format!("{{\"first\":\"{secret}\",\"second\":\"{}\"}}", secrets.join("\",\""));
        let length = body.len();
        proxy.exchange(format!(
            "POST http://{dest}/{in_path}?key={in_path} HTTP/1.1\r\nHost: {dest}\r\n\
             Authorization: Bearer {secret}\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
        // A message that is refused is not repeated in the log either.
        proxy.exchange(format!("GET http://{dest}/{in_path} HTTP/1.1\r\nX-Key : {secret}\r\n\r\n"));
    }
    let findings = proxy.settled_findings();
    let patterns: BTreeSet<_> = findings.iter().map(|finding| finding.pattern.as_str()).collect();
    assert!(patterns.len() >= secrets.len(), "{patterns:?}");
    for file in ["threats.jsonl", "clawsec.log", "../stderr", "../stdout"] {
        let text = fs::read_to_string(proxy.log_dir().join(file)).unwrap();
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{file} holds a secret");
            let line = text.lines().find(|line| line.contains(&secret[8..secret.len() - 2]));
            assert!(line.is_none(), "{file} holds most of a secret: {line:?}");
        }
    }
}

#[test]
fn a_key_is_masked_behind_its_head_and_a_path_is_shown() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    for sample in &SAMPLES {
        post(&proxy, &origin, &format!("before {} after", sample.text()));
    }
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), SAMPLES.len());
    for (finding, sample) in findings.iter().zip(&SAMPLES) {
        let (snippet, text) = (&finding.snippet, sample.text());
        assert!(snippet.starts_with("before "), "{finding:?}");
        assert!(snippet.contains(&text[..4]), "{finding:?}");
        if sample.is_secret {
            assert!(snippet.contains("..."), "{finding:?}");
            assert!(!snippet.contains(&text[text.len() / 2..]), "{finding:?}");
        } else {
            assert!(snippet.contains(&text), "{finding:?}");
        }
    }
}

#[test]
fn the_log_mirrors_each_finding() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    post(&proxy, &origin, &format!("read {}", sample("unix_sensitive").text()));
    let line = proxy.wait_for_log(&["EXFIL", "unix_sensitive", "/etc/shadow"]);
    let shape =
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[WARNING\] clawsec: \[HTTP/outbound\] EXFIL";
    assert!(regex::Regex::new(shape).unwrap().is_match(&line), "{line}");
}

#[test]
fn repeats_within_the_window_are_one_line_and_other_keys_are_their_own() {
    let proxy = Proxy::start(json!({ "dedup_window_secs": 3600 }));
    let (one, other) = (Origin::http(|_| Reply::ok("ok")), Origin::http(|_| Reply::ok("ok")));
    let echo = Origin::http(|request| Reply::ok(&request.body));
    for _ in 0..5 {
        post(&proxy, &one, &sample("unix_sensitive").text());
        post(&proxy, &one, &sample("destructive_rm").text());
        post(&proxy, &other, &sample("unix_sensitive").text());
        post(&proxy, &echo, &sample("unix_sensitive").text());
    }
    let findings = proxy.settled_findings();
    let keys: BTreeSet<_> = findings
        .iter()
        .map(|finding| (&finding.pattern, &finding.dest, &finding.direction))
        .collect();
    assert_eq!(keys.len(), 5, "{findings:?}");
    assert_eq!(findings.len(), 5, "{findings:?}");
}

#[test]
fn the_next_line_after_the_window_says_how_many_were_suppressed() {
    let proxy = Proxy::start(json!({ "dedup_window_secs": 1 }));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let text = sample("unix_sensitive").text();
    let mut sent = 0;
    // However slow the machine: what was sent is a line or is counted by the next line.
    let findings = crate::support::wait_for("a line that counts", || {
        post(&proxy, &origin, &text);
        sent += 1;
        let findings = proxy.settled_findings();
        findings.iter().any(|finding| finding.suppressed > 0).then_some(findings)
    });
    let suppressed: u64 = findings.iter().map(|finding| finding.suppressed).sum();
    assert_eq!(findings.len() as u64 + suppressed, sent, "{findings:?}");
    assert_eq!(findings[0].suppressed, 0);
    let status = proxy.status();
    assert!(status.to_string().contains("suppressed"), "{status}");
}

#[test]
fn the_source_is_the_client_in_both_directions() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(&request.body));
    post(&proxy, &origin, &sample("unix_sensitive").text());
    let findings = proxy.settled_findings();
    let directions: Vec<_> = findings.iter().map(|finding| finding.direction.as_str()).collect();
    assert_eq!(directions, ["outbound", "inbound"]);
    assert!(findings.iter().all(|finding| finding.source == "127.0.0.1"), "{findings:?}");
}
