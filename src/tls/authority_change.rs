//! Changes of the CA that its owner asks for: a new one with the old one's blessing (`rotate`), or
//! one that an organisation certified (`import`). A running monitor goes on with what it loaded.
//!
//! # If it is interrupted
//!
//! First `ca.previous.crt` is written, then `ca.crt` is taken away, `ca.key` replaced, and `ca.crt`
//! written. At each step a start finds either the old pair, a key alone, for which it makes a
//! certificate, or the new pair; never a certificate with another one's key.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::authority::{Authority, fingerprint_sha256};
use super::authority_error::AuthorityError;
use super::authority_files::AuthorityFiles;
use super::authority_overlap::{PREVIOUS_FILE, still_valid};
use super::authority_pair::{
    CERTIFICATE_FILE, CERTIFICATE_MODE, COMMON_NAME, CheckedPair, KEY_FILE, KEY_MODE,
    authority_params, check_pair, find, random_nonce, read_certificates, read_key,
    read_key_and_repeat,
};
use super::leaf::{DAY_SECS, crypto_error, date_time, unix_secs};
use super::trust_bundle::certificate_pem;
use crate::limits::{CA_CHAIN_MAX, CA_FILE_MAX_BYTES};

/// What a change did.
#[derive(Debug)]
pub struct Changed {
    /// SHA-256 of the CA's certificate before, where there was one that could be read.
    pub before: Option<String>,
    /// SHA-256 of the CA's certificate now.
    pub now: String,
    /// Until when clients that trust only the CA before believe the new one.
    pub overlap_until: Option<OffsetDateTime>,
}

/// Makes a new CA in place of the present one, whose key signs once more, for the new CA, and is
/// then gone.
pub fn rotate(
    directory: &Path,
    overlap_days: u64,
    now: SystemTime,
) -> Result<Changed, AuthorityError> {
    let change = Change::begin(directory, now)?;
    let (old_pem, old) = change.present()?;
    let key = KeyPair::generate().map_err(crypto_error)?;
    let tag = random_nonce(&change.provider)? & 0xffff_ffff;
    let name = format!("{COMMON_NAME} {tag:08x}");
    let params = authority_params(&name, &change.provider, change.now_secs)?;
    let certificate = params.self_signed(&key).map_err(crypto_error)?;
    let bridge = match &old {
        Some(old) if overlap_days > 0 => change.bridge(&params, &key, old, overlap_days)?,
        _ => None,
    };
    let overlap_until = bridge.as_ref().map(|(_, until)| *until);
    let bridge = bridge.map(|(certificate, _)| certificate);
    let pair = NewPair {
        certificates_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        leaving: if overlap_days > 0 { old_pem.clone() } else { Vec::new() },
    };
    change.put_in_place(&pair, bridge)?;
    Ok(Changed {
        before: fingerprint_of(&old_pem),
        now: fingerprint_sha256(certificate.der()),
        overlap_until,
    })
}

/// Takes over a CA that somebody else certified: its certificate, those above it, and its key.
pub fn import(
    directory: &Path,
    certificates: &Path,
    key: &Path,
    now: SystemTime,
) -> Result<Changed, AuthorityError> {
    let change = Change::begin(directory, now)?;
    let chain_pem = read_bounded(certificates)?;
    let (signer, key_pem) = read_key_and_repeat(&read_bounded(key)?, key)?;
    let pair = check_pair(&chain_pem, signer, certificates, key, change.now_secs)?;
    if let Some(problem) = pair.refused_for {
        return Err(AuthorityError::BadCertificate { path: certificates.to_owned(), problem });
    }
    let all = [vec![pair.certificate.clone()], pair.chain.clone()].concat();
    try_out(&all, &key_pem, (certificates, key), now)?;
    let old_pem = match change.present() {
        Ok((old_pem, _)) => old_pem,
        Err(AuthorityError::Absent { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let new = NewPair {
        certificates_pem: all.iter().map(certificate_pem).collect(),
        key_pem,
        leaving: old_pem.clone(),
    };
    change.put_in_place(&new, None)?;
    Ok(Changed {
        before: fingerprint_of(&old_pem),
        now: fingerprint_sha256(&pair.certificate),
        overlap_until: None,
    })
}

/// One change, alone on the directory.
struct Change {
    files: AuthorityFiles,
    /// Held to the end.
    _lock: OwnedFd,
    provider: CryptoProvider,
    now_secs: u64,
}

/// What comes, and what it replaces.
struct NewPair {
    certificates_pem: String,
    key_pem: String,
    /// The `ca.crt` that goes.
    leaving: Vec<u8>,
}

impl Change {
    fn begin(directory: &Path, now: SystemTime) -> Result<Change, AuthorityError> {
        let now_secs = unix_secs(now).ok_or(AuthorityError::Clock)?;
        let files = AuthorityFiles::open(directory)?;
        let lock = files.lock()?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        Ok(Change { files, _lock: lock, provider, now_secs })
    }

    /// The present `ca.crt`, and the pair unless its time is over.
    fn present(&self) -> Result<(Vec<u8>, Option<CheckedPair>), AuthorityError> {
        let (certificate, key) = find(&self.files)?;
        let paths = [CERTIFICATE_FILE, KEY_FILE].map(|name| self.files.path_of(name));
        let [certificate_path, key_path] = &paths;
        let key = read_key(&key.bytes, key_path)?;
        match check_pair(&certificate.bytes, key, certificate_path, key_path, self.now_secs) {
            Ok(pair) => Ok((certificate.bytes, Some(pair))),
            Err(AuthorityError::Expired { .. }) => Ok((certificate.bytes, None)),
            Err(error) => Err(error),
        }
    }

    /// The new CA as the old one certifies it, and until when; none where the old one may not.
    fn bridge(
        &self,
        params: &CertificateParams,
        key: &KeyPair,
        old: &CheckedPair,
        overlap_days: u64,
    ) -> Result<Option<(CertificateDer<'static>, OffsetDateTime)>, AuthorityError> {
        if !old.may_sign_authorities {
            return Ok(None);
        }
        let until_secs = self.now_secs.saturating_add(overlap_days.saturating_mul(DAY_SECS));
        let until = date_time(until_secs.min(old.not_after_secs))?;
        let mut params = params.clone();
        params.not_after = until;
        params.use_authority_key_identifier_extension = old.has_key_identifier;
        let bridge = params.signed_by(key, &old.issuer).map_err(crypto_error)?;
        Ok(Some((bridge.der().clone(), until)))
    }

    fn put_in_place(
        &self,
        new: &NewPair,
        bridge: Option<CertificateDer<'static>>,
    ) -> Result<(), AuthorityError> {
        let mut previous: Vec<CertificateDer<'static>> = bridge.into_iter().collect();
        if !new.leaving.is_empty() {
            previous.extend(read_certificates(&new.leaving).unwrap_or_default());
            // A file that cannot be read has nothing that is worth keeping.
            previous.extend(still_valid(&self.files, self.now_secs).unwrap_or_default());
        }
        previous.truncate(CA_CHAIN_MAX);
        let nonce = random_nonce(&self.provider)?;
        if previous.is_empty() {
            self.files.remove(PREVIOUS_FILE)?;
        } else {
            let pem: String = previous.iter().map(certificate_pem).collect();
            self.files.replace(PREVIOUS_FILE, pem.as_bytes(), CERTIFICATE_MODE, nonce)?;
        }
        self.files.remove(CERTIFICATE_FILE)?;
        self.files.replace(KEY_FILE, new.key_pem.as_bytes(), KEY_MODE, nonce)?;
        let certificates = new.certificates_pem.as_bytes();
        self.files.replace(CERTIFICATE_FILE, certificates, CERTIFICATE_MODE, nonce)
    }
}

/// Loads the pair as a start would, and has it sign a leaf, before anything is replaced. Messages name the files that
/// it came from.
fn try_out(
    certificates: &[CertificateDer<'static>],
    key_pem: &str,
    named: (&Path, &Path),
    now: SystemTime,
) -> Result<(), AuthorityError> {
    Authority::from_memory(certificates, key_pem, named, now).map(drop)
}

fn fingerprint_of(pem: &[u8]) -> Option<String> {
    read_certificates(pem).ok()?.first().map(fingerprint_sha256)
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, AuthorityError> {
    let failed = |error: std::io::Error| AuthorityError::read(path, error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(CA_FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > CA_FILE_MAX_BYTES {
        return Err(AuthorityError::TooLarge { path: PathBuf::from(path) });
    }
    Ok(bytes)
}
