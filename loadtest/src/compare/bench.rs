//! Runs one row over one peer: starts what is needed, runs the client, takes the figure out of its result.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use super::checks::{charged, checked_events, checked_growth, checked_resumption, figure};
use super::folder::Folder;
use super::peers::{Kind, Origin, Peer, Setting};
use super::process::{Placement, Process, find};
use super::rows::{CONVERSATION, CPU_EACH, Measure, Row, Sample, Work};
use super::{descriptors, stop};
use crate::Outcome;
use crate::certificates::Files;
use crate::meter::{descriptors_max, monotonic_ns};

/// What a client may take beside its own span; its parts have narrower bounds of their own.
const CLIENT_MAX: Duration = Duration::from_secs(480);
/// How often a row of new names is measured in a round.
const NAME_TURNS: u64 = 3;

/// Connections of the rows of idle ones, some more of which are opened first.
const IDLE: usize = 2_000;
/// Connections of the row of ten thousand.
const TEN_THOUSAND: usize = 10_000;

/// Requests a second beside new names. Their number and that of the names have no common divisor, so that a second has
/// every distance between a request and a name.
const BESIDE_NAMES: &str = "997";
const NAMES_A_SECOND: &str = "100";
/// The least seconds of that row: the slowest thousandth of its requests is to be ten of them.
const BESIDE_NAMES_SECONDS: f64 = 10.0;

/// How long a figure takes, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub seconds: f64,
    pub warmup: f64,
}

impl Pace {
    /// The client's arguments that say it.
    fn span(self) -> Vec<String> {
        let (seconds, warmup) = (self.seconds.to_string(), self.warmup.to_string());
        ["--seconds", &seconds, "--warmup", &warmup].map(str::to_owned).to_vec()
    }
}

/// What is the same in all rows.
pub struct Bench {
    pub clawsec: PathBuf,
    pub pace: Pace,
    pub realtime: bool,
    own: PathBuf,
    files: Files,
    origin: Origin,
    cores: (usize, usize),
    /// Ended before the origin.
    running: RefCell<HashMap<&'static str, Rc<Peer>>>,
    /// Results that two rows take their figures from, by what they are of and the round.
    results: RefCell<HashMap<(String, usize), Rc<Value>>>,
    _origin: Process,
    /// Dropped last.
    pub folder: Folder,
}

impl Measure {
    /// Whether the row says anything about the peer.
    fn applies_to(self, kind: Kind) -> bool {
        match self {
            Measure::Requests { .. } | Measure::Conversation { .. } | Measure::Idle { .. } => true,
            Measure::Added { work: Work::Events, .. } => true,
            // The others need minutes to open so many connections, or cannot hold them.
            Measure::Added { work: Work::TenThousand, .. } => {
                matches!(kind, Kind::ClawSec | Kind::Nginx | Kind::Hudsucker)
            }
            Measure::Added { work: Work::Minting, .. } => kind.is_forward(),
            // Squid takes every tunnel for TLS.
            Measure::WebSocket { is_tls } => is_tls || kind != Kind::Squid,
            Measure::Names { .. } => kind.is_forward(),
            Measure::Cores | Measure::FloodKept | Measure::FloodLost => kind == Kind::ClawSec,
        }
    }

    /// Connections that the row needs at least; ten thousand are tried with as many as fit.
    fn connections(self) -> usize {
        match self {
            Measure::Requests { args, .. } => {
                let mut words = args.iter().skip_while(|word| **word != "--connections");
                words.nth(1).and_then(|count| count.parse().ok()).unwrap_or(32)
            }
            Measure::Idle { .. } => IDLE + 400,
            Measure::Added { work: Work::TenThousand, .. } => 100,
            Measure::WebSocket { .. } => 16,
            Measure::Conversation { .. } | Measure::Names { .. } | Measure::Added { .. } => 8,
            Measure::Cores | Measure::FloodKept | Measure::FloodLost => 32,
        }
    }
}

/// Starts an origin; where it listens.
fn start_origin(own: &Path, tls_dir: &Path, placement: Placement) -> Outcome<(Process, Origin)> {
    let args = ["origin", "--tls-dir", &tls_dir.to_string_lossy()].map(str::to_owned);
    let (process, line) = Process::start_announced(own, &args, placement)
        .map_err(|error| format!("the origin: {error}"))?;
    let ports: Value = serde_json::from_str(&line)?;
    let port = |name| ports.get(name).and_then(Value::as_u64).and_then(|p| u16::try_from(p).ok());
    let port = |name| port(name).ok_or("the origin did not say where it listens");
    let origin = Origin {
        http: port("http")?,
        tls: port("tls")?,
        tls_without_resumption: port("tls_without_resumption")?,
    };
    Ok((process, origin))
}

impl Bench {
    /// Starts the origin. Everything is put into a folder that goes with the run.
    pub fn start(
        clawsec: &Path,
        cores: (usize, usize),
        realtime: bool,
        pace: Pace,
    ) -> Outcome<Bench> {
        crate::meter::raise_descriptor_limit();
        // Squid gives up root, and has to reach its own folder.
        let has_squid = rustix::process::geteuid().is_root() && find("squid").is_some();
        let folder = Folder::make(has_squid)?;
        let own = std::env::current_exe()?;
        let tls_dir = folder.path().join("tls");
        let placement = Placement { cores: [Some(cores.1), None], realtime, is_behind: false };
        let (process, origin) = start_origin(&own, &tls_dir, placement)?;
        let files = crate::certificates::make(&tls_dir)?;
        Ok(Bench {
            clawsec: fs::canonicalize(clawsec).unwrap_or_else(|_| clawsec.to_owned()),
            pace,
            realtime,
            own,
            files,
            origin,
            cores,
            running: RefCell::default(),
            results: RefCell::default(),
            _origin: process,
            folder,
        })
    }

    /// One figure; `None` when the row does not apply to the peer. What failed may have gone with its instance, so
    /// that the next row gets a new one.
    pub fn row(&self, row: &Row, kind: Kind, round: usize) -> Outcome<Option<Sample>> {
        if !row.measure.applies_to(kind) {
            return Ok(None);
        }
        stop::check()?;
        let sample = self.sample(row, kind, round);
        if sample.is_err() {
            self.running.borrow_mut().remove(kind.name());
        }
        sample.map(Some)
    }

    fn sample(&self, row: &Row, kind: Kind, round: usize) -> Outcome<Sample> {
        descriptors::check(row.measure.connections(), descriptors_max())?;
        let figure = match row.measure {
            Measure::Requests { is_tls, path, args, at } => {
                let result = self.requests(kind, is_tls, path, args)?;
                checked_resumption(row, &result)?;
                return charged(&result, at);
            }
            Measure::Conversation { at } => {
                let name = format!("conversation {}", kind.name());
                let run = || self.requests(kind, true, "/sink", CONVERSATION);
                return charged(&*self.once(name, round, run)?, at);
            }
            Measure::WebSocket { is_tls } => {
                let peer = self.peer(kind)?;
                let mut all = self.target(&peer, kind, is_tls, "/ws");
                all.splice(0..0, ["websocket".to_owned()]);
                all.extend(self.span());
                return charged(&self.client(&all)?, CPU_EACH);
            }
            Measure::Names { count } => self.names(kind, count, round),
            Measure::Idle { at } => return self.idle(kind, at, round),
            Measure::Added { work, at } => return self.added(kind, work, at, round),
            Measure::Cores => self.scaling(),
            Measure::FloodKept => self.flood_kept(),
            Measure::FloodLost => return self.flood_lost(),
        };
        figure.map(Sample::from)
    }

    /// One run of `client requests` through the peer that serves most rows.
    fn requests(&self, kind: Kind, is_tls: bool, path: &str, args: &[&str]) -> Outcome<Value> {
        let peer = self.peer(kind)?;
        let mut all = self.target(&peer, kind, is_tls, path);
        all.splice(0..0, ["requests".to_owned()]);
        all.extend(args.iter().map(|word| (*word).to_owned()));
        all.extend(self.span());
        self.client(&all)
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
    pub fn peer(&self, kind: Kind) -> Outcome<Rc<Peer>> {
        if let Some(peer) = self.running.borrow().get(kind.name())
            && peer.process.is_alive()
        {
            return Ok(Rc::clone(peer));
        }
        let peer =
            Rc::new(self.fresh(kind, &format!("{}-{}", kind.name(), monotonic_ns()), 1, 60)?);
        self.running.borrow_mut().insert(kind.name(), Rc::clone(&peer));
        Ok(peer)
    }

    pub fn fresh(&self, kind: Kind, name: &str, workers: usize, dedup: u64) -> Outcome<Peer> {
        let folder = self.folder.path().join(name);
        // In a flood the report's thread gets the core that it has in practice. Beside the worker, and with
        // equal real-time priority, it would never run.
        let has_both = workers > 1 || dedup == 0;
        let second = has_both.then_some(self.cores.1);
        let setting = Setting {
            folder: &folder,
            origin: self.origin,
            files: &self.files,
            clawsec: &self.clawsec,
            placement: Placement {
                cores: [Some(self.cores.0), second],
                realtime: self.realtime,
                is_behind: false,
            },
            workers,
            dedup_window_secs: dedup,
        };
        kind.start(&setting)
    }

    /// The client's arguments that name the way: through the peer, with its CPU time charged.
    pub fn target(&self, peer: &Peer, kind: Kind, is_tls: bool, path: &str) -> Vec<String> {
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

    pub fn span(&self) -> Vec<String> {
        self.pace.span()
    }

    /// How long the work of an added time takes.
    fn pace_of(&self, work: Work) -> Pace {
        let Pace { seconds, warmup } = self.pace;
        match work {
            Work::Minting => Pace { seconds: seconds.max(BESIDE_NAMES_SECONDS), warmup },
            Work::Events | Work::TenThousand => self.pace,
        }
    }

    pub fn client(&self, args: &[String]) -> Outcome<Value> {
        let mut all = vec!["client".to_owned()];
        all.extend_from_slice(args);
        let placement = self.beside_proxies();
        let longest = CLIENT_MAX + Duration::from_secs_f64(self.pace.warmup + self.pace.seconds);
        // It fails by itself when too much of its work did.
        let said = |error: Box<dyn std::error::Error + Send + Sync>| {
            error.to_string().trim_start_matches("loadtest: ").to_owned()
        };
        let output = Process::output(&self.own, &all, placement, longest).map_err(said)?;
        Ok(serde_json::from_slice(&output)?)
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
    fn idle(&self, kind: Kind, at: &str, round: usize) -> Outcome<Sample> {
        let name = format!("{}-idle-{round}", kind.name());
        let result = self.once(name.clone(), round, || {
            let peer = self.fresh(kind, &name, 1, 60)?;
            let mut args = self.target(&peer, kind, true, "/slow?ms=5000");
            args.splice(0..0, ["idle".to_owned()]);
            args.extend(["--connections".to_owned(), IDLE.to_string()]);
            self.client(&args)
        })?;
        checked_growth(&result, at)
    }

    fn added(&self, kind: Kind, work: Work, at: &str, round: usize) -> Outcome<Sample> {
        let (most, wanted) = (descriptors_max(), TEN_THOUSAND);
        let fitting = descriptors::fitting(wanted, most);
        let (fitting_text, mut note) = (fitting.to_string(), None);
        let ten_thousand = ["requests", "--connections", &fitting_text, "--rate", "1000"];
        let beside_names = ["requests", "--connections", "4", "--rate", BESIDE_NAMES];
        let (path, args): (_, &[&str]) = match work {
            Work::Events => ("/sse?events=200&interval_ms=5", &["sse", "--connections", "8"]),
            Work::TenThousand => {
                note = (fitting < wanted)
                    .then(|| format!("{fitting} of {wanted} connections: `ulimit -n` is {most}"));
                ("/bytes/1024", &ten_thousand)
            }
            Work::Minting => ("/bytes/1024", &beside_names),
        };
        // It runs beside the direct requests too, so that what it costs the client's core counts for nothing.
        let minting = match work {
            Work::Minting => Some(self.mint(kind)?),
            Work::Events | Work::TenThousand => None,
        };
        let span = self.pace_of(work).span();
        let run = |way: Vec<String>| {
            let mut all: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
            all.extend(way);
            all.extend(span.iter().cloned());
            self.client(&all)
        };
        let name = format!("{work:?} {}", kind.name());
        let direct = self.once(format!("{name} direct"), round, || run(self.direct(path)))?;
        let through = self.once(name, round, || {
            let peer = self.peer(kind)?;
            run(self.target(&peer, kind, true, path))
        })?;
        checked_events(work, &direct, &through)?;
        if minting.is_some_and(|minting| !minting.iter().all(Process::is_alive)) {
            return Err("the client that asks for new names ended".into());
        }
        Ok(Sample { figure: figure(&through, at)? - figure(&direct, at)?, note, decides: true })
    }

    /// Where origin and client run.
    fn beside_proxies(&self) -> Placement {
        let cores = [Some(self.cores.1), None];
        Placement { cores, realtime: self.realtime, is_behind: false }
    }

    /// A client that asks for a hundred new names a second, and its origin, until they are dropped. Both run behind
    /// the others, so that no measured request waits for them on their own core.
    fn mint(&self, kind: Kind) -> Outcome<[Process; 2]> {
        let peer = self.peer(kind)?;
        let placement = self.beside_proxies().behind();
        let (origin, ports) = start_origin(&self.own, &self.folder.path().join("tls"), placement)?;
        let url = format!("https://127.0.0.1:{}/bytes/16", ports.tls_without_resumption);
        let Pace { seconds, warmup } = self.pace_of(Work::Minting);
        let seconds = (300.0 + 4.0 * (seconds + warmup)).to_string();
        let (proxy, ca_file) =
            (format!("127.0.0.1:{}", peer.https), peer.ca_file.display().to_string());
        // Names that no other row and no other round asks for.
        let first = monotonic_ns().to_string();
        let way = ["client", "requests", "--url", &url, "--proxy", &proxy, "--ca-file", &ca_file];
        let work = ["--close", "--connections", "4", "--rate", NAMES_A_SECOND];
        let span = ["--names", "1000000000", "--first-name", &first, "--seconds", &seconds];
        let args: Vec<String> =
            way.iter().chain(&work).chain(&span).map(|word| (*word).to_owned()).collect();
        let log = self.folder.path().join("minting.log");
        Ok([Process::start(&self.own, &args, placement, &log)?, origin])
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
}
