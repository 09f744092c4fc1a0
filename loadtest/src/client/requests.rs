//! Request after request. Closed loop: the next when the last is answered. The open loop sends the same requests
//! at a constant rate.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::conversation::{Conversation, Conversations};
use super::dial::Dialer;
use super::exchange::{Answer, Connection, RequestShape};
use super::run::{Plan, Share, SpanArguments, When, measure};
use super::{TargetArguments, open_loop};
use crate::bodies::Bodies;
use crate::{Outcome, bounds, meter, text};

/// Connections being opened at a time.
const OPENING_MAX: usize = 64;
/// What a client waits after a failed request.
const ERROR_BACKOFF: Duration = Duration::from_millis(5);

/// Request after request.
#[derive(Args)]
pub struct RequestsArguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    span: SpanArguments,
    /// Connections.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Open loop: requests a second, over all connections. Without: closed loop.
    #[arg(long, value_parser = bounds::rate)]
    rate: Option<f64>,
    /// A new connection for every request.
    #[arg(long)]
    new_connection: bool,
    /// Ask for every connection to be closed, at the origin too.
    #[arg(long)]
    close: bool,
    /// Send a body of so many bytes (POST).
    #[arg(long, default_value_t = 0)]
    body: usize,
    /// Send conversations as an agent does (POST): each request is the one before on its connection and a new
    /// message or two, from 64 to 256 KiB.
    #[arg(long, conflicts_with = "body")]
    conversation: bool,
    /// The share of requests that carry findings, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = bounds::share)]
    findings: f64,
    /// How many findings such a request carries, 1 to 4.
    #[arg(long, default_value_t = 1)]
    findings_each: usize,
}

/// What the tasks of a thread need.
pub struct Loop {
    pub share: Share,
    dialer: Arc<Dialer>,
    shape: RequestShape,
    /// Bytes of a request's body, and where it is from.
    body: usize,
    bodies: Arc<Bodies>,
    conversations: Option<Arc<Conversations>>,
    connections: usize,
    is_new_each: bool,
    /// Whether a request counts from when it was due, not from when it was sent.
    is_open: bool,
    findings: f64,
    findings_each: usize,
    /// The number of the next finding, over all threads.
    next_finding: Arc<AtomicU64>,
    opening: Semaphore,
}

/// One connection's place: the connection that stands there now, if any, and what it talks of.
pub struct Caller {
    held: Option<Connection>,
    conversation: Option<Conversation>,
}

/// Measures.
pub fn run(arguments: RequestsArguments) -> Outcome<Value> {
    meter::check_descriptors(arguments.connections)?;
    let dialer = arguments.target.dialer()?;
    let path = dialer.target.path.clone();
    let has_body = arguments.body > 0 || arguments.conversation;
    let method = if has_body { "POST" } else { "GET" };
    let body = arguments.body;
    let bodies = Arc::new(Bodies::of_client(text::clean()));
    let conversations = arguments.conversation.then(|| Arc::new(Conversations::new()));
    let shape = RequestShape { method, path, closes: arguments.close };
    let findings_each = arguments.findings_each;
    let next_finding = Arc::new(AtomicU64::new(0));
    let (connections, rate) = (arguments.connections, arguments.rate);
    let is_new_each = arguments.new_connection || arguments.close;
    let findings = arguments.findings;
    let to_open = if is_new_each { 0 } else { connections as u64 };
    let drain = if rate.is_some() { open_loop::DRAIN_MAX } else { Duration::ZERO };
    let plan = Plan { span: &arguments.span, charge: arguments.target.charge, to_open, drain };
    measure(&plan, move |share| {
        let all = Rc::new(Loop {
            share,
            dialer: Arc::clone(&dialer),
            shape: shape.clone(),
            body,
            bodies: Arc::clone(&bodies),
            conversations: conversations.clone(),
            connections,
            is_new_each,
            is_open: rate.is_some(),
            findings,
            findings_each,
            next_finding: Arc::clone(&next_finding),
            opening: Semaphore::new(OPENING_MAX),
        });
        async move {
            match rate {
                None => all.closed(connections).await,
                Some(rate) => open_loop::run(all, connections, rate).await,
            }
        }
    })
}

/// What a request carries that has findings: so many lines, none of them sent before by this process.
fn finding_lines(number: u64, each: usize) -> String {
    let lines = text::finding_headers(number);
    let first = (number % lines.len() as u64) as usize;
    lines.iter().cycle().skip(first).take(each.clamp(1, lines.len())).map(String::as_str).collect()
}

impl Loop {
    async fn closed(self: Rc<Self>, connections: usize) {
        let mut tasks = JoinSet::new();
        for index in 0..self.share.of(connections) {
            let own = Rc::clone(&self);
            tasks.spawn_local(async move {
                let mut caller = own.caller(index).await;
                let mut number = 0;
                while own.share.shared.may_start() {
                    let started = Instant::now();
                    own.request(&mut caller, started, number).await;
                    number += 1;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    /// One of this thread's callers, ready for its first request.
    pub async fn caller(&self, index: usize) -> Caller {
        let index = index * self.share.threads + self.share.index;
        let talk = |all: &Arc<_>| Conversation::new(Arc::clone(all), index, self.connections);
        let conversation = self.conversations.as_ref().map(talk);
        Caller { held: self.first_connection().await, conversation }
    }

    /// The connection that a keep-alive client begins with.
    async fn first_connection(&self) -> Option<Connection> {
        if self.is_new_each {
            self.share.shared.opened().await;
            return None;
        }
        let permit = self.opening.acquire().await;
        let dialled = self.dialer.dial().await;
        drop(permit);
        self.share.shared.note_opened(&dialled);
        self.share.shared.opened().await;
        match dialled {
            Ok(connection) => Some(connection),
            Err(error) => {
                self.share.tally.borrow_mut().note_error(error.to_string());
                None
            }
        }
    }

    /// One request, counted from `started`. The caller keeps the connection when it can be used again.
    pub async fn request(&self, caller: &mut Caller, started: Instant, number: u64) {
        let held = caller.held.take();
        let is_new = held.is_none();
        let made;
        let body = match &mut caller.conversation {
            Some(conversation) => conversation.next(),
            None => {
                made = self.bodies.whole(self.body);
                &made
            }
        };
        match self.exchange(held, number, body).await {
            Ok((answer, connection)) => {
                let bytes = answer.body_bytes + body.len() as u64;
                self.count(&answer, bytes, &connection, started, is_new);
                if answer.keep_alive && !self.is_new_each {
                    caller.held = Some(connection);
                    return;
                }
                connection.close().await;
            }
            Err(error) => {
                if self.when(started) != When::Outside {
                    self.share.tally.borrow_mut().note_error(error.to_string());
                }
                tokio::time::sleep(ERROR_BACKOFF).await;
            }
        }
    }

    /// How a request that ends now stands to the measured stretch.
    fn when(&self, started: Instant) -> When {
        match self.is_open {
            true => self.share.shared.when_due(started),
            false if self.share.shared.is_measuring() => When::Within,
            false => When::Outside,
        }
    }

    async fn exchange(
        &self,
        held: Option<Connection>,
        number: u64,
        body: &[u8],
    ) -> io::Result<(Answer, Connection)> {
        let mut connection = match held {
            Some(connection) => connection,
            None => self.dialer.dial().await?,
        };
        connection.send(&self.shape, &self.extra(number), body).await?;
        let answer = connection.receive(|_| {}).await?;
        if answer.status != 200 {
            return Err(io::Error::other(format!("answered {}", answer.status)));
        }
        Ok((answer, connection))
    }

    /// Every so many requests one carries findings, spread evenly.
    fn extra(&self, number: u64) -> String {
        let before = (number as f64 * self.findings).floor();
        let after = ((number + 1) as f64 * self.findings).floor();
        if after <= before {
            return String::new();
        }
        finding_lines(self.next_finding.fetch_add(1, Ordering::Relaxed), self.findings_each)
    }

    fn count(
        &self,
        answer: &Answer,
        body_bytes: u64,
        connection: &Connection,
        started: Instant,
        is_new: bool,
    ) {
        let when = self.when(started);
        let mut tally = self.share.tally.borrow_mut();
        match when {
            When::Outside => return,
            When::Within => {}
            When::Late => return tally.note_late(started.elapsed()),
        }
        tally.requests += 1;
        tally.body_bytes += body_bytes;
        tally.connections += u64::from(is_new);
        tally.resumed += u64::from(is_new && connection.resumed);
        tally.latency.record(started.elapsed());
        tally.first_byte.record(answer.first_byte.saturating_duration_since(started));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_carry_as_many_findings_as_asked() {
        for each in [1, 4] {
            for number in 0..5 {
                assert_eq!(finding_lines(number, each).matches("\r\n").count(), each);
            }
        }
        assert_ne!(finding_lines(0, 1), finding_lines(1, 1));
    }
}
