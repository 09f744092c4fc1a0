//! Signals and signs of life while a reload is under way. A configuration file that is a pipe holds it up for as long
//! as the test wants.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::support::{Origin, Proxy, Reply, Setup, json, wait_until};

/// A monitor in the middle of a reload, the bytes that its configuration file had, and the pipe that it reads now.
fn in_a_reload(setup: Setup) -> (Proxy, String, File, PathBuf) {
    let proxy = setup.start();
    let path = proxy.setup.directory().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    proxy.signal(Signal::HUP);
    // Opens once there is a reader.
    let pipe = File::options().write(true).open(&path).unwrap();
    (proxy, text, pipe, path)
}

#[test]
fn a_signal_to_end_is_heard_during_a_reload() {
    let (mut proxy, _, _pipe, _) = in_a_reload(Setup::new(json!({})));
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait_exit(), Some(0), "{}", proxy.log());
    assert!(!proxy.log().contains("Configuration reloaded"), "{}", proxy.log());
    assert!(!proxy.log_dir().join("monitor.pid").exists());
}

#[test]
fn the_service_manager_hears_of_life_during_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let setup = Setup::new(json!({}))
        .environment("NOTIFY_SOCKET", path.to_str().unwrap())
        .environment("WATCHDOG_USEC", "900000");
    let (_proxy, text, mut pipe, _) = in_a_reload(setup);
    let received = || {
        let mut bytes = [0; 512];
        let len = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    };
    while !received().starts_with("RELOADING=1") {}
    for _ in 0..3 {
        assert_eq!(received(), "WATCHDOG=1");
    }
    pipe.write_all(text.as_bytes()).unwrap();
    drop(pipe);
    while !received().starts_with("READY=1") {}
}

#[test]
fn a_reload_that_is_asked_for_during_another_comes_after_it() {
    let origin = Origin::http(|request| Reply::ok(request.header("via").unwrap_or("none")));
    let (proxy, text, mut pipe, path) = in_a_reload(Setup::new(json!({})));
    let newer = text.replacen('{', "{\"add_via\": true, ", 1);
    let beside = path.with_extension("newer");
    fs::write(&beside, newer).unwrap();
    fs::rename(&beside, &path).unwrap();
    proxy.signal(Signal::HUP);
    proxy.signal(Signal::HUP);
    pipe.write_all(text.as_bytes()).unwrap();
    drop(pipe);
    wait_until("the newer file holds", || proxy.get(&origin.url("/")).text() == "1.1 clawsec");
}
