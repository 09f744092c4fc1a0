//! A finding: what was seen, where, and going which way. Plain, owned, bounded data.

mod held_back;
mod view;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

pub use held_back::HeldBack;
pub use view::{Step, View};

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

/// How bad it is if it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// As it should be; kept for the record (a provider's own key on its way to that provider).
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// The name in `threats.jsonl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl Severity {
    /// The severity of a name.
    pub fn from_name(name: &str) -> Option<Severity> {
        use Severity::{Critical, High, Info, Low, Medium};
        let all = [Info, Low, Medium, High, Critical];
        all.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(name))
    }
}

/// How likely it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    Low,
    Medium,
    High,
}

impl Confidence {
    /// The name in `threats.jsonl`.
    pub fn as_str(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }

    /// The confidence of a name.
    pub fn from_name(name: &str) -> Option<Confidence> {
        let all = [Confidence::Low, Confidence::Medium, Confidence::High];
        all.into_iter().find(|confidence| confidence.as_str().eq_ignore_ascii_case(name))
    }
}

/// A keyed digest of what matched: the same for the same secret in one installation, and of no use to
/// anybody who has not got that installation's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 8]);

impl Fingerprint {
    /// As it is shown: 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_hex.then(|| u64::from_str_radix(text, 16).ok())??;
        Some(Fingerprint(number.to_be_bytes()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        let mut text = [0; 2 * size_of::<Fingerprint>()];
        for (place, digit) in text.iter_mut().zip(digits) {
            *place = if digit < 10 { b'0' + digit } else { b'a' + (digit - 10) };
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// One detection, ready to be deduplicated and written. The snippet is masked already.
#[derive(Clone, Debug)]
pub struct Finding {
    pub direction: Direction,
    pub protocol: Protocol,
    pub threat_type: ThreatType,
    /// The name of the rule that fired.
    pub pattern: Arc<str>,
    pub severity: Severity,
    pub confidence: Confidence,
    /// How the text in which it was seen was come by.
    pub view: View,
    /// Tells one secret from another without telling it.
    pub fingerprint: Option<Fingerprint>,
    /// The masked match with its context, at most `limits::SNIPPET_CHARS` characters.
    pub snippet: String,
    /// The client's address, in both directions.
    pub source: IpAddr,
    /// `host:port` the agent was talking to. What of it is a secret is masked as the last thing before it is written:
    /// until then it tells one destination from another.
    pub dest: Arc<str>,
    /// Whether `dest` has some of the match's own secret before its domain.
    pub has_secret_dest: bool,
    /// When it was seen, for the log line.
    pub seen_at: SystemTime,
    /// When it was seen, for the dedup window.
    pub seen_at_mono: Instant,
    /// What its core holds back of the same key.
    pub held_back: Option<Arc<HeldBack>>,
    /// The user whose credentials the request had, where the proxy asks for them.
    pub agent: Option<Arc<str>>,
}
