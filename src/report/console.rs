//! Standard error as a copy of the log: written when it has room, never waited for.
//! A stopped terminal or a pipe that nobody reads must not hold up the files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use memchr::memrchr;
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::limits::STDERR_WRITE_BYTES;

/// Where the copy goes; nowhere, when standard error is closed.
#[derive(Debug)]
pub(super) struct Console(Option<OwnedFd>);

impl Console {
    /// The process's standard error.
    pub fn stderr() -> Self {
        Console(std::io::stderr().as_fd().try_clone_to_owned().ok())
    }

    /// Another file.
    #[cfg(test)]
    pub fn to(file: impl Into<OwnedFd>) -> Self {
        Console(Some(file.into()))
    }

    /// Writes the lines that there is room for and forgets the rest: the log file has them too.
    pub fn write(&self, lines: &[u8]) {
        let Some(fd) = &self.0 else { return };
        let mut rest = lines;
        while !rest.is_empty() && has_room(fd.as_fd()) {
            let piece = whole_lines(rest.get(..STDERR_WRITE_BYTES).unwrap_or(rest));
            let Ok(count) = rustix::io::write(fd, piece) else { return };
            rest = rest.get(count..).unwrap_or_default();
        }
    }
}

/// The whole lines of a piece, so that none is torn when the room ends; all of it, when it holds
/// none.
fn whole_lines(piece: &[u8]) -> &[u8] {
    memrchr(b'\n', piece).and_then(|end| piece.get(..=end)).unwrap_or(piece)
}

/// Whether a write of `STDERR_WRITE_BYTES` would go through at once.
fn has_room(fd: BorrowedFd<'_>) -> bool {
    let mut polled = PollFd::from_borrowed_fd(fd, PollFlags::OUT);
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let outcome = rustix::event::poll(std::slice::from_mut(&mut polled), Some(&at_once));
    outcome.is_ok() && polled.revents().contains(PollFlags::OUT)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_pipe_that_nobody_reads_is_not_waited_for() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let console = Console::to(writer);
        let text = vec![b'x'; 1024 * 1024];
        console.write(&text);
        console.write(&text);
        drop(console);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read.len() >= STDERR_WRITE_BYTES && read.len() < text.len(), "{}", read.len());
    }

    #[test]
    fn no_line_is_torn_where_the_room_ends() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let console = Console::to(writer);
        console.write(&b"seven..\n".repeat(100_000)[1..]);
        drop(console);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert!(read.ends_with("\nseven..\n"));
    }

    #[test]
    fn a_pipe_that_is_closed_does_no_harm() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Console::to(writer).write(b"text\n");
        Console(None).write(b"text\n");
    }

    #[test]
    fn what_has_room_arrives_whole() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let console = Console::to(writer);
        let text = vec![b'x'; STDERR_WRITE_BYTES + 1];
        console.write(&text);
        drop(console);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(read, text);
    }
}
