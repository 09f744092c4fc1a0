//! `run`: signals, and several runs that share a monitor.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::run::wait_child;
use crate::support::{DEADLINE, Setup, json, wait_until};

/// A run of a shell script, in a process group of its own as a shell would give it.
fn spawn(setup: &Setup, script: &str) -> Child {
    command(setup, script).spawn().unwrap()
}

fn command(setup: &Setup, script: &str) -> Command {
    let mut command = setup.command("run", &["--", "sh", "-c", script]);
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// A script that says when it is ready, and what it was sent, in files.
fn script(setup: &Setup, on_signal: &str) -> (String, std::path::PathBuf) {
    let ready = setup.directory().join("ready");
    let script = format!(
        "trap '{on_signal}' TERM INT HUP USR1; touch {}; while :; do sleep 0.05; done",
        ready.display()
    );
    (script, ready)
}

fn is_running(setup: &Setup) -> bool {
    setup.run("status", &[]).code == Some(0)
}

fn wait_for_file(path: &Path) {
    wait_until(&path.display().to_string(), || path.exists());
}

#[test]
fn signals_are_passed_on_and_the_program_decides() {
    for (sent, name) in
        [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1")]
    {
        let setup = Setup::new(json!({}));
        let (script, ready) = script(&setup, "exit 42");
        let mut child = spawn(&setup, &script);
        wait_for_file(&ready);
        signal(&child, sent);
        assert_eq!(wait_child(&mut child, DEADLINE), Some(Some(42)), "SIG{name}");
        assert!(!is_running(&setup), "SIG{name}");
    }
}

#[test]
fn a_program_that_a_signal_ends_is_told_as_shells_do() {
    let setup = Setup::new(json!({}));
    let ready = setup.directory().join("ready");
    let mut child = spawn(&setup, &format!("touch {}; exec sleep 60", ready.display()));
    wait_for_file(&ready);
    signal(&child, Signal::TERM);
    assert_eq!(wait_child(&mut child, DEADLINE), Some(Some(143)));
}

#[test]
fn the_last_of_several_runs_ends_the_monitor() {
    let setup = Setup::new(json!({}));
    let start = |name: &str| {
        let (ready, go) =
            (setup.directory().join(name), setup.directory().join(format!("{name}-go")));
        let script = format!(
            "touch {}; while ! [ -e {} ]; do sleep 0.05; done",
            ready.display(),
            go.display()
        );
        let child = spawn(&setup, &script);
        (child, ready, go)
    };
    let (mut first, ready, first_go) = start("first");
    wait_for_file(&ready);
    let (mut second, ready, second_go) = start("second");
    wait_for_file(&ready);
    fs::write(first_go, "").unwrap();
    assert_eq!(wait_child(&mut first, DEADLINE), Some(Some(0)));
    assert!(is_running(&setup), "the second still uses it");
    fs::write(second_go, "").unwrap();
    assert_eq!(wait_child(&mut second, DEADLINE), Some(Some(0)));
    assert!(!is_running(&setup), "nobody uses it any more");
}

#[test]
fn runs_that_begin_at_once_share_one_monitor() {
    let setup = Setup::new(json!({}));
    // All made before one is started: making one writes the config file anew.
    let commands: Vec<Command> = (0..3).map(|_| command(&setup, "exit 5")).collect();
    let mut children: Vec<Child> =
        commands.into_iter().map(|mut command| command.spawn().unwrap()).collect();
    for child in &mut children {
        assert_eq!(wait_child(child, DEADLINE), Some(Some(5)));
    }
    assert!(!is_running(&setup));
}

#[test]
fn the_monitor_does_not_get_the_terminals_signals() {
    let setup = Setup::new(json!({}));
    let (script, ready) = script(&setup, "exit 3");
    let mut child = spawn(&setup, &script);
    wait_for_file(&ready);
    // As Ctrl-C does: to the whole group.
    let group = Pid::from_child(&child);
    rustix::process::kill_process_group(group, Signal::INT).unwrap();
    assert_eq!(wait_child(&mut child, DEADLINE), Some(Some(3)));
    let log = fs::read_to_string(setup.log_dir().join("clawsec.log")).unwrap();
    assert!(log.contains("Shutting down (signal 15)"), "{log}");
    assert!(!log.contains("signal 2"), "{log}");
}

#[test]
fn a_log_dir_that_goes_away_leaves_neither_the_run_nor_its_monitor_behind() {
    let setup = Setup::new(json!({}));
    let (ready, go) = (setup.directory().join("ready"), setup.directory().join("go"));
    let pid_file = setup.log_dir().join("monitor.pid");
    let script = format!(
        "cp {} {}; while ! [ -e {} ]; do sleep 0.05; done; exit 7",
        pid_file.display(),
        ready.display(),
        go.display()
    );
    let mut child = spawn(&setup, &script);
    wait_until("the monitor's PID", || fs::read(&ready).is_ok_and(|text| text.ends_with(b"\n")));
    let monitor: i32 = fs::read_to_string(&ready).unwrap().trim().parse().unwrap();
    // The monitor may be writing to it.
    wait_until("the folder to go", || {
        let _ = fs::remove_dir_all(setup.log_dir());
        !setup.log_dir().exists()
    });
    fs::write(go, "").unwrap();
    assert_eq!(wait_child(&mut child, DEADLINE), Some(Some(7)));
    let monitor = Pid::from_raw(monitor).unwrap();
    let gone = rustix::process::test_kill_process(monitor);
    assert!(gone.is_err(), "the monitor runs on");
}

/// It would be full some day, and then hold up whoever writes to it.
#[test]
fn the_monitor_does_not_write_into_a_pipe_that_nobody_reads() {
    let setup = Setup::new(json!({}));
    let (script, ready) = script(&setup, "exit 0");
    let mut child = spawn(&setup, &script);
    wait_for_file(&ready);
    let pid = fs::read_to_string(setup.log_dir().join("monitor.pid")).unwrap();
    let pid = pid.lines().next().unwrap();
    let pipe = fs::read_link(format!("/proc/{pid}/fd/2")).unwrap();
    assert!(pipe.to_str().unwrap().starts_with("pipe:"), "{pipe:?}");
    let open = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
    let open: Vec<_> = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok()).collect();
    assert!(open.len() > 2, "{open:?}");
    assert!(!open.contains(&pipe), "the run keeps the other end: {open:?}");
    signal(&child, Signal::TERM);
    assert_eq!(wait_child(&mut child, DEADLINE), Some(Some(0)));
    assert!(!is_running(&setup));
}
