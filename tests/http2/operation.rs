//! What operators set, for streams as for other requests: users, places of keys, a proxy behind this one, hosts that
//! nobody reads; and a monitor that is told of a new configuration, or to end, while streams are under way.

use std::fs;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use super::curl::curl;
use super::programs::{Program, Speaks};
use super::support::proxy::clean_command;
use super::support::run::run_with_input;
use super::support::samples::sample;
use super::support::{json, wait_until};
use super::{Route, Way, expected, found, succeed, text};

const SECRET: &str = "an-invented-secret";

#[test]
fn the_user_is_the_agent_of_every_stream() {
    let hashed = run_with_input(clean_command().arg("hash-secret"), &format!("{SECRET}\n"));
    let hashed = hashed.expect_success("hash-secret").stdout;
    let way = Way::with(json!({ "proxy_auth": { "coder": hashed.trim_end() } }));
    let origin = Program::node(Speaks::Clear);
    let url = format!("{}/echo", origin.base());
    let mut curl = curl(&way, Route::Proxied);
    curl.args(["--http2-prior-knowledge", "--proxytunnel"]);
    curl.args(["--proxy-user", &format!("coder:{SECRET}"), "--data-binary", &text()]);
    assert_eq!(succeed(curl.arg(&url)).stdout, text());
    wait_until("the findings", || way.proxy.findings().len() == 2);
    for finding in way.proxy.findings() {
        assert_eq!(finding.agent.as_deref(), Some("coder"), "{finding:?}");
    }
}

#[test]
fn a_key_where_it_belongs_is_no_alarm_in_a_stream() {
    let place = json!([{ "host": "localhost", "header": "x-api-key", "rules": ["ai_api_key"] }]);
    let way = Way::with(json!({ "expected_credentials": place }));
    let origin = Program::node(Speaks::Http2);
    let mut client = way.client("client.mjs", Route::Proxied, &origin.base(), &["key"]);
    succeed(client.env("TEXT", sample("ai_api_key").text()));
    let mut told: Vec<_> = way
        .proxy
        .settled_findings()
        .into_iter()
        .map(|found| (found.direction, found.pattern, found.severity))
        .collect();
    told.sort_unstable();
    let expected = [("inbound", "critical"), ("outbound", "critical"), ("outbound", "info")];
    let expected = expected.map(|(direction, severity)| {
        (direction.to_owned(), "ai_api_key".to_owned(), severity.to_owned())
    });
    assert_eq!(told, expected);
}

#[test]
fn streams_pass_a_proxy_behind_this_one() {
    // The one in front offers HTTP/1.1 as well, and so gets that of the one behind.
    for speaks in [Speaks::Both, Speaks::Http1, Speaks::Clear] {
        let origin = Program::node(speaks);
        let behind = Way::new();
        let way = Way::with(json!({
            "upstream_proxy": behind.proxy.url(),
            "upstream_ca_file": behind.proxy.ca_path(),
        }));
        let steps = ["plain", "post", "trailers", "events", "turns", "together"];
        way.play("client.mjs", Route::Proxied, &origin.base(), &steps);
        for way in [way, behind] {
            let both = [("outbound", ""), ("inbound", "")];
            way.proxy.wait_for_finding(|finding| finding.direction == "inbound");
            assert_eq!(found(&way.proxy.findings(), &origin), expected(&both));
        }
    }
}

#[test]
fn hosts_that_nobody_reads_agree_by_themselves() {
    let way = Way::with(json!({ "passthrough_hosts": ["localhost"] }));
    let origin = Program::node(Speaks::Http2);
    let mut client = way.client("client.mjs", Route::Proxied, &origin.base(), &["plain", "post"]);
    // Its certificate is the origin's own.
    let roots = way.proxy.setup.directory().join("upstream-roots.pem");
    succeed(client.env("NODE_EXTRA_CA_CERTS", roots));
    assert!(way.proxy.settled_findings().is_empty());
}

/// A client in whose way nobody stands until the origin is told that its events were seen.
fn begin(way: &Way, origin: &Program, step: &str) -> Child {
    let mut client = way.client("client.mjs", Route::Proxied, &origin.base(), &[step]);
    let client = client.stdout(Stdio::piped()).spawn().unwrap();
    origin.wait_for_line(&format!("request GET /events/{step} 2.0"));
    client
}

fn let_go(way: &Way, origin: &Program, client: Child, step: &str) -> String {
    for number in 0..3 {
        let mut curl = curl(way, Route::Direct);
        curl.args(["--http2-prior-knowledge", &format!("{}/seen/{step}/{number}", origin.base())]);
        assert_eq!(succeed(&mut curl).stdout, "noted");
    }
    let ended = client.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{shown}");
    let events = "\"data: 0\\n\\ndata: 1\\n\\ndata: 2\\n\\n\"";
    assert!(shown.contains(&format!("{step} {events}\n")), "{shown}");
    shown
}

#[test]
fn a_monitor_that_ends_lets_streams_end() {
    let mut way = Way::with(json!({ "shutdown_timeout_secs": 60 }));
    let origin = Program::node(Speaks::Clear);
    let client = begin(&way, &origin, "last");
    way.proxy.signal(Signal::TERM);
    way.proxy.wait_for_log(&["Shutting down"]);
    let_go(&way, &origin, client, "last");
    assert_eq!(way.proxy.wait_exit(), Some(0));
}

#[test]
fn a_new_configuration_is_in_force_for_the_next_stream() {
    let way = Way::new();
    let origin = Program::node(Speaks::Clear);
    let client = begin(&way, &origin, "around");
    let path = way.proxy.setup.config_file();
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["suppressions"] = json!([{ "reason": "a test's", "path": "/echo/*" }]);
    fs::write(&path, config.to_string()).unwrap();
    let mut reload = clean_command();
    succeed(reload.arg("reload").arg("--config").arg(&path));
    let_go(&way, &origin, client, "around");
    // What the origin says may come a moment behind its answers.
    let arrived = || origin.lines().iter().filter(|line| line.starts_with("request ")).count();
    wait_until("six requests", || arrived() == 6);
    let both = [("outbound", ""), ("inbound", "")];
    assert_eq!(found(&way.proxy.settled_findings(), &origin), expected(&both));
    wait_until("the counter", || {
        way.proxy.status()["counters"]["suppressions_applied"] == json!(2)
    });
}
