//! What must hold of a TLS session, whatever its peer sends: run by the fuzz target, and by `tests/corpus.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use clawsec::tls::handshake::Handshake;
use clawsec::tls::record::{Content, PLAINTEXT_MAX_BYTES};
use clawsec::tls::session::Session;
use clawsec::tls::{Authority, LeafCache, insecure_client_config, shared_ticketer};
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::UnbufferedServerConnection;
use rustls::{AlertDescription, ClientConfig, Error, ServerConfig};

const NAME: &str = "origin.example";

struct Configs {
    client: Arc<ClientConfig>,
    tls13: Arc<ServerConfig>,
    tls12: Arc<ServerConfig>,
}

fn configs() -> &'static Configs {
    static CONFIGS: OnceLock<Configs> = OnceLock::new();
    CONFIGS.get_or_init(|| {
        let now = SystemTime::now();
        let folder = std::env::temp_dir().join(format!("clawsec-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (authority, _) = Authority::load_or_create(&folder, now).unwrap();
        let _ = std::fs::remove_dir_all(folder);
        let mut leaves = LeafCache::new(Arc::new(authority), shared_ticketer().unwrap(), 1);
        let (tls13, _) = leaves.server_config(NAME, now).unwrap();
        let mut provider = default_provider();
        provider.cipher_suites.retain(|suite| suite.tls13().is_none());
        let mut tls12 = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&tls13.cert_resolver));
        tls12.enable_secret_extraction = true;
        let client = insecure_client_config().unwrap();
        Configs { client, tls13, tls12: Arc::new(tls12) }
    })
}

/// A client's session and its server's.
fn sessions(is_tls13: bool) -> (Session, Session) {
    let configs = configs();
    let server = if is_tls13 { &configs.tls13 } else { &configs.tls12 };
    let server = UnbufferedServerConnection::new(Arc::clone(server)).unwrap();
    let name = NAME.try_into().unwrap();
    let client = UnbufferedClientConnection::new(Arc::clone(&configs.client), name).unwrap();
    let (mut client, mut server) =
        (Handshake::client(client), Handshake::server(server, Vec::new()));
    while !client.is_done() || !server.is_done() {
        client.advance().unwrap();
        server.received.append(&mut client.out);
        server.advance().unwrap();
        client.received.append(&mut server.out);
    }
    let (client, rest) = client.finish().unwrap();
    let (mut server, _) = server.finish().unwrap();
    let mut client = Receiver::new(client);
    client.receive(&[rest, server.take_pending()].concat());
    assert_eq!(client.session.failure(), None);
    client.session.take_pending();
    (client.session, server)
}

/// A session and what it is given, as a stream gives it.
struct Receiver {
    session: Session,
    received: Vec<u8>,
    heard: Vec<u8>,
}

impl Receiver {
    fn new(session: Session) -> Receiver {
        Receiver { session, received: Vec::new(), heard: Vec::new() }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        let mut into = vec![0; 1 << 15];
        while self.session.failure().is_none() && !self.session.is_ended() {
            let Ok(Some(len)) = self.session.record_len(&self.received) else { return };
            let Some(record) = self.received.get(..len) else { return };
            assert!(self.session.room_for(record) <= into.len());
            if let Ok(len) = self.session.take(record, &mut into) {
                assert!(len <= PLAINTEXT_MAX_BYTES);
                self.heard.extend_from_slice(&into[..len]);
            }
            self.received.drain(..len);
        }
    }
}

/// What a session takes for data was sealed as data, in this order; what it answers, its peer can read; and a
/// failure is final.
pub fn session(data: &[u8]) {
    let [choice, script @ ..] = data else { return };
    let mut script = script;
    let is_tls13 = choice & 1 == 0;
    let (client, server) = sessions(is_tls13);
    let (ours, theirs) = if choice & 2 == 0 { (client, server) } else { (server, client) };
    let (mut ours, mut peer) = (Receiver::new(ours), Receiver::new(theirs));
    let (mut said, mut last) = (Vec::new(), Vec::new());
    while let [what, len, rest @ ..] = script {
        let (piece, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        script = rest;
        let mut piece = if what & 0x80 == 0 { piece.to_vec() } else { piece.repeat(70) };
        piece.truncate(PLAINTEXT_MAX_BYTES);
        let content = match what & 7 {
            0 => Some(Content::Data),
            1 => Some(Content::Handshake),
            2 => Some(Content::Alert),
            3 => Some(Content::ChangeCipherSpec),
            4 if is_tls13 => {
                peer.session.update_sealing().unwrap();
                None
            }
            5 => {
                ours.receive(&piece);
                None
            }
            6 => {
                ours.receive(&last);
                None
            }
            _ => None,
        };
        if let Some(content) = content {
            peer.session.queue(content, &piece).unwrap();
            if content == Content::Data {
                said.extend_from_slice(&piece);
            }
        }
        let sent = peer.session.take_pending();
        ours.receive(&sent);
        last = sent;
        assert!(said.starts_with(&ours.heard));
        answers_are_readable(&mut ours, &mut peer);
    }
}

fn answers_are_readable(ours: &mut Receiver, peer: &mut Receiver) {
    let failure = ours.session.failure().cloned();
    if failure.is_some() {
        assert!(ours.session.ready_to_seal().is_err());
    }
    let answer = ours.session.take_pending();
    peer.receive(&answer);
    assert!(peer.heard.is_empty());
    match (peer.session.failure(), &failure) {
        (None, None) => {}
        (None, Some(error)) => {
            assert!(answer.is_empty() && matches!(error, Error::AlertReceived(_)), "{error}");
        }
        (Some(Error::AlertReceived(told)), _) => assert_ne!(*told, AlertDescription::CloseNotify),
        (Some(error), _) => panic!("an answer that cannot be read: {error}"),
    }
    assert_eq!(ours.session.failure().cloned(), failure);
}
