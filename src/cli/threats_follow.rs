//! `threats.jsonl` as it grows: whole new lines only, through rotation, removal and truncation.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use memchr::memrchr;
use rustix::fs::FileType;
use rustix::io::Errno;
use serde_json::Value;

use super::pid_file::Identity;
use crate::limits::{TAIL_BLOCK_BYTES, TAIL_LINE_MAX_BYTES};
use crate::report::tail::{self, Tail, Verdict};

/// A place in the file from which on everything is new.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    position: u64,
    /// The beginning of a line whose end is not written yet.
    unfinished: Vec<u8>,
}

impl Follow {
    /// Begins behind the whole lines that are there.
    pub fn from_end(path: &Path) -> io::Result<Follow> {
        let mut follow = Follow { path: path.to_owned(), open: open(path)? };
        if let Some(open) = &mut follow.open {
            open.position = behind_whole_lines(&open.file)?;
        }
        Ok(follow)
    }

    /// The last of the lines behind which it begins, newest first: those of this very file, whatever has become of its
    /// name, so that none of them is new as well. To be asked before the first look.
    pub fn old(
        &self,
        limit: usize,
        most_bytes: u64,
        judge: &mut dyn FnMut(&Value) -> Verdict,
        goes_on: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<Tail> {
        match &self.open {
            Some(Open { file, position, .. }) => {
                tail::last_before(file, *position, limit, most_bytes, judge, goes_on)
            }
            None => Ok(Tail::default()),
        }
    }

    /// Waits until there are new lines. `goes_on` waits a little, and says whether anybody wants them still; none
    /// once nobody does.
    pub fn wait(&mut self, goes_on: &dyn Fn() -> bool) -> io::Result<Option<Vec<Value>>> {
        loop {
            let new = self.poll()?;
            if !new.is_empty() {
                return Ok(Some(new));
            }
            if !goes_on() {
                return Ok(None);
            }
        }
    }

    /// The lines that came since the last look; those that are no findings are passed over.
    pub fn poll(&mut self) -> io::Result<Vec<Value>> {
        self.poll_with(&mut || {})
    }

    /// `at_end` is called at the end of the file, before its name is looked at.
    fn poll_with(&mut self, at_end: &mut dyn FnMut()) -> io::Result<Vec<Value>> {
        let mut new = Vec::new();
        self.read(&mut new)?;
        if !new.is_empty() {
            return Ok(new);
        }
        at_end();
        if self.is_current()? {
            return Ok(new);
        }
        // What was written between that end and the move. Behind the move nobody writes to the file.
        self.read(&mut new)?;
        if new.is_empty() {
            self.open = open(&self.path)?;
            self.read(&mut new)?;
        }
        Ok(new)
    }

    fn read(&mut self, new: &mut Vec<Value>) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), |open| open.read(new))
    }

    fn is_current(&self) -> io::Result<bool> {
        let found = match rustix::fs::stat(&self.path) {
            Ok(stat) => Some(Identity::from(&stat)),
            Err(Errno::NOENT) => None,
            Err(errno) => return Err(errno.into()),
        };
        Ok(self.open.as_ref().map(|open| open.identity) == found)
    }
}

fn open(path: &Path) -> io::Result<Option<Open>> {
    match File::open(path) {
        Ok(file) => {
            let stat = rustix::fs::fstat(&file)?;
            // It opens, and says so only when it is read.
            if FileType::from_raw_mode(stat.st_mode).is_dir() {
                return Err(Errno::ISDIR.into());
            }
            let identity = Identity::from(&stat);
            Ok(Some(Open { file, identity, position: 0, unfinished: Vec::new() }))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where the last line that has an end ends; the file's end, if what follows is longer than any line of ours.
fn behind_whole_lines(file: &File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let start = len.saturating_sub(TAIL_LINE_MAX_BYTES as u64 + 1);
    let mut end = Vec::new();
    let mut from = file;
    from.seek(SeekFrom::Start(start))?;
    from.take(len - start).read_to_end(&mut end)?;
    Ok(match memrchr(b'\n', &end) {
        Some(at) => start + at as u64 + 1,
        None if start == 0 => 0,
        None => len,
    })
}

impl Open {
    /// Reads to the end, in pieces.
    fn read(&mut self, new: &mut Vec<Value>) -> io::Result<()> {
        let len = self.file.metadata()?.len();
        if len < self.position {
            // Where only the line was cut that nobody ended, the lines before it have been told. Otherwise what is
            // there now is new.
            let told = self.position.saturating_sub(self.unfinished.len() as u64);
            self.position = if len >= told { told } else { 0 };
            self.unfinished.clear();
        }
        self.file.seek(SeekFrom::Start(self.position))?;
        loop {
            let mut piece = Vec::new();
            (&mut self.file).take(TAIL_BLOCK_BYTES as u64).read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Ok(());
            }
            self.position += piece.len() as u64;
            self.unfinished.extend_from_slice(&piece);
            self.take_lines(new);
        }
    }

    fn take_lines(&mut self, new: &mut Vec<Value>) {
        let whole = memrchr(b'\n', &self.unfinished).map_or(0, |end| end + 1);
        let rest = self.unfinished.split_off(whole);
        let lines = std::mem::replace(&mut self.unfinished, rest);
        let parsed = lines.split(|byte| *byte == b'\n').map(serde_json::from_slice::<Value>);
        new.extend(parsed.flatten().filter(Value::is_object));
        if self.unfinished.len() > TAIL_LINE_MAX_BYTES {
            // No line of ours: what is left of it parses as nothing.
            self.unfinished.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn append(path: &Path, text: &str) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn numbers(follow: &mut Follow) -> Vec<u64> {
        follow.poll().unwrap().iter().map(|threat| threat["n"].as_u64().unwrap()).collect()
    }

    #[test]
    fn only_new_and_only_whole_lines_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        append(&path, "{\"n\":1}\n");
        let mut follow = Follow::from_end(&path).unwrap();
        assert!(numbers(&mut follow).is_empty());
        append(&path, "{\"n\":2}\nrubbish\n{\"n\":");
        assert_eq!(numbers(&mut follow), [2]);
        append(&path, "3}\n");
        assert_eq!(numbers(&mut follow), [3]);
        assert!(numbers(&mut follow).is_empty());
    }

    #[test]
    fn a_file_that_is_made_moved_or_cut_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let mut follow = Follow::from_end(&path).unwrap();
        assert!(numbers(&mut follow).is_empty());
        append(&path, "{\"n\":1}\n{\"n\":2}\n");
        assert_eq!(numbers(&mut follow), [1, 2]);
        append(&path, "{\"n\":3}\n");
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        append(&path, "{\"n\":4}\n");
        assert_eq!(numbers(&mut follow), [3], "the end of the old file first");
        assert_eq!(numbers(&mut follow), [4]);
        std::fs::write(&path, "").unwrap();
        assert!(numbers(&mut follow).is_empty());
        append(&path, "{\"n\":5}\n");
        assert_eq!(numbers(&mut follow), [5]);
    }

    /// It was lost: the file had been read to its end, and then had another name.
    #[test]
    fn a_line_that_is_written_right_before_the_file_is_moved_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        append(&path, "{\"n\":1}\n");
        let mut follow = Follow::from_end(&path).unwrap();
        let mut rotate = || {
            append(&path, "{\"n\":2}\n");
            std::fs::rename(&path, dir.path().join("old")).unwrap();
            append(&path, "{\"n\":3}\n");
        };
        let told = follow.poll_with(&mut rotate).unwrap();
        assert_eq!(told, [serde_json::json!({ "n": 2 })]);
        assert_eq!(numbers(&mut follow), [3]);
        assert!(numbers(&mut follow).is_empty());
    }

    fn old(follow: &Follow) -> Vec<u64> {
        let tail = follow.old(5, u64::MAX, &mut |_| Verdict::Keep, &mut || Ok(())).unwrap();
        tail.threats.iter().map(|threat| threat["n"].as_u64().unwrap()).collect()
    }

    /// They were read from the end that the file had by then, or from the file that had its name by then, and told
    /// again as new.
    #[test]
    fn what_comes_while_the_old_lines_are_read_is_new_and_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        assert!(old(&Follow::from_end(&path).unwrap()).is_empty());
        append(&path, "{\"n\":1}\n{\"n\":2}\n");
        let mut follow = Follow::from_end(&path).unwrap();
        append(&path, "{\"n\":3}\n");
        assert_eq!(old(&follow), [2, 1]);
        assert_eq!(numbers(&mut follow), [3]);
        let mut follow = Follow::from_end(&path).unwrap();
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        append(&path, "{\"n\":4}\n");
        assert_eq!(old(&follow), [3, 2, 1]);
        assert_eq!(numbers(&mut follow), [4]);
        let mut follow = Follow::from_end(&path).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(old(&follow).is_empty(), "it was emptied");
        assert!(numbers(&mut follow).is_empty());
        append(&path, "{\"n\":5}\n");
        assert_eq!(numbers(&mut follow), [5]);
    }

    /// Its end alone is no finding.
    #[test]
    fn a_line_that_is_being_written_when_it_begins_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        for (before, told) in [("", vec![]), ("{\"n\":1}\n", vec![1])] {
            std::fs::write(&path, before).unwrap();
            append(&path, "{\"n\":2,");
            let mut follow = Follow::from_end(&path).unwrap();
            assert_eq!(old(&follow), told);
            assert!(numbers(&mut follow).is_empty());
            append(&path, "\"m\":0}\n");
            assert_eq!(numbers(&mut follow), [2]);
        }
    }

    /// A monitor that starts after a crash cuts the line that the one before it could not end.
    #[test]
    fn a_torn_line_that_is_cut_off_does_not_have_the_whole_file_told_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let mut follow = Follow::from_end(&path).unwrap();
        append(&path, "{\"n\":1}\n{\"n\":2");
        assert_eq!(numbers(&mut follow), [1]);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(8).unwrap();
        assert!(numbers(&mut follow).is_empty());
        append(&path, "{\"n\":3}\n");
        assert_eq!(numbers(&mut follow), [3]);
    }

    #[test]
    fn a_line_is_told_at_the_bound_and_passed_over_past_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let mut follow = Follow::from_end(&path).unwrap();
        for (past, expected) in [(0, vec![1]), (1, vec![])] {
            let start = "{\"n\":1,\"x\":\"";
            let fill = "y".repeat(TAIL_LINE_MAX_BYTES + past - start.len());
            append(&path, &format!("{start}{fill}"));
            assert!(numbers(&mut follow).is_empty());
            append(&path, "\"}\n");
            assert_eq!(numbers(&mut follow), expected, "{past}");
        }
    }
}
