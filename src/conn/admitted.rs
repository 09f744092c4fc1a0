//! What a request's head decided, and what may be done with the request.

use std::rc::Rc;

use super::exchange::Request;
use super::inspect::Sight;
use super::progress::Left;
use crate::error::Error;
use crate::forward::buffer::Scratch;
use crate::forward::leg::Unread;
use crate::forward::origin::{Origin, Way};
use crate::http::framing::{BodyKind, RequestPlan};
use crate::http::head::{Method, Version};
use crate::http::target::Authority;
use crate::scan::Shape;

/// What a request's head decided.
pub(super) struct Admitted {
    /// How long the head was.
    pub(super) len: usize,
    pub(super) method: Method,
    pub(super) version: Version,
    pub(super) plan: RequestPlan,
    pub(super) shape: Shape,
    pub(super) sight: Sight,
    /// Whether it logs its connection in.
    pub(super) logs_in: bool,
    pub(super) destination: Destination,
    /// The head as it goes upstream.
    pub(super) forwarded: Scratch,
}

pub(super) enum Destination {
    /// Upstream.
    Origin(Rc<Origin>),
    /// CONNECT.
    Tunnel(Authority),
    /// Answered here.
    Reply(Vec<u8>),
    /// Well-formed, but it cannot be forwarded.
    Refused(Error),
}

impl Admitted {
    /// The request as it goes to its origin.
    pub(super) fn request(&self, origin: &Origin, may_stay: bool) -> Request<'_> {
        Request {
            method: self.method,
            version: self.version,
            plan: &self.plan,
            shape: &self.shape,
            head: &self.forwarded.bytes,
            may_stay,
            is_relayed: matches!(origin.way, Way::Relayed(_)),
        }
    }

    /// How the client is left behind an answer of ours, by what was read behind the head.
    pub(super) fn left(&self, unread: &Unread) -> Left {
        let is_whole = self.plan.body.is_within(unread.bytes().len());
        if is_whole { Left::Ended } else { Left::Midway }
    }

    /// RFC 9110 §9.2.2: a request may be sent again by itself only if it is idempotent; and here only if none of
    /// its body has been read, since that cannot be had twice.
    pub(super) fn may_repeat(&self) -> bool {
        self.method.is_idempotent()
            && matches!(self.plan.body, BodyKind::None | BodyKind::Length(0))
    }
}
