//! The rows of a flood of findings: what of the capacity is kept, and what is lost.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bench::Bench;
use super::checks::figure;
use super::peers::{Kind, Peer};
use super::rows::Sample;
use super::stop;
use crate::Outcome;
use crate::meter::{Reading, monotonic_ns};

/// Findings a second that none may be lost of.
const OFFERED_MIN: f64 = 50_000.0;
/// Requests of a flood.
const FLOOD_REQUESTS: u64 = 100_000;
/// How long ClawSec's logger may take to write what it has.
const REPORTED_MAX: Duration = Duration::from_secs(20);

impl Bench {
    /// CPU a request without findings, of that with one in each: the time until the last of them is written counts,
    /// or a report's thread that comes to nothing would look like a gain.
    pub fn flood_kept(&self) -> Outcome<f64> {
        let name = format!("clawsec-flood-{}", monotonic_ns());
        let peer = self.fresh(Kind::ClawSec, &name, 1, 0)?;
        self.flood_cost(&peer, &name, 0)?;
        Ok(100.0 * self.flood_cost(&peer, &name, 0)? / self.flood_cost(&peer, &name, 1)?)
    }

    fn flood_cost(&self, peer: &Peer, name: &str, findings_each: u64) -> Outcome<f64> {
        let before = self.reported(name)?;
        let cpu_before = Reading::of(peer.process.pid())?.cpu_ns;
        let requests = figure(&self.flood(peer, "/bytes/1024", findings_each)?, "/requests")?;
        let expected = before + requests * findings_each as f64;
        self.await_reported(name, expected)?;
        let cpu_ns = Reading::of(peer.process.pid())?.cpu_ns.saturating_sub(cpu_before);
        Ok(cpu_ns as f64 / requests)
    }

    /// The flood is as fast as ClawSec answers; how fast that was is said, and decides nothing when it was too slow.
    pub fn flood_lost(&self) -> Outcome<Sample> {
        const EACH: u64 = 4;
        let name = format!("clawsec-lost-{}", monotonic_ns());
        let peer = self.fresh(Kind::ClawSec, &name, 1, 0)?;
        let result = self.flood(&peer, "/bytes/16", EACH)?;
        let expected = figure(&result, "/requests")? * EACH as f64;
        let offered = figure(&result, "/requests_per_second")? * EACH as f64;
        self.await_reported(&name, expected)?;
        let lost = expected - self.state_count(&name, "threats_written")?;
        let note = Some(format!("{offered:.0} findings a second were offered"));
        Ok(Sample { figure: lost, note, decides: offered >= OFFERED_MIN })
    }

    /// Makes the requests of a flood.
    fn flood(&self, peer: &Peer, path: &str, findings_each: u64) -> Outcome<Value> {
        let (requests, each) = (FLOOD_REQUESTS.to_string(), findings_each.max(1).to_string());
        let share = if findings_each == 0 { "0" } else { "1" };
        let mut args = self.target(peer, Kind::ClawSec, false, path);
        args.splice(0..0, ["requests".to_owned()]);
        args.extend(["--findings", share, "--findings-each", &each].map(str::to_owned));
        args.extend(["--requests", &requests, "--seconds", "60"].map(str::to_owned));
        self.client(&args)
    }

    /// Waits until so many findings have been written, or lost. What is not reported in time is no error here.
    fn await_reported(&self, name: &str, expected: f64) -> Outcome<()> {
        let began = Instant::now();
        while self.reported(name)? < expected && began.elapsed() < REPORTED_MAX {
            stop::check()?;
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
        let state =
            fs::read(self.folder.path().join(name).join("log/monitor.json")).unwrap_or_default();
        let state: Value = serde_json::from_slice(&state).unwrap_or_default();
        Ok(state.get(field).and_then(Value::as_f64).unwrap_or(0.0))
    }
}
