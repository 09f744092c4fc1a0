//! Whether a monitor runs on a log folder, and where its clients reach it. Changes nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::credentials::Credentials;
use super::log_dir;
use super::pid_file::{self, Instance};
use crate::config::CREDENTIALS_VARIABLE;
use crate::report::state::{self, State};

/// What was found.
#[derive(Debug)]
pub enum Monitor {
    Stopped,
    /// It holds the lock, and has not said yet where it listens.
    Starting,
    Running(Box<State>),
    /// The original in Python.
    Original {
        pid: u32,
    },
}

/// Looks.
pub fn look(log_dir: &Path) -> Result<Monitor, String> {
    let instance =
        pid_file::inspect(log_dir).map_err(|error| log_dir::unreadable(log_dir, &error))?;
    Ok(match instance {
        Instance::Stopped | Instance::Stale => Monitor::Stopped,
        Instance::Original { pid } => Monitor::Original { pid },
        Instance::Running { pid, .. } => match state::read(log_dir) {
            // A file that an earlier, killed monitor left says nothing about this one.
            Ok(state) if Some(state.pid) == pid => Monitor::Running(Box::new(state)),
            _ => Monitor::Starting,
        },
    })
}

/// Where clients on this machine reach a listener: one on every address is reached by the loopback.
pub fn client_address(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

/// Whether there are credentials for a monitor that asks for them.
pub fn check_credentials(
    state: &State,
    inherited: &dyn Fn(&str) -> Option<String>,
) -> Result<(), String> {
    if !state.asks_for_credentials || Credentials::inherited(inherited).is_some() {
        return Ok(());
    }
    Err(format!(
        "the proxy asks for credentials (proxy_auth): set {CREDENTIALS_VARIABLE} to user:secret"
    ))
}

/// Where the running monitor's proxy is reached, or why it is not.
pub fn proxy_address(state: &State) -> Result<SocketAddr, String> {
    let listener = state.listeners.proxy.as_deref();
    let address = listener.and_then(|address| address.parse().ok()).map(client_address);
    address.ok_or_else(|| {
        format!(
            "the running monitor (PID {}) has no proxy listener: enable_http_proxy is false",
            state.pid
        )
    })
}

/// An error of asking the monitor, in words: a time that ran out is EAGAIN, which says nothing.
pub fn said_of(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_reached_by_the_loopback() {
        for (listener, reached) in [
            ("0.0.0.0:8888", "127.0.0.1:8888"),
            ("[::]:8888", "[::1]:8888"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("192.0.2.7:8888", "192.0.2.7:8888"),
        ] {
            assert_eq!(client_address(listener.parse().unwrap()).to_string(), reached);
        }
    }

    #[test]
    fn a_folder_without_a_monitor_is_stopped() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(look(dir.path()), Ok(Monitor::Stopped)));
        let _held = pid_file::PidFile::acquire(dir.path()).unwrap();
        assert!(matches!(look(dir.path()), Ok(Monitor::Starting)));
    }

    #[test]
    fn a_monitor_without_a_proxy_is_said() {
        let problem = proxy_address(&State::default()).unwrap_err();
        assert!(problem.contains("enable_http_proxy"), "{problem}");
    }
}
