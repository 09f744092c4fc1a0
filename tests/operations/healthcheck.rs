//! `clawsec healthcheck`, with and without an admin listener.

use rustix::process::Signal;

use crate::support::{Proxy, Setup, json};

#[test]
fn a_monitor_that_serves_is_healthy_by_either_way() {
    for (admin_addr, words) in [("127.0.0.1:0", "healthy: ready"), ("", "healthy: accepts")] {
        let proxy = Proxy::start(json!({"admin_addr": admin_addr}));
        let outcome = proxy.setup.run("healthcheck", &[]).expect_success("healthcheck");
        assert!(outcome.stdout.starts_with(words), "{}", outcome.stdout);
    }
}

#[test]
fn one_that_does_not_run_or_was_killed_is_not() {
    let outcome = Setup::new(json!({})).run("healthcheck", &[]);
    assert_eq!((outcome.code, outcome.stderr.contains("not running")), (Some(1), true));
    let mut proxy = Proxy::start(json!({}));
    proxy.signal(Signal::KILL);
    proxy.wait_exit();
    let outcome = proxy.setup.run("healthcheck", &[]);
    assert_eq!((outcome.code, outcome.stderr.contains("not running")), (Some(1), true));
}

#[test]
fn one_that_stands_still_is_not() {
    let proxy = Proxy::start(json!({"admin_addr": "127.0.0.1:0"}));
    proxy.signal(Signal::STOP);
    let outcome = proxy.setup.run("healthcheck", &[]);
    proxy.signal(Signal::CONT);
    assert_eq!(outcome.code, Some(1), "{}", outcome.text());
}
