//! One stream of a connection to an origin: the request that an exchange writes into the pipe in frames, and the answer
//! back into the pipe as HTTP/1.1.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_lite::future::{or, zip};
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream};
use http::{Request, Response};

use super::heads::{self, Coding};
use super::sending::{Part, Sending};
use super::windows::Windowed;
use super::{Fault, OURS, cut, failure, fill, frame_body, unframe_body};
use crate::forward::leg::{Leg, Unread};
use crate::http::body::Body;
use crate::http::framing::{BodyKind, plan_request};
use crate::http::head::{Method, parse_request};
use crate::tls::stream::Stream;

/// Carries one request and its answer, until the exchange lets go of its end of the pipe. A stream that is not over by
/// then is cancelled as it is dropped; if all that is missing is the word that it is, only behind `unended`: origins
/// take many cancelled streams for an attack.
pub(super) async fn carry(
    requests: SendRequest<Part>,
    scheme: &'static str,
    pipe: Leg,
    window: &Windowed,
    unended: impl Future<Output = ()>,
) {
    let Leg { stream: pipe, mut unread } = pipe;
    let is_said = Cell::new(false);
    let carried = async {
        match begin(requests, scheme, &pipe, &mut unread).await {
            Ok(begun) => both_ways(begun, &pipe, &mut unread, window, &is_said).await,
            Err(fault) => fail(&pipe, fault),
        }
        pipe.gone().await;
    };
    let given_up = async {
        pipe.gone().await;
        if is_said.get() {
            unended.await;
        }
    };
    or(carried, given_up).await;
}

/// What a request has become.
struct Begun {
    method: Method,
    body: Body,
    stream: Sending,
    response: ResponseFuture,
}

/// Reads the head out of the pipe and opens a stream by it, as soon as the origin allows another.
async fn begin(
    requests: SendRequest<Part>,
    scheme: &str,
    pipe: &Stream,
    unread: &mut Unread,
) -> Result<Begun, Fault> {
    let Head { len, method, request, body } = loop {
        if let Some(head) = head_of(unread, scheme)? {
            break head;
        }
        if fill(unread, pipe, |_| Poll::Pending).await? == 0 {
            return Err(cut());
        }
    };
    unread.consume(len);
    let mut requests = requests.ready().await?;
    let body = Body::new(body);
    let (response, stream) = requests.send_request(request, body.is_done())?;
    Ok(Begun { method, body, stream: Sending::new(stream), response })
}

/// A head as it stands in the pipe.
struct Head {
    len: usize,
    method: Method,
    request: Request<()>,
    body: BodyKind,
}

/// The head at the front of what was read, if it is there whole.
fn head_of(unread: &Unread, scheme: &str) -> Result<Option<Head>, Fault> {
    let parsed = parse_request(unread.bytes(), &OURS);
    let Some(head) = parsed.map_err(|error| Fault::Malformed(error.to_string()))? else {
        return Ok(None);
    };
    let plan = plan_request(&head).map_err(|error| Fault::Malformed(error.to_string()))?;
    let request = heads::request_of(&head, scheme)
        .ok_or_else(|| Fault::Malformed("HTTP/2 has no words for this request".to_owned()))?;
    Ok(Some(Head { len: head.len, method: head.method, request, body: plan.body }))
}

/// `is_said` is set once the exchange has all of the answer.
async fn both_ways(
    begun: Begun,
    pipe: &Stream,
    unread: &mut Unread,
    window: &Windowed,
    is_said: &Cell<bool>,
) {
    let Begun { method, body, mut stream, response } = begun;
    let upload = async {
        if body.is_done() {
            return;
        }
        match frame_body(body, false, unread, pipe, &mut stream).await {
            // Why the origin takes no more of it is said by its answer, or the lack of one.
            Ok(()) | Err(Fault::Peer(_)) => {}
            Err(Fault::Pipe(_) | Fault::Malformed(_)) => stream.reset(Reason::CANCEL),
        }
    };
    let download = async {
        let mut has_begun = false;
        let told = Told { window, is_said };
        match answer(method, response, pipe, &mut has_begun, &told).await {
            Ok(()) => {}
            Err(Fault::Peer(error)) if has_begun => pipe.cut_by(failure(&error)),
            Err(_) if has_begun => pipe.cut(),
            Err(fault) => fail(pipe, fault),
        }
    };
    // An end right behind the answer would say that the origin takes no more of the request.
    zip(upload, download).await;
    pipe.finish().await;
}

fn fail(pipe: &Stream, fault: Fault) {
    match fault {
        Fault::Peer(error) => pipe.fail(failure(&error)),
        Fault::Malformed(why) => pipe.fail(why.into()),
        Fault::Pipe(error) => pipe.fail(error.to_string().into()),
    }
}

/// Who is told of what was passed on of an answer.
struct Told<'a> {
    window: &'a Windowed,
    /// Set once that is all of it.
    is_said: &'a Cell<bool>,
}

async fn answer(
    method: Method,
    mut response: ResponseFuture,
    pipe: &Stream,
    has_begun: &mut bool,
    told: &Told<'_>,
) -> Result<(), Fault> {
    let mut out = Vec::new();
    loop {
        out.clear();
        let (head, body) = match poll_fn(|context| next_head(&mut response, context)).await? {
            Next::Interim(interim) => (interim.into_parts().0, None),
            Next::Final(response) => {
                let (head, body) = response.into_parts();
                (head, Some(body))
            }
        };
        let ends = body.as_ref().is_none_or(RecvStream::is_end_stream);
        let coding = heads::write_response_head(&head, ends, method == Method::Head, &mut out);
        *has_begun = true;
        pipe.write_all(&out).await?;
        match (body, coding) {
            (None, _) => {}
            (Some(body), Coding::None) => {
                told.is_said.set(true);
                return ended(body).await;
            }
            (Some(body), Coding::Plain | Coding::Chunked) => {
                let mut left = heads::length_of(&head.headers);
                let passes = |len: usize| {
                    told.window.passes(len);
                    left = left.map(|left| left.saturating_sub(len as u64));
                    told.is_said.set(left == Some(0));
                };
                return unframe_body(body, coding, pipe, passes).await;
            }
        }
    }
}

/// Waits for the end of a stream of which nothing more is the exchange's.
async fn ended(mut body: RecvStream) -> Result<(), Fault> {
    // What came all the same is not given room for: so much of it there may be.
    while let Some(data) = body.data().await {
        data?;
    }
    Ok(())
}

enum Next {
    Interim(Response<()>),
    Final(Response<RecvStream>),
}

fn next_head(
    response: &mut ResponseFuture,
    context: &mut Context<'_>,
) -> Poll<Result<Next, h2::Error>> {
    if let Poll::Ready(Some(interim)) = response.poll_informational(context) {
        return Poll::Ready(interim.map(Next::Interim));
    }
    Pin::new(response).poll(context).map_ok(Next::Final)
}
