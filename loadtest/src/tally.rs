//! What a client thread saw: counts and two histograms. Plain values; no clock, no IO.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// The longest time that a histogram tells apart; what is longer counts as this.
const LONGEST_NS: u64 = 120_000_000_000;

/// Different errors that are named; the rest is only counted.
const ERRORS_NAMED_MAX: usize = 16;

/// Times in nanoseconds, three digits exact.
#[derive(Debug)]
pub struct Times(Option<Histogram<u64>>);

impl Times {
    fn new() -> Times {
        Times(Histogram::new_with_bounds(1, LONGEST_NS, 3).ok())
    }

    /// Counts one time.
    pub fn record(&mut self, time: Duration) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(LONGEST_NS);
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(ns.clamp(1, LONGEST_NS));
        }
    }

    fn add(&mut self, other: &Times) {
        if let (Some(own), Some(other)) = (&mut self.0, &other.0) {
            let _ = own.add(other);
        }
    }

    fn to_json(&self) -> Value {
        let Some(histogram) = self.0.as_ref().filter(|histogram| !histogram.is_empty()) else {
            return Value::Null;
        };
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        json!({
            "count": histogram.len(),
            "mean": histogram.mean() / 1000.0,
            "p50": at(0.5),
            "p90": at(0.9),
            "p99": at(0.99),
            "p999": at(0.999),
            "max": histogram.max() as f64 / 1000.0,
        })
    }
}

/// What was seen while the measurement ran.
#[derive(Debug)]
pub struct Tally {
    pub requests: u64,
    pub errors: u64,
    pub body_bytes: u64,
    pub connections: u64,
    /// Event streams, and WebSockets, that were begun, whether or not they came to anything.
    pub streams: u64,
    /// Of the connections, those whose TLS session was resumed.
    pub resumed: u64,
    /// Requests that fell due while it ran, when there was a time for each (open loop).
    pub offered: Option<u64>,
    /// Of these, those answered after it; they are not in `requests`, but in `latency`.
    pub late: u64,
    /// Of these, those never answered. They are in `latency` with the time that they waited.
    pub unanswered: u64,
    /// From the (intended) start of a request, or sending of an event, to its end.
    pub latency: Times,
    /// From the (intended) start of a request to the first byte of its answer.
    pub first_byte: Times,
    error_texts: BTreeMap<String, u64>,
}

impl Tally {
    /// Nothing seen.
    pub fn new() -> Tally {
        Tally {
            requests: 0,
            errors: 0,
            body_bytes: 0,
            connections: 0,
            streams: 0,
            resumed: 0,
            offered: None,
            late: 0,
            unanswered: 0,
            latency: Times::new(),
            first_byte: Times::new(),
            error_texts: BTreeMap::new(),
        }
    }

    /// Counts an answer that came after the stretch in which it was due.
    pub fn note_late(&mut self, time: Duration) {
        self.late += 1;
        self.latency.record(time);
    }

    /// Counts what was due, and how long those of it waited that were never answered.
    pub fn note_due(&mut self, offered: u64, waited: impl Iterator<Item = Duration>) {
        self.offered = Some(self.offered.unwrap_or(0) + offered);
        for time in waited {
            self.unanswered += 1;
            self.latency.record(time);
        }
    }

    /// Counts an error and keeps its text.
    pub fn note_error(&mut self, text: String) {
        self.errors += 1;
        if self.error_texts.len() < ERRORS_NAMED_MAX || self.error_texts.contains_key(&text) {
            *self.error_texts.entry(text).or_default() += 1;
        }
    }

    /// Adds what another thread saw.
    pub fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.body_bytes += other.body_bytes;
        self.connections += other.connections;
        self.streams += other.streams;
        self.resumed += other.resumed;
        if let Some(offered) = other.offered {
            self.offered = Some(self.offered.unwrap_or(0) + offered);
        }
        self.late += other.late;
        self.unanswered += other.unanswered;
        self.latency.add(&other.latency);
        self.first_byte.add(&other.first_byte);
        for (text, count) in &other.error_texts {
            *self.error_texts.entry(text.clone()).or_default() += count;
        }
    }

    /// For the report; times in microseconds.
    pub fn to_json(&self, seconds: f64) -> Value {
        json!({
            "seconds": seconds,
            "requests": self.requests,
            "requests_per_second": self.requests as f64 / seconds,
            "errors": self.errors,
            "error_texts": self.error_texts,
            "body_bytes": self.body_bytes,
            "connections": self.connections,
            "streams": self.streams,
            "resumed": self.resumed,
            "resumed_share": (self.connections > 0).then(|| self.resumed as f64 / self.connections as f64),
            "offered": self.offered,
            "late": self.late,
            "unanswered": self.unanswered,
            "latency_us": self.latency.to_json(),
            "first_byte_us": self.first_byte.to_json(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_add_up() {
        let (mut one, mut two) = (Tally::new(), Tally::new());
        one.requests = 2;
        two.requests = 3;
        one.latency.record(Duration::from_micros(100));
        two.latency.record(Duration::from_secs(1000));
        two.note_error("refused".to_owned());
        two.note_due(5, [Duration::from_secs(3)].into_iter());
        one.add(&two);
        let json = one.to_json(2.0);
        assert_eq!(json.pointer("/requests_per_second"), Some(&json!(2.5)));
        assert_eq!(json.pointer("/latency_us/count"), Some(&json!(3)));
        assert_eq!(json.pointer("/offered"), Some(&json!(5)));
        assert_eq!(json.pointer("/unanswered"), Some(&json!(1)));
        assert_eq!(json.pointer("/error_texts/refused"), Some(&json!(1)));
        let longest = json.pointer("/latency_us/max").and_then(Value::as_f64).unwrap();
        assert!((longest - 1.2e8).abs() < 2e5, "{longest}");
    }
}
