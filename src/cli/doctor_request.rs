//! The points of `doctor` that only a real request shows: it goes through the proxy to a tiny
//! origin of our own, with an invented key that must be found.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::tls::CertificateDer;
use serde_json::Value;

use super::arguments::CommonArguments;
use super::credentials::Credentials;
use super::doctor::Point;
use super::environment::inherited;
use super::monitor::said_of;
use crate::config::{CREDENTIALS_VARIABLE, Config};
use crate::finding::{Direction, Protocol};
use crate::limits::{
    DOCTOR_ANSWER_BYTES, DOCTOR_CONNECT_MS, DOCTOR_FINDING_MS, FINGERPRINT_KEY_BYTES, RUN_POLL_MS,
    STATUS_THREATS,
};
use crate::policy::{Circumstances, Disposition, FingerprintKey, Place, Policy, Seen};
use crate::report::THREATS_FILE_NAME;
use crate::report::tail::{self, Verdict};
use crate::rulebook;
use crate::tls::probe;

/// Connections that the origin takes: the request's, and the tunnel's with some to spare.
const ORIGIN_CONNECTIONS: usize = 8;

/// The rule that must find the key.
const PATTERN: &str = "aws_access_key";
/// The field that the key is in, and the path of the request.
const KEY_FIELD: &str = "X-Invented-Key";
const PATH: &str = "/clawsec-doctor";

/// What is asked, and what is known of it.
pub struct Asked<'a> {
    pub proxy: SocketAddr,
    pub config: &'a Config,
    /// The CA; none without interception.
    pub own: &'a [CertificateDer<'static>],
    pub mitm: bool,
    pub common: &'a CommonArguments,
}

/// Makes the request, and looks for its finding.
pub fn examine(asked: &Asked<'_>) -> Vec<Point> {
    let config = asked.config;
    let asks_for_https = asked.mitm && !asked.own.is_empty();
    let origin = match start_origin() {
        Ok(origin) => origin,
        Err(error) => {
            let said = format!("not made: no origin of our own can be had: {error}");
            return vec![Point::ill("request", said, "is the loopback interface up?")];
        }
    };
    let made = request(asked, origin);
    let mut points = vec![made.point];
    if made.is_shut_out {
        let said = "not known: the proxy let no request in";
        let checks = ["detection", "HTTPS"].into_iter().take(1 + usize::from(asks_for_https));
        points.extend(checks.map(|name| Point::unknown(name, said)));
        return points;
    }
    points.push(match silenced(config, &origin.to_string()) {
        Some(why) => {
            Point::doubtful("detection", format!("not shown: {why}"), "if that is wanted, nothing")
        }
        None => finding(&config.report.log_dir.join(THREATS_FILE_NAME), origin),
    });
    if asks_for_https {
        points.push(handshake(asked, origin));
    }
    points
}

/// Why the key will not be found, if its owner has seen to that.
fn silenced(config: &Config, dest: &str) -> Option<String> {
    let selected = rulebook::select(&config.rules).ok()?;
    let Some(rule) = selected.rules.iter().find(|rule| *rule.id == *PATTERN) else {
        return Some(format!("the rule {PATTERN} is off (rule_packs, disable)"));
    };
    // No suppression by fingerprint fits a key that nobody has: any key of fingerprints will do.
    let policy = Policy::new(&config.policy, FingerprintKey::new(&[0; FINGERPRINT_KEY_BYTES]));
    let seen = Seen {
        rule: PATTERN,
        severity: rule.severity,
        confidence: rule.confidence,
        fingerprint: None,
        secret: b"",
    };
    let at = Circumstances {
        direction: Direction::Outbound,
        protocol: Protocol::Http,
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        dest,
        place: Place::Header(KEY_FIELD),
        path: Some(PATH),
    };
    match policy.judge(&seen, &at, SystemTime::now()).disposition {
        Disposition::Suppressed(reason) => {
            Some(format!("suppressions accept the invented key ({reason})"))
        }
        Disposition::Report | Disposition::Expected => None,
    }
}

/// An origin that answers each request with 200, for as long as this process lives.
fn start_origin() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::Builder::new().name("doctor-origin".to_owned()).spawn(move || {
        for connection in listener.incoming().take(ORIGIN_CONNECTIONS).flatten() {
            // One that cannot be served shows as a request without an answer.
            let _ = std::thread::Builder::new().spawn(move || serve(connection));
        }
    })?;
    Ok(address)
}

fn serve(mut connection: TcpStream) -> io::Result<()> {
    set_timeouts(&connection)?;
    read_head(&mut connection)?;
    connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
}

fn set_timeouts(connection: &TcpStream) -> io::Result<()> {
    let timeout = Some(Duration::from_millis(DOCTOR_FINDING_MS));
    connection.set_read_timeout(timeout)?;
    connection.set_write_timeout(timeout)
}

/// The status line of the answer, or of a request its first line.
fn read_head(connection: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    // Byte by byte: what follows the head of an answer to CONNECT is TLS, and not ours.
    while !head.ends_with(b"\r\n\r\n") && head.len() < DOCTOR_ANSWER_BYTES {
        if connection.read(&mut byte)? == 0 {
            break;
        }
        head.extend_from_slice(&byte);
    }
    let text = String::from_utf8_lossy(&head);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn ask(proxy: SocketAddr, request: &str) -> io::Result<(TcpStream, String)> {
    let mut connection =
        TcpStream::connect_timeout(&proxy, Duration::from_millis(DOCTOR_CONNECT_MS))?;
    set_timeouts(&connection)?;
    connection.write_all(request.as_bytes())?;
    let status = read_head(&mut connection)?;
    Ok((connection, status))
}

/// The field with this process's credentials, if it has any.
fn credentials() -> String {
    Credentials::inherited(&inherited).map(|them| them.header()).unwrap_or_default()
}

fn is_ok(status: &str) -> bool {
    status.split(' ').nth(1) == Some("200")
}

/// What became of the request.
struct Made {
    point: Point,
    /// Whether nothing that comes after can be known before credentials are right.
    is_shut_out: bool,
}

fn request(asked: &Asked<'_>, origin: SocketAddr) -> Made {
    let name = "request";
    // Put together here, so that no scanner of this program's own file finds a key in it.
    let key = ["AKIA", "IOSFODNN7", "EXAMPLE"].concat();
    let credentials = credentials();
    let request = format!(
        "GET http://{origin}{PATH} HTTP/1.1\r\nHost: {origin}\r\n{credentials}\
         {KEY_FIELD}: {key}\r\nConnection: close\r\n\r\n"
    );
    let answer = ask(asked.proxy, &request);
    let is_shut_out = answer.as_ref().is_ok_and(|(_, status)| status.contains(" 407 "));
    let point = match answer {
        Ok((_, status)) if is_ok(&status) => {
            Point::well(name, format!("went through the proxy to {origin} and back"))
        }
        Ok(_) if is_shut_out => Point::ill(
            name,
            "the proxy asks for credentials (proxy_auth)",
            format!("set {CREDENTIALS_VARIABLE} to user:secret"),
        ),
        Ok((_, status)) => Point::ill(
            name,
            format!("the proxy answered {status:?}"),
            "clawsec.log says why (with upstream_proxy, name 127.0.0.1 in no_proxy)",
        ),
        Err(error) => Point::ill(
            name,
            format!("the proxy did not answer: {}", said_of(&error)),
            format!("see clawsec.log; then {}", asked.common.restart_commands()),
        ),
    };
    Made { point, is_shut_out }
}

fn finding(path: &Path, origin: SocketAddr) -> Point {
    let name = "detection";
    let dest = origin.to_string();
    let is_it = |threat: &Value| {
        let field = |name: &str| threat.get(name).and_then(Value::as_str);
        match field("dest") == Some(&dest) && field("pattern") == Some(PATTERN) {
            true => Verdict::Keep,
            false => Verdict::PassOver,
        }
    };
    let mut looked_at = 0;
    let deadline = Instant::now() + Duration::from_millis(DOCTOR_FINDING_MS);
    loop {
        looked_at += 1;
        let mut nearby = 0;
        let mut judge = |threat: &Value| {
            nearby += 1;
            // It is among the youngest, if it is there at all.
            if nearby > 100 * STATUS_THREATS { Verdict::Stop } else { is_it(threat) }
        };
        let found = tail::last_matching(path, 1, &mut judge);
        match found {
            Ok(tail) if !tail.threats.is_empty() => {
                let said = format!(
                    "the invented key in it was found and written (the {PATTERN} to {dest} in {} is \
                     doctor's own, and nothing to worry about)",
                    path.display()
                );
                return Point::well(name, said);
            }
            Ok(_) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(RUN_POLL_MS));
            }
            Ok(_) => {
                let said =
                    format!("the invented key is not in {} ({looked_at} looks)", path.display());
                return Point::ill(name, said, "see clawsec.log: is the disk full?");
            }
            Err(error) => {
                let said = format!("{} cannot be read: {error}", path.display());
                return Point::ill(name, said, "look at its owner and permissions");
            }
        }
    }
}

/// What the proxy shows must be signed by the CA on disk.
fn handshake(asked: &Asked<'_>, origin: SocketAddr) -> Point {
    let name = "HTTPS";
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if asked.config.tls.passthrough_hosts.matches(&address.to_string()) {
        let said = format!("not shown: passthrough_hosts has {address} tunnelled unread");
        return Point::doubtful(name, said, "if that is wanted, nothing");
    }
    let credentials = credentials();
    let connect = format!("CONNECT {origin} HTTP/1.1\r\nHost: {origin}\r\n{credentials}\r\n");
    let remedy =
        format!("if the CA was changed since the start: {}", asked.common.restart_commands());
    match ask(asked.proxy, &connect) {
        Ok((mut tunnel, status)) if is_ok(&status) => {
            match probe::shake_hands(&mut tunnel, address, asked.own) {
                Ok(()) => Point::well(name, "decrypted with the CA on disk"),
                Err(problem) => Point::ill(name, format!("not decrypted: {problem}"), remedy),
            }
        }
        Ok((_, status)) => {
            Point::ill(name, format!("the proxy answered CONNECT with {status:?}"), remedy)
        }
        Err(error) => {
            Point::ill(name, format!("no answer to CONNECT: {}", said_of(&error)), remedy)
        }
    }
}
