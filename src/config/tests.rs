//! The configuration as a whole: defaults, precedence, and every error and warning by its words.

use super::*;
use log::LevelFilter;
use serde_json::json;
use std::io::Write;

/// Loads from a file's text (none: no file), variables and flags.
fn load_from(
    file: Option<&str>,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &'static str, &str)],
) -> Result<(Config, Vec<String>), String> {
    let mut written = tempfile::Builder::new().suffix("config.json").tempfile().unwrap();
    written.write_all(file.unwrap_or_default().as_bytes()).unwrap();
    let mut overrides = Overrides::default();
    for (key, flag, text) in flags {
        overrides.set(key, flag, Some(text));
    }
    load(Sources {
        file: file.map(|_| written.path()),
        environment: environment.iter().map(|(name, text)| (name.to_string(), text.to_string())),
        flags: overrides,
    })
    .map(|(config, warnings)| (config, warnings.into_iter().map(|warning| warning.0).collect()))
    .map_err(|error| error.to_string())
}

fn file(text: &str) -> Result<(Config, Vec<String>), String> {
    load_from(Some(text), &[], &[])
}

pub(crate) fn config(text: &str) -> Config {
    let (config, warnings) = file(text).unwrap();
    assert_eq!(warnings, [""; 0], "{text}");
    config
}

fn assert_error(result: Result<(Config, Vec<String>), String>, parts: &[&str]) {
    let message = result.expect_err("an error");
    for part in parts {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

fn assert_warning(result: Result<(Config, Vec<String>), String>, parts: &[&str]) -> Config {
    let (config, warnings) = result.unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in parts {
        assert!(warnings[0].contains(part), "{:?} lacks {part:?}", warnings[0]);
    }
    config
}

#[test]
fn without_any_source_the_defaults_are_the_originals() {
    let (config, warnings) = load_from(None, &[], &[]).unwrap();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.listen.proxy, Some("127.0.0.1:8888".parse().unwrap()));
    assert_eq!(config.listen.gateway, Some("127.0.0.1:18790".parse().unwrap()));
    assert_eq!(config.listen.gateway_target, "127.0.0.1:18789".parse().unwrap());
    assert_eq!(config.listen.gateway_allowed_origins, OriginPatterns::default());
    assert_eq!(config.report.log_dir, Path::new("/tmp/clawsec"));
    assert_eq!(config.report.log_level, LevelFilter::Info);
    assert_eq!(config.report.dedup_window, Duration::from_secs(60));
    assert_eq!(config.scan.max_window_bytes, 65_536);
    assert!(config.tls.mitm);
    assert!(config.tls.insecure_hosts.is_empty() && config.tls.passthrough_hosts.is_empty());
    assert_eq!(config.tls.upstream_ca_file, None);
    assert_eq!(config.runtime.workers, None);
    assert_eq!(config.runtime.max_connections, 10_000);
    assert_eq!(config.runtime.shutdown_timeout, Duration::from_secs(5));
    assert_eq!(config.http.response_timeout, Duration::from_secs(600));
    assert_eq!(config.http.detect_timeout, Duration::from_millis(250));
    assert_eq!(config.http.max_requests_per_connection, 0);
    assert!(!config.http.add_via);
    assert!(!config.http.add_forwarded);
    assert_eq!(config.http.host_mismatch, HostMismatch::Log);
    assert!(config.http.response_timeout_overrides.is_empty());
    assert_eq!(config.chain.proxy, None);
    assert_eq!(format!("{:?}", file("{}").unwrap().0), format!("{config:?}"));
}

#[test]
fn the_originals_own_config_file_loads() {
    let config = config(
        r#"{"proxy_host": "127.0.0.1", "proxy_port": 9999, "gateway_local_port": 19000,
            "gateway_target_port": 19001, "log_dir": "/tmp/other", "log_level": "DEBUG",
            "max_scan_bytes": 1024, "enable_mitm": false, "dedup_window_secs": 0}"#,
    );
    assert_eq!(config.listen.proxy, Some("127.0.0.1:9999".parse().unwrap()));
    assert_eq!(config.listen.gateway, Some("127.0.0.1:19000".parse().unwrap()));
    assert_eq!(config.listen.gateway_target, "127.0.0.1:19001".parse().unwrap());
    assert_eq!(config.report.log_dir, Path::new("/tmp/other"));
    assert_eq!(config.report.log_level, LevelFilter::Debug);
    assert_eq!(config.report.dedup_window, Duration::ZERO);
    assert_eq!(config.scan.max_window_bytes, 1024);
    assert!(!config.tls.mitm);
}

#[test]
fn every_key_reaches_its_field() {
    let config = config(
        r#"{"workers": 3, "max_connections": 7, "shutdown_timeout_secs": 1.5,
            "upstream_ca_file": "/etc/extra.pem", "insecure_hosts": ["*.Lab.example"],
            "gateway_allowed_origins": ["https://app.example"],
            "passthrough_hosts": ["pinned.example"], "connect_timeout_secs": 1,
            "tls_handshake_timeout_secs": 2, "head_timeout_secs": 3, "response_timeout_secs": 4,
            "client_idle_timeout_secs": 5, "body_idle_timeout_secs": 6,
            "upstream_idle_timeout_secs": 7, "tunnel_idle_timeout_secs": 8,
            "detect_timeout_ms": 9, "max_head_bytes": 2048, "max_headers": 10,
            "max_requests_per_connection": 11, "add_via": true, "add_forwarded": true, "host_mismatch": "Refuse",
            "response_timeout_overrides": {"slow.example": 1200},
            "upstream_proxy": "http://proxy.example:3128", "no_proxy": ["*.internal"], "dedup_window_secs": 0.25,
            "enable_ssh_watcher": false, "ssh_poll_interval": 5, "proxy_host": "::1"}"#,
    );
    assert_eq!(config.runtime.workers, Some(3));
    assert_eq!(config.runtime.max_connections, 7);
    assert_eq!(config.runtime.shutdown_timeout, Duration::from_millis(1500));
    assert_eq!(config.tls.upstream_ca_file.as_deref(), Some(Path::new("/etc/extra.pem")));
    assert!(config.tls.insecure_hosts.matches("a.lab.example"));
    assert!(config.tls.passthrough_hosts.matches("pinned.example"));
    assert!(config.listen.gateway_allowed_origins.matches(b"https://app.example"));
    assert!(!config.listen.gateway_allowed_origins.matches(b"http://localhost"));
    let http = &config.http;
    let seconds = [
        http.connect_timeout,
        config.tls.handshake_timeout,
        http.head_timeout,
        http.response_timeout,
        http.client_idle_timeout,
        http.body_idle_timeout,
        http.upstream_idle_timeout,
        http.tunnel_idle_timeout,
    ];
    assert_eq!(seconds, [1, 2, 3, 4, 5, 6, 7, 8].map(Duration::from_secs));
    assert_eq!(http.detect_timeout, Duration::from_millis(9));
    assert_eq!((http.max_head_bytes, http.max_headers), (2048, 10));
    assert_eq!(http.max_requests_per_connection, 11);
    assert!(http.add_via && http.add_forwarded);
    assert_eq!(http.host_mismatch, HostMismatch::Refuse);
    assert_eq!(http.response_timeout_of("slow.example"), Duration::from_secs(1200));
    assert_ne!(http.response_timeout_of("other.example"), Duration::from_secs(1200));
    let chain = &config.chain;
    assert_eq!(chain.proxy_for("a.example").map(|proxy| proxy.port), Some(3128));
    assert_eq!(chain.proxy_for("a.internal"), None);
    assert_eq!(config.report.dedup_window, Duration::from_millis(250));
    assert_eq!(config.listen.proxy, Some("[::1]:8888".parse().unwrap()));
}

#[test]
fn flags_beat_the_environment_beats_the_file() {
    let text = r#"{"proxy_port": 1001, "log_level": "ERROR", "max_scan_bytes": 2048}"#;
    let environment = [("CLAWSEC_PROXY_PORT", "1002"), ("CLAWSEC_LOG_LEVEL", "warning")];
    let flags = [("proxy_port", "--proxy-port", "1003")];
    let port = |config: Config| config.listen.proxy.unwrap().port();

    assert_eq!(port(config(text)), 1001);
    let (from_environment, warnings) = load_from(Some(text), &environment, &[]).unwrap();
    assert_eq!(from_environment.report.log_level, LevelFilter::Warn);
    assert_eq!(from_environment.scan.max_window_bytes, 2048);
    assert_eq!(port(from_environment), 1002);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(port(load_from(Some(text), &environment, &flags).unwrap().0), 1003);
    assert_eq!(port(load_from(None, &environment, &[]).unwrap().0), 1002);
    assert_eq!(port(load_from(None, &[], &flags).unwrap().0), 1003);
}

#[test]
fn the_environment_sets_lists_booleans_and_paths() {
    let environment = [
        ("CLAWSEC_INSECURE_HOSTS", "a.example, *.b.example"),
        ("CLAWSEC_ENABLE_MITM", "0"),
        ("CLAWSEC_LOG_DIR", "relative/logs"),
        ("CLAWSEC_UPSTREAM_CA_FILE", ""),
        ("PATH", "/bin"),
    ];
    let (config, warnings) =
        load_from(Some(r#"{"upstream_ca_file": "/x.pem"}"#), &environment, &[]).unwrap();
    assert_eq!(warnings, [""; 0]);
    assert!(config.tls.insecure_hosts.matches("x.b.example"));
    assert!(!config.tls.mitm);
    assert_eq!(config.report.log_dir, std::env::current_dir().unwrap().join("relative/logs"));
    assert_eq!(config.tls.upstream_ca_file, None);
}

#[test]
fn an_error_names_key_value_what_is_allowed_and_the_source() {
    assert_error(
        file(r#"{"proxy_port": 65536}"#),
        &["proxy_port: 65536 is not allowed", "config.json", "a whole number from 0 to 65535"],
    );
    assert_error(file(r#"{"proxy_port": "8888"}"#), &["proxy_port: \"8888\" is not allowed"]);
    assert_error(
        load_from(None, &[("CLAWSEC_GATEWAY_TARGET_PORT", "0")], &[]),
        &[
            "gateway_target_port: \"0\"",
            "environment variable CLAWSEC_GATEWAY_TARGET_PORT",
            "from 1",
        ],
    );
    assert_error(
        load_from(None, &[], &[("proxy_port", "--port", "http")]),
        &["proxy_port: \"http\"", "(from --port)"],
    );
    assert_error(file(r#"{"enable_mitm": "yes"}"#), &["enable_mitm: \"yes\"", "true or false"]);
    assert_error(file(r#"{"workers": 0}"#), &["workers: 0", "from 1 to 1024"]);
    assert_error(file(r#"{"log_dir": ""}"#), &["log_dir: \"\"", "a path"]);
    assert_error(file(r#"{"log_dir": "~/logs"}"#), &["log_dir: \"~/logs\"", "not expanded"]);
    assert_error(file(r#"{"log_level": "LOUD"}"#), &["log_level: \"LOUD\"", "DEBUG, INFO"]);
    assert_error(
        file(r#"{"gateway_allowed_origins": ["https://a.example/"]}"#),
        &[
            "gateway_allowed_origins[0]: \"https://a.example/\" is",
            "must be an origin",
            "without a path",
        ],
    );
    assert_error(
        file(r#"{"insecure_hosts": ["b.example", "a.example:443"]}"#),
        &["insecure_hosts[1]: \"a.example:443\" is", "a host name", "without scheme, port or path"],
    );
    assert_error(
        file(r#"{"allow_clients": ["10.0.0.0/8", "10.0.0.0/33"]}"#),
        &["allow_clients[1]: \"10.0.0.0/33\"", "must be a network"],
    );
    assert_error(
        file(r#"{"response_timeout_overrides": {"a.example": 3, "b.example": 0}}"#),
        &["response_timeout_overrides.b.example: 0", "seconds"],
    );
    assert_error(file("[1]"), &["config.json", "one JSON object"]);
}

#[test]
fn what_leaves_nothing_to_be_seen_is_warned_of() {
    for (text, word) in [
        (r#"{"passthrough_hosts": ["*"]}"#, "passthrough_hosts names every host"),
        (
            r#"{"suppressions": [{"reason": "a", "rule": "x"}, {"reason": "b", "rule": "*"}]}"#,
            "suppressions[1] (b) names every finding",
        ),
        (r#"{"suppressions": [{"reason": "b", "rule": "*", "dest": "*"}]}"#, "suppressions[0] (b)"),
    ] {
        assert_warning(file(text), &[word]);
    }
    let narrow = r#"{"suppressions": [{"reason": "b", "rule": "*", "source": "10.0.0.0/8"},
                                      {"reason": "c", "dest": "*.example"}]}"#;
    assert_eq!(file(narrow).unwrap().1, [""; 0]);
}

#[test]
fn the_shims_own_variable_is_no_unknown_setting() {
    let (_, warnings) = load_from(None, &[("CLAWSEC_BIN", "/opt/clawsec")], &[]).unwrap();
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn a_wrong_value_is_an_error_even_where_a_stronger_source_would_hide_it() {
    let flags = [("proxy_port", "--proxy-port", "1003")];
    assert_error(load_from(Some(r#"{"proxy_port": -1}"#), &[], &flags), &["proxy_port: -1"]);
}

#[test]
fn the_proxy_host_is_an_ip_or_localhost() {
    let host = |text: &str| file(&format!("{{\"proxy_host\": \"{text}\"}}"));
    for (text, expected) in
        [("localhost", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("[::1]", "::1")]
    {
        let (config, _) = host(text).unwrap();
        assert_eq!(config.listen.proxy.unwrap().ip().to_string(), expected);
    }
    for wrong in ["", "  ", "example.com", "127.0.0.1:8888", "256.0.0.1"] {
        assert_error(host(wrong), &["proxy_host: "]);
    }
}

/// An invented secret's hash, made once.
fn hash() -> &'static str {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    HASH.get_or_init(|| {
        crate::secret_hash::SecretHash::of(b"invented").unwrap().as_str().to_owned()
    })
}

#[test]
fn other_machines_need_credentials_or_somebody_who_says_that_they_do_not() {
    let open = |rest: &str| file(&format!("{{\"proxy_host\": \"0.0.0.0\"{rest}}}"));
    assert_error(open(""), &["proxy_host 0.0.0.0", "proxy_auth", "allow_unauthenticated"]);
    let free = open(", \"allow_unauthenticated\": true");
    assert_warning(free, &["proxy_host 0.0.0.0", "whoever reaches it"]);
    let users = format!(", \"proxy_auth\": {{\"coder\": \"{}\"}}", hash());
    assert_error(open(&users), &["gateway", "enable_gateway_proxy"]);
    let (config, warnings) = open(&format!("{users}, \"enable_gateway_proxy\": false")).unwrap();
    assert_eq!((&*config.access.users[0].name, warnings.len()), ("coder", 0));
    let listed = ", \"allow_unauthenticated\": true, \"allow_clients\": [\"10.0.0.0/8\"]";
    assert_eq!(open(listed).unwrap().1.len(), 0);
}

#[test]
fn what_stands_in_place_of_a_hash_is_never_shown() {
    let wrong = file(r#"{"proxy_auth": {"coder": "the secret itself"}}"#);
    let message = wrong.unwrap_err();
    assert!(
        message.starts_with("proxy_auth.coder: ") && message.contains("hash-secret"),
        "{message}"
    );
    assert!(!message.contains("itself"), "{message}");
    let variables = [("CLAWSEC_PROXY_AUTH", "coder:the-secret-itself")];
    let message = load_from(None, &variables, &[]).unwrap_err();
    assert!(!message.contains("itself"), "{message}");
}

#[test]
fn a_secret_in_the_place_of_a_setting_is_not_shown() {
    let secret = concat!("sk-ant", "-api03-EXAMPLEexample0123456789");
    for key in ["dedup_by", "proxy_port", "proxy_host", "admin_addr", "log_level", "rules_files"] {
        let message = file(&json!({ key: secret }).to_string()).unwrap_err();
        assert!(message.contains(key) && !message.contains("sk-ant"), "{message}");
        let variables = [(&*format!("CLAWSEC_{}", key.to_ascii_uppercase()), secret)];
        if let Err(message) = load_from(None, &variables, &[]) {
            assert!(!message.contains("sk-ant"), "{message}");
        }
    }
    let (_, warnings) = file(&json!({ secret: 1 }).to_string()).unwrap();
    assert!(!warnings.is_empty() && !warnings.concat().contains("sk-ant"), "{warnings:?}");
    let message = file(&json!({"suppressions": [{ secret: 1 }]}).to_string()).unwrap_err();
    assert!(!message.contains("sk-ant"), "{message}");
}

#[test]
fn the_admin_listener_has_an_address_of_its_own_or_none() {
    let admin = |text: &str| file(text).map(|(config, _)| config.listen.admin);
    let default = admin("{}").unwrap().unwrap();
    assert_eq!(
        (default.address.to_string().as_str(), default.is_default),
        ("127.0.0.1:8889", true)
    );
    for off in [r#"{"admin_addr": ""}"#, r#"{"admin_addr": null}"#] {
        assert_eq!(admin(off).unwrap(), None);
    }
    for (text, address) in [("localhost:9", "127.0.0.1:9"), ("[::1]:0", "[::1]:0")] {
        let set = admin(&format!("{{\"admin_addr\": \"{text}\"}}")).unwrap().unwrap();
        assert_eq!((set.address.to_string().as_str(), set.is_default), (address, false));
    }
    for wrong in ["8889", "127.0.0.1", "example.com:1", "127.0.0.1:99999"] {
        assert_error(file(&format!("{{\"admin_addr\": \"{wrong}\"}}")), &["admin_addr: "]);
    }
    assert_error(file(r#"{"admin_addr": "127.0.0.1:8888"}"#), &["admin_addr", "its own port"]);
    for other in [r#"{"proxy_port": 8889}"#, r#"{"gateway_target_port": 8889}"#] {
        assert_eq!(admin(other).unwrap(), None, "the default gives way");
        assert_warning(file(other), &["no admin listener", "127.0.0.1:8889", "admin_addr"]);
    }
    assert_error(file(r#"{"admin_addr": "127.0.0.1:18789"}"#), &["gateway_target_port"]);
    let open = file(r#"{"admin_addr": "0.0.0.0:8889"}"#);
    assert_warning(open, &["admin_addr 0.0.0.0:8889", "read the findings"]);
}

#[test]
fn listeners_that_cannot_be_together_are_refused() {
    assert_error(
        file(r#"{"enable_http_proxy": false, "enable_gateway_proxy": false}"#),
        &["enable_http_proxy", "enable_gateway_proxy", "nothing is left"],
    );
    assert_error(file(r#"{"proxy_port": 18790}"#), &["proxy_port", "gateway_local_port", "18790"]);
    assert_error(file(r#"{"gateway_target_port": 18790}"#), &["connect to itself"]);
    assert_error(file(r#"{"proxy_port": 18789}"#), &["connect to itself"]);
    let without = config(r#"{"proxy_port": 18790, "enable_gateway_proxy": false}"#);
    assert_eq!(without.listen.gateway, None);
    let gateway_only = config(r#"{"enable_http_proxy": false}"#);
    assert_eq!(gateway_only.listen.proxy, None);
    let free = config(r#"{"proxy_port": 0, "gateway_local_port": 0}"#);
    assert_eq!(free.listen.proxy.unwrap().port(), 0);
}

#[test]
fn the_originals_port_name_counts_unless_proxy_port_is_there() {
    let port = |config: Config| config.listen.proxy.unwrap().port();
    assert_eq!(port(config(r#"{"http_proxy_port": 9000}"#)), 9000);
    assert_eq!(port(config(r#"{"http_proxy_port": 9000, "proxy_port": 9000}"#)), 9000);
    let both = file(r#"{"http_proxy_port": 9000, "proxy_port": 9001}"#);
    assert_eq!(port(assert_warning(both, &["http_proxy_port", "proxy_port counts"])), 9001);
    // A stronger source overrides under either name, without a word.
    let environment = [("CLAWSEC_HTTP_PROXY_PORT", "9002")];
    let (config, warnings) = load_from(Some(r#"{"proxy_port": 9001}"#), &environment, &[]).unwrap();
    assert_eq!((port(config), warnings.len()), (9002, 0));
    assert_error(file(r#"{"http_proxy_port": 70000}"#), &["http_proxy_port: 70000"]);
}

#[test]
fn the_ssh_watcher_is_ignored_with_a_word_only_if_asked_for() {
    assert_warning(file(r#"{"enable_ssh_watcher": true}"#), &["enable_ssh_watcher is ignored"]);
    config(r#"{"enable_ssh_watcher": false, "ssh_poll_interval": 10}"#);
}

#[test]
fn an_unknown_key_is_a_warning_that_names_the_nearest() {
    assert_warning(
        file(r#"{"proxy_prot": 1}"#),
        &["unknown key proxy_prot", "config.json", "did you mean proxy_port?"],
    );
    assert_warning(
        load_from(None, &[("CLAWSEC_LOGDIR", "/x")], &[]),
        &["CLAWSEC_LOGDIR", "did you mean CLAWSEC_LOG_DIR?"],
    );
    assert_warning(file(r#"{"admin_port": 1}"#), &["did you mean admin_addr?"]);
    assert_warning(
        load_from(None, &[("CLAWSEC_ADMIN_PORT", "1")], &[]),
        &["CLAWSEC_ADMIN_PORT", "did you mean CLAWSEC_ADMIN_ADDR?"],
    );
    assert_warning(file(r#"{"port": 1}"#), &["did you mean proxy_port?"]);
    let (_, warnings) = file(r#"{"quite_something_else": 1}"#).unwrap();
    assert!(warnings[0].ends_with("is ignored"), "{warnings:?}");
}

#[test]
fn a_repeated_key_counts_last_and_is_said() {
    let repeated = file(r#"{"proxy_port": 1, "proxy_port": 2}"#);
    let config = assert_warning(repeated, &["proxy_port occurs more than once"]);
    assert_eq!(config.listen.proxy.unwrap().port(), 2);
}

#[test]
fn verification_switched_off_for_every_host_is_said() {
    assert_warning(file(r#"{"insecure_hosts": ["*"]}"#), &["no origin's certificate is verified"]);
    let open = file(r#"{"gateway_allowed_origins": ["*"]}"#);
    assert_warning(open, &["any web page can use the gateway"]);
}

#[test]
fn log_levels_are_the_originals_in_any_case() {
    for (text, level) in [
        ("debug", LevelFilter::Debug),
        ("Info", LevelFilter::Info),
        ("WARNING", LevelFilter::Warn),
        ("WARN", LevelFilter::Warn),
        ("ERROR", LevelFilter::Error),
        ("critical", LevelFilter::Error),
        ("FATAL", LevelFilter::Error),
        ("NOTSET", LevelFilter::Debug),
    ] {
        let config = config(&format!("{{\"log_level\": \"{text}\"}}"));
        assert_eq!(config.report.log_level, level, "{text}");
    }
}

#[test]
fn paths_that_are_no_utf_8_are_shown_as_far_as_they_can_be() {
    use std::os::unix::ffi::OsStringExt;
    let odd = std::path::PathBuf::from(std::ffi::OsString::from_vec(b"/odd-\xff".to_vec()));
    let mut config = config("{}");
    config.report.log_dir.clone_from(&odd);
    config.tls.upstream_ca_file = Some(odd.clone());
    config.rules.files = vec![odd.clone()];
    config.rules.cache_dir = Some(odd.clone());
    config.watch.files = vec![odd];
    let shown = config.to_json();
    for key in ["log_dir", "upstream_ca_file", "rule_cache_dir"] {
        assert_eq!(shown[key], "/odd-\u{fffd}", "{key}");
    }
    assert_eq!(shown["rules_files"][0], shown["watch_files"][0]);
}
