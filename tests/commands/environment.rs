//! `env`: what it prints is understood by the shell that reads it.

use std::process::Command;

use serde_json::Value;

use crate::support::run::run;
use crate::support::{Origin, Proxy, Reply, Setup, json};

#[test]
fn a_shell_that_evaluates_it_is_inspected() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("hello"));
    let text = proxy.setup.run("env", &[]).expect_success("env").stdout;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("eval \"$1\"; curl -sS --max-time 30 \"$2\"; env").arg("sh");
    shell.arg(&text).arg(origin.url("/etc/passwd")).env("ALL_PROXY", "socks5://127.0.0.1:1");
    let outcome = run(&mut shell).expect_success("sh");
    assert!(outcome.stdout.starts_with("hello"), "{}", outcome.text());
    assert!(outcome.stdout.contains(&format!("HTTPS_PROXY={}\n", proxy.url())));
    assert!(!outcome.stdout.contains("ALL_PROXY"), "{}", outcome.stdout);
    proxy.wait_for_finding(|finding| finding.dest == origin.dest());
}

#[test]
fn it_survives_a_folder_with_an_odd_name() {
    let base = Setup::new(json!({}));
    let folder = base.directory().join("it's a \"folder\" $HOME");
    let proxy = Proxy::start(json!({"log_dir": folder}));
    let text = proxy.setup.run("env", &[]).expect_success("env").stdout;
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("eval \"$1\"; cat \"$SSL_CERT_FILE\"").arg("sh").arg(&text);
    let outcome = run(&mut shell).expect_success("sh");
    assert!(outcome.stdout.starts_with("-----BEGIN CERTIFICATE-----"), "{}", outcome.text());
}

#[test]
fn every_language_names_the_proxy() {
    let proxy = Proxy::start(json!({}));
    let url = proxy.url();
    for (shell, expected) in [
        ("sh", format!("export HTTP_PROXY='{url}'\n")),
        ("fish", format!("set -gx HTTP_PROXY '{url}';\n")),
        ("powershell", format!("$env:HTTP_PROXY = '{url}'\n")),
        ("docker", format!("HTTP_PROXY={url}\n")),
    ] {
        let outcome = proxy.setup.run("env", &["--shell", shell]).expect_success(shell);
        assert!(outcome.stdout.contains(&expected), "{shell}: {}", outcome.stdout);
    }
    let outcome = proxy.setup.run("env", &["--shell", "json"]).expect_success("json");
    let object: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(object["https_proxy"], url);
    assert_eq!(object["ALL_PROXY"], Value::Null);
}

#[test]
fn without_a_monitor_it_warns_and_without_a_ca_it_fails() {
    let setup = Setup::new(json!({"proxy_port": 18_123, "enable_mitm": false}));
    let outcome = setup.run("env", &[]).expect_success("env");
    assert!(outcome.stdout.contains("http://127.0.0.1:18123"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("does not run"), "{}", outcome.stderr);
    let setup = setup.with(json!({"enable_mitm": true}));
    let outcome = setup.run("env", &[]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("there is no CA yet"), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "", "nothing half for a shell to evaluate");
    let setup = setup.with(json!({"proxy_port": 0, "enable_mitm": false}));
    assert_eq!(setup.run("env", &[]).code, Some(1));
}
