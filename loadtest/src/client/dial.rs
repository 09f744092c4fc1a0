//! Opens a connection the way the target asks for: straight, through a proxy in the clear, or CONNECT and TLS.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::exchange::{Connection, within};
use crate::Outcome;
use crate::wire::response_head;

/// The longest answer to CONNECT.
const CONNECT_ANSWER_MAX_BYTES: usize = 16 * 1024;

/// What a connection is made of, for the code that need not know.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Duplex for T {}

/// A URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub is_tls: bool,
    pub host: String,
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads `http://host:port/path` or `https://host:port/path`.
    pub fn parse(url: &str) -> Outcome<Target> {
        let (scheme, rest) =
            url.split_once("://").ok_or("a URL starts with http:// or https://")?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err("only http and https can be measured".into()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let usual = if is_tls { 443 } else { 80 };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| "bad port in the URL")?),
            None => (authority, usual),
        };
        Ok(Target { is_tls, host: host.to_owned(), port, path: path.to_owned() })
    }
}

/// Opens connections to one target.
pub struct Dialer {
    pub target: Target,
    /// Whether there is a proxy in between that wants absolute-form.
    pub is_proxied: bool,
    address: SocketAddr,
    tls: Option<TlsConnector>,
    /// First of the server names, and how many there are.
    names: Option<(u64, u64)>,
    next_name: AtomicU64,
    /// The longest that opening a connection may take, and that an open one may be silent.
    timeout: Duration,
}

impl Dialer {
    /// Resolves the address once.
    pub fn new(
        target: Target,
        proxy: Option<&str>,
        tls: Option<Arc<ClientConfig>>,
        names: Option<(u64, u64)>,
        timeout: Duration,
    ) -> Outcome<Dialer> {
        // The proxy would dial the URL, so that it is looked at in any case.
        let own = loopback(&target.host, &format!("{}:{}", target.host, target.port))?;
        let address = match proxy {
            Some(name) => loopback(name.rsplit_once(':').map_or(name, |(host, _)| host), name)?,
            None => own,
        };
        Ok(Dialer {
            is_proxied: proxy.is_some(),
            target,
            address,
            tls: tls.map(TlsConnector::from),
            names,
            next_name: AtomicU64::new(0),
            timeout,
        })
    }

    /// Opens a connection that is ready for a request.
    pub async fn dial(&self) -> io::Result<Connection> {
        within(self.timeout, "opened no connection", self.dial_as(false)).await
    }

    /// The same, but with a tunnel through a proxy in any case: what an upgrade needs.
    pub async fn dial_tunnel(&self) -> io::Result<Connection> {
        within(self.timeout, "opened no connection", self.dial_as(true)).await
    }

    async fn dial_as(&self, wants_tunnel: bool) -> io::Result<Connection> {
        let mut tcp = TcpStream::connect(self.address).await?;
        tcp.set_nodelay(true)?;
        let host = self.next_host();
        let is_tunnelled = self.is_proxied && (wants_tunnel || self.tls.is_some());
        if is_tunnelled {
            self.connect_through(&mut tcp).await?;
        }
        let authority = format!("{host}:{}", self.target.port);
        let is_absolute = self.is_proxied && !is_tunnelled;
        let Some(tls) = &self.tls else {
            return Ok(self.connection(Box::new(tcp), authority, is_absolute, false));
        };
        let name = ServerName::try_from(host)
            .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
        let stream = tls.connect(name, tcp).await?;
        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok(self.connection(Box::new(stream), authority, false, resumed))
    }

    fn connection(
        &self,
        stream: Box<dyn Duplex>,
        authority: String,
        is_absolute: bool,
        resumed: bool,
    ) -> Connection {
        Connection::new(stream, authority, is_absolute, resumed, self.timeout)
    }

    fn next_host(&self) -> String {
        match self.names {
            None => self.target.host.clone(),
            Some((first, count)) => {
                let next = self.next_name.fetch_add(1, Ordering::Relaxed) % count;
                format!("h{}.load.test", first + next)
            }
        }
    }

    async fn connect_through(&self, tcp: &mut TcpStream) -> io::Result<()> {
        let Target { host, port, .. } = &self.target;
        let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
        tcp.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        loop {
            if tcp.read_buf(&mut answer).await? == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "closed on CONNECT"));
            }
            let head = response_head(&answer)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            match head {
                Some(head) if head.status == 200 && answer.len() == head.len => return Ok(()),
                Some(head) => {
                    let text = format!("CONNECT answered {}", head.status);
                    return Err(io::Error::new(ErrorKind::ConnectionRefused, text));
                }
                None if answer.len() > CONNECT_ANSWER_MAX_BYTES => {
                    return Err(io::Error::new(ErrorKind::InvalidData, "long answer to CONNECT"));
                }
                None => {}
            }
        }
    }
}

/// The address of a host and its port, when it is this machine's own. No other names are asked for anywhere.
fn loopback(host: &str, name: &str) -> Outcome<SocketAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_own =
        bare.parse::<IpAddr>().map_or(bare == "localhost", |address| address.is_loopback());
    if !is_own {
        return Err(format!("{host} is not loopback, and nothing else is put under load").into());
    }
    let mut addresses: Vec<_> = name.to_socket_addrs()?.filter(|a| a.ip().is_loopback()).collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| format!("{name} cannot be resolved").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_dialled() {
        for (host, name) in
            [("localhost", "localhost:9"), ("127.0.0.2", "127.0.0.2:9"), ("[::1]", "[::1]:9")]
        {
            loopback(host, name).unwrap();
        }
        for host in
            ["192.0.2.2", "0.0.0.0", "[2001:db8::1]", "example.com", "localhost.example.com"]
        {
            let said = loopback(host, &format!("{host}:9")).unwrap_err().to_string();
            assert!(said.contains("is not loopback"), "{said}");
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        let target = Target::parse("https://localhost:8443/bytes/7?x=1").unwrap();
        assert!(target.is_tls);
        assert_eq!((target.host.as_str(), target.port), ("localhost", 8443));
        assert_eq!(target.path, "/bytes/7?x=1");
        let target = Target::parse("http://127.0.0.1").unwrap();
        assert_eq!((target.port, target.path.as_str()), (80, "/"));
        assert!(Target::parse("ftp://x/").is_err());
        assert!(Target::parse("http://x:port/").is_err());
    }
}
