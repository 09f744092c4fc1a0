//! The harness from outside, as its user runs it: what it says when there was nothing to measure, or too little.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

use std::time::{Duration, Instant};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_loadtest");

fn loadtest(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().unwrap()
}

fn result(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What it said when it failed.
fn failure(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An origin of the harness that ends with the test.
struct Origin {
    child: Child,
    ports: Value,
    _folder: Folder,
}

struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let name = format!("loadtest-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Origin {
    fn start(name: &str) -> Origin {
        Origin::start_after(name, ":")
    }

    /// Started by a shell, after this command.
    fn start_after(name: &str, before: &str) -> Origin {
        let folder = Folder::new(name);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{before}; exec \"$@\""), "sh", PROGRAM]);
        command.args(["origin", "--tls-dir"]).arg(folder.0.join("tls"));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Origin { child, ports: serde_json::from_str(&line).unwrap(), _folder: folder }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports["http"])
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_fell_due_and_was_not_answered_is_said() {
    let origin = Origin::start("due");
    let url = origin.url("/slow?ms=60000");
    let args = ["client", "requests", "--url", &url, "--rate", "100", "--connections", "4"];
    let result = result(&loadtest(&[&args[..], &["--seconds", "1", "--warmup", "0"]].concat()));
    let offered = result["offered"].as_u64().unwrap();
    assert!((95..=105).contains(&offered), "{result}");
    assert_eq!(result["unanswered"].as_u64(), Some(offered), "{result}");
    assert_eq!(result["latency_us"]["count"].as_u64(), Some(offered), "{result}");
    assert!(result["latency_us"]["p50"].as_f64().unwrap() > 1e6, "{result}");
}

#[test]
fn answers_in_time_leave_nothing_due() {
    let origin = Origin::start("in-time");
    let url = origin.url("/bytes/16");
    let args = ["client", "requests", "--url", &url, "--rate", "200", "--connections", "4"];
    let result = result(&loadtest(&[&args[..], &["--seconds", "1", "--warmup", "0.2"]].concat()));
    assert_eq!(result["unanswered"].as_u64(), Some(0), "{result}");
    let [offered, requests, late] =
        ["offered", "requests", "late"].map(|name| result[name].as_u64().unwrap());
    assert_eq!(requests + late, offered, "{result}");
}

#[test]
fn a_rate_of_zero_is_refused() {
    let args = ["client", "requests", "--url", "http://127.0.0.1:1/", "--rate", "0"];
    assert!(failure(&loadtest(&args)).contains("must be 0.001"));
}

#[test]
fn a_process_that_is_not_there_cannot_be_charged() {
    let origin = Origin::start("gone");
    let url = origin.url("/bytes/16");
    let args = ["client", "requests", "--url", &url, "--charge", "2147483646", "--seconds", "1"];
    let said = failure(&loadtest(&args));
    assert!(said.contains("no process 2147483646"), "{said}");
}

#[test]
fn memory_that_cannot_be_read_is_an_error() {
    // Only root can become somebody else.
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--clear-groups", "true"]);
    if !command.output().is_ok_and(|output| output.status.success()) {
        return;
    }
    let origin = Origin::start("unreadable");
    let (url, pid) = (origin.url("/bytes/16"), std::process::id().to_string());
    let folder = Folder::new("unreadable-program");
    let program = folder.0.join("loadtest");
    std::fs::copy(PROGRAM, &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--clear-groups"]).arg(&program);
    command.args(["client", "requests", "--url", &url, "--charge", &pid, "--seconds", "1"]);
    let said = failure(&command.output().unwrap());
    assert!(said.contains("memory cannot be read: /proc/"), "{said}");
}

#[test]
fn a_proxy_that_never_answers_holds_nobody_up() {
    // Takes connections, into its backlog, and is silent.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = silent.local_addr().unwrap().to_string();
    let own = std::process::id().to_string();
    let began = Instant::now();
    for work in ["requests", "idle"] {
        let args = ["client", work, "--url", "https://localhost:1/", "--insecure"];
        let way = ["--proxy", &proxy, "--charge", &own, "--timeout", "0.5"];
        let said = failure(&loadtest(&[&args[..], &way[..]].concat()));
        assert!(said.contains("opened no connection for"), "{said}");
    }
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn connections_that_need_more_descriptors_than_there_may_be_are_refused() {
    let own = std::process::id().to_string();
    for work in ["requests", "idle"] {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 256; exec \"$@\"", "sh", PROGRAM, "client", work]);
        command.args(["--url", "http://127.0.0.1:1/", "--connections", "500", "--charge", &own]);
        let said = failure(&command.output().unwrap());
        assert!(said.contains("descriptors") && said.contains("is 256"), "{said}");
    }
}

#[test]
fn an_origin_raises_its_own_limit_of_descriptors() {
    let origin = Origin::start_after("descriptors", "ulimit -S -n 64");
    let url = origin.url("/bytes/16");
    let args = ["client", "requests", "--url", &url, "--connections", "200", "--seconds", "0.5"];
    let result = result(&loadtest(&args));
    assert_eq!(result["errors"].as_u64(), Some(0), "{result}");
}

#[test]
fn a_signal_ends_a_comparison_with_its_table_and_leaves_nothing() {
    let folder = Folder::new("signal");
    // Nothing of a proxy is needed: a program that never listens is waited for.
    let program = folder.0.join("clawsec");
    std::fs::write(&program, "#!/bin/sh\n[ $1 = --version ] || exec sleep 60\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["compare", "--rows", "http-1k", "--peers", "clawsec", "--clawsec"]).arg(&program);
    command.arg("--results").arg(folder.0.join("results")).env("TMPDIR", &folder.0);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let own = folder.0.join(format!("loadtest-{}", child.id()));
    let key = own.join("tls/ca-and-key.pem");
    let began = Instant::now();
    while !key.exists() || std::fs::read_dir(&own).unwrap().count() < 2 {
        assert!(began.elapsed() < Duration::from_secs(20), "no folder {}", own.display());
        std::thread::sleep(Duration::from_millis(20));
    }
    for path in [&own, &own.join("tls"), &key] {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o044, 0, "{} is {mode:o}", path.display());
    }
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(failure(&output).contains("stopped by a signal"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("| row"));
    assert!(!own.exists());
}

#[test]
fn a_comparison_says_before_it_starts_what_it_cannot_do() {
    let folder = Folder::new("cannot");
    let results = folder.0.join("results");
    let results = results.to_str().unwrap();
    let file = folder.0.join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.join("results");
    for (args, words) in [
        (&["--clawsec", "/no/such/clawsec"][..], "no file /no/such/clawsec"),
        (&["--clawsec", PROGRAM, "--proxy-core", "1023"], "--proxy-core 1023: the cores are"),
        (&["--clawsec", PROGRAM, "--rounds", "0"], "1..=1000"),
        (&["--clawsec", PROGRAM, "--results", file.to_str().unwrap()], "file/results: "),
    ] {
        let mut all = vec!["compare", "--peers", "clawsec"];
        if !args.contains(&"--results") {
            all.extend(["--results", results]);
        }
        let said = failure(&loadtest(&[&all[..], args].concat()));
        assert!(said.contains(words), "{said}");
    }
    let listed = loadtest(&["compare", "--list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("mitmproxy"));
}

#[test]
fn a_comparison_fails_when_a_row_of_clawsec_does() {
    let folder = Folder::new("fails");
    let results = folder.0.join("results");
    std::fs::create_dir(&results).unwrap();
    std::fs::write(results.join("http-1k.svg"), "of an earlier run").unwrap();
    // A program that ends at once is no proxy.
    let args = ["compare", "--peers", "clawsec", "--rows", "http-1k", "--rounds", "1"];
    let way = ["--clawsec", "/bin/true", "--results", results.to_str().unwrap()];
    let said = failure(&loadtest(&[&args[..], &way[..]].concat()));
    assert!(said.contains("rows that failed of clawsec's: http-1k"), "{said}");
    let table = std::fs::read_to_string(results.join("results.md")).unwrap();
    assert!(table.contains("0 of 1") && table.contains("a round failed: "), "{table}");
    assert!(table.contains("not measured"), "{table}");
    assert!(!results.join("http-1k.svg").exists());
}

#[test]
fn the_client_refuses_what_is_not_this_machine_and_names_without_tls() {
    let requests = |args: &[&str]| {
        failure(&loadtest(&[&["client", "requests", "--seconds", "0.1"], args].concat()))
    };
    assert!(requests(&["--url", "http://192.0.2.2:9/"]).contains("192.0.2.2 is not loopback"));
    let way = ["--url", "http://example.com/", "--proxy", "127.0.0.1:9"];
    assert!(requests(&way).contains("example.com is not loopback"));
    let names = ["--url", "http://127.0.0.1:9/", "--names", "10"];
    assert!(requests(&names).contains("https://"));
}
