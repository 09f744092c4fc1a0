//! The service manager's side of the wire: a socket that the test made, and what is said on it.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Proxy, Setup, json};

fn received(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 512];
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let len = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..len].to_vec()).unwrap()
}

fn start(socket: &str, watchdog_usec: Option<&str>) -> Proxy {
    let mut setup = Setup::new(json!({})).environment("NOTIFY_SOCKET", socket);
    if let Some(microseconds) = watchdog_usec {
        setup = setup.environment("WATCHDOG_USEC", microseconds);
    }
    setup.start()
}

#[test]
fn it_says_ready_reloading_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut proxy = start(path.to_str().unwrap(), None);
    let ready = received(&socket);
    assert_eq!(ready, format!("READY=1\nSTATUS=inspecting on {}", proxy.address()));
    proxy.signal(Signal::HUP);
    let reloading = received(&socket);
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert!(received(&socket).starts_with("READY=1"));
    proxy.signal(Signal::TERM);
    assert_eq!(received(&socket), "STOPPING=1");
    assert_eq!(proxy.wait_exit(), Some(0));
}

#[test]
fn it_gives_signs_of_life_on_an_abstract_socket_too() {
    let name = format!("clawsec-service-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    let _proxy = start(&format!("@{name}"), Some("900000"));
    assert!(received(&socket).starts_with("READY=1"));
    for _ in 0..3 {
        assert_eq!(received(&socket), "WATCHDOG=1");
    }
}

#[test]
fn a_socket_that_nobody_made_hinders_nothing() {
    let proxy = start("/nonexistent/notify", Some("900000"));
    proxy.signal(Signal::HUP);
    proxy.wait_for_log(&["Configuration reloaded"]);
    proxy.stop();
}
