//! Requests that come back. The proxy's port may be reached by an address that this process does not know for its own,
//! as where a container's is published under another number: what is asked of that goes round and round.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use super::{Requests, Route};
use crate::error::{Error, Side, Stage};
use crate::forward::origin::Origin;
use crate::http::head::RequestHead;
use crate::http::reply::Cause;
use crate::http::rewrite::is_marked;
use crate::http::target::Target;

/// What only this process's marks are made of.
static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);

impl Requests<'_> {
    /// What a request carries on in CDN-Loop (RFC 8586) that is asked of the proxy as if it were the origin itself:
    /// so does whatever comes back. It differs with the origin, so that no two of them see the same; what clients ask
    /// of a proxy as one goes on without.
    pub(super) fn loop_mark(&self, target: &Target<'_>, origin: &Origin) -> Option<String> {
        let is_for_an_origin = matches!(target, Target::Origin { .. } | Target::Asterisk);
        let is_marked = matches!(self.route, Route::Proxy) && is_for_an_origin;
        is_marked.then(|| format!("clawsec-{:016x}", SECRET.hash_one((&origin.host, origin.port))))
    }
}

/// Refuses a request that carries its mark already.
pub(super) fn come_back(head: &RequestHead<'_>, mark: &str, origin: &Origin) -> Option<Error> {
    let (stage, cause) = (Stage::RequestHead, Cause::ProxyLoopDetected);
    let detail = || format!("{} leads back to this proxy", origin.dest);
    is_marked(head, mark).then(|| Error::answered(Side::Client, stage, 508, cause, detail()))
}
