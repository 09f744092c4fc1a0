//! `log_dir` and what is in it: who may touch it, and what happens when it is changed under our feet.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use crate::cause_finding;
use crate::support::{Origin, Proxy, Reply, Setup, json, wait_until};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_directory_and_its_files_are_private() {
    let setup = Setup::new(json!({}));
    let log_dir = setup.directory().join("made/by/start");
    let proxy = setup.with(json!({ "log_dir": log_dir })).start();
    let origin = Origin::http(|_| Reply::ok("ok"));
    cause_finding(&proxy, &origin);
    proxy.wait_for_finding(|_| true);
    assert_eq!(mode(&log_dir), 0o700);
    assert_eq!(mode(&log_dir.join("ca.crt")), 0o644);
    for private in ["ca.key", "threats.jsonl", "clawsec.log", "monitor.pid"] {
        assert_eq!(mode(&log_dir.join(private)) & 0o077, 0, "{private}");
    }
}

#[test]
fn a_log_dir_that_is_a_symlink_is_refused() {
    let setup = Setup::new(json!({}));
    let link = setup.directory().join("link");
    symlink(setup.log_dir(), &link).unwrap();
    let setup = setup.with(json!({ "log_dir": link }));
    let refused = setup.start_refused();
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.to_lowercase().contains("sym"), "{}", refused.stderr);
    assert!(refused.stderr.contains(link.to_str().unwrap()), "{}", refused.stderr);
    assert!(!link.join("ca.key").exists());
}

#[test]
fn a_log_dir_that_others_may_write_to_is_refused() {
    for writable in [0o777, 0o770, 0o1777] {
        let setup = Setup::new(json!({}));
        set_mode(setup.log_dir(), writable);
        let refused = setup.start_refused();
        assert_ne!(refused.code, Some(0), "{writable:o}");
        assert!(refused.stderr.contains("writ"), "{writable:o}: {}", refused.stderr);
        assert!(!setup.log_dir().join("ca.key").exists());
    }
}

#[test]
fn a_log_dir_of_somebody_else_is_refused() {
    let setup = Setup::new(json!({}));
    if fs::metadata(setup.log_dir()).unwrap().uid() != 0 {
        eprintln!("only root can give a directory away: nothing shown here");
        return;
    }
    chown(setup.log_dir(), Some(54_321), None).unwrap();
    let refused = setup.start_refused();
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains(setup.log_dir().to_str().unwrap()), "{}", refused.stderr);
    assert!(!setup.log_dir().join("ca.key").exists());
}

#[test]
fn a_log_dir_that_others_may_read_is_made_private() {
    let setup = Setup::new(json!({}));
    set_mode(setup.log_dir(), 0o755);
    let proxy = setup.start();
    assert_eq!(mode(proxy.log_dir()), 0o700);
}

#[test]
fn findings_go_to_a_fresh_file_after_theirs_was_deleted_or_rotated() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    cause_finding(&proxy, &origin);
    proxy.wait_for_finding(|_| true);
    fs::remove_file(proxy.threats_path()).unwrap();
    cause_finding(&proxy, &origin);
    proxy.wait_for_finding(|_| true);
    assert_eq!(proxy.findings().len(), 1);
    let rotated = proxy.log_dir().join("threats.jsonl.1");
    fs::rename(proxy.threats_path(), &rotated).unwrap();
    cause_finding(&proxy, &origin);
    proxy.wait_for_finding(|_| true);
    assert_eq!(proxy.findings().len(), 1);
    assert_eq!(fs::read_to_string(rotated).unwrap().lines().count(), 1);
}

#[test]
fn a_torn_last_line_is_repaired_at_start() {
    let proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    cause_finding(&proxy, &origin);
    proxy.wait_for_finding(|_| true);
    let path = proxy.threats_path();
    let setup = proxy.stop();
    let whole = fs::read_to_string(&path).unwrap();
    let torn = &whole.as_bytes()[..whole.len() / 2];
    fs::write(&path, [whole.as_bytes(), torn].concat()).unwrap();
    let proxy = setup.start();
    cause_finding(&proxy, &origin);
    proxy.wait_for_finding(|_| proxy.findings().len() == 2);
    assert!(proxy.threats_text().starts_with(&whole));
    let threats = proxy.setup.run("threats", &[]);
    assert_eq!(threats.stdout.matches("\"pattern\"").count(), 2, "{}", threats.text());
}

#[test]
fn a_monitor_whose_folder_was_emptied_under_it_is_found_and_stopped_all_the_same() {
    let mut proxy = Proxy::start(json!({}));
    let log_dir = proxy.log_dir().to_owned();
    for entry in fs::read_dir(&log_dir).unwrap() {
        let _ = fs::remove_file(entry.unwrap().path());
    }
    wait_until("the PID file", || log_dir.join("monitor.pid").exists());
    proxy.wait_for_log(&["monitor.pid was removed"]);
    wait_until("the state", || proxy.setup.run("status", &[]).stdout.contains("Version"));
    let second = proxy.setup.start_refused();
    assert!(second.stderr.contains("already running"), "{}", second.stderr);
    proxy.setup.run("stop", &[]).expect_success("stop");
    assert_eq!(proxy.wait_exit(), Some(0));
    assert!(!log_dir.join("monitor.pid").exists());
}

/// `status` found nobody, and findings were lost at the end.
#[test]
fn a_monitor_whose_folder_was_removed_makes_it_again_and_goes_on() {
    let mut proxy = Proxy::start(json!({}));
    let origin = Origin::http(|_| Reply::ok("ok"));
    let log_dir = proxy.log_dir().to_owned();
    fs::rename(&log_dir, log_dir.with_extension("old")).unwrap();
    cause_finding(&proxy, &origin);
    wait_until("the PID file", || log_dir.join("monitor.pid").exists());
    assert_eq!(mode(&log_dir), 0o700);
    proxy.wait_for_log(&["[ERROR]", "log_dir was removed, and is made again"]);
    proxy.wait_for_finding(|_| true);
    let told = || proxy.setup.run("status", &[]).stdout;
    wait_until("the state", || told().contains("RUNNING") && told().contains("Version"));
    proxy.setup.run("stop", &[]).expect_success("stop");
    assert_eq!(proxy.wait_exit(), Some(0));
}

#[test]
fn a_start_whose_ca_was_cleaned_away_says_that_nobody_trusts_the_new_one() {
    let setup = Proxy::start(json!({})).stop();
    for name in ["ca.crt", "ca.key"] {
        fs::remove_file(setup.log_dir().join(name)).unwrap();
    }
    let proxy = setup.start();
    proxy.wait_for_log(&["[WARNING]", "but no CA: a new one is made"]);
}
