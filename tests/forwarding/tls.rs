//! The intercepted side and the verified side of TLS.

use std::io::Write;
use std::net::ToSocketAddrs;
use std::sync::Arc;

use rustls::{HandshakeKind, ProtocolVersion};

use crate::support::tls::{self, Shown, client_for};
use crate::support::{Connection, Origin, Proxy, Reply, json};

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
