//! A finding: what was seen, where, and going which way. Plain, owned, bounded data.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Which way the bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Agent to internet.
    Outbound,
    /// Internet to agent.
    Inbound,
}

impl Direction {
    /// The name in `threats.jsonl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
        }
    }
}

/// What the finding threatens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ThreatType {
    /// Data leaving.
    Exfil,
    /// Commands arriving.
    Injection,
}

impl ThreatType {
    /// The name in `threats.jsonl`.
    pub fn as_str(self) -> &'static str {
        match self {
            ThreatType::Exfil => "EXFIL",
            ThreatType::Injection => "INJECTION",
        }
    }
}

/// How the bytes were carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Clear HTTP, or raw bytes in a clear tunnel.
    Http,
    /// Inside TLS that the proxy opened.
    Https,
    /// Through the gateway listener.
    Gateway,
}

impl Protocol {
    /// The name in `threats.jsonl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Gateway => "gateway",
        }
    }
}

/// One detection, ready to be deduplicated and written. The snippet is masked already.
#[derive(Clone, Debug)]
pub struct Finding {
    pub direction: Direction,
    pub protocol: Protocol,
    pub threat_type: ThreatType,
    /// The name of the rule that fired.
    pub pattern: &'static str,
    /// The masked match with its context, at most `limits::SNIPPET_CHARS` characters.
    pub snippet: String,
    /// The client's address, in both directions.
    pub source: IpAddr,
    /// `host:port` the agent was talking to.
    pub dest: Arc<str>,
    /// When it was seen, for the log line.
    pub seen_at: SystemTime,
    /// When it was seen, for the dedup window.
    pub seen_at_mono: Instant,
    /// How many of the same key a core held back since it last reported one.
    pub suppressed: u64,
    /// The user whose credentials the request had, where the proxy asks for them.
    pub agent: Option<Arc<str>>,
}
