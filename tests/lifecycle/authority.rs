//! The local CA: made once, kept for ever, its faults told and never healed by a silent new one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::run::run;
use crate::support::tls::{self, Shown};
use crate::support::{Origin, Proxy, Reply, Setup, json};

fn fetch_inside_tls(proxy: &Proxy) {
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("inside"));
    let mut client = proxy.https(&origin.local_dest());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.receive_response().text(), "inside");
}

fn openssl(arguments: &[&str], directory: &Path) {
    run(Command::new("openssl").args(arguments).current_dir(directory)).expect_success("openssl");
}

/// What the original made: RSA-2048, PKCS#1 PEM, no subject key identifier.
fn make_original_authority(directory: &Path) {
    let extensions = "[req]\ndistinguished_name = name\nx509_extensions = ca\nprompt = no\n\
                      [name]\nCN = ClawSec Monitor CA\nO = ClawSec\n\
                      [ca]\nbasicConstraints = critical,CA:TRUE\nsubjectKeyIdentifier = none\n\
                      keyUsage = critical,digitalSignature,keyCertSign,cRLSign\n";
    fs::write(directory.join("ca.cnf"), extensions).unwrap();
    let request = "req -x509 -newkey rsa:2048 -nodes -days 3650 -sha256 -config ca.cnf \
                   -keyout pkcs8.key -out ca.crt";
    openssl(&request.split_whitespace().collect::<Vec<_>>(), directory);
    openssl(&["rsa", "-in", "pkcs8.key", "-traditional", "-out", "ca.key"], directory);
    let key = fs::read_to_string(directory.join("ca.key")).unwrap();
    assert!(key.starts_with(concat!("-----BEGIN ", "RSA PRIVATE KEY-----")));
}

#[test]
fn a_restart_keeps_the_authority() {
    let proxy = Proxy::start(json!({}));
    fetch_inside_tls(&proxy);
    let read = |name: &str| fs::read(proxy.log_dir().join(name)).unwrap();
    let before = (read("ca.crt"), read("ca.key"));
    let log_dir = proxy.log_dir().to_owned();
    let proxy = proxy.stop().start();
    let after =
        (fs::read(log_dir.join("ca.crt")).unwrap(), fs::read(log_dir.join("ca.key")).unwrap());
    assert!(before == after, "the files are the same");
    fetch_inside_tls(&proxy);
}

#[test]
fn the_rsa_authority_of_the_original_is_used() {
    let setup = Setup::new(json!({}));
    make_original_authority(setup.log_dir());
    let certificate = fs::read(setup.log_dir().join("ca.crt")).unwrap();
    let proxy = setup.start();
    fetch_inside_tls(&proxy);
    assert_eq!(fs::read(proxy.ca_path()).unwrap(), certificate);
}

/// A set-up whose CA was made by an earlier start.
fn setup_with_authority() -> Setup {
    Proxy::start(json!({})).stop()
}

/// The base64 of a key file, a line of it.
fn key_line(path: &Path) -> String {
    fs::read_to_string(path).unwrap().lines().nth(1).unwrap().to_owned()
}

#[test]
fn a_key_that_does_not_match_or_cannot_be_read_is_an_error() {
    let other = setup_with_authority();
    let other_key = fs::read_to_string(other.log_dir().join("ca.key")).unwrap();
    let cut_key = other_key[..other_key.len() / 2].to_owned();
    for key in [&other_key, &cut_key, "garbage\n", ""] {
        let setup = setup_with_authority();
        let certificate = fs::read(setup.log_dir().join("ca.crt")).unwrap();
        fs::write(setup.log_dir().join("ca.key"), key).unwrap();
        let refused = setup.start_refused();
        assert_eq!(refused.code, Some(1), "{}", refused.text());
        assert!(refused.stderr.contains("ca.key"), "{}", refused.stderr);
        let secret = key_line(&other.log_dir().join("ca.key"));
        assert!(!refused.text().contains(&secret[..20]), "the error shows key material");
        assert_eq!(fs::read(setup.log_dir().join("ca.crt")).unwrap(), certificate);
        assert_eq!(fs::read_to_string(setup.log_dir().join("ca.key")).unwrap(), key);
    }
}

#[test]
fn a_certificate_without_its_key_is_an_error() {
    let setup = setup_with_authority();
    let certificate = fs::read(setup.log_dir().join("ca.crt")).unwrap();
    fs::remove_file(setup.log_dir().join("ca.key")).unwrap();
    let refused = setup.start_refused();
    assert_eq!(refused.code, Some(1), "{}", refused.text());
    assert!(refused.stderr.contains("ca.key"), "{}", refused.stderr);
    assert_eq!(fs::read(setup.log_dir().join("ca.crt")).unwrap(), certificate);
}

#[test]
fn a_certificate_that_is_none_is_an_error() {
    let setup = setup_with_authority();
    fs::write(setup.log_dir().join("ca.crt"), "garbage\n").unwrap();
    let refused = setup.start_refused();
    assert_eq!(refused.code, Some(1), "{}", refused.text());
    assert!(refused.stderr.contains("ca.crt"), "{}", refused.stderr);
}

#[test]
fn a_leaf_has_what_strict_clients_ask_for() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("inside"));
    for (dest, name) in
        [(origin.local_dest(), "DNS:localhost"), (origin.dest(), "IP Address:127.0.0.1")]
    {
        let client = proxy.https(&dest);
        let chain = client.tls_session().peer_certificates().unwrap();
        let path = proxy.setup.directory().join("leaf.der");
        fs::write(&path, &chain[0]).unwrap();
        let show = "x509 -inform DER -noout -text -in".split(' ').map(str::to_owned);
        let show = run(Command::new("openssl").args(show).arg(&path)).expect_success("x509");
        for part in [name, "CA:FALSE", "TLS Web Server Authentication", "Authority Key Identifier"]
        {
            assert!(show.stdout.contains(part), "{part}: {}", show.stdout);
        }
        let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
        let days = leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp();
        assert!(days < 200 * 86_400, "valid for under 200 days in all");
        assert!(leaf.raw_serial()[0] & 0x80 == 0, "a positive serial");
    }
}

#[test]
fn leaves_of_different_hosts_have_different_serials() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("inside"));
    let serial = |dest: &str| {
        let client = proxy.https(dest);
        let chain = client.tls_session().peer_certificates().unwrap();
        let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
        leaf.raw_serial().to_vec()
    };
    assert_ne!(serial(&origin.local_dest()), serial(&origin.dest()));
}
