//! The admin listener: what it answers, whom, how much at a time, and that nobody reaches it through the proxy.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::cause_finding;
use crate::support::{Connection, End, Origin, Proxy, Reply, Setup, json, wait_until};

fn proxy() -> Proxy {
    Proxy::start(json!({"admin_addr": "127.0.0.1:0"}))
}

#[test]
fn health_readiness_and_an_index_are_there_and_nothing_else_is() {
    let proxy = proxy();
    let health = proxy.admin("/healthz");
    assert_eq!((health.status(), health.text().as_str()), (200, "ok\n"));
    assert_eq!(proxy.admin("/readyz").text(), "ready\n");
    assert!(proxy.admin("/").text().contains("/metrics"));
    assert_eq!(proxy.admin("/threat").status(), 404);
    assert_eq!(health.header("cache-control"), Some("no-store"));
    let mut client = Connection::open(proxy.admin_address());
    client.send("HEAD /status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.receive_response_to("HEAD").status(), 200);
    let mut client = Connection::open(proxy.admin_address());
    client.send("HEAD /status HTTP/1.1\r\nHost: rebound.evil.example\r\n\r\n");
    let refused = String::from_utf8(client.receive_to_end().0).unwrap();
    assert!(refused.starts_with("HTTP/1.1 403 ") && refused.ends_with("\r\n\r\n"), "{refused}");
    let mut client = Connection::open(proxy.admin_address());
    client.send("DELETE /threats HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let refused = client.receive_response();
    assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn readiness_ends_with_the_first_word_of_a_shutdown() {
    let origin = Origin::raw(|mut client| {
        client.receive_head();
        std::thread::sleep(Duration::from_secs(60));
    });
    let mut proxy = Proxy::start(json!({"admin_addr": "127.0.0.1:0", "shutdown_timeout_secs": 8}));
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", origin.url("/slow")));
    wait_until("the request at the origin", || origin.connections() == 1);
    proxy.signal(Signal::TERM);
    wait_until("503 while it drains", || proxy.admin("/readyz").status() == 503);
    assert_eq!(proxy.setup.run("healthcheck", &[]).code, Some(1));
    proxy.signal(Signal::TERM);
    proxy.wait_exit();
}

#[test]
fn findings_that_cannot_be_written_are_told_everywhere_and_counted_once_they_are() {
    let origin = Origin::http(|_| Reply::ok("ok"));
    let proxy = proxy();
    std::fs::remove_file(proxy.threats_path()).unwrap();
    // A link is not written to.
    let elsewhere = proxy.setup.directory().join("elsewhere");
    std::fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, proxy.threats_path()).unwrap();
    assert_eq!(proxy.get(&origin.url("/etc/shadow")).status(), 200);
    let failing = "clawsec_findings_write_failing 1\n";
    wait_until("the gauge", || proxy.admin("/metrics").text().contains(failing));
    let counted = || proxy.admin("/metrics").text().contains("\nclawsec_findings_total{");
    assert!(!counted(), "it is in no file");
    let ready = proxy.admin("/readyz");
    assert!(
        ready.status() == 200 && ready.text().contains("cannot be written: "),
        "{}",
        ready.text()
    );
    assert!(proxy.admin("/status").json()["last_error"].is_string());
    let healthy = proxy.setup.run("healthcheck", &[]).expect_success("healthcheck");
    assert!(healthy.stdout.contains("findings cannot be written"), "{}", healthy.stdout);
    std::fs::remove_file(proxy.threats_path()).unwrap();
    proxy.wait_for_finding(|_| true);
    wait_until("the count", counted);
    assert_eq!(proxy.admin("/readyz").text(), "ready\n");
    assert!(proxy.admin("/status").json().get("last_error").is_none());
}

#[test]
fn status_is_told_though_the_findings_cannot_be_read() {
    let proxy = proxy();
    std::fs::remove_file(proxy.threats_path()).unwrap();
    std::fs::create_dir(proxy.threats_path()).unwrap();
    let told = proxy.admin("/status");
    assert_eq!(told.status(), 200);
    assert!(told.json()["threats_error"].is_string());
    let said = proxy.setup.run("status", &[]).expect_success("status").stdout;
    assert!(said.contains("RUNNING") && said.contains("Problem:    threats.jsonl"), "{said}");
}

#[test]
fn status_is_what_the_command_says() {
    let proxy = proxy();
    let status = proxy.admin("/status");
    assert_eq!(status.header("content-type"), Some("application/json"));
    let (mut told, said) = (status.json(), proxy.setup.run("status", &["--json"]).stdout);
    let mut said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["listeners"]["admin"], proxy.admin_address().to_string());
    assert_eq!(told["pid"], proxy.pid());
    for both in [&mut told, &mut said] {
        // They were asked for at different moments.
        for field in ["uptime_secs", "counters"] {
            both.as_object_mut().unwrap().remove(field);
        }
    }
    assert_eq!(told, said);
    let text = proxy.setup.run("status", &[]).stdout;
    assert!(text.contains(&format!("Admin:      {}", proxy.admin_address())), "{text}");
}

/// What was counted behind the last tick was shown with the next one.
#[test]
fn status_is_as_of_now() {
    let proxy = proxy();
    for count in 1..=4 {
        cause_finding(&proxy, &Origin::http(|_| Reply::ok("")));
        let shown: Value = match count % 2 {
            0 => serde_json::from_str(&proxy.admin("/status").text()).unwrap(),
            _ => proxy.status(),
        };
        assert_eq!(shown["threats_written"], count, "{shown}");
        assert_eq!(shown["counters"]["requests"], count, "{shown}");
    }
}

#[test]
fn threats_are_filtered_as_by_the_command() {
    let proxy = proxy();
    let (first, second) = (Origin::http(|_| Reply::ok("")), Origin::http(|_| Reply::ok("")));
    cause_finding(&proxy, &first);
    cause_finding(&proxy, &second);
    let dests = |query: &str| -> Vec<String> {
        let answer = proxy.admin(&format!("/threats{query}"));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let dest = |threat: &Value| threat["dest"].as_str().unwrap().to_owned();
        answer.json().as_array().unwrap().iter().map(dest).collect()
    };
    assert_eq!(dests(""), [second.dest(), first.dest()], "newest first");
    assert_eq!(dests("?limit=1"), [second.dest()]);
    assert_eq!(dests(&format!("?dest={}", first.dest())), [first.dest()]);
    assert_eq!(dests("?pattern=unix*&pattern=x&direction=outbound&type=EXFIL").len(), 2);
    assert_eq!(dests("?since=10m&source=127.0.0.1").len(), 2);
    assert_eq!(dests("?type=INJECTION").len(), 0);
    assert_eq!(dests("?since=0s").len(), 0);
    assert_eq!(dests("?severity=medium").len(), 2);
    assert_eq!(dests("?severity=high").len(), 0);
    assert_eq!(dests("?all=1").len(), 2);
    assert_eq!(dests("?since=2026-02-19T13:41:59+00:00").len(), 2, "as threats.jsonl has it");
    assert_eq!(dests("?since=2026-02-19T13:41:59%2B00:00").len(), 2);
    for wrong in [
        "?severity=bad",
        "?severity=low&all",
        "?patern=x",
        "?since=soon",
        "?limit=-1",
        "?dest=%zz",
        "?type=FOO",
        "?direction=outbund",
    ] {
        assert_eq!(proxy.admin(&format!("/threats{wrong}")).status(), 400, "{wrong}");
    }
}

#[test]
fn findings_are_streamed_as_they_come() {
    let proxy = proxy();
    let origin = Origin::http(|_| Reply::ok(""));
    cause_finding(&proxy, &origin);
    let mut stream = Connection::open(proxy.admin_address());
    stream.send(
        "GET /threats?limit=1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
    );
    let head = stream.receive_head();
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    let mut event = || -> Value {
        let event = String::from_utf8(stream.receive_through(b"\n\n")).unwrap();
        serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap()
    };
    assert_eq!(event()["dest"], origin.dest(), "the old one that was asked for");
    let another = Origin::http(|_| Reply::ok(""));
    cause_finding(&proxy, &another);
    assert_eq!(event()["dest"], another.dest());
}

/// Its connection was closed without a word.
#[test]
fn a_stream_of_findings_that_cannot_be_read_is_refused_as_the_array_is() {
    let proxy = proxy();
    std::fs::remove_file(proxy.threats_path()).unwrap();
    std::fs::create_dir(proxy.threats_path()).unwrap();
    let asked = |method: &str, query: &str| {
        let mut client = Connection::open(proxy.admin_address());
        client.send(format!("{method} /threats?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        client.receive_response_to(method)
    };
    let array = asked("GET", "");
    assert!(array.status() == 500 && array.text().starts_with("threats.jsonl: "));
    for query in ["follow=1", "follow=1&limit=5"] {
        let stream = asked("GET", query);
        assert_eq!((stream.status(), stream.text()), (500, array.text()), "{query}");
        assert_eq!(stream.header("content-type"), array.header("content-type"));
        assert_eq!(asked("HEAD", query).status(), 500, "{query}");
    }
}

#[test]
fn a_head_of_a_stream_announces_the_stream() {
    let proxy = proxy();
    let mut client = Connection::open(proxy.admin_address());
    client.send("HEAD /threats?follow=1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = String::from_utf8(client.receive_to_end().0).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.contains("\r\nContent-Type: text/event-stream\r\n"), "{head}");
    assert!(!head.contains("Content-Length"), "a stream has none: {head}");
    let mut client = Connection::open(proxy.admin_address());
    client
        .send("GET /threats HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream;q=0\r\n\r\n");
    let answer = client.receive_response();
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[test]
fn a_name_that_nobody_configured_is_refused() {
    let proxy =
        Proxy::start(json!({"admin_addr": "127.0.0.1:0", "admin_hosts": ["*.ops.example"]}));
    let status = |host: &str| {
        let mut client = Connection::open(proxy.admin_address());
        client.send(format!("GET /threats HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client.receive_response().status()
    };
    assert_eq!(status("rebound.evil.example:8889"), 403);
    assert_eq!(status("evil.example."), 403);
    for known in ["a.ops.example", "a.ops.example.", "localhost.", "localhost.:1"] {
        assert_eq!(status(known), 200, "{known}");
    }
    assert_eq!(status("127.0.0.1:1"), 200);
}

#[test]
fn a_request_is_bounded_in_size() {
    let proxy = proxy();
    let mut large = Connection::open(proxy.admin_address());
    let field = "x".repeat(9000);
    let _ = large.try_send(format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {field}\r\n\r\n"));
    assert_eq!(large.receive_response().status(), 431);
}

/// A client that went on sending found the connection reset, and some lost the answer with that.
#[test]
fn a_client_that_is_refused_may_send_its_request_to_the_end() {
    let proxy = proxy();
    for (status, head) in [
        (405, "PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40000\r\n\r\n"),
        (431, "GET / HTTP/1.1\r\nHost: localhost\r\nA: "),
    ] {
        let end = (0..30).find_map(|_| {
            let began = Instant::now();
            let mut client = Connection::open(proxy.admin_address());
            client.send(format!("{head}{}", "x".repeat(10_000)));
            assert_eq!(client.receive_response().status(), status);
            let sent = (0..3).try_for_each(|_| client.try_send("x".repeat(10_000)));
            // It is waited for a second: on a machine that stood still for so long nothing is learnt.
            let is_told = began.elapsed() < Duration::from_millis(800);
            is_told.then(|| sent.map(|()| client.receive_to_end()))
        });
        assert_eq!(end.unwrap().unwrap(), (Vec::new(), End::Closed), "{status}");
    }
}

#[test]
fn unfinished_requests_keep_nobody_from_health() {
    let proxy = proxy();
    let mut silent: Vec<Connection> =
        (0..70).map(|_| Connection::open(proxy.admin_address())).collect();
    let began = Instant::now();
    assert_eq!(proxy.admin("/healthz").status(), 200);
    assert!(proxy.admin("/metrics").status() == 200 && began.elapsed() < Duration::from_secs(4));
    assert_eq!(silent[0].receive_response().status(), 503, "the oldest gave way");
    silent[69].send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(silent[69].receive_response().status(), 200, "the newest did not");
}

#[test]
fn queries_that_take_long_are_few_and_keep_nobody_from_health() {
    let proxy = proxy();
    // It is read only once somebody writes to it.
    std::fs::remove_file(proxy.threats_path()).unwrap();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, proxy.threats_path(), fifo, mode, 0).unwrap();
    let (answered, answers) = std::sync::mpsc::channel();
    for _ in 0..5 {
        let (address, answered) = (proxy.admin_address(), answered.clone());
        std::thread::spawn(move || {
            let mut client = Connection::open(address);
            client.send("GET /threats?pattern=zzz HTTP/1.1\r\nHost: localhost\r\n\r\n");
            answered.send(client.receive_response()).unwrap();
        });
    }
    let next = || answers.recv_timeout(Duration::from_secs(30)).unwrap();
    for _ in 0..3 {
        let refused = next();
        assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("1")));
    }
    assert_eq!(proxy.admin("/healthz").status(), 200);
    assert_eq!(proxy.admin("/metrics").status(), 200);
    let _writer = std::fs::OpenOptions::new().read(true).write(true).open(proxy.threats_path());
    for _ in 0..2 {
        assert_eq!(next().status(), 500, "no file to read backwards");
    }
}

/// What a process has read so far, and how many of its threads serve connections of the admin listener.
fn read_and_serving(pid: u32) -> (u64, usize) {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let read = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let names =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    (read.parse().unwrap(), names.filter(|name| name.starts_with("clawsec-admin-")).count())
}

#[test]
fn a_query_whose_client_has_left_ends_before_all_is_read() {
    const BYTES: usize = 64 << 20;
    let proxy = proxy();
    std::fs::write(proxy.threats_path(), b"{}\n".repeat(BYTES / 3)).unwrap();
    let (before, _) = read_and_serving(proxy.pid());
    for query in ["", "&limit=9&follow=1"] {
        let mut client = Connection::open(proxy.admin_address());
        client.send(format!("GET /threats?pattern=zzz{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        drop(client);
    }
    assert_eq!(proxy.admin("/healthz").status(), 200, "it was accepted after them");
    wait_until("the ends of the queries", || read_and_serving(proxy.pid()).1 == 0);
    let read = read_and_serving(proxy.pid()).0 - before;
    assert!(read < BYTES as u64 / 2, "{read} of twice {BYTES}");
}

#[test]
fn a_client_that_only_says_no_more_gets_its_answer() {
    let proxy = proxy();
    cause_finding(&proxy, &Origin::http(|_| Reply::ok("")));
    for version in ["1.0", "1.1"] {
        let mut client = Connection::open(proxy.admin_address());
        client.send(format!("GET /threats HTTP/{version}\r\nHost: localhost\r\n\r\n"));
        client.finish_sending();
        let answer = String::from_utf8(client.receive_to_end().0).unwrap();
        let answer = answer.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("unix_sensitive"),
            "{answer}"
        );
    }
}

#[test]
fn it_is_out_of_reach_through_the_proxy_by_any_spelling() {
    let proxy = proxy();
    let port = proxy.admin_address().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "127.0.0.1.",
    ] {
        let dest = format!("{host}:{port}");
        let answer = proxy.exchange(format!(
            "GET http://{dest}/threats HTTP/1.1\r\nHost: {dest}\r\nConnection: close\r\n\r\n"
        ));
        assert!(answer.status() >= 400, "{dest}: {}", answer.text());
        assert!(!answer.text().contains("timestamp"), "{dest}");
        let (_, answer) = proxy.request_tunnel(&dest);
        assert!(answer.status() >= 400, "CONNECT {dest}: {}", answer.text());
    }
    let mut rebound = proxy.connect();
    rebound.send(format!("GET /status HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"));
    let answer = rebound.receive_response();
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.json()["error"], "proxy_loop_detected", "{}", answer.text());
}

#[test]
fn an_address_that_is_taken_is_an_error_if_somebody_asked_for_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refused = Setup::new(json!({"admin_addr": address})).start_refused();
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains(&format!("admin_addr {address}")), "{}", refused.stderr);
}

#[test]
fn the_default_address_gives_way_when_it_is_taken() {
    // It may be taken by somebody else already, which serves as well.
    let _taken = TcpListener::bind("127.0.0.1:8889");
    let proxy = Proxy::start(json!({"admin_addr": null}));
    proxy.wait_for_log(&["WARNING", "no admin listener", "127.0.0.1:8889"]);
    let status: Value =
        serde_json::from_str(&proxy.setup.run("status", &["--json"]).stdout).unwrap();
    assert_eq!(status["listeners"].get("admin"), None);
}
