//! How one client's connection ends: by the client, or by us.

use std::io;

use super::super::deadline::Phase;
use super::super::ending::{End, Ending, Rest};
use super::super::unused::Unused;
use super::{Requests, Route};
use crate::finding::Protocol;
use crate::forward::leg::Leg;
use crate::http::framing::plan_request;
use crate::http::head::{HeadLimits, parse_request};

impl Requests<'_> {
    /// The client ended its connection. If that was one inside TLS, and nothing was asked for on it, somebody may want to
    /// know.
    pub(super) fn note_end(&self, client: &Leg, ended: io::Result<usize>) {
        if self.served == 0
            && let Route::Fixed { origin, protocol: Protocol::Https, .. } = &self.route
        {
            let unused = Unused { core: self.core, source: self.source, host: &origin.host };
            let (took, begun) = (self.deadline.last_set().elapsed(), client.unread.bytes().len());
            unused.left_behind_handshake(ended.err(), took, begun);
        }
    }

    /// Whether the connection is not kept behind this request, as far as we go.
    pub(super) fn is_last(&self) -> bool {
        let cap = self.core.config.http.max_requests_per_connection;
        (cap > 0 && self.served >= cap) || self.deadline.phase() != Phase::Running
    }

    /// What may still come behind a head that was refused, and is still there. Inside CONNECT the client was
    /// let in, and the gateway does not ask.
    pub(super) fn rest_of_refused(&self, client: &Leg) -> Rest {
        let read = client.unread.bytes();
        let (whole, midway) = match &self.route {
            Route::Fixed { .. } => (Rest::Nothing, Rest::Body),
            Route::Proxy => (Rest::Unknown, Rest::Refused),
        };
        if has_more(read, &self.core.config.http.head_limits()) { midway } else { whole }
    }

    /// Ends our direction of the client's connection. What it held is given back first: that may take long.
    pub(super) async fn end(&mut self, client: &mut Leg, end: End) {
        client.unread.take();
        self.own = None;
        if let Route::Fixed { spare, .. } = &mut self.route {
            *spare = None;
        }
        self.route.leave(&client.stream);
        let ending = Ending::of(self.core, self.deadline);
        Box::pin(ending.end(&client.stream, end)).await;
    }
}

/// Whether what is refused is a HEAD, whose answer has no body (RFC 9110 §9.3.2), as far as its method tells.
pub(super) fn is_head(read: &[u8]) -> bool {
    let line = read.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    line.and_then(|at| read.get(at..)).is_some_and(|line| line.starts_with(b"HEAD "))
}

/// Whether a client may honestly be sending more behind a head that was refused: what is left of its body, or of a head
/// that is too large. A length or a coding that cannot be used says, too, that there is one.
fn has_more(read: &[u8], limits: &HeadLimits) -> bool {
    let head = match parse_request(read, limits) {
        Ok(Some(head)) => head,
        Ok(None) => return false,
        Err(error) => return error.status == 431,
    };
    match plan_request(&head) {
        Ok(plan) => !plan.body.is_within(read.len().saturating_sub(head.len)),
        Err(_) => {
            ["content-length", "transfer-encoding"].iter().any(|name| head.get(name).is_some())
        }
    }
}
