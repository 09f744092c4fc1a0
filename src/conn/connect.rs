//! CONNECT: dial, answer 200, see what the client speaks, and go on accordingly: TLS is opened with a leaf of
//! ours, HTTP is inspected as it is, anything else is tunnelled and scanned raw.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use super::access::Agent;
use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use super::ending::{End, Ending, Rest};
use super::inspect::Sight;
use super::requests::Route;
use super::streams::Multiplexed;
use super::tunnel::{Content, Tunnelled};
use super::unused::Unused;
use super::{Role, answer, upstream};
use crate::config::HostMismatch;
use crate::error::{Error, Side, Stage};
use crate::finding::Protocol;
use crate::forward::leg::Leg;
use crate::forward::origin::Origin;
use crate::forward::tcp::Tcp;
use crate::http::detect::{Opening, detect, is_http2_greeting};
use crate::http::reply::CONNECT_ESTABLISHED;
use crate::http::target::Authority;
use crate::tls::handshake::Hello;
use crate::tls::stream::Stream;
use crate::turns::heavy;

/// The content type of a TLS record that carries a ClientHello (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// One CONNECT request.
pub struct Connect<'a> {
    pub core: &'a Rc<Core>,
    pub deadline: &'a Deadline,
    pub source: IpAddr,
    pub agent: &'a Agent,
    pub authority: Authority,
}

impl Connect<'_> {
    /// Opens the tunnel and says what the connection is from then on.
    pub async fn run(self, client: Leg) -> Result<Role, Error> {
        let way = upstream::way(self.core, &self.authority.host, false);
        let origin = Origin::clear(&self.authority.host, self.authority.port).by(way);
        let is_unread = self.core.config.tls.passthrough_hosts.matches(&origin.host);
        let intercepts = self.core.leaves.is_some() && !is_unread;
        let has_pooled = intercepts && self.core.has_idle(&origin.encrypted(&origin.host));
        let dialled = if has_pooled {
            None
        } else {
            match upstream::dial(self.core, self.deadline, &origin).await {
                Ok(leg) => Some(leg),
                Err(error) => return self.refuse(client, &origin, &error).await,
            }
        };
        if !answer::raw(&client.stream, self.deadline, CONNECT_ESTABLISHED).await {
            return Err(Error::silent(Side::Client, Stage::Tunnel, "gone before the tunnel"));
        }
        match dialled {
            Some(upstream) if is_unread => {
                Ok(self.blind(client, upstream, &origin, "passthrough_hosts"))
            }
            dialled => self.detect(client, dialled, origin, intercepts).await,
        }
    }

    async fn refuse(self, client: Leg, origin: &Origin, error: &Error) -> Result<Role, Error> {
        self.core.count_upstream_error(error);
        log::warn!("{} ▶ {}: {error}", self.source, origin.dest);
        answer::send(&client.stream, self.deadline, error, false).await;
        drop(client.unread);
        Ending::of(self.core, self.deadline).end(&client.stream, End::Early(Rest::Nothing)).await;
        Ok(Role::Ended)
    }

    /// Goes on by what the client says first, or by the origin's speaking first.
    async fn detect(
        self,
        mut client: Leg,
        mut dialled: Option<Leg>,
        origin: Origin,
        intercepts: bool,
    ) -> Result<Role, Error> {
        let opening = self.opening(&mut client, dialled.as_mut(), intercepts).await?;
        match (opening, dialled) {
            (Opening::Tls, dialled) if intercepts => self.intercept(client, dialled, origin).await,
            (Opening::Tls, Some(upstream)) => {
                Ok(self.blind(client, upstream, &origin, "interception is off"))
            }
            (Opening::Http, dialled) => {
                let spare = dialled.and_then(into_spare);
                Ok(requests(client, origin, Protocol::Http, spare))
            }
            (Opening::Http2, dialled) => Ok(streams(client, origin, Protocol::Http, dialled)),
            (_, dialled) => {
                let upstream = match dialled {
                    Some(upstream) => upstream,
                    None => upstream::dial(self.core, self.deadline, &origin).await?,
                };
                self.core.counters.tunnels.add(1);
                log::info!("{} ▶ {}: tunnel, scanned raw", self.source, origin.dest);
                let content = Content::Raw(self.sight(&origin, Protocol::Http));
                Ok(Role::Tunnel(Box::new(Tunnelled { client, upstream, content })))
            }
        }
    }

    /// What the client speaks, as soon as its first bytes tell; raw bytes when the origin speaks first, or
    /// when the first bytes stay undecided for `detect_timeout`.
    async fn opening(
        &self,
        client: &mut Leg,
        mut dialled: Option<&mut Leg>,
        intercepts: bool,
    ) -> Result<Opening, Error> {
        loop {
            match detect(client.unread.bytes()) {
                Opening::NeedMore => {}
                opening => return Ok(opening),
            }
            let http = &self.core.config.http;
            let has_begun = !client.unread.is_empty();
            let wait = if has_begun { http.detect_timeout } else { http.client_idle_timeout };
            let first = first_bytes(client, dialled.as_deref_mut());
            match self.deadline.within(wait, first).await {
                Ok(Spoke::Client(Ok(0))) if !has_begun => {
                    self.left(intercepts);
                    return Err(silent("closed before it said anything"));
                }
                // Then the client's preface is on its way.
                Ok(Spoke::Upstream) if dialled.take().is_some_and(|leg| greets(leg)) => {}
                Ok(Spoke::Client(Ok(0))) | Ok(Spoke::Upstream) => return Ok(Opening::Other),
                Ok(Spoke::Client(Ok(_))) => {}
                Ok(Spoke::Client(Err(error))) => {
                    self.left(intercepts);
                    return Err(silent(&error.to_string()));
                }
                // Half a TLS record header: whoever trickles it shall not slip by unread.
                Err(Interrupt::Expired) if client.unread.bytes().starts_with(&[TLS_HANDSHAKE]) => {
                    return Ok(Opening::Tls);
                }
                Err(Interrupt::Expired) if has_begun => return Ok(Opening::Other),
                Err(_) => return Err(silent("said nothing")),
            }
        }
    }

    /// Opens the client's TLS with a leaf for the name it asks for, else for the CONNECT host.
    async fn intercept(
        self,
        client: Leg,
        dialled: Option<Leg>,
        origin: Origin,
    ) -> Result<Role, Error> {
        let Stream::Clear(tcp) = client.stream else {
            return Err(silent("TLS inside TLS"));
        };
        let mut unread = client.unread;
        let wait = self.core.config.tls.handshake_timeout;
        let (mut asked, mut was_shown) = (None, false);
        let handshake = async {
            let hello = Hello::read(tcp, unread.take(), &self.core.buffers).await?;
            asked = hello.server_name();
            let name = asked.as_deref().unwrap_or(&origin.host);
            if self.is_refused(name, &origin) {
                return Ok(None);
            }
            let made = heavy(|| self.core.server_tls(name)).await;
            let Some(config) = made else { return Ok(None) };
            was_shown = true;
            hello.accept(config).await.map(Some)
        };
        let stream = match self.deadline.within(wait, handshake).await {
            Ok(Ok(Some(stream))) => stream,
            Ok(Ok(None)) => return Err(silent("the server name is refused")),
            Ok(Err(error)) => {
                self.unused(&origin.host).failed(&error, was_shown);
                let detail = format!("{}: {error}", origin.dest);
                return Err(Error::silent(Side::Client, Stage::ClientTls, detail));
            }
            Err(interrupt) => {
                if interrupt == Interrupt::Expired {
                    self.unused(&origin.host).stalled();
                }
                return Err(silent("the handshake did not end in time"));
            }
        };
        self.core.counters.client_handshakes.add(1);
        let name = asked.as_deref().unwrap_or(&origin.host);
        let origin = origin.encrypted(name);
        let speaks_http2 = stream.speaks_http2();
        let client = Leg::new(stream, &self.core.buffers);
        Ok(match speaks_http2 {
            true => streams(client, origin, Protocol::Https, dialled),
            false => requests(client, origin, Protocol::Https, dialled.and_then(into_spare)),
        })
    }

    /// Whether a server name other than the CONNECT host's is refused. An address says nothing of a name.
    fn is_refused(&self, name: &str, origin: &Origin) -> bool {
        if name == origin.host.trim_end_matches('.') || origin.host.parse::<IpAddr>().is_ok() {
            return false;
        }
        log::warn!("{} ▶ {}: TLS asks for {name}", self.source, origin.dest);
        self.core.config.http.host_mismatch == HostMismatch::Refuse
    }

    /// The client ended its tunnel before it said anything; of one that is not read nothing else is awaited.
    fn left(&self, intercepts: bool) {
        if intercepts {
            self.unused(&self.authority.host).left();
        }
    }

    fn unused<'a>(&'a self, host: &'a str) -> Unused<'a> {
        Unused { core: self.core, source: self.source, host }
    }

    fn blind(&self, client: Leg, upstream: Leg, origin: &Origin, reason: &str) -> Role {
        self.core.counters.tunnels.add(1);
        log::info!("{} ▶ {}: tunnel, unread ({reason})", self.source, origin.dest);
        Role::Tunnel(Box::new(Tunnelled { client, upstream, content: Content::Unread }))
    }

    fn sight(&self, origin: &Origin, protocol: Protocol) -> Sight {
        let agent = self.agent.borrow().clone();
        let dest = Arc::clone(&origin.dest);
        Sight { protocol, source: self.source, dest, path: None, agent }
    }
}

/// One request after the other, all to one origin.
fn requests(client: Leg, origin: Origin, protocol: Protocol, spare: Option<Tcp>) -> Role {
    let route = Route::Fixed { origin: Rc::new(origin), protocol, spare, link: None };
    Role::Requests(client, route)
}

/// The same with requests side by side.
fn streams(client: Leg, origin: Origin, protocol: Protocol, spare: Option<Leg>) -> Role {
    Role::Streams(Box::new(Multiplexed { client, origin: Rc::new(origin), protocol, spare }))
}

fn greets(upstream: &Leg) -> bool {
    is_http2_greeting(upstream.unread.bytes())
}

/// Who spoke first.
enum Spoke {
    Client(std::io::Result<usize>),
    Upstream,
}

async fn first_bytes(client: &mut Leg, dialled: Option<&mut Leg>) -> Spoke {
    let mut from_client = pin!(client.fill());
    let mut from_upstream = pin!(async {
        match dialled {
            // Bytes, an end or an error: whatever it is, the tunnel shows it to the client.
            Some(upstream) => upstream.fill().await,
            None => std::future::pending().await,
        }
    });
    poll_fn(|context| {
        if let Poll::Ready(read) = from_client.as_mut().poll(context) {
            return Poll::Ready(Spoke::Client(read));
        }
        from_upstream.as_mut().poll(context).map(|_| Spoke::Upstream)
    })
    .await
}

/// The bare connection of a leg from which nothing was read.
pub(super) fn into_spare(leg: Leg) -> Option<Tcp> {
    match leg {
        Leg { stream: Stream::Clear(tcp), unread } if unread.is_empty() => Some(tcp),
        _ => None,
    }
}

fn silent(detail: &str) -> Error {
    Error::silent(Side::Client, Stage::Tunnel, detail)
}
