//! What sslyze finds on the side that the proxy shows its clients.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::installed;
use super::support::run::run;
use super::support::tls::{self, Shown};
use super::support::{Origin, Proxy, Reply, json};

/// What may be negotiated: forward secrecy and authenticated encryption only.
const SUITES: [&str; 6] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

/// Resumption is not among them: sslyze takes a renewed ticket for a refused one. See `handshakes`.
const COMMANDS: [&str; 16] = [
    "--certinfo",
    "--sslv2",
    "--sslv3",
    "--tlsv1",
    "--tlsv1_1",
    "--tlsv1_2",
    "--tlsv1_3",
    "--compression",
    "--fallback",
    "--heartbleed",
    "--openssl_ccs",
    "--robot",
    "--reneg",
    "--early_data",
    "--elliptic_curves",
    "--ems",
];

/// The results of one scan, by command.
fn scan(proxy: &Proxy, dest: &str) -> Value {
    let report = proxy.setup.directory().join("sslyze.json");
    let mut sslyze = Command::new(installed(".venv/bin/python"));
    sslyze.args(["-m", "sslyze", "--quiet", "--mozilla_config", "disable"]).args(COMMANDS);
    sslyze.args(["--https_tunnel", &proxy.url(), "--certinfo_ca_file"]).arg(proxy.ca_path());
    sslyze.arg("--json_out").arg(&report).arg(dest);
    let outcome = run(&mut sslyze).expect_success("sslyze");
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let server = &report["server_scan_results"][0];
    assert_eq!(server["scan_status"], "COMPLETED", "{} {server:#}", outcome.text());
    server["scan_result"].clone()
}

/// The result of a command, which must have come to its end.
fn result<'a>(scan: &'a Value, command: &str) -> &'a Value {
    assert_eq!(scan[command]["status"], "COMPLETED", "{command}: {:#}", scan[command]);
    &scan[command]["result"]
}

fn accepted<'a>(scan: &'a Value, command: &str) -> Vec<&'a str> {
    let suites = result(scan, command)["accepted_cipher_suites"].as_array().expect("a list");
    suites.iter().map(|suite| suite["cipher_suite"]["name"].as_str().unwrap()).collect()
}

#[test]
fn sslyze_finds_nothing_weak_and_a_valid_chain() {
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let proxy = Proxy::start(json!({"workers": 2}));
    let scan = scan(&proxy, &origin.local_dest());
    for version in ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"] {
        let suites = accepted(&scan, &format!("{version}_cipher_suites"));
        assert!(suites.is_empty(), "{version}: {suites:?}");
    }
    for version in ["tls_1_2", "tls_1_3"] {
        let suites = accepted(&scan, &format!("{version}_cipher_suites"));
        assert!(suites.len() >= 2, "{version}: {suites:?}");
        assert!(suites.iter().all(|suite| SUITES.contains(suite)), "{version}: {suites:?}");
    }
    for (command, key, expected) in [
        ("tls_compression", "supports_compression", json!(false)),
        ("tls_1_3_early_data", "supports_early_data", json!(false)),
        ("openssl_ccs_injection", "is_vulnerable_to_ccs_injection", json!(false)),
        ("heartbleed", "is_vulnerable_to_heartbleed", json!(false)),
        ("robot", "robot_result", json!("NOT_VULNERABLE_RSA_NOT_SUPPORTED")),
        ("session_renegotiation", "supports_secure_renegotiation", json!(true)),
        ("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos", json!(false)),
        ("tls_extended_master_secret", "supports_ems_extension", json!(true)),
        ("tls_fallback_scsv", "supports_fallback_scsv", json!(true)),
        ("elliptic_curves", "supports_ecdh_key_exchange", json!(true)),
    ] {
        assert_eq!(result(&scan, command)[key], expected, "{command}");
    }
    assert_valid_chain(result(&scan, "certificate_info"));
}

/// Every worker signs a leaf of its own: each must be valid.
fn assert_valid_chain(info: &Value) {
    let shown = info["certificate_deployments"].as_array().expect("a list");
    assert!(!shown.is_empty());
    for shown in shown {
        assert_eq!(shown["received_chain_has_valid_order"], true);
        assert_eq!(shown["verified_chain_has_sha1_signature"], false);
        let validations = shown["path_validation_results"].as_array().expect("a list");
        let is_ours = |one: &&Value| one["trust_store"]["name"] == "Supplied CA file";
        let ours = validations.iter().find(is_ours).expect("our CA among the trust stores");
        assert_eq!(ours["was_validation_successful"], true, "{}", ours["validation_error"]);
        let leaf = &shown["received_certificate_chain"][0];
        let names = leaf["subject_alternative_name"]["dns_names"].as_array().expect("names");
        assert!(names.contains(&json!("localhost")), "{names:?}");
    }
}
