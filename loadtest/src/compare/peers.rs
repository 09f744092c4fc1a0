//! The proxies: how each is found, configured and started. All listen on loopback, write no access log, and
//! use one core; the reverse proxies decrypt and encrypt again, but inspect nothing.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Placement, Process, find, free_port};
use crate::Outcome;
use crate::certificates::Files;

/// A proxy that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    ClawSec,
    Nginx,
    HaProxy,
    Hudsucker,
    Squid,
    MitmProxy,
}

/// Where the origin listens.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    pub http: u16,
    pub tls: u16,
    pub tls_without_resumption: u16,
}

/// What a proxy is started with.
pub struct Setting<'a> {
    /// A folder of its own.
    pub folder: &'a Path,
    pub origin: Origin,
    pub files: &'a Files,
    pub clawsec: &'a Path,
    pub placement: Placement,
    /// ClawSec's worker threads.
    pub workers: usize,
    /// ClawSec's window in which repeated findings become one.
    pub dedup_window_secs: u64,
}

/// A proxy that runs.
pub struct Peer {
    pub process: Process,
    /// Where plain HTTP goes.
    pub http: u16,
    /// Where HTTPS goes: the same for a forward proxy.
    pub https: u16,
    /// Who signs what its clients see.
    pub ca_file: PathBuf,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::ClawSec, Kind::Nginx, Kind::HaProxy, Kind::Hudsucker, Kind::Squid, Kind::MitmProxy];

    pub fn name(self) -> &'static str {
        match self {
            Kind::ClawSec => "clawsec",
            Kind::Nginx => "nginx",
            Kind::HaProxy => "haproxy",
            Kind::Hudsucker => "hudsucker",
            Kind::Squid => "squid",
            Kind::MitmProxy => "mitmproxy",
        }
    }

    /// Whether clients name the origin, and see leaves made for it.
    pub fn is_forward(self) -> bool {
        !matches!(self, Kind::Nginx | Kind::HaProxy)
    }

    /// The program, or why it cannot run; ClawSec's is named by the caller.
    pub fn program(self, clawsec: &Path) -> Result<PathBuf, String> {
        let found = |name: &str| find(name).ok_or_else(|| format!("no {name} in PATH"));
        match self {
            Kind::ClawSec if clawsec.is_file() => Ok(clawsec.to_owned()),
            Kind::ClawSec => {
                Err(format!("no file {}: build it or say --clawsec", clawsec.display()))
            }
            Kind::Nginx => found("nginx"),
            Kind::HaProxy => found("haproxy"),
            Kind::Hudsucker => found("hudsucker-peer")
                .map_err(|error| format!("{error}: make hudsucker-peer builds it")),
            Kind::Squid if Path::new(SQUID_CERTIFICATES).is_file() => found("squid"),
            Kind::Squid => Err(format!("no {SQUID_CERTIFICATES} (Debian: squid-openssl)")),
            Kind::MitmProxy => found("mitmdump"),
        }
    }

    /// What makes it tell its version.
    pub fn version_flag(self) -> Option<&'static str> {
        match self {
            Kind::ClawSec | Kind::MitmProxy => Some("--version"),
            Kind::Nginx | Kind::HaProxy | Kind::Squid => Some("-v"),
            Kind::Hudsucker => None,
        }
    }

    /// Configures and starts it.
    pub fn start(self, setting: &Setting<'_>) -> Outcome<Peer> {
        fs::create_dir_all(setting.folder)?;
        let program = self.program(setting.clawsec)?;
        let started = match self {
            Kind::ClawSec => clawsec(&program, setting),
            Kind::Nginx => reverse(&program, setting, nginx_arguments),
            Kind::HaProxy => reverse(&program, setting, haproxy_arguments),
            Kind::Hudsucker => hudsucker(&program, setting),
            Kind::Squid => squid(&program, setting),
            Kind::MitmProxy => mitmproxy(&program, setting),
        };
        started.map_err(|error| {
            let output = fs::read_to_string(setting.path("output.log")).unwrap_or_default();
            let last = output.lines().rev().take(3).collect::<Vec<_>>().join(" / ");
            format!("{}: {error}: {last}", self.name()).into()
        })
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Setting<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    fn run(&self, program: &Path, args: &[String]) -> Outcome<Process> {
        Process::start(program, args, self.placement, &self.path("output.log"))
    }
}

fn clawsec(program: &Path, setting: &Setting<'_>) -> Outcome<Peer> {
    let log_dir = setting.path("log");
    let config = json!({
        "proxy_port": 0,
        "gateway_local_port": 0,
        "log_dir": log_dir,
        "workers": setting.workers,
        "dedup_window_secs": setting.dedup_window_secs,
        "upstream_ca_file": setting.files.authority,
    });
    fs::write(setting.path("config.json"), config.to_string())?;
    let args = words(&["start", "--config", &setting.text("config.json")]);
    let mut process = setting.run(program, &args)?;
    let state = log_dir.join("monitor.json");
    let port = process.wait(|| listening_port(&state))?;
    process.listens(local(port))?;
    Ok(Peer { process, http: port, https: port, ca_file: log_dir.join("ca.crt") })
}

fn listening_port(state: &Path) -> Option<u16> {
    let state: Value = serde_json::from_slice(&fs::read(state).ok()?).ok()?;
    state.pointer("/listeners/proxy")?.as_str()?.rsplit_once(':')?.1.parse().ok()
}

fn reverse(
    program: &Path,
    setting: &Setting<'_>,
    configure: fn(&Setting<'_>, u16, u16) -> Outcome<Vec<String>>,
) -> Outcome<Peer> {
    let (http, https) = (free_port()?, free_port()?);
    let args = configure(setting, http, https)?;
    let mut process = setting.run(program, &args)?;
    process.listens(local(http))?;
    process.listens(local(https))?;
    Ok(Peer { process, http, https, ca_file: setting.files.authority.clone() })
}

fn nginx_arguments(setting: &Setting<'_>, http: u16, https: u16) -> Outcome<Vec<String>> {
    let folder = setting.folder.display();
    let (leaf, key) = (setting.files.leaf.display(), setting.files.key.display());
    let Origin { http: origin_http, tls: origin_tls, .. } = setting.origin;
    let upgrade = "proxy_set_header Host $http_host; proxy_set_header Connection upgrade; \
                   proxy_set_header Upgrade $http_upgrade;";
    let config = format!(
        "daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 65536;
pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 32768; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_body_buffer_size 256k;
  proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k;
  proxy_max_temp_file_size 0; proxy_read_timeout 600s;
  upstream clear {{ server 127.0.0.1:{origin_http}; keepalive 1024;
    keepalive_requests 100000000; keepalive_timeout 600s; }}
  upstream tls {{ server 127.0.0.1:{origin_tls}; keepalive 1024;
    keepalive_requests 100000000; keepalive_timeout 600s; }}
  proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $http_host;
  server {{
    listen 127.0.0.1:{http} backlog=4096;
    location / {{ proxy_pass http://clear; }}
    location /ws {{ proxy_pass http://clear; {upgrade} }}
  }}
  server {{
    listen 127.0.0.1:{https} ssl backlog=4096;
    ssl_certificate {leaf}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on;
    location / {{ proxy_pass https://tls; }}
    location /ws {{ proxy_pass https://tls; {upgrade} }}
  }}
}}
"
    );
    fs::write(setting.path("nginx.conf"), config)?;
    Ok(words(&["-p", &setting.text(""), "-c", &setting.text("nginx.conf")]))
}

fn haproxy_arguments(setting: &Setting<'_>, http: u16, https: u16) -> Outcome<Vec<String>> {
    let combined = setting.files.combined.display();
    let Origin { http: origin_http, tls: origin_tls, .. } = setting.origin;
    let config = format!(
        "global
  maxconn 9500
  nbthread 1
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  http-reuse always
frontend clear
  bind 127.0.0.1:{http} backlog 4096
  default_backend clear_origin
backend clear_origin
  server origin 127.0.0.1:{origin_http} pool-max-conn 1024
frontend tls
  bind 127.0.0.1:{https} ssl crt {combined} alpn http/1.1 backlog 4096
  default_backend tls_origin
backend tls_origin
  server origin 127.0.0.1:{origin_tls} ssl verify none pool-max-conn 1024
"
    );
    fs::write(setting.path("haproxy.cfg"), config)?;
    Ok(words(&["-db", "-q", "-f", &setting.text("haproxy.cfg")]))
}

/// A small program around the crate, `loadtest/hudsucker-peer`; it uses this run's authority.
fn hudsucker(program: &Path, setting: &Setting<'_>) -> Outcome<Peer> {
    let port = free_port()?;
    let authority = setting.files.authority.to_string_lossy();
    let combined = setting.files.authority_combined.to_string_lossy();
    let args = words(&[&port.to_string(), &combined, &authority]);
    let mut process = setting.run(program, &args)?;
    process.listens(local(port))?;
    Ok(Peer { process, http: port, https: port, ca_file: setting.files.authority.clone() })
}

/// How long what prepares a proxy may take.
const SET_UP_MAX: Duration = Duration::from_secs(30);
/// Debian's helper that makes Squid's leaves.
const SQUID_CERTIFICATES: &str = "/usr/lib/squid/security_file_certgen";

fn squid(program: &Path, setting: &Setting<'_>) -> Outcome<Peer> {
    let port = free_port()?;
    let store = setting.text("leaves");
    let make_store = words(&["-c", "-s", &store, "-M", "16MB"]);
    if !Path::new(&store).exists() {
        let program = Path::new(SQUID_CERTIFICATES);
        Process::output(program, &make_store, setting.placement, SET_UP_MAX)?;
    }
    let folder = setting.folder.display();
    // Copies of its own, which it can read when it is root no more.
    let (combined, authority) = (setting.path("ca-and-key.pem"), setting.path("ca.pem"));
    fs::copy(&setting.files.authority_combined, &combined)?;
    fs::copy(&setting.files.authority, &authority)?;
    let (combined, authority) = (combined.display(), authority.display());
    let config = format!(
        "http_port 127.0.0.1:{port} ssl-bump generate-host-certificates=on \
dynamic_cert_mem_cache_size=16MB tls-cert={combined}
sslcrtd_program {SQUID_CERTIFICATES} -s {store} -M 16MB
sslcrtd_children 4 startup=4 idle=4
tls_outgoing_options cafile={authority}
ssl_bump bump all
http_access allow all
http_upgrade_request_protocols websocket allow all
cache deny all
cache_effective_user proxy
access_log none
cache_log {folder}/cache.log
pid_filename {folder}/squid.pid
coredump_dir {folder}
max_filedescriptors 16384
pconn_timeout 10 minutes
client_idle_pconn_timeout 10 minutes
shutdown_lifetime 0 seconds
"
    );
    fs::write(setting.path("squid.conf"), config)?;
    if rustix::process::geteuid().is_root() {
        // Squid will not stay root, and its helper has to write what root made.
        let args = words(&["-R", "proxy:", &setting.text("")]);
        Process::output(Path::new("chown"), &args, setting.placement, SET_UP_MAX)?;
    }
    // The name is part of its shared memory's, which a killed instance leaves behind.
    let name = format!("loadtest{port}");
    let mut process = setting
        .run(program, &words(&["-N", "-d1", "-n", &name, "-f", &setting.text("squid.conf")]))?;
    process.listens(local(port))?;
    Ok(Peer { process, http: port, https: port, ca_file: setting.files.authority.clone() })
}

fn mitmproxy(program: &Path, setting: &Setting<'_>) -> Outcome<Peer> {
    let port = free_port()?;
    let folder = setting.text("");
    let roots = setting.files.authority.to_string_lossy();
    let (port_text, confdir) = (port.to_string(), format!("confdir={folder}"));
    let roots = format!("ssl_verify_upstream_trusted_ca={roots}");
    let args = words(&[
        "--quiet",
        "--listen-host",
        "127.0.0.1",
        "--listen-port",
        &port_text,
        "--set",
        &confdir,
        "--set",
        &roots,
        "--set",
        "flow_detail=0",
    ]);
    let mut process = setting.run(program, &args)?;
    process.listens(local(port))?;
    Ok(Peer { process, http: port, https: port, ca_file: setting.path("mitmproxy-ca-cert.pem") })
}
