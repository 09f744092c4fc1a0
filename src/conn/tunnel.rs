//! Two connections joined byte for byte, each direction on its own: an end on one side is passed on, and the
//! other direction goes on until its own end. What flows is scanned where it can be read.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind::UnexpectedEof};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use super::ending::{Ending, Ends};
use super::inspect::{Sight, Whence};
use super::inspector::Inspector;
use super::websocket::{Reading, WebSocket};
use crate::error::{Error, Side, Stage};
use crate::finding::Direction;
use crate::forward::leg::{Leg, Unread};
use crate::http::websocket::Agreement;
use crate::tls::stream::Stream;
use crate::turns::Turn;

/// What a tunnel needs of its connection.
pub struct Tunnel<'a> {
    pub core: &'a Rc<Core>,
    pub deadline: &'a Deadline,
}

/// How what flows is read.
#[derive(Debug)]
pub enum Content {
    /// Not at all: it is only counted.
    Unread,
    /// As it is.
    Raw(Sight),
    /// By the messages in its frames.
    WebSocket(Sight, Agreement),
}

impl Content {
    /// What an upgrade leads to: a WebSocket if that was agreed on.
    pub fn of(sight: Sight, websocket: Option<Agreement>) -> Content {
        match websocket {
            Some(agreement) => Content::WebSocket(sight, agreement),
            None => Content::Raw(sight),
        }
    }
}

/// Two connections to be joined.
#[derive(Debug)]
pub struct Tunnelled {
    pub client: Leg,
    pub upstream: Leg,
    pub content: Content,
}

/// Who reads one direction.
enum Watch<'a> {
    Unread,
    Raw(Box<Inspector>),
    WebSocket(Box<Reading<'a>>),
}

impl Watch<'_> {
    fn may_say_goodbye(&self) -> bool {
        matches!(self, Watch::WebSocket(reading) if reading.may_say_goodbye())
    }
}

/// One direction: whence, what was read from there already, who reads it, and what passed.
type Way<'a> = (&'a Stream, Unread, Watch<'a>, &'a Passed);

/// What passed in one direction.
#[derive(Default)]
struct Passed {
    bytes: Cell<u64>,
    /// Whether its receiver may be told that we go away: all of what came was passed on, whole frames, and more may
    /// follow.
    may_say_goodbye: Cell<bool>,
}

impl Tunnel<'_> {
    /// Relays until both directions have ended.
    pub async fn relay(
        &self,
        Tunnelled { client, upstream, content }: Tunnelled,
    ) -> Result<(), Error> {
        let socket = match &content {
            Content::WebSocket(sight, agreement) => {
                Some(WebSocket::new(self.core, sight, agreement))
            }
            Content::Unread | Content::Raw(_) => None,
        };
        let watch = |direction| match (&content, &socket) {
            (Content::WebSocket(..), Some(socket)) => {
                Watch::WebSocket(Box::new(socket.direction(direction)))
            }
            (Content::Raw(sight), _) => {
                let whence = Whence::new(self.core, sight, direction);
                Watch::Raw(Box::new(Inspector::of_tunnel(whence)))
            }
            _ => Watch::Unread,
        };
        let (outbound, inbound) = (watch(Direction::Outbound), watch(Direction::Inbound));
        let (there, back) = (Passed::default(), Passed::default());
        let result = self
            .both_ways(
                (&client.stream, client.unread, outbound, &there),
                (&upstream.stream, upstream.unread, inbound, &back),
            )
            .await;
        if let Err(error) = &result {
            let ending = Ending::of(self.core, self.deadline);
            let mut ends = Ends::of_tunnel(error);
            // Nobody failed: the process stops, or nothing has come for too long.
            if error.side == Side::Internal {
                ends = ends.going_away(back.may_say_goodbye.get(), there.may_say_goodbye.get());
            }
            // Boxed, so that a tunnel that waits is small.
            Box::pin(ending.end_both(client.stream, upstream.stream, ends)).await;
        }
        result
    }

    async fn both_ways(
        &self,
        (client, client_unread, outbound, passed_there): Way<'_>,
        (upstream, upstream_unread, inbound, passed_back): Way<'_>,
    ) -> Result<(), Error> {
        let counters = &self.core.counters;
        let (out, back) = ((Side::Client, Side::Upstream), (Side::Upstream, Side::Client));
        // Held here, and nowhere else: a tunnel that waits is small.
        let there =
            pin!(self.one_way(out, client, client_unread, upstream, outbound, passed_there));
        let back =
            pin!(self.one_way(back, upstream, upstream_unread, client, inbound, passed_back));
        self.deadline.set(self.core.config.http.tunnel_idle_timeout);
        let ended = self.deadline.guard(until_both(there, back)).await;
        counters.bytes_outbound.add(passed_there.bytes.get());
        counters.bytes_inbound.add(passed_back.bytes.get());
        match ended {
            Ok(result) => result,
            Err(Interrupt::Stopping) => Err(tunnel_error(Side::Internal, "cut by the shutdown")),
            Err(Interrupt::Expired) => Err(tunnel_error(Side::Internal, "idle for too long")),
        }
    }

    async fn one_way(
        &self,
        (sender, receiver): (Side, Side),
        from: &Stream,
        mut unread: Unread,
        to: &Stream,
        mut watch: Watch<'_>,
        passed: &Passed,
    ) -> Result<(), Fault> {
        loop {
            if let Some(chunk) = unread.chunk() {
                let len = chunk.bytes().len();
                passed.may_say_goodbye.set(false);
                match &mut watch {
                    Watch::Unread => self.core.counters.bytes_unscanned.add(len as u64),
                    Watch::Raw(inspector) => {
                        inspector.feed(chunk, 0..len, &mut Turn::begin()).await;
                    }
                    Watch::WebSocket(reading) => reading.feed(chunk).await,
                }
                passed.bytes.set(passed.bytes.get() + len as u64);
                let written = to.write_all(chunk.bytes()).await;
                written
                    .map_err(|error| Fault::Write(tunnel_error(receiver, &error.to_string())))?;
                unread.consume(len);
                self.deadline.set(self.core.config.http.tunnel_idle_timeout);
            }
            passed.may_say_goodbye.set(watch.may_say_goodbye());
            let read = unread.fill(from).await;
            passed.may_say_goodbye.set(false);
            // An end without close_notify is passed on as one, where it can be told from one with it.
            let is_cut = to.shows_its_end() && matches!(&read, Err(e) if e.kind() == UnexpectedEof);
            let fault = |error: io::Error| Fault::Read(tunnel_error(sender, &error.to_string()));
            if is_cut || read.map_err(fault)? == 0 {
                drop(watch);
                if is_cut {
                    to.cut();
                } else {
                    to.finish().await;
                }
                return Ok(());
            }
        }
    }
}

/// Why one direction broke off.
enum Fault {
    /// Its sender failed.
    Read(Error),
    /// Its receiver failed.
    Write(Error),
}

/// Both futures to their end. A sender that failed ends both, since nothing reaches it any more. What a receiver
/// sent before it failed is still read to its end.
async fn until_both(
    mut one: Pin<&mut impl Future<Output = Result<(), Fault>>>,
    mut other: Pin<&mut impl Future<Output = Result<(), Fault>>>,
) -> Result<(), Error> {
    let (mut one_ended, mut other_ended) = (false, false);
    let mut ended = Ok(());
    poll_fn(|context| {
        if !one_ended && let Poll::Ready(result) = one.as_mut().poll(context) {
            one_ended = true;
            match result {
                Ok(()) => {}
                Err(Fault::Write(error)) => ended = Err(error),
                Err(Fault::Read(error)) => return Poll::Ready(Err(error)),
            }
        }
        if !other_ended && let Poll::Ready(result) = other.as_mut().poll(context) {
            other_ended = true;
            match result {
                Ok(()) => {}
                Err(Fault::Write(error)) => ended = Err(error),
                Err(Fault::Read(error)) => return Poll::Ready(Err(error)),
            }
        }
        if one_ended && other_ended {
            return Poll::Ready(std::mem::replace(&mut ended, Ok(())));
        }
        Poll::Pending
    })
    .await
}

fn tunnel_error(side: Side, detail: &str) -> Error {
    Error::silent(side, Stage::Tunnel, detail)
}
