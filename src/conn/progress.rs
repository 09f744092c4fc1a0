//! How far an exchange is: what its two directions know of each other, and what follows from that when it breaks
//! off.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::exchange::Outcome;
use crate::error::{Error, Side, Stage};
use crate::forward::pipe::Failure;
use crate::http::reply::Cause;

/// How an exchange leaves its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Its next request is served.
    Kept,
    /// Its connection ends.
    Ended,
    /// The same in the middle of its request.
    Midway,
}

/// How far both directions are.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The request was read whole.
    pub(super) request_read: Cell<bool>,
    /// It went out whole.
    pub(super) request_sent: Cell<bool>,
    /// The first byte of the final response, or of a 101, went out.
    pub(super) response_started: Cell<bool>,
    /// The client takes nothing of what is being written to it, be it an interim response: some of that may have gone
    /// out.
    pub(super) client_is_full: Cell<bool>,
    /// The origin takes nothing of the request that is being written to it.
    pub(super) upstream_is_full: Cell<bool>,
    /// The client sends its body, or was told to.
    pub(super) body_is_due: Cell<bool>,
    /// The origin takes no more of the request.
    pub(super) is_refused: Cell<bool>,
    /// The final response went out whole, but not the request, which the origin reads on.
    pub(super) is_answered: Cell<bool>,
    /// The response ends with the client's connection.
    pub(super) ends_by_close: Cell<bool>,
    /// The client sent FIN: it gets its answer, and no more.
    pub(super) half_closed: Cell<bool>,
}

impl Progress {
    /// So much of the request's body was read.
    pub(super) fn note_body(&self, len: usize) {
        self.body_is_due.set(self.body_is_due.get() || len > 0);
    }

    /// The origin answers with this status: 100 has a client that waits for it send its body.
    pub(super) fn note_status(&self, status: u16) {
        self.body_is_due.set(self.body_is_due.get() || status == 100);
    }

    /// Whose fault it is that an exchange stands still, and what it earns while it can still be told.
    pub(super) fn stalled(&self) -> Error {
        let upstream =
            |stage, cause, detail| Error::answered(Side::Upstream, stage, 504, cause, detail);
        let (request, response) = (Stage::RequestBody, Stage::ResponseBody);
        if self.client_is_full.get() {
            return Error::silent(Side::Client, response, "the client stopped reading its answer");
        }
        match (self.request_sent.get(), self.response_started.get()) {
            (false, _) if self.upstream_is_full.get() => {
                let cause = Cause::ConnectionWriteTimeout;
                upstream(request, cause, "the origin stopped reading the request")
            }
            // The client has ended its request, whole or not: what is awaited is the rest of the answer.
            (false, true) if self.half_closed.get() => {
                let cause = Cause::HttpResponseTimeout;
                upstream(response, cause, "the origin's answer stopped coming")
            }
            (false, _) => {
                let (status, cause) = (408, Cause::HttpRequestError);
                let detail = "the request's body stopped coming";
                Error::answered(Side::Client, request, status, cause, detail)
            }
            (true, false) => {
                let cause = Cause::HttpResponseTimeout;
                upstream(Stage::ResponseHead, cause, "the origin did not answer in time")
            }
            (true, true) => {
                let cause = Cause::HttpResponseTimeout;
                upstream(response, cause, "the origin's answer stopped coming")
            }
        }
    }

    /// How the client is left behind its answer, which `may_keep` it.
    pub(super) fn left(&self, may_keep: bool) -> Left {
        match (self.request_sent.get(), may_keep && !self.half_closed.get()) {
            (false, _) => Left::Midway,
            (true, false) => Left::Ended,
            (true, true) => Left::Kept,
        }
    }

    /// How the client is left behind an answer of ours, with which its connection ends.
    pub(super) fn left_failed(&self) -> Left {
        if self.request_read.get() { Left::Ended } else { Left::Midway }
    }

    /// Whether an answer of ours would stand behind, or within, what the client has of the origin's.
    pub(super) fn has_begun(&self) -> bool {
        self.response_started.get() || self.client_is_full.get()
    }

    /// The origin's answer broke off.
    pub(super) fn cut_by(&self, error: &io::Error) -> Outcome {
        let code = Failure::code_of(error);
        let error = Error::silent(Side::Upstream, Stage::ResponseBody, error.to_string());
        self.cut(error.by_reset(code))
    }

    /// Nothing can be said to the client any more.
    pub(super) fn cut(&self, error: Error) -> Outcome {
        Outcome::Cut { error, looks_whole: self.ends_by_close.get() }
    }
}

/// Runs a write, which `is_full` tells of as long as it waits.
pub(super) fn marked<F: Future>(is_full: &Cell<bool>, write: F) -> Marked<'_, F> {
    Marked { is_full, write }
}

pin_project! {
    /// A write under way. A type of its own, since an `async fn` would hold it twice.
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct Marked<'a, F> {
        is_full: &'a Cell<bool>,
        #[pin]
        write: F,
    }
}

impl<F: Future> Future for Marked<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let result = this.write.poll(context);
        this.is_full.set(result.is_pending());
        result
    }
}
