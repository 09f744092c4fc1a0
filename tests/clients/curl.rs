//! curl in its many ways, and wget: what is printed, head and body, and what arrives must be the same directly and
//! through the proxy.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::stage::{EVENTS, LARGE_BYTES, large};
use super::support::run::{Outcome, run_for};
use super::support::samples::sample;
use super::support::tls::{self, Shown};
use super::support::{Origin, Reply};
use super::{End, LIMIT, Route, Way, succeed};

/// Options and target, `LARGE` being the path of a file of 10 MiB.
const CASES: [&[&str]; 22] = [
    &["/hello"],
    &["/fields"],
    &["/missing?a=%2F&b=c"],
    &["/close"],
    &["/large"],
    &["--raw", "/chunks"],
    &["--http1.0", "/hello"],
    &["--head", "/hello"],
    &["--location", "/redirect"],
    &["--compressed", "/hello"],
    &["--tr-encoding", "/hello"],
    &["--no-keepalive", "/hello"],
    &["--tcp-fastopen", "/hello"],
    &["--limit-rate", "8M", "/large"],
    &["--request", "DELETE", "/none"],
    &["--request", "PROPFIND", "--header", "Depth: 0", "/hello"],
    &["--data", "a=b", "/echo"],
    &["--form", "file=@LARGE", "/hello"],
    &["--upload-file", "LARGE", "/echo"],
    &["--upload-file", "-", "/echo"],
    &[
        "--header",
        "Expect: 100-continue",
        "--expect100-timeout",
        "60",
        "--data-binary",
        "@LARGE",
        "/echo",
    ],
    &[
        "--header",
        "Expect: 100-continue",
        "--expect100-timeout",
        "60",
        "--data-binary",
        "@LARGE",
        "/refuse",
    ],
];

fn large_file(way: &Way) -> PathBuf {
    let path = way.proxy.setup.directory().join("large");
    fs::write(&path, large()).unwrap();
    path
}

/// curl as it is configured nowhere else.
fn curl(way: &Way, route: Route) -> Command {
    let mut curl = way.command("curl", route);
    curl.args(["--disable", "--silent", "--show-error", "--suppress-connect-headers"]);
    curl.args(["--max-time", "120"]);
    curl
}

/// One case, head and body shown; standard input is the large file.
fn play(way: &Way, end: &End, route: Route, more: &[&str], case: &[&str]) -> (String, Vec<String>) {
    let file = way.proxy.setup.directory().join("large");
    let mut shell = way.command("sh", route);
    shell.args(["-c", "exec curl \"$@\" < \"$0\""]).arg(&file);
    shell.args(["--disable", "--silent", "--show-error", "--suppress-connect-headers"]);
    shell.args(["--max-time", "120", "--include"]).args(more);
    let (target, options) = case.split_last().unwrap();
    let file = file.to_str().unwrap();
    shell.args(options.iter().map(|option| option.replace("LARGE", file)));
    shell.arg(format!("{}{target}", end.base));
    let outcome = succeed(&mut shell);
    // Whether a connection ends is told on each connection by itself.
    let shown = ["close", "keep-alive"].iter().fold(outcome.stdout, |shown, option| {
        shown.replacen(&format!("\r\nConnection: {option}\r\n"), "\r\n", 1)
    });
    (shown, end.stage.take_seen())
}

#[test]
fn curl_of_every_kind() {
    let way = Way::new();
    large_file(&way);
    for end in way.ends() {
        for case in CASES {
            let (direct, direct_seen) = play(&way, &end, Route::Direct, &[], case);
            let (proxied, proxied_seen) = play(&way, &end, Route::Proxied, &[], case);
            assert!(proxied == direct, "{case:?}: {} and {} bytes", proxied.len(), direct.len());
            // A form's boundary is random.
            if case[0] != "--form" {
                assert_eq!(proxied_seen, direct_seen, "{case:?}");
            }
            assert_eq!(proxied_seen.len(), direct_seen.len(), "{case:?}");
        }
    }
    assert!(way.proxy.settled_findings().is_empty());
}

#[test]
fn curl_asks_the_proxy_in_every_way() {
    let way = Way::new();
    large_file(&way);
    let url = way.proxy.url();
    for end in way.ends() {
        let (direct, direct_seen) = play(&way, &end, Route::Direct, &[], &["/fields"]);
        for more in [
            ["--proxytunnel"].as_slice(),
            &["--proxytunnel", "--http1.0"],
            &["--proxy1.0", &url],
            &["--proxy1.0", &url, "--proxytunnel"],
            &["--proxy", &url, "--proxy-user", "agent:unused"],
            &["--proxy", &url, "--proxy-header", "X-For-The-Proxy: only"],
        ] {
            // Over TLS too, fields for the proxy must not reach the origin.
            let (proxied, seen) = play(&way, &end, Route::Proxied, more, &["/fields"]);
            assert_eq!(proxied, direct, "{more:?}");
            if !more.contains(&"--proxy-header") || end.protocol == "https" {
                assert_eq!(seen, direct_seen, "{more:?}");
            }
        }
    }
}

#[test]
fn curl_gets_every_event_before_the_next_is_sent() {
    let way = Way::new();
    for end in way.ends() {
        let mut curl = curl(&way, Route::Proxied);
        curl.args(["--no-buffer", &format!("{}/events/curl", end.base)]);
        let mut curl = curl.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(curl.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut events = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            end.stage.acknowledge("curl", events.len());
            events.push(line);
        }
        assert!(curl.wait().unwrap().success());
        let expected: Vec<_> = (0..EVENTS).map(|number| format!("data: {number}")).collect();
        assert_eq!(events, expected, "{}", end.base);
    }
}

#[test]
fn curl_keeps_its_connection() {
    let way = Way::new();
    for end in way.ends() {
        let url = format!("{}/hello", end.base);
        let mut curl = curl(&way, Route::Proxied);
        let outcome = succeed(curl.args(["--verbose", &url, &url, &url]));
        assert_eq!(outcome.stdout, "hellohellohello");
        let kept = outcome.stderr.matches("Re-using existing connection").count();
        assert_eq!(kept, 2, "{}", outcome.stderr);
        assert_eq!(end.stage.connections(), 1);
    }
}

#[test]
fn curl_is_inspected() {
    let way = Way::new();
    let text = sample("ai_api_key").text();
    for end in way.ends() {
        let mut curl = curl(&way, Route::Proxied);
        let outcome = succeed(curl.args(["--data-binary", &text, &format!("{}/echo", end.base)]));
        assert_eq!(outcome.stdout, text);
    }
    let findings = way.proxy.settled_findings();
    for end in way.ends() {
        let both = [("inbound", "ai_api_key"), ("outbound", "ai_api_key")];
        way.assert_found(&findings, &end, &both);
    }
    assert!(!way.proxy.threats_text().contains(&text));
}

#[test]
fn curl_tells_why_an_origin_is_not_reached() {
    let way = Way::new();
    let expired = Origin::https(tls::server(Shown::Expired), |_| Reply::ok("hello"));
    let mut curl = curl(&way, Route::Proxied);
    let url = format!("https://{}/hello", expired.local_dest());
    let shown = run_for(curl.args(["--include", &url]), LIMIT);
    assert!(shown.stdout.contains("HTTP/1.1 502"), "{}", shown.text());
    assert!(shown.stdout.contains("expired"), "{}", shown.text());
}

fn wget(way: &Way, route: Route, arguments: &[&str]) -> Outcome {
    let mut wget = way.command("wget", route);
    wget.args(["--no-config", "--no-hsts", "--quiet", "--server-response", "--output-document=-"]);
    wget.arg("--ca-certificate").arg(way.trusted(route)).args(arguments);
    succeed(&mut wget)
}

#[test]
fn wget_sees_no_difference_and_is_inspected() {
    let way = Way::new();
    let post = format!("--post-data={}", sample("unix_sensitive").text());
    for end in way.ends() {
        for (option, target) in [
            ("--tries=1", "/fields"),
            ("--tries=1", "/redirect"),
            ("--tries=1", "/large"),
            (&post, "/echo"),
        ] {
            let url = format!("{}{target}", end.base);
            let direct = wget(&way, Route::Direct, &[option, &url]);
            let direct_seen = end.stage.take_seen();
            let proxied = wget(&way, Route::Proxied, &[option, &url]);
            assert_eq!(end.stage.take_seen(), direct_seen, "{url}");
            assert_eq!(proxied.stderr, direct.stderr, "{url}");
            assert!(proxied.stdout == direct.stdout, "{url}: {} bytes", proxied.stdout.len());
            // As text, bytes that are not UTF-8 take three.
            assert!(target != "/large" || proxied.stdout.len() >= LARGE_BYTES);
        }
    }
    let findings = way.proxy.settled_findings();
    for end in way.ends() {
        let both = [("inbound", "unix_sensitive"), ("outbound", "unix_sensitive")];
        way.assert_found(&findings, &end, &both);
    }
}
