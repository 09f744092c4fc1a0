//! One stream of a client's connection: its request into the pipe as HTTP/1.1, and the answer that comes back by it
//! into frames.

use std::cell::Cell;

use futures_lite::future::{or, zip};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Request, Response};

use super::heads::{self, Coding};
use super::sending::{Part, Sending};
use super::windows::Windowed;
use super::{Fault, OURS, cut, fill, frame_body, in_words, reason_of, unframe_body};
use crate::forward::leg::{Leg, Unread};
use crate::http::body::Body;
use crate::http::framing::{BodyKind, ResponseKind, plan_response};
use crate::http::head::{Method, parse_response};
use crate::tls::stream::Stream;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// All that there is of an answer has gone out, and what the exchange took of the request was brought.
    Over,
    /// The client wants no more of it, or is gone.
    GivenUp,
}

/// Carries one request and its answer. Behind the answer the rest of the request goes on, for as long as the exchange
/// takes it; what it does not take is refused as its stream is dropped.
pub(super) async fn carry(
    request: Request<RecvStream>,
    mut respond: SendResponse<Part>,
    pipe: Leg,
    window: &Windowed,
) -> Carried {
    let Leg { stream: pipe, mut unread } = pipe;
    let method = Method::from_name(request.method().as_str());
    let carried = Cell::new(Carried::Over);
    let give_up = |error: h2::Error| {
        carried.set(Carried::GivenUp);
        pipe.fail(in_words(&error).into());
    };
    let uploading = async {
        if let Err(Fault::Peer(error)) = upload(request, &pipe, window).await {
            give_up(error);
        }
    };
    let answering = async {
        match answer(method, &mut respond, &pipe, &mut unread).await {
            Ok(()) => {}
            Err(Fault::Peer(error)) => give_up(error),
            Err(Fault::Pipe(_) | Fault::Malformed(_)) => pipe.abort(),
        }
    };
    zip(or(uploading, pipe.gone()), answering).await;
    carried.get()
}

async fn upload(
    request: Request<RecvStream>,
    pipe: &Stream,
    window: &Windowed,
) -> Result<(), Fault> {
    let (head, body) = request.into_parts();
    let mut out = Vec::new();
    let coding = heads::write_request_head(&head, body.is_end_stream(), &mut out);
    pipe.write_all(&out).await?;
    drop((out, head));
    match coding {
        Coding::None => Ok(()),
        Coding::Plain | Coding::Chunked => {
            unframe_body(body, coding, pipe, |len| window.passes(len)).await
        }
    }
}

async fn answer(
    method: Method,
    respond: &mut SendResponse<Part>,
    pipe: &Stream,
    unread: &mut Unread,
) -> Result<(), Fault> {
    let (response, kind) = match final_head(method, respond, pipe, unread).await {
        Err(fault @ (Fault::Pipe(_) | Fault::Malformed(_))) => {
            respond.send_reset(reason_of(&fault));
            return Err(fault);
        }
        head => head?,
    };
    let body = Body::new(kind);
    let mut stream = Sending::new(respond.send_response(response, body.is_done())?);
    if body.is_done() {
        return Ok(());
    }
    let until_close = kind == BodyKind::UntilClose;
    let framed = frame_body(body, until_close, unread, pipe, &mut stream).await;
    if let Err(fault @ (Fault::Pipe(_) | Fault::Malformed(_))) = &framed {
        stream.cut(reason_of(fault)).await;
    }
    framed
}

/// The head of the answer, once those of interim answers have gone out.
async fn final_head(
    method: Method,
    respond: &mut SendResponse<Part>,
    pipe: &Stream,
    unread: &mut Unread,
) -> Result<(Response<()>, BodyKind), Fault> {
    loop {
        if let Some(Head { len, response, body, is_final }) = next_head(method, unread)? {
            unread.consume(len);
            if is_final {
                return Ok((response, body));
            }
            respond.send_informational(response)?;
        } else if fill(unread, pipe, |context| respond.poll_reset(context)).await? == 0 {
            return Err(cut());
        }
    }
}

/// A head as it stands in the pipe.
struct Head {
    len: usize,
    response: Response<()>,
    body: BodyKind,
    is_final: bool,
}

/// The head at the front of what was read, if it is there whole.
fn next_head(method: Method, unread: &Unread) -> Result<Option<Head>, Fault> {
    let malformed = |error: &dyn std::fmt::Display| Fault::Malformed(error.to_string());
    let parsed = parse_response(unread.bytes(), &OURS).map_err(|error| malformed(&error))?;
    let Some(head) = parsed else { return Ok(None) };
    let plan = plan_response(&head, method).map_err(|error| malformed(&error))?;
    let response = heads::response_of(&head).ok_or_else(|| malformed(&"its status"))?;
    let is_final = plan.kind == ResponseKind::Final;
    Ok(Some(Head { len: head.len, response, body: plan.body, is_final }))
}
