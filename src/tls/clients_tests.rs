//! Whole handshakes in memory: rustls clients against our leaves, and our client configurations
//! against origins of every wrong kind. And, where it is installed, OpenSSL's strict verification.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, HandshakeKind, ProtocolVersion,
    RootCertStore, ServerConfig, ServerConnection, version,
};

use super::test_certificates::{Fixture, authority, days, pem, pkcs1_pem, rsa_key};
use super::{
    Authority, FailureKind, LeafCache, LeafName, UpstreamTlsFailure, client_config, explain,
    insecure_client_config, shared_ticketer, with_own_sessions,
};

/// Moves everything that either side wants to send until neither does, or one fails: the client's
/// error first, since it is the one that is explained.
fn shake_hands(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Error> {
    for _ in 0..20 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            // A failed server still has an alert to send.
            let _ = server.process_new_packets();
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
        if !client.wants_write() && !server.wants_write() {
            assert!(!client.is_handshaking() && !server.is_handshaking(), "stuck");
            return Ok(());
        }
    }
    panic!("the handshake does not end");
}

fn connect(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
    host: &str,
) -> Result<(ClientConnection, ServerConnection), Error> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    shake_hands(&mut client, &mut server)?;
    Ok((client, server))
}

/// A client that trusts the CA only, with these versions.
fn agent(
    authority: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn cache(authority: &Arc<Authority>) -> LeafCache {
    LeafCache::new(Arc::clone(authority), shared_ticketer().unwrap(), 8)
}

fn server_config(cache: &mut LeafCache, host: &str) -> Arc<ServerConfig> {
    cache.server_config(host, SystemTime::now()).unwrap().0
}

#[test]
fn clients_of_both_versions_accept_names_and_addresses() {
    let authority = authority(SystemTime::now());
    let mut cache = cache(&authority);
    for (versions, expected) in [
        (&[&version::TLS13], ProtocolVersion::TLSv1_3),
        (&[&version::TLS12], ProtocolVersion::TLSv1_2),
    ] {
        let agent = agent(&authority, versions);
        for host in ["api.example.com", "my_service.internal", "127.0.0.1", "::1"] {
            let server = server_config(&mut cache, host);
            let (client, server) = connect(&agent, &server, host).unwrap();
            assert_eq!(client.protocol_version(), Some(expected));
            assert_eq!(server.alpn_protocol(), Some(&b"http/1.1"[..]));
            assert_eq!(client.peer_certificates().unwrap().len(), 2);
        }
    }
}

#[test]
fn a_session_is_resumed_on_another_core_and_for_its_own_name_only() {
    let authority = authority(SystemTime::now());
    let ticketer = shared_ticketer().unwrap();
    let core = || LeafCache::new(Arc::clone(&authority), Arc::clone(&ticketer), 8);
    let (mut one, mut other) = (core(), core());
    for versions in [&[&version::TLS13], &[&version::TLS12]] {
        let agent = agent(&authority, versions);
        let host = "api.example.com";
        let (client, _) = connect(&agent, &server_config(&mut one, host), host).unwrap();
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
        let (client, _) = connect(&agent, &server_config(&mut other, host), host).unwrap();
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed), "{versions:?}");
        let elsewhere = "other.example.com";
        let (client, _) =
            connect(&agent, &server_config(&mut other, elsewhere), elsewhere).unwrap();
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
    }
    let agent = agent(&authority, &[&version::TLS13]);
    let host = "api.example.com";
    connect(&agent, &server_config(&mut one, host), host).unwrap();
    let restarted = server_config(&mut cache(&authority), host);
    let (client, _) = connect(&agent, &restarted, host).unwrap();
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full), "other ticket keys");
}

#[test]
fn an_agent_that_does_not_trust_the_ca_refuses_the_leaf() {
    let ours = authority(SystemTime::now());
    let agent = agent(&authority(SystemTime::now()), &[&version::TLS13]);
    let error = connect(&agent, &server_config(&mut cache(&ours), "a.example"), "a.example");
    assert!(matches!(error, Err(Error::InvalidCertificate(_))), "{error:?}");
}

/// A root file for `upstream_ca_file`, and the CA in it, which plays the origin's.
fn origin_authority() -> (tempfile::TempDir, Arc<Authority>) {
    let directory = tempfile::tempdir().unwrap();
    // Two years ago, so that leaves can be made that have expired.
    let long_ago = SystemTime::now() - days(730);
    let (authority, _) = Authority::load_or_create(directory.path(), long_ago).unwrap();
    (directory, Arc::new(authority))
}

#[test]
fn origins_signed_by_an_extra_root_are_accepted_and_explained_where_not() {
    let (directory, origin) = origin_authority();
    let extra = directory.path().join("ca.crt");
    let (config, _) = client_config(Some(&extra), None).unwrap();
    let config = with_own_sessions(&config);
    let mut cache = cache(&origin);
    let host = "origin.example";
    let good = server_config(&mut cache, host);
    connect(&config, &good, host).unwrap();
    let (client, _) = connect(&config, &good, host).unwrap();
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));

    let why = |server: &Arc<ServerConfig>, host: &str| -> UpstreamTlsFailure {
        explain(&connect(&config, server, host).unwrap_err(), host)
    };
    let failure = why(&good, "wrong.example");
    assert_eq!(failure.kind, FailureKind::Certificate);
    let expected = "certificate is not valid for name wrong.example (valid for origin.example)";
    assert_eq!(failure.text, expected);

    let issued_at = SystemTime::now() - days(300);
    let (expired, _) = cache.server_config("old.example", issued_at).unwrap();
    let failure = why(&expired, "old.example");
    assert_eq!(failure.kind, FailureKind::Certificate);
    let end = time::OffsetDateTime::from(issued_at + days(197));
    assert_eq!(failure.text, format!("certificate expired on {}", end.date()));

    let (future, _) = cache.server_config("new.example", SystemTime::now() + days(30)).unwrap();
    let failure = why(&future, "new.example");
    assert!(failure.text.starts_with("certificate is not valid before 20"), "{}", failure.text);

    // Another CA of the same name: the name is known, the signature is not its.
    let stranger = authority(SystemTime::now());
    let mut stranger = LeafCache::new(stranger, shared_ticketer().unwrap(), 1);
    let failure = why(&server_config(&mut stranger, host), host);
    assert_eq!(failure.kind, FailureKind::Certificate);
    assert!(failure.text.contains("another CA has the same name"), "{}", failure.text);
}

/// An origin that shows this one certificate, self-signed.
fn self_signed(fixture: &Fixture) -> Arc<ServerConfig> {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let key = rcgen::KeyPair::generate().unwrap();
    let text = fixture.certificate_pem(&key);
    let certificate = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

#[test]
fn self_signed_origins_are_named_as_such_and_pass_for_insecure_hosts() {
    let (config, _) = client_config(None, None).unwrap_or_else(|_| {
        let (directory, _) = origin_authority();
        client_config(Some(&directory.path().join("ca.crt")), None).unwrap()
    });
    let insecure = insecure_client_config().unwrap();
    let not_a_ca = Fixture { is_ca: false, ..Fixture::default() };
    for fixture in [Fixture::default(), not_a_ca] {
        let origin = self_signed(&fixture);
        let error = connect(&config, &origin, "self.example").unwrap_err();
        let failure = explain(&error, "self.example");
        assert_eq!(failure.kind, FailureKind::Certificate);
        assert!(failure.text.contains("self-signed"), "{}", failure.text);
        assert!(failure.text.contains("upstream_ca_file"), "{}", failure.text);
        connect(&insecure, &origin, "self.example").unwrap();
        connect(&insecure, &origin, "192.0.2.1").unwrap();
    }
}

/// The client's error after the origin answers its first flight with these bytes.
fn answer(bytes: &[u8]) -> UpstreamTlsFailure {
    let config = insecure_client_config().unwrap();
    let name = ServerName::try_from("origin.example").unwrap();
    let mut client = ClientConnection::new(config, name).unwrap();
    client.write_tls(&mut Vec::new()).unwrap();
    let mut rest = bytes;
    client.read_tls(&mut rest).unwrap();
    explain(&client.process_new_packets().unwrap_err(), "origin.example")
}

#[test]
fn answers_that_are_no_tls_or_an_alert_are_explained() {
    let failure = answer(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    assert_eq!(failure.kind, FailureKind::Protocol);
    assert!(failure.text.contains("not TLS"), "{}", failure.text);
    for (code, says) in [(116, "passthrough_hosts"), (40, "passthrough_hosts"), (70, "older")] {
        let failure = answer(&[21, 3, 3, 0, 2, 2, code]);
        assert_eq!(failure.kind, FailureKind::Alert);
        assert!(failure.text.contains(says), "{}", failure.text);
    }
}

#[test]
fn an_origin_that_wants_a_client_certificate_is_explained() {
    let alert = Error::AlertReceived(AlertDescription::CertificateRequired);
    let failure = explain(&alert, "mtls.example");
    assert_eq!(failure.kind, FailureKind::Alert);
    assert!(failure.text.contains("passthrough_hosts"), "{}", failure.text);
}

/// What `openssl verify` says of a leaf, or `None` where there is no openssl.
fn openssl_verify(authority: &Authority, host: &str, flags: &[&str]) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let leaf = authority.issue(&LeafName::parse(host).unwrap(), SystemTime::now()).unwrap();
    let leaf_path = directory.path().join("leaf.pem");
    std::fs::write(&leaf_path, pem("CERTIFICATE", &leaf.certified_key.cert[0])).unwrap();
    let root_path = directory.path().join("root.pem");
    std::fs::write(&root_path, pem("CERTIFICATE", authority.certificate())).unwrap();
    let output = Command::new("openssl")
        .args(["verify", "-purpose", "sslserver", "-no-CApath", "-no-CAstore", "-CAfile"])
        .args([&root_path as &Path])
        .args(flags)
        .args([&leaf_path as &Path])
        .output()
        .ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn openssl_verifies_strictly() {
    let ours = authority(SystemTime::now());
    for host in ["api.example.com", "my_service.internal"] {
        let flags = ["-x509_strict", "-verify_hostname", host];
        if let Some(said) = openssl_verify(&ours, host, &flags) {
            assert!(said.contains("leaf.pem: OK"), "{said}");
        }
    }
    for host in ["192.0.2.7", "2001:db8::1"] {
        if let Some(said) = openssl_verify(&ours, host, &["-x509_strict", "-verify_ip", host]) {
            assert!(said.contains("leaf.pem: OK"), "{said}");
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let key = rsa_key();
    let now = SystemTime::now();
    let fixture =
        Fixture { not_before: now - days(1), not_after: now + days(100), ..Fixture::default() };
    fixture.write(directory.path(), &key, &pkcs1_pem(&key));
    let (original, _) = Authority::load_or_create(directory.path(), now).unwrap();
    if let Some(said) = openssl_verify(&original, "api.example.com", &[]) {
        assert!(said.contains("leaf.pem: OK"), "{said}");
    }
    // The reason for the warning: a CA without key identifier does not pass the strict way.
    if let Some(said) = openssl_verify(&original, "api.example.com", &["-x509_strict"]) {
        assert!(said.contains("Missing Subject Key Identifier"), "{said}");
    }
}
