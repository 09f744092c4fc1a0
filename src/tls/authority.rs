//! The local CA: made at the first start, loaded afterwards, signs the leaves that clients are
//! shown.
//!
//! # What clients are sent
//!
//! The leaf and the CA's certificate. Clients need the leaf only, but with the CA's beside it those
//! that pin it work, and an agent that does not trust it says "self-signed certificate in chain",
//! not "unable to verify". A CA that another certified is followed by its chain. For some time after
//! a rotation, what the CA before certified of this one stands in its own certificate's place, so
//! that clients believe who trust either (`authority_overlap`).

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{Issuer, KeyPair};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, ResolvesServerCertUsingSni};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{ServerConfig, version};
use time::OffsetDateTime;

pub use super::authority_error::AuthorityError;
use super::authority_files::{AuthorityFiles, FoundFile};
use super::authority_overlap::overlap_chain;
pub use super::authority_pair::Origin;
use super::authority_pair::{
    CERTIFICATE_FILE, CheckedPair, KEY_FILE, check_pair, find, find_or_make, random_serial,
    read_key,
};
use super::leaf::{
    DAY_SECS, Leaf, LeafLife, LeafName, crypto_error, date_time, leaf_params, unix_secs,
};
use super::provider::provider;
use super::trust_bundle::certificate_pem;
use crate::limits::CA_EXPIRY_WARNING_DAYS;
use crate::shell;

/// What the CA's owner should know, although it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorityWarning {
    /// The CA has no subjectKeyIdentifier, which strict clients ask for.
    NoKeyIdentifier { path: PathBuf },
    /// The CA, or one above it, has no keyUsage, which strict clients ask for.
    NoKeyUsage { path: PathBuf },
    /// Clients refuse whatever it signs.
    Refused { path: PathBuf, problem: &'static str },
    /// The CA ends within 30 days.
    ExpiresSoon { path: PathBuf, not_after: OffsetDateTime },
    /// Its end came while it was in use.
    HasExpired { path: PathBuf, not_after: OffsetDateTime },
    /// What a rotation left to ease the change cannot be used: only the new CA is shown.
    OverlapUnusable { problem: String },
    /// Others than its owner could read the key. `mended`: they no longer can.
    KeyReadableByOthers { path: PathBuf, mended: bool },
}

impl fmt::Display for AuthorityWarning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeyIdentifier { path } => write!(
                out,
                "the CA in {} has no subject key identifier: Python 3.13 and other strict clients \
                 refuse it; {} makes a new one, to be trusted anew",
                path.display(),
                rotation(path)
            ),
            Self::NoKeyUsage { path } => write!(
                out,
                "{} holds a CA that does not say what its key is for (keyUsage): Python 3.13 and other strict \
                 clients refuse it; {} makes a new one, to be trusted anew",
                path.display(),
                rotation(path)
            ),
            Self::Refused { path, problem } => write!(
                out,
                "{} {problem}: clients refuse its certificates; {} makes a new one, to be trusted anew",
                path.display(),
                rotation(path)
            ),
            Self::ExpiresSoon { path, not_after } => write!(
                out,
                "the CA in {} expires on {}: {} makes a new one, to be trusted anew",
                path.display(),
                not_after.date(),
                rotation(path)
            ),
            Self::HasExpired { path, not_after } => write!(
                out,
                "the CA in {} expired on {}, and clients of HTTPS are refused: {} (or ca import), then a \
                 restart",
                path.display(),
                not_after.date(),
                rotation(path)
            ),
            Self::OverlapUnusable { problem } => write!(
                out,
                "{problem}: clients that trust only the CA before the last rotation will refuse \
                 this one"
            ),
            Self::KeyReadableByOthers { path, mended: true } => write!(
                out,
                "{} could be read by other users; its mode is 0600 now. If one of them may have \
                 read it, remove ca.crt and ca.key, and trust the new CA",
                path.display()
            ),
            Self::KeyReadableByOthers { path, mended: false } => write!(
                out,
                "{} can be read by other users, and its mode cannot be changed: chmod 600 it",
                path.display()
            ),
        }
    }
}

/// The command that makes another CA where this certificate is. The new key is its caller's, so that the monitor's
/// user is to call it.
fn rotation(certificate: &Path) -> String {
    shell::command_on(certificate.parent().unwrap_or(certificate), "ca rotate")
}

/// The CA with its key, and the one key of all leaves. Shared by all cores; nothing in it changes.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    /// What clients are sent behind the leaf.
    chain: Vec<CertificateDer<'static>>,
    certificate_path: PathBuf,
    has_key_identifier: bool,
    not_after_secs: u64,
    not_after: OffsetDateTime,
    leaf_key: KeyPair,
    leaf_signer: Arc<dyn SigningKey>,
    provider: Arc<CryptoProvider>,
    server_config: ServerConfig,
    warnings: Vec<AuthorityWarning>,
}

impl Authority {
    /// Loads `ca.crt` and `ca.key` of the directory, or makes them where neither is there.
    pub fn load_or_create(
        directory: &Path,
        now: SystemTime,
    ) -> Result<(Self, Origin), AuthorityError> {
        let now_secs = unix_secs(now).ok_or(AuthorityError::Clock)?;
        let provider = provider();
        let files = AuthorityFiles::open(directory)?;
        let (origin, certificate, key) = find_or_make(&files, &provider, now_secs)?;
        Ok((Self::assemble(&files, &certificate, &key, provider, now_secs)?, origin))
    }

    /// Loads what [`Authority::load_or_create`] made; makes nothing.
    pub fn load(directory: &Path, now: SystemTime) -> Result<Self, AuthorityError> {
        let now_secs = unix_secs(now).ok_or(AuthorityError::Clock)?;
        let provider = provider();
        let files = AuthorityFiles::open(directory)?;
        let (certificate, key) = find(&files)?;
        Self::assemble(&files, &certificate, &key, provider, now_secs)
    }

    /// A CA that is not in its place yet; its messages name the files of its certificate and of its key that it came
    /// from.
    pub(super) fn from_memory(
        certificates: &[CertificateDer<'static>],
        key_pem: &str,
        (certificate_path, key_path): (&Path, &Path),
        now: SystemTime,
    ) -> Result<Self, AuthorityError> {
        let now_secs = unix_secs(now).ok_or(AuthorityError::Clock)?;
        let provider = provider();
        let key = read_key(key_pem.as_bytes(), key_path)?;
        let pem: String = certificates.iter().map(certificate_pem).collect();
        let pair = check_pair(pem.as_bytes(), key, certificate_path, key_path, now_secs)?;
        let chain = certificates.to_vec();
        Self::of_pair(pair, chain, certificate_path.to_owned(), Vec::new(), provider, now_secs)
    }

    fn assemble(
        files: &AuthorityFiles,
        certificate: &FoundFile,
        key: &FoundFile,
        provider: Arc<CryptoProvider>,
        now_secs: u64,
    ) -> Result<Self, AuthorityError> {
        let certificate_path = files.path_of(CERTIFICATE_FILE);
        let key_path = files.path_of(KEY_FILE);
        let mut warnings = Vec::new();
        if key.mode & 0o077 != 0 {
            let mended = key.make_private();
            warnings.push(AuthorityWarning::KeyReadableByOthers { path: key_path.clone(), mended });
        }
        let key = read_key(&key.bytes, &key_path)?;
        let pair = check_pair(&certificate.bytes, key, &certificate_path, &key_path, now_secs)?;
        let own = [vec![pair.certificate.clone()], pair.chain.clone()].concat();
        let chain = match overlap_chain(files, &pair.certificate, now_secs) {
            Ok(bridges) if bridges.is_empty() => own,
            Ok(bridges) => bridges,
            Err(error) => {
                let problem = error.without_remedy();
                warnings.push(AuthorityWarning::OverlapUnusable { problem });
                own
            }
        };
        Self::of_pair(pair, chain, certificate_path, warnings, provider, now_secs)
    }

    fn of_pair(
        pair: CheckedPair,
        chain: Vec<CertificateDer<'static>>,
        certificate_path: PathBuf,
        mut warnings: Vec<AuthorityWarning>,
        provider: Arc<CryptoProvider>,
        now_secs: u64,
    ) -> Result<Self, AuthorityError> {
        let not_after = date_time(pair.not_after_secs)?;
        if !pair.has_key_identifier {
            warnings.push(AuthorityWarning::NoKeyIdentifier { path: certificate_path.clone() });
        }
        if !pair.has_key_usage {
            warnings.push(AuthorityWarning::NoKeyUsage { path: certificate_path.clone() });
        }
        if let Some(problem) = pair.refused_for {
            warnings.push(AuthorityWarning::Refused { path: certificate_path.clone(), problem });
        }

        let leaf_key = KeyPair::generate().map_err(crypto_error)?;
        let leaf_key_der = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
        let leaf_signer = provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(leaf_key_der))
            .map_err(crypto_error)?;
        let mut authority = Self {
            issuer: pair.issuer,
            certificate: pair.certificate,
            chain,
            certificate_path,
            has_key_identifier: pair.has_key_identifier,
            not_after_secs: pair.not_after_secs,
            not_after,
            leaf_key,
            leaf_signer,
            server_config: server_config(&provider)?,
            provider,
            warnings,
        };
        authority.check_issuer_name(now_secs)?;
        let expiry = authority.expiry_warning(now_secs);
        authority.warnings.extend(expiry);
        Ok(authority)
    }

    /// Makes a leaf for the name, valid from two days ago for under 200 days, and never longer than
    /// the CA.
    pub fn issue(&self, name: &LeafName, now: SystemTime) -> Result<Leaf, AuthorityError> {
        let now_secs = unix_secs(now).ok_or(AuthorityError::Clock)?;
        if now_secs > self.not_after_secs {
            let path = self.certificate_path.clone();
            return Err(AuthorityError::Expired { path, not_after: self.not_after });
        }
        let life = LeafLife::new(now_secs, self.not_after_secs);
        let certificate = self.sign_leaf(name, life)?;
        let chain = [vec![certificate], self.chain.clone()].concat();
        Ok(Leaf {
            certified_key: Arc::new(CertifiedKey::new(chain, Arc::clone(&self.leaf_signer))),
            not_before_secs: life.not_before_secs,
            not_after_secs: life.not_after_secs,
            renew_at_secs: life.renew_at_secs,
        })
    }

    /// Where clients find the certificate to trust.
    pub fn certificate_path(&self) -> &Path {
        &self.certificate_path
    }

    /// The CA's certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the certificate as `openssl x509 -fingerprint -sha256` shows it: `AB:CD:…`.
    pub fn fingerprint_sha256(&self) -> String {
        fingerprint_sha256(&self.certificate)
    }

    /// The CA's `notAfter`.
    pub fn expires_at(&self) -> OffsetDateTime {
        self.not_after
    }

    /// Its end in seconds since the epoch.
    pub fn not_after_secs(&self) -> u64 {
        self.not_after_secs
    }

    /// What is to be said of its end at this time, in seconds since the epoch.
    pub fn expiry_warning(&self, now_secs: u64) -> Option<AuthorityWarning> {
        let (path, not_after) = (self.certificate_path.clone(), self.not_after);
        if now_secs > self.not_after_secs {
            return Some(AuthorityWarning::HasExpired { path, not_after });
        }
        let is_near = self.not_after_secs - now_secs < CA_EXPIRY_WARNING_DAYS * DAY_SECS;
        is_near.then_some(AuthorityWarning::ExpiresSoon { path, not_after })
    }

    /// What its owner should know; for the log, at start.
    pub fn warnings(&self) -> &[AuthorityWarning] {
        &self.warnings
    }

    /// The part of a server configuration that all names share: no certificate yet, no tickets.
    pub(super) fn server_config(&self) -> &ServerConfig {
        &self.server_config
    }

    fn sign_leaf(
        &self,
        name: &LeafName,
        life: LeafLife,
    ) -> Result<CertificateDer<'static>, AuthorityError> {
        let serial = random_serial(&self.provider)?;
        let params = leaf_params(name, life, serial, self.has_key_identifier)?;
        let leaf = params.signed_by(&self.leaf_key, &self.issuer).map_err(crypto_error)?;
        Ok(leaf.into())
    }

    /// Leaves must name their issuer byte for byte as the CA names itself, or no client finds the
    /// one from the other. rcgen writes names anew, and cannot write every one (two organisational
    /// units, say).
    fn check_issuer_name(&self, now_secs: u64) -> Result<(), AuthorityError> {
        let path = &self.certificate_path;
        let bad = |problem| AuthorityError::BadCertificate { path: path.clone(), problem };
        let name = LeafName::Dns("localhost".to_owned());
        let leaf = self.sign_leaf(&name, LeafLife::new(now_secs, self.not_after_secs))?;
        let (_, leaf) = x509_parser::parse_x509_certificate(&leaf)
            .map_err(|_| bad("makes leaves that cannot be read"))?;
        let (_, authority) = x509_parser::parse_x509_certificate(&self.certificate)
            .map_err(|_| bad("cannot be read"))?;
        if leaf.issuer().as_raw() == authority.subject().as_raw() {
            Ok(())
        } else {
            Err(bad("has a subject name that cannot be repeated exactly in leaves"))
        }
    }
}

impl fmt::Debug for Authority {
    /// Names the certificate; shows nothing of the keys.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Authority")
            .field("certificate_path", &self.certificate_path)
            .field("fingerprint_sha256", &self.fingerprint_sha256())
            .finish_non_exhaustive()
    }
}

/// TLS 1.2 and 1.3, HTTP/2 for clients that offer nothing else, no early data, and nothing kept of a session but what
/// its ticket carries.
fn server_config(provider: &Arc<CryptoProvider>) -> Result<ServerConfig, AuthorityError> {
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(crypto_error)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
    // The first of ours that the client offers is taken.
    let protocols = [super::ALPN_HTTP_1_1, super::ALPN_HTTP_1_0, super::ALPN_HTTP_2];
    config.alpn_protocols = protocols.map(<[u8]>::to_vec).to_vec();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Each connection brings the ticket for the next one.
    config.send_tls13_tickets = 1;
    config.max_early_data_size = 0;
    config.ignore_client_order = true;
    // Records are opened and sealed by `record`.
    config.enable_secret_extraction = true;
    Ok(config)
}

/// SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` shows it: `AB:CD:…`.
pub fn fingerprint_sha256(certificate: &CertificateDer<'_>) -> String {
    let bytes = sha256(certificate);
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

/// The digest that the TLS library brings along anyway.
fn sha256(bytes: &[u8]) -> Vec<u8> {
    TLS13_AES_128_GCM_SHA256
        .tls13()
        .map(|suite| suite.common.hash_provider.hash(bytes).as_ref().to_vec())
        .unwrap_or_default()
}
