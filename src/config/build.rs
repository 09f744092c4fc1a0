//! Settings ▶ [`Config`]: the defaults, and the checks that concern more than one value's type and
//! range.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use super::chain;
use super::error::{ConfigError, Warning};
use super::layers::{Setting, Settings};
use super::value::Value;
use super::{
    AccessConfig, AdminConfig, Config, DEFAULT_ADMIN_ADDRESS, DEFAULT_PROXY_HOST, DedupBy,
    HostMismatch, HostPatterns, HttpConfig, ListenConfig, ListenPorts, OriginPatterns,
    PolicyConfig, ReportConfig, RulesConfig, RuntimeConfig, ScanConfig, TlsConfig, WatchConfig,
    default_credentials, shown,
};
use crate::scan::rules::DEFAULT_PACKS;

/// Builds the configuration; what is not set has its default.
pub fn build(settings: &Settings, warnings: &mut Vec<Warning>) -> Result<Config, ConfigError> {
    let settings = Reader(settings);
    warn_of_the_ignored(&settings, warnings);
    Ok(Config {
        listen: listen(&settings, warnings)?,
        access: access(&settings),
        runtime: RuntimeConfig {
            workers: settings.optional_count("workers"),
            max_connections: settings.count("max_connections", 10_000),
            shutdown_timeout: settings.seconds("shutdown_timeout_secs", 5.0),
        },
        tls: tls(&settings, warnings),
        http: http(&settings)?,
        chain: chain::build(settings.text("upstream_proxy"), settings.hosts("no_proxy"))?,
        scan: ScanConfig { max_window_bytes: settings.count("max_scan_bytes", 65_536) },
        rules: RulesConfig {
            packs: settings
                .words("rule_packs")
                .unwrap_or_else(|| DEFAULT_PACKS.map(str::to_owned).to_vec()),
            files: settings.paths("rules_files"),
            disable: settings.words("disable").unwrap_or_default(),
            cache_dir: settings.path("rule_cache_dir"),
        },
        report: ReportConfig {
            log_dir: settings.path("log_dir").unwrap_or_else(|| "/tmp/clawsec".into()),
            log_level: log_level(&settings)?,
            dedup_window: settings.seconds("dedup_window_secs", 60.0),
            dedup_by: dedup_by(&settings)?,
        },
        policy: policy(&settings, warnings),
        watch: watch(&settings),
        file: None,
        warnings: Vec::new(),
    })
}

fn listen(settings: &Reader<'_>, warnings: &mut Vec<Warning>) -> Result<ListenConfig, ConfigError> {
    let host = proxy_host(settings)?;
    let proxy_port = settings.port("proxy_port", 8888);
    let gateway_port = settings.port("gateway_local_port", 18_790);
    let target_port = settings.port("gateway_target_port", 18_789);
    let proxy =
        settings.boolean("enable_http_proxy", true).then_some(SocketAddr::new(host, proxy_port));
    let gateway = settings
        .boolean("enable_gateway_proxy", true)
        .then_some(SocketAddr::new(host, gateway_port));
    if proxy.is_none() && gateway.is_none() {
        return Err(conflict(
            "enable_http_proxy and enable_gateway_proxy are both false: nothing is left to run",
        ));
    }
    if proxy.is_some() && proxy == gateway && proxy_port != 0 {
        return Err(conflict(&format!(
            "proxy_port and gateway_local_port are both {proxy_port}: each listener needs its own port"
        )));
    }
    let reaches_itself = |listener: &SocketAddr| {
        let ip = listener.ip();
        listener.port() == target_port
            && (ip == IpAddr::V4(Ipv4Addr::LOCALHOST)
                || ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED)
                || ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED))
    };
    if gateway.is_some() && [proxy, gateway].iter().flatten().any(reaches_itself) {
        return Err(conflict(&format!(
            "gateway_target_port {target_port} is a port that ClawSec itself listens on: \
             the gateway would connect to itself"
        )));
    }
    check_access(&access(settings), host, gateway.is_some(), warnings)?;
    let admin = admin(settings, warnings)?;
    let is_taken = |admin: &AdminConfig| {
        let address = admin.address;
        let same = |other: SocketAddr| {
            other.port() == address.port()
                && (other.ip() == address.ip() || other.ip().is_unspecified())
        };
        address.port() != 0 && [proxy, gateway].into_iter().flatten().any(same)
    };
    if let Some(admin) = admin.as_ref().filter(|admin| !admin.is_default && is_taken(admin)) {
        return Err(conflict(&format!(
            "admin_addr {} is an address of the proxy's or the gateway's listener: it needs its own port",
            admin.address
        )));
    }
    let is_target = |admin: &AdminConfig| gateway.is_some() && admin.address.port() == target_port;
    if admin.as_ref().is_some_and(|admin| !admin.is_default && is_target(admin)) {
        return Err(conflict(&format!(
            "gateway_target_port {target_port} is the port of admin_addr: nobody may reach that \
             through the gateway"
        )));
    }
    // Nobody asked for the default: it makes way.
    let (admin, displaced) = match admin {
        Some(admin) if is_taken(&admin) || is_target(&admin) => (None, Some(admin.address)),
        admin => (admin, None),
    };
    if let Some(address) = displaced {
        warnings.push(Warning(format!(
            "no admin listener: its default address {address} is in use by another setting; admin_addr \
             names another, or none (\"\")"
        )));
    }
    let gateway_target = SocketAddr::new(DEFAULT_PROXY_HOST, target_port);
    let gateway_allowed_origins = settings.origins("gateway_allowed_origins");
    if gateway_allowed_origins.names_all() {
        warnings.push(Warning(
            "gateway_allowed_origins names every origin: any web page can use the gateway".into(),
        ));
    }
    let ports = ListenPorts { proxy: proxy_port, gateway: gateway_port };
    Ok(ListenConfig { proxy, gateway, gateway_target, ports, gateway_allowed_origins, admin })
}

fn access(settings: &Reader<'_>) -> AccessConfig {
    let value = |key| settings.0.get(key).map(|setting| &setting.value);
    AccessConfig {
        users: match value("proxy_auth") {
            Some(Value::Users(users)) => users.clone(),
            _ => Vec::new(),
        },
        allow_clients: match value("allow_clients") {
            Some(Value::Networks(networks)) => networks.clone(),
            _ => Vec::new(),
        },
        allow_unauthenticated: settings.boolean("allow_unauthenticated", false),
    }
}

/// Other machines may use this one only if somebody wants that, and said so. A loopback address is reached by
/// none.
pub(super) fn check_access(
    access: &AccessConfig,
    host: IpAddr,
    has_gateway: bool,
    warnings: &mut Vec<Warning>,
) -> Result<(), ConfigError> {
    if host.is_loopback() {
        return Ok(());
    }
    match (access.allow_unauthenticated, access.users.is_empty()) {
        (false, true) => Err(conflict(&format!(
            "proxy_host {host} is not a loopback address, so that whoever reaches it could use this \
             proxy: set proxy_auth (clawsec hash-secret makes the hashes), or allow_unauthenticated \
             to true if the network keeps others out"
        ))),
        (false, false) if has_gateway => Err(conflict(&format!(
            "proxy_host {host} is not a loopback address, and the gateway listener asks for no \
             credentials: set enable_gateway_proxy to false, or allow_unauthenticated to true"
        ))),
        (true, true) if access.allow_clients.is_empty() => {
            warnings.push(Warning(format!(
                "proxy_host {host} is not a loopback address: whoever reaches it can use this proxy"
            )));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Empty or null switches it off; not set at all, it is the default.
fn admin(
    settings: &Reader<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<AdminConfig>, ConfigError> {
    let hosts = settings.hosts("admin_hosts");
    let Some(setting) = settings.0.get("admin_addr") else {
        let address = DEFAULT_ADMIN_ADDRESS;
        return Ok(Some(AdminConfig { address, is_default: true, hosts }));
    };
    let Value::Text(text) = &setting.value else { return Ok(None) };
    let spelled = match text.get(..10).filter(|start| start.eq_ignore_ascii_case("localhost:")) {
        Some(_) => format!("127.0.0.1:{}", text.get(10..).unwrap_or_default()),
        None => text.clone(),
    };
    let address: SocketAddr = spelled.parse().map_err(|_| {
        let allowed = "address:port, such as \"127.0.0.1:8889\" or \"[::1]:8889\", or empty";
        invalid("admin_addr", text, setting, allowed)
    })?;
    if !address.ip().is_loopback() {
        warnings.push(Warning(format!(
            "admin_addr {address} is not a loopback address: whoever reaches it can read the findings"
        )));
    }
    Ok(Some(AdminConfig { address, is_default: false, hosts }))
}

fn proxy_host(settings: &Reader<'_>) -> Result<IpAddr, ConfigError> {
    let Some((text, setting)) = settings.text("proxy_host") else {
        return Ok(DEFAULT_PROXY_HOST);
    };
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(DEFAULT_PROXY_HOST);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| {
        invalid("proxy_host", text, setting, "an IP address of this machine, or \"localhost\"")
    })
}

fn tls(settings: &Reader<'_>, warnings: &mut Vec<Warning>) -> TlsConfig {
    let insecure_hosts = settings.hosts("insecure_hosts");
    let passthrough_hosts = settings.hosts("passthrough_hosts");
    if passthrough_hosts.names_all() {
        warnings.push(Warning(
            "passthrough_hosts names every host: no HTTPS is decrypted, and nothing in it is seen"
                .into(),
        ));
    }
    if insecure_hosts.names_all() {
        warnings.push(Warning(
            "insecure_hosts names every host: no origin's certificate is verified".into(),
        ));
    }
    TlsConfig {
        mitm: settings.boolean("enable_mitm", true),
        upstream_ca_file: settings.path("upstream_ca_file"),
        insecure_hosts,
        passthrough_hosts,
        handshake_timeout: settings.seconds("tls_handshake_timeout_secs", 10.0),
    }
}

fn http(settings: &Reader<'_>) -> Result<HttpConfig, ConfigError> {
    Ok(HttpConfig {
        max_head_bytes: settings.count("max_head_bytes", 65_536),
        max_headers: settings.count("max_headers", 256),
        max_requests_per_connection: settings.integer("max_requests_per_connection", 0),
        connect_timeout: settings.seconds("connect_timeout_secs", 10.0),
        head_timeout: settings.seconds("head_timeout_secs", 30.0),
        response_timeout: settings.seconds("response_timeout_secs", 600.0),
        response_timeout_overrides: settings.host_seconds("response_timeout_overrides"),
        client_idle_timeout: settings.seconds("client_idle_timeout_secs", 300.0),
        body_idle_timeout: settings.seconds("body_idle_timeout_secs", 600.0),
        upstream_idle_timeout: settings.seconds("upstream_idle_timeout_secs", 60.0),
        tunnel_idle_timeout: settings.seconds("tunnel_idle_timeout_secs", 3600.0),
        detect_timeout: Duration::from_millis(settings.integer("detect_timeout_ms", 250)),
        add_via: settings.boolean("add_via", false),
        add_forwarded: settings.boolean("add_forwarded", false),
        host_mismatch: host_mismatch(settings)?,
    })
}

fn host_mismatch(settings: &Reader<'_>) -> Result<HostMismatch, ConfigError> {
    let Some((text, setting)) = settings.text("host_mismatch") else {
        return Ok(HostMismatch::Log);
    };
    match text.to_ascii_lowercase().as_str() {
        "log" => Ok(HostMismatch::Log),
        "refuse" => Ok(HostMismatch::Refuse),
        _ => Err(invalid("host_mismatch", text, setting, "\"log\" or \"refuse\"")),
    }
}

fn dedup_by(settings: &Reader<'_>) -> Result<DedupBy, ConfigError> {
    let Some((text, setting)) = settings.text("dedup_by") else { return Ok(DedupBy::Pattern) };
    match text.to_ascii_lowercase().as_str() {
        "pattern" => Ok(DedupBy::Pattern),
        "fingerprint" => Ok(DedupBy::Fingerprint),
        _ => Err(invalid("dedup_by", text, setting, "\"pattern\" or \"fingerprint\"")),
    }
}

fn policy(settings: &Reader<'_>, warnings: &mut Vec<Warning>) -> PolicyConfig {
    let value = |key| settings.0.get(key).map(|setting| &setting.value);
    let expected = match value("expected_credentials") {
        Some(Value::ExpectedCredentials(entries)) => entries.clone(),
        _ => default_credentials(),
    };
    let suppressions = match value("suppressions") {
        Some(Value::Suppressions(suppressions)) => suppressions.clone(),
        _ => Vec::new(),
    };
    let all = suppressions.iter().enumerate().filter(|(_, suppression)| suppression.fits_all());
    warnings.extend(all.map(|(number, suppression)| {
        Warning(format!(
            "suppressions[{number}] ({}) names every finding: there will be no alarm",
            suppression.reason
        ))
    }));
    PolicyConfig { expected, suppressions }
}

fn watch(settings: &Reader<'_>) -> WatchConfig {
    let value = |key| settings.0.get(key).map(|setting| &setting.value);
    let variables = match value("watch_env") {
        Some(Value::Variables(names)) => names.clone(),
        _ => Vec::new(),
    };
    let files = match value("watch_files") {
        Some(Value::WatchedFiles(paths)) => paths.clone(),
        _ => Vec::new(),
    };
    WatchConfig { variables, files }
}

fn log_level(settings: &Reader<'_>) -> Result<LevelFilter, ConfigError> {
    let Some((text, setting)) = settings.text("log_level") else { return Ok(LevelFilter::Info) };
    match text.to_ascii_uppercase().as_str() {
        // Python's names for less than DEBUG and more than ERROR have no counterpart here.
        "DEBUG" | "NOTSET" => Ok(LevelFilter::Debug),
        "INFO" => Ok(LevelFilter::Info),
        "WARNING" | "WARN" => Ok(LevelFilter::Warn),
        "ERROR" | "CRITICAL" | "FATAL" => Ok(LevelFilter::Error),
        _ => {
            let allowed = "DEBUG, INFO, WARNING, ERROR or CRITICAL";
            Err(invalid("log_level", text, setting, allowed))
        }
    }
}

/// The original watched SSH sessions too; whoever asks for that must learn that nobody does.
fn warn_of_the_ignored(settings: &Reader<'_>, warnings: &mut Vec<Warning>) {
    if settings.boolean("enable_ssh_watcher", false) {
        warnings.push(Warning(
            "enable_ssh_watcher is ignored: ClawSec inspects proxied traffic and watches no SSH sessions"
                .into(),
        ));
    }
}

fn conflict(message: &str) -> ConfigError {
    ConfigError::Conflict(message.to_string())
}

fn invalid(key: &str, text: &str, setting: &Setting, allowed: &str) -> ConfigError {
    ConfigError::Invalid {
        key: key.to_string(),
        value: shown::quoted(text),
        allowed: allowed.to_string(),
        origin: setting.origin.clone(),
    }
}

/// Settings by type. A value's type is its key's kind, so a mismatch cannot be; it reads as not
/// set.
struct Reader<'a>(&'a Settings);

impl Reader<'_> {
    fn text(&self, key: &str) -> Option<(&str, &Setting)> {
        let setting = self.0.get(key)?;
        match &setting.value {
            Value::Text(text) => Some((text, setting)),
            _ => None,
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        match &self.0.get(key)?.value {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    fn boolean(&self, key: &str, default: bool) -> bool {
        match self.0.get(key).map(|setting| &setting.value) {
            Some(Value::Boolean(boolean)) => *boolean,
            _ => default,
        }
    }

    fn integer(&self, key: &str, default: u64) -> u64 {
        self.optional_integer(key).unwrap_or(default)
    }

    fn optional_integer(&self, key: &str) -> Option<u64> {
        match self.0.get(key).map(|setting| &setting.value) {
            Some(Value::Integer(number)) => Some(*number),
            _ => None,
        }
    }

    fn count(&self, key: &str, default: usize) -> usize {
        self.optional_count(key).unwrap_or(default)
    }

    fn optional_count(&self, key: &str) -> Option<usize> {
        self.optional_integer(key).and_then(|number| usize::try_from(number).ok())
    }

    fn port(&self, key: &str, default: u16) -> u16 {
        self.optional_integer(key).and_then(|number| u16::try_from(number).ok()).unwrap_or(default)
    }

    fn seconds(&self, key: &str, default: f64) -> Duration {
        match self.0.get(key).map(|setting| &setting.value) {
            Some(Value::Seconds(seconds)) => Duration::from_secs_f64(*seconds),
            _ => Duration::from_secs_f64(default),
        }
    }

    fn host_seconds(&self, key: &str) -> Vec<(HostPatterns, Duration)> {
        let Some(Value::HostSeconds(pairs)) = self.0.get(key).map(|setting| &setting.value) else {
            return Vec::new();
        };
        let duration = |secs: &f64| Duration::from_secs_f64(*secs);
        pairs.iter().map(|(hosts, secs)| (hosts.clone(), duration(secs))).collect()
    }

    fn hosts(&self, key: &str) -> HostPatterns {
        match self.0.get(key).map(|setting| &setting.value) {
            Some(Value::Hosts(hosts)) => hosts.clone(),
            _ => HostPatterns::default(),
        }
    }

    fn words(&self, key: &str) -> Option<Vec<String>> {
        match &self.0.get(key)?.value {
            Value::Words(words) => Some(words.clone()),
            _ => None,
        }
    }

    fn paths(&self, key: &str) -> Vec<PathBuf> {
        match self.0.get(key).map(|setting| &setting.value) {
            Some(Value::Paths(paths)) => paths.clone(),
            _ => Vec::new(),
        }
    }

    /// What is set replaces the default: whoever lists origins lists all of them.
    fn origins(&self, key: &str) -> OriginPatterns {
        match self.0.get(key).map(|setting| &setting.value) {
            Some(Value::Origins(origins)) => origins.clone(),
            _ => OriginPatterns::default(),
        }
    }
}
