//! The admin listener: what operators and their tools ask a running monitor. HTTP/1.1 on plain threads beside
//! the cores: one request a connection, GET and HEAD only, everything bounded. Changes nothing, touches no
//! traffic; the proxy never connects to it (`forward::dial`).

/// Which representation an Accept field prefers.
mod accept;
mod answer;
/// Whether whoever asked is still there.
mod asker;
/// Connections whose request is awaited.
mod awaited;
mod metrics;
/// How a connection ends whose request was not read.
mod parting;
mod process;
mod request;
mod threats;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use answer::Answer;
use asker::Asker;
use awaited::Awaited;
use jiff::Timestamp;
use parting::TurnedAway;
use request::Request;

use crate::cli::status::Status;
use crate::config::HostPatterns;
use crate::conn::deadline::Phase;
use crate::counters::Counters;
use crate::limits::{
    ACCEPT_BACKOFF_MS, ADMIN_CONNECTIONS_MAX, ADMIN_QUERIES_MAX, ADMIN_STATUSES_MAX,
    ADMIN_STREAMS_MAX, ADMIN_WAIT_MS,
};
use crate::report::logger::LoggerCommands;
use crate::report::queue::FindingReceiver;
use crate::report::tally::Tally;

/// What the endpoints show: values that any thread may read.
#[derive(Debug)]
pub struct Shown {
    pub log_dir: PathBuf,
    pub cores: Vec<Arc<Counters>>,
    /// Only its length is looked at.
    pub findings: FindingReceiver,
    pub tally: Arc<Tally>,
    /// Has `monitor.json` show what is counted by now.
    pub logger: LoggerCommands,
    /// A [`Phase`] as a number.
    pub phase: Arc<AtomicU8>,
    /// Workers that have shown no sign of life for too long.
    pub stalled: Arc<AtomicUsize>,
    pub started_at: SystemTime,
    /// Names that a Host field may hold, beside addresses and `localhost`.
    pub hosts: HostPatterns,
    /// The end of the CA in use, since the epoch; none without interception.
    pub ca_not_after_secs: Option<u64>,
}

impl Shown {
    fn phase(&self) -> Phase {
        Phase::from_number(self.phase.load(Ordering::Relaxed))
    }
}

/// The address of a listener that is ours; it answers once [`serve`] has it.
#[derive(Debug)]
pub struct Held {
    listener: TcpListener,
    pub address: SocketAddr,
}

/// Takes the address. No SO_REUSEPORT: nobody else's listener is joined.
pub fn hold(address: SocketAddr) -> io::Result<Held> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    Ok(Held { listener, address })
}

/// Answers requests for as long as the process lives.
pub fn serve(held: Held, shown: Shown) -> io::Result<()> {
    let desk = Arc::new(Desk {
        shown,
        connections: Slots::new(ADMIN_CONNECTIONS_MAX),
        awaited: Awaited::default(),
        streams: Slots::new(ADMIN_STREAMS_MAX),
        queries: Slots::new(ADMIN_QUERIES_MAX),
        statuses: Slots::new(ADMIN_STATUSES_MAX),
    });
    let accept = move || {
        let mut turned_away = TurnedAway::default();
        for accepted in held.listener.incoming() {
            match accepted {
                Ok(connection) => take(&desk, connection, &mut turned_away),
                Err(_) => thread::sleep(Duration::from_millis(ACCEPT_BACKOFF_MS)),
            }
        }
    };
    thread::Builder::new().name("clawsec-admin".to_owned()).spawn(accept).map(drop)
}

/// What the connections of the listener share.
struct Desk {
    shown: Shown,
    connections: Arc<Slots>,
    awaited: Awaited,
    streams: Arc<Slots>,
    queries: Arc<Slots>,
    statuses: Arc<Slots>,
}

fn take(desk: &Arc<Desk>, mut connection: TcpStream, turned_away: &mut TurnedAway) {
    let wait = Some(Duration::from_millis(ADMIN_WAIT_MS));
    let timed = connection.set_read_timeout(wait).and(connection.set_write_timeout(wait));
    let Some(slot) = Slots::take(&desk.connections).filter(|_| timed.is_ok()) else {
        return turned_away.take(connection);
    };
    let number = desk.awaited.enter(&connection);
    let attending = Arc::clone(desk);
    let attend = move || {
        // One that went away needs no answer, and nobody else is concerned.
        let _ = attending.attend(&mut connection, number);
        let _ = connection.shutdown(Shutdown::Write);
        drop(slot);
    };
    // A thread that cannot be had closes the connection.
    let thread = thread::Builder::new().name("clawsec-admin-connection".to_owned()).spawn(attend);
    if thread.is_err() {
        desk.awaited.leave(number);
    }
}

impl Desk {
    fn attend(&self, connection: &mut TcpStream, number: u64) -> io::Result<()> {
        let read = request::read(connection, &self.shown.hosts);
        self.awaited.leave(number);
        let request = match read? {
            Ok(request) => request,
            Err(refusal) => {
                refusal.answer.write(connection, refusal.is_head)?;
                return parting::read_away(connection);
            }
        };
        let is_head = request.is_head;
        match request.path.as_str() {
            "/" => Answer::text(200, INDEX).write(connection, is_head),
            "/metrics" => metrics::answer(&self.shown, &request).write(connection, is_head),
            "/healthz" => self.health().write(connection, is_head),
            "/readyz" => self.readiness().write(connection, is_head),
            "/status" => self.status(connection, is_head),
            "/threats" => self.threats(&request, connection),
            _ => Answer::text(404, INDEX).write(connection, is_head),
        }
    }

    fn health(&self) -> Answer {
        match self.shown.stalled.load(Ordering::Relaxed) {
            0 => Answer::text(200, "ok\n"),
            count => Answer::text(503, &format!("{count} worker(s) stalled\n")),
        }
    }

    fn readiness(&self) -> Answer {
        match self.shown.phase() {
            // Traffic goes on, so that it is ready all the same.
            Phase::Running => match self.shown.tally.failure() {
                None => Answer::text(200, "ready\n"),
                Some(error) => {
                    Answer::text(200, &format!("ready, but findings cannot be written: {error}\n"))
                }
            },
            Phase::Draining | Phase::Cut => Answer::text(503, "draining\n"),
        }
    }

    fn status(&self, connection: &mut TcpStream, is_head: bool) -> io::Result<()> {
        let Some(place) = Slots::take(&self.statuses) else {
            return answer::BUSY.write(connection, is_head);
        };
        self.shown.logger.show();
        let answer = match Status::of(&self.shown.log_dir, Timestamp::now(), false) {
            Ok(status) => {
                let status = status.with_last_error(self.shown.tally.failure());
                Answer::json(200, status.json())
            }
            Err(message) => Answer::failed(&message),
        };
        answer.write_and_leave(connection, is_head, place)
    }

    fn threats(&self, request: &Request, connection: &mut TcpStream) -> io::Result<()> {
        let wanted = match threats::wanted(request) {
            Ok(wanted) => wanted,
            Err(message) => {
                let refusal = Answer::text(400, &format!("{message}\n"));
                return refusal.write(connection, request.is_head);
            }
        };
        let Some(query) = Slots::take(&self.queries) else {
            return answer::BUSY.write(connection, request.is_head);
        };
        let mut asker = Asker::new(connection, request.takes_interim);
        if !wanted.follow {
            let answer = threats::last(&self.shown, &wanted, &mut asker);
            return answer.write_and_leave(connection, request.is_head, query);
        }
        let Some(_stream) = Slots::take(&self.streams) else {
            return answer::BUSY.write(connection, request.is_head);
        };
        let begun = match threats::begin(&self.shown, &wanted, &mut asker) {
            Ok(begun) => begun,
            Err(answer) => return answer.write_and_leave(connection, request.is_head, query),
        };
        drop(query);
        if request.is_head {
            return threats::write_head(connection);
        }
        threats::stream(&self.shown, &wanted, begun, connection)
    }
}

const INDEX: &str = "\
/metrics   Prometheus or OpenMetrics text
/healthz   200 while every worker lives
/readyz    200 while it serves, 503 while it drains
/status    as clawsec status --json
/threats   as clawsec threats: since, pattern, direction, type, dest, source, agent, severity, confidence, all,
           limit; follow=1: a stream (SSE)
";

/// A bounded number of places.
struct Slots {
    taken: AtomicUsize,
    most: usize,
}

/// A place, given back when it is dropped.
struct Slot(Arc<Slots>);

impl Slots {
    fn new(most: usize) -> Arc<Slots> {
        Arc::new(Slots { taken: AtomicUsize::new(0), most })
    }

    fn take(slots: &Arc<Slots>) -> Option<Slot> {
        if slots.taken.fetch_add(1, Ordering::Relaxed) < slots.most {
            return Some(Slot(Arc::clone(slots)));
        }
        slots.taken.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_names_every_parameter() {
        let unknown = Request {
            is_head: false,
            takes_interim: true,
            path: "/threats".to_owned(),
            parameters: vec![("patern".to_owned(), String::new())],
            accept: String::new(),
        };
        let refusal = threats::wanted(&unknown).unwrap_err();
        let (_, names) = refusal.split_once(": ").unwrap();
        let told: Vec<&str> = INDEX.split(|c: char| !c.is_ascii_alphabetic()).collect();
        for name in names.split(", ") {
            assert!(told.contains(&name), "{name:?} in {INDEX}");
        }
    }

    #[test]
    fn there_are_so_many_places_and_no_more() {
        let slots = Slots::new(2);
        let first = Slots::take(&slots).unwrap();
        let _second = Slots::take(&slots).unwrap();
        assert!(Slots::take(&slots).is_none());
        drop(first);
        let _third = Slots::take(&slots).unwrap();
        assert!(Slots::take(&slots).is_none());
    }
}
