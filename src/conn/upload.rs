//! An answer before the end of its request. An origin that accepts the request reads on, so that it gets the rest; one
//! that refuses it, or ends its connection, gets no more. The rest is never read as the request that it may look like:
//! the client's connection is kept only once all of it went out.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::deadline::Phase;
use super::ending::until_gone;
use super::exchange::{Exchange, Outcome, Request};
use super::progress::{Left, Progress};
use crate::error::{Error, Side, Stage};
use crate::forward::leg::Unread;
use crate::http::framing::{ResponseKind, ResponsePlan};
use crate::http::head::{HeadLimits, RequestHead, ResponseHead, Version, parse_request};
use crate::http::reply;
use crate::http::rewrite::ClientSide;
use crate::tls::stream::Stream;

impl Exchange<'_> {
    /// Whether an answer came before the end of a request that its origin reads on.
    pub(super) fn reads_on(
        &self,
        head: &ResponseHead<'_>,
        plan: &ResponsePlan,
        progress: &Progress,
    ) -> bool {
        !progress.request_sent.get()
            && plan.kind == ResponseKind::Final
            && plan.persistent
            && (200..300).contains(&head.status)
            && (progress.body_is_due.get() || !self.expects())
    }

    /// Whether the client asked to be told before it sends its body (RFC 9110 §10.1.1): it may never send one.
    fn expects(&self) -> bool {
        self.sent_head().is_none_or(|head| head.get("expect").is_some())
    }

    /// The request's head as it went upstream.
    pub(super) fn sent_head(&self) -> Option<RequestHead<'_>> {
        let sent = self.request.head;
        let limits = HeadLimits { max_bytes: sent.len() + 1, max_headers: sent.len() };
        parse_request(sent, &limits).ok().flatten()
    }

    /// An answer to a request that nobody reads on is the last one.
    pub(super) fn client_side(
        &self,
        plan: &ResponsePlan,
        reads_on: bool,
        progress: &Progress,
    ) -> ClientSide {
        let is_read = reads_on || progress.request_sent.get();
        let serving = is_read && self.deadline.phase() == Phase::Running;
        let Request { version, plan: request, may_stay, .. } = self.request;
        ClientSide::new(version, request, plan, may_stay && serving)
    }

    /// Behind an answer that went out whole: waits until the request did so too, or until the origin takes no more of
    /// it. The sender's deadlines bound that.
    pub(super) async fn finish_upload(
        &self,
        upstream: &Stream,
        unread: &mut Unread,
        may_keep_client: bool,
        progress: &Progress,
    ) -> Outcome {
        progress.is_answered.set(true);
        if unread.is_empty() {
            let mut more = pin!(unread.fill(upstream));
            // Polled behind the sender, in the same task: what that one noted is seen.
            poll_fn(|context| {
                if progress.request_sent.get() || progress.is_refused.get() {
                    return Poll::Ready(());
                }
                // Neither an end nor more than the answer is one that reads on.
                more.as_mut().poll(context).map(|_| ())
            })
            .await;
        }
        // The last one was set before the last read, which may have been long ago: a client is idle from now on.
        self.deadline.set(self.core.config.http.body_idle_timeout);
        Outcome::Done {
            client: progress.left(may_keep_client),
            // If the origin did not read on after all, it takes the rest for another request, and what it answers to
            // that would be taken for the answer to somebody else's.
            keep_upstream: None,
        }
    }

    /// The client ended its direction in the middle of its request. Where the answer is under way it may only have read
    /// enough of that to send no more (RFC 9112 §9.5): it gets the rest, and the origin is shown that the request ends
    /// here. Returns once the client is gone altogether, or at once where it has no answer to wait for.
    pub(super) async fn cut_short(
        &self,
        client: &Stream,
        upstream: &Stream,
        progress: &Progress,
    ) -> Error {
        if progress.response_started.get() && !progress.is_answered.get() {
            progress.half_closed.set(true);
            progress.is_refused.set(true);
            upstream.cut();
            until_gone(client, || None).await;
        }
        Error::silent(Side::Client, Stage::RequestBody, "the request's body was cut short")
    }

    /// What a client passes over that awaits its answer: of HTTP/1.1, an interim one, whether it asked for any or not
    /// (RFC 9110 §15.2).
    pub(super) fn filler(&self, progress: &Progress) -> Option<&'static [u8]> {
        let may_be_sent = self.request.version == Version::Http11 && !progress.has_begun();
        may_be_sent.then_some(reply::CONTINUE)
    }

    /// The rest of a request that was answered does not come, or is not taken. The client has all that it is to get:
    /// its connection ends in order.
    pub(super) fn given_up(&self, error: &Error) -> Outcome {
        self.core.count_upstream_error(error);
        log::debug!("{} ▶ {}: {error}", self.sight.source, self.sight.dest);
        Outcome::Done { client: Left::Midway, keep_upstream: None }
    }
}
