//! Sessions in memory: ours against rustls' own, and two of ours where a peer must misbehave.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::server::UnbufferedServerConnection;
use rustls::{
    AlertDescription, CipherSuite, ClientConfig, ClientConnection, Error, HandshakeKind,
    ServerConfig, ServerConnection,
};

use super::handshake::Handshake;
use super::insecure_client_config;
use super::record::{Content, PLAINTEXT_MAX_BYTES};
use super::session::Session;
use super::test_certificates::Fixture;
use crate::limits::{
    TLS_EMPTY_RECORDS_MAX, TLS_KEY_UPDATES_MAX, TLS_LATE_HANDSHAKE_MAX_BYTES, TLS_WARNINGS_MAX,
};

/// Both sides speak these suites only.
pub(super) fn configs(suites: &[CipherSuite]) -> (Arc<ClientConfig>, ServerConfig) {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if !suites.is_empty() {
        provider.cipher_suites.retain(|suite| suites.contains(&suite.suite()));
    }
    let key = rcgen::KeyPair::generate().unwrap();
    let text = Fixture::default().certificate_pem(&key);
    let certificate = CertificateDer::from_pem_slice(text.as_bytes()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    server.enable_secret_extraction = true;
    (insecure_client_config().unwrap(), server)
}

fn server_name() -> ServerName<'static> {
    ServerName::try_from("origin.example").unwrap()
}

/// What rustls' own connections are to a test.
pub(super) trait Peer {
    fn give(&mut self, bytes: &[u8]) -> Result<(), Error>;
    fn made(&mut self) -> Vec<u8>;
    fn say(&mut self, data: &[u8]);
    fn heard(&mut self) -> Vec<u8>;
}

macro_rules! peer {
    ($kind:ty) => {
        impl Peer for $kind {
            fn give(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
                while !bytes.is_empty() {
                    self.read_tls(&mut bytes).unwrap();
                    self.process_new_packets()?;
                }
                Ok(())
            }

            fn made(&mut self) -> Vec<u8> {
                let mut bytes = Vec::new();
                while self.wants_write() {
                    self.write_tls(&mut bytes).unwrap();
                }
                bytes
            }

            fn say(&mut self, data: &[u8]) {
                self.writer().write_all(data).unwrap();
            }

            fn heard(&mut self) -> Vec<u8> {
                let mut data = vec![0; 1 << 17];
                let len = self.reader().read(&mut data).unwrap_or(0);
                data.truncate(len);
                data
            }
        }
    };
}

peer!(ClientConnection);
peer!(ServerConnection);

/// Goes on with all that was received.
fn advance(ours: &mut Handshake) -> Result<(), Error> {
    while ours.advance()? {}
    Ok(())
}

/// Our handshake against a peer's; what the peer sent last may be behind it.
fn shake_hands(mut ours: Handshake, peer: &mut impl Peer) -> (Session, Vec<u8>) {
    for _ in 0..20 {
        advance(&mut ours).unwrap();
        if ours.is_done() {
            return ours.finish().unwrap();
        }
        peer.give(&std::mem::take(&mut ours.out)).unwrap();
        ours.received.extend(peer.made());
    }
    panic!("the handshake does not end");
}

pub(super) fn to_server(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> (Session, ServerConnection) {
    let ours = UnbufferedClientConnection::new(Arc::clone(client), server_name()).unwrap();
    let mut peer = ServerConnection::new(Arc::clone(server)).unwrap();
    let (mut session, mut rest) = shake_hands(Handshake::client(ours), &mut peer);
    peer.give(&session.take_pending()).unwrap();
    rest.extend(peer.made());
    assert_eq!(hear(&mut session, &rest), Ok(Vec::new()), "tickets, if anything");
    (session, peer)
}

fn to_client(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> (Session, ClientConnection) {
    let ours = UnbufferedServerConnection::new(Arc::clone(server)).unwrap();
    let mut peer = ClientConnection::new(Arc::clone(client), server_name()).unwrap();
    let (mut session, rest) = shake_hands(Handshake::server(ours, Vec::new()), &mut peer);
    peer.give(&session.take_pending()).unwrap();
    assert_eq!(hear(&mut session, &rest), Ok(Vec::new()));
    (session, peer)
}

#[test]
fn a_handshake_that_fails_in_the_middle_of_a_flight_tells_the_peer_why() {
    for suite in [TLS13[0], TLS12[0]] {
        let (_, server) = configs(&[suite]);
        let roots = rustls::RootCertStore::empty();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let strict = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let ours = UnbufferedClientConnection::new(Arc::new(strict), server_name()).unwrap();
        let mut ours = Handshake::client(ours);
        let mut peer = ServerConnection::new(Arc::new(server)).unwrap();
        advance(&mut ours).unwrap();
        peer.give(&std::mem::take(&mut ours.out)).unwrap();
        ours.received.extend(peer.made());
        let error = advance(&mut ours).unwrap_err();
        assert!(matches!(error, Error::InvalidCertificate(_)), "{error}");
        ours.give_up();
        let told = peer.give(&ours.out).unwrap_err();
        assert!(matches!(told, Error::AlertReceived(_)), "{told}");
    }
}

#[test]
fn an_origin_that_speaks_no_tls_is_told_so_once() {
    let (client, _) = configs(&[]);
    let mut ours =
        Handshake::client(UnbufferedClientConnection::new(client, server_name()).unwrap());
    advance(&mut ours).unwrap();
    ours.out.clear();
    ours.received.extend(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(matches!(advance(&mut ours), Err(Error::InvalidMessage(_))));
    ours.give_up();
    assert_eq!(ours.out, [21, 3, 3, 0, 2, 2, 50]);
}

/// Two of our sessions: one side can be made to say anything.
pub(super) fn both_ours(suites: &[CipherSuite]) -> (Session, Session) {
    let (client, server) = configs(suites);
    let mut client =
        Handshake::client(UnbufferedClientConnection::new(client, server_name()).unwrap());
    let server = UnbufferedServerConnection::new(Arc::new(server)).unwrap();
    let mut server = Handshake::server(server, Vec::new());
    while !client.is_done() || !server.is_done() {
        advance(&mut client).unwrap();
        server.received.append(&mut client.out);
        advance(&mut server).unwrap();
        client.received.append(&mut server.out);
    }
    let (mut client, rest) = client.finish().unwrap();
    hear(&mut client, &rest).unwrap();
    (client, server.finish().unwrap().0)
}

/// The data of whole records.
fn hear(session: &mut Session, mut bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut data = Vec::new();
    let mut into = vec![0; PLAINTEXT_MAX_BYTES + 1];
    while let Some(len) = session.record_len(bytes)? {
        let (record, rest) = bytes.split_at(len);
        assert!(session.room_for(record) <= into.len());
        let len = session.take(record, &mut into)?;
        data.extend_from_slice(&into[..len]);
        bytes = rest;
    }
    assert!(bytes.is_empty());
    Ok(data)
}

/// All that leaves when this is written.
fn say(session: &mut Session, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for data in data.chunks(PLAINTEXT_MAX_BYTES) {
        session.ready_to_seal().unwrap();
        out.append(&mut session.take_pending());
        let mut record = vec![0; session.sealed_bytes(data.len())];
        assert_eq!(session.seal(data, &mut record), Ok(record.len()));
        out.append(&mut record);
    }
    out
}

/// Both directions carry what they are given.
fn assert_talks(session: &mut Session, peer: &mut impl Peer) {
    let long: Vec<u8> = (0..100_000_u32).map(|n| n.to_be_bytes()[3]).collect();
    for data in [&b"a"[..], b"some words", &long[..PLAINTEXT_MAX_BYTES], &long[..50_000]] {
        peer.give(&session.take_pending()).unwrap();
        for part in data.chunks(PLAINTEXT_MAX_BYTES) {
            peer.give(&say(session, part)).unwrap();
            assert!(peer.heard() == part);
        }
        peer.say(data);
        let made = peer.made();
        assert!(hear(session, &made).unwrap() == data);
    }
}

pub(super) const TLS13: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
];

const TLS12: [CipherSuite; 3] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
];

#[test]
fn every_suite_of_both_versions_talks_to_rustls_on_both_sides() {
    for suite in [TLS13, TLS12].concat() {
        let (client, server) = configs(&[suite]);
        let server = Arc::new(server);
        let (mut session, mut peer) = to_server(&client, &server);
        assert_eq!(peer.negotiated_cipher_suite().unwrap().suite(), suite);
        assert_talks(&mut session, &mut peer);
        let (mut session, mut peer) = to_client(&client, &server);
        assert_talks(&mut session, &mut peer);
    }
}

#[test]
fn handshakes_and_tickets_in_small_pieces_are_read_whole() {
    for suite in [TLS13[0], TLS12[0]] {
        let (client, mut server) = configs(&[suite]);
        server.max_fragment_size = Some(64);
        let (mut session, mut peer) = to_server(&client, &Arc::new(server.clone()));
        assert_talks(&mut session, &mut peer);
        let mut small = ClientConfig::clone(&client);
        small.max_fragment_size = Some(64);
        let (mut session, mut peer) = to_client(&Arc::new(small), &Arc::new(server));
        assert_talks(&mut session, &mut peer);
    }
}

#[test]
fn tickets_of_an_origin_are_kept_and_used() {
    for suite in [TLS13[0], TLS12[0]] {
        let (client, server) = configs(&[suite]);
        let server = Arc::new(server);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (mut session, mut peer) = to_server(&client, &server);
            assert_eq!(peer.handshake_kind(), Some(expected), "{suite:?}");
            assert_talks(&mut session, &mut peer);
        }
    }
}

#[test]
fn tickets_for_a_client_wait_for_the_first_answer() {
    let (client, mut server) = configs(&[TLS13[0]]);
    server.ticketer = super::shared_ticketer().unwrap();
    let ours = UnbufferedServerConnection::new(Arc::new(server)).unwrap();
    let mut peer = ClientConnection::new(client, server_name()).unwrap();
    let (mut session, _) = shake_hands(Handshake::server(ours, Vec::new()), &mut peer);
    assert!(session.has_pending() && !session.owes_an_answer());
    peer.give(&say(&mut session, b"answer")).unwrap();
    assert_eq!(peer.heard(), b"answer");
    assert!(peer.tls13_tickets_received() > 0 && !session.has_pending());
}

#[test]
fn a_key_update_is_followed_and_answered() {
    for suite in TLS13 {
        let (client, server) = configs(&[suite]);
        let (mut session, mut peer) = to_server(&client, &Arc::new(server));
        for _ in 0..3 {
            peer.refresh_traffic_keys().unwrap();
            peer.say(b"under new keys");
            let made = peer.made();
            assert_eq!(hear(&mut session, &made).unwrap(), b"under new keys");
            assert!(session.owes_an_answer());
            assert_talks(&mut session, &mut peer);
        }
    }
}

#[test]
fn two_key_updates_at_once_are_answered_once() {
    let (client, server) = configs(&[TLS13[0]]);
    let (mut session, mut peer) = to_client(&client, &Arc::new(server));
    peer.refresh_traffic_keys().unwrap();
    peer.refresh_traffic_keys().unwrap();
    let made = peer.made();
    hear(&mut session, &made).unwrap();
    assert_eq!(session.sealed_bytes(5), session.take_pending().len());
    let (client, server) = configs(&[TLS13[0]]);
    let (mut session, mut peer) = to_client(&client, &Arc::new(server));
    peer.refresh_traffic_keys().unwrap();
    let made = peer.made();
    hear(&mut session, &made).unwrap();
    assert_talks(&mut session, &mut peer);
}

#[test]
fn keys_are_changed_before_they_carried_too_much() {
    let (client, server) = configs(&[TLS13[0]]);
    let (mut session, mut peer) = to_client(&client, &Arc::new(server));
    session.set_records_max(4);
    let data = vec![7; 10 * PLAINTEXT_MAX_BYTES];
    for part in data.chunks(PLAINTEXT_MAX_BYTES) {
        peer.give(&say(&mut session, part)).unwrap();
        assert!(peer.heard() == part);
    }
    assert_talks(&mut session, &mut peer);
}

#[test]
fn tls_1_2_ends_before_its_keys_carried_too_much() {
    let (client, server) = configs(&[TLS12[0]]);
    let (mut session, mut peer) = to_client(&client, &Arc::new(server));
    session.set_records_max(3);
    // Its part of the handshake was the first record.
    peer.give(&say(&mut session, b"one")).unwrap();
    assert_eq!(session.ready_to_seal(), Err(Error::EncryptError));
    peer.give(&session.take_pending()).unwrap();
    assert_eq!(peer.heard(), b"one");
    assert_eq!(peer.reader().read(&mut [0]).unwrap(), 0, "close_notify");
}

#[test]
fn an_end_is_one_only_with_close_notify() {
    for suite in [TLS13[0], TLS12[0]] {
        let (client, server) = configs(&[suite]);
        let (mut session, mut peer) = to_client(&client, &Arc::new(server));
        peer.say(b"last words");
        let made = peer.made();
        assert_eq!(hear(&mut session, &made).unwrap(), b"last words");
        let cut = session.check_end().unwrap_err();
        assert_eq!(cut.kind(), std::io::ErrorKind::UnexpectedEof);
        peer.send_close_notify();
        let made = peer.made();
        hear(&mut session, &made).unwrap();
        assert!(session.is_ended() && session.check_end().is_ok());
        // The other direction goes on until its own end, which is told once.
        peer.give(&say(&mut session, b"an answer")).unwrap();
        assert_eq!(peer.heard(), b"an answer");
        session.close().unwrap();
        session.close().unwrap();
        assert_eq!(session.take_pending().len(), session.sealed_bytes(2));
    }
}

#[test]
fn a_changed_byte_anywhere_ends_the_session_with_an_alert() {
    for suite in [TLS13, TLS12].concat() {
        let (client, server) = configs(&[suite]);
        let (client, server) = (client, Arc::new(server));
        for from_end in [1, 16, 17, 20] {
            let (mut session, mut peer) = to_client(&client, &server);
            peer.say(b"words that are longer than a tag");
            let mut made = peer.made();
            let at = made.len() - from_end;
            made[at] ^= 1;
            assert_eq!(hear(&mut session, &made), Err(Error::DecryptError));
            assert_eq!(session.failure(), Some(&Error::DecryptError));
            let told = peer.give(&session.take_pending());
            assert_eq!(told, Err(Error::AlertReceived(AlertDescription::BadRecordMac)));
        }
    }
}

#[test]
fn a_record_repeated_or_left_out_is_refused() {
    for suite in [TLS13, TLS12].concat() {
        let (mut one, mut other) = both_ours(&[suite]);
        let first = say(&mut one, b"first");
        let second = say(&mut one, b"second");
        assert_eq!(hear(&mut other, &first).unwrap(), b"first");
        assert_eq!(hear(&mut other, &first), Err(Error::DecryptError), "repeated");
        let (mut one, mut other) = both_ours(&[suite]);
        let _ = say(&mut one, b"first");
        let third = say(&mut one, b"second");
        assert_eq!(hear(&mut other, &third), Err(Error::DecryptError), "left out");
        drop(second);
    }
}

/// What a session makes of this message of its peer's.
fn told(suites: &[CipherSuite], content: Content, bytes: &[u8]) -> Result<Session, Error> {
    let (mut one, mut other) = both_ours(suites);
    one.queue(content, bytes).unwrap();
    other.take_pending();
    hear(&mut other, &one.take_pending()).map(|_| other)
}

#[test]
fn alerts_end_a_session_and_warnings_are_borne_for_a_while() {
    for suite in [TLS13[0], TLS12[0]] {
        let error = told(&[suite], Content::Alert, &[2, 42]).err();
        assert_eq!(error, Some(Error::AlertReceived(AlertDescription::BadCertificate)));
        assert!(told(&[suite], Content::Alert, &[1]).is_err());
        assert!(told(&[suite], Content::Alert, &[3, 90]).is_err());
        assert!(told(&[suite], Content::Alert, &[2, 0]).unwrap().is_ended());
        let (mut one, mut other) = both_ours(&[suite]);
        for n in 0..=TLS_WARNINGS_MAX {
            one.queue(Content::Alert, &[1, 90]).unwrap();
            let heard = hear(&mut other, &one.take_pending());
            assert_eq!(heard.is_ok(), n < TLS_WARNINGS_MAX);
        }
    }
    assert!(told(&[TLS13[0]], Content::Alert, &[1, 100]).is_err());
    assert!(told(&[TLS12[0]], Content::Alert, &[1, 100]).is_ok());
}

#[test]
fn records_without_a_byte_are_borne_for_a_while() {
    let (mut one, mut other) = both_ours(&[]);
    for n in 0..=TLS_EMPTY_RECORDS_MAX {
        one.queue(Content::Data, &[]).unwrap();
        let heard = hear(&mut other, &one.take_pending());
        assert_eq!(heard.is_ok(), n < TLS_EMPTY_RECORDS_MAX);
    }
}

#[test]
fn key_updates_without_data_are_borne_for_a_while() {
    let (mut one, mut other) = both_ours(&TLS13);
    for n in 0..=TLS_KEY_UPDATES_MAX {
        let spoke = one.update_sealing();
        assert_eq!(spoke, Ok(()));
        let heard = hear(&mut other, &one.take_pending());
        assert_eq!(heard.is_ok(), n < TLS_KEY_UPDATES_MAX);
    }
}

#[test]
fn key_updates_and_records_without_a_byte_do_not_excuse_each_other() {
    let (mut one, mut other) = both_ours(&TLS13);
    let borne = (0..1000).find(|_| {
        one.queue(Content::Data, &[]).unwrap();
        one.update_sealing().unwrap();
        hear(&mut other, &one.take_pending()).is_err()
    });
    assert_eq!(borne, Some(usize::from(TLS_EMPTY_RECORDS_MAX)));
}

#[test]
fn malformed_or_misplaced_handshake_messages_are_refused() {
    let update = [24, 0, 0, 1, 0];
    for (bytes, why) in [
        (&[24, 0, 0, 1, 2][..], "neither asked for nor not"),
        (&[24, 0, 0, 2, 0, 0], "too long"),
        (&[update, update].concat(), "more behind it, under the old keys"),
        (&[1, 0, 0, 0], "a hello"),
        (&[4, 0, 0, 0], "a ticket from a client"),
    ] {
        assert!(told(&TLS13, Content::Handshake, bytes).is_err(), "{why}");
    }
    assert!(told(&TLS13, Content::ChangeCipherSpec, &[1]).is_err());
    for suites in [TLS13, TLS12] {
        assert!(told(&suites, Content::Handshake, &[]).is_err(), "a handshake message of nothing");
    }
    assert!(told(&TLS12, Content::ChangeCipherSpec, &[1]).is_err());
    assert!(told(&TLS12, Content::Handshake, &update).is_err());
    // Half a message, and something else before its other half.
    let (mut one, mut other) = both_ours(&TLS13);
    one.queue(Content::Handshake, &update[..2]).unwrap();
    hear(&mut other, &one.take_pending()).unwrap();
    let data = say(&mut one, b"data");
    assert!(hear(&mut other, &data).is_err());
}

#[test]
fn a_late_handshake_message_may_be_so_long_and_no_longer() {
    for (len, is_ok) in
        [(TLS_LATE_HANDSHAKE_MAX_BYTES, true), (TLS_LATE_HANDSHAKE_MAX_BYTES + 1, false)]
    {
        let [_, high, middle, low] = u32::try_from(len).unwrap().to_be_bytes();
        let heard = told(&TLS13, Content::Handshake, &[24, high, middle, low]);
        assert_eq!(heard.is_ok(), is_ok, "{len}");
    }
}

#[test]
fn a_message_in_single_bytes_is_taken_whole_and_nothing_is_kept_of_it() {
    let (mut one, mut other) = both_ours(&TLS13);
    let ticket = ticket();
    for byte in ticket.repeat(3) {
        other.queue(Content::Handshake, &[byte]).unwrap();
        assert_eq!(hear(&mut one, &other.take_pending()), Ok(Vec::new()));
    }
    other.queue(Content::Data, b"data").unwrap();
    assert_eq!(hear(&mut one, &other.take_pending()).unwrap(), b"data", "no message is open");
}

/// A session ticket, as a server may send it.
pub(super) fn ticket() -> Vec<u8> {
    let body = [0, 0, 0, 60, 0, 0, 0, 0, 1, 0, 0, 1, 7, 0, 0];
    [&[4, 0, 0, body.len() as u8][..], &body].concat()
}

#[test]
fn a_record_of_tls_1_3_that_does_not_look_like_data_is_refused() {
    let (mut one, mut other) = both_ours(&TLS13);
    let mut data = say(&mut one, b"data");
    data[0] = Content::Alert as u8;
    assert!(matches!(hear(&mut other, &data), Err(Error::InappropriateMessage { .. })));
}

#[test]
fn nothing_is_sealed_behind_an_end_or_an_alert_that_ended_the_session() {
    for suite in [TLS13[0], TLS12[0]] {
        let (mut one, _) = both_ours(&[suite]);
        one.close().unwrap();
        assert!(one.ready_to_seal().is_err(), "behind close_notify");
        let (mut one, mut other) = both_ours(&[suite]);
        one.queue(Content::Alert, &[2, 80]).unwrap();
        let failure = hear(&mut other, &one.take_pending()).unwrap_err();
        assert_eq!(other.ready_to_seal(), Err(failure), "behind a peer's alert");
    }
    let (client, server) = configs(&[TLS13[0]]);
    let (mut session, mut peer) = to_server(&client, &Arc::new(server));
    session.close().unwrap();
    session.take_pending();
    peer.refresh_traffic_keys().unwrap();
    peer.say(b"under new keys");
    let made = peer.made();
    assert_eq!(hear(&mut session, &made).unwrap(), b"under new keys");
    assert!(!session.has_pending(), "an answer behind close_notify");
}

#[test]
fn a_new_handshake_is_refused_once_with_a_warning_and_then_for_good() {
    let (client, server) = configs(&[TLS12[0]]);
    let (mut session, mut peer) = to_client(&client, &Arc::new(server));
    assert_talks(&mut session, &mut peer);
    let (mut one, mut other) = both_ours(&[TLS12[0]]);
    one.queue(Content::Handshake, &[1, 0, 0, 0]).unwrap();
    hear(&mut other, &one.take_pending()).unwrap();
    assert!(other.owes_an_answer(), "a warning");
    one.queue(Content::Handshake, &[1, 0, 0, 0]).unwrap();
    assert!(hear(&mut other, &one.take_pending()).is_err());
}

#[test]
fn records_that_are_none_or_too_long_are_refused() {
    let (mut session, _) = both_ours(&TLS13);
    assert_eq!(session.record_len(&[23, 3, 3, 0x41]), Ok(None));
    assert_eq!(session.record_len(&[23, 3, 3, 0x41, 0]), Ok(Some(5 + 0x4100)));
    assert_eq!(session.record_len(&[23, 3, 3, 0x41, 1]), Err(Error::PeerSentOversizedRecord));
    for bytes in [[72, 84, 84, 80, 47], [24, 3, 3, 0, 1], [23, 2, 0, 0, 1]] {
        let (mut session, _) = both_ours(&TLS13);
        assert!(session.record_len(&bytes).is_err(), "{bytes:?}");
        assert!(session.failure().is_some());
    }
    let (mut session, _) = both_ours(&TLS12);
    assert_eq!(session.record_len(&[23, 3, 3, 0x48, 0]), Ok(Some(5 + 0x4800)));
    assert_eq!(session.record_len(&[23, 3, 3, 0x48, 1]), Err(Error::PeerSentOversizedRecord));
}
