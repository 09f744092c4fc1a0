//! `run`: real programs, with their traffic inspected and their exit code passed on.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::run::{Outcome, run};
use crate::support::tls::{self, Shown};
use crate::support::{Origin, Proxy, Reply, Setup, json};
use crate::{has, key};

/// `run -- PROGRAM…` with this set-up's monitor.
fn run_program(setup: &Setup, program: &[&str]) -> Outcome {
    run(&mut command(setup, program))
}

fn command(setup: &Setup, program: &[&str]) -> Command {
    setup.command("run", &[&["--"], program].concat())
}

fn findings(setup: &Setup) -> Vec<Value> {
    let text = fs::read_to_string(setup.log_dir().join("threats.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn is_stopped(setup: &Setup) -> bool {
    setup.run("status", &[]).code == Some(3)
}

fn assert_found_over_https(setup: &Setup, origin: &Origin, outcome: &Outcome) {
    assert!(outcome.stdout.contains("hello"), "{}", outcome.text());
    let findings = findings(setup);
    let found = findings.iter().any(|finding| {
        finding["pattern"] == "aws_access_key"
            && finding["protocol"] == "https"
            && finding["dest"] == origin.local_dest()
    });
    assert!(found, "{findings:?}\n{}", outcome.text());
    assert!(outcome.stderr.contains("1 finding"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("aws_access_key"), "{}", outcome.stderr);
    assert!(!outcome.text().contains(&key()), "the key is not said whole");
    assert!(is_stopped(setup), "the monitor ends with the run");
}

#[test]
fn curl_is_inspected_by_a_monitor_that_comes_and_goes() {
    let setup = Setup::new(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let url = format!("https://{}/", origin.local_dest());
    let header = format!("X-Key: {}", key());
    let outcome = run_program(&setup, &["curl", "-sS", "--max-time", "30", "-H", &header, &url]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.text());
    assert_found_over_https(&setup, &origin, &outcome);
}

#[test]
fn python_is_inspected() {
    let setup = Setup::new(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let script = "import sys, urllib.request as u\n\
        print(u.urlopen(u.Request(sys.argv[1], headers={'X-Key': sys.argv[2]}), timeout=30).read())";
    let url = format!("https://{}/", origin.local_dest());
    let outcome = run_program(&setup, &["python3", "-c", script, &url, &key()]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.text());
    assert_found_over_https(&setup, &origin, &outcome);
}

#[test]
fn node_trusts_the_ca() {
    if !has("node") {
        eprintln!("skipped: there is no Node.js here");
        return;
    }
    let setup = Setup::new(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    // Not every Node that is around takes its proxy from the environment: the tunnel is made by hand.
    let script = "const http = require('http'), tls = require('tls');\n\
        const proxy = new URL(process.env.HTTPS_PROXY), [dest, key] = process.argv.slice(1);\n\
        http.request({host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: dest})\n\
        .on('connect', (_, socket) => {\n\
        \x20 const secure = tls.connect({socket, servername: 'localhost'}, () => secure.write(\n\
        \x20   `GET / HTTP/1.1\\r\\nHost: ${dest}\\r\\nX-Key: ${key}\\r\\nConnection: close\\r\\n\\r\\n`));\n\
        \x20 secure.on('data', (data) => process.stdout.write(data));\n\
        }).end();";
    let outcome = run_program(&setup, &["node", "-e", script, &origin.local_dest(), &key()]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.text());
    assert_found_over_https(&setup, &origin, &outcome);
}

#[test]
fn git_is_inspected() {
    let setup = Setup::new(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| {
        Reply::with("404 Not Found", "", "/etc/passwd is no repository")
    });
    let url = format!("https://{}/agent.git", origin.local_dest());
    let outcome = run_program(&setup, &["git", "ls-remote", &url]);
    assert_ne!(outcome.code, Some(0));
    assert!(!outcome.stderr.contains("certificate"), "{}", outcome.stderr);
    assert_eq!(findings(&setup)[0]["pattern"], "unix_sensitive", "{}", outcome.text());
}

#[test]
fn the_programs_environment_is_complete() {
    let setup = Setup::new(json!({}));
    let mut command = command(&setup, &["env"]);
    command.env("ALL_PROXY", "socks5://127.0.0.1:1").env("no_proxy", "a.example,*");
    command.env("HTTPS_PROXY", "http://elsewhere.example:1").env("KEPT", "as it was");
    let outcome = run(&mut command).expect_success("env");
    let value = |name: &str| {
        let prefix = format!("{name}=");
        outcome.stdout.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    };
    let proxy = value("HTTP_PROXY").unwrap();
    assert!(proxy.starts_with("http://127.0.0.1:"), "{proxy}");
    for name in ["HTTPS_PROXY", "http_proxy", "https_proxy"] {
        assert_eq!(value(name), Some(proxy.clone()), "{name}");
    }
    assert_eq!(value("ALL_PROXY"), None);
    assert_eq!(value("no_proxy").as_deref(), Some("a.example"));
    assert_eq!(value("KEPT").as_deref(), Some("as it was"));
    assert_eq!(value("NODE_USE_ENV_PROXY").as_deref(), Some("1"));
    for name in [
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "CARGO_HTTP_CAINFO",
        "AWS_CA_BUNDLE",
        "PIP_CERT",
        "npm_config_cafile",
    ] {
        let file = value(name).unwrap_or_else(|| panic!("{name}"));
        assert!(Path::new(&file).starts_with(setup.log_dir()), "{name}={file}");
        assert!(crate::certificates(Path::new(&file)) >= 1, "{file}");
    }
    let own = setup.log_dir().join("ca.crt").display().to_string();
    assert_eq!(value("NODE_EXTRA_CA_CERTS"), Some(own.clone()));
    assert_eq!(value("DENO_CERT"), Some(own));
    assert!(outcome.stderr.contains("no_proxy spared every host"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no findings"), "{}", outcome.stderr);
}

#[test]
fn a_program_that_does_not_use_the_proxy_is_not_said_to_be_clean() {
    let setup = Setup::new(json!({}));
    let origin = Origin::http(|_| Reply::ok("hello"));
    let url = origin.url("/");
    let curl = ["curl", "-sS", "--max-time", "30", &url];
    let past = run_program(&setup, &[&curl[..], &["--noproxy", "*"]].concat());
    assert_eq!(past.stdout, "hello", "{}", past.text());
    let words = "no findings: nothing went through the proxy";
    assert!(past.stderr.contains(words) && past.stderr.contains("HTTP_PROXY"), "{}", past.stderr);
    assert!(past.stderr.contains("clawsec doctor --config"), "{}", past.stderr);
    let through = run_program(&setup, &curl);
    assert!(through.stderr.contains("no findings in 1 request through"), "{}", through.stderr);
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let url = format!("https://{}/", origin.local_dest());
    let through = run_program(&setup, &["curl", "-sS", "--max-time", "30", &url]);
    assert!(through.stderr.contains("no findings in 1 request through"), "{}", through.stderr);
}

/// Each as its library has it: Node.js ends the connection without a word, in the handshake or right behind it; OpenSSL
/// sends an alert.
#[test]
fn a_program_that_does_not_trust_the_ca_is_not_said_to_be_clean() {
    let setup = Setup::new(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("hello"));
    let dest = origin.local_dest();
    let node = "const http = require('http'), tls = require('tls');\n\
        const proxy = new URL(process.env.HTTPS_PROXY);\n\
        http.request({host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: process.argv[1]})\n\
        .on('connect', (_, socket) => tls.connect({socket, servername: 'localhost'})\n\
        \x20 .on('error', (error) => { console.error(error.code); process.exitCode = 1; })).end();";
    let python = "import os, socket, ssl, sys\n\
        from urllib.parse import urlsplit\n\
        proxy = urlsplit(os.environ['HTTPS_PROXY'])\n\
        tunnel = socket.create_connection((proxy.hostname, proxy.port))\n\
        tunnel.sendall(f'CONNECT {sys.argv[1]} HTTP/1.1\\r\\n\\r\\n'.encode())\n\
        tunnel.recv(1000)\n\
        context = ssl.create_default_context()\n\
        context.wrap_socket(tunnel, server_hostname='localhost')";
    let programs: [(&[&str], &str, &str); 2] = [
        (
            &["env", "-u", "NODE_EXTRA_CA_CERTS", "node", "-e", node, &dest],
            "SELF_SIGNED_CERT_IN_CHAIN",
            "127.0.0.1 ended its tunnel to localhost",
        ),
        (
            &["env", "-u", "SSL_CERT_FILE", "python3", "-c", python, &dest],
            "CERTIFICATE_VERIFY_FAILED",
            "127.0.0.1 does not trust our certificate for localhost",
        ),
    ];
    for (program, error, logged) in programs {
        if program.contains(&"node") && !has("node") {
            eprintln!("skipped: there is no Node.js here");
            continue;
        }
        let outcome = run_program(&setup, program);
        assert_ne!(outcome.code, Some(0), "{}", outcome.text());
        assert!(outcome.stderr.contains(error), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("nothing went through"), "{}", outcome.stderr);
        let told = ["TLS handshake failed", "tunnel ended without a request"]
            .map(|what| outcome.stderr.contains(&format!("clawsec: 1 {what} (localhost): ")));
        assert!(told.contains(&true), "{}", outcome.stderr);
        let log = fs::read_to_string(setup.log_dir().join("clawsec.log")).unwrap();
        assert!(log.contains(logged), "{log}");
        assert!(!outcome.stderr.contains("HTTP_PROXY"), "{}", outcome.stderr);
    }
}

#[test]
fn a_monitor_that_ends_during_the_run_is_no_all_clear() {
    for end in ["-KILL", "-TERM"] {
        let setup = Setup::new(json!({}));
        let pid_file = setup.log_dir().join("monitor.pid").display().to_string();
        // Until the last of its threads has gone: the first may go before the others.
        let script = format!(
            "pid=$(cat {pid_file}); kill {end} $pid; \
             while [ $(ls /proc/$pid/task 2>/dev/null | wc -l) -gt 1 ] \
             || grep -q '^State:.[^Z]' /proc/$pid/status 2>/dev/null; do sleep 0.05; done; exit 7"
        );
        let program = ["sh", "-c", script.as_str()];
        let outcome = run_program(&setup, &program);
        assert_eq!(outcome.code, Some(7), "{end}: {}", outcome.text());
        assert!(outcome.stderr.contains("the monitor ended during the run"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("it is not known what was found"), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("no findings"), "{end}: {}", outcome.stderr);
        let quiet = run(&mut setup.command("run", &[&["--quiet", "--"], &program[..]].concat()));
        assert!(quiet.stderr.contains("was not inspected"), "{end}: {}", quiet.stderr);
        assert_eq!(quiet.stderr.lines().count(), 1, "{end}: {}", quiet.stderr);
    }
}

/// What a variable names for a program that is run with these set, and what is in that file.
fn roots_told(setup: &Setup, name: &str, environment: &[(&str, &Path)]) -> (String, String) {
    let script = format!("printf '%s\\n' \"${name}\"; cat \"${name}\"");
    let mut command = command(setup, &["sh", "-c", &script]);
    command.envs(environment.iter().copied());
    let outcome = run(&mut command).expect_success("run");
    let (path, pem) = outcome.stdout.split_once('\n').unwrap();
    (path.to_owned(), pem.to_owned())
}

fn compact(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_bundle_holds_the_machines_roots_and_ours() {
    let setup = Setup::new(json!({}));
    let roots = setup.directory().join("machine.pem");
    fs::write(&roots, &tls::root().pem).unwrap();
    let (_, bundle) = roots_told(&setup, "SSL_CERT_FILE", &[("SSL_CERT_FILE", &roots)]);
    assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), 2, "{bundle}");
    assert!(compact(&bundle).contains(&compact(&tls::root().pem)));
    let own = fs::read_to_string(setup.log_dir().join("ca.crt")).unwrap();
    assert!(compact(&bundle).starts_with(&compact(&own)), "ours first");
}

/// Programs that reach a host without the proxy lost the roots that they had for it.
#[test]
fn what_the_environment_trusted_goes_on_being_trusted() {
    let setup = Setup::new(json!({}));
    // Some CA that is no root of this machine.
    let other = Setup::new(json!({}));
    run_program(&other, &["true"]).expect_success("run");
    let company = other.log_dir().join("ca.crt");
    let certificate = compact(&fs::read_to_string(&company).unwrap());
    let usual = roots_told(&setup, "SSL_CERT_FILE", &[]);
    assert!(usual.0.ends_with("/ca-bundle.pem"), "{}", usual.0);
    let count = |pem: &str| pem.matches("BEGIN CERTIFICATE").count();
    for name in ["REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "PIP_CERT"] {
        for asked in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            let (path, bundle) = roots_told(&setup, asked, &[(name, &company)]);
            assert_eq!(count(&bundle), count(&usual.1) + 1, "{name} {asked}: {path}");
            assert!(compact(&bundle).contains(&certificate), "{name} {asked}");
            // In a shell that took it over, it is the same again.
            let file = Path::new(&path);
            let again = roots_told(&setup, asked, &[("SSL_CERT_FILE", file), (name, file)]);
            assert_eq!(again, (path, bundle), "{name} {asked}");
        }
    }
    // Nobody else's bundle has them.
    assert_eq!(roots_told(&setup, "SSL_CERT_FILE", &[]), usual);
    let gone = setup.directory().join("gone.pem");
    let mut command = command(&setup, &["true"]);
    let outcome = run(command.env("CURL_CA_BUNDLE", &gone)).expect_success("run");
    assert!(outcome.stderr.contains("gone.pem are left out"), "{}", outcome.stderr);
}

/// Each environment that trusted something else left one for ever. Then a shell that had been told of one by `eval`, which
/// nobody can see, lost it in a month.
#[test]
fn the_bundle_of_an_environment_stays_for_a_year_and_then_among_the_last_64() {
    let setup = Setup::new(json!({}));
    let company = setup.directory().join("company.pem");
    fs::write(&company, &tls::root().pem).unwrap();
    let setup = setup.with(json!({ "upstream_ca_file": null }));
    let told = || {
        let (path, _) = roots_told(&setup, "SSL_CERT_FILE", &[("REQUESTS_CA_BUNDLE", &company)]);
        std::path::PathBuf::from(path)
    };
    let age = |path: &Path, days: u64| {
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 86_400);
        let times = fs::FileTimes::new().set_modified(old).set_accessed(old);
        fs::File::options().append(true).create(true).open(path).unwrap().set_times(times).unwrap();
    };
    let is_kept = |bundle: &Path| {
        run_program(&setup, &["true"]).expect_success("run");
        bundle.exists()
    };
    let bundle = told();
    assert_ne!(bundle.file_name().unwrap(), "ca-bundle.pem");
    age(&bundle, 366);
    assert!(is_kept(&bundle), "it is among the last");
    for number in 0..64 {
        age(&setup.log_dir().join(format!("ca-bundle-{number:016x}.pem")), 31);
    }
    age(&bundle, 360);
    assert!(is_kept(&bundle), "it may be a shell's");
    age(&bundle, 366);
    assert_eq!(told(), bundle, "it is written anew");
    assert!(is_kept(&bundle), "it was used");
    age(&bundle, 366);
    assert!(!is_kept(&bundle));
}

#[test]
fn the_bundle_holds_the_roots_of_upstream_ca_file() {
    let setup = Setup::new(json!({}));
    let company = setup.directory().join("company.pem");
    fs::write(&company, &tls::root().pem).unwrap();
    let setup = setup.with(json!({ "upstream_ca_file": company }));
    let (path, bundle) = roots_told(&setup, "SSL_CERT_FILE", &[]);
    assert!(path.ends_with("/ca-bundle.pem"), "{path}");
    assert!(compact(&bundle).contains(&compact(&tls::root().pem)));
}

#[test]
fn a_monitor_that_runs_is_taken_and_left_running() {
    let mut proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("hello"));
    let url = origin.url("/etc/shadow");
    let outcome = run_program(&proxy.setup, &["curl", "-sS", "--max-time", "30", &url]);
    assert_eq!(outcome.stdout, "hello", "{}", outcome.text());
    assert!(outcome.stderr.contains("1 finding in"), "{}", outcome.stderr);
    assert!(!proxy.has_ended());
    assert_eq!(proxy.get(&origin.url("/still")).status(), 200);
    let quiet = run(&mut proxy.setup.command("run", &["--quiet", "--", "true"]));
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn exit_codes_are_those_of_the_program() {
    let setup = Setup::new(json!({}));
    let folder = setup.directory().display().to_string();
    for (program, code) in [
        (&["sh", "-c", "exit 7"][..], 7),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["/nonexistent/program"], 127),
        (&[folder.as_str()], 126),
    ] {
        let outcome = run_program(&setup, program);
        assert_eq!(outcome.code, Some(code), "{program:?}: {}", outcome.text());
        assert!(is_stopped(&setup), "{program:?}");
    }
    let outcome = run(&mut setup.command("run", &[]));
    assert_eq!(outcome.code, Some(2), "{}", outcome.text());
}

#[test]
fn a_monitor_that_cannot_start_says_why_and_nothing_is_run() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let setup = Setup::new(json!({"proxy_port": port}));
    let marker = setup.directory().join("was-run");
    let outcome = run_program(&setup, &["touch", &marker.display().to_string()]);
    assert_eq!(outcome.code, Some(125), "{}", outcome.text());
    assert!(outcome.stderr.contains(&port.to_string()), "{}", outcome.stderr);
    assert!(!marker.exists());
}

#[test]
fn without_interception_no_roots_are_set() {
    let setup = Setup::new(json!({"enable_mitm": false}));
    let outcome = run_program(&setup, &["env"]).expect_success("env");
    assert!(outcome.stdout.contains("https_proxy=http://127.0.0.1:"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("SSL_CERT_FILE"), "{}", outcome.stdout);
}

#[test]
fn a_wrong_configuration_is_the_runs_own_failure() {
    let setup = Setup::new(json!({"workers": 0}));
    let outcome = setup.run("run", &["--", "true"]);
    assert_eq!(outcome.code, Some(125), "{}", outcome.text());
    assert!(outcome.stderr.contains("workers"), "{}", outcome.stderr);
}
