//! A tunnel in which HTTP/2 is spoken though its client's TLS agreed on something else, or on nothing.

use super::{Requests, Role, Route};
use crate::conn::streams::Multiplexed;
use crate::forward::leg::Leg;
use crate::http::detect::{Opening, detect};
use crate::tls::stream::Stream;

impl Requests<'_> {
    /// Whether a tunnel's client speaks HTTP/2 whatever TLS agreed on: httpx does that behind a proxy, and curl when it
    /// is told to.
    pub(super) fn may_be_http2(&self, client: &Leg) -> bool {
        let is_tunnel = matches!(self.route, Route::Fixed { link: None, .. }) && !self.is_gateway();
        // There is a whole head: only the preface can want more behind it.
        is_tunnel
            && self.served == 0
            && matches!(detect(client.unread.bytes()), Opening::Http2 | Opening::NeedMore)
    }

    pub(super) fn multiplexed(self, client: Leg) -> Role {
        match self.route {
            Route::Fixed { origin, protocol, spare, .. } => {
                let spare = spare.map(|tcp| Leg::new(Stream::Clear(tcp), &self.core.buffers));
                Role::Streams(Box::new(Multiplexed { client, origin, protocol, spare }))
            }
            Route::Proxy => Role::Ended,
        }
    }
}
