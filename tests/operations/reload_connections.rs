//! A reload while requests are under way: what was connected under the old rules is not used under the new ones.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use crate::hash_of;
use crate::reload::{reload, rewrite};
use crate::support::tls::{self, Shown};
use crate::support::{Connection, Origin, Proxy, Reply, json};

/// A parent proxy that answers every request itself, those for a path `/slow` when told.
fn parent() -> (Origin, Sender<()>) {
    let (go, wait) = channel();
    let wait = Mutex::new(wait);
    let origin = Origin::http(move |request| {
        if request.target().ends_with("/slow") {
            wait.lock().unwrap().recv().unwrap();
        }
        Reply::ok("parent")
    });
    (origin, go)
}

fn url_of(parent: &Origin, user: &str) -> String {
    format!("http://{user}:invented@{}", parent.dest())
}

fn ask(client: &mut Connection, path: &str) {
    client.send(format!("GET http://origin.test{path} HTTP/1.1\r\nHost: origin.test\r\n\r\n"));
}

#[test]
fn a_connection_to_the_upstream_proxy_before_a_reload_is_not_given_the_credentials_for_the_one_after()
 {
    let ((first, go), (second, _)) = (parent(), parent());
    let proxy = Proxy::start(json!({ "upstream_proxy": url_of(&first, "one") }));
    let mut client = proxy.connect();
    ask(&mut client, "/slow");
    crate::support::wait_until("the request is there", || !first.received().is_empty());
    let url = url_of(&second, "two");
    rewrite(&proxy, |config| drop(config.insert("upstream_proxy".into(), json!(url))));
    reload(&proxy).expect_success("reload");
    go.send(()).unwrap();
    assert_eq!(client.receive_response().text(), "parent");
    ask(&mut client, "/after");
    assert_eq!(client.receive_response().text(), "parent");
    let mut other = proxy.connect();
    ask(&mut other, "/after");
    assert_eq!(other.receive_response().text(), "parent");
    assert_eq!((first.requests().len(), second.requests().len()), (1, 2));
}

#[test]
fn a_connection_that_was_not_verified_is_not_used_once_a_reload_asks_for_that() {
    let (go, wait) = channel();
    let wait = Mutex::new(wait);
    let origin = Origin::https(tls::server(Shown::UnknownIssuer), move |request| {
        if request.target() == "/slow" {
            wait.lock().unwrap().recv().unwrap();
        }
        Reply::ok("inside")
    });
    let proxy = Proxy::start(json!({ "insecure_hosts": ["localhost"] }));
    let dest = origin.local_dest();
    let mut client = proxy.https(&dest);
    client.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    crate::support::wait_until("the request is there", || !origin.received().is_empty());
    // What was dialled for it and not used yet is none of the new rules' either.
    let mut unused = proxy.https(&dest);
    rewrite(&proxy, |config| drop(config.insert("insecure_hosts".into(), json!([]))));
    reload(&proxy).expect_success("reload");
    go.send(()).unwrap();
    assert_eq!(client.receive_response().text(), "inside");
    for client in [&mut client, &mut unused, &mut proxy.https(&dest)] {
        client.send("GET /after HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.receive_response().status(), 502);
    }
    assert_eq!(origin.requests().len(), 1);
}

/// A tunnel of HTTP that this user asked for.
fn tunnel_of(proxy: &Proxy, dest: &str, credentials: &str) -> Connection {
    let mut client = proxy.connect();
    client.send(format!(
        "CONNECT {dest} HTTP/1.1\r\nHost: {dest}\r\nProxy-Authorization: Basic {credentials}\r\n\r\n"
    ));
    assert_eq!(client.receive_response_to("CONNECT").status(), 200);
    client
}

/// Whoever had a tunnel could use it for as long as he liked.
#[test]
fn the_tunnel_of_a_user_who_is_none_any_more_is_closed_with_its_next_request() {
    let origin = Origin::http(|_| Reply::ok("inside"));
    let proxy = Proxy::start(json!({ "proxy_auth": {
        "gone": hash_of("invented-one"), "stays": hash_of("invented-two"), "changes": hash_of("invented-three")
    }}));
    let pairs = ["gone:invented-one", "stays:invented-two", "changes:invented-three"];
    let dest = origin.dest();
    let mut tunnels =
        pairs.map(|pair| tunnel_of(&proxy, &dest, &data_encoding::BASE64.encode(pair.as_bytes())));
    let ask = |client: &mut Connection| {
        client.send(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        client.try_receive_response_to("GET").ok().map(|answer| answer.text())
    };
    let inside = Some("inside".to_owned());
    assert!(tunnels.iter_mut().all(|tunnel| ask(tunnel) == inside));
    rewrite(&proxy, |config| {
        let users = config["proxy_auth"].as_object_mut().unwrap();
        users.remove("gone");
        users.insert("changes".into(), json!(hash_of("invented-four")));
    });
    reload(&proxy).expect_success("reload");
    let [gone, stays, changes] = &mut tunnels;
    assert_eq!((ask(gone), ask(stays), ask(changes)), (None, inside.clone(), None));
    rewrite(&proxy, |config| drop(config.remove("proxy_auth")));
    reload(&proxy).expect_success("reload");
    assert_eq!(ask(stays), inside, "nobody is asked any more");
    rewrite(&proxy, |config| {
        config.insert("proxy_auth".into(), json!({"stays": hash_of("invented-two")}));
    });
    reload(&proxy).expect_success("reload");
    assert_eq!(ask(stays), None, "it was nobody's when it was asked for last");
}

/// Each of its requests came with the first byte of the next, and what was there already was never judged anew.
#[test]
fn a_user_who_is_none_any_more_stays_none_by_sending_ahead() {
    let origin = Origin::http(|_| Reply::ok("inside"));
    let proxy = Proxy::start(json!({ "proxy_auth": { "gone": hash_of("invented-one") } }));
    let dest = origin.dest();
    let mut tunnel = tunnel_of(&proxy, &dest, &data_encoding::BASE64.encode(b"gone:invented-one"));
    tunnel.send(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\nG"));
    assert_eq!(tunnel.receive_response().text(), "inside");
    rewrite(&proxy, |config| {
        config.insert("proxy_auth".into(), json!({ "another": hash_of("invented-two") }));
    });
    reload(&proxy).expect_success("reload");
    // The one that was under way may be answered still.
    for _ in 0..3 {
        tunnel.send(format!("ET / HTTP/1.1\r\nHost: {dest}\r\n\r\nG"));
        if tunnel.try_receive_response_to("GET").is_err() {
            return;
        }
    }
    panic!("it is still let in");
}
