//! Many at once.

use std::sync::{Arc, Barrier};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::cause_finding;
use crate::support::samples::sample;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, Origin, Proxy, Reply, json, wait_until};

const CLIENTS: usize = 300;
const TLS_CLIENTS: usize = 50;

#[test]
fn three_hundred_connections_at_once_are_answered_and_inspected() {
    let proxy = Proxy::start(json!({ "workers": 2 }));
    // Nobody is answered before everybody has asked.
    let barrier = Arc::new(Barrier::new(CLIENTS));
    let origin = Origin::http(move |request| {
        barrier.wait();
        Reply::ok(request.target())
    });
    let mut clients: Vec<Connection> = (0..CLIENTS).map(|_| proxy.connect()).collect();
    let text = sample("unix_sensitive").text();
    for (number, client) in clients.iter_mut().enumerate() {
        let (url, dest) = (origin.url(&format!("/{number}{text}")), origin.dest());
        client.send(format!("GET {url} HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.receive_response().text(), format!("/{number}{text}"));
    }
    // One in the request, none in the head of the answer, one in its body.
    let findings = proxy.settled_findings();
    let outbound = findings.iter().filter(|finding| finding.direction == "outbound").count();
    assert_eq!((outbound, findings.len()), (CLIENTS, 2 * CLIENTS));
}

#[test]
fn fifty_intercepted_connections_at_once_are_answered() {
    let proxy = Proxy::start(json!({ "workers": 2 }));
    let barrier = Arc::new(Barrier::new(TLS_CLIENTS));
    let origin = Origin::https(tls::server(Shown::Valid), move |request| {
        barrier.wait();
        Reply::ok(request.target())
    });
    let mut clients: Vec<Connection> =
        (0..TLS_CLIENTS).map(|_| proxy.https(&origin.local_dest())).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(format!("GET /{number} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    for (number, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.receive_response().text(), format!("/{number}"));
    }
}

/// How many files the process has open.
fn open_files(proxy: &Proxy) -> u64 {
    std::fs::read_dir(format!("/proc/{}/fd", proxy.pid())).unwrap().count() as u64
}

#[test]
fn running_out_of_files_is_told_once_and_survived() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let pid = Pid::from_raw(i32::try_from(proxy.pid()).unwrap());
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(open_files(&proxy) + 8), maximum };
    let before = prlimit(pid, Resource::Nofile, limit).unwrap();
    let clients: Vec<Connection> = (0..40).map(|_| proxy.connect()).collect();
    let line = proxy.wait_for_log(&["ERROR", "accept"]);
    prlimit(pid, Resource::Nofile, before).unwrap();
    drop(clients);
    assert_eq!(proxy.get(&origin.url("/")).text(), "ok");
    let told = proxy.log().lines().filter(|line| line.contains("accept")).count();
    assert_eq!(told, 1, "{line}");
}

/// glommio counts the wakers of a task in an i16; a worker that collected one for each connection stopped
/// accepting after some 32,000 of them.
#[test]
fn a_worker_accepts_more_connections_than_a_task_may_have_wakers() {
    const CONNECTIONS: usize = i16::MAX as usize + 2_000;
    let proxy = Proxy::start(json!({}));
    for _ in 0..CONNECTIONS {
        // A reset leaves no port in TIME_WAIT.
        proxy.connect().reset();
    }
    let origin = Origin::http(|_| Reply::ok("still here"));
    assert_eq!(proxy.get(&origin.url("/")).text(), "still here");
    assert!(!proxy.log().contains("accepting failed"), "a reset is no failure to accept");
}

/// `ulimit -f`, or `LimitFSIZE` of a service: a write beyond it also raises SIGXFSZ, whose default ends a process.
#[test]
fn a_limit_of_file_sizes_ends_no_monitor_and_loses_no_finding() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let pid = Pid::from_raw(proxy.pid().cast_signed());
    let maximum = getrlimit(Resource::Fsize).maximum;
    let nothing_more = Rlimit { current: Some(1), maximum };
    let before = prlimit(pid, Resource::Fsize, nothing_more).unwrap();
    for _ in 0..3 {
        cause_finding(&proxy, &origin);
    }
    assert_eq!(proxy.threats_text(), "");
    prlimit(pid, Resource::Fsize, before).unwrap();
    cause_finding(&proxy, &origin);
    wait_until("the findings that were held back", || proxy.findings().len() == 4);
}
