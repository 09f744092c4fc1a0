//! The intercepted side and the verified side of TLS.

use std::fs;
use std::io::Write;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Duration;

use rustls::{HandshakeKind, ProtocolVersion};
use serde_json::Value;

use crate::support::tls::{self, Shown, client_for};
use crate::support::{Connection, Origin, Proxy, Reply, json, wait_until};

fn fetch(client: &mut Connection) -> String {
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.receive_response().text()
}

fn inside() -> Origin {
    Origin::https(tls::server(Shown::Valid), |_| Reply::ok("inside"))
}

#[test]
fn connect_reaches_names_and_addresses_of_both_families() {
    let proxy = Proxy::start(json!({}));
    let four = inside();
    let six = Origin::http_on("[::1]:0", Some(tls::server(Shown::Valid)), |_| Reply::ok("inside"));
    let mut dests = vec![four.local_dest(), four.dest(), six.dest()];
    // Where the name has both addresses, the one that answers is found.
    if ("localhost", 0).to_socket_addrs().unwrap().any(|address| address.is_ipv6()) {
        dests.push(six.local_dest());
    }
    for dest in dests {
        assert_eq!(fetch(&mut proxy.https(&dest)), "inside", "{dest}");
    }
}

#[test]
fn a_client_without_http_is_warned_of_once_a_host() {
    let only_acme = |proxy: &Proxy| {
        let mut config = tls::client(&proxy.ca_path()).as_ref().clone();
        config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
        Arc::new(config)
    };
    let origin = inside();
    let dest = origin.local_dest();
    let proxy = Proxy::start(json!({ "log_level": "INFO" }));
    for _ in 0..2 {
        let refused = proxy.tunnel(&dest).tls_client("localhost", only_acme(&proxy));
        let alert = refused.err().unwrap().to_string();
        assert!(alert.contains("NoApplicationProtocol"), "{alert}");
    }
    let parts = ["WARN", "localhost", "HTTP is not among them", "passthrough_hosts"];
    proxy.wait_for_log(&parts);
    // Another host's is another warning.
    let refused = proxy.tunnel(&origin.dest()).tls_client("127.0.0.1", only_acme(&proxy));
    assert!(refused.is_err());
    proxy.wait_for_log(&["WARN", "127.0.0.1: it offers", "HTTP is not among them"]);
    let warnings = proxy.log();
    let warnings = warnings.lines().filter(|line| line.contains("HTTP is not among them"));
    assert_eq!(warnings.count(), 2);

    // Who knows both is read as before.
    let mut both = tls::client(&proxy.ca_path()).as_ref().clone();
    both.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = proxy.tunnel(&dest).tls_client("localhost", Arc::new(both));
    assert_eq!(fetch(&mut client.unwrap()), "inside");
}

/// As Node.js does with a certificate that it does not accept: it sends no alert.
#[test]
fn a_client_that_ends_its_tunnel_behind_the_handshake_is_told_of_once_a_host() {
    let origin = inside();
    let proxy = Proxy::start(json!({ "log_level": "INFO", "admin_addr": "127.0.0.1:0" }));
    let ends: [fn(Connection); 3] =
        [Connection::close, Connection::close_without_notify, Connection::reset];
    for end in ends {
        end(proxy.https(&origin.local_dest()));
    }
    proxy.wait_for_log(&["INFO", "127.0.0.1 ended its tunnel to localhost", "Trusting the CA"]);
    let unused = || metric(&proxy, "clawsec_tunnels_unused_total");
    wait_until("each is counted", || unused() == 3);
    // One that asked for something is none, and one that goes before its hello says nothing of a certificate.
    assert_eq!(fetch(&mut proxy.https(&origin.local_dest())), "inside");
    proxy.tunnel(&origin.dest()).close();
    wait_until("it is counted, too", || unused() == 4);
    assert_eq!(proxy.log().matches("without a request").count(), 1, "{}", proxy.log());
    assert_eq!(metric(&proxy, "clawsec_client_handshakes_failed_total"), 0);
    assert_eq!(metric(&proxy, "clawsec_connects_total"), 5);
    wait_until("the hosts", || {
        let state = fs::read(proxy.log_dir().join("monitor.json")).unwrap();
        let state: Value = serde_json::from_slice(&state).unwrap();
        state["unused_tunnels"] == json!({ "localhost": 3, "127.0.0.1": 1 })
    });
}

/// As browsers open some.
#[test]
fn a_tunnel_that_was_opened_ahead_and_not_used_is_counted_only() {
    let origin = inside();
    let proxy = Proxy::start(json!({ "log_level": "INFO", "admin_addr": "127.0.0.1:0" }));
    let tunnel = proxy.https(&origin.local_dest());
    std::thread::sleep(Duration::from_millis(2500));
    tunnel.close();
    wait_until("it is counted", || metric(&proxy, "clawsec_tunnels_unused_total") == 1);
    proxy.settled_findings();
    assert!(!proxy.log().contains("without a request"), "{}", proxy.log());
}

#[test]
fn a_client_that_ends_its_tunnel_in_the_handshake_is_told_of() {
    let origin = inside();
    let proxy = Proxy::start(json!({ "log_level": "INFO", "admin_addr": "127.0.0.1:0" }));
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(tls::client(&proxy.ca_path()), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut tunnel = proxy.tunnel(&origin.local_dest());
    tunnel.send(&hello);
    let _certificate = tunnel.receive().unwrap();
    tunnel.close();
    proxy.wait_for_log(&["INFO", "127.0.0.1 ended its tunnel to localhost", "Trusting the CA"]);
    assert_eq!(metric(&proxy, "clawsec_client_handshakes_failed_total"), 1);
    assert_eq!(metric(&proxy, "clawsec_tunnels_unused_total"), 0);
}

/// The value of the first core's.
fn metric(proxy: &Proxy, name: &str) -> u64 {
    let page = proxy.admin("/metrics").text();
    let start = format!("{name}{{core=\"0\"}} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&start));
    value.unwrap_or_else(|| panic!("{name} in {page}")).parse().unwrap()
}

/// Clients send such names as they are given; rustls ends the handshake.
#[test]
fn a_server_name_that_is_no_host_name_is_warned_of_once_a_host() {
    let origin = inside();
    let proxy = Proxy::start(json!({ "log_level": "INFO", "admin_addr": "127.0.0.1:0" }));
    for (given, sent) in [("xa.example", "-a.example"), ("xyz.9a", "127.19")] {
        let name = given.try_into().unwrap();
        let mut client =
            rustls::ClientConnection::new(tls::client(&proxy.ca_path()), name).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        let at = hello.windows(given.len()).position(|part| part == given.as_bytes()).unwrap();
        hello[at..at + sent.len()].copy_from_slice(sent.as_bytes());
        let mut tunnel = proxy.tunnel(&origin.local_dest());
        tunnel.send(&hello);
        let (alert, _) = tunnel.receive_to_end();
        assert_eq!(alert, [21, 3, 3, 0, 2, 2, 47], "{sent}: illegal_parameter");
    }
    let parts = ["WARN", "cannot be connected to localhost", "no host's", "passthrough_hosts"];
    proxy.wait_for_log(&parts);
    // The alert leaves before what is said of it.
    wait_until("both failures", || metric(&proxy, "clawsec_client_handshakes_failed_total") == 2);
    let log = proxy.log();
    assert_eq!(log.lines().filter(|line| line.contains("no host's")).count(), 1);
}

#[test]
fn several_requests_pass_one_intercepted_connection() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let mut client = proxy.https(&origin.local_dest());
    for _ in 0..5 {
        assert_eq!(fetch(&mut client), "inside");
    }
    assert_eq!((origin.connections(), origin.requests().len()), (1, 5));
}

#[test]
fn clients_of_tls_1_2_and_1_3_are_served() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    for (version, protocol) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let config = client_for(&proxy.ca_path(), &[version]);
        let mut client =
            proxy.tunnel(&origin.local_dest()).tls_client("localhost", config).unwrap();
        assert_eq!(client.tls_session().protocol_version(), Some(protocol));
        assert_eq!(fetch(&mut client), "inside");
    }
}

#[test]
fn an_origin_of_tls_1_2_is_served() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::https(tls::server_tls12(), |_| Reply::ok("old but fine"));
    assert_eq!(fetch(&mut proxy.https(&origin.local_dest())), "old but fine");
}

#[test]
fn a_client_hello_in_fragments_is_put_together() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let config = tls::client(&proxy.ca_path());
    let in_bytes = |tcp: &mut std::net::TcpStream, hello: &[u8]| {
        hello.iter().try_for_each(|byte| tcp.write_all(&[*byte]))
    };
    let tunnel = proxy.tunnel(&origin.local_dest());
    let mut client = tunnel.tls_client_by("localhost", config, in_bytes).unwrap();
    assert_eq!(fetch(&mut client), "inside");
}

#[test]
fn a_client_hello_right_behind_connect_is_not_lost() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let config = tls::client(&proxy.ca_path());
    let dest = origin.local_dest();
    let connect = format!("CONNECT {dest} HTTP/1.1\r\nHost: {dest}\r\n\r\n");
    let established = |tcp: &mut std::net::TcpStream, hello: &[u8]| {
        tcp.write_all(&[connect.as_bytes(), hello].concat())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            std::io::Read::read_exact(tcp, &mut byte)?;
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 200"));
        Ok(())
    };
    let mut client = proxy.connect().tls_client_by("localhost", config, established).unwrap();
    assert_eq!(fetch(&mut client), "inside");
}

#[test]
fn http_1_1_is_agreed_on_where_the_client_offers_more() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let mut config = tls::client(&proxy.ca_path()).as_ref().clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tunnel = proxy.tunnel(&origin.local_dest());
    let mut client = tunnel.tls_client("localhost", Arc::new(config)).unwrap();
    assert_eq!(client.tls_session().alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert_eq!(fetch(&mut client), "inside");
}

#[test]
fn sessions_are_resumed_across_connections_and_cores() {
    let proxy = Proxy::start(json!({ "workers": 2 }));
    let origin = inside();
    let handshake = || {
        let mut client = proxy.https(&origin.local_dest());
        assert_eq!(fetch(&mut client), "inside");
        client.tls_session().handshake_kind().unwrap()
    };
    assert_eq!(handshake(), HandshakeKind::Full);
    for _ in 0..10 {
        assert_eq!(handshake(), HandshakeKind::Resumed);
    }
}

#[test]
fn the_end_of_an_intercepted_connection_is_announced() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let mut client = proxy.https(&origin.local_dest());
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_eq!(client.receive_response().text(), "inside");
    assert_eq!(client.receive_to_end(), (vec![], crate::support::End::Closed));
}

/// Fetches inside a tunnel: the answer, whoever gave it.
fn answer_inside(proxy: &Proxy, dest: &str) -> crate::support::Response {
    let mut client = proxy.https(dest);
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    client.receive_response()
}

#[test]
fn a_bad_certificate_is_a_502_that_names_the_reason() {
    for (shown, reason) in [
        (Shown::Expired, "expired"),
        (Shown::UnknownIssuer, "issuer"),
        (Shown::WrongName, "elsewhere.example"),
    ] {
        let proxy = Proxy::start(json!({}));
        let origin = Origin::https(tls::server(shown), |_| Reply::ok("must not be seen"));
        let response = answer_inside(&proxy, &origin.local_dest());
        crate::assert_own_answer(&response, 502, &["tls_certificate_error"]);
        let text = response.text().to_lowercase();
        assert!(text.contains(reason), "{shown:?}: {text}");
        assert!(origin.requests().is_empty());
        proxy.wait_for_log(&[reason]);
    }
}

#[test]
fn hosts_of_insecure_hosts_are_not_verified_and_that_is_logged() {
    for shown in [Shown::Expired, Shown::UnknownIssuer, Shown::WrongName] {
        let proxy = Proxy::start(json!({ "insecure_hosts": ["localhost"] }));
        let origin = Origin::https(tls::server(shown), |_| Reply::ok("trusted on demand"));
        assert_eq!(answer_inside(&proxy, &origin.local_dest()).text(), "trusted on demand");
        proxy.wait_for_log(&["WARNING", "localhost"]);
        // Other names are verified as ever.
        assert_eq!(answer_inside(&proxy, &origin.dest()).status(), 502);
    }
}

#[test]
fn an_origin_that_wants_a_client_certificate_is_a_502_with_a_hint() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::https(tls::server_with_client_certificates(), |_| Reply::ok("no"));
    let response = answer_inside(&proxy, &origin.local_dest());
    assert_eq!(response.status(), 502);
    assert!(response.text().contains("passthrough_hosts"), "{}", response.text());
}

#[test]
fn a_client_that_does_not_trust_the_ca_harms_nobody_else() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let stranger = tls::client(&proxy.setup.directory().join("upstream-roots.pem"));
    let refused = proxy.tunnel(&origin.local_dest()).tls_client("localhost", stranger);
    assert!(refused.is_err());
    proxy.wait_for_log(&["localhost"]);
    assert_eq!(fetch(&mut proxy.https(&origin.local_dest())), "inside");
}

#[test]
fn a_leaf_is_for_the_name_that_the_client_asks_for() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let config = tls::client(&proxy.ca_path());
    // CONNECT by address, TLS by name: both the leaf and the origin's verification go by the name.
    let mut client = proxy.tunnel(&origin.dest()).tls_client("localhost", config).unwrap();
    assert_eq!(fetch(&mut client), "inside");
}

/// A client whose records are in the test's hands.
struct ByHand {
    tls: rustls::ClientConnection,
    tcp: Connection,
    heard: Vec<u8>,
}

impl ByHand {
    fn connect(proxy: &Proxy, origin: &Origin) -> ByHand {
        let config = tls::client(&proxy.ca_path());
        let name = "localhost".try_into().unwrap();
        let tls = rustls::ClientConnection::new(config, name).unwrap();
        let mut client = ByHand { tls, tcp: proxy.tunnel(&origin.local_dest()), heard: vec![] };
        while client.tls.is_handshaking() {
            let made = client.made();
            client.tcp.send(made);
            client.receive();
        }
        let made = client.made();
        client.tcp.send(made);
        client
    }

    fn made(&mut self) -> Vec<u8> {
        let mut made = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut made).unwrap();
        }
        made
    }

    fn receive(&mut self) {
        let received = self.tcp.receive().expect("more of the answer");
        let mut rest = received.as_slice();
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).unwrap();
            self.tls.process_new_packets().unwrap();
            // It ends as if more were to come.
            let _ = std::io::Read::read_to_end(&mut self.tls.reader(), &mut self.heard);
        }
    }

    fn receive_until(&mut self, end: &[u8]) -> Vec<u8> {
        while !self.heard.ends_with(end) {
            self.receive();
        }
        std::mem::take(&mut self.heard)
    }
}

#[test]
fn records_in_pieces_of_any_size_are_put_together() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |request| Reply::ok(&request.body));
    let mut client = ByHand::connect(&proxy, &origin);
    let mut body: Vec<u8> = (0..50_000_u32).map(|n| b'a' + n.to_le_bytes()[0] % 26).collect();
    body.extend(b"the end");
    let head =
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    client.tls.writer().write_all(&[head.as_bytes(), &body].concat()).unwrap();
    let made = client.made();
    let (mut rest, mut size) = (made.as_slice(), 1);
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        client.tcp.send(piece);
        // Long enough for most pieces to be read alone; none of them has to be.
        std::thread::sleep(std::time::Duration::from_millis(2));
        (rest, size) = (behind, size * 3 / 2 + 1);
    }
    let answer = client.receive_until(b"the end");
    assert!(answer.ends_with(&[b"\r\n\r\n", body.as_slice()].concat()));
}

#[test]
fn a_client_may_change_its_keys_between_requests_and_in_them() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::https(tls::server(Shown::Valid), |request| Reply::ok(&request.body));
    let mut client = ByHand::connect(&proxy, &origin);
    for body in ["one", "two", "three"] {
        client.tls.refresh_traffic_keys().unwrap();
        let head =
            format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        client.tls.writer().write_all(head.as_bytes()).unwrap();
        client.tls.refresh_traffic_keys().unwrap();
        client.tls.writer().write_all(body.as_bytes()).unwrap();
        let made = client.made();
        client.tcp.send(made);
        assert!(client.receive_until(body.as_bytes()).starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn a_record_that_was_tampered_with_is_answered_with_an_alert() {
    let proxy = Proxy::start(json!({}));
    let origin = inside();
    let mut client = ByHand::connect(&proxy, &origin);
    client.tls.writer().write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut made = client.made();
    *made.last_mut().unwrap() ^= 1;
    client.tcp.send(made);
    let alert = loop {
        let received = client.tcp.receive().expect("an alert");
        client.tls.read_tls(&mut received.as_slice()).unwrap();
        if let Err(error) = client.tls.process_new_packets() {
            break error;
        }
    };
    assert_eq!(alert, rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac));
    assert_eq!(origin.requests().len(), 0);
}

#[test]
fn a_hello_that_is_longer_than_its_bound_ends_the_connection() {
    let proxy = Proxy::start(json!({ "tls_handshake_timeout_secs": 60 }));
    let origin = inside();
    let mut tunnel = proxy.tunnel(&origin.local_dest());
    let mut hello = vec![1, 0, 0xEA, 0x60];
    hello.resize(4 + 0xEA60, 0);
    // With a header each ten bytes, it is longer than what is held of a handshake, though the message is not.
    let records: Vec<u8> = hello
        .chunks(10)
        .flat_map(|part| [&[22, 3, 1, 0, part.len().to_le_bytes()[0]], part].concat())
        .collect();
    // The end may come before the last byte is written.
    let _ = tunnel.try_send(&records);
    assert!(tunnel.receive_to_end().0.len() < 100, "an alert at most");
}
