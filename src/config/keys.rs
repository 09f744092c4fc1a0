//! The table of keys: name, kind and range of everything that can be set. Reads no source and
//! builds nothing.

use crate::limits::{
    CONFIG_WORD_MAX_CHARS, CONFIG_WORDS_MAX, CONNECTIONS_MAX, DETECT_TIMEOUT_MAX_MS,
    HEAD_MAX_BYTES, HEAD_MIN_BYTES, HEADERS_MAX, RULES_FILES_MAX, SCAN_WINDOW_MAX_BYTES,
    SCAN_WINDOW_MIN_BYTES, TIMEOUT_MAX_SECS, TIMEOUT_MIN_SECS, WATCHED_MAX, WORKERS_MAX,
};

/// What a key's value may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Any text that is not empty; the key's own check follows when the configuration is built.
    Text,
    /// As [`Kind::Text`], and may be empty or null: not set.
    OptionalText,
    /// A path, made absolute against the current directory.
    Path,
    /// As [`Kind::Path`], and may be empty or null: not set.
    OptionalPath,
    Boolean,
    /// A whole number, both bounds included.
    Integer {
        min: u64,
        max: u64,
    },
    /// As [`Kind::Integer`], and may be null: not set.
    OptionalInteger {
        min: u64,
        max: u64,
    },
    /// Seconds, fractions allowed, both bounds included.
    Seconds {
        min: f64,
        max: f64,
    },
    /// A list of host patterns; in the environment separated by commas.
    Hosts,
    /// A list of origins; in the environment separated by commas.
    Origins,
    /// A list of words, such as names; in the environment separated by commas.
    Words,
    /// A list of paths, each made absolute; in the environment separated by commas.
    Paths,
    /// Seconds by host pattern, bounded as the timeouts are; in the environment `pattern=seconds`, separated by
    /// commas.
    HostSeconds,
    /// Names of environment variables; in the environment separated by commas.
    Variables,
    /// Paths, made absolute against the current directory; in the environment separated by commas.
    WatchedFiles,
    /// Objects, in the environment as JSON; `precision` reads them.
    ExpectedCredentials,
    Suppressions,
    /// Users with hashed secrets; in the environment `user:hash`, separated by blanks. Never shown.
    Users,
    /// A list of networks; in the environment separated by commas.
    Networks,
    /// Of the original, without meaning here: any value is taken.
    Ignored,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
}

const ANY_PORT: Kind = Kind::Integer { min: 0, max: 65_535 };
const REAL_PORT: Kind = Kind::Integer { min: 1, max: 65_535 };
const TIMEOUT: Kind = Kind::Seconds { min: TIMEOUT_MIN_SECS, max: TIMEOUT_MAX_SECS };
const FROM_ZERO: Kind = Kind::Seconds { min: 0.0, max: TIMEOUT_MAX_SECS };

const fn key(name: &'static str, kind: Kind) -> Key {
    Key { name, kind }
}

/// Every key; docs/configuration.md tells of each.
pub const KEYS: &[Key] = &[
    key("proxy_host", Kind::Text),
    key("proxy_port", ANY_PORT),
    key("gateway_local_port", ANY_PORT),
    key("gateway_target_port", REAL_PORT),
    key("gateway_allowed_origins", Kind::Origins),
    key("log_dir", Kind::Path),
    key("log_level", Kind::Text),
    key(
        "max_scan_bytes",
        Kind::Integer { min: SCAN_WINDOW_MIN_BYTES as u64, max: SCAN_WINDOW_MAX_BYTES as u64 },
    ),
    key("enable_mitm", Kind::Boolean),
    key("dedup_window_secs", FROM_ZERO),
    key("enable_http_proxy", Kind::Boolean),
    key("enable_gateway_proxy", Kind::Boolean),
    key("workers", Kind::OptionalInteger { min: 1, max: WORKERS_MAX }),
    key("max_connections", Kind::Integer { min: 1, max: CONNECTIONS_MAX }),
    key("shutdown_timeout_secs", FROM_ZERO),
    key("upstream_ca_file", Kind::OptionalPath),
    key("insecure_hosts", Kind::Hosts),
    key("passthrough_hosts", Kind::Hosts),
    key("upstream_proxy", Kind::OptionalText),
    key("no_proxy", Kind::Hosts),
    key("connect_timeout_secs", TIMEOUT),
    key("tls_handshake_timeout_secs", TIMEOUT),
    key("head_timeout_secs", TIMEOUT),
    key("response_timeout_secs", TIMEOUT),
    key("response_timeout_overrides", Kind::HostSeconds),
    key("client_idle_timeout_secs", TIMEOUT),
    key("body_idle_timeout_secs", TIMEOUT),
    key("upstream_idle_timeout_secs", TIMEOUT),
    key("tunnel_idle_timeout_secs", TIMEOUT),
    key("detect_timeout_ms", Kind::Integer { min: 0, max: DETECT_TIMEOUT_MAX_MS }),
    key("max_head_bytes", Kind::Integer { min: HEAD_MIN_BYTES as u64, max: HEAD_MAX_BYTES as u64 }),
    key("max_headers", Kind::Integer { min: 1, max: HEADERS_MAX as u64 }),
    key("max_requests_per_connection", Kind::Integer { min: 0, max: u64::MAX }),
    key("add_via", Kind::Boolean),
    key("add_forwarded", Kind::Boolean),
    key("host_mismatch", Kind::Text),
    key("rule_packs", Kind::Words),
    key("rules_files", Kind::Paths),
    key("disable", Kind::Words),
    key("rule_cache_dir", Kind::OptionalPath),
    key("dedup_by", Kind::Text),
    key("expected_credentials", Kind::ExpectedCredentials),
    key("suppressions", Kind::Suppressions),
    key("watch_env", Kind::Variables),
    key("watch_files", Kind::WatchedFiles),
    key("admin_addr", Kind::OptionalText),
    key("admin_hosts", Kind::Hosts),
    key("proxy_auth", Kind::Users),
    key("allow_clients", Kind::Networks),
    key("allow_unauthenticated", Kind::Boolean),
    key("http_proxy_port", ANY_PORT),
    key("enable_ssh_watcher", Kind::Ignored),
    key("ssh_poll_interval", Kind::Ignored),
];

/// The key of this name, compared exactly.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Kind {
    /// What is allowed, in words that complete "must be …".
    pub fn allowed(self) -> String {
        match self {
            Kind::Text => "text that is not empty".into(),
            Kind::OptionalText => "text".into(),
            Kind::Path | Kind::OptionalPath => {
                "a path (\"~\" is not expanded: write it out)".into()
            }
            Kind::Boolean => "true or false".into(),
            Kind::Integer { min, max: u64::MAX } => format!("a whole number of at least {min}"),
            Kind::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Kind::OptionalInteger { min, max } => {
                format!("a whole number from {min} to {max}, or left out")
            }
            Kind::Seconds { min, max } => format!("a number of seconds from {min} to {max}"),
            Kind::Hosts => format!("a list of hosts, each {}", super::patterns::PATTERN_ALLOWED),
            Kind::Origins => {
                format!("a list of origins, each {}", super::origins::ORIGIN_ALLOWED)
            }
            Kind::Words => {
                format!(
                    "a list of words, at most {CONFIG_WORDS_MAX}, none empty or longer than {CONFIG_WORD_MAX_CHARS} characters"
                )
            }
            Kind::Paths => format!(
                "a list of at most {RULES_FILES_MAX} paths (\"~\" is not expanded: write it out)"
            ),
            Kind::HostSeconds => format!(
                "seconds from {TIMEOUT_MIN_SECS} to {TIMEOUT_MAX_SECS} by host, each host {}",
                super::patterns::PATTERN_ALLOWED
            ),
            Kind::Variables => {
                format!("a list of at most {WATCHED_MAX} names of environment variables")
            }
            Kind::WatchedFiles => {
                format!(
                    "a list of at most {WATCHED_MAX} paths (\"~\" is not expanded: write it out)"
                )
            }
            Kind::ExpectedCredentials => {
                "a list of objects with host, rules and one of header, query and path, or \
                 {\"replace\": true, \"entries\": [...]}"
                    .into()
            }
            Kind::Suppressions => "a list of objects with a reason and conditions".into(),
            Kind::Users => super::access::USERS_ALLOWED.into(),
            Kind::Networks => super::access::NETWORKS_ALLOWED.into(),
            Kind::Ignored => "anything".into(),
        }
    }

    /// The same for one item of a list, or one member of an object.
    pub fn allowed_item(self) -> Option<String> {
        match self {
            Kind::Hosts => Some(super::patterns::PATTERN_ALLOWED.into()),
            Kind::Origins => Some(super::origins::ORIGIN_ALLOWED.into()),
            Kind::Words => Some(format!("a word of at most {CONFIG_WORD_MAX_CHARS} characters")),
            Kind::Paths | Kind::WatchedFiles => Some(Kind::Path.allowed()),
            Kind::HostSeconds => Some(format!(
                "{TIMEOUT_MIN_SECS} to {TIMEOUT_MAX_SECS} seconds, its host {}",
                super::patterns::PATTERN_ALLOWED
            )),
            Kind::Variables => Some("the name of an environment variable".into()),
            Kind::Users => Some(super::access::USER_ALLOWED.into()),
            Kind::Networks => Some(super::access::NETWORK_ALLOWED.into()),
            _ => None,
        }
    }
}
