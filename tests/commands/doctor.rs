//! `doctor`: says that all is well when it is, and which point is ill when one is.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::run::{Outcome, run};
use crate::support::{Proxy, Setup, json};

fn points(outcome: &Outcome) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let text = |point: &Value, name: &str| point[name].as_str().unwrap().to_owned();
    let points = report["points"].as_array().unwrap();
    points.iter().map(|point| (text(point, "name"), text(point, "health"))).collect()
}

fn health(outcome: &Outcome, name: &str) -> String {
    let points = points(outcome);
    let found = points.iter().find(|(point, _)| point == name);
    found.unwrap_or_else(|| panic!("{name}: {}", outcome.text())).1.clone()
}

#[test]
fn a_monitor_that_works_is_said_to_and_its_detection_is_shown() {
    let proxy = Proxy::start(json!({}));
    let outcome = proxy.setup.run("doctor", &["--json"]).expect_success("doctor");
    for name in ["monitor", "machine", "listener", "log", "CA", "request", "detection", "HTTPS"] {
        assert_eq!(health(&outcome, name), "ok", "{name}: {}", outcome.stdout);
    }
    assert_eq!(health(&outcome, "proxy vars"), "note", "this shell may do without");
    proxy.wait_for_finding(|finding| finding.pattern == "aws_access_key");
    let text = proxy.setup.run("doctor", &[]).expect_success("doctor");
    assert!(text.stdout.ends_with("OK: ClawSec works.\n"), "{}", text.stdout);
}

#[test]
fn what_it_does_under_run_is_well_in_every_point() {
    let proxy = Proxy::start(json!({}));
    let config = proxy.setup.config_file().display().to_string();
    let arguments =
        ["--quiet", "--", crate::support::proxy::BINARY, "doctor", "--json", "--config", &config];
    let outcome = proxy.setup.run("run", &arguments).expect_success("doctor");
    for name in ["proxy vars", "CA vars"] {
        assert_eq!(health(&outcome, name), "ok", "{}", outcome.stdout);
    }
}

#[test]
fn a_monitor_that_does_not_run_is_ill_and_the_rest_unknown() {
    let setup = Setup::new(json!({}));
    let outcome = setup.run("doctor", &["--json"]);
    assert_eq!(outcome.code, Some(1));
    for (name, expected) in
        [("monitor", "fail"), ("listener", "unknown"), ("CA", "fail"), ("request", "unknown")]
    {
        assert_eq!(health(&outcome, name), expected, "{name}: {}", outcome.stdout);
    }
    let text = setup.run("doctor", &[]);
    assert_eq!(text.code, Some(1));
    assert!(text.stdout.contains("▶ clawsec start"), "{}", text.stdout);
}

/// It said only that no monitor runs, and to start one, which could not.
#[test]
fn a_machine_on_which_no_monitor_can_run_is_said_with_what_to_do() {
    let setup = Setup::new(json!({}));
    let doctor = setup.command("doctor", &["--json"]);
    for (limits, expected, remedy) in [
        ("true", "ok", ""),
        ("ulimit -l 8", "fail", "--ulimit memlock"),
        ("ulimit -n 64", "note", "--ulimit nofile"),
    ] {
        let mut limited = Command::new("sh");
        limited.arg("-c").arg(format!("{limits} && exec \"$0\" \"$@\"")).env_clear();
        limited.arg(doctor.get_program()).args(doctor.get_args());
        limited.envs(doctor.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let outcome = run(&mut limited);
        assert_eq!(health(&outcome, "machine"), expected, "{limits}: {}", outcome.text());
        assert!(outcome.stdout.contains(remedy), "{limits}: {}", outcome.stdout);
    }
}

#[test]
fn a_running_monitor_that_may_open_few_files_is_told_of() {
    let proxy = Proxy::start(json!({}));
    let pid = rustix::process::Pid::from_raw(i32::try_from(proxy.pid()).unwrap());
    let few = rustix::process::Rlimit { current: Some(256), maximum: Some(256) };
    rustix::process::prlimit(pid, rustix::process::Resource::Nofile, few).unwrap();
    let outcome = proxy.setup.run("doctor", &["--json"]).expect_success("doctor");
    assert_eq!(health(&outcome, "machine"), "note", "{}", outcome.stdout);
    assert!(outcome.stdout.contains("the monitor may open 256 files"), "{}", outcome.stdout);
}

#[test]
fn variables_that_lead_astray_are_named() {
    let proxy = Proxy::start(json!({}));
    let url = proxy.url();
    for (name, value, point) in [
        ("HTTPS_PROXY", "http://other.example:3128", "proxy vars"),
        ("NO_PROXY", "*", "exceptions"),
        ("SSL_CERT_FILE", "/nonexistent/roots.pem", "CA vars"),
    ] {
        let mut command = proxy.setup.command("doctor", &["--json"]);
        // Roots matter to a shell that uses the proxy.
        let outcome = run(command.env("HTTP_PROXY", &url).env(name, value));
        assert_eq!(outcome.code, Some(1), "{name}: {}", outcome.text());
        assert_eq!(health(&outcome, point), "fail", "{name}: {}", outcome.stdout);
        assert!(outcome.stdout.contains(name), "{}", outcome.stdout);
    }
}

#[test]
fn a_key_that_nobody_looks_for_or_that_is_accepted_is_no_illness() {
    let suppressions = json!([{"reason": "our own probes", "rule": "aws_access_key"}]);
    for (setting, words) in [
        (json!({"disable": ["aws_access_key"]}), "aws_access_key is off"),
        (json!({"suppressions": suppressions}), "our own probes"),
    ] {
        let proxy = Proxy::start(setting);
        let outcome = proxy.setup.run("doctor", &["--json"]).expect_success("doctor");
        assert_eq!(health(&outcome, "detection"), "note", "{}", outcome.stdout);
        assert!(outcome.stdout.contains(words), "{}", outcome.stdout);
    }
}

#[test]
fn another_process_is_examined_by_its_pid() {
    let proxy = Proxy::start(json!({}));
    let agent = |url: Option<&str>| {
        let mut agent = Command::new("sleep");
        agent.arg("60").env_clear().stdin(Stdio::null());
        for name in ["http", "https", "ws", "wss"].map(|scheme| format!("{scheme}_proxy")) {
            agent.envs(url.map(|url| (name.to_uppercase(), url)));
            agent.envs(url.map(|url| (name, url)));
        }
        agent.env("NODE_EXTRA_CA_CERTS", proxy.ca_path()).spawn().unwrap()
    };
    for (url, code, expected) in [(None, 1, "fail"), (Some(proxy.url()), 0, "ok")] {
        let mut agent = agent(url.as_deref());
        let outcome = proxy.setup.run("doctor", &["--json", "--pid", &agent.id().to_string()]);
        agent.kill().unwrap();
        agent.wait().unwrap();
        assert_eq!(outcome.code, Some(code), "{}", outcome.text());
        assert_eq!(health(&outcome, "proxy vars"), expected, "{}", outcome.stdout);
        assert_eq!(health(&outcome, "CA vars"), "ok", "{}", outcome.stdout);
    }
    let gone = proxy.setup.run("doctor", &["--pid", "4294967295"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("4294967295"), "{}", gone.stderr);
}

/// It was said that there is no CA yet, and that the first start makes it.
#[test]
fn a_certificate_that_was_removed_under_a_running_monitor_is_said_to_be_gone() {
    let proxy = Proxy::start(json!({}));
    std::fs::remove_file(proxy.ca_path()).unwrap();
    let words = |parts: &[&str]| {
        let outcome = proxy.setup.run("doctor", &[]);
        assert_eq!(outcome.code, Some(1));
        assert!(parts.iter().all(|part| outcome.stdout.contains(part)), "{}", outcome.stdout);
        assert!(!outcome.stdout.contains("there is no CA yet"), "{}", outcome.stdout);
    };
    let shown = proxy.status()["ca_sha256"].as_str().unwrap().to_owned();
    let gone = ["ca.crt is gone", "in memory", &shown, "clawsec stop --config"];
    words(&[&gone[..], &["put it back", "for the same key"]].concat());
    std::fs::remove_file(proxy.log_dir().join("ca.key")).unwrap();
    words(&[&gone[..], &["makes another CA"]].concat());
}

/// A tunnel that is wanted unread was told as a CA that had changed, after a time that ran out.
#[test]
fn a_host_that_is_passed_through_is_no_fault_of_the_ca() {
    let proxy = Proxy::start(json!({ "passthrough_hosts": ["127.0.0.*"] }));
    let outcome = proxy.setup.run("doctor", &["--json"]);
    assert_eq!(health(&outcome, "HTTPS"), "note", "{}", outcome.stdout);
    assert!(outcome.stdout.contains("passthrough_hosts"), "{}", outcome.stdout);
}

#[test]
fn a_process_that_is_not_there_is_said_so() {
    let setup = Setup::new(json!({}));
    // Above the highest that the kernel gives out.
    let outcome = setup.run("doctor", &["--pid", "4194305"]);
    assert!(outcome.stderr.contains("there is no process with PID 4194305"), "{}", outcome.text());
}

#[test]
fn a_ca_that_was_changed_under_a_running_monitor_is_noticed() {
    let proxy = Proxy::start(json!({}));
    let mut rotate = crate::support::proxy::clean_command();
    rotate.args(["ca", "rotate", "--overlap-days", "0", "--config"]).arg(proxy.setup.config_file());
    run(&mut rotate).expect_success("rotate");
    let outcome = proxy.setup.run("doctor", &["--json"]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(health(&outcome, "HTTPS"), "fail", "{}", outcome.stdout);
}
