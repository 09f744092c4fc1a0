//! What git pushes and fetches through the proxy, the real git at both ends: told, and passed so that git is content
//! with it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::run::run;
use crate::support::samples::sample;
use crate::support::{Finding, Proxy, Request, git_server, json};

/// git without this machine's settings, through the proxy.
fn git(proxy: &Proxy, at: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    git.env("GIT_TERMINAL_PROMPT", "0").env_remove("no_proxy").env_remove("NO_PROXY");
    git.args(["-c", "user.name=agent", "-c", "user.email=agent@example.com"]);
    git.args(["-c", &format!("http.proxy={}", proxy.url())]).args(arguments).current_dir(at);
    run(&mut git).expect_success(&format!("git {arguments:?}"));
}

/// A text that git deflates well, with a line of ours.
fn notes(line: &str) -> String {
    let sentence = |number| format!("{number}: a plain sentence of no interest.\n");
    let text = |range: std::ops::Range<u32>| range.map(sentence).collect::<String>();
    format!("{}{line}\n{}", text(0..300), text(300..900))
}

#[test]
fn secrets_in_what_git_pushes_and_clones_are_told() {
    if !git_server::is_installed() {
        eprintln!("skipped: there is no git http-backend on this machine");
        return;
    }
    let proxy = Proxy::start(json!({}));
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    git(&proxy, at, &["init", "--quiet", "--bare", "shared.git"]);
    git(&proxy, &at.join("shared.git"), &["config", "http.receivepack", "true"]);
    let server = git_server::origin(at, None);
    let url = server.url("/shared.git");
    git(&proxy, at, &["clone", "--quiet", &url, "one"]);
    let one = at.join("one");
    let push = |text: &str| {
        fs::write(one.join("notes.txt"), text).unwrap();
        git(&proxy, &one, &["add", "notes.txt"]);
        git(&proxy, &one, &["commit", "--quiet", "--message", "Go on"]);
        git(&proxy, &one, &["push", "--quiet", "origin", "HEAD:main"]);
    };
    push(&notes("the host has this"));
    assert!(proxy.settled_findings().is_empty());
    // A new file, and what is added to one that the other end has, which a delta says.
    let [whole, added] = ["unix_sensitive", "ai_api_key"].map(sample);
    fs::write(one.join("page.txt"), format!("see {} there", whole.text())).unwrap();
    git(&proxy, &one, &["add", "page.txt"]);
    push(&notes(&format!("token: {} is it", added.text())));
    git(&proxy, at, &["clone", "--quiet", "--branch", "main", &url, "two"]);
    // Without bands and sections, as the protocol once was.
    git(&proxy, at, &["-c", "protocol.version=0", "clone", "--quiet", "-b", "main", &url, "three"]);
    for copy in ["two", "three"] {
        let notes = |at: &str| fs::read(at.to_owned() + "/notes.txt").unwrap();
        let path = |name: &str| at.join(name).display().to_string();
        assert!(notes(&path(copy)) == notes(&path("one")), "{copy}");
    }
    let findings = proxy.settled_findings();
    for (direction, times) in [("outbound", 1), ("inbound", 2)] {
        for pattern in [whole.pattern, added.pattern] {
            let is_it = |found: &&Finding| found.direction == direction && found.pattern == pattern;
            assert_eq!(findings.iter().filter(is_it).count(), times, "{pattern}, {direction}");
        }
    }
    assert_eq!(findings.len(), 6, "{findings:?}");
    assert!(findings.iter().all(|found| found.view == "git"), "{findings:?}");
    assert_eq!(proxy.status()["counters"]["bodies_undecodable"], json!(0));
    let is_pushed = |request: &Request| request.target().contains("receive-pack");
    assert!(server.requests().iter().any(is_pushed));
}
