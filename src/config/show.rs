//! [`Config`] ▶ the JSON object that would set it: every key with its value, defaults included, and
//! no secret.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::precision::{expected_json, suppressions_json};
use super::{
    AccessConfig, Config, DedupBy, HostMismatch, HostPatterns, Network, UpstreamProxy, User,
};

impl Config {
    /// Every key, in the order of the reference. Credentials of `upstream_proxy` are left out.
    pub fn to_json(&self) -> Map<String, Value> {
        let (listen, runtime, tls, report) = (&self.listen, &self.runtime, &self.tls, &self.report);
        let proxy_host = listen.proxy.or(listen.gateway).map(|address| address.ip().to_string());
        let mut object = Map::new();
        for (key, value) in [
            ("proxy_host", json!(proxy_host)),
            ("proxy_port", json!(listen.ports.proxy)),
            ("gateway_local_port", json!(listen.ports.gateway)),
            ("gateway_target_port", json!(listen.gateway_target.port())),
            ("gateway_allowed_origins", json!(listen.gateway_allowed_origins.as_slice())),
            ("log_dir", json!(shown(&report.log_dir))),
            ("log_level", json!(level_name(report.log_level))),
            ("max_scan_bytes", json!(self.scan.max_window_bytes)),
            ("enable_mitm", json!(tls.mitm)),
            ("dedup_window_secs", seconds(report.dedup_window)),
            ("enable_http_proxy", json!(listen.proxy.is_some())),
            ("enable_gateway_proxy", json!(listen.gateway.is_some())),
            ("workers", json!(runtime.workers)),
            ("max_connections", json!(runtime.max_connections)),
            ("shutdown_timeout_secs", seconds(runtime.shutdown_timeout)),
            ("upstream_ca_file", json!(tls.upstream_ca_file.as_deref().map(shown))),
            ("insecure_hosts", hosts(&tls.insecure_hosts)),
            ("passthrough_hosts", hosts(&tls.passthrough_hosts)),
            ("upstream_proxy", json!(self.chain.proxy.as_deref().map(proxy_url))),
            ("no_proxy", hosts(&self.chain.no_proxy)),
            ("admin_addr", json!(listen.admin.as_ref().map(|admin| admin.address.to_string()))),
            ("admin_hosts", json!(listen.admin.as_ref().map_or(&[][..], |admin| &admin.hosts.0))),
            ("proxy_auth", users(&self.access)),
            ("allow_clients", json!(networks(&self.access))),
            ("allow_unauthenticated", json!(self.access.allow_unauthenticated)),
        ] {
            object.insert(key.to_owned(), value);
        }
        self.add_http(&mut object);
        object
    }

    fn add_http(&self, object: &mut Map<String, Value>) {
        let http = &self.http;
        let overrides: Map<String, Value> = http
            .response_timeout_overrides
            .iter()
            .flat_map(|(hosts, timeout)| {
                hosts.0.iter().map(|host| (host.clone(), seconds(*timeout)))
            })
            .collect();
        for (key, value) in [
            ("connect_timeout_secs", seconds(http.connect_timeout)),
            ("tls_handshake_timeout_secs", seconds(self.tls.handshake_timeout)),
            ("head_timeout_secs", seconds(http.head_timeout)),
            ("response_timeout_secs", seconds(http.response_timeout)),
            ("response_timeout_overrides", Value::Object(overrides)),
            ("client_idle_timeout_secs", seconds(http.client_idle_timeout)),
            ("body_idle_timeout_secs", seconds(http.body_idle_timeout)),
            ("upstream_idle_timeout_secs", seconds(http.upstream_idle_timeout)),
            ("tunnel_idle_timeout_secs", seconds(http.tunnel_idle_timeout)),
            ("detect_timeout_ms", json!(milliseconds(http.detect_timeout))),
            ("max_head_bytes", json!(http.max_head_bytes)),
            ("max_headers", json!(http.max_headers)),
            ("max_requests_per_connection", json!(http.max_requests_per_connection)),
            ("add_via", json!(http.add_via)),
            ("add_forwarded", json!(http.add_forwarded)),
            ("host_mismatch", json!(mismatch_name(http.host_mismatch))),
            ("rule_packs", json!(self.rules.packs)),
            ("rules_files", json!(all_shown(&self.rules.files))),
            ("disable", json!(self.rules.disable)),
            ("rule_cache_dir", json!(self.rules.cache_dir.as_deref().map(shown))),
        ] {
            object.insert(key.to_owned(), value);
        }
        for (key, value) in [
            ("dedup_by", json!(dedup_name(self.report.dedup_by))),
            ("expected_credentials", expected_json(&self.policy.expected)),
            ("suppressions", suppressions_json(&self.policy.suppressions)),
            ("watch_env", json!(self.watch.variables)),
            ("watch_files", json!(all_shown(&self.watch.files))),
        ] {
            object.insert(key.to_owned(), value);
        }
    }
}

/// A path as text: one that is no UTF-8 cannot be told in JSON as it is.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn all_shown(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| shown(path)).collect()
}

/// With their hashes, which are made to be kept in a file.
fn users(access: &AccessConfig) -> Value {
    let user = |user: &User| (user.name.to_string(), json!(user.hash.as_str()));
    Value::Object(access.users.iter().map(user).collect())
}

fn networks(access: &AccessConfig) -> Vec<String> {
    access.allow_clients.iter().map(Network::to_string).collect()
}

fn hosts(patterns: &HostPatterns) -> Value {
    json!(patterns.0)
}

/// Whole seconds as a whole number, as people write them.
fn seconds(duration: std::time::Duration) -> Value {
    match duration.subsec_nanos() {
        0 => json!(duration.as_secs()),
        _ => json!(duration.as_secs_f64()),
    }
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn level_name(level: log::LevelFilter) -> &'static str {
    match level {
        log::LevelFilter::Debug | log::LevelFilter::Trace => "DEBUG",
        log::LevelFilter::Info => "INFO",
        log::LevelFilter::Warn => "WARNING",
        log::LevelFilter::Error | log::LevelFilter::Off => "ERROR",
    }
}

fn mismatch_name(mismatch: HostMismatch) -> &'static str {
    match mismatch {
        HostMismatch::Log => "log",
        HostMismatch::Refuse => "refuse",
    }
}

fn dedup_name(dedup_by: DedupBy) -> &'static str {
    match dedup_by {
        DedupBy::Pattern => "pattern",
        DedupBy::Fingerprint => "fingerprint",
    }
}

fn proxy_url(proxy: &UpstreamProxy) -> String {
    match proxy.host.contains(':') {
        true => format!("http://[{}]:{}", proxy.host, proxy.port),
        false => format!("http://{}:{}", proxy.host, proxy.port),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{KEYS, Kind};
    use super::super::{Overrides, Sources, load};
    use super::*;

    const SUPPRESSION: &str = r#"[{"reason": "a test's key", "expires": "2031-01-31", "rule": "ai_*",
        "dest": "*.example:443", "header": "x-key", "source": "10.0.0.0/8", "path": "/v1/*",
        "fingerprint": "0011223344556677"}]"#;

    fn shown(settings: &[(&str, &str)]) -> Map<String, Value> {
        let environment = settings
            .iter()
            .map(|(key, value)| (format!("CLAWSEC_{}", key.to_uppercase()), (*value).to_owned()))
            .collect::<Vec<_>>();
        let sources = Sources { file: None, environment, flags: Overrides::default() };
        load(sources).unwrap().0.to_json()
    }

    #[test]
    fn every_key_is_shown_in_the_order_of_the_reference() {
        let wanted: Vec<&str> = KEYS
            .iter()
            .filter(|key| key.kind != Kind::Ignored && key.name != "http_proxy_port")
            .map(|key| key.name)
            .collect();
        let mut expected = wanted.clone();
        let names: Vec<String> = shown(&[]).keys().cloned().collect();
        expected.sort_by_key(|name| names.iter().position(|shown| shown == name));
        assert_eq!(names, expected);
        assert_eq!(names.len(), wanted.len());
    }

    #[test]
    fn what_is_shown_sets_the_same_again() {
        let settings = [
            ("proxy_port", "1234"),
            ("enable_gateway_proxy", "false"),
            ("gateway_local_port", "77"),
            ("dedup_window_secs", "0.5"),
            ("insecure_hosts", "*.lab.example,other.example"),
            ("response_timeout_overrides", "slow.example=900,*.x.example=1.5"),
            ("upstream_proxy", "http://[::1]:3128"),
            ("log_level", "warn"),
            ("workers", "3"),
            ("host_mismatch", "refuse"),
            ("rule_packs", "seed,c2"),
            ("rules_files", "/etc/clawsec/own.toml"),
            ("disable", "ssh_*,dotenv_file"),
            ("rule_cache_dir", "/var/cache/clawsec"),
            ("dedup_by", "Fingerprint"),
            (
                "expected_credentials",
                r#"[{"host": "*.own.example", "query": "Key", "rules": ["x*"]}]"#,
            ),
            ("suppressions", SUPPRESSION),
            ("watch_env", "OWN_PASSWORD, OTHER_PASSWORD"),
            ("watch_files", "/srv/app/.env"),
        ];
        let object = shown(&settings);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        std::fs::write(&path, Value::Object(object.clone()).to_string()).unwrap();
        let sources =
            Sources { file: Some(&path), environment: Vec::new(), flags: Overrides::default() };
        let (config, warnings) = load(sources).unwrap();
        assert_eq!(warnings, []);
        assert_eq!(config.to_json(), object);
        assert_eq!(object["gateway_local_port"], 77);
        assert_eq!(object["dedup_window_secs"], 0.5);
        assert_eq!(object["response_timeout_secs"], 600);
    }

    #[test]
    fn credentials_are_not_shown() {
        let object = shown(&[("upstream_proxy", "http://me:hidden-word@proxy.example:3128")]);
        assert_eq!(object["upstream_proxy"], "http://proxy.example:3128");
    }
}
