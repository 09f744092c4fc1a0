//! The roots that origins are verified against: the system's (`SSL_CERT_FILE` and `SSL_CERT_DIR` honoured), and
//! those of the configuration's `upstream_ca_file`. Reads files at start, never afterwards.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::limits::{ROOT_PROBLEMS_MAX, UPSTREAM_CA_FILE_MAX_BYTES, UPSTREAM_SESSIONS_MAX};

/// Where the usual systems keep their bundle of roots, for when the environment points at no usable one:
/// Debian and Arch; Fedora and Red Hat, new and old; openSUSE; Alpine.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What origins are verified against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootsReport {
    /// Roots in use.
    pub count: usize,
    /// Certificates of the system that could not be used as roots; a few old ones are usual.
    pub rejected: usize,
    /// Where they came from, for the log.
    pub sources: Vec<String>,
    pub warnings: Vec<RootsWarning>,
}

/// What the owner should know about the roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootsWarning {
    /// The environment names our own CA as the only root, as it should for agents and not for us: the
    /// system's roots are used instead.
    OwnCertificateOnly { source: String },
    /// A file or directory of roots could not be read.
    Unreadable { problem: String },
    /// The system has no roots: only origins signed by the extra ones can be reached.
    ExtraRootsOnly,
}

impl fmt::Display for RootsWarning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnCertificateOnly { source } => write!(
                out,
                "{source} holds only ClawSec's own CA, which is meant for agents; origins are \
                 verified against the system's roots instead (start the monitor without it)"
            ),
            Self::Unreadable { problem } => write!(out, "root certificates not read: {problem}"),
            Self::ExtraRootsOnly => write!(
                out,
                "this system has no root certificates: only origins signed by upstream_ca_file can \
                 be reached (install ca-certificates)"
            ),
        }
    }
}

/// Why origins cannot be verified.
#[derive(Debug)]
pub enum RootsError {
    /// `upstream_ca_file` could not be read.
    Read { path: PathBuf, source: io::Error },
    /// `upstream_ca_file` holds nothing that can be used.
    BadFile { path: PathBuf, problem: &'static str },
    /// No root at all. `looked_at` names where they were looked for.
    NoRoots { looked_at: String },
    /// The TLS library refused its own parts.
    Crypto(String),
}

impl fmt::Display for RootsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => {
                write!(out, "cannot read upstream_ca_file {}: {source}", path.display())
            }
            Self::BadFile { path, problem } => {
                write!(out, "upstream_ca_file {} {problem}", path.display())
            }
            Self::NoRoots { looked_at } => write!(
                out,
                "no root certificates found ({looked_at}), so that no origin could be verified: \
                 install the package ca-certificates, or set upstream_ca_file or SSL_CERT_FILE"
            ),
            Self::Crypto(problem) => write!(out, "the TLS library failed: {problem}"),
        }
    }
}

impl std::error::Error for RootsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Where the environment says that roots are.
#[derive(Clone, Debug, Default)]
struct EnvironmentRoots {
    file: Option<PathBuf>,
    directories: Vec<PathBuf>,
}

impl EnvironmentRoots {
    fn read() -> Self {
        let directories = std::env::var_os("SSL_CERT_DIR").unwrap_or_default();
        Self {
            file: std::env::var_os("SSL_CERT_FILE")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            directories: std::env::split_paths(&directories)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
        }
    }

    fn is_set(&self) -> bool {
        self.file.is_some() || !self.directories.is_empty()
    }

    fn describe(&self) -> String {
        let file = self.file.iter().map(|path| format!("SSL_CERT_FILE={}", path.display()));
        let directories =
            self.directories.iter().map(|path| format!("SSL_CERT_DIR={}", path.display()));
        file.chain(directories).collect::<Vec<_>>().join(" ")
    }

    fn load(&self) -> LoadedRoots {
        let mut loaded = LoadedRoots::default();
        if let Some(file) = &self.file {
            loaded.add(rustls_native_certs::load_certs_from_paths(Some(file), None));
        }
        for directory in &self.directories {
            loaded.add(rustls_native_certs::load_certs_from_paths(None, Some(directory)));
        }
        loaded
    }
}

#[derive(Default)]
struct LoadedRoots {
    certificates: Vec<CertificateDer<'static>>,
    problems: Vec<String>,
    problems_count: usize,
}

impl LoadedRoots {
    fn add(&mut self, result: rustls_native_certs::CertificateResult) {
        self.certificates.extend(result.certs);
        self.certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        self.certificates.dedup();
        self.problems_count += result.errors.len();
        let room = ROOT_PROBLEMS_MAX.saturating_sub(self.problems.len());
        self.problems.extend(result.errors.iter().take(room).map(ToString::to_string));
    }

    /// True where the only certificate, however often, is this one.
    fn is_only(&self, own: &CertificateDer<'_>) -> bool {
        !self.certificates.is_empty()
            && self.certificates.iter().all(|certificate| certificate.as_ref() == own.as_ref())
    }
}

/// The configuration for connections to origins: verified, HTTP/1.1. `extra_roots_pem` is the configuration's
/// `upstream_ca_file`, whose certificates are added to the system's; `own_certificate` is our CA's, which is no
/// root for origins if it is the only one that the environment names.
pub fn client_config(
    extra_roots_pem: Option<&Path>,
    own_certificate: Option<&CertificateDer<'_>>,
) -> Result<(Arc<ClientConfig>, RootsReport), RootsError> {
    let (roots, report) =
        collect_roots(&EnvironmentRoots::read(), extra_roots_pem, own_certificate, load_system)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RootsError::Crypto(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((Arc::new(finish_config(config)), report))
}

/// The same configuration with a session store of its own, for one core: the store has a lock.
pub fn with_own_sessions(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.resumption = Resumption::in_memory_sessions(UPSTREAM_SESSIONS_MAX);
    Arc::new(config)
}

/// What verified and unverified connections to origins have in common.
pub(super) fn finish_config(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![super::ALPN_HTTP_1_1.to_vec()];
    config.resumption = Resumption::in_memory_sessions(UPSTREAM_SESSIONS_MAX);
    config.enable_early_data = false;
    config
}

fn collect_roots(
    environment: &EnvironmentRoots,
    extra_roots_pem: Option<&Path>,
    own_certificate: Option<&CertificateDer<'_>>,
    load_system: impl Fn(&EnvironmentRoots) -> (LoadedRoots, String),
) -> Result<(RootCertStore, RootsReport), RootsError> {
    let mut report = RootsReport::default();
    let (mut loaded, mut source) = match environment.is_set() {
        true => (environment.load(), environment.describe()),
        false => load_system(environment),
    };
    if environment.is_set() && own_certificate.is_some_and(|own| loaded.is_only(own)) {
        report.warnings.push(RootsWarning::OwnCertificateOnly { source });
        (loaded, source) = load_system(environment);
    }
    let mut roots = RootCertStore::empty();
    let (_, ignored) = roots.add_parsable_certificates(loaded.certificates);
    report.rejected = ignored + loaded.problems_count;
    let unreadable = loaded.problems.into_iter();
    report.warnings.extend(unreadable.map(|problem| RootsWarning::Unreadable { problem }));
    if !roots.is_empty() {
        report.sources.push(source.clone());
    }
    if let Some(path) = extra_roots_pem {
        if roots.is_empty() {
            report.warnings.push(RootsWarning::ExtraRootsOnly);
        }
        add_extra_roots(&mut roots, path)?;
        report.sources.push(format!("upstream_ca_file {}", path.display()));
    }
    if roots.is_empty() {
        return Err(RootsError::NoRoots { looked_at: source });
    }
    report.count = roots.len();
    Ok((roots, report))
}

/// The system's own roots, whatever the environment names.
fn load_system(environment: &EnvironmentRoots) -> (LoadedRoots, String) {
    let mut loaded = LoadedRoots::default();
    if !environment.is_set() {
        loaded.add(rustls_native_certs::load_native_certs());
        return (loaded, "the system's roots".to_owned());
    }
    // The library would look at the environment first.
    let Some(bundle) = SYSTEM_BUNDLES.iter().map(Path::new).find(|path| path.exists()) else {
        return (loaded, SYSTEM_BUNDLES.join(", "));
    };
    loaded.add(rustls_native_certs::load_certs_from_paths(Some(bundle), None));
    (loaded, bundle.display().to_string())
}

/// Adds the file's certificates, all of which must be usable: the owner asked for each of them.
fn add_extra_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), RootsError> {
    let bad = |problem| RootsError::BadFile { path: path.to_owned(), problem };
    let read_error = |source| RootsError::Read { path: path.to_owned(), source };
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(UPSTREAM_CA_FILE_MAX_BYTES + 1).read_to_end(&mut pem))
        .map_err(read_error)?;
    if pem.len() as u64 > UPSTREAM_CA_FILE_MAX_BYTES {
        return Err(bad("is larger than 16 MiB"));
    }
    let mut added = 0_usize;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| bad("is broken: it is no PEM file"))?;
        roots
            .add(certificate)
            .map_err(|_| bad("holds a certificate that cannot be used as a root"))?;
        added += 1;
    }
    if added == 0 {
        return Err(bad("holds no certificate in PEM form"));
    }
    Ok(())
}
