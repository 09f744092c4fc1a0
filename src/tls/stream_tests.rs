//! Streams over real sockets, against rustls' own side in the same thread.

use std::future::{Future, poll_fn};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use glommio::timer::sleep;
use glommio::{LocalExecutorBuilder, Placement};
use rustls::ServerConnection;

use super::encrypted::{Agreed, Tls};
use super::handshake_error::HandshakeError;
use super::record::{Content, PLAINTEXT_MAX_BYTES};
use super::session::Session;
use super::session_tests::{Peer, TLS13, both_ours, configs, ticket, to_server};
use super::stream::Stream;
use crate::forward::buffer::BufferPool;
use crate::forward::tcp::Tcp;

pub(crate) fn run<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + Send + 'static) {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).spawn(test).unwrap();
    executor.join().unwrap();
}

/// The session over a socket, and the socket's other end, which waits for nothing.
async fn connected(session: Session) -> (Stream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let tcp = Tcp::new(glommio::net::TcpStream::connect(address).await.unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    peer.set_nonblocking(true).unwrap();
    (Stream::Tls(Box::new(Tls::new(tcp, session, &[], Agreed::Nothing, &BufferPool::new()))), peer)
}

pub(crate) async fn to_origin() -> (Stream, TcpStream, ServerConnection) {
    let (client, server) = configs(&TLS13);
    let (session, server) = to_server(&client, &Arc::new(server));
    let (stream, socket) = connected(session).await;
    (stream, socket, server)
}

/// Time enough for the executor to see what the other end did.
async fn a_moment() {
    sleep(Duration::from_millis(20)).await;
}

async fn read(stream: &Stream, into: &mut [u8]) -> std::io::Result<usize> {
    poll_fn(|context| stream.poll_read(context, into)).await
}

async fn is_reusable(stream: &Stream) -> bool {
    a_moment().await;
    poll_fn(|context| Poll::Ready(stream.is_reusable(context))).await
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_connection_that_the_origin_ended_inside_tls_alone_is_not_used_again() {
    run(|| async {
        let (stream, mut socket, mut server) = to_origin().await;
        server.say(b"answer");
        server.send_close_notify();
        socket.write_all(&server.made()).unwrap();
        let mut into = [0; 100];
        assert_eq!(read(&stream, &mut into).await.unwrap(), 6);
        assert!(!is_reusable(&stream).await, "close_notify came, FIN did not");
    });
}

#[test]
fn what_left_the_socket_behind_an_answer_ends_the_reuse_too() {
    run(|| async {
        for (said, is_kept) in [(Some(&b"unasked"[..]), false), (None, true)] {
            let (stream, mut socket, mut server) = to_origin().await;
            server.say(b"answer");
            said.into_iter().for_each(|said| server.say(said));
            server.refresh_traffic_keys().unwrap();
            socket.write_all(&server.made()).unwrap();
            // Room for the first record, and for none behind it.
            let mut into = [0; 7];
            assert_eq!(read(&stream, &mut into).await.unwrap(), 6);
            assert_eq!(is_reusable(&stream).await, is_kept);
        }
    });
}

#[test]
fn a_reader_that_sends_what_a_writer_waits_with_wakes_it() {
    run(|| async {
        let (stream, mut socket, mut server) = to_origin().await;
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let context = &mut Context::from_waker(&waker);
        let data = vec![7; 32 << 20];
        let mut writing = Box::pin(stream.write_all(&data));
        assert!(writing.as_mut().poll(context).is_pending());
        server.refresh_traffic_keys().unwrap();
        socket.write_all(&server.made()).unwrap();
        a_moment().await;
        // The peer takes all there is before anybody sees that there is room again.
        let mut taken = vec![0; 1 << 20];
        while socket.read(&mut taken).is_ok() {}
        let before = count.0.load(Ordering::SeqCst);
        assert!(stream.poll_read(context, &mut [0; 100]).is_pending());
        assert!(count.0.load(Ordering::SeqCst) > before, "the writer would wait for ever");
    });
}

#[test]
fn a_flood_of_tickets_leaves_the_core_to_others() {
    run(|| async {
        let (client, mut server) = both_ours(&TLS13);
        let (stream, mut socket) = connected(client).await;
        while {
            server.queue(Content::Handshake, &ticket().repeat(800)).unwrap();
            socket.write_all(&server.take_pending()).is_ok()
        } {}
        a_moment().await;
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let context = &mut Context::from_waker(&waker);
        assert!(stream.poll_read(context, &mut [0; 100]).is_pending());
        assert_eq!(count.0.load(Ordering::SeqCst), 1, "it goes on later");
    });
}

#[test]
fn a_key_update_that_a_buffer_has_no_room_for_leaves_whole_with_the_next() {
    run(|| async {
        let (client, server) = configs(&TLS13);
        let (mut session, mut server) = to_server(&client, &Arc::new(server));
        // Four whole records and this one leave ten bytes of a buffer.
        session.set_records_max(6);
        let head = vec![1; crate::limits::READ_BUFFER_BYTES - 4 * (PLAINTEXT_MAX_BYTES + 22) - 32];
        let rest = vec![2; 5 * PLAINTEXT_MAX_BYTES];
        let (stream, mut socket) = connected(session).await;
        stream.write_both(&head, &rest).await.unwrap();
        a_moment().await;
        let mut sent = vec![0; 1 << 20];
        let (mut len, mut heard) = (0, Vec::new());
        while let Ok(more @ 1..) = socket.read(&mut sent[len..]) {
            len += more;
        }
        for part in sent[..len].chunks(1000) {
            server.give(part).unwrap();
            heard.append(&mut server.heard());
        }
        assert!(heard == [head, rest].concat());
    });
}

#[test]
fn a_client_that_speaks_no_http_has_its_remedy_named() {
    let error = HandshakeError::Tls(rustls::Error::NoApplicationProtocol).to_string();
    for part in ["HTTP is not among them", "passthrough_hosts"] {
        assert!(error.contains(part), "{error}");
    }
}
