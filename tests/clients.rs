//! The clients that agents use, through the running binary: each does the same things clear and inside TLS,
//! and each leaves its findings. `make test` installs them.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::run::{Outcome, run, run_with_input};
use support::samples::sample;
use support::tls::{self, Shown};
use support::{Origin, Proxy, Reply, Request, json};

fn answer(request: &Request) -> Reply {
    match request.target() {
        "/hello" if request.method() == "HEAD" => {
            Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        }
        "/hello" => Reply::ok("hello"),
        "/redirect" => Reply::with("302 Found", "Location: /hello\r\n", ""),
        "/echo" => Reply::ok(&request.body),
        "/events" => Reply::chunks(&[b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]),
        "/close" => Reply::raw("HTTP/1.1 200 OK\r\n\r\nuntil the end").then_close(),
        _ => Reply::with("404 Not Found", "", "nothing here"),
    }
}

/// The proxy between a client and two origins that answer alike.
struct Way {
    proxy: Proxy,
    clear: Origin,
    encrypted: Origin,
}

impl Way {
    fn new() -> Way {
        Way {
            proxy: Proxy::start(json!({})),
            clear: Origin::http(answer),
            encrypted: Origin::https(tls::server(Shown::Valid), answer),
        }
    }

    /// The two base URLs, each with what its findings must say: protocol and destination.
    fn bases(&self) -> [(String, &'static str, String); 2] {
        let (clear, encrypted) = (self.clear.local_dest(), self.encrypted.local_dest());
        [
            (format!("http://{clear}"), "http", clear),
            (format!("https://{encrypted}"), "https", encrypted),
        ]
    }

    /// Points a client at the proxy and its CA, as the README says.
    fn equip(&self, client: &mut Command) {
        let (url, ca) = (self.proxy.url(), self.proxy.ca_path());
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            client.env(name, &url);
        }
        for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"]
        {
            client.env(name, &ca);
        }
        for name in ["NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "NODE_OPTIONS"] {
            client.env_remove(name);
        }
    }

    /// Runs a client against both origins, with a text that must be found once each way.
    fn exercise(&self, client: impl Fn() -> Command) {
        let text = format!("note: {} was read", sample("unix_sensitive").text());
        for (base, ..) in self.bases() {
            let mut command = client();
            self.equip(command.arg(&base).arg(&text));
            let outcome = run(&mut command);
            assert_eq!(outcome.code, Some(0), "{base}: {}", outcome.text());
            assert_eq!(outcome.stdout.trim(), "done", "{base}: {}", outcome.text());
        }
        self.assert_found_both_ways();
    }

    fn assert_found_both_ways(&self) {
        let findings = self.proxy.settled_findings();
        for (_, protocol, dest) in self.bases() {
            for direction in ["outbound", "inbound"] {
                let found = findings.iter().filter(|finding| {
                    finding.protocol == protocol
                        && finding.dest == dest
                        && finding.direction == direction
                        && finding.pattern == "unix_sensitive"
                });
                assert_eq!(found.count(), 1, "{protocol} {direction}: {findings:?}");
            }
        }
        assert_eq!(findings.len(), 4, "{findings:?}");
    }

    fn curl(&self, arguments: &[&str]) -> Outcome {
        let mut curl = Command::new("curl");
        self.equip(curl.args(["--silent", "--show-error", "--fail", "--max-time", "170"]));
        run(curl.args(arguments)).expect_success(&format!("curl {arguments:?}"))
    }
}

fn clients_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

/// Fails where something is missing that `make test` installs.
fn installed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: `make test` installs it", path.display());
    path
}

fn python(script: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut python = Command::new(installed(root.join(".venv/bin/python")));
    python.arg(clients_dir().join(script));
    python
}

fn node(script: &str) -> Command {
    installed(clients_dir().join("node_modules/undici"));
    let mut node = Command::new("node");
    node.arg(clients_dir().join(script));
    node
}

#[test]
fn python_requests() {
    Way::new().exercise(|| python("requests_client.py"));
}

#[test]
fn python_httpx() {
    Way::new().exercise(|| python("httpx_client.py"));
}

#[test]
fn python_aiohttp() {
    Way::new().exercise(|| python("aiohttp_client.py"));
}

#[test]
fn python_urllib3() {
    Way::new().exercise(|| python("urllib3_client.py"));
}

#[test]
fn node_fetch() {
    Way::new().exercise(|| node("fetch_client.mjs"));
}

#[test]
fn node_http() {
    Way::new().exercise(|| node("http_client.mjs"));
}

#[test]
fn java_http_client() {
    let modules = Command::new("java").arg("--list-modules").output();
    let can_compile = modules
        .is_ok_and(|modules| String::from_utf8_lossy(&modules.stdout).contains("jdk.compiler"));
    if !can_compile {
        eprintln!("skipped: there is no Java here that runs a source file");
        return;
    }
    let way = Way::new();
    let store = way.proxy.setup.directory().join("trust.p12");
    let import = "-importcert -noprompt -alias clawsec -storetype PKCS12 -storepass changeit";
    let mut keytool = Command::new("keytool");
    keytool.args(import.split(' ')).arg("-file").arg(way.proxy.ca_path());
    run(keytool.arg("-keystore").arg(&store)).expect_success("keytool");
    let text = format!("note: {} was read", sample("unix_sensitive").text());
    for (base, ..) in way.bases() {
        let mut java = Command::new("java");
        java.arg(format!("-Djavax.net.ssl.trustStore={}", store.display()))
            .arg("-Djavax.net.ssl.trustStorePassword=changeit")
            .arg(clients_dir().join("JavaClient.java"))
            .args([&base, &text])
            .arg(way.proxy.address().ip().to_string())
            .arg(way.proxy.address().port().to_string());
        let outcome = run(&mut java).expect_success(&base);
        assert_eq!(outcome.stdout.trim(), "done", "{}", outcome.text());
    }
    way.assert_found_both_ways();
}

#[test]
fn curl_of_every_kind() {
    let way = Way::new();
    let body = way.proxy.setup.directory().join("upload");
    std::fs::write(&body, "0123456789abcde\n".repeat(655_360)).unwrap();
    let upload = format!("@{}", body.display());
    for (base, ..) in way.bases() {
        let at = |path: &str| format!("{base}{path}");
        assert_eq!(way.curl(&[&at("/hello")]).stdout, "hello");
        assert_eq!(way.curl(&["--http1.0", &at("/hello")]).stdout, "hello");
        assert_eq!(way.curl(&["--proxy1.0", &way.proxy.url(), &at("/hello")]).stdout, "hello");
        assert_eq!(way.curl(&["--proxytunnel", &at("/hello")]).stdout, "hello");
        assert_eq!(way.curl(&["--location", &at("/redirect")]).stdout, "hello");
        assert_eq!(way.curl(&["--request", "POST", "--data", "a=b", &at("/echo")]).stdout, "a=b");
        assert_eq!(way.curl(&["--no-buffer", &at("/events")]).stdout.lines().count(), 6);
        assert_eq!(way.curl(&[&at("/close")]).stdout, "until the end");
        assert!(way.curl(&["--head", &at("/hello")]).stdout.contains("Content-Length: 5"));
        for arguments in [
            ["--request", "POST", "--upload-file", &body.display().to_string()],
            ["--header", "Transfer-Encoding: chunked", "--data-binary", &upload],
            ["--header", "Expect: 100-continue", "--data-binary", &upload],
        ] {
            let url = at("/echo");
            let all = [arguments.as_slice(), &["--expect100-timeout", "0.1", &url]].concat();
            assert_eq!(way.curl(&all).stdout.len(), 10 * 1024 * 1024, "{arguments:?}");
        }
        let twice = [at("/hello"), at("/hello")];
        let verbose = way.curl(&["--verbose", &twice[0], &twice[1]]);
        assert_eq!(verbose.stdout, "hellohello");
        assert!(verbose.stderr.contains("Re-using existing"), "{}", verbose.stderr);
    }
    assert!(way.proxy.settled_findings().is_empty());
}

#[test]
fn curl_is_inspected() {
    let way = Way::new();
    let text = sample("unix_sensitive").text();
    for (base, ..) in way.bases() {
        assert_eq!(way.curl(&["--data-binary", &text, &format!("{base}/echo")]).stdout, text);
    }
    way.assert_found_both_ways();
}

#[test]
fn curl_tells_why_an_origin_is_not_reached() {
    let way = Way::new();
    let expired = Origin::https(tls::server(Shown::Expired), answer);
    let mut curl = Command::new("curl");
    way.equip(curl.args(["--silent", "--include", "--max-time", "170"]));
    let shown = run(curl.arg(format!("https://{}/hello", expired.local_dest())));
    assert!(shown.stdout.contains("HTTP/1.1 502"), "{}", shown.text());
    assert!(shown.stdout.contains("expired"), "{}", shown.text());
}

#[test]
fn openssl_finds_a_strictly_valid_chain_in_tls_1_2_and_1_3_only() {
    let way = Way::new();
    for (version, accepted) in [("-tls1_2", true), ("-tls1_3", true), ("-tls1_1", false)] {
        let outcome = s_client(&way, &[version]);
        let answered = outcome.stdout.contains("HTTP/1.1 200 OK");
        assert_eq!(answered, accepted, "{version}: {}", outcome.text());
        if accepted {
            assert!(outcome.text().contains("Verify return code: 0 (ok)"), "{}", outcome.text());
        }
    }
}

#[test]
fn weak_suites_are_not_offered() {
    let way = Way::new();
    for suites in
        ["AES128-SHA", "AES256-GCM-SHA384", "DHE-RSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "NULL"]
    {
        let outcome = s_client(&way, &["-tls1_2", "-cipher", &format!("{suites}:@SECLEVEL=0")]);
        assert!(!outcome.stdout.contains("HTTP/1.1 200 OK"), "{suites}: {}", outcome.text());
    }
}

fn s_client(way: &Way, arguments: &[&str]) -> Outcome {
    let dest = way.encrypted.local_dest();
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-ign_eof", "-x509_strict", "-verify_return_error"]);
    openssl.args(["-verify_hostname", "localhost", "-servername", "localhost"]);
    openssl.args(["-connect", &dest, "-proxy", &way.proxy.address().to_string()]);
    openssl.arg("-CAfile").arg(way.proxy.ca_path()).args(arguments);
    let request = "GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    run_with_input(&mut openssl, request)
}

#[test]
fn a_python_context_with_every_strictness_accepts_the_chain() {
    let way = Way::new();
    let script = "import socket, ssl, sys\n\
        host, port, dest, ca = sys.argv[1:]\n\
        context = ssl.create_default_context(cafile=ca)\n\
        context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN\n\
        raw = socket.create_connection((host, int(port)), 30)\n\
        raw.sendall(f'CONNECT {dest} HTTP/1.1\\r\\nHost: {dest}\\r\\n\\r\\n'.encode())\n\
        assert raw.recv(4096).startswith(b'HTTP/1.1 200')\n\
        with context.wrap_socket(raw, server_hostname='localhost') as tls:\n\
        \x20   print(tls.version())\n";
    let mut python = Command::new("python3");
    python.args(["-c", script]).arg(way.proxy.address().ip().to_string());
    python.arg(way.proxy.address().port().to_string());
    python.arg(way.encrypted.local_dest()).arg(way.proxy.ca_path());
    let outcome = run(&mut python).expect_success("python");
    assert_eq!(outcome.stdout.trim(), "TLSv1.3");
}
