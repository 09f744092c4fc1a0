//! The connections whose streams these are, of either side, and the bounds that they get.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use h2::server::SendResponse;
use h2::{Reason, RecvStream, client, server};
use http::Request;

pub use super::from_client::Carried;
use super::sending::Part;
use super::windows::Windows;
use super::wire::Wire;
use super::{from_client, in_words, to_origin};
use crate::forward::leg::Leg;
use crate::limits::{
    HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_SEND_BUFFER_BYTES, HTTP2_STREAM_WINDOW_MIN_BYTES,
    HTTP2_STREAMS_MAX,
};

/// A client's connection. It has to be polled for its streams to go on.
pub struct FromClient {
    connection: server::Connection<Wire, Part>,
    windows: Rc<Windows>,
}

/// One stream that a client opened.
pub struct Accepted {
    request: Request<RecvStream>,
    respond: SendResponse<Part>,
    windows: Rc<Windows>,
}

impl FromClient {
    /// Greets the client. `head_max_bytes`: as RFC 9113 §6.5.2 counts a head.
    pub async fn greet(client: Leg, head_max_bytes: usize) -> io::Result<FromClient> {
        let greeting = server::Builder::new()
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .initial_window_size(HTTP2_STREAM_WINDOW_MIN_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_send_buffer_size(HTTP2_SEND_BUFFER_BYTES)
            .max_header_list_size(u32::try_from(head_max_bytes).unwrap_or(u32::MAX))
            .handshake(Wire::from(client));
        let connection = greeting.await.map_err(as_io)?;
        Ok(FromClient { connection, windows: Windows::begin() })
    }

    /// The next stream. None: there will be no more, and the connection has ended.
    pub async fn accept(&mut self) -> Option<io::Result<Accepted>> {
        let FromClient { connection, windows } = self;
        let accepted = poll_fn(|context| {
            windows.adjust(|bytes| connection.set_initial_window_size(bytes).is_ok());
            connection.poll_accept(context)
        });
        let accepted = accepted.await?.map(|(request, respond)| {
            let windows = Rc::clone(windows);
            Accepted { request, respond, windows }
        });
        Some(accepted.map_err(as_io))
    }

    /// Tells the client to open no more streams; those that there are go on.
    pub fn go_away(&mut self) {
        self.connection.graceful_shutdown();
    }

    /// Ends the streams that there are, and the connection.
    pub async fn end(&mut self) {
        self.connection.abrupt_shutdown(Reason::NO_ERROR);
        // Whoever is gone is not told.
        let _ = poll_fn(|context| self.connection.poll_closed(context)).await;
    }
}

impl Accepted {
    /// Tells the client that nothing was done with the request: it may be sent again (RFC 9113 §8.7).
    pub fn refuse(mut self) {
        self.respond.send_reset(Reason::REFUSED_STREAM);
    }

    /// Carries the request into the pipe and its answer back, to the end of that.
    pub async fn carry(self, pipe: Leg) -> Carried {
        from_client::carry(self.request, self.respond, pipe, &self.windows.stream()).await
    }
}

/// A connection to an origin. Its last clone gone, and its streams over, it ends.
#[derive(Clone)]
pub struct ToOrigin {
    requests: client::SendRequest<Part>,
    scheme: &'static str,
    windows: Rc<Windows>,
}

impl ToOrigin {
    /// Greets the origin. Beside the connection there is what has to be polled for it to go on, until it has ended.
    pub async fn greet(
        origin: Leg,
        head_max_bytes: usize,
    ) -> io::Result<(ToOrigin, impl Future<Output = io::Result<()>> + 'static)> {
        let scheme = if origin.stream.is_tls() { "https" } else { "http" };
        let greeting = client::Builder::new()
            .enable_push(false)
            .initial_window_size(HTTP2_STREAM_WINDOW_MIN_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_send_buffer_size(HTTP2_SEND_BUFFER_BYTES)
            .max_header_list_size(u32::try_from(head_max_bytes).unwrap_or(u32::MAX))
            .handshake(Wire::from(origin));
        let (requests, mut connection) = greeting.await.map_err(as_io)?;
        let windows = Windows::begin();
        let granted = Rc::clone(&windows);
        let frames = poll_fn(move |context| {
            granted.adjust(|bytes| connection.set_initial_window_size(bytes).is_ok());
            Pin::new(&mut connection).poll(context).map_err(as_io)
        });
        Ok((ToOrigin { requests, scheme, windows }, frames))
    }

    /// Whether it takes no more streams.
    pub fn has_ended(&mut self, context: &mut Context<'_>) -> bool {
        matches!(self.requests.poll_ready(context), Poll::Ready(Err(_)))
    }

    /// Carries a request out of the pipe and its answer back, until the pipe's other end is gone; and if all that is
    /// missing then is the origin's word that the stream is over, until `unended` is.
    pub async fn carry(self, pipe: Leg, unended: impl Future<Output = ()>) {
        let stream = self.windows.stream();
        to_origin::carry(self.requests, self.scheme, pipe, &stream, unended).await;
    }
}

/// What broke the connection itself, as it said it.
fn as_io(error: h2::Error) -> io::Error {
    let text = in_words(&error);
    error.into_io().unwrap_or_else(|| io::Error::other(text))
}
