//! The life of one client connection: the only place that joins `http`, `tls`, `forward` and `scan`. Every
//! branch between stages and every timeout is here; what a byte means is decided elsewhere.
//!
//! `serve` ▶ `requests` (one head after the other) ▶ `exchange` (one request and its response) or `connect`
//! (what a tunnel carries; `streams` where that is HTTP/2, by the `link` to its origin) ▶ `tunnel` (bytes both
//! ways; `websocket` reads the messages in them) ▶ `ending` (how each stream ends). What is small is scanned by
//! `backlog` once it has left. `upload` decides on what is left of a request that was answered early, `unused` on
//! what is said of a tunnel in which nothing was asked for, `told` on what is said of a host at all.

pub mod access;
mod admitted;
pub mod answer;
mod asides;
pub mod backlog;
mod body;
pub mod connect;
pub mod core;
pub mod deadline;
pub mod ending;
pub mod exchange;
pub mod inspect;
mod inspector;
pub mod link;
mod progress;
mod refusal;
pub mod requests;
pub mod streams;
mod told;
mod trailing;
pub mod tunnel;
mod unused;
mod upload;
pub mod upstream;
pub mod websocket;

use std::net::IpAddr;
use std::rc::Rc;

use self::access::Agent;
use self::connect::Connect;
use self::core::Core;
use self::deadline::Deadline;
use self::requests::{Requests, Route};
use self::streams::{Multiplexed, Streams};
use self::tunnel::{Tunnel, Tunnelled};
use crate::finding::Protocol;
use crate::forward::leg::Leg;
use crate::forward::origin::Origin;
use crate::forward::tcp::Tcp;
use crate::http::target::Authority;
use crate::tls::stream::Stream;

/// What we call ourselves in `Via` (RFC 9110 §7.6.3), where that is switched on.
pub const VIA: &str = "clawsec";

/// Which listener a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// The forward proxy.
    Proxy,
    /// In front of the OpenClaw gateway.
    Gateway,
}

/// What a connection is for the time being. Each role ends by naming the next; what it held is given back
/// first, so that a connection costs no more than its present role.
pub enum Role {
    /// HTTP, one request after the other.
    Requests(Leg, Route),
    /// The same, after so many requests, under a configuration that has come into force.
    Renewed(Leg, Route, u64),
    /// A tunnel that was asked for.
    Connect(Leg, Authority),
    /// HTTP/2, many requests at the same time.
    Streams(Box<Multiplexed>),
    /// Bytes both ways.
    Tunnel(Box<Tunnelled>),
    /// Over, in order.
    Ended,
}

/// Serves one client to the end of its connection.
pub async fn serve(core: Rc<Core>, tcp: Tcp, door: Door) {
    let source = tcp.peer().ip().to_canonical();
    let deadline = core.deadlines.register();
    let agent = Agent::default();
    let client = Leg::new(Stream::Clear(tcp), &core.buffers);
    let role = Role::Requests(client, route_of(&core, door));
    live(core, role, source, &deadline, &agent).await;
}

/// One role after the other. What went wrong is logged here, once.
async fn live(
    mut core: Rc<Core>,
    mut role: Role,
    source: IpAddr,
    deadline: &Deadline,
    agent: &Agent,
) {
    loop {
        if let Role::Renewed(_, route, _) = &role {
            let current = core.current();
            let before = std::mem::replace(&mut core, current);
            let (now, before) = (&core.config.access, &before.config.access);
            if route.is_tunnel() && !access::still_admits(now, before, agent) {
                core.counters.requests_unauthorized.add(1);
                return log::info!("{source}: its tunnel is closed: its user is none any more");
            }
        }
        let next = match role {
            _ if !core.config.access.admits(source) => {
                core.counters.clients_refused.add(1);
                return log::debug!("{source}: not in allow_clients");
            }
            Role::Requests(client, route) => {
                let requests = Requests::new(&core, deadline, source, route, agent);
                Box::pin(requests.serve(client)).await
            }
            Role::Renewed(client, route, served) => {
                let route = route.renewed(&core, &client.stream);
                let requests = Requests::new(&core, deadline, source, route, agent);
                Box::pin(requests.after(served).serve(client)).await
            }
            Role::Connect(client, authority) => {
                let core = &core;
                let connect = Connect { core, deadline, source, agent, authority };
                Box::pin(connect.run(client)).await
            }
            Role::Streams(multiplexed) => {
                let streams = Streams { core: &core, deadline, source, agent };
                Box::pin(streams.serve(*multiplexed)).await
            }
            Role::Tunnel(tunnelled) => {
                let tunnel = Tunnel { core: &core, deadline };
                Box::pin(tunnel.relay(*tunnelled)).await.map(|()| Role::Ended)
            }
            Role::Ended => return,
        };
        role = match next {
            Ok(next) => next,
            Err(error) => return log::debug!("{source}: {error}"),
        };
    }
}

fn route_of(core: &Core, door: Door) -> Route {
    match door {
        Door::Proxy => Route::Proxy,
        Door::Gateway => {
            let target = core.config.listen.gateway_target;
            let origin = Rc::new(Origin::clear(&target.ip().to_string(), target.port()));
            Route::Fixed { origin, protocol: Protocol::Gateway, spare: None, link: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_output<A, B, C, F>(_: impl FnOnce(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_a_connection_is_small() {
        let task = size_of_output(serve);
        let idle =
            size_of_output(|requests: Requests<'static>, client, _: ()| requests.serve(client));
        let size = task + idle;
        assert!(size <= crate::limits::CONNECTION_TASK_MAX_BYTES, "{task} + {idle} bytes");
    }
}
