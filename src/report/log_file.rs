//! `clawsec.log`: bounded, rotated at a size, copied to standard error. Knows lines, not what they
//! say.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use memchr::{memchr, memchr_iter, memrchr};

use super::append_file::AppendFile;
use super::console::Console;
use crate::limits::{LOG_PENDING_MAX_BYTES, STDERR_WRITE_BYTES};

/// The file, its backups (`clawsec.log.1` is the youngest), and the lines that wait for it.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    rotate_bytes: u64,
    backups: usize,
    /// None after an error: the path is then opened anew.
    file: Option<AppendFile>,
    waiting: Vec<u8>,
    /// Lines that standard error has not been shown.
    unshown: Vec<u8>,
    /// Lines for which there was no more room.
    lost: u64,
    console: Console,
}

impl LogFile {
    /// Opens or creates it; it grows to `rotate_bytes` and is then kept `backups` times.
    pub fn open(
        path: PathBuf,
        rotate_bytes: u64,
        backups: usize,
        console: Console,
    ) -> io::Result<Self> {
        let file = Some(AppendFile::open(&path)?);
        let (waiting, unshown) = (Vec::new(), Vec::new());
        Ok(LogFile { path, rotate_bytes, backups, file, waiting, unshown, lost: 0, console })
    }

    /// Adds a line. While the file cannot be written, `limits::LOG_PENDING_MAX_BYTES` wait, and
    /// what comes after them is counted as lost.
    pub fn push(&mut self, line: &[u8]) {
        self.show(line);
        if self.file.is_some() && self.waiting.len() + line.len() > LOG_PENDING_MAX_BYTES {
            // A burst makes room for itself. An error shows at the next flush.
            let _ = self.flush();
        }
        if self.waiting.len() + line.len() > LOG_PENDING_MAX_BYTES {
            self.lost += 1;
        } else {
            self.waiting.extend_from_slice(line);
        }
    }

    /// Shows a line on standard error only: for what concerns this file itself.
    pub fn show(&mut self, line: &[u8]) {
        self.unshown.extend_from_slice(line);
        if self.unshown.len() >= STDERR_WRITE_BYTES {
            self.show_now();
        }
    }

    /// Shows what is to be shown.
    pub fn show_now(&mut self) {
        self.console.write(&self.unshown);
        self.unshown.clear();
    }

    /// Lines that were lost since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Lines that are in no file.
    pub fn lines_unwritten(&self) -> u64 {
        self.lost + memchr_iter(b'\n', &self.waiting).count() as u64
    }

    /// Writes what waits, rotating on the way. After an error the rest waits on.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.waiting.is_empty() {
            // Taken out, so that any error leaves none, and the next flush opens the path anew.
            let mut file = match self.file.take() {
                Some(file) if file.is_at(&self.path) => file,
                _ => AppendFile::open(&self.path)?,
            };
            let len = file.len()?;
            let room = usize::try_from(self.rotate_bytes.saturating_sub(len)).unwrap_or(usize::MAX);
            let Some(count) = fitting_bytes(&self.waiting, room, len == 0) else {
                rotate(&self.path, self.backups)?;
                continue;
            };
            let written = file.append(self.waiting.get(..count).unwrap_or_default());
            self.waiting.drain(..written.whole_lines_bytes);
            if let Some(error) = written.error {
                return Err(error);
            }
            self.file = Some(file);
        }
        Ok(())
    }
}

/// How many bytes of whole lines fit into `room`; an empty file takes one line however long it is.
/// None: not even the first.
fn fitting_bytes(lines: &[u8], room: usize, file_is_empty: bool) -> Option<usize> {
    let fitting = lines.get(..room).unwrap_or(lines);
    if let Some(end) = memrchr(b'\n', fitting) {
        return Some(end + 1);
    }
    let first_line = memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
    file_is_empty.then_some(first_line)
}

/// Moves each backup one on, the oldest out, and the file itself to `.1`.
fn rotate(path: &Path, backups: usize) -> io::Result<()> {
    if backups == 0 {
        return remove_if_there(path);
    }
    for number in (1..backups).rev() {
        rename_if_there(&backup(path, number), &backup(path, number + 1))?;
    }
    rename_if_there(path, &backup(path, 1))
}

fn backup(path: &Path, number: usize) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    unless_missing(std::fs::rename(from, to))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    unless_missing(std::fs::remove_file(path))
}

fn unless_missing(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn silent() -> Console {
        Console::to(std::io::pipe().unwrap().1)
    }

    fn log_file(path: &Path, rotate_bytes: u64, backups: usize) -> LogFile {
        LogFile::open(path.to_owned(), rotate_bytes, backups, silent()).unwrap()
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn it_rotates_one_past_the_size_and_not_at_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clawsec.log");
        let mut log = log_file(&path, 10, 3);
        log.push(b"1234\n");
        log.push(b"5678\n");
        log.flush().unwrap();
        assert_eq!(read(&path), "1234\n5678\n");
        assert!(!backup(&path, 1).exists());
        log.push(b"\n");
        log.flush().unwrap();
        assert_eq!(read(&path), "\n");
        assert_eq!(read(&backup(&path, 1)), "1234\n5678\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_burst_is_split_at_lines_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clawsec.log");
        let mut log = log_file(&path, 10, 3);
        for number in 1..=9 {
            log.push(format!("{number}aaa\n").as_bytes());
        }
        log.flush().unwrap();
        assert_eq!(read(&path), "9aaa\n");
        assert_eq!(read(&backup(&path, 1)), "7aaa\n8aaa\n");
        assert_eq!(read(&backup(&path, 2)), "5aaa\n6aaa\n");
        assert_eq!(read(&backup(&path, 3)), "3aaa\n4aaa\n");
        assert!(!backup(&path, 4).exists());
    }

    #[test]
    fn what_was_there_counts_towards_the_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clawsec.log");
        std::fs::write(&path, "before..\n").unwrap();
        let mut log = log_file(&path, 10, 1);
        log.push(b"ab\n");
        log.flush().unwrap();
        assert_eq!(read(&path), "ab\n");
        assert_eq!(read(&backup(&path, 1)), "before..\n");
    }

    #[test]
    fn a_line_longer_than_a_file_has_one_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clawsec.log");
        let mut log = log_file(&path, 10, 3);
        log.push(b"a\n");
        log.push(b"longer than ten bytes\n");
        log.push(b"b\n");
        log.flush().unwrap();
        assert_eq!(read(&path), "b\n");
        assert_eq!(read(&backup(&path, 1)), "longer than ten bytes\n");
        assert_eq!(read(&backup(&path, 2)), "a\n");
    }

    #[test]
    fn without_backups_it_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clawsec.log");
        let mut log = log_file(&path, 4, 0);
        log.push(b"abc\n");
        log.push(b"def\n");
        log.flush().unwrap();
        assert_eq!(read(&path), "def\n");
        assert!(!backup(&path, 1).exists());
    }

    #[test]
    fn a_moved_log_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clawsec.log");
        let mut log = log_file(&path, 100, 3);
        log.push(b"a\n");
        log.flush().unwrap();
        std::fs::rename(&path, dir.path().join("moved")).unwrap();
        log.push(b"b\n");
        log.flush().unwrap();
        assert_eq!(read(&path), "b\n");
        assert_eq!(read(&dir.path().join("moved")), "a\n");
    }

    #[test]
    fn a_full_disk_keeps_lines_to_the_bound_and_counts_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let (here, real) = (dir.path().join("here"), dir.path().join("real"));
        std::fs::create_dir(&real).unwrap();
        symlink("/dev", &here).unwrap();
        let path = here.join("full");
        let mut log = log_file(&path, u64::MAX, 3);
        let mut line = vec![b'x'; LOG_PENDING_MAX_BYTES / 4];
        line[LOG_PENDING_MAX_BYTES / 4 - 1] = b'\n';
        for _ in 0..4 {
            log.push(&line);
        }
        assert!(log.flush().is_err());
        assert_eq!(log.lines_unwritten(), 4);
        log.push(b"\n");
        assert_eq!(log.take_lost(), 1, "one past the bound");
        std::fs::remove_file(&here).unwrap();
        std::fs::rename(&real, &here).unwrap();
        log.flush().unwrap();
        log.push(b"after\n");
        log.flush().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len() as usize, LOG_PENDING_MAX_BYTES + 6);
        assert_eq!((log.take_lost(), log.lines_unwritten()), (0, 0));
    }

    #[test]
    fn each_line_is_shown_as_well() {
        let dir = tempfile::tempdir().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let path = dir.path().join("clawsec.log");
        let mut log = LogFile::open(path.clone(), 100, 3, Console::to(writer)).unwrap();
        log.push(b"a\n");
        log.show(b"only shown\n");
        log.flush().unwrap();
        log.show_now();
        drop(log);
        let mut shown = String::new();
        reader.read_to_string(&mut shown).unwrap();
        assert_eq!(shown, "a\nonly shown\n");
        assert_eq!(read(&path), "a\n");
    }
}
