//! The end of the process, and of a WebSocket on which nothing comes any more: both sides of a WebSocket are told that we go away, and never within a frame.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::Signal;

use crate::clients::{Language, certificate};
use crate::frames::*;
use crate::support::{Proxy, json};

/// A program of Python that runs, and what it prints.
struct Talking {
    process: Child,
    says: BufReader<ChildStdout>,
}

impl Talking {
    fn start(mut command: Command) -> Talking {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let says = BufReader::new(process.stdout.take().unwrap());
        Talking { process, says }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Talking {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// RFC 6455 §7.4.1.
#[test]
fn both_sides_of_a_websocket_are_told_that_the_monitor_goes_away() {
    for way in [Way::Tunnel, Way::Encrypted, Way::Gateway] {
        let mut command = Language::Python.command("websocket_close");
        let (_kept, certificate) = certificate();
        command.arg("server").args(certificate.iter().filter(|_| way == Way::Encrypted));
        let mut server = Talking::start(command);
        let port: u16 = server.line().parse().unwrap();
        let target = json!({ "gateway_target_port": port, "shutdown_timeout_secs": 1 });
        let proxy = Proxy::start(target);
        let mut command = Language::Python.command("websocket_close");
        let url = match way {
            Way::Encrypted => format!("wss://localhost:{port}/"),
            Way::Gateway => format!("ws://{}/", proxy.gateway_address()),
            Way::Absolute | Way::Tunnel => format!("ws://localhost:{port}/"),
        };
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY"] {
            command.env_remove(name);
        }
        if way != Way::Gateway {
            command.env("HTTPS_PROXY", proxy.url());
        }
        let mut client = {
            command.args(["client", &url]).env("SSL_CERT_FILE", proxy.ca_path());
            Talking::start(command)
        };
        assert_eq!(client.line(), "connected", "{way:?}");
        proxy.stop();
        assert_eq!((client.line(), server.line()), ("1001".into(), "1001".into()), "{way:?}");
    }
}

/// Such a WebSocket was reset.
#[test]
fn both_sides_of_a_websocket_that_was_idle_for_too_long_are_told_so() {
    let whole = |from| frame(from, TEXT, b"the last fragment");
    for (way, is_whole) in [(Way::Tunnel, true), (Way::Encrypted, true), (Way::Encrypted, false)] {
        let settings = json!({ "tunnel_idle_timeout_secs": 2 });
        let mut socket = Joined::open_under(way, PROOF, (b"", b""), settings);
        socket.pass(From::Client, &whole(From::Client));
        let mut by_server = whole(From::Server);
        by_server.truncate(by_server.len() - usize::from(!is_whole));
        socket.pass(From::Server, &by_server);
        let (server_got, client_got) = socket.ended();
        let what = format!("{way:?} {is_whole}");
        assert_eq!((server_got.first(), server_got.len()), (Some(&(FIN | CLOSE)), 8), "{what}");
        let expected: &[u8] = if is_whole { &[FIN | CLOSE, 2, 0x03, 0xe9] } else { b"" };
        assert_eq!(client_got, expected, "{what}");
    }
}

#[test]
fn a_goodbye_stands_between_the_fragments_of_a_message_and_within_no_frame() {
    for way in Way::ALL {
        let whole = |from| frame(from, TEXT, b"the first fragment");
        let cut = |from| {
            let mut cut = whole(from);
            cut.pop();
            cut
        };
        // Of the client and of the server each: what it said before the end, and whether its peer may be told.
        for (by_client, to_server, by_server, to_client) in [
            (whole(From::Client), true, whole(From::Server), true),
            (whole(From::Client), true, cut(From::Server), false),
            (cut(From::Client), false, whole(From::Server), true),
        ] {
            let mut socket = Joined::open(way, PROOF);
            socket.pass(From::Client, &by_client);
            socket.pass(From::Server, &by_server);
            socket.proxy.signal(Signal::TERM);
            let (server_got, client_got) = socket.ended();
            let what = format!("{way:?} {to_server} {to_client}");
            let expected: &[u8] = if to_client { &[FIN | CLOSE, 2, 0x03, 0xe9] } else { b"" };
            assert_eq!(client_got, expected, "{what}");
            match server_got.as_slice() {
                [] => assert!(!to_server, "{what}"),
                [head, len, a, b, _, _, high, low] => {
                    assert_eq!((*head, *len), (FIN | CLOSE, 0x82), "{what}");
                    assert_eq!([high ^ a, low ^ b], 1001_u16.to_be_bytes(), "{what}");
                    assert!(to_server, "{what}");
                }
                other => panic!("{what}: {other:?}"),
            }
        }
    }
}

#[test]
fn behind_a_close_nothing_is_said() {
    let mut socket = Joined::open(Way::Tunnel, PROOF);
    socket.pass(From::Client, &frame(From::Client, FIN | CLOSE, b"\x03\xe8"));
    socket.proxy.signal(Signal::TERM);
    let (server_got, client_got) = socket.ended();
    assert_eq!(server_got, b"");
    assert_eq!(client_got, [FIN | CLOSE, 2, 0x03, 0xe9]);
}
