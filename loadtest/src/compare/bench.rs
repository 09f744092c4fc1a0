//! Runs one row over one peer: starts what is needed, runs the client, takes the figure out of its result.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::peers::{Kind, Origin, Peer, Setting};
use super::process::{Placement, Process};
use super::rows::{Measure, Row, Work};
use crate::Outcome;
use crate::certificates::Files;
use crate::meter::{Reading, monotonic_ns};

/// The share of requests that may fail in a figure.
const ERRORS_MAX_SHARE: f64 = 0.01;
/// The share of the events of a direct run that has to arrive through a proxy.
const EVENTS_MIN_SHARE: f64 = 0.9;
/// How often a row of new names is measured in a round.
const NAME_TURNS: u64 = 3;
/// Requests of a flood.
const FLOOD_REQUESTS: u64 = 100_000;
/// How long ClawSec's logger may take to write what it has.
const REPORTED_MAX: Duration = Duration::from_secs(20);

/// How long a figure takes, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub seconds: f64,
    pub warmup: f64,
}

/// What is the same in all rows.
pub struct Bench {
    pub clawsec: PathBuf,
    pub pace: Pace,
    pub realtime: bool,
    own: PathBuf,
    folder: PathBuf,
    files: Files,
    origin: Origin,
    cores: (usize, usize),
    running: RefCell<HashMap<&'static str, Rc<Peer>>>,
    /// Results that two rows take their figures from, by what they are of and the round.
    results: RefCell<HashMap<(String, usize), Rc<Value>>>,
    _origin: Process,
}

impl Measure {
    /// Whether the row says anything about the peer.
    fn applies_to(self, kind: Kind) -> bool {
        match self {
            Measure::Requests { .. } | Measure::Idle { .. } => true,
            Measure::Added { work: Work::Events, .. } => true,
            // The others need minutes to open so many connections, or cannot hold them.
            Measure::Added { work: Work::TenThousand, .. } => {
                matches!(kind, Kind::ClawSec | Kind::Nginx | Kind::Hudsucker)
            }
            Measure::Names { .. } => kind.is_forward(),
            Measure::Cores | Measure::FloodKept | Measure::FloodLost => kind == Kind::ClawSec,
        }
    }
}

impl Bench {
    /// Starts the origin. Everything is put into a new folder below the system's temporary one.
    pub fn start(
        clawsec: &Path,
        cores: (usize, usize),
        realtime: bool,
        pace: Pace,
    ) -> Outcome<Bench> {
        crate::meter::raise_descriptor_limit();
        let folder = std::env::temp_dir().join(format!("loadtest-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let own = std::env::current_exe()?;
        let tls_dir = folder.join("tls");
        let args = ["origin", "--tls-dir", &tls_dir.to_string_lossy()].map(str::to_owned);
        let placement = Placement { cores: [Some(cores.1), None], realtime };
        let (process, line) = Process::start_announced(&own, &args, placement)?;
        let ports: Value = serde_json::from_str(&line)?;
        let port =
            |name| ports.get(name).and_then(Value::as_u64).and_then(|p| u16::try_from(p).ok());
        let port = |name| port(name).ok_or("the origin did not say where it listens");
        let origin = Origin {
            http: port("http")?,
            tls: port("tls")?,
            tls_without_resumption: port("tls_without_resumption")?,
        };
        let files = crate::certificates::make(&tls_dir)?;
        Ok(Bench {
            clawsec: fs::canonicalize(clawsec).unwrap_or_else(|_| clawsec.to_owned()),
            pace,
            realtime,
            own,
            folder,
            files,
            origin,
            cores,
            running: RefCell::default(),
            results: RefCell::default(),
            _origin: process,
        })
    }

    pub fn finds(&self, kind: Kind) -> bool {
        kind.program(&self.clawsec).is_some()
    }

    /// One figure; `None` when the row does not apply to the peer.
    pub fn row(&self, row: &Row, kind: Kind, round: usize) -> Outcome<Option<f64>> {
        if !row.measure.applies_to(kind) {
            return Ok(None);
        }
        let sample = match row.measure {
            Measure::Requests { is_tls, path, args, at } => {
                let peer = self.peer(kind)?;
                let mut all = self.target(&peer, kind, is_tls, path);
                all.splice(0..0, ["requests".to_owned()]);
                all.extend(args.iter().map(|word| (*word).to_owned()));
                all.extend(self.span());
                let result = self.client(&all)?;
                checked_resumption(row, &result)?;
                figure(&result, at)
            }
            Measure::Names { count } => self.names(kind, count, round),
            Measure::Idle { at } => self.idle(kind, at, round),
            Measure::Added { work, at } => self.added(kind, work, at, round),
            Measure::Cores => self.scaling(),
            Measure::FloodKept => self.flood_kept(),
            Measure::FloodLost => self.flood_lost(),
        };
        sample.map(Some)
    }

    /// A result that more than one row needs: measured once a round.
    fn once(
        &self,
        what: String,
        round: usize,
        measure: impl FnOnce() -> Outcome<Value>,
    ) -> Outcome<Rc<Value>> {
        let key = (what, round);
        if let Some(result) = self.results.borrow().get(&key) {
            return Ok(Rc::clone(result));
        }
        let result = Rc::new(measure()?);
        self.results.borrow_mut().insert(key, Rc::clone(&result));
        Ok(result)
    }

    /// Every round has instances of its own, so that what one left behind does not weigh on the next.
    pub fn begin_round(&self) {
        self.running.borrow_mut().clear();
    }

    /// The instance that serves most rows of a round; started when first asked for.
    fn peer(&self, kind: Kind) -> Outcome<Rc<Peer>> {
        if let Some(peer) = self.running.borrow().get(kind.name()) {
            return Ok(Rc::clone(peer));
        }
        let peer =
            Rc::new(self.fresh(kind, &format!("{}-{}", kind.name(), monotonic_ns()), 1, 60)?);
        self.running.borrow_mut().insert(kind.name(), Rc::clone(&peer));
        Ok(peer)
    }

    fn fresh(&self, kind: Kind, name: &str, workers: usize, dedup: u64) -> Outcome<Peer> {
        let folder = self.folder.join(name);
        // In a flood the report's thread gets the core that it has in practice. Beside the worker, and with
        // equal real-time priority, it would never run.
        let has_both = workers > 1 || dedup == 0;
        let second = has_both.then_some(self.cores.1);
        let setting = Setting {
            folder: &folder,
            origin: self.origin,
            files: &self.files,
            clawsec: &self.clawsec,
            placement: Placement { cores: [Some(self.cores.0), second], realtime: self.realtime },
            workers,
            dedup_window_secs: dedup,
        };
        kind.start(&setting)
    }

    /// The client's arguments that name the way: through the peer, with its CPU time charged.
    fn target(&self, peer: &Peer, kind: Kind, is_tls: bool, path: &str) -> Vec<String> {
        let (scheme, own, origin) = match is_tls {
            false => ("http", peer.http, self.origin.http),
            true => ("https", peer.https, self.origin.tls),
        };
        let mut args = match kind.is_forward() {
            false => vec!["--url".to_owned(), format!("{scheme}://localhost:{own}{path}")],
            true => vec![
                "--url".to_owned(),
                format!("{scheme}://localhost:{origin}{path}"),
                "--proxy".to_owned(),
                format!("127.0.0.1:{own}"),
            ],
        };
        let (ca_file, pid) = (peer.ca_file.to_string_lossy(), peer.process.pid().to_string());
        args.extend(["--ca-file", &ca_file, "--charge", &pid].map(str::to_owned));
        args
    }

    fn direct(&self, path: &str) -> Vec<String> {
        let url = format!("https://localhost:{}{path}", self.origin.tls);
        let roots = self.files.authority.to_string_lossy();
        ["--url", &url, "--ca-file", &roots].map(str::to_owned).to_vec()
    }

    fn span(&self) -> Vec<String> {
        let (seconds, warmup) = (self.pace.seconds.to_string(), self.pace.warmup.to_string());
        ["--seconds", &seconds, "--warmup", &warmup].map(str::to_owned).to_vec()
    }

    fn client(&self, args: &[String]) -> Outcome<Value> {
        let mut all = vec!["client".to_owned()];
        all.extend_from_slice(args);
        let placement = Placement { cores: [Some(self.cores.1), None], realtime: self.realtime };
        let output = Process::output(&self.own, &all, placement)?;
        let result: Value = serde_json::from_slice(&output)?;
        checked_errors(&result)?;
        Ok(result)
    }

    /// New names to an origin that neither resumes nor keeps connections, so that only the leaf differs between
    /// the first and the second time.
    fn names(&self, kind: Kind, count: u64, round: usize) -> Outcome<f64> {
        let peer = self.peer(kind)?;
        let url = format!("https://127.0.0.1:{}/bytes/16", self.origin.tls_without_resumption);
        let (proxy, count_text) = (format!("127.0.0.1:{}", peer.https), count.to_string());
        let (ca_file, pid) = (peer.ca_file.to_string_lossy(), peer.process.pid().to_string());
        let cost = |first: u64| {
            let first = first.to_string();
            let args = [
                "requests",
                "--url",
                &url,
                "--proxy",
                &proxy,
                "--ca-file",
                &ca_file,
                "--charge",
                &pid,
                "--close",
                "--connections",
                "4",
                "--names",
                &count_text,
                "--first-name",
                &first,
                "--requests",
                &count_text,
                "--seconds",
                "60",
            ];
            figure(&self.client(&args.map(str::to_owned))?, "/proxy/cpu_us_per_request")
        };
        // One difference of two large numbers says little: the middle one of three.
        let mut differences = Vec::new();
        for turn in 0..NAME_TURNS {
            let first = (round as u64 * NAME_TURNS + turn) * count;
            differences.push(cost(first)? - cost(first)?);
        }
        differences.sort_by(f64::total_cmp);
        differences.get(differences.len() / 2).copied().ok_or_else(|| "no turns".into())
    }

    /// A fresh instance each time: memory that was given back to an allocator only looks free.
    fn idle(&self, kind: Kind, at: &str, round: usize) -> Outcome<f64> {
        let name = format!("{}-idle-{round}", kind.name());
        let result = self.once(name.clone(), round, || {
            let peer = self.fresh(kind, &name, 1, 60)?;
            let mut args = self.target(&peer, kind, true, "/slow?ms=5000");
            args.splice(0..0, ["idle".to_owned()]);
            self.client(&args)
        })?;
        if let Some(warning) = result.get("warning").and_then(Value::as_str) {
            return Err(warning.into());
        }
        figure(&result, at)
    }

    fn added(&self, kind: Kind, work: Work, at: &str, round: usize) -> Outcome<f64> {
        let (path, args): (_, &[&str]) = match work {
            Work::Events => ("/sse?events=200&interval_ms=5", &["sse", "--connections", "8"]),
            Work::TenThousand => {
                ("/bytes/1024", &["requests", "--connections", "10000", "--rate", "1000"])
            }
        };
        let run = |way: Vec<String>| {
            let mut all: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
            all.extend(way);
            all.extend(self.span());
            self.client(&all)
        };
        let name = format!("{work:?} {}", kind.name());
        let direct = self.once(format!("{name} direct"), round, || run(self.direct(path)))?;
        let through = self.once(name, round, || {
            let peer = self.peer(kind)?;
            run(self.target(&peer, kind, true, path))
        })?;
        checked_events(work, &direct, &through)?;
        Ok(figure(&through, at)? - figure(&direct, at)?)
    }

    fn scaling(&self) -> Outcome<f64> {
        let cost = |workers: usize| {
            let name = format!("clawsec-{workers}-workers-{}", monotonic_ns());
            let peer = self.fresh(Kind::ClawSec, &name, workers, 60)?;
            self.cost_of(&peer, &[])
        };
        Ok(2.0 * cost(1)? / cost(2)?)
    }

    fn cost_of(&self, peer: &Peer, args: &[&str]) -> Outcome<f64> {
        let mut all = self.target(peer, Kind::ClawSec, false, "/bytes/1024");
        all.splice(0..0, ["requests".to_owned()]);
        all.extend(args.iter().map(|word| (*word).to_owned()));
        all.extend(self.span());
        figure(&self.client(&all)?, "/proxy/cpu_us_per_request")
    }

    /// CPU a request without findings, of that with one in each: the time until the last of them is written counts,
    /// or a report's thread that comes to nothing would look like a gain.
    fn flood_kept(&self) -> Outcome<f64> {
        let name = format!("clawsec-flood-{}", monotonic_ns());
        let peer = self.fresh(Kind::ClawSec, &name, 1, 0)?;
        self.flood_cost(&peer, &name, 0)?;
        Ok(100.0 * self.flood_cost(&peer, &name, 0)? / self.flood_cost(&peer, &name, 1)?)
    }

    fn flood_cost(&self, peer: &Peer, name: &str, findings_each: u64) -> Outcome<f64> {
        let before = self.reported(name)?;
        let cpu_before = Reading::of(peer.process.pid())?.cpu_ns;
        let requests = self.flood(peer, "/bytes/1024", findings_each)?;
        let expected = before + requests * findings_each as f64;
        self.await_reported(name, expected)?;
        let cpu_ns = Reading::of(peer.process.pid())?.cpu_ns.saturating_sub(cpu_before);
        Ok(cpu_ns as f64 / requests)
    }

    fn flood_lost(&self) -> Outcome<f64> {
        const EACH: u64 = 4;
        let name = format!("clawsec-lost-{}", monotonic_ns());
        let peer = self.fresh(Kind::ClawSec, &name, 1, 0)?;
        let expected = self.flood(&peer, "/bytes/16", EACH)? * EACH as f64;
        self.await_reported(&name, expected)?;
        Ok(expected - self.state_count(&name, "threats_written")?)
    }

    /// Makes the requests of a flood, and says how many were answered.
    fn flood(&self, peer: &Peer, path: &str, findings_each: u64) -> Outcome<f64> {
        let (requests, each) = (FLOOD_REQUESTS.to_string(), findings_each.max(1).to_string());
        let share = if findings_each == 0 { "0" } else { "1" };
        let mut args = self.target(peer, Kind::ClawSec, false, path);
        args.splice(0..0, ["requests".to_owned()]);
        args.extend(["--findings", share, "--findings-each", &each].map(str::to_owned));
        args.extend(["--requests", &requests, "--seconds", "60"].map(str::to_owned));
        figure(&self.client(&args)?, "/requests")
    }

    /// Waits until so many findings have been written, or lost. What is not reported in time is no error here.
    fn await_reported(&self, name: &str, expected: f64) -> Outcome<()> {
        let began = Instant::now();
        while self.reported(name)? < expected && began.elapsed() < REPORTED_MAX {
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn reported(&self, name: &str) -> Outcome<f64> {
        Ok(self.state_count(name, "threats_written")? + self.state_count(name, "dropped")?)
    }

    /// A number of what the instance in this folder says of itself.
    fn state_count(&self, name: &str, field: &str) -> Outcome<f64> {
        // There is none until its first tick.
        let state = fs::read(self.folder.join(name).join("log/monitor.json")).unwrap_or_default();
        let state: Value = serde_json::from_slice(&state).unwrap_or_default();
        Ok(state.get(field).and_then(Value::as_f64).unwrap_or(0.0))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.running.borrow_mut().clear();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn figure(result: &Value, at: &str) -> Outcome<f64> {
    let found = result.pointer(at).and_then(Value::as_f64);
    found.ok_or_else(|| format!("the client's result has nothing at {at}").into())
}

/// A figure says little of a peer that fails its clients. An event is no request: what fails is its stream.
fn checked_errors(result: &Value) -> Outcome<()> {
    let count = |name| result.get(name).and_then(Value::as_f64);
    let errors = count("errors").unwrap_or(0.0);
    let streams = count("streams").filter(|streams| *streams > 0.0);
    let offered = count("offered");
    let tries = streams.or(offered).or(count("requests")).unwrap_or(0.0);
    if let (Some(offered), Some(unanswered)) = (offered, count("unanswered"))
        && unanswered > ERRORS_MAX_SHARE * offered
    {
        return Err(
            format!("{unanswered} of {offered} requests that fell due were not answered").into()
        );
    }
    if errors > ERRORS_MAX_SHARE * tries {
        let texts = result.get("error_texts").cloned().unwrap_or_default();
        return Err(format!("{errors} errors: {texts}").into());
    }
    if tries == 0.0 && count("asked").is_none() {
        return Err("no request was answered".into());
    }
    if let (Some(asked), Some(answered)) = (count("asked"), count("answered"))
        && answered < (1.0 - ERRORS_MAX_SHARE) * asked
    {
        return Err(format!("only {answered} of {asked} connections were answered").into());
    }
    Ok(())
}

/// Events that a proxy keeps back are in no quantile: they have to be as many as without it.
fn checked_events(work: Work, direct: &Value, through: &Value) -> Outcome<()> {
    let (sent, came) = (figure(direct, "/requests")?, figure(through, "/requests")?);
    if work == Work::Events && came < EVENTS_MIN_SHARE * sent {
        return Err(format!("only {came} events arrived, of {sent} without a proxy").into());
    }
    Ok(())
}

/// The row of resumed sessions means nothing when they were not resumed.
fn checked_resumption(row: &Row, result: &Value) -> Outcome<()> {
    let count = |name| result.get(name).and_then(Value::as_f64).unwrap_or(0.0);
    let share = count("resumed") / count("connections").max(1.0);
    if row.id == "resumed" && share < 0.9 {
        return Err(format!("only {:.0} % of the sessions were resumed", share * 100.0).into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_fails_when_one_in_a_hundred_of_its_own_tries_does() {
        for (result, is_good) in [
            (json!({"requests": 1000, "errors": 10}), true),
            (json!({"requests": 1000, "errors": 11}), false),
            // Many events of the streams that went well hide none that failed.
            (json!({"requests": 100_000, "streams": 100, "errors": 2}), false),
            (json!({"requests": 100_000, "streams": 100, "errors": 1}), true),
            // A stalled proxy fails nobody: it only does not answer.
            (json!({"requests": 1492, "offered": 3000, "unanswered": 1508, "errors": 0}), false),
            (json!({"requests": 2970, "offered": 3000, "unanswered": 30, "errors": 0}), true),
            (json!({"requests": 0, "errors": 0}), false),
            (json!({"asked": 1000, "answered": 990}), true),
            (json!({"asked": 1000, "answered": 989}), false),
        ] {
            assert_eq!(checked_errors(&result).is_ok(), is_good, "{result}");
        }
    }
}
