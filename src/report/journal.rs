//! What the logger thread does with what it takes: findings become lines, records are kept,
//! failures are told once, counters are shown. Owns the files and the counts; waits for nothing,
//! reads no clock.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use log::{Level, LevelFilter};

use super::dedup::{Dedup, Told};
use super::last_look::LastLook;
use super::log_file::LogFile;
use super::log_record::LogLine;
use super::reviewed::Review;
use super::state::State;
use super::tally::{Kind, Line, Repeats, Tally};
use super::threats_file::{Opened, Repair, ThreatsFile};
use super::{STATE_FILE_NAME, THREATS_FILE_NAME};
use crate::counters::{self, Counters};
use crate::defects::caught;
use crate::finding::{Finding, Protocol, Severity};
use crate::limits::{
    LAST_LOOK_LEN, LOG_SNIPPET_CHARS, STATE_REFRESH_TICKS, THREATS_RETRY_MAX_MS,
    THREATS_RETRY_MIN_MS, UNUSED_HOSTS_MAX,
};

/// Why, and since when, `threats.jsonl` cannot be written.
#[derive(Debug)]
struct Failure {
    error: String,
    since: Instant,
    next_try_at: Instant,
    delay: Duration,
}

/// What is counted, here and on the cores.
#[derive(Debug)]
pub(super) struct Counts {
    pub cores: Vec<Arc<Counters>>,
    pub tally: Arc<Tally>,
}

/// The files and the counts of a running monitor.
#[derive(Debug)]
pub(super) struct Journal {
    log_dir: PathBuf,
    level: LevelFilter,
    counts: Counts,
    dedup: Dedup,
    threats: ThreatsFile,
    log: LogFile,
    review: Review,
    /// What was admitted and has no line yet: snippets are looked at many at a time.
    admitted: Vec<Told>,
    /// Of the lines that wait; they are counted once they are written.
    uncounted: VecDeque<Line>,
    failure: Option<Failure>,
    log_is_failing: bool,
    /// Of the findings that full queues lost, those that the log has told of.
    dropped_told: u64,
    /// Records that were lost in all.
    log_lines_lost: u64,
    /// Tunnels that were not used, by host.
    unused_tunnels: BTreeMap<String, u64>,
    /// What the monitor said of itself, and what was written of it last.
    state: Option<State>,
    state_written: Option<State>,
    state_is_failing: bool,
    /// Ticks since it was written.
    state_age_ticks: u32,
}

impl Journal {
    pub fn new(
        log_dir: PathBuf,
        level: LevelFilter,
        counts: Counts,
        dedup: Dedup,
        threats: ThreatsFile,
        log: LogFile,
    ) -> Self {
        Journal {
            log_dir,
            level,
            counts,
            dedup,
            threats,
            log,
            review: Review::default(),
            admitted: Vec::new(),
            uncounted: VecDeque::new(),
            failure: None,
            log_is_failing: false,
            dropped_told: 0,
            log_lines_lost: 0,
            unused_tunnels: BTreeMap::new(),
            state: None,
            state_written: None,
            state_is_failing: false,
            state_age_ticks: 0,
        }
    }

    /// Whether another finding may be taken from the queue: not when a batch is full, and not while
    /// the file cannot be written, because in the queue they wait counted and bounded.
    pub fn takes_findings(&self) -> bool {
        self.failure.is_none() && !self.threats.is_full()
    }

    /// When a failed write is tried again.
    pub fn retry_at(&self) -> Option<Instant> {
        self.failure.as_ref().map(|failure| failure.next_try_at)
    }

    /// Lines that are not in `threats.jsonl` yet.
    pub fn lines_waiting(&self) -> u64 {
        self.threats.lines_waiting() + self.admitted.len() as u64
    }

    /// Records that were lost, or are in no file.
    pub fn log_lines_unwritten(&self) -> u64 {
        self.log_lines_lost + self.log.lines_unwritten()
    }

    /// From now on all that findings show is looked at once more.
    pub fn set_last_look(&mut self, last_look: LastLook) {
        self.review.set_last_look(last_look);
    }

    /// Takes a finding whose line is written with the next flush, unless it repeats one.
    pub fn take_finding(&mut self, finding: impl Into<Box<Finding>>) {
        match caught(|| self.dedup.admit(finding.into(), &mut self.admitted)) {
            Some(true) => {}
            Some(false) => self.counts.tally.repeats.add(1),
            None => self.lose_one(),
        }
        if self.admitted.len() >= LAST_LOOK_LEN {
            self.write_admitted();
        }
    }

    /// No finding follows: all that is held back is told.
    pub fn tell_repeats(&mut self) {
        self.dedup.take_all(&mut self.admitted);
    }

    /// Makes the lines of what was admitted.
    fn write_admitted(&mut self) {
        let mut admitted = std::mem::take(&mut self.admitted);
        for some in admitted.chunks_mut(LAST_LOOK_LEN) {
            if self.hide_in(some) {
                some.iter().for_each(|told| self.write_unless_broken(told));
                continue;
            }
            // A defect that one of them brings to light costs that one only.
            for told in some.iter_mut() {
                if self.hide_in(std::slice::from_mut(told)) {
                    self.write_unless_broken(told);
                } else {
                    self.lose_one();
                }
            }
        }
        admitted.clear();
        // Its room is for the next ones.
        self.admitted = admitted;
    }

    /// Whether these have had their last look: what has not is not written.
    fn hide_in(&mut self, some: &mut [Told]) -> bool {
        let findings = some.iter_mut().map(|told| &mut *told.finding);
        caught(|| self.review.hide_in(findings)).is_some()
    }

    fn write_unless_broken(&mut self, told: &Told) {
        if caught(|| self.write(told)).is_none() {
            self.threats.forget_torn();
            self.lose_one();
        }
    }

    /// A defect of this program has cost a finding: it is counted with those that were lost otherwise.
    fn lose_one(&mut self) {
        if let Some(core) = self.counts.cores.first() {
            core.findings_dropped.add(1);
            self.dropped_told += 1;
        }
        let message = format_args!("a finding was lost by a defect in this program");
        self.tell(Level::Error, message);
    }

    fn write(&mut self, told: &Told) {
        let Told { finding, suppressed, is_late } = told;
        match self.threats.push(finding, *suppressed) {
            Ok(()) => {
                let (suppressed, is_late) = (*suppressed, *is_late);
                self.uncounted.push_back(Line { kind: Kind::of(finding), suppressed, is_late });
                self.mirror(finding);
            }
            Err(error) => {
                self.tell(Level::Error, format_args!("a finding has no JSON: {error}"));
            }
        }
    }

    /// Keeps a record.
    pub fn take_line(&mut self, line: &LogLine) {
        self.log.push(line.as_bytes());
    }

    /// Counts tunnels that were not used by their hosts. Those of too many are forgotten.
    pub fn note_unused(&mut self, hosts: impl Iterator<Item = Box<str>>) {
        for host in hosts {
            let is_known = self.unused_tunnels.contains_key(&*host);
            if !is_known && self.unused_tunnels.len() >= UNUSED_HOSTS_MAX {
                self.unused_tunnels.clear();
            }
            *self.unused_tunnels.entry(host.into()).or_default() += 1;
        }
    }

    /// Writes what waits. After an error the lines wait on, and the next try comes a while later.
    pub fn flush(&mut self, now: Instant) {
        self.write_admitted();
        if self.failure.as_ref().is_none_or(|failure| failure.next_try_at <= now) {
            self.flush_threats(now);
        }
        if self.log_is_failing {
            // It is tried again at the tick.
            self.log.show_now();
        } else {
            self.flush_log();
        }
    }

    /// Writes what waits, however short ago it failed.
    pub fn flush_at_once(&mut self, now: Instant) {
        self.write_admitted();
        self.flush_threats(now);
        self.flush_log();
    }

    /// Tells what was lost since the last tick and what was held back for long, and shows the counters.
    /// `log_lines_lost` are the records that did not get into their queue since then.
    pub fn tick(&mut self, now: Instant, log_lines_lost: u64) {
        if self.takes_findings() {
            self.dedup.take_due(now, &mut self.admitted);
        }
        self.counts.tally.beats.add(1);
        self.tell_dropped();
        self.tell_lost_lines(log_lines_lost);
        self.state_age_ticks += 1;
        self.show_state();
        self.flush_log();
    }

    /// Shows what is counted by now.
    pub fn show(&mut self, now: Instant) {
        self.flush(now);
        self.show_state();
    }

    /// From now on `monitor.json` shows this monitor.
    pub fn publish(&mut self, state: State) {
        self.state = Some(state);
        self.show_state();
    }

    /// From now on another level and another window count.
    pub fn adjust(&mut self, level: LevelFilter, dedup_window: Duration) {
        self.level = level;
        self.dedup.set_window(dedup_window);
    }

    /// Says something in `clawsec.log`.
    pub fn tell(&mut self, level: Level, message: fmt::Arguments<'_>) {
        if level <= self.level {
            let line = LogLine::new(level, SystemTime::now(), message);
            self.log.push(line.as_bytes());
        }
    }

    /// Says that the file was found torn.
    pub fn tell_repair(&mut self, repair: Repair) {
        match repair {
            Repair::Ended => self.tell(
                Level::Warn,
                format_args!("{THREATS_FILE_NAME}: the last line had no line end; added it"),
            ),
            Repair::Cut(count) => self.tell(
                Level::Warn,
                format_args!("{THREATS_FILE_NAME}: the last line was torn; cut off {count} bytes"),
            ),
        }
    }

    /// The original's line in `clawsec.log`, with pattern and dest.
    fn mirror(&mut self, finding: &Finding) {
        let level = match finding.severity {
            Severity::Info => Level::Info,
            _ => Level::Warn,
        };
        if self.level < level {
            return;
        }
        let snippet = &finding.snippet;
        let cut = snippet.char_indices().nth(LOG_SNIPPET_CHARS).map_or(snippet.len(), |(at, _)| at);
        let shown = snippet.get(..cut).unwrap_or_default();
        let protocol = match finding.protocol {
            Protocol::Http => "HTTP",
            Protocol::Https => "HTTPS",
            Protocol::Gateway => "GATEWAY",
        };
        let direction = finding.direction.as_str();
        let threat_type = finding.threat_type.as_str();
        let (pattern, dest) = (&*finding.pattern, &*finding.dest);
        let message = [
            "[",
            protocol,
            "/",
            direction,
            "] ",
            threat_type,
            " ",
            pattern,
            " ",
            dest,
            " | ",
            shown,
        ];
        self.log.push(LogLine::joined(level, finding.seen_at, &message).as_bytes());
    }

    fn flush_threats(&mut self, now: Instant) {
        let outcome = self.threats.flush();
        let waiting = usize::try_from(self.threats.lines_waiting()).unwrap_or(usize::MAX);
        let written = self.uncounted.len().saturating_sub(waiting);
        self.counts.tally.add_lines(self.uncounted.drain(..written));
        match outcome {
            Ok(opened) => self.recovered(now, opened),
            Err(error) => self.failed(now, &error),
        }
    }

    fn recovered(&mut self, now: Instant, opened: Option<Opened>) {
        if let Some(Opened { was_moved, repair }) = opened {
            if was_moved {
                let message = format_args!("{THREATS_FILE_NAME} was moved or removed; opened anew");
                self.tell(Level::Info, message);
            }
            if let Some(repair) = repair {
                self.tell_repair(repair);
            }
        }
        if let Some(failure) = self.failure.take() {
            self.counts.tally.set_failure(None);
            let secs = now.saturating_duration_since(failure.since).as_secs_f64();
            let message = format_args!("{THREATS_FILE_NAME} is written again, after {secs:.1} s");
            self.tell(Level::Warn, message);
        }
    }

    fn failed(&mut self, now: Instant, error: &io::Error) {
        let error = error.to_string();
        self.counts.tally.set_failure(Some(error.clone()));
        if let Some(failure) = &mut self.failure {
            failure.delay = (failure.delay * 2).min(Duration::from_millis(THREATS_RETRY_MAX_MS));
            failure.next_try_at = now + failure.delay;
            if failure.error != error {
                failure.error.clone_from(&error);
                let message =
                    format_args!("{THREATS_FILE_NAME} still cannot be written, now: {error}");
                self.tell(Level::Error, message);
            }
            return;
        }
        self.tell(
            Level::Error,
            format_args!("{THREATS_FILE_NAME} cannot be written: {error}; findings wait"),
        );
        let delay = Duration::from_millis(THREATS_RETRY_MIN_MS);
        self.failure = Some(Failure { error, since: now, next_try_at: now + delay, delay });
    }

    fn flush_log(&mut self) {
        let outcome = self.log.flush();
        let was_failing = std::mem::replace(&mut self.log_is_failing, outcome.is_err());
        match outcome {
            Ok(()) if was_failing => {
                let lost = self.log.take_lost();
                self.log_lines_lost += lost;
                self.tell(
                    Level::Warn,
                    format_args!("the log is written again; {lost} records were lost"),
                );
            }
            Err(error) if !was_failing => {
                let message = format_args!("the log cannot be written: {error}");
                let line = LogLine::new(Level::Error, SystemTime::now(), message);
                self.log.show(line.as_bytes());
            }
            _ => {}
        }
        self.log.show_now();
    }

    fn dropped(&self) -> u64 {
        self.counts.cores.iter().map(|core| core.findings_dropped.get()).sum()
    }

    fn tell_dropped(&mut self) {
        let dropped = self.dropped();
        let new = dropped.saturating_sub(self.dropped_told);
        if new > 0 {
            self.dropped_told = dropped;
            let message = format_args!(
                "{new} findings were lost, because their queue was full; {dropped} since the start"
            );
            self.tell(Level::Warn, message);
        }
    }

    fn tell_lost_lines(&mut self, lost: u64) {
        if lost > 0 {
            self.log_lines_lost += lost;
            let message =
                format_args!("{lost} log records were lost, because their queue was full");
            self.tell(Level::Warn, message);
        }
    }

    /// Rewrites `monitor.json` when it would show something new; and now and then, for it may have been removed, and
    /// its age tells whether it is true.
    fn show_state(&mut self) {
        let Some(state) = &self.state else { return };
        let mut state = state.clone();
        state.counters = counters::totals(&self.counts.cores)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let Repeats { told, untold } = self.counts.tally.repeats(&self.counts.cores);
        state.threats_written = self.threats.lines_written();
        (state.suppressed, state.untold) = (told.saturating_add(untold), untold);
        state.dropped = self.dropped();
        state.unused_tunnels.clone_from(&self.unused_tunnels);
        state.last_error = self.failure.as_ref().map(|failure| failure.error.clone());
        let is_due = self.state_age_ticks >= STATE_REFRESH_TICKS;
        if self.state_written.as_ref() == Some(&state) && !is_due {
            return;
        }
        let outcome = state.write(&self.log_dir);
        let was_failing = std::mem::replace(&mut self.state_is_failing, outcome.is_err());
        match outcome {
            Ok(()) => (self.state_written, self.state_age_ticks) = (Some(state), 0),
            Err(error) if !was_failing => {
                let message = format_args!("{STATE_FILE_NAME} cannot be written: {error}");
                self.tell(Level::Warn, message);
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
