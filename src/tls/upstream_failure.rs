//! What a failed upstream handshake means, in words that help an agent or its owner. The peer's
//! certificate and alerts are untrusted: what is repeated of them is plain ASCII and bounded.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use time::OffsetDateTime;

use crate::limits::{TLS_FAILURE_NAMES_MAX, TLS_FAILURE_TEXT_CHARS};

/// Which part of the handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The origin's certificate is not acceptable.
    Certificate,
    /// The origin refused us.
    Alert,
    /// The two sides do not understand each other.
    Protocol,
}

/// A failed handshake with an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTlsFailure {
    pub kind: FailureKind,
    /// One line of printable ASCII, at most [`TLS_FAILURE_TEXT_CHARS`] characters.
    pub text: String,
}

/// Says what the error means for the connection to this host.
pub fn explain(error: &Error, host: &str) -> UpstreamTlsFailure {
    let (kind, text) = match error {
        Error::InvalidCertificate(error) => (FailureKind::Certificate, certificate(error, host)),
        Error::NoCertificatesPresented => {
            (FailureKind::Certificate, "the server presented no certificate".to_owned())
        }
        Error::UnsupportedNameType => (
            FailureKind::Certificate,
            format!("{host:?} is no name that a certificate can be verified for"),
        ),
        Error::AlertReceived(description) => (FailureKind::Alert, alert(*description)),
        other => (FailureKind::Protocol, protocol(other)),
    };
    UpstreamTlsFailure { kind, text: printable(&text) }
}

fn certificate(error: &CertificateError, host: &str) -> String {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("certificate expired on {}", date(*not_after))
        }
        CertificateError::Expired => "certificate expired".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("certificate is not valid before {}", date(*not_before))
        }
        CertificateError::NotValidYet => "certificate is not valid yet".to_owned(),
        CertificateError::UnknownIssuer => "certificate issuer is unknown (self-signed, a private \
            CA, or an intermediate that the server does not send; a CA that you trust goes into \
            upstream_ca_file)"
            .to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => {
            format!("certificate is not valid for name {host} ({})", valid_for(presented))
        }
        CertificateError::NotValidForName => {
            format!("certificate is not valid for name {host}")
        }
        CertificateError::Revoked => "certificate was revoked".to_owned(),
        CertificateError::BadSignature => "certificate's signature is wrong: the issuer it names \
            did not make it, or another CA has the same name"
            .to_owned(),
        CertificateError::BadEncoding => "certificate cannot be read".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate is not meant for servers (no serverAuth purpose)".to_owned()
        }
        // webpki's own errors have no variant here, only their name.
        CertificateError::Other(other) => match format!("{other:?}") {
            text if text.contains("CaUsedAsEndEntity") => "certificate is a CA's own, used as the \
                server's: self-signed (a CA that you trust goes into upstream_ca_file, and the \
                server needs a certificate signed by it)"
                .to_owned(),
            text if text.contains("UnsupportedCertVersion") => {
                "certificate is of an old X.509 version".to_owned()
            }
            text => format!("certificate is not acceptable: {text}"),
        },
        other => format!("certificate is not acceptable: {other}"),
    }
}

/// The certificate's names, a few of them.
fn valid_for(presented: &[String]) -> String {
    if presented.is_empty() {
        return "it carries no names".to_owned();
    }
    let names: Vec<&str> =
        presented.iter().take(TLS_FAILURE_NAMES_MAX).map(|name| bare_name(name)).collect();
    let more = match presented.len().saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("valid for {}{more}", names.join(", "))
}

/// The name in webpki's `DnsName("example.com")` and `IpAddress(192.0.2.1)`.
fn bare_name(presented: &str) -> &str {
    presented
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .map_or(presented, |name| name.trim_matches('"'))
}

fn alert(description: AlertDescription) -> String {
    match description {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::NoCertificate => format!(
            "the server asks for a client certificate ({description:?}), which a proxy that \
             decrypts cannot present: list the host in passthrough_hosts"
        ),
        AlertDescription::HandshakeFailure => "the server refused the handshake \
            (HandshakeFailure): no cipher suite in common, or it wants a client certificate (then \
            list the host in passthrough_hosts)"
            .to_owned(),
        AlertDescription::ProtocolVersion => "the server refused TLS 1.2 and 1.3 \
            (ProtocolVersion): it speaks an older, insecure version only"
            .to_owned(),
        AlertDescription::InsufficientSecurity => {
            "the server wants stronger cryptography than was offered (InsufficientSecurity)"
                .to_owned()
        }
        AlertDescription::UnrecognisedName => {
            "the server does not know this name (UnrecognisedName)".to_owned()
        }
        AlertDescription::NoApplicationProtocol => {
            "the server speaks neither HTTP/1.1 nor HTTP/2 over TLS (NoApplicationProtocol)"
                .to_owned()
        }
        AlertDescription::InternalError => "the server failed (InternalError)".to_owned(),
        AlertDescription::AccessDenied => "the server denied access (AccessDenied)".to_owned(),
        other => format!("the server ended the handshake with the alert {other:?}"),
    }
}

fn protocol(error: &Error) -> String {
    match error {
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the server speaks an older, insecure TLS version only".to_owned(),
        Error::PeerIncompatible(reason) => {
            format!("the server and this proxy have no TLS parameters in common ({reason:?})")
        }
        Error::InvalidMessage(_) => {
            "the server's answer is not TLS (is it a plain HTTP port?)".to_owned()
        }
        Error::PeerSentOversizedRecord => {
            "the server's answer is not TLS (is it a plain HTTP port?)".to_owned()
        }
        Error::PeerMisbehaved(reason) => format!("the server broke the TLS protocol ({reason:?})"),
        other => format!("the TLS handshake failed: {other}"),
    }
}

/// The day, as in `2024-05-17`.
fn date(time: UnixTime) -> String {
    i64::try_from(time.as_secs())
        .ok()
        .and_then(|secs| OffsetDateTime::from_unix_timestamp(secs).ok())
        .map_or_else(|| "a day beyond the calendar".to_owned(), |time| time.date().to_string())
}

/// The text with anything but printable ASCII replaced, and cut.
fn printable(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            ' '..='~' => character,
            _ => '?',
        })
        .take(TLS_FAILURE_TEXT_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use rustls::PeerMisbehaved;
    use rustls::pki_types::ServerName;

    use super::*;

    fn not_valid_for(presented: Vec<String>) -> UpstreamTlsFailure {
        let expected = ServerName::try_from("a.example").unwrap();
        let error = CertificateError::NotValidForNameContext { expected, presented };
        explain(&Error::InvalidCertificate(error), "a.example")
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("DnsName(\"n{number}.example\")")).collect()
    }

    #[test]
    fn names_are_repeated_up_to_the_bound() {
        let at = not_valid_for(names(TLS_FAILURE_NAMES_MAX)).text;
        assert!(
            at.ends_with("(valid for n0.example, n1.example, n2.example, n3.example, n4.example)")
        );
        let past = not_valid_for(names(TLS_FAILURE_NAMES_MAX + 1)).text;
        assert!(past.ends_with("n4.example and 1 more)"), "{past}");
        assert!(not_valid_for(Vec::new()).text.ends_with("(it carries no names)"));
        let address = not_valid_for(vec!["IpAddress(192.0.2.1)".to_owned()]).text;
        assert!(address.ends_with("(valid for 192.0.2.1)"), "{address}");
    }

    #[test]
    fn what_the_peer_says_cannot_break_a_line_or_run_on() {
        let failure =
            not_valid_for(vec!["DnsName(\"a\r\nSet-Cookie: x\u{1b}[2J\u{e9}\")".to_owned()]);
        assert!(failure.text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{failure:?}");
        let long = not_valid_for(vec!["x".repeat(10_000)]);
        assert_eq!(long.text.chars().count(), TLS_FAILURE_TEXT_CHARS);
        assert_eq!(printable(&"x".repeat(TLS_FAILURE_TEXT_CHARS)).len(), TLS_FAILURE_TEXT_CHARS);
    }

    #[test]
    fn each_error_has_its_kind() {
        for (error, kind) in [
            (Error::NoCertificatesPresented, FailureKind::Certificate),
            (Error::UnsupportedNameType, FailureKind::Certificate),
            (Error::InvalidCertificate(CertificateError::Revoked), FailureKind::Certificate),
            (Error::InvalidCertificate(CertificateError::BadEncoding), FailureKind::Certificate),
            (Error::AlertReceived(AlertDescription::InternalError), FailureKind::Alert),
            (Error::AlertReceived(AlertDescription::Unknown(200)), FailureKind::Alert),
            (Error::DecryptError, FailureKind::Protocol),
            (Error::PeerSentOversizedRecord, FailureKind::Protocol),
            (
                Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
                FailureKind::Protocol,
            ),
            (
                Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite),
                FailureKind::Protocol,
            ),
        ] {
            let failure = explain(&error, "a.example");
            assert_eq!(failure.kind, kind, "{error:?}");
            assert!(failure.text.len() > 10, "{error:?}");
        }
    }

    #[test]
    fn old_versions_are_named_whoever_says_so() {
        for error in [
            Error::AlertReceived(AlertDescription::ProtocolVersion),
            Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
        ] {
            let text = explain(&error, "a.example").text;
            assert!(text.contains("older, insecure"), "{text}");
        }
    }

    #[test]
    fn a_day_beyond_the_calendar_is_no_panic() {
        let far = UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::MAX));
        assert_eq!(date(far), "a day beyond the calendar");
        let day = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_715_900_000));
        assert_eq!(date(day), "2024-05-16");
    }
}
