//! `scan`, `rules`, `config`, `completions`, `man`: commands that need no monitor.

use std::fs;
use std::process::Command;

use data_encoding::BASE64;
use serde_json::Value;

use crate::key;
use crate::support::proxy::clean_command;
use crate::support::run::{Outcome, run};
use crate::support::samples::SAMPLES;
use crate::support::{Origin, Proxy, Reply, Setup, json, wait_until};

fn clawsec(arguments: &[&str]) -> Outcome {
    run(clean_command().args(arguments))
}

#[test]
fn scan_finds_what_the_proxy_finds_and_masks_it() {
    let setup = Setup::new(json!({}));
    for sample in &SAMPLES {
        let path = setup.directory().join(sample.pattern);
        fs::write(&path, format!("some text before {} and after", sample.text())).unwrap();
        let outcome = setup.run("scan", &[path.to_str().unwrap()]);
        assert_eq!(outcome.code, Some(1), "{}", outcome.text());
        let wanted = format!("{}: {} ({})", path.display(), sample.pattern, sample.threat_type);
        assert!(outcome.stdout.starts_with(&wanted), "{}", outcome.stdout);
        let is_whole = outcome.stdout.contains(&sample.text());
        assert_eq!(is_whole, !sample.is_secret, "{}", outcome.stdout);
    }
    assert!(!setup.log_dir().join("threats.jsonl").exists(), "no log is touched");
}

#[test]
fn scan_tells_clean_from_found_from_trouble() {
    let setup = Setup::new(json!({}));
    let (clean, bad) = (setup.directory().join("clean"), setup.directory().join("bad"));
    fs::write(&clean, "nothing to see").unwrap();
    fs::write(&bad, key()).unwrap();
    let [clean, bad] = [clean, bad].map(|path| path.display().to_string());
    for (files, code) in [
        (&[clean.as_str()][..], 0),
        (&[&clean, &bad], 1),
        (&["/nonexistent/file"], 2),
        (&[&bad, "/nonexistent/file"], 2),
    ] {
        let outcome = setup.run("scan", files);
        assert_eq!(outcome.code, Some(code), "{files:?}: {}", outcome.text());
    }
    assert_eq!(clawsec(&["scan"]).code, Some(2));
}

/// A folder was an error.
#[test]
fn scan_reads_all_that_is_in_a_folder() {
    let setup = Setup::new(json!({}));
    let folder = setup.directory().join("project");
    fs::create_dir_all(folder.join("src/deep")).unwrap();
    fs::create_dir_all(folder.join(".git/objects/ab")).unwrap();
    fs::write(folder.join("clean"), "nothing to see").unwrap();
    fs::write(folder.join("src/deep/settings"), key()).unwrap();
    fs::write(folder.join(".git/objects/ab/cd"), key()).unwrap();
    let scan = |path: &std::path::Path| setup.run("scan", &[path.to_str().unwrap()]);
    let outcome = scan(&folder);
    assert_eq!(outcome.code, Some(1), "{}", outcome.text());
    let wanted = format!("{}: aws_access_key", folder.join("src/deep/settings").display());
    assert!(outcome.stdout.starts_with(&wanted), "{}", outcome.stdout);
    assert_eq!(outcome.stdout.lines().count(), 1, "{}", outcome.stdout);
    assert!(outcome.stderr.contains(".git/objects is left out"), "{}", outcome.stderr);
    assert_eq!(scan(&folder.join(".git/objects")).code, Some(1), "it is named");
    fs::remove_dir_all(folder.join("src")).unwrap();
    assert_eq!(scan(&folder).code, Some(0));
}

/// What an operator accepts wherever it is was told all the same.
#[test]
fn scan_leaves_out_what_suppressions_accept_anywhere() {
    for (condition, code) in [
        (json!({ "rule": "aws_*" }), 0),
        (json!({ "rule": "github_*" }), 1),
        (json!({ "rule": "aws_*", "expires": "2020-01-01" }), 1),
        // A file comes from nowhere and goes nowhere.
        (json!({ "rule": "aws_*", "dest": "*.example" }), 1),
    ] {
        let mut suppression = condition.clone();
        suppression["reason"] = json!("a test's");
        let setup = Setup::new(json!({ "suppressions": [suppression] }));
        let file = setup.directory().join("file");
        fs::write(&file, key()).unwrap();
        let outcome = setup.run("scan", &[file.to_str().unwrap()]);
        assert_eq!(outcome.code, Some(code), "{condition}: {}", outcome.text());
        let is_told = outcome.stderr.contains("1 more are accepted");
        assert_eq!(is_told, code == 0, "{}", outcome.stderr);
    }
}

#[test]
fn a_variable_names_the_configuration_where_no_flag_does() {
    let setup = Setup::new(json!({}));
    let file = |name: &str, port: u16| {
        let path = setup.directory().join(name);
        fs::write(&path, json!({ "proxy_port": port }).to_string()).unwrap();
        path
    };
    let (named, flagged) = (file("named.json", 1234), file("flagged.json", 4321));
    let show = |variable: &str, arguments: &[&str]| {
        let mut command = clean_command();
        command.args(["config", "show", "--origins"]).args(arguments);
        let outcome = run(command.env("CLAWSEC_CONFIG", variable));
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{}", outcome.text());
        let is_port = |line: &&str| line.starts_with("proxy_port ");
        let line = outcome.stdout.lines().find(is_port).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let named = named.to_str().unwrap();
    assert_eq!(show(named, &[]), "1234");
    assert_eq!(show(named, &["--config", flagged.to_str().unwrap()]), "4321");
    assert_eq!(show("", &[]), "8888");
    let mut command = clean_command();
    let outcome = run(command.args(["config", "show"]).env("CLAWSEC_CONFIG", "/nonexistent/file"));
    assert_eq!(outcome.code, Some(2), "{}", outcome.text());
}

#[test]
fn scan_reads_standard_input_and_across_its_pieces() {
    // The key straddles the border of two reads, and of two windows.
    let mut text = "x".repeat(256 * 1024 - 8);
    text.push_str(&key());
    let mut command = Command::new("sh");
    command.args(["-c", "cat \"$1\" | \"$2\" scan --format jsonl -", "sh"]);
    let setup = Setup::new(json!({}));
    let path = setup.directory().join("large");
    fs::write(&path, text).unwrap();
    let outcome = run(command.arg(&path).arg(crate::support::proxy::BINARY));
    assert_eq!(outcome.code, Some(1), "{}", outcome.text());
    let finding: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(finding["file"], "(standard input)");
    assert_eq!(finding["pattern"], "aws_access_key");
    assert_eq!(finding["severity"], "critical");
    assert!(finding["confidence"].is_string(), "{finding}");
    assert_eq!(finding.get("fingerprint"), None, "no monitor has made a key");
}

/// Only the proxy looked for them.
#[test]
fn scan_finds_watched_values_as_the_proxy_does_and_shows_none() {
    let value = "plain EXAMPLE phrase of mine";
    let setup = Setup::new(json!({ "watch_env": ["APP_PASSWORD", "ABSENT_ONE"] }));
    let path = setup.directory().join("file");
    let (half, base64) = (&value[..value.len() / 2], BASE64.encode(value.as_bytes()));
    fs::write(&path, format!("a {value} z\n\n{base64}\n\nonly {half}\n")).unwrap();
    let file = path.to_str().unwrap();
    let scan = |setup: &Setup, arguments: &[&str]| {
        let mut command = setup.command("scan", arguments);
        let outcome = run(command.env("APP_PASSWORD", value));
        assert!(!outcome.text().contains(half), "{}", outcome.text());
        assert!(outcome.stderr.contains("ABSENT_ONE is not set"), "{}", outcome.stderr);
        assert_eq!(outcome.code, Some(1), "{}", outcome.text());
        outcome.stdout
    };
    let text = scan(&setup, &[file]);
    assert!(text.contains("known_value (EXFIL): "), "{text}");
    let proxy = setup.environment("APP_PASSWORD", value).start();
    let origin = Origin::http(|_| Reply::ok(""));
    let (body, dest) = (fs::read_to_string(&path).unwrap(), origin.dest());
    proxy.exchange(format!(
        "POST http://{dest}/ HTTP/1.1\r\nHost: {dest}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let lines = scan(&proxy.setup, &["--format", "jsonl", file]);
    let scanned: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = proxy.settled_findings();
    assert_eq!((found.len(), scanned.len()), (3, 3), "{found:?} {lines}");
    for (found, scanned) in found.iter().zip(&scanned) {
        for (field, value) in [
            ("pattern", found.pattern.as_str()),
            ("threat_type", &found.threat_type),
            ("severity", &found.severity),
            ("confidence", &found.confidence),
            ("snippet", &found.snippet),
            ("fingerprint", found.fingerprint.as_deref().unwrap()),
        ] {
            assert_eq!(scanned[field], value, "{field} of {scanned}");
        }
    }
}

#[test]
fn scan_shows_the_fingerprints_of_the_monitor() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok(""));
    let path = proxy.setup.directory().join("file");
    fs::write(&path, key()).unwrap();
    let outcome = proxy.setup.run("scan", &["--format", "jsonl", path.to_str().unwrap()]);
    let scanned: Value = serde_json::from_str(&outcome.stdout).unwrap();
    proxy.get(&origin.url(&format!("/?a={}", key())));
    let wanted = scanned["fingerprint"].as_str().unwrap().to_owned();
    let is_it = || proxy.threats_text().contains(&format!("\"fingerprint\": \"{wanted}\""));
    wait_until("the same fingerprint", is_it);
}

#[test]
fn rules_are_listed_with_examples() {
    let text = clawsec(&["rules"]).expect_success("rules").stdout;
    let json = clawsec(&["rules", "--format", "json"]).expect_success("rules").stdout;
    let rules: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert!(rules.len() >= SAMPLES.len());
    for (rule, sample) in rules.iter().zip(&SAMPLES) {
        assert_eq!(rule["id"], sample.pattern);
        assert_eq!(rule["threat_type"], sample.threat_type);
        assert!(rule["examples"].as_array().unwrap().len() >= 3);
        assert!(text.contains(sample.pattern));
        assert!(text.contains(rule["description"].as_str().unwrap()));
    }
}

#[test]
fn a_configuration_is_checked_as_a_start_would() {
    let setup = Setup::new(json!({}));
    let check = |setup: &Setup| {
        let mut command = clean_command();
        run(command.args(["config", "check", "--config"]).arg(setup.config_file()))
    };
    let outcome = check(&setup).expect_success("check");
    assert_eq!(outcome.stdout, "The configuration is valid.\n");
    for (wrong, named) in [
        (json!({"proxy_port": 99_999}), "proxy_port"),
        (json!({"upstream_ca_file": "/nonexistent/roots.pem"}), "upstream_ca_file"),
        (json!({"upstream_ca_file": "/etc/hostname"}), "holds no certificate in PEM form"),
        (json!({"log_dir": setup.config_file()}), "is not a folder"),
        (json!({"log_dir": setup.config_file().join("below")}), "log_dir"),
    ] {
        let outcome = check(&Setup::new(wrong));
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.stderr.contains(named), "{}", outcome.stderr);
    }
    let idle = check(&Setup::new(json!({
        "watch_files": ["/nonexistent/watched"],
        "watch_env": ["CLAWSEC_TESTS_DO_NOT_SET_THIS"],
        "suppressions": [
            {"reason": "long ago", "rule": "jwt", "expires": "2020-01-01"},
            {"reason": "misspelt", "rule": "ai_api_kye"}
        ]
    })));
    let idle = idle.expect_success("warnings");
    for part in [
        "/nonexistent/watched cannot be read",
        "DO_NOT_SET_THIS is not set",
        "long ago",
        "no rule has the id \"ai_api_kye\"; did you mean ai_api_key?",
    ] {
        assert!(idle.stderr.contains(part), "{part}: {}", idle.stderr);
    }
    let outcome = check(&Setup::new(json!({"proxy_prot": 1}))).expect_success("a warning");
    assert!(outcome.stderr.contains("proxy_port"), "{}", outcome.stderr);
}

#[test]
fn what_is_shown_is_a_configuration_and_says_where_it_comes_from() {
    let setup = Setup::new(json!({"proxy_port": 1234}));
    let show = |config: &std::path::Path, more: &[&str]| {
        let mut command = clean_command();
        command.args(["config", "show", "--config"]).arg(config).args(more);
        run(command.env("CLAWSEC_ADD_VIA", "true")).expect_success("show").stdout
    };
    let shown = show(&setup.config_file(), &[]);
    let object: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(object["proxy_port"], 1234);
    assert_eq!(object["add_via"], true);
    assert_eq!(object["head_timeout_secs"], 30, "defaults are there as well");
    let again = setup.directory().join("again.json");
    fs::write(&again, &shown).unwrap();
    assert_eq!(show(&again, &[]), shown);
    let origins = show(&setup.config_file(), &["--origins"]);
    let line = |key: &str| {
        origins.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{origins}"))
    };
    assert!(line("proxy_port").ends_with("config.json"), "{origins}");
    assert!(line("add_via").ends_with("CLAWSEC_ADD_VIA"), "{origins}");
    assert!(line("head_timeout_secs").ends_with("default"), "{origins}");
}

#[test]
fn completions_are_scripts_that_name_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = clawsec(&["completions", shell]).expect_success(shell).stdout;
        for word in ["doctor", "threats", "rotate", "overlap-days"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let script = clawsec(&["completions", "bash"]).stdout;
    let checked = Command::new("bash").args(["-n", "-c", &script]).status().unwrap();
    assert!(checked.success());
}

#[test]
fn every_command_has_a_man_page() {
    let setup = Setup::new(json!({}));
    let folder = setup.directory().join("man");
    clawsec(&["man", folder.to_str().unwrap()]).expect_success("man");
    for page in ["clawsec", "clawsec-start", "clawsec-run", "clawsec-ca", "clawsec-ca-rotate"] {
        let text = fs::read_to_string(folder.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

#[test]
fn every_command_takes_a_config_file() {
    let setup = Setup::new(json!({"proxy_port": 99_999}));
    let config = setup.config_file().display().to_string();
    for words in [
        &["run"][..],
        &["env"],
        &["ca", "path"],
        &["ca", "rotate"],
        &["doctor"],
        &["threats"],
        &["stats"],
        &["scan"],
        &["rules"],
        &["config", "show"],
        &["status"],
    ] {
        let mut command = clean_command();
        command.args(words).args(["--config", &config]);
        if matches!(words[0], "run" | "scan") {
            command.arg("true");
        }
        let outcome = run(&mut command);
        // What the program of run would exit with is not to be taken for it.
        let code = if words == ["run"] { 125 } else { 2 };
        assert_eq!(outcome.code, Some(code), "{words:?}: {}", outcome.text());
        assert!(outcome.stderr.contains("proxy_port"), "{words:?}: {}", outcome.stderr);
    }
}

#[test]
fn the_command_line_of_the_original_is_answered() {
    let setup = Setup::new(json!({}));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/clawsec-monitor.py");
    let original = |arguments: &[&str]| {
        let mut command = Command::new("python3");
        command.arg(script).args(arguments).arg("--config").arg(setup.config_file());
        run(command.env("CLAWSEC_BIN", env!("CARGO_BIN_EXE_clawsec")))
    };
    for arguments in [&["status"][..], &["threats", "--limit", "50"], &["stop"]] {
        let (old, new) = (original(arguments), setup.run(arguments[0], &arguments[1..]));
        assert_eq!((old.code, &old.stdout), (new.code, &new.stdout), "{arguments:?}");
        assert!(!old.stdout.is_empty(), "{}", old.text());
    }
}
