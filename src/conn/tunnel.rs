//! Two connections joined byte for byte, each direction on its own: an end on one side is passed on, and the
//! other direction goes on until its own end. What flows is scanned where it can be read.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use super::inspect::{Inspector, Sight};
use crate::error::{Error, Side, Stage};
use crate::finding::Direction;
use crate::forward::leg::{Leg, Unread};
use crate::tls::stream::Stream;

/// What a tunnel needs of its connection.
pub struct Tunnel<'a> {
    pub core: &'a Core,
    pub deadline: &'a Deadline,
}

impl Tunnel<'_> {
    /// Relays until both directions have ended. Without a sight nothing is scanned, and all is counted.
    pub async fn relay(
        &self,
        client: Leg,
        upstream: Leg,
        sight: Option<&Sight>,
    ) -> Result<(), Error> {
        let result = self
            .both_ways(&client.stream, &upstream.stream, client.unread, upstream.unread, sight)
            .await;
        if result.is_err() {
            client.stream.abort();
            upstream.stream.abort();
        }
        result
    }

    async fn both_ways(
        &self,
        client: &Stream,
        upstream: &Stream,
        client_unread: Unread,
        upstream_unread: Unread,
        sight: Option<&Sight>,
    ) -> Result<(), Error> {
        let inspector = |direction| sight.map(|sight| Inspector::new(self.core, sight, direction));
        let outbound = inspector(Direction::Outbound);
        let inbound = inspector(Direction::Inbound);
        let counters = &self.core.counters;
        let out_bytes = Cell::new(0);
        let in_bytes = Cell::new(0);
        let there = self.one_way(client, client_unread, upstream, outbound, &out_bytes);
        let back = self.one_way(upstream, upstream_unread, client, inbound, &in_bytes);
        self.deadline.set(self.core.config.http.tunnel_idle_timeout);
        let ended = self.deadline.guard(until_both(there, back)).await;
        counters.bytes_outbound.add(out_bytes.get());
        counters.bytes_inbound.add(in_bytes.get());
        match ended {
            Ok(result) => result,
            Err(Interrupt::Stopping) => Err(tunnel_error(Side::Internal, "cut by the shutdown")),
            Err(Interrupt::Expired) => Err(tunnel_error(Side::Client, "idle for too long")),
        }
    }

    async fn one_way(
        &self,
        from: &Stream,
        mut unread: Unread,
        to: &Stream,
        mut inspector: Option<Inspector<'_>>,
        total: &Cell<u64>,
    ) -> Result<(), Error> {
        loop {
            if let Some(chunk) = unread.chunk() {
                let len = chunk.bytes().len();
                match &mut inspector {
                    Some(inspector) => inspector.feed(chunk, 0..len),
                    None => self.core.counters.bytes_unscanned.add(len as u64),
                }
                total.set(total.get() + len as u64);
                to.write_all(chunk.bytes()).await.map_err(tunnel_io)?;
                unread.consume(len);
                self.deadline.set(self.core.config.http.tunnel_idle_timeout);
            }
            if unread.fill(from).await.map_err(tunnel_io)? == 0 {
                if let Some(inspector) = inspector {
                    inspector.finish();
                }
                to.finish().await;
                return Ok(());
            }
        }
    }
}

/// Both futures to their end; the first error ends both.
async fn until_both(
    one: impl Future<Output = Result<(), Error>>,
    other: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut one_ended, mut other_ended) = (false, false);
    poll_fn(|context| {
        if !one_ended && let Poll::Ready(result) = one.as_mut().poll(context) {
            one_ended = true;
            if result.is_err() {
                return Poll::Ready(result);
            }
        }
        if !other_ended && let Poll::Ready(result) = other.as_mut().poll(context) {
            other_ended = true;
            if result.is_err() {
                return Poll::Ready(result);
            }
        }
        if one_ended && other_ended { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await
}

fn tunnel_io(error: std::io::Error) -> Error {
    tunnel_error(Side::Upstream, &error.to_string())
}

fn tunnel_error(side: Side, detail: &str) -> Error {
    Error::silent(side, Stage::Tunnel, detail)
}
