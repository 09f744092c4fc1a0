//! What of a configuration can change while the monitor runs. Compares and joins values; tells nobody.

use super::{Config, ListenConfig, ReportConfig, RuntimeConfig, TlsConfig};

/// Keys that only a restart changes: sockets, threads, folders, the CA, windows of the scanner.
const FIXED: &[&str] = &[
    "proxy_host",
    "proxy_port",
    "gateway_local_port",
    "gateway_target_port",
    "log_dir",
    "max_scan_bytes",
    "enable_mitm",
    "enable_http_proxy",
    "enable_gateway_proxy",
    "workers",
    "max_connections",
    "upstream_ca_file",
    "admin_addr",
    "admin_hosts",
    "dedup_by",
];

/// A configuration that may take the place of the running one.
#[derive(Debug)]
pub struct Renewed {
    pub config: Config,
    /// Keys whose new value counts from now on.
    pub changed: Vec<String>,
    /// Keys whose new value counts after a restart only.
    pub needs_restart: Vec<String>,
}

/// Joins what can change of `new` to what cannot of `running`.
pub fn renew(running: &Config, new: Config) -> Renewed {
    let (before, after) = (running.to_json(), new.to_json());
    let differs = |key: &&String| before.get(*key) != after.get(*key);
    let (needs_restart, changed) =
        after.keys().filter(differs).cloned().partition(|key| FIXED.contains(&key.as_str()));
    let config = Config {
        listen: ListenConfig {
            gateway_allowed_origins: new.listen.gateway_allowed_origins,
            ..running.listen.clone()
        },
        access: new.access,
        runtime: RuntimeConfig {
            shutdown_timeout: new.runtime.shutdown_timeout,
            ..running.runtime.clone()
        },
        tls: TlsConfig {
            mitm: running.tls.mitm,
            upstream_ca_file: running.tls.upstream_ca_file.clone(),
            ..new.tls
        },
        http: new.http,
        chain: new.chain,
        scan: running.scan.clone(),
        rules: new.rules,
        policy: new.policy,
        watch: new.watch,
        report: ReportConfig {
            log_dir: running.report.log_dir.clone(),
            dedup_by: running.report.dedup_by,
            ..new.report
        },
        warnings: Vec::new(),
    };
    Renewed { config, changed, needs_restart }
}

#[cfg(test)]
mod tests {
    use super::super::keys::KEYS;
    use super::super::{Overrides, Sources, load};
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Config {
        let variable = |(key, value): &(&str, &str)| {
            (format!("CLAWSEC_{}", key.to_uppercase()), (*value).into())
        };
        let environment: Vec<(String, String)> = settings.iter().map(variable).collect();
        load(Sources { file: None, environment, flags: Overrides::default() }).unwrap().0
    }

    #[test]
    fn every_fixed_key_is_a_key() {
        for fixed in FIXED {
            assert!(KEYS.iter().any(|key| key.name == *fixed), "{fixed}");
        }
    }

    #[test]
    fn what_can_change_does_and_what_cannot_stays_and_is_named() {
        let running = config(&[("workers", "1"), ("log_level", "INFO")]);
        let new = config(&[
            ("workers", "2"),
            ("log_level", "DEBUG"),
            ("log_dir", "/elsewhere"),
            ("allow_clients", "10.0.0.0/8"),
            ("connect_timeout_secs", "3"),
            ("enable_mitm", "false"),
            ("max_scan_bytes", "4096"),
            ("proxy_port", "1"),
        ]);
        let renewed = renew(&running, new);
        let mut changed = renewed.changed.clone();
        changed.sort();
        assert_eq!(changed, ["allow_clients", "connect_timeout_secs", "log_level"]);
        assert_eq!(
            renewed.needs_restart,
            ["proxy_port", "log_dir", "max_scan_bytes", "enable_mitm", "workers"]
        );
        let after = renewed.config.to_json();
        for key in &renewed.needs_restart {
            assert_eq!(after[key], running.to_json()[key], "{key}");
        }
        assert_eq!(after["log_level"], "DEBUG");
    }

    #[test]
    fn the_same_configuration_changes_nothing() {
        let renewed = renew(&config(&[]), config(&[]));
        assert!(renewed.changed.is_empty() && renewed.needs_restart.is_empty());
    }

    /// A key of each kind is changed, and must show in exactly one list.
    #[test]
    fn every_key_either_changes_or_is_named() {
        let running = config(&[]);
        for key in KEYS.iter().filter(|key| !IGNORED.contains(&key.name)) {
            let Some((_, value)) = CHANGES.iter().find(|(name, _)| *name == key.name) else {
                panic!("{}: no other value to change it to in CHANGES", key.name);
            };
            let renewed = renew(&running, config(&[(key.name, value)]));
            let changed = renewed.config.to_json()[key.name] != running.to_json()[key.name];
            let is_fixed = FIXED.contains(&key.name);
            assert_eq!(changed, !is_fixed, "{}", key.name);
            assert_eq!(renewed.changed.contains(&key.name.to_owned()), !is_fixed, "{}", key.name);
            assert_eq!(
                renewed.needs_restart.contains(&key.name.to_owned()),
                is_fixed,
                "{}",
                key.name
            );
        }
    }

    const IGNORED: &[&str] =
        &["http_proxy_port", "enable_ssh_watcher", "ssh_poll_interval", "proxy_auth"];

    const CHANGES: &[(&str, &str)] = &[
        ("proxy_host", "127.0.0.2"),
        ("proxy_port", "1"),
        ("gateway_local_port", "2"),
        ("gateway_target_port", "3"),
        ("gateway_allowed_origins", "http://a.example"),
        ("log_dir", "/elsewhere"),
        ("log_level", "DEBUG"),
        ("max_scan_bytes", "4096"),
        ("enable_mitm", "false"),
        ("dedup_window_secs", "1"),
        ("enable_http_proxy", "false"),
        ("enable_gateway_proxy", "false"),
        ("workers", "1"),
        ("max_connections", "1"),
        ("shutdown_timeout_secs", "1"),
        ("upstream_ca_file", "/a.pem"),
        ("insecure_hosts", "a"),
        ("passthrough_hosts", "a"),
        ("upstream_proxy", "http://a:1"),
        ("no_proxy", "a"),
        ("connect_timeout_secs", "1"),
        ("tls_handshake_timeout_secs", "1"),
        ("head_timeout_secs", "1"),
        ("response_timeout_secs", "1"),
        ("response_timeout_overrides", "a=1"),
        ("client_idle_timeout_secs", "1"),
        ("body_idle_timeout_secs", "1"),
        ("upstream_idle_timeout_secs", "1"),
        ("tunnel_idle_timeout_secs", "1"),
        ("detect_timeout_ms", "1"),
        ("max_head_bytes", "2048"),
        ("max_headers", "1"),
        ("max_requests_per_connection", "1"),
        ("add_via", "true"),
        ("add_forwarded", "true"),
        ("host_mismatch", "refuse"),
        ("admin_addr", "127.0.0.1:1"),
        ("admin_hosts", "a"),
        ("allow_clients", "::1"),
        ("allow_unauthenticated", "true"),
        ("rule_packs", "credentials"),
        ("rules_files", "/rules.toml"),
        ("disable", "a"),
        ("rule_cache_dir", "/cache"),
        ("dedup_by", "fingerprint"),
        ("expected_credentials", r#"{"replace": true, "entries": []}"#),
        ("suppressions", r#"[{"reason": "invented", "rule": "aws_access_key"}]"#),
        ("watch_env", "A"),
        ("watch_files", "/watched"),
    ];
}
