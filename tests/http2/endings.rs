//! Streams that end otherwise than well: cancelled, broken off, refused; the others on their connection go on.

use super::curl::curl;
use super::programs::{Program, Speaks};
use super::support::tls::{self, Shown};
use super::support::{Origin, Reply, json, wait_until};
use super::{Route, Way, succeed};

const EVERY: [Speaks; 4] = [Speaks::Http2, Speaks::Both, Speaks::Http1, Speaks::Clear];

/// What a client prints through the proxy; its connection must have outlived all of it.
#[track_caller]
fn play(way: &Way, base: &str, steps: &[&str]) -> Vec<String> {
    let shown = way.play("client.mjs", Route::Proxied, base, steps);
    assert!(shown.contains("\nsession open\n"), "{shown}");
    shown.lines().map(str::to_owned).collect()
}

#[test]
fn a_cancelled_stream_is_cancelled_at_the_origin() {
    let way = Way::new();
    for speaks in EVERY {
        let origin = Program::node(speaks);
        play(&way, &origin.base(), &["cancel"]);
        // HTTP/1.1 can but close the connection.
        let code = if speaks == Speaks::Http1 { "-" } else { "8" };
        for path in ["/wait/first", "/begin/first"] {
            origin.wait_for_line(&format!("closed {path} {code}"));
        }
    }
}

#[test]
fn a_broken_answer_does_not_look_whole() {
    let way = Way::new();
    for speaks in EVERY {
        let origin = Program::node(speaks);
        let shown = play(&way, &origin.base(), &["broken"]);
        // What came before the end may be overtaken by it. The code is the origin's, where it has one: gRPC tells by it.
        let code = if speaks == Speaks::Http1 { 2 } else { 11 };
        let broken = ["200", "none"].map(|head| format!("broken {head} broken {code}"));
        assert!(broken.contains(&shown[0]), "{shown:#?}");
    }
}

#[test]
fn a_stream_that_the_origin_resets_is_no_answer() {
    let way = Way::new();
    for speaks in EVERY {
        let origin = Program::node(speaks);
        let shown = play(&way, &origin.base(), &["reset"]);
        let told = if speaks == Speaks::Http1 { "reset 502 0" } else { "reset reset 11" };
        assert_eq!(shown[0], told, "{shown:#?}");
    }
}

/// It was answered with 502, which says nothing of whether it may be sent again (RFC 9113 §8.7).
#[test]
fn a_request_that_its_origin_did_not_look_at_is_refused_to_its_client() {
    let way = Way::new();
    for speaks in [Speaks::Http2, Speaks::Both, Speaks::Clear] {
        let origin = Program::node(speaks);
        let shown = play(&way, &origin.base(), &["refused"]);
        let refused = shown.iter().filter(|line| *line == "refused reset 7").count();
        assert_eq!(refused, 2, "{shown:#?}");
    }
    // HTTP/1.1 has no word for it.
    let origin = Program::node(Speaks::Http2);
    let mut curl = curl(&way, Route::Proxied);
    curl.args(["--http1.1", "--output", "/dev/null", "--write-out", "%{response_code}"]);
    let url = format!("{}/reset/7", origin.base());
    assert_eq!(succeed(curl.args(["--data", "body", &url])).stdout, "502");
}

#[test]
fn an_origin_that_says_goodbye_is_reached_again() {
    let way = Way::new();
    for speaks in EVERY {
        let origin = Program::node(speaks);
        play(&way, &origin.base(), &["goaway"]);
    }
}

#[test]
fn a_stream_outlives_the_goodbye_of_its_connection() {
    let way = Way::new();
    for speaks in EVERY {
        let origin = Program::node(speaks);
        play(&way, &origin.base(), &["survive"]);
    }
}

/// Such a stream, and with it the connection, stood for ever.
#[test]
fn a_stream_whose_origin_does_not_end_it_is_cancelled_once_its_answer_is_there() {
    let way = Way::new();
    for speaks in [Speaks::Http2, Speaks::Both, Speaks::Clear] {
        let origin = Program::node(speaks);
        play(&way, &origin.base(), &["unended"]);
        origin.wait_for_lines("closed /unended 8", 2);
        origin.wait_for_lines("session closed", 2);
    }
}

#[test]
fn fields_that_are_too_long_are_refused_alone() {
    let way = Way::new();
    for speaks in EVERY {
        let origin = Program::node(speaks);
        let shown = play(&way, &origin.base(), &["heads"]);
        let refused = ["heads 431", "heads ERR_HTTP2_STREAM_ERROR"];
        assert!(refused.contains(&shown[0].as_str()), "{shown:#?}");
        assert_eq!(origin.take_requests().len(), 1, "what was refused did not arrive");
    }
}

#[test]
fn a_stream_for_another_host_is_refused_alone() {
    let way = Way::with(json!({ "host_mismatch": "refuse" }));
    let origin = Program::node(Speaks::Http2);
    let shown = play(&way, &origin.base(), &["elsewhere"]);
    assert!(shown[0].starts_with("mismatch 421 "), "{shown:#?}");
    assert_eq!(origin.take_requests(), ["request GET /hello 2.0"]);
}

/// Our own answers say to both protocols the same.
#[test]
fn errors_of_the_proxy_are_answers() {
    let way = Way::new();
    let origins = [Shown::Expired, Shown::UnknownIssuer, Shown::WrongName]
        .map(|shown| Origin::https(tls::server(shown), |_| Reply::ok("hello")));
    for origin in &origins {
        let base = format!("https://{}", origin.local_dest());
        let write_out = "%{http_version} %{response_code} %{content_type}";
        let mut curl = curl(&way, Route::Proxied);
        let known = succeed(curl.args(["--http1.1", "--write-out", write_out, &base])).stdout;
        let (body, told) = known.rsplit_once("1.1 502 ").expect("a 502");
        assert!(!body.is_empty());
        let shown = play(&way, &base, &["fetch", "fetch"]);
        let fetched = format!("fetched {told} {}", json!(body));
        assert!(shown[0].starts_with(&format!("fetch 502 {} ", body.len())), "{shown:#?}");
        assert_eq!(shown.iter().filter(|line| **line == fetched).count(), 2, "{shown:#?} {known}");
    }
}

#[test]
fn streams_that_nobody_reads_leave_room_for_others() {
    let way = Way::new();
    let origins = EVERY.map(Program::node);
    for origin in &origins {
        play(&way, &origin.base(), &["stalled"]);
    }
    // That the client gave them up is not the origins' fault.
    wait_until("the end of all", || way.proxy.status()["counters"]["connections_open"] == 0);
    let failed = way.proxy.status()["counters"]["upstream_errors"].take();
    assert_eq!(failed, 0, "{}", way.proxy.log());
}

/// Whoever leaves without a word takes all streams along.
#[test]
fn a_client_that_dies_ends_its_streams() {
    let way = Way::new();
    for speaks in EVERY {
        let origin = Program::node(speaks);
        let mut client = way.client("client.mjs", Route::Proxied, &origin.base(), &["linger"]);
        let mut client = client.stdout(std::process::Stdio::null()).spawn().unwrap();
        for path in ["/wait/linger", "/begin/linger"] {
            origin.wait_for_line(&format!("request POST {path} {}", speaks.version()));
        }
        client.kill().unwrap();
        client.wait().unwrap();
        for path in ["/wait/linger", "/begin/linger"] {
            let closed = format!("closed {path} ");
            wait_until(&closed, || origin.lines().iter().any(|line| line.starts_with(&closed)));
        }
    }
}
