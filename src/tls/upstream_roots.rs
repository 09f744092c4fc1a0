//! The roots that origins are verified against: the system's (`SSL_CERT_FILE` and `SSL_CERT_DIR`
//! honoured), and those of the configuration's `upstream_ca_file`. Reads files at start, never
//! afterwards.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::named_roots::NamedRoots;
use super::provider::provider;
use super::trust_bundle::file_holds;
use crate::limits::{ROOT_PROBLEMS_MAX, UPSTREAM_CA_FILE_MAX_BYTES, UPSTREAM_SESSIONS_MAX};

/// Where the usual systems keep their bundle of roots, for when the environment points at no usable
/// one: Debian and Arch; Fedora and Red Hat, new and old; openSUSE; Alpine.
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
    /// The environment names our own CA as the only root, as it should for agents and not for us:
    /// the system's roots are used instead.
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

/// The configuration for connections to origins: verified, HTTP/1.1. `extra_roots_pem` is the
/// configuration's `upstream_ca_file`, whose certificates are added to the system's;
/// `own_certificate` is our CA's, which is no root for origins if it is the only one that the
/// environment names.
pub fn client_config(
    extra_roots_pem: Option<&Path>,
    own_certificate: Option<&CertificateDer<'_>>,
) -> Result<(Arc<ClientConfig>, RootsReport), RootsError> {
    let (roots, named, report) =
        collect_roots(&EnvironmentRoots::read(), extra_roots_pem, own_certificate, load_system)?;
    let provider = provider();
    let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| RootsError::Crypto(error.to_string()))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| RootsError::Crypto(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NamedRoots::new(webpki, named)))
        .with_no_client_auth();
    Ok((Arc::new(finish_config(config)), report))
}

/// The same configuration with a session store of its own, for one core: the store has a lock.
pub fn with_own_sessions(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.resumption = Resumption::in_memory_sessions(UPSTREAM_SESSIONS_MAX);
    Arc::new(config)
}

/// The same for a connection that may speak HTTP/2.
pub fn with_http2(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![super::ALPN_HTTP_2.to_vec(), super::ALPN_HTTP_1_1.to_vec()];
    Arc::new(config)
}

/// What verified and unverified connections to origins have in common.
pub(super) fn finish_config(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![super::ALPN_HTTP_1_1.to_vec()];
    config.resumption = Resumption::in_memory_sessions(UPSTREAM_SESSIONS_MAX);
    config.enable_early_data = false;
    // Records are opened and sealed by `record`.
    config.enable_secret_extraction = true;
    config
}

/// The roots; those among them that somebody named; what there is to say.
type Collected = (RootCertStore, Vec<CertificateDer<'static>>, RootsReport);

fn collect_roots(
    environment: &EnvironmentRoots,
    extra_roots_pem: Option<&Path>,
    own_certificate: Option<&CertificateDer<'_>>,
    load_system: impl Fn(&EnvironmentRoots) -> (LoadedRoots, String),
) -> Result<Collected, RootsError> {
    let mut report = RootsReport::default();
    let mut named = Vec::new();
    let (mut loaded, mut source) = match environment.is_set() {
        true => (environment.load(), environment.describe()),
        false => load_system(environment),
    };
    if environment.is_set() && own_certificate.is_some_and(|own| loaded.is_only(own)) {
        report.warnings.push(RootsWarning::OwnCertificateOnly { source });
        (loaded, source) = load_system(environment);
    } else if environment.is_set() {
        named.clone_from(&loaded.certificates);
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
        add_extra_roots(&mut roots, &mut named, path)?;
        report.sources.push(format!("upstream_ca_file {}", path.display()));
    }
    if roots.is_empty() {
        return Err(RootsError::NoRoots { looked_at: source });
    }
    report.count = roots.len();
    Ok((roots, named, report))
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

/// The roots that the system's programs trust, whatever the environment names.
pub(super) fn system_roots() -> Vec<CertificateDer<'static>> {
    load_system(&EnvironmentRoots::read()).0.certificates
}

/// The roots that the environment names instead; none where it names nothing but our own certificates, or a file that
/// `is_ours`.
pub(super) fn environment_roots(
    own: &[CertificateDer<'_>],
    is_ours: &dyn Fn(&Path) -> bool,
) -> Option<Vec<CertificateDer<'static>>> {
    let environment = EnvironmentRoots::read();
    let is_own = |found: &CertificateDer<'_>| own.iter().any(|one| one.as_ref() == found.as_ref());
    if !environment.is_set() || environment.file.as_deref().is_some_and(is_ours) {
        return None;
    }
    let loaded = environment.load().certificates;
    (!loaded.iter().all(is_own)).then_some(loaded)
}

/// Whether the system's own bundle holds a certificate, whatever the environment names.
pub fn system_trusts(certificate: &CertificateDer<'static>) -> bool {
    SYSTEM_BUNDLES.iter().any(|bundle| file_holds(Path::new(bundle), certificate).unwrap_or(false))
}

/// Whether a start would take a file as `upstream_ca_file`.
pub fn check_file(path: &Path) -> Result<(), RootsError> {
    add_extra_roots(&mut RootCertStore::empty(), &mut Vec::new(), path)
}

/// Adds the file's certificates, all of which must be usable: the owner asked for each of them.
fn add_extra_roots(
    roots: &mut RootCertStore,
    named: &mut Vec<CertificateDer<'static>>,
    path: &Path,
) -> Result<(), RootsError> {
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
            .add(certificate.clone())
            .map_err(|_| bad("holds a certificate that cannot be used as a root"))?;
        named.push(certificate);
        added += 1;
    }
    if added == 0 {
        return Err(bad("holds no certificate in PEM form"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::tls::test_certificates::{authority, now, pem};

    const NOTHING: fn(&EnvironmentRoots) -> (LoadedRoots, String) =
        |_| (LoadedRoots::default(), "nowhere".to_owned());

    fn root() -> CertificateDer<'static> {
        authority(now()).certificate().clone()
    }

    /// A file with these certificates, in a directory that is gone afterwards.
    fn file(certificates: &[&CertificateDer<'_>]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("roots.pem");
        let text: String = certificates.iter().map(|root| pem("CERTIFICATE", root)).collect();
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn from_file(path: &Path) -> EnvironmentRoots {
        EnvironmentRoots { file: Some(path.to_owned()), directories: Vec::new() }
    }

    fn system_of(roots: Vec<CertificateDer<'static>>) -> (LoadedRoots, String) {
        (LoadedRoots { certificates: roots, ..LoadedRoots::default() }, "the system".to_owned())
    }

    #[test]
    fn the_environments_file_and_directories_stand_for_the_system() {
        let (one, two) = (root(), root());
        let (directory, path) = file(&[&one, &two]);
        let environment = from_file(&path);
        let (_, _, report) = collect_roots(&environment, None, None, NOTHING).unwrap();
        assert_eq!((report.count, report.rejected), (2, 0));
        assert_eq!(report.sources, [format!("SSL_CERT_FILE={}", path.display())]);
        assert!(report.warnings.is_empty());
        let directories = vec![directory.path().to_owned()];
        let both = EnvironmentRoots { directories, ..environment };
        let (_, _, report) = collect_roots(&both, None, None, NOTHING).unwrap();
        assert_eq!(report.count, 2, "a root that is found twice counts once");
    }

    #[test]
    fn our_own_certificate_alone_gives_way_to_the_systems_roots() {
        let (own, other) = (root(), root());
        let (_directory, path) = file(&[&own, &own]);
        let environment = from_file(&path);
        let system = |_: &EnvironmentRoots| system_of(vec![other.clone()]);
        let (roots, _, report) = collect_roots(&environment, None, Some(&own), system).unwrap();
        assert_eq!((roots.len(), report.sources.as_slice()), (1, &["the system".to_owned()][..]));
        let [RootsWarning::OwnCertificateOnly { source }] = report.warnings.as_slice() else {
            panic!("{:?}", report.warnings);
        };
        assert!(source.contains(path.to_str().unwrap()), "{source}");
        let error = collect_roots(&environment, None, Some(&own), NOTHING).unwrap_err();
        assert!(matches!(error, RootsError::NoRoots { .. }), "{error}");
    }

    #[test]
    fn our_own_certificate_among_others_changes_nothing() {
        let (own, other) = (root(), root());
        let (_directory, path) = file(&[&own, &other]);
        let (_, _, report) = collect_roots(&from_file(&path), None, Some(&own), NOTHING).unwrap();
        assert_eq!((report.count, report.warnings.len()), (2, 0));
        let (_directory, path) = file(&[&other]);
        let (_, _, report) = collect_roots(&from_file(&path), None, Some(&own), NOTHING).unwrap();
        assert_eq!((report.count, report.warnings.len()), (1, 0));
    }

    #[test]
    fn extra_roots_join_the_systems() {
        let (one, two) = (root(), root());
        let (_directory, path) = file(&[&two]);
        let system = |_: &EnvironmentRoots| system_of(vec![one.clone()]);
        let environment = EnvironmentRoots::default();
        let (_, _, report) = collect_roots(&environment, Some(&path), None, system).unwrap();
        assert_eq!(report.count, 2);
        assert_eq!(report.sources[1], format!("upstream_ca_file {}", path.display()));
        assert!(report.warnings.is_empty());
        let (_, _, report) = collect_roots(&environment, Some(&path), None, NOTHING).unwrap();
        assert_eq!((report.count, report.warnings), (1, vec![RootsWarning::ExtraRootsOnly]));
    }

    #[test]
    fn no_root_at_all_is_an_error_that_says_where_they_were_looked_for() {
        let error = collect_roots(&EnvironmentRoots::default(), None, None, NOTHING).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
        let missing = from_file(Path::new("/nonexistent/roots.pem"));
        let error = collect_roots(&missing, None, None, NOTHING).unwrap_err();
        assert!(error.to_string().contains("SSL_CERT_FILE=/nonexistent/roots.pem"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_a_warning_where_others_can() {
        let (directory, _) = file(&[&root()]);
        let environment = EnvironmentRoots {
            file: Some(PathBuf::from("/nonexistent/roots.pem")),
            directories: vec![directory.path().to_owned()],
        };
        let (_, _, report) = collect_roots(&environment, None, None, NOTHING).unwrap();
        assert_eq!((report.count, report.rejected), (1, 1));
        let text = report.warnings[0].to_string();
        assert!(text.contains("/nonexistent/roots.pem"), "{text}");
    }

    #[test]
    fn details_of_unreadable_roots_are_bounded() {
        let mut loaded = LoadedRoots::default();
        for _ in 0..=ROOT_PROBLEMS_MAX {
            let missing = Path::new("/nonexistent/roots.pem");
            loaded.add(rustls_native_certs::load_certs_from_paths(Some(missing), None));
        }
        assert_eq!(loaded.problems_count, ROOT_PROBLEMS_MAX + 1);
        assert_eq!(loaded.problems.len(), ROOT_PROBLEMS_MAX);
    }

    #[test]
    fn roots_that_cannot_be_used_are_counted() {
        let junk = CertificateDer::from(b"invented bytes".to_vec());
        let system = |_: &EnvironmentRoots| system_of(vec![root(), junk.clone()]);
        let environment = EnvironmentRoots::default();
        let (_, _, report) = collect_roots(&environment, None, None, system).unwrap();
        assert_eq!((report.count, report.rejected), (1, 1));
    }

    #[test]
    fn a_bad_extra_file_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let valid = pem("CERTIFICATE", &root());
        let with_junk = format!("{valid}{}", pem("CERTIFICATE", b"invented bytes"));
        for (name, contents) in [
            ("empty.pem", String::new()),
            ("text.pem", "no certificate".to_owned()),
            ("cut.pem", valid[..valid.len() / 2].to_owned()),
            ("junk.pem", with_junk),
        ] {
            let path = directory.path().join(name);
            std::fs::write(&path, contents).unwrap();
            let system = |_: &EnvironmentRoots| system_of(vec![root()]);
            let environment = EnvironmentRoots::default();
            let error = collect_roots(&environment, Some(&path), None, system).unwrap_err();
            assert!(matches!(error, RootsError::BadFile { .. }), "{name}: {error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        for missing in [directory.path().join("absent.pem"), directory.path().to_owned()] {
            let error = client_config(Some(&missing), None).unwrap_err().to_string();
            assert!(error.contains(missing.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn an_extra_file_has_a_bound() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("large.pem");
        let valid = pem("CERTIFICATE", &root());
        std::fs::write(&path, &valid).unwrap();
        let file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        // A hole reads as zeros, which are no PEM line and are skipped.
        file.set_len(UPSTREAM_CA_FILE_MAX_BYTES).unwrap();
        let mut roots = RootCertStore::empty();
        add_extra_roots(&mut roots, &mut Vec::new(), &path).unwrap();
        assert_eq!(roots.len(), 1);
        file.set_len(UPSTREAM_CA_FILE_MAX_BYTES + 1).unwrap();
        let error = add_extra_roots(&mut roots, &mut Vec::new(), &path).unwrap_err();
        assert!(error.to_string().contains("16 MiB"), "{error}");
    }

    #[test]
    fn each_core_has_its_own_sessions() {
        let (_directory, path) = file(&[&root()]);
        let (config, report) = client_config(Some(&path), None).unwrap();
        assert!(report.count >= 1);
        assert_eq!(config.alpn_protocols, [b"http/1.1".to_vec()]);
        assert!(!config.enable_early_data);
        let own = with_own_sessions(&config);
        assert_eq!(own.alpn_protocols, config.alpn_protocols);
        assert!(format!("{:?}", own.resumption).contains("ClientSessionMemoryCache"));
    }
}
