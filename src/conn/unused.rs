//! Clients that got a tunnel and asked for nothing in it: what is counted of them, and what is told once a host where
//! somebody can do something about it.
//!
//! Many that do not accept our certificate say so by an alert. Others, as Node.js, end the connection behind the
//! handshake without a word, as does who opened one ahead of its use: what tells them apart is how soon they do it.

use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::core::Core;
use super::told::Fact;
use crate::limits::REFUSAL_MAX_MS;
use crate::tls::handshake_error::{HandshakeError, Rejection};

/// A client without a request, and the host that it was to reach.
#[derive(Clone, Copy)]
pub(super) struct Unused<'a> {
    pub(super) core: &'a Core,
    pub(super) source: IpAddr,
    pub(super) host: &'a str,
}

impl Unused<'_> {
    /// Its handshake failed, with our certificate or before that.
    pub(super) fn failed(self, error: &HandshakeError, was_shown: bool) {
        self.core.counters.client_handshakes_failed.add(1);
        self.core.reporter.borrow().note_unused(self.host);
        let rejection = Rejection::of(error);
        if let Some(rejection) = rejection.filter(|it| *it != Rejection::Silent || was_shown) {
            self.tell(rejection, error);
        }
    }

    /// Its handshake took too long.
    pub(super) fn stalled(self) {
        self.core.counters.client_handshakes_failed.add(1);
        self.core.reporter.borrow().note_unused(self.host);
    }

    /// It ended the tunnel before it said anything.
    pub(super) fn left(self) {
        self.core.counters.tunnels_unused.add(1);
        self.core.reporter.borrow().note_unused(self.host);
    }

    /// It ended the tunnel so long after the handshake, and had sent so much of a request.
    pub(super) fn left_behind_handshake(
        self,
        error: Option<io::Error>,
        took: Duration,
        begun: usize,
    ) {
        self.left();
        let error = HandshakeError::from(error.unwrap_or(io::ErrorKind::UnexpectedEof.into()));
        match Rejection::of(&error) {
            Some(Rejection::Silent)
                if begun > 0 || took > Duration::from_millis(REFUSAL_MAX_MS) => {}
            Some(rejection) => self.tell(rejection, &error),
            None => {}
        }
    }

    /// Tells it unless it was told of this host.
    fn tell(self, rejection: Rejection, error: &dyn Display) {
        let Unused { core, source, host } = self;
        if !core.is_first(Fact::Rejection(rejection), host) {
            return;
        }
        match rejection {
            Rejection::Leaf => log::warn!(
                "{source} does not trust our certificate for {host} ({error}): install the CA in its trust \
                 store (README, \"Trusting the CA\"), or name the host in passthrough_hosts if the \
                 client pins it",
            ),
            Rejection::Silent => log::info!(
                "{source} ended its tunnel to {host} in the TLS handshake or right behind it, without a request or a word why: so does \
                 a client that does not trust our certificate (install the CA in its trust store; \
                 README, \"Trusting the CA\"; or name the host in passthrough_hosts if the client pins it), and one \
                 that opened the tunnel ahead of its use",
            ),
            // The error says what to do.
            Rejection::Protocol => log::warn!("{source} cannot be connected to {host}: {error}"),
            Rejection::ServerName => log::warn!(
                "{source} cannot be connected to {host}: TLS asks for a name that is no host's here (a label that begins or \
                 ends with '-', or a number at its end): name the host in passthrough_hosts, which tunnels it unread",
            ),
        }
    }
}
