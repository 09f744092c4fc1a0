//! hudsucker as a plain intercepting proxy: no handler, one thread. `hudsucker-peer PORT CA-AND-KEY ROOTS`.

#![deny(unsafe_code)]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hudsucker::Proxy;
use hudsucker::certificate_authority::RcgenAuthority;
use hudsucker::rcgen::{Issuer, KeyPair};
use hudsucker::rustls::crypto::aws_lc_rs;
use hudsucker::rustls::pki_types::CertificateDer;
use hudsucker::rustls::pki_types::pem::PemObject;
use hudsucker::rustls::{ClientConfig, RootCertStore};
use hudsucker::tokio_tungstenite::Connector;
use hyper_rustls::HttpsConnectorBuilder;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut next = || words.next().ok_or("hudsucker-peer PORT CA-AND-KEY ROOTS");
    let (port, authority, roots) = (next()?.parse()?, next()?, next()?);
    let authority = std::fs::read_to_string(authority)?;
    // Each parser takes the first block that it finds, whatever it is.
    let at = authority.find("-----BEGIN CERTIFICATE-----").ok_or("no certificate")?;
    let (key, certificate) = authority.split_at(at);
    let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key)?)?;
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(roots)? {
        store.add(root?)?;
    }
    let provider = aws_lc_rs::default_provider();
    let config = ClientConfig::builder_with_provider(provider.clone().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    // WebSockets are dialled by another crate, which would trust the system's roots alone.
    let websockets = Connector::Rustls(Arc::new(config.clone()));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
    Proxy::builder()
        .with_addr(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .with_ca(RcgenAuthority::new(issuer, 1_000, provider))
        .with_http_connector(connector)
        .with_websocket_connector(websockets)
        .build()?
        .start()
        .await?;
    Ok(())
}
