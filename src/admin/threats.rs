//! `/threats`: the findings as `clawsec threats` filters them, as an array or as a stream of server-sent events
//! (WHATWG HTML §9.2).

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::Shown;
use super::accept;
use super::answer::{self, Answer};
use super::asker::Asker;
use super::request::Request;
use crate::cli::threats::FilterArguments;
use crate::cli::threats_follow::Follow;
use crate::conn::deadline::Phase;
use crate::finding::{Confidence, Severity};
use crate::limits::{
    ADMIN_QUERY_BYTES, ADMIN_STREAM_KEEP_ALIVE_MS, ADMIN_THREATS_MAX, FOLLOW_POLL_MS,
    THREATS_DEFAULT,
};
use crate::report::THREATS_FILE_NAME;
use crate::report::tail::{self, Tail};
use crate::report::threat_filter::{ThreatFilter, parse_since};

const EVENT_STREAM: &str = "text/event-stream";

/// Which findings, and how.
#[derive(Debug)]
pub struct Wanted {
    filter: ThreatFilter,
    limit: usize,
    pub follow: bool,
}

/// What a request asks for; a sentence if it cannot be had.
pub fn wanted(request: &Request) -> Result<Wanted, String> {
    let mut arguments = FilterArguments::default();
    let mut limit = None;
    let is_set = |value: &str| matches!(value, "" | "1" | "true");
    let mut follow = accept::prefers(&request.accept, EVENT_STREAM, "application/json");
    for (name, value) in &request.parameters {
        let value = value.clone();
        match name.as_str() {
            "since" => arguments.since = Some(with_its_plus(value)),
            "pattern" => arguments.pattern.push(value),
            "direction" => arguments.direction.push(value),
            "type" => arguments.threat_type.push(value),
            "dest" => arguments.dest.push(value),
            "source" => arguments.source.push(value),
            "agent" => arguments.agent.push(value),
            "limit" => limit = Some(parse_limit(&value)?),
            "severity" => arguments.severity = Some(parse_severity(&value)?),
            "confidence" => arguments.confidence = Some(parse_confidence(&value)?),
            "all" => arguments.all = is_set(&value),
            "follow" => follow = is_set(&value),
            _ => {
                return Err(format!(
                    "unknown parameter {name:?}: since, pattern, direction, type, dest, source, agent, \
                     severity, confidence, all, limit, follow"
                ));
            }
        }
    }
    if arguments.all && arguments.severity.is_some() {
        return Err("severity and all: one of the two".to_owned());
    }
    let filter = arguments.filter(Timestamp::now()).map_err(|words| words.replace("--", ""))?;
    let default = match (&filter.since, follow) {
        (Some(_), _) => ADMIN_THREATS_MAX,
        (None, true) => 0,
        (None, false) => THREATS_DEFAULT,
    };
    Ok(Wanted { filter, limit: limit.unwrap_or(default), follow })
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    let severity = Severity::from_name(text);
    severity.ok_or_else(|| format!("severity {text:?}: info, low, medium, high or critical"))
}

fn parse_confidence(text: &str) -> Result<Confidence, String> {
    let confidence = Confidence::from_name(text);
    confidence.ok_or_else(|| format!("confidence {text:?}: low, medium or high"))
}

/// A moment's offset from UTC, written as it is (`+00:00`): in a query a plus means a blank.
fn with_its_plus(text: String) -> String {
    let is_understood = parse_since(&text, Timestamp::UNIX_EPOCH).is_some();
    match text.rsplit_once(' ') {
        Some((moment, offset)) if !is_understood => format!("{moment}+{offset}"),
        _ => text,
    }
}

fn parse_limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| *limit <= ADMIN_THREATS_MAX);
    limit.ok_or_else(|| format!("limit {text:?}: a number from 0 to {ADMIN_THREATS_MAX}"))
}

/// Those behind which `follow` begins, or the last ones. An error once the client has left.
fn tail(
    shown: &Shown,
    wanted: &Wanted,
    follow: Option<&Follow>,
    asker: &mut Asker<'_>,
) -> io::Result<Tail> {
    // One at a time: each takes a hundred times the room of a finding.
    static ASKED: Mutex<()> = Mutex::new(());
    let _asked = ASKED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut judge = |threat: &Value| wanted.filter.judge(threat);
    let mut goes_on = || asker.is_there();
    let (limit, most_bytes) = (wanted.limit, ADMIN_QUERY_BYTES);
    if let Some(follow) = follow {
        return follow.old(limit, most_bytes, &mut judge, &mut goes_on);
    }
    let path = shown.log_dir.join(THREATS_FILE_NAME);
    tail::last_while(&path, limit, most_bytes, &mut judge, &mut goes_on)
}

/// The last ones, newest first.
pub fn last(shown: &Shown, wanted: &Wanted, asker: &mut Asker<'_>) -> Answer {
    match tail(shown, wanted, None, asker) {
        Ok(tail) => {
            let is_cut = tail.is_cut;
            let answer = Answer::json(200, format!("{:#}\n", Value::Array(tail.threats)));
            if is_cut { answer.with(INCOMPLETE) } else { answer }
        }
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &io::Error) -> Answer {
    Answer::failed(&format!("{THREATS_FILE_NAME}: {error}"))
}

/// Said of an answer for which not all of the file was read.
const INCOMPLETE: &str = "Clawsec-Incomplete: older findings were not looked at\r\n";

/// What a stream begins with.
pub struct Begun {
    follow: Follow,
    /// Oldest first.
    old: Vec<Value>,
}

/// The old ones that are asked for, and the place from which on there are new ones; or what to answer instead.
pub fn begin(shown: &Shown, wanted: &Wanted, asker: &mut Asker<'_>) -> Result<Begun, Answer> {
    let path = shown.log_dir.join(THREATS_FILE_NAME);
    let follow = Follow::from_end(&path).map_err(|error| unreadable(&error))?;
    let old = tail(shown, wanted, Some(&follow), asker);
    let mut old = old.map_err(|error| unreadable(&error))?.threats;
    old.reverse();
    Ok(Begun { follow, old })
}

/// A stream's head; it has no length.
pub fn write_head(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(format!("{}\r\n", answer::head(200, EVENT_STREAM)).as_bytes())
}

/// The old ones, then each new one, until the client goes away or the monitor stops.
pub fn stream(
    shown: &Shown,
    wanted: &Wanted,
    begun: Begun,
    connection: &mut TcpStream,
) -> io::Result<()> {
    let Begun { mut follow, old: mut new } = begun;
    write_head(connection)?;
    connection.set_read_timeout(Some(Duration::from_millis(FOLLOW_POLL_MS)))?;
    let mut spoke_at = Instant::now();
    loop {
        let mut text: String = new.iter().map(|threat| format!("data: {threat}\n\n")).collect();
        if text.is_empty()
            && spoke_at.elapsed() >= Duration::from_millis(ADMIN_STREAM_KEEP_ALIVE_MS)
        {
            text.push_str(":\n\n");
        }
        if !text.is_empty() {
            connection.write_all(text.as_bytes())?;
            spoke_at = Instant::now();
        }
        if has_gone(connection)? || shown.phase() != Phase::Running {
            return Ok(());
        }
        new = follow.poll()?;
        new.retain(|threat| wanted.filter.wants(threat));
    }
}

/// Waits a little, and says whether the client has ended its side meanwhile.
fn has_gone(connection: &mut TcpStream) -> io::Result<bool> {
    let mut byte = [0; 64];
    match connection.read(&mut byte) {
        Ok(0) => Ok(true),
        Ok(_) => {
            // It has nothing to say; and saying it shall not make this loop run any faster.
            thread::sleep(Duration::from_millis(FOLLOW_POLL_MS));
            Ok(false)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(false)
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(parameters: &[(&str, &str)], accept: &str) -> Result<Wanted, String> {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        wanted(&Request {
            is_head: false,
            takes_interim: true,
            path: "/threats".to_owned(),
            parameters: parameters.iter().map(pair).collect(),
            accept: accept.to_owned(),
        })
    }

    #[test]
    fn limits_are_read_and_bounded() {
        assert_eq!(asked(&[], "*/*").unwrap().limit, THREATS_DEFAULT);
        assert_eq!(asked(&[("since", "10m")], "").unwrap().limit, ADMIN_THREATS_MAX);
        assert_eq!(asked(&[("follow", "1")], "").unwrap().limit, 0);
        assert_eq!(asked(&[("limit", "3"), ("follow", "1")], "").unwrap().limit, 3);
        let most = ADMIN_THREATS_MAX.to_string();
        assert_eq!(asked(&[("limit", &most)], "").unwrap().limit, ADMIN_THREATS_MAX);
        let more = (ADMIN_THREATS_MAX + 1).to_string();
        for wrong in [more.as_str(), "-1", "ten", ""] {
            assert!(asked(&[("limit", wrong)], "").is_err(), "{wrong}");
        }
    }

    #[test]
    fn filters_may_be_repeated_and_what_is_unknown_is_said() {
        let wanted = asked(&[("pattern", "a*"), ("pattern", "b"), ("type", "EXFIL")], "").unwrap();
        assert_eq!(wanted.filter.pattern, ["a*", "b"]);
        assert_eq!(wanted.filter.threat_type, ["EXFIL"]);
        let sure = asked(&[("confidence", "high")], "").unwrap();
        assert_eq!(sure.filter.least_confidence, Some(Confidence::High), "as the command has it");
        assert!(asked(&[("confidence", "sure")], "").unwrap_err().contains("low, medium or high"));
        assert!(asked(&[("patern", "a")], "").unwrap_err().contains("patern"));
        assert!(asked(&[("since", "soon")], "").unwrap_err().starts_with("since"));
    }

    #[test]
    fn a_stream_is_asked_for_by_either_name() {
        assert!(!asked(&[], "text/event-stream;q=0").unwrap().follow);
        assert!(asked(&[], "text/event-stream").unwrap().follow);
        assert!(asked(&[("follow", "1")], "").unwrap().follow);
        assert!(!asked(&[("follow", "0")], "text/event-stream").unwrap().follow);
    }
}
