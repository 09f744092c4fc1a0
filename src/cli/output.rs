//! Words to the user: results on stdout, everything about them on stderr. A reader that went away
//! is no error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Writes a result to stdout and flushes it. A closed pipe (`clawsec threats | head`) ends it
/// quietly.
pub fn result(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Writes a piece of a result that goes on. False: the reader went away, so that nothing more is
/// wanted.
pub fn piece(text: &str) -> io::Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits so long, and says whether stdout still has a reader then: a pipe's that goes away ends the wait.
pub fn is_read_for(wait_ms: u64) -> bool {
    let stdout = io::stdout();
    // Only that it is broken or hung up, which is always told.
    let mut polled = PollFd::new(&stdout, PollFlags::empty());
    let wait = Duration::from_millis(wait_ms);
    let until = Timespec::try_from(wait).ok();
    match poll(std::slice::from_mut(&mut polled), until.as_ref()) {
        Ok(0) => true,
        Ok(_) => !polled.revents().intersects(PollFlags::ERR | PollFlags::HUP),
        Err(_) => {
            std::thread::sleep(wait);
            true
        }
    }
}

/// [`result`], with the sentence for the user if it fails.
pub fn print(text: &str) -> Result<(), String> {
    result(text).map_err(|error| format!("cannot print: {error}"))
}

/// Words in front of what is typed, on stderr.
pub fn prompt(text: &str) {
    let _ = write!(io::stderr(), "{text}");
}

/// Says how things are, on stderr.
pub fn note(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "clawsec: {message}");
}

/// Says what went wrong, on stderr. If nobody reads that either, there is nobody to tell.
pub fn error(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "clawsec: error: {message}");
}

/// Says what is worth knowing, on stderr.
pub fn warning(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "clawsec: warning: {message}");
}

/// Whether results may have colours: on a terminal that can show them, unless the user minds
/// (<https://no-color.org>).
pub fn has_colours() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// The text without power over a terminal: what is in the files came from the network once.
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || is_invisible_order(character) {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    visible
}

/// Characters that reorder or hide others (Unicode UAX #9 §2).
fn is_invisible_order(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shown_has_power_over_a_terminal() {
        assert_eq!(visible("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(visible("x\u{202e}y\u{9b}"), "x\\u{202e}y\\u{9b}");
        assert_eq!(visible("naïve \u{1f980}"), "naïve \u{1f980}");
    }
}
