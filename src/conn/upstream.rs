//! A fresh connection to an origin: dialled, and TLS agreed on where it is spoken; each failure in words that
//! an agent can act on.

use std::io;
use std::sync::Arc;

use rustix::io::Errno;

use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use crate::error::{Error, Side, Stage};
use crate::forward::dial::DialError;
use crate::forward::leg::Leg;
use crate::forward::origin::{Origin, Way};
use crate::forward::pipe::Failure;
use crate::forward::resolve::LookupError;
use crate::forward::tcp::{Idle, Tcp};
use crate::http::chain::connect_head;
use crate::http::head::parse_response;
use crate::http::reply::Cause;
use crate::tls::handshake;
use crate::tls::handshake_error::HandshakeError;
use crate::tls::stream::Stream;
use crate::tls::{ClientTls, FailureKind, TlsError, explain, with_http2};

/// Why there is no connection that is ready for a request.
#[derive(Debug)]
pub struct Unopened {
    pub error: Error,
    /// The origin speaks another protocol than HTTP/1.1, which was all that it was offered.
    pub wants_http2: bool,
}

impl From<Error> for Unopened {
    fn from(error: Error) -> Unopened {
        Unopened { error, wants_http2: false }
    }
}

/// How an origin is reached: directly, or by the configured upstream proxy, which is asked for a tunnel unless
/// it can be sent requests in absolute-form.
pub fn way(core: &Core, host: &str, absolute_form: bool) -> Way {
    match core.config.chain.proxy_for(host) {
        None => Way::Direct,
        Some(proxy) if absolute_form => Way::Relayed(Arc::clone(proxy)),
        Some(proxy) => Way::Tunnelled(Arc::clone(proxy)),
    }
}

/// A bare connection that leads to the origin, by its way.
pub async fn dial(core: &Core, deadline: &Deadline, origin: &Origin) -> Result<Leg, Error> {
    let (host, port) = match &origin.way {
        Way::Direct => (&origin.host, origin.port),
        Way::Tunnelled(proxy) | Way::Relayed(proxy) => {
            // On this machine it would bring the request back.
            let refused = core.dialer.refuse_own(&origin.host, origin.port, &proxy.host);
            let refused = deadline.within(core.config.http.connect_timeout, refused).await;
            let failed = |error| dial_failure(&error, &origin.dest);
            let late = || failed(DialError::MayLoop(origin.port));
            in_time(refused, Stage::Dial, late)?.map_err(failed)?;
            (&proxy.host, proxy.port)
        }
    };
    let tcp = dial_tcp(core, deadline, origin, host, port).await?;
    let mut leg = Leg::new(Stream::Clear(tcp), &core.buffers);
    if let Way::Tunnelled(proxy) = &origin.way {
        let head = connect_head(&origin.dest, proxy.authorization.as_deref());
        let wait = core.config.http.connect_timeout;
        let asked = deadline.within(wait, ask_for_tunnel(core, &mut leg, &head)).await;
        let dest = &origin.dest;
        let late = || format!("{dest}: the upstream proxy did not answer in time");
        in_time(asked, Stage::Dial, || too_late(Stage::Dial, late()))?.map_err(|detail| {
            let detail = format!("{dest}: the upstream proxy {detail}");
            let cause = Cause::ConnectionTerminated;
            Error::answered(Side::Upstream, Stage::Dial, 502, cause, detail)
        })?;
    }
    Ok(leg)
}

/// Sends a CONNECT and reads its answer; the error completes "the upstream proxy …".
async fn ask_for_tunnel(core: &Core, leg: &mut Leg, head: &[u8]) -> Result<(), String> {
    let limits = core.config.http.head_limits();
    let broken = |error: io::Error| format!("broke the connection: {error}");
    leg.stream.write_all(head).await.map_err(broken)?;
    loop {
        let parsed = parse_response(leg.unread.bytes(), &limits)
            .map_err(|error| format!("gave a malformed answer: {}", error.reason))?;
        if let Some((status, len)) = parsed.map(|head| (head.status, head.len)) {
            leg.unread.consume(len);
            match status {
                100..=199 => continue,
                200..=299 => return Ok(()),
                407 => return Err("asks for other credentials (407)".to_owned()),
                _ => return Err(format!("refused the tunnel ({status})")),
            }
        }
        if leg.fill().await.map_err(broken)? == 0 {
            return Err("closed the connection".to_owned());
        }
    }
}

async fn dial_tcp(
    core: &Core,
    deadline: &Deadline,
    origin: &Origin,
    host: &str,
    port: u16,
) -> Result<Tcp, Error> {
    let wait = core.config.http.connect_timeout;
    let dialling = deadline.within(wait, core.dialer.dial(host, port)).await;
    let late = || format!("{}: no connection within {wait:?}", dialled(origin));
    in_time(dialling, Stage::Dial, || too_late(Stage::Dial, late()))?
        .map_err(|error| dial_failure(&error, &dialled(origin)))
}

/// A connection ready for a request, over `spare` if it is still there.
pub async fn open(
    core: &Core,
    deadline: &Deadline,
    origin: &Origin,
    spare: Option<Tcp>,
) -> Result<Leg, Unopened> {
    open_by(core, deadline, origin, spare, ClientTls::clone).await
}

/// The same, where inside TLS the origin may choose HTTP/2.
pub async fn open_any(
    core: &Core,
    deadline: &Deadline,
    origin: &Origin,
    spare: Option<Tcp>,
) -> Result<Leg, Error> {
    let opened = open_by(core, deadline, origin, spare, |tls| with_http2(tls)).await;
    opened.map_err(|unopened| unopened.error)
}

async fn open_by(
    core: &Core,
    deadline: &Deadline,
    origin: &Origin,
    spare: Option<Tcp>,
    tls: fn(&ClientTls) -> ClientTls,
) -> Result<Leg, Unopened> {
    let leg = match spare.filter(|tcp| tcp.look() != Idle::Gone) {
        Some(tcp) => Leg::new(Stream::Clear(tcp), &core.buffers),
        None => dial(core, deadline, origin).await?,
    };
    let Some(server_name) = &origin.server_name else { return Ok(leg) };
    match leg {
        Leg { stream: Stream::Clear(tcp), unread } if unread.is_empty() => {
            let tls = tls(&core.client_tls(&origin.host));
            let stream = encrypt(core, deadline, origin, server_name, tcp, tls).await?;
            Ok(Leg::new(stream, &core.buffers))
        }
        _ => {
            let detail = format!("{}: spoke before TLS did", origin.dest);
            let (stage, cause) = (Stage::UpstreamTls, Cause::TlsProtocolError);
            Err(Error::answered(Side::Upstream, stage, 502, cause, detail).into())
        }
    }
}

async fn encrypt(
    core: &Core,
    deadline: &Deadline,
    origin: &Origin,
    server_name: &str,
    tcp: Tcp,
    tls: ClientTls,
) -> Result<Stream, Unopened> {
    let wait = core.config.tls.handshake_timeout;
    let shaking = handshake::connect(tcp, server_name, tls, &core.buffers);
    let shaken = deadline.within(wait, shaking).await;
    let stage = Stage::UpstreamTls;
    let late = || format!("{}: no TLS handshake within {wait:?}", origin.dest);
    let stream = in_time(shaken, stage, || too_late(stage, late()))?.map_err(|error| Unopened {
        wants_http2: error.is_of_protocol(),
        error: handshake_failure(&error, origin, server_name),
    })?;
    core.counters.upstream_handshakes.add(1);
    Ok(stream)
}

/// Whom a failure to connect is about: the origin, or the proxy that leads to it.
fn dialled(origin: &Origin) -> String {
    match &origin.way {
        Way::Direct => origin.dest.to_string(),
        Way::Tunnelled(proxy) | Way::Relayed(proxy) => {
            format!("{}: the upstream proxy {}:{}", origin.dest, proxy.host, proxy.port)
        }
    }
}

fn dial_failure(error: &DialError, dialled: &str) -> Error {
    if let DialError::Connect(error) = error
        && is_ours(error)
    {
        let detail = format!("{dialled}: no socket left for it: {error}");
        let cause = Cause::ProxyInternalError;
        return Error::answered(Side::Internal, Stage::Dial, 503, cause, detail);
    }
    let (status, cause) = match error {
        DialError::Resolve(LookupError::Busy) => (503, Cause::DnsError),
        DialError::Resolve(LookupError::Failed(_)) => (502, Cause::DnsError),
        DialError::Loop(_) | DialError::MayLoop(_) => (502, Cause::ProxyLoopDetected),
        DialError::Connect(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => (502, Cause::ConnectionRefused),
            io::ErrorKind::TimedOut => (504, Cause::ConnectionTimeout),
            _ => (502, Cause::DestinationIpUnroutable),
        },
    };
    let detail = format!("{dialled}: {error}");
    Error::answered(Side::Upstream, Stage::Dial, status, cause, detail)
}

/// Whether it is this machine that has run out, of descriptors or memory. A lack of local ports looks like an address
/// that there is no way to, and is none of these.
fn is_ours(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// What a failed handshake with an origin earns.
fn handshake_failure(error: &HandshakeError, origin: &Origin, server_name: &str) -> Error {
    let (cause, text) = match error {
        HandshakeError::Tls(error) => in_words(error, server_name),
        HandshakeError::Io(error) => (Cause::ConnectionTerminated, error.to_string()),
    };
    let detail = format!("{}: {text}", origin.dest);
    Error::answered(Side::Upstream, Stage::UpstreamTls, 502, cause, detail)
}

/// What an end before the answer earns. With TLS 1.3 an origin refuses a client certificate, or the lack of
/// one, only after the handshake: that shows here, as an alert.
pub fn unanswered(dest: &str, error: Option<io::Error>) -> Error {
    let ended = "the origin ended the connection before its answer";
    let code = error.as_ref().and_then(Failure::code_of);
    let (cause, text) = match error.map(HandshakeError::from) {
        None => (Cause::HttpResponseIncomplete, ended.to_owned()),
        Some(HandshakeError::Io(error)) => {
            (Cause::HttpResponseIncomplete, format!("{ended}: {error}"))
        }
        Some(HandshakeError::Tls(error)) => {
            let host = dest.rsplit_once(':').map_or(dest, |(host, _)| host);
            in_words(&error, host)
        }
    };
    let detail = format!("{dest}: {text}");
    Error::answered(Side::Upstream, Stage::ResponseHead, 502, cause, detail).by_reset(code)
}

fn in_words(error: &TlsError, host: &str) -> (Cause, String) {
    let failure = explain(error, host);
    let cause = match failure.kind {
        FailureKind::Certificate => Cause::TlsCertificateError,
        FailureKind::Alert => Cause::TlsAlertReceived,
        FailureKind::Protocol => Cause::TlsProtocolError,
    };
    (cause, failure.text)
}

/// What a step on the way to an origin came to, unless it was ended from outside: what its expiry earns, `late` says. No
/// `async fn` that takes the step itself: it would hold it twice.
pub(super) fn in_time<T>(
    outcome: Result<T, Interrupt>,
    stage: Stage,
    late: impl FnOnce() -> Error,
) -> Result<T, Error> {
    outcome.map_err(|interrupt| match interrupt {
        Interrupt::Expired => late(),
        Interrupt::Stopping => stopping(stage),
    })
}

/// What a step earns that took too long.
pub(super) fn too_late(stage: Stage, detail: String) -> Error {
    Error::answered(Side::Upstream, stage, 504, Cause::ConnectionTimeout, detail)
}

/// What is said to who asks while the process stops.
pub fn stopping(stage: Stage) -> Error {
    Error::answered(Side::Internal, stage, 503, Cause::ProxyInternalError, "the proxy is stopping")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_descriptors_is_not_the_origins_fault() {
        let origin = Origin::clear("example.com", 80);
        let failure = |errno: Errno| {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            dial_failure(&DialError::Connect(error), &dialled(&origin)).to_string()
        };
        for ours in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM] {
            assert!(failure(ours).contains("no socket left"), "{}", failure(ours));
        }
        // What a machine without IPv6 says of `[::1]`.
        for theirs in [Errno::ADDRNOTAVAIL, Errno::CONNREFUSED, Errno::HOSTUNREACH] {
            assert!(!failure(theirs).contains("no socket left"), "{}", failure(theirs));
        }
    }
}
