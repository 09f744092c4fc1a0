//! OpenSSL's own client and Python's ssl, as strict as they get: versions, suites, chain, and sessions taken up
//! again on whichever worker they meet.

use std::process::Command;

use super::support::run::{Outcome, run, run_with_input};
use super::support::tls::{self, Shown};
use super::support::{Origin, Proxy, Reply, json};

fn start() -> (Origin, Proxy) {
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    (origin, Proxy::start(json!({"workers": 2})))
}

/// One request by `openssl s_client` through the proxy, the chain verified.
fn s_client(origin: &Origin, proxy: &Proxy, arguments: &[&str]) -> Outcome {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-ign_eof", "-x509_strict", "-verify_return_error"]);
    openssl.args(["-verify_hostname", "localhost", "-servername", "localhost"]);
    openssl.args(["-connect", &origin.local_dest(), "-proxy", &proxy.address().to_string()]);
    openssl.arg("-CAfile").arg(proxy.ca_path()).args(arguments);
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    run_with_input(&mut openssl, request)
}

fn is_answered(outcome: &Outcome) -> bool {
    outcome.stdout.contains("HTTP/1.1 200 OK")
}

#[test]
fn openssl_finds_a_strictly_valid_chain_in_tls_1_2_and_1_3_only() {
    let (origin, proxy) = start();
    for (version, accepted) in [("-tls1_2", true), ("-tls1_3", true), ("-tls1_1", false)] {
        let outcome = s_client(&origin, &proxy, &[version, "-cipher", "ALL:@SECLEVEL=0"]);
        assert_eq!(is_answered(&outcome), accepted, "{version}: {}", outcome.text());
        if accepted {
            assert!(outcome.text().contains("Verify return code: 0 (ok)"), "{}", outcome.text());
        }
    }
}

#[test]
fn weak_suites_are_not_offered() {
    let (origin, proxy) = start();
    for suites in
        ["AES128-SHA", "AES256-GCM-SHA384", "DHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "NULL"]
    {
        let suites = format!("{suites}:@SECLEVEL=0");
        let outcome = s_client(&origin, &proxy, &["-tls1_2", "-cipher", &suites]);
        assert!(!is_answered(&outcome), "{suites}: {}", outcome.text());
    }
}

#[test]
fn openssl_takes_a_session_up_again_on_either_worker() {
    let (origin, proxy) = start();
    let file = proxy.setup.directory().join("session.pem");
    let file = file.to_str().unwrap();
    let resumed = |arguments: &[&str], kind: &str| {
        let outcome = s_client(&origin, &proxy, arguments);
        assert!(is_answered(&outcome) && outcome.stdout.contains(kind), "{}", outcome.text());
        assert!(outcome.stdout.contains("Verify return code: 0 (ok)"), "{}", outcome.text());
    };
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        resumed(&[version, "-sess_out", file], &format!("New, {name}"));
        // The kernel spreads connections over the workers by their port.
        for _ in 0..8 {
            resumed(&[version, "-sess_in", file], &format!("Reused, {name}"));
        }
    }
}

#[test]
fn python_with_every_strictness_verifies_and_resumes() {
    let (origin, proxy) = start();
    let script = "import socket, ssl, sys\n\
        host, port, dest, ca = sys.argv[1:]\n\
        context = ssl.create_default_context(cafile=ca)\n\
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN\n\
        session = None\n\
        for round in range(9):\n\
        \x20   raw = socket.create_connection((host, int(port)), 30)\n\
        \x20   raw.sendall(f'CONNECT {dest} HTTP/1.1\\r\\nHost: {dest}\\r\\n\\r\\n'.encode())\n\
        \x20   assert raw.recv(4096).startswith(b'HTTP/1.1 200')\n\
        \x20   tls = context.wrap_socket(raw, server_hostname='localhost', session=session)\n\
        \x20   assert tls.session_reused == (round > 0), round\n\
        \x20   tls.sendall(b'GET / HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n')\n\
        \x20   answer = b''.join(iter(lambda: tls.recv(4096), b''))\n\
        \x20   assert answer.endswith(b'hello'), answer\n\
        \x20   session = tls.session\n\
        \x20   version = tls.version()\n\
        \x20   tls.close()\n\
        print(version)\n";
    let mut python = Command::new("python3");
    python.args(["-c", script]).arg(proxy.address().ip().to_string());
    python.arg(proxy.address().port().to_string()).arg(origin.local_dest()).arg(proxy.ca_path());
    let outcome = run(&mut python).expect_success("python");
    assert_eq!(outcome.stdout.trim(), "TLSv1.3");
}
