//! The rows: what is measured of each peer, and what ClawSec is to reach. Data only.

use super::goal::Goal;

/// How a row is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// One run of `client requests`; the figure is at this place of its result.
    Requests { is_tls: bool, path: &'static str, args: &'static [&'static str], at: &'static str },
    /// Conversations that grow, as agents send them; two rows take their figures from one run.
    Conversation { at: &'static str },
    /// Round trips of messages over WebSocket.
    WebSocket { is_tls: bool },
    /// New server names, less the same names again: what making their leaves costs.
    Names { count: u64 },
    /// Memory for each idle connection.
    Idle { at: &'static str },
    /// A quantile through the proxy, less the same straight to the origin, at once before.
    Added { work: Work, at: &'static str },
    /// CPU a request with one worker, and with two: how much more two can carry.
    Cores,
    /// Findings in every request: what is kept of the capacity, in percent.
    FloodKept,
    /// Four findings in every request: how many were lost of 400,000.
    FloodLost,
}

/// What an added time is measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Events,
    TenThousand,
    /// Kept-alive connections, while another client asks for new names.
    Minting,
}

/// What one round gave.
#[derive(Clone, Debug)]
pub struct Sample {
    pub figure: f64,
    /// What has to be known to read it.
    pub note: Option<String>,
    /// Whether it was taken under what the goal asks for.
    pub decides: bool,
}

impl From<f64> for Sample {
    fn from(figure: f64) -> Sample {
        Sample { figure, note: None, decides: true }
    }
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub id: &'static str,
    pub title: &'static str,
    pub unit: &'static str,
    pub measure: Measure,
    pub goal: Goal,
}

pub const CPU_EACH: &str = "/proxy/cpu_us_per_request";
const CPU_KIB: &str = "/proxy/cpu_ns_per_kib";
const KEPT: &[&str] = &["--connections", "32"];
const BULK: &[&str] = &["--connections", "8"];
const POST: &[&str] = &["--connections", "8", "--body", "65536"];
/// Of `Measure::Conversation`.
pub const CONVERSATION: &[&str] = &["--connections", "8", "--conversation"];
const NEW: &[&str] = &["--connections", "4", "--new-connection"];
const RESUMED: &[&str] = &["--connections", "4", "--new-connection", "--resume"];
const FINDINGS: &[&str] = &["--connections", "32", "--findings", "0.1"];

const fn requests(
    is_tls: bool,
    path: &'static str,
    args: &'static [&'static str],
    at: &'static str,
) -> Measure {
    Measure::Requests { is_tls, path, args, at }
}

/// All rows, in the order of the report.
pub const ROWS: &[Row] = &[
    Row {
        id: "http-1k",
        title: "HTTP, 1 KiB answers, keep-alive",
        unit: "µs CPU a request",
        measure: requests(false, "/bytes/1024", KEPT, CPU_EACH),
        goal: Goal::Factors(&[("nginx", 1.0)]),
    },
    Row {
        id: "https-1k",
        title: "HTTPS, decrypted and encrypted again, 1 KiB answers, keep-alive",
        unit: "µs CPU a request",
        measure: requests(true, "/bytes/1024", KEPT, CPU_EACH),
        goal: Goal::Factors(&[
            ("nginx", 0.9),
            ("hudsucker", 0.7),
            ("squid", 0.25),
            ("mitmproxy", 0.01),
        ]),
    },
    Row {
        id: "https-1m",
        title: "HTTPS, 1 MiB answers",
        unit: "ns CPU a KiB",
        measure: requests(true, "/bytes/1048576", BULK, CPU_KIB),
        goal: Goal::Factors(&[("hudsucker", 1.1)]),
    },
    Row {
        id: "https-chunked",
        title: "HTTPS, 1 MiB answers in chunks",
        unit: "ns CPU a KiB",
        measure: requests(true, "/chunked/1048576", BULK, CPU_KIB),
        goal: Goal::None,
    },
    Row {
        id: "https-post",
        title: "HTTPS, 64 KiB request bodies",
        unit: "ns CPU a KiB",
        measure: requests(true, "/sink", POST, CPU_KIB),
        goal: Goal::None,
    },
    Row {
        id: "conversation",
        title: "HTTPS, an agent's conversations that grow, 64 to 256 KiB a request",
        unit: "µs CPU a request",
        measure: Measure::Conversation { at: CPU_EACH },
        goal: Goal::None,
    },
    Row {
        id: "conversation-kib",
        title: "An agent's conversations that grow, by what is sent",
        unit: "ns CPU a KiB",
        measure: Measure::Conversation { at: CPU_KIB },
        goal: Goal::None,
    },
    Row {
        id: "https-findings",
        title: "HTTPS, 1 KiB, every tenth request with a finding",
        unit: "µs CPU a request",
        measure: requests(true, "/bytes/1024", FINDINGS, CPU_EACH),
        goal: Goal::None,
    },
    Row {
        id: "handshake",
        title: "New client connection, full TLS handshake, one request",
        unit: "µs CPU each",
        measure: requests(true, "/bytes/1024", NEW, CPU_EACH),
        goal: Goal::Factors(&[("nginx", 1.1), ("hudsucker", 0.65)]),
    },
    Row {
        id: "resumed",
        title: "New client connection, resumed TLS session, one request",
        unit: "µs CPU each",
        measure: requests(true, "/bytes/1024", RESUMED, CPU_EACH),
        goal: Goal::Factors(&[("nginx", 0.55), ("hudsucker", 0.325)]),
    },
    Row {
        id: "ws",
        title: "WebSocket, 128-byte messages echoed",
        unit: "µs CPU a round trip",
        measure: Measure::WebSocket { is_tls: false },
        goal: Goal::None,
    },
    Row {
        id: "wss",
        title: "WebSocket over TLS, 128-byte messages echoed",
        unit: "µs CPU a round trip",
        measure: Measure::WebSocket { is_tls: true },
        goal: Goal::None,
    },
    Row {
        id: "names",
        title: "1,000 new host names: making a leaf",
        unit: "µs CPU a leaf",
        measure: Measure::Names { count: 1000 },
        goal: Goal::AtMost(100.0),
    },
    Row {
        id: "names-stall",
        title: "997 requests a second while 100 new names a second get their leaves: added time, 99.9 %",
        unit: "µs",
        measure: Measure::Added { work: Work::Minting, at: "/latency_us/p999" },
        goal: Goal::AtMost(1000.0),
    },
    Row {
        id: "idle",
        title: "Idle intercepted connection, answered before",
        unit: "KiB PSS each",
        measure: Measure::Idle { at: "/pss_kib_each/idle" },
        goal: Goal::AtMost(20.0),
    },
    Row {
        id: "idle-waiting",
        title: "Intercepted connection that awaits an answer (client and upstream TLS)",
        unit: "KiB PSS each",
        measure: Measure::Idle { at: "/pss_kib_each/awaiting_answer" },
        goal: Goal::AtMost(20.0),
    },
    Row {
        id: "sse-p50",
        title: "Event stream over HTTPS: added time to an event, median",
        unit: "µs",
        measure: Measure::Added { work: Work::Events, at: "/latency_us/p50" },
        goal: Goal::AtMost(100.0),
    },
    Row {
        id: "sse-p99",
        title: "Event stream over HTTPS: added time to an event, 99 %",
        unit: "µs",
        measure: Measure::Added { work: Work::Events, at: "/latency_us/p99" },
        goal: Goal::AtMost(1000.0),
    },
    Row {
        id: "ten-thousand",
        title: "10,000 connections, 1,000 requests a second: added time, 99 %",
        unit: "µs",
        measure: Measure::Added { work: Work::TenThousand, at: "/latency_us/p99" },
        goal: Goal::AtMost(1000.0),
    },
    Row {
        id: "cores",
        title: "Capacity of two workers, of one, by CPU a request",
        unit: "times",
        measure: Measure::Cores,
        goal: Goal::AtLeast(1.85),
    },
    Row {
        id: "flood-kept",
        title: "Every request a new finding: capacity kept",
        unit: "%",
        measure: Measure::FloodKept,
        goal: Goal::AtLeast(80.0),
    },
    Row {
        id: "flood-lost",
        title: "Four new findings in each of 100,000 requests, 50,000 findings a second or more: lost",
        unit: "findings",
        measure: Measure::FloodLost,
        goal: Goal::AtMost(0.0),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_of_their_own() {
        let mut names: Vec<_> = ROWS.iter().map(|row| row.id).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROWS.len());
    }
}
