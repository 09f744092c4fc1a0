//! The second listener, in front of the agent's own gateway.

use serde_json::Value;

use crate::assert_own_answer;
use crate::support::origin::unused_address;
use crate::support::samples::sample;
use crate::support::{Connection, Origin, Proxy, Reply, json};

fn proxy_to(origin: &Origin) -> Proxy {
    Proxy::start(json!({ "gateway_target_port": origin.address.port() }))
}

#[test]
fn http_is_forwarded_and_inspected_as_gateway() {
    let origin = Origin::http(|request| Reply::ok(&request.body));
    let proxy = proxy_to(&origin);
    let text = sample("unix_sensitive").text();
    let mut client = proxy.connect_gateway();
    for _ in 0..2 {
        client.send(format!(
            "POST /hooks?x=1 HTTP/1.1\r\nHost: agent.internal\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        ));
        assert_eq!(client.receive_response().text(), text);
    }
    let requests = origin.requests();
    assert_eq!(requests[0].start, "POST /hooks?x=1 HTTP/1.1");
    assert_eq!(requests[0].header("host"), Some("agent.internal"));
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), 4, "{findings:?}");
    for finding in &findings {
        assert_eq!(finding.protocol, "gateway", "{finding:?}");
        assert_eq!(finding.dest, origin.dest(), "{finding:?}");
    }
    assert_eq!(findings.iter().filter(|finding| finding.direction == "inbound").count(), 2);
}

#[test]
fn an_upgraded_connection_is_relayed_and_inspected() {
    let origin = Origin::raw(|mut connection: Connection| {
        connection.receive_head();
        connection
            .send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
        while let Ok(bytes) = connection.receive() {
            connection.send(bytes);
        }
    });
    let proxy = proxy_to(&origin);
    let mut client = proxy.connect_gateway();
    client.send("GET /ws HTTP/1.1\r\nHost: agent\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(client.receive_response().status(), 101);
    let text = format!("\u{1} {} ", sample("destructive_rm").text());
    client.send(&text);
    assert_eq!(client.receive_exact(text.len()), text.as_bytes());
    client.close();
    let findings = proxy.settled_findings();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.protocol == "gateway"));
}

#[test]
fn a_gateway_that_is_down_is_a_502_and_one_log_line() {
    let nobody = unused_address();
    let proxy = Proxy::start(json!({ "gateway_target_port": nobody.port(), "log_level": "INFO" }));
    let mut client = proxy.connect_gateway();
    client.send("GET / HTTP/1.1\r\nHost: agent\r\n\r\n");
    assert_own_answer(&client.receive_response(), 502, &["connection_refused"]);
    let target = format!("127.0.0.1:{}", nobody.port());
    proxy.wait_for_log(&[&target, "refused"]);
    let lines: Vec<String> = proxy.log().lines().map(str::to_owned).collect();
    let about = lines.iter().filter(|line| line.contains("refused")).count();
    assert_eq!(about, 1, "{lines:#?}");
}

#[test]
fn the_gateway_is_no_open_proxy() {
    let origin = Origin::http(|_| Reply::ok("the agent's gateway"));
    let other = Origin::http(|_| Reply::ok("somebody else"));
    let proxy = proxy_to(&origin);
    let mut client = proxy.connect_gateway();
    client.send(format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", other.url("/"), other.dest()));
    client.receive_response();
    let mut client = proxy.connect_gateway();
    client.send(format!("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", other.dest()));
    // RFC 9110 §15.5.6.
    let refused = client.receive_response_to("CONNECT");
    assert_own_answer(&refused, 405, &["http_request_error"]);
    let allowed: Vec<&str> = refused.header("allow").expect("Allow").split(", ").collect();
    assert!(allowed.contains(&"POST") && !allowed.contains(&"CONNECT"), "{allowed:?}");
    assert_eq!(other.connections(), 0);
}

#[test]
fn the_gateway_can_be_switched_off() {
    let proxy = Proxy::start(json!({ "enable_gateway_proxy": false }));
    assert_eq!(proxy.status()["listeners"]["gateway"], Value::Null);
}
