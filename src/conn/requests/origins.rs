//! Connections to origins, as one client's requests take and leave them.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::{Admitted, Answered, Core, Deadline, Link, Requests, Route, upstream};
use crate::conn::upstream::Unopened;
use crate::error::Error;
use crate::forward::leg::Leg;
use crate::forward::origin::Origin;
use crate::forward::pool::{Care, Own};
use crate::forward::tcp::Tcp;
use crate::limits::HTTP2_ATTEMPTS_MAX;
use crate::tls::stream::Stream;

/// What a request was sent on.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    /// A connection that was there before.
    pub(super) was_pooled: bool,
    /// Which of the link's, if there is one.
    pub(super) number: usize,
    /// How many there were with it.
    pub(super) count: usize,
}

impl Requests<'_> {
    /// The client's own connection to the origin, and then `is_own` is set; else one of the pool's.
    pub(super) async fn take_idle(
        &mut self,
        origin: &Origin,
        admitted: &Admitted,
        is_own: &Cell<bool>,
    ) -> Option<Leg> {
        let core = self.core;
        if let Route::Fixed { link: Some(link), .. } = &self.route
            && !link.is_http1()
        {
            return link.take(core).await;
        }
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

    /// A fresh connection to the origin, TLS agreed on where it is spoken. If there is none, the client has been told.
    pub(super) async fn open(
        &mut self,
        origin: &Origin,
        client: &mut Leg,
        admitted: &Admitted,
    ) -> Result<Leg, Answered> {
        let opened = match &mut self.route {
            Route::Fixed { link: Some(link), .. } => {
                link.open(self.core, self.deadline, origin).await
            }
            Route::Fixed { spare, link, .. } => {
                let spare = spare.take();
                match http1_to(self.core, self.deadline, origin, spare).await {
                    Ok(leg) => Ok(leg),
                    Err(Instead::Fail(error)) => Err(error),
                    // From now on the requests of this connection become streams.
                    Err(Instead::Link(made)) => {
                        let link = link.insert(made);
                        link.open(self.core, self.deadline, origin).await
                    }
                }
            }
            Route::Proxy => {
                let opened = upstream::open(self.core, self.deadline, origin, None).await;
                opened.map_err(|unopened| unopened.error)
            }
        };
        match opened {
            Ok(leg) => {
                self.deadline.set(self.core.config.http.body_idle_timeout);
                Ok(leg)
            }
            Err(error) => Err(self.failed(client, admitted, &error).await),
        }
    }

    /// The number of the connection that streams to the origin are opened on.
    pub(super) fn link_number(&self) -> usize {
        match &self.route {
            Route::Fixed { link: Some(link), .. } => link.number(),
            _ => 0,
        }
    }

    /// Whether a connection ended for its own reasons, so that what it left unanswered may be asked on another.
    pub(super) async fn has_left(&self, upstream: &Leg, attempt: Attempt) -> bool {
        match &self.route {
            Route::Fixed { link: Some(link), .. } if upstream.stream.is_piped() => {
                attempt.count < HTTP2_ATTEMPTS_MAX && link.has_left(attempt.number).await
            }
            _ => attempt.was_pooled,
        }
    }

    /// Keeps a connection for another request: of this client's only, if the origin takes all for one user's.
    pub(super) fn keep_idle(
        &mut self,
        origin: &Rc<Origin>,
        stream: Stream,
        wait: Duration,
        is_own: bool,
    ) {
        if stream.is_piped() {
            return;
        }
        let now = self.deadline.last_set();
        if is_own {
            let wait = wait.min(self.core.config.http.upstream_idle_timeout);
            self.own = Some(Box::new(Own::new(origin, stream, now, wait)));
        } else {
            self.core.keep_idle(origin, stream, now, wait);
        }
    }
}

/// What there is instead of a connection of HTTP/1.1.
enum Instead {
    /// The origin speaks HTTP/2 only: this way to it.
    Link(Rc<Link>),
    Fail(Error),
}

/// A connection of HTTP/1.1, over `spare` if it is still there.
async fn http1_to(
    core: &Core,
    deadline: &Deadline,
    origin: &Origin,
    spare: Option<Tcp>,
) -> Result<Leg, Instead> {
    let now = deadline.last_set();
    if core.only_http2.borrow().has(origin, now) {
        let spare = spare.map(|tcp| Leg::new(Stream::Clear(tcp), &core.buffers));
        return Err(Instead::Link(Rc::new(Link::new(spare))));
    }
    match upstream::open(core, deadline, origin, spare).await {
        Ok(leg) => Ok(leg),
        Err(Unopened { wants_http2: true, .. }) => {
            core.only_http2.borrow_mut().note(origin, now);
            Err(Instead::Link(Rc::new(Link::new(None))))
        }
        Err(unopened) => Err(Instead::Fail(unopened.error)),
    }
}
