//! The thread as a whole: what goes into the queues is in the files after the shutdown.

use std::collections::HashMap;

use log::{Log, Record};

use super::*;
use crate::report::STATE_FILE_NAME;
use crate::report::core::CoreReporter;
use crate::report::dedup::tests::finding;
use crate::report::last_look::{LastLook, Texts};
use crate::report::log_record::{self, LogSender};
use crate::report::queue::{FindingSender, bounded};
use crate::report::windows::Subject;

/// Long enough for any machine; nothing waits for its end.
const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    dir: tempfile::TempDir,
    findings: FindingSender,
    log: LogSender,
    core: Arc<Counters>,
    handle: LoggerHandle,
}

fn silent() -> Console {
    Console::to(std::io::pipe().unwrap().1)
}

fn start_in(dir: tempfile::TempDir, dedup_window: Duration) -> io::Result<Running> {
    let (findings, received_findings) = bounded(1000);
    let (log, received_log) = log_record::channel(LevelFilter::Info, 1000, silent());
    let core = Arc::new(Counters::default());
    let config = LoggerConfig {
        log_dir: dir.path().to_owned(),
        dedup_window,
        dedup_by: DedupBy::Pattern,
        log_level: LevelFilter::Info,
        tally: Arc::default(),
        cpu: core_affinity::get_core_ids().and_then(|ids| ids.first().copied()),
    };
    let cores = vec![Arc::clone(&core)];
    let handle = spawn_with(config, received_findings, received_log, cores, silent())?;
    Ok(Running { dir, findings, log, core, handle })
}

fn start(dedup_window: Duration) -> Running {
    start_in(tempfile::tempdir().unwrap(), dedup_window).unwrap()
}

impl Running {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn say(&self, message: &str) {
        let args = format_args!("{message}");
        self.log.log(&Record::builder().level(Level::Info).target("clawsec").args(args).build());
    }

    /// Stops the thread; the directory stays to be looked at.
    fn stop(self) -> (tempfile::TempDir, Drained) {
        (self.dir, self.handle.shutdown(Instant::now() + PATIENCE))
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn offer(findings: &FindingSender, finding: &Finding) {
    while findings.offer(finding.clone()).is_err() {
        thread::yield_now();
    }
}

#[test]
fn none_of_100_000_findings_is_lost_or_out_of_order() {
    const SENDERS: usize = 4;
    const EACH: usize = 25_000;
    let running = start(Duration::ZERO);
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let findings = running.findings.clone();
            thread::spawn(move || {
                let mut seen = finding("p", &format!("sender{sender}:1"));
                for number in 0..EACH {
                    seen.snippet = number.to_string();
                    offer(&findings, &seen);
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    let (dir, drained) = running.stop();
    assert!(drained.all_written(), "{drained:?}");
    let mut next: HashMap<String, usize> = HashMap::new();
    for line in lines(&dir.path().join(THREATS_FILE_NAME)) {
        let threat: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = next.entry(threat["dest"].as_str().unwrap().to_owned()).or_default();
        assert_eq!(threat["snippet"], expected.to_string());
        *expected += 1;
    }
    assert_eq!(next.len(), SENDERS);
    assert!(next.values().all(|count| *count == EACH));
}

/// The thread's own parts, not running.
fn at_rest(dir: &tempfile::TempDir) -> (Logger, FindingSender, LogSender, Sender<Command>) {
    let (findings, received_findings) = bounded(10);
    let (log, received_log) = log_record::channel(LevelFilter::Info, 10, silent());
    received_log.attach();
    let (commands, received_commands) = crossbeam_channel::bounded(1);
    let (threats, _) = ThreatsFile::open(dir.path().join(THREATS_FILE_NAME)).unwrap();
    let log_path = dir.path().join(LOG_FILE_NAME);
    let log_file = LogFile::open(log_path, LOG_ROTATE_BYTES, LOG_BACKUPS, silent()).unwrap();
    let counts = Counts { cores: Vec::new(), tally: Arc::default() };
    let dedup = Dedup::new(Duration::ZERO, DedupBy::Pattern, 10, 10);
    let level = LevelFilter::Info;
    let logger = Logger {
        findings: received_findings,
        log: received_log,
        commands: received_commands,
        journal: Journal::new(dir.path().to_owned(), level, counts, dedup, threats, log_file),
        findings_end: false,
        lines_end: false,
        rests_until: None,
    };
    (logger, findings, log, commands)
}

#[test]
fn the_first_finding_does_not_wait_and_those_after_it_wait_for_the_end_of_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (mut logger, findings, log, _commands) = at_rest(&dir);
    let no_ticks = never();
    findings.offer(finding("a", "a:1")).unwrap();
    let Event::Finding(first) = logger.next_event(&no_ticks) else { panic!("it waits") };
    logger.take_findings(first);
    let rests_until = logger.rests_until.unwrap();
    assert!(rests_until <= Instant::now() + Duration::from_millis(REPORT_REST_MS));
    findings.offer(finding("b", "a:1")).unwrap();
    let args = format_args!("a record");
    log.log(&Record::builder().level(Level::Info).target("clawsec").args(args).build());
    assert!(matches!(logger.next_event(&no_ticks), Event::Rested));
    assert!(Instant::now() >= rests_until);
    logger.rests_until = None;
    // Either of the two queues: neither is left to itself for long.
    assert!(matches!(logger.next_event(&no_ticks), Event::Finding(_) | Event::Line(_)));
}

#[test]
fn there_is_no_rest_while_something_waits_and_a_command_ends_none() {
    let dir = tempfile::tempdir().unwrap();
    let (mut logger, findings, _log, commands) = at_rest(&dir);
    findings.offer(finding("a", "a:1")).unwrap();
    logger.rest();
    assert_eq!(logger.rests_until, None);
    logger.rests_until = Some(Instant::now() + PATIENCE);
    commands.send(Command::Publish(Box::default())).unwrap();
    assert!(matches!(logger.next_event(&never()), Event::Command(Command::Publish(_))));
}

fn without_examples() -> LastLook {
    LastLook::new(|are, texts| {
        let secret = match are {
            Texts::Snippets => "EXAMPLE",
            Texts::Names => "example",
        };
        texts.iter_mut().for_each(|text| **text = text.replace(secret, "..."));
    })
}

#[test]
fn a_last_look_that_cannot_be_made_is_told_and_the_one_before_it_goes_on() {
    let running = start(Duration::ZERO);
    assert_eq!(running.handle.look_last(Box::new(|| Ok(without_examples()))), Ok(()));
    let failed = running.handle.look_last(Box::new(|| Err("no memory".to_owned())));
    assert_eq!(failed, Err("no memory".to_owned()));
    let snippet = "a secret EXAMPLE here".into();
    running.findings.offer(Finding { snippet, ..finding("p", "a:1") }).unwrap();
    let (dir, _) = running.stop();
    let text = std::fs::read_to_string(dir.path().join(THREATS_FILE_NAME)).unwrap();
    assert!(text.contains("a secret ... here"), "{text}");
}

#[test]
fn every_snippet_is_looked_at_once_more() {
    let running = start(Duration::ZERO);
    assert_eq!(running.handle.look_last(Box::new(|| Ok(without_examples()))), Ok(()));
    for snippet in ["a secret EXAMPLE here", "nothing to hide"] {
        running.findings.offer(Finding { snippet: snippet.into(), ..finding("p", "a:1") }).unwrap();
    }
    let (dir, _) = running.stop();
    let text = std::fs::read_to_string(dir.path().join(THREATS_FILE_NAME)).unwrap();
    assert!(text.contains("a secret ... here") && text.contains("nothing to hide"), "{text}");
    let log = std::fs::read_to_string(dir.path().join(LOG_FILE_NAME)).unwrap();
    assert!(!text.contains("EXAMPLE") && !log.contains("EXAMPLE"), "{log}");
}

/// A value that was sent as a label of a host's name stood whole in the destination of each finding.
#[test]
fn a_secret_in_a_hosts_name_is_in_no_destination() {
    let running = start(Duration::from_secs(3600));
    assert_eq!(running.handle.look_last(Box::new(|| Ok(without_examples()))), Ok(()));
    for host in ["example.evil.test:443", "example.other.test:443", "example.evil.test:443"] {
        running.findings.offer(finding("p", host)).unwrap();
    }
    let (dir, _) = running.stop();
    let text = std::fs::read_to_string(dir.path().join(THREATS_FILE_NAME)).unwrap();
    let dests = ["\"dest\": \"....evil.test:443\"", "\"dest\": \"....other.test:443\""];
    let counts = dests.map(|dest| text.matches(dest).count());
    assert_eq!(counts, [2, 1], "they are told apart, and a repeat is told at the end: {text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    let log = std::fs::read_to_string(dir.path().join(LOG_FILE_NAME)).unwrap();
    assert!(log.contains(" p ....other.test:443 | "), "{log}");
    assert!(!text.contains("example") && !log.contains("example"), "{text}{log}");
}

#[test]
fn a_flood_of_one_finding_is_one_line_and_all_of_it_is_counted() {
    let running = start(Duration::from_secs(3600));
    running.handle.publish(State::default());
    wait_until("the state is shown", || state::read(running.dir.path()).is_ok());
    let mut reporters: Vec<CoreReporter> = (0..2)
        .map(|_| {
            let window = Duration::from_secs(3600);
            let (findings, core) = (running.findings.clone(), Arc::clone(&running.core));
            CoreReporter::new(findings, core, window, DedupBy::Pattern)
        })
        .collect();
    let start = Instant::now();
    for number in 0..10_000 {
        let now = start + Duration::from_millis(number);
        for reporter in &mut reporters {
            let mut seen = finding("p", "a:1");
            if reporter.admits(&Subject::of(&seen), now) {
                seen.seen_at_mono = now;
                reporter.submit(seen);
            }
        }
    }
    let handed_over = running.core.findings.get();
    assert!(
        (22..=24).contains(&handed_over),
        "once a second, and the first repeats: {handed_over}"
    );
    let shown = || state::read(running.dir.path()).unwrap();
    wait_until("all is counted", || shown().suppressed == 19_999 && shown().threats_written == 1);
    let (dir, drained) = running.stop();
    assert!(drained.all_written());
    let lines = lines(&dir.path().join(THREATS_FILE_NAME));
    assert_eq!(lines.len(), 2);
    assert!(!lines[0].contains("suppressed"), "{lines:?}");
    assert!(lines[1].ends_with("\"suppressed\": 19998}"), "the last one tells of all: {lines:?}");
}

#[test]
fn records_are_lines_of_the_log() {
    let running = start(Duration::ZERO);
    running.say("first\nsecond");
    running.handle.publish(State { pid: std::process::id(), ..State::default() });
    wait_until("the state is shown", || running.path(STATE_FILE_NAME).exists());
    let (dir, drained) = running.stop();
    assert_eq!(drained, Drained { ended: true, findings_unwritten: 0, log_lines_unwritten: 0 });
    let log = lines(&dir.path().join(LOG_FILE_NAME));
    assert_eq!(log.len(), 1);
    assert!(log[0].ends_with(" [INFO] clawsec: first\\nsecond"), "{log:?}");
    assert!(!dir.path().join(STATE_FILE_NAME).exists(), "a stopped monitor shows no state");
}

#[test]
fn a_removed_file_is_back_with_the_next_finding() {
    let running = start(Duration::ZERO);
    let path = running.path(THREATS_FILE_NAME);
    offer(&running.findings, &finding("a", "a:1"));
    wait_until("the first is written", || lines(&path).len() == 1);
    std::fs::remove_file(&path).unwrap();
    offer(&running.findings, &finding("b", "a:1"));
    wait_until("the second is in a new file", || lines(&path).len() == 1);
    assert!(lines(&path)[0].contains("\"pattern\": \"b\""));
    assert!(running.stop().1.all_written());
}

#[test]
fn what_cannot_be_written_waits_in_the_queue_and_is_written_later() {
    let running = start(Duration::ZERO);
    let path = running.path(THREATS_FILE_NAME);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    for _ in 0..500 {
        offer(&running.findings, &finding("a", "a:1"));
    }
    let log = running.path(LOG_FILE_NAME);
    let is_told = || lines(&log).iter().any(|line| line.contains("cannot be written"));
    wait_until("the failure is told", is_told);
    std::fs::remove_dir(&path).unwrap();
    wait_until("all is written", || lines(&path).len() == 500);
    assert!(running.stop().1.all_written());
}

#[test]
fn a_shutdown_goes_on_trying_until_its_deadline_and_counts_what_is_left() {
    let running = start(Duration::ZERO);
    let path = running.path(THREATS_FILE_NAME);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    for _ in 0..300 {
        offer(&running.findings, &finding("a", "a:1"));
    }
    let drained = running.handle.shutdown(Instant::now() + Duration::from_millis(50));
    assert!(drained.ended && !drained.all_written());
    assert_eq!(drained.findings_unwritten, 300);
    let log = lines(&running.dir.path().join(LOG_FILE_NAME));
    assert!(log.last().unwrap().ends_with("[ERROR] clawsec: 300 findings could not be written"));
}

#[test]
fn a_disk_that_recovers_during_the_shutdown_loses_nothing() {
    let running = start(Duration::ZERO);
    let path = running.path(THREATS_FILE_NAME);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    for _ in 0..300 {
        offer(&running.findings, &finding("a", "a:1"));
    }
    let log = running.path(LOG_FILE_NAME);
    wait_until("it fails", || lines(&log).iter().any(|line| line.contains("cannot be written")));
    let recovering = path.clone();
    let recovery = thread::spawn(move || {
        thread::sleep(Duration::from_millis(20));
        std::fs::remove_dir(recovering).unwrap();
    });
    let (_dir, drained) = running.stop();
    recovery.join().unwrap();
    assert!(drained.all_written(), "{drained:?}");
    assert_eq!(lines(&path).len(), 300);
}

#[test]
fn what_was_lost_reaches_the_log_at_the_latest_at_the_end() {
    let running = start(Duration::ZERO);
    running.core.findings_dropped.add(3);
    let (dir, drained) = running.stop();
    assert!(drained.all_written(), "what never got into the queue is counted elsewhere");
    let log = lines(&dir.path().join(LOG_FILE_NAME));
    assert!(log.iter().any(|line| line.contains("3 findings were lost")), "{log:?}");
}

#[test]
fn a_thread_whose_handle_is_gone_writes_what_waits_and_ends() {
    let Running { dir, findings, handle, log: _log, core: _core } = start(Duration::ZERO);
    let LoggerHandle { commands, ended, .. } = handle;
    offer(&findings, &finding("a", "a:1"));
    drop(commands);
    assert!(ended.recv_timeout(PATIENCE).unwrap().all_written());
    assert_eq!(lines(&dir.path().join(THREATS_FILE_NAME)).len(), 1);
}

#[test]
fn senders_that_are_gone_do_not_end_it() {
    let Running { dir, findings, log, core, handle } = start(Duration::ZERO);
    offer(&findings, &finding("a", "a:1"));
    drop((findings, log));
    core.findings_dropped.add(1);
    let path = dir.path().join(LOG_FILE_NAME);
    wait_until("it still ticks", || lines(&path).iter().any(|line| line.contains("were lost")));
    assert!(handle.shutdown(Instant::now() + PATIENCE).all_written());
    assert_eq!(lines(&dir.path().join(THREATS_FILE_NAME)).len(), 1);
}

#[test]
fn a_torn_line_is_repaired_and_told_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(THREATS_FILE_NAME), "{\"a\":1}\n{\"torn").unwrap();
    let (dir, _) = start_in(dir, Duration::ZERO).unwrap().stop();
    assert_eq!(lines(&dir.path().join(THREATS_FILE_NAME)), ["{\"a\":1}"]);
    let log = lines(&dir.path().join(LOG_FILE_NAME));
    assert!(log[0].ends_with("the last line was torn; cut off 6 bytes"), "{log:?}");
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    for name in [THREATS_FILE_NAME, LOG_FILE_NAME] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join(name)).unwrap();
        let Err(error) = start_in(dir, Duration::ZERO) else { panic!("{name} was opened") };
        assert!(error.to_string().contains(name), "{error}");
    }
}
