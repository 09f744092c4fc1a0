//! The WebSocket clients and servers that agents use, each client with each server: `websockets` of Python,
//! `ws` and undici of Node. `make test` installs them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::frames::Way;
use crate::support::run::run;
use crate::support::samples::sample;
use crate::support::tls::{self, Shown};
use crate::support::{Proxy, json, wait_for};
use tempfile::TempDir;

/// A Python program of `.venv`.
pub fn python_program(name: &str) -> Command {
    Command::new(installed(root().join(".venv/bin").join(name)))
}

/// Fails where something is missing that `make test` installs.
fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: `make test` installs it", path.display());
    path
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program of `tests/clients`.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    Python,
    Node,
}

impl Language {
    const ALL: [Language; 2] = [Language::Python, Language::Node];

    pub fn command(self, name: &str) -> Command {
        let folder = root().join("tests/clients");
        match self {
            Language::Python => {
                let mut python = python_program("python");
                python.arg(folder.join(format!("{name}.py")));
                python
            }
            Language::Node => {
                installed(folder.join("node_modules/ws"));
                let mut node = Command::new("node");
                node.arg(folder.join(format!("{name}.mjs")));
                node
            }
        }
    }
}

/// Files with a certificate chain and its key, and the folder that holds them.
pub fn certificate() -> (TempDir, [PathBuf; 2]) {
    let directory = TempDir::with_prefix("clawsec-websocket-").unwrap();
    let (chain, key) = tls::certificate_pem(Shown::Valid);
    let files = [("chain.pem", chain), ("key.pem", key)].map(|(name, pem)| {
        let path = directory.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    });
    (directory, files)
}

/// A running echo server; killed when dropped.
pub struct Server {
    process: Child,
    pub port: u16,
    _certificate: TempDir,
}

impl Server {
    pub fn start(language: Language, is_encrypted: bool) -> Server {
        let (directory, files) = certificate();
        let mut command = language.command("websocket_server");
        command.args(files.iter().filter(|_| is_encrypted));
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the server");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("{language:?} says {line:?}"));
        Server { process, port, _certificate: directory }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn exercise(client: Language, server: Language, way: Way) {
    let what = format!("{client:?} to {server:?}, {way:?}");
    let echo = Server::start(server, way == Way::Encrypted);
    let proxy = Proxy::start(json!({ "gateway_target_port": echo.port }));
    let dest = match way {
        Way::Gateway => format!("127.0.0.1:{}", echo.port),
        _ => format!("localhost:{}", echo.port),
    };
    let url = match way {
        Way::Absolute | Way::Tunnel => format!("ws://{dest}/"),
        Way::Encrypted => format!("wss://{dest}/"),
        Way::Gateway => format!("ws://{}/", proxy.gateway_address()),
    };
    let text = format!("note: {} was read", sample("unix_sensitive").text());
    let mut command = client.command("websocket_client");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    if way != Way::Gateway {
        command.env("HTTPS_PROXY", proxy.url());
    }
    command.env("SSL_CERT_FILE", proxy.ca_path()).env("NODE_EXTRA_CA_CERTS", proxy.ca_path());
    let outcome = run(command.args([&url, &text])).expect_success(&what);
    let sockets: usize = outcome.stdout.trim().parse().unwrap_or_else(|_| panic!("{outcome:?}"));
    let findings = proxy.settled_findings();
    for direction in ["outbound", "inbound"] {
        let found = findings.iter().filter(|finding| {
            finding.direction == direction
                && finding.protocol == way.protocol()
                && finding.dest == dest
                && finding.pattern == "unix_sensitive"
        });
        // As one message, and over many.
        let (joined, whole): (Vec<_>, Vec<_>) =
            found.partition(|found| found.view.ends_with("messages"));
        let counts = (joined.len(), whole.len());
        assert_eq!(counts, (sockets, sockets), "{what}, {direction}: {findings:?}");
    }
    assert_eq!(findings.len(), 4 * sockets, "{what}: {findings:?}");
    let counters = wait_for("the counters", || {
        let counters = proxy.status()["counters"].take();
        (counters["websockets"] == sockets).then_some(counters)
    });
    for name in ["websockets_unread", "websocket_messages_unread", "bytes_unscanned"] {
        assert_eq!(counters[name], 0, "{what}: {counters}");
    }
    assert!(!proxy.log().contains("unread"), "{what}: {}", proxy.log());
}

fn exercise_all(way: Way) {
    for client in Language::ALL {
        for server in Language::ALL {
            exercise(client, server, way);
        }
    }
}

#[test]
fn real_clients_over_ws() {
    exercise_all(Way::Tunnel);
}

#[test]
fn real_clients_over_wss() {
    exercise_all(Way::Encrypted);
}

#[test]
fn real_clients_at_the_gateway() {
    exercise_all(Way::Gateway);
}
