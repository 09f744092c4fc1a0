//! How a client's or an origin's stream ends: the one place that decides it, always within a bounded time. What was
//! relayed reaches a peer that did not fail, and what was cut never looks whole to it.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_lite::future::{or, zip};
use glommio::timer::sleep;

use super::core::Core;
use super::deadline::{Deadline, Interrupt, Phase};
use super::progress::Left;
use crate::error::{Error, Side};
use crate::forward::buffer::BufferPool;
use crate::http::websocket::{Sender, going_away};
use crate::limits::{
    ANSWER_WAIT_MS, GOODBYE_MS, HALF_CLOSED_LOOK_MS, HALF_CLOSED_RECORDS, LINGER_BYTES, LINGER_MS,
    LINGER_REFUSED_BYTES, LINGER_REFUSED_MS, LINGER_REFUSED_SILENCE_MS, LINGER_SILENCE_MS,
    LINGER_STOPPING_MS, LINGER_UNKNOWN_BYTES, LINGER_UNKNOWN_MS, LINGER_WHOLE_MS, TAKEN_CUT_MS,
    TAKEN_LOOK_MS, TAKEN_STALL_MS,
};
use crate::tls::stream::Stream;
use crate::turns::Turn;

/// What a stream's end is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was said.
    Whole,
    /// The same, and the peer may still be sending what nobody will read.
    Early(Rest),
    /// There is no more, and there should have been. A reset shows that, but takes with it what the peer has not
    /// taken yet. Nor is it needed inside TLS, where an end without close_notify shows it, or where the message
    /// itself shows that it is short.
    Cut {
        /// Whether what the peer has would look like all of it, were the connection ended in order.
        looks_whole: bool,
    },
    /// The same of a WebSocket that has come to the end of a frame: the peer is told that we go away, as this side.
    GoingAway(Sender),
    /// The peer failed, and is owed nothing more.
    Failed,
}

/// What a peer may still be sending that nobody will read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nothing of its request, which came whole.
    Nothing,
    /// The body of a request that was let in.
    Body,
    /// That of a request that was not let in.
    Refused,
    /// Whatever it is: no request, or one that was not let in, and came whole.
    Unknown,
}

/// How much of that is read away, how long, and how long none of it may come.
#[derive(Clone, Copy)]
struct Allowance {
    bytes: usize,
    time: Duration,
    silence: Duration,
}

impl Rest {
    /// What is left of an admitted request behind an answer of ours.
    pub fn of(left: Left) -> Rest {
        if left == Left::Midway { Rest::Body } else { Rest::Nothing }
    }

    /// The same behind an exchange that failed: a body that broke its framing, or stopped, is no claim to a place.
    pub fn behind(error: &Error, left: Left) -> Rest {
        if error.side == Side::Client { Rest::Unknown } else { Rest::of(left) }
    }

    fn allowance(self) -> Allowance {
        let (bytes, time_ms, silence_ms) = match self {
            Rest::Nothing => (LINGER_BYTES, LINGER_MS, LINGER_WHOLE_MS),
            Rest::Body => (LINGER_BYTES, LINGER_MS, LINGER_SILENCE_MS),
            Rest::Refused => (LINGER_REFUSED_BYTES, LINGER_REFUSED_MS, LINGER_REFUSED_SILENCE_MS),
            Rest::Unknown => (LINGER_UNKNOWN_BYTES, LINGER_UNKNOWN_MS, LINGER_WHOLE_MS),
        };
        let (time, silence) = (Duration::from_millis(time_ms), Duration::from_millis(silence_ms));
        Allowance { bytes, time, silence }
    }
}

impl Allowance {
    fn for_at_most(self, time: Duration) -> Allowance {
        Allowance { time: self.time.min(time), ..self }
    }

    /// How long nothing may come after so much time.
    fn silence_after(self, elapsed: Duration) -> Duration {
        self.silence.min(self.time.saturating_sub(elapsed))
    }
}

/// The ends of two streams of which one was relayed to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub client: End,
    pub upstream: End,
}

impl Ends {
    /// After an exchange that broke off. A request always shows its end.
    pub fn of_exchange(error: &Error, looks_whole: bool) -> Ends {
        Ends::of(error.side, End::Cut { looks_whole }, End::Cut { looks_whole: false })
    }

    /// After a tunnel that broke off. Nothing is known of what was in it.
    pub fn of_tunnel(error: &Error) -> Ends {
        let cut = End::Cut { looks_whole: true };
        Ends::of(error.side, cut, cut)
    }

    /// The same where we go away, and neither failed: whom of both may be told so.
    #[must_use]
    pub fn going_away(self, client: bool, upstream: bool) -> Ends {
        Ends {
            client: if client { End::GoingAway(Sender::Server) } else { self.client },
            upstream: if upstream { End::GoingAway(Sender::Client) } else { self.upstream },
        }
    }

    fn of(failed: Side, client: End, upstream: End) -> Ends {
        match failed {
            Side::Client => Ends { client: End::Failed, upstream },
            Side::Upstream => Ends { client, upstream: End::Failed },
            Side::Internal => Ends { client, upstream },
        }
    }
}

/// Ends streams. Each is closed next.
pub struct Ending<'a> {
    deadline: &'a Deadline,
    buffers: &'a Rc<BufferPool>,
    /// How long a peer may take nothing of a body.
    patience: Duration,
}

impl<'a> Ending<'a> {
    /// The streams of one client's connection.
    pub fn of(core: &'a Core, deadline: &'a Deadline) -> Ending<'a> {
        let patience = core.config.http.body_idle_timeout;
        Ending { deadline, buffers: &core.buffers, patience }
    }

    /// Ends our direction.
    pub async fn end(&self, stream: &Stream, end: End) {
        match end {
            End::Whole => {
                let wait = self.patience.min(Duration::from_millis(ANSWER_WAIT_MS));
                let _ = self.deadline.within(wait, stream.finish()).await;
            }
            End::Early(rest) => {
                // It may stand behind a body, which a peer that reads slowly must not take for cut.
                let _ = self.deadline.within(self.stall(), stream.finish()).await;
                self.linger(stream, rest.allowance()).await;
            }
            End::Cut { looks_whole: true } if !stream.shows_its_end() => {
                // First, so that an end of the whole process shows it too.
                stream.abort();
                self.until_taken(stream).await;
            }
            End::Cut { .. } => {
                stream.cut();
                self.until_taken(stream).await;
            }
            End::GoingAway(sender) if self.deadline.phase() == Phase::Cut => {
                let wait = Duration::from_millis(TAKEN_CUT_MS);
                or(self.say_goodbye(stream, sender, wait), sleep(wait)).await;
            }
            End::GoingAway(sender) => {
                let wait = Duration::from_millis(GOODBYE_MS);
                let _ = self.deadline.within(wait, self.say_goodbye(stream, sender, wait)).await;
            }
            End::Failed => stream.abort(),
        }
    }

    /// A close, the end of our direction, and what is left of the peer's, which answers with a close of its own.
    async fn say_goodbye(&self, stream: &Stream, sender: Sender, wait: Duration) {
        if stream.write_all(&going_away(sender)).await.is_ok() {
            stream.finish().await;
            self.read_away(stream, Rest::Nothing.allowance().for_at_most(wait)).await;
        }
    }

    /// Ends and closes both at the same time, each as soon as its own end allows it: nobody works on for a client
    /// that is gone.
    pub async fn end_both(&self, client: Stream, upstream: Stream, ends: Ends) {
        zip(self.close(client, ends.client), self.close(upstream, ends.upstream)).await;
    }

    async fn close(&self, stream: Stream, end: End) {
        self.end(&stream, end).await;
    }

    /// Waits until the peer has taken all that it was sent, as long as it goes on taking. What it sends meanwhile
    /// is read away: it may take nothing before it got rid of that.
    async fn until_taken(&self, stream: &Stream) {
        let look = Duration::from_millis(TAKEN_LOOK_MS);
        let stall = self.stall();
        let (mut least, mut stalled, mut cut) = (usize::MAX, Duration::ZERO, Duration::ZERO);
        let mut may_read = true;
        loop {
            let untaken = stream.untaken_bytes();
            if untaken == 0 || stream.has_failed() {
                return;
            }
            if untaken < least {
                (least, stalled) = (untaken, Duration::ZERO);
            }
            if stalled >= stall || cut >= Duration::from_millis(TAKEN_CUT_MS) {
                return;
            }
            may_read = may_read && self.may_read_on(stream).await;
            sleep(look).await;
            stalled += look;
            cut += if self.deadline.phase() == Phase::Cut { look } else { Duration::ZERO };
        }
    }

    /// How long a peer may take nothing of what it was sent.
    fn stall(&self) -> Duration {
        self.patience.min(Duration::from_millis(TAKEN_STALL_MS))
    }

    /// Reads away what is there, without waiting; whether more may come.
    async fn may_read_on(&self, stream: &Stream) -> bool {
        let mut away = self.buffers.lend();
        let read = poll_fn(|context| Poll::Ready(stream.poll_read(context, away.spare()))).await;
        matches!(read, Poll::Pending | Poll::Ready(Ok(1..)))
    }

    /// Reads away what the peer still sends, a bounded amount for a bounded time: closing with bytes unread would reset
    /// the connection, and who sends all before it reads would never see its answer (RFC 9112 §9.6). No buffer is held
    /// meanwhile. A process that stops does not wait for it for long.
    async fn linger(&self, stream: &Stream, allowance: Allowance) {
        let away = self.read_away(stream, allowance);
        let first = allowance.silence_after(Duration::ZERO);
        let ended = self.deadline.while_idle(first, away).await;
        if ended == Err(Interrupt::Stopping) && self.deadline.phase() != Phase::Cut {
            let allowance = allowance.for_at_most(Duration::from_millis(LINGER_STOPPING_MS));
            let away = self.read_away(stream, allowance);
            let _ = self.deadline.within(allowance.silence_after(Duration::ZERO), away).await;
        }
    }

    /// Moves the deadline, which is set.
    async fn read_away(&self, stream: &Stream, allowance: Allowance) {
        let began = Instant::now();
        let mut turn = Turn::begin();
        let mut left = allowance.bytes;
        while left > 0 {
            match stream.read_away(self.buffers).await {
                Ok(0) | Err(_) => return,
                Ok(len) => left = left.saturating_sub(len),
            }
            self.deadline.set(allowance.silence_after(began.elapsed()));
            turn.give_way().await;
        }
    }
}

/// Waits until a peer that has sent FIN is gone altogether. A FIN does not tell: it may only be done with sending.
/// What does is the reset that answers whatever reaches a closed socket, so that something is sent to it: inside TLS a
/// record without data. In the clear there is nothing that says nothing, but for what a peer that awaits an answer is to
/// pass over: `filler`, sent once. Where there is none, the kernel's probes, which carry no byte, find a client that
/// closed in order gone only once its kernel has forgotten it, a minute later (tcp_fin_timeout).
pub async fn until_gone(stream: &Stream, filler: impl Fn() -> Option<&'static [u8]>) -> io::Error {
    stream.probe_while_idle();
    for look in 0_usize.. {
        if look < HALF_CLOSED_RECORDS {
            poll_fn(|context| {
                stream.poke(context);
                Poll::Ready(())
            })
            .await;
        }
        sleep(Duration::from_millis(HALF_CLOSED_LOOK_MS)).await;
        // Not before the first look: most answers are quicker.
        let is_broken = look == 0 && filler().is_some_and(|bytes| !stream.send_now(bytes));
        if is_broken || stream.has_failed() {
            break;
        }
    }
    io::Error::new(io::ErrorKind::ConnectionReset, "gone behind its end")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read};
    use std::net::{TcpListener, TcpStream};
    use std::pin::pin;

    use futures_lite::future::{or, poll_once};

    use crate::conn::deadline::Deadlines;
    use crate::forward::tcp::Tcp;
    use crate::tls::stream_tests::{run, to_origin};

    const HOUR: Duration = Duration::from_secs(3600);

    /// Ends a stream while the core's ticker runs.
    async fn end(stream: &Stream, patience: Duration, phase: Phase, end: End) {
        let deadlines = Deadlines::new();
        let deadline = deadlines.register();
        let buffers = BufferPool::new();
        let ending = Ending { deadline: &deadline, buffers: &buffers, patience };
        let ticks = async {
            loop {
                deadlines.tick(phase);
                sleep(Duration::from_millis(5)).await;
            }
        };
        or(ending.end(stream, end), ticks).await;
    }

    /// A clear stream that has as much under way as fits, how much that is, and its other end.
    async fn full() -> (Stream, usize, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let tcp = Tcp::new(glommio::net::TcpStream::connect(address).await.unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        peer.set_nonblocking(true).unwrap();
        let mut len = 0;
        let piece = [7; 10_000];
        let write = || poll_once(poll_fn(|context| tcp.poll_write(context, &piece)));
        while let Some(written) = write().await {
            len += written.unwrap();
        }
        (Stream::Clear(tcp), len, peer)
    }

    /// All that comes, a little at a time, and how it ends.
    async fn take(peer: &mut TcpStream) -> (usize, Option<ErrorKind>) {
        let (mut len, mut into) = (0, vec![0; 100_000]);
        loop {
            match peer.read(&mut into) {
                Ok(0) => return (len, None),
                Ok(more) => len += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return (len, Some(error.kind())),
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[test]
    fn a_tls_client_that_stops_reading_does_not_hold_its_connection() {
        run(|| async {
            for how in [End::Whole, End::Early(Rest::Body)] {
                let (stream, _socket, _server) = to_origin().await;
                let data = vec![7; 32 << 20];
                assert!(poll_once(stream.write_all(&data)).await.is_none(), "the socket is full");
                end(&stream, Duration::from_millis(20), Phase::Running, how).await;
            }
        });
    }

    #[test]
    fn what_was_cut_is_taken_whole_before_its_end_shows() {
        run(|| async {
            for (looks_whole, shown) in [(true, Some(ErrorKind::ConnectionReset)), (false, None)] {
                let (stream, len, mut peer) = full().await;
                let ended = async {
                    end(&stream, HOUR, Phase::Running, End::Cut { looks_whole }).await;
                    drop(stream);
                };
                assert_eq!(zip(ended, take(&mut peer)).await.1, (len, shown));
            }
        });
    }

    #[test]
    fn a_peer_that_takes_nothing_is_not_waited_for_without_end() {
        run(|| async {
            let cases = [(Duration::from_millis(50), Phase::Running), (HOUR, Phase::Cut)];
            for (patience, phase) in cases {
                for looks_whole in [false, true] {
                    let (stream, _, _peer) = full().await;
                    end(&stream, patience, phase, End::Cut { looks_whole }).await;
                }
            }
        });
    }

    #[test]
    fn a_half_closed_peer_is_there_until_its_socket_is_closed() {
        run(|| async {
            let (stream, socket, _server) = to_origin().await;
            socket.shutdown(std::net::Shutdown::Write).unwrap();
            let mut gone = pin!(until_gone(&stream, || None));
            assert!(poll_once(gone.as_mut()).await.is_none());
            let more_than_a_look = Duration::from_millis(2 * HALF_CLOSED_LOOK_MS);
            let still_there = or(async { Some(gone.as_mut().await) }, async {
                sleep(more_than_a_look).await;
                None
            });
            assert!(still_there.await.is_none(), "it only half-closed");
            drop(socket);
            assert_eq!(gone.await.kind(), ErrorKind::ConnectionReset);
        });
    }

    #[test]
    fn a_peer_that_reset_the_connection_is_not_waited_for() {
        run(|| async {
            let (stream, _, peer) = full().await;
            socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
            drop(peer);
            end(&stream, HOUR, Phase::Running, End::Cut { looks_whole: true }).await;
        });
    }
}
