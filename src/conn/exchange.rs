//! One request and its response, both under way at the same time: each read is judged, scanned (or put aside for
//! that, if it is small) and written on before the next one. What is decided about bytes is decided by `http` and
//! `scan`; this file only joins.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::asides::Asides;
use super::backlog::{defer_body, defer_head};
use super::body::{Ranges, judge_response, step_request, write_coalesced};
use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use super::ending::until_gone;
use super::inspect::{Sight, Whence, shape_of};
use super::inspector::Inspector;
use super::progress::{Left, Progress, marked};
use super::trailing::Trailing;
use super::upstream::unanswered;
use crate::error::{Error, Side, Stage};
use crate::finding::Direction;
use crate::forward::leg::{Leg, Unread};
use crate::http::body::Body;
use crate::http::framing::{BodyKind, RequestPlan, ResponseKind, plan_response};
use crate::http::head::{Method, ResponseHead, Version, response_within};
use crate::http::login;
use crate::http::reply::Cause;
use crate::http::rewrite::write_response;
use crate::http::search::{HeadBounds, HeadSearch};
use crate::http::websocket::{Agreement, agreement};
use crate::limits::KEEP_ALIVE_MARGIN_SECS;
use crate::scan::Shape;
use crate::tls::stream::Stream;

/// A request, decided: what goes upstream and what to expect.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: Method,
    pub version: Version,
    pub plan: &'a RequestPlan,
    /// What its body is.
    pub shape: &'a Shape,
    /// The head as it goes upstream.
    pub head: &'a [u8],
    /// Whether the client's connection may be kept after this request, as far as we go.
    pub may_stay: bool,
    /// Whether it is sent to an upstream proxy, which may answer for itself.
    pub is_relayed: bool,
}

/// How an exchange ended.
#[derive(Debug)]
pub enum Outcome {
    /// The response went out whole.
    /// The upstream connection may wait for so long for another request, if at all.
    Done { client: Left, keep_upstream: Option<Duration> },
    /// 101: from now on both connections carry another protocol, WebSocket if there is an agreement.
    Upgraded(Option<Agreement>),
    /// The upstream connection closed without a byte of an answer.
    Unanswered(Error, Left),
    /// The client can still be told; how that leaves it.
    Failed(Error, Left),
    /// Something of the response went out already, or the client has gone: only closing is left.
    Cut {
        error: Error,
        /// Whether what the client has would look like all of it, were its connection ended in order.
        looks_whole: bool,
    },
}

/// One exchange under way.
pub struct Exchange<'a> {
    pub core: &'a Rc<Core>,
    pub deadline: &'a Deadline,
    pub sight: &'a Sight,
    pub request: Request<'a>,
    /// How long the origin may take to begin its answer.
    pub response_timeout: Duration,
    /// Set once the origin takes what comes on its connection for one user's.
    pub is_own: &'a Cell<bool>,
}

impl Exchange<'_> {
    /// Runs it to its end, under the deadline for a body, which is set.
    pub async fn run(&self, client: &mut Leg, upstream: &mut Leg) -> Outcome {
        let progress = Progress::default();
        let both = self.both(client, upstream, &progress);
        match self.deadline.guard(both).await {
            Ok(outcome) => outcome,
            Err(interrupt) => self.interrupted(interrupt, &progress),
        }
    }

    async fn both(&self, client: &mut Leg, upstream: &mut Leg, progress: &Progress) -> Outcome {
        let Leg { stream: client_stream, unread: client_unread } = client;
        let Leg { stream: upstream_stream, unread: upstream_unread } = upstream;
        let sending = self.send_request(client_stream, client_unread, upstream_stream, progress);
        let receiving =
            self.receive_response(upstream_stream, upstream_unread, client_stream, progress);
        let (mut sending, mut receiving) = (pin!(sending), pin!(receiving));
        let mut is_sending = true;
        poll_fn(|context| {
            if is_sending && let Poll::Ready(result) = sending.as_mut().poll(context) {
                is_sending = false;
                match result {
                    Ok(()) => {}
                    // An upstream that stopped reading may have answered: the response decides.
                    Err(error) if error.side == Side::Upstream => progress.is_refused.set(true),
                    Err(error) => return Poll::Ready(self.failed(error, progress)),
                }
            }
            receiving.as_mut().poll(context)
        })
        .await
    }

    fn failed(&self, error: Error, progress: &Progress) -> Outcome {
        if progress.is_answered.get() {
            self.given_up(&error)
        } else if progress.has_begun() || error.answer.is_none() {
            progress.cut(error)
        } else {
            Outcome::Failed(error, progress.left_failed())
        }
    }

    fn interrupted(&self, interrupt: Interrupt, progress: &Progress) -> Outcome {
        if interrupt == Interrupt::Stopping {
            let error =
                Error::silent(Side::Internal, Stage::ResponseBody, "cut off by the shutdown");
            return progress.cut(error);
        }
        self.failed(progress.stalled(), progress)
    }

    /// Head and body upstream, then a watch over the client until the response is through.
    async fn send_request(
        &self,
        client: &Stream,
        unread: &mut Unread,
        upstream: &Stream,
        progress: &Progress,
    ) -> Result<(), Error> {
        let mut body = Body::new(self.request.plan.body);
        if body.is_done() {
            progress.request_read.set(true);
            let write = upstream.write_all(self.request.head);
            marked(&progress.upstream_is_full, write).await.map_err(upstream_write)?;
        } else {
            // Boxed, as most requests have none: their exchanges are small.
            Box::pin(self.send_body(client, unread, upstream, &mut body, progress)).await?;
        }
        let sent = self.request.head.len() as u64;
        self.core.counters.bytes_outbound.add(sent);
        progress.request_sent.set(true);
        if !progress.response_started.get() {
            self.deadline.set(self.response_timeout);
        }
        self.watch_client(client, unread, progress).await
    }

    async fn send_body(
        &self,
        client: &Stream,
        unread: &mut Unread,
        upstream: &Stream,
        body: &mut Body,
        progress: &Progress,
    ) -> Result<(), Error> {
        let whence = Whence::new(self.core, self.sight, Direction::Outbound);
        let mut inspector = Inspector::of_body(whence, self.request.shape);
        inspector.may_wait();
        let mut asides = Asides::new(self.core, self.sight, Direction::Outbound);
        let mut first = self.core.scratch.lend();
        first.bytes.extend_from_slice(self.request.head);
        loop {
            let len = step_request(unread, body, &mut inspector, &mut asides).await?;
            let bytes = unread.bytes().get(..len).unwrap_or_default();
            progress.note_body(len);
            progress.request_read.set(body.is_done());
            self.core.counters.bytes_outbound.add(len as u64);
            let write = write_coalesced(upstream, &mut first.bytes, bytes);
            marked(&progress.upstream_is_full, write).await.map_err(upstream_write)?;
            unread.consume(len);
            if body.is_done() {
                return Ok(());
            }
            self.deadline.set(self.core.config.http.body_idle_timeout);
            if unread.is_empty()
                && unread.fill_or(client, &mut || inspector.settle()).await.map_err(client_read)?
                    == 0
            {
                drop((inspector, asides, first));
                return Err(self.cut_short(client, upstream, progress).await);
            }
        }
    }

    /// Notices a client that goes away, so that the origin stops working for nobody.
    async fn watch_client(
        &self,
        client: &Stream,
        unread: &mut Unread,
        progress: &Progress,
    ) -> Result<(), Error> {
        if !unread.is_empty() {
            return Ok(());
        }
        if unread.fill(client).await.map_err(client_read)? == 0 {
            progress.half_closed.set(true);
            // It may be waiting for its answer all the same (RFC 9112 §9.6), for as long as that may take.
            return Err(client_read(Box::pin(until_gone(client, || self.filler(progress))).await));
        }
        Ok(())
    }

    async fn receive_response(
        &self,
        upstream: &Stream,
        unread: &mut Unread,
        client: &Stream,
        progress: &Progress,
    ) -> Outcome {
        let mut out = self.core.scratch.lend();
        loop {
            let received = match self.next_head(upstream, unread, &mut out.bytes, progress).await {
                Ok(received) => received,
                Err(outcome) => return outcome,
            };
            match received.kind {
                ResponseKind::Interim => {
                    let write = marked(&progress.client_is_full, client.write_all(&out.bytes));
                    if self.request.version == Version::Http11
                        && let Err(error) = write.await
                    {
                        return progress.cut(client_write(error));
                    }
                }
                // RFC 9110 §7.8: nobody may change the protocol in the middle of a message.
                ResponseKind::SwitchingProtocols if !progress.request_sent.get() => {
                    let error = bad_response("101 before the end of the request");
                    return self.failed(error, progress);
                }
                ResponseKind::SwitchingProtocols if self.request.plan.upgrade => {
                    progress.response_started.set(true);
                    let write = client.write_all(&out.bytes);
                    return match marked(&progress.client_is_full, write).await {
                        Ok(()) => Outcome::Upgraded(received.websocket),
                        Err(error) => progress.cut(client_write(error)),
                    };
                }
                ResponseKind::SwitchingProtocols => {
                    return self.failed(bad_response("101 without an Upgrade request"), progress);
                }
                ResponseKind::Final => {
                    let (reads_on, may_keep) = (received.reads_on, received.keep_client);
                    let head = &mut out.bytes;
                    let outcome = self
                        .relay_response(received, head, upstream, unread, client, progress)
                        .await;
                    let is_done = matches!(outcome, Outcome::Done { .. });
                    if !reads_on || !is_done || progress.request_sent.get() {
                        return outcome;
                    }
                    drop(out);
                    let finished = self.finish_upload(upstream, unread, may_keep, progress);
                    return Box::pin(finished).await;
                }
            }
        }
    }

    /// Reads the next response head and writes it, as the client shall see it, into `out`.
    async fn next_head(
        &self,
        upstream: &Stream,
        unread: &mut Unread,
        out: &mut Vec<u8>,
        progress: &Progress,
    ) -> Result<Received, Outcome> {
        out.clear();
        let mut search = HeadSearch::response(self.core.config.http.head_limits());
        loop {
            let judged = match search.find(unread.bytes()) {
                Ok(Some(bounds)) => self.judge_head(unread, &bounds, out, progress),
                Ok(None) => Ok(None),
                Err(error) => Err(bad_response(error.reason)),
            };
            match judged {
                Ok(Some((received, len))) => {
                    unread.consume(len);
                    return Ok(received);
                }
                Ok(None) => {}
                Err(error) => return Err(Outcome::Failed(error, progress.left_failed())),
            }
            let was_empty = unread.is_empty();
            let error = match unread.fill(upstream).await {
                Ok(0) => unanswered(&self.sight.dest, None),
                Ok(_) => continue,
                Err(error) => unanswered(&self.sight.dest, Some(error)),
            };
            let left = progress.left_failed();
            return Err(match was_empty {
                true => Outcome::Unanswered(error, left),
                false => Outcome::Failed(error, left),
            });
        }
    }

    /// Decides about a response head once it is there whole.
    fn judge_head(
        &self,
        unread: &Unread,
        bounds: &HeadBounds,
        out: &mut Vec<u8>,
        progress: &Progress,
    ) -> Result<Option<(Received, usize)>, Error> {
        let Some(chunk) = unread.chunk() else { return Ok(None) };
        let head = response_within(chunk.bytes(), bounds).map_err(|e| bad_response(e.reason))?;
        if self.request.is_relayed && head.status == 407 {
            return Err(refused_by_proxy());
        }
        let plan = plan_response(&head, self.request.method).map_err(|e| bad_response(e.reason))?;
        defer_head(self.core, self.sight, Direction::Inbound, chunk, head.len);
        self.is_own.set(self.is_own.get() || login::is_offered(&head));
        progress.note_status(head.status);
        let reads_on = self.reads_on(&head, &plan, progress);
        let side = self.client_side(&plan, reads_on, progress);
        let via = self.core.config.http.add_via.then_some(super::VIA);
        write_response(&head, &plan, side, via, out);
        let len = head.len;
        let received = Received {
            kind: plan.kind,
            keep_client: side.persistent,
            // Who answers before the end of the request may not have read it, and take its rest for another.
            keep_upstream: (plan.persistent && progress.request_sent.get())
                .then(|| idle_wait(plan.keep_alive_secs)),
            dechunk: side.dechunk,
            reads_on: reads_on && !side.dechunk,
            shape: shape_of(head.headers()),
            body: plan.body,
            websocket: match plan.kind {
                ResponseKind::SwitchingProtocols => self.agreement(&head),
                ResponseKind::Interim | ResponseKind::Final => None,
            },
        };
        Ok(Some((received, len)))
    }

    /// What a 101 agreed on, by the request's head as it went upstream.
    fn agreement(&self, response: &ResponseHead<'_>) -> Option<Agreement> {
        agreement(&self.sent_head()?, response)
    }

    /// The final head and its body to the client.
    async fn relay_response(
        &self,
        received: Received,
        first: &mut Vec<u8>,
        upstream: &Stream,
        unread: &mut Unread,
        client: &Stream,
        progress: &Progress,
    ) -> Outcome {
        let until_close = matches!(received.body, BodyKind::UntilClose);
        let mut body = Body::new(received.body);
        let (mut trailing, mut ranges) = (None, Ranges::new());
        let mut asides = Asides::new(self.core, self.sight, Direction::Inbound);
        let mut ended = false;
        let mut data = received.dechunk.then(|| self.core.scratch.lend());
        loop {
            let judged = judge_response(unread, &mut body, data.as_mut(), &mut ranges, &mut asides);
            // Before the write: a connection that ends while it is scanned has passed nothing unseen. What is small
            // is put aside here, and scanned once it has left.
            self.inspect_response(unread, &ranges, &received, body.is_done(), &mut trailing).await;
            let len = match judged {
                Ok(len) => len,
                Err(error) => return self.failed(error, progress),
            };
            let bytes = match &data {
                Some(data) => data.bytes.as_slice(),
                None => unread.bytes().get(..len).unwrap_or_default(),
            };
            self.core.counters.bytes_inbound.add((first.len() + bytes.len()) as u64);
            progress.ends_by_close.set(until_close || received.dechunk);
            progress.response_started.set(true);
            let write = write_coalesced(client, first, bytes);
            if let Err(error) = marked(&progress.client_is_full, write).await {
                return progress.cut(client_write(error));
            }
            unread.consume(len);
            self.deadline.set(self.core.config.http.body_idle_timeout);
            if body.is_done() || ended {
                return self.done(&received.keep(unread, until_close), progress);
            }
            match unread.fill(upstream).await {
                Ok(0) if until_close => ended = true,
                Ok(0) => return progress.cut(cut_response("closed in the middle of its answer")),
                Ok(_) => {}
                Err(error) => return progress.cut_by(&error),
            }
        }
    }

    /// Scans what one read brought of a body, or has it scanned if it is all of it.
    async fn inspect_response(
        &self,
        unread: &Unread,
        ranges: &Ranges,
        received: &Received,
        is_all: bool,
        trailing: &mut Option<Rc<Trailing>>,
    ) {
        let Some(chunk) = unread.chunk().filter(|_| !ranges.is_empty()) else { return };
        let (core, sight, shape) = (self.core, self.sight, &received.shape);
        let is_first = trailing.is_none();
        if is_first && is_all && defer_body(core, sight, Direction::Inbound, shape, chunk, ranges) {
            return;
        }
        let trailing =
            trailing.get_or_insert_with(|| Trailing::new(core, sight, Direction::Inbound, shape));
        trailing.follow(chunk, ranges, is_all).await;
    }

    fn done(&self, keep: &Keep, progress: &Progress) -> Outcome {
        Outcome::Done { client: progress.left(keep.client), keep_upstream: keep.upstream }
    }
}

/// A response head, decided.
struct Received {
    kind: ResponseKind,
    body: BodyKind,
    keep_client: bool,
    keep_upstream: Option<Duration>,
    dechunk: bool,
    /// The origin gets the rest of its request behind this answer.
    reads_on: bool,
    shape: Shape,
    websocket: Option<Agreement>,
}

/// What may be used again.
struct Keep {
    client: bool,
    upstream: Option<Duration>,
}

/// How long a connection may wait for its next request, by what the origin says of its own patience.
fn idle_wait(keep_alive_secs: Option<u64>) -> Duration {
    keep_alive_secs.map_or(Duration::MAX, |seconds| {
        Duration::from_secs(seconds.saturating_sub(KEEP_ALIVE_MARGIN_SECS))
    })
}

impl Received {
    /// What may be used again once the body is through: nothing upstream that said more than its answer.
    fn keep(&self, unread: &Unread, until_close: bool) -> Keep {
        Keep {
            client: self.keep_client,
            upstream: self.keep_upstream.filter(|_| !until_close && unread.is_empty()),
        }
    }
}

pub(super) fn bad_response(reason: &str) -> Error {
    let detail = format!("the origin's answer is malformed: {reason}");
    let cause = Cause::HttpProtocolError;
    Error::answered(Side::Upstream, Stage::ResponseHead, 502, cause, detail)
}

/// The credentials that an upstream proxy asks for are ours: a client could do nothing with its challenge.
fn refused_by_proxy() -> Error {
    let detail = "the upstream proxy asks for other credentials (407)";
    let cause = Cause::ConnectionTerminated;
    Error::answered(Side::Upstream, Stage::ResponseHead, 502, cause, detail)
}

fn cut_response(reason: &str) -> Error {
    Error::silent(Side::Upstream, Stage::ResponseBody, reason)
}

fn upstream_write(error: io::Error) -> Error {
    Error::silent(Side::Upstream, Stage::RequestBody, error.to_string())
}

fn client_read(error: io::Error) -> Error {
    Error::silent(Side::Client, Stage::RequestBody, error.to_string())
}

fn client_write(error: io::Error) -> Error {
    Error::silent(Side::Client, Stage::ResponseBody, error.to_string())
}
