//! Clients that speak HTTP/2, and origins that do, or only one of both, through the running binary: gRPC, Node, httpx,
//! requests, curl, nginx. What they see must be what they see of each other directly, and each stream leaves its findings.
//! `make test` installs them.

#[path = "../support/mod.rs"]
mod support;

mod curl;
mod endings;
mod frames;
mod grpc;
mod http1;
mod httpx;
mod nginx;
mod node;
mod operation;
mod programs;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use programs::Program;
use serde_json::Value;
use support::run::{Outcome, run_for};
use support::samples::sample;
use support::{Finding, Proxy, Setup, json, wait_until};

/// No client takes longer, however busy the machine.
const LIMIT: Duration = Duration::from_secs(180);

/// How a client reaches its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Direct,
    Proxied,
}

/// The proxy on the way.
struct Way {
    proxy: Proxy,
}

impl Way {
    fn new() -> Way {
        Way::with(json!({}))
    }

    /// With these keys in its configuration.
    fn with(overrides: Value) -> Way {
        Way { proxy: Setup::new(overrides).start() }
    }

    /// A program in an environment of its own, told of the proxy and its CA as the README says, or of neither.
    fn command(&self, program: impl AsRef<OsStr>, route: Route) -> Command {
        let mut client = Command::new(program);
        client.env_clear().env("HOME", self.proxy.setup.directory());
        for name in ["PATH", "TMPDIR"] {
            client.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        let trusted = match route {
            Route::Direct => self.proxy.setup.directory().join("upstream-roots.pem"),
            Route::Proxied => self.proxy.ca_path(),
        };
        let trust = [
            "SSL_CERT_FILE",
            "CURL_CA_BUNDLE",
            "NODE_EXTRA_CA_CERTS",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        ];
        client.envs(trust.map(|name| (name, &trusted)));
        if route == Route::Proxied {
            let url = self.proxy.url();
            let proxy = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
            client.envs(proxy.map(|name| (name, &url)));
        }
        client
    }

    /// A client of this folder, with its steps.
    fn client(&self, script: &str, route: Route, base: &str, steps: &[&str]) -> Command {
        let mut client = match script.rsplit_once('.') {
            Some((_, "py")) => {
                let mut python = self.command(python(), route);
                // No __pycache__ among the sources.
                python.arg("-B");
                python
            }
            _ => self.command("node", route),
        };
        client.arg(folder().join(script)).arg(base).args(steps).env("TEXT", text());
        client
    }

    /// Plays these steps to their end: what the client printed.
    #[track_caller]
    fn play(&self, script: &str, route: Route, base: &str, steps: &[&str]) -> String {
        let outcome = succeed(&mut self.client(script, route, base, steps));
        assert!(outcome.stdout.ends_with("done\n"), "{}", outcome.text());
        outcome.stdout
    }

    /// Plays these steps directly and through the proxy, which must make no difference to either side.
    #[track_caller]
    fn compare(&self, script: &str, origin: &Program, steps: &[&str]) {
        let base = origin.base();
        let direct = self.play(script, Route::Direct, &base, steps);
        let direct_seen = origin.take_requests();
        let proxied = self.play(script, Route::Proxied, &base, steps);
        assert_same(&proxied, &direct);
        assert_eq!(origin.take_requests(), direct_seen, "{base}: what arrived");
    }

    /// Waits until the proxy has counted so many requests, tunnels aside.
    fn wait_for_requests(&self, count: usize) {
        wait_until(&format!("{count} requests; there is {}", self.proxy.status()), || {
            let counters = self.proxy.status()["counters"].take();
            let number = |name: &str| counters[name].as_u64().unwrap();
            number("requests") - number("connects") == count as u64
        });
    }
}

/// Shows the first line in which what came back by the proxy differs.
#[track_caller]
fn assert_same(proxied: &str, direct: &str) {
    for (proxied, direct) in proxied.lines().zip(direct.lines()) {
        assert_eq!(proxied, direct, "what came back");
    }
    assert_eq!(proxied, direct, "what came back");
}

/// What the clients send: exactly one pattern matches it, once.
fn text() -> String {
    format!("note: {} was read", sample("unix_sensitive").text())
}

/// The findings of an origin: direction, pattern and view, in order; none may be of another place.
#[track_caller]
fn found(findings: &[Finding], origin: &Program) -> Vec<(String, String, String)> {
    let protocol = origin.base().split(':').next().unwrap().to_owned();
    let mut found: Vec<_> = findings
        .iter()
        .map(|finding| {
            let place = (finding.dest.clone(), finding.protocol.clone());
            assert_eq!(place, (origin.dest(), protocol.clone()), "{finding:?}");
            (finding.direction.clone(), finding.pattern.clone(), finding.view.clone())
        })
        .collect();
    found.sort_unstable();
    found
}

/// What [`found`] is to be: the sample, by direction and view.
fn expected(expected: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(direction, view)| {
            ((*direction).to_owned(), "unix_sensitive".to_owned(), (*view).to_owned())
        })
        .collect();
    expected.sort_unstable();
    expected
}

/// Runs a client to its end, which must be a good one.
#[track_caller]
fn succeed(client: &mut Command) -> Outcome {
    let what = format!("{client:?}");
    run_for(client, LIMIT).expect_success(&what)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http2")
}

/// The interpreter with the packages of the tests.
fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    assert!(python.exists(), "{} is missing: `make test` installs it", python.display());
    python
}
