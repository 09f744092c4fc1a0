//! The lines that `threats.jsonl` grew by during a run, also where it was moved away, or emptied and written anew.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::pid_file::Identity;
use crate::limits::{RUN_OLD_END_BYTES, RUN_SUMMARY_BYTES};

/// The file as it was when the run began.
#[derive(Debug)]
pub struct Growth {
    path: PathBuf,
    begun: Option<Begun>,
}

/// It is held open, so that it is read to its end under any name, and no other gets its identity.
#[derive(Debug)]
struct Begun {
    file: File,
    identity: Identity,
    end: u64,
    /// What stood before the end. Another text there: it was emptied, and has grown past its old end.
    old_end: Vec<u8>,
}

impl Growth {
    /// Remembers where the file ends now.
    pub fn begin(path: &Path) -> io::Result<Growth> {
        let begun = match open(path)? {
            Some((file, identity)) => {
                let end = file.metadata()?.len();
                let start = end.saturating_sub(RUN_OLD_END_BYTES);
                let mut old_end = vec![0; usize::try_from(end - start).unwrap_or(0)];
                file.read_exact_at(&mut old_end, start)?;
                Some(Begun { file, identity, end, old_end })
            }
            None => None,
        };
        Ok(Growth { path: path.to_owned(), begun })
    }

    /// Whether something was in it.
    pub fn began_with_lines(&self) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.end > 0)
    }

    /// Hands out each new line that is a finding's. Whether those were all: so much is read and no more.
    pub fn new_lines(&self, each: &mut dyn FnMut(&Value)) -> io::Result<bool> {
        let mut left = RUN_SUMMARY_BYTES;
        let mut is_whole = true;
        if let Some(begun) = &self.begun {
            is_whole &= read(&begun.file, begun.new_from()?, &mut left, each)?;
        }
        match open(&self.path)? {
            Some((file, identity)) if self.begun.as_ref().map(|b| b.identity) != Some(identity) => {
                is_whole &= read(&file, 0, &mut left, each)?;
            }
            _ => {}
        }
        Ok(is_whole)
    }
}

impl Begun {
    fn new_from(&self) -> io::Result<u64> {
        let mut found = vec![0; self.old_end.len()];
        let at = self.end.saturating_sub(found.len() as u64);
        match self.file.read_exact_at(&mut found, at) {
            Ok(()) if found == self.old_end => Ok(self.end),
            Ok(()) => Ok(0),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn open(path: &Path) -> io::Result<Option<(File, Identity)>> {
    match File::open(path) {
        Ok(file) => {
            let identity = Identity::from(&rustix::fs::fstat(&file)?);
            Ok(Some((file, identity)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(
    mut file: &File,
    start: u64,
    left: &mut u64,
    each: &mut dyn FnMut(&Value),
) -> io::Result<bool> {
    let size = file.metadata()?.len().saturating_sub(start);
    let is_whole = size <= *left;
    file.seek(SeekFrom::Start(start))?;
    for line in BufReader::new(file.take(*left)).split(b'\n') {
        let Ok(finding) = serde_json::from_slice::<Value>(&line?) else { continue };
        each(&finding);
    }
    *left = left.saturating_sub(size);
    Ok(is_whole)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn append(path: &Path, numbers: &[u64]) {
        let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
        let text: String = numbers.iter().map(|number| format!("{{\"n\":{number}}}\n")).collect();
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn new(growth: &Growth) -> Vec<u64> {
        let mut numbers = Vec::new();
        assert!(growth.new_lines(&mut |line| numbers.push(line["n"].as_u64().unwrap())).unwrap());
        numbers
    }

    #[test]
    fn a_file_that_was_emptied_and_has_grown_past_its_old_end_is_new_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        for old in [1, 1000] {
            append(&path, &vec![1; old]);
            let growth = Growth::begin(&path).unwrap();
            assert!(growth.began_with_lines());
            for regrown in [old - 1, old, old + 1] {
                std::fs::write(&path, "").unwrap();
                append(&path, &vec![2; regrown]);
                assert_eq!(new(&growth), vec![2; regrown], "{old} lines, then {regrown}");
            }
        }
    }

    #[test]
    fn what_was_written_before_the_file_was_moved_or_removed_is_told_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        append(&path, &[1]);
        let growth = Growth::begin(&path).unwrap();
        append(&path, &[2]);
        std::fs::rename(&path, dir.path().join("threats.jsonl.1")).unwrap();
        append(&path, &[3, 4]);
        assert_eq!(new(&growth), [2, 3, 4]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(new(&growth), [2]);
        std::fs::remove_file(dir.path().join("threats.jsonl.1")).unwrap();
        assert_eq!(new(&growth), [2]);
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_new_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let growth = Growth::begin(&path).unwrap();
        assert!(!growth.began_with_lines());
        assert!(new(&growth).is_empty());
        append(&path, &[1]);
        assert_eq!(new(&growth), [1]);
    }
}
