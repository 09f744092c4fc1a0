//! Why TLS could not be agreed on, and what of that somebody can do something about.

use std::fmt;
use std::io;

/// Why TLS could not be agreed on.
#[derive(Debug)]
pub enum HandshakeError {
    /// The protocol's fault, or a certificate's.
    Tls(rustls::Error),
    /// The connection broke.
    Io(io::Error),
}

impl HandshakeError {
    /// Whether the peer speaks none of the protocols that it was offered, and would speak another.
    pub fn is_of_protocol(&self) -> bool {
        use rustls::{AlertDescription as Alert, Error, PeerMisbehaved};
        matches!(
            self,
            HandshakeError::Tls(
                Error::AlertReceived(Alert::NoApplicationProtocol)
                    // RFC 7301 §3.2 forbids it, and there are some.
                    | Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedApplicationProtocol)
            )
        )
    }
}

impl From<io::Error> for HandshakeError {
    fn from(error: io::Error) -> HandshakeError {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(tls) => HandshakeError::Tls(tls.clone()),
            None => HandshakeError::Io(error),
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeError::Tls(rustls::Error::NoApplicationProtocol) => f.write_str(
                "it offers protocols, and HTTP is not among them (neither HTTP/1.1 nor HTTP/2): have the client use one of \
                 these, or name the host in passthrough_hosts, which tunnels it unread",
            ),
            HandshakeError::Tls(error) => write!(f, "{error}"),
            HandshakeError::Io(error) => write!(f, "{error}"),
        }
    }
}

/// Why a client cannot be read, where somebody can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// It does not accept our leaf.
    Leaf,
    /// It ended the connection without a word: it may not accept our leaf, either.
    Silent,
    /// It speaks neither HTTP/1.1 nor HTTP/2.
    Protocol,
    /// The server name that it asks for is none that rustls takes: a label that begins or ends with `-`, or a number
    /// at the end. Nothing of a hello can be changed without breaking the handshake, so there is no way around it.
    ServerName,
}

impl Rejection {
    /// What a failed handshake with a client shows.
    pub fn of(error: &HandshakeError) -> Option<Rejection> {
        use rustls::AlertDescription as Alert;
        match error {
            HandshakeError::Tls(rustls::Error::AlertReceived(
                Alert::UnknownCA | Alert::BadCertificate | Alert::CertificateUnknown,
            )) => Some(Rejection::Leaf),
            HandshakeError::Io(_)
            | HandshakeError::Tls(rustls::Error::AlertReceived(
                Alert::CloseNotify | Alert::UserCanceled,
            )) => Some(Rejection::Silent),
            HandshakeError::Tls(rustls::Error::NoApplicationProtocol) => Some(Rejection::Protocol),
            HandshakeError::Tls(rustls::Error::PeerMisbehaved(
                rustls::PeerMisbehaved::ServerNameMustContainOneHostName,
            )) => Some(Rejection::ServerName),
            _ => None,
        }
    }
}
