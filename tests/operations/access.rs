//! Who may use the proxy: credentials, addresses, and that neither logs, findings nor origins learn a secret.

use crate::hash_of;
use crate::support::samples::sample;
use crate::support::{Finding, Origin, Proxy, Reply, Setup, json, run, tls, wait_until};

const SECRET: &str = "an-invented-secret";

/// `coder:an-invented-secret`, and the same with another secret.
const GOOD: &str = "Y29kZXI6YW4taW52ZW50ZWQtc2VjcmV0";
const BAD: &str = "Y29kZXI6YW5vdGhlci1zZWNyZXQ=";

fn guarded() -> Proxy {
    let users = json!({"coder": hash_of(SECRET), "tester": hash_of("tester's-invented-one")});
    Proxy::start(json!({"proxy_auth": users, "admin_addr": "127.0.0.1:0"}))
}

fn get(proxy: &Proxy, url: &str, credentials: &str) -> crate::support::Response {
    proxy.exchange(format!(
        "GET {url} HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"
    ))
}

#[test]
fn without_good_credentials_there_is_407_and_nothing_goes_out() {
    let origin = Origin::http(|_| Reply::ok("answer"));
    let proxy = guarded();
    let url = origin.url("/etc/shadow");
    for answer in
        [proxy.get(&url), get(&proxy, &url, BAD), get(&proxy, &url, BAD), get(&proxy, &url, "?")]
    {
        assert_eq!(answer.status(), 407);
        let challenge = answer.header("proxy-authenticate");
        assert_eq!(challenge, Some("Basic realm=\"ClawSec\", charset=\"UTF-8\""));
    }
    let (_, answer) = proxy.request_tunnel(&origin.dest());
    assert_eq!(answer.status(), 407);
    assert_eq!(origin.connections(), 0);
    let answer = get(&proxy, &origin.url("/etc/passwd"), GOOD);
    assert_eq!((answer.status(), answer.text().as_str()), (200, "answer"));
    let found = proxy.wait_for_finding(|finding| finding.pattern == "unix_sensitive");
    assert!(found.snippet.contains("passwd"), "refused requests are not looked at: {found:?}");
    assert_eq!(proxy.findings().len(), 1);
    let metrics = proxy.admin("/metrics").text();
    assert!(metrics.contains("clawsec_requests_unauthorized_total{core=\"0\"} 5"), "{metrics}");
}

#[test]
fn the_user_is_the_agent_of_findings_also_inside_a_tunnel() {
    let origin = Origin::https(tls::server(tls::Shown::Valid), |_| Reply::ok("answer"));
    let proxy = guarded();
    let dest = origin.local_dest();
    let mut client = proxy.connect();
    client.send(format!(
        "CONNECT {dest} HTTP/1.1\r\nHost: {dest}\r\nProxy-Authorization: Basic {GOOD}\r\n\r\n"
    ));
    assert_eq!(client.receive_response_to("CONNECT").status(), 200);
    let mut client = client.tls_client("localhost", tls::client(&proxy.ca_path())).unwrap();
    let text = sample("unix_sensitive").text();
    client.send(format!("GET {text} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_eq!(client.receive_response().status(), 200);
    let found = proxy.wait_for_finding(|finding| finding.protocol == "https");
    assert_eq!(found.agent.as_deref(), Some("coder"));
    let line = proxy.threats_text();
    assert!(line.contains("+00:00\", \"agent\": \"coder\", \""), "{line}");
    let of =
        |agent: &str| proxy.setup.run("threats", &["--agent", agent, "--format", "jsonl"]).stdout;
    assert_eq!((of("cod*").lines().count(), of("tester").lines().count()), (1, 0));
    assert_eq!(proxy.admin("/threats?agent=coder").json().as_array().unwrap().len(), 1);
}

/// What stands behind the head would be taken for the next answer's beginning.
#[test]
fn a_head_that_is_refused_is_answered_without_a_body() {
    let proxy = guarded();
    for (request, status) in [
        ("HEAD http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 407),
        ("\r\nHEAD http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 407),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ] {
        let mut client = proxy.connect();
        client.send(request);
        let answer = client.receive_head();
        assert!(answer.start.contains(&format!(" {status} ")), "{request}: {}", answer.start);
        assert_ne!(answer.header("content-length"), Some("0"), "{request}");
        assert_eq!(client.receive_to_end().0, b"", "{request}");
    }
}

/// Whoever says what is no request, or has no credentials, held its place for 30 s and 256 MiB.
#[test]
fn who_is_not_let_in_does_not_hold_a_place_by_sending_on() {
    let proxy = guarded();
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 407),
    ] {
        let answered = || {
            let mut client = proxy.connect();
            client.send(request);
            assert_eq!(client.receive_response().status(), status, "{request}");
            client
        };
        let mut client = answered();
        let (began, mut sent) = (std::time::Instant::now(), 0);
        while client.try_send("x").is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let took = began.elapsed().as_secs();
        assert!(took < 20, "{request}: {took} s, as if its body were under way");
        let mut client = answered();
        let piece = [b'x'; 64 * 1024];
        while client.try_send(piece).is_ok() {
            sent += piece.len();
        }
        assert!(sent < 64 << 20, "{request}: {sent} bytes, and 1 MiB is read away");
    }
}

/// As Python's libraries do.
#[test]
fn a_client_without_credentials_that_sends_all_of_its_body_before_it_reads_has_its_407() {
    let proxy = guarded();
    let script = "import http.client, sys\n\
        for body in (b'x' * (32 << 20), (b'x' * (1 << 20) for _ in range(32))):\n\
        \x20 client = http.client.HTTPConnection(sys.argv[1])\n\
        \x20 client.request('POST', 'http://a.example/', body=body)\n\
        \x20 print(client.getresponse().status)";
    let mut client = std::process::Command::new("python3");
    let outcome = run::run(client.args(["-c", script, &proxy.address().to_string()]));
    assert_eq!(outcome.stdout, "407\n407\n", "{}", outcome.text());
}

/// It was cut off behind 2 s of silence, or 10 s.
#[test]
fn a_client_without_credentials_that_sends_its_body_slowly_has_its_407() {
    let proxy = guarded();
    let script = "import http.client, sys, time\n\
        def pieces():\n\
        \x20 for pause in (3, 3, 3, 3, 0):\n\
        \x20   yield b'x' * (2 << 20)\n\
        \x20   time.sleep(pause)\n\
        client = http.client.HTTPConnection(sys.argv[1])\n\
        client.request('POST', 'http://a.example/', body=pieces())\n\
        print(client.getresponse().status)";
    let mut client = std::process::Command::new("python3");
    let outcome = run::run(client.args(["-c", script, &proxy.address().to_string()]));
    assert_eq!(outcome.stdout, "407\n", "{}", outcome.text());
}

#[test]
fn without_proxy_auth_there_is_no_agent() {
    let origin = Origin::http(|_| Reply::ok(""));
    let proxy = Proxy::start(json!({}));
    crate::cause_finding(&proxy, &origin);
    assert!(!proxy.threats_text().contains("agent"));
}

#[test]
fn credentials_reach_neither_origin_nor_log_nor_finding() {
    let origin = Origin::http(|_| Reply::ok(""));
    for proxy in [guarded(), Proxy::start(json!({}))] {
        // Side by side with something that is found, within the reach of its snippet.
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: a\r\nA: /etc/passwd\r\nProxy-Authorization: Basic {GOOD}\r\n\
             B: /srv/app/.env\r\n\r\n",
            origin.url("/")
        );
        assert_eq!(proxy.exchange(request).status(), 200);
        let has = |pattern: &'static str| {
            move |finding: &Finding| finding.pattern == pattern && finding.direction == "outbound"
        };
        proxy.wait_for_finding(has("unix_sensitive"));
        proxy.wait_for_finding(has("dotenv_file"));
        for (place, text) in [("threats.jsonl", proxy.threats_text()), ("the log", proxy.log())] {
            for secret in [GOOD, &GOOD[4..20], SECRET] {
                assert!(!text.contains(secret), "{place}: {text}");
            }
        }
        let received = String::from_utf8_lossy(&origin.received()).to_lowercase();
        assert!(!received.contains("proxy-authorization") && received.contains("/srv/app/.env"));
    }
}

#[test]
fn many_requests_with_the_same_credentials_cost_one_slow_hash() {
    let origin = Origin::http(|_| Reply::ok(""));
    let proxy = guarded();
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", proxy.pid())).unwrap();
        let fields: Vec<u64> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .filter_map(|f| f.parse().ok())
            .collect();
        fields[10] + fields[11]
    };
    assert_eq!(get(&proxy, &origin.url("/"), GOOD).status(), 200);
    assert_eq!(get(&proxy, &origin.url("/"), BAD).status(), 407);
    let before = ticks();
    for _ in 0..100 {
        assert_eq!(get(&proxy, &origin.url("/"), GOOD).status(), 200);
        assert_eq!(get(&proxy, &origin.url("/"), BAD).status(), 407);
    }
    // One hash takes 2 ticks (20 ms) and more, of an unoptimised build far more: 200 would take 400.
    let spent = ticks() - before;
    assert!(spent < 200, "{spent} ticks");
}

#[test]
fn clients_that_are_not_allowed_are_closed_at_once() {
    let origin = Origin::http(|_| Reply::ok(""));
    let proxy =
        Proxy::start(json!({"allow_clients": ["192.0.2.0/24"], "admin_addr": "127.0.0.1:0"}));
    let mut client = proxy.connect();
    let _ = client.try_send(format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", origin.url("/")));
    assert!(client.try_receive_response_to("GET").is_err());
    wait_until("the count", || {
        proxy.admin("/metrics").text().contains("clawsec_clients_refused_total{core=\"0\"} 1")
    });
    assert_eq!(origin.connections(), 0);
    let allowed = Proxy::start(json!({"allow_clients": ["192.0.2.0/24", "127.0.0.0/8"]}));
    assert_eq!(allowed.get(&origin.url("/")).status(), 200);
}

#[test]
fn other_addresses_than_the_loopback_need_credentials_or_a_word_that_they_do_not() {
    let refused = Setup::new(json!({"proxy_host": "0.0.0.0"})).start_refused();
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    for part in ["proxy_host 0.0.0.0", "proxy_auth", "allow_unauthenticated"] {
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
    }
    let keys = json!({"proxy_host": "0.0.0.0", "allow_unauthenticated": true});
    assert_eq!(Setup::new(keys).run("config", &["check"]).code, Some(2), "wrong usage");
    let origin = Origin::http(|_| Reply::ok(""));
    let open = Proxy::start(json!({"proxy_host": "0.0.0.0", "allow_unauthenticated": true}));
    assert_eq!(open.get(&origin.url("/")).status(), 200);
}

#[test]
fn run_and_doctor_take_credentials_from_the_environment() {
    let proxy = guarded();
    let pair = format!("coder:{SECRET}");
    let with = |command: &str, arguments: &[&str], credentials: Option<&str>| {
        let mut command = proxy.setup.command(command, arguments);
        command.envs(credentials.map(|pair| ("CLAWSEC_PROXY_CREDENTIALS", pair)));
        run::run(&mut command)
    };
    let told = with("run", &["--", "sh", "-c", "echo $https_proxy"], Some(&pair));
    let url = format!("http://{pair}@{}", proxy.address());
    assert_eq!(told.stdout.trim_end(), url, "{}", told.stderr);
    let refused = with("run", &["--", "true"], None);
    assert_eq!(refused.code, Some(125));
    assert!(refused.stderr.contains("CLAWSEC_PROXY_CREDENTIALS"), "{}", refused.stderr);
    let env = with("env", &[], Some(&pair));
    assert!(env.stdout.contains(&url) && env.stderr.is_empty(), "{}", env.text());
    assert!(with("env", &[], None).stderr.contains("CLAWSEC_PROXY_CREDENTIALS"));
    let doctor = with("doctor", &[], Some(&pair));
    assert_eq!(doctor.code, Some(0), "{}", doctor.text());
    let doctor = with("doctor", &[], None);
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.stdout.contains("asks for credentials"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("1 problem to be mended"), "what follows: {}", doctor.stdout);
    assert!(doctor.stdout.contains("detection    not known"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("HTTPS        not known"), "{}", doctor.stdout);
}

#[test]
fn a_real_client_gets_through_with_its_urls_credentials() {
    if !std::path::Path::new("/usr/bin/curl").exists() {
        return;
    }
    let origin = Origin::https(tls::server(tls::Shown::Valid), |_| Reply::ok("answer"));
    let proxy = guarded();
    let mut curl = proxy.setup.command("run", &["--quiet", "--", "curl", "-sS", "--fail"]);
    curl.arg(format!("https://{}/", origin.local_dest()));
    curl.env("CLAWSEC_PROXY_CREDENTIALS", format!("coder:{SECRET}"));
    let outcome = run::run(&mut curl).expect_success("curl");
    assert_eq!(outcome.stdout, "answer");
}
