//! What passes through, unchanged and at once; what does not, and what the client is told instead.

#[path = "../support/mod.rs"]
mod support;

mod chain;
mod connections;
mod ends;
mod framing;
mod gateway;
mod heads;
mod limits;
mod policies;
mod streaming;
mod tls;
mod tunnels;
mod turns;
mod uploads;
mod upstream_failures;

use support::Response;

/// An answer of the proxy's own: its status, a JSON body that says so, and a Proxy-Status (RFC 9209) with
/// one of these error types.
#[track_caller]
fn assert_own_answer(response: &Response, status: u16, errors: &[&str]) {
    assert_eq!(response.status(), status, "{}", response.text());
    assert_eq!(response.json()["status"], status, "{}", response.text());
    let proxy_status = response.header("proxy-status").expect("Proxy-Status");
    let named = errors.iter().any(|error| proxy_status.contains(&format!("error={error}")));
    assert!(named, "{errors:?}: {proxy_status}");
}
