//! A fresh connection to an origin: dialled, and TLS agreed on where it is spoken; each failure in words that
//! an agent can act on.

use std::io;

use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use crate::error::{Error, Side, Stage};
use crate::forward::dial::DialError;
use crate::forward::leg::Leg;
use crate::forward::origin::Origin;
use crate::forward::tcp::{Idle, Tcp};
use crate::http::reply::Cause;
use crate::tls::stream::{self, HandshakeError, Stream};
use crate::tls::{FailureKind, UpstreamTlsFailure, explain, explain_read};

/// Dials an origin.
pub async fn dial(core: &Core, deadline: &Deadline, origin: &Origin) -> Result<Tcp, Error> {
    let wait = core.config.http.connect_timeout;
    match deadline.within(wait, core.dialer.dial(&origin.host, origin.port)).await {
        Ok(Ok(tcp)) => Ok(tcp),
        Ok(Err(error)) => Err(dial_failure(&error, origin)),
        Err(Interrupt::Expired) => {
            let detail = format!("no connection to {} within {wait:?}", origin.dest);
            let cause = Cause::ConnectionTimeout;
            Err(Error::answered(Side::Upstream, Stage::Dial, 504, cause, detail))
        }
        Err(Interrupt::Stopping) => Err(stopping(Stage::Dial)),
    }
}

/// A connection ready for a request, over `spare` if it is still there.
pub async fn open(
    core: &Core,
    deadline: &Deadline,
    origin: &Origin,
    spare: Option<Tcp>,
) -> Result<Leg, Error> {
    let tcp = match spare.filter(|tcp| tcp.look() != Idle::Gone) {
        Some(tcp) => tcp,
        None => dial(core, deadline, origin).await?,
    };
    let stream = match &origin.server_name {
        Some(server_name) => encrypt(core, deadline, origin, server_name, tcp).await?,
        None => Stream::Clear(tcp),
    };
    Ok(Leg::new(stream, &core.buffers))
}

async fn encrypt(
    core: &Core,
    deadline: &Deadline,
    origin: &Origin,
    server_name: &str,
    tcp: Tcp,
) -> Result<Stream, Error> {
    let wait = core.config.tls.handshake_timeout;
    let tls = core.client_tls(&origin.host);
    let handshake = stream::connect(tcp, server_name, tls, &core.buffers);
    match deadline.within(wait, handshake).await {
        Ok(Ok(stream)) => {
            core.counters.upstream_handshakes.add(1);
            Ok(stream)
        }
        Ok(Err(error)) => Err(handshake_failure(&error, origin, server_name)),
        Err(Interrupt::Expired) => {
            let detail = format!("{}: no TLS handshake within {wait:?}", origin.dest);
            let cause = Cause::ConnectionTimeout;
            Err(Error::answered(Side::Upstream, Stage::UpstreamTls, 504, cause, detail))
        }
        Err(Interrupt::Stopping) => Err(stopping(Stage::UpstreamTls)),
    }
}

fn dial_failure(error: &DialError, origin: &Origin) -> Error {
    let (status, cause) = match error {
        DialError::Resolve(_) => (502, Cause::DnsError),
        DialError::Loop(_) => (502, Cause::ProxyLoopDetected),
        DialError::Connect(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => (502, Cause::ConnectionRefused),
            io::ErrorKind::TimedOut => (504, Cause::ConnectionTimeout),
            _ => (502, Cause::DestinationIpUnroutable),
        },
    };
    let detail = format!("{}: {error}", origin.dest);
    Error::answered(Side::Upstream, Stage::Dial, status, cause, detail)
}

/// What a failed handshake with an origin earns.
fn handshake_failure(error: &HandshakeError, origin: &Origin, server_name: &str) -> Error {
    match error {
        HandshakeError::Tls(error) => tls_failure(&explain(error, server_name), &origin.dest),
        HandshakeError::Io(error) => {
            let detail = format!("{}: {error}", origin.dest);
            let cause = Cause::ConnectionTerminated;
            Error::answered(Side::Upstream, Stage::UpstreamTls, 502, cause, detail)
        }
    }
}

/// What an origin earns that ends a connection in place of its answer.
pub fn unanswered(error: Option<&io::Error>, dest: &str) -> Error {
    if let Some(failure) = error.and_then(|error| explain_read(error, dest)) {
        return tls_failure(&failure, dest);
    }
    let reason = error.map_or_else(|| "closed".to_owned(), io::Error::to_string);
    let detail = format!("the origin ended the connection before its answer: {reason}");
    let cause = Cause::HttpResponseIncomplete;
    Error::answered(Side::Upstream, Stage::ResponseHead, 502, cause, detail)
}

fn tls_failure(failure: &UpstreamTlsFailure, dest: &str) -> Error {
    let cause = match failure.kind {
        FailureKind::Certificate => Cause::TlsCertificateError,
        FailureKind::Alert => Cause::TlsAlertReceived,
        FailureKind::Protocol => Cause::TlsProtocolError,
    };
    let detail = format!("{dest}: {}", failure.text);
    Error::answered(Side::Upstream, Stage::UpstreamTls, 502, cause, detail)
}

fn stopping(stage: Stage) -> Error {
    Error::answered(Side::Internal, stage, 503, Cause::ProxyInternalError, "the proxy is stopping")
}
