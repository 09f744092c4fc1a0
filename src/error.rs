//! Whose fault a failure was, at which stage, and which answer it earns. Holds no secret: causes are words of
//! libraries and of our own, never bytes of a message but for whom it names (Host, Origin).

use std::fmt;

use crate::forward::pipe::Code;
use crate::http::reply::Cause;

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The agent's.
    Client,
    /// The origin's, or that of the way to it.
    Upstream,
    /// Ours.
    Internal,
}

/// Where it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading or judging a request's head.
    RequestHead,
    /// Reading or sending a request's body.
    RequestBody,
    /// Looking up and dialling the origin.
    Dial,
    /// TLS with the client.
    ClientTls,
    /// TLS with the origin.
    UpstreamTls,
    /// Reading or judging a response's head.
    ResponseHead,
    /// Reading or sending a response's body.
    ResponseBody,
    /// Bytes of a tunnel.
    Tunnel,
}

/// A failure that ends an exchange.
#[derive(Clone, Debug)]
pub struct Error {
    pub side: Side,
    pub stage: Stage,
    /// What happened, for the log and for the agent.
    pub detail: String,
    /// What the client is answered, where it can still be answered.
    pub answer: Option<Answer>,
    /// What the origin reset its stream with: a client that speaks HTTP/2 is told the same instead.
    pub reset: Option<Code>,
}

/// An answer of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The error type of RFC 9209.
    pub cause: Cause,
}

impl Error {
    /// A failure that the client is told of.
    pub fn answered(
        side: Side,
        stage: Stage,
        status: u16,
        cause: Cause,
        detail: impl Into<String>,
    ) -> Error {
        Error {
            side,
            stage,
            detail: detail.into(),
            answer: Some(Answer { status, cause }),
            reset: None,
        }
    }

    /// A failure that only closes the connection.
    pub fn silent(side: Side, stage: Stage, detail: impl Into<String>) -> Error {
        Error { side, stage, detail: detail.into(), answer: None, reset: None }
    }

    /// The same of a stream that was reset, if it was.
    #[must_use]
    pub fn by_reset(self, code: Option<Code>) -> Error {
        Error { reset: code, ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client => "client",
            Side::Upstream => "upstream",
            Side::Internal => "internal",
        };
        let stage = match self.stage {
            Stage::RequestHead => "request head",
            Stage::RequestBody => "request body",
            Stage::Dial => "dial",
            Stage::ClientTls => "client TLS",
            Stage::UpstreamTls => "upstream TLS",
            Stage::ResponseHead => "response head",
            Stage::ResponseBody => "response body",
            Stage::Tunnel => "tunnel",
        };
        write!(f, "{side}, {stage}: {}", self.detail)
    }
}
