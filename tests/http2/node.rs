//! Node's http2 module on both sides.

use super::programs::{Program, Speaks};
use super::support::{json, wait_until};
use super::{Route, Way, assert_same, expected, found};

/// What each stream can be, all on one connection.
const STEPS: [&str; 14] = [
    "plain", "fields", "post", "large", "trailers", "hints", "early", "zipped", "escaped",
    "events", "turns", "together", "crowd", "plain",
];

/// What the steps leave to be found: text as it is, in gzip, and in strings of JSON.
const FOUND: [(&str, &str); 6] = [
    ("outbound", ""),
    ("inbound", ""),
    ("outbound", "gzip"),
    ("inbound", "gzip"),
    ("outbound", "json"),
    ("inbound", "sse>json"),
];

fn exercise(speaks: Speaks) {
    let (way, origin) = (Way::new(), Program::node(speaks));
    let base = origin.base();
    let direct = way.play("client.mjs", Route::Direct, &base, &STEPS);
    let direct_seen = origin.take_requests();
    let proxied = way.play("client.mjs", Route::Proxied, &base, &STEPS);
    assert_same(&proxied, &direct);
    assert_eq!(origin.take_requests(), direct_seen, "what arrived");
    // An origin takes many cancelled streams for an attack: those that were answered are none.
    let closed = || origin.lines().into_iter().filter(|line| line.starts_with("closed "));
    wait_until("the ends of all streams", || closed().count() == 2 * direct_seen.len());
    let cancelled: Vec<_> = closed().filter(|line| !line.ends_with(" 0")).collect();
    assert!(cancelled.is_empty(), "{cancelled:#?}");
    way.wait_for_requests(direct_seen.len());
    let counted = |name: &str| way.proxy.status()["counters"][name].take();
    wait_until("the end of all", || counted("streams_open") == 0);
    assert_eq!(counted("streams"), direct_seen.len());
    assert_eq!(found(&way.proxy.settled_findings(), &origin), expected(&FOUND));
}

#[test]
fn node_sees_no_difference() {
    exercise(Speaks::Http2);
}

#[test]
fn node_sees_no_difference_at_an_origin_that_speaks_both() {
    exercise(Speaks::Both);
}

#[test]
fn node_sees_no_difference_without_tls() {
    exercise(Speaks::Clear);
}

/// An origin that knows nothing of HTTP/2 is no different either, its own protocol aside.
#[test]
fn node_reaches_an_origin_of_http1() {
    let (way, origin) = (Way::new(), Program::node(Speaks::Http1));
    let like = Program::node(Speaks::Http2);
    let direct = way.play("client.mjs", Route::Direct, &like.base(), &STEPS);
    let proxied = way.play("client.mjs", Route::Proxied, &origin.base(), &STEPS);
    assert_same(&proxied, &direct);
    // `te` is a field of one connection.
    let seen = |origin: &Program| -> Vec<String> {
        let requests = origin.take_requests();
        let plain = |line: String| line.split(' ').take(3).collect::<Vec<_>>().join(" ");
        requests.into_iter().map(plain).collect()
    };
    let direct_seen = seen(&like);
    assert_eq!(seen(&origin), direct_seen, "what arrived");
    way.wait_for_requests(direct_seen.len());
    assert_eq!(found(&way.proxy.settled_findings(), &origin), expected(&FOUND));
}

#[test]
fn http2_is_agreed_on_only_with_those_who_offer_nothing_else() {
    let (way, origin) = (Way::new(), Program::node(Speaks::Both));
    let shown = way.play("client.mjs", Route::Proxied, &origin.base(), &["alpn"]);
    let agreed = [
        "alpn [ 'h2' ] h2",
        "alpn [ 'h2', 'http/1.1' ] http/1.1",
        "alpn [ 'http/1.1' ] http/1.1",
        "alpn none false",
    ];
    for line in agreed {
        assert!(shown.lines().any(|shown| shown == line), "{line}:\n{shown}");
    }
}

#[test]
fn each_stream_has_its_own_path() {
    let suppressions = json!([{ "reason": "a test's", "path": "/echo/accepted" }]);
    let way = Way::with(json!({ "suppressions": suppressions }));
    let origin = Program::node(Speaks::Http2);
    way.play("client.mjs", Route::Proxied, &origin.base(), &["named"]);
    let both = [("outbound", ""), ("inbound", "")];
    assert_eq!(found(&way.proxy.settled_findings(), &origin), expected(&both));
    wait_until("the counter", || {
        way.proxy.status()["counters"]["suppressions_applied"] == json!(2)
    });
}
