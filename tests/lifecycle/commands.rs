//! `stop`, `status`, `threats`: what they print and how they exit.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::cause_finding;
use crate::support::proxy::clean_command;
use crate::support::run::run;
use crate::support::{Origin, Proxy, Reply, Setup, json};

#[test]
fn stop_ends_the_monitor_without_escalation() {
    let mut proxy = Proxy::start(json!({}));
    let stopped = proxy.setup.run("stop", &[]).expect_success("stop");
    assert!(stopped.text().contains(&proxy.pid().to_string()), "{}", stopped.text());
    assert!(!stopped.text().contains("KILL"), "{}", stopped.text());
    assert_eq!(proxy.wait_exit(), Some(0), "{}", proxy.log());
    assert!(!proxy.log_dir().join("monitor.pid").exists());
}

#[test]
fn a_cycle_of_start_and_stop_can_be_repeated() {
    let mut setup = Setup::new(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    for round in 1..=3 {
        let proxy = setup.start();
        cause_finding(&proxy, &origin);
        proxy.wait_for_finding(|_| proxy.findings().len() == round);
        setup = proxy.stop();
        assert_eq!(setup.run("status", &[]).code, Some(3));
    }
}

#[test]
fn stop_and_status_of_nothing_say_so() {
    let setup = Setup::new(json!({}));
    let stop = setup.run("stop", &[]).expect_success("stop");
    assert!(stop.text().to_lowercase().contains("not running"), "{}", stop.text());
    let status = setup.run("status", &[]);
    assert_eq!(status.code, Some(3));
    assert!(status.stdout.starts_with("ClawSec Monitor: STOPPED"), "{}", status.stdout);
    let status = setup.run("status", &["--json"]);
    assert_eq!(status.code, Some(3));
    let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
    assert_eq!(status["running"], false, "{status}");
}

#[test]
fn stop_says_where_it_looked_and_a_second_start_how_to_end_the_first() {
    let setup = Setup::new(json!({}));
    let nothing = setup.run("stop", &[]).expect_success("stop");
    let said = format!("Not running in {}.\n", setup.log_dir().display());
    assert_eq!((&*nothing.stdout, &*nothing.stderr), (&*said, ""));
    let mut elsewhere = clean_command();
    elsewhere.arg("stop").env("CLAWSEC_LOG_DIR", setup.log_dir());
    let elsewhere = run(&mut elsewhere).expect_success("stop");
    assert_eq!(elsewhere.stdout, said);
    assert!(elsewhere.stderr.contains("--config or --log-dir"), "{}", elsewhere.stderr);
    let proxy = setup.start();
    let second = proxy.setup.run("start", &[]);
    assert_eq!(second.code, Some(1));
    let hint = second.stderr.split("to end it: ").nth(1).expect("a hint").trim();
    assert_eq!(hint, format!("clawsec stop --config {}", proxy.setup.config_file().display()));
}

#[test]
fn status_shows_the_running_monitor_and_its_last_five_threats() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    for _ in 0..7 {
        cause_finding(&proxy, &origin);
    }
    proxy.wait_for_finding(|_| proxy.findings().len() == 7);
    let status = proxy.setup.run("status", &[]).expect_success("status");
    let first = format!("ClawSec Monitor: RUNNING (PID {})", proxy.pid());
    assert!(status.stdout.starts_with(&first), "{}", status.stdout);
    for part in [env!("CARGO_PKG_VERSION"), &proxy.address().to_string(), "MITM", "ON"] {
        assert!(status.stdout.contains(part), "{part}: {}", status.stdout);
    }
    assert_eq!(status.stdout.matches("unix_sensitive").count(), 5, "{}", status.stdout);

    let status = proxy.status();
    assert_eq!(status["running"], true, "{status}");
    assert_eq!(status["pid"], proxy.pid(), "{status}");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"), "{status}");
    assert_eq!(status["mitm"], true, "{status}");
    assert_eq!(status["listeners"]["proxy"], proxy.address().to_string(), "{status}");
}

#[test]
fn status_counts_what_went_through() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    for _ in 0..3 {
        cause_finding(&proxy, &origin);
    }
    crate::support::wait_until("the counters", || {
        let status = proxy.status();
        let count = |name: &str| status["counters"][name].as_u64().expect(name);
        count("requests") == 3 && count("connections") == 3 && count("findings") == 3
    });
}

fn numbered_line(number: usize) -> String {
    format!(
        "{{\"direction\": \"outbound\", \"protocol\": \"https\", \"threat_type\": \"EXFIL\", \
         \"pattern\": \"ai_api_key\", \"snippet\": \"number {number}\", \"source\": \"127.0.0.1\", \
         \"dest\": \"api.example:443\", \"timestamp\": \"2026-02-19T13:41:59.587248+00:00\"}}\n"
    )
}

/// The snippets that `threats` prints, in order.
fn threats(setup: &Setup, arguments: &[&str]) -> Vec<String> {
    let outcome = setup.run("threats", arguments).expect_success("threats");
    let threats: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("a JSON array");
    threats.iter().map(|threat| threat["snippet"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn threats_are_the_last_ten_or_as_many_as_asked_newest_first() {
    let setup = Setup::new(json!({}));
    assert!(threats(&setup, &[]).is_empty());
    let lines: String = (1..=25).map(numbered_line).collect();
    fs::write(setup.log_dir().join("threats.jsonl"), lines).unwrap();
    let expected = |limit: usize| -> Vec<String> {
        (1..=25).rev().take(limit).map(|number| format!("number {number}")).collect()
    };
    assert_eq!(threats(&setup, &[]), expected(10));
    assert_eq!(threats(&setup, &["--limit", "3"]), expected(3));
    assert_eq!(threats(&setup, &["--limit", "1000"]), expected(25));
}

#[test]
fn a_threat_is_printed_with_its_fields_in_their_order() {
    let setup = Setup::new(json!({}));
    fs::write(setup.log_dir().join("threats.jsonl"), numbered_line(1)).unwrap();
    let outcome = setup.run("threats", &[]).expect_success("threats");
    let fields = [
        "direction",
        "protocol",
        "threat_type",
        "pattern",
        "snippet",
        "source",
        "dest",
        "timestamp",
    ];
    let places: Vec<_> =
        fields.iter().map(|field| outcome.stdout.find(&format!("\"{field}\"")).unwrap()).collect();
    assert!(places.is_sorted(), "{}", outcome.stdout);
}

#[test]
fn a_bad_line_is_skipped_and_counted() {
    let setup = Setup::new(json!({}));
    let lines = [
        &numbered_line(1),
        "not json\n",
        &numbered_line(2),
        "{\"direction\": \"outbo\n",
        &numbered_line(3),
    ];
    fs::write(setup.log_dir().join("threats.jsonl"), lines.concat()).unwrap();
    assert_eq!(threats(&setup, &[]), ["number 3", "number 2", "number 1"]);
    let outcome = setup.run("threats", &[]);
    assert!(outcome.stderr.contains('2'), "{}", outcome.stderr);
}

#[test]
fn threats_of_a_huge_file_are_read_from_its_end() {
    let setup = Setup::new(json!({}));
    let mut file = fs::File::create(setup.log_dir().join("threats.jsonl")).unwrap();
    file.set_len(10 << 30).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"\n").unwrap();
    let lines: String = (1..=25).map(numbered_line).collect();
    file.write_all(lines.as_bytes()).unwrap();
    let last = threats(&setup, &[]);
    assert_eq!((last.len(), last[0].as_str()), (10, "number 25"));
}

#[test]
fn commands_explain_themselves() {
    for arguments in [&["--help"][..], &["start", "--help"], &["--version"]] {
        let outcome = run(clean_command().args(arguments)).expect_success("help");
        assert!(!outcome.stdout.is_empty());
    }
    for arguments in [&["begin"][..], &["start", "--no-such-flag"], &["threats", "--limit", "x"]] {
        let outcome = run(clean_command().args(arguments));
        assert_eq!(outcome.code, Some(2), "{}", outcome.text());
        assert!(!outcome.stderr.is_empty());
    }
}

#[test]
fn commands_that_only_look_make_no_directory() {
    let setup = Setup::new(json!({}));
    let log_dir = setup.directory().join("never/started");
    let setup = setup.with(json!({ "log_dir": log_dir }));
    assert_eq!(setup.run("status", &[]).code, Some(3));
    assert_eq!(setup.run("stop", &[]).code, Some(0));
    assert!(threats(&setup, &[]).is_empty());
    assert!(!log_dir.exists());
}

#[test]
fn a_reader_that_goes_away_is_no_defect() {
    let setup = Setup::new(json!({}));
    let lines: String = (1..=2000).map(numbered_line).collect();
    fs::write(setup.log_dir().join("threats.jsonl"), lines).unwrap();
    let mut child = setup
        .command("threats", &["--limit", "2000"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let outcome = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    assert!(!stderr.contains("panicked"), "{stderr}");
}
