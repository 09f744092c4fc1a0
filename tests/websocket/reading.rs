//! Messages are read, whatever way, direction and shape they come in.

use data_encoding::BASE64;

use crate::frames::*;
use crate::support::samples::sample;
use crate::support::{Finding, wait_until};

fn direction(from: From) -> &'static str {
    if from == From::Client { "outbound" } else { "inbound" }
}

/// The shapes of a message; each holds its text in a way that raw bytes do not show.
fn shapes(from: From, text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let text = text.as_bytes();
    let packed = deflated(text);
    let (front, back) = text.split_at(text.len() / 2);
    let ping = frame(from, FIN | PING, b"between");
    let many: Vec<u8> = text[1..]
        .iter()
        .flat_map(|byte| [frame(from, CONTINUATION, &[*byte]), ping.clone()].concat())
        .collect();
    let packed_halves = packed.split_at(packed.len() / 2);
    vec![
        ("text", frame(from, FIN | TEXT, text)),
        ("binary", frame(from, FIN | BINARY, text)),
        (
            "fragments",
            [
                frame(from, TEXT, front),
                ping.clone(),
                frame(from, CONTINUATION, b""),
                frame(from, FIN | CONTINUATION, back),
            ]
            .concat(),
        ),
        (
            "a fragment a byte",
            [frame(from, BINARY, &text[..1]), many, frame(from, FIN | CONTINUATION, b"")].concat(),
        ),
        ("compressed text", frame(from, FIN | RSV1 | TEXT, &packed)),
        ("compressed binary", frame(from, FIN | RSV1 | BINARY, &packed)),
        (
            "compressed fragments",
            [
                frame(from, RSV1 | TEXT, packed_halves.0),
                ping,
                frame(from, FIN | CONTINUATION, packed_halves.1),
            ]
            .concat(),
        ),
    ]
}

fn of<'a>(findings: &'a [Finding], tag: &str) -> Vec<&'a Finding> {
    findings.iter().filter(|finding| finding.snippet.contains(tag)).collect()
}

#[test]
fn every_shape_both_ways_on_every_way() {
    for way in Way::ALL {
        let mut socket = Joined::open(way, &format!("{PROOF}{DEFLATE}"));
        let mut rows = Vec::new();
        for from in [From::Client, From::Server] {
            for pattern in ["aws_access_key", "pipe_to_shell"] {
                let names: Vec<&str> =
                    shapes(from, "xx").into_iter().map(|(name, _)| name).collect();
                for (number, name) in names.into_iter().enumerate() {
                    let tag = format!("{}-{pattern}-{number}", direction(from));
                    let text = format!("{tag} {} end", sample(pattern).text());
                    let (_, bytes) = shapes(from, &text).swap_remove(number);
                    socket.pass(from, &bytes);
                    rows.push((tag, name, from, pattern));
                }
            }
        }
        let findings = socket.proxy.settled_findings();
        for (tag, name, from, pattern) in &rows {
            let what = format!("{way:?}, {name}, {tag}");
            let found = of(&findings, tag);
            assert_eq!(found.len(), 1, "{what}: {found:?}");
            assert_eq!(found[0].pattern, *pattern, "{what}");
            assert_eq!(found[0].direction, direction(*from), "{what}");
            assert_eq!(found[0].protocol, way.protocol(), "{what}");
            assert_eq!(found[0].dest, socket.dest, "{what}");
        }
        assert_eq!(findings.len(), rows.len(), "{way:?}: {findings:?}");
        let none = [("websockets_unread", 0), ("websocket_messages_unread", 0)];
        socket.wait_for_counts(&[&none[..], &[("websockets", 1)]].concat());
    }
}

#[test]
fn a_secret_is_found_at_every_split_of_the_bytes() {
    let mut socket = Joined::open(Way::Absolute, &format!("{PROOF}{DEFLATE}"));
    let mut tags = Vec::new();
    for from in [From::Client, From::Server] {
        for piece in [1, 2, 3, 7, 13] {
            let tag = format!("{}-{piece}-", direction(from));
            let text = format!("{tag} {} end", sample("aws_access_key").text());
            for (name, bytes) in shapes(from, &text).into_iter().take(5).skip(2) {
                socket.pass_in_pieces(from, &bytes, piece);
                tags.push((tag.clone(), name));
            }
        }
    }
    let findings = socket.proxy.settled_findings();
    assert_eq!(findings.len(), tags.len(), "{findings:?}");
    for (tag, name) in tags {
        assert_eq!(of(&findings, &tag).len(), 3, "{tag} {name}");
    }
}

#[test]
fn frames_that_come_with_the_handshake_are_read() {
    for way in Way::ALL {
        let secret = |tag: &str| format!("{tag} {}", sample("aws_access_key").text()).into_bytes();
        let client_says = frame(From::Client, FIN | TEXT, &secret("early"));
        let server_says = frame(From::Server, FIN | TEXT, &secret("at once"));
        let mut socket = Joined::open_early(way, PROOF, &client_says, &server_says);
        socket.pass(From::Client, &frame(From::Client, FIN | TEXT, &secret("later")));
        let findings = socket.proxy.settled_findings();
        assert_eq!(findings.len(), 3, "{way:?}: {findings:?}");
        for tag in ["early", "at once", "later"] {
            assert_eq!(of(&findings, tag).len(), 1, "{way:?} {tag}: {findings:?}");
        }
    }
}

#[test]
fn control_frames_are_read_too() {
    let mut socket = Joined::open(Way::Gateway, PROOF);
    let secret = sample("aws_access_key").text();
    for from in [From::Client, From::Server] {
        socket.pass(from, &frame(from, TEXT, b"a message is under way"));
        socket.pass(from, &frame(from, FIN | PING, format!("ping {secret}").as_bytes()));
        let reason = [b"\x03\xe8".as_slice(), format!("bye {secret}").as_bytes()].concat();
        socket.pass(from, &frame(from, FIN | CLOSE, &reason));
    }
    let findings = socket.proxy.settled_findings();
    for direction in ["outbound", "inbound"] {
        for tag in ["ping", "bye"] {
            let found = of(&findings, tag);
            let of_direction = found.iter().filter(|finding| finding.direction == direction);
            assert_eq!(of_direction.count(), 1, "{direction} {tag}: {findings:?}");
        }
    }
    assert_eq!(findings.len(), 4, "{findings:?}");
}

#[test]
fn a_key_in_a_message_is_no_alarm_where_it_is_expected() {
    let token = format!("{}.G4xyzA.{}", "ODAzNTExMTAyMjQ2Nzg5MTI", "aB3".repeat(12));
    let says = format!("{{\"op\": 2, \"d\": {{\"token\": \"{token}\"}}}}");
    for way in [Way::Absolute, Way::Tunnel] {
        let mut socket = Joined::open(way, PROOF);
        for from in [From::Client, From::Server] {
            socket.pass(from, &frame(from, FIN | TEXT, says.as_bytes()));
        }
        let findings = socket.proxy.settled_findings();
        let told: Vec<_> = findings.iter().map(|one| (&*one.direction, &*one.severity)).collect();
        assert_eq!(told, [("outbound", "info"), ("inbound", "critical")], "{findings:?}");
    }
}

#[test]
fn a_text_over_messages_is_told_once_when_its_last_piece_arrives() {
    let plain: fn(From, &[u8]) -> Vec<u8> = |from, text| frame(from, FIN | TEXT, text);
    let binary: fn(From, &[u8]) -> Vec<u8> = |from, text| frame(from, FIN | BINARY, text);
    let packed: fn(From, &[u8]) -> Vec<u8> =
        |from, text| frame(from, FIN | RSV1 | TEXT, &deflated(text));
    for way in Way::ALL {
        let mut socket = Joined::open(way, &format!("{PROOF}{DEFLATE}"));
        let mut count = 0;
        for from in [From::Client, From::Server] {
            for (name, message) in [("plain", plain), ("binary", binary), ("packed", packed)] {
                for sample in [sample("aws_access_key"), sample("pipe_to_shell")] {
                    let tag = format!("{name}-{}", sample.pattern);
                    let [front, back] = sample.harmless_parts();
                    socket.pass(from, &message(from, format!("\n{tag} {front}").as_bytes()));
                    socket.pass(from, &message(from, format!("{back} and").as_bytes()));
                    count += 1;
                    wait_until("the finding", || socket.proxy.findings().len() == count);
                    let findings = socket.proxy.findings();
                    let what = format!("{way:?} {} {tag}: {findings:?}", direction(from));
                    let found = of(&findings, &tag);
                    let found = found.iter().filter(|found| found.direction == direction(from));
                    let found: Vec<_> = found.collect();
                    assert_eq!(found.len(), 1, "{what}");
                    assert_eq!(found[0].pattern, sample.pattern, "{what}");
                    let view = if name == "packed" { "deflate>messages" } else { "messages" };
                    assert_eq!(found[0].view, view, "{what}");
                }
            }
        }
        assert_eq!(socket.proxy.settled_findings().len(), count, "{way:?}");
    }
}

#[test]
fn what_messages_say_once_more_is_told_once() {
    let text = format!("the key is {} and so on, as I said", sample("aws_access_key").text());
    let delta = |text: &str| format!("{{\"type\":\"delta\",\"delta\":\"{text}\"}}");
    let done =
        |name: &str| format!("{{\"type\":\"{name}\",\"response\":[{{\"text\":\"{text}\"}}]}}");
    let ends: Vec<usize> = (0..text.len()).step_by(5).chain([text.len()]).collect();
    let streamed = ends.windows(2).map(|ends| delta(&text[ends[0]..ends[1]]));
    let answer = streamed.chain(["text.done", "response.done"].map(done)).collect::<Vec<_>>();
    let growing = ends[1..].iter().map(|end| delta(&text[..*end])).collect::<Vec<_>>();
    for messages in [answer, growing] {
        let mut socket = Joined::open(Way::Absolute, PROOF);
        for from in [From::Client, From::Server] {
            for message in &messages {
                socket.pass(from, &frame(from, FIN | TEXT, message.as_bytes()));
            }
        }
        let findings = socket.proxy.settled_findings();
        let told: Vec<_> = findings.iter().map(|one| &*one.direction).collect();
        assert_eq!(told, ["outbound", "inbound"], "{findings:?}");
    }
}

#[test]
fn a_view_says_that_a_message_was_compressed_and_changes_nothing_else() {
    let mut socket = Joined::open(Way::Absolute, &format!("{PROOF}{DEFLATE}"));
    let sample = sample("aws_access_key");
    // What a message says as one before it did is no news in it.
    let json = |tag: &str| format!("{{\"{tag}\": \"key {tag} {}\"}}", sample.text());
    for from in [From::Client, From::Server] {
        let as_is = |tag: &str| frame(from, FIN | TEXT, json(tag).as_bytes());
        let packed = |tag: &str| frame(from, FIN | RSV1 | TEXT, &deflated(json(tag).as_bytes()));
        for message in [as_is("before"), packed("squeezed"), as_is("after")] {
            socket.pass(from, &message);
        }
        let said = format!("loud {}", sample.text());
        socket.pass(from, &frame(from, FIN | RSV1 | TEXT, &deflated(said.as_bytes())));
    }
    let findings = socket.proxy.settled_findings();
    for (tag, view) in
        [("before", "json"), ("squeezed", "deflate>json"), ("after", "json"), ("loud", "deflate")]
    {
        let found = of(&findings, tag);
        let views: Vec<&str> = found.iter().map(|finding| &*finding.view).collect();
        assert_eq!(views, [view; 2], "{tag}: {findings:?}");
    }
    assert!(findings.iter().all(|finding| finding.fingerprint == findings[0].fingerprint));
    assert_eq!(findings.len(), 8, "{findings:?}");
}

#[test]
fn what_is_typed_into_a_terminal_is_told_once() {
    for way in [Way::Encrypted, Way::Gateway] {
        // As it is, as ttyd frames it, and as Kubernetes does.
        for channel in ["", "0", "\0"] {
            let mut socket = Joined::open(way, PROOF);
            for from in [From::Client, From::Server] {
                let line = format!("ls; {}\r", sample("pipe_to_shell").text());
                let keys = line.chars().map(|key| format!("{channel}{key}"));
                let frames = keys.map(|key| frame(from, FIN | BINARY, key.as_bytes()));
                let frames: Vec<Vec<u8>> = frames.collect();
                socket.pass(from, &frames.concat());
            }
            let findings = socket.proxy.settled_findings();
            assert_eq!(findings.len(), 2, "{way:?} {channel:?}: {findings:?}");
            assert!(findings.iter().all(|finding| finding.pattern == "pipe_to_shell"));
        }
    }
}

#[test]
fn what_is_typed_into_a_container_in_base64_is_told_once() {
    let protocol = "Sec-WebSocket-Protocol: base64.channel.k8s.io\r\n";
    let mut socket = Joined::open(Way::Encrypted, &format!("{PROOF}{protocol}"));
    for from in [From::Client, From::Server] {
        let line = format!("ls; {}\r", sample("pipe_to_shell").text());
        let keys = line.as_bytes().chunks(1).map(|key| format!("0{}", BASE64.encode(key)));
        let frames = keys.map(|key| frame(from, FIN | TEXT, key.as_bytes()));
        let frames: Vec<Vec<u8>> = frames.collect();
        socket.pass(from, &frames.concat());
    }
    let findings = socket.proxy.settled_findings();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.pattern == "pipe_to_shell"));
    assert!(findings.iter().all(|finding| finding.view == "messages>base64"));
}

#[test]
fn messages_are_told_apart() {
    let mut socket = Joined::open(Way::Absolute, PROOF);
    let secret = sample("aws_access_key").text();
    let (front, back) = secret.split_at(secret.len() / 2);
    // The one in the other direction, in the other order, or with something else between.
    socket.pass(From::Server, &frame(From::Server, FIN | TEXT, front.as_bytes()));
    socket.pass(From::Client, &frame(From::Client, FIN | TEXT, back.as_bytes()));
    for half in [" ", back, " and ", front, " or ", back] {
        socket.pass(From::Server, &frame(From::Server, FIN | TEXT, half.as_bytes()));
    }
    let twice = frame(From::Client, FIN | TEXT, secret.as_bytes()).repeat(2);
    socket.pass(From::Client, &twice);
    let findings = socket.proxy.settled_findings();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.direction == "outbound"), "{findings:?}");
}

#[test]
fn a_message_of_16_mib_is_scanned_to_its_end_and_never_held() {
    let end = format!(" {} ", sample("aws_access_key").text()).into_bytes();
    let large = [vec![b'a'; 16 * 1024 * 1024], end.clone()].concat();
    let compressed = [deflated_run(b'a', 16), deflated(&end)].concat();
    let mut socket = Joined::open(Way::Absolute, &format!("{PROOF}{DEFLATE}"));
    socket.pass(From::Client, &frame(From::Client, FIN | TEXT, b"warm"));
    let before = socket.proxy.resident_kib();
    for from in [From::Client, From::Server] {
        socket.pass(from, &frame(from, FIN | BINARY, &large));
        socket.pass(from, &frame(from, FIN | RSV1 | BINARY, &compressed));
    }
    let grown = socket.proxy.resident_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more for a message of 16 MiB");
    let findings = socket.proxy.settled_findings();
    assert_eq!(findings.len(), 4, "{findings:?}");
    wait_until("the scanned bytes", || socket.count("bytes_scanned") > 4 * 16 * 1024 * 1024);
    assert_eq!(socket.count("bytes_unscanned"), 0);
}

#[test]
fn a_message_that_a_reset_leaves_unfinished_is_told_of() {
    let sample = sample("pipe_to_shell");
    for (way, from) in [(Way::Absolute, From::Client), (Way::Gateway, From::Server)] {
        let mut socket = Joined::open(way, PROOF);
        socket.pass(from, &frame(from, TEXT, sample.text().as_bytes()));
        let found = socket.reset().wait_for_finding(|_| true);
        let told = (found.pattern.as_str(), found.direction.as_str());
        assert_eq!(told, (sample.pattern, direction(from)), "{way:?}");
    }
}
