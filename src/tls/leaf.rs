//! A leaf: for which name, for how long, with which contents. Signing is the authority's.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    SanType, SerialNumber,
};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use super::authority_error::AuthorityError;
use crate::limits::{
    LEAF_BACKDATE_DAYS, LEAF_COMMON_NAME_MAX_BYTES, LEAF_LABEL_MAX_BYTES, LEAF_NAME_MAX_BYTES,
    LEAF_RENEWAL_DAYS, LEAF_VALIDITY_DAYS,
};

pub(super) const DAY_SECS: u64 = 24 * 60 * 60;

/// What a leaf is for: a DNS name in lower case without a final dot, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LeafName {
    Dns(String),
    Ip(IpAddr),
}

impl LeafName {
    /// Reads a host as CONNECT, `Host` or SNI gives it, without port. Letters, digits, `-`, `_` and
    /// dots only: international names come as A-labels (RFC 5890 §2.3.2.1). `[::1]` is the address
    /// in it.
    pub fn parse(host: &str) -> Result<Self, AuthorityError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Self::Ip(address));
        }
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(Ok(address)) = bracketed.map(str::parse::<Ipv6Addr>) {
            return Ok(Self::Ip(address.into()));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        match dns_name_problem(name) {
            None => Ok(Self::Dns(name.to_ascii_lowercase())),
            Some(problem) => Err(AuthorityError::Name {
                // Enough to recognise it: the host is the client's, of any length.
                name: host.chars().take(LEAF_COMMON_NAME_MAX_BYTES).collect(),
                problem,
            }),
        }
    }
}

impl fmt::Display for LeafName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => out.write_str(name),
            Self::Ip(address) => address.fmt(out),
        }
    }
}

/// Why this, its final dot removed, is no DNS name.
fn dns_name_problem(name: &str) -> Option<&'static str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() {
        Some("it is empty")
    } else if name.len() > LEAF_NAME_MAX_BYTES {
        Some("it is longer than a DNS name can be (253 bytes)")
    } else if !name.bytes().all(legal) {
        Some("it holds other characters than letters, digits, '-', '_' and '.'")
    } else if name.split('.').any(str::is_empty) {
        Some("it has an empty label")
    } else if name.split('.').any(|label| label.len() > LEAF_LABEL_MAX_BYTES) {
        Some("it has a label longer than 63 bytes")
    } else {
        None
    }
}

/// A certificate for one name with the key of all leaves, and its life.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The chain as it is sent (leaf, then CA) and the key.
    pub certified_key: Arc<CertifiedKey>,
    /// The leaf's `notBefore` and `notAfter`, Unix seconds.
    pub not_before_secs: u64,
    pub not_after_secs: u64,
    /// From when on a new one should take its place, Unix seconds.
    pub renew_at_secs: u64,
}

impl Leaf {
    /// True from the time for renewal on, and where the clock was set back to before the leaf's
    /// life.
    pub fn needs_renewal(&self, now: SystemTime) -> bool {
        unix_secs(now).is_none_or(|now| now >= self.renew_at_secs || now < self.not_before_secs)
    }
}

/// A leaf's life, Unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LeafLife {
    pub(super) not_before_secs: u64,
    pub(super) not_after_secs: u64,
    pub(super) renew_at_secs: u64,
}

impl LeafLife {
    /// The life of a leaf that is made now by a CA that ends then.
    pub(super) fn new(now_secs: u64, authority_not_after_secs: u64) -> Self {
        let not_before_secs = now_secs.saturating_sub(LEAF_BACKDATE_DAYS * DAY_SECS);
        let own_end_secs = not_before_secs.saturating_add(LEAF_VALIDITY_DAYS * DAY_SECS);
        if authority_not_after_secs < own_end_secs {
            // A new leaf would end with the CA as well: renewing before that would be for nothing,
            // each time.
            let not_after_secs = authority_not_after_secs;
            return Self { not_before_secs, not_after_secs, renew_at_secs: not_after_secs };
        }
        Self {
            not_before_secs,
            not_after_secs: own_end_secs,
            renew_at_secs: own_end_secs.saturating_sub(LEAF_RENEWAL_DAYS * DAY_SECS),
        }
    }
}

/// Everything a leaf says, but for whom it is signed by. `with_issuer_key_id`: whether it names its
/// issuer's key (RFC 5280 §4.2.1.1), which it must do exactly as the CA's own certificate does, or
/// not at all.
pub(super) fn leaf_params(
    name: &LeafName,
    life: LeafLife,
    serial: [u8; 16],
    with_issuer_key_id: bool,
) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    params.not_before = date_time(life.not_before_secs)?;
    params.not_after = date_time(life.not_after_secs)?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name(name));
    params.subject_alt_names = vec![match name {
        LeafName::Ip(address) => SanType::IpAddress(*address),
        LeafName::Dns(name) => {
            let name = name.as_str().try_into().map_err(crypto_error)?;
            SanType::DnsName(name)
        }
    }];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = with_issuer_key_id;
    Ok(params)
}

/// The name, cut to what a common name can hold (RFC 5280, ub-common-name), and never behind what no name ends in.
/// Nothing verifies it: clients go by the subjectAltName.
fn common_name(name: &LeafName) -> String {
    let name = name.to_string();
    // Names are ASCII, so characters are bytes.
    match name.get(..LEAF_COMMON_NAME_MAX_BYTES) {
        Some(cut) if cut.len() < name.len() => cut.trim_end_matches(['.', '-']).to_owned(),
        _ => name,
    }
}

pub(super) fn crypto_error(error: impl fmt::Display) -> AuthorityError {
    AuthorityError::Crypto(error.to_string())
}

pub(super) fn unix_secs(time: SystemTime) -> Option<u64> {
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

pub(super) fn date_time(unix_secs: u64) -> Result<OffsetDateTime, AuthorityError> {
    let unix_secs = i64::try_from(unix_secs).map_err(|_| AuthorityError::Clock)?;
    OffsetDateTime::from_unix_timestamp(unix_secs).map_err(|_| AuthorityError::Clock)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn dns(name: &str) -> LeafName {
        LeafName::Dns(name.to_owned())
    }

    #[test]
    fn reads_names_and_addresses() {
        for (host, expected) in [
            ("API.Example.COM", dns("api.example.com")),
            ("example.com.", dns("example.com")),
            ("xn--bcher-kva.example", dns("xn--bcher-kva.example")),
            ("my_service.internal", dns("my_service.internal")),
            ("localhost", dns("localhost")),
            ("192.0.2.7", LeafName::Ip("192.0.2.7".parse().unwrap())),
            ("2001:db8::1", LeafName::Ip("2001:db8::1".parse().unwrap())),
            ("[2001:DB8::1]", LeafName::Ip("2001:db8::1".parse().unwrap())),
            ("127.1", dns("127.1")),
        ] {
            assert_eq!(LeafName::parse(host).unwrap(), expected, "{host}");
        }
    }

    #[test]
    fn refuses_what_no_dns_name_can_be() {
        for host in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            "a\0b",
            "a\r\nb",
            "*.example.com",
            "bücher.example",
            "a/b",
            "a:443",
            "[127.0.0.1]",
            "[::1",
            "::1]",
            "fe80::1%eth0",
            "a@b",
            "a%00b",
        ] {
            let error = LeafName::parse(host).unwrap_err();
            assert!(matches!(error, AuthorityError::Name { .. }), "{host:?}: {error}");
        }
    }

    #[test]
    fn names_and_labels_have_bounds() {
        let label = "a".repeat(LEAF_LABEL_MAX_BYTES);
        let at = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert_eq!(at.len(), LEAF_NAME_MAX_BYTES);
        assert!(LeafName::parse(&at).is_ok());
        assert!(LeafName::parse(&format!("{at}.")).is_ok(), "the final dot does not count");
        assert!(LeafName::parse(&format!("{at}b")).is_err());
        assert!(LeafName::parse(&format!("{label}.example")).is_ok());
        assert!(LeafName::parse(&format!("{label}a.example")).is_err());
        let error = LeafName::parse(&"x".repeat(1_000_000)).unwrap_err().to_string();
        assert!(error.len() < 300, "the error stays short: {} bytes", error.len());
    }

    #[test]
    fn common_name_is_cut() {
        let at = format!("{}.{}", "a".repeat(60), "b".repeat(3));
        assert_eq!(common_name(&dns(&at)), at);
        let past = format!("{at}b");
        assert_eq!(common_name(&dns(&past)), at);
        // It ended in a dot.
        let label = "a".repeat(63);
        assert_eq!(common_name(&dns(&format!("{label}.example"))), label);
        assert_eq!(common_name(&dns(&format!("{}--b.example", "a".repeat(62)))), "a".repeat(62));
    }

    #[test]
    fn life_is_under_200_days_and_renewed_a_week_before() {
        let now = 1_800_000_000;
        let life = LeafLife::new(now, u64::MAX);
        assert_eq!(now - life.not_before_secs, 2 * DAY_SECS);
        assert_eq!(life.not_after_secs - life.not_before_secs, 199 * DAY_SECS);
        assert_eq!(life.not_after_secs - life.renew_at_secs, 7 * DAY_SECS);
    }

    #[test]
    fn life_never_outlives_the_authority() {
        let now = 1_800_000_000;
        let end = now + 3 * DAY_SECS;
        let life = LeafLife::new(now, end);
        assert_eq!((life.not_after_secs, life.renew_at_secs), (end, end));
        let own_end = LeafLife::new(now, u64::MAX).not_after_secs;
        assert_eq!(LeafLife::new(now, own_end).renew_at_secs, own_end - 7 * DAY_SECS);
        assert_eq!(LeafLife::new(now, own_end - 1).renew_at_secs, own_end - 1);
    }

    #[test]
    fn a_time_that_no_certificate_can_carry_is_an_error() {
        assert!(date_time(u64::MAX).is_err());
        assert_eq!(unix_secs(UNIX_EPOCH - Duration::from_secs(1)), None);
    }

    proptest! {
        #[test]
        fn any_host_is_read_or_refused_and_reading_again_changes_nothing(host in ".{0,300}") {
            if let Ok(name) = LeafName::parse(&host) {
                prop_assert_eq!(LeafName::parse(&name.to_string()).unwrap(), name.clone());
                prop_assert!(name.to_string().len() <= LEAF_NAME_MAX_BYTES);
            }
        }

        #[test]
        fn any_plain_name_is_read(name in "[a-z0-9_-]{1,63}(\\.[a-z_-]{1,40}){1,4}") {
            prop_assume!(name.len() <= LEAF_NAME_MAX_BYTES);
            prop_assert_eq!(LeafName::parse(&name).unwrap(), LeafName::Dns(name));
        }
    }
}
