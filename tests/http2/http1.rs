//! Clients that speak HTTP/1.1, or both protocols and so get that, and origins that speak HTTP/2 only.

use std::fs;

use super::curl::curl;
use super::programs::{Program, Speaks};
use super::{Route, Way, expected, found, succeed, text};
use crate::support::json;

/// Options and target, `LARGE` being the path of a large file.
const CASES: [&[&str]; 8] = [
    &["/hello"],
    &["--head", "/hello"],
    &["--request", "DELETE", "/none"],
    &["--header", "If-None-Match: \"one\"", "/unmodified"],
    &["/large"],
    &["--http1.0", "--no-alpn", "/hello"],
    &["--upload-file", "LARGE", "/echo"],
    &["--header", "Expect: 100-continue", "--data-binary", "@LARGE", "/echo"],
];

/// It was answered with 502.
#[test]
fn curl_of_http1_reaches_an_origin_of_http2() {
    let (way, origin) = (Way::new(), Program::node(Speaks::Http2));
    let like = Program::node(Speaks::Both);
    let large = way.proxy.setup.directory().join("large");
    fs::write(&large, "0123456789abcde\n".repeat(65_536)).unwrap();
    for case in CASES {
        let (target, options) = case.split_last().unwrap();
        let [direct, proxied] =
            [(Route::Direct, &like), (Route::Proxied, &origin)].map(|(route, origin)| {
                let mut curl = curl(&way, route);
                curl.args(["--http1.1", "--write-out", "\n%{http_version} %{response_code}\n"]);
                curl.args(
                    options.iter().map(|option| option.replace("LARGE", large.to_str().unwrap())),
                );
                let shown = succeed(curl.arg(format!("{}{target}", origin.base()))).stdout;
                // Of the head what both versions say.
                let is_said = |line: &&str| !case.contains(&"--head") || !line.contains(": ");
                shown.lines().filter(is_said).collect::<Vec<_>>().join("\n")
            });
        assert!(proxied == direct, "{case:?}: {} and {}", proxied.len(), direct.len());
        let requests = origin.take_requests();
        assert!(requests.len() == 1 && requests[0].ends_with(" 2.0"), "{case:?}: {requests:?}");
    }
    let mut curl = curl(&way, Route::Proxied);
    let url = format!("{}/echo", origin.base());
    // It offers both.
    assert_eq!(succeed(curl.args(["--http2", "--data-binary", &text(), &url])).stdout, text());
    let both = [("outbound", ""), ("inbound", "")];
    assert_eq!(found(&way.proxy.settled_findings(), &origin), expected(&both));
}

/// requests keeps its connection.
#[test]
fn requests_reaches_an_origin_of_http2_on_one_connection() {
    let way = Way::with(json!({ "workers": 1 }));
    let origin = Program::node(Speaks::Http2);
    for clients in 1..=2 {
        let shown = way.play("requests_client.py", Route::Proxied, &origin.base(), &["session"]);
        assert_eq!(shown.matches(" 200 ").count(), 6, "{shown}");
        assert_eq!(origin.take_requests().len(), 6);
        let lines = origin.lines();
        let count = |wanted: &str| lines.iter().filter(|line| *line == wanted).count();
        // What was found out for the first is known for the second.
        assert_eq!((count("refused"), count("connection")), (1, clients), "{lines:#?}");
        origin.wait_for_lines("session closed", clients);
    }
    let both = [("outbound", ""), ("inbound", "")];
    let two = [both, both].concat();
    assert_eq!(found(&way.proxy.settled_findings(), &origin), expected(&two));
}

#[test]
fn an_origin_of_http2_that_says_goodbye_is_reached_again() {
    let (way, origin) = (Way::new(), Program::node(Speaks::Http2));
    way.play("requests_client.py", Route::Proxied, &origin.base(), &["goodbye"]);
}

/// No protocol is agreed on with this one.
#[test]
fn an_origin_that_speaks_neither_is_told_of() {
    let (way, origin) = (Way::new(), Program::node(Speaks::Neither));
    let mut curl = curl(&way, Route::Proxied);
    let shown = succeed(curl.args(["--http1.1", "--include", &origin.base()])).stdout;
    assert!(shown.starts_with("HTTP/1.1 502 "), "{shown}");
    assert!(shown.contains("neither HTTP/1.1 nor HTTP/2"), "{shown}");
}
