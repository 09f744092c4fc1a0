//! A TCP connection to an origin: its addresses tried one after the other with a head start each (RFC 8305),
//! and never one of our own listeners.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use glommio::net::TcpStream;
use glommio::timer::Timer;

use super::resolve::{LookupError, Resolver};
use super::tcp::Tcp;
use crate::limits::HAPPY_EYEBALLS_DELAY_MS;

/// Why there is no connection.
#[derive(Debug)]
pub enum DialError {
    /// The name has no address, or could not be looked up.
    Resolve(LookupError),
    /// Every address refused or could not be reached; the last one's words.
    Connect(io::Error),
    /// The address is one of our own listeners.
    Loop(SocketAddr),
    /// It may be, by this port: the name's address is not known here.
    MayLoop(u16),
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::Resolve(error) => write!(f, "{error}"),
            DialError::Connect(error) => write!(f, "{error}"),
            DialError::Loop(address) => write!(f, "{address} is this proxy itself"),
            DialError::MayLoop(port) => write!(
                f,
                "port {port} is this proxy's own here, and where the name leads is not known"
            ),
        }
    }
}

/// What dialling needs of its core.
#[derive(Debug)]
pub struct Dialer {
    resolver: Rc<Resolver>,
    own: Vec<SocketAddr>,
}

impl Dialer {
    /// Dials anything but `own`, the addresses that this process listens on.
    pub fn new(own: Vec<SocketAddr>) -> Dialer {
        Dialer { resolver: Resolver::new(), own }
    }

    /// A connection to `host`:`port`. Ends by itself only in success or failure: the caller sets a deadline.
    pub async fn dial(&self, host: &str, port: u16) -> Result<Tcp, DialError> {
        let known = self.resolver.resolve(host).await.map_err(DialError::Resolve)?;
        let mut addresses = Vec::with_capacity(known.len());
        for address in known.iter() {
            addresses.push(self.checked(SocketAddr::new(address.ip(), port), *address)?);
        }
        let stream = match addresses.as_slice() {
            [single] => connect(*single).await.map_err(DialError::Connect)?,
            several => race(several).await.map_err(DialError::Connect)?,
        };
        let tcp = Tcp::new(stream).map_err(DialError::Connect)?;
        match tcp.local() {
            Ok(local) if self.reaches_itself(tcp.peer(), local.ip()) => {
                Err(DialError::Loop(tcp.peer()))
            }
            _ => Ok(tcp),
        }
    }

    /// Refuses an origin that `proxy`, another one, would dial for us, if it may be a listener of this process. Most
    /// often the port tells that it is none; else the name is looked up, for what leads to a listener is spelled in
    /// many ways (`127.1`, `localhost.`, a name of somebody's own). A name that is not known here may be the proxy's to
    /// know, unless that is on this machine.
    pub async fn refuse_own(&self, host: &str, port: u16, proxy: &str) -> Result<(), DialError> {
        if self.own.iter().all(|own| own.port() != port) {
            return Ok(());
        }
        match self.resolver.resolve(host).await {
            Ok(known) => {
                let mut targets = known.iter().map(|known| SocketAddr::new(known.ip(), port));
                targets
                    .find(|target| self.is_own(*target))
                    .map_or(Ok(()), |own| Err(DialError::Loop(own)))
            }
            Err(_) if is_loopback_name(host) || self.is_here(proxy).await => {
                Err(DialError::MayLoop(port))
            }
            Err(_) => Ok(()),
        }
    }

    /// Whether a host is this machine by its own word.
    async fn is_here(&self, host: &str) -> bool {
        let known = self.resolver.resolve(host).await;
        known.is_ok_and(|known| known.iter().any(|known| meant(known.ip()).is_loopback()))
    }

    fn is_own(&self, target: SocketAddr) -> bool {
        let ip = meant(target.ip());
        self.own.iter().any(|own| own.port() == target.port() && covers(own.ip(), ip))
    }

    fn checked(&self, target: SocketAddr, known: SocketAddr) -> Result<SocketAddr, DialError> {
        if self.is_own(target) {
            return Err(DialError::Loop(target));
        }
        Ok(match (target, known) {
            (SocketAddr::V6(mut target), SocketAddr::V6(known)) => {
                target.set_scope_id(known.scope_id());
                SocketAddr::V6(target)
            }
            (other, _) => other,
        })
    }

    /// A listener on every address is reached by any of this machine's: then both ends have the same address.
    fn reaches_itself(&self, peer: SocketAddr, local: IpAddr) -> bool {
        let same_machine = meant(peer.ip()) == meant(local);
        same_machine
            && self.own.iter().any(|own| own.port() == peer.port() && own.ip().is_unspecified())
    }
}

/// The address that is really connected to: the unspecified one means this machine, and an IPv4 address
/// written as IPv6 is the IPv4 one.
fn meant(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

/// Whether a name is this machine's wherever it is looked up (RFC 6761 §6.3).
fn is_loopback_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let zone = host.rsplit_once('.').map_or(host, |(_, zone)| zone);
    zone.eq_ignore_ascii_case("localhost")
}

/// Whether a listener bound to `own` answers on `ip`.
fn covers(own: IpAddr, ip: IpAddr) -> bool {
    own.to_canonical() == ip || (own.is_unspecified() && ip.is_loopback())
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address).await.map_err(io::Error::from)
}

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

/// The first connection that succeeds. The next address starts when the last one fails, or has had its head
/// start; all attempts live in this one task, and those that lose are dropped with it.
async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter().copied();
    let mut attempts: Vec<Attempt> = Vec::with_capacity(addresses.len());
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(Box::pin(connect(address)));
        }
        if attempts.is_empty() {
            return Err(last_error);
        }
        let mut head_start = pin!(async {
            if waiting.len() == 0 {
                std::future::pending::<()>().await;
            }
            Timer::new(Duration::from_millis(HAPPY_EYEBALLS_DELAY_MS)).await;
        });
        let event = poll_fn(|context| {
            for (index, attempt) in attempts.iter_mut().enumerate() {
                if let Poll::Ready(result) = attempt.as_mut().poll(context) {
                    return Poll::Ready(Some((index, result)));
                }
            }
            head_start.as_mut().poll(context).map(|()| None)
        })
        .await;
        match event {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((index, Err(error))) => {
                drop(attempts.swap_remove(index));
                last_error = error;
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(own: &str, target: &str) -> bool {
        let dialer = Dialer::new(vec![own.parse().unwrap()]);
        let target: SocketAddr = target.parse().unwrap();
        dialer.checked(target, target).is_err()
    }

    #[test]
    fn own_listeners_are_never_dialled_however_they_are_written() {
        assert!(guard("127.0.0.1:8888", "127.0.0.1:8888"));
        assert!(guard("127.0.0.1:8888", "0.0.0.0:8888"));
        assert!(guard("127.0.0.1:8888", "[::ffff:127.0.0.1]:8888"));
        assert!(guard("0.0.0.0:8888", "127.0.0.9:8888"));
        assert!(guard("[::1]:8888", "[::]:8888"));
    }

    #[test]
    fn other_ports_and_other_machines_are() {
        assert!(!guard("127.0.0.1:8888", "127.0.0.1:8889"));
        assert!(!guard("127.0.0.1:8888", "10.0.0.1:8888"));
        assert!(!guard("0.0.0.0:8888", "10.0.0.1:8888"));
    }

    #[test]
    fn a_listener_on_every_address_is_known_by_equal_ends() {
        let dialer = Dialer::new(vec!["0.0.0.0:8888".parse().unwrap()]);
        let peer: SocketAddr = "10.0.0.1:8888".parse().unwrap();
        assert!(dialer.reaches_itself(peer, "10.0.0.1".parse().unwrap()));
        assert!(!dialer.reaches_itself(peer, "10.0.0.2".parse().unwrap()));
    }
}
