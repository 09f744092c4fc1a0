//! File, environment and flags: what they set, and how an error is told.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::Value;

use crate::support::origin::unused_address;
use crate::support::proxy::clean_command;
use crate::support::run::run;
use crate::support::{Origin, Proxy, Reply, Setup, json};

#[test]
fn a_wrong_value_ends_with_2_and_names_key_and_value() {
    for (key, value, shown) in [
        ("proxy_port", json!(70000), "70000"),
        ("proxy_port", json!(-1), "-1"),
        ("proxy_port", json!("eighty"), "eighty"),
        ("http_proxy_port", json!(65536), "65536"),
        ("gateway_local_port", json!(1.5), "1.5"),
        ("gateway_target_port", json!(0), "0"),
        ("proxy_host", json!(""), "proxy_host"),
        ("proxy_host", json!("not an address"), "not an address"),
        ("log_level", json!("LOUD"), "LOUD"),
        ("enable_mitm", json!("perhaps"), "perhaps"),
        ("max_scan_bytes", json!(0), "0"),
        ("dedup_window_secs", json!(-5), "-5"),
        ("dedup_window_secs", json!([60]), "60"),
        ("workers", json!(0), "0"),
        ("max_connections", json!(0), "0"),
        ("insecure_hosts", json!([17]), "17"),
        ("connect_timeout_secs", json!("soon"), "soon"),
        ("upstream_ca_file", json!("/nonexistent/roots.pem"), "/nonexistent/roots.pem"),
    ] {
        let setup = Setup::new(json!({ key: value }));
        let refused = setup.start_refused();
        assert_eq!(refused.code, Some(2), "{key} = {value}: {}", refused.text());
        assert!(refused.stderr.contains(key), "{key} = {value}: {}", refused.stderr);
        assert!(refused.stderr.contains(shown), "{key} = {value}: {}", refused.stderr);
        assert!(!refused.stderr.contains("panicked"), "{}", refused.stderr);
        assert!(!setup.log_dir().join("monitor.pid").exists(), "{key}: something started");
        assert!(!setup.log_dir().join("ca.key").exists(), "{key}: something started");
    }
}

/// They ended with 1 where `config check` ends with 2.
#[test]
fn rules_that_the_engine_does_not_take_and_a_log_dir_that_nobody_can_use_end_a_start_with_2() {
    let folder = tempfile::tempdir().unwrap();
    let [rules, file, open, link] =
        ["own.toml", "file", "open", "link"].map(|name| folder.path().join(name));
    fs::write(&rules, "[[rules]]\nid = 'c'\nregex = '(?:[a-z]{1000}x){1,1000}y'\n").unwrap();
    fs::write(&file, "").unwrap();
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    symlink(folder.path(), &link).unwrap();
    for (wrong, shown) in [
        (json!({ "rule_packs": [], "rules_files": [rules] }), "program is larger"),
        (json!({ "log_dir": file }), "not a folder"),
        (json!({ "log_dir": file.join("below") }), "file/below"),
        (json!({ "log_dir": open }), "writable"),
        (json!({ "log_dir": link }), "symbolic link"),
    ] {
        let setup = Setup::new(wrong);
        let checked =
            run(clean_command().args(["config", "check", "--config"]).arg(setup.config_file()));
        assert_eq!(checked.code, Some(2), "{shown}: {}", checked.text());
        let refused = setup.start_refused();
        assert_eq!(refused.code, Some(2), "{shown}: {}", refused.text());
        assert!(refused.stderr.contains(shown), "{shown}: {}", refused.stderr);
    }
}

#[test]
fn a_file_that_cannot_be_read_as_configuration_ends_with_2_and_is_named() {
    let setup = Setup::new(json!({}));
    for (name, content) in [
        ("missing.json", None),
        ("broken.json", Some("{\"proxy_port\": 0,\n oops}")),
        ("list.json", Some("[1, 2]")),
        ("empty.json", Some("")),
    ] {
        let path = setup.directory().join(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        for command in ["start", "status", "stop", "threats"] {
            let outcome = run(clean_command().arg(command).arg("--config").arg(&path));
            assert_eq!(outcome.code, Some(2), "{command} {name}: {}", outcome.text());
            assert!(outcome.stderr.contains(name), "{command} {name}: {}", outcome.stderr);
        }
    }
}

#[test]
fn an_unknown_key_is_a_warning_that_names_the_nearest() {
    let proxy = Proxy::start(json!({ "dedup_windows_sec": 60 }));
    proxy.wait_for_log(&["WARNING", "dedup_windows_sec", "dedup_window_secs"]);
}

#[test]
fn the_names_of_the_original_are_understood() {
    let address = unused_address();
    let proxy = Proxy::start(json!({
        "proxy_port": null,
        "http_proxy_port": address.port(),
        "enable_http_proxy": true,
        "enable_gateway_proxy": false,
    }));
    assert_eq!(proxy.address(), address);
    assert!(proxy.status()["listeners"]["gateway"].is_null());
    let origin = Origin::http(|_| Reply::ok("hello"));
    assert_eq!(proxy.get(&origin.url("/")).text(), "hello");
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let (file, environment, flag) = (unused_address(), unused_address(), unused_address());
    let by_file = || Setup::new(json!({ "proxy_port": file.port() }));
    let by_environment =
        || by_file().environment("CLAWSEC_PROXY_PORT", environment.port().to_string());
    let by_flag = || by_environment().argument(format!("--proxy-port={}", flag.port()));
    assert_eq!(by_file().start().address(), file);
    assert_eq!(by_environment().start().address(), environment);
    assert_eq!(by_flag().start().address(), flag);
}

#[test]
fn a_wrong_environment_variable_or_flag_is_named() {
    let setup = Setup::new(json!({})).environment("CLAWSEC_WORKERS", "many");
    let refused = setup.start_refused();
    assert_eq!(refused.code, Some(2), "{}", refused.text());
    assert!(refused.stderr.contains("CLAWSEC_WORKERS"), "{}", refused.stderr);
    assert!(refused.stderr.contains("many"), "{}", refused.stderr);
    let refused = Setup::new(json!({})).argument("--workers=none").start_refused();
    assert_eq!(refused.code, Some(2), "{}", refused.text());
    assert!(refused.stderr.contains("none"), "{}", refused.stderr);
}

#[test]
fn interception_is_switched_off_by_flag_and_by_key() {
    for setup in [
        Setup::new(json!({})).argument("--no-mitm"),
        Setup::new(json!({ "enable_mitm": false })),
        Setup::new(json!({})).environment("CLAWSEC_ENABLE_MITM", "false"),
    ] {
        let proxy = setup.start();
        assert_eq!(proxy.status()["mitm"], Value::Bool(false));
        let text = proxy.setup.run("status", &[]).stdout;
        assert!(text.contains("MITM") && text.contains("OFF"), "{text}");
    }
}

/// All that was said was what is wrong in the file, and nobody could end what ran.
#[test]
fn a_broken_file_keeps_nobody_from_the_monitor_that_runs() {
    let mut proxy = Proxy::start(json!({}));
    let file = proxy.setup.config_file();
    std::fs::write(&file, "{bad").unwrap();
    let clawsec = |arguments: &[&str]| {
        let mut command = clean_command();
        run(command.args(arguments))
    };
    let refused = clawsec(&["status", "--config", file.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--log-dir DIR instead of --config"), "{}", refused.stderr);
    let log_dir = proxy.log_dir().to_str().unwrap().to_owned();
    assert_eq!(clawsec(&["status", "--log-dir", &log_dir]).code, Some(0));
    assert_eq!(clawsec(&["stop", "--log-dir", &log_dir]).code, Some(0));
    assert_eq!(proxy.wait_exit(), Some(0));
}
