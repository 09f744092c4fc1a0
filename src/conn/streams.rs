//! A client that speaks HTTP/2: each of its streams is served as a connection of its own that carries one request, all of
//! them to the origin that the client's connection leads to.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;

use super::access::Agent;
use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use super::link::Link;
use super::requests::Route;
use super::unused::Unused;
use super::{Role, access, live, upstream};
use crate::config::Config;
use crate::defects::contained;
use crate::error::{Error, Side, Stage};
use crate::finding::Protocol;
use crate::forward::leg::Leg;
use crate::forward::origin::Origin;
use crate::forward::pipe::pipe;
use crate::http2::connection::{Accepted, Carried, FromClient};
use crate::limits::{HTTP2_FAREWELL_MS, HTTP2_STREAMS_HELD_MAX, TAKEN_STALL_MS};
use crate::tls::stream::Stream;

/// A client whose bytes are HTTP/2, and whom it reaches.
pub struct Multiplexed {
    pub client: Leg,
    pub origin: Rc<Origin>,
    pub protocol: Protocol,
    /// A connection to it that was dialled already.
    pub spare: Option<Leg>,
}

/// What its connection needs.
pub struct Streams<'a> {
    pub core: &'a Rc<Core>,
    pub deadline: &'a Deadline,
    pub source: IpAddr,
    pub agent: &'a Agent,
}

/// What every stream of a connection has in common.
struct Shared {
    peer: SocketAddr,
    source: IpAddr,
    protocol: Protocol,
    way: RefCell<Way>,
    /// Streams under way, and whether one has ended since this was last asked.
    live: Cell<usize>,
    has_ended_one: Cell<bool>,
}

/// Where the streams go, under one configuration.
struct Way {
    config: Arc<Config>,
    origin: Rc<Origin>,
    link: Rc<Link>,
}

impl Shared {
    /// The way there under the configuration in force, by which it may be another than before.
    fn way(&self, core: &Core) -> (Rc<Origin>, Rc<Link>) {
        let mut way = self.way.borrow_mut();
        if !Arc::ptr_eq(&way.config, &core.config) {
            let by = upstream::way(core, &way.origin.host, false);
            way.origin = Rc::new(Origin::clone(&way.origin).by(by));
            way.link = Rc::new(Link::new(None));
            way.config = Arc::clone(&core.config);
        }
        (Rc::clone(&way.origin), Rc::clone(&way.link))
    }

    /// Whether there were streams since this was last asked.
    fn was_in_use(&self) -> bool {
        self.has_ended_one.take() || self.live.get() > 0
    }
}

impl Streams<'_> {
    /// Serves until the connection ends.
    pub async fn serve(self, multiplexed: Multiplexed) -> Result<Role, Error> {
        let Multiplexed { client, origin, protocol, spare } = multiplexed;
        let shared = Rc::new(Shared {
            peer: client.stream.peer(),
            source: self.source,
            protocol,
            way: RefCell::new(Way {
                config: Arc::clone(&self.core.config),
                origin,
                link: Rc::new(Link::new(spare)),
            }),
            live: Cell::new(0),
            has_ended_one: Cell::new(false),
        });
        let ended = self.serve_all(client, &shared).await;
        let link = Rc::clone(&shared.way.borrow().link);
        Box::pin(link.close(self.deadline)).await;
        match ended {
            Ok(()) => Ok(Role::Ended),
            Err(error) => Err(Error::silent(Side::Client, Stage::Tunnel, error.to_string())),
        }
    }

    /// Streams as they come, until the client or we want no more of them and the last has ended.
    async fn serve_all(&self, mut client: Leg, shared: &Rc<Shared>) -> io::Result<()> {
        let http = &self.core.config.http;
        let idle_timeout = http.client_idle_timeout;
        if client.unread.is_empty() {
            match self.deadline.while_idle(idle_timeout, client.fill()).await {
                Ok(Ok(1..)) => {}
                Ok(ended) => {
                    self.left(ended, shared);
                    return Ok(());
                }
                Err(_) => {
                    client.stream.finish().await;
                    return Ok(());
                }
            }
        }
        let greeting = FromClient::greet(client, http.max_head_bytes);
        let Ok(greeted) = self.deadline.within(idle_timeout, greeting).await else { return Ok(()) };
        let mut connection = greeted?;
        loop {
            match self.deadline.while_idle(idle_timeout, connection.accept()).await {
                Ok(Some(accepted)) => {
                    self.begin(accepted?, shared);
                    if !self.is_admitted(shared) {
                        break;
                    }
                }
                Ok(None) => return Ok(()),
                Err(Interrupt::Expired) if shared.was_in_use() => {}
                Err(_) => break,
            }
        }
        let farewell = Duration::from_millis(HTTP2_FAREWELL_MS);
        connection.go_away();
        loop {
            let wait = if shared.live.get() > 0 { idle_timeout } else { farewell };
            match self.deadline.within(wait, connection.accept()).await {
                // It was on its way when the client was told.
                Ok(Some(accepted)) => self.begin(accepted?, shared),
                Ok(None) => return Ok(()),
                Err(Interrupt::Expired) if shared.live.get() > 0 => {}
                Err(_) => break,
            }
        }
        let _ = self.deadline.within(farewell, connection.end()).await;
        Ok(())
    }

    /// The client said nothing: one that does not trust our certificate may say so only now.
    fn left(&self, ended: io::Result<usize>, shared: &Shared) {
        if shared.protocol == Protocol::Https {
            let host = &shared.way.borrow().origin.host;
            let unused = Unused { core: self.core, source: self.source, host };
            let took = self.deadline.last_set().elapsed();
            unused.left_behind_handshake(ended.err(), took, 0);
        }
    }

    /// Whether the client would be let in under the configuration in force.
    fn is_admitted(&self, shared: &Shared) -> bool {
        if shared.protocol == Protocol::Gateway || !self.core.is_outdated() {
            return true;
        }
        let now = self.core.current();
        access::still_admits(&now.config.access, &self.core.config.access, self.agent)
    }

    /// One stream, in a task of its own: it ends by itself when its connection is gone.
    fn begin(&self, accepted: Accepted, shared: &Rc<Shared>) {
        // A client that resets its streams opens others, while their exchanges still wait for the origin.
        if shared.live.get() >= HTTP2_STREAMS_HELD_MAX {
            self.core.counters.requests_refused.add(1);
            log::info!("{}: refused: more than {HTTP2_STREAMS_HELD_MAX} streams", self.source);
            return accepted.refuse();
        }
        let most = self.core.config.runtime.max_connections.max(HTTP2_STREAMS_HELD_MAX);
        if self.core.counters.streams_open.get() >= most as u64 {
            self.core.counters.requests_refused.add(1);
            log::info!("{}: refused: more than {most} streams of a worker", self.source);
            return accepted.refuse();
        }
        if !self.is_admitted(shared) {
            self.core.counters.requests_unauthorized.add(1);
            log::info!("{}: refused: its user is none any more", self.source);
            return accepted.refuse();
        }
        let core = self.core.current();
        let agent = Agent::new(self.agent.borrow().clone());
        let under_way = UnderWay::new(&core, shared);
        let serving = async move { serve_one(accepted, core, &under_way.shared, agent).await };
        glommio::spawn_local(contained("a stream", serving)).detach();
    }
}

/// A stream, counted for as long as this is kept: it may be ended by a defect.
struct UnderWay {
    core: Rc<Core>,
    shared: Rc<Shared>,
}

impl UnderWay {
    fn new(core: &Rc<Core>, shared: &Rc<Shared>) -> UnderWay {
        shared.live.set(shared.live.get() + 1);
        core.counters.streams.add(1);
        core.counters.streams_open.add(1);
        UnderWay { core: Rc::clone(core), shared: Rc::clone(shared) }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.core.counters.streams_open.sub(1);
        self.shared.live.set(self.shared.live.get().saturating_sub(1));
        self.shared.has_ended_one.set(true);
    }
}

/// One stream to its end, which nobody can hold up: neither a client that takes nothing of its answer, nor an exchange
/// that waits for its origin while the client has given it up.
async fn serve_one(accepted: Accepted, core: Rc<Core>, shared: &Shared, agent: Agent) {
    let (ours, its) = pipe(shared.peer);
    let leg = |pipe| Leg::new(Stream::Piped(pipe), &core.buffers);
    let (origin, link) = shared.way(&core);
    let (protocol, link) = (shared.protocol, Some(link));
    let route = Route::Fixed { origin, protocol, spare: None, link };
    let deadline = core.deadlines.register();
    let mut served = served(Rc::clone(&core), leg(ours), route, shared.source, agent);
    let mut carried = pin!(accepted.carry(leg(its)));
    let first = or(
        async {
            served.as_mut().await;
            None
        },
        async { Some(carried.as_mut().await) },
    );
    match first.await {
        Some(Carried::Over) => served.await,
        Some(Carried::GivenUp) => {
            let _ = deadline.within(Duration::from_millis(HTTP2_FAREWELL_MS), served).await;
        }
        None => {
            let patience = Duration::from_millis(TAKEN_STALL_MS);
            let patience = core.config.http.body_idle_timeout.min(patience);
            let _ = deadline.within(patience, carried).await;
        }
    }
}

/// Boxed here: a connection's life holds streams, and a stream's life is a connection's.
fn served(
    core: Rc<Core>,
    leg: Leg,
    route: Route,
    source: IpAddr,
    agent: Agent,
) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move {
        let deadline = core.deadlines.register();
        live(core, Role::Requests(leg, route), source, &deadline, &agent).await;
    })
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{ready, zip};

    use super::super::core::tests::core;
    use super::*;
    use crate::http2::connection::ToOrigin;

    const PEER: &str = "192.0.2.7:443";

    fn leg(core: &Core, pipe: crate::forward::pipe::Pipe) -> Leg {
        Leg::new(Stream::Piped(pipe), &core.buffers)
    }

    /// How a stream of the client's was answered; nothing if it was broken off.
    async fn answer(client: &ToOrigin, core: &Core, head: &str) -> String {
        let (ours, its) = pipe(PEER.parse().unwrap());
        let mut ours = leg(core, ours);
        let ask = async {
            ours.stream.write_all(head.as_bytes()).await.unwrap();
            ours.stream.finish().await;
            while ours.fill().await.is_ok_and(|len| len > 0) {}
            let answer = ours.unread.bytes();
            let line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line).into_owned();
            drop(ours);
            line
        };
        zip(ask, client.clone().carry(leg(core, its), ready(()))).await.0
    }

    /// The defect: a match cannot be reported, since the reporter is at work.
    #[test]
    #[expect(clippy::await_holding_refcell_ref, reason = "that is the defect")]
    fn a_stream_that_a_defect_ends_ends_no_other_and_is_counted_as_ended() {
        let test = || async {
            let log_dir = tempfile::tempdir().unwrap();
            let (core, findings) = core(log_dir.path());
            // What is to be scanned is scanned by the stream itself.
            core.backlog.close();
            let (its, ours) = pipe(PEER.parse().unwrap());
            // Nobody listens there.
            let origin = Rc::new(Origin::clear("127.0.0.1", 1));
            let client = leg(&core, its);
            let served = Rc::clone(&core);
            let serving = glommio::spawn_local(async move {
                let (deadline, agent) = (served.deadlines.register(), Agent::default());
                let source = "192.0.2.7".parse().unwrap();
                let streams = Streams { core: &served, deadline: &deadline, source, agent: &agent };
                let protocol = Protocol::Https;
                let multiplexed = Multiplexed { client, origin, protocol, spare: None };
                streams.serve(multiplexed).await.is_ok()
            });
            let (client, frames) = ToOrigin::greet(leg(&core, ours), 1 << 16).await.unwrap();
            let frames = glommio::spawn_local(frames);
            let keys = ["IOSFODNN7EXAMPLE", "Q3EGRLPOIUYTREWZ"].map(|key| format!("AKIA{key}"));
            let keys = keys.join(" ");
            let asks = |path: &str| {
                format!("GET /{path} HTTP/1.1\r\nHost: example.com\r\nx-note: {keys}\r\n\r\n")
            };
            let reporter = core.reporter.borrow_mut();
            assert_eq!(answer(&client, &core, &asks("one")).await, "");
            drop(reporter);
            assert!(findings.is_empty());
            assert!(answer(&client, &core, &asks("two")).await.starts_with("HTTP/1.1 502"));
            assert!(!findings.is_empty());
            drop(client);
            let _ = frames.await;
            assert!(serving.await);
            let counters = &core.counters;
            assert_eq!((counters.streams.get(), counters.streams_open.get()), (2, 0));
        };
        glommio::LocalExecutorBuilder::default().spawn(test).unwrap().join().unwrap();
    }
}
