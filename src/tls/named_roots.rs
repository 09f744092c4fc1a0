//! Verification of origins, with one step beyond webpki: a server whose certificate is itself, byte for byte,
//! one that somebody named as a root (`upstream_ca_file`, `SSL_CERT_FILE`, `SSL_CERT_DIR`) is trusted as itself.
//! `openssl req -x509` makes such certificates, marked as a CA's, and webpki refuses every CA certificate as a
//! server's; OpenSSL's clients take them.

use std::sync::Arc;

use rustls::CertificateError::{Expired, NotValidYet};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::prelude::{FromDer, X509Certificate};

/// webpki's verifier, and the certificates that stand for themselves.
#[derive(Debug)]
pub struct NamedRoots {
    webpki: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl NamedRoots {
    /// `named` are roots of `webpki` as well.
    pub fn new(
        webpki: Arc<WebPkiServerVerifier>,
        named: Vec<CertificateDer<'static>>,
    ) -> NamedRoots {
        NamedRoots { webpki, named }
    }

    /// Name and time are checked as for any other certificate; the issuer is the file's word.
    fn verify_as_itself(
        &self,
        certificate: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)?;
        let parsed = X509Certificate::from_der(certificate.as_ref());
        let Ok((_, parsed)) = parsed else {
            return Err(Error::InvalidCertificate(rustls::CertificateError::BadEncoding));
        };
        let now_secs = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now_secs < parsed.validity().not_before.timestamp() {
            return Err(Error::InvalidCertificate(NotValidYet));
        }
        if now_secs > parsed.validity().not_after.timestamp() {
            return Err(Error::InvalidCertificate(Expired));
        }
        Ok(ServerCertVerified::assertion())
    }
}

impl ServerCertVerifier for NamedRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.named.iter().any(|named| named.as_ref() == end_entity.as_ref()) {
            return self.verify_as_itself(end_entity, server_name, now);
        }
        self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
    use rustls::RootCertStore;

    use super::*;

    /// As `openssl req -x509` makes them: self-signed, CA:TRUE, with the server's name.
    fn self_signed() -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["origin.test".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn verifier(named: &CertificateDer<'static>) -> NamedRoots {
        let mut roots = RootCertStore::empty();
        roots.add(named.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        NamedRoots::new(webpki.build().unwrap(), vec![named.clone()])
    }

    fn verify(shown: &CertificateDer<'_>, name: &'static str, at_secs: u64) -> Result<(), Error> {
        let verifier = verifier(&SELF_SIGNED);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at_secs));
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(shown, &[], &name, &[], now).map(|_| ())
    }

    static SELF_SIGNED: std::sync::LazyLock<CertificateDer<'static>> =
        std::sync::LazyLock::new(self_signed);
    const IN_2030_SECS: u64 = 1_900_000_000;
    const IN_2041_SECS: u64 = 2_250_000_000;

    #[test]
    fn a_named_certificate_is_trusted_as_itself() {
        assert_eq!(verify(&SELF_SIGNED, "origin.test", IN_2030_SECS), Ok(()));
    }

    #[test]
    fn its_name_and_its_time_are_checked() {
        let other = verify(&SELF_SIGNED, "other.test", IN_2030_SECS);
        assert!(matches!(other, Err(Error::InvalidCertificate(_))), "{other:?}");
        let late = verify(&SELF_SIGNED, "origin.test", IN_2041_SECS);
        assert_eq!(late, Err(Error::InvalidCertificate(Expired)));
    }

    #[test]
    fn another_certificate_of_the_same_name_is_not_trusted() {
        assert!(verify(&self_signed(), "origin.test", IN_2030_SECS).is_err());
    }
}
