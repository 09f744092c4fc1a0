//! The clients that agents use, through the running binary: each does the same things directly and through the
//! proxy, clear and inside TLS; neither side may see a difference, and each leaves its findings.
//! `make test` installs them.

#[path = "../support/mod.rs"]
mod support;

mod curl;
mod libraries;
mod stage;
mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use stage::Stage;
use support::run::{Outcome, run_for};
use support::tls::{self, Shown};
use support::{Finding, Proxy, json};

/// No client takes longer, however busy the machine.
const LIMIT: Duration = Duration::from_secs(180);

/// What tells clients of a proxy and of whom to trust.
const PROXY_VARIABLES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"];
const TRUST_VARIABLES: [&str; 6] = [
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
];

/// How a client reaches its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Direct,
    Proxied,
}

/// The proxy between a client and two origins that answer alike.
struct Way {
    proxy: Proxy,
    clear: Stage,
    encrypted: Stage,
}

/// One of the origins.
struct End<'a> {
    stage: &'a Stage,
    base: String,
    protocol: &'static str,
}

impl Way {
    fn new() -> Way {
        Way {
            proxy: Proxy::start(json!({})),
            clear: Stage::start(None),
            encrypted: Stage::start(Some(tls::server(Shown::Valid))),
        }
    }

    fn ends(&self) -> [End<'_>; 2] {
        [("http", &self.clear), ("https", &self.encrypted)].map(|(protocol, stage)| End {
            stage,
            base: format!("{protocol}://{}", stage.local_dest()),
            protocol,
        })
    }

    /// A program in an environment of its own, told of the proxy and its CA as the README says, or of neither.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, route: Route) -> Command {
        let mut client = Command::new(program);
        client.env_clear().env("HOME", self.proxy.setup.directory());
        for name in ["PATH", "TMPDIR"] {
            client.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        let trusted = self.trusted(route);
        client.envs(TRUST_VARIABLES.map(|name| (name, &trusted)));
        if route == Route::Proxied {
            let url = self.proxy.url();
            client.envs(PROXY_VARIABLES.map(|name| (name, &url)));
        }
        client
    }

    /// The roots that a client needs.
    fn trusted(&self, route: Route) -> PathBuf {
        match route {
            Route::Direct => self.proxy.setup.directory().join("upstream-roots.pem"),
            Route::Proxied => self.proxy.ca_path(),
        }
    }

    /// Whether exactly this was found at the end: a pattern a direction.
    #[track_caller]
    fn assert_found(&self, findings: &[Finding], end: &End, expected: &[(&str, &str)]) {
        let at_end = |finding: &&Finding| {
            finding.dest == end.stage.local_dest() && finding.protocol == end.protocol
        };
        let mut found: Vec<_> = findings
            .iter()
            .filter(at_end)
            .map(|finding| (finding.direction.as_str(), finding.pattern.as_str()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{}: {findings:?}", end.base);
    }
}

/// Runs a client to its end, which must be a good one.
#[track_caller]
fn succeed(client: &mut Command) -> Outcome {
    let what = format!("{client:?}");
    run_for(client, LIMIT).expect_success(&what)
}

fn clients_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// A path that `make test` makes; fails where it is missing.
fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(path.exists(), "{} is missing: `make test` installs it", path.display());
    path
}
