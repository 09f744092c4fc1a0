//! HTTP libraries: what each client and the origin see must be the same directly and through the proxy.
//!
//! Every client does the same steps: keep-alive, HEAD, odd fields, 204, 404, a redirect, POST with a length and in
//! chunks, server-sent events of which each is held back until the one before was seen, 10 MiB both ways, and
//! 100-continue where it can. It prints what it got, step by step, and `done`.

use std::process::Command;

use super::support::run::{Outcome, run};
use super::support::samples::sample;
use super::{End, Route, Way, clients_dir, installed, succeed};

/// Connections to the origin that a proxied run may need beyond a direct one: where a client opens one for
/// each request the proxy needs fewer, and where it gives one up early ours may still be busy.
const MORE_CONNECTIONS: usize = 2;

/// What one run left.
struct Run {
    outcome: Outcome,
    seen: Vec<String>,
    connections: usize,
}

fn play(way: &Way, end: &End, route: Route, client: &impl Fn(&Way, Route) -> Command) -> Run {
    let before = end.stage.connections();
    let text = format!("note: {} was read", sample("unix_sensitive").text());
    let outcome = succeed(client(way, route).arg(&end.base).arg(&text));
    assert!(outcome.stdout.ends_with("done\n"), "{}", outcome.text());
    Run { outcome, seen: end.stage.take_seen(), connections: end.stage.connections() - before }
}

/// Plays all steps at both ends, twice, and compares.
fn exercise(client: impl Fn(&Way, Route) -> Command) {
    let way = Way::new();
    for end in way.ends() {
        let direct = play(&way, &end, Route::Direct, &client);
        let proxied = play(&way, &end, Route::Proxied, &client);
        assert_eq!(proxied.outcome.stdout, direct.outcome.stdout, "{}: what came back", end.base);
        assert_eq!(proxied.seen, direct.seen, "{}: what arrived", end.base);
        let (more, few) = (proxied.connections, direct.connections);
        assert!(more <= few + MORE_CONNECTIONS, "{}: {more} connections, direct {few}", end.base);
    }
    let findings = way.proxy.settled_findings();
    for end in way.ends() {
        let both = [("inbound", "unix_sensitive"), ("outbound", "unix_sensitive")];
        way.assert_found(&findings, &end, &both);
    }
    assert_eq!(findings.len(), 4, "{findings:?}");
}

fn python(script: &'static str) -> impl Fn(&Way, Route) -> Command {
    move |way, route| {
        let mut python = way.command(installed(".venv/bin/python"), route);
        // No __pycache__ among the sources.
        python.arg("-B").arg(clients_dir().join(script));
        python
    }
}

fn node(script: &'static str) -> impl Fn(&Way, Route) -> Command {
    installed("tests/clients/node_modules/undici");
    move |way, route| {
        let mut node = way.command("node", route);
        node.arg(clients_dir().join(script));
        node
    }
}

#[test]
fn python_requests() {
    exercise(python("requests_client.py"));
}

#[test]
fn python_httpx() {
    exercise(python("httpx_client.py"));
}

#[test]
fn python_aiohttp() {
    exercise(python("aiohttp_client.py"));
}

#[test]
fn python_urllib3() {
    exercise(python("urllib3_client.py"));
}

#[test]
fn node_fetch() {
    exercise(node("fetch_client.mjs"));
}

#[test]
fn node_undici_by_a_named_proxy() {
    exercise(node("undici_client.mjs"));
}

#[test]
fn node_http() {
    exercise(node("http_client.mjs"));
}

#[test]
fn java_http_client() {
    let mut modules = Command::new("java");
    let can_compile = modules
        .arg("--list-modules")
        .output()
        .is_ok_and(|modules| String::from_utf8_lossy(&modules.stdout).contains("jdk.compiler"));
    if !can_compile {
        eprintln!("skipped: there is no Java here that runs a source file");
        return;
    }
    // Compiled once: four runs of the source would compile it four times.
    let classes = tempfile::tempdir().unwrap();
    let mut javac = Command::new("javac");
    javac.arg("-d").arg(classes.path()).arg(clients_dir().join("JavaClient.java"));
    run(&mut javac).expect_success("javac");
    exercise(|way, route| {
        let mut java = way.command("java", route);
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]).arg(classes.path());
        java.arg("JavaClient");
        java
    });
}
