//! `ca.previous.crt`: what a rotation leaves of the CA before, so that nothing breaks between the
//! change and the last client that learns of it.
//!
//! The old key's last signature certifies the new CA: a bridge certificate, with the new CA's name
//! and key and the old one as its issuer. While it lives, clients are sent it in place of the new
//! CA's own certificate. Who trusts the old CA goes leaf ▶ bridge ▶ old CA; who trusts the new one
//! goes leaf ▶ new CA. The new CA's own certificate must not be sent then: OpenSSL would take it for
//! the end of the chain, and not look at the bridge.
//!
//! The file holds the bridge, then the certificates of the CA before, then what the file before
//! held. What is past its time counts as not there.

use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

use super::authority_error::AuthorityError;
use super::authority_files::AuthorityFiles;
use super::authority_pair::{is_issuer, parse, read_certificates};
use crate::limits::CA_CHAIN_MAX;

pub(super) const PREVIOUS_FILE: &str = "ca.previous.crt";

/// What clients are sent behind the leaf for the old CA's sake: bridges, the new CA's first. None
/// when there was no rotation, or its time is over.
pub(super) fn overlap_chain(
    files: &AuthorityFiles,
    own: &CertificateDer<'_>,
    now_secs: u64,
) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let previous = read_previous(files)?;
    let bad =
        |problem| AuthorityError::BadCertificate { path: files.path_of(PREVIOUS_FILE), problem };
    let own = parse(own).map_err(bad)?;
    let known: Vec<X509Certificate<'_>> =
        previous.iter().map(parse).collect::<Result<_, _>>().map_err(bad)?;
    let usable = |certificate: &&X509Certificate<'_>| {
        is_in_time(certificate, now_secs) && !is_self_issued(certificate)
    };
    let mut chain: Vec<usize> = Vec::new();
    let mut next = known.iter().filter(usable).find(|bridge| {
        bridge.subject().as_raw() == own.subject().as_raw()
            && bridge.public_key().raw == own.public_key().raw
    });
    while let Some(found) = next {
        let Some(index) = known.iter().position(|one| std::ptr::eq(one, found)) else { break };
        if chain.len() == CA_CHAIN_MAX || chain.contains(&index) {
            break;
        }
        chain.push(index);
        next = known.iter().filter(usable).find(|above| is_issuer(above, found));
    }
    Ok(chain.iter().filter_map(|index| previous.get(*index)).cloned().collect())
}

/// The roots among the CAs before that are in their time: to be trusted beside the present one, for
/// a monitor that has not been started anew since the rotation still signs with the last of them.
pub(super) fn previous_roots(
    files: &AuthorityFiles,
    now_secs: u64,
) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let is_root = |certificate: &CertificateDer<'_>| {
        parse(certificate)
            .is_ok_and(|parsed| is_self_issued(&parsed) && is_in_time(&parsed, now_secs))
    };
    Ok(read_previous(files)?.into_iter().filter(|certificate| is_root(certificate)).collect())
}

/// Every certificate of the file that is in its time; none where there is no file.
pub(super) fn still_valid(
    files: &AuthorityFiles,
    now_secs: u64,
) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let is_valid = |certificate: &CertificateDer<'_>| {
        parse(certificate).is_ok_and(|parsed| is_in_time(&parsed, now_secs))
    };
    Ok(read_previous(files)?.into_iter().filter(|certificate| is_valid(certificate)).collect())
}

fn read_previous(files: &AuthorityFiles) -> Result<Vec<CertificateDer<'static>>, AuthorityError> {
    let Some(found) = files.read(PREVIOUS_FILE)? else { return Ok(Vec::new()) };
    let path = files.path_of(PREVIOUS_FILE);
    read_certificates(&found.bytes)
        .map_err(|problem| AuthorityError::BadCertificate { path, problem })
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

fn is_in_time(certificate: &X509Certificate<'_>, now_secs: u64) -> bool {
    let validity = certificate.validity();
    let now = i64::try_from(now_secs).unwrap_or(i64::MAX);
    (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now)
}
