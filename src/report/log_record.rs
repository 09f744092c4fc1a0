//! The `log` facade: a record becomes one bounded line on the caller's thread and waits in a queue
//! of its own; what a full queue loses is counted. Touches no file; before the logger thread runs,
//! and after it has ended, lines go to standard error.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};

use super::console::Console;
use super::timestamp::append_log_time;
use crate::counters::Count;
use crate::limits::{LOG_LINE_MAX_BYTES, LOG_QUEUE_LEN};

/// The target of our own records starts so; of other crates only warnings and errors are taken,
/// because what they trace may hold what a client sent.
const OWN_TARGET: &str = "clawsec";

/// Behind a line that was cut.
const CUT_MARK: &str = "...";

/// One line of `clawsec.log`, its line end included.
#[derive(Debug)]
pub(super) struct LogLine(String);

/// What both ends know of each other.
#[derive(Debug, Default)]
struct Link {
    /// Whether the logger thread takes lines.
    attached: AtomicBool,
    /// Lines that a full queue lost since the last look.
    lost: Count,
    /// A [`LevelFilter`] as a number.
    level: AtomicUsize,
}

/// The callers' end, which `log`'s macros reach.
#[derive(Debug)]
pub struct LogSender {
    sender: Sender<LogLine>,
    link: Arc<Link>,
    console: Console,
}

/// The logger thread's end.
#[derive(Debug)]
pub struct LogReceiver {
    receiver: Receiver<LogLine>,
    link: Arc<Link>,
}

/// Makes `log`'s macros write to `clawsec.log`, once the thread that takes the other end runs.
/// Once a process.
pub fn install(level: LevelFilter) -> Result<LogReceiver, SetLoggerError> {
    let (sender, receiver) = channel(level, LOG_QUEUE_LEN, Console::stderr());
    log::set_boxed_logger(Box::new(sender))?;
    log::set_max_level(level);
    Ok(receiver)
}

/// Shows a line on standard error past the queue: whoever takes from that may have ended.
pub fn show_at_once(message: fmt::Arguments<'_>) {
    let line = LogLine::new(Level::Error, SystemTime::now(), message);
    Console::stderr().write(line.as_bytes());
}

/// A queue for `len` lines. Lines go to `console` while nobody takes them.
pub(super) fn channel(
    level: LevelFilter,
    len: usize,
    console: Console,
) -> (LogSender, LogReceiver) {
    let (sender, receiver) = crossbeam_channel::bounded(len);
    let link = Arc::new(Link::default());
    link.level.store(level as usize, Ordering::Relaxed);
    let receiver = LogReceiver { receiver, link: Arc::clone(&link) };
    (LogSender { sender, link, console }, receiver)
}

impl Log for LogSender {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let own = metadata.target().starts_with(OWN_TARGET);
        metadata.level() as usize <= self.link.level.load(Ordering::Relaxed)
            && (own || metadata.level() <= Level::Warn)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = LogLine::new(record.level(), SystemTime::now(), *record.args());
        if !self.link.attached.load(Ordering::Acquire) {
            self.console.write(line.as_bytes());
            return;
        }
        match self.sender.try_send(line) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => self.link.lost.add(1),
            Err(TrySendError::Disconnected(line)) => self.console.write(line.as_bytes()),
        }
    }

    fn flush(&self) {}
}

impl LogReceiver {
    /// From now on lines are queued.
    pub(super) fn attach(&self) {
        self.link.attached.store(true, Ordering::Release);
    }

    /// From now on another level counts.
    pub(super) fn set_level(&self, level: LevelFilter) {
        self.link.level.store(level as usize, Ordering::Relaxed);
        log::set_max_level(level);
    }

    /// From now on lines go to standard error again. What is queued can still be taken.
    pub(super) fn detach(&self) {
        self.link.attached.store(false, Ordering::Release);
    }

    /// The next line, when there is one.
    pub(super) fn take(&self) -> Option<LogLine> {
        self.receiver.try_recv().ok()
    }

    /// Lines that a full queue lost since the last call.
    pub(super) fn take_lost(&self) -> u64 {
        let lost = self.link.lost.get();
        self.link.lost.sub(lost);
        lost
    }

    /// What `select!` waits on.
    pub(super) fn channel(&self) -> &Receiver<LogLine> {
        &self.receiver
    }
}

impl LogLine {
    /// `2026-02-19 13:41:59,587 [INFO] clawsec: message`. What would break the line, or a terminal,
    /// is made visible; what is longer than `limits::LOG_LINE_MAX_BYTES` is cut.
    pub fn new(level: Level, at: SystemTime, message: fmt::Arguments<'_>) -> Self {
        LogLine::written(level, at, |visible| visible.write_fmt(message))
    }

    /// The same of a message in parts.
    pub fn joined(level: Level, at: SystemTime, message: &[&str]) -> Self {
        LogLine::written(level, at, |visible| {
            message.iter().try_for_each(|part| visible.write_str(part))
        })
    }

    fn written(
        level: Level,
        at: SystemTime,
        write: impl FnOnce(&mut Visible) -> fmt::Result,
    ) -> Self {
        let mut line = String::with_capacity(256);
        append_log_time(&mut line, at);
        for part in [" [", level_name(level), "] clawsec: "] {
            line.push_str(part);
        }
        let mut visible = Visible { line, is_cut: false };
        // It fails when the line is cut, or when a value's own formatting does: what came so far
        // stays.
        let _ = write(&mut visible);
        let Visible { mut line, is_cut } = visible;
        if is_cut {
            line.push_str(CUT_MARK);
        }
        line.push('\n');
        LogLine(line)
    }

    /// The line, its line end included.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Python's names.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    }
}

/// A line that takes text until it is full.
struct Visible {
    line: String,
    is_cut: bool,
}

impl fmt::Write for Visible {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while !rest.is_empty() {
            // Most text is printable ASCII, and that part needs no look at its characters.
            let plain = rest.bytes().take_while(|byte| (b' '..=b'~').contains(byte)).count();
            let (plain, behind) = rest.split_at_checked(plain).unwrap_or((rest, ""));
            if self.line.len() + plain.len() > LOG_LINE_MAX_BYTES - CUT_MARK.len() {
                return plain.chars().try_for_each(|character| self.write_char(character));
            }
            self.line.push_str(plain);
            let mut characters = behind.chars();
            if let Some(character) = characters.next() {
                self.write_char(character)?;
            }
            rest = characters.as_str();
        }
        Ok(())
    }

    fn write_char(&mut self, character: char) -> fmt::Result {
        let before = self.line.len();
        if breaks_lines(character) {
            self.line.extend(character.escape_default());
        } else {
            self.line.push(character);
        }
        if self.line.len() > LOG_LINE_MAX_BYTES - CUT_MARK.len() {
            self.line.truncate(before);
            self.is_cut = true;
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// Control characters, and what Unicode calls a line's or paragraph's end or turns the direction
/// with.
fn breaks_lines(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::{Duration, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::*;

    fn log(sender: &LogSender, level: Level, target: &str, message: &str) {
        let args = format_args!("{message}");
        sender.log(&Record::builder().level(level).target(target).args(args).build());
    }

    fn silent(level: LevelFilter, len: usize) -> (LogSender, LogReceiver) {
        let (sender, receiver) = channel(level, len, Console::to(std::io::pipe().unwrap().1));
        receiver.attach();
        (sender, receiver)
    }

    fn text(line: &LogLine) -> &str {
        std::str::from_utf8(line.as_bytes()).unwrap()
    }

    fn line(level: Level, message: &str) -> String {
        let at = UNIX_EPOCH + Duration::from_millis(1_771_508_519_587);
        text(&LogLine::new(level, at, format_args!("{message}"))).to_owned()
    }

    #[test]
    fn the_format_of_the_original() {
        assert_eq!(line(Level::Info, "text"), "2026-02-19 13:41:59,587 [INFO] clawsec: text\n");
        assert!(line(Level::Error, "x").contains(" [ERROR] "));
        assert!(line(Level::Warn, "x").contains(" [WARNING] "));
        assert!(line(Level::Debug, "x").contains(" [DEBUG] "));
        assert!(line(Level::Trace, "x").contains(" [DEBUG] "));
    }

    #[test]
    fn a_record_with_newlines_is_one_line() {
        let line = line(Level::Info, "a\nb\r\n2026 [INFO] forged\u{1b}[31m \u{2028}\u{202e}é");
        assert!(
            line.ends_with("a\\nb\\r\\n2026 [INFO] forged\\u{1b}[31m \\u{2028}\\u{202e}é\n"),
            "{line}"
        );
    }

    #[test]
    fn a_line_is_whole_at_the_bound_and_cut_one_past_it() {
        let head = line(Level::Info, "").len() - 1;
        let longest = LOG_LINE_MAX_BYTES - CUT_MARK.len() - head;
        let whole = line(Level::Info, &"x".repeat(longest));
        assert!(whole.ends_with("xx\n"));
        assert_eq!(whole.len(), LOG_LINE_MAX_BYTES - CUT_MARK.len() + 1);
        let cut = line(Level::Info, &"x".repeat(longest + 1));
        assert!(cut.ends_with("xx...\n"));
        assert_eq!(cut.len(), LOG_LINE_MAX_BYTES + 1);
    }

    proptest! {
        #[test]
        fn any_message_is_one_bounded_line(
            piece in "(.|\n|\r|é|\u{1f600}){1,30}",
            times in 1..600usize,
        ) {
            let line = line(Level::Info, &piece.repeat(times));
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert!(line.ends_with('\n'));
            prop_assert!(line.len() <= LOG_LINE_MAX_BYTES + 1);
            prop_assert!(!line.trim_end_matches('\n').chars().any(char::is_control));
        }
    }

    #[test]
    fn a_full_queue_loses_counts_and_does_not_wait() {
        let (sender, receiver) = silent(LevelFilter::Info, 2);
        for message in ["a", "b", "c", "d"] {
            log(&sender, Level::Info, "clawsec", message);
        }
        assert_eq!(receiver.take_lost(), 2);
        assert_eq!(receiver.take_lost(), 0);
        assert!(text(&receiver.take().unwrap()).ends_with("a\n"));
        assert!(text(&receiver.take().unwrap()).ends_with("b\n"));
        assert!(receiver.take().is_none());
    }

    #[test]
    fn the_level_and_the_origin_decide() {
        let (sender, receiver) = silent(LevelFilter::Info, 10);
        log(&sender, Level::Debug, "clawsec::conn", "no");
        log(&sender, Level::Info, "clawsec::conn", "one");
        log(&sender, Level::Info, "rustls::client", "no");
        log(&sender, Level::Warn, "rustls::client", "two");
        let taken: Vec<LogLine> = std::iter::from_fn(|| receiver.take()).collect();
        assert_eq!(taken.len(), 2);
        assert!(text(&taken[0]).ends_with("one\n") && text(&taken[1]).ends_with("two\n"));
        let (sender, receiver) = silent(LevelFilter::Off, 10);
        log(&sender, Level::Error, "clawsec", "no");
        assert!(receiver.take().is_none());
    }

    #[test]
    fn lines_go_to_the_console_until_the_thread_runs_and_after_it_ended() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let (sender, receiver) = channel(LevelFilter::Info, 10, Console::to(writer));
        log(&sender, Level::Info, "clawsec", "before");
        receiver.attach();
        log(&sender, Level::Info, "clawsec", "within");
        receiver.detach();
        log(&sender, Level::Info, "clawsec", "after");
        assert!(text(&receiver.take().unwrap()).ends_with("within\n"));
        assert!(receiver.take().is_none());
        receiver.attach();
        drop(receiver);
        log(&sender, Level::Info, "clawsec", "gone");
        drop(sender);
        let mut shown = String::new();
        reader.read_to_string(&mut shown).unwrap();
        let shown: Vec<&str> = shown.lines().collect();
        let ends = ["before", "after", "gone"];
        assert_eq!(shown.len(), ends.len());
        assert!(shown.iter().zip(ends).all(|(line, end)| line.ends_with(end)), "{shown:?}");
    }
}
