//! rustls settings of origin and client: one provider, HTTP/1.1 only, resumption on or off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::Outcome;
use crate::certificates::Files;

/// Sessions that a client remembers for resumption.
const SESSIONS_KEPT: usize = 4096;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The origin's side. Without `resumes`, every handshake is a full one.
pub fn server(files: &Files, resumes: bool) -> Outcome<Arc<ServerConfig>> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.leaf)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&files.key)?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if resumes {
        config.ticketer = aws_lc_rs::Ticketer::new()?;
    } else {
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

/// The client's side: trusts `roots` only, or anything when there are none (`insecure`).
pub fn client(roots: &[PathBuf], insecure: bool, resumes: bool) -> Outcome<Arc<ClientConfig>> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = if insecure {
        let verifier = Arc::new(AcceptAny(provider()));
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    } else {
        builder.with_root_certificates(root_store(roots)?).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = match resumes {
        true => Resumption::in_memory_sessions(SESSIONS_KEPT),
        false => Resumption::disabled(),
    };
    Ok(Arc::new(config))
}

fn root_store(roots: &[PathBuf]) -> Outcome<RootCertStore> {
    let mut store = RootCertStore::empty();
    for path in roots {
        add_roots(&mut store, path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    if store.is_empty() {
        return Err("https needs --ca-file (the proxy's CA) or --insecure".into());
    }
    Ok(store)
}

fn add_roots(store: &mut RootCertStore, path: &Path) -> Outcome<()> {
    for certificate in CertificateDer::pem_file_iter(path)? {
        store.add(certificate?)?;
    }
    Ok(())
}

/// Takes every certificate, for `--insecure` only. Signatures are still checked.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, schemes)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let schemes = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, schemes)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
