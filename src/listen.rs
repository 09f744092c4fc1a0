//! The addresses to listen on, settled before any worker starts: SO_REUSEPORT would share a taken port
//! silently, so each is probed by a plain bind first, and then held. Until the workers listen, nothing of the
//! system's tells a held port from a free one to another monitor of the same user; so each has a name as well.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};

use socket2::{Domain, Socket, Type};

/// A port that is ours. The socket never listens; it only keeps the port while the workers bind to it.
#[derive(Debug)]
pub struct Held {
    pub address: SocketAddr,
    _socket: Socket,
    /// What another monitor sees of it; none where the system does not let us.
    _claim: Option<UnixListener>,
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    address: SocketAddr,
    owner: Option<String>,
    cause: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ListenError { address, owner, cause } = self;
        match (cause.kind(), owner) {
            (io::ErrorKind::AddrInUse, Some(owner)) => {
                write!(f, "{address} is taken by {owner}; stop it, or choose another port")
            }
            (io::ErrorKind::AddrInUse, None) => {
                write!(f, "{address} is taken by another program; stop it, or choose another port")
            }
            (io::ErrorKind::PermissionDenied, _) => {
                write!(f, "not allowed to listen on {address}: ports below 1024 need privileges")
            }
            (io::ErrorKind::AddrNotAvailable, _) => {
                write!(f, "{address} is not an address of this machine")
            }
            _ => write!(f, "cannot listen on {address}: {cause}"),
        }
    }
}

/// Makes sure that nobody else has the address, and keeps it. Port 0 becomes a free port.
pub fn hold(address: SocketAddr) -> Result<Held, ListenError> {
    let failed =
        |cause: io::Error| ListenError { address, owner: owner_of_port(address.port()), cause };
    let address = match TcpListener::bind(address) {
        Ok(probe) => probe.local_addr().map_err(failed)?,
        // Connections of an earlier run in TIME_WAIT: they keep a plain bind out, but not ours.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && only_lingers(address.port()) => {
            address
        }
        Err(error) => return Err(failed(error)),
    };
    let claim = claim(address).map_err(|cause| {
        let owner = Some("another ClawSec monitor, which is just starting".to_owned());
        ListenError { address, owner, cause }
    })?;
    let hold = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        Ok(socket)
    };
    Ok(Held { address, _socket: hold().map_err(failed)?, _claim: claim })
}

/// A name for the address that one process has at a time: an abstract Unix socket, which is of the network
/// namespace like the port, and gone with the process. Fails only if somebody else has it.
fn claim(address: SocketAddr) -> io::Result<Option<UnixListener>> {
    let name = format!("clawsec-listener/{address}");
    let claimed =
        UnixAddress::from_abstract_name(name).and_then(|name| UnixListener::bind_addr(&name));
    match claimed {
        Ok(claim) => Ok(Some(claim)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // A sandbox without Unix sockets: then the probe alone must do.
        Err(_) => Ok(None),
    }
}

/// Whether /proc shows connections on a port, and no listener: a port that is bound and nothing else is in no
/// table, and somebody's.
fn only_lingers(port: u16) -> bool {
    let tables = socket_tables();
    tables.iter().any(|table| rows_of(table, port).next().is_some())
        && tables.iter().all(|table| listening_inode(table, port).is_none())
}

fn socket_tables() -> Vec<String> {
    let paths = ["/proc/net/tcp", "/proc/net/tcp6"];
    paths.iter().filter_map(|table| fs::read_to_string(table).ok()).collect()
}

/// `name (PID n)` of the process that listens on a port, as far as /proc lets us see.
fn owner_of_port(port: u16) -> Option<String> {
    let inode = socket_tables().iter().find_map(|table| listening_inode(table, port))?;
    let wanted = format!("socket:[{inode}]");
    let is_process = |entry: &fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
    };
    for process in fs::read_dir("/proc").ok()?.flatten().filter(is_process) {
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        let has_socket = descriptors
            .flatten()
            .any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str() == &*wanted));
        if has_socket {
            let pid = process.file_name();
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (PID {})", name.trim(), pid.to_string_lossy()));
        }
    }
    None
}

/// The inode of the socket that listens on `port`, by a table of /proc/net.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    const STATE_LISTEN: &str = "0A";
    rows_of(table, port).find(|(state, _)| *state == STATE_LISTEN)?.1.parse().ok()
}

/// State and inode of each socket that is bound to `port`, by a table of /proc/net (proc(5)).
fn rows_of(table: &str, port: u16) -> impl Iterator<Item = (&str, &str)> {
    let end = format!(":{port:04X}");
    table.lines().skip(1).filter_map(move |line| {
        let mut columns = line.split_whitespace();
        let is_here = columns.nth(1)?.ends_with(&end);
        let state = columns.nth(1)?;
        let inode = columns.nth(5)?;
        is_here.then_some((state, inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn port_zero_becomes_a_free_port_that_stays_ours() {
        let held = hold(loopback(0)).unwrap();
        assert_ne!(held.address.port(), 0);
        assert!(TcpListener::bind(held.address).is_err());
    }

    #[test]
    fn a_taken_port_names_its_owner() {
        let taken = TcpListener::bind(loopback(0)).unwrap();
        let error = hold(taken.local_addr().unwrap()).unwrap_err().to_string();
        assert!(error.contains(&format!("PID {}", std::process::id())), "{error}");
    }

    /// A port with a connection in TIME_WAIT and nobody who listens.
    fn lingering() -> SocketAddr {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.set_reuse_port(true).unwrap();
        listener.bind(&loopback(0).into()).unwrap();
        listener.listen(1).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let client = std::net::TcpStream::connect(address).unwrap();
        // The side that closes first is the one that lingers.
        drop(listener.accept().unwrap());
        drop((client, listener));
        assert!(TcpListener::bind(address).is_err(), "the port is not lingering");
        address
    }

    #[test]
    fn a_port_whose_last_connections_linger_is_free() {
        let address = lingering();
        assert_eq!(hold(address).unwrap().address, address);
    }

    /// Its workers take seconds to start: all the while nobody listens.
    #[test]
    fn a_port_that_another_start_holds_is_taken_although_nobody_listens_yet() {
        let held = hold(loopback(0)).unwrap();
        let error = hold(held.address).unwrap_err().to_string();
        assert!(error.contains(&format!("{} is taken", held.address)), "{error}");
        let address = held.address;
        drop(held);
        hold(address).unwrap();
    }

    #[test]
    fn a_port_that_lingers_is_held_by_one() {
        let address = lingering();
        let held = hold(address).unwrap();
        let error = hold(address).unwrap_err().to_string();
        assert!(error.contains("another ClawSec monitor"), "{error}");
        drop(held);
    }

    #[test]
    fn a_port_shared_by_reuseport_counts_as_taken() {
        let other = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        other.set_reuse_port(true).unwrap();
        other.bind(&loopback(0).into()).unwrap();
        other.listen(1).unwrap();
        let address = other.local_addr().unwrap().as_socket().unwrap();
        assert!(hold(address).is_err());
    }
}
