//! Origins that are programs: each prints its port, and then a line for whatever happens to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::support::tls::{self, Shown};
use super::support::wait_until;
use super::{folder, python};

/// What an origin of Node speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/2 alone.
    Http2,
    /// HTTP/2 or HTTP/1.1, as a client likes.
    Both,
    /// HTTP/1.1 alone.
    Http1,
    /// HTTP/2 without TLS.
    Clear,
    /// What nobody knows.
    Neither,
}

impl Speaks {
    fn argument(self) -> &'static str {
        match self {
            Speaks::Http2 => "h2",
            Speaks::Both => "both",
            Speaks::Http1 => "http/1.1",
            Speaks::Clear => "clear",
            Speaks::Neither => "neither",
        }
    }

    /// As its requests say.
    pub fn version(self) -> &'static str {
        if self == Speaks::Http1 { "1.1" } else { "2.0" }
    }
}

/// A running origin; killed when dropped.
pub struct Program {
    process: Child,
    port: u16,
    is_encrypted: bool,
    lines: Arc<Mutex<Vec<String>>>,
    _certificate: TempDir,
}

impl Program {
    pub fn node(speaks: Speaks) -> Program {
        let mut node = Command::new("node");
        node.arg(folder().join("origin.mjs")).arg(speaks.argument());
        Program::start(node, speaks != Speaks::Clear)
    }

    pub fn grpc(is_encrypted: bool) -> Program {
        let mut server = Command::new(python());
        server.arg("-B").arg(folder().join("grpc_server.py"));
        Program::start(server, is_encrypted)
    }

    fn start(mut command: Command, is_encrypted: bool) -> Program {
        let certificate = TempDir::with_prefix("clawsec-http2-").unwrap();
        let (chain, key) = tls::certificate_pem(Shown::Valid);
        for (name, pem) in [("chain.pem", chain), ("key.pem", key)] {
            let path = certificate.path().join(name);
            fs::write(&path, pem).unwrap();
            if is_encrypted {
                command.arg(path);
            }
        }
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("an origin");
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("{command:?} says {line:?}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        let happening = lines.clone();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                happening.lock().unwrap().push(line);
            }
        });
        Program { process, port, is_encrypted, lines, _certificate: certificate }
    }

    pub fn base(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.dest())
    }

    pub fn dest(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// What happened so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    pub fn wait_for_line(&self, wanted: &str) {
        self.wait_for_lines(wanted, 1);
    }

    /// The same, so many times.
    pub fn wait_for_lines(&self, wanted: &str, count: usize) {
        wait_until(&format!("{count} times {wanted:?}; there is {:#?}", self.lines()), || {
            self.lines().iter().filter(|line| *line == wanted).count() >= count
        });
    }

    /// The requests since this was last asked, whatever their order.
    pub fn take_requests(&self) -> Vec<String> {
        let mut lines = self.lines.lock().unwrap();
        let is_request = |line: &String| line.starts_with("request ");
        let (mut requests, others): (Vec<_>, Vec<_>) = lines.drain(..).partition(is_request);
        *lines = others;
        requests.sort_unstable();
        requests
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
