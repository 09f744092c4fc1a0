//! The algorithms that TLS is spoken with, on both legs, the cheap ones first.

use std::cmp::Reverse;
use std::sync::Arc;

use rustls::CipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// rustls' algorithms. Suites with AES-128 come first in their version: their hash is SHA-256, for which
/// processors have instructions, and a handshake hashes more than it encrypts.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| {
        let name = suite.suite();
        (Reverse(suite.tls13().is_some()), !is_cheap(name))
    });
    Arc::new(provider)
}

fn is_cheap(suite: CipherSuite) -> bool {
    matches!(
        suite,
        CipherSuite::TLS13_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
            | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_that_hash_cheaply_come_first_and_none_is_lost() {
        let suites: Vec<_> = provider().cipher_suites.iter().map(|suite| suite.suite()).collect();
        assert_eq!(suites.len(), aws_lc_rs::default_provider().cipher_suites.len());
        assert_eq!(suites.first(), Some(&CipherSuite::TLS13_AES_128_GCM_SHA256));
        let first_of_tls12 = suites.iter().position(|suite| !is_tls13(*suite)).unwrap();
        let (of_tls13, of_tls12) = suites.split_at(first_of_tls12);
        assert!(of_tls13.iter().all(|suite| is_tls13(*suite)));
        assert_eq!(of_tls12[0], CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
        assert_eq!(of_tls12[1], CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
    }

    fn is_tls13(suite: CipherSuite) -> bool {
        u16::from(suite) >> 8 == 0x13
    }
}
