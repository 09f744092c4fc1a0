//! Idle connections to origins, as one client's requests take and leave them.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::{Admitted, Requests};
use crate::forward::leg::Leg;
use crate::forward::origin::Origin;
use crate::forward::pool::{Care, Own};
use crate::tls::stream::Stream;

impl Requests<'_> {
    /// The client's own connection to the origin, and then `is_own` is set; else one of the pool's.
    pub(super) async fn take_idle(
        &mut self,
        origin: &Origin,
        admitted: &Admitted,
        is_own: &Cell<bool>,
    ) -> Option<Leg> {
        let core = self.core;
        let care = if admitted.may_repeat() { Care::Told } else { Care::Looked };
        let now = self.deadline.last_set();
        let mut own = self.own.take_if(|own| own.leads_to(origin));
        let taken = poll_fn(|context| {
            let own = own.take().and_then(|own| own.into_stream(now, context, care));
            is_own.set(is_own.get() || own.is_some());
            Poll::Ready(own.or_else(|| core.take_idle(origin, now, context, care)))
        });
        Some(Leg::new(taken.await?, &core.buffers))
    }

    /// Keeps a connection for another request: of this client's only, if the origin takes all for one user's.
    pub(super) fn keep_idle(
        &mut self,
        origin: &Rc<Origin>,
        stream: Stream,
        wait: Duration,
        is_own: bool,
    ) {
        let now = self.deadline.last_set();
        if is_own {
            let wait = wait.min(self.core.config.http.upstream_idle_timeout);
            self.own = Some(Box::new(Own::new(origin, stream, now, wait)));
        } else {
            self.core.keep_idle(origin, stream, now, wait);
        }
    }
}
