//! curl, by prior knowledge.

use std::fs;
use std::process::Command;

use super::programs::{Program, Speaks};
use super::support::run::run;
use super::{Route, Way, expected, found, succeed, text};

/// curl as it is configured nowhere else.
pub fn curl(way: &Way, route: Route) -> Command {
    let mut curl = way.command("curl", route);
    curl.args(["--disable", "--silent", "--show-error", "--suppress-connect-headers"]);
    curl.args(["--max-time", "120"]);
    curl
}

/// Whether this curl was built with HTTP/2.
fn can_speak() -> bool {
    let version = run(Command::new("curl").arg("--version")).expect_success("curl --version");
    let can = version.stdout.split_whitespace().any(|feature| feature == "HTTP2");
    if !can {
        eprintln!("skipped: the curl here knows no HTTP/2");
    }
    can
}

/// Options and target, `LARGE` being the path of a large file.
const CASES: [&[&str]; 9] = [
    &["/hello"],
    &["--head", "/hello"],
    &["--request", "DELETE", "/none"],
    &["--header", "If-None-Match: \"one\"", "/unmodified"],
    &["/fields"],
    &["/trailers"],
    &["/large"],
    &["--upload-file", "LARGE", "/echo"],
    &["--header", "Expect: 100-continue", "--data-binary", "@LARGE", "/echo"],
];

/// Plays every case on both routes, with these options more.
fn exercise(way: &Way, origin: &Program, more: &[&str]) {
    let large = way.proxy.setup.directory().join("large");
    fs::write(&large, "0123456789abcde\n".repeat(655_360)).unwrap();
    for case in CASES {
        let (target, options) = case.split_last().unwrap();
        let url = format!("{}{target}", origin.base());
        let [direct, proxied] = [Route::Direct, Route::Proxied].map(|route| {
            let mut curl = curl(way, route);
            curl.args(["--include", "--write-out", "\n%{http_version}\n"]);
            // Without an agreement there is no origin that speaks it.
            let is_meant = |option: &&&str| **option != "--no-alpn" || route == Route::Proxied;
            curl.args(more.iter().filter(is_meant));
            curl.args(
                options.iter().map(|option| option.replace("LARGE", large.to_str().unwrap())),
            );
            (succeed(curl.arg(&url)).stdout, origin.take_requests())
        });
        assert!(proxied.0 == direct.0, "{case:?}: {} and {}", shown(&proxied.0), shown(&direct.0));
        assert_eq!(proxied.1, direct.1, "{case:?}");
        assert!(proxied.0.ends_with("\n2\n"), "{case:?}: {}", shown(&proxied.0));
    }
    let mut curl = curl(way, Route::Proxied);
    let url = format!("{}/echo", origin.base());
    let outcome = succeed(curl.args(more).args(["--data-binary", &text(), &url]));
    assert_eq!(outcome.stdout, text());
    let both = [("outbound", ""), ("inbound", "")];
    assert_eq!(found(&way.proxy.settled_findings(), origin), expected(&both));
}

/// The beginning of what may be large.
fn shown(text: &str) -> String {
    format!("{} bytes: {}", text.len(), text.chars().take(1000).collect::<String>())
}

#[test]
fn curl_sees_no_difference_without_tls() {
    if !can_speak() {
        return;
    }
    let (way, origin) = (Way::new(), Program::node(Speaks::Clear));
    exercise(&way, &origin, &["--http2-prior-knowledge", "--proxytunnel"]);
}

/// Without ALPN nothing was agreed on; the preface tells.
#[test]
fn curl_sees_no_difference_where_nothing_was_agreed_on() {
    if !can_speak() {
        return;
    }
    let (way, origin) = (Way::new(), Program::node(Speaks::Http2));
    exercise(&way, &origin, &["--http2-prior-knowledge", "--no-alpn"]);
}

/// Older ones offer HTTP/1.1 as well, and get it.
#[test]
fn curl_gets_what_it_offers() {
    if !can_speak() {
        return;
    }
    let (way, origin) = (Way::new(), Program::node(Speaks::Both));
    let url = format!("{}/hello", origin.base());
    for option in ["--http2", "--http2-prior-knowledge"] {
        let mut curl = curl(&way, Route::Proxied);
        curl.args(["--verbose", option, "--write-out", " over %{http_version}"]);
        let outcome = succeed(curl.arg(&url));
        // The first offer may be the one to the proxy.
        let offer =
            outcome.stderr.lines().rfind(|line| line.contains("ALPN") && line.contains("offers"));
        let offers_http1 = offer.expect("an offer").contains("http/1.1");
        let version = if offers_http1 { "1.1" } else { "2" };
        assert_eq!(outcome.stdout, format!("hello over {version}"), "{}", outcome.stderr);
    }
}
