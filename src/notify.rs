//! Word to the service manager that started this process (sd_notify(3)): datagrams to the socket that
//! NOTIFY_SOCKET names. Without one nothing is said. Knows no state of the monitor.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The way to the service manager.
#[derive(Debug)]
pub struct Notifier {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants a sign of life, and when it had the last one.
    watchdog: Option<(Duration, Instant)>,
}

impl Notifier {
    /// By this process's environment. A socket that cannot be used is logged, and no error: the service
    /// manager will say what it misses.
    pub fn from_environment(now: Instant) -> Notifier {
        let watchdog = watchdog_interval(
            env::var("WATCHDOG_USEC").ok().as_deref(),
            env::var("WATCHDOG_PID").ok().as_deref(),
        );
        Notifier::new(env::var_os("NOTIFY_SOCKET").as_deref(), watchdog, now)
    }

    fn new(socket: Option<&OsStr>, watchdog: Option<Duration>, now: Instant) -> Notifier {
        let to = socket.filter(|name| !name.is_empty()).and_then(|name| {
            let opened = address(name).and_then(|address| Ok((UnixDatagram::unbound()?, address)));
            opened.inspect_err(|error| log::warn!("NOTIFY_SOCKET {}: {error}", name.display())).ok()
        });
        Notifier { watchdog: watchdog.filter(|_| to.is_some()).map(|every| (every, now)), to }
    }

    /// It serves.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// It reads its configuration again; [`Notifier::ready`] ends that.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1000);
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}"));
    }

    /// It ends.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// A sign of life, as often as it is wanted.
    pub fn alive(&mut self, now: Instant) {
        let Some((every, last)) = &mut self.watchdog else { return };
        if now.saturating_duration_since(*last) >= *every {
            *last = now;
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, state: &str) {
        let Some((socket, address)) = &self.to else { return };
        if let Err(error) = socket.send_to_addr(state.as_bytes(), address) {
            log::debug!("the service manager cannot be told {state:?}: {error}");
        }
    }
}

/// A path, or with `@` in front an abstract name.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().split_first() {
        Some((b'@', rest)) => SocketAddr::from_abstract_name(rest),
        Some((b'/', _)) => SocketAddr::from_pathname(name),
        _ => Err(io::Error::other("neither a path nor an abstract name")),
    }
}

/// A third of the time after which the service manager gives up on us, if it watches this very process.
fn watchdog_interval(microseconds: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let limit: u64 = microseconds?.parse().ok()?;
    let is_ours = pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    (limit > 0 && is_ours).then(|| Duration::from_micros(limit / 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let len = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..len].to_vec()).unwrap()
    }

    #[test]
    fn it_is_told_under_an_abstract_name_too() {
        let name = format!("clawsec-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let named = format!("@{name}");
        let mut notifier = Notifier::new(Some(OsStr::new(&named)), Some(second), now);
        notifier.ready("on 127.0.0.1:8888");
        assert_eq!(received(&socket), "READY=1\nSTATUS=on 127.0.0.1:8888");
        notifier.reloading();
        let reloading = received(&socket);
        let microseconds = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(microseconds.parse::<u64>().unwrap() > 0, "{reloading}");
        notifier.alive(now + second - Duration::from_millis(1));
        notifier.alive(now + second);
        notifier.alive(now + second);
        notifier.stopping();
        assert_eq!(received(&socket), "WATCHDOG=1");
        assert_eq!(received(&socket), "STOPPING=1");
    }

    #[test]
    fn nobody_is_told_where_nobody_asks() {
        for name in [None, Some(""), Some("relative"), Some("/nonexistent/socket")] {
            let mut notifier =
                Notifier::new(name.map(OsStr::new), Some(Duration::ZERO), Instant::now());
            notifier.ready("");
            notifier.alive(Instant::now());
        }
    }

    #[test]
    fn a_watchdog_of_another_process_is_not_ours() {
        let own = std::process::id().to_string();
        assert_eq!(watchdog_interval(Some("3000000"), None), Some(Duration::from_secs(1)));
        assert_eq!(watchdog_interval(Some("3000000"), Some(&own)), Some(Duration::from_secs(1)));
        for (microseconds, pid) in
            [(None, None), (Some("0"), None), (Some("x"), None), (Some("3"), Some("1"))]
        {
            assert_eq!(watchdog_interval(microseconds, pid), None);
        }
    }
}
