//! `ca-bundle.pem`: the system's roots, those of `upstream_ca_file` and the local CA in one file, for programs whose
//! setting replaces the roots that they have instead of adding to them. Where the environment of a program names others,
//! a file beside it that is called after these: each environment keeps its own, for as long as it needs it.

use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64, HEXLOWER};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::authority_error::AuthorityError;
use super::authority_files::AuthorityFiles;
use super::authority_overlap::{PREVIOUS_FILE, previous_roots};
use super::authority_pair::{CERTIFICATE_FILE, CERTIFICATE_MODE, random_nonce, read_certificates};
use super::leaf::unix_secs;
use super::upstream_roots::{environment_roots, system_roots};
use crate::limits::UPSTREAM_CA_FILE_MAX_BYTES;
use crate::regular_file;

/// The bundle's name, beside the CA.
pub const BUNDLE_FILE: &str = "ca-bundle.pem";

/// In a file for one environment: what stands behind it is what that environment trusted before, and none of ours.
const BEFORE: &str = "# What was trusted before:\n";

/// Characters of base64 in a line (RFC 7468 §2).
const PEM_LINE_CHARS: usize = 64;

/// What a client is pointed at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustFiles {
    /// For settings that replace a program's roots: `ca-bundle.pem`, or one with what the environment trusted before.
    pub whole: PathBuf,
    /// For settings that add to them: `ca.crt`, or the bundle while a CA before it counts as well, or where
    /// settings named more than the system trusts.
    pub addition: PathBuf,
    /// What could not be joined, and why.
    pub problems: Vec<String>,
}

/// Files whose certificates go on being trusted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kept<'a> {
    /// `upstream_ca_file`.
    pub upstream: Option<&'a Path>,
    /// Those that settings named which are to name ours.
    pub replaced: &'a [PathBuf],
}

/// Writes the bundle anew, and one for this environment if it needs its own.
pub fn write_trust_files(
    directory: &Path,
    now: SystemTime,
    kept: &Kept<'_>,
) -> Result<TrustFiles, AuthorityError> {
    let files = AuthorityFiles::open(directory)?;
    let mut problems = Vec::new();
    let (own, ours) = our_roots(&files, now, kept.upstream, &mut problems)?;
    let mut before = Roots::without(&ours);
    let named = environment_roots(&own, &|file| is_in(directory, file));
    // Of the shell that is asked again, whose settings are ours already, what they joined.
    let replaced = certificates_of(kept.replaced, directory, &mut problems);
    let is_again = kept.replaced.iter().any(|file| {
        is_in(directory, file) && file.file_name().is_some_and(|name| name != BUNDLE_FILE)
    });
    let system = system_roots();
    match named {
        Some(named) => before.add(&named),
        None if is_again && !replaced.is_empty() => {}
        None => before.add(&system),
    }
    before.add(&replaced);
    let mut usual = Roots::without(&ours);
    usual.add(&system);
    write(&files, BUNDLE_FILE, &(ours.pem() + &usual.pem()))?;
    let is_usual = before.is_within(&usual) && usual.is_within(&before);
    let name = if is_usual {
        BUNDLE_FILE.to_owned()
    } else {
        let trusted = before.pem();
        let digest = digest(&SHA256, trusted.as_bytes());
        let hash = HEXLOWER.encode(digest.as_ref().get(..8).unwrap_or_default());
        let name = BUNDLE_FILE.replace(".pem", &format!("-{hash}.pem"));
        write(&files, &name, &(ours.pem() + BEFORE + &trusted))?;
        name
    };
    let whole = files.path_of(&name);
    let is_alone = files.read(PREVIOUS_FILE)?.is_none()
        && replaced.iter().all(|certificate| usual.seen.contains(certificate));
    let addition = if is_alone { files.path_of(CERTIFICATE_FILE) } else { whole.clone() };
    Ok(TrustFiles { whole, addition, problems })
}

/// What `ca.crt` holds; and with the roots before it, and those of `upstream_ca_file`, what each bundle begins with.
fn our_roots(
    files: &AuthorityFiles,
    now: SystemTime,
    upstream: Option<&Path>,
    problems: &mut Vec<String>,
) -> Result<(Vec<CertificateDer<'static>>, Roots), AuthorityError> {
    let now_secs = unix_secs(now).ok_or(AuthorityError::Clock)?;
    let own = own_certificates(files)?;
    let previous = previous_roots(files, now_secs).unwrap_or_default();
    let mut ours = Roots::default();
    ours.add(own.iter().chain(&previous));
    ours.add(&certificates_of(upstream.as_slice(), &files.path_of(""), problems));
    Ok((own, ours))
}

/// Writes bundles of environments anew after a change of the CA: with what each trusted before, and ours of now.
pub(super) fn renew<'a>(
    files: &AuthorityFiles,
    names: impl Iterator<Item = &'a str>,
    now: SystemTime,
    upstream: Option<&Path>,
) -> Result<(), AuthorityError> {
    let (_, ours) = our_roots(files, now, upstream, &mut Vec::new())?;
    let ours = ours.pem();
    for name in names {
        let Ok(pem) = read_bounded(&files.path_of(name)) else { continue };
        let Some(at) = memchr::memmem::find(&pem, BEFORE.as_bytes()) else { continue };
        // Text, as all that is written here.
        let joined = String::from_utf8_lossy(pem.get(at..).unwrap_or_default());
        write(files, name, &(ours.clone() + &joined))?;
    }
    Ok(())
}

fn write(files: &AuthorityFiles, name: &str, pem: &str) -> Result<(), AuthorityError> {
    let nonce = random_nonce(&rustls::crypto::aws_lc_rs::default_provider())?;
    files.replace(name, pem.as_bytes(), CERTIFICATE_MODE, nonce)
}

/// Certificates in their order, each once.
#[derive(Default)]
struct Roots {
    found: Vec<CertificateDer<'static>>,
    seen: HashSet<CertificateDer<'static>>,
}

impl Roots {
    /// None, and none of these.
    fn without(others: &Roots) -> Roots {
        Roots { found: Vec::new(), seen: others.found.iter().cloned().collect() }
    }

    fn add<'a>(&mut self, more: impl IntoIterator<Item = &'a CertificateDer<'static>>) {
        for certificate in more {
            if self.seen.insert(certificate.clone()) {
                self.found.push(certificate.clone());
            }
        }
    }

    fn is_within(&self, others: &Roots) -> bool {
        self.found.iter().all(|certificate| others.seen.contains(certificate))
    }

    fn pem(&self) -> String {
        self.found.iter().map(certificate_pem).collect()
    }
}

/// What files hold, each read once; of one of ours what it joined.
fn certificates_of<P: AsRef<Path>>(
    files: &[P],
    directory: &Path,
    problems: &mut Vec<String>,
) -> Vec<CertificateDer<'static>> {
    let mut read: Vec<&Path> = Vec::new();
    let mut certificates = Vec::new();
    for file in files.iter().map(AsRef::as_ref) {
        if read.contains(&file) {
            continue;
        }
        read.push(file);
        match read_bounded(file) {
            Ok(pem) if is_in(directory, file) => {
                let at = memchr::memmem::find(&pem, BEFORE.as_bytes()).unwrap_or(pem.len());
                let joined = pem.get(at..).unwrap_or_default();
                certificates.extend(CertificateDer::pem_slice_iter(joined).flatten());
            }
            Ok(pem) => certificates.extend(CertificateDer::pem_slice_iter(&pem).flatten()),
            Err(error) => problems.push(format!(
                "the roots of {} are left out, for it cannot be read: {error}",
                file.display()
            )),
        }
    }
    certificates
}

/// A file as far as 16 MiB; neither a pipe nor a folder.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    regular_file::open(path)?.take(UPSTREAM_CA_FILE_MAX_BYTES).read_to_end(&mut pem)?;
    Ok(pem)
}

/// Whether a file is one of the CA's folder.
fn is_in(directory: &Path, file: &Path) -> bool {
    let folder = |path: &Path| path.canonicalize().ok();
    let parent = file.parent().and_then(folder);
    parent.is_some() && parent == folder(directory)
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
    regular_file::open(path)?.take(UPSTREAM_CA_FILE_MAX_BYTES).read_to_end(&mut pem)?;
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
