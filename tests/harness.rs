//! The harness itself: its clients and origins against each other, with no proxy in between, so that a
//! failing test elsewhere speaks of the proxy.

mod support;

use std::sync::mpsc;

use support::message::chunked;
use support::tls::{self, Shown};
use support::{Connection, End, Origin, Reply, SAMPLES};

#[test]
fn an_http_origin_answers_requests_of_one_connection_in_turn() {
    let origin =
        Origin::http(|request| Reply::ok(format!("{} {}", request.target(), request.body.len())));
    let mut client = Connection::open(origin.address);
    client.send("GET /one HTTP/1.1\r\nHost: h\r\n\r\nPOST /two HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(client.receive_response().text(), "/one 0");
    assert_eq!(client.receive_response().text(), "/two 3");
    let head = "POST /three HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send([head.as_bytes(), &chunked(&[b"ab", b"cde"])].concat());
    assert_eq!(client.receive_response().text(), "/three 5");
    assert_eq!(origin.connections(), 1);
    assert_eq!(origin.requests().len(), 3);
}

#[test]
fn a_scripted_origin_is_stepped_by_the_test() {
    let (step, steps) = mpsc::channel::<&'static str>();
    let steps = std::sync::Mutex::new(steps);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_through(b"go");
        while let Ok(text) = steps.lock().unwrap().recv() {
            connection.send(text);
        }
        connection.reset();
    });
    let mut client = Connection::open(origin.address);
    client.send("go");
    for text in ["first", "second"] {
        step.send(text).unwrap();
        assert_eq!(client.receive_exact(text.len()), text.as_bytes());
    }
    drop(step);
    assert_eq!(client.receive_to_end(), (Vec::new(), End::Reset));
    assert_eq!(origin.received(), b"go");
}

#[test]
fn tls_origins_show_the_certificate_they_were_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("roots.pem");
    std::fs::write(&trusted, &tls::root().pem).unwrap();
    let client = tls::client(&trusted);
    for (shown, error) in [
        (Shown::Valid, None),
        (Shown::Expired, Some("expired")),
        (Shown::WrongName, Some("not valid for name")),
        (Shown::UnknownIssuer, Some("UnknownIssuer")),
    ] {
        let origin = Origin::https(tls::server(shown), |_| Reply::ok("secret"));
        let connection = Connection::open(origin.address).tls_client("localhost", client.clone());
        match (connection, error) {
            (Ok(mut connection), None) => {
                connection.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
                assert_eq!(connection.receive_response().text(), "secret");
            }
            (Err(found), Some(error)) => assert!(found.to_string().contains(error), "{found}"),
            (connection, error) => panic!("{shown:?}: {:?}, not {error:?}", connection.err()),
        }
    }
}

#[test]
fn tls_ends_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("roots.pem");
    std::fs::write(&trusted, &tls::root().pem).unwrap();
    for (orderly, end) in [(true, End::Closed), (false, End::Truncated)] {
        let origin = Origin::raw_tls(tls::server(Shown::Valid), move |mut connection| {
            connection.receive_exact(1);
            if orderly { connection.close() } else { connection.close_without_notify() }
        });
        let connection = Connection::open(origin.address);
        let mut client = connection.tls_client("127.0.0.1", tls::client(&trusted)).unwrap();
        client.send("x");
        assert_eq!(client.receive_to_end(), (Vec::new(), end));
    }
}

#[test]
fn a_client_certificate_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let trusted = directory.path().join("roots.pem");
    std::fs::write(&trusted, &tls::root().pem).unwrap();
    let origin = Origin::https(tls::server_with_client_certificates(), |_| Reply::ok("no"));
    let connection = Connection::open(origin.address);
    let handshake = connection.tls_client("localhost", tls::client(&trusted));
    let refused = match handshake {
        Err(_) => true,
        // TLS 1.3 tells the client with its first read.
        Ok(mut client) => {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.receive())).is_err()
        }
    };
    assert!(refused);
    support::wait_until("the origin's failed handshake", || origin.failed_handshakes() == 1);
}

#[test]
fn the_samples_are_texts_of_one_line() {
    for sample in &SAMPLES {
        assert!(!sample.text().contains(['\r', '\n']), "{}", sample.pattern);
    }
}
