//! The way from a client's HTTP/2 connection to its origin: one HTTP/2 connection for all of its streams, or HTTP/1.1
//! where the origin speaks nothing else. Requests of HTTP/1.1 take it where the origin speaks HTTP/2 only.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::or;
use glommio::Task;
use glommio::sync::Semaphore;
use glommio::timer::sleep;

use super::connect::into_spare;
use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use super::upstream::{self, Unopened, too_late};
use crate::defects::contained;
use crate::error::{Error, Side, Stage};
use crate::forward::leg::Leg;
use crate::forward::origin::Origin;
use crate::forward::pipe::pipe;
use crate::forward::tcp::Idle;
use crate::http::reply::Cause;
use crate::http2::connection::ToOrigin;
use crate::limits::{HTTP2_FAREWELL_MS, HTTP2_LEFT_LOOK_MS, HTTP2_UNENDED_MS};
use crate::tls::stream::Stream;

/// What every frame begins with (RFC 9113 §4.1).
const FRAME_HEAD_BYTES: usize = 9;

/// What is known of the origin, and the connection to it.
pub struct Link {
    state: RefCell<State>,
    /// HTTP/2 connections that there have been.
    made: Cell<usize>,
    /// Who may connect: one at a time, and the others use what that one made.
    turn: Semaphore,
}

enum State {
    /// Not asked yet, or its connection is gone. Perhaps one was dialled already, on which it may have spoken first.
    Unknown(Option<Box<Leg>>),
    /// It speaks HTTP/1.1: streams take connections as HTTP/1.1's requests do.
    Http1,
    Http2(Box<Connected>),
}

struct Connected {
    connection: ToOrigin,
    peer: SocketAddr,
    /// Moves the connection's frames.
    driver: Task<bool>,
    /// Held by each stream that is under way.
    streams: Rc<()>,
}

impl Link {
    /// Nothing is known yet.
    pub fn new(spare: Option<Leg>) -> Link {
        let state = RefCell::new(State::Unknown(spare.map(Box::new)));
        Link { state, made: Cell::new(0), turn: Semaphore::new(1) }
    }

    /// Which of its connections streams are opened on.
    pub fn number(&self) -> usize {
        self.made.get()
    }

    /// Whether the connection of this number takes no more streams.
    pub async fn has_left(&self, number: usize) -> bool {
        poll_fn(|context| match &mut *self.state.borrow_mut() {
            State::Http2(connected) if self.made.get() == number => {
                Poll::Ready(connected.connection.has_ended(context))
            }
            _ => Poll::Ready(true),
        })
        .await
    }

    /// Whether idle connections of HTTP/1.1 lead to the origin as well.
    pub fn is_http1(&self) -> bool {
        matches!(*self.state.borrow(), State::Http1)
    }

    /// A stream on the connection that is there, if it is still good.
    pub async fn take(&self, core: &Core) -> Option<Leg> {
        poll_fn(|context| {
            let mut state = self.state.borrow_mut();
            let State::Http2(connected) = &mut *state else { return Poll::Ready(None) };
            if connected.connection.has_ended(context) {
                if let State::Http2(left) = std::mem::replace(&mut *state, State::Unknown(None)) {
                    left.leave();
                }
                return Poll::Ready(None);
            }
            Poll::Ready(Some(connected.begin(core)))
        })
        .await
    }

    /// A way to the origin for one request: a stream on a connection made now, or one made meanwhile, or a
    /// connection of HTTP/1.1.
    pub async fn open(
        &self,
        core: &Core,
        deadline: &Deadline,
        origin: &Origin,
    ) -> Result<Leg, Error> {
        let wait =
            core.config.http.connect_timeout.saturating_add(core.config.tls.handshake_timeout);
        let turn = deadline.within(wait, self.turn.acquire_permit(1)).await;
        let late = || format!("{}: no connection within {wait:?}", origin.dest);
        let permit = upstream::in_time(turn, Stage::Dial, || too_late(Stage::Dial, late()))?
            .map_err(|_| upstream::stopping(Stage::Dial))?;
        if let Some(leg) = self.take(core).await {
            return Ok(leg);
        }
        let spare = match &mut *self.state.borrow_mut() {
            State::Unknown(spare) => spare.take(),
            State::Http1 | State::Http2(_) => None,
        };
        if self.is_http1() {
            drop(permit);
            let opened = upstream::open(core, deadline, origin, None).await;
            if let Err(Unopened { wants_http2: true, .. }) = &opened {
                // It has unlearned that: the next request is asked for anew.
                self.state.replace(State::Unknown(None));
            }
            return opened.map_err(|unopened| unopened.error);
        }
        let leg = match spare.map(|spare| *spare) {
            Some(Leg { stream: Stream::Clear(tcp), unread })
                if origin.server_name.is_none() && tcp.look() != Idle::Gone =>
            {
                Leg { stream: Stream::Clear(tcp), unread }
            }
            spare => {
                let spare = spare.and_then(into_spare);
                upstream::open_any(core, deadline, origin, spare).await?
            }
        };
        let mut leg = leg;
        // In the clear nothing is agreed on: the client took it for granted, and so do we.
        let is_http2 = !leg.stream.is_tls()
            || leg.stream.speaks_http2()
            || leg.stream.agreed_on_nothing() && greets(core, deadline, &mut leg).await;
        if !is_http2 {
            self.state.replace(State::Http1);
            return Ok(leg);
        }
        let connected = self.connect(core, deadline, origin, leg).await?;
        let leg = connected.begin(core);
        self.made.set(self.made.get().wrapping_add(1));
        self.state.replace(State::Http2(Box::new(connected)));
        Ok(leg)
    }

    async fn connect(
        &self,
        core: &Core,
        deadline: &Deadline,
        origin: &Origin,
        leg: Leg,
    ) -> Result<Connected, Error> {
        let peer = leg.stream.peer();
        let greeting = ToOrigin::greet(leg, core.config.http.max_head_bytes);
        let failed = |status, detail: &str| {
            let detail = format!("{}: {detail}", origin.dest);
            let cause = Cause::HttpProtocolError;
            Error::answered(Side::Upstream, Stage::RequestHead, status, cause, detail)
        };
        match deadline.within(core.config.http.connect_timeout, greeting).await {
            Ok(Ok((connection, frames))) => {
                let dest = Arc::clone(&origin.dest);
                let driver = async move {
                    if let Err(error) = frames.await {
                        log::debug!("{dest}: {error}");
                    }
                };
                let what = "a connection to an origin";
                let driver = glommio::spawn_local(contained(what, driver));
                Ok(Connected { connection, peer, driver, streams: Rc::default() })
            }
            Ok(Err(error)) => Err(failed(502, &error.to_string())),
            Err(Interrupt::Expired) => Err(failed(504, "no HTTP/2 greeting in time")),
            Err(Interrupt::Stopping) => Err(upstream::stopping(Stage::RequestHead)),
        }
    }

    /// Ends the connection in order, if the origin lets it: its streams are over, or the client has given them up.
    pub async fn close(&self, deadline: &Deadline) {
        if let State::Http2(connected) = self.state.replace(State::Unknown(None)) {
            let Connected { connection, driver, .. } = *connected;
            drop(connection);
            // Those have as long to end: without their connection they would, as if the origin had failed.
            let wait = Duration::from_millis(2 * HTTP2_FAREWELL_MS);
            let _ = deadline.within(wait, driver).await;
        }
    }

    /// The same, and nobody waits for it.
    pub fn leave(&self) {
        if let State::Http2(connected) = self.state.replace(State::Unknown(None)) {
            connected.leave();
        }
    }
}

/// Whether an origin that chose no protocol greets as those of HTTP/2 do, whose clients may take it for granted. One of
/// HTTP/1.1 says nothing before it is asked.
async fn greets(core: &Core, deadline: &Deadline, origin: &mut Leg) -> bool {
    let wait = core.config.http.detect_timeout;
    let greeted = deadline.within(wait, async {
        while origin.unread.bytes().len() < FRAME_HEAD_BYTES && origin.fill().await? > 0 {}
        io::Result::Ok(())
    });
    // What broke it shows at the request.
    let _ = greeted.await;
    is_settings(origin.unread.bytes())
}

/// Whether what an origin said first is SETTINGS (RFC 9113 §3.4, §6.5).
fn is_settings(said: &[u8]) -> bool {
    matches!(said, [0, 0, len, 4, 0, 0, 0, 0, 0, ..] if len % 6 == 0)
}

impl Connected {
    /// A stream, in a task of its own: it ends by itself when its exchange lets go of the pipe.
    fn begin(&self, core: &Core) -> Leg {
        let (ours, its) = pipe(self.peer);
        let leg = |pipe| Leg::new(Stream::Piped(pipe), &core.buffers);
        let unended = sleep(Duration::from_millis(HTTP2_UNENDED_MS));
        let carried = self.connection.clone().carry(leg(its), unended);
        let stream = Rc::clone(&self.streams);
        let carried = async move {
            carried.await;
            drop(stream);
        };
        glommio::spawn_local(contained("a stream to an origin", carried)).detach();
        leg(ours)
    }

    /// Opens no more streams; those that it has taken go on (RFC 9113 §6.8). Behind the last of them it ends, and nobody
    /// waits for that.
    fn leave(self) {
        let Connected { connection, driver, streams, .. } = self;
        drop(connection);
        let is_overdue = async move {
            while Rc::strong_count(&streams) > 1 {
                sleep(Duration::from_millis(HTTP2_LEFT_LOOK_MS)).await;
            }
            sleep(Duration::from_millis(HTTP2_FAREWELL_MS)).await;
        };
        let has_ended = async move {
            driver.await;
        };
        let leaving = or(has_ended, is_overdue);
        glommio::spawn_local(contained("a connection that is left", leaving)).detach();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_is_told_from_an_answer() {
        for greeting in [&b"\0\0\0\x04\0\0\0\0\0"[..], b"\0\0\x12\x04\0\0\0\0\0\0\x03\0"] {
            assert!(is_settings(greeting), "{greeting:?}");
        }
        for other in [
            &b""[..],
            b"\0\0\0\x04\0\0\0\0",
            b"HTTP/1.1 200 OK\r\n",
            b"\0\0\x05\x04\0\0\0\0\0",
            b"\0\0\0\x04\x01\0\0\0\0",
            b"\0\0\0\x04\0\0\0\0\x01",
        ] {
            assert!(!is_settings(other), "{other:?}");
        }
    }
}
