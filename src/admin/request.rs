//! A request to the admin listener: read with a bound on size and time, parsed as strictly as the proxy's own,
//! and refused when its Host field is a name that nobody configured: a page in a browser could have pointed that
//! name here (DNS rebinding).

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, TcpStream};
use std::time::{Duration, Instant};

use super::answer::Answer;
use crate::config::HostPatterns;
use crate::http::head::{HeadError, HeadLimits, Method, RequestHead, Version, parse_request};
use crate::limits::{ADMIN_HEAD_MAX_BYTES, ADMIN_HEADERS_MAX, ADMIN_WAIT_MS};
use crate::percent;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub is_head: bool,
    /// Whether something may be sent before the answer (HTTP/1.1, RFC 9110 §15.2).
    pub takes_interim: bool,
    pub path: String,
    /// The query's parameters, decoded, in order.
    pub parameters: Vec<(String, String)>,
    /// The Accept field.
    pub accept: String,
}

const LIMITS: HeadLimits =
    HeadLimits { max_bytes: ADMIN_HEAD_MAX_BYTES, max_headers: ADMIN_HEADERS_MAX };

/// A request that is refused.
#[derive(Debug)]
pub struct Refusal {
    pub answer: Answer,
    /// Whether the answer goes without its body (RFC 9110 §9.3.2).
    pub is_head: bool,
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Refusal {
        Refusal { answer, is_head: false }
    }
}

/// Reads one request.
pub fn read(
    connection: &mut TcpStream,
    hosts: &HostPatterns,
) -> io::Result<Result<Request, Refusal>> {
    let deadline = Instant::now() + Duration::from_millis(ADMIN_WAIT_MS);
    let mut bytes = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Err(Answer::text(408, "the request did not arrive in time\n").into()));
        }
        connection.set_read_timeout(Some(left))?;
        match connection.read(&mut piece) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => bytes.extend_from_slice(piece.get(..len).unwrap_or_default()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        match parse_request(&bytes, &LIMITS) {
            Ok(None) => {}
            Ok(Some(head)) => {
                let is_head = head.method == Method::Head;
                return Ok(judge(&head, hosts).map_err(|answer| Refusal { answer, is_head }));
            }
            Err(HeadError { status, reason }) => {
                return Ok(Err(Answer::text(status, &format!("{reason}\n")).into()));
            }
        }
    }
}

fn judge(head: &RequestHead<'_>, hosts: &HostPatterns) -> Result<Request, Answer> {
    let host = head.get("host").unwrap_or_default();
    if !is_known(&String::from_utf8_lossy(host), hosts) {
        let words = "this Host is not served here: use an address, or name it in admin_hosts\n";
        return Err(Answer::text(403, words));
    }
    if !matches!(head.method, Method::Get | Method::Head) {
        return Err(Answer::text(405, "GET and HEAD only\n").with("Allow: GET, HEAD\r\n"));
    }
    let (path, query) = head.target.split_once('?').unwrap_or((head.target, ""));
    if !path.starts_with('/') {
        return Err(Answer::text(400, "this is no proxy\n"));
    }
    let Some(parameters) = parameters(query) else {
        return Err(Answer::text(400, "the query cannot be decoded\n"));
    };
    let accept = head.get("accept").unwrap_or_default();
    Ok(Request {
        is_head: head.method == Method::Head,
        takes_interim: head.version == Version::Http11,
        path: path.to_owned(),
        parameters,
        accept: String::from_utf8_lossy(accept).into_owned(),
    })
}

/// Whether a Host field may be what it is. HTTP/1.0 has none; browsers always send one.
fn is_known(field: &str, hosts: &HostPatterns) -> bool {
    let host = match field.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => field.rsplit_once(':').map_or(field, |(host, _)| host),
    };
    // The root's dot changes nothing of whom a name leads to.
    let host = host.strip_suffix('.').unwrap_or(host);
    field.is_empty()
        || host.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || hosts.matches(host)
}

/// `name=value&…`, percent-encoded; none if it is not UTF-8, or wrongly encoded.
fn parameters(query: &str) -> Option<Vec<(String, String)>> {
    let pair = |item: &str| {
        let (name, value) = item.split_once('=').unwrap_or((item, ""));
        Some((decoded(name)?, decoded(value)?))
    };
    query.split('&').filter(|item| !item.is_empty()).map(pair).collect()
}

fn decoded(text: &str) -> Option<String> {
    // A blank, as forms write it.
    let text = text.replace('+', " ");
    String::from_utf8(percent::strict(text.as_bytes())?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(text: &str) -> Result<Request, String> {
        let hosts = HostPatterns::parse(&["*.ops.example".to_owned()]).unwrap();
        let head = parse_request(text.as_bytes(), &LIMITS).unwrap().unwrap();
        judge(&head, &hosts).map_err(|answer| format!("{answer:?}"))
    }

    fn host(host: &str) -> bool {
        judged(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).is_ok()
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_served_and_no_other_name() {
        for known in [
            "127.0.0.1:8889",
            "127.0.0.1",
            "[::1]:8889",
            "[::1]",
            "localhost:8889",
            "LOCALHOST",
            "a.ops.example:8889",
        ] {
            assert!(host(known), "{known}");
        }
        for unknown in
            ["evil.example", "evil.example:8889", "localhost.evil.example", "ops.example"]
        {
            assert!(!host(unknown), "{unknown}");
        }
        assert!(judged("GET / HTTP/1.0\r\n\r\n").is_ok());
    }

    #[test]
    fn a_target_is_taken_apart() {
        let request =
            judged("GET /threats?pattern=a%2A&dest=x+y&follow HTTP/1.0\r\nAccept: a/b\r\n\r\n");
        let request = request.unwrap();
        assert_eq!((request.path.as_str(), request.accept.as_str()), ("/threats", "a/b"));
        let pairs: Vec<_> =
            request.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("pattern", "a*"), ("dest", "x y"), ("follow", "")]);
        for wrong in [
            "GET /?a=%zz HTTP/1.0\r\n\r\n",
            "GET /?a=%ff HTTP/1.0\r\n\r\n",
            "GET /?a=%2 HTTP/1.0\r\n\r\n",
            "GET http://127.0.0.1/status HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            "POST /status HTTP/1.0\r\n\r\n",
            "OPTIONS * HTTP/1.0\r\n\r\n",
        ] {
            assert!(judged(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_query_is_too_odd_to_be_decoded_or_refused(query in "\\PC{0,40}") {
            let _ = parameters(&query);
        }
    }
}
