//! `deploy/`, the Dockerfile and the compose file: held against the binary and the metrics that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cause_finding;
use crate::support::proxy::BINARY;
use crate::support::{Origin, Proxy, Reply, json, run};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The metrics in a text that begin with one of our prefixes.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    text.split(|character: char| !is_part(character))
        .filter(|word| word.starts_with("clawsec_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// Every series that a monitor shows after some traffic, good and bad.
fn series() -> BTreeSet<String> {
    let origin = Origin::http(|_| Reply::ok(""));
    let proxy = Proxy::start(json!({"admin_addr": "127.0.0.1:0"}));
    cause_finding(&proxy, &origin);
    let unused = crate::support::origin::unused_address();
    assert_eq!(proxy.get(&format!("http://{unused}/")).status(), 502);
    let page = proxy.admin("/metrics").text();
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let series = series();
    let alerts: String = file("deploy/prometheus-alerts.yml")
        .lines()
        .skip_while(|line| !line.contains("groups:"))
        .filter(|line| !line.contains("description:") && !line.contains("summary:"))
        .map(|line| format!("{line}\n"))
        .collect();
    let dashboard: serde_json::Value =
        serde_json::from_str(&file("deploy/grafana-dashboard.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| {
        panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].to_string())
    });
    let asked = metrics_in(&format!("{alerts}{}", targets.collect::<String>()));
    assert!(asked.len() > 20, "{asked:?}");
    let unknown: Vec<_> = asked.difference(&series).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {series:?}");
    assert_eq!(alerts.matches("- alert: ").count(), alerts.matches("expr: ").count());
}

#[test]
fn findings_are_alerted_of_from_the_first_one_and_expected_credentials_are_none() {
    let alerts = file("deploy/prometheus-alerts.yml");
    let rule = alerts.split("- alert: ").find(|rule| rule.starts_with("ClawsecFinding\n")).unwrap();
    let expression: String =
        rule.lines().skip_while(|line| !line.contains("expr:")).take(4).map(str::trim).collect();
    assert!(expression.contains("unless clawsec_findings_total offset 5m"), "{expression}");
    assert!(
        expression.contains("increase(clawsec_findings_total{severity!=\"info\"}[5m])"),
        "{expression}"
    );
    assert_eq!(expression.matches("severity!=\"info\"").count(), 2, "{expression}");
}

/// cargo-deb refuses a table with a key that it does not know.
#[test]
fn the_debian_package_is_described_by_keys_that_cargo_deb_knows() {
    const KNOWN: [&str; 9] = [
        "maintainer",
        "license-file",
        "section",
        "depends",
        "extended-description",
        "assets",
        "conf-files",
        "maintainer-scripts",
        "systemd-units",
    ];
    let manifest: toml::Table = file("Cargo.toml").parse().unwrap();
    let deb = manifest["package"]["metadata"]["deb"].as_table().unwrap();
    let unknown: Vec<_> = deb.keys().filter(|key| !KNOWN.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for asset in deb["assets"].as_array().unwrap() {
        let source = asset[0].as_str().unwrap();
        assert!(source.starts_with("target/") || root.join(source).is_file(), "{source}");
    }
}

#[test]
fn the_seccomp_profile_refuses_by_default_and_allows_io_uring() {
    let profile: serde_json::Value = serde_json::from_str(&file("deploy/seccomp.json")).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let is_unconditional = |rule: &&serde_json::Value| {
        rule["action"] == "SCMP_ACT_ALLOW"
            && ["args", "includes", "excludes"].iter().all(|key| match &rule[key] {
                serde_json::Value::Array(items) => items.is_empty(),
                serde_json::Value::Object(items) => items.is_empty(),
                other => other.is_null(),
            })
    };
    let rules = profile["syscalls"].as_array().unwrap();
    let names = |rule: &serde_json::Value| rule["names"].as_array().unwrap().clone();
    let allowed: Vec<_> = rules.iter().filter(is_unconditional).flat_map(names).collect();
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register", "sched_setaffinity"] {
        assert!(allowed.iter().any(|name| name == call), "{call}");
    }
    for call in ["mount", "ptrace", "bpf", "kexec_load", "init_module"] {
        assert!(!allowed.iter().any(|name| name == call), "{call}");
    }
}

#[test]
fn containers_are_asked_by_the_binary_itself_and_get_what_they_need() {
    let (dockerfile, compose) = (file("Dockerfile"), file("docker-compose.clawsec.yml"));
    assert!(dockerfile.contains("CMD [\"clawsec\", \"healthcheck\"]"), "{dockerfile}");
    assert!(dockerfile.contains("\nUSER clawsec\n"), "{dockerfile}");
    for part in [
        "test: [\"CMD\", \"clawsec\", \"healthcheck\"]",
        "seccomp=deploy/seccomp.json",
        "stop_grace_period: 10s",
        "clawsec_data:/tmp/clawsec",
        "memlock: -1",
        "127.0.0.1:8888:8888",
    ] {
        assert!(compose.contains(part), "{part}");
    }
    // What the image and the compose file set is a configuration that starts.
    let mut check = crate::support::proxy::clean_command();
    check.args(["config", "check"]);
    let variables =
        dockerfile.lines().filter_map(|line| line.strip_prefix("ENV ")?.split_once('='));
    check.envs(variables.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert_eq!(run::run(&mut check).code, Some(2), "somebody has to say who may use it");
    check.env("CLAWSEC_ALLOW_UNAUTHENTICATED", "true");
    assert!(compose.contains("CLAWSEC_ALLOW_UNAUTHENTICATED: \"true\""));
    run::run(&mut check).expect_success("the container's settings");
}

#[test]
fn the_unit_is_one_that_systemd_takes_with_a_configuration_that_starts() {
    let unit = file("deploy/clawsec.service");
    for part in ["Type=notify", "WatchdogSec=", "LimitMEMLOCK=", "LimitNOFILE=", "ExecReload="] {
        assert!(unit.contains(part), "{part}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/config.json");
    let mut check = crate::support::proxy::clean_command();
    check.args(["config", "check", "--config"]).arg(path);
    let outcome = run::run(&mut check).expect_success("deploy/config.json");
    assert_eq!(outcome.stderr, "");
    if !Path::new("/usr/bin/systemd-analyze").exists() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("clawsec.service");
    // The paths of an installation are not there; nor need the manual be.
    let here =
        unit.replace("/usr/bin/clawsec", BINARY).replace("Documentation=man:clawsec(1)\n", "");
    fs::write(&copy, here).unwrap();
    let mut verify = Command::new("/usr/bin/systemd-analyze");
    verify.arg("verify").arg(&copy);
    let outcome = run::run(&mut verify).expect_success("systemd-analyze verify");
    assert!(!outcome.text().contains("clawsec.service"), "{}", outcome.text());
}
