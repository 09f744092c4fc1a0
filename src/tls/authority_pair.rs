//! The CA's certificate and key as a pair: found or made, read, and checked against each other and
//! the clock.
//!
//! # The two files
//!
//! `ca.key` is published before `ca.crt`, each whole or not at all and never over one that is
//! there. So of two processes that start at once, the second takes up the first one's key, and both
//! end with the same pair; and a crash between the two leaves a key alone, for which the next start
//! makes the certificate. A certificate alone cannot come about that way, and is an error, as is
//! everything broken: a CA that clients already trust is never replaced silently.

use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SerialNumber,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use super::authority_error::AuthorityError;
use super::authority_files::{AuthorityFiles, FoundFile};
use super::leaf::{DAY_SECS, crypto_error, date_time};
use super::trust_bundle::pem_armour;
use crate::limits::{CA_CHAIN_MAX, CA_VALIDITY_DAYS, LEAF_BACKDATE_DAYS};

pub const CERTIFICATE_FILE: &str = "ca.crt";
pub const KEY_FILE: &str = "ca.key";
pub(super) const CERTIFICATE_MODE: u32 = 0o644;
pub(super) const KEY_MODE: u32 = 0o600;
/// The first CA's name.
pub(super) const COMMON_NAME: &str = "ClawSec Monitor CA";

/// Where the CA came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Neither file was there: a new CA, which no client trusts yet.
    Created,
    /// The key alone was there: a new certificate for the same key.
    CertificateRemade,
    /// Both were there.
    Loaded,
}

/// A certificate and its key, checked against each other and against the clock.
pub(super) struct CheckedPair {
    pub(super) issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: CertificateDer<'static>,
    /// What else the file holds: who certified the CA, each the issuer of the one before.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) has_key_identifier: bool,
    /// Whether it and those above it say what their keys are for, which strict clients ask for.
    pub(super) has_key_usage: bool,
    /// Why clients refuse whatever it signs, where they do.
    pub(super) refused_for: Option<&'static str>,
    /// The first end of all of them.
    pub(super) not_after_secs: u64,
    /// Whether another CA may stand between this one and its leaves (RFC 5280 §4.2.1.9).
    pub(super) may_sign_authorities: bool,
}

/// The two files as they are in the directory, made where need be.
pub(super) fn find_or_make(
    files: &AuthorityFiles,
    provider: &CryptoProvider,
    now_secs: u64,
) -> Result<(Origin, FoundFile, FoundFile), AuthorityError> {
    // The certificate first: another process that is making both publishes the key first, so that a
    // certificate seen here has had its key beside it already.
    let certificate = files.read(CERTIFICATE_FILE)?;
    let key = files.read(KEY_FILE)?;
    let key_was_there = key.is_some();
    let key = match (key, &certificate) {
        (Some(key), _) => key,
        (None, Some(_)) => {
            let certificate = files.path_of(CERTIFICATE_FILE);
            return Err(AuthorityError::KeyMissing { certificate, key: files.path_of(KEY_FILE) });
        }
        (None, None) => {
            let key = KeyPair::generate().map_err(crypto_error)?.serialize_pem();
            // Where another process was faster, its key is the one.
            files.publish(KEY_FILE, key.as_bytes(), KEY_MODE, random_nonce(provider)?)?;
            read_published(files, KEY_FILE)?
        }
    };
    if let Some(certificate) = certificate {
        return Ok((Origin::Loaded, certificate, key));
    }
    let signer = read_key(&key.bytes, &files.path_of(KEY_FILE))?;
    let params = authority_params(COMMON_NAME, provider, now_secs)?;
    let pem = params.self_signed(&signer).map_err(crypto_error)?.pem();
    let nonce = random_nonce(provider)?;
    let ours = files.publish(CERTIFICATE_FILE, pem.as_bytes(), CERTIFICATE_MODE, nonce)?;
    let origin = match (ours, key_was_there) {
        (false, _) => Origin::Loaded,
        (true, true) => Origin::CertificateRemade,
        (true, false) => Origin::Created,
    };
    Ok((origin, read_published(files, CERTIFICATE_FILE)?, key))
}

/// The two files as they are in the directory; none is made.
pub(super) fn find(files: &AuthorityFiles) -> Result<(FoundFile, FoundFile), AuthorityError> {
    let certificate = files.path_of(CERTIFICATE_FILE);
    match (files.read(CERTIFICATE_FILE)?, files.read(KEY_FILE)?) {
        (Some(certificate), Some(key)) => Ok((certificate, key)),
        (None, _) => Err(AuthorityError::Absent { certificate }),
        (Some(_), None) => {
            Err(AuthorityError::KeyMissing { certificate, key: files.path_of(KEY_FILE) })
        }
    }
}

/// What was published a moment ago, by us or by another process.
fn read_published(files: &AuthorityFiles, name: &str) -> Result<FoundFile, AuthorityError> {
    files.read(name)?.ok_or_else(|| {
        AuthorityError::read(
            &files.path_of(name),
            std::io::Error::from(std::io::ErrorKind::NotFound),
        )
    })
}

/// What a CA's certificate of ours says, whoever signs it.
pub(super) fn authority_params(
    common_name: &str,
    provider: &CryptoProvider,
    now_secs: u64,
) -> Result<CertificateParams, AuthorityError> {
    let not_before_secs = now_secs.saturating_sub(LEAF_BACKDATE_DAYS * DAY_SECS);
    let not_after_secs = not_before_secs.saturating_add(CA_VALIDITY_DAYS * DAY_SECS);
    let mut params = CertificateParams::default();
    params.not_before = date_time(not_before_secs)?;
    params.not_after = date_time(not_after_secs)?;
    params.serial_number = Some(SerialNumber::from_slice(&random_serial(provider)?));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.distinguished_name.push(DnType::OrganizationName, "ClawSec");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    Ok(params)
}

/// The private key in a PEM file: PKCS#8, PKCS#1 (RSA, as the original ClawSec wrote it) or SEC1
/// (EC). RSA keys sign with SHA-256.
pub(super) fn read_key(pem: &[u8], path: &Path) -> Result<KeyPair, AuthorityError> {
    read_key_and_repeat(pem, path).map(|(key, _)| key)
}

/// The same, and the key alone in the form that it has in the file: what `KeyPair` writes is called PKCS#8, whatever
/// it was read from.
pub(super) fn read_key_and_repeat(
    pem: &[u8],
    path: &Path,
) -> Result<(KeyPair, String), AuthorityError> {
    let bad = |problem| AuthorityError::BadKey { path: path.to_owned(), problem };
    // What the parsers say is dropped: it may quote the file.
    let der = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|_| bad("holds no unencrypted private key in PEM form"))?;
    let of_no_kind = "holds a private key that is broken or of no known kind";
    let key = KeyPair::try_from(&der).map_err(|_| bad(of_no_kind))?;
    let label = match &der {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        PrivateKeyDer::Pkcs8(_) => "PRIVATE KEY",
        _ => return Err(bad(of_no_kind)),
    };
    Ok((key, pem_armour(label, der.secret_der())))
}

/// Checks that the file holds a CA certificate, with the chain above it if it is no root; that all
/// are in their time; and that the key is the first one's.
pub(super) fn check_pair(
    pem: &[u8],
    key: KeyPair,
    certificate_path: &Path,
    key_path: &Path,
    now_secs: u64,
) -> Result<CheckedPair, AuthorityError> {
    let bad =
        |problem| AuthorityError::BadCertificate { path: certificate_path.to_owned(), problem };
    let certificates = read_certificates(pem).map_err(bad)?;
    let (certificate, chain) =
        certificates.split_first().ok_or_else(|| bad("holds no certificate in PEM form"))?;
    let parsed = parse(certificate).map_err(bad)?;
    let has_key_identifier = check_purpose(&parsed).map_err(bad)?;
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return Err(AuthorityError::KeyMismatch {
            certificate: certificate_path.to_owned(),
            key: key_path.to_owned(),
        });
    }
    let may_sign_authorities = path_length(&parsed) != Some(0);
    let mut not_after_secs = check_validity(&parsed, certificate_path, now_secs)?;
    let mut has_key_usage = has_key_usage_of(&parsed);
    let mut refused_for = refusal(&parsed, 0);
    let mut below = parsed;
    for (above, authorities_below) in chain.iter().zip(1..) {
        let above = parse(above).map_err(bad)?;
        if below.subject().as_raw() == below.issuer().as_raw() {
            return Err(bad("holds more than one certificate, and the one in front is a root"));
        }
        check_purpose(&above).map_err(|_| bad("holds a chain with a certificate of no CA"))?;
        if !is_issuer(&above, &below) {
            return Err(bad("holds certificates of which one does not certify the one before it"));
        }
        not_after_secs = not_after_secs.min(check_validity(&above, certificate_path, now_secs)?);
        has_key_usage &= has_key_usage_of(&above);
        refused_for = refused_for.or_else(|| refusal(&above, authorities_below));
        below = above;
    }
    let issuer = Issuer::from_ca_cert_der(certificate, key)
        .map_err(|_| bad("has a subject name that cannot be repeated exactly in leaves"))?;
    Ok(CheckedPair {
        issuer,
        certificate: certificate.clone(),
        chain: chain.to_vec(),
        has_key_identifier,
        has_key_usage,
        refused_for,
        not_after_secs,
        may_sign_authorities,
    })
}

/// Every certificate of a PEM file, at most [`CA_CHAIN_MAX`].
pub(super) fn read_certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        if certificates.len() == CA_CHAIN_MAX {
            return Err("holds more certificates than any chain");
        }
        certificates.push(certificate.map_err(|_| "holds no certificate in PEM form")?);
    }
    Ok(certificates)
}

/// The whole certificate, with nothing behind it.
pub(super) fn parse<'a>(
    certificate: &'a CertificateDer<'_>,
) -> Result<X509Certificate<'a>, &'static str> {
    match x509_parser::parse_x509_certificate(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        _ => Err("holds a certificate that cannot be read"),
    }
}

/// Whether one certificate issued the other: by name and by signature.
pub(super) fn is_issuer(above: &X509Certificate<'_>, below: &X509Certificate<'_>) -> bool {
    above.subject().as_raw() == below.issuer().as_raw()
        && below.verify_signature(Some(above.public_key())).is_ok()
}

/// How many CAs may stand below this one, where there is a bound.
fn path_length(certificate: &X509Certificate<'_>) -> Option<u32> {
    certificate.basic_constraints().ok().flatten()?.value.path_len_constraint
}

fn has_key_usage_of(certificate: &X509Certificate<'_>) -> bool {
    matches!(certificate.key_usage(), Ok(Some(_)))
}

/// Why clients refuse a leaf with this CA above it and so many others between them (RFC 5280 §4.1.2.6, §4.2.1.9,
/// §4.2.1.12; clients ask of a CA, too, that it may be for servers).
fn refusal(certificate: &X509Certificate<'_>, authorities_below: u32) -> Option<&'static str> {
    let is_for_servers = match certificate.extended_key_usage() {
        Ok(Some(usage)) => usage.value.server_auth || usage.value.any,
        Ok(None) => true,
        Err(_) => false,
    };
    if !is_for_servers {
        Some("holds a CA that is not for servers (its extendedKeyUsage lacks serverAuth)")
    } else if certificate.subject().iter().next().is_none() {
        Some("holds a CA without a subject name")
    } else if path_length(certificate).is_some_and(|longest| longest < authorities_below) {
        Some("holds a chain with more CAs than one in it allows (pathlen in its basicConstraints)")
    } else {
        None
    }
}

/// Whether the CA has a subjectKeyIdentifier, if it is a CA at all (RFC 5280 §4.2.1.3, §4.2.1.9).
fn check_purpose(certificate: &X509Certificate<'_>) -> Result<bool, &'static str> {
    match certificate.basic_constraints() {
        Ok(Some(constraints)) if constraints.value.ca => {}
        _ => return Err("is not a CA's certificate (no basicConstraints CA:TRUE)"),
    }
    match certificate.key_usage() {
        Ok(None) => {}
        Ok(Some(usage)) if usage.value.key_cert_sign() => {}
        _ => return Err("may not sign certificates (its keyUsage lacks keyCertSign)"),
    }
    if certificate.subject().iter().any(|set| set.iter().next().is_none()) {
        return Err("has a broken subject name");
    }
    Ok(certificate.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::SubjectKeyIdentifier(_))
    }))
}

/// The CA's `notAfter`, Unix seconds, if now is in its time.
pub(super) fn check_validity(
    certificate: &X509Certificate<'_>,
    path: &Path,
    now_secs: u64,
) -> Result<u64, AuthorityError> {
    let validity = certificate.validity();
    // Both may lie before 1970, which is as far away as that day.
    let not_before_secs = u64::try_from(validity.not_before.timestamp()).unwrap_or(0);
    let not_after_secs = u64::try_from(validity.not_after.timestamp()).unwrap_or(0);
    let path = path.to_owned();
    if now_secs > not_after_secs {
        return Err(AuthorityError::Expired { path, not_after: date_time(not_after_secs)? });
    }
    if now_secs < not_before_secs {
        return Err(AuthorityError::NotYetValid { path, not_before: date_time(not_before_secs)? });
    }
    Ok(not_after_secs)
}

/// 16 random bytes, positive as an integer and of full length (RFC 5280 §4.1.2.2).
pub(super) fn random_serial(provider: &CryptoProvider) -> Result<[u8; 16], AuthorityError> {
    let mut serial = [0; 16];
    provider
        .secure_random
        .fill(&mut serial)
        .map_err(|_| AuthorityError::Crypto("no random bytes".to_owned()))?;
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(serial)
}

pub(super) fn random_nonce(provider: &CryptoProvider) -> Result<u64, AuthorityError> {
    let serial = random_serial(provider)?;
    Ok(u128::from_be_bytes(serial) as u64)
}
