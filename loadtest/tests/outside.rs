//! The harness from outside, as its user runs it: what it says when there was nothing to measure, or too little.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
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
    let output = loadtest(&[&args[..], &["--seconds", "1", "--warmup", "0"]].concat());
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let offered = result["offered"].as_u64().unwrap();
    let said = failure(&output);
    let words = format!("{offered} of {offered} requests that fell due were not answered");
    assert!(said.contains(&words), "{said}");
    assert!((95..=105).contains(&offered), "{result}");
    assert_eq!(result["unanswered"].as_u64(), Some(offered), "{result}");
    assert_eq!(result["latency_us"]["count"].as_u64(), Some(offered), "{result}");
    assert!(result["latency_us"]["p50"].as_f64().unwrap() > 1e6, "{result}");
}

#[test]
fn a_client_fails_when_its_requests_do_and_says_how_many() {
    let origin = Origin::start("failures");
    let run = |work: &str, path: &str| {
        let url = origin.url(path);
        loadtest(&["client", work, "--url", &url, "--connections", "2", "--seconds", "0.5"])
    };
    let output = run("requests", "/missing");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let words = format!("{} errors: {{\"answered 404\":", result["errors"]);
    let said = failure(&output);
    assert!(said.contains(&words), "{said}");
    assert!(failure(&run("sse", "/missing")).contains("answered 404"));
    assert!(run("requests", "/bytes/16").status.success());
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
    assert!(table.contains("Bodies never repeat"), "{table}");
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

/// A server that answers each request with 200 and keeps the bodies, by connection.
struct Captor {
    address: String,
    bodies: Arc<Mutex<Vec<Vec<Vec<u8>>>>>,
}

impl Captor {
    fn start() -> Captor {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let bodies: Arc<Mutex<Vec<Vec<Vec<u8>>>>> = Arc::default();
        let all = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for (at, stream) in listener.incoming().enumerate() {
                all.lock().unwrap().push(Vec::new());
                let (stream, all) = (stream.unwrap(), Arc::clone(&all));
                std::thread::spawn(move || {
                    Captor::serve(stream, |body| all.lock().unwrap()[at].push(body))
                });
            }
        });
        Captor { address, bodies }
    }

    fn serve(stream: TcpStream, mut keep: impl FnMut(Vec<u8>)) {
        let mut reader = BufReader::new(stream);
        loop {
            let (mut line, mut len) = (String::new(), 0);
            while line != "\r\n" {
                line.clear();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return;
                }
                if let Some(said) = line.strip_prefix("Content-Length: ") {
                    len = said.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; len];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            keep(body);
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
            if reader.get_mut().write_all(answer).is_err() {
                return;
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// The payload of an answer that comes with a length, or in chunks.
fn get(origin: &Origin, path: &str) -> Vec<u8> {
    let mut stream =
        TcpStream::connect(("127.0.0.1", origin.ports["http"].as_u64().unwrap() as u16)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let at = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let mut rest = answer.split_off(at + 4);
    if !String::from_utf8(answer).unwrap().contains("chunked") {
        return rest;
    }
    let mut payload = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return payload;
        }
        payload.extend(rest.drain(..end + 2 + size + 2).skip(end + 2).take(size));
    }
}

/// Whether 512 bytes in a row come twice in these bodies.
fn have_a_common_stretch<'a>(bodies: impl IntoIterator<Item = &'a [u8]>) -> bool {
    const STRETCH: usize = 512;
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
    let leaving = (0..STRETCH).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let (mut seen, mut is_again) = (HashSet::new(), false);
    for body in bodies {
        let mut hash = 0_u64;
        for (at, byte) in body.iter().enumerate() {
            hash = hash.wrapping_mul(BASE).wrapping_add(u64::from(*byte) + 1);
            if at >= STRETCH {
                hash = hash.wrapping_sub((u64::from(body[at - STRETCH]) + 1).wrapping_mul(leaving));
            }
            is_again |= at + 1 >= STRETCH && !seen.insert(hash);
        }
    }
    is_again
}

fn are_lines_of_json(body: &[u8]) -> bool {
    let (lines, _cut) = std::str::from_utf8(body).unwrap().rsplit_once('\n').unwrap();
    lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok())
}

#[test]
fn answers_never_repeat() {
    let origin = Origin::start("repeat");
    let paths = ["/bytes/1200000", "/chunked/200000", "/bytes/65536", "/bytes/1024", "/slow?ms=1"];
    let sizes = [1_200_000, 200_000, 65_536, 1024, 1024];
    let bodies = paths.map(|path| get(&origin, path));
    for (body, size) in bodies.iter().zip(sizes) {
        assert_eq!(body.len(), size);
        assert!(are_lines_of_json(body));
    }
    assert!(!have_a_common_stretch(bodies.iter().map(Vec::as_slice)));
    let twice = [bodies[3].as_slice(), &bodies[3]];
    assert!(have_a_common_stretch(twice), "what is sent again is found");
}

#[test]
fn bodies_of_requests_never_repeat() {
    let captor = Captor::start();
    let origin = Origin::start("repeat-requests");
    for _ in 0..2 {
        let url = captor.url("/sink");
        let args = ["client", "requests", "--url", &url, "--body", "20000", "--requests", "20"];
        result(&loadtest(&[&args[..], &["--connections", "2", "--threads", "2"]].concat()));
    }
    let mut bodies: Vec<_> = captor.bodies.lock().unwrap().concat();
    assert!((40..=44).contains(&bodies.len()), "{}", bodies.len());
    assert!(bodies.iter().all(|body| body.len() == 20_000 && are_lines_of_json(body)));
    bodies.push(get(&origin, "/bytes/20000"));
    assert!(!have_a_common_stretch(bodies.iter().map(Vec::as_slice)));
}

#[test]
fn a_conversation_grows_and_none_is_like_another() {
    let captor = Captor::start();
    let url = captor.url("/sink");
    let args = ["client", "requests", "--url", &url, "--conversation", "--requests", "240"];
    let result = result(&loadtest(&[&args[..], &["--connections", "3"]].concat()));
    let mut conversations: Vec<Vec<String>> = Vec::new();
    let (mut tails, mut sent, mut grown) = (HashSet::new(), 0, 0);
    for bodies in captor.bodies.lock().unwrap().iter() {
        let mut before: Vec<String> = Vec::new();
        for body in bodies {
            assert!((65_536..=262_144).contains(&body.len()), "{}", body.len());
            sent += body.len() as u64;
            let whole: Value = serde_json::from_slice(body).unwrap();
            let keys: Vec<_> = whole.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["model", "messages", "system", "tools"]);
            tails.insert(format!("{}{}", whole["system"], whole["tools"]));
            let messages = whole["messages"].as_array().unwrap();
            let messages: Vec<String> = messages.iter().map(Value::to_string).collect();
            // As it is on the wire, not as it reads.
            let begins =
                format!("{{\"model\":{},\"messages\":[{}", whole["model"], before.join(","));
            if !before.is_empty() && body.starts_with(begins.as_bytes()) {
                assert!((1..=2).contains(&(messages.len() - before.len())));
                grown += 1;
            } else {
                conversations.push(std::mem::take(&mut before));
            }
            before = messages;
        }
        conversations.push(before);
    }
    conversations.retain(|messages| !messages.is_empty());
    assert!(conversations.len() >= 6 && grown > 200, "{} {grown}", conversations.len());
    assert_eq!(tails.len(), 1);
    assert_eq!(result["body_bytes"].as_u64(), Some(sent + 2 * 240), "{result}");
    let all: Vec<&String> = conversations.iter().flatten().collect();
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert!(!have_a_common_stretch(all.iter().map(|message| message.as_bytes())));
}

/// One short round of `wss` over a peer, whose program may be in this folder.
fn assert_echoes_over_tls(peer: &str, programs: &str) {
    let folder = Folder::new(&format!("wss-{peer}"));
    let mut command = Command::new(PROGRAM);
    command.args(["compare", "--peers", peer, "--rows", "wss", "--rounds", "1"]);
    command.args(["--seconds", "0.3", "--warmup", "0.1", "--results"]).arg(&folder.0);
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let output = command.env("PATH", path).env("TMPDIR", &folder.0).output().unwrap();
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && table.contains("`wss`"), "{table}");
    assert!(!table.contains("failed"), "{table}");
}

/// Needs `make hudsucker-peer`; without it there is nothing to try.
#[test]
fn wss_through_hudsucker_trusts_the_origin() {
    let built = concat!(env!("CARGO_MANIFEST_DIR"), "/hudsucker-peer/target/release");
    if std::path::Path::new(built).join("hudsucker-peer").exists() {
        assert_echoes_over_tls("hudsucker", built);
    }
}

/// Needs Squid with TLS; without it there is nothing to try.
#[test]
fn wss_through_squid_is_upgraded() {
    let needed = ["/usr/lib/squid/security_file_certgen", "/usr/sbin/squid"];
    if needed.iter().all(|path| std::path::Path::new(path).exists()) {
        assert_echoes_over_tls("squid", "/usr/sbin");
    }
}

#[test]
fn memory_of_idle_connections_is_read_after_a_warm_up() {
    let origin = Origin::start("idle");
    let (url, pid) = (origin.url("/slow?ms=4000"), origin.child.id().to_string());
    let args = ["client", "idle", "--url", &url, "--charge", &pid, "--connections", "400"];
    let result = result(&loadtest(&args));
    assert_eq!(result["shrank"].as_array().map(Vec::len), Some(0), "{result}");
    assert_eq!(result["answered"].as_u64(), Some(400), "{result}");
    assert_eq!(result["open_while_waiting"].as_u64(), Some(400), "{result}");
    let each = result["pss_kib_each"]["idle"].as_f64().unwrap();
    assert!((0.5..100.0).contains(&each), "{result}");
}
