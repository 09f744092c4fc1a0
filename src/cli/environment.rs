//! `clawsec env`, and what the environment of a program must say to be inspected.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, ValueEnum};

use super::arguments::CommonArguments;
use super::credentials::Credentials;
use super::log_dir::LogDirError;
use super::monitor::{self, Monitor};
use super::{environment_shells, exit_code, load_common, log_dir, output};
use crate::config::Config;
use crate::tls::trust_bundle::{Kept, TrustFiles, write_trust_files};
use crate::tls::trust_leftovers::remove_leftovers;

/// The proxy, in both spellings: curl reads only the lower-case `http_proxy`. aiohttp's WebSockets have a scheme, and so a
/// variable, of their own.
pub const PROXY_VARIABLES: [&str; 8] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "WS_PROXY",
    "WSS_PROXY",
    "http_proxy",
    "https_proxy",
    "ws_proxy",
    "wss_proxy",
];

/// What would lead past the proxy, or to another one.
pub const REMOVED_VARIABLES: [&str; 2] = ["ALL_PROXY", "all_proxy"];

/// Who is spared.
pub const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Files of roots that replace a program's own: OpenSSL and what is built on it (Python's ssl and
/// httpx, Go, Ruby), what Nix builds, requests, httplib2, curl, git, cargo, the AWS SDKs, pip, npm (whose own setting
/// would replace what Node.js adds), gcloud, gRPC.
pub const REPLACING_VARIABLES: [&str; 12] = [
    "SSL_CERT_FILE",
    "NIX_SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "HTTPLIB2_CA_CERTS",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "PIP_CERT",
    "npm_config_cafile",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
];

/// Files of roots that are added to a program's own: Node.js, Deno.
pub const ADDING_VARIABLES: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "DENO_CERT"];

/// `clawsec env`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Use: eval \"$(clawsec env)\"   or, in fish: clawsec env --shell fish | source"
)]
pub struct EnvArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    /// Whose language it is written in
    #[arg(long, value_enum, value_name = "SHELL", default_value = "sh")]
    pub shell: ShellKind,
}

/// Languages of an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ShellKind {
    /// POSIX shells, bash and zsh
    Sh,
    Fish,
    Powershell,
    /// A file for docker run --env-file
    Docker,
    /// One object; null where a variable is to be removed
    Json,
}

/// What is to change in a program's environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// In order, each name once; without a value it is to be removed.
    pub variables: Vec<(&'static str, Option<String>)>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Environment {
    /// For a proxy at this address, with the CA if it decrypts. `inherited` is what is there.
    pub fn new(
        proxy: SocketAddr,
        trust: Option<&TrustFiles>,
        inherited: &dyn Fn(&str) -> Option<String>,
    ) -> Environment {
        let mut environment = Environment::default();
        let credentials = Credentials::inherited(inherited);
        let userinfo = credentials.map(|them| them.userinfo()).unwrap_or_default();
        let url = format!("http://{userinfo}{proxy}");
        for name in PROXY_VARIABLES {
            environment.variables.push((name, Some(url.clone())));
        }
        for name in REMOVED_VARIABLES {
            environment.variables.push((name, None));
        }
        environment.spare(inherited);
        environment.variables.push(("NODE_USE_ENV_PROXY", Some("1".to_owned())));
        if let Some(trust) = trust {
            environment.notes.extend(trust.problems.iter().cloned());
            let files = REPLACING_VARIABLES
                .map(|name| (name, &trust.whole))
                .into_iter()
                .chain(ADDING_VARIABLES.map(|name| (name, &trust.addition)));
            for (name, file) in files {
                environment.variables.push((name, Some(file.display().to_string())));
            }
        }
        environment
    }

    /// Keeps `NO_PROXY` but for what spares everything.
    fn spare(&mut self, inherited: &dyn Fn(&str) -> Option<String>) {
        for name in NO_PROXY_VARIABLES {
            let Some(hosts) = inherited(name) else { continue };
            let kept: Vec<&str> =
                hosts.split([',', ' ']).filter(|host| !host.is_empty() && *host != "*").collect();
            if spares_everything(&hosts) {
                self.notes.push(format!("{name} spared every host (*), so that nothing would be inspected: the * is left out"));
            }
            let value = (!kept.is_empty()).then(|| kept.join(","));
            self.variables.push((name, value));
        }
    }
}

/// Whether a list of hosts has one that stands for all.
pub fn spares_everything(hosts: &str) -> bool {
    hosts.split([',', ' ']).any(|host| host == "*")
}

/// A variable of this process; none if it is no text.
pub fn inherited(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The CA's files, written anew, for a monitor that decrypts; those of environments long gone are removed. What the
/// environment trusts goes on being trusted, by programs that reach some hosts without the proxy.
pub fn trust_files(
    config: &Config,
    mitm: bool,
    inherited: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<TrustFiles>, String> {
    if !mitm {
        return Ok(None);
    }
    let names = REPLACING_VARIABLES.iter().chain(&ADDING_VARIABLES);
    let named = names.filter_map(|name| inherited(name)).filter(|file| !file.is_empty());
    let replaced: Vec<PathBuf> = named.map(PathBuf::from).collect();
    let kept = Kept { upstream: config.tls.upstream_ca_file.as_deref(), replaced: &replaced };
    let (log_dir, now) = (&config.report.log_dir, SystemTime::now());
    let files = write_trust_files(log_dir, now, &kept).map_err(|error| error.to_string())?;
    // What cannot be removed is in nobody's way.
    let _ = remove_leftovers(log_dir, now);
    Ok(Some(files))
}

/// Runs the command.
pub fn run(arguments: &EnvArguments) -> ExitCode {
    let config = match load_common(&arguments.common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    exit_code(print(&config, arguments).map(|()| ExitCode::SUCCESS))
}

fn print(config: &Config, arguments: &EnvArguments) -> Result<(), String> {
    let shell = arguments.shell;
    let log_dir = &config.report.log_dir;
    // Whoever else can write there could name a proxy and a CA of their own.
    log_dir::check_trusted(log_dir).map_err(|error| match error {
        LogDirError::NotOurs { user: 0, .. } => format!(
            "{error}. Agents could not read the CA there: {} has the whole system trust it, and {} \
             prints it for those that have roots of their own",
            arguments.common.command("ca install"),
            arguments.common.command("ca print")
        ),
        _ => error.to_string(),
    })?;
    let (proxy, mitm) = match monitor::look(log_dir)? {
        Monitor::Running(state) => {
            monitor::check_credentials(&state, &inherited).unwrap_or_else(output::warning);
            (monitor::proxy_address(&state)?, state.mitm)
        }
        Monitor::Original { pid } => {
            output::warning(format!("the original monitor in Python runs (PID {pid})"));
            (configured_address(config)?, config.tls.mitm)
        }
        Monitor::Stopped | Monitor::Starting => {
            output::warning("the monitor does not run: start it, or nothing gets through");
            (configured_address(config)?, config.tls.mitm)
        }
    };
    let trust = trust_files(config, mitm, &inherited)?;
    let environment = Environment::new(proxy, trust.as_ref(), &inherited);
    environment.notes.iter().for_each(output::warning);
    if shell == ShellKind::Docker
        && let Some(trust) = &trust
    {
        let path = trust.whole.display();
        let folder = log_dir.display();
        output::note(format!(
            "add to docker run: --network host -v {path}:{path}:ro -v {folder}/ca.crt:{folder}/ca.crt:ro"
        ));
    }
    output::print(&environment_shells::written(&environment, shell))
}

fn configured_address(config: &Config) -> Result<SocketAddr, String> {
    match config.listen.proxy {
        None => Err("enable_http_proxy is false: there is no proxy to go through".to_owned()),
        Some(listener) if listener.port() == 0 => {
            Err("proxy_port is 0: the port is known when the monitor runs".to_owned())
        }
        Some(listener) => Ok(monitor::client_address(listener)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(inherited: &[(&str, &str)]) -> Environment {
        let trust = TrustFiles {
            whole: "/log/ca-bundle.pem".into(),
            addition: "/log/ca.crt".into(),
            ..TrustFiles::default()
        };
        let inherited = |name: &str| {
            let found = inherited.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Environment::new("[::1]:8888".parse().unwrap(), Some(&trust), &inherited)
    }

    fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a Option<String>> {
        environment.variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    #[test]
    fn proxies_are_set_in_both_spellings_and_others_removed() {
        let environment = environment(&[]);
        for name in PROXY_VARIABLES {
            assert_eq!(value(&environment, name), Some(&Some("http://[::1]:8888".to_owned())));
        }
        for name in REMOVED_VARIABLES {
            assert_eq!(value(&environment, name), Some(&None));
        }
        assert_eq!(value(&environment, "NO_PROXY"), None, "it is not there, and stays so");
        assert_eq!(value(&environment, "NODE_USE_ENV_PROXY"), Some(&Some("1".to_owned())));
    }

    /// They went past the proxy: aiohttp looks it up by the scheme, which may be `ws` or `wss`.
    #[test]
    fn websockets_of_aiohttp_have_a_proxy() {
        let environment = environment(&[]);
        for name in ["WS_PROXY", "WSS_PROXY", "ws_proxy", "wss_proxy"] {
            assert_eq!(value(&environment, name), Some(&Some("http://[::1]:8888".to_owned())));
        }
    }

    /// It trusts the roots that it brings, and looks at no other variable.
    #[test]
    fn httplib2_gets_the_bundle() {
        let bundle = Some("/log/ca-bundle.pem".to_owned());
        assert_eq!(value(&environment(&[]), "HTTPLIB2_CA_CERTS"), Some(&bundle));
    }

    /// What was there stayed, and such programs refused what the proxy showed them: Nix's look at theirs first.
    #[test]
    fn roots_that_nix_gcloud_or_grpc_had_make_way_for_the_bundle() {
        let bundle = Some("/log/ca-bundle.pem".to_owned());
        for name in [
            "NIX_SSL_CERT_FILE",
            "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
        ] {
            assert_eq!(value(&environment(&[(name, "/etc/own.pem")]), name), Some(&bundle));
        }
    }

    #[test]
    fn credentials_are_part_of_the_proxys_url() {
        let environment = environment(&[("CLAWSEC_PROXY_CREDENTIALS", "coder:inv@nted")]);
        let url = Some("http://coder:inv%40nted@[::1]:8888".to_owned());
        assert_eq!(value(&environment, "https_proxy"), Some(&url));
    }

    #[test]
    fn what_replaces_gets_the_bundle_and_what_adds_the_certificate() {
        let environment = environment(&[]);
        for name in REPLACING_VARIABLES {
            let bundle = Some("/log/ca-bundle.pem".to_owned());
            assert_eq!(value(&environment, name), Some(&bundle));
        }
        for name in ADDING_VARIABLES {
            assert_eq!(value(&environment, name), Some(&Some("/log/ca.crt".to_owned())));
        }
    }

    #[test]
    fn without_interception_no_roots_are_set() {
        let environment = Environment::new("127.0.0.1:1".parse().unwrap(), None, &|_| None);
        assert_eq!(value(&environment, "SSL_CERT_FILE"), None);
    }

    #[test]
    fn no_proxy_is_kept_but_for_everything() {
        for (was, kept, noted) in [
            ("localhost,10.0.0.1", Some("localhost,10.0.0.1"), false),
            ("localhost, *", Some("localhost"), true),
            ("*", None, true),
            ("*.example.com", Some("*.example.com"), false),
        ] {
            let environment = environment(&[("no_proxy", was)]);
            assert_eq!(value(&environment, "no_proxy"), Some(&kept.map(str::to_owned)), "{was}");
            assert_eq!(!environment.notes.is_empty(), noted, "{was}");
            assert_eq!(value(&environment, "NO_PROXY"), None);
        }
    }
}
