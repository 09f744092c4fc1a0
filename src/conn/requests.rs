//! The requests of one client connection, one after the other: read a head, decide, find a connection to the
//! origin, run the exchange, and again.

mod addressee;
mod ended;
mod loops;
mod origins;
mod preface;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

use self::origins::Attempt;
use super::access::Agent;
use super::admitted::{Admitted, Destination};
use super::backlog::defer_request;
use super::core::Core;
use super::deadline::{Deadline, Interrupt};
use super::ending::{End, Ending, Ends, Rest};
use super::exchange::{Exchange, Outcome};
use super::inspect::{Sight, shape_of};
use super::link::Link;
use super::progress::Left;
use super::refusal::{no_tunnel, refusal, unroutable};
use super::tunnel::{Content, Tunnelled};
use super::{Role, access, answer, upstream};
use crate::error::{Error, Side, Stage};
use crate::finding::Protocol;
use crate::forward::leg::Leg;
use crate::forward::origin::{Origin, Way};
use crate::forward::pool::Own;
use crate::forward::tcp::Tcp;
use crate::http::framing::{RequestPlan, plan_request};
use crate::http::head::{HeadError, Method, RequestHead, request_within};
use crate::http::login;
use crate::http::reply::{self, Cause};
use crate::http::rewrite::{Forwarding, Relay, write_request};
use crate::http::search::{HeadBounds, HeadSearch};
use crate::http::target::{Scheme, Target, parse_target};
use crate::policy;
use crate::tls::stream::Stream;

/// Where the requests of a connection go.
pub enum Route {
    /// Each names its own destination.
    Proxy,
    /// All go to one: inside CONNECT, or at the gateway.
    Fixed {
        origin: Rc<Origin>,
        protocol: Protocol,
        /// A connection to it that was dialled already.
        spare: Option<Tcp>,
        /// Where the requests are one HTTP/2 connection's: its way there. The same where the origin speaks HTTP/2 only.
        link: Option<Rc<Link>>,
    },
}

impl Route {
    /// Whether it is inside CONNECT, where nobody is asked for credentials again.
    pub fn is_tunnel(&self) -> bool {
        matches!(self, Route::Fixed { protocol, .. } if *protocol != Protocol::Gateway)
    }

    /// The same under another configuration, by which the origin may be reached another way: what was dialled
    /// before is not used.
    pub fn renewed(self, core: &Core, client: &Stream) -> Route {
        self.leave(client);
        match self {
            Route::Fixed { origin, protocol, .. }
                if protocol != Protocol::Gateway && !client.is_piped() =>
            {
                let way = upstream::way(core, &origin.host, false);
                let origin = Rc::new(Origin::clone(&origin).by(way));
                Route::Fixed { origin, protocol, spare: None, link: None }
            }
            other => other,
        }
    }

    /// Lets go of the way to an origin of HTTP/2, if it is this client's alone: streams share that of their connection.
    fn leave(&self, client: &Stream) {
        if let Route::Fixed { link: Some(link), .. } = self
            && !client.is_piped()
        {
            link.leave();
        }
    }
}

/// One client connection that speaks HTTP.
pub struct Requests<'a> {
    pub core: &'a Rc<Core>,
    pub deadline: &'a Deadline,
    pub source: IpAddr,
    pub route: Route,
    agent: &'a Agent,
    served: u64,
    /// A Host field that names somebody else is logged once a connection.
    mismatch_told: Cell<bool>,
    /// Who the last request named: most often the next one names the same.
    named: RefCell<Option<Rc<Origin>>>,
    /// The connection that this client logged in on, if it did: nobody else may use it.
    own: Option<Box<Own>>,
}

/// What became of the wait for a head.
enum Awaited {
    Admitted(Box<Admitted>),
    /// The connection ended, or it is time to end it.
    End,
    /// Another configuration came into force while the connection was idle.
    Renewed,
    /// It speaks HTTP/2, which nobody has agreed on.
    Http2,
    Refused(Error),
}

/// Whether the connection goes on after a request.
enum Next {
    Close,
    /// As the client is left: if it is not kept, what it still sends is read away before its connection closes.
    Behind(Left),
}

impl<'a> Requests<'a> {
    /// No request served yet.
    pub fn new(
        core: &'a Rc<Core>,
        deadline: &'a Deadline,
        source: IpAddr,
        route: Route,
        agent: &'a Agent,
    ) -> Requests<'a> {
        let mismatch_told = Cell::new(false);
        let named = RefCell::default();
        Requests {
            core,
            deadline,
            source,
            route,
            agent,
            served: 0,
            mismatch_told,
            named,
            own: None,
        }
    }

    /// The same on a connection that has served some already.
    pub fn after(self, served: u64) -> Requests<'a> {
        Requests { served, ..self }
    }

    /// Serves until the connection ends, or becomes a tunnel.
    pub async fn serve(mut self, mut client: Leg) -> Result<Role, Error> {
        loop {
            let admitted = match self.next_request(&mut client).await {
                Awaited::Admitted(admitted) => admitted,
                Awaited::End => {
                    self.end(&mut client, End::Whole).await;
                    return Ok(Role::Ended);
                }
                Awaited::Renewed => return Ok(Role::Renewed(client, self.route, self.served)),
                Awaited::Http2 => return Ok(self.multiplexed(client)),
                Awaited::Refused(error) => {
                    // One without credentials was counted as such.
                    let is_counted = error.answer.is_some_and(|answer| answer.status == 407);
                    self.core.counters.requests_refused.add(u64::from(!is_counted));
                    log::info!("{}: refused: {error}", self.source);
                    let is_head = ended::is_head(client.unread.bytes());
                    answer::send(&client.stream, self.deadline, &error, is_head).await;
                    let rest = self.rest_of_refused(&client);
                    self.end(&mut client, End::Early(rest)).await;
                    return Ok(Role::Ended);
                }
            };
            self.served += 1;
            self.core.counters.requests.add(1);
            client.unread.consume(admitted.len);
            if let Destination::Tunnel(authority) = admitted.destination {
                self.core.counters.connects.add(1);
                return Ok(Role::Connect(client, authority));
            }
            // Boxed, so that a connection that waits for its next request is small.
            match Box::pin(self.answer(&mut client, admitted)).await {
                Answered::Next(Next::Behind(Left::Kept)) => {}
                Answered::Next(Next::Close) => {
                    self.end(&mut client, End::Whole).await;
                    return Ok(Role::Ended);
                }
                Answered::Next(Next::Behind(left)) => {
                    self.end(&mut client, End::Early(Rest::of(left))).await;
                    return Ok(Role::Ended);
                }
                Answered::Over(over) => {
                    let Over { upstream, ends, error } = *over;
                    drop((client.unread, upstream.unread));
                    self.route.leave(&client.stream);
                    let ending = Ending::of(self.core, self.deadline);
                    Box::pin(ending.end_both(client.stream, upstream.stream, ends)).await;
                    return error.map_or(Ok(Role::Ended), Err);
                }
                Answered::Upgraded(upgraded) => {
                    let (upstream, content) = *upgraded;
                    return Ok(Role::Tunnel(Box::new(Tunnelled { client, upstream, content })));
                }
            }
        }
    }

    /// Waits for a whole head: patiently for its first byte, with one deadline for the rest.
    async fn next_request(&mut self, client: &mut Leg) -> Awaited {
        // Of a client that always sends the beginning of its next request ahead, no read begins with nothing there.
        if !client.unread.is_empty() && self.core.is_outdated() {
            return Awaited::Renewed;
        }
        let http = &self.core.config.http;
        let mut search = HeadSearch::request(http.head_limits());
        let mut has_begun = false;
        loop {
            let found = search.find(client.unread.bytes());
            let admitted = match found {
                Ok(Some(bounds)) => {
                    if let Err(error) = self.authorize(client, &bounds).await {
                        return Awaited::Refused(error);
                    }
                    self.admit(client, &bounds)
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            match admitted {
                Ok(Some(admitted)) => return Awaited::Admitted(Box::new(admitted)),
                Ok(None) => {}
                Err(_) if self.may_be_http2(client) => return Awaited::Http2,
                Err(error) => return Awaited::Refused(refusal(&error)),
            }
            let read = if client.unread.is_empty() {
                has_begun = false;
                let (deadline, wait) = (self.deadline, http.client_idle_timeout);
                let read = match self.served {
                    0 => deadline.while_idle(wait, client.fill()).await,
                    _ => deadline.while_idle_again(wait, client.fill()).await,
                };
                if self.core.is_outdated() && matches!(read, Ok(Ok(1..))) {
                    return Awaited::Renewed;
                }
                read
            } else {
                if !has_begun {
                    self.deadline.set(http.head_timeout);
                    has_begun = true;
                }
                self.deadline.guard(client.fill()).await
            };
            match read {
                Ok(Ok(1..)) => {}
                Ok(ended) => {
                    self.note_end(client, ended);
                    return Awaited::End;
                }
                Err(Interrupt::Stopping) => return Awaited::End,
                Err(Interrupt::Expired) if client.unread.is_empty() => return Awaited::End,
                Err(Interrupt::Expired) => {
                    let detail = "the request's head did not arrive in time";
                    let (stage, cause) = (Stage::RequestHead, Cause::HttpRequestError);
                    let error = Error::answered(Side::Client, stage, 408, cause, detail);
                    return Awaited::Refused(error);
                }
            }
        }
    }

    /// Inside a tunnel it was asked for credentials before, and the gateway does not ask.
    async fn authorize(&self, client: &Leg, bounds: &HeadBounds) -> Result<(), Error> {
        if !matches!(self.route, Route::Proxy) || !access::is_asked(self.core) {
            return Ok(());
        }
        let who = (self.source, self.agent);
        let read = client.unread.bytes();
        Box::pin(access::authorize(self.core, self.deadline, read, bounds, who)).await
    }

    /// Decides about the head at the front of what was read; None if there is none.
    fn admit(&self, client: &Leg, bounds: &HeadBounds) -> Result<Option<Admitted>, HeadError> {
        let Some(chunk) = client.unread.chunk() else { return Ok(None) };
        let head = request_within(chunk.bytes(), bounds)?;
        let target = parse_target(head.method, head.target)?;
        let plan = plan_request(&head)?;
        let (origin, protocol) = self.destination(&head, &target)?;
        let agent = self.agent.borrow().clone();
        let dest = std::sync::Arc::clone(&origin.dest);
        let path =
            self.core.policy.looks_at_paths().then(|| Rc::from(policy::path_of(head.target)));
        let sight = Sight { protocol, source: self.source, dest, path, agent };
        let blanked = access::without_credentials(self.core, chunk, &head);
        let shown = blanked.as_ref().unwrap_or(chunk);
        defer_request(self.core, &sight, shown, &head, &target);
        let mut forwarded = self.core.scratch.lend();
        let destination = self.decide(&head, target, &plan, origin, &mut forwarded.bytes);
        Ok(Some(Admitted {
            len: head.len,
            method: head.method,
            version: head.version,
            shape: shape_of(head.headers()),
            plan,
            sight,
            logs_in: login::is_used(&head),
            destination,
            forwarded,
        }))
    }

    fn decide(
        &self,
        head: &RequestHead<'_>,
        target: Target<'_>,
        plan: &RequestPlan,
        origin: Rc<Origin>,
        out: &mut Vec<u8>,
    ) -> Destination {
        let inside = matches!(self.route, Route::Fixed { .. });
        let via = self.core.config.http.add_via.then_some(super::VIA);
        match &target {
            Target::Authority(authority) if !inside => {
                return Destination::Tunnel(authority.clone());
            }
            Target::Authority(_) if self.is_gateway() => {
                return Destination::Refused(no_tunnel());
            }
            Target::Authority(_) => {
                return Destination::Refused(unroutable("CONNECT inside a tunnel"));
            }
            Target::Absolute { scheme: Scheme::Https, .. } if !inside => {
                return Destination::Refused(unroutable("https needs CONNECT"));
            }
            _ => {}
        }
        if let Some(error) = self.foreign(head) {
            return Destination::Refused(error);
        }
        if inside && let Some(error) = self.mismatch(head, &target, &origin) {
            return Destination::Refused(error);
        }
        let loop_mark = self.loop_mark(&target, &origin);
        let come_back = loop_mark.as_ref().and_then(|mark| loops::come_back(head, mark, &origin));
        if let Some(error) = come_back {
            return Destination::Refused(error);
        }
        if plan.max_forwards == Some(0) {
            match head.method {
                Method::Trace => return Destination::Reply(reply::trace(head, true)),
                Method::Options => return Destination::Reply(reply::options(true)),
                _ => {}
            }
        }
        let default_port = if origin.server_name.is_some() { 443 } else { 80 };
        let relay = match &origin.way {
            Way::Relayed(proxy) => Some(Relay { authorization: proxy.authorization.as_deref() }),
            Way::Direct | Way::Tunnelled(_) => None,
        };
        let forwarded_for = self.core.config.http.add_forwarded.then_some(self.source);
        let (host, port) = (origin.host.as_str(), origin.port);
        let loop_mark = loop_mark.as_deref();
        let forwarding =
            Forwarding { host, port, default_port, via, forwarded_for, relay, loop_mark };
        write_request(head, &target, plan, &forwarding, out);
        Destination::Origin(origin)
    }

    /// One admitted request to its end.
    async fn answer(&mut self, client: &mut Leg, admitted: Box<Admitted>) -> Answered {
        let origin = match &admitted.destination {
            Destination::Origin(origin) => Rc::clone(origin),
            Destination::Reply(bytes) => {
                let sent = Box::pin(answer::raw(&client.stream, self.deadline, bytes)).await;
                let left = admitted.left(&client.unread);
                return Answered::Next(if sent { Next::Behind(left) } else { Next::Close });
            }
            Destination::Refused(error) => {
                self.core.counters.requests_refused.add(1);
                return Box::pin(self.failed(client, &admitted, error)).await;
            }
            Destination::Tunnel(_) => return Answered::Next(Next::Close),
        };
        let request = admitted.request(&origin, !self.is_last());
        let core = Rc::clone(self.core);
        let is_own = Cell::new(admitted.logs_in);
        let exchange = Exchange {
            core: &core,
            is_own: &is_own,
            deadline: self.deadline,
            sight: &admitted.sight,
            request,
            response_timeout: core.config.http.response_timeout_of(&origin.host),
        };
        let idle_timeout = core.config.http.body_idle_timeout;
        self.deadline.begin_span();
        self.deadline.set(idle_timeout);
        let mut pooled = self.take_idle(&origin, &admitted, &is_own).await;
        let mut count = 0;
        loop {
            let was_pooled = pooled.is_some();
            let mut upstream = match pooled.take() {
                Some(leg) => leg,
                None => match Box::pin(self.open(&origin, client, &admitted)).await {
                    Ok(leg) => leg,
                    Err(answered) => return answered,
                },
            };
            count += 1;
            let attempt = Attempt { was_pooled, number: self.link_number(), count };
            match exchange.run(client, &mut upstream).await {
                Outcome::Unanswered(..)
                    if admitted.may_repeat() && self.has_left(&upstream, attempt).await => {}
                Outcome::Unanswered(error, left) | Outcome::Failed(error, left) => {
                    Box::pin(self.failed(client, &admitted, &error)).await;
                    let client = End::Early(Rest::behind(&error, left));
                    let ends = Ends { client, ..Ends::of_exchange(&error, false) };
                    return Answered::over(upstream, ends, None);
                }
                Outcome::Cut { error, looks_whole } => {
                    self.core.count_upstream_error(&error);
                    answer::cut(&client.stream, &error);
                    let ends = Ends::of_exchange(&error, looks_whole);
                    return Answered::over(upstream, ends, Some(error));
                }
                Outcome::Upgraded(websocket) => {
                    let content = Content::of(admitted.sight, websocket);
                    return Answered::Upgraded(Box::new((upstream, content)));
                }
                Outcome::Done { client: left, keep_upstream } => {
                    self.core.counters.request_time.observe(self.deadline.span_us().unwrap_or(0));
                    if let Some(wait) = keep_upstream {
                        self.keep_idle(&origin, upstream.stream, wait, is_own.get());
                    }
                    return Answered::Next(Next::Behind(left));
                }
            }
        }
    }

    /// Tells the client why there is no answer of the origin's.
    async fn failed(&self, client: &mut Leg, admitted: &Admitted, error: &Error) -> Answered {
        self.core.count_upstream_error(error);
        log::warn!("{} ▶ {}: {error}", self.source, admitted.sight.dest);
        let is_head = admitted.method == Method::Head;
        answer::send(&client.stream, self.deadline, error, is_head).await;
        Answered::Next(Next::Behind(admitted.left(&client.unread)))
    }
}

enum Answered {
    Next(Next),
    Upgraded(Box<(Leg, Content)>),
    /// It broke off, and both connections end.
    Over(Box<Over>),
}

impl Answered {
    fn over(upstream: Leg, ends: Ends, error: Option<Error>) -> Answered {
        Answered::Over(Box::new(Over { upstream, ends, error }))
    }
}

/// What is left of an exchange that broke off.
struct Over {
    upstream: Leg,
    ends: Ends,
    /// Why, unless that was logged.
    error: Option<Error>,
}
