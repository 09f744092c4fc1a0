//! Repeats that are held back: each is told once, and whoever counts them says the same.

use std::thread;

use serde_json::Value;

use crate::metrics::{page, value};
use crate::support::{Finding, Origin, Proxy, Reply, json, wait_for};

const BATCHES: usize = 4;
const CLIENTS: usize = 6;
const REQUESTS: usize = 5;
/// Each is found on its way to the origin, and on its way back.
const SEEN: u64 = (BATCHES * CLIENTS * REQUESTS * 2) as u64;

/// Batches of equal requests, over connections that the cores share among them.
fn send(proxy: &Proxy, origin: &Origin, rest: impl Fn()) {
    let url = origin.url("/etc/shadow");
    for _ in 0..BATCHES {
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    (0..REQUESTS).for_each(|_| assert_eq!(proxy.get(&url).status(), 200))
                });
            }
        });
        rest();
    }
}

fn echo() -> Origin {
    Origin::http(|request| Reply::ok(&request.start))
}

fn told(findings: &[Finding]) -> u64 {
    findings.iter().map(|finding| finding.suppressed).sum()
}

fn number(object: &Value, field: &str) -> u64 {
    object[field].as_u64().unwrap_or_else(|| panic!("{field} in {object}"))
}

/// The last batch was told with the next finding of its key only: of 116 repeats the file told 107, and `status` 116.
#[test]
fn every_repeat_is_told_once_and_all_who_count_agree() {
    let overrides = json!({"dedup_window_secs": 1, "workers": 2, "admin_addr": "127.0.0.1:0", "log_level": "DEBUG"});
    let (proxy, origin) = (Proxy::start(overrides), echo());
    // A batch in a window of its own, as far as that goes, and one behind it.
    send(&proxy, &origin, || thread::sleep(std::time::Duration::from_millis(600)));
    let told = wait_for("every repeat to be told", || {
        let (status, page) = (proxy.status(), page(&proxy));
        let is_quiet = number(&status, "threats_written") + number(&status, "suppressed") == SEEN
            && number(&status, "untold") == 0;
        is_quiet.then_some((status, page))
    });
    let (status, page) = told;
    let (lines, suppressed) = (number(&status, "threats_written"), number(&status, "suppressed"));
    assert_eq!(value(&page, "clawsec_findings_suppressed_total "), suppressed as f64);
    assert_eq!(value(&page, "clawsec_findings_untold "), 0.0);
    let findings = proxy.findings();
    assert_eq!((findings.len() as u64, self::told(&findings)), (lines, suppressed));
    let stats = proxy.setup.run("stats", &["--json", "--all"]).expect_success("stats");
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    assert_eq!((number(&stats, "total"), number(&stats, "suppressed")), (lines, suppressed));
    let setup = proxy.stop();
    let stats = setup.run("stats", &["--json", "--all"]).expect_success("stats");
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    assert_eq!((number(&stats, "total"), number(&stats, "suppressed")), (lines, suppressed));
}

#[test]
fn what_is_held_back_at_the_end_is_told() {
    let overrides = json!({"dedup_window_secs": 3600, "workers": 2, "admin_addr": "127.0.0.1:0"});
    let (proxy, origin) = (Proxy::start(overrides), echo());
    send(&proxy, &origin, || ());
    let status = wait_for("all to be counted", || {
        let status = proxy.status();
        let counted = number(&status, "threats_written") + number(&status, "suppressed");
        (counted == SEEN).then_some(status)
    });
    let lines = number(&status, "threats_written");
    assert_eq!((lines, number(&status, "untold")), (2, SEEN - 2), "{status}");
    let page = page(&proxy);
    assert_eq!(value(&page, "clawsec_findings_suppressed_total "), 0.0);
    assert_eq!(value(&page, "clawsec_findings_untold "), (SEEN - 2) as f64);
    let shown = proxy.setup.run("status", &[]).expect_success("status").stdout;
    let words = format!("2 written, {0} repeats held back ({0} of them not told", SEEN - 2);
    assert!(shown.contains(&words), "{shown}");
    let setup = proxy.stop();
    let stats = setup.run("stats", &["--json", "--all"]).expect_success("stats");
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    // A line at the begin of each window, and one at its end.
    assert_eq!((number(&stats, "total"), number(&stats, "suppressed")), (4, SEEN - 4), "{stats}");
}
