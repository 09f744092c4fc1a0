//! Messages that could be read in two ways are refused: not a byte of them reaches the other side.

mod support;

use support::{End, Origin, Proxy, Reply, json};

/// Requests with `HOST` for the origin's address, each refused with 400 (or one of the statuses).
const REQUESTS: &[(&str, &str, &[u16])] = &[
    (
        "length and chunks",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "chunks and length",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "two lengths",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        &[400],
    ),
    (
        "a list of lengths",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5, 6\r\n\r\nhello!",
        &[400],
    ),
    (
        "a signed length",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: +5\r\n\r\nhello",
        &[400],
    ),
    (
        "a negative length",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n",
        &[400],
    ),
    (
        "a hexadecimal length",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 0x5\r\n\r\nhello",
        &[400],
    ),
    (
        "an overflowing length",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
        &[400],
    ),
    (
        "an unknown coding",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "chunked not last",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        &[400, 501],
    ),
    (
        "chunked twice",
        "POST http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "chunks in HTTP/1.0",
        "POST http://HOST/ HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
    ),
    (
        "a folded line",
        "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nX-A: 1\r\n folded\r\n\r\n",
        &[400],
    ),
    (
        "a bare carriage return",
        "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nX-A: 1\rX-B: 2\r\n\r\n",
        &[400],
    ),
    (
        "a bare line feed",
        "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nX-A: 1\nX-B: 2\r\n\r\n",
        &[400],
    ),
    ("line feeds only", "GET http://HOST/ HTTP/1.1\nHost: HOST\n\n", &[400]),
    (
        "a space before the colon",
        "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding : chunked\r\n\r\n",
        &[400],
    ),
    ("a space before the first field", "GET http://HOST/ HTTP/1.1\r\n Host: HOST\r\n\r\n", &[400]),
    ("a NUL in a value", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nX-A: a\0b\r\n\r\n", &[400]),
    (
        "a control byte in a value",
        "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nX-A: a\x01b\r\n\r\n",
        &[400],
    ),
    ("no name", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\n: value\r\n\r\n", &[400]),
    ("no colon", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nnonsense\r\n\r\n", &[400]),
    ("two hosts", "GET http://HOST/ HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", &[400]),
    ("no host", "GET http://HOST/ HTTP/1.1\r\nX-A: 1\r\n\r\n", &[400]),
    ("a host with a path", "GET / HTTP/1.1\r\nHost: HOST/path\r\n\r\n", &[400]),
    (
        "credentials in the target",
        "GET http://user:word@HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n",
        &[400],
    ),
    ("a space in the target", "GET http://HOST/a b HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400, 505]),
    ("another scheme", "GET ftp://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400, 501]),
    ("no version", "GET http://HOST/\r\n\r\n", &[400, 505]),
    ("another version", "GET http://HOST/ HTTP/3.0\r\nHost: HOST\r\n\r\n", &[400, 505]),
    ("an odd method", "G@T http://HOST/ HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400]),
    ("CONNECT without a port", "CONNECT localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", &[400]),
    ("CONNECT to port 0", "CONNECT localhost:0 HTTP/1.1\r\nHost: localhost:0\r\n\r\n", &[400]),
    ("CONNECT to a path", "CONNECT /path HTTP/1.1\r\nHost: HOST\r\n\r\n", &[400]),
];

#[test]
fn an_ambiguous_request_is_refused_and_nothing_of_it_passes() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("must not be reached"));
    for (name, request, statuses) in REQUESTS {
        let mut client = proxy.connect();
        client.send(request.replace("HOST", &origin.dest()));
        let response = client.receive_response();
        assert!(statuses.contains(&response.status()), "{name}: {}", response.start);
        assert_ne!(client.receive_to_end().1, End::Truncated, "{name}: the connection ends");
    }
    // Behind them all, one that is in order: the origin has seen this one and no other byte.
    assert_eq!(proxy.get(&origin.url("/in-order")).status(), 200);
    let received = String::from_utf8_lossy(&origin.received()).into_owned();
    assert!(received.starts_with("GET /in-order HTTP/1.1\r\n"), "{received}");
    assert_eq!(origin.requests().len(), 1);
    let findings = proxy.settled_findings();
    assert!(findings.is_empty(), "{findings:?}");
}

/// Chunked bodies that go wrong after a head that was in order.
const CHUNKS: &[(&str, &str)] = &[
    ("a size that is none", "zz\r\nhello\r\n0\r\n\r\n"),
    ("a negative size", "-5\r\nhello\r\n0\r\n\r\n"),
    ("a size with a prefix", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("an overflowing size", "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
    ("a bare line feed", "5\nhello\r\n0\r\n\r\n"),
    ("data longer than its size", "5\r\nhello!\r\n0\r\n\r\n"),
    ("a bare line feed behind the data", "5\r\nhello\n0\r\n\r\n"),
    ("no size", "\r\nhello\r\n0\r\n\r\n"),
    ("a trailer without a colon", "0\r\nnonsense\r\n\r\n"),
];

#[test]
fn broken_chunks_of_a_request_are_never_completed_upstream() {
    let proxy = Proxy::start(json!({}));
    for (name, chunks) in CHUNKS {
        let origin = Origin::http(|_| Reply::ok("must not be reached"));
        let dest = origin.dest();
        let mut client = proxy.connect();
        client.send(format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
        ));
        match client.try_receive_response_to("POST") {
            Ok(response) => assert_eq!(response.status(), 400, "{name}"),
            Err(cut) => assert!(cut.received.is_empty(), "{name}: {cut:?}"),
        }
        assert!(origin.requests().is_empty(), "{name}: the origin got a whole request");
    }
}

/// Answers that are refused, with 502 in their place.
const RESPONSES: &[(&str, &str)] = &[
    (
        "length and chunks",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
    ("a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!"),
    ("a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"),
    (
        "an overflowing length",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551621\r\n\r\nhello",
    ),
    (
        "chunked twice",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("chunked not last", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunks of a 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a folded line", "HTTP/1.1 200 OK\r\nX-A: 1\r\n folded\r\nContent-Length: 0\r\n\r\n"),
    ("a bare carriage return", "HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\nContent-Length: 0\r\n\r\n"),
    ("a bare line feed", "HTTP/1.1 200 OK\r\nX-A: 1\nContent-Length: 0\r\n\r\n"),
    ("line feeds only", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
    ("a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
    ("a NUL in a value", "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n"),
    ("no colon", "HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 0\r\n\r\n"),
    ("a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    ("a status that is none", "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"),
    ("another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    ("another version", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
];

#[test]
fn an_ambiguous_answer_is_a_502_and_nothing_of_it_passes() {
    let proxy = Proxy::start(json!({}));
    for (name, answer) in RESPONSES {
        let marked = answer.replacen("\r\n", "\r\nX-Origin: seen\r\n", 1);
        let origin = Origin::http(move |_| Reply::raw(&marked).then_close());
        let response = proxy.get(&origin.url("/"));
        assert_eq!(response.status(), 502, "{name}: {}", response.start);
        assert_eq!(response.header("x-origin"), None, "{name}");
        let status = response.header("proxy-status").expect("Proxy-Status");
        assert!(status.contains("error="), "{name}: {status}");
    }
}

#[test]
fn broken_chunks_of_an_answer_are_visibly_cut() {
    let proxy = Proxy::start(json!({}));
    for (name, chunks) in CHUNKS {
        let origin = Origin::http(move |_| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
            Reply::raw(format!("{head}{chunks}")).then_close()
        });
        let dest = origin.dest();
        let mut client = proxy.connect();
        client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        client.receive_head();
        let (received, _) = client.receive_to_end();
        let text = String::from_utf8_lossy(&received).into_owned();
        assert!(!text.ends_with("0\r\n\r\n"), "{name} was completed: {text:?}");
    }
}

#[test]
fn a_length_repeated_is_refused_or_sent_once() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| Reply::ok(&request.body));
    let dest = origin.dest();
    let response = proxy.exchange(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
    ));
    if response.status() != 400 {
        assert_eq!(origin.requests()[0].values("content-length").count(), 1);
        assert_eq!(response.text(), "hello");
    }
}

#[test]
fn random_bytes_end_their_own_connection_only() {
    let proxy = Proxy::start(json!({}));
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..200 {
        let bytes: Vec<u8> = (0..round * 7 + 1)
            .map(|_| {
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                (seed >> 24) as u8
            })
            .collect();
        let mut client = proxy.connect();
        let _ = client.try_send(&bytes);
        client.finish_sending();
        client.receive_to_end();
    }
    let origin = Origin::http(|_| Reply::ok("unharmed"));
    assert_eq!(proxy.get(&origin.url("/")).text(), "unharmed");
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}
