//! `/metrics`: every counter of every core, and what only the logger and the system know, in the text format
//! that is asked for. What a number means stands in the tables here.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, prometheus_text, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::Shown;
use super::accept;
use super::answer::Answer;
use super::process;
use super::request::Request;
use crate::conn::deadline::Phase;
use crate::counters::{Counters, Snapshot};
use crate::limits::FINDING_QUEUE_LEN;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A counter of a core's: its name there, the metric, what it says, and a label of its own.
type Row = (&'static str, &'static str, &'static str, Option<(&'static str, &'static str)>);

/// Counters of one metric stand together.
const COUNTERS: &[Row] = &[
    ("connections", "clawsec_connections", "Client connections accepted", None),
    ("clients_refused", "clawsec_clients_refused", "Connections closed by allow_clients", None),
    ("requests", "clawsec_requests", "Requests whose head was read whole", None),
    ("connects", "clawsec_connects", "Requests for a tunnel, among all requests", None),
    ("requests_refused", "clawsec_requests_refused", "Requests refused for framing or size", None),
    (
        "requests_unauthorized",
        "clawsec_requests_unauthorized",
        "Requests without good credentials",
        None,
    ),
    ("bytes_outbound", "clawsec_bytes", BYTES, Some(("direction", "outbound"))),
    ("bytes_inbound", "clawsec_bytes", BYTES, Some(("direction", "inbound"))),
    ("bytes_scanned", "clawsec_scanned_bytes", "Bytes that went through the scanner", None),
    ("bytes_unscanned", "clawsec_unscanned_bytes", UNSCANNED, Some(("reason", "unread"))),
    ("bytes_undecoded", "clawsec_unscanned_bytes", UNSCANNED, Some(("reason", "undecoded"))),
    ("bodies_undecodable", "clawsec_bodies_undecodable", UNDECODABLE, None),
    ("client_handshakes", "clawsec_handshakes", HANDSHAKES, Some(("side", "client"))),
    ("upstream_handshakes", "clawsec_handshakes", HANDSHAKES, Some(("side", "upstream"))),
    (
        "client_handshakes_failed",
        "clawsec_client_handshakes_failed",
        "TLS handshakes that failed with clients, or took them too long",
        None,
    ),
    ("leaves_reused", "clawsec_leaf_cache", LEAVES, Some(("result", "hit"))),
    ("leaves_minted", "clawsec_leaf_cache", LEAVES, Some(("result", "miss"))),
    ("tunnels", "clawsec_tunnels", "Blind tunnels opened", None),
    (
        "tunnels_unused",
        "clawsec_tunnels_unused",
        "Tunnels that their clients ended without sending a request",
        None,
    ),
    ("streams", "clawsec_streams", "Streams of HTTP/2 that were served, each a request", None),
    ("websockets", "clawsec_websockets", "WebSockets agreed on", None),
    ("websockets_unread", "clawsec_websockets_unread", WEBSOCKETS_UNREAD, None),
    (
        "websocket_messages_unread",
        "clawsec_websocket_messages_unread",
        "Compressed WebSocket messages that could not be inflated, or not to their end",
        None,
    ),
    ("suppressions_applied", "clawsec_suppressions_applied", SUPPRESSIONS, None),
    ("hits_unconfirmed", "clawsec_hits_unconfirmed", UNCONFIRMED, None),
    ("findings", "clawsec_findings_queued", "Findings handed to the logger", None),
    (
        "findings_dropped",
        "clawsec_findings_dropped",
        "Findings that a full queue, or a defect, lost",
        None,
    ),
];

const BYTES: &str = "Bytes of messages passed on";
const UNSCANNED: &str =
    "Bytes passed on unread (tunnels, frames), or read only as they were encoded";
const UNDECODABLE: &str = "Bodies, or parts of them, in a coding that could not be undone";
const WEBSOCKETS_UNREAD: &str =
    "Directions of a WebSocket that went on unread: invalid frames, or an unknown extension";
const SUPPRESSIONS: &str = "Matches that a configured suppression keeps out of the report";
const SUPPRESSED: &str = "Repeats held back, as lines of threats.jsonl tell";
const UNCONFIRMED: &str = "Matches beyond what one read may hold, not looked at";
const HANDSHAKES: &str = "TLS handshakes completed";
const LEAVES: &str = "Leaf certificates asked of the cache; a miss is signed anew";

/// Counters that are shown otherwise, below.
const ELSEWHERE: &[&str] = &["connections_open", "streams_open", "upstream_errors"];

/// The page, in OpenMetrics where that is asked for.
pub fn answer(shown: &Shown, request: &Request) -> Answer {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Page(families(shown))));
    let mut body = String::new();
    let is_open = accept::prefers(&request.accept, "application/openmetrics-text", "text/plain");
    let (content_type, written) = match is_open {
        true => (OPEN_METRICS, text::encode(&mut body, &registry)),
        false => (prometheus_text::CONTENT_TYPE, prometheus_text::encode(&mut body, &registry)),
    };
    match written {
        Ok(()) => Answer::of(200, content_type, body),
        Err(error) => Answer::failed(&error.to_string()),
    }
}

/// What is shown at one moment.
#[derive(Debug)]
struct Page(Vec<Family>);

/// One metric with its values by label.
#[derive(Debug)]
struct Family {
    name: String,
    help: String,
    kind: MetricType,
    values: Vec<(Vec<(&'static str, String)>, Value)>,
}

#[derive(Debug)]
enum Value {
    Count(u64),
    Seconds(f64),
    Level(u64),
    Times { snapshot: Snapshot, units_per_second: f64 },
}

impl Family {
    fn new(name: &str, help: &str, kind: MetricType) -> Family {
        Family { name: name.to_owned(), help: help.to_owned(), kind, values: Vec::new() }
    }

    fn with(mut self, labels: Vec<(&'static str, String)>, value: Value) -> Family {
        self.values.push((labels, value));
        self
    }

    fn by_core(
        mut self,
        cores: &[impl AsRef<Counters>],
        value: impl Fn(&Counters) -> Value,
    ) -> Family {
        let values = cores.iter().enumerate();
        self.values.extend(values.map(|(index, core)| (core_label(index), value(core.as_ref()))));
        self
    }
}

fn core_label(index: usize) -> Vec<(&'static str, String)> {
    vec![("core", index.to_string())]
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Not every parser takes a metric without values.
        for family in self.0.iter().filter(|family| !family.values.is_empty()) {
            let (name, help) = (&family.name, &family.help);
            let mut metric = encoder.encode_descriptor(name, help, None, family.kind)?;
            for (labels, value) in &family.values {
                write_value(metric.encode_family(labels)?, value)?;
            }
        }
        Ok(())
    }
}

fn write_value(mut encoder: MetricEncoder<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Count(count) => encoder.encode_counter::<[(&str, &str); 0], _, u64>(count, None),
        Value::Seconds(seconds) => {
            encoder.encode_counter::<[(&str, &str); 0], _, u64>(seconds, None)
        }
        Value::Level(level) => encoder.encode_gauge(level),
        Value::Times { snapshot, units_per_second } => {
            let seconds = |units: u64| units as f64 / units_per_second;
            let bounded = snapshot.buckets.iter().map(|(bound, count)| (seconds(*bound), *count));
            let buckets: Vec<(f64, u64)> =
                bounded.chain([(f64::INFINITY, snapshot.over)]).collect();
            let (sum, count) = (seconds(snapshot.sum), snapshot.count());
            encoder.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)
        }
    }
}

fn families(shown: &Shown) -> Vec<Family> {
    let mut families = counters(&shown.cores);
    families.extend(findings(shown));
    families.extend(times(shown));
    families.extend(state(shown));
    families.extend(process_families());
    families
}

/// The tables' counters, and those that nobody has named a metric for yet.
fn counters(cores: &[std::sync::Arc<Counters>]) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for (index, core) in cores.iter().enumerate() {
        for (counter, count) in core.snapshot().filter(|(name, _)| !ELSEWHERE.contains(name)) {
            let row = COUNTERS.iter().find(|(name, ..)| *name == counter);
            let (name, help) = match row {
                Some((_, metric, help, _)) => ((*metric).to_owned(), (*help).to_owned()),
                None => (format!("clawsec_{counter}"), counter.replace('_', " ")),
            };
            let mut labels = core_label(index);
            if let Some((_, _, _, Some((label, value)))) = row {
                labels.push((label, (*value).to_owned()));
            }
            let value = (labels, Value::Count(count));
            match families.iter_mut().find(|family| family.name == name) {
                Some(family) => family.values.push(value),
                None => {
                    let mut family = Family::new(&name, &help, MetricType::Counter);
                    family.values.push(value);
                    families.push(family);
                }
            }
        }
    }
    families
}

fn findings(shown: &Shown) -> Vec<Family> {
    let help = "Findings written to threats.jsonl";
    let mut written = Family::new("clawsec_findings", help, MetricType::Counter);
    for (kind, count) in shown.tally.lines() {
        let labels = vec![
            ("pattern", kind.pattern),
            ("direction", kind.direction.to_owned()),
            ("severity", kind.severity.to_owned()),
        ];
        written = written.with(labels, Value::Count(count));
    }
    let repeats = shown.tally.repeats(&shown.cores);
    let gauge = MetricType::Gauge;
    vec![
        written,
        Family::new("clawsec_findings_suppressed", SUPPRESSED, MetricType::Counter)
            .with(Vec::new(), Value::Count(repeats.told)),
        Family::new("clawsec_findings_untold", "Repeats that no line tells of yet", gauge)
            .with(Vec::new(), Value::Level(repeats.untold)),
        Family::new("clawsec_finding_queue_length", "Findings that wait to be written", gauge)
            .with(Vec::new(), Value::Level(shown.findings.len() as u64)),
        Family::new("clawsec_finding_queue_capacity", "Findings that may wait", gauge)
            .with(Vec::new(), Value::Level(FINDING_QUEUE_LEN as u64)),
    ]
}

fn times(shown: &Shown) -> Vec<Family> {
    let mut errors =
        Family::new("clawsec_upstream_errors", "Failures of origins", MetricType::Counter);
    for (index, core) in shown.cores.iter().enumerate() {
        for (cause, count) in core.upstream_causes.snapshot() {
            let mut labels = core_label(index);
            labels.push(("kind", cause.token().to_owned()));
            errors = errors.with(labels, Value::Count(count));
        }
    }
    let request = "From the decision about a request to the last byte of its answer";
    let scan = "To scan one piece (of many, one is measured)";
    let kind = MetricType::Histogram;
    vec![
        errors,
        Family::new("clawsec_request_duration_seconds", request, kind).by_core(
            &shown.cores,
            |core| Value::Times { snapshot: core.request_time.snapshot(), units_per_second: 1e6 },
        ),
        Family::new("clawsec_scan_duration_seconds", scan, kind).by_core(&shown.cores, |core| {
            Value::Times { snapshot: core.scan_time.snapshot(), units_per_second: 1e9 }
        }),
    ]
}

fn state(shown: &Shown) -> Vec<Family> {
    let gauge = |name, help, value| {
        Family::new(name, help, MetricType::Gauge).with(Vec::new(), Value::Level(value))
    };
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    let started_at = shown.started_at.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let stalled = shown.stalled.load(Ordering::Relaxed) as u64;
    let authority = Family::new(
        "clawsec_ca_not_after_seconds",
        "When the CA in use expires, since the epoch",
        MetricType::Gauge,
    );
    let not_after = shown.ca_not_after_secs.map(|secs| (Vec::new(), Value::Level(secs)));
    vec![
        Family { values: not_after.into_iter().collect(), ..authority },
        Family::new("clawsec_connections_open", "Client connections open now", MetricType::Gauge)
            .by_core(&shown.cores, |core| Value::Level(core.connections_open.get())),
        Family::new("clawsec_streams_open", "Streams of HTTP/2 open now", MetricType::Gauge)
            .by_core(&shown.cores, |core| Value::Level(core.streams_open.get())),
        gauge("clawsec_workers", "Workers, one a core", shown.cores.len() as u64),
        gauge("clawsec_workers_stalled", "Workers that show no sign of life", stalled),
        gauge(
            "clawsec_ready",
            "1 while it serves, 0 while it drains",
            u64::from(shown.phase() == Phase::Running),
        ),
        gauge(
            "clawsec_findings_write_failing",
            "1 while threats.jsonl cannot be written",
            u64::from(shown.tally.failure().is_some()),
        ),
        gauge("process_start_time_seconds", "When it started, since the epoch", started_at),
        Family::new("clawsec_build_info", "The version that runs", MetricType::Gauge)
            .with(version, Value::Level(1)),
    ]
}

/// The names that Prometheus's own client libraries use.
fn process_families() -> Vec<Family> {
    let usage = process::usage();
    let gauge = |name, help, value: Option<u64>| {
        let family = Family::new(name, help, MetricType::Gauge);
        Some(family.with(Vec::new(), Value::Level(value?)))
    };
    let cpu = usage.cpu_seconds.map(|seconds| {
        Family::new("process_cpu_seconds", "CPU time used", MetricType::Counter)
            .with(Vec::new(), Value::Seconds(seconds))
    });
    let resident = usage.resident_bytes;
    let gauges = [
        gauge("process_resident_memory_bytes", "Memory in RAM", resident),
        gauge("process_open_fds", "Open file descriptors", usage.open_files),
        gauge("process_max_fds", "Most file descriptors", usage.max_files),
    ];
    cpu.into_iter().chain(gauges.into_iter().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_a_counter_and_each_is_shown_once() {
        let counters = Counters::default();
        let names: Vec<&str> = counters.snapshot().map(|(name, _)| name).collect();
        for (name, ..) in COUNTERS {
            assert!(names.contains(name), "{name}");
            assert!(!ELSEWHERE.contains(name), "{name}");
        }
        assert!(ELSEWHERE.iter().all(|name| names.contains(name)));
    }

    #[test]
    fn every_metric_says_what_it_is() {
        let counters = [std::sync::Arc::new(Counters::default())];
        let families = super::counters(&counters);
        assert!(!families.is_empty());
        for Family { name, help, .. } in families.iter().chain(&process_families()) {
            let only_name = name.trim_start_matches("clawsec_").replace('_', " ");
            assert_ne!(*help, only_name, "{name}: a row in COUNTERS says what it counts");
            assert!(help.contains(' '), "{name}: {help:?}");
        }
    }
}
