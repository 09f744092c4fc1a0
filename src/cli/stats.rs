//! `clawsec stats`: the findings counted by pattern, destination and hour. Changes nothing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::arguments::CommonArguments;
use super::output::visible;
use super::threats::FilterArguments;
use super::threats_format::{left_out_in_words, none_in_words};
use super::{EXIT_USAGE, exit_code, load_common, log_dir, output};
use crate::limits::{STATS_BAR_CHARS, STATS_DESTINATIONS_MAX, STATS_HOURS_MAX, STATS_ROWS_MAX};
use crate::report::THREATS_FILE_NAME;
use crate::report::tail::{self, Verdict};
use crate::report::threat_filter::{ThreatFilter, time_of};

/// `clawsec stats`.
#[derive(Clone, Debug, Args)]
pub struct StatsArguments {
    #[command(flatten)]
    pub common: CommonArguments,
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(arguments: &StatsArguments) -> ExitCode {
    let config = match load_common(&arguments.common) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let filter = match arguments.filter.filter(Timestamp::now()) {
        Ok(filter) => filter,
        Err(message) => {
            output::error(message);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    log_dir::warn_if_missing(&config.report.log_dir);
    let counted = Stats::of(&config.report.log_dir.join(THREATS_FILE_NAME), &filter);
    let printed = counted.and_then(|stats| match arguments.json {
        true => {
            left_out_in_words(stats.left_out).iter().for_each(output::note);
            output::print(&stats.json())
        }
        false => output::print(&stats.text()),
    });
    exit_code(printed.map(|()| ExitCode::SUCCESS))
}

/// What was counted. Every map is bounded: patterns by the rules, hours by what is shown.
#[derive(Debug, Default, PartialEq)]
struct Stats {
    total: u64,
    /// Repeats that became no line of their own.
    suppressed: u64,
    unreadable: usize,
    /// Credentials where they belong that were not asked for.
    left_out: u64,
    /// All others that were not.
    unwanted: u64,
    patterns: BTreeMap<String, u64>,
    destinations: BTreeMap<String, u64>,
    /// To destinations beyond those that are counted one by one.
    elsewhere: u64,
    /// By `2026-02-19T13`, the latest ones.
    hours: BTreeMap<String, u64>,
}

impl Stats {
    /// Counts the whole file, without keeping any of it.
    fn of(path: &Path, filter: &ThreatFilter) -> Result<Stats, String> {
        let mut stats = Stats::default();
        let (mut left_out, mut read) = (0, 0);
        let mut judge = |threat: &Value| {
            read += 1;
            match filter.judge_and_count(threat, &mut left_out) {
                Verdict::Keep => {
                    stats.count(threat);
                    Verdict::PassOver
                }
                other => other,
            }
        };
        let tail = tail::last_matching(path, usize::MAX, &mut judge);
        let tail = tail.map_err(|error| log_dir::unreadable(path, &error))?;
        stats.unreadable = tail.skipped;
        stats.left_out = left_out;
        stats.unwanted = read - stats.total - left_out;
        Ok(stats)
    }

    fn count(&mut self, threat: &Value) {
        let field = |name: &str| threat.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
        self.total += 1;
        self.suppressed += threat.get("suppressed").and_then(Value::as_u64).unwrap_or(0);
        if !count_within(&mut self.patterns, field("pattern"), STATS_DESTINATIONS_MAX) {
            count_within(&mut self.patterns, "others".to_owned(), usize::MAX);
        }
        if !count_within(&mut self.destinations, field("dest"), STATS_DESTINATIONS_MAX) {
            self.elsewhere += 1;
        }
        if let Some(time) = time_of(threat) {
            let hour: String = time.to_string().chars().take(13).collect();
            count_within(&mut self.hours, hour, usize::MAX);
            while self.hours.len() > STATS_HOURS_MAX {
                self.hours.pop_first();
            }
        }
    }

    fn json(&self) -> String {
        let object = |map: &BTreeMap<String, u64>| -> Map<String, Value> {
            most_first(map).into_iter().map(|(name, count)| (name.clone(), json!(count))).collect()
        };
        let hours: Map<String, Value> =
            self.hours.iter().map(|(hour, count)| (hour.clone(), json!(count))).collect();
        let stats = json!({
            "total": self.total,
            "suppressed": self.suppressed,
            "unreadable": self.unreadable,
            "patterns": object(&self.patterns),
            "destinations": object(&self.destinations),
            "elsewhere": self.elsewhere,
            "hours": hours,
        });
        format!("{stats:#}\n")
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = match (self.total, self.left_out, self.unwanted) {
            (0, 0, 1..) => writeln!(text, "No threats that were asked for; there are others."),
            (0, left_out, _) => writeln!(text, "{}", none_in_words(left_out)),
            (total, ..) => {
                writeln!(text, "{total} threats, and {} repeats held back", self.suppressed)
            }
        };
        if self.unreadable > 0 {
            let _ = writeln!(text, "({} unreadable lines skipped)", self.unreadable);
        }
        if self.total == 0 {
            return text;
        }
        if let Some(words) = left_out_in_words(self.left_out) {
            let _ = writeln!(text, "({words})");
        }
        section(&mut text, "By pattern", &most_first(&self.patterns), 0);
        section(&mut text, "By destination", &most_first(&self.destinations), self.elsewhere);
        let hours: Vec<(String, &u64)> = self
            .hours
            .iter()
            .map(|(hour, count)| (hour.replace('T', " ") + ":00", count))
            .collect();
        let hours: Vec<(&String, u64)> =
            hours.iter().map(|(hour, count)| (hour, **count)).collect();
        let latest = hours.len().saturating_sub(STATS_ROWS_MAX);
        section(&mut text, "By hour (UTC)", hours.get(latest..).unwrap_or_default(), 0);
        text
    }
}

/// False: the map is full, and does not have the name.
fn count_within(map: &mut BTreeMap<String, u64>, name: String, most: usize) -> bool {
    if map.len() >= most && !map.contains_key(&name) {
        return false;
    }
    *map.entry(name).or_default() += 1;
    true
}

fn most_first(map: &BTreeMap<String, u64>) -> Vec<(&String, u64)> {
    let mut rows: Vec<(&String, u64)> = map.iter().map(|(name, count)| (name, *count)).collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    rows
}

fn section(text: &mut String, title: &str, rows: &[(&String, u64)], others: u64) {
    let _ = writeln!(text, "\n{title}");
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0);
    for (name, count) in rows.iter().take(STATS_ROWS_MAX) {
        let _ = writeln!(text, "  {:<32} {count:>8}  {}", visible(name), bar(*count, most));
    }
    let hidden: u64 = rows.iter().skip(STATS_ROWS_MAX).map(|(_, count)| *count).sum();
    if hidden + others > 0 {
        let _ = writeln!(text, "  {:<32} {:>8}", "others", hidden + others);
    }
}

/// At least one character for what is not nothing.
fn bar(count: u64, most: u64) -> String {
    let full = STATS_BAR_CHARS as u64;
    let length = count.saturating_mul(full).checked_div(most).unwrap_or(0).clamp(1, full);
    "█".repeat(usize::try_from(length).unwrap_or(STATS_BAR_CHARS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threat(pattern: &str, dest: &str, hour: usize) -> Value {
        json!({"pattern": pattern, "dest": dest, "suppressed": 2,
               "timestamp": format!("2026-02-{:02}T{:02}:41:59.5+00:00", 1 + hour / 24, hour % 24)})
    }

    fn counted(threats: impl IntoIterator<Item = Value>) -> Stats {
        let mut stats = Stats::default();
        threats.into_iter().for_each(|threat| stats.count(&threat));
        stats
    }

    #[test]
    fn findings_are_counted_three_ways() {
        let stats = counted([
            threat("a", "x:1", 3),
            threat("b", "x:1", 3),
            threat("b", "y:1", 4),
            json!({"pattern": "b"}),
        ]);
        assert_eq!((stats.total, stats.suppressed), (4, 6));
        assert_eq!(most_first(&stats.patterns)[0], (&"b".to_owned(), 3));
        assert_eq!(stats.destinations["x:1"], 2);
        assert_eq!(stats.destinations["?"], 1);
        assert_eq!(stats.hours["2026-02-01T03"], 2);
        let text = stats.text();
        for part in ["4 threats, and 6 repeats", "By pattern", "By destination", "2026-02-01 03:00"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        let json: Value = serde_json::from_str(&stats.json()).unwrap();
        assert_eq!(json["patterns"]["b"], 3);
    }

    #[test]
    fn bars_fit_their_bound_and_are_never_nothing() {
        let length = |count, most| bar(count, most).chars().count();
        assert_eq!(length(7, 7), STATS_BAR_CHARS);
        assert_eq!(length(1, 1_000_000), 1);
        assert_eq!(length(u64::MAX, 1), STATS_BAR_CHARS);
        assert_eq!(length(500, 1000), STATS_BAR_CHARS / 2);
    }

    #[test]
    fn destinations_are_bounded_and_the_rest_is_counted() {
        let at = |n: usize| threat("a", &format!("host{n}:1"), 0);
        let stats = counted((0..STATS_DESTINATIONS_MAX).map(at));
        assert_eq!((stats.destinations.len(), stats.elsewhere), (STATS_DESTINATIONS_MAX, 0));
        let stats = counted((0..=STATS_DESTINATIONS_MAX).map(at));
        assert_eq!((stats.destinations.len(), stats.elsewhere), (STATS_DESTINATIONS_MAX, 1));
        assert!(stats.text().contains("others"));
    }

    #[test]
    fn the_latest_hours_are_kept_whatever_their_order() {
        let stats = counted((0..STATS_HOURS_MAX).rev().map(|hour| threat("a", "x:1", hour)));
        assert_eq!(stats.hours.len(), STATS_HOURS_MAX);
        assert!(stats.hours.contains_key("2026-02-01T00"));
        let stats = counted((0..=STATS_HOURS_MAX).rev().map(|hour| threat("a", "x:1", hour)));
        assert_eq!(stats.hours.len(), STATS_HOURS_MAX);
        assert!(!stats.hours.contains_key("2026-02-01T00"));
    }

    #[test]
    fn credentials_where_they_belong_are_left_out_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let info = "{\"severity\":\"info\",\"pattern\":\"ai_api_key\"}\n";
        std::fs::write(&path, info).unwrap();
        let filter = |all: bool| {
            let arguments = FilterArguments { all, ..FilterArguments::default() };
            arguments.filter(Timestamp::UNIX_EPOCH).unwrap()
        };
        let text = || Stats::of(&path, &filter(false)).unwrap().text();
        assert_eq!(text(), "No threats; 1 credential where it belongs (--all shows it).\n");
        let high = "{\"severity\":\"high\",\"pattern\":\"a\"}\n";
        std::fs::write(&path, [info, high, info].concat()).unwrap();
        assert!(text().contains("\n(2 credentials where they belong are left out"), "{}", text());
        assert!(text().starts_with("1 threats"), "{}", text());
        let all = Stats::of(&path, &filter(true)).unwrap();
        assert_eq!((all.total, all.left_out), (3, 0));
    }

    #[test]
    fn unreadable_lines_are_told_of_and_so_are_threats_that_a_filter_leaves_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let text = |pattern: &[&str]| {
            let pattern = pattern.iter().map(|glob| (*glob).to_owned()).collect();
            let filter = ThreatFilter { pattern, ..ThreatFilter::default() };
            Stats::of(&path, &filter).unwrap().text()
        };
        std::fs::write(&path, "torn\n").unwrap();
        assert_eq!(text(&[]), "No threats recorded.\n(1 unreadable lines skipped)\n");
        std::fs::write(&path, "torn\n{\"pattern\":\"a\"}\nmore\n").unwrap();
        let head = "1 threats, and 0 repeats held back\n(2 unreadable lines skipped)\n\nBy pattern";
        assert!(text(&[]).starts_with(head), "{}", text(&[]));
        let none =
            "No threats that were asked for; there are others.\n(2 unreadable lines skipped)\n";
        assert_eq!(text(&["b"]), none);
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        assert_eq!(Stats::default().text(), "No threats recorded.\n");
        let dir = tempfile::tempdir().unwrap();
        let stats = Stats::of(&dir.path().join("none"), &ThreatFilter::default()).unwrap();
        assert_eq!(stats, Stats::default());
    }
}
