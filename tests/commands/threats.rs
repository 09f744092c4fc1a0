//! `threats` with filters, formats and `--follow`, and `stats` over the same file.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::Value;

use crate::line;
use crate::support::proxy::clean_command;
use crate::support::run::run;
use crate::support::{Setup, json, wait_until};

const OLD: &str = "2026-02-19T13:41:59.587248+00:00";

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

fn write(setup: &Setup, lines: &[String]) {
    fs::write(setup.log_dir().join("threats.jsonl"), lines.concat()).unwrap();
}

fn append(setup: &Setup, text: &str) {
    let path = setup.log_dir().join("threats.jsonl");
    let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn patterns(setup: &Setup, arguments: &[&str]) -> Vec<String> {
    let outcome = setup.run("threats", arguments).expect_success("threats");
    let threats: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("a JSON array");
    threats.iter().map(|threat| threat["pattern"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn filters_choose_and_the_limit_counts_what_they_choose() {
    let setup = Setup::new(json!({}));
    let mut lines = vec![line("aws_access_key", "s3.example.com:443", OLD)];
    lines.extend((0..20).map(|_| line("ai_api_key", "api.example.org:443", OLD)));
    write(&setup, &lines);
    for (arguments, count) in [
        (&["--pattern", "aws_*"][..], 1),
        (&["--dest", "*.example.com"], 1),
        (&["--dest", "s3.example.com:443", "--pattern", "ai_*"], 0),
        (&["--pattern", "aws_*", "--pattern", "ai_*", "--limit", "30"], 21),
        (&["--direction", "inbound"], 0),
        (&["--type", "exfil"], 10),
        (&["--source", "127.*", "--limit", "12"], 12),
        (&["--source", "192.0.2.*"], 0),
    ] {
        assert_eq!(patterns(&setup, arguments).len(), count, "{arguments:?}");
    }
}

#[test]
fn a_filter_that_matches_no_finding_ever_is_refused() {
    let setup = Setup::new(json!({}));
    for (option, wrong, there_are) in
        [("--direction", "outbund", "inbound or outbound"), ("--type", "FOO", "EXFIL or INJECTION")]
    {
        for command in ["threats", "stats"] {
            let outcome = setup.run(command, &[option, wrong]);
            assert_eq!((outcome.code, &*outcome.stdout), (Some(2), ""), "{command} {option}");
            assert!(outcome.stderr.contains(there_are), "{}", outcome.stderr);
        }
    }
}

#[test]
fn a_folder_that_is_not_there_is_told_of() {
    let mut command = clean_command();
    let outcome = run(command.args(["threats", "--log-dir", "/no/such/dir"]));
    let outcome = outcome.expect_success("threats");
    assert_eq!(outcome.stdout, "[]\n");
    assert!(outcome.stderr.contains("no folder /no/such/dir"), "{}", outcome.stderr);
}

#[test]
fn since_takes_all_that_is_young_enough() {
    let setup = Setup::new(json!({}));
    let mut lines = vec![line("old", "a.example:1", OLD)];
    lines.extend((0..15).map(|_| line("new", "a.example:1", &now())));
    write(&setup, &lines);
    assert_eq!(patterns(&setup, &["--since", "10m"]), ["new"; 15]);
    assert_eq!(patterns(&setup, &["--since", "10m", "--limit", "2"]).len(), 2);
    assert_eq!(patterns(&setup, &["--since", "2026-02-19T00:00:00Z"]).len(), 16);
    let wrong = setup.run("threats", &["--since", "yesterday"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("yesterday"), "{}", wrong.stderr);
}

#[test]
fn formats_are_what_they_are_called() {
    let setup = Setup::new(json!({}));
    write(&setup, &[line("first", "a.example:1", OLD), line("second", "b.example:2", OLD)]);
    let print =
        |format: &str| setup.run("threats", &["--format", format]).expect_success(format).stdout;
    let jsonl = print("jsonl");
    let parsed: Vec<Value> =
        jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((parsed.len(), parsed[0]["pattern"].as_str()), (2, Some("second")));
    let csv = print("csv");
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert!(rows[0].starts_with("direction,protocol,threat_type,pattern"), "{csv}");
    assert!(rows[1].starts_with("outbound,https,EXFIL,second,\"say, \"\"x\"\"\""), "{csv}");
    let table = print("table");
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.contains("2026-02-19 13:41:59"), "{table}");
    assert!(!table.contains('\u{1b}'), "no colours but on a terminal");
}

#[test]
fn credentials_where_they_belong_are_left_out_and_said_beside_what_programs_read() {
    let setup = Setup::new(json!({}));
    let info = line("known", "a.example:1", OLD).replace('{', "{\"severity\": \"info\", ");
    write(&setup, &[info.clone(), line("alarm", "b.example:2", OLD), info]);
    let words = "2 credentials where they belong are left out (--all shows them)";
    let print = |arguments: &[&str]| setup.run("threats", arguments).expect_success("threats");
    let json = print(&[]);
    assert!(json.stderr.contains(words) && !json.stdout.contains(words), "{}", json.text());
    assert_eq!(patterns(&setup, &[]), ["alarm"]);
    let table = print(&["--format", "table"]);
    assert!(table.stdout.ends_with(&format!("({words})\n")), "{}", table.stdout);
    for asked in [&["--all"][..], &["--severity", "high"], &["--pattern", "alarm"]] {
        assert!(!print(asked).text().contains("left out"), "{asked:?}");
    }
    let stats = setup.run("stats", &["--json"]).expect_success("stats");
    assert!(stats.stderr.contains(words), "{}", stats.stderr);
}

#[test]
fn followed_threats_come_as_they_are_written_through_rotation() {
    let setup = Setup::new(json!({}));
    write(&setup, &[line("old", "a.example:1", OLD)]);
    let mut command = setup.command("threats", &["--follow", "--pattern", "want*", "-n", "1"]);
    append(&setup, &line("wanted_old", "a.example:1", OLD));
    let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> String {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["pattern"].as_str().unwrap().to_owned()
    };
    assert_eq!(next(), "wanted_old");
    append(&setup, &line("unwanted", "a.example:1", OLD));
    append(&setup, &line("wanted_1", "a.example:1", OLD));
    assert_eq!(next(), "wanted_1");
    let path = setup.log_dir().join("threats.jsonl");
    fs::rename(&path, setup.log_dir().join("threats.old")).unwrap();
    append(&setup, &line("wanted_2", "a.example:1", OLD));
    assert_eq!(next(), "wanted_2");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(setup.run("threats", &["--follow", "--format", "json"]).code, Some(2));
}

#[test]
fn a_follower_ends_once_its_reader_has_gone_though_nothing_is_found() {
    let setup = Setup::new(json!({}));
    write(&setup, &[line("old", "a.example:1", OLD)]);
    let mut command = setup.command("threats", &["--follow", "-n", "1"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut String::new()).unwrap();
    assert_eq!(child.try_wait().unwrap(), None, "it waits");
    drop(reader);
    wait_until("its end", || child.try_wait().unwrap().is_some());
    let outcome = child.wait_with_output().unwrap();
    assert_eq!((outcome.status.code(), &*outcome.stderr), (Some(0), &b""[..]));
}

#[test]
fn stats_count_three_ways() {
    let setup = Setup::new(json!({}));
    let empty = setup.run("stats", &[]).expect_success("stats");
    assert_eq!(empty.stdout, "No threats recorded.\n");
    let mut lines: Vec<String> = (0..3).map(|_| line("ai_api_key", "a.example:443", OLD)).collect();
    lines.push(line("unix_sensitive", "b.example:443", "2026-02-19T15:00:00+00:00"));
    write(&setup, &lines);
    let text = setup.run("stats", &[]).expect_success("stats").stdout;
    for part in ["4 threats", "ai_api_key", "b.example:443", "2026-02-19 13:00", "███"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let outcome = setup.run("stats", &["--json", "--pattern", "ai_*"]).expect_success("stats");
    let stats: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(stats["total"], 3);
    assert_eq!(stats["destinations"], json!({"a.example:443": 3}));
    assert_eq!(stats["hours"], json!({"2026-02-19T13": 3}));
}
