//! The CA at its first start, at later ones, after crashes, beside a second process, and broken in
//! each way; and what its leaves say.

use std::collections::HashSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::{KeyPair, KeyUsagePurpose};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use super::test_certificates::{Fixture, authority, days, now, pkcs1_pem, rsa_key, sec1_pem};
use super::test_certificates::{pem, write_private};
use super::{Authority, AuthorityError, AuthorityWarning, LeafName, Origin};

/// Compiles only if all cores may share it.
fn assert_shared<T: Send + Sync>(_: &T) {}

fn load(directory: &Path) -> Result<(Authority, Origin), AuthorityError> {
    Authority::load_or_create(directory, now())
}

fn name(host: &str) -> LeafName {
    LeafName::parse(host).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn key_identifier(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
        _ => None,
    })
}

fn issuer_key_identifier(certificate: &X509Certificate<'_>) -> Option<Vec<u8>> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(identifier) => {
            assert!(identifier.authority_cert_issuer.is_none());
            identifier.key_identifier.as_ref().map(|identifier| identifier.0.to_vec())
        }
        _ => None,
    })
}

/// Verifies as a rustls client does that trusts the CA only.
fn verify(authority: &Authority, host: &str, at: SystemTime) -> Result<(), rustls::Error> {
    let leaf = authority.issue(&name(host), at).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.certificate().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .unwrap();
    let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    let server_name = ServerName::try_from(name(host).to_string()).unwrap();
    use rustls::client::danger::ServerCertVerifier;
    let chain = &leaf.certified_key.cert;
    verifier.verify_server_cert(&chain[0], &chain[1..], &server_name, &[], at).map(|_| ())
}

#[test]
fn first_start_makes_a_pair_and_the_next_loads_it() {
    let directory = tempfile::tempdir().unwrap();
    let (made, origin) = load(directory.path()).unwrap();
    assert_shared(&made);
    assert_eq!(origin, Origin::Created);
    assert!(made.warnings().is_empty(), "{:?}", made.warnings());
    assert_eq!(mode(&directory.path().join("ca.key")), 0o600);
    assert_eq!(mode(made.certificate_path()), 0o644);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
    let key = std::fs::read_to_string(directory.path().join("ca.key")).unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"), "PKCS#8");

    let (loaded, origin) = load(directory.path()).unwrap();
    assert_eq!(origin, Origin::Loaded);
    assert_eq!(loaded.fingerprint_sha256(), made.fingerprint_sha256());
    assert_eq!(made.fingerprint_sha256().len(), 32 * 3 - 1);
    assert!(loaded.warnings().is_empty(), "{:?}", loaded.warnings());
    verify(&loaded, "api.example.com", now()).unwrap();
}

#[test]
fn the_made_certificate_is_a_proper_ca() {
    let made = authority(now());
    let (_, certificate) = X509Certificate::from_der(made.certificate()).unwrap();
    assert_eq!(certificate.subject().to_string(), "CN=ClawSec Monitor CA, O=ClawSec");
    assert_eq!(certificate.issuer().as_raw(), certificate.subject().as_raw());
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(usage.value.to_string(), "Digital Signature, Key Cert Sign, CRL Sign");
    assert_eq!(key_identifier(&certificate).unwrap().len(), 20);
    let serial = certificate.raw_serial();
    assert!(serial.len() == 16 && serial[0] & 0x80 == 0, "{serial:x?}");
    let validity = certificate.validity();
    let life_days =
        (validity.not_after.timestamp() - validity.not_before.timestamp()) / (24 * 60 * 60);
    assert_eq!(life_days, 3652);
    assert!(certificate.verify_signature(None).is_ok());
    assert_eq!(certificate.signature_algorithm.algorithm.to_id_string(), "1.2.840.10045.4.3.2");
    let another = authority(now());
    assert_ne!(another.certificate(), made.certificate());
}

#[test]
fn a_leaf_says_what_strict_clients_ask_for() {
    let authority = authority(now());
    let leaf = authority.issue(&name("API.Example.com."), now()).unwrap();
    let chain = &leaf.certified_key.cert;
    assert_eq!(chain.len(), 2);
    assert_eq!(&chain[1], authority.certificate());
    assert!(leaf.certified_key.keys_match().is_ok());
    let (_, ca) = X509Certificate::from_der(authority.certificate()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&chain[0]).unwrap();
    assert_eq!(certificate.subject().to_string(), "CN=api.example.com");
    assert_eq!(certificate.issuer().as_raw(), ca.subject().as_raw());
    assert!(certificate.verify_signature(Some(ca.public_key())).is_ok());
    assert_eq!(issuer_key_identifier(&certificate), key_identifier(&ca));
    assert!(issuer_key_identifier(&certificate).is_some());
    let constraints = certificate.basic_constraints().unwrap().unwrap();
    assert!(!constraints.value.ca);
    let usage = certificate.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(usage.value.to_string(), "Digital Signature");
    let purposes = certificate.extended_key_usage().unwrap().unwrap();
    assert!(purposes.value.server_auth && !purposes.value.client_auth && !purposes.value.any);
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names, [GeneralName::DNSName("api.example.com")]);
    let seconds = |moment: SystemTime| {
        i64::try_from(moment.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()).unwrap()
    };
    let validity = certificate.validity();
    assert_eq!(validity.not_before.timestamp(), seconds(now() - days(2)));
    assert_eq!(validity.not_after.timestamp(), seconds(now() + days(197)));
}

#[test]
fn addresses_are_named_as_addresses() {
    let authority = authority(now());
    for (host, octets) in
        [("192.0.2.7", vec![192, 0, 2, 7]), ("[::1]", [vec![0; 15], vec![1]].concat())]
    {
        let leaf = authority.issue(&name(host), now()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&leaf.certified_key.cert[0]).unwrap();
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [GeneralName::IPAddress(&octets)]);
        verify(&authority, host, now()).unwrap();
    }
}

#[test]
fn unusual_names_verify_and_long_ones_have_a_cut_common_name() {
    let authority = authority(now());
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    for host in ["my_service.internal", "xn--bcher-kva.example", "localhost", &longest] {
        verify(&authority, host, now()).unwrap();
    }
    let leaf = authority.issue(&name(&longest), now()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&leaf.certified_key.cert[0]).unwrap();
    let common_name = certificate.subject().iter_common_name().next().unwrap().as_str().unwrap();
    assert_eq!(common_name, label, "no name ends in a dot");
}

#[test]
fn serials_are_unique_positive_and_of_16_bytes() {
    let authority = authority(now());
    let mut serials = HashSet::new();
    for _ in 0..200 {
        let leaf = authority.issue(&name("example.com"), now()).unwrap();
        let (_, certificate) = X509Certificate::from_der(&leaf.certified_key.cert[0]).unwrap();
        let serial = certificate.raw_serial().to_vec();
        assert!(serial.len() == 16 && serial[0] & 0x80 == 0 && serial[0] != 0, "{serial:x?}");
        assert!(serials.insert(serial));
    }
}

#[test]
fn a_warning_that_names_a_command_names_the_folder_that_it_is_for() {
    let (path, not_after) = (PathBuf::from("/var/lib/own logs/ca.crt"), OffsetDateTime::UNIX_EPOCH);
    for warning in [
        AuthorityWarning::NoKeyIdentifier { path: path.clone() },
        AuthorityWarning::ExpiresSoon { path: path.clone(), not_after },
        AuthorityWarning::HasExpired { path: path.clone(), not_after },
    ] {
        let said = warning.to_string();
        assert!(said.contains("clawsec ca rotate --log-dir '/var/lib/own logs' "), "{said}");
    }
}

#[test]
fn an_rsa_ca_of_the_original_loads_and_signs_with_sha_256() {
    let directory = tempfile::tempdir().unwrap();
    let key = rsa_key();
    let key_pem = pkcs1_pem(&key);
    assert!(key_pem.starts_with(concat!("-----BEGIN RSA ", "PRIVATE KEY-----")));
    Fixture::default().write(directory.path(), &key, &key_pem);
    let (authority, origin) = load(directory.path()).unwrap();
    assert_eq!(origin, Origin::Loaded);
    let path = directory.path().join("ca.crt");
    assert_eq!(authority.warnings(), [AuthorityWarning::NoKeyIdentifier { path }]);
    let leaf = authority.issue(&name("api.example.com"), now()).unwrap();
    let (_, certificate) = X509Certificate::from_der(&leaf.certified_key.cert[0]).unwrap();
    let sha256_with_rsa = "1.2.840.113549.1.1.11";
    assert_eq!(certificate.signature_algorithm.algorithm.to_id_string(), sha256_with_rsa);
    // Named by no identifier, since the CA has none to be named by.
    assert_eq!(issuer_key_identifier(&certificate), None);
    assert_eq!(certificate.public_key().parsed().unwrap().key_size(), 256, "the leaf is P-256");
    verify(&authority, "api.example.com", now()).unwrap();
    let unchanged = std::fs::read_to_string(directory.path().join("ca.key")).unwrap();
    assert!(unchanged == key_pem, "the key file stays as it is");
}

#[test]
fn keys_of_every_kind_and_form_load() {
    let rsa = rsa_key();
    let p256 = KeyPair::generate().unwrap();
    let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let parameters = pem("EC PARAMETERS", &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    for (kind, key, key_pem) in [
        ("RSA, PKCS#8", &rsa, rsa.serialize_pem()),
        ("P-256, PKCS#8", &p256, p256.serialize_pem()),
        ("P-256, SEC1", &p256, sec1_pem(&p256)),
        ("P-256, SEC1 after its parameters", &p256, parameters + &sec1_pem(&p256)),
        ("P-384, PKCS#8", &p384, p384.serialize_pem()),
        ("Ed25519, PKCS#8", &ed25519, ed25519.serialize_pem()),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let fixture = Fixture { with_key_identifier: true, ..Fixture::default() };
        fixture.write(directory.path(), key, &key_pem);
        let (authority, origin) = load(directory.path()).unwrap_or_else(|e| panic!("{kind}: {e}"));
        assert_eq!(origin, Origin::Loaded);
        assert!(authority.warnings().is_empty(), "{kind}: {:?}", authority.warnings());
        verify(&authority, "example.com", now()).unwrap_or_else(|e| panic!("{kind}: {e}"));
    }
}

/// What the CA in this directory fails with; it must name the file, quote no key and leave both as
/// they are.
fn failure(directory: &Path, names: &str) -> AuthorityError {
    let contents = |file: &str| std::fs::read(directory.join(file)).ok();
    let before = (contents("ca.crt"), contents("ca.key"));
    let error = load(directory).map(|(_, origin)| origin).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains(directory.join(names).to_str().unwrap()), "{text}");
    if let Some(key) = contents("ca.key") {
        for line in String::from_utf8_lossy(&key).lines().filter(|line| line.len() > 8) {
            assert!(line.starts_with("-----") || !text.contains(line), "key material in: {text}");
        }
    }
    assert!(before == (contents("ca.crt"), contents("ca.key")), "files were changed: {text}");
    error
}

#[test]
fn a_broken_key_is_an_error_that_quotes_nothing() {
    let key = KeyPair::generate().unwrap();
    let whole = key.serialize_pem();
    let wrong_bytes = pem("PRIVATE KEY", b"invented bytes that are no key of any kind at all");
    let encrypted = pem("ENCRYPTED PRIVATE KEY", key.serialized_der());
    let bad_base64 = whole.replacen("MI", "M!", 1);
    for broken in
        ["", "not a key", &whole[..whole.len() / 2], &wrong_bytes, &encrypted, &bad_base64]
    {
        let directory = tempfile::tempdir().unwrap();
        Fixture::default().write(directory.path(), &key, broken);
        let error = failure(directory.path(), "ca.key");
        assert!(matches!(error, AuthorityError::BadKey { .. }), "{error}");
    }
}

#[test]
fn a_broken_certificate_is_an_error() {
    let key = KeyPair::generate().unwrap();
    let whole = Fixture::default().certificate_pem(&key);
    let twice = format!("{whole}{whole}");
    let wrong_bytes = pem("CERTIFICATE", b"invented bytes");
    let key_instead = key.serialize_pem();
    for broken in ["", "junk", &whole[..whole.len() / 2], &twice, &wrong_bytes, &key_instead] {
        let directory = tempfile::tempdir().unwrap();
        write_private(&directory.path().join("ca.key"), &key.serialize_pem());
        std::fs::write(directory.path().join("ca.crt"), broken).unwrap();
        let error = failure(directory.path(), "ca.crt");
        assert!(matches!(error, AuthorityError::BadCertificate { .. }), "{error}");
    }
}

#[test]
fn another_certificates_key_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let other = KeyPair::generate().unwrap();
    Fixture::default().write(
        directory.path(),
        &KeyPair::generate().unwrap(),
        &other.serialize_pem(),
    );
    let error = failure(directory.path(), "ca.key");
    assert!(matches!(error, AuthorityError::KeyMismatch { .. }), "{error}");
}

#[test]
fn a_certificate_that_may_not_sign_is_an_error() {
    let key = KeyPair::generate().unwrap();
    let not_a_ca = Fixture { is_ca: false, ..Fixture::default() };
    let may_not_sign =
        Fixture { key_usages: vec![KeyUsagePurpose::DigitalSignature], ..Fixture::default() };
    for (fixture, says) in [(not_a_ca, "CA:TRUE"), (may_not_sign, "keyCertSign")] {
        let directory = tempfile::tempdir().unwrap();
        fixture.write(directory.path(), &key, &key.serialize_pem());
        let error = failure(directory.path(), "ca.crt");
        assert!(error.to_string().contains(says), "{error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let unlimited = Fixture { key_usages: Vec::new(), ..Fixture::default() };
    unlimited.write(directory.path(), &key, &key.serialize_pem());
    assert!(load(directory.path()).is_ok(), "without keyUsage a CA may sign");
}

#[test]
fn a_ca_out_of_its_time_is_an_error_and_one_near_its_end_a_warning() {
    let second = std::time::Duration::from_secs(1);
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let fixture = |not_before, not_after| {
        let fixture =
            Fixture { not_before, not_after, with_key_identifier: true, ..Fixture::default() };
        fixture.write(directory.path(), &key, &key.serialize_pem());
    };
    fixture(now() - days(10), now() - second);
    let error = failure(directory.path(), "ca.crt");
    assert!(matches!(error, AuthorityError::Expired { .. }), "{error}");
    assert!(error.to_string().contains("expired on 2027-01-1"), "{error}");
    fixture(now() + second, now() + days(10));
    let error = failure(directory.path(), "ca.crt");
    assert!(matches!(error, AuthorityError::NotYetValid { .. }), "{error}");

    fixture(now(), now());
    assert!(load(directory.path()).is_ok(), "both ends belong to its time");
    fixture(now() - days(10), now() + days(30) - second);
    let (authority, _) = load(directory.path()).unwrap();
    assert!(matches!(authority.warnings(), [AuthorityWarning::ExpiresSoon { .. }]));
    fixture(now() - days(10), now() + days(30));
    assert!(load(directory.path()).unwrap().0.warnings().is_empty());
}

#[test]
fn leaves_end_with_their_ca_and_none_is_made_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let fixture = Fixture { not_after: now() + days(40), ..Fixture::default() };
    fixture.write(directory.path(), &key, &key.serialize_pem());
    let (authority, _) = load(directory.path()).unwrap();
    let leaf = authority.issue(&name("example.com"), now()).unwrap();
    assert_eq!(
        i64::try_from(leaf.not_after_secs).unwrap(),
        authority.expires_at().unix_timestamp()
    );
    assert!(authority.issue(&name("example.com"), now() + days(40)).is_ok());
    let error = authority.issue(&name("example.com"), now() + days(41)).unwrap_err();
    assert!(matches!(error, AuthorityError::Expired { .. }), "{error}");
}

#[test]
fn a_key_alone_gets_its_certificate_made() {
    let directory = tempfile::tempdir().unwrap();
    let (made, _) = load(directory.path()).unwrap();
    let key = std::fs::read(directory.path().join("ca.key")).unwrap();
    std::fs::remove_file(made.certificate_path()).unwrap();
    let (remade, origin) = load(directory.path()).unwrap();
    assert_eq!(origin, Origin::CertificateRemade);
    assert!(key == std::fs::read(directory.path().join("ca.key")).unwrap());
    // Whoever trusts the old certificate accepts the leaves of the new one.
    let (_, old) = X509Certificate::from_der(made.certificate()).unwrap();
    let (_, new) = X509Certificate::from_der(remade.certificate()).unwrap();
    assert_eq!(key_identifier(&old), key_identifier(&new));
    assert_eq!(old.subject().as_raw(), new.subject().as_raw());
    assert_eq!(old.public_key().raw, new.public_key().raw);
    assert_eq!(load(directory.path()).unwrap().1, Origin::Loaded);
}

#[test]
fn a_certificate_alone_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    load(directory.path()).unwrap();
    std::fs::remove_file(directory.path().join("ca.key")).unwrap();
    let error = failure(directory.path(), "ca.key");
    assert!(matches!(error, AuthorityError::KeyMissing { .. }), "{error}");
    assert!(!directory.path().join("ca.key").exists());
}

#[test]
fn what_a_crash_left_half_written_is_never_taken_up() {
    let directory = tempfile::tempdir().unwrap();
    let leftover = directory.path().join(".ca.key.1.0000000000000001.tmp");
    write_private(&leftover, "-----BEGIN PRI");
    let (_, origin) = load(directory.path()).unwrap();
    assert_eq!(origin, Origin::Created);
    assert_eq!(load(directory.path()).unwrap().1, Origin::Loaded);
}

#[test]
fn starts_at_the_same_moment_end_with_one_pair() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let barrier = std::sync::Barrier::new(6);
        let fingerprints: HashSet<String> = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                load(directory.path()).unwrap().0.fingerprint_sha256()
            };
            let starts: Vec<_> = (0..6).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(fingerprints.len(), 1, "{fingerprints:?}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
        let (authority, _) = load(directory.path()).unwrap();
        assert!(fingerprints.contains(&authority.fingerprint_sha256()));
    }
}

#[test]
fn links_are_not_followed() {
    for linked in ["ca.key", "ca.crt"] {
        let elsewhere = tempfile::tempdir().unwrap();
        load(elsewhere.path()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        for file in ["ca.key", "ca.crt"] {
            let (from, to) = (elsewhere.path().join(file), directory.path().join(file));
            match file == linked {
                true => symlink(from, to).unwrap(),
                false => std::fs::copy(from, to).map(|_| ()).unwrap(),
            }
        }
        let error = failure(directory.path(), linked);
        assert!(matches!(error, AuthorityError::NotARegularFile { .. }), "{error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("elsewhere");
    symlink(&target, directory.path().join("ca.key")).unwrap();
    failure(directory.path(), "ca.key");
    assert!(!target.exists(), "nothing is written through a dangling link");
}

#[test]
fn a_key_that_others_can_read_is_closed_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    load(directory.path()).unwrap();
    let key = directory.path().join("ca.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let (authority, _) = load(directory.path()).unwrap();
    let warning = AuthorityWarning::KeyReadableByOthers { path: key.clone(), mended: true };
    assert_eq!(authority.warnings(), [warning]);
    assert_eq!(mode(&key), 0o600);
    assert!(load(directory.path()).unwrap().0.warnings().is_empty());
}

#[test]
fn a_subject_that_leaves_cannot_repeat_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let pem_text = Fixture::default().certificate_pem(&key);
    let mut der = CertificateDer::from_pem_slice(pem_text.as_bytes()).unwrap().to_vec();
    // The organisation's attribute type (2.5.4.10) becomes a second common name (2.5.4.3), of which
    // rcgen keeps one.
    let organisation = [0x06, 3, 0x55, 4, 0x0a];
    while let Some(at) = der.windows(5).position(|window| window == organisation) {
        der[at + 4] = 3;
    }
    write_private(&directory.path().join("ca.key"), &key.serialize_pem());
    std::fs::write(directory.path().join("ca.crt"), pem("CERTIFICATE", &der)).unwrap();
    let error = failure(directory.path(), "ca.crt");
    assert!(error.to_string().contains("repeated exactly"), "{error}");
}

#[test]
fn nothing_printed_shows_a_key() {
    let directory = tempfile::tempdir().unwrap();
    let (authority, _) = load(directory.path()).unwrap();
    let text = format!("{authority:?}");
    assert!(text.contains(&authority.fingerprint_sha256()));
    assert!(text.len() < 300, "{text}");
}
