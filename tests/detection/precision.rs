//! What a match means where it stands: a provider's own key, accepted findings, and who is told.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::samples::sample;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, Finding, Origin, Proxy, Reply, Setup, json};

/// A key of the form of Anthropic's.
fn key(tail: &str) -> String {
    format!("sk-ant{}{tail}", "-api03-EXAMPLE0123456789abcdef")
}

/// A proxy for which every name leads to this origin. Its certificate is for another name.
struct World {
    proxy: Proxy,
    _parent: Origin,
    _origin: Origin,
}

impl World {
    fn new(keys: Value) -> World {
        World::among(keys, &[])
    }

    /// The same with variables in the monitor's environment.
    fn among(keys: Value, environment: &[(&str, &str)]) -> World {
        let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("ok"));
        let address = origin.address;
        let parent = Origin::raw(move |mut client| {
            if client.try_receive_request().is_some() {
                client.send("HTTP/1.1 200 OK\r\n\r\n");
                join(&client, &Connection::open(address));
            }
        });
        let upstream_proxy = format!("http://{}", parent.dest());
        let setup = Setup::new(json!({
            "upstream_proxy": upstream_proxy,
            "no_proxy": ["127.0.0.1"],
            "insecure_hosts": ["*.example", "*.anthropic.com", "*.mistral.ai", "gitlab.com", "webhook.site"],
        }));
        let add = |setup: Setup, (name, value): &(&str, &str)| setup.environment(name, *value);
        let setup = environment.iter().fold(setup.with(keys), add);
        World { proxy: setup.start(), _parent: parent, _origin: origin }
    }

    fn post(&self, host: &str, headers: &str, body: &str) {
        self.post_to(host, "/v1/messages", headers, body);
    }

    fn post_to(&self, host: &str, path: &str, headers: &str, body: &str) {
        let mut client = self.proxy.https(&format!("{host}:443"));
        let length = body.len();
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        ));
        assert_eq!(client.receive_response().status(), 200);
    }
}

/// Passes bytes both ways until both sides have ended.
fn join(client: &Connection, upstream: &Connection) {
    let copy = |from: &Connection, to: &Connection| {
        let (mut from, mut to) = (from.tcp().try_clone().unwrap(), to.tcp().try_clone().unwrap());
        move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        }
    };
    let back = std::thread::spawn(copy(upstream, client));
    copy(client, upstream)();
    back.join().unwrap();
}

fn severities(findings: &[Finding]) -> Vec<(&str, &str)> {
    findings.iter().map(|found| (found.dest.as_str(), found.severity.as_str())).collect()
}

/// The severities of what a command prints.
fn printed(setup: &Setup, arguments: &[&str]) -> Vec<String> {
    let outcome = setup.run("threats", &[&["--limit", "100"], arguments].concat());
    let threats: Vec<Value> =
        serde_json::from_str(&outcome.expect_success("threats").stdout).unwrap();
    let severity = |threat: &Value| threat["severity"].as_str().unwrap().to_owned();
    threats.iter().filter(|threat| threat["pattern"] == "ai_api_key").map(severity).collect()
}

/// A watched password was no alarm in the place of any provider's key.
#[test]
fn a_watched_value_is_no_alarm_only_where_it_is_that_providers_key() {
    let (key, password) = (key(""), "plain EXAMPLE pass phrase");
    // Of no form of its own: its name says whose it is.
    let mistral = ["EXAMPLE0", "a1b2c3d4", "e5f6g7h8", "Qw3rTy9Z"].concat();
    let environment =
        [("ANTHROPIC_KEY", &*key), ("DB_PASSWORD", password), ("MISTRAL_API_KEY", &*mistral)];
    let names = environment.map(|(name, _)| name);
    let world = World::among(json!({ "watch_env": names, "dedup_window_secs": 0 }), &environment);
    for (host, header, value, severity) in [
        ("api.anthropic.com", "X-Api-Key: ", &*key, "info"),
        ("api.anthropic.com", "X-Api-Key: ", password, "critical"),
        ("api.anthropic.com", "X-Api-Key: ", &*mistral, "critical"),
        ("api.mistral.ai", "Authorization: Bearer ", &*mistral, "info"),
        ("api.mistral.ai", "Authorization: Bearer ", password, "critical"),
        ("api.mistral.ai", "Authorization: Bearer ", &*key, "critical"),
        ("elsewhere.example", "Authorization: Bearer ", &*mistral, "critical"),
    ] {
        let before = world.proxy.settled_findings().len();
        world.post(host, &format!("{header}{value}\r\n"), "{}");
        let findings = world.proxy.settled_findings();
        let mut known = findings[before..].iter().filter(|found| found.pattern == "known_value");
        let told = known.next().map(|found| (found.dest.as_str(), found.severity.as_str()));
        assert_eq!(told, Some((&*format!("{host}:443"), severity)), "{findings:?}");
        assert!(known.next().is_none(), "{findings:?}");
    }
}

#[test]
fn a_providers_own_key_is_no_alarm_and_anywhere_else_it_is_critical() {
    let world = World::new(json!({}));
    let key = key("");
    let header = format!("X-Api-Key: {key}\r\n");
    world.post("api.anthropic.com", &header, "{}");
    world.post("api.anthropic.com", "", &format!("{{\"note\": \"{key}\"}}"));
    world.post("elsewhere.example", &header, "{}");
    let findings = world.proxy.settled_findings();
    let expected = [
        ("api.anthropic.com:443", "info"),
        ("api.anthropic.com:443", "critical"),
        ("elsewhere.example:443", "critical"),
    ];
    assert_eq!(severities(&findings), expected, "{findings:?}");
    assert_eq!(findings[0].fingerprint.as_deref().map(str::len), Some(16));
    assert!(findings.iter().all(|found| found.fingerprint == findings[0].fingerprint));

    let setup = &world.proxy.setup;
    assert_eq!(printed(setup, &[]), ["critical", "critical"]);
    assert_eq!(printed(setup, &["--all"]), ["critical", "critical", "info"]);
    assert_eq!(printed(setup, &["--severity", "info"]).len(), 3);
    assert_eq!(printed(setup, &["--severity", "critical"]).len(), 2);
    let stats = |arguments: &[&str]| {
        let outcome = setup.run("stats", &[&["--json"], arguments].concat());
        let stats: Value = serde_json::from_str(&outcome.expect_success("stats").stdout).unwrap();
        stats["patterns"]["ai_api_key"].as_u64()
    };
    assert_eq!((stats(&[]), stats(&["--all"])), (Some(2), Some(3)));
    let shown = |arguments: &[&str]| {
        let outcome = setup.run("status", &[&["--json"], arguments].concat());
        outcome.expect_success("status").stdout.matches("\"severity\": \"info\"").count()
    };
    assert_eq!((shown(&[]), shown(&["--all"])), (0, 1));
    let log = world.proxy.log();
    assert!(log.lines().any(|line| line.contains("[INFO]") && line.contains("EXFIL ai_api_key")));
}

#[test]
fn a_key_where_it_belongs_does_not_hold_back_the_alarm() {
    let world = World::new(json!({ "dedup_window_secs": 3600 }));
    let header = format!("Authorization: Bearer {}\r\n", key(""));
    for body in ["{}".to_owned(), "{}".to_owned(), key("")] {
        world.post("api.anthropic.com", &header, &body);
    }
    let findings = world.proxy.settled_findings();
    let expected = [("api.anthropic.com:443", "info"), ("api.anthropic.com:443", "critical")];
    assert_eq!(severities(&findings), expected);
}

/// Spellings of a key in which one reading shows it as it is.
fn spellings(key: &str) -> [String; 3] {
    let base64 = data_encoding::BASE64.encode(format!("user:{key}").as_bytes());
    [key.to_owned(), key.replace('-', "%2D"), base64]
}

#[test]
fn a_key_where_it_belongs_does_not_hide_the_same_key_elsewhere_in_the_head() {
    let key = key("");
    let own = format!("X-Api-Key: {key}\r\n");
    for spelling in spellings(&key) {
        let cookie = format!("Cookie: id={spelling}\r\n");
        let query = format!("/v1/messages?id={spelling}");
        for (path, headers) in [
            ("/v1/messages", format!("{own}{cookie}")),
            ("/v1/messages", format!("{cookie}{own}")),
            (&*query, own.clone()),
        ] {
            let world = World::new(json!({}));
            world.post_to("api.anthropic.com", path, &headers, "{}");
            let findings = world.proxy.settled_findings();
            let mut severities: Vec<_> = findings.iter().map(|found| &*found.severity).collect();
            severities.sort_unstable();
            assert_eq!(severities, ["critical", "info"], "{path} {headers}: {findings:?}");
        }
    }
}

#[test]
fn a_key_that_several_readings_of_a_field_show_is_told_once() {
    let key = key("");
    let padding = "%41".repeat(20);
    for spelling in spellings(&key) {
        let path = format!("/v1/messages?a={padding}&id={spelling}&b={padding}");
        let cookie = format!("Cookie: a={padding}; id={spelling}; b={padding}\r\n");
        for (path, headers) in [(&*path, ""), ("/v1/messages", &*cookie)] {
            let world = World::new(json!({}));
            world.post_to("api.anthropic.com", path, headers, "{}");
            let findings = world.proxy.settled_findings();
            assert_eq!(findings.len(), 1, "{path} {headers}: {findings:?}");
            assert_eq!(findings[0].severity, "critical");
        }
    }
}

#[test]
fn a_host_and_a_path_are_read_together_where_the_target_is_a_path() {
    let world = World::new(json!({}));
    let path = "/01234567-89ab-4cde-8f01-23456789abcd";
    world.post_to("webhook.site", path, "", "x");
    world.post_to("elsewhere.example", path, "", "x");
    // In clear, too, where the request names its destination in the Host field only.
    let mut client = world.proxy.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: webhook.site\r\n\r\n"));
    let findings = world.proxy.settled_findings();
    let told: Vec<_> = findings.iter().map(|found| (&*found.pattern, &*found.dest)).collect();
    let expected =
        [("c2_webhook_site", "webhook.site:443"), ("c2_webhook_site", "webhook.site:80")];
    assert_eq!(told, expected, "{findings:?}");
    assert!(findings[0].snippet.contains("POST https://webhook.site/"), "{findings:?}");
}

#[test]
fn a_password_of_basic_credentials_stands_in_its_header_wherever_that_begins() {
    let world = World::new(json!({}));
    let token = format!("glpat{}", "-EXAMPLEexample012345");
    let credentials = data_encoding::BASE64.encode(format!("oauth2:{token}").as_bytes());
    let header = format!("Authorization: Basic {credentials}\r\n");
    for length in 1..=17 {
        world.post_to("gitlab.com", &format!("/{}", "p".repeat(length)), &header, "");
    }
    world.post_to("elsewhere.example", "/", &header, "");
    let findings = world.proxy.settled_findings();
    let count = |severity: &str| findings.iter().filter(|one| one.severity == severity).count();
    assert!(findings.iter().all(|one| one.severity == "info" || one.dest.starts_with("else")));
    assert!(count("info") >= 1 && count("critical") == 1, "{findings:?}");
}

#[test]
fn a_second_key_shows_when_fingerprints_count() {
    for (dedup_by, count) in [("pattern", 1), ("fingerprint", 2)] {
        let proxy = Proxy::start(json!({ "dedup_by": dedup_by, "dedup_window_secs": 3600 }));
        let origin = Origin::http(|_| Reply::ok("ok"));
        for tail in ["a", "b", "a", "b"] {
            post(&proxy, &origin, "/", "", &key(tail));
        }
        let findings = proxy.settled_findings();
        assert_eq!(findings.len(), count, "{dedup_by}: {findings:?}");
    }
}

#[test]
fn places_of_ones_own_are_added_or_replace_the_table() {
    let entry = json!({"host": "127.0.0.1", "header": "x-own", "rules": ["ai_*"]});
    let replaced = json!({"replace": true, "entries": [{"host": "a.example", "query": "k"}]});
    for (expected, is_info) in [(json!([entry]), true), (replaced, false)] {
        let proxy = Proxy::start(json!({ "expected_credentials": expected }));
        let origin = Origin::http(|_| Reply::ok("ok"));
        post(&proxy, &origin, "/", &format!("X-Own: {}\r\n", key("")), "");
        let findings = proxy.settled_findings();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity == "info", is_info, "{expected}");
    }
}

#[test]
fn the_place_that_the_documents_show_is_one() {
    let document = include_str!("../../docs/findings.md");
    let line =
        document.lines().find(|line| line.starts_with("\"expected_credentials\": ")).unwrap();
    let line = line.replace("llm.corp.example", "127.0.0.1");
    let settings: serde_json::Value = serde_json::from_str(&format!("{{{line}}}")).unwrap();
    let entry = &settings["expected_credentials"][0];
    let (field, own) = (entry["header"].as_str().unwrap(), entry["keys"][0].as_str().unwrap());
    let tail = "api03-EXAMPLEexample0123456789";
    let anothers = format!("sk-{}", "proj-EXAMPLEexample0123456789");
    for (key, severity) in [(own.replace('*', tail), "info"), (anothers, "critical")] {
        let proxy = Proxy::start(settings.clone());
        let origin = Origin::http(|_| Reply::ok("ok"));
        post(&proxy, &origin, "/", &format!("{field}: {key}\r\n"), "");
        let findings = proxy.settled_findings();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((&*findings[0].pattern, &*findings[0].severity), ("ai_api_key", severity));
    }
}

fn post(proxy: &Proxy, origin: &Origin, path: &str, headers: &str, body: &str) {
    let (dest, length) = (origin.dest(), body.len());
    let response = proxy.exchange(format!(
        "POST http://{dest}{path} HTTP/1.1\r\nHost: {dest}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ));
    assert_eq!(response.status(), 200);
}

#[test]
fn what_is_accepted_is_counted_and_not_written() {
    let (one, other) = (Origin::http(|_| Reply::ok("ok")), Origin::http(|_| Reply::ok("ok")));
    let proxy = Proxy::start(json!({ "suppressions": [
        {"reason": "r", "rule": "unix_*", "path": "/accepted/*"},
        {"reason": "r", "rule": "dotenv_file", "header": "x-note"},
        {"reason": "r", "rule": "shell_exec", "dest": one.dest()},
        {"reason": "r", "rule": "destructive_rm", "source": "127.0.0.0/8"},
        {"reason": "r", "rule": "reverse_shell", "source": "192.0.2.0/24"},
        {"reason": "over", "rule": "pipe_to_shell", "expires": "2020-02-02"},
        {"reason": "r", "rule": "ssh_key_file", "expires": "2999-02-02"},
    ]}));
    let text = |pattern: &str| sample(pattern).text();
    post(&proxy, &one, "/accepted/x?y", "", &text("unix_sensitive"));
    post(&proxy, &one, "/other/x", "", &text("unix_sensitive"));
    post(&proxy, &one, "/", &format!("X-Note: {}\r\n", text("dotenv_file")), "");
    post(&proxy, &one, "/", "", &text("dotenv_file"));
    post(&proxy, &one, "/", "", &text("shell_exec"));
    post(&proxy, &other, "/", "", &text("shell_exec"));
    post(&proxy, &one, "/", "", &text("destructive_rm"));
    post(&proxy, &one, "/", "", &text("reverse_shell"));
    post(&proxy, &one, "/", "", &text("pipe_to_shell"));
    post(&proxy, &one, "/", "", &text("ssh_key_file"));
    let findings = proxy.settled_findings();
    let patterns: Vec<&str> = findings.iter().map(|found| found.pattern.as_str()).collect();
    let expected =
        ["unix_sensitive", "dotenv_file", "shell_exec", "reverse_shell", "pipe_to_shell"];
    assert_eq!(patterns, expected);
    assert_eq!(findings[2].dest, other.dest());
    let counted = || proxy.status()["counters"]["suppressions_applied"] == json!(5);
    crate::support::wait_until("the count in monitor.json", counted);
    proxy.wait_for_log(&["WARNING", "suppressions[5] (over) expired 2020-02-02"]);
    assert!(!proxy.log().contains("suppressions[6]"));
}

#[test]
fn one_secret_is_accepted_by_its_fingerprint_also_after_a_restart() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    post(&proxy, &origin, "/", "", &key("a"));
    let known = proxy.wait_for_finding(|_| true).fingerprint;
    let path = proxy.log_dir().join("fingerprint.key");
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (32, 0o600));
    let setup = proxy.stop();
    std::fs::remove_file(setup.log_dir().join("threats.jsonl")).unwrap();
    let suppressions = json!([{"reason": "a key of the tests", "fingerprint": known}]);
    let proxy = setup.with(json!({ "suppressions": suppressions })).start();
    for tail in ["a", "b"] {
        post(&proxy, &origin, "/", "", &format!("{} ", key(tail)));
    }
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_ne!(findings[0].fingerprint, known);
}

#[test]
fn a_wrong_suppression_is_refused_with_its_place() {
    let setup =
        Setup::new(json!({ "suppressions": [{"reason": "r", "rule": "x"}, {"rule": "x"}] }));
    let refused = setup.start_refused();
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("suppressions[1]"), "{}", refused.stderr);
}
