//! The CA rotated and imported: what clients of the old and of the new one believe, what an
//! interruption leaves, and every bound.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;

use super::authority_change::{import, rotate};
use super::authority_files::AuthorityFiles;
use super::authority_overlap::PREVIOUS_FILE;
use super::test_certificates::{Fixture, days, now};
use super::trust_bundle::{Kept, certificate_pem, own_certificates_of, write_trust_files};
use super::trust_leftovers::renew_others;
use super::{Authority, AuthorityError, AuthorityWarning, LeafName};
use crate::limits::CA_CHAIN_MAX;

fn made() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    Authority::load_or_create(directory.path(), now()).unwrap();
    directory
}

fn own(directory: &Path) -> CertificateDer<'static> {
    own_certificates_of(directory).unwrap().remove(0)
}

/// Whether a client that trusts this root alone believes a leaf of the authority.
fn believes(root: &CertificateDer<'static>, directory: &Path, at: SystemTime) -> bool {
    let authority = Authority::load(directory, at).unwrap();
    let leaf = authority.issue(&LeafName::parse("a.example").unwrap(), at).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider);
    let at = UnixTime::since_unix_epoch(at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
    let name = ServerName::try_from("a.example").unwrap();
    let chain = &leaf.certified_key.cert;
    let verifier = verifier.build().unwrap();
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], at).is_ok()
}

fn served(directory: &Path, at: SystemTime) -> usize {
    let authority = Authority::load(directory, at).unwrap();
    let leaf = authority.issue(&LeafName::parse("a.example").unwrap(), at).unwrap();
    leaf.certified_key.cert.len()
}

#[test]
fn the_old_ca_vouches_for_the_new_one_until_the_overlap_ends() {
    let directory = made();
    let old = own(directory.path());
    let changed = rotate(directory.path(), 30, now()).unwrap();
    let new = own(directory.path());
    assert_ne!(old, new);
    assert_eq!(changed.overlap_until, Some(OffsetDateTime::from(now() + days(30))));
    for (at, old_believes) in [(now(), true), (now() + days(30), true), (now() + days(31), false)] {
        assert_eq!(believes(&old, directory.path(), at), old_believes);
        assert!(believes(&new, directory.path(), at));
    }
    assert!(Authority::load(directory.path(), now()).unwrap().warnings().is_empty());
}

#[test]
fn rotations_within_an_overlap_make_a_chain_of_bridges() {
    let directory = made();
    let mut roots = vec![own(directory.path())];
    for _ in 0..3 {
        rotate(directory.path(), 30, now()).unwrap();
        roots.push(own(directory.path()));
    }
    for root in &roots {
        assert!(believes(root, directory.path(), now()));
    }
    assert_eq!(served(directory.path(), now()), 4, "the leaf and three bridges");
}

#[test]
fn the_file_of_previous_cas_is_bounded() {
    let directory = made();
    for _ in 0..CA_CHAIN_MAX {
        rotate(directory.path(), 30, now()).unwrap();
    }
    let file = std::fs::read(directory.path().join(PREVIOUS_FILE)).unwrap();
    assert_eq!(CertificateDer::pem_slice_iter(&file).count(), CA_CHAIN_MAX);
    assert!(Authority::load(directory.path(), now()).unwrap().warnings().is_empty());
    let one_more = certificate_pem(&own(directory.path()));
    std::fs::write(directory.path().join(PREVIOUS_FILE), [file, one_more.into_bytes()].concat())
        .unwrap();
    let authority = Authority::load(directory.path(), now()).unwrap();
    let [AuthorityWarning::OverlapUnusable { problem }] = authority.warnings() else {
        panic!("{:?}", authority.warnings());
    };
    assert!(problem.contains("more certificates than any chain"), "{problem}");
    assert!(believes(&own(directory.path()), directory.path(), now()), "it works all the same");
}

#[test]
fn an_overlap_never_outlives_the_old_ca_and_an_expired_one_has_none() {
    let directory = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let ends = now() + days(3);
    let fixture = Fixture { not_after: ends, ..Fixture::default() };
    fixture.write(directory.path(), &key, &key.serialize_pem());
    let changed = rotate(directory.path(), 30, now()).unwrap();
    assert_eq!(changed.overlap_until, Some(OffsetDateTime::from(ends)));

    let directory = tempfile::tempdir().unwrap();
    fixture.write(directory.path(), &key, &key.serialize_pem());
    let changed = rotate(directory.path(), 30, now() + days(4)).unwrap();
    assert_eq!(changed.overlap_until, None);
    assert!(believes(&own(directory.path()), directory.path(), now() + days(4)));
}

#[test]
fn the_ca_of_the_original_without_a_key_identifier_is_rotated() {
    let directory = tempfile::tempdir().unwrap();
    let key = super::test_certificates::rsa_key();
    Fixture::default().write(directory.path(), &key, &super::test_certificates::pkcs1_pem(&key));
    let old = own(directory.path());
    rotate(directory.path(), 30, now()).unwrap();
    assert!(believes(&old, directory.path(), now()));
    let authority = Authority::load(directory.path(), now()).unwrap();
    assert!(authority.warnings().is_empty(), "the new one has an identifier");
}

#[test]
fn an_interrupted_change_leaves_something_that_starts() {
    let directory = made();
    let old_key = std::fs::read(directory.path().join("ca.key")).unwrap();
    rotate(directory.path(), 30, now()).unwrap();
    // After ca.crt was taken away, before and after ca.key was replaced.
    std::fs::remove_file(directory.path().join("ca.crt")).unwrap();
    Authority::load_or_create(directory.path(), now()).unwrap();
    assert!(believes(&own(directory.path()), directory.path(), now()));
    std::fs::remove_file(directory.path().join("ca.crt")).unwrap();
    std::fs::write(directory.path().join("ca.key"), old_key).unwrap();
    Authority::load_or_create(directory.path(), now()).unwrap();
    assert!(believes(&own(directory.path()), directory.path(), now()));
}

#[test]
fn two_changes_at_once_and_a_change_of_nothing_are_refused() {
    let directory = made();
    let files = AuthorityFiles::open(directory.path()).unwrap();
    let lock = files.lock().unwrap();
    let error = rotate(directory.path(), 30, now()).unwrap_err();
    assert!(matches!(error, AuthorityError::Busy { .. }), "{error}");
    drop(lock);
    rotate(directory.path(), 30, now()).unwrap();
    let empty = tempfile::tempdir().unwrap();
    let error = rotate(empty.path(), 30, now()).unwrap_err();
    assert!(matches!(error, AuthorityError::Absent { .. }), "{error}");
}

/// A chain of authorities, the one that signs leaves first, the root last.
fn chain(
    length: usize,
    first_constraint: BasicConstraints,
) -> (Vec<CertificateDer<'static>>, KeyPair) {
    let authority = |name: String, constraint| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(constraint);
        params.not_before = OffsetDateTime::from(now() - days(1));
        params.not_after = OffsetDateTime::from(now() + days(900));
        params
    };
    let mut key = KeyPair::generate().unwrap();
    let mut params = authority("level 0".to_owned(), BasicConstraints::Unconstrained);
    let mut certificates = vec![params.self_signed(&key).unwrap().der().clone()];
    for level in 1..length {
        let is_first = level + 1 == length;
        let constraint = if is_first { first_constraint } else { BasicConstraints::Unconstrained };
        let issuer = Issuer::new(params, key);
        key = KeyPair::generate().unwrap();
        params = authority(format!("level {level}"), constraint);
        certificates.insert(0, params.signed_by(&key, &issuer).unwrap().der().clone());
    }
    (certificates, key)
}

fn import_chain(
    directory: &Path,
    certificates: &[CertificateDer<'static>],
    key: &KeyPair,
) -> Result<(), AuthorityError> {
    let (cert_file, key_file) = (directory.join("chain.pem"), directory.join("chain.key"));
    let pem: String = certificates.iter().map(certificate_pem).collect();
    std::fs::write(&cert_file, pem).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    import(directory, &cert_file, &key_file, now()).map(drop)
}

#[test]
fn an_imported_chain_is_served_up_to_its_bound() {
    let directory = tempfile::tempdir().unwrap();
    let (certificates, key) = chain(CA_CHAIN_MAX, BasicConstraints::Unconstrained);
    import_chain(directory.path(), &certificates, &key).unwrap();
    assert_eq!(served(directory.path(), now()), CA_CHAIN_MAX + 1);
    let (certificates, key) = chain(CA_CHAIN_MAX + 1, BasicConstraints::Unconstrained);
    let error = import_chain(directory.path(), &certificates, &key).unwrap_err();
    assert!(error.to_string().contains("more certificates than any chain"), "{error}");
    let (certificates, key) = chain(3, BasicConstraints::Unconstrained);
    import_chain(directory.path(), &certificates, &key).unwrap();
    assert!(believes(&certificates[2], directory.path(), now()), "by the root alone");
    import_chain(directory.path(), &[certificates[0].clone(), certificates[2].clone()], &key)
        .unwrap_err();
}

/// What the CA itself says, before it is signed by a root where there is one.
fn single(change: impl FnOnce(&mut CertificateParams)) -> (CertificateDer<'static>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = OffsetDateTime::from(now() - days(1));
    params.not_after = OffsetDateTime::from(now() + days(900));
    change(&mut params);
    (params.self_signed(&key).unwrap().der().clone(), key)
}

/// The pair as it lies there, by whatever way it came.
fn lie_in(directory: &Path, certificates: &[CertificateDer<'static>], key: &KeyPair) {
    super::test_certificates::write_private(&directory.join("ca.key"), &key.serialize_pem());
    let pem: String = certificates.iter().map(certificate_pem).collect();
    std::fs::write(directory.join("ca.crt"), pem).unwrap();
}

#[test]
fn a_ca_whose_leaves_no_client_takes_is_not_imported_and_one_that_is_there_is_warned_of() {
    let (not_for_servers, not_for_servers_key) = single(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    let (nameless, nameless_key) =
        single(|params| params.distinguished_name = DistinguishedName::new());
    // A root that allows one CA below it, and has three.
    let named = |name: &str, constraint| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(constraint);
        params.not_before = OffsetDateTime::from(now() - days(1));
        params.not_after = OffsetDateTime::from(now() + days(900));
        (params, KeyPair::generate().unwrap())
    };
    let (root, root_key) = named("root", BasicConstraints::Constrained(1));
    let (middle, middle_key) = named("middle", BasicConstraints::Unconstrained);
    let (lower, lower_key) = named("lower", BasicConstraints::Unconstrained);
    let (lowest, too_long_key) = named("lowest", BasicConstraints::Unconstrained);
    let root_der = root.self_signed(&root_key).unwrap().der().clone();
    let by_root = Issuer::new(root, root_key);
    let middle_der = middle.signed_by(&middle_key, &by_root).unwrap().der().clone();
    let by_middle = Issuer::new(middle, middle_key);
    let lower_der = lower.signed_by(&lower_key, &by_middle).unwrap().der().clone();
    let by_lower = Issuer::new(lower, lower_key);
    let lowest_der = lowest.signed_by(&too_long_key, &by_lower).unwrap().der().clone();
    let too_long = vec![lowest_der, lower_der, middle_der, root_der];
    let cases = [
        (vec![not_for_servers], not_for_servers_key, "lacks serverAuth"),
        (vec![nameless], nameless_key, "without a subject name"),
        (too_long, too_long_key, "pathlen"),
    ];
    for (certificates, key, words) in cases {
        let directory = tempfile::tempdir().unwrap();
        let error = import_chain(directory.path(), &certificates, &key).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(error.to_string().contains("chain.pem"), "{error}");
        assert!(!directory.path().join("ca.crt").exists(), "{words}");
        lie_in(directory.path(), &certificates, &key);
        let authority = Authority::load(directory.path(), now()).unwrap();
        let told = |warning: &AuthorityWarning| matches!(warning, AuthorityWarning::Refused { problem, .. } if problem.contains(words));
        assert!(authority.warnings().iter().any(told), "{words}: {:?}", authority.warnings());
    }
}

#[test]
fn a_ca_for_servers_or_for_anything_is_imported() {
    for usages in [
        vec![],
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
        vec![ExtendedKeyUsagePurpose::Any],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = single(|params| params.extended_key_usages = usages);
        import_chain(directory.path(), &[certificate], &key).unwrap();
        assert!(Authority::load(directory.path(), now()).unwrap().warnings().is_empty());
    }
    // As many below it as the root allows.
    let (mut certificates, key) = chain(3, BasicConstraints::Constrained(0));
    let directory = tempfile::tempdir().unwrap();
    import_chain(directory.path(), &certificates, &key).unwrap();
    certificates.truncate(1);
    import_chain(directory.path(), &certificates, &key).unwrap();
}

#[test]
fn a_ca_that_does_not_say_what_its_key_is_for_is_warned_of() {
    let (certificate, key) = single(|params| params.key_usages = Vec::new());
    let directory = tempfile::tempdir().unwrap();
    import_chain(directory.path(), &[certificate], &key).unwrap();
    let authority = Authority::load(directory.path(), now()).unwrap();
    let path = directory.path().join("ca.crt");
    assert_eq!(authority.warnings(), [AuthorityWarning::NoKeyUsage { path }]);
    let words = authority.warnings()[0].to_string();
    assert!(words.contains("Python 3.13") && words.contains("ca rotate"), "{words}");
}

#[test]
fn a_key_of_any_form_is_imported_as_it_is() {
    use super::test_certificates::{pkcs1_pem, rsa_key, sec1_pem};
    let (rsa, ec) = (rsa_key(), KeyPair::generate().unwrap());
    let forms = [
        (&rsa, pkcs1_pem(&rsa)),
        (&rsa, rsa.serialize_pem()),
        (&ec, sec1_pem(&ec)),
        (&ec, ec.serialize_pem()),
    ];
    for (key, key_pem) in forms {
        let directory = tempfile::tempdir().unwrap();
        let (cert_file, key_file) =
            (directory.path().join("own.pem"), directory.path().join("own.key"));
        std::fs::write(&cert_file, Fixture::default().certificate_pem(key)).unwrap();
        std::fs::write(&key_file, &key_pem).unwrap();
        import(directory.path(), &cert_file, &key_file, now()).unwrap();
        let written = std::fs::read_to_string(directory.path().join("ca.key")).unwrap();
        assert_eq!(written, key_pem.replace("\r\n", "\n"));
        assert!(believes(&own(directory.path()), directory.path(), now()));
    }
}

#[test]
fn what_is_wrong_with_an_import_names_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let (cert_file, key_file) =
        (directory.path().join("own.pem"), directory.path().join("own.key"));
    let key = KeyPair::generate().unwrap();
    std::fs::write(&cert_file, Fixture::default().certificate_pem(&key)).unwrap();
    std::fs::write(&key_file, super::test_certificates::pem("RSA PRIVATE KEY", &[7; 40])).unwrap();
    let error = import(directory.path(), &cert_file, &key_file, now()).unwrap_err().to_string();
    assert!(error.starts_with(&key_file.display().to_string()), "{error}");
    // What only the trial finds.
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "one");
    let one = params.self_signed(&key).unwrap();
    let error =
        Authority::from_memory(&[one.der().clone()], "no key", (&cert_file, &key_file), now());
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with(&key_file.display().to_string()), "{error}");
}

#[test]
fn a_ca_that_may_certify_no_other_is_rotated_without_overlap() {
    let directory = tempfile::tempdir().unwrap();
    let (certificates, key) = chain(2, BasicConstraints::Constrained(0));
    import_chain(directory.path(), &certificates, &key).unwrap();
    let changed = rotate(directory.path(), 30, now()).unwrap();
    assert_eq!(changed.overlap_until, None);
    let (certificates, key) = chain(2, BasicConstraints::Constrained(1));
    import_chain(directory.path(), &certificates, &key).unwrap();
    assert!(rotate(directory.path(), 30, now()).unwrap().overlap_until.is_some());
    assert!(believes(&certificates[1], directory.path(), now()), "bridge, intermediate, root");
}

#[test]
fn the_bundle_has_the_present_and_the_previous_roots_once_each() {
    let directory = made();
    let old = own(directory.path());
    let files = write_trust_files(directory.path(), now(), &Kept::default()).unwrap();
    assert!(files.addition.ends_with("ca.crt"));
    rotate(directory.path(), 30, now()).unwrap();
    let files = write_trust_files(directory.path(), now(), &Kept::default()).unwrap();
    assert_eq!(files.addition, files.whole);
    let bundle = std::fs::read(&files.whole).unwrap();
    let bundle: Vec<CertificateDer<'_>> =
        CertificateDer::pem_slice_iter(&bundle).map(Result::unwrap).collect();
    for wanted in [&own(directory.path()), &old] {
        assert_eq!(bundle.iter().filter(|found| *found == wanted).count(), 1);
    }
}

/// An environment that trusts roots of its own kept the CA before in its bundle, until it asked again.
#[test]
fn a_change_of_the_ca_reaches_the_bundles_of_all_environments() {
    let (directory, company) = (made(), made());
    let (old, other) = (own(directory.path()), own(company.path()));
    let replaced = [company.path().join("ca.crt")];
    let kept = Kept { upstream: None, replaced: &replaced };
    let bundle = write_trust_files(directory.path(), now(), &kept).unwrap().whole;
    assert!(!bundle.ends_with("ca-bundle.pem"), "{}", bundle.display());
    let none_of_ours = directory.path().join("ca-bundle-0123456789abcdef.pem");
    std::fs::write(&none_of_ours, "somebody's").unwrap();
    let counted = |wanted: &CertificateDer<'_>| {
        let pem = std::fs::read(&bundle).unwrap();
        let found = CertificateDer::pem_slice_iter(&pem).map(Result::unwrap);
        found.filter(|found| found == wanted).count()
    };
    for (overlap_days, olds) in [(30, 1), (0, 0)] {
        rotate(directory.path(), overlap_days, now()).unwrap();
        renew_others(directory.path(), now(), None).unwrap();
        let counts = [&own(directory.path()), &old, &other].map(counted);
        assert_eq!(counts, [1, olds, 1], "{overlap_days} days of overlap");
    }
    assert_eq!(std::fs::read(&none_of_ours).unwrap(), b"somebody's");
}
