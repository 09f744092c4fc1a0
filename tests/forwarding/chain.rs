//! Another proxy behind this one: absolute-form and CONNECT, credentials, exceptions, refusals.

use crate::support::connection::lossy;
use crate::support::origin::unused_address;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, Origin, Proxy, Reply, json};

const CREDENTIALS: &str = "Basic dXNlcjpwYXNzd29yZA==";

/// A parent proxy that answers plain requests itself and joins tunnels to their destination.
fn parent() -> Origin {
    Origin::raw(|mut client| {
        while let Some(request) = client.try_receive_request() {
            let allowed = request.header("proxy-authorization") == Some(CREDENTIALS);
            match (allowed, request.method()) {
                (false, _) => client.send(
                    "HTTP/1.1 407 Proxy Authentication Required\r\n\
                     Proxy-Authenticate: Basic realm=\"parent\"\r\nContent-Length: 0\r\n\r\n",
                ),
                (true, "CONNECT") => {
                    client.send("HTTP/1.1 200 OK\r\n\r\n");
                    return join(client, Connection::open(request.target()));
                }
                (true, _) => {
                    let target = request.target();
                    let length = target.len();
                    client.send(format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{target}"
                    ));
                }
            }
        }
    })
}

/// Passes on what comes, both ways.
pub fn join(client: Connection, upstream: Connection) {
    let copy = |from: &Connection, to: &Connection| {
        let (mut from, mut to) = (from.tcp().try_clone().unwrap(), to.tcp().try_clone().unwrap());
        move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Write);
        }
    };
    let back = std::thread::spawn(copy(&upstream, &client));
    copy(&client, &upstream)();
    back.join().unwrap();
}

fn chained(parent: &Origin, more: serde_json::Value) -> Proxy {
    let url = format!("http://user:password@{}", parent.dest());
    let mut keys = json!({ "upstream_proxy": url });
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Proxy::start(keys)
}

#[test]
fn plain_requests_reach_the_parent_in_absolute_form_with_our_credentials() {
    let parent = parent();
    let proxy = chained(&parent, json!({}));
    let url = "http://origin.test/path?query";
    assert_eq!(proxy.get(url).text(), url);
    let received = lossy(&parent.received());
    assert!(received.starts_with(&format!("GET {url} HTTP/1.1\r\n")), "{received}");
    assert!(received.contains("\r\nHost: origin.test\r\n"), "{received}");
}

#[test]
fn intercepted_connections_pass_a_tunnel_of_the_parent() {
    let origin = Origin::https(tls::server(Shown::Valid), |_| Reply::ok("inside"));
    let parent = parent();
    let proxy = chained(&parent, json!({}));
    let mut client = proxy.https(&origin.local_dest());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(client.receive_response().text(), "inside");
    let received = lossy(&parent.received());
    let connect = format!("CONNECT {} HTTP/1.1\r\n", origin.local_dest());
    assert!(received.starts_with(&connect), "{received}");
}

#[test]
fn the_clients_own_proxy_credentials_do_not_reach_the_parent() {
    let parent = parent();
    let proxy = chained(&parent, json!({}));
    let answer = proxy.exchange(
        "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\n\
         Proxy-Authorization: Basic aW50cnVkZXI6eA==\r\n\r\n",
    );
    assert_eq!(answer.status(), 200);
    let received = lossy(&parent.received());
    assert_eq!(received.matches("Proxy-Authorization").count(), 1, "{received}");
    assert!(received.contains(CREDENTIALS), "{received}");
}

#[test]
fn hosts_of_no_proxy_are_dialled_directly() {
    let parent = parent();
    let origin = Origin::http(|_| Reply::ok("direct"));
    let proxy = chained(&parent, json!({ "no_proxy": ["127.0.0.*"] }));
    assert_eq!(proxy.get(&origin.url("/")).text(), "direct");
    assert_eq!(parent.connections(), 0);
}

#[test]
fn a_parents_refusal_is_told_in_words_and_without_credentials() {
    let parent = parent();
    let url = format!("http://intruder:hunter2hunter2@{}", parent.dest());
    let proxy = Proxy::start(json!({ "upstream_proxy": url }));
    let (_, answer) = proxy.request_tunnel("origin.test:443");
    assert_eq!(answer.status(), 502);
    assert!(answer.text().contains("407"), "{}", answer.text());
    assert!(!proxy.log().contains("hunter2"));
}

#[test]
fn a_parent_that_is_not_there_is_named_without_its_credentials() {
    let parent = unused_address();
    let url = format!("http://intruder:hunter2hunter2@{parent}");
    let proxy = Proxy::start(json!({ "upstream_proxy": url }));
    for answer in [proxy.get("http://origin.test/"), proxy.request_tunnel("origin.test:443").1] {
        let text = answer.text();
        assert_eq!(answer.status(), 502, "{text}");
        assert!(text.contains(&format!(": the upstream proxy {parent}: ")), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_parent_that_is_this_proxy_is_a_loop() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = held.local_addr().unwrap();
    drop(held);
    let url = format!("http://{address}");
    let proxy = Proxy::start(json!({ "upstream_proxy": url, "proxy_port": address.port() }));
    let answer = proxy.get("http://origin.test/");
    assert_eq!((answer.status(), &answer.json()["error"]), (502, &json!("proxy_loop_detected")));
}

#[test]
fn a_parents_challenge_to_a_plain_request_is_told_in_words_too() {
    let parent = parent();
    let url = format!("http://user:wrong@{}", parent.dest());
    let proxy = Proxy::start(json!({ "upstream_proxy": url }));
    let reply = proxy.get("http://origin.test/");
    assert_eq!(reply.status(), 502, "{}", reply.text());
    assert!(reply.text().contains("other credentials (407)"), "{}", reply.text());
}

#[test]
fn a_parent_is_not_asked_to_bring_a_request_back() {
    let parent = parent();
    let proxy = chained(&parent, json!({}));
    let port = proxy.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let reply = proxy.get(&format!("http://{host}:{port}/"));
        assert_eq!(reply.status(), 502, "{host}");
        assert!(reply.text().contains("this proxy itself"), "{host}: {}", reply.text());
    }
}

/// The parent looks names up as the system does, and so reached the admin listener, which the proxy never connects to.
#[test]
fn a_parent_on_this_machine_is_not_asked_for_our_listeners_however_they_are_spelled() {
    let parent = parent();
    let proxy = chained(&parent, json!({ "admin_addr": "127.0.0.1:0" }));
    let port = proxy.admin_address().port();
    for host in ["127.1", "2130706433", "localhost.", "LOCALHOST", "unknown.invalid"] {
        let (_, tunnel) = proxy.request_tunnel(&format!("{host}:{port}"));
        let plain = proxy.get(&format!("http://{host}:{port}/status"));
        for answer in [tunnel, plain] {
            assert_eq!(answer.status(), 502, "{host}: {}", answer.text());
            assert_eq!(answer.json()["error"], "proxy_loop_detected", "{host}");
        }
    }
    assert_eq!(parent.connections(), 0);
    // On another port, what is not known here is the parent's to know.
    assert_eq!(proxy.get("http://unknown.invalid/").text(), "http://unknown.invalid/");
}
