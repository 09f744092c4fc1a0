//! The journal without its thread: every moment is given, so that nothing depends on timing.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use super::*;
use crate::config::DedupBy;
use crate::report::console::Console;
use crate::report::dedup::tests::finding;
use crate::report::{LOG_FILE_NAME, state};

const WINDOW: Duration = Duration::from_secs(60);
const RETRY_MIN: Duration = Duration::from_millis(THREATS_RETRY_MIN_MS);

struct Place {
    dir: tempfile::TempDir,
    core: Arc<Counters>,
    journal: Journal,
}

/// A journal that writes its threats to `threats_path`.
fn place_at(dir: tempfile::TempDir, threats_path: PathBuf, level: LevelFilter) -> Place {
    let console = Console::to(std::io::pipe().unwrap().1);
    let log = LogFile::open(dir.path().join(LOG_FILE_NAME), 1 << 20, 3, console).unwrap();
    let (threats, _) = ThreatsFile::open(threats_path).unwrap();
    let core = Arc::new(Counters::default());
    let cores = vec![Arc::new(Counters::default()), Arc::clone(&core)];
    let dedup = Dedup::new(WINDOW, DedupBy::Pattern, 10, 10);
    let counts = Counts { cores, tally: Arc::default() };
    let journal = Journal::new(dir.path().to_owned(), level, counts, dedup, threats, log);
    Place { dir, core, journal }
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let threats_path = dir.path().join(THREATS_FILE_NAME);
    place_at(dir, threats_path, LevelFilter::Info)
}

impl Place {
    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).unwrap()
    }

    /// The messages of the log, without time.
    fn messages(&mut self) -> Vec<String> {
        self.journal.write_admitted();
        self.journal.flush_log();
        self.read(LOG_FILE_NAME).lines().map(|line| line[24..].to_owned()).collect()
    }
}

/// A full disk that can be swapped for a real directory.
fn full_disk() -> (Place, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (here, real) = (dir.path().join("here"), dir.path().join("real"));
    std::fs::create_dir(&real).unwrap();
    symlink("/dev", &here).unwrap();
    let threats_path = here.join("full");
    (place_at(dir, threats_path, LevelFilter::Info), here, real)
}

fn make_room(here: &Path, real: &Path) {
    std::fs::remove_file(here).unwrap();
    std::fs::rename(real, here).unwrap();
}

#[test]
fn a_finding_is_one_line_in_each_file() {
    let mut place = place();
    let now = Instant::now();
    let mut seen = finding("ai_api_key", "api.anthropic.com:443");
    place.journal.take_finding(seen.clone());
    place.journal.take_finding(seen.clone());
    place.journal.flush(now);
    assert_eq!(place.read(THREATS_FILE_NAME).lines().count(), 1);
    let expected = "[WARNING] clawsec: [HTTPS/outbound] EXFIL ai_api_key api.anthropic.com:443 \
                    | Authorization: Bearer sk-ant-api01-...";
    assert_eq!(place.messages(), [expected]);
    seen.seen_at_mono += WINDOW;
    place.journal.take_finding(seen.clone());
    place.journal.flush(now);
    let text = place.read(THREATS_FILE_NAME);
    assert!(text.ends_with("\"suppressed\": 1}\n"), "{text}");
    assert_eq!(place.messages().len(), 2);
}

#[test]
fn a_snippet_is_shown_to_the_bound() {
    let mut place = place();
    let mut seen = finding("p", "a:1");
    seen.protocol = Protocol::Gateway;
    seen.snippet = "é".repeat(LOG_SNIPPET_CHARS);
    place.journal.take_finding(seen.clone());
    seen.pattern = "q".into();
    seen.protocol = Protocol::Http;
    seen.snippet.push('x');
    place.journal.take_finding(seen.clone());
    let messages = place.messages();
    let shown = "é".repeat(LOG_SNIPPET_CHARS);
    assert_eq!(messages[0], format!("[WARNING] clawsec: [GATEWAY/outbound] EXFIL p a:1 | {shown}"));
    assert_eq!(messages[1], format!("[WARNING] clawsec: [HTTP/outbound] EXFIL q a:1 | {shown}"));
}

#[test]
fn the_level_holds_for_the_journals_own_lines() {
    let dir = tempfile::tempdir().unwrap();
    let threats_path = dir.path().join(THREATS_FILE_NAME);
    let mut place = place_at(dir, threats_path, LevelFilter::Error);
    place.journal.take_finding(finding("p", "a:1"));
    place.journal.tick(Instant::now(), 3);
    place.journal.tell(Level::Error, format_args!("heard"));
    assert_eq!(place.messages(), ["[ERROR] clawsec: heard"]);
}

#[test]
fn a_full_disk_is_told_once_waited_out_and_told_to_be_over() {
    let (mut place, here, real) = full_disk();
    let start = Instant::now();
    place.journal.publish(state::tests::state());
    place.journal.take_finding(finding("a", "a:1"));
    assert!(place.journal.takes_findings());
    place.journal.flush(start);
    assert!(!place.journal.takes_findings(), "what comes now waits in the queue");
    assert_eq!(place.journal.retry_at(), Some(start + RETRY_MIN));
    place.journal.flush(start + RETRY_MIN - Duration::from_nanos(1));
    assert_eq!(place.journal.retry_at(), Some(start + RETRY_MIN), "not tried before its time");
    let second = start + RETRY_MIN;
    place.journal.flush(second);
    assert_eq!(place.journal.retry_at(), Some(second + RETRY_MIN * 2), "the wait doubles");
    let longest = Duration::from_millis(THREATS_RETRY_MAX_MS);
    let mut now = second;
    for _ in 0..5 {
        now = place.journal.retry_at().unwrap();
        place.journal.flush(now);
    }
    assert_eq!(place.journal.retry_at(), Some(now + longest), "but not without end");
    place.journal.tick(Instant::now(), 0);
    assert!(place.journal.counts.tally.lines().is_empty(), "not written, not counted");
    assert!(place.journal.counts.tally.failure().unwrap().contains("No space left"));
    let shown = state::read(place.dir.path()).unwrap().last_error.unwrap();
    assert!(shown.contains("No space left"), "{shown}");
    make_room(&here, &real);
    place.journal.flush(now + longest);
    place.journal.tick(Instant::now(), 0);
    assert!(place.journal.takes_findings());
    assert_eq!(place.journal.lines_waiting(), 0);
    assert_eq!(std::fs::read_to_string(here.join("full")).unwrap().lines().count(), 1);
    assert_eq!(state::read(place.dir.path()).unwrap().last_error, None);
    assert_eq!(place.journal.counts.tally.failure(), None);
    assert_eq!(place.journal.counts.tally.lines().len(), 1);
    let messages = place.messages();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[1].starts_with("[ERROR] clawsec: threats.jsonl cannot be written: No space"));
    assert!(messages[2].starts_with("[WARNING] clawsec: threats.jsonl is written again, after"));
}

#[test]
fn a_new_reason_why_threats_cannot_be_written_is_told_once() {
    let (mut place, here, real) = full_disk();
    let mut now = Instant::now();
    place.journal.take_finding(finding("a", "a:1"));
    place.journal.flush(now);
    // A directory in the file's place.
    std::fs::create_dir(real.join("full")).unwrap();
    make_room(&here, &real);
    for _ in 0..3 {
        now = place.journal.retry_at().unwrap();
        place.journal.flush(now);
    }
    let messages = place.messages();
    let told = |part: &str| messages.iter().filter(|message| message.contains(part)).count();
    assert_eq!(told("cannot be written: No space left"), 1, "{messages:?}");
    assert_eq!(told("still cannot be written, now: Is a directory"), 1, "{messages:?}");
    assert!(place.journal.counts.tally.failure().unwrap().contains("Is a directory"));
}

#[test]
fn what_full_queues_lost_is_told_by_what_was_added() {
    let mut place = place();
    place.journal.tick(Instant::now(), 0);
    place.core.findings_dropped.add(3);
    place.journal.tick(Instant::now(), 0);
    place.journal.tick(Instant::now(), 0);
    place.core.findings_dropped.add(1);
    place.journal.tick(Instant::now(), 0);
    let messages = place.messages();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages[0].contains("3 findings were lost") && messages[0].ends_with("3 since the start")
    );
    assert!(
        messages[1].contains("1 findings were lost") && messages[1].ends_with("4 since the start")
    );
}

#[test]
fn lost_records_are_told() {
    let mut place = place();
    place.journal.tick(Instant::now(), 7);
    place.journal.tick(Instant::now(), 0);
    assert_eq!(place.journal.log_lines_unwritten(), 7);
    let messages = place.messages();
    assert_eq!(messages.len(), 1);
    assert!(messages[0].contains("7 log records were lost"));
}

#[test]
fn the_state_shows_the_sums_and_is_rewritten_only_when_they_change() {
    let mut place = place();
    let path = place.dir.path().join(STATE_FILE_NAME);
    place.journal.tick(Instant::now(), 0);
    assert!(!path.exists(), "nothing is shown before it is known what");
    place.journal.publish(state::tests::state());
    let first = std::fs::metadata(&path).unwrap().ino();
    place.journal.tick(Instant::now(), 0);
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), first);
    place.core.repeats.add(4);
    place.core.findings_dropped.add(2);
    place.core.requests.add(9);
    place.journal.take_finding(finding("p", "a:1"));
    place.journal.take_finding(finding("p", "a:1"));
    place.journal.flush(Instant::now());
    place.journal.tick(Instant::now(), 0);
    assert_ne!(std::fs::metadata(&path).unwrap().ino(), first);
    let shown = state::read(place.dir.path()).unwrap();
    assert_eq!((shown.pid, shown.workers), (4711, 2));
    assert_eq!((shown.threats_written, shown.suppressed, shown.dropped), (1, 5, 2));
    assert_eq!(shown.untold, 5);
    assert_eq!(shown.counters["requests"], 9);
    assert_eq!(shown.counters.len(), Counters::default().snapshot().count());
}

/// What was held back was told with the next finding of its key only: never, where none came.
#[test]
fn what_is_held_back_is_told_by_a_line_of_its_own_where_none_follows() {
    let mut place = place();
    place.journal.publish(state::tests::state());
    let seen = finding("p", "a:1");
    for _ in 0..4 {
        place.journal.take_finding(seen.clone());
    }
    let mut shown_at = |at: Instant| {
        place.journal.tick(at, 0);
        place.journal.flush(at);
        place.journal.tick(at, 0);
        let shown = state::read(place.dir.path()).unwrap();
        let lines = place.read(THREATS_FILE_NAME);
        ((shown.threats_written, shown.suppressed, shown.untold), lines)
    };
    let over = seen.seen_at_mono + WINDOW * 2;
    assert_eq!(shown_at(over).0, (1, 3, 3));
    let (shown, lines) = shown_at(over + Duration::from_nanos(1));
    assert_eq!(shown, (2, 2, 0));
    let (first, last) = lines.trim_end().split_once('\n').unwrap();
    assert_eq!(last, first.replace('}', ", \"suppressed\": 2}"));
    assert_eq!(shown_at(over + WINDOW * 9), (shown, lines));
}

#[test]
fn while_lines_cannot_be_written_nothing_is_told_late() {
    let (mut place, here, real) = full_disk();
    let seen = finding("p", "a:1");
    place.journal.take_finding(seen.clone());
    place.journal.take_finding(seen.clone());
    let over = seen.seen_at_mono + WINDOW * 3;
    place.journal.flush(over);
    assert_eq!(place.journal.lines_waiting(), 1);
    place.journal.tick(over, 0);
    assert_eq!(place.journal.lines_waiting(), 1);
    make_room(&here, &real);
    place.journal.flush_at_once(over);
    place.journal.tick(over, 0);
    assert_eq!(place.journal.lines_waiting(), 1);
}

#[test]
fn a_state_that_was_removed_comes_back_although_it_shows_nothing_new() {
    let mut place = place();
    let path = place.dir.path().join(STATE_FILE_NAME);
    place.journal.publish(state::tests::state());
    std::fs::remove_file(&path).unwrap();
    for _ in 1..STATE_REFRESH_TICKS {
        place.journal.tick(Instant::now(), 0);
    }
    assert!(!path.exists());
    place.journal.tick(Instant::now(), 0);
    assert_eq!(state::read(place.dir.path()).unwrap().pid, 4711);
}

#[test]
fn a_state_that_cannot_be_written_is_told_once() {
    let mut place = place();
    std::fs::create_dir(place.dir.path().join(STATE_FILE_NAME)).unwrap();
    place.journal.publish(state::tests::state());
    place.journal.tick(Instant::now(), 0);
    let messages = place.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert!(messages[0].starts_with("[WARNING] clawsec: monitor.json cannot be written: "));
    std::fs::remove_dir(place.dir.path().join(STATE_FILE_NAME)).unwrap();
    place.journal.tick(Instant::now(), 0);
    assert_eq!(state::read(place.dir.path()).unwrap().pid, 4711);
}

#[test]
fn a_moved_file_and_a_torn_one_in_its_place_are_told() {
    let mut place = place();
    let path = place.dir.path().join(THREATS_FILE_NAME);
    std::fs::rename(&path, place.dir.path().join("moved")).unwrap();
    std::fs::write(&path, "{\"torn").unwrap();
    place.journal.take_finding(finding("p", "a:1"));
    place.journal.flush(Instant::now());
    assert_eq!(place.read(THREATS_FILE_NAME).lines().count(), 1);
    let messages = place.messages();
    assert!(messages[1].ends_with("threats.jsonl was moved or removed; opened anew"));
    assert!(messages[2].ends_with("threats.jsonl: the last line was torn; cut off 6 bytes"));
}

#[test]
fn a_log_that_cannot_be_written_is_told_when_it_can_again() {
    let mut place = place();
    let path = place.dir.path().join(LOG_FILE_NAME);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    place.journal.tell(Level::Info, format_args!("waits"));
    place.journal.flush(Instant::now());
    assert_eq!(place.journal.log_lines_unwritten(), 1);
    std::fs::remove_dir(&path).unwrap();
    place.journal.flush(Instant::now());
    assert!(!path.exists(), "tried again at the tick, not at each flush");
    place.journal.tick(Instant::now(), 0);
    let messages = place.messages();
    assert_eq!(messages[0], "[INFO] clawsec: waits");
    assert_eq!(messages[1], "[WARNING] clawsec: the log is written again; 0 records were lost");
    assert_eq!(place.journal.log_lines_unwritten(), 0);
}

/// What brings the defect to light is lost, and nothing else; it is not written without its last look.
#[test]
fn a_defect_that_a_finding_brings_to_light_costs_that_finding_only() {
    let mut place = place();
    place.journal.set_last_look(LastLook::new(|_, texts| {
        for text in texts.iter_mut() {
            assert!(!text.contains("broken"), "a defect of the last look");
            **text = text.replace("bare", "masked");
        }
    }));
    for (pattern, snippet) in [("a", "bare one"), ("b", "bare broken"), ("c", "bare two")] {
        let mut seen = finding(pattern, "x.example:1");
        seen.snippet = snippet.to_owned();
        place.journal.take_finding(seen);
    }
    place.journal.flush(Instant::now());
    place.journal.tick(Instant::now(), 0);
    let threats = place.read(THREATS_FILE_NAME);
    assert_eq!(threats.lines().count(), 2, "{threats}");
    assert!(threats.contains("masked one") && threats.contains("masked two"), "{threats}");
    assert_eq!(place.journal.dropped(), 1);
    let lost = "[ERROR] clawsec: a finding was lost by a defect in this program";
    let messages = place.messages();
    assert_eq!(
        messages.iter().filter(|message| message.contains("lost")).collect::<Vec<_>>(),
        [lost]
    );
}
