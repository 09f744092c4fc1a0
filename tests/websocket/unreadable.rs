//! What cannot be read: it passes all the same, the log says so once, the counters say how much.

use crate::frames::*;
use crate::support::samples::sample;
use crate::support::wait_until;

fn secret(tag: &str) -> Vec<u8> {
    format!("{tag} {} end", sample("aws_access_key").text()).into_bytes()
}

fn mentions(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn behind_an_invalid_frame_a_direction_is_read_as_it_stands() {
    for way in Way::ALL {
        let mut socket = Joined::open(way, PROOF);
        let client = From::Client;
        socket.pass(client, &frame(client, FIN | TEXT, &secret("before")));
        // A server's frame, from the client.
        socket.pass(client, &frame(From::Server, FIN | TEXT, &secret("unmasked")));
        // Masked, it cannot be read any more.
        socket.pass(client, &frame(client, FIN | TEXT, &secret("masked")));
        socket.pass(client, &frame(From::Server, FIN | TEXT, &secret("behind")));
        socket.pass(From::Server, &frame(From::Server, FIN | TEXT, &secret("answer")));
        socket.pass(From::Server, &frame(From::Server, 0x70 | TEXT, b"x"));
        let late = frame(From::Server, FIN | TEXT, &secret("late"));
        socket.pass_in_pieces(From::Server, &late, 7);
        let findings = socket.proxy.settled_findings();
        for tag in ["before", "unmasked", "behind", "answer", "late"] {
            let found = findings.iter().filter(|finding| finding.snippet.contains(tag)).count();
            assert_eq!(found, 1, "{way:?}, {tag}: {findings:?}");
        }
        assert_eq!(findings.len(), 5, "{way:?}: {findings:?}");
        socket.wait_for_counts(&[("websockets_unread", 2), ("bytes_unscanned", 0)]);
        let said = "are read as they stand only";
        socket.proxy.wait_for_log(&["client", said, "not masked", &socket.dest]);
        assert_eq!(mentions(&socket.proxy.log(), said), 1, "{way:?}");
    }
}

#[test]
fn behind_a_length_longer_than_it_needs_a_direction_is_read_on() {
    for way in Way::ALL {
        let mut socket = Joined::open(way, PROOF);
        for from in [From::Client, From::Server] {
            for length in [2, 8] {
                socket.pass(from, &frame_in(length, from, FIN | TEXT, b"ok"));
                let tag = format!("{from:?}-{length}");
                socket.pass(from, &frame_in(length, from, FIN | TEXT, &secret(&tag)));
                socket.pass(from, &frame(from, FIN | TEXT, &secret(&format!("{tag}-after"))));
            }
        }
        let findings = socket.proxy.settled_findings();
        assert_eq!(findings.len(), 8, "{way:?}: {findings:?}");
        socket.wait_for_counts(&[("websockets_unread", 0), ("bytes_unscanned", 0)]);
        socket.proxy.wait_for_log(&["lengths longer than they need", &socket.dest]);
        assert_eq!(mentions(&socket.proxy.log(), "lengths longer than they need"), 1, "{way:?}");
    }
}

#[test]
fn an_unknown_extension_is_told_and_counted() {
    for extension in ["permessage-bzip2", "permessage-deflate, mux", "permessage-deflate; odd"] {
        let fields = format!("{PROOF}Sec-WebSocket-Extensions: {extension}\r\n");
        let mut socket = Joined::open(Way::Absolute, &fields);
        let bytes = frame(From::Server, FIN | RSV1 | TEXT, &secret("unknown"));
        socket.pass(From::Server, &bytes);
        socket.pass(From::Client, &frame(From::Client, FIN | TEXT, b"x"));
        assert_eq!(socket.proxy.settled_findings().len(), 0, "{extension}");
        wait_until("the counter", || socket.count("bytes_unscanned") > bytes.len() as u64);
        socket.proxy.wait_for_log(&["WebSocket goes on unread", &socket.dest]);
        socket.wait_for_counts(&[("websockets_unread", 2)]);
    }
}

#[test]
fn a_wrong_proof_is_told_and_the_messages_are_read() {
    let mut socket = Joined::open(Way::Tunnel, "Sec-WebSocket-Accept: AAAA\r\n");
    for from in [From::Client, From::Server] {
        socket.pass(from, &frame(from, FIN | TEXT, &secret("said")));
    }
    assert_eq!(socket.proxy.settled_findings().len(), 2);
    socket.proxy.wait_for_log(&["Sec-WebSocket-Accept does not fit", &socket.dest]);
}

#[test]
fn a_malformed_compressed_message_costs_itself_alone() {
    let mut socket = Joined::open(Way::Absolute, &format!("{PROOF}{DEFLATE}"));
    for from in [From::Client, From::Server] {
        socket.pass(from, &frame(from, FIN | RSV1 | TEXT, &[0xff; 100]));
        let packed = deflated(&secret("behind"));
        socket.pass(from, &frame(from, FIN | RSV1 | TEXT, &packed));
    }
    assert_eq!(socket.proxy.settled_findings().len(), 2);
    let counts = [("websocket_messages_unread", 2), ("bytes_unscanned", 200)];
    socket.wait_for_counts(&[&counts[..], &[("websockets_unread", 0)]].concat());
    socket.proxy.wait_for_log(&["go on unread", "compressed message is malformed"]);
    assert_eq!(mentions(&socket.proxy.log(), "go on unread"), 1);
}

#[test]
fn a_bomb_passes_and_is_given_up_at_its_cap() {
    let bomb = [deflated_run(0, 48), deflated(&secret("hidden"))].concat();
    let mut socket = Joined::open(Way::Absolute, &format!("{PROOF}{DEFLATE}"));
    let packed = frame(From::Server, FIN | RSV1 | BINARY, &bomb);
    socket.pass(From::Server, &packed);
    socket.pass(From::Server, &frame(From::Server, FIN | RSV1 | TEXT, &deflated(&secret("next"))));
    let findings = socket.proxy.settled_findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].snippet.starts_with("next"), "{findings:?}");
    socket.proxy.wait_for_log(&["go on unread", "inflates beyond its cap"]);
    socket.wait_for_counts(&[("websocket_messages_unread", 1)]);
    let scanned = socket.count("bytes_scanned");
    assert!(scanned < 40 * 1024 * 1024, "{scanned}");
    assert!(socket.count("bytes_unscanned") > 0);
}
