//! Connections kept, shared and given up, on both legs.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::assert_own_answer;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, End, Origin, Proxy, Reply, json, wait_until};

fn request(origin: &Origin, path: &str) -> String {
    format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", origin.url(path), origin.dest())
}

fn fetch(client: &mut Connection, origin: &Origin, path: &str) -> String {
    client.send(request(origin, path));
    client.receive_response().text()
}

#[test]
fn one_upstream_connection_serves_several_requests_and_clients() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(request.target()));
    for _ in 0..3 {
        let mut client = proxy.connect();
        for path in ["/one", "/two", "/three"] {
            assert_eq!(fetch(&mut client, &origin, path), path);
        }
    }
    assert_eq!((origin.connections(), origin.requests().len()), (1, 9));
}

#[test]
fn one_upstream_tls_connection_serves_several_tunnels() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |request| Reply::ok(request.target()));
    for path in ["/one", "/two", "/three"] {
        let mut client = proxy.https(&origin.local_dest());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert_eq!(client.receive_response().text(), path);
    }
    assert_eq!((origin.connections(), origin.requests().len()), (1, 3));
}

/// An origin that asks for a login of the connection, and then says whose it is; what has none is nobody's.
fn origin_with_logins() -> Origin {
    Origin::raw(|mut connection| {
        let mut user = "nobody".to_owned();
        while let Some(request) = connection.try_receive_request() {
            if let Some(login) = request.header("authorization") {
                user = login.to_owned();
            }
            let asks = request.target().ends_with("/private") && user == "nobody";
            let head = match asks {
                true => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\", NTLM",
                false => "200 OK",
            };
            let length = user.len();
            connection.send(format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{user}"));
        }
    })
}

#[test]
fn a_connection_that_one_client_logged_in_on_is_not_shared_with_another() {
    let proxy = Proxy::start(json!({}));
    let (origin, elsewhere) = (origin_with_logins(), Origin::http(|_| Reply::ok("elsewhere")));
    let login = |scheme: &str| {
        let end = format!("Authorization: {scheme} aW52ZW50ZWQ=\r\n\r\n");
        request(&origin, "/").replacen("\r\n\r\n", &format!("\r\n{end}"), 1)
    };
    let mut last: Vec<Connection> = Vec::new();
    for scheme in ["NTLM", "Negotiate"] {
        let mut one = proxy.connect();
        one.send(login(scheme));
        let user = format!("{scheme} aW52ZW50ZWQ=");
        assert_eq!(one.receive_response().text(), user);
        assert_eq!(fetch(&mut one, &elsewhere, "/"), "elsewhere");
        assert_eq!(fetch(&mut one, &origin, "/"), user, "its own, whoever it asked in between");
        let mut other = proxy.connect();
        assert_eq!(fetch(&mut other, &origin, "/"), "nobody");
        assert_eq!(fetch(&mut one, &origin, "/"), user);
        last.push(one);
        drop(other);
    }
    drop(last);
    assert_eq!(fetch(&mut proxy.connect(), &origin, "/"), "nobody", "nor once the client has gone");
    assert_eq!(origin.connections(), 3);
}

#[test]
fn a_connection_on_which_a_login_of_its_own_was_offered_stays_with_its_client() {
    let proxy = Proxy::start(json!({}));
    let origin = origin_with_logins();
    let mut one = proxy.connect();
    for _ in 0..2 {
        one.send(request(&origin, "/private"));
        assert_eq!(one.receive_response().status(), 401);
    }
    assert_eq!(origin.connections(), 1);
    assert_eq!(fetch(&mut proxy.connect(), &origin, "/"), "nobody");
    assert_eq!(origin.connections(), 2);
}

#[test]
fn one_client_connection_reaches_several_origins() {
    let proxy = Proxy::start(json!({}));
    let (one, two) = (Origin::http(|_| Reply::ok("one")), Origin::http(|_| Reply::ok("two")));
    let mut client = proxy.connect();
    for _ in 0..2 {
        assert_eq!(fetch(&mut client, &one, "/"), "one");
        assert_eq!(fetch(&mut client, &two, "/"), "two");
    }
    assert_eq!((one.connections(), two.connections()), (1, 1));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(request.target()));
    let paths = ["/first", "/second", "/third"];
    let mut client = proxy.connect();
    client.send(paths.map(|path| request(&origin, path)).concat());
    for path in paths {
        assert_eq!(client.receive_response().text(), path);
    }
}

#[test]
fn a_client_that_asks_for_the_end_gets_it() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("last"));
    let mut client = proxy.connect();
    client.send(format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        origin.url("/"),
        origin.dest()
    ));
    let response = client.receive_response();
    assert_eq!(response.text(), "last");
    assert_eq!(response.header("connection").map(str::to_lowercase).as_deref(), Some("close"));
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
    assert_eq!(origin.requests()[0].header("connection"), None, "the other leg is kept");
}

#[test]
fn an_answer_that_does_not_wait_for_the_request_announces_the_end_that_follows() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        connection.receive_head();
        connection.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
        connection.receive_to_end();
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nExpect: 100-continue\r\n\
         Content-Length: 10\r\n\r\n"
    ));
    let response = client.receive_response();
    assert_eq!((response.status(), response.text().as_str()), (401, "no"));
    assert_eq!(response.header("connection").map(str::to_lowercase).as_deref(), Some("close"));
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
}

#[test]
fn an_origin_that_closes_does_not_close_the_client() {
    let proxy = Proxy::start(json!({}));
    let origin =
        Origin::http(|_| Reply::with("200 OK", "Connection: close\r\n", "closing").then_close());
    let mut client = proxy.connect();
    for _ in 0..3 {
        assert_eq!(fetch(&mut client, &origin, "/"), "closing");
    }
    assert_eq!(origin.connections(), 3);
}

/// Answers the first request of a connection; closes at the second, unanswered.
fn forgetful_origin() -> Origin {
    Origin::raw(|mut connection| {
        connection.receive_request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        connection.try_receive_request();
        connection.close();
    })
}

#[test]
fn a_kept_connection_that_died_is_replaced_where_the_request_may_be_repeated() {
    let proxy = Proxy::start(json!({}));
    let origin = forgetful_origin();
    for _ in 0..4 {
        let mut client = proxy.connect();
        assert_eq!(fetch(&mut client, &origin, "/"), "ok");
    }
}

#[test]
fn a_request_that_may_not_be_repeated_is_sent_once() {
    let proxy = Proxy::start(json!({}));
    let origin = forgetful_origin();
    let mut client = proxy.connect();
    assert_eq!(fetch(&mut client, &origin, "/"), "ok");
    let dest = origin.dest();
    client.send(format!(
        "POST http://{dest}/pay HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 4\r\n\r\nonce"
    ));
    let response = client.receive_response();
    let received = String::from_utf8(origin.received()).unwrap();
    assert_eq!(received.matches("POST /pay").count(), 1, "{}", response.text());
    assert_own_answer(
        &response,
        502,
        &["connection_terminated", "http_response_incomplete", "http_protocol_error"],
    );
}

#[test]
fn a_connection_that_the_origin_closed_while_idle_is_not_used_again() {
    let proxy = Proxy::start(json!({}));
    let count = AtomicUsize::new(0);
    let origin = Origin::http(move |_| {
        Reply::ok(format!("{}", count.fetch_add(1, Ordering::SeqCst))).then_close()
    });
    let dest = origin.dest();
    for number in 0..5 {
        // The origin has closed the last connection before this begins.
        wait_until("the end of the last connection", || origin.ended() == number);
        let response = proxy.exchange(format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 1\r\n\r\nx"
        ));
        assert_eq!(response.text(), number.to_string());
    }
}

#[test]
fn a_body_that_the_client_did_not_finish_does_not_poison_the_pool() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(request.target()));
    let dest = origin.dest();
    let mut broken = proxy.connect();
    broken.send(format!(
        "POST http://{dest}/broken HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 100\r\n\r\npart"
    ));
    wait_until("the part at the origin", || origin.received().ends_with(b"part"));
    broken.reset();
    for path in ["/one", "/two"] {
        assert_eq!(proxy.get(&origin.url(path)).text(), path);
    }
}

#[test]
fn a_connection_ends_after_as_many_requests_as_configured() {
    let proxy = Proxy::start(json!({ "max_requests_per_connection": 2 }));
    let origin = Origin::http(|request| Reply::ok(request.target()));
    let mut client = proxy.connect();
    assert_eq!(fetch(&mut client, &origin, "/one"), "/one");
    client.send(request(&origin, "/two"));
    let last = client.receive_response();
    assert_eq!(last.header("connection").map(str::to_lowercase).as_deref(), Some("close"));
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
}

#[test]
fn no_more_connections_are_served_at_once_than_permitted() {
    let proxy = Proxy::start(json!({ "max_connections": 2 }));
    let origin = Origin::http(|request| Reply::ok(request.target()));
    let (mut first, mut second) = (proxy.connect(), proxy.connect());
    assert_eq!(fetch(&mut first, &origin, "/first"), "/first");
    assert_eq!(fetch(&mut second, &origin, "/second"), "/second");
    let mut third = proxy.connect();
    third.send(request(&origin, "/third"));
    for _ in 0..20 {
        fetch(&mut first, &origin, "/first");
        fetch(&mut second, &origin, "/second");
    }
    assert!(!origin.requests().iter().any(|request| request.target() == "/third"));
    first.close();
    assert_eq!(third.receive_response().text(), "/third");
}
