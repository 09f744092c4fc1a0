//! Certificates of one run: an authority and one leaf for the loopback names. Files only under the folder given.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::Outcome;

/// Where a run's certificates are.
pub struct Files {
    pub authority: PathBuf,
    pub leaf: PathBuf,
    pub key: PathBuf,
    /// Leaf and key in one file, as HAProxy wants them.
    pub combined: PathBuf,
    /// The authority's key and the authority in one file: for Squid, and for hudsucker, which wants the key first.
    pub authority_combined: PathBuf,
}

impl Files {
    fn of(folder: &Path) -> Files {
        Files {
            authority: folder.join("ca.pem"),
            leaf: folder.join("leaf.pem"),
            key: folder.join("leaf.key"),
            combined: folder.join("leaf-and-key.pem"),
            authority_combined: folder.join("ca-and-key.pem"),
        }
    }
}

/// The names that every test leaf is valid for.
const NAMES: [&str; 4] = ["localhost", "*.load.test", "127.0.0.1", "::1"];

/// Makes an authority and a leaf (both P-256), or uses those that `folder` holds already.
pub fn make(folder: &Path) -> Outcome<Files> {
    let files = Files::of(folder);
    if files.authority_combined.exists() {
        return Ok(files);
    }
    let make = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    make.map_err(|error| format!("{}: {error}", folder.display()))?;
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    authority.distinguished_name.push(DnType::CommonName, "loadtest authority");
    let certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, &authority_key);

    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    leaf.use_authority_key_identifier_extension = true;
    let leaf = leaf.signed_by(&key, &issuer)?;

    std::fs::write(&files.authority, certificate.pem())?;
    std::fs::write(&files.leaf, leaf.pem())?;
    write_secret(&files.key, &key.serialize_pem())?;
    write_secret(&files.combined, &(leaf.pem() + &key.serialize_pem()))?;
    let both = authority_key.serialize_pem() + &certificate.pem();
    write_secret(&files.authority_combined, &both)?;
    Ok(files)
}

/// Writes what the owner alone may read.
fn write_secret(path: &Path, text: &str) -> Outcome<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
