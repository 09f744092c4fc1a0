//! What can be switched on: Via and Forwarded, the refusal of mismatched names, timeouts by host.

use std::time::Instant;

use crate::support::tls::{self, Shown, client};
use crate::support::{Origin, Proxy, Reply, json};

fn inside() -> Origin {
    Origin::https(tls::server(Shown::Valid), |_| Reply::ok("inside"))
}

const OTHER_HOST: &str = "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n";

#[test]
fn via_and_forwarded_are_added_only_when_asked_for() {
    let origin = Origin::http(|_| Reply::ok(""));
    for asked in [false, true] {
        let proxy = Proxy::start(json!({ "add_via": asked, "add_forwarded": asked }));
        let answer = proxy.get(&origin.url("/"));
        let request = origin.requests().pop().unwrap();
        let via = asked.then_some("1.1 clawsec");
        assert_eq!((request.header("via"), answer.header("via")), (via, via));
        assert_eq!(request.header("forwarded"), asked.then_some("for=127.0.0.1;proto=http"));
    }
}

#[test]
fn a_host_that_differs_inside_a_connection_is_logged_and_forwarded() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let mut client = proxy.https(&origin.local_dest());
    client.send(OTHER_HOST);
    assert_eq!(client.receive_response().text(), "inside");
    proxy.wait_for_log(&["Host other.test inside a connection to localhost"]);
}

#[test]
fn a_host_that_differs_is_refused_with_421_where_that_is_configured() {
    let proxy = Proxy::start(json!({ "host_mismatch": "refuse" }));
    let origin = inside();
    let mut client = proxy.https(&origin.local_dest());
    client.send("GET / HTTP/1.1\r\nHost: LOCALHOST:443\r\n\r\n");
    assert_eq!(client.receive_response().text(), "inside");
    client.send(OTHER_HOST);
    assert_eq!(client.receive_response().status(), 421);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_target_that_names_another_host_does_not_pass_behind_a_host_field_that_names_the_right_one() {
    let origin = inside();
    let dest = origin.local_dest();
    let target = "GET http://other.test/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let proxy = Proxy::start(json!({ "host_mismatch": "refuse" }));
    let mut client = proxy.https(&dest);
    client.send(target);
    assert_eq!(client.receive_response().status(), 421);
    assert_eq!(origin.requests().len(), 0);
    let mut client = proxy.https(&dest);
    client.send(format!("GET https://{dest}/ HTTP/1.1\r\nHost: other.test\r\n\r\n"));
    assert_eq!(client.receive_response().text(), "inside");
    assert_eq!(origin.requests()[0].header("host"), Some(dest.as_str()));
    let proxy = Proxy::start(json!({}));
    let mut client = proxy.https(&dest);
    client.send(target);
    assert_eq!(client.receive_response().text(), "inside");
    proxy.wait_for_log(&["Host other.test inside a connection to localhost"]);
}

#[test]
fn a_host_that_differs_is_refused_in_clear_inside_connect_too() {
    let origin = Origin::http(|_| Reply::ok("inside"));
    let dest = origin.local_dest();
    let proxy = Proxy::start(json!({ "host_mismatch": "refuse" }));
    let mut client = proxy.tunnel(&dest);
    client.send(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    assert_eq!(client.receive_response().text(), "inside");
    client.send(OTHER_HOST);
    assert_eq!(client.receive_response().status(), 421);
    assert_eq!(origin.requests().len(), 1);
    proxy.wait_for_log(&["Host other.test inside a connection to localhost"]);
}

#[test]
fn a_server_name_that_differs_from_connect_is_refused_where_that_is_configured() {
    let proxy = Proxy::start(json!({ "host_mismatch": "refuse" }));
    let origin = inside();
    let tunnel = proxy.tunnel(&origin.local_dest());
    assert!(tunnel.tls_client("other.test", client(&proxy.ca_path())).is_err());
    proxy.wait_for_log(&["TLS asks for other.test"]);
    // An address says nothing of a name.
    let mut by_address =
        proxy.tunnel(&origin.dest()).tls_client("localhost", client(&proxy.ca_path())).unwrap();
    by_address.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(by_address.receive_response().text(), "inside");
}

#[test]
fn a_host_may_have_a_response_timeout_of_its_own() {
    let proxy = Proxy::start(json!({
        "response_timeout_secs": 60,
        "response_timeout_overrides": { "localhost": 0.2 },
    }));
    let origin = Origin::raw(|mut connection| while connection.receive().is_ok() {});
    let begun = Instant::now();
    let answer = proxy.get(&format!("http://{}/", origin.local_dest()));
    assert_eq!(answer.status(), 504);
    assert!(begun.elapsed().as_secs() < 30, "the general timeout was waited for");
}
