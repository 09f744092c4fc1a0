//! SIGHUP and `clawsec reload`: what changes, what does not and is named, and that a bad file changes nothing.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::support::proxy::BINARY;
use crate::support::{Origin, Proxy, Reply, Setup, json, wait_until};

/// Rewrites the config file of a running monitor.
pub fn rewrite(
    proxy: &Proxy,
    change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>),
) {
    let path = proxy.setup.directory().join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(config.as_object_mut().unwrap());
    fs::write(&path, config.to_string()).unwrap();
}

/// `clawsec reload` with the file as it is.
pub fn reload(proxy: &Proxy) -> crate::support::run::Outcome {
    let mut command = crate::support::proxy::clean_command();
    command.args(["reload", "--log-dir"]).arg(proxy.log_dir());
    crate::support::run::run(&mut command)
}

#[test]
fn a_reload_on_a_disk_without_room_for_another_file_has_its_verdict() {
    let proxy = Proxy::start(json!({}));
    fs::create_dir(proxy.log_dir().join("monitor.json.tmp")).unwrap();
    rewrite(&proxy, |config| {
        config.insert("add_via".into(), json!(true));
    });
    let outcome = reload(&proxy).expect_success("reload");
    assert!(outcome.stdout.contains("Changed: add_via."), "{}", outcome.stdout);
}

#[test]
fn wrong_rules_are_a_wrong_configuration_told_as_config_check_tells_it() {
    let proxy = Proxy::start(json!({}));
    let rules = proxy.setup.directory().join("wrong.toml");
    fs::write(&rules, "[[rules]]\nid = 'open'\nregex = '('\n[[rules]]\nid = 'bare'\n").unwrap();
    rewrite(&proxy, |config| {
        config.insert("rules_files".into(), json!([rules]));
    });
    let outcome = reload(&proxy);
    assert_eq!(outcome.code, Some(2), "{}", outcome.text());
    let mut check = crate::support::proxy::clean_command();
    check.args(["config", "check", "--config"]).arg(proxy.setup.directory().join("config.json"));
    let checked = crate::support::run::run(&mut check);
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (reloaded, checked) = (lines(&outcome.stderr), lines(&checked.stderr));
    assert!(checked.len() >= 4, "{checked:?}");
    let (last, first) = checked.split_last().unwrap();
    assert_eq!(&reloaded[..first.len()], first);
    assert_eq!(reloaded.last().unwrap(), &format!("{last}; nothing is changed"));
}

#[test]
fn a_ca_that_was_rotated_needs_a_restart_and_is_named() {
    let proxy = Proxy::start(json!({}));
    let said = || (reload(&proxy).stdout, proxy.setup.run("doctor", &[]).stdout);
    let is_told = |(reload, doctor): (String, String)| {
        (
            reload.contains("Only a restart changes: ca."),
            doctor.contains("still uses the previous CA"),
        )
    };
    assert_eq!(is_told(said()), (false, false));
    let mut rotate = crate::support::proxy::clean_command();
    rotate.args(["ca", "rotate", "--log-dir"]).arg(proxy.log_dir());
    crate::support::run::run(&mut rotate).expect_success("ca rotate");
    assert_eq!(is_told(said()), (true, true));
}

#[test]
fn what_can_change_does_on_open_connections_and_what_cannot_is_named() {
    let origin = Origin::http(|request| Reply::ok(request.header("via").unwrap_or("none")));
    let proxy = Proxy::start(json!({"log_level": "INFO"}));
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", origin.url("/"));
    let mut kept = proxy.connect();
    kept.send(&request);
    assert_eq!(kept.receive_response().text(), "none");
    rewrite(&proxy, |config| {
        config.insert("add_via".into(), json!(true));
        config.insert("workers".into(), json!(2));
        config.insert("log_level".into(), json!("DEBUG"));
    });
    let outcome = reload(&proxy).expect_success("reload");
    assert!(outcome.stdout.contains("Changed: log_level, add_via."), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("Only a restart changes: workers."), "{}", outcome.stdout);
    proxy.wait_for_log(&["INFO", "Configuration reloaded", "add_via"]);
    proxy.wait_for_log(&["WARNING", "only with a restart", "workers"]);
    kept.send(&request);
    assert_eq!(kept.receive_response().text(), "1.1 clawsec", "the same connection");
    drop(kept);
    let mut fresh = proxy.connect();
    fresh.send(&request);
    assert_eq!(fresh.receive_response().text(), "1.1 clawsec");
    drop(fresh);
    let again = reload(&proxy).expect_success("reload");
    assert!(again.stdout.contains("nothing changed"), "workers is said again: {}", again.stdout);
    assert!(again.stdout.contains("workers"), "{}", again.stdout);
    let bad = proxy.request_tunnel("unresolvable.invalid:1").1;
    assert!(bad.status() >= 500);
}

#[test]
fn a_bad_file_changes_nothing() {
    let origin = Origin::http(|request| Reply::ok(request.header("via").unwrap_or("none")));
    let proxy = Proxy::start(json!({}));
    let path = proxy.setup.directory().join("config.json");
    let good = fs::read_to_string(&path).unwrap();
    for (bad, words) in [
        ("{".to_owned(), "not valid JSON"),
        (good.replace("\"DEBUG\"", "\"LOUD\", \"add_via\": true"), "log_level: \"LOUD\""),
        (good.replace("{", "{\"add_via\": true, \"workers\": 0, "), "workers: 0"),
    ] {
        fs::write(&path, bad).unwrap();
        let outcome = reload(&proxy);
        assert_eq!(outcome.code, Some(2), "{}", outcome.text());
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("nothing is changed"), "{}", outcome.stderr);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(reload(&proxy).code, Some(2));
    assert_eq!(proxy.get(&origin.url("/")).text(), "none");
    fs::write(&path, &good).unwrap();
    reload(&proxy).expect_success("reload of the good file");
}

#[test]
fn the_dedup_window_changes_in_the_log_and_on_the_cores() {
    let origin = Origin::http(|_| Reply::ok(""));
    let proxy = Proxy::start(json!({"dedup_window_secs": 600}));
    let send = || assert_eq!(proxy.get(&origin.url("/etc/shadow")).status(), 200);
    send();
    proxy.wait_for_finding(|finding| finding.dest == origin.dest());
    send();
    rewrite(&proxy, |config| drop(config.insert("dedup_window_secs".into(), json!(0))));
    reload(&proxy).expect_success("reload");
    send();
    send();
    // The second one is told by the third, or has become a line before it.
    let findings = proxy.settled_findings();
    let counted: u64 = findings.iter().map(|finding| 1 + finding.suppressed).sum();
    assert_eq!(counted, 4, "{findings:?}");
}

#[test]
fn addresses_users_and_lists_change() {
    let origin = Origin::http(|_| Reply::ok(""));
    let proxy = Proxy::start(json!({}));
    let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", origin.url("/"));
    let mut kept = proxy.connect();
    kept.send(&request);
    assert_eq!(kept.receive_response().status(), 200);
    let users = json!({"coder": crate::hash_of("invented")});
    rewrite(&proxy, |config| drop(config.insert("proxy_auth".into(), users)));
    let outcome = reload(&proxy).expect_success("reload");
    assert!(outcome.stdout.contains("proxy_auth"), "{}", outcome.stdout);
    kept.send(&request);
    assert_eq!(kept.receive_response().status(), 407, "also on a connection that was open before");
    rewrite(&proxy, |config| {
        config.remove("proxy_auth");
        config.insert("allow_clients".into(), json!(["192.0.2.1"]));
    });
    let mut kept = proxy.connect();
    reload(&proxy).expect_success("reload");
    let _ = kept.try_send(&request);
    assert!(kept.try_receive_response_to("GET").is_err(), "closed");
    assert!(proxy.connect().try_receive_response_to("GET").is_err(), "closed at once");
}

#[test]
fn requests_in_flight_are_not_disturbed() {
    let (send, parts) = std::sync::mpsc::channel();
    let origin = Origin::stepped(parts);
    let proxy = Proxy::start(json!({}));
    let mut client = proxy.connect();
    client.send(format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", origin.url("/")));
    send.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab".to_vec()).unwrap();
    client.receive_through(b"ab");
    for _ in 0..3 {
        proxy.signal(Signal::HUP);
    }
    reload(&proxy).expect_success("reload");
    send.send(b"cd".to_vec()).unwrap();
    assert_eq!(client.receive_through(b"cd"), b"cd");
}

#[test]
fn a_file_that_would_open_the_running_listener_to_the_network_changes_nothing() {
    let users = json!({"coder": crate::hash_of("invented")});
    let proxy = Proxy::start(json!({
        "proxy_host": "0.0.0.0", "enable_gateway_proxy": false, "proxy_auth": users
    }));
    rewrite(&proxy, |config| {
        config.insert("proxy_host".into(), json!("127.0.0.1"));
        config.remove("proxy_auth");
    });
    let outcome = reload(&proxy);
    assert_eq!(outcome.code, Some(1), "{}", outcome.text());
    assert!(outcome.stderr.contains("proxy_host 0.0.0.0"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("nothing is changed"), "{}", outcome.stderr);
    let mut client = proxy.connect();
    client.send("GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n");
    assert_eq!(client.receive_response().status(), 407, "credentials are asked for still");
}

#[test]
fn what_named_files_hold_is_a_change_and_one_that_is_gone_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, watched) = (folder.path().join("own.toml"), folder.path().join("watched.env"));
    let rule = |word: &str| format!("[[rules]]\nid = 'own'\nregex = 'invented-{word}'\n");
    fs::write(&rules, rule("one")).unwrap();
    fs::write(&watched, "KEY=invented-value-0001\n").unwrap();
    let proxy = Proxy::start(json!({"rules_files": [rules], "watch_files": [watched]}));
    let again = reload(&proxy).expect_success("reload");
    assert!(again.stdout.contains("nothing changed"), "{}", again.stdout);
    fs::write(&rules, rule("two")).unwrap();
    let outcome = reload(&proxy).expect_success("reload");
    assert!(outcome.stdout.contains("Changed: rules_files."), "{}", outcome.text());
    fs::write(&watched, "KEY=invented-value-0002\n").unwrap();
    let outcome = reload(&proxy).expect_success("reload");
    assert!(outcome.stdout.contains("Changed: watch_files."), "{}", outcome.text());
    fs::remove_file(&watched).unwrap();
    let outcome = reload(&proxy).expect_success("reload");
    assert!(outcome.stdout.contains("Changed: watch_files."), "{}", outcome.text());
    assert!(outcome.stderr.contains("watched.env cannot be read"), "{}", outcome.text());
}

#[test]
fn a_variable_that_is_no_longer_watched_is_no_change_of_the_watched_files() {
    let folder = tempfile::tempdir().unwrap();
    let watched = folder.path().join("watched.env");
    fs::write(&watched, "KEY=invented-value-0001\n").unwrap();
    let setup = Setup::new(json!({"watch_env": ["OWN_SECRET"], "watch_files": [watched]}));
    let proxy = setup.environment("OWN_SECRET", "invented-value-0002").start();
    rewrite(&proxy, |config| {
        config.insert("watch_env".into(), json!([]));
    });
    let outcome = reload(&proxy).expect_success("reload");
    assert!(outcome.stdout.contains("Changed: watch_env.\n"), "{}", outcome.text());
}

#[test]
fn what_the_command_and_the_monitor_both_warn_of_is_said_once() {
    let proxy = Proxy::start(json!({}));
    rewrite(&proxy, |config| {
        config.insert("add_vai".into(), json!(true));
        config.insert("suppressions".into(), json!([{"reason": "a test", "rule": "no_such"}]));
    });
    let mut command = crate::support::proxy::clean_command();
    command.args(["reload", "--config"]).arg(proxy.setup.directory().join("config.json"));
    let said = crate::support::run::run(&mut command).expect_success("reload").stderr;
    assert_eq!(said.matches("unknown key add_vai").count(), 1, "{said}");
    assert!(said.contains("no rule has the id \"no_such\""), "{said}");
}

#[test]
fn another_file_than_the_monitors_is_refused_and_the_one_that_it_reads_is_named() {
    let proxy = Proxy::start(json!({}));
    let file = proxy.setup.directory().join("config.json");
    proxy.setup.run("reload", &[]).expect_success("its own file");
    let other = proxy.setup.directory().join("other.json");
    fs::copy(&file, &other).unwrap();
    let mut command = crate::support::proxy::clean_command();
    let outcome = crate::support::run::run(command.args(["reload", "--config"]).arg(&other));
    assert_eq!((outcome.code, &*outcome.stdout), (Some(1), ""), "{}", outcome.stderr);
    for path in [&file, &other] {
        assert!(outcome.stderr.contains(path.to_str().unwrap()), "{}", outcome.stderr);
    }
}

#[test]
fn nobody_is_there_to_reload() {
    let setup = Setup::new(json!({}));
    let outcome = setup.run("reload", &[]);
    assert_eq!((outcome.code, outcome.stderr.contains("not running")), (Some(1), true));
}

/// Starts a monitor in a terminal of its own, the words around its command being the shell's; none where no program is
/// there that makes a terminal.
fn start_in_a_terminal(setup: &Setup, before: &str, behind: &str) -> Option<Child> {
    const SCRIPT: &str = "/usr/bin/script";
    if !Path::new(SCRIPT).exists() {
        eprintln!("skipped: there is no {SCRIPT}");
        return None;
    }
    let start = setup.command("start", &[]);
    let words: Vec<_> = start.get_args().map(|word| word.to_str().unwrap().to_owned()).collect();
    let command = format!("exec {before}{BINARY} {}{behind}", words.join(" "));
    let mut terminal = Command::new(SCRIPT);
    terminal.args(["-q", "-c", &command, "/dev/null"]);
    terminal.stdin(Stdio::piped()).stdout(Stdio::null());
    Some(terminal.spawn().unwrap())
}

#[test]
fn closing_its_terminal_still_ends_a_monitor() {
    let setup = Setup::new(json!({}));
    let Some(mut terminal) = start_in_a_terminal(&setup, "", "") else { return };
    let is = |code: i32| setup.run("healthcheck", &[]).code == Some(code);
    wait_until("it serves", || is(0));
    let reloaded = setup.run("reload", &[]).expect_success("reload in a terminal");
    assert!(reloaded.stdout.contains("nothing changed"), "{}", reloaded.stdout);
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    wait_until("it has ended", || setup.run("status", &[]).code == Some(3));
}

/// The number of the terminal of the monitor, by Linux's word; zero where it has none.
fn terminal_of(setup: &Setup) -> Option<u32> {
    let pid = fs::read_to_string(setup.log_dir().join("monitor.pid")).ok()?;
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).ok()?;
    // Behind the name: state, parent, group, session, terminal.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// `nohup clawsec start &`: the signal of the terminal that goes is ignored, and the handler must know.
#[test]
fn a_monitor_started_with_nohup_outlives_its_terminal() {
    let setup = Setup::new(json!({}));
    let Some(mut terminal) = start_in_a_terminal(&setup, "nohup ", " >/dev/null 2>&1") else {
        return;
    };
    wait_until("it serves", || setup.run("healthcheck", &[]).code == Some(0));
    assert!(terminal_of(&setup).is_some_and(|number| number != 0));
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    // With its terminal it is sent the signal, which a monitor of an ordinary start ends by; it has heard it once it
    // has answered another.
    wait_until("its terminal is gone", || terminal_of(&setup) == Some(0));
    setup.run("reload", &[]).expect_success("reload without a terminal");
    assert_eq!(setup.run("status", &[]).code, Some(0));
    setup.run("stop", &[]).expect_success("stop");
}

#[test]
fn rules_and_what_is_accepted_change_on_open_connections() {
    let origin = Origin::http(|_| Reply::ok("ok"));
    let dest = origin.dest();
    let proxy = Proxy::start(json!({"disable": ["unix_sensitive"]}));
    let mut kept = proxy.connect();
    let mut ask = |path: &str| {
        kept.send(format!("GET http://{dest}{path} HTTP/1.1\r\nHost: {dest}\r\n\r\n"));
        assert_eq!(kept.receive_response().text(), "ok");
    };
    ask("/first/etc/passwd");
    rewrite(&proxy, |config| {
        config.insert("disable".into(), json!([]));
        let accepted = json!([{"reason": "a test", "path": "/accepted/*"}]);
        config.insert("suppressions".into(), accepted);
    });
    let outcome = reload(&proxy).expect_success("reload");
    assert!(outcome.stdout.contains("disable, suppressions"), "{}", outcome.stdout);
    ask("/second/etc/passwd");
    ask("/accepted/etc/passwd");
    ask("/third/etc/shadow");
    let found = proxy.wait_for_finding(|found| found.snippet.contains("/third"));
    assert_eq!(found.pattern, "unix_sensitive");
    let told = |part: &str| proxy.findings().iter().any(|found| found.snippet.contains(part));
    assert!(told("/second") && !told("/first") && !told("/accepted"), "{:?}", proxy.findings());

    let own = proxy.setup.directory().join("own.toml");
    fs::write(&own, "[[rules]]\nid = 'broken'\nregex = '('\n").unwrap();
    rewrite(&proxy, |config| {
        config.insert("rules_files".into(), json!([own]));
    });
    let outcome = reload(&proxy);
    assert_eq!(outcome.code, Some(2), "{}", outcome.text());
    assert!(outcome.stderr.contains("broken") && outcome.stderr.contains("nothing is changed"));
    ask("/fourth/etc/shadow");
    proxy.wait_for_finding(|found| found.snippet.contains("/fourth"));
}
