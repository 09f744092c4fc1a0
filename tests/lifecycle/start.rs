//! One monitor a `log_dir`, one a port; whatever an earlier one left behind.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::support::origin::unused_address;
use crate::support::run::wait_child;
use crate::support::{
    Connection, DEADLINE, Origin, Proxy, Reply, Setup, json, wait_for, wait_until,
};

fn pid_file(proxy: &Proxy) -> String {
    fs::read_to_string(proxy.log_dir().join("monitor.pid")).unwrap()
}

/// A process that has nothing to do with a monitor; killed when dropped.
struct Stranger(Child);

impl Stranger {
    fn start() -> Stranger {
        Stranger(Command::new("sleep").arg("600").spawn().unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn start_writes_its_pid_and_a_stop_removes_it() {
    let proxy = Proxy::start(json!({}));
    assert_eq!(pid_file(&proxy).trim(), proxy.pid().to_string());
    let setup = proxy.stop();
    assert!(!setup.log_dir().join("monitor.pid").exists());
    assert!(!setup.log_dir().join("monitor.json").exists());
}

#[test]
fn a_pid_file_of_nobody_is_stale() {
    let setup = Setup::new(json!({}));
    fs::write(setup.log_dir().join("monitor.pid"), "99999999\n").unwrap();
    let status = setup.run("status", &[]);
    assert_eq!(status.code, Some(3), "{}", status.text());
    let proxy = setup.start();
    assert_eq!(pid_file(&proxy).trim(), proxy.pid().to_string());
}

#[test]
fn a_pid_file_whose_number_was_given_to_another_process_is_stale() {
    let mut stranger = Stranger::start();
    let setup = Setup::new(json!({}));
    let path = setup.log_dir().join("monitor.pid");
    fs::write(&path, format!("{}\n", stranger.0.id())).unwrap();
    let status = setup.run("status", &[]);
    assert_eq!(status.code, Some(3), "{}", status.text());
    let proxy = setup.start();
    assert_eq!(pid_file(&proxy).trim(), proxy.pid().to_string());
    let setup = proxy.stop();
    fs::write(&path, format!("{}\n", stranger.0.id())).unwrap();
    setup.run("stop", &[]).expect_success("stop");
    assert!(!path.exists(), "the stale file is removed");
    assert!(stranger.0.try_wait().unwrap().is_none(), "the stranger still runs");
}

#[test]
fn a_pid_file_of_garbage_is_stale() {
    let setup = Setup::new(json!({}));
    fs::write(setup.log_dir().join("monitor.pid"), "\u{0}not a number").unwrap();
    let proxy = setup.start();
    assert_eq!(pid_file(&proxy).trim(), proxy.pid().to_string());
}

#[test]
fn a_second_start_says_who_is_running() {
    let proxy = Proxy::start(json!({}));
    let refused = proxy.setup.start_refused();
    assert_eq!(refused.code, Some(1), "{}", refused.text());
    assert!(refused.text().contains(&proxy.pid().to_string()), "{}", refused.text());
    assert_eq!(pid_file(&proxy).trim(), proxy.pid().to_string());
    let origin = Origin::http(|_| Reply::ok("still here"));
    assert_eq!(proxy.get(&origin.url("/")).text(), "still here");
}

#[test]
fn a_port_taken_by_another_program_is_an_error_that_names_it() {
    for key in ["proxy_port", "gateway_local_port"] {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let refused = Setup::new(json!({ key: port })).start_refused();
        assert_eq!(refused.code, Some(1), "{}", refused.text());
        assert!(refused.text().contains(&port.to_string()), "{}", refused.text());
    }
}

#[test]
fn a_port_taken_by_another_monitor_is_an_error_that_names_it_and_its_owner() {
    let first = Proxy::start(json!({}));
    let port = first.address().port();
    let refused = Setup::new(json!({ "proxy_port": port })).start_refused();
    assert_eq!(refused.code, Some(1), "{}", refused.text());
    assert!(refused.text().contains(&port.to_string()), "{}", refused.text());
    assert!(refused.text().contains(&first.pid().to_string()), "{}", refused.text());
}

#[test]
fn both_ports_on_one_number_are_an_error() {
    let port = unused_address().port();
    let refused =
        Setup::new(json!({ "proxy_port": port, "gateway_local_port": port })).start_refused();
    assert_ne!(refused.code, Some(0), "{}", refused.text());
    assert!(refused.text().contains(&port.to_string()), "{}", refused.text());
}

#[test]
fn a_port_that_was_just_used_can_be_used_again() {
    let address = unused_address();
    let keys = json!({ "proxy_port": address.port() });
    let proxy = Proxy::start(keys);
    let origin = Origin::http(|_| Reply::ok("once").then_close());
    // The proxy closes first, so that its side of the connection lingers in TIME_WAIT.
    let mut client = proxy.connect();
    client.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        origin.url("/"),
        origin.dest()
    ));
    assert_eq!(client.receive_response().text(), "once");
    client.receive_to_end();
    let again = proxy.stop().start();
    assert_eq!(again.address(), address);
    assert_eq!(again.get(&origin.url("/")).text(), "once");
}

#[test]
fn port_0_is_named_by_the_log_and_by_status() {
    let proxy = Proxy::start(json!({}));
    for address in [proxy.address(), proxy.gateway_address()] {
        assert_ne!(address.port(), 0);
        proxy.wait_for_log(&[&address.to_string()]);
        let status = proxy.setup.run("status", &[]);
        assert!(status.stdout.contains(&address.to_string()), "{}", status.stdout);
    }
}

#[test]
fn several_workers_share_the_port() {
    let proxy = Proxy::start(json!({ "workers": 2 }));
    let origin = Origin::http(|request| Reply::ok(request.target()));
    for number in 0..32 {
        let path = format!("/{number}");
        assert_eq!(proxy.get(&origin.url(&path)).text(), path);
    }
    assert_eq!(proxy.status()["workers"], 2);
}

#[test]
fn the_listeners_are_on_the_loopback_only() {
    let proxy = Proxy::start(json!({}));
    assert!(proxy.address().ip().is_loopback());
    assert!(proxy.gateway_address().ip().is_loopback());
    drop(Connection::open(proxy.address()));
}

#[test]
fn of_several_starts_at_once_one_wins() {
    let setup = Setup::new(json!({}));
    let start = || {
        let mut command = setup.command("start", &[]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut racers: Vec<Child> = (0..4).map(|_| start()).collect();
    let mut refused = Vec::new();
    wait_until("all but one to give up", || {
        racers.retain_mut(|racer| match racer.try_wait().unwrap() {
            Some(status) => {
                refused.push(status.code());
                false
            }
            None => true,
        });
        racers.len() <= 1
    });
    let winner = wait_for("the winner", || {
        let state = fs::read(setup.log_dir().join("monitor.json")).ok()?;
        serde_json::from_slice::<serde_json::Value>(&state).ok()?["pid"].as_u64()
    });
    let ids: Vec<u64> = racers.iter().map(|racer| u64::from(racer.id())).collect();
    let stopped = setup.run("stop", &[]);
    for racer in &mut racers {
        assert!(wait_child(racer, DEADLINE).is_some(), "the winner ends");
    }
    assert_eq!(ids, [winner]);
    assert_eq!(refused, [Some(1); 3]);
    stopped.expect_success("stop");
}
