//! The points of `doctor` that concern a program's environment: does it lead to the proxy, and do
//! its roots hold the CA?

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::tls::CertificateDer;

use super::arguments::CommonArguments;
use super::doctor::Point;
use super::environment::{
    ADDING_VARIABLES, NO_PROXY_VARIABLES, PROXY_VARIABLES, REMOVED_VARIABLES, REPLACING_VARIABLES,
    spares_everything,
};
use crate::limits::DOCTOR_ENVIRONMENT_BYTES;
use crate::tls::trust_bundle::file_holds;

/// What the environment is held against.
pub struct Expected<'a> {
    pub proxy: Option<SocketAddr>,
    /// The CA; none without interception.
    pub own: &'a [CertificateDer<'static>],
    /// Whether the system's store holds it.
    pub is_trusted: bool,
}

/// Examines this process's environment, or another one's.
pub fn examine(
    pid: Option<u32>,
    expected: &Expected<'_>,
    common: &CommonArguments,
) -> Result<Vec<Point>, String> {
    let (variables, whose) = match pid {
        None => (of_this_process(), "this shell".to_owned()),
        Some(pid) => {
            let variables = of_process(pid).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => format!("there is no process with PID {pid}"),
                _ => format!(
                    "cannot read the environment of PID {pid}: {error} (only its own user may)"
                ),
            })?;
            (variables, format!("PID {pid}"))
        }
    };
    let remedy =
        format!("{}, or in its shell: eval \"$({})\"", common.run_command(), common.command("env"));
    let environment = Examined { variables, whose, is_agent: pid.is_some(), remedy };
    Ok(environment.points(expected))
}

struct Examined {
    variables: BTreeMap<String, String>,
    whose: String,
    /// Whether it is a program's that should be inspected, not only a shell's that could be.
    is_agent: bool,
    /// What sets the variables that lack.
    remedy: String,
}

fn of_this_process() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

fn of_process(pid: u32) -> io::Result<BTreeMap<String, String>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/environ"))?
        .take(DOCTOR_ENVIRONMENT_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(parse(&bytes))
}

/// `NAME=value` entries that end in NUL (proc_pid_environ(5)).
fn parse(bytes: &[u8]) -> BTreeMap<String, String> {
    bytes
        .split(|byte| *byte == 0)
        .filter_map(|entry| {
            let (name, value) = std::str::from_utf8(entry).ok()?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

impl Examined {
    fn points(&self, expected: &Expected<'_>) -> Vec<Point> {
        let mut points = vec![self.proxies(expected.proxy)];
        points.extend(self.exceptions());
        if !expected.own.is_empty() {
            points.push(self.roots(expected));
        }
        points
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Ill for an agent, a note for a shell.
    fn lacking(&self, name: &'static str, said: String) -> Point {
        match self.is_agent {
            true => Point::ill(name, said, &self.remedy),
            false => Point::doubtful(name, said, &self.remedy),
        }
    }

    fn proxies(&self, proxy: Option<SocketAddr>) -> Point {
        let name = "proxy vars";
        let set: Vec<(&str, &str)> = PROXY_VARIABLES
            .iter()
            .filter_map(|variable| self.get(variable).map(|value| (*variable, value)))
            .collect();
        if set.is_empty() {
            let said = format!("{} does not use the proxy: HTTP_PROXY is not set", self.whose);
            return self.lacking(name, said);
        }
        let Some(proxy) = proxy else {
            return Point::well(name, "set; where the proxy is, is not known");
        };
        let astray = set.iter().find(|(_, value)| !leads_to(value, proxy));
        if let Some((variable, value)) = astray {
            let said = format!(
                "{variable}={} of {} does not lead to {proxy}",
                without_secret(value),
                self.whose
            );
            return Point::ill(name, said, &self.remedy);
        }
        let missing: Vec<&str> = PROXY_VARIABLES
            .iter()
            .copied()
            .filter(|variable| self.get(variable).is_none())
            .collect();
        match missing.is_empty() {
            true => Point::well(name, format!("{} leads to {proxy}", self.whose)),
            false => Point::doubtful(
                name,
                format!(
                    "{} lacks {} (curl reads only http_proxy, aiohttp's WebSockets only wss_proxy)",
                    self.whose,
                    missing.join(", ")
                ),
                &self.remedy,
            ),
        }
    }

    fn exceptions(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for variable in NO_PROXY_VARIABLES {
            let Some(hosts) = self.get(variable) else { continue };
            if spares_everything(hosts) {
                let said = format!("{variable}={hosts} of {} spares every host", self.whose);
                points.push(Point::ill("exceptions", said, format!("unset {variable}")));
            } else {
                let said = format!("{variable}: {hosts} are not inspected");
                points.push(Point::doubtful("exceptions", said, "if that is wanted, nothing"));
            }
        }
        for variable in REMOVED_VARIABLES {
            if self.get(variable).is_some() {
                let said = format!("{variable} of {} may lead past the proxy", self.whose);
                points.push(Point::doubtful("exceptions", said, format!("unset {variable}")));
            }
        }
        points
    }

    fn roots(&self, expected: &Expected<'_>) -> Point {
        let name = "CA vars";
        let set: Vec<(&str, &str)> = REPLACING_VARIABLES
            .iter()
            .chain(&ADDING_VARIABLES)
            .filter_map(|variable| self.get(variable).map(|value| (*variable, value)))
            .collect();
        for (variable, file) in &set {
            let Some(problem) = lack_of(Path::new(file), expected.own) else { continue };
            let said = format!("{variable}={file} of {}: {problem}", self.whose);
            let is_inspected = PROXY_VARIABLES.iter().any(|variable| self.get(variable).is_some());
            // A shell that does not use the proxy may have any roots.
            return match is_inspected {
                true => Point::ill(name, said, &self.remedy),
                false => self.lacking(name, said),
            };
        }
        match (set.is_empty(), expected.is_trusted) {
            (false, _) => Point::well(name, format!("{} variables hold the CA", set.len())),
            (true, true) => {
                Point::well(name, "none, and none needed: the system's store has the CA")
            }
            (true, false) => {
                self.lacking(name, format!("{} trusts the CA by no variable", self.whose))
            }
        }
    }
}

/// What is wrong with a file of roots; nothing if it holds one of the chain, which is enough to trust what it signs.
fn lack_of(file: &Path, own: &[CertificateDer<'static>]) -> Option<String> {
    let mut problem = "does not hold this CA".to_owned();
    for certificate in own {
        match file_holds(file, certificate) {
            Ok(true) => return None,
            Ok(false) => {}
            Err(error) => problem = format!("cannot be read: {error}"),
        }
    }
    (!own.is_empty()).then_some(problem)
}

/// Whether a proxy's URL names this address.
fn leads_to(url: &str, proxy: SocketAddr) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let Some((host, port)) = authority.rsplit_once(':') else { return false };
    let host = host.trim_matches(['[', ']']);
    let is_host = match host.parse::<IpAddr>() {
        Ok(ip) => ip == proxy.ip(),
        Err(_) => host.eq_ignore_ascii_case("localhost") && proxy.ip().is_loopback(),
    };
    is_host && port.parse() == Ok(proxy.port())
}

/// A proxy's URL without its user and password.
fn without_secret(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        (None, Some((_, host))) => format!("…@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::doctor::Health;
    use super::*;

    fn examined(variables: &[(&str, &str)], is_agent: bool) -> Examined {
        let variables =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Examined { variables, whose: "PID 7".to_owned(), is_agent, remedy: String::new() }
    }

    fn proxy() -> Option<SocketAddr> {
        Some("127.0.0.1:8888".parse().unwrap())
    }

    #[test]
    fn a_url_leads_to_the_proxy_or_does_not() {
        for (url, leads) in [
            ("http://127.0.0.1:8888", true),
            ("http://localhost:8888/", true),
            ("127.0.0.1:8888", true),
            ("http://user:word@127.0.0.1:8888", true),
            ("http://127.0.0.1:8889", false),
            ("http://127.0.0.1", false),
            ("http://192.0.2.1:8888", false),
            ("http://proxy.example:8888", false),
            ("", false),
        ] {
            assert_eq!(leads_to(url, proxy().unwrap()), leads, "{url}");
        }
        assert!(leads_to("http://[::1]:1", "[::1]:1".parse().unwrap()));
        assert_eq!(without_secret("http://u:hidden@h:1"), "http://…@h:1");
    }

    #[test]
    fn an_agent_without_a_proxy_is_ill_and_a_shell_is_told() {
        assert_eq!(examined(&[], true).proxies(proxy()).health, Health::Ill);
        assert_eq!(examined(&[], false).proxies(proxy()).health, Health::Doubtful);
        let url = "http://127.0.0.1:8888";
        let some = examined(&[("HTTP_PROXY", url), ("HTTPS_PROXY", url)], true).proxies(proxy());
        assert_eq!(some.health, Health::Doubtful);
        let lacks = "lacks WS_PROXY, WSS_PROXY, http_proxy, https_proxy, ws_proxy, wss_proxy (";
        assert!(some.said.contains(lacks), "{}", some.said);
        let all: Vec<(&str, &str)> = PROXY_VARIABLES.iter().map(|name| (*name, url)).collect();
        assert_eq!(examined(&all, true).proxies(proxy()).health, Health::Well);
        let astray = examined(&[("https_proxy", "http://u:hidden@other.example:1")], false);
        let astray = astray.proxies(proxy());
        assert_eq!(astray.health, Health::Ill);
        assert!(!astray.said.contains("hidden"), "{}", astray.said);
    }

    #[test]
    fn roots_of_its_own_are_a_note_for_a_shell_that_uses_no_proxy() {
        let own = [CertificateDer::from(vec![1]), CertificateDer::from(vec![2])];
        let expected = Expected { proxy: proxy(), own: &own, is_trusted: false };
        let file = ("SSL_CERT_FILE", "/nonexistent/roots.pem");
        let url = ("HTTPS_PROXY", "http://127.0.0.1:8888");
        for (variables, is_agent, health) in [
            (&[file][..], false, Health::Doubtful),
            (&[file, url][..], false, Health::Ill),
            (&[file][..], true, Health::Ill),
        ] {
            assert_eq!(examined(variables, is_agent).roots(&expected).health, health);
        }
    }

    /// They were not looked at.
    #[test]
    fn roots_of_nix_gcloud_and_grpc_without_the_ca_are_ill() {
        let own = [CertificateDer::from(vec![1])];
        let expected = Expected { proxy: proxy(), own: &own, is_trusted: true };
        for name in [
            "NIX_SSL_CERT_FILE",
            "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        ] {
            let point = examined(&[(name, "/nonexistent/roots.pem")], true).roots(&expected);
            assert_eq!(point.health, Health::Ill, "{name}");
        }
    }

    #[test]
    fn a_file_that_holds_any_certificate_of_the_chain_is_enough() {
        let own = [CertificateDer::from(vec![1]), CertificateDer::from(vec![2])];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("roots.pem");
        std::fs::write(&path, crate::tls::trust_bundle::certificate_pem(&own[1])).unwrap();
        assert_eq!(lack_of(&path, &own), None);
        assert!(lack_of(&path, &own[..1]).unwrap().contains("does not hold"));
        assert!(lack_of(&dir.path().join("gone"), &own).unwrap().contains("cannot be read"));
    }

    #[test]
    fn an_exception_for_everything_is_ill() {
        let points = examined(&[("NO_PROXY", "a,*"), ("no_proxy", "a")], false).exceptions();
        let healths: Vec<Health> = points.iter().map(|point| point.health).collect();
        assert_eq!(healths, [Health::Ill, Health::Doubtful]);
        assert_eq!(examined(&[("ALL_PROXY", "socks5://x")], false).exceptions().len(), 1);
        assert!(examined(&[], false).exceptions().is_empty());
    }

    #[test]
    fn an_environment_is_read_as_the_kernel_shows_it() {
        let variables = parse(b"A=1\0B=x=y\0broken\0\xff=1\0");
        assert_eq!(variables.len(), 2);
        assert_eq!(variables["B"], "x=y");
        assert!(of_process(std::process::id()).is_ok());
        assert!(of_process(u32::MAX).is_err());
    }
}
