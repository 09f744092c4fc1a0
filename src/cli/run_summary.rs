//! What a run found: the lines that `threats.jsonl` grew by, counted, and held against what the monitor counted.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::arguments::CommonArguments;
use super::environment::{NO_PROXY_VARIABLES, inherited};
use super::output::visible;
use super::run_lines::Growth;
use crate::limits::{
    REPORT_TICK_MS, RUN_PATTERN_CHARS, RUN_POLL_MS, RUN_QUIET_MS, RUN_SETTLE_MS, RUN_SUMMARY_ROWS,
    RUN_TAKEN_MS, RUN_UNUSED_HOSTS,
};
use crate::report::state::{self, State};
use crate::report::threat_filter::is_info;
use crate::report::{STATE_FILE_NAME, THREATS_FILE_NAME};

/// What there was when the run began.
#[derive(Debug)]
pub struct Summary {
    log_dir: PathBuf,
    growth: Growth,
    /// What the monitor had counted before the run.
    before: State,
    words: Words,
    after: After,
}

/// What the monitor says while a run goes on.
#[derive(Clone, Debug)]
struct Words {
    log_dir: PathBuf,
    /// The file of the last one.
    heard: Option<u64>,
    /// The fewest connections that were open by any of them: those of others. What was open before the run may be old.
    fewest_open: u64,
}

impl Words {
    fn since(log_dir: &Path, before: &State, heard: Option<u64>) -> Words {
        let fewest_open = connections_open(before).unwrap_or(0);
        Words { log_dir: log_dir.to_owned(), heard, fewest_open }
    }

    /// Whether the next one, if there is one, tells of no more open connections than any before.
    fn next(&mut self) -> Option<bool> {
        let word = Words::last(&self.log_dir);
        if word == self.heard {
            return None;
        }
        self.heard = word;
        let open = state::read(&self.log_dir).ok().as_ref().and_then(connections_open);
        let are_fewest = open.is_some_and(|open| open <= self.fewest_open);
        self.fewest_open = self.fewest_open.min(open.unwrap_or(u64::MAX));
        Some(are_fewest)
    }

    /// Hears them until it is woken by who says that the run is over.
    fn hear(&mut self, is_over: &AtomicBool) {
        loop {
            std::thread::park_timeout(Duration::from_millis(REPORT_TICK_MS / 4));
            self.next();
            if is_over.load(Ordering::Acquire) {
                return;
            }
        }
    }

    fn last(log_dir: &Path) -> Option<u64> {
        rustix::fs::stat(log_dir.join(STATE_FILE_NAME)).ok().map(|stat| stat.st_ino)
    }
}

fn connections_open(state: &State) -> Option<u64> {
    state.counters.get("connections_open").and_then(Value::as_u64)
}

/// What the monitor had counted after the run.
#[derive(Debug)]
enum After {
    Known(Box<State>),
    /// It ended meanwhile, and nobody knows what there was after its last word.
    Ended,
    /// It runs, and does not tell.
    Unknown,
}

impl After {
    fn known(&self) -> Option<&State> {
        match self {
            After::Known(state) => Some(state),
            After::Ended | After::Unknown => None,
        }
    }
}

/// What the proxy was asked for during a run, by all its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Traffic {
    connections: u64,
    /// Without those that only asked for a tunnel.
    requests: u64,
    /// Those that went through unread, or are no HTTP.
    tunnels: u64,
    /// Those that were ended before anything was asked for in them, in the handshake and elsewhere.
    handshakes_failed: u64,
    unused: u64,
}

impl Traffic {
    fn between(before: &State, after: &State) -> Traffic {
        let grown = |name: &str| {
            let count = |state: &State| state.counters.get(name).and_then(Value::as_u64);
            count(after).unwrap_or(0).saturating_sub(count(before).unwrap_or(0))
        };
        Traffic {
            connections: grown("connections"),
            requests: grown("requests").saturating_sub(grown("connects")),
            tunnels: grown("tunnels"),
            handshakes_failed: grown("client_handshakes_failed"),
            unused: grown("tunnels_unused"),
        }
    }

    /// What there was nothing found in.
    fn in_words(self) -> String {
        let counts = [counted(self.requests, "request", ""), counted(self.tunnels, "tunnel", "")];
        match joined(counts) {
            None => "no findings: nothing went through the proxy".to_owned(),
            Some(counts) => format!("no findings in {counts} through the proxy"),
        }
    }

    /// What was meant to be asked, and was not.
    fn unused_in_words(self, hosts: &BTreeMap<&str, u64>) -> Option<String> {
        let counts = joined([
            counted(self.handshakes_failed, "TLS handshake", " failed"),
            counted(self.unused, "tunnel", " ended without a request"),
        ])?;
        let shown: Vec<&str> = hosts.keys().copied().take(RUN_UNUSED_HOSTS).collect();
        let are_all = hosts.values().sum::<u64>() >= self.handshakes_failed + self.unused;
        let more = match hosts.len().saturating_sub(shown.len()) {
            0 if are_all => String::new(),
            0 => " and others".to_owned(),
            more => format!(" and {more} more"),
        };
        let names = match shown.is_empty() {
            true => String::new(),
            false => format!(" ({}{more})", visible(&shown.join(", "))),
        };
        Some(format!(
            "{counts}{names}: so does it look when a program does not trust the CA, or opens a connection ahead of its \
             use; see clawsec.log"
        ))
    }

    /// Why there may be none at all; `spared` is what NO_PROXY names.
    fn advice(self, common: &CommonArguments, spared: Option<&str>) -> Option<String> {
        let told = self.handshakes_failed + self.unused;
        match (self.requests + self.tunnels + told, self.connections) {
            (1.., _) => None,
            (0, 1..) => Some(
                "there were connections, and no request was let in: see clawsec.log".to_owned(),
            ),
            (0, 0) => {
                let spared = spared.map(|names| {
                    format!(", or only for what NO_PROXY spares the proxy ({})", visible(names))
                });
                Some(format!(
                    "the program asked for nothing{}, or does not use HTTP_PROXY and HTTPS_PROXY: see {}, \
                     and in README.md the table of runtimes",
                    spared.unwrap_or_default(),
                    common.command("doctor")
                ))
            }
        }
    }
}

fn counted(count: u64, name: &str, what: &str) -> Option<String> {
    let plural = if count == 1 { "" } else { "s" };
    (count > 0).then(|| format!("{count} {name}{plural}{what}"))
}

fn joined(counts: [Option<String>; 2]) -> Option<String> {
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    (!counts.is_empty()).then(|| counts.join(" and "))
}

/// Findings of one kind.
type Kind = (String, String, String, String);

/// What was counted.
struct Counts {
    /// Alarms by kind.
    counts: BTreeMap<Kind, u64>,
    /// Those that are no alarms.
    infos: u64,
    /// Not so if there was more than is read.
    is_whole: bool,
}

impl Summary {
    /// Remembers where the file ends now, and what the monitor has counted.
    pub fn begin(log_dir: &Path, state: &State) -> io::Result<Summary> {
        let growth = Growth::begin(&log_dir.join(THREATS_FILE_NAME))?;
        let deadline = Instant::now() + Duration::from_millis(2 * REPORT_TICK_MS);
        // Lines that are there already must not be counted after.
        while growth.began_with_lines()
            && is_written_before_the_lines(log_dir)
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(RUN_POLL_MS));
        }
        let heard = Words::last(log_dir);
        let before = state::read(log_dir).unwrap_or_else(|_| state.clone());
        let words = Words::since(log_dir, &before, heard);
        Ok(Summary { log_dir: log_dir.to_owned(), growth, before, words, after: After::Unknown })
    }

    /// Runs a program, and hears the monitor's words meanwhile.
    pub fn during<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let (is_over, words) = (AtomicBool::new(false), &mut self.words);
        std::thread::scope(|scope| {
            let listener = std::thread::Builder::new().name("clawsec-words".to_owned());
            // Without one, the words behind the run are heard all the same.
            let listener = listener.spawn_scoped(scope, || words.hear(&is_over));
            let outcome = run();
            is_over.store(true, Ordering::Release);
            if let Ok(listener) = listener {
                listener.thread().unpark();
            }
            outcome
        })
    }

    /// Waits until the monitor has written what the program's last bytes were, and what it has counted: its words are
    /// heard until one says that no more connections are open than the fewest of the run, or none has come for a while.
    pub fn settle(&mut self, has_ended: &dyn Fn() -> bool) {
        self.words.next();
        let began = Instant::now();
        let mut until = began + Duration::from_millis(RUN_SETTLE_MS);
        while !has_ended() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(RUN_POLL_MS));
            let Some(are_all_closed) = self.words.next() else { continue };
            let is_behind_all = began.elapsed() >= Duration::from_millis(RUN_TAKEN_MS);
            if is_behind_all && are_all_closed {
                break;
            }
            until = until.min(Instant::now() + Duration::from_millis(RUN_QUIET_MS));
        }
        let is_outdated = state::outdated_secs(&self.log_dir, SystemTime::now()).is_some();
        let now = state::read(&self.log_dir).ok();
        self.after = match now.filter(|state| state.pid == self.before.pid && !is_outdated) {
            // What a killed one left is no last word.
            _ if has_ended() => After::Ended,
            Some(state) => After::Known(Box::new(state)),
            None => After::Unknown,
        };
    }

    /// The words for the user.
    pub fn text(&self, took: Duration, common: &CommonArguments) -> io::Result<String> {
        let Counts { counts, infos, is_whole } = self.counts()?;
        let total: u64 = counts.values().sum();
        let after = self.after.known();
        let lines = total + infos;
        let gaps = after.map(|after| self.gaps(after, is_whole.then_some(lines)));
        let gaps = gaps.unwrap_or_default();
        let traffic = after.map(|after| Traffic::between(&self.before, after));
        let words = match (total, traffic) {
            (0, Some(traffic)) if gaps.is_empty() => traffic.in_words(),
            (0, _) => "it is not known what was found".to_owned(),
            (1, _) => "1 finding".to_owned(),
            _ => format!("{total} findings"),
        };
        let mut text = format!("{words} in {:.1} s", took.as_secs_f64());
        let held_back =
            after.map_or(0, |after| after.suppressed.saturating_sub(self.before.suppressed));
        // Writing into a String cannot fail.
        if held_back > 0 {
            let _ = write!(text, ", and {held_back} repeats of earlier ones");
        }
        if !is_whole {
            text.push_str(" (more than are counted here)");
        }
        text.push('\n');
        let unused = traffic.and_then(|traffic| traffic.unused_in_words(&self.unused_hosts()));
        gaps.iter().chain(&unused).for_each(|line| text.push_str(&format!("{line}\n")));
        if matches!(self.after, After::Unknown) {
            let file = self.log_dir.join(STATE_FILE_NAME);
            let _ = writeln!(text, "{} does not tell what the monitor counted", file.display());
        }
        if let Some(advice) =
            traffic.filter(|_| lines == 0 && gaps.is_empty()).and_then(|traffic| {
                let spared = NO_PROXY_VARIABLES.into_iter().find_map(inherited);
                traffic.advice(common, spared.as_deref().filter(|names| !names.is_empty()))
            })
        {
            text.push_str(&format!("{advice}\n"));
        }
        let mut rows: Vec<(&Kind, &u64)> = counts.iter().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let shown = rows.iter().take(RUN_SUMMARY_ROWS);
        let lengths = shown.clone().map(|((_, _, pattern, _), _)| pattern.len());
        let width = lengths.max().unwrap_or(0).min(RUN_PATTERN_CHARS);
        for ((threat_type, direction, pattern, dest), count) in shown {
            let line = format!("{threat_type:<9} {direction:<8} {pattern:<width$} {dest}");
            let _ = writeln!(text, "{count:>6} × {}", visible(&line));
        }
        if rows.len() > RUN_SUMMARY_ROWS {
            let _ = writeln!(text, "  and {} more kinds", rows.len() - RUN_SUMMARY_ROWS);
        }
        if infos > 0 {
            let all = common.command("threats --all");
            let _ = writeln!(text, "{infos:>6} × credentials where they belong ({all})");
        }
        if total > 0 {
            let _ = writeln!(text, "details: {}", self.log_dir.join(THREATS_FILE_NAME).display());
        }
        Ok(text)
    }

    /// The hosts whose tunnels were not used during the run, as far as that is known.
    fn unused_hosts(&self) -> BTreeMap<&str, u64> {
        let Some(after) = self.after.known() else { return BTreeMap::new() };
        let before = |host: &String| self.before.unused_tunnels.get(host).copied().unwrap_or(0);
        let during = after.unused_tunnels.iter().map(|(host, count)| {
            // Fewer: those before were forgotten meanwhile.
            (host.as_str(), count.checked_sub(before(host)).unwrap_or(*count))
        });
        during.filter(|(_, count)| *count > 0).collect()
    }

    /// What was found and is not among the lines that were read; those are counted where they are all.
    fn gaps(&self, after: &State, lines: Option<u64>) -> Vec<String> {
        let written = after.threats_written.saturating_sub(self.before.threats_written);
        let missing = lines.map_or(0, |lines| written.saturating_sub(lines));
        let missing = (missing > 0).then(|| {
            format!(
                "{missing} of the lines written to {THREATS_FILE_NAME} during the run are no longer in it: it was \
                 moved or emptied"
            )
        });
        let lost = after.dropped.saturating_sub(self.before.dropped);
        let lost = (lost > 0).then(|| format!("{lost} findings were lost to a full queue"));
        let unwritten = after.last_error.as_ref();
        let unwritten =
            unwritten.map(|error| format!("findings cannot be written: {}", visible(error)));
        [missing, lost, unwritten].into_iter().flatten().collect()
    }

    fn counts(&self) -> io::Result<Counts> {
        let (mut counts, mut infos) = (BTreeMap::new(), 0);
        let is_whole = self.growth.new_lines(&mut |threat| {
            if is_info(threat) {
                infos += 1;
                return;
            }
            let field =
                |name: &str| threat.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
            let kind = (field("threat_type"), field("direction"), field("pattern"), field("dest"));
            *counts.entry(kind).or_default() += 1;
        })?;
        Ok(Counts { counts, infos, is_whole })
    }
}

/// Whether the monitor's word is older than the last line.
fn is_written_before_the_lines(log_dir: &Path) -> bool {
    let written_at = |name: &str| std::fs::metadata(log_dir.join(name)).ok()?.modified().ok();
    let (lines, state) = (written_at(THREATS_FILE_NAME), written_at(STATE_FILE_NAME));
    lines.zip(state).is_some_and(|(lines, state)| state <= lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(log_dir: &Path, patterns: &[&str]) {
        use std::io::Write;
        let path = log_dir.join(THREATS_FILE_NAME);
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        for pattern in patterns {
            let line = format!(
                "{{\"direction\":\"outbound\",\"threat_type\":\"EXFIL\",\"pattern\":\"{pattern}\",\
                 \"dest\":\"a.example:443\"}}\n"
            );
            file.write_all(line.as_bytes()).unwrap();
        }
    }

    /// A run with this many requests so far.
    fn begin(log_dir: &Path, requests: u64) -> Summary {
        let mut summary = Summary::begin(log_dir, &State::default()).unwrap();
        summary.after = After::Known(Box::new(state(&[("requests", requests)])));
        summary
    }

    fn text(summary: &Summary) -> String {
        summary.text(Duration::from_millis(1500), &CommonArguments::default()).unwrap()
    }

    #[test]
    fn only_what_came_since_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        append(dir.path(), &["old"]);
        let summary = begin(dir.path(), 1);
        assert_eq!(text(&summary), "no findings in 1 request through the proxy in 1.5 s\n");
        append(dir.path(), &["new", "new", "other"]);
        let text = text(&summary);
        assert!(text.starts_with("3 findings in 1.5 s\n     2 × EXFIL     outbound new"), "{text}");
        assert!(text.contains("1 × ") && !text.contains("old"), "{text}");
    }

    #[test]
    fn credentials_where_they_belong_are_counted_apart() {
        let dir = tempfile::tempdir().unwrap();
        let summary = begin(dir.path(), 2);
        std::fs::write(dir.path().join(THREATS_FILE_NAME), "{\"severity\":\"info\"}\n").unwrap();
        let expected = "no findings in 2 requests through the proxy in 1.5 s\n     1 × credentials where they belong (clawsec threats --all)\n";
        assert_eq!(text(&summary), expected);
    }

    /// The monitor's word at each of these looks at it, as counts.
    fn settled(words: &[(u32, &[(&str, u64)])]) -> (u32, State) {
        settled_behind(&[1], words)
    }

    /// The same with so many connections open before the run, and at each word in it.
    fn settled_behind(run: &[u64], words: &[(u32, &[(&str, u64)])]) -> (u32, State) {
        let dir = tempfile::tempdir().unwrap();
        let say = |counts: &[(&str, u64)]| {
            let (file, next) = (dir.path().join(STATE_FILE_NAME), dir.path().join("next"));
            std::fs::write(&next, serde_json::to_vec(&state(counts)).unwrap()).unwrap();
            std::fs::rename(next, file).unwrap();
        };
        let (before, during) = run.split_first().unwrap();
        say(&[("connections_open", *before)]);
        let mut summary = Summary::begin(dir.path(), &State::default()).unwrap();
        for open in during {
            say(&[("connections_open", *open)]);
            summary.words.next();
        }
        let looks = std::cell::Cell::new(0);
        summary.settle(&|| {
            looks.set(looks.get() + 1);
            words.iter().filter(|word| word.0 == looks.get()).for_each(|word| say(word.1));
            false
        });
        let After::Known(state) = summary.after else { panic!("{:?}", summary.after) };
        (looks.get(), *state)
    }

    /// A tick may fall between the program's end and the monitor's notice of it: what ended then was left out.
    #[test]
    fn an_end_that_the_monitor_notices_a_tick_later_is_told() {
        let open = [("connections_open", 2)];
        let closed = [("connections_open", 1), ("tunnels_unused", 1)];
        for early in [&open[..], &[("connections_open", 1)]] {
            let (_, state) = settled(&[(1, early), (4, &closed)]);
            assert_eq!(state.counters["tunnels_unused"], 1, "behind {early:?}");
        }
        let (looks, _) = settled(&[(9, &closed), (10, &open)]);
        assert!(looks <= 11, "all is closed, and nothing is waited for: {looks} looks");
    }

    /// What was open before the run may be a tick old, and have been closed by then: an end was left out.
    #[test]
    fn connections_that_were_closed_as_the_run_began_do_not_hide_those_of_its_program() {
        let open = [("connections_open", 3)];
        let closed = [("connections_open", 1), ("tunnels_unused", 2)];
        let (_, state) = settled_behind(&[3, 1, 3], &[(8, &open), (12, &closed)]);
        assert_eq!(state.counters["tunnels_unused"], 2);
    }

    #[test]
    fn words_are_heard_while_a_program_runs() {
        let dir = tempfile::tempdir().unwrap();
        let say = |open| {
            let state = serde_json::to_vec(&state(&[("connections_open", open)])).unwrap();
            std::fs::write(dir.path().join("next"), state).unwrap();
            std::fs::rename(dir.path().join("next"), dir.path().join(STATE_FILE_NAME)).unwrap();
        };
        say(3);
        let mut summary = Summary::begin(dir.path(), &State::default()).unwrap();
        // The last one is heard as the program ends.
        assert_eq!(summary.during(|| std::iter::once(1).for_each(say)), ());
        assert_eq!(summary.words.fewest_open, 1);
    }

    /// A state that has counted so.
    fn state(counts: &[(&str, u64)]) -> State {
        let counters = counts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into()));
        State { counters: counters.collect(), ..State::default() }
    }

    #[test]
    fn a_program_that_did_not_use_the_proxy_is_not_said_to_be_clean() {
        let dir = tempfile::tempdir().unwrap();
        let before = state(&[("connections", 9), ("requests", 9), ("tunnels", 1)]);
        let mut summary = Summary::begin(dir.path(), &before).unwrap();
        let mut after = |counts: &[(&str, u64)]| {
            summary.after = After::Known(Box::new(state(counts)));
            text(&summary)
        };
        let none = after(&[("connections", 9), ("requests", 9), ("tunnels", 1)]);
        assert!(
            none.starts_with("no findings: nothing went through the proxy in 1.5 s\n"),
            "{none}"
        );
        assert!(none.contains("HTTP_PROXY") && none.contains("clawsec doctor"), "{none}");
        let refused = after(&[("connections", 10), ("requests", 9), ("tunnels", 1)]);
        assert!(refused.contains("no request was let in"), "{refused}");
        // Two over one intercepted connection, and a tunnel: with their CONNECTs, four.
        let counts = [("connections", 11), ("requests", 13), ("tunnels", 2), ("connects", 2)];
        assert_eq!(
            after(&counts),
            "no findings in 2 requests and 1 tunnel through the proxy in 1.5 s\n"
        );
    }

    #[test]
    fn tunnels_without_a_request_are_told_with_their_hosts_and_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let mut before = state(&[("client_handshakes_failed", 1)]);
        before.unused_tunnels = [("a.example".to_owned(), 1), ("b.example".to_owned(), 1)].into();
        let mut summary = Summary::begin(dir.path(), &before).unwrap();
        let mut after = |counts: &[(&str, u64)], hosts: &[&str]| {
            let mut state = state(counts);
            state.unused_tunnels = hosts.iter().map(|host| ((*host).to_owned(), 2)).collect();
            summary.after = After::Known(Box::new(state));
            text(&summary)
        };
        let counts = [("connections", 2), ("requests", 2), ("connects", 2), ("tunnels_unused", 1)];
        let failed = [&counts[..], &[("client_handshakes_failed", 2)]].concat();
        let words = after(&failed, &["b.example", "c.example"]);
        let told = "no findings: nothing went through the proxy in 1.5 s\n1 TLS handshake failed and 1 tunnel ended without \
                    a request (b.example, c.example): so does it look";
        assert!(words.starts_with(told) && words.lines().count() == 2, "{words}");
        let counts = [("requests", 5), ("connects", 3), ("tunnels_unused", 2)];
        let many: Vec<String> = (0..=RUN_UNUSED_HOSTS).map(|n| format!("h{n}.example")).collect();
        let words = after(&counts, &many.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(words.starts_with("no findings in 2 requests through the proxy"), "{words}");
        let told = "\n2 tunnels ended without a request (h0.example, h1.example, ";
        assert!(words.contains(told) && words.contains(" and 1 more): "), "{words}");
        let counts = [("requests", 5), ("connects", 3), ("tunnels_unused", 4)];
        let words = after(&counts, &["c.example"]);
        assert!(
            words.contains("\n4 tunnels ended without a request (c.example and others): "),
            "{words}"
        );
    }

    #[test]
    fn a_monitor_that_ended_or_does_not_tell_is_no_all_clear() {
        let dir = tempfile::tempdir().unwrap();
        let mut summary = begin(dir.path(), 1);
        let file = dir.path().join(STATE_FILE_NAME);
        // As a killed one leaves it.
        std::fs::write(&file, serde_json::to_vec(&State::default()).unwrap()).unwrap();
        summary.settle(&|| true);
        assert_eq!(text(&summary), "it is not known what was found in 1.5 s\n");
        append(dir.path(), &["new"]);
        assert!(text(&summary).starts_with("1 finding in"));
        std::fs::remove_file(&file).unwrap();
        std::fs::remove_file(dir.path().join(THREATS_FILE_NAME)).unwrap();
        summary.settle(&|| false);
        let text = text(&summary);
        assert!(text.starts_with("it is not known what was found in 1.5 s\n"), "{text}");
        assert!(text.contains("monitor.json does not tell what the monitor counted"), "{text}");
    }

    #[test]
    fn a_file_that_was_moved_or_emptied_is_new_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(THREATS_FILE_NAME);
        append(dir.path(), &["old", "old"]);
        let summary = begin(dir.path(), 1);
        std::fs::rename(&path, dir.path().join("moved")).unwrap();
        assert!(text(&summary).starts_with("no findings"));
        append(dir.path(), &["new"]);
        assert!(text(&summary).starts_with("1 finding in"));
        let summary = begin(dir.path(), 1);
        std::fs::write(&path, "").unwrap();
        assert!(text(&summary).starts_with("no findings"));
    }

    /// Moved away and removed, or emptied twice.
    #[test]
    fn findings_that_the_file_does_not_hold_are_no_all_clear() {
        let dir = tempfile::tempdir().unwrap();
        let mut summary = begin(dir.path(), 3);
        let mut after = |change: &dyn Fn(&mut State)| {
            let mut state = state(&[("requests", 3)]);
            change(&mut state);
            summary.after = After::Known(Box::new(state));
            text(&summary)
        };
        assert!(after(&|_| {}).starts_with("no findings in 3 requests"));
        let unknown = "it is not known what was found in 1.5 s\n";
        let moved = after(&|state| state.threats_written = 2);
        assert!(moved.starts_with(&format!("{unknown}2 of the lines written to")), "{moved}");
        let lost = after(&|state| state.dropped = 4);
        assert!(lost.starts_with(&format!("{unknown}4 findings were lost")), "{lost}");
        let unwritten = after(&|state| state.last_error = Some("no space left".to_owned()));
        assert!(unwritten.starts_with(unknown) && unwritten.contains("no space left"));
        append(dir.path(), &["new"]);
        let some = after(&|state| state.threats_written = 2);
        assert!(some.starts_with("1 finding in 1.5 s\n1 of the lines"), "{some}");
        assert!(!after(&|state| state.threats_written = 1).contains("of the lines"));
    }

    #[test]
    fn kinds_are_listed_up_to_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let summary = Summary::begin(dir.path(), &State::default()).unwrap();
        let names: Vec<String> = (0..=RUN_SUMMARY_ROWS).map(|n| format!("kind{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        append(dir.path(), &names[1..]);
        assert!(!text(&summary).contains("more kinds"));
        append(dir.path(), &names[..1]);
        assert!(text(&summary).contains("and 1 more kinds"));
    }
}
