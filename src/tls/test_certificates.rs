//! What the tests of this module share: authorities in temporary directories, keys in the forms of
//! old, and certificates that we would never make ourselves. All keys are made at run time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use time::OffsetDateTime;

use super::Authority;

/// A moment that the tests of lives reckon from: 2027-01-15.
pub(super) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(super) fn days(count: u64) -> Duration {
    Duration::from_secs(count * 24 * 60 * 60)
}

/// A new CA in a directory that is gone afterwards.
pub(super) fn authority(now: SystemTime) -> Arc<Authority> {
    let directory = tempfile::tempdir().unwrap();
    Arc::new(Authority::load_or_create(directory.path(), now).unwrap().0)
}

/// What the certificate of a fixture says; the default is what the original ClawSec said.
pub(super) struct Fixture {
    pub(super) is_ca: bool,
    pub(super) with_key_identifier: bool,
    pub(super) key_usages: Vec<KeyUsagePurpose>,
    pub(super) not_before: SystemTime,
    pub(super) not_after: SystemTime,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            is_ca: true,
            with_key_identifier: false,
            key_usages: vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::KeyCertSign,
                KeyUsagePurpose::CrlSign,
            ],
            not_before: now() - days(100),
            not_after: now() + days(3550),
        }
    }
}

impl Fixture {
    /// The self-signed certificate as PEM.
    pub(super) fn certificate_pem(&self, key: &KeyPair) -> String {
        let mut params = CertificateParams::default();
        params.not_before = OffsetDateTime::from(self.not_before);
        params.not_after = OffsetDateTime::from(self.not_after);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "ClawSec Monitor CA");
        params.distinguished_name.push(DnType::OrganizationName, "ClawSec");
        params.key_usages = self.key_usages.clone();
        if self.is_ca && self.with_key_identifier {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        } else if self.is_ca {
            // rcgen gives each CA a key identifier, so this one's constraints are written by hand:
            // SEQUENCE { BOOLEAN TRUE }.
            let mut constraints =
                CustomExtension::from_oid_content(&[2, 5, 29, 19], vec![0x30, 3, 1, 1, 0xff]);
            constraints.set_criticality(true);
            params.custom_extensions = vec![constraints];
        }
        params.self_signed(key).unwrap().pem()
    }

    /// Writes `ca.crt` and `ca.key`.
    pub(super) fn write(&self, directory: &Path, key: &KeyPair, key_pem: &str) {
        write_private(&directory.join("ca.key"), key_pem);
        std::fs::write(directory.join("ca.crt"), self.certificate_pem(key)).unwrap();
    }
}

pub(super) fn write_private(path: &Path, contents: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, contents).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub(super) fn rsa_key() -> KeyPair {
    KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap()
}

/// The key as `openssl genrsa -traditional` and the original ClawSec write it (RFC 8017 appendix
/// A.1.2).
pub(super) fn pkcs1_pem(key: &KeyPair) -> String {
    pem("RSA PRIVATE KEY", &inner_key(key))
}

/// The key as `openssl ecparam -genkey` writes it (RFC 5915 §3), for P-256.
pub(super) fn sec1_pem(key: &KeyPair) -> String {
    let inner = inner_key(key);
    let (_, inner) = x509_parser::der_parser::parse_der(&inner).unwrap();
    let scalar = inner.as_sequence().unwrap()[1].as_slice().unwrap().to_vec();
    let mut public = vec![0];
    public.extend_from_slice(key.der_bytes());
    let curve = [0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let parts =
        [der(0x02, &[1]), der(0x04, &scalar), der(0xa0, &curve), der(0xa1, &der(0x03, &public))];
    pem("EC PRIVATE KEY", &der(0x30, &parts.concat()))
}

/// The octet string of a PKCS#8 key (RFC 5958 §2).
fn inner_key(key: &KeyPair) -> Vec<u8> {
    let (_, parsed) = x509_parser::der_parser::parse_der(key.serialized_der()).unwrap();
    parsed.as_sequence().unwrap()[2].as_slice().unwrap().to_vec()
}

fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag, u8::try_from(contents.len()).unwrap()];
    assert!(contents.len() < 128);
    bytes.extend_from_slice(contents);
    bytes
}

/// PEM armour (RFC 7468 §2).
pub(super) fn pem(label: &str, bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        for index in 0..4 {
            let shift = 18 - 6 * index;
            text.push(match index <= chunk.len() {
                true => char::from(ALPHABET[(group >> shift & 63) as usize]),
                false => '=',
            });
        }
    }
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
