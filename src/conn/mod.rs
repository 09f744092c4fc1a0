//! The life of one client connection: the only place that joins `http`, `tls`, `forward` and `scan`. Every
//! branch between stages and every timeout is here; what a byte means is decided elsewhere.
//!
//! `serve` ▶ `requests` (one head after the other) ▶ `exchange` (one request and its response) or `connect`
//! (what a tunnel carries) ▶ `tunnel` (bytes both ways).

pub mod answer;
pub mod connect;
pub mod core;
pub mod deadline;
pub mod exchange;
pub mod inspect;
pub mod requests;
pub mod tunnel;
pub mod upstream;

use std::rc::Rc;

use self::core::Core;
use self::requests::{Requests, Route};
use crate::finding::Protocol;
use crate::forward::leg::Leg;
use crate::forward::origin::Origin;
use crate::forward::tcp::Tcp;
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

/// Serves one client to the end of its connection. What went wrong is logged here, once.
pub async fn serve(core: Rc<Core>, tcp: Tcp, door: Door) {
    let source = tcp.peer().ip().to_canonical();
    let deadline = core.deadlines.register();
    let route = match door {
        Door::Proxy => Route::Proxy,
        Door::Gateway => {
            let target = core.config.listen.gateway_target;
            let origin = Rc::new(Origin::clear(&target.ip().to_string(), target.port()));
            Route::Fixed { origin, protocol: Protocol::Gateway, spare: None }
        }
    };
    let client = Leg::new(Stream::Clear(tcp), &core.buffers);
    if let Err(error) = Requests::new(&core, &deadline, source, route).serve(client).await {
        log::debug!("{source}: {error}");
    }
}
