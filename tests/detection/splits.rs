//! A match cut at every place where a read, a chunk or a window can end: found, and found once.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use crate::support::message::chunked;
use crate::support::tls::{self, Shown};
use crate::support::{Origin, Proxy, Reply, SAMPLES, json, wait_until};
use crate::{Row, assert_one_each};

/// Every sample cut at every offset: the row, the part before and the part after.
fn cuts(direction: &'static str, origin: (&'static str, &str)) -> Vec<(Row, String, String)> {
    let mut cuts = Vec::new();
    for sample in &SAMPLES {
        for offset in 1..sample.text().len() {
            let row = Row::new(cuts.len(), sample, direction, origin);
            let text = row.text(sample);
            let (before, after) = text.split_at(row.tag.len() + 1 + offset);
            cuts.push((row, before.to_owned(), after.to_owned()));
        }
    }
    cuts
}

fn rows(cuts: Vec<(Row, String, String)>) -> Vec<Row> {
    cuts.into_iter().map(|(row, ..)| row).collect()
}

#[test]
fn a_match_cut_by_a_chunk_border_of_a_request_is_found_once() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let mut client = proxy.connect();
    let cuts = cuts("outbound", ("http", &dest));
    for (_, before, after) in &cuts {
        let head = format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let body = chunked(&[before.as_bytes(), after.as_bytes()]);
        client.send([head.as_bytes(), &body].concat());
        assert_eq!(client.receive_response().status(), 200);
    }
    assert_one_each(&rows(cuts), &proxy.settled_findings());
}

#[test]
fn a_match_cut_by_a_chunk_border_of_an_encrypted_answer_is_found_once() {
    let proxy = Proxy::start(json!({}));
    let next = Arc::new(Mutex::new((String::new(), String::new())));
    let shown = next.clone();
    let origin = Origin::https(tls::server(Shown::Valid), move |_| {
        let (before, after) = &*shown.lock().unwrap();
        Reply::chunks(&[before.as_bytes(), after.as_bytes()])
    });
    let dest = origin.local_dest();
    let mut client = proxy.https(&dest);
    let cuts = cuts("inbound", ("https", &dest));
    for (_, before, after) in &cuts {
        *next.lock().unwrap() = (before.clone(), after.clone());
        client.send(format!("GET / HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        assert_eq!(client.receive_response().body, format!("{before}{after}").as_bytes());
    }
    assert_one_each(&rows(cuts), &proxy.settled_findings());
}

#[test]
fn a_match_cut_between_two_writes_of_a_request_is_found_once() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let mut client = proxy.connect();
    let cuts = cuts("outbound", ("http", &dest));
    for (_, before, after) in &cuts {
        let length = before.len() + after.len();
        client.send(format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {length}\r\n\r\n{before}"
        ));
        // The part before the cut is at the origin: the proxy has read it by itself.
        wait_until("the first part at the origin", || {
            origin.received().ends_with(before.as_bytes())
        });
        client.send(after);
        assert_eq!(client.receive_response().status(), 200);
    }
    assert_one_each(&rows(cuts), &proxy.settled_findings());
}

#[test]
fn a_match_cut_between_two_writes_of_an_answer_is_found_once() {
    let proxy = Proxy::start(json!({}));
    let (parts, script) = channel::<String>();
    let origin = answer_by_parts(script);
    let dest = origin.dest();
    let mut client = proxy.connect();
    let cuts = cuts("inbound", ("http", &dest));
    for (_, before, after) in &cuts {
        let length = before.len() + after.len();
        client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        parts.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{before}")).unwrap();
        client.receive_head();
        assert_eq!(client.receive_exact(before.len()), before.as_bytes());
        parts.send(after.clone()).unwrap();
        assert_eq!(client.receive_exact(after.len()), after.as_bytes());
    }
    assert_one_each(&rows(cuts), &proxy.settled_findings());
}

#[test]
fn a_match_across_small_pieces_and_large_ones_of_an_answer_is_found_once() {
    let proxy = Proxy::start(json!({}));
    let (parts, script) = channel();
    let origin = Origin::stepped(script);
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
    parts.send(head.as_bytes().to_vec()).unwrap();
    client.receive_head();
    let cuts = cuts("inbound", ("http", &dest));
    let mut pass = |part: String| {
        parts.send(part.clone().into_bytes()).unwrap();
        assert_eq!(client.receive_exact(part.len()), part.as_bytes());
    };
    // Each is cut once between a small piece and a large one, or a large one and a small; between two there is
    // more than a key without an end may take.
    for (number, (_, before, after)) in cuts.iter().enumerate() {
        let (filler, apart) = (".".repeat(6000), ".".repeat(300));
        pass(filler.clone());
        if number % 2 == 0 {
            pass(format!("{apart}\n{before}"));
            pass(format!("{after}\n{filler}"));
        } else {
            pass(format!("{filler}\n{before}"));
            pass(format!("{after}\n{apart}"));
        }
    }
    drop(parts);
    assert_one_each(&rows(cuts), &proxy.settled_findings());
}

#[test]
fn what_a_client_took_before_it_went_away_is_scanned() {
    let proxy = Proxy::start(json!({}));
    let (parts, script) = channel();
    let origin = Origin::stepped(script);
    let dest = origin.dest();
    let mut client = proxy.connect();
    client.send(format!("GET http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
    let row = Row::new(0, &SAMPLES[0], "inbound", ("http", &dest));
    let piece = format!("{}\n", row.text(&SAMPLES[0]));
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    parts.send(format!("{head}{piece}").into_bytes()).unwrap();
    client.receive_head();
    assert_eq!(client.receive_exact(piece.len()), piece.as_bytes());
    drop(client);
    assert_one_each(&[row], &proxy.settled_findings());
}

/// An origin that answers whatever it gets with two writes, one when the test says so.
fn answer_by_parts(script: Receiver<String>) -> Origin {
    let script = Mutex::new(script);
    Origin::raw(move |mut connection| {
        while connection.try_receive_request().is_some() {
            for _ in 0..2 {
                let Ok(part) = script.lock().unwrap().recv() else { return };
                connection.send(part);
            }
        }
    })
}

#[test]
fn a_match_in_chunks_of_one_byte_is_found_once() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|request| {
        let pieces: Vec<&[u8]> = request.body.chunks(1).collect();
        Reply::chunks(&pieces)
    });
    let dest = origin.dest();
    let mut client = proxy.connect();
    let mut rows = Vec::new();
    for (number, sample) in SAMPLES.iter().enumerate() {
        // What the request brings, the answer brings back: each row is found in both directions.
        let sent = Row::new(number, sample, "outbound", ("http", &dest));
        let text = sent.text(sample);
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        let head = format!(
            "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        client.send([head.as_bytes(), &chunked(&pieces)].concat());
        assert_eq!(client.receive_response().body, text.as_bytes());
        rows.push(sent);
    }
    let findings = proxy.settled_findings();
    let (outbound, inbound): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.direction == "outbound");
    assert_one_each(&rows, &outbound);
    for row in &mut rows {
        row.direction = "inbound";
    }
    assert_one_each(&rows, &inbound);
}

#[test]
fn a_match_across_the_border_of_a_window_is_found_once() {
    let window = 1024;
    let proxy = Proxy::start(json!({ "max_scan_bytes": window }));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let mut client = proxy.connect();
    let mut rows = Vec::new();
    for sample in &SAMPLES {
        for before_border in 0..=sample.text().len() {
            let row = Row::new(rows.len(), sample, "outbound", ("http", &dest));
            let text = row.text(sample);
            let padding = ".".repeat(window - before_border - row.tag.len() - 1);
            let body = format!("{padding}{text}{}", ".".repeat(window));
            client.send(format!(
                "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
            assert_eq!(client.receive_response().status(), 200);
            rows.push(row);
        }
    }
    assert_one_each(&rows, &proxy.settled_findings());
}

#[test]
fn parts_of_different_messages_are_not_joined_to_a_match() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let mut client = proxy.connect();
    for sample in &SAMPLES {
        for part in sample.harmless_parts() {
            client.send(format!(
                "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {}\r\n\r\n{part}",
                part.len()
            ));
            assert_eq!(client.receive_response().status(), 200);
        }
    }
    let findings = proxy.settled_findings();
    assert!(findings.is_empty(), "{findings:?}");
}
