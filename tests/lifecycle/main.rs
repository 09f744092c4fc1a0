//! From `start` to `stop`: configuration, PID file, ports, files, commands, signals.

#[path = "../support/mod.rs"]
mod support;

mod authority;
mod commands;
mod config;
mod files;
mod load;
mod shutdown;
mod start;

use support::samples::sample;
use support::{Origin, Proxy};

/// Sends a text that one pattern matches, so that there is a finding.
fn cause_finding(proxy: &Proxy, origin: &Origin) {
    let text = sample("unix_sensitive").text();
    let response = proxy.get(&origin.url(&text));
    assert_eq!(response.status(), 200, "{}", response.text());
}
