//! What of a configuration can change while the monitor runs. Compares and joins values; tells nobody.

use super::build::check_access;
use super::{Config, ConfigError, ListenConfig, ReportConfig, RuntimeConfig, TlsConfig, Warning};

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
    /// What is worth a word of the two together.
    pub warnings: Vec<Warning>,
}

/// Joins what can change of `new` to what cannot of `running`. Each may be allowed and both together not: the
/// listeners go on where they are, so that who may use them is judged by that.
pub fn renew(running: &Config, new: Config) -> Result<Renewed, ConfigError> {
    let mut warnings = Vec::new();
    let listeners = &running.listen;
    if let Some(listener) = listeners.proxy.or(listeners.gateway) {
        let has_gateway = listeners.gateway.is_some();
        check_access(&new.access, listener.ip(), has_gateway, &mut warnings).map_err(|error| {
            ConfigError::Conflict(format!("{error} (only a restart changes where it listens)"))
        })?;
    }
    let (before, after) = (running.to_json(), new.to_json());
    let differs = |key: &&String| {
        // Its credentials are not shown.
        let is_other_proxy = *key == "upstream_proxy" && running.chain.proxy != new.chain.proxy;
        is_other_proxy || before.get(*key) != after.get(*key)
    };
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
        file: running.file.clone(),
        warnings: Vec::new(),
    };
    Ok(Renewed { config, changed, needs_restart, warnings })
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
        let renewed = renew(&running, new).unwrap();
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
        let renewed = renew(&config(&[]), config(&[])).unwrap();
        assert!(renewed.changed.is_empty() && renewed.needs_restart.is_empty());
    }

    /// The listener stays on every address although the new file says otherwise, and with it the new access.
    #[test]
    fn a_listener_that_others_reach_is_not_opened_by_a_file_that_would_listen_elsewhere() {
        let hash = crate::secret_hash::SecretHash::of(b"invented").unwrap();
        let users = format!("coder:{}", hash.as_str());
        let secured = [
            ("proxy_host", "0.0.0.0"),
            ("enable_gateway_proxy", "false"),
            ("proxy_auth", users.as_str()),
        ];
        let running = config(&secured);
        let error = renew(&running, config(&[("proxy_host", "127.0.0.1")])).unwrap_err();
        assert!(error.to_string().contains("proxy_host 0.0.0.0"), "{error}");
        assert!(error.to_string().contains("only a restart"), "{error}");
        renew(&running, config(&secured)).unwrap();
        let open = [("proxy_host", "127.0.0.1"), ("allow_unauthenticated", "true")];
        let renewed = renew(&running, config(&open)).unwrap();
        assert!(renewed.warnings[0].to_string().contains("whoever reaches it"));
        renew(&config(&[]), config(&[])).unwrap();
    }

    #[test]
    fn another_password_of_the_proxy_behind_is_a_change() {
        let of = |url| config(&[("upstream_proxy", url)]);
        let before = of("http://user:invented-1@proxy.example:3128");
        let renewed = renew(&before, of("http://user:invented-2@proxy.example:3128")).unwrap();
        assert_eq!(renewed.changed, ["upstream_proxy"]);
        assert_eq!(renewed.config.to_json()["upstream_proxy"], "http://proxy.example:3128");
    }

    /// A key of each kind is changed, and must show in exactly one list.
    #[test]
    fn every_key_either_changes_or_is_named() {
        let running = config(&[]);
        for key in KEYS.iter().filter(|key| !IGNORED.contains(&key.name)) {
            let Some((_, value)) = CHANGES.iter().find(|(name, _)| *name == key.name) else {
                panic!("{}: no other value to change it to in CHANGES", key.name);
            };
            let renewed = renew(&running, config(&[(key.name, value)])).unwrap();
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
