//! `ca-bundle.pem`: the machine's roots and the local CA in one file, for programs whose setting
//! replaces the roots that they have instead of adding to them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use data_encoding::BASE64;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::authority_error::AuthorityError;
use super::authority_files::AuthorityFiles;
use super::authority_overlap::{PREVIOUS_FILE, previous_roots};
use super::authority_pair::{CERTIFICATE_FILE, CERTIFICATE_MODE, random_nonce, read_certificates};
use super::leaf::unix_secs;
use super::upstream_roots::machine_roots;
use crate::limits::UPSTREAM_CA_FILE_MAX_BYTES;

/// The bundle's name, beside the CA.
pub const BUNDLE_FILE: &str = "ca-bundle.pem";

/// Characters of base64 in a line (RFC 7468 §2).
const PEM_LINE_CHARS: usize = 64;

/// What a client is pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustFiles {
    /// For settings that replace a program's roots: `ca-bundle.pem`.
    pub whole: PathBuf,
    /// For settings that add to them: `ca.crt`, or the bundle while a CA before it counts as well.
    pub addition: PathBuf,
}

/// Writes the bundle anew.
pub fn write_trust_files(directory: &Path, now: SystemTime) -> Result<TrustFiles, AuthorityError> {
    let now_secs = unix_secs(now).ok_or(AuthorityError::Clock)?;
    let files = AuthorityFiles::open(directory)?;
    let own = own_certificates(&files)?;
    let previous = previous_roots(&files, now_secs).unwrap_or_default();
    let whole = files.path_of(BUNDLE_FILE);
    let mut seen: Vec<CertificateDer<'static>> = Vec::new();
    let mut pem = String::new();
    for certificate in own.iter().chain(&previous).chain(&machine_roots(&own, &whole)) {
        if !seen.contains(certificate) {
            pem.push_str(&certificate_pem(certificate));
            seen.push(certificate.clone());
        }
    }
    let nonce = random_nonce(&rustls::crypto::aws_lc_rs::default_provider())?;
    files.replace(BUNDLE_FILE, pem.as_bytes(), CERTIFICATE_MODE, nonce)?;
    let is_alone = files.read(PREVIOUS_FILE)?.is_none();
    let addition = if is_alone { files.path_of(CERTIFICATE_FILE) } else { whole.clone() };
    Ok(TrustFiles { whole, addition })
}

/// What `ca.crt` holds: the CA, and its chain if it is no root.
pub fn own_certificates_of(
    directory: &Path,
) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    own_certificates(&AuthorityFiles::open(directory)?)
}

fn own_certificates(
    files: &AuthorityFiles,
) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let path = files.path_of(CERTIFICATE_FILE);
    let Some(found) = files.read(CERTIFICATE_FILE)? else {
        return Err(AuthorityError::Absent { certificate: path });
    };
    let bad = |problem| AuthorityError::BadCertificate { path: path.clone(), problem };
    let certificates = read_certificates(&found.bytes).map_err(bad)?;
    if certificates.is_empty() {
        return Err(bad("holds no certificate in PEM form"));
    }
    Ok(certificates)
}

/// Whether a PEM file holds this certificate. At most 16 MiB of it are looked at.
pub fn file_holds(path: &Path, certificate: &CertificateDer<'_>) -> io::Result<bool> {
    let mut pem = Vec::new();
    File::open(path)?.take(UPSTREAM_CA_FILE_MAX_BYTES).read_to_end(&mut pem)?;
    let mut certificates = CertificateDer::pem_slice_iter(&pem).flatten();
    Ok(certificates.any(|found| found.as_ref() == certificate.as_ref()))
}

/// A certificate as PEM.
pub fn certificate_pem(certificate: &CertificateDer<'_>) -> String {
    pem_armour("CERTIFICATE", certificate)
}

/// PEM armour (RFC 7468 §2).
pub(super) fn pem_armour(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(PEM_LINE_CHARS).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
