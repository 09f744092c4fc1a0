//! File, environment and flags ▶ one checked, immutable [`Config`], a sub-struct a stage.
//!
//! Nothing else in the crate reads a configuration file or a `CLAWSEC_` variable; nothing here
//! starts anything.

mod access;
mod build;
mod chain;
mod error;
mod expected_defaults;
mod file;
mod keys;
mod layers;
mod live;
pub mod nearest;
mod network;
mod objects;
mod origins;
mod patterns;
mod precision;
#[cfg(test)]
mod precision_tests;
mod show;
mod shown;
#[cfg(test)]
pub(crate) mod tests;
mod value;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::http::head::HeadLimits;
use crate::scan::rules::DEFAULT_PACKS;

pub use access::{AccessConfig, User};
pub use error::{ConfigError, Origin, Warning};
pub use layers::{CREDENTIALS_VARIABLE, file_variable, process_environment};
pub use live::{Renewed, renew};
pub use network::Network;
pub use origins::OriginPatterns;
pub use patterns::{HostPatterns, glob_matches};
pub use precision::{ExpectedCredential, Expiry, Slot, Suppression, default_credentials};
pub use shown::{is_harmless, is_variable_name};

/// Where settings come from, the weakest first. Defaults are weaker still.
#[derive(Debug)]
pub struct Sources<'a, E> {
    /// `--config`.
    pub file: Option<&'a Path>,
    /// Variables by name and value; those that do not begin with `CLAWSEC_` are not looked at.
    pub environment: E,
    /// The command line.
    pub flags: Overrides,
}

/// What the command line sets, in its order.
#[derive(Clone, Debug, Default)]
pub struct Overrides(Vec<Override>);

/// One flag with its value as typed.
#[derive(Clone, Debug)]
struct Override {
    key: &'static str,
    flag: &'static str,
    text: String,
}

impl Overrides {
    /// Adds a flag's value, if it was given; `flag` is for messages.
    pub fn set(&mut self, key: &'static str, flag: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.0.push(Override { key, flag, text: text.to_string() });
        }
    }
}

/// Reads every source that a monitor was started with once more, and checks all; an error is one sentence.
pub type Reread = Arc<dyn Fn() -> Result<(Config, Vec<Warning>), String> + Send + Sync>;

/// Reads and checks every source. The warnings are for the user to see, in order.
pub fn load<E>(sources: Sources<'_, E>) -> Result<(Config, Vec<Warning>), ConfigError>
where
    E: IntoIterator<Item = (String, String)>,
{
    let mut warnings = Vec::new();
    let settings = layers::merge(sources, &mut warnings)?;
    let config = build::build(&settings, &mut warnings)?;
    Ok((config, warnings))
}

/// A configuration, with where its settings come from.
#[derive(Debug)]
pub struct Explained {
    pub config: Config,
    pub warnings: Vec<Warning>,
    /// By key, of what is set at all.
    pub origins: Vec<(&'static str, Origin)>,
}

/// As [`load`], for people who ask why.
pub fn explain<E>(sources: Sources<'_, E>) -> Result<Explained, ConfigError>
where
    E: IntoIterator<Item = (String, String)>,
{
    let mut warnings = Vec::new();
    let settings = layers::merge(sources, &mut warnings)?;
    let config = build::build(&settings, &mut warnings)?;
    let origins = settings.iter().map(|(key, setting)| (*key, setting.origin.clone())).collect();
    Ok(Explained { config, warnings, origins })
}

/// Everything that can be set, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: ListenConfig,
    pub access: AccessConfig,
    pub runtime: RuntimeConfig,
    pub tls: TlsConfig,
    pub http: HttpConfig,
    pub chain: ChainConfig,
    pub scan: ScanConfig,
    pub rules: RulesConfig,
    pub report: ReportConfig,
    pub policy: PolicyConfig,
    pub watch: WatchConfig,
    /// The file that it was read from. `cli` fills it in for a start.
    pub file: Option<PathBuf>,
    /// What the log is to be told at start, one line each. `cli` fills it in, the supervisor logs
    /// it.
    pub warnings: Vec<String>,
}

/// Where clients come in.
#[derive(Clone, Debug)]
pub struct ListenConfig {
    /// `proxy_host`:`proxy_port`, or none with `enable_http_proxy: false`.
    pub proxy: Option<SocketAddr>,
    /// `proxy_host`:`gateway_local_port`, or none with `enable_gateway_proxy: false`.
    pub gateway: Option<SocketAddr>,
    /// 127.0.0.1:`gateway_target_port`.
    pub gateway_target: SocketAddr,
    /// As they are set, whether or not there is a listener for them.
    pub ports: ListenPorts,
    /// `gateway_allowed_origins`: whose pages may send requests to the gateway.
    pub gateway_allowed_origins: OriginPatterns,
    /// `admin_addr`, or none where it is empty.
    pub admin: Option<AdminConfig>,
}

/// Where operators come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    pub address: SocketAddr,
    /// Nobody asked for this address: when it is taken, the monitor does without.
    pub is_default: bool,
    /// `admin_hosts`: names that requests may call it by, beside addresses and `localhost`.
    pub hosts: HostPatterns,
}

/// `proxy_port` and `gateway_local_port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenPorts {
    pub proxy: u16,
    pub gateway: u16,
}

/// Cores, connections, the end.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// `workers`; none: all cores the process may use.
    pub workers: Option<usize>,
    /// `max_connections`, per worker.
    pub max_connections: usize,
    /// `shutdown_timeout_secs`, the whole way from signal to exit.
    pub shutdown_timeout: Duration,
}

/// Interception and verification.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// `enable_mitm`.
    pub mitm: bool,
    /// `upstream_ca_file`: extra roots, PEM.
    pub upstream_ca_file: Option<PathBuf>,
    /// `insecure_hosts`: origins whose certificate is not verified.
    pub insecure_hosts: HostPatterns,
    /// `passthrough_hosts`: origins that are tunnelled unread.
    pub passthrough_hosts: HostPatterns,
    /// `tls_handshake_timeout_secs`, each leg.
    pub handshake_timeout: Duration,
}

/// Bounds of messages and of waiting.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// `max_head_bytes`.
    pub max_head_bytes: usize,
    /// `max_headers`.
    pub max_headers: usize,
    /// `max_requests_per_connection`; 0: no cap.
    pub max_requests_per_connection: u64,
    /// `connect_timeout_secs`, the lookup included.
    pub connect_timeout: Duration,
    /// `head_timeout_secs`: from a head's first byte to its last.
    pub head_timeout: Duration,
    /// `response_timeout_secs`: from the request's end to the response's head.
    pub response_timeout: Duration,
    /// `response_timeout_overrides`: the same for the hosts that a pattern names; the first one decides.
    pub response_timeout_overrides: Vec<(HostPatterns, Duration)>,
    /// `client_idle_timeout_secs`: between requests.
    pub client_idle_timeout: Duration,
    /// `body_idle_timeout_secs`: between two reads of a body.
    pub body_idle_timeout: Duration,
    /// `upstream_idle_timeout_secs`: in the pool.
    pub upstream_idle_timeout: Duration,
    /// `tunnel_idle_timeout_secs`: no byte either way.
    pub tunnel_idle_timeout: Duration,
    /// `detect_timeout_ms`: how long a silent client of a tunnel may keep an origin that speaks
    /// first waiting.
    pub detect_timeout: Duration,
    /// `add_via`: whether a `Via` header is added to forwarded messages.
    pub add_via: bool,
    /// `add_forwarded`: whether a `Forwarded` header (RFC 7239) tells origins the client's address.
    pub add_forwarded: bool,
    /// `host_mismatch`.
    pub host_mismatch: HostMismatch,
}

/// What is done when CONNECT, the TLS server name and the Host field do not name the same host: the way around
/// a rule that looks at one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMismatch {
    /// It is logged, and forwarded to the host that CONNECT named.
    Log,
    /// It is logged and refused: 421 to a request, the end of a handshake.
    Refuse,
}

impl HttpConfig {
    /// How large a head may be.
    pub fn head_limits(&self) -> HeadLimits {
        HeadLimits { max_bytes: self.max_head_bytes, max_headers: self.max_headers }
    }

    /// How long an origin may take to begin its answer.
    pub fn response_timeout_of(&self, host: &str) -> Duration {
        self.response_timeout_overrides
            .iter()
            .find(|(patterns, _)| patterns.matches(host))
            .map_or(self.response_timeout, |(_, timeout)| *timeout)
    }
}

/// The proxy behind this one, if there is one.
#[derive(Clone, Debug, Default)]
pub struct ChainConfig {
    /// `upstream_proxy`.
    pub proxy: Option<Arc<UpstreamProxy>>,
    /// `no_proxy`: origins that are dialled directly all the same.
    pub no_proxy: HostPatterns,
}

impl ChainConfig {
    /// The proxy to reach a host by.
    pub fn proxy_for(&self, host: &str) -> Option<&Arc<UpstreamProxy>> {
        self.proxy.as_ref().filter(|_| !self.no_proxy.matches(host))
    }
}

/// An HTTP proxy that takes our requests. Its credentials are in no message and no log.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamProxy {
    /// Without brackets.
    pub host: String,
    pub port: u16,
    /// The value of Proxy-Authorization (RFC 7617).
    pub authorization: Option<String>,
}

impl std::fmt::Debug for UpstreamProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UpstreamProxy({}:{})", self.host, self.port)
    }
}

/// The scanner.
#[derive(Clone, Debug)]
pub struct ScanConfig {
    /// `max_scan_bytes`: the largest window handed to the engine at once.
    pub max_window_bytes: usize,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesConfig {
    /// `rule_packs`.
    pub packs: Vec<String>,
    /// `rules_files`.
    pub files: Vec<PathBuf>,
    /// `disable`: ids of rules, with `*` for any characters.
    pub disable: Vec<String>,
    /// `rule_cache_dir`; none: the user's own cache folder.
    pub cache_dir: Option<PathBuf>,
}

impl RulesConfig {
    /// Whether packs, files and ids are those that nobody set: then nothing can be wrong with them.
    pub fn is_usual(&self) -> bool {
        self.files.is_empty() && self.disable.is_empty() && self.packs == DEFAULT_PACKS
    }
}

/// Files.
#[derive(Clone, Debug)]
pub struct ReportConfig {
    pub log_dir: PathBuf,
    pub log_level: log::LevelFilter,
    /// `dedup_window_secs`; zero: off.
    pub dedup_window: Duration,
    /// `dedup_by`.
    pub dedup_by: DedupBy,
}

/// Which findings repeat each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DedupBy {
    /// Those of one pattern, destination and direction.
    Pattern,
    /// Of these, those of the same secret.
    Fingerprint,
}

/// What matches mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyConfig {
    /// `expected_credentials`, with the defaults unless they are replaced.
    pub expected: Vec<ExpectedCredential>,
    /// `suppressions`.
    pub suppressions: Vec<Suppression>,
}

impl PolicyConfig {
    /// The suppressions that do not apply any more, in words for their owner.
    pub fn expired(&self, now: SystemTime) -> impl Iterator<Item = String> {
        self.suppressions.iter().enumerate().filter_map(move |(number, suppression)| {
            let expiry = suppression.expires.as_ref().filter(|expiry| expiry.at <= now)?;
            let (reason, until) = (&suppression.reason, &expiry.text);
            Some(format!("suppressions[{number}] ({reason}) expired {until}: it does not apply"))
        })
    }
}

/// The secrets that must never leave.
#[derive(Clone, Debug, Default)]
pub struct WatchConfig {
    /// `watch_env`: names of environment variables.
    pub variables: Vec<String>,
    /// `watch_files`.
    pub files: Vec<PathBuf>,
}

/// Where operators come in, unless they say otherwise.
pub const DEFAULT_ADMIN_ADDRESS: SocketAddr = SocketAddr::new(DEFAULT_PROXY_HOST, 8889);

/// The address that is only a default: the agent's own machine.
pub const DEFAULT_PROXY_HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
