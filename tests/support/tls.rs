//! Certificates of the test's own world: one root that the proxy is told to trust, one that nobody knows,
//! and origins with every fault a certificate can have.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate authority.
pub struct Root {
    pub pem: String,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Root {
    fn new(name: &str) -> Root {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        Root {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }
}

/// The root that each proxy of the harness gets as `upstream_ca_file`.
pub fn root() -> &'static Root {
    static ROOT: OnceLock<Root> = OnceLock::new();
    ROOT.get_or_init(|| Root::new("ClawSec test root"))
}

/// A root that nobody trusts.
fn unknown_root() -> &'static Root {
    static ROOT: OnceLock<Root> = OnceLock::new();
    ROOT.get_or_init(|| Root::new("Unknown test root"))
}

/// What an origin shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A certificate for `localhost`, 127.0.0.1 and ::1 from the trusted root.
    Valid,
    /// The same, past its end.
    Expired,
    /// A certificate for another name.
    WrongName,
    /// From a root that is not trusted.
    UnknownIssuer,
}

/// The chain and the key as PEM, for servers that read files.
pub fn certificate_pem(shown: Shown) -> (String, String) {
    let (leaf, key) = certificate(shown);
    (leaf.pem(), key.serialize_pem())
}

fn certificate(shown: Shown) -> (Certificate, KeyPair) {
    let names = match shown {
        Shown::WrongName => vec!["elsewhere.example".to_owned()],
        _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()],
    };
    let signer = if shown == Shown::UnknownIssuer { unknown_root() } else { root() };
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "test origin");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    if shown == Shown::Expired {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
    } else {
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, &signer.issuer).unwrap(), key)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The configuration of an origin that shows this certificate.
pub fn server(shown: Shown) -> Arc<ServerConfig> {
    static VALID: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    match shown {
        Shown::Valid => VALID.get_or_init(|| Arc::new(build_server(shown, false, false))).clone(),
        _ => Arc::new(build_server(shown, false, false)),
    }
}

/// A valid origin that speaks TLS 1.2 at most.
pub fn server_tls12() -> Arc<ServerConfig> {
    Arc::new(build_server(Shown::Valid, true, false))
}

/// A valid origin that wants a certificate of the client.
pub fn server_with_client_certificates() -> Arc<ServerConfig> {
    Arc::new(build_server(Shown::Valid, false, true))
}

fn build_server(shown: Shown, tls12_only: bool, client_certificates: bool) -> ServerConfig {
    let versions: &[_] =
        if tls12_only { &[&rustls::version::TLS12] } else { rustls::DEFAULT_VERSIONS };
    let (leaf, key) = certificate(shown);
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let builder =
        ServerConfig::builder_with_provider(provider()).with_protocol_versions(versions).unwrap();
    let builder = if client_certificates {
        let mut roots = RootCertStore::empty();
        roots.add(root().certificate.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    builder.with_single_cert(vec![leaf.der().clone()], key).unwrap()
}

/// A client that trusts exactly the certificates of a PEM file.
pub fn client(trusted: &Path) -> Arc<ClientConfig> {
    client_for(trusted, rustls::DEFAULT_VERSIONS)
}

/// The same, with these protocol versions.
pub fn client_for(
    trusted: &Path,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted).expect("a PEM file") {
        roots.add(certificate.unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}
