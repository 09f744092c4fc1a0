//! The black-box harness: starts the built binary, plays its clients and its origins, and reads what it
//! wrote. Owns no expectation of its own and touches no internal of the proxy: bytes in; bytes and JSONL out.
//!
//! Plain threads and blocking sockets, every wait bounded by [`DEADLINE`] and ended by a condition: a test
//! never sleeps to let something happen.
#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of the harness")]

pub mod connection;
pub mod conversation;
pub mod encodings;
pub mod git_server;
pub mod message;
pub mod origin;
pub mod proxy;
pub mod run;
pub mod samples;
pub mod tls;

use std::time::{Duration, Instant};

pub use connection::{Connection, End};
pub use message::{Head, Request, Response};
pub use origin::{Origin, Reply};
pub use proxy::{Finding, Proxy, Setup};
pub use samples::{SAMPLES, Sample};
pub use serde_json::json;

/// How long anything may take before the test gives up: generous, since it is only ever reached by a fault, and
/// a loaded machine may stand still for a while.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Polls until the probe gives a value; fails, naming what was awaited, at the deadline.
pub fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(started.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// [`wait_for`] of a condition.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}
