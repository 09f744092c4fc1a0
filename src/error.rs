//! Whose fault a failure was, at which stage, what went wrong, and which answer it earns. Holds no secret: causes are words of
//! libraries and of our own, never bytes of a message but for whom it names (Host, Origin).

use std::fmt;
use std::num::NonZeroU32;

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
    pub reset: Option<NonZeroU32>,
}

/// An answer of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// The error type of RFC 9209.
    pub cause: Cause,
}

/// What went wrong, by those error types of RFC 9209 §2.3 that we have to tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    DnsError,
    DestinationIpUnroutable,
    ConnectionRefused,
    ConnectionTerminated,
    ConnectionTimeout,
    ConnectionWriteTimeout,
    TlsProtocolError,
    TlsCertificateError,
    TlsAlertReceived,
    HttpRequestError,
    HttpRequestDenied,
    HttpResponseIncomplete,
    HttpResponseTimeout,
    HttpProtocolError,
    ProxyInternalError,
    ProxyLoopDetected,
}

impl Cause {
    /// Every cause, for tables and tests.
    pub const ALL: [Cause; 16] = [
        Cause::DnsError,
        Cause::DestinationIpUnroutable,
        Cause::ConnectionRefused,
        Cause::ConnectionTerminated,
        Cause::ConnectionTimeout,
        Cause::ConnectionWriteTimeout,
        Cause::TlsProtocolError,
        Cause::TlsCertificateError,
        Cause::TlsAlertReceived,
        Cause::HttpRequestError,
        Cause::HttpRequestDenied,
        Cause::HttpResponseIncomplete,
        Cause::HttpResponseTimeout,
        Cause::HttpProtocolError,
        Cause::ProxyInternalError,
        Cause::ProxyLoopDetected,
    ];

    /// The registered token.
    pub fn token(self) -> &'static str {
        match self {
            Cause::DnsError => "dns_error",
            Cause::DestinationIpUnroutable => "destination_ip_unroutable",
            Cause::ConnectionRefused => "connection_refused",
            Cause::ConnectionTerminated => "connection_terminated",
            Cause::ConnectionTimeout => "connection_timeout",
            Cause::ConnectionWriteTimeout => "connection_write_timeout",
            Cause::TlsProtocolError => "tls_protocol_error",
            Cause::TlsCertificateError => "tls_certificate_error",
            Cause::TlsAlertReceived => "tls_alert_received",
            Cause::HttpRequestError => "http_request_error",
            Cause::HttpRequestDenied => "http_request_denied",
            Cause::HttpResponseIncomplete => "http_response_incomplete",
            Cause::HttpResponseTimeout => "http_response_timeout",
            Cause::HttpProtocolError => "http_protocol_error",
            Cause::ProxyInternalError => "proxy_internal_error",
            Cause::ProxyLoopDetected => "proxy_loop_detected",
        }
    }
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
    pub fn by_reset(self, code: Option<NonZeroU32>) -> Error {
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
