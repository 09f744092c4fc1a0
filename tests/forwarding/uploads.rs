//! An answer before the end of its request: who accepts an upload gets all of it, who refuses it gets no more.

use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::message::chunked;
use crate::support::origin::unused_address;
use crate::support::run::run;
use crate::support::samples::sample;
use crate::support::tls::{self, Shown};
use crate::support::{Connection, DEADLINE, End, Origin, Proxy, Response, json, wait_until};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\ndone";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// 500 kB of which no two KiB are alike.
fn data() -> Vec<u8> {
    (0..62_500).flat_map(|number| format!("{number:07} ").into_bytes()).collect()
}

/// An origin that answers its first request as soon as it has the head, and then reads the body to its end; it answers
/// the second in turn. Tells of each body.
fn early_origin(encrypted: bool, answer: &'static str) -> (Origin, Receiver<Vec<u8>>) {
    let (told, bodies) = channel();
    let told = Mutex::new(told);
    let script = move |mut connection: Connection| {
        while let Some(head) = connection.try_receive_request_head() {
            let is_first = head.start.starts_with("POST");
            if is_first {
                connection.send(answer);
            }
            let Some(request) = connection.try_receive_request_body(head) else { return };
            told.lock().unwrap().send(request.body).unwrap();
            if !is_first {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
            }
        }
    };
    let origin = match encrypted {
        true => Origin::raw_tls(tls::server(Shown::Valid), script),
        false => Origin::raw(script),
    };
    (origin, bodies)
}

/// The destination, and a client of it.
fn client_of(proxy: &Proxy, origin: &Origin, encrypted: bool) -> (String, Connection) {
    match encrypted {
        true => (origin.local_dest(), proxy.https(&origin.local_dest())),
        false => (origin.dest(), proxy.connect()),
    }
}

/// Begins an upload of a Content-Length.
fn begin(client: &mut Connection, dest: &str, fields: &str, length: usize) {
    client.send(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n{fields}Content-Length: {length}\r\n\r\n"
    ));
}

#[track_caller]
fn assert_next_is_answered(client: &mut Connection, dest: &str) {
    client.send(format!("GET http://{dest}/next HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    assert_eq!(client.receive_response().text(), "next");
}

/// The origin gets every byte of an upload that it answers first, and the client's connection goes on.
#[track_caller]
fn assert_goes_on(answer: &'static str, as_chunks: bool, encrypted: bool) {
    let proxy = Proxy::start(json!({}));
    let (origin, bodies) = early_origin(encrypted, answer);
    let (dest, mut client) = client_of(&proxy, &origin, encrypted);
    let data = data();
    let body = match as_chunks {
        true => chunked(&data.chunks(3000).collect::<Vec<_>>()),
        false => data.clone(),
    };
    let framing = match as_chunks {
        true => "Transfer-Encoding: chunked".to_owned(),
        false => format!("Content-Length: {}", data.len()),
    };
    let target = if encrypted { "/".to_owned() } else { format!("http://{dest}/") };
    client.send(format!("POST {target} HTTP/1.1\r\nHost: {dest}\r\n{framing}\r\n\r\n"));
    let (first, rest) = body.split_at(10_000);
    client.send(first);
    let response = client.receive_response();
    assert!(matches!(response.status(), 200 | 202 | 204), "{}", response.start);
    assert_eq!(response.header("connection"), None);
    for piece in rest.chunks(50_000) {
        client.send(piece);
    }
    let target = if encrypted { "/next".to_owned() } else { format!("http://{dest}/next") };
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    assert_eq!(client.receive_response().text(), "next");
    // Each on a connection of its own: in any order.
    let [first, second] = [(); 2].map(|()| bodies.recv_timeout(DEADLINE).unwrap());
    let upload = if first.is_empty() { second } else { first };
    assert!(upload == data, "the upload, byte for byte");
}

#[test]
fn an_origin_that_accepts_an_upload_early_gets_every_byte_and_the_client_its_next_answer() {
    for answer in [OK, ACCEPTED, CHUNKED, NO_CONTENT] {
        assert_goes_on(answer, false, false);
    }
}

#[test]
fn an_upload_in_chunks_that_is_accepted_early_goes_on() {
    assert_goes_on(OK, true, false);
    assert_goes_on(ACCEPTED, true, false);
}

#[test]
fn an_encrypted_upload_that_is_accepted_early_goes_on() {
    assert_goes_on(OK, false, true);
    assert_goes_on(ACCEPTED, true, true);
}

#[test]
fn an_upload_that_is_accepted_early_goes_on_for_a_client_that_asked_for_the_end_behind_it() {
    let proxy = Proxy::start(json!({}));
    let data = data();
    for (version, fields) in [("1.1", "Connection: close\r\n"), ("1.0", "")] {
        let (origin, bodies) = early_origin(false, OK);
        let dest = origin.dest();
        let mut client = proxy.connect();
        let length = data.len();
        client.send(format!(
            "POST http://{dest}/ HTTP/{version}\r\nHost: {dest}\r\n{fields}Content-Length: {length}\r\n\r\n"
        ));
        let response = client.receive_response();
        assert_eq!((response.status(), response.text().as_str()), (200, "done"));
        client.send(&data);
        assert!(bodies.recv_timeout(DEADLINE).unwrap() == data, "HTTP/{version}");
        assert_eq!(client.receive_to_end(), (vec![], End::Closed));
    }
}

#[test]
fn a_client_of_http_1_0_that_keeps_its_connection_does_so_behind_an_early_answer() {
    let proxy = Proxy::start(json!({}));
    let (origin, bodies) = early_origin(false, OK);
    let (dest, mut client) = client_of(&proxy, &origin, false);
    client.send(format!(
        "POST http://{dest}/ HTTP/1.0\r\nHost: {dest}\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\n"
    ));
    let response = client.receive_response();
    assert_eq!(response.header("connection").map(str::to_lowercase).as_deref(), Some("keep-alive"));
    client.send("rest");
    assert_eq!(bodies.recv_timeout(DEADLINE).unwrap(), b"rest");
    assert_next_is_answered(&mut client, &dest);
}

#[test]
fn a_client_of_http_1_0_has_the_end_of_an_early_answer_in_chunks_at_once() {
    let proxy = Proxy::start(json!({}));
    let (origin, _bodies) = early_origin(false, CHUNKED);
    let dest = origin.dest();
    let mut client = proxy.connect();
    client
        .send(format!("POST http://{dest}/ HTTP/1.0\r\nHost: {dest}\r\nContent-Length: 4\r\n\r\n"));
    let head = client.receive_head();
    assert_eq!(head.header("transfer-encoding"), None);
    assert_eq!(client.receive_to_end(), (b"done".to_vec(), End::Closed));
}

#[test]
fn a_connection_on_which_both_directions_stream_serves_the_next_request() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::raw(|mut connection| {
        while connection.try_receive_request_head().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let mut size = Vec::new();
            while size != b"0\r\n" {
                size = connection.receive_through(b"\r\n");
                let data = connection.receive_through(b"\r\n");
                connection.send([size.as_slice(), &data].concat());
            }
        }
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    for _ in 0..3 {
        client.send(format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
        assert_eq!(client.receive_head().header("connection"), None);
        for letter in b'a'..=b'e' {
            let chunk = [b"1\r\n", [letter].as_slice(), b"\r\n"].concat();
            client.send(&chunk);
            assert_eq!(client.receive_exact(6), chunk);
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.receive_exact(5), b"0\r\n\r\n");
    }
}

#[test]
fn a_client_with_an_expectation_that_was_met_sends_its_body_behind_an_early_answer() {
    let proxy = Proxy::start(json!({}));
    let answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
    let (origin, bodies) = early_origin(false, answer);
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "Expect: 100-continue\r\n", 4);
    assert_eq!(client.receive_response().status(), 100);
    let response = client.receive_response();
    assert_eq!((response.status(), response.header("connection")), (200, None));
    client.send("rest");
    assert_eq!(bodies.recv_timeout(DEADLINE).unwrap(), b"rest");
    assert_next_is_answered(&mut client, &dest);
}

#[test]
fn a_client_that_waits_no_longer_for_its_expectation_sends_all_of_its_body() {
    let proxy = Proxy::start(json!({}));
    let (told, bodies) = channel();
    let told = Mutex::new(told);
    let origin = Origin::raw(move |mut connection| {
        let Some(head) = connection.try_receive_request_head() else { return };
        if head.start.starts_with("GET") {
            return connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
        }
        assert_eq!(connection.receive_exact(6), b"first ");
        connection.send(OK);
        told.lock().unwrap().send(connection.receive_exact(4)).unwrap();
    });
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "Expect: 100-continue\r\n", 10);
    client.send("first ");
    assert_eq!(client.receive_response().header("connection"), None);
    client.send("rest");
    assert_eq!(bodies.recv_timeout(DEADLINE).unwrap(), b"rest");
    assert_next_is_answered(&mut client, &dest);
}

/// The client is told that its connection ends, which it does; and the origin's side ends.
#[track_caller]
fn assert_is_last(fields: &str, answer: &'static str) -> Response {
    let proxy = Proxy::start(json!({}));
    let (origin, bodies) = early_origin(false, answer);
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, fields, 100_000);
    let response = client.receive_response();
    let connection = response.header("connection").map(str::to_lowercase);
    assert_eq!(connection.as_deref(), Some("close"), "{}", response.start);
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
    wait_until("the end of the origin's side", || origin.ended() == 1);
    assert!(bodies.try_recv().is_err(), "no body");
    response
}

#[test]
fn an_early_answer_that_ends_its_connection_is_the_last() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone";
    assert_eq!(assert_is_last("", answer).text(), "done");
    let answer =
        "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig";
    assert_eq!(assert_is_last("", answer).text(), "big");
}

#[test]
fn an_early_answer_that_refuses_its_request_is_the_last() {
    for answer in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
    ] {
        assert_eq!(assert_is_last("", answer).text(), "no");
    }
}

#[test]
fn an_answer_to_a_client_that_waits_before_its_body_is_the_last() {
    assert_eq!(assert_is_last("Expect: 100-continue\r\n", OK).text(), "done");
}

/// An origin that answers early, reads `received` bytes, waits for the word and then does something else.
fn origin_that(
    received: usize,
    then: impl Fn(Connection) + Send + Sync + 'static,
) -> (Origin, Sender<()>) {
    let (go, word) = channel();
    let word = Mutex::new(word);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        connection.send(OK);
        connection.receive_exact(received);
        let _ = word.lock().unwrap().recv();
        then(connection);
    });
    (origin, go)
}

/// What the origin does after its early answer ends the client's connection, without another byte.
#[track_caller]
fn assert_ends(then: impl Fn(Connection) + Send + Sync + 'static) {
    let proxy = Proxy::start(json!({}));
    let (origin, go) = origin_that(10_000, then);
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "", 500_000);
    client.send(vec![b'x'; 10_000]);
    assert_eq!(client.receive_response().text(), "done");
    go.send(()).unwrap();
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
}

#[test]
fn an_origin_that_goes_away_during_an_upload_it_has_answered_ends_it() {
    assert_ends(Connection::close);
    assert_ends(Connection::reset);
    assert_ends(|mut connection| {
        connection.finish_sending();
        connection.receive_to_end();
    });
}

#[test]
fn an_origin_that_says_more_during_an_upload_it_has_answered_ends_it() {
    assert_ends(|mut connection| {
        connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
        connection.receive_to_end();
    });
}

#[test]
fn an_origin_that_goes_away_is_noticed_by_a_client_that_only_sends() {
    let proxy = Proxy::start(json!({}));
    let (origin, go) = origin_that(10_000, Connection::reset);
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "", 1 << 40);
    client.send(vec![b'x'; 10_000]);
    assert_eq!(client.receive_response().text(), "done");
    go.send(()).unwrap();
    let piece = vec![b'x'; 100_000];
    wait_until("the end", || client.try_send(&piece).is_err());
}

#[test]
fn a_secret_at_the_end_of_an_upload_that_was_answered_early_is_found() {
    for as_chunks in [false, true] {
        let proxy = Proxy::start(json!({}));
        let (origin, bodies) = early_origin(false, ACCEPTED);
        let (dest, mut client) = client_of(&proxy, &origin, false);
        let secret = sample("ai_api_key");
        let data = [data(), secret.text().into_bytes()].concat();
        if as_chunks {
            client.send(format!(
                "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n"
            ));
            assert_eq!(client.receive_response().status(), 202);
            client.send(chunked(&data.chunks(3000).collect::<Vec<_>>()));
        } else {
            begin(&mut client, &dest, "", data.len());
            assert_eq!(client.receive_response().status(), 202);
            client.send(&data);
        }
        assert!(bodies.recv_timeout(DEADLINE).unwrap() == data);
        let found = proxy.wait_for_finding(|finding| finding.dest == dest);
        assert_eq!(
            (found.pattern.as_str(), found.direction.as_str()),
            (secret.pattern, "outbound")
        );
    }
}

#[test]
fn a_client_that_stops_sending_behind_its_early_answer_is_let_go() {
    for sent in ["", "a part"] {
        let proxy = Proxy::start(json!({ "body_idle_timeout_secs": 1 }));
        let (origin, bodies) = early_origin(false, OK);
        let (dest, mut client) = client_of(&proxy, &origin, false);
        begin(&mut client, &dest, "", 500_000);
        assert_eq!(client.receive_response().text(), "done");
        client.send(sent);
        assert_eq!(client.receive_to_end(), (vec![], End::Closed));
        wait_until("the end of the origin's side", || origin.ended() == 1);
        assert!(bodies.try_recv().is_err(), "no whole body");
    }
}

#[test]
fn an_origin_that_stops_reading_behind_its_early_answer_lets_the_client_go() {
    let proxy = Proxy::start(json!({ "body_idle_timeout_secs": 1 }));
    let (origin, _hold) = origin_that(0, drop);
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "", 1 << 40);
    assert_eq!(client.receive_response().text(), "done");
    let piece = vec![b'x'; 100_000];
    wait_until("the end", || client.try_send(&piece).is_err());
}

#[test]
fn a_client_that_gives_up_its_upload_has_all_of_the_early_answer() {
    // More than a client's socket takes, less than it and the proxy's together.
    const LEN: usize = 150_000;
    let proxy = Proxy::start(json!({ "admin_addr": "127.0.0.1:0" }));
    let (told, bodies) = channel();
    let told = Mutex::new(told);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LEN}\r\n\r\n"));
        connection.send(vec![b'a'; LEN]);
        told.lock().unwrap().send(connection.receive_to_end()).unwrap();
    });
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "", 500_000);
    client.send("a part");
    let passed = |metrics: &str| {
        let value = metrics.lines().find_map(|line| {
            line.strip_prefix("clawsec_bytes_total{core=\"0\",direction=\"inbound\"} ")?
                .parse()
                .ok()
        });
        value.is_some_and(|bytes: usize| bytes > LEN)
    };
    wait_until("the answer on its way", || passed(&proxy.admin("/metrics").text()));
    client.finish_sending();
    assert_eq!(client.receive_response().body.len(), LEN);
    assert_eq!(client.receive_to_end(), (vec![], End::Closed));
    assert_eq!(bodies.recv_timeout(DEADLINE).unwrap().0, b"a part");
}

#[test]
fn a_client_is_idle_from_the_end_of_an_upload_that_was_answered_early() {
    let proxy = Proxy::start(json!({ "client_idle_timeout_secs": 3 }));
    let (origin, bodies) = early_origin(false, OK);
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "", 4);
    assert_eq!(client.receive_response().text(), "done");
    std::thread::sleep(Duration::from_secs(4));
    client.send("rest");
    assert_eq!(bodies.recv_timeout(DEADLINE).unwrap(), b"rest");
    // Well past a look at the deadlines.
    std::thread::sleep(Duration::from_millis(500));
    assert_next_is_answered(&mut client, &dest);
}

#[test]
fn a_connection_whose_answer_was_over_before_its_request_serves_nobody_else() {
    // The origin does not read on, and takes the upload for the next request.
    let proxy = Proxy::start(json!({}));
    let (go, word) = channel();
    let word = Mutex::new(word);
    let origin = Origin::raw(move |mut connection| {
        let head = connection.receive_head();
        if head.start.starts_with("GET") {
            return connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
        }
        connection.send(OK);
        connection.receive_head();
        let _ = word.lock().unwrap().recv();
        let _ = connection.try_send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged");
        connection.receive_to_end();
    });
    let (dest, mut client) = client_of(&proxy, &origin, false);
    let upload = format!("GET /forged HTTP/1.1\r\nHost: {dest}\r\n\r\n");
    begin(&mut client, &dest, "", upload.len());
    assert_eq!(client.receive_response().text(), "done");
    client.send(upload);
    assert_next_is_answered(&mut client, &dest);
    go.send(()).unwrap();
    assert_eq!(origin.connections(), 2);
}

/// Sends all of its body before it reads, as Python's libraries do, and gives up where that fails. Prints the status.
const SENDS_ALL_FIRST: &str = "
import http.client, ssl, sys, time
proxy, dest, number, size, pause, ca = sys.argv[1:]
def pieces():
    for _ in range(int(number)):
        yield b'x' * int(size)
        time.sleep(float(pause))
host, port = dest.rsplit(':', 1)
if ca:
    client = http.client.HTTPSConnection(proxy, context=ssl.create_default_context(cafile=ca))
    client.set_tunnel(host, int(port))
    client.request('POST', '/', body=pieces())
else:
    client = http.client.HTTPConnection(proxy)
    client.request('POST', f'http://{dest}/', body=pieces())
print(client.getresponse().status)
";

/// Such a client of `dest` has this answer.
#[track_caller]
fn assert_reaches(proxy: &Proxy, dest: &str, (number, size, pause): (u32, u32, &str), status: u16) {
    let ca = dest.starts_with("localhost").then(|| proxy.ca_path().display().to_string());
    let (number, size, address) =
        (number.to_string(), size.to_string(), proxy.address().to_string());
    let mut client = Command::new("python3");
    client.args(["-c", SENDS_ALL_FIRST, &address, dest, &number, &size, pause]);
    let outcome = run(client.arg(ca.unwrap_or_default()));
    assert_eq!(outcome.stdout.trim(), status.to_string(), "{dest}: {}", outcome.text());
}

/// An origin that reads a head, says something, ends its direction and reads no more.
fn deaf_origin(encrypted: bool, answer: &'static str) -> (Origin, Sender<()>) {
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let script = move |mut connection: Connection| {
        connection.receive_head();
        connection.send(answer);
        connection.finish_sending();
        let _ = held.lock().unwrap().recv();
    };
    let origin = match encrypted {
        true => Origin::raw_tls(tls::server(Shown::Valid), script),
        false => Origin::raw(script),
    };
    (origin, hold)
}

const LONG: (u32, u32, &str) = (32, 1 << 20, "0");
const TOO_LARGE: &str =
    "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig";

#[test]
fn an_answer_of_ours_is_not_lost_to_a_client_that_sends_all_before_it_reads() {
    let proxy = Proxy::start(json!({}));
    assert_reaches(&proxy, &unused_address().to_string(), LONG, 502);
    for encrypted in [false, true] {
        let (origin, _hold) = deaf_origin(encrypted, "");
        let dest = if encrypted { origin.local_dest() } else { origin.dest() };
        assert_reaches(&proxy, &dest, LONG, 502);
    }
}

/// It was lost behind 1 MiB, inside CONNECT too.
#[test]
fn the_refusal_of_a_length_a_coding_or_a_head_is_not_lost_to_a_client_that_sends_all_before_it_reads()
 {
    let proxy = Proxy::start(json!({}));
    let too_large = format!("X-Long: {}\r\n", "x".repeat(80_000));
    let both = "Content-Length: 8388608\r\nTransfer-Encoding: chunked\r\n";
    for encrypted in [false, true] {
        let (origin, _bodies) = early_origin(encrypted, OK);
        for (fields, status) in
            [(both, 400), ("Transfer-Encoding: gzip, chunked\r\n", 501), (&*too_large, 431)]
        {
            let (dest, mut client) = client_of(&proxy, &origin, encrypted);
            let piece = [b'x'; 64 * 1024];
            let head = format!("POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n{fields}\r\n");
            let mut sent = client.try_send(head);
            for _ in 0..8 * 16 {
                sent = sent.and_then(|()| client.try_send(piece));
            }
            sent.unwrap_or_else(|error| panic!("{status}, encrypted {encrypted}: {error}"));
            assert_eq!(client.receive_response().status(), status, "encrypted {encrypted}");
        }
    }
}

#[test]
fn an_early_refusal_is_not_lost_to_a_client_that_sends_all_before_it_reads() {
    let proxy = Proxy::start(json!({}));
    for encrypted in [false, true] {
        let (origin, _hold) = deaf_origin(encrypted, TOO_LARGE);
        let dest = if encrypted { origin.local_dest() } else { origin.dest() };
        assert_reaches(&proxy, &dest, LONG, 413);
    }
}

#[test]
fn an_early_answer_is_not_lost_to_a_client_that_sends_slowly() {
    let proxy = Proxy::start(json!({}));
    assert_reaches(&proxy, &unused_address().to_string(), (4, 1000, "1.2"), 502);
}

/// Whether a client in the middle of its upload is waited for when another one, which was answered too, is not any more.
fn assert_let_go_before_an_upload(what: &str, request: &str, status: u16) {
    let proxy = Proxy::start(json!({ "admin_addr": "127.0.0.1:0" }));
    let mut uploading = proxy.connect();
    begin(&mut uploading, &unused_address().to_string(), "", 500_000);
    assert_eq!(uploading.receive_response().status(), 502);
    let mut client = proxy.connect();
    client.send(request);
    assert_eq!(client.receive_response().status(), status, "{what}");
    let are_both_open = || {
        let metrics = proxy.admin("/metrics").text();
        let of = |line: &str| Some(line.strip_prefix("clawsec_connections_open{")?.ends_with(" 2"));
        metrics.lines().find_map(of).expect("the gauge")
    };
    wait_until("one of both to be let go", || !are_both_open());
    // To a closed connection the second one fails.
    for _ in 0..3 {
        uploading.try_send("x").unwrap_or_else(|error| panic!("{what}: the upload: {error}"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Such a client was waited for as long as one that may still be sending.
#[test]
fn a_silent_client_whose_whole_request_we_answered_is_let_go_before_one_in_its_upload() {
    let silent = Origin::raw(|mut connection| {
        connection.receive_request();
    });
    let garbled = Origin::raw(|mut connection| {
        connection.receive_request();
        connection.send("what?\r\n\r\n");
    });
    let (nobody, silent, garbled) = (unused_address().to_string(), silent.dest(), garbled.dest());
    let post = |dest: &str| {
        format!("POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 2\r\n\r\n{{}}")
    };
    for (what, request) in [
        ("no body", format!("GET http://{nobody}/ HTTP/1.1\r\nHost: {nobody}\r\n\r\n")),
        ("nobody there", post(&nobody)),
        ("no answer", post(&silent)),
        ("no answer of HTTP", post(&garbled)),
    ] {
        assert_let_go_before_an_upload(what, &request, 502);
    }
}

#[test]
fn a_client_that_sends_on_behind_its_answer_does_not_hold_a_shutdown() {
    let mut proxy = Proxy::start(json!({ "shutdown_timeout_secs": 60 }));
    let mut client = proxy.connect();
    begin(&mut client, &unused_address().to_string(), "", 1 << 40);
    assert_eq!(client.receive_response().status(), 502);
    let asked = Instant::now();
    proxy.signal(Signal::TERM);
    wait_until("the end of the connection", || {
        std::thread::sleep(Duration::from_millis(20));
        client.try_send("x").is_err()
    });
    assert_eq!(proxy.wait_exit(), Some(0));
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}: less than it would be read for");
}

#[test]
fn a_client_that_ends_its_upload_while_its_answer_is_under_way_has_the_rest_of_it() {
    for encrypted in [false, true] {
        let proxy = Proxy::start(json!({}));
        let (told, ends) = channel();
        let told = Mutex::new(told);
        let script = move |mut connection: Connection| {
            connection.receive_head();
            connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\nfar");
            // It sees where the request ends, and says the rest behind that.
            told.lock().unwrap().send(connection.receive_to_end()).unwrap();
            connection.send(" too");
            connection.finish_sending();
        };
        let origin = match encrypted {
            true => Origin::raw_tls(tls::server(Shown::Valid), script),
            false => Origin::raw(script),
        };
        let (dest, mut client) = client_of(&proxy, &origin, encrypted);
        let target = if encrypted { "/".to_owned() } else { format!("http://{dest}/") };
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 500000\r\n\r\na part"
        ));
        assert!(client.receive_head().start.contains("413"));
        assert_eq!(client.receive_exact(3), b"far");
        client.finish_sending();
        let (body, end) = ends.recv_timeout(DEADLINE).unwrap();
        let shown = if encrypted { End::Truncated } else { End::Closed };
        assert_eq!((body.as_slice(), end), (b"a part".as_slice(), shown));
        assert_eq!(client.receive_to_end(), (b" too".to_vec(), End::Closed), "{encrypted}");
    }
}

#[test]
fn a_client_that_goes_away_in_its_upload_cancels_the_answer_under_way() {
    let proxy = Proxy::start(json!({}));
    let (told, ends) = channel();
    let told = Mutex::new(told);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfar");
        connection.receive_to_end();
        while connection.try_send("x").is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
        told.lock().unwrap().send(()).unwrap();
    });
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "", 500_000);
    client.receive_head();
    client.finish_sending();
    client.reset();
    ends.recv_timeout(DEADLINE).expect("the origin writes to nobody");
}

#[test]
fn an_origin_that_stalls_behind_a_client_that_ended_its_upload_is_to_blame_for_it() {
    let proxy = Proxy::start(json!({ "body_idle_timeout_secs": 1 }));
    let (hold, held) = channel::<()>();
    let held = Mutex::new(held);
    let origin = Origin::raw(move |mut connection| {
        connection.receive_head();
        connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\nfar");
        connection.receive_to_end();
        let _ = held.lock().unwrap().recv();
    });
    let (dest, mut client) = client_of(&proxy, &origin, false);
    begin(&mut client, &dest, "", 500_000);
    assert!(client.receive_head().start.contains("413"));
    assert_eq!(client.receive_exact(3), b"far");
    client.finish_sending();
    client.receive_to_end();
    proxy.wait_for_log(&["the origin's answer stopped coming"]);
    drop(hold);
}
