//! A client's handshake, made to find out whether what the proxy shows is what it should.

use std::io;
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// Shakes hands over a connection whose timeouts are set, trusting these certificates alone. An
/// error says what a client would say.
pub fn shake_hands(
    stream: &mut TcpStream,
    address: IpAddr,
    trusted: &[CertificateDer<'static>],
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::IpAddress(address.into());
    let mut connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    while connection.is_handshaking() {
        match connection.complete_io(stream) {
            Ok((0, 0)) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).to_string()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}
