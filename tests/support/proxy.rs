//! The running binary: its own directory, free ports, its findings, its logs, its end.

use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};

use super::connection::Connection;
use super::message::Response;
use super::origin::{Origin, Reply};
use super::run::{Outcome, run, wait_child};
use super::{DEADLINE, tls, wait_for};

/// The built binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_clawsec");

/// A line of `threats.jsonl`.
#[derive(Clone, Debug, Deserialize)]
pub struct Finding {
    pub direction: String,
    pub protocol: String,
    pub threat_type: String,
    pub pattern: String,
    pub snippet: String,
    pub source: String,
    pub dest: String,
    pub timestamp: String,
    pub agent: Option<String>,
    pub severity: String,
    pub confidence: String,
    #[serde(default)]
    pub view: String,
    pub fingerprint: Option<String>,
    #[serde(default)]
    pub suppressed: u64,
}

/// How a proxy is to be started.
pub struct Setup {
    directory: Arc<TempDir>,
    log_dir: PathBuf,
    config: Value,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Setup {
    /// The harness's defaults (free ports, own directory, one worker, no dedup) with these keys over them.
    pub fn new(overrides: Value) -> Setup {
        let directory = TempDir::with_prefix("clawsec-test-").unwrap();
        let log_dir = directory.path().join("log");
        fs::create_dir(&log_dir).unwrap();
        fs::set_permissions(&log_dir, fs::Permissions::from_mode(0o700)).unwrap();
        let roots = directory.path().join("upstream-roots.pem");
        fs::write(&roots, &tls::root().pem).unwrap();
        let config = json!({
            "proxy_port": 0,
            "gateway_local_port": 0,
            "admin_addr": "",
            "log_dir": log_dir,
            "log_level": "DEBUG",
            "dedup_window_secs": 0,
            "workers": 1,
            "upstream_ca_file": roots,
        });
        let setup = Setup {
            directory: Arc::new(directory),
            log_dir,
            config,
            arguments: Vec::new(),
            environment: Vec::new(),
        };
        setup.with(overrides)
    }

    /// Sets config keys; `null` leaves a key out.
    pub fn with(mut self, overrides: Value) -> Setup {
        let keys = self.config.as_object_mut().unwrap();
        for (key, value) in overrides.as_object().expect("an object") {
            if value.is_null() {
                keys.remove(key);
            } else {
                keys.insert(key.clone(), value.clone());
            }
        }
        if let Some(log_dir) = keys.get("log_dir").and_then(Value::as_str) {
            self.log_dir = PathBuf::from(log_dir);
        }
        self
    }

    /// Adds a command line argument of `start`.
    pub fn argument(mut self, argument: impl Into<String>) -> Setup {
        self.arguments.push(argument.into());
        self
    }

    /// Sets an environment variable of `start`.
    pub fn environment(mut self, key: &str, value: impl Into<String>) -> Setup {
        self.environment.push((key.to_owned(), value.into()));
        self
    }

    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// A directory of this test's own, outside of `log_dir`.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The path of the config file, written now.
    pub fn config_file(&self) -> PathBuf {
        let path = self.directory.path().join("config.json");
        // Another process may be reading it: it is there whole, or not yet.
        let mut written = NamedTempFile::new_in(self.directory.path()).unwrap();
        written.write_all(&serde_json::to_vec_pretty(&self.config).unwrap()).unwrap();
        written.persist(&path).unwrap();
        path
    }

    /// `clawsec COMMAND --config FILE ARGUMENTS` in a clean environment.
    pub fn command(&self, command: &str, arguments: &[&str]) -> Command {
        let mut clawsec = clean_command();
        clawsec.arg(command).arg("--config").arg(self.config_file()).args(arguments);
        clawsec.envs(self.environment.iter().map(|(key, value)| (key, value)));
        clawsec
    }

    /// Runs another command to its end.
    pub fn run(&self, command: &str, arguments: &[&str]) -> Outcome {
        run(&mut self.command(command, arguments))
    }

    fn spawn(&self) -> Child {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.command("start", &arguments)
            .stdin(Stdio::null())
            .stdout(File::create(self.directory.path().join("stdout")).unwrap())
            .stderr(File::create(self.directory.path().join("stderr")).unwrap())
            .spawn()
            .expect("start the binary")
    }

    fn outputs(&self) -> (String, String) {
        let read = |name| fs::read(self.directory.path().join(name)).unwrap_or_default();
        let text = |name| String::from_utf8_lossy(&read(name)).into_owned();
        (text("stdout"), text("stderr"))
    }

    /// Starts, expecting a refusal: waits for the exit.
    pub fn start_refused(&self) -> Outcome {
        let mut child = self.spawn();
        let code = wait_child(&mut child, DEADLINE);
        let (stdout, stderr) = self.outputs();
        let code = code.unwrap_or_else(|| panic!("it started:\n{stdout}\n{stderr}"));
        Outcome { code, stdout, stderr }
    }

    /// Starts, and waits until the listeners accept.
    pub fn start(self) -> Proxy {
        let mut child = self.spawn();
        let state = wait_for("the listeners in monitor.json", || {
            if let Some(status) = child.try_wait().unwrap() {
                let (stdout, stderr) = self.outputs();
                panic!("start ended with {status}:\n{stdout}\n{stderr}");
            }
            let state = fs::read(self.log_dir.join("monitor.json")).ok()?;
            let state: Value = serde_json::from_slice(&state).ok()?;
            (state["pid"].as_u64() == Some(u64::from(child.id()))).then_some(state)
        });
        let listener =
            |name: &str| state["listeners"][name].as_str().and_then(|address| address.parse().ok());
        Proxy {
            child,
            proxy: listener("proxy"),
            gateway: listener("gateway"),
            admin: listener("admin"),
            client_tls: OnceLock::new(),
            markers: Mutex::new(Vec::new()),
            setup: self,
        }
    }
}

/// The binary by its bare name, without this process's settings. The rules are compiled once, before the
/// first of them, and kept beside the tests.
pub fn clean_command() -> Command {
    static RULES: Once = Once::new();
    RULES.call_once(|| {
        run(cold_command().args(["scan", "/dev/null"])).expect_success("compile the rules");
    });
    cold_command()
}

fn cold_command() -> Command {
    let mut clawsec = Command::new(BINARY);
    clawsec.env_clear();
    clawsec.env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    for key in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(key) {
            clawsec.env(key, value);
        }
    }
    clawsec
}

/// A running monitor; stopped when it is dropped.
pub struct Proxy {
    child: Child,
    proxy: Option<SocketAddr>,
    gateway: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    client_tls: OnceLock<Arc<rustls::ClientConfig>>,
    /// Where markers went so far.
    markers: Mutex<Vec<String>>,
    pub setup: Setup,
}

impl Proxy {
    /// Starts one with these config keys.
    pub fn start(overrides: Value) -> Proxy {
        Setup::new(overrides).start()
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.proxy.expect("the proxy listens")
    }

    /// Where the gateway listens.
    pub fn gateway_address(&self) -> SocketAddr {
        self.gateway.expect("the gateway listens")
    }

    /// Where the admin listener is; the harness has none by default.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin.expect("the admin listener listens")
    }

    /// GETs a path of the admin listener.
    pub fn admin(&self, target: &str) -> Response {
        let address = self.admin_address();
        let mut client = Connection::open(address);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        client.receive_response()
    }

    /// The proxy's URL, as clients are told it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn log_dir(&self) -> &Path {
        self.setup.log_dir()
    }

    pub fn ca_path(&self) -> PathBuf {
        self.log_dir().join("ca.crt")
    }

    pub fn threats_path(&self) -> PathBuf {
        self.log_dir().join("threats.jsonl")
    }

    /// The text of `clawsec.log`.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_dir().join("clawsec.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until a line of `clawsec.log` holds all of these, and returns it.
    pub fn wait_for_log(&self, parts: &[&str]) -> String {
        wait_for(&format!("a log line with {parts:?}; there was:\n{}", self.log()), || {
            let log = self.log();
            let whole = log.rfind('\n').map_or("", |end| &log[..end]);
            let holds = |line: &&str| parts.iter().all(|part| line.contains(part));
            whole.lines().find(holds).map(str::to_owned)
        })
    }

    /// The text of `threats.jsonl`, whole lines only.
    pub fn threats_text(&self) -> String {
        let bytes = fs::read(self.threats_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.rfind('\n').map_or(String::new(), |end| text[..=end].to_owned())
    }

    /// Every finding written so far.
    pub fn findings(&self) -> Vec<Finding> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
        };
        self.threats_text().lines().map(parse).collect()
    }

    /// Waits until a finding is as wanted.
    pub fn wait_for_finding(&self, wanted: impl Fn(&Finding) -> bool) -> Finding {
        wait_for("a finding", || self.findings().into_iter().find(&wanted))
    }

    /// Every finding of what was sent so far: sends a marker behind it and waits for that one.
    pub fn settled_findings(&self) -> Vec<Finding> {
        let origin = Origin::http(|_| Reply::ok("marked"));
        let url = origin.url("/etc/shadow");
        assert_eq!(self.get(&url).status(), 200, "the marker's answer");
        self.wait_for_finding(|finding| finding.dest == origin.dest());
        let mut markers = self.markers.lock().unwrap();
        markers.push(origin.dest());
        self.findings().into_iter().filter(|finding| !markers.contains(&finding.dest)).collect()
    }

    /// A clear connection to the proxy.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// A clear connection to the gateway.
    pub fn connect_gateway(&self) -> Connection {
        Connection::open(self.gateway_address())
    }

    /// Sends one request on a connection of its own and reads the answer.
    pub fn exchange(&self, request: impl AsRef<[u8]>) -> Response {
        let mut client = self.connect();
        let request = request.as_ref();
        client.send(request);
        let method = request.split(|&byte| byte == b' ').next().unwrap();
        client.receive_response_to(std::str::from_utf8(method).unwrap())
    }

    /// GETs a clear URL on a connection of its own.
    pub fn get(&self, url: &str) -> Response {
        let authority = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
        self.exchange(format!("GET {url} HTTP/1.1\r\nHost: {authority}\r\n\r\n"))
    }

    /// Asks for a tunnel, whatever the answer.
    pub fn request_tunnel(&self, dest: &str) -> (Connection, Response) {
        let mut client = self.connect();
        client.send(format!("CONNECT {dest} HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        let response = client.receive_response_to("CONNECT");
        (client, response)
    }

    /// An open tunnel.
    pub fn tunnel(&self, dest: &str) -> Connection {
        let (client, response) = self.request_tunnel(dest);
        assert_eq!(response.status(), 200, "{}", response.text());
        client
    }

    /// A tunnel with TLS in it, the proxy's certificate verified for the host of `dest`.
    pub fn https(&self, dest: &str) -> Connection {
        let host = dest.rsplit_once(':').unwrap().0.trim_matches(['[', ']']);
        let config = self.client_tls.get_or_init(|| tls::client(&self.ca_path())).clone();
        self.tunnel(dest).tls_client(host, config).expect("TLS with the proxy")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).expect("signal");
    }

    /// Waits for the process to end by itself: its exit code.
    pub fn wait_exit(&mut self) -> Option<i32> {
        wait_child(&mut self.child, DEADLINE).expect("the monitor ends")
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Stops by SIGTERM, expecting exit code 0, and gives back the set-up with its directory.
    pub fn stop(mut self) -> Setup {
        self.signal(Signal::TERM);
        assert_eq!(self.wait_exit(), Some(0), "{}", self.log());
        let empty = Setup {
            directory: self.setup.directory.clone(),
            log_dir: PathBuf::new(),
            config: json!({}),
            arguments: Vec::new(),
            environment: Vec::new(),
        };
        std::mem::replace(&mut self.setup, empty)
    }

    /// What the process has in memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// The state of a running monitor by `status --json`.
    pub fn status(&self) -> Value {
        let outcome = self.setup.run("status", &["--json"]).expect_success("status");
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.signal(Signal::TERM);
            if wait_child(&mut self.child, Duration::from_secs(10)).is_none()
                && !std::thread::panicking()
            {
                panic!("SIGTERM did not end the monitor:\n{}", self.log());
            }
        }
        if std::thread::panicking() {
            let (stdout, stderr) = self.setup.outputs();
            eprintln!("--- stdout\n{stdout}\n--- stderr\n{stderr}");
        }
    }
}
