//! Running it for real: the admin listener, proxy access, the service manager, reloads, containers, and what is
//! written for operators and agents.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod admin;
mod confined;
mod deploy;
mod documents;
mod healthcheck;
mod metrics;
mod reload;
mod reload_connections;
mod reload_under_way;
mod repeats;
mod service;

use support::samples::sample;
use support::{Origin, Proxy};

/// Sends a text that one pattern matches, so that there is a finding.
fn cause_finding(proxy: &Proxy, origin: &Origin) {
    let text = sample("unix_sensitive").text();
    let response = proxy.get(&origin.url(&text));
    assert_eq!(response.status(), 200, "{}", response.text());
    proxy.wait_for_finding(|finding| finding.dest == origin.dest());
}

/// One field's hash of an invented secret, as `clawsec hash-secret` prints it.
fn hash_of(secret: &str) -> String {
    let mut command = support::proxy::clean_command();
    command.arg("hash-secret");
    let input = format!("{secret}\n");
    let outcome = support::run::run_with_input(&mut command, &input);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.stdout.trim_end().to_owned()
}
